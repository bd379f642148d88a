// SPDX-License-Identifier: GPL-2.0-only
/*
 * /dev/gpu_dma_lock, by processes without privilege: limits, ledger memory, locks by id and
 * by dma-buf; whose they are, what open files do to each other, also those that are
 * passed on; sizes and arguments that are wrong; leases of other agents' buffers; poll();
 * without /proc. And `session` of control.
 *
 * vm: --load --mem 512 --timeout 300
 */
#define _GNU_SOURCE
#include <poll.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "client.h"
#include "device.h"
#include "gem.h"
#include "lock.h"

#define NOBODY		65534
#define LIMIT		1048576
#define TENANT_MS	400
#define LONG_MS		600000	/* no lease ends while a check is made */
#define WAIT_MS		30000	/* for what comes soon, on a machine that is not busy */
#define TRIES		5	/* of what takes longer on a busy machine: one is to be fast */

static __u64 device;

/* In clients */

static int dev = -1, dev2 = -1, dmabuf = -1;
static int pass[2];	/* sockets that open files are passed through */
static __u64 last_id;

static long run_open(long unused, long unused2)
{
	(void)unused;
	(void)unused2;
	if (setgid(NOBODY) || setuid(NOBODY))
		return errno;
	dev = device_open();
	dev2 = device_open();
	return 0;
}

static long run_reserve(long bytes, long unused)
{
	(void)unused;
	return device_reserve(dev, device, bytes, &last_id);
}

static long run_id(long unused, long unused2)
{
	(void)unused;
	(void)unused2;
	return last_id;
}

static long run_release(long id, long unused)
{
	(void)unused;
	return device_release(dev, id);
}

static long run_lock(long id, long exclusive)
{
	return device_lock(dev, id, exclusive, 0);
}

static long run_lock_wait(long id, long timeout_ms)
{
	return device_lock(dev, id, true, timeout_ms);
}

static long run_lock2(long id, long exclusive)
{
	return device_lock(dev2, id, exclusive, 0);
}

static long run_unlock(long id, long unused)
{
	(void)unused;
	return device_unlock(dev, id);
}

static long run_used(long unused, long unused2)
{
	struct gpu_dma_lock_self self;

	(void)unused;
	(void)unused2;
	return device_self(dev, &self) ? -1 : (long)self.used;
}

static long run_agent(long unused, long unused2)
{
	struct gpu_dma_lock_self self;

	(void)unused;
	(void)unused2;
	return device_self(dev, &self) ? -1 : (long)self.agent;
}

static long run_limit(long of_device, long unused)
{
	struct gpu_dma_lock_self self;
	int err = of_device ? device_self_on(dev, device, &self) : device_self(dev, &self);

	(void)unused;
	return err ? -err : (long)self.limit;
}

static long run_no_device(long unused, long unused2)
{
	struct gpu_dma_lock_self self;

	(void)unused;
	(void)unused2;
	return device_self_on(dev, 12345, &self);
}

static long run_close(long unused, long unused2)
{
	(void)unused;
	(void)unused2;
	close(dev);
	dev = device_open();
	return 0;
}

static long run_events(long timeout_ms, long unused)
{
	struct pollfd poller = { .fd = dev, .events = POLLPRI };

	(void)unused;
	poll(&poller, 1, timeout_ms);
	return poller.revents;
}

static long run_export(long size, long unused)
{
	int vgem = gem_open("vgem");
	__u32 handle;

	(void)unused;
	if (vgem < 0 || gem_create(vgem, size, &handle) || gem_export(vgem, handle, &dmabuf))
		return -1;
	close(vgem);
	return 0;
}

static long run_lock_dmabuf(long exclusive, long timeout_ms)
{
	return device_lock_fd(dev, dmabuf, exclusive, timeout_ms);
}

static long run_unlock_dmabuf(long unused, long unused2)
{
	(void)unused;
	(void)unused2;
	return device_unlock_fd(dev, dmabuf);
}

static long run_lease(long unused, long unused2)
{
	struct gpu_dma_lock_lock arg = { .flags = GPU_DMA_LOCK_EXCLUSIVE, .fd = dmabuf };
	__u64 lease = 0;

	(void)unused;
	(void)unused2;
	return device_lock_by(dev, arg, &lease) ? -1 : (long)lease;
}

