#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# usage: tests/fleet/fleet.sh
#
# A real Prometheus sees real tenants: a VM's metrics of each phase of guest.sh go through
# node_exporter into Prometheus, whose API tells that alerts fire and clear with them, and that
# each query of the Grafana dashboard returns data. The rules are those of examples/, but that
# `for:` is two seconds and not minutes. Prints TAP.

. "$(dirname -- "$0")/../../scripts/lib.sh"
. "$(dirname -- "$0")/lib.sh"

FRAMES=2
DASHBOARD=$TOP/examples/grafana/gpu-dma-lock.json
checks=0
failed=0

# check WHAT COMMAND...: a check that COMMAND succeeds
check()
{
	local what=$1

	shift
	((++checks))
	if "$@"; then
		printf 'ok %d - %s\n' "$checks" "$what"
	else
		((++failed))
		printf 'not ok %d - %s\n' "$checks" "$what"
		ask alerts | jq -c '.alerts[] | [.labels.alertname, .state, .annotations.summary]' | sed 's/^/# /'
	fi
}

# alert_is STATE NAME [SUMMARY]: firing, and in whose words; or gone
alert_is()
{
	local got

	got=$(ask alerts | jq -r --arg name "$2" '
		[.alerts[] | select(.labels.alertname == $name)] |
		if length == 0 then "gone"
		else .[] | "\(.state) \(.annotations.summary)" end') || return
	[[ $got == "$1${3:+ $3}" ]]
}

# shows QUERY VALUE: what a query that has one result returns
shows()
{
	[[ $(ask query "query=$1" | jq -r '.result[0].value[1]') == "$2" ]]
}

# show_phase NAME: each frame for as long as two scrapes, then waits for the last
show_phase()
{
	local frame used

	for frame in "$work/frames"/*."$1"; do
		fleet_show "$frame"
		sleep 2
	done
	used=$(sed -n 's/^gpu_dma_lock_charged_bytes //p' "$frame")
	check "$1: Prometheus has what the VM said, $used bytes" \
		fleet_until shows gpu_dma_lock_charged_bytes "$used"
}

# has_data QUERY START: since then
has_data()
{
	ask query_range "query=$1" "start=$2" "end=$(date +%s)" step=1 |
		jq -e '.result | length > 0 and all(.values | length > 0)' >/dev/null
}

check_dashboard()
{
	local line query

	while IFS= read -r line; do
		query=$(of_query "$(jq -r .expr <<<"$line")")
		check "$(jq -r '"panel \(.panel), \(.refId): has data"' <<<"$line")" \
			fleet_until has_data "$query" "$1"
	done < <(panel_queries "$DASHBOARD")
}

run_phases()
{
	local start near='agent 8 training uses 93.75% of its quota'

	start=$(date +%s)
	show_phase calm
	check "no tenant is near its quota" alert_is gone GpuDmaLockNearQuota
	show_phase busy
	check "nor is one that is busy" alert_is gone GpuDmaLockNearQuota
	show_phase near
	check "an alert fires when one is" fleet_until alert_is firing GpuDmaLockNearQuota "$near"
	check "none was refused" alert_is gone GpuDmaLockAgentDenied
	show_phase refused
	check "an alert fires when it is refused" fleet_until alert_is firing GpuDmaLockAgentDenied \
		'agent 8 training was over its quota'
	check "and one for the node" fleet_until alert_is firing GpuDmaLockRefusals \
		'quota_denied has risen: gpu-dma-lock status on node-1 tells whose'
	show_phase clear
	check "the first alert clears when the tenant gives back" \
		fleet_until alert_is gone GpuDmaLockNearQuota
	check "no hook is missing" alert_is gone GpuDmaLockHookMissing
	check "nothing was lost" alert_is gone GpuDmaLockEventsLost
	check "the file is not stale" alert_is gone GpuDmaLockStale
	check_dashboard "$start"
}

# shellcheck disable=SC2317 # called by trap
cleanup()
{
	fleet_stop
	rm -rf -- "$work"
}

main()
{
	case ${1:-} in
	-h | --help) sed -n '3,/^$/s/^# \{0,1\}//p' "$0"; return ;;
	esac
	# shellcheck disable=SC2086 # one word a package
	"$SCRIPTS/packages" $FLEET_PACKAGES
	make_work fleet
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP
	check "tenants in a VM went through all phases" fleet_record "$FRAMES"
	((failed)) || check "node_exporter and Prometheus serve" fleet_serve
	((failed)) || run_phases
	printf '1..%d\n' "$checks"
	((failed == 0))
}

main "$@"
