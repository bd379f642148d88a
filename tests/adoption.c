// SPDX-License-Identifier: GPL-2.0-only
/*
 * What is older than the module: 1,000 dma-bufs that are open when it is inserted
 * are all listed, once, with who has them open, and go when they are closed; what
 * no process has open is found at first sight.
 *
 * vm: --mem 768 --timeout 240
 */
#define _GNU_SOURCE
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "client.h"
#include "gem.h"
#include "life.h"
#include "perm.h"
#include "source.h"
#include "swarm.h"

#define SIZE		8192
#define NR_VGEM		400
#define NR_IMPORTED	300
#define NR_FOREIGN	300
#define NR_ALL		(NR_VGEM + NR_IMPORTED + NR_FOREIGN)
#define RACES		scaled(4)

/* One of the dma-bufs, as its owner says; shared with the owners. */
struct old {
	__u64 inode;
	pid_t pid;
	char comm[16];
	const char *kind;
	int attachments;
};

static struct old *olds;

/* For clients: their files */

static int fds[NR_ALL], twins[NR_ALL];
static int card = -1, importer = -1;
static __u32 handles[NR_ALL];

static void remember(long i, int fd, const char *kind, int attachments)
{
	struct stat st;

	fstat(fd, &st);
	olds[i].inode = st.st_ino;
	olds[i].pid = getpid();
	prctl(PR_GET_NAME, olds[i].comm);
	olds[i].kind = kind;
	olds[i].attachments = attachments;
	fds[i] = fd;
}

static long make_vgem(long from, long count)
{
	int fd = -1, err = 0;
	long i;

	prctl(PR_SET_NAME, "owner a");
	card = gem_open("vgem");
	for (i = from; i < from + count && !err; i++) {
		err = gem_create(card, SIZE, &handles[i]);
		if (!err)
			err = gem_export(card, handles[i], &fd);
		if (!err)
			remember(i, fd, "gem", 0);
		twins[i] = dup(fd);
	}
	return err;
}

static long make_imported(long from, long count)
{
	__u32 imported;
	int fd = -1, err = 0;
	long i;

	prctl(PR_SET_NAME, "owner\nb");
	card = gem_open("virtio_gpu");
	importer = gem_open("vgem");
	for (i = from; i < from + count && !err; i++) {
		err = gem_create(card, SIZE, &handles[i]);
		if (!err)
			err = gem_export(card, handles[i], &fd);
		if (!err)
			err = gem_import(importer, fd, &imported);
		if (!err)
			remember(i, fd, "gem", 1);
	}
	return err;
}

/* udmabufs and heap's, or vgem's where there are none */
static long make_foreign(long from, long count)
{
	long i, err = 0;

	if (!source_open(SOURCE_UDMABUF))
		return make_vgem(from, count);
	prctl(PR_SET_NAME, "owner c");
	for (i = from; i < from + count && !err; i++) {
		enum source_id source = i & 1 ? SOURCE_UDMABUF : SOURCE_HEAP;
		struct source_stack *s = &source_stacks[source];

		err = source_make(source, SIZE);
		if (!err)
			remember(i, s->buffer[--s->count], "dmabuf", 0);
	}
	return err;
}

static long close_twins(long from, long count)
{
	while (count-- > 0)
		close(twins[from + count]);
	return 0;
}

static long close_fds(long from, long count)
{
	while (count-- > 0)
		close(fds[from + count]);
	return 0;
}

static long destroy_handles(long from, long count)
{
	int err = 0;

	while (count-- > 0 && !err)
		err = gem_destroy(card, handles[from + count]);
	return err;
}

static long close_importer(long a, long b)
{
	(void)a;
	(void)b;
	return close(importer);
}

static long make_child(long a, long b)
{
	pid_t child = fork();

	(void)a;
	(void)b;
	if (!child)
		for (;;)
			pause();
	return child;
}

/* What no process has open when the module comes */
struct hidden {
	int card;
	__u32 handle;		/* never exported */
	void *map;		/* of a dma-buf that is only mapped */
	int wire[2];		/* a dma-buf is on its way through */
};

