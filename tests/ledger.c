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

	is_errno(swarm_cmd("create_agent %d 1M\n", AGENT), 0, "an agent is created");
	is_errno(swarm_cmd("create_agent %d\n", AGENT), EEXIST, "but not again");
	is_errno(swarm_cmd("create_agent 0\n"), EEXIST, "agent 0 always exists");
	is(swarm_get("agents", "ID", AGENT, "QUOTA"), QUOTA, "agents shows its quota");
	is(swarm_get("agents", "ID", AGENT, "USED"), 0, "it uses nothing");
	swarm_load(&t, "quotas");
	row = swarm_find_u64(&t, 0, "AGENT", AGENT);
	if (ok(row >= 0, "quotas has a row of it")) {
		is_str(swarm_cell(&t, row, "DEVICE"), "all", "for all devices");
		is(swarm_u64(&t, row, "LIMIT"), QUOTA, "with its limit");
	}
	row = swarm_find_u64(&t, 0, "AGENT", 0);
	if (ok(row >= 0, "quotas has a row of agent 0"))
		is_str(swarm_cell(&t, row, "LIMIT"), "max", "which is unlimited");
	swarm_unload(&t);
}

static void test_allocate_free(void)
{
	__u64 before = swarm_get("devices", "ID", device, "USED");
	long long allocated = swarm_stat("ledger_allocated"), freed = swarm_stat("ledger_freed");
	__u64 id = 0, second = 0;
	struct swarm_table t;
	long row;

	is_errno(swarm_allocate(AGENT, 5000, device, &id), 0, "a buffer is allocated");
	ok(id > 0, "its id is read back: %llu", id);
	swarm_load(&t, "allocations");
	row = swarm_find_u64(&t, 0, "ID", id);
	if (row < 0)
		bail("no row with that id");
	is(swarm_count_u64(&t, "ID", id), 1, "one row has that id");
	is(swarm_u64(&t, row, "AGENT"), AGENT, "AGENT");
	is(swarm_u64(&t, row, "DEVICE"), device, "DEVICE");
	is(swarm_u64(&t, row, "SIZE"), 5000, "SIZE, to the byte");
	is_str(swarm_cell(&t, row, "KIND"), "ledger", "KIND");
	is_str(swarm_cell(&t, row, "INODE"), "-", "INODE");
	is(swarm_u64(&t, row, "PID"), getpid(), "PID");
	is_str(swarm_cell(&t, row, "COMM"), "ledger", "COMM");
	ok(swarm_u64(&t, row, "AGE_MS") < 60000, "AGE_MS");
	swarm_unload(&t);
	is(swarm_get("agents", "ID", AGENT, "USED"), 5000, "the agent is charged");
	is(swarm_get("agents", "ID", AGENT, "BUFFERS"), 1, "for one buffer");
	is(swarm_get("devices", "ID", device, "USED") - before, 5000, "the device is charged");
	is(swarm_stat("ledger_allocated") - allocated, 1, "stats counts it");
	swarm_add_up("with a ledger buffer");

	is_errno(swarm_cmd("free %llu\n", id), 0, "it is freed");
	is_errno(swarm_cmd("free %llu\n", id), ENOENT, "but not twice");
	ok(!swarm_has("allocations", "ID", id), "its row is gone");
	is(swarm_get("agents", "ID", AGENT, "USED"), 0, "the agent is uncharged");
	is(swarm_get("agents", "ID", AGENT, "PEAK"), 5000, "its peak stays");
	is(swarm_get("devices", "ID", device, "USED"), before, "the device is uncharged");
	is(swarm_stat("ledger_freed") - freed, 1, "stats counts that");
	is_errno(swarm_allocate(AGENT, 1, device, &second), 0, "one byte is enough for a buffer");
	ok(second > id, "an id is not used again");
	is_errno(swarm_cmd("free %llu\n", second), 0, "freed");
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
	ok(!swarm_has("agents", "ID", 78), "and no agent came of that");
	ok(swarm_cmd("remove_agent 0\n") != 0, "agent 0 cannot be removed");
	ok(swarm_has("agents", "ID", 0), "and is still there");
	is(swarm_get("agents", "ID", 0, "USED"), used, "nothing was charged");
	swarm_add_up("after errors");
}