static long now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* With clients */
static struct {
	atomic_bool owner_is_done;
	atomic_long converted;
} *shared;

/* Changes the lock's mode again and again, until the owner has had it. */
static long run_convert(long unused, long unused2)
{
	(void)unused;
	(void)unused2;
	while (!atomic_load(&shared->owner_is_done))
		atomic_fetch_add(&shared->converted, !device_lock_fd(dev, dmabuf, false, 0) +
				 !device_lock_fd(dev, dmabuf, true, 0));
	return 0;
}

/* By an open file each. How many of them have the lock. */
#define MANY_FILES	1100

static int many[MANY_FILES];

static long run_many_locks(long unused, long unused2)
{
	long held = 0;
	int i;

	(void)unused;
	(void)unused2;
	for (i = 0; i < MANY_FILES; i++) {
		many[i] = device_open();
		held += !device_lock_fd(many[i], dmabuf, false, 0);
	}
	return held;
}

static long run_many_close(long unused, long unused2)
{
	int i;

	(void)unused;
	(void)unused2;
	for (i = 0; i < MANY_FILES; i++)
		close(many[i]);
	return 0;
}

static long run_receive(long unused, long unused2)
{
	(void)unused;
	(void)unused2;
	dmabuf = client_receive_fd(pass[1]);
	return dmabuf < 0;
}

/* Without /proc, in namespaces of its own, as in a container. */
static long run_contain(long unused, long unused2)
{
	__u64 id = 0;

	(void)unused;
	(void)unused2;
	if (unshare(CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWCGROUP) ||
	    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("none", "/proc", "tmpfs", 0, NULL))
		return errno;
	if (!access("/proc/swarm", F_OK) || setuid(NOBODY))
		return -1;
	dev = device_open();
	return device_reserve(dev, device, 4096, &id) ?: device_lock(dev, id, true, 0) ?:
	       device_unlock(dev, id) ?: device_release(dev, id);
}

/* For the test */

static void tenant_start(struct client *c, int agent)
{
	client_start(c);
	if (swarm_cmd("bind %d pid:%d", agent, c->pid))
		bail("binding a tenant");
	if (client_call(c, run_open, 0, 0))
		bail("a tenant that opens the device");
}

static void pass_on(const struct client *c)
{
	if (client_send_fd(pass[0], dmabuf) || client_call(c, run_receive, 0, 0))
		bail("passing a dma-buf on");
}

static void make_agents(void)
{
	int agent;

	for (agent = 1; agent <= 3; agent++)
		if (swarm_cmd("create_agent %d %d", agent, LIMIT))
			bail("creating an agent");
}

static long tenant(struct client *c, client_fn run, long a, long b)
{
	return client_call(c, run, a, b);
}

static void check_self_and_ledger(void)
{
	struct client c;
	long id;

	tenant_start(&c, 1);
	is(tenant(&c, run_agent, 0, 0), 1, "SELF: whose it is");
	is(tenant(&c, run_limit, 0, 0), LIMIT, "SELF: its limit");
	is(tenant(&c, run_limit, 1, 0), -1, "SELF: none on the device, where it has nothing");
	is_errno(tenant(&c, run_no_device, 0, 0), ENODEV, "SELF: no such device");
	is_errno(tenant(&c, run_reserve, 4096, 0), 0, "RESERVE: a buffer of 4 KiB");
	id = tenant(&c, run_id, 0, 0);
	is(tenant(&c, run_used, 0, 0), 4096, "SELF: what is used");
	is(swarm_get("allocations", "ID", id, "AGENT"), 1, "RESERVE: allocations has its row");
	is_errno(tenant(&c, run_reserve, LIMIT, 0), EDQUOT, "RESERVE: over the limit");
	is_errno(tenant(&c, run_reserve, 0, 0), EINVAL, "RESERVE: nothing");
	is_errno(tenant(&c, run_release, id, 0), 0, "RELEASE: that buffer");
	is_errno(tenant(&c, run_release, id, 0), ENOENT, "RELEASE: again");
	is(tenant(&c, run_used, 0, 0), 0, "SELF: nothing is used");
	is_errno(tenant(&c, run_reserve, 4096, 0), 0, "ledger by ioctl: RESERVE again");
	id = tenant(&c, run_id, 0, 0);
	is_errno(swarm_cmd("free %ld", id), 0, "ledger by ioctl: freed by command");
	is_errno(tenant(&c, run_release, id, 0), ENOENT, "RELEASE: it is gone");
	swarm_cmd("set_capacity %llu 8192", device);
	is_errno(tenant(&c, run_reserve, 16384, 0), ENOSPC, "RESERVE: over the capacity");
	swarm_cmd("set_capacity %llu max", device);
	is_errno(tenant(&c, run_reserve, 4096, 0), 0, "ledger by ioctl: RESERVE once more");
	tenant(&c, run_close, 0, 0);
	is(swarm_get("agents", "ID", 1, "USED"), 0,
	   "ledger by ioctl: close() gives the buffer back");
	is_errno(tenant(&c, run_reserve, 4096, 0), 0,
		 "ledger by ioctl: RESERVE, before it is killed");
	client_stop(&c, SIGKILL);
	is(swarm_get("agents", "ID", 1, "USED"), 0,
	   "ledger by ioctl: SIGKILL gives the buffer back");
	swarm_add_up("after ledger buffers of open files");
}