static int make_dmabuf(int card)
{
	__u32 handle;
	int fd = -1;

	if (gem_create(card, SIZE, &handle) || gem_export(card, handle, &fd))
		bail("making a dma-buf");
	gem_destroy(card, handle);
	return fd;
}

static void hide(struct hidden *h)
{
	int fd;

	h->card = gem_open("vgem");
	if (gem_create(h->card, SIZE, &h->handle) ||
	    socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, h->wire))
		bail("hiding");
	fd = make_dmabuf(h->card);
	h->map = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	fd = make_dmabuf(h->card);
	if (client_send_fd(h->wire[0], fd))
		bail("sending");
	close(fd);
}

/* COMM of the module's has no blanks and newlines. */
static bool comm_is(const char *cell, const char *comm)
{
	return cell[0] == comm[0] && !strncmp(cell, comm, 5) &&
	       cell[strlen(cell) - 1] == comm[strlen(comm) - 1];
}

static bool row_is(const struct swarm_table *t, long row, const struct old *old)
{
	bool pass = swarm_u64(t, row, "SIZE") == SIZE &&
		    swarm_u64(t, row, "AGENT") == 0 &&
		    !strcmp(swarm_cell(t, row, "KIND"), old->kind) &&
		    swarm_u64(t, row, "PID") == (__u64)old->pid &&
		    comm_is(swarm_cell(t, row, "COMM"), old->comm) &&
		    !strcmp(swarm_cell(t, row, "AGE_MS"), "-") &&
		    swarm_u64(t, row, "ATTACHMENTS") == (__u64)old->attachments;
	static int noted;

	if (!pass && noted++ < 5)
		note("inode %llu: kind %s, pid %s, comm %s, age %s, size %s, %s attachments",
		     old->inode, swarm_cell(t, row, "KIND"), swarm_cell(t, row, "PID"),
		     swarm_cell(t, row, "COMM"), swarm_cell(t, row, "AGE_MS"),
		     swarm_cell(t, row, "SIZE"), swarm_cell(t, row, "ATTACHMENTS"));
	return pass;
}

static void test_rows(void)
{
	long i, row, missing = 0, twice = 0, wrong = 0;
	struct swarm_table t;

	swarm_load(&t, "allocations");
	is(t.rows, NR_ALL, "adopted: as many rows as there were dma-bufs");
	for (i = 0; i < NR_ALL; i++) {
		row = swarm_find_u64(&t, 0, "INODE", olds[i].inode);
		missing += row < 0;
		if (row < 0)
			continue;
		twice += swarm_find_u64(&t, row + 1, "INODE", olds[i].inode) >= 0;
		wrong += !row_is(&t, row, &olds[i]);
	}
	is(missing, 0, "adopted: none is missing");
	is(twice, 0, "adopted: none is there twice");
	is(wrong, 0, "adopted: each with its owner, kind, size and marked as adopted");
	swarm_unload(&t);
	is(swarm_stat("buffers_adopted"), NR_ALL, "adopted: stats counts them as adopted");
	is(swarm_stat("charged_bytes"), (long)NR_ALL * SIZE, "adopted: they are charged");
	swarm_add_up("with what was adopted");
}

static void test_attachments(pid_t pid)
{
	struct swarm_table t;

	swarm_load(&t, "attachments");
	is(t.rows, NR_IMPORTED, "adopted: the imports have attachments");
	is(swarm_count_u64(&t, "PID", pid), t.rows,
	   "adopted: of the process that has the dma-buf open");
	ok(swarm_find(&t, 0, "IMPORTER_DEVICE", "vgem") >= 0, "adopted: by vgem");
	ok(swarm_find(&t, 0, "MAPPED", "-") >= 0 && swarm_find(&t, 0, "MAPPED", "0") < 0,
	   "adopted: whether they are mapped is not known");
	swarm_unload(&t);
}

static void test_contexts(const struct client *c)
{
	struct swarm_table t;

	swarm_load(&t, "contexts");
	is(swarm_count_u64(&t, "PID", c[0].pid), 1,
	   "adopted: a DRM file that was open is a context");
	is(swarm_count_u64(&t, "PID", c[1].pid), 2, "adopted: two are two");
	is(swarm_count_u64(&t, "PID", getpid()), 1, "adopted: this process has one as well");
	swarm_unload(&t);
}

