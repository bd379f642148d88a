/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * save and restore: the folder that both mean if none is given.
 */
#ifndef TOOL_SAVE_H
#define TOOL_SAVE_H

#define SAVE_FOLDER	"/etc/gpu-dma-lock"

#endif
