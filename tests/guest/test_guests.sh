#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
# Do real guests, with their own drivers and stacks, live as the definition says? Five QEMU guests of two tenants with
# equal subnets, addresses and MACs, in both families; globex/app has IPv6 alone.
# Neighbours: world.sh (host, uplink, guests), demo.yaml (the definition).
set -uo pipefail
. "$(dirname "$0")/world.sh"
passed=0 failed=0

ok() { passed=$((passed + 1)); echo "ok    $1"; }
fail() { failed=$((failed + 1)); echo "FAIL  $1"; [ -z "${2:-}" ] || sed 's/^/      /' <<<"$2"; }
# is TEXT WANT GOT: WANT is a pattern of `case`.
is() {
	# shellcheck disable=SC2254
	case $3 in
	$2) ok "$1" ;;
	*) fail "$1" "expected $2, got: $3" ;;
	esac
}
g() { guest_run "$@" 2>&1; }
ask() { guest_run "$1" "probe ask $2 $3 $4 ${5:-3000}" 2>/dev/null | head -n 1; }
number() { guest_run "$1" "cat /sys/class/net/${3:-eth0}/statistics/$2"; }
finish() {
	[ "$failed" = 0 ] || gl show drops 2>&1 | sed 's/^/      /'
	echo "$passed passed, $failed failed, 0 skipped"
	[ "$failed" = 0 ]
	exit
}

"$GUEST_HERE/image.sh" "$BUILD" 6.1 || exit 1
world_network || exit 1
if ! out=$(gl apply "$GUEST_HERE/demo.yaml" 2>&1); then
	fail "the definition is applied" "$out"
	finish
fi
ok "the definition is applied before any guest runs"
world_boot
pids=()
for name in "${GUESTS[@]}"; do
	world_configure "$name" &
	pids+=($!)
done
for i in "${!pids[@]}"; do
	wait "${pids[$i]}" || { fail "${GUESTS[$i]} comes up"; finish; }
done
ok "five guests come up, each with the addresses that it makes of router advertisements"

# ---- what the router tells --------------------------------------------------------------------------------------

declare -A made=([acme-web]=$WEB6 [acme-db]=$DB6 [acme-lab]=$LAB6 [globex-web]=$WEB6 [globex-app]=$APP6)
for name in "${GUESTS[@]}"; do
	is "$(title "$name")'s address is its MAC's" "${made[$name]}/64 " \
		"$(g "$name" "ip -o -6 addr show dev eth0 scope global | awk '/dynamic/ { printf \"%s \", \$4 }'")"
	[ "$name" != acme-lab ] || continue
	is "$(title "$name") has one default route, from the gateway's link-local address" "1 default via fe80::* dev eth0 *" \
		"$(g "$name" 'echo $(ip -6 route show default | wc -l) $(ip -6 route show default)')"
	is "$(title "$name") is told of the name server" "nameserver $SERVER6" "$(g "$name" 'grep nameserver /etc/resolv.conf')"
done
is "an isolated network's gateway is nobody's default router" "# lifetime 0|0" \
	"$(g acme-lab 'echo "$(grep lifetime /etc/resolv.conf)|$(ip -6 route show default | wc -l)"')"
is "a guest without IPv4 resolves a name over IPv6" "$SERVER6" \
	"$(g globex-app "nslookup -type=AAAA server.example | awk '/^Address: / { print \$2; exit }'")"
is "a guest with both resolves it over IPv4 as well" "$SERVER" \
	"$(g acme-web "nslookup -type=A server.example $SERVER | awk '/^Address: / { print \$2; exit }'")"

# ---- who answers ------------------------------------------------------------------------------------------------

