#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Module parameters: described, readable, and refused when wrong.
#
# vm: --mem 512 --timeout 120

. "$(dirname "$0")/tap.sh"

module=/gpu_dma_lock.ko
parameters=/sys/module/gpu_dma_lock/parameters
proc=/proc/swarm/gpu

known=$(modinfo "$module" | sed -n 's/^parm: *//p')
[ "$known" ] || bail "modinfo names no parameter"

has() {
	echo "$known" | grep -q "^$1:"
}

# refused NAME=VALUE...
refused() {
	fails "insmod $* is refused" insmod "$module" "$@"
	if grep -q '^gpu_dma_lock ' /proc/modules; then
		rmmod gpu_dma_lock
	fi
	fails "insmod $*: nothing in /proc" test -e /proc/swarm
}

# taken NAME VALUE SHOWN
taken() {
	succeeds "insmod $1=$2 is taken" insmod "$module" "$1=$2"
	is "$(cat "$parameters/$1")" "$3" "$1=$2 shows as $3"
	succeeds "insmod $1=$2: removed" rmmod gpu_dma_lock
}

for name in observe debug; do
	succeeds "$name is described" has "$name"
done
is "$(echo "$known" | grep -cE '^[a-z_]+: *\(|^[a-z_]+:.{0,10}$')" 0 "no description is empty"
for field in license description author version; do
	modinfo "$module" | grep -q "^$field: *[^ ]"
	ok $? "modinfo has a $field"
done

for value in 2 -1 maybe ""; do
	refused "observe=$value"
	refused "debug=$value"
done
taken observe 0 N
taken observe 1 Y
taken debug 1 Y
taken debug 0 N

if has policy; then
	for value in "" bogus 0 ENFORCE enforcex; do
		refused "policy=$value"
	done
	for value in off audit enforce; do
		succeeds "policy=$value is taken" insmod "$module" "policy=$value"
		is "$(sed -n 's/^policy //p' "$proc/stats")" "$value" "stats shows policy $value"
		is "$(cat "$parameters/policy")" "$value" "sysfs shows policy $value"
		succeeds "policy=$value: removed" rmmod gpu_dma_lock
	done
	succeeds "loaded without parameters" insmod "$module"
	is "$(sed -n 's/^policy //p' "$proc/stats")" audit "the policy is audit"
	succeeds "removed" rmmod gpu_dma_lock
else
	skip "no parameter policy"
fi

for value in "" bogus 0 OWN owner; do
	refused "visibility=$value"
done
taken visibility all all
taken visibility own own

for name in agent_buffers_max agent_attachments_max agent_contexts_max; do
	succeeds "$name is described" has "$name"
	for value in "" x -1 4294967296; do
		refused "$name=$value"
	done
	taken "$name" 0 0
	taken "$name" 4294967295 4294967295
done

for path in observe debug; do
	insmod "$module"
	mode=$(stat -c %a "$parameters/$path")
	rmmod gpu_dma_lock
	case $mode in
	444 | 400 | 644 | 600) ok 0 "$path in sysfs has mode $mode" ;;
	*) ok 1 "$path in sysfs has mode $mode" ;;
	esac
done
tap_done
