#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
"""Do two tenants with equal subnets, addresses and MACs ever meet?

Both play raw taps and send thousands of random frames, well-formed and not. Every frame carries a mark of its sender:
a mark of one tenant on a tap of the other, in the host's stack, or with a private source on the uplink is a failure.
"""
import os
import random
import struct
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import gl
from gl import (BROADCAST, HOST_IP, ROUTER_IP, SERVER_IP, ZERO, arp, echo, ensure, eth, family, icmp, ip6, ipv4, ipv6, l3_len, link_local,
                nd_option, packet, tcp, test, udp, vnet, who_has)

FRAMES = int(os.environ.get("GL_FRAMES", "4000"))

DEFINITION = """
version: 1
uplinks: [{ name: wan, interface: wan }]
tenants:
""" + "".join(f"""
  - name: {t}
    networks:
      - {{ name: front, mode: nat, uplink: wan, subnets: [10.0.0.0/24] }}
      - {{ name: back, mode: nat, uplink: wan, subnets: [10.0.1.0/24] }}
      - {{ name: lab, mode: isolated, subnets: [192.168.7.0/24] }}
    guests:
      - name: one
        interfaces: [{{ tap: {t}1, mac: "52:54:00:00:00:01", network: front, addresses: [10.0.0.11] }}]
      - name: two
        interfaces: [{{ tap: {t}2, mac: "52:54:00:00:00:02", network: front, addresses: [10.0.0.12] }}]
      - name: three
        interfaces: [{{ tap: {t}3, mac: "52:54:00:00:00:03", network: back, addresses: [10.0.1.13] }}]
      - name: four
        interfaces:
          - {{ tap: {t}4, mac: "52:54:00:00:00:04", network: lab, addresses: [192.168.7.14] }}
          - {{ tap: {t}5, mac: "52:54:00:00:00:05", network: front, addresses: [10.0.0.15] }}
""" for t in ("red", "blue"))

HOLDS = {1: "10.0.0.11", 2: "10.0.0.12", 3: "10.0.1.13", 4: "192.168.7.14", 5: "10.0.0.15"}
ADDRESSES = [*HOLDS.values(), "10.0.0.1", "10.0.1.1", "192.168.7.1", "10.0.0.255", "10.0.0.0", "10.0.1.255", "10.0.0.77",
             "192.168.7.255", HOST_IP, ROUTER_IP, SERVER_IP, "198.51.100.255", "203.0.113.9", "255.255.255.255",
             "224.0.0.1", "224.0.0.251", "239.1.2.3", "127.0.0.1", "0.0.0.0", "169.254.169.254", "240.0.0.1"]
MACS = [f"52:54:00:00:00:0{i}" for i in range(1, 6)] + [BROADCAST, ZERO, "01:00:5e:00:00:fb", "33:33:00:00:00:01",
                                                       "01:80:c2:00:00:00", "02:11:22:33:44:55"]
TYPES = [0x0800, 0x0806, 0x86DD, 0x8100, 0x88A8, 0x9100, 0x8847, 0x8848, 0x88CC, 0x888E, 0x8809, 0x8808, 0x8863, 0x8864,
         0x8906, 0x88F7, 0x22F0, 0x0004, 0x0026, 0x05DC, 0x0000, 0xFFFF, 0x6558, 0x894F]
PORTS = [0, 22, 53, 67, 68, 80, 443, 546, 547, 1900, 4789, 5353, 6081, 3784, 16400, 32767, 40000]


