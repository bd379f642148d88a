/* SPDX-License-Identifier: GPL-2.0-only */
/* One for each function, whatever its signature: all arguments are in registers. */
#include <linux/linkage.h>
#include <asm/frame.h>

#include "../../hook.h"

.macro EMPTY function
SYM_START(gdl_empty_\function, SYM_L_GLOBAL, SYM_A_ALIGN)
#ifdef ENDBR
	ENDBR				/* its address is taken, as objtool sees */
#endif
	FRAME_BEGIN
	call	gdl_original_\function
	FRAME_END
	RET
SYM_FUNC_END(gdl_empty_\function)
.endm

#define HOOK(type, function, ...)	EMPTY function;
GDL_HOOKS(HOOK)
