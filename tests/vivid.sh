#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# A v4l2 device is no GPU, but exports and imports dma-bufs: vivid's capture and
# output stream to one another by v4l2-ctl. Rows show meanwhile, none stays.
#
# vm: --load --gpu virtio --mem 768 --timeout 200

# shellcheck disable=SC2317 # functions are called through succeeds and fails
. "$(dirname "$0")/tap.sh"

proc=/proc/swarm/gpu

rows() {
	awk 'NR > 1' "$proc/$1" | wc -l
}

# cells TABLE COLUMN: the different ones
cells() {
	awk -v column="$2" '
		NR == 1 { for (i = 1; i <= NF; i++) if ($i == column) k = i }
		NR > 1 { print $k }' "$proc/$1" | sort -u | xargs
}

stat_of() {
	sed -n "s/^$1 //p" "$proc/stats"
}

lost() {
	awk '$1 ~ /_(stale|lost|missed|failed|short)$/ && $1 != "commands_failed" && $2 != 0' \
		"$proc/stats"
}

has_rows() {
	[ "$(rows "$1")" -ge "$2" ]
}

has_none() {
	[ "$(rows "$1")" = 0 ]
}

none_charged() {
	[ "$(stat_of charged_bytes)" = 0 ]
}

# is_stopped PID: by a signal, so that it changes nothing
is_stopped() {
	grep -q '^State:.*T' "/proc/$1/status"
}

# node WORD: the video node of vivid whose name ends so
node() {
	for name in /sys/class/video4linux/video*/name; do
		case $(cat "$name") in
		vivid-000-vid-"$1") basename "$(dirname "$name")" ;;
		esac
	done
}

# Bytes of all dma-bufs, as the kernel counts them
bufinfo_bytes() {
	sed -n 's/^Total [0-9]* objects, \([0-9]*\) bytes$/\1/p' /sys/kernel/debug/dma_buf/bufinfo
}

# bufinfo_exporters: the different ones
bufinfo_exporters() {
	awk '$1 ~ /^[0-9]+$/ && NF >= 6 { print $5 }' /sys/kernel/debug/dma_buf/bufinfo | sort -u | xargs
}

# bufinfo_importers: how many attachments the kernel has
bufinfo_importers() {
	sed -n 's/^Total \([0-9]*\) devices attached$/\1/p' /sys/kernel/debug/dma_buf/bufinfo |
		awk '{ n += $1 } END { print n + 0 }'
}

# stream NAME ATTACHED OPTION...: streams until it is stopped, and looks.
stream() {
	name=$1 attached=$2
	shift 2
	/host/v4l2-ctl -d "/dev/$capture" -e "/dev/$output" "$@" >/tmp/out 2>&1 &
	client=$!
	if ! succeeds "$name: dma-bufs show" wait_until has_rows allocations 2; then
		note "$(cat /tmp/out)"
	fi
	[ "$attached" = 0 ] || succeeds "$name: attachments show" wait_until has_rows attachments 2
	succeeds "$name: frames are streamed" wait_until grep -q ' fps' /tmp/out || note "$(cat /tmp/out)"
	kill -STOP "$client"
	wait_until is_stopped "$client" || bail "v4l2-ctl does not stop"
	is "$(cells allocations EXPORTER)" "$(bufinfo_exporters)" "$name: EXPORTER"
	is "$(cells allocations KIND)" dmabuf "$name: KIND"
	is "$(cells allocations DEVICE)" - "$name: of no GPU"
	is "$(cells allocations COMM)" v4l2-ctl "$name: COMM"
	is "$(stat_of charged_bytes)" "$(bufinfo_bytes)" "$name: charged what the kernel counts"
	is "$(rows attachments)" "$(bufinfo_importers)" "$name: attached what the kernel counts"
	if [ "$attached" != 0 ]; then
		case $(cells attachments IMPORTER_DEVICE) in
		vivid.0) ok 0 "$name: IMPORTER_DEVICE is no GPU" ;;
		*) ok 1 "$name: IMPORTER_DEVICE is no GPU"; note "$(cat $proc/attachments)" ;;
		esac
		is "$(cells attachments COMM)" v4l2-ctl "$name: importer's COMM"
		is "$(cells attachments DIRECTION | xargs -n 1 | grep -v '^-$')" "$direction" \
			"$name: mapped, $direction"
	fi
	kill -CONT "$client"
	kill "$client"
	wait "$client" 2>/dev/null
	succeeds "$name: no dma-buf is left" wait_until has_none allocations
	succeeds "$name: no attachment is left" wait_until has_none attachments
	succeeds "$name: nothing is charged" wait_until none_charged
}

# formats: the same for both ends, and small, so that frames come in time.
formats() {
	capture=$(node cap)
	output=$(node out)
	[ "$capture" ] || bail "vivid has no capture"
	[ "$output" ] || bail "vivid has no output"
	/host/v4l2-ctl -d "/dev/$capture" -v width=320,height=180,pixelformat=GREY >/tmp/out 2>&1
	/host/v4l2-ctl -d "/dev/$output" -x width=320,height=180,pixelformat=GREY >>/tmp/out 2>&1
}

# Memory of vmalloc is read by the CPU; nobody attaches.
modprobe vivid n_devs=1 || skip_all "no vivid"
formats
stream "capture imports" 0 --stream-dmabuf --stream-out-mmap
stream "output imports" 0 --stream-mmap --stream-out-dmabuf
wait_until rmmod vivid || bail "vivid does not go"

# DMA memory is attached and mapped.
modprobe vivid n_devs=1 allocators=1
formats
direction=from_device
stream "capture attaches" 1 --stream-dmabuf --stream-out-mmap
direction=to_device
stream "output attaches" 1 --stream-mmap --stream-out-dmabuf
echo "policy enforce" >"$proc/control"
stream "enforce" 1 --stream-mmap --stream-out-dmabuf
is "$(lost)" "" "nothing was lost"
succeeds "vivid goes" wait_until rmmod vivid
tap_done
