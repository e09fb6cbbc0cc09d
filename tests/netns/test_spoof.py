#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
"""What does a hostile guest gain by lying?

Each case sends exactly one kind of forged frame: it must be dropped, counted once under its own reason and no other,
heard by no neighbour, by nothing on the uplink and not by the host's stack; afterwards honest frames still pass.
"""
import os
import struct
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import gl
from gl import (BROADCAST, HOST_IP, NEEDS_CSUM, SERVER_IP, ZERO, arp, echo, ensure, eth, family, frame, icmp_proto, ip4, ipv4,
                l3_len, mac, only, packet, tcp, udp, udp4, vnet, who_has)

DEFINITION = """
version: 1
uplinks: [{ name: wan, interface: wan }]
tenants:
  - name: red
    networks:
      - { name: front, mode: nat, uplink: wan, subnets: [10.0.0.0/24] }
      - { name: back, mode: nat, uplink: wan, subnets: [10.0.1.0/24] }
      - { name: wire, mode: bridge, uplink: wan, subnets: [198.51.100.0/24], gateways: [198.51.100.1] }
      - { name: quiet, mode: isolated, subnets: [192.168.7.0/24], broadcast: false }
      - { name: old, mode: isolated, subnets: [192.168.9.0/24] }  # IPv4
    guests:
      - name: evil
        interfaces:
          - { tap: evil, mac: "52:54:00:00:00:01", network: front, addresses: [10.0.0.11] }
          - { tap: evilwire, mac: "52:54:00:00:00:21", network: wire, addresses: [198.51.100.21] }
          - { tap: evilquiet, mac: "52:54:00:00:00:31", network: quiet, addresses: [192.168.7.31] }
          - { tap: evilold, mac: "52:54:00:00:00:41", network: old, addresses: [192.168.9.41] }  # IPv4
      - name: good
        interfaces:
          - { tap: good, mac: "52:54:00:00:00:02", network: front, addresses: [10.0.0.12] }
          - { tap: goodback, mac: "52:54:00:00:00:12", network: back, addresses: [10.0.1.12] }
          - { tap: goodwire, mac: "52:54:00:00:00:22", network: wire, addresses: [198.51.100.22] }
          - { tap: goodquiet, mac: "52:54:00:00:00:32", network: quiet, addresses: [192.168.7.32] }
"""
EVIL, GOOD, EIP, GIP = "52:54:00:00:00:01", "52:54:00:00:00:02", "10.0.0.11", "10.0.0.12"
WEVIL, WGOOD, WEIP, WGIP = "52:54:00:00:00:21", "52:54:00:00:00:22", "198.51.100.21", "198.51.100.22"
MCAST = "01:00:5e:00:00:fb"

class Site(gl.Hostile):
    def __init__(self):
        self.lab = gl.Lab()
        for t in ("evil", "evilwire", "evilquiet", "evilold", "good", "goodback", "goodwire", "goodquiet"):
            setattr(self, t, self.lab.raw(t))
        self.lab.apply(DEFINITION)
        self.evil.send(who_has(EVIL, EIP, "10.0.0.1"))
        self.gw = self.evil.expect(lambda f: f.tells, what="the gateway's answer").tells[1]
        self.watch([self.good, self.goodback, self.goodwire, self.goodquiet, self.evilwire, self.evilquiet, self.evilold])

    def honest(self):
        """The neighbours are unharmed: unicast both ways, and the gateway answers."""
        for a, b, am, bm, ai, bi in ((self.evil, self.good, EVIL, GOOD, EIP, GIP), (self.good, self.evil, GOOD, EVIL, GIP, EIP)):
            a.send(frame(bm, am, echo(ai, bi)))
            f = b.expect(lambda f: f.icmp == "echo", what="honest echo request")
            ensure((f.src, f.dst, f.ip_src, f.ip_dst) == (am, bm, ai, bi), f"changed on its way: {f}")
        self.good.send(frame(self.gw, GOOD, echo(GIP, "10.0.0.1")))
        self.good.expect(lambda f: f.icmp == "reply" and f.ip_src == "10.0.0.1", what="gateway's echo reply")
        self.quiet()


