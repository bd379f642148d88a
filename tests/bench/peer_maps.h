/* SPDX-License-Identifier: GPL-2.0-only */
/* What peer.c knows of peer.bpf.c. */
#ifndef TESTS_BENCH_PEER_MAPS_H
#define TESTS_BENCH_PEER_MAPS_H

#include <linux/types.h>

enum peer_kind {
	PEER_GEM,
	PEER_DMABUF,
	NR_PEER_KINDS,
};

/* Of the objects that a process has made and that are still there. */
struct peer_total {
	__u64 bytes[NR_PEER_KINDS];
};

enum peer_counter {
	PEER_HITS,
	PEER_LOST,	/* objects that found no room */
	NR_PEER_COUNTERS,
};

/* Its object file, as scripts/programs links it in. */
extern const char _binary_peer_bpf_o_start[], _binary_peer_bpf_o_end[];

#endif /* TESTS_BENCH_PEER_MAPS_H */
