// SPDX-License-Identifier: GPL-2.0-only
/*
 * dma_permissions, grant, revoke and check: the grammar and its errors, what
 * grants and revocations leave, how it is shown, and that it can be written back.
 *
 * vm: --load --mem 512 --timeout 200
 */
#define _GNU_SOURCE
#include "swarm.h"

#define NOBODY	65534
#define ALL	"0x0-0xffffffffffffffff"

/* Through the file, as a saved one is written back. */
static int rule(const char *line)
{
	return swarm_write("dma_permissions", line);
}

/* One check: the whole file is @want, on one line for the reader's sake. */
static void shows(const char *want, const char *after)
{
	char *text = swarm_read("dma_permissions"), *p;

	for (p = text; *p; p++)
		if (*p == '\n')
			*p = p[1] ? ' ' : '\0';
	is_str(text, want, "%s", after);
	free(text);
}

static void forget_all(void)
{
	int agent;

	for (agent = 1; agent <= 3; agent++)
		swarm_cmd("revoke %d", agent);
	shows("", "no rule is left");
}

static const struct {
	const char *line;
	int err;
} bad_rules[] = {
	{ "1", EINVAL },
	{ "1:", EINVAL },
	{ "1:0x1000", EINVAL },
	{ "1:0x1000:", EINVAL },
	{ "1:0x1000:x", EINVAL },
	{ "1:0x1000:wr", EINVAL },
	{ "1:0x1000:rw:", EINVAL },
	{ "1:0x1000:rw w", EINVAL },
	{ "1 0x1000 rw", EINVAL },
	{ ":0x1000:rw", EINVAL },
	{ "x:0x1000:rw", ENOENT },
	{ "-1:0x1000:rw", EINVAL },
	{ "1:-0x1000:rw", EINVAL },
	{ "1::rw", EINVAL },
	{ "1:0x:rw", EINVAL },
	{ "1:010-0x20-0x30:rw", EINVAL },
	{ "1:0x1000-:rw", EINVAL },
	{ "1:0x1000+:rw", EINVAL },
	{ "1:0x1000+0:rw", EINVAL },
	{ "1:0x1000+-1:rw", EINVAL },
	{ "1:0x1000+1Q:rw", EINVAL },
	{ "1:0x1000-0xfff:rw", EINVAL },
	{ "1:0x1000-0x2000K:rw", EINVAL },
	{ "1:0x10000000000000000:rw", ERANGE },
	{ "18446744073709551616:0x1000:rw", ERANGE },
	{ "1:0xffffffffffffffff:rw", ERANGE },
	{ "1:0xffffffffffffffff+2:rw", ERANGE },
	{ "1:0x1000+0xffffffffffffffff:rw", ERANGE },
	{ "1:0x1000+16777216T:rw", ERANGE },
	{ "1:buf=:rw", EINVAL },
	{ "1:buf=-1:rw", EINVAL },
	{ "1:buf=x:rw", EINVAL },
	{ "1:buf=1+1:rw", EINVAL },
	{ "1:buf=1:x", EINVAL },
	{ "1:buf=12345:rw", ENOENT },
	{ "1:buf=12345:-", ENOENT },
	{ "1:0x1000:-", ENOENT },
	{ "9:0x1000:-", ENOENT },
	{ "9:buf=12345:r", ENOENT },
};

