/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What is to be known of NVIDIA's nvidia.ko: the part of its interface for other drivers'
 * DMA to its memory (nv-p2p.h) that is looked at. scripts/nvidia-signatures compares it
 * with the real driver's.
 */
#ifndef GDL_NVIDIA_H
#define GDL_NVIDIA_H

#include <linux/types.h>

/* The upper half of nvidia_p2p_page_table.version: another one is another structure. */
#define GDL_NVIDIA_PAGE_TABLE_MAJOR	1

/* What else is in it nobody here looks at. */
struct nvidia_p2p_page {
	u64 physical_address;
};

struct nvidia_p2p_page_table {
	u32 version;
	u32 page_size;
	struct nvidia_p2p_page **pages;
	u32 entries;
	u8 *gpu_uuid;
};

/*
 * The driver's own structure begins so; a pointer to it is what the function gets that
 * tells the driver that has pages that they are gone, nv_p2p_mem_info_free_callback().
 */
struct gdl_nvidia_mem_info {
	void (*free_callback)(void *data);
	void *data;
	struct nvidia_p2p_page_table page_table;
};

#endif /* GDL_NVIDIA_H */
