/* SPDX-License-Identifier: GPL-2.0-only */
/* Tracepoints: events/gpu_dma_lock in tracefs. */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM gpu_dma_lock

#if !defined(GPU_DMA_LOCK_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define GPU_DMA_LOCK_TRACE_H

#include <linux/tracepoint.h>

#include "gpu_dma_lock.h"
#include "gpu_dma_lock_check.h"

DECLARE_EVENT_CLASS(gdl_buffer,
	TP_PROTO(const struct gdl_buffer *b, const struct gdl_device_quota *dq),
	TP_ARGS(b, dq),
	TP_STRUCT__entry(
		__field(u64, id)
		__field(u64, agent)
		__field(u64, device)
		__field(u64, size)
		__string(kind, gdl_kind_names[b->kind])
	),
	TP_fast_assign(
		__entry->id = b->id;
		__entry->agent = dq->agent->id;
		__entry->device = dq->device->id;
		__entry->size = b->size;
		gdl_assign_str(kind, gdl_kind_names[b->kind]);
	),
	TP_printk("buffer=%llu agent=%llu device=%lld size=%llu kind=%s",
		  __entry->id, __entry->agent, __entry->device, __entry->size,
		  __get_str(kind))
);

DEFINE_EVENT(gdl_buffer, gdl_buffer_create,
	TP_PROTO(const struct gdl_buffer *b, const struct gdl_device_quota *dq),
	TP_ARGS(b, dq)
);

DEFINE_EVENT(gdl_buffer, gdl_buffer_settle,
	TP_PROTO(const struct gdl_buffer *b, const struct gdl_device_quota *dq),
	TP_ARGS(b, dq)
);

DEFINE_EVENT(gdl_buffer, gdl_buffer_free,
	TP_PROTO(const struct gdl_buffer *b, const struct gdl_device_quota *dq),
	TP_ARGS(b, dq)
);

DECLARE_EVENT_CLASS(gdl_attachment,
	TP_PROTO(const struct gdl_attachment *a),
	TP_ARGS(a),
	TP_STRUCT__entry(
		__field(u64, buffer)
		__field(u64, agent)
		__string(importer, a->importer)
	),
	TP_fast_assign(
		__entry->buffer = a->buffer_id;
		__entry->agent = READ_ONCE(a->agent)->id;
		gdl_assign_str(importer, a->importer);
	),
	TP_printk("buffer=%llu agent=%llu importer=%s", __entry->buffer,
		  __entry->agent, __get_str(importer))
);

DEFINE_EVENT(gdl_attachment, gdl_attach,
	TP_PROTO(const struct gdl_attachment *a),
	TP_ARGS(a)
);

DEFINE_EVENT(gdl_attachment, gdl_detach,
	TP_PROTO(const struct gdl_attachment *a),
	TP_ARGS(a)
);

DECLARE_EVENT_CLASS(gdl_mapping,
	TP_PROTO(const struct gdl_attachment *a,
		 enum dma_data_direction direction),
	TP_ARGS(a, direction),
	TP_STRUCT__entry(
		__field(u64, buffer)
		__field(u64, agent)
		__string(importer, a->importer)
		__string(direction, gdl_direction_names[direction])
	),
	TP_fast_assign(
		__entry->buffer = a->buffer_id;
		__entry->agent = READ_ONCE(a->agent)->id;
		gdl_assign_str(importer, a->importer);
		gdl_assign_str(direction, gdl_direction_names[direction]);
	),
	TP_printk("buffer=%llu agent=%llu importer=%s direction=%s",
		  __entry->buffer, __entry->agent, __get_str(importer),
		  __get_str(direction))
);

DEFINE_EVENT(gdl_mapping, gdl_map,
	TP_PROTO(const struct gdl_attachment *a,
		 enum dma_data_direction direction),
	TP_ARGS(a, direction)
);

DEFINE_EVENT(gdl_mapping, gdl_unmap,
	TP_PROTO(const struct gdl_attachment *a,
		 enum dma_data_direction direction),
	TP_ARGS(a, direction)
);

/* A charge over a limit; refused, or let pass and only counted. */
TRACE_EVENT(gdl_charge_denied,
	TP_PROTO(const struct gdl_device_quota *dq, u64 size, u64 over,
		 bool capacity, bool refused),
	TP_ARGS(dq, size, over, capacity, refused),
	TP_STRUCT__entry(
		__field(u64, agent)
		__field(u64, device)
		__field(u64, size)
		__field(u64, over)
		__field(bool, capacity)
		__field(bool, refused)
	),
	TP_fast_assign(
		__entry->agent = dq->agent->id;
		__entry->device = dq->device->id;
		__entry->size = size;
		__entry->over = over;
		__entry->capacity = capacity;
		__entry->refused = refused;
	),
	TP_printk("agent=%llu device=%lld size=%llu over=%llu limit=%s %s",
		  __entry->agent, __entry->device, __entry->size, __entry->over,
		  __entry->capacity ? "capacity" : "quota",
		  __entry->refused ? "refused" : "allowed")
);

