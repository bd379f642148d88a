// SPDX-License-Identifier: GPL-2.0-only
/*
 * Holders: processes that have files or mappings of dma-bufs.
 *
 * /proc shows the processes of its pid namespace, and of all namespaces below: on the host,
 * those of all containers. What is in a socket, or registered with io_uring, is of no process
 * there.
 */

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/kcmp.h>
#include <search.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "holder.h"
#include "message.h"
#include "word.h"

#define PROCESSES	"/proc"

/* How the kernel names the file of a dma-buf, before its own name. */
#define DMABUF_NAME	"/dmabuf:"
#define DMABUF_MAGIC	0x444d4142

/* So many are told by their numbers. */
#define FDS_SHOWN	16

/**
 * process_folder() - where processes are
 *
 * Return: the value of GPU_DMA_LOCK_PROCESSES, or /proc.
 */
const char *process_folder(void)
{
	const char *folder = getenv("GPU_DMA_LOCK_PROCESSES");

	return folder && *folder ? folder : PROCESSES;
}

/**
 * process_comm() - the name of a process
 * @pid: its number
 *
 * Return: a word, "-" if there is no such process; to be given to free().
 */
char *process_comm(const char *pid)
{
	char *path = text("%s/%s/comm", process_folder(), pid), comm[64];
	FILE *file = fopen(path, "re");
	size_t len = file ? fread(comm, 1, sizeof(comm), file) : 0;

	if (file)
		fclose(file);
	free(path);
	len -= len && comm[len - 1] == '\n';
	return len ? word_escape(comm, len) : must(strdup("-"));
}

/* The 22nd word of stat; the second, in parentheses, is the process's to choose. */
static int take_start(const char *stat, uint64_t *start)
{
	const char *word = strrchr(stat, ')');
	int i;

	for (i = 2; word && i < 22; i++)
		word = strchr(word + 1, ' ');
	return word && sscanf(word, " %" SCNu64, start) == 1 ? 0 : EINVAL;
}

/**
 * process_start() - when a process began, which tells it from another one of that number
 * @pid: its number
 * @start: receives the time since boot, in ticks of the clock
 *
 * Return: 0; ENOENT or ESRCH if there is no such process; or another error.
 */
int process_start(uint32_t pid, uint64_t *start)
{
	char *path = text("%s/%" PRIu32 "/stat", process_folder(), pid), stat[4096];
	FILE *file = fopen(path, "re");
	int error = file ? 0 : errno;
	size_t len = 0;

	free(path);
	if (!file)
		return error;
	errno = 0;
	len = fread(stat, 1, sizeof(stat) - 1, file);
	if (ferror(file))
		error = errno ? errno : EIO;
	fclose(file);
	stat[len] = '\0';
	return error ? error : take_start(stat, start);
}

static int is_number(const struct dirent *entry)
{
	return word_is_number(entry->d_name);
}

/* The numbers in a folder, in order; -1 if it cannot be read. */
static int numbers_in(const char *folder, struct dirent ***entries)
{
	return scandir(folder, entries, is_number, versionsort);
}

static void free_numbers(struct dirent **entries, int count)
{
	if (count < 0)
		return;
	while (count--)
		free(entries[count]);
	free(entries);
}

/* A file may be called so; that of a dma-buf is in no file system that can be mounted. */
static bool is_dmabuf(const char *path)
{
	struct statfs fs;

	return statfs(path, &fs) || fs.f_type == DMABUF_MAGIC;
}

static bool is_dmabuf_link(const char *path)
{
	char target[sizeof(DMABUF_NAME)];
	ssize_t len = readlink(path, target, sizeof(DMABUF_NAME) - 1);

	return len == sizeof(DMABUF_NAME) - 1 && !memcmp(target, DMABUF_NAME, len) &&
	       is_dmabuf(path);
}

/* The inode that fdinfo tells, or the file itself, on kernels before 5.14; 0 if it is gone. */
static uint64_t inode_of(const char *fdinfo, const char *fd)
{
	FILE *file = fopen(fdinfo, "re");
	unsigned long long inode = 0;
	char line[256];
	struct stat st;

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "ino: %llu", &inode) == 1)
			break;
	if (file)
		fclose(file);
	if (!inode && !stat(fd, &st))
		inode = st.st_ino;
	return inode;
}

struct place {
	uint64_t inode;
	size_t index;
};

static int by_inode(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	return (x->inode > y->inode) - (x->inode < y->inode);
}

/* The entry of a process and an inode, a new one if it has none. */
static struct holder *entry_of(struct holders *h, const char *pid, uint64_t inode)
{
	struct place key = { inode, h->count }, *new, **found;

	found = tfind(&key, &h->of_process, by_inode);
	if (found)
		return &h->list[(*found)->index];
	new = make(1, sizeof(*new));
	*new = key;
	must(tsearch(new, &h->of_process, by_inode));
	h->list = grow(h->list, &h->room, h->count + 1, sizeof(*h->list));
	h->list[h->count] = (struct holder){
		.pid = must(strdup(pid)), .comm = process_comm(pid), .inode = inode,
		.fds = must(strdup("-")),
	};
	return &h->list[h->count++];
}

