#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
"""Who may open a flow, how long does it live, and who suffers when somebody abuses that?

Security groups with real sockets, connections that outlive what does not concern them and end with what does, forged
TCP, ICMP and fragments, floods. Neighbours: gl.py, test_nat.py (translation), test_spoof.py (frames that lie).
"""
import contextlib
import os
import socket
import struct
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import gl
from gl import (ROUTER_IP, SERVER_IP, Echo, ask_again, ensure, family, frame, icmp, l3_len, packet, refused, tcp, tcp_ask, udp, udp_ask,
                wait_for, who_has)

RED, BLUE, FLOATING = "198.51.100.20", "198.51.100.21", "198.51.100.30"
ATTEMPTS = int(os.environ.get("GL_FLOOD", "1000000"))
PORTS = b"PORT"
SYN, RST, ACK, FIN = 2, 4, 16, 1
# What tests change stands on lines of its own.
DEFINITION = f"""
version: 1
uplinks: [{{ name: wan, interface: wan }}]
tenants:
  - name: red
    security_groups:
      - name: web
        ingress:
          - {{ proto: tcp, ports: 80 }}
          - {{ proto: icmp, icmp_type: 8 }}
      - name: names
        ingress:
          - {{ proto: udp, ports: [53, 5300-5310], remote_ip: 198.51.100.0/24 }}
      - name: db
        ingress:
          - {{ proto: tcp, ports: 5432, remote_group: web }}
        egress: []
    networks:
      - {{ name: front, mode: nat, uplink: wan, subnets: [10.0.0.0/24], nat: {{ addresses: [{RED}] }} }}
      - {{ name: back, mode: nat, uplink: wan, subnets: [10.0.1.0/24], nat: {{ addresses: [{RED}] }} }}
    guests:
      - name: a
        interfaces:
          - tap: tap-a
            mac: "52:54:00:00:00:01"
            network: front
            addresses: [10.0.0.11]
            security_groups: [web, names]
        port_forwards:
          - {{ proto: tcp, address: {RED}, port: 8080, to: 80 }}
          - {{ proto: udp, address: {RED}, port: 5353, to: 53 }}
          - {{ proto: tcp, address: {RED}, port: 2222, to: 22 }}
      - name: b
        interfaces:
          - tap: tap-b
            mac: "52:54:00:00:00:02"
            network: front
            addresses: [10.0.0.12]
            security_groups: [web]
      - name: d
        interfaces:
          - {{ tap: tap-d, mac: "52:54:00:00:00:04", network: back, addresses: [10.0.1.14], security_groups: [db] }}
      - name: f
        interfaces:
          - tap: tap-f
            mac: "52:54:00:00:00:05"
            network: front
            addresses: [10.0.0.15]
            security_groups: [web]
            floating_ips: [{FLOATING}]
  - name: blue
    networks:
      - {{ name: front, mode: nat, uplink: wan, subnets: [10.0.0.0/24], nat: {{ addresses: [{BLUE}] }} }}
    guests:
      - name: x
        interfaces: [{{ tap: tap-x, mac: "52:54:00:00:00:01", network: front, addresses: [10.0.0.11] }}]
      - name: y
        interfaces: [{{ tap: tap-y, mac: "52:54:00:00:00:02", network: front, addresses: [10.0.0.12] }}]
  - name: evil
    timeouts: {{ udp: 600 }}
    networks:
      - {{ name: front, mode: nat, uplink: wan, subnets: [10.0.0.0/24], nat: {{ addresses: [{BLUE}], ports: 1024-1087 }} }}
    guests:
      - name: one
        interfaces: [{{ tap: evil, mac: "52:54:00:00:00:01", network: front, addresses: [10.0.0.11] }}]
      - name: two
        interfaces: [{{ tap: sink, mac: "52:54:00:00:00:02", network: front, addresses: [10.0.0.12] }}]
"""
EVIL, SINK, EIP, SIP = "52:54:00:00:00:01", "52:54:00:00:00:02", "10.0.0.11", "10.0.0.12"


