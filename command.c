// SPDX-License-Identifier: GPL-2.0-only
/*
 * Commands: the grammar of the writable files. The words of a line are checked before
 * anything is locked.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/ctype.h>
#include <linux/kstrtox.h>
#include <linux/mm.h>
#include <linux/overflow.h>
#include <linux/rcupdate.h>
#include <linux/string.h>

#include "gpu_dma_lock.h"
#include "gpu_dma_lock_check.h"

/* Digits that fit a u64 whatever they are. */
#define SHORT_NUMBER	18

/*
 * Is @word a short decimal number? Nearly all are. In a fifth of what kstrtou64()
 * takes, an eighth of a command.
 */
static bool parse_short(const char *word, u64 *value)
{
	const char *c;
	u64 n = 0;
	u8 digit;

	for (c = word; c < word + SHORT_NUMBER; c++) {
		digit = *c - '0';
		if (digit > 9)
			break;
		n = n * 10 + digit;
	}
	*value = n;
	return !*c && c > word;
}

/* Numbers are decimal, or hex with 0x; no sign, no octal. */
static int parse_u64(const char *word, u64 *value)
{
	bool hex;

	if (parse_short(word, value))
		return 0;
	if (!isdigit(word[0]))
		return -EINVAL;
	hex = word[0] == '0' && tolower(word[1]) == 'x';
	return kstrtou64(word, hex ? 16 : 10, value);
}

/* A number of bytes, with K, M, G or T behind it for powers of 1024. */
static int parse_bytes(char *word, u64 *bytes)
{
	static const char suffixes[] = "KMGT";
	const char *suffix = NULL;
	u64 unit = 1;
	size_t len;
	int ret;

	if (parse_short(word, bytes))
		return 0;
	len = strlen(word);
	if (len && !isdigit(word[len - 1]))
		suffix = strchr(suffixes, word[len - 1]);
	if (suffix) {
		unit <<= 10 * (suffix - suffixes + 1);
		word[len - 1] = '\0';
	}
	ret = parse_u64(word, bytes);
	if (ret)
		return ret;
	return check_mul_overflow(*bytes, unit, bytes) ? -ERANGE : 0;
}

static int parse_limit(char *word, u64 *limit)
{
	if (!strcmp(word, "max")) {
		*limit = GDL_UNLIMITED;
		return 0;
	}
	return parse_bytes(word, limit);
}

static int cmd_create_agent(struct gdl_reply *reply, int argc, char **argv)
{
	u64 id, limit = GDL_UNLIMITED;
	int ret = parse_u64(argv[1], &id);

	if (!ret && argc > 2)
		ret = parse_limit(argv[2], &limit);
	return ret ?: gdl_agent_create(id, limit);
}

/*
 * Its ledger buffers and declared contexts are freed; what the kernel holds for
 * it becomes agent 0's.
 */
static int remove_agent(u64 id)
{
	struct gdl_agent *agent;
	int ret = gdl_agent_remove_begin(id, &agent);

	if (ret)
		return ret;
	gdl_binding_drop_agent(agent);
	/* Who found the agent before has published what he made for it. */
	synchronize_rcu();
	gdl_lock_drop_agent(agent);
	gdl_perm_drop_agent(agent);
	gdl_buffer_hand_over(agent);
	gdl_attachment_hand_over(id);
	gdl_context_hand_over(id);
	/* An uncharge that saw the agent through a buffer may still be at it. */
	synchronize_rcu();
	gdl_agent_remove_end(agent);
	return 0;
}

static int cmd_remove_agent(struct gdl_reply *reply, int argc, char **argv)
{
	u64 id;
	int ret = parse_u64(argv[1], &id);

	return ret ?: remove_agent(id);
}

static int set_quota(int argc, char **argv)
{
	u64 id, limit, device;
	int ret = parse_u64(argv[0], &id);

	if (!ret)
		ret = parse_limit(argv[1], &limit);
	if (ret)
		return ret;
	if (argc < 3 || !strcmp(argv[2], "all"))
		return gdl_agent_set_quota(id, limit);
	ret = parse_u64(argv[2], &device);
	return ret ?: gdl_agent_set_device_quota(id, limit, device);
}

static int cmd_set_quota(struct gdl_reply *reply, int argc, char **argv)
{
	return set_quota(argc - 1, argv + 1);
}

