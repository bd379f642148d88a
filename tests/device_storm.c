// SPDX-License-Identifier: GPL-2.0-only
/*
 * /dev/gpu_dma_lock under SIGKILL at any moment of its calls, and under ioctls of random
 * numbers, sizes, flags, tails and addresses, with open files that are closed meanwhile, all
 * by nobody: whatever was had is gone with its open files, and who waits is woken.
 *
 * vm: --load --mem 1024 --smp 4 --timeout 1200
 */
#define _GNU_SOURCE
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "cgroup.h"
#include "device.h"
#include "lock.h"

#define ROUNDS		scaled(10000)
#define FUZZ_SECONDS	scaled(600)
#define WORKERS		4
#define BUFFERS		4
#define CGROUP		"device_storm"
#define AGENT		1
#define NOBODY		65534
#define FUZZ_FILES	4

static __u64 device, ids[BUFFERS], seed;

static void be_nobody(void)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (setgid(NOBODY) || setuid(NOBODY))
		_exit(1);
}

/* All that there is to do, until it is killed. */
static void victim(__u64 state)
{
	int fd = device_open(), n;
	__u64 id = 0, own = 0;

	for (;;) {
		id = ids[lock_random(&state, BUFFERS)];
		n = lock_random(&state, 8);
		if (n < 2)
			device_reserve(fd, device, 4096, &own);
		else if (n == 2)
			device_release(fd, own);
		else if (n < 6)
			device_lock(fd, id, n & 1, (int)lock_random(&state, 3) - 1);
		else if (n == 6)
			device_unlock(fd, id);
		else if (device_lock(fd, own, true, 0) == 0 && lock_random(&state, 2))
			device_unlock(fd, own);
	}
}

static void kill_rounds(__u64 state, int rounds)
{
	pid_t pid;

	while (rounds--) {
		pid = fork();
		if (!pid) {
			be_nobody();
			victim(state | 1);
		}
		lock_random(&state, 2);
		usleep(lock_random(&state, 4000));
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
	_exit(0);
}

static bool workers_end(pid_t *pids)
{
	bool good = true;
	int i, status;

	for (i = 0; i < WORKERS; i++) {
		waitpid(pids[i], &status, 0);
		good &= WIFEXITED(status) && !WEXITSTATUS(status);
	}
	return good;
}

static void nothing_left(const char *when)
{
	is(swarm_get("agents", "ID", AGENT, "USED"), BUFFERS * 4096, "no memory is left %s", when);
	lock_none_left(when);
	swarm_add_up(when);
}

static void check_kill(void)
{
	pid_t pids[WORKERS];
	int i;

	for (i = 0; i < WORKERS; i++) {
		pids[i] = fork();
		if (!pids[i])
			kill_rounds(seed + i * 7919, ROUNDS / WORKERS + 1);
	}
	ok(workers_end(pids), "%d processes are killed", ROUNDS);
	nothing_left("of who was killed");
}

static int fuzz_fd[FUZZ_FILES];
static char *fuzz_memory;	/* two pages, of which the second is not there */

static __u64 fuzz_value(__u64 *state)
{
	switch (lock_random(state, 8)) {
	case 0:
		return ids[lock_random(state, BUFFERS)];
	case 1:
		return lock_random(state, 2000);
	case 2:
		return ~0ULL - lock_random(state, 2);
	case 3:
		return 1ULL << lock_random(state, 64);
	case 4:
		return device;
	default:
		return lock_random(state, 4);
	}
}

static void fuzz_once(__u64 *state)
{
	static const unsigned int sizes[] = { 0, 4, 16, 24, 32, 40, 56, 64, 4096, 4097 };
	__u32 words[20] = { };
	unsigned int size = sizes[lock_random(state, 10)], nr = lock_random(state, 6), i;
	char *at = fuzz_memory + 4096 - lock_random(state, 80);
	int fd = fuzz_fd[lock_random(state, FUZZ_FILES)];
	__u64 value;

	for (i = 2; i < 12; i += 2) {
		value = fuzz_value(state);
		memcpy(&words[i], &value, sizeof(value));
	}
	words[0] = lock_random(state, 3) ? sizes[2 + lock_random(state, 5)] : size;
	words[1] = lock_random(state, 4);
	/* No wait for ever: nobody but this process would end it. */
	if (nr == _IOC_NR(GPU_DMA_LOCK_IOC_LOCK)) {
		memset(&words[6], 0, 8);
		words[6] = lock_random(state, 3);
		words[3] = 0;
	}
	if (lock_random(state, 4))
		at = fuzz_memory + 1024;
	memcpy(at, words, at + sizeof(words) > fuzz_memory + 4096 ?
	       (size_t)(fuzz_memory + 4096 - at) : sizeof(words));
	if (!lock_random(state, 50))
		at = lock_random(state, 2) ? NULL : (char *)-4096L;
	if (!lock_random(state, 20))
		mprotect(fuzz_memory, 4096, PROT_READ);
	ioctl(fd, lock_random(state, 30) ? _IO(0xDB, nr) : lock_random(state, 1 << 20), at);
	mprotect(fuzz_memory, 4096, PROT_READ | PROT_WRITE);
}

static void *fuzz_closer(void *arg)
{
	__u64 state = *(__u64 *)arg;
	int i, fd;

	for (;;) {
		usleep(lock_random(&state, 3000));
		i = lock_random(&state, FUZZ_FILES);
		fd = lock_random(&state, 4) ? device_open() : dup(fuzz_fd[0]);
		if (fd >= 0) {
			dup2(fd, fuzz_fd[i]);
			close(fd);
		}
	}
	return NULL;
}

static void fuzz(__u64 state, int seconds)
{
	time_t end = time(NULL) + seconds;
	__u64 other = state * 31 | 1;
	int i;

	be_nobody();
	for (i = 0; i < FUZZ_FILES; i++)
		fuzz_fd[i] = device_open();
	fuzz_memory = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			   -1, 0);
	munmap(fuzz_memory + 4096, 4096);
	lock_start(fuzz_closer, &other);
	while (time(NULL) <= end)
		fuzz_once(&state);
	_exit(0);
}

static void check_fuzz(void)
{
	pid_t pids[WORKERS];
	int i;

	for (i = 0; i < WORKERS; i++) {
		pids[i] = fork();
		if (!pids[i])
			fuzz((seed + i * 104729) | 1, FUZZ_SECONDS);
	}
	ok(workers_end(pids), "random ioctls for %d s", FUZZ_SECONDS);
	nothing_left("of random ioctls");
}

int main(void)
{
	int i;

	seed = lock_seed();
	device = swarm_device(NULL);
	if (swarm_cmd("create_agent %d 64M", AGENT) || cgroup_make(CGROUP) ||
	    swarm_cmd("bind %d cgroup:/" CGROUP, AGENT) || cgroup_move(CGROUP, getpid()))
		bail("a cgroup of its own");
	for (i = 0; i < BUFFERS; i++)
		if (swarm_allocate(AGENT, 4096, device, &ids[i]))
			bail("allocating a buffer");
	check_kill();
	check_fuzz();
	cgroup_move("", getpid());
	cgroup_remove(CGROUP);
	return tap_done();
}