def inner(rnd, src, dst, mark):
    kind = rnd.randrange(9)
    if kind < 3:
        return udp(src, dst, rnd.choice(PORTS), rnd.choice(PORTS), mark, partial=rnd.random() < .2, ttl=rnd.choice((1, 64)))
    if kind < 5:
        return tcp(src, dst, rnd.choice(PORTS), rnd.choice(PORTS), flags=rnd.choice((2, 16, 18, 24, 4, 1, 0, 63)), data=mark)
    if kind == 5:
        kinds = family.of((0, 3, 5, 8, 11, 13, 40), (1, 2, 3, 4, 128, 129, 139, 200))
        return icmp(src, dst, rnd.choice(kinds), rnd.randrange(4), struct.pack("!HH", rnd.randrange(9), 1) + mark)
    if kind == 6:  # a tunnel
        whole = gl.frame(rnd.choice(MACS), rnd.choice(MACS), udp(rnd.choice(ADDRESSES), rnd.choice(ADDRESSES), 9, 9, mark))
        return rnd.choice((udp(src, dst, 4789, 4789, b"\x08\0\0\0\0\0\1\0" + whole), packet(src, dst, rnd.choice((4, 41)), whole[14:]),
                           packet(src, dst, 47, b"\0\0\x65\x58" + whole)))
    if kind == 7 and family.now() == 6:
        return chained(rnd, src, dst, mark)
    if kind == 7:
        return ipv4(src, dst, rnd.choice((2, 0, 41, 50, 89, 112, 132, 254)), mark * 2, frag=rnd.choice((0, 0x2000, 1, 0x2001)))
    if family.now() == 6:
        return ipv6(src, dst, 17, mark * 2, total=rnd.choice((40, 47, 48, 60, 1500)))
    hostile = ipv4(src, dst, 17, mark * 2, ihl=rnd.choice((4, 5, 6, 15)), total=rnd.choice((0, 19, 20, 28, 60, 1500)),
                   fix=rnd.random() < .8)
    return hostile


def chained(rnd, src, dst, mark):
    """Extension headers of any kind in any order and number, with something behind them."""
    proto, data = rnd.choice(((17, udp(src, dst, 9, 9, mark)[40:]), (6, tcp(src, dst, 9, 9, data=mark)[40:]),
                              (58, nd(rnd, src, dst, mark)[40:]), (rnd.choice((59, 50, 89, 132, 254)), mark * 2)))
    for _ in range(rnd.randrange(4)):
        kind = rnd.choice((0, 60, 44, 51, 43, 135))
        head = struct.pack("!BBHI", proto, 0, rnd.choice((0, 1, 8, 9)) if kind == 44 else 0x0104, 77)
        proto, data = kind, head + data
    return ipv6(src, dst, proto, data, ttl=rnd.choice((64, 255)))


def nd(rnd, src, dst, mark):
    """Neighbour discovery and reports of groups, mostly wrong."""
    kind = rnd.choice((133, 134, 135, 135, 136, 136, 137, 130, 131, 132, 143))
    target = ip6(rnd.choice((dst, *ADDRESSES)))
    body = {133: bytes(4), 134: b"\x40\x08\7\8" + bytes(8), 135: bytes(4) + target, 136: b"\xe0\0\0\0" + target,
            137: bytes(4) + target + target, 143: b"\0\0\0\1\4\0\0\0" + target}.get(kind, bytes(4) + target)
    if rnd.random() < .6:
        body += nd_option(rnd.choice((1, 2, 3, 5)), gl.mac(rnd.choice(MACS)))
    if kind in (131, 143):
        return ipv6(src, dst, 0, b"\x3a\0\5\2\0\0\1\0" + icmp(src, dst, kind, 0, body + mark)[40:], ttl=1)
    return icmp(src, dst, kind, 0, body + mark, ttl=255 if rnd.random() < .8 else 64)


def dhcp(rnd, mark):
    op = rnd.choice((1, 2))
    return struct.pack("!BBBBIHH16x", op, 1, 6, 0, 7, 0, 0) + gl.mac(rnd.choice(MACS)) + bytes(202) + b"\x63\x82\x53\x63" + \
        bytes((53, 1, rnd.randrange(1, 9), 255)) + mark


def frame(rnd, own_mac, own_ip, gateway, mark):
    """One random frame: mostly half right, so that it gets as far as it can."""
    with family.turn(rnd.choice(family.FAMILIES)):
        return framed(rnd, own_mac, own_ip, gateway, mark)


