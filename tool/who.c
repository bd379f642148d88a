// SPDX-License-Identifier: GPL-2.0-only
/*
 * who: who has to do with a buffer, or what a process has.
 */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "cgroup.h"
#include "command.h"
#include "holder.h"
#include "message.h"
#include "output.h"
#include "roster.h"
#include "section.h"
#include "table.h"
#include "word.h"

#define DMABUF_MAGIC	0x444d4142

#define COUNT(array)	(sizeof(array) / sizeof(*(array)))

/* What is asked about: a buffer, or a process. */
struct subject {
	char *buffer, *inode, *pid;	/* NULL, or a number; inode may be "-" */
	char *agent;			/* the buffer's owner, or whom the process works for */
	struct roster roster;
};

static void subject_free(struct subject *s)
{
	free(s->buffer);
	free(s->inode);
	free(s->pid);
	free(s->agent);
	roster_free(&s->roster);
}

static void print_agent(const struct table *t, const char *column, const struct subject *s)
{
	char *called = roster_called(&s->roster, table_cell(t, column));

	printf("agent %s", called);
	free(called);
}

static void print_since(const struct table *t)
{
	char age[WORD_SHORT];

	printf(", since %s", word_age(age, table_cell(t, "AGE_MS")));
}

/* COMM, pid PID */
static void print_process(const struct table *t)
{
	section_print(t, "COMM");
	printf(", pid %s", table_cell(t, "PID"));
}

static void print_size(const struct table *t)
{
	char size[WORD_SHORT];

	fputs(word_human(size, table_number(t, "SIZE")), stdout);
}

static bool is_buffer(const struct table *t, const void *subject)
{
	const struct subject *s = subject;

	return table_is(t, strcmp(t->name, "allocations") ? "BUFFER" : "ID", s->buffer);
}

static bool is_process(const struct table *t, const void *subject)
{
	const struct subject *s = subject;

	return table_is(t, "PID", s->pid);
}

static bool is_agent(const struct table *t, const void *subject)
{
	const struct subject *s = subject;

	return s->agent && table_is(t, strcmp(t->name, "agents") ? "AGENT" : "ID", s->agent);
}

static void print_device(const char *id)
{
	struct table t;

	printf("  device       %s", id);
	if (!table_open(&t, "devices")) {
		while (table_next(&t) > 0) {
			if (!table_is(&t, "ID", id) || word_is_unknown(id))
				continue;
			fputs(" (", stdout);
			section_print(&t, "NAME");
			fputs(", ", stdout);
			section_print(&t, "DRIVER");
			putchar(')');
		}
		table_close(&t);
	}
	putchar('\n');
}

static void print_bindings(const struct subject *s, const char *agent)
{
	char *bindings = roster_bindings(&s->roster, agent);

	if (*bindings)
		printf("  bindings     %s\n", bindings);
	free(bindings);
}

static void print_buffer(const struct table *t, const void *subject)
{
	const struct subject *s = subject;
	char age[WORD_SHORT], *regions = word_sized(table_cell(t, "REGIONS"), KIND_SIZES);

	printf("buffer %s\n  size         ", s->buffer);
	print_size(t);
	printf(" (%s bytes)\n  kind         ", table_cell(t, "SIZE"));
	section_print(t, "KIND");
	fputs(", exporter ", stdout);
	section_print(t, "EXPORTER");
	printf(", inode %s\n  owner        ", table_cell(t, "INODE"));
	print_agent(t, "AGENT", s);
	putchar('\n');
	print_bindings(s, table_cell(t, "AGENT"));
	print_device(table_cell(t, "DEVICE"));
	fputs("  made by      ", stdout);
	print_process(t);
	if (word_is_unknown(table_cell(t, "AGE_MS")))
		puts(", before the module was loaded");
	else
		printf(", %s ago\n", word_age(age, table_cell(t, "AGE_MS")));
	printf("  DMA address  %s\n", table_cell(t, "DMA_ADDR"));
	if (!word_is_unknown(regions))
		printf("  regions      %s\n", regions);
	free(regions);
}

