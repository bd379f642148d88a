// SPDX-License-Identifier: GPL-2.0-only
/*
 * nvidia: a stand-in for NVIDIA's nvidia.ko, with its functions for other drivers' DMA:
 * names, signatures, results, and what sleeps are the real ones', the memory behind them is
 * none. Its GPU's memory begins at GPU_BASE of the physical addresses, and pages are the
 * real 64 KiB. nvidia_revoke(), which the real one has not, does what cudaFree() would.
 * Tokens tell processes apart, and 0 is any.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/delay.h>
#include <linux/dma-buf.h>
#include <linux/list.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/pci.h>
#include <linux/sched/signal.h>
#include <linux/semaphore.h>
#include <linux/slab.h>

#include "../../compat.h"
#include "nvidia.h"

GDL_IMPORT_NS_DMA_BUF;

/* As the real one has it. */
struct nv_p2p_mem_info {
	void (*free_callback)(void *data);
	void *data;
	struct nvidia_p2p_page_table page_table;
	struct {
		struct list_head list_head;
		struct semaphore lock;
	} dma_mapping_list;
	void *private;
};

struct mapping {
	struct list_head list;
	struct nvidia_p2p_dma_mapping dma_mapping;
};

/* What the real one's core keeps: pages that can be revoked, and those that cannot. */
struct entry {
	struct list_head list;
	u64 address, token;
	struct nv_p2p_mem_info *info;
	void (*revoke)(void *info);	/* NULL: persistent */
};

static LIST_HEAD(entries);		/* under mutex */
static DEFINE_MUTEX(mutex);
/* Outside of mutex: who gives pages back waits until they are revoked. */
static DEFINE_MUTEX(revoking);
static u8 uuid[16];

/* As an allocator often does; else KASAN tells of what uses one that was freed. */
static bool reuse;
module_param(reuse, bool, 0600);
MODULE_PARM_DESC(reuse, "a page table is where the one was that was freed last");
static struct nv_p2p_mem_info *spare;	/* by xchg() */

static unsigned long long held = NVIDIA_NONE_HELD;
module_param(held, ullong, 0600);
MODULE_PARM_DESC(held, "who asks for pages at this address waits until it is another");

static unsigned int waiting;
module_param(waiting, uint, 0400);
MODULE_PARM_DESC(waiting, "how many do");
static atomic_t nr_waiting;

static void unmap_all(struct nv_p2p_mem_info *info)
{
	struct mapping *m, *next;

	down(&info->dma_mapping_list.lock);
	list_for_each_entry_safe(m, next, &info->dma_mapping_list.list_head, list) {
		list_del(&m->list);
		kfree(m);
	}
	up(&info->dma_mapping_list.lock);
}

static void free_info(struct nv_p2p_mem_info *info)
{
	u32 i;

	unmap_all(info);
	for (i = 0; i < info->page_table.entries; i++)
		kfree(info->page_table.pages[i]);
	kvfree(info->page_table.pages);
	if (reuse)
		info = xchg(&spare, info);
	kfree(info);
}

/* Of who has the pages, then what the driver has of them. */
static noinline void nv_p2p_mem_info_free_callback(void *data)
{
	struct nv_p2p_mem_info *info = data;

	info->free_callback(info->data);
	free_info(info);
}

static struct nv_p2p_mem_info *alloc_info(u64 address, u32 nr)
{
	struct nv_p2p_mem_info *info = xchg(&spare, NULL);
	struct nvidia_p2p_page_table *table;

	if (info)
		memset(info, 0, sizeof(*info));
	else
		info = kzalloc(sizeof(*info), GFP_KERNEL);
	if (!info)
		return NULL;
	INIT_LIST_HEAD(&info->dma_mapping_list.list_head);
	sema_init(&info->dma_mapping_list.lock, 1);
	table = &info->page_table;
	table->version = NVIDIA_P2P_PAGE_TABLE_VERSION;
	table->page_size = NVIDIA_P2P_PAGE_SIZE_64KB;
	table->gpu_uuid = uuid;
	table->pages = kvcalloc(nr, sizeof(*table->pages), GFP_KERNEL);
	for (; table->pages && table->entries < nr; table->entries++) {
		table->pages[table->entries] = kzalloc(sizeof(**table->pages), GFP_KERNEL);
		if (!table->pages[table->entries])
			break;
		table->pages[table->entries]->physical_address =
			GPU_BASE + address + (u64)table->entries * GPU_PAGE;
	}
	if (table->entries == nr)
		return info;
	free_info(info);
	return NULL;
}

