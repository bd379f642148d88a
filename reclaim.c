// SPDX-License-Identifier: GPL-2.0-only
/* Memory for the tables, where it was short. */

#include <linux/gfp.h>
#include <linux/mm.h>

#include "gpu_dma_lock.h"

/* As much as one event needs, and more: 16 KiB. */
#define RECLAIM_ORDER	2

/**
 * gdl_reclaim() - wait until the tables can have memory
 *
 * They allocate with GFP_ATOMIC, which may go deeper into the reserves than
 * GFP_KERNEL: what the latter can have, the former can have too.
 *
 * Context: May sleep, and reclaims memory.
 * Return: Whether it is worth to try again.
 */
bool gdl_reclaim(void)
{
	struct page *pages = alloc_pages(GFP_KERNEL | __GFP_NOWARN, RECLAIM_ORDER);

	if (pages)
		__free_pages(pages, RECLAIM_ORDER);
	return pages;
}
