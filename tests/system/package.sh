#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# usage: tests/system/package.sh
#
# The life of the Debian packages in a VM: installed on kernel 6.1, rebooted, the kernel
# upgraded to 6.12, purged. Prints TAP. Each part is a program of this folder that the
# system runs after a boot.
#
# autopkgtest-pkg-dkms, which debian/control names too, builds and installs the module for the
# headers that its machine has. It does not load it, and knows no reboot, upgrade and purge.

. "$(dirname -- "$0")/../../scripts/lib.sh"
. "$TOP/tests/system/parts.sh"

main()
{
	case ${1:-} in
	-h | --help) sed -n '3,/^$/s/^# \{0,1\}//p' "$0"; return ;;
	esac
	begin_parts
	# Each part needs what the one before has left.
	if part install 6.1 && part reboot 6.1; then
		part upgrade 6.12 || true
	fi
	end_parts
}

main "$@"
