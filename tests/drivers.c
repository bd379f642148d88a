// SPDX-License-Identifier: GPL-2.0-only
/*
 * A quota holds whatever way a driver makes its memory: GEM's own, TTM's beside it, or
 * TTM alone, as amdgpu, radeon, xe and vmwgfx do, for which ttm_gpu stands in where there
 * is no such card. Nothing leaks of what is refused, no race gets more than the quota,
 * and where buffers are is told as TTM has it.
 *
 * vm: --load --gpu bochs --one-thread --mem 512 --timeout 400
 */
#define _GNU_SOURCE
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/utsname.h>

#include "cgroup.h"
#include "client.h"
#include "gem.h"
#include "modules/ttm_gpu.h"
#include "totals.h"

#define QUOTA		(1024 * 1024L)
#define SIZE		16384L
#define FIT		(QUOTA / SIZE)
#define TRIES		5000L
#define TRIES_MIN	500L
#define NOISE		100	/* objects of a console */
#define RACERS		4
#define CONSOLES	4
#define UNBIND		"cd /sys/class/vtconsole/vtcon%d && grep -q frame name && echo 0 >bind"
#define BIG_SIZE	(1024 * 1024L)
#define BIG_BUFFERS	100	/* more than fit into any VRAM here */
#define GONE_SECONDS	60
#define VRAM_PAGES	256L
#define VRAM		(VRAM_PAGES * 4096)

struct driver {
	const char *name;
	int error;		/* what it makes of EDQUOT */
	bool counted;		/* on 7.x: not refused */
	const char *module;	/* to load anew, so that each object is seen */
	const char *vram;	/* what TTM's manager of it is called in debugfs */
};

static const struct driver drivers[] = {
	{ .name = "vgem", .error = EDQUOT },
	{ .name = "bochs-drm", .error = EDQUOT, .module = "bochs", .vram = "vram-mm" },
	/* Not loaded anew: its interrupt comes before it is ready for it. */
	{ .name = "qxl", .error = ENOMEM },
	{ .name = "vmwgfx", .error = EDQUOT, .counted = true },
	{ .name = "ttm_gpu", .error = EDQUOT, .vram = "vram_mm" },
};

struct result {
	atomic_long made;
	atomic_long refused;
	atomic_long other;
};

static struct result *result;
static int card;		/* of a client */

static __u64 agent_1(const char *column)
{
	return swarm_get("agents", "ID", 1, column);
}

static bool is_linux_7(void)
{
	struct utsname name;

	if (uname(&name))
		bail("uname");
	return !strncmp(name.release, "7.", 2);
}

/* How many objects TTM has, -1 where it does not tell. */
static long ttm_objects(void)
{
	FILE *f = fopen("/sys/kernel/debug/ttm/buffer_objects", "r");
	long n = -1;

	if (!f)
		return -1;
	if (fscanf(f, "%ld", &n) != 1)
		bail("buffer_objects");
	fclose(f);
	return n;
}

/*
 * As many as before, or close to it: qxl makes and drops some each time that its console
 * changes. A leak would be one of each refusal.
 */
static bool ttm_objects_are(const void *arg)
{
	return ttm_objects() - *(const long *)arg < NOISE;
}

static bool nothing_used(const void *arg)
{
	(void)arg;
	return agent_1("USED") == 0 && agent_1("BUFFERS") == 0;
}

/* Client */
static long open_card(long driver, long unused)
{
	(void)unused;
	card = gem_open(drivers[driver].name);
	return card >= 0;
}

/* Else qxl makes objects of its own for what the kernel logs. */
static void unbind_console(void)
{
	char command[96];
	int i;

	for (i = 0; i < CONSOLES; i++) {
		snprintf(command, sizeof(command), UNBIND, i);
		/* Fails for each that is none of a frame buffer. */
		if (system(command) < 0)
			bail("system");
	}
}

/* Client: buffers until @tries are made or refused; it holds what it gets. */
static long make_many(long driver, long tries)
{
	__u32 handle;
	long i;
	int err;

	for (i = 0; i < tries; i++) {
		err = gem_create(card, SIZE, &handle);
		if (!err)
			atomic_fetch_add(&result->made, 1);
		else
			atomic_fetch_add(err == drivers[driver].error ? &result->refused :
					 &result->other, 1);
	}
	return 0;
}

