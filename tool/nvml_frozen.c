// SPDX-License-Identifier: GPL-2.0-only
/*
 * Frozen cgroups: which of them nvml has frozen, so that whoever comes after it can thaw them.
 *
 * The list is in a file, /run/gpu-dma-lock/frozen, with a line "INODE PATH" for each, which is
 * there before the cgroup is frozen. After a kill -9, or a crash, `nvml --thaw` and the next nvml
 * find there what to thaw. What others have frozen is not in it, and stays frozen.
 */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cgroup.h"
#include "message.h"
#include "nvml_frozen.h"
#include "word.h"

#define STATE_FOLDER	"/run/gpu-dma-lock"

static char *state_path(const char *name)
{
	const char *folder = getenv("GPU_DMA_LOCK_STATE");

	return text("%s/%s", folder && *folder ? folder : STATE_FOLDER, name);
}

static bool is_gone(int error)
{
	return error == ENOENT || error == ENODEV;
}

/* Opens a cgroup, if it is the one that was frozen. Returns 0; ENOENT if that has gone; or another
 * error, whereupon it may be there, and frozen.
 */
static int open_same(const struct frozen_cgroup *c, int *folder)
{
	int error = 0;
	struct stat st;

	*folder = cgroup_open(c->path);
	if (*folder < 0)
		return is_gone(errno) ? ENOENT : errno;
	if (fstat(*folder, &st))
		error = errno;
	else if (st.st_ino != c->inode)
		error = ENOENT;
	if (error)
		close(*folder);
	return error;
}

/* What cgroup.freeze says: '0' or '1'. Returns 0, or an error as open_same() does. */
static int state_of(const struct frozen_cgroup *c, char *state)
{
	int folder, error = open_same(c, &folder);

	if (error)
		return error;
	error = cgroup_read(folder, "cgroup.freeze", state);
	close(folder);
	return is_gone(error) ? ENOENT : error;
}

static void add(struct nvml_frozen *f, char *path, ino_t inode, char *agent)
{
	f->list = grow(f->list, &f->room, f->count + 1, sizeof(*f->list));
	f->list[f->count++] = (struct frozen_cgroup){ path, inode, agent, false };
}

static void drop(struct nvml_frozen *f, size_t i)
{
	free(f->list[i].path);
	free(f->list[i].agent);
	f->list[i] = f->list[--f->count];
}

/* A line of the list. Returns false if it is none. */
static bool take_line(struct nvml_frozen *f, const char *line)
{
	unsigned long long inode;
	char *path;
	int at = 0;

	if (sscanf(line, "%llu %n", &inode, &at) != 1 || !at)
		return false;
	path = cgroup_path(line + at);
	if (path)
		add(f, path, inode, NULL);
	return path;
}

/* The list that a file has; none if there is no file. Returns 0; or -1 if it cannot be read, or not
 * all of it, which has been said.
 */
static int read_list(struct nvml_frozen *f)
{
	char *name = state_path("frozen"), *line = NULL;
	FILE *file = fopen(name, "re");
	int error = file || errno == ENOENT ? 0 : errno;
	size_t size = 0;
	ssize_t len;

	errno = 0;
	while (file && (len = getline(&line, &size, file)) > 0) {
		line[len - (line[len - 1] == '\n')] = '\0';
		if (!take_line(f, line))
			error = EBADMSG;
	}
	if (file && ferror(file))
		error = errno ? errno : EIO;
	if (error)
		say("nvml: %s, of what is frozen: %s", name, strerror(error));
	if (file)
		fclose(file);
	free(line);
	free(name);
	return error ? -1 : 0;
}

static int write_lines(const struct nvml_frozen *f, const char *name)
{
	FILE *file = fopen(name, "we");
	char *word;
	size_t i;
	int error = file ? 0 : errno;

	for (i = 0; file && i < f->count; i++) {
		word = word_escape(f->list[i].path, strlen(f->list[i].path));
		fprintf(file, "%ju cgroup:%s\n", (uintmax_t)f->list[i].inode, word);
		free(word);
	}
	if (file && fclose(file))
		error = errno;
	return error;
}