def framed(rnd, own_mac, own_ip, gateway, mark):
    if family.now() == 6 and rnd.random() < .2:
        own_ip = link_local(own_mac)
    src = own_mac if rnd.random() < .85 else rnd.choice(MACS)
    dst = gateway if rnd.random() < .4 else rnd.choice(MACS)
    sip = own_ip if rnd.random() < .8 else rnd.choice(ADDRESSES)
    dip = rnd.choice(ADDRESSES)
    kind = rnd.randrange(20)
    if kind < 11:
        data = gl.frame(dst, src, inner(rnd, sip, dip, mark))
    elif kind < 14 and family.now() == 6:
        data = gl.frame(dst, src, nd(rnd, sip, dip, mark))
    elif kind < 14:
        data = eth(dst, src, 0x806, arp(rnd.randrange(4), src if rnd.random() < .8 else rnd.choice(MACS), sip,
                                        rnd.choice(MACS), dip) + mark)
    elif kind == 14:
        ports = rnd.choice(family.of(((68, 67), (67, 68)), ((546, 547), (547, 546))))
        data = gl.frame(rnd.choice((dst, BROADCAST)), src, udp(rnd.choice((sip, "0.0.0.0")), family.of("255.255.255.255", "ff02::1:2"),
                                                               *ports, dhcp(rnd, mark)))
    elif kind < 17:
        data = eth(dst, src, rnd.choice(TYPES), rnd.choice((mark, mark * 5, inner(rnd, sip, dip, mark))))
    elif kind == 17:
        tags = b"".join(struct.pack("!HH", rnd.choice((0, 1, 7, 4095)), rnd.choice((0x8100, 0x88A8))) for _ in range(rnd.randrange(3)))
        data = eth(dst, src, rnd.choice((0x8100, 0x88A8)), tags + struct.pack("!HH", rnd.choice((0, 1, 100)), family.of(0x800, 0x86DD)) +
                   inner(rnd, sip, dip, mark))
    elif kind == 18:
        data = eth(dst, src, rnd.choice(TYPES), rnd.randbytes(rnd.randrange(60)) + mark)
    else:  # a good frame with bytes turned over
        data = bytearray(gl.frame(dst, src, inner(rnd, sip, dip, mark)))
        for _ in range(rnd.randrange(1, 4)):
            data[rnd.randrange(12, max(13, len(data) - len(mark)))] = rnd.randrange(256)
        data = bytes(data)
    hdr = b""
    if rnd.random() < .1:
        hdr = vnet(rnd.randrange(2), rnd.choice((0, 0, 1, 3, 4, 5)), 54, rnd.choice((0, 1, 500, 1448)), 14 + l3_len(), rnd.choice((6, 16)))
    return data[:rnd.choice((14, 15, 20, 33, 34, 41))] if rnd.random() < .03 else data, hdr


class Site:
    """Both tenants on one host, each with five raw taps."""

    def __init__(self, lab):
        self.lab = lab
        self.taps = {(t, i): lab.raw(f"{t}{i}") for t in ("red", "blue") for i in range(1, 6)}
        lab.apply(DEFINITION)
        self.gateway = {}
        for (t, i), tap in self.taps.items():
            own = f"52:54:00:00:00:0{i}"
            router = HOLDS[i].rsplit(".", 1)[0] + ".1"
            tap.send(who_has(own, HOLDS[i], router))
            self.gateway[t, i] = tap.expect(lambda f: f.tells, what="answer of the gateway").tells[1]

    def attack(self, rnd, tenant, count):
        mark = (tenant.upper() * 4)[:12].encode()
        for _ in range(count):
            i = rnd.randrange(1, 6)
            self.taps[tenant, i].send(*frame(rnd, f"52:54:00:00:00:0{i}", HOLDS[i], self.gateway[tenant, i], mark))

    def drain(self, tenant):
        return [(tap.name, f) for (t, _), tap in self.taps.items() if t == tenant for f in tap.drain(0)]


