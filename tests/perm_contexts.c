// SPDX-License-Identifier: GPL-2.0-only
/*
 * The exported check, called by another module in process, soft interrupt and
 * hard interrupt context: it gives the same answers in each, which are counted
 * and traced. The module that exports it stays as long as the other is there.
 *
 * vm: --gpu none --mem 512 --timeout 120
 */
#include "perm.h"
#include "trace.h"

#define AGENT		7
#define UNKNOWN		8
#define TOP		(~0ULL)
#define RW		(PERM_READ | PERM_WRITE)
#define TEST_MODULE	PERM_TEST_DIR "perm_check.ko"

struct question {
	__u64 agent, addr, size;
	unsigned int mode;
	int want;			/* what gpu_dma_lock_check() is to return */
	const char *what;
};

/* The agent's rules: the first page r, pages at 0x10000 rw, rw, r, w, the last byte rw. */
static const char * const rules[] = {
	"7:0x0-0xfff:r",
	"7:0x10000+0x2000:rw",
	"7:0x12000:r",
	"7:0x13000:w",
	"7:0xffffffffffffffff-0xffffffffffffffff:rw",
};

static const struct question questions[] = {
	{ AGENT, 0x10000, 1, PERM_READ, 0, "the first byte of a range, r" },
	{ AGENT, 0x10000, 1, RW, 0, "the same, rw" },
	{ AGENT, 0x10000, 0x2000, RW, 0, "the whole range" },
	{ AGENT, 0x11fff, 1, PERM_WRITE, 0, "its last byte" },
	{ AGENT, 0x10000, 0x3000, PERM_READ, 0, "r over a range rw and one r" },
	{ AGENT, 0x10000, 0x3000, PERM_WRITE, -EACCES, "but not w" },
	{ AGENT, 0x10000, 0x4000, PERM_READ, -EACCES, "nor r over a range w" },
	{ AGENT, 0x11fff, 2, RW, -EACCES, "rw one byte into the range r" },
	{ AGENT, 0xffff, 1, PERM_READ, -EACCES, "the byte before" },
	{ AGENT, 0xffff, 2, PERM_READ, -EACCES, "from the byte before on" },
	{ AGENT, 0x13fff, 1, PERM_WRITE, 0, "the last byte of all" },
	{ AGENT, 0x14000, 1, PERM_WRITE, -EACCES, "the byte behind" },
	{ AGENT, 0x13fff, 2, PERM_WRITE, -EACCES, "up to the byte behind" },
	{ AGENT, 0, 1, PERM_READ, 0, "address 0" },
	{ AGENT, 0, 0x1000, PERM_READ, 0, "the first page" },
	{ AGENT, 0, 1, PERM_WRITE, -EACCES, "address 0, w" },
	{ AGENT, 0, 0x1001, PERM_READ, -EACCES, "the first page and a byte" },
	{ AGENT, 0, TOP, PERM_READ, -EACCES, "all but the last byte" },
	{ AGENT, TOP, 1, RW, 0, "address 2^64 - 1" },
	{ AGENT, TOP - 1, 1, PERM_READ, -EACCES, "address 2^64 - 2" },
	{ AGENT, TOP - 1, 2, PERM_READ, -EACCES, "the last two" },
	{ UNKNOWN, 0x10000, 1, PERM_READ, -ENOENT, "no such agent" },
	{ TOP, 0x10000, 1, PERM_READ, -ENOENT, "no agent 2^64 - 1" },
	{ 0, 0x10000, 1, PERM_READ, -EACCES, "agent 0 is there, without rules" },
	{ AGENT, 0x10000, 0, PERM_READ, -EINVAL, "size 0" },
	{ AGENT, 0x10000, 1, 0, -EINVAL, "mode 0" },
	{ AGENT, 0x10000, 1, 4, -EINVAL, "mode 4" },
	{ AGENT, 0x10000, 1, 5, -EINVAL, "mode 5" },
	{ AGENT, 0x10000, 1, 0x80000001, -EINVAL, "mode 2^31 + 1" },
	{ AGENT, TOP, 2, PERM_READ, -ERANGE, "from 2^64 - 1 to 0" },
	{ AGENT, 1, TOP, PERM_READ, -EACCES, "from 1 to 2^64 - 1" },
	{ AGENT, 2, TOP, PERM_READ, -ERANGE, "from 2 to 0" },
	{ UNKNOWN, 2, TOP, PERM_READ, -ERANGE, "of no agent" },
};

#define NR_QUESTIONS	(sizeof(questions) / sizeof(*questions))

static const char * const contexts[] = { "task", "softirq", "hardirq" };

/* Asks in @context; returns the answer, and in @where the context it came from. */
static int ask(int fd, const char *context, const struct question *q, char *where)
{
	char text[128];
	int answer;

	snprintf(text, sizeof(text), "%s %llu %llu %llu %u", context, q->agent, q->addr,
		 q->size, q->mode);
	if (write(fd, text, strlen(text)) < 0)
		bail("asking in context %s", context);
	perm_read(fd, text, sizeof(text));
	if (sscanf(text, "%d %15s", &answer, where) != 2)
		bail("the test module says '%s'", text);
	return answer;
}

