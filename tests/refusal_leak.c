// SPDX-License-Identifier: GPL-2.0-only
/*
 * Refused operations leak nothing: the slabs and the module's totals are the
 * same before and after 100,000 refusals of GEM objects and of exports.
 *
 * Caches are kept apart by slab_nomerge, so that each can be counted.
 *
 * vm: --load --mem 512 --append slab_nomerge --timeout 400
 */
#define _GNU_SOURCE
#include <sys/mman.h>

#include "cgroup.h"
#include "client.h"
#include "source.h"
#include "totals.h"

#define SIZE		16384
#define REFUSALS	100000
#define REFUSALS_MIN	30000
#define PROCESSES	20	/* of a source: what holds on to its maker shows */
#define CACHES		512
#define QUIET_SECONDS	60
/*
 * What the rest of the system may take meanwhile: its caches of files and processes
 * breathe by a slab or two, whose objects all count. A leak in one of ten refusals is far
 * more.
 */
#define NOISE		2000
#define NOISE_MIN	80	/* under KASAN they are not even freed at once */

struct cache {
	char name[64];
	long active;
};

static struct cache caches[CACHES];
static long nr_caches;

/* Objects that CPUs keep for themselves count as active until this. */
static void flush_slab(const char *name)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "/sys/kernel/slab/%s/shrink", name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	if (write(fd, "1", 1) != 1)
		note("no flush of %s", name);
	close(fd);
}

/* Reads /proc/slabinfo; returns the number of caches. */
static long read_slabs(struct cache *cache)
{
	FILE *f = fopen("/proc/slabinfo", "r");
	char line[512];
	long n = 0;

	if (!f)
		bail("opening slabinfo");
	while (n < CACHES && fgets(line, sizeof(line), f))
		if (sscanf(line, "%63s %ld", cache[n].name, &cache[n].active) == 2)
			n++;
	fclose(f);
	return n;
}

static long active_in(const char *name)
{
	static struct cache now[CACHES];
	long n, i;

	flush_slab(name);
	n = read_slabs(now);
	for (i = 0; i < n; i++)
		if (!strcmp(now[i].name, name))
			return now[i].active;
	return -1;
}

static bool none_active(const void *name)
{
	return active_in(name) == 0;
}

static void remember_slabs(void)
{
	long i;

	nr_caches = read_slabs(caches);
	for (i = 0; i < nr_caches; i++)
		flush_slab(caches[i].name);
	nr_caches = read_slabs(caches);
}

struct growth {
	const struct cache *cache;
	long most;
};

static bool is_back(const void *arg)
{
	const struct growth *g = arg;

	return active_in(g->cache->name) - g->cache->active < g->most;
}

/* Each cache is, or is soon, as it was: freed objects wait for a grace period. */
static void slabs_are_back(const char *what, long noise)
{
	struct growth g = { .most = noise };
	long i, grown = 0;

	for (i = 0; i < nr_caches; i++) {
		g.cache = &caches[i];
		if (swarm_wait(is_back, &g, QUIET_SECONDS))
			continue;
		note("%s: %ld objects, now %ld", g.cache->name, g.cache->active,
		     active_in(g.cache->name));
		grown++;
	}
	is(grown, 0, "no slab cache has grown by %ld objects by %s", noise, what);
}

/* Client: that many attempts at a buffer; how many were refused as they must. */
static long try(long source, long attempts)
{
	int want = source == SOURCE_VIVID ? EINVAL : EDQUOT;
	long refused = 0, i;

	for (i = 0; i < attempts; i++)
		refused += source_make(source, SIZE) == want;
	return refused;
}

static long refuse(enum source_id source, long attempts)
{
	struct client c;
	long refused;

	client_start(&c);
	if (cgroup_move("refused", c.pid))
		bail("moving a client");
	refused = client_call(&c, try, source, attempts);
	client_stop(&c, 0);
	return refused;
}

