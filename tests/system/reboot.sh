#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# After a reboot: all is back; then a newer kernel is installed.

# shellcheck disable=SC2317 # functions are called through succeeds

# shellcheck source=tests/tap.sh
. "$(dirname "$0")/../tap.sh"
# shellcheck source=tests/system/state.sh
. "$(dirname "$0")/state.sh"

# The start of a command line that makes a process of the tenant.
in_slice="systemd-run -q --scope --slice=tenants.slice"

has_buffer() {
	awk -v agent="$1" '$2 == agent && $4 == 65536 { found = 1 } END { exit !found }' "$gpu/allocations"
}

# A buffer of a process in the slice belongs to the agent that the slice is bound to.
buffer_of() {
	$in_slice /run/vm/gembuf -d virtio_gpu -s 64K -w >/run/buffer 2>&1 &
	for _ in $(seq 100); do
		! has_buffer "$1" || break
		sleep 0.2
	done
	has_buffer "$1"
	found=$?
	kill $!
	cat /run/buffer
	return "$found"
}

too_large() {
	! $in_slice /run/vm/gembuf -d virtio_gpu -s 16M 2>/run/large && grep "quota exceeded" /run/large
}

# refused_by ERROR LOG: as docs/secure-boot.md tells of a key that is not trusted.
refused_by() {
	modprobe gpu_dma_lock 2>/run/refused && return 1
	cat /run/refused
	dmesg | tail
	grep -q "could not insert 'gpu_dma_lock': $1\$" /run/refused && dmesg | grep -q "$2"
}

# plant_faults: of which restoring must tell, and do all the rest.
plant_faults() {
	sed -i '2i 7 eight' $config/quotas.conf
	sed -i '1a frobnicate 7' $config/control.conf
	sed -i '2i 7:0x1000-:r' $config/dma_permissions.conf
}

ok "$([ -e $gpu/control ]; echo $?)" "the module is loaded at boot"
is "$(cat /sys/module/gpu_dma_lock/parameters/policy)" enforce "with the parameter of modprobe.d"
is "$(systemctl is-failed gpu-dma-lock.service)" active "all that was saved was restored"
same_state "rebooted"
is "$(state_of /tenants.slice) $(state_of /system.slice/tenant8.service)" "waiting bound" \
	"what has come is bound, what has not is waited for"
is "$(state_of /system.slice/tenant9.service)" waiting "so is what is not started at boot"
succeeds "it gets what it may have when it starts" tenant9 start
restarts "rebooted"
same_state "restarted"
succeeds "a buffer made in the slice is its agent's" buffer_of 7
succeeds "the quota of the slice's agent holds" too_large

version=$(basename /var/cache/kernels/6.12/linux-image-6.12.*-amd64_*.deb)
version=${version#linux-image-}
version=${version%%_*}
succeeds "a newer kernel installs" dpkg -i /var/cache/kernels/6.12/*.deb
succeeds "the module is built for it" built_for "$version"
succeeds "it is still there for the running kernel" built_for "$(uname -r)"
ok "$([ -e "/boot/initrd.img-$version" ]; echo $?)" "the newer kernel can be booted"

# Saves now, so that not even shutdown writes over the faults.
succeeds "stopping the unit saves" systemctl stop gpu-dma-lock-save.service
same_state "saved"
plant_faults

rmmod gpu_dma_lock
echo integrity >/sys/kernel/security/lockdown
succeeds "a kernel that is locked down refuses the module" refused_by "Operation not permitted" \
	"Lockdown: modprobe: unsigned module loading is restricted; see man kernel_lockdown.7"
echo 1 >/sys/module/module/parameters/sig_enforce
succeeds "so does one that wants signatures" refused_by "Key was rejected by service" \
	"Loading of module with unavailable key is rejected"
tap_done
