// SPDX-License-Identifier: GPL-2.0-only
/*
 * drm.ko and vgem leave and come back 50 times while the module stays: hooks,
 * devices, buffers and contexts follow.
 *
 * vm: --load --gpu none --mem 512 --timeout 300
 */
#define _GNU_SOURCE
#include <sys/syscall.h>

#include "gem.h"
#include "life.h"
#include "swarm.h"

#define ROUNDS	scaled(50)
#define BUFFERS	3
#define SIZE	8192

static int wrong;

/* One thing of a round; the first ones that are wrong are told. */
static __printf(3, 4)
void right(bool pass, int round, const char *fmt, ...)
{
	char text[256];
	va_list ap;

	if (pass || wrong++ >= 5)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	note("round %d is wrong: %s", round, text);
}

static bool remove_module(const char *name)
{
	return !syscall(SYS_delete_module, name, O_NONBLOCK);
}

static bool drm_loaded(void)
{
	return !access("/sys/module/drm/initstate", F_OK);
}

static bool remove_drm(void)
{
	/* They use one another, on newer kernels others than on older ones. */
	static const char * const names[] = {
		"drm_shmem_helper", "drm_dma_helper", "drm_kms_helper", "drm_client_lib", "drm",
	};
	size_t i;
	int tries;

	for (tries = 0; tries < 2000 && drm_loaded(); tries++) {
		if (tries)
			usleep(20000);
		remove_module("vgem");
		for (i = 0; i < sizeof(names) / sizeof(*names); i++)
			remove_module(names[i]);
	}
	return !drm_loaded();
}

/* How many hooks on drm.ko there are whose state begins with @state */
static int drm_hooks(const char *state)
{
	char *text = swarm_read("stats"), *line, *next, key[96];
	int n = 0, end;

	for (line = strtok_r(text, "\n", &next); line; line = strtok_r(NULL, "\n", &next)) {
		end = 0;
		if (sscanf(line, "hook_drm_%95s %n", key, &end) == 1 && end &&
		    life_key_is(key, "_state"))
			n += !strncmp(line + end, state, strlen(state));
	}
	free(text);
	return n;
}

/* Devices other than that of no GPU */
static long devices(void)
{
	return life_rows("devices") - 1;
}

static bool no_contexts(const void *arg)
{
	(void)arg;
	return !life_rows("contexts");
}

static void use_vgem(int round, __u64 *last)
{
	int card = gem_open("vgem"), fd[BUFFERS], i;
	__u32 handle[BUFFERS];
	__u64 id;

	for (i = 0; i < BUFFERS; i++)
		if (gem_create(card, SIZE, &handle[i]) || gem_export(card, handle[i], &fd[i]))
			bail("round %d: no buffer", round);
	id = swarm_device("vgem");
	right(devices() == 1 && id != SWARM_NONE, round, "%ld devices", devices());
	right(*last == SWARM_NONE || id > *last, round, "device id %llu after %llu", id, *last);
	*last = id;
	right(life_rows("allocations") == BUFFERS, round, "%ld buffers", life_rows("allocations"));
	right(swarm_get("devices", "ID", id, "USED") == BUFFERS * SIZE, round, "USED");
	right(swarm_get("devices", "ID", id, "CONTEXTS") == 1, round, "CONTEXTS");
	right(!swarm_cmd("create_context 0 %llu", id), round, "no context can be declared");
	right(!swarm_cmd("set_quota 0 1G %llu", id), round, "no quota can be set");
	right(!remove_module("vgem"), round, "vgem left while it is used");
	right(swarm_device("vgem") == id, round, "the id changed");
	for (i = 0; i < BUFFERS; i++) {
		gem_destroy(card, handle[i]);
		close(fd[i]);
	}
	close(card);
	right(!life_rows("allocations"), round, "buffers are left");
	right(life_rows("contexts") == 1, round, "not only the declared context is left");
}

static long device_quotas(void)
{
	struct swarm_table t;
	long row, n = 0;

	swarm_load(&t, "quotas");
	for (row = 0; row < t.rows; row++)
		n += strcmp(swarm_cell(&t, row, "DEVICE"), "all") &&
		     strcmp(swarm_cell(&t, row, "DEVICE"), "-");
	swarm_unload(&t);
	return n;
}

int main(void)
{
	time_t start = time(NULL);
	__u64 last = SWARM_NONE;
	int round, hooks;

	hooks = drm_hooks("");
	ok(hooks >= 8, "there are %d hooks on drm.ko", hooks);
	is(drm_hooks("none drm.ko is not loaded"), hooks, "without it none is placed, and tells");
	for (round = 0; round < ROUNDS && wrong < 5; round++) {
		right(!system("modprobe vgem"), round, "vgem does not come");
		right(drm_hooks("none") == 0, round, "%d hooks are not placed", drm_hooks("none"));
		use_vgem(round, &last);
		if (!remove_drm())
			bail("round %d: drm.ko does not go", round);
		right(drm_hooks("none drm.ko is not loaded") == hooks, round, "hooks stay placed");
		right(swarm_wait(no_contexts, NULL, LIFE_SECONDS), round, "a context is left");
		right(!devices(), round, "%ld devices are left", devices());
	}
	is(wrong, 0, "nothing is wrong in %d rounds", ROUNDS);
	note("which took %ld s", time(NULL) - start);
	is(swarm_stat("buffers_created"), BUFFERS * ROUNDS, "every buffer was seen");
	is(swarm_stat("buffers_freed"), BUFFERS * ROUNDS, "and its end");
	is(device_quotas(), 0, "no quota on a device is left");
	life_nothing_left(0, "at the end");
	ok(remove_module("gpu_dma_lock"), "the module goes");
	is(system("modprobe vgem"), 0, "vgem comes without it");
	return tap_done();
}
