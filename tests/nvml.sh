#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# gpu-dma-lock nvml: what NVML says is in the tables, at whom it ought to be; it goes with the process
# and with the reporter, and is stale while NVML hangs. Whole cgroups are frozen, thawed and killed,
# and nobody else. NVML is tests/tool/nvml_library.c.
#
# vm: -k 6.1 -k newest --gpu virtio --mem 768 --timeout 400

# shellcheck disable=SC2317 # functions are called through succeeds and wait_until
. "$(dirname "$0")/tap.sh"

proc=/proc/swarm/gpu
cgroups=/sys/fs/cgroup
export NVML_SCENARIO=/tmp/scenario

load() {
	insmod /gpu_dma_lock.ko || bail "insmod"
	printf '%s\n' "create_agent 1 100M one" "create_agent 2 max two" "bind 1 cgroup:/one" \
		"bind 2 cgroup:/two" >$proc/control || bail "agents"
	echo 2 >/sys/module/gpu_dma_lock/parameters/report_timeout
}

# cell FILE KEY ID COLUMN
cell() {
	awk -v key="$2" -v id="$3" -v column="$4" '
		NR == 1 { for (i = 1; i <= NF; i++) { if ($i == key) k = i; if ($i == column) c = i } }
		NR > 1 && $k == id { print $c; exit }' "$proc/$1"
}

# uses AGENT BYTES
uses() {
	[ "$(cell agents ID "$1" USED)" = "$2" ]
}

# row PID: its agent, size and kind
row() {
	echo "$(cell allocations PID "$1" AGENT) $(cell allocations PID "$1" SIZE) $(cell allocations PID "$1" KIND)"
}

is_row() {
	[ "$(row "$1")" = "$2" ]
}

# comes PID ROW NAME
comes() {
	succeeds "$3" wait_until is_row "$1" "$2" || note "$(cat $proc/allocations /tmp/err)"
}

says() {
	grep -qE -- "$1" /tmp/err
}

# told PATTERN NAME
told() {
	succeeds "$2" wait_until says "$1" || note "$(cat /tmp/err)"
}

# scenario LINE...
scenario() {
	printf '%s\n' "count 1" "gpu 0 0000$name GPU-one 1073741824" "$@" >/tmp/new
	mv /tmp/new $NVML_SCENARIO
}

# starts OPTIONS...
starts() {
	: >/tmp/err
	gpu-dma-lock nvml -l /host/libnvidia-ml.so.1 -i 0.2 "$@" >>/tmp/err 2>&1 &
	reporter=$!
}

# ends SIGNAL
ends() {
	kill "-$1" "$reporter"
	wait "$reporter" 2>/dev/null
}

# enters CGROUP: a process, $pid, that is in it
enters() {
	sleep 600 &
	pid=$!
	echo "$pid" >"$cgroups/$1/cgroup.procs"
}

frozen() {
	grep -qx "frozen $2" "$cgroups/$1/cgroup.events"
}

# freezes CGROUP WORD NAME
freezes() {
	succeeds "$3" wait_until frozen "$1" "$2" || note "$(cat /tmp/err)"
}

# gone PID: but that its parent, this shell, was not told yet
gone() {
	[ ! -e "/proc/$1" ] || grep -q "^State:.*Z" "/proc/$1/status"
}

