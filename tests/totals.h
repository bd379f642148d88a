/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The totals of agents, quotas and devices, row by row, against what the rows
 * of allocations sum up to.
 */
#ifndef TESTS_TOTALS_H
#define TESTS_TOTALS_H

#include "swarm.h"

/* What allocations says of an agent and a device; NULL stands for any. */
static inline struct swarm_totals totals_of(const struct swarm_table *rows, const char *agent,
					    const char *device)
{
	struct swarm_totals sum = { 0 };
	long row;

	for (row = 0; row < rows->rows; row++) {
		if (agent && strcmp(swarm_cell(rows, row, "AGENT"), agent))
			continue;
		if (device && strcmp(swarm_cell(rows, row, "DEVICE"), device))
			continue;
		sum.bytes += swarm_charge(rows, row);
		sum.buffers++;
	}
	return sum;
}

/* Rows of agents or devices; @agents tells which. */
static inline bool totals_rows(const struct swarm_table *rows, const struct swarm_table *t,
			       bool agents)
{
	struct swarm_totals got;
	const char *id;
	char what[64];
	bool pass = true;
	long row;

	for (row = 0; row < t->rows; row++) {
		id = swarm_cell(t, row, "ID");
		got.bytes = swarm_u64(t, row, "USED");
		got.buffers = swarm_u64(t, row, "BUFFERS");
		snprintf(what, sizeof(what), "%s %s", agents ? "agent" : "device", id);
		pass &= swarm_same(what, got,
				   totals_of(rows, agents ? id : NULL, agents ? NULL : id));
	}
	return pass;
}

static inline bool totals_quotas(const struct swarm_table *rows, const struct swarm_table *quotas)
{
	const char *agent, *device;
	struct swarm_totals got, want;
	bool pass = true;
	char what[96];
	long row;

	for (row = 0; row < quotas->rows; row++) {
		agent = swarm_cell(quotas, row, "AGENT");
		device = swarm_cell(quotas, row, "DEVICE");
		want = totals_of(rows, agent, strcmp(device, "all") ? device : NULL);
		got.bytes = swarm_u64(quotas, row, "USED");
		got.buffers = want.buffers;
		snprintf(what, sizeof(what), "quota of agent %s on %s", agent, device);
		pass &= swarm_same(what, got, want);
		if (got.bytes > swarm_u64(quotas, row, "PEAK")) {
			note("%s: used %llu is over its peak", what, got.bytes);
			pass = false;
		}
	}
	return pass;
}

/* Every agent and device of a buffer has its rows. */
static inline bool totals_owners(const struct swarm_table *rows, const struct swarm_table *agents,
				 const struct swarm_table *devices,
				 const struct swarm_table *quotas)
{
	const char *agent, *device;
	long row, quota;

	for (row = 0; row < rows->rows; row++) {
		agent = swarm_cell(rows, row, "AGENT");
		device = swarm_cell(rows, row, "DEVICE");
		for (quota = 0; quota < quotas->rows; quota++)
			if (!strcmp(swarm_cell(quotas, quota, "AGENT"), agent) &&
			    !strcmp(swarm_cell(quotas, quota, "DEVICE"), device))
				break;
		if (quota < quotas->rows && swarm_find(agents, 0, "ID", agent) >= 0 &&
		    swarm_find(devices, 0, "ID", device) >= 0)
			continue;
		note("buffer %s: no row for agent %s, device %s or both",
		     swarm_cell(rows, row, "ID"), agent, device);
		return false;
	}
	return true;
}

static inline bool totals_each_is_right(void)
{
	struct swarm_table rows, agents, devices, quotas;
	bool each = true;

	swarm_load(&rows, "allocations");
	swarm_load(&agents, "agents");
	swarm_load(&devices, "devices");
	swarm_load(&quotas, "quotas");
	each &= totals_rows(&rows, &agents, true);
	each &= totals_rows(&rows, &devices, false);
	each &= totals_quotas(&rows, &quotas);
	each &= totals_owners(&rows, &agents, &devices, &quotas);
	swarm_unload(&rows);
	swarm_unload(&agents);
	swarm_unload(&devices);
	swarm_unload(&quotas);
	return each;
}

/*
 * Two checks: the sums of all rows, then each row of its own. To be called at
 * rest.
 */
static inline bool totals_add_up(const char *when)
{
	bool pass = swarm_add_up(when);

	return ok(swarm_right_at_rest(totals_each_is_right),
		  "so does each agent, device and quota %s", when) && pass;
}

#endif /* TESTS_TOTALS_H */
