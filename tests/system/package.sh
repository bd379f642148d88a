#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# usage: tests/system/package.sh
#
# The Debian package's life in a VM: installed on kernel 6.1, rebooted, the kernel
# upgraded to 6.12, purged. Prints TAP. Each part is a program of this folder that the
# system runs after a boot.

. "$(dirname -- "$0")/../../scripts/lib.sh"

TIME_LIMIT=1800
checks=0
failed=0

# number: the parts' checks as one stream of TAP.
number()
{
	local line pattern='^(not ok|ok) [0-9]+ (.*)$'

	plan=0
	made=0
	while IFS= read -r line; do
		if [[ $line =~ $pattern ]]; then
			((++made))
			((++checks))
			[[ ${BASH_REMATCH[1]} == ok ]] || ((++failed))
			printf '%s %d %s\n' "${BASH_REMATCH[1]}" "$checks" "${BASH_REMATCH[2]}"
		elif [[ $line == 1..* ]]; then
			plan=${line#1..}
		else
			printf '%s\n' "$line"
		fi
	done
}

# check PASS WHAT
check()
{
	((++checks))
	[[ $1 == ok ]] || ((++failed))
	printf '%s %d - %s\n' "$1" "$checks" "$2"
}

# part NAME KERNEL: boots KERNEL and runs NAME.sh there; fails if that did not end.
part()
{
	local status=0 start=$SECONDS plan made output=$work/output

	"$SCRIPTS/system-vm" --disk "$work/disk" -k "$2" --timeout "$TIME_LIMIT" --add "$deb" \
		--add "$TOP/tests/tap.sh" --add "$TOP/tests/system" --add "$work/gembuf" \
		-- "sh /run/vm/system/$1.sh" >"$output" || status=$?
	number <"$output"
	printf '# %s: %d s\n' "$1" $((SECONDS - start))
	if ((made == 0 || made != plan || status > 1)); then
		check "not ok" "$1: ran to its end, and the system went down orderly (status $status)"
		return 1
	fi
	check ok "$1: ran to its end, and the system went down orderly"
}

# shellcheck disable=SC2317 # called by trap
cleanup()
{
	rm -rf -- "$work"
}

main()
{
	local deb

	case ${1:-} in
	-h | --help) sed -n '3,/^$/s/^# \{0,1\}//p' "$0"; return ;;
	esac
	work=$(mktemp -d "${TMPDIR:-/tmp}/gpu_dma_lock-package.XXXXXX")
	trap cleanup EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP
	deb=$("$SCRIPTS/deb" "$work/dist")
	"$SCRIPTS/programs" "$work" "$TOP/tests/clients/gembuf.c"
	# Each part needs what the one before has left.
	if part install 6.1 && part reboot 6.1; then
		part upgrade 6.12 || true
	fi
	printf '1..%d\n' "$checks"
	((failed == 0))
}

main "$@"