static void print_mappings(const struct table *t)
{
	printf(", mapped %s", table_cell(t, "MAPPED"));
	if (!table_is(t, "DIRECTION", "-"))
		printf(" %s", table_cell(t, "DIRECTION"));
	printf(", pinned %s", table_cell(t, "PINNED"));
	print_since(t);
	putchar('\n');
}

static void print_importer(const struct table *t, const void *subject)
{
	fputs("  ", stdout);
	section_print(t, "IMPORTER_DEVICE");
	fputs(" for ", stdout);
	print_agent(t, "AGENT", subject);
	fputs(": ", stdout);
	print_process(t);
	print_mappings(t);
}

static void print_lock_state(const struct table *t)
{
	printf(", %s%s", table_cell(t, "MODE"),
	       table_is(t, "KIND", "dma") ? " by a mapping for DMA" : "");
}

static void print_blocked(const struct table *t)
{
	print_since(t);
	if (!table_is(t, "BLOCKED_BY", "-"))
		printf(", behind %s", table_cell(t, "BLOCKED_BY"));
	putchar('\n');
}

static void print_lock(const struct table *t, const void *subject)
{
	printf("  %s: ", table_cell(t, "STATE"));
	print_agent(t, "AGENT", subject);
	print_lock_state(t);
	fputs(", ", stdout);
	print_process(t);
	print_blocked(t);
}

static void print_rule(const struct table *t, const void *subject)
{
	fputs("  ", stdout);
	print_agent(t, "AGENT", subject);
	printf(": %s\n", table_cell(t, "MODE"));
}

static void print_made(const struct table *t, const void *subject)
{
	printf("  buffer %s: ", table_cell(t, "ID"));
	print_size(t);
	putchar(' ');
	section_print(t, "KIND");
	fputs(", ", stdout);
	print_agent(t, "AGENT", subject);
	printf(", inode %s\n", table_cell(t, "INODE"));
}

static void print_import(const struct table *t, const void *subject)
{
	printf("  buffer %s of ", table_cell(t, "BUFFER"));
	print_agent(t, "OWNER", subject);
	fputs(" by ", stdout);
	section_print(t, "IMPORTER_DEVICE");
	print_mappings(t);
}

static void print_own_lock(const struct table *t, const void *subject)
{
	printf("  %s: buffer %s for ", table_cell(t, "STATE"), table_cell(t, "BUFFER"));
	print_agent(t, "AGENT", subject);
	print_lock_state(t);
	print_blocked(t);
}

static void print_context(const struct table *t, const void *subject)
{
	printf("  context %s of ", table_cell(t, "ID"));
	print_agent(t, "AGENT", subject);
	printf(": device %s, %s, %s\n", table_cell(t, "DEVICE"), table_cell(t, "KIND"),
	       table_cell(t, "STATE"));
}

/* Only for programs: people have these in sentences. */
static void print_nothing(const struct table *t, const void *subject)
{
	(void)t;
	(void)subject;
}

static const struct section buffer_sections[] = {
	{ "allocations", NULL, is_buffer, print_buffer },
	{ "attachments", "importers", is_buffer, print_importer },
	{ "locks", "locks", is_buffer, print_lock },
	{ "dma_permissions", "rules that let other agents use it", is_buffer, print_rule },
};

static const struct section process_sections[] = {
	{ "allocations", "buffers that it made", is_process, print_made },
	{ "attachments", "buffers that it imports", is_process, print_import },
	{ "locks", "locks", is_process, print_own_lock },
	{ "contexts", "contexts", is_process, print_context },
};

static const struct section agent_sections[] = {
	{ "agents", NULL, is_agent, print_nothing },
	{ "bindings", NULL, is_agent, print_nothing },
};