static const struct {
	const char *command;
	int err;
} bad_commands[] = {
	{ "grant", EINVAL },
	{ "grant 1 0x1000", EINVAL },
	{ "grant 1 0x1000 rw rw", EINVAL },
	{ "grant 1:0x1000:rw", EINVAL },
	{ "grant 1 0x1000 x", EINVAL },
	{ "grant 9 0x1000 rw", ENOENT },
	{ "grant 9 buf=1 rw", ENOENT },
	{ "grant 1 buf=12345 rw", ENOENT },
	{ "revoke", EINVAL },
	{ "revoke 1 0x1000 rw", EINVAL },
	{ "revoke 9", ENOENT },
	{ "revoke 1", ENOENT },
	{ "revoke 1 0x1000", ENOENT },
	{ "revoke 1 buf=12345", ENOENT },
	{ "check", EINVAL },
	{ "check 1", EINVAL },
	{ "check 1 0x1000", EINVAL },
	{ "check 1 0x1000 -", EINVAL },
	{ "check 1 0x1000+0 r", EINVAL },
	{ "check 1 0x1000-0xfff r", EINVAL },
	{ "check 1 0xfffffffffffffff0 r", ERANGE },
	{ "check 1 0xfffffffffffffff0+17 r", ERANGE },
	{ "check 9 0x1000 r", ENOENT },
	{ "check 1 buf=12345 r", ENOENT },
	{ "check 9 buf=12345 r", ENOENT },
	{ "check 1 0x1000 r", EACCES },
	{ "check 0 0x1000 r", EACCES },
};

static void test_errors(void)
{
	size_t i;

	for (i = 0; i < sizeof(bad_rules) / sizeof(*bad_rules); i++)
		is_errno(rule(bad_rules[i].line), bad_rules[i].err, "dma_permissions: '%s'",
			 bad_rules[i].line);
	for (i = 0; i < sizeof(bad_commands) / sizeof(*bad_commands); i++)
		is_errno(swarm_cmd("%s", bad_commands[i].command), bad_commands[i].err, "'%s'",
			 bad_commands[i].command);
	shows("", "none of them left a rule");
	ok(!swarm_has("agents", "ID", 9), "nor made an agent");
}

/* Rules of agent 1, one after the other, and what is there at the end. */
static const struct {
	const char *rules[4];
	const char *want;
} sequences[] = {
	{ { "1:0x1000:r" }, "1:0x1000-0x1fff:r" },
	{ { "1:4096+1K:w" }, "1:0x1000-0x13ff:w" },
	{ { " \t1:0X10-0X1F:rw  " }, "1:0x10-0x1f:rw" },
	{ { "1:0-0:r" }, "1:0x0-0x0:r" },
	{ { "1:0xffffffffffffffff+1:r" }, "1:0xffffffffffffffff-0xffffffffffffffff:r" },
	{ { "1:0-0xffffffffffffffff:r" }, "1:" ALL ":r" },
	{ { "1:1+0xffffffffffffffff:r" }, "1:0x1-0xffffffffffffffff:r" },
	/* neighbours of one mode join, of two do not, nor with a gap */
	{ { "1:0x10-0x1f:r", "1:0x20-0x2f:r" }, "1:0x10-0x2f:r" },
	{ { "1:0x20-0x2f:r", "1:0x10-0x1f:r" }, "1:0x10-0x2f:r" },
	{ { "1:0x10-0x1f:r", "1:0x30-0x3f:r", "1:0x20-0x2f:r" }, "1:0x10-0x3f:r" },
	{ { "1:0x10-0x1f:r", "1:0x20-0x2f:rw" }, "1:0x10-0x1f:r 1:0x20-0x2f:rw" },
	{ { "1:0x10-0x1f:r", "1:0x21-0x2f:r" }, "1:0x10-0x1f:r 1:0x21-0x2f:r" },
	{ { "1:0-0xf:r", "1:0x10-0xffffffffffffffff:r" }, "1:" ALL ":r" },
	/* a later grant replaces what it covers */
	{ { "1:0x10-0x1f:r", "1:0x10-0x1f:w" }, "1:0x10-0x1f:w" },
	{ { "1:0x10-0x4f:r", "1:0x20-0x2f:w" }, "1:0x10-0x1f:r 1:0x20-0x2f:w 1:0x30-0x4f:r" },
	{ { "1:0x10-0x4f:r", "1:0x20-0x2f:r" }, "1:0x10-0x4f:r" },
	{ { "1:0x10-0x1f:r", "1:0x18-0x2f:w" }, "1:0x10-0x17:r 1:0x18-0x2f:w" },
	{ { "1:0x18-0x2f:r", "1:0x10-0x1f:w" }, "1:0x10-0x1f:w 1:0x20-0x2f:r" },
	{ { "1:0x10-0x1f:r", "1:0x18-0x2f:r" }, "1:0x10-0x2f:r" },
	{ { "1:0x10-0x1f:r", "1:0x30-0x3f:w", "1:0-0xff:rw" }, "1:0x0-0xff:rw" },
	{ { "1:" ALL ":r", "1:0-0:w", "1:0xffffffffffffffff+1:rw" },
	  "1:0x0-0x0:w 1:0x1-0xfffffffffffffffe:r 1:0xffffffffffffffff-0xffffffffffffffff:rw" },
	/* a revocation takes out exactly what it names */
	{ { "1:0x10-0x4f:r", "1:0x20-0x2f:-" }, "1:0x10-0x1f:r 1:0x30-0x4f:r" },
	{ { "1:0x10-0x1f:r", "1:0x20-0x2f:w", "1:0x18-0x27:-" }, "1:0x10-0x17:r 1:0x28-0x2f:w" },
	{ { "1:0x10-0x1f:r", "1:0-0xfff:-" }, "" },
	{ { "1:" ALL ":r", "1:0-0:-", "1:0xffffffffffffffff+1:-" },
	  "1:0x1-0xfffffffffffffffe:r" },
	{ { "1:" ALL ":rw", "1:" ALL ":-" }, "" },
	{ { "1:0x10-0x4f:r", "1:0x20-0x2f:-", "1:0x20-0x2f:r" }, "1:0x10-0x4f:r" },
};

