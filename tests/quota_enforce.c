// SPDX-License-Identifier: GPL-2.0-only
/*
 * What happens at a limit: under enforce the 65th buffer of 16 KiB in a quota of
 * 1 MiB is refused in user space, under audit it is counted and traced, under
 * off it is not looked at. Limits of an agent, of an agent on one device and of
 * a device, lowered under the present use as well.
 *
 * vm: --load --mem 512 --timeout 120 --append kmemleak=on
 */
#define _GNU_SOURCE
#include "cgroup.h"
#include "client.h"
#include "perm.h"
#include "source.h"
#include "totals.h"
#include "trace.h"

#define SIZE		16384
#define FIT		64
#define QUOTA		(FIT * SIZE)
#define FREE_SECONDS	60
#define FILE_MAX	"/proc/sys/fs/file-max"

static struct client client;	/* of agent 1 */
static struct client other;	/* of agent 2 */

static void works(int err, const char *what)
{
	is_errno(err, 0, "%s", what);
}

static __u64 agent_1(const char *column)
{
	return swarm_get("agents", "ID", 1, column);
}

static long make(const struct client *c, enum source_id source)
{
	return client_call(c, source_do_make, source, SIZE);
}

static void drop(const struct client *c, enum source_id source, long count)
{
	if (client_call(c, source_do_drop, source, count))
		bail("freeing a buffer");
}

static bool no_buffer(const void *unused)
{
	(void)unused;
	return !swarm_stat("buffers");
}

static bool uses(const void *arg)
{
	return agent_1("USED") == *(const __u64 *)arg;
}

/* virtio-gpu frees a buffer only when its device has said so. */
static void wait_for_use(__u64 bytes)
{
	if (!swarm_wait(uses, &bytes, FREE_SECONDS))
		ok(false, "agent 1 uses %llu bytes, not %llu", agent_1("USED"), bytes);
}

static void drop_all(const struct client *c, enum source_id source)
{
	if (client_call(c, source_do_drop_all, source, 0))
		bail("freeing all buffers");
}

static void set_policy(const char *name)
{
	char *text, line[64];

	is_errno(swarm_cmd("policy %s\n", name), 0, "policy %s", name);
	snprintf(line, sizeof(line), "policy %s\n", name);
	text = swarm_read("stats");
	ok(strstr(text, line), "stats shows the policy %s", name);
	free(text);
}

/* What the exporter makes of a refused export: videobuf2 has one error for all. */
static int refusal(enum source_id source)
{
	return source == SOURCE_VIVID ? EINVAL : EDQUOT;
}

/* How many fit. vivid has fewer, and they have a size of their own. */
static int fit(enum source_id source)
{
	return source == SOURCE_VIVID ? SOURCE_VIVID_MAX / 2 : FIT;
}

static void set_quota_for_fit(enum source_id source)
{
	__u64 size = SIZE;

	if (source == SOURCE_VIVID) {
		if (make(&client, source))
			bail("vivid exports nothing");
		size = agent_1("USED");
		drop(&client, source, 1);
		wait_for_use(0);
	}
	swarm_cmd("set_quota 1 %llu\n", size * fit(source));
}

