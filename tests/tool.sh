#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# gpu-dma-lock: what it saves comes back byte for byte in a module loaded anew, a wrong
# line is named and stops no other; who, why and status tell what is so. By busybox and by
# dash with mawk and the coreutils.
#
# vm: -k 6.1 -k 6.12 -k newest --gpu virtio --mem 768 --timeout 600

# shellcheck disable=SC2317 # functions are called through succeeds and fails
. "$(dirname "$0")/tap.sh"
. "$(dirname "$0")/client.sh"

proc=/proc/swarm/gpu
cgroups=/sys/fs/cgroup
seconds_max=60

# tool ARGUMENTS...: stdout in /tmp/out, stderr in /tmp/err, the status in $status
tool() {
	case $shell in
	busybox) busybox sh /host/gpu-dma-lock "$@" >/tmp/out 2>/tmp/err </dev/null ;;
	dash) PATH=/host/gnu:$PATH dash /host/gpu-dma-lock "$@" >/tmp/out 2>/tmp/err </dev/null ;;
	esac
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
	ok $? "$shell: $2" || note "$(cat /tmp/out /tmp/err)"
}

# quiet about PATTERN
quiet() {
	! grep -qE -- "$1" /tmp/out
	ok $? "$shell: $2" || note "$(cat /tmp/out)"
}

works() {
	is "$status$(cat /tmp/err)" 0 "$shell: $1"
}

# column FILE KEY ID COLUMN
cell() {
	awk -v key="$2" -v id="$3" -v column="$4" '
		NR == 1 { for (i = 1; i <= NF; i++) { if ($i == key) k = i; if ($i == column) c = i } }
		NR > 1 && $k == id { print $c; exit }' "$proc/$1"
}

has_buffers() {
	[ "$(awk 'NR > 1' "$proc/allocations" | wc -l)" = "$1" ]
}

test_usage() {
	for arguments in "" nonsense who "who x" "why -1" "save a b" "status 1" "top x" \
		"top -s x" "top -n 0" "top -d x" "top -x"; do
		# shellcheck disable=SC2086 # into words
		tool $arguments
		is "$status$(cat /tmp/out)" 2 "$shell: '$arguments' is refused"
		grep -q '^usage: gpu-dma-lock' /tmp/err
		ok $? "$shell: '$arguments' gets the usage on stderr"
	done
	tool --help
	works "--help works"
	says '^usage: gpu-dma-lock' "--help prints the usage"
	for command in status top "who 1" "why 1" save restore; do
		# shellcheck disable=SC2086
		tool $command
		is "$status $(grep -c 'not loaded' /tmp/err)" "2 1" "$shell: '$command' without the module"
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
		"$shell: there is one version" || note "$(versions)"
	unload
}

# make_state: $rules rules, and all that can be saved, and what cannot.
make_state() {
	mkdir -p $cgroups/jobs/a $cgroups/jobs/b "$cgroups/odd name" "$cgroups/dev\\x2dsda"
	control "create_agent 7 1M" "create_agent 8" "set_quota 0 100G" "set_capacity 0 12345678" \
		"set_quota 7 512K 0" "create_agent 18446744073709551615 9007199254740993" \
		"bind 8 cgroup:/jobs/b" "bind 7 cgroup:/jobs/a" 'bind 8 cgroup:/odd\040name' \
		'bind 7 cgroup:/dev\x2dsda' "bind 8 pid:$$"
	awk -v n="$rules" 'BEGIN {
		for (i = 0; i < n; i++)
			printf "%d:0x%x000-0x%x7ff:%s\n", i % 50, i * 2, i * 2, i % 3 ? "r" : "rw"
		print "18446744073709551615:0xfffffffffffff000-0xffffffffffffffff:w"
	}' >$proc/dma_permissions
	control "allocate 7 4096 0" "grant 8 buf=1 rw"
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

