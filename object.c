// SPDX-License-Identifier: GPL-2.0-only
/*
 * Objects: the GEM objects and dma-bufs behind real buffers, from the kernel's
 * events on them.
 *
 * A buffer is found by the address of its GEM object, or for an exporter that is
 * not GEM by that of its dma-buf. A dma-buf exported from a GEM object is found
 * by its priv, which is that object. An address is never followed once the event
 * that brought it is over.
 *
 * Some drivers free an object whose initialisation failed without releasing it:
 * a buffer still found under an address that is initialised again is stale, and
 * dropped.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/dma-buf.h>
#include <linux/string.h>

#include <drm/drm_gem.h>

#include "gpu_dma_lock.h"

#define EXPORTERS_MAX	255

/* Index 0 is an exporter not known; filled in order, entries never change. */
static char exporters[EXPORTERS_MAX + 1][32] = { "-" };
static unsigned int nr_exporters = 1;
static DEFINE_SPINLOCK(exporters_lock);

/* Of two that see a dma-buf for the first time one adopts it. */
static DEFINE_SPINLOCK(adopt_lock);

/* At least as many as there are claims: without one, no new object is looked up. */
static atomic_t nr_claims = ATOMIC_INIT(0);

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

static struct gdl_buffer *gem_lookup(const void *gem)
{
	struct gdl_buffer *b = gdl_buffer_of_object(gem);

	return b && b->kind == GDL_KIND_GEM ? b : NULL;
}

static struct gdl_buffer *gem_create(const struct drm_device *drm,
				     const struct drm_gem_object *gem, u64 size,
				     struct task_struct *task, bool claim)
{
	struct gdl_buffer *b;

	b = gdl_buffer_create(GDL_KIND_GEM, gdl_device_of_drm(drm), size, task, claim);
	if (IS_ERR(b))
		return b;
	b->claimed = claim;
	atomic_set(&b->live, GDL_LIVE_GEM);
	return gdl_buffer_set_object(b, gem) ? b : ERR_PTR(-ENOMEM);
}

/**
 * gdl_gem_claim() - charge a GEM object about to be initialised, if that
 * passes no limit
 * @drm: its DRM device
 * @gem: the object; an address only, nothing in it is set yet
 * @size: bytes
 *
 * An object made for an imported dma-buf is not charged: that one is already.
 *
 * Context: Probe handler, process or soft interrupt context. Does not sleep.
 * Return: 0, -EDQUOT, -ENOSPC, or -ENOMEM: it could not be tracked, which is
 * counted.
 */
int gdl_gem_claim(const struct drm_device *drm,
		  const struct drm_gem_object *gem, u64 size)
{
	struct gdl_buffer *b = NULL;

	rcu_read_lock();
	if (!gdl_import_running())
		b = gem_create(drm, gem, size, current, true);
	rcu_read_unlock();
	if (!IS_ERR_OR_NULL(b))
		atomic_inc(&nr_claims);
	return PTR_ERR_OR_ZERO(b);
}

/* The buffer claimed for @gem, if one is, which now is initialised or has failed. */
static struct gdl_buffer *end_claim(const struct drm_gem_object *gem)
{
	struct gdl_buffer *b = NULL;

	if (atomic_read(&nr_claims))
		b = gem_lookup(gem);
	if (!b || !b->claimed)
		return NULL;
	b->claimed = false;
	atomic_dec(&nr_claims);
	return b;
}

/**
 * gdl_gem_init() - a GEM object is being initialised
 * @drm: its DRM device
 * @gem: the object; an address only, nothing in it is set yet
 * @size: bytes; GDL_GEM_SIZE_REFUSED is passed over
 *
 * So is an object made for an imported dma-buf: it is that buffer.
 *
 * Context: As gdl_gem_claim().
 * Return: False if it could not be tracked, which is counted.
 */
bool gdl_gem_init(const struct drm_device *drm,
		  const struct drm_gem_object *gem, u64 size)
{
	struct gdl_buffer *b;

	if (size == GDL_GEM_SIZE_REFUSED)
		return true;
	rcu_read_lock();
	b = end_claim(gem);
	if (!b && !gdl_import_running())
		b = gem_create(drm, gem, size, current, false);
	rcu_read_unlock();
	return !IS_ERR(b);
}

