#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
"""Does every byte arrive, whatever the guests leave to their card?

Partial and complete checksums, TCP and UDP segmentation up to 64 KiB, several queues, jumbo frames: tap to tap, tap to
veth, tap to uplink and uplink to tap, through native XDP, generic XDP and TC alone. GL_SOAK=1 makes the bulk 1 GiB.
"""
import os
import random
import socket
import struct
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import gl
from gl import (GSO_TCPV4, GSO_TCPV6, GSO_UDP_L4, HOST_IP, NEEDS_CSUM, ROUTER_IP, SERVER_IP, ensure, family, frame, l3_len, tcp,
                test, transfer, udp, vnet, who_has)

UDP_SEGMENT, SOL_UDP = 103, 17
BULK = (1 << 30) if os.environ.get("GL_SOAK") else (256 << 20)
GUESTS = "abnqvr"
MACS = {g: f"52:54:00:00:00:{i + 1:02x}" for i, g in enumerate(GUESTS + "s")}
IPS = {g: f"10.0.0.{i + 11}" for i, g in enumerate(GUESTS + "s")}


def definition(wish, guests, forwards=True):
    xdp = f", xdp: {wish}" if wish != "auto" else ""
    text = f"""
version: 1
uplinks: [{{ name: wan, interface: wan{xdp} }}]
tenants:
  - name: red
    networks: [{{ name: front, mode: nat, uplink: wan, subnets: [10.0.0.0/24] }}]
    guests:
"""
    for g in guests:
        public = f", floating_ips: [198.51.100.1{IPS[g][-2:]}]" if forwards and g not in "a" else ""
        text += f"""
      - name: {g}
        interfaces: [{{ tap: tap-{g}, mac: "{MACS[g]}", network: front, addresses: [{IPS[g]}]{xdp}{public} }}]
"""
        if g == "a":
            text += "        port_forwards: [{ proto: tcp, address: 198.51.100.2, port: 7000, to: 7000 }]\n"
    return text


def public(g):
    return f"198.51.100.1{IPS[g][-2:]}"


class Site:
    """a and b: one queue and all offloads; n: none; q: two queues; v: a veth; r: a raw tap."""

    def __init__(self, mtu=1500):
        self.lab = lab = gl.Lab(mtu=mtu)
        big = mtu if mtu != 1500 else None
        for g, kind, more in (("a", "cable", ()), ("b", "cable", ()), ("n", "cable", ("--no-offload",)),
                              ("q", "cable", ("--queues", "2")), ("v", "veth", ())):
            setattr(self, g, lab.guest(g, IPS[g] + "/24", "10.0.0.1", MACS[g], kind=kind, more=more, mtu=big))
        self.raw = lab.raw("tap-r", mtu=big)
        self.names = GUESTS

    def apply(self, wish):
        self.lab.apply(definition(wish, self.names))


sited = gl.shared(Site)


def every_pair(site, size):
    s = site
    for one, other in ((s.a, s.b), (s.a, s.n), (s.n, s.a), (s.a, s.q), (s.q, s.b), (s.n, s.v), (s.v, s.a), (s.q, s.v)):
        transfer(one, other, other.addr, size=size)
    for one in (s.a, s.n, s.q, s.v):
        transfer(one, s.lab.out, SERVER_IP, size=size)
    transfer(s.lab.out, s.a, HOST_IP, port=7000, size=size)
    for g in "nqv":
        transfer(s.lab.out, getattr(s, g), public(g), size=size)


def datagrams(sender, receiver, addr, segment, count=40, source_port=0, port=6000):
    """count datagrams in one send of UDP segmentation, each with its own content; all must arrive whole."""
    rnd = random.Random(segment)
    parts = [struct.pack("!I", i) + rnd.randbytes(segment - 4) for i in range(count)]
    with receiver.udp("0.0.0.0", port, timeout=2) as rx, sender.udp("0.0.0.0", source_port) as tx:
        rx.setsockopt(socket.SOL_SOCKET, gl.SO_RCVBUFFORCE, 8 << 20)
        tx.setsockopt(SOL_UDP, UDP_SEGMENT, segment)
        tx.sendto(b"warm up", (addr, port))
        rx.recv(100)
        tx.sendto(b"".join(parts), (addr, port))
        got = []
        try:
            while len(got) < count:
                got.append(rx.recv(70000))
        except TimeoutError:
            pass
    ensure(sorted(got) == sorted(parts), f"{sender.name} -> {addr}: {len(got)} of {count} datagrams of {segment} bytes, "
           f"{len(set(got) & set(parts))} right")


