#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# gpu-dma-lock watch: it tells of each counter and each agent that rises, and of nothing else, where
# nobody wakes it. tests/tool_watch.sh has the module that does.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

# shellcheck disable=SC2154 # lib.sh's
GPU_DMA_LOCK_PROC=$work/proc
cp -R "$here/fixtures/small" "$work/first"
ln -s first "$work/proc"

# Both files change at once, as the folder is a link.
changes() {
	rm -rf "$work/other"
	cp -R "$here/fixtures/small" "$work/other"
	sed -i 's/^\(7 .*\) 3 2 tenant-a/\1 5 2 tenant-a/; s/^\(9 .*\) 0 0 idle/\1 1 0 idle/' \
		"$work/other/agents"
	sed -i 's/^quota_denied 3/quota_denied 6/; s/^commands_failed 2/commands_failed 3/
		s/^hook_dma_buf_export_failed 0/hook_dma_buf_export_failed 1/
		s/^buffers_created 9/buffers_created 90/' "$work/other/stats"
	ln -s other "$work/link"
	mv -T "$work/link" "$work/proc"
}

# starts ARGUMENTS...: watch in the background, which has read all when this returns
starts() {
	"$gpu_dma_lock" watch "$@" >"$work/out" 2>"$work/err" &
	watcher=$!
	wait_until sleeps_with "$watcher" "$(realpath "$work/proc")/stats" ||
		bail "watch does not begin: $(cat "$work/err")"
}

# ends STATUS NAME
ends() {
	wait "$watcher"
	is "$?" "$1" "$2" || note "$(cat "$work/err")"
}

for arguments in x "-n 0" "-n x" -x; do
	# shellcheck disable=SC2086 # into words
	tool watch $arguments
	refused "watch $arguments is refused"
done

starts -n 4
changes
ends 0 "four lines end it"
sed -i 's/^[0-9-]*T[0-9:]*[+-][0-9]* /TIME /' "$work/out"
golden watch "what rose, and nothing of what may"

cp "$here"/fixtures/small/* "$work/proc"
starts -J --once
sed -i 's/^locks_denied 1/locks_denied 0/; s/^quota_denied 3/quota_denied 2/' "$work/proc/stats"
ends 0 "--once ends it"
is "$(jq -c 'del(.time_ms)' "$work/out")" '{"counter":"quota_denied","rose":2,"value":2}' \
	"a counter that was reset has risen from 0 on"
succeeds "the time is one" jq -e '.time_ms > 1700000000000' "$work/out"

cp "$here"/fixtures/small/* "$work/proc"
starts
rm "$work/proc/agents"
ends 2 "a table that goes ends it"
is "$(grep -c 'No such file' "$work/err")" 1 "and is named"

GPU_DMA_LOCK_PROC=/nowhere tool watch
is "$status $(grep -c 'not loaded' "$work/err")" "2 1" "without the module"
tap_done