@test
@gl.once
def alone():
    """while one tenant sends random frames, no frame at all reaches the other tenant or the host's stack"""
    rnd = random.Random(gl.SEED)
    with gl.lab() as lab:
        site = Site(lab)
        stack, wire = gl.StackWatch(lab.host), gl.Sniffer(lab.out, "out0")
        for attacker, victim in (("red", "blue"), ("blue", "red")):
            heard = 0
            for _ in range(FRAMES // 100):
                site.attack(rnd, attacker, 100)
                seen = site.drain(victim)
                ensure(not seen, lambda: f"{attacker}'s frame reached {seen[0][0]}: {seen[0][1]}")
                heard += len(site.drain(attacker))
            seen = site.drain(victim)
            ensure(not seen, lambda: f"{attacker}'s frame reached {seen[0][0]}: {seen[0][1]}")
            ensure(heard > 20, f"the attacker's own neighbours heard only {heard} frames: the test proves nothing")
        out = wire.frames(0.3)
        leaked = stack.leaked()
        ensure(not leaked, lambda: f"{len(leaked)} frames in the host's stack, the first: {leaked[0]}")
        wan = lab.host.mac("wan")
        came = [f for f in out if f.src == wan and f.ip_dst != HOST_IP and (b"REDRED" in f.data or b"BLUEBLUE" in f.data)]
        ensure({f.family for f in came} == set(family.FAMILIES), f"left by the uplink: {len(came)} frames: NAT is dead")
        router = lab.out.mac("out0")
        for f in out:
            if f.src == router:
                continue  # an ICMP error quotes what it answers
            if b"REDRED" in f.data or b"BLUEBLUE" in f.data:
                ensure(f.family and f.ip_src == HOST_IP, lambda: f"untranslated on the uplink: {f}")
                ensure(f.src == wan, lambda: f"a guest's MAC on the uplink: {f}")
                ensure(not f.tags, lambda: f"tagged on the uplink: {f}")


@test
@gl.once
def together():
    """while both send at once, no mark of one is ever seen by the other, and broadcast stays in its network"""
    rnd = random.Random(gl.SEED + 1)
    with gl.lab() as lab:
        site = Site(lab)
        heard = {"red": 0, "blue": 0}
        for _ in range(FRAMES // 50):
            for t in heard:
                site.attack(rnd, t, 25)
            for t, foreign in (("red", b"BLUEBLUE"), ("blue", b"REDRED")):
                for tap, f in site.drain(t):
                    ensure(foreign not in f.data, lambda: f"foreign frame at {tap}: {f}")
                    heard[t] += 1
        ensure(min(heard.values()) > 20, f"frames heard: {heard}")
        # An isolated network hears nothing of the tenant's other networks either.
        for t in heard:
            site.drain(t)
        for i in (1, 2, 3):
            own = f"52:54:00:00:00:0{i}"
            for dst, dip in ((BROADCAST, "255.255.255.255"), ("01:00:5e:00:00:fb", "224.0.0.251"),
                             (site.gateway["red", i], "192.168.7.14"), (site.gateway["red", i], "192.168.7.255")):
                for number in family.FAMILIES:
                    with family.turn(number):
                        at = "33:33:00:00:00:fb" if number == 6 and dst.startswith("01:00:5e") else dst
                        site.taps["red", i].send(gl.frame(at, own, udp(HOLDS[i], dip, 5353, 5353, b"REDREDRED")))
        heard = [(tap, f) for tap, f in site.drain("red") if f.dport == 5353]
        ensure(not [1 for tap, _ in heard if tap == "red4"], "an isolated network was reached")
        ensure({tap for tap, _ in heard} == {"red1", "red2", "red5"}, f"broadcast heard by {sorted({t for t, _ in heard})}")


@test
def before_and_after():
    """a tap without a definition passes nothing, before an apply, after its guest is taken away and back again"""
    with gl.lab() as lab:
        site = Site(lab)
        one = gl.frame("52:54:00:00:00:02", "52:54:00:00:00:01", echo("10.0.0.11", "10.0.0.12"))
        site.taps["red", 1].send(one)
        site.taps["red", 2].expect(lambda f: f.icmp)
        lab.apply(DEFINITION.replace("name: red", "name: green").replace("tap: red", "tap: green"))
        stack = gl.StackWatch(lab.host)
        for _ in range(20):
            site.taps["red", 1].send(one)
            site.taps["blue", 1].send(one)
        ensure(not site.drain("red"), "a removed tenant's guest still hears")
        ensure(len(site.drain("blue")) == 20, "the other tenant was harmed")
        # Up again by an operator's hand, the tap is a plain device: the watch that saw nothing elsewhere sees this.
        lab.host.ip("link set red1 up")
        ensure(not stack.leaked(), "a removed guest's frame in the host's stack")
        site.taps["red", 1].send(one)
        time.sleep(0.05)
        ensure({d for d, _ in stack.leaked()} == {"red1"}, "the watch on the host's stack is blind")
        lab.apply(DEFINITION)
        site.taps["red", 1].send(one)
        site.taps["red", 2].expect(lambda f: f.icmp)
        stack.close()


gl.main()