static void test_answers(int fd, const char *context)
{
	long long checks = swarm_stat("dma_checks"), denied = swarm_stat("dma_checks_denied");
	int want_checks = 0, want_denied = 0, elsewhere = 0;
	char where[16];
	size_t i;

	for (i = 0; i < NR_QUESTIONS; i++) {
		const struct question *q = &questions[i];

		is(ask(fd, context, q, where), q->want, "%s: %s", context, q->what);
		elsewhere += !!strcmp(where, context);
		want_checks += q->want != -EINVAL && q->want != -ERANGE;
		want_denied += q->want == -EACCES;
	}
	is(elsewhere, 0, "%s: every one was asked there", context);
	is(swarm_stat("dma_checks") - checks, want_checks,
	   "%s: stats counts all but the malformed", context);
	is(swarm_stat("dma_checks_denied") - denied, want_denied,
	   "%s: and those that were denied", context);
}

static void test_trace(int fd, const char *context)
{
	static const struct question no = { AGENT, 0x12000, 4096, RW, -EACCES, "" };
	static const struct question yes = { AGENT, 0x12000, 4096, PERM_READ, 0, "" };
	static const struct question none = { UNKNOWN, 0x12000, 4096, RW, -ENOENT, "" };
	char line[512], where[16];

	trace_event("gdl_check_denied", true);
	ask(fd, context, &yes, where);
	ask(fd, context, &none, where);
	is(trace_find("gdl_check_denied", "", line, sizeof(line)), 0,
	   "%s: no event without a denial", context);
	ask(fd, context, &no, where);
	is(trace_find("gdl_check_denied", "agent=7 addr=0x12000 size=4096 mode=rw", line,
		      sizeof(line)), 1, "%s: a denial is traced", context);
	note("%s", line);
	trace_event("gdl_check_denied", false);
}

/* A change counts from the next call on, in every context. */
static void test_changes(int fd)
{
	static const struct question q = { AGENT, 0x20000, 1, PERM_WRITE, 0, "" };
	char where[16];
	size_t i;

	for (i = 0; i < sizeof(contexts) / sizeof(*contexts); i++) {
		is(ask(fd, contexts[i], &q, where), -EACCES, "%s: not granted", contexts[i]);
		is_errno(swarm_cmd("grant %d 0x20000 w\n", AGENT), 0, "it is granted");
		is(ask(fd, contexts[i], &q, where), 0, "%s: granted", contexts[i]);
		is_errno(swarm_cmd("revoke %d 0x20000\n", AGENT), 0, "it is revoked");
		is(ask(fd, contexts[i], &q, where), -EACCES, "%s: revoked", contexts[i]);
	}
}

/* A removed agent is unknown at once, and one made again has no rules. */
static void test_removal(int fd)
{
	static const struct question q = { AGENT, 0x10000, 1, PERM_READ, 0, "" };
	char where[16];
	size_t i;

	is_errno(swarm_cmd("remove_agent %d\n", AGENT), 0, "the agent is removed");
	for (i = 0; i < sizeof(contexts) / sizeof(*contexts); i++)
		is(ask(fd, contexts[i], &q, where), -ENOENT, "%s: it is unknown", contexts[i]);
	is_errno(swarm_cmd("create_agent %d\n", AGENT), 0, "it is made again");
	for (i = 0; i < sizeof(contexts) / sizeof(*contexts); i++)
		is(ask(fd, contexts[i], &q, where), -EACCES, "%s: without rules", contexts[i]);
}

int main(void)
{
	size_t i;
	int fd;

	is_errno(perm_insert(TEST_MODULE), ENOENT, "the test module wants the symbol");
	is_errno(perm_insert(PERM_MODULE), 0, "the module is inserted");
	is_errno(perm_insert(TEST_MODULE), 0, "then the test module can be");
	is_errno(perm_delete("gpu_dma_lock"), EWOULDBLOCK, "while it uses the symbol, no rmmod");
	fd = swarm_open("dma_permissions", O_WRONLY);
	for (i = 0; i < sizeof(rules) / sizeof(*rules); i++)
		if (fd < 0 || perm_rule(fd, "%s", rules[i]))
			bail("granting %s", rules[i]);
	close(fd);

	fd = perm_debugfs("perm_check/check");
	for (i = 0; i < sizeof(contexts) / sizeof(*contexts); i++) {
		test_answers(fd, contexts[i]);
		test_trace(fd, contexts[i]);
	}
	test_changes(fd);
	test_removal(fd);
	close(fd);

	is_errno(perm_delete("perm_check"), 0, "the test module is removed");
	is_errno(perm_delete("gpu_dma_lock"), 0, "then the module can be");
	return tap_done();
}
