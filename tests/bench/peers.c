// SPDX-License-Identifier: GPL-2.0-only
/*
 * usage: peers [MOST]
 *
 * What others cost that tell the same, in one guest: who holds what, and the totals of
 * each tenant, with 10, 1,000 ... MOST dma-bufs of vgem held by ten processes, each a
 * tenant; a lock without and with contention.
 *
 * bufinfo does not tell who holds a dma-buf, only which devices are attached. Only
 * /proc/PID/fdinfo tells it, of all files of all processes. A BPF iterator, which
 * newer kernels have, is given the least to do, to tell sizes.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "bench.h"
#include "client.h"
#include "dmabuf_iter.h"

#define TENANTS		10
#define MOST		10000
#define BUFINFO		"/sys/kernel/debug/dma_buf/bufinfo"
#define COUNT		2000
#define LOCK_FILE	"/tmp/lock"

static const long sizes[] = { 10, 1000, 10000 };

static struct client tenants[TENANTS];

static void row(const char *what, long size, double value)
{
	bench_row(what, size, value, "instructions", BUDGET_NONE);
}

/* In a tenant: makes so many dma-bufs more. */
static long make(long count, long unused)
{
	static int card = -1;
	__u32 handle;
	int fd;

	(void)unused;
	if (card < 0)
		card = gem_open(source_names[SOURCE_VGEM]);
	for (; count > 0; count--) {
		if (gem_create(card, 4096, &handle) || gem_export(card, handle, &fd) ||
		    gem_destroy(card, handle))
			return errno ?: EIO;
	}
	return 0;
}

struct found {
	long buffers;
	__u64 bytes;
};

/* Adds what an fdinfo tells, if it is of a dma-buf. */
static void add_file(int dir, const char *name, struct found *found)
{
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : 0;
	char text[1024], *size;

	if (fd >= 0) {
		n = read(fd, text, sizeof(text) - 1);
		close(fd);
	}
	if (n <= 0)
		return;
	text[n] = '\0';
	size = strstr(text, "\nsize:");
	if (!size || !strstr(size, "\nexp_name:"))
		return;
	found->buffers++;
	found->bytes += strtoull(size + 6, NULL, 0);
}

/* Adds what a process holds. */
static void add_process(const char *pid, struct found *found)
{
	char path[300];
	struct dirent *entry;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%s/fdinfo", pid);
	dir = opendir(path);
	if (!dir)
		return;
	while ((entry = readdir(dir)))
		if (*entry->d_name != '.')
			add_file(dirfd(dir), entry->d_name, found);
	closedir(dir);
}

/* Who holds what: of each process its own sum. */
static double scan(long want)
{
	__u64 begin = bench_now();
	struct found all = { 0 };
	struct dirent *entry;
	DIR *dir = opendir("/proc");
	double cost;

	while ((entry = readdir(dir))) {
		struct found of_process = { 0 };

		if (*entry->d_name < '0' || *entry->d_name > '9')
			continue;
		add_process(entry->d_name, &of_process);
		all.buffers += of_process.buffers;
		all.bytes += of_process.bytes;
	}
	closedir(dir);
	cost = bench_now() - begin;
	if (all.buffers != want || all.bytes != want * 4096ULL)
		bail("fdinfo tells of %ld dma-bufs, not %ld", all.buffers, want);
	return cost;
}

static double read_all(const char *path)
{
	long rows;

	bench_read(path, &rows);
	return bench_read(path, &rows);
}

/* By the BPF iterator: only the sizes. */
static double iterate(int link, long want)
{
	static __u64 sizes_read[1 << 13];
	int fd = iter_open(link);
	__u64 begin = bench_now();
	long found = 0;
	ssize_t n;

	while ((n = read(fd, sizes_read, sizeof(sizes_read))) > 0)
		found += n / sizeof(*sizes_read);
	close(fd);
	if (n < 0 || found != want)
		bail("the iterator finds %ld dma-bufs, not %ld", found, want);
	return bench_now() - begin;
}

