// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory of programs. A page of it may be long in coming, or never come: userfaultfd and
 * FUSE leave it to a program, of any user, to bring it.
 *
 * To remove a file of /proc is to wait for all calls that are in it, and nothing ends
 * that wait. So none of ours may wait for a page while the module can go. It copies what
 * is there, and waits for the rest with a reference to the module: then delete_module()
 * fails at once, "in use". Once the module is going there are no references to be had,
 * and the call fails. An open file, or a reader whose memory is there, holds nothing up.
 */

#include <linux/compiler.h>
#include <linux/errno.h>
#include <linux/module.h>
#include <linux/uaccess.h>

#include "gpu_dma_lock.h"

/**
 * gdl_user_wait_begin() - memory of the current program may be waited for
 *
 * While the module is being loaded it may not either: that may fail yet, and then the
 * files go as well.
 *
 * Context: Any; caller is in a function that the module's end waits for.
 * Return: Whether it may: then the module stays until gdl_user_wait_end().
 */
bool gdl_user_wait_begin(void)
{
	return READ_ONCE(THIS_MODULE->state) == MODULE_STATE_LIVE &&
	       try_module_get(THIS_MODULE);
}

/**
 * gdl_user_wait_end() - it is waited for no more
 *
 * Context: As gdl_user_wait_begin(), which has said yes.
 */
void gdl_user_wait_end(void)
{
	module_put(THIS_MODULE);
}

/**
 * gdl_copy_from_user() - copy from the current program
 * @to: where to
 * @from: where from
 * @len: bytes
 *
 * Context: May sleep. Caller is in a function that the module's end waits for.
 * Return: 0; -EFAULT no such memory; -ENODEV it is not there, and the module is being
 * loaded or unloaded.
 */
int gdl_copy_from_user(void *to, const void __user *from, size_t len)
{
	size_t left;

	pagefault_disable();
	left = copy_from_user(to, from, len);
	pagefault_enable();
	if (likely(!left))
		return 0;
	if (!gdl_user_wait_begin())
		return -ENODEV;
	left = copy_from_user(to, from, len);
	gdl_user_wait_end();
	return left ? -EFAULT : 0;
}

/**
 * gdl_copy_to_user() - copy to the current program
 * @to: where to
 * @from: where from
 * @len: bytes
 *
 * Context: As gdl_copy_from_user().
 * Return: Likewise.
 */
int gdl_copy_to_user(void __user *to, const void *from, size_t len)
{
	size_t left;

	pagefault_disable();
	left = copy_to_user(to, from, len);
	pagefault_enable();
	if (likely(!left))
		return 0;
	if (!gdl_user_wait_begin())
		return -ENODEV;
	left = copy_to_user(to, from, len);
	gdl_user_wait_end();
	return left ? -EFAULT : 0;
}
