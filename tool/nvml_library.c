// SPDX-License-Identifier: GPL-2.0-only
/*
 * NVML: NVIDIA's library that tells of its GPUs, and what it says of processes.
 *
 * It is looked for when it is needed, and nothing of it is needed to build this: the functions
 * and structures below are those of its documented interface. It comes and goes with the driver,
 * and one that is of another driver than is loaded now says so, and has to be opened anew.
 *
 * A process that computes and draws is in the lists of both, with all its memory in each, so it
 * counts once. On a GPU that is partitioned (MIG) it is there once for each instance, with what it
 * has in that, so these are added.
 */

#include <dlfcn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "message.h"
#include "nvml_library.h"

/* nvmlReturn_t; more have no meaning of their own here. */
enum {
	NVML_SUCCESS = 0,
	NVML_UNINITIALIZED = 1,
	NVML_NOT_SUPPORTED = 3,
	NVML_INSUFFICIENT_SIZE = 7,
	NVML_DRIVER_NOT_LOADED = 9,
	NVML_LIBRARY_NOT_FOUND = 12,
	NVML_LIB_RM_VERSION_MISMATCH = 18,
};

struct pci_info {		/* nvmlPciInfo_t of nvmlDeviceGetPciInfo_v3 */
	char bus_id_legacy[16];
	unsigned int domain, bus, device, device_id, subsystem_id;
	char bus_id[32];
};

struct memory {			/* nvmlMemory_t */
	unsigned long long total, free, used;
};

/* nvmlProcessInfo_v1_t, and with instances v2. */
struct process_info {
	unsigned int pid;
	unsigned long long bytes;
	unsigned int gpu_instance, compute_instance;
};

#define ENTRY_V1	16
#define ENTRY_V2	24
/* Drivers 535.43 to 535.86 have one member more in _v3, and told nobody. */
#define ENTRY_535	32

/* No instance: the GPU is not partitioned, or the library does not know of that. */
#define NO_INSTANCE	UINT32_MAX

/* What is not written by the library. */
#define UNWRITTEN	0xa5

/* More is no number of GPUs, or of processes. */
#define DEVICES_MAX	1024
#define PROCESSES_MAX	(1U << 20)
#define PROCESSES_FIRST	64
/* NV2080_CTRL_GPU_GET_PIDS_MAX_COUNT: the driver tells of no more, nor that there are. */
#define PROCESSES_TOLD	950

typedef int (*list_function)(void *device, unsigned int *count, void *entries);

/* Processes of one sort. */
struct list {
	list_function get;
	size_t entry;		/* bytes */
	unsigned char *entries;
	unsigned int room;	/* in entries of the largest size */
};

static const struct {
	const char *name, *version;
	size_t entry;
} list_functions[][3] = {
	{ { "nvmlDeviceGetComputeRunningProcesses_v3", "_v3", ENTRY_V2 },
	  { "nvmlDeviceGetComputeRunningProcesses_v2", "_v2", ENTRY_V2 },
	  { "nvmlDeviceGetComputeRunningProcesses", "", ENTRY_V1 } },
	{ { "nvmlDeviceGetGraphicsRunningProcesses_v3", "_v3", ENTRY_V2 },
	  { "nvmlDeviceGetGraphicsRunningProcesses_v2", "_v2", ENTRY_V2 },
	  { "nvmlDeviceGetGraphicsRunningProcesses", "", ENTRY_V1 } },
	{ { "nvmlDeviceGetMPSComputeRunningProcesses_v3", "_v3", ENTRY_V2 },
	  { "nvmlDeviceGetMPSComputeRunningProcesses_v2", "_v2", ENTRY_V2 },
	  { "nvmlDeviceGetMPSComputeRunningProcesses", "", ENTRY_V1 } },
};

#define LISTS		(sizeof(list_functions) / sizeof(*list_functions))
#define VERSIONS	(sizeof(*list_functions) / sizeof(**list_functions))

struct nvml_library {
	const char *const *paths;	/* NULL behind the last */
	void *handle;			/* NULL if it is not open, and all below has no meaning */
	int (*init)(void);
	int (*shutdown)(void);
	const char *(*error_string)(int status);
	int (*driver_version)(char *version, unsigned int len);
	int (*device_count)(unsigned int *count);
	int (*device_handle)(unsigned int index, void **device);
	int (*pci_info)(void *device, struct pci_info *info);
	int (*memory_info)(void *device, struct memory *memory);
	int (*uuid)(void *device, char *uuid, unsigned int len);
	struct list lists[LISTS];
	char names[DEVICES_MAX][32];	/* of devices that may be lost now */
	/* The processes of a device, before each is there once. */
	struct process_info *found;
	size_t found_count, found_room;
};

