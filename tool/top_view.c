// SPDX-License-Identifier: GPL-2.0-only
/*
 * Views of top: a snapshot as lines.
 *
 * Two lines that always are there say what is used, and what was denied. Below are agents and
 * the largest buffers, or one table, or the tree; at the end what keys do.
 */

#include <inttypes.h>
#include <langinfo.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "message.h"
#include "top_view.h"
#include "word.h"

/* Lines besides rows: two on top, the headings of two tables, what is between, the keys. */
#define OTHER_LINES	6

#define COUNT(array)	(sizeof(array) / sizeof(*(array)))

#define AGENT(member)	offsetof(struct snapshot_agent, member)
#define PROCESS(member)	offsetof(struct snapshot_process, member)
#define BUFFER(member)	offsetof(struct snapshot_buffer, member)

static const struct grid_column agent_columns[] = {
	{ .name = "AGENT", .type = GRID_TEXT, .offset = AGENT(called), .width = 20, .more = 20 },
	{ .name = "BUFFERS", .type = GRID_NUMBER, .offset = AGENT(buffers), .width = 8 },
	{ .name = "USED", .type = GRID_SIZE, .offset = AGENT(used), .width = 6 },
	{ .name = "PEAK", .type = GRID_SIZE, .offset = AGENT(peak), .width = 6 },
	{ .name = "QUOTA", .type = GRID_LIMIT, .offset = AGENT(quota), .width = 6 },
	{ .name = "%USED", .type = GRID_NUMBER, .offset = AGENT(percent), .width = 5 },
	{ .name = "LOCKS", .type = GRID_NUMBER, .offset = AGENT(locks), .width = 6 },
	{ .name = "WAIT", .type = GRID_NUMBER, .offset = AGENT(waiting), .width = 6,
	  .full = "WAITING" },
	{ .name = "DENIED", .type = GRID_NUMBER, .offset = AGENT(denied), .width = 7 },
	{ .name = "ID", .type = GRID_NUMBER, .offset = AGENT(id), .width = 10, .least = 92 },
	{ .name = "BINDING", .type = GRID_TEXT, .offset = AGENT(binding), .width = 20,
	  .more = 100, .least = 113 },
};

static const struct grid_column process_columns[] = {
	{ .name = "PID", .type = GRID_NUMBER, .offset = PROCESS(pid), .width = 7, .left = true },
	{ .name = "COMM", .type = GRID_TEXT, .offset = PROCESS(comm), .width = 15, .more = 20 },
	{ .name = "AGENT", .type = GRID_TEXT, .offset = PROCESS(agent), .width = 20, .more = 20 },
	{ .name = "BUFFERS", .type = GRID_NUMBER, .offset = PROCESS(buffers), .width = 8 },
	{ .name = "USED", .type = GRID_SIZE, .offset = PROCESS(size), .width = 6 },
	{ .name = "ATT", .type = GRID_NUMBER, .offset = PROCESS(attachments), .width = 5,
	  .full = "ATTACHMENTS" },
	{ .name = "LOCKED", .type = GRID_NUMBER, .offset = PROCESS(locked), .width = 6 },
	{ .name = "CTX", .type = GRID_NUMBER, .offset = PROCESS(contexts), .width = 4,
	  .full = "CONTEXTS" },
};

static const struct grid_column buffer_columns[] = {
	{ .name = "BUFFER", .type = GRID_NUMBER, .offset = BUFFER(id), .width = 9, .left = true },
	{ .name = "AGENT", .type = GRID_TEXT, .offset = BUFFER(agent), .width = 9, .more = 20 },
	{ .name = "DEV", .type = GRID_NUMBER, .offset = BUFFER(device), .width = 3,
	  .full = "DEVICE" },
	{ .name = "SIZE", .type = GRID_SIZE, .offset = BUFFER(size), .width = 6 },
	{ .name = "KIND", .type = GRID_TEXT, .offset = BUFFER(kind), .width = 6 },
	{ .name = "EXPORTER", .type = GRID_TEXT, .offset = BUFFER(exporter), .width = 10,
	  .more = 10 },
	{ .name = "PID", .type = GRID_NUMBER, .offset = BUFFER(pid), .width = 7 },
	{ .name = "COMM", .type = GRID_TEXT, .offset = BUFFER(comm), .width = 12, .more = 4 },
	{ .name = "LOCK", .type = GRID_TEXT, .offset = BUFFER(lock), .width = 4 },
	{ .name = "ATT", .type = GRID_NUMBER, .offset = BUFFER(attachments), .width = 3,
	  .full = "ATTACHMENTS" },
	{ .name = "INODE", .type = GRID_NUMBER, .offset = BUFFER(inode), .width = 10,
	  .least = 92 },
};