sited = gl.shared(Site)


def cases(fn):
    """A test on the shared site; what another left behind is thrown away first, and honesty is checked after it."""

    def run(s):
        s.quiet()
        fn(s)
        s.honest()

    return sited(gl.like(run, fn))


def good_ip():
    return echo(EIP, GIP)


@cases
def source_mac(s):
    """a foreign source MAC is dropped, in IP, in questions for neighbours and unknown frames, also a neighbour's, group or zero one"""
    for m in ("52:54:00:00:00:99", GOOD, s.gw, "03:00:00:00:00:01", BROADCAST, ZERO, s.wan):
        s.drop(f"IP from {m}", frame(GOOD, m, good_ip()), "SPOOF_MAC")
        s.drop(f"question from {m}", who_has(m, EIP, GIP), "SPOOF_MAC")
        s.drop(f"unknown type from {m}", eth(BROADCAST, m, 0x22F0, bytes(46)), "SPOOF_MAC")
    before = s.lab.drops()
    for i in range(50):  # flapping
        s.evil.send(frame(GOOD, GOOD if i & 1 else EVIL, good_ip()))
    s.lab.expect_drops(before, {"SPOOF_MAC": 25})
    ensure(len(s.good.drain()) == 25, "honest frames among the flapping ones must arrive")


@cases
def source_address(s):
    """a foreign source address is dropped: a neighbour's, the gateway's, outside ones, other networks' and none at all"""
    for a in (GIP, "10.0.0.1", "10.0.1.12", SERVER_IP, HOST_IP, "10.0.0.200", WEIP):
        s.drop(f"UDP from {a}", frame(GOOD, EVIL, udp(a, GIP, 1, 2, b"x")), "SPOOF_IP")
        s.drop(f"to the outside from {a}", frame(s.gw, EVIL, udp(a, SERVER_IP, 1, 2, b"x")), "SPOOF_IP")
    s.drop("neighbour's address on the segment", frame(WGOOD, WEVIL, echo(WGIP, WEIP)), "SPOOF_IP", tap=s.evilwire)
    for a in ("127.0.0.1", "255.255.255.255", "224.0.0.1", "240.0.0.1", "0.0.0.0"):
        s.drop(f"UDP from {a}", frame(GOOD, EVIL, udp(a, GIP, 1, 2, b"x")), "SPOOF_IP")
    for a in ("127.0.0.1", "0.0.0.0", "240.0.0.1"):
        s.drop(f"UDP to {a}", frame(s.gw, EVIL, udp(EIP, a, 1, 2, b"x")), "MARTIAN")


@cases
@only(4)
def arp_sender(s):
    """gratuitous ARP and ARP replies with the gateway's or a neighbour's address are dropped"""
    for a in ("10.0.0.1", GIP, "10.0.0.99", HOST_IP):
        s.drop(f"gratuitous ARP for {a}", eth(BROADCAST, EVIL, 0x806, arp(1, EVIL, a, ZERO, a)), "SPOOF_ARP")
        s.drop(f"gratuitous reply for {a}", eth(BROADCAST, EVIL, 0x806, arp(2, EVIL, a, BROADCAST, a)), "SPOOF_ARP")
        s.drop(f"reply for {a}", eth(GOOD, EVIL, 0x806, arp(2, EVIL, a, GOOD, GIP)), "SPOOF_ARP")
    s.drop("another sender MAC inside", eth(GOOD, EVIL, 0x806, arp(2, GOOD, EIP, GOOD, GIP)), "SPOOF_ARP")
    s.drop("gateway's address on the segment", eth(BROADCAST, WEVIL, 0x806, arp(2, WEVIL, "198.51.100.1", BROADCAST, WGIP)),
           "SPOOF_ARP", tap=s.evilwire)
    s.drop("an address nobody holds", eth(BROADCAST, EVIL, 0x806, arp(1, EVIL, EIP, ZERO, "10.0.0.77")), "ARP_UNKNOWN")
    for what, payload in (("cut short", arp(1, EVIL, EIP, ZERO, GIP)[:20]), ("hardware type", arp(1, EVIL, EIP, ZERO, GIP, hw=6)),
                          ("protocol", arp(1, EVIL, EIP, ZERO, GIP, proto=0x86DD)),
                          ("hardware length", arp(1, EVIL, EIP, ZERO, GIP, hlen=8)),
                          ("protocol length", arp(1, EVIL, EIP, ZERO, GIP, plen=16)),
                          ("operation", arp(9, EVIL, EIP, ZERO, GIP))):
        s.drop(f"ARP with a wrong {what}", eth(BROADCAST, EVIL, 0x806, payload), "ARP_MALFORMED")