/* The whole list, in one step. Returns 0, or what errno was. */
static int write_list(const struct nvml_frozen *f)
{
	char *name = state_path("frozen"), *new = state_path("frozen.new");
	int error = 0;

	if (f->count)
		error = write_lines(f, new);
	if (!error && (f->count ? rename(new, name) : unlink(name)) && errno != ENOENT)
		error = errno;
	free(new);
	free(name);
	return error;
}

/* Returns 0; EWOULDBLOCK if another nvml holds it; or another error. */
static int take_lock(struct nvml_frozen *f)
{
	char *folder = state_path(""), *name = state_path("nvml.lock");
	int error = 0;

	folder[strlen(folder) - 1] = '\0';
	f->lock = make_folders(folder, 0755) ? open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600) : -1;
	if (f->lock < 0 || flock(f->lock, LOCK_EX | LOCK_NB))
		error = errno;
	if (error && error != EWOULDBLOCK)
		say("nvml: %s: %s", name, strerror(error));
	if (error && f->lock >= 0)
		close(f->lock);
	free(name);
	free(folder);
	return error;
}

/* Returns 0 if it is not frozen now, by whomever, or an error. *@thawed: it was. */
static int thaw_folder(int folder, bool *thawed)
{
	char state;
	int error = cgroup_read(folder, "cgroup.freeze", &state);

	if (!error && state != '0') {
		error = cgroup_write(folder, "cgroup.freeze", "0");
		*thawed = !error;
	}
	return error;
}

/* Returns 0; or -1, and what is wrong has been said once. */
static int thaw_one(struct frozen_cgroup *c)
{
	bool thawed = false;
	char *word, *shown;
	int folder, error = open_same(c, &folder);

	if (!error) {
		error = thaw_folder(folder, &thawed);
		close(folder);
	}
	if (is_gone(error))
		return 0;
	word = word_escape(c->path, strlen(c->path));
	shown = word_shown(word);
	if (error && !c->told)
		say("nvml: cgroup %s cannot be thawed: %s", shown, strerror(error));
	else if (thawed)
		say("nvml: cgroup %s is thawed", shown);
	c->told = error;
	free(shown);
	free(word);
	return error ? -1 : 0;
}

/* Thaws what is in a list that stays as it is. Returns 0; or -1 if something is frozen still. */
static int thaw_listed(struct nvml_frozen *f)
{
	int failed = 0;
	size_t i;

	for (i = 0; i < f->count; i++)
		failed |= thaw_one(&f->list[i]);
	return failed;
}

/**
 * nvml_frozen_open() - become the one nvml, and thaw what an earlier one has left frozen
 * @f: to be given to nvml_frozen_close()
 *
 * Return: 0; or EXIT_TROUBLE, and what is wrong has been said.
 */
int nvml_frozen_open(struct nvml_frozen *f)
{
	int error;

	*f = (struct nvml_frozen){ 0 };
	error = take_lock(f);
	if (error == EWOULDBLOCK)
		return trouble("nvml: there is another one that runs");
	if (error)
		return EXIT_TROUBLE;
	if (read_list(f)) {
		thaw_listed(f);
		nvml_frozen_close(f);
		return EXIT_TROUBLE;
	}
	nvml_thaw(f, NULL);
	return 0;
}

/**
 * nvml_freeze() - freeze a cgroup
 * @f: the list, in which it is from then on
 * @agent: whose it is
 * @path: of the cgroup
 * @folder: what cgroup_open() returned for it
 *
 * Return: 0; EALREADY if somebody else has frozen it; or another error. Then it is not in the
 * list.
 */
