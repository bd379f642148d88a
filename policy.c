// SPDX-License-Identifier: GPL-2.0-only
/*
 * The policy: what happens to real operations that a rule forbids. Whatever has a rule asks
 * for it, when it judges an operation.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/ratelimit.h>
#include <linux/string.h>

#include "gpu_dma_lock.h"
#include "trace.h"

enum gdl_policy gdl_policy = GDL_POLICY_AUDIT;

const char * const gdl_policy_names[GDL_NR_POLICIES] = {
	[GDL_POLICY_OFF]	= "off",
	[GDL_POLICY_AUDIT]	= "audit",
	[GDL_POLICY_ENFORCE]	= "enforce",
};

/**
 * gdl_policy_parse() - which policy a word means
 * @word: the word, of a command or a parameter
 *
 * Context: Any.
 * Return: An enum gdl_policy, or -EINVAL.
 */
int gdl_policy_parse(const char *word)
{
	return match_string(gdl_policy_names, GDL_NR_POLICIES, word);
}

/**
 * gdl_policy_init() - set the policy to begin with
 * @to: the policy
 *
 * Context: Any. No operation is judged yet.
 */
void gdl_policy_init(enum gdl_policy to)
{
	gdl_policy = to;
}

/**
 * gdl_policy_set() - change the policy
 * @to: the new policy; it counts for every operation that begins from here on
 *
 * Context: Any.
 */
void gdl_policy_set(enum gdl_policy to)
{
	enum gdl_policy from = xchg(&gdl_policy, to);

	trace_gdl_policy(gdl_policy_names[from], gdl_policy_names[to]);
	if (from == to)
		return;
	gdl_stat_inc(GDL_STAT_POLICY_CHANGES);
	pr_notice_ratelimited("policy %s, was %s\n", gdl_policy_names[to],
			      gdl_policy_names[from]);
}
