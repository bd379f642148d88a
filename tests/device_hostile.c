// SPDX-License-Identifier: GPL-2.0-only
/*
 * What open files of /dev/gpu_dma_lock could do to other tenants: reserve all that can be
 * counted, keep places in a queue, have a lock that does not end, make a search for deadlocks
 * too long, and see others' refusals.
 *
 * vm: --load --mem 1024 --timeout 300
 */
#define _GNU_SOURCE
#include <poll.h>
#include <sys/resource.h>
#include <sys/time.h>

#include "attacks/uring.h"
#include "client.h"
#include "device.h"
#include "gem.h"
#include "lock.h"

#define NOBODY		65534
#define TENANT_MS	4000
#define NO_END_MS	600000
#define PLACES		10
#define SHARED		511
#define CHAIN		10	/* buffers that wait for one another */
#define HOLDERS		1000	/* of each of them; of the first half as many */

static __u64 device;

/* In clients */

static int dev = -1, dmabuf = -1;
static int pass[2];		/* sockets that open files are passed through */
static int vgem;		/* nobody may not open it */
static __u64 ids[CHAIN];
static int files[CHAIN * HOLDERS];
static struct lock_call calls[SHARED + 1];

static long run_open(long unused, long unused2)
{
	(void)unused;
	(void)unused2;
	if (setgid(NOBODY) || setuid(NOBODY))
		return errno;
	dev = device_open();
	return 0;
}

static long run_reserve(long bytes, long i)
{
	return device_reserve(dev, device, bytes, &ids[i]);
}

/* All that can be had: by halves, from more than can be counted. */
static long run_reserve_all(long unused, long unused2)
{
	__u64 size, id;

	(void)unused;
	(void)unused2;
	for (size = 1ULL << 62; size; size /= 2)
		device_reserve(dev, device, size, &id);
	return device_reserve(dev, device, 1, &id);
}

static long run_id(long i, long unused)
{
	(void)unused;
	return ids[i];
}

static long run_lock(long id, long exclusive)
{
	return device_lock(dev, id, exclusive, 0);
}

static long run_unlock(long id, long unused)
{
	(void)unused;
	return device_unlock(dev, id);
}

static long run_gem(long size, long unused)
{
	__u32 handle;
	int err = gem_create(vgem, size, &handle);

	(void)unused;
	return err ?: gem_destroy(vgem, handle);
}

static long run_export(long size, long unused)
{
	__u32 handle;

	(void)unused;
	if (gem_create(vgem, size, &handle) || gem_export(vgem, handle, &dmabuf) ||
	    gem_destroy(vgem, handle))
		return -1;
	return client_send_fd(pass[0], dmabuf);
}

static long run_receive(long unused, long unused2)
{
	(void)unused;
	(void)unused2;
	dmabuf = client_receive_fd(pass[1]);
	return dmabuf < 0;
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

/* Begins to wait by many files, and is interrupted each time. */
static long run_keep_places(long n, long unused)
{
	struct sigaction action = { .sa_handler = lock_interrupted };
	struct itimerval soon = { .it_value.tv_usec = 10000, .it_interval.tv_usec = 10000 };
	long kept = 0;
	int i;

	(void)unused;
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &soon, NULL);
	for (i = 0; i < n; i++) {
		files[i] = device_open();
		kept += device_lock_fd(files[i], dmabuf, false, -1) == EINTR;
	}
	soon = (struct itimerval){ };
	setitimer(ITIMER_REAL, &soon, NULL);
	return kept;
}

/* Goes on with one wait after the other, each a little before the last lock would end. */
static long run_use_places(long n, long ms)
{
	int i;

	for (i = 0; i < n; i++) {
		usleep(ms * 1000);
		device_lock_fd(files[i], dmabuf, false, -1);
	}
	for (i = 0; i < n; i++)
		close(files[i]);
	return 0;
}

/* LOCK of the dma-buf that was received, in a thread. */
static void *dmabuf_thread(void *arg)
{
	struct lock_call *call = arg;

	call->err = device_lock_fd(call->dev, dmabuf, call->exclusive, -1);
	atomic_store(&call->ended, true);
	return NULL;
}

static void post_dmabuf(struct lock_call *call, bool exclusive)
{
	*call = (struct lock_call){
		.fd = -1, .command = "LOCK", .dev = device_open(), .exclusive = exclusive,
	};
	call->thread = lock_start(dmabuf_thread, call);
}

/* Holds it by many files, has another thread wait to write, and many more to read. */
static long run_queue_up(long n, long unused)
{
	struct sigaction action = { .sa_handler = lock_interrupted };
	int i;

	(void)unused;
	sigaction(SIGUSR1, &action, NULL);
	for (i = 0; i < n; i++) {
		files[i] = device_open();
		if (device_lock_fd(files[i], dmabuf, false, 0))
			return -1;
	}
	post_dmabuf(&calls[n], true);
	lock_await_waiters(1);
	for (i = 0; i < n; i++)
		post_dmabuf(&calls[i], false);
	return !lock_await_waiters(n + 1);
}

