/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The way of a hooked call on x86-64: caller, function, trampoline, wrapper, and
 * from there into the function behind its ftrace site.
 *
 * At the entry of a function that is not variadic, rax, r10 and r11 are free.
 *
 * All jumps are returns. Indirect branch tracking does not check them, so that the
 * middle of a function can be their target (drm_file_alloc() has no endbr at all
 * once the kernel has sealed it, so that its entry could not be called), and kCFI
 * has no business with them. Each return takes back one call, so that the return
 * stack buffer stays in step with the stack, as in ftrace's own trampolines. With
 * call depth tracking (retbleed=stuff) there is one return more than calls that
 * were counted, which makes the processor's buffer be stuffed sooner, never later.
 */
#include <linux/linkage.h>
#include <linux/objtool.h>
#include <asm/asm.h>
#include <asm/frame.h>
#include <asm/nospec-branch.h>
#include <asm/unwind_hints.h>

#include "../../hook.h"

	.text

#ifdef CONFIG_DYNAMIC_FTRACE_WITH_DIRECT_CALLS
/*
 * Called by the site. On the stack: behind the site, then the function's caller.
 * Aligned, since an odd address would mean "to be jumped to" to ftrace.
 */
SYM_START(gdl_hook_trampoline, SYM_L_GLOBAL, SYM_A_ALIGN)
#ifdef ENDBR
	ENDBR				/* its address is taken, as objtool sees */
#endif
	movq	(%rsp), %rax		/* who is it? */
	movl	%eax, %r10d
	shrl	$GDL_HOOK_SLOT_SHIFT, %r10d
1:	andl	$(GDL_HOOK_SLOTS - 1), %r10d
	movzbl	gdl_hook_slots(%r10), %r11d
	testl	%r11d, %r11d
	jz	3f			/* not seen yet */
	cmpq	gdl_hook_sites(, %r11, 8), %rax
	jne	2f
	movq	gdl_hook_wrappers(, %r11, 8), %rax
	movq	%rax, (%rsp)		/* instead of behind the site, */
	RET				/* to the wrapper, as if the caller called it */
2:	incl	%r10d			/* another function's slot: try the next */
	jmp	1b

3:	FRAME_BEGIN
	pushq	%rdi			/* the arguments */
	pushq	%rsi
	pushq	%rdx
	pushq	%rcx
	pushq	%r8
	pushq	%r9
	movq	%rax, %rdi
	call	gdl_hook_learn		/* the wrapper, or behind the site */
	popq	%r9
	popq	%r8
	popq	%rcx
	popq	%rdx
	popq	%rsi
	popq	%rdi
	FRAME_END
	movq	%rax, (%rsp)
	RET
SYM_FUNC_END(gdl_hook_trampoline)
#endif

/* gdl_original_FUNCTION: called by the wrapper, goes on behind the function's site. */
.macro ORIGINAL function
SYM_START(gdl_original_\function, SYM_L_GLOBAL, SYM_A_ALIGN)
	ANNOTATE_INTRA_FUNCTION_CALL
	call	.Lreturn_\function	/* a call for the return below to take back */
	int3
.Lreturn_\function:
	movq	gdl_hook_sites + 8 * gdl_hook_id(%rip), %rax
	movq	%rax, (%rsp)
	UNWIND_HINT_FUNC
	RET
SYM_FUNC_END(gdl_original_\function)
	.set gdl_hook_id, gdl_hook_id + 1
.endm

	.set gdl_hook_id, 1
#define HOOK(type, function, ...)	ORIGINAL function;
GDL_HOOKS(HOOK)
