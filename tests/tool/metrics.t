#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# gpu-dma-lock metrics: promtool and the strict parser of OpenMetrics take what it prints, with
# hostile names too; each metric is in docs/fleet.md; a file is whole or not there; the rules of
# examples/prometheus do what their tests say, and the dashboard of examples/grafana is one.

# shellcheck disable=SC2016,SC2317 # in patterns nothing expands; functions are called by succeeds
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

top=$(cd "$here/../.." && pwd)
export TZ=UTC

# parses: by prometheus_client, which refuses what OpenMetrics does not allow
parses() {
	/usr/bin/python3 -c 'import sys
from prometheus_client.openmetrics.parser import text_string_to_metric_families
for family in text_string_to_metric_families(sys.stdin.read()): pass' <"$work/out"
}

# The module's version is that of this machine, if it has one.
printed() {
	sed -i 's/^\(gpu_dma_lock_module_info{version=\)"[^"]*"/\1"VERSION"/' "$work/out"
	golden "$1" "$2"
}

test_usage() {
	for arguments in x -x "-o"; do
		# shellcheck disable=SC2086 # into words
		tool metrics $arguments
		refused "metrics $arguments is refused"
	done
	GPU_DMA_LOCK_PROC=/nowhere tool metrics
	is "$status $(grep -c 'not loaded' "$work/err")" "2 1" "without the module"
}

test_formats() {
	tool metrics
	is "$status$(cat "$work/err")" 0 "metrics works"
	succeeds "OpenMetrics" parses
	is "$(tail -n 1 "$work/out")" "# EOF" "ends with # EOF"
	is "$(grep -cE '(pid|buffer|inode)=' "$work/out")" 0 "no series a process or a buffer"
	printed metrics.om "as OpenMetrics"
	tool metrics --textfile
	succeeds "promtool checks the text format" promtool check metrics <"$work/out"
	printed metrics.prom "as the text format"
}

test_names() {
	cp -R "$here/fixtures/small" "$work/odd"
	sed -i 's/ idle / \\012quote"\\134back\\303\\266\\377\\xe2\\226 /' "$work/odd/agents"
	GPU_DMA_LOCK_PROC=$work/odd tool metrics
	succeeds "hostile names parse" parses
	is "$(sed -n 's/^gpu_dma_lock_agent_info{agent="9",name="\(.*\)",cgroup.*/\1/p' "$work/out")" \
		'\nquote\"\\backö�\\xe2�' "and are escaped"
	succeeds "it is UTF-8" iconv -f UTF-8 -t UTF-8 -o /dev/null "$work/out"
	GPU_DMA_LOCK_PROC=$work/odd tool metrics -t
	succeeds "promtool takes them" promtool check metrics <"$work/out"
}

# Labels that are the same where names are not are one series.
test_patterns() {
	cp -R "$here/fixtures/small" "$work/patterns"
	printf '/a\\377 max 2\n/b max 1\n/a\\376 max 3\n' >>"$work/patterns/templates"
	GPU_DMA_LOCK_PROC=$work/patterns tool metrics
	succeeds "patterns that are no UTF-8 parse" parses
	is "$(sed -n 's/^gpu_dma_lock_template_agents//p' "$work/out")" \
		'{pattern="/a�"} 5
{pattern="/b"} 1
{pattern="/pods/*"} 1' "and are one series"
}

test_file() {
	mkdir "$work/textfile"
	umask 077
	tool metrics -t --output "$work/textfile/gpu.prom"
	is "$status$(cat "$work/out" "$work/err")" 0 "--output works"
	is "$(stat -c %a "$work/textfile/gpu.prom") $(ls -A "$work/textfile")" "644 gpu.prom" \
		"all can read it, and nothing else is left"
	cp "$work/textfile/gpu.prom" "$work/before"
	cp -R "$here/fixtures/small" "$work/broken"
	echo "9 junk" >>"$work/broken/devices"
	GPU_DMA_LOCK_PROC=$work/broken tool metrics -t -o "$work/textfile/gpu.prom"
	is "$status $(ls -A "$work/textfile")" "2 gpu.prom" "a table that is wrong fails it"
	succeeds "and leaves the file as it was" cmp "$work/before" "$work/textfile/gpu.prom"
	ln -s /dev/null "$work/link"
	tool metrics -o "$work/link"
	is "$status $(readlink "$work/link") $(cat "$work/err")" \
		"2 /dev/null gpu-dma-lock: $work/link: not a regular file" "a link is not replaced"
	tool metrics -o "$work/nowhere/gpu.prom"
	is "$status $(grep -c 'No such file' "$work/err")" "2 1" "a folder that is not there"
	"$gpu_dma_lock" metrics >/dev/full 2>"$work/err"
	is "$? $(grep -c 'cannot write' "$work/err")" "2 1" "a full disk"
	umask 022
}

test_documented() {
	is "$(grep -oE '^\| `gpu_dma_lock_[a-z_]+`' "$top/docs/fleet.md" | grep -oE 'gpu[a-z_]+' | sort)" \
		"$(sed -n 's/^# TYPE \([a-z_]*\) .*/\1/p' "$here/golden/metrics.prom" | sort)" \
		"docs/fleet.md has each metric, and no others"
}

# used_by FILE: names of metrics of ours that a file of rules uses
used_by() {
	grep -oE 'gpu_dma_lock_[a-z_]+' "$1" | grep -v 'gpu_dma_lock_$' | sort -u
}

