#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
"""Does every way that the definition promises carry packets, and no other?

One host with guests of two tenants in networks of every mode, behind taps with offloads and behind veths; real sockets
on kernel stacks, and raw taps where a test must see the frames themselves.
"""
import os
import socket
import struct
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import gl
from gl import (HOST_IP, ROUTER_IP, SERVER_IP, Echo, ask_again, echo, ensure, family, frame, is_at, l3_len, refused, seen_as,
                tag, tcp_ask, transfer, udp, udp_ask, wait_for, who_has)

DEFINITION = """
version: 1
uplinks: [{ name: wan, interface: wan }]
tenants:
  - name: red
    networks:
      - { name: front, mode: nat, uplink: wan, subnets: [10.0.0.0/24] }
      - { name: back, mode: nat, uplink: wan, subnets: [10.0.1.0/24], open_to: tenant }
      - { name: route, mode: routed, uplink: wan, subnets: [192.168.50.0/24], open_to: anywhere }
      - { name: closed, mode: routed, uplink: wan, subnets: [192.168.51.0/24] }
      - { name: lab, mode: isolated, subnets: [192.168.7.0/24] }
    guests:
      - name: a
        interfaces: [{ tap: tap-a, mac: "52:54:00:00:00:01", network: front, addresses: [10.0.0.11] }]
      - name: b
        interfaces: [{ tap: tap-b, mac: "52:54:00:00:00:02", network: front, addresses: [10.0.0.12] }]
        port_forwards: [{ proto: tcp, address: 198.51.100.2, port: 8080, to: 80 }]
      - name: v
        interfaces: [{ tap: tap-v, mac: "52:54:00:00:00:03", network: front, addresses: [10.0.0.13] }]
      - name: c
        interfaces: [{ tap: tap-c, mac: "52:54:00:00:00:04", network: back, addresses: [10.0.1.14] }]
      - name: r
        interfaces: [{ tap: tap-r, mac: "52:54:00:00:00:05", network: route, addresses: [192.168.50.15] }]
      - name: k
        interfaces: [{ tap: tap-k, mac: "52:54:00:00:00:06", network: closed, addresses: [192.168.51.16] }]
      - name: i
        interfaces: [{ tap: tap-i, mac: "52:54:00:00:00:07", network: lab, addresses: [192.168.7.17] }]
      - name: j
        interfaces: [{ tap: tap-j, mac: "52:54:00:00:00:08", network: lab, addresses: [192.168.7.18] }]
      - name: raw
        interfaces: [{ tap: raw, mac: "52:54:00:00:00:09", network: front, addresses: [10.0.0.19] }]
  - name: blue
    networks:
      - { name: front, mode: nat, uplink: wan, subnets: [10.0.0.0/24], nat: { addresses: [198.51.100.10] } }
    guests:
      - name: x
        interfaces: [{ tap: tap-x, mac: "52:54:00:00:00:01", network: front, addresses: [10.0.0.11] }]
        port_forwards:
          - { proto: tcp, address: 198.51.100.10, port: 8080, to: 80 }
          - { proto: udp, address: 198.51.100.10, port: 5300, to: 53 }
      - name: y
        interfaces:
          - { tap: tap-y, mac: "52:54:00:00:00:02", network: front, addresses: [10.0.0.12], floating_ips: [203.0.113.20] }
      - name: z
        interfaces:
          - { tap: tap-z, mac: "52:54:00:00:00:03", network: front, addresses: [10.0.0.13], floating_ips: [198.51.100.30] }
  - name: green
    networks:
      - { name: front, mode: nat, uplink: wan, subnets: [10.0.0.0/24], nat: { addresses: [198.51.100.10] } }
    guests:
      - name: m
        interfaces: [{ tap: tap-m, mac: "52:54:00:00:00:01", network: front, addresses: [10.0.0.11] }]
        port_forwards: [{ proto: tcp, address: 198.51.100.10, port: 8081, to: 80 }]
"""
RAW, RAWIP = "52:54:00:00:00:09", "10.0.0.19"


