/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A BPF user beside: tests/bench/peer.c, run until it is told to end. For a test that
 * wants it, tests/host/NAME calls `scripts/programs DIR tests/bench/peer.c`.
 */
#ifndef TESTS_PEER_H
#define TESTS_PEER_H

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tap.h"

struct peer {
	pid_t pid;
	int in;		/* its stdin; it detaches when that is closed */
	FILE *out;
};

/*
 * Runs the program @path, with `--count @function` if that is not NULL. Returns false if
 * the kernel tells no types, which BPF wants; else the programs are attached.
 */
static inline bool peer_start(struct peer *peer, const char *path, const char *function)
{
	int in[2], out[2], status;
	char line[16];

	if (pipe2(in, O_CLOEXEC) || pipe2(out, O_CLOEXEC))
		bail("pipe");
	peer->pid = fork();
	if (peer->pid < 0)
		bail("fork");
	if (!peer->pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(in[0], STDIN_FILENO);
		dup2(out[1], STDOUT_FILENO);
		execl(path, path, function ? "--count" : NULL, function, NULL);
		_exit(TAP_EXIT_FAIL);
	}
	close(in[0]);
	close(out[1]);
	peer->in = in[1];
	peer->out = fdopen(out[0], "r");
	if (fgets(line, sizeof(line), peer->out) && !strcmp(line, "ready\n"))
		return true;
	if (waitpid(peer->pid, &status, 0) != peer->pid || !WIFEXITED(status) ||
	    WEXITSTATUS(status) != TAP_EXIT_SKIP)
		bail("%s does not get ready", path);
	fclose(peer->out);
	close(peer->in);
	return false;
}

/* Lets it detach. What it has found can then be read from @peer->out, until peer_end(). */
static inline void peer_detach(struct peer *peer)
{
	close(peer->in);
}

static inline void peer_end(struct peer *peer)
{
	int status;

	if (waitpid(peer->pid, &status, 0) != peer->pid || status)
		bail("the BPF user ended with status %#x", status);
	fclose(peer->out);
}

/* Ends one that counts. Returns how often its function was called. */
static inline long long peer_hits(struct peer *peer)
{
	long long hits;

	peer_detach(peer);
	if (fscanf(peer->out, "%*s %lld", &hits) != 1)
		bail("the BPF user has not counted");
	peer_end(peer);
	return hits;
}

/* Ends one that does not count. Sets the bytes that process @pid holds, by its account. */
static inline void peer_totals(struct peer *peer, pid_t pid, unsigned long long *gem,
			       unsigned long long *dmabuf)
{
	unsigned long long objects, exports;
	int of;

	*gem = 0;
	*dmabuf = 0;
	peer_detach(peer);
	while (fscanf(peer->out, "%d %llu %llu", &of, &objects, &exports) == 3) {
		if (of != pid)
			continue;
		*gem = objects;
		*dmabuf = exports;
	}
	peer_end(peer);
}

#endif /* TESTS_PEER_H */
