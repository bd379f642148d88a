// SPDX-License-Identifier: GPL-2.0-only
/*
 * Probes: placed on the functions that event.c names, see
 * Documentation/trace/kprobes.rst.
 *
 * Only ftrace-based probes are placed: an int3 probe would run its handler in
 * NMI context. Those on drm.ko are placed when it is loaded and taken away before
 * it leaves.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/kprobes.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/string.h>

#include "gpu_dma_lock.h"

/*
 * The functions may sleep, so many calls can be in flight; one that finds no
 * kretprobe instance is missed.
 */
#define CALLS_IN_FLIGHT		512

struct probe {
	struct kprobe kp;			/* under probe_mutex, as all that follows */
	struct kretprobe rp;
	bool armed;
	const char *reason;			/* why not, or NULL */
	u64 missed;				/* by earlier placements */
	u64 missed_base;			/* missed at the last reset */
};

static DEFINE_MUTEX(probe_mutex);

/* Held while the policy changes, which can take long; probe_mutex is within it. */
static DEFINE_MUTEX(policy_mutex);
static struct probe probes[GDL_NR_PROBES];
static bool observing;				/* set once, by gdl_probe_init() */
static bool refusing;				/* under policy_mutex */
static bool silenced;				/* under probe_mutex: the canary was, once */

static u64 missed_now(const struct probe *p)
{
	return p->missed + p->kp.nmissed + p->rp.nmissed + p->rp.kp.nmissed;
}

static int place(struct probe *p, const struct gdl_event *event)
{
	if (!event->end) {
		p->kp = (struct kprobe) {
			.symbol_name = event->symbol,
			.pre_handler = event->enter,
		};
		return register_kprobe(&p->kp);
	}
	p->rp = (struct kretprobe) {
		.kp.symbol_name = event->symbol,
		.entry_handler = event->begin,
		.handler = event->end,
		.data_size = event->data_size,
		.maxactive = CALLS_IN_FLIGHT,
	};
	return register_kretprobe(&p->rp);
}

static const char *arm_locked(struct probe *p, const struct gdl_event *event)
{
	int ret;

	lockdep_assert_held(&probe_mutex);
	ret = place(p, event);
	if (ret == -ENOENT)
		return event->in_drm ? "drm.ko is not loaded" :
				       "no such function";
	if (ret == -EINVAL)
		return "not allowed to be probed";
	if (ret)
		return "registering failed";
	if (!kprobe_ftrace(event->end ? &p->rp.kp : &p->kp)) {
		if (event->end)
			unregister_kretprobe(&p->rp);
		else
			unregister_kprobe(&p->kp);
		return "not an ftrace site";
	}
	p->armed = true;
	return NULL;
}

static void arm_some(bool in_drm, bool ends)
{
	int i;

	mutex_lock(&probe_mutex);
	for (i = 0; i < GDL_NR_PROBES; i++)
		if (gdl_events[i].in_drm == in_drm &&
		    gdl_events[i].ends == ends && !probes[i].armed)
			probes[i].reason = arm_locked(&probes[i], &gdl_events[i]);
	mutex_unlock(&probe_mutex);
}

/*
 * Placing takes some ms each. What is seen to begin must be seen to end, so those
 * events come first.
 */
static void arm(void)
{
	arm_some(false, true);
	arm_some(true, true);
	arm_some(false, false);
	arm_some(true, false);
}

static void forget(struct probe *p, const char *reason)
{
	p->missed = missed_now(p);
	p->kp = (struct kprobe) { };
	p->rp = (struct kretprobe) { };
	p->armed = false;
	p->reason = reason;
}

/* All at once: each call waits for running handlers. */
static void disarm(bool in_drm, const char *reason)
{
	struct kretprobe *rps[GDL_NR_PROBES];
	struct kprobe *kps[GDL_NR_PROBES];
	int i, nr_rps = 0, nr_kps = 0;

	mutex_lock(&probe_mutex);
	for (i = 0; i < GDL_NR_PROBES; i++) {
		if (gdl_events[i].in_drm != in_drm || !probes[i].armed)
			continue;
		if (gdl_events[i].end)
			rps[nr_rps++] = &probes[i].rp;
		else
			kps[nr_kps++] = &probes[i].kp;
	}
	unregister_kretprobes(rps, nr_rps);
	unregister_kprobes(kps, nr_kps);
	for (i = 0; i < GDL_NR_PROBES; i++)
		if (gdl_events[i].in_drm == in_drm && probes[i].armed)
			forget(&probes[i], reason);
	mutex_unlock(&probe_mutex);
}

static int module_event(struct notifier_block *nb, unsigned long action,
			void *data)
{
	const struct module *mod = data;

	if (action == MODULE_STATE_GOING)
		gdl_prime_forget();
	if (strcmp(mod->name, "drm"))
		return NOTIFY_DONE;
	if (action == MODULE_STATE_LIVE)
		arm();
	if (action == MODULE_STATE_GOING) {
		disarm(true, "drm.ko is not loaded");
		gdl_buffer_drop_gem();
		gdl_device_drm_gone(NULL);
	}
	return NOTIFY_OK;
}

/* First: kprobes' own notifier kills the probes on a module that leaves. */
static struct notifier_block module_notifier = {
	.notifier_call = module_event,
	.priority = INT_MAX,
};

