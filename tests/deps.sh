#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
# Installs what building, testing and showing guestlane needs, on Debian 12; silent and quick when all is there.
# The one list of packages: a line a purpose.
set -euo pipefail

packages=(
	# build
	gcc make pkg-config clang llvm bpftool libc6-dev linux-libc-dev
	libbpf-dev libelf-dev zlib1g-dev libyaml-dev libjansson-dev libmnl-dev
	# unit tests, sanitizers and fuzzers
	libcmocka-dev libclang-rt-14-dev clang-format
	# man page and shell completion
	mandoc bash-completion
	# network namespaces: set up, drive, look
	iproute2 iputils-ping iputils-arping nftables tcpdump ethtool iperf3 socat kmod procps util-linux
	dnsmasq-base python3-pyftpdlib
	python3 python3-scapy python3-jsonschema python3-yaml
	# guests
	qemu-system-x86 busybox-static cpio gzip traceroute
)

missing=()
state=$(dpkg-query -W -f '${Package} ${db:Status-Status}\n' "${packages[@]}" 2>/dev/null || true)
for package in "${packages[@]}"; do
	grep -qx "$package installed" <<<"$state" || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0

if [ "$(id -u)" != 0 ]; then
	printf 'deps: missing, and only root can install: %s\n' "${missing[*]}" >&2
	exit 1
fi
printf '  %-7s %s\n' DEPS "${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
apt-get -qq -o DPkg::Lock::Timeout=300 update
apt-get -qq -y -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 install --no-install-recommends "${missing[@]}" >/dev/null
