/* SPDX-License-Identifier: GPL-2.0-only */
/* /dev/sleeper, whose buffers put their users to sleep: see sleeper.c. */
#ifndef TESTS_MODULES_SLEEPER_H
#define TESTS_MODULES_SLEEPER_H

#include <linux/ioctl.h>

#define SLEEPER_SIZE	4096	/* bytes of each buffer */

#define SLEEPER_EXPORT	_IO('s', 1)	/* returns a file descriptor of a new buffer */
#define SLEEPER_ATTACH	_IO('s', 2)	/* to the buffer of that file descriptor */
#define SLEEPER_MAP	_IO('s', 3)
#define SLEEPER_UNMAP	_IO('s', 4)
#define SLEEPER_DETACH	_IO('s', 5)
#define SLEEPER_DROP	_IO('s', 6)	/* detaches without unmapping, as importers may */

/* Where they sleep: bits of debugfs, sleeper/sleep. */
enum sleeper_op {
	SLEEPER_IN_ATTACH,
	SLEEPER_IN_MAP,
	SLEEPER_IN_UNMAP,
	SLEEPER_IN_DETACH,
	SLEEPER_IN_MMAP,
	SLEEPER_IN_RELEASE,
	NR_SLEEPER_OPS,
};

#endif /* TESTS_MODULES_SLEEPER_H */