static const struct {
	const char *name;
	size_t at;
	bool needed;
} functions[] = {
	{ "nvmlInit_v2", offsetof(struct nvml_library, init), true },
	{ "nvmlShutdown", offsetof(struct nvml_library, shutdown), true },
	{ "nvmlErrorString", offsetof(struct nvml_library, error_string), false },
	{ "nvmlSystemGetDriverVersion", offsetof(struct nvml_library, driver_version), false },
	{ "nvmlDeviceGetCount_v2", offsetof(struct nvml_library, device_count), true },
	{ "nvmlDeviceGetHandleByIndex_v2", offsetof(struct nvml_library, device_handle), true },
	{ "nvmlDeviceGetPciInfo_v3", offsetof(struct nvml_library, pci_info), true },
	{ "nvmlDeviceGetMemoryInfo", offsetof(struct nvml_library, memory_info), false },
	{ "nvmlDeviceGetUUID", offsetof(struct nvml_library, uuid), false },
};

#define FUNCTIONS	(sizeof(functions) / sizeof(*functions))

/**
 * nvml_library_new() - a library that is not open yet
 * @paths: where it may be, the first that can be opened is taken; NULL behind the last. They must
 *	stay.
 *
 * Return: the library, to be given to nvml_library_free().
 */
struct nvml_library *nvml_library_new(const char *const *paths)
{
	struct nvml_library *l = make(1, sizeof(*l));

	l->paths = paths;
	return l;
}

/* NVML's words for a status, and its number; to be given to free(). */
static char *status_text(const struct nvml_library *l, int status)
{
	const char *words = l->error_string ? l->error_string(status) : NULL;

	return text("%s (NVML error %d)", words ? words : "unknown error", status);
}

static void close_library(struct nvml_library *l)
{
	const char *const *paths = l->paths;
	size_t i;

	if (l->handle)
		dlclose(l->handle);
	for (i = 0; i < LISTS; i++)
		free(l->lists[i].entries);
	free(l->found);
	memset(l, 0, sizeof(*l));
	l->paths = paths;
}

static void *open_first(const char *const *paths, char **error)
{
	void *handle = NULL;
	char *reason;

	for (; *paths && !handle; paths++) {
		handle = dlopen(*paths, RTLD_NOW | RTLD_LOCAL);
		reason = handle ? NULL : dlerror();
		free(*error);
		*error = reason ? must(strdup(reason)) : NULL;
	}
	return handle;
}

/* Returns what is missing, or NULL. */
static const char *find_functions(struct nvml_library *l)
{
	size_t i, j;

	for (i = 0; i < FUNCTIONS; i++) {
		void *function = dlsym(l->handle, functions[i].name);

		if (!function && functions[i].needed)
			return functions[i].name;
		memcpy((char *)l + functions[i].at, &function, sizeof(function));
	}
	for (i = 0; i < LISTS; i++) {
		for (j = 0; j < VERSIONS && !l->lists[i].get; j++) {
			void *function = dlsym(l->handle, list_functions[i][j].name);

			memcpy(&l->lists[i].get, &function, sizeof(function));
			l->lists[i].entry = list_functions[i][j].entry;
		}
	}
	return l->lists[0].get ? NULL : list_functions[0][VERSIONS - 1].name;
}

/* The drivers whose _v3 has one member more. */
static void fit_entries(struct nvml_library *l)
{
	char version[96] = "";
	unsigned int major, minor;
	size_t i;

	if (!l->driver_version || l->driver_version(version, sizeof(version)) ||
	    sscanf(version, "%u.%u", &major, &minor) != 2 || major != 535 || minor < 43 ||
	    minor > 86)
		return;
	for (i = 0; i < LISTS; i++)
		if (dlsym(l->handle, list_functions[i][0].name))
			l->lists[i].entry = ENTRY_535;
}

/* Returns what is wrong, to be given to free(), or NULL. */
static char *open_library(struct nvml_library *l)
{
	const char *missing;
	char *error = NULL;
	int status;

	l->handle = open_first(l->paths, &error);
	if (!l->handle)
		return error ? error : text("no library");
	missing = find_functions(l);
	if (missing) {
		error = text("the library has no %s", missing);
		close_library(l);
		return error;
	}
	status = l->init();
	if (status) {
		error = status_text(l, status);
		close_library(l);
		return error;
	}
	fit_entries(l);
	return NULL;
}

