// SPDX-License-Identifier: GPL-2.0-only
/*
 * Hooks: a call of a hooked function runs a wrapper of ours with the function's own
 * signature, in the caller's own context. The wrapper looks at the arguments, may
 * refuse, which is not to call the function, calls it, and looks at the result.
 *
 * The call is diverted at the function's ftrace site, its first instruction, in one
 * of two ways (Documentation/trace/ftrace-uses.rst):
 *
 * direct: the site calls the trampoline of arch/, which goes to the wrapper. Few
 *	instructions; one user of direct calls can have a site (BPF's fentry is
 *	another).
 * divert: an ftrace_ops with IPMODIFY sets the instruction pointer to the wrapper,
 *	as live patching does. Works beside BPF, and where the kernel has no direct
 *	calls.
 *
 * Either way the wrapper calls gdl_original_FUNCTION(), which goes on behind the
 * site: other users of the site see each call once.
 *
 * One ftrace_ops and one trampoline do for all functions, since each ftrace_ops takes
 * a grace period to go. So the wrapper must be found by the site. A site's address
 * is learned when it is hit first, by the name of the function: what ftrace is told
 * is the function's address or name, and only ftrace knows where the site is in it.
 *
 * A task can sleep in the function under a wrapper: wrappers count the calls they
 * begin and end, and gdl_hook_drain() waits for all to end.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/bitops.h>
#include <linux/delay.h>
#include <linux/ftrace.h>
#include <linux/kallsyms.h>
#include <linux/kobject.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/spinlock.h>
#include <linux/string.h>

#include "gpu_dma_lock.h"

#ifndef CONFIG_DYNAMIC_FTRACE
#error "gpu_dma_lock needs a kernel with CONFIG_FUNCTION_TRACER and CONFIG_DYNAMIC_FTRACE"
#endif

/* How often it is looked whether the last call has ended. */
#define DRAIN_MS	5
/* When it has waited so long, it says what for. */
#define DRAIN_TELL_MS	2000

const char * const gdl_hook_mode_names[GDL_NR_HOOK_MODES] = {
	[GDL_HOOK_AUTO]		= "auto",
	[GDL_HOOK_DIRECT]	= "direct",
	[GDL_HOOK_DIVERT]	= "divert",
};

/* The modules that functions can be in. */
static const char * const module_names[GDL_NR_HOOK_OWNERS] = {
	[GDL_HOOKS_OF_DRM]	= " [drm]",
	[GDL_HOOKS_OF_TTM]	= " [ttm]",
	[GDL_HOOKS_OF_NVIDIA]	= " [nvidia]",
};

/* Some hooks placed together. */
struct placement {
	struct ftrace_ops ops;			/* under hook_mutex, as all that follows */
	enum gdl_hook_owner owner;
	bool direct;
	bool placed;
};

struct hook_state {
	const struct gdl_hook *hook;		/* C */
	const char *state;			/* under hook_mutex: or NULL, not placed */
	const char *reason;			/* under hook_mutex */
};

static DEFINE_MUTEX(hook_mutex);
static struct placement placements[GDL_NR_HOOKS];
static struct hook_state states[GDL_NR_HOOKS];
static enum gdl_hook_mode mode;			/* set once */
static bool stuck;				/* under hook_mutex; see unregister_ops() */

/*
 * The ids of the hooks by site, for arch/: where a site is sought, beginning at the
 * slot that its address gives, up to the first empty slot. 0 is empty.
 */
u8 gdl_hook_slots[GDL_HOOK_SLOTS] __cacheline_aligned;
/* Where each function goes on behind its site; 0 before that is known. */
unsigned long gdl_hook_sites[GDL_NR_HOOKS] __cacheline_aligned;
const void *gdl_hook_wrappers[GDL_NR_HOOKS];

/* Slots are filled and cleared under it; in any context. */
static DEFINE_RAW_SPINLOCK(slots_lock);