static void test_sequences(void)
{
	size_t i, j;
	int err;

	for (i = 0; i < sizeof(sequences) / sizeof(*sequences); i++) {
		swarm_cmd("revoke 1");
		for (j = 0; j < 4 && sequences[i].rules[j]; j++) {
			err = rule(sequences[i].rules[j]);
			if (err)
				is_errno(err, 0, "'%s'", sequences[i].rules[j]);
		}
		shows(sequences[i].want, sequences[i].rules[j - 1]);
	}
}

/* As file and as command, each sees what the other wrote. */
static void test_commands(void)
{
	forget_all();
	is_errno(swarm_cmd("grant 1 0x1000+8K rw"), 0, "grant");
	is_errno(swarm_cmd("grant 1 0x2000 r\ngrant 2 5-9 w\n"), 0, "two more, of two agents");
	shows("1:0x1000-0x1fff:rw 1:0x2000-0x2fff:r 2:0x5-0x9:w", "in the order of agents");
	is_errno(swarm_cmd("grant 1 0x1000 -"), 0, "grant with - revokes");
	is_errno(swarm_cmd("revoke 1 0x2000+1"), 0, "revoke of a byte");
	shows("1:0x2001-0x2fff:r 2:0x5-0x9:w", "just that goes");
	is_errno(swarm_cmd("revoke 1"), 0, "revoke of all of agent 1");
	shows("2:0x5-0x9:w", "agent 2 keeps its own");
	is_errno(swarm_cmd("revoke 1"), ENOENT, "there is nothing more to revoke");
}

static const struct {
	const char *range;
	const char *mode;
	int err;
} checks[] = {
	{ "0x1000-0x1fff", "r", 0 },
	{ "0x1000-0x1fff", "rw", 0 },
	{ "0x1000", "w", 0 },
	{ "0x1fff+1", "w", 0 },
	{ "0x1800-0x27ff", "r", 0 },
	{ "0x1800-0x27ff", "w", EACCES },
	{ "0x1000-0x3fff", "r", 0 },
	{ "0x1000-0x4000", "r", EACCES },
	{ "0xfff-0x1fff", "r", EACCES },
	{ "0xfff+1", "r", EACCES },
	{ "0x4000+1", "r", EACCES },
	{ "0x3000-0x3fff", "w", 0 },
	{ "0x2000-0x3fff", "w", EACCES },
	{ "0-0xffffffffffffffff", "r", EACCES },
	{ "0xffffffffffffffff+1", "w", 0 },
	{ "0xfffffffffffffffe+2", "w", EACCES },
};

