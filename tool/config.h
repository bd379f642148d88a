/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Configuration: what the module was told, in the grammar of the files that take it.
 */
#ifndef TOOL_CONFIG_H
#define TOOL_CONFIG_H

#include <stdio.h>

int config_quotas(FILE *file);
int config_control(FILE *file);
int config_rules(FILE *file);
int config_dump(FILE *file);

#endif
