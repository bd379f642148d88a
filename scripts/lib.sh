# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Shared by the programs of this folder, which source it first.

set -euo pipefail

SCRIPTS=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
TOP=${SCRIPTS%/*}
SELF=${0##*/}
CACHE=${GDL_CACHE:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/gpu_dma_lock}
mkdir -p "$CACHE/locks"
CACHE=$(cd -- "$CACHE" && pwd -P)

# For the callers, the kernel's after load_kernel; named here for shellcheck.
export TOP VERSION VMLINUX MODULES KDIR TREE CMDLINE MAKE_ARGS GUEST_ARCH

# The runner's own failures end with this status, so that they are not taken
# for a test's result (1), a kernel report (125) or a timeout (124).
STATUS_RUNNER=126

say()
{
	printf '%s: %s\n' "$SELF" "$*" >&2
}

die()
{
	say "$@"
	exit "$STATUS_RUNNER"
}

# usage: the comment block at the top of the calling program, from its line `usage:` on,
# is its usage text.
usage()
{
	sed -n '/^# usage: /,/^$/{/^$/q; s/^# \{0,1\}//p}' "$SCRIPTS/$SELF"
}

bad_usage()
{
	say "$@"
	usage >&2
	exit "$STATUS_RUNNER"
}

# make_work NAME: a folder for this run, work, which goes when it ends.
make_work()
{
	work=$(mktemp -d "${TMPDIR:-/tmp}/gpu_dma_lock-$1.XXXXXX")
	trap cleanup EXIT
}

# cleanup: a program that has more to end has one of its own.
# shellcheck disable=SC2317 # called by trap
cleanup()
{
	rm -rf --one-file-system -- "$work"
}

# hold_lock NAME: waits for NAME and holds it until this process ends. A process
# started meanwhile inherits it, so hold locks only while making things.
hold_lock()
{
	local fd

	exec {fd}>"$CACHE/locks/$1"
	flock "$fd"
	LOCK_FD=$fd
}

# without_lock COMMAND...: does not inherit what hold_lock took last, as what it starts may
# outlive this process.
without_lock()
(
	exec {LOCK_FD}>&-
	"$@"
)

# make_dir PATH: an empty directory beside PATH, to be renamed to PATH when it is
# complete; what a killed run left there goes away. The caller holds a lock.
make_dir()
{
	rm -rf --one-file-system -- "$1.new"
	mkdir -p -- "$1.new"
	printf '%s\n' "$1.new"
}

# publish_dir PATH: what make_dir began is complete.
publish_dir()
{
	rm -rf --one-file-system -- "$1"
	mv -T -- "$1.new" "$1"
}

# load_kernel NAME: sets what scripts/kernel prints.
load_kernel()
{
	local settings

	settings=$("$SCRIPTS/kernel" "$1") || exit
	TREE='' CMDLINE='' MAKE_ARGS='' GUEST_ARCH=amd64
	eval "$settings"
}

# cross_prefix ARCH: what the names of the compiler and its tools for ARCH begin with.
cross_prefix()
{
	case $1 in
	amd64) ;;
	arm64) echo aarch64-linux-gnu- ;;
	*) die "no compiler for '$1'" ;;
	esac
}

# compiler_packages ARCH: with what is needed to link programs.
compiler_packages()
{
	local prefix

	prefix=$(cross_prefix "$1")
	echo "gcc${prefix:+-${prefix%-}}" "libc6-dev${prefix:+-$1-cross}"
}

# in_tree TREE COMMAND...: runs COMMAND in a Debian tree with proc mounted, in
# a mount namespace of its own: no mount outlives it, whatever kills it, and
# nobody who removes the tree can reach through it.
in_tree()
{
	local tree=$1

	shift
	# shellcheck disable=SC2016 # expanded by the inner shell
	unshare --mount sh -c 'mount -t proc proc "$1/proc" && exec chroot "$@"' sh \
		"$tree" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root \
		LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive "$@"
}

# retried COMMAND...: up to five times, with longer and longer pauses: archives and networks
# fail now and then, and another apt may be at work.
retried()
{
	local try

	for try in 1 2 3 4; do
		if "$@"; then
			return 0
		fi
		sleep $((try * 5))
	done
	"$@"
}

# quietly COMMAND...: shows what COMMAND printed only if it fails.
quietly()
{
	local output status=0

	output=$("$@" 2>&1) || status=$?
	if ((status)); then
		printf '%s\n' "$output" >&2
		say "failed with status $status: $*"
	fi
	return "$status"
}
