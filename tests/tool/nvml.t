#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# gpu-dma-lock nvml: what it reports of what NVML says, whatever that is; and whom it freezes, kills
# and thaws. NVML is nvml_library.c, the module a folder, and cgroups are folders too.
# tests/nvml.sh has the module.

# shellcheck disable=SC2317 # functions are called through succeeds and wait_until
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

[ "$(stat -Lc %i /proc/self/ns/pid)" = 4026531836 ] || skip_all "this is not the first pid namespace"
library=$work/libnvidia-ml.so.1
cc -std=gnu11 -O2 -Wall -Wextra -Werror -shared -fPIC -o "$work/built" "$here/nvml_library.c" ||
	bail "no stand-in for NVML"
export GPU_DMA_LOCK_PROC=$work/proc GPU_DMA_LOCK_CGROUPS=$work/cgroups GPU_DMA_LOCK_STATE=$work/run
export GPU_DMA_LOCK_PROCESSES=$work/processes NVML_SCENARIO=$work/scenario

# scenario LINE...: from now on
scenario() {
	printf '%s\n' "count ${gpus:-1}" "gpu 0 00000000:03:00.0 GPU-one 8589934592" "$@" >"$work/new"
	mv "$work/new" "$NVML_SCENARIO"
}

# The process that is bound in the fixture might be one of this machine, and be killed: here it is
# one that there cannot be.
nobody=4194305
small=$work/small
cp -R "$here/fixtures/small" "$small"
sed -i "s/pid:4001/pid:$nobody/" "$small/bindings"

# process START PID...: there are such processes, which began at START
process() {
	start=$1
	shift
	for pid; do
		mkdir -p "$work/processes/$pid"
		echo train >"$work/processes/$pid/comm"
		# At once, as /proc has it: an empty one would be another process.
		echo "$pid (a) S 1 ) R 1 $pid $pid 0 -1 4194304 0 0 0 0 0 0 0 0 20 0 1 0 $start 0 0" \
			>"$work/new"
		mv "$work/new" "$work/processes/$pid/stat"
	done
}