@cases
def tags(s):
    """802.1Q and 802.1ad tags are dropped, priority tags and stacks of them included"""
    for kind in (0x8100, 0x88A8):
        for vid in (0, 1, 100, 4095):
            s.drop(f"IP tagged {kind:#x} {vid}", gl.tag(frame(GOOD, EVIL, good_ip()), vid, kind), "VLAN_TAGGED")
            s.drop(f"question tagged {kind:#x} {vid}", gl.tag(who_has(EVIL, EIP, GIP), vid, kind), "VLAN_TAGGED")
    stack = b"\0\0\x81\0" * 3 + b"\0\0\x86\xdd" + bytes(60)
    s.drop("VLAN 0 stack, then IPv6", eth(GOOD, EVIL, 0x8100, stack), "VLAN_TAGGED")
    s.drop("tag and nothing behind it", eth(GOOD, EVIL, 0x8100, b"\0\5"), "RUNT")
    s.drop("tagged on the segment", gl.tag(frame(WGOOD, WEVIL, echo(WEIP, WGIP)), 5), "VLAN_TAGGED", tap=s.evilwire)


@cases
def ethertypes(s):
    """LLC/SNAP with a false length, MPLS stacks and unknown ethertypes are dropped, and IPv6 where it is off"""
    six = b"\x60\0\0\0\0\0\x3a\xff" + bytes(32)
    s.drop("LLC/SNAP with IPv6 behind", eth(GOOD, EVIL, 0x0040, b"\xaa\xaa\3\0\0\0\x86\xdd" + six), "ETHERTYPE")
    s.drop("LLC/SNAP with a false length", eth(GOOD, EVIL, 0x05DC, b"\xaa\xaa\3\0\0\0\x08\0" + good_ip()), "ETHERTYPE")
    s.drop("length 0", eth(GOOD, EVIL, 0, b"\xaa\xaa\3\0\0\0\x08\6" + bytes(28)), "ETHERTYPE")
    for kind in (0x8847, 0x8848):
        s.drop("MPLS", eth(GOOD, EVIL, kind, b"\0\1\0\x40" * 20 + b"\0\1\1\x40" + good_ip()), "ETHERTYPE")
    for kind in (0x8863, 0x8864, 0x22F0, 0x88F7, 0x8906, 0x6558, 0x894F, 0xFFFF, 0x0600, 0x9100, 0x88B5):
        s.drop(f"type {kind:#x}", eth(BROADCAST, EVIL, kind, bytes(46)), "ETHERTYPE")
        s.drop(f"type {kind:#x} on the segment", eth(BROADCAST, WEVIL, kind, bytes(46)), "ETHERTYPE", tap=s.evilwire)
    s.drop("IPv6", eth("33:33:00:00:00:01", "52:54:00:00:00:41", 0x86DD, six), "IPV6_OFF", tap=s.evilold)


