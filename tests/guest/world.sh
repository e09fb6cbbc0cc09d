# SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
# The world of demo.yaml: a host with taps and an uplink, an outside with a server, and five guests. To be sourced,
# with BUILD as $1, before anything else: it goes on in private mount and PID namespaces, so that guests, network
# namespaces, pins and mounts are gone when the script ends, however it ends.
# Neighbours: lib.sh (guests), demo.sh and test_guests.sh (what happens in this world).

if [ "$$" != 1 ]; then
	[ "$(id -u)" = 0 ] || { echo "$(basename "$0"): network namespaces and taps need root" >&2; exit 1; }
	[ -x "$1/guestlane" ] || { echo "$(basename "$0"): $1/guestlane is not built: make" >&2; exit 1; }
	GUEST_DIR=$(mktemp -d "${TMPDIR:-/tmp}/guestlane-guests.XXXXXX")
	export GUEST_DIR
	trap 'rm -rf "$GUEST_DIR"' EXIT
	trap 'kill -KILL "$world_pid" 2>/dev/null' INT TERM HUP
	unshare --mount --pid --fork --kill-child --mount-proc --propagation private "$0" "$@" &
	world_pid=$!
	wait "$world_pid"
	exit
fi

BUILD=$(cd "$1" && pwd)
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
WORLD=$GUEST_HERE
GUESTLANE=$BUILD/guestlane
RUN=$GUEST_DIR/run
GUESTS=(acme-web acme-db acme-lab globex-web globex-app)
SERVER=198.51.100.10 HOST=203.0.113.1 ACME_PUBLIC=203.0.113.10
SERVER6=2001:db8:51::10 HOST6=2001:db8:203::1 ACME_PUBLIC6=2001:db8:203::10 OUTSIDE6=2001:db8:203::254
# What guests make of prefix and MAC; web's is that of both tenants.
GATEWAY6=fd00:10::1 WEB6=fd00:10::5054:ff:fe00:1 DB6=fd00:10::5054:ff:fe00:2 APP6=fd00:10::5054:ff:fe00:4
DB_LAB6=fd00:7::5054:ff:fe00:12 LAB6=fd00:7::5054:ff:fe00:3

world_end() {
	guest_stop_all
	kill $(jobs -p) 2>/dev/null
	ip netns del glt-host 2>/dev/null
	ip netns del glt-outside 2>/dev/null
	umount "$GUEST_DIR/bpf" 2>/dev/null
}
trap world_end EXIT
trap 'exit 130' INT TERM HUP

# guestlane on the host of this world. The mounts that `ip netns exec` adds are of no use here, so nsenter.
gl() { nsenter --net=/run/netns/glt-host "$GUESTLANE" --bpffs "$GUEST_DIR/bpf/guestlane" --state "$RUN" "$@"; }
outside() { nsenter --net=/run/netns/glt-outside "$@"; }
host() { nsenter --net=/run/netns/glt-host "$@"; }
# A guest's name for people: acme-web is acme/web.
title() { echo "${1/-//}"; }

world_network() {
	local tap
	local -A queues=([acme-web]=multi_queue)
	mkdir -p /run/netns "$GUEST_DIR/bpf"
	mount -t tmpfs tmpfs /run/netns
	mount -t bpf bpf "$GUEST_DIR/bpf"
	cp "$BUILD/guest/6.1/probe" "$GUEST_DIR/probe"
	ip netns add glt-host && ip netns add glt-outside || return
	for name in glt-host glt-outside; do
		nsenter --net=/run/netns/$name sysctl -qw net.ipv6.conf.all.disable_ipv6=1 \
			net.ipv6.conf.default.disable_ipv6=1 net.ipv6.conf.lo.disable_ipv6=0 \
			net.ipv4.icmp_ratelimit=0 net.ipv6.icmp.ratelimit=0
		ip -n $name link set lo up
	done
	ip -n glt-host link add wan type veth peer name net netns glt-outside &&
		ip -n glt-host addr add $HOST/24 dev wan && ip -n glt-host link set wan up &&
		ip -n glt-outside addr add 203.0.113.254/24 dev net && ip -n glt-outside link set net up &&
		ip -n glt-host route add default via 203.0.113.254 &&
		ip -n glt-outside addr add $SERVER/32 dev lo || return
	host sysctl -qw net.ipv6.conf.wan.disable_ipv6=0 && outside sysctl -qw net.ipv6.conf.net.disable_ipv6=0 &&
		ip -n glt-host addr add $HOST6/64 dev wan nodad && ip -n glt-outside addr add $OUTSIDE6/64 dev net nodad &&
		ip -n glt-host route add default via $OUTSIDE6 && ip -n glt-outside addr add $SERVER6/128 dev lo nodad ||
		return
	# The outside tries to get at the private addresses too.
	ip -n glt-outside route add 10.0.0.0/24 via $HOST
	ip -n glt-outside route add 192.168.7.0/24 via $HOST
	ip -n glt-outside route add fd00:10::/64 via $HOST6
	ip -n glt-outside route add fd00:7::/64 via $HOST6
	for tap in acme-web acme-db acme-db-lab acme-lab globex-web globex-app; do
		ip -n glt-host tuntap add "$tap" mode tap vnet_hdr ${queues[$tap]:-} &&
			ip -n glt-host link set "$tap" up || return
	done
	# Ports: 7 names, 53 as well, 80 and 8080 to tell forwarded from direct.
	outside "$GUEST_DIR/probe" serve server 7 53 8080 2>"$GUEST_DIR/server.err" &
	host "$GUEST_DIR/probe" serve the-host 7 80 2>"$GUEST_DIR/host.err" &
}