static void at_the_limit(enum source_id source)
{
	__u64 quota = agent_1("QUOTA"), denied = agent_1("DENIED");
	long long refused = swarm_stat("quota_denied");
	const char *name = source_names[source];
	char line[512];
	int i;

	trace_event("gdl_charge_denied", true);
	is_errno(client_call(&client, source_do_fill, source, SIZE), refusal(source),
		 "%s: buffers are made until one is refused", name);
	is(client_call(&client, source_do_count, source, 0), fit(source),
	   "%s: %d buffers fit into the quota", name, fit(source));
	is(agent_1("USED"), quota, "%s: the quota is used up", name);
	is(agent_1("BUFFERS"), fit(source), "%s: BUFFERS of agent 1 is %d", name, fit(source));
	is(agent_1("DENIED") - denied, 1, "%s: DENIED of agent 1 rises by one", name);
	is(swarm_stat("quota_denied") - refused, 1, "%s: quota_denied of stats rises by one", name);
	is(trace_find("gdl_charge_denied", "agent=1 ", line, sizeof(line)), 1,
	   "%s: there is one event: %s", name, line);
	ok(strstr(line, "refused"), "%s: the event says that the charge was refused", name);
	trace_event("gdl_charge_denied", false);
	is_errno(client_call(&client, source_do_make, source, 4096), refusal(source),
		 "%s: at the quota a buffer of one page is refused too", name);
	totals_add_up("at the limit");
	for (i = 0; i < 3; i++) {
		drop(&client, source, 1);
		wait_for_use(quota - quota / fit(source));
		works(make(&client, source), "a buffer is made after one was freed");
		is_errno(make(&client, source), refusal(source), "a second one is refused");
	}
	is(agent_1("PEAK"), quota, "%s: PEAK is the quota: at no time was there more", name);
}

/* The limit of one agent, by each driver and exporter. */
static void test_limit(enum source_id source)
{
	const char *name = source_names[source];
	int i;

	if (!client_call(&client, source_is_there, source, 0)) {
		skip("no %s on this kernel", name);
		return;
	}
	set_quota_for_fit(source);
	at_the_limit(source);
	if (source != SOURCE_VIVID) {
		for (i = 0; i < 10; i++)
			if (make(&other, source))
				break;
		is(i, 10, "%s: another agent makes 10 meanwhile", name);
		totals_add_up("with both");
		drop_all(&other, source);
	}
	drop_all(&client, source);
	wait_for_use(0);
	swarm_cmd("remove_agent 1\ncreate_agent 1 1M\nbind 1 cgroup:one\n");
}

/* Dma-bufs of a GEM object at the limit cost nothing. */
static void test_export_at_limit(void)
{
	int i, fd = -1;

	client_call(&client, source_do_fill, SOURCE_VGEM, SIZE);
	if (cgroup_move("one", getpid()))
		bail("moving the test");
	source_open(SOURCE_VGEM);
	is_errno(source_make(SOURCE_VGEM, SIZE), EDQUOT, "agent 1: another process is refused too");
	drop(&client, SOURCE_VGEM, 1);
	works(source_make(SOURCE_VGEM, SIZE), "agent 1: it gets a buffer when one was freed");
	for (i = 0; i < 3; i++) {
		works(source_export(SOURCE_VGEM, &fd), "a buffer is exported at the limit");
		close(fd);
	}
	source_drop(SOURCE_VGEM);
	cgroup_move("", getpid());
	drop_all(&client, SOURCE_VGEM);
	wait_for_use(0);
}

static void test_device_limit(void)
{
	__u64 vgem = swarm_device("vgem");

	works(swarm_cmd("set_quota 1 64K %llu\n", vgem), "agent 1 gets a limit on vgem");
	is_errno(client_call(&client, source_do_fill, SOURCE_VGEM, SIZE), EDQUOT,
		 "EDQUOT at the limit of agent 1 on vgem");
	is(client_call(&client, source_do_count, SOURCE_VGEM, 0), 4,
	   "4 buffers of 16 KiB fit into 64 KiB on vgem");
	works(make(&client, SOURCE_VIRTIO), "the limit on vgem does not count on virtio_gpu");
	works(make(&other, SOURCE_VGEM), "the limit of agent 1 does not count for agent 2");
	totals_add_up("at the limit on one device");
	works(swarm_cmd("set_quota 1 max %llu\n", vgem), "the limit on vgem is lifted");
	works(make(&client, SOURCE_VGEM), "agent 1 makes one more buffer of vgem");
	drop_all(&client, SOURCE_VGEM);
	drop_all(&client, SOURCE_VIRTIO);
	drop_all(&other, SOURCE_VGEM);
	wait_for_use(0);
}

