// SPDX-License-Identifier: GPL-2.0-only
/*
 * Locks and real DMA: a buffer of virtio-gpu that vgem has mapped for agent 2 is
 * held by that mapping, so agent 1 waits for it; and while agent 1 has the lock
 * agent 2 neither attaches nor maps it: refused under enforce, counted and traced
 * under audit. And vivid, which on every kernel maps what it imports, in one
 * direction: its mapping to read is a shared holder.
 *
 * vm: --load --mem 768 --timeout 300
 */
#define _GNU_SOURCE
#include <sys/mman.h>

#include "client.h"
#include "gem.h"
#include "lock.h"
#include "sleep.h"
#include "trace.h"
#include "v4l2.h"

#define SIZE	(16 * 4096)

static struct client client;	/* of agent 2, which makes the buffer */
static __u64 buffer;

/* In the client: */
static int card, importer, dmabuf, node;
static __u32 handle, imported;

static long do_make(long unused, long unused2)
{
	int err;

	(void)unused;
	(void)unused2;
	card = gem_open("virtio_gpu");
	importer = gem_open("vgem");
	err = card < 0 || importer < 0 ? ENODEV : gem_create(card, SIZE, &handle);
	return err ?: gem_export(card, handle, &dmabuf);
}

static long do_import(long unused, long unused2)
{
	(void)unused;
	(void)unused2;
	return gem_import(importer, dmabuf, &imported);
}

static long do_close_import(long unused, long unused2)
{
	(void)unused;
	(void)unused2;
	return gem_destroy(importer, imported);
}

/* @type: V4L2_BUF_TYPE_VIDEO_CAPTURE writes to the buffer, _OUTPUT reads */
static long do_v4l2_import(long type, long unused)
{
	(void)unused;
	return v4l2_import(type, dmabuf, &node);
}

static long do_v4l2_close(long unused, long unused2)
{
	(void)unused;
	(void)unused2;
	return close(node) ? errno : 0;
}

/* Maps the dma-buf and lets go of it again. */
static long do_mmap(long prot, long unused)
{
	void *map = mmap(NULL, SIZE, prot, MAP_SHARED, dmabuf, 0);
	long err = map == MAP_FAILED ? errno : 0;

	(void)unused;
	if (!err)
		munmap(map, SIZE);
	return err;
}

static long do_drop(long unused, long unused2)
{
	(void)unused;
	(void)unused2;
	close(dmabuf);
	return gem_destroy(card, handle);
}

static long call(client_fn run)
{
	return client_call(&client, run, 0, 0);
}

static int take(int agent, const char *how)
{
	return swarm_cmd("lock %llu %d %s", buffer, agent, how);
}

static int give(int agent)
{
	return swarm_cmd("unlock %llu %d", buffer, agent);
}

/* The importer may only attach at first, as on newer kernels. */
static bool is_mapped(void)
{
	struct swarm_table t;
	bool mapped;

	swarm_load(&t, "attachments");
	mapped = t.rows == 1 && swarm_u64(&t, 0, "MAPPED");
	swarm_unload(&t);
	return mapped;
}

static void check_dma_row(__u64 agent, const char *mode)
{
	struct swarm_table t;
	long row;

	swarm_load(&t, "locks");
	row = swarm_find(&t, 0, "KIND", "dma");
	if (!ok(row >= 0, "row of a mapping: locks has a row of kind dma"))
		return;
	is(swarm_u64(&t, row, "BUFFER"), buffer, "row of a mapping: of the buffer");
	is(swarm_u64(&t, row, "AGENT"), agent, "row of a mapping: of agent %llu", agent);
	is(swarm_u64(&t, row, "PID"), client.pid, "row of a mapping: and its process");
	is_str(swarm_cell(&t, row, "MODE"), mode, "%s, as its device %s", mode,
	       *mode == 'e' ? "may write" : "only reads");
	is_str(swarm_cell(&t, row, "STATE"), "held", "row of a mapping: held");
	swarm_unload(&t);
	is(swarm_get("agents", "ID", agent, "LOCKS"), 0,
	   "row of a mapping: it is no lock of the agent");
}