# table NAME SED...: the fixture's, changed at once
table() {
	name=$1
	shift
	[ $# -gt 0 ] || set -- ""
	sed "$@" "$small/$name" >"$work/new"
	mv "$work/new" "$work/proc/$name"
}

# fresh: everything as in the beginning
fresh() {
	rm -rf "$work/proc" "$work/cgroups" "$work/run" "$work/processes"
	cp -R "$small" "$work/proc"
	cp "$work/built" "$library"
	: >"$work/proc/control"
	mkdir -p "$work/cgroups/tenants/a/x" "$work/processes/self" "$work/processes/1"
	process 1000 4003 4005 4006 4007 4008 4009 4010
	for pid in 4005 4006 4007 4008 4009 4010; do
		rm "$work/processes/$pid/comm"
	done
	for folder in tenants tenants/a tenants/a/x; do
		echo 0 >"$work/cgroups/$folder/cgroup.freeze"
		: >"$work/cgroups/$folder/cgroup.kill"
	done
	echo 0::/system.slice/nvml.service >"$work/processes/self/cgroup"
	echo 0::/init.scope >"$work/processes/1/cgroup"
	scenario "compute 0 4003 4096"
}

# starts ARGUMENTS...: in the background, ten times a second
starts() {
	: >"$work/err"
	: >"$work/proc/control"
	"$gpu_dma_lock" nvml -l "$library" -i 0.1 "$@" >"$work/out" 2>>"$work/err" </dev/null &
	watcher=$!
}

# says PATTERN
says() {
	grep -qE -- "$1" "$work/err"
}

comes() {
	succeeds "$2" wait_until says "$1" || note "$(cat "$work/err")"
}

# said PATTERN TIMES NAME
said() {
	is "$(grep -cE -- "$1" "$work/err")" "$2" "$3" || note "$(cat "$work/err")"
}

# has_line LINE [TIMES]: it is among those that control got
has_line() {
	[ "$(grep -cx -- "$1" "$work/proc/control")" -ge "${2:-1}" ]
}

reported() {
	succeeds "$2" wait_until has_line "$1" || note "$(tail -n 5 "$work/proc/control")"
}

# again: another round
again() {
	: >"$work/proc/control"
	wait_until has_line "report .*" 2
}

# ends STATUS NAME: by SIGTERM
ends() {
	kill "$watcher"
	wait "$watcher"
	is "$?" "$1" "$2" || note "$(cat "$work/err")"
}

# freezes CGROUP WORD
freezes() {
	[ "$(cat "$work/cgroups/$1/cgroup.freeze")" = "$2" ]
}

frozen() {
	succeeds "$3" wait_until freezes "$1" "$2" || note "$(cat "$work/err")"
}

told='s/^4 7 - 1048576 ledger - - 0x0 4002/4 7 1 1048576 reported - - 0x0 4003/'

# over [POLICY]: agent 7 has 11M of 10M, part of which is reported of process 4003 on device 1
over() {
	table self "s/^policy .*/policy ${1:-enforce}/"
	table quotas 's/^7 all 12582912/7 all 10485760/'
	table allocations "$told"
}

fresh
for arguments in x "-i 0" "-i x" "-i 61" "-i" "--act" "--act stop" "--nonsense"; do
	# shellcheck disable=SC2086 # into words
	tool nvml $arguments
	refused "nvml $arguments is refused"
done
GPU_DMA_LOCK_PROC=/nowhere tool nvml
is "$status $(grep -c 'not loaded' "$work/err")" "2 1" "without the module"

if unshare -C true 2>"$work/err"; then
	env -u GPU_DMA_LOCK_CGROUPS unshare -C "$gpu_dma_lock" nvml --once -l "$library" 2>"$work/err"
	is "$? $(grep -c "not the first cgroup namespace" "$work/err")" "2 1" "in another cgroup namespace"
else
	skip "no namespaces here"
fi

# A process in both lists, one in two instances, one of MPS, and those of which less is known.
scenario "compute 0 4003 1000" "graphics 0 4003 4096" "compute 0 4005 1 1 0" "compute 0 4005 2 2 0" \
	"graphics 0 4005 2 2 0" "mps 0 4006 5" "compute 0 0 4096" "compute 0 4007 18446744073709551615" \
	"compute 0 4008 8589934593" "compute 0 4009 0" "compute 0 4010 8589934592"
tool nvml --once -l /nonsense -l "$library"
is "$status" 0 "once"
golden nvml-once "what NVML says"
is "$(grep . "$work/proc/control")" "session
set_capacity 1 8589934592
report 4003 1 4096
report 4005 1 3
report 4006 1 5
report 4010 1 8589934592" "each process once, in one session, and nothing that cannot be"
said "tells of processes without telling which" 1 "pid 0"
said "does not tell how much process 4007 uses" 1 "bytes that are not told"
said "process 4008 uses 8G of 8G, NVML says; it is not reported" 1 "more than the GPU has"
is "$(wc -l <"$work/err")" 5 "and the device, its capacity, and no more" || note "$(cat "$work/err")"

# Of drivers whose lists have longer entries than they say.
scenario "driver 535.54.03" "entry 32" "compute 0 4003 1000" "compute 0 4005 2000"
fresh_lines() {
	: >"$work/proc/control"
	tool nvml --once -l "$library"
	grep ^report "$work/proc/control" | xargs
}
is "$(fresh_lines)" "report 4003 1 1000 report 4005 1 2000" "drivers 535.43 to 535.86"
scenario "entry 16" "compute 0 4003 1000" "compute 0 4005 2000" "compute 0 4006 3000"
is "$(fresh_lines)" "" "entries that are shorter than they say"
said "tells of 3 processes, and less than that" 1 "are not taken for others"
scenario "compute 0 4003 1000" "claim 0 65"
is "$(fresh_lines)" "" "more than there is room for"
said "tells of 65 processes in room for 64" 1 "is told of"
scenario "claim 0 4000000000 more"
is "$(fresh_lines)" "" "no number of processes"
said "says that there are 4000000000 processes" 1 "is told of"
scenario "claim 0 0 more"
is "$(fresh_lines)" "" "room that is never enough"
scenario
sed -i 's/^count 1/count 4000000000/' "$NVML_SCENARIO"
is "$(fresh_lines)" "" "no number of GPUs"
said "says that there are 4000000000 GPUs" 1 "is told of"

# Ten thousand, which are more than were there before.
process 1000 1000000
# shellcheck disable=SC2016 # the inner shell's
seq 1000001 $((1000000 + $(scaled 10000) - 1)) | sed "s|.*|$work/processes/&|" | tr '\n' '\0' |
	xargs -0 -n 1000 sh -c 'mkdir "$@" && for folder; do ln "$0" "$folder/stat"; done' \
		"$work/processes/1000000/stat"
scenario "many 0 1000000 $(scaled 10000) 4096"
start=$(date +%s%N)
is "$(fresh_lines | wc -w)" $((4 * $(scaled 10000))) "10,000 processes are reported"
note "in $((($(date +%s%N) - start) / 1000000)) ms, with all that a start takes"

# What admins set stays; what the module only guesses does not.
fresh
table devices 's/vram:8589934592/bar:268435456/'
tool nvml --once -l "$library"
is "$(grep -c "^set_capacity 1 8589934592$" "$work/proc/control")" 1 "capacity instead of a BAR's size"
fresh
table devices 's/vram:8589934592/1073741824/'
tool nvml --once -l "$library"
is "$(grep -c ^set_capacity "$work/proc/control")" 0 "not instead of what was set"

# As time goes by.
fresh
scenario "compute 0 4003 1000" "compute 0 4005 2000"
starts
reported "report 4003 1 1000" "a process"
is "$(find "/proc/$watcher/task/"*/fd -lname "$work/proc/control" | wc -l)" 1 \
	"the thread that may never return does not have the session open"
again
reported "report 4003 1 1000" "is reported again and again"
scenario "compute 0 4003 3000"
reported "report 4003 1 3000" "with what it has then"
reported "report 4005 1 0" "and one that has nothing is reported so"
again
is "$(grep -c "report 4005" "$work/proc/control")" 0 "once"
scenario "compute 0 4003 3000" "fail DeviceGetHandleByIndex 15 0"
comes "0000:03:00.0: GPU is lost \(NVML error 15\); its rows go stale" "a GPU that is lost"
sleep 0.5
said "GPU is lost" 1 "is told once"
: >"$work/proc/control"
sleep 0.3
is "$(grep -c . "$work/proc/control")" 0 "and not reported"
gpus=2 scenario "fail DeviceGetHandleByIndex 15 0" "gpu 1 00000000:00:02.0 GPU-two 4096" "compute 1 4003 5"
reported "report 4003 0 5" "while another GPU is"
scenario "compute 0 4003 3000"
comes "0000:00:02.0: NVML does not tell of it any more" "which goes"
comes "0000:03:00.0: NVML tells of it again" "until it comes back"
reported "report 4003 1 3000" "and is reported"
for failure in "fail DeviceGetCount 1" "fail DeviceGetCount 9" "fail DeviceGetComputeRunningProcesses 18"; do
	scenario "compute 0 4003 3000" "$failure"
	comes "nvml: .*error ${failure##* }\); rows go stale" "$failure"
	scenario "init 9"
	comes "nvml: Driver Not Loaded \(NVML error 9\)" "then there is no driver"
	scenario "compute 0 4003 3000"
	comes "processes are reported again" "then there is one"
	: >"$work/err"
	reported "report 4003 1 3000" "which is used"
done
scenario "fail DeviceGetCount 9"
rm "$library"
comes "cannot open shared object file.*; rows go stale" "a library that has gone"
scenario "compute 0 4003 3000"
cp "$work/built" "$work/new"
mv "$work/new" "$library"
comes "processes are reported again" "and comes again"
mv "$work/proc" "$work/elsewhere"
comes "the module gpu_dma_lock is not loaded" "a module that has gone"
: >"$work/err"
mv "$work/elsewhere" "$work/proc"
comes "processes are reported again" "and comes again"
table devices '/^1 /d'
comes "0000:03:00.0: the module has no such device" "a GPU that the module does not know"
table devices
comes "0000:03:00.0: NVML tells of it again" "and comes to know"
ends 0 "SIGTERM ends it"

# Numbers of processes that are others' by now.
fresh
scenario "compute 0 4003 1000" "compute 0 4005 2000" "compute 0 0 1"
starts
reported "report 4003 1 1000" "a process"
process 2000 4003
reported "report 4003 1 0" "whose number becomes another's has no row"
comes "NVML tells of process 4003, which has ended; its number is another's now" "which is told of"
again
is "$(grep -c "report 4003" "$work/proc/control")" 0 "the other one is not reported"
said "tells of process 0" 0 "pid 0 is no process"
scenario "compute 0 4003 1000" "compute 0 4005 2000" "fail DeviceGetHandleByIndex 15 0"
comes "GPU is lost" "a GPU that is lost"
scenario "compute 0 4003 1000" "compute 0 4005 2000"
again
mv "$work/proc" "$work/elsewhere"
comes "the module gpu_dma_lock is not loaded" "and a module that goes"
mv "$work/elsewhere" "$work/proc"
again
is "$(grep -c "report 4003" "$work/proc/control")" 0 "change nothing"
scenario "compute 0 4005 2000"
again
scenario "compute 0 4003 1000" "compute 0 4005 2000"
reported "report 4003 1 1000" "but a reading without it does"
rm -r "$work/processes/4003"
reported "report 4003 1 0" "a process that has ended"
: >"$work/err"
process 3000 4003
again
is "$(grep -c "report 4003" "$work/proc/control")" 0 "and whose number comes again"
ends 0 "it ends"
scenario "compute 0 4005 2000" "compute 0 4011 3000"
starts
comes "NVML tells of process 4011, which there is not" "one that had ended before"
process 3000 4011
again
is "$(grep -c "report 4011" "$work/proc/control")" 0 "is not the one that comes"
ends 0 "it ends"

# Lists that the driver may have cut.
fresh
scenario "compute 0 4003 1000" "compute 0 4005 2000"
starts
reported "report 4003 1 1000" "a process"
scenario "compute 0 4005 2000" "many 0 1000000 950 0"
comes "NVML tells of so many processes that there may be more" "a list of 950 is told of"
again
is "$(grep -c "report 4003 1 0" "$work/proc/control")" 0 "one that is not in it keeps its row"
scenario "compute 0 4005 2000"
reported "report 4003 1 0" "until a list that is not cut lacks it"
ends 0 "it ends"

# A call that does not return.
scenario "compute 0 4003 3000" "hang DeviceGetComputeRunningProcesses"
starts
comes "NVML does not answer for 5 seconds; rows go stale" "NVML that hangs"
sleep 0.5
said "does not answer" 1 "is told once"
scenario "compute 0 4003 3000"
comes "NVML answers again, after ([5-9]|[1-9][0-9]+) seconds" "and when it answers"
reported "report 4003 1 3000" "goes on"
scenario "hang DeviceGetCount"
sleep 0.3
ends 0 "SIGTERM ends it while NVML hangs"
scenario "hang Shutdown"
starts
reported "session" "another"
ends 0 "or hangs at the end"

# Agents over their quotas.
fresh
over
starts
comes "agent 7 \(tenant-a\) is over its quota: 11M of 10M" "an agent over its quota"
sleep 0.5
said "is over its quota" 1 "is told of once"
table quotas
comes "agent 7 \(tenant-a\) is not over its quota any more" "until it is not any more"
freezes tenants/a 0
ok $? "it is not frozen"
ends 0 "it ends"

fresh
over
starts --act freeze
frozen tenants/a 1 "its cgroup is frozen"
comes "pid:$nobody is not frozen: that needs a cgroup" "a process is not"
is "$(cat "$work"/cgroups/tenants/cgroup.freeze "$work"/cgroups/tenants/a/x/cgroup.freeze | xargs)" "0 0" \
	"nor another cgroup"
is "$(cut -d ' ' -f 2 "$work/run/frozen")" "cgroup:/tenants/a" "it is written down"
tool nvml -l "$library"
is "$status $(cat "$work/err")" "2 gpu-dma-lock: nvml: there is another one that runs" "there is one nvml"
table quotas
frozen tenants/a 0 "it is thawed within its quota"
succeeds "and written down no more" wait_until test ! -e "$work/run/frozen"
over
frozen tenants/a 1 "it is frozen again"
ends 0 "SIGTERM ends it"
freezes tenants/a 0
ok $? "and thaws"

# Each thing after which nobody is held.
for file in self quotas bindings allocations; do
	fresh
	over
	starts --act freeze
	frozen tenants/a 1 "frozen"
	case $file in
	self) table self 's/^policy .*/policy audit/' ;;
	quotas) rm "$work/proc/quotas" "$work/proc/self" ;;
	bindings) table bindings '/^7 cgroup/d' ;;
	allocations) table allocations ;;
	esac
	frozen tenants/a 0 "thawed by another policy, module, binding, or memory: $file"
	ends 0 "it ends"
