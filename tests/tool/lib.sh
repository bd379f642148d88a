# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
# For tests of tool/gpu-dma-lock that need no module: . "$(dirname "$0")/lib.sh"
#
# GPU_DMA_LOCK is the program. What is printed is compared with files of golden/; UPDATE=1 writes
# these.

here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=../tap.sh
. "$here/../tap.sh"

gpu_dma_lock=${GPU_DMA_LOCK:-$here/../../tool/gpu-dma-lock}
[ -x "$gpu_dma_lock" ] || bail "$gpu_dma_lock is not built: make tool"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export LC_ALL=C.UTF-8 GPU_DMA_LOCK_PROC=$here/fixtures/small
unset LINES COLUMNS NO_COLOR

# That of tap.sh's wait_until is busybox's.
usleep() {
	sleep 0.05
}

# tool ARGUMENTS...: stdout in $work/out, stderr in $work/err, the status in $status
tool() {
	"$gpu_dma_lock" "$@" >"$work/out" 2>"$work/err" </dev/null
	status=$?
}

# golden FILE NAME: $work/out, and golden/FILE
golden() {
	sed -i "s|$work|WORK|g" "$work/out"
	[ -z "${UPDATE:-}" ] || cp "$work/out" "$here/golden/$1"
	succeeds "$2" diff -u "$here/golden/$1" "$work/out"
}

# refused NAME: status 2, nothing printed, two lines of what is wrong
refused() {
	is "$status $(wc -c <"$work/out") $(wc -l <"$work/err")" "2 0 2" "$1" ||
		note "$(cat "$work/err")"
}

# survives COMMAND...: with each of the tables damaged in turn it ends by itself, and where it
# fails it says so
survives() {
	for table in stats agents bindings allocations attachments locks contexts devices quotas \
		regions templates dma_permissions; do
		rm -rf "$work/fuzzed"
		cp -R "$here/fixtures/small" "$work/fuzzed"
		for seed in $(seq "$(scaled 12)"); do
			perl "$here/damage" "$seed" <"$here/fixtures/small/$table" >"$work/fuzzed/$table"
			GPU_DMA_LOCK_PROC=$work/fuzzed "$gpu_dma_lock" "$@" >"$work/out" \
				2>"$work/err" </dev/null
			case $? in
			0 | 1) continue ;;
			2) [ ! -s "$work/err" ] || continue ;;
			esac
			ok 1 "$* survives $table, damaged with $seed"
			note "$(head -n 30 "$work/err")"
			return
		done
	done
	ok 0 "$* survives damaged tables"
}
