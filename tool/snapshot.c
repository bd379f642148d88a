// SPDX-License-Identifier: GPL-2.0-only
/*
 * Snapshots: agents, their processes and their buffers, as they are at a time.
 *
 * Memory is kept from one to the next, and words are put one behind the other, so that
 * 100,000 rows cost little more than to read them.
 */

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "message.h"
#include "snapshot.h"
#include "table.h"
#include "word.h"

#define UNKNOWN		UINT64_MAX
#define WORDS_SIZE	(1 << 20)
#define PID_BITS	32

struct snapshot_words {
	struct snapshot_words *next;
	size_t used, size;
	char bytes[];
};

/* Indices by numbers, in slots of which half are free. */
struct snapshot_map {
	size_t size, used;
	struct slot {
		uint64_t key;
		size_t index;	/* + 1; 0: the slot is free */
	} slots[];
};

static char *words_room(struct snapshot *s, size_t len)
{
	struct snapshot_words *words = s->words;
	size_t size = len > WORDS_SIZE ? len : WORDS_SIZE;

	if (!words || words->size - words->used < len) {
		words = must(malloc(sizeof(*words) + size));
		*words = (struct snapshot_words){ s->words, 0, size };
		s->words = words;
	}
	words->used += len;
	return words->bytes + words->used - len;
}

static const char *keep(struct snapshot *s, const char *word)
{
	size_t len = strlen(word) + 1;

	return memcpy(words_room(s, len), word, len);
}

/* One block is left for the next time. */
static void forget_words(struct snapshot *s)
{
	struct snapshot_words *words;

	while (s->words && s->words->next) {
		words = s->words;
		s->words = words->next;
		free(words);
	}
	if (s->words)
		s->words->used = 0;
}

static struct slot *slot_of(struct snapshot_map *map, uint64_t key)
{
	size_t i = (key * 0x9e3779b97f4a7c15ULL >> 20) & (map->size - 1);

	while (map->slots[i].index && map->slots[i].key != key)
		i = (i + 1) & (map->size - 1);
	return &map->slots[i];
}

static struct snapshot_map *new_map(size_t size)
{
	struct snapshot_map *map = make(1, sizeof(*map) + size * sizeof(*map->slots));

	map->size = size;
	return map;
}

/* The slot of a key, which becomes that of index, if it has none. */
static struct slot *map_add(struct snapshot_map **map, uint64_t key, size_t index)
{
	struct snapshot_map *old = *map;
	struct slot *slot;
	size_t i;

	if (!old || old->used * 2 >= old->size) {
		*map = new_map(old ? old->size * 2 : 256);
		for (i = 0; old && i < old->size; i++)
			if (old->slots[i].index)
				*slot_of(*map, old->slots[i].key) = old->slots[i];
		(*map)->used = old ? old->used : 0;
		free(old);
	}
	slot = slot_of(*map, key);
	if (!slot->index) {
		*slot = (struct slot){ key, index + 1 };
		(*map)->used++;
	}
	return slot;
}

/* The agent of an id, perhaps one that came after the others were read. */
static size_t agent_of(struct snapshot *s, uint64_t id)
{
	struct slot *slot = map_add(&s->agent_map, id, s->agent_count);
	char number[WORD_SHORT];

	if (slot->index <= s->agent_count)
		return slot->index - 1;
	s->agents = grow(s->agents, &s->agent_room, s->agent_count + 1, sizeof(*s->agents));
	snprintf(number, sizeof(number), "%" PRIu64, id);
	s->agents[s->agent_count] = (struct snapshot_agent){
		.id = id, .quota = UNKNOWN, .percent = UNKNOWN,
		.called = id == UNKNOWN ? "-" : keep(s, number), .binding = "-",
	};
	return s->agent_count++;
}

static size_t process_of(struct snapshot *s, size_t agent, uint64_t pid, const char *comm)
{
	uint64_t key = (uint64_t)agent << PID_BITS | (pid & UINT32_MAX);
	struct slot *slot = map_add(&s->process_map, key, s->process_count);

	if (slot->index <= s->process_count)
		return slot->index - 1;
	s->processes = grow(s->processes, &s->process_room, s->process_count + 1,
			    sizeof(*s->processes));
	s->processes[s->process_count] = (struct snapshot_process){
		.pid = pid, .comm = keep(s, comm), .agent = s->agents[agent].called, .of = agent,
	};
	return s->process_count++;
}

