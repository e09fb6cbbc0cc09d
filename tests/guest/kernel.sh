#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
# One of Debian's kernels runs everything: kernel.sh BUILD VERSION TC [SUITE...] boots it in QEMU with the host's
# tools, lets every program pass its verifier, asserts that they attach by TC ("clsact" or "tcx"), runs the program
# tests and the main scenarios there, or the named ones alone. An emulator that dies by itself (no panic on its guest's
# console) is started once more, and what ran then is repeated. Neighbours: userland.sh (what is in the guest),
# test_kernel_*.sh (one a version).
set -uo pipefail
BUILD=$(cd "$1" && pwd)
version=$2 tc=$3
suites=("${@:4}")
. "$(dirname "$0")/lib.sh"
trap 'guest_stop_all; ip netns del "$ns" 2>/dev/null; rm -rf "$GUEST_DIR"' EXIT
trap 'exit 130' INT TERM HUP
ns=glt-kernel-$$
passed=0 failed=0 skipped=0
# The scenarios that run here, by the names of their tests; emulation makes each of them some ten times as long.
declare -A names=(
	[test_ways.py]="same_network gateway time_to_live between_networks isolated nat_out unasked port_forward floating
		routed broadcast flows_shown"
	[test_spoof.py]="arp_sender tags"
	[test_isolation.py]="alone"
	[test_host.py]="untouched reserved out_of_reach"
)

ok() { passed=$((passed + 1)); echo "ok    $1"; }
fail() { failed=$((failed + 1)); echo "FAIL  $1"; [ -z "${2:-}" ] || tail -n 60 "$2" | sed 's/^/  | /'; }

boot() {
	GUEST_CPUS=2 guest_boot k "$ns" "$version" 2048
	guest_ready k 120 && guest_run k 'mkdir -p /tmp/instance/bpf && mount -t bpf bpf /tmp/instance/bpf'
}

# gone WHAT: has the guest gone away meanwhile? Then it is booted again the first time, but never after a panic.
again=0
gone() {
	local status
	! kill -0 "${GUEST_PID[k]}" 2>/dev/null || return 1
	wait "${GUEST_PID[k]}"
	status=$?
	unset 'GUEST_PID[k]'
	if [ "$again" = 0 ] && ! grep -aqE 'panic|Oops|BUG:|general protection|Call Trace' "$GUEST_DIR/k.console"; then
		again=1
		echo "note  $1: QEMU ended by itself (status $status) after $SECONDS s, its guest said nothing; once more"
		{ tail -n 20 "$GUEST_DIR/k.console"; cat "$GUEST_DIR/k.qemu"; dmesg | tail -n 5; } | sed 's/^/  | /'
		if boot; then return 0; fi
	fi
	fail "$1: the guest is gone, QEMU's status is $status" "$GUEST_DIR/k.console"
	sed 's/^/  | /' "$GUEST_DIR/k.qemu"
	finish
}

# inner NAME SECONDS COMMAND: a suite of its own; its counts are added to ours.
inner() {
	local status line p=0 f=0 s=0 begun=$SECONDS
	# Into a file there, so that a suite that takes too long still tells how far it came.
	guest_run k "timeout -k 5 $2 bash -c '$3' >/tmp/inner 2>&1" $(($2 + 30))
	status=$?
	if gone "$1"; then
		inner "$@"
		return
	fi
	guest_run k 'cat /tmp/inner' >"$GUEST_DIR/out" 2>&1
	line=$(awk '/^[0-9]+ passed, [0-9]+ failed, [0-9]+ skipped$/ { l = $1 " " $3 " " $5 }
		/^\[  PASSED  \] [0-9]+ test\(s\)/ { p += $4; c = 1 }
		/^\[  FAILED  \] [0-9]+ test\(s\)/ { f += $4; c = 1 }
		END { if (l) print l; else if (c) print p + 0, f + 0, 0 }' "$GUEST_DIR/out")
	read -r p f s <<<"${line:-0 0 0}"
	passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
	if [ "$status" = 0 ] && [ "$f" = 0 ] && [ $((p + s)) -gt 0 ]; then
		echo "ok    $1: $p passed, $s skipped, $((SECONDS - begun)) s"
	else
		[ "$f" -gt 0 ] || failed=$((failed + 1))
		echo "FAIL  $1: $p passed, $f failed, status $status, $((SECONDS - begun)) s"
		grep -a -A 6 -E '^(FAIL|not ok|\[  FAILED  \])' "$GUEST_DIR/out" | head -n 60 | sed 's/^/  | /'
		tail -n 25 "$GUEST_DIR/out" | sed 's/^/  | /'
	fi
	grep -aE '^skip' "$GUEST_DIR/out"
	[ -z "${KERNEL_VERBOSE:-}" ] || sed 's/^/  | /' "$GUEST_DIR/out"
}

finish() {
	echo "$passed passed, $failed failed, $skipped skipped"
	[ "$failed" = 0 ]
	exit
}

"$GUEST_HERE/image.sh" "$BUILD" "$version" || exit 1
"$GUEST_HERE/userland.sh" "$BUILD" "$GUEST_DIR/userland.cpio" || exit 1
cat "$BUILD/guest/$version/base.cpio" "$GUEST_DIR/userland.cpio" >"$GUEST_DIR/initrd.cpio"
rm "$GUEST_DIR/userland.cpio"
ip netns add "$ns" || exit 1
GUEST_INITRD=$GUEST_DIR/initrd.cpio
GUEST_APPEND="gl.modules=tun,veth,bridge,8021q,cls_bpf,sch_ingress,nf_tables,nft_chain_nat,nft_masq,nft_ct,vxlan"
if ! boot && ! gone "boot"; then
	fail "Linux $version boots"
	finish
fi
ok "Linux $(guest_run k 'uname -r') boots"

# Before 6.2 no program sees the whole virtio header, so that a hostile one may reach the tap of a neighbour; the random
# frames of `alone` carry such headers.
[ "$version" != 6.1 ] || names[test_isolation.py]=before_and_after

# IPv6 is prog_test's there: twice the sockets would take twice the time.
# The rows of both families, and the ways of packets between real sockets; the long tests, of which emulation makes
# minutes, in `make soak`.
families="both ${GL_SOAK:+4 6}"
alike="GL_FAMILIES=4 GL_INSTANCE=/tmp/instance GL_FRAMES=2000 GL_LARGEST=1000000"
for family in $families; do
	[ ${#suites[@]} -gt 0 ] || inner "prog_test, $family" 900 "cd /src && GL_FAMILY=$family build/prog_test --this-kernel"
done
inner "attach" 180 "cd /src && $alike tests/guest/attach.sh build $tc on"
[ ${#suites[@]} -gt 0 ] || suites=(test_ways.py ${GL_SOAK:+test_spoof.py test_isolation.py test_host.py})
for suite in "${suites[@]}"; do
	inner "netns/$suite" 300 "cd /src && $alike tests/netns/$suite build $(echo ${names["$suite"]})"
done
inner "detach" 180 "cd /src && $alike tests/guest/attach.sh build $tc off"
finish
