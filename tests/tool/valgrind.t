#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# gpu-dma-lock under valgrind: no memory that is not its own, not set, or not freed.

. "$(dirname "$0")/lib.sh"

gpu_dma_lock=$("$here/../../scripts/tool")
cp -R "$GPU_DMA_LOCK_PROC" "$work/folder"
export GPU_DMA_LOCK_PROC=$work/folder
printf '%s\n' 'create_agent ID [QUOTA [NAME]]' 'set_quota AGENT BYTES|max [DEV]' \
	'name AGENT NAME|-' 'bind AGENT cgroup:PATH|pid:N [later]' >"$work/folder/control"
printf 'set_quota 7 1X\nname 7 x\ncreate_agent 3 1G y\nbind 3 cgroup:/x later\n' >"$work/lines"

# clean ARGUMENTS...
clean() {
	valgrind -q --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite,possible \
		"$gpu_dma_lock" "$@" >"$work/out" 2>"$work/err" </dev/null
	[ $? -ne 99 ]
	ok $? "$*" || note "$(cat "$work/err")"
}

for format in "" -J -r -e; do
	for table in agents devices allocations locks stats dma_permissions; do
		# shellcheck disable=SC2086 # no word if empty
		clean list $format $table
	done
done
clean list -o nonsense agents
clean status
clean status --json
clean dump
clean save "$work/saved"
clean restore --dry-run "$work/lines"
clean restore "$work/lines"
cc -shared -fPIC -o "$work/libnvidia-ml.so.1" "$here/nvml_library.c" || bail "no stand-in for NVML"
printf '%s\n' 'count 1' 'gpu 0 00000000:03:00.0 GPU-one 8589934592' 'many 0 1000000 1000 4096' \
	>"$work/scenario"
export NVML_SCENARIO=$work/scenario GPU_DMA_LOCK_STATE=$work/run
clean nvml --once -l "$work/libnvidia-ml.so.1"
clean nvml --once -l /nonsense
clean agent add 7 1G x
clean agent nonsense
clean --help
tap_done
