// SPDX-License-Identifier: GPL-2.0-only
/*
 * The races of agents_race.c with 2 CPUs.
 *
 * vm: --load --mem 1024 --timeout 240
 */
#include "agents_race.c"