/* The id of the buffer that a dma-buf of this inode is, "-" if it is none that is known. */
/* Buffers by their inodes: in one pass, since a process may hold thousands. */
struct inodes {
	struct inode {
		uint64_t inode;
		char *buffer;
	} *list;
	size_t count;
};

static int compare_inodes(const void *a, const void *b)
{
	const struct inode *x = a, *y = b;

	return x->inode < y->inode ? -1 : x->inode > y->inode;
}

static int inodes_read(struct inodes *all)
{
	struct table t;
	uint64_t inode;
	int got;

	if (table_open(&t, "allocations"))
		return -1;
	while ((got = table_next(&t)) > 0) {
		if (!word_number(table_cell(&t, "INODE"), &inode))
			continue;
		all->list = must(reallocarray(all->list, all->count + 1, sizeof(*all->list)));
		all->list[all->count++] = (struct inode){
			inode, must(strdup(table_cell(&t, "ID"))) };
	}
	table_close(&t);
	if (all->count)
		qsort(all->list, all->count, sizeof(*all->list), compare_inodes);
	return got < 0 ? -1 : 0;
}

static void inodes_free(struct inodes *all)
{
	while (all->count)
		free(all->list[--all->count].buffer);
	free(all->list);
}

static const char *buffer_of_inode(const struct inodes *all, uint64_t inode)
{
	struct inode key = { .inode = inode }, *found = NULL;

	if (all->count)
		found = bsearch(&key, all->list, all->count, sizeof(key), compare_inodes);
	return found ? found->buffer : "-";
}

static void print_fds(const struct holder *h)
{
	if (h->fd_count)
		printf("fd %s", h->fds);
	if (h->threads)
		printf(" (%zu of threads with files of their own)", h->threads);
}

static void print_mapped(const struct holder *h)
{
	char size[WORD_SHORT];

	if (h->mappings)
		printf("%smapped %s in %zu place%s", h->fd_count ? ", " : "",
		       word_human(size, h->mapped), h->mappings, h->mappings == 1 ? "" : "s");
}

static void print_holder(const struct subject *s, const struct holder *h, const char *buffer)
{
	char *comm = word_shown(h->comm);

	if (s->buffer)
		printf("  %s, pid %s: ", comm, h->pid);
	else if (word_is_unknown(buffer))
		printf("  a dma-buf that is not tracked, inode %" PRIu64 ": ", h->inode);
	else
		printf("  buffer %s, inode %" PRIu64 ": ", buffer, h->inode);
	print_fds(h);
	print_mapped(h);
	putchar('\n');
	free(comm);
}

static void holder_row(struct output *o, const struct holder *h, const char *buffer)
{
	char *inode = text("%" PRIu64, h->inode), *mappings = text("%zu", h->mappings);
	char *mapped = text("%" PRIu64, h->mapped);
	const char *const cells[] = { h->pid, h->comm, buffer, inode, h->fds, mappings, mapped };

	output_row(o, cells);
	free(inode);
	free(mappings);
	free(mapped);
}

static const struct output_column holder_columns[] = {
	{ "PID", KIND_NUMBER, false },
	{ "COMM", KIND_TEXT, false },
	{ "BUFFER", KIND_NUMBER, false },
	{ "INODE", KIND_NUMBER, false },
	{ "FDS", KIND_LIST, false },
	{ "MAPPINGS", KIND_NUMBER, false },
	{ "MAPPED", KIND_SIZE, false },
};

static void print_not_visible(struct output *o, const struct holders *h)
{
	if (h->hidden)
		say("%zu process%s could not be looked into, which root can", h->hidden,
		    h->hidden == 1 ? "" : "es");
	if (!o)
		printf("  not visible: files in flight in sockets%s\n",
		       ", those of io_uring, GEM handles of DRM files");
}

