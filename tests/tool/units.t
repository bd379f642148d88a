#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The units, and those of examples/systemd, are what systemd takes; what could not be restored is
# kept.

. "$(dirname "$0")/lib.sh"

examples=$here/../../examples/systemd

# verifies NAME UNIT: a folder with units, in which the tool is /bin/true
verifies() {
	sed -i 's|=\(+\?\)\(/usr/sbin/\)\?gpu-dma-lock |=\1/bin/true |' "$dir"/*.service "$dir"/*.d/*.conf
	is "$(systemd-analyze verify --man=no "$dir/$2" 2>&1)" "" "$1"
}

"$here/../../scripts/packages" systemd
dir=$work
mkdir "$dir/job.service.d"
cp "$examples/gpu-dma-lock-slice@.service" "$dir/gpu-dma-lock-slice@ml.service"
printf '[Service]\nExecStart=/bin/true\n' >"$dir/job.service"
cp "$examples/one-service.conf" "$dir/job.service.d/gpu.conf"
verifies "the limit of a slice" gpu-dma-lock-slice@ml.service
verifies "the drop-in of a service" job.service
cp "$here/../../gpu-dma-lock-nvml.service" "$dir"
verifies "the service of nvml" gpu-dma-lock-nvml.service
cp "$here/../../gpu-dma-lock.service" "$dir"
verifies "the service that restores" gpu-dma-lock.service

# restores COMMAND: what the unit runs, with COMMAND for restore, in the folder of what was saved
restores() {
	script=$(sed -n "s|^ExecStart=/bin/sh -c '\(.*\)'$|\1|p" "$here/../../gpu-dma-lock.service")
	script=${script//\$\$/\$}
	[ "$script" ] && (cd "$work/config" && sh -c "${script/\/usr\/sbin\/gpu-dma-lock restore/$1}")
}

# kept: what is in the folder of what failed
kept() {
	(cd "$work/config/failed" && grep -H . -- * | tr '\n' ' ')
}

mkdir "$work/config"
echo 1 >"$work/config/quotas.conf"
restores true
is "$? $(ls "$work/config")" "0 quotas.conf" "what can be restored is not kept"
restores "(exit 2)"
is "$? $(kept)" "2 quotas.conf:1 " "what cannot is"
restores false
is "$? $(kept)" "1 quotas.conf:1 " "once"
touch -d "1 minute" "$work/config/quotas.conf"
echo 2 >"$work/config/quotas.conf"
touch -d "1 minute" "$work/config/quotas.conf"
restores false
is "$? $(kept)" "1 quotas.conf:2 quotas.conf.~1~:1 " "beside what failed before"
tap_done
