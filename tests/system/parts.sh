# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
# What tests of whole systems share: parts, each of which a program of this folder runs after
# a boot of the same disk. Sourced after scripts/lib.sh.

# Seconds; most of it is for an emulated compiler.
TIME_LIMIT=1800
work=
adds=()
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

	"$SCRIPTS/system-vm" --disk "$work/disk" -k "$2" --timeout "$TIME_LIMIT" "${adds[@]}" \
		--add "$TOP/tests/tap.sh" --add "$TOP/tests/system" \
		-- "sh /run/vm/system/$1.sh" >"$output" || status=$?
	number <"$output"
	printf '# %s: %d s\n' "$1" $((SECONDS - start))
	if ((made == 0 || made != plan || status > 1)); then
		check "not ok" "$1: ran to its end, and the system went down orderly (status $status)"
		return 1
	fi
	check ok "$1: ran to its end, and the system went down orderly"
}

# begin_parts: makes $work, builds the packages, which each part gets in adds.
begin_parts()
{
	local deb

	make_work system-test
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP
	for deb in $("$SCRIPTS/deb" "$work/dist"); do
		adds+=(--add "$deb")
	done
	"$SCRIPTS/programs" "$work" "$TOP/tests/clients/gembuf.c"
	adds+=(--add "$work/gembuf")
}

# end_parts: false if a check failed
end_parts()
{
	printf '1..%d\n' "$checks"
	((failed == 0))
}
