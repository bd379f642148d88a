// SPDX-License-Identifier: GPL-2.0-only
/*
 * The budgets, which are for 6.1, and a tenth more: instructions, counted under
 * -icount, so how busy the host is makes no difference. That of a permission check is held
 * by perm_load.c; scripts/bench measures more, with more buffers.
 *
 * A second "quiet" gives it a VM of its own: in slabs that other tests have used a life is dearer.
 *
 * vm: -k 6.1 --gpu bochs --icount --append slab_nomerge --append quiet --mem 512 --timeout 300
 */
#define _GNU_SOURCE
#include "bench.h"
#include "cgroup.h"
#include "device.h"

#define COUNT		1000
#define ROOM_US		500000	/* a grace period and more: what was released is freed */
#define LIVES		3000
#define AGENTS		100
#define FEW		1000
#define OF_AGENTS	10000
#define MANY		100000
#define CGROUPS		100
#define TURNS		7
#define PAIRS		5
#define LIFE_MORE	0.8	/* a life without the module takes 21,800 or 22,000 */
#define CGROUP_MORE	1000	/* one takes 103,600 or 107,800 without the module */
#define TEMPLATES	100
#define LATITUDE	1.1

/* What an agent's cap and the list of its buffers take. */
#define ALLOCATE_MORE	100

static void within(double n, double budget, const char *what)
{
	double most = budget * LATITUDE;

	note("%s: %.4g, of %g", what, n, budget);
	ok(n <= most, "%s: at most %g", what, most);
}

/* Totals: what is allocated so far is held by all agents. */
static double read_agents(void)
{
	struct swarm_table t;
	long rows;
	double cost;

	bench_read(SWARM_DIR "agents", &rows);
	cost = bench_read(SWARM_DIR "agents", &rows);
	swarm_load(&t, "agents");
	is(swarm_sum(&t, "BUFFERS"), OF_AGENTS, "%d buffers are counted", OF_AGENTS);
	is(t.rows, AGENTS + 1, "for %d agents and the host", AGENTS);
	swarm_unload(&t);
	return cost;
}

static double read_row(void)
{
	long rows;

	bench_read(SWARM_DIR "allocations", &rows);
	return bench_read(SWARM_DIR "allocations", &rows) / rows;
}

static void grows(double now, double then, const char *what)
{
	note("%s: %.0f with %d buffers, %.0f with %d", what, then, FEW, now, MANY);
	ok(now <= then * BUDGET_GROWTH * LATITUDE, "%s: at most %g times that", what,
	   BUDGET_GROWTH * LATITUDE);
}

static void device(const struct bench_costs *control);

static void ledger(void)
{
	struct bench_costs few, many;
	double row, bytes, life;
	int i;

	for (i = 0; i < AGENTS; i++)
		if (swarm_cmd("create_agent %d\n", BENCH_AGENT + i))
			bail("creating agents");
	bench_fill(FEW, AGENTS);
	few = bench_ledger(COUNT);
	row = read_row();
	life = bench_life(LIVES);
	bench_fill(OF_AGENTS - FEW, AGENTS);
	within(read_agents(), BUDGET_AGENTS, "100 agents' totals of 10,000 buffers");
	bytes = bench_slabs();
	bench_fill(MANY - OF_AGENTS, AGENTS);
	bytes = bench_slabs() - bytes;
	within(bytes / (MANY - OF_AGENTS), BUDGET_BYTES, "bytes of a buffer");
	many = bench_ledger(COUNT);
	within(many.allocate, BUDGET_COMMAND + ALLOCATE_MORE, "allocate");
	within(many.free, BUDGET_COMMAND, "free");
	within(read_row(), BUDGET_ROW, "a row of allocations");
	grows(many.allocate, few.allocate, "allocate");
	grows(many.free, few.free, "free");
	grows(many.lock, few.lock, "lock");
	grows(many.unlock, few.unlock, "unlock");
	device(&few);
	grows(many.check, few.check, "check of a buffer");
	grows(read_row(), row, "a row of allocations");
	grows(bench_life(LIVES), life, "life of a real buffer");
}

static __u64 reserved[COUNT];
static int opened;

static void op_reserve(long i)
{
	if (device_reserve(opened, bench_device, 4096, &reserved[i]))
		bail("RESERVE");
}

static void op_lock(long i)
{
	if (device_lock(opened, reserved[i], true, 0))
		bail("LOCK");
}

static void op_unlock(long i)
{
	if (device_unlock(opened, reserved[i]))
		bail("UNLOCK");
}