static void test_capacity(void)
{
	__u64 vgem = swarm_device("vgem");
	long long denied = swarm_stat("capacity_denied");

	works(swarm_cmd("set_capacity %llu 128K\n", vgem), "vgem gets a capacity");
	works(make(&other, SOURCE_VGEM), "agent 2 takes some of it");
	is_errno(client_call(&client, source_do_fill, SOURCE_VGEM, SIZE), ENOSPC,
		 "ENOSPC when agent 1 has taken the rest of vgem");
	is(client_call(&client, source_do_count, SOURCE_VGEM, 0), 7,
	   "the rest of vgem is 7 buffers");
	is_errno(make(&other, SOURCE_VGEM), ENOSPC, "ENOSPC for agent 2 too when vgem is full");
	is(swarm_stat("capacity_denied") - denied, 2, "capacity_denied rises by two");
	is(swarm_get("devices", "ID", vgem, "USED"), 128 * 1024, "USED of vgem is its capacity");
	works(make(&client, SOURCE_VIRTIO), "virtio_gpu is not full");
	totals_add_up("at the capacity of a device");
	works(swarm_cmd("set_capacity %llu max\n", vgem), "vgem has no capacity any more");
	works(make(&other, SOURCE_VGEM), "agent 2 makes one more buffer of vgem");
	drop_all(&client, SOURCE_VGEM);
	drop_all(&client, SOURCE_VIRTIO);
	drop_all(&other, SOURCE_VGEM);
	wait_for_use(0);
}

/* A capacity counts sizes, and this one has no pages: only a quota saves the others. */
static void test_capacity_share(void)
{
	__u64 vgem = swarm_device("vgem");

	works(swarm_cmd("set_capacity %llu 1G\nset_quota 2 max\n", vgem), "agent 2 has no limit");
	works(client_call(&other, source_do_make, SOURCE_VGEM, 1 << 30), "agent 2 fills vgem");
	is_errno(make(&client, SOURCE_VGEM), ENOSPC, "nothing is left for agent 1");
	is_errno(client_call(&other, source_do_make, SOURCE_VGEM, 1 << 30), ENOSPC,
		 "nothing is left for agent 2 itself");
	drop_all(&other, SOURCE_VGEM);
	works(swarm_cmd("set_quota 2 512M %llu\n", vgem), "agent 2 gets a quota on vgem");
	is_errno(client_call(&other, source_do_make, SOURCE_VGEM, 1 << 30), EDQUOT,
		 "with a quota agent 2 cannot take all of vgem");
	works(make(&client, SOURCE_VGEM), "agent 1 has its part of vgem");
	works(swarm_cmd("set_capacity %llu max\nset_quota 2 max %llu\nset_quota 2 1M\n", vgem,
			vgem), "limits are as before");
	drop_all(&client, SOURCE_VGEM);
	wait_for_use(0);
}

static void test_lowered(void)
{
	int i;

	for (i = 0; i < 10; i++)
		if (make(&client, SOURCE_VGEM))
			bail("making buffers");
	works(swarm_cmd("set_quota 1 %d\n", 3 * SIZE), "a limit may be under the present use");
	is(agent_1("USED"), 10 * SIZE, "buffers over a lowered limit stay");
	for (i = 10; i > 2; i--) {
		is_errno(make(&client, SOURCE_VGEM), EDQUOT, "with %d buffers no more is given", i);
		drop(&client, SOURCE_VGEM, 1);
	}
	works(make(&client, SOURCE_VGEM), "a buffer is made when use has fallen");
	is_errno(make(&client, SOURCE_VGEM), EDQUOT, "use rises to the lowered limit only");
	is(agent_1("USED"), 3 * SIZE, "the lowered limit is used up");
	totals_add_up("at a limit that was lowered");
	drop_all(&client, SOURCE_VGEM);
	works(swarm_cmd("set_quota 1 0\n"), "a limit of 0 lets nothing pass");
	is_errno(make(&client, SOURCE_VGEM), EDQUOT, "EDQUOT with a limit of 0");
	works(swarm_cmd("set_quota 1 1M\n"), "the old limit");
}

