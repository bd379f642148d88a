/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Commands, and the files of /proc/swarm/gpu.
 * Included by gpu_dma_lock.h, which says what the letters of fields mean.
 */
#ifndef GDL_PROC_H
#define GDL_PROC_H

/* explain.c: what was wrong with a command */

#define GDL_WHY_LEN	384

/* Between a command and the process that gave it. */
struct gdl_reply {
	s64 id;					/* that it is to be told, or 0 */
	struct gdl_holdings *holdings;		/* of its open file, after `session`, or NULL */
	char why[GDL_WHY_LEN];			/* it has failed, in words, or "" */
};

/* A command that has failed. */
struct gdl_failed {
	const char *name;			/* of the command */
	const char *args;			/* what it wants, as its usage has them */
	int argc;
	char **argv;				/* what it got, its name first */
	int (*try_word)(const char *kind, char *word); /* 0, or the error it is refused with */
};

void gdl_explain_word(struct gdl_reply *reply, const char *word, const char *what);
void gdl_explain_usage(struct gdl_reply *reply, const struct gdl_failed *failed);
void gdl_explain(struct gdl_reply *reply, int error, const struct gdl_failed *failed);

/* word.c: the words of commands */

#define GDL_CAPITALS	"ABCDEFGHIJKLMNOPQRSTUVWXYZ"

int gdl_word_u64(const char *word, u64 *value);
int gdl_word_bytes(char *word, u64 *bytes);
int gdl_word_limit(char *word, u64 *limit);
void gdl_word_unescape(char *word);
bool gdl_word_is_name(const char *word);
int gdl_word_agent(char *word, u64 *id);

/* command.c: the grammar of the writable files */

#define GDL_WORDS_MAX	6		/* in a line */

/* Run the words of one line. */
typedef int (*gdl_line_fn)(struct gdl_reply *reply, int argc, char **argv);

int gdl_command_control(struct gdl_reply *reply, int argc, char **argv);
void gdl_command_explain(struct gdl_reply *reply, int error, int argc, char **argv);
int gdl_command_quota(struct gdl_reply *reply, int argc, char **argv);
int gdl_command_perm(struct gdl_reply *reply, int argc, char **argv);
size_t gdl_command_usage(char *text, size_t size);

/* user_memory.c: memory of programs, which may never come */

bool gdl_user_wait_begin(void);
void gdl_user_wait_end(void);
int gdl_copy_from_user(void *to, const void __user *from, size_t len);
int gdl_copy_to_user(void __user *to, const void *from, size_t len);

/* session.c: open files that commands are written to */

struct gdl_session;

struct gdl_session *gdl_session_open(struct file *file, gdl_line_fn run);
void gdl_session_close(struct gdl_session *session);
ssize_t gdl_session_write(struct gdl_session *session, const char __user *buf,
			  size_t count);
ssize_t gdl_session_read(struct gdl_session *session, char __user *buf,
			 size_t count);

/* reader.c: what the reader of a file may see */

/* The parameter `visibility`: which rows are for readers without CAP_SYS_ADMIN. */
enum gdl_visibility {
	GDL_VISIBILITY_ALL,
	GDL_VISIBILITY_OWN,	/* those of its own agent */
	GDL_NR_VISIBILITIES,
};

extern const char * const gdl_visibility_names[GDL_NR_VISIBILITIES];

struct gdl_reader {
	const struct file *file;	/* that is read */
	bool all;			/* sees the rows of all agents */
	u64 opener_id;			/* the opener's agent */
	u64 agent_id;			/* whose rows are seen else; 0: nobody's */
	enum proc_hidepid hide_pid;	/* of this /proc, for this reader */
	struct pid_namespace *pid_ns;	/* that this /proc was mounted for */
	bool addresses;			/* sees addresses; of a table's reader */
};

void gdl_reader_init(enum gdl_visibility to);
bool gdl_reader_sees_all(const struct file *file);
void gdl_reader_open(struct gdl_reader *reader, const struct file *file);
bool gdl_reader_may_read(const struct gdl_reader *reader);
void gdl_reader_begin(struct gdl_reader *reader);
bool gdl_reader_sees(const struct gdl_reader *reader, u64 agent_id);
bool gdl_reader_sees_process(const struct gdl_reader *reader, struct pid *pid);
const char *gdl_reader_name(const struct gdl_agent *agent);

/* column.c: what is shown in several files of /proc/swarm/gpu */

void gdl_seq_name(struct seq_file *m, const char *name);
void gdl_seq_limit(struct seq_file *m, u64 limit);
void gdl_seq_process(struct seq_file *m, const struct gdl_reader *reader, struct pid *pid,
		     const char *comm);

/* table_agents.c, table_buffers.c, table_rules.c: the tables */

/* What find() returns if it has looked at many without one: it is to be called again. */
#define GDL_ROW_LATER	ERR_PTR(-EAGAIN)

/*
 * A table is read by a cursor of its own: one task's, by the lock of its seq_file. All is
 * called under rcu_read_lock(). A row is what show() takes; it may be in the cursor.
 */
struct gdl_table {
	const char *name;
	const char *header;
	size_t cursor_size;			/* of what is zeroed when the file is opened */
	void (*begin)(void *cursor);		/* to before the first row */
	/* the row at the cursor, or after it; NULL: there is none */
	void *(*find)(void *cursor, const struct gdl_reader *reader);
	void (*advance)(void *cursor);		/* to behind the row that was found */
	void (*stop)(void *cursor);		/* drops what find() has taken; NULL: nothing */
	u64 (*agent_of)(const struct gdl_reader *reader, const void *row); /* whose row it is */
	void (*show)(struct seq_file *m, const struct gdl_reader *reader, void *row);
	gdl_line_fn write;			/* NULL: it cannot be written */
	bool restricted;			/* to readers with CAP_SYS_ADMIN */
};

/* Of devices and agents, whose ids may be any, the highest too. */
struct gdl_id_cursor {
	u64 id;
	bool end;
};

/* Of what has ids that rise with time: rows made since the read began are left out. */
struct gdl_serial_cursor {
	u64 id;
	u64 last_id;
};

struct gdl_quota_row {
	struct gdl_agent *agent;
	struct gdl_device_quota *dq;		/* NULL: on all devices */
};

struct gdl_quota_cursor {
	u64 agent_id;
	bool device_rows;			/* past the row "all" of that agent */
	u64 device_id;
	bool end;
	struct gdl_quota_row row;
};

struct gdl_perm_cursor {
	struct gdl_perm_row row;		/* from where to look, then what was found */
	bool end;
};

struct gdl_binding_cursor {
	u64 last_id;
	struct gdl_binding_row row;		/* likewise */
	char path[PATH_MAX];			/* its */
};

extern const struct gdl_table gdl_table_devices;
extern const struct gdl_table gdl_table_agents;
extern const struct gdl_table gdl_table_quotas;
extern const struct gdl_table gdl_table_regions;
extern const struct gdl_table gdl_table_allocations;
extern const struct gdl_table gdl_table_attachments;
extern const struct gdl_table gdl_table_locks;
extern const struct gdl_table gdl_table_contexts;
extern const struct gdl_table gdl_table_bindings;
extern const struct gdl_table gdl_table_templates;
extern const struct gdl_table gdl_table_dma_permissions;

/* config.c: the file config */

extern const struct gdl_table gdl_config_table;

/* chardev.c: /dev/gpu_dma_lock */

int gdl_chardev_init(void);
void gdl_chardev_exit(void);

/* proc.c: /proc/swarm/gpu */

int gdl_proc_init(void);
void gdl_proc_exit(void);

#endif /* GDL_PROC_H */