@cases
def link_control(s):
    """STP, LLDP, LACP, 802.1X and pause frames are dropped"""
    for tap, m in ((s.evil, EVIL), (s.evilwire, WEVIL)):
        s.drop("STP", eth("01:80:c2:00:00:00", m, 38, b"\x42\x42\3" + bytes(35)), "LINK_CONTROL", tap=tap)
        s.drop("LLDP", eth("01:80:c2:00:00:0e", m, 0x88CC, bytes(46)), "LINK_CONTROL", tap=tap)
        s.drop("LACP", eth("01:80:c2:00:00:02", m, 0x8809, b"\1\1" + bytes(50)), "LINK_CONTROL", tap=tap)
        s.drop("802.1X", eth("01:80:c2:00:00:03", m, 0x888E, bytes(46)), "LINK_CONTROL", tap=tap)
        s.drop("pause", eth("01:80:c2:00:00:01", m, 0x8808, b"\0\1\xff\xff" + bytes(42)), "LINK_CONTROL", tap=tap)
        s.drop("IP to the bridge group", frame("01:80:c2:00:00:00", m, good_ip()), "LINK_CONTROL", tap=tap)
        s.drop("pause to a neighbour", eth(GOOD, m, 0x8808, b"\0\1\xff\xff" + bytes(42)), "LINK_CONTROL", tap=tap)


@cases
@only(4)
def headers(s):
    """IP headers that contradict themselves or the frame, protocol 0 and source routes are dropped"""
    data = b"\0\7\0\7\0\x0c\0\0abcd"
    for what, f in (("IHL 4", ipv4(EIP, GIP, 17, data, ihl=4)), ("IHL 15, too short", ipv4(EIP, GIP, 17, data, ihl=15)),
                    ("total beyond the frame", ipv4(EIP, GIP, 17, data, total=1400)),
                    ("total below the header", ipv4(EIP, GIP, 17, data, total=19)),
                    ("version 6", b"\x65" + ipv4(EIP, GIP, 17, data)[1:]), ("cut in the header", ipv4(EIP, GIP, 17)[:12])):
        s.drop(what, eth(GOOD, EVIL, 0x800, f), "IP_MALFORMED")
        s.drop(what + ", to the outside", eth(s.gw, EVIL, 0x800, f[:16] + ip4(SERVER_IP)[:len(f[16:20])] + f[20:]),
               "IP_MALFORMED")
    for what, opt in (("loose source route", b"\x83\x07\x04" + ip4(GIP) + b"\0"), ("strict source route", b"\x89\x07\x04" + ip4(GIP) + b"\0"),
                      ("record route", b"\x07\x07\x04" + bytes(5)), ("option of length 0", b"\x94\x00\0\0"),
                      ("option beyond the header", b"\x94\x20\0\0"), ("timestamp", b"\x44\x08\x05\0" + bytes(4))):
        s.drop(what, eth(GOOD, EVIL, 0x800, udp4(EIP, GIP, 7, 7, b"x", options=opt)), "IP_OPTIONS")
    s.drop("protocol 0", eth(GOOD, EVIL, 0x800, ipv4(EIP, GIP, 0, bytes(40))), "IP_PROTOCOL")
    for what, f in (("UDP header cut", ipv4(EIP, GIP, 17, b"\0\7\0\7")), ("TCP header cut", ipv4(EIP, GIP, 6, bytes(12))),
                    ("ICMP header cut", ipv4(EIP, GIP, 1, b"\x08\0")),
                    ("TCP data offset 4", ipv4(EIP, GIP, 6, b"\0\7\0\7" + bytes(8) + b"\x40\2" + bytes(6))),
                    ("TCP data offset beyond", ipv4(EIP, GIP, 6, b"\0\7\0\7" + bytes(8) + b"\xf0\2" + bytes(6))),
                    ("UDP length beyond", ipv4(EIP, GIP, 17, b"\0\7\0\7\0\x99\0\0abcd")),
                    ("UDP length 7", ipv4(EIP, GIP, 17, b"\0\7\0\7\0\7\0\0abcd"))):
        s.drop(what, eth(GOOD, EVIL, 0x800, f), "L4_TRUNCATED")
    s.drop("tiny first fragment", eth(GOOD, EVIL, 0x800, ipv4(EIP, GIP, 6, b"\0\7\0\x50\0\0\0\1", frag=0x2000)), "FRAGMENT_TINY")


