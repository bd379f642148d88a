// SPDX-License-Identifier: GPL-2.0-only
/*
 * The file bindings: every binding is a row, in the order they were made and in
 * the words that bind takes, however its cgroup is called and whoever reads it;
 * what lasts while the file is read is there once, whatever else comes and goes.
 *
 * vm: --load --mem 512 --timeout 120
 */
#define _GNU_SOURCE
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "cgroup.h"
#include "client.h"
#include "swarm.h"

#define HEADER		"AGENT BINDING\n"
#define DROP_SECONDS	60
#define MANY		1000

static void works(int err, const char *what)
{
	is_errno(err, 0, "%s", what);
}

/* The columns that bind takes; those behind them are not looked at here. */
static char *first_columns(char *text)
{
	char *from = text, *to = text;
	int column = 1;

	for (; *from; from++) {
		column += *from == ' ';
		if (column <= 2 || *from == '\n')
			*to++ = *from;
		if (*from == '\n')
			column = 1;
	}
	*to = '\0';
	return text;
}

static char *read_rows(void)
{
	return first_columns(swarm_read("bindings"));
}

static void rows_are(const char *rows, const char *when)
{
	char *text = read_rows(), want[2048];

	snprintf(want, sizeof(want), HEADER "%s", rows);
	is_str(text, want, "the rows %s", when);
	free(text);
}

static bool has_no_rows(const void *unused)
{
	char *text = read_rows();
	bool none = !strcmp(text, HEADER);

	(void)unused;
	free(text);
	return none;
}

static void test_order(void)
{
	char want[256], start[64];
	struct client c;

	rows_are("", "of none");
	client_start(&c);
	works(swarm_cmd("bind 2 cgroup:d\nbind 1 cgroup:/a/b\n"), "bind two cgroups");
	works(swarm_cmd("bind 1 pid:%d\nbind 0 cgroup:/\n", c.pid), "bind a process and the root");
	works(swarm_cmd("bind 2 cgroup://a//\n"), "bind one more");
	snprintf(start, sizeof(start), "1 pid:%d\n0 cgroup:/\n", c.pid);
	snprintf(want, sizeof(want), "2 cgroup:/d\n1 cgroup:/a/b\n%s2 cgroup:/a\n", start);
	rows_are(want, "are in the order they were made in");
	is_errno(swarm_cmd("bind 1 cgroup:a\n"), EEXIST, "a bound cgroup is bound");
	rows_are(want, "are as before");
	works(swarm_cmd("unbind 1 cgroup:a/b\n"), "unbind one");
	snprintf(want, sizeof(want), "2 cgroup:/d\n%s2 cgroup:/a\n", start);
	rows_are(want, "are one less");
	works(swarm_cmd("bind 1 cgroup:a/b\n"), "bind it again");
	snprintf(want, sizeof(want), "2 cgroup:/d\n%s2 cgroup:/a\n1 cgroup:/a/b\n", start);
	rows_are(want, "have it at the end");
	works(swarm_cmd("remove_agent 2\ncreate_agent 2\n"), "remove an agent");
	snprintf(want, sizeof(want), "%s1 cgroup:/a/b\n", start);
	rows_are(want, "are without its own");
	works(swarm_cmd("unbind 1 cgroup:a/b\nunbind 0 cgroup:/\n"), "unbind the cgroups");
	client_stop(&c, SIGKILL);
	ok(swarm_wait(has_no_rows, NULL, DROP_SECONDS), "a process takes its row with it");
}

