// SPDX-License-Identifier: GPL-2.0-only
/*
 * 100,000 ledger buffers: a listing has each exactly once while another
 * process allocates and frees without pause, read in pieces of any size.
 *
 * vm: --load --mem 1024 --timeout 300
 */
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "swarm.h"

#define AGENT		5
#define CHURN		6
#define FEW		500
#define MOST		100000
#define MANY		(scaled(MOST) > 2 * FEW ? scaled(MOST) : 2 * FEW)
#define BATCH		2000	/* commands a write: within the 64 KiB that one takes */
#define CHURN_BATCH	50

static __u64 device;
static __u64 ids[MOST];
static long allocated;

/* Numbers of the results, one line a command, of what was written to @fd. */
static long read_ids(int fd, __u64 *id, long room)
{
	size_t len;
	char *text = swarm_slurp(fd, 1 << 16, &len), *line, *next;
	long n = 0;

	if (!text)
		bail("reading results");
	for (line = text; *line && n < room; line = next) {
		next = strchr(line, '\n');
		next = next ? next + 1 : line + strlen(line);
		id[n++] = swarm_result(line);
	}
	free(text);
	return n;
}

static long allocate_some(__u64 agent, long count, __u64 *id)
{
	static char text[BATCH * 32];
	int fd = swarm_open("control", O_RDWR);
	size_t len = 0;
	long i;

	for (i = 0; i < count; i++)
		len += sprintf(text + len, "allocate %llu 4096 %llu\n", agent, device);
	if (fd < 0 || write(fd, text, len) != (ssize_t)len)
		bail("allocating %ld buffers of agent %llu", count, agent);
	i = read_ids(fd, id, count);
	close(fd);
	return i;
}

static void allocate_up_to(long count)
{
	while (allocated < count) {
		long n = count - allocated < BATCH ? count - allocated : BATCH;

		if (allocate_some(AGENT, n, ids + allocated) != n)
			bail("not one result a command");
		allocated += n;
	}
}

static void churn(void)
{
	char text[CHURN_BATCH * 32];
	__u64 id[CHURN_BATCH];
	size_t len;
	long i;

	for (;;) {
		if (allocate_some(CHURN, CHURN_BATCH, id) != CHURN_BATCH)
			_exit(1);
		for (len = 0, i = 0; i < CHURN_BATCH; i++)
			len += sprintf(text + len, "free %llu\n", id[i]);
		if (swarm_write("control", text))
			_exit(2);
	}
}

static int compare(const void *a, const void *b)
{
	__u64 x = *(const __u64 *)a, y = *(const __u64 *)b;

	return x < y ? -1 : x > y;
}

/* Every allocated id exactly once, no other of this agent; other rows are the churn's. */
static void check_listing(const char *what, size_t chunk)
{
	struct swarm_table t;
	char *seen = calloc(allocated, 1);
	long row, mine = 0, twice = 0, unknown = 0, others = 0;
	__u64 id, *found;

	swarm_parse(&t, swarm_read_by("allocations", chunk));
	for (row = 0; row < t.rows; row++) {
		if (swarm_u64(&t, row, "AGENT") != AGENT) {
			others++;
			continue;
		}
		mine++;
		id = swarm_u64(&t, row, "ID");
		found = bsearch(&id, ids, allocated, sizeof(id), compare);
		if (!found)
			unknown++;
		else if (seen[found - ids]++)
			twice++;
	}
	is(mine, allocated, "%s: as many rows as buffers", what);
	is(twice, 0, "%s: no id twice", what);
	is(unknown, 0, "%s: no id that was not allocated", what);
	is(t.ragged, 0, "%s: every line is whole", what);
	note("%s: %ld rows of the other process", what, others);
	swarm_unload(&t);
	free(seen);
}

static long lines(const char *file)
{
	char *text = swarm_read(file), *p;
	long n = 0;

	for (p = text; *p; p++)
		n += *p == '\n';
	free(text);
	return n;
}

int main(void)
{
	long long before;
	long rows;
	pid_t child;
	int status;

	device = swarm_device(NULL);
	if (device == SWARM_NONE)
		bail("no device");
	rows = lines("allocations");
	is_errno(swarm_cmd("create_agent %d\ncreate_agent %d\n", AGENT, CHURN), 0, "two agents");
	allocate_up_to(FEW);
	before = swarm_stat("ledger_allocated");
	child = fork();
	if (!child)
		churn();

	check_listing("500 rows, 1 byte a read", 1);
	check_listing("500 rows, 7 bytes a read", 7);
	check_listing("500 rows, 64 KiB a read", 1 << 16);
	allocate_up_to(MANY);
	qsort(ids, MANY, sizeof(*ids), compare);
	check_listing("100,000 rows, 64 KiB a read", 1 << 16);
	check_listing("100,000 rows, 4 KiB a read", 1 << 12);
	check_listing("100,000 rows, 700 bytes a read", 700);
	note("the other process allocated %lld",
	     swarm_stat("ledger_allocated") - before - (MANY - FEW));
	is(waitpid(child, &status, WNOHANG), 0, "the other process allocated all the time");
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);

	is_errno(swarm_cmd("remove_agent %d\n", CHURN), 0, "its agent is removed");
	is(lines("allocations") - rows, MANY, "at rest, as many lines as buffers");
	check_listing("at rest", 1 << 16);
	is(swarm_get("agents", "ID", AGENT, "BUFFERS"), MANY, "agents counts them");
	is(swarm_get("agents", "ID", AGENT, "USED"), MANY * 4096LL, "and their bytes");
	swarm_add_up("with 100,000 buffers");
	is_errno(swarm_cmd("remove_agent %d\n", AGENT), 0, "the agent is removed");
	is(lines("allocations"), rows, "with every buffer");
	swarm_add_up("without them");
	return tap_done();
}
