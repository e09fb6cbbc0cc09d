#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
"""What does a guest gain by the well-known attacks on IPv6's neighbour discovery?

False routers behind every order of extension headers, redirects, forged advertisements, denied addresses, floods, chains
of headers, fragments that hide. The neighbour is a kernel's own stack that believes in routers, as a guest's does; the
host and a listener on every network watch. Each attack is to be counted under its reason, to arrive nowhere and to
change nothing: neither neighbours' tables, nor routes, nor addresses. Neighbours: test_spoof.py (both families' lies).
"""
import itertools
import json
import os
import struct
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import gl
from gl import (SERVER_IP, ensure, eth, family, frame, icmp6, ip, ip6, ipv6, link_local, mac, nd_option, neighbour_advertisement,
                neighbour_solicitation, solicited_node, tag, tcp6, udp6, wait_for, who_has)

EVIL, GOOD, SPY, VICTIM = (f"52:54:00:00:00:0{n}" for n in (1, 2, 3, 4))
DEFINITION = f"""
version: 1
uplinks: [{{ name: wan, interface: wan }}]
tenants:
  - name: red
    networks:
      - {{ name: front, mode: nat, uplink: wan, subnets: [10.0.0.0/24] }}
      - {{ name: wire, mode: bridge, uplink: wan, subnets: [198.51.100.0/24], gateways: [198.51.100.1] }}
    guests:
      - name: evil
        interfaces:
          - {{ tap: evil, mac: "{EVIL}", network: front, addresses: [10.0.0.11] }}
          - {{ tap: evilwire, mac: "52:54:00:00:00:21", network: wire, addresses: [198.51.100.21] }}
      - name: good
        interfaces: [{{ tap: tap-good, mac: "{GOOD}", network: front, addresses: [10.0.0.12, "{ip("10.0.0.12", 6)}", slaac] }}]
      - name: spy
        interfaces:
          - {{ tap: spy, mac: "{SPY}", network: front, addresses: [10.0.0.13] }}
          - {{ tap: spywire, mac: "52:54:00:00:00:23", network: wire, addresses: [198.51.100.23] }}
  - name: blue
    networks:
      - {{ name: front, mode: nat, uplink: wan, subnets: [10.0.0.0/24] }}
    guests:
      - name: victim
        interfaces: [{{ tap: victim, mac: "{VICTIM}", network: front, addresses: [10.0.0.14] }}]
"""
EIP, GIP, SIP, GATEWAY = "10.0.0.11", "10.0.0.12", "10.0.0.13", "10.0.0.1"
WEVIL, WEIP = "52:54:00:00:00:21", "198.51.100.21"
ALL_NODES, ALL_NODES_MAC, ALL_ROUTERS, ALL_ROUTERS_MAC = "ff02::1", "33:33:00:00:00:01", "ff02::2", "33:33:00:00:00:02"
FLOOD = 2000


