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
#include <linux/hash.h>
#include <linux/string.h>

#include <drm/drm_gem.h>

#include "gpu_dma_lock.h"

/* Of two that see an object for the first time one adopts it. */
static DEFINE_SPINLOCK(adopt_lock);

/* At least as many as there are claims: without one, no new object is looked up. */
static atomic_t nr_claims = ATOMIC_INIT(0);

/*
 * The objects claimed, each where its address says; another may have taken its place.
 * One that is here is inside drm_gem_object_init(): it need not be looked up.
 */
#define CLAIM_BITS	6
static const struct drm_gem_object *claims[BIT(CLAIM_BITS)];

/*
 * Objects of processes that are initialised, but could not be tracked, likewise. Once
 * there was one, any_missed stays.
 */
static const struct drm_gem_object *missed[BIT(CLAIM_BITS)];
static bool any_missed;

/**
 * gdl_gem_lookup() - find the buffer of a GEM object
 * @gem: the object; an address only
 *
 * Context: Any. Caller holds rcu_read_lock().
 * Return: The buffer, or NULL.
 */
struct gdl_buffer *gdl_gem_lookup(const void *gem)
{
	struct gdl_buffer *b = gdl_buffer_of_object(gem);

	return b && READ_ONCE(b->kind) != GDL_KIND_DMABUF ? b : NULL;
}

/* How an object is made. */
enum making {
	MAKING,			/* by drm_gem_private_object_init() alone */
	CLAIMED,		/* by drm_gem_object_init(), which is to come */
	UNSETTLED,		/* its driver tells later whose it is */
};

static struct gdl_buffer *gem_create(const struct drm_device *drm,
				     const struct drm_gem_object *gem, u64 size,
				     enum gdl_kind kind, enum making how,
				     struct task_struct *task, bool enforce)
{
	struct gdl_buffer *b;

	b = gdl_buffer_create(kind, gdl_device_of_drm(drm), size, task, enforce);
	if (IS_ERR(b))
		return b;
	b->claimed = how == CLAIMED;
	if (how == UNSETTLED)
		gdl_buffer_unsettle(b);
	atomic_set(&b->live, GDL_LIVE_GEM);
	if (gdl_buffer_set_object(b, gem))
		return b;
	gdl_buffer_remove(b);
	return ERR_PTR(-ENOMEM);
}

/* Whether an object is a process's, and not the kernel's own. */
static bool is_asked_for(const struct drm_device *drm)
{
	return gdl_driver_asked(drm) && !gdl_close_running();
}

/**
 * gdl_gem_asked_for() - is an object that is being made a process's?
 * @drm: its DRM device
 *
 * Context: Any.
 * Return: Whether it is, and not the kernel's own.
 */
bool gdl_gem_asked_for(const struct drm_device *drm)
{
	bool asked;

	rcu_read_lock();
	asked = is_asked_for(drm);
	rcu_read_unlock();
	return asked;
}

static struct gdl_buffer *claim(const struct drm_device *drm,
				const struct drm_gem_object *gem, u64 size,
				bool enforce)
{
	if (!is_asked_for(drm))
		return gem_create(drm, gem, size, GDL_KIND_KERNEL, CLAIMED, current, false);
	/* What must not fail here is a matter of drm_gem_handle_create(). */
	if (enforce && !gdl_driver_refuses_init(drm))
		return NULL;
	return gem_create(drm, gem, size, GDL_KIND_GEM, CLAIMED, current, enforce);
}

static const struct drm_gem_object **claim_place(const struct drm_gem_object *gem)
{
	return &claims[hash_ptr(gem, CLAIM_BITS)];
}

/**
 * gdl_gem_claim() - charge a GEM object about to be initialised by
 * drm_gem_object_init()
 * @drm: its DRM device
 * @gem: the object; an address only, nothing in it is set yet
 * @size: bytes
 * @enforce: refuse it if that passes a limit
 *
 * An object made for an imported dma-buf is not charged: that one is already. Nor is
 * what the kernel makes for itself. gdl_gem_claim_end() or gdl_gem_failed() follows.
 *
 * Context: Process or soft interrupt context. Does not sleep.
 * Return: The buffer, which stays until one of these is called; NULL if it is not
 * charged now; -EDQUOT, -ENOSPC; -ENOMEM or -EFBIG (nothing has that size): it could not
 * be tracked.
 */
