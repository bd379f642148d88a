// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every way to get a command wrong has its error and changes nothing; numbers
 * and blanks in every form that is right are taken for what they say.
 *
 * vm: --load --mem 512 --timeout 120
 */
#include <limits.h>
#include <unistd.h>

#include "swarm.h"

#define AGENT		10
#define JUNK_ROUNDS	500
#define FIRST_64K	65536

static __u64 device;

struct error {
	int err;
	const char *line;	/* a @ stands for a device */
};

static const struct error errors[] = {
	/* not a command */
	{ EINVAL, "bogus" },
	{ EINVAL, "10" },
	{ EINVAL, "Create_agent 20" },
	{ EINVAL, "create_agen 20" },
	{ EINVAL, "create_agents 20" },
	{ EINVAL, "create_agent20" },
	{ EINVAL, "create_agent,20" },
	{ EINVAL, "create_agent=20" },
	{ EINVAL, "'create_agent' 20" },
	{ EINVAL, "20 create_agent" },
	/* too few words, and too many */
	{ EINVAL, "create_agent" },
	{ EINVAL, "create_agent 20 1M 1" },
	{ EINVAL, "create_agent 20 1M @ 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18" },
	{ EINVAL, "remove_agent" },
	{ EINVAL, "remove_agent 10 11" },
	{ EINVAL, "set_quota" },
	{ EINVAL, "set_quota 10" },
	{ EINVAL, "set_quota 10 1M @ 1" },
	{ EINVAL, "set_capacity" },
	{ EINVAL, "set_capacity @" },
	{ EINVAL, "set_capacity @ 1M 1" },
	{ EINVAL, "allocate" },
	{ EINVAL, "allocate 10" },
	{ EINVAL, "allocate 10 4096" },
	{ EINVAL, "allocate 10 4096 @ 1" },
	{ EINVAL, "free" },
	{ EINVAL, "free 1 2" },
	{ EINVAL, "report 1 @" },
	{ EINVAL, "report 1 @ 4096 1" },
	{ EINVAL, "reset_stats now" },
	/* not a number */
	{ EINVAL, "create_agent x" },
	{ EINVAL, "create_agent 1.5" },
	{ EINVAL, "create_agent 20x" },
	{ EINVAL, "create_agent 0x" },
	{ EINVAL, "create_agent 0xg" },
	{ EINVAL, "create_agent x20" },
	{ EINVAL, "create_agent 1e3" },
	{ EINVAL, "create_agent max" },
	{ EINVAL, "create_agent +20" },
	{ EINVAL, "create_agent --20" },
	{ EINVAL, "create_agent 1K" },
	{ EINVAL, "create_agent 20 junk" },
	{ EINVAL, "create_agent 20 1M," },
	{ EINVAL, "create_agent 20 1M 7" },
	{ EINVAL, "name 10 7" },
	{ EINVAL, "name 10x a" },
	{ EINVAL, "reset_agent 10x" },
	{ EINVAL, "reset_agent" },
	{ EINVAL, "set_quota 10 maximum" },
	{ EINVAL, "set_quota 10 ma" },
	{ EINVAL, "set_quota x$ 1M" },
	{ EINVAL, "set_quota 10 1M junk" },
	{ EINVAL, "set_capacity x 1M" },
	{ EINVAL, "set_capacity @ junk" },
	{ EINVAL, "allocate +x 4096 @" },
	{ EINVAL, "allocate 10 x @" },
	{ EINVAL, "allocate 10 max @" },
	{ EINVAL, "allocate 10 4096 x" },
	{ EINVAL, "allocate 10 4096 @x" },
	{ EINVAL, "allocate 10K 4096 @" },
	{ EINVAL, "report x @ 4096" },
	{ EINVAL, "report pid:1 @ 4096" },
	{ EINVAL, "report -1 @ 4096" },
	{ EINVAL, "report 1 @ max" },
	{ EINVAL, "report 1 x 4096" },
	{ ESRCH, "report 0 @ 4096" },
	{ ESRCH, "report 4194305 @ 4096" },
	{ ESRCH, "report 18446744073709551615 @ 0" },
	{ ENODEV, "report 1 99 4096" },
	{ ENODEV, "report 1 99 0" },
	{ EFBIG, "report 1 @ 65T" },
	{ EINVAL, "free x" },
	{ EINVAL, "free 1K" },
	/* no agent of that name */
	{ ENOENT, "remove_agent all" },
	{ ENOENT, "reset_agent x" },
	{ ENOENT, "reset_agent 99" },
	{ ENOENT, "name 99 a" },
	{ ENOENT, "name x a" },
	{ ENOENT, "set_quota x 1M" },
	{ ENOENT, "allocate x 4096 @" },
	{ ENOENT, "grant x 0x1000 r" },
	{ ENOENT, "bind /x pid:1" },
	/* suffixes */
	{ EINVAL, "allocate 10 K @" },
	{ EINVAL, "allocate 10 1KK @" },
	{ EINVAL, "allocate 10 1K1 @" },
	{ EINVAL, "allocate 10 1KB @" },
	{ EINVAL, "allocate 10 1kb @" },
	{ EINVAL, "allocate 10 1KIB @" },
	{ EINVAL, "allocate 10 1Kib @" },
	{ EINVAL, "allocate 10 1KBi @" },
	{ EINVAL, "allocate 10 1iB @" },
	{ EINVAL, "allocate 10 1i @" },
	{ EINVAL, "allocate 10 1B @" },
	{ EINVAL, "allocate 10 Ki @" },
	{ EINVAL, "allocate 10 1KiK @" },
	{ EINVAL, "allocate 10 1KiBx @" },
	{ EINVAL, "allocate 10 -1Gi @" },
	{ EINVAL, "allocate 10 0x1Gb @" },
	{ EINVAL, "allocate 10 1.5Gi @" },
	{ EINVAL, "allocate 10 1.5G @" },
	{ EINVAL, "allocate 10 1Pi @" },
	{ EINVAL, "allocate 10 1X @" },
	{ EINVAL, "allocate 10 1.5K @" },
	{ EINVAL, "allocate 10 1 K @" },
	/* negative */
	{ EINVAL, "create_agent -1" },
	{ EINVAL, "create_agent -0x1" },
	{ EINVAL, "create_agent -18446744073709551615" },
	{ EINVAL, "create_agent 20 -1" },
	{ EINVAL, "set_quota 10 -1" },
	{ EINVAL, "set_capacity @ -1" },
	{ EINVAL, "allocate 10 -4096 @" },
	{ EINVAL, "allocate 10 -1K @" },
	{ EINVAL, "allocate 10 4096 -1" },
	{ EINVAL, "allocate -10 4096 @" },
	{ EINVAL, "free -1" },
	/* size 0 */
	{ EINVAL, "allocate 10 0 @" },
	{ EINVAL, "allocate 10 00 @" },
	{ EINVAL, "allocate 10 0x0 @" },
	{ EINVAL, "allocate 10 0K @" },
	/* 2^64 and more, by suffix too */
	{ ERANGE, "create_agent 18446744073709551616" },
	{ ERANGE, "create_agent 0x10000000000000000" },
	{ ERANGE, "create_agent 99999999999999999999999999999999" },
	{ ERANGE, "create_agent 20 18446744073709551616" },
	{ ERANGE, "remove_agent 18446744073709551616" },
	{ ERANGE, "set_quota 18446744073709551616 1" },
	{ ERANGE, "set_quota 10 16777216T" },
	{ ERANGE, "set_quota 10 1M 18446744073709551616" },
	{ ERANGE, "set_capacity 18446744073709551616 1" },
	{ ERANGE, "set_capacity @ 18446744073709551616" },
	{ ERANGE, "allocate 18446744073709551616 4096 @" },
	{ ERANGE, "allocate 10 18446744073709551616 @" },
	{ ERANGE, "allocate 10 4096 18446744073709551616" },
	{ ERANGE, "allocate 10 18014398509481984K @" },
	{ ERANGE, "allocate 10 17592186044416M @" },
	{ ERANGE, "allocate 10 17179869184G @" },
	{ ERANGE, "allocate 10 17179869184Gi @" },
	{ ERANGE, "allocate 10 17179869184giB @" },
	{ ERANGE, "allocate 10 16777216T @" },
	{ ERANGE, "allocate 10 18446744073709551615K @" },
	{ ERANGE, "free 18446744073709551616" },
	/* what fits is refused for what it asks */
	{ EDQUOT, "allocate 10 18446744073709551615 @" },
	{ EDQUOT, "allocate 10 0xffffffffffffffff @" },
	{ EDQUOT, "allocate 10 18014398509481983K @" },
	{ EDQUOT, "allocate 10 16777215T @" },
	{ ENOENT, "free 18446744073709551615" },
	{ ENODEV, "allocate 10 4096 18446744073709551615" },
	{ ENOENT, "remove_agent 18446744073709551615" },
	{ EEXIST, "create_agent 10" },
	{ EEXIST, "create_agent 0xa" },
	{ EEXIST, "create_agent 0" },
};

