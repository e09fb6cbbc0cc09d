#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
"""Do kernels that know nothing but what routers tell them live on our networks, and hosts that live so beside them?

Guests take address, router, MTU and resolver from advertisements alone, are told anew in time, find out whose address
they must not use, and talk by IPv6 with or without IPv4, over narrow links too. The host's own way out may come from a
router as well. Neighbours: test_hostile6.py (who lies about all this), test_ways.py (each way, addresses set by hand).
"""
import json
import os
import socket
import struct
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import gl
from gl import (HOST_IP, ROUTER_IP, SERVER_IP, Echo, Sniffer, ensure, family, frame, icmp6, ip, ip6, link_local, mac, nd_option,
                tcp_ask, transfer, udp_ask, wait_for, who_has)

ALL_NODES, ALL_NODES_MAC, ALL_ROUTERS, ALL_ROUTERS_MAC = "ff02::1", "33:33:00:00:00:01", "ff02::2", "33:33:00:00:00:02"
A, B, C, RAW, TOLD, SILENT, LATE = (f"52:54:00:00:00:0{n}" for n in range(1, 8))
PREFIX, ALONE, MANAGED = "fd00:6:1::", "fd00:6:6::", "fd00:6:7::"
RESOLVER = ip(SERVER_IP, 6)
FAR = "2001:db8:fa::2"  # behind a link of 1,400 bytes
HOST_PREFIX, FORWARDING = "2001:db8:77::", "ipv6/conf/lo/forwarding"
DAY = 86400


def definition(lifetime=600, mtu=1400, more=""):
    return f"""
version: 1
uplinks: [{{ name: wan, interface: wan }}]
tenants:
  - name: red
    networks:
      - name: front
        mode: nat
        uplink: wan
        subnets: ["10.0.0.0/24", "{PREFIX}/64"]  # IPv4
        open_to: tenant
        router_advertisements: {{ dns: ["{RESOLVER}", "2001:db8::53"], interval: 4, lifetime: {lifetime}, mtu: {mtu} }}
      - {{ name: alone, mode: nat, uplink: wan, subnets: ["{ALONE}/64"], open_to: tenant }}
      - {{ name: told, mode: nat, uplink: wan, subnets: ["{MANAGED}/64"], router_advertisements: {{ mode: managed }} }}
      - {{ name: silent, mode: nat, uplink: wan, subnets: ["fd00:6:8::/64"], router_advertisements: {{ mode: off }} }}
    guests:
      - name: a
        interfaces: [{{ tap: tap-a, mac: "{A}", network: front, addresses: ["10.0.0.11", slaac] }}]  # IPv4
      - name: b
        interfaces: [{{ tap: tap-b, mac: "{B}", network: front, addresses: ["10.0.0.12", slaac] }}]  # IPv4
      - name: c
        interfaces: [{{ tap: tap-c, mac: "{C}", network: alone, addresses: [slaac] }}]
      - name: raw
        interfaces: [{{ tap: raw, mac: "{RAW}", network: front, addresses: ["10.0.0.14", slaac] }}]  # IPv4
      - name: told
        interfaces: [{{ tap: told, mac: "{TOLD}", network: told, addresses: ["{MANAGED}5"] }}]
      - name: silent
        interfaces: [{{ tap: silent, mac: "{SILENT}", network: silent, addresses: ["fd00:6:8::6"] }}]
{more}"""


def slaac(prefix, of):
    """The address that follows from a prefix and a MAC."""
    raw = socket.inet_pton(socket.AF_INET6, prefix)[:8] + socket.inet_pton(socket.AF_INET6, link_local(of))[8:]
    return socket.inet_ntop(socket.AF_INET6, raw)


