// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every allocation fails once: of each command, each read, of inserting the module,
 * and of a buffer's life, the first allocation, then the second, and so on until
 * there are no more. Either the command succeeds all the same, or it says ENOMEM and
 * has done nothing: without a fault it then succeeds. (run-tests looks for leaks.)
 *
 * Faults are injected by /proc/thread-self/fail-nth: see
 * Documentation/fault-injection/fault-injection.rst.
 *
 * vm: -k debug --load --gpu virtio --mem 1024 --timeout 900 --append kmemleak=on
 */
#define _GNU_SOURCE
#include <limits.h>
#include <sys/syscall.h>

#include "cgroup.h"
#include "gem.h"
#include "lock.h"
#include "perm.h"

#define ALLOCATIONS_MAX	4000
#define INSERTIONS_MIN	12	/* with a fault, however little of the test is run */
#define SIZE		4096
/* Where the kernel puts them: Documentation/arch/x86/x86_64/mm.rst */
#define MODULES_START	"0xffffffffa0000000"
#define MODULES_END	"0xfffffffffeffffff"

/* A command and what takes it back; %D is a device, %B a buffer, %R the result. */
struct pair {
	const char *file, *run, *undo;
};

static const struct pair pairs[] = {
	{ "control", "create_agent 50 1M", "remove_agent 50" },
	{ "control", "create_agent 50 1M fifty", "remove_agent fifty" },
	{ "control", "name 1 one", "name one -" },
	{ "control", "set_quota 51 2M", "remove_agent 51" },
	{ "control", "set_quota 52 2M %D", "remove_agent 52" },
	{ "quotas", "53 2M %D", "remove_agent 53" },
	{ "control", "set_capacity %D 1G", "set_capacity %D max" },
	{ "control", "bind 1 pid:1", "unbind 1 pid:1" },
	{ "control", "bind 1 cgroup:/", "unbind 1 cgroup:/" },
	{ "control", "bind 1 cgroup:/faults later", "unbind 1 cgroup:/faults" },
	{ "control", "template /faults* 1M", "remove_template /faults*" },
	{ "control", "allocate 1 4096 %D", "free %R" },
	{ "control", "lock %B 1 exclusive nowait", "unlock %B 1" },
	{ "control", "lock %B 1 shared 1000", "unlock %B 1" },
	{ "control", "grant 1 0x10000+0x1000 rw", "revoke 1 0x10000+0x1000" },
	{ "dma_permissions", "54:0x10000+0x1000:rw", "remove_agent 54" },
	{ "dma_permissions", "1:0x30000+0x1000:r", "revoke 1 0x30000+0x1000" },
	{ "control", "revoke 2 0x18000+0x1000", "grant 2 0x18000+0x1000 rw" },
	{ "control", "grant 2 0x0+0xffffffff w", "grant 2 0x0+0xffffffff rw" },
	{ "control", "grant 2 buf=%B rw", "revoke 2 buf=%B" },
	{ "control", "check 2 0x18000+0x1000 r", NULL },
	{ "control", "create_context 1 %D", "destroy_context %R" },
	{ "control", "policy enforce", "policy audit" },
	{ "control", "reset_stats", NULL },
	{ }
};

static const char * const files[] = { "stats", "devices", "agents", "quotas", "allocations",
	"attachments", "locks", "contexts", "bindings", "templates", "self", "dma_permissions",
	"control", NULL };

static __u64 device, buffer;
static int fail_nth;

static void set(const char *path, const char *value)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, value, strlen(value)) < 0)
		bail("writing %s to %s", value, path);
	close(fd);
}

/* Sleeping allocations fail too; the log is not told, as it is for what goes wrong. */
static void set_up_faults(void)
{
	set("/sys/kernel/debug/failslab/ignore-gfp-wait", "N");
	set("/sys/kernel/debug/failslab/verbose", "0");
	set("/sys/kernel/debug/fail_page_alloc/ignore-gfp-wait", "N");
	set("/sys/kernel/debug/fail_page_alloc/min-order", "0");
	set("/sys/kernel/debug/fail_page_alloc/verbose", "0");
	fail_nth = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
	if (fail_nth < 0)
		bail("opening fail-nth");
}

/* Of the allocations from now on the nth fails; 0: none does. */
static void inject(int nth)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%d", nth);

	if (pwrite(fail_nth, text, len, 0) != len)
		bail("writing fail-nth");
}

/* No more faults; returns how many allocations more it would have been to the next. */
static int not_injected(void)
{
	char text[16] = "";

	if (pread(fail_nth, text, sizeof(text) - 1, 0) <= 0)
		bail("reading fail-nth");
	inject(0);
	return atoi(text);
}

