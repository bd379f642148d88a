#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# gpu-dma-lock who: it finds the processes that hold a real dma-buf, in a pid namespace of their
# own too, by the buffer, the inode, the path of the file, and the process; as nobody it says that
# it could not look.
#
# vm: -k 6.1 --load --mem 512 --timeout 200

# shellcheck disable=SC2317 # functions are called through succeeds and fails
. "$(dirname "$0")/tap.sh"
. "$(dirname "$0")/client.sh"

proc=/proc/swarm/gpu

# tool ARGUMENTS...: stdout in /tmp/out, stderr in /tmp/err, the status in $status
tool() {
	gpu-dma-lock "$@" >/tmp/out 2>/tmp/err </dev/null
	status=$?
}

# says PATTERN NAME: stdout has such a line
says() {
	grep -qE -- "$1" /tmp/out
	ok $? "$2" || note "$(cat /tmp/out /tmp/err)"
}

# file_of PID: the number of its dma-buf's file
file_of() {
	for fd in "/proc/$1/fd/"*; do
		case $(readlink "$fd") in
		/dmabuf:*) echo "${fd##*/}" ;;
		esac
	done
}

test_holders() {
	start_client -d vgem -s 1M -e
	buffer=$(awk 'NR == 2 { print $1 }' $proc/allocations)
	inode=$(awk 'NR == 2 { print $7 }' $proc/allocations)
	file=$(file_of "$client")
	tool who "$buffer"
	is "$status$(cat /tmp/err)" 0 "who works"
	says "^  gembuf, pid $client: fd $file\$" "it finds the process, and its file"
	cp /tmp/out /tmp/first
	for word in "inode:$inode" "buffer:$buffer" "/proc/$client/fd/$file"; do
		tool who "$word"
		is "$(grep -v ' ago$' /tmp/out)" "$(grep -v ' ago$' /tmp/first)" "who $word is the same"
	done
	tool who "pid:$client"
	says "^  buffer $buffer: 1M gem, agent 0, inode $inode\$" "who of a process: what it made"
	says "^  buffer $buffer, inode $inode: fd $file\$" "and what it holds"
	su -s /bin/sh nobody -c "gpu-dma-lock who $buffer" >/tmp/out 2>/tmp/err
	is "$? $(grep -c 'could not be looked into' /tmp/err)" "0 1" "nobody is told that it could not look"
	says "^processes that have files or mappings of it: none" "and sees none"
	stop_client
}

test_namespace() {
	unshare -p -f gembuf -d vgem -s 64K -e -w >/tmp/inner 2>&1 &
	wait_until grep -qs ready /tmp/inner || bail "no client: $(cat /tmp/inner)"
	buffer=$(awk 'NR == 2 { print $1 }' $proc/allocations)
	inner=$(pidof gembuf)
	tool who "$buffer"
	says "^  gembuf, pid $inner: fd " "a process in a pid namespace of its own is found"
	# The first process of a namespace ignores other signals.
	kill -KILL "$inner"
	wait
}

modprobe vgem
test_holders
test_namespace
is "$(reports)" 0 "no report in the log"
tap_done