done

fresh
over
starts --act freeze
frozen tenants/a 1 "frozen"
tool nvml --thaw-left
freezes tenants/a 1
is "$status $?" "0 0" "--thaw-left thaws nothing of one that runs"
tool nvml --thaw
is "$status" 0 "--thaw"
freezes tenants/a 0
ok $? "thaws it"
sleep 0.5
freezes tenants/a 0
ok $? "and it stays so"
table quotas
comes "is not over its quota any more" "until it was within its quota"
over
frozen tenants/a 1 "then it is frozen again"
kill -9 "$watcher"
{ wait "$watcher"; } 2>/dev/null
freezes tenants/a 1
ok $? "SIGKILL leaves it frozen"
echo 1 >"$work/cgroups/tenants/cgroup.freeze"
tool nvml --thaw-left
is "$status $(cat "$work/err")" "0 gpu-dma-lock: nvml: cgroup /tenants/a is thawed" "--thaw-left thaws it then"
freezes tenants 1
ok $? "and not what others have frozen"
echo 1 >"$work/cgroups/tenants/a/cgroup.freeze"
starts --act freeze
comes "cgroup:/tenants/a was frozen by somebody else" "what others have frozen is told of"
ends 0 "it ends"
freezes tenants/a 1
ok $? "and is theirs to thaw"