class Site:
    def __init__(self):
        self.lab = lab = gl.Lab()
        self.a = lab.guest("a", "10.0.0.11/24", "10.0.0.1", "52:54:00:00:00:01")
        self.b = lab.guest("b", "10.0.0.12/24", "10.0.0.1", "52:54:00:00:00:02")
        self.d = lab.guest("d", "10.0.1.14/24", "10.0.1.1", "52:54:00:00:00:04")
        self.f = lab.guest("f", "10.0.0.15/24", "10.0.0.1", "52:54:00:00:00:05")
        self.x = lab.guest("x", "10.0.0.11/24", "10.0.0.1", "52:54:00:00:00:01")
        self.y = lab.guest("y", "10.0.0.12/24", "10.0.0.1", "52:54:00:00:00:02")
        self.evil, self.sink = lab.raw("evil"), lab.raw("sink")
        self.servers = [Echo(n, tcp=[22, 80, 5432], udp=[53, 5305, 6000]) for n in (self.a, self.b, self.d, self.f, self.x, self.y, lab.out)]
        lab.apply(DEFINITION)
        self.evil.send(who_has(EVIL, EIP, "10.0.0.1"))
        self.gw = self.evil.expect(lambda f: f.tells, what="the gateway's answer").tells[1]
        self.tx = lab.out.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        with lab.out:
            self.tx.bind(("out0", 0))
        self.wan, self.router = lab.host.mac("wan"), lab.out.mac("out0")

    def from_outside(self, ip):
        self.tx.send(frame(self.wan, self.router, ip))

    def without(self, line, instead=""):
        """The definition with one of its lines taken out, or another in its place."""
        ensure(DEFINITION.count(line) == 1, f"{DEFINITION.count(line)} times {line!r}")
        return DEFINITION.replace(line, instead)


sited = gl.shared(Site)


def judged(fn):
    def run(s):
        s.evil.drain(0)
        s.sink.drain(0)
        fn(s)
        if s.lab.definition != DEFINITION:
            s.lab.apply(DEFINITION)

    return sited(gl.like(run, fn))


class Talk:
    """A connection on which both ends send and compare all the time, until done() says that nothing was lost."""

    def __init__(self, client, server, addr, port):
        listener = server.tcp_listen("0.0.0.0", port)
        try:
            self.ends = [client.connect(addr, port)]
            self.ends.append(listener.accept()[0])
        finally:
            listener.close()
        self.rounds, self.stop, self.error = 0, False, None
        self.thread = threading.Thread(target=self.run, daemon=True)
        for end in self.ends:
            end.settimeout(10)
        self.thread.start()

    def run(self):
        block = os.urandom(3000)
        try:
            while not self.stop:
                for one, other in (self.ends, self.ends[::-1]):
                    one.sendall(block)
                    got = b""
                    while len(got) < len(block):
                        part = other.recv(len(block) - len(got))
                        ensure(part, "closed")
                        got += part
                    ensure(got == block, "bytes differ")
                self.rounds += 1
                time.sleep(0.002)
        except (OSError, gl.Failed) as e:
            self.error = e

    def goes_on(self, what):
        was = self.rounds
        wait_for(lambda: self.rounds > was + 3 or self.error, 10, f"{what}: nothing arrives any more")
        ensure(not self.error, f"{what}: {self.error}")

    def done(self, what):
        self.goes_on(what)
        self.close()

    def close(self):
        self.stop = True
        self.thread.join(11)
        for end in self.ends:
            end.close()


# ---- security groups ------------------------------------------------------------------------------------------------


def counted(s, before, total):
    """The drops since `before`, when there are as many as expected, or no more come."""
    with contextlib.suppress(gl.Failed):
        wait_for(lambda: sum(v for k, v in s.lab.new_drops(before).items() if k != "TCP_NOT_SYN") >= total, 3)
    time.sleep(0.05)
    # The last segments of connections that other tests have reset come late, and from guests.
    return {k: v for k, v in s.lab.new_drops(before).items() if k != "TCP_NOT_SYN"}


