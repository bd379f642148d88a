#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# docs/abi.md lists what there is, and nothing else: files, columns, keys of stats,
# commands, errors, parameters, tracepoints and their fields, exported functions. The
# man page and README name every file, the man page every command and parameter.
#
# vm: --load --mem 512 --timeout 120

. "$(dirname "$0")/tap.sh"

abi=/host/abi.md
proc=/proc/swarm/gpu
parameters=/sys/module/gpu_dma_lock/parameters
events=/sys/kernel/tracing/events/gpu_dma_lock

# rows SECTION: the tables of a section, up to the next heading, one row a line, cells
# separated by tabs. A row counts if its first cell is code.
rows() {
	awk -v section="$1" '
		/^##/ { name = $0; sub(/^#+ /, "", name); inside = name == section }
		inside && /^\| `/ {
			gsub(/\\\|/, "\001")
			sub(/^\| /, "")
			sub(/ \|$/, "")
			gsub(/ \| ?/, "\t")
			gsub(/\001/, "|")
			gsub(/`/, "")
			print
		}' "$abi"
}

# words SECTION: the first cells
words() {
	rows "$1" | cut -f 1
}

# same WHAT DOCUMENTED PRESENT: both are lists, one item a line.
same() {
	echo "$2" | sort -u >/tmp/documented
	echo "$3" | sort -u >/tmp/present
	missing=$(grep -vxFf /tmp/documented /tmp/present)
	extra=$(grep -vxFf /tmp/present /tmp/documented)
	[ -z "$missing$extra" ]
	ok $? "$1: documented as they are" && return
	[ -z "$missing" ] || note "not documented:" "$missing"
	[ -z "$extra" ] || note "documented and not there:" "$extra"
}

has_header() {
	case $1 in
	stats | control | dma_permissions) return 1 ;;
	esac
}

# documented_keys: with those of each probed function
documented_keys() {
	rows stats | cut -f 1 >/tmp/cells
	# The functions are those cells that are no key: they stand below FUNCTION.
	functions=$(awk '/^\| FUNCTION/ { inside = 1; next } !/^\|/ { inside = 0 }
		inside && /^\| `/ { gsub(/`/, ""); print $2 }' "$abi")
	echo "$functions" >/tmp/functions
	grep -vxFf /tmp/functions /tmp/cells | while read -r key; do
		case $key in
		*FUNCTION*)
			for name in $functions; do
				echo "$key" | sed "s/FUNCTION/$name/"
			done
			;;
		*) echo "$key" ;;
		esac
	done
}

# fields EVENT: its name and those of its own fields
fields() {
	awk -v event="$1" '
		/^\tfield:/ && !/ common_/ { name = $0; sub(/;.*/, "", name); sub(/.* /, "", name); names = names " " name }
		END { print event names }' "$events/$1/format"
}

: >/tmp/tables
for file in "$proc"/*; do
	name=$(basename "$file")
	echo "$name $(stat -c 0%a "$file")"
	! has_header "$name" || echo "$name" >>/tmp/tables
done >/tmp/files
same files "$(rows Files | cut -f 1,2 | tr '\t' ' ')" "$(cat /tmp/files)"
while read -r name; do
	is "$(words "$name" | tr '\n' ' ')" "$(head -n 1 "$proc/$name") " "columns of $name: documented as they are"
done </tmp/tables
same "keys of stats" "$(documented_keys)" "$(cut -d ' ' -f 1 "$proc/stats")"
same commands "$(words Commands)" "$(cat "$proc/control")"
same errors "$(words Errors)" "$(cat /host/errors)"
same parameters "$(words "Module parameters")" "$(ls "$parameters")"
same "parameters of modinfo" "$(words "Module parameters")" \
	"$(modinfo /gpu_dma_lock.ko | sed -n 's/^parm: *\([a-z_]*\):.*/\1/p')"
same tracepoints "$(rows Tracepoints | cut -f 1,2 | tr '\t' ' ')" \
	"$(for event in "$events"/gdl_*; do fields "$(basename "$event")"; done)"
same "exported functions" "$(words "For other modules")" \
	"$(sed -n 's/.* __ksymtab_\([a-z_]*\)\t\[gpu_dma_lock\]$/\1/p' /proc/kallsyms)"

same "man page: files" "$(sed -n '/^\.SH FILES/,/^\.SH/s/^\.I \([a-z_]*\)$/\1/p' /host/gpu_dma_lock.4)" \
	"$(ls "$proc")"
same "man page: commands" \
	"$(sed -n '/^\.SS Commands/,/^\.SH/s/^\.BR\{0,1\} \([a-z_]*\)\( ".*\)\{0,1\}$/\1/p' /host/gpu_dma_lock.4 | grep -vx ok)" \
	"$(cut -d ' ' -f 1 "$proc/control")"
same "man page: parameters" "$(sed -n '/^\.SS Parameters/,/^\.SS/s/^\.BR \([a-z]*\)= .*/\1/p' /host/gpu_dma_lock.4)" \
	"$(ls "$parameters")"
for file in "$proc"/*; do
	name=$(basename "$file")
	grep -qF "\`$name\`" /host/README.md
	ok $? "README names $name"
done
tap_done
