#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# gpu-dma-lock: what it saves comes back byte for byte in a module loaded anew, a wrong
# line is named and stops no other; verbs do what they say, and tell why not; who, why and status
# tell what is so.
#
# vm: -k 6.1 -k newest --gpu virtio --mem 768 --timeout 600

# shellcheck disable=SC2317 # functions are called through succeeds and fails
. "$(dirname "$0")/tap.sh"
. "$(dirname "$0")/client.sh"

proc=/proc/swarm/gpu
cgroups=/sys/fs/cgroup
seconds_max=300

# tool ARGUMENTS...: stdout in /tmp/out, stderr in /tmp/err, the status in $status
tool() {
	gpu-dma-lock "$@" >/tmp/out 2>/tmp/err </dev/null
	status=$?
}

load() {
	insmod /gpu_dma_lock.ko || bail "insmod"
}

unload() {
	rmmod gpu_dma_lock || bail "rmmod"
}

reload() {
	unload
	load
}

control() {
	printf '%s\n' "$@" >"$proc/control"
}

# says PATTERN NAME: stdout has such a line
says() {
	grep -qE -- "$1" /tmp/out
	ok $? "$2" || note "$(cat /tmp/out /tmp/err)"
}

# quiet about PATTERN
quiet() {
	! grep -qE -- "$1" /tmp/out
	ok $? "$2" || note "$(cat /tmp/out)"
}

works() {
	is "$status$(cat /tmp/err)" 0 "$1"
}

# column FILE KEY ID COLUMN
cell() {
	awk -v key="$2" -v id="$3" -v column="$4" '
		NR == 1 { for (i = 1; i <= NF; i++) { if ($i == key) k = i; if ($i == column) c = i } }
		NR > 1 && $k == id { print $c; exit }' "$proc/$1"
}

# states: of all bindings but the template's
states() {
	awk 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == "STATE") c = i }
		NR > 1 && $2 != "cgroup:/pods/a" { printf "%s ", $c }' $proc/bindings
}

is_waiting() {
	[ "$(cell agents ID "$1" WAITING)" = 1 ]
}

has_buffers() {
	[ "$(awk 'NR > 1' "$proc/allocations" | wc -l)" = "$1" ]
}

test_usage() {
	for arguments in "" nonsense --nonsense who "why -1" "why a+b" "save a b" "status 1" "top x" \
		"top -n 0" "top -d x" "top -x" "list" "list nonsense" "list -x" "list --nonsense agents" \
		"list -o" "agent" "agent x" "agent add" "bind 1" "lock 1 2" "run 1" "restore a b" \
		"restore --nonsense" "dump x"; do
		# shellcheck disable=SC2086 # into words
		tool $arguments
		is "$status$(cat /tmp/out)" 2 "'$arguments' is refused"
		is "$(wc -l </tmp/err) $(grep -c '^usage: gpu-dma-lock' /tmp/err)" "2 1" \
			"'$arguments': an error and the usage, a line each"
	done
	tool --help
	works "--help works"
	says '^usage: gpu-dma-lock' "--help prints the usage"
	commands=$(sed -n 's/^  \([a-z]*\)\( .*\|$\)/\1/p' /tmp/out)
	for command in $commands; do
		tool "$command" --help
		works "$command --help works"
		says "^usage: gpu-dma-lock $command" "and prints its usage"
	done
	for command in status "top --once" "who 1" "why 1" save restore dump "list agents" policy \
		"policy off" "agent add 1" "run 1 true"; do
		# shellcheck disable=SC2086
		tool $command
		is "$status $(grep -c 'not loaded' /tmp/err)" "2 1" "'$command' without the module"
	done
}

