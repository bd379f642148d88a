// SPDX-License-Identifier: GPL-2.0-only
/*
 * Configuration: what the module was told, in the grammar of the files that take it.
 *
 * Left out is what has other numbers the next time, bindings of processes and rules on buffers,
 * and what is of agents that templates have made, which come again with their cgroups.
 */

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "agent.h"
#include "cgroup.h"
#include "config.h"
#include "message.h"
#include "stats.h"
#include "table.h"

/* The longest cgroup:PATH that `bind ... later` takes. */
#define LATER_MAX	1000

struct device {
	char *id, *name;
	bool told;
};

struct devices {
	struct device *list;
	size_t count, room;
};

/* table, what to do with each of its rows, what that wants. */
static int each_row(const char *name, void (*run)(const struct table *t, FILE *file, void *data),
		    FILE *file, void *data)
{
	struct table t;
	int got;

	if (table_open(&t, name))
		return -1;
	while ((got = table_next(&t)) > 0)
		run(&t, file, data);
	table_close(&t);
	return got;
}

static void keep_device(const struct table *t, FILE *file, void *data)
{
	struct devices *devices = data;

	(void)file;
	devices->list = grow(devices->list, &devices->room, devices->count + 1,
			     sizeof(*devices->list));
	devices->list[devices->count++] = (struct device){
		must(strdup(table_cell(t, "ID"))), must(strdup(table_cell(t, "NAME"))), false,
	};
}

static void free_devices(struct devices *devices)
{
	while (devices->count--) {
		free(devices->list[devices->count].id);
		free(devices->list[devices->count].name);
	}
	free(devices->list);
}

/* A comment that tells which device an id is of, for restore to compare. */
static void tell_device(struct devices *devices, const char *id, FILE *file)
{
	size_t i;

	for (i = 0; i < devices->count; i++) {
		struct device *device = &devices->list[i];

		if (strcmp(device->id, id) || device->told)
			continue;
		fprintf(file, "# device %s %s\n", id, device->name);
		device->told = true;
	}
}

struct quotas {
	const char *before;	/* each line */
	struct devices devices;
};

static void put_quota(const struct table *t, FILE *file, void *data)
{
	struct quotas *quotas = data;
	const char *agent = table_cell(t, "AGENT"), *limit = table_cell(t, "LIMIT");
	const char *device = table_cell(t, "DEVICE");

	if (agent_is_of_template(agent))
		return;
	if (!strcmp(device, "all")) {
		fprintf(file, "%s%s %s\n", quotas->before, agent, limit);
	} else if (word_is_number(device) && strcmp(limit, "max")) {
		tell_device(&quotas->devices, device, file);
		fprintf(file, "%s%s %s %s\n", quotas->before, agent, limit, device);
	}
}

static int put_quotas(FILE *file, const char *before)
{
	struct quotas quotas = { .before = before };
	int status = each_row("devices", keep_device, NULL, &quotas.devices);

	if (!status)
		status = each_row("quotas", put_quota, file, &quotas);
	free_devices(&quotas.devices);
	return status;
}

static void put_capacity(const struct table *t, FILE *file, void *data)
{
	(void)data;
	if (!word_is_number(table_cell(t, "ID")) || !word_is_number(table_cell(t, "CAPACITY")))
		return;
	fprintf(file, "# device %s %s\n", table_cell(t, "ID"), table_cell(t, "NAME"));
	fprintf(file, "set_capacity %s %s\n", table_cell(t, "ID"), table_cell(t, "CAPACITY"));
}

static void put_name(const struct table *t, FILE *file, void *data)
{
	const char *name = table_cell(t, "NAME");

	(void)data;
	if ((isalpha((unsigned char)*name) || *name == '_') &&
	    !agent_is_of_template(table_cell(t, "ID")))
		fprintf(file, "name %s %s\n", table_cell(t, "ID"), name);
}

