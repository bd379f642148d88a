#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Loss is visible: each hook tells how it is placed, or why it is not; nothing that
# switches tracing off silences one; and where nothing can be hooked the module says
# so and does not load.
#
# With vgem alone: virtio-gpu frees its objects some time after their end, and its
# removal warns of one that is not yet gone.
#
# vm: --gpu none --mem 512 --timeout 200

# shellcheck disable=SC2317 # functions are called through succeeds and fails
. "$(dirname "$0")/tap.sh"
. "$(dirname "$0")/client.sh"

module=/gpu_dma_lock.ko
proc=/proc/swarm/gpu
ftrace=/proc/sys/kernel/ftrace_enabled

stat_of() {
	sed -n "s/^$1 //p" "$proc/stats"
}

rows() {
	awk 'NR > 1' "$proc/$1" | wc -l
}

no_rows() {
	[ "$(rows allocations)" = 0 ]
}

# Every hook has its three keys, and a reason if it is not placed.
keys_complete() {
	awk '/^hook_/ {
		key = $1; sub(/_(state|hits|failed)$/, "", key); n[key]++
		if ($1 ~ /_state$/ && !($2 == "direct" || $2 == "divert" || $2 == "none" && NF > 2)) bad = 1
		if ($1 !~ /_state$/ && (NF != 2 || $2 !~ /^[0-9]+$/)) bad = 1
	} END {
		for (key in n) { hooks++; if (n[key] != 3) bad = 1 }
		exit bad || hooks < 15
	}' "$proc/stats"
}

# placed [STATE]: how many hooks are
placed() {
	grep -cE "^hook_.*_state ${1:-(direct|divert)}" "$proc/stats"
}

# hooks: how many there are to place, without NVIDIA's driver. 5.10 lacks two functions of TTM's.
hooks() {
	case $(uname -r) in
	5.10*) grep '^hook_[^n].*_state' "$proc/stats" | grep -vc '^hook_ttm_resource_' ;;
	*) grep -c '^hook_[^n].*_state' "$proc/stats" ;;
	esac
}

# tracks NAME: three buffers are seen from their beginning to their end.
tracks() {
	start_client -n 3 -e
	is "$(rows allocations)" 3 "$1: buffers are seen"
	stop_client
	succeeds "$1: and their end" wait_until no_rows
	is "$(stat_of totals_may_be_short)" 0 "$1: nothing is short"
}

# said PATTERN: since mark_log the kernel's log has such a line.
mark_log() {
	mark=$(dmesg | wc -l)
}

said() {
	dmesg | tail -n "+$((mark + 1))" | grep -qE "gpu_dma_lock: $1"
}

test_switches() {
	succeeds "loaded" insmod "$module"
	is "$(placed)" "$(hooks)" "all hooks are placed"
	fails "ftrace cannot be switched off" sh -c "echo 0 >$ftrace"
	is "$(cat $ftrace)" 1 "and is on"
	echo 0 >/sys/kernel/debug/kprobes/enabled
	tracks "kprobes are off"
	echo 1 >/sys/kernel/debug/kprobes/enabled
	succeeds "removed" rmmod gpu_dma_lock
	if echo 0 >"$ftrace"; then
		mark_log
		fails "ftrace is off: not loaded" insmod "$module"
		succeeds "ftrace is off: the log says so" said "ftrace is switched off"
		echo 1 >"$ftrace"
	else
		skip "this kernel lets nobody switch ftrace off"
		skip "so it is never off"
	fi
	succeeds "ftrace is on again: loaded" insmod "$module"
	tracks "ftrace is on again"
	rmmod gpu_dma_lock
}

