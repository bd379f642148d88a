// SPDX-License-Identifier: GPL-2.0-only
/*
 * The file config has all that commands have set up, as commands: written to control, it
 * sets up the same again, and what it set up already stays as it is. It reads the same
 * in small pieces as at once, and is for CAP_SYS_ADMIN only. Comments are no commands.
 *
 * vm: --load --mem 512 --timeout 180
 */
#define _GNU_SOURCE
#include <linux/capability.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "cgroup.h"
#include "swarm.h"

#define MANY		scaled(20000)
#define MANY_FIRST	1000

static __u64 device;

static int contains(const char *config, const char *line)
{
	size_t len = strlen(line);
	const char *at = config;

	for (at = config; (at = strstr(at, line)); at += len)
		if ((at == config || at[-1] == '\n') && at[len] == '\n')
			return 1;
	return 0;
}

static __printf(2, 3)
void tells(const char *config, const char *fmt, ...)
{
	char line[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	ok(contains(config, line), "there is: %s", line);
}

/* Without what a template makes, whose agents' ids are new each time. */
static void set_up(void)
{
	__u64 id = 0;

	if (cgroup_make("tenant a") || cgroup_make("job-1"))
		bail("making cgroups");
	is_errno(swarm_cmd("set_capacity %llu 3G\ncreate_agent 7 1G tenant-a\ncreate_agent 8\n"
			   "set_quota 7 64M %llu\ngrant 7 0x1000-0x2fff r\n"
			   "grant 8 0x3000-0x3fff rw\n"
			   "bind 7 cgroup:/tenant\\040a\nbind 8 cgroup:/not-yet later\nbind 8 pid:%d\n"
			   "template /job-* 16M\npolicy audit\n", device, device, getpid()), 0,
		 "config: agents, limits, rules, bindings, a template and a policy are set up");
	if (swarm_allocate(8, 4096, device, &id))
		bail("allocate");
	is_errno(swarm_cmd("grant 7 buf=%llu r\n", id), 0, "config: and a rule on a buffer");
}

static void test_lines(void)
{
	char *config = swarm_read("config");

	tells(config, "set_capacity %llu 3221225472", device);
	tells(config, "set_quota 0 max");
	tells(config, "set_quota 7 1073741824");
	tells(config, "name 7 tenant-a");
	tells(config, "set_quota 8 max");
	tells(config, "set_quota 7 67108864 %llu", device);
	tells(config, "grant 7 0x1000-0x2fff r");
	tells(config, "grant 8 0x3000-0x3fff rw");
	tells(config, "bind 7 cgroup:/tenant\\040a later");
	tells(config, "bind 8 cgroup:/not-yet later");
	tells(config, "# bind 8 pid:%d", getpid());
	tells(config, "template /job-* 16777216");
	tells(config, "policy audit");
	ok(strstr(config, "\n# grant 7 buf="), "config: the rule on a buffer is a comment");
	ok(!strstr(config, "job-1"), "config: the template's agent is left out");
	ok(strstr(config, "\npolicy audit\n")[strlen("\npolicy audit\n")] == '\0',
	   "config: the policy is last");
	free(config);
}

static void take_down(void)
{
	is_errno(swarm_cmd("remove_template /job-*\nremove_agent 7\nremove_agent 8\n"
			   "set_capacity %llu max\npolicy off\n", device), 0,
		 "config: all of it is taken down");
}

/* The text without its comments. */
static char *commands_of(const char *config)
{
	char *text = calloc(1, strlen(config) + 1), *to = text;
	const char *end;

	for (; *config; config = end) {
		end = strchr(config, '\n') + 1;
		if (*config != '#') {
			memcpy(to, config, end - config);
			to += end - config;
		}
	}
	return text;
}

static void test_again(void)
{
	char *config = swarm_read("config"), *commands, *again;

	take_down();
	is_errno(swarm_write("control", config), 0,
		 "config: what config said is written to control");
	commands = commands_of(config);
	again = swarm_read("config");
	is_str(commands_of(again), commands, "config: and is all there again");
	is_errno(swarm_write("control", again), 0, "config: once more, on top of itself");
	free(again);
	again = swarm_read("config");
	is_str(commands_of(again), commands, "config: it changes nothing");
	free(again);
	free(commands);
	free(config);
}

static void test_pieces(void)
{
	static const size_t chunks[] = { 1, 7, 4095 };
	char *config, *pieces;
	int i;

	for (i = 0; i < MANY; i++)
		if (swarm_cmd("create_agent %d %d\nset_quota %d 1M %llu\n", MANY_FIRST + i,
			      4096 + i, MANY_FIRST + i, device))
			bail("an agent");
	config = swarm_read("config");
	tells(config, "set_quota %d %d", MANY_FIRST + MANY - 1, 4096 + MANY - 1);
	tells(config, "set_quota %d 1048576 %llu", MANY_FIRST + MANY - 1, device);
	tells(config, "policy audit");
	for (i = 0; i < 3; i++) {
		pieces = swarm_read_by("config", chunks[i]);
		ok(!strcmp(pieces, config), "%d agents by %zu bytes: the same", MANY, chunks[i]);
		free(pieces);
	}
	free(config);
}

static void drop_capability(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &header, data))
		bail("capget");
	data[0].effective &= ~(1U << CAP_SYS_ADMIN);
	data[0].permitted &= ~(1U << CAP_SYS_ADMIN);
	if (syscall(SYS_capset, &header, data))
		bail("capset");
}

static int open_error(bool as_nobody)
{
	int status;

	if (!fork()) {
		if (as_nobody && (setgid(65534) || setuid(65534)))
			_exit(1);
		if (!as_nobody)
			drop_capability();
		_exit(open("/proc/swarm/gpu/config", O_RDONLY) < 0 ? errno : 0);
	}
	wait(&status);
	return WEXITSTATUS(status);
}

static void test_comments(void)
{
	long long before = swarm_stat("commands");

	is_errno(swarm_write("control", "# a comment of more words than a command has\n"
			     "  #\n\n#policy nonsense\n"), 0, "comments: comments are no commands");
	is(swarm_stat("commands"), before, "comments: and are not counted");
	is_errno(swarm_write("quotas", "# AGENT BYTES\n7 2G\n"), 0, "comments: quotas takes them");
	is(swarm_get("agents", "ID", 7, "QUOTA"), 2LL << 30, "comments: and the line behind");
	is_errno(swarm_write("dma_permissions", "# a rule\n"), 0,
		 "comments: dma_permissions takes them");
	is_errno(swarm_write("control", "policy audit # now\n"), EINVAL,
		 "comments: behind a command it is a word");
}

int main(void)
{
	device = swarm_device(NULL);
	set_up();
	test_lines();
	test_again();
	test_comments();
	test_pieces();
	is_errno(open_error(true), EACCES, "nobody may not open config");
	is_errno(open_error(false), EPERM, "nor root without CAP_SYS_ADMIN");
	take_down();
	return tap_done();
}
