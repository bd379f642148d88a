// SPDX-License-Identifier: GPL-2.0-only
/*
 * A tenant that maps a buffer of its own 100,000 times, each time for another open file of
 * vgem, costs its neighbours nothing: what they import and map takes as many
 * instructions as before, also where it is that very buffer. All are nobody.
 *
 * And it has no more mappings than the parameter agent_mappings_max says.
 *
 * vm: --gpu virtio --icount --append slab_nomerge --mem 2048 --timeout 400
 */
#define _GNU_SOURCE
#include <sys/resource.h>

#include "bench.h"
#include "cgroup.h"
#include "client.h"

#define NOBODY		65534
#define MAPPINGS_MAX	100000
#define MAPPINGS_MIN	4000	/* fewer would not be felt, whoever walks them */
#define TRIES		300
#define MOST		1.5	/* of what it costs alone */
#define CAP		3
#define PARAMETER	"/sys/module/gpu_dma_lock/parameters/agent_mappings_max"

enum { ATTACKER = 1, VICTIM, NR_AGENTS };

static struct client clients[NR_AGENTS];
static char vgem[32];			/* its device node */
static int attacked = -1;		/* the attacker's buffer */

/* In a client: */
static int importer = -1, dmabuf = -1;
static int mappers[MAPPINGS_MAX];
static int nr_mappers;

static int mappings_wanted(void)
{
	int n = scaled(MAPPINGS_MAX);

	return n < MAPPINGS_MIN ? MAPPINGS_MIN : n;
}

static long do_begin(long unused, long unused2)
{
	__u32 handle;
	int card, err;

	(void)unused;
	(void)unused2;
	if (setresgid(NOBODY, NOBODY, NOBODY) || setresuid(NOBODY, NOBODY, NOBODY))
		return errno;
	card = gem_open("virtio_gpu");
	importer = open(vgem, O_RDWR | O_CLOEXEC);
	if (card < 0 || importer < 0)
		return errno;
	err = gem_create(card, 4096, &handle);
	return err ?: gem_export(card, handle, &dmabuf);
}

static long do_tell_dmabuf(long unused, long unused2)
{
	(void)unused;
	(void)unused2;
	return dmabuf;
}

/* Import the own buffer into @n more files. Returns 0 or an error number. */
static long do_map(long n, long unused)
{
	__u32 handle;
	int err = 0;

	(void)unused;
	while (n-- && !err) {
		mappers[nr_mappers] = open(vgem, O_RDWR | O_CLOEXEC);
		if (mappers[nr_mappers] < 0)
			return errno;
		err = gem_import(mappers[nr_mappers++], dmabuf, &handle);
	}
	return err;
}

static long do_unmap(long unused, long unused2)
{
	(void)unused;
	(void)unused2;
	while (nr_mappers)
		close(mappers[--nr_mappers]);
	return 0;
}

static void import(long fd)
{
	__u32 handle = 0;
	int err = gem_import(importer, fd, &handle) ?: gem_destroy(importer, handle);

	if (!err)
		return;
	errno = err;
	bail("importing");
}

static void import_own(long unused)
{
	(void)unused;
	import(dmabuf);
}

static void import_attacked(long unused)
{
	(void)unused;
	import(attacked);
}

/* What an import costs, with its end. */
static long do_cost(long own, long unused)
{
	bench_fn op = own ? import_own : import_attacked;

	(void)unused;
	bench_op(op, TRIES / 10);
	return bench_op(op, TRIES);
}

static long call(int agent, client_fn run, long a)
{
	return client_call(&clients[agent], run, a, 0);
}

/* Everybody may open the devices here. Finds that of vgem. */
static bool open_doors(void)
{
	char path[32];
	int i, fd;

	for (i = 0; i < GEM_CARDS; i++) {
		snprintf(path, sizeof(path), "/dev/dri/card%d", i);
		chmod(path, 0666);
	}
	fd = gem_open("vgem");
	if (fd < 0)
		return false;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	i = readlink(path, vgem, sizeof(vgem) - 1);
	close(fd);
	return i > 0;
}

static void start(int agent, const char *name)
{
	struct client *c = &clients[agent];

	client_start(c);
	if (cgroup_make(name) || cgroup_move(name, c->pid) ||
	    swarm_cmd("create_agent %d 1G\nbind %d cgroup:/%s\n", agent, agent, name))
		bail("agent %d", agent);
	is_errno(call(agent, do_begin, 0), 0, "%s makes a buffer", name);
}

