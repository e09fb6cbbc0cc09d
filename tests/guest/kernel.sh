#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
# One of Debian's kernels runs everything: kernel.sh BUILD VERSION TC [SUITE...] boots it in QEMU with the host's
# tools, lets every program pass its verifier, asserts that they attach by TC ("clsact" or "tcx"), runs the program
# tests and the main scenarios there, or the named ones alone. Neighbours: userland.sh (what is in the guest), test_kernel_*.sh (one a version).
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
	[test_spoof.py]="source arp_sender tags tunnels"
	[test_isolation.py]="alone"
	[test_host.py]="untouched reserved out_of_reach"
)

ok() { passed=$((passed + 1)); echo "ok    $1"; }
fail() { failed=$((failed + 1)); echo "FAIL  $1"; [ -z "${2:-}" ] || tail -n 60 "$2" | sed 's/^/  | /'; }

# check TEXT SECONDS COMMAND: one command in the guest that must succeed.
check() {
	local status
	guest_run k "$3" "$2" >"$GUEST_DIR/out" 2>&1
	status=$?
	if [ "$status" = 0 ]; then ok "$1"; else fail "$1 (status $status)" "$GUEST_DIR/out"; fi
	return "$status"
}

# inner NAME SECONDS COMMAND: a suite of its own; its counts are added to ours.
inner() {
	local status line p=0 f=0 s=0 begun=$SECONDS
	# Into a file there, so that a suite that takes too long still tells how far it came.
	guest_run k "timeout -k 5 $2 bash -c '$3' >/tmp/inner 2>&1" $(($2 + 30))
	status=$?
	if ! kill -0 "${GUEST_PID[k]}" 2>/dev/null; then
		fail "$1: the guest is gone after $((SECONDS - begun)) s (status $status)" "$GUEST_DIR/k.console"
		sed 's/^/  | /' "$GUEST_DIR/k.qemu"
		finish
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
GUEST_CPUS=2 guest_boot k "$ns" "$version" 2048
if ! guest_ready k 120; then
	fail "Linux $version boots"
	finish
fi
ok "Linux $(guest_run k 'uname -r') boots"
check "its tools are complete" 30 'for t in python3 ip tc nsenter bpftool; do $t --help >/dev/null 2>&1 || $t -V; done' || finish

# A host with a tap and an uplink in it, both attached.
check "every program loads and attaches ($tc)" 120 "set -e
cat >/tmp/d.yaml <<'END'
version: 1
uplinks: [{ name: wan, interface: wan, xdp: native }]
tenants:
  - name: acme
    networks:
      - { name: front, mode: nat, uplink: wan, subnets: [10.0.0.0/24] }
    guests:
      - { name: web, interfaces: [{ tap: t0, mac: \"52:54:00:00:00:01\", network: front, addresses: [10.0.0.11] }] }
END
ip netns add glt-h
ip -n glt-h link set lo up
ip -n glt-h link add wan type veth peer name net
ip -n glt-h addr add 203.0.113.1/24 dev wan
nsenter --net=/run/netns/glt-h ethtool -K wan rxvlan off >/dev/null
ip -n glt-h link set wan up
ip -n glt-h link set net up
ip -n glt-h tuntap add t0 mode tap vnet_hdr
ip -n glt-h link set t0 up
mkdir -p /tmp/bpf
mount -t bpf bpf /tmp/bpf
cat >/tmp/gl <<'END'
#!/bin/sh
exec nsenter --net=/run/netns/glt-h /src/build/guestlane --bpffs /tmp/bpf/gl --state /run/gl \"\$@\"
END
chmod +x /tmp/gl
/tmp/gl apply /tmp/d.yaml
/tmp/gl -j status >/tmp/status.json
/tmp/gl status
python3 - <<'END'
import json
def rows(x):
    if isinstance(x, dict):
        if 'tc' in x and 'xdp' in x:
            yield x
        x = list(x.values())
    if isinstance(x, list):
        for v in x:
            yield from rows(v)
seen = list(rows(json.load(open('/tmp/status.json'))))
assert len(seen) == 2, seen
for row in seen:
    assert row['tc'] == '$tc', row
    assert row['xdp'] in ('native', 'generic'), row
END" && {
	check "an unchanged definition is nothing to do" 60 '/tmp/gl plan /tmp/d.yaml; /tmp/gl plan /tmp/d.yaml | grep -qi "no change"'
	check "delete takes all of it away" 60 '/tmp/gl delete --all &&
		! bpftool net show 2>/dev/null | grep -q "name " && [ ! -e /tmp/bpf/gl/maps ] &&
		! nsenter --net=/run/netns/glt-h ip link show | grep -q xdp &&
		! nsenter --net=/run/netns/glt-h tc filter show dev t0 ingress | grep -q bpf'
}
guest_run k 'ip netns del glt-h; umount /tmp/bpf' >/dev/null 2>&1

# Before 6.2 no program sees the whole virtio header, so that a hostile one may reach the tap of a neighbour; the random
# frames of `alone` carry such headers.
[ "$version" != 6.1 ] || names[test_isolation.py]=before_and_after

[ ${#suites[@]} -gt 0 ] || inner prog_test 400 "cd /src && build/prog_test"
[ ${#suites[@]} -gt 0 ] || suites=(test_ways.py test_spoof.py test_isolation.py test_host.py)
for suite in "${suites[@]}"; do
	inner "netns/$suite" 300 "cd /src && GL_FRAMES=2000 tests/netns/$suite build $(echo ${names["$suite"]})"
done
finish
