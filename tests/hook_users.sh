#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Others use the functions that are hooked: kprobes and kretprobes, the tracers function
# and function_graph, a live patch. Who came before the module and who comes after it
# see each call once, by its true caller; the module sees each buffer from its beginning
# to its end; it goes at once while they are there; and they go on without it.
#
# vm: -k 6.1 -k 6.12 -k newest --gpu none --mem 512 --one-thread --timeout 400

# shellcheck disable=SC2317 # functions are called through succeeds and fails
. "$(dirname "$0")/tap.sh"
. "$(dirname "$0")/client.sh"

module=/gpu_dma_lock.ko
proc=/proc/swarm/gpu
trace=/sys/kernel/tracing
functions="dma_buf_export drm_gem_private_object_init dma_buf_release"
buffers=5
once="5 5 5"

# The users. Each has a buffer of its own for what it sees, and a line there for a call.

buffer_of() {
	case $1 in
	kprobes | kretprobes) echo "$trace/instances/probes" ;;
	function) echo "$trace/instances/function" ;;
	function_graph) echo "$trace" ;;
	esac
}

# line_of USER FUNCTION
line_of() {
	case $1 in
	kprobes) echo " p_$2: " ;;
	kretprobes) echo " r_$2: " ;;
	function) echo ": $2 <-" ;;
	# A module's function is followed by the module's name.
	function_graph) echo "  $2( \\[[a-z_]+\\])?\\(\\)( \\{|;)" ;;
	esac
}

# set_functions BUFFER WORDS...: what a tracer traces
set_functions() {
	buffer=$1
	shift
	printf '%s\n' "$@" >"$buffer/set_ftrace_filter"
}

# attach_probe TYPE: all functions get one
attach_probe() {
	for f in $functions; do
		echo "$1:users/$1_$f $f" >>"$trace/kprobe_events"
	done
}

# attach USER [FUNCTIONS]
attach() {
	on=$(buffer_of "$1")
	case $1 in
	kprobes | kretprobes)
		[ "$1" = kprobes ] && attach_probe p || attach_probe r
		echo 1 >"$on/events/users/enable"
		;;
	*)
		# shellcheck disable=SC2086 # one word a function
		set_functions "$on" ${2:-$functions}
		echo "$1" >"$on/current_tracer"
		;;
	esac || bail "$1 cannot be had"
}

detach() {
	on=$(buffer_of "$1")
	case $1 in
	kprobes | kretprobes)
		[ ! -e "$on/events/users" ] || echo 0 >"$on/events/users/enable"
		echo >"$trace/kprobe_events"
		;;
	*)
		echo nop >"$on/current_tracer"
		echo >"$on/set_ftrace_filter"
		;;
	esac || bail "$1 cannot be taken away"
}

# look USER: what it has seen, into /tmp/calls; to open a trace takes long
look() {
	grep -v '^#' "$(buffer_of "$1")/trace" >/tmp/calls
}

# seen USER [PREFIX]: how many calls of each function, in /tmp/calls
seen() {
	for f in $functions; do
		grep -cE "$(line_of "$1" "${2-}$f")" /tmp/calls
	done | tr '\n' ' ' | sed 's/ $//'
}

sees() {
	look "$1"
	[ "$(seen "$1")" = "$once" ]
}

# true_callers: none of these calls was by the module, or went back to it
true_callers() {
	! grep -E " ($(echo "$functions" | tr ' ' '|')) <-gdl_|\(gdl_.* <- " /tmp/calls
}

forget_calls() {
	for user; do
		echo >"$(buffer_of "$user")/trace"
	done
}

# check_users WHEN USERS...
check_users() {
	seen_when=$1
	shift
	for user; do
		wait_until sees "$user"
		is "$(seen "$user")" "$once" "$seen_when: $user: each call is seen once" ||
			note "$(grep -v '^#' "$(buffer_of "$user")/trace" | head -n 40)"
		succeeds "$seen_when: $user: by its true caller" true_callers "$user"
	done
}

# The module.

stat_of() {
	sed -n "s/^$1 //p" "$proc/stats"
}

rows() {
	awk 'NR > 1' "$proc/$1" | wc -l
}

no_rows() {
	[ "$(rows allocations)" = 0 ]
}

hits() {
	for f in $functions; do
		stat_of "hook_${f}_hits"
	done | tr '\n' ' ' | sed 's/ $//'
}

