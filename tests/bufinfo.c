// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every dma-buf of debugfs dma_buf/bufinfo is in `allocations`, with the same
 * size, exporter, inode and attached devices, and the reverse, while clients do
 * whatever clients do, for a minute. They are stopped for each comparison.
 *
 * vm: --load --mem 768 --timeout 300
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#include "client.h"
#include "gem.h"
#include "life.h"
#include "source.h"
#include "swarm.h"

#define BUFINFO		"/sys/kernel/debug/dma_buf/bufinfo"
#define SECONDS		(5 + scaled(55))
#define LATE_SECONDS	120	/* more at most, where a machine is slow */
#define NR_CLIENTS	2
#define MOST		4096	/* dma-bufs at a time */
#define HELD		48	/* dma-bufs, maps and handles of one client */
#define SETTLE_SECONDS	30

/* One dma-buf in words: what both sides must say of it. */
struct list {
	char *line[MOST];
	int count;
};

enum action {
	CREATE, EXPORT, IMPORT, DUP, PASS, RECEIVE, MAP, UNMAP, CLOSE, DESTROY, FOREIGN, REOPEN,
	FORK, EXIT, KILL, NR_ACTIONS
};

/* How often each is picked, of 1000 */
static const int weights[NR_ACTIONS] = {
	[CREATE] = 170, [EXPORT] = 170, [IMPORT] = 130, [DUP] = 60, [PASS] = 60, [RECEIVE] = 60,
	[MAP] = 60, [UNMAP] = 50, [CLOSE] = 120, [DESTROY] = 60, [FOREIGN] = 42, [REOPEN] = 6,
	[FORK] = 8, [EXIT] = 2, [KILL] = 2,
};

static const char * const drivers[] = { "vgem", "virtio_gpu", "bochs-drm" };

#define NR_CARDS	((int)(sizeof(drivers) / sizeof(*drivers)))

static struct {
	int card[NR_CARDS];
	__u32 handle[NR_CARDS][HELD];
	int fd[HELD];
	void *map[HELD];
} held;

/* Shared with the clients: what they did */
static struct counts {
	long done[NR_ACTIONS];
	long imports[NR_CARDS];
} *counts;

static __u64 random_state;
static int wire[NR_CLIENTS][2];	/* a socket from client 0 to client 1, and one back */

static unsigned int pick(unsigned int below)
{
	/* Marsaglia's xorshift64 */
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (random_state >> 11) % below;
}

static enum action pick_action(void)
{
	int n = pick(1000), action = 0;

	while (n >= weights[action])
		n -= weights[action++];
	return action;
}

static void keep_fd(int fd)
{
	int slot = pick(HELD);

	if (fd < 0)
		return;
	if (held.fd[slot] > 0)
		close(held.fd[slot]);
	held.fd[slot] = fd;
}

static int any_fd(void)
{
	int i, slot = pick(HELD);

	for (i = 0; i < HELD; i++)
		if (held.fd[(slot + i) % HELD] > 0)
			return (slot + i) % HELD;
	return 0;
}

static __u32 *any_handle(int card)
{
	int i, slot = pick(HELD);

	for (i = 0; i < HELD; i++)
		if (held.handle[card][(slot + i) % HELD])
			return &held.handle[card][(slot + i) % HELD];
	return &held.handle[card][0];
}

static void keep_handle(int card, __u32 handle)
{
	__u32 *slot = &held.handle[card][pick(HELD)];

	/* An import may have given a handle that is held already. */
	if (*slot && *slot != handle)
		gem_destroy(held.card[card], *slot);
	*slot = handle;
}

static void open_card(int card)
{
	if (held.card[card] > 0)
		close(held.card[card]);
	held.card[card] = gem_open(drivers[card]);
	memset(held.handle[card], 0, sizeof(held.handle[card]));
}

static bool do_foreign(void)
{
	enum source_id source = pick(2) ? SOURCE_UDMABUF : SOURCE_HEAP;
	struct source_stack *s = &source_stacks[source];

	if (source_make(source, 4096 * (1 + pick(8))))
		return false;
	keep_fd(s->buffer[--s->count]);
	return true;
}