static notrace unsigned int slot_of(unsigned long site)
{
	return (site >> GDL_HOOK_SLOT_SHIFT) & (GDL_HOOK_SLOTS - 1);
}

/* As the trampoline does it. */
static notrace unsigned int find_site(unsigned long site)
{
	unsigned int slot = slot_of(site);
	unsigned int id;

	for (;;) {
		id = READ_ONCE(gdl_hook_slots[slot]);
		if (!id || READ_ONCE(gdl_hook_sites[id]) == site)
			return id;
		slot = (slot + 1) & (GDL_HOOK_SLOTS - 1);
	}
}

/* False if it is another function of the same name. */
static notrace bool remember_site(unsigned int id, unsigned long site)
{
	unsigned int slot = slot_of(site);
	unsigned long flags;
	bool same;

	raw_spin_lock_irqsave(&slots_lock, flags);
	same = !gdl_hook_sites[id] || gdl_hook_sites[id] == site;
	if (same && !find_site(site)) {
		WRITE_ONCE(gdl_hook_sites[id], site);
		while (gdl_hook_slots[slot])
			slot = (slot + 1) & (GDL_HOOK_SLOTS - 1);
		/* Pairs with the address dependency in find_site() and arch/ */
		smp_store_release(&gdl_hook_slots[slot], id);
	}
	raw_spin_unlock_irqrestore(&slots_lock, flags);
	return same;
}

/* Whether @symbol, as kallsyms prints it, is @hook's function. */
static notrace bool is_symbol_of(const struct gdl_hook *hook, const char *symbol)
{
	size_t len = strlen(hook->function);

	if (strncmp(symbol, hook->function, len))
		return false;
	/* Of a function in a module: FUNCTION [MODULE] */
	return !symbol[len] || (module_names[hook->owner] &&
				!strcmp(symbol + len, module_names[hook->owner]));
}

/**
 * gdl_hook_learn() - a site was hit that is not known yet
 * @site: the address behind it
 *
 * Context: Any. Called by the trampoline.
 * Return: Where the call goes: the wrapper's address, or @site if the function is
 * none of ours, which has the name of one that was placed by name.
 */
notrace unsigned long gdl_hook_learn(unsigned long site)
{
	char symbol[KSYM_SYMBOL_LEN];
	unsigned int id;

	sprint_symbol_no_offset(symbol, site);
	for (id = 1; id < GDL_NR_HOOKS; id++) {
		if (!is_symbol_of(states[id].hook, symbol))
			continue;
		if (!remember_site(id, site))
			return site;
		return (unsigned long)gdl_hook_wrappers[id];
	}
	return site;
}

static void notrace gdl_hook_divert(unsigned long ip, unsigned long parent_ip,
				    struct ftrace_ops *ops,
				    struct ftrace_regs *fregs)
{
	unsigned long site = ip + MCOUNT_INSN_SIZE;
	unsigned int id = find_site(site);
	unsigned long to;

	to = id ? (unsigned long)gdl_hook_wrappers[id] : gdl_hook_learn(site);
	if (to != site)
		gdl_ftrace_set_ip(fregs, to);
}

/*
 * ftrace_enabled=0 would silence hooks that are direct calls on kernels that do not
 * let those be permanent. So one ftrace_ops that is permanent, on a function that
 * nobody calls, is there as long as hooks are: with it ftrace refuses to be switched
 * off; and if ftrace is off already, it cannot be registered.
 */
static struct ftrace_ops guard_ops;

static noinline void gdl_hook_guard(void)
{
	barrier();
}

static void notrace guard_hit(unsigned long ip, unsigned long parent_ip,
			      struct ftrace_ops *ops, struct ftrace_regs *fregs)
{
}

static int guard_place(void)
{
	int ret;

	guard_ops.func = guard_hit;
	guard_ops.flags = FTRACE_OPS_FL_PERMANENT;
	ret = ftrace_set_filter_ip(&guard_ops, (unsigned long)gdl_hook_guard, 0, 0);
	if (!ret)
		ret = register_ftrace_function(&guard_ops);
	if (ret)
		gdl_ftrace_free_filter(&guard_ops);
	return ret;
}

