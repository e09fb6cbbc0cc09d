#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
# Makes what a test guest boots: BUILD/guest/VERSION/{vmlinuz,base.cpio,modules/}, for Debian's cloud kernels VERSION
# 6.1 and 6.12. The packages are fetched and unpacked, never installed; what is up to date is kept.
# Usage: image.sh BUILD [VERSION...]. Neighbours: init and probe.c (the guest's contents), lib.sh (boots it).
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1/guest"
out=$(cd "$1/guest" && pwd)
shift
[ $# -gt 0 ] || set -- 6.1

# Modules by name; what they need comes with them.
modules=(
	virtio_pci virtio_net virtio_console virtio_blk veth tun bridge br_netfilter 8021q vxlan dummy
	nf_tables nft_chain_nat nft_masq nft_nat nft_ct nft_counter nft_reject_inet nf_conntrack
	cls_bpf act_bpf sch_ingress sch_fq sch_netem cls_u32 cls_matchall act_mirred af_packet
)

# The package that the metapackage for kernel $1 leads to, e.g. linux-image-6.1.0-56-cloud-amd64.
kernel_package() {
	local meta=linux-image-$1-cloud-amd64
	[ "$1" != 6.1 ] || meta=linux-image-cloud-amd64
	apt-cache depends "$meta" 2>/dev/null | awk '$1 == "Depends:" && $2 ~ /^linux-image-/ { print $2; exit }'
}

fetch() {
	local package=$1 dir
	dir=$(mktemp -d "$out/fetch.XXXXXX")
	chmod 755 "$dir"
	(
		cd "$dir"
		# Package lists may be older than what the mirror still has.
		apt-get -qq -o APT::Sandbox::User=root download "$package" >&2 || {
			apt-get -qq update >&2
			apt-get -qq -o APT::Sandbox::User=root download "$(kernel_package "$2")" >&2
		}
	)
	mkdir "$dir/root"
	dpkg -x "$dir"/*.deb "$dir/root"
	rm -f "$dir"/*.deb
	echo "$dir"
}

# Copies the chosen modules of one kernel tree, unpacked: busybox's modprobe reads plain ones only.
copy_modules() {
	local root=$1 release=$2 to=$3 name file copy
	depmod -b "$root" "$release" 2>/dev/null
	for name in "${modules[@]}"; do
		modprobe -d "$root" -S "$release" -D "$name" 2>/dev/null | awk '$1 == "insmod" { print $2 }' || true
	done | sort -u | while read -r file; do
		copy=$to/lib/modules/$release/${file#"$root"/lib/modules/"$release"/}
		mkdir -p "$(dirname "$copy")"
		cp "$file" "$copy"
		case $copy in *.xz) unxz "$copy" ;; esac
	done
	cp "$root/lib/modules/$release/"modules.builtin* "$to/lib/modules/$release/"
	depmod -b "$to" "$release" 2>/dev/null
}

build() {
	local version=$1 package stamp dir release tree
	package=$(kernel_package "$version")
	if [ -z "$package" ] && [ ! -e "$out/$version/stamp" ]; then
		apt-get -qq update
		package=$(kernel_package "$version")
		[ -n "$package" ] || { echo "image.sh: apt knows no cloud kernel $version" >&2; return 1; }
	fi
	stamp="${package:-$(head -n 1 "$out/$version/stamp")}
$(cat "$here/image.sh" "$here/init" "$here/probe.c" /bin/busybox | sha256sum)"
	if [ "$(cat "$out/$version/stamp" 2>/dev/null)" = "$stamp" ]; then
		return
	fi
	printf '  %-7s %s\n' GUEST "$out/$version"
	if [ "$(head -n 1 "$out/$version/stamp" 2>/dev/null)" = "${stamp%%$'\n'*}" ] && [ -d "$out/$version/root" ]; then
		dir=$out/$version
		rm -f "$dir/stamp"
	else
		dir=$(fetch "$package" "$version")
	fi
	release=$(basename "$dir/root/boot/vmlinuz-"*)
	release=${release#vmlinuz-}
	cp "$dir/root/boot/vmlinuz-$release" "$dir/vmlinuz"
	tree=$dir/tree
	rm -rf "$tree"
	mkdir -p "$tree"/{bin,sbin,usr/bin,usr/sbin,usr/local/bin,lib/modules,etc,proc,sys,dev,tmp,root,run}
	[ -d "$dir/root/lib/modules" ] || ln -s usr/lib "$dir/root/lib"
	copy_modules "$dir/root" "$release" "$tree"
	cp /bin/busybox "$tree/bin/busybox"
	for applet in $(/bin/busybox --list | grep -vx busybox); do
		ln -sf busybox "$tree/bin/$applet"
	done
	cp "$here/init" "$tree/init"
	gcc -O2 -static -D_GNU_SOURCE -o "$dir/probe" "$here/probe.c"
	cp "$dir/probe" "$tree/usr/bin/probe"
	echo "root:x:0:0:root:/root:/bin/sh" >"$tree/etc/passwd"
	echo "root:x:0:" >"$tree/etc/group"
	(cd "$tree" && find . | cpio --quiet -o -H newc -R 0:0) >"$dir/base.cpio"
	rm -rf "$tree"
	# The modules have been taken over; the kernel and the configuration stay.
	echo "$stamp" >"$dir/stamp"
	if [ "$dir" != "$out/$version" ]; then
		rm -rf "${out:?}/$version"
		mv "$dir" "$out/$version"
	fi
}

exec 9>"$out/lock"
flock 9
rm -rf "$out"/fetch.*
for version in "$@"; do
	build "$version"
done
