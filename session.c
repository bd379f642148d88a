// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sessions: open files that commands are written to. A write is cut into lines, and
 * these into words; each line is run, and its result is kept until it is read or the
 * next write comes.
 *
 * A line is run when its writer has shown that it is whole: by a newline, or by writing
 * nothing else. A process that is killed within a line has not; half of `remove_agent 71` would
 * remove agent 7.
 *
 * How writes become lines is described at gdl_session_write().
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/capability.h>
#include <linux/err.h>
#include <linux/fs.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/user_namespace.h>

#include "gpu_dma_lock.h"

#define LINE_MAX_LEN	4095
#define WRITE_MAX_LEN	SZ_64K

/* A write up to this long is copied to the stack. */
#define SHORT_WRITE_LEN	80

/* Of a line that is not run, so much goes to the kernel's log. */
#define SHOWN_LEN	64

/* The most that a result reads as: an id, or an error and why, and a newline. */
#define RESULT_MAX_LEN	(32 + GDL_WHY_LEN)

/* An open file that is written to. */
struct gdl_session {
	gdl_line_fn run;			/* C */
	bool may_command;			/* C: its opener may */
	bool explains;				/* C: results can be read */
	struct mutex mutex;			/* protects all that follows */
	bool written;
	struct gdl_reply reply;			/* to the command that runs */
	s64 *results;				/* of the last write: ids, 0, or errors */
	size_t nr_results, max_results;
	size_t read_result;			/* the next one to be read */
	size_t read_pos;			/* in that one, or in the list of commands */
	size_t rest_len;			/* of a line not ended yet */
	char rest[LINE_MAX_LEN + 1];
};

static int results_make_room(struct gdl_session *session)
{
	size_t max = session->max_results;
	s64 *results;

	if (session->nr_results < max)
		return 0;
	max = max ? max * 2 : 16;
	results = kvmalloc_array(max, sizeof(*results), GFP_KERNEL);
	if (!results)
		return -ENOMEM;
	if (session->nr_results)
		memcpy(results, session->results, session->nr_results * sizeof(*results));
	kvfree(session->results);
	session->results = results;
	session->max_results = max;
	return 0;
}

/* The words of a line, each ended by NUL. */
struct words {
	int nr;					/* NOT_WORDS: too many, or a NUL */
	char *at[GDL_WORDS_MAX];
};

#define NOT_WORDS	(-1)

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* Most characters are known by one look. */
static bool in_word(char c)
{
	return (u8)c > ' ' || (c && c != '\n' && !is_blank(c));
}

/*
 * Cut the line at @line, which is ended by a newline, into words; return where it
 * ends. In one pass, since that is a tenth of what a command costs. A comment has none.
 */
static char *cut(char *line, struct words *words)
{
	bool comment = false;
	int nr = 0;
	char end;

	do {
		if (in_word(*line)) {
			comment = !nr && *line == '#';
			if (comment || nr == GDL_WORDS_MAX)
				break;
			words->at[nr++] = line++;
			while (in_word(*line))
				line++;
		}
		end = *line;
		*line++ = '\0';
	} while (is_blank(end));
	if (end == '\n') {
		words->nr = nr;
		return line - 1;
	}
	words->nr = comment ? 0 : NOT_WORDS;
	while (*line != '\n')
		line++;
	return line;
}

/* A line was of no use. It is the write's last, so that its why is there to be read. */
static void failed(struct gdl_session *session, int error, struct words *words)
{
	gdl_stat_inc(GDL_STAT_COMMANDS_FAILED);
	session->reply.why[0] = '\0';
	if (!session->explains)
		return;
	if (words->nr == NOT_WORDS)
		strscpy(session->reply.why, "too many words, or a NUL", GDL_WHY_LEN);
	else
		gdl_command_explain(&session->reply, error, words->nr, words->at);
}

/* Run the line that @words are of. */
static int run_words(struct gdl_session *session, struct words *words)
{
	int ret;

	if (fatal_signal_pending(current))
		return -EINTR;
	ret = results_make_room(session);
	if (ret || !words->nr)
		return ret;
	gdl_stat_inc(GDL_STAT_COMMANDS);
	session->reply.id = 0;
	ret = words->nr == NOT_WORDS ? -EINVAL :
	      session->run(&session->reply, words->nr, words->at);
	if (ret)
		failed(session, ret, words);
	session->results[session->nr_results++] = ret ?: session->reply.id;
	return ret;
}