world_boot() {
	guest_boot acme-web glt-host 6.1 192 acme-web=52:54:00:00:00:01,2
	guest_boot acme-db glt-host 6.1 192 acme-db=52:54:00:00:00:02 acme-db-lab=52:54:00:00:00:12
	guest_boot acme-lab glt-host 6.1 192 acme-lab=52:54:00:00:00:03
	guest_boot globex-web glt-host 6.1 192 globex-web=52:54:00:00:00:01
	guest_boot globex-app glt-host 6.1 192 globex-app=52:54:00:00:00:04
}

# IPv4 addresses as a cloud image would get them, those of IPv6 as the kernel makes them of what the router tells, which
# is waited for; name servers as the router tells them. Then everybody answers with the own name.
world_configure() {
	local name=$1 lines
	guest_ready "$name" 90 || return
	lines=$(case $name in
		acme-web | globex-web) echo "eth0 10.0.0.11/24 10.0.0.1" ;;
		acme-db) echo "eth0 10.0.0.12/24 10.0.0.1"; echo "eth1 192.168.7.12/24" ;;
		acme-lab) echo "eth0 192.168.7.13/24 192.168.7.1" ;;
		globex-app) echo "eth0" ;;
	esac)
	guest_run "$name" "for f in all default \$(echo '$lines' | cut -d ' ' -f 1); do
		echo 0 >/proc/sys/net/ipv6/conf/\$f/disable_ipv6
	done
	echo '$lines' | while read -r dev address gateway; do
		ip link set \$dev up || exit 1
		[ -z \"\$address\" ] || ip addr add \$address dev \$dev || exit 1
		[ -z \"\$gateway\" ] || ip route add default via \$gateway || exit 1
	done
	probe serve $(title "$name") 7 80 8080 >/tmp/serve.log 2>&1 &
	echo '$lines' | while read -r dev address; do
		n=0
		until ip -6 addr show dev \$dev scope global | grep dynamic | grep -qv tentative; do
			[ \$((n += 1)) -lt 150 ] || { echo \"\$dev: no address by router advertisement\"; exit 1; }
			usleep 100000
		done
	done || exit 1
	probe router eth0 >/etc/resolv.conf" 60
}

# drops TAP REASON: packets dropped there for that reason.
drops() {
	gl -j show drops --tap "$1" | /usr/bin/python3 -c '
import json, sys
def rows(x):
    if isinstance(x, dict):
        if "reason" in x and "packets" in x:
            yield x
        for v in x.values():
            yield from rows(v)
    elif isinstance(x, list):
        for v in x:
            yield from rows(v)
print(sum(r["packets"] for r in rows(json.load(sys.stdin)) if r["reason"].upper() == sys.argv[1]))' "$2"
}

# All probes of a line at once, in the guest's own time. One line each: TARGET ping|tcp|udp ANSWER; "-": none. Targets
# are addresses, or ADDRESS:PORT, or [ADDRESS]:PORT.
PROBE_ALL='
one() { answer=$("$@" 2>/dev/null | head -n 1); echo "$target $kind ${answer:--}" >>/tmp/matrix; }
pinged() { $pinger -c 3 -W 2 "$1" | sed -n "s/.* bytes from .*/yes/p"; }
rm -f /tmp/matrix; touch /tmp/matrix
for target in $targets; do
	address=$target port=7 pinger=ping
	case $target in
	*]:*) port=${target##*:} address=${target%]:*} address=${address#[} ;;
	*:*:*) pinger="ping -6" ;;
	*:*) port=${target#*:} address=${target%:*} ;;
	esac
	kind=tcp; one $probe ask tcp $address $port 6000 &
	[ $port = 7 ] || continue
	kind=ping; one pinged $address &
	kind=udp; one $probe ask udp $address $port 6000 &
done
wait; cat /tmp/matrix'

# probe_from NAME TARGET...: NAME is a guest, or "outside".
probe_from() {
	local name=$1
	shift
	if [ "$name" = outside ]; then
		outside sh -c "targets='$*' probe='$GUEST_DIR/probe'; ${PROBE_ALL//\/tmp\/matrix/$GUEST_DIR/matrix}"
	else
		guest_run "$name" "targets='$*' probe=probe; $PROBE_ALL" 60
	fi
}
