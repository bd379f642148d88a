/* SPDX-License-Identifier: GPL-2.0-only */
/* TTM's own headers, under the names that they have in a kernel. */
#ifndef GDL_TTM_H
#define GDL_TTM_H

#include <linux/version.h>

/* 6.2: has a new name */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 2, 0)
#include <drm/ttm/ttm_bo.h>
#else
#include <drm/ttm/ttm_bo_driver.h>
#endif
#include <drm/ttm/ttm_placement.h>

#endif /* GDL_TTM_H */
