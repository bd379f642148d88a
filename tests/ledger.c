// SPDX-License-Identifier: GPL-2.0-only
/*
 * The ledger: allocate and free, what each is charged to, and every refusal.
 *
 * vm: --load --mem 512 --timeout 120
 */
#include <limits.h>
#include <unistd.h>

#include "gem.h"
#include "swarm.h"

#define AGENT		10
#define OTHER		11
#define QUOTA		1048576
#define NO_ID		999999999ULL

static __u64 device;

static void test_create_agent(void)
{
	struct swarm_table t;
	long row;

	is_errno(swarm_cmd("create_agent %d 1M\n", AGENT), 0, "create_agent: an agent is created");
	is_errno(swarm_cmd("create_agent %d\n", AGENT), EEXIST,
		 "create_agent: EEXIST for the same id again");
	is_errno(swarm_cmd("create_agent 0\n"), EEXIST, "create_agent: EEXIST for agent 0");
	is(swarm_get("agents", "ID", AGENT, "QUOTA"), QUOTA,
	   "create_agent: agents shows its quota");
	is(swarm_get("agents", "ID", AGENT, "USED"), 0, "create_agent: the agent uses nothing");
	swarm_load(&t, "quotas");
	row = swarm_find_u64(&t, 0, "AGENT", AGENT);
	if (ok(row >= 0, "create_agent: quotas has a row of the agent")) {
		is_str(swarm_cell(&t, row, "DEVICE"), "all",
		       "create_agent: the row is for all devices");
		is(swarm_u64(&t, row, "LIMIT"), QUOTA, "create_agent: the row has its limit");
	}
	row = swarm_find_u64(&t, 0, "AGENT", 0);
	if (ok(row >= 0, "create_agent: quotas has a row of agent 0"))
		is_str(swarm_cell(&t, row, "LIMIT"), "max", "create_agent: agent 0 is unlimited");
	swarm_unload(&t);
}

static void test_allocate_free(void)
{
	__u64 before = swarm_get("devices", "ID", device, "USED");
	long long allocated = swarm_stat("ledger_allocated"), freed = swarm_stat("ledger_freed");
	__u64 id = 0, second = 0;
	struct swarm_table t;
	long row;

	is_errno(swarm_allocate(AGENT, 5000, device, &id), 0,
		 "allocate and free: a buffer is allocated");
	ok(id > 0, "its id is read back: %llu", id);
	swarm_load(&t, "allocations");
	row = swarm_find_u64(&t, 0, "ID", id);
	if (row < 0)
		bail("no row with that id");
	is(swarm_count_u64(&t, "ID", id), 1, "allocate and free: one row has that id");
	is(swarm_u64(&t, row, "AGENT"), AGENT, "allocate and free: AGENT");
	is(swarm_u64(&t, row, "DEVICE"), device, "allocate and free: DEVICE");
	is(swarm_u64(&t, row, "SIZE"), 5000, "allocate and free: SIZE, to the byte");
	is_str(swarm_cell(&t, row, "KIND"), "ledger", "allocate and free: KIND");
	is_str(swarm_cell(&t, row, "INODE"), "-", "allocate and free: INODE");
	is(swarm_u64(&t, row, "PID"), getpid(), "allocate and free: PID");
	is_str(swarm_cell(&t, row, "COMM"), "ledger", "allocate and free: COMM");
	ok(swarm_u64(&t, row, "AGE_MS") < 60000, "allocate and free: AGE_MS");
	swarm_unload(&t);
	is(swarm_get("agents", "ID", AGENT, "USED"), 5000,
	   "allocate and free: the agent is charged");
	is(swarm_get("agents", "ID", AGENT, "BUFFERS"), 1,
	   "allocate and free: the agent has one buffer");
	is(swarm_get("devices", "ID", device, "USED") - before, 5000,
	   "allocate and free: the device is charged");
	is(swarm_stat("ledger_allocated") - allocated, 1,
	   "allocate and free: ledger_allocated counts it");
	swarm_add_up("with a ledger buffer");

	is_errno(swarm_cmd("free %llu\n", id), 0, "allocate and free: it is freed");
	is_errno(swarm_cmd("free %llu\n", id), ENOENT,
		 "allocate and free: ENOENT when it is freed again");
	ok(!swarm_has("allocations", "ID", id), "allocate and free: its row is gone");
	is(swarm_get("agents", "ID", AGENT, "USED"), 0,
	   "allocate and free: the agent is uncharged");
	is(swarm_get("agents", "ID", AGENT, "PEAK"), 5000, "allocate and free: its peak stays");
	is(swarm_get("devices", "ID", device, "USED"), before,
	   "allocate and free: the device is uncharged");
	is(swarm_stat("ledger_freed") - freed, 1, "allocate and free: ledger_freed counts it");
	is_errno(swarm_allocate(AGENT, 1, device, &second), 0,
		 "allocate and free: one byte is enough for a buffer");
	ok(second > id, "allocate and free: an id is not used again");
	is_errno(swarm_cmd("free %llu\n", second), 0,
		 "allocate and free: the second buffer is freed");
	swarm_add_up("with none");
}

