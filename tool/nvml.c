// SPDX-License-Identifier: GPL-2.0-only
/*
 * nvml: what processes have of the memory of NVIDIA's GPUs, told to the module.
 *
 * The main thread never calls NVML. It has signals, the session and what is frozen, so it can end
 * orderly whatever NVML does.
 */

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "command.h"
#include "control.h"
#include "holder.h"
#include "message.h"
#include "nvml_act.h"
#include "nvml_frozen.h"
#include "nvml_report.h"
#include "nvml_thread.h"
#include "output.h"
#include "table.h"

#define INTERVAL	1.0
#define INTERVAL_MIN	0.1
#define INTERVAL_MAX	60

/* For so long NVML may be silent. What comes later is reported, but nobody is frozen or killed for
 * it.
 */
#define SILENCE_MS	5000

/* PROC_PID_INIT_INO and PROC_CGROUP_INIT_INO, of which the kernel's headers tell programs since
 * 6.18 only.
 */
#define FIRST_PIDS	0xeffffffc
#define FIRST_CGROUPS	0xeffffffb

struct watcher {
	uint64_t interval_ms;
	bool once;
	struct nvml_thread *thread;
	struct nvml_report *report;
	struct nvml_act *act;
	int signals;		/* signalfd */
	uint64_t asked;		/* when NVML was, 0: it has answered */
	bool silent;		/* for too long */
	bool well;		/* the last reading was reported */
};

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void print_device(struct output *o, const struct nvml_report *report,
			 const struct nvml_device *device)
{
	size_t i;

	for (i = 0; i < device->count; i++) {
		const struct nvml_process *p = &device->processes[i];
		char *pid = text("%" PRIu32, p->pid), *comm = process_comm(pid);
		char *size = p->bytes == NVML_UNTOLD ? text("-") : text("%" PRIu64, p->bytes);
		const char *const cells[] = {
			nvml_report_device(report, device->name), device->name, pid, comm, size,
		};

		output_row(o, cells);
		free(size);
		free(comm);
		free(pid);
	}
}

/* For --once: what NVML says. */
static int print_reading(const struct nvml_report *report, const struct nvml_reading *reading)
{
	static const struct output_column columns[] = {
		{ "DEVICE", KIND_NUMBER, false }, { "NAME", KIND_TEXT, false },
		{ "PID", KIND_NUMBER, false }, { "COMM", KIND_TEXT, false },
		{ "SIZE", KIND_SIZE, false },
	};
	struct output_options options = { 0 };
	struct output *o = output_new(&options);
	size_t i;

	output_begin(o, "nvml", columns, sizeof(columns) / sizeof(*columns));
	for (i = 0; i < reading->count; i++)
		print_device(o, report, &reading->devices[i]);
	output_end(o);
	return output_free(o);
}

/* The watchdog. */
static void look_at_silence(struct watcher *w)
{
	if (w->silent || !w->asked || now_ms() - w->asked < SILENCE_MS)
		return;
	w->silent = true;
	say("nvml: NVML does not answer for %d seconds; rows go stale", SILENCE_MS / 1000);
}

static void take_answer(struct watcher *w, const struct nvml_reading *reading)
{
	if (w->silent)
		say("nvml: NVML answers again, after %" PRIu64 " seconds",
		    (now_ms() - w->asked) / 1000);
	w->well = nvml_report_all(w->report, reading);
	if (w->once)
		print_reading(w->report, reading);
	/* What comes late tells of another time. */
	if (!w->well || w->silent)
		nvml_act_doubt(w->act);
	nvml_act_round(w->act, w->well && !w->silent ? w->report : NULL);
	w->asked = 0;
	w->silent = false;
}

/* Waits for a signal, an answer or a time. Returns false once it is to end. */
static bool wait_for_event(const struct watcher *w, uint64_t next)
{
	struct pollfd pollers[] = {
		{ .fd = w->signals, .events = POLLIN },
		{ .fd = nvml_thread_fd(w->thread), .events = POLLIN },
	};
	uint64_t silence = w->asked && !w->silent ? w->asked + SILENCE_MS : UINT64_MAX;
	uint64_t until = silence < next ? silence : next, now = now_ms();

	if (w->once && w->silent)
		return false;
	poll(pollers, 2, until > now ? until - now : 0);
	return !pollers[0].revents;
}

static void watch(struct watcher *w)
{
	uint64_t next = now_ms();
	struct nvml_reading reading;

	do {
		if (now_ms() >= next) {
			next = now_ms() + w->interval_ms;
			if (!w->asked) {
				w->asked = now_ms();
				nvml_thread_ask(w->thread);
			} else {
				nvml_act_round(w->act, NULL);
			}
		}
		look_at_silence(w);
		if (!nvml_thread_take(w->thread, &reading))
			continue;
		take_answer(w, &reading);
		nvml_reading_free(&reading);
		if (w->once)
			break;
	} while (wait_for_event(w, next));
}

/* Ends the session first, whatever NVML does then. */
static int end(struct watcher *w)
{
	bool ended;
	int failed;

	if (w->report)
		nvml_report_free(w->report);
	failed = w->act ? nvml_act_free(w->act) : 0;
	ended = nvml_thread_stop(w->thread);
	if (failed || (w->once && !w->well))
		failed = EXIT_PROBLEM;
	if (!ended) {
		/* Not exit(): the library has its own ends, and may be in one. */
		output_flush();
		_exit(failed);
	}
	return failed;
}

