// SPDX-License-Identifier: GPL-2.0-only
/*
 * The tables of agents and GPUs: devices, agents, quotas, regions.
 *
 * All is called under rcu_read_lock(), by proc.c.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include "column.h"

static void begin_id(void *cursor)
{
	*(struct gdl_id_cursor *)cursor = (struct gdl_id_cursor) { };
}

static void advance_id(void *cursor)
{
	struct gdl_id_cursor *c = cursor;

	c->end = !++c->id;
}

static void *find_device(void *cursor, const struct gdl_reader *reader)
{
	struct gdl_id_cursor *c = cursor;
	struct gdl_device *device;

	if (c->end)
		return NULL;
	device = gdl_device_next(c->id);
	c->id = device->id;
	return device;
}

static void put_capacity(struct seq_file *m, const struct gdl_device *device)
{
	u64 limit = READ_ONCE(device->capacity.limit);

	if (limit != GDL_UNLIMITED)
		put_number(m, limit);
	else if (READ_ONCE(device->vram_size))
		seq_printf(m, "vram:%llu ", READ_ONCE(device->vram_size));
	else if (device->bar_size)
		seq_printf(m, "bar:%llu ", device->bar_size);
	else
		put_word(m, "-");
}

/* A device is for all readers that have rows at all. */
static u64 agent_of_reader(const struct gdl_reader *reader, const void *row)
{
	return reader->agent_id;
}

/* What the reader's agent has of a device's USED. */
static u64 own_used(const struct gdl_reader *reader, const struct gdl_device *device)
{
	struct gdl_agent *agent = gdl_agent_lookup(reader->agent_id);
	struct gdl_device_quota *dq = NULL;

	if (agent)
		dq = gdl_agent_next_device_quota(agent, device->id);
	return dq && dq->device == device ? atomic64_read(&dq->quota.used) : 0;
}

static void show_device(struct seq_file *m, const struct gdl_reader *reader, void *row)
{
	char driver[GDL_DEVICE_NAME_LEN];
	struct gdl_device *device = row;

	put_device(m, device);
	put_name(m, device->name);
	gdl_device_driver(device, driver);
	put_name(m, driver);
	put_name(m, device->bus);
	put_capacity(m, device);
	if (reader->all) {
		put_count(m, &device->capacity.used);
		put_count(m, &device->buffers);
		end_with_number(m, atomic64_read(&device->contexts));
	} else {
		put_number(m, own_used(reader, device));
		seq_puts(m, "- -\n");
	}
}

static void *find_agent(void *cursor, const struct gdl_reader *reader)
{
	struct gdl_id_cursor *c = cursor;
	struct gdl_agent *agent;

	agent = c->end ? NULL : gdl_agent_next(c->id);
	if (agent)
		c->id = agent->id;
	return agent;
}

static u64 agent_id(const struct gdl_reader *reader, const void *row)
{
	const struct gdl_agent *agent = row;

	return agent->id;
}

static void show_agent(struct seq_file *m, const struct gdl_reader *reader, void *row)
{
	struct gdl_agent *agent = row;

	put_number(m, agent->id);
	put_count(m, &agent->buffers);
	put_count(m, &agent->quota.used);
	put_count(m, &agent->quota.peak);
	put_limit(m, READ_ONCE(agent->quota.limit));
	put_count(m, &agent->locks);
	put_count(m, &agent->waiting);
	put_count(m, &agent->quota.denied);
	put_count(m, &agent->bindings);
	put_name(m, gdl_reader_name(agent));
	put_number(m, READ_ONCE(agent->nr_attachments));
	put_number(m, READ_ONCE(agent->nr_contexts));
	end_with_number(m, gdl_cap_tracking(agent));
}

static void begin_quota(void *cursor)
{
	*(struct gdl_quota_cursor *)cursor = (struct gdl_quota_cursor) { };
}

/* An agent has a row "all", then one for each device it has a quota on. */
static void *find_quota(void *cursor, const struct gdl_reader *reader)
{
	struct gdl_quota_cursor *c = cursor;
	struct gdl_agent *agent = c->end ? NULL : gdl_agent_next(c->agent_id);

	if (!agent)
		return NULL;
	if (c->device_rows && agent->id == c->agent_id) {
		c->row.agent = agent;
		c->row.dq = gdl_agent_next_device_quota(agent, c->device_id);
		if (c->row.dq) {
			c->device_id = c->row.dq->device->id;
			return &c->row;
		}
		if (agent->id == U64_MAX)
			return NULL;
		agent = gdl_agent_next(c->agent_id + 1);
		if (!agent)
			return NULL;
	}
	c->device_rows = false;
	c->agent_id = agent->id;
	c->row = (struct gdl_quota_row) { .agent = agent };
	return &c->row;
}

/* To the next device of the agent, or the next agent. */
static void advance_quota(void *cursor)
{
	struct gdl_quota_cursor *c = cursor;

	c->device_id = c->device_rows ? c->device_id + 1 : 0;
	/* Device id U64_MAX, of no GPU, is an agent's last row. */
	if (c->device_id || !c->device_rows) {
		c->device_rows = true;
		return;
	}
	c->device_rows = false;
	c->end = !++c->agent_id;
}