def frames(raw, target_mac, target_ip, deliver):
    """Frames of every kind of virtio header, written to the raw tap; deliver(want) returns what arrived."""
    body = random.Random(7).randbytes(60000)
    src, mac, l4 = IPS["r"], MACS["r"], 14 + l3_len()
    room = 1500 - l3_len()
    for n in (0, 1, 17, 64, 1000, room - 8):
        for partial in (False, True):
            hdr = vnet(NEEDS_CSUM, 0, 0, 0, l4, 6) if partial else b""
            raw.send(frame(target_mac, mac, udp(src, target_ip, 5000, 6000, body[:n], partial=partial)), hdr)
            deliver(17, body[:n], f"UDP of {n} bytes, {'partial' if partial else 'complete'} sum")
    for n in (0, 1, 700, room - 20):
        for partial in (False, True):
            hdr = vnet(NEEDS_CSUM, 0, 0, 0, l4, 16) if partial else b""
            raw.send(frame(target_mac, mac, tcp(src, target_ip, 5000, 6000, flags=2 if n == 0 else 0x18, seq=9, ack=9,
                                                data=body[:n], partial=partial)), hdr)
            deliver(6, body[:n], f"TCP of {n} bytes, {'partial' if partial else 'complete'} sum")
    for n in (3000, 20000, 60000):
        raw.send(frame(target_mac, mac, tcp(src, target_ip, 5000, 6000, flags=0x18, seq=9, ack=9, data=body[:n], partial=True)),
                 vnet(NEEDS_CSUM, family.of(GSO_TCPV4, GSO_TCPV6), l4 + 20, room - 32, l4, 16))
        deliver(6, body[:n], f"TCP segmentation of {n} bytes")


def raw_to_raw(raw, receiver, g, receiver_offload):
    def deliver(proto, data, what):
        parts, end = b"", time.monotonic() + 1
        while time.monotonic() < end:
            f = receiver.recv(0.3)
            if f is None:
                break
            if f.proto != proto:
                continue
            ensure(f.checksums_right(), f"{what}: wrong sum: {f}")
            ensure(receiver_offload or not f.hdr[0] & NEEDS_CSUM, f"{what}: the receiver takes no partial sums: {f}")
            parts += f.l4[8 if proto == 17 else 4 * (f.l4[12] >> 4):]
            if len(parts) >= len(data):
                break
        ensure(parts == data, f"{what}: {len(parts)} of {len(data)} bytes arrived")

    frames(raw, MACS[g], IPS[g], deliver)


def hook(s, wish):
    s.apply(wish)
    for tap in ("wan", "tap-a", "tap-n", "tap-v"):
        row = s.lab.attachments()[tap]
        ensure(row["xdp"] == wish, f"{tap}: {row}")
        ensure(row["tc"] in ("tcx", "clsact"), f"{tap}: {row}")
    every_pair(s, 6 << 20)
    for one, other, addr in ((s.a, s.b, IPS["b"]), (s.n, s.a, IPS["a"]), (s.a, s.n, IPS["n"]), (s.v, s.a, IPS["a"]),
                             (s.a, s.lab.out, SERVER_IP), (s.n, s.lab.out, SERVER_IP), (s.lab.out, s.n, public("n")),
                             (s.lab.out, s.b, public("b"))):
        for segment in (100, 1400):
            datagrams(one, other, addr, segment)
        datagrams(one, other, addr, 1492 - l3_len(), count=4)  # exactly the MTU


@sited
def native(s):
    """by native XDP: bulk TCP and UDP segmentation between guests with and without offloads, several queues, veth, uplink"""
    hook(s, "native")


@sited
def generic(s):
    """the same by generic XDP"""
    hook(s, "generic")


@sited
def tc_alone(s):
    """the same by TC alone"""
    hook(s, "off")


