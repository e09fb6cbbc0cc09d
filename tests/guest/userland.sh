#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
# Packs this host's tools, guestlane and its tests into one initramfs archive, so that another kernel can run them:
# userland.sh BUILD OUT.cpio. Programs come with their libraries, Python with its standard library. In the guest the
# tree is /src and the build directory /src/build. Neighbours: image.sh (the archive below it), kernel.sh (uses both).
set -euo pipefail
repo=$(cd "$(dirname "$0")/../.." && pwd)
build=$(cd "$1" && pwd)
out=$2
programs=(
	bash ip tc bridge ss nsenter unshare mount umount setpriv ping arping ethtool nft iperf3 socat tcpdump bpftool
	timeout flock python3 traceroute sysctl
)
tree=$(mktemp -d "$out.XXXXXX")
trap 'rm -rf "$tree"' EXIT
mkdir -p "$tree"/usr/{bin,sbin,lib} "$tree"/src/build "$tree/bin"

# Copies one file to the same place, and every library it is linked with.
take() {
	local file=$1 to=${2:-$1} library
	mkdir -p "$tree$(dirname "$to")"
	cp -L "$file" "$tree$to"
	{ ldd "$file" 2>/dev/null || true; } | { grep -oE '/[^ ]+' || true; } | while read -r library; do
		[ -e "$tree$library" ] && continue
		mkdir -p "$tree$(dirname "$library")"
		cp -L "$library" "$tree$library"
	done
}

for name in "${programs[@]}"; do
	for dir in /usr/sbin /usr/bin /sbin /bin; do
		if [ -x "$dir/$name" ]; then
			take "$dir/$name" "/usr/bin/$name"
			break
		fi
	done
	[ -e "$tree/usr/bin/$name" ] || { echo "userland.sh: $name is not installed" >&2; exit 1; }
done
# The shell as well: that of busybox prefers its own applets to programs.
ln -s ../usr/bin/bash "$tree/bin/bash"
ln -s ../usr/bin/bash "$tree/bin/sh"

# Python: what scripts of this repository import, and that without what is never imported there.
stdlib=$(/usr/bin/python3 -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')
mkdir -p "$tree$stdlib"
tar -C "$stdlib" -c --exclude=__pycache__ --exclude=test --exclude=idlelib --exclude=lib2to3 --exclude=tkinter \
	--exclude=ensurepip --exclude=distutils --exclude=pydoc_data --exclude='config-*' --exclude=lib-dynload \
	--exclude=dist-packages --exclude=unittest --exclude=xml --exclude=sqlite3 --exclude=dbm --exclude=turtle* . |
	tar -C "$tree$stdlib" -x
for module in "$stdlib"/lib-dynload/*.so; do
	case $module in
	*_tkinter* | *_test* | *_xx* | *_dbm* | *_gdbm* | *sqlite* | *curses* | *readline*) continue ;;
	esac
	take "$module"
done
# Bytecode made here costs nothing; made by an emulated processor it costs seconds.
/usr/bin/python3 -m compileall -q -o 0 --invalidation-mode unchecked-hash -s "$tree" "$tree$stdlib" >/dev/null 2>&1 || true

for file in "$build/guestlane" "$build/prog_test" "$build"/tools/*; do
	[ ! -f "$file" ] || take "$file" "/src/build/${file#"$build"/}"
done
mkdir -p "$tree/src/tests" "$tree/src/maps"
cp -r "$repo/tests/netns" "$tree/src/tests/"
mkdir "$tree/src/tests/guest"
cp "$repo/tests/guest/attach.sh" "$tree/src/tests/guest/"
cp "$repo"/maps/* "$tree/src/maps/"
rm -rf "$tree/src/tests/netns/__pycache__"
[ ! -d "$repo/examples" ] || cp -r "$repo/examples" "$tree/src/"
(cd "$tree" && find . -mindepth 1 | cpio --quiet -o -H newc -R 0:0) >"$out.new"
mv "$out.new" "$out"