class Advertisement:
    """What a router's message says."""

    def __init__(self, f):
        ensure(f.checksums_right() and f.ttl == 255, lambda: f"advertisement: {f}")
        self.frame = f
        self.managed, self.lifetime = f.l4[5], struct.unpack("!H", f.l4[6:8])[0]
        self.link, self.mtu, self.prefixes, self.dns, at = None, None, [], [], 16
        while at < len(f.l4):
            kind, units = f.l4[at:at + 2]
            body = f.l4[at + 2:at + 8 * units]
            if kind == 1:
                self.link = ":".join(f"{b:02x}" for b in body)
            elif kind == 3:
                valid, preferred = struct.unpack("!II", body[2:10])
                self.prefixes.append((socket.inet_ntop(socket.AF_INET6, body[14:30]), body[0], body[1], valid >= preferred > DAY))
            elif kind == 5:
                self.mtu = struct.unpack("!I", body[2:6])[0]
            elif kind == 25:
                self.dns_lifetime = struct.unpack("!I", body[2:6])[0]
                self.dns += [socket.inet_ntop(socket.AF_INET6, body[i:i + 16]) for i in range(6, len(body), 16)]
            at += 8 * units


def advertised(frames):
    return [Advertisement(f) for f in frames if f.icmp == 134]


def solicit(tap, of):
    tap.send(frame(ALL_ROUTERS_MAC, of, icmp6(link_local(of), ALL_ROUTERS, 133, 0, bytes(4) + nd_option(1, mac(of)), ttl=255)))


def addresses(ns, dev="eth0"):
    """address -> its flags and lifetimes."""
    found = json.loads(ns.sh("ip", "-j", "-6", "addr", "show", "dev", dev).stdout)
    return {a["local"]: a for d in found for a in d.get("addr_info", ()) if "local" in a}


def learned(ns, dst="default", dev="eth0"):
    """The route that a router's message left, if there is one."""
    found = json.loads(ns.sh("ip", "-j", "-6", "route", "show", dst, "dev", dev).stdout or "[]")
    return next((r for r in found if r.get("protocol") in ("ra", "kernel") and (dst != "default" or r["protocol"] == "ra")), None)


def left(ns, dev="eth0"):
    """Seconds that the default router has been granted still."""
    route = learned(ns, dev=dev)
    return route["expires"] if route else 0


def settled(ns, addr, dev="eth0"):
    wait_for(lambda: addr in addresses(ns, dev) and not addresses(ns, dev)[addr].get("tentative") and learned(ns, dev=dev), 10,
             lambda: f"{ns.name}: {addr} of {addresses(ns, dev)}, {learned(ns, dev=dev)}")


def router_tells(lab, prefix, lifetime):
    """The router outside tells the host of itself."""
    src = lab.out.mac("out0")
    body = (struct.pack("!BBHII", 64, 0, lifetime, 0, 0) + nd_option(1, mac(src)) +
            nd_option(3, struct.pack("!BBIII", 64, 0xC0, DAY, DAY, 0) + ip6(prefix)))
    with lab.out.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as tx:
        with lab.out:
            tx.bind(("out0", 0))
        tx.send(frame(ALL_NODES_MAC, src, icmp6(link_local(src), ALL_NODES, 134, 0, body, ttl=255)))


def setting(ns, key):
    with ns:
        return open("/proc/sys/net/" + key).read().strip()