# Signals that would leave it frozen.
for signal in HUP INT QUIT; do
	fresh
	over
	starts --act freeze
	frozen tenants/a 1 "frozen"
	kill "-$signal" "$watcher"
	wait "$watcher"
	is "$?" 0 "SIG$signal ends it"
	freezes tenants/a 0
	ok $? "and thaws"
done
fresh
over
mkfifo "$work/pipe"
"$gpu_dma_lock" nvml -l "$library" -i 0.1 --act freeze 2>"$work/pipe" </dev/null &
watcher=$!
sed "/is frozen/q" "$work/pipe" >"$work/err"
says "cgroup:/tenants/a is frozen"
ok $? "it tells of that in a pipe"
table quotas
frozen tenants/a 0 "thawed where nobody reads what it says"
over
frozen tenants/a 1 "and goes on"
ends 0 "until it ends"
freezes tenants/a 0
ok $? "and thaws"

# Whom it does not touch.
fresh
over
table bindings '1a 8 cgroup:/tenants/a/x bound -'
starts --act freeze
comes "cgroup:/tenants/a is not frozen: cgroup:/tenants/a/x in it is of agent 8" "another agent's cgroup in it"
table bindings
frozen tenants/a 1 "until it is that no more"
table bindings '1a 8 cgroup:/tenants/a/x bound -'
frozen tenants/a 0 "or becomes that"
ends 0 "it ends"
table bindings '1a 8 pid:4194306 bound -'
mkdir "$work/processes/4194306"
echo 0::/tenants/a/x >"$work/processes/4194306/cgroup"
starts --act kill
comes "cgroup:/tenants/a is not killed: pid:4194306 in it is of agent 8" "another agent's process in it"
ends 0 "it ends"
table bindings
echo 0::/tenants/a/x >"$work/processes/self/cgroup"
starts --act freeze
comes "cgroup:/tenants/a is not frozen: gpu-dma-lock itself is in it" "itself in it"
ends 0 "it ends"
echo 0::/tenants/a >"$work/processes/1/cgroup"
echo 0::/ >"$work/processes/self/cgroup"
starts --act freeze
comes "cgroup:/tenants/a is not frozen: process 1 is in it" "process 1 in it"
ends 0 "it ends"
table bindings 's|^7 cgroup:/tenants/a|7 cgroup:/|'
starts --act kill
comes "cgroup:/ is not killed: it is the root" "the root"
ends 0 "it ends"
table bindings 's/^7/0/'
table quotas 's/^7 all 12582912/0 all 10485760/'
table allocations 's/^4 7 - 1048576 ledger/4 0 1 1048576 reported/'
starts --act freeze
again
said "over its quota" 0 "agent 0"
ends 0 "it ends"
is "$(cat "$work"/cgroups/tenants/a/cgroup.{freeze,kill})" 0 "nothing was frozen or killed"