static void wait_if_held(u64 address)
{
	WRITE_ONCE(waiting, atomic_inc_return(&nr_waiting));
	while (READ_ONCE(held) == address && !fatal_signal_pending(current))
		usleep_range(500, 1000);
	WRITE_ONCE(waiting, atomic_dec_return(&nr_waiting));
}

static int get_pages(u64 token, u64 address, u64 length,
		     struct nvidia_p2p_page_table **page_table,
		     void (*free_callback)(void *data), void *data)
{
	struct entry *e;

	*page_table = NULL;
	if (!length || address % GPU_PAGE || length % GPU_PAGE || length > GPU_SIZE)
		return -EINVAL;
	if (READ_ONCE(held) == address)
		wait_if_held(address);
	e = kzalloc(sizeof(*e), GFP_KERNEL);
	if (!e)
		return -ENOMEM;
	e->info = alloc_info(address, length / GPU_PAGE);
	if (!e->info) {
		kfree(e);
		return -ENOMEM;
	}
	e->address = address;
	e->token = token;
	e->info->free_callback = free_callback;
	e->info->data = data;
	e->revoke = free_callback ? nv_p2p_mem_info_free_callback : NULL;
	mutex_lock(&mutex);
	list_add_tail(&e->list, &entries);
	*page_table = &e->info->page_table;
	mutex_unlock(&mutex);
	return 0;
}

int nvidia_p2p_get_pages(u64 p2p_token, u32 va_space, u64 virtual_address, u64 length,
			 struct nvidia_p2p_page_table **page_table,
			 void (*free_callback)(void *data), void *data)
{
	if (!free_callback)
		return -EINVAL;
	return get_pages(p2p_token, virtual_address, length, page_table, free_callback, data);
}
EXPORT_SYMBOL(nvidia_p2p_get_pages);

int nvidia_p2p_get_pages_persistent(u64 virtual_address, u64 length,
				    struct nvidia_p2p_page_table **page_table, u32 flags)
{
	if (flags)
		return -EINVAL;
	return get_pages(0, virtual_address, length, page_table, NULL, NULL);
}
EXPORT_SYMBOL(nvidia_p2p_get_pages_persistent);

/* Whoever takes it out ends it. */
static struct nv_p2p_mem_info *take(u64 token, u64 address,
				    const struct nvidia_p2p_page_table *table)
{
	struct nv_p2p_mem_info *info = NULL;
	struct entry *e;

	mutex_lock(&mutex);
	list_for_each_entry(e, &entries, list) {
		if (e->address != address || (token && e->token != token) ||
		    (table && &e->info->page_table != table) || (!table && !e->revoke))
			continue;
		info = e->info;
		list_del(&e->list);
		kfree(e);
		break;
	}
	mutex_unlock(&mutex);
	return info;
}

static int put_pages(u64 token, u64 address, struct nvidia_p2p_page_table *page_table,
		     int gone)
{
	struct nv_p2p_mem_info *info;

	if (!page_table)
		return 0;
	mutex_lock(&revoking);
	info = take(token, address, page_table);
	mutex_unlock(&revoking);
	if (!info)
		return gone;
	free_info(info);
	return 0;
}

int nvidia_p2p_put_pages(u64 p2p_token, u32 va_space, u64 virtual_address,
			 struct nvidia_p2p_page_table *page_table)
{
	return put_pages(p2p_token, virtual_address, page_table, 0);
}
EXPORT_SYMBOL(nvidia_p2p_put_pages);

int nvidia_p2p_put_pages_persistent(u64 virtual_address,
				    struct nvidia_p2p_page_table *page_table, u32 flags)
{
	return flags ? -EINVAL : put_pages(0, virtual_address, page_table, -EINVAL);
}
EXPORT_SYMBOL(nvidia_p2p_put_pages_persistent);

/* The real ones do as little. */
int nvidia_p2p_free_page_table(struct nvidia_p2p_page_table *page_table)
{
	return 0;
}
EXPORT_SYMBOL(nvidia_p2p_free_page_table);

int nvidia_p2p_free_dma_mapping(struct nvidia_p2p_dma_mapping *dma_mapping)
{
	return 0;
}
EXPORT_SYMBOL(nvidia_p2p_free_dma_mapping);

