#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
# Does apply make the host match? Neighbours: lib.sh, apply.sh (host and definitions), test_death.sh, loader/apply.c.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/apply.sh"

# ---- one apply after another ---------------------------------------------------------------------------------------

ok "plan works before anything was applied" gl plan "$W/before.yaml"
ok "plan makes nothing" test ! -e "$W/bpf/gl" -a ! -e "$W/state/applied.json"
ok "the first apply" gl apply "$W/before.yaml"
ok "links are pinned" test -e "$W/bpf/gl/links/tap%2ea1:$(in_ns host cat /sys/class/net/tap.a1/ifindex 2>/dev/null ||
	in_ns host ip -o link show tap.a1 | cut -d: -f1):tcx_in"
ok "its directories are private" test "$(stat -c %a "$W/bpf/gl" "$W/state" | tr '\n' ' ')" = "700 700 "
ok "plan after apply: nothing to do" quiet_plan "$W/before.yaml"
serial() { gl -j dump gl_control; }
serial >"$W/serial"
cp -p "$W/state/applied.json" "$W/state.was"
ok "apply of the same writes nothing" gl apply "$W/before.yaml"
ok "not even the serial" diff "$W/serial" <(serial)
ok "nor the state" test ! "$W/state/applied.json" -nt "$W/state.was"
ok "the operator's own ports are still reserved, ours too" test "$(reserved)" = "16384-32767,50000"
ok "the tap is up" grep -q UP <(in_ns host ip -o link show tap.a1)
ok "the tap takes no part in IPv6" test "$(in_ns host cat /proc/sys/net/ipv6/conf/tap.a1/disable_ipv6)" = 1
ok "the tap answers ARP for nobody" test "$(in_ns host cat /proc/sys/net/ipv4/conf/tap.a1/arp_ignore)" = 8
ok "a flow table prints by itself" grep -q '\[\]' <(bpftool map dump pinned "$W/bpf/gl/flows/0:acme%2eco")
ok "the uplink takes frames for the bridged guest" grep -q 52:54:00:00:00:01 <(in_ns host bridge fdb show dev up0)
shape >"$W/before"
entries >"$W/before.entries"
ok "another definition" gl apply "$W/after.yaml"
shape >"$W/after"
entries >"$W/after.entries"
no "both differ" cmp -s "$W/before.entries" "$W/after.entries"
ok "generic on request" is_xdp tap.a1 "generic tcx attached"
ok "the uplink's XDP is off, for a reason" says "rx-vlan-offload" gl status
ok "a tap that is no longer defined carries nothing" test -z "$(ls "$W/bpf/gl/links" | grep tap-a2)"
ok "and is down" grep -q 'state DOWN' <(in_ns host ip -o link show tap-a2)
no "the uplink has forgotten the bridged guest" grep -q 52:54:00:00:00:01 <(in_ns host bridge fdb show dev up0)
ok "the removed tenant's table is gone" test -z "$(ls "$W/bpf/gl/flows" | grep old)"
ok "and back" gl apply "$W/before.yaml"
ok "back is back" is_shape before

# ---- devices that come and go --------------------------------------------------------------------------------------

in_ns host ip tuntap del tap-a2 mode tap
ok "a vanished tap is pending" is_xdp tap-a2 "off off pending"
no "plan sees it" quiet_plan "$W/before.yaml"
ok "apply without it" gl apply "$W/before.yaml"
ok "then there is nothing to do" quiet_plan "$W/before.yaml"
ok "its pins are gone" test -z "$(ls "$W/bpf/gl/links" | grep tap-a2)"
taps tap-a2
ok "the tap is back" gl apply "$W/before.yaml"
ok "and attached" is_xdp tap-a2 "native tcx attached"
in_ns host ip tuntap del tap-a2 mode tap
taps tap-a2
ok "a tap replaced behind our back is pending" is_xdp tap-a2 "off off pending"
ok "and taken again" gl apply "$W/before.yaml"
ok "so that it is attached" is_xdp tap-a2 "native tcx attached"
shape >"$W/before"
entries >"$W/before.entries"
ok "after" gl apply "$W/after.yaml"
shape >"$W/after"
entries >"$W/after.entries"
ok "before" gl apply "$W/before.yaml"

