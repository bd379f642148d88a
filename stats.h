/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Counters, and what waits for them to rise; the policy.
 * Included by gpu_dma_lock.h, which says what the letters of fields mean.
 */
#ifndef GDL_STATS_H
#define GDL_STATS_H

/* stats.c: per-CPU counters */

enum gdl_stat {
	GDL_STAT_BUFFERS_CREATED,
	GDL_STAT_BUFFERS_FREED,
	GDL_STAT_BUFFERS_ADOPTED,
	GDL_STAT_BUFFERS_STALE,
	GDL_STAT_BUFFERS_LOST,
	GDL_STAT_ATTACHMENTS_STALE,
	GDL_STAT_ATTACHMENTS_LOST,
	GDL_STAT_CONTEXTS_STALE,
	GDL_STAT_CONTEXTS_LOST,
	GDL_STAT_DEVICES_LOST,
	GDL_STAT_EXPORTERS_FULL,
	GDL_STAT_RESOURCES_LOST,
	GDL_STAT_BINDINGS_ENDED,
	GDL_STAT_BINDINGS_RENEWED,
	GDL_STAT_TEMPLATES_FAILED,
	GDL_STAT_POLICY_CHANGES,
	GDL_STAT_BUFFERS_CAPPED,
	GDL_STAT_ATTACHMENTS_CAPPED,
	GDL_STAT_CONTEXTS_CAPPED,
	GDL_STAT_MAPPINGS_CAPPED,
	GDL_STAT_LEDGER_ALLOCATED,
	GDL_STAT_LEDGER_FREED,
	GDL_STAT_REPORTS_BEGUN,
	GDL_STAT_REPORTS_ENDED,
	GDL_STAT_QUOTA_DENIED,
	GDL_STAT_QUOTA_AUDITED,
	GDL_STAT_CAPACITY_DENIED,
	GDL_STAT_CAPACITY_AUDITED,
	GDL_STAT_UNTRACKED_DENIED,
	GDL_STAT_LOCKS_ACQUIRED,
	GDL_STAT_LOCKS_CONTENDED,
	GDL_STAT_LOCKS_DEADLOCKS,
	GDL_STAT_LOCKS_TIMEOUTS,
	GDL_STAT_LOCKS_WAIT_NS,
	GDL_STAT_LOCKS_DENIED,
	GDL_STAT_LOCKS_AUDITED,
	GDL_STAT_LOCKS_LOST,
	GDL_STAT_WAITERS_CAPPED,
	GDL_STAT_DMA_CHECKS,
	GDL_STAT_DMA_CHECKS_DENIED,
	GDL_STAT_DMA_DENIED,
	GDL_STAT_DMA_AUDITED,
	GDL_STAT_DMA_SEGMENTS_OUTSIDE,
	GDL_STAT_DMA_SEGMENTS_UNCHECKED,
	GDL_STAT_COMMANDS,
	GDL_STAT_COMMANDS_FAILED,
	GDL_STAT_COMMANDS_UNFINISHED,
	GDL_NR_STATS,
};

struct gdl_stats {
	u64 count[GDL_NR_STATS];
	u64 hook_hits[GDL_NR_HOOKS];
	u64 hook_failed[GDL_NR_HOOKS];
	u64 hook_calls_ended;
};

DECLARE_PER_CPU(struct gdl_stats, gdl_stats);

/* What ought not to be counted: refusals, also those let pass, losses, lost bindings. */
#define GDL_STATS_ALERTING						\
	(BIT_ULL(GDL_STAT_BUFFERS_STALE) | BIT_ULL(GDL_STAT_BUFFERS_LOST) |	\
	 BIT_ULL(GDL_STAT_ATTACHMENTS_STALE) | BIT_ULL(GDL_STAT_ATTACHMENTS_LOST) | \
	 BIT_ULL(GDL_STAT_CONTEXTS_STALE) | BIT_ULL(GDL_STAT_CONTEXTS_LOST) |	\
	 BIT_ULL(GDL_STAT_DEVICES_LOST) | BIT_ULL(GDL_STAT_EXPORTERS_FULL) |	\
	 BIT_ULL(GDL_STAT_RESOURCES_LOST) | BIT_ULL(GDL_STAT_BINDINGS_ENDED) |	\
	 BIT_ULL(GDL_STAT_TEMPLATES_FAILED) | BIT_ULL(GDL_STAT_BUFFERS_CAPPED) | \
	 BIT_ULL(GDL_STAT_ATTACHMENTS_CAPPED) | BIT_ULL(GDL_STAT_CONTEXTS_CAPPED) | \
	 BIT_ULL(GDL_STAT_MAPPINGS_CAPPED) | BIT_ULL(GDL_STAT_QUOTA_DENIED) |	\
	 BIT_ULL(GDL_STAT_QUOTA_AUDITED) | BIT_ULL(GDL_STAT_CAPACITY_DENIED) |	\
	 BIT_ULL(GDL_STAT_CAPACITY_AUDITED) | BIT_ULL(GDL_STAT_UNTRACKED_DENIED) | \
	 BIT_ULL(GDL_STAT_LOCKS_DEADLOCKS) | BIT_ULL(GDL_STAT_LOCKS_DENIED) |	\
	 BIT_ULL(GDL_STAT_LOCKS_AUDITED) | BIT_ULL(GDL_STAT_LOCKS_LOST) |	\
	 BIT_ULL(GDL_STAT_WAITERS_CAPPED) | BIT_ULL(GDL_STAT_DMA_CHECKS_DENIED) | \
	 BIT_ULL(GDL_STAT_DMA_DENIED) | BIT_ULL(GDL_STAT_DMA_AUDITED) |		\
	 BIT_ULL(GDL_STAT_DMA_SEGMENTS_OUTSIDE))

