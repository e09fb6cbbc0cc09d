# SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
# The host, the two definitions and the looks at what is in force that the tests of apply share. To be sourced.
# Neighbours: lib.sh, test_apply.sh, test_death.sh.
W=$GLT_WORLD
sided='gl_(port|network|l2|host4|route4|allow4|addr4|forward4|policy|remote4|rule|tenant)'

taps() { for t; do in_ns host ip tuntap add "$t" mode tap; done; }
# All maps by their entries, a line each: a dump takes time, so that one serves both looks at it.
dumped() { gl -j dump | sed 's/,$//; s/^\[//; s/]$//' | sort; }
of_maps() { grep -E "\"map\":\"$1\""; }
entries() { dumped | of_maps "$sided"; }
reserved() { in_ns host cat /proc/sys/net/ipv4/ip_local_reserved_ports; }
# All that apply puts on the host, but for counters.
shape() {
	dumped >"$W/dump"
	of_maps "$sided" <"$W/dump"
	ls "$W/bpf/gl/links" "$W/bpf/gl/flows"
	reserved
	in_ns host cat /proc/sys/net/ipv4/conf/lo/forwarding
	in_ns host bridge fdb show dev up0 | grep permanent | sort
	of_maps gl_name <"$W/dump"
}
is_shape() { shape >"$W/now" && diff "$W/$1" "$W/now"; }
either() { entries >"$W/now" && { diff "$W/before.entries" "$W/now" || diff "$W/after.entries" "$W/now"; }; }
xdp_of() { gl -j status | python3 -c "
import json, sys
text = sys.stdin.read()
def walk(v):
    if isinstance(v, dict):
        if v.get('tap') == '$1' and 'xdp' in v: print(v['xdp'], v['tc'], v['state'])
        for x in v.values(): walk(x)
    if isinstance(v, list):
        for x in v: walk(x)
walk(json.loads(text))"; }
is_xdp() { [ "$(xdp_of "$1")" = "$2" ] || { xdp_of "$1"; false; }; }
says() {
	local text=$1
	shift
	"$@" >"$W/said" 2>&1
	cat "$W/said"
	grep -qF -- "$text" "$W/said"
}
quiet_plan() { gl -j plan "$1" >"$W/plan" && cat "$W/plan" && grep -q '"change":0' "$W/plan" && grep -q '"add":0' "$W/plan" &&
	grep -q '"remove":0' "$W/plan"; }

# definition NAME XDP_A1 MAX_FLOWS: what all of them share
definition() {
	cat <<-YAML
		version: 1
		uplinks:
		  - { name: wan, interface: up0 }
		tenants:
		  - name: acme.co
		    max_flows: $2
		    security_groups:
		      - { name: web, ingress: [{ proto: tcp, ports: [80, $2-3000] }, { remote_group: web }] }
		      - { name: db, ingress: [{ proto: udp, remote_ip: 192.0.2.0/24 }], egress: [] }
		    networks:
		      - { name: front, mode: nat, uplink: wan, subnets: [10.0.0.0/24] }
		    guests:
		      - name: a1
		        interfaces:
		          - { tap: tap.a1, mac: "52:54:00:00:00:01", network: front, addresses: [10.0.0.11], xdp: $1, security_groups: [web] }
	YAML
}
{
	definition auto 1000
	cat <<-YAML
		      - name: a2
		        interfaces:
		          - { tap: tap-a2, mac: "52:54:00:00:00:02", network: front, addresses: [10.0.0.12], security_groups: [web, db] }
		  - name: old
		    networks:
		      - { name: seg, mode: bridge, uplink: wan, subnets: [198.51.100.0/24] }
		    guests:
		      - name: o1
		        interfaces:
		          - { tap: tap-o1, mac: "52:54:00:00:00:01", network: seg, addresses: [198.51.100.77] }
	YAML
} >"$W/before.yaml"
{
	definition generic 2000
	cat <<-YAML
		        port_forwards:
		          - { proto: tcp, address: 198.51.100.1, port: 8080, to: 80 }
		  - name: fresh
		    security_groups: [{ name: one, ingress: [{ remote_ip: 198.51.100.0/25 }, { proto: icmp, icmp_type: 8 }] }]
		    networks:
		      - { name: seg, mode: bridge, uplink: wan, subnets: [198.51.100.0/24] }
		      - { name: lab, mode: isolated, subnets: [10.0.0.0/24] }
		    guests:
		      - name: f1
		        interfaces:
		          - { tap: tap-f1, mac: "52:54:00:00:00:03", network: seg, addresses: [198.51.100.78], security_groups: [one] }
		          - { tap: tap-f2, mac: "52:54:00:00:00:01", network: lab, addresses: [10.0.0.11],
		              allowed_address_pairs: [10.0.0.128/25] }
	YAML
} >"$W/after.yaml"

netns host
netns out
in_ns host ip link add up0 type veth peer name up1
in_ns host ip link set up1 netns glt-out
in_ns host ip addr add 198.51.100.1/24 dev up0
in_ns host ip link set up0 up
in_ns out ip link set up1 up
taps tap.a1 tap-a2 tap-o1 tap-f1 tap-f2
echo 20000-20010,50000 >"$W/own"
in_ns host cp "$W/own" /proc/sys/net/ipv4/ip_local_reserved_ports