# ---- XDP as the definition wants it --------------------------------------------------------------------------------

for mode in native generic off native off generic auto; do
	sed "s/xdp: auto/xdp: $mode/" "$W/before.yaml" >"$W/mode.yaml"
	want=$mode
	[ $mode = auto ] && want=native
	ok "xdp: $mode" gl apply "$W/mode.yaml"
	ok "is $want" is_xdp tap.a1 "$want tcx attached"
done
in_ns host ethtool -K up0 rxvlan off
sed 's/interface: up0/interface: up0, xdp: native/' "$W/before.yaml" >"$W/native.yaml"
ok "a veth gets XDP where the definition insists" gl apply "$W/native.yaml"
ok "native" is_xdp up0 "native tcx attached"
ok "but not by itself" gl apply "$W/before.yaml"
ok "off" is_xdp up0 "off tcx attached"
ok "and says why" says "segmentation offload" gl status
in_ns host ethtool -K up0 rxvlan on
ok "with rx-vlan-offload it has another reason" gl apply "$W/before.yaml"
ok "which it says" says "rx-vlan-offload hides tags" gl status
ok "off" is_xdp up0 "off tcx attached"
in_ns host ip link add br-x type bridge
definition auto 1000 | sed 's/interface: up0/interface: br-x, xdp: native/' >"$W/bridge.yaml"
in_ns host ip addr add 192.0.2.1/24 dev br-x
ok "native on a device that cannot is an error" says "cannot attach native XDP to br-x" gl apply "$W/bridge.yaml"
ok "which changes nothing" is_shape before
in_ns host ip link del br-x

# ---- the way back and forth under clsact ---------------------------------------------------------------------------

ok "all away" gl delete --all
ok "no pin is left" test ! -e "$W/bpf/gl"
ok "no state is left" test ! -e "$W/state"
ok "the operator's own ports are as they were" test "$(reserved)" = "$(cat "$W/own")"
ok "forwarding on lo is as it was" test "$(in_ns host cat /proc/sys/net/ipv4/conf/lo/forwarding)" = 0
ok "no program is left" test -z "$(in_ns host ip link show | grep xdp)"
export GUESTLANE_TC=clsact
ok "apply under clsact" gl apply "$W/before.yaml"
ok "is clsact" is_xdp tap.a1 "native clsact attached"
ok "nothing to do under clsact" quiet_plan "$W/before.yaml"
in_ns host tc qdisc del dev tap.a1 clsact
ok "a removed qdisc is noticed" is_xdp tap.a1 "native off pending"
ok "and made good" gl apply "$W/before.yaml"
ok "is clsact again" is_xdp tap.a1 "native clsact attached"
ok "after under clsact" gl apply "$W/after.yaml"
ok "a device that is no longer defined has no filter" test -z "$(in_ns host tc filter show dev tap-a2 ingress)"
unset GUESTLANE_TC
ok "before again, whatever the rest uses" gl apply "$W/before.yaml"
ok "delete" gl delete --all
ok "no filter is left" test -z "$(in_ns host tc filter show dev tap.a1 ingress)"

# ---- no room, no privileges ----------------------------------------------------------------------------------------

no "loading without the privileges fails" in_ns host setpriv --bounding-set=-all --inh-caps=-all "$BUILD/guestlane" \
	--bpffs "$W/bpf/gl" --state "$W/state" apply "$W/before.yaml"
ok "and leaves nothing" test ! -e "$W/bpf/gl"
# Without CAP_PERFMON the verifier holds programs to stricter rules, which these do not meet.
ok "a program that the verifier refuses is an error" says "refuses the program" in_ns host setpriv \
	--bounding-set=-all,+bpf,+net_admin,+dac_override,+sys_resource --inh-caps=-all "$BUILD/guestlane" \
	--bpffs "$W/bpf/gl" --state "$W/state" apply "$W/before.yaml"