/* What no failed command may change, as text. */
static char *state(void)
{
	struct swarm_table t;
	char *text = malloc(1 << 16);
	size_t len = 0;
	long row;

	swarm_load(&t, "agents");
	for (row = 0; row < t.rows && len < (1 << 16) - 256; row++)
		len += sprintf(text + len, "%s:%s:%s:%s ", swarm_cell(&t, row, "ID"),
			       swarm_cell(&t, row, "BUFFERS"), swarm_cell(&t, row, "USED"),
			       swarm_cell(&t, row, "QUOTA"));
	swarm_unload(&t);
	swarm_load(&t, "devices");
	for (row = 0; row < t.rows && len < (1 << 16) - 256; row++)
		len += sprintf(text + len, "%s:%s:%s ", swarm_cell(&t, row, "ID"),
			       swarm_cell(&t, row, "CAPACITY"), swarm_cell(&t, row, "USED"));
	swarm_unload(&t);
	return text;
}

static void expand(char *to, size_t size, const char *line)
{
	const char *at = strchr(line, '@');

	if (at)
		snprintf(to, size, "%.*s%llu%s\n", (int)(at - line), line, device, at + 1);
	else
		snprintf(to, size, "%s\n", line);
}

static void test_errors(void)
{
	char *before = state(), *after;
	char line[256];
	size_t i;

	for (i = 0; i < sizeof(errors) / sizeof(*errors); i++) {
		expand(line, sizeof(line), errors[i].line);
		is_errno(swarm_write("control", line), errors[i].err, "%s", errors[i].line);
		after = state();
		if (strcmp(before, after)) {
			is_str(after, before, "%s: changes nothing", errors[i].line);
			free(before);
			before = strdup(after);
		}
		free(after);
	}
	free(before);
}