# What cannot be known, or read.
fresh
over
rm "$work/processes/1/cgroup"
starts --act kill
comes "cgroup:/tenants/a is not killed: it is not known where process 1 is" "not where process 1 may be in it"
ends 0 "it ends"
fresh
over
starts --act freeze
frozen tenants/a 1 "frozen"
mv "$work/cgroups/tenants/a/cgroup.freeze" "$work/kept"
mkdir "$work/cgroups/tenants/a/cgroup.freeze"
table quotas
comes "cgroup /tenants/a cannot be thawed: Is a directory" "what cannot be thawed is told of"
again
said "cannot be thawed" 1 "once"
succeeds "and stays in the list" grep -q " cgroup:/tenants/a$" "$work/run/frozen"
rmdir "$work/cgroups/tenants/a/cgroup.freeze"
mv "$work/kept" "$work/cgroups/tenants/a/cgroup.freeze"
frozen tenants/a 0 "and is tried again"
ends 0 "it ends"
mkdir "$work/run/frozen"
tool nvml --thaw
is "$status" 1 "a list that cannot be read is not an empty one"
tool nvml -l "$library"
is "$status $(grep -c "of what is frozen: Is a directory" "$work/err")" "2 1" "nor for the next nvml"

# Under audit, and without an NVIDIA GPU in it.
fresh
over audit
starts --act freeze
comes "agent 7 \(tenant-a\): cgroup:/tenants/a would be frozen under enforce" "audit says what would be"
ends 0 "it ends"
starts --act kill
comes "agent 7 \(tenant-a\): cgroup:/tenants/a would be killed under enforce" "of kill too"
is "$(cat "$work"/cgroups/tenants/a/cgroup.{freeze,kill})" 0 "and does not"
over
comes "cgroup:/tenants/a is killed" "what enforce does"
ends 0 "it ends"
: >"$work/cgroups/tenants/a/cgroup.kill"
over off
starts --act freeze
again
said "over its quota" 0 "off says nothing"
ends 0 "it ends"
over
table allocations
starts --act freeze
again
said "over its quota" 0 "nor of memory that the kernel refuses itself"
ends 0 "it ends"
table allocations 's/^4 7 - 1048576 ledger/4 7 1 1048576 stale/'
table quotas 's/^7 0 max/7 0 1024/'
starts --act freeze
again
said "over its quota" 0 "nor of a limit on a device that it is not on"
ends 0 "it ends"
is "$(cat "$work"/cgroups/tenants/a/cgroup.{freeze,kill})" 0 "nothing was frozen or killed"