/* Ledger memory has no other way than the command: it is refused in any policy. */
static void ledger_is_refused(void)
{
	__u64 id;

	is_errno(swarm_allocate(1, QUOTA, swarm_device("vgem"), &id), EDQUOT,
		 "ledger memory is refused all the same");
}

static void test_audit(enum source_id source)
{
	__u64 denied = agent_1("DENIED");
	long long audited = swarm_stat("quota_audited"), refused = swarm_stat("quota_denied");
	const char *name = source_names[source];
	char line[512], want[64];
	int i, err = 0;

	if (!client_call(&client, source_is_there, source, 0)) {
		skip("no %s on this kernel", name);
		return;
	}
	trace_event("gdl_charge_denied", true);
	for (i = 0; i < FIT + 3 && !err; i++)
		err = make(&client, source);
	works(err, "audit: buffers over the limit are made");
	is(agent_1("USED"), (FIT + 3) * SIZE, "%s: agent 1 pays for each", name);
	is(agent_1("DENIED") - denied, 3, "%s: the three over it count as denied", name);
	is(swarm_stat("quota_audited") - audited, 3, "%s: as audited in stats", name);
	is(swarm_stat("quota_denied") - refused, 0, "%s: not as denied", name);
	is(trace_find("gdl_charge_denied", "agent=1 ", line, sizeof(line)), 3,
	   "%s: three events tell: %s", name, line);
	snprintf(want, sizeof(want), "size=%d over=%d ", SIZE, 3 * SIZE);
	ok(strstr(line, want), "%s: the last of size and overrun: %s", name, want);
	ok(strstr(line, "allowed"), "%s: and that it was allowed", name);
	trace_event("gdl_charge_denied", false);
	totals_add_up("over a limit");
	ledger_is_refused();
	drop_all(&client, source);
	wait_for_use(0);
}

static void test_off(void)
{
	__u64 denied = agent_1("DENIED");
	long long audited = swarm_stat("quota_audited"), refused = swarm_stat("quota_denied");
	char line[512];
	int i, err = 0;

	trace_event("gdl_charge_denied", true);
	for (i = 0; i < FIT + 3 && !err; i++)
		err = make(&client, SOURCE_VGEM);
	works(err, "off: buffers over the limit are made");
	is(agent_1("USED"), (FIT + 3) * SIZE, "agent 1 pays for each");
	is(agent_1("DENIED") - denied, 0, "none counts as denied");
	is(swarm_stat("quota_audited") - audited, 0, "nor as audited in stats");
	is(swarm_stat("quota_denied") - refused, 0, "nor as denied there");
	is(trace_find("gdl_charge_denied", "", line, sizeof(line)), 0, "no event tells");
	trace_event("gdl_charge_denied", false);
	totals_add_up("over a limit not looked at");
	ledger_is_refused();
}

static int odd;		/* of the client: odd_gem's card */
static __u32 odd_handle;

static long open_odd(long unused, long unused2)
{
	(void)unused;
	(void)unused2;
	odd = gem_open("odd_gem");
	return odd < 0 ? errno : 0;
}

static long make_odd(long size, long unused)
{
	(void)unused;
	return gem_create(odd, size, &odd_handle);
}

static long export_odd(long unused, long unused2)
{
	int fd = -1, err = gem_export(odd, odd_handle, &fd);

	(void)unused;
	(void)unused2;
	if (!err)
		close(fd);
	return err;
}

/* Without what only root may, one more open file among them. */
static long make_odd_as_nobody(long size, long unused)
{
	long err;

	(void)unused;
	if (seteuid(65534))
		return errno;
	err = gem_create(odd, size, &odd_handle);
	if (seteuid(0))
		return errno;
	return err;
}

