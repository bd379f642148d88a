#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# examples/bpftrace: the scripts find their tracepoints and fields, and print what
# happened: who was refused, and how long a buffer was mapped.
#
# vm: -k 6.1 --load=policy=enforce --gpu virtio --mem 2048 --timeout 500

. "$(dirname "$0")/tap.sh"

proc=/proc/swarm/gpu

# traced SCRIPT PATTERN COMMAND...: what the script prints while COMMAND runs again and
# again, in /tmp/out. It takes long in an emulated guest until the script has attached: it
# has more time where it has not yet printed that pattern.
traced() {
	script=$1
	pattern=$2
	shift 2
	while :; do
		"$@" >/tmp/command 2>&1
		sleep 1
	done &
	commands=$!
	for seconds in 20 60 120; do
		timeout -s INT "$seconds" /host/bpftrace "/host/$script" >/tmp/out 2>&1
		status=$?
		! grep -qE -- "$pattern" /tmp/out || break
	done
	is "$status" 0 "$script ran" || note "$(cat /tmp/out)"
	kill "$commands"
}

# says PATTERN NAME
says() {
	grep -qE -- "$1" /tmp/out
	ok $? "$2" || note "$(cat /tmp/out /tmp/command)"
}

modprobe vgem
echo "create_agent 7 64K" >"$proc/control"
traced refused.bt '^\[4K, 8K\) +[1-9]' gpu-dma-lock run 7 gembuf -n 20 -s 4K
says '^@refused\[7, gembuf\]: [1-9]' "it counts refusals of agent 7's gembuf"
says '^\[4K, 8K\) +[1-9]' "of 4 KiB"
traced slow_maps.bt '^\[.*\) +[1-9]' gembuf -s 4K -i virtio_gpu
says '^@us\[.*\]: *$' "it tells of a mapping"
says '^\[.*\) +[1-9]' "that has ended"
is "$(reports)" 0 "no report in the log"
tap_done