class Site:
    def __init__(self):
        self.lab = lab = gl.Lab()
        front, gw = "10.0.0.{}/24", "10.0.0.1"
        self.a = lab.guest("a", front.format(11), gw, "52:54:00:00:00:01")
        self.b = lab.guest("b", front.format(12), gw, "52:54:00:00:00:02")
        self.v = lab.guest("v", front.format(13), gw, "52:54:00:00:00:03", kind="veth")
        self.c = lab.guest("c", "10.0.1.14/24", "10.0.1.1", "52:54:00:00:00:04")
        self.r = lab.guest("r", "192.168.50.15/24", "192.168.50.1", "52:54:00:00:00:05")
        self.k = lab.guest("k", "192.168.51.16/24", "192.168.51.1", "52:54:00:00:00:06")
        self.i = lab.guest("i", "192.168.7.17/24", "192.168.7.1", "52:54:00:00:00:07")
        self.j = lab.guest("j", "192.168.7.18/24", "192.168.7.1", "52:54:00:00:00:08", kind="veth")
        self.x = lab.guest("x", front.format(11), gw, "52:54:00:00:00:01")
        self.y = lab.guest("y", front.format(12), gw, "52:54:00:00:00:02")
        self.z = lab.guest("z", front.format(13), gw, "52:54:00:00:00:03", kind="veth")
        self.m = lab.guest("m", front.format(11), gw, "52:54:00:00:00:01")
        self.raw = lab.raw("raw")
        lab.out.ip(f"route add 203.0.113.0/24 via {HOST_IP}", f"route add 192.168.50.0/23 via {HOST_IP}")
        self.wire = gl.Sniffer(lab.out, "out0")
        self.servers = {n: Echo(getattr(self, n), tcp=[80], udp=[53]) for n in "abvcrkijxyzm"}
        self.servers["out"] = Echo(lab.out, tcp=[80], udp=[53])
        lab.apply(DEFINITION)
        self.stack = gl.StackWatch(lab.host)  # from now on: before, a guest that comes up tells the host's stack its groups

    def private_never_leaves(self):
        known = (self.lab.host.mac("wan"), self.lab.out.mac("out0"))
        for f in self.wire.frames(0.02):
            if f.ip_src and f.ip_src.startswith(("10.", "192.168.7.")):
                raise gl.Failed(f"a private source on the uplink: {f}")
            ensure(f.src in known, lambda: f"foreign MAC on the uplink: {f}")
        leaked = self.stack.leaked()
        ensure(not leaked, lambda: f"in the host's stack: {leaked[0]}")


sited = gl.shared(Site)


def ways(fn):
    def run(s):
        fn(s)
        s.private_never_leaves()

    return sited(gl.like(run, fn))


@ways
def same_network(s):
    """guests of one network reach each other, tap to tap, tap to veth and veth to tap: ping, TCP, UDP, bulk"""
    for one, other in ((s.a, s.b), (s.b, s.a), (s.a, s.v), (s.v, s.a)):
        ensure(one.ping(other.addr, 3), f"{one.name} does not reach {other.name}")
        ensure(tcp_ask(one, other.addr, 80) == one.addr, "TCP")
        ensure(udp_ask(one, other.addr, 53) == one.addr, "UDP")
    for one, other in ((s.a, s.b), (s.a, s.v), (s.v, s.a)):
        transfer(one, other, other.addr, size=8 << 20)


