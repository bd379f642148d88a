// SPDX-License-Identifier: GPL-2.0-only
/*
 * A stand-in for libnvidia-ml.so.1, with the names, structures and statuses of NVIDIA's. What it
 * says is in the file NVML_SCENARIO, which each call reads anew:
 *
 * driver VERSION
 * init STATUS
 * count GPUS
 * gpu INDEX BUS_ID UUID BYTES
 * compute|graphics|mps INDEX PID BYTES [GPU_INSTANCE COMPUTE_INSTANCE]
 * many INDEX FIRST_PID COUNT BYTES	likewise compute, of pids in a row
 * fail FUNCTION STATUS [INDEX]		FUNCTION without nvml in front
 * claim INDEX COUNT [more]		so many, whatever there are; more: in more room
 * hang FUNCTION			until this line is there no more
 * entry BYTES				of a process, in lists
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define INVALID_ARGUMENT	2
#define NOT_FOUND		6
#define INSUFFICIENT_SIZE	7
#define ENTRY			24

struct line {
	char words[7][96];
	int count;
};

struct pci_info {
	char bus_id_legacy[16];
	unsigned int domain, bus, device, device_id, subsystem_id;
	char bus_id[32];
};

struct memory {
	unsigned long long total, free, used;
};

struct process_info {
	unsigned int pid;
	unsigned long long bytes;
	unsigned int gpu_instance, compute_instance;
	unsigned long long protected_bytes;
};

/* Devices are pointers into this. */
static char devices[64];

static unsigned int index_of(const void *device)
{
	return (const char *)device - devices;
}

/* The next line whose first word this is. */
static int next_line(FILE *file, const char *first, struct line *line)
{
	char text[700];

	while (file && fgets(text, sizeof(text), file)) {
		char (*w)[96] = line->words;

		line->count = sscanf(text, "%95s %95s %95s %95s %95s %95s %95s", w[0], w[1], w[2],
				     w[3], w[4], w[5], w[6]);
		if (line->count > 0 && !strcmp(w[0], first))
			return 1;
	}
	return 0;
}

static FILE *open_scenario(void)
{
	const char *path = getenv("NVML_SCENARIO");

	return path ? fopen(path, "re") : NULL;
}

/* Whether there is a line "FIRST SECOND", with INDEX as word AT if that is not 0. */
static int find_line(const char *first, const char *second, unsigned int index, int at,
		     struct line *line)
{
	FILE *file = open_scenario();
	int found = 0;

	while (!found && next_line(file, first, line))
		found = (!second || !strcmp(line->words[1], second)) &&
			(!at || line->count <= at ||
			 strtoul(line->words[at], NULL, 10) == index);
	if (file)
		fclose(file);
	return found;
}

/* Hangs if it is to, and returns what the function is to return. */
static int status_of(const char *function, unsigned int index)
{
	struct line line;

	while (find_line("hang", function, 0, 0, &line))
		usleep(10000);
	return find_line("fail", function, index, 3, &line) ? atoi(line.words[2]) : 0;
}

int nvmlInit_v2(void)
{
	struct line line;
	int status = status_of("Init", 0);

	if (!status && find_line("init", NULL, 0, 0, &line))
		status = atoi(line.words[1]);
	return status;
}

int nvmlShutdown(void)
{
	return status_of("Shutdown", 0);
}

const char *nvmlErrorString(int status)
{
	return status == 15 ? "GPU is lost" : status == 9 ? "Driver Not Loaded" :
	       status == 1 ? "Uninitialized" : "another error";
}

int nvmlSystemGetDriverVersion(char *version, unsigned int len)
{
	struct line line;

	snprintf(version, len, "%s",
		 find_line("driver", NULL, 0, 0, &line) ? line.words[1] : "550.163.01");
	return 0;
}

int nvmlDeviceGetCount_v2(unsigned int *count)
{
	struct line line;

	*count = find_line("count", NULL, 0, 0, &line) ? strtoul(line.words[1], NULL, 10) : 0;
	return status_of("DeviceGetCount", 0);
}

int nvmlDeviceGetHandleByIndex_v2(unsigned int index, void **device)
{
	if (index >= sizeof(devices))
		return INVALID_ARGUMENT;
	*device = &devices[index];
	return status_of("DeviceGetHandleByIndex", index);
}