struct gdl_buffer *gdl_gem_claim(const struct drm_device *drm,
				 const struct drm_gem_object *gem, u64 size,
				 bool enforce)
{
	struct gdl_buffer *b = NULL;

	rcu_read_lock();
	if (!gdl_import_running())
		b = claim(drm, gem, size, enforce);
	rcu_read_unlock();
	if (!IS_ERR_OR_NULL(b)) {
		atomic_inc(&nr_claims);
		WRITE_ONCE(*claim_place(gem), gem);
	}
	return b;
}

static void leave_place(const struct drm_gem_object *gem)
{
	const struct drm_gem_object **place = claim_place(gem);

	if (READ_ONCE(*place) == gem)
		WRITE_ONCE(*place, NULL);
}

static void end_claim(struct gdl_buffer *b)
{
	if (!b->claimed)
		return;
	b->claimed = false;
	atomic_dec(&nr_claims);
}

/**
 * gdl_gem_claim_end() - a GEM object that was charged is initialised
 * @b: from gdl_gem_claim()
 *
 * Context: Any. Nobody can release the object yet.
 */
void gdl_gem_claim_end(struct gdl_buffer *b)
{
	leave_place(b->object);
	end_claim(b);
}

static const struct drm_gem_object **missed_place(const struct drm_gem_object *gem)
{
	return &missed[hash_ptr(gem, CLAIM_BITS)];
}

/* Whether the initialisation of @gem was missed. It is made up for, or the object ends. */
static bool take_missed(const struct drm_gem_object *gem)
{
	return READ_ONCE(any_missed) && cmpxchg(missed_place(gem), gem, NULL) == gem;
}

/* Whether @gem is claimed, though another one has its place. */
static bool is_claimed(const struct drm_gem_object *gem)
{
	const struct gdl_buffer *b = NULL;

	if (atomic_read(&nr_claims))
		b = gdl_gem_lookup(gem);
	return b && b->claimed;
}

/**
 * gdl_gem_is_claimed() - is a GEM object being initialised that is charged, or refused?
 * @gem: the object; an address only
 * @size: what it is initialised with
 *
 * Context: Any.
 * Return: Whether gdl_gem_claim() was called of it.
 */