/* Rows of the dma-bufs [from, from + count) */
static long left(long from, long count)
{
	struct swarm_table t;
	long i, n = 0;

	swarm_load(&t, "allocations");
	for (i = from; i < from + count; i++)
		n += swarm_find_u64(&t, 0, "INODE", olds[i].inode) >= 0;
	swarm_unload(&t);
	return n;
}

struct range {
	long from, count;
};

static bool none_left(const void *arg)
{
	const struct range *r = arg;

	return !left(r->from, r->count);
}

static bool all_go(long from, long count)
{
	struct range r = { from, count };

	return swarm_wait(none_left, &r, LIFE_SECONDS);
}

static void test_closing(struct client *c)
{
	long from = NR_VGEM;
	pid_t child = client_call(&c[0], make_child, 0, 0);

	client_call(&c[0], close_twins, 0, NR_VGEM);
	is(left(0, NR_VGEM), NR_VGEM, "adopted buffers end: closing duplicates changes nothing");
	client_stop(&c[0], SIGKILL);
	is(left(0, NR_VGEM), NR_VGEM,
	   "adopted buffers end: nor does killing one of two that have them open");
	kill(child, SIGKILL);
	ok(all_go(0, NR_VGEM), "adopted buffers end: killing the other does");

	client_call(&c[1], close_fds, from, NR_IMPORTED);
	is(left(from, NR_IMPORTED), NR_IMPORTED,
	   "adopted buffers end: handles keep what was closed");
	is(client_call(&c[1], destroy_handles, from, NR_IMPORTED), 0,
	   "adopted buffers end: handles are destroyed");
	is(left(from, NR_IMPORTED), NR_IMPORTED, "adopted buffers end: imports keep it");
	is(life_rows("attachments"), NR_IMPORTED, "adopted buffers end: attached");
	client_call(&c[1], close_importer, 0, 0);
	ok(all_go(from, NR_IMPORTED), "adopted buffers end: with the importer they go");
	is(life_rows("attachments"), 0, "adopted buffers end: and the attachments");
	client_stop(&c[1], 0);

	from += NR_IMPORTED;
	client_stop(&c[2], 0);
	ok(all_go(from, NR_FOREIGN), "adopted buffers end: an exit ends the others");
}

static void test_hidden(struct hidden *h)
{
	__u64 adopted = swarm_stat("buffers_adopted");
	struct swarm_table t;
	__u32 imported;
	int vgem = gem_open("virtio_gpu"), fd = -1;

	is(life_rows("allocations"), 0,
	   "not found at first: what no process has open is not found");
	is_errno(gem_export(h->card, h->handle, &fd), 0,
		 "not found at first: an old GEM object is exported");
	swarm_load(&t, "allocations");
	is(t.rows, 1, "not found at first: so it is found");
	is_str(swarm_cell(&t, 0, "KIND"), "gem", "not found at first: as what it is");
	is_str(swarm_cell(&t, 0, "AGE_MS"), "-", "not found at first: adopted");
	is(swarm_u64(&t, 0, "SIZE"), SIZE, "not found at first: with its size");
	is(swarm_u64(&t, 0, "PID"), getpid(), "not found at first: as its exporter's");
	swarm_unload(&t);
	is(swarm_stat("buffers_adopted"), adopted + 1, "not found at first: counted");
	close(fd);
	is(life_rows("allocations"), 1, "not found at first: its handle keeps it");
	gem_destroy(h->card, h->handle);
	is(life_rows("allocations"), 0, "not found at first: it goes with that");

	fd = client_receive_fd(h->wire[1]);
	ok(fd >= 0 && !life_rows("allocations"),
	   "not found at first: a dma-buf that was under way is not known");
	close(vgem);
	vgem = gem_open("vgem");
	is_errno(gem_import(vgem, fd, &imported), 0,
		 "not found at first: imported by its own driver");
	is(life_rows("allocations"), 0, "not found at first: it is still not");
	close(vgem);
	close(fd);
	munmap(h->map, SIZE);
	is(life_rows("allocations"), 0,
	   "not found at first: the end of what was not known changes nothing");
	close(h->card);
	close(h->wire[0]);
	close(h->wire[1]);
}

