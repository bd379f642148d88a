// SPDX-License-Identifier: GPL-2.0-only
/*
 * The stack of a task that sleeps within a hooked function is whole: it goes from the
 * exporter's operation by the function and its wrapper to the function's caller, and
 * on to the system call. So it does while a kretprobe or function_graph, which put
 * return addresses of their own on the stack, are at the same function.
 *
 * vm: --gpu none --mem 512 --timeout 200
 */
#define _GNU_SOURCE
#include <sys/stat.h>

#include "gem.h"
#include "sleep.h"
#include "trace.h"

#define STACK_MAX	4096
#define NR_TASKS	(NR_SLEEPER_OPS + 1)	/* one more imports by vgem */
#define DRM_FUNCTION	"drm_gem_prime_fd_to_handle"

static const char * const modes[] = { "hook=auto", "hook=divert" };

/*
 * Functions by which it came there, the last one first. Others may be between them; a
 * function whose last act is to call the next is not there.
 */
static const struct chain {
	const char *name, *calls[10];
} chains[NR_TASKS] = {
	[SLEEPER_IN_ATTACH] = { "attaching",
		{ "sleeper_attach", "dma_buf_dynamic_attach", "gdl_hook_dma_buf_dynamic_attach",
		  "sleeper_ioctl", "__x64_sys_ioctl", } },
	[SLEEPER_IN_MAP] = { "mapping",
		{ "sleeper_map", "dma_buf_map_attachment", "gdl_hook_dma_buf_map_attachment",
		  "sleeper_ioctl", "__x64_sys_ioctl", } },
	[SLEEPER_IN_UNMAP] = { "unmapping",
		{ "sleeper_unmap", "dma_buf_unmap_attachment",
		  "gdl_hook_dma_buf_unmap_attachment", "sleeper_ioctl", "__x64_sys_ioctl", } },
	[SLEEPER_IN_DETACH] = { "detaching",
		{ "sleeper_detach", "dma_buf_detach", "gdl_hook_dma_buf_detach",
		  "sleeper_ioctl", "__x64_sys_ioctl", } },
	[SLEEPER_IN_MMAP] = { "mmap()",
		{ "sleeper_mmap", "gdl_hook_dma_buf_mmap_internal", "mmap_region", "do_mmap",
		  "ksys_mmap_pgoff", } },
	[SLEEPER_IN_RELEASE] = { "releasing",
		{ "sleeper_release", "dma_buf_release", "gdl_hook_dma_buf_release", "__fput", } },
	[NR_SLEEPER_OPS] = { "importing by vgem",
		{ "sleeper_attach", "dma_buf_dynamic_attach", "gdl_hook_dma_buf_dynamic_attach",
		  DRM_FUNCTION, "gdl_hook_" DRM_FUNCTION, "drm_ioctl", "__x64_sys_ioctl", } },
};

/* Every chain ends with these. */
static const char * const entry[] = { "do_syscall_64", "entry_SYSCALL_64_after_hwframe", NULL };

static struct sleep_task tasks[NR_SLEEPER_OPS];

/* Whoever is to be asleep may not yet be off its CPU. */
static bool is_off(const void *arg)
{
	char path[64], stat[256] = "";
	const char *state;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/stat", *(const pid_t *)arg);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || read(fd, stat, sizeof(stat) - 1) <= 0)
		bail("reading %s", path);
	close(fd);
	state = strrchr(stat, ')');
	return state && state[2] == 'D';
}

static void read_stack(pid_t pid, char *stack)
{
	char path[64];
	ssize_t n;
	int fd;

	if (!swarm_wait(is_off, &pid, SLEEP_SECONDS))
		bail("%d does not sleep", pid);
	snprintf(path, sizeof(path), "/proc/%d/stack", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, stack, STACK_MAX - 1);
	if (n < 0)
		bail("reading %s", path);
	stack[n] = '\0';
	close(fd);
}

/* Behind the first line of @stack that is of @function, or NULL. */
static const char *find_call(const char *stack, const char *function)
{
	size_t len = strlen(function);
	const char *name;

	while (*stack) {
		name = strchr(stack, ' ');
		stack = strchr(stack, '\n');
		if (!name || !stack)
			break;
		stack++;
		/* The compiler may have made a part of it, FUNCTION.part.0 */
		if (!strncmp(name + 1, function, len) && strchr("+.", name[1 + len]))
			return stack;
	}
	return NULL;
}

/*
 * A wrapper calls what is before it: nothing is between them, but the function itself
 * where the compiler has not made its last call a jump.
 */
static bool follows(const char *stack, const char *wrapper)
{
	const char *end = strchr(stack, '\n');
	const char *function = end ? find_call(stack, wrapper + strlen("gdl_hook_")) : NULL;

	if (function && function == end + 1)
		end = strchr(function, '\n');
	return end && find_call(stack, wrapper) == end + 1;
}

