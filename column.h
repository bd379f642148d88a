/* SPDX-License-Identifier: GPL-2.0-only */
/* What the tables have in common: columns, and steps of their cursors. */
#ifndef GDL_COLUMN_H
#define GDL_COLUMN_H

#include <linux/jiffies.h>
#include <linux/seq_file.h>

#include "gpu_dma_lock.h"

static inline void put_name(struct seq_file *m, const char *name)
{
	gdl_seq_name(m, name);
	seq_putc(m, ' ');
}

static inline void put_word(struct seq_file *m, const char *word)
{
	seq_puts(m, word);
	seq_putc(m, ' ');
}

static inline void put_number(struct seq_file *m, u64 number)
{
	seq_put_decimal_ull(m, "", number);
	seq_putc(m, ' ');
}

static inline void end_with_number(struct seq_file *m, u64 number)
{
	seq_put_decimal_ull(m, "", number);
	seq_putc(m, '\n');
}

/* @agent: NULL if it is gone by now */
static inline void end_with_agent_name(struct seq_file *m, const struct gdl_agent *agent)
{
	gdl_seq_name(m, agent ? gdl_reader_name(agent) : "");
	seq_putc(m, '\n');
}

static inline void put_limit(struct seq_file *m, u64 limit)
{
	gdl_seq_limit(m, limit);
	seq_putc(m, ' ');
}

static inline void put_count(struct seq_file *m, atomic64_t *count)
{
	put_number(m, atomic64_read(count));
}

/* Device ids; gdl_no_device has none. */
static inline void put_device(struct seq_file *m, const struct gdl_device *device)
{
	if (device == &gdl_no_device)
		put_word(m, "-");
	else
		put_number(m, device->id);
}

static inline u64 age_ms(unsigned long created)
{
	return jiffies64_to_msecs(jiffies - created);
}

/* Of what was adopted, which is older than anybody here knows: "-". */
static inline void end_with_age(struct seq_file *m, unsigned long created, bool adopted)
{
	if (adopted)
		seq_puts(m, "-\n");
	else
		end_with_number(m, age_ms(created));
}

static inline void advance_serial(void *cursor)
{
	struct gdl_serial_cursor *c = cursor;

	c->id++;
}

/* To the row of @id, if it was there when the read began. */
static inline bool come_to(struct gdl_serial_cursor *c, u64 id)
{
	c->id = id;
	return id <= c->last_id;
}

#endif /* GDL_COLUMN_H */