static void test_checks(void)
{
	long long checked, denied, want_denied = 0;
	size_t i, n = sizeof(checks) / sizeof(*checks);

	forget_all();
	rule("1:0x1000:rw\n1:0x2000:r\n1:0x3000:rw\n1:0xffffffffffffffff+1:w\n");
	checked = swarm_stat("dma_checks");
	denied = swarm_stat("dma_checks_denied");
	for (i = 0; i < n; i++) {
		is_errno(swarm_cmd("check 1 %s %s", checks[i].range, checks[i].mode),
			 checks[i].err, "check %s %s", checks[i].range, checks[i].mode);
		want_denied += checks[i].err == EACCES;
	}
	is(swarm_stat("dma_checks") - checked, n, "each was counted");
	is(swarm_stat("dma_checks_denied") - denied, want_denied, "so were the denials");
	is_errno(swarm_cmd("check 2 0x1000+1 r"), EACCES, "another agent's rules do not count");
	rule("3:" ALL ":rw");
	is_errno(swarm_cmd("check 3 " ALL " rw"), 0, "all of it can be checked");
	is_errno(swarm_cmd("revoke 3 0xffffffffffffffff+1"), 0, "without its last byte");
	is_errno(swarm_cmd("check 3 " ALL " rw"), EACCES, "not any more");
}

static void test_buffers(void)
{
	__u64 device = swarm_device(NULL), id[2];
	char want[128];

	forget_all();
	if (swarm_allocate(1, 4096, device, &id[0]) || swarm_allocate(2, 4096, device, &id[1]))
		bail("allocating");
	is_errno(swarm_cmd("check 1 buf=%llu rw", id[0]), 0, "an agent may use its own buffer");
	is_errno(swarm_cmd("check 1 buf=%llu r", id[1]), EACCES, "not another's");
	is_errno(swarm_cmd("check 0 buf=%llu r", id[1]), EACCES, "nor may the host");
	is_errno(swarm_cmd("grant 1 buf=%llu r", id[1]), 0, "granted to read");
	is_errno(swarm_cmd("check 1 buf=%llu r", id[1]), 0, "it may read");
	is_errno(swarm_cmd("check 1 buf=%llu w", id[1]), EACCES, "but not write");
	is_errno(swarm_cmd("check 1 buf=%llu rw", id[1]), EACCES, "nor both");
	snprintf(want, sizeof(want), "1:buf=%llu:rw", id[1]);
	is_errno(rule(want), 0, "granted to do both");
	is_errno(swarm_cmd("check 1 buf=%llu rw", id[1]), 0, "it may");
	rule("2:0x1000:w");
	snprintf(want, sizeof(want), "2:0x1000-0x1fff:w 1:buf=%llu:rw", id[1]);
	shows(want, "ranges are shown first, then buffers");
	is_errno(swarm_cmd("revoke 1 buf=%llu", id[1]), 0, "revoked");
	is_errno(swarm_cmd("check 1 buf=%llu r", id[1]), EACCES, "it may not even read");
	is_errno(swarm_cmd("revoke 1 buf=%llu", id[1]), ENOENT, "twice is once too much");

	swarm_cmd("grant 1 buf=%llu w\ngrant 3 buf=%llu r\ngrant 3 buf=%llu r\n", id[1], id[1],
		  id[0]);
	is_errno(swarm_cmd("free %llu", id[1]), 0, "a buffer is freed");
	snprintf(want, sizeof(want), "2:0x1000-0x1fff:w 3:buf=%llu:r", id[0]);
	shows(want, "the rules on it go, those on another stay");
	is_errno(swarm_cmd("grant 1 buf=%llu r", id[1]), ENOENT, "it cannot be granted any more");
	is_errno(swarm_cmd("revoke 3"), 0, "revoke takes buffers as well");
	swarm_cmd("free %llu", id[0]);
	shows("2:0x1000-0x1fff:w", "the buffers are gone");
}