/* Append to the unfinished line; drop it, -E2BIG, if that makes it too long. */
static int rest_append(struct gdl_session *session, const char *buf, size_t len)
{
	if (session->rest_len + len > LINE_MAX_LEN) {
		session->rest_len = 0;
		return -E2BIG;
	}
	memcpy(session->rest + session->rest_len, buf, len);
	session->rest_len += len;
	return 0;
}

static int run_rest(struct gdl_session *session)
{
	struct words words;

	session->rest[session->rest_len] = '\n';
	session->rest_len = 0;
	cut(session->rest, &words);
	return run_words(session, &words);
}

/*
 * Run the line at @line, which is ended by a newline within @max bytes, behind what
 * earlier writes left of it; @end receives where it ends.
 */
static int run_ended_line(struct gdl_session *session, char *line, size_t max, char **end)
{
	struct words words;
	int ret;

	if (session->rest_len) {
		*end = memchr(line, '\n', max);
		ret = rest_append(session, line, *end - line);
		return ret ?: run_rest(session);
	}
	*end = cut(line, &words);
	return *end - line > LINE_MAX_LEN ? -E2BIG : run_words(session, &words);
}

/* What is behind the last newline of a write. */
static int take_rest(struct gdl_session *session, char *buf, size_t len,
		     bool alone)
{
	int ret = rest_append(session, buf, len);

	if (ret)
		return ret;
	return alone ? run_rest(session) : 0;
}

/* How long the lines in @buf are that are ended. */
static size_t ended_len(const char *buf, size_t len)
{
	while (len && buf[len - 1] != '\n')
		len--;
	return len;
}

/* Run the lines in @buf; return how many bytes were taken, or an error. */
static ssize_t run_lines(struct gdl_session *session, char *buf, size_t len,
			 bool more)
{
	bool first = !session->written;
	size_t done = 0, ended = ended_len(buf, len);
	char *end;
	int ret = 0;

	session->written = true;
	while (done < ended) {
		ret = run_ended_line(session, buf + done, ended - done, &end);
		if (ret)
			return done ?: ret;
		done = end - buf + 1;
		cond_resched();
	}
	if (done == len)
		return done;
	if (more && done)
		return done;
	ret = take_rest(session, buf + done, len - done, first && !done);
	if (ret)
		return done ?: ret;
	return len;
}

/**
 * gdl_session_open() - begin to take commands from an open file
 * @file: the file
 * @run: runs one line of it
 *
 * Context: May sleep.
 * Return: The session, or NULL if there was no memory.
 */
struct gdl_session *gdl_session_open(struct file *file, gdl_line_fn run)
{
	struct gdl_session *session = kzalloc(sizeof(*session),
					      GFP_KERNEL_ACCOUNT);

	if (!session)
		return NULL;
	mutex_init(&session->mutex);
	session->may_command = file_ns_capable(file, &init_user_ns, CAP_SYS_ADMIN);
	session->run = run;
	session->explains = run == gdl_command_control && file->f_mode & FMODE_READ;
	return session;
}

/* What was never ended may be the half of a line. */
static void drop_rest(struct gdl_session *session)
{
	int len = min_t(size_t, session->rest_len, SHOWN_LEN);

	gdl_stat_inc(GDL_STAT_COMMANDS_UNFINISHED);
	pr_notice_ratelimited("not run, as its newline never came: %*pE%s\n", len,
			      session->rest, session->rest_len > SHOWN_LEN ? "..." : "");
}

/**
 * gdl_session_close() - end a session
 * @session: from gdl_session_open()
 *
 * A line that was never ended is not run. What was had after the command `session` ends.
 *
 * Context: May sleep.
 */
void gdl_session_close(struct gdl_session *session)
{
	if (session->rest_len)
		drop_rest(session);
	if (session->reply.holdings)
		gdl_holdings_free(session->reply.holdings);
	kvfree(session->results);
	mutex_destroy(&session->mutex);
	kfree(session);
}

