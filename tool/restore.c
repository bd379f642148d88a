// SPDX-License-Identifier: GPL-2.0-only
/*
 * restore: what save or dump wrote, back into the module.
 *
 * Lines are written many at a time. The module takes them up to the first that fails, and says
 * how many bytes that were, so each that fails is known.
 */

#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent.h"
#include "cgroup.h"
#include "command.h"
#include "control.h"
#include "grammar.h"
#include "message.h"
#include "save.h"
#include "table.h"

/* Of a write the module takes 64 KiB. */
#define WRITE_MAX	(32 << 10)

#define WORDS_MAX	8

/* A line, of which blanks and comments are left out. */
struct line {
	char *text;		/* without its newline */
	size_t len;
	unsigned long number;
};

struct pair {
	char *key, *value;
};

struct pairs {
	struct pair *list;
	size_t count, room;
};

struct restoring {
	const char *name;	/* of the file that is read, for messages */
	const char *target;	/* control, quotas or dma_permissions */
	int fd;			/* of that; -1 for a dry run */
	struct grammar *grammar;	/* of a dry run */
	struct line *lines;
	size_t count, room;
	struct pairs devices, devices_then;
	void *bound;		/* lines of bindings that there are, by tsearch() */
	int status;
};

static void add_pair(struct pairs *pairs, const char *key, const char *value)
{
	pairs->list = grow(pairs->list, &pairs->room, pairs->count + 1, sizeof(*pairs->list));
	pairs->list[pairs->count++] = (struct pair){ must(strdup(key)), must(strdup(value)) };
}

static const char *find_pair(const struct pairs *pairs, const char *key)
{
	size_t i;

	for (i = pairs->count; i--;)
		if (!strcmp(pairs->list[i].key, key))
			return pairs->list[i].value;
	return NULL;
}

static int compare_lines(const void *a, const void *b)
{
	return strcmp(a, b);
}

static void add_bound(struct restoring *r, char *line)
{
	char **kept = must(tsearch(line, &r->bound, compare_lines));

	if (*kept != line)
		free(line);
}

static void forget_bound(struct restoring *r)
{
	tdestroy(r->bound, free);
	r->bound = NULL;
}

static void free_pairs(struct pairs *pairs)
{
	while (pairs->count) {
		pairs->count--;
		free(pairs->list[pairs->count].key);
		free(pairs->list[pairs->count].value);
	}
	free(pairs->list);
	*pairs = (struct pairs){ 0 };
}

/* Words of a line, in a copy of it that the caller frees. Returns their number. */
static size_t words_of(const struct line *line, char **copy, char **words)
{
	char *rest, *word;
	size_t count = 0;

	*copy = must(strdup(line->text));
	for (rest = *copy; count < WORDS_MAX && (word = strsep(&rest, " \t\r\v\f"));)
		if (*word)
			words[count++] = word;
	return count;
}

static void complain(struct restoring *r, const struct line *line, const char *error,
		     const char *reason)
{
	fprintf(stderr, "%s:%lu: %s: %s%s%s\n", r->name, line->number, line->text, error,
		reason ? ": " : "", reason ? reason : "");
	r->status = EXIT_PROBLEM;
}

static int read_devices(struct restoring *r)
{
	struct table t;
	int got;

	if (table_open(&t, "devices"))
		return -1;
	while ((got = table_next(&t)) > 0)
		add_pair(&r->devices, table_cell(&t, "ID"), table_cell(&t, "NAME"));
	table_close(&t);
	return got;
}

static int read_bindings(struct restoring *r)
{
	struct table t;
	int got;

	if (table_open(&t, "bindings"))
		return -1;
	while ((got = table_next(&t)) > 0) {
		const char *agent = table_cell(&t, "AGENT"), *what = table_cell(&t, "BINDING");

		add_bound(r, text("bind %s %s", agent, what));
		add_bound(r, text("bind %s %s later", agent, what));
	}
	table_close(&t);
	return got;
}

/* The device that a line limits something on, or NULL. */
static const char *device_of(const struct restoring *r, char **words, size_t count)
{
	if (!strcmp(r->target, "quotas"))
		return count > 2 ? words[2] : NULL;
	if (strcmp(r->target, "control") || !count)
		return NULL;
	if (!strcmp(words[0], "set_capacity"))
		return count > 1 ? words[1] : NULL;
	return !strcmp(words[0], "set_quota") && count > 3 ? words[3] : NULL;
}

/* Whether the line limits something on a device that is another one now. */
static bool is_other_device(struct restoring *r, const struct line *line, const char *id)
{
	const char *then = id ? find_pair(&r->devices_then, id) : NULL;
	const char *now = id ? find_pair(&r->devices, id) : NULL;
	char *what;

	if (!then || !now || !strcmp(then, now))
		return false;
	what = text("device %s was %s, now it is %s", id, then, now);
	complain(r, line, what, NULL);
	free(what);
	return true;
}

