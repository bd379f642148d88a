// SPDX-License-Identifier: GPL-2.0-only
/*
 * What cannot be tracked: for want of memory, which tests/modules/failslab.c or the kernel
 * itself takes from one process, or since it is larger than anything can be. Under enforce
 * it is refused, and an attachment that was missed under audit is judged when it is
 * mapped. And objects that end with interrupts off, or in a hard interrupt, are uncharged.
 *
 * vm: --load --mem 512 --timeout 200
 */
#define _GNU_SOURCE
#include "client.h"
#include "gem.h"
#include "life.h"
#include "sleep.h"

#define SIZE		4096
#define HUGE_SHIFT	"41"	/* of a page: 2^53 bytes */
#define ENDS_MAX	20000
#define ENDS_MIN	2000
#define HELD		64	/* objects at a time */
#define FAILSLAB	PERM_DEBUGFS "failslab/"

static struct client owner, tenant;	/* of agents 1 and 2 */
static bool own_faults;			/* the kernel has them itself */

/* In a client: */
static int card = -1, device = -1, dmabuf;

static void set(const char *path, const char *value)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, value, strlen(value)) < 0)
		bail("writing %s to %s", value, path);
	close(fd);
}

static void set_odd(const char *parameter, const char *value)
{
	char path[96];

	snprintf(path, sizeof(path), "/sys/module/odd_gem/parameters/%s", parameter);
	set(path, value);
}

/* Client: an object of the driver that is open */
static long make(long size, long unused)
{
	__u32 handle;

	(void)unused;
	return gem_create(card, size, &handle);
}

/* Client: so many objects come and go */
static long make_and_end(long count, long unused)
{
	__u32 handles[HELD];
	int err = 0, i;

	(void)unused;
	for (; count > 0 && !err; count -= HELD) {
		for (i = 0; i < HELD && !err; i++)
			err = gem_create(card, SIZE, &handles[i]);
		while (i-- > 0)
			gem_destroy(card, handles[i]);
	}
	return err;
}

/* Client */
static long open_driver(long name, long unused)
{
	(void)unused;
	close(card);
	card = gem_open((const char *)name);
	return card < 0 ? errno : 0;
}

/* Client: all that it has of the driver goes */
static long close_driver(long unused, long unused2)
{
	(void)unused;
	(void)unused2;
	close(card);
	card = -1;
	return 0;
}

/* Client: a dma-buf of no GEM object, which other clients have open too */
static long export(long unused, long unused2)
{
	int fd = ioctl(device, SLEEPER_EXPORT);

	(void)unused;
	(void)unused2;
	if (fd < 0)
		return errno;
	close(fd);
	return 0;
}

/* Client: what is done with the one attachment that it may have */
static long attachment(long op, long unused)
{
	(void)unused;
	return ioctl(device, op, dmabuf) ? errno : 0;
}

static long call(const struct client *c, client_fn run)
{
	return client_call(c, run, 0, 0);
}

static long attach_op(unsigned long op)
{
	return client_call(&tenant, attachment, op, 0);
}

/* Allocations of @c fail that may not wait. Returns whether that can be had. */
static bool faults_begin(const struct client *c)
{
	char text[64];

	if (own_faults) {
		snprintf(text, sizeof(text), "/proc/%d/make-it-fail", c->pid);
		set(text, "1");
		return true;
	}
	snprintf(text, sizeof(text), "pid=%d every=1", c->pid);
	return !perm_insert_with(PERM_TEST_DIR "failslab.ko", text);
}

static void faults_end(const struct client *c)
{
	char text[64];

	if (own_faults) {
		snprintf(text, sizeof(text), "/proc/%d/make-it-fail", c->pid);
		set(text, "0");
	} else if (perm_delete("failslab")) {
		bail("removing failslab.ko");
	}
}

static void set_up_faults(void)
{
	own_faults = !access(FAILSLAB, F_OK);
	if (!own_faults)
		return;
	set(FAILSLAB "ignore-gfp-wait", "Y");
	set(FAILSLAB "verbose", "0");
	set(FAILSLAB "times", "-1");
	set(FAILSLAB "task-filter", "Y");
	set(FAILSLAB "probability", "100");
}

/* @err: what it failed with */
static void check_refused(long err, long want, const char *what)
{
	static long long denied;
	long long now = swarm_stat("untracked_denied");

	is_errno(err, want, "enforce: %s is refused", what);
	is(now - denied, 1, "enforce: %s is counted", what);
	denied = now;
}

