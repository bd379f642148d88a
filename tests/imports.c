// SPDX-License-Identifier: GPL-2.0-only
/*
 * A buffer of one GPU imported into another: it stays one buffer, charged once,
 * with one attachment that tells who imports it, until the last of all that
 * holds it is gone, in whatever order.
 *
 * vm: --load --mem 512 --timeout 200
 */
#define _GNU_SOURCE
#include <sys/mman.h>
#include <sys/utsname.h>

#include "client.h"
#include "gem.h"
#include "life.h"
#include "source.h"
#include "swarm.h"
#include "trace.h"

#define SIZE	(20 * 4096)
#define ROUNDS	scaled(10000)
#define AGENT	5

/* What holds a buffer that is imported; DMABUF_MAP is the dma-buf's, in memory. */
enum holder { HANDLE, DMABUF, IMPORTED, CARD, IMPORTER, DMABUF_MAP, NR_HOLDERS };

struct pair {
	const char *from, *to;
	bool newest_only;
};

static const struct pair pairs[] = {
	{ "virtio_gpu", "vgem", false },
	{ "vgem", "bochs-drm", true },
	{ "virtio_gpu", "bochs-drm", true },
	{ "bochs-drm", "vgem", true },
};

struct shared {
	bool holds[NR_HOLDERS];
	int card, importer, fd;
	__u32 handle, imported;
	void *map;
};

static int kernel_major(void)
{
	struct utsname uts;

	return uname(&uts) ? 0 : atoi(uts.release);
}

/* Counts the calls of dma_buf_map_attachment() without the module's help. */
static void count_mappings(void)
{
	trace_write("kprobe_events", "r:tests/mapped dma_buf_map_attachment");
	trace_write("events/tests/mapped/enable", "1");
}

static long mappings(void)
{
	FILE *f = fopen(TRACE_DIR "kprobe_profile", "r");
	long n = -1;

	if (!f || fscanf(f, " mapped %ld", &n) != 1)
		bail("no profile of the probe");
	fclose(f);
	return n;
}

static int share(const struct pair *pair, struct shared *s)
{
	int err;

	memset(s, 0, sizeof(*s));
	s->card = gem_open(pair->from);
	s->importer = gem_open(pair->to);
	err = gem_create(s->card, SIZE, &s->handle);
	if (!err)
		err = gem_export(s->card, s->handle, &s->fd);
	if (!err)
		err = gem_import(s->importer, s->fd, &s->imported);
	if (!err) {
		s->map = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, s->fd, 0);
		err = s->map == MAP_FAILED ? errno : 0;
	}
	if (!err)
		memset(s->holds, true, sizeof(s->holds));
	return err;
}

/* A card that is closed takes its handles along. */
static void drop(struct shared *s, enum holder holder)
{
	if (holder == HANDLE && s->holds[CARD])
		gem_destroy(s->card, s->handle);
	else if (holder == IMPORTED && s->holds[IMPORTER])
		gem_destroy(s->importer, s->imported);
	else if (holder == DMABUF)
		close(s->fd);
	else if (holder == CARD)
		close(s->card);
	else if (holder == IMPORTER)
		close(s->importer);
	else if (holder == DMABUF_MAP)
		munmap(s->map, SIZE);
	s->holds[holder] = false;
}

static bool is_attached(const struct shared *s)
{
	return s->holds[IMPORTED] && s->holds[IMPORTER];
}

static bool is_alive(const struct shared *s)
{
	return (s->holds[HANDLE] && s->holds[CARD]) || s->holds[DMABUF] ||
	       s->holds[DMABUF_MAP] || is_attached(s);
}

/* Whether the tables say what must be of the one buffer there is. */
static bool is_as_held(const void *arg)
{
	const struct shared *s = arg;
	struct swarm_table buffers, attachments;
	bool pass;

	swarm_load(&buffers, "allocations");
	swarm_load(&attachments, "attachments");
	pass = buffers.rows == is_alive(s) && attachments.rows == is_attached(s);
	if (pass && is_alive(s))
		pass = swarm_u64(&buffers, 0, "SIZE") == SIZE &&
		       swarm_u64(&buffers, 0, "ATTACHMENTS") == is_attached(s) &&
		       swarm_get("agents", "ID", 0, "USED") == SIZE;
	if (pass && is_attached(s))
		pass = swarm_u64(&attachments, 0, "BUFFER") == swarm_u64(&buffers, 0, "ID");
	swarm_unload(&buffers);
	swarm_unload(&attachments);
	return pass;
}