static void works(int err, const char *what)
{
	is_errno(err, 0, "%s", what);
}

struct number {
	const char *word;
	__u64 value;
};

static const struct number numbers[] = {
	{ "1", 1 },
	{ "4096", 4096 },
	{ "0x1000", 4096 },
	{ "0xABCdef", 0xabcdef },
	{ "1K", 1ULL << 10 },
	{ "3M", 3ULL << 20 },
	{ "1G", 1ULL << 30 },
	{ "2T", 2ULL << 40 },
	{ "2Ti", 2ULL << 40 },
	{ "1Gi", 1ULL << 30 },
	{ "1GiB", 1ULL << 30 },
	{ "1g", 1ULL << 30 },
	{ "512Mi", 512ULL << 20 },
	{ "512m", 512ULL << 20 },
	{ "1k", 1ULL << 10 },
	{ "1KiB", 1ULL << 10 },
	{ "0x10kiB", 16ULL << 10 },
	{ "3t", 3ULL << 40 },
	{ "9223372036854775807", (1ULL << 63) - 1 },
	{ "9223372036854775808", 1ULL << 63 },
	{ "16777215T", 16777215ULL << 40 },
	{ "18446744073709551614", ULLONG_MAX - 1 },
	{ "00004096", 4096 },
};

static void test_numbers(void)
{
	char shown[32];
	struct swarm_table t;
	size_t i;

	for (i = 0; i < sizeof(numbers) / sizeof(*numbers); i++) {
		is_errno(swarm_cmd("set_quota %d %s\n", AGENT, numbers[i].word), 0,
			 "set_quota %s", numbers[i].word);
		snprintf(shown, sizeof(shown), "%llu", numbers[i].value);
		swarm_load(&t, "agents");
		is_str(swarm_cell(&t, swarm_find_u64(&t, 0, "ID", AGENT), "QUOTA"), shown,
		       "%s is %s", numbers[i].word, shown);
		swarm_unload(&t);
	}
	is_errno(swarm_cmd("create_agent 0x20\n"), 0, "an id in hexadecimal");
	ok(swarm_has("agents", "ID", 32), "0x20 is 32");
	is_errno(swarm_cmd("create_agent 18446744073709551615\n"), 0, "the greatest id");
	ok(swarm_has("agents", "ID", ULLONG_MAX), "is 2^64 - 1");
	is_errno(swarm_cmd("create_agent 0xffffffffffffffff\n"), EEXIST, "in hexadecimal too");
	is_errno(swarm_cmd("remove_agent 18446744073709551615\nremove_agent 32\n"), 0, "both go");
	is_errno(swarm_cmd("set_quota %d 1M\n", AGENT), 0, "the quota is back");
}

