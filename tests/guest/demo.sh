#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
# `make demo`: two customers with the same addresses of both families on one host, five real guests, one of them with
# IPv6 alone, shown step by step in about a minute. Everything happens in network namespaces of its own. Exit status 1
# when something is not as it should be.
# Neighbours: demo.yaml (the definition), world.sh (host, uplink, guests).
set -uo pipefail
. "$(dirname "$0")/world.sh"

bold='' red='' green='' yellow='' dim='' off=''
if [ -t 1 ]; then
	bold=$'\e[1m' red=$'\e[31m' green=$'\e[32m' yellow=$'\e[33m' dim=$'\e[2m' off=$'\e[0m'
fi
began=${EPOCHREALTIME/./} number=0 wrong=0

clock() { local t=$((${EPOCHREALTIME/./} - began)); printf '%d.%d' $((t / 1000000)) $((t / 100000 % 10)); }
step() {
	number=$((number + 1))
	printf '\n%s%d  %-68s%s %s%6s s%s\n' "$bold" $number "$1" "$off" "$dim" "$(clock)" "$off"
}
say() { printf '   %s\n' "$*"; }
indent() { sed 's/^/   /'; }
good() { printf '   %s✓%s %s\n' "$green" "$off" "$*"; }
bad() { printf '   %s✗ %s%s\n' "$red" "$*" "$off"; wrong=$((wrong + 1)); }
# expect TEXT COMMAND...
expect() {
	local text=$1
	shift
	if "$@"; then good "$text"; else bad "$text"; fi
}
run() { printf '   %s$ %s%s\n' "$yellow" "$*" "$off"; }
give_up() { bad "$*"; exit 1; }

# ---- the matrix: what each cell must say ------------------------------------------------------------------------

declare -A must=()
row() {
	local from=$1 i
	shift
	for i in "${!columns[@]}"; do
		must[$from ${columns[$i]}]=$1
		shift
	done
}
columns4=(10.0.0.1 10.0.0.11 10.0.0.12 192.168.7.12 192.168.7.13 $SERVER $HOST $ACME_PUBLIC:8080 $HOST:8080)
heads4=("10.0.0" "10.0.0" "10.0.0" "192.168.7" "192.168.7" "server" "host" "acme's" "globex's")
tails4=(".1" ".11" ".12" ".12" ".13" "outside" "itself" ":8080" ":8080")
columns=("${columns4[@]}")
#              .1   .11        .12     lab.12  lab.13   server host  acme:8080  globex:8080
row acme-web   ping '*'        acme/db -       -        server -     '*'        globex/web
row acme-db    ping acme/web   '*'     '*'     acme/lab server -     acme/web   globex/web
row acme-lab   -    -          -       acme/db '*'      -      -     -          -
row globex-web ping '*'        -       -       -        server -     acme/web   '*'
row globex-app -    -          -       -       -        -      -     -          -
row outside    -    -          -       -       -        '*'    '*'   acme/web   globex/web

columns6=($GATEWAY6 $WEB6 $DB6 $APP6 $DB_LAB6 $LAB6 $SERVER6 $HOST6 "[$ACME_PUBLIC6]:8080" "[$HOST6]:8080")
heads6=("fd00:10::" "fd00:10::" "fd00:10::" "fd00:10::" "fd00:7::" "fd00:7::" "server" "host" "acme's" "globex's")
tails6=("1" "..fe00:1" "..fe00:2" "..fe00:4" "..fe00:12" "..fe00:3" "outside" "itself" ":8080" ":8080")
columns=("${columns6[@]}")
#              ::1  ..:1       ..:2    ..:4       lab..:12 lab..:3 server host  acme:8080  globex:8080
row acme-web   ping '*'        acme/db -          -       -        server -     '*'        globex/web
row acme-db    ping acme/web   '*'     -          '*'     acme/lab server -     acme/web   globex/web
row acme-lab   -    -          -       -          acme/db '*'      -      -     -          -
row globex-web ping '*'        -       globex/app -       -        server -     acme/web   '*'
row globex-app ping globex/web -       '*'        -       -        server -     acme/web   globex/web
row outside    -    -          -       -          -       -        '*'    '*'   acme/web   globex/web

