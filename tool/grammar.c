// SPDX-License-Identifier: GPL-2.0-only
/*
 * Grammar: whether the module would take a command, without giving it.
 *
 * What commands there are, and what words each wants, is what control says when it is opened
 * and read: lines as "set_quota AGENT BYTES|max [DEV]". What agents, names and devices there are
 * is read once; those that the lines would make are kept in mind.
 */

#include <ctype.h>
#include <errno.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "grammar.h"
#include "message.h"
#include "table.h"

#define WORDS_MAX	8

/* The longest name of an agent. */
#define NAME_MAX_LEN	63

struct usage {
	char *whole, *line;
	char *words[WORDS_MAX];		/* the command, and the kinds of what follows */
	size_t least, most;		/* words */
};

struct known_agent {
	uint64_t id;
	char *name;
};

struct grammar {
	struct usage *usages;
	size_t usage_count, usage_room;
	void *agents, *names;		/* struct known_agent, by tsearch() */
	char **devices;
	size_t device_count, device_room;
};

static void add_usage(struct grammar *g, const char *line)
{
	struct usage *usage;
	char *rest, *word;

	g->usages = grow(g->usages, &g->usage_room, g->usage_count + 1, sizeof(*g->usages));
	usage = &g->usages[g->usage_count++];
	*usage = (struct usage){ .whole = must(strdup(line)), .line = must(strdup(line)) };
	for (rest = usage->line; usage->most < WORDS_MAX && (word = strsep(&rest, " "));) {
		if (*word != '[')
			usage->least++;
		word += *word == '[';
		word[strcspn(word, "]")] = '\0';
		usage->words[usage->most++] = word;
	}
}

static int read_usages(struct grammar *g)
{
	char *path = table_path("control"), *line = NULL;
	FILE *file = fopen(path, "re");
	size_t size = 0;
	ssize_t len;

	while (file && (len = getline(&line, &size, file)) > 0) {
		if (line[len - 1] == '\n')
			line[len - 1] = '\0';
		if (islower((unsigned char)*line))
			add_usage(g, line);
	}
	if (!file || ferror(file) || !g->usage_count)
		say("%s does not list the commands", path);
	if (file)
		fclose(file);
	free(line);
	free(path);
	return g->usage_count ? 0 : -1;
}

static int compare_ids(const void *a, const void *b)
{
	const struct known_agent *one = a, *other = b;

	return (one->id > other->id) - (one->id < other->id);
}

static int compare_names(const void *a, const void *b)
{
	const struct known_agent *one = a, *other = b;

	return strcmp(one->name, other->name);
}

static void take_name(struct grammar *g, struct known_agent *agent)
{
	if (!word_is_unknown(agent->name))
		tdelete(agent, &g->names, compare_names);
	free(agent->name);
	agent->name = NULL;
}

static void give_name(struct grammar *g, struct known_agent *agent, const char *name)
{
	agent->name = must(strdup(name));
	if (!word_is_unknown(name))
		must(tsearch(agent, &g->names, compare_names));
}

static void add_agent(struct grammar *g, uint64_t id, const char *name)
{
	struct known_agent *agent = make(1, sizeof(*agent));

	agent->id = id;
	must(tsearch(agent, &g->agents, compare_ids));
	give_name(g, agent, name);
}

static void free_agent(void *data)
{
	struct known_agent *agent = data;

	free(agent->name);
	free(agent);
}

static void keep_agent(void *data)
{
	(void)data;
}

static int read_agents(struct grammar *g)
{
	struct table t;
	int got;

	if (table_open(&t, "agents"))
		return -1;
	while ((got = table_next(&t)) > 0)
		add_agent(g, table_number(&t, "ID"), table_cell(&t, "NAME"));
	table_close(&t);
	return got;
}