static void add_fd(struct holder *holder, const char *fd, bool of_thread)
{
	char *longer;

	holder->fd_count++;
	holder->threads += of_thread;
	if (holder->fd_count > FDS_SHOWN + 1)
		return;
	longer = holder->fd_count == 1 ? text("%s", fd) :
		 text("%s,%s", holder->fds, holder->fd_count > FDS_SHOWN ? "..." : fd);
	free(holder->fds);
	holder->fds = longer;
}

static void look_at_fd(struct holders *h, const char *pid, const char *task, const char *fd,
		       uint64_t wanted)
{
	char *path = text("%s/fd/%s", task, fd), *fdinfo = text("%s/fdinfo/%s", task, fd);
	uint64_t inode;

	if (is_dmabuf_link(path)) {
		inode = inode_of(fdinfo, path);
		if (inode && (!wanted || inode == wanted))
			add_fd(entry_of(h, pid, inode), fd, strstr(task, "/task/"));
	}
	free(path);
	free(fdinfo);
}

/* All files of a process, or of a thread; false if they are not for the user. */
static bool look_at_fds(struct holders *h, const char *pid, const char *task, uint64_t inode)
{
	char *path = text("%s/fd", task);
	struct dirent **fds;
	int count = numbers_in(path, &fds), i;
	bool hidden = count < 0 && (errno == EACCES || errno == EPERM);

	free(path);
	for (i = 0; i < count; i++)
		look_at_fd(h, pid, task, fds[i]->d_name, inode);
	free_numbers(fds, count);
	return !hidden;
}

/* Threads may have files of their own, by unshare(CLONE_FILES). */
static bool has_own_files(const char *pid, const char *tid)
{
	long order;

	if (!strcmp(pid, tid))
		return false;
	order = syscall(SYS_kcmp, atoi(pid), atoi(tid), KCMP_FILES, 0, 0);
	/* A kernel without kcmp() does not tell: nearly none has. */
	return order > 0 || (order < 0 && errno == ESRCH);
}

static void look_at_threads(struct holders *h, const char *pid, const char *process,
			    uint64_t inode)
{
	char *path = text("%s/task", process), *task;
	struct dirent **threads;
	int count = numbers_in(path, &threads), i;

	for (i = 0; i < count; i++) {
		if (!has_own_files(pid, threads[i]->d_name))
			continue;
		task = text("%s/%s", path, threads[i]->d_name);
		look_at_fds(h, pid, task, inode);
		free(task);
	}
	free_numbers(threads, count);
	free(path);
}

/* A line of maps: START-END MODE OFFSET MAJOR:MINOR INODE NAME. */
static void look_at_mapping(struct holders *h, const char *pid, const char *process,
			    const char *line, uint64_t wanted)
{
	unsigned long long start, end, inode;
	struct holder *holder;
	char *path;
	int name = 0;
	bool is;

	if (sscanf(line, "%llx-%llx %*s %*s %*s %llu %n", &start, &end, &inode, &name) != 3 ||
	    !name || strncmp(line + name, DMABUF_NAME, strlen(DMABUF_NAME)) || end < start)
		return;
	if (!inode || (wanted && inode != wanted))
		return;
	path = text("%s/map_files/%llx-%llx", process, start, end);
	is = is_dmabuf(path);
	free(path);
	if (!is)
		return;
	holder = entry_of(h, pid, inode);
	holder->mappings++;
	holder->mapped += end - start;
}

static bool look_at_maps(struct holders *h, const char *pid, const char *process, uint64_t inode)
{
	char *path = text("%s/maps", process), *line = NULL;
	FILE *file = fopen(path, "re");
	bool hidden = !file && (errno == EACCES || errno == EPERM);
	size_t size = 0;

	free(path);
	while (file && getline(&line, &size, file) > 0)
		look_at_mapping(h, pid, process, line, inode);
	free(line);
	if (file)
		fclose(file);
	return !hidden;
}

static void look_at_process(struct holders *h, const char *pid, uint64_t inode)
{
	char *process = text("%s/%s", process_folder(), pid);
	bool seen = look_at_fds(h, pid, process, inode);

	look_at_threads(h, pid, process, inode);
	seen &= look_at_maps(h, pid, process, inode);
	h->hidden += !seen;
	tdestroy(h->of_process, free);
	h->of_process = NULL;
	free(process);
}

/**
 * holders_find() - find who holds dma-bufs
 * @h: receives them; to be given to holders_free(), also after an error
 * @pid: of the process, NULL for all
 * @inode: of the dma-buf, 0 for all
 *
 * Return: 0; or -1 if processes cannot be listed, which has been said.
 */
int holders_find(struct holders *h, const char *pid, uint64_t inode)
{
	struct dirent **processes;
	int count, i;

	*h = (struct holders){ 0 };
	if (pid) {
		look_at_process(h, pid, inode);
		return 0;
	}
	count = numbers_in(process_folder(), &processes);
	if (count < 0) {
		say("%s: %s", process_folder(), strerror(errno));
		return -1;
	}
	for (i = 0; i < count; i++)
		look_at_process(h, processes[i]->d_name, inode);
	free_numbers(processes, count);
	return 0;
}

/**
 * holders_free() - forget them
 * @h: what holders_find() filled
 */
void holders_free(struct holders *h)
{
	while (h->count--) {
		free(h->list[h->count].pid);
		free(h->list[h->count].comm);
		free(h->list[h->count].fds);
	}
	free(h->list);
	*h = (struct holders){ 0 };
}