/* Whether a line is to be written; what it says of devices and bindings is kept in mind. */
static bool is_wanted(struct restoring *r, const struct line *line)
{
	char *copy, *words[WORDS_MAX];
	size_t count = words_of(line, &copy, words);
	bool wanted = count;

	if (count && *words[0] == '#') {
		if (count == 4 && !strcmp(words[0], "#") && !strcmp(words[1], "device"))
			add_pair(&r->devices_then, words[2], words[3]);
		wanted = false;
	} else if (line->len > CONTROL_LINE_MAX) {
		complain(r, line, "Line too long", NULL);
		wanted = false;
	} else if (count) {
		if (!strcmp(words[0], "unbind") || !strcmp(words[0], "remove_agent"))
			forget_bound(r);
		wanted = !tfind(line->text, &r->bound, compare_lines) &&
			 !is_other_device(r, line, device_of(r, words, count));
	}
	free(copy);
	return wanted;
}

static int read_lines(struct restoring *r, FILE *file)
{
	struct line line = { 0 };
	size_t size = 0;
	ssize_t len;

	while ((len = getline(&line.text, &size, file)) >= 0) {
		line.number++;
		if (len && line.text[len - 1] == '\n')
			line.text[--len] = '\0';
		line.len = len;
		if (!is_wanted(r, &line))
			continue;
		r->lines = grow(r->lines, &r->room, r->count + 1, sizeof(*r->lines));
		r->lines[r->count++] = line;
		line.text = NULL;
		size = 0;
	}
	free(line.text);
	return ferror(file) ? trouble("%s: %s", r->name, strerror(errno)) : 0;
}

/* Whether the cgroup that the word names is bound to this agent already. */
static bool is_bound(const char *agent, const char *word)
{
	char *path = cgroup_path(word), *id, *other;
	bool bound = false;
	struct table t;

	if (!path || agent_find(agent, &id) || !id || table_open(&t, "bindings")) {
		free(path);
		return false;
	}
	while (!bound && table_next(&t) > 0) {
		other = cgroup_path(table_cell(&t, "BINDING"));
		bound = other && !strcmp(other, path) && table_is(&t, "AGENT", id);
		free(other);
	}
	table_close(&t);
	free(id);
	free(path);
	return bound;
}

static bool write_line(const struct restoring *r, const struct line *line)
{
	char *whole = text("%s\n", line->text);
	size_t len = strlen(whole);
	bool written = write(r->fd, whole, len) == (ssize_t)len;

	free(whole);
	return written;
}

/* A cgroup that is bound without "later" is made, if its agent is there. */
static bool makes_cgroup(const char *agent, const char *word)
{
	char *id;
	bool there = !agent_find(agent, &id) && id;

	free(id);
	return there && cgroup_make(word);
}

/* A binding that is there is right, and so is one of a cgroup that only had to be made. */
static bool is_mended(struct restoring *r, const struct line *line, int error)
{
	char *copy, *words[WORDS_MAX];
	size_t count = words_of(line, &copy, words);
	bool mended = false;

	if (count >= 3 && !strcmp(words[0], "bind") && !strncmp(words[2], "cgroup:", 7) &&
	    (count == 3 || (count == 4 && !strcmp(words[3], "later")))) {
		if (error == EEXIST)
			mended = is_bound(words[1], words[2]);
		else if (error == ENOENT)
			mended = makes_cgroup(words[1], words[2]) && write_line(r, line);
	}
	free(copy);
	return mended;
}

/* AGENT:WHAT:MODE as a command, without its newline; NULL if it has not these parts. */
static char *rule_command(const char *rule)
{
	char *copy = must(strdup(rule)), *line = NULL, *start, *mode, *what;

	start = copy + strspn(copy, " \t");
	start[strcspn(start, " \t")] = '\0';
	mode = strrchr(start, ':');
	if (mode) {
		*mode++ = '\0';
		what = strrchr(start, ':');
		if (what) {
			*what++ = '\0';
			line = text("grant %s %s %s", start, what, mode);
		}
	}
	free(copy);
	return line;
}

/* The command that does what a line of the target does; NULL if there is none. */
static char *as_command(const struct restoring *r, const struct line *line)
{
	if (!strcmp(r->target, "quotas"))
		return text("set_quota %s", line->text);
	if (!strcmp(r->target, "dma_permissions"))
		return rule_command(line->text);
	return must(strdup(line->text));
}

/* What was wrong: what control says when the line is tried again; no other file tells. */
static char *reason_of(const struct restoring *r, const struct line *line)
{
	char *command = as_command(r, line), *whole, *answer, *reason;

	if (!command)
		return NULL;
	whole = text("%s\n", command);
	reason = control_try(whole, &answer) ? control_reason(answer) : NULL;
	free(answer);
	free(whole);
	free(command);
	return reason;
}

static void line_failed(struct restoring *r, const struct line *line, int error)
{
	char *reason;

	if (is_mended(r, line, error))
		return;
	reason = reason_of(r, line);
	complain(r, line, strerror(error), reason);
	free(reason);
}

