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
	works(err, "export the same memory five times");
	size = used(0);
	ok(size > 0, "it is charged");
	is(rows_of("dmabuf", 0), 1, "one dma-buf is");
	is(rows_of("alias", 0), EXPORTS - 1, "the others are aliases");
	is(swarm_stat("charged_bytes"), size, "it is charged once");
	totals_add_up("with aliases");
	drop(0);
	is(rows_of("dmabuf", 0), 1, "when that goes, another is charged");
	is(rows_of("alias", 0), EXPORTS - 2, "there is one alias less");
	is(used(0), size, "what is charged is the same");
	drop(EXPORTS - 1);
	is(rows_of("dmabuf", 0), 1, "when an alias goes, nothing changes");
	is(used(0), size, "nor what is charged");
	totals_add_up("then");
}

static void test_agents(void)
{
	struct client c;
	int i;

	client_start(&c);
	works(swarm_cmd("bind 1 pid:%d\n", c.pid), "bind a client");
	works(client_call(&c, export_one, 0, 0), "it exports the memory too");
	is(used(1), 0, "it is not charged");
	is(rows_of("alias", 1), 1, "its dma-buf is an alias");
	for (i = 1; i < EXPORTS - 1; i++)
		drop(i);
	is(used(0), 0, "when all others are gone, their agent is not charged");
	is(used(1), size, "its is");
	is(rows_of("dmabuf", 1), 1, "its dma-buf is no alias any more");
	is(swarm_get("agents", "ID", 1, "BUFFERS"), 1, "it counts once");
	is(swarm_get("agents", "ID", 0, "BUFFERS"), 0, "agent 0 has none");
	totals_add_up("with another agent");
	client_stop(&c, SIGKILL);
	ok(!rows_of("dmabuf", 1) && !rows_of("alias", 1), "nothing is left of it");
	is(used(1), 0, "nothing is charged");
}

/* The charge is handed over with an agent's buffers. */
static void test_removed(void)
{
	struct client c;
	int fd;

	client_start(&c);
	works(swarm_cmd("bind 1 pid:%d\n", c.pid), "bind a client");
	works(client_call(&c, export_one, 0, 0), "it exports the memory");
	works(export(&fd), "so do we");
	is(used(1), size, "its agent is charged");
	works(swarm_cmd("remove_agent 1\ncreate_agent 1\n"), "remove its agent");
	is(used(0), size, "agent 0 is");
	client_stop(&c, SIGKILL);
	is(used(0), size, "our own dma-buf is charged then");
	close(fd);
	is(used(0), 0, "at last nothing is");
}

static void test_quota(void)
{
	long long denied = swarm_stat("quota_denied");
	int fd = -1, i, err = 0, others[EXPORTS];

	works(swarm_cmd("policy enforce\nset_quota 0 %llu\n", size - 1), "a quota below its size");
	/* videobuf2's own error, whatever the reason. */
	is_errno(export(&fd), EINVAL, "the first is refused");
	is_errno(export(&fd), EINVAL, "and the next");
	is(swarm_stat("quota_denied") - denied, 2, "for the quota");
	is(swarm_stat("buffers"), 0, "no buffer is left");
	works(swarm_cmd("set_quota 0 %llu\n", size), "a quota of its size");
	works(export(&fd), "the first passes");
	for (i = 0; i < EXPORTS; i++)
		err |= export(&others[i]);
	works(err, "so do the others");
	is(swarm_get("agents", "ID", 0, "PEAK"), size, "the peak is that of one");
	for (i = 0; i < EXPORTS; i++)
		close(others[i]);
	close(fd);
	works(swarm_cmd("set_quota 0 max\npolicy audit\n"), "no quota");
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
