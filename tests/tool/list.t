#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# gpu-dma-lock list: each table, for people and for programs; names with all that a name can have
# stay one word, and one string of JSON.

. "$(dirname "$0")/lib.sh"

tables="agents allocations attachments bindings contexts devices dma_permissions locks quotas
	regions self stats templates"

# What a process, a cgroup and an agent may be called, as the module writes it: a newline, a quote,
# a backslash, UTF-8, and what is none.
hostile='a\012b\042c\134d\303\274e\377f\134n\000'

test_formats() {
	for table in $tables; do
		tool list "$table"
		golden "list-$table" "list $table"
		tool list -J "$table"
		golden "list-$table.json" "list -J $table"
		tool list -r -b "$table"
		golden "list-$table.raw" "list -r -b $table"
		tool list -e "$table"
		golden "list-$table.pairs" "list -e $table"
	done
	tool list -r -b -n agents
	is "$(cat "$work/out")" "$(sed 1d "$GPU_DMA_LOCK_PROC/agents")" \
		"raw, it is what the module writes"
}

# In Turkish an I has no small i, by tolower() and strcasecmp().
test_turkish() {
	"$here/../../scripts/packages" locales
	localedef -i tr_TR -f UTF-8 "$work/tr_TR.UTF-8" || bail "no locale for Turkish"
	LOCPATH=$work LC_ALL=tr_TR.UTF-8 tool list -J -o id,SIZE allocations
	is "$(jq -c '.allocations[0] | keys' "$work/out")" '["id","size"]' "keys in Turkish" ||
		note "$(cat "$work/err")"
	LOCPATH=$work LC_ALL=tr_TR.UTF-8 tool top --once --sort id
	is "$status" 0 "a column to sort by, in Turkish" || note "$(cat "$work/err")"
}

test_columns() {
	tool list -r -o name,USED agents
	is "$(head -n 2 "$work/out" | tr '\n' '/')" "NAME USED/- 4M/" "columns by name, in their order"
	tool list -r -n -b -o used -- agents
	is "$(head -n 1 "$work/out")" 4194304 "sizes in bytes"
	tool list -J -o quota agents
	is "$(jq -c '.agents[0:2]' "$work/out")" \
		'[{"quota":null,"quota_max":true},{"quota":12582912,"quota_max":false}]' \
		"max is null, with a flag"
	tool list -J -o capacity devices
	is "$(jq -c .devices "$work/out")" \
		"$(printf '[%s,%s,%s]' '{"capacity":16777216,"capacity_from":"set"}' \
			'{"capacity":8589934592,"capacity_from":"vram"}' \
			'{"capacity":null,"capacity_from":null}')" "a capacity, and where it is from"
	tool list -o nonsense agents
	refused "no such column: two lines tell the columns"
}

test_usage() {
	for arguments in "" "nonsense" "-x agents" "--nonsense agents" "agents locks" "-o" "../agents"; do
		# shellcheck disable=SC2086 # into words
		tool list $arguments
		refused "list $arguments"
	done
	tool list --help
	is "$status $(head -n 1 "$work/out")" "0 usage: gpu-dma-lock list [OPTIONS] TABLE" "--help"
}

# make_hostile: each word that is a name in any of the tables
make_hostile() {
	cp -R "$GPU_DMA_LOCK_PROC" "$work/hostile"
	for table in agents allocations attachments bindings contexts devices locks quotas templates; do
		hostile="$hostile" perl -pi -e '
			s/(?<= )(tenant-a|render|train|udmabuf|virtio_gpu|vgem)(?= |$)/$ENV{hostile}/g;
			s|^/pods/\*|/$ENV{hostile}|;
			s|cgroup:/tenants/a|cgroup:/$ENV{hostile}|' "$work/hostile/$table"
	done
	echo "name $hostile" >>"$work/hostile/self"
}

test_hostile() {
	make_hostile
	for table in $tables; do
		GPU_DMA_LOCK_PROC=$work/hostile tool list -J "$table"
		succeeds "jq takes $table" jq -e ".$table | length > 0" "$work/out"
		succeeds "and it is UTF-8" iconv -f UTF-8 -t UTF-8 -o /dev/null "$work/out"
		rows=$(awk 'NR > 1' "$GPU_DMA_LOCK_PROC/$table" | wc -l)
		GPU_DMA_LOCK_PROC=$work/hostile tool list -n "$table"
		[ "$(wc -l <"$work/out")" -ge "$rows" ] && ! grep -q "$(printf '[^[:print:]]')" "$work/out"
		ok $? "for people each row of $table is a line, of what can be shown"
	done
	GPU_DMA_LOCK_PROC=$work/hostile tool list -J agents
	is "$(jq -r '.agents[1].name | explode | map(tostring) | join(" ")' "$work/out")" \
		"97 10 98 34 99 92 100 252 101 65533 102 92 110 0" "a name is one string, all of it"
	mkdir "$work/latin1"
	printf '%s\n' 'ID NAME' '1 a\302\2331mb' >"$work/latin1/agents"
	for format in -J -e; do
		GPU_DMA_LOCK_PROC=$work/latin1 tool list "$format" agents
		! LC_ALL=C grep -q "$(printf '\302\233')" "$work/out"
		ok $? "$format: no control character of Latin 1 gets to a terminal"
	done
	GPU_DMA_LOCK_PROC=$work/hostile tool list -n -o name agents
	is "$(sed -n 2p "$work/out")" 'a\012b"c\134düe\377f\134n\000' "as people see it"
}

# in_terminal COMMAND...: what it prints to one
in_terminal() {
	script -qec "$gpu_dma_lock $*" /dev/null </dev/null
}

test_colours() {
	escape=$(printf '\033')
	export TERM=xterm
	is "$(in_terminal list agents | grep -c "$escape\[1;33m")" 2 "on a terminal what stands out has a colour"
	is "$(NO_COLOR=1 in_terminal list agents | grep -c "$escape")" 0 "not with NO_COLOR"
	tool list agents
	is "$(grep -c "$escape" "$work/out")" 0 "nor in a pipe"
}

test_more_columns() {
	mkdir "$work/newer"
	cat >"$work/newer/agents" <<-'END'
		NEW ID USED NEWER
		x\040y 7 4096 17
	END
	cp "$GPU_DMA_LOCK_PROC/stats" "$work/newer/"
	GPU_DMA_LOCK_PROC=$work/newer tool list -J agents
	is "$(jq -c '.agents[]' "$work/out")" '{"new":"x y","id":7,"used":4096,"newer":17}' \
		"columns that are not known are shown too"
	cp "$work/newer/agents" "$work/newer/newer"
	GPU_DMA_LOCK_PROC=$work/newer tool list -n -r -o id newer
	is "$(cat "$work/out")" 7 "and tables"
}

test_no_module() {
	GPU_DMA_LOCK_PROC=$work/nowhere tool list agents
	is "$status $(grep -c 'not loaded' "$work/err")" "2 1" "without the module"
	tool list agents
	"$gpu_dma_lock" list agents >/dev/full 2>"$work/err"
	is "$? $(cat "$work/err")" "2 gpu-dma-lock: cannot write: No space left on device" \
		"on a full disk"
}

test_formats
test_columns
test_usage
test_turkish
test_hostile
test_colours
test_more_columns
test_no_module
survives list -J agents
survives list dma_permissions
tap_done