# What one source saw of one target, in a word: who answered; which protocols, unless all of them.
summary() {
	awk -v target="$2" '
		$1 == target { seen[$2] = $3 }
		END {
			who = seen["tcp"]
			if (target ~ /[].][0-9]*:[0-9]+$/) { print who; exit }
			if (seen["ping"] == "yes" && who == "-" && seen["udp"] == "-") { print "ping"; exit }
			if (seen["ping"] == "-" && who == "-" && seen["udp"] == "-") { print "-"; exit }
			if (seen["ping"] == "yes" && who == seen["udp"]) { print who; exit }
			print "p:" seen["ping"] ",t:" who ",u:" seen["udp"]
		}' "$GUEST_DIR/seen.$1"
}

# Everything of both families is asked at once.
ask_all() {
	local from target
	local -a pids=()
	for from in "${GUESTS[@]}" outside; do
		local -a targets=()
		for target in "${columns4[@]}" "${columns6[@]}"; do
			[ "${must[$from $target]}" = '*' ] || targets+=("$target")
		done
		probe_from "$from" "${targets[@]}" >"$GUEST_DIR/seen.$from" &
		pids+=($!)
	done
	wait "${pids[@]}"
}

# matrix 4|6
matrix() {
	local from target cell want color i
	local -n columns=columns$1 heads=heads$1 tails=tails$1
	printf '   %s%-11s' "$dim" "from \\ to"
	for i in "${!columns[@]}"; do printf ' %-10s' "${heads[$i]}"; done
	printf '\n   %-11s' ''
	for i in "${!columns[@]}"; do printf ' %-10s' "${tails[$i]}"; done
	printf '%s\n' "$off"
	for from in "${GUESTS[@]}" outside; do
		printf '   %s%-11s%s' "$bold" "$(title "$from")" "$off"
		for target in "${columns[@]}"; do
			want=${must[$from $target]}
			if [ "$want" = '*' ]; then
				printf ' %s%-10s%s' "$dim" . "$off"
				continue
			fi
			cell=$(summary "$from" "$target")
			# An emulated guest on a busy machine may be slow to answer: what is not as it should be is asked again.
			if [ "$cell" != "$want" ]; then
				probe_from "$from" "$target" >>"$GUEST_DIR/seen.$from"
				cell=$(summary "$from" "$target")
			fi
			color=$dim
			[ "$cell" = - ] || color=$green
			if [ "$cell" != "$want" ]; then
				color=$red
				wrong=$((wrong + 1))
				cell="$cell!=$want"
			fi
			printf ' %s%-10s%s' "$color" "$cell" "$off"
		done
		echo
	done
}

# bulk FROM TEXT ADDRESS PORT MIB
bulk() {
	local result
	result=$(guest_run "$1" "probe bulk $3 $4 $5" 90)
	case $result in
	ok*) set -- "$2" $result; good "$(printf '%-44s %s MiB in %5.1f s, %4d Mbit/s, sum of all bytes agrees' "$1" "$3" "$4" "$5")" ;;
	*) bad "$2: ${result:-no answer}" ;;
	esac
}

# spoof TEXT REASON FRAMES-COMMAND
spoof() {
	local before after
	before=$(drops acme-db "$2")
	guest_run acme-db "probe forge $3 50"
	after=$(drops acme-db "$2")
	if [ $((after - before)) -ge 50 ]; then
		good "$(printf '%-44s %3d of 50 frames dropped: %s' "$1" $((after - before > 50 ? 50 : after - before)) "$2")"
	else
		bad "$1: $((after - before)) of 50 counted under $2"
	fi
}

# ---- the show ---------------------------------------------------------------------------------------------------

printf '%sguestlane: two customers, one host, the same addresses%s\n' "$bold" "$off"

