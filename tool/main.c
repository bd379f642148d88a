// SPDX-License-Identifier: GPL-2.0-only
/*
 * gpu-dma-lock: looks at /proc/swarm/gpu for people and programs, and tells the module
 * gpu_dma_lock what to do. See gpu-dma-lock(8).
 */

#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "command.h"
#include "message.h"
#include "nvml_library.h"
#include "output.h"

#define LIST_HELP \
	"TABLE is agents, allocations, attachments, bindings, contexts, devices,\n"	\
	"dma_permissions, locks, quotas, regions, self, stats or templates.\n\n"

#define WHO_HELP \
	"A number is the id of a buffer; if there is none, a dma-buf's inode; if there is\n" \
	"none, a process. buffer:N, inode:N and pid:N are only that. PATH is the file of a\n" \
	"dma-buf, as /proc/PID/fd/N.\n\n"

#define WHY_HELP \
	"A cgroup is what begins with / or cgroup: and is no name of an agent.\n\n"

#define WATCH_HELP \
	"A line for each counter of what ought not to happen that rises, and for each agent\n" \
	"that is denied something.\n\n"						\
	"  -J, --json             each line is a JSON object\n"				\
	"  -n, --count COUNT      end after so many lines\n"				\
	"      --once             end after one\n"

#define METRICS_HELP \
	"  -o, --output FILE      write FILE, whole or not at all\n"			\
	"  -t, --textfile         as the text format before OpenMetrics, for node_exporter\n"

#define TOP_HELP \
	"  -s, --sort COLUMN      by u (use), p (peak), d (denials), w (waiting), b (buffers),\n" \
	"                         or any column of the view\n"				\
	"  -v, --view VIEW        agents (if not given), processes, buffers or tree\n"	\
	"  -f, --filter TEXT      only rows with this in a name, or with this number\n"	\
	"  -d, --delay SECONDS    from one frame to the next: 2 if not given\n"		\
	"  -n, --count COUNT      print so many frames, and end\n"			\
	"      --once             print one, and end\n"

#define STATUS_HELP \
	"The exit status is 1 if something needs attention now; what has happened since the\n" \
	"last reset_stats does not count.\n\n" \
	"  -J, --json             as JSON\n" \
	"  -b, --bytes            sizes in bytes\n"

#define AGENT_HELP \
	"  agent add ID [QUOTA [NAME]]\n"						\
	"  agent remove AGENT\n"							\
	"  agent set AGENT BYTES|max [DEVICE]    its limit, in all or on a device\n"	\
	"  agent name AGENT NAME|-\n"							\
	"  agent reset AGENT                     its peak and what was denied to it\n\n"

#define TEMPLATE_HELP \
	"  template [add] PATTERN [QUOTA]\n"						\
	"  template remove PATTERN\n\n"

#define CONTEXT_HELP \
	"  context add AGENT DEVICE\n"							\
	"  context remove CONTEXT\n"							\
	"  context switch DEVICE CONTEXT\n\n"

#define NVML_HELP \
	"NVIDIA's library is asked again and again what each process has, and that is\n"	\
	"reported as long as this runs.\n\n"						\
	"  -i, --interval SECONDS  from one question to the next: 1 if not given\n"	\
	"  -a, --act WHAT         what happens to an agent that is over its quota under the\n" \
	"                         policy enforce: log, freeze or kill; log if not given\n" \
	"  -l, --library FILE     instead of " NVML_LIBRARY "; the first that is there\n" \
	"      --once             ask once, print what it says, and end\n"		\
	"      --thaw             only thaw what was frozen\n"		\
	"      --thaw-left        only thaw what was left frozen by one that has ended\n"

#define RUN_HELP \
	"COMMAND, and all that it starts, runs in a cgroup of its own, which is bound to\n" \
	"AGENT before. The exit status is that of COMMAND.\n\n"

#define SAVE_HELP \
	"DIR is /etc/gpu-dma-lock if it is not given.\n\n"

#define RESTORE_HELP \
	"DIR is what save wrote, /etc/gpu-dma-lock if nothing is given; FILE has commands,\n" \
	"as dump prints them, and - is the standard input. A line that fails is told of, and\n" \
	"all others are written.\n\n"						\
	"  --dry-run              only say what would fail\n"

