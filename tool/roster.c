// SPDX-License-Identifier: GPL-2.0-only
/*
 * The roster: what agents are called, and what is bound to them.
 */

#include <stdlib.h>
#include <string.h>

#include "agent.h"
#include "cgroup.h"
#include "message.h"
#include "roster.h"
#include "table.h"
#include "word.h"

static void add_agent(struct roster *r, const struct table *t)
{
	r->agents = grow(r->agents, &r->agent_room, r->agent_count + 1, sizeof(*r->agents));
	r->agents[r->agent_count++] = (struct roster_agent){
		must(strdup(table_cell(t, "ID"))), must(strdup(table_cell(t, "NAME"))),
	};
}

static void add_binding(struct roster *r, const struct table *t)
{
	r->bindings = grow(r->bindings, &r->binding_room, r->binding_count + 1,
			   sizeof(*r->bindings));
	r->bindings[r->binding_count++] = (struct roster_binding){
		must(strdup(table_cell(t, "AGENT"))), must(strdup(table_cell(t, "BINDING"))),
		table_is(t, "STATE", "waiting"),
	};
}

static int read_rows(struct roster *r, const char *name,
		     void (*add)(struct roster *r, const struct table *t))
{
	struct table t;
	int got;

	if (table_open(&t, name))
		return -1;
	while ((got = table_next(&t)) > 0)
		add(r, &t);
	table_close(&t);
	return got;
}

/**
 * roster_read() - read agents and bindings
 * @r: receives them; to be given to roster_free(), also after an error
 *
 * Return: 0; or -1, and what is wrong has been said.
 */
int roster_read(struct roster *r)
{
	*r = (struct roster){ 0 };
	return read_rows(r, "agents", add_agent) || read_rows(r, "bindings", add_binding) ? -1 : 0;
}

/**
 * roster_free() - forget them
 * @r: what roster_read() filled
 */
void roster_free(struct roster *r)
{
	while (r->agent_count--) {
		free(r->agents[r->agent_count].id);
		free(r->agents[r->agent_count].name);
	}
	while (r->binding_count--) {
		free(r->bindings[r->binding_count].agent);
		free(r->bindings[r->binding_count].binding);
	}
	free(r->agents);
	free(r->bindings);
	*r = (struct roster){ 0 };
}

/**
 * roster_called() - how an agent is called in sentences
 * @r: the roster
 * @id: its id
 *
 * Return: as agent_called(); to be given to free().
 */
char *roster_called(const struct roster *r, const char *id)
{
	size_t i;

	for (i = 0; i < r->agent_count; i++)
		if (!strcmp(r->agents[i].id, id))
			return agent_called(id, r->agents[i].name);
	return agent_called(id, "-");
}

/**
 * roster_bindings() - what is bound to an agent
 * @r: the roster
 * @id: its id
 *
 * Return: its bindings for people's eyes, separated by commas, "" if it has none; to be given
 * to free().
 */
char *roster_bindings(const struct roster *r, const char *id)
{
	char *list = must(strdup("")), *shown, *longer;
	size_t i;

	for (i = 0; i < r->binding_count; i++) {
		const struct roster_binding *b = &r->bindings[i];

		if (strcmp(b->agent, id))
			continue;
		shown = word_shown(b->binding);
		longer = text("%s%s%s%s", list, *list ? ", " : "", shown,
			      b->waits ? " (waits)" : "");
		free(shown);
		free(list);
		list = longer;
	}
	return list;
}

/**
 * roster_of_cgroup() - the binding that a cgroup's processes work by
 * @r: the roster
 * @path: of the cgroup, as cgroup_path() returns it
 *
 * Return: that of the cgroup, or of the nearest one above; NULL if there is none.
 */
const struct roster_binding *roster_of_cgroup(const struct roster *r, const char *path)
{
	const struct roster_binding *found = NULL;
	size_t longest = 0, i;

	for (i = 0; i < r->binding_count; i++) {
		const struct roster_binding *b = &r->bindings[i];
		char *bound = cgroup_path(b->binding);

		/* Those outside the reader's namespace are "cgroup:-". */
		if (bound && strcmp(b->binding, "cgroup:-") && strlen(bound) > longest &&
		    (!b->waits || !strcmp(bound, path)) && cgroup_is_within(path, bound)) {
			longest = strlen(bound);
			found = b;
		}
		free(bound);
	}
	return found;
}

/**
 * roster_of_pid() - the binding of a process itself
 * @r: the roster
 * @pid: its number
 *
 * Return: the binding; NULL if there is none.
 */
const struct roster_binding *roster_of_pid(const struct roster *r, const char *pid)
{
	size_t i;

	for (i = 0; i < r->binding_count; i++) {
		const struct roster_binding *b = &r->bindings[i];

		if (!strncmp(b->binding, "pid:", 4) && !strcmp(b->binding + 4, pid))
			return b;
	}
	return NULL;
}
