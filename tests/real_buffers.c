// SPDX-License-Identifier: GPL-2.0-only
/*
 * Real buffers of real drivers: one row each, charged once, from the creation
 * to the last of GEM object and dma-buf, whatever the order.
 *
 * vm: --load --mem 512 --timeout 120
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gem.h"
#include "swarm.h"

#define SIZE		(20 * 4096)
#define NOBODY		65534
#define GONE_SECONDS	60

struct row {
	__u64 id;
	__u64 agent;
	__u64 device;
	__u64 size;
	__u64 inode;
	char kind[16];
	char exporter[64];
	char comm[128];
};

static const char * const files[] = {
	"stats", "devices", "agents", "quotas", "allocations", "control",
};

static void copy(char *to, size_t size, const char *from)
{
	snprintf(to, size, "%s", from);
}

/* How many rows this process has; @r is the last of them. */
static long my_rows(struct row *r)
{
	struct swarm_table t;
	long row = -1, n = 0;

	memset(r, 0, sizeof(*r));
	swarm_load(&t, "allocations");
	while ((row = swarm_find_u64(&t, row + 1, "PID", getpid())) >= 0) {
		n++;
		r->id = swarm_u64(&t, row, "ID");
		r->agent = swarm_u64(&t, row, "AGENT");
		r->device = swarm_u64(&t, row, "DEVICE");
		r->size = swarm_u64(&t, row, "SIZE");
		r->inode = swarm_u64(&t, row, "INODE");
		copy(r->kind, sizeof(r->kind), swarm_cell(&t, row, "KIND"));
		copy(r->exporter, sizeof(r->exporter), swarm_cell(&t, row, "EXPORTER"));
		copy(r->comm, sizeof(r->comm), swarm_cell(&t, row, "COMM"));
	}
	swarm_unload(&t);
	return n;
}

static bool none_mine(const void *arg)
{
	struct row r;

	(void)arg;
	return my_rows(&r) == 0;
}

static void is_gone(const char *when)
{
	ok(swarm_wait(none_mine, NULL, GONE_SECONDS), "%s: the row is gone", when);
}

struct use {
	const char *file;
	__u64 id, bytes;
};

static bool is_used(const void *arg)
{
	const struct use *use = arg;

	return swarm_get(use->file, "ID", use->id, "USED") == use->bytes;
}

/* One check: that many bytes of an agent or a device are used, or will be soon. */
static void uses(const char *file, __u64 id, __u64 bytes, const char *driver, const char *what)
{
	struct use use = { file, id, bytes };

	/* A row goes a moment before its charge. */
	if (!ok(swarm_wait(is_used, &use, GONE_SECONDS), "%s: %s", driver, what))
		note("%llu bytes, not %llu", swarm_get(file, "ID", id, "USED"), bytes);
}

static void is_there(const char *when)
{
	struct row r;

	is(my_rows(&r), 1, "%s: the row is there", when);
	is(r.size, SIZE, "%s: with its size", when);
}

/* A new buffer of @driver, and the row it must have. */
static __u32 create(const char *driver, int card, struct row *r)
{
	__u32 handle = 0;

	if (!is_errno(gem_create(card, SIZE, &handle), 0, "%s: a dumb buffer is created", driver))
		bail("no buffer to look at");
	is(my_rows(r), 1, "%s: it has one row", driver);
	return handle;
}

static int export(const char *driver, int card, __u32 handle)
{
	int fd = -1;

	if (!is_errno(gem_export(card, handle, &fd), 0, "%s: the buffer is exported", driver))
		bail("no dma-buf to look at");
	return fd;
}

static void test_created(const char *driver, int card)
{
	__u64 used = swarm_get("agents", "ID", 0, "USED");
	__u64 buffers = swarm_get("agents", "ID", 0, "BUFFERS");
	long long created = swarm_stat("buffers_created");
	struct row r;
	__u32 handle = create(driver, card, &r);

	is(r.size, SIZE, "%s: SIZE", driver);
	is_str(r.kind, "gem", "%s: KIND", driver);
	is(r.agent, 0, "%s: AGENT", driver);
	is_str(r.comm, "real_buffers", "%s: COMM", driver);
	is_str(r.exporter, "-", "%s: EXPORTER is unknown", driver);
	is(r.inode, 0, "%s: INODE is unknown", driver);
	is(r.device, swarm_device(driver), "%s: DEVICE", driver);
	is(swarm_get("agents", "ID", 0, "USED") - used, SIZE, "%s: agent 0 is charged", driver);
	is(swarm_get("agents", "ID", 0, "BUFFERS") - buffers, 1, "%s: for one buffer", driver);
	is(swarm_get("devices", "ID", r.device, "USED"), SIZE, "%s: the device is used", driver);
	is(swarm_stat("buffers_created") - created, 1, "%s: buffers_created counts it", driver);
	swarm_add_up("with a GEM object");
	is_errno(gem_destroy(card, handle), 0, "%s: the handle is destroyed", driver);
	is_gone(driver);
	uses("devices", r.device, 0, driver, "the device is unused");
	uses("agents", 0, used, driver, "agent 0 is uncharged");
	swarm_add_up("without it");
}