class Site:
    """The host too has its way out from a router, before anything of guestlane is there."""

    def __init__(self):
        self.lab = lab = gl.Lab()
        for key, value in (("accept_ra", 1), ("autoconf", 1), ("use_tempaddr", 0)):
            lab.host.sysctl("ipv6/conf/wan/" + key, value)
        lab.host.sh("ip -6 route del default")
        lab.out.ip(f"addr add {HOST_PREFIX}1/64 dev out0")
        self.own, self.forwarding = slaac(HOST_PREFIX, lab.host.mac("wan")), setting(lab.host, FORWARDING)
        router_tells(lab, HOST_PREFIX, 1200)
        settled(lab.host, self.own, "wan")
        self.outside = HOST_IP, family.name(self.own)  # translated to either
        self.a, self.b, self.c = lab.live("a", A), lab.live("b", B, kind="veth"), lab.live("c", C)
        self.raw, self.told, self.silent = (lab.raw(t) for t in ("raw", "told", "silent"))
        self.a_ip, self.b_ip, self.c_ip = slaac(PREFIX, A), slaac(PREFIX, B), slaac(ALONE, C)
        for ns, last in ((self.a, 11), (self.b, 12)):
            ns.sh(f"ip addr add 10.0.0.{last}/24 dev eth0")
            ns.sh("ip route add default via 10.0.0.1")
        lab.apply(definition())
        self.first = {t.name: advertised(t.drain(0.1)) for t in (self.raw, self.told, self.silent)}
        for ns, addr in ((self.a, self.a_ip), (self.b, self.b_ip), (self.c, self.c_ip)):
            settled(ns, addr)
        self.raw.send(who_has(RAW, link_local(RAW), PREFIX + "1"))
        self.gw = self.raw.expect(lambda f: f.tells, what="the gateway's answer").tells[1]
        self.servers = [Echo(lab.out, tcp=[80], udp=[53]), *(Echo(ns, tcp=[80], udp=[53]) for ns in (self.a, self.b, self.c))]

    def apply(self, **kw):
        self.raw.drain(0)
        self.told.drain(0)
        self.lab.apply(definition(**kw))
        return [advertised(t.drain(0.1)) for t in (self.raw, self.told)]


sited = gl.shared(Site)


# ---- what guests are told -------------------------------------------------------------------------------------------


@sited
@gl.only(6)
def by_advertisement(s):
    """a kernel that solicits is told alone, and takes address, router, lifetime, MTU and prefix from what it hears"""
    s.raw.drain(0)
    wire = Sniffer(s.a, "eth0")
    s.a.sh("ip link set eth0 down")
    s.a.sh("ip link set eth0 up")
    s.a.sh("ip route add default via 10.0.0.1")  # IPv4's went with the link
    settled(s.a, s.a_ip)
    heard = wire.frames(0.05)
    wire.close()
    asked = [f for f in heard if f.icmp == 133]
    ensure(asked and asked[0].src == A, "the guest did not ask")
    answers = [r for r in advertised(heard) if r.frame.ip_dst != family.name(ALL_NODES)]
    ensure(answers, lambda: f"no answer: {[str(f) for f in heard]}")
    ra = answers[0]
    ensure((ra.frame.src, ra.frame.dst, ra.frame.ip_src, ra.frame.ip_dst) == (s.gw, A, link_local(s.gw), link_local(A)), f"{ra.frame}")
    ensure((ra.managed, ra.lifetime, ra.mtu, ra.link) == (0, 600, 1400, s.gw), f"{vars(ra)}")
    ensure(ra.prefixes == [(PREFIX, 64, 0xC0, True)], f"{ra.prefixes}")
    ensure(ra.dns == [RESOLVER, "2001:db8::53"] and ra.dns_lifetime == 1800, f"{vars(ra)}")
    ensure(not advertised(s.raw.drain(0)), "the answer reached a neighbour")
    route = learned(s.a)
    ensure(route["gateway"] == link_local(s.gw) and 590 < route["expires"] <= 600, f"{route}")
    prefix = learned(s.a, PREFIX + "/64")
    ensure(prefix and "gateway" not in prefix and prefix["expires"] > DAY, f"{prefix}")
    ensure(setting(s.a, "ipv6/conf/eth0/mtu") == "1400", "the MTU was not taken")
    wire = Sniffer(s.b, "eth0")
    s.raw.send(frame(ALL_ROUTERS_MAC, RAW, icmp6("::", ALL_ROUTERS, 133, ttl=255)))
    f = s.raw.expect(lambda f: f.icmp == 134, what="the answer to who has no address yet")
    ensure(Advertisement(f) and (f.dst, f.ip_dst) == (ALL_NODES_MAC, family.name(ALL_NODES)), f"{f}")
    ensure(not advertised(wire.frames(0.05)), "that answer reached a neighbour")
    wire.close()
    mine = addresses(s.a)[s.a_ip]
    ensure(mine["prefixlen"] == 64 and mine["valid_life_time"] > DAY, f"{mine}")