static bool close_in_order(const struct pair *pair, const enum holder *order)
{
	struct shared s;
	int i, j;

	if (share(pair, &s))
		bail("sharing again");
	for (i = 0; i < NR_HOLDERS; i++) {
		if (!is_as_held(&s))
			break;
		drop(&s, order[i]);
		/* A driver may free a buffer a moment later. */
		if (!swarm_wait(is_as_held, &s, LIFE_SECONDS))
			break;
	}
	if (i == NR_HOLDERS)
		return true;
	for (j = 0; j < NR_HOLDERS; j++)
		note("order %d: %d%s", j, order[j], j == i ? " <- then not as held" : "");
	for (; i < NR_HOLDERS; i++)
		if (s.holds[order[i]])
			drop(&s, order[i]);
	return false;
}

/* The next permutation in lexical order; false after the last. */
static bool permute(enum holder *order, int n)
{
	enum holder swap;
	int i = n - 2, j = n - 1;

	while (i >= 0 && order[i] > order[i + 1])
		i--;
	if (i < 0)
		return false;
	while (order[j] < order[i])
		j--;
	swap = order[i];
	order[i] = order[j];
	order[j] = swap;
	for (i++, j = n - 1; i < j; i++, j--) {
		swap = order[i];
		order[i] = order[j];
		order[j] = swap;
	}
	return true;
}

/*
 * All orders of all but the map, which is closed at another place each time: with
 * it they would be 720.
 */
static void test_orders(const struct pair *pair)
{
	enum holder some[DMABUF_MAP], order[NR_HOLDERS];
	int i, place, wrong = 0, orders = 0;

	for (i = 0; i < DMABUF_MAP; i++)
		some[i] = i;
	do {
		place = orders++ % NR_HOLDERS;
		memcpy(order, some, place * sizeof(*order));
		order[place] = DMABUF_MAP;
		memcpy(order + place + 1, some + place, (DMABUF_MAP - place) * sizeof(*order));
		wrong += !close_in_order(pair, order);
	} while (wrong < 3 && permute(some, DMABUF_MAP));
	is(wrong, 0, "%s to %s: right after each step of %d orders of closing", pair->from,
	   pair->to, orders);
	life_nothing_left(0, "after all orders");
}

/* The name in `devices` of the row with that driver */
static void device_name(const char *driver, char *name, size_t size)
{
	struct swarm_table t;
	long row;

	swarm_load(&t, "devices");
	row = swarm_find(&t, 0, "DRIVER", driver);
	snprintf(name, size, "%s", row < 0 ? "none" : swarm_cell(&t, row, "NAME"));
	swarm_unload(&t);
}

/* @mapped: how many mappings the kernel made */
static void test_row(const struct pair *pair, long mapped)
{
	struct swarm_table buffers, t;
	char name[64];

	device_name(pair->to, name, sizeof(name));
	swarm_load(&buffers, "allocations");
	swarm_load(&t, "attachments");
	is(buffers.rows, 1, "%s to %s: one buffer", pair->from, pair->to);
	if (is(t.rows, 1, "import: and one attachment")) {
		is(swarm_u64(&buffers, 0, "DEVICE"), swarm_device(pair->from),
		   "import: the buffer is the exporting device's");
		is(swarm_u64(&t, 0, "BUFFER"), swarm_u64(&buffers, 0, "ID"), "import: BUFFER");
		is(swarm_u64(&t, 0, "OWNER"), 0, "import: OWNER");
		is(swarm_u64(&t, 0, "AGENT"), 0, "import: AGENT");
		is_str(swarm_cell(&t, 0, "IMPORTER_DEVICE"), name, "import: IMPORTER_DEVICE");
		is(swarm_u64(&t, 0, "PID"), getpid(), "import: PID");
		is_str(swarm_cell(&t, 0, "COMM"), "imports", "import: COMM");
		is(swarm_u64(&t, 0, "MAPPED"), mapped, "import: MAPPED is what the kernel did");
		is_str(swarm_cell(&t, 0, "DIRECTION"), mapped ? "bidirectional" : "-",
		       "import: DIRECTION");
		is(swarm_u64(&t, 0, "P2P"), 0, "import: P2P");
		ok(swarm_u64(&t, 0, "AGE_MS") < 60000, "import: AGE_MS");
	}
	swarm_unload(&buffers);
	swarm_unload(&t);
	is(swarm_stat("charged_bytes"), SIZE, "import: charged once");
	swarm_add_up("with an import");
}

