// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reports: what NVML says of processes, told to the module.
 *
 * All are of one session, an open file of control: when that is closed, by whatever end of this
 * program, all its rows go. Rows of which NVML says nothing any more are not touched, and become
 * stale by themselves. What is wrong is said when it begins, and when it ends.
 *
 * NVML tells a process by its number, and may do so after that process has ended, when another one
 * has the number. So a process is known by when it began, too. Once that has ended of which NVML
 * told, the number is not reported until NVML has told nothing of it.
 */

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control.h"
#include "holder.h"
#include "message.h"
#include "nvml_report.h"
#include "table.h"
#include "word.h"

/* The module takes so much of a write. */
#define WRITE_MAX	65536

/* The most that the module takes: of a GPU that does not tell how much it has. */
#define BYTES_MAX	(UINT64_C(1) << 46)

/* A process of which NVML has told. */
struct row {
	uint32_t pid;
	uint64_t start;		/* when it began, 0 if that is not known */
	bool listed;		/* in the last reading */
	bool ended;		/* and NVML has told of it ever since */
	bool reported;		/* it has a row in the module, as far as is known */
	bool written;		/* by the last reading, with what it has now */
	unsigned int missing;	/* so many readings in a row found no such process */
};

/* A GPU of NVML's. */
struct gpu {
	char name[32];
	char *id;		/* the module's, NULL if that has no such device */
	bool seen;		/* in this reading */
	bool has_capacity;	/* it was looked whether it has one */
	char *trouble;		/* what was said of it last, or NULL */
	bool lies, untold, absent, unknown, cut;	/* what of its processes has been said */
	struct row *rows;	/* by pid */
	size_t count;
};

/* Lines to be written. */
struct batch {
	char *bytes;
	size_t len, room;
};

struct nvml_report {
	int control;		/* the session, or -1 */
	char *trouble;		/* what was said of NVML or the module last, or NULL */
	bool refused;		/* likewise of lines */
	struct gpu *gpus;
	size_t count, room;
	struct batch batch;
};

/**
 * nvml_report_new() - begin to report
 *
 * Return: reports, to be given to nvml_report_free().
 */
struct nvml_report *nvml_report_new(void)
{
	struct nvml_report *report = make(1, sizeof(*report));

	report->control = -1;
	return report;
}

/* The module has no such device, or may have another one next time. The processes are as before. */
static void forget_device(struct gpu *gpu)
{
	size_t i;

	free(gpu->id);
	gpu->id = NULL;
	for (i = 0; i < gpu->count; i++) {
		gpu->rows[i].reported = false;
		gpu->rows[i].written = false;
	}
	gpu->has_capacity = false;
}

static void close_session(struct nvml_report *report)
{
	size_t i;

	if (report->control >= 0)
		close(report->control);
	report->control = -1;
	for (i = 0; i < report->count; i++)
		forget_device(&report->gpus[i]);
}

/**
 * nvml_report_free() - end the session, and with it all rows
 * @report: what nvml_report_new() returned
 */
void nvml_report_free(struct nvml_report *report)
{
	close_session(report);
	while (report->count--) {
		free(report->gpus[report->count].rows);
		free(report->gpus[report->count].trouble);
	}
	free(report->gpus);
	free(report->batch.bytes);
	free(report->trouble);
	free(report);
}

/* Says what is wrong with @name, once; NULL is nothing. Takes @now. Returns whether it changed. */
static bool change(char **was, char *now, const char *name)
{
	if (*was && now && !strcmp(*was, now)) {
		free(now);
		return false;
	}
	if (now)
		say("nvml: %s%s%s", name, *name ? ": " : "", now);
	free(*was);
	*was = now;
	return true;
}

/* Whether something begins, which is to be said then. */
static bool begins(bool *was, bool is)
{
	bool begun = is && !*was;

	*was = is;
	return begun;
}

static int by_pid(const void *a, const void *b)
{
	const struct row *x = a, *y = b;

	return (x->pid > y->pid) - (x->pid < y->pid);
}

static struct row *find_row(const struct gpu *gpu, uint32_t pid)
{
	struct row wanted = { .pid = pid };