static void test_unknown(void)
{
	__u64 used = swarm_get("agents", "ID", 0, "USED");

	is_errno(swarm_cmd("allocate 77 4096 %llu\n", device), ENOENT, "allocate: no such agent");
	is_errno(swarm_cmd("allocate 0 4096 %llu\n", NO_ID), ENODEV, "allocate: no such device");
	is_errno(swarm_cmd("free %llu\n", NO_ID), ENOENT, "free: no such buffer");
	is_errno(swarm_cmd("remove_agent 77\n"), ENOENT, "remove_agent: no such agent");
	is_errno(swarm_cmd("set_capacity %llu 1\n", NO_ID), ENODEV, "set_capacity: no device");
	is_errno(swarm_cmd("set_quota 78 1M %llu\n", NO_ID), ENODEV, "set_quota: no such device");
	ok(!swarm_has("agents", "ID", 78), "unknown ids: set_quota that failed has made no agent");
	ok(swarm_cmd("remove_agent 0\n") != 0, "unknown ids: agent 0 cannot be removed");
	ok(swarm_has("agents", "ID", 0), "unknown ids: agent 0 is still there");
	is(swarm_get("agents", "ID", 0, "USED"), used, "unknown ids: nothing was charged");
	swarm_add_up("after errors");
}

static void test_quota(void)
{
	__u64 id = 0, last = 0, more = 0;
	long long denied = swarm_stat("quota_denied");

	is_errno(swarm_allocate(AGENT, QUOTA - 1, device, &id), 0,
		 "quota: one byte below the quota");
	is_errno(swarm_allocate(AGENT, 2, device, &more), EDQUOT,
		 "quota: EDQUOT for two bytes more");
	is(swarm_get("agents", "ID", AGENT, "USED"), QUOTA - 1,
	   "quota: what is refused is not charged");
	is(swarm_get("agents", "ID", AGENT, "DENIED"), 1, "quota: DENIED of the agent counts it");
	is(swarm_stat("quota_denied") - denied, 1, "quota: quota_denied of stats counts it");
	is_errno(swarm_allocate(AGENT, 1, device, &last), 0, "quota: the last byte of it");
	is_errno(swarm_allocate(AGENT, 1, device, &more), EDQUOT,
		 "quota: EDQUOT for one byte over it");
	is_errno(swarm_allocate(AGENT, ULLONG_MAX, device, &more), EDQUOT,
		 "quota: EDQUOT for 2^64 - 1 bytes");
	is(swarm_get("agents", "ID", AGENT, "PEAK"), QUOTA, "quota: the peak is the quota");

	is_errno(swarm_cmd("set_quota %d 1\n", AGENT), 0,
		 "quota: a quota below the use is allowed");
	is(swarm_get("agents", "ID", AGENT, "USED"), QUOTA, "quota: what is used stays");
	is_errno(swarm_cmd("free %llu\n", last), 0, "quota: free while over the quota");
	is_errno(swarm_allocate(AGENT, 1, device, &more), EDQUOT,
		 "quota: EDQUOT while still over it");
	is_errno(swarm_cmd("free %llu\n", id), 0, "quota: the rest is freed");
	is_errno(swarm_allocate(AGENT, 1, device, &more), 0,
		 "quota: then there is room for a byte");
	is_errno(swarm_cmd("free %llu\n", more), 0, "quota: that byte is freed");
	is_errno(swarm_cmd("set_quota %d max\n", AGENT), 0, "quota: set_quota max");
	is_errno(swarm_allocate(AGENT, 1ULL << 40, device, &more), 0, "quota: 1 TiB fits");
	is_errno(swarm_cmd("free %llu\n", more), 0, "quota: 1 TiB is freed");
	is_errno(swarm_cmd("set_quota %d 1M\n", AGENT), 0, "quota: the limit is back");
	swarm_add_up("after the quota");
}