step "A host with an uplink and six taps, an outside with a server"
"$GUEST_HERE/image.sh" "$BUILD" 6.1 || give_up "no image for the guests"
world_network || give_up "the namespaces could not be set up"
say "outside 203.0.113.254, its server $SERVER; host $HOST on wan; taps acme-* and globex-*"

step "The definition, applied before any guest runs"
sed -n '/^tenants/,$p' "$GUEST_HERE/demo.yaml" | sed "s/^/   $dim/;s/\$/$off/"
run guestlane apply demo.yaml
gl apply "$GUEST_HERE/demo.yaml" 2>&1 | indent || give_up "apply failed"
plan=$(gl plan "$GUEST_HERE/demo.yaml" 2>&1)
expect "a second look finds nothing to change" grep -qi "no change" <<<"$plan"

step "Five guests boot: Linux 6.1, virtio-net all offloads on, software emulation"
world_boot
declare -A booting=()
for name in "${GUESTS[@]}"; do
	world_configure "$name" >"$GUEST_DIR/up.$name" 2>&1 &
	booting[$name]=$!
done
for name in "${GUESTS[@]}"; do
	if wait "${booting[$name]}"; then
		say "$(printf '%-12s up %5s s  %s' "$(title "$name")" "$(clock)" "$(guest_run "$name" \
			"ip -o addr show scope global | awk '{print \$2, \$4}' | tr '\n' ' '; cat /sys/class/net/eth0/address")")"
	else
		cat "$GUEST_DIR/up.$name"
		give_up "$(title "$name") did not come up"
	fi
done

step "IPv6 as the router tells it: addresses of its prefixes, routes, name servers"
for name in acme-web globex-web globex-app; do
	told=$(guest_run "$name" "ip -6 route show default; cat /etc/resolv.conf")
	expect "$(title "$name") has its default route by advertisement" grep -q "^default via fe80::.* dev eth0" <<<"$told"
	expect "$(title "$name") has its name server by advertisement" grep -qx "nameserver $SERVER6" <<<"$told"
done
expect "acme/lab is told of no router: its network is isolated" \
	guest_run acme-lab "! ip -6 route show default | grep -q . && grep -qx '# lifetime 0' /etc/resolv.conf"
named=$(guest_run globex-app "nslookup -type=AAAA server.example | awk '/^Address: / { print \$2; exit }'")
expect "globex/app, without IPv4, asks it for server.example: ${named:-nothing}" test "$named" = $SERVER6

step "Who reaches whom: the name of who answers ping, TCP and UDP; '-' nobody"
ask_all
matrix 4
matrix 6
say "${dim}10.0.0.11 and fd00:10::..fe00:1 are one machine for acme and another for globex; :8080 is each customer's" \
	"forwarded port (TCP).$off"

step "Security groups: acme/db's lab interface is in \`vault\`, which lets \`lab\` in to port 7"
refused_at=$(drops acme-lab GROUP_INGRESS)
expect "acme/lab asks for port 7 and hears $(guest_run acme-lab "probe ask tcp 192.168.7.12 7 3000" | head -n 1)" \
	test "$(summary acme-lab 192.168.7.12)" = acme/db
answer=$(guest_run acme-lab "probe ask tcp 192.168.7.12 80 1200; probe ask tcp $DB_LAB6 80 1200" 2>/dev/null)
expect "acme/lab asks for port 80, where acme/db listens too, over IPv4 and IPv6, and hears nothing" test -z "$answer"
expect "counted: GROUP_INGRESS" test "$(drops acme-lab GROUP_INGRESS)" -gt "$refused_at"
run guestlane show groups
gl show groups 2>&1 | indent || bad "show groups failed"

