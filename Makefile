# SPDX-License-Identifier: GPL-2.0-only
#
# make                      build gpu_dma_lock.ko for the running kernel
# make KDIR=/path/headers   build it for another kernel
# make install              modules_install and depmod
# make tool                 build tool/gpu-dma-lock
# make install-tools        it, its completion, the man pages, the header for programs and the
#                           rule for udev, to $(DESTDIR)$(PREFIX)
# make clean                remove what a build made
# make check                the tests, in virtual machines
# make demo                 a short session to watch
# make bench                what it costs, counted in virtual machines
# make deb                  the Debian package, in dist

KVER ?= $(shell uname -r)
KDIR ?= /lib/modules/$(KVER)/build
PREFIX ?= /usr

MAKE_KERNEL = $(MAKE) -C $(KDIR) M=$(CURDIR)

all: modules

modules: headers
	+$(MAKE_KERNEL) modules

install: modules
	+$(MAKE_KERNEL) modules_install
	depmod -a $$(cat $(KDIR)/include/config/kernel.release)

tool:
	+$(MAKE) -C tool

install-tools:
	+$(MAKE) -C tool install
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/include gpu_dma_lock_ioctl.h
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/lib/udev/rules.d 60-gpu-dma-lock.rules
	for page in man/*.[48]; do \
		install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/man/man$${page##*.} $$page || exit; \
	done

clean: headers
	+$(MAKE) -C tool clean
	+$(MAKE_KERNEL) clean

check:
	scripts/check

demo:
	scripts/demo

bench:
	scripts/bench

deb:
	scripts/deb

headers:
	@test -e $(KDIR)/Makefile || { echo \
	"No kernel headers in $(KDIR): apt-get install linux-headers-$(KVER)" >&2; exit 1; }

.PHONY: all modules install tool install-tools clean check demo bench deb headers
