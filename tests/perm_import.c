// SPDX-License-Identifier: GPL-2.0-only
/*
 * DMA permissions and real buffers: agent 1's buffer of virtio-gpu is imported into
 * vgem by agent 2, and by the host. Without permission that is refused under
 * enforce, counted and traced under audit; before and after it is granted and
 * revoked. And vivid, which maps in one direction: to write needs w, to read r.
 *
 * vm: --load --mem 768 --timeout 200
 */
#define _GNU_SOURCE
#include "client.h"
#include "gem.h"
#include "swarm.h"
#include "trace.h"
#include "v4l2.h"

#define SIZE	4096	/* one page, so one segment */

#define CAPTURE	V4L2_BUF_TYPE_VIDEO_CAPTURE	/* vivid writes to the buffer */
#define OUTPUT	V4L2_BUF_TYPE_VIDEO_OUTPUT	/* and reads it */
#define ALL	"0x0-0xffffffffffffffff"

static __u64 buffer;
static int card, importer, dmabuf;	/* of this process, and its children's */
static __u32 handle;
static bool maps;			/* vgem maps what it imports */
static struct client tenant, host;	/* agent 2, and nobody's */

/* In a client: */
static __u32 imported;

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

/* Imports into vivid and lets go again. */
static long do_v4l2(long type, long unused)
{
	int node, err = v4l2_import(type, dmabuf, &node);

	(void)unused;
	if (!err)
		close(node);
	return err;
}

static long call(const struct client *c, client_fn run)
{
	return client_call(c, run, 0, 0);
}

static long attachments(const char *column)
{
	struct swarm_table t;
	long value;

	swarm_load(&t, "attachments");
	value = column ? (long)swarm_sum(&t, column) : t.rows;
	swarm_unload(&t);
	return value;
}

/* Imports and lets go again; what is left of that is one more check. */
static void import_is(const struct client *c, int want, const char *what)
{
	int err = call(c, do_import);

	is_errno(err, want, "%s", what);
	if (!err)
		call(c, do_close_import);
	is(attachments(NULL), 0, "and nothing stays attached");
}

static void make_buffer(void)
{
	struct swarm_table t;

	swarm_cmd("create_agent 1\ncreate_agent 2\n");
	if (swarm_cmd("bind 1 pid:%d", getpid()))
		bail("binding");
	card = gem_open("virtio_gpu");
	importer = gem_open("vgem");
	if (card < 0 || importer < 0 || gem_create(card, SIZE, &handle) ||
	    gem_export(card, handle, &dmabuf))
		bail("making a buffer");
	client_start(&tenant);
	client_start(&host);
	if (swarm_cmd("bind 2 pid:%d", tenant.pid))
		bail("binding");
	swarm_load(&t, "allocations");
	buffer = swarm_u64(&t, 0, "ID");
	is(t.rows, 1, "there is one buffer");
	is(swarm_u64(&t, 0, "AGENT"), 1, "it is agent 1's");
	swarm_unload(&t);
}

/* How often each thing was counted since the last call. */
struct counts {
	long long audited, denied;
};

static struct counts counts_since(void)
{
	static struct counts last;
	struct counts now = { swarm_stat("dma_audited"), swarm_stat("dma_denied") };
	struct counts since = { now.audited - last.audited, now.denied - last.denied };

	last = now;
	return since;
}

static void counted(long audited, long denied, const char *what)
{
	struct counts since = counts_since();

	is(since.audited, audited, "audited %ld: %s", audited, what);
	is(since.denied, denied, "denied %ld: %s", denied, what);
}

static void traced(const char *agent, const char *use, const char *outcome)
{
	char text[96], line[512];

	snprintf(text, sizeof(text), "buffer=%llu agent=%s use=%s %s", buffer, agent, use, outcome);
	ok(trace_find("gdl_dma_denied", text, line, sizeof(line)) > 0, "traced: %s", text);
	trace_event("gdl_dma_denied", true);
}

static void test_own(void)
{
	is_errno(do_import(0, 0), 0, "agent 1 imports its own buffer");
	maps = attachments("MAPPED");
	note("vgem %s", maps ? "attaches and maps" : "attaches only");
	do_close_import(0, 0);
	counted(0, 0, "own buffers need no permission");
}

