// SPDX-License-Identifier: GPL-2.0-only
/*
 * Devices: GPUs, which hotplug.c finds on PCI, and DRM devices without such a function:
 * by adopt.c, when they are registered, or at first sight.
 *
 * A device is gone once its PCI function or DRM device is removed. It takes no
 * new buffers then, but its row stays until the last buffer charged to it is
 * freed: every gdl_device_quota holds a reference.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/device.h>
#include <linux/rculist.h>
#include <linux/slab.h>
#include <linux/string.h>

#include <drm/drm_device.h>
#include <drm/drm_drv.h>

#include "gpu_dma_lock.h"

static LIST_HEAD(devices);		/* ordered by id */
static DEFINE_SPINLOCK(gdl_device_lock);
static u64 next_id;

struct gdl_device gdl_no_device = {
	.id = U64_MAX,
	.capacity.limit = GDL_UNLIMITED,
	.refs = REFCOUNT_INIT(1),
	.name = "none",
	.bus = "-",
	.driver = "-",
};

/**
 * gdl_device_alloc() - make a device that nobody finds yet
 * @parent: what it is in the kernel: a PCI function, or the parent of a DRM device
 * @gfp: how to allocate it
 *
 * Context: As @gfp allows.
 * Return: The device, which gdl_device_publish() takes; or NULL.
 */
struct gdl_device *gdl_device_alloc(const struct device *parent, gfp_t gfp)
{
	struct gdl_device *device = kzalloc(sizeof(*device), gfp);

	if (!device)
		return NULL;
	device->parent = parent;
	device->capacity.limit = GDL_UNLIMITED;
	refcount_set(&device->refs, 1);
	strscpy(device->name, dev_name(parent), sizeof(device->name));
	strscpy(device->bus, parent->bus ? parent->bus->name : "-",
		sizeof(device->bus));
	strscpy(device->driver, "-", sizeof(device->driver));
	return device;
}

static struct gdl_device *find_parent(const struct device *parent)
{
	struct gdl_device *device;

	list_for_each_entry_rcu(device, &devices, list,
				lockdep_is_held(&gdl_device_lock))
		if (READ_ONCE(device->parent) == parent)
			return device;
	return NULL;
}

/**
 * gdl_device_publish() - let a device be found, unless its parent has a row already
 * @device: the device; freed if so
 *
 * Context: Any but hard interrupt. Caller holds rcu_read_lock(), or does not look at what
 * is returned. Does not sleep.
 * Return: The row there is.
 */
struct gdl_device *gdl_device_publish(struct gdl_device *device)
{
	struct gdl_device *old;
	unsigned long flags;

	spin_lock_irqsave(&gdl_device_lock, flags);
	old = find_parent(device->parent);
	if (!old) {
		device->id = next_id++;
		list_add_tail_rcu(&device->list, &devices);
	}
	spin_unlock_irqrestore(&gdl_device_lock, flags);
	if (!old)
		return device;
	kfree(device);
	return old;
}

/* Mark gone each device that @match picks; tell whether there was one. */
static bool mark_gone(bool (*match)(const struct gdl_device *device,
				    const void *key), const void *key)
{
	struct gdl_device *device;
	unsigned long flags;
	bool any = false;

	spin_lock_irqsave(&gdl_device_lock, flags);
	list_for_each_entry(device, &devices, list) {
		if (device->gone || !match(device, key))
			continue;
		WRITE_ONCE(device->gone, true);
		WRITE_ONCE(device->parent, NULL);
		WRITE_ONCE(device->drm, NULL);
		any = true;
	}
	spin_unlock_irqrestore(&gdl_device_lock, flags);
	return any;
}

static bool has_parent(const struct gdl_device *device, const void *parent)
{
	return device->parent == parent;
}

static bool is_drm_only(const struct gdl_device *device, const void *drm)
{
	return !device->pci && (!drm || device->drm == drm);
}

/**
 * gdl_device_set_pci_driver() - note which PCI driver a device has
 * @parent: its PCI function; nothing is noted if there is no such device
 * @name: the driver's name
 *
 * The DRM driver's is kept if DRM came first, which it may while the driver probes.
 *
 * Context: Any but hard interrupt. Does not sleep.
 */
void gdl_device_set_pci_driver(const struct device *parent, const char *name)
{
	struct gdl_device *device;
	unsigned long flags;

	spin_lock_irqsave(&gdl_device_lock, flags);
	device = find_parent(parent);
	if (device && !device->drm)
		strscpy(device->driver, name, sizeof(device->driver));
	spin_unlock_irqrestore(&gdl_device_lock, flags);
}