/* `exp_name:` of the dma-buf in its fdinfo */
static void exporter_of(int fd, char *name, size_t size)
{
	char path[64], line[128], word[64];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	f = fopen(path, "r");
	*name = '\0';
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "exp_name: %63s", word) == 1)
			copy(name, size, word);
	if (f)
		fclose(f);
}

static void test_exported(const char *driver, int card)
{
	__u64 used = swarm_get("agents", "ID", 0, "USED");
	struct row gem, r;
	__u32 handle = create(driver, card, &gem);
	int fd = export(driver, card, handle), again;
	char name[64];
	struct stat st;

	is(my_rows(&r), 1, "%s: exported, it is still one row", driver);
	is(r.id, gem.id, "%s: the same", driver);
	is_str(r.kind, "gem", "%s: of the same kind", driver);
	is(r.size, SIZE, "%s: and size", driver);
	fstat(fd, &st);
	is(r.inode, st.st_ino, "%s: INODE is that of the dma-buf", driver);
	exporter_of(fd, name, sizeof(name));
	is_str(r.exporter, name, "%s: EXPORTER is that of the dma-buf", driver);
	is(swarm_get("agents", "ID", 0, "USED") - used, SIZE, "%s: charged once", driver);
	swarm_add_up("with an exported GEM object");

	again = export(driver, card, handle);
	is(my_rows(&r), 1, "%s: exported again, it is still one row", driver);
	close(again);

	is_errno(gem_destroy(card, handle), 0, "%s: the handle goes first", driver);
	is_there(driver);
	is(swarm_get("agents", "ID", 0, "USED") - used, SIZE, "%s: still charged", driver);
	swarm_add_up("with a dma-buf only");
	close(fd);
	is_gone("dma-buf closed last");
	uses("agents", 0, used, driver, "agent 0 is uncharged with the dma-buf");

	handle = create(driver, card, &r);
	ok(r.id > gem.id, "%s: a new buffer has a new id", driver);
	close(export(driver, card, handle));
	is_there("dma-buf closed first");
	gem_destroy(card, handle);
	is_gone("handle destroyed last");
	swarm_add_up("after both orders");
}

/* The same driver's import gives the same object, also through another open of the card. */
static void test_self_import(const char *driver, int card)
{
	int other = gem_open(driver), fd;
	__u32 handle, mine = 0, theirs = 0;
	struct row r;

	handle = create(driver, card, &r);
	fd = export(driver, card, handle);
	is_errno(gem_import(card, fd, &mine), 0, "%s: imported where it came from", driver);
	is(mine, handle, "%s: as the same handle", driver);
	is_errno(gem_import(other, fd, &theirs), 0, "%s: imported by another open", driver);
	is_there("imported by its own driver");
	swarm_add_up("with a self-import");
	close(fd);
	close(card);
	is_there("creator's card closed");
	close(other);
	is_gone("importer's card closed");
}

static bool inode_gone(const void *arg)
{
	return !swarm_has("allocations", "INODE", *(const __u64 *)arg);
}

static void test_dup_and_fork(const char *driver, int card)
{
	int hold[2], fd, twin;
	__u32 handle;
	struct row r;
	pid_t child;
	char byte;

	if (pipe(hold))
		bail("pipe");
	handle = create(driver, card, &r);
	fd = export(driver, card, handle);
	gem_destroy(card, handle);
	twin = dup(fd);
	close(fd);
	is_there("duplicate open");
	child = fork();
	if (!child) {
		close(hold[1]);
		_exit(read(hold[0], &byte, 1) < 0);
	}
	close(twin);
	is_there("open in a child only");
	close(hold[1]);
	waitpid(child, NULL, 0);
	is_gone("child exited");
	close(hold[0]);
}

