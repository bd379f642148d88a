// SPDX-License-Identifier: GPL-2.0-only
/*
 * The screen of top: frames on a terminal, and keys from it.
 *
 * However it ends, the terminal is as before. Signals only set a flag, and are blocked but
 * while top waits.
 */

#include <curses.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "message.h"
#include "output.h"
#include "top_screen.h"

#define FILTER_MAX	60
#define ESCAPE_MS	25
#define KEY_ESCAPE	27
#define KEY_DELETE	127

#define PAIR_ALARM	1
#define PAIR_WARNING	2

/* What there is to do once a key was taken. */
enum next {
	NEXT_NOTHING,
	NEXT_DRAW,
	NEXT_READ,
	NEXT_QUIT,
};

static volatile sig_atomic_t ending, stopping, resized;

static void on_signal(int signal)
{
	if (signal == SIGTSTP)
		stopping = 1;
	else if (signal == SIGWINCH)
		resized = 1;
	else
		ending = signal;
}

/* Leaves in *waiting what is blocked while top waits. */
static void catch_signals(sigset_t *waiting)
{
	static const int signals[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGWINCH };
	struct sigaction action = { .sa_handler = on_signal };
	sigset_t blocked;
	size_t i;

	sigemptyset(&blocked);
	for (i = 0; i < sizeof(signals) / sizeof(*signals); i++) {
		sigaction(signals[i], &action, NULL);
		sigaddset(&blocked, signals[i]);
	}
	sigprocmask(SIG_BLOCK, &blocked, waiting);
	for (i = 0; i < sizeof(signals) / sizeof(*signals); i++)
		sigdelset(waiting, signals[i]);
}

/* Ctrl-Z is a key like others: it would stop a script that top is the end of. */
static void ignore_stop_key(void)
{
	struct termios modes;

	if (tcgetattr(STDIN_FILENO, &modes))
		return;
	modes.c_cc[VSUSP] = _POSIX_VDISABLE;
	tcsetattr(STDIN_FILENO, TCSANOW, &modes);
	def_prog_mode();
}

static bool enter_screen(void)
{
	if (!newterm(NULL, stdout, stdin))
		return false;
	cbreak();
	noecho();
	nonl();
	nodelay(stdscr, TRUE);
	keypad(stdscr, TRUE);
	set_escdelay(ESCAPE_MS);
	curs_set(0);
	ignore_stop_key();
	if (output_has_colour() && has_colors() && start_color() == OK) {
		use_default_colors();
		init_pair(PAIR_ALARM, COLOR_RED, -1);
		init_pair(PAIR_WARNING, COLOR_YELLOW, -1);
	}
	return true;
}

static attr_t look_of(enum frame_look look)
{
	switch (look) {
	case FRAME_HEADING:
		return A_REVERSE;
	case FRAME_ALARM:
		return A_BOLD | COLOR_PAIR(PAIR_ALARM);
	case FRAME_WARNING:
		return COLOR_PAIR(PAIR_WARNING);
	default:
		return A_NORMAL;
	}
}

static void draw(struct snapshot *s, struct top_choice *choice)
{
	struct frame frame;
	size_t i;

	frame_begin(&frame, LINES, COLS);
	top_draw(&frame, s, choice, true);
	erase();
	for (i = 0; i < frame.count; i++) {
		attrset(look_of(frame.lines[i].look));
		mvaddstr(i, 0, frame.lines[i].text);
	}
	attrset(A_NORMAL);
	refresh();
	frame_free(&frame);
}

static void follow_size(void)
{
	struct winsize size;

	resized = 0;
	if (!ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) && size.ws_row && size.ws_col)
		resizeterm(size.ws_row, size.ws_col);
	clearok(stdscr, TRUE);
}

static void stop(void)
{
	stopping = 0;
	endwin();
	kill(getpid(), SIGSTOP);
	follow_size();
}

static void set_filter(struct top_choice *choice, char *filter)
{
	free(choice->filter);
	choice->filter = filter;
	choice->first = 0;
}

static enum next filter_key(struct top_choice *choice, int key)
{
	size_t len = strlen(choice->filter);

	if (key == '\r' || key == '\n' || key == KEY_ENTER) {
		choice->filtering = false;
	} else if (key == KEY_ESCAPE) {
		choice->filtering = false;
		set_filter(choice, must(strdup("")));
	} else if (key == KEY_BACKSPACE || key == KEY_DELETE || key == '\b') {
		/* With the bytes that continue its last letter. */
		while (len && (choice->filter[--len] & 0xc0) == 0x80)
			;
		set_filter(choice, must(strndup(choice->filter, len)));
	} else if (key >= ' ' && key <= 0xff && len < FILTER_MAX) {
		set_filter(choice, text("%s%c", choice->filter, key));
	}
	return NEXT_DRAW;
}

static void show(struct top_choice *choice, enum top_view view)
{
	choice->view = view;
	choice->first = 0;
}

static size_t before(size_t at, size_t step)
{
	return at > step ? at - step : 0;
}