static int read_devices(struct grammar *g)
{
	struct table t;
	int got;

	if (table_open(&t, "devices"))
		return -1;
	while ((got = table_next(&t)) > 0) {
		g->devices = grow(g->devices, &g->device_room, g->device_count + 1,
				  sizeof(*g->devices));
		g->devices[g->device_count++] = must(strdup(table_cell(&t, "ID")));
	}
	table_close(&t);
	return got;
}

/**
 * grammar_read() - learn what the module takes
 *
 * Return: to be given to grammar_free(); NULL if it cannot be read, which has been said.
 */
struct grammar *grammar_read(void)
{
	struct grammar *g = make(1, sizeof(*g));

	if (!read_usages(g) && !read_agents(g) && !read_devices(g))
		return g;
	grammar_free(g);
	return NULL;
}

/**
 * grammar_free() - forget it
 * @g: what grammar_read() returned
 */
void grammar_free(struct grammar *g)
{
	while (g->usage_count) {
		g->usage_count--;
		free(g->usages[g->usage_count].whole);
		free(g->usages[g->usage_count].line);
	}
	tdestroy(g->names, keep_agent);
	tdestroy(g->agents, free_agent);
	while (g->device_count)
		free(g->devices[--g->device_count]);
	free(g->usages);
	free(g->devices);
	free(g);
}

/* Decimal, or hex with 0x. Returns 0, -EINVAL or -ERANGE. */
static int parse_number(const char *word, uint64_t *number)
{
	bool hex = word[0] == '0' && tolower((unsigned char)word[1]) == 'x';
	const char *digits = hex ? word + 2 : word;

	if (!*digits ||
	    digits[strspn(digits, hex ? "0123456789abcdefABCDEF" : "0123456789")])
		return -EINVAL;
	errno = 0;
	*number = strtoull(digits, NULL, hex ? 16 : 10);
	return -errno;
}

/* A number that may end in K, M, G or T, with i or iB behind. */
static int parse_size(const char *word, uint64_t *bytes)
{
	static const char units[] = "kmgt";
	size_t len = strlen(word);
	char *copy = must(strdup(word));
	const char *unit = NULL;
	int error;

	if (len > 3 && copy[len - 1] == 'B' && copy[len - 2] == 'i')
		len -= 2;
	else if (len > 2 && copy[len - 1] == 'i')
		len--;
	if (len > 1)
		unit = strchr(units, tolower((unsigned char)copy[len - 1]));
	if (unit)
		len--;
	copy[!unit && len != strlen(word) ? 0 : len] = '\0';
	error = parse_number(copy, bytes);
	free(copy);
	if (error || !unit)
		return error;
	if (*bytes >> (64 - 10 * (unit - units + 1)))
		return -ERANGE;
	*bytes <<= 10 * (unit - units + 1);
	return 0;
}

static bool is_name(const char *word)
{
	size_t len = strlen(word);

	if (!isalpha((unsigned char)*word) && *word != '_')
		return false;
	while (isalnum((unsigned char)*word) || (*word && strchr("_.:@-", *word)))
		word++;
	return len <= NAME_MAX_LEN && !*word;
}

static bool is_choice(const char *choices, const char *word)
{
	size_t len = strlen(word);

	for (; choices; choices = strchr(choices, '|')) {
		choices += *choices == '|';
		if (!strncmp(choices, word, len) && (!choices[len] || choices[len] == '|'))
			return true;
	}
	return false;
}

/* START-END, START+SIZE or START. Returns 0, -EINVAL or -ERANGE. */
static int check_range(const char *word)
{
	char *copy = must(strdup(word)), *rest = copy + strcspn(copy, "-+"), sign = *rest;
	uint64_t start, end = 0;
	int error;

	if (sign)
		*rest++ = '\0';
	error = parse_number(copy, &start);
	if (!error && sign == '-')
		error = parse_number(rest, &end);
	else if (!error && sign == '+')
		error = parse_size(rest, &end);
	if (!error && ((sign == '-' && end < start) || (sign == '+' && !end)))
		error = -EINVAL;
	if (!error && sign == '+' && start + end - 1 < start)
		error = -ERANGE;
	free(copy);
	return error;
}

