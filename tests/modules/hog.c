// SPDX-License-Identifier: GPL-2.0-only
/*
 * hog: takes all the memory that may be had without waiting, the reserves too, when it is
 * inserted and again and again; and gives some back to whoever may wait, before the
 * kernel kills for it. So GFP_ATOMIC fails, mostly, and GFP_KERNEL does not.
 *
 * In debugfs, hog/given_back: how often it has given some back.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/atomic.h>
#include <linux/debugfs.h>
#include <linux/delay.h>
#include <linux/err.h>
#include <linux/gfp.h>
#include <linux/kthread.h>
#include <linux/limits.h>
#include <linux/list.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/oom.h>
#include <linux/sched.h>

/* Who has waited for memory is to have some before all is taken again. */
#define PAUSE_MS	2

/* Given back at a time: more than the reserves, which only GFP_ATOMIC may use. */
#define GIVEN_PAGES	4096

static LIST_HEAD(pages);		/* under the mutex */
static DEFINE_MUTEX(mutex);
static atomic_t given_back;
static struct task_struct *hog;
static struct dentry *dir;

static void take(void)
{
	struct page *page;

	mutex_lock(&mutex);
	for (;;) {
		page = alloc_page(GFP_ATOMIC | __GFP_NOWARN);
		if (!page)
			break;
		list_add(&page->lru, &pages);
		cond_resched();
	}
	mutex_unlock(&mutex);
}

static unsigned long give_back(unsigned long max)
{
	struct page *page, *next;
	unsigned long nr = 0;

	/* Who holds the mutex does not wait for memory. */
	mutex_lock(&mutex);
	list_for_each_entry_safe(page, next, &pages, lru) {
		if (nr == max)
			break;
		list_del(&page->lru);
		__free_page(page);
		nr++;
	}
	mutex_unlock(&mutex);
	return nr;
}

static int memory_wanted(struct notifier_block *nb, unsigned long unused, void *freed)
{
	*(unsigned long *)freed += give_back(GIVEN_PAGES);
	atomic_inc(&given_back);
	return NOTIFY_OK;
}

static struct notifier_block notifier = { .notifier_call = memory_wanted };

static int take_all(void *unused)
{
	while (!kthread_should_stop()) {
		take();
		msleep_interruptible(PAUSE_MS);
	}
	return 0;
}

static int __init hog_init(void)
{
	int ret = register_oom_notifier(&notifier);

	if (ret)
		return ret;
	take();
	hog = kthread_run(take_all, NULL, "hog");
	if (IS_ERR(hog)) {
		unregister_oom_notifier(&notifier);
		give_back(ULONG_MAX);
		return PTR_ERR(hog);
	}
	dir = debugfs_create_dir("hog", NULL);
	debugfs_create_atomic_t("given_back", 0400, dir, &given_back);
	return 0;
}
module_init(hog_init);

static void __exit hog_exit(void)
{
	debugfs_remove(dir);
	kthread_stop(hog);
	unregister_oom_notifier(&notifier);
	give_back(ULONG_MAX);
}
module_exit(hog_exit);

MODULE_DESCRIPTION("Takes all memory that may be had without waiting");
MODULE_AUTHOR("The gpu_dma_lock developers");
MODULE_LICENSE("GPL");
