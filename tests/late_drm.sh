#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# DRM may be absent when the module is loaded, come later, leave before it and
# come back: the ledger works all the time, tracking whenever DRM is there.
#
# vm: --gpu bochs --mem 512 --timeout 200

# shellcheck disable=SC2317 # functions are called through succeeds and fails
. "$(dirname "$0")/tap.sh"
. "$(dirname "$0")/client.sh"

module=/gpu_dma_lock.ko
proc=/proc/swarm/gpu

drm_loaded() {
	grep -q '^drm ' /proc/modules
}

# placed FUNCTION: whether its hook is, as stats says
placed() {
	grep -qE "^hook_$1_state (direct|divert)" "$proc/stats"
}

placed_hooks() {
	grep -cE '^hook_.*_state (direct|divert)' "$proc/stats"
}

rows() {
	awk -v kind="$1" '
		NR == 1 { for (i = 1; i <= NF; i++) if ($i == "KIND") k = i }
		NR > 1 && $k == kind' "$proc/allocations" | wc -l
}

# The first GPU in `devices`, if any.
device() {
	awk 'NR > 1 && $1 != "-" { print $1; exit }' "$proc/devices"
}

listed() {
	awk -v driver="$1" 'NR > 1 && $3 == driver { found = 1 } END { exit !found }' "$proc/devices"
}

write() {
	echo "$1" >"$proc/control"
}

ledger_works() {
	dev=$(device)
	[ "$dev" ] || bail "$1: no device"
	succeeds "$1: an agent is created" write "create_agent 5 1M"
	succeeds "$1: a buffer is allocated" write "allocate 5 64K $dev"
	is "$(rows ledger)" 1 "$1: it has its row"
	fails "$1: the quota holds" write "allocate 5 1M $dev"
	succeeds "$1: the agent is removed" write "remove_agent 5"
	is "$(rows ledger)" 0 "$1: with its buffer"
}

has_rows() {
	[ "$(rows gem)" = "$1" ]
}

tracking_works() {
	start_client -n 3 -e
	succeeds "$1: three vgem buffers have three rows" wait_until has_rows 3
	stop_client
	succeeds "$1: which go with their client" wait_until has_rows 0
}

# A module is in use for a moment after its last user has ended.
remove_drm() {
	wait_until try_to_remove_drm
}

try_to_remove_drm() {
	modprobe -r vgem 2>/dev/null
	# What modprobe -r leaves because other modules used it at the time.
	for name in drm_shmem_helper drm_dma_helper drm_kms_helper drm_client_lib drm; do
		! grep -q "^$name " /proc/modules || rmmod "$name" 2>/dev/null
	done
	! drm_loaded
}

# The GPU's PCI device stays when its driver goes: the ledger needs a device.
modprobe -r bochs
remove_drm || skip_all "drm.ko cannot be removed"

succeeds "observe=0: loaded without drm.ko" insmod "$module" observe=0
fails "observe=0: drm.ko stays away" drm_loaded
ledger_works "observe=0"
is "$(placed_hooks)" 0 "observe=0: no hook is placed"
succeeds "observe=0: vgem comes" modprobe vgem
is "$(placed_hooks)" 0 "observe=0: still no hook is placed"
gembuf -n 3 -e >/dev/null
is "$(sed -n 's/^buffers_created //p' "$proc/stats")" "$(sed -n 's/^ledger_allocated //p' "$proc/stats")" \
	"observe=0: no real buffer is counted"
succeeds "observe=0: vgem leaves" remove_drm
succeeds "observe=0: the module is removed" rmmod gpu_dma_lock

succeeds "observe=1: loaded without drm.ko" insmod "$module" observe=1
fails "observe=1: drm.ko stays away" drm_loaded
succeeds "observe=1: dma-buf hooks are placed" placed dma_buf_export
fails "observe=1: drm hooks are not" placed drm_gem_private_object_init
ledger_works "observe=1"
for round in 1 2 3 4 5; do
	succeeds "round $round: vgem comes" modprobe vgem
	succeeds "round $round: creation is seen" placed drm_gem_private_object_init
	succeeds "round $round: release is seen" placed dma_resv_fini
	succeeds "round $round: vgem is listed at once" listed vgem
	tracking_works "round $round"
	succeeds "round $round: vgem and drm leave" remove_drm
	fails "round $round: the hook is gone" placed drm_gem_private_object_init
	fails "round $round: vgem is not listed any more" listed vgem
	succeeds "round $round: dma-buf's is not" placed dma_buf_export
done
ledger_works "after drm"
succeeds "vgem comes again" modprobe vgem
tracking_works "again"
succeeds "the module goes before drm" rmmod gpu_dma_lock
succeeds "drm works on" gembuf -n 3 -e
succeeds "the module comes after drm" insmod "$module"
succeeds "vgem is listed from the start" listed vgem
tracking_works "after drm"
succeeds "drm goes before the module" remove_drm
succeeds "the module goes" rmmod gpu_dma_lock
fails "nothing is left in /proc" test -e /proc/swarm
is "$(reports)" 0 "no report in the log"
tap_done