/*
 * An old dma-buf under way that another driver imports is adopted at the attach. Who
 * imports it has not made it: it is the host's, and under enforce nobody else's.
 */
static void test_attach(int fd)
{
	int vgem = gem_open("vgem");
	struct swarm_table t;
	__u32 imported;

	if (swarm_cmd("policy enforce\ncreate_agent 1\nbind 1 pid:%d\n", getpid()))
		bail("working for agent 1");
	is_errno(gem_import(vgem, fd, &imported), EACCES,
		 "enforce: EACCES for a process that did not make it");
	if (swarm_cmd("policy audit"))
		bail("policy");
	is_errno(gem_import(vgem, fd, &imported), 0, "audit: a dma-buf not known is imported");
	swarm_load(&t, "allocations");
	is(t.rows, 1, "found at an attach: so it is found");
	is_str(swarm_cell(&t, 0, "AGE_MS"), "-", "found at an attach: adopted");
	is(swarm_u64(&t, 0, "ATTACHMENTS"), 1, "found at an attach: with its attachment");
	is(swarm_u64(&t, 0, "AGENT"), 0, "found at an attach: as the host's");
	is_str(swarm_cell(&t, 0, "PID"), "-", "found at an attach: of no process");
	is_str(swarm_cell(&t, 0, "COMM"), "-", "found at an attach: that anybody knows");
	swarm_unload(&t);
	is(life_rows("attachments"), 1, "found at an attach: which has a row");
	swarm_add_up("with what was adopted at an attach");
	if (swarm_cmd("remove_agent 1"))
		bail("removing agent 1");
	close(fd);
	close(vgem);
}

/* A client that never rests */
static void churn(void)
{
	int from = gem_open("virtio_gpu"), to = gem_open("vgem"), fd = -1;
	__u32 handle = 0, imported = 0;

	for (;;) {
		if (gem_create(from, SIZE, &handle) || gem_export(from, handle, &fd) ||
		    gem_import(to, fd, &imported))
			_exit(1);
		gem_destroy(from, handle);
		close(fd);
		gem_destroy(to, imported);
	}
}

static void test_race(int round)
{
	pid_t pid[2];
	int i, err;

	if (syscall(SYS_delete_module, "gpu_dma_lock", 0))
		bail("removing the module");
	for (i = 0; i < 2; i++) {
		pid[i] = fork();
		if (!pid[i])
			churn();
	}
	usleep(200000 + 50000 * round);
	err = perm_insert(PERM_MODULE);
	usleep(300000);
	for (i = 0; i < 2; i++)
		kill(pid[i], SIGKILL);
	while (wait(NULL) > 0)
		;
	is_errno(err, 0, "race %d: inserted while clients are busy", round);
	life_nothing_left(0, "after the race");
}

int main(void)
{
	struct rlimit files = { 4096, 4096 };
	struct client c[3];
	struct hidden h;
	int virtio, wire[2], i;

	olds = mmap(NULL, NR_ALL * sizeof(*olds), PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	setrlimit(RLIMIT_NOFILE, &files);
	for (i = 0; i < 3; i++)
		client_start(&c[i]);
	if (client_call(&c[0], make_vgem, 0, NR_VGEM) ||
	    client_call(&c[1], make_imported, NR_VGEM, NR_IMPORTED) ||
	    client_call(&c[2], make_foreign, NR_VGEM + NR_IMPORTED, NR_FOREIGN))
		bail("making %d dma-bufs", NR_ALL);
	hide(&h);
	if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, wire))
		bail("socketpair");
	virtio = gem_open("virtio_gpu");
	i = make_dmabuf(virtio);
	client_send_fd(wire[0], i);
	close(i);
	close(virtio);

	is_errno(perm_insert(PERM_MODULE), 0, "the module is inserted");
	test_rows();
	test_attachments(c[1].pid);
	test_contexts(c);
	test_closing(c);
	test_hidden(&h);
	test_attach(client_receive_fd(wire[1]));
	life_nothing_left(0, "of what is older than the module");
	for (i = 0; i < RACES; i++)
		test_race(i);
	return tap_done();
}
