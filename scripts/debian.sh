# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# This machine's Debian; sourced after lib.sh.

# Signs all releases, and is there on every Debian machine that has apt.
# shellcheck disable=SC2034 # for the callers
DEBIAN_KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg

host_codename()
{
	sed -n 's/^VERSION_CODENAME=//p' /etc/os-release
}

# host_suites: this machine's own release and what belongs to it, as bookworm-security:
# name and archive of each.
host_suites()
{
	# shellcheck disable=SC2016 # apt's own variables
	apt-get indextargets --format '$(CODENAME) $(COMPONENT) $(REPO_URI)' \
		"Created-By: Packages" |
		awk -v codename="$(host_codename)" '$2 == "main" &&
			index($1 "-", codename "-") == 1 { print $1, $3 }' | sort -u
}

# archive_of SUITE: where one of these comes from.
archive_of()
{
	local archive

	archive=$(host_suites | awk -v suite="$1" '$1 == suite { print $2 }')
	[[ $archive ]] || die "apt's sources do not have Debian's $1"
	printf '%s\n' "${archive%%$'\n'*}"
}

# host_mirror: the archive that this machine's own release comes from.
host_mirror()
{
	archive_of "$(host_codename)"
}

# security_mirror: the same for its security suite.
security_mirror()
{
	archive_of "$(host_codename)-security"
}

# source_lines: apt's sources, of lines `SUITE ARCHIVE`.
source_lines()
{
	local suite archive

	while read -r suite archive; do
		printf 'deb [signed-by=%s] %s %s main\n' "$DEBIAN_KEYRING" "$archive" "$suite"
	done
}

# make_apt DIR ARCH[,ARCH]: an apt for another release or architecture than this machine's,
# the first being its own: with a state of its own, in which nothing is installed, and lines of source_lines on stdin.
# Apt's programs use it by APT_CONFIG=DIR/conf.
make_apt()
{
	local dir=$1 arch=$2

	mkdir -p "$dir"/{state/lists,cache/archives/partial}
	touch "$dir/status"
	cat >"$dir/sources"
	# As root apt downloads by a user of its own who may not write here.
	cat >"$dir/conf" <<-END
		APT::Sandbox::User "root";
		APT::Architecture "${arch%%,*}";
		APT::Architectures { "${arch//,/\"; \"}"; };
		Dir::Etc::sourcelist "$dir/sources";
		Dir::Etc::sourceparts "/dev/null";
		Dir::Etc::preferencesparts "/dev/null";
		Dir::State "$dir/state";
		Dir::State::status "$dir/status";
		Dir::Cache "$dir/cache";
	END
	APT_CONFIG=$dir/conf retried quietly apt-get -q update
}

# unpack_all ROOT ARCH PACKAGE...: the packages and all that these depend on, unpacked and
# not installed, of the sources on stdin.
unpack_all()
{
	local root=$1 arch=$2

	shift 2
	make_apt "$root/apt" "$arch"
	APT_CONFIG=$root/apt/conf retried quietly apt-get -q -y --download-only \
		--no-install-recommends install "$@"
	find "$root/apt/cache/archives" -name '*.deb' -exec dpkg-deb -x {} "$root" \;
	rm -r "$root/apt"
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
	retried bootstrap "$tree" "$suite" "$mirror" "$@"
	copy_apt_settings "$tree"
}

# bootstrap TREE SUITE MIRROR [OPTIONS...]: one try; what another left goes.
bootstrap()
{
	local tree=$1 suite=$2 mirror=$3

	shift 3
	rm -rf --one-file-system -- "$tree"
	http_proxy=$(proxy_setting) quietly unshare --mount \
		debootstrap --variant=minbase "$@" "$suite" "$tree" "$mirror"
}