@ways
def gateway(s):
    """the gateway answers who asks for its MAC with one that is stable, and echo; nobody else does in its place"""
    s.raw.send(who_has(RAW, RAWIP, "10.0.0.1"))
    f = s.raw.expect(lambda f: f.tells, what="answer of the gateway")
    s.gw = f.tells[1]
    ensure((f.tells, f.ip_src, f.ip_dst, f.dst, f.src) == (("10.0.0.1", s.gw), "10.0.0.1", RAWIP, RAW, s.gw), f"{f}")
    ensure(int(s.gw[:2], 16) & 3 == 2, f"{s.gw} is not a locally administered unicast MAC")
    s.raw.send(who_has(RAW, RAWIP, "10.0.0.12"))
    f = s.raw.expect(lambda f: f.tells, what="answer for a neighbour")
    ensure(f.tells == ("10.0.0.12", "52:54:00:00:00:02"), f"{f}")
    data = os.urandom(1000)
    s.raw.send(frame(s.gw, RAW, echo(RAWIP, "10.0.0.1", ident=77, seq=9, data=data)))
    f = s.raw.expect(lambda f: f.icmp, what="echo reply")
    ensure((f.ip_src, f.ip_dst, f.src, f.dst, f.icmp, f.l4[8:]) == ("10.0.0.1", RAWIP, s.gw, RAW, "reply", data), f"{f}")
    ensure(f.checksums_right() and struct.unpack("!HH", f.l4[4:8]) == (77, 9), f"{f}")
    for g, gw in ((s.a, "10.0.0.1"), (s.v, "10.0.0.1"), (s.c, "10.0.1.1"), (s.r, "192.168.50.1"), (s.i, "192.168.7.1")):
        ensure(g.ping(gw, 2), f"{g.name} gets no echo from {gw}")
    ensure(len([f for f in s.raw.drain() if f.tells]) == 0, "answered twice")


@ways
def time_to_live(s):
    """a packet whose time to live runs out at the gateway comes back as ICMP time exceeded; routed packets lose one"""
    if not hasattr(s, "gw"):
        gateway_mac(s)
    inner = udp(RAWIP, SERVER_IP, 4000, 33434, b"trace", ttl=1)
    before = s.lab.drops()
    s.raw.send(frame(s.gw, RAW, inner))
    f = s.raw.expect(lambda f: f.icmp, what="time exceeded")
    ensure((f.ip_src, f.icmp, f.l4[1]) == ("10.0.0.1", "exceeded", 0) and f.checksums_right(), f"{f}")
    ensure(f.l4[8:][:l3_len() + 6] == inner[:l3_len() + 6], f"the inner packet is not what was sent: {f}")
    s.lab.expect_drops(before, {"TTL_EXPIRED": 1})
    s.wire.drain(0.01)
    s.raw.send(frame(s.gw, RAW, udp(RAWIP, SERVER_IP, 4000, 53, b"x", ttl=64)))
    f = wait_for(lambda: [f for f in s.wire.frames() if f.dport == 53 and f.ip_dst == SERVER_IP], 2, "datagram on the uplink")[0]
    ensure(f.ttl == 63, f"ttl {f.ttl} on the uplink")
    f = s.raw.expect(lambda f: f.proto == 17, what="answer")
    ensure(f.ip_src == SERVER_IP and f.ip_dst == RAWIP and f.dport == 4000 and f.checksums_right(), f"{f}")
    # inside one network nothing is routed
    s.raw.send(frame("52:54:00:00:00:02", RAW, udp(RAWIP, "10.0.0.12", 4000, 53, b"x", ttl=1)))
    s.raw.expect(lambda f: f.sport == 53, what="answer of a neighbour to a packet of TTL 1")


def gateway_mac(s):
    s.raw.send(who_has(RAW, RAWIP, "10.0.0.1"))
    s.gw = s.raw.expect(lambda f: f.tells, what="answer of the gateway").tells[1]


@ways
def between_networks(s):
    """a tenant's networks are joined where the target is open to the tenant, untranslated; closed ones let replies in"""
    ensure(s.a.ping("10.0.1.14", 2), "a does not reach c")
    ensure(tcp_ask(s.a, "10.0.1.14", 80) == "10.0.0.11", "TCP between networks is translated")
    ensure(udp_ask(s.v, "10.0.1.14", 53) == "10.0.0.13", "UDP between networks is translated")
    transfer(s.a, s.c, "10.0.1.14", size=8 << 20)
    before = s.lab.drops()
    ensure(refused(tcp_ask, s.c, "10.0.0.11", 80, timeout=0.7), "front is open to its own network alone")
    ensure(s.lab.new_drops(before).get("POLICY", 0) >= 1, f"not counted as POLICY: {s.lab.new_drops(before)}")
    ensure(tcp_ask(s.a, "192.168.50.15", 80) == "10.0.0.11", "to the routed network")
    ensure(refused(tcp_ask, s.a, "192.168.7.17", 80, timeout=0.7), "an isolated network is reached")