static void test_quota(void)
{
	__u64 id = 0, last = 0, more = 0;
	long long denied = swarm_stat("quota_denied");

	is_errno(swarm_allocate(AGENT, QUOTA - 1, device, &id), 0, "one byte below the quota");
	is_errno(swarm_allocate(AGENT, 2, device, &more), EDQUOT, "over the quota");
	is(swarm_get("agents", "ID", AGENT, "USED"), QUOTA - 1, "charges nothing");
	is(swarm_get("agents", "ID", AGENT, "DENIED"), 1, "is counted by the agent");
	is(swarm_stat("quota_denied") - denied, 1, "and by stats");
	is_errno(swarm_allocate(AGENT, 1, device, &last), 0, "exactly the quota");
	is_errno(swarm_allocate(AGENT, 1, device, &more), EDQUOT, "one byte over it");
	is_errno(swarm_allocate(AGENT, ULLONG_MAX, device, &more), EDQUOT, "2^64 - 1 over it");
	is(swarm_get("agents", "ID", AGENT, "PEAK"), QUOTA, "the peak is the quota");

	is_errno(swarm_cmd("set_quota %d 1\n", AGENT), 0, "a quota below the use is allowed");
	is(swarm_get("agents", "ID", AGENT, "USED"), QUOTA, "and takes nothing away");
	is_errno(swarm_cmd("free %llu\n", last), 0, "free while over the quota");
	is_errno(swarm_allocate(AGENT, 1, device, &more), EDQUOT, "still over it");
	is_errno(swarm_cmd("free %llu\n", id), 0, "free the rest");
	is_errno(swarm_allocate(AGENT, 1, device, &more), 0, "now there is room");
	is_errno(swarm_cmd("free %llu\n", more), 0, "which is given back");
	is_errno(swarm_cmd("set_quota %d max\n", AGENT), 0, "without limit");
	is_errno(swarm_allocate(AGENT, 1ULL << 40, device, &more), 0, "1 TiB fits");
	is_errno(swarm_cmd("free %llu\n", more), 0, "and goes");
	is_errno(swarm_cmd("set_quota %d 1M\n", AGENT), 0, "the limit is back");
	swarm_add_up("after the quota");
}

