// SPDX-License-Identifier: GPL-2.0-only
/*
 * gembuf: makes dumb buffers on a DRM card, for demonstrations and shell tests.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "gem.h"

static const char usage[] =
	"usage: gembuf [-d DRIVER] [-n COUNT] [-s SIZE] [-e] [-i DRIVER] [-l] [-w]\n"
	"  -d DRIVER  vgem (default), virtio_gpu, bochs-drm\n"
	"  -n COUNT   number of buffers (1)\n"
	"  -s SIZE    bytes of each, K and M allowed (4096)\n"
	"  -e         export each as a dma-buf\n"
	"  -i DRIVER  export each, and import it there\n"
	"  -l         loop: create, export and free them until killed\n"
	"  -w         wait until killed, with the buffers\n";

struct options {
	const char *driver;
	const char *importer;
	long count;
	unsigned long long size;
	int export;
	int loop;
	int wait;
};

static void fail(const char *what, int err)
{
	fprintf(stderr, "gembuf: %s: %s\n", what, strerror(err));
	exit(1);
}

static unsigned long long parse_size(const char *text)
{
	char *end;
	unsigned long long size = strtoull(text, &end, 0);

	if (*end == 'K' || *end == 'M')
		size <<= *end++ == 'K' ? 10 : 20;
	if (end == text || *end || !size) {
		fprintf(stderr, "gembuf: bad size: %s\n", text);
		exit(1);
	}
	return size;
}

static void parse(int argc, char **argv, struct options *o)
{
	int c;

	while ((c = getopt(argc, argv, "d:n:s:ei:lw")) != -1) {
		switch (c) {
		case 'd':
			o->driver = optarg;
			break;
		case 'n':
			o->count = strtol(optarg, NULL, 0);
			break;
		case 's':
			o->size = parse_size(optarg);
			break;
		case 'e':
			o->export = 1;
			break;
		case 'i':
			o->export = 1;
			o->importer = optarg;
			break;
		case 'l':
			o->loop = 1;
			break;
		case 'w':
			o->wait = 1;
			break;
		default:
			fputs(usage, stderr);
			exit(1);
		}
	}
	if (optind != argc || o->count < 1 || (o->loop && o->importer)) {
		fputs(usage, stderr);
		exit(1);
	}
}

/* Each exported buffer keeps a file descriptor open. */
static void raise_file_limit(long count)
{
	struct rlimit limit = { .rlim_cur = count + 64, .rlim_max = count + 64 };
	struct rlimit now;

	if (!getrlimit(RLIMIT_NOFILE, &now) && now.rlim_cur >= limit.rlim_cur)
		return;
	if (setrlimit(RLIMIT_NOFILE, &limit))
		fail("raising the limit of open files", errno);
}

static void make(int card, const struct options *o, __u32 *handle, int *fd)
{
	int err = gem_create(card, o->size, handle);

	if (err)
		fail("creating a buffer", err);
	if (!o->export)
		return;
	err = gem_export(card, *handle, fd);
	if (err)
		fail("exporting a buffer", err);
}

static int open_card(const char *driver)
{
	int card = gem_open(driver);

	if (card < 0)
		fail(driver, errno);
	return card;
}

static void import(int card, int fd)
{
	__u32 handle;
	int err = gem_import(card, fd, &handle);

	if (err)
		fail("importing a buffer", err);
}

static void loop(int card, const struct options *o)
{
	__u32 handle;
	int fd = -1;
	int err, n;

	/* Leave some of an emulated CPU to others. */
	errno = 0;
	if (nice(10) == -1 && errno)
		fail("nice", errno);
	for (n = 0;; n++) {
		if (n % 64 == 0)
			usleep(1000);
		make(card, o, &handle, &fd);
		if (fd >= 0)
			close(fd);
		err = gem_destroy(card, handle);
		if (err)
			fail("destroying a buffer", err);
	}
}

int main(int argc, char **argv)
{
	struct options o = { .driver = "vgem", .count = 1, .size = 4096 };
	int card, importer = -1, fd;
	__u32 handle;
	long i;

	parse(argc, argv, &o);
	card = open_card(o.driver);
	if (o.importer)
		importer = open_card(o.importer);
	raise_file_limit(o.count);
	if (o.loop) {
		puts("ready");
		fflush(stdout);
		loop(card, &o);
	}
	for (i = 0; i < o.count; i++) {
		make(card, &o, &handle, &fd);
		if (o.importer)
			import(importer, fd);
	}
	puts("ready");
	fflush(stdout);
	while (o.wait)
		pause();
	return 0;
}
