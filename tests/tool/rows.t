#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# gpu-dma-lock of 100,000 rows: within a second of processor time and 64 MB of address space, as it
# is built for users.

. "$(dirname "$0")/lib.sh"

rows=100000
memory_kib=65536
ms_max=1000

gpu_dma_lock=$("$here/../../scripts/tool")
mkdir "$work/many"
perl "$here/many-rows" "$work/many" $rows 1000 4
export GPU_DMA_LOCK_PROC=$work/many

# limited ARGUMENTS...: prints the milliseconds it took
limited() {
	(
		ulimit -v $memory_kib
		TIMEFORMAT='%U %S'
		{ time "$gpu_dma_lock" "$@" >"$work/out" 2>"$work/err"; } 2>&1 |
			awk '{ print int(($1 + $2) * 1000) }'
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