@cases
def padding(s):
    """padding up to Ethernet's least length is harmless, more bytes behind the IP packet are refused"""
    ip = udp(EIP, GIP, 7, 9, b"padded")
    for pad in family.of((1, 4, 12), ()):  # no datagram of IPv6 is shorter than a frame
        s.evil.send(frame(GOOD, EVIL, ip) + b"\xff" * pad)
        f = s.good.expect(lambda f: f.proto == 17, what=f"datagram with {pad} bytes behind it")
        ensure(f.l4[8:] == b"padded" and f.checksums_right(), f"damaged: {f}")
    for pad in (13, 18, 400):
        s.drop(f"{pad} bytes behind the packet", frame(GOOD, EVIL, ip) + b"\xff" * pad, "IP_MALFORMED")


@cases
def runts(s):
    """frames shorter than an Ethernet header, or with nothing behind it, go nowhere"""
    for n in range(14):
        before = s.lab.drops()
        if s.evil.send(eth(GOOD, EVIL, 0x800)[:n]):
            s.lab.expect_drops(before, {"RUNT": 1})
    s.unheard("runt", s.evil)
    s.drop("header alone", eth(GOOD, EVIL, family.of(0x800, 0x86DD)), "IP_MALFORMED")
    s.drop("header of ARP alone", eth(BROADCAST, EVIL, 0x806), "ARP_MALFORMED")