# check_tracking WHEN: buffers, each of which has one call of each function
check_tracking() {
	echo reset_stats >"$proc/control"
	start_client -n "$buffers" -e
	is "$(rows allocations)" "$buffers" "$1: as many buffers as there are"
	stop_client
	wait_until no_rows
	is "$(stat_of buffers_created) $(stat_of buffers_freed) $(rows allocations)" \
		"$buffers $buffers 0" "$1: their beginnings and ends"
	is "$(hits)" "$once" "$1: each call once"
	is "$(stat_of totals_may_be_short)" 0 "$1: nothing is lost"
}

insert() {
	succeeds "$1: the module is inserted" insmod "$module" "$2"
	is "$(grep '^hook_.*_state none' "$proc/stats" | grep -vc ' nvidia.ko is not loaded$')" "${3:-0}" \
		"$1: its hooks are placed"
}

# both WHEN USERS...: what they see, and what the module does
both() {
	name=$1
	shift
	forget_calls "$@"
	check_tracking "$name"
	check_users "$name" "$@"
}

# without WHEN USERS...: what they see when the module is gone
without() {
	name=$1
	shift
	forget_calls "$@"
	succeeds "$name: buffers can be made" gembuf -n "$buffers" -e
	check_users "$name" "$@"
}

# One set of users is there before the module, the other comes after it.
before_and_after() {
	when="$1, $2 before, $3 after"
	before=$2
	after=$3
	# shellcheck disable=SC2086 # one word a user
	{
		for user in $before; do
			attach "$user"
		done
		insert "$when" "$1"
		both "$when: alone" $before
		for user in $after; do
			attach "$user"
		done
		both "$when: both" $before $after
		succeeds "$when: the module goes" rmmod gpu_dma_lock
		without "$when: gone" $before $after
		for user in $before $after; do
			detach "$user"
		done
	}
}

# own_functions MODE USER: the wrappers and all else of the module are traced too, while it
# goes as well.
own_functions() {
	when="$1, its own functions are traced"
	insert "$when" "$1"
	attach "$2" "gdl_* $functions"
	both "$when" "$2"
	is "$(seen "$2" gdl_hook_)" "$once" "$when: $2: each wrapper is seen once"
	succeeds "$when: the module goes" rmmod gpu_dma_lock
	without "$when: gone" "$2"
	detach "$2"
}

# Every function of the kernel is traced. That is more than the buffer holds.
everything() {
	when="$1, $2 traces all functions"
	insert "$when" "$1"
	on=$(buffer_of "$2")
	echo "$2" >"$on/current_tracer"
	check_tracking "$when"
	succeeds "$when: the module goes" rmmod gpu_dma_lock
	succeeds "$when: buffers can be made" gembuf -n "$buffers" -e
	echo nop >"$on/current_tracer"
	echo >"$on/trace"
}

live_patch() {
	when="$1, a live patch"
	insmod /tests/modules/ipmodify.ko || bail "ipmodify.ko"
	attach kprobes
	insert "$when" "$1" 1
	forget_calls kprobes
	start_client -n "$buffers" -e
	is "$(rows allocations)" "$buffers" "$when: as many buffers as there are"
	stop_client
	wait_until no_rows
	is "$(stat_of buffers_created) $(stat_of buffers_freed)" "$buffers $buffers" \
		"$when: their beginnings and ends"
	check_users "$when" kprobes
	succeeds "$when: the module goes" rmmod gpu_dma_lock
	without "$when: gone" kprobes
	detach kprobes
	succeeds "$when: it goes too" rmmod ipmodify
}

modprobe vgem
modprobe ttm
mkdir "$trace/instances/probes" "$trace/instances/function"
before_and_after hook=auto "kprobes kretprobes" "function function_graph"
before_and_after hook=divert "function function_graph" "kprobes kretprobes"
own_functions hook=auto function
own_functions hook=divert function_graph
live_patch hook=auto
if [ "$(scaled 100)" -ge 100 ]; then
	before_and_after hook=auto "function function_graph" "kprobes kretprobes"
	before_and_after hook=divert "kprobes kretprobes" "function function_graph"
	own_functions hook=auto function_graph
	own_functions hook=divert function
	live_patch hook=divert
	everything hook=auto function
	everything hook=auto function_graph
	everything hook=divert function
	everything hook=divert function_graph
fi
rmdir "$trace/instances/probes" "$trace/instances/function"
is "$(reports)" 0 "no report in the log"
tap_done