/* Which function is missing, or out of its place; NULL if the stack is whole. */
static const char *missing(const char *stack, const struct chain *c)
{
	const char *at = stack;
	int i;

	for (i = 0; c->calls[i]; i++) {
		if (!strncmp(c->calls[i], "gdl_hook_", 9) && !follows(at, c->calls[i]))
			return c->calls[i];
		at = find_call(at, c->calls[i]);
		if (!at)
			return c->calls[i];
	}
	for (i = 0; entry[i]; i++) {
		at = find_call(at, entry[i]);
		if (!at)
			return entry[i];
	}
	return *at ? "end" : NULL;
}

static void check_stack(pid_t pid, const struct chain *c, const char *mode, const char *with)
{
	char stack[STACK_MAX], *line, *next;
	const char *function;

	read_stack(pid, stack);
	function = missing(stack, c);
	ok(!function, "%s, %s: the stack is whole of a task that sleeps %s", mode, with, c->name);
	if (!function)
		return;
	note("%s is not where it should be", function);
	for (line = strtok_r(stack, "\n", &next); line; line = strtok_r(NULL, "\n", &next))
		note("%s", line);
}

/* vgem holds a lock meanwhile, so there is one. */
static pid_t begin_import(int *fd)
{
	int device = sleep_open(), card;
	__u32 handle;
	pid_t pid;

	*fd = sleep_export(device);
	close(device);
	pid = fork();
	if (pid < 0)
		bail("fork");
	if (pid)
		return pid;
	card = gem_open("vgem");
	_exit(card < 0 ? ENODEV : gem_import(card, *fd, &handle));
}

static void check_stacks(const char *mode, const char *with)
{
	int i, fd, status = -1, failed = 0;
	pid_t importer;

	if (!sleep_begin_all(tasks, NR_SLEEPER_OPS))
		bail("they do not fall asleep");
	importer = begin_import(&fd);
	if (!sleep_wait(NR_TASKS))
		bail("the importer does not fall asleep");
	for (i = 0; i < NR_SLEEPER_OPS; i++)
		check_stack(tasks[i].pid, &chains[i], mode, with);
	check_stack(importer, &chains[NR_SLEEPER_OPS], mode, with);
	sleep_in(0);
	for (i = 0; i < NR_SLEEPER_OPS; i++)
		failed += !!sleep_end(&tasks[i]);
	waitpid(importer, &status, 0);
	close(fd);
	is(failed + !!status, 0, "%s, %s: all go on and end", mode, with);
}

static const char *function_of(int task)
{
	return task < NR_SLEEPER_OPS ? sleep_functions[task] : DRM_FUNCTION;
}

static void add_kretprobe(const char *function)
{
	int fd = open(TRACE_DIR "kprobe_events", O_WRONLY | O_APPEND | O_CLOEXEC);

	if (fd < 0 || dprintf(fd, "r:sleepers/%s %s\n", function, function) < 0)
		bail("a kretprobe on %s", function);
	close(fd);
}

static void set_kretprobes(bool on)
{
	int i;

	if (on) {
		for (i = 0; i < NR_TASKS; i++)
			add_kretprobe(function_of(i));
		trace_write("events/sleepers/enable", "1");
	} else {
		trace_write("events/sleepers/enable", "0");
		trace_write("kprobe_events", "\n");
	}
}

static void set_graph(bool on)
{
	char functions[512];
	int i, len = 0;

	if (!on) {
		trace_write("current_tracer", "nop");
		trace_write("set_ftrace_filter", "\n");
		return;
	}
	for (i = 0; i < NR_TASKS; i++)
		len += snprintf(functions + len, sizeof(functions) - len, "%s\n",
				function_of(i));
	trace_write("set_ftrace_filter", functions);
	trace_write("current_tracer", "function_graph");
}

static void check_mode(const char *mode)
{
	is_errno(perm_insert_with(PERM_MODULE, mode), 0, "%s: inserted", mode);
	check_stacks(mode, "alone");
	set_kretprobes(true);
	check_stacks(mode, "with kretprobes");
	set_kretprobes(false);
	set_graph(true);
	check_stacks(mode, "with function_graph");
	set_graph(false);
	is_errno(perm_delete("gpu_dma_lock"), 0, "%s: removed", mode);
}

int main(void)
{
	unsigned int i;

	if (system("modprobe vgem && modprobe ttm"))
		bail("modprobe");
	sleep_set_up();
	for (i = 0; i < NR_SLEEPER_OPS; i++)
		tasks[i].op = i;
	for (i = 0; i < sizeof(modes) / sizeof(*modes); i++)
		check_mode(modes[i]);
	sleep_tear_down();
	return tap_done();
}