@sited
def native_again(s):
    """changing the hook while connections are open loses none of them"""
    with s.lab.out.tcp_listen(SERVER_IP, 5556) as listener, s.a.connect(SERVER_IP, 5556) as one:
        two, _ = listener.accept()
        with two:
            two.settimeout(3)
            for wish in ("native", "generic", "off", "auto", "native"):
                s.apply(wish)
                for n in range(20):
                    one.sendall(b"%d" % n)
                    two.sendall(two.recv(100))
                    one.recv(100)


@test
def every_header():
    """frames of each kind of checksum and segmentation arrive whole, at a tap that takes partial sums and one that does not"""
    with gl.lab() as lab:
        raw, one, two = lab.raw("tap-r"), lab.raw("tap-s"), lab.raw("tap-q", offload=False)
        for wish in ("native", "generic", "off"):
            lab.apply(definition(wish, "rsq"))
            for rx, g, offload in ((one, "s", True), (two, "q", False)):
                try:
                    raw_to_raw(raw, rx, g, offload)
                except gl.Failed as e:
                    raise gl.Failed(f"xdp {wish}, receiver {'with' if offload else 'without'} offloads: {e}") from None
            ensure(not lab.drops(), f"{wish}: dropped {lab.drops()}")


@test
def translated_headers():
    """partial and complete sums are right behind NAT as well, out and back, tap to uplink and uplink to tap"""
    with gl.lab() as lab:
        raw = lab.raw("tap-r")
        rx = lab.out.udp(SERVER_IP, 6000)
        for wish in ("native", "generic", "off"):
            lab.apply(definition(wish, "r", forwards=False))
            translated(lab, raw, rx, wish)
        rx.close()


def translated(lab, raw, rx, wish):
    raw.send(who_has(MACS["r"], IPS["r"], "10.0.0.1"))
    gw, l4 = raw.expect(lambda f: f.tells, what="the gateway's answer").tells[1], 14 + l3_len()
    body = random.Random(8).randbytes(60000)
    most = 1492 - l3_len()
    for n in (0, 1, 2, 17, 63, 64, 1000, most - 1, most):
        for partial, zero in ((False, False), (True, False), (False, True)):
            before = lab.drops("tap-r")
            raw.send(frame(gw, MACS["r"], udp(IPS["r"], SERVER_IP, 5000, 6000, body[:n], partial=partial, zero=zero)),
                     vnet(NEEDS_CSUM, 0, 0, 0, l4, 6) if partial else b"")
            if zero and family.now() == 6:  # a datagram without a sum is none (RFC 8200)
                lab.expect_drops(before, {"L4_TRUNCATED": 1}, "tap-r")
                continue
            what = f"xdp {wish}: {n} bytes, partial {partial}, zero {zero}"
            try:
                data, peer = rx.recvfrom(2000)
            except TimeoutError:
                raise gl.Failed(f"{what}: did not arrive (a wrong sum?); drops {lab.drops()}") from None
            ensure(data == body[:n] and peer[0] == HOST_IP, what)
            rx.sendto(data, peer)
            f = raw.expect(lambda f: f.proto == 17, what=what + ": answer")
            ensure(f.l4[8:] == data and f.checksums_right() and f.dport == 5000 and f.ip_dst == IPS["r"], f"{what}: {f}")
    # one frame of UDP segmentation, where the kernel has it
    if raw.send(frame(gw, MACS["r"], udp(IPS["r"], SERVER_IP, 5000, 6000, body[:28000], partial=True)),
                vnet(NEEDS_CSUM, GSO_UDP_L4, l4 + 8, 1400, l4, 6)):
        got = [rx.recv(2000) for _ in range(20)]
        ensure(b"".join(got) == body[:28000], f"xdp {wish}: a frame of UDP segmentation")


@gl.shared(lambda: Site(mtu=9000))
def jumbo(site):
    """jumbo frames of 9000 bytes, single and segmented, by every hook that can, tap to tap and over the uplink"""
    for wish in ("auto", "off"):
        site.apply(wish)
        every_pair(site, 6 << 20)
        for one, other, addr in ((site.a, site.b, IPS["b"]), (site.n, site.a, IPS["a"]), (site.n, site.lab.out, SERVER_IP),
                                 (site.lab.out, site.n, public("n"))):
            datagrams(one, other, addr, 8992 - l3_len(), count=6)
            datagrams(one, other, addr, 4000, count=10)
        ensure(site.n.ping(SERVER_IP, 2, 2, "-s", str(8992 - l3_len()), "-M", "do"), "echo of 9000 bytes")
        ensure(site.a.ping("10.0.0.1", 2, 2, "-s", "1400", "-M", "do"), "echo of the gateway")