def denied(s, reason, fn, *args, **kw):
    before = s.lab.drops()
    ensure(refused(fn, *args, **kw), f"{args}: passes")
    new = s.lab.new_drops(before)
    ensure(set(new) == {reason}, f"{args}: counted {new}, not {reason}")


@judged
def groups(s):
    """ports, prefixes, ICMP types and groups of an interface add up, from inside and outside; nothing else comes in"""
    for g in (s.b, s.f):
        ensure(tcp_ask(g, "10.0.0.11", 80) == g.addr and g.ping("10.0.0.11", 2), "what `web` lets in")
        denied(s, "GROUP_INGRESS", tcp_ask, g, "10.0.0.11", 22, timeout=0.5)
        denied(s, "GROUP_INGRESS", udp_ask, g, "10.0.0.11", 53, timeout=0.4)  # `names` is for others
    ensure(tcp_ask(s.lab.out, RED, 8080) == ROUTER_IP and udp_ask(s.lab.out, RED, 5353, tries=4) == ROUTER_IP, "by forwards, by the inner port")
    denied(s, "GROUP_INGRESS", tcp_ask, s.lab.out, RED, 2222, timeout=0.5)
    with s.lab.out.udp(SERVER_IP) as u:  # an address that `names` does not list
        u.settimeout(0.4)
        before = s.lab.drops()
        u.sendto(b"x", (RED, 5353))
        s.lab.expect_drops(before, {"GROUP_INGRESS": 1})
    ensure(s.lab.out.ping(FLOATING, 2) and tcp_ask(s.lab.out, FLOATING, 80) == ROUTER_IP, "a floating IP where a rule says so")
    denied(s, "GROUP_INGRESS", tcp_ask, s.lab.out, FLOATING, 22, timeout=0.5)
    ensure(s.a.ping(SERVER_IP) and tcp_ask(s.a, SERVER_IP, 22) == RED and udp_ask(s.b, SERVER_IP, 53) == RED, "replies, and no egress key")
    # a timestamp request (IPv6: a node information query) is ICMP too, but not the type that is let in
    before = s.lab.drops()
    with s.b.raw_icmp() as x:
        x.sendto(icmp("0.0.0.0", "10.0.0.11", family.of(13, 139), body=bytes(16))[l3_len():], ("10.0.0.11", 0))
    s.lab.expect_drops(before, {"GROUP_INGRESS": 1})


@judged
def members(s):
    """a remote group lets its members in across the tenant's networks; `egress: []` lets nothing out but replies"""
    for g in (s.a, s.b, s.f):
        ensure(tcp_ask(g, "10.0.1.14", 5432) == g.addr, f"{g.name} is a member")
        denied(s, "GROUP_INGRESS", tcp_ask, g, "10.0.1.14", 80, timeout=0.5)
    for fn, args in ((tcp_ask, (SERVER_IP, 80)), (udp_ask, (SERVER_IP, 53)), (tcp_ask, ("10.0.0.11", 80))):
        denied(s, "GROUP_EGRESS", fn, s.d, *args, timeout=0.5)
    before = s.lab.drops()
    ensure(not s.d.ping("10.0.1.1", 1, 1), "echo to the gateway is egress as well")
    s.lab.expect_drops(before, {"GROUP_EGRESS": 1})


