#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# gpu-dma-lock of 100,000 rows: within 64 MB of address space, as it is built for users, and as much
# processor time as perl takes a few times to write them, so that it does not depend on the machine.

. "$(dirname "$0")/lib.sh"

rows=100000
memory_kib=65536
times_max=6

gpu_dma_lock=$("$here/../../scripts/tool")
mkdir "$work/many"
export GPU_DMA_LOCK_PROC=$work/many
TIMEFORMAT='%U %S'

# taken: milliseconds, of what the shell's time says
taken() {
	awk '{ print int(($1 + $2) * 1000) }'
}

ms_max=$({ time perl "$here/many-rows" "$work/many" $rows 1000 4; } 2>&1 | taken)
ms_max=$((ms_max * times_max))

# limited ARGUMENTS...: prints the milliseconds it took
limited() {
	(
		ulimit -v $memory_kib
		{ time "$gpu_dma_lock" "$@" >"$work/out" 2>"$work/err"; } 2>&1 | taken
	)
}

for format in -J -r -e; do
	ms=$(limited list $format allocations)
	[ "$ms" -lt $ms_max ]
	ok $? "list $format of $rows rows within $ms_max ms, it took $ms" || note "$(cat "$work/err")"
done
limited list -J allocations >/dev/null
is "$(jq '.allocations | length' "$work/out")" $rows "all of them are there"
ms=$(limited status)
[ "$ms" -lt $ms_max ]
ok $? "status within $ms_max ms, it took $ms" || note "$(cat "$work/err")"
tap_done
