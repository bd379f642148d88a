#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# examples/: what starts jobs calls them with its own words, about cgroups as it makes them:
# each job is an agent of its own, is refused at its limit, and its agent is gone after it.
# What reads them, Slurm, podman, Proxmox VE and Kubernetes, is not here.
#
# vm: -k 6.1 --load=policy=enforce --mem 768 --timeout 120

# shellcheck disable=SC2317 # functions are called through succeeds and fails
. "$(dirname "$0")/tap.sh"

proc=/proc/swarm/gpu
cgroups=/sys/fs/cgroup
examples=/host

# in_cgroup PATH COMMAND...
in_cgroup() {
	path=$1
	shift
	(sh -c 'echo $$ >"$0/cgroup.procs" && exec "$@"' "$cgroups$path" "$@")
}

# agent_named NAME: its id, or nothing
agent_named() {
	awk -v name="$1" '
		NR == 1 { for (i = 1; i <= NF; i++) if ($i == "NAME") c = i }
		NR > 1 && $c == name { print $1 }' "$proc/agents"
}

# limited PATH KIB WHOSE: processes of that cgroup get so much, and not a page more
limited() {
	in_cgroup "$1" gembuf -n $(($2 / 4)) -s 4K >/tmp/out 2>&1
	ok $? "$3 gets $2 KiB" || note "$(cat /tmp/out)"
	! in_cgroup "$1" gembuf -n $(($2 / 4 + 1)) -s 4K >/tmp/out 2>&1
	ok $? "$3 is refused a page more"
	grep -q 'Disk quota exceeded' /tmp/out
	ok $? "with EDQUOT" || note "$(cat /tmp/out)"
}

has_no_agent() {
	[ ! "$(agent_named "$1")" ]
}

# there NAME, gone NAME
there() {
	[ "$(agent_named "$1")" ]
	ok $? "there is an agent $1"
}

gone() {
	succeeds "there is no agent $1 any more" wait_until has_no_agent "$1"
}

# restored: as after a reboot, where what was set up is saved and restored.
restored() {
	gpu-dma-lock dump >/tmp/dump
	succeeds "what is set up is restored" gpu-dma-lock restore /tmp/dump
}

test_slurm() {
	scope=/system.slice/slurmstepd.scope
	export SLURM_JOB_ID=42 SLURM_JOB_GPUS=0,1 GPU_BYTES=131072
	succeeds "Slurm's prolog, of a job with two GPUs" "$examples/slurm/prolog"
	there slurm-42
	restored
	succeeds "the prolog again, as after a reboot" "$examples/slurm/prolog"
	mkdir -p "$cgroups$scope/job_42/step_0"
	limited "$scope/job_42/step_0" 256 "the job"
	rmdir "$cgroups$scope/job_42/step_0" "$cgroups$scope/job_42"
	succeeds "its epilog" "$examples/slurm/epilog"
	gone slurm-42
	succeeds "its epilog again" "$examples/slurm/epilog"
	SLURM_JOB_ID=43 SLURM_JOB_GPUS=
	succeeds "the prolog of a job without a GPU" "$examples/slurm/prolog"
	mkdir "$cgroups$scope/job_43"
	! in_cgroup "$scope/job_43" gembuf -s 4K >/tmp/out 2>&1
	ok $? "it gets nothing"
	rmdir "$cgroups$scope/job_43"
	succeeds "its epilog" "$examples/slurm/epilog"
}

# oci STATUS PID [ANNOTATION,]: the state that a runtime gives to a hook
oci() {
	printf '{"ociVersion":"1.0.2","id":"%s","status":"%s","pid":%s,"bundle":"/run/b",%s}\n' \
		"$id" "$1" "$2" '"annotations":{"run.oci.x":"1",'"${3:-}"'"gpu-dma-lock.quota":"128K"}' |
		"$examples/oci/gpu-dma-lock"
}

