#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
"""Is the host itself safe, and left alone?

Its own traffic on an uplink that guests share must not be touched, NAT on its own address included; no guest reaches
any of its addresses, nothing it sends reaches a guest, and its sockets never meet a translated port.
"""
import contextlib
import os
import socket
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import gl
from gl import (BROADCAST, HOST_IP, ROUTER_IP, SERVER_IP, Echo, ask_again, echo, ensure, family, frame, link_local, refused,
                seen_as, tcp, tcp_ask, test, transfer, udp, udp_ask, who_has)

DEFINITION = """
version: 1
uplinks: [{ name: wan, interface: wan%s }]
tenants:
  - name: red
    networks:
      - { name: front, mode: nat, uplink: wan, subnets: [10.0.0.0/24] }
      - { name: route, mode: routed, uplink: wan, subnets: [192.168.50.0/24], open_to: anywhere }
    guests:
      - name: a
        interfaces: [{ tap: tap-a, mac: "52:54:00:00:00:01", network: front, addresses: [10.0.0.11] }]
      - name: r
        interfaces: [{ tap: tap-r, mac: "52:54:00:00:00:02", network: route, addresses: [192.168.50.12] }]
      - name: raw
        interfaces: [{ tap: raw, mac: "52:54:00:00:00:09", network: front, addresses: [10.0.0.19] }]
"""
RAW, RAWIP = "52:54:00:00:00:09", "10.0.0.19"
OTHERS = ("10.99.0.1", "192.0.2.2", "198.51.100.3")  # more addresses of the host


class Site:
    def __init__(self):
        self.lab = lab = gl.Lab()
        lab.host.ip("link add name mgmt type bridge")
        if lab.host.six:
            lab.host.sysctl("ipv6/conf/mgmt/disable_ipv6", 0)
        lab.host.ip(f"addr add {OTHERS[0]}/24 dev mgmt", "link set mgmt up",
                    f"addr add {OTHERS[1]}/32 dev lo", f"addr add {OTHERS[2]}/24 dev wan")
        self.a = lab.guest("a", "10.0.0.11/24", "10.0.0.1", "52:54:00:00:00:01")
        self.r = lab.guest("r", "192.168.50.12/24", "192.168.50.1", "52:54:00:00:00:02")
        self.raw = lab.raw("raw")
        lab.out.ip(f"route add 192.168.50.0/24 via {HOST_IP}", f"route add {OTHERS[1]}/32 via {HOST_IP}")
        self.servers = [Echo(lab.out, tcp=[80], udp=[53]), Echo(self.a, tcp=[80], udp=[53]), Echo(self.r, tcp=[80], udp=[53])]
        self.ssh = Echo(lab.host, tcp=[22], udp=[53, 67, 547, 3784, 4789])
        lab.apply(DEFINITION % "")


hosted = gl.shared(Site)


def own_traffic(lab):
    ensure(tcp_ask(lab.out, HOST_IP, 22) == ROUTER_IP, "the host as TCP server")
    ensure(udp_ask(lab.out, HOST_IP, 53) == ROUTER_IP, "the host as UDP server")
    own = (HOST_IP, OTHERS[2])  # of two that serve, IPv6 takes either
    ensure(tcp_ask(lab.host, SERVER_IP, 80) in own and udp_ask(lab.host, SERVER_IP, 53) in own, "the host as client")
    ensure(lab.host.ping(SERVER_IP, 3) and lab.out.ping(HOST_IP, 3), "echo both ways")
    ensure(lab.host.ping(SERVER_IP, 2, 2, "-s", "4000") and lab.out.ping(HOST_IP, 2, 2, "-s", "4000"), "fragments both ways")


@hosted
def untouched(s):
    """the host serves, asks, pings and transfers over a shared uplink as if guestlane were not there"""
    before = s.lab.drops()
    own_traffic(s.lab)
    transfer(s.lab.host, s.lab.out, SERVER_IP, size=8 << 20)
    transfer(s.lab.out, s.lab.host, HOST_IP, size=8 << 20)
    for addr in OTHERS[1:]:
        ensure(tcp_ask(s.lab.out, addr, 22) == ROUTER_IP, addr)
    ensure(not s.lab.new_drops(before), f"counted as dropped: {s.lab.new_drops(before)}")
    ensure(refused(s.lab.out.connect, HOST_IP, 23), "a closed port")
    s.lab.out.sh("ip neigh flush all")
    s.lab.host.sh("ip neigh flush dev wan")
    ensure(s.lab.out.ping(HOST_IP, 2) and s.lab.host.ping(ROUTER_IP, 2), "neighbours are found both ways")


