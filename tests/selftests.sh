#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# The kernel's own selftests of udmabuf and dma-heaps, built on the host from
# Debian's source package, pass with the module loaded, and leave nothing.
#
# vm: --load --gpu virtio --mem 3072 --timeout 200

# shellcheck disable=SC2317 # functions are called through wait_until
. "$(dirname "$0")/tap.sh"

proc=/proc/swarm/gpu

[ -e /dev/udmabuf ] || modprobe udmabuf 2>/dev/null
[ -e /dev/udmabuf ] || [ -e /dev/dma_heap ] ||
	skip_all "this kernel has neither udmabuf nor dma-heaps"

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

# lost: what stats says of anything lost
lost() {
	awk '$1 ~ /_(stale|lost|missed|failed|short)$/ && $1 != "commands_failed" && $2 != 0' \
		"$proc/stats"
}

# selftest PROGRAM POLICY
selftest() {
	created=$(stat_of buffers_created)
	"/host/$1" >/tmp/out 2>&1 </dev/null
	is "$?" 0 "$2: $1 ends well"
	ok "$(grep -c '^not ok' /tmp/out)" "$2: $1: no check fails"
	is "$(grep -c '^ok.*SKIP' /tmp/out)" 0 "$2: $1: no check is skipped"
	grep -qE '^(not ok|ok.*SKIP|Bail)|\[(FAIL|skip)' /tmp/out && note "$(cat /tmp/out)"
	passed=$(grep -c '^ok' /tmp/out)
	[ "$passed" -ge 6 ]
	ok $? "$2: $1: $passed checks pass"
	created=$(($(stat_of buffers_created) - created))
	[ "$created" -gt 0 ]
	ok $? "$2: $1: its $created buffers were seen"
	for table in allocations attachments contexts; do
		succeeds "$2: $1: no row is left in $table" wait_until has_none "$table" ||
			note "$(cat $proc/$table)"
	done
	succeeds "$2: $1: nothing is charged" wait_until none_charged
	is "$(lost)" "" "$2: $1: nothing was lost"
}

# One of udmabuf's wants 2 GiB of huge pages, and ends the program without them.
huge_pages=/proc/sys/vm/nr_hugepages

has_huge_pages() {
	echo 1 >/proc/sys/vm/drop_caches
	echo 1 >/proc/sys/vm/compact_memory
	echo 1024 >"$huge_pages"
	[ "$(cat "$huge_pages")" = 1024 ]
}

[ ! -e "$huge_pages" ] || wait_until has_huge_pages || bail "no 2 GiB of huge pages"
for policy in audit enforce; do
	echo "policy $policy" >"$proc/control"
	is "$(stat_of policy)" "$policy" "the policy is $policy"
	if [ -e "$huge_pages" ]; then
		selftest udmabuf "$policy"
	else
		skip "$policy: udmabuf: this kernel has no huge pages"
	fi
	selftest dmabuf-heap "$policy"
done
[ ! -e "$huge_pages" ] || echo 0 >"$huge_pages"
is "$(reports)" 0 "no report in the log"
tap_done