static bool injected(void)
{
	return !not_injected();
}

static void expand(char *out, size_t room, const char *text, __u64 result)
{
	size_t len = 0;

	for (; *text && len + 24 < room; text++) {
		if (*text != '%') {
			out[len++] = *text;
			continue;
		}
		text++;
		len += snprintf(out + len, room - len, "%llu",
				*text == 'D' ? device : *text == 'B' ? buffer : result);
	}
	out[len++] = '\n';
	out[len] = '\0';
}

/* Runs a command on a file opened before, with a fault if @nth is not 0. */
static int run(const char *file, const char *text, int nth, bool *fault, __u64 *result)
{
	int fd = swarm_open(file, O_RDWR), err;
	char line[128], answer[64] = "";

	expand(line, sizeof(line), text, *result);
	if (nth)
		inject(nth);
	err = write(fd, line, strlen(line)) < 0 ? errno : 0;
	if (nth)
		*fault = injected();
	if (!err && read(fd, answer, sizeof(answer) - 1) > 0)
		*result = swarm_result(answer);
	close(fd);
	return err;
}

static void take_back(const struct pair *p, __u64 result)
{
	if (p->undo && run("control", p->undo, 0, NULL, &result))
		bail("%s: %s", p->undo, strerror(errno));
}

/* How the command fares with faults; after ENOMEM it must be as if not run. */
static void fail_command(const struct pair *p)
{
	int nth, err, refused = 0, absorbed = 0, wrong = 0;
	__u64 result = 0;
	bool fault = true;

	for (nth = 1; fault && nth < ALLOCATIONS_MAX; nth++) {
		err = run(p->file, p->run, nth, &fault, &result);
		if (err == ENOMEM && fault) {
			refused++;
			err = run(p->file, p->run, 0, NULL, &result);
		} else {
			absorbed += fault;
		}
		if (err) {
			note("%s, allocation %d: %s", p->run, nth, strerror(err));
			wrong++;
		} else {
			take_back(p, result);
		}
	}
	ok(!wrong && !fault, "%s: %d allocations, of which %d can fail unnoticed", p->run,
	   refused + absorbed, absorbed);
}

static bool is_an_agent(const void *path)
{
	char *text = swarm_read("bindings");
	bool found = strstr(text, path);

	free(text);
	return found;
}

/* What a template takes is an agent, or there is no cgroup. */
static void fail_cgroup(void)
{
	int nth, err, made = 0, wrong = 0;
	bool fault = true;

	swarm_cmd("template /faults* 1M\n");
	for (nth = 1; fault && nth < ALLOCATIONS_MAX; nth++) {
		inject(nth);
		err = cgroup_make("faults");
		fault = injected();
		if (err)
			continue;
		made++;
		wrong += !swarm_wait(is_an_agent, " cgroup:/faults bound ", 60);
		cgroup_remove("faults");
	}
	ok(made && !wrong && !fault, "mkdir of a cgroup: %d were made, each an agent", made);
	is(swarm_stat("templates_failed"), 0, "none was missed");
	swarm_cmd("remove_template /faults*\n");
}

static void fail_read(const char *file)
{
	int nth, fd, err, wrong = 0, refused = 0;
	bool fault = true;
	char text[4096];
	ssize_t n;

	for (nth = 1; fault && nth < ALLOCATIONS_MAX; nth++) {
		inject(nth);
		err = 0;
		fd = swarm_open(file, O_RDONLY);
		do
			n = fd < 0 ? -1 : read(fd, text, sizeof(text));
		while (n > 0);
		if (n < 0)
			err = errno;
		fault = injected();
		close(fd);
		refused += err == ENOMEM;
		wrong += err && (err != ENOMEM || !fault);
	}
	ok(!wrong && !fault, "reading %s: %d allocations, ENOMEM for %d", file, nth - 2, refused);
}

/* A buffer made, exported and imported, whichever of it fails; all is closed. */
static void fail_life(const char *policy, int exporter, int importer)
{
	int nth, fd, err, failed = 0;
	bool fault = true;
	__u32 handle, imported;

	is_errno(swarm_cmd("policy %s", policy), 0, "policy %s", policy);
	for (nth = 1; fault && nth < ALLOCATIONS_MAX; nth++) {
		handle = 0;
		imported = 0;
		fd = -1;
		inject(nth);
		err = gem_create(exporter, SIZE, &handle);
		if (!err)
			err = gem_export(exporter, handle, &fd);
		if (!err)
			err = gem_import(importer, fd, &imported);
		fault = injected();
		failed += !!err;
		if (imported)
			gem_destroy(importer, imported);
		if (fd >= 0)
			close(fd);
		if (handle)
			gem_destroy(exporter, handle);
	}
	ok(!fault, "a buffer's life: %d allocations, of which %d are fatal", nth - 2, failed);
}

