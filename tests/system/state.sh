# shellcheck shell=sh
# SPDX-License-Identifier: GPL-2.0-only
# What the parts of the package's test share; sourced after tap.sh.

export DEBIAN_FRONTEND=noninteractive
gpu=/proc/swarm/gpu
# shellcheck disable=SC2034 # for those who source this
config=/etc/gpu-dma-lock
state=/root/state
RESTARTS=20

# told: what the module shows of what it was told. Not what is used: the kernel's own
# console has a buffer.
told() {
	awk '{ print $1, $5, $9 }' $gpu/agents
	awk '$3 != "max" { print $1, $2, $3 }' $gpu/quotas
	awk '$5 !~ /:/ { print $1, $2, $5 }' $gpu/devices
	awk '{ print $1, $2 }' $gpu/bindings
	awk '{ print $1, $2 }' $gpu/templates
	cat $gpu/dma_permissions
}

# of_agent ID COLUMNS: of its row in agents
of_agent() {
	awk -v id="$1" -v columns="$2" '
		NR == 1 { for (i = 1; i <= NF; i++) number[$i] = i }
		NR > 1 && $1 == id {
			n = split(columns, column, " ")
			for (i = 1; i <= n; i++)
				printf "%s ", $number[column[i]]
		}' $gpu/agents
}

# state_of CGROUP: of its binding
state_of() {
	awk -v binding="cgroup:$1" '
		NR == 1 { for (i = 1; i <= NF; i++) if ($i == "STATE") column = i }
		$2 == binding { print $column }' $gpu/bindings
}

# tenant9 VERB: has systemctl do it, after which the service has tried to get five
# buffers, one more than it may have, and then taken four. Fails if it has not those.
tenant9() {
	rm -f /run/tenant9
	systemctl "$1" tenant9.service || return
	for _ in $(seq 100); do
		! grep -q ready /run/tenant9 || break
		sleep 0.1
	done
	[ "$(of_agent 9 "BUFFERS USED")" = "4 1048576 " ]
}

# restarts NAME: the limit holds each time, and nothing is agent 0's, not for a moment.
restarts() {
	printf 'reset_agent %s\n' 0 9 >$gpu/control
	before=$(of_agent 0 "BUFFERS PEAK")
	renewed=$(awk '$1 == "bindings_renewed" { print $2 }' $gpu/stats)
	right=0
	for _ in $(seq $RESTARTS); do
		! tenant9 restart || right=$((right + 1))
	done
	renewed=$(awk -v old="$renewed" '$1 == "bindings_renewed" { print $2 - old }' $gpu/stats)
	is "$right" $RESTARTS "$1: it gets what it may have each time"
	is "$(of_agent 9 DENIED)" "$RESTARTS " "$1: and once more is refused each time"
	is "$(of_agent 0 "BUFFERS PEAK")" "$before" "$1: no buffer was agent 0's"
	is "$renewed" $RESTARTS "$1: its cgroup was another one each time"
	is "$(state_of /system.slice/tenant9.service)" bound "$1: it is bound"
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