int nvmlDeviceGetPciInfo_v3(void *device, struct pci_info *info)
{
	struct line line;

	memset(info, 0, sizeof(*info));
	if (!find_line("gpu", NULL, index_of(device), 1, &line))
		return NOT_FOUND;
	snprintf(info->bus_id, sizeof(info->bus_id), "%.31s", line.words[2]);
	return status_of("DeviceGetPciInfo", index_of(device));
}

int nvmlDeviceGetMemoryInfo(void *device, struct memory *memory)
{
	struct line line;

	memset(memory, 0, sizeof(*memory));
	if (!find_line("gpu", NULL, index_of(device), 1, &line))
		return NOT_FOUND;
	memory->total = strtoull(line.words[4], NULL, 10);
	return status_of("DeviceGetMemoryInfo", index_of(device));
}

int nvmlDeviceGetUUID(void *device, char *uuid, unsigned int len)
{
	struct line line;

	if (!find_line("gpu", NULL, index_of(device), 1, &line))
		return NOT_FOUND;
	snprintf(uuid, len, "%s", line.words[3]);
	return 0;
}

static size_t entry_size(void)
{
	struct line line;

	return find_line("entry", NULL, 0, 0, &line) ? strtoul(line.words[1], NULL, 10) : ENTRY;
}

/* Writes it if there is room. */
static void add(char *entries, unsigned int room, unsigned int *count, size_t size,
		const struct process_info *info)
{
	if (*count < room)
		memcpy(entries + *count * size, info, size);
	++*count;
}

static void add_lines(const char *list, unsigned int index, char *entries, unsigned int room,
		      unsigned int *count)
{
	struct process_info info = { .gpu_instance = -1U, .compute_instance = -1U };
	FILE *file = open_scenario();
	size_t size = entry_size();
	struct line line;

	while (next_line(file, list, &line)) {
		if (strtoul(line.words[1], NULL, 10) != index)
			continue;
		info.pid = strtoul(line.words[2], NULL, 10);
		info.bytes = strtoull(line.words[3], NULL, 10);
		info.gpu_instance = line.count > 4 ? strtoul(line.words[4], NULL, 10) : -1U;
		info.compute_instance = line.count > 5 ? strtoul(line.words[5], NULL, 10) : -1U;
		add(entries, room, count, size, &info);
	}
	if (file)
		fclose(file);
}

static void add_many(unsigned int index, char *entries, unsigned int room, unsigned int *count)
{
	struct process_info info = { .gpu_instance = -1U, .compute_instance = -1U };
	size_t size = entry_size();
	unsigned int left;
	struct line line;

	if (!find_line("many", NULL, index, 1, &line))
		return;
	info.pid = strtoul(line.words[2], NULL, 10);
	info.bytes = strtoull(line.words[4], NULL, 10);
	for (left = strtoul(line.words[3], NULL, 10); left; left--) {
		add(entries, room, count, size, &info);
		info.pid++;
	}
}

static int get_list(const char *list, const char *function, void *device, unsigned int *count,
		    void *entries)
{
	unsigned int room = *count, index = index_of(device);
	int status = status_of(function, index), compute = !strcmp(list, "compute");
	struct line line;

	if (status)
		return status;
	*count = 0;
	add_lines(list, index, entries, room, count);
	if (compute)
		add_many(index, entries, room, count);
	if (compute && find_line("claim", NULL, index, 1, &line)) {
		*count = strtoul(line.words[2], NULL, 10);
		return line.count > 3 ? INSUFFICIENT_SIZE : 0;
	}
	return *count > room ? INSUFFICIENT_SIZE : 0;
}

int nvmlDeviceGetComputeRunningProcesses_v3(void *device, unsigned int *count, void *entries)
{
	return get_list("compute", "DeviceGetComputeRunningProcesses", device, count, entries);
}

int nvmlDeviceGetGraphicsRunningProcesses_v3(void *device, unsigned int *count, void *entries)
{
	return get_list("graphics", "DeviceGetGraphicsRunningProcesses", device, count, entries);
}

int nvmlDeviceGetMPSComputeRunningProcesses_v3(void *device, unsigned int *count, void *entries)
{
	return get_list("mps", "DeviceGetMPSComputeRunningProcesses", device, count, entries);
}
