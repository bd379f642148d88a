/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The kernel's BPF iterator over dma-bufs (Linux 6.16 and later) with the smallest
 * program that tells something, the size of each; in BPF's own instructions, so that
 * no compiler for BPF is needed.
 */
#ifndef TESTS_DMABUF_ITER_H
#define TESTS_DMABUF_ITER_H

#include <linux/bpf.h>
#include <linux/btf.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tap.h"

#define ITER_BTF	"/sys/kernel/btf/vmlinux"
#define ITER_FUNCTION	"bpf_iter_dmabuf"

/* Bytes that follow a type of BTF. */
static inline size_t iter_btf_more(const struct btf_type *type)
{
	size_t n = BTF_INFO_VLEN(type->info);

	switch (BTF_INFO_KIND(type->info)) {
	case BTF_KIND_INT:
	case BTF_KIND_VAR:
	case BTF_KIND_DECL_TAG:
		return sizeof(__u32);
	case BTF_KIND_ARRAY:
		return sizeof(struct btf_array);
	case BTF_KIND_STRUCT:
	case BTF_KIND_UNION:
		return n * sizeof(struct btf_member);
	case BTF_KIND_ENUM:
		return n * sizeof(struct btf_enum);
	case BTF_KIND_ENUM64:
		return n * sizeof(struct btf_enum64);
	case BTF_KIND_FUNC_PROTO:
		return n * sizeof(struct btf_param);
	case BTF_KIND_DATASEC:
		return n * sizeof(struct btf_var_secinfo);
	default:
		return 0;
	}
}

/* The number of the iterator's type in the kernel's BTF, 0 if it has none. */
static inline __u32 iter_btf_id(void)
{
	int fd = open(ITER_BTF, O_RDONLY | O_CLOEXEC);
	const struct btf_header *head;
	const char *at, *end, *names;
	size_t size = 0, room = 64 << 20;
	char *data = malloc(room);
	__u32 id, found = 0;
	ssize_t n;

	if (fd < 0)
		goto out;
	while ((n = read(fd, data + size, room - size)) > 0)
		size += n;
	close(fd);
	head = (const void *)data;
	at = data + head->hdr_len + head->type_off;
	end = at + head->type_len;
	names = data + head->hdr_len + head->str_off;
	for (id = 1; at < end && !found; id++) {
		const struct btf_type *type = (const void *)at;

		if (BTF_INFO_KIND(type->info) == BTF_KIND_FUNC &&
		    !strcmp(names + type->name_off, ITER_FUNCTION))
			found = id;
		at += sizeof(*type) + iter_btf_more(type);
	}
out:
	free(data);
	return found;
}

static inline int iter_bpf(int command, union bpf_attr *attr)
{
	int fd = syscall(SYS_bpf, command, attr, sizeof(*attr));

	if (fd < 0)
		bail("bpf command %d", command);
	return fd;
}

/* A file whose reads run the program once for each dma-buf. */
static inline int iter_open(int link)
{
	union bpf_attr attr = { .iter_create = { .link_fd = link } };

	return iter_bpf(BPF_ITER_CREATE, &attr);
}

/*
 * A link to the program, or -1 if the kernel has no such iterator. The context holds
 * pointers to bpf_iter_meta, whose first member is the seq_file, and to dma_buf, whose
 * first is the size; the latter is NULL at the end.
 */
static inline int iter_link(void)
{
	static const struct bpf_insn program[] = {
		{ BPF_LDX | BPF_MEM | BPF_DW, BPF_REG_2, BPF_REG_1, 8, 0 },
		{ BPF_JMP | BPF_JEQ | BPF_K, BPF_REG_2, 0, 8, 0 },
		{ BPF_LDX | BPF_MEM | BPF_DW, BPF_REG_3, BPF_REG_2, 0, 0 },
		{ BPF_STX | BPF_MEM | BPF_DW, BPF_REG_10, BPF_REG_3, -8, 0 },
		{ BPF_LDX | BPF_MEM | BPF_DW, BPF_REG_1, BPF_REG_1, 0, 0 },
		{ BPF_LDX | BPF_MEM | BPF_DW, BPF_REG_1, BPF_REG_1, 0, 0 },
		{ BPF_ALU64 | BPF_MOV | BPF_X, BPF_REG_2, BPF_REG_10, 0, 0 },
		{ BPF_ALU64 | BPF_ADD | BPF_K, BPF_REG_2, 0, 0, -8 },
		{ BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_3, 0, 0, 8 },
		{ BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_seq_write },
		{ BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, 0 },
		{ BPF_JMP | BPF_EXIT, 0, 0, 0, 0 },
	};
	union bpf_attr attr = {
		.prog_type = BPF_PROG_TYPE_TRACING,
		.expected_attach_type = BPF_TRACE_ITER,
		.insns = (unsigned long)program,
		.insn_cnt = sizeof(program) / sizeof(*program),
		.license = (unsigned long)"GPL",
		.attach_btf_id = iter_btf_id(),
	};
	int prog;

	if (!attr.attach_btf_id)
		return -1;
	prog = iter_bpf(BPF_PROG_LOAD, &attr);
	memset(&attr, 0, sizeof(attr));
	attr.link_create.prog_fd = prog;
	attr.link_create.attach_type = BPF_TRACE_ITER;
	return iter_bpf(BPF_LINK_CREATE, &attr);
}

#endif /* TESTS_DMABUF_ITER_H */
