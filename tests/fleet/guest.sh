#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# usage: FRAMES=N guest.sh
#
# In a guest: tenants in cgroups of their own get real buffers, one nears its quota, is refused, and
# gives back. Of each phase, N times, the metrics are printed as the textfile collector wants them,
# between a line `#frame PHASE` and `#end`.

# shellcheck source=tests/tap.sh
. /tests/tap.sh

cgroups=/sys/fs/cgroup
proc=/proc/swarm/gpu

# in_cgroup PATH OPTIONS...: gembuf, instead of this shell
in_cgroup() {
	path=$1
	shift
	exec sh -c 'echo $$ >"$0/cgroup.procs" && exec gembuf "$@"' "$cgroups$path" "$@"
}

# holds PATH OPTIONS...: a process there that gets buffers, and has them until it is killed
holds() {
	rm -f /tmp/client
	(in_cgroup "$@" -w >/tmp/client 2>&1) &
	client=$!
	wait_until grep -qs ready /tmp/client || give_up "$* $(cat /tmp/client)"
}

# refused PATH OPTIONS...
refused() {
	! (in_cgroup "$@") >/tmp/out 2>&1 || give_up "$*: was not refused"
	grep -q 'Disk quota exceeded' /tmp/out || give_up "$(cat /tmp/out)"
}

give_up() {
	echo "guest: $*" >&2
	exit 1
}

# ends PID: and its buffers go
ends() {
	kill "$1"
	wait "$1" 2>/dev/null
}

frame() {
	echo "#frame $phase"
	gpu-dma-lock metrics --textfile || exit
	echo "#end"
}

# frames [COMMAND...]: as many, before each COMMAND, and some pod has come and gone
frames() {
	for i in $(seq "$FRAMES"); do
		"$@"
		[ -z "$batch" ] || ends "$batch"
		holds /pods/batch -d vgem -s "$((i % 4 + 2))M"
		batch=$client
		frame
	done
}

mkdir -p $cgroups/tenants/render $cgroups/tenants/training $cgroups/pods
gpu-dma-lock agent add 7 48M render || exit
gpu-dma-lock bind 7 cgroup:/tenants/render || exit
gpu-dma-lock agent add 8 64M training || exit
gpu-dma-lock bind 8 cgroup:/tenants/training || exit
gpu-dma-lock template '/pods/*' 16M || exit
mkdir $cgroups/pods/web $cgroups/pods/batch
gpu=$(awk '$3 == "virtio_gpu" { print $1 }' $proc/devices)
gpu-dma-lock quota 7 44M "$gpu" || exit

batch=
phase=calm
holds /pods/web -d virtio_gpu -n 4 -s 1M
holds /tenants/render -d virtio_gpu -n 3 -s 4M
holds /tenants/training -d bochs-drm -n 2 -s 2M
frames

phase=busy
grows() {
	holds /tenants/render -d virtio_gpu -s "$((24 / FRAMES))M" -i vgem
}
holds /tenants/training -d vgem -n 8 -s 4M
frames grows

phase=near
holds /tenants/training -d vgem -n 6 -s 4M
more=$client
frames

phase=refused
buffer=$(awk '$2 == 7 { print $1; exit }' $proc/allocations)
gpu-dma-lock lock "$buffer" 7 exclusive || exit
gpu-dma-lock lock "$buffer" 8 exclusive &
waiter=$!
asks() {
	refused /tenants/training -d vgem -n 3 -s 4M
}
frames asks

phase=clear
gpu-dma-lock unlock "$buffer" 7 || exit
wait "$waiter" || give_up "the lock was not passed on"
gpu-dma-lock unlock "$buffer" 8 || exit
ends "$more"
frames