static bool there_is(const char *name)
{
	int fd = gem_open(name);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static bool has_kind(const char *kind)
{
	struct swarm_table t;
	bool there;

	swarm_load(&t, "allocations");
	there = swarm_find(&t, 0, "KIND", kind) >= 0;
	swarm_unload(&t);
	return there;
}

static void new_agent(void)
{
	memset(result, 0, sizeof(*result));
	swarm_cmd("remove_agent 1\n");
	if (swarm_cmd("create_agent 1 %ld\nbind 1 cgroup:tenant\n", QUOTA))
		bail("making an agent");
}

static void start(struct client *c, long driver)
{
	client_start(c);
	if (cgroup_move("tenant", c->pid))
		bail("moving a client");
	if (!client_call(c, open_card, driver, 0))
		bail("opening a card");
}

static void check_made(const char *name, long tries)
{
	is(result->made, FIT, "%s: %ld buffers of %ld bytes fit into the quota", name, FIT, SIZE);
	is(result->refused, tries - FIT, "%s: all others are refused", name);
	is(result->other, 0, "%s: with the error it is known for", name);
	is(agent_1("USED"), QUOTA, "%s: the quota is used", name);
	is(agent_1("PEAK"), QUOTA, "%s: at no time more", name);
	is(agent_1("DENIED"), tries - FIT, "%s: each refusal is counted once", name);
}

static void check_gone(const char *name, long objects)
{
	ok(swarm_wait(nothing_used, NULL, GONE_SECONDS), "%s: nothing stays charged", name);
	ok(swarm_wait(ttm_objects_are, &objects, GONE_SECONDS),
	   "%s: TTM has as many objects as before: %ld, %ld", name, objects, ttm_objects());
	is(swarm_stat("buffers_lost") + swarm_stat("buffers_stale") +
	   swarm_stat("resources_lost"), 0, "%s: nothing is lost", name);
	totals_add_up(name);
}

static long all_tries(void)
{
	return scaled(TRIES) < TRIES_MIN ? TRIES_MIN : scaled(TRIES);
}

static void test_alone(long driver)
{
	const char *name = drivers[driver].name;
	long objects = ttm_objects(), tries = all_tries();
	struct client c;

	new_agent();
	start(&c, driver);
	client_call(&c, make_many, driver, tries);
	check_made(name, tries);
	totals_add_up(name);
	client_stop(&c, 0);
	check_gone(name, objects);
}

static void test_race(long driver)
{
	const char *name = drivers[driver].name;
	long objects = ttm_objects(), i, tries = all_tries();
	struct client c[RACERS];

	new_agent();
	for (i = 0; i < RACERS; i++)
		start(&c[i], driver);
	for (i = 0; i < RACERS; i++)
		client_post(&c[i], make_many, driver, tries / RACERS);
	for (i = 0; i < RACERS; i++)
		client_result(&c[i]);
	note("%s: %d processes at once", name, RACERS);
	check_made(name, tries / RACERS * RACERS);
	for (i = 0; i < RACERS; i++)
		client_stop(&c[i], 0);
	check_gone(name, objects);
}

/* It can only be counted: its driver would warn. */
static void test_counted(long driver)
{
	const char *name = drivers[driver].name;
	long objects = ttm_objects();
	struct client c;

	new_agent();
	start(&c, driver);
	client_call(&c, make_many, driver, 2 * FIT);
	is(result->made, 2 * FIT, "%s: nothing is refused", name);
	is(agent_1("USED"), 2 * QUOTA, "%s: all is charged", name);
	is(agent_1("DENIED"), FIT, "%s: what is over the quota is counted", name);
	client_stop(&c, 0);
	check_gone(name, objects);
}

/* Client */
static long make_big(long a, long b)
{
	__u32 handle;

	(void)a;
	(void)b;
	return gem_create(card, BIG_SIZE, &handle);
}

/* Client: an object of ttm_gpu. Returns 0 or an error number. */
static long make_typed(long type, long size)
{
	struct ttm_gpu_create create = { .size = size, .type = type, .region = 2 };

	return ioctl(card, DRM_IOCTL_TTM_GPU_CREATE, &create) ? errno : 0;
}

static __u32 busy;	/* of a client: the object that its job uses */

/* Client: a job begins that uses an object, whose handle then goes. */
static long begin_job(long a, long b)
{
	struct ttm_gpu_job job = { };
	int err = gem_create(card, SIZE, &busy);

	(void)a;
	(void)b;
	job.handle = busy;
	if (!err && ioctl(card, DRM_IOCTL_TTM_GPU_JOB, &job))
		err = errno;
	return err ?: gem_destroy(card, busy);
}

/* Client */
static long end_job(long a, long b)
{
	struct ttm_gpu_job job = { };

	(void)a;
	(void)b;
	return ioctl(card, DRM_IOCTL_TTM_GPU_JOB, &job) ? errno : 0;
}

/* TTM gives memory back when no job uses it any more: so long it is charged. */
static void test_busy(long driver)
{
	struct client c;

	new_agent();
	start(&c, driver);
	is_errno(client_call(&c, begin_job, 0, 0), 0, "an object goes that a job still uses");
	usleep(300000);
	is(agent_1("USED"), SIZE, "it stays charged");
	is_errno(client_call(&c, end_job, 0, 0), 0, "the job ends");
	ok(swarm_wait(nothing_used, NULL, GONE_SECONDS), "then it is uncharged");
	client_stop(&c, 0);
	totals_add_up("after a job");
}

static void test_kinds(long driver)
{
	static const char * const kinds[] = { "gem", "kernel", "alias" };
	long objects = ttm_objects();
	struct swarm_table rows;
	struct client c;
	__u64 used = 0;
	long type, row;

	new_agent();
	start(&c, driver);
	for (type = TTM_GPU_DEVICE; type <= TTM_GPU_SG; type++) {
		is_errno(client_call(&c, make_typed, type, SIZE), 0, "a TTM object of type %ld",
			 type);
		swarm_load(&rows, "allocations");
		row = swarm_find(&rows, 0, "KIND", kinds[type]);
		while (row >= 0 && swarm_u64(&rows, row, "PID") != (__u64)c.pid)
			row = swarm_find(&rows, row + 1, "KIND", kinds[type]);
		ok(row >= 0, "is of the kind %s", kinds[type]);
		if (row >= 0)
			is(swarm_u64(&rows, row, "AGENT"), type == TTM_GPU_KERNEL ? 0 : 1,
			   "of the right agent");
		swarm_unload(&rows);
		if (type == TTM_GPU_DEVICE)
			used = SIZE;
		is(agent_1("USED"), used, "and charged as it should be");
	}
	/* What is not charged is not refused. */
	is_errno(client_call(&c, make_typed, TTM_GPU_SG, QUOTA), 0, "a large alias passes");
	is_errno(client_call(&c, make_typed, TTM_GPU_DEVICE, QUOTA), EDQUOT, "a large object not");
	is(agent_1("DENIED"), 1, "which is counted");
	client_stop(&c, 0);
	check_gone("kinds of objects", objects);
}

/* What the debugfs file of a driver says behind "usage:"; -1 if there is none. */
static long long manager_usage(const char *file)
{
	char path[64], line[256];
	long long usage = -1;
	const char *at;
	int minor;
	FILE *f;

	for (minor = 0; minor < GEM_CARDS && usage < 0; minor++) {
		snprintf(path, sizeof(path), "/sys/kernel/debug/dri/%d/%s", minor, file);
		f = fopen(path, "r");
		while (f && fgets(line, sizeof(line), f)) {
			at = strstr(line, "usage:");
			if (at)
				usage = strtoll(at + strlen("usage:"), NULL, 10);
		}
		if (f)
			fclose(f);
	}
	return usage;
}

/* What `regions` says of @region of @device, of all agents. */
static __u64 region_used(__u64 device, const char *region)
{
	struct swarm_table t;
	__u64 used = 0;
	long row;

	swarm_load(&t, "regions");
	for (row = -1; (row = swarm_find(&t, row + 1, "REGION", region)) >= 0;)
		if (swarm_u64(&t, row, "DEVICE") == device)
			used += swarm_u64(&t, row, "USED");
	swarm_unload(&t);
	return used;
}

/* What the rows of `allocations` say of it. */
static __u64 rows_in(__u64 device, const char *region)
{
	size_t len = strlen(region);
	struct swarm_table t;
	const char *at;
	__u64 used = 0;
	char id[24];
	long row;

	snprintf(id, sizeof(id), "%llu", device);
	swarm_load(&t, "allocations");
	for (row = -1; (row = swarm_find(&t, row + 1, "DEVICE", id)) >= 0;)
		for (at = swarm_cell(&t, row, "REGIONS"); at; at = strchr(at, ',')) {
			at += *at == ',';
			if (!strncmp(at, region, len) && at[len] == ':')
				used += strtoull(at + len + 1, NULL, 10);
		}
	swarm_unload(&t);
	return used;
}

struct place {
	__u64 device;
	const char *file;	/* of its VRAM's manager in debugfs */
};

static bool vram_agrees(const void *arg)
{
	const struct place *p = arg;
	__u64 used = manager_usage(p->file);

	return region_used(p->device, "vram") == used && rows_in(p->device, "vram") == used;
}

/* TTM may give an object's memory back in a work item. */
static bool nothing_in_system(const void *arg)
{
	const struct place *p = arg;

	return !region_used(p->device, "system");
}

static bool nothing_in_regions(const void *arg)
{
	const struct place *p = arg;

	return nothing_in_system(p) && !region_used(p->device, "vram");
}

static void check_vram(const struct place *p, const char *when)
{
	bool pass = swarm_wait(vram_agrees, p, GONE_SECONDS);

	if (!pass)
		note("TTM has %lld bytes in VRAM, regions %llu, allocations %llu",
		     manager_usage(p->file), region_used(p->device, "vram"),
		     rows_in(p->device, "vram"));
	ok(pass, "VRAM is used as TTM has it %s", when);
}

/* So that nothing of it is older than gpu_dma_lock. */
static void load_anew(const char *module)
{
	char command[128];

	snprintf(command, sizeof(command), "/usr/bin/modprobe -r %s && /usr/bin/modprobe %s",
		 module, module);
	if (system(command))
		bail("loading %s anew", module);
	unbind_console();
}

/* More buffers than a GPU's memory holds: what TTM says of it, and who is evicted. */
static void test_evictions(long driver)
{
	const char *name = drivers[driver].name;
	struct place p = { .file = drivers[driver].vram };
	struct client c;
	long i, made;

	load_anew(drivers[driver].module);
	if (manager_usage(p.file) < 0) {
		skip("%s has no TTM on this kernel", name);
		return;
	}
	swarm_cmd("remove_agent 1\n");
	if (swarm_cmd("create_agent 1\nbind 1 cgroup:tenant\n"))
		bail("making an agent");
	start(&c, driver);
	p.device = swarm_device(name);
	check_vram(&p, "from the start");
	for (i = made = 0; i < BIG_BUFFERS; i++) {
		made += !client_call(&c, make_big, 0, 0);
		if (i % (BIG_BUFFERS / 4) == 0)
			check_vram(&p, "as it fills");
	}
	is(made, BIG_BUFFERS, "%s: %d buffers of %ld bytes are made", name, BIG_BUFFERS, BIG_SIZE);
	check_vram(&p, "when it is full");
	ok(region_used(p.device, "system") > 0, "%s: what does not fit is in system memory", name);
	client_stop(&c, 0);
	check_vram(&p, "when they are gone");
	ok(swarm_wait(nothing_in_system, &p, GONE_SECONDS), "%s: there as well", name);
	totals_add_up("after evictions");
}

/* Client: half of what it has made goes into the region, by handle. */
static long move_half(long count, long region)
{
	struct ttm_gpu_move move = { .region = region };
	long i;

	for (i = 1; i <= count; i += 2) {
		move.handle = i;
		if (ioctl(card, DRM_IOCTL_TTM_GPU_MOVE, &move))
			return errno;
	}
	return 0;
}

/* With an agent of the last id, which has nothing there, `regions` has an end. */
static void test_last_agent(void)
{
	int fd = swarm_open("regions", O_RDONLY), reads = 0;
	char text[4096];

	if (swarm_cmd("create_agent %llu\n", ~0ULL))
		bail("making the last agent");
	while (reads < 100 && read(fd, text, sizeof(text)) > 0)
		reads++;
	ok(reads && reads < 100, "regions ends, with an agent of the last id");
	close(fd);
	if (swarm_cmd("remove_agent %llu\n", ~0ULL))
		bail("removing the last agent");
}

/* More than fits into VRAM: what was there is evicted. */
static void test_regions(long driver)
{
	struct place p = {
		.device = swarm_device("ttm_gpu"),
		.file = "vram_mm",
	};
	const long count = VRAM_PAGES + 100;
	struct client c;
	long i, failed = 0;

	swarm_cmd("remove_agent 1\n");
	if (swarm_cmd("create_agent 1\nbind 1 cgroup:tenant\n"))
		bail("making an agent");
	start(&c, driver);
	for (i = 0; i < VRAM_PAGES / 2; i++)
		failed += !!client_call(&c, make_typed, TTM_GPU_DEVICE, 4096);
	is(failed, 0, "%ld buffers in VRAM", i);
	check_vram(&p, "by half");
	is(region_used(p.device, "vram"), VRAM / 2, "which is half of it");
	test_last_agent();
	for (; i < count; i++)
		failed += !!client_call(&c, make_typed, TTM_GPU_DEVICE, 4096);
	is(failed, 0, "100 more than fit");
	check_vram(&p, "after evictions");
	is(region_used(p.device, "vram"), VRAM, "which is full");
	is(region_used(p.device, "system"), 100 * 4096, "the others are in system memory");
	is_errno(client_call(&c, move_half, count, 0), 0, "half of all move to system memory");
	check_vram(&p, "after moves");
	is_errno(client_call(&c, move_half, count, 2), 0, "and back");
	check_vram(&p, "after these");
	is(swarm_get("agents", "ID", 1, "USED"), count * 4096, "what is charged is the same");
	/* What an agent leaves is the host's, there as well. */
	if (swarm_cmd("remove_agent 1\n"))
		bail("removing the agent");
	check_vram(&p, "when the agent is gone");
	client_stop(&c, 0);
	check_vram(&p, "when all are");
	ok(swarm_wait(nothing_in_regions, &p, GONE_SECONDS), "nothing is left");
	totals_add_up("after the regions");
}

static void test_capacity(void)
{
	struct swarm_table t;
	char want[32];
	long row;

	snprintf(want, sizeof(want), "vram:%ld", VRAM);
	swarm_load(&t, "devices");
	row = swarm_find(&t, 0, "DRIVER", "ttm_gpu");
	ok(row >= 0 && !strcmp(swarm_cell(&t, row, "CAPACITY"), want),
	   "a device's capacity is its VRAM as TTM has it");
	swarm_unload(&t);
}

/* Client: opens the card of any driver's name. */
static long open_stand_in(long name, long unused)
{
	(void)unused;
	card = gem_open((const char *)name);
	return card >= 0;
}

/* Client: an object by another ioctl. Returns 0 or an error number. */
static long make_by(long request, long type)
{
	struct ttm_gpu_create create = { .size = SIZE, .type = type };

	return ioctl(card, request, &create) ? errno : 0;
}

static void insert_as(const char *name)
{
	char command[128];

	if (system("rmmod ttm_gpu"))
		bail("removing ttm_gpu");
	snprintf(command, sizeof(command), "insmod /tests/modules/ttm_gpu.ko name=%s", name);
	if (system(command))
		bail("inserting ttm_gpu");
}

/*
 * What is known of drivers that no VM has, by a stand-in of their name. @plain is what
 * becomes of an object without TTM that is over the quota, @device of one with it.
 */
static void test_name(const char *name, int plain, int device, unsigned long userptr, long type)
{
	struct client c;

	insert_as(name);
	new_agent();
	if (swarm_cmd("set_quota 1 %ld\n", SIZE))
		bail("setting a quota");
	client_start(&c);
	if (cgroup_move("tenant", c.pid) || !client_call(&c, open_stand_in, (long)name, 0))
		bail("opening %s", name);
	if (userptr) {
		is_errno(client_call(&c, make_by, userptr, type), 0, "%s: memory of its own", name);
		is(agent_1("USED"), 0, "%s: is not charged", name);
		ok(has_kind("userptr"), "%s: but shown as such", name);
	}
	is_errno(client_call(&c, make_by, DRM_IOCTL_TTM_GPU_CREATE, TTM_GPU_PLAIN), 0,
		 "%s: an object without TTM that fits", name);
	is(agent_1("USED"), SIZE, "%s: is charged", name);
	is_errno(client_call(&c, make_by, DRM_IOCTL_TTM_GPU_CREATE, TTM_GPU_PLAIN), plain,
		 "%s: one that does not fit", name);
	is_errno(client_call(&c, make_by, DRM_IOCTL_TTM_GPU_CREATE, TTM_GPU_DEVICE), device,
		 "%s: one of TTM's", name);
	is(agent_1("DENIED"), 2, "%s: both are counted", name);
	client_stop(&c, 0);
	ok(swarm_wait(nothing_used, NULL, GONE_SECONDS), "%s: nothing stays charged", name);
	totals_add_up(name);
}

static void test_names(void)
{
	test_name("ttm_gpu", 0, EDQUOT, 0, 0);
	test_name("i915", EDQUOT, EDQUOT, DRM_IOCTL_TTM_GPU_USERPTR_I915, TTM_GPU_PLAIN);
	test_name("amdgpu", 0, EDQUOT, DRM_IOCTL_TTM_GPU_USERPTR, TTM_GPU_DEVICE);
	test_name("etnaviv", EDQUOT, EDQUOT, 0, 0);
	/* The real one is tried where it is. */
	if (!there_is("vmwgfx"))
		test_name("vmwgfx", 0, is_linux_7() ? 0 : EDQUOT, 0, 0);
}

static void check_state(const char *want, const char *when)
{
	char *text = swarm_read("stats");
	const char *at = strstr(text, "hook_ttm_bo_validate_state ");

	ok(at && !strncmp(strchr(at, ' ') + 1, want, strlen(want)), "%s: %s", when, want);
	free(text);
}

/* ttm.ko comes and goes, as drm.ko does. */
static void test_reload(void)
{
	static const char * const users[] = {
		"ttm_gpu", "bochs", "drm_vram_helper", "drm_ttm_helper", "ttm",
	};
	char command[64];
	struct client c;
	size_t i;

	if (there_is("qxl") || there_is("vmwgfx")) {
		skip("GPUs are there that hold ttm.ko");
		return;
	}
	for (i = 0; i < sizeof(users) / sizeof(*users); i++) {
		snprintf(command, sizeof(command), "/usr/bin/modprobe -qr %s", users[i]);
		/* Some are there on some kernels only. */
		if (system(command))
			note("no %s", users[i]);
	}
	if (!system("grep -q '^ttm ' /proc/modules"))
		bail("removing ttm");
	check_state("none ttm.ko is not loaded", "without ttm.ko");
	if (system("modprobe ttm && insmod /tests/modules/ttm_gpu.ko"))
		bail("inserting ttm_gpu");
	check_state("di", "with it again, direct or divert");
	new_agent();
	client_start(&c);
	if (cgroup_move("tenant", c.pid) || !client_call(&c, open_stand_in, (long)"ttm_gpu", 0))
		bail("opening ttm_gpu");
	is_errno(client_call(&c, make_typed, TTM_GPU_DEVICE, QUOTA), 0, "what fits is made");
	is_errno(client_call(&c, make_typed, TTM_GPU_DEVICE, QUOTA), EDQUOT, "and no more");
	client_stop(&c, 0);
}

int main(void)
{
	long i;

	unbind_console();
	if (system("modprobe ttm && insmod /tests/modules/ttm_gpu.ko vram_pages=256"))
		bail("inserting ttm_gpu");
	result = mmap(NULL, sizeof(*result), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		      -1, 0);
	if (result == MAP_FAILED)
		bail("mmap");
	if (cgroup_make("tenant") || swarm_cmd("policy enforce\n"))
		bail("making a cgroup");
	for (i = 0; i < (long)(sizeof(drivers) / sizeof(*drivers)); i++) {
		if (!there_is(drivers[i].name)) {
			skip("no %s", drivers[i].name);
		} else if (drivers[i].counted && is_linux_7()) {
			test_counted(i);
		} else {
			test_alone(i);
			test_race(i);
		}
		if (drivers[i].module && there_is(drivers[i].name))
			test_evictions(i);
		if (!strcmp(drivers[i].name, "ttm_gpu")) {
			test_kinds(i);
			test_busy(i);
			test_regions(i);
			test_capacity();
		}
	}
	test_names();
	test_reload();
	return tap_done();
}