/* The address of a function in @mod, which stays; 0 if there is none. */
static unsigned long find_in_module(const struct module *mod, const char *function)
{
	const struct mod_kallsyms *symbols;
	unsigned long address = 0;
	unsigned int i;

	rcu_read_lock();
	symbols = rcu_dereference(mod->kallsyms);
	for (i = 0; i < symbols->num_symtab && !address; i++)
		if (symbols->symtab[i].st_shndx != SHN_UNDEF &&
		    !strcmp(symbols->strtab + symbols->symtab[i].st_name, function))
			address = symbols->symtab[i].st_value;
	rcu_read_unlock();
	return address;
}

/* Where the address is not known, ftrace looks through all functions for the name. */
static int set_filter(struct ftrace_ops *ops, const struct gdl_hook *hook,
		      const struct module *mod)
{
	unsigned long address = hook->address;

	if (mod)
		address = find_in_module(mod, hook->function);
	if (address)
		return ftrace_set_filter_ip(ops, address, 0, 0);
	if (mod)
		return -ENOENT;
	return ftrace_set_filter(ops, (char *)hook->function,
				 strlen(hook->function), 0);
}

static int register_ops(struct placement *p)
{
	if (p->direct)
		return gdl_register_ftrace_direct(&p->ops,
						  (unsigned long)gdl_hook_trampoline);
	p->ops.func = gdl_hook_divert;
	p->ops.flags = GDL_FTRACE_OPS_DIVERT | FTRACE_OPS_FL_PERMANENT;
	return register_ftrace_function(&p->ops);
}

static int placement_begin(struct placement *p, const u8 *ids, unsigned int nr,
			   const struct module *mod)
{
	unsigned int i;
	int ret = 0;

	memset(&p->ops, 0, sizeof(p->ops));
	for (i = 0; i < nr && !ret; i++)
		ret = set_filter(&p->ops, states[ids[i]].hook, mod);
	if (!ret)
		ret = register_ops(p);
	if (ret)
		gdl_ftrace_free_filter(&p->ops);
	p->placed = !ret;
	return ret;
}

static struct placement *placement_find(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(placements) - 1; i++)
		if (!placements[i].placed)
			break;
	return &placements[i];
}

static const char *why_not(int ret, bool direct)
{
	switch (ret) {
	case -EBUSY:
		return direct ? "another user has direct calls of it (BPF fentry)" :
				"another user changes its calls (live patch)";
	case -ENOENT:
	case -EINVAL:
		return "no such function to be traced";
	case -EOPNOTSUPP:
		return "no direct calls in this kernel";
	case -ENOMEM:
		return "no memory";
	default:
		return "ftrace refused";
	}
}

/*
 * All of @ids at once; where one cannot be had, by halves, so that the others are
 * placed together still.
 */
static unsigned int place_some(const u8 *ids, unsigned int nr, bool direct,
			       enum gdl_hook_owner owner, const struct module *mod)
{
	struct placement *p = placement_find();
	unsigned int i, half = nr / 2;
	int ret;

	lockdep_assert_held(&hook_mutex);
	p->owner = owner;
	p->direct = direct;
	ret = placement_begin(p, ids, nr, mod);
	if (!ret) {
		for (i = 0; i < nr; i++)
			states[ids[i]].state = direct ? "direct" : "divert";
		return nr;
	}
	if (nr > 1)
		return place_some(ids, half, direct, owner, mod) +
		       place_some(ids + half, nr - half, direct, owner, mod);
	states[ids[0]].reason = why_not(ret, direct);
	if (direct && mode == GDL_HOOK_AUTO && ret != -ENOENT && ret != -EINVAL)
		return place_some(ids, 1, false, owner, mod);
	pr_warn("%s is not hooked: %s\n", states[ids[0]].hook->function,
		states[ids[0]].reason);
	return 0;
}

