#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The verbs of gpu-dma-lock: the one line that each writes to control.

. "$(dirname "$0")/lib.sh"

# writes LINE ARGUMENTS...
writes() {
	line=$1
	shift
	: >"$work/folder/control"
	tool "$@"
	is "$status$(cat "$work/err") $(grep . "$work/folder/control")" "0 $line" "$*"
}

# one_write LINE ARGUMENTS...: as the kernel sees it
one_write() {
	line=$1
	shift
	: >"$work/folder/control"
	strace -f -o "$work/trace" -e trace=write -e 'signal=!all' "$gpu_dma_lock_plain" "$@"
	is "$(grep -c "write([0-9]*, \"$line\\\\n\", " "$work/trace")" 1 "$*: one write" ||
		note "$(cat "$work/trace")"
}

cp -R "$GPU_DMA_LOCK_PROC" "$work/folder"
export GPU_DMA_LOCK_PROC=$work/folder
writes "create_agent 7" agent add 7
writes "create_agent 7 1G tenant-a" agent add 7 1G tenant-a
writes "remove_agent tenant-a" agent remove tenant-a
writes "set_quota 7 max" agent set 7 max
writes "set_quota 7 1G 0" agent set 7 1G 0
writes "name 7 -" agent name 7 -
writes "reset_agent 7" agent reset 7
writes "set_quota 7 1G 0" quota 7 1G 0
writes "set_capacity 0 max" capacity 0 max
writes "bind 7 cgroup:/jobs/a" bind 7 cgroup:/jobs/a
writes 'bind 7 cgroup:/odd\040na\012me later' bind 7 "cgroup:/odd na
me" later
writes 'bind 7 cgroup:/dev\x2d' bind 7 'cgroup:/dev\x2d'
writes "unbind 7 pid:1" unbind 7 pid:1
writes "template /pods/* 1G" template "/pods/*" 1G
writes "template *.slice" template add "*.slice"
writes "remove_template /pods/*" template remove "/pods/*"
writes "policy enforce" policy enforce
writes "lock 1 7 exclusive nowait" lock 1 7 exclusive nowait
writes "unlock 1 7" unlock 1 7
writes "grant 7 0x1000+4K -" grant 7 0x1000+4K -
writes "revoke 7" revoke 7
writes "revoke 7 buf=1" revoke 7 buf=1
writes "check 7 0x1000 rw" check 7 0x1000 rw
writes "allocate 7 4K 0" allocate 7 4K 0
writes "free 1" free 1
writes "report 812 0 512M" report 812 0 512M
writes "create_context 7 0" context add 7 0
writes "destroy_context 1" context remove 1
writes "switch_context 0 1" context switch 0 1
writes "reset_stats" reset
: >"$work/folder/control"
tool policy
is "$status $(cat "$work/out" "$work/folder/control")" "0 enforce" "policy alone prints it"

gpu_dma_lock_plain=$("$here/../../scripts/tool")
one_write "create_agent 7 1G tenant-a" agent add 7 1G tenant-a
one_write "bind 7 cgroup:/odd\\\\\\\\040name" bind 7 "cgroup:/odd name"

for arguments in "agent" "agent nonsense 7" "agent add" "agent add 1 2 3 4" "bind 7" "policy a b" \
	"lock 1 2" "reset 1" "-x agent" "agent -x" "agent --nonsense" "free"; do
	# shellcheck disable=SC2086 # into words
	tool $arguments
	refused "$arguments"
done
for word in "" "two words" "$(printf 'a\tb')"; do
	tool agent name 7 "$word"
	refused "agent name 7 '$word'"
done
chmod 0 "$work/folder/control"
rm "$work/folder/control"
tool agent add 7
is "$status $(cat "$work/err")" \
	"2 gpu-dma-lock: $work/folder/control: No such file or directory" "no control"
tap_done
