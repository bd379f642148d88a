#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# libdrm's modetest lists what virtio-gpu has and sets a mode; its buffers and
# its context show meanwhile, and go with it.
#
# vm: --load --gpu virtio --mem 768 --timeout 150

# shellcheck disable=SC2317 # functions are called through succeeds and fails
. "$(dirname "$0")/tap.sh"

proc=/proc/swarm/gpu
mode=1024x768

# count TABLE: rows of the running modetest
count() {
	awk -v pid="$client" '
		NR == 1 { for (i = 1; i <= NF; i++) if ($i == "PID") k = i }
		NR > 1 && $k == pid' "$proc/$1" | wc -l
}

# cell TABLE COLUMN, of modetest's first row
cell() {
	awk -v pid="$client" -v column="$2" '
		NR == 1 { for (i = 1; i <= NF; i++) { if ($i == "PID") k = i; if ($i == column) c = i } }
		NR > 1 && $k == pid { print $c; exit }' "$proc/$1"
}

has_rows() {
	[ "$(count "$1")" -ge "$2" ]
}

has_none() {
	[ "$(count "$1")" = 0 ]
}

# is_empty TABLE: not even another's row is there
is_empty() {
	[ -z "$(awk 'NR > 1' "$proc/$1")" ]
}

# goes TABLE NAME: all its rows go, as soon as virtio-gpu lets them
goes() {
	succeeds "$2" wait_until is_empty "$1" || note "$(cat "$proc/$1")"
}

lost() {
	awk '$1 ~ /_(stale|lost|missed|failed|short)$/ && $1 != "commands_failed" && $2 != 0' \
		"$proc/stats"
}

# What the kernel says
in_mode() {
	grep -q "mode: \"$mode\"" /sys/kernel/debug/dri/*/state
}

not_in_mode() {
	! in_mode
}

test_list() {
	fails "the mode is not set yet" in_mode

	succeeds "modetest lists all there is" /host/modetest -M virtio_gpu
	/host/modetest -M virtio_gpu -c >/tmp/connectors 2>/dev/null
	connector=$(awk '$3 == "connected" { print $1; exit }' /tmp/connectors)
	[ "$connector" ]
	ok $? "a connector is connected: $connector"
	grep -q "$mode" /tmp/connectors
	ok $? "and has the mode $mode"
	goes allocations "no buffer is left of the listing"
	goes contexts "no context is left of the listing"
}

# set_mode POLICY: modetest shows its buffers until it reads a line.
set_mode() {
	echo "policy $1" >"$proc/control"
	mkfifo /tmp/keyboard
	/host/modetest -M virtio_gpu -s "$connector:$mode" </tmp/keyboard >/tmp/out 2>&1 &
	client=$!
	exec 3>/tmp/keyboard
	succeeds "$1: a buffer of modetest's shows" wait_until has_rows allocations 1
	succeeds "$1: the kernel is in that mode" wait_until in_mode
	is "$(count contexts)" 1 "$1: it has one context"
	is "$(cell contexts COMM)" modetest "$1: with its name"
	is "$(cell contexts DEVICE)" "$(awk '$3 == "virtio_gpu" { print $1 }' $proc/devices)" \
		"$1: on virtio-gpu"
	is "$(cell allocations KIND)" gem "$1: its buffer is a GEM object"
	is "$(cell allocations SIZE)" 3145728 "$1: of $mode pixels"
	is "$(cell allocations COMM)" modetest "$1: with its name"
	exec 3>&-
	wait "$client"
	is "$?" 0 "$1: modetest ends well" || note "$(cat /tmp/out)"
	succeeds "$1: the mode goes with it" wait_until not_in_mode
	succeeds "$1: its buffers go" wait_until has_none allocations
	succeeds "$1: and its context" wait_until has_none contexts
	rm /tmp/keyboard
}

test_list
set_mode audit
set_mode enforce
goes allocations "no buffer is left"
is "$(lost)" "" "nothing was lost"
is "$(reports)" 0 "no report in the log"
tap_done