static unsigned int place_locked(enum gdl_hook_owner owner, const struct module *mod)
{
	bool direct = mode != GDL_HOOK_DIVERT;
	unsigned int id, nr = 0;
	u8 ids[GDL_NR_HOOKS];

	for (id = 1; id < GDL_NR_HOOKS; id++) {
		if (states[id].hook->owner != owner || states[id].state)
			continue;
		ids[nr++] = id;
		states[id].reason = NULL;
		if (direct && mode == GDL_HOOK_AUTO && !GDL_HAVE_FTRACE_DIRECT)
			states[id].reason = why_not(-EOPNOTSUPP, true);
	}
	if (mode == GDL_HOOK_AUTO && !GDL_HAVE_FTRACE_DIRECT)
		direct = false;
	return nr ? place_some(ids, nr, direct, owner, mod) : 0;
}

/**
 * gdl_hook_place() - divert the calls of one part of the kernel
 * @owner: which
 * @mod: the module it is, or NULL if it is built in
 *
 * A hook that cannot be placed is no error; gdl_hook_status() tells why.
 *
 * Context: May sleep. Takes and releases hook_mutex.
 * Return: How many hooks were placed.
 */
int gdl_hook_place(enum gdl_hook_owner owner, const struct module *mod)
{
	int nr;

	mutex_lock(&hook_mutex);
	nr = place_locked(owner, mod);
	mutex_unlock(&hook_mutex);
	return nr;
}

/*
 * It cannot fail but where ftrace has met a fault of its own or of another's, and does
 * nothing any more (-ENODEV): then the functions go on to call the wrappers.
 */
static void unregister_ops(struct placement *p)
{
	int ret;

	if (p->direct)
		ret = gdl_unregister_ftrace_direct(&p->ops,
						   (unsigned long)gdl_hook_trampoline);
	else
		ret = unregister_ftrace_function(&p->ops);
	if (ret) {
		pr_err("ftrace does not take hooks away any more: %d\n", ret);
		stuck = true;
		return;
	}
	gdl_ftrace_free_filter(&p->ops);
	p->placed = false;
}

/**
 * gdl_hook_remove() - divert no more calls of one part of the kernel
 * @owner: which
 * @reason: why, for gdl_hook_status()
 *
 * Calls that are in a wrapper go on; see gdl_hook_drain().
 *
 * Context: May sleep. Takes and releases hook_mutex.
 */
void gdl_hook_remove(enum gdl_hook_owner owner, const char *reason)
{
	unsigned int i;

	mutex_lock(&hook_mutex);
	for (i = 0; i < ARRAY_SIZE(placements); i++)
		if (placements[i].placed && placements[i].owner == owner)
			unregister_ops(&placements[i]);
	for (i = 1; i < GDL_NR_HOOKS; i++)
		if (states[i].hook->owner == owner) {
			states[i].state = NULL;
			states[i].reason = reason;
		}
	mutex_unlock(&hook_mutex);
}

/**
 * gdl_hook_forget() - the functions of one part of the kernel are going
 * @owner: which; its hooks are removed, and none of its functions runs
 *
 * The sites of the others are learned anew.
 *
 * Context: Any.
 */
void gdl_hook_forget(enum gdl_hook_owner owner)
{
	unsigned long flags;
	unsigned int i;

	raw_spin_lock_irqsave(&slots_lock, flags);
	for (i = 0; i < GDL_HOOK_SLOTS; i++)
		WRITE_ONCE(gdl_hook_slots[i], 0);
	for (i = 1; i < GDL_NR_HOOKS; i++)
		if (states[i].hook->owner == owner)
			WRITE_ONCE(gdl_hook_sites[i], 0);
	raw_spin_unlock_irqrestore(&slots_lock, flags);
}

