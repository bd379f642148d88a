// SPDX-License-Identifier: GPL-2.0-only
/*
 * Commands gone wrong: processes write to the control files what the grammar makes,
 * mostly with bytes, words or numbers changed, in pieces, on files closed half way,
 * interrupted all the time; and random bytes. Whatever they wrote, afterwards the
 * totals add up, no row names a buffer or agent that is not there, everything can be
 * taken back, and the module goes.
 *
 * vm: --load --smp 4 --mem 1024 --timeout 1200
 */
#define _GNU_SOURCE
#include <signal.h>
#include <sys/time.h>
#include <sys/wait.h>

#include "cgroup.h"
#include "lock.h"
#include "perm.h"

#define ROUNDS		scaled(150)
#define ROUND_SECONDS	4
#define WRITERS		3
#define FILES		6
#define AGENTS		6
#define CGROUPS		4	/* as devices */
#define TEXT_MAX	16384
#define INTERRUPT_US	20000
#define IDS_MAX		64
#define LOOK_UP_EVERY	64
#define SETTLE_SECONDS	60

/*
 * A letter behind % stands for a word: an agent by its id or name, an id of an agent,
 * a name, a buffer, device, size, range, mode, context, process, timeout.
 */
static const char * const grammar[] = {
	"create_agent %i", "create_agent %i %s", "create_agent %i max %n",
	"name %a %n", "name %a -", "reset_agent %a",
	"set_quota %a %s", "set_quota %a %s %d", "set_quota %a max", "set_capacity %d %s",
	"set_capacity %d max", "bind %a pid:%p", "unbind %a pid:%p", "bind %a cgroup:/",
	"unbind %a cgroup:/", "bind %a cgroup:/fz%d later", "unbind %a cgroup:/fz%d",
	"template /fz* %s", "template /fz%d max", "remove_template /fz*",
	"allocate %a %s %d", "allocate %a %s %d", "allocate %a %s -",
	"free %b", "free %b", "lock %b %a shared nowait", "lock %b %a exclusive nowait",
	"lock %b %a shared %t", "lock %b %a exclusive %t",
	"unlock %b %a", "unlock %b %a", "grant %a %r %m", "grant %a buf=%b %m",
	"revoke %a", "revoke %a %r", "revoke %a buf=%b", "check %a %r %m",
	"check %a buf=%b %m", "create_context %a %d", "destroy_context %c",
	"switch_context %d %c",
	"%a:%r:%m", "%a:%r:-", "%a:buf=%b:%m", "%a %s", "%a max %d",
};

/* What waits, for locks or the whole kernel, or takes away what much was done for. */
static const char * const rare[] = { "policy off", "policy audit", "policy enforce",
	"reset_stats", "remove_agent %a", "remove_agent %a", "lock %b %a exclusive" };

static const char * const written_files[] = { "control", "control", "control",
	"dma_permissions", "quotas" };
static const char * const read_files[] = { "stats", "devices", "agents", "quotas",
	"allocations", "attachments", "locks", "contexts", "bindings", "templates",
	"dma_permissions", "self", "control" };
static const char * const sizes[] = { "4096", "4096", "64K", "64K", "1M", "3G", "9T", "1", "0",
	"18446744073709551615", "18446744073709551616", "0x1000", "-1", "1KK", "010", "64Ki", "1m",
	"2GiB", "1kB" };
static const char * const names[] = { "a", "b", "tenant:1", "_", "a/b", "/a", "-" };
static const char * const modes[] = { "r", "w", "rw", "-", "wr", "" };

#define COUNT(array)	(sizeof(array) / sizeof((array)[0]))

static const char *pick(const char * const *words, unsigned int nr, __u64 *state)
{
	return words[lock_random(state, nr)];
}

/* Ids that a file showed some time ago. */
struct ids {
	const char *file;
	unsigned int nr;
	__u64 id[IDS_MAX];
};

static struct ids buffers = { .file = "allocations" }, contexts = { .file = "contexts" };

