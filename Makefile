# SPDX-License-Identifier: GPL-2.0-only
#
# make                      build gpu_dma_lock.ko for the running kernel
# make KDIR=/path/headers   build it for another kernel
# make install              modules_install and depmod
# make clean                remove what a build made
# make check                the tests, in virtual machines
# make demo                 a short session to watch

KVER ?= $(shell uname -r)
KDIR ?= /lib/modules/$(KVER)/build

MAKE_KERNEL = $(MAKE) -C $(KDIR) M=$(CURDIR)

all: modules

modules: headers
	+$(MAKE_KERNEL) modules

install: modules
	+$(MAKE_KERNEL) modules_install
	depmod -a $$(cat $(KDIR)/include/config/kernel.release)

clean: headers
	+$(MAKE_KERNEL) clean

check:
	scripts/check

demo:
	scripts/demo

headers:
	@test -e $(KDIR)/Makefile || { echo \
	"No kernel headers in $(KDIR): apt-get install linux-headers-$(KVER)" >&2; exit 1; }

.PHONY: all modules install clean check demo headers