/* Before there is a thread, which would be given them else. What reads the standard error may go:
 * that must not end what has cgroups frozen.
 */
static int hold_signals(void)
{
	sigset_t set;

	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGQUIT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC);
}

static int run(struct watcher *w, const char *const *paths, enum nvml_action action)
{
	int fd = control_open("control", "nvml");

	if (fd < 0)
		return EXIT_TROUBLE;
	close(fd);
	w->signals = hold_signals();
	if (w->signals < 0)
		return trouble("nvml: signalfd: %s", strerror(errno));
	w->thread = nvml_thread_start(paths);
	if (!w->thread)
		return EXIT_TROUBLE;
	w->act = nvml_act_new(action);
	if (!w->act) {
		end(w);
		return EXIT_TROUBLE;
	}
	w->report = nvml_report_new();
	watch(w);
	return end(w);
}

/* Returns 0; or EXIT_TROUBLE if it is another namespace, or not known, which has been said. */
static int need_namespace(const char *path, ino_t first, const char *why)
{
	struct stat st;

	if (stat(path, &st))
		return trouble("nvml: %s: %s", path, strerror(errno));
	return st.st_ino == first ? 0 : trouble("nvml: %s", why);
}

/* In another pid namespace NVML tells numbers that are other processes' here, or none; in another
 * cgroup namespace paths are other cgroups', but for those of a folder that is given. Returns 0; or
 * EXIT_TROUBLE, and what is wrong has been said.
 */
static int need_place(void)
{
	const char *cgroups = getenv("GPU_DMA_LOCK_CGROUPS");

	if (need_namespace("/proc/self/ns/pid", FIRST_PIDS,
			   "NVML's pids are of the first pid namespace, not of this"))
		return EXIT_TROUBLE;
	if ((!cgroups || !*cgroups) &&
	    need_namespace("/proc/self/ns/cgroup", FIRST_CGROUPS,
			   "this is not the first cgroup namespace, whose paths are all cgroups'"))
		return EXIT_TROUBLE;
	return need_module();
}

static int take_action(const struct command *command, const char *word, enum nvml_action *action)
{
	if (!strcmp(word, "log"))
		*action = NVML_LOG;
	else if (!strcmp(word, "freeze"))
		*action = NVML_FREEZE;
	else if (!strcmp(word, "kill"))
		*action = NVML_KILL;
	else
		return command_usage(command, "--act wants log, freeze or kill");
	return 0;
}

static int take_interval(const struct command *command, const char *word, struct watcher *w)
{
	char *rest;
	double seconds = strtod(word, &rest);

	if (!*word || *rest || !(seconds >= INTERVAL_MIN && seconds <= INTERVAL_MAX))
		return command_usage(command,
				     "--interval wants a number of seconds, from 0.1 to 60");
	w->interval_ms = seconds * 1000;
	return 0;
}

struct choice {
	enum nvml_action action;
	const char **paths;
	size_t count, room;
	bool thaw, left;
};

static void take_path(struct choice *choice, const char *path)
{
	choice->paths = grow(choice->paths, &choice->room, choice->count + 2,
			     sizeof(*choice->paths));
	choice->paths[choice->count++] = path;
	choice->paths[choice->count] = NULL;
}

static int take_options(const struct command *command, int argc, char **argv, struct watcher *w,
			struct choice *choice)
{
	static const struct option options[] = {
		{ "interval", required_argument, NULL, 'i' },
		{ "act", required_argument, NULL, 'a' },
		{ "library", required_argument, NULL, 'l' },
		{ "once", no_argument, NULL, '1' },
		{ "thaw", no_argument, NULL, 't' },
		{ "thaw-left", no_argument, NULL, 'f' },
		COMMAND_HELP_OPTION, { 0 },
	};
	int option, status = 0;

	while (!status && (option = command_option(command, argc, argv, "i:a:l:", options)) != -1) {
		switch (option) {
		case 'i':
			status = take_interval(command, optarg, w);
			break;
		case 'a':
			status = take_action(command, optarg, &choice->action);
			break;
		case 'l':
			take_path(choice, optarg);
			break;
		case '1':
			w->once = true;
			break;
		case 'f':
			choice->left = true;
			choice->thaw = true;
			break;
		default:
			choice->thaw = true;
		}
	}
	if (!status && optind < argc)
		status = command_usage(command, "no arguments but options");
	return status;
}

/**
 * nvml_run() - the command nvml
 * @command: its row
 * @argc: its arguments
 * @argv: likewise
 *
 * Return: an exit status; EXIT_PROBLEM if something is frozen still, or with --once if nothing
 * could be reported.
 */
int nvml_run(const struct command *command, int argc, char **argv)
{
	struct watcher w = { .interval_ms = INTERVAL * 1000 };
	struct choice choice = { .action = NVML_LOG };
	int status = take_options(command, argc, argv, &w, &choice);

	if (!choice.count)
		take_path(&choice, NVML_LIBRARY);
	if (!status && choice.thaw) {
		signal(SIGPIPE, SIG_IGN);
		status = nvml_thaw_recorded(choice.left);
	} else if (!status) {
		status = need_place() ? EXIT_TROUBLE : run(&w, choice.paths, choice.action);
	}
	free(choice.paths);
	return status;
}
