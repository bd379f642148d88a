# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# What a test's lines `vm: OPTIONS` say; sourced after lib.sh. A TEST is a file, for its first
# such line, or FILE#N for the N-th.

# vm_lines FILE: the options of each such line.
vm_lines()
{
	head -n 40 "$1" | sed -n 's/^[[:blank:]/*#]*vm:[[:blank:]]*//p'
}

# vm_options TEST: one a line; quotes work as in a shell.
vm_options()
{
	local n=1

	[[ $1 != *'#'* ]] || n=${1##*#}
	vm_lines "${1%#*}" | sed -n "${n}p" | xargs -r printf '%s\n'
}

# tests_of FILE: a TEST for each of its lines; none for what is no test.
tests_of()
{
	vm_lines "$1" | awk -v file="$1" '{ print file (NR > 1 ? "#" NR : "") }'
}

# value_of TEST OPTION DEFAULT
value_of()
{
	local value

	value=$(vm_options "$1" | sed -n "/^$2\$/{n;p}")
	printf '%s\n' "${value:-$3}"
}

# load_of TEST: the module's parameters, or - if the test inserts it.
load_of()
{
	local load

	load=$(vm_options "$1" | grep -m1 -E '^--load(=|$)') || { echo -; return; }
	load=${load#--load}
	printf '%s\n' "${load#=}"
}

# machine_of TEST: what tests must have in common to share a VM: all but the kernel,
# memory and time, which the run decides, and the module's parameters.
machine_of()
{
	vm_options "$1" | sed -E '/^(-k|--mem|--timeout)$/{N;d}; /^--load(=|$)/d'
}

# How much of its repetitions a test is to do: percent, also a part of one.
export PERCENT_PATTERN='^(0\.[0-9]*[1-9]|[1-9][0-9]*)$'
