// SPDX-License-Identifier: GPL-2.0-only
/*
 * Explanations: what was wrong with a command, in a sentence.
 *
 * It is found out once the command has failed, from its words and what there is then, so
 * that a command that succeeds pays nothing for it.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/ctype.h>
#include <linux/kernel.h>
#include <linux/kstrtox.h>
#include <linux/rcupdate.h>
#include <linux/stringify.h>
#include <linux/string.h>

#include "gpu_dma_lock.h"

/* Of a word that was given, so many bytes are repeated; a longer one ends with "...". */
#define WORD_MAX_LEN	255

/* The longest word of usages. */
#define KIND_MAX_LEN	24

static __printf(2, 3) void say(struct gdl_reply *reply, const char *fmt, ...)
{
	size_t len = strlen(reply->why);
	va_list args;

	va_start(args, fmt);
	vscnprintf(reply->why + len, sizeof(reply->why) - len, fmt, args);
	va_end(args);
}

static bool is_shown(char c)
{
	return isascii(c) && isgraph(c) && c != '\\';
}

/* As the tables show names: what is not graphic is \ooo. */
static void say_word(struct gdl_reply *reply, const char *word)
{
	const char *end = word + strnlen(word, WORD_MAX_LEN), *c;

	for (c = word; c < end; c++) {
		for (word = c; c < end && is_shown(*c);)
			c++;
		say(reply, "%.*s", (int)(c - word), word);
		if (c < end)
			say(reply, "\\%03o", (u8)*c);
	}
	if (*end)
		say(reply, "...");
}

/* What a word must be, by what usages call it; all others are numbers. */
static const struct {
	const char *kind;
	const char *what;
} kinds[] = {
	{ "AGENT", "an agent's id or name" },
	{ "BYTES", "a size" },
	{ "BYTES|max", "a size or max" },
	{ "MODE", "r, w, rw or -" },
	{ "NAME", "a name" },
	{ "NAME|-", "a name or -" },
	{ "PATTERN", "a pattern, which begins with / or *" },
	{ "QUOTA", "a size or max" },
	{ "RANGE|buf=ID", "a range or buf=ID" },
	{ "SIZE", "a size" },
	{ "cgroup:PATH|pid:N", "cgroup:PATH or pid:N" },
	{ "later", "later" },
	{ "nowait|TIMEOUT_MS", "nowait or a number" },
	{ "off|audit|enforce", "off, audit or enforce" },
	{ "r|w|rw", "r, w or rw" },
	{ "shared|exclusive", "shared or exclusive" },
};

static const char *kind_is(const char *kind, const char *word)
{
	size_t i;

	/* An id that is not only digits. */
	if (!strcmp(kind, "AGENT") && isdigit(*word))
		return "a number";
	for (i = 0; i < ARRAY_SIZE(kinds); i++)
		if (!strcmp(kind, kinds[i].kind))
			return kinds[i].what;
	return "a number";
}

/**
 * gdl_explain_word() - say that a word is not what it should be
 * @reply: receives it
 * @word: the word
 * @what: what it should be
 *
 * Context: Any.
 */
void gdl_explain_word(struct gdl_reply *reply, const char *word, const char *what)
{
	say(reply, "\"");
	say_word(reply, word);
	say(reply, "\" is not %s", what);
}

/**
 * gdl_explain_usage() - say that a command wants more or fewer words
 * @reply: receives it
 * @failed: the command
 *
 * Context: Any.
 */
void gdl_explain_usage(struct gdl_reply *reply, const struct gdl_failed *failed)
{
	say(reply, "usage: %s%s", failed->name, failed->args);
}

/* What the next word in a usage at @args is called, without the brackets; "": no more. */
static const char *next_kind(const char *args, char *kind)
{
	size_t len;

	args += strspn(args, " [");
	len = strcspn(args, " ]");
	strscpy(kind, args, min_t(size_t, len + 1, KIND_MAX_LEN));
	return args + len + strspn(args + len, "]");
}

/* Say which word is why the command fails with @error, if one alone is. */
static bool explain_words(struct gdl_reply *reply, int error, const struct gdl_failed *failed)
{
	const char *args = failed->args;
	char kind[KIND_MAX_LEN];
	int i;

	for (i = 1; i < failed->argc; i++) {
		args = next_kind(args, kind);
		if (failed->try_word(kind, failed->argv[i]) != error)
			continue;
		if (error == -ERANGE) {
			say(reply, "\"");
			say_word(reply, failed->argv[i]);
			say(reply, "\" is too large");
		} else {
			gdl_explain_word(reply, failed->argv[i], kind_is(kind, failed->argv[i]));
		}
		return true;
	}
	return false;
}

/* Numbers are decimal, or hex with 0x. */
static bool number(const char *word, u64 *n)
{
	bool hex = word[0] == '0' && tolower(word[1]) == 'x';

	return isdigit(*word) && !kstrtou64(word, hex ? 16 : 10, n);
}