static void test_removed(void)
{
	works(cgroup_make("e"), "make a cgroup");
	works(swarm_cmd("bind 1 cgroup:e\nbind 1 cgroup:d\n"), "bind it");
	ok(rename(CGROUP_ROOT "/e", CGROUP_ROOT "/f"), "a cgroup cannot be renamed");
	rows_are("1 cgroup:/e\n1 cgroup:/d\n", "name it");
	works(cgroup_remove("e"), "remove it");
	rows_are("1 cgroup:/e\n1 cgroup:/d\n", "have a removed cgroup still");
	works(cgroup_make("e"), "make another of that name");
	rows_are("1 cgroup:/e\n1 cgroup:/d\n", "are the same");
	is_errno(swarm_cmd("bind 2 cgroup:e\n"), EEXIST, "that is bound");
	works(swarm_cmd("unbind 1 cgroup:e\nbind 2 cgroup:e\n"), "bind it to another agent");
	rows_are("1 cgroup:/d\n2 cgroup:/e\n", "are with that");
	works(swarm_cmd("unbind 2 cgroup:e\nunbind 1 cgroup:d\n"), "unbind both");
	works(cgroup_remove("e"), "remove it");
}

static const struct {
	const char *name;
	const char *shown;
} names[] = {
	{ "b c", "b\\040c" },
	{ "tab\there", "tab\\011here" },
	{ "dev\\x2dsda.swap", "dev\\134x2dsda.swap" },
	{ "b\\040c", "b\\134040c" },
	{ "ends\\", "ends\\134" },
	{ "\\1", "\\1341" },
	{ "caf\xc3\xa9", "caf\\303\\251" },
	{ "a:b=c#d", "a:b=c#d" },
	{ "-", "-" },
};

static void test_name(const char *name, const char *shown)
{
	char row[512], again[512], *text;

	works(cgroup_make(name), "make a cgroup");
	works(swarm_cmd("bind 1 cgroup:/%s\n", shown), shown);
	snprintf(row, sizeof(row), "1 cgroup:/%s\n", shown);
	rows_are(row, shown);
	text = read_rows();
	snprintf(again, sizeof(again), "bind %s", text + strlen(HEADER));
	free(text);
	works(swarm_cmd("un%s", again), "undone by the words that it is shown in");
	rows_are("", "are none then");
	works(swarm_cmd("%s", again), "done by them");
	rows_are(row, "are the same");
	works(cgroup_remove(name), "remove the cgroup");
	rows_are(row, "are there still");
	works(swarm_cmd("un%s", again), "undo it");
	rows_are("", "are none at the end");
}

/* As a user may write it: a backslash that begins no \ooo is one. */
static void test_raw_backslash(void)
{
	works(cgroup_make("dev\\x2dsda"), "make a cgroup");
	works(swarm_cmd("bind 1 cgroup:/dev\\x2dsda\n"), "bind 1 cgroup:/dev\\x2dsda");
	rows_are("1 cgroup:/dev\\134x2dsda\n", "have it escaped");
	works(cgroup_remove("dev\\x2dsda"), "remove it");
	works(swarm_cmd("unbind 1 cgroup:/dev\\x2dsda\n"), "unbind it");
	rows_are("", "are none then");
	is_errno(swarm_cmd("bind 1 cgroup:/\\000\n"), ENOENT, "\\000 stands for nothing");
	is_errno(swarm_cmd("bind 1 cgroup:/\\400\n"), ENOENT, "nor does \\400");
}

/* Makes cgroups in one another, of 251 bytes each, and enters the last. */
static void go_down(int depth)
{
	char name[252];

	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	if (chdir(CGROUP_ROOT))
		bail("chdir " CGROUP_ROOT);
	for (; depth; depth--)
		if (mkdir(name, 0755) || chdir(name))
			bail("a deep cgroup");
}

/* A process that has ended leaves its cgroup busy for a moment. */
static bool is_removed(const void *name)
{
	return !rmdir(name) || errno != EBUSY;
}

static int go_up(int depth)
{
	char name[252];
	int err = 0;

	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	for (; depth; depth--)
		err |= chdir("..") || !swarm_wait(is_removed, name, DROP_SECONDS);
	return err || chdir("/");
}