static void look_up(struct ids *ids)
{
	struct swarm_table t;

	swarm_load(&t, ids->file);
	for (ids->nr = 0; ids->nr < IDS_MAX && ids->nr < t.rows; ids->nr++)
		ids->id[ids->nr] = swarm_u64(&t, t.rows - 1 - ids->nr, "ID");
	swarm_unload(&t);
}

static __u64 any_id(struct ids *ids, __u64 *state)
{
	if (!lock_random(state, LOOK_UP_EVERY))
		look_up(ids);
	if (!ids->nr || !lock_random(state, 32))
		return lock_random(state, 1000);
	return ids->id[lock_random(state, ids->nr)];
}

static void print_range(char *out, size_t room, __u64 *state)
{
	__u64 start = lock_random(state, 64) << 12;

	switch (lock_random(state, 5)) {
	case 0:
		snprintf(out, room, "%#llx", start);
		break;
	case 1:
		snprintf(out, room, "%llu-%llu", start, start + lock_random(state, 1 << 18));
		break;
	case 2:
		snprintf(out, room, "%#llx+18446744073709551615", start);
		break;
	default:
		snprintf(out, room, "%#llx+%#x", start, lock_random(state, 1 << 16));
	}
}

static void print_word(char *out, size_t room, char kind, __u64 *state)
{
	switch (kind) {
	case 'a':
		print_word(out, room, lock_random(state, 4) ? 'i' : 'n', state);
		break;
	case 'n':
		snprintf(out, room, "%s", pick(names, COUNT(names), state));
		break;
	case 'i':
	case 'd':
		snprintf(out, room, "%u", lock_random(state, kind == 'i' ? AGENTS : 4));
		break;
	case 'b':
		snprintf(out, room, "%llu", any_id(&buffers, state));
		break;
	case 'c':
		snprintf(out, room, "%llu", any_id(&contexts, state));
		break;
	case 'm':
		snprintf(out, room, "%s", pick(modes, COUNT(modes), state));
		break;
	case 'p':
		snprintf(out, room, "%d", lock_random(state, 2) ? getpid() : getppid());
		break;
	case 'r':
		print_range(out, room, state);
		break;
	case 's':
		snprintf(out, room, "%s", pick(sizes, COUNT(sizes), state));
		break;
	case 't':
		snprintf(out, room, "%u", lock_random(state, 5));
		break;
	}
}

/* One line as the grammar has it; returns its length. */
static size_t print_command(char *out, size_t room, __u64 *state)
{
	const char *from = pick(grammar, COUNT(grammar), state);
	size_t len = 0;

	if (!lock_random(state, 300))
		from = pick(rare, COUNT(rare), state);
	for (; *from && len + 32 < room; from++) {
		if (*from != '%') {
			out[len++] = *from;
			continue;
		}
		print_word(out + len, room - len, *++from, state);
		len += strlen(out + len);
	}
	out[len++] = '\n';
	return len;
}

/* Change, drop, repeat or insert some bytes. */
static size_t mutate(char *text, size_t len, size_t room, __u64 *state)
{
	static const char likely[] = " \t\n\0:+-=0x9KT%";
	size_t at = lock_random(state, len), n = 1 + lock_random(state, 8);

	if (n > len - at)
		n = len - at;
	switch (lock_random(state, 4)) {
	case 0:
		text[at] = likely[lock_random(state, sizeof(likely))];
		return len;
	case 1:
		text[at] = lock_random(state, 256);
		return len;
	case 2:
		memmove(text + at, text + at + n, len - at - n);
		return len - n;
	default:
		if (len + n > room)
			return len;
		memmove(text + at + n, text + at, len - at);
		return len + n;
	}
}

static size_t print_text(char *text, __u64 *state)
{
	size_t len = 0, lines = lock_random(state, 4) ? 1 : lock_random(state, 8), i;

	if (!lock_random(state, 32)) {
		len = 1 + lock_random(state, TEXT_MAX);
		for (i = 0; i < len; i++)
			text[i] = lock_random(state, 256);
		return len;
	}
	while (lines--)
		len += print_command(text + len, TEXT_MAX / 16, state);
	while (len && !lock_random(state, 3))
		len = mutate(text, len, TEXT_MAX, state);
	return len;
}