static void test_quotas_file(void)
{
	char text[64];

	snprintf(text, sizeof(text), "%d 2M\n", AGENT);
	is_errno(swarm_write("quotas", text), 0, "quotas: quotas can be written");
	is(swarm_get("quotas", "AGENT", AGENT, "LIMIT"), 2 * QUOTA,
	   "quotas: it shows the limit written");
	snprintf(text, sizeof(text), "%d junk\n", AGENT);
	is_errno(swarm_write("quotas", text), EINVAL, "quotas: EINVAL for junk");
	snprintf(text, sizeof(text), "%d 1M\n%d 3M\n", OTHER, AGENT);
	is_errno(swarm_write("quotas", text), 0, "quotas: two lines are two quotas");
	is(swarm_get("quotas", "AGENT", OTHER, "LIMIT"), QUOTA,
	   "quotas: the limit of the first line");
	is(swarm_get("quotas", "AGENT", AGENT, "LIMIT"), 3 * QUOTA,
	   "quotas: the limit of the second line");
	is(swarm_get("agents", "ID", AGENT, "QUOTA"), 3 * QUOTA, "quotas: agents says the same");
	snprintf(text, sizeof(text), "%d max", AGENT);
	is_errno(swarm_write("quotas", text), 0, "quotas: no newline is needed");
	is_errno(swarm_cmd("set_quota %d 1M\n", AGENT), 0, "quotas: set_quota sets a limit too");
	is(swarm_get("quotas", "AGENT", AGENT, "LIMIT"), QUOTA,
	   "quotas: it shows the limit of set_quota");
	is_errno(swarm_cmd("remove_agent %d\n", OTHER), 0, "quotas: the other agent goes");
}

/* A cell of an agent's row for one device, 0 while there is no such row. */
static __u64 on_device(__u64 agent, __u64 dev, const char *column)
{
	struct swarm_table t;
	__u64 value = 0;
	long row = -1;

	swarm_load(&t, "quotas");
	while ((row = swarm_find_u64(&t, row + 1, "AGENT", agent)) >= 0)
		if (strcmp(swarm_cell(&t, row, "DEVICE"), "all") &&
		    swarm_u64(&t, row, "DEVICE") == dev)
			value = swarm_u64(&t, row, column);
	swarm_unload(&t);
	return value;
}

static void test_device_quota(void)
{
	__u64 denied = on_device(AGENT, device, "DENIED");
	__u64 total = swarm_get("agents", "ID", AGENT, "DENIED");
	__u64 id = 0, more;

	is_errno(swarm_cmd("set_quota %d 64K %llu\n", AGENT, device), 0,
		 "quota on one device: a quota on one device");
	is_errno(swarm_allocate(AGENT, 65536, device, &id), 0,
		 "quota on one device: as much as that");
	is_errno(swarm_allocate(AGENT, 1, device, &more), EDQUOT,
		 "quota on one device: EDQUOT for one byte more");
	is(on_device(AGENT, device, "LIMIT"), 65536, "quota on one device: quotas shows the limit");
	is(on_device(AGENT, device, "USED"), 65536, "quota on one device: quotas shows USED");
	ok(on_device(AGENT, device, "PEAK") >= 65536, "quota on one device: quotas shows PEAK");
	is(on_device(AGENT, device, "DENIED") - denied, 1,
	   "quota on one device: quotas shows DENIED");
	is(swarm_get("agents", "ID", AGENT, "DENIED"), total,
	   "quota on one device: DENIED of the agent is as before");
	is(swarm_get("agents", "ID", AGENT, "USED"), 65536,
	   "quota on one device: the refusal charged nothing");
	is_errno(swarm_cmd("free %llu\n", id), 0, "quota on one device: the buffer is freed");
	is_errno(swarm_cmd("set_quota %d max %llu\n", AGENT, device), 0,
		 "quota on one device: set_quota max");
	is_errno(swarm_allocate(AGENT, 65537, device, &id), 0,
		 "quota on one device: then more fits");
	is_errno(swarm_cmd("free %llu\n", id), 0, "quota on one device: that is freed too");
	swarm_add_up("after a quota on one device");
}