static void check_ids(void)
{
	struct client a, a2, b, host;
	long id;

	tenant_start(&a, 1);
	tenant_start(&a2, 1);
	tenant_start(&b, 2);
	client_start(&host);
	client_call(&host, run_open, 0, 0);
	if (tenant(&a, run_reserve, 4096, 0))
		bail("reserving");
	id = tenant(&a, run_id, 0, 0);
	is_errno(tenant(&b, run_lock, id, 0), ENOENT,
		 "LOCK by id: ENOENT for another agent's buffer");
	is_errno(tenant(&host, run_lock, id, 0), ENOENT,
		 "LOCK by id: ENOENT for a process that is bound to no agent");
	is_errno(tenant(&b, run_release, id, 0), ENOENT,
		 "RELEASE: ENOENT for another agent's buffer");
	is_errno(tenant(&a2, run_release, id, 0), ENOENT,
		 "RELEASE: ENOENT for another open file of the agent");
	is_errno(tenant(&a, run_lock, id, 1), 0, "LOCK by id: an agent locks its own buffer");
	is_errno(tenant(&a, run_lock, id, 1), EALREADY,
		 "LOCK by id: EALREADY for the same lock again");
	is_errno(tenant(&a2, run_lock, id, 1), EAGAIN,
		 "LOCK by id: another process of the agent is excluded");
	is_errno(tenant(&a, run_lock2, id, 0), EAGAIN,
		 "LOCK by id: another open file of the process is excluded");
	is_errno(tenant(&a, run_lock, id, 0), 0, "LOCK by id: the lock is made shared");
	is_errno(tenant(&a2, run_lock, id, 0), 0, "LOCK by id: another process shares it");
	is_errno(tenant(&a, run_lock_wait, id, 20), ETIMEDOUT,
		 "LOCK by id: ETIMEDOUT for exclusive, while it is shared");
	is_errno(tenant(&a2, run_unlock, id, 0), 0, "UNLOCK by id");
	is_errno(tenant(&a2, run_unlock, id, 0), ENOENT, "UNLOCK: again");
	is_errno(tenant(&a, run_release, id, 0), EBUSY,
		 "RELEASE: EBUSY for a buffer that is locked");
	is(swarm_get("agents", "ID", 1, "LOCKS"), 1, "LOCK by id: LOCKS of agents is 1");
	client_post(&a2, run_lock_wait, id, -1);
	ok(lock_await_waiters(1), "LOCK by id: another process waits");
	client_stop(&a, SIGKILL);
	is_errno(client_result(&a2), ENOENT,
		 "LOCK by id: ENOENT for it when the buffer goes with its process");
	if (tenant(&host, run_reserve, 4096, 0))
		bail("reserving for agent 0");
	id = tenant(&host, run_id, 0, 0);
	is_errno(tenant(&host, run_lock, id, 1), 0,
		 "LOCK by id: agent 0 locks what this file has reserved");
	is_errno(tenant(&host, run_lock2, id, 1), ENOENT, "LOCK by id: and nothing else by its id");
	client_stop(&a2, 0);
	client_stop(&b, 0);
	client_stop(&host, 0);
	lock_none_left("after locks by id");
}