@hosted
def side_by_side(s):
    """with NAT on the host's own address, flows of host and guests to one server interleave without mixing"""
    socks = []
    for n in range(100):
        for ns, who in ((s.lab.host, "host"), (s.a, "guest")):
            u = ns.udp(timeout=0.5)
            u.sendto(f"{who}{n}".encode(), (SERVER_IP, 53))
            socks.append((u, f"{who}{n}", who))
    for u, text, who in socks:
        try:
            answer = u.recv(100)
        except TimeoutError:
            answer, _ = ask_again(u, text.encode(), (SERVER_IP, 53))
        back, port = answer.decode().partition(" ")[2], seen_as(answer)[1]
        ensure(back == text, f"{who} got another's answer: {back}")
        ensure((16384 <= port <= 32767) == (who == "guest"), f"{who} is seen with port {port}")
        u.close()


@hosted
def reserved(s):
    """translated ports are kept out of the host's hands: reserved for the kernel's own choice, others kept as they were"""
    with s.lab.host:
        held = open("/proc/sys/net/ipv4/ip_local_reserved_ports").read().strip()
        low, high = map(int, open("/proc/sys/net/ipv4/ip_local_port_range").read().split())
    spans = [tuple(map(int, (p + "-" + p).split("-")[:2])) for p in held.split(",") if p]
    ensure(any(a <= 16384 and 32767 <= b for a, b in spans) or high < 16384 or low > 32767,
           f"reserved {held!r}, own range {low}-{high}")
    with s.lab.host:
        open("/proc/sys/net/ipv4/ip_local_port_range", "w").write("16000 33500")
    ports = set()
    for _ in range(200):
        with s.lab.host.udp() as u:
            u.connect((SERVER_IP, 53))
            ports.add(u.getsockname()[1])
    with s.lab.host:
        open("/proc/sys/net/ipv4/ip_local_port_range", "w").write(f"{low} {high}")
    ensure(not [p for p in ports if 16384 <= p <= 32767], "the kernel gave the host a translated port")


@test
def taken_ports():
    """where the host already uses a port of the range, apply says so and changes nothing, or keeps clear of it"""
    with gl.lab() as lab:
        taken = lab.host.udp(HOST_IP, 20000)
        guest = lab.guest("a", "10.0.0.11/24", "10.0.0.1", "52:54:00:00:00:01")
        lab.guest("r", "192.168.50.12/24", "192.168.50.1", "52:54:00:00:00:02")
        lab.raw("raw")
        out = Echo(lab.out, udp=[53])
        r = lab.apply(DEFINITION % "", check=False)
        if r.returncode:
            ensure(r.returncode == 1 and "20000" in r.stderr, f"exit {r.returncode}: {r.stderr}")
            ensure(not guest.ping(SERVER_IP, 1, 1), "changed something all the same")
        else:
            for _ in range(300):
                with guest.udp(timeout=0.5) as u:
                    ask_again(u, b"x", (SERVER_IP, 53))
            ensure(20000 not in [p for _, p in out.peers], "the host's own port was used for a guest")
            with lab.out.udp(ROUTER_IP) as u:
                u.sendto(b"for the host", (HOST_IP, 20000))
                ensure(taken.recv(100) == b"for the host", "the host's socket is deaf")
        taken.close()
        out.close()


@hosted
def out_of_reach(s):
    """guests reach no address of the host by any road: gateway, own MAC of tap or uplink, broadcast, ports as they like"""
    stack = gl.StackWatch(s.lab.host)
    for addr in (HOST_IP, *OTHERS):
        ensure(not s.a.ping(addr, 1, 1), f"{addr} answers echo")
        ensure(refused(tcp_ask, s.a, addr, 22, timeout=0.4), f"{addr}:22 is reached")
        ensure(refused(tcp_ask, s.r, addr, 22, timeout=0.4), f"{addr}:22 is reached from the routed network")
        ensure(refused(udp_ask, s.a, addr, 53, timeout=0.4), f"{addr}:53 is reached")
    gw = gateway(s)
    targets = (gw, s.lab.host.mac("wan"), s.lab.host.mac("raw"), s.lab.host.mac("mgmt"), BROADCAST,
               family.of("01:00:5e:00:00:01", "33:33:00:00:00:01"))
    links = family.of((), (link_local(s.lab.host.mac("wan")), link_local(s.lab.host.mac("raw")), "ff02::2", "ff02::1:2"))
    ensure(not s.ssh.peers or all(a == ROUTER_IP for a, _ in s.ssh.peers), "a guest was served before")
    for dst in targets:
        for addr in (HOST_IP, *OTHERS, "127.0.0.1", "255.255.255.255", "198.51.100.255", "224.0.0.1", *links):
            for port in (22, 53, 67, 547, 3784, 4789):
                s.raw.send(frame(dst, RAW, udp(RAWIP, addr, 40000, port, b"x")))
                s.raw.send(frame(dst, RAW, tcp(RAWIP, addr, 40000, port)))
            s.raw.send(frame(dst, RAW, echo(RAWIP, addr)))
            question = who_has(RAW, RAWIP, addr)
            s.raw.send(gl.mac(dst) + question[6:])
            s.raw.send(question)
    time.sleep(0.1)
    leaked = stack.leaked()
    ensure(not leaked, lambda: f"in the host's stack: {leaked[0]}")
    ensure(all(a == ROUTER_IP for a, _ in s.ssh.peers), f"served: {s.ssh.peers}")
    neigh = s.lab.host.sh("ip neigh show").stdout
    ensure("52:54:00" not in neigh, f"the host learned a guest's address: {neigh}")
    stack.close()