@sited
@gl.only(6)
def modes(s):
    """`managed` sets the flags and makes nobody take an address by itself; `off` says nothing, asked or not"""
    for how, ra in (("attached", s.first["told"]), ("asked", None)):
        if ra is None:
            solicit(s.told, TOLD)
            ra = advertised([s.told.expect(lambda f: f.icmp == 134, what="an advertisement")])
        ensure(len(ra) == 1 and (ra[0].managed, ra[0].lifetime, ra[0].mtu, ra[0].dns) == (0xC0, 9000, 1500, []), f"{how}: {[vars(r) for r in ra]}")
        ensure(ra[0].prefixes == [(MANAGED, 64, 0x80, True)], f"{how}: {ra[0].prefixes}")
    ensure(not s.first["silent"], "`off` advertised when attached")
    before = s.lab.drops()
    solicit(s.silent, SILENT)
    s.silent.send(who_has(SILENT, "fd00:6:8::6", "fd00:6:8::1"))  # answers come in the order of what is asked
    heard = []
    s.silent.expect(lambda f: heard.append(f) or f.tells, what="the gateway's answer")
    ensure(not advertised(heard) and not advertised(s.silent.drain(0.05)), "`off` advertised when asked")
    s.lab.expect_drops(before, {})


@sited
@gl.only(6)
def by_apply(s):
    """apply tells who is attached, and all of a network whose advertisement changes; nobody when neither is so"""
    ensure(len(s.first["raw"]) == 1 and s.first["raw"][0].frame.ip_dst == family.name(ALL_NODES), f"when attached: {s.first['raw']}")
    ensure(s.apply() == [[], []], "told again of what is the same")
    more = f"""      - name: late
        interfaces: [{{ tap: late, mac: "{LATE}", network: front, addresses: [slaac] }}]
"""
    late = s.lab.raw("late")
    ensure(s.apply(more=more) == [[], []], "others are told when one is attached")
    ensure(len(advertised(late.drain(0.1))) == 1, "who is attached is not told")
    raw, told = s.apply(lifetime=900)
    ensure([r.lifetime for r in raw] == [900] and not told, f"a changed lifetime: {raw}, in another network {told}")
    wait_for(lambda: 890 < left(s.a) <= 900, 3, lambda: f"{learned(s.a)}")
    raw, told = s.apply(lifetime=900, mtu=1300)
    ensure([r.mtu for r in raw] == [1300] and not told, f"a changed MTU: {raw}")
    raw, _ = s.apply(lifetime=0)
    ensure([r.lifetime for r in raw] == [0], f"no router any longer: {raw}")
    wait_for(lambda: not learned(s.a), 3, "no default route")
    ensure(s.a_ip in addresses(s.a), "the address went with the router")
    s.apply()
    wait_for(lambda: 590 < left(s.a) <= 600, 3, lambda: f"{learned(s.a)}")