static void check_command_and_file(void)
{
	struct client a;
	long id;

	tenant_start(&a, 1);
	if (tenant(&a, run_reserve, 4096, 0))
		bail("reserving");
	id = tenant(&a, run_id, 0, 0);
	is_errno(swarm_cmd("lock %ld 1 exclusive", id), 0,
		 "commands and open files: locked by command, for its agent");
	is_errno(tenant(&a, run_lock, id, 0), EAGAIN,
		 "commands and open files: EAGAIN for its open file then");
	is_errno(tenant(&a, run_unlock, id, 0), ENOENT,
		 "commands and open files: ENOENT for UNLOCK by its open file");
	is_errno(swarm_cmd("unlock %ld 1", id), 0, "commands and open files: unlocked by command");
	is_errno(tenant(&a, run_lock, id, 1), 0, "commands and open files: locked by an open file");
	is_errno(swarm_cmd("lock %ld 1 shared nowait", id), EAGAIN,
		 "commands and open files: EAGAIN for a command then");
	is_errno(swarm_cmd("unlock %ld 1", id), ENOENT,
		 "commands and open files: ENOENT for unlock by command");
	is_errno(swarm_cmd("remove_agent 1"), 0, "commands and open files: the agent is removed");
	lock_none_left("of a removed agent's open files");
	is_errno(tenant(&a, run_unlock, id, 0), ENOENT,
		 "commands and open files: ENOENT for UNLOCK after that");
	is(tenant(&a, run_agent, 0, 0), 0,
	   "commands and open files: the process is the host's now");
	client_stop(&a, 0);
	swarm_cmd("create_agent 1 %d", LIMIT);
}

static bool is_sleep(const void *pid)
{
	char path[64], comm[32] = "";
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/comm", *(const pid_t *)pid);
	f = fopen(path, "re");
	if (!f || !fgets(comm, sizeof(comm), f))
		comm[0] = '\0';
	if (f)
		fclose(f);
	return !strcmp(comm, "sleep\n");
}

/* What the kernel knows open files by. */
static void check_files(void)
{
	int fd = device_open(), copy, other = device_open(), no = open("/dev/null", O_RDWR);
	struct gpu_dma_lock_lock arg = { .size = sizeof(arg) };
	struct client c;
	__u64 id = 0;
	pid_t pid;

	if (device_reserve(fd, device, 4096, &id))
		bail("reserving");
	copy = dup(fd);
	close(fd);
	is_errno(device_lock(copy, id, true, 0), 0, "dup(): the same open file");
	pid = fork();
	if (!pid)
		_exit(device_lock(copy, id, true, 0) != EALREADY);
	is_errno(device_unlock(other, id), ENOENT,
		 "open files: UNLOCK: ENOENT for another open file");
	client_start(&c);
	close(copy);
	is(swarm_get("agents", "ID", 0, "LOCKS"), 1,
	   "open files: it stays open where it was forked to");
	client_stop(&c, SIGKILL);
	waitpid(pid, NULL, 0);
	lock_none_left("when the last is closed");
	ok(!swarm_has("allocations", "ID", id),
	   "open files: no buffer is left when the last one is closed");
	arg.fd = no;
	is_errno(device_lock_by(other, arg, NULL), EINVAL,
		 "LOCK: EINVAL for an open file that is no dma-buf");
	arg.fd = 999;
	is_errno(device_lock_by(other, arg, NULL), EBADF, "LOCK: EBADF for what is no open file");
	is_errno(device_lock_fd(other, other, false, 0), EINVAL,
		 "LOCK: EINVAL for the device itself");
	ok(ioctl(no, GPU_DMA_LOCK_IOC_LOCK, &arg) && errno == ENOTTY,
	   "LOCK: ENOTTY of another device");
	pid = fork();
	if (!pid) {
		fd = device_open();
		fcntl(fd, F_SETFD, 0);
		if (device_reserve(fd, device, 4096, &id))
			_exit(1);
		execl("/bin/sleep", "sleep", "60", NULL);
		_exit(1);
	}
	ok(swarm_wait(is_sleep, &pid, 60), "open files: the process executes another program");
	is(swarm_get("agents", "ID", 0, "USED"), 4096, "open files: exec() keeps an open file");
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	is(swarm_get("agents", "ID", 0, "USED"), 0,
	   "open files: what it had reserved goes with that program");
	close(other);
	close(no);
}

