/* SPDX-License-Identifier: GPL-2.0-only */
/* What /dev/nvidia_peer does, for who asks by ioctl. */
#ifndef TESTS_NVIDIA_PEER_H
#define TESTS_NVIDIA_PEER_H

#include <linux/ioctl.h>
#include <linux/types.h>

struct nvidia_peer_ask {
	__u64 address;		/* that its pages are known by */
	__u64 length;		/* GET, EXPORT: bytes */
	__u32 persistent;	/* GET */
	__u32 quiet;		/* GET: the callback does not call free_page_table */
	__u32 token;		/* that tells programs which use the same address apart; or 0 */
	__u32 late;		/* PUT: of what was revoked, as if that was not known yet */
};

#define NVIDIA_PEER_GET		_IOW('P', 0, struct nvidia_peer_ask)
#define NVIDIA_PEER_PUT		_IOW('P', 1, struct nvidia_peer_ask)
#define NVIDIA_PEER_MAP		_IOW('P', 2, struct nvidia_peer_ask)
#define NVIDIA_PEER_UNMAP	_IOW('P', 3, struct nvidia_peer_ask)
#define NVIDIA_PEER_REVOKE	_IOW('P', 4, struct nvidia_peer_ask)
#define NVIDIA_PEER_EXPORT	_IOW('P', 5, struct nvidia_peer_ask)	/* a file descriptor */

#endif /* TESTS_NVIDIA_PEER_H */