test_rows() {
	starts
	comes "$first" "1 52428800 reported" "a process has a row, at its agent"
	comes "$second" "2 52428800 reported" "another at its own"
	is "$(cell devices ID "$id" CAPACITY)" 1073741824 "the device's capacity is NVML's"
	succeeds "agent 1 is charged for its process" wait_until uses 1 52428800
	echo "$first" >$cgroups/two/cgroup.procs
	comes "$first" "2 52428800 reported" "it moves with its process"
	succeeds "the charge moves with the process" wait_until uses 1 0
	echo "$first" >$cgroups/one/cgroup.procs
	comes "$first" "1 52428800 reported" "and back"
	scenario "graphics 0 $first 1048576" "compute 0 $second 0"
	comes "$first" "1 1048576 reported" "it changes"
	comes "$second" "  " "one without memory has no row"
	enters two
	scenario "compute 0 $first 1048576" "compute 0 $pid 4096"
	comes "$pid" "2 4096 reported" "one that comes has one"
	kill "$pid"
	wait "$pid" 2>/dev/null
	comes "$pid" "  " "and not when it has ended"
	told "NVML tells of process $pid, which there is not" "which NVML is told to have missed"
	ends 9
	comes "$first" "  " "all go when the reporter is killed"
	starts
	comes "$first" "1 1048576 reported" "they come with the next"
	scenario "compute 0 $first 1048576" "hang DeviceGetCount"
	comes "$first" "1 1048576 stale" "they are stale while NVML hangs"
	ends 9
	comes "$first" "  " "and go with the reporter"
	starts
	usleep 500000
	scenario "compute 0 $first 1048576"
	comes "$first" "1 1048576 reported" "it goes on when NVML does"
	rmmod gpu_dma_lock || bail "rmmod"
	told "the module gpu_dma_lock (is not loaded|was removed)" "the module may go"
	load
	comes "$first" "1 1048576 reported" "and come again"
	ends TERM
	is "$?" 0 "SIGTERM ends it"
}

test_freeze() {
	scenario "compute 0 $first 209715200" "compute 0 $second 209715200"
	starts --act freeze
	told "cgroup:/one would be frozen under enforce" "audit only says what would be"
	succeeds "and does not" frozen one 0
	echo "policy enforce" >$proc/control
	freezes one 1 "enforce freezes the cgroup of who is over its quota"
	succeeds "and no other" frozen two 0
	comes "$first" "1 209715200 reported" "which keeps its row"
	echo "set_quota 1 300M" >$proc/control
	freezes one 0 "it is thawed when there is room"
	echo "set_quota 1 100M" >$proc/control
	freezes one 1 "and frozen when there is not"
	ends TERM
	freezes one 0 "SIGTERM thaws"
	starts --act freeze
	freezes one 1 "frozen"
	ends 9
	succeeds "SIGKILL does not thaw" frozen one 1
	succeeds "--thaw does" gpu-dma-lock nvml --thaw
	freezes one 0 "then"
	mkdir $cgroups/one/in
	echo "bind 2 cgroup:/one/in" >$proc/control
	starts --act freeze
	told "cgroup:/one is not frozen: cgroup:/one/in in it is of agent 2" "not what is another's too"
	succeeds "it is not" frozen one 0
	echo "unbind 2 cgroup:/one/in" >$proc/control
	freezes one 1 "until it is not any more"
	rmmod gpu_dma_lock || bail "rmmod"
	freezes one 0 "thawed when the module goes"
	load
	ends TERM
	rmdir $cgroups/one/in
}

test_kill() {
	echo "policy enforce" >$proc/control
	mkdir $cgroups/one/in
	enters one/in
	inner=$pid
	sleep 600 &
	bound=$!
	echo "bind 1 pid:$bound" >$proc/control
	starts --act kill
	succeeds "kill kills the cgroup" wait_until gone "$first"
	succeeds "and what is below it" wait_until gone "$inner"
	succeeds "and a process that is bound" wait_until gone "$bound"
	comes "$first" "  " "the row goes"
	told "agent 1 \(one\) is not over its quota any more" "and so it is well"
	fails "another agent's process lives" gone "$second"
	comes "$second" "2 209715200 reported" "another agent's process keeps its row"
	ends TERM
	rmdir $cgroups/one/in
}

mkdir -p $cgroups/one $cgroups/two
load
name=$(awk '$4 == "pci" { print $2; exit }' $proc/devices)
id=$(cell devices NAME "$name" ID)
[ "$id" ] || bail "no GPU"
enters one
first=$pid
enters two
second=$pid
scenario "compute 0 $first 52428800" "graphics 0 $first 52428800" "compute 0 $second 52428800"
su -s /bin/sh nobody -c "gpu-dma-lock nvml" 2>/tmp/err
is "$? $(grep -c CAP_SYS_ADMIN /tmp/err)" "2 1" "nobody may not"
test_rows
test_freeze
test_kill
kill "$second"
wait
rmmod gpu_dma_lock
is "$(reports)" 0 "no report in the log"
wait_until rmdir $cgroups/one $cgroups/two
tap_done
