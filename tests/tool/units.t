#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The units of examples/systemd, and of nvml, are what systemd takes.

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
tap_done
