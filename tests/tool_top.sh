#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# gpu-dma-lock top in a terminal, which is tmux: what it shows at 80 columns and 24
# lines, that it sorts by keys, follows the window's size, and that however it ends the
# terminal is as before.
#
# vm: -k 6.1 --load --gpu virtio --mem 768 --timeout 500

# shellcheck disable=SC2317 # functions are called through succeeds and fails
. "$(dirname "$0")/tap.sh"

proc=/proc/swarm/gpu
export TERMINFO=/host/terminfo LOCPATH=/host/locale LC_ALL=C.UTF-8 TERM=screen
top="gpu-dma-lock top"
modes="-icanon|min = 0|susp = <undef>| -echo( |$)"

tmux() {
	/host/tmux -L test -f /dev/null "$@"
}

screen() {
	tmux capture-pane -p -t test
}

keys() {
	tmux send-keys -t test "$@"
}

# shows PATTERN: on some line of the screen, by and by
shows() {
	screen >/tmp/screen
	grep -qE -- "$1" /tmp/screen
}

comes() {
	succeeds "$2" wait_until shows "$1" || note "$(screen)"
}

shows_first() {
	screen >/tmp/screen
	[ "$(sed -n '/^AGENT/{n;p;}' /tmp/screen | awk '{ print $1 }')" = "$1" ]
}

# first AGENT NAME: it is on the first row
first() {
	succeeds "$2" wait_until shows_first "$1" || note "$(screen)"
}

lines() {
	screen | grep -c .
}

# fills LINES: besides the empty one, and the last of top's is there
fills() {
	[ "$(lines)" = "$1" ] && shows "^agents by"
}

# on_screen FLAGS: whether the cursor shows, and whether the screen is top's own
on_screen() {
	[ "$(tmux display-message -p -t test '#{cursor_flag} #{alternate_on}')" = "$1" ]
}

prompted() {
	[ "$(screen | grep . | tail -n 1)" = ">" ]
}

# types LINE: to the shell below top, which might lose what comes before its prompt
types() {
	wait_until prompted || note "$(screen)"
	keys "$1" Enter
}

# A line that can be told from what the shell echoes.
terminal_modes() {
	types "stty -a >/tmp/modes; tty >/tmp/tty; echo mode\"\"s told"
	wait_until shows '^modes told' || note "$(screen)"
	types clear
}

# starts OPTIONS: top in the shell, which shows its status at the end. Its pid is written
# down, as its subshells have the same command line.
starts() {
	types "clear; sh -c 'echo \$\$ >/tmp/pid; exec $top $1'; echo ended with \$?"
	comes '^agents by ' "top $1 shows a frame"
}

# sane NAME: the shell is there, with its screen and its modes
sane() {
	terminal_modes
	is "$(grep -cE -- "$modes" /tmp/modes)" 0 "$1: the terminal has its modes" ||
		note "$(cat /tmp/modes)"
	succeeds "$1: its cursor and its own screen" on_screen "1 0"
}

make_agents() {
	for agent in $(seq 1 30); do
		echo "create_agent $agent 1G"
		echo "allocate $agent ${agent}M 0"
	done >$proc/control
	{
		echo "allocate 5 200M 0"
		echo "free 31"
		echo "allocate 3 4096 0"
		echo "allocate 3 4096 0"
	} >$proc/control
	# A charge too many, and a lock waited for.
	echo "allocate 9 2G 0" >$proc/control 2>/dev/null
	echo "lock 1 1 exclusive" >$proc/control
	echo "lock 1 12 exclusive" >$proc/control 2>/dev/null &
}

test_screen() {
	starts "-d 0.5"
	comes '^gpu_dma_lock: policy audit, 31 agents, 32 buffers, 465M' "the totals"
	comes '^1 denied or let pass over a limit, 1 waiting for a lock' "and what is wrong"
	succeeds "no cursor, on a screen of its own" on_screen "0 1"
	succeeds "all 24 lines are used, one to keep agents and buffers apart" wait_until fills 23 ||
		note "$(screen)"
	is "$(screen | awk 'length > 80')" "" "and no more than 80 columns"
	first 30 "by use at first"
	is "$(screen | sed -n '/^BUFFER/{n;p;}' | awk '{ print $1, $2, $4 }')" "30 30 30M" \
		"the largest buffer first"
	keys p
	first 5 "p: by peak"
	keys d
	first 9 "d: by denials"
	keys w
	first 12 "w: by locks waited for"
	keys b
	first 3 "b: by buffers"
	keys u
	first 30 "u: by use again"
	echo "allocate 2 500M 0" >$proc/control
	first 2 "what is new comes by itself"
	echo "free $(awk 'END { print $1 }' $proc/allocations)" >$proc/control
	first 30 "what goes, goes"
}

test_resize() {
	tmux resize-window -t test -x 100 -y 40
	succeeds "a larger window is filled" wait_until fills 39 ||
		note "$(screen)"
	tmux resize-window -t test -x 40 -y 10
	succeeds "a smaller one too" wait_until fills 9 ||
		note "$(screen)"
	is "$(screen | head -n 1)" "gpu_dma_lock: policy audit, 31 agents, 3" "lines are cut, not wrapped"
	tmux resize-window -t test -x 80 -y 24
	succeeds "and back" wait_until fills 23 || note "$(screen)"
}

test_ends() {
	keys q
	comes '^ended with 0$' "q ends it"
	sane "q"
	starts
	keys C-c
	comes '^ended with 130$' "Ctrl-C ends it"
	sane "Ctrl-C"
	for signal in TERM HUP; do
		starts
		kill -"$signal" "$(cat /tmp/pid)"
		comes '^ended with 1(43|29)$' "SIG$signal ends it"
		sane "SIG$signal"
	done
	starts
	keys C-z
	keys b
	first 3 "Ctrl-Z is a key like others"
	keys q
	comes '^ended with 0$' "and q ends it"
	starts
	kill -TSTP "$(cat /tmp/pid)"
	succeeds "stopped, it leaves the screen" wait_until on_screen "1 0"
	types fg
	comes '^agents by ' "continued, it is there again"
	keys q
	sane "stopped and continued"
}

test_module_goes() {
	starts "-d 0.5"
	echo "remove_agent 12" >$proc/control
	succeeds "the module can be removed under it" wait_until rmmod gpu_dma_lock
	comes '^ended with 2$' "which ends it"
	sane "without the module"
	types "clear; $top; echo ended with \$?"
	comes '^gpu-dma-lock: the module gpu_dma_lock is not loaded' "nor does it start"
}

make_agents
succeeds "a terminal of 80 columns and 24 lines" \
	/host/tmux -L test -f /dev/null new-session -d -s test -x 80 -y 24 "PS1='> ' busybox sh"
tmux set-option -t test window-size manual
sane "at first"
test_screen
test_resize
test_ends
test_module_goes
tmux kill-server
tap_done
