#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# gpu-dma-lock watch: it tells of a refusal soon after it, by how much and whose, and ends with the
# module.
#
# vm: -k 6.1 --load --mem 512 --timeout 200

# shellcheck disable=SC2317 # functions are called through succeeds and fails
. "$(dirname "$0")/tap.sh"

proc=/proc/swarm/gpu

# starts OPTIONS
starts() {
	# shellcheck disable=SC2086 # into words
	gpu-dma-lock watch $1 >/tmp/out 2>/tmp/err &
	watcher=$!
	wait_until sleeps_with "$watcher" $proc/stats || bail "watch does not begin: $(cat /tmp/err)"
}

tells() {
	[ "$(wc -l </tmp/out)" -ge 2 ]
}

modprobe vgem
echo "create_agent 7 1M tenant-a" >$proc/control
device=$(awk 'NR == 2 { print $1 }' $proc/devices)
starts "-n 2"
fails "an allocation is refused" sh -c "echo 'allocate 7 2M $device' >$proc/control"
succeeds "watch tells of the refusal" wait_until tells || kill "$watcher"
wait "$watcher"
is "$?$(cat /tmp/err)" 0 "watch -n 2 ends after two events"
succeeds "watch tells which counter rose" grep -qE '^[^ ]* quota_denied \+1, 1 in all$' /tmp/out
succeeds "watch tells which agent was refused" grep -qE '^[^ ]* agent 7 \(tenant-a\) denied \+1, 1 in all$' /tmp/out
starts -J
echo "create_agent 8" >$proc/control
usleep 1500000
is "$(cat /tmp/out)" "" "watch tells nothing of a command that succeeds"
kill "$watcher"
wait
is "$(reports)" 0 "no report in the log"
tap_done