/* The writer gives up. Returns how many of those behind it were granted the lock. */
static long run_interrupt(long n, long unused)
{
	long granted = 0;
	int i;

	(void)unused;
	pthread_kill(calls[n].thread, SIGUSR1);
	lock_result(&calls[n]);
	close(calls[n].dev);
	for (i = 0; i < n; i++) {
		granted += !lock_result(&calls[i]);
		close(calls[i].dev);
		close(files[i]);
	}
	return granted;
}

/* The first of its buffers is the dma-buf: each is held by many, of which one waits. */
static long run_chain(long unused, long unused2)
{
	struct sigaction action = { .sa_handler = lock_interrupted };
	int i, j;

	(void)unused;
	(void)unused2;
	sigaction(SIGUSR1, &action, NULL);
	for (i = 0; i < CHAIN; i++)
		for (j = 0; j < (i ? HOLDERS : HOLDERS / 2); j++) {
			int fd = device_open();

			files[i * HOLDERS + j] = fd;
			if (i ? device_lock(fd, ids[i], false, 0) :
				device_lock_fd(fd, dmabuf, false, 0))
				return -1;
		}
	for (i = 0; i < CHAIN - 1; i++)
		lock_post_file(&calls[i], files[i * HOLDERS], ids[i + 1], true);
	return !lock_await_waiters(CHAIN - 1);
}

static long run_unchain(long unused, long unused2)
{
	int i;

	(void)unused;
	(void)unused2;
	for (i = 0; i < CHAIN - 1; i++) {
		pthread_kill(calls[i].thread, SIGUSR1);
		lock_result(&calls[i]);
	}
	for (i = 0; i < CHAIN * HOLDERS; i++)
		if (files[i])
			close(files[i]);
	return 0;
}

/* Waits in a thread for the dma-buf, with a lock of its own. */
static long run_wait_in_thread(long id, long unused)
{
	struct sigaction action = { .sa_handler = lock_interrupted };

	(void)unused;
	sigaction(SIGUSR1, &action, NULL);
	files[0] = device_open();
	if (device_lock(files[0], id, true, 0))
		return -1;
	calls[0] = (struct lock_call){
		.fd = -1, .command = "LOCK", .dev = files[0], .exclusive = true,
	};
	calls[0].thread = lock_start(dmabuf_thread, &calls[0]);
	return 0;
}

static long run_wait_no_more(long unused, long unused2)
{
	(void)unused;
	(void)unused2;
	pthread_kill(calls[0].thread, SIGUSR1);
	lock_result(&calls[0]);
	close(files[0]);
	return 0;
}

static long run_lock_wait(long id, long timeout_ms)
{
	return device_lock(dev, id, true, timeout_ms);
}

/* What io_uring says once there is something; -1: there is no io_uring. */
static long run_uring_poll(long unused, long unused2)
{
	struct uring ring;
	long events;

	(void)unused;
	(void)unused2;
	if (!uring_open(&ring))
		return -1;
	ring.sqes[0] = (struct io_uring_sqe){
		.opcode = IORING_OP_POLL_ADD, .fd = dev, .poll32_events = POLLPRI,
	};
	events = uring_run(&ring);
	uring_close(&ring);
	return events;
}

/* For the test */

static void tenant_start(struct client *c, int agent)
{
	client_start(c);
	if (agent && swarm_cmd("bind %d pid:%d", agent, c->pid))
		bail("binding a tenant");
	if (client_call(c, run_open, 0, 0))
		bail("a tenant that opens the device");
}

/* Two tenants that have the first one's buffer in hand. */
static void start_two(struct client *owner, struct client *other, int ms)
{
	device_set_tenant_ms(ms);
	tenant_start(owner, 1);
	tenant_start(other, 2);
	if (client_call(owner, run_export, 65536, 0) || client_call(other, run_receive, 0, 0))
		bail("passing a dma-buf on");
}

static void stop_two(struct client *a, struct client *b, const char *what)
{
	device_set_tenant_ms(10000);
	client_stop(a, 0);
	client_stop(b, 0);
	lock_none_left(what);
}

static void check_reserve(void)
{
	struct client greedy, tenant;

	tenant_start(&greedy, 0);
	tenant_start(&tenant, 1);
	is_errno(client_call(&greedy, run_reserve_all, 0, 0), EDQUOT,
		 "RESERVE of agent 0: there is an end of it, without a limit");
	is_errno(client_call(&tenant, run_reserve, 4096, 0), 0,
		 "RESERVE of a tenant: there is room on the device still");
	if (swarm_cmd("policy enforce"))
		bail("enforcing");
	is_errno(client_call(&tenant, run_gem, 16384, 0), 0,
		 "a tenant's buffer is not refused for what agent 0 has reserved");
	is_errno(client_call(&greedy, run_gem, 16384, 0), 0,
		 "nor is one of agent 0");
	swarm_cmd("policy audit");
	client_stop(&greedy, 0);
	client_stop(&tenant, 0);
	swarm_add_up("after all was reserved that can be");
}

