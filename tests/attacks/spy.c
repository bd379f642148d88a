// SPDX-License-Identifier: GPL-2.0-only
/*
 * Attacks on what others do not show, under visibility=own: the attacker reads each file
 * in every way there is, by files of its own and by one that the victim sends it, while
 * the victim's rows come and go; and finds nothing of it.
 *
 * vm: --load=visibility=own --mem 512 --timeout 200
 */
#define _GNU_SOURCE
#include <linux/io_uring.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "attack.h"
#include "uring.h"

#define TIMES		scaled(20)
#define SECRET		"s3cret"	/* in all names of the victim's */
#define SECRET_PAGES	51
#define TEXT_MAX	65536

static const char * const files[] = { "stats", "devices", "agents", "quotas", "bindings",
	"templates", "regions", "allocations", "attachments", "locks", "contexts",
	"dma_permissions", "self", "control" };

#define NR_FILES	((long)(sizeof(files) / sizeof(*files)))

static int mail[2];

/* For the attacker: what it read last. */
static char text[TEXT_MAX];
static size_t text_len;
static pid_t victim_pid;
static bool expected;	/* that something is told */

static void took(ssize_t n)
{
	if (n > 0)
		text_len += n;
}

static void read_all(int fd)
{
	took(read(fd, text, TEXT_MAX));
	took(read(fd, text + text_len, TEXT_MAX - text_len));
}

static void read_bytes(int fd)
{
	while (text_len < TEXT_MAX && read(fd, text + text_len, 1) == 1)
		text_len++;
}

/* From offsets that nobody has read to. */
static void read_anywhere(int fd)
{
	off_t at;

	for (at = 4000; at > 0; at = at * 2 / 3)
		took(pread(fd, text + text_len, 300, at));
	lseek(fd, 17, SEEK_SET);
	took(read(fd, text + text_len, 4096));
}

static void read_vectors(int fd)
{
	struct iovec parts[3];
	int i;

	for (i = 0; i < 3; i++)
		parts[i] = (struct iovec){ text + i * 5000, 5000 };
	took(readv(fd, parts, 3));
}

static void read_spliced(int fd)
{
	int pipes[2];

	if (pipe(pipes))
		return;
	if (sendfile(pipes[1], fd, NULL, 16384) > 0 ||
	    splice(fd, NULL, pipes[1], NULL, 16384, 0) > 0)
		took(read(pipes[0], text, TEXT_MAX));
	close(pipes[0]);
	close(pipes[1]);
}

static void read_by_uring(int fd)
{
	struct uring ring;

	if (!uring_open(&ring))
		return;
	took(uring_read(&ring, fd, text, 16384, 0));
	took(uring_read(&ring, fd, text + text_len, 16384, text_len));
	uring_close(&ring);
}

/* By a child that is root of its own namespaces. */
static void read_as_root(int fd)
{
	int pipes[2];
	pid_t pid;

	if (pipe(pipes))
		return;
	pid = fork();
	if (!pid) {
		unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWPID);
		read_all(fd);
		_exit(write(pipes[1], text, text_len) < 0);
	}
	close(pipes[1]);
	while (read(pipes[0], text + text_len, 1) == 1)
		text_len++;
	close(pipes[0]);
	waitpid(pid, NULL, 0);
}

static void (* const ways[])(int fd) = { read_all, read_bytes, read_anywhere, read_vectors,
	read_spliced, read_by_uring, read_as_root };

#define NR_WAYS		((long)(sizeof(ways) / sizeof(*ways)))

/* Whether what was read tells of the victim: its name, its size, its pid. */
static bool tells(void)
{
	char size[32], pid[32];

	snprintf(size, sizeof(size), " %d ", SECRET_PAGES * ATTACK_PAGE);
	snprintf(pid, sizeof(pid), " %d ", victim_pid);
	return memmem(text, text_len, SECRET, strlen(SECRET)) ||
	       memmem(text, text_len, size, strlen(size)) ||
	       memmem(text, text_len, pid, strlen(pid));
}

static bool spy_on(int fd, const char *name, long way)
{
	memset(text, 0, sizeof(text));
	text_len = 0;
	ways[way](fd);
	close(fd);
	if (!tells())
		return false;
	if (!expected)
		note("%s, way %ld, tells: %.300s", name, way, text);
	return true;
}

/* Returns how often something was told; @times each file in each way. */
static long spy(long times, long unused)
{
	long told = 0, i, way;

	(void)unused;
	while (times--)
		for (i = 0; i < NR_FILES; i++)
			for (way = 0; way < NR_WAYS; way++)
				told += spy_on(swarm_open(files[i], O_RDONLY), files[i], way);
	return told;
}

/* Files that the victim has opened. */
static long spy_on_received(long socket, long unused)
{
	long told = 0, i, way;
	int fd;

	(void)unused;
	for (i = 0; i < NR_FILES; i++)
		for (way = 0; way < NR_WAYS; way++) {
			fd = client_receive_fd(socket);
			if (fd < 0)
				return -1;
			told += spy_on(fd, files[i], way);
		}
	return told;
}

static long know_victim(long pid, long unused)
{
	(void)unused;
	victim_pid = pid;
	return swarm_open("control", O_RDWR) < 0 ? errno : 0;
}

/* For the victim */

static long send_files(long socket, long unused)
{
	long i, way;
	int fd;

	(void)unused;
	for (i = 0; i < NR_FILES; i++)
		for (way = 0; way < NR_WAYS; way++) {
			fd = swarm_open(files[i], O_RDONLY);
			if (client_send_fd(socket, fd))
				return errno;
			close(fd);
		}
	return 0;
}

static long hide(long unused, long unused_too)
{
	__u32 handle;

	(void)unused;
	(void)unused_too;
	prctl(PR_SET_NAME, SECRET);
	return gem_create(victim_card, SECRET_PAGES * ATTACK_PAGE, &handle);
}

/* What it wants to hide is there to be found. */
static long spy_on_itself(long pid, long unused)
{
	(void)unused;
	victim_pid = pid;
	expected = true;
	return spy(1, 0);
}

int main(void)
{
	long times = TIMES;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, mail))
		bail("socketpair");
	attack_begin();
	attack_works(swarm_cmd("name %d " SECRET "\ngrant %d 0x7000+4K rw\n", VICTIM, VICTIM),
		     "the victim has a name");
	attack_works(client_call(&victim, hide, 0, 0), "and a buffer");
	ok(client_call(&victim, spy_on_itself, victim.pid, 0) > NR_WAYS,
	   "it is found by the victim itself");
	is_errno(client_call(&attacker, know_victim, victim.pid, 0), EACCES,
		 "the attacker may give no command");
	is(client_call(&attacker, spy, times, 0), 0, "and reads nothing of it, %ld times", times);
	client_post(&victim, send_files, mail[1], 0);
	is(client_call(&attacker, spy_on_received, mail[0], 0), 0,
	   "nor by files that the victim has opened");
	is_errno(client_result(&victim), 0, "which it was sent");
	client_post(&attacker, spy, times, 0);
	is(client_call(&victim, victim_rounds, 50, 0), 0, "the victim works on beside");
	is(client_result(&attacker), 0, "nor of what comes and goes");
	attack_end();
	return tap_done();
}