static void set_policy(const char *name)
{
	if (swarm_cmd("policy %s", name))
		bail("policy %s", name);
}

/* How many lines of the kernel's log tell of it since the test began. */
static int lines_of_loss(void)
{
	FILE *log;
	int lines = -1;

	log = popen("dmesg | tac | sed '/run-tests: begin /q' | grep -c 'not be tracked'", "re");
	if (!log || fscanf(log, "%d", &lines) != 1)
		bail("reading the kernel's log");
	pclose(log);
	return lines;
}

static void test_huge(void)
{
	long long lost;

	is(lines_of_loss(), 0, "the kernel's log tells of no loss");
	client_call(&owner, open_driver, (long)"odd_gem", 0);
	set_odd("shift", HUGE_SHIFT);
	set_policy("audit");
	lost = swarm_stat("buffers_lost");
	is_errno(client_call(&owner, make, SIZE, 0), 0, "audit: a huge object is made");
	ok(swarm_stat("buffers_lost") > lost, "audit: and is counted as lost");
	is(lines_of_loss(), 1, "the kernel's log tells of it");
	call(&owner, close_driver);
	set_policy("enforce");
	client_call(&owner, open_driver, (long)"odd_gem", 0);
	lost = swarm_stat("buffers_lost");
	check_refused(client_call(&owner, make, SIZE, 0), EFBIG, "a huge object");
	is(swarm_stat("buffers_lost") - lost, 0, "enforce: so nothing is lost");
	set_odd("shift", "0");
	call(&owner, close_driver);
}

static void test_objects(void)
{
	set_policy("enforce");
	client_call(&owner, open_driver, (long)"vgem", 0);
	faults_begin(&owner);
	check_refused(client_call(&owner, make, SIZE, 0), ENOMEM, "an object without memory");
	check_refused(call(&owner, export), ENOMEM, "an export without memory");
	set_policy("audit");
	is_errno(client_call(&owner, make, SIZE, 0), 0, "audit: an object is made");
	is_errno(call(&owner, export), 0, "audit: a dma-buf is exported");
	faults_end(&owner);
	is_errno(client_call(&owner, make, SIZE, 0), 0, "with memory they are made");
	is(swarm_get("agents", "ID", 1, "BUFFERS"), 2, "and tracked, as is the dma-buf");
	call(&owner, close_driver);
}

/* A driver that begins with what cannot fail refuses what gets a handle. */
static void test_private(void)
{
	if (perm_delete("odd_gem") ||
	    perm_insert_with(PERM_TEST_DIR "odd_gem.ko", "private=1 name=etnaviv"))
		bail("inserting odd_gem.ko again");
	set_policy("enforce");
	client_call(&owner, open_driver, (long)"etnaviv", 0);
	faults_begin(&owner);
	check_refused(client_call(&owner, make, SIZE, 0), ENOMEM, "a handle without memory");
	faults_end(&owner);
	call(&owner, close_driver);
	if (perm_delete("odd_gem") || perm_insert(PERM_TEST_DIR "odd_gem.ko"))
		bail("inserting odd_gem.ko again");
}

/* An attachment that was missed is asked for when it is mapped. */
static void test_missed_attachment(void)
{
	__u64 buffer = 0;
	struct swarm_table t;
	long row;

	swarm_load(&t, "allocations");
	row = swarm_find(&t, 0, "KIND", "dmabuf");
	if (row >= 0)
		buffer = swarm_u64(&t, row, "ID");
	swarm_unload(&t);
	faults_begin(&tenant);
	set_policy("enforce");
	swarm_cmd("grant 2 buf=%llu rw", buffer);
	check_refused(attach_op(SLEEPER_ATTACH), ENOMEM, "an attachment without memory");
	is_errno(attach_op(SLEEPER_DETACH), EINVAL, "so that there is none");
	swarm_cmd("revoke 2");
	set_policy("audit");
	is_errno(attach_op(SLEEPER_ATTACH), 0, "audit: it is attached");
	faults_end(&tenant);
	is(life_rows("attachments"), 0, "and missed");
	set_policy("enforce");
	is_errno(attach_op(SLEEPER_MAP), EACCES, "enforce: it is not mapped without permission");
	swarm_cmd("grant 2 buf=%llu rw\nlock %llu 1 exclusive\n", buffer, buffer);
	is_errno(attach_op(SLEEPER_MAP), EBUSY, "nor against a lock");
	swarm_cmd("unlock %llu 1", buffer);
	is_errno(attach_op(SLEEPER_MAP), 0, "but with permission");
	swarm_load(&t, "attachments");
	is(t.rows, 1, "it has a row then");
	is(swarm_count_u64(&t, "AGENT", 2), 1, "of who has mapped it");
	swarm_unload(&t);
	swarm_load(&t, "locks");
	is(swarm_count_u64(&t, "BUFFER", buffer), 1, "and holds the buffer");
	swarm_unload(&t);
	is_errno(attach_op(SLEEPER_UNMAP), 0, "it is unmapped");
	is_errno(attach_op(SLEEPER_DETACH), 0, "and detached");
	is(life_rows("attachments"), 0, "nothing stays attached");
	is(life_rows("locks"), 0, "nor held");
	set_policy("audit");
}