step "Translation: whom the server outside sees"
# seen_as GUEST OWN SERVER PUBLIC
seen_as() {
	local seen
	seen=$(guest_run "$1" "probe ask udp $3 53 3000")
	expect "$(printf '%-10s %-23s arrives as %s' "$(title "$1")" "$2" "${seen#* saw }")" grep -q "saw $4 " <<<"$seen"
}
seen_as acme-web 10.0.0.11 $SERVER $ACME_PUBLIC
seen_as globex-web 10.0.0.11 $SERVER $HOST
seen_as acme-web $WEB6 $SERVER6 $ACME_PUBLIC6
seen_as globex-web $WEB6 $SERVER6 $HOST6

step "Bulk data, checksums and segments left to the virtual card"
bulk acme-db "acme/db -> acme/web, tap to tap" 10.0.0.11 7 32
bulk acme-db "acme/db -> acme/web, tap to tap, IPv6" $WEB6 7 32
bulk globex-web "globex/web -> the server, through NAT" $SERVER 7 32
bulk globex-app "globex/app -> server.example, through NAT66" "$named" 7 32

step "acme/db turns hostile"
spoof "sends with acme/web's address" SPOOF_IP "udp eth0 52:54:00:00:00:02 52:54:00:00:00:01 10.0.0.11 10.0.0.11"
spoof "sends with acme/web's MAC" SPOOF_MAC "udp eth0 52:54:00:00:00:01 ff:ff:ff:ff:ff:ff 10.0.0.12 10.0.0.11"
spoof "claims in ARP to be the gateway" SPOOF_ARP "arp eth0 52:54:00:00:00:02 ff:ff:ff:ff:ff:ff 10.0.0.1 10.0.0.11"
spoof "sends with acme/web's IPv6 address" SPOOF_IP "udp eth0 52:54:00:00:00:02 52:54:00:00:00:01 $WEB6 $WEB6"
spoof "advertises itself as the gateway" SPOOF_ND "na eth0 52:54:00:00:00:02 33:33:00:00:00:01 $GATEWAY6 ff02::1"
spoof "pretends to be a router" ROUTER "ra eth0 52:54:00:00:00:02 33:33:00:00:00:01 fe80::5054:ff:fe00:2 ff02::1"
run guestlane show drops --tap acme-db
gl show drops --tap acme-db 2>&1 | indent
expect "its neighbours did not notice: globex/app reaches globex/web" \
	guest_run globex-app "probe ask tcp $WEB6 7 3000 | grep -q ^globex/web"
expect "and acme/web still has one router" \
	guest_run acme-web "test \$(ip -6 route show default | wc -l) = 1"

step "What the operator sees"
run guestlane status
gl status 2>&1 | indent || bad "status failed"
run "guestlane show flows"
gl show flows >"$GUEST_DIR/flows" 2>&1 || bad "show flows failed"
head -n 14 "$GUEST_DIR/flows" | indent
say "$dim...$off"
grep -F fd00: "$GUEST_DIR/flows" | head -n 10 | indent
say "$dim... $(wc -l <"$GUEST_DIR/flows") lines in all$off"
expect "flows of both tenants and both families are there" awk '
	/acme/ && / 10\.0\.0\./ { a4 = 1 } /acme/ && /fd00:10::/ { a6 = 1 }
	/globex/ && / 10\.0\.0\./ { g4 = 1 } /globex/ && /fd00:10::/ { g6 = 1 }
	END { exit !(a4 && a6 && g4 && g6) }' "$GUEST_DIR/flows"

step "Everything goes again"
run guestlane delete --all
gl delete --all 2>&1 | indent || bad "delete failed"
left=$(for tap in wan acme-web acme-db globex-web; do host tc filter show dev $tap ingress; host ip link show dev $tap; done |
	grep -c -E 'bpf|xdp')
expect "no program is left on any interface" test "$left" = 0
for name in "${GUESTS[@]}"; do guest_stop "$name"; done

echo
if [ "$wrong" = 0 ]; then
	printf '%sEverything as it should be, in %s seconds.%s\n' "$green" "$(clock)" "$off"
else
	printf '%s%d things are not as they should be, after %s seconds.%s\n' "$red" "$wrong" "$(clock)" "$off"
fi
exit $((wrong > 0))
