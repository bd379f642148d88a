#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# GPUs are plugged in and taken away: their rows come and go, other devices' ids
# stay, and a buffer on a GPU that is gone keeps its row until it is freed.
#
# virtio-gpu must have no buffer when it is removed, nor one that the host has not let go
# of yet: drm_mm_takedown() warns then. So there is no text console.
#
# vm: --one-thread --load --gpu virtio --append drm_kms_helper.fbdev_emulation=0 --mem 768 --timeout 240

# shellcheck disable=SC2317 # functions are called through succeeds and fails
. "$(dirname "$0")/tap.sh"
. "$(dirname "$0")/client.sh"

proc=/proc/swarm/gpu

rows() {
	awk 'NR > 1' "$proc/$1" | wc -l
}

# The id of the device with that DRIVER
id_of() {
	awk -v driver="$1" 'NR > 1 && $3 == driver { print $1; exit }' "$proc/devices"
}

# cell ID COLUMN, of devices
cell() {
	awk -v id="$1" -v column="$2" '
		NR == 1 { for (i = 1; i <= NF; i++) if ($i == column) k = i }
		NR > 1 && $1 == id { print $k }' "$proc/devices"
}

lost() {
	awk '$1 ~ /_(stale|lost|missed|failed|short)$/ && $1 != "commands_failed" && $2 != 0' \
		"$proc/stats"
}

is_there() {
	[ "$(id_of "$1")" ]
}

is_away() {
	[ ! "$(id_of "$1")" ]
}

row_away() {
	[ ! "$(cell "$1" ID)" ]
}

quota_away() {
	[ ! "$(awk -v id="$1" '$2 == id' "$proc/quotas")" ]
}

has_rows() {
	[ "$(rows "$1")" = "$2" ]
}

has_used() {
	[ "$(cell "$1" USED)" = "$2" ]
}

# QEMU tells by ACPI that a device has come.
plugs() {
	! grep -qw pci=noacpi /proc/cmdline
}

# QEMU takes a device away when the guest lets go of it.
unplugged() {
	! monitor info qtree | grep -q "\"gpu$slot\""
}

unplug() {
	monitor device_del "gpu$slot"
	wait_until unplugged || echo "QEMU still has it"
}

# plug_in NAME: one more bochs display
plug_in() {
	# QEMU does not forget the memory of what was in a slot.
	slot=$((slot + 1))
	is "$(monitor "device_add bochs-display,id=gpu$slot,addr=$slot")" "" "$1: a GPU is plugged in"
	succeeds "$1: its row comes" wait_until is_there bochs-drm
	id=$(id_of bochs-drm)
	[ "$id" -gt "$last" ]
	ok $? "$1: with a new id, $id"
	last=$id
	is "$(cell "$id" BUS)" pci "$1: BUS"
	case $(cell "$id" CAPACITY) in
	bar:[1-9]*) ok 0 "$1: CAPACITY is shown as the size of its BAR" ;;
	*) ok 1 "$1: CAPACITY is shown as the size of its BAR" ;;
	esac
	is "$(id_of virtio_gpu)" "$virtio" "$1: the other GPU keeps its id"
	is "$(id_of vgem)" "$vgem" "$1: so does vgem"
	succeeds "$1: agent 5 has a quota there" sh -c "echo set_quota 5 1M $id >$proc/control"
	succeeds "$1: and a context" sh -c "echo create_context 5 $id >$proc/control"
}

test_idle() {
	plug_in "idle"
	is "$(unplug)" "" "idle: it is taken away"
	succeeds "idle: its row goes" wait_until row_away "$id"
	succeeds "idle: and the quota" wait_until quota_away "$id"
	succeeds "idle: and the context" wait_until has_rows contexts 0
	is "$(id_of virtio_gpu)" "$virtio" "idle: the other GPU keeps its id"
	fails "idle: no quota can be set on it" sh -c "echo set_quota 5 1M $id >$proc/control"
	fails "idle: no capacity" sh -c "echo set_capacity $id 1M >$proc/control"
	fails "idle: no context" sh -c "echo create_context 5 $id >$proc/control"
	fails "idle: no ledger buffer" sh -c "echo allocate 5 4096 $id >$proc/control"
}

test_in_use() {
	plug_in "in use"
	# bochs exports no dma-buf on older kernels.
	start_client -d bochs-drm -n 2 -s 64K
	echo "allocate 5 4096 $id" >"$proc/control"
	is "$(cell "$id" USED)" 135168 "in use: two buffers and a ledger buffer are charged"
	is "$(unplug)" "" "in use: it is taken away"
	succeeds "in use: the declared context goes, the client's stays" wait_until has_rows contexts 1
	is "$(cell "$id" ID)" "$id" "in use: its row stays with the buffers"
	is "$(rows allocations)" 3 "in use: which are there"
	fails "in use: but it takes no more" sh -c "echo allocate 5 4096 $id >$proc/control"
	stop_client
	succeeds "in use: they go with the client" wait_until has_rows allocations 1
	is "$(cell "$id" USED)" 4096 "in use: the ledger buffer is still charged"
	succeeds "in use: the agent is removed" sh -c "echo remove_agent 5 >$proc/control"
	succeeds "in use: the row goes with the last buffer" wait_until row_away "$id"
}

# virtio-gpu is none that QEMU plugs, but the bus can be told that it left.
test_virtio() {
	path=$(readlink -f "/sys/bus/pci/devices/$(cell "$virtio" NAME)")
	succeeds "virtio-gpu has no buffer" wait_until has_used "$virtio" 0
	# The driver's buffers are the host's a little longer than they have rows.
	sleep 10
	echo 1 >"$path/remove"
	succeeds "virtio-gpu removed: its row goes" wait_until row_away "$virtio"
	echo 1 >/sys/bus/pci/rescan
	succeeds "virtio-gpu found again: a row comes" wait_until sh -c \
		"awk '\$2 == \"${path##*/}\"' $proc/devices | grep -q ."
	succeeds "virtio-gpu works again" wait_until gembuf -d virtio_gpu
	now=$(id_of virtio_gpu)
	[ "$now" -gt "$last" ]
	ok $? "its id is new: $now"
	start_client -d virtio_gpu -n 3 -s 64K -e
	is "$(cell "$now" USED)" 196608 "its buffers are charged to it"
	stop_client
	succeeds "and go" wait_until has_used "$now" 0
	is "$(id_of vgem)" "$vgem" "vgem keeps its id"
}

modprobe bochs
gembuf -d vgem -e >/dev/null
gembuf -d virtio_gpu -e >/dev/null
vgem=$(id_of vgem)
virtio=$(id_of virtio_gpu)
last=$(awk 'NR > 1 && $1 != "-" { id = $1 } END { print id }' "$proc/devices")
slot=9
if plugs; then
	echo "create_agent 5" >"$proc/control"
	test_idle
	test_in_use
	echo "create_agent 5" >"$proc/control"
	test_idle
else
	skip "no GPU is plugged in: the kernel does not look at ACPI"
fi
test_virtio
is "$(lost)" "" "nothing was lost"
succeeds "the module goes" rmmod gpu_dma_lock
is "$(reports)" 0 "no report in the log"
tap_done
