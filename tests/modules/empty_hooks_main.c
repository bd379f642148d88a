// SPDX-License-Identifier: GPL-2.0-only
/*
 * empty_hooks: the hooks of gpu_dma_lock alone, by its own hook.c and trampolines, with
 * wrappers that do nothing but call the function: what it costs to be there.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/module.h>
#include <linux/string.h>

#include "../../gpu_dma_lock.h"

/* In empty_hooks_wrappers.S */
#define EMPTY(type, function, ...)	void gdl_empty_##function(void);
GDL_HOOKS(EMPTY)
#undef EMPTY

/* All by name, as one part of the kernel. */
static struct gdl_hook hooks[] = {
#define EMPTY(type, function_, ...)					\
	{								\
		.id = GDL_HOOK_##function_,				\
		.function = #function_,					\
		.wrapper = gdl_empty_##function_,			\
	},
GDL_HOOKS(EMPTY)
#undef EMPTY
};

/* They count nothing: whoever takes this module away sees to it that none runs. */
u64 gdl_stats_calls_in_flight(void)
{
	return 0;
}

static enum gdl_hook_owner owner_of(const char *function)
{
	if (strstarts(function, "drm_"))
		return GDL_HOOKS_OF_DRM;
	if (strstarts(function, "nv"))
		return GDL_HOOKS_OF_NVIDIA;
	return strstarts(function, "ttm_") ? GDL_HOOKS_OF_TTM : GDL_HOOKS_OF_DMABUF;
}

static void remove_all(void)
{
	unsigned int owner;

	for (owner = 0; owner < GDL_NR_HOOK_OWNERS; owner++)
		gdl_hook_remove(owner, NULL);
}

/* All by their names: drm.ko and ttm.ko are there, and nvidia.ko is not. */
static int __init empty_hooks_init(void)
{
	int ret = gdl_hook_init(GDL_HOOK_AUTO);
	unsigned int i, nr = 0, wanted = 0;

	if (ret)
		return ret;
	for (i = 0; i < ARRAY_SIZE(hooks); i++) {
		hooks[i].owner = owner_of(hooks[i].function);
		wanted += hooks[i].owner != GDL_HOOKS_OF_NVIDIA;
	}
	gdl_hook_add(hooks, ARRAY_SIZE(hooks));
	for (i = 0; i < GDL_HOOKS_OF_NVIDIA; i++)
		nr += gdl_hook_place(i, NULL);
	if (nr == wanted)
		return 0;
	remove_all();
	gdl_hook_exit();
	return -EOPNOTSUPP;
}
module_init(empty_hooks_init);

static void __exit empty_hooks_exit(void)
{
	remove_all();
	gdl_hook_drain();
	gdl_hook_exit();
}
module_exit(empty_hooks_exit);

MODULE_DESCRIPTION("The hooks of gpu_dma_lock, empty");
MODULE_LICENSE("GPL");
