// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a BPF user would write to know who holds what: GEM objects and dma-bufs by the
 * process that made them, and the totals of each process. A program runs for each end
 * of a life that gpu_dma_lock hooks on vgem, too. peer.c loads it.
 *
 * Only the fields that are read are declared: CO-RE finds them in the kernel's types.
 */
#include <linux/bpf.h>
#include <linux/errno.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "peer_maps.h"

#define OBJECTS_MAX	65536
#define PROCESSES_MAX	4096
#define ERRNO_MAX	4095

struct dma_buf {
	unsigned long size;
} __attribute__((preserve_access_index));

struct dentry {
	void *d_fsdata;
} __attribute__((preserve_access_index));

struct object {
	__u64 size;
	__u32 pid;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, OBJECTS_MAX);
	__type(key, __u64);
	__type(value, struct object);
} objects SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, PROCESSES_MAX);
	__type(key, __u32);
	__type(value, struct peer_total);
} totals SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, NR_PEER_COUNTERS);
	__type(key, __u32);
	__type(value, __u64);
} counters SEC(".maps");

static __always_inline void count(__u32 counter)
{
	__u64 *n = bpf_map_lookup_elem(&counters, &counter);

	if (n)
		__sync_fetch_and_add(n, 1);
}

static __always_inline struct peer_total *total_of(__u32 pid)
{
	struct peer_total *total = bpf_map_lookup_elem(&totals, &pid);
	struct peer_total none = {};

	if (total)
		return total;
	/* Of two threads that find none, one adds it, and both find it then. */
	bpf_map_update_elem(&totals, &pid, &none, BPF_NOEXIST);
	return bpf_map_lookup_elem(&totals, &pid);
}

static __always_inline void take(const void *address, __u64 size, enum peer_kind kind)
{
	__u32 pid = bpf_get_current_pid_tgid() >> 32;
	struct object object = { .size = size, .pid = pid };
	struct peer_total *total = total_of(pid);
	__u64 key = (__u64)address;

	if (!total || bpf_map_update_elem(&objects, &key, &object, BPF_ANY)) {
		count(PEER_LOST);
		return;
	}
	__sync_fetch_and_add(&total->bytes[kind], size);
}

/* What was made before the programs were attached is not known. */
static __always_inline void drop(const void *address, enum peer_kind kind)
{
	__u64 key = (__u64)address;
	struct object *object = bpf_map_lookup_elem(&objects, &key);
	struct peer_total *total;

	if (!object)
		return;
	total = bpf_map_lookup_elem(&totals, &object->pid);
	if (total)
		__sync_fetch_and_add(&total->bytes[kind], -object->size);
	bpf_map_delete_elem(&objects, &key);
}

/* Every driver's objects pass here, those of drm_gem_object_init() too. */
SEC("fentry/drm_gem_private_object_init")
int BPF_PROG(peer_gem_init, void *device, void *gem, unsigned long size)
{
	take(gem, size, PEER_GEM);
	return 0;
}

SEC("fentry/drm_gem_object_release")
int BPF_PROG(peer_gem_release, void *gem)
{
	drop(gem, PEER_GEM);
	return 0;
}

SEC("fexit/dma_buf_export")
int BPF_PROG(peer_export, const void *info, struct dma_buf *dmabuf)
{
	if ((unsigned long)dmabuf < -(unsigned long)ERRNO_MAX)
		take(dmabuf, dmabuf->size, PEER_DMABUF);
	return 0;
}

SEC("fentry/dma_buf_release")
int BPF_PROG(peer_release, struct dentry *dentry)
{
	drop(dentry->d_fsdata, PEER_DMABUF);
	return 0;
}

/* For --count, which says of which function. */
SEC("fentry")
int peer_count(void *ctx)
{
	count(PEER_HITS);
	return 0;
}

char _license[] SEC("license") = "GPL";