class Site(gl.Hostile):
    def __init__(self):
        self.lab = lab = gl.Lab()
        for tap in ("evil", "evilwire", "spy", "spywire", "victim"):
            setattr(self, tap, lab.raw(tap))
        self.good = lab.live("good", GOOD)
        lab.apply(DEFINITION)
        self.good.ip("link set eth0 down", "link set eth0 up", "addr add 10.0.0.12/24 dev eth0")  # it asks for routers anew
        wait_for(lambda: "proto kernel_ra" in self.addresses() or "dynamic" in self.addresses(), 10, lambda: f"slaac: {self.addresses()}")
        wait_for(lambda: "tentative" not in self.addresses(), 5, self.addresses)
        self.evil.send(who_has(EVIL, EIP, GATEWAY))
        self.gw = self.evil.expect(lambda f: f.tells, what="the gateway's answer").tells[1]
        self.link, self.gw_link = link_local(EVIL), link_local(self.gw)
        self.quiet_at_all()
        self.watch([self.spy, self.spywire, self.victim, self.evilwire])
        self.was = self.state()

    def quiet_at_all(self):
        """The real stack has told its groups, and asks no more."""
        end = time.monotonic() + 3
        while self.spy.drain(0.3) and time.monotonic() < end:
            pass

    def addresses(self):
        return self.good.sh("ip -6 addr show dev eth0").stdout

    def state(self):
        """What neighbour and host believe: addresses, default routes, and the MACs of those they talk to."""
        def believed(ns, dev):
            addrs = json.loads(ns.sh("ip", "-j", "-6", "addr", "show", "dev", dev).stdout)
            routes = json.loads(ns.sh("ip", "-j", "-6", "route", "show").stdout)
            return (sorted((a["local"], a.get("tentative"), a.get("dadfailed")) for d in addrs for a in d.get("addr_info", ())),
                    sorted((r["dst"], r.get("gateway"), r.get("metrics") and str(r["metrics"])) for r in routes if r.get("dev") == dev))

        return believed(self.good, "eth0"), believed(self.lab.host, "wan")

    def macs(self):
        """Whom the neighbour and the host know, by MAC."""
        return {n["lladdr"] for ns in (self.good, self.lab.host) for n in json.loads(ns.sh("ip -j -6 neigh show").stdout) if "lladdr" in n}

    def unharmed(self):
        now = self.state()
        ensure(now == self.was, lambda: f"neighbour or host now believe {now}, not {self.was}")
        ensure(not self.macs() & {EVIL, WEVIL}, lambda: f"somebody's neighbour is the attacker: {self.macs()}")
        ensure(self.good.ping(GATEWAY, 2) and self.good.ping(SERVER_IP, 2), "the neighbour's gateway")
        ensure(self.lab.host.ping(gl.ROUTER_IP, 2), "the host's own router")


sited = gl.shared(Site)


def attack(fn):
    @gl.only(6)
    def run(s):
        s.quiet()
        fn(s)
        s.unharmed()

    run.__name__, run.__doc__ = fn.__name__, fn.__doc__
    return sited(run)


# ---- shapes ---------------------------------------------------------------------------------------------------------


def advertisement(source, prefix="2001:db8:bad::", dst=ALL_NODES, **kw):
    """A router that wants all traffic, names a prefix and a resolver, and takes 1280 bytes."""
    options = (nd_option(1, mac(EVIL)) + nd_option(5, struct.pack("!HI", 0, 1280)) +
               nd_option(3, struct.pack("!BBIII", 64, 0xC0, 86400, 86400, 0) + ip6(prefix)) +
               nd_option(25, struct.pack("!HI", 0, 86400) + ip6("2001:db8:bad::53")))
    return icmp6(source, dst, 134, 0, struct.pack("!BBHII", 64, 0, 9000, 0, 0) + options, **{"ttl": 255, **kw})


def redirect(source, dst, target, about):
    return icmp6(source, dst, 137, 0, bytes(4) + ip6(target) + ip6(about) + nd_option(2, mac(EVIL)), ttl=255)


HEADERS = {"hop": 0, "dst": 60, "frag": 44, "ah": 51, "rt0": 43}


def behind(packet, chain):
    """A packet with extension headers in front of what it carries."""
    proto, data = packet[6], packet[40:]
    for kind in reversed(chain):
        if kind == "frag":  # atomic
            data = struct.pack("!BBHI", proto, 0, 0, 77) + data
        elif kind == "ah":
            data = struct.pack("!BBHIII", proto, 4, 0, 1, 1, 0) + bytes(8) + data
        elif kind == "rt0":
            data = struct.pack("!BBBBI", proto, 2, 0, 1, 0) + ip6(GIP) + data
        else:
            data = struct.pack("!BB", proto, 0) + b"\1\4\0\0\0\0" + data
        proto = HEADERS[kind]
    return packet[:4] + struct.pack("!HB", len(data), proto) + packet[7:40] + data