/* 15 of them fit into a command, and need several reads of 100 bytes. */
static void test_long_path(void)
{
	static char path[4096], line[4096 + 16], *text;
	int depth;

	go_down(15);
	for (depth = 0; depth < 15; depth++) {
		strcat(path, "/");
		memset(path + strlen(path), 'n', 251);
	}
	snprintf(line, sizeof(line), "bind 1 cgroup:%s\n", path);
	works(swarm_write("control", line), "bind a path of 3780 bytes");
	text = first_columns(swarm_read_by("bindings", 100));
	snprintf(line, sizeof(line), HEADER "1 cgroup:%s\n", path);
	is_str(text, line, "its row has it whole");
	free(text);
	snprintf(line, sizeof(line), "unbind 1 cgroup:%s\n", path);
	works(swarm_write("control", line), "it is unbound as any other");
	rows_are("", "are none then");
	is_errno(swarm_write("control", line), ENOENT, "and not twice");
	snprintf(line, sizeof(line), "bind 1 cgroup:%s\n", path);
	works(swarm_write("control", line), "and bound again");
	is(go_up(15), 0, "remove it");
	ok(swarm_wait(has_no_rows, NULL, DROP_SECONDS), "such a long path takes its row with it");
	snprintf(line, sizeof(line), "bind 1 cgroup:%s later\n", path);
	is_errno(swarm_write("control", line), ENAMETOOLONG, "and cannot come later");
	snprintf(line, sizeof(line), "unbind 1 cgroup:%s\n", path);
	is_errno(swarm_write("control", line), ENAMETOOLONG, "nor be unbound where none is");
}

/* Its namespace's root is at a path of 4284 bytes: only there a command can name it. */
static int bind_below(void)
{
	int fd = open("cgroup.procs", O_WRONLY);

	if (fd < 0 || write(fd, "0", 1) != 1 || unshare(CLONE_NEWCGROUP))
		return 255;
	close(fd);
	return swarm_cmd("bind 1 cgroup:/\n");
}

static void test_too_long_path(void)
{
	int status;

	go_down(17);
	if (!fork())
		_exit(bind_below());
	wait(&status);
	is(WEXITSTATUS(status), ENAMETOOLONG, "a path of 4284 bytes cannot be bound");
	is(go_up(17), 0, "remove it");
}

/* A child reads bindings as @enter lets it and exits 0 if the rows are @want. */
static int read_in(int (*enter)(void), const char *want)
{
	int status;

	if (!fork()) {
		char *text;

		if (enter())
			_exit(2);
		text = read_rows();
		if (strcmp(text, want))
			note("got '%s', want '%s'", text, want);
		_exit(!!strcmp(text, want));
	}
	wait(&status);
	return status;
}

static int enter_cgroup_namespace(void)
{
	return cgroup_move("a", getpid()) || unshare(CLONE_NEWCGROUP);
}

static void test_cgroup_namespace(void)
{
	works(swarm_cmd("bind 1 cgroup:a/b\nbind 1 cgroup:a\nbind 2 cgroup:d\n"), "bind three");
	is(read_in(enter_cgroup_namespace, HEADER "1 cgroup:/b\n1 cgroup:/\n2 cgroup:-\n"), 0,
	   "paths are relative to the reader's cgroup namespace, or outside it");
	rows_are("1 cgroup:/a/b\n1 cgroup:/a\n2 cgroup:/d\n", "are others outside");
	works(swarm_cmd("unbind 1 cgroup:a/b\nunbind 1 cgroup:a\nunbind 2 cgroup:d\n"), "unbind");
}

/* In a pid namespace with a /proc of its own, where the reader is 1. */
static int bind_and_read(void)
{
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("proc", "/proc", "proc", 0, NULL) || swarm_cmd("bind 2 pid:1\n"))
		return 1;
	rows_are("1 pid:-\n2 pid:1\n", "are in pids of the reader's namespace");
	return 0;
}

