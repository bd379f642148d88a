// SPDX-License-Identifier: GPL-2.0-only
/* The module's own. */
#include "../../hook.c"
