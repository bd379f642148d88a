/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * io_uring: one call at a time, each by a worker of the kernel's, not by the task that
 * asks for it.
 */
#ifndef TESTS_ATTACKS_URING_H
#define TESTS_ATTACKS_URING_H

#include <linux/io_uring.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "client.h"

#define URING_ENTRIES	4

struct uring {
	int fd;
	struct io_uring_params params;
	char *sq, *cq;
	struct io_uring_sqe *sqes;
};

static inline char *uring_map(int fd, size_t size, off_t offset)
{
	return mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, offset);
}

/* False where the kernel has none, or does not let anybody use it. */
static inline bool uring_open(struct uring *ring)
{
	size_t sq, cq;

	memset(ring, 0, sizeof(*ring));
	ring->fd = syscall(SYS_io_uring_setup, URING_ENTRIES, &ring->params);
	if (ring->fd < 0)
		return false;
	sq = ring->params.sq_off.array + URING_ENTRIES * sizeof(__u32);
	cq = ring->params.cq_off.cqes + 2 * URING_ENTRIES * sizeof(struct io_uring_cqe);
	ring->sq = uring_map(ring->fd, sq, IORING_OFF_SQ_RING);
	ring->cq = uring_map(ring->fd, cq, IORING_OFF_CQ_RING);
	ring->sqes = (void *)uring_map(ring->fd, URING_ENTRIES * sizeof(*ring->sqes),
				       IORING_OFF_SQES);
	return ring->sq != MAP_FAILED && ring->cq != MAP_FAILED &&
	       ring->sqes != (void *)MAP_FAILED;
}

/* It and its maps stay till the process ends, but for what it holds. */
static inline void uring_close(struct uring *ring)
{
	close(ring->fd);
}

/* Runs what is in the first entry; returns its result. */
static inline int uring_run(struct uring *ring)
{
	__u32 *tail = (__u32 *)(ring->sq + ring->params.sq_off.tail);
	__u32 *array = (__u32 *)(ring->sq + ring->params.sq_off.array);
	__u32 *head = (__u32 *)(ring->cq + ring->params.cq_off.head);
	__u32 *cq_tail = (__u32 *)(ring->cq + ring->params.cq_off.tail);
	struct io_uring_cqe *cqes = (void *)(ring->cq + ring->params.cq_off.cqes);
	int result;

	array[*tail & (ring->params.sq_entries - 1)] = 0;
	__atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
	syscall(SYS_io_uring_enter, ring->fd, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0);
	while (__atomic_load_n(cq_tail, __ATOMIC_ACQUIRE) == *head)
		syscall(SYS_io_uring_enter, ring->fd, 0, 1, IORING_ENTER_GETEVENTS, NULL, 0);
	result = cqes[*head & (ring->params.cq_entries - 1)].res;
	__atomic_store_n(head, *head + 1, __ATOMIC_RELEASE);
	return result;
}

/* Returns what the call would, or minus its error number. */
static inline int uring_call(struct uring *ring, int op, int fd, const void *address,
			     __u32 flags)
{
	ring->sqes[0] = (struct io_uring_sqe){
		.opcode = op,
		.flags = IOSQE_ASYNC,
		.fd = fd,
		.addr = (unsigned long)address,
		.open_flags = flags,
	};
	return uring_run(ring);
}

/* Reads at @offset; returns how many bytes, or minus an error number. */
static inline int uring_read(struct uring *ring, int fd, void *buf, __u32 size, __u64 offset)
{
	ring->sqes[0] = (struct io_uring_sqe){
		.opcode = IORING_OP_READ,
		.flags = IOSQE_ASYNC,
		.fd = fd,
		.addr = (unsigned long)buf,
		.len = size,
		.off = offset,
	};
	return uring_run(ring);
}

/* As client_send_fd() does it. Returns 0 or an error number. */
static inline int uring_send_fd(struct uring *ring, int socket, int fd)
{
	struct client_fd_message m;
	int ret;

	client_fd_message(&m, fd);
	ring->sqes[0] = (struct io_uring_sqe){
		.opcode = IORING_OP_SENDMSG,
		.flags = IOSQE_ASYNC,
		.fd = socket,
		.addr = (unsigned long)&m.msg,
		.len = 1,
	};
	ret = uring_run(ring);
	return ret < 0 ? -ret : 0;
}

#endif /* TESTS_ATTACKS_URING_H */