static void test_pid_namespace(void)
{
	int status = 1, count = tap_count;
	struct client c;

	client_start(&c);
	works(swarm_cmd("bind 1 pid:%d\n", c.pid), "bind a process");
	if (!fork()) {
		if (unshare(CLONE_NEWPID | CLONE_NEWNS))
			_exit(1);
		if (!fork())
			_exit(bind_and_read() || tap_failed);
		wait(&status);
		_exit(WEXITSTATUS(status));
	}
	wait(&status);
	/* The check that the child has made and printed. */
	tap_count = count + 2;
	tap_failed += !!status;
	client_stop(&c, SIGKILL);
	ok(swarm_wait(has_no_rows, NULL, DROP_SECONDS), "no row is left of it");
}

static long count_rows(const char *text, int n)
{
	char row[32];
	long count;

	snprintf(row, sizeof(row), "1 cgroup:/m/%d ", n);
	for (count = 0; (text = strstr(text, row)); text++)
		count++;
	return count;
}

static int make_many(void)
{
	char name[32];
	int n, err = cgroup_make("m");

	for (n = 0; n < MANY; n++) {
		snprintf(name, sizeof(name), "m/%d", n);
		err |= cgroup_make(name) | swarm_cmd("bind 1 cgroup:%s\n", name);
	}
	return err;
}

static int drop_many(void)
{
	char name[32];
	int n, err = swarm_cmd("remove_agent 1\ncreate_agent 1\n");

	for (n = 0; n < MANY; n++) {
		snprintf(name, sizeof(name), "m/%d", n);
		err |= cgroup_remove(name);
	}
	return err | cgroup_remove("m");
}

/*
 * Reads a little at a time; between two reads some bindings go and some of these come
 * again, behind the reader and before it. Every third stays.
 */
static void read_in_churn(char *text, size_t size)
{
	int fd = swarm_open("bindings", O_RDONLY), i, n, step = 0;
	size_t len = 0;
	ssize_t got;

	while ((got = read(fd, text + len, 100)) > 0) {
		len += got;
		if (len + 100 > size)
			break;
		for (i = 0; i < 12 && step < MANY; i++, step++) {
			n = step * 7 % MANY;
			if (n % 3)
				swarm_cmd("unbind 1 cgroup:m/%d\n", n);
			if (n % 3 == 1)
				swarm_cmd("bind 1 cgroup:m/%d\n", n);
		}
	}
	text[len] = '\0';
	close(fd);
	is(step, MANY, "there was time for all to come and go");
}

static void test_churn(void)
{
	static char text[1 << 16];
	long once = 0, twice = 0;
	int n;

	works(make_many(), "bind many cgroups");
	read_in_churn(text, sizeof(text));
	for (n = 0; n < MANY; n++) {
		once += n % 3 == 0 && count_rows(text, n) == 1;
		twice += count_rows(text, n) > 1;
	}
	is(once, (MANY + 2) / 3, "each row that stayed is there once");
	is(twice, 0, "none is there twice");
	is(swarm_get("agents", "ID", 1, "BINDINGS"), (MANY + 2) / 3 + MANY / 3,
	   "BINDINGS of agents counts the rest");
	works(drop_many(), "drop them all");
	rows_are("", "are none at the end");
}

int main(void)
{
	static const char * const cgroups[] = { "a", "a/b", "d" };
	size_t i;

	for (i = 0; i < sizeof(cgroups) / sizeof(*cgroups); i++)
		if (cgroup_make(cgroups[i]))
			bail("making cgroup %s", cgroups[i]);
	swarm_cmd("create_agent 1\ncreate_agent 2\n");
	test_order();
	test_removed();
	for (i = 0; i < sizeof(names) / sizeof(*names); i++)
		test_name(names[i].name, names[i].shown);
	test_raw_backslash();
	test_long_path();
	test_too_long_path();
	test_cgroup_namespace();
	test_pid_namespace();
	test_churn();
	return tap_done();
}