static const char *const view_names[TOP_VIEWS] = { "agents", "processes", "buffers", "tree" };

static const char *const help[] = {
	"gpu-dma-lock top",
	"",
	"  Tab, 1 to 4        agents, processes, buffers, tree",
	"  Up Down PgUp PgDn  scroll, also k and j; Home and End: to the ends",
	"  < >, Left Right    sort by the column before or behind",
	"  u p d w b          sort by use, peak, denials, locks waited for, buffers",
	"  r                  the other way round",
	"  /                  filter by part of a name, or a number; Esc: no filter",
	"  + -                more or less of the tree",
	"  Space              another frame now",
	"  h ?                this",
	"  q                  quit",
	"",
	"Any key goes back.",
};

/* The grid that a view sorts. */
static struct grid grid_of(const struct snapshot *s, enum top_view view)
{
	switch (view) {
	case TOP_PROCESSES:
		return (struct grid){ process_columns, COUNT(process_columns), s->processes,
				      sizeof(*s->processes), s->process_count };
	case TOP_BUFFERS:
		return (struct grid){ buffer_columns, COUNT(buffer_columns), s->buffers,
				      sizeof(*s->buffers), s->buffer_count };
	default:
		return (struct grid){ agent_columns, COUNT(agent_columns), s->agents,
				      sizeof(*s->agents), s->agent_count };
	}
}

/**
 * top_choice_init() - what a user gets who has chosen nothing
 * @choice: filled; its filter is to be given to free()
 */
void top_choice_init(struct top_choice *choice)
{
	static const struct snapshot none;
	int view;

	*choice = (struct top_choice){ .filter = must(strdup("")), .depth = 3 };
	for (view = 0; view < TOP_VIEWS; view++) {
		struct grid grid = grid_of(&none, view);

		grid_find(&grid, view == TOP_BUFFERS ? "SIZE" : "USED",
			  &choice->orders[view].column);
	}
}

/**
 * top_view_find() - a view by its name
 * @name: the name
 * @view: receives it
 *
 * Return: false if there is none.
 */
bool top_view_find(const char *name, enum top_view *view)
{
	int i;

	for (i = 0; i < TOP_VIEWS; i++) {
		if (strcmp(view_names[i], name))
			continue;
		*view = i;
		return true;
	}
	return false;
}

/**
 * top_choice_sort() - sort the view by a column
 * @choice: the choice
 * @column: its name, in full or as its heading, or u, p, d, w or b
 *
 * Return: false if the view has no such column.
 */
bool top_choice_sort(struct top_choice *choice, const char *column)
{
	static const char letters[] = "updwb";
	static const char *const names[] = { "USED", "PEAK", "DENIED", "WAITING", "BUFFERS" };
	static const struct snapshot none;
	struct grid grid = grid_of(&none, choice->view);
	const char *letter = *column && !column[1] ? strchr(letters, *column) : NULL;
	size_t found;

	if (letter)
		column = names[letter - letters];
	if (letter && *letter == 'u' && choice->view == TOP_BUFFERS)
		column = "SIZE";
	if (!grid_find(&grid, column, &found))
		return false;
	choice->orders[choice->view] = (struct grid_order){ .column = found };
	return true;
}

/**
 * top_choice_step() - sort the view by the column beside the present one
 * @choice: the choice
 * @width: of the terminal, in columns
 * @step: 1 or -1
 */
void top_choice_step(struct top_choice *choice, size_t width, int step)
{
	static const struct snapshot none;
	struct grid grid = grid_of(&none, choice->view);
	struct grid_order *order = &choice->orders[choice->view];

	*order = (struct grid_order){ .column = grid_next(&grid, order->column, width, step) };
}

static void say_line(struct frame *f, enum frame_look look, char *line)
{
	frame_line(f, look, line);
	free(line);
}

static char *plural(uint64_t n, const char *word)
{
	return text("%" PRIu64 " %s%s", n, word, n == 1 ? "" : "s");
}

