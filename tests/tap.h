/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Test Anything Protocol for the test programs: one line a check, the plan
 * last, diagnosis on the lines after a failure.
 *
 * A program that dies half way has printed no plan, so prove(1) fails it.
 */
#ifndef TESTS_TAP_H
#define TESTS_TAP_H

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TAP_EXIT_FAIL	1
#define TAP_EXIT_SKIP	4

/* The kernel's __printf; in two steps, as checkpatch objects to the definition itself. */
#define TAP_ATTRIBUTE	__attribute__
#define __printf(a, b)	TAP_ATTRIBUTE((__format__(printf, a, b)))

static int tap_count;
static int tap_failed;

static inline void tap_vline(bool pass, const char *fmt, va_list ap)
{
	tap_count++;
	tap_failed += !pass;
	printf("%sok %d - ", pass ? "" : "not ", tap_count);
	vprintf(fmt, ap);
	putchar('\n');
	fflush(stdout);
}

/* A comment line, for what a reader of a failure wants to know. */
static inline __printf(1, 2)
void note(const char *fmt, ...)
{
	va_list ap;

	printf("# ");
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
	fflush(stdout);
}

static inline __printf(2, 3)
bool ok(bool pass, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	tap_vline(pass, fmt, ap);
	va_end(ap);
	return pass;
}

static inline __printf(3, 4)
bool is(long long got, long long want, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	tap_vline(got == want, fmt, ap);
	va_end(ap);
	if (got != want)
		note("got %lld, want %lld", got, want);
	return got == want;
}

static inline __printf(3, 4)
bool is_str(const char *got, const char *want, const char *fmt, ...)
{
	bool pass = got && want && !strcmp(got, want);
	va_list ap;

	va_start(ap, fmt);
	tap_vline(pass, fmt, ap);
	va_end(ap);
	if (!pass)
		note("got '%s', want '%s'", got ? got : "(none)", want ? want : "(none)");
	return pass;
}

/* Both are error numbers, 0 for success. */
static inline __printf(3, 4)
bool is_errno(int got, int want, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	tap_vline(got == want, fmt, ap);
	va_end(ap);
	if (got != want)
		note("got %d (%s), want %d (%s)", got, strerror(got), want, strerror(want));
	return got == want;
}

/* One check that this kernel or machine cannot do: visible, never a pass. */
static inline __printf(1, 2)
void skip(const char *fmt, ...)
{
	va_list ap;

	printf("ok %d # SKIP ", ++tap_count);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
	fflush(stdout);
}

static inline __printf(1, 2)
void skip_all(const char *fmt, ...)
{
	va_list ap;

	printf("1..0 # SKIP ");
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
	exit(TAP_EXIT_SKIP);
}

/* The test cannot go on at all. */
static inline __printf(1, 2)
void bail(const char *fmt, ...)
{
	int err = errno;
	va_list ap;

	printf("Bail out! ");
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf(" (errno %d, %s)\n", err, strerror(err));
	exit(TAP_EXIT_FAIL);
}

/*
 * @n, of which a test does so many when it is run in full: PERCENT of the environment of
 * it, as scripts/run-test sets it, but at least one.
 */
static inline int scaled(int n)
{
	const char *percent = getenv("PERCENT");
	long long part = n * (percent ? atof(percent) : 100) / 100;

	return part > 0 ? part : 1;
}

/* Is this the kernel debug, whose checks take twenty times as long as what they check? */
static inline bool on_debug_kernel(void)
{
	return !access("/sys/kernel/debug/kmemleak", F_OK);
}

/* What happens by chance, if there is time: checked when the test is run in full. */
static inline __printf(2, 3)
void ok_in_full(bool pass, const char *fmt, ...)
{
	va_list ap;

	if (!pass && scaled(100) < 100) {
		skip("takes more than %d %% of the test", scaled(100));
		return;
	}
	va_start(ap, fmt);
	tap_vline(pass, fmt, ap);
	va_end(ap);
}

/* Prints the plan; what main() returns. */
static inline int tap_done(void)
{
	printf("1..%d\n", tap_count);
	fflush(stdout);
	return tap_failed || !tap_count ? TAP_EXIT_FAIL : 0;
}

#endif /* TESTS_TAP_H */