# reach FROM TARGET...: asks for all, in the guest; cells() reads the answers.
declare -A all=(
	[acme-web]="10.0.0.1 10.0.0.12 192.168.7.12 192.168.7.13 $SERVER $HOST
		$GATEWAY6 $DB6 $APP6 $DB_LAB6 $LAB6 $SERVER6 $HOST6"
	[acme-db]="10.0.0.1 10.0.0.11 192.168.7.13 192.168.7.1 $SERVER $GATEWAY6 $WEB6 $APP6 $LAB6 fd00:7::1 $SERVER6"
	[acme-lab]="10.0.0.1 10.0.0.11 10.0.0.12 192.168.7.12 $SERVER $HOST $GATEWAY6 $WEB6 $DB6 $DB_LAB6 $SERVER6 $HOST6"
	[globex-web]="10.0.0.1 10.0.0.12 192.168.7.13 $SERVER $HOST $GATEWAY6 $DB6 $APP6 $LAB6 $SERVER6 $HOST6"
	[globex-app]="10.0.0.11 $SERVER $GATEWAY6 $WEB6 $DB6 $DB_LAB6 $SERVER6"
	[outside]="10.0.0.11 10.0.0.12 192.168.7.13 $WEB6 $DB6 $APP6 $LAB6"
)
pids=()
for name in "${!all[@]}"; do
	probe_from "$name" ${all[$name]} >"$GUEST_DIR/seen.$name" &
	pids+=($!)
done
wait "${pids[@]}"

# cell FROM TARGET PING TCP UDP: an emulated guest on a busy machine may be slow to answer, and is asked once more.
saw() { awk -v t="$2" '$1 == t { a[$2] = $3 } END { print a["ping"], a["tcp"], a["udp"] }' "$GUEST_DIR/seen.$1"; }
cell() {
	if [ "$(saw "$1" "$2")" != "$3 $4 $5" ]; then probe_from "$1" "$2" >>"$GUEST_DIR/seen.$1"; fi
	is "$(title "$1") to $2 by ping, TCP and UDP: $3 $4 $5" "$3 $4 $5" "$(saw "$1" "$2")"
}
everything() { cell "$1" "$2" yes "$3" "$3"; }
nothing() {
	local from=$1 target
	shift
	for target in "$@"; do cell "$from" "$target" - - -; done
}
for name in acme-web acme-db globex-web globex-app; do
	cell "$name" $GATEWAY6 yes - -
	everything "$name" $SERVER6 server
	[ "$name" != globex-app ] || continue
	cell "$name" 10.0.0.1 yes - -
	everything "$name" $SERVER server
done
for web_db in "10.0.0.11 10.0.0.12" "$WEB6 $DB6"; do
	everything acme-web "${web_db#* }" acme/db
	everything acme-db "${web_db% *}" acme/web
	nothing acme-lab $web_db
	nothing globex-web "${web_db#* }"
	nothing outside $web_db
done
for db_lab in "192.168.7.12 192.168.7.13" "$DB_LAB6 $LAB6"; do
	everything acme-db "${db_lab#* }" acme/lab
	everything acme-lab "${db_lab% *}" acme/db
	nothing acme-web $db_lab
	nothing globex-web "${db_lab#* }"
	nothing outside "${db_lab#* }"
done
everything globex-app $WEB6 globex/web
everything globex-web $APP6 globex/app
nothing acme-web $APP6 $HOST $HOST6
nothing acme-db $APP6
nothing acme-lab 10.0.0.1 $SERVER $HOST $GATEWAY6 $SERVER6 $HOST6
nothing globex-web $HOST $HOST6
nothing globex-app 10.0.0.11 $SERVER $DB6 $DB_LAB6
nothing outside $APP6

# ---- security groups --------------------------------------------------------------------------------------------

before=$(drops acme-lab GROUP_INGRESS)
is "a port that no rule of the target's group names answers nobody" "" \
	"$(ask acme-lab tcp 192.168.7.12 80 1200)$(ask acme-lab tcp $DB_LAB6 80 1200)"
is "and is counted" yes "$([ "$(drops acme-lab GROUP_INGRESS)" -gt "$before" ] && echo yes)"
is "on another interface of the same guest, without groups, it answers" "acme/db *" "$(ask acme-web tcp 10.0.0.12 80)"
is "so it does over IPv6" "acme/db *" "$(ask acme-web tcp $DB6 80)"

# ---- translation ------------------------------------------------------------------------------------------------

