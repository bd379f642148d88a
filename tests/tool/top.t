#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# gpu-dma-lock top: its frames as text, and as screens of a terminal, which is tmux; what its keys
# do; that it leaves the terminal as it was.

# shellcheck disable=SC2317 # functions are called through succeeds and wait_until
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

starts=0

# A server for each start, as one that ends is not gone at once.
mux() {
	tmux -L "gdl-top-$$-$starts" -f /dev/null "$@" 2>>"$work/tmux"
}

# row LINE PATTERN
row() {
	screen | sed -n "$1p" | grep -qE -- "$2"
}

hides() {
	! shows "$1"
}

screen() {
	mux capture-pane -p -t test
}

keys() {
	mux send-keys -t test "$@"
}

shows() {
	screen | grep -qE -- "$1"
}

comes() {
	succeeds "$2" wait_until shows "$1" || note "$(screen)"
}

# first WORD NAME: the first row begins with it
shows_first() {
	[ "$(screen | sed -n '4p' | awk '{ print $1 }')" = "$1" ]
}

first() {
	succeeds "$2" wait_until shows_first "$1" || note "$(screen)"
}

# still FILE NAME: what is on the screen, as soon as it is golden/FILE
is_golden() {
	screen >"$work/out"
	[ -n "${UPDATE:-}" ] || cmp -s "$here/golden/$1" "$work/out"
}

still() {
	[ -z "${UPDATE:-}" ] || sleep 0.5
	wait_until is_golden "$1"
	golden "$1" "$2"
}

start() {
	mux kill-server
	starts=$((starts + 1))
	mux new-session -d -s test -x "${width:-80}" -y "${height:-24}" \
		"PS1='> ' GPU_DMA_LOCK_PROC=$GPU_DMA_LOCK_PROC exec bash --norc -i"
	mux set-option -t test window-size manual
	comes '^>' "a terminal"
	keys "sh -c 'echo \$\$ >$work/pid; exec $gpu_dma_lock top $1'; echo ended with \$?" Enter
	comes ' by [A-Z]+' "top $1 shows a frame"
}

test_usage() {
	for arguments in x "-s x" "-s PID" "-n 0" "-n x" "-d x" "-d 0.01" "-d 1.2.3" "-d inf" -x "-v x" \
		"-s" "-v buffers -s PEAK"; do
		# shellcheck disable=SC2086 # into words
		tool top $arguments
		refused "top $arguments is refused"
	done
	tool top --help
	is "$status $(grep -c . "$work/err")" "0 0" "--help"
	GPU_DMA_LOCK_PROC=/nowhere tool top
	is "$status $(grep -c 'not loaded' "$work/err")" "2 1" "without the module"
}

test_frames() {
	for view in agents processes buffers tree; do
		tool top --once -v "$view"
		is "$status$(cat "$work/err")" 0 "--once works"
		golden "top-$view" "the view $view"
			[ "$(wc -L <"$work/out")" -le 80 ]
		ok $? "in 80 columns"
	done
	COLUMNS=160 tool top -n 1
	golden top-wide "160 columns have ids and bindings"
	LC_ALL=C COLUMNS=40 LINES=12 tool top -n 1 -v tree
	golden top-ascii "40 columns, 12 lines, without UTF-8"
	tool top --once -v tree -f train
	golden top-filtered "a filtered tree"
	tool top --once -v buffers -s pid -f 4003
	golden top-filtered-buffers "a number as the filter"
	tool top -n 3 -d 0.1
	is "$status $(grep -c '^gpu_dma_lock: policy' "$work/out")" "0 3" "three frames"
}

test_sorted() {
	while read -r view column first; do
		tool top -n 1 -v "$view" -s "$column"
		is "$(sed -n 4p "$work/out" | awk '{ print $1 }')" "$first" "$view by $column"
	done <<-'END'
		agents u tenant-a
		agents p tenant-a
		agents d tenant-a
		agents w 8
		agents b tenant-a
		agents agent 0
		agents quota 0
		agents %used tenant-a
		agents locks tenant-a
		agents id /pods/böse\134x"\012
		agents binding 0
		processes u 4001
		processes pid 4004
		processes comm 4002
		processes buffers 4001
		processes contexts 1200
		buffers u 2
		buffers buffer 9
		buffers device 5
		buffers exporter 1
		buffers lock 1
		buffers attachments 2
	END
}