test_modes() {
	for mode in direct divert; do
		mark_log
		if [ "$mode" = direct ] && ! insmod "$module" hook=direct 2>/dev/null; then
			succeeds "hook=direct: the log says why not" said \
				"nothing can be hooked: no direct calls in this kernel"
			continue
		fi
		rmmod gpu_dma_lock 2>/dev/null
		succeeds "hook=$mode: loaded" insmod "$module" hook="$mode"
		succeeds "hook=$mode: all keys are there" keys_complete
		is "$(placed $mode)" "$(hooks)" "hook=$mode: all hooks are so"
		tracks "hook=$mode"
		succeeds "hook=$mode: removed" rmmod gpu_dma_lock
	done
	mark_log
	fails "hook=kprobe: not loaded" insmod "$module" hook=kprobe
	succeeds "hook=kprobe: the log says what there is" said "hook: auto, direct or divert"
}

# reasons WHY PATTERN NAME: those hooks that match are not placed, for that reason
reasons() {
	is "$(grep -cE "^hook_$2_state none $1\$" "$proc/stats")" \
		"$(grep -cE "^hook_$2_state" "$proc/stats")" "$3"
}

remove_drm() {
	for name in vgem drm_shmem_helper drm_kms_helper drm_client_lib drm_kms_helper ttm drm; do
		rmmod "$name" 2>/dev/null
	done
	! grep -q '^drm ' /proc/modules
}

test_no_drm() {
	wait_until remove_drm || bail "drm.ko cannot be removed"
	succeeds "without drm.ko: loaded" insmod "$module" policy=enforce
	is "$(stat_of policy)" enforce "without drm.ko: enforcing"
	succeeds "without drm.ko: all keys are there" keys_complete
	reasons "drm.ko is not loaded" "drm_.*" "without drm.ko: each of its hooks says so"
	reasons "ttm.ko is not loaded" "ttm_.*" "without ttm.ko: likewise"
	is "$(stat_of totals_may_be_short)" 0 "without drm.ko: that is no loss"
	modprobe vgem
	modprobe ttm
	is "$(placed)" "$(hooks)" "drm.ko comes: all hooks are placed"
	succeeds "drm.ko comes: all keys are there" keys_complete
	tracks "drm.ko comes"
	rmmod gpu_dma_lock
}

test_observe_0() {
	insmod "$module" observe=0
	succeeds "observe=0: all keys are there" keys_complete
	reasons "observe=0" ".*" "observe=0: each hook says so"
	is "$(stat_of totals_may_be_short)" 0 "observe=0: a ledger is not short"
	rmmod gpu_dma_lock
}

# A live patch has a function: that hook alone is missing, and says who has it.
test_live_patch() {
	insmod /tests/modules/ipmodify.ko
	succeeds "live patch: loaded" insmod "$module"
	reasons "another user changes its calls \(live patch\)" dma_buf_export \
		"live patch: its function's hook says so"
	is "$(placed)" "$(($(hooks) - 1))" "live patch: the others are placed"
	rmmod gpu_dma_lock
	rmmod ipmodify
	insmod "$module"
	fails "a live patch does not get a function that is hooked" \
		insmod /tests/modules/ipmodify.ko
	tracks "live patch refused"
	rmmod gpu_dma_lock
}

# Another module has functions of the same names: its calls are its own.
test_namesake() {
	insmod /tests/modules/namesake.ko || bail "namesake.ko"
	for mode in auto divert; do
		insmod "$module" hook=$mode
		before=$(stat_of hook_dma_buf_release_hits)
		done=$(cat /sys/module/namesake/parameters/done)
		echo 50 >/sys/module/namesake/parameters/calls
		is "$(cat /sys/module/namesake/parameters/done)" "$((done + 100))" \
			"namesakes, hook=$mode: their calls come through"
		is "$(stat_of hook_dma_buf_release_hits)" "$before" \
			"namesakes, hook=$mode: and are not taken for the kernel's"
		tracks "namesakes, hook=$mode"
		rmmod gpu_dma_lock
	done
	rmmod namesake
}

modprobe vgem
modprobe ttm
test_switches
test_modes
test_live_patch
test_no_drm
test_observe_0
test_namesake
is "$(reports)" 0 "no report in the log"
tap_done
