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
