#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# With the packages and a template, containers of crun are agents of their own, which are
# refused at their limit, and gone with them; so are those of examples/oci, by an annotation.

# shellcheck disable=SC2317 # functions are called through succeeds

# shellcheck source=tests/tap.sh
. "$(dirname "$0")/../tap.sh"
# shellcheck source=tests/system/state.sh
. "$(dirname "$0")/state.sh"

bundle=/run/vm/bundle
TEMPLATE='template /machine.slice/crun-*.scope 4M'

# That of tap.sh's wait_until is busybox's.
usleep() {
	sleep 0.05
}

# configure: limits are to hold, and each container gets one.
configure() {
	sed -i 's/^#\(options gpu_dma_lock policy=\).*/\1enforce/' /etc/modprobe.d/gpu-dma-lock.conf &&
		echo "$TEMPLATE" >/etc/gpu-dma-lock/control.conf
}

# devices: of DRM, as config.json wants them
devices() {
	for card in /dev/dri/card*; do
		printf '%s{"path": "%s", "type": "c", "major": 226, "minor": %d, "fileMode": 438}' \
			"$comma" "$card" "${card#/dev/dri/card}"
		comma=', '
	done
}

# make_bundle SLICE [MORE]: gembuf, which keeps four buffers of 1 MiB of virtio-gpu
make_bundle() {
	comma=
	mkdir -p $bundle/rootfs/dev $bundle/rootfs/proc
	cp /run/vm/gembuf $bundle/rootfs/
	cat >$bundle/config.json <<-END
	{
		"ociVersion": "1.0.2",
		"process": {
			"user": { "uid": 0, "gid": 0 }, "cwd": "/", "env": ["PATH=/"],
			"args": ["/gembuf", "-d", "virtio_gpu", "-n", "4", "-s", "1M", "-w"]
		},
		"root": { "path": "rootfs", "readonly": true },
		"mounts": [
			{ "destination": "/proc", "type": "proc", "source": "proc" },
			{ "destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["mode=755"] }
		],${2:-}
		"linux": {
			"cgroupsPath": "$1:crun:NAME",
			"namespaces": [{ "type": "pid" }, { "type": "mount" }, { "type": "ipc" },
				{ "type": "uts" }, { "type": "network" }],
			"devices": [$(devices)],
			"resources": { "devices": [{ "allow": false, "access": "rwm" },
				{ "allow": true, "type": "c", "major": 226, "access": "rwm" }] }
		}
	}
	END
}

# starts NAME: a container
starts() {
	sed "s/NAME/$1/" "$bundle/config.json" >"$bundle/$1.json"
	crun --systemd-cgroup run --detach --bundle "$bundle" --config "$bundle/$1.json" "$1" \
		>"/run/$1" 2>&1 </dev/null || { cat "/run/$1"; return 1; }
}

# agent_named NAME: its id
agent_named() {
	awk -v name="$1" '
		NR == 1 { for (i = 1; i <= NF; i++) if ($i == "NAME") column = i }
		NR > 1 && $column == name { print $1 }' "$gpu/agents"
}

# has NAME VALUE COLUMNS: of the agent's row
has() {
	[ "$(of_agent "$(agent_named "$1")" "$3")" = "$2 " ]
}

# is_gone NAME: the agent
is_gone() {
	[ -z "$(agent_named "$1")" ]
}

# is_there CONTAINER AGENT: and has its four buffers
is_there() {
	succeeds "container $1 starts" starts "$1"
	succeeds "is an agent, and has all that it may" wait_until has "$2" "4 4194304" "BUFFERS USED"
}

# is_refused CONTAINER AGENT: a page more
is_refused() {
	crun exec "$1" /gembuf -d virtio_gpu -s 4K >/run/refused 2>&1
	is "$? $(grep -c 'Disk quota exceeded' /run/refused)" "1 1" "$1: a page more is EDQUOT"
	succeeds "$1: it is counted" has "$2" 1 DENIED
}

# ends CONTAINER AGENT
ends() {
	succeeds "$1: is killed" crun delete --force "$1"
	succeeds "$1: its agent is gone" wait_until is_gone "$2"
}

# installs: the packages; the module is there already, see container.sh, so DKMS is to let it be
installs() {
	touch /etc/dkms/no-autoinstall &&
		install -D -t "/lib/modules/$(uname -r)/updates/dkms" /run/vm/gpu_dma_lock.ko && depmod &&
		dpkg -i "$(dirname "$0")"/../gpu-dma-lock-dkms_*_all.deb \
			"$(dirname "$0")"/../gpu-dma-lock_*.deb
}

# begins_anew: as a boot does
begins_anew() {
	systemctl stop gpu-dma-lock.service && rmmod gpu_dma_lock && modprobe gpu_dma_lock &&
		systemctl start gpu-dma-lock.service
}

web='/machine.slice/crun-web.scope'
batch='/machine.slice/crun-batch.scope'

succeeds "the packages install" installs
succeeds "the limit of containers is configured" configure
succeeds "the module begins with that" begins_anew
is "$(awk '$1 == "policy" { print $2 }' $gpu/stats)" enforce "limits hold"
is "$(awk 'NR > 1 { print $1, $2 }' $gpu/templates)" "/machine.slice/crun-*.scope 4194304" "the template is there"
before=$(of_agent 0 "BUFFERS PEAK")
make_bundle machine.slice
is_there web $web
is_refused web $web
is_there batch $batch
succeeds "each has what is its own" has $web "4 4194304" "BUFFERS USED"
is_refused batch $batch
ends web $web
ends batch $batch
is_there web $web
ends web $web
is "$(awk 'NR > 1 { print $3 }' $gpu/templates)" 0 "the template has no agents any more"

hook='{ "path": "/usr/libexec/oci/hooks.d/gpu-dma-lock" }'
install -D -t /usr/libexec/oci/hooks.d /run/vm/oci/gpu-dma-lock
make_bundle system.slice "
		\"annotations\": { \"gpu-dma-lock.quota\": \"4M\" },
		\"hooks\": { \"createRuntime\": [$hook], \"poststop\": [$hook] },"
is_there job oci-job
is_refused job oci-job
ends job oci-job
is "$(of_agent 0 "BUFFERS PEAK")" "$before" "no buffer of a container was agent 0's"
tap_done
