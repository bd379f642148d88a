// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a write of several lines, of half a line or of 64 KiB does and returns,
 * and what control shows to a reader.
 *
 * vm: --load --mem 512 --timeout 120
 */
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "swarm.h"

#define AGENT		10
#define LIMIT		65536	/* what one write takes */
#define LINES		5000

static __u64 device;
static int kernel_log = -1;

static int open_control(void)
{
	int fd = swarm_open("control", O_RDWR);

	if (fd < 0)
		bail("opening control");
	return fd;
}

/* What write() gives for @text: the bytes taken, or the error as a negative number. */
static long put(int fd, const char *text)
{
	ssize_t n = write(fd, text, strlen(text));

	return n < 0 ? -errno : n;
}

static bool agent(__u64 id)
{
	return swarm_has("agents", "ID", id);
}

static void remove_agents(__u64 first, __u64 last)
{
	for (; first <= last; first++)
		if (agent(first) && swarm_cmd("remove_agent %llu\n", first))
			bail("removing agent %llu", first);
}

static void test_lines(void)
{
	int fd = open_control();

	is(put(fd, "create_agent 41\ncreate_agent 42\ncreate_agent 43\n"), 48, "three lines");
	ok(agent(41) && agent(42) && agent(43), "all three are run");
	is(put(fd, "create_agent 44\ncreate_agent 45\ncreate_agent 41\ncreate_agent 46\n"), 32,
	   "line 3 of 4 fails: the bytes of two lines are taken");
	ok(agent(44) && agent(45), "which are run");
	ok(!agent(46), "the fourth is not");
	is(put(fd, "create_agent 41\ncreate_agent 46\n"), -EEXIST, "the rest gives the error");
	ok(!agent(46), "and runs nothing");
	is(put(fd, "create_agent 46\n"), 16, "the file can be used again");
	is(put(fd, "bogus\ncreate_agent 47\n"), -EINVAL, "the first line fails");
	ok(!agent(47), "the second is not run");
	is(put(fd, "remove_agent 46\ncreate_agent 47\nbogus"), 37, "the unfinished line waits");
	ok(!agent(46) && agent(47), "those before it are run");
	is(put(fd, "\n"), -EINVAL, "finished, it fails");
	close(fd);
	remove_agents(41, 47);
}

/* A blank line is no command: nothing to run, nothing to fail. */
static void test_blank_lines(void)
{
	int fd = open_control();

	is(put(fd, "\n"), 1, "an empty line");
	is(put(fd, " \t\x20\n"), 4, "a blank line");
	is(put(fd, "\n\ncreate_agent 41\n\n \x20\ncreate_agent 42\n\n"), 39, "some among commands");
	ok(agent(41) && agent(42), "which are run");
	is(put(fd, ""), 0, "an empty write");
	close(fd);
	remove_agents(41, 42);
}

static void test_no_newline(void)
{
	int fd = open_control();

	is(put(fd, "create_agent 41"), 15, "no newline in the first write");
	ok(agent(41), "it is run at once");
	is(put(fd, "create_agent 4"), 14, "no newline in the second write");
	ok(!agent(4), "it waits");
	is(put(fd, "2"), 1, "for more");
	ok(!agent(4) && !agent(42), "and more");
	is(put(fd, "\ncreate_agent 43\n"), 17, "until the newline");
	ok(!agent(4) && agent(42) && agent(43), "then all of it is one line");
	is(put(fd, "create_agent 44"), 15, "without newline");
	ok(!agent(44), "it waits");
	close(fd);
	ok(!agent(44), "and is not run when the file is closed");

	fd = open_control();
	is(put(fd, "create_agent 45\ncreate_agent 4"), 30, "a whole line and half of one");
	ok(agent(45) && !agent(4), "the whole one is run");
	is(put(fd, "6\n"), 2, "the other half");
	ok(agent(46) && !agent(4), "is its end");
	close(fd);

	fd = open_control();
	is(put(fd, "bogus"), -EINVAL, "a wrong first write without newline fails at once");
	close(fd);
	remove_agents(41, 46);
}

/* Two open files do not share their unfinished lines. */
static void test_two_files(void)
{
	int a = open_control(), b = open_control();

	put(a, "reset_stats\ncreate_agent 4");
	put(b, "reset_stats\ncreate_agent 5");
	is(put(a, "1\n"), 2, "the end of one file's line");
	is(put(b, "2\n"), 2, "the end of another's");
	ok(agent(41) && agent(52) && !agent(42) && !agent(51), "each has its own");
	close(a);
	close(b);
	remove_agents(41, 41);
	remove_agents(52, 52);
}