static void check_dmabufs(void)
{
	struct client a, b, b2;

	/* Agent 2's locks are leases, which are not to end here. */
	device_set_tenant_ms(LONG_MS);
	tenant_start(&a, 1);
	tenant_start(&b, 2);
	tenant_start(&b2, 2);
	/* The card is for root only. */
	if (run_export(65536, 0))
		bail("exporting a buffer");
	pass_on(&a);
	pass_on(&b);
	pass_on(&b2);
	is_errno(tenant(&a, run_lock_dmabuf, 1, 0), 0,
		 "LOCK of a dma-buf: one that was passed on");
	is_errno(tenant(&b, run_lock_dmabuf, 0, 0), EAGAIN,
		 "LOCK of a dma-buf: another agent is excluded");
	is_errno(tenant(&a, run_unlock_dmabuf, 0, 0), 0,
		 "LOCK of a dma-buf: UNLOCK by the dma-buf");
	is_errno(tenant(&b, run_lock_dmabuf, 0, 0), 0,
		 "LOCK of a dma-buf: now the other agent has it");
	is_errno(tenant(&b2, run_lock_dmabuf, 1, 20), ETIMEDOUT,
		 "LOCK of a dma-buf: its other process waits");
	client_stop(&b, SIGKILL);
	is_errno(tenant(&b2, run_lock_dmabuf, 1, WAIT_MS), 0,
		 "LOCK of a dma-buf: it is granted when the first is killed");
	client_stop(&a, 0);
	client_stop(&b2, 0);
	device_set_tenant_ms(10000);
	close(dmabuf);
	lock_none_left("of dma-bufs");
}

/* Two tenants that have a buffer of this process's agent in hand. */
static void leases_begin(struct client *a, struct client *b)
{
	device_set_tenant_ms(TENANT_MS);
	tenant_start(a, 1);
	tenant_start(b, 2);
	if (run_export(65536, 0))
		bail("exporting a buffer");
	pass_on(a);
	pass_on(b);
}

static void leases_end(struct client *a, struct client *b, const char *what)
{
	device_set_tenant_ms(10000);
	client_stop(a, 0);
	client_stop(b, 0);
	device_unlock_fd(dev, dmabuf);
	close(dmabuf);
	lock_none_left(what);
}

/* What a machine may take longer, in ms: less than what it would without an end. */
static long slack(void)
{
	return on_debug_kernel() ? 3000 : 1500;
}

/* How long LOCK took, in ms, of the owner, or of @c if that is not NULL. */
static long time_of_lock(struct client *c, long timeout_ms, int *err)
{
	long begun = now_ms();

	*err = c ? tenant(c, run_lock_dmabuf, 1, timeout_ms) :
		   device_lock_fd(dev, dmabuf, true, timeout_ms);
	return now_ms() - begun;
}

/* The fastest of some tries. Each begins without a lock, and leaves the owner's. */
static void check_lease_ends(struct client *a)
{
	long ms = LONG_MAX, lease = 0;
	int i, err = 0;

	for (i = 0; i < TRIES && !err && ms >= TENANT_MS + slack(); i++) {
		if (i)
			device_unlock_fd(dev, dmabuf);
		lease = tenant(a, run_lease, 0, 0);
		if (lease != TENANT_MS / 2)
			break;
		ms = time_of_lock(NULL, WAIT_MS, &err);
	}
	is(lease, TENANT_MS / 2, "lease: LOCK of another agent's buffer says how long it lasts");
	is_errno(err, 0, "lease: its owner waits for its end, and has the buffer");
	if (!ok(ms < TENANT_MS + slack(), "lease: the owner waits no longer than for that"))
		note("%ld ms", ms);
}