static void draw_totals(struct frame *f, const struct snapshot *s)
{
	char size[WORD_SHORT], *agents = plural(s->agent_count, "agent");
	char *buffers = plural(stats_number(&s->stats, "buffers"), "buffer");

	say_line(f, FRAME_PLAIN, text("gpu_dma_lock: policy %s, %s, %s, %s",
				      stats_text(&s->stats, "policy"), agents, buffers,
				      word_human(size, stats_number(&s->stats, "charged_bytes"))));
	free(agents);
	free(buffers);
}

/* The agents that were denied most, as many as there is room for. */
static char *denied_agents(const struct snapshot *s, size_t room)
{
	struct grid grid = grid_of(s, TOP_AGENTS);
	struct grid_order order = { 0 };
	char *list = must(strdup(""));
	const void **rows;
	size_t count, i;

	grid_find(&grid, "DENIED", &order.column);
	rows = grid_sorted(&grid, &order, NULL, &count);
	for (i = 0; i < count; i++) {
		const struct snapshot_agent *agent = rows[i];
		char *shown, *longer;

		if (!agent->denied || strlen(list) > room)
			break;
		shown = word_shown(agent->called);
		longer = text("%s%s %s", list, *list ? "," : ": agents", shown);
		free(shown);
		free(list);
		list = longer;
	}
	free(rows);
	return list;
}

static void draw_trouble(struct frame *f, const struct snapshot *s)
{
	bool is_short = stats_number(&s->stats, "totals_may_be_short");
	char *denied = s->denied ? text("%" PRIu64 " denied or let pass over a limit", s->denied) :
		       text("nothing denied");
	char *waiting = s->waiting ? text(", %" PRIu64 " waiting for a lock", s->waiting) :
			text("%s", "");
	char *agents = denied_agents(s, f->columns);

	say_line(f, s->denied || is_short ? FRAME_ALARM : s->waiting ? FRAME_WARNING : FRAME_PLAIN,
		 text("%s%s%s%s", denied, waiting, is_short ? ", TOTALS MAY BE SHORT" : "",
		      agents));
	free(denied);
	free(waiting);
	free(agents);
}

static void draw_heading(struct frame *f, const struct grid *g)
{
	char *heading = grid_heading(g, f->columns), *line;
	size_t width = f->columns;

	line = make(frame_cell_room(heading, width), 1);
	frame_cell(line, heading, width, false);
	free(heading);
	say_line(f, FRAME_HEADING, line);
}

static enum frame_look agent_look(const struct snapshot_agent *agent)
{
	return agent->denied ? FRAME_ALARM : agent->waiting ? FRAME_WARNING : FRAME_PLAIN;
}

/* So many of the rows, from the first one on that the user has scrolled to. */
static void draw_rows(struct frame *f, const struct grid *g, const void **rows, size_t first,
		      size_t count)
{
	size_t i;

	draw_heading(f, g);
	for (i = first; i < first + count; i++)
		say_line(f, g->columns == agent_columns ? agent_look(rows[i]) : FRAME_PLAIN,
			 grid_text(g, rows[i], f->columns));
}

/* Corrects what is shown first, of so many rows with room for so many. */
static void scroll(struct top_choice *choice, size_t count, size_t room)
{
	size_t last = count > room ? count - room : 0;

	choice->page = room;
	if (choice->first > last)
		choice->first = last;
}

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Agents have at least half of the room, and what buffers leave. */
static void draw_agents(struct frame *f, const struct snapshot *s, struct top_choice *choice,
			const char *filter)
{
	struct grid agents = grid_of(s, TOP_AGENTS), buffers = grid_of(s, TOP_BUFFERS);
	size_t room = f->rows > OTHER_LINES ? f->rows - OTHER_LINES : 1;
	size_t agent_count, buffer_count, agent_room, buffer_room;
	struct grid_order by_size = { 0 };
	const void **agent_rows, **buffer_rows;

	grid_find(&buffers, "SIZE", &by_size.column);
	agent_rows = grid_sorted(&agents, &choice->orders[TOP_AGENTS], filter, &agent_count);
	buffer_rows = grid_sorted(&buffers, &by_size, filter, &buffer_count);
	agent_room = room - least(room, buffer_count);
	if (agent_room < (room + 1) / 2)
		agent_room = (room + 1) / 2;
	agent_room = least(agent_room, agent_count);
	buffer_room = least(room - agent_room, buffer_count);
	scroll(choice, agent_count, agent_room);
	draw_rows(f, &agents, agent_rows, choice->first, agent_room);
	frame_line(f, FRAME_PLAIN, "");
	draw_rows(f, &buffers, buffer_rows, 0, buffer_room);
	free(agent_rows);
	free(buffer_rows);
}