/**
 * gdl_hook_drain() - wait until no task is in a wrapper
 *
 * A task that was on the way to a wrapper when the hooks went has counted itself after a
 * grace period of RCU tasks; one that has just counted itself out has left after another.
 *
 * Hooks that ftrace has not taken away call the wrappers for ever, so for ever they are
 * needed: then it does not return.
 *
 * Context: May sleep, as long as the slowest call that was hooked. All hooks are
 * removed.
 */
void gdl_hook_drain(void)
{
	unsigned int ms;
	u64 calls;

	if (stuck)
		pr_err("hooked functions still call this module, which cannot go: restart the machine\n");
	while (stuck)
		schedule_timeout_idle(MAX_SCHEDULE_TIMEOUT);
	synchronize_rcu_tasks();
	for (ms = 0; (calls = gdl_stats_calls_in_flight()); ms += DRAIN_MS) {
		/* Once: an operator who removes the module wonders, whatever a tenant does. */
		if (ms == DRAIN_TELL_MS)
			pr_notice("waiting for %llu calls of hooked functions to end\n",
				  calls);
		msleep(DRAIN_MS);
	}
	synchronize_rcu_tasks();
}

/**
 * gdl_hook_add() - tell of hooks that may be placed from here on
 * @hooks: a table of them, which stays
 * @nr: how many
 *
 * Context: Before anything is placed.
 */
void gdl_hook_add(const struct gdl_hook *hooks, unsigned int nr)
{
	for (; nr; nr--, hooks++) {
		states[hooks->id].hook = hooks;
		gdl_hook_wrappers[hooks->id] = hooks->wrapper;
	}
}

/**
 * gdl_hook_set_reason() - say why hooks are not placed
 * @owner: of which part of the kernel; none of its hooks is placed
 * @reason: why, for gdl_hook_status()
 *
 * Context: May sleep. Takes and releases hook_mutex.
 */
void gdl_hook_set_reason(enum gdl_hook_owner owner, const char *reason)
{
	unsigned int id;

	mutex_lock(&hook_mutex);
	for (id = 1; id < GDL_NR_HOOKS; id++)
		if (states[id].hook->owner == owner)
			states[id].reason = reason;
	mutex_unlock(&hook_mutex);
}

/**
 * gdl_hook_reason() - why no hook of one part of the kernel is placed
 * @owner: which
 *
 * Context: May sleep. Takes and releases hook_mutex.
 * Return: Why the first of them is not.
 */
const char *gdl_hook_reason(enum gdl_hook_owner owner)
{
	const char *reason = NULL;
	unsigned int id;

	mutex_lock(&hook_mutex);
	for (id = 1; id < GDL_NR_HOOKS && !reason; id++)
		if (states[id].hook->owner == owner)
			reason = states[id].reason;
	mutex_unlock(&hook_mutex);
	return reason;
}

/**
 * gdl_hook_status() - how a hook does
 * @id: which hook
 * @status: receives it
 *
 * Context: May sleep. Takes and releases hook_mutex.
 */
void gdl_hook_status(enum gdl_hook_id id, struct gdl_hook_status *status)
{
	mutex_lock(&hook_mutex);
	status->function = states[id].hook->function;
	status->state = states[id].state ?: "none";
	status->reason = states[id].reason;
	mutex_unlock(&hook_mutex);
}

/**
 * gdl_hook_init() - get ready to place hooks
 * @first_mode: how calls may be diverted
 *
 * Context: May sleep.
 * Return: 0; -EBUSY if ftrace is switched off, or what ftrace returned.
 */
int gdl_hook_init(enum gdl_hook_mode first_mode)
{
	mode = first_mode;
	return guard_place();
}

/**
 * gdl_hook_exit() - let go of ftrace
 *
 * Context: May sleep. All hooks are removed and drained.
 */
void gdl_hook_exit(void)
{
	unregister_ftrace_function(&guard_ops);
	gdl_ftrace_free_filter(&guard_ops);
}