/* As above, while the owner has a lock. */
static void check_wait_ends(struct client *b)
{
	long ms = LONG_MAX;
	int i, err = ETIMEDOUT;

	for (i = 0; i < TRIES && err == ETIMEDOUT && ms >= TENANT_MS + slack(); i++)
		ms = time_of_lock(b, -1, &err);
	is_errno(err, ETIMEDOUT, "lease: ETIMEDOUT for LOCK of another agent's buffer, for ever");
	if (!ok(ms < TENANT_MS + slack(), "lease: it waits no longer than tenant_lock_ms"))
		note("%ld ms", ms);
}

static void check_leases(void)
{
	struct client a, b;

	leases_begin(&a, &b);
	check_lease_ends(&a);
	is_errno(tenant(&a, run_unlock_dmabuf, 0, 0), ENOENT, "lease: the other has it no more");
	check_wait_ends(&b);
	usleep(TENANT_MS * 2000);
	is_errno(tenant(&b, run_lock_dmabuf, 1, 0), EAGAIN, "lease: the owner's lock has none");
	is_errno(device_unlock_fd(dev, dmabuf), 0, "lease: the owner unlocks");
	device_set_tenant_ms(0);
	is_errno(tenant(&b, run_lock_dmabuf, 1, 0), EACCES,
		 "tenant_lock_ms=0: EACCES for another agent's buffer");
	is_errno(device_lock_fd(dev, dmabuf, true, 0), 0, "tenant_lock_ms=0: the owner locks it");
	leases_end(&a, &b, "of leases");
}

/* A process of the buffer's own agent that waits for it. */
static pid_t owner_waits(void)
{
	pid_t pid = fork();
	int err;

	if (pid)
		return pid;
	err = device_lock_fd(device_open(), dmabuf, true, WAIT_MS);
	atomic_store(&shared->owner_is_done, true);
	_exit(err);
}

static int exit_of(pid_t pid)
{
	int status;

	waitpid(pid, &status, 0);
	return WEXITSTATUS(status);
}

static bool is_converted(const void *unused)
{
	(void)unused;
	return atomic_load(&shared->converted) > 0;
}

/* However often a lock changes its mode, its lease is the first one. */
static void check_converted(struct client *a)
{
	client_post(a, run_convert, 0, 0);
	ok(swarm_wait(is_converted, NULL, LOCK_SECONDS),
	   "lease: a lock changes its mode again and again");
	is_errno(exit_of(owner_waits()), 0, "lease: it ends all the same, and the owner has it");
	client_result(a);
	tenant(a, run_unlock_dmabuf, 0, 0);
}

/*
 * Agents a and b have leases of five seconds, that of b ends 0.9 s after that of a, and
 * before the deadline of a's upgrade. If this process does not run for seconds, that is not
 * so: the next try.
 */
static void check_upgrade_ends(struct client *a, struct client *b)
{
	int i, errs = 0, err = 0;

	device_set_tenant_ms(10000);
	for (i = 0; i < TRIES && !errs && err != ETIMEDOUT; i++) {
		errs = tenant(a, run_lock_dmabuf, 0, 0);
		usleep(900000);
		errs |= tenant(b, run_lock_dmabuf, 0, 0);
		usleep(900000);
		err = tenant(a, run_lock_dmabuf, 1, -1);
		tenant(a, run_unlock_dmabuf, 0, 0);
		tenant(b, run_unlock_dmabuf, 0, 0);
	}
	is_errno(errs, 0, "lease: two agents have five seconds each");
	is_errno(err, ETIMEDOUT, "lease: an upgrade ends with the lease of the lock that it is of");
}

/* What another agent's open files do to keep a buffer from its owner. */
static void check_held_back(void)
{
	struct client a, b;

	leases_begin(&a, &b);
	check_converted(&a);
	device_set_tenant_ms(LONG_MS);
	is(tenant(&a, run_many_locks, 0, 0), 512,
	   "lease: half of the holders of a buffer can be other agents'");
	tenant(&a, run_many_close, 0, 0);
	device_set_tenant_ms(TENANT_MS);
	ok(tenant(&a, run_many_locks, 0, 0) >= 512, "lease: others' leases, as many as can be");
	is_errno(device_lock_fd(dev, dmabuf, true, WAIT_MS), 0,
		 "beside so many leases: the owner waits, and has it");
	tenant(&a, run_many_close, 0, 0);
	device_unlock_fd(dev, dmabuf);
	check_upgrade_ends(&a, &b);
	leases_end(&a, &b, "of what held an owner back");
}