static void test_audit(void)
{
	trace_event("gdl_dma_denied", true);
	import_is(&tenant, 0, "audit: agent 2 imports without permission");
	counted(1 + maps, 0, maps ? "attach and map" : "attach");
	traced("2", "attach", "allowed");
	import_is(&host, 0, "audit: so does the host");
	counted(1 + maps, 0, "the host is subject to it");
	traced("0", "attach", "allowed");
	swarm_cmd("grant 2 buf=%llu r", buffer);
	import_is(&tenant, 0, "audit: granted r, agent 2 imports");
	counted(maps, 0, "to attach is allowed, to write is not");
	if (maps)
		traced("2", "map", "allowed");
	swarm_cmd("grant 2 buf=%llu rw", buffer);
	import_is(&tenant, 0, "audit: granted rw");
	counted(0, 0, "nothing is denied");
	swarm_cmd("revoke 2 buf=%llu", buffer);
	import_is(&tenant, 0, "audit: revoked");
	counted(1 + maps, 0, "it is denied again");
	trace_event("gdl_dma_denied", false);
}

static void test_enforce(void)
{
	trace_event("gdl_dma_denied", true);
	import_is(&tenant, EACCES, "enforce: agent 2 may not import");
	counted(0, 1, "once, at attach");
	traced("2", "attach", "refused");
	import_is(&host, EACCES, "nor may the host");
	counted(0, 1, "once, at attach");
	is_errno(swarm_cmd("grant 0 buf=%llu rw", buffer), 0, "the host is granted it");
	import_is(&host, 0, "then it may");
	import_is(&tenant, EACCES, "that is not agent 2's permission");
	counts_since();
	trace_event("gdl_dma_denied", true);

	swarm_cmd("grant 2 buf=%llu r", buffer);
	import_is(&tenant, maps ? EACCES : 0, "granted r: an import that maps to write is refused");
	counted(0, maps, "at map");
	if (maps)
		traced("2", "map", "refused");
	swarm_cmd("grant 2 buf=%llu w", buffer);
	import_is(&tenant, 0, "granted w: it is not");
	swarm_cmd("grant 2 buf=%llu rw", buffer);
	import_is(&tenant, 0, "granted rw: nor then");
	counted(0, 0, "nothing is denied");

	is_errno(call(&tenant, do_import), 0, "agent 2 imports");
	is_errno(swarm_cmd("revoke 2 buf=%llu", buffer), 0, "its permission is revoked");
	is(attachments(NULL), 1, "what is attached stays so");
	is(attachments("MAPPED"), maps, "and mapped");
	is_errno(call(&tenant, do_close_import), 0, "until agent 2 lets go");
	import_is(&tenant, EACCES, "it gets no new one");
	counts_since();
	is_errno(do_import(0, 0), 0, "agent 1's own buffer is never refused");
	do_close_import(0, 0);
	counted(0, 0, "nor counted");
	trace_event("gdl_dma_denied", false);
}

/* One check: what becomes of it; and one: how often it was counted. */
static void v4l2_is(__u32 type, int want, long audited, long denied, const char *what)
{
	is_errno(client_call(&tenant, do_v4l2, type, 0), want, "%s, %s", what,
		 type == CAPTURE ? "to write" : "to read");
	counted(audited, denied, what);
}

/* videobuf2 says EINVAL when a mapping fails, whatever the error was. */
static void test_directions(bool enforce)
{
	const bool attach = !enforce || !v4l2_leaks_refused();
	const int err = enforce ? EACCES : 0, map = enforce ? EINVAL : 0;

	swarm_cmd("revoke 2");
	counts_since();
	if (attach) {
		/* Let in, it is counted at attach and at map. */
		v4l2_is(CAPTURE, err, enforce ? 0 : 2, enforce, "vivid without permission");
		v4l2_is(OUTPUT, err, enforce ? 0 : 2, enforce, "vivid without permission");
	}
	swarm_cmd("grant 2 buf=%llu r", buffer);
	v4l2_is(CAPTURE, map, !enforce, enforce, "vivid with r");
	v4l2_is(OUTPUT, 0, 0, 0, "vivid with r");
	swarm_cmd("grant 2 buf=%llu w", buffer);
	v4l2_is(CAPTURE, 0, 0, 0, "vivid with w");
	v4l2_is(OUTPUT, map, !enforce, enforce, "vivid with w");
	swarm_cmd("grant 2 buf=%llu rw", buffer);
	v4l2_is(CAPTURE, 0, 0, 0, "vivid with rw");
	v4l2_is(OUTPUT, 0, 0, 0, "vivid with rw");
	swarm_cmd("revoke 2 buf=%llu", buffer);
	if (attach)
		v4l2_is(OUTPUT, err, enforce ? 0 : 2, enforce, "vivid after it is revoked");
	is(attachments(NULL), 0, "nothing stays attached");
}

