# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# A fleet of one node: a VM's metrics, served by node_exporter's textfile collector, scraped by
# Prometheus with the rules of examples/prometheus. Sourced after scripts/lib.sh, with a folder
# $work to fill; fleet_stop ends what was started.

# shellcheck disable=SC2154 # work is the caller's

FLEET=$TOP/tests/fleet
FLEET_PACKAGES="curl jq prometheus prometheus-node-exporter"
FLEET_SECONDS=60	# that Prometheus may take to see what it is to see

# For the callers.
export FLEET_PACKAGES

fleet_pids=()
prometheus=
exporter=

# fleet_record FRAMES: runs the tenants of guest.sh; each frame is a file NUMBER.PHASE of
# $work/frames.
fleet_record()
{
	rm -rf "$work/frames"
	mkdir "$work/frames"
	"$SCRIPTS/vm" -k 6.1 --mem 512 --load=policy=enforce --timeout 600 \
		--add "$FLEET/guest.sh:/guest.sh" --add "$TOP/tests/tap.sh:/tests/tap.sh" \
		-- "FRAMES=$1 sh /guest.sh" >"$work/recorded" || return
	awk -v folder="$work/frames" '
		/^#frame / { file = sprintf("%s/%03d.%s", folder, ++n, $2); next }
		/^#end/ { close(file); next }
		{ print >file }' "$work/recorded"
}

# frames_of PHASE
frames_of()
{
	printf '%s\n' "$work/frames"/*."$1"
}

# fleet_start NAME COMMAND...: runs it; where it listens, in $address.
fleet_start()
{
	local name=$1 i

	shift
	: >"$work/$name.log"
	setpriv --pdeathsig KILL "$@" >"$work/$name.log" 2>&1 &
	fleet_pids+=("$!")
	for ((i = 0; i < FLEET_SECONDS * 10; i++)); do
		address=$(sed -n 's/.*msg="Listening on" address=\([0-9.:]*\).*/\1/p' "$work/$name.log")
		[[ ! $address ]] || return 0
		sleep 0.1
	done
	cat "$work/$name.log" >&2
	return 1
}

# rules: those of examples/, but that what they wait for lasts a moment only.
rules()
{
	sed 's/^\( *for:\) .*/\1 2s/' "$TOP/examples/prometheus/gpu_dma_lock.rules.yml"
}

# fleet_serve: sets exporter and prometheus, where they listen.
fleet_serve()
{
	local address

	rm -rf "$work/textfile" "$work/data"
	mkdir "$work/textfile"
	fleet_start exporter prometheus-node-exporter --collector.disable-defaults \
		--collector.textfile --collector.textfile.directory="$work/textfile" \
		--web.listen-address=127.0.0.1:0 || return
	exporter=$address
	rules >"$work/rules.yml"
	cat >"$work/prometheus.yml" <<-END
	global: {scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}
	rule_files: [rules.yml]
	scrape_configs:
	  - job_name: node
	    static_configs:
	      - targets: ["$exporter"]
	        labels: {instance: node-1}
	END
	fleet_start prometheus prometheus --config.file="$work/prometheus.yml" \
		--storage.tsdb.path="$work/data" --web.listen-address=127.0.0.1:0 || return
	prometheus=$address
	fleet_until curl -sf "http://$prometheus/-/ready"
}

fleet_stop()
{
	((${#fleet_pids[@]} == 0)) || kill "${fleet_pids[@]}" 2>/dev/null || true
	wait "${fleet_pids[@]}" 2>/dev/null || true
	fleet_pids=()
}

# fleet_show FRAME: as gpu-dma-lock-metrics.service writes it.
fleet_show()
{
	cp "$1" "$work/textfile/gpu_dma_lock.new"
	mv "$work/textfile/gpu_dma_lock.new" "$work/textfile/gpu_dma_lock.prom"
}

# fleet_until COMMAND...: false if it is not true in time.
fleet_until()
{
	local i

	for ((i = 0; i < FLEET_SECONDS * 4; i++)); do
		! "$@" >/dev/null || return 0
		sleep 0.25
	done
	return 1
}

# ask WHAT [KEY=VALUE]...: of Prometheus' API; prints its data.
ask()
{
	local what=$1 pair arguments=()

	shift
	for pair; do
		arguments+=(--data-urlencode "$pair")
	done
	curl -sG "http://$prometheus/api/v1/$what" "${arguments[@]}" |
		jq -e 'if .status == "success" then .data else error(.error) end'
}

# panel_queries FILE: of a dashboard, a line of JSON each: panel, expr, and the rest of the target.
panel_queries()
{
	jq -c '.panels[] | select(.targets) | .title as $panel | .targets[] | . + {panel: $panel}' "$1"
}

# of_query TEXT: what Grafana would ask for: all nodes, and as short as scrapes here are.
of_query()
{
	# shellcheck disable=SC2016 # Grafana's variables
	sed 's/\$instance/.*/g; s/\$__rate_interval/5s/g' <<<"$1"
}
