# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# What a test's line `vm: OPTIONS` says; sourced after lib.sh.

# vm_options FILE: one a line; quotes work as in a shell.
vm_options()
{
	head -n 40 "$1" | sed -n 's/^[[:blank:]/*#]*vm:[[:blank:]]*//p' |
		head -n 1 | xargs -r printf '%s\n'
}

# value_of FILE OPTION DEFAULT
value_of()
{
	local value

	value=$(vm_options "$1" | sed -n "/^$2\$/{n;p}")
	printf '%s\n' "${value:-$3}"
}

# load_of FILE: the module's parameters, or - if the test inserts it.
load_of()
{
	local load

	load=$(vm_options "$1" | grep -m1 -E '^--load(=|$)') || { echo -; return; }
	load=${load#--load}
	printf '%s\n' "${load#=}"
}

# machine_of FILE: what tests must have in common to share a VM: all but the kernel,
# memory and time, which the run decides, and the module's parameters.
machine_of()
{
	vm_options "$1" | sed -E '/^(-k|--mem|--timeout)$/{N;d}; /^--load(=|$)/d'
}
