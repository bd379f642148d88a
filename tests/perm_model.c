// SPDX-License-Identifier: GPL-2.0-only
/*
 * 100,000 random grants, revocations and checks of address ranges, each against a
 * model that knows the mode of every byte; and dma_permissions against it now and
 * then.
 *
 * Ranges begin and end in windows: at 0, in the middle, and at 2^64 - 1. In the
 * model each byte of a window is a cell, and all bytes between two windows are one:
 * nothing can begin or end there.
 *
 * vm: --load --gpu none --mem 512 --timeout 200
 */
#define _GNU_SOURCE
#include "lock.h"
#include "swarm.h"

#define COMPARE_EVERY	1000
#define OPERATIONS	(COMPARE_EVERY + scaled(99000))	/* it is compared once at least */
#define AGENTS		3
#define WINDOW		6000	/* more than a page, so that one fits in */
#define NR_WINDOWS	3
#define CELLS		(NR_WINDOWS * (WINDOW + 1) - 1)

static const __u64 window_start[NR_WINDOWS] = { 0, 1ULL << 63, -(__u64)WINDOW };
static const char * const mode_names[] = { "-", "r", "w", "rw" };

static unsigned char model[AGENTS][CELLS];
static __u64 state;
static long counts[3], refused, granted, ends;

/* The first byte of a cell, which is the only one but between windows. */
static __u64 first_byte(long cell)
{
	long window = cell / (WINDOW + 1), offset = cell % (WINDOW + 1);

	return window_start[window] + offset;
}

static __u64 last_byte(long cell)
{
	return cell == CELLS - 1 ? ~0ULL : first_byte(cell + 1) - 1;
}

/* No range begins or ends between windows. */
static long in_window(long cell)
{
	if (cell < 0)
		return 0;
	if (cell >= CELLS)
		return CELLS - 1;
	return cell % (WINDOW + 1) == WINDOW ? cell - 1 : cell;
}

/* Most are short, some a page, few go on to the first or last byte there is. */
static void random_range(long *from, long *to)
{
	*from = in_window(lock_random(&state, CELLS));
	switch (lock_random(&state, 64)) {
	case 0:
		*to = *from;
		*from = 0;
		break;
	case 1:
		*to = CELLS - 1;
		break;
	case 2:
		*to = *from;
		*from = in_window(lock_random(&state, *to + 1));
		break;
	case 3 ... 6:
		*to = in_window(*from + 4095);
		break;
	case 7 ... 10:
		*from = 0;
		*to = lock_random(&state, 100);
		break;
	case 11 ... 14:
		*from = CELLS - 1 - lock_random(&state, 100);
		*to = CELLS - 1;
		break;
	default:
		*to = in_window(*from + lock_random(&state, 300));
	}
}

/* In one of the ways that a range can be written. */
static void print_range(char *text, size_t size, long from, long to)
{
	__u64 start = first_byte(from), last = last_byte(to);
	bool whole = !start && last == ~0ULL;

	if (last - start == 4095 && lock_random(&state, 2))
		snprintf(text, size, "%llu", start);
	else if (lock_random(&state, 2) && !whole)
		snprintf(text, size, "%#llx+%llu", start, last - start + 1);
	else
		snprintf(text, size, "%#llx-%#llx", start, last);
	ends += !start || last == ~0ULL;
}

static int put(int fd, const char *text)
{
	return write(fd, text, strlen(text)) < 0 ? errno : 0;
}

/* The model after a grant, or with mode 0 a revocation; is there one to make? */
static bool model_set(unsigned char *cells, long from, long to, int mode)
{
	bool any = mode;
	long i;

	for (i = from; i <= to; i++) {
		any |= cells[i];
		cells[i] = mode;
	}
	return any;
}

static bool model_allows(const unsigned char *cells, long from, long to, int mode)
{
	long i;

	for (i = from; i <= to; i++)
		if (mode & ~cells[i])
			return false;
	return true;
}

