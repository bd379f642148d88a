// SPDX-License-Identifier: GPL-2.0-only
/*
 * usage: peer [--count FUNCTION]
 *
 * Attaches the programs of peer.bpf.c, says `ready`, and detaches them when its stdin
 * ends, or by SIGTERM. Then it says what they found: for each process that has made
 * objects a line `PID GEM-BYTES DMA-BUF-BYTES`, of what is still there.
 *
 * With --count, only a program at the entry of FUNCTION is attached, which counts; the
 * line at the end is `FUNCTION HITS`. Modules that have the functions must be loaded.
 *
 * Exit status: 0; 4, as a test that is skipped, if the kernel tells no types (BTF); 1 if
 * something failed, or objects were lost.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "peer_maps.h"

#define BTF	"/sys/kernel/btf/vmlinux"
#define COUNT	"peer_count"

enum status {
	STATUS_FAIL = 1,
	STATUS_SKIP = 4,
};

static const char *counted;	/* the function of --count */

static void die(const char *what)
{
	perror(what);
	exit(STATUS_FAIL);
}

static int print(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	return level == LIBBPF_WARN ? vfprintf(stderr, fmt, ap) : 0;
}

static void choose(struct bpf_program *program)
{
	bool counts = !strcmp(bpf_program__name(program), COUNT);

	bpf_program__set_autoload(program, counts == !!counted);
	if (counts && counted && bpf_program__set_attach_target(program, 0, counted))
		die(counted);
}

static struct bpf_object *load(void)
{
	struct bpf_program *program;
	struct bpf_object *object;

	object = bpf_object__open_mem(_binary_peer_bpf_o_start,
				      _binary_peer_bpf_o_end - _binary_peer_bpf_o_start, NULL);
	if (!object)
		die("opening the programs");
	bpf_object__for_each_program(program, object)
		choose(program);
	if (bpf_object__load(object))
		die("loading the programs");
	return object;
}

/* Returns the number of links. */
static int attach(struct bpf_object *object, struct bpf_link **links, int max)
{
	struct bpf_program *program;
	int n = 0;

	bpf_object__for_each_program(program, object) {
		if (!bpf_program__autoload(program))
			continue;
		if (n == max)
			abort();
		links[n] = bpf_program__attach(program);
		if (!links[n++])
			die(bpf_program__name(program));
	}
	return n;
}

/* For SIGTERM, which is blocked, or the end of stdin. */
static void wait_for_end(const sigset_t *signals)
{
	struct pollfd fds[] = {
		{ .fd = STDIN_FILENO, .events = POLLIN },
		{ .fd = signalfd(-1, signals, SFD_CLOEXEC), .events = POLLIN },
	};
	char text[64];

	do {
		if (poll(fds, 2, -1) < 0)
			die("poll");
	} while (!fds[1].revents && read(STDIN_FILENO, text, sizeof(text)) > 0);
}

static unsigned long long read_counter(struct bpf_object *object, __u32 key)
{
	__u64 value;

	if (bpf_map_lookup_elem(bpf_object__find_map_fd_by_name(object, "counters"), &key, &value))
		die("reading a counter");
	return value;
}

static void print_totals(struct bpf_object *object)
{
	int fd = bpf_object__find_map_fd_by_name(object, "totals");
	struct peer_total total;
	__u32 pid, *last = NULL;

	while (!bpf_map_get_next_key(fd, last, &pid)) {
		if (bpf_map_lookup_elem(fd, &pid, &total))
			die("reading a total");
		printf("%u %llu %llu\n", pid, total.bytes[PEER_GEM], total.bytes[PEER_DMABUF]);
		last = &pid;
	}
}

int main(int argc, char **argv)
{
	struct bpf_link *links[8];
	struct bpf_object *object;
	sigset_t signals;
	int n;

	if (argc == 3 && !strcmp(argv[1], "--count")) {
		counted = argv[2];
	} else if (argc != 1) {
		fprintf(stderr, "usage: peer [--count FUNCTION]\n");
		return STATUS_FAIL;
	}
	if (access(BTF, F_OK)) {
		perror(BTF);
		return STATUS_SKIP;
	}
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	libbpf_set_print(print);
	object = load();
	n = attach(object, links, sizeof(links) / sizeof(*links));
	puts("ready");
	fflush(stdout);
	wait_for_end(&signals);
	while (n)
		bpf_link__destroy(links[--n]);
	if (counted)
		printf("%s %llu\n", counted, read_counter(object, PEER_HITS));
	else
		print_totals(object);
	if (read_counter(object, PEER_LOST)) {
		fprintf(stderr, "objects were lost\n");
		return STATUS_FAIL;
	}
	bpf_object__close(object);
	return 0;
}