/* The creator exits, its child holds the dma-buf: the row goes with the child. */
static void test_outlives_creator(const char *driver)
{
	int report[2], hold[2], card, fd;
	__u64 inode = 0;
	__u32 handle;
	struct row r;
	pid_t child;
	char byte;

	if (pipe(report) || pipe(hold))
		bail("pipe");
	child = fork();
	if (!child) {
		card = gem_open(driver);
		if (gem_create(card, SIZE, &handle) || gem_export(card, handle, &fd))
			_exit(1);
		close(card);
		my_rows(&r);
		if (!fork()) {
			close(hold[1]);
			_exit(read(hold[0], &byte, 1) < 0);
		}
		_exit(write(report[1], &r.inode, sizeof(r.inode)) < 0);
	}
	waitpid(child, NULL, 0);
	if (read(report[0], &inode, sizeof(inode)) != sizeof(inode))
		bail("the child could not create");
	ok(inode && !inode_gone(&inode), "%s: the row outlives its creator", driver);
	is(swarm_get("allocations", "INODE", inode, "SIZE"), SIZE, "%s: with its size", driver);
	swarm_add_up("with a dead creator");
	close(hold[1]);
	ok(swarm_wait(inode_gone, &inode, GONE_SECONDS), "%s: and goes with the last holder",
	   driver);
	close(report[0]);
	close(report[1]);
	close(hold[0]);
}

/* A process that just exits leaves nothing behind. */
static void test_exit(const char *driver)
{
	__u32 handle;
	int card, fd, i;
	pid_t child;

	/* virtio_gpu keeps an object until its host has confirmed its end. */
	uses("agents", 0, 0, driver, "nothing is charged before a client comes");
	child = fork();
	if (!child) {
		card = gem_open(driver);
		for (i = 0; i < 10; i++)
			if (gem_create(card, SIZE, &handle) || gem_export(card, handle, &fd))
				_exit(1);
		_exit(0);
	}
	waitpid(child, &i, 0);
	is(i, 0, "%s: a client of ten buffers exits", driver);
	uses("agents", 0, 0, driver, "nothing of the client stays charged");
	ok(!swarm_has("allocations", "PID", child), "%s: none of its rows is left", driver);
}

/* bochs exports on newer kernels only; either way there is one row and it goes. */
static void test_bochs(void)
{
	int card = gem_open("bochs-drm"), fd = -1, err;
	__u32 handle;
	struct row r;

	if (card < 0) {
		skip("no bochs-drm card");
		return;
	}
	test_created("bochs-drm", card);
	handle = create("bochs-drm", card, &r);
	err = gem_export(card, handle, &fd);
	note("bochs-drm: export: %s", strerror(err));
	is_there("bochs-drm after the export");
	swarm_add_up("with a bochs buffer");
	gem_destroy(card, handle);
	if (!err) {
		is_there("bochs-drm exported");
		close(fd);
	}
	is_gone("bochs-drm");
	close(card);
}

/* Whatever a process calls itself, its row stays one row of the same cells. */
static void test_comm(int card)
{
	static const char * const names[] = {
		"two words", "new\nline", "tab\there", "back\\slash", "\x1b[31mred", "\xff\xfe",
		"\\n", "", " ", "\n", "-", "\x7f\x01",
	};
	struct swarm_table t;
	const char *comm, *p;
	__u32 handle;
	size_t i;
	long row;
	bool clean;

	for (i = 0; i < sizeof(names) / sizeof(*names); i++) {
		prctl(PR_SET_NAME, names[i]);
		if (gem_create(card, SIZE, &handle))
			bail("creating as process %zu", i);
		prctl(PR_SET_NAME, "real_buffers");
		swarm_load(&t, "allocations");
		row = swarm_find_u64(&t, 0, "PID", getpid());
		ok(row >= 0 && !t.ragged, "name %zu: the table keeps its form", i);
		comm = row < 0 ? "\n" : swarm_cell(&t, row, "COMM");
		clean = true;
		for (p = comm; *p; p++)
			clean &= isgraph((unsigned char)*p) != 0;
		ok(clean, "name %zu: shown in plain characters: %s", i, clean ? comm : "(not)");
		swarm_unload(&t);
		gem_destroy(card, handle);
	}
}

/* What a child without privileges sees; its exit status says what was wrong. */
static int look_unprivileged(void)
{
	struct swarm_table t;
	long row;

	if (setgid(NOBODY) || setuid(NOBODY))
		return 2;
	swarm_load(&t, "allocations");
	if (t.rows < 1)
		return 3;
	for (row = 0; row < t.rows; row++)
		if (strcmp(swarm_cell(&t, row, "DMA_ADDR"), "0x0"))
			return 4;
	return 0;
}