static struct gdl_agent *find_agent(const char *word)
{
	u64 id;

	if (!number(word, &id) && gdl_agent_find_name(word, &id))
		return NULL;
	return gdl_agent_lookup(id);
}

static bool has_context(u64 id)
{
	const struct gdl_context *c = gdl_context_next(id);

	return c && c->id == id;
}

/* What the word names, if there is no such thing; else NULL. */
static const char *missing(const char *kind, const char *word, int error)
{
	u64 id;

	if (error == -ENOENT && !strcmp(kind, "AGENT"))
		return find_agent(word) ? NULL : "agent";
	if (!number(word, &id))
		return NULL;
	if (error == -ENODEV)
		return strcmp(kind, "DEV") || gdl_device_lookup(id) ? NULL : "device";
	if (!strcmp(kind, "BUFFER"))
		return gdl_buffer_lookup(id) ? NULL : "buffer";
	return strcmp(kind, "CONTEXT") || has_context(id) ? NULL : "context";
}

/* Say which word names what is not there, if one does. */
static bool explain_missing(struct gdl_reply *reply, int error, const struct gdl_failed *failed)
{
	const char *args = failed->args, *word, *what = NULL;
	char kind[KIND_MAX_LEN];
	int i;

	rcu_read_lock();
	for (i = 1; i < failed->argc && !what; i++) {
		args = next_kind(args, kind);
		word = failed->argv[i];
		if (!strncmp(word, "buf=", 4)) {
			word += 4;
			strscpy(kind, "BUFFER", sizeof(kind));
		}
		what = missing(kind, word, error);
	}
	rcu_read_unlock();
	if (!what)
		return false;
	say(reply, "no %s ", what);
	say_word(reply, word);
	return true;
}

/* Say what an agent, or a device, holds of what it may hold. */
static void say_use(struct gdl_reply *reply, const struct gdl_quota *quota)
{
	say(reply, " has %lld of %llu bytes", atomic64_read(&quota->used),
	    READ_ONCE(quota->limit));
}

static bool is_limited(const struct gdl_quota *quota)
{
	return READ_ONCE(quota->limit) != GDL_UNLIMITED;
}

static bool has_all_buffers(const struct gdl_agent *agent)
{
	return agent != &gdl_host &&
	       atomic64_read(&agent->buffers) >= READ_ONCE(gdl_cap_max[GDL_CAP_BUFFERS]);
}

/* allocate AGENT SIZE DEV has failed with EDQUOT, or ENOSPC. */
static bool explain_full(struct gdl_reply *reply, int error, char **argv)
{
	struct gdl_device *device = NULL;
	struct gdl_device_quota *dq = NULL;
	struct gdl_agent *agent;
	u64 id;

	rcu_read_lock();
	agent = find_agent(argv[1]);
	if (number(argv[3], &id))
		device = gdl_device_lookup(id);
	if (agent && device)
		dq = gdl_agent_next_device_quota(agent, id);
	if (error == -ENOSPC && device && is_limited(&device->capacity)) {
		say(reply, "device %llu", id);
		say_use(reply, &device->capacity);
	}
	if (error == -EDQUOT && agent && has_all_buffers(agent)) {
		say(reply, "agent %llu has %lld buffers already", agent->id,
		    atomic64_read(&agent->buffers));
		goto out;
	}
	if (error == -EDQUOT && agent && is_limited(&agent->quota)) {
		say(reply, "agent %llu", agent->id);
		say_use(reply, &agent->quota);
	}
	if (error == -EDQUOT && dq && dq->device == device && is_limited(&dq->quota)) {
		say(reply, "%sagent %llu", *reply->why ? ", " : "", agent->id);
		say_use(reply, &dq->quota);
		say(reply, " on device %llu", id);
	}
out:
	rcu_read_unlock();
	return *reply->why;
}

#define AGENTS_FULL	"there are " __stringify(GDL_AGENTS_MAX) " agents already"
#define BINDINGS_FULL	"there are " __stringify(GDL_BINDINGS_MAX) " bindings already"
#define TEMPLATES_FULL	"there are " __stringify(GDL_TEMPLATES_MAX) " templates already"
#define CONTEXTS_FULL	"there are " __stringify(GDL_CONTEXTS_MAX) " declared contexts already"
#define WAITERS_FULL	__stringify(GDL_WAITERS_MAX) " wait for buffer $1 already"
#define PERMS_FULL	"agent $1 has " __stringify(GDL_PERMS_MAX) " rules already"