def chains():
    """Every order of every choice of headers, and some twice."""
    for n in range(1, 5):
        yield from itertools.permutations(("hop", "dst", "frag", "ah"), n)
    yield from (("dst", "dst"), ("frag", "frag"), ("hop", "hop"), ("dst",) * 7, ("dst",) * 9, ("rt0",), ("hop", "rt0"), ("dst", "rt0", "dst"))


def refusal(chain, reason):
    """Why a chain is refused, where that is not what lies behind it."""
    if "rt0" in chain or "hop" in chain[1:] or chain.count("frag") > 1 or len(chain) > 8:
        return "EXTENSION_HEADERS"
    return reason


def fragments(packet, cut, ident=99):
    """A packet in two fragments, cut behind so many bytes of what follows its header."""
    proto, data = packet[6], packet[40:]

    def part(offset, some, more):
        return packet[:4] + struct.pack("!HB", 8 + len(some), 44) + packet[7:40] + struct.pack("!BBHI", proto, 0, offset | more, ident) + some

    return part(0, data[:cut], 1), part(cut, data[cut:], 0)


# ---- routers --------------------------------------------------------------------------------------------------------


def hidden(s, what, packet, dst, tail_is="FRAGMENT_NO_HEAD"):
    """A message of a router by every road: plain, behind headers, in fragments, behind tags and LLC."""
    s.drop(what, frame(dst, EVIL, packet), "ROUTER")
    for chain in chains():
        s.drop(f"{what} behind {chain}", frame(dst, EVIL, behind(packet, chain)), refusal(chain, "ROUTER"), times=1)
    long = behind(packet, ("dst",) * 3)
    head, tail = fragments(long, 24)
    s.drop(f"{what} in the second of two fragments: the first", frame(dst, EVIL, head), "FRAGMENT_TINY", times=1)
    s.drop(f"{what} in the second of two fragments: the second", frame(dst, EVIL, tail), tail_is, times=1)
    head, tail = fragments(packet, 16, ident=100)
    s.drop(f"{what} in fragments: the first", frame(dst, EVIL, head), "ROUTER", times=1)
    s.drop(f"{what} in fragments: the second", frame(dst, EVIL, tail), tail_is, times=1)
    for tags in ((0,), (0, 0), (0, 0, 0, 0, 0), (100,), (0, 100)):
        whole = frame(dst, EVIL, packet)
        for vid in tags:
            whole = tag(whole, vid)
        s.drop(f"{what} behind tags {tags}", whole, "VLAN_TAGGED", times=1)
    llc = b"\xaa\xaa\3\0\0\0\x86\xdd" + packet
    for length in (len(llc), 0, 0x40, 0x5DC):
        s.drop(f"{what} in LLC/SNAP of length {length}", eth(dst, EVIL, length, llc), "ETHERTYPE", times=1)
    whole = tag(eth(dst, EVIL, len(llc), llc), 0)
    s.drop(f"{what} in LLC/SNAP behind a tag", whole, "VLAN_TAGGED", times=1)


@attack
def false_routers(s):
    """router advertisements of a guest are dropped behind every order of extension headers, in fragments, tags and LLC"""
    hidden(s, "RA", advertisement(s.link), ALL_NODES_MAC)
    for what, packet, dst in (("with the gateway's source", advertisement(s.gw_link), ALL_NODES_MAC),
                              ("to the neighbour alone", advertisement(s.link, dst=link_local(GOOD)), GOOD),
                              ("of hop limit 64", advertisement(s.link, ttl=64), ALL_NODES_MAC),
                              ("from a global address", advertisement(EIP), ALL_NODES_MAC),
                              ("to all routers", advertisement(s.link, dst=ALL_ROUTERS), ALL_ROUTERS_MAC),
                              ("broadcast", advertisement(s.link), gl.BROADCAST)):
        s.drop(f"RA {what}", frame(dst, EVIL, packet), "ROUTER")
    s.drop("the gateway's end", frame(ALL_NODES_MAC, EVIL, icmp6(s.gw_link, ALL_NODES, 134, 0, bytes(12), ttl=255)), "ROUTER")
    s.drop("RA on the segment", frame(ALL_NODES_MAC, WEVIL, advertisement(link_local(WEVIL))), "ROUTER", tap=s.evilwire)
    before = s.lab.drops()
    for n in range(FLOOD):  # as flood_router does: each names another prefix
        s.evil.send(frame(ALL_NODES_MAC, EVIL, advertisement(s.link, prefix=f"2001:db8:{n:x}::")))
    s.lab.expect_drops(before, {"ROUTER": FLOOD})
    s.unheard("a flood of RA", s.evil)


