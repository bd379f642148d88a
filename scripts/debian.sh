# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# This machine's Debian; sourced after lib.sh.

# Signs all releases, and is there on every Debian machine that has apt.
# shellcheck disable=SC2034 # for the callers
DEBIAN_KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg

# host_mirror: the archive that this machine's own release comes from.
host_mirror()
{
	local codename mirror

	codename=$(. /etc/os-release && printf '%s' "$VERSION_CODENAME")
	# shellcheck disable=SC2016 # apt's own variables
	mirror=$(apt-get indextargets --format '$(CODENAME) $(COMPONENT) $(REPO_URI)' \
		"Created-By: Packages" |
		awk -v codename="$codename" '$1 == codename && $2 == "main" { print $3; exit }')
	[[ $mirror ]] || die "cannot tell this machine's Debian mirror from apt's sources"
	printf '%s\n' "$mirror"
}

# The tree reaches the archive as this machine does (proxy, time limits).
copy_apt_settings()
{
	apt-config dump | grep -E '^Acquire::(https?|Check-|Retries)' \
		>"$1/etc/apt/apt.conf.d/00host" || true
	cp /etc/resolv.conf "$1/etc/resolv.conf"
}

proxy_setting()
{
	local proxy

	eval "$(apt-config shell proxy Acquire::http::Proxy)"
	printf '%s' "${proxy:-${http_proxy:-}}"
}

# make_minbase TREE SUITE MIRROR [OPTIONS...]: the smallest Debian of SUITE, with
# debootstrap's further OPTIONS.
make_minbase()
{
	local tree=$1 suite=$2 mirror=$3

	shift 3
	http_proxy=$(proxy_setting) quietly unshare --mount \
		debootstrap --variant=minbase "$@" "$suite" "$tree" "$mirror"
	copy_apt_settings "$tree"
}