/* A use of a buffer that is forbidden; refused, or let pass and only counted. */
DECLARE_EVENT_CLASS(gdl_use_denied,
	TP_PROTO(u64 buffer, const struct gdl_agent *agent, const char *use,
		 bool refused),
	TP_ARGS(buffer, agent, use, refused),
	TP_STRUCT__entry(
		__field(u64, buffer)
		__field(u64, agent)
		__string(use, use)
		__field(bool, refused)
	),
	TP_fast_assign(
		__entry->buffer = buffer;
		__entry->agent = agent->id;
		gdl_assign_str(use, use);
		__entry->refused = refused;
	),
	TP_printk("buffer=%llu agent=%llu use=%s %s", __entry->buffer,
		  __entry->agent, __get_str(use),
		  __entry->refused ? "refused" : "allowed")
);

/* By another agent's lock. */
DEFINE_EVENT(gdl_use_denied, gdl_lock_denied,
	TP_PROTO(u64 buffer, const struct gdl_agent *agent, const char *use,
		 bool refused),
	TP_ARGS(buffer, agent, use, refused)
);

/* For want of a permission. */
DEFINE_EVENT(gdl_use_denied, gdl_dma_denied,
	TP_PROTO(u64 buffer, const struct gdl_agent *agent, const char *use,
		 bool refused),
	TP_ARGS(buffer, agent, use, refused)
);

/* gpu_dma_lock_check() said no. */
TRACE_EVENT(gdl_check_denied,
	TP_PROTO(u64 agent, u64 addr, u64 size, unsigned int mode),
	TP_ARGS(agent, addr, size, mode),
	TP_STRUCT__entry(
		__field(u64, agent)
		__field(u64, addr)
		__field(u64, size)
		__field(unsigned int, mode)
	),
	TP_fast_assign(
		__entry->agent = agent;
		__entry->addr = addr;
		__entry->size = size;
		__entry->mode = mode;
	),
	TP_printk("agent=%llu addr=%#llx size=%llu mode=%s%s", __entry->agent,
		  __entry->addr, __entry->size,
		  __entry->mode & GPU_DMA_LOCK_READ ? "r" : "",
		  __entry->mode & GPU_DMA_LOCK_WRITE ? "w" : "")
);

/* A mapped segment outside the ranges of the buffer's agent. */
TRACE_EVENT(gdl_segment_outside,
	TP_PROTO(u64 buffer, const struct gdl_agent *agent, u64 addr, u64 size),
	TP_ARGS(buffer, agent, addr, size),
	TP_STRUCT__entry(
		__field(u64, buffer)
		__field(u64, agent)
		__field(u64, addr)
		__field(u64, size)
	),
	TP_fast_assign(
		__entry->buffer = buffer;
		__entry->agent = agent->id;
		__entry->addr = addr;
		__entry->size = size;
	),
	TP_printk("buffer=%llu agent=%llu addr=%#llx size=%llu", __entry->buffer,
		  __entry->agent, __entry->addr, __entry->size)
);

TRACE_EVENT(gdl_policy,
	TP_PROTO(const char *from, const char *to),
	TP_ARGS(from, to),
	TP_STRUCT__entry(
		__string(from, from)
		__string(to, to)
	),
	TP_fast_assign(
		gdl_assign_str(from, from);
		gdl_assign_str(to, to);
	),
	TP_printk("from=%s to=%s", __get_str(from), __get_str(to))
);

/* A bound cgroup has gone or come: its binding is waiting or bound. */
TRACE_EVENT(gdl_binding,
	TP_PROTO(const struct gdl_binding *b, const char *state),
	TP_ARGS(b, state),
	TP_STRUCT__entry(
		__field(u64, agent)
		__field(bool, template)
		__string(path, b->cgroup.path->name)
		__string(state, state)
	),
	TP_fast_assign(
		__entry->agent = b->agent->id;
		__entry->template = b->template;
		gdl_assign_str(path, b->cgroup.path->name);
		gdl_assign_str(state, state);
	),
	TP_printk("agent=%llu cgroup=%s state=%s template=%d", __entry->agent,
		  __get_str(path), __get_str(state), __entry->template)
);

/* A cgroup did not become an agent. */
TRACE_EVENT(gdl_template_failed,
	TP_PROTO(const char *path, const char *why),
	TP_ARGS(path, why),
	TP_STRUCT__entry(
		__string(path, path)
		__string(why, why)
	),
	TP_fast_assign(
		gdl_assign_str(path, path);
		gdl_assign_str(why, why);
	),
	TP_printk("cgroup=%s why=%s", __get_str(path), __get_str(why))
);

#endif /* GPU_DMA_LOCK_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
