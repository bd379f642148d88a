// SPDX-License-Identifier: GPL-2.0-only
/*
 * There are no more agents than there can be, also where one template takes many cgroups
 * at once. What it could not take it takes as soon as there is room.
 *
 * vm: --load --gpu none --mem 1024 --timeout 300
 */
#include "cgroup.h"
#include "swarm.h"

#define AGENTS_MAX	65536
#define ROOM		40
#define CGROUPS		200
#define BYTES		(32 * 1024)
#define WAIT_SECONDS	60

static long agents(void)
{
	char *text = swarm_read("agents"), *at = text;
	long lines = -1;

	for (; (at = strchr(at, '\n')); at++)
		lines++;
	free(text);
	return lines;
}

static bool there_are(const void *arg)
{
	return agents() >= *(const long *)arg;
}

/* Agents with the ids from 1 on, as many lines a write as fit. */
static void make_agents(int count)
{
	int fd = swarm_open("control", O_WRONLY), i = 1, len;
	static char text[BYTES + 32];

	while (i <= count) {
		for (len = 0; i <= count && len < BYTES; i++)
			len += sprintf(text + len, "create_agent %d\n", i);
		if (write(fd, text, len) != len)
			bail("agent %d", i);
	}
	close(fd);
}

static void make_cgroups(int (*change)(const char *name))
{
	char name[32];
	int i;

	for (i = 0; i < CGROUPS; i++) {
		snprintf(name, sizeof(name), "full/%d", i);
		if (change(name))
			bail("%s", name);
	}
}

int main(void)
{
	const long most = AGENTS_MAX;
	int i;

	make_agents(AGENTS_MAX - ROOM - 1);
	is(agents(), AGENTS_MAX - ROOM, "there is room for %d more", ROOM);
	cgroup_make("full");
	make_cgroups(cgroup_make);
	is_errno(swarm_cmd("template /full/* 1G\n"), 0, "a template of %d cgroups", CGROUPS);
	ok(swarm_wait(there_are, &most, WAIT_SECONDS), "as many as can be become agents");
	sleep(1);
	is(agents(), AGENTS_MAX, "and no more");
	ok(swarm_stat("templates_failed") >= CGROUPS - ROOM, "the others are counted");
	is_errno(swarm_cmd("create_agent %d\n", AGENTS_MAX), ENOSPC, "nor by command");
	for (i = 1; i <= CGROUPS / 2; i++)
		if (swarm_cmd("remove_agent %d\n", i))
			bail("removing an agent");
	ok(swarm_wait(there_are, &most, WAIT_SECONDS), "where some go, others are taken");
	is_errno(swarm_cmd("remove_template /full/*\n"), 0, "remove the template");
	make_cgroups(cgroup_remove);
	cgroup_remove("full");
	return tap_done();
}