@ways
def isolated(s):
    """guests of an isolated network reach each other and nothing else"""
    ensure(tcp_ask(s.i, "192.168.7.18", 80) == "192.168.7.17" and udp_ask(s.j, "192.168.7.17", 53) == "192.168.7.18", "neighbours")
    before = s.lab.drops()
    for dst in (SERVER_IP, ROUTER_IP, "10.0.0.11"):
        ensure(not s.i.ping(dst, 1, 1), f"{dst} is reached from an isolated network")
    s.lab.expect_drops(before, {"ISOLATED": 3})
    ensure(not s.i.ping(HOST_IP, 1, 1), "the host is reached")


@ways
def nat_out(s):
    """NAT out through the uplink: echo, TCP, UDP and DNS with a public source, replies back, bulk both ways"""
    for g, public in ((s.a, HOST_IP), (s.v, HOST_IP), (s.c, HOST_IP), (s.x, "198.51.100.10"), (s.m, "198.51.100.10")):
        ensure(g.ping(SERVER_IP, 3), f"{g.name} does not reach the outside")
        ensure(tcp_ask(g, SERVER_IP, 80) == public, f"{g.name} is not seen as {public}")
        ensure(udp_ask(g, SERVER_IP, 53) == public, f"{g.name} is not seen as {public}")
    query = struct.pack("!HHHHHH", 7, 0x100, 1, 0, 0, 0) + b"\7example\3com\0\0\1\0\1"
    ensure(udp_ask(s.a, ROUTER_IP, 53, query) == HOST_IP, "DNS")
    ports = [p for a, p in s.servers["out"].peers if a == HOST_IP]
    ensure(ports and all(16384 <= p <= 32767 for p in ports), f"translated ports outside their range: {ports}")
    transfer(s.a, s.lab.out, SERVER_IP, size=16 << 20)
    transfer(s.v, s.lab.out, SERVER_IP, size=8 << 20)
    with s.a.connect(SERVER_IP, 80) as keep:  # a download on one connection
        keep.sendall(b"z" * 65536)
        got = b""
        while len(got) < 65536:
            got += keep.recv(1 << 20)


@ways
def nat_many(s):
    """hundreds of flows at once, from equal addresses of two tenants to one server port, never meet"""
    socks = []
    for n in range(150):
        for g, who in ((s.a, "red"), (s.x, "blue"), (s.m, "green")):
            u = g.udp(timeout=0.5)
            u.sendto(f"{who}{n}".encode(), (SERVER_IP, 53))
            socks.append((u, f"{who}{n}", who))
    seen = set()
    for u, text, who in socks:
        try:
            answer = u.recv(100)
        except TimeoutError:
            answer, _ = ask_again(u, text.encode(), (SERVER_IP, 53))
        answer = answer.decode().split(" ")
        ensure(answer[1] == text, f"{who} got another's answer: {answer}, wanted {text}")
        ensure(answer[0].startswith(HOST_IP + ":" if who == "red" else "198.51.100.10:"), f"{who} seen as {answer[0]}")
        seen.add(answer[0])
        u.close()
    ensure(len(seen) == len(socks), "two flows share a translated port")


@ways
def unasked(s):
    """from outside nothing comes in unasked: not to translated ports, not to guests' own addresses"""
    u = s.a.udp(timeout=1)
    public = seen_as(ask_again(u, b"q", (SERVER_IP, 53))[0])
    with s.lab.out.udp(ROUTER_IP) as other:  # another sender to the same translated port
        other.sendto(b"unasked", public)
        u.settimeout(0.4)
        ensure(refused(u.recv, 100), "an unasked datagram came through a translated port")
    u.close()
    s.lab.out.ip(f"route add 10.0.0.0/24 via {HOST_IP}")
    ensure(not s.lab.out.ping("10.0.0.11", 1, 1), "a guest's private address is reached from outside")
    s.lab.out.ip("route del 10.0.0.0/24")
    s.wire.drain(0.01)
    before = s.lab.drops()
    with s.lab.out.udp(ROUTER_IP) as other:
        other.sendto(b"x", ("198.51.100.10", 9999))
    s.lab.expect_drops(before, {"NO_FLOW": 1})


