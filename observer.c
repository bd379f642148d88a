// SPDX-License-Identifier: GPL-2.0-only
/*
 * The observer: places the hooks, those of drm.ko, ttm.ko and nvidia.ko when these are
 * loaded, and takes them away before they leave.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/kobject.h>
#include <linux/module.h>
#include <linux/string.h>

#include "events.h"

/* A part of the kernel that may be a module. */
struct part {
	const char *module;
	const char *absent;			/* why it is not hooked where it is none */
	bool built_in;
};

static const struct part parts[GDL_NR_HOOK_OWNERS] = {
	[GDL_HOOKS_OF_DRM] = {
		.module = "drm",
		.absent = IS_ENABLED(CONFIG_DRM) ? "drm.ko is not loaded" :
						   "this kernel has no DRM",
		.built_in = IS_BUILTIN(CONFIG_DRM),
	},
	[GDL_HOOKS_OF_TTM] = {
		.module = "ttm",
		.absent = IS_ENABLED(CONFIG_DRM_TTM) ? "ttm.ko is not loaded" :
						       "this kernel has no TTM",
		.built_in = IS_BUILTIN(CONFIG_DRM_TTM),
	},
	[GDL_HOOKS_OF_NVIDIA] = {
		.module = "nvidia",
		.absent = "nvidia.ko is not loaded",
	},
};

static bool observing;				/* set once, by gdl_observer_init() */

static void module_going(enum gdl_hook_owner owner)
{
	gdl_hook_remove(owner, parts[owner].absent);
	gdl_hook_forget(owner);
	if (owner == GDL_HOOKS_OF_NVIDIA)
		gdl_p2p_drop_all();
	if (owner != GDL_HOOKS_OF_DRM)
		return;
	gdl_buffer_drop_gem();
	gdl_hotplug_drm_gone(NULL);
}

static int module_event(struct notifier_block *nb, unsigned long action,
			void *data)
{
	const struct module *mod = data;
	unsigned int owner;

	if (action == MODULE_STATE_GOING) {
		gdl_prime_forget();
		gdl_exporters_forget();
	}
	for (owner = 0; owner < GDL_NR_HOOK_OWNERS; owner++) {
		if (!parts[owner].module || strcmp(mod->name, parts[owner].module))
			continue;
		/* Before any driver can use it. */
		if (action == MODULE_STATE_COMING)
			gdl_hook_place(owner, mod);
		/* It was being initialised already when the notifier was registered. */
		if (action == MODULE_STATE_LIVE &&
		    gdl_hook_reason(owner) == parts[owner].absent)
			gdl_hook_place(owner, mod);
		if (action == MODULE_STATE_GOING)
			module_going(owner);
		return NOTIFY_OK;
	}
	return NOTIFY_DONE;
}

/* First: ftrace's own notifier forgets the sites of a module that leaves. */
static struct notifier_block module_notifier = {
	.notifier_call = module_event,
	.priority = INT_MAX,
};

/* Place the hooks on a module that was loaded before the notifier could be told. */
static void place_loaded(enum gdl_hook_owner owner)
{
	struct kobject *kobj;
	struct module *mod;

	kobj = kset_find_obj(THIS_MODULE->mkobj.kobj.kset, parts[owner].module);
	if (!kobj)
		return;
	mod = container_of(kobj, struct module_kobject, kobj)->mod;
	if (mod && try_module_get(mod)) {
		if (mod->state == MODULE_STATE_LIVE)
			gdl_hook_place(owner, mod);
		module_put(mod);
	}
	kobject_put(kobj);
}

static void place_part(enum gdl_hook_owner owner)
{
	if (parts[owner].built_in)
		gdl_hook_place(owner, NULL);
	else
		place_loaded(owner);
}

static int observe(enum gdl_hook_mode mode)
{
	int ret = gdl_hook_init(mode);

	if (ret) {
		pr_err("ftrace is switched off (sysctl kernel.ftrace_enabled): %d\n", ret);
		return ret;
	}
	/* First: there is the end of what begins in DRM. */
	if (!gdl_hook_place(GDL_HOOKS_OF_DMABUF, NULL)) {
		pr_err("nothing can be hooked: %s\n",
		       gdl_hook_reason(GDL_HOOKS_OF_DMABUF));
		ret = -EOPNOTSUPP;
		goto out;
	}
	gdl_hook_set_reason(GDL_HOOKS_OF_DRM, parts[GDL_HOOKS_OF_DRM].absent);
	gdl_hook_set_reason(GDL_HOOKS_OF_TTM, parts[GDL_HOOKS_OF_TTM].absent);
	gdl_hook_set_reason(GDL_HOOKS_OF_NVIDIA, parts[GDL_HOOKS_OF_NVIDIA].absent);
	if (!IS_ENABLED(CONFIG_DRM))
		pr_warn("%s: dma-bufs are all that is seen\n",
			parts[GDL_HOOKS_OF_DRM].absent);
	ret = register_module_notifier(&module_notifier);
	if (ret)
		goto out_remove;
	/* What begins in DRM is settled in TTM. */
	place_part(GDL_HOOKS_OF_TTM);
	place_part(GDL_HOOKS_OF_DRM);
	place_part(GDL_HOOKS_OF_NVIDIA);
	gdl_adopt_devices();
	gdl_adopt_open_files();
	return 0;

out_remove:
	gdl_hook_remove(GDL_HOOKS_OF_DMABUF, NULL);
	gdl_hook_drain();
out:
	gdl_hook_exit();
	return ret;
}

/**
 * gdl_observer_init() - begin to observe the kernel
 * @on: place the hooks; else only say that they are not
 * @mode: how calls may be diverted
 *
 * A hook that cannot be placed is no error as long as there are others;
 * gdl_hook_status() tells why.
 *
 * Context: May sleep.
 * Return: 0; -EOPNOTSUPP if nothing can be hooked; what gdl_hook_init() or
 * registering the module notifier returned.
 */
int gdl_observer_init(bool on, enum gdl_hook_mode mode)
{
	int ret = 0;

	gdl_hook_add(gdl_dmabuf_hooks, gdl_nr_dmabuf_hooks);
	gdl_hook_add(gdl_drm_hooks, gdl_nr_drm_hooks);
	gdl_hook_add(gdl_ttm_hooks, gdl_nr_ttm_hooks);
	gdl_hook_add(gdl_nvidia_hooks, gdl_nr_nvidia_hooks);
	gdl_hook_set_reason(GDL_HOOKS_OF_DMABUF, "observe=0");
	gdl_hook_set_reason(GDL_HOOKS_OF_DRM, "observe=0");
	gdl_hook_set_reason(GDL_HOOKS_OF_TTM, "observe=0");
	gdl_hook_set_reason(GDL_HOOKS_OF_NVIDIA, "observe=0");
	if (on)
		ret = observe(mode);
	observing = on && !ret;
	return ret;
}

/**
 * gdl_observer_exit() - take the hooks away and wait until no task is in one
 *
 * Context: May sleep.
 */
void gdl_observer_exit(void)
{
	if (!observing)
		return;
	unregister_module_notifier(&module_notifier);
	gdl_hook_remove(GDL_HOOKS_OF_NVIDIA, NULL);
	gdl_hook_remove(GDL_HOOKS_OF_DRM, NULL);
	gdl_hook_remove(GDL_HOOKS_OF_TTM, NULL);
	gdl_hook_remove(GDL_HOOKS_OF_DMABUF, NULL);
	gdl_hook_drain();
	gdl_hook_exit();
}