static void test_quotas_file(void)
{
	char text[64];

	snprintf(text, sizeof(text), "%d 2M\n", AGENT);
	is_errno(swarm_write("quotas", text), 0, "quotas can be written");
	is(swarm_get("quotas", "AGENT", AGENT, "LIMIT"), 2 * QUOTA, "and shows it");
	snprintf(text, sizeof(text), "%d junk\n", AGENT);
	is_errno(swarm_write("quotas", text), EINVAL, "but not with junk");
	snprintf(text, sizeof(text), "%d 1M\n%d 3M\n", OTHER, AGENT);
	is_errno(swarm_write("quotas", text), 0, "two lines are two quotas");
	is(swarm_get("quotas", "AGENT", OTHER, "LIMIT"), QUOTA, "the first");
	is(swarm_get("quotas", "AGENT", AGENT, "LIMIT"), 3 * QUOTA, "and the second");
	is(swarm_get("agents", "ID", AGENT, "QUOTA"), 3 * QUOTA, "agents says the same");
	snprintf(text, sizeof(text), "%d max", AGENT);
	is_errno(swarm_write("quotas", text), 0, "no newline is needed");
	is_errno(swarm_cmd("set_quota %d 1M\n", AGENT), 0, "set_quota is the same");
	is(swarm_get("quotas", "AGENT", AGENT, "LIMIT"), QUOTA, "quotas shows that");
	is_errno(swarm_cmd("remove_agent %d\n", OTHER), 0, "the other agent goes");
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

	is_errno(swarm_cmd("set_quota %d 64K %llu\n", AGENT, device), 0, "a quota on one device");
	is_errno(swarm_allocate(AGENT, 65536, device, &id), 0, "up to it");
	is_errno(swarm_allocate(AGENT, 1, device, &more), EDQUOT, "not over it");
	is(on_device(AGENT, device, "LIMIT"), 65536, "quotas shows the limit");
	is(on_device(AGENT, device, "USED"), 65536, "the use");
	ok(on_device(AGENT, device, "PEAK") >= 65536, "the peak");
	is(on_device(AGENT, device, "DENIED") - denied, 1, "and the refusal");
	is(swarm_get("agents", "ID", AGENT, "DENIED"), total, "which is none of the quota in all");
	is(swarm_get("agents", "ID", AGENT, "USED"), 65536, "the refusal charged nothing");
	is_errno(swarm_cmd("free %llu\n", id), 0, "freed");
	is_errno(swarm_cmd("set_quota %d max %llu\n", AGENT, device), 0, "without it again");
	is_errno(swarm_allocate(AGENT, 65537, device, &id), 0, "more fits");
	is_errno(swarm_cmd("free %llu\n", id), 0, "freed too");
	swarm_add_up("after a quota on one device");
}

/* One limit lets it pass, the next one does not: that is no use of anything. */
static void test_refused_peak(void)
{
	__u64 agent_peak = swarm_get("agents", "ID", AGENT, "PEAK");
	__u64 peak = on_device(AGENT, device, "PEAK"), id;

	is_errno(swarm_cmd("set_quota %d max\nset_quota %d 64K %llu\n", AGENT, AGENT, device), 0,
		 "a quota on one device only");
	is_errno(swarm_allocate(AGENT, agent_peak + 1048576, device, &id), EDQUOT,
		 "over it, and more than ever");
	is(swarm_get("agents", "ID", AGENT, "PEAK"), agent_peak, "is no peak of the agent");
	is(on_device(AGENT, device, "PEAK"), peak, "nor of it on the device");
	is_errno(swarm_cmd("set_quota %d max %llu\n", AGENT, device), 0, "without it again");
}

static void test_capacity(void)
{
	__u64 used = swarm_get("devices", "ID", device, "USED");
	long long denied = swarm_stat("capacity_denied");
	struct swarm_table t;
	__u64 id = 0, more;

	is_errno(swarm_cmd("set_capacity %llu %llu\n", device, used + 65536), 0, "a capacity");
	is(swarm_get("devices", "ID", device, "CAPACITY"), used + 65536, "is shown");
	is_errno(swarm_allocate(AGENT, 65537, device, &more), ENOSPC, "over it");
	is(swarm_get("agents", "ID", AGENT, "USED"), 0, "charges nothing to the agent");
	is(swarm_get("devices", "ID", device, "USED"), used, "nor to the device");
	is(swarm_stat("capacity_denied") - denied, 1, "is counted");
	is_errno(swarm_allocate(0, 65536, device, &id), 0, "exactly the capacity");
	is_errno(swarm_allocate(AGENT, 1, device, &more), ENOSPC, "which all agents share");
	is_errno(swarm_cmd("set_capacity %llu %llu\n", device, used + 1), 0, "below the use");
	is_errno(swarm_cmd("free %llu\n", id), 0, "a buffer can be freed");
	is_errno(swarm_cmd("set_capacity %llu max\n", device), 0, "no capacity");
	is_errno(swarm_allocate(AGENT, 65537, device, &id), 0, "refuses nothing");
	is_errno(swarm_cmd("free %llu\n", id), 0, "freed");
	swarm_load(&t, "devices");
	ok(swarm_find(&t, 0, "ID", "-") >= 0, "there is a row for buffers of no GPU");
	swarm_unload(&t);
	swarm_add_up("after the capacity");
}