ok "and leaves nothing" test ! -e "$W/bpf/gl"
ok "before" gl apply "$W/before.yaml"
shape >"$W/before"
# More source addresses of one interface than their map has room for.
python3 - "$W/before.yaml" >"$W/full.yaml" <<-'PY'
	import sys
	pairs = ", ".join(f"172.{16 + (i >> 16)}.{i >> 8 & 255}.{i & 255}" for i in range(140000))
	print(open(sys.argv[1]).read().replace("addresses: [10.0.0.11]", f"addresses: [10.0.0.11], allowed_address_pairs: [{pairs}]"))
PY
ok "a full map is an error" says "gl_allow4" gl apply "$W/full.yaml"
ok "that changes nothing" is_shape before
mkdir "$W/small"
mount -t tmpfs -o size=16k tmpfs "$W/small"
cp -a "$W/state" "$W/small/state"
head -c 16k /dev/zero >"$W/small/full" 2>/dev/null
small() { in_ns host "$BUILD/guestlane" --bpffs "$W/bpf/gl" --state "$W/small/state" "$@"; }
ok "a full disk is an error" says "No space left" small apply "$W/after.yaml"
ok "that changes nothing" is_shape before
rm "$W/small/full"
ok "with room it works" small apply "$W/after.yaml"
ok "all of it" is_shape after
cp -a "$W/small/state/." "$W/state"
umount "$W/small"
ok "delete" gl delete --all

# ---- one at a time -------------------------------------------------------------------------------------------------

ok "before" gl apply "$W/before.yaml"
exec 9>>"$W/state/lock"
flock -x 9
echo 4711 >"$W/state/lock"
ok "a command waits, then says who holds the lock" says "process 4711" gl apply "$W/after.yaml"
ok "status needs no lock" gl status
exec 9>&-
ok "and goes on when it is free" gl apply "$W/before.yaml"

# ---- what the host holds -------------------------------------------------------------------------------------------

nsenter --net=/run/netns/glt-host python3 -c '
import socket, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("0.0.0.0", 24680))
time.sleep(60)' &
holder=$!
sleep 0.5
ok "a socket in the range that we hold already is the operator's business" gl apply "$W/before.yaml"
gl delete --all >/dev/null
ok "a socket in a new range is an error" says "udp port 24680" gl apply "$W/before.yaml"
ok "that changes nothing" test "$(reserved)" = "$(cat "$W/own")"
kill "$holder"
wait "$holder" 2>/dev/null
ok "then it goes" gl apply "$W/before.yaml"

# ---- limits --------------------------------------------------------------------------------------------------------

ok "delete one tenant" gl delete tenant old
ok "it is gone" test -z "$(ls "$W/bpf/gl/flows" | grep old)"
no "delete a tenant that is not there" gl delete tenant old
ok "back" gl apply "$W/before.yaml"
chmod 0 "$W/bpf/gl"
ok "a user without privileges reads why" says "Permission denied" setpriv --reuid 65534 --clear-groups \
	"$BUILD/guestlane" --bpffs "$W/bpf/gl" --state "$W/state" status
chmod 700 "$W/bpf/gl"

# ---- two instances -------------------------------------------------------------------------------------------------

netns two
in_ns two ip link add up0 type veth peer name up1
in_ns two ip addr add 198.51.100.1/24 dev up0
in_ns two ip link set up0 up
for t in tap.a1 tap-a2 tap-o1; do in_ns two ip tuntap add "$t" mode tap; done
gl2() { in_ns two "$BUILD/guestlane" --bpffs "$W/bpf/two" --state "$W/state2" "$@"; }
shape >"$W/before"
ok "a second instance" gl2 apply "$W/before.yaml"
ok "does not touch the first" is_shape before
ok "goes" gl2 delete --all
ok "and leaves the first" is_shape before
ok "the end" gl delete --all

finish
