// SPDX-License-Identifier: GPL-2.0-only
/*
 * PRIME: how GEM objects and dma-bufs belong together. Which dma-bufs are those
 * of GEM objects, or of other memory that is known by its address, and which GEM
 * objects are being made for an imported dma-buf.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/dma-buf.h>
#include <linux/kallsyms.h>
#include <linux/rhashtable.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "gpu_dma_lock.h"

/* A task inside drm_gem_prime_fd_to_handle(), or one that closes a DRM file. */
struct gdl_import {
	struct rhash_head node;			/* rhashtable's */
	const struct task_struct *task;		/* C: the key */
	bool closing;				/* C: which */
	struct rcu_head rcu;
};

static const struct rhashtable_params import_params = {
	.key_len	= sizeof_field(struct gdl_import, task),
	.key_offset	= offsetof(struct gdl_import, task),
	.head_offset	= offsetof(struct gdl_import, node),
	.automatic_shrinking = true,
};

static struct rhashtable imports;

/* What a dma-buf's priv is. */
enum priv_kind {
	PRIV_UNKNOWN,
	PRIV_GEM,		/* a GEM object */
	PRIV_VB2,		/* memory of videobuf2, which each export makes a dma-buf of */
	PRIV_NVIDIA,		/* memory of nvidia.ko's */
};

/*
 * Whose a release function is, for the exporters seen lately. Drivers' dma_buf_ops
 * differ, their release is drm.ko's, or one of videobuf2's; it is known by its name,
 * since taking its address would tie this module to drm.ko.
 */
struct exporter_class {
	const void *release;
	enum priv_kind kind;
};

static struct exporter_class classes[8];
static unsigned int next_class;
static DEFINE_SPINLOCK(classes_lock);

static enum priv_kind kind_by_name(const void *release)
{
	static const char gem[] = "drm_gem_dmabuf_release";
	static const char nvidia[] = "nv_dma_buf_release [nvidia]";
	char symbol[KSYM_SYMBOL_LEN];

	sprint_symbol_no_offset(symbol, (unsigned long)release);
	if (!strncmp(symbol, gem, sizeof(gem) - 1))
		return PRIV_GEM;
	/* vb2_dc_, vb2_dma_sg_ and vb2_vmalloc_ */
	if (!strncmp(symbol, "vb2_", 4) && strstr(symbol, "_dmabuf_ops_release"))
		return PRIV_VB2;
	return strncmp(symbol, nvidia, sizeof(nvidia) - 1) ? PRIV_UNKNOWN : PRIV_NVIDIA;
}

static enum priv_kind classify(const void *release)
{
	struct exporter_class *class;
	enum priv_kind kind;
	unsigned long flags;
	int i;

	spin_lock_irqsave(&classes_lock, flags);
	for (i = 0; i < ARRAY_SIZE(classes); i++)
		if (classes[i].release == release)
			break;
	if (i < ARRAY_SIZE(classes)) {
		kind = classes[i].kind;
	} else {
		class = &classes[next_class++ % ARRAY_SIZE(classes)];
		class->release = release;
		class->kind = kind_by_name(release);
		kind = class->kind;
	}
	spin_unlock_irqrestore(&classes_lock, flags);
	return kind;
}

/**
 * gdl_prime_object() - the GEM object that a dma-buf is exported from
 * @ops: the dma-buf's
 * @priv: the dma-buf's
 *
 * Context: Any but hard interrupt.
 * Return: @priv if it is a GEM object, else NULL.
 */
const struct drm_gem_object *gdl_prime_object(const struct dma_buf_ops *ops,
					      const void *priv)
{
	return classify(ops->release) == PRIV_GEM ? priv : NULL;
}

/**
 * gdl_prime_memory() - the memory that a dma-buf is exported from, if others can be too
 * @ops: the dma-buf's
 * @priv: the dma-buf's, which is no GEM object
 *
 * Context: Any but hard interrupt.
 * Return: @priv if all dma-bufs of it are the same memory, else NULL.
 */
const void *gdl_prime_memory(const struct dma_buf_ops *ops, const void *priv)
{
	return classify(ops->release) == PRIV_VB2 ? priv : NULL;
}

/**
 * gdl_prime_nvidia() - is a dma-buf of memory that nvidia.ko has?
 * @ops: the dma-buf's
 *
 * Context: Any but hard interrupt.
 * Return: Whether it is: its process's report, if there is one, has it too.
 */
bool gdl_prime_nvidia(const struct dma_buf_ops *ops)
{
	return classify(ops->release) == PRIV_NVIDIA;
}

/**
 * gdl_prime_forget() - a module has left: its functions' addresses mean nothing
 *
 * Context: Any but hard interrupt.
 */
void gdl_prime_forget(void)
{
	unsigned long flags;

	spin_lock_irqsave(&classes_lock, flags);
	memset(classes, 0, sizeof(classes));
	spin_unlock_irqrestore(&classes_lock, flags);
}

/**
 * gdl_import_begin() - the current task begins to import a dma-buf as GEM object
 * @closing: it closes a DRM file instead
 *
 * Context: Process context. May sleep.
 * Return: What gdl_import_end() takes, or NULL if there was no memory: the GEM
 * object will be taken for a buffer of its own.
 */
struct gdl_import *gdl_import_begin(bool closing)
{
	struct gdl_import *import = kmalloc(sizeof(*import),
					    GFP_KERNEL | __GFP_NOWARN);

	if (!import)
		return NULL;
	import->task = current;
	import->closing = closing;
	if (rhashtable_lookup_insert_fast(&imports, &import->node,
					  import_params)) {
		kfree(import);
		return NULL;
	}
	return import;
}

/**
 * gdl_import_end() - the current task has imported the dma-buf, failed to, or closed
 * the file
 * @import: from gdl_import_begin()
 *
 * Context: As gdl_import_begin().
 */
void gdl_import_end(struct gdl_import *import)
{
	if (!rhashtable_remove_fast(&imports, &import->node, import_params))
		kfree_rcu(import, rcu);
}

static noinline bool import_found(bool closing)
{
	const struct task_struct *task = current;
	const struct gdl_import *import = rhashtable_lookup(&imports, &task, import_params);

	return import && import->closing == closing;
}

/**
 * gdl_import_running() - is the current task importing a dma-buf?
 *
 * Context: Any. Caller holds rcu_read_lock().
 * Return: Whether it is: a GEM object made now is that of the imported buffer.
 */
bool gdl_import_running(void)
{
	return atomic_read(&imports.nelems) && import_found(false);
}

/**
 * gdl_close_running() - is the current task closing a DRM file?
 *
 * Context: Any. Caller holds rcu_read_lock().
 * Return: Whether it is: what is made now is for the console, which comes back.
 */
bool gdl_close_running(void)
{
	return atomic_read(&imports.nelems) && import_found(true);
}

/**
 * gdl_prime_init() - make the table of imports
 *
 * Context: May sleep.
 * Return: 0 or -ENOMEM.
 */
int gdl_prime_init(void)
{
	return rhashtable_init(&imports, &import_params);
}

static void import_free(void *import, void *arg)
{
	kfree(import);
}

/**
 * gdl_prime_exit() - forget the imports still running; no event may come
 *
 * Context: May sleep.
 */
void gdl_prime_exit(void)
{
	rhashtable_free_and_destroy(&imports, import_free, NULL);
}