/* Sizes whose sum does not fit: one may be taken or not, the totals must hold. */
static void test_huge(void)
{
	__u64 first = 0, second = 0;
	int err;

	is_errno(swarm_cmd("set_quota %d max\n", AGENT), 0, "an agent without limit");
	err = swarm_allocate(AGENT, ULLONG_MAX, device, &first);
	note("allocating 2^64 - 1 bytes: %s", strerror(err));
	ok(swarm_allocate(AGENT, ULLONG_MAX, device, &second) != 0, "2^65 - 2 bytes are refused");
	ok(swarm_get("agents", "ID", AGENT, "USED") == (err ? 0 : ULLONG_MAX), "nothing wraps");
	if (!err)
		is_errno(swarm_cmd("free %llu\n", first), 0, "freed");
	is_errno(swarm_cmd("set_quota %d 1M\n", AGENT), 0, "limited again");
	swarm_add_up("after huge sizes");
}

static void test_remove_agent(void)
{
	__u64 used = swarm_get("devices", "ID", device, "USED");
	__u64 id, other = 0;
	int i;

	is_errno(swarm_cmd("set_quota %d 1M\n", OTHER), 0, "set_quota creates an agent");
	is(swarm_get("agents", "ID", OTHER, "QUOTA"), QUOTA, "with that quota");
	is_errno(swarm_allocate(OTHER, 4096, device, &other), 0, "which has a buffer");
	for (i = 0; i < 10; i++)
		if (swarm_allocate(AGENT, 4096, device, &id))
			bail("allocate");
	is(swarm_get("devices", "ID", device, "USED") - used, 11 * 4096, "ten more of another");
	is_errno(swarm_cmd("remove_agent %d\n", AGENT), 0, "that one is removed");
	ok(!swarm_has("agents", "ID", AGENT), "agents forgets it");
	ok(!swarm_has("quotas", "AGENT", AGENT), "quotas too");
	ok(!swarm_has("allocations", "AGENT", AGENT), "its buffers are freed");
	is(swarm_get("devices", "ID", device, "USED") - used, 4096, "the device is uncharged");
	ok(swarm_has("allocations", "ID", other), "another agent's buffer stays");
	is_errno(swarm_cmd("free %llu\n", id), ENOENT, "its id is unknown");
	is_errno(swarm_cmd("allocate %d 1 %llu\n", AGENT, device), ENOENT, "and so is the agent");
	swarm_add_up("without an agent");
	is_errno(swarm_cmd("create_agent %d\n", AGENT), 0, "it can come back");
	is(swarm_get("agents", "ID", AGENT, "PEAK"), 0, "as another one");
	is_errno(swarm_cmd("remove_agent %d\nremove_agent %d\n", AGENT, OTHER), 0, "both go");
	is(swarm_get("devices", "ID", device, "USED"), used, "with everything");
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
	ok(swarm_cmd("free %llu\n", id) != 0, "a real buffer cannot be freed by command");
	ok(swarm_has("allocations", "ID", id), "its row stays");
	swarm_add_up("with a real buffer");
	gem_destroy(card, handle);
	close(card);
}

static void test_reset_stats(void)
{
	long long buffers;
	__u64 id = 0;

	is_errno(swarm_allocate(0, 4096, device, &id), 0, "a buffer of agent 0");
	buffers = swarm_stat("buffers");
	ok(swarm_stat("ledger_allocated") > 0, "is counted");
	is_errno(swarm_cmd("reset_stats\n"), 0, "reset_stats");
	is(swarm_stat("ledger_allocated"), 0, "puts a counter to 0");
	is(swarm_stat("quota_denied"), 0, "another too");
	is(swarm_stat("buffers"), buffers, "but not what there is now");
	swarm_add_up("after reset_stats");
	is_errno(swarm_cmd("free %llu\n", id), 0, "freed");
	is(swarm_stat("ledger_freed"), 1, "counting goes on");
}