static const struct {
	const char *line;	/* a @ stands for a device */
	const char *result;	/* beginning with the error's name */
} reasons[] = {
	{ "bogus 1", "-EINVAL \"bogus\" is not a command" },
	{ "a\x01\\\xff", "-EINVAL \"a\\001\\134\\377\" is not a command" },
	{ "create_agent", "-EINVAL usage: create_agent ID [QUOTA [NAME]]" },
	{ "create_agent 1 2 a b", "-EINVAL usage: create_agent ID [QUOTA [NAME]]" },
	{ "create_agent 1 2 3 4 5 6", "-EINVAL too many words, or a NUL" },
	{ "create_agent 9x", "-EINVAL \"9x\" is not a number" },
	{ "create_agent x", "-EINVAL \"x\" is not a number" },
	{ "create_agent 20 1.5G", "-EINVAL \"1.5G\" is not a size or max" },
	{ "create_agent 20 1G 9", "-EINVAL \"9\" is not a name" },
	{ "create_agent 20 16777216T", "-ERANGE \"16777216T\" is too large" },
	{ "create_agent 10", "-EEXIST agent 10 exists" },
	{ "create_agent 11 max ten", "-EEXIST another agent is called ten" },
	{ "name 0 ten", "-EEXIST another agent is called ten" },
	{ "name ten 9a", "-EINVAL \"9a\" is not a name or -" },
	{ "remove_agent 0", "-EINVAL agent 0 always exists" },
	{ "remove_agent 9", "-ENOENT no agent 9" },
	{ "remove_agent nine", "-ENOENT no agent nine" },
	{ "remove_agent 9x", "-EINVAL \"9x\" is not a number" },
	{ "remove_agent x+", "-EINVAL \"x+\" is not an agent's id or name" },
	{ "reset_agent /a\\040b", "-ENOENT no agent /a\\040b" },
	{ "set_quota 10 1M 99", "-ENODEV no device 99" },
	{ "set_quota 10 1M x", "-EINVAL \"x\" is not a number" },
	{ "set_capacity @ 1e3", "-EINVAL \"1e3\" is not a size or max" },
	{ "bind 10 cgroup:/jobs/x", "-ENOENT no cgroup /jobs/x" },
	{ "bind 9 cgroup:/", "-ENOENT no agent 9" },
	{ "bind 10 cgroup:/a\\040b", "-ENOENT no cgroup /a\\040b" },
	{ "bind 10 cgroup:/cgroup.procs", "-ENOTDIR cgroup /cgroup.procs is a file" },
	{ "bind 10 pid:4194305", "-ENOENT no process 4194305" },
	{ "bind 10 4194305", "-EINVAL \"4194305\" is not cgroup:PATH or pid:N" },
	{ "unbind ten pid:1", "-ENOENT process 1 is not bound to agent ten" },
	{ "allocate 10 0 @", "-EINVAL \"0\" is not a size" },
	{ "allocate 10 4096 99", "-ENODEV no device 99" },
	{ "allocate 10 4096 -", "-EINVAL \"-\" is not a number" },
	{ "allocate ten 2M @", "-EDQUOT agent 10 has 0 of 1048576 bytes" },
	{ "report 4194305 @ 1M", "-ESRCH no process 4194305" },
	{ "report 1 99 1M", "-ENODEV no device 99" },
	{ "report 1 @ 65T", "-EFBIG no device has 65T bytes" },
	{ "report 1 @ max", "-EINVAL \"max\" is not a size" },
	{ "free 99", "-ENOENT no buffer 99" },
	{ "lock 99 10 shared", "-ENOENT no buffer 99" },
	{ "lock 99 10 share", "-EINVAL \"share\" is not shared or exclusive" },
	{ "lock 99 10 5", "-EINVAL \"5\" is not shared or exclusive" },
	{ "lock 99 10 shared never", "-EINVAL \"never\" is not nowait or a number" },
	{ "grant 10 5-3 r", "-EINVAL \"5-3\" is not a range or buf=ID" },
	{ "grant 10 buf=99 r", "-ENOENT no buffer 99" },
	{ "grant 10 0x1000 x", "-EINVAL \"x\" is not r, w, rw or -" },
	{ "grant 10 0xfffffffffffff000+8K r", "-ERANGE \"0xfffffffffffff000+8K\" is too large" },
	{ "revoke 10 0x1000", "-ENOENT agent 10 has no such rule" },
	{ "check 10 0x1000 r", "-EACCES agent 10 may not" },
	{ "check 10 0x1000 -", "-EINVAL \"-\" is not r, w or rw" },
	{ "destroy_context 99", "-ENOENT no context 99" },
	{ "policy on", "-EINVAL \"on\" is not off, audit or enforce" },
	{ "reset_stats now", "-EINVAL usage: reset_stats" },
};

