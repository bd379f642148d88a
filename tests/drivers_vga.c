// SPDX-License-Identifier: GPL-2.0-only
/*
 * drivers.c with more GPUs, whose drivers stock kernels have. QEMU's vmware-svga lacks a
 * capability that vmwgfx wants: tests/modules/pitchlock.c says that it is there.
 *
 * vm: -k 6.1 -k 6.12 -k newest --load --gpu qxl,vmwgfx --mem 768 --timeout 300
 */
#include "drivers.c"