static bool has_none(const void *agent)
{
	const __u64 id = *(const __u64 *)agent;

	return !swarm_get("agents", "ID", id, "USED") && !swarm_get("agents", "ID", id, "BUFFERS");
}

static bool none_left(const void *unused)
{
	(void)unused;
	return !life_rows("allocations");
}

/* Where an object ends makes no difference. */
static void test_end(const char *where, const char *name)
{
	const __u64 agent = 2;
	long long stale = swarm_stat("buffers_stale");
	long count = scaled(ENDS_MAX) > ENDS_MIN ? scaled(ENDS_MAX) : ENDS_MIN;

	set_odd("end", where);
	client_call(&tenant, open_driver, (long)"odd_gem", 0);
	is_errno(client_call(&tenant, make_and_end, count, 0), 0, "%s: objects come and go", name);
	ok(swarm_wait(has_none, &agent, LIFE_SECONDS), "%s: nothing stays charged", name);
	is(swarm_get("agents", "ID", agent, "BUFFERS"), 0, "%s: no buffer stays", name);
	is(swarm_stat("buffers_stale") - stale, 0, "%s: none is taken for another", name);
	is(swarm_stat("hook_dma_resv_fini_failed"), 0, "%s: no end is missed", name);
	call(&tenant, close_driver);
	set_odd("end", "0");
}

static void start(struct client *c, int agent)
{
	client_start(c);
	if (swarm_cmd("create_agent %d\nbind %d pid:%d\n", agent, agent, c->pid))
		bail("making an agent");
}

/* Client: it gets a sleeper of its own, and the first makes the dma-buf for all. */
static long open_sleeper(long unused, long unused2)
{
	(void)unused;
	(void)unused2;
	device = sleep_open();
	return 0;
}

static long send_dmabuf(long socket, long unused)
{
	int err;

	(void)unused;
	dmabuf = sleep_export(device);
	err = client_send_fd(socket, dmabuf);
	return err;
}

static long receive_dmabuf(long socket, long unused)
{
	(void)unused;
	dmabuf = client_receive_fd(socket);
	return dmabuf < 0 ? EBADF : 0;
}

static void share_dmabuf(const int *wire)
{
	call(&owner, open_sleeper);
	call(&tenant, open_sleeper);
	if (client_call(&owner, send_dmabuf, wire[0], 0) ||
	    client_call(&tenant, receive_dmabuf, wire[1], 0))
		bail("sharing a dma-buf");
}

int main(void)
{
	int wire[2];

	if (perm_insert(PERM_TEST_DIR "odd_gem.ko")) {
		skip("this kernel has no such drivers");
		return tap_done();
	}
	if (system("modprobe vgem") || socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, wire))
		bail("setting up");
	sleep_set_up();
	set_up_faults();
	start(&owner, 1);
	start(&tenant, 2);
	share_dmabuf(wire);
	test_huge();
	if (faults_begin(&owner)) {
		faults_end(&owner);
		test_objects();
		test_private();
		test_missed_attachment();
	} else {
		skip("this kernel lets no allocation fail");
	}
	is(lines_of_loss(), 1, "the kernel's log has told of losses once");
	test_end("1", "interrupts off");
	test_end("2", "hard interrupt");
	client_stop(&owner, 0);
	client_stop(&tenant, 0);
	sleep_tear_down();
	if (perm_delete("odd_gem"))
		bail("removing odd_gem.ko");
	ok(swarm_wait(none_left, NULL, LIFE_SECONDS), "no buffer is left");
	swarm_add_up("at the end");
	return tap_done();
}