/**
 * gdl_device_driver_gone() - a driver has let go of a device
 * @parent: its PCI function; whether the driver had told of its DRM device's end or not
 *
 * Context: Any but hard interrupt. Does not sleep.
 */
void gdl_device_driver_gone(const struct device *parent)
{
	struct gdl_device *device;
	unsigned long flags;

	spin_lock_irqsave(&gdl_device_lock, flags);
	device = find_parent(parent);
	if (device)
		WRITE_ONCE(device->drm, NULL);
	spin_unlock_irqrestore(&gdl_device_lock, flags);
}

/**
 * gdl_device_exit() - forget all devices
 *
 * A device quota that is left keeps its device until it is freed.
 *
 * Context: Any but hard interrupt. Nobody finds a device any more.
 */
void gdl_device_exit(void)
{
	struct gdl_device *device, *next;
	unsigned long flags;

	spin_lock_irqsave(&gdl_device_lock, flags);
	list_for_each_entry_safe(device, next, &devices, list) {
		list_del_rcu(&device->list);
		gdl_device_put(device);
	}
	spin_unlock_irqrestore(&gdl_device_lock, flags);
}

/**
 * gdl_device_lookup() - find a device that takes new buffers
 * @id: the device's id
 *
 * Context: Caller holds rcu_read_lock().
 * Return: The device, or NULL if there is none of that id or it has gone.
 */
struct gdl_device *gdl_device_lookup(u64 id)
{
	struct gdl_device *device;

	list_for_each_entry_rcu(device, &devices, list)
		if (device->id == id)
			return READ_ONCE(device->gone) ? NULL : device;
	return NULL;
}

/**
 * gdl_device_next() - walk the devices in the order of their ids
 * @id: the lowest id wanted
 *
 * A device that has gone is passed over once no buffer is charged to it. The
 * last of the walk is gdl_no_device, whose id is U64_MAX.
 *
 * Context: Caller holds rcu_read_lock().
 * Return: The first device from @id on.
 */
struct gdl_device *gdl_device_next(u64 id)
{
	struct gdl_device *device;

	list_for_each_entry_rcu(device, &devices, list) {
		if (READ_ONCE(device->gone) && !atomic64_read(&device->buffers))
			continue;
		if (device->id >= id)
			return device;
	}
	return &gdl_no_device;
}

/* Another one's address may be that of one whose end was not seen. */
static bool has_drm(const struct gdl_device *device, const struct drm_device *drm)
{
	return READ_ONCE(device->drm) == drm && READ_ONCE(device->drm_parent) == drm->dev;
}

static struct gdl_device *find_drm(const struct drm_device *drm)
{
	struct gdl_device *device;
	const struct device *dev;

	list_for_each_entry_rcu(device, &devices, list)
		if (has_drm(device, drm))
			return device;
	for (dev = drm->dev; dev; dev = dev->parent) {
		device = find_parent(dev);
		if (device)
			return device;
	}
	return NULL;
}

static void saw_drm(struct gdl_device *device, const struct drm_device *drm)
{
	unsigned long flags;

	spin_lock_irqsave(&gdl_device_lock, flags);
	if (!device->gone) {
		WRITE_ONCE(device->drm, drm);
		WRITE_ONCE(device->drm_parent, drm->dev);
		strscpy(device->driver, drm->driver->name,
			sizeof(device->driver));
	}
	spin_unlock_irqrestore(&gdl_device_lock, flags);
}

/**
 * gdl_device_of_drm() - find the device of a DRM device, or make it
 * @drm: a DRM device that lives while this runs
 *
 * It is the PCI display function above the DRM device, if there is one, else a
 * device of its own.
 *
 * Context: Any but hard interrupt. Caller holds rcu_read_lock(). Does not sleep.
 * Return: The device, or NULL if there was no memory for it.
 */
struct gdl_device *gdl_device_of_drm(const struct drm_device *drm)
{
	struct gdl_device *device = find_drm(drm);

	if (likely(device && has_drm(device, drm)))
		return device;
	if (!drm->dev)
		return &gdl_no_device;
	if (!device) {
		device = gdl_device_alloc(drm->dev, GFP_ATOMIC | __GFP_NOWARN);
		if (!device)
			return NULL;
		device = gdl_device_publish(device);
	}
	saw_drm(device, drm);
	return device;
}

/**
 * gdl_device_set_capacity() - limit what may be charged to a device
 * @id: the device's id
 * @limit: bytes, or GDL_UNLIMITED; may be less than what is charged already
 *
 * Context: Any. Does not sleep.
 * Return: 0, or -ENODEV if there is no such device.
 */