/**
 * gdl_gem_release() - a GEM object is being released
 * @gem: the object
 *
 * Context: As gdl_gem_claim().
 */
void gdl_gem_release(const struct drm_gem_object *gem)
{
	struct gdl_buffer *b;

	rcu_read_lock();
	b = gem_lookup(gem);
	if (b)
		gdl_buffer_object_gone(b, GDL_LIVE_GEM);
	rcu_read_unlock();
}

/**
 * gdl_gem_failed() - a GEM object's initialisation returned an error
 * @gem: the object; its driver may free it without a release
 *
 * Context: As gdl_gem_claim().
 */
void gdl_gem_failed(const struct drm_gem_object *gem)
{
	struct gdl_buffer *b;

	rcu_read_lock();
	end_claim(gem);
	b = gem_lookup(gem);
	if (b)
		gdl_buffer_remove(b);
	rcu_read_unlock();
}

/* The buffer whose GEM object @priv is, going by the size it is exported with. */
static struct gdl_buffer *gem_of(const void *priv, u64 size)
{
	struct gdl_buffer *b = gem_lookup(priv);

	return b && b->size == size ? b : NULL;
}

/* A GEM object that could not be refused when it was made is refused here. */
static int gem_export(struct gdl_buffer *b)
{
	int ret = gdl_charge_overrun(READ_ONCE(b->dq), b->size);

	if (!ret)
		b->overrun = false;
	return ret;
}

/*
 * A GEM object that is exported, but was not seen when it was made: it is older
 * than the module, or was lost.
 */
static struct gdl_buffer *gem_adopt(const struct drm_gem_object *gem,
				    struct task_struct *task, bool claim)
{
	struct gdl_buffer *b = gem_create(gem->dev, gem, gem->size, task, claim);

	if (IS_ERR(b))
		return b;
	b->claimed = false;
	b->adopted = true;
	gdl_stat_inc(GDL_STAT_BUFFERS_ADOPTED);
	return b;
}

/* An exported object without a buffer: the GEM object's, or one for the dma-buf. */
static int export_unknown(const struct dma_buf_export_info *info, bool enforce,
			  u64 *claim)
{
	const struct drm_gem_object *gem = gdl_prime_object(info->ops,
							    info->priv);
	struct gdl_buffer *b;

	if (gem)
		return PTR_ERR_OR_ZERO(gem_adopt(gem, current, enforce));
	b = gdl_buffer_create(GDL_KIND_DMABUF, &gdl_no_device, info->size,
			      current, enforce);
	if (IS_ERR(b))
		return PTR_ERR(b);
	*claim = b->id;
	return 0;
}

/**
 * gdl_dmabuf_export_begin() - a dma-buf is about to be exported
 * @info: what it is made from
 * @enforce: refuse it if that passes a limit
 * @claim: receives the id of the buffer charged for it, 0 if none is: it is the
 *	dma-buf of a GEM object already charged, or could not be tracked
 *
 * The charge is made before the export goes on, so that two of them cannot both
 * pass a limit. gdl_dmabuf_export_end() or gdl_dmabuf_export_failed() follows.
 *
 * Context: As gdl_gem_claim().
 * Return: 0; with @enforce -EDQUOT or -ENOSPC, then nothing is charged; -ENOMEM:
 * it could not be tracked, which is counted.
 */
int gdl_dmabuf_export_begin(const struct dma_buf_export_info *info, bool enforce,
			    u64 *claim)
{
	struct gdl_buffer *b;
	int ret = 0;

	*claim = 0;
	rcu_read_lock();
	b = gem_of(info->priv, info->size);
	if (!b)
		ret = export_unknown(info, enforce, claim);
	else if (enforce && b->overrun)
		ret = gem_export(b);
	rcu_read_unlock();
	return ret;
}

static void set_dmabuf(struct gdl_buffer *b, const struct dma_buf *dmabuf)
{
	WRITE_ONCE(b->inode, file_inode(dmabuf->file)->i_ino);
	WRITE_ONCE(b->exporter, intern_exporter(dmabuf->exp_name));
	WRITE_ONCE(b->dmabuf, dmabuf);
	atomic_or(GDL_LIVE_DMABUF, &b->live);
}

/**
 * gdl_dmabuf_export_end() - a dma-buf was exported
 * @dmabuf: the new dma-buf
 * @claim: from gdl_dmabuf_export_begin()
 *
 * Context: As gdl_gem_claim().
 * Return: False if it could not be tracked, which is counted.
 */