@sited
@gl.only(6)
def in_time(s):
    """`advertise` renews what guests were told; so does what they ask neighbours, by ND or ARP, once the interval is over"""
    s.apply(lifetime=60)
    told_at = time.monotonic()
    s.raw.send(who_has(RAW, link_local(RAW), PREFIX + "1"))
    heard = []
    s.raw.expect(lambda f: heard.append(f) or f.tells, what="the gateway's answer")
    early = advertised(heard + s.raw.drain(0.05))
    ensure(not early or time.monotonic() - told_at >= 3, "told again before the interval is over")
    quiet = s.a, s.b
    wait_for(lambda: all(0 < left(ns) <= 57 for ns in quiet), 12, lambda: f"{[learned(ns) for ns in quiet]}")
    s.raw.drain(0)
    r = s.lab.gl("advertise", "--network", "front")
    wait_for(lambda: all(left(ns) > 57 for ns in quiet), 2, lambda: f"after {r.stdout!r}: {[learned(ns) for ns in quiet]}")
    ensure(len(advertised(s.raw.drain(0.1))) == 1 and not advertised(s.told.drain(0)), "`advertise --network`")
    # a asks by ND and b by ARP; both had to be silent for that long, or were told before.
    wait_for(lambda: all(0 < left(ns) <= 55 for ns in quiet), 20, lambda: f"{[learned(ns) for ns in quiet]}")
    for ns, gateway, number in ((s.a, PREFIX + "1", 6), (s.b, "10.0.0.1", 4)):
        wire = Sniffer(ns, "eth0")
        ns.sh(f"ip -{number} neigh flush dev eth0")
        with family.turn(number):
            ensure(ns.ping(gateway, 1), f"{gateway}: not answered")
        wait_for(lambda: left(ns) > 55, 2, lambda: f"{ns.name} was not told again: {learned(ns)}")
        seen = wire.frames(0.05)
        wire.close()
        ensure(any(f.tells and f.tells[0] == gateway for f in seen), f"the question for {gateway} was not answered")
        ensure(len(advertised(seen)) == 1, f"told {len(advertised(seen))} times")


@sited
@gl.only(6)
def duplicates(s):
    """a guest gets its own addresses through detection, and is refused its neighbours' and the gateway's"""
    ensure(not any("dadfailed" in a for ns in (s.a, s.b, s.c) for a in addresses(ns).values()), f"{addresses(s.a)}")
    before = s.lab.drops()
    for addr in (s.a_ip, link_local(A), PREFIX + "1", link_local(s.gw)):
        s.b.sh("ip", "addr", "add", addr + "/64", "dev", "eth0")
        wait_for(lambda: addresses(s.b)[addr].get("dadfailed"), 5, lambda: f"{addr} was taken: {addresses(s.b)}")
        s.b.sh("ip", "addr", "del", addr + "/64", "dev", "eth0")
    s.b.sh("ip", "addr", "del", s.b_ip + "/64", "dev", "eth0")
    s.b.sh("ip", "addr", "add", s.b_ip + "/64", "dev", "eth0")
    wait_for(lambda: not addresses(s.b)[s.b_ip].get("tentative"), 5, lambda: f"{addresses(s.b)}")
    ensure(not addresses(s.b)[s.b_ip].get("dadfailed"), "its own address is refused")
    ensure(s.a.ping(s.b_ip, 2) and s.a_ip in addresses(s.a), "the neighbour's address")
    s.lab.expect_drops(before, {})


# ---- what they do with it -------------------------------------------------------------------------------------------


@sited
@gl.only(6)
def both_ways_of_life(s):
    """by addresses they were told of, dual stack and IPv6-only guests reach each other and the outside, by echo, UDP and TCP"""
    for ns, addr, seen in ((s.a, s.b_ip, s.a_ip), (s.a, s.c_ip, s.a_ip), (s.c, s.a_ip, s.c_ip), (s.a, SERVER_IP, None), (s.c, SERVER_IP, None)):
        ensure(ns.ping(addr, 2), f"echo {ns.name} to {addr}")
        ensure(ns.ping(addr, 1, 2, "-s", "4000"), f"echo in fragments {ns.name} to {addr}: {s.lab.drops()}")
        ensure(tcp_ask(ns, addr, 80) in ((seen,) if seen else s.outside), f"TCP {ns.name} to {addr}")
        ensure(udp_ask(ns, addr, 53) in ((seen,) if seen else s.outside), f"UDP {ns.name} to {addr}")
    for ns in (s.a, s.b):
        ensure(ns.ping(link_local(s.gw) + "%eth0", 1) and ns.ping(PREFIX + "1", 1), "the gateway")
    ensure(s.a.ping(link_local(B) + "%eth0", 1), "a neighbour by its link-local address")
    transfer(s.b, s.a, s.a_ip, size=4 << 20)
    transfer(s.c, s.lab.out, SERVER_IP, size=4 << 20)
    query = struct.pack("!6H", 77, 0x100, 1, 0, 0, 0) + b"\7example\3net\0" + struct.pack("!2H", 28, 1)
    ensure(udp_ask(s.a, family.name(s.first["raw"][0].dns[0]), 53, query) in s.outside, "the resolver that it was told of")
    with family.turn(4):
        ensure(s.a.ping("10.0.0.12", 2) and s.a.ping(SERVER_IP, 2), "IPv4 on the same interface")
        ensure(tcp_ask(s.a, SERVER_IP, 80) == HOST_IP and tcp_ask(s.a, "10.0.0.12", 80) == "10.0.0.11", "IPv4 TCP on the same interface")


