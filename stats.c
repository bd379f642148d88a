// SPDX-License-Identifier: GPL-2.0-only
/* Counters: one set per CPU, summed when they are read. */

#include <linux/cpumask.h>
#include <linux/percpu.h>
#include <linux/spinlock.h>
#include <linux/string.h>

#include "gpu_dma_lock.h"

DEFINE_PER_CPU(struct gdl_stats, gdl_stats);

/*
 * What the counters stood at when they were last reset: a reset writes to no
 * counter, so that it cannot lose an increment on another CPU.
 */
static struct gdl_stats base;
static DEFINE_SPINLOCK(base_lock);

static const char * const stat_names[GDL_NR_STATS] = {
	[GDL_STAT_BUFFERS_CREATED]	= "buffers_created",
	[GDL_STAT_BUFFERS_FREED]	= "buffers_freed",
	[GDL_STAT_BUFFERS_ADOPTED]	= "buffers_adopted",
	[GDL_STAT_BUFFERS_STALE]	= "buffers_stale",
	[GDL_STAT_BUFFERS_LOST]		= "buffers_lost",
	[GDL_STAT_ATTACHMENTS_STALE]	= "attachments_stale",
	[GDL_STAT_ATTACHMENTS_LOST]	= "attachments_lost",
	[GDL_STAT_CONTEXTS_STALE]	= "contexts_stale",
	[GDL_STAT_CONTEXTS_LOST]	= "contexts_lost",
	[GDL_STAT_DEVICES_LOST]		= "devices_lost",
	[GDL_STAT_EXPORTERS_FULL]	= "exporters_full",
	[GDL_STAT_RESOURCES_LOST]	= "resources_lost",
	[GDL_STAT_BINDINGS_ENDED]	= "bindings_ended",
	[GDL_STAT_BINDINGS_RENEWED]	= "bindings_renewed",
	[GDL_STAT_TEMPLATES_FAILED]	= "templates_failed",
	[GDL_STAT_POLICY_CHANGES]	= "policy_changes",
	[GDL_STAT_BUFFERS_CAPPED]	= "buffers_capped",
	[GDL_STAT_ATTACHMENTS_CAPPED]	= "attachments_capped",
	[GDL_STAT_CONTEXTS_CAPPED]	= "contexts_capped",
	[GDL_STAT_MAPPINGS_CAPPED]	= "mappings_capped",
	[GDL_STAT_LEDGER_ALLOCATED]	= "ledger_allocated",
	[GDL_STAT_LEDGER_FREED]		= "ledger_freed",
	[GDL_STAT_REPORTS_BEGUN]	= "reports_begun",
	[GDL_STAT_REPORTS_ENDED]	= "reports_ended",
	[GDL_STAT_QUOTA_DENIED]		= "quota_denied",
	[GDL_STAT_QUOTA_AUDITED]	= "quota_audited",
	[GDL_STAT_CAPACITY_DENIED]	= "capacity_denied",
	[GDL_STAT_CAPACITY_AUDITED]	= "capacity_audited",
	[GDL_STAT_UNTRACKED_DENIED]	= "untracked_denied",
	[GDL_STAT_LOCKS_ACQUIRED]	= "locks_acquired",
	[GDL_STAT_LOCKS_CONTENDED]	= "locks_contended",
	[GDL_STAT_LOCKS_DEADLOCKS]	= "locks_deadlocks",
	[GDL_STAT_LOCKS_TIMEOUTS]	= "locks_timeouts",
	[GDL_STAT_LOCKS_WAIT_NS]	= "locks_wait_total_ns",
	[GDL_STAT_LOCKS_DENIED]		= "locks_denied",
	[GDL_STAT_LOCKS_AUDITED]	= "locks_audited",
	[GDL_STAT_LOCKS_LOST]		= "locks_lost",
	[GDL_STAT_WAITERS_CAPPED]	= "waiters_capped",
	[GDL_STAT_DMA_CHECKS]		= "dma_checks",
	[GDL_STAT_DMA_CHECKS_DENIED]	= "dma_checks_denied",
	[GDL_STAT_DMA_DENIED]		= "dma_denied",
	[GDL_STAT_DMA_AUDITED]		= "dma_audited",
	[GDL_STAT_DMA_SEGMENTS_OUTSIDE]	= "dma_segments_outside",
	[GDL_STAT_DMA_SEGMENTS_UNCHECKED] = "dma_segments_unchecked",
	[GDL_STAT_COMMANDS]		= "commands",
	[GDL_STAT_COMMANDS_FAILED]	= "commands_failed",
	[GDL_STAT_COMMANDS_UNFINISHED] = "commands_unfinished",
};