static int cmd_set_capacity(struct gdl_reply *reply, int argc, char **argv)
{
	u64 device, limit;
	int ret = parse_u64(argv[1], &device);

	if (!ret)
		ret = parse_limit(argv[2], &limit);
	return ret ?: gdl_device_set_capacity(device, limit);
}

static int cmd_allocate(struct gdl_reply *reply, int argc, char **argv)
{
	u64 agent, size, device, id;
	int ret = parse_u64(argv[1], &agent);

	if (!ret)
		ret = parse_bytes(argv[2], &size);
	if (!ret && !size)
		ret = -EINVAL;
	if (!ret)
		ret = parse_u64(argv[3], &device);
	if (!ret)
		ret = gdl_buffer_allocate(agent, size, device, &id);
	if (!ret)
		reply->id = id;
	return ret;
}

static int cmd_free(struct gdl_reply *reply, int argc, char **argv)
{
	u64 id;
	int ret = parse_u64(argv[1], &id);

	return ret ?: gdl_lock_free_buffer(id);
}

/* The two ids that many commands begin with. */
static int parse_ids(char **argv, u64 *first, u64 *second)
{
	int ret = parse_u64(argv[1], first);

	return ret ?: parse_u64(argv[2], second);
}

static bool is_octal(char c)
{
	return c >= '0' && c <= '7';
}

/* The byte that \ooo stands for, or 0 if @c begins no such. */
static char octal_byte(const char *c)
{
	if (c[0] != '\\' || c[1] < '0' || c[1] > '3' || !is_octal(c[2]) ||
	    !is_octal(c[3]))
		return 0;
	return (c[1] - '0') << 6 | (c[2] - '0') << 3 | (c[3] - '0');
}

/*
 * Turn \ooo, as names are shown, into what it stands for, in place. Any other
 * backslash is itself: systemd has them in the names of its cgroups.
 */
static void unescape(char *word)
{
	char *to, byte;

	for (to = word; *word; to++) {
		byte = octal_byte(word);
		*to = byte ?: *word;
		word += byte ? 4 : 1;
	}
	*to = '\0';
}

/* cgroup:PATH or pid:N; exactly one of @path and @pid is set. */
static int parse_target(char *word, const char **path, u64 *pid)
{
	*path = NULL;
	if (!strncmp(word, "cgroup:", 7) && word[7]) {
		unescape(word + 7);
		*path = word + 7;
		return 0;
	}
	if (!strncmp(word, "pid:", 4))
		return parse_u64(word + 4, pid);
	return -EINVAL;
}

static int change_binding(char **argv,
			  int (*cgroup)(u64 agent, const char *path),
			  int (*process)(u64 agent, u64 pid))
{
	const char *path;
	u64 agent, pid;
	int ret = parse_u64(argv[1], &agent);

	if (!ret)
		ret = parse_target(argv[2], &path, &pid);
	if (ret)
		return ret;
	return path ? cgroup(agent, path) : process(agent, pid);
}

static int cmd_bind(struct gdl_reply *reply, int argc, char **argv)
{
	return change_binding(argv, gdl_bind_cgroup, gdl_bind_pid);
}

static int cmd_unbind(struct gdl_reply *reply, int argc, char **argv)
{
	return change_binding(argv, gdl_unbind_cgroup, gdl_unbind_pid);
}

static int cmd_lock(struct gdl_reply *reply, int argc, char **argv)
{
	u64 buffer, agent, timeout = U64_MAX;
	bool nowait = !reply->may_wait ||
		      (argc > 4 && !strcmp(argv[4], "nowait"));
	int ret, mode;

	ret = parse_ids(argv, &buffer, &agent);
	if (ret)
		return ret;
	mode = match_string(gdl_lock_mode_names, GDL_NR_LOCK_MODES, argv[3]);
	if (mode < 0)
		return -EINVAL;
	if (argc > 4 && strcmp(argv[4], "nowait"))
		ret = parse_u64(argv[4], &timeout);
	return ret ?: gdl_lock(buffer, agent, mode, nowait, timeout);
}

static int cmd_unlock(struct gdl_reply *reply, int argc, char **argv)
{
	u64 buffer, agent;
	int ret = parse_ids(argv, &buffer, &agent);

	return ret ?: gdl_unlock(buffer, agent);
}

