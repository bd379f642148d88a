#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# A kernel with dma-buf and without DRM, as Debian's for the cloud: the module loads, says
# what it cannot see, in the log and in `stats`, and goes.
#
# vm: -k cloud --gpu none --mem 512

# shellcheck disable=SC2317 # functions are called through succeeds and fails
. "$(dirname "$0")/tap.sh"

proc=/proc/swarm/gpu

# states PATTERN: all that the hooks of these functions have
states() {
	sed -n "s/^hook_$1_state //p" "$proc/stats" | sort -u
}

times=0
for mode in auto direct divert; do
	want=$mode
	[ "$mode" != auto ] || want=direct
	times=$((times + 1))
	succeeds "$mode: the module is inserted" insmod /gpu_dma_lock.ko hook="$mode"
	is "$(logged 'gpu_dma_lock: this kernel has no DRM:')" "$times" "$mode: it warns"
	is "$(logged 'is not loaded')" 0 "$mode: of nothing that could be loaded"
	is "$(states 'dma_.*')" "$want" "$mode: dma-buf is hooked"
	is "$(states 'drm_.*')" "none this kernel has no DRM" "$mode: so drm's hooks say"
	is "$(states 'ttm_.*')" "none this kernel has no TTM" "$mode: and ttm's likewise"
	succeeds "$mode: an agent is created" sh -c "echo create_agent 7 1M >$proc/control"
	succeeds "$mode: enforcing" sh -c "echo policy enforce >$proc/control"
	succeeds "$mode: it goes" rmmod gpu_dma_lock
done
succeeds "observe=0: inserted" insmod /gpu_dma_lock.ko observe=0
succeeds "observe=0: it goes" rmmod gpu_dma_lock
is "$(reports)" 0 "no report in the log"
tap_done
