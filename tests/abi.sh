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
	stats | self | control | config | dma_permissions) return 1 ;;
	esac
}

# documented_keys: with those of each hooked function
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

modinfo /gpu_dma_lock.ko >/tmp/modinfo

# So that there is a device in `self`
gembuf -d vgem >/dev/null

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
same "keys of self" "$(words self)" "$(cut -d ' ' -f 1 "$proc/self")"
same commands "$(words Commands)" "$(cat "$proc/control")"
same errors "$(words Errors)" "$(cat /host/errors)"
same parameters "$(words "Module parameters")" "$(ls "$parameters")"
same "parameters of modinfo" "$(words "Module parameters")" \
	"$(modinfo /gpu_dma_lock.ko | sed -n 's/^parm: *\([a-z_]*\):.*/\1/p')"
same tracepoints "$(rows Tracepoints | cut -f 1,2 | tr '\t' ' ')" \
	"$(for event in "$events"/gdl_*; do fields "$(basename "$event")"; done)"
same "exported functions" "$(words "For other modules")" \
	"$(sed -n 's/.* __ksymtab_\([a-z_]*\)\t\[gpu_dma_lock\]$/\1/p' /proc/kallsyms)"

# structures: of the header, each with its fields in their order, or with its size.
structures() {
	awk -v what="$1" '
		/^struct gpu_dma_lock_[a-z]* \{/ { name = $2; fields = ""; size = 0; next }
		name && /^\t__[us](32|64) / {
			field = $2
			sub(/;/, "", field)
			fields = fields " " field
			size += $1 ~ /64/ ? 8 : 4
		}
		name && /^\};/ { print name (what == "size" ? " " size : fields); name = "" }
	' /host/gpu_dma_lock_ioctl.h
}

device=$(rows /dev/gpu_dma_lock)
same "structures of the ioctls" "$(echo "$device" | grep '^gpu_dma_lock_' | tr '\t' ' ')" "$(structures fields)"
same "sizes of the structures" "$(echo "$device" | grep -v '^gpu_dma_lock_' | cut -f 2,3 | tr '\t' ' ')" "$(structures size)"
same ioctls "$(echo "$device" | grep -v '^gpu_dma_lock_' | cut -f 1)" \
	"$(sed -n 's/^#define GPU_DMA_LOCK_IOC_\([A-Z]*\)\t.*/\1/p' /host/gpu_dma_lock_ioctl.h)"
is "$(stat -c %a /dev/gpu_dma_lock)" 666 "/dev/gpu_dma_lock is for everybody"
succeeds "the module has the device's alias" grep -q '^alias: *devname:gpu_dma_lock$' /tmp/modinfo

same "man page: files" "$(sed -n '/^\.SH FILES/,/^\.SH/s/^\.I \([a-z_]*\)$/\1/p' /host/gpu_dma_lock.4)" \
	"$(ls "$proc")"
same "man page: commands" \
	"$(sed -n '/^\.SS Commands/,/^\.SH/s/^\.BR\{0,1\} \([a-z_]*\)\( ".*\)\{0,1\}$/\1/p' /host/gpu_dma_lock.4 | grep -vx ok)" \
	"$(cut -d ' ' -f 1 "$proc/control")"
same "man page: parameters" "$(sed -n '/^\.SS Parameters/,/^\.SS/s/^\.BR \([a-z_]*\)= .*/\1/p' /host/gpu_dma_lock.4)" \
	"$(ls "$parameters")"
for file in "$proc"/*; do
	name=$(basename "$file")
	grep -qF "\`$name\`" /host/README.md
	ok $? "README names $name"
done
tap_done