/* How many lines a table or the tree has, besides its heading. */
static size_t room_of(const struct frame *f)
{
	size_t left = frame_left(f);

	return left > 2 ? left - 2 : 0;
}

static void draw_table(struct frame *f, const struct snapshot *s, struct top_choice *choice,
		       const char *filter)
{
	struct grid grid = grid_of(s, choice->view);
	size_t count, room = room_of(f);
	const void **rows;

	rows = grid_sorted(&grid, &choice->orders[choice->view], filter, &count);
	scroll(choice, count, room);
	draw_rows(f, &grid, rows, choice->first, least(room, count - choice->first));
	free(rows);
}

/* A line of the tree. */
struct node {
	int depth;
	bool last;		/* of those of its parent */
	bool parent_last;
	const void *row;
};

struct tree {
	struct node *nodes;
	size_t count, room;
};

static void add_node(struct tree *tree, int depth, bool last, bool parent_last, const void *row)
{
	tree->nodes = grow(tree->nodes, &tree->room, tree->count + 1, sizeof(*tree->nodes));
	tree->nodes[tree->count++] = (struct node){ depth, last, parent_last, row };
}

static void add_buffers(struct tree *tree, const struct snapshot *s, size_t at, bool last,
			const char *filter)
{
	struct grid grid = grid_of(s, TOP_BUFFERS);
	size_t start = tree->count;

	for (; at; at = s->buffers[at - 1].next)
		if (!filter || grid_matches(&grid, &s->buffers[at - 1], filter))
			add_node(tree, 3, false, last, &s->buffers[at - 1]);
	if (tree->count > start)
		tree->nodes[tree->count - 1].last = true;
}

/* With what is below; without a filter all, with one what it lets pass, and what that is in. */
static void add_process(struct tree *tree, const struct snapshot *s, size_t at, int depth,
			const char *filter)
{
	struct grid grid = grid_of(s, TOP_PROCESSES);
	const struct snapshot_process *process = &s->processes[at - 1];
	bool last = !process->next;
	size_t start = tree->count;

	if (filter && grid_matches(&grid, process, filter))
		filter = NULL;
	add_node(tree, 2, last, false, process);
	if (depth > 2)
		add_buffers(tree, s, process->first, last, filter);
	if (filter && tree->count == start + 1)
		tree->count = start;
}

static void add_agent(struct tree *tree, const struct snapshot *s,
		      const struct snapshot_agent *agent, int depth, const char *filter)
{
	struct grid grid = grid_of(s, TOP_AGENTS);
	size_t start = tree->count, at;

	if (filter && grid_matches(&grid, agent, filter))
		filter = NULL;
	add_node(tree, 1, false, false, agent);
	for (at = agent->processes; at && depth > 1; at = s->processes[at - 1].next)
		add_process(tree, s, at, depth, filter);
	if (filter && tree->count == start + 1)
		tree->count = start;
}

static const char *branch(const struct node *node)
{
	static const char *const plain[] = {
		"|- ", "`- ", "|  |- ", "|  `- ", "   |- ", "   `- ",
	};
	static const char *const drawn[] = {
		"├─ ", "└─ ", "│  ├─ ", "│  └─ ", "   ├─ ", "   └─ ",
	};
	const char *const *branches = strcmp(nl_langinfo(CODESET), "UTF-8") ? plain : drawn;

	if (node->depth == 1)
		return "";
	return branches[(node->depth - 2) * (node->parent_last ? 4 : 2) + node->last];
}

static char *agent_node(const struct snapshot_agent *agent)
{
	char used[WORD_SHORT], quota[WORD_SHORT], *called = word_shown(agent->called);
	char *binding = word_shown(agent->binding), *buffers = plural(agent->buffers, "buffer");
	char *node;

	node = text("%s: %s of %s, %s, %" PRIu64 " denied, %" PRIu64 " waiting, %s",
		    called, word_human(used, agent->used),
		    agent->quota == GRID_NONE ? "max" : word_human(quota, agent->quota),
		    buffers, agent->denied, agent->waiting,
		    word_is_unknown(binding) ? "not bound" : binding);
	free(called);
	free(buffers);
	free(binding);
	return node;
}