/* @agent: whose the mapping is; @close_import: ends it */
static void wait_for_dma(__u64 agent, client_fn close_import)
{
	struct lock_call waiter;
	struct swarm_table t;
	char name[16];
	long row;

	lock_post(&waiter, "lock %llu 1 exclusive", buffer);
	ok(lock_await_waiters(1), "wait for a mapping: agent 1's exclusive lock waits");
	swarm_load(&t, "locks");
	row = swarm_find(&t, 0, "STATE", "waiting");
	snprintf(name, sizeof(name), "%llu", agent);
	is_str(swarm_cell(&t, row, "BLOCKED_BY"), name,
	       "wait for a mapping: for agent %llu", agent);
	swarm_unload(&t);
	ok(!lock_has_ended(&waiter), "wait for a mapping: it waits while the import lives");
	is_errno(call(close_import), 0, "wait for a mapping: the import is closed");
	is_errno(lock_result(&waiter), 0, "wait for a mapping: agent 1 is granted then");
	is(lock_rows("held"), 1, "wait for a mapping: as the only holder");
	is_errno(give(1), 0, "wait for a mapping: agent 1 unlocks");
}

static void test_holder(void)
{
	is_errno(call(do_import), 0, "mapping by vgem: agent 2 imports its buffer into vgem");
	if (!is_mapped()) {
		skip("vgem attaches on this kernel, but does not map");
		call(do_close_import);
		lock_none_left("after an import that maps nothing");
		return;
	}
	check_dma_row(2, "exclusive");
	is_errno(take(1, "exclusive nowait"), EAGAIN, "mapping by vgem: agent 1 cannot lock it");
	is_errno(take(1, "exclusive 30"), ETIMEDOUT, "mapping by vgem: also in 30 ms");
	is_errno(take(1, "shared nowait"), EAGAIN,
		 "mapping by vgem: nor shared, as the device may write");
	is_errno(take(2, "exclusive nowait"), 0,
		 "mapping by vgem: agent 2 can, the mapping is its own");
	is_errno(give(2), 0, "mapping by vgem: and unlocks");
	wait_for_dma(2, do_close_import);
	lock_none_left("after the wait for a mapping");
}

static void test_v4l2_holder(void)
{
	is_errno(client_call(&client, do_v4l2_import, V4L2_BUF_TYPE_VIDEO_CAPTURE, 0), 0,
		 "mapping by vivid: agent 2 imports its buffer into vivid, to write");
	ok(is_mapped(), "mapping by vivid: vivid maps it");
	check_dma_row(2, "exclusive");
	is_errno(take(1, "exclusive nowait"), EAGAIN, "mapping by vivid: agent 1 cannot lock it");
	is_errno(take(1, "shared nowait"), EAGAIN, "mapping by vivid: nor shared");
	wait_for_dma(2, do_v4l2_close);

	is_errno(client_call(&client, do_v4l2_import, V4L2_BUF_TYPE_VIDEO_OUTPUT, 0), 0,
		 "mapping by vivid: agent 2 imports its buffer into vivid, to read");
	check_dma_row(2, "shared");
	is_errno(take(1, "shared nowait"), 0, "mapping by vivid: agent 1 can lock it shared");
	is_errno(give(1), 0, "mapping by vivid: and unlocks");
	is_errno(take(1, "exclusive nowait"), EAGAIN, "mapping by vivid: but not exclusively");
	wait_for_dma(2, do_v4l2_close);
	lock_none_left("after the wait for vivid's mappings");
}

/* videobuf2 says EINVAL when a mapping fails, whatever the error was. */
static void test_v4l2_refused(void)
{
	if (!v4l2_leaks_refused()) {
		take(1, "exclusive");
		is_errno(client_call(&client, do_v4l2_import, V4L2_BUF_TYPE_VIDEO_OUTPUT, 0),
			 EBUSY, "enforce: agent 2 cannot attach vivid to what is locked");
		give(1);
	}
	take(1, "shared");
	is_errno(client_call(&client, do_v4l2_import, V4L2_BUF_TYPE_VIDEO_CAPTURE, 0), EINVAL,
		 "vivid refused: locked shared, it cannot be mapped to write");
	is_errno(client_call(&client, do_v4l2_import, V4L2_BUF_TYPE_VIDEO_OUTPUT, 0), 0,
		 "vivid refused: but to read");
	is_errno(call(do_v4l2_close), 0, "vivid refused: which ends");
	give(1);
	is_errno(client_call(&client, do_v4l2_import, V4L2_BUF_TYPE_VIDEO_CAPTURE, 0), 0,
		 "vivid refused: unlocked, it is mapped to write");
	is_errno(call(do_v4l2_close), 0, "vivid refused: which ends");
	lock_none_left("after vivid was refused");
}

/* In the client: what it does with a buffer of its own, of sleeper; at last @op 0. */
static long do_drop_mapping(long op, long unused)
{
	static int device = -1, fd;

	(void)unused;
	if (op == SLEEPER_ATTACH) {
		device = sleep_open();
		fd = sleep_export(device);
	}
	if (!op)
		return close(device) || close(fd) ? errno : 0;
	return ioctl(device, op, fd) ? errno : 0;
}