/* The result of @line, without its newline; the caller frees it. */
static char *result_of(const char *line)
{
	int fd = swarm_open("control", O_RDWR);
	char *result = NULL;
	size_t len;

	if (write(fd, line, strlen(line)) < 0)
		result = swarm_slurp(fd, 4096, &len);
	close(fd);
	if (result && len && result[len - 1] == '\n')
		result[len - 1] = '\0';
	return result;
}

static void test_reasons(void)
{
	char line[256], *result;
	size_t i;

	works(swarm_cmd("name %d ten\n", AGENT), "a name");
	for (i = 0; i < sizeof(reasons) / sizeof(*reasons); i++) {
		expand(line, sizeof(line), reasons[i].line);
		result = result_of(line);
		is_str(result, reasons[i].result, "%s", reasons[i].result);
		free(result);
	}
	works(swarm_cmd("name ten -\n"), "without it");
}

/* A sentence has what was written only in part, and its length is bounded. */
static void test_long_reasons(void)
{
	char line[4096], want[512], *result;

	memset(line, 'x', 3000);
	memcpy(line + 3000, "\n", 2);
	result = result_of(line);
	snprintf(want, sizeof(want), "-EINVAL \"%.255s...\" is not a command", line);
	is_str(result, want, "a word of 3000 bytes is cut");
	free(result);
	memset(line, 1, 3000);
	result = result_of(line);
	ok(result && !strncmp(result, "-EINVAL \"\\001\\001", 17) && strlen(result) < 400,
	   "one of bytes that are not graphic too");
	free(result);
}

/* The error is the last result; what comes next has its own. */
static void test_results_and_reasons(void)
{
	int fd = swarm_open("control", O_RDWR);
	const char *lines = "set_quota 10 1M\ncheck 10 0x1000 r\nset_quota 10 2M\n";
	char text[64];
	size_t len;
	char *got;

	is(write(fd, lines, strlen(lines)), 16, "one of two lines is done");
	got = swarm_slurp(fd, 4096, &len);
	is_str(got, "ok\n-EACCES agent 10 may not\n", "both have their results");
	free(got);
	is(write(fd, "free 99\n", 8), -1, "another error");
	got = swarm_slurp(fd, 1, &len);
	is_str(got, "-ENOENT no buffer 99\n", "has its own words, also byte for byte");
	free(got);
	is(write(fd, "set_quota 10 1M\n", 16), 16, "what succeeds");
	got = swarm_slurp(fd, 4096, &len);
	is_str(got, "ok\n", "has none");
	free(got);
	snprintf(text, sizeof(text), "allocate 10 1 %llu\n", device);
	is(write(fd, text, strlen(text)), strlen(text), "nor what has an id");
	got = swarm_slurp(fd, 4096, &len);
	is(strspn(got, "0123456789"), len - 1, "has words");
	snprintf(text, sizeof(text), "free %s", got);
	works(swarm_cmd("%s", text), "freed");
	free(got);
	close(fd);
}

static void test_blanks(void)
{
	is_errno(swarm_cmd("  set_quota %d 1K\n", AGENT), 0, "leading blanks");
	is_errno(swarm_cmd("set_quota %d 2K%s\n", AGENT, "   "), 0, "trailing blanks");
	is_errno(swarm_cmd("set_quota    %d   3K\n", AGENT), 0, "several blanks");
	is_errno(swarm_cmd("\tset_quota\t%d \t 4K\t\n", AGENT), 0, "tabs");
	is(swarm_get("agents", "ID", AGENT, "QUOTA"), 4096, "the last of them counts");
	is_errno(swarm_cmd("set_quota %d 1M\n", AGENT), 0, "the quota is back");
}