@judged
def revoked(s):
    """a rule, a member, a forward or an address that goes cuts its flows with the next packet; others lose nothing"""
    for what, definition, cut, by in (
            ("a member", s.without("""            addresses: [10.0.0.12]
            security_groups: [web]
""", """            addresses: [10.0.0.12]
            security_groups: [names]
"""), (s.b, "10.0.1.14", 5432), "GROUP_INGRESS"),
            ("a rule", s.without("          - { proto: tcp, ports: 80 }\n"), (s.b, "10.0.0.11", 80), "GROUP_INGRESS"),
            ("a forward", s.without(f"          - {{ proto: tcp, address: {RED}, port: 8080, to: 80 }}\n"), (s.lab.out, RED, 8080), "NO_FLOW"),
            ("a floating IP", s.without(f"            floating_ips: [{FLOATING}]\n"), (s.lab.out, FLOATING, 80), None),
            ("an address", s.without("            addresses: [10.0.0.12]\n", "            addresses: [10.0.0.99]\n"), (s.b, "10.0.0.11", 80), "SPOOF_IP")):
        s.lab.apply(DEFINITION)
        stays = [Talk(s.x, s.lab.out, SERVER_IP, 7001), Talk(s.x, s.y, s.y.addr, 7002), Talk(s.a, s.lab.out, SERVER_IP, 7003)]
        with cut[0].connect(*cut[1:]) as c:
            c.settimeout(3)
            c.sendall(b"before")
            ensure(c.recv(100).endswith(b"before"), what)
            taps = {t: s.lab.drops(t) for t in ("tap-x", "tap-y")}
            s.lab.apply(definition)
            before = s.lab.drops()
            c.sendall(b"after")
            c.settimeout(0.4)
            ensure(refused(c.recv, 100), f"without {what} the connection goes on")
            new = s.lab.new_drops(before)
            ensure(not by or new.get(by), f"without {what}: counted {new}, not {by}")
        for talk in stays:
            talk.done(f"without {what}, another connection")
        for t, was in taps.items():
            ensure(not s.lab.new_drops(was, t), f"without {what}: {t} loses {s.lab.new_drops(was, t)}")


@judged
def unrelated(s):
    """a connection lives through applies that change other tenants, groups and rules, and loses nothing"""
    talks = [Talk(s.a, s.lab.out, SERVER_IP, 7001), Talk(s.x, s.y, s.y.addr, 7002)]
    before = {t: s.lab.drops(t) for t in ("tap-a", "tap-x", "tap-y")}
    for definition in (s.without("          - { proto: tcp, ports: 5432, remote_group: web }\n", "          - { proto: tcp, ports: 5433 }\n"),
                       s.without("      - name: names\n", "      - { name: more, ingress: [{ remote_ip: 192.0.2.0/24 }] }\n      - name: names\n"),
                       s.without("  - name: evil\n", "  - name: worse\n"), DEFINITION):
        s.lab.apply(definition)
        for talk in talks:
            talk.goes_on("an unrelated apply")
    for talk in talks:
        talk.done("after unrelated applies")
    for t, was in before.items():
        ensure(not s.lab.new_drops(was, t), f"{t} loses {s.lab.new_drops(was, t)}")


# ---- TCP ------------------------------------------------------------------------------------------------------------


def flow_state(s, tenant, sport):
    rows = [r for r in s.lab.show("flows", "--tenant", tenant) if r["sport"] == sport]
    return rows[0]["tcp_state"] if rows else None


@judged
def closing(s):
    """a half-closed connection carries on the other way; a real reset ends it, and the same ports serve again at once"""
    with s.lab.out.tcp_listen(SERVER_IP, 7010) as listener:
        with s.a.connect(SERVER_IP, 7010) as c:
            e, _ = listener.accept()
            c.sendall(b"request")
            c.shutdown(socket.SHUT_WR)
            with e:
                ensure(e.recv(100) == b"request" and e.recv(100) == b"", "the end of the request")
                time.sleep(0.3)
                blob = os.urandom(1 << 20)
                threading.Thread(target=e.sendall, args=(blob,), daemon=True).start()
                c.settimeout(5)
                got = b""
                while len(got) < len(blob):
                    got += c.recv(1 << 20)
                ensure(got == blob, "what comes after a half-close differs")
        for n in range(3):
            c = s.a.connect(SERVER_IP, 7010, source=("10.0.0.11", 40123))
            e, _ = listener.accept()
            e.sendall(b"x")
            ensure(c.recv(1) == b"x", f"round {n} of the same ports")
            one = c if n & 1 else e
            one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            one.close()  # a reset
            wait_for(lambda: flow_state(s, "red", 40123) not in ("established", "syn_sent"), 3, lambda: f"{flow_state(s, 'red', 40123)}")
            c.close()
            e.close()