test_round_trip() {
	load
	rules=$(scaled 5000)
	make_state
	sed '/:buf=/d' $proc/dma_permissions >/tmp/rules
	rm -rf /etc/gpu-dma-lock
	start=$(date +%s)
	tool save
	works "save works"
	cp -R /etc/gpu-dma-lock /tmp/first
	is "$(cd /etc/gpu-dma-lock && echo .[!.]* *)" ".[!.]* control.conf dma_permissions.conf quotas.conf" \
		"$shell: three files are saved"
	is "$(stat -c %a /etc/gpu-dma-lock/dma_permissions.conf)" 600 "$shell: rules are for root only"
	is "$(stat -c %a /etc/gpu-dma-lock/quotas.conf)" 644 "$shell: quotas are for all"
	is "$(grep -v '^#' /tmp/first/quotas.conf)" "$(expected_quotas)" "$shell: quotas.conf"
	is "$(grep -v '^#' /tmp/first/control.conf)" "$(printf '%s\n' 'set_capacity 0 12345678' \
		'bind 8 cgroup:/jobs/b' 'bind 7 cgroup:/jobs/a' 'bind 8 cgroup:/odd\040name' \
		'bind 7 cgroup:/dev\134x2dsda')" "$shell: control.conf"
	is "$(grep -v '^#' /tmp/first/dma_permissions.conf | cmp - /tmp/rules)" "" \
		"$shell: dma_permissions.conf"
	tool save
	succeeds "$shell: saved again it is the same" diff -r /tmp/first /etc/gpu-dma-lock
	reload
	rmdir $cgroups/jobs/a $cgroups/jobs/b $cgroups/jobs "$cgroups/odd name" "$cgroups/dev\\x2dsda"
	tool restore
	works "restore works"
	succeeds "$shell: a cgroup is made for its binding" rmdir "$cgroups/odd name"
	mkdir "$cgroups/odd name"
	control 'bind 8 cgroup:/odd\040name'
	tool restore
	works "restored again it is no error"
	is "$(sed '/:buf=/d' $proc/dma_permissions | cmp - /tmp/rules)" "" "$shell: the rules are back"
	is "$(cell agents ID 0 QUOTA)" 107374182400 "$shell: agent 0's quota is back"
	reload
	tool restore
	works "restore works again"
	tool save /tmp/second
	works "save works with a folder"
	succeeds "$shell: what is restored is saved the same" diff -r /tmp/first /tmp/second
	took=$(($(date +%s) - start))
	[ "$took" -lt "$seconds_max" ]
	ok $? "$shell: within $seconds_max seconds, it took $took"
	unload
	rm -rf /tmp/first /tmp/second
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
	} >/tmp/wrong/control.conf
	awk 'BEGIN { for (i = 1; i <= 3000; i++)
		print i % 1000 ? "7:" i * 8192 "+4K:rw" : i == 3000 ? "7:0x0-0xfff:-" : "7:junk:" i }' \
		>/tmp/wrong/dma_permissions.conf
}

expected_errors() {
	cat <<-END
		quotas.conf:11: 10 1M 0: device 0 was 0000:99:00.0, now it is 0000:00:02.0
		quotas.conf:5: nonsense: Invalid argument
		quotas.conf:6: 8 2M 99: No such device
		quotas.conf:7: -1 5: Invalid argument
		quotas.conf:13: 11 1 2 3 4 5 6 7 8 9: Invalid argument
		control.conf:9: $(printf %5000s x): Line too long
		control.conf:2: bind 99 cgroup:/not/made: No such file or directory
		control.conf:3: bind 7 cgroup:/../not: No such file or directory
		control.conf:4: bind 8 cgroup:/taken: File exists
		control.conf:7: create_agent 7 1M: File exists
		control.conf:8: foo bar * \$HOME: Invalid argument
		dma_permissions.conf:1000: 7:junk:1000: Invalid argument
		dma_permissions.conf:2000: 7:junk:2000: Invalid argument
		dma_permissions.conf:3000: 7:0x0-0xfff:-: No such file or directory
	END
}