@sited
@gl.only(6)
def narrow(s):
    """behind a link of 1,400 bytes the guest learns the path's MTU from what is too big, and its transfer goes on"""
    far = s.lab.space("far")
    s.lab.out.sh("ip", "link", "add", "far0", "mtu", "1400", "type", "veth", "peer", "name", "eth0", "mtu", "1400", "netns", far.name)
    s.lab.out.ip("addr add 2001:db8:fa::1/64 dev far0", "link set far0 up")
    # advmss: it promises more than its link holds, so that only the path's MTU helps
    far.ip(f"addr add {FAR}/64 dev eth0", "link set eth0 up", "route add default via 2001:db8:fa::1 advmss 1440")
    ensure("mtu 1400" not in s.c.route(FAR), "known before")
    transfer(s.c, far, FAR, size=4 << 20)
    ensure("mtu 1400" in s.c.route(FAR), f"the path's MTU was not learned: {s.c.route(FAR)}")
    ensure(not s.c.ping(FAR, 1, 1, "-s", "1400", "-M", "do") and s.c.ping(FAR, 2, 2, "-s", "1352", "-M", "do"), "echo up to the MTU")
    ensure(s.c.ping(FAR, 2, 2, "-s", "4000"), "echo in fragments")


# ---- the host -------------------------------------------------------------------------------------------------------


def way_out(s):
    """The host by its learned route and address, and neighbours that find each other anew."""
    host, out = s.lab.host, s.lab.out
    ensure(learned(host, dev="wan"), "the default route that the host has learned is gone")
    ensure(s.own in addresses(host, "wan"), "the address that the host has taken is gone")
    ensure(host.ping(SERVER_IP, 2, 2, "-I", s.own), "the host's own echo by the learned route")
    host.sh("ip -6 neigh flush dev wan")
    out.sh("ip -6 neigh flush dev out0")
    ensure(out.ping(s.own, 2) and out.ping(HOST_IP, 2) and host.ping(ROUTER_IP, 2), "neighbours find each other anew")


@sited
@gl.only(6)
def host_that_learns(s):
    """a host whose own way out comes from a router keeps it through apply and `delete --all`, which leaves no setting behind"""
    ensure(s.forwarding == "0", "forwarding was on before guestlane was there")
    before = s.lab.drops()
    for lifetime in (600, 700):
        s.apply(lifetime=lifetime)
        ensure(setting(s.lab.host, FORWARDING) == "1", "forwarding, which route lookups need, is off")
        ensure(setting(s.lab.host, "ipv6/conf/wan/accept_ra") == "1", "accept_ra of the uplink was changed")
        way_out(s)
    ensure(s.c.ping(SERVER_IP, 2), "a guest by the route that the host has learned")
    was = left(s.lab.host, "wan")
    router_tells(s.lab, HOST_PREFIX, was + 600)
    wait_for(lambda: left(s.lab.host, "wan") > was, 3, "the router is no longer heard")
    ensure(learned(s.c)["gateway"] != link_local(s.lab.out.mac("out0")), "a guest hears the host's router")
    s.lab.expect_drops(before, {})
    s.lab.gl("delete", "--all")
    ensure(setting(s.lab.host, FORWARDING) == "0", "forwarding was not given back")
    way_out(s)


if 6 in family.FAMILIES:
    gl.main()
print("skip  IPv6 is off\n0 passed, 0 failed, 1 skipped")