@judged
def forged_tcp(s):
    """guessed RST, FIN and SYN from outside end no connection; TCP that begins in the middle opens nothing"""
    talk = Talk(s.a, s.lab.out, SERVER_IP, 7011)
    sport = talk.ends[0].getsockname()[1]
    row = [r for r in s.lab.show("flows", "--tenant", "red") if r["sport"] == sport][0]
    port = row["nat_sport"]
    before = s.lab.drops()
    # In the middle of nowhere, whatever the true numbers are: of four guesses three at least are outside the window.
    for flags in (RST, RST | ACK, FIN | ACK):
        for seq in (0x10000000, 0x50000000, 0x90000000, 0xD0000000):
            s.from_outside(tcp(SERVER_IP, RED, 7011, port, flags, seq=seq, ack=seq))
    new = counted(s, before, 12)
    ensure(set(new) == {"TCP_WINDOW"} and new["TCP_WINDOW"] >= 9, f"counted {new}")
    talk.done("after forged resets")
    before = s.lab.drops("evil")
    for flags in (ACK, ACK | 8, SYN | ACK, FIN | ACK, RST):
        s.evil.send(frame(s.gw, EVIL, tcp(EIP, SERVER_IP, 999, 80, flags, seq=5, ack=7)))
    s.lab.expect_drops(before, {"TCP_NOT_SYN": 5}, "evil")
    before = s.lab.drops().get("NO_FLOW", 0)
    for flags in (ACK, SYN | ACK, RST):
        s.from_outside(tcp(SERVER_IP, RED, 80, 45678, flags, seq=5, ack=7))
    wait_for(lambda: s.lab.drops().get("NO_FLOW", 0) == before + 3, 3, lambda: f"NO_FLOW three times, {s.lab.drops()} after {before}")


@judged
def planted(s):
    """what looks like a service's answer plants no flow: from a member of the network, from outside, to a port in use"""
    with s.a.udp("", 40000, timeout=0.5) as u:
        ask_again(u, b"true", (SERVER_IP, 53))
        before = s.lab.drops()
        for sport in (123, 161, 500, 3784):
            with s.f.udp("", sport) as liar:
                liar.sendto(b"false", ("10.0.0.11", 40000))
        new = counted(s, before, 4)
        ensure(new == {"GROUP_INGRESS": 4}, f"counted {new}")
        before = s.lab.drops()
        row = [r for r in s.lab.show("flows", "--tenant", "red") if r["sport"] == 40000][0]
        for src, sport in ((ROUTER_IP, 53), (SERVER_IP, 54)):
            s.from_outside(udp(src, RED, sport, row["nat_sport"], b"false"))
        new = counted(s, before, 2)
        ensure(new == {"NO_FLOW": 2}, f"counted {new}")
        ensure(refused(u.recv, 100), "a false answer came in")
        # and what comes from the right place in the wrong protocol
        before = s.lab.drops().get("NO_FLOW", 0)
        s.from_outside(tcp(SERVER_IP, RED, 53, row["nat_sport"], SYN | ACK, seq=1, ack=1))
        wait_for(lambda: s.lab.drops().get("NO_FLOW", 0) == before + 1, 3, "NO_FLOW")
        ask_again(u, b"true again", (SERVER_IP, 53))
        ensure(not [r for r in s.lab.show("flows", "--tenant", "red") if r["dport"] == 40000], "a planted flow")


# ---- ICMP errors ----------------------------------------------------------------------------------------------------


def error(src, dst, inner):
    """That a host is not reached, about a packet of whose transport eight bytes are quoted."""
    return icmp(src, dst, family.of(3, 1), family.of(1, 3), bytes(4) + inner[:l3_len() + 8])


