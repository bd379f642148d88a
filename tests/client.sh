# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
# A process that holds buffers, for the shell tests, the twin of client.h. Source it
# after tap.sh: . "$(dirname "$0")/client.sh"

# start_client ARGUMENTS...: gembuf with these; it has its buffers when this returns
start_client() {
	# The last one's word would be taken for this one's.
	rm -f /tmp/client
	gembuf "$@" -w >/tmp/client 2>&1 &
	client=$!
	wait_until grep -qs ready /tmp/client || bail "no client: $(cat /tmp/client)"
}

# stop_client: its buffers go
stop_client() {
	kill "$client"
	wait "$client" 2>/dev/null
}