@cases
def virtio_headers(s):
    """a virtio header that contradicts its frame never reaches a receiver in that state"""
    ip_end = 14 + l3_len()
    large, datagram = tcp(EIP, GIP, 7, 80, flags=16, data=b"d" * 4000, partial=True), udp(EIP, GIP, 7, 9, b"d" * 4000, partial=True)
    small = udp(EIP, GIP, 7, 9, b"d" * 100, partial=True)
    gso_tcp, gso_other = family.of((gl.GSO_TCPV4, gl.GSO_TCPV6), (gl.GSO_TCPV6, gl.GSO_TCPV4))
    tries = [
        ("TCP segmentation of UDP", datagram, vnet(NEEDS_CSUM, gso_tcp, 54, 1000, ip_end, 16)),
        ("UDP segmentation of TCP", large, vnet(NEEDS_CSUM, gl.GSO_UDP_L4, 42, 1000, ip_end, 6)),
        ("the other family's segmentation", large, vnet(NEEDS_CSUM, gso_other, 54, 1000, ip_end, 16)),
        ("segments of 0", large, vnet(NEEDS_CSUM, gso_tcp, 54, 0, ip_end, 16)),
        ("segments of 1", large, vnet(NEEDS_CSUM, gso_tcp, 54, 1, ip_end, 16)),
        ("segmentation without a checksum", large, vnet(0, gso_tcp, 54, 1000)),
        ("checksum of TCP over UDP", small, vnet(NEEDS_CSUM, 0, 0, 0, ip_end, 16)),
        ("checksum start in the addresses", small, vnet(NEEDS_CSUM, 0, 0, 0, 26, 0)),
        ("checksum start in the data", small, vnet(NEEDS_CSUM, 0, 0, 0, ip_end + 26, 6)),
        ("checksum over the source port", small, vnet(NEEDS_CSUM, 0, 0, 0, ip_end, 0)),
        ("checksum start beyond the frame", small, vnet(NEEDS_CSUM, 0, 0, 0, 4000, 6)),
        ("header longer than the frame", small, vnet(NEEDS_CSUM, gl.GSO_UDP_L4, 9000, 50, ip_end, 6)),
        ("segmentation of ICMP", echo(EIP, GIP, data=b"d" * 3000), vnet(NEEDS_CSUM, gso_tcp, 42, 1000, ip_end, 2)),
        ("unknown segmentation", small, vnet(NEEDS_CSUM, 7, 42, 50, ip_end, 6)),
        ("tunnel segmentation", small, vnet(NEEDS_CSUM, 0x20, 42, 50, ip_end, 6)),
        ("UDP fragmentation of TCP", large, vnet(NEEDS_CSUM, gl.GSO_UDP, 54, 1000, ip_end, 16)),
        ("UDP segmentation with its sum in the data", datagram, vnet(NEEDS_CSUM, gl.GSO_UDP_L4, 42, 1000, ip_end + 26, 6)),
    ]
    # Small frames are another road: what a card would never segment.
    whole = tcp(EIP, GIP, 7, 80, flags=16, data=b"d" * 400)
    for what, ip in (("TCP", whole), ("UDP", udp(EIP, GIP, 7, 9, b"d" * 400)), ("ICMP", echo(EIP, GIP, data=b"d" * 400)),
                     ("OSPF", packet(EIP, GIP, 89, b"d" * 400))):
        for gso in (gl.GSO_TCPV4, gl.GSO_UDP, gl.GSO_TCPV6, gl.GSO_UDP_L4):
            for size in (1, 100, 60000):
                for flags, start, offset in ((0, 0, 0), (NEEDS_CSUM, ip_end, 16), (NEEDS_CSUM, ip_end, 6)):
                    tries.append((f"small {what}, segmentation {gso} of {size}, flags {flags}, sum at {offset}", ip,
                                  vnet(flags, gso, 54, size, start, offset)))
    # The flow of all that is TCP here.
    s.evil.send(frame(GOOD, EVIL, tcp(EIP, GIP, 7, 80, flags=2)))
    s.good.expect(lambda f: f.proto == 6, what="the SYN")
    accepted, wrong = 0, []
    for what, ip, hdr in tries:
        before = s.lab.drops() if accepted < 20 else None
        if not s.evil.send(frame(GOOD, EVIL, ip), hdr):
            continue
        accepted += 1
        try:
            heard = s.good.drain(0.02)
        except gl.Failed as e:
            wrong.append(f"{what}: {e}")
            continue
        for f in heard:
            flags, gso, _, size, start, offset, _ = struct.unpack("=BBHHHHH", f.hdr)
            proto_gso = {6: (gso_tcp,), 17: (gl.GSO_UDP_L4, gl.GSO_UDP)}.get(f.proto, ())
            fits = gso & 0x7F == 0 or (gso & 0x7F in proto_gso and size >= 8 and flags & NEEDS_CSUM)
            if flags & NEEDS_CSUM:
                # A sum behind a UDP header may be that of a tunnel inside the guest, as any inside unknown protocols.
                least = {17: ip_end + 8, 6: 65536, icmp_proto(): 65536}.get(f.proto, ip_end)
                inside = not gso and least <= start and start + offset + 2 <= len(f.data)
                fits &= inside or (start, offset) == (ip_end, 16 if f.proto == 6 else 6)
            if not fits:
                wrong.append(f"{what}: reached the neighbour: {f}")
        if not heard and before is not None:
            try:
                gl.wait_for(lambda: s.lab.new_drops(before), 1, "a count")
            except gl.Failed:
                wrong.append(f"{what}: vanished without being counted")
    ensure(not wrong, lambda: f"{len(wrong)} of {accepted} headers:\n      " + "\n      ".join(wrong[:8]))
    ensure(accepted >= 4, f"the kernel let only {accepted} of {len(tries)} headers through")
    # The gateway's own answers do not carry the state of what they answer.
    for gso in (gso_tcp, gl.GSO_UDP, gl.GSO_UDP_L4):
        for hdr in (vnet(0, gso, 42, 1), vnet(NEEDS_CSUM, gso, 42, 1, ip_end, 16 if gso == gso_tcp else 6)):
            s.evil.send(frame(s.gw, EVIL, echo(EIP, "10.0.0.1", data=b"d" * 100)), hdr)
            s.evil.send(frame(s.gw, EVIL, udp(EIP, SERVER_IP, 7, 9, b"d" * 100, ttl=1)), hdr)
            s.evil.send(frame(s.gw, EVIL, tcp(EIP, SERVER_IP, 7, 9, data=b"d" * 100, ttl=1)), hdr)
            s.evil.send(who_has(EVIL, EIP, "10.0.0.1") + bytes(60), hdr)
            s.evil.send(gl.is_at(EVIL, EIP, GOOD, GIP) + bytes(60), hdr)
    for t in (s.evil, s.good):
        for f in t.drain():
            ensure(f.hdr[:2] == b"\0\0", f"an answer with a virtio header of its question: {f}")
    s.quiet()
    # honest headers go through whole
    s.evil.send(frame(GOOD, EVIL, large), vnet(NEEDS_CSUM, gso_tcp, 54, 1000, ip_end, 16))
    s.good.expect(lambda f: f.proto == 6 and f.hdr[1] == gso_tcp and len(f.l4) == 4020 and f.checksums_right(), what="4000 bytes in one frame")
    s.evil.send(frame(GOOD, EVIL, small), vnet(NEEDS_CSUM, 0, 0, 0, ip_end, 6))
    s.good.expect(lambda f: f.proto == 17 and f.checksums_right(), what="a datagram with a partial sum")


