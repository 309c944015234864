# SPDX-License-Identifier: GPL-2.0-only
#
# What a user types; "make help" lists it. The modules themselves are described in Kbuild, which the
# kernel's build prefers to this file.

# The kernel to build for: KDIR=, else KVER=, else the running one, else the newest with headers here.
with_headers = $(patsubst /lib/modules/%/build/Makefile,%,$(wildcard /lib/modules/*/build/Makefile))
running := $(shell uname -r)
KVER ?= $(or $(filter $(running),$(with_headers)),$(lastword $(shell printf '%s\n' $(with_headers) | sort -V)))
KDIR ?= /lib/modules/$(KVER)/build

# dkms.conf holds the version and the list of modules, in load order.
modules := $(shell sed -n 's/^BUILT_MODULE_NAME\[[0-9]*\]="\(.*\)"$$/\1/p' dkms.conf)
version := $(shell sed -n 's/^PACKAGE_VERSION="\(.*\)"$$/\1/p' dkms.conf)
backwards := $(shell printf '%s\n' $(modules) | tac)
ours := \( -name 'mmkit.ko*' -o -name 'mmkit_*.ko*' \)
# Storage for tags is managed where the machine describes some.
wanted = $(if $(shell grep -rls --include=compatible arm,mte-tag-storage /proc/device-tree/),$(modules),$(filter-out mmkit_tagstore,$(modules)))
SUDO ?= $(if $(filter 0,$(shell id -u)),,sudo)

# What modules that use mmkit are built against, a directory for each kernel that mmkit was built for.
headers := /usr/src/mmkit-headers

.PHONY: all demo check check-debug soak bench install install-headers dkms uninstall load unload shell clean help

all:
	@test -e "$(KDIR)/Makefile" || { \
		echo "mmkit: no kernel headers in $(KDIR);" \
			"install linux-headers-$$(uname -r), or set KVER= or KDIR=" >&2; exit 1; }
	$(MAKE) -C "$(KDIR)" M="$(CURDIR)" modules

demo:
	@ci/demo

check:
	@K="$(K)" T="$(T)" ci/check

soak:
	@SOAK="$(or $(MINUTES),30)" K="$(K)" T='$(or $(T),soak)' ci/check

check-debug:
	@DEBUG=1 K="$(K)" T="$(T)" ci/check

bench:
	@K="$(K)" B="$(B)" SVG="$(abspath $(SVG))" ci/bench

shell:
	@ci/shell $(K)

# Plain installation for one kernel; "make dkms" follows kernel updates.
install: all
	$(SUDO) $(MAKE) -C "$(KDIR)" M="$(CURDIR)" INSTALL_MOD_DIR=updates modules_install
	$(SUDO) depmod -a $$(basename $$(dirname "$(KDIR)")) 2>/dev/null || $(SUDO) depmod -a

# For the kernel that the modules here were built for. DKMS keeps the same by itself.
install-headers: built = $(shell PATH="$$PATH:/usr/sbin:/sbin" modinfo -F vermagic mmkit.ko 2>/dev/null | cut -d ' ' -f 1)
install-headers:
	@test -n "$(built)" || { echo "mmkit: mmkit.ko is not built; run make first" >&2; exit 1; }
	$(if $(DESTDIR),,$(SUDO)) include/install.sh "$(DESTDIR)$(headers)/$(built)"

# The sources may have changed since the last time, hence --force.
dkms:
	@command -v dkms > /dev/null || { echo "mmkit: dkms is not installed" >&2; exit 1; }
	$(SUDO) rm -rf "/usr/src/mmkit-$(version)"
	$(SUDO) mkdir -p "/usr/src/mmkit-$(version)"
	$(SUDO) cp -r Kbuild Makefile dkms.conf LICENSE include modules "/usr/src/mmkit-$(version)/"
	$(SUDO) dkms build mmkit/$(version) -k "$(KVER)" --force
	$(SUDO) dkms install mmkit/$(version) -k "$(KVER)" --force

uninstall:
	@test ! -d "/var/lib/dkms/mmkit/$(version)" || $(SUDO) dkms remove mmkit/$(version) --all
	$(SUDO) rm -rf "/usr/src/mmkit-$(version)" "$(headers)"
	@for kernel in $$(find /lib/modules/*/updates $(ours) 2>/dev/null | cut -d/ -f4 | sort -u); do \
		echo "removing the modules of $$kernel"; \
		$(SUDO) find "/lib/modules/$$kernel/updates" $(ours) -delete; \
		$(SUDO) depmod "$$kernel" || exit 1; \
	done

load:
	@for m in $(wanted); do \
		test -e $$m.ko || { echo "mmkit: $$m.ko is not built; run make first" >&2; exit 1; }; \
		grep -q "^$$m " /proc/modules || $(SUDO) insmod ./$$m.ko || exit 1; \
	done
	@echo "mmkit: loaded; try"
	@echo "  cat /sys/kernel/mmkit/allocprof/tracked_bytes"
	@echo "  sort -rn /sys/kernel/debug/mmkit/allocprof/allocinfo | head"

unload:
	@for m in $(backwards); do \
		! grep -q "^$$m " /proc/modules || $(SUDO) rmmod $$m || exit 1; \
	done

clean:
	@if [ -e "$(KDIR)/Makefile" ]; then $(MAKE) -C "$(KDIR)" M="$(CURDIR)" clean; fi
	@rm -f include/probes/features.h

help:
	@echo "mmkit $(version)"
	@echo
	@echo "  make             build the modules (KVER= or KDIR= choose the kernel; now $(KVER))"
	@echo "  make demo        see it at work: a stock Debian kernel in a VM, nothing is loaded here"
	@echo "  make load        load the modules built here into the running kernel"
	@echo "  make unload      unload them"
	@echo "  make dkms        install by DKMS, rebuilt with each kernel update"
	@echo "  make install     install for one kernel only"
	@echo "  make install-headers  let other modules be built against the modules built here"
	@echo "  make uninstall   undo all of it"
	@echo "  make check       every test in VMs; K=6.1 one kernel, T=pagetab one test,"
	@echo "                   T=static, splat, unit, symbols, dkms, ibt or figures one of the other stages"
	@echo "  make check-debug the same cases on kernels with KASAN, lockdep, kmemleak..., which it builds"
	@echo "  make soak        half an hour of everything at once on each kernel (K=6.12 on one, MINUTES=5);"
	@echo "                   T=torture one test, or T='*' all, with many more rounds: takes hours"
	@echo "  make shell       interactive VM with the suite loaded (K=6.1)"
	@echo "  make bench       count instructions, ours and those of others; K=6.12, B=profiler,"
	@echo "                   SVG=FILE draws them"
	@echo "  make clean       remove what make built here"
	@echo
	@echo "Downloads and test builds are kept in \$$MMKIT_CACHE (default: ~/.cache/mmkit)."
