// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tracepoints: each event of the module is there for trace-cmd and perf, with
 * fields that name the buffer, and says nothing when it is off.
 *
 * vm: --load --mem 512 --timeout 150
 */
#define _GNU_SOURCE
#include "client.h"
#include "gem.h"
#include "life.h"
#include "source.h"
#include "swarm.h"
#include "trace.h"

#define SIZE	(12 * 4096)

struct event {
	const char *name;
	const char *fields[8];	/* of its format, by type and name */
};

static const struct event events[] = {
	{ "gdl_buffer_create", { "u64 id;", "u64 agent;", "u64 device;", "u64 size;", "kind;" } },
	{ "gdl_buffer_free", { "u64 id;", "u64 agent;", "u64 device;", "u64 size;", "kind;" } },
	{ "gdl_attach", { "u64 buffer;", "u64 agent;", "importer;" } },
	{ "gdl_detach", { "u64 buffer;", "u64 agent;", "importer;" } },
	{ "gdl_map", { "u64 buffer;", "u64 agent;", "importer;", "direction;" } },
	{ "gdl_unmap", { "u64 buffer;", "u64 agent;", "importer;", "direction;" } },
	{ "gdl_charge_denied", { "u64 agent;", "u64 device;", "u64 size;", "u64 over;",
				 "bool capacity;", "bool refused;" } },
	{ "gdl_policy", { "from;", "to;" } },
};

#define NR_EVENTS	(sizeof(events) / sizeof(*events))

static char *slurp(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t len;
	char *text;

	if (fd < 0)
		return NULL;
	text = swarm_slurp(fd, 4096, &len);
	close(fd);
	return text;
}

static void test_format(const struct event *e)
{
	char path[160], *text;
	bool pass;
	int i;

	snprintf(path, sizeof(path), TRACE_DIR "events/gpu_dma_lock/%s/format", e->name);
	text = slurp(path);
	pass = text;
	for (i = 0; pass && i < 8 && e->fields[i]; i++) {
		pass = strstr(text, e->fields[i]);
		if (!pass)
			note("no field '%s' in %s", e->fields[i], text);
	}
	ok(pass, "%s has its fields", e->name);
	free(text);
}

static void enable_all(bool on)
{
	trace_write("events/gpu_dma_lock/enable", on ? "1" : "0");
	trace_write("trace", "\n");
}

static long count_all(void)
{
	char line[512];
	long n = 0;
	size_t i;

	for (i = 0; i < NR_EVENTS; i++)
		n += trace_find(events[i].name, "", line, sizeof(line));
	return n;
}

/* One event of that name whose text is just that. */
static void is_event(const char *name, int times, const char *fmt, ...)
{
	char line[512], text[256];
	va_list ap;
	int n;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	n = trace_find(name, text, line, sizeof(line));
	if (is(n, times, "%s: %s", name, text))
		return;
	trace_find(name, "", line, sizeof(line));
	note("the last is: %s", line);
}

/* What makes every event of a buffer's life. */
static __u64 live(int card, int importer)
{
	struct swarm_table t;
	__u32 handle, imported = 0;
	__u64 id;
	int fd = -1;

	if (gem_create(card, SIZE, &handle) || gem_export(card, handle, &fd) ||
	    gem_import(importer, fd, &imported))
		bail("a life");
	swarm_load(&t, "allocations");
	id = swarm_u64(&t, 0, "ID");
	swarm_unload(&t);
	gem_destroy(importer, imported);
	close(fd);
	gem_destroy(card, handle);
	life_nothing_left(2, "after a life");
	return id;
}

static void test_life(void)
{
	int card = gem_open("virtio_gpu"), importer = gem_open("vgem");
	__u64 id, device;
	char line[512];
	int mapped;

	enable_all(false);
	live(card, importer);
	is(count_all(), 0, "events that are off say nothing");
	enable_all(true);
	id = live(card, importer);
	device = swarm_device("virtio_gpu");
	is_event("gdl_buffer_create", 1, "buffer=%llu agent=0 device=%llu size=%d kind=gem", id,
		 device, SIZE);
	is_event("gdl_buffer_free", 1, "buffer=%llu agent=0 device=%llu size=%d kind=gem", id,
		 device, SIZE);
	is_event("gdl_attach", 1, "buffer=%llu agent=0 importer=vgem", id);
	is_event("gdl_detach", 1, "buffer=%llu agent=0 importer=vgem", id);
	/* Newer kernels' vgem maps only what it shows to the CPU. */
	mapped = trace_find("gdl_map", "", line, sizeof(line));
	if (mapped) {
		is_event("gdl_map", 1, "buffer=%llu agent=0 importer=vgem direction=bidirectional",
			 id);
		is_event("gdl_unmap", 1,
			 "buffer=%llu agent=0 importer=vgem direction=bidirectional", id);
	} else {
		skip("vgem of this kernel does not map: see vivid.sh");
	}
	enable_all(false);
	close(card);
	close(importer);
}

static void test_ledger(void)
{
	__u64 id = 0, device = swarm_device("virtio_gpu");

	enable_all(true);
	swarm_cmd("create_agent 5 64K");
	swarm_allocate(5, 4096, device, &id);
	is_event("gdl_buffer_create", 1, "buffer=%llu agent=5 device=%llu size=4096 kind=ledger",
		 id, device);
	is_errno(swarm_cmd("allocate 5 128K %llu", device), EDQUOT, "too much");
	is_event("gdl_charge_denied", 1, "agent=5 device=%llu size=131072 over=", device);
	is_event("gdl_charge_denied", 1, "limit=quota refused");
	is_errno(swarm_cmd("set_capacity %llu 64K", device), 0, "a capacity is set");
	is_errno(swarm_cmd("allocate 0 128K %llu", device), ENOSPC, "too much for it");
	is_event("gdl_charge_denied", 1, "limit=capacity refused");
	swarm_cmd("set_capacity %llu max", device);
	swarm_cmd("free %llu", id);
	is_event("gdl_buffer_free", 1, "buffer=%llu agent=5 device=%llu size=4096 kind=ledger",
		 id, device);
	swarm_cmd("remove_agent 5");
	enable_all(false);
}

static void test_deviceless(void)
{
	__u32 fd = 0;
	int err;

	if (!source_open(SOURCE_UDMABUF)) {
		skip("no udmabuf");
		return;
	}
	enable_all(true);
	err = source_udmabuf(source_stacks[SOURCE_UDMABUF].device, SIZE, &fd);
	if (err)
		bail("udmabuf");
	is_event("gdl_buffer_create", 1, "agent=0 device=-1 size=%d kind=dmabuf", SIZE);
	close(fd);
	is_event("gdl_buffer_free", 1, "agent=0 device=-1 size=%d kind=dmabuf", SIZE);
	enable_all(false);
}

static void test_policy(void)
{
	enable_all(true);
	swarm_cmd("policy enforce");
	swarm_cmd("policy off");
	swarm_cmd("policy audit");
	is_event("gdl_policy", 1, "from=audit to=enforce");
	is_event("gdl_policy", 1, "from=enforce to=off");
	is_event("gdl_policy", 1, "from=off to=audit");
	enable_all(false);
}

int main(void)
{
	size_t i;

	for (i = 0; i < NR_EVENTS; i++)
		test_format(&events[i]);
	test_life();
	test_ledger();
	test_deviceless();
	test_policy();
	life_nothing_left(0, "at the end");
	return tap_done();
}