def bootp(op, chaddr):
    return struct.pack("!BBBBIHH16x", op, 1, 6, 0, 7, 0, 0x8000) + mac(chaddr) + bytes(202) + b"\x63\x82\x53\x63\x35\1\1\xff"


@cases
@only(4)
def dhcp(s):
    """no guest plays DHCP server; a foreign chaddr does not ask; ports 53, 67, 547 and 3784 open no side door"""
    offer = udp4(EIP, "255.255.255.255", 67, 68, bootp(2, GOOD))
    s.drop("offer", eth(BROADCAST, EVIL, 0x800, offer), "DHCP_SERVER")
    s.drop("offer to a neighbour", eth(GOOD, EVIL, 0x800, udp4(EIP, GIP, 67, 68, bootp(2, GOOD))), "DHCP_SERVER")
    s.drop("offer on the segment", eth(BROADCAST, WEVIL, 0x800, udp4(WEIP, "255.255.255.255", 67, 68, bootp(2, WGOOD))), "DHCP_SERVER",
           tap=s.evilwire)
    ask = udp4("0.0.0.0", "255.255.255.255", 68, 67, bootp(1, EVIL))
    s.drop("request where nobody serves", eth(BROADCAST, EVIL, 0x800, ask), "DHCP_CLIENT")
    s.drop("foreign chaddr on the segment", eth(BROADCAST, WEVIL, 0x800, udp4("0.0.0.0", "255.255.255.255", 68, 67, bootp(1, WGOOD))),
           "DHCP_CHADDR", tap=s.evilwire)
    for port in (53, 67, 547, 3784):
        for sport in (53, 547, 3784, 40000):
            s.drop(f"UDP {sport} > {port} of the host", eth(s.gw, EVIL, 0x800, udp4(EIP, HOST_IP, sport, port, b"x")),
                   "HOST_ADDRESS")
            s.drop(f"UDP {sport} > {port} of the gateway", eth(s.gw, EVIL, 0x800, udp4(EIP, "10.0.0.1", sport, port, b"x")),
                   "GATEWAY_PROTOCOL")
        s.drop(f"spoofed from port {port}", eth(GOOD, EVIL, 0x800, udp4(GIP, GIP, port, port, b"x")),
               "DHCP_SERVER" if port == 67 else "SPOOF_IP")


