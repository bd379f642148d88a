# SPDX-License-Identifier: GPL-2.0-only
#
# make                      build gpu_dma_lock.ko for the running kernel
# make KDIR=/path/headers   build it for another kernel
# make install              modules_install and depmod
# make install-tools        gpu-dma-lock and the man pages, to $(DESTDIR)$(PREFIX)
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

install-tools:
	install -D -m 755 -t $(DESTDIR)$(PREFIX)/sbin gpu-dma-lock
	for page in man/*.[48]; do \
		install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/man/man$${page##*.} $$page || exit; \
	done

clean: headers
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

.PHONY: all modules install install-tools clean check demo bench deb headers
