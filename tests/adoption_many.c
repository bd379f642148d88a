// SPDX-License-Identifier: GPL-2.0-only
/*
 * Attack: a tenant has very many files open when the module is inserted. What that takes
 * rises with the number of files, not with its square, and a table of files that many
 * tasks share is gone through once.
 *
 * vm: --gpu bochs --icount --append slab_nomerge --mem 1024 --timeout 400
 */
#define _GNU_SOURCE
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

#include "gem.h"
#include "perm.h"
#include "swarm.h"

#define SIZE		4096
#define BUFFERS		1000
#define DUPS		28	/* of each */
#define FACTOR		4
#define LATITUDE	1.5
#define NOISE		0.1	/* of what inserting takes by itself */
#define SHARED		20000	/* files of a table that is shared */
#define SHARERS		100

/* What a process has open, and how many share that. */
struct open_files {
	int buffers, dups, sharers;
};

static void share(int sharers)
{
	for (; sharers; sharers--) {
		if (syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0))
			continue;
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
}

/* In the child. */
static int open_all(const struct open_files *o)
{
	struct rlimit files = { .rlim_cur = 1 << 17, .rlim_max = 1 << 17 };
	int card = gem_open("vgem"), fd = -1, i, j;
	__u32 handle;

	if (setrlimit(RLIMIT_NOFILE, &files))
		return -1;
	for (i = 0; i < o->buffers; i++) {
		if (gem_create(card, SIZE, &handle) || gem_export(card, handle, &fd))
			return -1;
		for (j = 0; j < o->dups; j++)
			if (dup(fd) < 0)
				return -1;
	}
	share(o->sharers);
	return 0;
}

static pid_t begin(const struct open_files *o)
{
	int ready[2];
	pid_t pid;
	char c;

	if (pipe2(ready, O_CLOEXEC))
		bail("a pipe");
	pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (open_all(o) || write(ready[1], "", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(ready[1]);
	if (read(ready[0], &c, 1) != 1)
		bail("a process with many files");
	close(ready[0]);
	return pid;
}

static double cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return t.tv_sec * 1e9 + t.tv_nsec;
}

/* The instructions that inserting the module takes. */
static double insert(const struct open_files *o)
{
	pid_t pid = begin(o);
	double cost = cpu_ns();

	if (perm_insert(PERM_MODULE))
		bail("inserting the module");
	cost = cpu_ns() - cost;
	is(swarm_stat("buffers_adopted"), o->buffers, "%d buffers, %d files of each, are adopted",
	   o->buffers, o->dups + 1);
	if (perm_delete("gpu_dma_lock"))
		bail("removing the module");
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return cost;
}

int main(void)
{
	struct open_files none = { 0, 0, 0 }, few = { BUFFERS, DUPS, 0 },
			  many = { FACTOR * BUFFERS, DUPS, 0 }, one = { 1, SHARED, 0 },
			  all = { 1, SHARED, SHARERS }, idle = { 0, 0, SHARERS };
	double without, noise, n, more, alone, sharers;

	insert(&none);
	without = insert(&none);
	noise = NOISE * without;
	note("inserting takes %.0f by itself", without);
	n = insert(&few) - without;
	more = insert(&many) - without;
	note("%.0f for %d files, %.0f for %d times as many", n, BUFFERS * (DUPS + 1), more, FACTOR);
	ok(more <= LATITUDE * FACTOR * n + noise, "a file takes as much when there are many");
	alone = insert(&one) - without;
	sharers = insert(&idle);
	more = insert(&all) - sharers;
	note("%.0f for %d files of one task, %.0f when %d share them", alone, SHARED, more,
	     SHARERS + 1);
	ok(more <= LATITUDE * alone + noise, "and no more when many tasks share them");
	return tap_done();
}
