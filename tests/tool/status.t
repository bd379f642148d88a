#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# gpu-dma-lock status: what is so now, which is its exit status, and what has been.

. "$(dirname "$0")/lib.sh"

# changed FILE SCRIPT: status of the folder with that file changed by sed
changed() {
	rm -rf "$work/changed"
	cp -R "$work/quiet" "$work/changed"
	sed -i "$2" "$work/changed/$1"
	GPU_DMA_LOCK_PROC=$work/changed tool status
}

# attention TEXT NAME: that is all there is to look at
attention() {
	is "$status$(sed -n '/^1 thing to look at:$/,/^$/p' "$work/out" | sed '1d;$d')" "1  $1" "$2"
}

make_quiet() {
	cp -R "$GPU_DMA_LOCK_PROC" "$work/quiet"
	sed -i 's/ none another user.*/ direct/; s/^\(quota_denied\|locks_denied\|dma_checks_denied\) .*/\1 0/' \
		"$work/quiet/stats"
	sed -i '2s/16777216 15859712/167772160 15859712/' "$work/quiet/devices"
	sed -i 's/^7 all 12582912/7 all 125829120/; s/ 3 tenant-a/ 0 tenant-a/' "$work/quiet/quotas"
	sed -i '/^8 /s/ 0 1 0 1 - / 0 0 0 1 - /' "$work/quiet/agents"
}

tool status
is "$status" 1 "something to look at is 1"
sed 's/^gpu_dma_lock [^,]*/gpu_dma_lock VERSION/' -i "$work/out"
golden status "status"
tool status -b
is "$(sed -n '$p' "$work/out" | awk '{ print $(NF - 2) }')" 1048576 "-b: bytes"
tool status --json
is "$status" 1 "--json: the same exit status"
is "$(jq -c '[.needs_attention, (.attention | map(.topic)), (.history | map(.key)), .unbound, .policy,
	.observing, .agents, .buffers, .charged_bytes, (.devices | length)]' "$work/out")" \
	'[true,["capacity","waiting","quota","unplaced"],["quota_denied","locks_denied","dma_checks_denied"],[8,9],"enforce",true,5,7,19005440,3]' \
	"--json: all of it" || note "$(cat "$work/out")"

make_quiet
changed stats ''
is "$status$(head -n 1 "$work/out")" "0nothing needs attention" "nothing to look at is 0"
changed stats 's/^quota_denied .*/quota_denied 3/'
is "$status $(sed -n 1,4p "$work/out" | tr '\n' '/')" \
	"0 nothing needs attention//since the last reset_stats:/  3 charges over a quota were refused; agents with such: none now/" \
	"what has been is apart"
changed stats 's/^buffers_lost .*/buffers_lost 2/'
is "$status $(grep -c '^  events were not tracked: buffers_lost 2$' "$work/out")" "0 1" "so is what was lost"
changed stats 's/^totals_may_be_short .*/totals_may_be_short 1/'
attention "totals may be short: something was lost since the module was loaded" "short totals"
changed stats 's/^hook_dma_buf_pin_state.*/hook_dma_buf_pin_state none no memory/'
attention "a hook is not placed, dma_buf_pin: no memory" "a hook that is not placed"
changed agents '/^8 /s/ 0 0 0 1 - / 0 2 0 1 - /'
attention "agent 8 waits for 2 locks: gpu-dma-lock why 8" "a waiter"
changed quotas 's/^8 1 4194304/8 1 3300000/'
attention "agent 8 is near its quota on device 1: 3M of 3.1M, 95 %" "a quota nearly used up"
changed devices '2s/167772160 /15859712 /'
attention "device 0 (0000:00:02.0) is nearly full: 15M of 15M, 100 %" "a device nearly full"
changed stats 's/_state .*/_state none observe=0/'
is "$status $(grep -c 'policy enforce, ledger only$' "$work/out")" "0 1" "ledger only"
many=$(seq -f '%.0f 0 0 0 max 0 1 0 0 - 0 0 0' 100 129)
changed agents "\$a ${many//$'\n'/\\n}"
is "$(sed -n '1p;22,23p' "$work/out" | tr '\n' '/')" \
	"21 things to look at:/  ... and 10 more like this: waiting//" "of one kind twenty are told"
tap_done
