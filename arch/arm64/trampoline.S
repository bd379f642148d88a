/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The way of a hooked call on arm64: caller, function, trampoline, wrapper, and
 * from there into the function behind its ftrace site.
 *
 * A site is called with the function's return address in x9, and where it goes on
 * in x30. x10 to x15 are free there. All jumps are returns, which branch target
 * identification does not check, so that the middle of a function can be their
 * target.
 */
#include <linux/linkage.h>
#include <asm/assembler.h>

#include "../../hook.h"

	.text

#ifdef CONFIG_DYNAMIC_FTRACE_WITH_DIRECT_CALLS
SYM_CODE_START(gdl_hook_trampoline)
	hint	#34			/* bti c */
	lsr	x10, x30, #GDL_HOOK_SLOT_SHIFT	/* who is it? */
	adr_l	x11, gdl_hook_slots
	adr_l	x12, gdl_hook_sites
1:	and	x10, x10, #(GDL_HOOK_SLOTS - 1)
	ldrb	w13, [x11, x10]
	cbz	w13, 3f			/* not seen yet */
	ldr	x14, [x12, x13, lsl #3]
	cmp	x14, x30
	b.ne	2f
	adr_l	x12, gdl_hook_wrappers
	ldr	x10, [x12, x13, lsl #3]
	mov	x30, x9			/* the wrapper returns to the caller */
	ret	x10
2:	add	x10, x10, #1		/* another function's slot: try the next */
	b	1b

3:	sub	sp, sp, #96
	stp	x29, x9, [sp]		/* a frame: of the function's caller */
	mov	x29, sp
	stp	x0, x1, [sp, #16]	/* the arguments */
	stp	x2, x3, [sp, #32]
	stp	x4, x5, [sp, #48]
	stp	x6, x7, [sp, #64]
	str	x8, [sp, #80]
	mov	x0, x30
	bl	gdl_hook_learn		/* the wrapper, or behind the site */
	mov	x10, x0
	ldr	x8, [sp, #80]
	ldp	x6, x7, [sp, #64]
	ldp	x4, x5, [sp, #48]
	ldp	x2, x3, [sp, #32]
	ldp	x0, x1, [sp, #16]
	ldp	x29, x30, [sp]
	add	sp, sp, #96
	ret	x10
SYM_CODE_END(gdl_hook_trampoline)
#endif

/* gdl_original_FUNCTION: called by the wrapper, goes on behind the function's site. */
.macro ORIGINAL function
SYM_CODE_START(gdl_original_\function)
	hint	#34			/* bti c */
	adr_l	x10, gdl_hook_sites + 8 * gdl_hook_id
	ldr	x10, [x10]
	ret	x10
SYM_CODE_END(gdl_original_\function)
	.set gdl_hook_id, gdl_hook_id + 1
.endm

	.set gdl_hook_id, 1
#define HOOK(type, function, ...)	ORIGINAL function;
GDL_HOOKS(HOOK)
