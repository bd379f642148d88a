#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# A new system: installs the package, and tells the module what is to last.

# shellcheck disable=SC2317 # functions are called through succeeds

# shellcheck source=tests/tap.sh
. "$(dirname "$0")/../tap.sh"
# shellcheck source=tests/system/state.sh
. "$(dirname "$0")/state.sh"

# A slice and a service that tenants are bound by. The service in the slice is no part
# of multi-user.target, and both are gone in a moment when the system goes down.
start_tenants() {
	cat >/etc/systemd/system/tenant8.service <<-END
	[Service]
	ExecStart=/bin/sleep infinity
	[Install]
	WantedBy=multi-user.target
	END
	systemctl -q enable --now tenant8.service &&
		systemd-run -q --slice=tenants.slice --unit=tenant7 sleep infinity
}

# A service that wants more buffers than it may have, as often as it is started.
make_tenant9() {
	install -m 755 /run/vm/gembuf /usr/local/bin/gembuf
	echo vgem >/etc/modules-load.d/vgem.conf
	cat >/etc/systemd/system/tenant9.service <<-END
	[Unit]
	StartLimitIntervalSec=0
	[Service]
	Type=exec
	ExecStartPre=-/usr/local/bin/gembuf -n 5 -s 256K
	ExecStart=/usr/local/bin/gembuf -n 4 -s 256K -w
	StandardOutput=truncate:/run/tenant9
	END
	systemctl daemon-reload && modprobe vgem
}

# The longer saving takes, the surer is lost what is not kept waiting for it.
save_slowly() {
	mkdir -p /etc/systemd/system/gpu-dma-lock-save.service.d
	cat >/etc/systemd/system/gpu-dma-lock-save.service.d/slow.conf <<-END
	[Service]
	ExecStop=
	ExecStop=/bin/sleep 3
	ExecStop=/usr/sbin/gpu-dma-lock save
	END
	systemctl daemon-reload
}

tell_module() {
	device=$(awk 'NR == 2 { print $1 }' $gpu/devices)
	cat >$gpu/control <<-END &&
	create_agent 7 8M
	set_quota 7 4M $device
	create_agent 8
	set_quota 8 1G
	set_quota 0 64G
	set_capacity $device 256M
	bind 7 cgroup:/tenants.slice
	bind 8 cgroup:/system.slice/tenant8.service
	create_agent 9 1M tenant-9
	bind 9 cgroup:/system.slice/tenant9.service later
	template /machine.slice/* 32M
	END
	cat >$gpu/dma_permissions <<-END
	7:0x1000-0x1fff:r
	7:0x10000+64K:rw
	8:0x100000000+1G:w
	END
}

# A process is gone the next time, so its binding must not be saved.
bind_process() {
	echo "bind 8 pid:$$" >"$gpu/control"
}

succeeds "the packages install" dpkg -i "$(dirname "$0")"/../gpu-dma-lock-dkms_*_all.deb \
	"$(dirname "$0")"/../gpu-dma-lock_*.deb
succeeds "it is built for the running kernel" built_for "$(uname -r)"
ok "$([ -e $gpu/control ]; echo $?)" "the module is loaded at once"
gpu-dma-lock status >/run/status
is "$? $(head -n 1 /run/status)" "0 nothing needs attention" "and gpu-dma-lock works"
is "$(awk '$1 == "policy" { print $2 }' $gpu/stats)" audit "with its default policy"
is "$(systemctl is-enabled gpu-dma-lock.service gpu-dma-lock-save.service | tr '\n' ' ')" \
	"enabled enabled " "both units are enabled"
is "$(systemctl is-active gpu-dma-lock.service gpu-dma-lock-save.service | tr '\n' ' ')" \
	"active active " "both units are active"
is "$(modinfo -F version gpu_dma_lock)" "$(gpu-dma-lock --version | cut -d ' ' -f 2)" \
	"the module and the command have the same version"
# As docs/secure-boot.md tells.
is "$(modinfo -F sig_key gpu_dma_lock | tr -d :)" \
	"$(openssl x509 -inform der -in /var/lib/dkms/mok.pub -noout -serial | sed 's/serial=//')" \
	"the module is signed with the key of DKMS"

succeeds "tenants start" start_tenants
save_slowly
sed -i 's/^#\(options gpu_dma_lock policy=\).*/\1enforce/' /etc/modprobe.d/gpu-dma-lock.conf
succeeds "a service that wants too much is made" make_tenant9
ok "$(tell_module; echo $?)" "the module takes what it is told"
ok "$(keep_state; echo $?)" "this is kept to compare with"
echo policy enforce >$gpu/control
restarts "restarted"
same_state "restarted"
succeeds "the service stops" systemctl stop tenant9.service
is "$(state_of /system.slice/tenant9.service)" waiting "its binding waits"
same_state "stopped"
succeeds "a process is bound too" bind_process
tap_done