bool gdl_gem_is_claimed(const struct drm_gem_object *gem, u64 size)
{
	bool claimed;

	if (READ_ONCE(*claim_place(gem)) == gem || size == GDL_GEM_SIZE_REFUSED)
		return true;
	rcu_read_lock();
	claimed = is_claimed(gem);
	rcu_read_unlock();
	return claimed;
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
 * Return: 0; -ENOMEM or -EFBIG: it could not be tracked.
 */
int gdl_gem_init(const struct drm_device *drm,
		 const struct drm_gem_object *gem, u64 size)
{
	struct gdl_buffer *b = NULL;

	if (READ_ONCE(*claim_place(gem)) == gem || size == GDL_GEM_SIZE_REFUSED)
		return 0;
	/* Of an object before it at this address, which missed its end too. */
	take_missed(gem);
	rcu_read_lock();
	if (!is_claimed(gem) && !gdl_import_running())
		b = gem_create(drm, gem, size, GDL_KIND_KERNEL,
			       is_asked_for(drm) ? UNSETTLED : MAKING, current, false);
	rcu_read_unlock();
	return PTR_ERR_OR_ZERO(b);
}

/**
 * gdl_gem_missed() - a GEM object is being initialised and could not be tracked
 * @drm: its DRM device
 * @gem: the object; an address only
 *
 * If it is a process's, whatever tells more of it tries again.
 *
 * Context: As gdl_gem_claim().
 */
void gdl_gem_missed(const struct drm_device *drm, const struct drm_gem_object *gem)
{
	if (!gdl_gem_asked_for(drm))
		return;
	WRITE_ONCE(*missed_place(gem), gem);
	WRITE_ONCE(any_missed, true);
}

/**
 * gdl_gems_unsettled() - can there be an object to settle?
 *
 * Context: Any. One that the caller has made itself counts.
 * Return: False if there is none.
 */
bool gdl_gems_unsettled(void)
{
	return gdl_buffers_unsettled() || READ_ONCE(any_missed);
}

/* The buffer of an object that may be new; NULL if it has none. */
static struct gdl_buffer *find_new(const struct drm_gem_object *gem)
{
	struct gdl_buffer *b = gdl_gem_lookup(gem);

	if (likely(b) || !take_missed(gem))
		return b;
	return gem_create(gem->dev, gem, gem->size, GDL_KIND_KERNEL, UNSETTLED, current, false);
}

/* Say what the new object of @b is; if it is refused, there is no buffer any more. */
static int settle(struct gdl_buffer *b, enum gdl_kind kind, bool enforce)
{
	int ret = gdl_buffer_settle(b, kind, current, enforce);

	if (ret == -EDQUOT || ret == -ENOSPC)
		gdl_buffer_remove(b);
	return ret;
}

/* What a process has just made itself: else it is older, or the kernel's. */
static bool can_settle(const struct gdl_buffer *b)
{
	return b && b->unsettled && b->pid == task_tgid(current);
}

/**
 * gdl_gem_validate() - TTM looks for memory for a GEM object
 * @gem: the object, or what is none
 * @kind: what it is as far as TTM knows
 * @system_only: it may be placed in system memory only
 * @enforce: refuse it if it is new and that passes a limit
 *
 * Context: As gdl_gem_claim().
 * Return: 0; -EDQUOT or -ENOSPC where it is refused; -ENOMEM or -EFBIG: it is new, and
 * could not be tracked.
 */
int gdl_gem_validate(const struct drm_gem_object *gem, enum gdl_kind kind,
		     bool system_only, bool enforce)
{
	struct gdl_buffer *b;
	int ret = 0;

	rcu_read_lock();
	b = find_new(gem);
	if (IS_ERR(b)) {
		ret = PTR_ERR(b);
	} else if (can_settle(b)) {
		if (kind == GDL_KIND_GEM && gdl_driver_userptr(gem->dev, system_only))
			kind = GDL_KIND_USERPTR;
		ret = settle(b, kind, enforce && !b->late &&
			     gdl_driver_refuses_validate(gem->dev));
		/* If that failed, the next one finds an object in use. */
		if (ret == -ENOMEM && b->late)
			ret = 0;
		b->late = true;
	}
	rcu_read_unlock();
	return ret;
}

/**
 * gdl_gem_handle() - a process gets a handle of a GEM object
 * @gem: the object
 * @enforce: refuse it if it is new and that passes a limit
 *
 * Context: As gdl_gem_claim().
 * Return: As gdl_gem_validate().
 */
int gdl_gem_handle(const struct drm_gem_object *gem, bool enforce)
{
	enum gdl_kind kind = GDL_KIND_GEM;
	struct gdl_buffer *b;
	int ret = 0;

	rcu_read_lock();
	b = find_new(gem);
	if (IS_ERR(b)) {
		ret = PTR_ERR(b);
		/* For another try; what is validated has one only, as it is in use then. */
		WRITE_ONCE(*missed_place(gem), gem);
	} else if (can_settle(b)) {
		if (gdl_driver_userptr(gem->dev, false))
			kind = GDL_KIND_USERPTR;
		else if (gdl_driver_aliases(gem->dev))
			kind = GDL_KIND_ALIAS;
		ret = settle(b, kind, enforce && gdl_driver_refuses_handle(gem->dev));
	}
	rcu_read_unlock();
	return ret;
}

/**
 * gdl_gem_release() - a GEM object ends
 * @gem: the object; or what is none, and not found
 *
 * Context: As gdl_gem_claim().
 */
void gdl_gem_release(const struct drm_gem_object *gem)
{
	struct gdl_buffer *b;

	take_missed(gem);
	rcu_read_lock();
	b = gdl_gem_lookup(gem);
	if (b)
		gdl_buffer_object_gone(b, GDL_LIVE_GEM);
	rcu_read_unlock();
}

/**
 * gdl_gem_release_atomic() - a GEM object ends where the tables cannot be changed
 * @gem: the object; or what is none, and not found
 *
 * Its buffer is not found any more, and goes soon.
 *
 * Context: Any, hard interrupts too.
 */
void gdl_gem_release_atomic(const struct drm_gem_object *gem)
{
	struct gdl_buffer *b;

	take_missed(gem);
	rcu_read_lock();
	b = gdl_gem_lookup(gem);
	if (b)
		gdl_buffer_object_gone_atomic(b, GDL_LIVE_GEM);
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

	leave_place(gem);
	rcu_read_lock();
	b = gdl_gem_lookup(gem);
	if (b) {
		end_claim(b);
		gdl_buffer_remove(b);
	}
	rcu_read_unlock();
}

/* The buffer whose GEM object @priv is, going by the size it is exported with. */
static struct gdl_buffer *gem_of(const void *priv, u64 size)
{
	struct gdl_buffer *b = gdl_gem_lookup(priv);

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
				    struct task_struct *task, bool enforce)
{
	struct gdl_buffer *b = gem_create(gem->dev, gem, gem->size, GDL_KIND_GEM, MAKING,
					  task, enforce);

	if (IS_ERR(b))
		return b;
	b->adopted = true;
	gdl_stat_inc(GDL_STAT_BUFFERS_ADOPTED);
	return b;
}

/* A GEM object's buffer is exported; from here on it stays. */
static void hold(struct gdl_export *export, struct gdl_buffer *b)
{
	export->buffer = b;
	export->again = atomic_fetch_or(GDL_LIVE_DMABUF, &b->live) & GDL_LIVE_DMABUF;
}

static int export_adopted(const struct drm_gem_object *gem, bool enforce,
			  struct gdl_export *export)
{
	struct gdl_buffer *b;

	spin_lock_bh(&adopt_lock);
	b = gdl_gem_lookup(gem);
	if (!b)
		b = gem_adopt(gem, current, enforce);
	if (!IS_ERR(b))
		hold(export, b);
	spin_unlock_bh(&adopt_lock);
	return PTR_ERR_OR_ZERO(b);
}

/* One of the dma-bufs of @memory: the first is charged, the others are its aliases. */
static struct gdl_buffer *alias_create(const void *memory, u64 size,
				       struct task_struct *task, bool enforce)
{
	enum gdl_kind kind;
	struct gdl_buffer *b;
	int ret = 0;

	spin_lock_bh(&gdl_memory_lock);
	kind = gdl_memory_known(memory) ? GDL_KIND_ALIAS : GDL_KIND_DMABUF;
	b = gdl_buffer_create(kind, &gdl_no_device, size, task, enforce);
	if (!IS_ERR(b))
		ret = gdl_memory_join(b, memory);
	spin_unlock_bh(&gdl_memory_lock);
	if (!ret)
		return b;
	gdl_buffer_remove(b);
	return ERR_PTR(ret);
}

/* A dma-buf that is none of a GEM object. */
static struct gdl_buffer *dmabuf_create(const struct dma_buf_ops *ops, const void *priv,
					u64 size, struct task_struct *task, bool enforce)
{
	const void *memory = gdl_prime_memory(ops, priv);

	if (memory)
		return alias_create(memory, size, task, enforce);
	return gdl_buffer_create(gdl_prime_nvidia(ops) ? GDL_KIND_NVIDIA : GDL_KIND_DMABUF,
				 &gdl_no_device, size, task, enforce);
}

/* An exported object that is no buffer yet. */
static int export_unknown(const struct dma_buf_export_info *info, bool enforce,
			  struct gdl_export *export)
{
	const struct drm_gem_object *gem = gdl_prime_object(info->ops,
							    info->priv);
	struct gdl_buffer *b;

	if (gem)
		return export_adopted(gem, enforce, export);
	b = dmabuf_create(info->ops, info->priv, info->size, current, enforce);
	if (IS_ERR(b))
		return PTR_ERR(b);
	export->buffer = b;
	export->created = true;
	return 0;
}

static int export_begin(const struct dma_buf_export_info *info, bool enforce,
			struct gdl_export *export)
{
	struct gdl_buffer *b = gem_of(info->priv, info->size);
	int ret;

	if (!b)
		return export_unknown(info, enforce, export);
	ret = b->unsettled ? gdl_buffer_settle(b, GDL_KIND_GEM, current, false) : 0;
	if (!ret && enforce && b->overrun)
		ret = gem_export(b);
	if (!ret)
		hold(export, b);
	return ret;
}

/**
 * gdl_dmabuf_export_begin() - a dma-buf is about to be exported
 * @info: what it is made from
 * @enforce: refuse it if that passes a limit
 * @export: receives what the export is of
 *
 * What is not charged already, as a GEM object, is charged before the export goes on,
 * so that two of them cannot both pass a limit. gdl_dmabuf_export_end() or
 * gdl_dmabuf_export_failed() follows. The buffer stays until then: a GEM object's by
 * GDL_LIVE_DMABUF, another since nobody finds it.
 *
 * Context: As gdl_gem_claim().
 * Return: 0; with @enforce -EDQUOT or -ENOSPC, then nothing is charged; -ENOMEM or
 * -EFBIG: it could not be tracked. With an error @export is of no buffer.
 */
int gdl_dmabuf_export_begin(const struct dma_buf_export_info *info, bool enforce,
			    struct gdl_export *export)
{
	int ret;

	*export = (struct gdl_export) { };
	rcu_read_lock();
	ret = export_begin(info, enforce, export);
	rcu_read_unlock();
	return ret;
}

static void set_dmabuf(struct gdl_buffer *b, const struct dma_buf *dmabuf)
{
	WRITE_ONCE(b->inode, file_inode(dmabuf->file)->i_ino);
	WRITE_ONCE(b->exporter, gdl_exporter_of(b, dmabuf->exp_name));
	WRITE_ONCE(b->dmabuf, dmabuf);
}

/**
 * gdl_dmabuf_export_end() - a dma-buf was exported
 * @dmabuf: the new dma-buf
 * @export: from gdl_dmabuf_export_begin()
 *
 * Context: As gdl_gem_claim().
 * Return: 0, also for an export that is not tracked; -ENOMEM: it could not be tracked
 * now, gdl_dmabuf_export_failed() is to follow, or another try.
 */
int gdl_dmabuf_export_end(const struct dma_buf *dmabuf,
			  const struct gdl_export *export)
{
	struct gdl_buffer *b = export->buffer;
	bool known;

	if (!b)
		return 0;
	set_dmabuf(b, dmabuf);
	if (!export->created)
		return 0;
	rcu_read_lock();
	known = gdl_buffer_set_object(b, dmabuf);
	if (known)
		atomic_or(GDL_LIVE_DMABUF, &b->live);
	rcu_read_unlock();
	return known ? 0 : -ENOMEM;
}

/**
 * gdl_dmabuf_export_failed() - an export that had begun returned an error
 * @export: from gdl_dmabuf_export_begin()
 *
 * Context: As gdl_gem_claim().
 */
void gdl_dmabuf_export_failed(const struct gdl_export *export)
{
	struct gdl_buffer *b = export->buffer;

	if (!b)
		return;
	rcu_read_lock();
	if (export->created)
		gdl_buffer_remove(b);
	else if (!export->again)
		gdl_buffer_object_gone(b, GDL_LIVE_DMABUF);
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
static int adopt(const struct dma_buf *dmabuf, struct task_struct *task)
{
	const struct drm_gem_object *gem = gdl_prime_object(dmabuf->ops,
							    dmabuf->priv);
	struct gdl_buffer *b;

	if (gem) {
		b = gdl_gem_lookup(gem);
		if (!b)
			b = gem_adopt(gem, task, false);
		if (IS_ERR(b))
			return PTR_ERR(b);
		set_dmabuf(b, dmabuf);
		atomic_or(GDL_LIVE_DMABUF, &b->live);
		return 0;
	}
	b = dmabuf_create(dmabuf->ops, dmabuf->priv, dmabuf->size, task, false);
	if (IS_ERR(b))
		return PTR_ERR(b);
	b->adopted = true;
	set_dmabuf(b, dmabuf);
	atomic_set(&b->live, GDL_LIVE_DMABUF);
	if (!gdl_buffer_set_object(b, dmabuf)) {
		gdl_buffer_remove(b);
		return -ENOMEM;
	}
	gdl_stat_inc(GDL_STAT_BUFFERS_ADOPTED);
	return 0;
}

/**
 * gdl_dmabuf_adopt() - track a dma-buf that exists, unless it is known
 * @dmabuf: the dma-buf, which lives meanwhile
 * @task: the task that is taken for its creator; NULL: none is, and it is agent 0's
 *
 * Context: As gdl_gem_claim().
 * Return: 0; -ENOMEM or -EFBIG: it could not be tracked.
 */
int gdl_dmabuf_adopt(const struct dma_buf *dmabuf, struct task_struct *task)
{
	int ret = 0;

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
