#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# usage: tests/system/container.sh
#
# Containers in a VM that has the Debian packages and one template: crun starts them in scopes of
# systemd, each is an agent of its own, and refused at its limit; see crun.sh. Prints TAP.
#
# The module is built on this machine: an emulated one takes a quarter of an hour for what DKMS does,
# which package.sh tests.

. "$(dirname -- "$0")/../../scripts/lib.sh"
. "$TOP/tests/system/parts.sh"

main()
{
	case ${1:-} in
	-h | --help) sed -n '3,/^$/s/^# \{0,1\}//p' "$0"; return ;;
	esac
	begin_parts
	"$SCRIPTS/build" -k 6.1 -o "$work" >/dev/null
	adds+=(--add "$TOP/examples/oci" --add "$work/gpu_dma_lock.ko")
	part crun 6.1 || true
	end_parts
}

main "$@"