static int find_sites(void)
{
	const struct probe *p;
	int i, ret = 0;

	mutex_lock(&probe_mutex);
	for (i = 0; i < GDL_NR_REFUSALS; i++) {
		p = &probes[gdl_refusals[i].probe];
		if (!p->armed)
			ret = -EOPNOTSUPP;
		gdl_refusals[i].address = (unsigned long)
			(p->rp.kp.addr ?: p->kp.addr);
	}
	mutex_unlock(&probe_mutex);
	return ret;
}

static int start_refusing(void)
{
	int ret;

	lockdep_assert_held(&policy_mutex);
	if (refusing)
		return 0;
	ret = find_sites();
	if (!ret)
		ret = gdl_refusal_arm(gdl_refusals);
	refusing = !ret;
	return ret;
}

static void stop_refusing(void)
{
	lockdep_assert_held(&policy_mutex);
	if (!refusing)
		return;
	gdl_refusal_disarm();
	gdl_event_drop_decisions();
	refusing = false;
}

/**
 * gdl_probe_set_policy() - change the policy, and place what it needs
 * @policy: the new policy
 *
 * Refusals are in place only while the policy is to enforce.
 *
 * Context: May sleep; leaving GDL_POLICY_ENFORCE waits for a grace period of
 * RCU tasks. Takes and releases policy_mutex and probe_mutex.
 * Return: 0; -EBUSY if ftrace is switched off, or another user of it (livepatch)
 * changes the calls of a function to be refused, -EOPNOTSUPP if one is not probed, or what ftrace
 * returned: then the policy is as before.
 */
int gdl_probe_set_policy(enum gdl_policy policy)
{
	int ret = 0;

	mutex_lock(&policy_mutex);
	if (observing && policy == GDL_POLICY_ENFORCE)
		ret = start_refusing();
	if (!ret)
		gdl_policy_set(policy);
	if (gdl_policy_get() != GDL_POLICY_ENFORCE)
		stop_refusing();
	mutex_unlock(&policy_mutex);
	return ret;
}

/**
 * gdl_probe_init() - place the probes
 * @observe: place them; else only the policy is set
 * @policy: the policy to begin with
 *
 * A probe that cannot be placed is no error; gdl_probe_status() tells why.
 *
 * Context: May sleep.
 * Return: 0, what registering the module notifier returned, or what
 * gdl_probe_set_policy() returned.
 */
int gdl_probe_init(bool observe, enum gdl_policy policy)
{
	int ret;

	observing = observe;
	if (observing) {
		ret = register_module_notifier(&module_notifier);
		if (ret)
			return ret;
		arm();
		gdl_adopt_open_files();
	}
	ret = gdl_probe_set_policy(policy);
	if (ret)
		gdl_probe_exit();
	return ret;
}

/**
 * gdl_probe_exit() - take the probes away and wait for running handlers
 *
 * Context: May sleep.
 */
void gdl_probe_exit(void)
{
	if (!observing)
		return;
	gdl_probe_set_policy(GDL_POLICY_OFF);
	unregister_module_notifier(&module_notifier);
	disarm(true, NULL);
	disarm(false, NULL);
	gdl_refusal_exit();
}

/**
 * gdl_probe_status() - how a probe does
 * @id: which probe
 * @status: receives it
 *
 * Context: May sleep. Takes and releases probe_mutex.
 */
void gdl_probe_status(enum gdl_probe_id id, struct gdl_probe_status *status)
{
	const struct probe *p = &probes[id];

	mutex_lock(&probe_mutex);
	status->symbol = gdl_events[id].symbol;
	status->armed = p->armed;
	status->reason = observing ? p->reason : "observe=0";
	status->missed = missed_now(p) - p->missed_base;
	mutex_unlock(&probe_mutex);
}

/**
 * gdl_probe_canary() - do probes fire at all?
 *
 * Context: May sleep. Takes and releases probe_mutex.
 * Return: Whether they do. If not, events are being lost.
 */
bool gdl_probe_canary(void)
{
	bool fired;

	mutex_lock(&probe_mutex);
	/* The probe's handler runs before the function, which takes its word. */
	fired = gdl_event_canary();
	if (!fired && probes[GDL_PROBE_CANARY].armed)
		silenced = true;
	mutex_unlock(&probe_mutex);
	return fired;
}

/**
 * gdl_probe_lossy() - was any event missed since the module was loaded?
 *
 * Context: May sleep. Takes and releases probe_mutex.
 * Return: Whether one was, or the canary was silent once: totals may be short
 * then. A reset does not change it.
 */
bool gdl_probe_lossy(void)
{
	bool lossy;
	int i;

	mutex_lock(&probe_mutex);
	lossy = silenced;
	for (i = 0; i < GDL_NR_PROBES; i++)
		lossy |= missed_now(&probes[i]) > 0;
	mutex_unlock(&probe_mutex);
	return lossy;
}

/**
 * gdl_probe_reset_missed() - count missed events from here on
 *
 * Context: May sleep. Takes and releases probe_mutex.
 */
void gdl_probe_reset_missed(void)
{
	int i;

	mutex_lock(&probe_mutex);
	for (i = 0; i < GDL_NR_PROBES; i++)
		probes[i].missed_base = missed_now(&probes[i]);
	mutex_unlock(&probe_mutex);
}
