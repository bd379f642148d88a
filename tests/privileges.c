// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who may write: a process with CAP_SYS_ADMIN in the initial user namespace
 * when it OPENED the file, whoever holds the file afterwards.
 *
 * vm: --load --mem 512 --timeout 120
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gem.h"
#include "swarm.h"

#define NOBODY		65534
#define GONE_SECONDS	60

static const char * const writable[] = { "control", "quotas", "dma_permissions" };
static const char * const read_only[] = { "stats", "devices", "agents", "allocations", "bindings",
	"self" };

static const char * const files[] = { "stats", "devices", "agents", "quotas", "allocations",
	"attachments", "locks", "contexts", "bindings", "dma_permissions", "self", "control" };

static int put(int fd, const char *text)
{
	return write(fd, text, strlen(text)) < 0 ? errno : 0;
}

/* What a write of one good line to @file would be. */
static const char *good_line(const char *file)
{
	if (!strcmp(file, "quotas"))
		return "41 1M\n";
	return strcmp(file, "control") ? "41:0x1000:r\n" : "create_agent 41\n";
}

static int become_nobody(void)
{
	return setgid(NOBODY) || setuid(NOBODY);
}

static int drop_sys_admin(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &header, data))
		return -1;
	data[0].effective &= ~(1U << CAP_SYS_ADMIN);
	data[0].permitted &= ~(1U << CAP_SYS_ADMIN);
	data[0].inheritable &= ~(1U << CAP_SYS_ADMIN);
	return syscall(SYS_capset, &header, data);
}

static int put_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY), err = fd < 0 || put(fd, text);

	close(fd);
	return err;
}

/* Root, but of a user namespace of its own only. */
static int enter_user_namespace(void)
{
	return unshare(CLONE_NEWUSER) || put_text("/proc/self/setgroups", "deny") ||
	       put_text("/proc/self/uid_map", "0 0 1\n") ||
	       put_text("/proc/self/gid_map", "0 0 1\n");
}

/*
 * A child gets as @become makes it, opens @file and writes a line. Returns the
 * error of that, of open if it fails, and the opened file in @fd.
 */
static int write_as(int (*become)(void), const char *file, int *fd)
{
	int report[2], done[2], got[2] = { -1, -1 };
	pid_t child;
	char byte;
	int pidfd;

	if (pipe(report) || pipe(done))
		bail("pipe");
	child = fork();
	if (!child) {
		close(done[1]);
		if (become())
			_exit(1);
		got[1] = swarm_open(file, O_WRONLY);
		got[0] = got[1] < 0 ? errno : put(got[1], good_line(file));
		if (write(report[1], got, sizeof(got)) != sizeof(got))
			_exit(2);
		_exit(read(done[0], &byte, 1) < 0);
	}
	close(report[1]);
	if (read(report[0], got, sizeof(got)) != sizeof(got))
		bail("a child could not lose its privileges");
	*fd = -1;
	if (got[1] >= 0) {
		pidfd = syscall(SYS_pidfd_open, child, 0);
		*fd = syscall(SYS_pidfd_getfd, pidfd, got[1], 0);
		close(pidfd);
	}
	close(done[1]);
	waitpid(child, NULL, 0);
	close(report[0]);
	close(done[0]);
	return got[0];
}

static void no_agent(const char *when)
{
	ok(!swarm_has("agents", "ID", 41), "%s: nothing is run", when);
}

static void test_unprivileged(const char *file)
{
	int fd;

	is_errno(write_as(become_nobody, file, &fd), EACCES, "%s: nobody may not open it", file);
	no_agent(file);

	is_errno(write_as(drop_sys_admin, file, &fd), EPERM,
		 "%s: uid 0 without CAP_SYS_ADMIN may not write", file);
	no_agent(file);
	is_errno(put(fd, good_line(file)), EPERM, "%s: nor may root, with that open file", file);
	close(fd);
	no_agent(file);

	is_errno(write_as(enter_user_namespace, file, &fd), EPERM,
		 "%s: root of a user namespace may not write", file);
	no_agent(file);
	is_errno(put(fd, good_line(file)), EPERM, "%s: nor may root, with that open file", file);
	close(fd);
	no_agent(file);
}

/* The reverse: a file that root opened, in the hands of others. */
static void test_passed_on(const char *file)
{
	int (* const become[])(void) = { become_nobody, drop_sys_admin, enter_user_namespace };
	static const char * const who[] = { "nobody", "powerless root", "namespace root" };
	int fd, status;
	size_t i;

	for (i = 0; i < sizeof(who) / sizeof(*who); i++) {
		fd = swarm_open(file, O_WRONLY);
		if (!fork())
			_exit(become[i]() ? 255 : put(fd, good_line(file)));
		wait(&status);
		close(fd);
		is_errno(WEXITSTATUS(status), 0, "%s: %s may write what root opened", file, who[i]);
		ok(swarm_has("agents", "ID", 41), "%s: with effect", file);
		if (swarm_cmd("remove_agent 41\n"))
			bail("removing the agent");
	}
}

/* Whether @text has what looks like an address of the kernel: ffff and 12 digits more. */
static bool has_address(const char *text)
{
	size_t digits = 0;

	for (; *text; text++) {
		if (!digits && strncasecmp(text, "ffff", 4))
			continue;
		digits = isxdigit((unsigned char)*text) ? digits + 1 : 0;
		if (digits == 16)
			return true;
	}
	return false;
}