@attack
def redirects(s):
    """redirects of a guest are dropped, also with the gateway's source and hidden"""
    for source, tail_is in ((s.link, "FRAGMENT_NO_HEAD"), (s.gw_link, "SPOOF_IP")):
        hidden(s, f"redirect from {source}", redirect(source, link_local(GOOD), s.link, SERVER_IP), GOOD, tail_is)


# ---- neighbours -----------------------------------------------------------------------------------------------------


@attack
def forged_advertisements(s):
    """advertisements for a neighbour's or the gateway's address, or with a foreign MAC, reach nobody"""
    for target in (GIP, link_local(GOOD), GATEWAY, s.gw_link, SIP, "2001:db8:ffff::1"):
        for dst, at in ((ALL_NODES_MAC, ALL_NODES), (GOOD, link_local(GOOD)), (s.gw, s.gw_link)):
            for flags in (0x20, 0xA0) if at == ALL_NODES else (0x60, 0xE0):
                s.drop(f"NA for {target} to {at}", frame(dst, EVIL, neighbour_advertisement(s.link, target, EVIL, at, flags)), "SPOOF_ND", times=1)
    own, others = neighbour_advertisement(s.link, s.link, EVIL), nd_option(2, mac(GOOD))
    for what, packet, reason in (
            ("with the neighbour's MAC", neighbour_advertisement(s.link, s.link, GOOD), "SPOOF_ND"),
            ("from the neighbour's address", neighbour_advertisement(link_local(GOOD), s.link, EVIL), "SPOOF_ND"),
            ("from no address", neighbour_advertisement("::", s.link, EVIL), "SPOOF_ND"),
            ("with two MACs", neighbour_advertisement(s.link, s.link, options=nd_option(2, mac(EVIL)) + others), "ND_MALFORMED"),
            ("with an option of length 0", neighbour_advertisement(s.link, s.link, options=bytes((2, 0)) + mac(EVIL)), "ND_MALFORMED"),
            ("with an option beyond its end", neighbour_advertisement(s.link, s.link, options=bytes((2, 3)) + mac(EVIL)), "ND_MALFORMED"),
            ("of hop limit 254", neighbour_advertisement(s.link, s.link, EVIL, ttl=254), "ND_MALFORMED"),
            ("for a group", neighbour_advertisement(s.link, ALL_NODES, EVIL), "ND_MALFORMED"),
            ("solicited, to all", neighbour_advertisement(s.link, s.link, EVIL, flags=0x60), "ND_MALFORMED"),
            ("cut short", icmp6(s.link, ALL_NODES, 136, 0, bytes(8), ttl=255), "ND_MALFORMED"),
            ("of code 1", icmp6(s.link, ALL_NODES, 136, 1, bytes(4) + ip6(s.link) + nd_option(2, mac(EVIL)), ttl=255), "ND_MALFORMED")):
        s.drop(f"NA {what}", frame(ALL_NODES_MAC, EVIL, packet), reason)
    for chain in chains():
        s.drop(f"NA behind {chain}", frame(ALL_NODES_MAC, EVIL, behind(own, chain)), refusal(chain, "ND_MALFORMED"), times=1)
    s.drop("NA in fragments", frame(ALL_NODES_MAC, EVIL, fragments(own, 24)[0]), "ND_MALFORMED")
    s.drop("NA with the neighbour's frame", frame(ALL_NODES_MAC, GOOD, own), "SPOOF_MAC")
    # On a segment with the host and its router.
    for target in (gl.ROUTER_IP, gl.HOST_IP, link_local(s.wan), link_local(s.router), "198.51.100.23"):
        for packet in (neighbour_advertisement(link_local(WEVIL), target, WEVIL), neighbour_advertisement(WEIP, target, WEVIL)):
            s.drop(f"NA for {target} on the segment", frame(ALL_NODES_MAC, WEVIL, packet), "SPOOF_ND", tap=s.evilwire)


