// SPDX-License-Identifier: GPL-2.0-only
/*
 * Agents: their ids and names.
 */

#include <stdlib.h>
#include <string.h>

#include "agent.h"
#include "message.h"
#include "table.h"

/* Ids of agents that templates have made. */
#define TEMPLATE_FIRST	4294967296ULL
#define TEMPLATE_LAST	8589934591ULL

/**
 * agent_find() - the agent that a word means, as the module's commands take it
 * @word: its id or its name
 * @id: receives its id, to be given to free(); NULL if there is no such agent
 *
 * Return: 0; or -1 if the agents could not be read, which has been said.
 */
int agent_find(const char *word, char **id)
{
	struct table t;
	int got;

	*id = NULL;
	if (table_open(&t, "agents"))
		return -1;
	while ((got = table_next(&t)) > 0) {
		if (!table_is(&t, "ID", word) &&
		    (word_is_unknown(word) || !table_is(&t, "NAME", word)))
			continue;
		*id = must(strdup(table_cell(&t, "ID")));
		break;
	}
	table_close(&t);
	return got < 0 ? -1 : 0;
}

/**
 * agent_is_of_template() - whether a template has made an agent
 * @id: its id
 *
 * Return: true if so. Then it comes again with its cgroup.
 */
bool agent_is_of_template(const char *id)
{
	uint64_t number;

	return word_number(id, &number) && number >= TEMPLATE_FIRST && number <= TEMPLATE_LAST;
}

/**
 * agent_called() - how an agent is called in sentences
 * @id: its id
 * @name: its name as tables have it, "-" if it has none
 *
 * Return: as "7 (tenant-a)"; to be given to free().
 */
char *agent_called(const char *id, const char *name)
{
	char *shown = word_shown(name), *called;

	called = word_is_unknown(name) ? text("%s", id) : text("%s (%s)", id, shown);
	free(shown);
	return called;
}
