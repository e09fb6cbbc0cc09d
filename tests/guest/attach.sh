#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
# Does every program pass this kernel's verifier, and attach as it should? attach.sh BUILD TC on|off, in a guest of
# kernel.sh: a host with a tap and an uplink, both attached by TC ("clsact" or "tcx"). on: the programs stay loaded in
# GL_INSTANCE (tests/netns/gl.py), for suites that follow; off: everything is taken away again.
set -uo pipefail
guestlane=$1/guestlane tc=$2 way=$3
passed=0 failed=0

check() {
	local text=$1
	shift
	if "$@" >/tmp/out 2>&1; then
		passed=$((passed + 1))
		echo "ok    $text"
	else
		failed=$((failed + 1))
		echo "FAIL  $text"
		cat /tmp/out
	fi
}
host() { nsenter --net=/run/netns/glt-h "$@"; }
gl() { host "$guestlane" --bpffs "$GL_INSTANCE/bpf/gl" --state "$GL_INSTANCE/state" "$@"; }

world() {
	cat >/tmp/d.yaml <<-END
		version: 1
		uplinks: [{ name: wan, interface: wan, xdp: native }]
		tenants:
		  - name: acme
		    networks:
		      - { name: front, mode: nat, uplink: wan, subnets: [10.0.0.0/24] }
		    guests:
		      - { name: web, interfaces: [{ tap: t0, mac: "52:54:00:00:00:01", network: front, addresses: [10.0.0.11] }] }
	END
	ip netns add glt-h && ip -n glt-h link set lo up &&
		ip -n glt-h link add wan type veth peer name net &&
		ip -n glt-h addr add 203.0.113.1/24 dev wan && host ethtool -K wan rxvlan off &&
		ip -n glt-h link set wan up && ip -n glt-h link set net up &&
		ip -n glt-h tuntap add t0 mode tap vnet_hdr && ip -n glt-h link set t0 up
}

attached() {
	gl status
	gl -j status | python3 -c "
import json, sys
def rows(x):
    if isinstance(x, dict):
        if 'tc' in x and 'xdp' in x:
            yield x
        x = list(x.values())
    if isinstance(x, list):
        for v in x:
            yield from rows(v)
seen = list(rows(json.load(sys.stdin)))
assert len(seen) == 2, seen
for row in seen:
    assert row['tc'] == '$tc', row
    assert row['xdp'] in ('native', 'generic'), row"
}

unchanged() { gl plan /tmp/d.yaml | tee /dev/stderr | grep -qi "no change"; }

bare() {
	! bpftool net show | grep "name " && ! host ip link show | grep xdp && ! host tc filter show dev t0 ingress | grep bpf
}
gone() { [ ! -e "$GL_INSTANCE/bpf/gl" ] && [ ! -e "$GL_INSTANCE/state" ]; }

check "a host with an uplink and a tap" world
check "every program loads" gl apply /tmp/d.yaml
check "and attaches by $tc" attached
check "an unchanged definition is nothing to do" unchanged
if [ "$way" = on ]; then
	check "an empty definition" gl apply - <<<"version: 1"
else
	check "delete" gl delete --all
fi
check "no program is left on an interface" bare
[ "$way" = on ] || check "no map and no state is left" gone
ip netns del glt-h
echo "$passed passed, $failed failed, 0 skipped"
[ "$failed" = 0 ]
