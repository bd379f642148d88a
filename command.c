// SPDX-License-Identifier: GPL-2.0-only
/*
 * Commands: the grammar of the writable files. The words of a line are checked before
 * anything is locked.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/ctype.h>
#include <linux/mm.h>
#include <linux/overflow.h>
#include <linux/rcupdate.h>
#include <linux/string.h>

#include "gpu_dma_lock.h"
#include "gpu_dma_lock_check.h"

static int cmd_create_agent(struct gdl_reply *reply, int argc, char **argv)
{
	u64 id, limit = GDL_UNLIMITED;
	int ret = gdl_word_u64(argv[1], &id);

	if (!ret && argc > 2)
		ret = gdl_word_limit(argv[2], &limit);
	if (!ret && argc > 3 && !gdl_word_is_name(argv[3]))
		ret = -EINVAL;
	return ret ?: gdl_agent_create(id, limit, argc > 3 ? argv[3] : NULL);
}

static int cmd_name(struct gdl_reply *reply, int argc, char **argv)
{
	bool drop = !strcmp(argv[2], "-");
	u64 id;
	int ret = gdl_word_agent(argv[1], &id);

	if (!ret && !drop && !gdl_word_is_name(argv[2]))
		ret = -EINVAL;
	return ret ?: gdl_agent_rename(id, drop ? NULL : argv[2]);
}

static int cmd_remove_agent(struct gdl_reply *reply, int argc, char **argv)
{
	u64 id;
	int ret = gdl_word_agent(argv[1], &id);

	return ret ?: gdl_agent_remove(id);
}

static int reset_agent(u64 id)
{
	struct gdl_agent *agent;

	rcu_read_lock();
	agent = gdl_agent_lookup(id);
	if (agent) {
		gdl_agent_reset(agent);
		gdl_regions_reset(agent);
	}
	rcu_read_unlock();
	return agent ? 0 : -ENOENT;
}

static int cmd_reset_agent(struct gdl_reply *reply, int argc, char **argv)
{
	u64 id;
	int ret = gdl_word_agent(argv[1], &id);

	return ret ?: reset_agent(id);
}

static int set_quota(int argc, char **argv)
{
	u64 id, limit, device;
	int ret = gdl_word_agent(argv[0], &id);

	if (!ret)
		ret = gdl_word_limit(argv[1], &limit);
	if (ret)
		return ret;
	if (argc < 3 || !strcmp(argv[2], "all"))
		return gdl_agent_set_quota(id, limit);
	ret = gdl_word_u64(argv[2], &device);
	return ret ?: gdl_agent_set_device_quota(id, limit, device);
}

static int cmd_set_quota(struct gdl_reply *reply, int argc, char **argv)
{
	return set_quota(argc - 1, argv + 1);
}

static int cmd_set_capacity(struct gdl_reply *reply, int argc, char **argv)
{
	u64 device, limit;
	int ret = gdl_word_u64(argv[1], &device);

	if (!ret)
		ret = gdl_word_limit(argv[2], &limit);
	return ret ?: gdl_device_set_capacity(device, limit);
}

static struct gdl_ledger *ledger_of(struct gdl_reply *reply)
{
	return reply->holdings ? &reply->holdings->ledger : NULL;
}

static int cmd_allocate(struct gdl_reply *reply, int argc, char **argv)
{
	u64 agent, size, device, id;
	int ret = gdl_word_agent(argv[1], &agent);

	if (!ret)
		ret = gdl_word_bytes(argv[2], &size);
	if (!ret && !size)
		ret = -EINVAL;
	if (!ret)
		ret = gdl_word_u64(argv[3], &device);
	if (!ret)
		ret = gdl_ledger_allocate(agent, size, device, ledger_of(reply), &id);
	if (!ret)
		reply->id = id;
	return ret;
}

static int cmd_free(struct gdl_reply *reply, int argc, char **argv)
{
	u64 id;
	int ret = gdl_word_u64(argv[1], &id);

	return ret ?: gdl_ledger_free(id, NULL);
}

/* cgroup:PATH or pid:N; exactly one of @path and @pid is set. */
static int parse_target(char *word, const char **path, u64 *pid)
{
	*path = NULL;
	if (!strncmp(word, "cgroup:", 7) && word[7]) {
		gdl_word_unescape(word + 7);
		*path = word + 7;
		return 0;
	}
	if (!strncmp(word, "pid:", 4))
		return gdl_word_u64(word + 4, pid);
	return -EINVAL;
}

