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
	{ EINVAL, "remove_agent all" },
	{ EINVAL, "set_quota 10 maximum" },
	{ EINVAL, "set_quota 10 ma" },
	{ EINVAL, "set_quota x 1M" },
	{ EINVAL, "set_quota 10 1M junk" },
	{ EINVAL, "set_capacity x 1M" },
	{ EINVAL, "set_capacity @ junk" },
	{ EINVAL, "allocate x 4096 @" },
	{ EINVAL, "allocate 10 x @" },
	{ EINVAL, "allocate 10 max @" },
	{ EINVAL, "allocate 10 4096 x" },
	{ EINVAL, "allocate 10 4096 @x" },
	{ EINVAL, "allocate 10K 4096 @" },
	{ EINVAL, "free x" },
	{ EINVAL, "free 1K" },
	/* suffixes */
	{ EINVAL, "allocate 10 K @" },
	{ EINVAL, "allocate 10 1KK @" },
	{ EINVAL, "allocate 10 1K1 @" },
	{ EINVAL, "allocate 10 1KB @" },
	{ EINVAL, "allocate 10 1KiB @" },
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
	test_blanks();
	test_long_lines();
	test_binary();
	is_errno(swarm_cmd("remove_agent %d\n", AGENT), 0, "the agent goes");
	swarm_add_up("at the end");
	return tap_done();
}