static bool do_map(void)
{
	void **map = &held.map[pick(HELD)];
	int slot = any_fd();

	if (*map)
		munmap(*map, 4096);
	*map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, held.fd[slot], 0);
	if (*map == MAP_FAILED)
		*map = NULL;
	return *map;
}

static bool do_unmap(void)
{
	void **map = &held.map[pick(HELD)];

	if (!*map)
		return false;
	munmap(*map, 4096);
	*map = NULL;
	return true;
}

/* A child that holds all that its parent does, for a while. */
static bool do_fork(void)
{
	pid_t child = fork();

	if (!child) {
		usleep(1000 * pick(500));
		if (pick(2))
			kill(getpid(), SIGKILL);
		_exit(0);
	}
	return child > 0;
}

static bool do_gem(enum action action)
{
	int card = pick(NR_CARDS), fd = -1;
	__u32 *slot = any_handle(card), handle = 0;

	if (held.card[card] < 0)
		return false;
	if (action == CREATE) {
		if (gem_create(held.card[card], 4096 * (1 + pick(16)), &handle))
			return false;
		keep_handle(card, handle);
		return true;
	}
	if (action == IMPORT) {
		if (gem_import(held.card[card], held.fd[any_fd()], &handle))
			return false;
		keep_handle(card, handle);
		__atomic_add_fetch(&counts->imports[card], 1, __ATOMIC_RELAXED);
		return true;
	}
	if (!*slot)
		return false;
	if (action == EXPORT) {
		if (gem_export(held.card[card], *slot, &fd))
			return false;
		keep_fd(fd);
		return true;
	}
	gem_destroy(held.card[card], *slot);
	*slot = 0;
	return true;
}

static bool act(enum action action, int out, int in)
{
	int slot, fd;

	switch (action) {
	case DUP:
		fd = dup(held.fd[any_fd()]);
		keep_fd(fd);
		return fd >= 0;
	case PASS:
		slot = any_fd();
		return held.fd[slot] > 0 && !client_send_fd(out, held.fd[slot]);
	case RECEIVE:
		fd = client_receive_fd(in);
		keep_fd(fd);
		return fd >= 0;
	case CLOSE:
		slot = any_fd();
		if (held.fd[slot] <= 0)
			return false;
		close(held.fd[slot]);
		held.fd[slot] = 0;
		return true;
	case MAP:
		return do_map();
	case UNMAP:
		return do_unmap();
	case FOREIGN:
		return do_foreign();
	case REOPEN:
		open_card(pick(NR_CARDS));
		return true;
	case FORK:
		return do_fork();
	case EXIT:
		_exit(0);
	case KILL:
		kill(getpid(), SIGKILL);
		return true;
	default:
		return do_gem(action);
	}
}

static void be_client(int number, int out, int in)
{
	enum action action;
	int i;

	prctl(PR_SET_NAME, number ? "client 1" : "client 0");
	for (i = 0; i < NR_CARDS; i++)
		open_card(i);
	for (;;) {
		action = pick_action();
		if (action == EXIT || action == KILL)
			__atomic_add_fetch(&counts->done[action], 1, __ATOMIC_RELAXED);
		if (act(action, out, in))
			__atomic_add_fetch(&counts->done[action], 1, __ATOMIC_RELAXED);
	}
}

static pid_t start_client(int number, pid_t group)
{
	__u64 seed = pick(1u << 30) + 1;
	pid_t pid = fork();

	if (!pid) {
		random_state = seed;
		setpgid(0, group);
		be_client(number, wire[number][0], wire[!number][1]);
	}
	setpgid(pid, group ? group : pid);
	return pid;
}

/* Comparison */

static void add(struct list *l, const char *text)
{
	if (l->count < MOST)
		l->line[l->count++] = strdup(text);
}

static void empty(struct list *l)
{
	while (l->count)
		free(l->line[--l->count]);
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char * const *)a, *(char * const *)b);
}

static void sort(struct list *l)
{
	qsort(l->line, l->count, sizeof(*l->line), by_text);
}

