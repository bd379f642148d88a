// SPDX-License-Identifier: GPL-2.0-only
/*
 * Attack: a user without privilege reads a file into a page that never comes
 * (userfaultfd). The module's removal does not hang for its sake: while it waits the module is in
 * use, and when it is killed the module goes. Nor does it for an operator's write from such a
 * page; and open files that nobody reads hold nothing up.
 *
 * vm: --gpu none --mem 512 --timeout 300
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include "perm.h"
#include "swarm.h"

#define NOBODY		65534
#define PAGE		4096
#define STUCK_SECONDS	60	/* for a program to come to its page */
#define REMOVAL_SECONDS	60
#define STUCK_MAX	64
#define HANGS		ETIME
#define WRONG_TEXT	EBADMSG
#define REMOVALS	scaled(50)
#define READERS		3
#define AGENTS		600	/* so that agents has several pages */

/* How a page that never comes is used. */
enum use { USE_READ, USE_PREAD, USE_READV, USE_SECOND, USE_WRITE, NR_USES };

static const char * const use_names[NR_USES] = {
	"read", "pread", "readv", "a second thread's read", "write",
};

/* Of the child that is stuck. */
struct stuck {
	enum use use;
	int fd;
	void *page;
};

static pid_t stuck[STUCK_MAX];
static int nr_stuck;

static int open_uffd(void)
{
	struct uffdio_api api = { .api = UFFD_API };
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC);

	return fd < 0 || ioctl(fd, UFFDIO_API, &api) ? -1 : fd;
}

/* A page that comes when its owner brings it: never. Two, whose first is there. */
static void *page_that_never_comes(int uffd)
{
	char *pages = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			   -1, 0);
	struct uffdio_register range = {
		.range = { .start = (unsigned long)pages + PAGE, .len = PAGE },
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};

	if (pages == MAP_FAILED || ioctl(uffd, UFFDIO_REGISTER, &range))
		return NULL;
	return pages + PAGE;
}

static void *touch(void *arg)
{
	const struct stuck *s = arg;
	struct iovec vec = { .iov_base = s->page, .iov_len = PAGE };
	ssize_t n;

	if (s->use == USE_WRITE)
		n = write(s->fd, s->page, PAGE);
	else if (s->use == USE_PREAD)
		n = pread(s->fd, s->page, PAGE, 0);
	else if (s->use == USE_READV)
		n = readv(s->fd, &vec, 1);
	else
		n = read(s->fd, s->page, PAGE);
	note("%s was not stuck: %zd", use_names[s->use], n);
	return NULL;
}

/* In the child: tell @told when it is stuck, and stay so. */
static void get_stuck(const char *file, enum use use, int told)
{
	struct stuck s = { .use = use };
	struct uffd_msg msg;
	pthread_t thread;
	int uffd;

	s.fd = swarm_open(file, use == USE_WRITE ? O_WRONLY : O_RDONLY);
	if (use != USE_WRITE && (setgid(NOBODY) || setuid(NOBODY)))
		_exit(1);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	uffd = open_uffd();
	s.page = uffd < 0 ? NULL : page_that_never_comes(uffd);
	if (!s.page || s.fd < 0 || pthread_create(&thread, NULL, touch, &s))
		_exit(1);
	/* The fault has been told: the thread waits in it. */
	if (read(uffd, &msg, sizeof(msg)) != sizeof(msg))
		_exit(1);
	if (use == USE_SECOND && pthread_create(&thread, NULL, touch, &s))
		_exit(1);
	if (write(told, "", 1) != 1)
		_exit(1);
	for (;;)
		pause();
}

/* A process that is stuck in that use of that file. */
static bool begin_stuck(const char *file, enum use use)
{
	struct pollfd p = { .events = POLLIN };
	int told[2];
	pid_t pid;
	char c;

	if (nr_stuck == STUCK_MAX || pipe2(told, O_CLOEXEC))
		bail("a pipe");
	pid = fork();
	if (!pid) {
		close(told[0]);
		get_stuck(file, use, told[1]);
	}
	stuck[nr_stuck++] = pid;
	close(told[1]);
	p.fd = told[0];
	if (poll(&p, 1, STUCK_SECONDS * 1000) != 1 || read(told[0], &c, 1) != 1) {
		note("%s of %s did not come to its page", use_names[use], file);
		close(told[0]);
		return false;
	}
	close(told[0]);
	return true;
}