/* One limit lets it pass, the next one does not: that is no use of anything. */
static void test_refused_peak(void)
{
	__u64 agent_peak = swarm_get("agents", "ID", AGENT, "PEAK");
	__u64 peak = on_device(AGENT, device, "PEAK"), id;

	is_errno(swarm_cmd("set_quota %d max\nset_quota %d 64K %llu\n", AGENT, AGENT, device), 0,
		 "refused: an agent with a quota on one device only");
	is_errno(swarm_allocate(AGENT, agent_peak + 1048576, device, &id), EDQUOT,
		 "refused: EDQUOT for more than the agent ever had");
	is(swarm_get("agents", "ID", AGENT, "PEAK"), agent_peak,
	   "refused: that is no peak of the agent");
	is(on_device(AGENT, device, "PEAK"), peak,
	   "refused: that is no peak of the agent on the device");
	is_errno(swarm_cmd("set_quota %d max %llu\n", AGENT, device), 0,
		 "refused: set_quota max");
}

static void test_capacity(void)
{
	__u64 used = swarm_get("devices", "ID", device, "USED");
	long long denied = swarm_stat("capacity_denied");
	struct swarm_table t;
	__u64 id = 0, more;

	is_errno(swarm_cmd("set_capacity %llu %llu\n", device, used + 65536), 0,
		 "capacity: set_capacity");
	is(swarm_get("devices", "ID", device, "CAPACITY"), used + 65536,
	   "capacity: devices shows it");
	is_errno(swarm_allocate(AGENT, 65537, device, &more), ENOSPC,
		 "capacity: ENOSPC for one byte too many");
	is(swarm_get("agents", "ID", AGENT, "USED"), 0,
	   "capacity: the refusal charges nothing to the agent");
	is(swarm_get("devices", "ID", device, "USED"), used,
	   "capacity: the refusal charges nothing to the device");
	is(swarm_stat("capacity_denied") - denied, 1, "capacity: capacity_denied counts it");
	is_errno(swarm_allocate(0, 65536, device, &id), 0, "capacity: all of it fits");
	is_errno(swarm_allocate(AGENT, 1, device, &more), ENOSPC,
		 "capacity: ENOSPC for another agent then");
	is_errno(swarm_cmd("set_capacity %llu %llu\n", device, used + 1), 0,
		 "capacity: one below what is used can be set");
	is_errno(swarm_cmd("free %llu\n", id), 0, "capacity: a buffer can be freed");
	is_errno(swarm_cmd("set_capacity %llu max\n", device), 0, "capacity: set_capacity max");
	is_errno(swarm_allocate(AGENT, 65537, device, &id), 0, "capacity: then nothing is refused");
	is_errno(swarm_cmd("free %llu\n", id), 0, "capacity: that buffer is freed");
	swarm_load(&t, "devices");
	ok(swarm_find(&t, 0, "ID", "-") >= 0, "capacity: there is a row for buffers of no GPU");
	swarm_unload(&t);
	swarm_add_up("after the capacity");
}

/* Sizes whose sum does not fit: one may be taken or not, the totals must hold. */
static void test_huge(void)
{
	__u64 first = 0, second = 0;
	int err;

	is_errno(swarm_cmd("set_quota %d max\n", AGENT), 0, "huge sizes: an agent without limit");
	err = swarm_allocate(AGENT, ULLONG_MAX, device, &first);
	note("allocating 2^64 - 1 bytes: %s", strerror(err));
	ok(swarm_allocate(AGENT, ULLONG_MAX, device, &second) != 0,
	   "huge sizes: 2^65 - 2 bytes are refused");
	ok(swarm_get("agents", "ID", AGENT, "USED") == (err ? 0 : ULLONG_MAX),
	   "huge sizes: nothing wraps");
	if (!err)
		is_errno(swarm_cmd("free %llu\n", first), 0, "huge sizes: the first is freed");
	is_errno(swarm_cmd("set_quota %d 1M\n", AGENT), 0,
		 "huge sizes: the agent has a limit again");
	swarm_add_up("after huge sizes");
}