/* As @become makes it: 0 if every file can be read and tells no address. */
static int read_as(int (*become)(void))
{
	struct swarm_table t;
	int status;
	long row;
	char *text;
	size_t i;

	if (!fork()) {
		if (become())
			_exit(1);
		for (i = 0; i < sizeof(files) / sizeof(*files); i++) {
			text = swarm_read(files[i]);
			if (!text || has_address(text))
				_exit(2);
			free(text);
		}
		swarm_load(&t, "allocations");
		for (row = 0; row < t.rows; row++)
			if (strcmp(swarm_cell(&t, row, "DMA_ADDR"), "0x0") &&
			    strcmp(swarm_cell(&t, row, "DMA_ADDR"), "-"))
				_exit(3);
		_exit(t.rows ? 0 : 4);
	}
	wait(&status);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* With a real buffer that has been mapped, and a rule, there are addresses to tell. */
static void test_no_addresses(void)
{
	int vgem = gem_open("vgem"), virtio = gem_open("virtio_gpu"), fd = -1;
	__u32 handle, imported;
	struct swarm_table t;
	char *text;

	if (gem_create(virtio, 16384, &handle) || gem_export(virtio, handle, &fd) ||
	    gem_import(vgem, fd, &imported) || swarm_write("dma_permissions", "0:0x1000:r\n"))
		bail("making a buffer");
	swarm_load(&t, "allocations");
	ok(strncmp(swarm_cell(&t, 0, "DMA_ADDR"), "0x0", 4) != 0, "root sees DMA_ADDR: %s",
	   swarm_cell(&t, 0, "DMA_ADDR"));
	swarm_unload(&t);
	text = swarm_read("allocations");
	ok(!has_address(text), "but no address of the kernel");
	free(text);
	is(read_as(become_nobody), 0, "nobody reads every file and sees no address");
	is(read_as(drop_sys_admin), 0, "nor does uid 0 without CAP_SYS_ADMIN");
	is(read_as(enter_user_namespace), 0, "nor root of a user namespace");
	ok(has_address("x ffffffffc0123456 y") && !has_address("ffff ffffffffc012345g"),
	   "an address would be seen");
	swarm_cmd("revoke 0");
	close(fd);
	close(vgem);
	close(virtio);
}

/* A process may call itself anything; its rows stay what they are. */
static void test_forged_name(void)
{
	static const char name[] = "a 1\n9 0 1\033[2J\\";
	static const char shown[] = "a\\0401\\0129\\0400\\0401\\033[2J\\134";
	static const struct {
		const char *file;
		long rows;
	} with_comm[] = { { "allocations", 1 }, { "attachments", 1 }, { "contexts", 2 } };
	int vgem, virtio, fd = -1;
	__u32 handle, imported;
	struct swarm_table t;
	long row, n;
	size_t i;

	prctl(PR_SET_NAME, name);
	vgem = gem_open("vgem");
	virtio = gem_open("virtio_gpu");
	if (gem_create(virtio, 4096, &handle) || gem_export(virtio, handle, &fd) ||
	    gem_import(vgem, fd, &imported))
		bail("making a buffer");
	for (i = 0; i < sizeof(with_comm) / sizeof(*with_comm); i++) {
		swarm_load(&t, with_comm[i].file);
		for (row = 0, n = 0; row < t.rows; row++)
			n += !strcmp(swarm_cell(&t, row, "COMM"), shown);
		ok(n == with_comm[i].rows && !t.ragged, "%s: a forged name is one word of %ld rows",
		   with_comm[i].file, n);
		swarm_unload(&t);
	}
	close(fd);
	close(vgem);
	close(virtio);
}

/* Root opens anything for writing, but these have no write. */
static void test_read_only(const char *file)
{
	int fd = swarm_open(file, O_WRONLY);
	char *before, *after;
	struct stat st;

	before = swarm_read("agents");
	stat(SWARM_DIR, &st);
	is(st.st_mode & 022, 0, "the folder is writable for nobody else");
	if (fd >= 0)
		ok(put(fd, "create_agent 41\n") != 0, "%s: a write fails", file);
	else
		ok(true, "%s: opening for writing fails", file);
	close(fd);
	after = swarm_read("agents");
	is_str(after, before, "%s: nothing is changed", file);
	free(before);
	free(after);
}

static bool no_buffer(const void *unused)
{
	(void)unused;
	return !swarm_stat("buffers") && !swarm_stat("charged_bytes") &&
	       swarm_stat("buffers_created") == swarm_stat("buffers_freed");
}

static void test_modes(void)
{
	char path[64];
	struct stat st;
	size_t i;

	for (i = 0; i < sizeof(writable) / sizeof(*writable); i++) {
		snprintf(path, sizeof(path), SWARM_DIR "%s", writable[i]);
		ok(!stat(path, &st) && (st.st_mode & 0777) == 0644, "%s has mode 0644",
		   writable[i]);
	}
	for (i = 0; i < sizeof(read_only) / sizeof(*read_only); i++) {
		snprintf(path, sizeof(path), SWARM_DIR "%s", read_only[i]);
		ok(!stat(path, &st) && (st.st_mode & 0777) == 0444, "%s has mode 0444",
		   read_only[i]);
	}
}

int main(void)
{
	size_t i;

	for (i = 0; i < sizeof(writable) / sizeof(*writable); i++) {
		test_unprivileged(writable[i]);
		test_passed_on(writable[i]);
	}
	test_no_addresses();
	test_forged_name();
	/* virtio_gpu lets go of its buffers some time after they were closed. */
	ok(swarm_wait(no_buffer, NULL, GONE_SECONDS), "no buffer is left");
	for (i = 0; i < sizeof(read_only) / sizeof(*read_only); i++)
		test_read_only(read_only[i]);
	test_modes();
	return tap_done();
}