static u64 agent_of_quota(const struct gdl_reader *reader, const void *row)
{
	const struct gdl_quota_row *quota = row;

	return quota->agent->id;
}

static void show_quota(struct seq_file *m, const struct gdl_reader *reader, void *row)
{
	const struct gdl_quota_row *r = row;
	struct gdl_quota *quota = r->dq ? &r->dq->quota : &r->agent->quota;

	put_number(m, r->agent->id);
	if (r->dq)
		put_device(m, r->dq->device);
	else
		put_word(m, "all");
	put_limit(m, READ_ONCE(quota->limit));
	put_count(m, &quota->used);
	put_count(m, &quota->peak);
	put_count(m, &quota->denied);
	end_with_agent_name(m, r->agent);
}

/* Its row is the cursor itself. */
struct region_cursor {
	u64 agent_id;
	u64 device_id;
	unsigned int region;
	struct gdl_device_quota *dq;
	bool end;
};

static void begin_region(void *cursor)
{
	*(struct region_cursor *)cursor = (struct region_cursor) { };
}

/* The first region from the cursor on where @agent has memory. */
static bool find_region_of(struct region_cursor *c, struct gdl_agent *agent)
{
	for (;;) {
		c->dq = gdl_agent_next_device_quota(agent, c->device_id);
		if (!c->dq)
			return false;
		if (c->dq->device->id != c->device_id)
			c->region = 0;
		c->device_id = c->dq->device->id;
		if (gdl_region_next(c->dq, &c->region))
			return true;
		c->region = 0;
		/* Device id U64_MAX, of no GPU, is the last. */
		if (!++c->device_id)
			return false;
	}
}

/* To the first of an agent's. */
static void first_region(struct region_cursor *c)
{
	c->device_id = 0;
	c->region = 0;
}

static void *find_region(void *cursor, const struct gdl_reader *reader)
{
	struct region_cursor *c = cursor;
	struct gdl_agent *agent;
	unsigned int n;

	for (n = 0; n < GDL_AGENTS_AT_ONCE; n++) {
		agent = c->end ? NULL : gdl_agent_next(c->agent_id);
		if (!agent)
			return NULL;
		if (agent->id != c->agent_id)
			first_region(c);
		c->agent_id = agent->id;
		if (find_region_of(c, agent))
			return c;
		first_region(c);
		c->end = !++c->agent_id;
	}
	return GDL_ROW_LATER;
}

static void advance_region(void *cursor)
{
	struct region_cursor *c = cursor;

	c->region++;
}

static u64 agent_of_region(const struct gdl_reader *reader, const void *row)
{
	const struct region_cursor *c = row;

	return c->agent_id;
}

static void show_region(struct seq_file *m, const struct gdl_reader *reader, void *row)
{
	const struct region_cursor *c = row;
	const struct gdl_region *r = &c->dq->regions[c->region];
	char driver[GDL_DEVICE_NAME_LEN];

	put_device(m, c->dq->device);
	gdl_device_driver(c->dq->device, driver);
	put_word(m, gdl_driver_region(driver, c->region));
	put_number(m, c->agent_id);
	put_number(m, READ_ONCE(r->used));
	put_number(m, READ_ONCE(r->peak));
	end_with_number(m, READ_ONCE(r->buffers));
}

#define AGENTS_HEADER \
"ID BUFFERS USED PEAK QUOTA LOCKS WAITING DENIED BINDINGS NAME ATTACHMENTS CONTEXTS " \
"TRACKING\n"

const struct gdl_table gdl_table_devices = {
	.name = "devices",
	.header = "ID NAME DRIVER BUS CAPACITY USED BUFFERS CONTEXTS\n",
	.cursor_size = sizeof(struct gdl_id_cursor),
	.begin = begin_id,
	.find = find_device,
	.advance = advance_id,
	.agent_of = agent_of_reader,
	.show = show_device,
};

const struct gdl_table gdl_table_agents = {
	.name = "agents",
	.header = AGENTS_HEADER,
	.cursor_size = sizeof(struct gdl_id_cursor),
	.begin = begin_id,
	.find = find_agent,
	.advance = advance_id,
	.agent_of = agent_id,
	.show = show_agent,
};

const struct gdl_table gdl_table_quotas = {
	.name = "quotas",
	.header = "AGENT DEVICE LIMIT USED PEAK DENIED NAME\n",
	.cursor_size = sizeof(struct gdl_quota_cursor),
	.begin = begin_quota,
	.find = find_quota,
	.advance = advance_quota,
	.agent_of = agent_of_quota,
	.show = show_quota,
	.write = gdl_command_quota,
};

const struct gdl_table gdl_table_regions = {
	.name = "regions",
	.header = "DEVICE REGION AGENT USED PEAK BUFFERS\n",
	.cursor_size = sizeof(struct region_cursor),
	.begin = begin_region,
	.find = find_region,
	.advance = advance_region,
	.agent_of = agent_of_region,
	.show = show_region,
};