/* Cells by the indices of their columns: a name would be looked for in each row. */
static size_t column_of(const struct table *t, const char *name)
{
	size_t i;

	for (i = 0; i < t->columns && strcmp(t->names[i], name); i++)
		;
	return i;
}

static const char *cell(const struct table *t, size_t column)
{
	return column < t->columns ? t->cells[column] : "-";
}

static uint64_t number(const struct table *t, size_t column)
{
	uint64_t value;

	return word_number(cell(t, column), &value) ? value : UNKNOWN;
}

static uint64_t percent(uint64_t used, uint64_t quota)
{
	if (quota == UNKNOWN)
		return UNKNOWN;
	return quota ? used * 100.0 / quota + 0.5 : used ? 100 : 0;
}

static void take_agent(struct snapshot *s, const struct table *t)
{
	size_t i = agent_of(s, table_number(t, "ID"));
	struct snapshot_agent *agent = &s->agents[i];
	const char *name = table_cell(t, "NAME");

	agent->buffers = table_number(t, "BUFFERS");
	agent->used = table_number(t, "USED");
	agent->peak = table_number(t, "PEAK");
	agent->quota = number(t, column_of(t, "QUOTA"));
	agent->percent = percent(agent->used, agent->quota);
	agent->locks = table_number(t, "LOCKS");
	agent->waiting = table_number(t, "WAITING");
	agent->denied = table_number(t, "DENIED");
	agent->contexts = table_number(t, "CONTEXTS");
	if (!word_is_unknown(name))
		agent->called = keep(s, name);
	s->waiting += agent->waiting;
}

static void take_binding(struct snapshot *s, const struct table *t)
{
	size_t i = agent_of(s, table_number(t, "AGENT"));

	if (!s->agents[i].bindings++)
		s->agents[i].binding = keep(s, table_cell(t, "BINDING"));
}

static void take_context(struct snapshot *s, const struct table *t)
{
	size_t agent = agent_of(s, table_number(t, "AGENT"));
	size_t i = process_of(s, agent, number(t, column_of(t, "PID")), table_cell(t, "COMM"));

	s->processes[i].contexts++;
}

static int read_rows(struct snapshot *s, const char *name,
		     void (*take)(struct snapshot *s, const struct table *t))
{
	struct table t;
	int got;

	if (table_open(&t, name))
		return -1;
	while ((got = table_next(&t)) > 0)
		take(s, &t);
	table_close(&t);
	return got;
}

static void add_to_process(struct snapshot *s, struct snapshot_buffer *b)
{
	struct snapshot_process *process = &s->processes[b->of];

	process->buffers++;
	process->size += b->size;
	process->attachments += b->attachments;
	process->locked += !word_is_unknown(b->lock);
}

static int read_buffers(struct snapshot *s)
{
	struct table t;
	size_t id, agent, device, size, kind, exporter, inode, pid, comm, lock, attachments;
	int got;

	if (table_open(&t, "allocations"))
		return -1;
	id = column_of(&t, "ID");
	agent = column_of(&t, "AGENT");
	device = column_of(&t, "DEVICE");
	size = column_of(&t, "SIZE");
	kind = column_of(&t, "KIND");
	exporter = column_of(&t, "EXPORTER");
	inode = column_of(&t, "INODE");
	pid = column_of(&t, "PID");
	comm = column_of(&t, "COMM");
	lock = column_of(&t, "LOCK");
	attachments = column_of(&t, "ATTACHMENTS");
	while ((got = table_next(&t)) > 0) {
		size_t owner = agent_of(s, number(&t, agent));
		struct snapshot_buffer *b;

		s->buffers = grow(s->buffers, &s->buffer_room, s->buffer_count + 1,
				  sizeof(*s->buffers));
		b = &s->buffers[s->buffer_count++];
		*b = (struct snapshot_buffer){
			.id = number(&t, id), .device = number(&t, device),
			.size = number(&t, size), .inode = number(&t, inode),
			.pid = number(&t, pid), .attachments = number(&t, attachments),
			.agent = s->agents[owner].called, .kind = keep(s, cell(&t, kind)),
			.exporter = keep(s, cell(&t, exporter)), .lock = keep(s, cell(&t, lock)),
		};
		b->size = b->size == UNKNOWN ? 0 : b->size;
		b->attachments = b->attachments == UNKNOWN ? 0 : b->attachments;
		b->comm = keep(s, cell(&t, comm));
		b->of = process_of(s, owner, b->pid, b->comm);
		add_to_process(s, b);
	}
	table_close(&t);
	return got;
}

