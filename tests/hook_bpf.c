// SPDX-License-Identifier: GPL-2.0-only
/*
 * BPF's fentry at a function that is hooked. Where it was first, that function is
 * diverted and all others have direct calls; where the module was first, it cannot be
 * attached, unless the module was told to divert. Both see each call, and the module
 * refuses what is over a quota, as it would alone.
 *
 * vm: -k 6.1 -k 6.12 -k newest --gpu none --mem 512 --timeout 200
 */
#define _GNU_SOURCE
#include <sys/utsname.h>

#include "gem.h"
#include "life.h"
#include "peer.h"
#include "sleep.h"

#define PEER		"/host/peer"
#define FUNCTION	"dma_buf_export"
#define STATE		"hook_" FUNCTION "_state"
#define HITS		"hook_" FUNCTION "_hits"
#define DIRECT		"direct"
#define DIVERT		"divert"
#define BUFFERS		10
#define SIZE		4096
#define AGENT		1

static int card;

/* Whether @line of stats says that a function is hooked as @want. */
static bool placed(const char *line, const char *want)
{
	const char *state = strchr(line, ' ');

	return state && !strncmp(state + 1, want, strlen(want));
}

/* How FUNCTION is hooked, and all others. */
static void check_hooks(const char *when, const char *function, const char *others)
{
	char *text = swarm_read("stats"), *line, *next;
	int wrong = 0, seen = 0;

	for (line = strtok_r(text, "\n", &next); line; line = strtok_r(NULL, "\n", &next)) {
		if (strncmp(line, "hook_", 5) || !strstr(line, "_state ") ||
		    strstr(line, " nvidia.ko is not loaded"))
			continue;
		if (!strncmp(line, STATE " ", strlen(STATE " ")))
			ok(placed(line, function), "%s: %s is hooked by %s", when, FUNCTION,
			   function);
		else if (placed(line, others))
			seen++;
		else if (!wrong++)
			note("%s", line);
	}
	free(text);
	ok(seen && !wrong, "%s: all others by %s", when, others);
}

/* A buffer is made, exported, and goes. Returns 0 or an error number. */
static int live(void)
{
	__u32 handle;
	int err, fd = -1;

	err = gem_create(card, SIZE, &handle);
	if (err)
		return err;
	err = gem_export(card, handle, &fd);
	if (!err)
		close(fd);
	gem_destroy(card, handle);
	return err;
}

static void check_lives(const char *when)
{
	long long hits = swarm_stat(HITS), created = swarm_stat("buffers_created");
	int i, failed = 0;

	for (i = 0; i < BUFFERS; i++)
		failed += !!live();
	is(failed, 0, "%s: %d buffers are made and exported", when, BUFFERS);
	is(swarm_stat(HITS) - hits, BUFFERS, "%s: the module counts each export", when);
	is(swarm_stat("buffers_created") - created, BUFFERS, "%s: and each buffer", when);
	life_nothing_left(1, when);
}

/* One call of FUNCTION, of which the kernel sees nothing. */
static void check_quota(const char *when)
{
	long long hits = swarm_stat(HITS);
	int device = sleep_open();

	if (swarm_cmd("create_agent %d 0\nbind %d pid:%d\npolicy enforce\n", AGENT, AGENT,
		      getpid()))
		bail("making an agent");
	is_errno(live(), EDQUOT, "%s: an object over the quota is refused", when);
	is_errno(ioctl(device, SLEEPER_EXPORT) < 0 ? errno : 0, EDQUOT,
		 "%s: and an export", when);
	is(swarm_stat(HITS) - hits, 1, "%s: which is counted", when);
	close(device);
	if (swarm_cmd("policy audit\n"))
		bail("setting the policy");
}

/* EBUSY; on 7.3 EINVAL. */
static bool says_taken(const char *text)
{
	struct utsname name;

	if (uname(&name))
		bail("uname");
	return strstr(text, strerror(strncmp(name.release, "7.", 2) ? EBUSY : EINVAL));
}