static int show_holders(struct output *o, const struct subject *s, const struct holders *h)
{
	struct inodes inodes = { 0 };
	const char *buffer;
	size_t i;

	if (!s->buffer && h->count && inodes_read(&inodes)) {
		inodes_free(&inodes);
		return -1;
	}
	if (o && output_begin(o, "holders", holder_columns, COUNT(holder_columns))) {
		inodes_free(&inodes);
		return -1;
	}
	if (!o)
		printf("%s%s\n", s->buffer ? "processes that have files or mappings of it" :
		       "dma-bufs that it has files or mappings of", h->count ? "" : ": none");
	for (i = 0; i < h->count; i++) {
		buffer = s->buffer ? s->buffer : buffer_of_inode(&inodes, h->list[i].inode);
		if (o)
			holder_row(o, &h->list[i], buffer);
		else
			print_holder(s, &h->list[i], buffer);
	}
	inodes_free(&inodes);
	if (o)
		output_end(o);
	print_not_visible(o, h);
	return 0;
}

static int find_holders(struct output *o, const struct subject *s)
{
	struct holders holders = { 0 };
	uint64_t inode = 0;
	int status = 0;

	/* What has no dma-buf has no such file. */
	if (!s->buffer || (word_number(s->inode, &inode) && inode))
		status = holders_find(&holders, s->pid, inode);
	if (!status)
		status = show_holders(o, s, &holders);
	holders_free(&holders);
	return status;
}

static int show_sections(struct output *o, const struct section *sections, size_t count,
			 const struct subject *s)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (section_show(&sections[i], o, s, NULL))
			return -1;
	return 0;
}

/* Finds a buffer by ID or INODE. Returns 1, 0 if there is none, -1 if that is not known. */
static int find_buffer(struct subject *s, const char *column, const char *number)
{
	struct table t;
	int got;

	if (table_open(&t, "allocations"))
		return -1;
	while ((got = table_next(&t)) > 0 && !table_is(&t, column, number))
		;
	if (got > 0) {
		s->buffer = must(strdup(table_cell(&t, "ID")));
		s->inode = must(strdup(table_cell(&t, "INODE")));
		s->agent = must(strdup(table_cell(&t, "AGENT")));
	}
	table_close(&t);
	return got;
}

/* The agent that a process works for: by itself, or by its cgroup. */
static char *agent_of_process(const struct subject *s, const char *pid)
{
	const struct roster_binding *binding = roster_of_pid(&s->roster, pid);
	char *path = binding ? NULL : cgroup_of_process(pid);

	if (path)
		binding = roster_of_cgroup(&s->roster, path);
	free(path);
	return must(strdup(binding ? binding->agent : "0"));
}

static bool is_there(const char *pid)
{
	char *path = text("%s/%s", process_folder(), pid);
	bool there = !access(path, F_OK);

	free(path);
	return there;
}

static int find_process(struct subject *s, const char *pid)
{
	if (!is_there(pid))
		return 0;
	s->pid = must(strdup(pid));
	s->agent = agent_of_process(s, pid);
	return 1;
}

/* What a plain number means: a buffer; if there is none, a dma-buf's inode; or a process. */
static int find_number(struct subject *s, const char *number)
{
	int got = find_buffer(s, "ID", number);

	if (!got)
		got = find_buffer(s, "INODE", number);
	if (!got)
		got = find_process(s, number);
	if (!got)
		say("there is no buffer %s", number);
	return got;
}

static int find_path(struct subject *s, const char *path)
{
	struct statfs fs;
	struct stat st;
	char *inode;
	int got;

	if (stat(path, &st) || statfs(path, &fs)) {
		say("%s: %s", path, strerror(errno));
		return 0;
	}
	if (fs.f_type != DMABUF_MAGIC) {
		say("%s is not the file of a dma-buf, as /proc/PID/fd/N can be", path);
		return 0;
	}
	inode = text("%" PRIu64, (uint64_t)st.st_ino);
	got = find_buffer(s, "INODE", inode);
	if (!got)
		say("no buffer is tracked that is the dma-buf of inode %s", inode);
	free(inode);
	return got;
}