@ways
def port_forward(s):
    """port_forwards lead in at public addresses, the host's own included, with the client's address preserved"""
    for addr in ("198.51.100.10", HOST_IP):
        ensure(tcp_ask(s.lab.out, addr, 8080) == ROUTER_IP, f"{addr}:8080")
    ensure(udp_ask(s.lab.out, "198.51.100.10", 5300) == ROUTER_IP, "UDP forward")
    ensure(tcp_ask(s.lab.out, "198.51.100.10", 8081) == ROUTER_IP, "another tenant's forward at the same address")
    ensure(refused(tcp_ask, s.lab.out, "198.51.100.10", 81, timeout=0.7), "a port without forward is open")
    transfer_in(s)


def transfer_in(s):
    """Bulk data through a forward: the server answers what it gets."""
    with s.lab.out.connect("198.51.100.10", 8080) as c:
        sent = os.urandom(1 << 20)
        threading.Thread(target=c.sendall, args=(sent,), daemon=True).start()
        c.settimeout(5)
        n = 0
        while n < len(sent):
            n += len(c.recv(1 << 20))


@ways
def floating(s):
    """a floating IP carries everything both ways, also one inside the uplink's subnet, whose neighbours are answered"""
    for g, public in ((s.y, "203.0.113.20"), (s.z, "198.51.100.30")):
        ensure(s.lab.out.ping(public, 2), f"{public} does not answer echo")
        ensure(tcp_ask(s.lab.out, public, 80) == ROUTER_IP and udp_ask(s.lab.out, public, 53) == ROUTER_IP, public)
        ensure(tcp_ask(g, SERVER_IP, 80) == public and udp_ask(g, SERVER_IP, 53) == public, f"{g.name} is not seen as {public}")
        ensure(g.ping(SERVER_IP, 2), f"{g.name} gets no echo")
    neigh = s.lab.out.neigh("198.51.100.30")
    ensure(s.lab.host.mac("wan") in neigh, f"not answered with the uplink's MAC: {neigh}")
    s.lab.out.sh("ip neigh flush all")
    ensure(s.lab.out.ping("198.51.100.10", 1, 1) in (True, False) and s.lab.host.mac("wan") in s.lab.out.neigh("198.51.100.10"),
           "a translated address inside the uplink's subnet is not answered")
    ensure(s.lab.out.ping(HOST_IP), "the host's own address")
    ensure(not s.lab.out.ping("198.51.100.77", 1, 1), "an address nobody holds answers")
    ensure(s.lab.host.mac("wan") not in s.lab.out.neigh("198.51.100.77"), "an answer for an address nobody holds")


@ways
def hairpin(s):
    """public addresses are reached from inside too: of the own tenant, and of another, who sees a public source"""
    ensure(tcp_ask(s.y, "198.51.100.10", 8080) == "203.0.113.20", "own tenant's forward from a floating guest")
    ensure(tcp_ask(s.z, "203.0.113.20", 80) in ("198.51.100.30", "198.51.100.10", "10.0.0.13"), "own tenant's floating address")
    ensure(udp_ask(s.x, "203.0.113.20", 53) in ("198.51.100.10", "10.0.0.11"), "own tenant's floating address by UDP")
    ensure(tcp_ask(s.a, "203.0.113.20", 80) == HOST_IP, "another tenant's floating address")
    ensure(tcp_ask(s.a, "198.51.100.10", 8080) == HOST_IP, "another tenant's forward")
    ensure(udp_ask(s.v, "198.51.100.10", 5300) == HOST_IP, "another tenant's UDP forward")
    ensure(tcp_ask(s.x, "198.51.100.10", 8080) in ("198.51.100.10", "10.0.0.11"), "a guest's own forward")
    ensure(tcp_ask(s.x, "198.51.100.10", 8081) == "198.51.100.10", "another tenant's forward at the shared address")
    ensure(s.a.ping("203.0.113.20", 2), "echo to another tenant's floating address")
    ensure(refused(tcp_ask, s.a, "198.51.100.10", 9999, timeout=0.7), "a port nobody forwards")
    transfer(s.a, s.y, "203.0.113.20", size=8 << 20)


