// SPDX-License-Identifier: GPL-2.0-only
/*
 * PRIME: how GEM objects and dma-bufs belong together. Which dma-bufs are those
 * of GEM objects, and which GEM objects are being made for an imported dma-buf.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/dma-buf.h>
#include <linux/kallsyms.h>
#include <linux/rhashtable.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "gpu_dma_lock.h"

/* A task inside drm_gem_prime_fd_to_handle(). */
struct gdl_import {
	struct rhash_head node;			/* rhashtable's */
	const struct task_struct *task;		/* C: the key */
	struct rcu_head rcu;
};

static const struct rhashtable_params import_params = {
	.key_len	= sizeof_field(struct gdl_import, task),
	.key_offset	= offsetof(struct gdl_import, task),
	.head_offset	= offsetof(struct gdl_import, node),
	.automatic_shrinking = true,
};

static struct rhashtable imports;
static atomic_t nr_imports = ATOMIC_INIT(0);

/*
 * Whether a release function is that of GEM's dma-bufs, for the exporters seen
 * lately. Drivers' dma_buf_ops differ, their release is drm.ko's; it is known by
 * its name, since taking its address would tie this module to drm.ko.
 */
struct exporter_class {
	const void *release;
	bool gem;
};

static struct exporter_class classes[8];
static unsigned int next_class;
static DEFINE_SPINLOCK(classes_lock);

static bool is_gem_release(const void *release)
{
	static const char name[] = "drm_gem_dmabuf_release";
	char symbol[KSYM_SYMBOL_LEN];

	sprint_symbol_no_offset(symbol, (unsigned long)release);
	return !strncmp(symbol, name, sizeof(name) - 1);
}

static bool classify(const void *release)
{
	struct exporter_class *class;
	unsigned long flags;
	bool gem = false;
	int i;

	spin_lock_irqsave(&classes_lock, flags);
	for (i = 0; i < ARRAY_SIZE(classes); i++)
		if (classes[i].release == release)
			break;
	if (i < ARRAY_SIZE(classes)) {
		gem = classes[i].gem;
	} else {
		class = &classes[next_class++ % ARRAY_SIZE(classes)];
		class->release = release;
		class->gem = is_gem_release(release);
		gem = class->gem;
	}
	spin_unlock_irqrestore(&classes_lock, flags);
	return gem;
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
	return classify(ops->release) ? priv : NULL;
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
 *
 * Context: Probe handler, process context. Does not sleep.
 * Return: What gdl_import_end() takes, or NULL if there was no memory: the GEM
 * object will be taken for a buffer of its own.
 */
struct gdl_import *gdl_import_begin(void)
{
	struct gdl_import *import = kmalloc(sizeof(*import),
					    GFP_ATOMIC | __GFP_NOWARN);

	if (!import)
		return NULL;
	import->task = current;
	if (rhashtable_lookup_insert_fast(&imports, &import->node,
					  import_params)) {
		kfree(import);
		return NULL;
	}
	atomic_inc(&nr_imports);
	return import;
}

/**
 * gdl_import_end() - the current task has imported the dma-buf, or failed to
 * @import: from gdl_import_begin()
 *
 * Context: As gdl_import_begin().
 */
void gdl_import_end(struct gdl_import *import)
{
	if (rhashtable_remove_fast(&imports, &import->node, import_params))
		return;
	atomic_dec(&nr_imports);
	kfree_rcu(import, rcu);
}

static noinline bool import_found(void)
{
	const struct task_struct *task = current;

	return rhashtable_lookup(&imports, &task, import_params);
}

/**
 * gdl_import_running() - is the current task importing a dma-buf?
 *
 * Context: Any. Caller holds rcu_read_lock().
 * Return: Whether it is: a GEM object made now is that of the imported buffer.
 */
bool gdl_import_running(void)
{
	return atomic_read(&nr_imports) && import_found();
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