	if (!gpu->count)
		return NULL;
	return bsearch(&wanted, gpu->rows, gpu->count, sizeof(wanted), by_pid);
}

static struct gpu *find_gpu(const struct nvml_report *report, const char *name)
{
	size_t i;

	for (i = 0; i < report->count; i++)
		if (!strcmp(report->gpus[i].name, name))
			return &report->gpus[i];
	return NULL;
}

/**
 * nvml_report_device() - the module's id of a GPU
 * @report: the reports
 * @name: its PCI address
 *
 * Return: the id; "-" if the module has no such device.
 */
const char *nvml_report_device(const struct nvml_report *report, const char *name)
{
	const struct gpu *gpu = find_gpu(report, name);

	return gpu && gpu->id ? gpu->id : "-";
}

/**
 * nvml_report_wrote() - whether the last reading wrote a row, with what NVML said then
 * @report: the reports
 * @device: the module's id of a GPU
 * @pid: of the process
 *
 * Return: true if so; false if the row is of an earlier reading, as its GPU told nothing in this
 * one, or is somebody else's.
 */
bool nvml_report_wrote(const struct nvml_report *report, const char *device, uint32_t pid)
{
	size_t i;

	for (i = 0; i < report->count; i++) {
		const struct gpu *gpu = &report->gpus[i];
		const struct row *row = gpu->id && !strcmp(gpu->id, device) ?
			find_row(gpu, pid) : NULL;

		if (row)
			return row->written;
	}
	return false;
}

static struct gpu *get_gpu(struct nvml_report *report, const char *name)
{
	struct gpu *gpu = find_gpu(report, name);

	if (gpu)
		return gpu;
	report->gpus = grow(report->gpus, &report->room, report->count + 1, sizeof(*gpu));
	gpu = &report->gpus[report->count++];
	*gpu = (struct gpu){ 0 };
	snprintf(gpu->name, sizeof(gpu->name), "%s", name);
	return gpu;
}

/* Sets a device's capacity. Returns an error, or 0. */
static int limit_device(const struct nvml_report *report, const char *id, uint64_t bytes)
{
	char *line = text("set_capacity %s %" PRIu64 "\n", id, bytes), *answer;
	int error = control_send(report->control, line, &answer);

	free(answer);
	free(line);
	return error;
}

/* What an admin has set, and what NVML said at an earlier start, is a number alone. */
static void take_capacity(const struct nvml_report *report, const struct table *t, struct gpu *gpu,
			  const struct nvml_device *device)
{
	char size[WORD_SHORT];
	int error;

	if (gpu->has_capacity || !device->total)
		return;
	gpu->has_capacity = true;
	if (word_is_number(table_cell(t, "CAPACITY")))
		return;
	error = limit_device(report, gpu->id, device->total);
	if (error)
		say("nvml: %s: its capacity cannot be set: %s", gpu->name, strerror(error));
	else
		say("nvml: %s: its capacity is %s, as NVML says", gpu->name,
		    word_human(size, device->total));
}

/* One row of devices: whichever of NVML's it is. */
static void match_device(struct nvml_report *report, const struct nvml_reading *reading,
			 const struct table *t)
{
	const char *id = table_cell(t, "ID"), *name = table_cell(t, "NAME");
	struct gpu *gpu;
	size_t i;

	for (i = 0; i < reading->count && strcmp(reading->devices[i].name, name); i++)
		;
	if (i == reading->count || word_is_unknown(id))
		return;
	gpu = get_gpu(report, name);
	if (!gpu->id || strcmp(gpu->id, id)) {
		forget_device(gpu);
		gpu->id = must(strdup(id));
		say("nvml: %s is device %s, %s", name, id,
		    *reading->devices[i].uuid ? reading->devices[i].uuid : "of no UUID");
	}
	gpu->seen = true;
	take_capacity(report, t, gpu, &reading->devices[i]);
}

/* Returns 0; or -1 if the table could not be read, which has been said. */
static int match_devices(struct nvml_report *report, const struct nvml_reading *reading)
{
	struct table t;
	size_t i;
	int got;

	for (i = 0; i < report->count; i++)
		report->gpus[i].seen = false;
	if (table_open(&t, "devices"))
		return -1;
	while ((got = table_next(&t)) > 0)
		match_device(report, reading, &t);
	table_close(&t);
	for (i = 0; i < report->count && !got; i++)
		if (!report->gpus[i].seen)
			forget_device(&report->gpus[i]);
	return got;
}

