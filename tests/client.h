/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Clients: processes that do what the test tells them, one call at a time. A
 * call is a function of the test's own program, run in the client.
 */
#ifndef TESTS_CLIENT_H
#define TESTS_CLIENT_H

#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tap.h"

typedef long (*client_fn)(long a, long b);

struct client {
	pid_t pid;
	int fd;
};

struct client_call {
	client_fn run;
	long a, b;
};

static inline void client_serve(int fd)
{
	struct client_call call;
	long result;

	while (read(fd, &call, sizeof(call)) == sizeof(call)) {
		result = call.run(call.a, call.b);
		if (write(fd, &result, sizeof(result)) != sizeof(result))
			break;
	}
	_exit(0);
}

static inline void client_start(struct client *c)
{
	int fd[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fd))
		bail("socketpair");
	c->pid = fork();
	if (c->pid < 0)
		bail("fork");
	if (!c->pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(fd[0]);
		client_serve(fd[1]);
	}
	close(fd[1]);
	c->fd = fd[0];
}

/* Lets the client run a function without waiting for its end. */
static inline void client_post(const struct client *c, client_fn run, long a, long b)
{
	struct client_call call = { .run = run, .a = a, .b = b };

	if (write(c->fd, &call, sizeof(call)) != sizeof(call))
		bail("client %d takes no call", c->pid);
}

/* What the function returned. */
static inline long client_result(const struct client *c)
{
	long result;

	if (read(c->fd, &result, sizeof(result)) != sizeof(result))
		bail("client %d died in a call", c->pid);
	return result;
}

static inline long client_call(const struct client *c, client_fn run, long a, long b)
{
	client_post(c, run, a, b);
	return client_result(c);
}

static inline long client_exit(long status, long unused)
{
	(void)unused;
	_exit(status);
}

/* Ends it with a signal, or with 0 lets it exit, and waits for its end. */
static inline void client_stop(struct client *c, int sig)
{
	/* Closing the socket would not end it: later clients have it open too. */
	if (sig)
		kill(c->pid, sig);
	else
		client_post(c, client_exit, 0, 0);
	close(c->fd);
	waitpid(c->pid, NULL, 0);
}

/* A message with an open file; not to be copied. */
struct client_fd_message {
	struct msghdr msg;
	struct iovec data;
	char byte;
	union {
		struct cmsghdr aligned;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
};

static inline void client_fd_message(struct client_fd_message *m, int fd)
{
	struct cmsghdr *c;

	memset(m, 0, sizeof(*m));
	m->data = (struct iovec){ .iov_base = &m->byte, .iov_len = 1 };
	m->msg = (struct msghdr){
		.msg_iov = &m->data,
		.msg_iovlen = 1,
		.msg_control = &m->control,
		.msg_controllen = sizeof(m->control),
	};
	c = CMSG_FIRSTHDR(&m->msg);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
}

/* Sends an open file to whoever reads the other end of the socket. */
static inline int client_send_fd(int socket, int fd)
{
	struct client_fd_message m;

	client_fd_message(&m, fd);
	return sendmsg(socket, &m.msg, 0) < 0 ? errno : 0;
}

/* The open file that was sent, or -1. */
static inline int client_receive_fd(int socket)
{
	char control[CMSG_SPACE(sizeof(int))], byte;
	struct iovec data = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &data,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *c;
	int fd = -1;

	if (recvmsg(socket, &msg, MSG_CMSG_CLOEXEC) < 0)
		return -1;
	c = CMSG_FIRSTHDR(&msg);
	if (c && c->cmsg_type == SCM_RIGHTS)
		memcpy(&fd, CMSG_DATA(c), sizeof(fd));
	return fd;
}

#endif /* TESTS_CLIENT_H */
