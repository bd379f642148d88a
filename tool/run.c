// SPDX-License-Identifier: GPL-2.0-only
/*
 * run: a command, and all that it starts, for an agent.
 *
 * It gets a cgroup of its own, which is bound before the command is there, so not even its first
 * buffer is another agent's. The cgroup and its binding go when the command has ended, unless
 * processes that it has left are in it still.
 */

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cgroup.h"
#include "command.h"
#include "control.h"
#include "message.h"
#include "output.h"
#include "table.h"

/* As a shell has them. */
#define EXIT_NOT_RUN	126
#define EXIT_NOT_FOUND	127
#define EXIT_SIGNAL	128

static volatile pid_t child;

static void pass_on(int signal)
{
	if (child > 0)
		kill(child, signal);
}

/* Signals of the terminal reach the command by themselves; it decides what they end. */
static struct {
	int signal;
	void (*handler)(int signal);
	struct sigaction before;
} signals[] = {
	{ .signal = SIGINT, .handler = SIG_IGN },
	{ .signal = SIGQUIT, .handler = SIG_IGN },
	{ .signal = SIGTERM, .handler = pass_on },
	{ .signal = SIGHUP, .handler = pass_on },
};

#define SIGNALS		(sizeof(signals) / sizeof(*signals))

static void catch_signals(void)
{
	size_t i;

	for (i = 0; i < SIGNALS; i++) {
		struct sigaction action = { .sa_handler = signals[i].handler };

		sigaction(signals[i].signal, &action, &signals[i].before);
	}
}

/* The command gets them as they were: nohup may have one ignored. */
static void release_signals(void)
{
	size_t i;

	for (i = 0; i < SIGNALS; i++)
		sigaction(signals[i].signal, &signals[i].before, NULL);
}

/* One that comes before the command is there waits for it. */
static void hold_signals(sigset_t *before)
{
	sigset_t held;
	size_t i;

	sigemptyset(&held);
	for (i = 0; i < SIGNALS; i++)
		sigaddset(&held, signals[i].signal);
	sigprocmask(SIG_BLOCK, &held, before);
}

static int enter(const char *folder)
{
	char *path = text("%s/cgroup.procs", folder);
	int fd = open(path, O_WRONLY | O_CLOEXEC), error = 0;

	if (fd < 0 || write(fd, "0", 1) != 1)
		error = errno;
	if (fd >= 0)
		close(fd);
	free(path);
	return error;
}

static void run_child(const char *folder, char **words, const sigset_t *unheld)
{
	int error = enter(folder);

	if (error) {
		say("run: %s: %s", folder, strerror(error));
		_exit(EXIT_TROUBLE);
	}
	release_signals();
	sigprocmask(SIG_SETMASK, unheld, NULL);
	execvp(words[0], words);
	error = errno;
	say("run: %s: %s", words[0], strerror(error));
	_exit(error == ENOENT ? EXIT_NOT_FOUND : EXIT_NOT_RUN);
}

static int wait_for_child(void)
{
	pid_t pid = child;
	siginfo_t info;
	int status;

	while (waitid(P_PID, pid, &info, WEXITED | WNOWAIT))
		if (errno != EINTR)
			return trouble("run: %s", strerror(errno));
	/* From here on its number may be another process's. */
	child = 0;
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_SIGNAL + WTERMSIG(status);
}

/* bind or unbind. Returns 0; or what to exit with, and the module's sentence has been said. */
static int tell(int fd, const char *verb, const char *agent, const char *path)
{
	char *words[2] = { (char *)agent, text("cgroup:%s", path) };
	char *line = control_line(verb, words, 2), *answer, *reason;
	int error = control_send(fd, line, &answer);

	if (error) {
		reason = control_reason(answer);
		say("run: %s (%s)", reason ? reason : strerror(error), strerrorname_np(error));
		free(reason);
	}
	free(answer);
	free(line);
	free(words[1]);
	return error ? EXIT_PROBLEM : 0;
}

static int run_in(int fd, const char *agent, const char *path, const char *folder, char **words)
{
	sigset_t unheld;
	int status;

	hold_signals(&unheld);
	status = tell(fd, "bind", agent, path);
	if (status) {
		rmdir(folder);
		return status;
	}
	fflush(stdout);
	catch_signals();
	child = fork();
	if (!child)
		run_child(folder, words, &unheld);	/* does not return */
	sigprocmask(SIG_SETMASK, &unheld, NULL);
	status = child < 0 ? trouble("run: %s", strerror(errno)) : wait_for_child();
	if (!rmdir(folder))
		tell(fd, "unbind", agent, path);
	else
		say("run: what has been left runs on in cgroup %s", path);
	return status;
}

static int run_for(const char *agent, char **words)
{
	int fd = control_open("control", "run"), status;
	char *mount, *path, *folder;

	if (fd < 0)
		return EXIT_TROUBLE;
	mount = cgroup_mount();
	path = text(RUN_PARENT "/%d-%lld", getpid(), (long long)time(NULL));
	folder = text("%s%s", mount ? mount : "", path);
	if (!mount)
		status = trouble("run: no cgroup2 is mounted");
	else if (!make_folders(folder, 0755))
		status = trouble("run: %s: %s", folder, strerror(errno));
	else
		status = run_in(fd, agent, path, folder, words);
	free(folder);
	free(path);
	free(mount);
	close(fd);
	return status;
}

/**
 * run_run() - the command run
 * @command: its row
 * @argc: its arguments
 * @argv: likewise
 *
 * Return: the exit status of what was run, 128 and the number of the signal that ended it, 127 if
 * there is no such command, 126 if it cannot be run; EXIT_PROBLEM if the module refused the
 * binding.
 */
int run_run(const struct command *command, int argc, char **argv)
{
	static const struct option options[] = { COMMAND_HELP_OPTION, { 0 } };

	while (command_option(command, argc, argv, "+", options) != -1)
		;
	if (argc - optind < 2)
		return command_usage(command, optind == argc ? "which agent?" : "which command?");
	return need_module() ? EXIT_TROUBLE : run_for(argv[optind], argv + optind + 1);
}
