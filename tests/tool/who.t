#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# gpu-dma-lock who and why: what they print of a buffer, a process, an agent and a cgroup, of
# tables and of a /proc and a trace that are made here.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

export GPU_DMA_LOCK_PROCESSES=$work/proc GPU_DMA_LOCK_TRACEFS=$work/tracefs

# process PID COMM CGROUP
process() {
	mkdir -p "$work/proc/$1/fd" "$work/proc/$1/fdinfo" "$work/proc/$1/task/$1"
	printf '%s\n' "$2" >"$work/proc/$1/comm"
	printf '0::%s\n' "$3" >"$work/proc/$1/cgroup"
	: >"$work/proc/$1/maps"
}

# dmabuf TASK FD INODE
dmabuf() {
	mkdir -p "$work/proc/$1/fd" "$work/proc/$1/fdinfo"
	ln -s "/dmabuf:name" "$work/proc/$1/fd/$2"
	printf 'pos:\t0\nflags:\t02\nmnt_id:\t9\nino:\t%s\nsize:\t4096\nexp_name:\tdrm\n' "$3" \
		>"$work/proc/$1/fdinfo/$2"
}

make_processes() {
	process 4001 render /tenants/a
	dmabuf 4001 5 501
	dmabuf 4001 7 501
	dmabuf 4001 8 502
	ln -s "/dev/dri/renderD128" "$work/proc/4001/fd/3"
	cat >"$work/proc/4001/maps" <<-'END'
		7f0000000000-7f0000800000 rw-s 00000000 00:0d 501  /dmabuf:name
		7f0000800000-7f0000900000 rw-s 00000000 00:0d 501  /dmabuf:name
		7f0001000000-7f0001001000 r-xp 00000000 08:01 501  /usr/lib/libdmabuf:x.so
		7f0002000000-7f0002001000 rw-p 00000000 00:00 0
	END
	process 4003 "$(printf 'tr ain\033')" "/odd name/x"
	dmabuf 4003/task/4010 4 501
	process 4004 pod /nobody
	for fd in $(seq 10 40); do
		dmabuf 4004 "$fd" 777
	done
	mkdir -p "$work/proc/self/fd" "$work/proc/99999999999999999999/fd"
}

make_trace() {
	mkdir -p "$work/tracefs"
	for event in charge lock dma check; do
		mkdir -p "$work/tracefs/events/gpu_dma_lock/gdl_${event}_denied"
		echo 1 >"$work/tracefs/events/gpu_dma_lock/gdl_${event}_denied/enable"
	done
	echo 0 >"$work/tracefs/events/gpu_dma_lock/gdl_dma_denied/enable"
	for i in $(seq 12); do
		echo "  render-4001 [000] ..... $i.5: gdl_charge_denied: agent=7 device=0 size=$i refused"
		echo "  train-4003 [000] ..... $i.6: gdl_lock_denied: agent=77 buffer=2"
	done >"$work/tracefs/trace"
	printf '  a\033b-1 [000] ..... 99.1: gdl_check_denied: mode=r agent=7\n' >>"$work/tracefs/trace"
	echo '  x-1 [000] ..... 99.2: gdl_buffer_made: agent=7' >>"$work/tracefs/trace"
}

# prints FILE NAME ARGUMENTS...
prints() {
	file=$1
	name=$2
	shift 2
	tool "$@"
	is "$status$(cat "$work/err")" 0 "$* works"
	golden "$file" "$name"
}

test_usage() {
	for arguments in who "who x" "who 1 2" "who -x" "who pid:x" "who -1" why "why a+b" "why -1" \
		"why 1 2" "why -x"; do
		# shellcheck disable=SC2086 # into words
		tool $arguments
		refused "$arguments is refused"
	done
	while IFS='|' read -r arguments message; do
		# shellcheck disable=SC2086
		tool $arguments
		is "$status $(cat "$work/out" "$work/err")" "1 gpu-dma-lock: $message" "$arguments"
	done <<-'END'
		who 4711|there is no buffer 4711
		who buffer:4001|there is no buffer 4001
		who inode:2|there is no buffer of inode 2
		who pid:2|there is no process 2
		who /nowhere/5|/nowhere/5: No such file or directory
		who /|/ is not the file of a dma-buf, as /proc/PID/fd/N can be
		why 4711|there is no agent 4711
		why tenant|there is no agent tenant
		why /../x|/../x is no path of a cgroup
	END
}

