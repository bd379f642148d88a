// SPDX-License-Identifier: GPL-2.0-only
/*
 * The races of quota_race.c with 2 CPUs.
 *
 * vm: --load --mem 1024 --timeout 400
 */
#include "quota_race.c"
