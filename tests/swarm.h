/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Reading and writing /proc/swarm/gpu. Columns are found by the name in the
 * header line, so a new column or another order breaks no test.
 */
#ifndef TESTS_SWARM_H
#define TESTS_SWARM_H

#include <errno.h>
#include <fcntl.h>
#include <linux/types.h>
#include <stdarg.h>
#include <time.h>
#include <unistd.h>

#include "tap.h"

#define SWARM_DIR	"/proc/swarm/gpu/"
#define SWARM_NONE	(~0ULL)	/* no id of a device: ids count from 0 */
#define SWARM_REST_LOOKS	2000	/* until it is said that there is no rest */
#define SWARM_REST_SAME		4	/* of them that see no change */

struct swarm_table {
	char *text;
	char **cell;	/* (rows + 1) * columns, the header first */
	long rows;	/* without the header */
	int columns;
	long ragged;	/* lines with another number of cells than the header */
};

static inline int swarm_open(const char *file, int flags)
{
	char path[64];

	snprintf(path, sizeof(path), SWARM_DIR "%s", file);
	return open(path, flags | O_CLOEXEC);
}

/* The rest of an open file, read @chunk bytes at a time. NULL with errno set on error. */
static inline char *swarm_slurp(int fd, size_t chunk, size_t *len)
{
	size_t size = 1 << 16;
	char *text = malloc(size + chunk + 1);
	ssize_t n;

	*len = 0;
	while ((n = read(fd, text + *len, chunk)) > 0) {
		*len += n;
		if (*len > size) {
			size *= 2;
			text = realloc(text, size + chunk + 1);
		}
	}
	text[*len] = '\0';
	if (n == 0)
		return text;
	free(text);
	return NULL;
}

/* A whole file, read @chunk bytes at a time; the caller frees it. */
static inline char *swarm_read_by(const char *file, size_t chunk)
{
	int fd = swarm_open(file, O_RDONLY);
	size_t len;
	char *text;

	if (fd < 0)
		bail("opening %s", file);
	text = swarm_slurp(fd, chunk, &len);
	if (!text)
		bail("reading %s", file);
	if (strlen(text) != len)
		bail("%s contains a NUL byte", file);
	close(fd);
	return text;
}

static inline char *swarm_read(const char *file)
{
	return swarm_read_by(file, 1 << 16);
}

/* Takes @text over and cuts it into cells. */
static inline void swarm_parse(struct swarm_table *t, char *text)
{
	char *line, *next, *word, *p;
	long lines = 0, row = 0;
	int n;

	memset(t, 0, sizeof(*t));
	t->text = text;
	for (p = text; *p; p++)
		lines += *p == '\n';
	for (p = text; *p && *p != '\n'; p++)
		t->columns += *p != ' ' && (p == text || p[-1] == ' ');
	t->cell = calloc((lines + 1) * (t->columns + 1), sizeof(*t->cell));
	for (line = text; line && *line; line = next) {
		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		else
			t->ragged++;
		n = 0;
		for (word = strtok_r(line, " ", &p); word; word = strtok_r(NULL, " ", &p))
			if (n++ < t->columns)
				t->cell[row * t->columns + n - 1] = word;
		if (n == t->columns)
			row++;
		else
			t->ragged++;
	}
	t->rows = row - 1;
}

static inline void swarm_load(struct swarm_table *t, const char *file)
{
	swarm_parse(t, swarm_read(file));
	if (t->rows < 0)
		bail("%s has no header", file);
}

static inline void swarm_unload(struct swarm_table *t)
{
	free(t->text);
	free(t->cell);
}

static inline int swarm_column(const struct swarm_table *t, const char *name)
{
	int i;

	for (i = 0; i < t->columns; i++)
		if (!strcmp(t->cell[i], name))
			return i;
	bail("no column %s", name);
	return -1;
}

static inline const char *swarm_cell(const struct swarm_table *t, long row, const char *column)
{
	return t->cell[(row + 1) * t->columns + swarm_column(t, column)];
}

/* `-` counts as 0 */
static inline __u64 swarm_u64(const struct swarm_table *t, long row, const char *column)
{
	const char *cell = swarm_cell(t, row, column);

	return *cell == '-' ? 0 : strtoull(cell, NULL, 0);
}

/* First row from @from on with that text in that column, or -1. */
static inline long swarm_find(const struct swarm_table *t, long from, const char *column,
			      const char *value)
{
	int n = swarm_column(t, column);
	long row;

	for (row = from; row < t->rows; row++)
		if (!strcmp(t->cell[(row + 1) * t->columns + n], value))
			return row;
	return -1;
}