/* Appends the names, in order. */
static void append(char *text, size_t size, struct list *names)
{
	int i;

	sort(names);
	for (i = 0; i < names->count; i++) {
		strncat(text, " ", size - strlen(text) - 1);
		strncat(text, names->line[i], size - strlen(text) - 1);
	}
	empty(names);
}

/* What the kernel says */
static void read_bufinfo(struct list *l)
{
	static struct list devices;
	char line[512], text[1024] = "", name[64];
	FILE *f = fopen(BUFINFO, "r");
	unsigned long long size, inode;
	bool listing = false;

	if (!f)
		bail("opening %s", BUFINFO);
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%llu %*x %*x %*u %63s %llu", &size, name, &inode) == 3) {
			snprintf(text, sizeof(text), "inode %llu size %llu exporter %s devices",
				 inode, size, name);
		} else if (strstr(line, "Attached Devices:")) {
			listing = true;
		} else if (listing && !strncmp(line, "Total ", 6)) {
			append(text, sizeof(text), &devices);
			add(l, text);
			listing = false;
		} else if (listing && sscanf(line, " %63s", name) == 1) {
			add(&devices, name);
		}
	}
	fclose(f);
	sort(l);
}

/* What the module says */
static void read_tables(struct list *l)
{
	static struct list devices;
	struct swarm_table buffers, attachments;
	char text[1024];
	long row, at;
	int known = 0;

	swarm_load(&buffers, "allocations");
	swarm_load(&attachments, "attachments");
	for (row = 0; row < buffers.rows; row++) {
		if (*swarm_cell(&buffers, row, "INODE") == '-')
			continue;
		at = -1;
		while ((at = swarm_find_u64(&attachments, at + 1, "BUFFER",
					    swarm_u64(&buffers, row, "ID"))) >= 0)
			add(&devices, swarm_cell(&attachments, at, "IMPORTER_DEVICE"));
		known += devices.count;
		snprintf(text, sizeof(text), "inode %s size %s exporter %s devices",
			 swarm_cell(&buffers, row, "INODE"), swarm_cell(&buffers, row, "SIZE"),
			 swarm_cell(&buffers, row, "EXPORTER"));
		if ((int)swarm_u64(&buffers, row, "ATTACHMENTS") != devices.count)
			strcat(text, " (but ATTACHMENTS is another)");
		append(text, sizeof(text), &devices);
		add(l, text);
	}
	if (known != attachments.rows)
		add(l, "an attachment of no dma-buf");
	swarm_unload(&buffers);
	swarm_unload(&attachments);
	sort(l);
}

/* Notes what only one of them has; both are in order. */
static void note_difference(const struct list *a, const struct list *b)
{
	int i = 0, j = 0, order, noted = 0;

	while ((i < a->count || j < b->count) && noted < 20) {
		if (i < a->count && j < b->count)
			order = strcmp(a->line[i], b->line[j]);
		else
			order = i < a->count ? -1 : 1;
		if (order) {
			note("only in %s: %s", order < 0 ? "bufinfo" : "allocations",
			     order < 0 ? a->line[i] : b->line[j]);
			noted++;
		}
		i += order <= 0;
		j += order >= 0;
	}
}

static bool same(const struct list *a, const struct list *b)
{
	int i;

	for (i = 0; i < a->count && i < b->count; i++)
		if (strcmp(a->line[i], b->line[i]))
			return false;
	return a->count == b->count;
}

/* Releases may still be on their way when the clients have stopped. Returns how many there are. */
static int compare(bool *pass)
{
	time_t end = time(NULL) + SETTLE_SECONDS;
	struct list theirs = { .count = 0 }, ours = { .count = 0 };
	int count;

	for (;;) {
		read_bufinfo(&theirs);
		read_tables(&ours);
		*pass = same(&theirs, &ours);
		if (*pass || time(NULL) > end)
			break;
		empty(&theirs);
		empty(&ours);
		usleep(20000);
	}
	if (!*pass)
		note_difference(&theirs, &ours);
	count = theirs.count;
	empty(&theirs);
	empty(&ours);
	return count;
}

struct run {
	pid_t group;		/* of an idle process that keeps it alive */
	pid_t client[NR_CLIENTS];
	int comparisons, differ, most, attached;
};

