/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The roster: what agents are called, and what is bound to them.
 */
#ifndef TOOL_ROSTER_H
#define TOOL_ROSTER_H

#include <stdbool.h>
#include <stddef.h>

struct roster_binding {
	char *agent, *binding;
	bool waits;
};

struct roster {
	struct roster_agent {
		char *id, *name;
	} *agents;
	size_t agent_count, agent_room;
	struct roster_binding *bindings;
	size_t binding_count, binding_room;
};

int roster_read(struct roster *r);
void roster_free(struct roster *r);
char *roster_called(const struct roster *r, const char *id);
char *roster_bindings(const struct roster *r, const char *id);
const struct roster_binding *roster_of_cgroup(const struct roster *r, const char *path);
const struct roster_binding *roster_of_pid(const struct roster *r, const char *pid);

#endif