@judged
def forged_errors(s):
    """ICMP errors whose inner packet fits no flow, or another one than the outer header, reach nobody"""
    with s.x.connect(SERVER_IP, 80) as c:
        c.sendall(b"1")
        c.recv(100)
        row = [r for r in s.lab.show("flows", "--tenant", "blue") if r["sport"] == c.getsockname()[1]][0]
        port = row["nat_sport"]
        true = tcp(BLUE, SERVER_IP, port, 80)
        before = s.lab.drops()
        lies = [error(ROUTER_IP, BLUE, tcp(BLUE, SERVER_IP, port ^ 1, 80)),  # a flow that is not
                error(ROUTER_IP, BLUE, tcp(BLUE, SERVER_IP, port, 81)),  # another destination
                error(ROUTER_IP, BLUE, udp(BLUE, SERVER_IP, port, 80)),  # another protocol
                error(ROUTER_IP, RED, true),  # not to whom the inner packet comes from
                error(ROUTER_IP, BLUE, tcp(SERVER_IP, BLUE, 80, port)),  # sent the other way
                error(ROUTER_IP, BLUE, tcp("10.0.0.11", SERVER_IP, c.getsockname()[1], 80)),  # the private address
                error(ROUTER_IP, BLUE, tcp(BLUE, SERVER_IP, port, 80)[:l3_len()])]  # cut
        for lie in lies:
            s.from_outside(lie)
        new = counted(s, before, len(lies))
        ensure(sum(new.values()) == len(lies) and set(new) <= {"ICMP_ERROR", "NO_FLOW", "L4_TRUNCATED"}, f"counted {new}")
        c.sendall(b"2")
        ensure(c.recv(100).endswith(b"2"), "the connection suffers")


# ---- fragments ------------------------------------------------------------------------------------------------------


