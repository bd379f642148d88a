#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# gpu-dma-lock of tables that no module writes: it says which line is wrong, and how.

. "$(dirname "$0")/lib.sh"

# wrong TABLE MESSAGE NAME: $work/folder/TABLE is refused with that
wrong() {
	for format in "" -J -r -e; do
		# shellcheck disable=SC2086 # no word if empty
		GPU_DMA_LOCK_PROC=$work/folder tool list $format "$1"
		is "$status $(cat "$work/err")" "2 gpu-dma-lock: $work/folder/$1$2" "$3${format:+, $format}"
	done
}

# agents LINE...: what the table is
agents() {
	printf '%b' "$1" >"$work/folder/agents"
}

cp -R "$GPU_DMA_LOCK_PROC" "$work/folder"
agents ''
wrong agents ': there is no header' "an empty table"
agents 'ID NAME\n7 a\n8'
wrong agents ':3: the line has no end' "a line that is cut"
agents 'ID NAME\n7\n'
wrong agents ':2: the row has 1 words, where the header has 2' "too few words"
agents 'ID NAME\n7 a b\n'
wrong agents ':2: the row has more than 2 words, where the header has 2' "too many"
agents 'ID NAME\n7  a\n'
wrong agents ':2: the row has more than 2 words, where the header has 2' "two blanks"
agents 'ID NAME\n7 \n'
wrong agents ':2: NAME "" is not a word' "no word"
agents 'ID NAME\n7x a\n'
wrong agents ':2: ID "7x" is not a number' "no number"
agents 'ID NAME\n18446744073709551616 a\n'
wrong agents ':2: ID "18446744073709551616" is not a number' "a number over 64 bits"
agents 'ID USED\n7 -1\n'
wrong agents ':2: USED "-1" is not a size' "no size"
agents 'ID QUOTA\n7 min\n'
wrong agents ':2: QUOTA "min" is not a size or max' "no limit"
agents 'ID NAME\n7 a\00b\n'
wrong agents ':2: a NUL in the line' "a NUL"
agents 'ID NAME ID\n7 a 8\n'
wrong agents ':1: the header has a column twice' "a column twice"
agents 'id name\n7 a\n'
wrong agents ':1: this is no header of a table' "no header"
agents 'ID NAME\nID NAME\n'
wrong agents ':2: ID "ID" is not a number' "a header twice"
printf '7:0x0-0xfff:rw\n7:buf=3\n' >"$work/folder/dma_permissions"
wrong dma_permissions ':2: this is no rule' "no rule"
printf 'policy\n' >"$work/folder/self"
wrong self ':1: the row has 1 words, where the header has 2' "a key without a value"
rm "$work/folder/locks"
wrong locks ': No such file or directory' "no table"
agents 'ID NAME\n7 a\n'
for command in status dump "restore --dry-run $work/saved"; do
	mkdir -p "$work/saved"
	echo 'ID NAME ID' >"$work/folder/devices"
	echo 'set_capacity 0 1G' >"$work/saved/control.conf"
	echo 'policy off' >"$work/folder/control"
	# shellcheck disable=SC2086 # into words
	GPU_DMA_LOCK_PROC=$work/folder tool $command
	is "$status $(grep -c ':1: the header has a column twice$' "$work/err")" "2 1" "$command says so too"
done
survives status
survives status -J
survives dump
tap_done