test_rules() {
	cd "$top/examples/prometheus" || return
	succeeds "promtool checks the rules" promtool check rules gpu_dma_lock.rules.yml
	succeeds "and tests them" promtool test rules gpu_dma_lock.test.yml
	for name in $(used_by gpu_dma_lock.rules.yml); do
		grep -q "^# TYPE $name " "$here/golden/metrics.prom"
		ok $? "the rules use $name, which is there"
	done
	cd "$here" || return
}

# costs NAME [worst]: 1,000 agents on 16 devices
costs() {
	mkdir "$work/many${2:-}"
	"$here/many-rows" "$work/many${2:-}" 10000 1000 16 ${2:+"$2"}
	took=$({
		TIMEFORMAT='%U %S'
		time GPU_DMA_LOCK_PROC=$work/many${2:-} "$gpu_dma_lock" metrics >"$work/out"
	} 2>&1 | awk '{ print ($1 + $2) * 1000 }')
	succeeds "OpenMetrics" parses
	[ "$(stat -c %s "$work/out")" -lt 2000000 ]
	ok $? "$1: $(stat -c %s "$work/out") bytes"
	if nm -D "$gpu_dma_lock" | grep -q __asan_init; then
		skip "the cost of a program with AddressSanitizer"
	else
		[ "$took" -lt 2000 ]
		ok $? "$took ms of CPU"
	fi
}

# nearest_shown TABLE: the pairs of quotas that have series are those nearest to their limit
nearest_shown() {
	sed -n 's/^gpu_dma_lock_agent_device_bytes{agent="\(.*\)",device="\(.*\)"} .*/\1 \2/p' "$work/out" |
		awk '
			NR == FNR { shown[$1 " " $2] = 1; next }
			FNR == 1 || $2 == "all" { next }
			{ share = $4 / $3 }
			($1 " " $2) in shown { if (!seen++ || share < least) least = share; next }
			share > most { most = share }
			END { exit !(seen && most <= least) }' - "$1"
}

test_cost() {
	costs "1,000 agents that use 16 devices"
	is "$(grep -c '^gpu_dma_lock_agent_device_bytes' "$work/out")" 16000 "each has its series"
	is "$(tail -n 2 "$work/out" | head -n 1)" "gpu_dma_lock_agent_devices_left_out 0" "none is left out"
	costs "of pods, near a limit on each, denied, with long numbers" worst
	shown=$(grep -c '^gpu_dma_lock_agent_device_bytes' "$work/out")
	[ "$shown" -ge 3000 ]
	ok $? "$shown of 16,000 have their series"
	is "$(tail -n 2 "$work/out" | head -n 1)" \
		"gpu_dma_lock_agent_devices_left_out $((16000 - shown))" "the others are counted"
	for name in device_quota_bytes device_denied_total; do
		is "$(grep -c "^gpu_dma_lock_agent_$name" "$work/out")" "$shown" "with $name"
	done
	succeeds "and are further from their limits" nearest_shown "$work/manyworst/quotas"
	is "$(grep -c '^gpu_dma_lock_agent_used_bytes{' "$work/out")" 1000 "no agent is left out"
}

# has NAME FILTER: the dashboard is so
has() {
	succeeds "the dashboard: $1" jq -e "$2" "$top/examples/grafana/gpu-dma-lock.json"
}

test_dashboard() {
	has "what Grafana wants" '.uid and .title and .schemaVersion >= 36 and (.panels | length > 0)'
	has "ids are its panels' own" '[.panels[].id] | length == (unique | length)'
	has "the data source is chosen" '
		([.templating.list[] | select(.type == "datasource").name] == ["datasource"]) and
		([.. | objects | .datasource? // empty | .uid] | unique == ["${datasource}"])'
	has "each query is of the nodes chosen, and is called something" '
		[.panels[].targets[]?] | all((.expr | contains("$instance")) and has("legendFormat"))'
	has "no panel lies on another" '
		[.panels[].gridPos | . as $p | range($p.x; $p.x + $p.w) as $x |
			range($p.y; $p.y + $p.h) as $y | [$x, $y]] |
		all(.[0] < 24) and length == (unique | length)'
	for name in $(used_by "$top/examples/grafana/gpu-dma-lock.json"); do
		grep -q "^# TYPE $name " "$here/golden/metrics.prom"
		ok $? "the dashboard uses $name, which is there"
	done
}

# What neither is used nor has a limit has no series; what has one has all three.
test_devices() {
	cp -R "$here/fixtures/small" "$work/devices"
	printf '9 0 max 0 4096 0 idle\n9 1 0 0 0 3 idle\n7 1 max 4096 4096 0 tenant-a\n' \
		>>"$work/devices/quotas"
	GPU_DMA_LOCK_PROC=$work/devices tool metrics
	is "$(sed -n 's/^gpu_dma_lock_agent_device_//p' "$work/out" | grep -E 'agent="9"|device="1"' | grep -v '"8"')" \
		'bytes{agent="9",device="1"} 0
bytes{agent="7",device="1"} 4096
quota_bytes{agent="9",device="1"} 0
denied_total{agent="9",device="1"} 3' "what is limited or used has series"
}

test_usage
test_formats
test_names
test_patterns
test_file
test_documented
test_rules
test_dashboard
test_devices
test_cost
survives metrics
survives metrics -t
tap_done