# translated FAMILY SERVER ACME-PUBLIC HOST CLIENT
translated() {
	local there=$3 here=$4
	[ "$1" = IPv4 ] || there="[$3]" here="[$4]"
	is "acme is seen with its public $1 address" "server saw $3 *" "$(ask acme-web udp "$2" 53)"
	is "globex is seen with the uplink's $1 address" "server saw $4 *" "$(ask globex-web tcp "$2" 53)"
	is "acme's forwarded port $there:8080 leads to acme/web, which sees the client" "acme/web saw $5 *" \
		"$(outside "$GUEST_DIR/probe" ask tcp "$3" 8080 3000)"
	is "globex's forwarded port $here:8080 leads to globex/web" "globex/web saw $5 *" \
		"$(outside "$GUEST_DIR/probe" ask tcp "$4" 8080 3000)"
	is "a port of $there that is not forwarded answers nobody" "" \
		"$(outside "$GUEST_DIR/probe" ask tcp "$3" 7 1000 2>/dev/null)"
	is "the host's own service on the shared address $here is untouched" "the-host saw $5 *" \
		"$(outside "$GUEST_DIR/probe" ask tcp "$4" 7 3000)"
	is "the host itself reaches the outside by $1" "server saw $4 *" "$(host "$GUEST_DIR/probe" ask tcp "$2" 7 3000)"
	is "one tenant reaches the other's forwarded port by $1, and is seen as public" "acme/web saw $4 *" \
		"$(ask globex-web tcp "$3" 8080)"
}
translated IPv4 $SERVER $ACME_PUBLIC $HOST 203.0.113.254
translated IPv6 $SERVER6 $ACME_PUBLIC6 $HOST6 $OUTSIDE6
is "fifty queries of new sockets are all answered" 50 \
	"$(g globex-app "for i in \$(seq 50); do probe ask udp $SERVER6 53 3000; done | grep -c '^server saw $HOST6 '" 60)"
hops() { g acme-web "$1 -n -q 1 -w 3 -m 4 $2 2>/dev/null | awk '\$1 ~ /^[0-9]+\$/ { printf \"%s \", \$2 }'" 40; }
is "traceroute shows the gateway, then the server" "10.0.0.1 $SERVER " "$(hops traceroute $SERVER)"
is "traceroute6 shows the gateway, then the server" "$GATEWAY6 $SERVER6 " "$(hops traceroute6 $SERVER6)"

# ---- bulk -------------------------------------------------------------------------------------------------------

features=$(g acme-web 'cut -c1-64 /sys/class/net/eth0/device/features')
# Virtio feature bits 0 (checksum), 1 (guest checksum), 7 (guest TSO), 11 (host TSO), from the left.
is "the virtual card has its offloads on" 11 "${features:0:1}${features:11:1}"
# bulk FAMILY WEB SENDER SERVER ACME-PUBLIC
bulk() {
	is "32 MiB between guests of a network arrive whole by $1" "ok 32 *" "$(g acme-db "probe bulk $2 7 32" 90)"
	is "16 MiB to the server through NAT arrive whole by $1" "ok 16 *" "$(g "$3" "probe bulk $4 7 16" 90)"
	is "16 MiB from outside through a forwarded port arrive whole by $1" "ok 16 *" \
		"$(outside "$GUEST_DIR/probe" bulk "$5" 8080 16 2>&1)"
	is "large pings, fragmented by the sender, come back by $1" "*2 packets received*" \
		"$(g acme-db "ping -c 2 -W 3 -s 4000 $2" | tr '\n' ' ')"
}
bulk IPv4 10.0.0.11 globex-web $SERVER $ACME_PUBLIC
bulk IPv6 $WEB6 globex-app $SERVER6 $ACME_PUBLIC6

# ---- hostility --------------------------------------------------------------------------------------------------

# Neighbour discovery goes on meanwhile: fewer than ten frames in a guest's counter are none of the fifty.

