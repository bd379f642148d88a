// SPDX-License-Identifier: GPL-2.0-only
/*
 * Agents have names: each is one agent's, is taken wherever an agent's id is, stands in
 * the tables, and goes with its agent. What is no name is refused. While names come and
 * go on all CPUs, each that is found is the agent's that has it.
 *
 * vm: --load --mem 512 --timeout 180
 */
#define _GNU_SOURCE
#include <sys/wait.h>

#include "cgroup.h"
#include "swarm.h"

#define NAME_63		"a23456789b23456789c23456789d23456789e23456789f23456789g23456789"
#define RACERS		4
#define RACE_ROUNDS	scaled(4000)
#define MANY		scaled(20000)

static __u64 device;

static void works(int err, const char *what)
{
	is_errno(err, 0, "%s", what);
}

/* What the row of agents has as NAME. */
static void name_is(__u64 agent, const char *name, const char *when)
{
	struct swarm_table t;
	long row;

	swarm_load(&t, "agents");
	row = swarm_find_u64(&t, 0, "ID", agent);
	is_str(row < 0 ? NULL : swarm_cell(&t, row, "NAME"), name, "NAME of agent %llu is %s: %s",
	       agent, name, when);
	swarm_unload(&t);
}

/* NAME of the first row of @file with that AGENT. */
static void row_has(const char *file, __u64 agent, const char *name)
{
	struct swarm_table t;
	long row;

	swarm_load(&t, file);
	row = swarm_find_u64(&t, 0, "AGENT", agent);
	is_str(row < 0 ? NULL : swarm_cell(&t, row, "NAME"), name, "NAME in %s of agent %llu is %s",
	       file, agent, name);
	swarm_unload(&t);
}

static void test_given(void)
{
	works(swarm_cmd("create_agent 7 1G tenant-a\n"), "an agent with a name");
	name_is(7, "tenant-a", "as it was made");
	row_has("quotas", 7, "tenant-a");
	name_is(0, "-", "at first");
	works(swarm_cmd("create_agent 8 max\nname 8 _b.c:d@e-9\n"), "agent 8 gets a name");
	name_is(8, "_b.c:d@e-9", "given by name");
	works(swarm_cmd("name 8 " NAME_63 "\n"), "agent 8 gets a name of 63 characters");
	name_is(8, NAME_63, "instead of its old one");
	works(swarm_cmd("name " NAME_63 " b\n"), "agent 8 gets another name, by its name");
	name_is(8, "b", "given by its old name");
	works(swarm_cmd("name b b\n"), "agent 8 gets the name that it has");
	name_is(8, "b", "given again");
	works(swarm_cmd("name 0 host\n"), "agent 0 gets a name like others");
	name_is(0, "host", "given");
	works(swarm_cmd("name host -\nname 0 -\n"), "the name of agent 0 is taken back, twice");
	name_is(0, "-", "taken back");
}

static void test_refused(void)
{
	static const char * const no_names[] = { "9a", "9", "-a", ".a", ":a", "@a", "+a", "a+",
		"a/b", "/a", "a\\040b", "a,b", "a=b", "a\"b", "a*", "a\xc3\xa4", "\xc3\xa4",
		"a\x01", NAME_63 "0", "--" };
	size_t i;

	is_errno(swarm_cmd("create_agent 9 max b\n"), EEXIST, "create_agent with a name in use");
	ok(!swarm_has("agents", "ID", 9), "create_agent with a name in use makes no agent");
	is_errno(swarm_cmd("create_agent 8 max c\n"), EEXIST, "create_agent where there is one");
	name_is(8, "b", "after a create_agent that failed");
	is_errno(swarm_cmd("name c d\n"), ENOENT, "a create_agent that failed leaves no name");
	is_errno(swarm_cmd("name 7 b\n"), EEXIST, "name: a name in use cannot be had");
	name_is(7, "tenant-a", "after it was refused another's");
	is_errno(swarm_cmd("name 9 nine\n"), ENOENT, "name: no such agent");
	is_errno(swarm_cmd("name 7\n"), EINVAL, "name: too few words");
	is_errno(swarm_cmd("name 7 a b\n"), EINVAL, "name: too many words");
	is_errno(swarm_cmd("create_agent b\n"), EINVAL, "create_agent wants an id");
	for (i = 0; i < sizeof(no_names) / sizeof(*no_names); i++) {
		is_errno(swarm_cmd("name 7 %s\n", no_names[i]), EINVAL,
			 "name: bad name %zu", i);
		is_errno(swarm_cmd("create_agent 9 max %s\n", no_names[i]), EINVAL,
			 "create_agent: bad name %zu", i);
	}
	name_is(7, "tenant-a", "after bad names");
	ok(!swarm_has("agents", "ID", 9), "bad names make no agent");
}