/* As many lines from @at on as fit into a write. Returns how many; at least one. */
static size_t gather(const struct restoring *r, size_t at, char *buffer, size_t *len)
{
	size_t i;

	*len = 0;
	for (i = at; i < r->count && *len + r->lines[i].len + 1 <= WRITE_MAX; i++) {
		memcpy(buffer + *len, r->lines[i].text, r->lines[i].len);
		*len += r->lines[i].len;
		buffer[(*len)++] = '\n';
	}
	return i - at;
}

/* How many lines from @at on are in so many bytes. */
static size_t lines_in(const struct restoring *r, size_t at, size_t bytes)
{
	size_t i;

	for (i = at; i < r->count && bytes > r->lines[i].len; i++)
		bytes -= r->lines[i].len + 1;
	return i - at;
}

static void write_lines(struct restoring *r)
{
	char *buffer = make(WRITE_MAX, 1);
	size_t at = 0, len;
	ssize_t written;

	while (at < r->count) {
		gather(r, at, buffer, &len);
		written = write(r->fd, buffer, len);
		if (written > 0)
			at += lines_in(r, at, written);
		else
			line_failed(r, &r->lines[at++], written < 0 ? errno : EIO);
	}
	free(buffer);
}

static void try_lines(struct restoring *r)
{
	size_t i;

	for (i = 0; i < r->count; i++) {
		char *command = as_command(r, &r->lines[i]);
		bool makes_agents = strcmp(r->target, "control");
		char *wrong = command ? grammar_check(r->grammar, command, makes_agents) :
					must(strdup("not AGENT:RANGE:MODE"));

		if (wrong)
			complain(r, &r->lines[i], wrong, NULL);
		free(wrong);
		free(command);
	}
}

/* Returns 0, EXIT_PROBLEM if a line failed, or EXIT_TROUBLE. */
static int restore_lines(struct restoring *r, FILE *file)
{
	int status = 0;

	if (!r->grammar) {
		r->fd = control_open(r->target, "restore");
		if (r->fd < 0)
			return EXIT_TROUBLE;
	}
	if (read_devices(r) || read_bindings(r))
		status = EXIT_TROUBLE;
	else
		status = read_lines(r, file);
	if (!status && r->grammar)
		try_lines(r);
	else if (!status)
		write_lines(r);
	return status ? status : r->status;
}

static int restore_file(const char *path, const char *target, struct grammar *grammar)
{
	struct restoring r = { .name = path, .target = target, .fd = -1, .grammar = grammar };
	bool is_input = !strcmp(path, "-");
	FILE *file = is_input ? stdin : fopen(path, "re");
	int status;

	if (!file)
		return trouble("%s cannot be read: %s", path, strerror(errno));
	status = restore_lines(&r, file);
	if (r.fd >= 0)
		close(r.fd);
	if (!is_input)
		fclose(file);
	while (r.count)
		free(r.lines[--r.count].text);
	free(r.lines);
	free_pairs(&r.devices);
	free_pairs(&r.devices_then);
	forget_bound(&r);
	return status;
}

/*
 * Quotas make the agents that bindings name. A file that is not there is passed over; one that
 * cannot be read is said, and the others are restored.
 */
static int restore_folder(const char *dir, struct grammar *grammar)
{
	static const char *const targets[] = { "quotas", "control", "dma_permissions" };
	int all = 0, status;
	size_t i;

	for (i = 0; i < 3; i++) {
		char *path = text("%s/%s.conf", dir, targets[i]);

		if (access(path, F_OK) && errno == ENOENT)
			status = 0;
		else
			status = restore_file(path, targets[i], grammar);
		if (status > all)
			all = status;
		free(path);
	}
	return all;
}

static int restore(const char *path, bool is_default, struct grammar *grammar)
{
	bool is_input = !strcmp(path, "-");
	struct stat st = { 0 };

	if (!is_input && stat(path, &st))
		return is_default && errno == ENOENT ? 0 : trouble("%s: %s", path, strerror(errno));
	if (S_ISDIR(st.st_mode))
		return restore_folder(path, grammar);
	return restore_file(path, "control", grammar);
}

/**
 * restore_run() - the command restore
 * @command: its row
 * @argc: its arguments
 * @argv: likewise
 *
 * Return: an exit status.
 */
int restore_run(const struct command *command, int argc, char **argv)
{
	static const struct option options[] = {
		{ "dry-run", no_argument, NULL, 'd' }, COMMAND_HELP_OPTION, { 0 },
	};
	struct grammar *grammar = NULL;
	bool dry = false;
	int status, fd;

	while (command_option(command, argc, argv, "", options) != -1)
		dry = true;
	if (optind + 1 < argc)
		return command_usage(command, "one file or folder, not %d", argc - optind);
	if (need_module())
		return EXIT_TROUBLE;
	if (dry) {
		grammar = grammar_read();
		if (!grammar)
			return EXIT_TROUBLE;
	} else {
		fd = control_open("control", "restore");
		if (fd < 0)
			return EXIT_TROUBLE;
		close(fd);
	}
	status = restore(optind < argc ? argv[optind] : SAVE_FOLDER, optind == argc, grammar);
	if (grammar)
		grammar_free(grammar);
	return status;
}
