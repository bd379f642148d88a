// SPDX-License-Identifier: GPL-2.0-only
/*
 * Hotplug: GPUs come and go. Those on PCI are found by walking it for display-class functions,
 * and by its notifier; DRM devices by their own events. With a device go its contexts.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/notifier.h>
#include <linux/pci.h>
#include <linux/string.h>

#include "gpu_dma_lock.h"

static u64 largest_prefetchable_bar(struct pci_dev *pdev)
{
	u64 size = 0;
	int i;

	for (i = 0; i < PCI_STD_NUM_BARS; i++)
		if (pci_resource_flags(pdev, i) & IORESOURCE_PREFETCH)
			size = max_t(u64, size, pci_resource_len(pdev, i));
	return size;
}

static void pci_add(struct pci_dev *pdev)
{
	struct gdl_device *device;

	if (pdev->class >> 16 != PCI_BASE_CLASS_DISPLAY)
		return;
	device = gdl_device_alloc(&pdev->dev, GFP_KERNEL);
	if (!device) {
		gdl_stat_lost(GDL_STAT_DEVICES_LOST);
		return;
	}
	device->pci = true;
	device->bar_size = largest_prefetchable_bar(pdev);
	if (pdev->dev.driver)
		strscpy(device->driver, pdev->dev.driver->name,
			sizeof(device->driver));
	gdl_device_publish(device);
}

static int pci_event(struct notifier_block *nb, unsigned long action,
		     void *data)
{
	struct device *dev = data;

	switch (action) {
	case BUS_NOTIFY_ADD_DEVICE:
		pci_add(to_pci_dev(dev));
		break;
	case BUS_NOTIFY_BOUND_DRIVER:
		gdl_device_set_pci_driver(dev, dev->driver->name);
		break;
	case BUS_NOTIFY_DRIVER_NOT_BOUND:
	case BUS_NOTIFY_UNBOUND_DRIVER:
		gdl_device_driver_gone(dev);
		break;
	case BUS_NOTIFY_REMOVED_DEVICE:
		if (gdl_device_mark_parent_gone(dev))
			gdl_context_device_gone();
		break;
	}
	return NOTIFY_DONE;
}

static struct notifier_block pci_notifier = {
	.notifier_call = pci_event,
};

/**
 * gdl_hotplug_drm_gone() - a DRM device is unregistered, its address is free
 * @drm: the DRM device, or NULL: all of them, drm.ko is leaving
 *
 * Context: Any but hard interrupt. Does not sleep.
 */
void gdl_hotplug_drm_gone(const struct drm_device *drm)
{
	if (gdl_device_mark_drm_gone(drm))
		gdl_context_device_gone();
}

/**
 * gdl_hotplug_init() - find the GPUs on PCI and follow its hotplug
 *
 * Context: May sleep.
 * Return: 0, or what registering the notifier returned.
 */
int gdl_hotplug_init(void)
{
	struct pci_dev *pdev = NULL;
	int ret;

	ret = bus_register_notifier(&pci_bus_type, &pci_notifier);
	if (ret)
		return ret;
	for_each_pci_dev(pdev)
		pci_add(pdev);
	return 0;
}

/**
 * gdl_hotplug_exit() - stop following hotplug
 *
 * Context: May sleep.
 */
void gdl_hotplug_exit(void)
{
	bus_unregister_notifier(&pci_bus_type, &pci_notifier);
}
