// SPDX-License-Identifier: GPL-2.0-only
/*
 * 20,000 agents, in full: all are shown, and the module goes with all of them at once.
 *
 * vm: --load --gpu none --mem 512 --timeout 200
 */
#define _GNU_SOURCE
#include "perm.h"

#define AGENTS		(1000 + scaled(19000))
#define GRACE_SECONDS	3

/* Near, far away, and such that only the high bits differ. */
static unsigned long long any_id(unsigned long long i)
{
	switch (i % 3) {
	case 0:
		return i;
	case 1:
		return i * 0x300000001;
	default:
		return i << 48;
	}
}

int main(void)
{
	int fd = swarm_open("control", O_WRONLY), i;
	struct swarm_table t;
	long out_of_order = 0;

	for (i = 1; i <= AGENTS; i++) {
		char line[48];

		snprintf(line, sizeof(line), "create_agent %llu\n", any_id(i));
		if (write(fd, line, strlen(line)) < 0)
			bail("%s", line);
	}
	close(fd);
	swarm_load(&t, "agents");
	is(t.rows, AGENTS + 1, "all agents are shown, and the host");
	for (i = 1; i < t.rows; i++)
		out_of_order += swarm_u64(&t, i, "ID") <= swarm_u64(&t, i - 1, "ID");
	is(out_of_order, 0, "in the order of their ids");
	swarm_unload(&t);
	is_errno(perm_delete("gpu_dma_lock"), 0, "the module goes");
	sleep(GRACE_SECONDS);
	is_errno(perm_insert(PERM_MODULE), 0, "and comes again");
	swarm_load(&t, "agents");
	is(t.rows, 1, "without them");
	swarm_unload(&t);
	return tap_done();
}