@ways
def routed(s):
    """a routed network is reached from outside untranslated where it is open to anywhere; else only replies come in"""
    ensure(tcp_ask(s.lab.out, "192.168.50.15", 80) == ROUTER_IP and udp_ask(s.lab.out, "192.168.50.15", 53) == ROUTER_IP, "in")
    ensure(s.lab.out.ping("192.168.50.15", 2), "echo in")
    ensure(tcp_ask(s.r, SERVER_IP, 80) == "192.168.50.15", "out")
    ensure(tcp_ask(s.k, SERVER_IP, 80) == "192.168.51.16" and s.k.ping(SERVER_IP), "out of the closed one")
    before = s.lab.drops()
    ensure(refused(tcp_ask, s.lab.out, "192.168.51.16", 80, timeout=0.7), "a closed network is reached from outside")
    ensure(set(s.lab.new_drops(before)) <= {"POLICY", "NO_FLOW"}, f"{s.lab.new_drops(before)}")
    transfer(s.lab.out, s.r, "192.168.50.15", size=8 << 20)
    ensure(not s.lab.out.ping("192.168.50.99", 1, 1), "an address nobody holds")


@ways
def broadcast(s):
    """broadcast and multicast are heard inside the network, once by each member, and never on the uplink"""
    u = s.b.udp("", 9999)
    v = s.v.udp("", 9999)
    x = s.y.udp("", 9999)
    with s.a.udp() as tx:
        tx.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        for dst in family.of(("255.255.255.255", "10.0.0.255"), ("255.255.255.255",)):  # IPv6: all nodes
            tx.sendto(b"hear ye", (dst, 9999))
            for who in (u, v):
                ensure(who.recv(100) == b"hear ye", "broadcast")
    for who in (u, v, x):
        who.settimeout(0.2)
        ensure(refused(who.recv, 100), "heard twice, or by a stranger")
        who.close()
    s.raw.drain()
    with s.a.udp() as tx:
        tx.setsockopt(*family.of((socket.IPPROTO_IP, socket.IP_MULTICAST_TTL), (socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS)), 8)
        tx.sendto(b"group", ("239.1.2.3", 9999))
    f = s.raw.expect(lambda f: f.ip_dst == "239.1.2.3", what="multicast")
    ensure(f.dst == family.of("01:00:5e:01:02:03", "33:33:00:02:00:03") and f.src == "52:54:00:00:00:01" and f.checksums_right(), f"{f}")
    ensure(not [f for f in s.wire.frames() if f.ip_dst in ("239.1.2.3", "255.255.255.255")], "on the uplink")


@ways
def next_hop(s):
    """a next hop that is not resolved yet is resolved; one that changes its MAC is followed within seconds"""
    s.lab.host.sh("ip neigh flush dev wan")
    ensure(s.a.ping(SERVER_IP, 3), "nothing arrives while the neighbour is not resolved")
    s.lab.host.sh("ip neigh flush dev wan")
    ensure(tcp_ask(s.b, SERVER_IP, 80) == HOST_IP, "TCP while the neighbour is not resolved")
    with s.a.connect(SERVER_IP, 80) as keep:
        keep.sendall(b"1")
        keep.recv(100)
        old = s.lab.out.mac("out0")
        s.lab.out.ip("link set out0 down", "link set out0 address 02:00:00:00:00:99", "link set out0 up",
                     f"route replace 203.0.113.0/24 via {HOST_IP}", f"route replace 192.168.50.0/23 via {HOST_IP}")
        s.lab.out.ping(HOST_IP, 1, 1)  # the host's stack learns the new MAC
        started = time.monotonic()
        keep.sendall(b"2")
        keep.settimeout(8)
        ensure(keep.recv(100).endswith(b"2"), "the flow did not follow the new MAC")
        ensure(time.monotonic() - started < 8, "too slow")
    ensure(s.a.ping(SERVER_IP, 2), "new flows do not follow")
    s.lab.out.ip("link set out0 down", f"link set out0 address {old}", "link set out0 up",
                 f"route replace 203.0.113.0/24 via {HOST_IP}", f"route replace 192.168.50.0/23 via {HOST_IP}")
    s.lab.out.ping(HOST_IP, 1, 1)
    wait_for(lambda: s.a.ping(SERVER_IP, 1, 1), 8, "back to the old MAC")
    s.wire.drain(0.1)  # the sniffed frames of this test have another MAC