/* A key that scrolls; drawing corrects what is too far. */
static enum next scroll_key(struct top_choice *choice, int key)
{
	switch (key) {
	case KEY_UP:
	case 'k':
		choice->first = before(choice->first, 1);
		return NEXT_DRAW;
	case KEY_DOWN:
	case 'j':
		choice->first++;
		return NEXT_DRAW;
	case KEY_PPAGE:
		choice->first = before(choice->first, choice->page);
		return NEXT_DRAW;
	case KEY_NPAGE:
		choice->first += choice->page;
		return NEXT_DRAW;
	case KEY_HOME:
		choice->first = 0;
		return NEXT_DRAW;
	case KEY_END:
		choice->first = SIZE_MAX / 2;
		return NEXT_DRAW;
	default:
		return NEXT_NOTHING;
	}
}

static void tree_deeper(struct top_choice *choice, int step)
{
	choice->depth += step;
	choice->depth = choice->depth < 1 ? 1 : choice->depth > 3 ? 3 : choice->depth;
}

static enum next sort_key(struct top_choice *choice, int key)
{
	char letter[2] = { key };

	top_choice_sort(choice, letter);
	return NEXT_DRAW;
}

static enum next take_key(struct top_choice *choice, int key)
{
	if (choice->filtering)
		return filter_key(choice, key);
	if (choice->help && key != 'q' && key != 'Q') {
		choice->help = false;
		return NEXT_DRAW;
	}
	switch (key) {
	case 'q':
	case 'Q':
		return NEXT_QUIT;
	case 'h':
	case '?':
		choice->help = true;
		return NEXT_DRAW;
	case '/':
		choice->filtering = true;
		return NEXT_DRAW;
	case KEY_ESCAPE:
		set_filter(choice, must(strdup("")));
		return NEXT_DRAW;
	case '\t':
		show(choice, (choice->view + 1) % TOP_VIEWS);
		return NEXT_DRAW;
	case '1':
	case '2':
	case '3':
	case '4':
		show(choice, key - '1');
		return NEXT_DRAW;
	case 'u':
	case 'p':
	case 'd':
	case 'w':
	case 'b':
		return sort_key(choice, key);
	case '<':
	case KEY_LEFT:
		top_choice_step(choice, COLS, -1);
		return NEXT_DRAW;
	case '>':
	case KEY_RIGHT:
		top_choice_step(choice, COLS, 1);
		return NEXT_DRAW;
	case 'r':
		choice->orders[choice->view].reverse ^= true;
		return NEXT_DRAW;
	case '+':
		tree_deeper(choice, 1);
		return NEXT_DRAW;
	case '-':
		tree_deeper(choice, -1);
		return NEXT_DRAW;
	case KEY_RESIZE:
		return NEXT_DRAW;
	case ERR:
		return NEXT_NOTHING;
	default:
		if (scroll_key(choice, key) == NEXT_DRAW)
			return NEXT_DRAW;
		return NEXT_READ;
	}
}

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec + time.tv_nsec / 1e9;
}

/* Until a key, a signal, or the time. Returns false if the terminal has hung up. */
static bool wait_for_input(const sigset_t *waiting, double until)
{
	struct pollfd input = { .fd = STDIN_FILENO, .events = POLLIN };
	double left = until - now();
	struct timespec time;

	left = left > 0 ? left : 0;
	time.tv_sec = left;
	time.tv_nsec = (left - time.tv_sec) * 1e9;
	return ppoll(&input, 1, &time, waiting) <= 0 || !(input.revents & (POLLHUP | POLLERR));
}

/* All keys that have come. */
static enum next take_keys(struct top_choice *choice)
{
	enum next next = NEXT_NOTHING;
	int key;

	while (next != NEXT_QUIT && (key = getch()) != ERR) {
		enum next this = take_key(choice, key);

		next = this > next ? this : next;
	}
	return next;
}

/* Shows one snapshot until another one is due. Returns false at the end of all. */
static bool show_snapshot(struct snapshot *s, struct top_choice *choice, const sigset_t *waiting,
			  double until)
{
	enum next next = NEXT_DRAW;

	for (;;) {
		if (next == NEXT_DRAW)
			draw(s, choice);
		if (now() >= until)
			return true;
		if (!wait_for_input(waiting, until))
			return false;
		if (ending)
			return true;
		if (stopping)
			stop();
		else if (resized)
			follow_size();
		else
			next = NEXT_NOTHING;
		if (next == NEXT_NOTHING)
			next = take_keys(choice);
		else
			next = NEXT_DRAW;
		if (next == NEXT_READ)
			return true;
		if (next == NEXT_QUIT)
			return false;
	}
}

/* As the shell shows a program that a signal has ended. */
static int end_by_signal(void)
{
	return ending ? 128 + ending : 0;
}

/**
 * top_screen() - show frames until the user has enough
 * @s: a snapshot
 * @choice: what is shown of it
 * @delay: seconds from one frame to the next
 *
 * Return: an exit status.
 */
int top_screen(struct snapshot *s, struct top_choice *choice, double delay)
{
	sigset_t waiting;
	bool failed;

	if (!enter_screen())
		return trouble("the terminal %s is not known here: try top -n 1", getenv("TERM"));
	catch_signals(&waiting);
	do {
		failed = snapshot_read(s);
	} while (!failed && show_snapshot(s, choice, &waiting, now() + delay) && !ending);
	endwin();
	/* What is wrong was said on a screen that is gone. */
	if (failed && !snapshot_read(s))
		return trouble("the tables of the module could not be read");
	return failed ? EXIT_TROUBLE : end_by_signal();
}