static void check_arguments(void)
{
	struct {
		struct gpu_dma_lock_reserve arg;
		__u64 tail[4];
	} grown = { .arg = { .size = sizeof(grown), .bytes = 4096 } };
	struct gpu_dma_lock_reserve *shut, arg = { .size = sizeof(arg), .bytes = 4096 };
	struct gpu_dma_lock_lock lock = { .size = sizeof(lock) };
	struct gpu_dma_lock_self self = { .size = sizeof(self), .device = 1 };
	int fd = device_open();

	grown.arg.device = device;
	arg.device = device;
	is_errno(ioctl(fd, GPU_DMA_LOCK_IOC_RESERVE, &grown) ? errno : 0, 0,
		 "arguments: a larger structure is taken");
	is_errno(device_release(fd, grown.arg.id), 0, "arguments: its answer has the buffer's id");
	grown.tail[2] = 1;
	is_errno(ioctl(fd, GPU_DMA_LOCK_IOC_RESERVE, &grown) ? errno : 0, E2BIG,
		 "arguments: E2BIG for a larger structure that says more");
	arg.size = 8;
	is_errno(ioctl(fd, GPU_DMA_LOCK_IOC_RESERVE, &arg) ? errno : 0, EINVAL,
		 "arguments: EINVAL for a size too small");
	arg.size = 1 << 20;
	is_errno(ioctl(fd, GPU_DMA_LOCK_IOC_RESERVE, &arg) ? errno : 0, E2BIG,
		 "arguments: E2BIG for a size too large");
	arg.size = sizeof(arg);
	arg.flags = 1;
	is_errno(ioctl(fd, GPU_DMA_LOCK_IOC_RESERVE, &arg) ? errno : 0, EINVAL,
		 "arguments: EINVAL for an unknown flag");
	is_errno(ioctl(fd, GPU_DMA_LOCK_IOC_RESERVE, NULL) ? errno : 0, EFAULT,
		 "arguments: EFAULT without a structure");
	is_errno(ioctl(fd, _IO(0xDB, 0x0f), &arg) ? errno : 0, ENOTTY,
		 "arguments: ENOTTY for an unknown number");
	is_errno(ioctl(fd, _IOW(0xDB, 0x01, int), &arg) ? errno : 0, ENOTTY,
		 "arguments: ENOTTY for a number of another size");
	is_errno(ioctl(fd, GPU_DMA_LOCK_IOC_SELF, &self) ? errno : 0, EINVAL,
		 "SELF: a device, unasked");
	lock.timeout_ms = -2;
	is_errno(ioctl(fd, GPU_DMA_LOCK_IOC_LOCK, &lock) ? errno : 0, EINVAL,
		 "LOCK: timeout -2");
	lock.timeout_ms = 0;
	lock.reserved = 1;
	is_errno(ioctl(fd, GPU_DMA_LOCK_IOC_LOCK, &lock) ? errno : 0, EINVAL,
		 "LOCK: reserved");
	shut = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	arg.flags = 0;
	*shut = arg;
	mprotect(shut, 4096, PROT_READ);
	is_errno(ioctl(fd, GPU_DMA_LOCK_IOC_RESERVE, shut) ? errno : 0, EFAULT,
		 "arguments: EFAULT where no answer can be written");
	is(swarm_get("agents", "ID", 0, "USED"), 0,
	   "arguments: nothing is reserved by those that failed");
	munmap(shut, 4096);
	close(fd);
}

static void check_cap(void)
{
	int fd = device_open(), n = 0, err;
	__u64 id = 0;

	do {
		err = device_reserve(fd, device, 1, &id);
		n += !err;
	} while (!err);
	is_errno(err, ENOSPC, "RESERVE: ENOSPC for one buffer too many of an open file");
	is(n, 4096, "RESERVE: an open file has 4,096 buffers");
	is_errno(device_release(fd, id), 0, "RESERVE: one of them is released");
	is_errno(device_reserve(fd, device, 1, &id), 0, "RESERVE: there is room for one then");
	close(fd);
	is(swarm_get("agents", "ID", 0, "USED"), 0, "RESERVE: close() frees them all");
}

