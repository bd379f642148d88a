// SPDX-License-Identifier: GPL-2.0-only
/*
 * Attacks by which the victim would get less than is its own: asking for more than there
 * is, so that a device's capacity seems used up; importing a buffer of the victim's, so
 * that it seems in use; freeing what others are using; and filling the kernel's log. All
 * is refused, and takes nothing from the victim, not for a moment.
 *
 * vm: --load --mem 512 --timeout 300
 */
#define _GNU_SOURCE
#include <limits.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "attack.h"

#define THREADS		4
#define ROUNDS		(10 + scaled(500))
#define GREED		0x80000000ULL	/* bytes, not to be had */
#define LOG_SECONDS	3
#define LOG_LINES_MAX	40	/* in five seconds, of ten a place in the code */
#define LOG_INTERVAL	5
#define LOG_TRIES	5000

static int mail[2];	/* to the attacker */

/* For the attacker */

static int card = -1, fd_of_victim = -1;
static long got;	/* calls that should have been refused */

static void *ask_for_more(void *unused)
{
	long n = 0;
	__u32 handle;

	(void)unused;
	do {
		n += !gem_create(card, n % 2 ? ATTACK_PAGE : GREED, &handle);
	} while (!attack_over());
	__atomic_add_fetch(&got, n, __ATOMIC_RELAXED);
	return NULL;
}

static long ask_begin(long unused, long unused_too)
{
	__u32 handle;
	int err = 0;

	(void)unused;
	(void)unused_too;
	got = 0;
	card = gem_open("vgem");
	/* Three pages do not fit evenly: the last ones would be over. */
	while (!err)
		err = gem_create(card, 3 * ATTACK_PAGE, &handle);
	do
		err = gem_create(card, ATTACK_PAGE, &handle);
	while (!err);
	attack_run_all(ask_for_more, THREADS);
	return err;
}

static void *import_the_victims(void *unused)
{
	long n = 0;
	__u32 handle;

	(void)unused;
	do {
		n += gem_import(card, fd_of_victim, &handle) != EACCES;
	} while (!attack_over());
	__atomic_add_fetch(&got, n, __ATOMIC_RELAXED);
	return NULL;
}

static long import_begin(long socket, long unused)
{
	(void)unused;
	got = 0;
	card = gem_open("vgem");
	fd_of_victim = client_receive_fd(socket);
	if (fd_of_victim >= 0)
		attack_run_all(import_the_victims, THREADS);
	return fd_of_victim < 0 ? ENOENT : 0;
}

/* Returns how many calls got what they should not. */
static long stop(long unused, long unused_too)
{
	attack_end_all(unused, unused_too);
	close(fd_of_victim);
	close(card);
	fd_of_victim = -1;
	card = -1;
	return got;
}

/* For the victim */

static long send_shared(long socket, long unused)
{
	(void)unused;
	return client_send_fd(socket, victim_fd);
}

/* Fills its quota, and gives it back, so often: returns how many bytes it lacked. */
static long fill_quota(long rounds, long unused)
{
	const long fit = (VICTIM_LIMIT - VICTIM_SHARED) / ATTACK_PAGE;
	__u32 handles[VICTIM_LIMIT / ATTACK_PAGE];
	long lacking = 0, n;

	(void)unused;
	while (rounds--) {
		for (n = 0; n < fit; n++)
			if (gem_create(victim_card, ATTACK_PAGE, &handles[n]))
				break;
		lacking += (fit - n) * ATTACK_PAGE;
		while (n--)
			gem_destroy(victim_card, handles[n]);
	}
	return lacking;
}

static void test_capacity(void)
{
	__u64 vgem = swarm_device("vgem");
	long rounds = 3 + scaled(100);

	attack_works(swarm_cmd("set_capacity %llu %d\n", vgem,
			       ATTACK_LIMIT + VICTIM_LIMIT - VICTIM_SHARED),
		     "a device has room for both, and no more");
	is(client_call(&victim, fill_quota, rounds, 0), 0, "alone the victim gets its quota");
	is_errno(client_call(&attacker, ask_begin, 0, 0), EDQUOT, "the attacker has its own");
	is(attack_has("USED"), ATTACK_LIMIT, "to the byte");
	is(client_call(&victim, fill_quota, rounds, 0), 0,
	   "beside refused buffers the victim gets all of its quota, %ld times", rounds);
	attack_beside(ROUNDS, "beside refused buffers");
	is(client_call(&attacker, stop, 0, 0), 0, "none of them was to be had");
	attack_works(swarm_cmd("set_capacity %llu max\n", vgem), "no capacity");
	attack_gone("refused buffers");
}

static void test_holds(void)
{
	long long denied = swarm_stat("dma_denied");
	struct swarm_table t;

	if (client_call(&victim, send_shared, mail[1], 0))
		bail("passing a buffer");
	attack_works(client_call(&attacker, import_begin, mail[0], 0),
		     "the attacker has a buffer of the victim's");
	attack_beside(ROUNDS, "beside refused imports");
	swarm_load(&t, "attachments");
	is(swarm_count_u64(&t, "AGENT", ATTACKER), 0, "the attacker attaches nothing");
	swarm_unload(&t);
	swarm_load(&t, "locks");
	is(swarm_count_u64(&t, "AGENT", ATTACKER), 0, "nor holds a lock");
	swarm_unload(&t);
	is(client_call(&attacker, stop, 0, 0), 0, "all its imports are refused");
	ok(swarm_stat("dma_denied") > denied, "as is counted");
	attack_gone("refused imports");
}