/* In pieces, as likely as not; what the kernel does not take is dropped. */
static void write_pieces(int fd, const char *text, size_t len, __u64 *state)
{
	size_t piece;

	while (len) {
		piece = lock_random(state, 2) ? len : 1 + lock_random(state, len);
		if (write(fd, text, piece) < 0 && lock_random(state, 2))
			return;
		text += piece;
		len -= piece;
	}
}

static void interrupted(int unused)
{
	(void)unused;
}

/* Signals end what waits, a lock without a timeout above all. */
static void interrupt_often(void)
{
	struct itimerval every = { { 0, INTERRUPT_US }, { 0, INTERRUPT_US } };
	struct sigaction action = { .sa_handler = interrupted };

	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &every, NULL);
}

/* Whatever comes of it. */
static void read_some(int fd, __u64 *state)
{
	char text[TEXT_MAX];

	if (read(fd, text, 1 + lock_random(state, TEXT_MAX)) < 0)
		errno = 0;
}

static int open_any(const char * const *files, unsigned int nr, int flags, __u64 *state)
{
	return swarm_open(pick(files, nr, state), flags);
}

/* One that bindings and templates are of comes, or goes. */
static void change_cgroup(__u64 *state)
{
	char name[16];

	snprintf(name, sizeof(name), "fz%u", lock_random(state, CGROUPS));
	if (cgroup_make(name))
		cgroup_try_remove(name);
}

static void write_for(int seconds, __u64 state)
{
	time_t end = time(NULL) + seconds;
	char text[TEXT_MAX];
	int fds[FILES], i;

	for (i = 0; i < FILES; i++)
		fds[i] = -1;
	interrupt_often();
	while (time(NULL) < end) {
		i = lock_random(&state, FILES);
		if (fds[i] < 0)
			fds[i] = open_any(written_files, COUNT(written_files), O_RDWR, &state);
		write_pieces(fds[i], text, print_text(text, &state), &state);
		if (!lock_random(&state, 4))
			read_some(fds[i], &state);
		if (!lock_random(&state, 8)) {
			close(fds[i]);
			fds[i] = -1;
			change_cgroup(&state);
		}
	}
	_exit(0);
}

static void read_for(int seconds, __u64 state)
{
	time_t end = time(NULL) + seconds;
	int fd, i;

	interrupt_often();
	while (time(NULL) < end) {
		fd = open_any(read_files, COUNT(read_files), O_RDONLY, &state);
		for (i = lock_random(&state, 20); i; i--) {
			if (!lock_random(&state, 4))
				lseek(fd, lock_random(&state, 1 << 16), SEEK_SET);
			read_some(fd, &state);
		}
		close(fd);
	}
	_exit(0);
}

/* Whether all writers and the reader ended by themselves. */
static bool run_round(__u64 *state)
{
	bool well = true;
	int i, status;

	for (i = 0; i <= WRITERS; i++) {
		__u64 seed = lock_random(state, ~0U) | 1;

		switch (fork()) {
		case 0:
			if (i < WRITERS)
				write_for(ROUND_SECONDS, seed);
			read_for(ROUND_SECONDS, seed);
			break;
		case -1:
			bail("fork");
		}
	}
	for (i = 0; i <= WRITERS; i++)
		well &= wait(&status) > 0 && !status;
	return well;
}

/* Rows of @file whose @column names no @key of @other. */
static long dangling(const char *file, const char *column, const char *other, const char *key)
{
	struct swarm_table t, known;
	long row, n = 0;

	swarm_load(&t, file);
	swarm_load(&known, other);
	for (row = 0; row < t.rows; row++)
		if (swarm_find_u64(&known, 0, key, swarm_u64(&t, row, column)) < 0)
			n++;
	swarm_unload(&t);
	swarm_unload(&known);
	return n;
}

