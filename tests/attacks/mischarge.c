// SPDX-License-Identifier: GPL-2.0-only
/*
 * Attacks on whom a buffer is charged to: the attacker makes as many as it can by
 * processes, threads, programs, namespaces, system calls and open files of every kind.
 * However it does, it gets its quota, to the byte, and is charged for each; the
 * host and the victim are charged nothing.
 *
 * vm: --load --mem 512 --timeout 300
 */
#define _GNU_SOURCE
#include <linux/io_uring.h>
#include <linux/sched.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/user.h>

#include "attack.h"
#include "uring.h"

#define FIT		(ATTACK_LIMIT / ATTACK_PAGE)
#define TRIES		(3 * FIT)
#define CHILD_STACK	(64 * 1024)
#define ROUNDS		(5 + scaled(100))
#define DEATHS		(5 + scaled(500))
#define CANNOT		(-1)	/* this kernel does not have it */
#define MOVED		(-2)	/* to another cgroup */

/* All of the attacker's: */

static int card = -1;	/* each attack is on a new DRM file */
static char *program;	/* this one */

/* Makes as many buffers as it can; returns how many. */
static long fill(void)
{
	__u32 handle;
	long n = 0, i;

	for (i = 0; i < TRIES; i++)
		n += !gem_create(card, ATTACK_PAGE, &handle);
	return n;
}

/* How many a child that has made them says. */
static long result_of(pid_t pid)
{
	int status;

	if (pid < 0 || waitpid(pid, &status, __WALL) != pid || !WIFEXITED(status))
		return CANNOT;
	return WEXITSTATUS(status);
}

static long by_itself(void)
{
	return fill();
}

static long by_child(void)
{
	pid_t pid = fork();

	if (!pid)
		_exit(fill());
	return result_of(pid);
}

/* In a session of its own, when its parent has ended. */
static long by_orphan(void)
{
	long n = CANNOT;
	pid_t pid, parent;
	int done[2];

	if (pipe(done))
		return CANNOT;
	pid = fork();
	if (!pid) {
		parent = getpid();
		if (!fork()) {
			setsid();
			while (getppid() == parent)
				usleep(1000);
			n = fill();
			_exit(write(done[1], &n, sizeof(n)) != sizeof(n));
		}
		_exit(0);
	}
	close(done[1]);
	result_of(pid);
	if (read(done[0], &n, sizeof(n)) != sizeof(n))
		n = CANNOT;
	close(done[0]);
	return n;
}

static int fill_in_clone(void *unused)
{
	(void)unused;
	return fill();
}

static long by_clone(int flags)
{
	static char stack[CHILD_STACK];

	return result_of(clone(fill_in_clone, stack + CHILD_STACK, flags | SIGCHLD, NULL));
}

static long by_vfork(void)
{
	return by_clone(CLONE_VM | CLONE_VFORK);
}

static long by_shared_memory(void)
{
	return by_clone(CLONE_VM | CLONE_FILES | CLONE_FS | CLONE_IO);
}

static bool put_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool done = fd >= 0 && write(fd, text, strlen(text)) > 0;

	close(fd);
	return done;
}

/*
 * Root of its own namespaces, which sees its cgroup as the root one, cannot leave it,
 * nor be cloned into the victim's.
 */
static long in_namespaces(void)
{
	bool moved;
	pid_t pid = fork();

	if (pid)
		return result_of(pid);
	if (unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWPID))
		_exit(255);
	put_text("/proc/self/setgroups", "deny");
	put_text("/proc/self/uid_map", "0 65534 1\n");
	if (mount("none", "/tmp", "cgroup2", 0, NULL))
		_exit(253);
	put_text("/tmp/cgroup.procs", "0");
	moved = put_text(CGROUP_ROOT "/cgroup.procs", "0");
	moved |= put_text(CGROUP_ROOT "/" VICTIM_CGROUP "/cgroup.procs", "0");
	pid = fork();
	if (!pid)
		_exit(moved ? 254 : fill());
	_exit(result_of(pid));
}