/**
 * nvml_library_free() - close a library
 * @l: what nvml_library_new() returned
 */
void nvml_library_free(struct nvml_library *l)
{
	if (l->handle)
		l->shutdown();
	close_library(l);
	free(l);
}

/* What only ends by opening the library anew. */
static bool is_over(int status)
{
	return status == NVML_UNINITIALIZED || status == NVML_DRIVER_NOT_LOADED ||
	       status == NVML_LIBRARY_NOT_FOUND || status == NVML_LIB_RM_VERSION_MISMATCH;
}

static struct process_info entry_at(const struct list *list, unsigned int i)
{
	struct process_info info = {
		.gpu_instance = NO_INSTANCE, .compute_instance = NO_INSTANCE,
	};
	size_t size = list->entry < sizeof(info) ? list->entry : sizeof(info);

	memcpy(&info, list->entries + i * list->entry, size);
	return info;
}

/* The last entry is there, down to its bytes; else the library's entries are smaller than its
 * version says.
 */
static bool is_written(const struct list *list, unsigned int count)
{
	const unsigned char *last = list->entries + (count - 1) * list->entry;
	size_t i;

	for (i = offsetof(struct process_info, bytes); i < ENTRY_V1; i++)
		if (last[i] != UNWRITTEN)
			return true;
	return false;
}

/* Asks for a list in all the room that it wants. Returns a status; or -1, and *error is set. */
static int get_list(struct list *list, void *device, unsigned int *count, char **error)
{
	int status;

	for (;;) {
		if (!list->entries) {
			list->room = list->room ? list->room : PROCESSES_FIRST;
			list->entries = make(list->room, ENTRY_535);
		}
		memset(list->entries, UNWRITTEN, (size_t)list->room * ENTRY_535);
		*count = list->room;
		status = list->get(device, count, list->entries);
		if (status != NVML_INSUFFICIENT_SIZE)
			break;
		if (*count > PROCESSES_MAX || list->room >= PROCESSES_MAX) {
			*error = text("NVML says that there are %u processes", *count);
			return -1;
		}
		/* Some say no number, and more come meanwhile. */
		list->room = (*count > list->room ? *count : list->room) / 2 * 3;
		free(list->entries);
		list->entries = NULL;
	}
	if (status)
		return status;
	if (*count > list->room)
		*error = text("NVML tells of %u processes in room for %u", *count, list->room);
	else if (*count && !is_written(list, *count))
		*error = text("NVML tells of %u processes, and less than that", *count);
	return *error ? -1 : 0;
}

static int by_pid(const void *a, const void *b)
{
	const struct process_info *x = a, *y = b;

	if (x->pid != y->pid)
		return x->pid < y->pid ? -1 : 1;
	if (x->gpu_instance != y->gpu_instance)
		return x->gpu_instance < y->gpu_instance ? -1 : 1;
	return (x->compute_instance > y->compute_instance) -
	       (x->compute_instance < y->compute_instance);
}

static bool is_same(const struct process_info *a, const struct process_info *b)
{
	return !by_pid(a, b);
}

static uint64_t add_bytes(uint64_t a, uint64_t b)
{
	return a == NVML_UNTOLD || b == NVML_UNTOLD || a + b < a ? NVML_UNTOLD : a + b;
}

/* Of the lists of one process and instance the one that tells most. */
static uint64_t more_bytes(uint64_t a, uint64_t b)
{
	if (a == NVML_UNTOLD || b == NVML_UNTOLD)
		return a == NVML_UNTOLD ? b : a;
	return a > b ? a : b;
}

/* Each process once: the lists are of the same memory, instances are not. */
static void join_processes(struct nvml_library *l, struct nvml_device *d)
{
	const struct process_info *found = l->found;
	size_t i = 0;

	if (!l->found_count)
		return;
	qsort(l->found, l->found_count, sizeof(*l->found), by_pid);
	d->processes = make(l->found_count, sizeof(*d->processes));
	while (i < l->found_count) {
		size_t first = i;
		uint64_t bytes = found[i++].bytes;

		for (; i < l->found_count && is_same(&found[first], &found[i]); i++)
			bytes = more_bytes(bytes, found[i].bytes);
		if (d->count && d->processes[d->count - 1].pid == found[first].pid) {
			struct nvml_process *p = &d->processes[d->count - 1];

			p->bytes = add_bytes(p->bytes, bytes);
		} else {
			d->processes[d->count++] = (struct nvml_process){
				found[first].pid, bytes,
			};
		}
	}
}

