#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Completion for bash: commands, options, and what there is.

. "$(dirname "$0")/lib.sh"
. "$here/../../tool/completions/gpu-dma-lock"

# shellcheck disable=SC2317 # called by what completes
gpu-dma-lock() {
	"$gpu_dma_lock" "$@"
}

# completes LINE WORDS NAME
completes() {
	COMP_LINE="gpu-dma-lock $1" COMP_POINT=$((13 + ${#1}))
	COMPREPLY=()
	_gpu_dma_lock
	is "${COMPREPLY[*]}" "$2" "${3:-$1}"
}

completes "st" "status" "a command"
completes "--v" "--version" "an option of its own"
completes "list --o" "--output" "an option of a command"
completes "list a" "agents allocations attachments" "a table"
completes "list -J a" "agents allocations attachments" "behind an option"
completes "quota t" "tenant-a" "an agent's name"
completes "quota tenant-a m" "max" "a limit"
completes "unlock 9" "9" "a buffer"
completes "unlock 9 i" "idle" "and an agent"
completes "agent " "add remove set name reset" "a word behind a command"
completes "agent remove t" "tenant-a" "and what follows it"
completes "context remove " "1 2" "also where it is no agent"
completes "lock 1 7 s" "shared" "a choice"
completes "grant 7 buf=9" "buf=9" "a buffer to be granted"
completes "policy e" "enforce" "a policy"
completes "bind 7 p" "pid:" "what can be bound"
completes "save $here/fix" "$here/fixtures" "a folder"
completes "run 7 mkfif" "mkfifo" "a command to run"
completes "who 9" "9" "a buffer or a process"
completes "why t" "tenant-a" "an agent or a cgroup"
completes "top --o" "--once" "an option of top"
completes "nvml --th" "--thaw --thaw-left" "options of nvml"
completes "nvml --once --act f" "freeze" "what an option takes"
completes "nvml --library $here/fix" "$here/fixtures" "a file that it takes"
completes "reset x" "" "nothing, where nothing fits"
for word in /machine.slice/x 's/x/x/;' '.*' '['; do
	(cd "$work" && completes "quota $word m" "max" "whatever was typed before, as $word" 2>&1) >"$work/out"
	is "$(sed 's/^\(ok\) [0-9]*/\1/' "$work/out") $(ls "$work")" \
		"ok - whatever was typed before, as $word out" "$word is no script"
done

# Tenants choose names of cgroups, and whoever may write to a folder those of files.
mkdir "$work/folder"
cd "$work" || bail "$work"
# shellcheck disable=SC2016 # it is not to be run
: >"$work/folder/"'$(touch ran)'
completes "restore folder/" 'folder/\$\(touch\ ran\)' "a file that is called like a command"
ok "$([ ! -e "$work/ran" ]; echo $?)" "which is not run"
tap_done
