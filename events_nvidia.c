// SPDX-License-Identifier: GPL-2.0-only
/*
 * Events of NVIDIA's nvidia.ko: pages of its memory that other drivers get, to let their
 * devices DMA to them, as nvidia-peermem does for RDMA. The driver's core cannot be hooked;
 * these functions, and the one that revokes pages, are in the part around it that is
 * compiled for the kernel. All may sleep.
 *
 * Pages are gone, for the tables, before the function that gives them back is called: from
 * then on the address of their page table may be another's.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/err.h>
#include <linux/kallsyms.h>
#include <linux/pci.h>
#include <linux/string.h>

#include "events.h"
#include "nvidia.h"

/* The module that @address is in, or "-". */
static noinline void module_of(unsigned long address, char name[GDL_DEVICE_NAME_LEN])
{
	char symbol[KSYM_SYMBOL_LEN];
	char *begin, *end;

	strscpy(name, "-", GDL_DEVICE_NAME_LEN);
	sprint_symbol(symbol, address);
	begin = strchr(symbol, '[');
	end = begin ? strpbrk(begin, " ]") : NULL;
	if (!end)
		return;
	*end = '\0';
	strscpy(name, begin + 1, GDL_DEVICE_NAME_LEN);
}

#define CALLER		((unsigned long)__builtin_return_address(0))

/* NULL: it passes, and could not be tracked. */
static struct gdl_buffer *get_begin(u64 address, u64 length, enum gdl_hook_id hook)
{
	struct gdl_buffer *b;
	unsigned int tries = 0;
	int ret;

	do {
		b = gdl_p2p_get_begin(address, length, gdl_policy_enforces());
	} while (again(PTR_ERR_OR_ZERO(b), &tries));
	ret = verdict(PTR_ERR_OR_ZERO(b), hook, GDL_STAT_BUFFERS_LOST);
	if (ret)
		return ERR_PTR(ret);
	return IS_ERR(b) ? NULL : b;
}

/* It cannot be refused any more: pages that were given back may have been used. */
static void get_end(struct gdl_buffer *b, int ret, const struct nvidia_p2p_page_table *table,
		    unsigned long caller, enum gdl_hook_id hook)
{
	char importer[GDL_DEVICE_NAME_LEN];
	unsigned int tries = 0;

	if (!b)
		return;
	if (ret || !table) {
		gdl_p2p_get_failed(b);
		return;
	}
	module_of(caller, importer);
	do {
		ret = gdl_p2p_get_end(b, table, importer);
	} while (again(ret, &tries));
	if (lost(ret, hook, GDL_STAT_BUFFERS_LOST))
		gdl_p2p_get_failed(b);
}

/* Refused with -EDQUOT, or if it cannot be tracked. */
static int gdl_hook_nvidia_p2p_get_pages(u64 p2p_token, u32 va_space, u64 virtual_address,
					 u64 length, struct nvidia_p2p_page_table **page_table,
					 void (*free_callback)(void *data), void *data)
{
	struct gdl_buffer *b;
	int ret;

	gdl_hook_begin(GDL_HOOK_nvidia_p2p_get_pages);
	b = get_begin(virtual_address, length, GDL_HOOK_nvidia_p2p_get_pages);
	if (IS_ERR(b)) {
		ret = PTR_ERR(b);
		goto out;
	}
	ret = gdl_original_nvidia_p2p_get_pages(p2p_token, va_space, virtual_address, length,
						page_table, free_callback, data);
	get_end(b, ret, ret ? NULL : *page_table, CALLER, GDL_HOOK_nvidia_p2p_get_pages);
out:
	gdl_hook_end();
	return ret;
}

/* Likewise */
static int gdl_hook_nvidia_p2p_get_pages_persistent(u64 virtual_address, u64 length,
						    struct nvidia_p2p_page_table **page_table,
						    u32 flags)
{
	struct gdl_buffer *b;
	int ret;

	gdl_hook_begin(GDL_HOOK_nvidia_p2p_get_pages_persistent);
	b = get_begin(virtual_address, length, GDL_HOOK_nvidia_p2p_get_pages_persistent);
	if (IS_ERR(b)) {
		ret = PTR_ERR(b);
		goto out;
	}
	ret = gdl_original_nvidia_p2p_get_pages_persistent(virtual_address, length, page_table,
							   flags);
	get_end(b, ret, ret ? NULL : *page_table, CALLER,
		GDL_HOOK_nvidia_p2p_get_pages_persistent);
out:
	gdl_hook_end();
	return ret;
}

