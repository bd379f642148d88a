#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Debian's fuzzers against the files of /proc/swarm/gpu: trinity, with
# the system calls that files have, and stress-ng's stressor of procfs, both as nobody.
# Whatever they do, the module goes on, and has nothing that it had not before.
#
# vm: --load --smp 4 --mem 1024 --timeout 400

. "$(dirname "$0")/tap.sh"

proc=/proc/swarm/gpu
names="read write pread64 pwrite64 readv writev preadv pwritev lseek ioctl mmap poll select
	newfstat fsync ftruncate splice sendfile fcntl flock fallocate fadvise64 openat dup"
count=$(scaled 100000)
seconds=$(scaled 60)

# fuzz USER: trinity keeps its files where it runs.
fuzz() {
	mkdir -p "/tmp/$1"
	chown "$1" "/tmp/$1"
	cd "/tmp/$1" || bail "no folder for $1"
	options=
	for call in $names; do
		options="$options -c $call,64"
	done
	su -s /bin/sh "$1" -c \
		"/host/trinity -q -l off -C 4 -N $count --disable-fds=sockets --disable-fds=perf $options -V $proc" \
		>/tmp/log 2>&1 </dev/null
	status=$?
	cd / || bail "no root"
	is "$status" 0 "$1: trinity comes to its end" || note "$(tail -n 20 /tmp/log)"
	calls=$(sed -n 's/.*Ran \([0-9]*\) syscalls.*/\1/p' /tmp/log | tail -n 1)
	[ "${calls:-0}" -ge "$count" ]
	ok $? "$1: after $calls system calls"
}

stress() {
	su -s /bin/sh "$1" -c \
		"cd /tmp && /host/stress-ng --procfs 2 --timeout ${seconds}s --temp-path /tmp/$1" \
		>/tmp/log 2>&1 </dev/null
	ok $? "$1: stress-ng comes to its end" || note "$(tail -n 20 /tmp/log)"
}

echo "create_agent 7 1M" >$proc/control
echo "7:0x1000+0x1000:rw" >$proc/dma_permissions
before=$(cat $proc/agents $proc/quotas $proc/dma_permissions)
fuzz nobody
stress nobody
is "$(cat $proc/agents $proc/quotas $proc/dma_permissions)" "$before" "nobody has changed nothing"
succeeds "commands still work" sh -c "echo 'create_agent 4711 1M' >$proc/control"
tap_done