@test
def too_big():
    """a packet above the target's MTU is answered with ICMP fragmentation needed, or packet too big, naming the MTU; a smaller one arrives"""
    with gl.lab() as lab:
        raw, small = lab.raw("tap-r"), lab.raw("tap-s", mtu=1300)
        for wish in ("native", "generic", "off"):
            lab.apply(definition(wish, "rs"))
            before = lab.drops()
            ip = udp(IPS["r"], IPS["s"], 5000, 6000, bytes(1350), frag=0x4000)
            raw.send(frame(MACS["s"], MACS["r"], ip))
            f = raw.expect(lambda f: f.icmp == "too_big", what="too big")
            ensure(f.icmp == "too_big" and f.checksums_right() and f.ip_dst == IPS["r"], f"{f}")
            ensure(f.mtu == 1300 and f.l4[8:][:l3_len() + 6] == ip[:l3_len() + 6], f"{f}")
            lab.expect_drops(before, {"TOO_BIG": 1})
            ensure(not [f for f in small.drain() if f.proto == 17], "the packet came through all the same")
            raw.send(frame(MACS["s"], MACS["r"], udp(IPS["r"], IPS["s"], 5000, 6000, bytes(1292 - l3_len()), frag=0x4000)))
            small.expect(lambda f: f.proto == 17 and f.total == 1300, what="a packet of exactly the MTU")


@test
def narrow_uplink():
    """guests of MTU 1500 behind an uplink of 1300 find the path's MTU and lose nothing, with and without segmentation"""
    with gl.lab(mtu=1300) as lab:
        guests = [lab.guest(g, IPS[g] + "/24", "10.0.0.1", MACS[g], more=more) for g, more in (("a", ()), ("n", ("--no-offload",)))]
        # the server promises to take 1460 bytes, as one far behind the narrow link would
        if family.now() == 4:
            lab.out.sh(*f"ip route replace 198.51.100.0/24 dev out0 src {ROUTER_IP} advmss 1460".split())
        else:
            lab.out.sh(*f"ip route replace {gl.ip('198.51.100.0/24')} dev out0 metric 256 advmss 1460".split())
        for wish in ("auto", "off"):
            lab.apply(definition(wish, "an"))
            for g in guests:
                g.sh("ip", "-6" if family.now() == 6 else "-4", "route", "flush", "cache")
                transfer(g, lab.out, SERVER_IP, size=4 << 20)
                route = g.route(SERVER_IP)
                ensure("mtu 1300" in route, f"xdp {wish}: {g.name} did not learn the path's MTU: {route}")


@sited
def bulk(s):
    """a long transfer has the right hash, tap to tap and through NAT, both ways"""
    s.apply("auto")
    for one, other, addr, port in ((s.a, s.b, IPS["b"], 5555), (s.a, s.lab.out, SERVER_IP, 5555), (s.lab.out, s.a, HOST_IP, 7000)):
        seconds = transfer(one, other, addr, port=port, size=BULK)
        print(f"      {one.name} > {addr}: {BULK >> 20} MiB, {BULK * 8 / seconds / 1e9:.1f} Gbit/s, hash included")


@sited
def fragments(s):
    """datagrams in IP fragments arrive whole, inside a network and through NAT both ways"""
    for one, other, addr in ((s.a, s.b, IPS["b"]), (s.n, s.lab.out, SERVER_IP), (s.lab.out, s.b, public("b"))):
        with other.udp("0.0.0.0", 6000) as rx, one.udp() as tx:
            for n in (2000, 9000, 60000):
                data = random.Random(n).randbytes(n)
                tx.sendto(data, (addr, 6000))
                try:
                    got = rx.recv(70000)
                except TimeoutError:
                    raise gl.Failed(f"{one.name} -> {addr}: {n} bytes in fragments; drops {s.lab.drops()}") from None
                ensure(got == data, f"{n} bytes")


gl.main()