static void take_entries(struct nvml_library *l, const struct list *list, unsigned int count)
{
	unsigned int i;

	l->found = grow(l->found, &l->found_room, l->found_count + count, sizeof(*l->found));
	for (i = 0; i < count; i++)
		l->found[l->found_count++] = entry_at(list, i);
}

/* Returns a status of which the whole library is to be judged; what is wrong with the device is in
 * d->error.
 */
static int read_processes(struct nvml_library *l, void *device, struct nvml_device *d)
{
	bool supported = false;
	unsigned int count;
	int status = 0;
	size_t i;

	l->found_count = 0;
	for (i = 0; i < LISTS; i++) {
		if (!l->lists[i].get)
			continue;
		status = get_list(&l->lists[i], device, &count, &d->error);
		if (status == NVML_NOT_SUPPORTED)
			continue;
		if (status)
			break;
		supported = true;
		d->cut |= count >= PROCESSES_TOLD;
		take_entries(l, &l->lists[i], count);
	}
	if (status > 0 && (status != NVML_NOT_SUPPORTED || !supported))
		d->error = status_text(l, status);
	if (!d->error)
		join_processes(l, d);
	return status;
}

/* As the module has it: small letters, and four digits of the domain. */
static bool name_device(struct nvml_device *d, const struct pci_info *info)
{
	unsigned int domain, bus, device, function;
	char bus_id[sizeof(info->bus_id) + 1] = "";

	memcpy(bus_id, info->bus_id, sizeof(info->bus_id));
	if (sscanf(bus_id, "%x:%x:%x.%x", &domain, &bus, &device, &function) != 4)
		return false;
	snprintf(d->name, sizeof(d->name), "%04x:%02x:%02x.%x", domain, bus, device, function);
	return true;
}

static int read_device(struct nvml_library *l, unsigned int index, struct nvml_device *d)
{
	struct pci_info info = { 0 };
	struct memory memory = { 0 };
	void *device = NULL;
	int status = l->device_handle(index, &device);

	if (*l->names[index])
		memcpy(d->name, l->names[index], sizeof(d->name));
	else
		snprintf(d->name, sizeof(d->name), "GPU %u", index);
	if (!status)
		status = l->pci_info(device, &info);
	if (status) {
		d->error = status_text(l, status);
		return status;
	}
	if (!name_device(d, &info)) {
		d->error = text("NVML does not tell its PCI address");
		return 0;
	}
	memcpy(l->names[index], d->name, sizeof(d->name));
	if (!l->uuid || l->uuid(device, d->uuid, sizeof(d->uuid)))
		*d->uuid = '\0';
	d->uuid[sizeof(d->uuid) - 1] = '\0';
	if (l->memory_info && !l->memory_info(device, &memory))
		d->total = memory.total;
	return read_processes(l, device, d);
}

static int read_devices(struct nvml_library *l, struct nvml_reading *r)
{
	unsigned int count = 0, i;
	int status = l->device_count(&count);

	if (!status && count > DEVICES_MAX) {
		r->error = text("NVML says that there are %u GPUs", count);
		return 0;
	}
	for (i = 0; i < count && !status; i++) {
		r->devices = grow(r->devices, &r->room, r->count + 1, sizeof(*r->devices));
		r->devices[r->count] = (struct nvml_device){ 0 };
		status = read_device(l, i, &r->devices[r->count++]);
		if (!is_over(status))
			status = 0;
	}
	if (status)
		r->error = status_text(l, status);
	return status;
}

/**
 * nvml_library_read() - ask NVML for all that it knows of processes now
 * @l: the library, which is opened if it is not
 * @r: receives it; to be given to nvml_reading_free()
 *
 * Takes as long as the driver does, which may be for ever.
 */
void nvml_library_read(struct nvml_library *l, struct nvml_reading *r)
{
	*r = (struct nvml_reading){ 0 };
	if (!l->handle)
		r->error = open_library(l);
	if (!r->error && is_over(read_devices(l, r))) {
		l->shutdown();
		close_library(l);
	}
}

/**
 * nvml_reading_free() - forget what NVML said
 * @r: what nvml_library_read() filled
 */
void nvml_reading_free(struct nvml_reading *r)
{
	while (r->count--) {
		free(r->devices[r->count].error);
		free(r->devices[r->count].processes);
	}
	free(r->devices);
	free(r->error);
	*r = (struct nvml_reading){ 0 };
}
