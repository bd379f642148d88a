#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Memory runs out, again and again: that of the guest, by a process that only eats it,
# and that of a cgroup, by a client whose buffers eat it. The killed leave nothing. (Not
# that of the guest by buffers: the kernel kills everybody before it has freed them.)
#
# vm: --load --gpu virtio --mem 512 --append vm.oom_dump_tasks=0 --timeout 300

# shellcheck disable=SC2317 # functions are called through wait_until
. "$(dirname "$0")/tap.sh"

proc=/proc/swarm/gpu
group=/sys/fs/cgroup/small
limit=67108864
rounds=$(scaled 10)
[ "$rounds" -ge 2 ] || rounds=2

stat_of() {
	sed -n "s/^$1 //p" "$proc/stats"
}

rows() {
	awk 'NR > 1' "$proc/$1" | wc -l
}

has_none() {
	[ "$(rows "$1")" = 0 ]
}

none_charged() {
	[ "$(stat_of charged_bytes)" = 0 ]
}

# To be killed first.
eat() {
	sh -c 'echo 1000 >/proc/self/oom_score_adj && exec tail /dev/zero' >/tmp/victim 2>&1
}

overrun() {
	sh -c 'echo 0 >"$1/cgroup.procs" && exec gembuf -d virtio_gpu -n 1000 -s 1M -e' sh "$group" \
		>/tmp/victim 2>&1
}

echo +memory >/sys/fs/cgroup/cgroup.subtree_control
mkdir "$group"
echo "$limit" >"$group/memory.max" || bail "no memory controller"

(while :; do cat $proc/*; done) >/dev/null 2>&1 &
reader=$!
eaten=0 overrun=0
for _ in $(seq "$rounds"); do
	eat
	[ $? -ne 137 ] || eaten=$((eaten + 1))
	overrun || overrun=$((overrun + 1))
done
kill "$reader"
wait "$reader" 2>/dev/null
is "$eaten" "$rounds" "$rounds times a process that eats memory is killed"
is "$overrun" "$rounds" "$rounds times one whose buffers eat its cgroup's is killed or refused"
note "$(cat /tmp/victim)"
[ "$(stat_of buffers_created)" -gt 0 ]
ok $? "buffers were made"
note "$(stat_of buffers_created) buffers, $(stat_of buffers_lost) not seen for want of memory"
for file in allocations attachments contexts; do
	succeeds "no row is left in $file" wait_until has_none "$file" || note "$(cat $proc/$file)"
done
succeeds "nothing is charged" wait_until none_charged || note "$(stat_of charged_bytes) bytes"
is "$(stat_of buffers_stale)" 0 "no end was missed"
tap_done
