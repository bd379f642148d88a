// SPDX-License-Identifier: GPL-2.0-only
/*
 * calls: what functions of gpu_dma_lock cost within the kernel.
 *
 * debugfs, gpu_dma_lock_calls: reading it calls each of them some thousand times, and
 * gives a line each, "NAME NANOSECONDS", of which one is an instruction under -icount.
 * Buffers are of the parameters agent and device; the agent has no rules, so that each
 * check is denied. What fails has no line.
 *
 * The functions are not exported: a kprobe finds them. It may point behind an ENDBR, so
 * this is for machines that do not insist on one, as QEMU's are.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/debugfs.h>
#include <linux/kprobes.h>
#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/rcupdate.h>
#include <linux/seq_file.h>
#include <linux/slab.h>

#include "../../gpu_dma_lock.h"
#include "../../gpu_dma_lock_check.h"

#define CALLS	2000
#define SIZE	4096

static ulong agent = 1;
module_param(agent, ulong, 0400);
MODULE_PARM_DESC(agent, "whose buffers are made");

static ulong device;
module_param(device, ulong, 0400);
MODULE_PARM_DESC(device, "where they are");

static struct {
	int (*allocate)(u64 agent_id, u64 size, u64 device_id, struct gdl_ledger *ledger,
			u64 *id);
	struct gdl_buffer *(*lookup)(u64 id);
	bool (*remove)(struct gdl_buffer *b);
	struct gdl_agent *(*agent)(u64 id);
	struct gdl_device *(*device)(u64 id);
	struct gdl_device_quota *(*quota)(struct gdl_agent *agent, struct gdl_device *device,
					  gfp_t gfp);
	int (*charge)(struct gdl_device_quota *dq, u64 size);
	void (*uncharge)(struct gdl_device_quota *dq, u64 size);
} call;

static const struct {
	const char *name;
	void **address;
} functions[] = {
	{ "gdl_ledger_allocate", (void **)&call.allocate },
	{ "gdl_buffer_lookup", (void **)&call.lookup },
	{ "gdl_buffer_remove", (void **)&call.remove },
	{ "gdl_agent_lookup", (void **)&call.agent },
	{ "gdl_device_lookup", (void **)&call.device },
	{ "gdl_agent_device_quota", (void **)&call.quota },
	{ "gdl_try_charge", (void **)&call.charge },
	{ "gdl_uncharge", (void **)&call.uncharge },
};

static int find(const char *name, void **address)
{
	struct kprobe kp = { .symbol_name = name };
	int ret = register_kprobe(&kp);

	if (ret)
		return ret;
	*address = kp.addr;
	unregister_kprobe(&kp);
	return 0;
}

static void print(struct seq_file *m, const char *name, u64 begin)
{
	seq_printf(m, "%s %llu\n", name, (ktime_get_ns() - begin) / CALLS);
}

/* That it calls this one keeps gpu_dma_lock loaded. */
static void check(struct seq_file *m)
{
	u64 begin = ktime_get_ns();
	int i, denied = 0;

	for (i = 0; i < CALLS; i++)
		denied += gpu_dma_lock_check(agent, 0, SIZE, GPU_DMA_LOCK_READ) == -EACCES;
	if (denied == CALLS)
		print(m, "check", begin);
}

/* Returns how many were made; the others failed. */
static int allocate(struct seq_file *m, u64 *ids)
{
	u64 begin = ktime_get_ns();
	int i;

	for (i = 0; i < CALLS; i++)
		if (call.allocate(agent, SIZE, device, NULL, &ids[i]))
			return i;
	print(m, "create", begin);
	return CALLS;
}

static void look_up(struct seq_file *m, const u64 *ids)
{
	u64 begin = ktime_get_ns();
	int i, found = 0;

	for (i = 0; i < CALLS; i++) {
		rcu_read_lock();
		found += !!call.lookup(ids[i]);
		rcu_read_unlock();
	}
	if (found == CALLS)
		print(m, "lookup", begin);
}

/* Whatever could be charged is uncharged. */
static void charge(struct seq_file *m)
{
	struct gdl_device_quota *dq = NULL;
	struct gdl_device *d;
	struct gdl_agent *a;
	int i, nr;
	u64 begin;

	rcu_read_lock();
	a = call.agent(agent);
	d = call.device(device);
	if (a && d)
		dq = call.quota(a, d, GFP_ATOMIC);
	if (!dq)
		goto out;
	begin = ktime_get_ns();
	for (i = 0; i < CALLS && !call.charge(dq, SIZE); i++)
		;
	nr = i;
	if (nr == CALLS)
		print(m, "charge", begin);
	begin = ktime_get_ns();
	while (i--)
		call.uncharge(dq, SIZE);
	if (nr == CALLS)
		print(m, "uncharge", begin);
out:
	rcu_read_unlock();
}

static void give_back(struct seq_file *m, const u64 *ids, int nr)
{
	u64 begin = ktime_get_ns();
	struct gdl_buffer *b;
	int i, failed = 0;

	for (i = 0; i < nr; i++) {
		rcu_read_lock();
		b = call.lookup(ids[i]);
		failed += !b || !call.remove(b);
		rcu_read_unlock();
	}
	if (nr == CALLS && !failed)
		print(m, "free", begin);
}

static int costs_show(struct seq_file *m, void *unused)
{
	u64 *ids = kvcalloc(CALLS, sizeof(*ids), GFP_KERNEL);
	int nr;

	if (!ids)
		return -ENOMEM;
	check(m);
	nr = allocate(m, ids);
	if (nr == CALLS)
		look_up(m, ids);
	charge(m);
	give_back(m, ids, nr);
	kvfree(ids);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(costs);

static struct dentry *costs;

static int __init calls_init(void)
{
	int i, ret;

	for (i = 0; i < ARRAY_SIZE(functions); i++) {
		ret = find(functions[i].name, functions[i].address);
		if (ret)
			return ret;
	}
	costs = debugfs_create_file("gpu_dma_lock_calls", 0400, NULL, NULL, &costs_fops);
	return 0;
}

static void __exit calls_exit(void)
{
	debugfs_remove(costs);
}

module_init(calls_init);
module_exit(calls_exit);

MODULE_DESCRIPTION("What functions of gpu_dma_lock cost within the kernel");
MODULE_LICENSE("GPL");