# versions: each that is written somewhere, once
versions() {
	cat /sys/module/gpu_dma_lock/version
	sed -n 's/^gpu-dma-lock //p' /tmp/out
	cd /host/version || return
	sed -n 's/^MODULE_VERSION("\(.*\)");/\1/p' gpu_dma_lock.c
	[ ! -e dkms.conf ] || sed -n 's/^PACKAGE_VERSION="\(.*\)"/\1/p' dkms.conf
	[ ! -e changelog ] || sed -n '1s/.*(\(.*\)-[^-]*).*/\1/p' changelog
	sed -n 's/^\.TH.*"gpu_dma_lock \([^"]*\)".*/\1/p' ./*.[48]
}

test_version() {
	load
	tool --version
	works "--version works"
	is "$(versions | sort -u)" "$(cat /sys/module/gpu_dma_lock/version)" \
		"there is one version" || note "$(versions)"
	unload
}

# no_cgroups: but the root there is none.
no_cgroups() {
	find $cgroups -mindepth 1 -depth -type d -exec rmdir {} \;
	[ -z "$(find $cgroups -mindepth 1 -type d)" ]
}

# pod_id [NAME]: the agent that a template has made of the cgroup /pods/a
pod_id() {
	cell agents NAME "${1:-/pods/a}" ID
}

is_pod() {
	[ "$(pod_id)" ]
}

# make_state: $rules rules, and all that can be saved, and what cannot.
make_state() {
	mkdir -p $cgroups/jobs/a $cgroups/jobs/b "$cgroups/odd name" "$cgroups/dev\\x2dsda" \
		$cgroups/pods/a
	control "create_agent 7 1M tenant-a" "create_agent 8" "set_quota 0 100G" "set_capacity 0 12345678" \
		"set_quota 7 512K 0" "create_agent 18446744073709551615 9007199254740993 last@host:1" \
		"bind 8 cgroup:/jobs/b" "bind 7 cgroup:/jobs/a" 'bind 8 cgroup:/odd\040name' \
		'bind 7 cgroup:/dev\x2dsda' "bind 7 cgroup:/not/there later" "bind 8 pid:$$" \
		"template /pods/* 1Gi" 'template /odd\040name/[ab]?\\x2d*' "template *.slice 4096"
	# An agent of a template comes with its cgroup, whatever it was told.
	wait_until is_pod || bail "no agent of a template"
	awk -v n="$rules" 'BEGIN {
		for (i = 0; i < n; i++)
			printf "%d:0x%x000-0x%x7ff:%s\n", i % 50, i * 2, i * 2, i % 3 ? "r" : "rw"
		print "18446744073709551615:0xfffffffffffff000-0xffffffffffffffff:w"
	}' >$proc/dma_permissions
	control "allocate 7 4096 0" "grant 8 buf=1 rw" "grant $(pod_id) 0x1000+4K rw" \
		"set_quota $(pod_id) 5M" "set_quota $(pod_id) 4M 0" "name $(pod_id) pod"
}

expected_quotas() {
	echo "0 107374182400"
	for agent in $(seq 49); do
		case $agent in
		7) printf '7 1048576\n7 524288 0\n' ;;
		*) echo "$agent max" ;;
		esac
	done
	echo "18446744073709551615 9007199254740993"
}

expected_control() {
	cat <<-'END'
		set_capacity 0 12345678
		name 7 tenant-a
		name 18446744073709551615 last@host:1
		bind 8 cgroup:/jobs/b later
		bind 7 cgroup:/jobs/a later
		bind 8 cgroup:/odd\040name later
		bind 7 cgroup:/dev\134x2dsda later
		bind 7 cgroup:/not/there later
		template /pods/* 1073741824
		template /odd\040name/[ab]?\134\134x2d* max
		template *.slice 4096
	END
}

test_round_trip() {
	load
	rules=$(scaled 5000)
	make_state
	sed "/:buf=/d; /^$(pod_id pod):/d" $proc/dma_permissions >/tmp/rules
	rm -rf /etc/gpu-dma-lock
	start=$(date +%s)
	tool save
	works "save works"
	cp -R /etc/gpu-dma-lock /tmp/first
	is "$(cd /etc/gpu-dma-lock && echo .[!.]* *)" ".[!.]* control.conf dma_permissions.conf quotas.conf" \
		"three files are saved"
	is "$(stat -c %a /etc/gpu-dma-lock/dma_permissions.conf)" 600 "rules are for root only"
	is "$(stat -c %a /etc/gpu-dma-lock/quotas.conf)" 644 "quotas are for all"
	is "$(grep -v '^#' /tmp/first/quotas.conf)" "$(expected_quotas)" "quotas.conf"
	is "$(grep -v '^#' /tmp/first/control.conf)" "$(expected_control)" "control.conf"
	is "$(grep -v '^#' /tmp/first/dma_permissions.conf | cmp - /tmp/rules)" "" \
		"dma_permissions.conf"
	tool save
	succeeds "saved again it is the same" diff -r /tmp/first /etc/gpu-dma-lock
	succeeds "there is no cgroup any more" no_cgroups
	tool save
	succeeds "saved without them it is the same" diff -r /tmp/first /etc/gpu-dma-lock
	reload
	tool restore
	works "restore works where there is no cgroup"
	is "$(find $cgroups -mindepth 1 -type d)" "" "none is made"
	tool save /tmp/second
	succeeds "saved there it is the same" diff -r /tmp/first /tmp/second
	is "$(states)" "waiting waiting waiting waiting waiting " "the bindings wait"
	unbound='7 \(tenant-a\), 18446744073709551615 \(last@host:1\)'
	tool status
	says "^limited, but nobody can be theirs now, since nothing is bound: $unbound\$" \
		"status: whom nothing is bound to"
	mkdir -p $cgroups/jobs/a $cgroups/pods/a
	is "$(states)" "waiting bound waiting waiting waiting " "a cgroup that comes is bound"
	succeeds "one of a template is an agent" wait_until is_pod
	is "$(cell agents NAME /pods/a QUOTA)" 1073741824 "with the template's quota"
	tool status
	says "^limited.* bound: ${unbound#*, }\$" "status: not whom a cgroup is bound to"
	tool restore
	works "restored again it is no error"
	is "$(sed '/:buf=/d' $proc/dma_permissions | cmp - /tmp/rules)" "" "the rules are back"
	is "$(cell agents ID 0 QUOTA)" 107374182400 "agent 0's quota is back"
	is "$(cell agents NAME tenant-a ID) $(cell agents NAME last@host:1 ID)" \
		"7 18446744073709551615" "the names are back"
	tool why tenant-a
	says '^agent 7 \(tenant-a\), policy audit' "why takes a name"
	reload
	tool restore
	works "restore works again"
	tool save /tmp/second
	works "save works with a folder"
	is "$(states)" "waiting bound waiting waiting waiting " "what there is is bound"
	succeeds "what is restored is saved the same" diff -r /tmp/first /tmp/second
	took=$(($(date +%s) - start))
	[ "$took" -lt "$seconds_max" ]
	ok $? "within $seconds_max seconds, it took $took"
	unload
	no_cgroups
	rm -rf /tmp/first /tmp/second
}

# What dump prints, restored into a module loaded anew, is dumped again.
test_stream() {
	load
	rules=100
	make_state
	control "policy off"
	tool dump
	works "dump works"
	cp /tmp/out /tmp/dumped
	grep -v '^#' /tmp/dumped >/tmp/commands
	is "$(grep -v '^#' $proc/config | cmp - /tmp/commands 2>&1)" "" "it is the module's config"
	no_cgroups
	reload
	tool restore --dry-run /tmp/dumped
	works "a dry run finds nothing wrong"
	is "$(grep -v '^#' $proc/config)" "$(printf 'set_quota 0 max\npolicy audit')" \
		"and changes nothing"
	tool restore /tmp/dumped
	works "restore takes it from a file"
	tool dump
	is "$(grep -v '^#' /tmp/out | cmp - /tmp/commands 2>&1)" "" "and dump prints the same"
	reload
	gpu-dma-lock restore - </tmp/dumped
	is "$? $(grep -v '^#' $proc/config | cmp - /tmp/commands 2>&1)" "0 " \
		"restore takes it from the standard input"
	unload
	rm -f /tmp/dumped /tmp/commands
}

# What version 1.0.0 had saved, before bindings lasted.
make_old() {
	mkdir -p /tmp/old
	cat >/tmp/old/quotas.conf <<-'END'
		# AGENT BYTES|max [DEVICE], written by gpu-dma-lock save
		0 max
		7 1048576
		# device 0 0000:00:02.0
		7 524288 0
		8 max
	END
	cat >/tmp/old/control.conf <<-'END'
		# commands, written by gpu-dma-lock save
		# bindings of processes are left out: processes end before their numbers come again
		# device 0 0000:00:02.0
		set_capacity 0 12345678
		bind 8 cgroup:/jobs/b
		bind 7 cgroup:/odd\040name/in
	END
	cat >/tmp/old/dma_permissions.conf <<-'END'
		# AGENT:START-END:MODE, written by gpu-dma-lock save; rules on buffers are left out
		7:0x1000-0x1fff:rw
	END
}

test_old_files() {
	load
	make_old
	mkdir -p $cgroups/jobs/b
	tool restore /tmp/old
	works "old files are restored"
	[ -d "$cgroups/odd name/in" ]
	ok $? "a cgroup is made for its binding"
	is "$(states)" "bound bound " "both are bound"
	tool restore /tmp/old
	works "again, it is no error"
	tool save /tmp/new
	sed -i '/^bind/s/$/ later/' /tmp/old/control.conf
	succeeds "the same is saved, of bindings that last" diff -r /tmp/old /tmp/new
	succeeds "their cgroups go" no_cgroups
	is "$(states)" "waiting waiting " "the bindings stay"
	unload
	rm -rf /tmp/old /tmp/new
}

# A folder with wrong lines among right ones.
make_wrong() {
	mkdir -p /tmp/wrong
	{
		printf '# a comment\n\n  # and another\n7 1M\nnonsense\n8 2M 99\n-1 5\n9 3M all\n8 max\n'
		printf '# device 0 0000:99:00.0\n10 1M 0\n10 4M\n'
		printf '11 1 2 3 4 5 6 7 8 9\n12\t5M  \n13 6M'
	} >/tmp/wrong/quotas.conf
	{
		echo 'bind 7 cgroup:/made/for/it'
		echo 'bind 99 cgroup:/not/made'
		echo 'bind 7 cgroup:/../not'
		echo 'bind 8 cgroup:/taken'
		echo 'bind 7 cgroup://taken/'
		echo 'set_capacity 0 1G'
		echo 'create_agent 7 1M'
		# shellcheck disable=SC2016 # not expanded by anybody
		echo 'foo bar * $HOME'
		printf '%5000s\n' x
		echo 'bind 8 cgroup:/made/too'
		echo 'unbind 7 cgroup:/taken'
		echo 'bind 7 cgroup:/taken'
		echo 'bind 99 cgroup:/comes later'
		echo 'bind 7 cgroup:/../comes later'
		echo 'bind 8 cgroup:/taken later'
		echo 'bind 7 cgroup:/taken later'
		echo 'bind 7 cgroup:/comes soon'
		echo 'template pods/*'
		echo 'template /pods/* 1X'
		echo 'template /pods/*'
		echo 'bind 8 cgroup:/comes later'
	} >/tmp/wrong/control.conf
	awk 'BEGIN { for (i = 1; i <= 3000; i++)
		print i % 1000 ? "7:" i * 8192 "+4K:rw" : i == 3000 ? "7:0x0-0xfff:-" : "7:junk:" i }' \
		>/tmp/wrong/dma_permissions.conf
}

expected_errors() {
	cat <<-END
		quotas.conf:11: 10 1M 0: device 0 was 0000:99:00.0, now it is 0000:00:02.0
		quotas.conf:5: nonsense: Invalid argument: usage: set_quota AGENT BYTES|max [DEV]
		quotas.conf:6: 8 2M 99: No such device: no device 99
		quotas.conf:7: -1 5: Invalid argument: "-1" is not an agent's id or name
		quotas.conf:13: 11 1 2 3 4 5 6 7 8 9: Invalid argument: too many words, or a NUL
		control.conf:9: $(printf %5000s x): Line too long
		control.conf:2: bind 99 cgroup:/not/made: No such file or directory: no agent 99
		control.conf:3: bind 7 cgroup:/../not: No such file or directory: no cgroup /../not
		control.conf:4: bind 8 cgroup:/taken: File exists: cgroup /taken is bound already
		control.conf:7: create_agent 7 1M: File exists: agent 7 exists
		control.conf:8: foo bar * \$HOME: Invalid argument: "foo" is not a command
		control.conf:13: bind 99 cgroup:/comes later: No such file or directory: no agent 99
		control.conf:14: bind 7 cgroup:/../comes later: Invalid argument: cgroup /../comes is no path of a cgroup, or later is for none
		control.conf:15: bind 8 cgroup:/taken later: File exists: cgroup /taken is bound already
		control.conf:17: bind 7 cgroup:/comes soon: Invalid argument: "soon" is not later
		control.conf:18: template pods/*: Invalid argument: "pods/*" is not a pattern, which begins with / or *
		control.conf:19: template /pods/* 1X: Invalid argument: "1X" is not a size or max
		dma_permissions.conf:1000: 7:junk:1000: Invalid argument: "junk" is not a range or buf=ID
		dma_permissions.conf:2000: 7:junk:2000: Invalid argument: "junk" is not a range or buf=ID
		dma_permissions.conf:3000: 7:0x0-0xfff:-: No such file or directory: agent 7 has no such rule
	END
}

test_wrong_lines() {
	load
	rm -rf /tmp/wrong
	make_wrong
	mkdir -p $cgroups/taken
	control "create_agent 7 1K" "bind 7 cgroup:/taken"
	tool restore /tmp/wrong
	is "$status" 1 "restore fails with wrong lines"
	expected_errors | sed 's|^|/tmp/wrong/|' >/tmp/expected
	is "$(cat /tmp/err)" "$(cat /tmp/expected)" "it names them"
	is "$(cell agents ID 7 QUOTA) $(cell agents ID 9 QUOTA) $(cell agents ID 10 QUOTA)" \
		"1048576 3145728 4194304" "the right quotas are set"
	is "$(cell agents ID 12 QUOTA) $(cell agents ID 13 QUOTA)" "5242880 6291456" \
		"also behind the last wrong one, and without a newline"
	is "$(cell devices ID 0 CAPACITY)" 1073741824 "the capacity is set"
	is "$(awk 'NR > 1 { print $1, $2 }' $proc/bindings)" "$(printf '%s\n' '7 cgroup:/made/for/it' \
		'8 cgroup:/made/too' '7 cgroup:/taken' '8 cgroup:/comes')" \
		"bound is what can be"
	is "$(sed 1d $proc/templates)" "/pods/* max 0" "the right template is there"
	[ ! -e $cgroups/not ] && [ ! -e $cgroups/comes ] && [ ! -e "$cgroups/../not" ]
	ok $? "no cgroup is made for a line that is wrong"
	is "$(grep -c . $proc/dma_permissions)" 2997 "all right rules are there"
	rm /tmp/wrong/*
	tool restore /tmp/wrong
	works "an empty folder is no error"
	tool restore /tmp/nowhere
	is "$status $(cat /tmp/err)" "2 gpu-dma-lock: /tmp/nowhere: No such file or directory" \
		"a folder that is not there is"
	unload
}

test_privileges() {
	load
	control "create_agent 7 1M"
	rm -rf /tmp/saved
	tool save /tmp/saved
	cp -R /tmp/saved /tmp/copy
	chmod -R 777 /tmp/saved
	for command in save restore; do
		su -s /bin/sh nobody -c "gpu-dma-lock $command /tmp/saved" 2>/tmp/err
		is "$? $(grep -c CAP_SYS_ADMIN /tmp/err)" "2 1" "$command as nobody is refused"
	done
	succeeds "and changes nothing" diff -r /tmp/copy /tmp/saved
	for command in status "why 7" "top -n 1"; do
		su -s /bin/sh nobody -c "gpu-dma-lock $command" >/tmp/out 2>/tmp/err
		is "$?$(cat /tmp/err)" 0 "$command as nobody works"
	done
	rm -rf /tmp/copy
	unload
}

# On a full disk the old files stay.
test_full_disk() {
	load
	mkdir -p /tmp/small
	mount -t tmpfs -o size=28k tmpfs /tmp/small
	tool save /tmp/small
	works "save works on a small disk"
	cp -R /tmp/small /tmp/copy
	rules=1000
	make_state
	tool save /tmp/small
	is "$status" 2 "save fails on a full disk"
	succeeds "the old files are as they were, nothing else is left" \
		diff -r /tmp/copy /tmp/small
	umount /tmp/small
	rm -rf /tmp/copy
	no_cgroups
	tool save /dev/full
	is "$status" 2 "where no folder can be, it fails too"
	gpu-dma-lock dump >/dev/full 2>/tmp/err
	is "$? $(cat /tmp/err)" "2 gpu-dma-lock: cannot write: No space left on device" \
		"dump fails on a full disk"
	unload
}

test_quiet_status() {
	load
	tool status
	works "status of a module at rest is 0"
	says '^nothing needs attention$' "it says so"
	says "^gpu_dma_lock $(cat /sys/module/gpu_dma_lock/version), policy audit, observing$" \
		"it says version, policy, and that it observes"
	says '^ *0 +0000:00:02.0 .*' "it lists the device"
	unload
	insmod /tests/modules/ipmodify.ko
	load
	tool status
	is "$status" 1 "status is 1 where a hook is not placed"
	says '^  a hook is not placed, dma_buf_export: another user changes its calls' \
		"it says which, and why"
	unload
	rmmod ipmodify
}

test_buffer() {
	load
	mkdir -p $cgroups/tool
	echo $$ >$cgroups/tool/cgroup.procs
	control "create_agent 7 1200K" "create_agent 8" "bind 7 cgroup:/tool"
	# A buffer of virtio-gpu's that vgem imports, of the agent that this shell is bound to
	start_client -d virtio_gpu -s 1M -i vgem
	buffer=$(awk 'NR == 2 { print $1 }' $proc/allocations)
	control "lock $buffer 7 shared" "grant 8 buf=$buffer r"
	echo "lock $buffer 8 exclusive 600000" >$proc/control &
	waiter=$!
	wait_until is_waiting 8 || bail "agent 8 does not wait for a lock"
	tool who "$buffer"
	works "who works"
	says '^buffer [0-9]+$' "who: the id"
	says '^  size +1M \(1048576 bytes\)$' "who: the size"
	says '^  owner +agent 7$' "who: the owner"
	says '^  device +[0-9] \(0000:00:02.0, virtio_gpu\)$' "who: the device"
	says "^  made by +gembuf, pid $client, [0-9].* ago$" "who: its maker"
	says "^  vgem(\.0)? for agent 7: gembuf, pid $client, mapped [0-9-]+" "who: the importer"
	says '^  held: agent 7, shared, ' "who: the lock's holder"
	says '^  waiting: agent 8, exclusive, .*, behind 7(,|$)' "who: its waiter"
	says '^  agent 8: r$' "who: the rule"
	tool who 4711
	is "$status $(cat /tmp/err)" "1 gpu-dma-lock: there is no buffer 4711" "who of no buffer"
	tool why 8
	works "why works"
	says "^  buffer $buffer, exclusive, .*, behind agents? 7" "why: what it waits for, and for whom"
	tool status
	is "$status" 1 "status is 1 with a waiter"
	says '^  agent 8 waits for 1 lock: gpu-dma-lock why 8$' "status: the waiter"
	says '^  agent 7 is near its quota: 1M of 1.2M, 85 %$' "status: a quota nearly used up"
	kill "$waiter" 2>/dev/null
	control "remove_agent 8"
	wait "$waiter" 2>/dev/null
}

# Of the same agent: over its quota, and refused.
test_denied() {
	control "policy enforce"
	tool why 7
	says '^  not recorded: gdl_charge_denied gdl_lock_denied gdl_dma_denied gdl_check_denied;' \
		"why: nothing is recorded"
	for event in charge lock dma check; do
		echo 1 >"/sys/kernel/tracing/events/gpu_dma_lock/gdl_${event}_denied/enable"
	done
	fails "a second buffer is refused" gembuf -d virtio_gpu -s 1M -e
	fails "a check too" sh -c "echo 'check 7 0x1000 r' >$proc/control"
	tool why 7
	works "why works"
	says '^agent 7, policy enforce: what is over a limit is refused$' "why: the policy"
	says '^  all +uses 1M of 1.2M \(85 %\), at most [0-9.]*M so far, over it 1 time$' "why: the quota"
	says '^  quota_denied +1 \(over a quota, refused\)$' "why: the counter"
	says 'gdl_charge_denied: agent=7 .* size=1048576 .*refused$' "why: the trace of the charge"
	says 'gdl_check_denied: agent=7 ' "why: the trace of the check"
	quiet 'not recorded' "why: all is recorded"
	tool status
	sed -n '/^since the last reset_stats:$/,/^$/p' /tmp/out >/tmp/since
	cp /tmp/since /tmp/out
	says '^  1 charges? over a quota were refused; agents with such: 7$' \
		"status: the refusal, as something that has been"
	tool why 0
	quiet 'agent=7' "why: not another agent's denials"
	tool why 4711
	is "$status $(cat /tmp/err)" "1 gpu-dma-lock: there is no agent 4711" "why of no agent"
	echo >/sys/kernel/tracing/set_event
	echo >/sys/kernel/tracing/trace
	echo $$ >$cgroups/cgroup.procs
	stop_client
	wait_until has_buffers 0
	unload
	wait_until rmdir $cgroups/tool
}

# prints LINE: that alone
prints() {
	is "$status $(cat /tmp/out /tmp/err)" "0 $1" "$2"
}

# refused SENTENCE NAME: by the module, in these words
refused() {
	is "$status$(cat /tmp/out) $(cat /tmp/err)" "1 gpu-dma-lock: $1" "$2"
}

test_verbs() {
	load
	tool agent add 7 1G tenant-a
	prints "" "agent add"
	is "$(cell agents ID 7 QUOTA) $(cell agents ID 7 NAME)" "1073741824 tenant-a" "makes it"
	tool agent add 7
	refused "agent: agent 7 exists (EEXIST)" "but not twice"
	tool agent set tenant-a 2G
	tool quota tenant-a 1M 0
	is "$(awk '$1 == 7 { print $2, $3 }' $proc/quotas | xargs)" "all 2147483648 0 1048576" \
		"agent set and quota limit it"
	tool agent name 7 "two words"
	is "$status $(head -n 1 /tmp/err)" '2 gpu-dma-lock: agent: "two\040words" is not one word' \
		"a word stays one"
	tool agent name 7 7up
	refused 'agent: "7up" is not a name or - (EINVAL)' "the module says what is wrong"
	tool agent name 7 -
	is "$(cell agents ID 7 NAME)" - "agent name"
	mkdir -p "$cgroups/odd name"
	tool bind 7 "cgroup:/odd name"
	prints "" "bind takes a path with a blank"
	tool bind 7 cgroup:/later later
	is "$(states)" "bound waiting " "and one that is to come"
	tool bind 9 cgroup:/later
	refused "bind: no agent 9 (ENOENT)" "but for an agent that is there"
	tool unbind 7 "cgroup:/odd name"
	tool unbind 7 cgroup:/later
	is "$(states)" "" "unbind"
	tool template "/pods/*" 1G
	tool template add "*.slice"
	is "$(sed 1d $proc/templates | xargs)" "/pods/* 1073741824 0 *.slice max 0" "template"
	tool template remove "*.slice"
	is "$(sed 1d $proc/templates | wc -l)" 1 "template remove"
	tool capacity 0 1G
	is "$(cell devices ID 0 CAPACITY)" 1073741824 "capacity"
	tool policy enforce
	tool policy
	prints enforce "policy sets it, and prints it"
	tool allocate 7 4096 0
	buffer=$(cat /tmp/out)
	is "$(cell allocations ID "$buffer" SIZE)" 4096 "allocate prints the buffer's id"
	tool lock "$buffer" 7 exclusive
	prints "" "lock"
	tool lock "$buffer" 0 shared nowait
	refused "lock: buffer $buffer cannot be had at once (EAGAIN)" "against another's"
	tool lock "$buffer" 0 shared 10
	refused "lock: buffer $buffer could not be had in 10 ms (ETIMEDOUT)" "also in time"
	tool unlock "$buffer" 7
	prints "" "unlock"
	tool check 7 0x1000 r
	refused "check: agent 7 may not (EACCES)" "check: no"
	tool grant 7 0x1000+4K rw
	tool check 7 0x1000 rw
	prints "" "granted, check is 0"
	tool revoke 7 0x1000
	tool check 7 0x1000 r
	is "$status" 1 "revoked, it is 1"
	tool context add 7 0
	tool context switch 0 "$(cat /tmp/out)"
	is "$(awk 'NR == 2 { print $5 }' $proc/contexts)" active "context"
	tool agent reset 7
	tool reset
	prints "" "reset"
	tool free "$buffer"
	tool agent remove 7
	is "$(cell agents ID 7 ID)" "" "agent remove"
	tool agent remove 0
	refused "agent: agent 0 always exists (EINVAL)" "but not the host"
	su -s /bin/sh nobody -c "gpu-dma-lock agent add 8" 2>/tmp/err
	is "$? $(grep -c CAP_SYS_ADMIN /tmp/err)" "2 1" "nobody may not"
	no_cgroups
	unload
}

# What runs for an agent is its own from the first buffer on, and its cgroup goes.
test_run() {
	load
	control "create_agent 7 1200K" "policy enforce"
	tool run 7 sh -c 'sed -n "s/^agent //p" /proc/swarm/gpu/self; exit 3'
	is "$status $(cat /tmp/out /tmp/err)" "3 7" "run: the agent, and the command's status"
	fails "run: its quota holds" gpu-dma-lock run 7 gembuf -d virtio_gpu -s 2M -e
	is "$(cell agents ID 7 DENIED)" 1 "and counts"
	tool run 7 sh -c 'kill -TERM $$'
	is "$status" 143 "run: a signal"
	is "$(trap '' HUP; gpu-dma-lock run 7 sh -c 'kill -HUP $$; echo alive')" alive \
		"run: a signal that is ignored stays so"
	tool run 7 /nonsense
	is "$status" 127 "run: no such command"
	tool run 9 true
	is "$status $(cat /tmp/err)" "1 gpu-dma-lock: run: no agent 9 (ENOENT)" "run: no such agent"
	is "$(states)$(find $cgroups/gpu-dma-lock -mindepth 1 -type d)" "" "run leaves nothing"
	tool run 7 sh -c 'sleep 600 </dev/null >/dev/null 2>&1 &'
	is "$status $(grep -c 'runs on in cgroup' /tmp/err)" "0 1" "run: what goes on is told of"
	is "$(states)" "bound " "and stays bound"
	xargs kill <"$(echo $cgroups/gpu-dma-lock/*/cgroup.procs)"
	succeeds "run: its cgroup can go" wait_until no_cgroups
	unload
}