/* Reaps who ended, also clients' children, and starts clients anew. */
static void revive(struct run *r)
{
	pid_t pid;
	int i;

	while ((pid = waitpid(-1, NULL, WNOHANG)) > 0)
		for (i = 0; i < NR_CLIENTS; i++)
			if (pid == r->client[i])
				r->client[i] = start_client(i, r->group);
}

static void stop_and_compare(struct run *r)
{
	bool pass;
	int count;

	kill(-r->group, SIGSTOP);
	count = compare(&pass);
	r->comparisons++;
	r->differ += !pass;
	if (count > r->most)
		r->most = count;
	r->attached += life_rows("attachments");
	kill(-r->group, SIGCONT);
}

/* Whether the clients did each thing they can do. */
static bool all_done(void)
{
	bool foreign = source_open(SOURCE_UDMABUF);
	int i;

	for (i = 0; i < NR_ACTIONS; i++)
		if (!counts->done[i] && (i != FOREIGN || foreign))
			return false;
	return true;
}

static bool seen_enough(const struct run *r)
{
	return all_done() && r->attached > 0 && r->most > 0 && r->comparisons > SECONDS / 2;
}

static void run(struct run *r)
{
	time_t end = time(NULL) + SECONDS, last = end + LATE_SECONDS;
	int i, ms;

	r->group = fork();
	if (!r->group)
		for (;;)
			pause();
	setpgid(r->group, r->group);
	for (i = 0; i < NR_CLIENTS; i++)
		r->client[i] = start_client(i, r->group);
	while (r->differ < 3 && (time(NULL) < end || (!seen_enough(r) && time(NULL) < last))) {
		for (ms = 100 + pick(400); ms > 0; ms -= 20) {
			usleep(20000);
			revive(r);
		}
		stop_and_compare(r);
	}
	kill(-r->group, SIGKILL);
	while (wait(NULL) > 0 || errno == EINTR)
		;
}

static void report(const struct run *r)
{
	static const char * const names[NR_ACTIONS] = {
		"create", "export", "import", "dup", "pass", "receive", "mmap", "munmap", "close",
		"destroy", "foreign", "reopen", "fork", "exit", "SIGKILL",
	};
	int i;

	note("%d comparisons, at most %d dma-bufs, %d attachments seen", r->comparisons, r->most,
	     r->attached);
	for (i = 0; i < NR_ACTIONS; i++)
		note("%-8s %ld", names[i], counts->done[i]);
	ok(all_done(), "the clients did each thing they can do");
	ok(r->attached > 0 && r->most > 0, "there were dma-bufs and attachments to compare");
}

/*
 * With CONFIG_DMA_API_DEBUG: a dma-heap's buffer that two clients have imported into one
 * device is mapped twice, which that warns of. It does not any more when this is 0.
 */
static void allow_mapping_twice(void)
{
	int fd = open("/sys/kernel/debug/dma-api/num_errors", O_WRONLY | O_CLOEXEC);

	if (fd >= 0 && write(fd, "0", 1) != 1)
		bail("writing dma-api/num_errors");
	close(fd);
}

int main(int argc, char **argv)
{
	struct run r = { .comparisons = 0 };
	int i;

	random_state = argc > 1 ? strtoull(argv[1], NULL, 0) : (__u64)time(NULL) << 20 ^ getpid();
	note("seed %llu (an argument of this program)", random_state);
	allow_mapping_twice();
	counts = mmap(NULL, sizeof(*counts), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		      -1, 0);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	for (i = 0; i < NR_CLIENTS; i++)
		if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, wire[i]))
			bail("socketpair");
	run(&r);
	report(&r);
	ok(r.comparisons > SECONDS / 2, "%d comparisons in %d s", r.comparisons, SECONDS);
	is(r.differ, 0, "bufinfo and allocations never differ");
	swarm_add_up("with what is still in flight over a socket");
	for (i = 0; i < NR_CLIENTS; i++) {
		close(wire[i][0]);
		close(wire[i][1]);
	}
	life_nothing_left(0, "at the end");
	return tap_done();
}