static int gdl_hook_nvidia_p2p_put_pages(u64 p2p_token, u32 va_space, u64 virtual_address,
					 struct nvidia_p2p_page_table *page_table)
{
	int ret;

	gdl_hook_begin(GDL_HOOK_nvidia_p2p_put_pages);
	gdl_p2p_put(page_table, virtual_address);
	ret = gdl_original_nvidia_p2p_put_pages(p2p_token, va_space, virtual_address,
						page_table);
	gdl_hook_end();
	return ret;
}

/* These are not revoked: nothing else can be at the address of their page table. */
static int gdl_hook_nvidia_p2p_put_pages_persistent(u64 virtual_address,
						    struct nvidia_p2p_page_table *page_table,
						    u32 flags)
{
	int ret;

	gdl_hook_begin(GDL_HOOK_nvidia_p2p_put_pages_persistent);
	gdl_p2p_gone(page_table);
	ret = gdl_original_nvidia_p2p_put_pages_persistent(virtual_address, page_table, flags);
	gdl_hook_end();
	return ret;
}

/*
 * A driver lets go of pages while it is told that they are gone: nothing else can be at that
 * address yet.
 */
static int gdl_hook_nvidia_p2p_free_page_table(struct nvidia_p2p_page_table *page_table)
{
	int ret;

	gdl_hook_begin(GDL_HOOK_nvidia_p2p_free_page_table);
	gdl_p2p_gone(page_table);
	ret = gdl_original_nvidia_p2p_free_page_table(page_table);
	gdl_hook_end();
	return ret;
}

/* Pages are revoked: this tells the driver that has them, and frees them. */
static void gdl_hook_nv_p2p_mem_info_free_callback(void *data)
{
	struct gdl_nvidia_mem_info *info = data;

	gdl_hook_begin(GDL_HOOK_nv_p2p_mem_info_free_callback);
	gdl_p2p_revoke(&info->page_table);
	gdl_original_nv_p2p_mem_info_free_callback(data);
	gdl_hook_end();
}

static int map_begin(const struct pci_dev *peer, const struct nvidia_p2p_page_table *table)
{
	unsigned int tries = 0;
	int ret;

	do {
		ret = gdl_p2p_map_begin(table, dev_name(&peer->dev), gdl_policy_enforces());
	} while (again(ret, &tries));
	return verdict(ret, GDL_HOOK_nvidia_p2p_dma_map_pages, GDL_STAT_LOCKS_LOST);
}

/* Refused with -EACCES, -EBUSY or -EDQUOT, or if it cannot be tracked. */
static int gdl_hook_nvidia_p2p_dma_map_pages(struct pci_dev *peer,
					     struct nvidia_p2p_page_table *page_table,
					     struct nvidia_p2p_dma_mapping **dma_mapping)
{
	int ret;

	gdl_hook_begin(GDL_HOOK_nvidia_p2p_dma_map_pages);
	ret = peer ? map_begin(peer, page_table) : 0;
	if (ret)
		goto out;
	ret = gdl_original_nvidia_p2p_dma_map_pages(peer, page_table, dma_mapping);
	if (ret && peer)
		gdl_p2p_unmap(page_table);
	else if (!ret)
		gdl_p2p_map_end(page_table);
out:
	gdl_hook_end();
	return ret;
}

static int gdl_hook_nvidia_p2p_dma_unmap_pages(struct pci_dev *peer,
					       struct nvidia_p2p_page_table *page_table,
					       struct nvidia_p2p_dma_mapping *dma_mapping)
{
	int ret;

	gdl_hook_begin(GDL_HOOK_nvidia_p2p_dma_unmap_pages);
	ret = gdl_original_nvidia_p2p_dma_unmap_pages(peer, page_table, dma_mapping);
	if (!ret)
		gdl_p2p_unmap(page_table);
	gdl_hook_end();
	return ret;
}

/* What the driver is compiled to is not known here; scripts/nvidia-signatures looks. */
#define ROW(function)	GDL_HOOK_ROW(function, GDL_HOOKS_OF_NVIDIA, 0)

const struct gdl_hook gdl_nvidia_hooks[] = {
	ROW(nvidia_p2p_get_pages),
	ROW(nvidia_p2p_get_pages_persistent),
	ROW(nvidia_p2p_put_pages),
	ROW(nvidia_p2p_put_pages_persistent),
	ROW(nvidia_p2p_free_page_table),
	ROW(nv_p2p_mem_info_free_callback),
	ROW(nvidia_p2p_dma_map_pages),
	ROW(nvidia_p2p_dma_unmap_pages),
};

const unsigned int gdl_nr_nvidia_hooks = ARRAY_SIZE(gdl_nvidia_hooks);