/* A DRM file opened, which makes a context. */
static void fail_open(void)
{
	int nth, fd, failed = 0;
	bool fault = true;

	for (nth = 1; fault && nth < ALLOCATIONS_MAX; nth++) {
		inject(nth);
		fd = open("/dev/dri/card0", O_RDWR | O_CLOEXEC);
		fault = injected();
		failed += fd < 0;
		if (fd >= 0)
			close(fd);
	}
	ok(!fault, "opening a card: %d allocations, of which %d are fatal", nth - 2, failed);
}

static bool is_rest(const void *arg)
{
	(void)arg;
	return swarm_stat("buffers") == 1;
}

/* Of allocations only those fail that a module has a part in, not the loader's own. */
static void fail_modules_only(void)
{
	static const char * const attributes[] = { "failslab", "fail_page_alloc" };
	char path[96];
	size_t i;

	for (i = 0; i < sizeof(attributes) / sizeof(*attributes); i++) {
		snprintf(path, sizeof(path), "/sys/kernel/debug/%s/require-start", attributes[i]);
		set(path, MODULES_START);
		snprintf(path, sizeof(path), "/sys/kernel/debug/%s/require-end", attributes[i]);
		set(path, MODULES_END);
	}
}

struct image {
	char *text;
	size_t len;
};

/* Inserts the module while the nth allocation fails, and removes it again. */
static int insert(const struct image *image, int nth, int *left)
{
	int err;

	inject(nth);
	err = syscall(SYS_init_module, image->text, image->len, "") ? errno : 0;
	*left = not_injected();
	if (!err && perm_delete("gpu_dma_lock"))
		bail("removing the module");
	return err;
}

/*
 * The module is out when this begins, and when it ends. Loading a module takes seconds
 * on such a kernel, so it is every allocation only if the test is run in full.
 */
static void fail_insertion(__u64 *state)
{
	int fd = open(PERM_MODULE, O_RDONLY | O_CLOEXEC), nth, left, err, all, tries, step;
	int wrong = 0, refused = 0;
	struct image image;

	image.text = swarm_slurp(fd, 1 << 16, &image.len);
	close(fd);
	if (!image.text || insert(&image, INT_MAX, &left))
		bail("inserting the module");
	all = INT_MAX - left;
	tries = scaled(all) > INSERTIONS_MIN ? scaled(all) : INSERTIONS_MIN;
	step = tries < all ? all / tries : 1;
	for (nth = 1 + lock_random(state, step); nth <= all; nth += step) {
		err = insert(&image, nth, &left);
		refused += !!err;
		if (err && (err != ENOMEM || left)) {
			note("allocation %d: %s", nth, strerror(err));
			wrong++;
		}
	}
	free(image.text);
	ok(!wrong && refused, "insertion: one in %d of %d allocations, ENOMEM for %d", step, all,
	   refused);
}

int main(void)
{
	unsigned int i;
	int vgem, virtio;
	__u64 none = 0, state = lock_seed();

	vgem = gem_open("vgem");
	virtio = gem_open("virtio_gpu");
	device = swarm_device("virtio_gpu");
	if (device == SWARM_NONE || swarm_cmd("create_agent 1\ncreate_agent 2\n"))
		bail("making agents");
	if (swarm_allocate(1, SIZE, device, &buffer))
		bail("making a buffer");
	if (run("control", "grant 2 0x0+0xffffffff rw", 0, NULL, &none))
		bail("granting");
	set_up_faults();
	for (i = 0; pairs[i].run; i++)
		fail_command(&pairs[i]);
	fail_cgroup();
	for (i = 0; files[i]; i++)
		fail_read(files[i]);
	fail_life("audit", virtio, vgem);
	fail_life("enforce", vgem, virtio);
	is_errno(swarm_cmd("policy audit"), 0, "policy audit");
	fail_open();
	ok(swarm_wait(is_rest, NULL, 30), "no buffer stays");
	note("lost: %lld buffers, %lld attachments, %lld contexts", swarm_stat("buffers_lost"),
	     swarm_stat("attachments_lost"), swarm_stat("contexts_lost"));
	swarm_add_up("after all faults");
	is_errno(perm_delete("gpu_dma_lock"), 0, "the module goes");
	fail_modules_only();
	fail_insertion(&state);
	return tap_done();
}