static void test_long_unfinished(void)
{
	static char text[3001];
	int fd = open_control();

	memset(text, 'x', sizeof(text) - 1);
	is(put(fd, "create_agent 41\n"), 16, "a line");
	is(put(fd, text), 3000, "3000 bytes of the next");
	is(put(fd, text), -E2BIG, "3000 more are too many");
	close(fd);
	fd = open_control();
	is(put(fd, "create_agent 42\n"), 16, "the next open file works");
	close(fd);
	remove_agents(41, 42);
}

/* LINES commands of one length: their text, to be freed. */
static char *many_lines(size_t *len)
{
	char *text = malloc(LINES * 64);
	long i;

	*len = 0;
	for (i = 0; i < LINES; i++)
		*len += sprintf(text + *len, "allocate %d 4096 %llu\n", AGENT, device);
	return text;
}

/* As cat does it: at most @chunk bytes a write, what is not taken again. */
static void write_by(size_t chunk)
{
	size_t len, done = 0, n;
	char *text = many_lines(&len);
	int fd = open_control();
	long got = 1;

	is_errno(swarm_cmd("create_agent %d\n", AGENT), 0, "an agent");
	for (done = 0; done < len && got > 0; done += got) {
		n = len - done < chunk ? len - done : chunk;
		got = write(fd, text + done, n);
		if (got < 0)
			note("%zu bytes after %zu: %s", n, done, strerror(errno));
	}
	close(fd);
	free(text);
	is(done, len, "%zu bytes in writes of %zu", len, chunk);
	is(swarm_get("agents", "ID", AGENT, "BUFFERS"), LINES, "every line is run once");
	is_errno(swarm_cmd("remove_agent %d\n", AGENT), 0, "the agent goes");
}

static void test_64k(void)
{
	size_t len, line;
	char *text = many_lines(&len);
	int fd = open_control();

	line = len / LINES;
	is_errno(swarm_cmd("create_agent %d\n", AGENT), 0, "an agent");
	is(write(fd, text, len), LIMIT / line * line, "a write takes the whole lines in 64 KiB");
	is(swarm_get("agents", "ID", AGENT, "BUFFERS"), LIMIT / line, "and runs these");
	close(fd);
	is_errno(swarm_cmd("remove_agent %d\n", AGENT), 0, "the agent goes");
	free(text);
	write_by(len);
	write_by(LIMIT);
	write_by(4096);
	write_by(777);
}

/* Everything that one read of @fd gives from where it is. */
static char *rest(int fd)
{
	size_t len;
	char *text = swarm_slurp(fd, 4096, &len);

	if (!text)
		bail("reading control");
	return text;
}

static long count_lines(const char *text)
{
	long n = 0;

	for (; *text; text++)
		n += *text == '\n';
	return n;
}

static void test_command_list(void)
{
	static const char * const commands[] = {
		"create_agent", "remove_agent", "set_quota", "set_capacity",
		"allocate", "free", "reset_stats",
	};
	char *text = swarm_read("control");
	size_t i;

	for (i = 0; i < sizeof(commands) / sizeof(*commands); i++)
		ok(strstr(text, commands[i]), "control lists %s", commands[i]);
	free(text);
}

static void test_results(void)
{
	int fd = open_control();
	char text[128], *got, *again;
	__u64 first, second;

	put(fd, "create_agent 10\n");
	free(rest(fd));
	snprintf(text, sizeof(text), "allocate 10 1K %llu\nallocate 10 2K %llu\n", device, device);
	is(put(fd, text), strlen(text), "two lines");
	got = rest(fd);
	is(count_lines(got), 2, "give two lines of results");
	first = swarm_result(got);
	second = strchr(got, '\n') ? swarm_result(strchr(got, '\n') + 1) : 0;
	is(swarm_get("allocations", "ID", first, "SIZE"), 1024, "the first is that of line 1");
	is(swarm_get("allocations", "ID", second, "SIZE"), 2048, "the second of line 2");
	again = rest(fd);
	is_str(again, "", "read once, the file is at its end");
	free(again);
	free(got);

	is(put(fd, "set_quota 10 1M\n"), 16, "a command without an id");
	got = rest(fd);
	is(count_lines(got), 1, "has one line of results too");
	free(got);
	snprintf(text, sizeof(text), "allocate 10 1 %llu\nbogus\nreset_stats\n", device);
	is(put(fd, text), (long)(strchr(text, '\n') - text) + 1, "line 2 of 3 fails");
	got = rest(fd);
	ok(swarm_has("allocations", "ID", swarm_result(got)), "the result of line 1 is there");
	free(got);
	close(fd);
	remove_agents(10, 10);
}