/* Each command that takes an agent, by the name "b" of agent 8. */
static void test_everywhere(void)
{
	__u64 id = 0;
	int fd;

	works(cgroup_make("names"), "a cgroup");
	works(swarm_cmd("set_quota b 1Mi\n"), "set_quota");
	works(swarm_cmd("set_quota b 512k %llu\n", device), "set_quota of a device");
	is(swarm_get("agents", "ID", 8, "QUOTA"), 1 << 20, "set_quota by name is agent 8's");
	works(swarm_write("quotas", "b 2M\n"), "a line of quotas by name");
	is(swarm_get("agents", "ID", 8, "QUOTA"), 2 << 20, "a line of quotas by name is agent 8's");
	works(swarm_cmd("bind b cgroup:/names\n"), "bind");
	row_has("bindings", 8, "b");
	works(swarm_cmd("unbind b cgroup:/names\n"), "unbind");
	works(swarm_cmd("allocate b 4096 %llu\n", device), "allocate");
	is(swarm_get("agents", "ID", 8, "USED"), 4096, "allocate by name charges agent 8");
	works(swarm_allocate(8, 4096, device, &id), "a buffer of agent 8");
	works(swarm_cmd("lock %llu b shared\nunlock %llu b\n", id, id), "lock and unlock");
	works(swarm_cmd("grant b 0x1000+4Ki rw\ncheck b 0x1000 rw\nrevoke b 0x1000\n"),
	      "grant, check and revoke");
	is_errno(swarm_cmd("check b 0x1000 rw\n"), EACCES, "the check was agent 8's");
	works(swarm_write("dma_permissions", "b:0x2000-0x2fff:r\n"), "dma_permissions");
	works(swarm_cmd("check 8 0x2000 r\nrevoke b\n"), "a rule of agent 8");
	works(swarm_cmd("name b a:b:c\n"), "an agent gets a name with colons");
	works(swarm_write("dma_permissions", "a:b:c:0x2000:r\n"),
	      "dma_permissions takes a name with colons");
	works(swarm_cmd("check a:b:c 0x2000 r\nrevoke a:b:c\nname a:b:c b\n"),
	      "commands take a name with colons");
	works(swarm_cmd("create_context b %llu\n", device), "create_context");
	works(swarm_cmd("reset_agent b\n"), "reset_agent");
	works(swarm_cmd("remove_agent b\n"), "remove_agent");
	ok(!swarm_has("agents", "ID", 8), "agent 8 is removed by name");
	is_errno(swarm_cmd("set_quota b 1M\n"), ENOENT, "the name goes with its agent");
	ok(!swarm_has("agents", "ID", 8), "set_quota of an unknown name makes no agent");
	is_errno(swarm_write("dma_permissions", "b:0x2000:r\n"), ENOENT,
		 "a rule of a name that is not known");
	is_errno(swarm_cmd("set_quota /jobs/a 1M\n"), ENOENT, "set_quota of a path");
	works(swarm_cmd("create_agent 9 max b\nremove_agent 9\n"),
	      "another agent may have the name");
	works(cgroup_remove("names"), "the cgroup goes");
	fd = swarm_open("control", O_WRONLY);
	is_errno(write(fd, "allocate b 1 0", 14) < 0 ? errno : 0, ENOENT, "no agent of that name");
	close(fd);
}

/* Digits are an id, whatever agent there is. */
static void test_ids(void)
{
	works(swarm_cmd("create_agent 0x20 max x20\n"), "an agent of id 0x20, called x20");
	works(swarm_cmd("set_quota x20 1k\nset_quota 0x20 2k\n"), "set_quota of 0x20 and of x20");
	is(swarm_get("agents", "ID", 32, "QUOTA"), 2048, "0x20 and x20 are one agent");
	is_errno(swarm_cmd("set_quota 0x 1k\n"), EINVAL, "0x is no name");
	works(swarm_cmd("remove_agent x20\n"), "the agent x20 is removed");
}