/* The attacker's dma-buf, for the victim to import. */
static int take_dmabuf(void)
{
	int pidfd = syscall(SYS_pidfd_open, clients[ATTACKER].pid, 0);

	return syscall(SYS_pidfd_getfd, pidfd, call(ATTACKER, do_tell_dmabuf, 0), 0);
}

static long holds(__u64 agent)
{
	struct swarm_table t;
	long n;

	swarm_load(&t, "locks");
	n = swarm_count_u64(&t, "AGENT", agent);
	swarm_unload(&t);
	return n;
}

static void set_cap(const char *text)
{
	int fd = open(PARAMETER, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		bail("setting %s", PARAMETER);
	close(fd);
}

static void compare(long now, long alone, const char *what)
{
	note("%s: %ld instructions, alone %ld", what, now, alone);
	ok(now <= alone * MOST, "%s: at most %g times that", what, MOST);
}

static void test_costs(void)
{
	long foreign = call(VICTIM, do_cost, 0), own = call(VICTIM, do_cost, 1);
	long attackers = call(ATTACKER, do_cost, 1);

	is_errno(call(ATTACKER, do_map, mappings_wanted()), 0, "%d mappings of one buffer",
		 mappings_wanted());
	compare(call(VICTIM, do_cost, 1), own, "the victim's import of its own buffer");
	compare(call(VICTIM, do_cost, 0), foreign, "the victim's import of that buffer");
	compare(call(ATTACKER, do_cost, 1), attackers, "one more by the attacker");
}

/* Its mappings go on when an agent is removed, as agent 0's. */
static void test_removed(bool maps)
{
	long wanted = maps ? mappings_wanted() : 0;

	is(holds(ATTACKER), wanted, "each mapping has a row in locks");
	is_errno(swarm_cmd("remove_agent %d", ATTACKER), 0, "the attacker's agent is removed");
	is(holds(ATTACKER), 0, "it holds nothing any more");
	is(holds(0), wanted, "what it held is agent 0's");
	client_stop(&clients[ATTACKER], SIGKILL);
	is(holds(0), 0, "until the attacker is killed");
}

static void test_cap(void)
{
	set_cap("3");
	swarm_cmd("policy enforce");
	is_errno(call(ATTACKER, do_map, CAP), 0, "%d mappings are let pass", CAP);
	is(swarm_stat("mappings_capped"), 0, "none is counted");
	is_errno(call(ATTACKER, do_map, 1), EDQUOT, "one more is refused");
	is(swarm_stat("mappings_capped"), 1, "and counted");
	is_errno(call(VICTIM, do_map, 1), 0, "the victim goes on");
	swarm_cmd("policy audit");
	is_errno(call(ATTACKER, do_map, 1), 0, "under audit it passes");
	is(swarm_stat("mappings_capped"), 2, "and is counted");
	swarm_cmd("policy off");
	is_errno(call(ATTACKER, do_map, 1), 0, "under off it passes");
	is(swarm_stat("mappings_capped"), 2, "and is not looked at");
	is(holds(ATTACKER), CAP + 2, "those that passed hold");
	call(ATTACKER, do_unmap, 0);
	call(VICTIM, do_unmap, 0);
	swarm_cmd("policy enforce");
	is_errno(call(ATTACKER, do_map, CAP), 0, "once they are gone there is room again");
	call(ATTACKER, do_unmap, 0);
	set_cap("131072");
	swarm_cmd("policy audit");
}

int main(void)
{
	const struct rlimit files = { 2 * MAPPINGS_MAX, 2 * MAPPINGS_MAX };
	bool maps;

	if (on_debug_kernel())
		skip_all("this kernel's checks count as the module's instructions");
	if (setrlimit(RLIMIT_NOFILE, &files))
		bail("setrlimit");
	if (!open_doors())
		skip_all("no vgem");
	bench_insert("");
	start(ATTACKER, "attacker");
	attacked = take_dmabuf();
	if (attacked < 0)
		bail("the attacker's dma-buf");
	start(VICTIM, "victim");
	call(ATTACKER, do_map, 1);
	maps = holds(ATTACKER);
	call(ATTACKER, do_unmap, 0);
	if (maps)
		test_cap();
	else
		skip("vgem attaches on this kernel, but does not map");
	test_costs();
	test_removed(maps);
	client_stop(&clients[VICTIM], 0);
	close(attacked);
	is(swarm_stat("locks_lost"), 0, "no mapping was lost");
	bench_remove("gpu_dma_lock");
	cgroup_remove("attacker");
	cgroup_remove("victim");
	return tap_done();
}
