# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Putting together the guest's files; sourced after lib.sh and
# debian.sh.

# guest_root DIR: the folders that every part of the initramfs must agree on, as
# a later part's folder would replace an earlier part's link of the same name.
guest_root()
{
	local name

	mkdir -p "$1"/usr/{bin,sbin,lib,lib64}
	for name in bin sbin lib lib64; do
		ln -sfn "usr/$name" "$1/$name"
	done
}

# is_elf FILE
is_elf()
{
	local magic

	[[ -f $1 ]] && IFS= LC_ALL=C read -r -n 4 magic 2>/dev/null <"$1" &&
		[[ $magic == $'\x7fELF' ]]
}

# Where programs and libraries for another architecture than this machine's come from: a
# folder with packages of it; empty for this machine itself.
SYSROOT=

# make_sysroot ARCH NAME PACKAGE...: the packages for another architecture than this
# machine's, in the cache, once; sets SYSROOT.
make_sysroot()
{
	local new arch=$1

	SYSROOT=$CACHE/sysroot-$1-$2
	shift 2
	[[ -e $SYSROOT ]] || hold_lock "${SYSROOT##*/}"
	[[ ! -e $SYSROOT ]] || return 0
	say "fetching $* for $arch"
	new=$(make_dir "$SYSROOT")
	host_suites | source_lines | unpack_all "$new" "$arch" "$@"
	publish_dir "$SYSROOT"
}

# add_foreign_libraries DIR FILE: ldd would have to run the program.
add_foreign_libraries()
{
	local dir=$1 name library

	readelf -dlW "$2" 2>/dev/null |
		sed -n 's/.*program interpreter: \(.*\)]/\1/p; s/.*(NEEDED).*\[\(.*\)]/\1/p' |
		while read -r name; do
			library=$(cd "$SYSROOT" && find . -path "*/${name#/}" -print -quit)
			[[ $library && ! -e $dir/$library ]] || continue
			mkdir -p "$dir/${library%/*}"
			cp -L "$SYSROOT/$library" "$dir/$library"
			add_foreign_libraries "$dir" "$dir/$library"
		done
}

# add_libraries DIR FILE: the shared libraries and the interpreter that a
# program or library wants, at the paths where it looks for them. Files that
# are not dynamically linked want none.
add_libraries()
{
	local dir=$1 library

	if [[ $SYSROOT ]]; then
		add_foreign_libraries "$1" "$2"
		return
	fi
	ldd "$2" 2>/dev/null | grep -oE '(^|[[:blank:]])/[^ ]+' |
		while read -r library; do
			mkdir -p "$dir${library%/*}"
			[[ -e $dir$library ]] || cp -L "$library" "$dir$library"
		done || true # ldd fails on a static program
}

# add_path DIR HOSTPATH GUESTPATH: a file or a folder, programs with libraries.
add_path()
{
	local dir=$1 from=$2 to=$3 file

	[[ $to != */ ]] || to+=${from##*/}
	mkdir -p "$dir$(dirname -- "$to")"
	if [[ -d $from ]]; then
		mkdir -p "$dir$to"
		cp -R --preserve=mode,timestamps -- "$from/." "$dir$to/"
	else
		cp -L --preserve=mode,timestamps -- "$from" "$dir$to"
	fi
	while IFS= read -r -d '' file; do
		if is_elf "$file"; then
			add_libraries "$dir" "$file"
		fi
	done < <(find "$dir$to" -type f \( -perm /111 -o -name '*.so*' \) -print0)
}

# pack_cpio DIR: as the kernel unpacks it, everything owned by root.
pack_cpio()
{
	(cd "$1" && find . -mindepth 1 -print0 | LC_ALL=C sort -z |
		cpio -o -0 -H newc --quiet --owner=+0:+0)
}
