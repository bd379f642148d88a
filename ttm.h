/* SPDX-License-Identifier: GPL-2.0-only */
/* TTM's own headers, under the names that they have in a kernel. */
#ifndef GDL_TTM_H
#define GDL_TTM_H

#include "compat.h"

#include GDL_TTM_BO_HEADER
#include <drm/ttm/ttm_placement.h>

#endif /* GDL_TTM_H */