static int cmd_bind(struct gdl_reply *reply, int argc, char **argv)
{
	bool later = argc > 3 && !strcmp(argv[3], "later");
	const char *path;
	u64 agent, pid;
	int ret = gdl_word_agent(argv[1], &agent);

	if (!ret)
		ret = parse_target(argv[2], &path, &pid);
	if (!ret && argc > 3 && (!later || !path))
		ret = -EINVAL;
	if (ret)
		return ret;
	return path ? gdl_bind_cgroup(agent, path, later) : gdl_bind_pid(agent, pid);
}

static int cmd_unbind(struct gdl_reply *reply, int argc, char **argv)
{
	const char *path;
	u64 agent, pid;
	int ret = gdl_word_agent(argv[1], &agent);

	if (!ret)
		ret = parse_target(argv[2], &path, &pid);
	if (ret)
		return ret;
	return path ? gdl_unbind_cgroup(agent, path) : gdl_unbind_pid(agent, pid);
}

static int cmd_template(struct gdl_reply *reply, int argc, char **argv)
{
	u64 limit = GDL_UNLIMITED;
	int ret = 0;

	if (argc > 2)
		ret = gdl_word_limit(argv[2], &limit);
	if (ret)
		return ret;
	gdl_word_unescape(argv[1]);
	return gdl_template_set(argv[1], limit);
}

static int cmd_remove_template(struct gdl_reply *reply, int argc, char **argv)
{
	gdl_word_unescape(argv[1]);
	return gdl_template_remove(argv[1]);
}

/* Whose locks are taken and given back: the open file's, or NULL: the agents'. */
static struct gdl_lock_owner *owner_of(const struct gdl_reply *reply)
{
	return reply->holdings ? &reply->holdings->owner : NULL;
}

/* BUFFER AGENT */
static int parse_claim(char **argv, u64 *buffer, u64 *agent)
{
	int ret = gdl_word_u64(argv[1], buffer);

	return ret ?: gdl_word_agent(argv[2], agent);
}

static int cmd_lock(struct gdl_reply *reply, int argc, char **argv)
{
	u64 buffer, agent, timeout = U64_MAX;
	bool nowait = argc > 4 && !strcmp(argv[4], "nowait");
	int ret, mode;

	ret = parse_claim(argv, &buffer, &agent);
	if (ret)
		return ret;
	mode = match_string(gdl_lock_mode_names, GDL_NR_LOCK_MODES, argv[3]);
	if (mode < 0)
		return -EINVAL;
	if (argc > 4 && strcmp(argv[4], "nowait"))
		ret = gdl_word_u64(argv[4], &timeout);
	return ret ?: gdl_lock(buffer, agent, owner_of(reply), mode, nowait, timeout);
}

static int cmd_unlock(struct gdl_reply *reply, int argc, char **argv)
{
	u64 buffer, agent;
	int ret = parse_claim(argv, &buffer, &agent);

	return ret ?: gdl_unlock(buffer, agent, owner_of(reply));
}

/* START-END, START+SIZE, or START for one page. @word stays as it is. */
static int parse_range(char *word, u64 *start, u64 *last)
{
	char *end = word + strcspn(word, "-+");
	char sign = *end;
	u64 size = PAGE_SIZE;
	int ret;

	*end = '\0';
	ret = gdl_word_u64(word, start);
	*end = sign;
	if (!ret && sign == '-') {
		ret = gdl_word_u64(end + 1, last);
		return ret ?: (*last < *start ? -EINVAL : 0);
	}
	if (!ret && sign == '+')
		ret = gdl_word_bytes(end + 1, &size);
	if (ret)
		return ret;
	if (!size)
		return -EINVAL;
	return check_add_overflow(*start, size - 1, last) ? -ERANGE : 0;
}

/* r, w or rw; 0 for "-", which revokes. */
static int parse_mode(const char *word, unsigned int *mode)
{
	static const char * const modes[] = {
		"-",
		[GPU_DMA_LOCK_READ] = "r",
		[GPU_DMA_LOCK_WRITE] = "w",
		[GPU_DMA_LOCK_READ | GPU_DMA_LOCK_WRITE] = "rw",
	};
	int ret = match_string(modes, ARRAY_SIZE(modes), word);

	if (ret < 0)
		return -EINVAL;
	*mode = ret;
	return 0;
}

/* What a permission is about. */
struct perm_target {
	bool is_buffer;
	u64 buffer;
	u64 start, last;
};

/* RANGE or buf=ID */
static int parse_perm_target(char *word, struct perm_target *target)
{
	target->is_buffer = !strncmp(word, "buf=", 4);
	if (target->is_buffer)
		return gdl_word_u64(word + 4, &target->buffer);
	return parse_range(word, &target->start, &target->last);
}