/* START-END, START+SIZE, or START for one page. @word is cut up. */
static int parse_range(char *word, u64 *start, u64 *last)
{
	char *end = word + strcspn(word, "-+");
	bool plus = *end == '+', minus = *end == '-';
	u64 size = PAGE_SIZE;
	int ret;

	*end = '\0';
	ret = parse_u64(word, start);
	if (!ret && minus) {
		ret = parse_u64(end + 1, last);
		return ret ?: (*last < *start ? -EINVAL : 0);
	}
	if (!ret && plus)
		ret = parse_bytes(end + 1, &size);
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
		return parse_u64(word + 4, &target->buffer);
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
	int ret = parse_u64(agent_word, &agent);

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
	int ret = parse_u64(argv[1], &agent);

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
	int ret = parse_u64(argv[1], &agent);

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
	int ret = parse_ids(argv, &agent, &device);

	if (!ret)
		ret = gdl_context_declare(agent, device, &id);
	if (!ret)
		reply->id = id;
	return ret;
}

static int cmd_destroy_context(struct gdl_reply *reply, int argc, char **argv)
{
	u64 id;
	int ret = parse_u64(argv[1], &id);

	return ret ?: gdl_context_destroy(id);
}

static int cmd_switch_context(struct gdl_reply *reply, int argc, char **argv)
{
	u64 device, id;
	int ret = parse_ids(argv, &device, &id);

	return ret ?: gdl_context_switch(device, id);
}

static int cmd_policy(struct gdl_reply *reply, int argc, char **argv)
{
	int policy = match_string(gdl_policy_names, GDL_NR_POLICIES, argv[1]);

	return policy < 0 ? -EINVAL : gdl_probe_set_policy(policy);
}

static int cmd_reset_stats(struct gdl_reply *reply, int argc, char **argv)
{
	gdl_stats_reset();
	gdl_probe_reset_missed();
	gdl_lock_reset_longest_wait();
	return 0;
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
	{ "create_agent", " ID [QUOTA]", 1, 2, cmd_create_agent },
	{ "remove_agent", " ID", 1, 1, cmd_remove_agent },
	{ "set_quota", " AGENT BYTES|max [DEV]", 2, 3, cmd_set_quota },
	{ "set_capacity", " DEV BYTES|max", 2, 2, cmd_set_capacity },
	{ "bind", " AGENT cgroup:PATH|pid:N", 2, 2, cmd_bind },
	{ "unbind", " AGENT cgroup:PATH|pid:N", 2, 2, cmd_unbind },
	{ "grant", " AGENT RANGE|buf=ID MODE", 3, 3, cmd_grant },
	{ "revoke", " AGENT [RANGE|buf=ID]", 1, 2, cmd_revoke },
	{ "check", " AGENT RANGE|buf=ID r|w|rw", 3, 3, cmd_check },
	{ "create_context", " AGENT DEV", 2, 2, cmd_create_context },
	{ "destroy_context", " CONTEXT", 1, 1, cmd_destroy_context },
	{ "switch_context", " DEV CONTEXT", 2, 2, cmd_switch_context },
	{ "policy", " off|audit|enforce", 1, 1, cmd_policy },
	{ "reset_stats", "", 0, 0, cmd_reset_stats },
};

/**
 * gdl_command_control() - run a line of the file control
 * @reply: receives an id that the writer is to be told; says whether he can wait
 * @argc: how many words it has, at least 1
 * @argv: the words, which are cut up
 *
 * Context: May sleep.
 * Return: 0, -EINVAL not a command or not its arguments, -ERANGE a number does
 * not fit, or what the command returned.
 */
int gdl_command_control(struct gdl_reply *reply, int argc, char **argv)
{
	const struct command *command;

	for (command = commands; command < commands + ARRAY_SIZE(commands);
	     command++) {
		/* One look instead of a call at most of them. */
		if (*argv[0] != *command->name || strcmp(argv[0], command->name))
			continue;
		if (argc - 1 < command->min_args ||
		    argc - 1 > command->max_args)
			return -EINVAL;
		return command->run(reply, argc, argv);
	}
	return -EINVAL;
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
	target = strchr(argv[0], ':');
	mode = target ? strchr(target + 1, ':') : NULL;
	if (!mode)
		return -EINVAL;
	*target++ = '\0';
	*mode++ = '\0';
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