static void test_dma_addr(int card)
{
	__u32 handle;
	struct row r;
	int status;

	handle = create("vgem", card, &r);
	if (!fork())
		_exit(look_unprivileged());
	wait(&status);
	is(status, 0, "without CAP_SYS_ADMIN every DMA_ADDR is 0x0");
	gem_destroy(card, handle);
}

static bool no_pid(__u64 id)
{
	struct swarm_table t;
	long row;
	bool ret;

	swarm_load(&t, "allocations");
	row = swarm_find_u64(&t, 0, "ID", id);
	ret = row >= 0 && !strcmp(swarm_cell(&t, row, "PID"), "-");
	swarm_unload(&t);
	return ret;
}

/*
 * Pids are those of the reader's pid namespace: in a new one the first process is 1, and
 * who made buffer @id outside has none.
 */
static int look_from_namespace(__u64 id)
{
	__u32 handle;
	int card;
	struct row r;

	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("proc", "/proc", "proc", 0, NULL))
		return 2;
	if (access(SWARM_DIR, F_OK))
		return 3;
	card = gem_open("vgem");
	if (gem_create(card, SIZE, &handle))
		return 4;
	if (getpid() != 1 || my_rows(&r) != 1)
		return 5;
	if (!no_pid(id))
		return 7;
	return r.size == SIZE ? 0 : 6;
}

static void test_pid_namespace(int card)
{
	__u32 handle;
	struct row r;
	int status;

	handle = create("vgem", card, &r);
	if (!fork()) {
		if (unshare(CLONE_NEWPID | CLONE_NEWNS))
			_exit(1);
		if (!fork())
			_exit(look_from_namespace(r.id));
		wait(&status);
		_exit(WEXITSTATUS(status));
	}
	wait(&status);
	is(WEXITSTATUS(status), 0, "pids are those of the reader's pid namespace");
	gem_destroy(card, handle);
}

/* Kernel addresses begin with ffff; so no hex word of 16 digits may, with or without 0x. */
static bool has_pointer(const char *text)
{
	const char *p = text;
	size_t n;

	while (*p) {
		n = strspn(p, "0123456789abcdefABCDEF");
		if (n == 16 && !strncasecmp(p, "ffff", 4))
			return true;
		p += n ? n : 1;
	}
	return false;
}

static void test_no_pointers(int card)
{
	__u32 handle = 0;
	size_t i;
	char *text;
	int fd;

	if (gem_create(card, SIZE, &handle) || gem_export(card, handle, &fd))
		bail("creating a buffer");
	for (i = 0; i < sizeof(files) / sizeof(*files); i++) {
		text = swarm_read(files[i]);
		ok(!has_pointer(text), "%s shows no kernel pointer", files[i]);
		free(text);
	}
	close(fd);
	gem_destroy(card, handle);
}

static void test_stats(void)
{
	static const char * const hooks[] = {
		"dma_buf_export", "dma_buf_release",
		"drm_gem_private_object_init", "dma_resv_fini",
	};
	char key[96];
	size_t i;

	for (i = 0; i < sizeof(hooks) / sizeof(*hooks); i++) {
		snprintf(key, sizeof(key), "hook_%s_hits", hooks[i]);
		ok(swarm_stat(key) > 0, "%s counts", key);
		snprintf(key, sizeof(key), "hook_%s_failed", hooks[i]);
		is(swarm_stat(key), 0, "%s is 0", key);
	}
}

int main(void)
{
	static const char * const drivers[] = { "vgem", "virtio_gpu" };
	size_t i;
	int card;

	for (i = 0; i < sizeof(drivers) / sizeof(*drivers); i++) {
		card = gem_open(drivers[i]);
		if (card < 0) {
			skip("no %s card", drivers[i]);
			continue;
		}
		test_created(drivers[i], card);
		test_exported(drivers[i], card);
		test_dup_and_fork(drivers[i], card);
		test_self_import(drivers[i], card);
		test_outlives_creator(drivers[i]);
		test_exit(drivers[i]);
	}
	test_bochs();
	card = gem_open("vgem");
	if (card < 0)
		bail("no vgem card");
	test_comm(card);
	test_dma_addr(card);
	test_pid_namespace(card);
	test_no_pointers(card);
	test_stats();
	swarm_add_up("at the end");
	return tap_done();
}
