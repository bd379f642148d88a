#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# With the newer kernel, and faults in the files: the rest is back; then all is removed.

# shellcheck disable=SC2317 # functions are called through succeeds

# shellcheck source=tests/tap.sh
. "$(dirname "$0")/../tap.sh"
# shellcheck source=tests/system/state.sh
. "$(dirname "$0")/state.sh"

# journal_has TEXT
journal_has() {
	journalctl -b -u gpu-dma-lock.service -o cat | grep -qxF "$1" || {
		journalctl -b -u gpu-dma-lock.service --no-pager
		return 1
	}
}

# traces: whatever is named after the package or the module, but for what the test itself
# has put there.
traces() {
	find / -xdev \( -iname '*gpu-dma-lock*' -o -iname '*gpu_dma_lock*' \) -not -path '/root/*'
	grep -ls gpu_dma_lock /lib/modules/*/modules.*
	lsmod | grep gpu_dma_lock
	ls -d /proc/swarm 2>/dev/null
	dkms status -m gpu-dma-lock
	systemctl list-unit-files --no-legend 'gpu-dma-lock*'
	dpkg -l 'gpu-dma-lock*' 2>/dev/null | grep '^[^|+D]'
}

no_range='"0x1000-" is not a range or buf=ID'

is "$(uname -r | cut -d . -f 1,2)" 6.12 "the newer kernel runs"
ok "$([ -e $gpu/control ]; echo $?)" "the module is loaded at boot"
is "$(cat /sys/module/gpu_dma_lock/parameters/policy)" enforce "with the parameter of modprobe.d"
succeeds "a fault in quotas is told by file and line" \
	journal_has "$config/quotas.conf:2: 7 eight: Invalid argument: \"eight\" is not a size or max"
succeeds "one in commands" journal_has \
	"$config/control.conf:2: frobnicate 7: Invalid argument: \"frobnicate\" is not a command"
succeeds "one in permissions" \
	journal_has "$config/dma_permissions.conf:2: 7:0x1000-:r: Invalid argument: $no_range"
is "$(systemctl is-failed gpu-dma-lock.service)" failed "the unit says that something failed"
is "$(systemctl is-active multi-user.target tenant8.service | tr '\n' ' ')" "active active " \
	"nothing else was stopped by it"
same_state "upgraded"
succeeds "the lines that failed are kept" grep -qx "frobnicate 7" $config/failed/control.conf

rm -r /etc/systemd/system/gpu-dma-lock-save.service.d
systemctl daemon-reload
succeeds "the packages purge" dpkg -P gpu-dma-lock gpu-dma-lock-dkms
is "$(traces)" "" "nothing of it is left"
tap_done