/* What is used by some threads is freed by others: all on the same numbers. */

#define SLOTS	4

static int fds[SLOTS];
static __u32 handles[SLOTS];
static int importer = -1;

static void use(unsigned int *seed)
{
	int i = rand_r(seed) % SLOTS, what = rand_r(seed) % 7;
	__u32 handle = 0;
	char *map;

	if (what == 0 && !gem_create(card, ATTACK_PAGE, &handle)) {
		gem_destroy(card, __atomic_exchange_n(&handles[i], handle, __ATOMIC_RELAXED));
	} else if (what == 1) {
		gem_export(card, handles[i], &fds[i]);
	} else if (what == 2) {
		close(__atomic_exchange_n(&fds[i], -1, __ATOMIC_RELAXED));
	} else if (what == 3) {
		gem_destroy(card, handles[i]);
	} else if (what == 4 && !gem_import(importer, fds[i], &handle)) {
		gem_destroy(importer, handle);
	} else if (what == 5) {
		map = mmap(NULL, ATTACK_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fds[i], 0);
		if (map != MAP_FAILED)
			munmap(map, ATTACK_PAGE);
	} else if (what == 6 && !(rand_r(seed) % 50)) {
		/* Closed while others use it, and opened anew in its place. */
		int fd = gem_open("vgem");

		dup2(fd, importer);
		close(fd);
	}
}

static void *use_and_free(void *unused)
{
	unsigned int seed = gettid();

	(void)unused;
	do {
		use(&seed);
	} while (!attack_over());
	return NULL;
}

/* In a child: what its threads close may be any file, of its own. */
static void free_in_use(long threads)
{
	int i;

	close_range(3, ~0U, 0);
	for (i = 0; i < SLOTS; i++)
		fds[i] = -1;
	card = gem_open("virtio_gpu");
	importer = gem_open("vgem");
	attack_run_all(use_and_free, threads);
	pause();
}

/* Killed in the middle, too. */
static long free_begin(long threads, long unused)
{
	pid_t pid = fork();

	(void)unused;
	if (!pid)
		free_in_use(threads);
	return pid;
}

static long free_end(long pid, long unused)
{
	(void)unused;
	return kill(pid, SIGKILL) || waitpid(pid, NULL, 0) != pid;
}

static void test_free_in_use(void)
{
	long pid = client_call(&attacker, free_begin, 2 * THREADS, 0);

	attack_beside(ROUNDS, "beside frees of what is in use");
	ok(attack_has("PEAK") <= ATTACK_LIMIT, "the attacker stayed within its quota");
	is(client_call(&attacker, free_end, pid, 0), 0, "it is killed in the middle");
	attack_gone("frees of what is in use");
	ok(life_lossless(), "no event was missed");
}

/* How many lines of the module's the kernel's log has more than before. */
static long log_lines(void)
{
	static int log = -1;
	char line[8192];
	long n = 0;
	ssize_t len;

	if (log < 0)
		log = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	while ((len = read(log, line, sizeof(line) - 1)) > 0 || (len < 0 && errno == EPIPE)) {
		line[len < 0 ? 0 : len] = '\0';
		n += len < 0 || strstr(line, "gpu_dma_lock") || strstr(line, "gdl_");
	}
	return n;
}

/* How many lines there may be in so many seconds. */
static long log_lines_max(long seconds)
{
	return LOG_LINES_MAX * (1 + seconds / LOG_INTERVAL);
}

/*
 * Its own cgroup, which is bound, and others that a template would take, come and go, until
 * they are many more than the lines that there may be.
 */
static long make_cgroups(long seconds, long unused)
{
	time_t begin = time(NULL), end = begin + seconds;
	char name[32];
	__u32 handle;
	long n = 0, i;

	(void)unused;
	card = gem_open("vgem");
	for (i = 0; time(NULL) < end ||
	     (n <= 2 * log_lines_max(time(NULL) - begin) && i < LOG_TRIES); i++) {
		snprintf(name, sizeof(name), "own/job_%ld", i % 7);
		n += !cgroup_make("own/bound") && !cgroup_try_remove("own/bound");
		if (!cgroup_make(name))
			cgroup_try_remove(name);
		gem_create(card, GREED, &handle);
	}
	return stop(0, 0) ? 0 : n;
}

static void test_log(void)
{
	long lines, most, n;
	time_t begin;

	if (cgroup_make("own") || chown(CGROUP_ROOT "/own", NOBODY, NOBODY))
		bail("a cgroup for the attacker to make others in");
	attack_works(swarm_cmd("bind %d cgroup:/own/bound later\ntemplate /own/job_*\n", ATTACKER),
		     "one of them is bound, others are agents");
	log_lines();
	begin = time(NULL);
	n = client_call(&attacker, make_cgroups, LOG_SECONDS, 0);
	lines = log_lines();
	most = log_lines_max(time(NULL) - begin);
	ok(n > most, "%ld cgroups come and go", n);
	ok(lines <= most, "%ld lines in the kernel's log tell of it, at most %ld", lines, most);
	attack_beside(ROUNDS, "after a flood of lines");
	attack_works(swarm_cmd("remove_template /own/job_*\nunbind %d cgroup:/own/bound\n",
			       ATTACKER), "no more of them");
	cgroup_remove("own");
}

int main(void)
{
	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, mail))
		bail("socketpair");
	attack_begin();
	test_capacity();
	test_holds();
	test_free_in_use();
	test_log();
	attack_end();
	return tap_done();
}