static int revoke(u64 agent, const struct perm_target *target)
{
	if (target->is_buffer)
		return gdl_perm_revoke_buffer(agent, target->buffer);
	return gdl_perm_revoke_range(agent, target->start, target->last);
}

/* @create: create an unknown agent. */
static int change_perm(char *agent_word, char *target_word,
		       const char *mode_word, bool create)
{
	struct perm_target target;
	unsigned int mode;
	u64 agent;
	int ret = gdl_word_agent(agent_word, &agent);

	if (!ret)
		ret = parse_perm_target(target_word, &target);
	if (!ret)
		ret = parse_mode(mode_word, &mode);
	if (ret)
		return ret;
	if (!mode)
		return revoke(agent, &target);
	if (target.is_buffer)
		return gdl_perm_grant_buffer(agent, target.buffer, mode, create);
	return gdl_perm_grant_range(agent, target.start, target.last, mode,
				    create);
}

static int cmd_grant(struct gdl_reply *reply, int argc, char **argv)
{
	return change_perm(argv[1], argv[2], argv[3], false);
}

static int cmd_revoke(struct gdl_reply *reply, int argc, char **argv)
{
	struct perm_target target;
	u64 agent;
	int ret = gdl_word_agent(argv[1], &agent);

	if (ret)
		return ret;
	if (argc == 2)
		return gdl_perm_revoke_all(agent);
	ret = parse_perm_target(argv[2], &target);
	return ret ?: revoke(agent, &target);
}

/* All 2^64 bytes are one more than a size can say. */
static int check_range(u64 agent, u64 start, u64 last, unsigned int mode)
{
	u64 size = last - start + 1;
	int ret;

	if (size)
		return gpu_dma_lock_check(agent, start, size, mode);
	ret = gpu_dma_lock_check(agent, 0, U64_MAX, mode);
	return ret ?: gpu_dma_lock_check(agent, U64_MAX, 1, mode);
}

static int cmd_check(struct gdl_reply *reply, int argc, char **argv)
{
	struct perm_target target;
	unsigned int mode;
	u64 agent;
	int ret = gdl_word_agent(argv[1], &agent);

	if (!ret)
		ret = parse_perm_target(argv[2], &target);
	if (!ret)
		ret = parse_mode(argv[3], &mode);
	if (!ret && !mode)
		ret = -EINVAL;
	if (ret)
		return ret;
	if (target.is_buffer)
		return gdl_perm_check_buffer(agent, target.buffer, mode);
	return check_range(agent, target.start, target.last, mode);
}

static int cmd_create_context(struct gdl_reply *reply, int argc, char **argv)
{
	u64 agent, device, id;
	int ret = gdl_word_agent(argv[1], &agent);

	if (!ret)
		ret = gdl_word_u64(argv[2], &device);
	if (!ret)
		ret = gdl_context_declare(agent, device, &id);
	if (!ret && reply->holdings) {
		ret = gdl_holdings_add_context(reply->holdings, id);
		if (ret)
			gdl_context_destroy(id);
	}
	if (!ret)
		reply->id = id;
	return ret;
}

static int cmd_destroy_context(struct gdl_reply *reply, int argc, char **argv)
{
	u64 id;
	int ret = gdl_word_u64(argv[1], &id);

	if (!ret)
		ret = gdl_context_destroy(id);
	if (!ret && reply->holdings)
		gdl_holdings_del_context(reply->holdings, id);
	return ret;
}

static int cmd_switch_context(struct gdl_reply *reply, int argc, char **argv)
{
	u64 device, id;
	int ret = gdl_word_u64(argv[1], &device);

	if (!ret)
		ret = gdl_word_u64(argv[2], &id);
	return ret ?: gdl_context_switch(device, id);
}

static int cmd_policy(struct gdl_reply *reply, int argc, char **argv)
{
	int policy = gdl_policy_parse(argv[1]);

	if (policy < 0)
		return -EINVAL;
	gdl_policy_set(policy);
	return 0;
}

static int cmd_reset_stats(struct gdl_reply *reply, int argc, char **argv)
{
	gdl_stats_reset();
	gdl_lock_reset_longest_wait();
	return 0;
}