int gdl_device_set_capacity(u64 id, u64 limit)
{
	struct gdl_device *device;

	rcu_read_lock();
	device = gdl_device_lookup(id);
	if (device)
		WRITE_ONCE(device->capacity.limit, limit);
	rcu_read_unlock();
	return device ? 0 : -ENODEV;
}

/**
 * gdl_device_set_vram() - note how much memory of its own a device has
 * @drm: its DRM device; nothing is noted if it is not known yet
 * @size: bytes
 *
 * Context: Any but hard interrupt. Does not sleep.
 */
void gdl_device_set_vram(const struct drm_device *drm, u64 size)
{
	struct gdl_device *device;

	rcu_read_lock();
	list_for_each_entry_rcu(device, &devices, list)
		if (has_drm(device, drm))
			WRITE_ONCE(device->vram_size, size);
	rcu_read_unlock();
}

static void forget_drm(const struct drm_device *drm)
{
	struct gdl_device *device;
	unsigned long flags;

	spin_lock_irqsave(&gdl_device_lock, flags);
	list_for_each_entry(device, &devices, list)
		if (!drm || device->drm == drm)
			WRITE_ONCE(device->drm, NULL);
	spin_unlock_irqrestore(&gdl_device_lock, flags);
}

/**
 * gdl_device_mark_parent_gone() - the PCI function of a GPU is removed
 * @parent: the PCI function, an address that is free from here on
 *
 * Context: Any but hard interrupt. Does not sleep.
 * Return: Whether there was such a device.
 */
bool gdl_device_mark_parent_gone(const struct device *parent)
{
	return mark_gone(has_parent, parent);
}

/**
 * gdl_device_mark_drm_gone() - a DRM device is unregistered, its address is free
 * @drm: the DRM device, or NULL: all of them, drm.ko is leaving
 *
 * Context: Any but hard interrupt. Does not sleep.
 * Return: Whether a device is gone with it.
 */
bool gdl_device_mark_drm_gone(const struct drm_device *drm)
{
	bool any = mark_gone(is_drm_only, drm);

	forget_drm(drm);
	return any;
}

/**
 * gdl_device_driver() - copy the name of a device's driver
 * @device: the device
 * @buf: receives GDL_DEVICE_NAME_LEN bytes: the DRM driver's name, else the PCI
 *	driver's, else "-"
 *
 * Context: Any but hard interrupt. Does not sleep.
 */
void gdl_device_driver(struct gdl_device *device, char *buf)
{
	unsigned long flags;

	spin_lock_irqsave(&gdl_device_lock, flags);
	memcpy(buf, device->driver, GDL_DEVICE_NAME_LEN);
	spin_unlock_irqrestore(&gdl_device_lock, flags);
}

/**
 * gdl_device_get() - take a reference
 * @device: a device found under rcu_read_lock()
 *
 * Context: Any.
 * Return: False if the device is on its way out: treat it as not found.
 */
bool gdl_device_get(struct gdl_device *device)
{
	return refcount_inc_not_zero(&device->refs);
}

/**
 * gdl_device_put() - give a reference back
 * @device: the device; freed after a grace period with the last reference
 *
 * Context: Any.
 */
void gdl_device_put(struct gdl_device *device)
{
	if (refcount_dec_and_test(&device->refs))
		kfree_rcu(device, rcu);
}

/**
 * gdl_device_reap_begin() - note which devices are gone now
 *
 * Context: Process context. Caller holds gdl_agent_mutex; a grace period later
 * nobody is about to charge anything to these devices any more.
 */
void gdl_device_reap_begin(void)
{
	struct gdl_device *device;
	unsigned long flags;

	lockdep_assert_held(&gdl_agent_mutex);
	spin_lock_irqsave(&gdl_device_lock, flags);
	list_for_each_entry(device, &devices, list)
		device->reapable = device->gone;
	spin_unlock_irqrestore(&gdl_device_lock, flags);
}

/**
 * gdl_device_reap() - forget the reapable devices that nothing is charged to
 *
 * Context: Process context. Caller holds gdl_agent_mutex, since
 * gdl_device_reap_begin() and through a grace period.
 */
void gdl_device_reap(void)
{
	struct gdl_device *device, *next;
	unsigned long flags;

	lockdep_assert_held(&gdl_agent_mutex);
	spin_lock_irqsave(&gdl_device_lock, flags);
	list_for_each_entry_safe(device, next, &devices, list) {
		if (!device->reapable || refcount_read(&device->refs) != 1)
			continue;
		list_del_rcu(&device->list);
		gdl_device_put(device);
	}
	spin_unlock_irqrestore(&gdl_device_lock, flags);
}