static void test_pair(const struct pair *pair)
{
	long before = mappings();
	struct shared s;
	int err, i;

	err = share(pair, &s);
	if (err && pair->newest_only && kernel_major() < 7) {
		skip("%s to %s: %s", pair->from, pair->to, strerror(err));
		close(s.importer);
		close(s.card);
		if (s.fd)
			close(s.fd);
		life_nothing_left(0, "after an import that failed");
		return;
	}
	is_errno(err, 0, "%s to %s: imported", pair->from, pair->to);
	if (err)
		return;
	test_row(pair, mappings() - before);
	for (i = 0; i < NR_HOLDERS; i++)
		drop(&s, i);
	life_nothing_left(0, "after one import");
	test_orders(pair);
}

/* Its own driver gives the object back: nothing is attached, nothing is new. */
static void test_self_import(void)
{
	long long created = swarm_stat("buffers_created");
	int card = gem_open("virtio_gpu"), other = gem_open("virtio_gpu"), fd;
	__u32 handle, again;

	if (gem_create(card, SIZE, &handle) || gem_export(card, handle, &fd))
		bail("creating");
	is_errno(gem_import(other, fd, &again), 0, "self-import: imported by its own driver");
	is(life_rows("allocations"), 1, "self-import: it is one buffer");
	is(life_rows("attachments"), 0, "self-import: nobody is attached");
	is(swarm_stat("buffers_created") - created, 1, "self-import: one was created");
	close(card);
	close(fd);
	is(life_rows("allocations"), 1, "self-import: the importer's handle keeps it");
	close(other);
	life_nothing_left(0, "after a self-import");
}

/* Imported twice by one open file it is one attachment; by two it is two. */
static void test_twice(void)
{
	struct shared s;
	__u32 again;
	int other;

	if (share(&pairs[0], &s))
		bail("sharing");
	is_errno(gem_import(s.importer, s.fd, &again), 0,
		 "imported twice: imported again by the same file");
	is(again, s.imported, "imported twice: as the same handle");
	is(life_rows("attachments"), 1, "imported twice: there is one attachment");
	other = gem_open("vgem");
	is_errno(gem_import(other, s.fd, &again), 0,
		 "imported twice: imported by another open of the card");
	is(life_rows("attachments"), 2, "imported twice: there are two attachments");
	is(life_rows("allocations"), 1, "imported twice: of one buffer");
	is(swarm_stat("charged_bytes"), SIZE, "imported twice: charged once");
	close(other);
	is(life_rows("attachments"), 1, "imported twice: one is gone with its file");
	close(s.importer);
	is(life_rows("attachments"), 0, "imported twice: so is the other");
	munmap(s.map, SIZE);
	close(s.fd);
	close(s.card);
	life_nothing_left(0, "after several imports");
}

static long run_import(long fd, long unused)
{
	int card = gem_open("vgem");
	__u32 handle;

	(void)unused;
	prctl(PR_SET_NAME, "importer");
	return gem_import(card, fd, &handle);
}