/* An importer may detach without unmapping: the hold ends with the attachment. */
static void test_dropped(void)
{
	struct swarm_table t;
	__u64 id = 0;
	long row;

	sleep_set_up();
	if (client_call(&client, do_drop_mapping, SLEEPER_ATTACH, 0) ||
	    client_call(&client, do_drop_mapping, SLEEPER_MAP, 0))
		bail("mapping");
	swarm_load(&t, "locks");
	row = swarm_find(&t, 0, "KIND", "dma");
	if (ok(row >= 0, "detached, not unmapped: a mapping holds its buffer"))
		id = swarm_u64(&t, row, "BUFFER");
	swarm_unload(&t);
	is_errno(swarm_cmd("lock %llu 1 exclusive nowait", id), EAGAIN,
		 "detached, not unmapped: so agent 1 cannot");
	is_errno(client_call(&client, do_drop_mapping, SLEEPER_DROP, 0), 0,
		 "detached, not unmapped: its device detaches and has not unmapped");
	is(lock_rows("held"), 0, "detached, not unmapped: so nothing holds the buffer any more");
	client_call(&client, do_drop_mapping, 0, 0);
	lock_none_left("after a mapping that never ended");
	sleep_tear_down();
}

/* Removed, an agent leaves its mappings to agent 0: locks wait for them still. */
static void test_removed_agent(void)
{
	call(do_import);
	if (!is_mapped()) {
		skip("no mapping outlives an agent here");
		call(do_close_import);
		return;
	}
	is_errno(swarm_cmd("remove_agent 2"), 0, "mapping of a removed agent: agent 2 is removed");
	check_dma_row(0, "exclusive");
	is_errno(take(1, "exclusive nowait"), EAGAIN,
		 "mapping of a removed agent: its mapping still excludes agent 1");
	wait_for_dma(0, do_close_import);
	is_errno(swarm_cmd("create_agent 2\nbind 2 pid:%d\n", client.pid), 0,
		 "mapping of a removed agent: agent 2 comes back");
	lock_none_left("after an agent was removed");
}

/* How often a use was traced, and that the last line says what became of it. */
static void check_trace(const char *use, const char *outcome)
{
	char text[96], line[512];

	snprintf(text, sizeof(text), "buffer=%llu agent=2 use=%s ", buffer, use);
	ok(trace_find("gdl_lock_denied", text, line, sizeof(line)) > 0, "traced: %s", text);
	ok(strstr(line, outcome), "as %s: %s", outcome, line);
}

static void test_audit(void)
{
	long long audited = swarm_stat("locks_audited"), denied = swarm_stat("locks_denied");
	bool mapped;

	take(1, "exclusive");
	trace_event("gdl_lock_denied", true);
	is_errno(call(do_import), 0, "audit: agent 2 imports what agent 1 has locked");
	mapped = is_mapped();
	is(swarm_stat("locks_audited") - audited, 1 + mapped, "audit: counted by attach%s",
	   mapped ? " and map" : "");
	check_trace("attach", "allowed");
	if (mapped)
		check_trace("map", "allowed");
	call(do_close_import);
	audited = swarm_stat("locks_audited");
	is_errno(client_call(&client, do_mmap, PROT_READ | PROT_WRITE, 0), 0, "audit: mmap works");
	ok(swarm_stat("locks_audited") > audited, "audit: and is counted");
	check_trace("mmap", "allowed");
	is(swarm_stat("locks_denied") - denied, 0, "audit: nothing counts as denied");
	trace_event("gdl_lock_denied", false);
	give(1);
	audited = swarm_stat("locks_audited");
	call(do_import);
	call(do_close_import);
	take(2, "exclusive");
	call(do_import);
	call(do_close_import);
	give(2);
	is(swarm_stat("locks_audited") - audited, 0,
	   "audit: unlocked, or its own, nothing is counted");
}