static ssize_t write_locked(struct gdl_session *session,
			    const char __user *buf, size_t count)
{
	size_t len = min_t(size_t, count, WRITE_MAX_LEN);
	char on_stack[SHORT_WRITE_LEN];
	char *lines = on_stack;
	ssize_t ret;

	lockdep_assert_held(&session->mutex);
	if (len > SHORT_WRITE_LEN)
		lines = kvmalloc(len, GFP_KERNEL);
	if (!lines)
		return -ENOMEM;
	ret = gdl_copy_from_user(lines, buf, len);
	if (!ret) {
		session->nr_results = 0;
		session->read_result = 0;
		session->read_pos = 0;
		ret = run_lines(session, lines, len, len < count);
	}
	if (lines != on_stack)
		kvfree(lines);
	return ret;
}

/**
 * gdl_session_write() - take a write to the file
 * @session: from gdl_session_open()
 * @buf: the lines
 * @count: bytes
 *
 * The lines run in order, up to the first that fails; blank ones and comments, which
 * begin with #, do nothing. Of a write over 64 KiB the whole lines within its first
 * 64 KiB are taken. What is behind the last newline waits for its rest in the next
 * write; but a first write without any newline runs at once.
 *
 * Context: May sleep.
 * Return: How many bytes were taken: whole lines that succeeded, and a rest
 * that was kept. If the first line failed, its error; -EPERM if the opener of
 * the file lacks CAP_SYS_ADMIN, -E2BIG if that line is over 4095 bytes,
 * -EINTR, -EFAULT, -ENOMEM, -ENODEV if @buf is not there and the module is going.
 */
ssize_t gdl_session_write(struct gdl_session *session, const char __user *buf,
			  size_t count)
{
	ssize_t ret;

	if (!session->may_command)
		return -EPERM;
	if (!count)
		return 0;
	if (mutex_lock_killable(&session->mutex))
		return -EINTR;
	ret = write_locked(session, buf, count);
	mutex_unlock(&session->mutex);
	return ret;
}

static ssize_t read_usage(struct gdl_session *session, char __user *buf, size_t count)
{
	char *usage = kmalloc(PAGE_SIZE, GFP_KERNEL);
	size_t len;
	int ret;

	if (!usage)
		return -ENOMEM;
	len = gdl_command_usage(usage, PAGE_SIZE) - session->read_pos;
	len = min(len, count);
	ret = gdl_copy_to_user(buf, usage + session->read_pos, len);
	kfree(usage);
	if (ret)
		return ret;
	session->read_pos += len;
	return len;
}

static size_t print_result(char *text, s64 result, const char *why)
{
	if (result < 0)
		return scnprintf(text, RESULT_MAX_LEN, "%pe%s%s\n", ERR_PTR(result),
				 *why ? " " : "", why);
	if (!result)
		return scnprintf(text, RESULT_MAX_LEN, "ok\n");
	return scnprintf(text, RESULT_MAX_LEN, "%lld\n", result);
}

/* Results are made text only when they are read, which most never are. */
static ssize_t read_results(struct gdl_session *session, char __user *buf, size_t count)
{
	char text[RESULT_MAX_LEN];
	size_t len, n, done = 0;
	int ret;

	while (done < count && session->read_result < session->nr_results) {
		len = print_result(text, session->results[session->read_result],
				   session->reply.why);
		n = min(len - session->read_pos, count - done);
		ret = gdl_copy_to_user(buf + done, text + session->read_pos, n);
		if (ret)
			return done ?: ret;
		done += n;
		session->read_pos += n;
		if (session->read_pos < len)
			continue;
		session->read_result++;
		session->read_pos = 0;
	}
	return done;
}

/**
 * gdl_session_read() - read the results of the last write
 * @session: from gdl_session_open()
 * @buf: receives them
 * @count: bytes at most
 *
 * One line a command: what it printed, "ok", or its error and what was wrong. Where
 * nothing was written yet: the list of commands.
 *
 * Context: May sleep.
 * Return: How many bytes were read, 0 at the end; -EINTR, -EFAULT, -ENOMEM, -ENODEV if
 * @buf is not there and the module is going.
 */
ssize_t gdl_session_read(struct gdl_session *session, char __user *buf,
			 size_t count)
{
	ssize_t ret;

	if (mutex_lock_killable(&session->mutex))
		return -EINTR;
	ret = session->written ? read_results(session, buf, count) :
				 read_usage(session, buf, count);
	mutex_unlock(&session->mutex);
	return ret;
}