/* Runs the peer, which is to be refused. Returns whether it was, as taken. */
static bool peer_refused(void)
{
	int err[2], status;
	bool taken = false;
	char text[256];
	FILE *said;
	pid_t pid;

	if (pipe2(err, O_CLOEXEC))
		bail("pipe");
	pid = fork();
	if (pid < 0)
		bail("fork");
	if (!pid) {
		/* It would end at once if it were attached. */
		if (!freopen("/dev/null", "r", stdin) || !freopen("/dev/null", "w", stdout))
			_exit(TAP_EXIT_FAIL);
		dup2(err[1], STDERR_FILENO);
		execl(PEER, PEER, "--count", FUNCTION, NULL);
		_exit(TAP_EXIT_FAIL);
	}
	close(err[1]);
	said = fdopen(err[0], "r");
	if (!said)
		bail("fdopen");
	/* To its end: a peer that has more to say would die of a pipe that is closed. */
	while (fgets(text, sizeof(text), said)) {
		if (says_taken(text))
			taken = true;
		else
			note("%s", text);
	}
	fclose(said);
	if (waitpid(pid, &status, 0) != pid)
		bail("waitpid");
	return WIFEXITED(status) && WEXITSTATUS(status) && taken;
}

static void insert(const char *when, const char *params)
{
	if (!is_errno(perm_insert_with(PERM_MODULE, params), 0, "%s: the module is inserted", when))
		bail("no use to go on");
	/* Files that were open before the module came are no contexts. */
	card = gem_open("vgem");
	if (card < 0)
		bail("opening vgem");
}

static void delete(const char *when)
{
	close(card);
	is_errno(perm_delete("gpu_dma_lock"), 0, "%s: the module goes", when);
}

/* What the peer has counted since it was attached. */
static void check_peer(struct peer *peer, int want, const char *when)
{
	is(peer_hits(peer), want, "%s: BPF counts each export", when);
}

static void bpf_first(void)
{
	const char *when = "BPF was first";
	struct peer peer;

	if (!peer_start(&peer, PEER, FUNCTION))
		skip_all("the kernel tells no types, which BPF wants");
	insert(when, "");
	check_hooks(when, DIVERT, DIRECT);
	check_lives(when);
	check_quota(when);
	check_peer(&peer, BUFFERS + 1, when);
	check_lives("BPF was first, and has gone");
	delete(when);
}

/* The module goes first: BPF goes on. */
static void module_goes_first(void)
{
	const char *when = "the module came later and goes first";
	struct peer peer;

	if (!peer_start(&peer, PEER, FUNCTION))
		bail("the kernel told its types before");
	insert(when, "");
	check_lives(when);
	delete(when);
	card = gem_open("vgem");
	is_errno(live(), 0, "%s: buffers can be made", when);
	close(card);
	check_peer(&peer, BUFFERS + 1, when);
}

static void module_first(void)
{
	const char *when = "the module was first";
	struct peer peer;

	insert(when, "");
	check_hooks(when, DIRECT, DIRECT);
	ok(peer_refused(), "%s: BPF cannot be attached", when);
	check_hooks("after BPF was refused", DIRECT, DIRECT);
	check_lives(when);
	check_quota(when);
	delete(when);
	/* Nothing of it is in the way. */
	if (!peer_start(&peer, PEER, FUNCTION))
		bail("the kernel told its types before");
	check_peer(&peer, 0, "the module has gone");
}

static void module_diverts(void)
{
	const char *when = "the module was first, hook=divert";
	struct peer peer;

	insert(when, "hook=divert");
	check_hooks(when, DIVERT, DIVERT);
	if (!peer_start(&peer, PEER, FUNCTION))
		bail("the kernel told its types before");
	check_lives(when);
	check_quota(when);
	check_peer(&peer, BUFFERS + 1, when);
	check_lives("hook=divert, and BPF has gone");
	delete(when);
}

int main(void)
{
	if (system("modprobe vgem && modprobe ttm"))
		bail("modprobe");
	sleep_set_up();
	bpf_first();
	module_goes_first();
	module_first();
	module_diverts();
	sleep_tear_down();
	return tap_done();
}