test_oci() {
	gpu-dma-lock agent add 20 1G oci-victim
	id=0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
	name=oci-$(printf '%.59s' "$id")
	scope=/machine.slice/libpod-$id.scope
	mkdir -p "$cgroups$scope"
	in_cgroup "$scope" sleep 1000 &
	until [ "$(cat "$cgroups$scope/cgroup.procs")" ]; do usleep 10000; done
	succeeds "the hook before a container's program" oci created "$(cat "$cgroups$scope/cgroup.procs")"
	there "$name"
	limited "$scope" 128 "the container"
	restored
	succeeds "the hook again, as after a reboot" oci created "$(cat "$cgroups$scope/cgroup.procs")"
	limited "$scope" 128 "the container"
	for annotation in '"pid":"1",' '"id" : "x",' '"gpu-dma-lock.quota":"1G",'; do
		fails "an annotation $annotation" oci created "$(cat "$cgroups$scope/cgroup.procs")" "$annotation"
	done
	fails "one that would end another container's agent" oci created 1 '"status":"stopped","id":"victim",'
	there "$name"
	there oci-victim
	gpu-dma-lock agent remove oci-victim
	echo 1 >"$cgroups$scope/cgroup.kill"
	wait
	succeeds "the hook behind it" oci stopped 0
	gone "$name"
	succeeds "the hook behind it again" oci stopped 0
	wait_until rmdir "$cgroups$scope"
}

test_lxc() {
	printf '101 128K\n1010 1G\n103 128K\n' >/tmp/guests
	mkdir -p /tmp/vms
	: >/tmp/vms/103.conf
	export GUESTS=/tmp/guests VMS=/tmp/vms
	succeeds "the hookscript before guest 101" "$examples/lxc/hookscript" 101 pre-start
	there guest-101
	mkdir -p "$cgroups/lxc/101/ns"
	limited /lxc/101/ns 128 "guest 101"
	succeeds "the hookscript again, as if it had not been stopped" "$examples/lxc/hookscript" 101 pre-start
	limited /lxc/101/ns 128 "guest 101"
	succeeds "the hookscript behind it" "$examples/lxc/hookscript" 101 post-stop
	gone guest-101
	succeeds "the hookscript behind it again" "$examples/lxc/hookscript" 101 post-stop
	succeeds "one of a guest without a limit" "$examples/lxc/hookscript" 102 pre-start
	gone guest-102
	rmdir "$cgroups/lxc/101/ns" "$cgroups/lxc/101"
	succeeds "the hookscript before virtual machine 103" "$examples/lxc/hookscript" 103 pre-start
	mkdir -p "$cgroups/qemu.slice/103.scope"
	limited /qemu.slice/103.scope 128 "virtual machine 103"
	for phase in post-start pre-stop post-stop; do
		succeeds "the hookscript, $phase" "$examples/lxc/hookscript" 103 "$phase"
	done
	gone guest-103
	rmdir "$cgroups/qemu.slice/103.scope"
	fails "plain LXC's words" "$examples/lxc/hookscript" a lxc pre-start
}

# The commands in the DaemonSet's ConfigMap, on cgroups as kubelet makes them with systemd.
test_kubernetes() {
	sed -n '/^  commands: |$/,/^---$/s/^    //p' "$examples/kubernetes/daemonset.yaml" |
		sed 's/ 8G$/ 128K/' >/tmp/commands
	succeeds "the commands of the DaemonSet" gpu-dma-lock restore /tmp/commands
	pod=/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod0a1b2c3d_4e5f.slice
	mkdir -p "$cgroups$pod/cri-containerd-1.scope"
	there "$pod"
	limited "$pod/cri-containerd-1.scope" 128 "the pod"
	rmdir "$cgroups$pod/cri-containerd-1.scope" "$cgroups$pod"
	gone "$pod"
}

modprobe vgem 2>/dev/null
test_slurm
test_oci
test_lxc
test_kubernetes
is "$(reports)" 0 "no report in the log"
tap_done
