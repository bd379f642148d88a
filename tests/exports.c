// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory that is exported again and again: videobuf2 makes a new dma-buf of the same
 * memory each time. One is charged, the others are aliases; when that one goes, another is
 * charged, and its own agent pays. A quota refuses the first alone.
 *
 * vm: --load --mem 768 --timeout 200
 */
#define _GNU_SOURCE
#include <sys/mman.h>

#include "cgroup.h"
#include "client.h"
#include "swarm.h"
#include "totals.h"
#include "v4l2.h"

#define EXPORTS		5
#define TYPE		V4L2_BUF_TYPE_VIDEO_CAPTURE

static int node;
static __u64 size;
static int fds[EXPORTS];

static void works(int err, const char *what)
{
	is_errno(err, 0, "%s", what);
}

/* Memory of its own for one frame, which v4l2_open() has not asked for. */
static int get_memory(void)
{
	struct v4l2_requestbuffers request = { .type = TYPE, .memory = V4L2_MEMORY_DMABUF };

	if (ioctl(node, VIDIOC_REQBUFS, &request))
		return errno;
	request.count = 1;
	request.memory = V4L2_MEMORY_MMAP;
	return ioctl(node, VIDIOC_REQBUFS, &request) ? errno : 0;
}

static int export(int *fd)
{
	struct v4l2_exportbuffer request = { .type = TYPE, .flags = O_CLOEXEC | O_RDWR };

	if (ioctl(node, VIDIOC_EXPBUF, &request))
		return errno;
	*fd = request.fd;
	return 0;
}

static long rows_of(const char *kind, __u64 agent)
{
	struct swarm_table t;
	long n = 0, i;

	swarm_load(&t, "allocations");
	for (i = 0; i < t.rows; i++)
		n += !strcmp(swarm_cell(&t, i, "KIND"), kind) &&
		     swarm_u64(&t, i, "AGENT") == agent;
	swarm_unload(&t);
	return n;
}

static __u64 used(__u64 agent)
{
	return swarm_get("agents", "ID", agent, "USED");
}

/* Client: exports once, and keeps that alone. */
static long export_one(long a, long b)
{
	int fd, i;

	(void)a;
	(void)b;
	for (i = 0; i < EXPORTS; i++)
		close(fds[i]);
	return export(&fd);
}

/* Not twice: a client's own file may have the number. */
static void drop(int i)
{
	close(fds[i]);
	fds[i] = -1;
}

static void test_once(void)
{
	int i, err = 0;

	for (i = 0; i < EXPORTS; i++)
		err |= export(&fds[i]);
	works(err, "exported again: export the same memory five times");
	size = used(0);
	ok(size > 0, "exported again: it is charged");
	is(rows_of("dmabuf", 0), 1, "exported again: one row is of kind dmabuf");
	is(rows_of("alias", 0), EXPORTS - 1, "exported again: the others are aliases");
	is(swarm_stat("charged_bytes"), size, "exported again: it is charged once");
	totals_add_up("with aliases");
	drop(0);
	is(rows_of("dmabuf", 0), 1, "exported again: when that goes, another is charged");
	is(rows_of("alias", 0), EXPORTS - 2, "exported again: there is one alias less");
	is(used(0), size, "exported again: what is charged is the same");
	drop(EXPORTS - 1);
	is(rows_of("dmabuf", 0), 1, "exported again: when an alias goes, nothing changes");
	is(used(0), size, "exported again: what is charged is the same then");
	totals_add_up("then");
}

static void test_agents(void)
{
	struct client c;
	int i;

	client_start(&c);
	works(swarm_cmd("bind 1 pid:%d\n", c.pid), "exported by two agents: bind a client");
	works(client_call(&c, export_one, 0, 0),
	      "exported by two agents: it exports the memory too");
	is(used(1), 0, "exported by two agents: it is not charged");
	is(rows_of("alias", 1), 1, "exported by two agents: its dma-buf is an alias");
	for (i = 1; i < EXPORTS - 1; i++)
		drop(i);
	is(used(0), 0,
	   "exported by two agents: when all others are gone, their agent is not charged");
	is(used(1), size, "exported by two agents: the other agent is charged");
	is(rows_of("dmabuf", 1), 1, "exported by two agents: its dma-buf is no alias any more");
	is(swarm_get("agents", "ID", 1, "BUFFERS"), 1, "exported by two agents: it counts once");
	is(swarm_get("agents", "ID", 0, "BUFFERS"), 0, "exported by two agents: agent 0 has none");
	totals_add_up("with another agent");
	client_stop(&c, SIGKILL);
	ok(!rows_of("dmabuf", 1) && !rows_of("alias", 1),
	   "exported by two agents: nothing is left of it");
	is(used(1), 0, "exported by two agents: nothing is charged");
}

/* The charge is handed over with an agent's buffers. */
static void test_removed(void)
{
	struct client c;
	int fd;

	client_start(&c);
	works(swarm_cmd("bind 1 pid:%d\n", c.pid), "agent with an export removed: bind a client");
	works(client_call(&c, export_one, 0, 0),
	      "agent with an export removed: it exports the memory");
	works(export(&fd), "agent with an export removed: this process exports it too");
	is(used(1), size, "agent with an export removed: its agent is charged");
	works(swarm_cmd("remove_agent 1\ncreate_agent 1\n"),
	      "agent with an export removed: remove its agent");
	is(used(0), size, "agent with an export removed: agent 0 is charged then");
	client_stop(&c, SIGKILL);
	is(used(0), size, "agent with an export removed: our own dma-buf is charged then");
	close(fd);
	is(used(0), 0, "agent with an export removed: at last nothing is charged");
}

static void test_quota(void)
{
	long long denied = swarm_stat("quota_denied");
	int fd = -1, i, err = 0, others[EXPORTS];

	works(swarm_cmd("policy enforce\nset_quota 0 %llu\n", size - 1),
	      "quota of exports: a quota below its size");
	/* videobuf2's own error, whatever the reason. */
	is_errno(export(&fd), EINVAL, "quota of exports: the first is refused");
	is_errno(export(&fd), EINVAL, "quota of exports: the next is refused");
	is(swarm_stat("quota_denied") - denied, 2, "quota of exports: quota_denied counts both");
	is(swarm_stat("buffers"), 0, "quota of exports: no buffer is left");
	works(swarm_cmd("set_quota 0 %llu\n", size), "quota of exports: a quota of its size");
	works(export(&fd), "quota of exports: the first passes");
	for (i = 0; i < EXPORTS; i++)
		err |= export(&others[i]);
	works(err, "quota of exports: the others pass");
	is(swarm_get("agents", "ID", 0, "PEAK"), size, "quota of exports: the peak is that of one");
	for (i = 0; i < EXPORTS; i++)
		close(others[i]);
	close(fd);
	works(swarm_cmd("set_quota 0 max\npolicy audit\n"), "quota of exports: no quota");
}

int main(void)
{
	if (!v4l2_load())
		skip_all("no vivid");
	if (v4l2_open(TYPE, &node) || get_memory())
		bail("vivid");
	swarm_cmd("create_agent 1\n");
	test_once();
	test_agents();
	test_removed();
	test_quota();
	is(swarm_stat("buffers"), 0, "no buffer is left");
	is(swarm_stat("buffers_stale") + swarm_stat("buffers_lost"), 0, "none was lost");
	close(node);
	return tap_done();
}
