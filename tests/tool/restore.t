#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# gpu-dma-lock save, dump and restore, with files instead of a module: what they read and write, and
# what a trial finds.

. "$(dirname "$0")/lib.sh"

usages() {
	cat <<-'END'
		create_agent ID [QUOTA [NAME]]
		name AGENT NAME|-
		remove_agent AGENT
		set_quota AGENT BYTES|max [DEV]
		set_capacity DEV BYTES|max
		bind AGENT cgroup:PATH|pid:N [later]
		unbind AGENT cgroup:PATH|pid:N
		template PATTERN [QUOTA]
		grant AGENT RANGE|buf=ID MODE
		lock BUFFER AGENT shared|exclusive [nowait|TIMEOUT_MS]
		policy off|audit|enforce
		reset_stats
	END
}


# trial LINE [ERROR]
trial() {
	printf '%s\n' "$1" >"$work/line"
	tool restore --dry-run "$work/line"
	if [ "${2:-}" ]; then
		is "$status $(cat "$work/err")" "1 $work/line:1: $1: $2" "'$1' is wrong"
	else
		is "$status $(cat "$work/err")" "0 " "'$1' is right"
	fi
}

cp -R "$GPU_DMA_LOCK_PROC" "$work/folder"
usages >"$work/folder/control"
: >"$work/folder/quotas.none"
export GPU_DMA_LOCK_PROC=$work/folder
cp "$work/folder/control" "$work/control"

tool dump
golden dump "dump, of a module without config"
echo "policy off" >"$work/folder/config"
tool dump
is "$(cat "$work/out")" "policy off" "dump, of one with it"
rm "$work/folder/config"

tool save "$work/saved"
is "$status$(cat "$work/err")" 0 "save"
is "$(cd "$work/saved" && stat -c '%n %a' -- * .[!.]* 2>/dev/null | tr '\n' ' ')" \
	"control.conf 644 dma_permissions.conf 600 quotas.conf 644 " "three files, with their modes"
cat "$work/saved/quotas.conf" "$work/saved/control.conf" "$work/saved/dma_permissions.conf" >"$work/out"
golden saved "what is saved"

# As when the module was loaded anew, and nobody has restored.
cp -R "$work/saved" "$work/twice"
tool save "$work/twice"
is "$status $(cd "$work/twice" && printf '%s ' *)" "0 control.conf dma_permissions.conf quotas.conf " \
	"what has not changed leaves nothing else"
echo "0 max" >"$work/twice/quotas.conf"
for _ in 1 2; do
	tool save "$work/twice"
	is "$status$(cat "$work/err") $(cat "$work/twice/quotas.conf~") $(cd "$work/twice" && echo *~)" \
		"0 0 max quotas.conf~" "the file that another one replaces is kept"
	cmp -s "$work/twice/quotas.conf" "$work/saved/quotas.conf"
	ok $? "and the new one is there"
done
cp "$work/control" "$work/folder/control"

trial "set_quota 7 1G"
trial "set_quota 99 1Gi 1"
trial "set_quota 7 18446744073709551616" '"18446744073709551616" is too large'
trial "set_quota 7 99999999999T" '"99999999999T" is too large'
trial "set_quota 7 1X" '"1X" is not a size or max'
trial "set_quota 7 1G 9" "no device 9"
trial "set_quota 7" "usage: set_quota AGENT BYTES|max [DEV]"
trial "set_quota 4294967296 1G"
trial "set_quota 4294967299 1G" "ids from 4294967296 to 8589934591 are those of templates"
trial "create_agent 7" "agent 7 exists"
trial "create_agent 0x10 1g newer"
trial "create_agent 10 1g tenant-a" "another agent is called tenant-a"
trial "create_agent 10 1g 7up" '"7up" is not a name'
trial "name tenant-b x" "no agent tenant-b"
trial "name 9 tenant-a" "another agent is called tenant-a"
trial "name idle -"
trial "remove_agent 0" "agent 0 always exists"
trial "bind 7 cgroup:/x soon" '"soon" is not later'
trial "bind 7 group:/x" '"group:/x" is not cgroup:PATH or pid:N'
trial "bind 7 cgroup:/x later"
trial "template pods" '"pods" is not a pattern, which begins with / or *'
trial "grant 7 0x2000-0x1000 r" '"0x2000-0x1000" is not a range or buf=ID'
trial "grant 7 0x1000+4K rw"
trial "grant 7 buf=x r" '"buf=x" is not a range or buf=ID'
trial "grant 7 0x1000 x" '"x" is not r, w, rw or -'
trial "lock 1 7 shared 100"
trial "lock 1 7 mine" '"mine" is not shared|exclusive'
trial "policy maybe" '"maybe" is not off|audit|enforce'
trial "nonsense 1" '"nonsense" is not a command'
trial "# nonsense"
trial "   "
is "$(cat "$work/folder/control")" "$(usages)" "a trial writes nothing"

printf 'create_agent 20 1G twenty\nname twenty other\nbind other cgroup:/x later\nremove_agent 20\nbind 20 cgroup:/x\n' >"$work/line"
tool restore --dry-run "$work/line"
is "$status $(cat "$work/err")" "1 $work/line:5: bind 20 cgroup:/x: no agent 20" \
	"what lines would make is kept in mind"
printf '# device 0 0000:99:00.0\nset_capacity 0 1G\n' >"$work/line"
tool restore --dry-run "$work/line"
is "$(cat "$work/err")" \
	"$work/line:2: set_capacity 0 1G: device 0 was 0000:99:00.0, now it is 0000:00:02.0" "another device"
tool restore --dry-run "$work/saved"
is "$status$(cat "$work/err")" 0 "what was saved is right"

for file in quotas dma_permissions control; do
	: >"$work/folder/$file.new"
done
tool restore "$work/nowhere"
is "$status $(cat "$work/err")" "2 gpu-dma-lock: $work/nowhere: No such file or directory" \
	"a file that is not there"
: >"$work/folder/control"
tool restore - </dev/null
printf '# x\n\ncreate_agent 20\nbind 7 cgroup:/tenants/a\npolicy off' >"$work/line"
tool restore "$work/line"
is "$status$(cat "$work/err") $(grep . "$work/folder/control" | tr '\n' '/')" \
	"0 create_agent 20/policy off/" "restore writes commands, but bindings that are there"
for arguments in "a b" "--nonsense" "-x"; do
	# shellcheck disable=SC2086 # into words
	tool restore $arguments
	refused "restore $arguments"
done

# One that cannot be read is said, and stops no other.
cp -R "$work/saved" "$work/loop"
rm -f "$work/loop/quotas.conf"
ln -s quotas.conf "$work/loop/quotas.conf"
echo "nonsense 7" >"$work/loop/control.conf"
tool restore --dry-run "$work/loop"
is "$status $(grep -c "quotas.conf cannot be read: Too many levels" "$work/err") $(grep -c nonsense "$work/err")" "2 1 1" \
	"a file that cannot be read is said, and the next ones are read"

# A binding that run has made ends with what it runs.
printf '7 cgroup:/gpu-dma-lock/812-1 bound tenant-a\n' >>"$GPU_DMA_LOCK_PROC/bindings"
tool save "$work/without"
is "$status $(grep -c cgroup:/gpu-dma-lock/ "$work/without/control.conf")" "0 0" "nor is it saved"
survives restore --dry-run "$work/saved"
tap_done