/* What has no limit refuses nothing: DENIED counts at the limit that was passed alone. */
static void test_denied_by(void)
{
	long long denied = swarm_stat("quota_denied"), capacity = swarm_stat("capacity_denied");
	__u64 id = 0;

	is_errno(swarm_cmd("create_agent %d\n", OTHER), 0, "an agent without a limit");
	is_errno(swarm_cmd("set_capacity %llu 1M\n", device), 0, "a device that has one");
	is_errno(swarm_allocate(OTHER, 4 * QUOTA, device, &id), ENOSPC, "more than there is");
	is_errno(swarm_cmd("set_capacity %llu max\n", device), 0, "without it");
	is_errno(swarm_allocate(OTHER, ULLONG_MAX, device, &id), EDQUOT, "more than can be");
	is(swarm_stat("capacity_denied") - capacity, 1, "stats counts the first");
	is(swarm_stat("quota_denied") - denied, 1, "and the second");
	is(swarm_get("agents", "ID", OTHER, "DENIED"), 0, "agents none");
	is(on_device(OTHER, device, "DENIED"), 0, "quotas none");
	is_errno(swarm_cmd("set_quota %d 1M\nset_quota %d 2M %llu\n", OTHER, OTHER, device), 0,
		 "two limits");
	is_errno(swarm_allocate(OTHER, 2 * QUOTA, device, &id), EDQUOT, "over the first");
	is(swarm_get("agents", "ID", OTHER, "DENIED"), 1, "is counted there");
	is(on_device(OTHER, device, "DENIED"), 0, "and there alone");
	is_errno(swarm_allocate(OTHER, 3 * QUOTA, device, &id), EDQUOT, "over both");
	is(swarm_get("agents", "ID", OTHER, "DENIED"), 2, "is counted there");
	is(on_device(OTHER, device, "DENIED"), 1, "and there");
	is_errno(swarm_cmd("remove_agent %d\n", OTHER), 0, "the agent goes");
}

static void test_reset_agent(void)
{
	long long refused = swarm_stat("quota_denied");
	__u64 id = 0, more;

	is_errno(swarm_cmd("create_agent %d 1M\nset_quota %d 64K %llu\n", OTHER, OTHER, device),
		 0, "an agent of two limits");
	is_errno(swarm_allocate(OTHER, 65536, device, &id), 0, "up to one");
	is_errno(swarm_allocate(OTHER, 2 * QUOTA, device, &more), EDQUOT, "over both");
	is_errno(swarm_cmd("free %llu\n", id), 0, "freed");
	is_errno(swarm_allocate(OTHER, 4096, device, &id), 0, "4 KiB");
	is(swarm_get("agents", "ID", OTHER, "PEAK"), 65536, "there was more");
	is(swarm_get("agents", "ID", OTHER, "DENIED"), 1, "and refused");
	is_errno(swarm_cmd("reset_agent %d\n", OTHER), 0, "reset_agent");
	is(swarm_get("agents", "ID", OTHER, "PEAK"), 4096, "the peak is what it uses");
	is(swarm_get("agents", "ID", OTHER, "DENIED"), 0, "nothing was refused since");
	is(on_device(OTHER, device, "PEAK"), 4096, "on the device too");
	is(on_device(OTHER, device, "DENIED"), 0, "nor there");
	is(swarm_get("agents", "ID", OTHER, "USED"), 4096, "it uses what it did");
	is(swarm_stat("quota_denied") - refused, 1, "stats is as it was");
	is_errno(swarm_allocate(OTHER, 2 * QUOTA, device, &more), EDQUOT, "over both again");
	is(swarm_get("agents", "ID", OTHER, "DENIED"), 1, "is counted from there on");
	is_errno(swarm_cmd("remove_agent %d\n", OTHER), 0, "the agent goes");
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