static char *process_node(const struct snapshot_process *process)
{
	char size[WORD_SHORT], *comm = word_shown(process->comm), *node;
	char *pid = process->pid == GRID_NONE ? text("-") : text("%" PRIu64, process->pid);
	char *buffers = plural(process->buffers, "buffer");
	char *contexts = plural(process->contexts, "context");

	node = text("%s %s: %s, %s, %s", pid, comm, word_human(size, process->size), buffers,
		    contexts);
	free(buffers);
	free(contexts);
	free(pid);
	free(comm);
	return node;
}

static char *buffer_node(const struct snapshot_buffer *b)
{
	char size[WORD_SHORT], *exporter = word_shown(b->exporter), *kind = word_shown(b->kind);
	char *lock = word_shown(b->lock), *node;

	node = text("buffer %" PRIu64 ": %s %s%s%s%s%s, %" PRIu64 " attached", b->id,
		    word_human(size, b->size), kind, word_is_unknown(b->exporter) ? "" : " of ",
		    word_is_unknown(b->exporter) ? "" : exporter,
		    word_is_unknown(b->lock) ? "" : ", locked ",
		    word_is_unknown(b->lock) ? "" : lock, b->attachments);
	free(exporter);
	free(kind);
	free(lock);
	return node;
}

static void draw_node(struct frame *f, const struct node *node)
{
	char *what = node->depth == 1 ? agent_node(node->row) :
		     node->depth == 2 ? process_node(node->row) : buffer_node(node->row);

	say_line(f, node->depth == 1 ? agent_look(node->row) : FRAME_PLAIN,
		 text("%s%s", branch(node), what));
	free(what);
}

static void draw_tree(struct frame *f, struct snapshot *s, struct top_choice *choice,
		      const char *filter)
{
	static const struct grid_column heading = {
		.name = "AGENT -> PROCESS -> BUFFERS", .type = GRID_TEXT, .width = 40,
	};
	struct grid grid = grid_of(s, TOP_TREE), title = { &heading, 1, NULL, 0, 0 };
	size_t count, room = room_of(f), i;
	struct tree tree = { 0 };
	const void **rows;

	snapshot_link(s);
	rows = grid_sorted(&grid, &choice->orders[TOP_TREE], NULL, &count);
	for (i = 0; i < count; i++)
		add_agent(&tree, s, rows[i], choice->depth, *filter ? filter : NULL);
	free(rows);
	scroll(choice, tree.count, room);
	draw_heading(f, &title);
	for (i = choice->first; i < tree.count && i < choice->first + room; i++)
		draw_node(f, &tree.nodes[i]);
	free(tree.nodes);
}

static void draw_keys(struct frame *f, const struct snapshot *s, const struct top_choice *choice)
{
	struct grid grid = grid_of(s, choice->view);
	const struct grid_order *order = &choice->orders[choice->view];
	char *word = word_escape(choice->filter, strlen(choice->filter));
	char *filter = word_shown(word);

	while (frame_left(f) > 1)
		frame_line(f, FRAME_PLAIN, "");
	if (choice->filtering)
		say_line(f, FRAME_PLAIN, text("filter: %s_", filter));
	else
		say_line(f, FRAME_PLAIN,
			 text("%s by %s%s%s%s: < > u p d w b  r reverse  / filter  Tab view  %s",
			      view_names[choice->view], grid_sort_name(&grid, order->column),
			      order->reverse ? " reversed" : "", *filter ? ", only " : "", filter,
			      "h help  q quit"));
	free(filter);
	free(word);
}

static void draw_help(struct frame *f)
{
	size_t i;

	for (i = 0; i < COUNT(help); i++)
		frame_line(f, i ? FRAME_PLAIN : FRAME_HEADING, help[i]);
}

/**
 * top_draw() - draw a frame
 * @f: has begun
 * @s: what was read
 * @choice: what is shown of it; where it has been scrolled too far, that is corrected
 * @keys: whether the last line tells of keys; else it stays free
 */
void top_draw(struct frame *f, struct snapshot *s, struct top_choice *choice, bool keys)
{
	/* As words are in the tables. */
	char *filter = word_escape(choice->filter, strlen(choice->filter));

	draw_totals(f, s);
	draw_trouble(f, s);
	if (choice->help)
		draw_help(f);
	else if (choice->view == TOP_AGENTS)
		draw_agents(f, s, choice, filter);
	else if (choice->view == TOP_TREE)
		draw_tree(f, s, choice, filter);
	else
		draw_table(f, s, choice, filter);
	if (keys)
		draw_keys(f, s, choice);
	free(filter);
}