static int find_kind(struct subject *s, const char *kind, const char *number)
{
	int got;

	if (!strcmp(kind, "pid"))
		got = find_process(s, number);
	else
		got = find_buffer(s, strcmp(kind, "inode") ? "ID" : "INODE", number);
	if (!got && !strcmp(kind, "pid"))
		say("there is no process %s", number);
	else if (!got)
		say("there is no buffer %s%s", strcmp(kind, "inode") ? "" : "of inode ", number);
	return got;
}

/* The number behind KIND:, or NULL. */
static const char *number_of(const char *word, const char *kind)
{
	size_t len = strlen(kind);

	if (strncmp(word, kind, len) || word[len] != ':' || !word_is_number(word + len + 1))
		return NULL;
	return word + len + 1;
}

static const char *const kinds[] = { "buffer", "inode", "pid" };

static bool has_meaning(const char *word)
{
	size_t i;

	for (i = 0; i < COUNT(kinds); i++)
		if (number_of(word, kinds[i]))
			return true;
	return word_is_number(word) || strchr(word, '/');
}

/* Returns as find_buffer(). */
static int find_subject(struct subject *s, const char *word)
{
	const char *number;
	size_t i;

	for (i = 0; i < COUNT(kinds); i++) {
		number = number_of(word, kinds[i]);
		if (number)
			return find_kind(s, kinds[i], number);
	}
	return word_is_number(word) ? find_number(s, word) : find_path(s, word);
}

static void print_head(const struct subject *s)
{
	char *comm, *shown, *called;

	comm = process_comm(s->pid);
	shown = word_shown(comm);
	called = roster_called(&s->roster, s->agent);
	printf("process %s, %s\n  works for    agent %s\n", s->pid, shown, called);
	print_bindings(s, s->agent);
	free(comm);
	free(shown);
	free(called);
}

static int show(struct output *o, const struct subject *s)
{
	if (o && show_sections(o, agent_sections, COUNT(agent_sections), s))
		return -1;
	if (!o && s->pid)
		print_head(s);
	if (s->buffer && show_sections(o, buffer_sections, COUNT(buffer_sections), s))
		return -1;
	if (s->pid && show_sections(o, process_sections, COUNT(process_sections), s))
		return -1;
	return find_holders(o, s);
}

static int who(const struct output_options *options, const char *word)
{
	struct subject subject = { 0 };
	struct output *o = NULL;
	int status, end;

	status = roster_read(&subject.roster) ? -1 : find_subject(&subject, word);
	if (status <= 0) {
		status = status ? EXIT_TROUBLE : EXIT_PROBLEM;
	} else {
		if (!output_is_default(options))
			o = output_new(options);
		status = show(o, &subject) ? EXIT_TROUBLE : 0;
		end = o ? output_free(o) : output_flush();
		status = status ? status : end;
	}
	subject_free(&subject);
	return status;
}

/**
 * who_run() - the command who
 * @command: its row
 * @argc: its arguments
 * @argv: likewise
 *
 * Return: an exit status.
 */
int who_run(const struct command *command, int argc, char **argv)
{
	static const struct option options[] = {
		OUTPUT_LONG_OPTIONS, OUTPUT_LONG_COLUMNS, COMMAND_HELP_OPTION, { 0 },
	};
	struct output_options output = { .several = true };
	int option;

	while ((option = command_option(command, argc, argv,
					OUTPUT_SHORT_OPTIONS OUTPUT_SHORT_COLUMNS, options)) != -1)
		output_option(&output, option, optarg);
	if (optind + 1 != argc)
		return command_usage(command, "%s", optind < argc ? "one of them" : "who of what?");
	if (!has_meaning(argv[optind]))
		return command_usage(command, "\"%s\" is no number and no path", argv[optind]);
	return need_module() ? EXIT_TROUBLE : who(&output, argv[optind]);
}