/* Returns NULL; or what is wrong, to be given to free(). */
static char *open_session(struct nvml_report *report)
{
	char *answer, *reason;
	int error;

	report->control = control_open("control", "nvml");
	if (report->control < 0)
		return text("nothing can be reported");
	error = control_send(report->control, "session\n", &answer);
	reason = error ? control_reason(answer) : NULL;
	free(answer);
	if (!error)
		return NULL;
	close_session(report);
	if (!reason)
		reason = text("%s", strerror(error));
	return reason;
}

static void add_line(struct batch *batch, uint32_t pid, const char *id, uint64_t bytes)
{
	char *line = text("report %" PRIu32 " %s %" PRIu64 "\n", pid, id, bytes);
	size_t len = strlen(line);

	batch->bytes = grow(batch->bytes, &batch->room, batch->len + len + 1, 1);
	memcpy(batch->bytes + batch->len, line, len + 1);
	batch->len += len;
	free(line);
}

/* Whether these bytes can be. */
static bool is_credible(const struct nvml_device *device, uint64_t bytes)
{
	return bytes <= (device->total ? device->total : BYTES_MAX);
}

/* Whether a process is the one that NVML began to tell of. */
static void follow_process(struct row *row)
{
	uint64_t start = 0;
	int error;

	row->listed = true;
	/* NVML does not tell which. */
	if (!row->pid)
		return;
	error = row->ended ? 0 : process_start(row->pid, &start);
	if (error == ENOENT || error == ESRCH || (!error && row->start && row->start != start))
		row->ended = true;
	if (row->ended)
		row->missing += 2;
	else if (!error)
		row->start = start;
}

/* A row of which NVML tells nothing: whether it is needed still. The number may be another's then,
 * unless there was no room for it in a list that is cut.
 */
static bool keep_row(struct row *row, bool cut)
{
	if (cut) {
		row->listed = false;
		return true;
	}
	*row = (struct row){ .pid = row->pid, .reported = row->reported };
	return row->reported;
}

/* What NVML tells of a GPU becomes its rows. */
static void follow_device(struct gpu *gpu, const struct nvml_device *device)
{
	struct row *rows = make(device->count + gpu->count, sizeof(*rows));
	size_t count = 0, at = 0, i;

	/* Both are by pid. */
	for (i = 0; i < device->count; i++) {
		uint32_t pid = device->processes[i].pid;

		for (; at < gpu->count && gpu->rows[at].pid < pid; at++)
			if (keep_row(&gpu->rows[at], device->cut))
				rows[count++] = gpu->rows[at];
		if (at < gpu->count && gpu->rows[at].pid == pid)
			rows[count] = gpu->rows[at++];
		else
			rows[count] = (struct row){ .pid = pid };
		follow_process(&rows[count++]);
	}
	for (; at < gpu->count; at++)
		if (keep_row(&gpu->rows[at], device->cut))
			rows[count++] = gpu->rows[at];
	free(gpu->rows);
	gpu->rows = rows;
	gpu->count = count;
}

/* Also while there is no module: so it is known who was there. */
static void follow_all(struct nvml_report *report, const struct nvml_reading *reading)
{
	size_t i;

	for (i = 0; i < reading->count; i++) {
		const struct nvml_device *device = &reading->devices[i];

		if (!device->error)
			follow_device(get_gpu(report, device->name), device);
	}
}

/* One process of a GPU: its line. */
static void take_process(struct batch *batch, const struct gpu *gpu,
			 const struct nvml_device *device, const struct nvml_process *process)
{
	struct row *row = find_row(gpu, process->pid);
	uint64_t bytes = row->ended ? 0 : process->bytes;

	if (!process->pid || bytes == NVML_UNTOLD || !is_credible(device, bytes))
		return;
	/* It is not known whose number that is. */
	if (bytes && !row->start)
		return;
	if (!bytes && !row->reported)
		return;
	add_line(batch, process->pid, gpu->id, bytes);
	row->reported = bytes;
	row->written = bytes;
}

