#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# The documents say what happens: each command in them with the prompt `# ` is run as
# it stands, and prints what stands below it. A document is one session at one shell,
# with the module loaded afresh; docs.awk tells what may differ.
#
# The last one has the kernel take no module without a signature any more, so this
# test has a VM of its own, by an argument that no other has.
#
# vm: -k 6.1 --append docs --mem 768 --timeout 400

directory=$(dirname "$0")
. "$directory/tap.sh"

documents=/host/docs
shown_kernel=6.1
output_tries=600

# shellcheck disable=SC2317 # called by the documents' commands
insmod() { /usr/bin/insmod "$@"; } # kmod's, not busybox's, as on a machine
# shellcheck disable=SC2317
rmmod() { /usr/bin/rmmod "$@"; }
# shellcheck disable=SC2317
modprobe() { /usr/bin/modprobe "$@"; }
# shellcheck disable=SC2317
lsmod() { /usr/bin/lsmod "$@"; }
# shellcheck disable=SC2317
modinfo() { /usr/bin/modinfo "$@"; }

lines() {
	wc -l <"$1"
}

# await COMMANDFILE: what a program in the background is said to print first.
await() {
	for _ in $(seq "$output_tries"); do
		[ "$(lines "$1.printed")" -lt "$(lines "$1.out")" ] || return 0
		usleep 100000
	done
}

# run_session DIR: leaves NNN.printed beside each NNN.cmd. In a shell of its own, whose
# pid is $$.
run_session() {
	cd /root || exit
	insmod /gpu_dma_lock.ko || exit
	for session_file in "$1"/*.cmd; do
		session_file=${session_file%.cmd}
		session_command=$(cat "$session_file.cmd")
		eval "$session_command" >"$session_file.printed" 2>&1 </dev/null
		case $session_command in
		*'&') await "$session_file" ;;
		esac
	done
	killall -q gembuf
	wait
}

tidy() {
	for _ in $(seq "$output_tries"); do
		grep -q '^gpu_dma_lock ' /proc/modules || return 0
		rmmod gpu_dma_lock 2>/dev/null || usleep 100000
	done
}

# judge_session DIR: DIR is NN-DOCUMENT.
judge_session() {
	document=${1##*/}
	document=${document#*-}
	for file in "$1"/*.cmd; do
		file=${file%.cmd}
		read -r command <"$file.cmd"
		line=${file##*/}
		name="$document:${line#"${line%%[!0]*}"}: $command"
		if difference=$(awk -f "$directory/docs.awk" "$file.out" "$file.printed"); then
			ok 0 "$name"
		else
			ok 1 "$name"
			note "$difference"
		fi
	done
}

if [ "${1:-}" = --session ]; then
	run_session "$2"
	exit
fi
case $(uname -r) in
"$shown_kernel".*) ;;
*) skip_all "the documents show what $shown_kernel prints" ;;
esac
for session in "$documents"/*; do
	ls "$session"/*.cmd >/dev/null 2>&1 || continue
	sh "$0" --session "$session"
	tidy
	judge_session "$session"
done
tap_done