static void *no_memory(void)
{
	return mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

/* Results are not lost by reads that are short, or that have nowhere to put them. */
static void test_results_in_pieces(void)
{
	char text[128], want[64], got[64] = "";
	int fd = open_control();
	size_t len = 0;
	void *nowhere = no_memory();
	struct swarm_table t;

	snprintf(text, sizeof(text), "create_agent 10\nallocate 10 1K %llu\nset_quota 10 1M\n",
		 device);
	is(put(fd, text), strlen(text), "three lines");
	swarm_load(&t, "allocations");
	snprintf(want, sizeof(want), "ok\n%llu\nok\n",
		 swarm_u64(&t, swarm_find_u64(&t, 0, "AGENT", 10), "ID"));
	swarm_unload(&t);
	is_errno(read(fd, nowhere, 16) < 0 ? errno : 0, EFAULT, "a read to a wrong address");
	while (len < sizeof(got) - 1 && read(fd, got + len, 1) == 1)
		len++;
	is_str(got, want, "read by bytes, the results are whole");
	munmap(nowhere, 4096);
	close(fd);
	remove_agents(10, 10);
}

/* A write of memory that cannot be read. */
static int put_nothing(int fd)
{
	void *page = no_memory();
	int err = write(fd, page, 16) < 0 ? errno : 0;

	munmap(page, 4096);
	return err;
}

static void test_odd_opens(void)
{
	int fd = open(SWARM_DIR "control", O_WRONLY | O_TRUNC | O_CREAT, 0644);

	ok(fd >= 0, "control opens as the shell opens it for >");
	is(put(fd, "create_agent 41\n"), 16, "and can be written");
	is_errno(put_nothing(fd), EFAULT, "a wrong address is EFAULT");
	close(fd);
	fd = open(SWARM_DIR "control", O_WRONLY | O_APPEND);
	is(put(fd, "create_agent 42\n"), 16, "also as for >>");
	close(fd);
	ok(agent(41) && agent(42), "with effect");
	remove_agents(41, 42);
}

/* Does the kernel's log have @text, which it had not before log_skip()? */
static bool logged(const char *text)
{
	static char line[8192];
	bool found = false;

	while (read(kernel_log, line, sizeof(line) - 1) > 0) {
		found |= !!strstr(line, text);
		memset(line, 0, sizeof(line));
	}
	return found;
}

static void log_skip(void)
{
	if (kernel_log < 0)
		kernel_log = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (kernel_log < 0 || lseek(kernel_log, 0, SEEK_END))
		bail("opening the kernel's log");
}

/* A process that has written @first, and then @then, is killed. */
static void killed_after(const char *first, const char *then)
{
	int fd, status;

	if (!fork()) {
		fd = open_control();
		put(fd, first);
		put(fd, then);
		raise(SIGKILL);
	}
	wait(&status);
}

/* Half of a line is another line, which nobody wanted. */
static void test_killed_writer(void)
{
	static const char * const writes[][2] = {
		{ "create_agent 40\nremove_agent 7", "" },
		{ "create_agent 40\n", "remove_agent 7" },
		{ "create_agent 40\nremove_ag", "ent 7" },
		{ "\nremove_agent 7", "" },
		{ "create_agent 40", "remove_agent 7" },
	};
	long long before = swarm_stat("commands_unfinished");
	size_t i, n = sizeof(writes) / sizeof(*writes);

	is_errno(swarm_cmd("create_agent 7\ncreate_agent 71\n"), 0, "two agents");
	for (i = 0; i < n; i++) {
		log_skip();
		killed_after(writes[i][0], writes[i][1]);
		ok(agent(7) && agent(71), "a killed writer's half of a line is not run, %zu", i);
		ok(logged("not run, as its newline never came: remove_agent 7"),
		   "the kernel's log has it, %zu", i);
		remove_agents(40, 40);
	}
	is(swarm_stat("commands_unfinished") - before, n, "it is counted each time");
	log_skip();
	killed_after("remove_agent 7", "");
	ok(!agent(7) && agent(71), "a first write without a newline is run, as echo -n wants it");
	ok(!logged("not run"), "and not spoken of");
	is(swarm_stat("commands_unfinished") - before, n, "nor counted");
	remove_agents(71, 71);
}

/* What the log has of a line is of a bounded length, and in one line. */
static void test_log_of_unfinished(void)
{
	char text[4096] = "\n\t\033[31m";

	memset(text + 7, 'x', sizeof(text) - 8);
	text[sizeof(text) - 1] = '\0';
	log_skip();
	killed_after(text, "");
	/* What is in /dev/kmsg has each backslash escaped. */
	ok(logged("came: \\x5ct\\x5ce[31mxxxx"), "what is not printable is escaped");
	log_skip();
	killed_after(text, "");
	ok(logged("xxxx..."), "what is long is cut off");
}

int main(void)
{
	device = swarm_device(NULL);
	if (device == SWARM_NONE)
		bail("no device");
	test_lines();
	test_blank_lines();
	test_no_newline();
	test_two_files();
	test_long_unfinished();
	test_64k();
	test_command_list();
	test_results();
	test_results_in_pieces();
	test_odd_opens();
	test_killed_writer();
	test_log_of_unfinished();
	swarm_add_up("at the end");
	return tap_done();
}