/* One operation; false if kernel and model differ. */
static bool step(int control, int rules)
{
	int agent = lock_random(&state, AGENTS), kind = lock_random(&state, 3);
	int mode = kind == 1 ? 0 : 1 + lock_random(&state, 3), want, got;
	char range[64], line[128];
	long from, to;

	random_range(&from, &to);
	print_range(range, sizeof(range), from, to);
	counts[kind]++;
	if (kind == 2) {
		snprintf(line, sizeof(line), "check %d %s %s\n", agent + 1, range,
			 mode_names[mode]);
		want = model_allows(model[agent], from, to, mode) ? 0 : EACCES;
		got = put(control, line);
		refused += want != 0;
		granted += want == 0;
	} else {
		want = model_set(model[agent], from, to, mode) ? 0 : ENOENT;
		if (lock_random(&state, 2)) {
			snprintf(line, sizeof(line), "%d:%s:%s\n", agent + 1, range,
				 mode_names[mode]);
			got = put(rules, line);
		} else if (mode) {
			snprintf(line, sizeof(line), "grant %d %s %s\n", agent + 1, range,
				 mode_names[mode]);
			got = put(control, line);
		} else {
			snprintf(line, sizeof(line), "revoke %d %s\n", agent + 1, range);
			got = put(control, line);
		}
	}
	if (got != want)
		note("%.*s: %d (%s), but the model says %d", (int)strcspn(line, "\n"), line, got,
		     strerror(got), want);
	return got == want;
}

/* The model as dma_permissions is to show it; the caller frees it. */
static char *print_model(void)
{
	size_t size = 0;
	char *text = NULL;
	FILE *f = open_memstream(&text, &size);
	long agent, from, to;

	for (agent = 0; agent < AGENTS; agent++) {
		for (from = 0; from < CELLS; from = to) {
			for (to = from; to < CELLS && model[agent][to] == model[agent][from]; to++)
				;
			if (model[agent][from])
				fprintf(f, "%ld:0x%llx-0x%llx:%s\n", agent + 1, first_byte(from),
					last_byte(to - 1), mode_names[model[agent][from]]);
		}
	}
	fclose(f);
	return text;
}

static bool file_is_model(void)
{
	char *got = swarm_read("dma_permissions"), *want = print_model();
	bool same = !strcmp(got, want);
	size_t i;

	if (!same) {
		for (i = 0; got[i] && got[i] == want[i]; i++)
			;
		while (i && got[i - 1] != '\n')
			i--;
		note("the file has %.*s", (int)strcspn(got + i, "\n"), got + i);
		note("the model has %.*s", (int)strcspn(want + i, "\n"), want + i);
	}
	free(got);
	free(want);
	return same;
}

int main(void)
{
	int control = swarm_open("control", O_WRONLY);
	int rules = swarm_open("dma_permissions", O_WRONLY);
	long i, wrong = 0, differs = 0, rows = 0;
	char *text, *p;

	state = lock_seed();
	lock_make_agents(AGENTS);
	for (i = 1; i <= OPERATIONS && wrong < 10 && !differs; i++) {
		wrong += !step(control, rules);
		if (i % COMPARE_EVERY)
			continue;
		differs += !file_is_model();
		text = swarm_read("dma_permissions");
		for (p = text; *p; p++)
			rows += *p == '\n';
		free(text);
	}
	is(wrong, 0, "%ld operations: kernel and model never differ", i - 1);
	is(differs, 0, "nor do dma_permissions and the model");
	note("%ld grants, %ld revocations, %ld checks: %ld allowed, %ld refused", counts[0],
	     counts[1], counts[2], granted, refused);
	note("%ld ranges with 0 or 2^64 - 1, %ld rules on average", ends,
	     rows / (OPERATIONS / COMPARE_EVERY));
	ok(granted > OPERATIONS / 100 && refused > OPERATIONS / 100,
	   "checks are allowed and refused");
	ok(ends > OPERATIONS / 100, "ranges with the first and the last byte there can be");
	for (i = 1; i <= AGENTS; i++)
		swarm_cmd("remove_agent %ld", i);
	text = swarm_read("dma_permissions");
	is_str(text, "", "no rule is left of removed agents");
	free(text);
	return tap_done();
}