static void holders(long most)
{
	int link = iter_link(), tenant;
	long held = 0;
	size_t i;
	double cost;

	for (tenant = 0; tenant < TENANTS; tenant++) {
		client_start(&tenants[tenant]);
		if (swarm_cmd("create_agent %d\nbind %d pid:%d\n", BENCH_AGENT + tenant,
			      BENCH_AGENT + tenant, tenants[tenant].pid))
			bail("binding");
	}
	for (i = 0; i < sizeof(sizes) / sizeof(*sizes) && sizes[i] <= most; i++) {
		for (tenant = 0; tenant < TENANTS; tenant++) {
			errno = client_call(&tenants[tenant], make, (sizes[i] - held) / TENANTS, 0);
			if (errno)
				bail("making dma-bufs");
		}
		held = sizes[i];
		scan(held);
		cost = scan(held);
		row("who holds what: fdinfo", held, cost);
		row("who holds what: bufinfo", held, read_all(BUFINFO));
		row("who holds what: allocations", held, read_all(SWARM_DIR "allocations"));
		if (link >= 0)
			row("sizes only: BPF iterator", held, iterate(link, held));
		row("totals of each tenant: fdinfo", held, cost);
		row("totals of each tenant: agents", held, read_all(SWARM_DIR "agents"));
	}
	for (tenant = 0; tenant < TENANTS; tenant++)
		client_stop(&tenants[tenant], 0);
}

/* Locks */

static int lock_file, control;
static char lock_line[BENCH_LINE], unlock_line[BENCH_LINE];

static void set_fcntl(short type, int command)
{
	struct flock lock = { .l_type = type, .l_whence = SEEK_SET, .l_len = 1 };

	if (fcntl(lock_file, command, &lock))
		bail("fcntl");
}

static void fcntl_lock(void)
{
	set_fcntl(F_WRLCK, F_SETLKW);
}

static void fcntl_unlock(void)
{
	set_fcntl(F_UNLCK, F_SETLK);
}

static void put(const char *line)
{
	ssize_t len = strlen(line);

	if (write(control, line, len) != len)
		bail("%s", line);
}

static void swarm_lock(void)
{
	put(lock_line);
}

static void swarm_unlock(void)
{
	put(unlock_line);
}

static const struct lock_kind {
	const char *suffix;
	void (*lock)(void);
	void (*unlock)(void);
} lock_kinds[] = {
	{ ": fcntl", fcntl_lock, fcntl_unlock },
	{ "", swarm_lock, swarm_unlock },
};

static const struct lock_kind *lock_kind;

static void lock_once(long i)
{
	(void)i;
	lock_kind->lock();
	lock_kind->unlock();
}

/* Shared: who had the lock last, how often it changed hands. */
static struct {
	int holder;
	long changes;
} *baton;

/* Lets the other come to wait for the lock before it is given up. */
static void pass_baton(int me, long count)
{
	for (; count > 0; count--) {
		lock_kind->lock();
		baton->changes += baton->holder != me;
		baton->holder = me;
		sched_yield();
		lock_kind->unlock();
		sched_yield();
	}
}

/* As agent @me, with files of its own. */
static void use_locks(int me, __u64 buffer)
{
	lock_file = open(LOCK_FILE, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	control = swarm_open("control", O_WRONLY);
	if (lock_file < 0 || control < 0)
		bail("opening");
	snprintf(lock_line, sizeof(lock_line), "lock %llu %d exclusive\n", buffer,
		 BENCH_AGENT + me);
	snprintf(unlock_line, sizeof(unlock_line), "unlock %llu %d\n", buffer, BENCH_AGENT + me);
}

static double hand_over(__u64 buffer)
{
	pid_t child;
	__u64 begin;

	baton->changes = 0;
	child = fork();
	if (!child) {
		use_locks(1, buffer);
		pass_baton(1, COUNT);
		_exit(0);
	}
	begin = bench_now();
	pass_baton(0, COUNT);
	waitpid(child, NULL, 0);
	if (baton->changes < COUNT)
		bail("the lock changed hands %ld times only", baton->changes);
	return (double)(bench_now() - begin) / baton->changes;
}

static void locks(void)
{
	char what[96];
	__u64 buffer;
	size_t i;

	baton = mmap(NULL, sizeof(*baton), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		     -1, 0);
	bench_find_device();
	buffer = bench_last_id();
	use_locks(0, buffer);
	for (i = 0; i < sizeof(lock_kinds) / sizeof(*lock_kinds); i++) {
		lock_kind = &lock_kinds[i];
		bench_op(lock_once, COUNT);
		snprintf(what, sizeof(what), "lock and unlock%s", lock_kind->suffix);
		row(what, 1, bench_op(lock_once, COUNT));
		snprintf(what, sizeof(what), "contended hand-over of a lock%s", lock_kind->suffix);
		row(what, 2, hand_over(buffer));
	}
}

int main(int argc, char **argv)
{
	struct rlimit files = { 65536, 65536 };

	if (setrlimit(RLIMIT_NOFILE, &files))
		bail("setrlimit");
	bench_insert("");
	holders(argc > 1 ? atol(argv[1]) : MOST);
	locks();
	return 0;
}