static void test_removed_agent(void)
{
	__u64 device = swarm_device(NULL), id;
	char want[64];

	forget_all();
	if (swarm_allocate(1, 4096, device, &id))
		bail("allocating");
	swarm_cmd("grant 3 0x1000 r\ngrant 3 buf=%llu rw\ngrant 2 buf=%llu r\n", id, id);
	is_errno(swarm_cmd("remove_agent 3"), 0, "an agent is removed");
	snprintf(want, sizeof(want), "2:buf=%llu:r", id);
	shows(want, "its rules go, another's stay");
	is_errno(swarm_cmd("check 3 0x1000 r"), ENOENT, "there is no such agent");
	is_errno(swarm_cmd("create_agent 3"), 0, "one of the same id");
	shows(want, "has no rules");
	is_errno(swarm_cmd("check 3 0x1000 r"), EACCES, "and may nothing");
	swarm_cmd("free %llu", id);
}

static void run(const char *command)
{
	if (system(command))
		bail("%s", command);
}

/* What is saved can be written back, into a module that was just loaded too. */
static void test_restore(void)
{
	char line[64], *saved, *restored;
	int i, fd;

	forget_all();
	fd = swarm_open("control", O_WRONLY);
	for (i = 0; i < 5000; i++) {
		snprintf(line, sizeof(line), "grant %d %#x+%d %s\n", i % 3 + 1, i * 0x1000,
			 i % 7 ? 0x800 : 0x1000, i % 5 ? "rw" : "w");
		if (write(fd, line, strlen(line)) != (ssize_t)strlen(line))
			bail("%s", line);
	}
	close(fd);
	rule("18446744073709551615:0xffffffffffffffff+1:r\n0:0-0:rw\n");
	saved = swarm_read("dma_permissions");
	ok(strlen(saved) > 64 * 1024, "%zu bytes are saved: more than a write takes",
	   strlen(saved));
	run("cat /proc/swarm/gpu/dma_permissions >/tmp/saved");
	run("rmmod gpu_dma_lock && insmod /gpu_dma_lock.ko");
	shows("", "the module is new");
	run("cat /tmp/saved >/proc/swarm/gpu/dma_permissions");
	restored = swarm_read("dma_permissions");
	ok(!strcmp(saved, restored), "what was saved is restored, byte for byte");
	free(restored);
	restored = swarm_read_by("dma_permissions", 7);
	ok(!strcmp(saved, restored), "also read by 7 bytes at a time");
	free(restored);
	is(swarm_get("agents", "ID", ~0ULL, "USED"), 0, "its agents were created");
	run("cat /tmp/saved >/proc/swarm/gpu/dma_permissions");
	restored = swarm_read("dma_permissions");
	ok(!strcmp(saved, restored), "a second time changes nothing");
	free(restored);
	free(saved);
}

/* A line that fails ends the write; what was before it is done. */
static void test_half_way(void)
{
	swarm_cmd("remove_agent 18446744073709551615\nrevoke 0\n");
	forget_all();
	is_errno(rule("1:0x1000:r\n1:0x3000:r\n1:0x5000:x\n1:0x7000:r\n"), EIO,
		 "a write with a bad third line is short");
	shows("1:0x1000-0x1fff:r 1:0x3000-0x3fff:r", "its first two lines are done");
}

/* Without a user id of 0 the effective capabilities are gone as well. */
static void test_addresses(void)
{
	char *text;
	size_t len;
	int fd;

	forget_all();
	rule("1:0x1000:rw");
	if (seteuid(NOBODY))
		bail("becoming nobody");
	fd = swarm_open("dma_permissions", O_RDONLY);
	if (seteuid(0) || fd < 0)
		bail("opening as nobody");
	text = swarm_slurp(fd, 4096, &len);
	is_str(text, "1:0x0-0x0:rw\n", "who opened it unprivileged sees no addresses");
	free(text);
	close(fd);
	shows("1:0x1000-0x1fff:rw", "root does");
}

int main(void)
{
	swarm_cmd("create_agent 1\ncreate_agent 2\ncreate_agent 3\n");
	test_errors();
	test_sequences();
	test_commands();
	test_checks();
	test_buffers();
	test_removed_agent();
	test_restore();
	test_half_way();
	test_addresses();
	swarm_add_up("at the end");
	return tap_done();
}
