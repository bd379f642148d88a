// SPDX-License-Identifier: GPL-2.0-only
/*
 * Columns: how names, limits and processes are shown in all files of /proc/swarm/gpu.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/ctype.h>
#include <linux/pid.h>

#include "column.h"

/**
 * gdl_seq_name() - print a name on one line and in one word
 * @m: where to
 * @name: the name; what is not graphic is shown as \ooo, "" as "-"
 *
 * Context: Any.
 */
void gdl_seq_name(struct seq_file *m, const char *name)
{
	const char *c;

	for (c = name; *c; c++)
		if (isascii(*c) && isgraph(*c) && *c != '\\')
			seq_putc(m, *c);
		else
			seq_printf(m, "\\%03o", (unsigned char)*c);
	if (c == name)
		seq_putc(m, '-');
}

/**
 * gdl_seq_limit() - print a quota or capacity
 * @m: where to
 * @limit: bytes; GDL_UNLIMITED as "max"
 *
 * Context: Any.
 */
void gdl_seq_limit(struct seq_file *m, u64 limit)
{
	if (limit == GDL_UNLIMITED)
		seq_puts(m, "max");
	else
		seq_put_decimal_ull(m, "", limit);
}

static void put_pid_nr(struct seq_file *m, pid_t nr)
{
	if (nr)
		put_number(m, nr);
	else
		put_word(m, "-");
}

/**
 * gdl_seq_process() - print PID and COMM; those that the reader's /proc hides are "-"
 * @m: where to
 * @reader: the reader
 * @pid: of the thread group
 * @comm: its name
 *
 * Context: Process context, of the reader. Caller holds rcu_read_lock().
 */
void gdl_seq_process(struct seq_file *m, const struct gdl_reader *reader, struct pid *pid,
		     const char *comm)
{
	bool seen = gdl_reader_sees_process(reader, pid);
	pid_t nr = pid_nr_ns(pid, reader->pid_ns);

	/* What is not of its pid namespace is not in that /proc at all. */
	if (!nr && reader->hide_pid != HIDEPID_OFF)
		seen = false;
	/* hidepid=1 hides what a process is, not that it is there. */
	put_pid_nr(m, seen || reader->hide_pid == HIDEPID_NO_ACCESS ? nr : 0);
	if (seen)
		put_name(m, comm);
	else
		put_word(m, "-");
}