int nvidia_p2p_dma_map_pages(struct pci_dev *peer, struct nvidia_p2p_page_table *page_table,
			     struct nvidia_p2p_dma_mapping **dma_mapping)
{
	struct nv_p2p_mem_info *info;
	struct mapping *m;

	if (!peer || !page_table || !dma_mapping || !page_table->gpu_uuid)
		return -EINVAL;
	info = container_of(page_table, struct nv_p2p_mem_info, page_table);
	m = kzalloc(sizeof(*m), GFP_KERNEL);
	if (!m)
		return -ENOMEM;
	m->dma_mapping.entries = page_table->entries;
	m->dma_mapping.pci_dev = peer;
	down(&info->dma_mapping_list.lock);
	list_add_tail(&m->list, &info->dma_mapping_list.list_head);
	up(&info->dma_mapping_list.lock);
	*dma_mapping = &m->dma_mapping;
	return 0;
}
EXPORT_SYMBOL(nvidia_p2p_dma_map_pages);

int nvidia_p2p_dma_unmap_pages(struct pci_dev *peer, struct nvidia_p2p_page_table *page_table,
			       struct nvidia_p2p_dma_mapping *dma_mapping)
{
	struct nv_p2p_mem_info *info;
	struct mapping *m;

	if (!peer || !dma_mapping || !page_table)
		return -EINVAL;
	info = container_of(page_table, struct nv_p2p_mem_info, page_table);
	m = container_of(dma_mapping, struct mapping, dma_mapping);
	down(&info->dma_mapping_list.lock);
	list_del(&m->list);
	up(&info->dma_mapping_list.lock);
	kfree(m);
	return 0;
}
EXPORT_SYMBOL(nvidia_p2p_dma_unmap_pages);

/* Whoever has the pages at @address is told that they are gone. -ENOENT: nobody has. */
int nvidia_revoke(u64 address)
{
	struct nv_p2p_mem_info *info;

	mutex_lock(&revoking);
	info = take(0, address, NULL);
	if (info)
		nv_p2p_mem_info_free_callback(info);
	mutex_unlock(&revoking);
	return info ? 0 : -ENOENT;
}
EXPORT_SYMBOL(nvidia_revoke);

static struct sg_table *nv_dma_buf_map(struct dma_buf_attachment *attach,
				       enum dma_data_direction direction)
{
	return ERR_PTR(-EOPNOTSUPP);
}

static void nv_dma_buf_unmap(struct dma_buf_attachment *attach, struct sg_table *sgt,
			     enum dma_data_direction direction)
{
}

static void nv_dma_buf_release(struct dma_buf *dmabuf)
{
}

static const struct dma_buf_ops nv_dma_buf_ops = {
	.map_dma_buf	= nv_dma_buf_map,
	.unmap_dma_buf	= nv_dma_buf_unmap,
	.release	= nv_dma_buf_release,
};

/* A dma-buf of memory of the GPU's, as a file descriptor of the current process. */
int nvidia_export(u64 size)
{
	DEFINE_DMA_BUF_EXPORT_INFO(info);
	struct dma_buf *dmabuf;
	int fd;

	info.ops = &nv_dma_buf_ops;
	info.size = size;
	info.flags = O_RDWR | O_CLOEXEC;
	info.priv = &uuid;
	dmabuf = dma_buf_export(&info);
	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf);
	fd = dma_buf_fd(dmabuf, O_CLOEXEC);
	if (fd < 0)
		dma_buf_put(dmabuf);
	return fd;
}
EXPORT_SYMBOL(nvidia_export);

static uint init_ms;
module_param(init_ms, uint, 0400);
MODULE_PARM_DESC(init_ms, "How long it looks for its GPUs (0)");

static int __init nvidia_init(void)
{
	msleep(init_ms);
	return 0;
}
module_init(nvidia_init);

/* Who has leaked some has left before. */
static void __exit nvidia_exit(void)
{
	struct entry *e, *next;

	list_for_each_entry_safe(e, next, &entries, list) {
		list_del(&e->list);
		free_info(e->info);
		kfree(e);
	}
	kfree(spare);
}
module_exit(nvidia_exit);

MODULE_DESCRIPTION("A stand-in for NVIDIA's driver");
MODULE_LICENSE("GPL");