static void test_remove_agent(void)
{
	__u64 used = swarm_get("devices", "ID", device, "USED");
	__u64 id, other = 0;
	int i;

	is_errno(swarm_cmd("set_quota %d 1M\n", OTHER), 0,
		 "remove_agent: set_quota creates an agent");
	is(swarm_get("agents", "ID", OTHER, "QUOTA"), QUOTA,
	   "remove_agent: the agent has that quota");
	is_errno(swarm_allocate(OTHER, 4096, device, &other), 0,
		 "remove_agent: the agent has a buffer");
	for (i = 0; i < 10; i++)
		if (swarm_allocate(AGENT, 4096, device, &id))
			bail("allocate");
	is(swarm_get("devices", "ID", device, "USED") - used, 11 * 4096,
	   "remove_agent: another agent has ten more");
	is_errno(swarm_cmd("remove_agent %d\n", AGENT), 0, "remove_agent: that one is removed");
	ok(!swarm_has("agents", "ID", AGENT), "remove_agent: agents forgets it");
	ok(!swarm_has("quotas", "AGENT", AGENT), "remove_agent: quotas forgets it");
	ok(!swarm_has("allocations", "AGENT", AGENT), "remove_agent: its buffers are freed");
	is(swarm_get("devices", "ID", device, "USED") - used, 4096,
	   "remove_agent: the device is uncharged");
	ok(swarm_has("allocations", "ID", other), "remove_agent: another agent's buffer stays");
	is_errno(swarm_cmd("free %llu\n", id), ENOENT, "remove_agent: ENOENT for a buffer of it");
	is_errno(swarm_cmd("allocate %d 1 %llu\n", AGENT, device), ENOENT,
		 "remove_agent: ENOENT for allocate of the agent");
	swarm_add_up("without an agent");
	is_errno(swarm_cmd("create_agent %d\n", AGENT), 0, "remove_agent: it can come back");
	is(swarm_get("agents", "ID", AGENT, "PEAK"), 0,
	   "remove_agent: the agent made anew has no peak");
	is_errno(swarm_cmd("remove_agent %d\nremove_agent %d\n", AGENT, OTHER), 0,
		 "remove_agent: both agents are removed");
	is(swarm_get("devices", "ID", device, "USED"), used,
	   "remove_agent: the device uses what it did before");
	swarm_add_up("without agents");
}

/* A command must not touch what the kernel owns. */
static void test_real_buffer(void)
{
	int card = gem_open("vgem");
	struct swarm_table t;
	__u32 handle;
	long row;
	__u64 id;

	if (card < 0 || gem_create(card, 4096, &handle)) {
		skip("no vgem buffer");
		return;
	}
	swarm_load(&t, "allocations");
	row = swarm_find_u64(&t, 0, "PID", getpid());
	if (row < 0)
		bail("the vgem buffer has no row");
	id = swarm_u64(&t, row, "ID");
	swarm_unload(&t);
	ok(swarm_cmd("free %llu\n", id) != 0,
	   "real buffer: a real buffer cannot be freed by command");
	ok(swarm_has("allocations", "ID", id), "real buffer: its row stays after free failed");
	swarm_add_up("with a real buffer");
	gem_destroy(card, handle);
	close(card);
}

static void test_reset_stats(void)
{
	long long buffers;
	__u64 id = 0;

	is_errno(swarm_allocate(0, 4096, device, &id), 0, "reset_stats: a buffer of agent 0");
	buffers = swarm_stat("buffers");
	ok(swarm_stat("ledger_allocated") > 0, "reset_stats: ledger_allocated counts it");
	is_errno(swarm_cmd("reset_stats\n"), 0, "reset_stats: reset_stats");
	is(swarm_stat("ledger_allocated"), 0, "reset_stats: ledger_allocated is 0");
	is(swarm_stat("quota_denied"), 0, "reset_stats: quota_denied is 0");
	is(swarm_stat("buffers"), buffers, "reset_stats: buffers is as it was");
	swarm_add_up("after reset_stats");
	is_errno(swarm_cmd("free %llu\n", id), 0, "reset_stats: the buffer is freed");
	is(swarm_stat("ledger_freed"), 1, "reset_stats: ledger_freed counts it");
}