/* How many bindings there are besides the one that is shown. */
static void count_bindings(struct snapshot *s)
{
	size_t i;

	for (i = 0; i < s->agent_count; i++) {
		struct snapshot_agent *agent = &s->agents[i];
		char *word;

		if (agent->bindings < 2)
			continue;
		word = text("%s +%" PRIu64, agent->binding, agent->bindings - 1);
		agent->binding = keep(s, word);
		free(word);
	}
}

static void count_denials(struct snapshot *s)
{
	static const char *const keys[] = {
		"quota_denied", "quota_audited", "capacity_denied", "capacity_audited",
		"locks_denied", "locks_audited", "dma_denied", "dma_audited",
		"dma_checks_denied",
	};
	size_t i;

	for (i = 0; i < sizeof(keys) / sizeof(*keys); i++)
		s->denied += stats_number(&s->stats, keys[i]);
}

static void clear_map(struct snapshot_map *map)
{
	if (!map)
		return;
	memset(map->slots, 0, map->size * sizeof(*map->slots));
	map->used = 0;
}

/**
 * snapshot_read() - read the tables
 * @s: zeroed at first; what it had is replaced. snapshot_free() is called for it in the end
 *
 * Return: 0; or -1, and what is wrong has been said.
 */
int snapshot_read(struct snapshot *s)
{
	stats_free(&s->stats);
	forget_words(s);
	clear_map(s->agent_map);
	clear_map(s->process_map);
	s->agent_count = 0;
	s->process_count = 0;
	s->buffer_count = 0;
	s->denied = 0;
	s->waiting = 0;
	if (stats_read(&s->stats, "stats") || read_rows(s, "agents", take_agent) ||
	    read_rows(s, "bindings", take_binding) || read_buffers(s) ||
	    read_rows(s, "contexts", take_context))
		return -1;
	count_bindings(s);
	count_denials(s);
	return 0;
}

struct size_key {
	uint64_t size;
	size_t index;
};

static int smaller(const void *a, const void *b)
{
	const struct size_key *x = a, *y = b;
	int order = (x->size > y->size) - (x->size < y->size);

	return order ? order : (x->index < y->index) - (x->index > y->index);
}

/**
 * snapshot_link() - find what is whose, for a tree
 * @s: what was read. Lists of processes and buffers begin with the largest
 */
void snapshot_link(struct snapshot *s)
{
	size_t count = s->buffer_count > s->process_count ? s->buffer_count : s->process_count;
	struct size_key *keys = make(count, sizeof(*keys));
	size_t i;

	for (i = 0; i < s->agent_count; i++)
		s->agents[i].processes = 0;
	for (i = 0; i < s->process_count; i++)
		s->processes[i].first = 0;
	for (i = 0; i < s->buffer_count; i++)
		keys[i] = (struct size_key){ s->buffers[i].size, i };
	qsort(keys, s->buffer_count, sizeof(*keys), smaller);
	for (i = 0; i < s->buffer_count; i++) {
		struct snapshot_buffer *b = &s->buffers[keys[i].index];

		b->next = s->processes[b->of].first;
		s->processes[b->of].first = keys[i].index + 1;
	}
	for (i = 0; i < s->process_count; i++)
		keys[i] = (struct size_key){ s->processes[i].size, i };
	qsort(keys, s->process_count, sizeof(*keys), smaller);
	for (i = 0; i < s->process_count; i++) {
		struct snapshot_process *p = &s->processes[keys[i].index];

		p->next = s->agents[p->of].processes;
		s->agents[p->of].processes = keys[i].index + 1;
	}
	free(keys);
}

/**
 * snapshot_free() - forget it
 * @s: the snapshot
 */
void snapshot_free(struct snapshot *s)
{
	stats_free(&s->stats);
	forget_words(s);
	free(s->words);
	free(s->agents);
	free(s->processes);
	free(s->buffers);
	free(s->agent_map);
	free(s->process_map);
	*s = (struct snapshot){ 0 };
}