static void put_binding(const struct table *t, FILE *file, void *data)
{
	const char *agent = table_cell(t, "AGENT"), *binding = table_cell(t, "BINDING");

	(void)data;
	if (strncmp(binding, "cgroup:", 7) || agent_is_of_template(agent))
		return;
	/* Those of run end with what it runs. */
	if (!strncmp(binding, "cgroup:" RUN_PARENT "/", strlen("cgroup:" RUN_PARENT "/")))
		return;
	if (!strcmp(binding, "cgroup:-"))
		say("no path from here to a cgroup of agent %s, left out: %s", agent, binding);
	else
		fprintf(file, "bind %s %s%s\n", agent, binding,
			strlen(binding) > LATER_MAX ? "" : " later");
}

static void put_template(const struct table *t, FILE *file, void *data)
{
	(void)data;
	fprintf(file, "template %s %s\n", table_cell(t, "PATTERN"), table_cell(t, "QUOTA"));
}

static int put_commands(FILE *file)
{
	int status = each_row("devices", put_capacity, file, NULL);

	if (!status)
		status = each_row("agents", put_name, file, NULL);
	if (!status)
		status = each_row("bindings", put_binding, file, NULL);
	if (!status)
		status = each_row("templates", put_template, file, NULL);
	return status;
}

/* How a rule is written. */
struct rules {
	const char *before, *between;
};

static void put_rule(const struct table *t, FILE *file, void *data)
{
	const struct rules *rules = data;

	if (word_is_unknown(table_cell(t, "BUFFER")) &&
	    !agent_is_of_template(table_cell(t, "AGENT")))
		fprintf(file, "%s%s%s%s-%s%s%s\n", rules->before, table_cell(t, "AGENT"),
			rules->between, table_cell(t, "START"), table_cell(t, "END"),
			rules->between, table_cell(t, "MODE"));
}

/**
 * config_quotas() - all limits of agents, as the file quotas takes them
 * @file: where to
 *
 * Return: 0; or -1 if a table cannot be read, which has been said.
 */
int config_quotas(FILE *file)
{
	fputs("# AGENT BYTES|max [DEVICE], written by gpu-dma-lock save\n", file);
	return put_quotas(file, "");
}

/**
 * config_control() - capacities, names, bindings and templates, as commands
 * @file: where to
 *
 * Return: as config_quotas().
 */
int config_control(FILE *file)
{
	fputs("# commands, written by gpu-dma-lock save\n"
	      "# bindings of processes are left out: processes end before their numbers come again\n",
	      file);
	return put_commands(file);
}

/**
 * config_rules() - rules on ranges, as the file dma_permissions takes them
 * @file: where to
 *
 * Return: as config_quotas().
 */
int config_rules(FILE *file)
{
	fputs("# AGENT:START-END:MODE, written by gpu-dma-lock save; ", file);
	fputs("rules on buffers are left out\n", file);
	return each_row("dma_permissions", put_rule, file, &(struct rules){ "", ":" });
}

static int put_policy(FILE *file)
{
	struct stats stats;
	int status = stats_read(&stats, "stats");

	if (!status)
		fprintf(file, "policy %s\n", stats_text(&stats, "policy"));
	stats_free(&stats);
	return status;
}

static int copy_config(FILE *file)
{
	char *path = table_path("config"), *line = NULL;
	FILE *config = fopen(path, "re");
	size_t size = 0;
	ssize_t len;
	int status;

	while (config && (len = getline(&line, &size, config)) >= 0)
		fwrite(line, 1, len, file);
	status = !config || ferror(config) ? -1 : 0;
	if (status)
		say("%s cannot be read", path);
	if (config)
		fclose(config);
	free(line);
	free(path);
	return status;
}

/**
 * config_dump() - all that is configured, as commands
 * @file: where to
 *
 * It is what the module shows in its file config, if it has that.
 *
 * Return: as config_quotas().
 */
int config_dump(FILE *file)
{
	int status;

	if (table_is_there("config"))
		return copy_config(file);
	status = put_quotas(file, "set_quota ");
	if (!status)
		status = put_commands(file);
	if (!status)
		status = each_row("dma_permissions", put_rule, file,
				  &(struct rules){ "grant ", " " });
	return status ? status : put_policy(file);
}