static int cmd_report(struct gdl_reply *reply, int argc, char **argv)
{
	struct list_head *owner = reply->holdings ? &reply->holdings->reports : NULL;
	u64 pid, device, bytes, id;
	int ret = gdl_word_u64(argv[1], &pid);

	if (!ret)
		ret = gdl_word_u64(argv[2], &device);
	if (!ret)
		ret = gdl_word_bytes(argv[3], &bytes);
	if (!ret)
		ret = gdl_report(owner, pid, device, bytes, &id);
	if (!ret)
		reply->id = id;
	return ret;
}

/* What later lines on this open file allocate, lock, declare or report ends with it. */
static int cmd_session(struct gdl_reply *reply, int argc, char **argv)
{
	if (!reply->holdings)
		reply->holdings = gdl_holdings_alloc(UINT_MAX);
	return reply->holdings ? 0 : -ENOMEM;
}

/* What is written most often comes first: they are searched in this order. */
static const struct command {
	const char *name;
	const char *args;
	int min_args, max_args;
	int (*run)(struct gdl_reply *reply, int argc, char **argv);
} commands[] = {
	{ "allocate", " AGENT SIZE DEV", 3, 3, cmd_allocate },
	{ "free", " BUFFER", 1, 1, cmd_free },
	{ "lock", " BUFFER AGENT shared|exclusive [nowait|TIMEOUT_MS]", 3, 4,
	  cmd_lock },
	{ "unlock", " BUFFER AGENT", 2, 2, cmd_unlock },
	{ "report", " PID DEV BYTES", 3, 3, cmd_report },
	{ "create_agent", " ID [QUOTA [NAME]]", 1, 3, cmd_create_agent },
	{ "name", " AGENT NAME|-", 2, 2, cmd_name },
	{ "remove_agent", " AGENT", 1, 1, cmd_remove_agent },
	{ "set_quota", " AGENT BYTES|max [DEV]", 2, 3, cmd_set_quota },
	{ "set_capacity", " DEV BYTES|max", 2, 2, cmd_set_capacity },
	{ "bind", " AGENT cgroup:PATH|pid:N [later]", 2, 3, cmd_bind },
	{ "unbind", " AGENT cgroup:PATH|pid:N", 2, 2, cmd_unbind },
	{ "template", " PATTERN [QUOTA]", 1, 2, cmd_template },
	{ "remove_template", " PATTERN", 1, 1, cmd_remove_template },
	{ "grant", " AGENT RANGE|buf=ID MODE", 3, 3, cmd_grant },
	{ "revoke", " AGENT [RANGE|buf=ID]", 1, 2, cmd_revoke },
	{ "check", " AGENT RANGE|buf=ID r|w|rw", 3, 3, cmd_check },
	{ "create_context", " AGENT DEV", 2, 2, cmd_create_context },
	{ "destroy_context", " CONTEXT", 1, 1, cmd_destroy_context },
	{ "switch_context", " DEV CONTEXT", 2, 2, cmd_switch_context },
	{ "policy", " off|audit|enforce", 1, 1, cmd_policy },
	{ "reset_stats", "", 0, 0, cmd_reset_stats },
	{ "reset_agent", " AGENT", 1, 1, cmd_reset_agent },
	{ "session", "", 0, 0, cmd_session },
};

/* A part of the fast path. */
static __always_inline const struct command *find_command(const char *name)
{
	const struct command *command;

	for (command = commands; command < commands + ARRAY_SIZE(commands);
	     command++)
		/* One look instead of a call at most of them. */
		if (*name == *command->name && !strcmp(name, command->name))
			return command;
	return NULL;
}

/**
 * gdl_command_control() - run a line of the file control
 * @reply: receives an id that the writer is to be told
 * @argc: how many words it has, at least 1
 * @argv: the words, which are cut up
 *
 * Context: May sleep.
 * Return: 0, -EINVAL not a command or not its arguments, -ERANGE a number does
 * not fit, or what the command returned.
 */
int gdl_command_control(struct gdl_reply *reply, int argc, char **argv)
{
	const struct command *command = find_command(argv[0]);

	if (!command || argc - 1 < command->min_args ||
	    argc - 1 > command->max_args)
		return -EINVAL;
	return command->run(reply, argc, argv);
}

/* One of those that @kind lists. */
static bool is_choice(const char *kind, const char *word)
{
	size_t len = strlen(word);

	for (; kind; kind = strchr(kind, '|')) {
		kind += *kind == '|';
		if (!strncmp(kind, word, len) && (!kind[len] || kind[len] == '|'))
			return true;
	}
	return false;
}