static bool none_dangles(const void *unused)
{
	(void)unused;
	return dangling("allocations", "AGENT", "agents", "ID") +
	       dangling("quotas", "AGENT", "agents", "ID") +
	       dangling("contexts", "AGENT", "agents", "ID") +
	       dangling("locks", "AGENT", "agents", "ID") +
	       dangling("locks", "BUFFER", "allocations", "ID") == 0;
}

/* Agents that templates have made go in a work item, maybe between two tables. */
static void consistent(int round)
{
	ok(swarm_wait(none_dangles, NULL, SETTLE_SECONDS),
	   "round %d: no row names what is not there", round);
	swarm_add_up("after the round");
}

/* Removes what the writers left. */
static void take_back(void)
{
	struct swarm_table t;
	char name[16];
	long row;

	swarm_cmd("policy audit");
	swarm_cmd("unbind 0 cgroup:/");
	swarm_load(&t, "templates");
	for (row = 0; row < t.rows; row++)
		swarm_cmd("remove_template %s", swarm_cell(&t, row, "PATTERN"));
	swarm_unload(&t);
	for (row = 0; row < CGROUPS; row++) {
		snprintf(name, sizeof(name), "fz%ld", row);
		cgroup_try_remove(name);
	}
	swarm_load(&t, "bindings");
	for (row = 0; row < t.rows; row++)
		swarm_cmd("unbind %s %s", swarm_cell(&t, row, "AGENT"),
			  swarm_cell(&t, row, "BINDING"));
	swarm_unload(&t);
	swarm_cmd("revoke 0");
	swarm_load(&t, "agents");
	for (row = 0; row < t.rows; row++)
		if (swarm_u64(&t, row, "ID"))
			swarm_cmd("remove_agent %llu", swarm_u64(&t, row, "ID"));
	swarm_unload(&t);
	swarm_load(&t, "locks");
	for (row = 0; row < t.rows; row++)
		swarm_cmd("unlock %llu 0", swarm_u64(&t, row, "BUFFER"));
	swarm_unload(&t);
	swarm_load(&t, "allocations");
	for (row = 0; row < t.rows; row++)
		swarm_cmd("free %llu", swarm_u64(&t, row, "ID"));
	swarm_unload(&t);
	swarm_load(&t, "contexts");
	for (row = 0; row < t.rows; row++)
		swarm_cmd("destroy_context %llu", swarm_u64(&t, row, "ID"));
	swarm_unload(&t);
}

static long rows(const char *file)
{
	struct swarm_table t;
	long n;

	swarm_load(&t, file);
	n = t.rows;
	swarm_unload(&t);
	return n;
}

/* A template's agent may be found a moment later: it is removed by the next try. */
static bool is_taken_back(const void *arg)
{
	(void)arg;
	take_back();
	return rows("agents") == 1;
}

int main(void)
{
	long long done, failed;
	char *rules;
	__u64 state;
	int round;

	state = lock_seed();
	for (round = 1; round <= ROUNDS; round++) {
		ok(run_round(&state), "round %d: all processes end", round);
		done = swarm_stat("commands");
		failed = swarm_stat("commands_failed");
		note("%lld commands since stats were reset, %lld failed; %ld buffers, %ld locks",
		     done, failed, rows("allocations"), rows("locks"));
		consistent(round);
	}
	ok(swarm_wait(is_taken_back, NULL, SETTLE_SECONDS), "all agents can be removed");
	is(rows("bindings"), 0, "and bindings");
	is(rows("templates"), 0, "and templates");
	is(rows("allocations"), 0, "all buffers freed");
	is(rows("locks"), 0, "with all locks");
	is(rows("contexts"), 0, "and all contexts");
	rules = swarm_read("dma_permissions");
	is_str(rules, "", "and rules");
	free(rules);
	is_errno(perm_delete("gpu_dma_lock"), 0, "the module goes");
	return tap_done();
}