/* The process's agent has changed meanwhile. */
static void check_unlock(void)
{
	struct client c;
	long id;

	tenant_start(&c, 1);
	if (client_call(&c, run_reserve, 4096, 0))
		bail("reserving");
	id = client_call(&c, run_id, 0, 0);
	is_errno(client_call(&c, run_lock, id, 1), 0, "agent 1 locks a buffer by an open file");
	if (swarm_cmd("unbind 1 pid:%d", c.pid) || swarm_cmd("bind 2 pid:%d", c.pid))
		bail("binding");
	is_errno(client_call(&c, run_unlock, id, 0), 0, "the file unlocks it as agent 2");
	is_errno(client_call(&c, run_unlock, id, 0), ENOENT, "the file unlocks it only once");
	client_stop(&c, 0);
	lock_none_left("of a file whose process has another agent");
}

static void check_places(void)
{
	struct client owner, other;
	long slack = on_debug_kernel() ? 5000 : 3000;

	start_two(&owner, &other, TENANT_MS);
	is_errno(client_call(&other, run_lock_dmabuf, 1, 0), 0, "another tenant holds a buffer");
	ok(client_call(&other, run_keep_places, PLACES, 0) >= PLACES / 2,
	   "another tenant keeps places in its queue, by waits that are interrupted");
	client_call(&other, run_unlock_dmabuf, 0, 0);
	is_errno(client_call(&other, run_lock_dmabuf, 0, 0), 0, "another tenant has a lease");
	client_post(&owner, run_lock_dmabuf, 1, TENANT_MS + slack);
	lock_await_waiters(1);
	client_post(&other, run_use_places, PLACES, TENANT_MS / 2 - 50);
	is_errno(client_result(&owner), 0, "the owner has it, whatever places are kept");
	client_call(&owner, run_unlock_dmabuf, 0, 0);
	client_result(&other);
	stop_two(&owner, &other, "of places that were kept");
}

static void check_share(void)
{
	struct client owner, other;
	long granted;

	start_two(&owner, &other, NO_END_MS);
	is(client_call(&other, run_queue_up, SHARED, 0), 0,
	   "another tenant's files hold a buffer, and as many wait");
	granted = client_call(&other, run_interrupt, SHARED, 0);
	is(granted, 1, "half of the holders can be another tenant's, those that waited too");
	stop_two(&owner, &other, "of many files");
}

static void check_chain(void)
{
	struct client chain, victim;
	int i;
	long id;

	start_two(&chain, &victim, NO_END_MS);
	for (i = 1; i < CHAIN; i++)
		if (client_call(&chain, run_reserve, 4096, i))
			bail("reserving");
	if (client_call(&victim, run_reserve, 4096, 0))
		bail("reserving");
	id = client_call(&victim, run_id, 0, 0);
	is(client_call(&chain, run_chain, 0, 0), 0, "a tenant's files wait in a long chain");
	is(client_call(&victim, run_wait_in_thread, id, 0), 0, "another one's waits for its head");
	ok(lock_await_waiters(CHAIN), "all of them wait");
	is_errno(client_call(&victim, run_lock_wait, id, 200), ETIMEDOUT,
		 "what waits for that one is told of no deadlock");
	client_call(&victim, run_wait_no_more, 0, 0);
	client_call(&chain, run_unchain, 0, 0);
	stop_two(&chain, &victim, "of a long chain");
}

static void check_uring(void)
{
	struct client a, b;
	struct pollfd answer;

	tenant_start(&a, 1);
	tenant_start(&b, 2);
	swarm_cmd("set_quota 1 65536");
	swarm_cmd("set_quota 2 65536");
	client_post(&a, run_uring_poll, 0, 0);
	usleep(200000);
	answer = (struct pollfd){ .fd = a.fd, .events = POLLIN };
	if (poll(&answer, 1, 0) && client_result(&a) == -1) {
		skip("this kernel has no io_uring for everybody");
		goto out;
	}
	is_errno(client_call(&b, run_reserve, 65537, 0), EDQUOT, "a tenant is refused");
	is(poll(&answer, 1, 1000), 0, "io_uring does not tell another one of it");
	swarm_cmd("allocate 1 65537 %llu", device);
	is(client_result(&a), POLLPRI, "io_uring tells a tenant of its own refusal");
out:
	client_stop(&a, 0);
	client_stop(&b, 0);
}

int main(void)
{
	struct rlimit limit = { 16384, 16384 };
	int agent;

	setrlimit(RLIMIT_NOFILE, &limit);
	device = swarm_device("vgem");
	vgem = gem_open("vgem");
	if (vgem < 0)
		bail("opening vgem");
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pass))
		bail("socketpair");
	for (agent = 1; agent <= 2; agent++)
		if (swarm_cmd("create_agent %d", agent))
			bail("creating an agent");
	check_reserve();
	check_unlock();
	check_places();
	check_share();
	check_chain();
	check_uring();
	return tap_done();
}