static void check_poll(void)
{
	struct client a, b;
	long begun;

	tenant_start(&a, 1);
	tenant_start(&b, 2);
	is(tenant(&a, run_events, 200, 0), 0, "poll(): nothing at rest");
	client_post(&a, run_events, WAIT_MS, 0);
	usleep(50000);
	begun = now_ms();
	is_errno(tenant(&b, run_reserve, LIMIT * 2, 0), EDQUOT, "another agent is refused");
	is(tenant(&b, run_events, WAIT_MS, 0), POLLPRI, "poll(): that one is told");
	swarm_cmd("allocate 1 %d %llu", LIMIT * 2, device);
	is(client_result(&a), POLLPRI, "poll(): so is this, once it is refused itself");
	/* Not when its time is over, as poll() looks once more then. */
	ok(now_ms() - begun < WAIT_MS / 2, "poll(): it is told by a wake-up");
	tenant(&a, run_agent, 0, 0);
	is(tenant(&a, run_events, 100, 0), 0, "poll(): SELF is the answer");
	client_stop(&a, 0);
	client_stop(&b, 0);
}

static void check_session(void)
{
	int fd = swarm_open("control", O_RDWR), other = swarm_open("control", O_RDWR);
	__u64 id = 0;
	size_t len;
	char *text;

	lock_run(fd, "session");
	lock_run(fd, "allocate 1 4096 %llu", device);
	text = swarm_slurp(fd, 4096, &len);
	id = swarm_result(text);
	free(text);
	lock_run(fd, "create_context 1 %llu", device);
	is_errno(lock_run(fd, "lock %llu 1 exclusive", id), 0, "session: lock");
	is_errno(lock_run(fd, "lock %llu 1 exclusive", id), EALREADY, "session: again");
	is_errno(lock_run(fd, "lock %llu 2 exclusive", id), EDEADLK,
		 "session: for another agent it would wait for itself");
	is_errno(lock_run(other, "lock %llu 1 shared nowait", id), EAGAIN,
		 "session: the agent's own is excluded");
	is_errno(lock_run(other, "unlock %llu 1", id), ENOENT, "session: nor can it unlock");
	lock_run(other, "session");
	is_errno(lock_run(other, "lock %llu 2 shared nowait", id), EAGAIN, "session: nor another");
	is(swarm_get("agents", "ID", 1, "CONTEXTS"), 1, "session: a context");
	close(fd);
	is(swarm_get("agents", "ID", 1, "USED"), 0, "session: its end frees buffers");
	is(swarm_get("agents", "ID", 1, "CONTEXTS"), 0, "session: and contexts");
	lock_none_left("of a session");
	is_errno(lock_run(other, "allocate 1 4096 %llu", device), 0, "session: another one");
	close(other);
	is(swarm_get("agents", "ID", 1, "USED"), 0, "session: ends likewise");
	swarm_allocate(1, 4096, device, &id);
	is(swarm_get("agents", "ID", 1, "USED"), 4096, "without session it stays");
	swarm_cmd("free %llu", id);
}

int main(void)
{
	struct rlimit files = { 2048, 2048 };
	struct client contained;
	struct stat st;

	setrlimit(RLIMIT_NOFILE, &files);
	device = swarm_device(NULL);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pass))
		bail("socketpair");
	make_agents();
	ok(!stat(DEVICE_PATH, &st) && (st.st_mode & 0777) == 0666, "the device is for everybody");
	check_self_and_ledger();
	check_ids();
	check_command_and_file();
	check_files();
	dev = device_open();
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		      -1, 0);
	check_dmabufs();
	check_leases();
	check_held_back();
	close(dev);
	check_arguments();
	check_cap();
	check_poll();
	check_session();
	client_start(&contained);
	is_errno(client_call(&contained, run_contain, 0, 0), 0, "without /proc");
	client_stop(&contained, 0);
	swarm_add_up("at the end");
	return tap_done();
}