static void kill_stuck(void)
{
	pid_t pid = stuck[--nr_stuck];

	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static bool has_ended(const void *arg)
{
	siginfo_t info = { };

	waitid(P_PID, *(const pid_t *)arg, &info, WEXITED | WNOHANG | WNOWAIT);
	return info.si_pid;
}

/* Removes the module. Returns 0, an error number, or HANGS. */
static int removal(void)
{
	pid_t pid = fork();
	int status;

	if (!pid)
		_exit(perm_delete("gpu_dma_lock"));
	if (!swarm_wait(has_ended, &pid, REMOVAL_SECONDS)) {
		note("it hangs");
		while (nr_stuck)
			kill_stuck();
		waitpid(pid, NULL, 0);
		return HANGS;
	}
	waitpid(pid, &status, 0);
	return WEXITSTATUS(status);
}

static void insert(void)
{
	int i;

	if (perm_insert(PERM_MODULE))
		bail("inserting the module");
	/* dma_permissions has no header, so it wants a row. */
	if (swarm_cmd("create_agent 7\ngrant 7 0x1000+0x1000 rw\n"))
		bail("an agent");
	for (i = 0; i < AGENTS; i++)
		if (swarm_cmd("create_agent %d\n", 1000 + i))
			bail("agents");
}

/* Is it in use as long as one is stuck, and goes it then? */
static void check_removal(const char *what)
{
	int n = nr_stuck, err;

	err = removal();
	if (!is_errno(err, EAGAIN, "%s: with %d stuck the module is in use", what, n)) {
		if (!err || err == HANGS)
			insert();
		return;
	}
	while (nr_stuck > 1)
		kill_stuck();
	is_errno(removal(), EAGAIN, "%s: and with one", what);
	if (nr_stuck)
		kill_stuck();
	is_errno(removal(), 0, "%s: it goes when that is killed", what);
	insert();
}

static void test_readers(void)
{
	DIR *dir = opendir(SWARM_DIR);
	struct dirent *entry;
	bool all = true;

	while ((entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			all &= begin_stuck(entry->d_name, USE_READ);
	closedir(dir);
	ok(all, "nobody is stuck in each file");
	check_removal("read");
}

static void test_other_reads(void)
{
	static const char * const files[] = { "stats", "agents", "self" };
	bool all = true;
	size_t i;

	for (i = 0; i < sizeof(files) / sizeof(*files); i++) {
		all &= begin_stuck(files[i], USE_PREAD);
		all &= begin_stuck(files[i], USE_READV);
		all &= begin_stuck(files[i], USE_SECOND);
	}
	ok(all, "nobody is stuck otherwise");
	check_removal("pread, readv, two threads");
}

static void test_writers(void)
{
	static const char * const files[] = { "control", "quotas", "dma_permissions" };
	bool all = true;
	size_t i;

	for (i = 0; i < sizeof(files) / sizeof(*files); i++)
		all &= begin_stuck(files[i], USE_WRITE);
	ok(all, "an operator's writes are stuck");
	check_removal("write");
}

/* Files that nobody reads, and a reader of one into a full pipe. */
static void test_idle_files(void)
{
	int fd = swarm_open("agents", O_RDONLY), other = swarm_open("control", O_RDWR);
	char text[64];
	int full[2];
	pid_t pid;

	if (fd < 0 || other < 0 || read(fd, text, 32) != 32 || pipe(full))
		bail("reading");
	fcntl(full[1], F_SETFL, O_NONBLOCK);
	while (write(full[1], text, sizeof(text)) > 0)
		;
	fcntl(full[1], F_SETFL, 0);
	pid = fork();
	if (!pid)
		_exit(splice(fd, NULL, full[1], NULL, PAGE, 0) < 0);
	usleep(200000);
	is_errno(removal(), 0, "open files, and a splice to a full pipe, hold nothing up");
	is_errno(read(fd, text, 32) < 0 ? errno : 0, EIO, "they are dead then");
	is_errno(write(other, "x\n", 2) < 0 ? errno : 0, EIO, "for writes too");
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	close(full[0]);
	close(full[1]);
	close(fd);
	close(other);
	insert();
}

#define CHUNK	(16 * PAGE)

/* What a file has, by reads into memory that is there, or is not yet. Returns its bytes. */
static ssize_t read_whole(char *to, ssize_t size, bool fresh)
{
	char *chunk = mmap(NULL, CHUNK + PAGE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fd = swarm_open("agents", O_RDONLY);
	ssize_t n, sum = 0;

	do {
		memset(chunk, 1, CHUNK + PAGE);
		if (fresh)
			madvise(chunk, CHUNK + PAGE, MADV_DONTNEED);
		n = read(fd, chunk + 100, CHUNK);
		if (n > size - sum)
			bail("agents has too many bytes");
		if (n > 0)
			memcpy(to + sum, chunk + 100, n);
		sum += n;
	} while (n > 0);
	munmap(chunk, CHUNK + PAGE);
	close(fd);
	return n ? -1 : sum;
}

/* Memory that is not there yet, which is usual, makes no difference. */
static void test_fresh_memory(void)
{
	static char before[64 * PAGE], after[64 * PAGE];
	ssize_t sum = read_whole(before, sizeof(before), false);
	bool same = sum == read_whole(after, sizeof(after), true);

	same &= sum > 0 && !memcmp(before, after, sum);
	ok(same, "reads into fresh memory give the same");
	ok(sum > 2 * PAGE, "of several pages");
}

/* Reads with each page to be made anew. Returns the error that should not be. */
static int read_until_killed(void)
{
	char *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fd, err;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;) {
		fd = swarm_open("agents", O_RDONLY);
		madvise(page, PAGE, MADV_DONTNEED);
		err = fd < 0 || read(fd, page, PAGE) <= 0 ? errno : 0;
		if (err && err != ENOENT && err != EIO && err != ENODEV)
			return err;
		if (!err && strncmp(page, "ID ", 3))
			return WRONG_TEXT;
		close(fd);
	}
}

/* It may be in use for the moment that a page takes: it is tried again then. */
static void test_race(void)
{
	int i, tries, err = 0, busy = 0;
	pid_t pids[READERS];

	for (i = 0; i < READERS; i++) {
		pids[i] = fork();
		if (!pids[i])
			_exit(setuid(NOBODY) ? EPERM : read_until_killed());
	}
	for (i = 0; i < REMOVALS && !err; i++) {
		for (tries = 0; tries < 1000; tries++) {
			err = removal();
			if (err != EAGAIN)
				break;
			busy++;
		}
		if (!err && perm_insert(PERM_MODULE))
			bail("inserting the module");
	}
	is_errno(err, 0, "it is removed %d times under readers", REMOVALS);
	note("and was in use %d times", busy);
	for (i = 0; i < READERS; i++)
		ok(!has_ended(&pids[i]), "reader %d has seen no error but that it is gone", i);
	for (i = 0; i < READERS; i++) {
		kill(pids[i], SIGKILL);
		waitpid(pids[i], NULL, 0);
	}
}

static void allow_userfaultfd(void)
{
	int fd = open("/proc/sys/vm/unprivileged_userfaultfd", O_WRONLY | O_CLOEXEC);
	int uffd;

	if (fd >= 0 && write(fd, "1", 1) != 1)
		note("unprivileged_userfaultfd cannot be set");
	close(fd);
	uffd = open_uffd();
	if (uffd < 0)
		skip_all("no userfaultfd");
	close(uffd);
}

int main(void)
{
	allow_userfaultfd();
	insert();
	test_readers();
	test_other_reads();
	test_writers();
	test_idle_files();
	test_fresh_memory();
	test_race();
	is_errno(removal(), 0, "the module goes at the end");
	return tap_done();
}