test_who() {
	prints who-buffer "of a buffer" who 2
	tool who 501
	golden who-buffer "an inode is its buffer"
	tool who inode:501
	golden who-buffer "inode: too"
	prints who-ledger "of a buffer without a dma-buf" who 4
	prints who-process "of a process, by its number" who 4001
	prints who-thread "of one with a file in a thread" who pid:4003
	prints who-many "of one with many files" who pid:4004
	prints who.json "as JSON" who -J 2
	succeeds "which jq reads" jq -e '.holders[0].fds == [5, 7] and .holders[0].mapped == 9437184 and
		.holders[1].comm == "tr ain\u001b" and .agents[0].name == "tenant-a"' "$work/out"
	prints who-process.json "of a process too" who -J pid:4001
	succeeds "which jq reads" jq -e . "$work/out"
	prints who-export "as pairs" who -e 2
	prints who-columns "columns of several tables" who -o pid,comm,fds 2
	prints who-headless "bytes, without headings" who -n -b 2
	prints who-columns.json "columns as JSON" who -J -o inode,mapped pid:4001
	tool who -o id,x,size 2
	is "$status $(cat "$work/err")" '2 gpu-dma-lock: no table here has a column "x"' \
		"a column that no table has is told"
}

test_why() {
	prints why-name "of a name" why tenant-a
	tool why 7
	golden why-name "of its id"
	prints why-waiter "of who waits" why 8
	prints why-cgroup "of a cgroup" why /tenants/a/b
	prints why-cgroup-waits "of one that a binding waits for" why 'cgroup:/odd\040name'
	prints why-nobody "of one that nobody has bound" why /nobody
	prints why-template "of the agent of a template" why '/pods/böse\134x"\012'
	prints why.json "as JSON" why -J tenant-a
	succeeds "which jq reads" jq -e '.quotas[0].denied == 3 and (.trace | length) == 10' "$work/out"
	prints why-columns "columns of several tables" why -o id,agent,used,limit tenant-a
	rm -r "$work/tracefs"
	tool why 7
	is "$status $(tail -n 1 "$work/out")" "0   cannot be read: it wants root, and tracefs mounted" \
		"without a trace"
}

# seconds ARGUMENTS...: of CPU that the tool takes, in user space
seconds() {
	{
		TIMEFORMAT=%U
		time "$gpu_dma_lock" "$@" >"$work/out" 2>/dev/null </dev/null
	} 2>&1
}

# Ten thousand files of one dma-buf, and as many dma-bufs, of one process each.
test_many() {
	process 4005 one /nobody
	process 4006 many /nobody
	perl -e 'for my $i (1 .. 10000) {
		for (["4005", 1], ["4006", $i]) {
			symlink("/dmabuf:name", "$ARGV[0]/$_->[0]/fd/$i") or die;
			open(my $f, ">", "$ARGV[0]/$_->[0]/fdinfo/$i") or die;
			print $f "ino:\t", 1000 + $_->[1], "\n";
		}
	}' "$work/proc"
	one=$(seconds who -J pid:4005)
	many=$(seconds who -J pid:4006)
	is "$(jq '.holders | length' "$work/out")" 10000 "each dma-buf of a process is told"
	awk "BEGIN { exit !($many < 8 * $one + 0.2) }"
	ok $? "which takes no time by the square of their number: $many s, files of one $one s"
	rm -r "$work/proc/4005" "$work/proc/4006"
}

# Files of /proc that are no such, and lines that are cut.
test_odd_processes() {
	printf '7f00-\n-\n7f0000000000-7f0000800000 rw-s 0 0 501  /dmab\n5-1 rw-s 0 0:d 501 /dmabuf:\n\0\0' \
		>"$work/proc/4001/maps"
	printf 'ino:\n' >"$work/proc/4001/fdinfo/7"
	printf '' >"$work/proc/4001/comm"
	printf '0::' >"$work/proc/4003/cgroup"
	rm -r "$work/proc/4001/fdinfo/5" "$work/proc/4001/task"
	prints who-odd "of an odd /proc" who 2
	tool who pid:4003
	is "$status" 0 "of an odd cgroup"
}

make_processes
make_trace
test_usage
test_who
test_why
test_many
test_odd_processes
survives who 2
survives who -J pid:4001
make_trace
survives why 7
survives why -J /tenants/a
tap_done
