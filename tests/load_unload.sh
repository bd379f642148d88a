#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# The module comes and goes 100 times while clients make and free real buffers
# on two CPUs, hooked by each way in turn; nothing of it stays, and an open file of it
# harms nobody.
#
# vm: --one-thread --mem 512 --timeout 1800

# shellcheck disable=SC2317 # functions are called through succeeds and fails
. "$(dirname "$0")/tap.sh"
. "$(dirname "$0")/client.sh"

module=/gpu_dma_lock.ko
proc=/proc/swarm/gpu
rounds=$(scaled 100)
clients=
modes="auto direct divert"
others=0

start_clients() {
	for driver in vgem virtio_gpu; do
		gembuf -d "$driver" -e -l >/tmp/"$driver" 2>&1 &
		clients="$clients $!"
	done
	for driver in vgem virtio_gpu; do
		wait_until grep -qs ready "/tmp/$driver" ||
			bail "no client of $driver: $(cat "/tmp/$driver")"
	done
}

clients_live() {
	for pid in $clients; do
		kill -0 "$pid" || return 1
	done
}

loaded() {
	grep -q '^gpu_dma_lock ' /proc/modules
}

stat_of() {
	sed -n "s/^$1 //p" "$proc/stats"
}

# without_direct: this kernel has no direct calls, and the module says so.
without_direct() {
	! insmod "$module" hook=direct 2>/dev/null || { rmmod gpu_dma_lock; return 1; }
	dmesg | grep -q "nothing can be hooked: no direct calls in this kernel"
}

# hooked: as was asked for, all that is not in a module that may be absent
hooked() {
	case $mode in
	auto) want=$best ;;
	*) want=$mode ;;
	esac
	[ "$(sed -n 's/^hook_d[^ ]*_state \([a-z]*\).*/\1/p' "$proc/stats" | sort -u)" = "$want" ]
}

# insert: by the next way of hooking
insert() {
	mode=${modes%% *}
	modes="${modes#* } $mode"
	insmod "$module" hook="$mode" || return
	hooked || { others=$((others + 1)); note "$mode: $(grep _state "$proc/stats")"; }
}

# What is left of the module, if anything.
leftovers() {
	ls -d /proc/swarm /sys/module/gpu_dma_lock /sys/kernel/tracing/events/gpu_dma_lock \
		2>/dev/null
	grep -E 'gpu_dma_lock|gdl_' /sys/kernel/tracing/enabled_functions
}

# has_seen: a buffer that the clients have made
has_seen() {
	[ "$(stat_of buffers_created)" != 0 ]
}

come_and_go() {
	bad=0 seen=0 left=0
	for _ in $(seq "$rounds"); do
		insert || { bad=$((bad + 1)); continue; }
		! wait_until has_seen || seen=$((seen + 1))
		cat "$proc"/* >/dev/null || bad=$((bad + 1))
		rmmod gpu_dma_lock || bad=$((bad + 1))
		[ -z "$(leftovers)" ] || { left=$((left + 1)); note "$(leftovers)"; }
	done
	is "$bad" 0 "the module is loaded, read and removed $rounds times"
	is "$seen" "$rounds" "each time it sees buffers made meanwhile"
	is "$left" 0 "each time nothing of it is left"
	succeeds "the clients live" clients_live
}

# A process reads all the time: removal may have to wait or be tried again.
go_under_readers() {
	(while :; do cat "$proc"/*; done) >/dev/null 2>&1 &
	reader=$!
	bad=0
	for _ in $(seq "$(scaled 20)"); do
		insert || bad=$((bad + 1))
		tries=3000
		until rmmod gpu_dma_lock 2>/dev/null; do
			tries=$((tries - 1))
			[ "$tries" -gt 0 ] || { bad=$((bad + 1)); break; }
			usleep 10000
		done
		[ ! -e /proc/swarm ] || bad=$((bad + 1))
	done
	is "$bad" 0 "some times more under a reader of every file"
	kill "$reader"
	wait "$reader" 2>/dev/null
	succeeds "the clients live on" clients_live
}

# Removal with a file open: refused while it is, or done and the file dead.
go_with_open_file() {
	insert || bail "insmod"
	exec 3<"$proc/$1"
	head -c 20 <&3 >/dev/null
	rmmod gpu_dma_lock 2>/dev/null
	if loaded; then
		note "removal with $1 open is refused"
		cat <&3 >/dev/null
		ok $? "$1: the open file works on"
		exec 3<&-
		succeeds "$1: closed, the module goes" rmmod gpu_dma_lock
	else
		note "removal with $1 open is done"
		cat <&3 >/dev/null 2>&1
		ok $((! $?)) "$1: the open file is dead"
		exec 3<&-
	fi
	is "$(leftovers)" "" "$1: nothing is left"
}

go_with_open_control() {
	insert || bail "insmod"
	exec 4>"$proc/control"
	echo "create_agent 7" >&4
	rmmod gpu_dma_lock 2>/dev/null
	if loaded; then
		exec 4>&-
		succeeds "control: closed, the module goes" rmmod gpu_dma_lock
	else
		(echo "create_agent 8" >&4) 2>/dev/null
		ok $((! $?)) "control: a write to the dead file fails"
		exec 4>&-
	fi
	is "$(leftovers)" "" "control: nothing is left"
}

# Ledger buffers, agents and real buffers are there when it goes.
go_when_full() {
	insert || bail "insmod"
	start_client -n 100 -e
	device=$(awk 'NR > 1 && $1 != "-" { print $1; exit }' "$proc/devices")
	for agent in $(seq 50); do
		echo "create_agent $agent 1G"
		echo "allocate $agent 4096 $device"
	done >"$proc/control"
	is "$(awk '$5 == "ledger"' "$proc/allocations" | wc -l)" 50 "with 50 ledger buffers"
	succeeds "the module goes" rmmod gpu_dma_lock
	stop_client
	is "$(leftovers)" "" "nothing is left"
	insert
	ok $? "it comes back"
	is "$(awk '$5 == "ledger"' "$proc/allocations" | wc -l)" 0 "without ledger buffers"
	is "$(awk 'NR > 1' "$proc/agents" | wc -l)" 1 "with agent 0 only"
	succeeds "and goes" rmmod gpu_dma_lock
}

best=direct
if without_direct; then
	best=divert
	modes="auto divert"
fi
start_clients
come_and_go
go_under_readers
for file in allocations stats devices agents quotas; do
	go_with_open_file "$file"
done
go_with_open_control
go_when_full
is "$others" 0 "each time it was hooked as was asked for"
succeeds "the clients live to the end" clients_live
# shellcheck disable=SC2086 # one word a process
kill $clients
is "$(reports)" 0 "no report in the log"
tap_done