static inline long swarm_find_u64(const struct swarm_table *t, long from, const char *column,
				  __u64 value)
{
	char text[32];

	snprintf(text, sizeof(text), "%llu", value);
	return swarm_find(t, from, column, text);
}

static inline long swarm_count_u64(const struct swarm_table *t, const char *column, __u64 value)
{
	long row = -1, n = 0;

	while ((row = swarm_find_u64(t, row + 1, column, value)) >= 0)
		n++;
	return n;
}

static inline __u64 swarm_sum(const struct swarm_table *t, const char *column)
{
	__u64 sum = 0;
	long row;

	for (row = 0; row < t->rows; row++)
		sum += swarm_u64(t, row, column);
	return sum;
}

/* One cell of the row whose @key column says @id; bails out when there is no such row. */
static inline __u64 swarm_get(const char *file, const char *key, __u64 id, const char *column)
{
	struct swarm_table t;
	__u64 value;
	long row;

	swarm_load(&t, file);
	row = swarm_find_u64(&t, 0, key, id);
	if (row < 0)
		bail("%s has no row with %s %llu", file, key, id);
	value = swarm_u64(&t, row, column);
	swarm_unload(&t);
	return value;
}

static inline bool swarm_has(const char *file, const char *key, __u64 id)
{
	struct swarm_table t;
	bool found;

	swarm_load(&t, file);
	found = swarm_find_u64(&t, 0, key, id) >= 0;
	swarm_unload(&t);
	return found;
}

/* A number of `stats`, or -1 when there is no such key. */
static inline long long swarm_stat(const char *key)
{
	char *text = swarm_read("stats"), *line = text;
	size_t len = strlen(key);
	long long value = -1;

	while (line && (strncmp(line, key, len) || line[len] != ' ')) {
		line = strchr(line, '\n');
		line += !!line;
	}
	if (line)
		value = strtoll(line + len, NULL, 0);
	free(text);
	return value;
}

/* Writes once. Returns 0 or an error number; a short write is EIO. */
static inline int swarm_write(const char *file, const char *text)
{
	int fd = swarm_open(file, O_WRONLY);
	size_t len = strlen(text);
	ssize_t n;
	int err;

	if (fd < 0)
		return errno;
	n = write(fd, text, len);
	err = n < 0 ? errno : (size_t)n < len ? EIO : 0;
	close(fd);
	return err;
}

/* One command, or several lines. Returns 0 or an error number. */
static inline __printf(1, 2)
int swarm_cmd(const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return swarm_write("control", text);
}

/* The number in one line of results, 0 when it has none. */
static inline __u64 swarm_result(const char *line)
{
	line += strcspn(line, "0123456789\n");
	return strtoull(line, NULL, 0);
}

/* Allocates ledger memory and reads the new id back. Returns 0 or an error number. */
static inline int swarm_allocate(__u64 agent, __u64 size, __u64 device, __u64 *id)
{
	int fd = swarm_open("control", O_RDWR);
	char text[96];
	size_t len;
	char *result;
	int err;

	if (fd < 0)
		return errno;
	snprintf(text, sizeof(text), "allocate %llu %llu %llu\n", agent, size, device);
	err = write(fd, text, strlen(text)) < 0 ? errno : 0;
	if (!err) {
		result = swarm_slurp(fd, 4096, &len);
		*id = result ? swarm_result(result) : 0;
		free(result);
	}
	close(fd);
	return err;
}

/* The id of the first device with that DRIVER, of any when NULL; SWARM_NONE without one. */
static inline __u64 swarm_device(const char *driver)
{
	__u64 id = SWARM_NONE;
	struct swarm_table t;
	long row;

	swarm_load(&t, "devices");
	for (row = 0; row < t.rows && id == SWARM_NONE; row++) {
		if (*swarm_cell(&t, row, "ID") == '-')
			continue;
		if (!driver || !strcmp(swarm_cell(&t, row, "DRIVER"), driver))
			id = swarm_u64(&t, row, "ID");
	}
	swarm_unload(&t);
	return id;
}

/*
 * True as soon as @done says so, false after @seconds of asking. It is asked once more after
 * the end, as this process may not have run for long before it.
 */