def fragment(src, dst, ident, offset, data, more, proto=17):
    if family.now() == 6:
        return packet(src, dst, 44, struct.pack("!BBHI", proto, 0, offset | more, ident) + data)
    return packet(src, dst, proto, data, ident=ident, frag=(0x2000 if more else 0) | offset // 8)


@judged
def forged_fragments(s):
    """overlapping and tiny fragments, tails without a head and floods of heads stop at their sender; others' pass"""
    def send(*args, **kw):
        s.evil.send(frame(SINK, EVIL, fragment(EIP, SIP, *args, **kw)))

    # The other family's turn has used up the tenant's share, which is one for both.
    s.lab.apply(s.without("  - name: evil\n", "  - name: worse\n"))
    s.lab.apply(DEFINITION)

    def head(n):
        return struct.pack("!HHHH", 7, 9, 8 + n, family.of(0, 1)) + bytes(n - n % 8)[:n]

    def expect(want, what):
        with contextlib.suppress(gl.Failed):
            s.lab.expect_drops(before, want, "evil")
        new = s.lab.new_drops(before, "evil")
        ensure(new == want, f"{what}: counted {new}, not {want}")

    before = s.lab.drops("evil")
    room = 1480 if family.now() == 4 else 1448
    send(100, room, bytes(100), False)
    expect({"FRAGMENT_NO_HEAD": 1}, "a tail before its head")
    before = s.lab.drops("evil")
    send(101, 0, head(room - 8), True)
    send(101, room - 8, bytes(600), False)
    expect({"FRAGMENT_OVERLAP": 1}, "eight bytes twice")
    before = s.lab.drops("evil")
    send(102, 0, bytes(8), True, proto=6)
    send(102, 8, bytes(8), False, proto=6)
    with contextlib.suppress(gl.Failed):
        s.lab.expect_drops(before, {"FRAGMENT_TINY": 2}, "evil")
    new = s.lab.new_drops(before, "evil")
    ensure(sum(new.values()) == 2 and new.get("FRAGMENT_TINY"), f"RFC 1858: counted {new}")
    s.sink.drain()
    send(103, 0, head(room - 8), True)
    send(103, room, bytes(600), False)
    got = [s.sink.expect(lambda f: f.fragment, what="an honest fragment") for _ in range(2)]
    ensure(len(got) == 2, "an honest datagram in two fragments")
    before = s.lab.drops("evil")
    for ident in range(20000, 26000):
        send(ident, 0, head(64), True)
    wait_for(lambda: s.lab.new_drops(before, "evil").get("FRAGMENT_LIMIT", 0) > 1000, 5, "FRAGMENT_LIMIT")
    for g in (s.x, s.a):  # another tenant's datagrams in fragments go their way
        with g.udp(timeout=1) as u:
            data = os.urandom(8000)
            for _ in range(5):
                u.sendto(data, (SERVER_IP, 53))
                with contextlib.suppress(TimeoutError):
                    ensure(u.recv(65536).endswith(data), "differs")
                    break
            else:
                raise gl.Failed(f"{g.name}'s fragments do not pass")


# ---- floods ---------------------------------------------------------------------------------------------------------


def flood(s, datagram):
    """ATTEMPTS frames with ports of their own from `evil`, while others open connections; how many of these there were."""
    with subprocess.Popen([gl.BUILD + "/tools/tapflood", str(s.evil.fd), str(ATTEMPTS), str(gl.HDR_LEN + datagram.index(PORTS))],
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE, pass_fds=[s.evil.fd]) as p:
        try:
            p.stdin.write(bytes(gl.HDR_LEN) + datagram)
            p.stdin.close()
            asked = 0
            while p.poll() is None:
                ensure(tcp_ask(s.x, SERVER_IP, 80) == BLUE and tcp_ask(s.b, SERVER_IP, 80) == RED, "a new connection during the flood")
                asked += 1
                time.sleep(0.05)  # closed ones linger, and each takes one of the tenant's share of ports towards a server
            taken = p.stdout.read()
        finally:
            p.kill()
    ensure(p.returncode == 0 and int(taken) == ATTEMPTS, f"the flood ended with {p.returncode} after {taken}")
    return asked


@judged
def flooded(s):
    """a million attempts to open flows by one tenant: what exceeds its share is refused and counted, others open and go on"""
    talks = [Talk(s.a, s.lab.out, SERVER_IP, 7001), Talk(s.x, s.y, s.y.addr, 7002)]
    before, mine = {t: s.lab.drops(t) for t in ("tap-a", "tap-x", "tap-y")}, s.lab.drops("evil")
    s.lab.gl("flows", "delete", "--tenant", "evil")
    share, more = 65536, 200
    datagram, at = frame(SINK, EVIL, udp(EIP, SIP, 0, 0, b"", zero=family.now() == 4)), 14 + l3_len()
    asked = flood(s, datagram[:at] + PORTS + datagram[at + 4:])  # ports to be filled in; the sum is nobody's business
    for n in range(more):
        s.evil.send(frame(s.gw, EVIL, udp(EIP, SERVER_IP, 3000 + n, 9, b"port")))
    ensure(asked >= 10, f"{asked} rounds of new connections during the flood")
    for talk in talks:
        talk.done("during a flood")
    s.lab.expect_drops(mine, {"FLOW_TABLE_FULL": ATTEMPTS - share + more}, "evil")
    for t, was in before.items():
        # Late segments of what other tests have reset come still; the talks would not have gone on had theirs been such.
        new = {k: v for k, v in s.lab.new_drops(was, t).items() if k != "TCP_NOT_SYN"}
        ensure(not new, f"{t} loses {new}")
    s.lab.gl("flows", "delete", "--tenant", "evil")
    mine = s.lab.drops("evil")
    for n in range(more):
        s.evil.send(frame(s.gw, EVIL, udp(EIP, SERVER_IP, 3000 + n, 9, b"port")))
    s.lab.expect_drops(mine, {"NAT_EXHAUSTED": more - 64}, "evil")
    ensure(udp_ask(s.x, SERVER_IP, 53, tries=4) == BLUE, "a tenant that shares the address")


gl.main()