/* alert.c's, which waits for what is counted here */
extern atomic_t gdl_watchers;
void gdl_alert_raise(void);
void gdl_stat_lost(enum gdl_stat stat);

static inline void gdl_alert(void)
{
	/*
	 * Between the counter and the look for what waits for it; what begins to wait
	 * has one between that and its look at the counter: gdl_alert_poll().
	 */
	smp_mb();
	if (unlikely(atomic_read(&gdl_watchers)))
		gdl_alert_raise();
}

static __always_inline bool gdl_stat_alerts(enum gdl_stat stat)
{
	return GDL_STATS_ALERTING >> stat & 1;
}

static __always_inline void gdl_stat_inc(enum gdl_stat stat)
{
	BUILD_BUG_ON(sizeof(u64) * BITS_PER_BYTE < GDL_NR_STATS);
	this_cpu_inc(gdl_stats.count[stat]);
	if (gdl_stat_alerts(stat))
		gdl_alert();
}

#define gdl_stat_add(stat, n)		this_cpu_add(gdl_stats.count[stat], n)

static inline void gdl_stat_hook_failed(enum gdl_hook_id hook)
{
	this_cpu_inc(gdl_stats.hook_failed[hook]);
	gdl_alert();
}

const char *gdl_stat_name(enum gdl_stat stat);
void gdl_stats_read(struct gdl_stats *sum);
void gdl_stats_reset(void);
bool gdl_stats_lossy(void);
u64 gdl_stats_calls_in_flight(void);
u64 gdl_stats_alerts(void);

/* alert.c: what waits for something to be counted */

/* Of an open file. */
struct gdl_watch {
	u64 seen;				/* gdl_stats_alerts() then; READ_ONCE() */
};

int gdl_alert_init(void);
void gdl_alert_stop(void);
void gdl_alert_exit(void);
void gdl_watch_begin(struct gdl_watch *watch);
void gdl_watch_end(struct gdl_watch *watch);
void gdl_watch_seen(struct gdl_watch *watch);
__poll_t gdl_alert_poll(struct file *file, struct poll_table_struct *table);
__poll_t gdl_watch_poll(const struct gdl_watch *watch, struct file *file,
			struct poll_table_struct *table);

/* policy.c: what happens to real operations that a rule forbids */

enum gdl_policy {
	GDL_POLICY_OFF,		/* the rules are not looked at */
	GDL_POLICY_AUDIT,	/* it goes on, is counted and traced */
	GDL_POLICY_ENFORCE,	/* it is refused */
	GDL_NR_POLICIES,
};

extern const char * const gdl_policy_names[GDL_NR_POLICIES];
extern enum gdl_policy gdl_policy;		/* READ_ONCE() */

/* Are the rules not to be looked at? Context: any. */
static inline bool gdl_policy_is_off(void)
{
	return READ_ONCE(gdl_policy) == GDL_POLICY_OFF;
}

/* Is what a rule forbids to be refused? Context: any. */
static inline bool gdl_policy_enforces(void)
{
	return READ_ONCE(gdl_policy) == GDL_POLICY_ENFORCE;
}

/* Its name. Context: any. */
static inline const char *gdl_policy_name(void)
{
	return gdl_policy_names[READ_ONCE(gdl_policy)];
}

int gdl_policy_parse(const char *word);
void gdl_policy_init(enum gdl_policy to);
void gdl_policy_set(enum gdl_policy to);

/* reclaim.c: memory for the tables, where it was short */

bool gdl_reclaim(void);

#endif /* GDL_STATS_H */