# forged TEXT REASON FORGERY: 50 frames of acme/db, all dropped for the reason, none seen by acme/web.
forged() {
	local before after seen
	before=$(drops acme-db "$2") seen=$(number acme-web rx_packets)
	g acme-db "probe forge $3 50"
	after=$(drops acme-db "$2")
	is "$1: all 50 are dropped as $2" 50 $((after - before))
	is "$1: acme/web sees none" "[0-9]" $(($(number acme-web rx_packets) - seen))
}
db=52:54:00:00:00:02 web=52:54:00:00:00:01 all_macs=ff:ff:ff:ff:ff:ff
forged "a neighbour's address" SPOOF_IP "udp eth0 $db $web 10.0.0.11 10.0.0.11"
forged "a foreign address" SPOOF_IP "udp eth0 $db $web 8.8.8.8 10.0.0.11"
forged "a neighbour's MAC" SPOOF_MAC "udp eth0 $web $all_macs 10.0.0.12 10.0.0.11"
forged "ARP in the gateway's name" SPOOF_ARP "arp eth0 $db $all_macs 10.0.0.1 10.0.0.11"
forged "ARP in a neighbour's name" SPOOF_ARP "arp eth0 $db $all_macs 10.0.0.11 10.0.0.11"
forged "an address of its other network" SPOOF_IP "udp eth0 $db $web 192.168.7.12 10.0.0.11"
all_nodes=33:33:00:00:00:01
forged "a neighbour's IPv6 address" SPOOF_IP "udp eth0 $db $web $WEB6 $WEB6"
forged "an IPv6 address of the prefix that is nobody's" SPOOF_IP "udp eth0 $db $web fd00:10::bad $WEB6"
forged "an IPv6 address of its other network" SPOOF_IP "udp eth0 $db $web $DB_LAB6 $WEB6"
forged "a neighbour advertisement in the gateway's name" SPOOF_ND "na eth0 $db $all_nodes $GATEWAY6 ff02::1"
forged "a neighbour advertisement in a neighbour's name" SPOOF_ND "na eth0 $db $web $WEB6 ff02::1"
forged "a router advertisement" ROUTER "ra eth0 $db $all_nodes fe80::5054:ff:fe00:2 ff02::1"
is "acme/web has one default route still" 1 "$(g acme-web 'ip -6 route show default | wc -l')"

declare -A rx=()
for name in acme-web acme-lab globex-web globex-app; do rx[$name]=$(number "$name" rx_packets); done
g acme-db "probe forge udp eth0 $db $all_macs 10.0.0.12 255.255.255.255 50"
sleep 0.5
for name in acme-lab globex-web globex-app; do
	is "broadcasts of acme/front do not reach $(title "$name")" "[0-9]" $(($(number "$name" rx_packets) - ${rx[$name]}))
done
is "broadcasts reach the own network" "5[0-9]" $(($(number acme-web rx_packets) - ${rx[acme-web]}))

# ---- change -----------------------------------------------------------------------------------------------------

sed '/^  - name: globex/,$d' "$GUEST_HERE/demo.yaml" >"$GUEST_DIR/acme-only.yaml"
guest_run acme-db "probe bulk $WEB6 7 96" 90 >"$GUEST_DIR/bulk" 2>&1 &
bulk=$!
sleep 0.5
out=$(gl apply "$GUEST_DIR/acme-only.yaml" 2>&1) && ok "globex is removed while acme transfers" ||
	fail "globex is removed while acme transfers" "$out"
wait "$bulk"
is "acme's transfer goes through" "ok 96 *" "$(cat "$GUEST_DIR/bulk")"
is "globex has nobody to talk to any more" "" "$(ask globex-app tcp $WEB6 7 1000)"
is "globex's forwarded ports are closed" "" "$(outside "$GUEST_DIR/probe" ask tcp $HOST 8080 1000 2>/dev/null
	outside "$GUEST_DIR/probe" ask tcp $HOST6 8080 1000 2>/dev/null)"
gl apply "$GUEST_HERE/demo.yaml" >"$GUEST_DIR/out" 2>&1 || fail "globex comes back" "$(cat "$GUEST_DIR/out")"
is "globex comes back" "globex/web *" "$(ask globex-app tcp $WEB6 7)"

guest_stop globex-app
guest_boot globex-app glt-host 6.1 192 globex-app=52:54:00:00:00:04
world_configure globex-app || fail "a guest boots again on its tap"
is "a guest that was stopped and started has its address again, without another apply" "globex/web saw $APP6 *" \
	"$(ask globex-app tcp $WEB6 7)"
is "a plan finds nothing to change at the end" 1 "$(gl plan "$GUEST_HERE/demo.yaml" | grep -ci 'no change')"
finish