/* Those that had a row, and have nothing any more. */
static void drop_rows(struct batch *batch, struct gpu *gpu)
{
	size_t i;

	for (i = 0; i < gpu->count; i++) {
		struct row *row = &gpu->rows[i];

		if (row->listed || !row->reported)
			continue;
		add_line(batch, row->pid, gpu->id, 0);
		row->reported = false;
	}
}

static void say_of_processes(struct gpu *gpu, const struct nvml_device *device)
{
	const struct nvml_process *lie = NULL, *untold = NULL;
	bool outside = false;
	char size[WORD_SHORT], most[WORD_SHORT];
	size_t i;

	for (i = 0; i < device->count; i++) {
		const struct nvml_process *process = &device->processes[i];

		if (!process->pid)
			outside = true;
		else if (process->bytes == NVML_UNTOLD)
			untold = untold ? untold : process;
		else if (!is_credible(device, process->bytes))
			lie = lie ? lie : process;
	}
	if (begins(&gpu->absent, outside))
		say("nvml: %s: NVML tells of processes without telling which", gpu->name);
	if (begins(&gpu->cut, device->cut))
		say("nvml: %s: NVML tells of so many processes that there may be more; "
		    "rows of those go stale", gpu->name);
	if (begins(&gpu->untold, untold))
		say("nvml: %s: NVML does not tell how much process %" PRIu32
		    " uses, and perhaps others", gpu->name, untold->pid);
	if (begins(&gpu->lies, lie))
		say("nvml: %s: process %" PRIu32 " uses %s of %s, NVML says; it is not reported",
		    gpu->name, lie->pid, word_human(size, lie->bytes),
		    word_human(most, device->total ? device->total : BYTES_MAX));
}

static void take_device(struct nvml_report *report, struct gpu *gpu,
			const struct nvml_device *device)
{
	size_t i;

	for (i = 0; i < device->count; i++)
		take_process(&report->batch, gpu, device, &device->processes[i]);
	if (!device->cut)
		drop_rows(&report->batch, gpu);
	say_of_processes(gpu, device);
}

/* A GPU that never told its address, so there was nothing of it. */
static bool is_number(const char *name)
{
	return !strncmp(name, "GPU ", 4);
}

/* What is wrong with a GPU, or that it is well again. */
static void say_of_gpu(struct gpu *gpu, const struct nvml_device *device)
{
	bool was = gpu->trouble;

	if (device && device->error)
		change(&gpu->trouble, text("%s; its rows go stale", device->error), gpu->name);
	else if (!device && is_number(gpu->name))
		change(&gpu->trouble, NULL, gpu->name);
	else if (!device)
		change(&gpu->trouble, text("NVML does not tell of it any more"), gpu->name);
	else if (!gpu->id)
		change(&gpu->trouble, text("the module has no such device"), gpu->name);
	else if (change(&gpu->trouble, NULL, gpu->name) && was)
		say("nvml: %s: NVML tells of it again", gpu->name);
}

static const struct nvml_device *find_device(const struct nvml_reading *reading, const char *name)
{
	size_t i;

	for (i = 0; i < reading->count; i++)
		if (!strcmp(reading->devices[i].name, name))
			return &reading->devices[i];
	return NULL;
}

static void take_reading(struct nvml_report *report, const struct nvml_reading *reading)
{
	size_t i;

	for (i = 0; i < reading->count; i++)
		get_gpu(report, reading->devices[i].name);
	for (i = 0; i < report->count; i++) {
		struct gpu *gpu = &report->gpus[i];
		const struct nvml_device *device = find_device(reading, gpu->name);

		say_of_gpu(gpu, device);
		if (gpu->id && device && !device->error)
			take_device(report, gpu, device);
	}
}