# rows_of LETTER: ids of the agents in the order that they are shown in
agents_by() {
	tool top -n 1 -s "$1"
	sed -n '/^AGENT/,/^$/p' /tmp/out | awk 'NR > 1 && NF { print $1 }' | xargs
}

test_top() {
	load
	control "create_agent 1 1T" "create_agent 2" "create_agent 3" "allocate 1 5M 0" "name 3 third" \
		"allocate 2 1M 0" "allocate 2 1M 0" "allocate 3 300G 0" "free 4" "allocate 3 1536 0"
	is "$(agents_by u)" "1 2 third 0" "top by use"
	is "$(agents_by p)" "third 1 2 0" "top by peak"
	is "$(agents_by b)" "2 1 third 0" "top by buffers"
	says '^1 +1 +5M +5M +1T +0 ' "top: sizes are for people"
	is "$(sed -n '/^BUFFER/,$p' /tmp/out | awk 'NR > 1 { print $1 }' | xargs)" "1 2 3 5" \
		"the largest buffers first"
	for agent in $(seq 4 200); do
		echo "create_agent $agent 1M"
		echo "allocate $agent ${agent}K 0"
	done >$proc/control
	tool top -n 3 -d 0.1
	works "top -n works"
	is "$(grep -c '^gpu_dma_lock: policy audit, 201 agents, 201 buffers' /tmp/out)" 3 \
		"three frames"
	is "$(awk 'length > 80' /tmp/out)" "" "no line is over 80 columns"
	[ "$(wc -l </tmp/out)" -le 74 ]
	ok $? "no frame is over 24 lines"
	[ "$(grep -c . /tmp/out)" -ge 60 ]
	ok $? "nor much under"
	unload
}

modprobe vgem
test_usage
test_version
test_privileges
test_round_trip
test_stream
test_old_files
test_wrong_lines
test_full_disk
test_quiet_status
test_verbs
test_run
test_buffer
test_denied
test_top
is "$(reports)" 0 "no report in the log"
tap_done