@ways
def flows_shown(s):
    """`show flows` tells both addresses of a translated flow, filtered by tenant"""
    with s.a.connect(SERVER_IP, 80) as keep:
        keep.sendall(b"1")
        keep.recv(100)
        port, public = keep.getsockname()[1], [p for a, p in s.servers["out"].peers if a == HOST_IP][-1]
        rows = [r for r in s.lab.show("flows", "--tenant", "red") if r["sport"] == port and r["dport"] == 80]
        ensure(len(rows) == 1, f"{len(rows)} rows for one flow")
        r = rows[0]
        ensure((r["src"], r["dst"], r["nat_src"], r["nat_sport"], r["tenant"]) == ("10.0.0.11", SERVER_IP, HOST_IP, public, "red"), f"{r}")
        ensure(r["proto"] in ("tcp", 6) and r["tcp_state"] == "established", f"{r}")
    ensure(not [r for r in s.lab.show("flows", "--tenant", "blue") if r["tenant"] != "blue"], "the filter leaks")


# ---- bridge mode --------------------------------------------------------------------------------------------------

BRIDGED = """
version: 1
uplinks: [{ name: wan, interface: wan }]
tenants:
  - name: red
    networks:
      - { name: wire, mode: bridge, uplink: wan, subnets: [198.51.100.0/24], open_to: anywhere }
      - { name: tagged, mode: bridge, uplink: wan, vlan: 100, subnets: [10.100.0.0/24], open_to: anywhere }
    guests:
      - name: a
        interfaces: [{ tap: tap-a, mac: "52:54:00:00:00:01", network: wire, addresses: [198.51.100.11] }]
      - name: b
        interfaces: [{ tap: tap-b, mac: "52:54:00:00:00:02", network: wire, addresses: [198.51.100.12] }]
      - name: t
        interfaces: [{ tap: tap-t, mac: "52:54:00:00:00:03", network: tagged, addresses: [10.100.0.13] }]
"""


class Bridged:
    def __init__(self, uplink):
        self.lab = lab = gl.Lab(uplink=uplink)
        self.a = lab.guest("a", "198.51.100.11/24", ROUTER_IP, "52:54:00:00:00:01")
        self.b = lab.guest("b", "198.51.100.12/24", ROUTER_IP, "52:54:00:00:00:02", kind="veth")
        self.t = lab.guest("t", "10.100.0.13/24", None, "52:54:00:00:00:03")
        self.servers = [Echo(n, tcp=[80], udp=[53]) for n in (self.a, self.b, lab.out, lab.host)]
        lab.apply(BRIDGED)


