// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a tenant can have many of costs nobody else anything: with 100,000 attachments of
 * an agent, and then 50,000 contexts, each operation of another takes about as many
 * instructions as with few, and a row is read as fast. Another agent is removed as fast
 * with many contexts; what the locks of many mappings cost there is theirs to show.
 *
 * vm: -k 6.1 --gpu virtio --icount --append slab_nomerge --mem 768 --timeout 300
 */
#define _GNU_SOURCE
#include <sys/resource.h>

#include "bench.h"
#include "client.h"
#include "life.h"

#define FEW		10	/* files, and as many buffers */
#define MANY		100000
#define AGENT		5
#define REMOVED		6
#define COUNT		200
#define REMOVALS	10
#define MOST		1.5

struct costs {
	double open, life, import, remove, row;
};

static int card, dmabuf;
static char vgem_path[32];

/* For the client, of agent AGENT: it keeps all it makes. */

static int nr_files, files[MANY], nr_buffers, buffers[1024];

static long do_files(long count, long unused)
{
	(void)unused;
	while (nr_files < count) {
		files[nr_files] = open(vgem_path, O_RDWR | O_CLOEXEC);
		if (files[nr_files] < 0)
			return errno;
		nr_files++;
	}
	return 0;
}

/* A dma-buf of virtio-gpu's, which is another device than those that import it. */
static int make_dmabuf(int *fd)
{
	static int source = -1;
	__u32 handle = 0;
	int err;

	if (source < 0)
		source = gem_open("virtio_gpu");
	err = gem_create(source, 4096, &handle);
	return err ?: gem_export(source, handle, fd);
}

/* Each of @count buffers with each of as many files. */
static long do_attach(long count, long unused)
{
	int err = do_files(count, unused), i, j;
	__u32 handle;

	for (; !err && nr_buffers < count; nr_buffers++)
		err = make_dmabuf(&buffers[nr_buffers]);
	/* Those that are there already are found, and nothing is made. */
	for (i = 0; !err && i < count; i++)
		for (j = 0; !err && j < count; j++)
			err = gem_import(files[i], buffers[j], &handle);
	return err;
}

static long do_drop(long unused, long unused2)
{
	(void)unused;
	(void)unused2;
	while (nr_files)
		close(files[--nr_files]);
	while (nr_buffers)
		close(buffers[--nr_buffers]);
	return 0;
}

static void open_close(long i)
{
	(void)i;
	close(open(vgem_path, O_RDWR | O_CLOEXEC));
}

static void import(long i)
{
	__u32 handle = 0;

	(void)i;
	if (gem_import(card, dmabuf, &handle) || gem_destroy(card, handle))
		bail("importing");
}

static __u64 cpu_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return now.tv_sec * 1000000000ULL + now.tv_nsec;
}

/* An agent with a buffer; it waits for grace periods, which are not counted. */
static double remove_agents(void)
{
	__u64 begin, all = 0, id;
	int i;

	for (i = 0; i < REMOVALS; i++) {
		if (swarm_cmd("create_agent %d", REMOVED) ||
		    swarm_allocate(REMOVED, 4096, bench_device, &id))
			bail("an agent with a buffer");
		begin = cpu_now();
		if (swarm_cmd("remove_agent %d", REMOVED))
			bail("removing it");
		all += cpu_now() - begin;
	}
	return (double)all / REMOVALS;
}

static double read_row(const char *file)
{
	char path[64];
	long rows;

	snprintf(path, sizeof(path), SWARM_DIR "%s", file);
	bench_read(path, &rows);
	return bench_read(path, &rows) / rows;
}

static struct costs measure(const char *file)
{
	struct costs costs;

	bench_op(open_close, COUNT);
	costs.open = bench_op(open_close, COUNT);
	bench_op(bench_live, COUNT);
	costs.life = bench_op(bench_live, COUNT);
	bench_op(import, COUNT);
	costs.import = bench_op(import, COUNT);
	remove_agents();
	costs.remove = remove_agents();
	costs.row = read_row(file);
	return costs;
}

static void grows(double few, double many, const char *what)
{
	note("%s: %.0f with few, %.0f with many", what, few, many);
	ok(many <= few * MOST, "%s takes at most %g times as much", what, MOST);
}

static void compare(const struct costs *few, const struct costs *many, const char *file)
{
	grows(few->open, many->open, "open and close");
	grows(few->life, many->life, "a buffer's life");
	grows(few->import, many->import, "an import");
	grows(few->row, many->row, file);
}

static int root_of(int n)
{
	int root = 1;

	while ((root + 1) * (root + 1) <= n)
		root++;
	return root;
}

static void test_attachments(const struct client *c)
{
	int root = root_of(scaled(MANY));
	struct costs few, many;

	is_errno(client_call(c, do_attach, FEW, 0), 0, "few attachments");
	is(life_rows("attachments"), FEW * FEW, "are there");
	few = measure("attachments");
	is_errno(client_call(c, do_attach, root, 0), 0, "many attachments");
	is(life_rows("attachments"), root * root, "are there: %d", root * root);
	many = measure("attachments");
	compare(&few, &many, "a row of attachments");
	client_call(c, do_drop, 0, 0);
}

static void test_contexts(const struct client *c)
{
	struct costs few, many;
	int count = scaled(MANY) / 2;

	is_errno(client_call(c, do_files, FEW * FEW, 0), 0, "few contexts");
	few = measure("contexts");
	is_errno(client_call(c, do_files, count, 0), 0, "many contexts");
	ok(life_rows("contexts") >= count, "are there: %d", count);
	many = measure("contexts");
	compare(&few, &many, "a row of contexts");
	grows(few.remove, many.remove, "remove_agent");
	client_call(c, do_drop, 0, 0);
}

static void prepare(void)
{
	const struct rlimit limit = { .rlim_cur = 2 * MANY, .rlim_max = 2 * MANY };
	char link[32];

	if (setrlimit(RLIMIT_NOFILE, &limit))
		bail("raising the number of files");
	bench_source = SOURCE_VGEM;
	if (!source_open(SOURCE_VGEM))
		skip_all("no vgem");
	card = gem_open("vgem");
	snprintf(link, sizeof(link), "/proc/self/fd/%d", card);
	if (card < 0 || readlink(link, vgem_path, sizeof(vgem_path) - 1) < 0)
		bail("no vgem");
	bench_insert("");
	bench_find_device();
	if (make_dmabuf(&dmabuf))
		bail("a buffer of virtio-gpu");
}

int main(void)
{
	struct client c;

	if (on_debug_kernel())
		skip_all("this kernel's checks count as the module's instructions");
	prepare();
	client_start(&c);
	swarm_cmd("create_agent %d", AGENT);
	is_errno(swarm_cmd("bind %d pid:%d", AGENT, c.pid), 0, "a tenant");
	test_attachments(&c);
	test_contexts(&c);
	client_stop(&c, 0);
	close(dmabuf);
	close(card);
	bench_remove("gpu_dma_lock");
	return tap_done();
}