static inline bool swarm_wait(bool (*done)(const void *arg), const void *arg, int seconds)
{
	struct timespec pause = { .tv_nsec = 20000000 };
	time_t end = time(NULL) + seconds;

	while (!done(arg)) {
		if (time(NULL) > end)
			return done(arg);
		nanosleep(&pause, NULL);
	}
	return true;
}

/* What that row of allocations is charged: the kernel's own and aliases are only shown. */
static inline __u64 swarm_charge(const struct swarm_table *rows, long row)
{
	const char *kind = swarm_cell(rows, row, "KIND");

	if (!strcmp(kind, "gem") || !strcmp(kind, "dmabuf") || !strcmp(kind, "ledger") ||
	    !strcmp(kind, "reported") || !strcmp(kind, "stale"))
		return swarm_u64(rows, row, "SIZE");
	return 0;
}

static inline __u64 swarm_charges(const struct swarm_table *rows)
{
	__u64 sum = 0;
	long row;

	for (row = 0; row < rows->rows; row++)
		sum += swarm_charge(rows, row);
	return sum;
}

struct swarm_totals {
	__u64 bytes;
	__u64 buffers;
};

static inline bool swarm_same(const char *what, struct swarm_totals got, struct swarm_totals want)
{
	if (got.bytes == want.bytes && got.buffers == want.buffers)
		return true;
	note("%s: %llu bytes in %llu buffers, but allocations has %llu in %llu", what,
	     got.bytes, got.buffers, want.bytes, want.buffers);
	return false;
}

static inline long long swarm_events(void)
{
	return swarm_stat("buffers_created") + swarm_stat("buffers_freed");
}

/*
 * Until buffers neither come nor go: drivers free them some time after their last use.
 * Returns how many have come and gone.
 */
static inline long long swarm_rest(void)
{
	long long before = -1, now;
	int i, same = 0;

	for (i = 0; i < SWARM_REST_LOOKS; i++) {
		now = swarm_events();
		same = now == before ? same + 1 : 0;
		if (same == SWARM_REST_SAME)
			return now;
		before = now;
		usleep(25000);
	}
	bail("buffers come and go all the time");
	return now;
}

static inline bool swarm_sums_are_right(void)
{
	struct swarm_table rows, agents, devices, quotas;
	struct swarm_totals all, got;
	bool pass = true;
	long row;

	swarm_load(&rows, "allocations");
	swarm_load(&agents, "agents");
	swarm_load(&devices, "devices");
	swarm_load(&quotas, "quotas");
	all = (struct swarm_totals){ swarm_charges(&rows), rows.rows };
	got = (struct swarm_totals){ swarm_sum(&agents, "USED"), swarm_sum(&agents, "BUFFERS") };
	pass &= swarm_same("agents", got, all);
	got = (struct swarm_totals){ swarm_sum(&devices, "USED"), swarm_sum(&devices, "BUFFERS") };
	pass &= swarm_same("devices", got, all);
	got = (struct swarm_totals){ swarm_stat("charged_bytes"), swarm_stat("buffers") };
	pass &= swarm_same("stats", got, all);
	got = (struct swarm_totals){ 0, all.buffers };
	for (row = -1; (row = swarm_find(&quotas, row + 1, "DEVICE", "all")) >= 0;)
		got.bytes += swarm_u64(&quotas, row, "USED");
	pass &= swarm_same("quotas", got, all);
	if (rows.ragged || agents.ragged || devices.ragged || quotas.ragged) {
		note("ragged lines: allocations %ld, agents %ld, devices %ld, quotas %ld",
		     rows.ragged, agents.ragged, devices.ragged, quotas.ragged);
		pass = false;
	}
	swarm_unload(&rows);
	swarm_unload(&agents);
	swarm_unload(&devices);
	swarm_unload(&quotas);
	return pass;
}

/*
 * Whether that is right at rest. If a buffer came or went meanwhile, the tables were read at
 * different times, and are read again.
 */
static inline bool swarm_right_at_rest(bool (*right)(void))
{
	long long events;
	bool pass;
	int i = 0;

	do {
		events = swarm_rest();
		pass = right();
	} while (!pass && swarm_events() != events && ++i < 20);
	return pass;
}

/*
 * One check, at rest: agents, devices, quotas and stats say the same as the rows
 * of allocations, and no line of them has a cell too many or too few.
 */
static inline bool swarm_add_up(const char *when)
{
	return ok(swarm_right_at_rest(swarm_sums_are_right), "the totals add up %s", when);
}

#endif /* TESTS_SWARM_H */