def bridged(s):
    lab, a, b, t = s.lab, s.a, s.b, s.t
    ensure(a.ping(ROUTER_IP, 2) and b.ping(ROUTER_IP, 2), "the segment's router is not reached")
    ensure(tcp_ask(a, ROUTER_IP, 80) == "198.51.100.11" and udp_ask(b, SERVER_IP, 53) == "198.51.100.12", "out")
    ensure(tcp_ask(lab.out, "198.51.100.11", 80) == ROUTER_IP and udp_ask(lab.out, "198.51.100.12", 53) == ROUTER_IP, "in")
    ensure(tcp_ask(a, "198.51.100.12", 80) == "198.51.100.11", "between guests of the network")
    transfer(a, lab.out, ROUTER_IP, size=8 << 20)
    transfer(lab.out, a, "198.51.100.11", size=8 << 20)
    neigh = lab.out.neigh("198.51.100.11")
    ensure("52:54:00:00:00:01" in neigh, f"guests have their own MAC on the segment: {neigh}")
    ensure(refused(tcp_ask, a, HOST_IP, 80, timeout=0.7), "the host's own address is reached from its segment's guest")
    ensure(tcp_ask(lab.out, HOST_IP, 80) == ROUTER_IP and lab.out.ping(HOST_IP), "the host's own traffic")
    # tagged: the outside plays VLAN 100 by hand
    raw = gl.Sniffer(lab.out, "out0")
    tx = t.udp()
    tx.sendto(b"tagged", ("10.100.0.1", 7))

    guest, router = "52:54:00:00:00:03", "02:00:00:00:01:00"
    f = wait_for(lambda: [f for f in tagged(raw) if f.asks == "10.100.0.1"], 3, "a tagged question on the uplink")[0]
    ensure(f.src == guest, f"{f}")
    inject(lab, tag(is_at(router, "10.100.0.1", guest, f.ip_src), 100))
    f = wait_for(lambda: [f for f in tagged(raw) if f.dport == 7], 3, "the tagged datagram")[0]
    ensure(f.l4[8:] == b"tagged" and f.dst == router, f"{f}")
    with t.udp("10.100.0.13", 7, timeout=2) as rx:
        answer = frame(guest, router, udp("10.100.0.1", "10.100.0.13", 7, 7, b"back"))
        inject(lab, tag(answer, 101))
        inject(lab, answer)
        inject(lab, tag(answer, 100))
        ensure(rx.recv(100) == b"back", "the answer under the right tag")
        rx.settimeout(0.2)
        ensure(refused(rx.recv, 100), "an answer under a wrong tag or none came through")
    tx.close()
    raw.close()


def tagged(sniffer):
    return [f for f in sniffer.frames() if f.tags == [100]]


def inject(lab, whole):
    s = lab.out.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    with lab.out:
        s.bind(("out0", 0))
    s.send(whole)
    s.close()


@gl.shared(lambda: Bridged("veth"))
def bridge_on_veth(s):
    """bridge mode on a card: own MAC and address on the segment, both ways, also tagged; the host stays out of reach"""
    bridged(s)


@gl.shared(lambda: Bridged("bridge"))
def bridge_on_bridge(s):
    """bridge mode where the uplink is a Linux bridge of the host"""
    bridged(s)


class Bridge:
    def __init__(self):
        self.lab = gl.Lab(uplink="bridge")
        self.a = self.lab.guest("a", "10.0.0.11/24", "10.0.0.1", "52:54:00:00:00:01")
        self.servers = [Echo(n, tcp=[80], udp=[53]) for n in (self.a, self.lab.out, self.lab.host)]
        self.lab.apply("""
version: 1
uplinks: [{ name: wan, interface: wan }]
tenants:
  - name: red
    networks: [{ name: front, mode: nat, uplink: wan, subnets: [10.0.0.0/24] }]
    guests:
      - name: a
        interfaces: [{ tap: tap-a, mac: "52:54:00:00:00:01", network: front, addresses: [10.0.0.11] }]
        port_forwards: [{ proto: tcp, address: 198.51.100.2, port: 8080, to: 80 }]
""")


@gl.shared(Bridge)
def nat_on_bridge(s):
    """NAT and forwards where the uplink is a Linux bridge of the host"""
    out, a = s.lab.out, s.a
    ensure(a.ping(SERVER_IP, 2), "echo")
    ensure(tcp_ask(a, SERVER_IP, 80) == HOST_IP and udp_ask(a, SERVER_IP, 53) == HOST_IP, "out")
    ensure(tcp_ask(out, HOST_IP, 8080) == ROUTER_IP, "in")
    ensure(tcp_ask(out, HOST_IP, 80) == ROUTER_IP and out.ping(HOST_IP), "the host's own traffic")
    transfer(a, out, SERVER_IP, size=8 << 20)


gl.main()
