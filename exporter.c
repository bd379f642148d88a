// SPDX-License-Identifier: GPL-2.0-only
/* Exporters: the names of what exports dma-bufs, each kept once, and known by a number. */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/spinlock.h>
#include <linux/string.h>

#include "gpu_dma_lock.h"

#define EXPORTERS_MAX	255

/* Index 0 is an exporter not known; filled in order, entries never change. */
static char exporters[EXPORTERS_MAX + 1][32] = { "-" };
static unsigned int nr_exporters = 1;
static DEFINE_SPINLOCK(exporters_lock);
/* Where the names of DRM drivers were seen; what is there is never followed. */
static const char *exporters_at[EXPORTERS_MAX + 1];
static unsigned int last_exporter;

static unsigned int find_exporter(const char *name, unsigned int from,
				  unsigned int to)
{
	unsigned int i;

	for (i = from; i < to; i++)
		if (!strncmp(exporters[i], name, sizeof(exporters[i]) - 1))
			return i;
	return 0;
}

static unsigned int add_exporter(const char *name, unsigned int from)
{
	unsigned long flags;
	unsigned int i;

	spin_lock_irqsave(&exporters_lock, flags);
	i = find_exporter(name, from, nr_exporters);
	if (!i && nr_exporters <= EXPORTERS_MAX) {
		i = nr_exporters;
		strscpy(exporters[i], name, sizeof(exporters[i]));
		/* Pairs with the acquire in intern_exporter(): name, then count */
		smp_store_release(&nr_exporters, i + 1);
	}
	spin_unlock_irqrestore(&exporters_lock, flags);
	if (!i)
		gdl_stat_inc(GDL_STAT_EXPORTERS_FULL);
	return i;
}

/* Exporters' names are few, and gone with their module: keep each once. */
static u8 intern_exporter(const char *name)
{
	unsigned int nr, i;

	if (!name)
		return 0;
	/* Pairs with the release in add_exporter() */
	nr = smp_load_acquire(&nr_exporters);
	i = find_exporter(name, 1, nr);
	return i ?: add_exporter(name, nr);
}

/**
 * gdl_exporter_name() - the name of a buffer's exporter
 * @exporter: from struct gdl_buffer
 *
 * Context: Any.
 * Return: The exp_name of the dma-buf; "-" if there is none, or there were more
 * than 255 different ones.
 */
const char *gdl_exporter_name(u8 exporter)
{
	return exporters[exporter];
}

/**
 * gdl_exporters_forget() - a module leaves: the addresses of its names mean nothing
 *
 * Context: Any. No driver in it exports any more.
 */
void gdl_exporters_forget(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(exporters_at); i++)
		WRITE_ONCE(exporters_at[i], NULL);
}

/**
 * gdl_exporter_of() - the number of an exporter's name
 * @b: a buffer of it, of which a dma-buf is exported
 * @name: the dma-buf's exp_name
 *
 * A DRM driver's name is constant, and where it is as long as the driver is there: the
 * last one seen is told by its address. Another exporter may make its name anew.
 *
 * Context: Any but hard interrupt. Does not sleep.
 * Return: What gdl_exporter_name() takes; 0 if there were too many.
 */
u8 gdl_exporter_of(const struct gdl_buffer *b, const char *name)
{
	unsigned int i = READ_ONCE(last_exporter);

	if (b->kind == GDL_KIND_DMABUF || !name)
		return intern_exporter(name);
	if (READ_ONCE(exporters_at[i]) == name)
		return i;
	i = intern_exporter(name);
	WRITE_ONCE(exporters_at[i], i ? name : NULL);
	WRITE_ONCE(last_exporter, i);
	return i;
}