/**
 * gdl_stat_name() - the key of a counter in the stats file
 * @stat: which counter
 *
 * Context: Any.
 * Return: A constant string.
 */
const char *gdl_stat_name(enum gdl_stat stat)
{
	return stat_names[stat];
}

static void add_all(struct gdl_stats *sum)
{
	const struct gdl_stats *s;
	int cpu, i;

	for_each_possible_cpu(cpu) {
		s = per_cpu_ptr(&gdl_stats, cpu);
		for (i = 0; i < GDL_NR_STATS; i++)
			sum->count[i] += READ_ONCE(s->count[i]);
		for (i = 0; i < GDL_NR_HOOKS; i++) {
			sum->hook_hits[i] += READ_ONCE(s->hook_hits[i]);
			sum->hook_failed[i] += READ_ONCE(s->hook_failed[i]);
		}
		sum->hook_calls_ended += READ_ONCE(s->hook_calls_ended);
	}
}

static void sum_all(struct gdl_stats *sum)
{
	memset(sum, 0, sizeof(*sum));
	add_all(sum);
}

/**
 * gdl_stats_read() - sum the counters of all CPUs since the last reset
 * @sum: receives the sums
 *
 * Anybody may call it as often as it likes: the lock is not held while all CPUs' are summed.
 *
 * Context: Process context. Takes and releases a spinlock.
 */
void gdl_stats_read(struct gdl_stats *sum)
{
	int i;

	memset(sum, 0, sizeof(*sum));
	spin_lock(&base_lock);
	for (i = 0; i < GDL_NR_STATS; i++)
		sum->count[i] = -base.count[i];
	for (i = 0; i < GDL_NR_HOOKS; i++) {
		sum->hook_hits[i] = -base.hook_hits[i];
		sum->hook_failed[i] = -base.hook_failed[i];
	}
	spin_unlock(&base_lock);
	/* Behind it: counters only rise, so that none is less than its base. */
	add_all(sum);
}

/**
 * gdl_stats_reset() - make every counter read as 0 from here on
 *
 * Context: Process context. Takes and releases a spinlock.
 */
void gdl_stats_reset(void)
{
	spin_lock(&base_lock);
	sum_all(&base);
	spin_unlock(&base_lock);
}

/**
 * gdl_stats_lossy() - was anything lost since the module was loaded?
 *
 * Context: Any.
 * Return: Whether something could not be tracked: totals may be short then. A
 * reset does not change it.
 */
bool gdl_stats_lossy(void)
{
	struct gdl_stats sum;
	u64 lost;
	int i;

	sum_all(&sum);
	lost = sum.count[GDL_STAT_BUFFERS_LOST] +
	       sum.count[GDL_STAT_ATTACHMENTS_LOST] +
	       sum.count[GDL_STAT_CONTEXTS_LOST] +
	       sum.count[GDL_STAT_DEVICES_LOST];
	for (i = 0; i < GDL_NR_HOOKS; i++)
		lost += sum.hook_failed[i];
	return lost;
}

/**
 * gdl_stats_calls_in_flight() - how many calls of hooked functions have not ended
 *
 * Each call is counted when it begins and when it ends, maybe on different CPUs.
 *
 * Context: Any. No call begins any more.
 * Return: Their number; 0 only if none is left.
 */
u64 gdl_stats_calls_in_flight(void)
{
	struct gdl_stats sum;
	u64 begun = 0;
	int i;

	sum_all(&sum);
	for (i = 0; i < GDL_NR_HOOKS; i++)
		begun += sum.hook_hits[i];
	return begun - sum.hook_calls_ended;
}

/**
 * gdl_stats_alerts() - how much was counted that ought not to be
 *
 * Context: Any.
 * Return: The sum of those counters since the module was loaded. It only rises, and a
 * reset does not change it.
 */
u64 gdl_stats_alerts(void)
{
	const struct gdl_stats *s;
	u64 sum = 0;
	int cpu, i;

	for_each_possible_cpu(cpu) {
		s = per_cpu_ptr(&gdl_stats, cpu);
		for (i = 0; i < GDL_NR_STATS; i++)
			if (gdl_stat_alerts(i))
				sum += READ_ONCE(s->count[i]);
		for (i = 0; i < GDL_NR_HOOKS; i++)
			sum += READ_ONCE(s->hook_failed[i]);
	}
	return sum;
}