static void test_exclusive(void)
{
	long long audited = swarm_stat("locks_audited"), denied = swarm_stat("locks_denied");

	take(1, "exclusive");
	trace_event("gdl_lock_denied", true);
	is_errno(call(do_import), EBUSY, "enforce: agent 2's import fails");
	is(swarm_stat("locks_denied") - denied, 1, "enforce, locked exclusively: which is counted");
	check_trace("attach", "refused");
	is_errno(client_call(&client, do_mmap, PROT_READ | PROT_WRITE, 0), EBUSY,
		 "enforce, locked exclusively: so does mmap");
	check_trace("mmap", "refused");
	is_errno(client_call(&client, do_mmap, PROT_READ, 0), EBUSY,
		 "enforce, locked exclusively: also to read");
	is(swarm_stat("locks_audited") - audited, 0,
	   "enforce, locked exclusively: nothing counts as audited");
	trace_event("gdl_lock_denied", false);
	is(lock_rows("held"), 1, "enforce, locked exclusively: agent 1 is the only holder");
	is_errno(give(1), 0, "enforce, locked exclusively: agent 1 unlocks");
	lock_none_left("after refusals");
	is_errno(call(do_import), 0, "enforce, locked exclusively: then agent 2 imports");
	is_errno(call(do_close_import), 0, "enforce, locked exclusively: and lets go");
	is_errno(client_call(&client, do_mmap, PROT_READ | PROT_WRITE, 0), 0,
		 "enforce, locked exclusively: and mmap works");
	take(2, "exclusive");
	is_errno(call(do_import), 0,
		 "enforce, locked exclusively: it imports what it has locked itself");
	is_errno(call(do_close_import), 0, "enforce, locked exclusively: and lets go");
	give(2);
}

static void test_shared(void)
{
	int err;

	take(1, "shared");
	is_errno(client_call(&client, do_mmap, PROT_READ, 0), 0,
		 "enforce, locked shared: a shared lock lets readers mmap");
	is_errno(client_call(&client, do_mmap, PROT_READ | PROT_WRITE, 0), EBUSY,
		 "enforce, locked shared: not writers");
	err = call(do_import);
	if (err) {
		is_errno(err, EBUSY, "enforce, locked shared: nor an import that maps to write");
	} else {
		ok(!is_mapped(), "enforce, locked shared: an import that maps nothing is let in");
		call(do_close_import);
	}
	take(2, "shared");
	is_errno(client_call(&client, do_mmap, PROT_READ | PROT_WRITE, 0), EBUSY,
		 "enforce, locked shared: not even with a shared lock of its own");
	give(1);
	is_errno(client_call(&client, do_mmap, PROT_READ | PROT_WRITE, 0), 0,
		 "enforce, locked shared: with that alone it may");
	give(2);
	lock_none_left("after a shared lock");
}

static void test_off(void)
{
	long long audited = swarm_stat("locks_audited"), denied = swarm_stat("locks_denied");

	take(1, "exclusive");
	is_errno(call(do_import), 0, "off: an import is not looked at");
	call(do_close_import);
	is_errno(client_call(&client, do_mmap, PROT_READ | PROT_WRITE, 0), 0, "off: nor mmap");
	is(swarm_stat("locks_audited") - audited, 0, "off: nor counted as audited");
	is(swarm_stat("locks_denied") - denied, 0, "off: or denied");
	give(1);
}

static bool buffer_is_gone(const void *unused)
{
	(void)unused;
	return !swarm_has("allocations", "ID", buffer);
}

static void test_gone(void)
{
	struct lock_call waiter;

	take(1, "shared");
	lock_post(&waiter, "lock %llu 3 exclusive", buffer);
	lock_await_waiters(1);
	is_errno(call(do_drop), 0, "buffer gone: the buffer is freed while it is locked");
	ok(swarm_wait(buffer_is_gone, NULL, LOCK_SECONDS), "buffer gone: it goes");
	is_errno(lock_result(&waiter), ENOENT,
		 "buffer gone: ENOENT for the lock that waits for it");
	is_errno(give(1), ENOENT, "buffer gone: there is nothing to unlock");
	lock_await_none("of a buffer that is gone");
}

int main(void)
{
	struct swarm_table t;

	if (!v4l2_load())
		bail("no vivid");
	lock_make_agents(3);
	client_start(&client);
	if (swarm_cmd("bind 2 pid:%d", client.pid))
		bail("binding");
	is_errno(call(do_make), 0, "agent 2 makes a buffer of virtio_gpu");
	swarm_load(&t, "allocations");
	if (t.rows != 1)
		bail("%ld buffers", t.rows);
	buffer = swarm_u64(&t, 0, "ID");
	is(swarm_u64(&t, 0, "AGENT"), 2, "it is agent 2's");
	swarm_unload(&t);
	swarm_cmd("policy audit");
	test_dropped();
	test_holder();
	test_v4l2_holder();
	test_audit();
	is_errno(swarm_cmd("policy enforce"), 0, "enforce");
	test_holder();
	test_v4l2_holder();
	test_v4l2_refused();
	test_exclusive();
	test_shared();
	is_errno(swarm_cmd("policy off"), 0, "off");
	test_off();
	test_removed_agent();
	test_gone();
	client_stop(&client, 0);
	is(swarm_stat("locks_lost"), 0, "no mapping was lost");
	swarm_add_up("at the end");
	return tap_done();
}