@attack
def forged_solicitations(s):
    """solicitations with a foreign source, or a foreign MAC in them, are answered to nobody"""
    group, at = solicited_node(GATEWAY)
    for what, packet, reason in (
            ("from the neighbour", neighbour_solicitation(GIP, GATEWAY, EVIL), "SPOOF_ND"),
            ("from the gateway", neighbour_solicitation(s.gw_link, GATEWAY, EVIL), "SPOOF_ND"),
            ("with the neighbour's MAC", neighbour_solicitation(s.link, GATEWAY, GOOD), "SPOOF_ND"),
            ("from nobody, with a MAC", neighbour_solicitation("::", GATEWAY, EVIL), "SPOOF_ND"),
            ("from nobody, to the gateway itself", neighbour_solicitation("::", GATEWAY, dst=GATEWAY), "ND_MALFORMED"),
            ("of hop limit 64", neighbour_solicitation(s.link, GATEWAY, EVIL, ttl=64), "ND_MALFORMED"),
            ("for a group", neighbour_solicitation(s.link, "ff02::5", EVIL, dst=group), "ND_MALFORMED"),
            ("cut short", icmp6(s.link, group, 135, 0, bytes(12), ttl=255), "ND_MALFORMED"),
            ("in a fragment", fragments(neighbour_solicitation(s.link, GATEWAY, EVIL), 24)[0], "ND_MALFORMED"),
            ("for an address of nobody's", neighbour_solicitation(s.link, "10.0.0.77", EVIL), "ND_UNKNOWN")):
        s.drop(f"NS {what}", frame(at, EVIL, packet), reason)
    for chain in chains():
        s.drop(f"NS behind {chain}", frame(at, EVIL, behind(neighbour_solicitation(s.link, GATEWAY, EVIL), chain)),
               refusal(chain, "ND_MALFORMED"), times=1)
    for what, packet, reason in (("with a foreign MAC", icmp6(s.link, ALL_ROUTERS, 133, 0, bytes(4) + nd_option(1, mac(GOOD)), ttl=255), "SPOOF_ND"),
                                 ("from the neighbour", icmp6(link_local(GOOD), ALL_ROUTERS, 133, 0, bytes(4), ttl=255), "SPOOF_ND"),
                                 ("of hop limit 64", icmp6(s.link, ALL_ROUTERS, 133, ttl=64), "ND_MALFORMED")):
        s.drop(f"RS {what}", frame(ALL_ROUTERS_MAC, EVIL, packet), reason)