fresh
over
sleep 600 &
victim=$!
sed -i "s/pid:$nobody/pid:$victim/" "$work/proc/bindings"
starts --act kill
comes "pid:$victim is killed" "kill kills a bound process"
{ wait "$victim"; } 2>/dev/null
is "$?" 137 "by SIGKILL"
comes "cgroup:/tenants/a is killed" "and a cgroup"
is "$(cut -c 1 "$work/cgroups/tenants/a/cgroup.kill")" 1 "by cgroup.kill"
is "$(cat "$work"/cgroups/tenants/cgroup.kill "$work"/cgroups/tenants/a/x/cgroup.kill)" "" "and no other"
rm "$work/cgroups/tenants/a/cgroup.kill"
sleep 0.3
said "killed" 2 "each is told of once"
ends 0 "it ends"
starts --act kill
comes "cgroup:/tenants/a cannot be killed: No such file or directory" "a kernel without cgroup.kill"
ends 0 "it ends"

# What NVML did not say just now.
lost="fail DeviceGetHandleByIndex 15 0"
other="gpu 1 00000000:00:02.0 GPU-two 16777216"
for action in freeze kill; do
	fresh
	gpus=2 scenario "$other" "compute 0 4003 1048576" "compute 1 4005 4096" "$lost"
	starts --act "$action"
	again
	over
	comes "agent 7 \(tenant-a\) is over its quota" "$action: over by a row of a GPU that is lost"
	again
	is "$(cat "$work"/cgroups/tenants/a/cgroup.{freeze,kill})" 0 "nothing happens for that"
	# shellcheck disable=SC2016 # sed's
	table allocations "$told" '$a 10 7 0 4096 reported - - 0x0 4005 train 10 - 0 -'
	again
	is "$(cat "$work"/cgroups/tenants/a/cgroup.{freeze,kill})" 0 "nor where another GPU tells of the agent"
	gpus=2 scenario "$other" "compute 0 4003 1048576" "compute 1 4005 4096"
	comes "cgroup:/tenants/a is (frozen|killed)" "but once it tells again"
	ends 0 "it ends"
done
fresh
over
scenario "compute 0 4005 1048576"
starts --act kill
again
again
said "killed" 0 "nor for a row that somebody else wrote"
ends 0 "it ends"

# What NVML cannot say, as it hangs, still thaws.
for change in "bindings /^7.cgroup/d" "bindings 1a8@cgroup:/tenants/a/x@bound@-"; do
	fresh
	over
	starts --act freeze
	frozen tenants/a 1 "frozen"
	scenario "hang DeviceGetCount"
	sleep 0.3
	sed=${change#* }
	table "${change%% *}" "${sed//@/ }"
	frozen tenants/a 0 "thawed while NVML hangs: $sed"
	ends 0 "it ends"
done
tap_done