static void totals_are(long long created, long long denied)
{
	is(swarm_stat("buffers_created"), created, "no buffer was created");
	is(swarm_stat("buffers_freed"), created, "none is there that was");
	is(swarm_stat("quota_denied"), denied, "each refusal was counted");
	is(swarm_stat("buffers_stale") + swarm_stat("buffers_lost"), 0, "nothing was lost");
	is(swarm_stat("buffers"), 0, "no buffer is left");
	is(swarm_stat("charged_bytes"), 0, "no byte is charged");
	is(swarm_get("agents", "ID", 1, "USED"), 0, "nor to the agent");
	is(swarm_get("agents", "ID", 1, "PEAK"), 0, "at no time");
	totals_add_up("after the refusals");
}

static long there(enum source_id source)
{
	struct client c;
	long is_there;

	client_start(&c);
	is_there = client_call(&c, source_is_there, source, 0);
	client_stop(&c, 0);
	return is_there;
}

static long noise(long refusals)
{
	if (refusals / 10 < NOISE_MIN)
		return NOISE_MIN;
	return refusals / 10 < NOISE ? refusals / 10 : NOISE;
}

static void test_refusals(enum source_id source, long refusals)
{
	const char *name = source_names[source];
	long long denied, created;
	struct timespec from, to;
	long refused = 0;
	int i;

	if (!there(source)) {
		skip("no %s on this kernel", name);
		return;
	}
	/* What is made once is made before: device rows, the drivers' own caches. */
	refuse(source, 1000);
	remember_slabs();
	denied = swarm_stat("quota_denied");
	created = swarm_stat("buffers_created");
	clock_gettime(CLOCK_MONOTONIC, &from);
	for (i = 0; i < PROCESSES; i++)
		refused += refuse(source, refusals / PROCESSES);
	clock_gettime(CLOCK_MONOTONIC, &to);
	is(refused, refusals, "%s: %ld attempts are refused", name, refusals);
	note("in %ld s", to.tv_sec - from.tv_sec);
	totals_are(created, denied + refusals);
	ok(swarm_wait(none_active, "gdl_buffer", QUIET_SECONDS), "gdl_buffer has no object");
	slabs_are_back(name, noise(refusals));
}

/* A process is not freed while a buffer's record has its pid. */
static void test_pids(void)
{
	long before, after;
	int i;

	before = active_in("pid");
	for (i = 0; i < 200; i++)
		refuse(SOURCE_VGEM, 1);
	after = active_in("pid");
	for (i = 0; i < QUIET_SECONDS && after - before >= 100; i++) {
		sleep(1);
		after = active_in("pid");
	}
	ok(after - before < 100, "200 processes that were refused are forgotten: %ld pids, %ld",
	   before, after);
}

/* With fewer, noise would pass for a leak; on debug they take long, and there is less. */
static long all_refusals(void)
{
	long refusals = scaled(REFUSALS);

	return on_debug_kernel() || refusals > REFUSALS_MIN ? refusals : REFUSALS_MIN;
}

int main(void)
{
	const long refusals = all_refusals();
	const long share[NR_SOURCES] = {
		[SOURCE_VGEM]		= refusals * 6 / 10,
		[SOURCE_VIRTIO]		= refusals * 2 / 10,
		[SOURCE_UDMABUF]	= refusals / 10,
		[SOURCE_HEAP]		= refusals / 10,
		[SOURCE_VIVID]		= refusals * 2 / 10,
	};
	int i;

	if (system("modprobe -q vivid"))
		note("no vivid");
	if (active_in("gdl_buffer") < 0)
		bail("no slab cache gdl_buffer: merged?");
	if (cgroup_make("refused") ||
	    swarm_cmd("policy enforce\ncreate_agent 1 4096\nbind 1 cgroup:refused\n"))
		bail("making an agent");
	for (i = 0; i < NR_SOURCES; i++)
		if (share[i])
			test_refusals(i, share[i]);
	test_pids();
	return tap_done();
}