@hosted
def no_way_in(s):
    """what the host itself sends towards a guest's interface is dropped and counted; the host's forwarding is not used"""
    s.raw.drain()
    before = s.lab.drops("raw")
    tx = s.lab.host.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    with s.lab.host:
        tx.bind(("raw", 0))
    for _ in range(3):
        with contextlib.suppress(OSError):  # the sender is told of the drop
            tx.send(frame(RAW, s.lab.host.mac("raw"), udp(HOST_IP, RAWIP, 1, 2, b"from the host")))
    tx.close()
    ensure(not s.raw.drain(), "the host's frame reached the guest")
    s.lab.expect_drops(before, {"HOST_TO_GUEST": 3}, "raw")
    if family.now() == 6:
        r = s.lab.host.sh("ip", "route", "add", gl.ip("10.0.0.0/24"), "dev", "tap-a", check=False)
        ensure("disabled" in r.stderr, f"IPv6 is on towards a guest: {r.stderr}")
        return
    s.lab.host.sh("ip route add 10.0.0.0/24 dev tap-a")
    s.lab.host.sh("ip neigh add 10.0.0.11 lladdr 52:54:00:00:00:01 dev tap-a")
    ensure(not s.lab.host.ping("10.0.0.11", 1, 1), "the host pings a guest")
    s.lab.host.sh("ip route del 10.0.0.0/24 dev tap-a")


@hosted
def host_and_floods(s):
    """thousands of flows of a guest leave the host's own new and old connections working"""
    with s.lab.out.connect(HOST_IP, 22) as keep:
        for n in range(5000):
            s.raw.send(frame(BROADCAST if n % 50 == 0 else gateway(s), RAW, udp(RAWIP, SERVER_IP, 1024 + n, 9, b"flood")))
        keep.sendall(b"still there")
        ensure(keep.recv(100).endswith(b"still there"), "an old connection")
        own_traffic(s.lab)


def gateway(s):
    if not hasattr(s, "gw"):
        s.raw.send(who_has(RAW, RAWIP, "10.0.0.1"))
        s.gw = s.raw.expect(lambda f: f.tells, what="the gateway's answer").tells[1]
    return s.gw


@hosted
def other_hooks(s):
    """the same for the host's own traffic with generic XDP on the uplink, and with TC alone, changed while in use"""
    for wish, want in (("generic", "generic"), ("off", "off"), ("native", "native"), ("auto", "off")):
        s.lab.apply(DEFINITION % f", xdp: {wish}")
        shown = s.lab.attachments()["wan"]
        ensure(shown["xdp"] == want, f"status shows {shown}")
        own_traffic(s.lab)
        transfer(s.lab.out, s.lab.host, HOST_IP, size=8 << 20)
        transfer(s.lab.host, s.lab.out, SERVER_IP, size=8 << 20)
        ensure(tcp_ask(s.a, SERVER_IP, 80) in (HOST_IP, OTHERS[2]), "a guest out")


@test
def gone_without_trace():
    """`delete --all` leaves the host as it was: no programs, no pins, the reserved ports given back"""
    with gl.lab() as lab:
        with lab.host:
            open("/proc/sys/net/ipv4/ip_local_reserved_ports", "w").write("8080,9148")
            was = open("/proc/sys/net/ipv4/ip_local_reserved_ports").read()
        lab.guest("a", "10.0.0.11/24", "10.0.0.1", "52:54:00:00:00:01")
        lab.guest("r", "192.168.50.12/24", "192.168.50.1", "52:54:00:00:00:02")
        lab.raw("raw")
        lab.apply(DEFINITION % "")
        with lab.host:
            during = open("/proc/sys/net/ipv4/ip_local_reserved_ports").read()
        ensure("9148" in during, f"the operator's own reservation is lost: {during}")
        lab.gl("delete", "--all")
        with lab.host:
            ensure(open("/proc/sys/net/ipv4/ip_local_reserved_ports").read() == was, "reserved ports are not given back")
        for dev in ("wan", "tap-a", "raw"):
            shown = lab.host.sh("bpftool net show dev " + dev, check=False).stdout
            ensure("gl_" not in shown and "from_guest" not in shown and "uplink" not in shown, f"left on {dev}: {shown}")
        ensure(not os.path.isdir(lab.bpffs) or not os.listdir(lab.bpffs), "pins are left")
        site = lab.host
        ensure(lab.out.ping(HOST_IP) and site.ping(ROUTER_IP), "the host's own traffic")


gl.main()
