#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Loss is visible: each probe tells whether it is armed and why not, the canary
# whether probes fire at all, and a total that may be short says so.
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

stat_of() {
	sed -n "s/^$1 //p" "$proc/stats"
}

rows() {
	awk 'NR > 1' "$proc/$1" | wc -l
}

# Every probe has its four keys, armed being 0 or 1 and a reason only with 0.
keys_complete() {
	awk '/^probe_/ {
		key = $1; sub(/_(armed|hits|missed|failed)$/, "", key); n[key]++
		if ($1 ~ /_armed$/ && !($2 == 1 && NF == 2 || $2 == 0 && NF > 2)) bad = 1
		if ($1 !~ /_armed$/ && (NF != 2 || $2 !~ /^[0-9]+$/)) bad = 1
	} END {
		for (key in n) { probes++; if (n[key] != 4) bad = 1 }
		exit bad || probes < 15
	}' "$proc/stats"
}

armed() {
	grep -c '^probe_.*_armed 1$' "$proc/stats"
}

probes() {
	grep -c '^probe_.*_armed' "$proc/stats"
}

# silence NAME FILE: no probe fires while FILE says 0.
silence() {
	if ! sh -c "echo 0 >$2" 2>/dev/null; then
		skip "$1: this kernel does not take 0"
		return
	fi
	echo 1 >"$2"
	succeeds "$1: loaded" insmod "$module"
	is "$(stat_of canary)" 1 "$1: the canary sings"
	is "$(stat_of totals_may_be_short)" 0 "$1: nothing is short"
	is "$(armed)" "$(probes)" "$1: all probes are armed"
	echo 0 >"$2"
	is "$(stat_of canary)" 0 "$1: the canary is silent"
	is "$(stat_of totals_may_be_short)" 1 "$1: so totals may be short"
	start_client -n 3 -e
	is "$(rows allocations)" 0 "$1: buffers made now are missed"
	echo 1 >"$2"
	is "$(stat_of canary)" 1 "$1: the canary sings again"
	is "$(stat_of totals_may_be_short)" 1 "$1: but totals may still be short"
	echo reset_stats >"$proc/control"
	is "$(stat_of totals_may_be_short)" 1 "$1: a reset does not hide that"
	gembuf -n 2 -e >/dev/null
	is "$(stat_of buffers_created)" 2 "$1: what is made now is seen"
	stop_client
	usleep 300000
	is "$(rows allocations)" 0 "$1: the end of what was missed is no row"
	is "$(stat_of charged_bytes)" 0 "$1: and charges nothing"
	succeeds "$1: removed" rmmod gpu_dma_lock
}

# Buffers whose end is missed stay: that is what the mark is for.
silence_at_the_end() {
	insmod "$module"
	start_client -n 3 -e
	echo 0 >/sys/kernel/debug/kprobes/enabled
	stop_client
	usleep 300000
	is "$(stat_of canary)" 0 "frees are missed: the canary is silent"
	is "$(rows allocations)" 3 "frees are missed: so rows stay"
	echo 1 >/sys/kernel/debug/kprobes/enabled
	is "$(stat_of totals_may_be_short)" 1 "frees are missed: totals are marked"
	# Their addresses come back with new buffers.
	gembuf -n 200 -e >/dev/null
	usleep 300000
	note "of 3 rows $(rows allocations) are left, $(stat_of buffers_stale) were stale"
	rmmod gpu_dma_lock
	insmod "$module"
	is "$(rows allocations)" 0 "frees are missed: a new start knows nothing of them"
	rmmod gpu_dma_lock
}

# reasons WHY PATTERN NAME: those probes that match are not armed, for that reason
reasons() {
	is "$(grep -cE "^probe_$2_armed 0 $1\$" "$proc/stats")" \
		"$(grep -cE "^probe_$2_armed" "$proc/stats")" "$3"
}

test_no_drm() {
	for name in vgem drm_shmem_helper drm_kms_helper drm_client_lib drm_kms_helper drm; do
		rmmod "$name" 2>/dev/null
	done
	! grep -q '^drm ' /proc/modules || bail "drm.ko cannot be removed"
	succeeds "without drm.ko: loaded" insmod "$module"
	succeeds "without drm.ko: all keys are there" keys_complete
	reasons "drm.ko is not loaded" "drm_.*" "without drm.ko: each of its probes says so"
	is "$(stat_of canary)" 1 "without drm.ko: the canary sings"
	is "$(stat_of totals_may_be_short)" 0 "without drm.ko: that is no loss"
	modprobe vgem
	is "$(armed)" "$(probes)" "drm.ko comes: all probes are armed"
	succeeds "drm.ko comes: all keys are there" keys_complete
	rmmod gpu_dma_lock
}

test_observe_0() {
	insmod "$module" observe=0
	succeeds "observe=0: all keys are there" keys_complete
	reasons "observe=0" ".*" "observe=0: each probe says so"
	is "$(stat_of totals_may_be_short)" 0 "observe=0: a ledger is not short"
	rmmod gpu_dma_lock
}

# What enforces cannot be switched off, and nobody is told that it is on when it is not.
test_enforce() {
	switch=/proc/sys/kernel/ftrace_enabled
	modprobe vgem
	insmod "$module" policy=enforce
	fails "enforce: ftrace cannot be switched off" sh -c "echo 0 >$switch"
	is "$(stat_of canary)" 1 "enforce: the canary sings"
	echo "policy audit" >"$proc/control"
	if echo 0 >"$switch"; then
		fails "ftrace is off: no enforce" sh -c "echo 'policy enforce' >$proc/control"
		is "$(stat_of policy)" audit "ftrace is off: the policy is as before"
		echo 1 >"$switch"
	else
		skip "this kernel lets nobody switch ftrace off under a probe"
		skip "so it is never off"
	fi
	succeeds "ftrace is on: enforce" sh -c "echo 'policy enforce' >$proc/control"
	rmmod gpu_dma_lock
}

modprobe vgem
silence "ftrace_enabled" /proc/sys/kernel/ftrace_enabled
silence "kprobes/enabled" /sys/kernel/debug/kprobes/enabled
silence_at_the_end
test_no_drm
test_observe_0
test_enforce
is "$(reports)" 0 "no report in the log"
tap_done