@cases
def tunnels(s):
    """VXLAN, Geneve, GRE, IPIP and GUE end neither at the host nor at the gateway"""
    whole = frame(GOOD, EVIL, echo(EIP, GIP))
    for dst, reason in ((HOST_IP, "HOST_ADDRESS"), ("10.0.0.1", "GATEWAY_PROTOCOL")):
        for what, ip in (("VXLAN", udp(EIP, dst, 5000, 4789, b"\x08\0\0\0\0\0\1\0" + whole)),
                         ("Geneve", udp(EIP, dst, 5000, 6081, b"\0\0\x65\x58\0\0\1\0" + whole)),
                         ("GUE", udp(EIP, dst, 5000, 6080, b"\0\4\0\0" + whole[14:])), ("GRE", packet(EIP, dst, 47, b"\0\0\x65\x58" + whole)),
                         ("IPIP", packet(EIP, dst, 4, good_ip())), ("6in4", packet(EIP, dst, 41, b"\x60" + bytes(39))),
                         ("ESP", packet(EIP, dst, 50, bytes(40)))):
            ports = ip[family.of(9, 6)] == 17 or dst != HOST_IP  # what cannot be translated is refused before anybody asks where to
            s.drop(f"{what} to {dst}", frame(s.gw, EVIL, ip), reason if ports else "NAT_PROTOCOL")


@cases
@only(4)
def broadcast(s):
    """directed broadcasts go nowhere, multicast does not leave by the uplink, a switched-off network stays silent"""
    for what, dst, dip in (("own subnet's broadcast by the gateway", s.gw, "10.0.0.255"), ("another network's broadcast", s.gw, "10.0.1.255"),
                           ("multicast to a unicast MAC", s.gw, "224.0.0.251"), ("limited broadcast to a unicast MAC", s.gw, "255.255.255.255"),
                           ("multicast to a neighbour's MAC", GOOD, "239.1.2.3")):
        s.drop(what, eth(dst, EVIL, 0x800, udp4(EIP, dip, 7, 7, b"x")), "BROADCAST_FOREIGN")
    s.drop("unicast IP to the broadcast MAC", eth(BROADCAST, EVIL, 0x800, udp4(EIP, GIP, 7, 7, b"x")), "BROADCAST_FOREIGN")
    for what, dst, dip in (("broadcast", BROADCAST, "255.255.255.255"), ("subnet broadcast", BROADCAST, "192.168.7.255"),
                           ("multicast", MCAST, "224.0.0.251")):
        s.drop(f"{what} where it is off", eth(dst, "52:54:00:00:00:31", 0x800, udp4("192.168.7.31", dip, 7, 7, b"x")), "BROADCAST_OFF",
               tap=s.evilquiet)
        s.evil.send(eth(dst, EVIL, 0x800, udp4(EIP, "10.0.0.255" if what[0] == "s" else dip, 7, 7, b"all")))
        s.good.expect(lambda f: f.proto == 17 and f.l4.endswith(b"all"), what=f"{what} inside the network")
    s.unheard("broadcast", s.evil)


@cases
def destinations(s):
    """unknown MACs are not flooded, unknown hosts not asked for, the host's own addresses out of reach"""
    s.drop("unknown MAC", frame("52:54:00:00:00:77", EVIL, udp(EIP, "10.0.0.77", 7, 7, b"x")), "UNKNOWN_MAC")
    s.drop("host's MAC", frame(s.wan, EVIL, udp(EIP, HOST_IP, 7, 7, b"x")), "UNKNOWN_MAC")
    s.drop("tap's own MAC", frame("fe:00:00:00:00:01", EVIL, udp(EIP, HOST_IP, 7, 7, b"x")), "UNKNOWN_MAC")
    s.drop("unknown host", frame(s.gw, EVIL, udp(EIP, "10.0.0.77", 7, 7, b"x")), "UNKNOWN_HOST", reply=True)
    s.drop("unknown host of another network", frame(s.gw, EVIL, udp(EIP, "10.0.1.77", 7, 7, b"x")), "UNKNOWN_HOST", reply=True)
    s.drop("another network, not open", frame(s.gw, EVIL, udp(EIP, "10.0.1.12", 7, 7, b"x")), "POLICY", reply=True)
    s.drop("an isolated network", frame(s.gw, EVIL, tcp(EIP, HOST_IP, 7, 22)), "HOST_ADDRESS")


gl.main()
