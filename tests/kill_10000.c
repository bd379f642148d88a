// SPDX-License-Identifier: GPL-2.0-only
/*
 * A client of 10,000 exported buffers is killed: each has its row while the
 * client lives, none afterwards, and nothing stays charged.
 *
 * vm: --load --mem 1024 --timeout 120
 */
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gem.h"
#include "swarm.h"

#define COUNT		scaled(10000)
#define SIZE		4096
#define GONE_SECONDS	60

static void client(int ready)
{
	struct rlimit files = { .rlim_cur = COUNT + 64, .rlim_max = COUNT + 64 };
	int card = gem_open("vgem"), fd, i, err;
	__u32 handle;

	err = setrlimit(RLIMIT_NOFILE, &files) ? errno : 0;
	for (i = 0; i < COUNT && !err; i++) {
		err = gem_create(card, SIZE, &handle);
		if (!err)
			err = gem_export(card, handle, &fd);
	}
	if (write(ready, &err, sizeof(err)) < 0)
		_exit(1);
	for (;;)
		pause();
}

static int compare(const void *a, const void *b)
{
	__u64 x = *(const __u64 *)a, y = *(const __u64 *)b;

	return x < y ? -1 : x > y;
}

/* How many different numbers the column has. */
static long distinct(const struct swarm_table *t, const char *column)
{
	__u64 *value = calloc(t->rows, sizeof(*value));
	long row, n = 0;

	for (row = 0; row < t->rows; row++)
		value[row] = swarm_u64(t, row, column);
	qsort(value, t->rows, sizeof(*value), compare);
	for (row = 0; row < t->rows; row++)
		n += row == 0 || value[row] != value[row - 1];
	free(value);
	return n;
}

static void check_rows(pid_t pid)
{
	struct swarm_table t;

	swarm_load(&t, "allocations");
	is(swarm_count_u64(&t, "PID", pid), COUNT, "each buffer has a row with its pid");
	is(t.rows, COUNT, "and there is no other row");
	is(swarm_count_u64(&t, "SIZE", SIZE), COUNT, "each has its size");
	is(distinct(&t, "ID"), COUNT, "each has its own id");
	is(distinct(&t, "INODE"), COUNT, "each has its own inode");
	is(t.ragged, 0, "each is a whole line");
	swarm_unload(&t);
}

static bool nothing_used(const void *arg)
{
	(void)arg;
	return swarm_get("agents", "ID", 0, "USED") == 0;
}

int main(void)
{
	__u64 device = swarm_device("vgem");
	int ready[2], err = -1;
	pid_t pid;

	if (!nothing_used(NULL))
		bail("agent 0 has buffers before the test");
	if (pipe(ready))
		bail("pipe");
	pid = fork();
	if (!pid)
		client(ready[1]);
	if (read(ready[0], &err, sizeof(err)) != sizeof(err))
		bail("the client died");
	is_errno(err, 0, "a client creates and exports %d buffers", COUNT);
	check_rows(pid);
	is(swarm_get("agents", "ID", 0, "USED"), (long long)COUNT * SIZE, "all are charged");
	swarm_add_up("with all buffers");

	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	ok(swarm_wait(nothing_used, NULL, GONE_SECONDS), "killed, nothing is charged");
	is(swarm_get("agents", "ID", 0, "USED"), 0, "agent 0 uses 0 bytes");
	is(swarm_get("agents", "ID", 0, "BUFFERS"), 0, "in 0 buffers");
	if (device == SWARM_NONE)
		device = swarm_device("vgem");
	is(swarm_get("devices", "ID", device, "USED"), 0, "vgem uses 0 bytes");
	is(swarm_stat("charged_bytes"), 0, "stats charges 0 bytes");
	ok(!swarm_has("allocations", "PID", pid), "no row is left");
	swarm_add_up("without");
	return tap_done();
}