static void set(const char *path, const char *value)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, value, strlen(value)) < 0)
		bail("writing %s to %s", value, path);
	close(fd);
}

/* The kernel fails to make what was charged already: its driver frees it, and no more. */
static void test_failed(void)
{
	set(FILE_MAX, "1");
	is_errno(client_call(&client, make_odd_as_nobody, SIZE, 0), ENFILE,
		 "an object that is charged fails otherwise");
	set(FILE_MAX, "100000");
	is(agent_1("USED"), 0, "it is uncharged");
	is(agent_1("BUFFERS"), 0, "and has no row");
}

/* What could not be refused when it was made is refused when it is exported. */
static void test_overrun(void)
{
	is_errno(client_call(&client, make_odd, 2 * QUOTA, 0), 0,
		 "a driver makes what cannot be refused");
	is(agent_1("USED"), 2 * QUOTA, "it is charged");
	is_errno(client_call(&client, export_odd, 0, 0), EDQUOT, "but is not exported");
	works(swarm_cmd("set_quota 1 %d\n", 2 * QUOTA), "the limit is raised");
	is_errno(client_call(&client, export_odd, 0, 0), 0, "then it is");
	works(swarm_cmd("set_quota 1 1M\n"), "the old limit");
}

static long close_odd(long unused, long unused2)
{
	(void)unused;
	(void)unused2;
	return close(odd);
}

static void test_odd(void)
{
	if (perm_insert(PERM_TEST_DIR "odd_gem.ko")) {
		skip("no odd_gem on this kernel");
		return;
	}
	if (client_call(&client, open_odd, 0, 0))
		bail("opening odd_gem");
	test_failed();
	set("/sys/module/odd_gem/parameters/private", "1");
	test_overrun();
	client_call(&client, close_odd, 0, 0);
	wait_for_use(0);
	if (perm_delete("odd_gem"))
		bail("removing odd_gem.ko");
}

/* Buffers made over the limit before: they stay, and are not asked for again. */
static void test_enforced_late(void)
{
	set_policy("enforce");
	is(agent_1("USED"), (FIT + 3) * SIZE, "what is over the limit stays");
	is_errno(make(&client, SOURCE_VGEM), EDQUOT, "but there is no more");
	drop(&client, SOURCE_VGEM, 3);
	is_errno(make(&client, SOURCE_VGEM), EDQUOT, "nor at the limit");
	drop(&client, SOURCE_VGEM, 1);
	works(make(&client, SOURCE_VGEM), "there is under it");
	drop_all(&client, SOURCE_VGEM);
	wait_for_use(0);
}

static void start(void)
{
	static const char * const names[] = { "one", "two" };
	struct client * const clients[] = { &client, &other };
	int i;

	if (system("modprobe -q vivid"))
		note("no vivid");
	for (i = 0; i < 2; i++) {
		if (cgroup_make(names[i]))
			bail("making a cgroup");
		works(swarm_cmd("create_agent %d 1M\nbind %d cgroup:%s\n", i + 1, i + 1, names[i]),
		      "an agent with a cgroup");
		client_start(clients[i]);
		if (cgroup_move(names[i], clients[i]->pid))
			bail("moving a client");
	}
}

int main(void)
{
	int i;

	start();
	set_policy("enforce");
	for (i = 0; i < NR_SOURCES; i++)
		test_limit(i);
	test_export_at_limit();
	test_device_limit();
	test_capacity();
	test_capacity_share();
	test_lowered();
	test_odd();
	set_policy("audit");
	test_audit(SOURCE_VGEM);
	test_audit(SOURCE_VIRTIO);
	test_audit(SOURCE_UDMABUF);
	test_audit(SOURCE_HEAP);
	set_policy("off");
	test_off();
	test_enforced_late();
	client_stop(&client, 0);
	client_stop(&other, 0);
	ok(swarm_wait(no_buffer, NULL, FREE_SECONDS), "no buffer is left");
	totals_add_up("at the end");
	return tap_done();
}