static int check_target(const char *word)
{
	uint64_t number;

	if (!strncmp(word, "pid:", 4))
		return parse_number(word + 4, &number);
	return strncmp(word, "cgroup:", 7) ? -EINVAL : 0;
}

static int check_permitted(const char *word)
{
	uint64_t number;

	return strncmp(word, "buf=", 4) ? check_range(word) : parse_number(word + 4, &number);
}

/* What a word must be, by what usages call it; all others are numbers. */
static const struct kind_name {
	const char *kind, *what;
} kind_names[] = {
	{ "AGENT", "an agent's id or name" },
	{ "BYTES|max", "a size or max" },
	{ "MODE", "r, w, rw or -" },
	{ "NAME", "a name" },
	{ "NAME|-", "a name or -" },
	{ "PATTERN", "a pattern, which begins with / or *" },
	{ "QUOTA", "a size or max" },
	{ "RANGE|buf=ID", "a range or buf=ID" },
	{ "SIZE", "a size" },
	{ "cgroup:PATH|pid:N", "cgroup:PATH or pid:N" },
	{ "nowait|TIMEOUT_MS", "nowait or a number" },
};

static const char *kind_name(const char *kind)
{
	size_t i;

	for (i = 0; i < sizeof(kind_names) / sizeof(*kind_names); i++)
		if (!strcmp(kind_names[i].kind, kind))
			return kind_names[i].what;
	return isupper((unsigned char)*kind) ? "a number" : kind;
}

/* Returns 0, -EINVAL or -ERANGE. */
static int check_word(const char *kind, const char *word)
{
	uint64_t number;

	if (!strcmp(kind, "AGENT")) {
		if (isdigit((unsigned char)*word))
			return parse_number(word, &number);
		return is_name(word) || *word == '/' ? 0 : -EINVAL;
	}
	if (!strcmp(kind, "NAME") || !strcmp(kind, "NAME|-"))
		return is_name(word) || (kind[4] && word_is_unknown(word)) ? 0 : -EINVAL;
	if (!strcmp(kind, "BYTES|max") || !strcmp(kind, "QUOTA"))
		return strcmp(word, "max") ? parse_size(word, &number) : 0;
	if (!strcmp(kind, "SIZE"))
		return parse_size(word, &number) ? : number ? 0 : -EINVAL;
	if (!strcmp(kind, "MODE"))
		return is_choice("r|w|rw|-", word) ? 0 : -EINVAL;
	if (!strcmp(kind, "PATTERN"))
		return *word == '/' || *word == '*' ? 0 : -EINVAL;
	if (!strcmp(kind, "RANGE|buf=ID"))
		return check_permitted(word);
	if (!strcmp(kind, "cgroup:PATH|pid:N"))
		return check_target(word);
	if (!strcmp(kind, "nowait|TIMEOUT_MS"))
		return strcmp(word, "nowait") ? parse_number(word, &number) : 0;
	if (islower((unsigned char)*kind))
		return is_choice(kind, word) ? 0 : -EINVAL;
	return parse_number(word, &number);
}

static struct known_agent *find_agent(const struct grammar *g, const char *word)
{
	struct known_agent key = { .name = (char *)word }, **found;

	if (parse_number(word, &key.id))
		found = tfind(&key, &g->names, compare_names);
	else
		found = tfind(&key, &g->agents, compare_ids);
	return found ? *found : NULL;
}

static bool has_device(const struct grammar *g, const char *word)
{
	uint64_t id, other;
	size_t i;

	if (parse_number(word, &id))
		return false;
	for (i = 0; i < g->device_count; i++)
		if (word_number(g->devices[i], &other) && other == id)
			return true;
	return false;
}