@attack
def denied_addresses(s):
    """who answers, or copies, others' duplicate address detection keeps nobody from an address"""
    stop, sent = threading.Event(), []
    # What slaac gives the neighbour, put away and taken anew while the attacker says that it is taken.
    wanted = [a for a, _, _ in s.was[0][0]]
    lies = [frame(ALL_NODES_MAC, EVIL, neighbour_advertisement(s.link, a, EVIL, flags=0x20)) for a in wanted]
    lies += [frame(solicited_node(a)[1], EVIL, neighbour_solicitation("::", a)) for a in wanted]
    lies += [frame(GOOD, EVIL, neighbour_solicitation("::", a)) for a in wanted]

    def deny():
        while not stop.wait(0.002) and len(sent) < 20000:
            for lie in lies:
                sent.append(s.evil.send(lie))
            s.evil.drain(0)

    before = s.lab.drops("evil")
    t = threading.Thread(target=deny)
    t.start()
    try:
        for _ in range(2):
            s.good.ip("link set eth0 down", "link set eth0 up")
            wait_for(lambda: s.state()[0] == s.was[0], 10, lambda: f"{s.addresses()}")
    finally:
        stop.set()
        t.join()
    ensure("dadfailed" not in s.addresses(), s.addresses())
    new = s.lab.new_drops(before, "evil")
    ensure(new == {"SPOOF_ND": len(sent) // 3, "BROADCAST_FOREIGN": len(sent) // 3}, f"{len(sent)} lies about {wanted}, counted {new}")
    s.quiet()


@attack
def floods(s):
    """floods of solicitations, reports and advertisements are answered to their sender, or counted, and cost others nothing"""
    report = behind_alert(icmp6(s.link, "ff02::16", 143, 0, b"\0\0\0\1\4\0\0\0" + ip6("ff02::1:ff00:1"), ttl=1))
    shapes = (("NS for the gateway", lambda n: who_has(EVIL, s.link, GATEWAY), None),
              ("NS for nobody", lambda n: frame(solicited_node(GATEWAY)[1], EVIL, neighbour_solicitation(s.link, f"fd00:db8:a00::bad:{n:x}", EVIL)),
               "ND_UNKNOWN"),
              ("probes", lambda n: frame(solicited_node(GATEWAY)[1], EVIL, neighbour_solicitation("::", f"fd00:db8:a00::bad:{n:x}")), "ND_UNKNOWN"),
              ("RS", lambda n: frame(ALL_ROUTERS_MAC, EVIL, icmp6(s.link, ALL_ROUTERS, 133, ttl=255)), None),
              ("MLD reports", lambda n: frame("33:33:00:00:00:16", EVIL, report), None),
              ("NA for others", lambda n: frame(ALL_NODES_MAC, EVIL, neighbour_advertisement(s.link, f"fd00:db8:a00::{n:x}:1", EVIL)), "SPOOF_ND"),
              ("NA for itself", lambda n: frame(ALL_NODES_MAC, EVIL, neighbour_advertisement(s.link, s.link, EVIL)), None))
    for what, build, reason in shapes:
        before = s.lab.drops()
        for n in range(FLOOD):
            s.evil.send(build(n))
            if n % 400 == 0:
                ensure(s.good.ping(GATEWAY, 1), f"a flood of {what} harms the neighbour")
                s.evil.drain(0)
        s.lab.expect_drops(before, {reason: FLOOD} if reason else {})
        s.unheard(f"a flood of {what}", s.evil, reply=True)
        s.evil.drain(0)
        s.unharmed()
        s.quiet()


def behind_alert(packet):
    """As reports of groups are sent: behind a router alert."""
    data = struct.pack("!BB", packet[6], 0) + b"\5\2\0\0\1\0" + packet[40:]
    return packet[:4] + struct.pack("!HB", len(data), 0) + packet[7:40] + data


@attack
def reports(s):
    """reports of groups that are none are dropped: without the alert, from far away, from foreign addresses"""
    body = b"\0\0\0\1\4\0\0\0" + ip6("ff02::1:ff00:1")
    at = "33:33:00:00:00:16"
    for what, packet, reason in (("without an alert", icmp6(s.link, "ff02::16", 143, 0, body, ttl=1), "ND_MALFORMED"),
                                 ("of hop limit 255", behind_alert(icmp6(s.link, "ff02::16", 143, 0, body, ttl=255)), "ND_MALFORMED"),
                                 ("behind two headers", behind(behind_alert(icmp6(s.link, "ff02::16", 143, 0, body, ttl=1)), ("dst",)),
                                  "EXTENSION_HEADERS"),
                                 ("from the neighbour", behind_alert(icmp6(link_local(GOOD), "ff02::16", 143, 0, body, ttl=1)), "SPOOF_ND"),
                                 ("from a global address", behind_alert(icmp6(EIP, "ff02::16", 143, 0, body, ttl=1)), "ND_MALFORMED"),
                                 ("query from the gateway", behind_alert(icmp6(s.gw_link, ALL_NODES, 130, 0, bytes(20), ttl=1)), "SPOOF_ND")):
        s.drop(f"report {what}", frame(at, EVIL, packet), reason)


# ---- headers --------------------------------------------------------------------------------------------------------


@attack
def extension_headers(s):
    """chains that are too long, out of order or lead nowhere are dropped; honest ones pass"""
    honest = udp6(EIP, SIP, 7, 9, b"honest")
    for chain in chains():
        reason = refusal(chain, None)
        if reason:
            for dst, packet in ((SPY, honest), (s.gw, udp6(EIP, SERVER_IP, 7, 9, b"out"))):
                s.drop(f"UDP behind {chain}", frame(dst, EVIL, behind(packet, chain)), reason, times=1)
        else:
            s.evil.send(frame(SPY, EVIL, behind(honest, chain)))
            f = s.spy.expect(lambda f: f.data[12:14] == b"\x86\xdd", what=f"a datagram behind {chain}")
            ensure(f.data[54:] == behind(honest, chain)[40:], f"changed behind {chain}: {f}")
    data = honest[40:]
    for what, packet, reason in (
            ("a header beyond the packet", ipv6(EIP, SIP, 60, b"\x11\x09" + bytes(6) + data), "EXTENSION_HEADERS"),
            ("more bytes than are walked", ipv6(EIP, SIP, 60, b"\x11\x1f\1\xfc" + bytes(252) + data), "EXTENSION_HEADERS"),
            ("a header and nothing behind it", ipv6(EIP, SIP, 60, b"\x11\0\1\4\0\0\0\0"), "L4_TRUNCATED"),
            ("half a header", ipv6(EIP, SIP, 60, b"\x11\0\1\4"), "EXTENSION_HEADERS"),
            ("a jumbogram", ipv6(EIP, SIP, 0, b"\x11\0\xc2\4\0\1\0\0" + data, total=40), "IP_MALFORMED"),
            ("a length beyond the frame", ipv6(EIP, SIP, 17, data, total=1400), "IP_MALFORMED"),
            ("another version", b"\x45" + honest[1:], "IP_MALFORMED"),
            ("a header cut short", honest[:33], "IP_MALFORMED"),
            ("UDP without a sum", udp6(EIP, SIP, 7, 9, b"x", zero=True), "L4_TRUNCATED"),
            ("ICMP cut short", ipv6(EIP, SIP, 58, b"\x80\0"), "L4_TRUNCATED")):
        s.drop(what, frame(SPY, EVIL, packet), reason)
    for kind in (0, 1, 2, 3, 4, 253):
        s.drop(f"routing header {kind}", frame(SPY, EVIL, ipv6(EIP, SIP, 43, struct.pack("!BBBBI", 17, 2, kind, 1, 0) + ip6(GIP) + data)),
               "EXTENSION_HEADERS")


@attack
def hostile_fragments(s):
    """overlapping, tiny and endless fragments stop at their sender; an atomic fragment is a whole packet"""
    whole = udp6(EIP, SIP, 7, 9, bytes(range(256)) * 4)

    def part(offset, data, more, ident, proto=17):
        return frame(SPY, EVIL, ipv6(EIP, SIP, 44, struct.pack("!BBHI", proto, 0, offset | more, ident) + data))

    s.drop("a tail alone", part(64, bytes(64), 0, 1), "FRAGMENT_NO_HEAD")
    s.drop("a head without a transport header", part(0, b"\x11\0\1\4\0\0\0\0", 1, 2, proto=60), "FRAGMENT_TINY")
    s.drop("a head of TCP's first 8 bytes", part(0, tcp6(EIP, SIP, 7, 80)[40:48], 1, 3, proto=6), "FRAGMENT_TINY")
    s.drop("beyond 65,535 bytes", part(0xFFF8, bytes(64), 0, 4), "IP_MALFORMED")
    s.drop("a length that is none", part(0, whole[40:40 + 61], 1, 5), "IP_MALFORMED")
    s.drop("two fragment headers", frame(SPY, EVIL, behind(whole, ("frag", "frag"))), "EXTENSION_HEADERS")
    s.evil.send(part(0, whole[40:168], 1, 6))
    s.spy.expect(lambda f: f.fragment, what="an honest head")
    s.drop("an overlap", part(120, bytes(64), 0, 6), "FRAGMENT_OVERLAP")
    s.drop("the head again, with other ports", part(0, b"\0\1\0\1" + whole[44:168], 1, 6), "FRAGMENT_OVERLAP")
    s.evil.send(part(0, udp6(EIP, SIP, 7, 9, b"atomic")[40:], 0, 6))  # with the number of a datagram in fragments
    f = s.spy.expect(lambda f: f.dport == 9 and not f.fragment, what="an atomic fragment")
    ensure(f.l4[8:] == b"atomic", f"{f}")
    before = s.lab.drops("evil")
    for n in range(6000):
        s.evil.send(part(0, whole[40:104], 1, 1000 + n))
    wait_for(lambda: s.lab.new_drops(before, "evil").get("FRAGMENT_LIMIT", 0) > 1000, 5, "FRAGMENT_LIMIT")
    s.spy.drain(0)


@attack
def scopes(s):
    """foreign link-local sources, link-local traffic to other networks, and servers of addresses are dropped"""
    for what, packet, dst, reason in (
            ("the neighbour's link-local source", udp6(link_local(GOOD), link_local(SPY), 7, 9, b"x"), SPY, "SPOOF_IP"),
            ("the gateway's link-local source", udp6(s.gw_link, link_local(SPY), 7, 9, b"x"), SPY, "SPOOF_IP"),
            ("a link-local source of nobody's", udp6("fe80::bad", link_local(SPY), 7, 9, b"x"), SPY, "SPOOF_IP"),
            ("a server of addresses", udp6(s.link, link_local(SPY), 547, 546, b"\2" + bytes(30)), SPY, "DHCP_SERVER"),
            ("a server of addresses to all", udp6(s.link, ALL_NODES, 547, 546, b"\2" + bytes(30)), ALL_NODES_MAC, "DHCP_SERVER"),
            ("a question for such a server", udp6(s.link, "ff02::1:2", 546, 547, b"\1" + bytes(30)), "33:33:00:01:00:02", "DHCP_CLIENT")):
        s.drop(what, frame(dst, EVIL, packet), reason)
    before = s.lab.drops()
    lost = (("to the outside", udp6(s.link, SERVER_IP, 7, 9, b"x")), ("to the host's uplink", udp6(s.link, link_local(s.wan), 7, 9, b"x")),
            ("to the router's", udp6(EIP, link_local(s.router), 7, 9, b"x")), ("to another tenant's", udp6(s.link, link_local(VICTIM), 7, 9, b"x")))
    for what, packet in lost:
        s.evil.send(frame(s.gw, EVIL, packet))
        s.unheard(f"link-local {what}", s.evil, reply=True)
    wait_for(lambda: sum(s.lab.new_drops(before).values()) == len(lost), 3, lambda: f"each counted once: {s.lab.new_drops(before)}")
    s.evil.send(frame(SPY, EVIL, udp6(s.link, link_local(SPY), 7, 9, b"own")))
    s.spy.expect(lambda f: f.dport == 9, what="link-local traffic inside the network")


if 6 in family.FAMILIES:
    gl.main()
print("skip  IPv6 is off\n0 passed, 0 failed, 1 skipped")
