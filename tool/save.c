// SPDX-License-Identifier: GPL-2.0-only
/*
 * save and dump: what the module was told, for restore.
 */

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cgroup.h"
#include "command.h"
#include "config.h"
#include "control.h"
#include "message.h"
#include "output.h"
#include "save.h"
#include "table.h"

/* Rules tell addresses, which are for root only. */
static const struct {
	const char *name;
	mode_t mode;
	int (*write)(FILE *file);
} parts[] = {
	{ "quotas.conf", 0644, config_quotas },
	{ "control.conf", 0644, config_control },
	{ "dma_permissions.conf", 0600, config_rules },
};

#define PARTS	(sizeof(parts) / sizeof(*parts))

/* Files that are complete, and do not have their names yet. */
struct saving {
	const char *dir;
	char *files[PARTS];
};

/* To disk before it gets its name, so that a crash leaves the old file or the new. */
static int write_part(struct saving *saving, size_t i)
{
	char *path = text("%s/.%s.XXXXXX", saving->dir, parts[i].name);
	int fd = mkostemp(path, O_CLOEXEC), failed;
	FILE *file = fd < 0 ? NULL : must(fdopen(fd, "w"));

	if (!file) {
		say("%s: %s", path, strerror(errno));
		free(path);
		return -1;
	}
	saving->files[i] = path;
	failed = parts[i].write(file);
	if (!failed && (fflush(file) || ferror(file) || fchmod(fd, parts[i].mode) || fsync(fd))) {
		say("%s/%s: %s", saving->dir, parts[i].name, strerror(errno));
		failed = -1;
	}
	fclose(file);
	return failed;
}

static int write_parts(struct saving *saving)
{
	size_t i;

	for (i = 0; i < PARTS; i++)
		if (write_part(saving, i))
			return trouble("nothing is saved");
	return 0;
}

static bool same_bytes(const char *path, const char *other)
{
	FILE *a = fopen(path, "re"), *b = fopen(other, "re");
	bool same = a && b;
	int c = 0;

	while (same && c != EOF) {
		c = getc_unlocked(a);
		same = c == getc_unlocked(b) && !ferror(a) && !ferror(b);
	}
	if (a)
		fclose(a);
	if (b)
		fclose(b);
	return same;
}

/*
 * A module that was loaded anew, and not restored, has nothing to be saved: what was saved of the
 * one before must not be lost for it.
 */
static void keep_old(const char *path, const char *new)
{
	char *old;

	if (same_bytes(path, new))
		return;
	old = text("%s~", path);
	if (!access(path, F_OK)) {
		unlink(old);
		if (link(path, old))
			say("%s: %s", old, strerror(errno));
	}
	free(old);
}

static int name_parts(struct saving *saving)
{
	size_t i;
	int fd;

	for (i = 0; i < PARTS; i++) {
		char *path = text("%s/%s", saving->dir, parts[i].name);
		int failed;

		keep_old(path, saving->files[i]);
		failed = rename(saving->files[i], path);
		if (failed)
			say("%s: %s", path, strerror(errno));
		free(path);
		if (failed)
			return EXIT_TROUBLE;
		free(saving->files[i]);
		saving->files[i] = NULL;
	}
	fd = open(saving->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0) {
		fsync(fd);
		close(fd);
	}
	return 0;
}

static void remove_rest(struct saving *saving)
{
	size_t i;

	for (i = 0; i < PARTS; i++) {
		if (saving->files[i])
			unlink(saving->files[i]);
		free(saving->files[i]);
	}
}

/* What ends programs waits until nothing is left half done. */
static void block_signals(void)
{
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGHUP);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigprocmask(SIG_BLOCK, &signals, NULL);
}

static int save(const char *dir)
{
	struct saving saving = { .dir = dir };
	int fd = control_open("control", "save"), status;

	if (fd < 0)
		return EXIT_TROUBLE;
	close(fd);
	if (!make_folders(dir, 0777))
		return trouble("%s: %s", dir, strerror(errno));
	block_signals();
	status = write_parts(&saving);
	if (!status)
		status = name_parts(&saving);
	remove_rest(&saving);
	return status;
}

/**
 * save_run() - the command save
 * @command: its row
 * @argc: its arguments
 * @argv: likewise
 *
 * Return: an exit status.
 */
int save_run(const struct command *command, int argc, char **argv)
{
	if (command_arguments(command, argc, argv, 0, 1) || need_module())
		return EXIT_TROUBLE;
	return save(optind < argc ? argv[optind] : SAVE_FOLDER);
}

/**
 * dump_run() - the command dump
 * @command: its row
 * @argc: its arguments
 * @argv: likewise
 *
 * Return: an exit status.
 */
int dump_run(const struct command *command, int argc, char **argv)
{
	int status, end;

	if (command_arguments(command, argc, argv, 0, 0) || need_module())
		return EXIT_TROUBLE;
	status = config_dump(stdout) ? EXIT_TROUBLE : 0;
	end = output_flush();
	return status ? status : end;
}
