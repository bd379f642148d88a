// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory is short, and nothing is lost: where the hooked function may wait for memory,
 * so does what is done about it. Either something takes all memory that may be had
 * without waiting, tests/modules/hog.c; or a process eats it until it is killed for that,
 * again and again; or one in twenty of the allocations fails that may not wait, by the
 * kernel's own means or tests/modules/failslab.c.
 *
 * vm: --load --gpu none --mem 512 --append vm.oom_dump_tasks=0 --timeout 300
 */
#define _GNU_SOURCE
#include <signal.h>
#include <sys/prctl.h>

#include "gem.h"
#include "life.h"
#include "sleep.h"

#define LIVES_MAX	3000
#define LIVES_MIN	300
#define CONTEXT_EVERY	8	/* buffers, a context of its own */
#define SIZE		4096
#define FAIL_PERCENT	"5"
#define EATERS		scaled(20)
#define EAT_BYTES	1048576

struct life {
	int device, card, gem, other;
	__u32 handle;
};

static struct life lives[LIVES_MAX];

static int nr_lives(void)
{
	return scaled(LIVES_MAX) > LIVES_MIN ? scaled(LIVES_MAX) : LIVES_MIN;
}

static void set(const char *path, const char *value)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, value, strlen(value)) < 0)
		bail("writing %s to %s", value, path);
	close(fd);
}

/*
 * A GEM object and its dma-buf, and a dma-buf of another exporter with an attachment: of
 * vgem's the kernel gives up mapping when memory is short. Returns whether the kernel
 * had the memory that itself wants for it.
 */
static bool begin(struct life *l, int card, bool context)
{
	l->card = context ? gem_open("vgem") : -1;
	l->device = open("/dev/sleeper", O_RDWR | O_CLOEXEC);
	l->gem = -1;
	l->other = -1;
	if (gem_create(card, SIZE, &l->handle) || gem_export(card, l->handle, &l->gem))
		return false;
	l->other = ioctl(l->device, SLEEPER_EXPORT);
	return l->other >= 0 && !ioctl(l->device, SLEEPER_ATTACH, l->other) &&
	       !ioctl(l->device, SLEEPER_MAP);
}

static void end(const struct life *l, int card)
{
	close(l->device);
	close(l->other);
	close(l->gem);
	close(l->card);
	if (l->handle)
		gem_destroy(card, l->handle);
}

static int count_contexts(int n)
{
	int i, contexts = 1;

	for (i = 0; i < n; i++)
		contexts += lives[i].card >= 0;
	return contexts;
}

/* Each of so many lives that begin now has its rows; they end when all have begun. */
static void check_lives(const char *when)
{
	int i, n = nr_lives(), card = gem_open("vgem"), failed = 0;

	if (card < 0)
		bail("opening vgem");
	for (i = 0; i < n; i++)
		if (!begin(&lives[i], card, i % CONTEXT_EVERY == 0) && !failed++)
			note("%s, life %d: %s", when, i, strerror(errno));
	is(failed, 0, "%s: %d lives begin", when, n);
	is(life_rows("allocations"), 2 * n, "%s: each has its buffers", when);
	is(life_rows("attachments"), n, "%s: and its attachment", when);
	is(life_rows("contexts"), count_contexts(n), "%s: there are as many contexts as files",
	   when);
	for (i = 0; i < n; i++)
		end(&lives[i], card);
	close(card);
	life_nothing_left(0, when);
}

static void check_hog(void)
{
	int given_back;

	if (perm_insert(PERM_TEST_DIR "hog.ko"))
		bail("inserting hog.ko");
	check_lives("without a free page");
	given_back = sleep_number("hog/given_back");
	ok(given_back > 0, "without a free page: there was none");
	note("%d times", given_back);
	is_errno(perm_delete("hog"), 0, "without a free page: there are some again");
}

/* Eats, to be killed first; never returns. */
static void eat(void)
{
	char *food;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	set("/proc/self/oom_score_adj", "1000");
	for (;;) {
		food = malloc(EAT_BYTES);
		if (food)
			memset(food, 1, EAT_BYTES);
	}
}

/* One after the other, each of which is killed. Never returns. */
static void feed(int killed)
{
	int status;
	pid_t pid;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;) {
		pid = fork();
		if (!pid)
			eat();
		if (pid > 0 && waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) &&
		    write(killed, "x", 1) != 1)
			_exit(1);
	}
}

static void check_eaters(void)
{
	int killed[2], i, n;
	char byte[64];
	pid_t pid;

	if (pipe2(killed, O_CLOEXEC))
		bail("pipe");
	/* Of all others nobody is to be killed, and what they start is not either. */
	set("/proc/self/oom_score_adj", "-1000");
	pid = fork();
	if (!pid)
		feed(killed[1]);
	close(killed[1]);
	for (i = 0; i < EATERS; i += n) {
		check_lives("while a process eats memory");
		n = read(killed[0], byte, sizeof(byte));
		if (n <= 0)
			bail("waiting for a process that eats memory");
	}
	ok(i > 0, "processes that ate memory were killed");
	note("%d", i);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	close(killed[0]);
}

/* By the kernel itself. The log is not told. */
static void fail_allocations(bool on)
{
	static const char * const settings[][2] = {
		{ "ignore-gfp-wait", "Y" }, { "verbose", "0" }, { "times", "-1" },
		{ "task-filter", "Y" }, { "probability", FAIL_PERCENT }, };
	char path[96];
	size_t i;

	for (i = 0; on && i < sizeof(settings) / sizeof(*settings); i++) {
		snprintf(path, sizeof(path), PERM_DEBUGFS "failslab/%s", settings[i][0]);
		set(path, settings[i][1]);
	}
	set("/proc/self/make-it-fail", on ? "1" : "0");
}

/* Allocations that may wait do not fail. */
static void check_faults(void)
{
	bool own = !access(PERM_DEBUGFS "failslab", F_OK);
	char params[32];

	snprintf(params, sizeof(params), "pid=%d", getpid());
	if (own) {
		fail_allocations(true);
	} else if (perm_insert_with(PERM_TEST_DIR "failslab.ko", params)) {
		skip("this kernel lets no allocation fail");
		return;
	}
	check_lives("while allocations fail");
	if (own)
		fail_allocations(false);
	else if (perm_delete("failslab"))
		bail("removing failslab.ko");
}

int main(void)
{
	if (system("modprobe vgem"))
		bail("modprobe vgem");
	sleep_set_up();
	check_lives("with memory enough");
	check_hog();
	check_eaters();
	check_faults();
	is_errno(perm_delete("gpu_dma_lock"), 0, "the module goes");
	sleep_tear_down();
	return tap_done();
}
