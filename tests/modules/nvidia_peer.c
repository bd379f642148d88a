// SPDX-License-Identifier: GPL-2.0-only
/*
 * nvidia_peer: a driver that lets its device, the first on PCI, DMA to memory of the
 * stand-in for nvidia.ko, as nvidia-peermem does for RDMA. What programs ask for by ioctl on
 * /dev/nvidia_peer it does, and keeps: what is not given back before it leaves it leaks.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/fs.h>
#include <linux/list.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/pci.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "nvidia.h"
#include "nvidia_peer.h"

struct pages {
	struct list_head list;
	struct nvidia_peer_ask ask;
	struct nvidia_p2p_page_table *table;	/* under table_mutex; NULL: revoked */
	struct nvidia_p2p_page_table *first;	/* what it was before */
	struct nvidia_p2p_dma_mapping *mapping;
	bool gone;				/* under table_mutex: revoked */
};

static struct pci_dev *peer;
static LIST_HEAD(all);			/* under mutex */
static DEFINE_MUTEX(mutex);
/* Also within callbacks, which may come while the other one is held. */
static DEFINE_MUTEX(table_mutex);

/* May sleep, as the real ones do. */
static void revoked(void *data)
{
	struct nvidia_p2p_page_table *table;
	struct pages *p = data;

	mutex_lock(&table_mutex);
	table = p->table;
	p->table = NULL;
	p->mapping = NULL;
	p->gone = true;
	mutex_unlock(&table_mutex);
	if (!p->ask.quiet && table)
		nvidia_p2p_free_page_table(table);
}

static int get(struct pages *p)
{
	struct nvidia_p2p_page_table *table;
	int ret;

	if (p->ask.persistent)
		ret = nvidia_p2p_get_pages_persistent(p->ask.address, p->ask.length, &table, 0);
	else
		ret = nvidia_p2p_get_pages(p->ask.token, 0, p->ask.address, p->ask.length,
					   &table, revoked, p);
	if (ret)
		return ret;
	p->first = table;
	mutex_lock(&table_mutex);
	if (!p->gone)
		p->table = table;
	mutex_unlock(&table_mutex);
	return 0;
}

static int do_get(const struct nvidia_peer_ask *ask)
{
	struct pages *p = kzalloc(sizeof(*p), GFP_KERNEL);
	int ret;

	if (!p)
		return -ENOMEM;
	p->ask = *ask;
	ret = get(p);
	if (ret) {
		kfree(p);
		return ret;
	}
	mutex_lock(&mutex);
	list_add_tail(&p->list, &all);
	mutex_unlock(&mutex);
	return 0;
}

static int do_put(struct pages *p, bool late)
{
	struct nvidia_p2p_page_table *table = late ? p->first : p->table;
	int ret = 0;

	if (p->ask.persistent)
		ret = nvidia_p2p_put_pages_persistent(p->ask.address, table, 0);
	else
		ret = nvidia_p2p_put_pages(p->ask.token, 0, p->ask.address, table);
	list_del(&p->list);
	kfree(p);
	return ret;
}

static int do_unmap(struct pages *p)
{
	struct nvidia_p2p_dma_mapping *mapping = p->mapping;

	p->mapping = NULL;
	return mapping ? nvidia_p2p_dma_unmap_pages(peer, p->table, mapping) : -ENOENT;
}

static int do_to(struct pages *p, unsigned int cmd, const struct nvidia_peer_ask *ask)
{
	switch (cmd) {
	case NVIDIA_PEER_PUT:
		return do_put(p, ask->late);
	case NVIDIA_PEER_MAP:
		return nvidia_p2p_dma_map_pages(peer, p->table, &p->mapping);
	case NVIDIA_PEER_UNMAP:
		return do_unmap(p);
	default:
		return -ENOTTY;
	}
}

static long run(unsigned int cmd, const struct nvidia_peer_ask *ask)
{
	struct pages *p;

	if (cmd == NVIDIA_PEER_EXPORT)
		return nvidia_export(ask->length);
	list_for_each_entry(p, &all, list)
		if (p->ask.address == ask->address && p->ask.token == ask->token)
			return do_to(p, cmd, ask);
	return -ENOENT;
}

static long peer_ioctl(struct file *file, unsigned int cmd, unsigned long user)
{
	struct nvidia_peer_ask ask;
	long ret;

	if (copy_from_user(&ask, (void __user *)user, sizeof(ask)))
		return -EFAULT;
	/* At any time, and several at once */
	if (cmd == NVIDIA_PEER_REVOKE)
		return nvidia_revoke(ask.address);
	if (cmd == NVIDIA_PEER_GET)
		return do_get(&ask);
	mutex_lock(&mutex);
	ret = run(cmd, &ask);
	mutex_unlock(&mutex);
	return ret;
}

static const struct file_operations peer_fops = {
	.owner		= THIS_MODULE,
	.unlocked_ioctl	= peer_ioctl,
};

static struct miscdevice peer_device = {
	.minor	= MISC_DYNAMIC_MINOR,
	.name	= "nvidia_peer",
	.mode	= 0666,
	.fops	= &peer_fops,
};

static int __init nvidia_peer_init(void)
{
	int ret;

	peer = pci_get_device(PCI_ANY_ID, PCI_ANY_ID, NULL);
	if (!peer)
		return -ENODEV;
	ret = misc_register(&peer_device);
	if (ret)
		pci_dev_put(peer);
	return ret;
}
module_init(nvidia_peer_init);

static void __exit nvidia_peer_exit(void)
{
	struct pages *p, *next;

	misc_deregister(&peer_device);
	list_for_each_entry_safe(p, next, &all, list)
		kfree(p);
	pci_dev_put(peer);
}
module_exit(nvidia_peer_exit);

MODULE_DESCRIPTION("A device that has memory of NVIDIA's");
MODULE_LICENSE("GPL");
