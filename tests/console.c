// SPDX-License-Identifier: GPL-2.0-only
/*
 * A tenant that shows a buffer of its own dies at its quota: the console comes back,
 * for which qxl makes objects in the dying process. They are the kernel's: none is
 * refused, and none stays charged to the dead.
 *
 * vm: -k 6.1 -k 6.12 -k newest --load --gpu qxl --mem 512 --timeout 120
 */
#define _GNU_SOURCE
#include <stdint.h>

#include <drm_mode.h>

#include "cgroup.h"
#include "client.h"
#include "gem.h"
#include "totals.h"

#define DRIVER		"qxl"
#define QUOTA		(8 * 1024 * 1024L)
#define SIZE		(256 * 1024L)
#define GONE_SECONDS	60

static int card;
static __u32 crtc, connector, shown;	/* of the client; shown: its framebuffer */
static struct drm_mode_modeinfo mode;

static __u64 agent_1(const char *column)
{
	return swarm_get("agents", "ID", 1, column);
}

/* The first connector with a mode, and a CRTC. */
static int find_output(void)
{
	__u32 crtcs[8], connectors[8];
	struct drm_mode_card_res res = {
		.crtc_id_ptr = (uintptr_t)crtcs,
		.connector_id_ptr = (uintptr_t)connectors,
		.count_crtcs = 8,
		.count_connectors = 8,
	};
	static struct drm_mode_modeinfo modes[64];
	int err = ENOENT;
	__u32 i;

	if (ioctl(card, DRM_IOCTL_MODE_GETRESOURCES, &res))
		return errno;
	for (i = 0; i < res.count_connectors && i < 8; i++) {
		struct drm_mode_get_connector c = { .connector_id = connectors[i] };

		/* First how many, which asks the hardware; then which. */
		if (ioctl(card, DRM_IOCTL_MODE_GETCONNECTOR, &c) || !c.count_modes)
			continue;
		c = (struct drm_mode_get_connector){
			.connector_id = connectors[i],
			.modes_ptr = (uintptr_t)modes,
			.count_modes = c.count_modes < 64 ? c.count_modes : 64,
		};
		if (ioctl(card, DRM_IOCTL_MODE_GETCONNECTOR, &c) || !c.count_modes)
			continue;
		crtc = crtcs[0];
		connector = connectors[i];
		/* Not the console's: so qxl needs another shadow of it when it comes back. */
		mode = modes[c.count_modes < 64 ? c.count_modes - 1 : 63];
		return 0;
	}
	return err;
}

static int show(void)
{
	struct drm_mode_create_dumb dumb = { .bpp = 32 };
	struct drm_mode_fb_cmd fb = { .bpp = 32, .depth = 24 };
	struct drm_mode_crtc set = { .count_connectors = 1, .mode_valid = 1 };
	int err = find_output();

	if (err)
		return err;
	dumb.width = mode.hdisplay;
	dumb.height = mode.vdisplay;
	if (ioctl(card, DRM_IOCTL_MODE_CREATE_DUMB, &dumb))
		return errno;
	fb.width = dumb.width;
	fb.height = dumb.height;
	fb.pitch = dumb.pitch;
	fb.handle = dumb.handle;
	if (ioctl(card, DRM_IOCTL_MODE_ADDFB, &fb))
		return errno;
	set.crtc_id = crtc;
	set.fb_id = fb.fb_id;
	set.set_connectors_ptr = (uintptr_t)&connector;
	set.mode = mode;
	shown = fb.fb_id;
	return ioctl(card, DRM_IOCTL_MODE_SETCRTC, &set) ? errno : 0;
}

/* Client: shows a buffer. Returns 0 or an error number. */
static long show_buffer(long a, long b)
{
	(void)a;
	(void)b;
	card = gem_open(DRIVER);
	return card < 0 ? ENODEV : show();
}

/* Client: buffers until one is refused, with that error. */
static long fill(long a, long b)
{
	__u32 handle;
	int err;

	(void)a;
	(void)b;
	do
		err = gem_create(card, SIZE, &handle);
	while (!err);
	return err;
}

/* Client: which framebuffer is shown. */
static long framebuffer(long a, long b)
{
	struct drm_mode_crtc get = { .crtc_id = crtc };

	(void)a;
	(void)b;
	if (ioctl(card, DRM_IOCTL_MODE_GETCRTC, &get))
		return -1;
	return get.fb_id;
}

/* Client: whose buffer is shown by its own; what is there now. */
static long look(long a, long b)
{
	(void)a;
	(void)b;
	card = gem_open(DRIVER);
	return card < 0 || find_output() ? -1 : framebuffer(0, 0);
}

static bool nothing_used(const void *arg)
{
	(void)arg;
	return agent_1("USED") == 0 && agent_1("BUFFERS") == 0;
}

static void test_death(bool killed, long console)
{
	const char *how = killed ? "killed" : "exits";
	long long refused;
	struct client c;

	client_start(&c);
	if (cgroup_move("tenant", c.pid))
		bail("moving a client");
	is_errno(client_call(&c, show_buffer, 0, 0), 0, "%s: a tenant shows its buffer", how);
	ok(client_call(&c, framebuffer, 0, 0) != console, "%s: instead of the console", how);
	is_errno(client_call(&c, fill, 0, 0), ENOMEM, "%s: it fills its quota", how);
	ok(agent_1("USED") + SIZE > QUOTA, "%s: to the last buffer that fits", how);
	refused = swarm_stat("quota_denied");
	client_stop(&c, killed ? SIGKILL : 0);
	ok(swarm_wait(nothing_used, NULL, GONE_SECONDS), "%s: nothing stays charged", how);
	is(swarm_stat("quota_denied"), refused, "%s: nothing of the console was refused", how);
	client_start(&c);
	is(client_call(&c, look, 0, 0), console, "%s: the console is shown again", how);
	client_stop(&c, 0);
	totals_add_up(how);
}

int main(void)
{
	struct client c;
	long console;

	if (cgroup_make("tenant") ||
	    swarm_cmd("create_agent 1 %ld\nbind 1 cgroup:tenant\npolicy enforce\n", QUOTA))
		bail("making an agent");
	client_start(&c);
	console = client_call(&c, look, 0, 0);
	client_stop(&c, 0);
	ok(console > 0, "the console is shown by a framebuffer of its own");
	test_death(false, console);
	test_death(true, console);
	return tap_done();
}
