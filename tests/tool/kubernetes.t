#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# What examples/ has in YAML is well written, and what it has for Kubernetes as its API wants it.

# shellcheck disable=SC2016,SC2317 # words of others in backticks; functions are called by succeeds
. "$(dirname "$0")/lib.sh"

RULES='{extends: default, rules: {line-length: {max: 170}, document-start: disable}}'
examples=$here/../../examples
daemonset=$examples/kubernetes/daemonset.yaml

# fits FILE
fits() {
	"$here/kubernetes-schema" <"$1"
}

# faulty SED WORDS: the DaemonSet, changed by SED, is refused with WORDS
faulty() {
	sed "$1" "$daemonset" >"$work/faulty.yaml"
	"$here/kubernetes-schema" <"$work/faulty.yaml" >"$work/out"
	is "$? $(cat "$work/out")" "1 $2" "a fault is found: $1"
}

"$here/../../scripts/packages" python3-kubernetes python3-yaml yamllint
for file in "$examples"/*/*.y*ml; do
	succeeds "${file#"$examples/"}" yamllint --strict -d "$RULES" "$file"
done
succeeds "the objects are as Kubernetes wants them" fits "$daemonset"
is "$(grep -c '^kind:' "$daemonset")" 3 "which are three"
# runs: what the container does, with programs that write down what they are told
runs() {
	mkdir -p "$work/bin" "$work/mount"
	echo "policy enforce" >"$work/mount/commands"
	cat >"$work/bin/nsenter" <<-'END'
		#!/bin/sh
		cat >>"$work/set"
		[ ! -e "$work/refuse" ]
	END
	cat >"$work/bin/sleep" <<-'END'
		#!/bin/sh
		[ "$(wc -l <"$work/set")" -lt 3 ]
	END
	chmod +x "$work"/bin/*
	python3 -c 'import sys, yaml
print(list(yaml.safe_load_all(sys.stdin))[2]["spec"]["template"]["spec"]["containers"][0]["args"][0])' \
		<"$daemonset" | sed "s|/etc/gpu-dma-lock|$work/mount|" >"$work/script"
	: >"$work/set"
	env work="$work" PATH="$work/bin:$PATH" timeout 60 sh -ec "$(cat "$work/script")"
}

runs
is "$? $(wc -l <"$work/set")" "1 3" "the commands are given to the module again and again"
: >"$work/refuse"
runs
is "$? $(wc -l <"$work/set")" "1 1" "the container fails where the module refuses one"

faulty 's/hostPID: true/hostPid: true/' "DaemonSet.spec.template.spec.hostPid: there is no such field"
faulty 's/hostPID: true/hostPID: "yes"/' "DaemonSet.spec.template.spec.hostPID: 'yes' is not of type bool"
faulty 's/- name: configure/- image: bash/' \
	'DaemonSet.spec.template.spec.containers[0]: Invalid value for `name`, must not be `None`'
faulty 's/kind: ConfigMap/kind: ConfigMaps/' "no kind ConfigMaps of v1"
tap_done
