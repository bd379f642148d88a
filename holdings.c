// SPDX-License-Identifier: GPL-2.0-only
/*
 * Holdings: what an open file has, and what ends with it: ledger buffers, declared
 * contexts, reports, and locks. Of an open /dev/gpu_dma_lock, or of a `control` after the
 * command `session`.
 *
 * Buffers are on a list, see ledger.c, reports on one of report.c's, and locks on their
 * owner's, see claim.c; each leaves it when it ends otherwise. Contexts are kept by their
 * ids. No id is ever given again, so one that was destroyed by somebody else does no harm.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/slab.h>
#include <linux/xarray.h>

#include "gpu_dma_lock.h"

/* So many locks are dropped at a time. */
#define BATCH	32

static atomic64_t last_owner = ATOMIC64_INIT(0);

/**
 * gdl_holdings_alloc() - an open file may have something from here on
 * @max: so many ledger buffers
 *
 * Context: May sleep.
 * Return: Its holdings, or NULL.
 */
struct gdl_holdings *gdl_holdings_alloc(unsigned int max)
{
	struct gdl_holdings *h = kzalloc(sizeof(*h), GFP_KERNEL_ACCOUNT);

	if (!h)
		return NULL;
	gdl_lock_owner_init(&h->owner, atomic64_inc_return(&last_owner));
	gdl_ledger_init(&h->ledger, max);
	xa_init_flags(&h->contexts, XA_FLAGS_ACCOUNT);
	INIT_LIST_HEAD(&h->reports);
	return h;
}

/**
 * gdl_holdings_add_context() - an open file has declared a context
 * @h: its holdings
 * @id: the context's id
 *
 * Context: May sleep.
 * Return: 0 or -ENOMEM.
 */
int gdl_holdings_add_context(struct gdl_holdings *h, u64 id)
{
	return xa_err(xa_store(&h->contexts, id, xa_mk_value(0), GFP_KERNEL));
}

/**
 * gdl_holdings_del_context() - a context has ended
 * @h: holdings
 * @id: the context's id; may be none of theirs
 *
 * Context: May sleep.
 */
void gdl_holdings_del_context(struct gdl_holdings *h, u64 id)
{
	xa_erase(&h->contexts, id);
}

static void drop_locks(struct gdl_lock_owner *owner)
{
	struct gdl_buffer_lock *lock;
	struct gdl_claim *c;
	int i;

	do {
		rcu_read_lock();
		spin_lock_bh(&gdl_lock_lock);
		for (i = 0; i < BATCH; i++) {
			c = list_first_entry_or_null(&owner->holders, struct gdl_claim,
						     of_owner);
			if (!c)
				break;
			lock = c->lock;
			gdl_holder_drop(c);
			gdl_lock_settle(lock);
		}
		spin_unlock_bh(&gdl_lock_lock);
		rcu_read_unlock();
		cond_resched();
	} while (i == BATCH);
}

/**
 * gdl_holdings_free() - the file is being closed: end what it has
 * @h: its holdings; nobody waits for a lock of theirs
 *
 * Context: May sleep.
 */
void gdl_holdings_free(struct gdl_holdings *h)
{
	unsigned long id;
	void *entry;

	/* First: what waits for one of them is told so, and not granted it for a moment. */
	gdl_ledger_exit(&h->ledger);
	xa_for_each(&h->contexts, id, entry) {
		gdl_context_destroy(id);
		cond_resched();
	}
	gdl_reports_drop(&h->reports);
	drop_locks(&h->owner);
	xa_destroy(&h->contexts);
	kfree(h);
}
