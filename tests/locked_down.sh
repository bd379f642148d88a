#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# With pointers hidden, on one CPU of two, and on a processor with nothing new the module
# works as elsewhere; and lockdown that comes after it takes nothing from it: buffers are
# tracked and refused, drm.ko goes and comes, the module goes.
#
# vm: --gpu none --mem 512 --append nosmp --cpu qemu64

# shellcheck disable=SC2317 # functions are called through succeeds and fails
. "$(dirname "$0")/tap.sh"
. "$(dirname "$0")/client.sh"

proc=/proc/swarm/gpu
tenant=/sys/fs/cgroup/tenant
lockdown=/sys/kernel/security/lockdown

rows() {
	awk 'NR > 1' "$proc/allocations" | wc -l
}

no_rows() {
	[ "$(rows)" = 0 ]
}

stat_of() {
	sed -n "s/^$1 //p" "$proc/stats"
}

# placed MODE: whether all hooks are; none is on ttm.ko, which is not here
placed() {
	[ "$(sed -n 's/^hook_d[^ ]*_state \([a-z]*\).*/\1/p' "$proc/stats" | sort -u)" = "$1" ]
}

# by_tenant COMMAND...
by_tenant() {
	sh -c 'echo 0 >"$1/cgroup.procs" && shift && exec "$@"' sh "$tenant" "$@"
}

tracks_and_refuses() {
	echo reset_stats >"$proc/control"
	start_client -n 3 -e
	is "$(rows)" 3 "$1: three buffers have three rows"
	stop_client
	succeeds "$1: which go with them" wait_until no_rows
	succeeds "$1: within its quota a tenant gets its buffers" by_tenant gembuf -n 4 -s 16K -e
	wait_until no_rows
	fails "$1: it gets no more" by_tenant gembuf -n 5 -s 16K -e
	is "$(stat_of quota_denied)" 1 "$1: that is counted"
	succeeds "$1: nothing is left" wait_until no_rows
}

# hide_pointers: afterwards not even root sees addresses
hide_pointers() {
	echo 2 >/proc/sys/kernel/kptr_restrict &&
		[ -z "$(awk '$1 !~ /^0+$/' /proc/kallsyms | head -n 1)" ]
}

# lock_down LEVEL
lock_down() {
	echo "$1" >"$lockdown" && grep -q "\[$1\]" "$lockdown"
}

is "$(nproc) $(grep -c 'QEMU Virtual CPU' /proc/cpuinfo)" "1 1" "there is one CPU, and it is plain"
succeeds "pointers are hidden" hide_pointers
modprobe vgem
mkdir "$tenant"
for mode in divert direct; do
	succeeds "$mode: the module is inserted" insmod /gpu_dma_lock.ko policy=enforce hook="$mode"
	succeeds "$mode: it is hooked so" placed "$mode"
	printf '%s\n' "create_agent 7 64K" "bind 7 cgroup:/tenant" >"$proc/control"
	tracks_and_refuses "$mode"
	[ "$mode" = direct ] || rmmod gpu_dma_lock
done
mount -t securityfs securityfs /sys/kernel/security
if [ -e "$lockdown" ]; then
	for level in integrity confidentiality; do
		succeeds "lockdown: $level" lock_down "$level"
		tracks_and_refuses "$level"
	done
	fails "no other module of its kind could be inserted" insmod /tests/modules/hog.ko
	succeeds "vgem goes" modprobe -r vgem
	succeeds "it comes" modprobe vgem
	tracks_and_refuses "come again"
else
	skip "this kernel has no lockdown"
fi
succeeds "the module goes" rmmod gpu_dma_lock
succeeds "buffers can be made" by_tenant gembuf -n 5 -s 16K -e
rmdir "$tenant"
is "$(reports)" 0 "no report in the log"
tap_done