static void test_many(void)
{
	int i, err = 0, fd = swarm_open("control", O_WRONLY);
	struct swarm_table t;
	char line[96];
	long row, wrong = 0;

	for (i = 0; i < MANY; i++) {
		snprintf(line, sizeof(line), "create_agent %d max job-%d\n", 100 + i, i);
		err |= write(fd, line, strlen(line)) < 0;
	}
	for (i = 0; i < MANY; i++) {
		snprintf(line, sizeof(line), "set_quota job-%d %d\n", i, i);
		err |= write(fd, line, strlen(line)) < 0;
	}
	is(err, 0, "%d agents of names of their own", MANY);
	swarm_load(&t, "agents");
	for (row = 0; row < t.rows; row++) {
		if (swarm_u64(&t, row, "ID") < 100)
			continue;
		snprintf(line, sizeof(line), "job-%llu", swarm_u64(&t, row, "ID") - 100);
		wrong += strcmp(line, swarm_cell(&t, row, "NAME")) ||
			 swarm_u64(&t, row, "QUOTA") != swarm_u64(&t, row, "ID") - 100;
	}
	swarm_unload(&t);
	is(wrong, 0, "each quota set by name is that agent's");
	for (i = 0; i < MANY; i++) {
		snprintf(line, sizeof(line), "remove_agent job-%d\n", i);
		if (i % 100 == 0)
			err |= write(fd, line, strlen(line)) < 0;
	}
	is(err, 0, "some agents are removed by name");
	close(fd);
	swarm_load(&t, "agents");
	for (row = 0; row < t.rows; row++)
		if (swarm_u64(&t, row, "ID") >= 100 && row % 100 == 0)
			err |= swarm_cmd("name %s -\n", swarm_cell(&t, row, "NAME"));
	is(err, 0, "some agents lose their names");
	swarm_unload(&t);
}

/*
 * Racers take names from a few and give them back, and use them. A quota that is set by
 * name is that of a name's agent, of whichever it was: all are one size or another.
 */
static void race(int racer)
{
	unsigned int state = racer + 1;
	int i;

	for (i = 0; i < RACE_ROUNDS; i++) {
		switch (rand_r(&state) % 5) {
		case 0:
			swarm_cmd("name %d r%d\n", 10 + rand_r(&state) % 4, rand_r(&state) % 3);
			break;
		case 1:
			swarm_cmd("name r%d -\n", rand_r(&state) % 3);
			break;
		case 2:
			/* Each takes grace periods. */
			if (rand_r(&state) % 20 == 0)
				swarm_cmd("remove_agent r%d\n", rand_r(&state) % 3);
			break;
		case 3:
			swarm_cmd("create_agent %d max r%d\n", 10 + rand_r(&state) % 4,
				  rand_r(&state) % 3);
			break;
		default:
			swarm_cmd("set_quota r%d 1M\n", rand_r(&state) % 3);
		}
	}
	_exit(0);
}

static void test_race(void)
{
	int i, status, wrong = 0;
	struct swarm_table t;
	long row, twice = 0;

	for (i = 0; i < RACERS; i++)
		if (!fork())
			race(i);
	for (i = 0; i < RACERS; i++)
		wrong |= wait(&status) < 0 || status;
	is(wrong, 0, "%d processes race for names", RACERS);
	swarm_load(&t, "agents");
	for (row = 0; row < t.rows; row++)
		if (strcmp(swarm_cell(&t, row, "NAME"), "-"))
			twice += swarm_find(&t, row + 1, "NAME", swarm_cell(&t, row, "NAME")) >= 0;
	is(twice, 0, "no name is two agents'");
	swarm_unload(&t);
	for (i = 10; i < 14; i++)
		swarm_cmd("remove_agent %d\n", i);
	for (i = 0; i < 3; i++)
		is_errno(swarm_cmd("set_quota r%d 1M\n", i), ENOENT,
			 "the name r%d is gone with its agent", i);
}

int main(void)
{
	device = swarm_device(NULL);
	if (device == SWARM_NONE)
		bail("no device");
	test_given();
	test_refused();
	test_everywhere();
	test_ids();
	test_race();
	test_many();
	swarm_add_up("at the end");
	return tap_done();
}