bool gdl_dmabuf_export_end(const struct dma_buf *dmabuf, u64 claim)
{
	struct gdl_buffer *b;
	bool ret = false;

	rcu_read_lock();
	b = claim ? gdl_id_find(claim) :
		    gem_of(dmabuf->priv, dmabuf->size);
	if (!b)
		goto out;
	set_dmabuf(b, dmabuf);
	ret = !claim || gdl_buffer_set_object(b, dmabuf);
out:
	rcu_read_unlock();
	return ret;
}

/**
 * gdl_dmabuf_export_failed() - an export that had begun returned an error
 * @claim: from gdl_dmabuf_export_begin()
 *
 * Context: As gdl_gem_claim().
 */
void gdl_dmabuf_export_failed(u64 claim)
{
	struct gdl_buffer *b;

	if (!claim)
		return;
	rcu_read_lock();
	b = gdl_id_find(claim);
	if (b)
		gdl_buffer_remove(b);
	rcu_read_unlock();
}

/**
 * gdl_buffer_of_dmabuf() - the buffer of a dma-buf
 * @dmabuf: the dma-buf, which lives meanwhile
 *
 * Context: Any but hard interrupt. Caller holds rcu_read_lock().
 * Return: The buffer, or NULL if it is not known.
 */
struct gdl_buffer *gdl_buffer_of_dmabuf(const struct dma_buf *dmabuf)
{
	struct gdl_buffer *b = gdl_buffer_of_object(dmabuf->priv);

	if (!b || READ_ONCE(b->dmabuf) != dmabuf)
		b = gdl_buffer_of_object(dmabuf);
	return b && READ_ONCE(b->dmabuf) == dmabuf ? b : NULL;
}

/* Make a buffer for a dma-buf that is older than it was first seen. */
static bool adopt(const struct dma_buf *dmabuf, struct task_struct *task)
{
	const struct drm_gem_object *gem = gdl_prime_object(dmabuf->ops,
							    dmabuf->priv);
	struct gdl_buffer *b;

	if (gem) {
		b = gem_lookup(gem);
		if (!b)
			b = gem_adopt(gem, task, false);
		if (!IS_ERR(b))
			set_dmabuf(b, dmabuf);
		return !IS_ERR(b);
	}
	b = gdl_buffer_create(GDL_KIND_DMABUF, &gdl_no_device, dmabuf->size,
			      task, false);
	if (IS_ERR(b))
		return false;
	b->adopted = true;
	gdl_stat_inc(GDL_STAT_BUFFERS_ADOPTED);
	set_dmabuf(b, dmabuf);
	return gdl_buffer_set_object(b, dmabuf);
}

/**
 * gdl_dmabuf_adopt() - track a dma-buf that exists, unless it is known
 * @dmabuf: the dma-buf, which lives meanwhile
 * @task: who is taken for its creator
 *
 * Context: As gdl_gem_claim().
 * Return: False if it could not be tracked, which is counted.
 */
bool gdl_dmabuf_adopt(const struct dma_buf *dmabuf, struct task_struct *task)
{
	bool ret = true;

	rcu_read_lock();
	if (gdl_buffer_of_dmabuf(dmabuf))
		goto out;
	spin_lock_bh(&adopt_lock);
	if (!gdl_buffer_of_dmabuf(dmabuf))
		ret = adopt(dmabuf, task);
	spin_unlock_bh(&adopt_lock);
out:
	rcu_read_unlock();
	return ret;
}

/**
 * gdl_dmabuf_release() - a dma-buf is being released
 * @dmabuf: the dma-buf, still whole
 *
 * Context: As gdl_gem_claim().
 */
void gdl_dmabuf_release(const struct dma_buf *dmabuf)
{
	struct gdl_buffer *b;

	rcu_read_lock();
	b = gdl_buffer_of_dmabuf(dmabuf);
	if (b) {
		WRITE_ONCE(b->dmabuf, NULL);
		WRITE_ONCE(b->inode, 0);
		WRITE_ONCE(b->exporter, 0);
		WRITE_ONCE(b->dma_addr, 0);
		gdl_buffer_object_gone(b, GDL_LIVE_DMABUF);
	}
	rcu_read_unlock();
}