static void test_off(void)
{
	swarm_cmd("revoke 0");
	counts_since();
	import_is(&tenant, 0, "off: nobody asks");
	import_is(&host, 0, "off: also not the host");
	counted(0, 0, "nothing is counted");
}

static long long outside(void)
{
	return swarm_stat("dma_segments_outside");
}

/* Maps the buffer once, in a direction; how many segments were outside by that? */
static long long outside_by(__u32 type)
{
	long long before = outside();

	if (do_v4l2(type, 0))
		bail("mapping the own buffer");
	return outside() - before;
}

/* Segments outside the ranges of the buffer's agent, whoever maps it. */
static void test_address_audit(void)
{
	char line[512], text[64];
	__u64 addr;

	is(outside_by(CAPTURE), 0, "an agent without ranges has nothing outside");
	addr = swarm_get("allocations", "ID", buffer, "DMA_ADDR");
	ok(addr, "the buffer's address is known");
	swarm_cmd("grant 1 %#llx rw", addr + SIZE);
	trace_event("gdl_segment_outside", true);
	is(outside_by(CAPTURE), 1, "with one range, beside it, one segment is outside");
	snprintf(text, sizeof(text), "buffer=%llu agent=1 addr=%#llx size=%d", buffer, addr, SIZE);
	is(trace_find("gdl_segment_outside", text, line, sizeof(line)), 1, "traced: %s", text);
	trace_event("gdl_segment_outside", false);
	swarm_cmd("grant 1 %#llx+%d rw", addr, SIZE);
	is(outside_by(CAPTURE) + outside_by(OUTPUT), 0, "with a range just over it none is");
	swarm_cmd("grant 1 %#llx+%d r", addr, SIZE);
	is(outside_by(OUTPUT), 0, "a range to read allows to read");
	is(outside_by(CAPTURE), 1, "not to write");
	swarm_cmd("grant 1 " ALL " rw\nrevoke 1 %#llx+1\n", addr + SIZE - 1);
	is(outside_by(CAPTURE), 1, "nor does one that leaves a byte out");
	swarm_cmd("policy off");
	is(outside_by(CAPTURE), 0, "off: nobody looks");
	swarm_cmd("policy audit\nrevoke 1\n");
}

/* What an agent leaves behind is the host's: rules on it stay. */
static void test_removed_owner(void)
{
	char want[64];
	char *text;

	swarm_cmd("grant 2 buf=%llu rw", buffer);
	is_errno(swarm_cmd("remove_agent 1"), 0, "agent 1 is removed");
	is(swarm_get("allocations", "ID", buffer, "AGENT"), 0, "its buffer is the host's");
	snprintf(want, sizeof(want), "2:buf=%llu:rw\n", buffer);
	text = swarm_read("dma_permissions");
	is_str(text, want, "agent 2's permission on it stays");
	free(text);
	import_is(&tenant, 0, "enforce: agent 2 imports it");
	import_is(&host, 0, "so does the host, whose it is now");
	close(dmabuf);
	gem_destroy(card, handle);
}

static bool no_rules(const void *unused)
{
	char *text = swarm_read("dma_permissions");
	bool none = !*text;

	(void)unused;
	free(text);
	return none;
}

int main(void)
{
	if (!v4l2_load())
		bail("no vivid");
	make_buffer();
	counts_since();
	test_own();
	test_audit();
	test_directions(false);
	is_errno(swarm_cmd("policy enforce"), 0, "enforce");
	test_enforce();
	test_directions(true);
	is_errno(swarm_cmd("policy off"), 0, "off");
	test_off();
	swarm_cmd("policy audit");
	test_address_audit();
	swarm_cmd("policy enforce");
	test_removed_owner();
	client_stop(&tenant, 0);
	client_stop(&host, 0);
	ok(swarm_wait(no_rules, NULL, 60), "the rule went with the buffer");
	is(swarm_stat("buffers_lost") + swarm_stat("attachments_lost"), 0, "nothing was lost");
	swarm_add_up("at the end");
	return tap_done();
}