static long cloned_into_victim(void)
{
	int cgroup = open(CGROUP_ROOT "/" VICTIM_CGROUP, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct clone_args args = {
		.flags = CLONE_INTO_CGROUP,
		.exit_signal = SIGCHLD,
		.cgroup = cgroup,
	};
	pid_t pid = syscall(SYS_clone3, &args, sizeof(args));

	if (!pid)
		_exit(254);
	close(cgroup);
	return pid < 0 && errno == EACCES ? fill() : MOVED;
}

static long by_setuid_program(void)
{
	pid_t pid = fork();
	char fd[16];

	if (!pid) {
		snprintf(fd, sizeof(fd), "%d", card);
		fcntl(card, F_SETFD, 0);
		execl(program, program, fd, NULL);
		_exit(255);
	}
	return result_of(pid);
}

/* What a program of root's is that it runs: has the open file, and makes buffers. */
static int setuid_program(const char *fd)
{
	card = atoi(fd);
	return geteuid() ? 255 : fill();
}

/* DRM goes by the number of an ioctl: not by its size, nor, if it is older, by its type. */
static long by_odd_number(void)
{
	struct {
		struct drm_mode_create_dumb dumb;
		__u64 more;
	} odd;
	long n = 0, i;

	for (i = 0; i < TRIES; i++) {
		odd.dumb = (struct drm_mode_create_dumb){ .width = 1024, .bpp = 32, .height = 1 };
		odd.more = 0;
		n += !ioctl(card, _IOWR(i % 2 ? 'd' : 'x', 0xb2, odd), &odd);
	}
	return n;
}

#ifdef __x86_64__

/* A system call as programs of 32 bits make it; where there is none, it is a fault. */
static long call_32(long nr, long a, long b, long c)
{
	long ret;

	asm volatile("int $0x80" : "=a" (ret) : "a" (nr), "b" (a), "c" (b), "d" (c)
		     : "memory", "r8", "r9", "r10", "r11");
	return ret;
}

static long fill_32(void)
{
	/* Within the lowest 4 GiB. */
	struct drm_mode_create_dumb *dumb = mmap(NULL, ATTACK_PAGE, PROT_READ | PROT_WRITE,
						 MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	long n = 0, i;

	for (i = 0; i < TRIES; i++) {
		*dumb = (struct drm_mode_create_dumb){ .width = 1024, .bpp = 32, .height = 1 };
		n += !(int)call_32(54, card, DRM_IOCTL_MODE_CREATE_DUMB, (long)dumb);
	}
	return n;
}

static long by_32_bits(void)
{
	pid_t pid = fork();

	if (!pid) {
		signal(SIGSEGV, SIG_DFL);
		_exit((int)call_32(20, 0, 0, 0) == getpid() ? fill_32() : 255);
	}
	return result_of(pid);
}

/* The registers of a child that stands before a system call become those of an ioctl. */
static bool make_ioctl(pid_t pid, struct drm_mode_create_dumb *dumb)
{
	struct user_regs_struct regs;

	if (ptrace(PTRACE_GETREGS, pid, NULL, &regs))
		return false;
	regs.orig_rax = SYS_ioctl;
	regs.rdi = card;
	regs.rsi = DRM_IOCTL_MODE_CREATE_DUMB;
	regs.rdx = (long)dumb;
	return !ptrace(PTRACE_SETREGS, pid, NULL, &regs);
}

/* What the child begins as another call its debugger makes an ioctl. */
static long by_debugger(void)
{
	static struct drm_mode_create_dumb dumb;
	pid_t pid = fork();
	int status, i;
	bool entry = true;
	long n = 0;

	if (!pid) {
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		raise(SIGSTOP);
		for (i = 0; i < TRIES; i++) {
			dumb = (struct drm_mode_create_dumb){ .width = 1024, .bpp = 32,
							      .height = 1 };
			n += !syscall(SYS_getppid);
		}
		_exit(n);
	}
	while (waitpid(pid, &status, 0) == pid && WIFSTOPPED(status)) {
		if (WSTOPSIG(status) == SIGTRAP) {
			struct user_regs_struct regs;

			ptrace(PTRACE_GETREGS, pid, NULL, &regs);
			if (entry && regs.orig_rax == SYS_getppid)
				make_ioctl(pid, &dumb);
			entry = !entry;
		}
		ptrace(PTRACE_SYSCALL, pid, NULL, NULL);
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : CANNOT;
}

#else

static long by_32_bits(void)
{
	return CANNOT;
}

static long by_debugger(void)
{
	return CANNOT;
}

#endif

/* By an open file of a child's, which has ended. */
static long by_stolen_file(void)
{
	pid_t pid = fork();
	int pidfd, fd = -1;

	if (!pid) {
		pause();
		_exit(0);
	}
	pidfd = syscall(SYS_pidfd_open, pid, 0);
	fd = syscall(SYS_pidfd_getfd, pidfd, card, 0);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	close(pidfd);
	if (fd < 0)
		return CANNOT;
	close(card);
	card = fd;
	return fill();
}

/* By a file that a worker of io_uring opens, and another process is sent by it. */
static long by_uring(void)
{
	struct uring ring;
	int pair[2], fd, err;

	if (!uring_open(&ring))
		return CANNOT;
	fd = uring_call(&ring, IORING_OP_OPENAT, AT_FDCWD, "/dev/dri/card0", O_RDWR | O_CLOEXEC);
	close(fd);
	if (fd < 0 || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return CANNOT;
	err = uring_send_fd(&ring, pair[0], card);
	fd = client_receive_fd(pair[1]);
	close(pair[0]);
	close(pair[1]);
	if (!err)
		err = -uring_call(&ring, IORING_OP_CLOSE, card, NULL, 0);
	uring_close(&ring);
	card = fd;
	return err || fd < 0 ? MOVED : fill();
}

static const struct attack {
	const char *name;
	long (*run)(void);
} attacks[] = {
	{ "by itself", by_itself },
	{ "by a child", by_child },
	{ "by an orphan", by_orphan },
	{ "by vfork", by_vfork },
	{ "by a process in the same memory", by_shared_memory },
	{ "in namespaces of its own", in_namespaces },
	{ "cloned into the victim's cgroup", cloned_into_victim },
	{ "by a setuid program", by_setuid_program },
	{ "by an odd ioctl", by_odd_number },
	{ "by a system call of 32 bits", by_32_bits },
	{ "by a debugger", by_debugger },
	{ "by pidfd_getfd", by_stolen_file },
	{ "by io_uring", by_uring },
};

#define NR_ATTACKS	((long)(sizeof(attacks) / sizeof(*attacks)))

static long run_attack(long nr, long unused)
{
	(void)unused;
	card = gem_open("vgem");
	return card < 0 ? CANNOT : attacks[nr].run();
}

static long end_attack(long unused, long unused_too)
{
	(void)unused;
	(void)unused_too;
	close(card);
	card = -1;
	return 0;
}

/* Whether the attacker, and nobody else, is charged for what it made. */
static void check_charges(const char *what, long n)
{
	is(n, FIT, "%s: the attacker gets its quota", what);
	is(attack_has("USED"), ATTACK_LIMIT, "%s: it is charged for all of it", what);
	is(swarm_get("agents", "ID", 0, "USED"), 0, "%s: the host is not", what);
	attack_beside(ROUNDS, what);
	is(attack_has("USED"), ATTACK_LIMIT, "%s: nor has it anything back", what);
}

static void test_attack(long nr)
{
	const char *what = attacks[nr].name;
	long n = client_call(&attacker, run_attack, nr, 0);

	if (n == CANNOT || n == (CANNOT & 0xff))
		skip("%s: this kernel has no such way", what);
	else
		check_charges(what, n);
	client_call(&attacker, end_attack, 0, 0);
	attack_gone(what);
}

/* The other end of each tenant's socket for open files. */
static int attacker_mail[2], victim_mail[2];

/* For either: the open file that it was sent is its own from here on. */
static int received = -1;

static long receive(long socket, long unused)
{
	(void)unused;
	received = client_receive_fd(socket);
	card = received;
	return received < 0 ? ENOENT : 0;
}

static long fill_received(long unused, long unused_too)
{
	(void)unused;
	(void)unused_too;
	return fill();
}

static long close_received(long unused, long unused_too)
{
	(void)unused;
	(void)unused_too;
	close(received);
	received = -1;
	return 0;
}

static long send_card(long socket, long unused)
{
	int fd = gem_open("vgem"), err = client_send_fd(socket, fd);

	(void)unused;
	close(fd);
	return err;
}

/* By a DRM file that another has opened. */
static void test_foreign_file(bool of_victim)
{
	const char *what = of_victim ? "by the victim's DRM file" : "by root's DRM file";
	int err = of_victim ? client_call(&victim, send_card, attacker_mail[1], 0) :
			      send_card(attacker_mail[1], 0);

	if (err || client_call(&attacker, receive, attacker_mail[0], 0))
		bail("passing a file");
	check_charges(what, client_call(&attacker, fill_received, 0, 0));
	client_call(&attacker, close_received, 0, 0);
	attack_gone(what);
}

/* Makes a buffer of its whole quota, of which only its dma-buf is left, and sends that. */
static long send_buffer(long socket, long unused)
{
	int fd = -1, err;
	__u32 handle;

	(void)unused;
	card = gem_open("vgem");
	err = gem_create(card, ATTACK_LIMIT, &handle);
	if (!err)
		err = gem_export(card, handle, &fd);
	if (!err)
		err = client_send_fd(socket, fd);
	close(fd);
	close(card);
	card = -1;
	return err;
}

/* Whoever has a buffer last, who made it pays for it. */
static void test_passed_on(void)
{
	const char *what = "a buffer that the victim is sent";

	attack_works(client_call(&attacker, send_buffer, victim_mail[1], 0), what);
	is(attack_has("USED"), ATTACK_LIMIT, "%s: is paid by its maker while it is sent", what);
	if (client_call(&victim, receive, victim_mail[0], 0))
		bail("passing a buffer");
	is(client_call(&attacker, run_attack, 0, 0), 0, "%s: its maker gets no more", what);
	is(attack_has("USED"), ATTACK_LIMIT, "%s: is its maker's still", what);
	attack_beside(ROUNDS, what);
	client_call(&attacker, end_attack, 0, 0);
	client_call(&victim, close_received, 0, 0);
	attack_gone(what);
}

/* Closed by a worker of io_uring, what only its dma-buf held is given back. */
static long close_by_uring(long unused, long unused_too)
{
	struct uring ring;
	int fd = -1, err;
	__u32 handle;

	(void)unused;
	(void)unused_too;
	if (!uring_open(&ring))
		return CANNOT;
	card = gem_open("vgem");
	err = gem_create(card, ATTACK_LIMIT, &handle);
	if (!err)
		err = gem_export(card, handle, &fd);
	if (!err)
		err = gem_destroy(card, handle);
	if (!err)
		err = -uring_call(&ring, IORING_OP_CLOSE, fd, NULL, 0);
	if (!err)
		err = -uring_call(&ring, IORING_OP_CLOSE, card, NULL, 0);
	card = -1;
	uring_close(&ring);
	return err;
}

static void test_uring_close(void)
{
	long err = client_call(&attacker, close_by_uring, 0, 0);

	if (err == CANNOT)
		skip("no io_uring here");
	else
		is_errno(err, 0, "io_uring closes a buffer and its DRM file");
	attack_gone("closed by io_uring");
}

/* Dies wherever it is when its time has come. */
static long die_in_the_middle(long deaths, long unused)
{
	pid_t pid;
	long i;

	(void)unused;
	for (i = 0; i < deaths; i++) {
		pid = fork();
		if (!pid) {
			int gpu = gem_open("virtio_gpu"), fd = -1;
			__u32 handle;

			card = gem_open("vgem");
			for (;;) {
				fill();
				if (!gem_create(gpu, ATTACK_PAGE, &handle) &&
				    !gem_export(gpu, handle, &fd))
					gem_import(card, fd, &handle);
				close(fd);
				close(card);
				card = gem_open("vgem");
			}
		}
		usleep(2000 + i * 997 % 20000);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
	return 0;
}

static void test_deaths(void)
{
	long deaths = DEATHS;

	client_post(&attacker, die_in_the_middle, deaths, 0);
	attack_beside(ROUNDS, "beside deaths in the middle");
	is(client_result(&attacker), 0, "%ld deaths", deaths);
	attack_gone("deaths in the middle");
	is(client_call(&attacker, run_attack, 0, 0), FIT, "the whole quota is there again");
	client_call(&attacker, end_attack, 0, 0);
	attack_gone("the last");
}

int main(int argc, char **argv)
{
	long i;

	program = argv[0];
	if (argc > 1)
		return setuid_program(argv[1]);
	if (chmod(program, 04755))
		bail("making the program setuid");
	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, attacker_mail) ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET, 0, victim_mail))
		bail("socketpair");
	attack_begin();
	for (i = 0; i < NR_ATTACKS; i++)
		test_attack(i);
	test_foreign_file(false);
	test_foreign_file(true);
	test_passed_on();
	test_uring_close();
	test_deaths();
	attack_end();
	return tap_done();
}