/* The attachment is the importer's, the charge stays the exporter's. */
static void test_agents(void)
{
	struct swarm_table t;
	struct client c;
	__u32 handle;
	int card = gem_open("virtio_gpu"), fd;

	if (gem_create(card, SIZE, &handle) || gem_export(card, handle, &fd))
		bail("creating");
	client_start(&c);
	swarm_cmd("create_agent %d", AGENT);
	is_errno(swarm_cmd("bind %d pid:%d", AGENT, c.pid), 0,
		 "import by another agent: a process of agent %d", AGENT);
	is_errno(client_call(&c, run_import, fd, 0), 0,
		 "import by another agent: imports a buffer of agent 0");
	swarm_load(&t, "attachments");
	is(t.rows, 1, "import by another agent: one attachment");
	is(swarm_u64(&t, 0, "OWNER"), 0, "import by another agent: whose OWNER is agent 0");
	is(swarm_u64(&t, 0, "AGENT"), AGENT, "import by another agent: whose AGENT is %d", AGENT);
	is(swarm_u64(&t, 0, "PID"), c.pid, "import by another agent: and PID the importer");
	is_str(swarm_cell(&t, 0, "COMM"), "importer", "import by another agent: and COMM");
	swarm_unload(&t);
	is(swarm_get("agents", "ID", AGENT, "USED"), 0,
	   "import by another agent: the importer is not charged");
	is(swarm_get("agents", "ID", 0, "USED"), SIZE, "import by another agent: the exporter is");
	is_errno(swarm_cmd("remove_agent %d", AGENT), 0,
		 "import by another agent: agent %d is removed", AGENT);
	is(life_rows("attachments"), 1, "import by another agent: the attachment stays");
	is(swarm_get("attachments", "PID", c.pid, "AGENT"), 0,
	   "import by another agent: as agent 0's");
	close(fd);
	close(card);
	is(life_rows("allocations"), 1, "import by another agent: the importer keeps the buffer");
	client_stop(&c, SIGKILL);
	life_nothing_left(0, "after the importer was killed");
}

/* Buffers of no GPU, imported into one. */
static void test_deviceless(enum source_id source)
{
	int card = gem_open("vgem"), fd;
	struct swarm_table t;
	__u32 handle;
	int err;

	if (!source_open(source)) {
		skip("no %s", source_names[source]);
		close(card);
		return;
	}
	if (source_make(source, SIZE))
		bail("making a buffer of %s", source_names[source]);
	fd = source_stacks[source].buffer[0];
	err = gem_import(card, fd, &handle);
	is_errno(err, 0, "%s to vgem: imported", source_names[source]);
	swarm_load(&t, "allocations");
	is(t.rows, 1, "import of no GPU's: one buffer");
	is_str(swarm_cell(&t, 0, "DEVICE"), "-", "import of no GPU's: of no device");
	is_str(swarm_cell(&t, 0, "KIND"), "dmabuf", "import of no GPU's: KIND");
	is_str(swarm_cell(&t, 0, "EXPORTER"), source_names[source], "import of no GPU's: EXPORTER");
	is(swarm_u64(&t, 0, "ATTACHMENTS"), 1, "import of no GPU's: with one attachment");
	swarm_unload(&t);
	swarm_add_up("with a buffer of no device");
	source_drop(source);
	is(life_rows("allocations"), 1, "import of no GPU's: the importer keeps it");
	close(card);
	if (source == SOURCE_VIVID)
		close(source_stacks[source].device);
	life_nothing_left(0, "after it");
}

static void test_rounds(void)
{
	long long created = swarm_stat("buffers_created");
	time_t start = time(NULL);
	int card = gem_open("virtio_gpu"), importer = gem_open("vgem"), fd = -1, i;
	__u32 handle, imported = 0;

	for (i = 0; i < ROUNDS; i++) {
		if (gem_create(card, 4096, &handle) || gem_export(card, handle, &fd) ||
		    gem_import(importer, fd, &imported))
			bail("round %d", i);
		/* In three orders */
		if (i % 3 == 0)
			close(fd);
		gem_destroy(card, handle);
		if (i % 3 == 1)
			close(fd);
		gem_destroy(importer, imported);
		if (i % 3 == 2)
			close(fd);
	}
	note("%d rounds took %ld s", ROUNDS, time(NULL) - start);
	life_nothing_left(2, "after 10,000 rounds");
	is(swarm_stat("buffers_created") - created, ROUNDS, "rounds: as many buffers were created");
	is(swarm_stat("buffers_created"), swarm_stat("buffers_freed"), "rounds: and freed");
	close(card);
	close(importer);
}

int main(void)
{
	size_t i;

	count_mappings();
	for (i = 0; i < sizeof(pairs) / sizeof(*pairs); i++)
		test_pair(&pairs[i]);
	test_self_import();
	test_twice();
	test_agents();
	test_deviceless(SOURCE_UDMABUF);
	test_deviceless(SOURCE_HEAP);
	test_rounds();
	life_nothing_left(0, "at the end");
	swarm_add_up("at the end");
	return tap_done();
}