/* With what @word is refused where usages have @kind; 0: with nothing. */
static int try_word(const char *kind, char *word)
{
	struct perm_target target;
	u64 number;
	int ret;

	if (is_choice(kind, word) && !isupper(*word))
		return 0;
	/* All its words are choices: what may be chosen has capitals. */
	if (!kind[strcspn(kind, GDL_CAPITALS)])
		return -EINVAL;
	if (!strcmp(kind, "AGENT") && !isdigit(*word))
		return *word == '/' || gdl_word_is_name(word) ? 0 : -EINVAL;
	if (!strncmp(kind, "NAME", 4))
		return gdl_word_is_name(word) ? 0 : -EINVAL;
	if (!strcmp(kind, "PATTERN"))
		return *word == '/' || *word == '*' ? 0 : -EINVAL;
	if (!strcmp(kind, "MODE"))
		return is_choice("r|w|rw|-", word) ? 0 : -EINVAL;
	if (!strcmp(kind, "QUOTA"))
		return gdl_word_limit(word, &number);
	if (!strcmp(kind, "RANGE|buf=ID"))
		return parse_perm_target(word, &target);
	if (!strncmp(kind, "BYTES", 5))
		return gdl_word_bytes(word, &number);
	if (!strcmp(kind, "SIZE")) {
		ret = gdl_word_bytes(word, &number);
		return ret ?: number ? 0 : -EINVAL;
	}
	if (strncmp(kind, "cgroup:", 7))
		return gdl_word_u64(word, &number);
	if (!strncmp(word, "pid:", 4))
		return gdl_word_u64(word + 4, &number);
	return !strncmp(word, "cgroup:", 7) && word[7] ? 0 : -EINVAL;
}

/**
 * gdl_command_explain() - say what was wrong with a line of the file control
 * @reply: receives a sentence; none if the error tells all that is known
 * @error: with which error gdl_command_control() has failed
 * @argc: as given to it
 * @argv: as it left them
 *
 * Context: May sleep.
 */
void gdl_command_explain(struct gdl_reply *reply, int error, int argc, char **argv)
{
	const struct command *command = find_command(argv[0]);
	struct gdl_failed failed = { .argc = argc, .argv = argv, .try_word = try_word };

	if (!command) {
		gdl_explain_word(reply, argv[0], "a command");
		return;
	}
	failed.name = command->name;
	failed.args = command->args;
	if (argc - 1 < command->min_args || argc - 1 > command->max_args)
		gdl_explain_usage(reply, &failed);
	else
		gdl_explain(reply, error, &failed);
}

/**
 * gdl_command_quota() - run a line of the file quotas: AGENT BYTES|max [DEVICE]
 * @reply: not used
 * @argc: how many words it has, at least 1
 * @argv: the words, which are cut up
 *
 * Context: May sleep.
 * Return: 0, -EINVAL malformed, -ERANGE a number does not fit, -ENODEV,
 * -ENOSPC with GDL_AGENTS_MAX agents, -ENOMEM.
 */
int gdl_command_quota(struct gdl_reply *reply, int argc, char **argv)
{
	if (argc < 2 || argc > 3)
		return -EINVAL;
	return set_quota(argc, argv);
}

/**
 * gdl_command_perm() - run a line of the file dma_permissions:
 * AGENT:RANGE|buf=ID:MODE
 * @reply: not used
 * @argc: how many words it has, at least 1
 * @argv: the words, which are cut up
 *
 * An unknown agent is created.
 *
 * Context: May sleep.
 * Return: 0, -EINVAL malformed, -ERANGE a number does not fit or a range wraps,
 * -ENOENT nothing to revoke, or no such buffer, -ENOSPC with GDL_PERMS_MAX rules
 * of the agent or GDL_AGENTS_MAX agents, -ENOMEM.
 */
int gdl_command_perm(struct gdl_reply *reply, int argc, char **argv)
{
	char *target, *mode;

	if (argc > 1)
		return -EINVAL;
	/* A name may have colons too. */
	mode = strrchr(argv[0], ':');
	if (!mode)
		return -EINVAL;
	*mode++ = '\0';
	target = strrchr(argv[0], ':');
	if (!target)
		return -EINVAL;
	*target++ = '\0';
	return change_perm(argv[0], target, mode, true);
}

/**
 * gdl_command_usage() - list the commands and their arguments
 * @text: receives one line a command
 * @size: its size; PAGE_SIZE is enough
 *
 * Context: Any.
 * Return: The list's length.
 */
size_t gdl_command_usage(char *text, size_t size)
{
	const struct command *command;
	size_t len = 0;

	for (command = commands; command < commands + ARRAY_SIZE(commands);
	     command++)
		len += scnprintf(text + len, size - len, "%s%s\n",
				 command->name, command->args);
	return len;
}