static void op_release(long i)
{
	if (device_release(opened, reserved[i]))
		bail("RELEASE");
}

static void op_none(long i)
{
	(void)i;
	if (!ioctl(opened, _IO(0xDB, 0xff), NULL))
		bail("an ioctl that there is not");
}

/*
 * Make room for COUNT buffers in pages that others keep. Each 21st that is made where there
 * is none clears a page, which is one instruction of a processor, and 4,096 counted here.
 */
static void make_room(void)
{
	long i;

	for (i = 0; i < COUNT; i++) {
		op_reserve(i);
		op_reserve(i);
	}
	for (i = 0; i < COUNT; i++)
		op_release(i);
	usleep(ROOM_US);
}

/*
 * The same by ioctl; @control: what it costs by command. As there, what a call costs that
 * does nothing is taken off.
 */
static void device(const struct bench_costs *control)
{
	double lock, unlock, floor;

	opened = device_open();
	floor = bench_op(op_none, COUNT);
	make_room();
	within(bench_op(op_reserve, COUNT) - floor, BUDGET_RESERVE, "RESERVE");
	lock = bench_op(op_lock, COUNT) - floor;
	unlock = bench_op(op_unlock, COUNT) - floor;
	within(bench_op(op_release, COUNT) - floor, BUDGET_RELEASE, "RELEASE");
	note("LOCK %.0f, by control %.0f; UNLOCK %.0f, by control %.0f", lock, control->lock,
	     unlock, control->unlock);
	ok(lock < control->lock && unlock < control->unlock, "LOCK, UNLOCK: less than by control");
	close(opened);
}

/* A cgroup that comes and goes. */
static void cgroup_comes(long i)
{
	(void)i;
	if (cgroup_make("bench") || cgroup_remove("bench"))
		bail("a cgroup");
}

/*
 * That of mkdir, with that of rmdir, which is less. What the kernel does later, it does
 * in some turns and not in others: the median.
 */
static double cgroups(void)
{
	double costs[TURNS];
	int i;

	bench_op(cgroup_comes, CGROUPS);
	for (i = 0; i < TURNS; i++)
		costs[i] = bench_op(cgroup_comes, CGROUPS);
	return bench_median(costs, TURNS);
}

static void add_templates(void)
{
	int i;

	for (i = 0; i < TEMPLATES; i++)
		if (swarm_cmd("template /kubepods.slice/*-pod%d*.slice 1G\n", i))
			bail("a template");
}

/* What the module adds to that: the median of some pairs, as one guest's cgroups drift. */
static double cgroup_more(void)
{
	double more[PAIRS], without;
	int i;

	for (i = 0; i < PAIRS; i++) {
		without = cgroups();
		bench_insert("");
		add_templates();
		more[i] = cgroups() - without;
		bench_remove("gpu_dma_lock");
		note("mkdir and rmdir of a cgroup: %.0f, and %.0f more with the module", without,
		     more[i]);
	}
	return bench_median(more, PAIRS);
}

/*
 * What the module adds to a life, in percent. The kernel shuffles its slabs, and what lies
 * where makes half a percent: the median of some pairs.
 */
static double life_percent(void)
{
	double percents[PAIRS], without;
	int i;

	for (i = 0; i < PAIRS; i++) {
		without = bench_life(LIVES);
		percents[i] = 100 * (bench_life_under("", LIVES) - without) / without;
		note("a real buffer's life: %.0f, and %.2f %% with the module", without,
		     percents[i]);
	}
	return bench_median(percents, PAIRS);
}

int main(void)
{
	if (on_debug_kernel())
		skip_all("this kernel's checks count as the module's instructions");
	bench_source = SOURCE_VGEM;
	if (!source_open(SOURCE_VGEM))
		skip_all("no vgem");
	if (perm_insert(BENCH_MODULE))
		bail("inserting " BENCH_MODULE);
	bench_lines = calloc(COUNT, sizeof(*bench_lines));
	/* Once a module has come and gone, a life takes more, whichever it was. */
	bench_insert("");
	bench_remove("gpu_dma_lock");
	within(life_percent(), BUDGET_LIFE_PERCENT + LIFE_MORE,
	       "a real buffer's life: more, in percent");
	within(cgroup_more(), BUDGET_CGROUP + CGROUP_MORE,
	       "mkdir and rmdir of a cgroup, more with 100 templates");
	bench_insert("");
	bench_find_device();
	ledger();
	bench_remove("gpu_dma_lock");
	is_errno(perm_delete("bench"), 0, "the test module is removed");
	return tap_done();
}