test_wrong_lines() {
	load
	rm -rf /tmp/wrong
	make_wrong
	mkdir -p $cgroups/taken
	control "create_agent 7 1K" "bind 7 cgroup:/taken"
	tool restore /tmp/wrong
	is "$status" 1 "$shell: restore fails with wrong lines"
	expected_errors | sed 's|^|/tmp/wrong/|' >/tmp/expected
	is "$(cat /tmp/err)" "$(cat /tmp/expected)" "$shell: it names them"
	is "$(cell agents ID 7 QUOTA) $(cell agents ID 9 QUOTA) $(cell agents ID 10 QUOTA)" \
		"1048576 3145728 4194304" "$shell: the right quotas are set"
	is "$(cell agents ID 12 QUOTA) $(cell agents ID 13 QUOTA)" "5242880 6291456" \
		"$shell: also behind the last wrong one, and without a newline"
	is "$(cell devices ID 0 CAPACITY)" 1073741824 "$shell: the capacity is set"
	is "$(sed 1d $proc/bindings)" "$(printf '%s\n' '7 cgroup:/made/for/it' \
		'8 cgroup:/made/too' '7 cgroup:/taken')" \
		"$shell: bound is what can be"
	[ ! -e $cgroups/not ] && [ ! -e "$cgroups/../not" ]
	ok $? "$shell: no cgroup is made for a line that is wrong"
	is "$(grep -c . $proc/dma_permissions)" 2997 "$shell: all right rules are there"
	rm /tmp/wrong/*
	tool restore /tmp/wrong
	works "an empty folder is no error"
	tool restore /tmp/nowhere
	works "nor is none"
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
		su -s /bin/sh nobody -c "busybox sh /host/gpu-dma-lock $command /tmp/saved" 2>/tmp/err
		is "$? $(grep -c CAP_SYS_ADMIN /tmp/err)" "2 1" "$command as nobody is refused"
	done
	succeeds "and changes nothing" diff -r /tmp/copy /tmp/saved
	for command in status "why 7" "top -n 1"; do
		su -s /bin/sh nobody -c "busybox sh /host/gpu-dma-lock $command" >/tmp/out 2>/tmp/err
		is "$?$(cat /tmp/err)" 0 "$command as nobody works"
	done
	rm -rf /tmp/copy
	unload
}

# On a full disk the old files stay, and nothing is restored by half.
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
	is "$status" 2 "$shell: save fails on a full disk"
	succeeds "$shell: the old files are as they were, nothing else is left" \
		diff -r /tmp/copy /tmp/small
	tool save /tmp/large
	reload
	tool restore /tmp/large
	quotas=$(cat $proc/quotas)
	reload
	export TMPDIR=/tmp/small
	tool restore /tmp/large
	unset TMPDIR
	is "$status $(cat $proc/dma_permissions)" "2 " "$shell: restore fails on a full disk"
	is "$(cat $proc/quotas)" "$quotas" "$shell: having restored what there was room for"
	umount /tmp/small
	rm -rf /tmp/copy /tmp/large
	unload
}

test_quiet_status() {
	load
	tool status
	works "status of a module at rest is 0"
	says '^nothing needs attention$' "it says so"
	says "^gpu_dma_lock $(cat /sys/module/gpu_dma_lock/version), policy audit, probes fire$" \
		"it says version, policy, and that probes fire"
	says '^0 +0000:00:02.0 .*' "it lists the device"
	echo 0 >/sys/kernel/debug/kprobes/enabled
	tool status
	is "$status" 1 "$shell: status is 1 with silent probes"
	says '^  the probes are silent: ' "it says that they are silent"
	echo 1 >/sys/kernel/debug/kprobes/enabled
	tool status
	says '^  totals may be short: ' "then that totals may be short"
	unload
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
	echo "lock $buffer 8 exclusive 60000" >$proc/control &
	waiter=$!
	wait_until test "$(cell agents ID 8 WAITING)" = 1
	tool who "$buffer"
	works "who works"
	says '^buffer [0-9]+$' "who: the id"
	says '^  size +1M \(1048576 bytes\)$' "who: the size"
	says '^  owner +agent 7$' "who: the owner"
	says '^  device +[0-9] \(0000:00:02.0, virtio_gpu\)$' "who: the device"
	says "^  made by +gembuf, pid $client, [0-9]+m?s ago$" "who: its maker"
	says "^  vgem(\.0)? for agent 7: gembuf, pid $client, mapped [0-9-]+" "who: the importer"
	says '^  held: agent 7, shared, ' "who: the lock's holder"
	says '^  waiting: agent 8, exclusive, .*, behind 7(,|$)' "who: its waiter"
	says '^  agent 8: r$' "who: the rule"
	tool who 4711
	is "$status $(cat /tmp/err)" "1 gpu-dma-lock: there is no buffer 4711" "$shell: who of no buffer"
	tool why 8
	works "why works"
	says "^  buffer $buffer, exclusive, .*, behind agents? 7" "why: what it waits for, and for whom"
	tool status
	is "$status" 1 "$shell: status is 1 with a waiter"
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
	says '^  1 charges? over a quota were refused; agents with such: 7$' "status: the refusal"
	tool why 0
	quiet 'agent=7' "why: not another agent's denials"
	tool why 4711
	is "$status $(cat /tmp/err)" "1 gpu-dma-lock: there is no agent 4711" "$shell: why of no agent"
	echo >/sys/kernel/tracing/set_event
	echo >/sys/kernel/tracing/trace
	echo $$ >$cgroups/cgroup.procs
	stop_client
	wait_until has_buffers 0
	unload
	wait_until rmdir $cgroups/tool
}

# rows_of LETTER: ids of the agents in the order that they are shown in
agents_by() {
	tool top -n 1 -s "$1"
	sed -n '/^AGENT/,/^$/p' /tmp/out | awk 'NR > 1 && NF { print $1 }' | xargs
}

test_top() {
	load
	control "create_agent 1 1T" "create_agent 2" "create_agent 3" "allocate 1 5M 0" \
		"allocate 2 1M 0" "allocate 2 1M 0" "allocate 3 300G 0" "free 4" "allocate 3 1536 0"
	is "$(agents_by u)" "1 2 3 0" "$shell: top by use"
	is "$(agents_by p)" "3 1 2 0" "$shell: top by peak"
	is "$(agents_by b)" "2 1 3 0" "$shell: top by buffers"
	says '^1 +1 +5M +5M +1T +0 ' "top: sizes are for people"
	is "$(sed -n '/^BUFFER/,$p' /tmp/out | awk 'NR > 1 { print $1 }' | xargs)" "1 2 3 5" \
		"$shell: the largest buffers first"
	for agent in $(seq 4 200); do
		echo "create_agent $agent 1M"
		echo "allocate $agent ${agent}K 0"
	done >$proc/control
	tool top -n 3 -d 0.1
	works "top -n works"
	is "$(grep -c '^gpu_dma_lock: policy audit, 201 agents, 201 buffers' /tmp/out)" 3 \
		"$shell: three frames"
	is "$(awk 'length > 80' /tmp/out)" "" "$shell: no line is over 80 columns"
	[ "$(wc -l </tmp/out)" -le 74 ]
	ok $? "$shell: no frame is over 24 lines"
	[ "$(grep -c . /tmp/out)" -ge 60 ]
	ok $? "$shell: nor much under"
	unload
}

modprobe vgem
shell=busybox
test_usage
test_version
test_privileges
for shell in busybox dash; do
	test_round_trip
	test_wrong_lines
	test_full_disk
	test_quiet_status
	test_buffer
	test_denied
	test_top
done
is "$(reports)" 0 "no report in the log"
tap_done