test_screens() {
	start "-d 60"
	still screen-agents "agents on a screen"
	keys Tab
	still screen-processes "Tab: processes"
	keys 4
	still screen-tree "4: the tree"
	keys -
	comes '4001 render: 10M' "- leaves processes"
	succeeds "and no buffers" wait_until hides 'buffer 2:'
	keys h
	still screen-help "h: help"
	keys x
	comes '^tree by USED' "and back"
	keys '?'
	comes 'Any key goes back' "?: help too"
	keys x 1
	comes '^agents by USED' "1: agents again"
	keys w
	first 8 "w: by locks waited for"
	keys r
	comes '^agents by WAITING reversed' "r: the other way round"
	keys u '>'
	comes '^agents by PEAK' ">: by the next column"
	keys Left Left
	comes '^agents by BUFFERS' "Left: by the one before"
	keys / ten x BSpace
	comes '^filter: ten_' "/: a filter"
	keys Enter
	still screen-filtered "filters agents and buffers"
	comes '^5 denied' "what was denied stays in sight"
	keys Escape
	first tenant-a "Escape: all again"
	keys q
	comes '^ended with 0' "q ends it"
}

test_scrolls() {
	mkdir "$work/many"
	"$here/many-rows" "$work/many" 2000 200 2
	GPU_DMA_LOCK_PROC=$work/many
	start "-d 60 -v buffers -s BUFFER"
	first 2000 "the first row"
	keys Down j
	first 1998 "two down"
	keys NPage
	first 1978 "a page"
	keys k PPage Home Up
	first 2000 "up, a page up, to the top, and not over it"
	keys End Down
	succeeds "to the end" wait_until row 23 '^1 '
	mux resize-window -t test -x 100 -y 40
	succeeds "a larger window is filled" wait_until row 39 '^1 ' ||
		note "$(screen)"
	mux resize-window -t test -x 20 -y 5
	comes '^BUFFER +AGENT' "a tiny one too"
	keys q
	GPU_DMA_LOCK_PROC=$here/fixtures/small
}

test_ends() {
	for signal in INT TERM HUP; do
		start "-d 60"
		kill -"$signal" "$(cat "$work/pid")"
		comes '^ended with 1(30|43|29)' "SIG$signal ends it"
		keys 'stty -a' Enter
		comes ' icanon .* echo |^isig icanon' "with the terminal as it was"
	done
	mkdir "$work/gone"
	cp "$here"/fixtures/small/* "$work/gone"
	GPU_DMA_LOCK_PROC=$work/gone
	start "-d 0.2"
	rm "$work/gone/agents"
	comes "^gpu-dma-lock: $work/gone/agents: No such" "a table that goes ends it, and is named"
	comes '^ended with 2' "with 2"
	GPU_DMA_LOCK_PROC=$here/fixtures/small
}

test_cost() {
	mkdir "$work/100000"
	"$here/many-rows" "$work/100000" 100000 1000 16
	for view in agents buffers tree; do
		took=$({ TIMEFORMAT='%U %S'; time GPU_DMA_LOCK_PROC=$work/100000 "$gpu_dma_lock" top --once -v $view >/dev/null; } 2>&1 |
			awk '{ print ($1 + $2) * 1000 }')
		[ "$took" -lt 1000 ]
		ok $? "$view of 100,000 buffers: $took ms of CPU"
	done
}

test_usage
test_frames
test_sorted
test_screens
test_scrolls
test_ends
case $("$gpu_dma_lock" --version; nm "$gpu_dma_lock" 2>/dev/null | grep -m1 __asan_init) in
*asan*) skip "the cost of a program with AddressSanitizer" ;;
*) test_cost ;;
esac
for view in agents processes buffers tree; do
	survives top --once -v "$view"
done
mux kill-server
tap_done