/* What else an error of a command means; $N is a word of it. NULL: of any command. */
static const struct {
	int error;
	const char *name;
	const char *text;
} sentences[] = {
	{ -EINVAL, "remove_agent", "agent $1 always exists" },
	{ -EINVAL, "free", "buffer $1 is the kernel's or reported, no ledger buffer" },
	{ -EINVAL, "destroy_context", "context $1 is an open DRM file" },
	{ -EINVAL, "switch_context", "context $2 is an open DRM file" },
	{ -EINVAL, "create_agent", "ids from 4294967296 to 8589934591 are those of templates" },
	{ -EINVAL, "bind", "$2 is no path of a cgroup, or later is for none" },
	{ -EINVAL, "unbind", "a template has bound $2" },
	{ -ENAMETOOLONG, NULL, "$2 is too long" },
	{ -ENOENT, "remove_template", "no template $1" },
	{ -ENOSPC, "template", TEMPLATES_FULL },
	{ -ENOENT, "bind", "no $2" },
	{ -ENOENT, "unbind", "$2 is not bound to agent $1" },
	{ -ENOENT, "lock", "buffer $1 or agent $2 went meanwhile" },
	{ -ENOENT, "unlock", "agent $2 has no lock on buffer $1" },
	{ -ENOENT, "grant", "agent $1 has no such rule" },
	{ -ENOENT, "revoke", "agent $1 has no such rule" },
	{ -ENOENT, "switch_context", "context $2 is not of device $1" },
	{ -ESRCH, "report", "no process $1" },
	{ -EFBIG, "report", "no device has $3 bytes" },
	{ -ENOTDIR, NULL, "$2 is a file" },
	{ -EEXIST, "name", "another agent is called $2" },
	{ -EEXIST, "bind", "$2 is bound already" },
	{ -EACCES, "check", "agent $1 may not" },
	{ -EBUSY, "free", "buffer $1 is locked" },
	{ -EAGAIN, "lock", "buffer $1 cannot be had at once" },
	{ -ETIMEDOUT, "lock", "buffer $1 could not be had in $4 ms" },
	{ -EDEADLK, "lock", "to wait for buffer $1 would close a cycle" },
	{ -EALREADY, "lock", "agent $2 has buffer $1 in that mode" },
	{ -EINTR, "lock", "a signal came" },
	{ -ENODEV, NULL, "the module is being unloaded" },
	{ -EDQUOT, "allocate", "that is more than can be counted" },
	{ -ENOSPC, "allocate", "that is more than can be counted" },
	{ -ENOSPC, "create_agent", AGENTS_FULL },
	{ -ENOSPC, "set_quota", AGENTS_FULL },
	{ -ENOSPC, "bind", BINDINGS_FULL },
	{ -ENOSPC, "create_context", CONTEXTS_FULL },
	{ -ENOSPC, "lock", WAITERS_FULL },
	{ -EDQUOT, "create_context", "agent $1 has as many contexts as it may" },
	{ -ENOSPC, NULL, PERMS_FULL },
	{ -ENOMEM, NULL, "no memory" },
};

/* A target of bind as "cgroup /jobs" or "process 7". */
static void say_target(struct gdl_reply *reply, const char *word)
{
	if (!strncmp(word, "cgroup:", 7)) {
		say(reply, "cgroup ");
		word += 7;
	} else if (!strncmp(word, "pid:", 4)) {
		say(reply, "process ");
		word += 4;
	}
	say_word(reply, word);
}

static void say_sentence(struct gdl_reply *reply, const char *text, int argc, char **argv)
{
	size_t len;
	int word;

	for (;;) {
		len = strcspn(text, "$");
		say(reply, "%.*s", (int)len, text);
		text += len;
		if (!*text)
			return;
		word = text[1] - '0';
		say_target(reply, word < argc ? argv[word] : "-");
		text += 2;
	}
}

/* create_agent ID [QUOTA [NAME]] has failed with EEXIST. */
static void explain_taken(struct gdl_reply *reply, const struct gdl_failed *failed)
{
	bool there;

	rcu_read_lock();
	there = find_agent(failed->argv[1]);
	rcu_read_unlock();
	say_sentence(reply, there ? "agent $1 exists" : "another agent is called $3",
		     failed->argc, failed->argv);
}

/**
 * gdl_explain() - say why a command has failed
 * @reply: receives the sentence; none if the error tells all that is known
 * @error: with which error
 * @failed: the command
 *
 * Context: Any but hard interrupt. Takes and releases rcu_read_lock().
 */
void gdl_explain(struct gdl_reply *reply, int error, const struct gdl_failed *failed)
{
	size_t i;

	if ((error == -EINVAL || error == -ERANGE) && explain_words(reply, error, failed))
		return;
	if ((error == -ENOENT || error == -ENODEV) && explain_missing(reply, error, failed))
		return;
	if (!strcmp(failed->name, "allocate") && (error == -EDQUOT || error == -ENOSPC) &&
	    explain_full(reply, error, failed->argv))
		return;
	if (!strcmp(failed->name, "create_agent") && error == -EEXIST) {
		explain_taken(reply, failed);
		return;
	}
	for (i = 0; i < ARRAY_SIZE(sentences); i++) {
		if (error != sentences[i].error ||
		    (sentences[i].name && strcmp(sentences[i].name, failed->name)))
			continue;
		say_sentence(reply, sentences[i].text, failed->argc, failed->argv);
		return;
	}
}