/* As people look for them: what looks, what tells the module, what keeps. */
static const struct command commands[] = {
	{ "status", "[-J] [-b]", "what needs attention, then an overview",
	  STATUS_HELP COMMAND_HELP, status_run },
	{ "list", "[OPTIONS] TABLE", "a table of /proc/swarm/gpu",
	  LIST_HELP OUTPUT_HELP OUTPUT_HELP_COLUMNS COMMAND_HELP, list_run },
	{ "top", "[OPTIONS]", "agents, processes and buffers, again and again",
	  TOP_HELP COMMAND_HELP, top_run },
	{ "who", "[OPTIONS] BUFFER|PID|INODE|PATH", "who has a buffer, or what a process has",
	  WHO_HELP OUTPUT_HELP OUTPUT_HELP_COLUMNS COMMAND_HELP, who_run },
	{ "why", "[OPTIONS] AGENT|NAME|CGROUP", "what was refused to an agent, and why",
	  WHY_HELP OUTPUT_HELP OUTPUT_HELP_COLUMNS COMMAND_HELP, why_run },
	{ "watch", "[-J] [-n COUNT]", "wait for refusals and losses, and tell of each",
	  WATCH_HELP COMMAND_HELP, watch_run },
	{ "metrics", "[-t] [-o FILE]", "all as OpenMetrics text, for Prometheus",
	  METRICS_HELP COMMAND_HELP, metrics_run },

	{ "agent", "add|remove|set|name|reset AGENT [...]", "make and change an agent",
	  AGENT_HELP COMMAND_HELP, verb_run },
	{ "quota", "AGENT BYTES|max [DEVICE]", "limit an agent, in all or on a device",
	  COMMAND_HELP, verb_run },
	{ "capacity", "DEVICE BYTES|max", "limit all agents together on a device",
	  COMMAND_HELP, verb_run },
	{ "bind", "AGENT cgroup:PATH|pid:N [later]", "whose processes work for an agent",
	  COMMAND_HELP, verb_run },
	{ "unbind", "AGENT cgroup:PATH|pid:N", "end that", COMMAND_HELP, verb_run },
	{ "template", "[add|remove] PATTERN [QUOTA]", "which cgroups become agents",
	  TEMPLATE_HELP COMMAND_HELP, verb_run },
	{ "policy", "[off|audit|enforce]", "print or set what happens to what a rule forbids",
	  COMMAND_HELP, policy_run },
	{ "lock", "BUFFER AGENT shared|exclusive [nowait|TIMEOUT_MS]", "lock a buffer",
	  COMMAND_HELP, verb_run },
	{ "unlock", "BUFFER AGENT", "give it back", COMMAND_HELP, verb_run },
	{ "grant", "AGENT RANGE|buf=ID MODE", "permit DMA", COMMAND_HELP, verb_run },
	{ "revoke", "AGENT [RANGE|buf=ID]", "take that back", COMMAND_HELP, verb_run },
	{ "check", "AGENT RANGE|buf=ID r|w|rw", "whether DMA is permitted: 0, else 1",
	  COMMAND_HELP, verb_run },
	{ "allocate", "AGENT SIZE DEVICE", "account for memory that the kernel does not see",
	  COMMAND_HELP, verb_run },
	{ "free", "BUFFER", "end that", COMMAND_HELP, verb_run },
	{ "report", "PID DEVICE BYTES", "say what a process has that the kernel does not see",
	  COMMAND_HELP, verb_run },
	{ "context", "add|remove|switch [...]", "declare an agent's use of a device",
	  CONTEXT_HELP COMMAND_HELP, verb_run },
	{ "reset", "", "make the counters of stats count from here on", COMMAND_HELP, verb_run },
	{ "nvml", "[OPTIONS]", "tell the module what processes have of NVIDIA's GPUs",
	  NVML_HELP COMMAND_HELP, nvml_run },
	{ "run", "AGENT COMMAND [ARGUMENTS]", "run a command for an agent",
	  RUN_HELP COMMAND_HELP, run_run },

	{ "save", "[DIR]", "write quotas.conf, control.conf, dma_permissions.conf",
	  SAVE_HELP COMMAND_HELP, save_run },
	{ "dump", "", "print all that is configured, as commands", COMMAND_HELP, dump_run },
	{ "restore", "[--dry-run] [FILE|DIR]", "write what save or dump wrote into the module",
	  RESTORE_HELP COMMAND_HELP, restore_run },
};

#define COMMANDS	(sizeof(commands) / sizeof(*commands))

/* Where summaries begin, in the list of commands. */
#define SUMMARY_COLUMN	34

static void print_command(const struct command *command)
{
	int width = printf("  %s %s", command->name, command->arguments);

	if (width >= SUMMARY_COLUMN) {
		putchar('\n');
		width = 0;
	}
	printf("%*s%s\n", SUMMARY_COLUMN - width, "", command->summary);
}

static int print_help(void)
{
	size_t i;

	puts("usage: gpu-dma-lock COMMAND [ARGUMENTS]\n");
	for (i = 0; i < COMMANDS; i++)
		print_command(&commands[i]);
	puts("\n  -h, --help\n  --version\n\ngpu-dma-lock COMMAND --help tells more of each");
	return output_flush();
}

static int bad_usage(const char *what, const char *word)
{
	say("%s%s", what, word);
	fputs("usage: gpu-dma-lock COMMAND [ARGUMENTS]; gpu-dma-lock --help has the commands\n",
	      stderr);
	return EXIT_TROUBLE;
}

int main(int argc, char **argv)
{
	size_t i;

	setlocale(LC_CTYPE, "");
	/* Written to by all that a pipe may end. */
	signal(SIGPIPE, SIG_DFL);
	if (argc < 2)
		return bad_usage("which command?", "");
	if (!strcmp(argv[1], "-h") || !strcmp(argv[1], "--help"))
		return print_help();
	if (!strcmp(argv[1], "--version")) {
		puts("gpu-dma-lock " VERSION);
		return output_flush();
	}
	for (i = 0; i < COMMANDS; i++)
		if (!strcmp(argv[1], commands[i].name))
			return commands[i].run(&commands[i], argc - 1, argv + 1);
	return bad_usage(argv[1][0] == '-' ? "unknown option " : "unknown command ", argv[1]);
}