/* What has no limit refuses nothing: DENIED counts at the limit that was passed alone. */
static void test_denied_by(void)
{
	long long denied = swarm_stat("quota_denied"), capacity = swarm_stat("capacity_denied");
	__u64 id = 0;

	is_errno(swarm_cmd("create_agent %d\n", OTHER), 0, "DENIED: an agent without a limit");
	is_errno(swarm_cmd("set_capacity %llu 1M\n", device), 0, "DENIED: a device that has one");
	is_errno(swarm_allocate(OTHER, 4 * QUOTA, device, &id), ENOSPC,
		 "DENIED: ENOSPC over the device's capacity");
	is_errno(swarm_cmd("set_capacity %llu max\n", device), 0, "DENIED: set_capacity max");
	is_errno(swarm_allocate(OTHER, ULLONG_MAX, device, &id), EDQUOT,
		 "DENIED: EDQUOT for 2^64 - 1 bytes");
	is(swarm_stat("capacity_denied") - capacity, 1, "DENIED: capacity_denied counts the first");
	is(swarm_stat("quota_denied") - denied, 1, "DENIED: quota_denied counts the second");
	is(swarm_get("agents", "ID", OTHER, "DENIED"), 0, "DENIED: agents counts neither");
	is(on_device(OTHER, device, "DENIED"), 0, "DENIED: quotas counts neither");
	is_errno(swarm_cmd("set_quota %d 1M\nset_quota %d 2M %llu\n", OTHER, OTHER, device), 0,
		 "DENIED: an agent with two limits");
	is_errno(swarm_allocate(OTHER, 2 * QUOTA, device, &id), EDQUOT,
		 "DENIED: EDQUOT over the first limit");
	is(swarm_get("agents", "ID", OTHER, "DENIED"), 1,
	   "DENIED: agents counts what is over that limit");
	is(on_device(OTHER, device, "DENIED"), 0, "DENIED: quotas does not count that");
	is_errno(swarm_allocate(OTHER, 3 * QUOTA, device, &id), EDQUOT,
		 "DENIED: EDQUOT over both limits");
	is(swarm_get("agents", "ID", OTHER, "DENIED"), 2,
	   "DENIED: agents counts what is over that limit");
	is(on_device(OTHER, device, "DENIED"), 1, "DENIED: quotas counts that too");
	is_errno(swarm_cmd("remove_agent %d\n", OTHER), 0, "DENIED: the agent goes");
}

static void test_reset_agent(void)
{
	long long refused = swarm_stat("quota_denied");
	__u64 id = 0, more;

	is_errno(swarm_cmd("create_agent %d 1M\nset_quota %d 64K %llu\n", OTHER, OTHER, device),
		 0, "reset_agent: an agent with two limits");
	is_errno(swarm_allocate(OTHER, 65536, device, &id), 0,
		 "reset_agent: as much as the lower one");
	is_errno(swarm_allocate(OTHER, 2 * QUOTA, device, &more), EDQUOT,
		 "reset_agent: EDQUOT over both");
	is_errno(swarm_cmd("free %llu\n", id), 0, "reset_agent: the buffer is freed");
	is_errno(swarm_allocate(OTHER, 4096, device, &id), 0, "reset_agent: a buffer of 4 KiB");
	is(swarm_get("agents", "ID", OTHER, "PEAK"), 65536,
	   "reset_agent: PEAK is 64 KiB before it");
	is(swarm_get("agents", "ID", OTHER, "DENIED"), 1, "reset_agent: DENIED is 1 before it");
	is_errno(swarm_cmd("reset_agent %d\n", OTHER), 0, "reset_agent: reset_agent");
	is(swarm_get("agents", "ID", OTHER, "PEAK"), 4096,
	   "reset_agent: PEAK is what the agent uses");
	is(swarm_get("agents", "ID", OTHER, "DENIED"), 0, "reset_agent: DENIED is 0");
	is(on_device(OTHER, device, "PEAK"), 4096, "reset_agent: PEAK on the device too");
	is(on_device(OTHER, device, "DENIED"), 0, "reset_agent: DENIED on the device too");
	is(swarm_get("agents", "ID", OTHER, "USED"), 4096, "reset_agent: USED is as it was");
	is(swarm_stat("quota_denied") - refused, 1, "reset_agent: quota_denied is as it was");
	is_errno(swarm_allocate(OTHER, 2 * QUOTA, device, &more), EDQUOT,
		 "reset_agent: EDQUOT over both again");
	is(swarm_get("agents", "ID", OTHER, "DENIED"), 1, "reset_agent: DENIED counts on from 0");
	is_errno(swarm_cmd("remove_agent %d\n", OTHER), 0, "reset_agent: the agent goes");
}

int main(void)
{
	device = swarm_device(NULL);
	if (device == SWARM_NONE)
		bail("no device");
	test_create_agent();
	test_allocate_free();
	test_unknown();
	test_quota();
	test_quotas_file();
	test_device_quota();
	test_denied_by();
	test_reset_agent();
	test_refused_peak();
	test_capacity();
	test_huge();
	test_remove_agent();
	test_real_buffer();
	test_reset_stats();
	return tap_done();
}
