/* SPDX-License-Identifier: GPL-2.0-only */
/* TTM's own headers, under the names that they have in a kernel. */
#ifndef GDL_TTM_H
#define GDL_TTM_H

#include "compat.h"

#if GDL_HAVE_TTM_BO_H
#include <drm/ttm/ttm_bo.h>
#else
#include <drm/ttm/ttm_bo_driver.h>
#endif
#include <drm/ttm/ttm_placement.h>

#endif /* GDL_TTM_H */