static char *make_agent(struct grammar *g, const char *word, const char *name)
{
	uint64_t id;

	if (parse_number(word, &id))
		return text("no agent %s", word);
	if (id >> 32 == 1)
		return text("ids from 4294967296 to 8589934591 are those of templates");
	add_agent(g, id, name);
	return NULL;
}

static char *name_agent(struct grammar *g, struct known_agent *agent, const char *name)
{
	struct known_agent *other = word_is_unknown(name) ? NULL : find_agent(g, name);

	if (other && other != agent)
		return text("another agent is called %s", name);
	take_name(g, agent);
	give_name(g, agent, name);
	return NULL;
}

static void remove_agent(struct grammar *g, struct known_agent *agent)
{
	take_name(g, agent);
	tdelete(agent, &g->agents, compare_ids);
	free(agent);
}

/* What there must be, and must not, and what there is then. */
static char *check_agents(struct grammar *g, char **words, size_t count, const char *agent,
			  bool makes_agents)
{
	struct known_agent *known = agent ? find_agent(g, agent) : NULL;
	const char *command = words[0];

	if (!strcmp(command, "create_agent")) {
		if (find_agent(g, words[1]))
			return text("agent %s exists", words[1]);
		if (count > 3 && find_agent(g, words[3]))
			return text("another agent is called %s", words[3]);
		return make_agent(g, words[1], count > 3 ? words[3] : "-");
	}
	if (!agent)
		return NULL;
	if (!known && (makes_agents || !strcmp(command, "set_quota")))
		return make_agent(g, agent, "-");
	if (!known)
		return text("no agent %s", agent);
	if (!strcmp(command, "name"))
		return name_agent(g, known, words[2]);
	if (!strcmp(command, "remove_agent")) {
		if (!known->id)
			return text("agent 0 always exists");
		remove_agent(g, known);
	}
	return NULL;
}

static char *check_words(struct grammar *g, const struct usage *usage, char **words, size_t count,
			 bool makes_agents)
{
	const char *agent = NULL;
	size_t i;

	for (i = 1; i < count; i++) {
		int error = check_word(usage->words[i], words[i]);

		if (error == -ERANGE)
			return text("\"%s\" is too large", words[i]);
		if (error)
			return text("\"%s\" is not %s", words[i], kind_name(usage->words[i]));
		if (!strcmp(usage->words[i], "AGENT"))
			agent = words[i];
		if (!strcmp(usage->words[i], "DEV") && !has_device(g, words[i]))
			return text("no device %s", words[i]);
	}
	return check_agents(g, words, count, agent, makes_agents);
}

static const struct usage *find_usage(const struct grammar *g, const char *command)
{
	size_t i;

	for (i = 0; i < g->usage_count; i++)
		if (!strcmp(g->usages[i].words[0], command))
			return &g->usages[i];
	return NULL;
}

/**
 * grammar_check() - whether the module would take a line
 * @g: what grammar_read() returned; what the line would do is kept in mind
 * @line: a command without its newline
 * @makes_agents: an agent that the line names by an unknown id is made, as in the files quotas
 *	and dma_permissions
 *
 * What only the module knows, as which cgroups are bound, is not looked at.
 *
 * Return: what is wrong, as the module would say it, to be given to free(); NULL if nothing is.
 */
char *grammar_check(struct grammar *g, const char *line, bool makes_agents)
{
	char *copy = must(strdup(line)), *rest, *word, *words[WORDS_MAX + 1], *wrong;
	const struct usage *usage;
	size_t count = 0;

	for (rest = copy; count <= WORDS_MAX && (word = strsep(&rest, " \t\r\v\f"));)
		if (*word)
			words[count++] = word;
	usage = count ? find_usage(g, words[0]) : NULL;
	if (!count)
		wrong = NULL;
	else if (!usage)
		wrong = text("\"%s\" is not a command", words[0]);
	else if (count < usage->least || count > usage->most)
		wrong = text("usage: %s", usage->whole);
	else
		wrong = check_words(g, usage, words, count, makes_agents);
	free(copy);
	return wrong;
}
