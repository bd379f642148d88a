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
faulty 's/hostPID: true/hostPid: true/' "DaemonSet.spec.template.spec.hostPid: there is no such field"
faulty 's/hostPID: true/hostPID: "yes"/' "DaemonSet.spec.template.spec.hostPID: 'yes' is not of type bool"
faulty 's/- name: configure/- image: bash/' \
	'DaemonSet.spec.template.spec.containers[0]: Invalid value for `name`, must not be `None`'
faulty 's/kind: ConfigMap/kind: ConfigMaps/' "no kind ConfigMaps of v1"
tap_done