int nvml_freeze(struct nvml_frozen *f, const char *agent, const char *path, int folder)
{
	struct stat st;
	char state;
	int error = fstat(folder, &st) ? errno : cgroup_read(folder, "cgroup.freeze", &state);

	if (!error && state != '0')
		error = EALREADY;
	if (error)
		return error;
	add(f, must(strdup(path)), st.st_ino, must(strdup(agent)));
	error = write_list(f);
	if (!error)
		error = cgroup_write(folder, "cgroup.freeze", "1");
	if (error) {
		drop(f, f->count - 1);
		write_list(f);
	}
	return error;
}

/**
 * nvml_is_frozen() - whether nvml_freeze() has frozen a cgroup
 * @f: the list
 * @path: of the cgroup
 *
 * Return: true if it has, and did not thaw it.
 */
bool nvml_is_frozen(const struct nvml_frozen *f, const char *path)
{
	size_t i;

	for (i = 0; i < f->count; i++) {
		int folder, error;

		if (strcmp(f->list[i].path, path))
			continue;
		error = open_same(&f->list[i], &folder);
		if (!error)
			close(folder);
		if (!is_gone(error))
			return true;
	}
	return false;
}

/**
 * nvml_was_thawed() - whether somebody has thawed a cgroup of an agent
 * @f: the list, in which those are no more, nor those that there are not
 * @agent: whose
 *
 * Return: true if so.
 */
bool nvml_was_thawed(struct nvml_frozen *f, const char *agent)
{
	bool thawed = false, changed = false;
	size_t i = 0;

	while (i < f->count) {
		const struct frozen_cgroup *c = &f->list[i];
		char state = '1';
		int error = 0;

		if (c->agent && !strcmp(c->agent, agent))
			error = state_of(c, &state);
		if (!is_gone(error) && (error || state != '0')) {
			i++;
			continue;
		}
		thawed = thawed || !error;
		changed = true;
		drop(f, i);
	}
	if (changed)
		write_list(f);
	return thawed;
}

/**
 * nvml_thaw_cgroup() - thaw one cgroup, if it was frozen
 * @f: the list
 * @path: of the cgroup
 */
void nvml_thaw_cgroup(struct nvml_frozen *f, const char *path)
{
	size_t i = 0;

	while (i < f->count && strcmp(f->list[i].path, path))
		i++;
	if (i == f->count || thaw_one(&f->list[i]))
		return;
	drop(f, i);
	write_list(f);
}

/**
 * nvml_thaw() - thaw what was frozen
 * @f: the list
 * @agent: whose; NULL: all
 *
 * Return: 0; or -1 if something is frozen still, which has been said.
 */
int nvml_thaw(struct nvml_frozen *f, const char *agent)
{
	bool changed = false;
	int failed = 0;
	size_t i = 0;

	while (i < f->count) {
		struct frozen_cgroup *c = &f->list[i];

		if (agent && (!c->agent || strcmp(c->agent, agent))) {
			i++;
		} else if (thaw_one(c)) {
			failed = -1;
			i++;
		} else {
			changed = true;
			drop(f, i);
		}
	}
	if (changed)
		write_list(f);
	return failed;
}

/**
 * nvml_thaw_recorded() - thaw what an nvml has frozen, which may run, or not any more
 * @left: only what one has left that does not run any more
 *
 * The list of one that runs stays its own: it finds that somebody has thawed them.
 *
 * Return: an exit status.
 */
int nvml_thaw_recorded(bool left)
{
	struct nvml_frozen f = { 0 };
	int error = take_lock(&f), failed;

	if (error && error != EWOULDBLOCK)
		return EXIT_TROUBLE;
	if (error && left)
		return 0;
	failed = read_list(&f);
	if (error || failed)
		failed |= thaw_listed(&f);
	else
		failed = nvml_thaw(&f, NULL);
	if (error)
		f.lock = -1;
	nvml_frozen_close(&f);
	return failed ? EXIT_PROBLEM : 0;
}

/**
 * nvml_frozen_close() - forget the list, as it is in its file
 * @f: the list
 */
void nvml_frozen_close(struct nvml_frozen *f)
{
	while (f->count)
		drop(f, f->count - 1);
	free(f->list);
	if (f->lock >= 0)
		close(f->lock);
}
