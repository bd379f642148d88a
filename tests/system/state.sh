# shellcheck shell=sh
# SPDX-License-Identifier: GPL-2.0-only
# What the parts of the package's test share; sourced after tap.sh.

export DEBIAN_FRONTEND=noninteractive
gpu=/proc/swarm/gpu
# shellcheck disable=SC2034 # for those who source this
config=/etc/gpu-dma-lock
state=/root/state

# told: what the module shows of what it was told. Not what is used: the kernel's own
# console has a buffer.
told() {
	awk '{ print $1, $5, $9 }' $gpu/agents
	awk '$3 != "max" { print $1, $2, $3 }' $gpu/quotas
	awk '$5 !~ /:/ { print $1, $2, $5 }' $gpu/devices
	cat $gpu/bindings $gpu/dma_permissions
}

# keep_state: for same_state after the next boot.
keep_state() {
	told >$state.told && gpu-dma-lock save $state
}

# same_state NAME: byte for byte, in the tables and as it is saved.
same_state() {
	told >/run/told
	succeeds "$1: the tables are as before" diff $state.told /run/told
	rm -rf /run/saved
	gpu-dma-lock save /run/saved
	succeeds "$1: what would be saved is as before" diff -r $state /run/saved
}

# built_for VERSION: DKMS has the module for this kernel, and modprobe finds it.
built_for() {
	dkms status -m gpu-dma-lock -k "$1" | grep -q ': installed' &&
		[ "$(modinfo -k "$1" -F vermagic gpu_dma_lock | cut -d ' ' -f 1)" = "$1" ]
}