/* A line that was refused: the process may just have ended, or NVML tells of one that is not. */
static void take_refusal(struct nvml_report *report, const char *line, int error, bool *refused)
{
	char id[24] = "", *answer, *reason;
	struct row *row = NULL;
	uint32_t pid = 0;
	size_t i;

	if (sscanf(line, "report %" SCNu32 " %23s", &pid, id) == 2)
		for (i = 0; i < report->count && !row; i++)
			if (report->gpus[i].id && !strcmp(report->gpus[i].id, id))
				row = find_row(&report->gpus[i], pid);
	/* NVML tells of it no more: the process has ended. */
	if (!row || !row->listed)
		return;
	row->reported = false;
	row->written = false;
	/* What /proc says of it next tells whether it was reaped, and may be another's number. */
	if (error == ESRCH) {
		row->missing += row->ended ? 0 : 2;
		return;
	}
	answer = control_answer(report->control);
	reason = control_reason(answer);
	*refused = true;
	if (!report->refused)
		say("nvml: %.*s: %s (%s)", (int)strcspn(line, "\n"), line,
		    reason ? reason : strerror(error), strerrorname_np(error));
	free(reason);
	free(answer);
}

/* Whole lines, as many as a write takes. */
static size_t lines_of(const char *bytes, size_t len)
{
	if (len <= WRITE_MAX)
		return len;
	for (len = WRITE_MAX; bytes[len - 1] != '\n'; len--)
		;
	return len;
}

/* Returns false if the session is lost. */
static bool write_batch(struct nvml_report *report)
{
	const struct batch *batch = &report->batch;
	size_t at = 0, len;
	bool refused = false;
	ssize_t written;

	while (at < batch->len) {
		len = lines_of(batch->bytes + at, batch->len - at);
		written = write(report->control, batch->bytes + at, len);
		if (written > 0) {
			at += written;
			continue;
		}
		if (!written || errno == EIO || !table_is_there("control"))
			return false;
		/* Of a line that failed behind others only their bytes are told: it is written
		 * again, as the first.
		 */
		take_refusal(report, batch->bytes + at, errno, &refused);
		at += strcspn(batch->bytes + at, "\n") + 1;
	}
	report->refused = refused;
	return true;
}

/* Processes that NVML tells of for longer than they take to end. */
static void say_of_missing(struct nvml_report *report)
{
	uint64_t start;
	size_t i, j;

	for (i = 0; i < report->count; i++) {
		struct gpu *gpu = &report->gpus[i];
		const struct row *missing = NULL;

		for (j = 0; j < gpu->count; j++) {
			struct row *row = &gpu->rows[j];

			/* Two for each report in vain, less one for each. */
			row->missing -= row->missing ? 1 : 0;
			if (row->missing > 1 && !missing)
				missing = row;
		}
		if (begins(&gpu->unknown, missing))
			say("nvml: %s: NVML tells of process %" PRIu32 ", which %s", gpu->name,
			    missing->pid, process_start(missing->pid, &start) ? "there is not" :
			    "has ended; its number is another's now");
	}
}

static void forget_written(struct nvml_report *report)
{
	size_t i, j;

	for (i = 0; i < report->count; i++)
		for (j = 0; j < report->gpus[i].count; j++)
			report->gpus[i].rows[j].written = false;
}

/* Returns NULL; or what is wrong, to be given to free(). */
static char *report_reading(struct nvml_report *report, const struct nvml_reading *reading)
{
	char *error;
	bool there;

	forget_written(report);
	if (reading->error)
		return text("%s; rows go stale", reading->error);
	there = table_is_there("control");
	if (!there)
		close_session(report);
	follow_all(report, reading);
	if (!there)
		return text("the module gpu_dma_lock is not loaded");
	error = report->control < 0 ? open_session(report) : NULL;
	if (error)
		return error;
	if (match_devices(report, reading))
		return text("devices cannot be read");
	report->batch.len = 0;
	take_reading(report, reading);
	if (!write_batch(report)) {
		close_session(report);
		return text("the module gpu_dma_lock was removed");
	}
	say_of_missing(report);
	return NULL;
}

/**
 * nvml_report_all() - tell the module what NVML says
 * @report: the reports
 * @reading: what it says
 *
 * Return: false if that could not be done; this, and that it can be done again, is said once.
 */
bool nvml_report_all(struct nvml_report *report, const struct nvml_reading *reading)
{
	bool was = report->trouble;
	char *error = report_reading(report, reading);
	bool well = !error;

	if (change(&report->trouble, error, "") && well && was)
		say("nvml: processes are reported again");
	return well;
}