/* Writes @len bytes: a command filled up with @fill, and a newline if wanted. */
static int write_long(const char *command, char fill, size_t len, bool newline)
{
	char *text = malloc(len + 2);
	int err;

	memset(text, fill, len);
	memcpy(text, command, strlen(command));
	text[len] = newline ? '\n' : '\0';
	text[len + 1] = '\0';
	err = swarm_write("control", text);
	free(text);
	return err;
}

static void test_long_lines(void)
{
	const char *command = "set_quota 10 5K ";

	is_errno(write_long(command, ' ', 4095, true), 0, "a line of 4095 bytes");
	is(swarm_get("agents", "ID", AGENT, "QUOTA"), 5120, "is run");
	is_errno(write_long("set_quota 10 6K ", ' ', 4095, false), 0, "also without newline");
	is(swarm_get("agents", "ID", AGENT, "QUOTA"), 6144, "is run");
	is_errno(write_long(command, ' ', 4096, true), E2BIG, "a line of 4096 bytes");
	is_errno(write_long(command, ' ', 4096, false), E2BIG, "also without newline");
	is_errno(write_long("", 'x', 4095, true), EINVAL, "a word of 4095 bytes");
	is_errno(write_long("", 'x', 4096, true), E2BIG, "a word of 4096 bytes");
	is_errno(write_long("", 'x', FIRST_64K - 1, true), E2BIG, "a line of 64 KiB");
	is_errno(write_long("", 'x', FIRST_64K, true), E2BIG, "a line of more");
	is_errno(write_long("", 'x', FIRST_64K, false), E2BIG, "64 KiB without newline");
	is_errno(write_long("", 'x', 1 << 20, false), E2BIG, "1 MiB without newline");
	is_errno(write_long(command, '7', 4000, true), ERANGE, "a number of 4000 digits");
	is(swarm_get("agents", "ID", AGENT, "QUOTA"), 6144, "nothing changed");
	is_errno(swarm_cmd("set_quota %d 1M\n", AGENT), 0, "the quota is back");
}

static int write_bytes(const char *bytes, size_t len)
{
	int fd = swarm_open("control", O_WRONLY);
	ssize_t n = write(fd, bytes, len);
	int err = n < 0 ? errno : (size_t)n < len ? EIO : 0;

	close(fd);
	return err;
}

#define refused(bytes, what)	is_errno(write_bytes(bytes, sizeof(bytes) - 1), EINVAL, what)

static void test_binary(void)
{
	char *before = state(), *after;
	unsigned char junk[600];
	size_t i, len;
	int fd, round;

	refused("create_agent 21\0\n", "a NUL at the end");
	refused("create_agent 21\0 1M\n", "a NUL in the middle");
	refused("create_agent\0 21\n", "a NUL after the command");
	refused("\0create_agent 21\n", "a NUL before it");
	refused("create_agent 21\0", "a NUL instead of a newline");
	refused("\0", "a NUL only");
	refused("create_agent 2\xb2\n", "a byte over 127");
	refused("\xff\xfe\n", "two of them");
	refused("create_agent\x01 21\n", "a control character");

	srandom(1);
	for (round = 0; round < JUNK_ROUNDS; round++) {
		fd = swarm_open("control", O_RDWR);
		for (len = random() % sizeof(junk), i = 0; i < len; i++)
			junk[i] = random() >> 8;
		if (write(fd, junk, len) > (ssize_t)len)
			bail("more written than there was");
		close(fd);
	}
	after = state();
	is_str(after, before, "%d writes of binary junk change nothing", JUNK_ROUNDS);
	free(before);
	free(after);
}

int main(void)
{
	device = swarm_device(NULL);
	if (device == SWARM_NONE)
		bail("no device");
	is_errno(swarm_cmd("create_agent %d 1M\n", AGENT), 0, "an agent");
	test_errors();
	test_numbers();
	test_reasons();
	test_long_reasons();
	test_results_and_reasons();
	test_blanks();
	test_long_lines();
	test_binary();
	is_errno(swarm_cmd("remove_agent %d\n", AGENT), 0, "the agent goes");
	swarm_add_up("at the end");
	return tap_done();
}
