// SPDX-License-Identifier: GPL-2.0-only
/*
 * What permissions cost: instructions per check with 1 rule, and with 65,536 rules
 * of each of 16 agents; the time to load these, and the memory they take. Counted
 * under -icount, where 1 ns of the guest's time is one instruction.
 *
 * The limits are the design's budgets, and a tenth: what the kernel's own functions
 * take differs among kernels.
 *
 * vm: --load --gpu none --icount --mem 1024 --append slab_nomerge --timeout 600
 */
#define _GNU_SOURCE
#include "perm.h"

#define AGENTS		scaled(16)
#define RULES		65536
#define STRIDE		0x2000ULL	/* a page granted, a page not: no rules join */
#define SETTLE_SECONDS	20
#define TEST_MODULE	PERM_TEST_DIR "perm_check.ko"

#define LIMIT_ONE	220
#define LIMIT_MANY	440

/* Instructions of one check, less those of an empty function. */
static long cost(int fd, int agent, __u64 addr, __u64 count, bool granted)
{
	unsigned long long calls, ns, empty, denied;
	char text[160];

	snprintf(text, sizeof(text), "%d %llu 4096 %u %llu %llu", agent, addr,
		 PERM_READ | PERM_WRITE, count, STRIDE);
	if (write(fd, text, strlen(text)) < 0)
		bail("measuring");
	perm_read(fd, text, sizeof(text));
	if (sscanf(text, "%llu %llu %llu %llu", &calls, &ns, &empty, &denied) != 4)
		bail("the test module says '%s'", text);
	is(denied, granted ? 0 : calls, "all were %s", granted ? "granted" : "denied");
	return (ns - empty) / calls;
}

static void within(long n, long limit, const char *what)
{
	note("%s: %ld instructions", what, n);
	ok(n <= limit, "at most %ld", limit);
}

static unsigned long long now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ULL + now.tv_nsec;
}

/* Bytes of all that is allocated by kmalloc(), once what was freed is gone. */
static unsigned long long kmalloc_bytes(void)
{
	unsigned long long active, all, size, bytes = 0;
	char line[512];
	FILE *f;

	sleep(SETTLE_SECONDS);
	f = fopen("/proc/slabinfo", "r");
	if (!f)
		bail("opening slabinfo");
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "kmalloc-%*s %llu %llu %llu", &active, &all, &size) == 3)
			bytes += active * size;
	fclose(f);
	return bytes;
}

/* Writes what is in @text, however much of it a write takes. */
static void write_all(int fd, const char *text, size_t len)
{
	ssize_t n;

	while (len) {
		n = write(fd, text, len);
		if (n <= 0)
			bail("writing rules");
		text += n;
		len -= n;
	}
}

static void load(int agent)
{
	int fd = swarm_open("dma_permissions", O_WRONLY), i;
	size_t size = 0;
	char *text = NULL;
	FILE *f = open_memstream(&text, &size);

	for (i = 0; i < RULES; i++)
		fprintf(f, "%d:%#llx+0x1000:rw\n", agent, 0x1000 + i * STRIDE);
	fclose(f);
	write_all(fd, text, size);
	free(text);
	close(fd);
}

int main(void)
{
	unsigned long long before, bytes, begin, took = 0;
	int fd, agent;

	if (!access("/sys/kernel/debug/kmemleak", F_OK))
		skip_all("this kernel's checks count as the module's instructions");
	if (perm_insert(TEST_MODULE))
		bail("inserting the test module");
	fd = perm_debugfs("perm_check/cost");
	swarm_write("dma_permissions", "1:0x1000+0x1000:rw\n");
	within(cost(fd, 1, 0x1000, 1, true), LIMIT_ONE, "1 rule, granted");
	within(cost(fd, 1, 0x3000, 1, false), LIMIT_ONE, "1 rule, denied");

	before = kmalloc_bytes();
	for (agent = 1; agent <= AGENTS; agent++) {
		begin = now_ns();
		load(agent);
		took += now_ns() - begin;
	}
	bytes = kmalloc_bytes() - before;
	note("%d rules are loaded in %llu ms, %llu instructions each", AGENTS * RULES,
	     took / 1000000, took / (AGENTS * RULES));
	note("%llu bytes a rule", bytes / (AGENTS * RULES));
	ok(bytes / (AGENTS * RULES) <= 32, "they take at most 32 bytes each");
	within(cost(fd, 1, 0x1000, RULES, true), LIMIT_MANY, "65,536 rules, granted");
	within(cost(fd, AGENTS / 2 + 1, 0x1000, RULES, true), LIMIT_MANY, "another agent, granted");
	within(cost(fd, AGENTS / 2 + 1, 0x2000, RULES, false), LIMIT_MANY, "65,536 rules, denied");
	close(fd);
	for (agent = 1; agent <= AGENTS; agent++)
		if (swarm_cmd("remove_agent %d", agent))
			bail("removing agent %d", agent);
	is_errno(perm_delete("perm_check"), 0, "the test module is removed");
	return tap_done();
}
