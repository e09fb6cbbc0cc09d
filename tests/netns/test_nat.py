#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
"""Does translation do for real peers what they expect of it?

Guests behind guestlane and, at the other end, behind Linux' own connection tracking; real servers and clients of DNS,
FTP, calls and bulk data; routers that trace and narrow links. A watch on the uplink looks for private addresses all the
while. Neighbours: gl.py, test_ways.py (each way by itself), test_offloads.py (bytes).
"""
import contextlib
import ftplib
import json
import os
import resource
import socket
import struct
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import gl
from gl import (HOST_IP, ROUTER_IP, SERVER_IP, Echo, ask_again, echo, ensure, eth, family, ip, l3_len, refused, seen_as, tcp_ask,
                transfer, udp4, udp_ask, wait_for)

MANY, FEW, FREE, OTHER = "198.51.100.20", "198.51.100.21", "198.51.100.22", "203.0.113.20"
FAR = "192.0.2.130"  # behind a link of 1,400 bytes and one more router
MASQ = "192.0.2.2"  # a Linux router that masquerades
DEFINITION = f"""
version: 1
uplinks: [{{ name: wan, interface: wan }}]
tenants:
  - name: many
    networks:
      - name: front
        mode: nat
        uplink: wan
        subnets: [10.0.0.0/24]
        nat: {{ addresses: [{MANY}], ports: 20000-21999 }}
      - {{ name: route, mode: routed, uplink: wan, subnets: [192.168.50.0/24], open_to: anywhere }}
    guests:
      - name: a
        interfaces: [{{ tap: tap-a, mac: "52:54:00:00:00:01", network: front, addresses: [10.0.0.11] }}]
        port_forwards:
          - {{ proto: tcp, address: {MANY}, port: 8080, to: 80 }}
          - {{ proto: udp, address: {MANY}, port: 5300, to: 53 }}
          - {{ proto: tcp, address: {MANY}, port: 5555, to: 5555 }}
      - name: b
        interfaces: [{{ tap: tap-b, mac: "52:54:00:00:00:02", network: front, addresses: [10.0.0.12] }}]
      - name: r
        interfaces: [{{ tap: tap-r, mac: "52:54:00:00:00:05", network: route, addresses: [192.168.50.15] }}]
  - name: few
    networks:
      - name: front
        mode: nat
        uplink: wan
        subnets: [10.0.0.0/24]
        nat: {{ addresses: [{FEW}], ports: 30016-30079 }}
    guests:
      - name: c
        interfaces: [{{ tap: tap-c, mac: "52:54:00:00:00:01", network: front, addresses: [10.0.0.11] }}]
  - name: free
    networks:
      - name: front
        mode: nat
        uplink: wan
        subnets: [10.0.0.0/24]
        mss: 1200
        nat: {{ addresses: [{FREE}], mapping: endpoint-independent }}
    guests:
      - name: p
        interfaces: [{{ tap: tap-p, mac: "52:54:00:00:00:01", network: front, addresses: [10.0.0.11] }}]
"""
BESIDE = f"""
version: 1
uplinks: [{{ name: wan, interface: wan }}]
tenants:
  - name: free
    networks:
      - name: front
        mode: nat
        uplink: wan
        subnets: [10.0.0.0/24]
        nat: {{ addresses: [{OTHER}], mapping: endpoint-independent }}
    guests:
      - name: q
        interfaces: [{{ tap: tap-q, mac: "52:54:00:00:00:01", network: front, addresses: [10.0.0.11] }}]
"""
# Frames of the host whose source is private, also inside the ICMP errors that quote what a guest got, and tagged ones.
PRIVATE = ("(src net 10.0.0.0/8 or arp src net 10.0.0.0/8 or src net fd00:db8:a00::/40 or "
           "(icmp and (icmp[0] = 3 or icmp[0] = 11) and icmp[24] = 10) or "
           "(ip6 and ip6[6] = 58 and ip6[40] < 5 and ip6[72] = 0xfd and ip6[76] = 10) or vlan)")  # vlan shifts what follows


class Watch:
    """tcpdump on the uplink's far end for as long as the suite runs; the kernel picks the frames, so that none is lost."""

    def __init__(self, lab):
        self.lab, self.seen = lab, []
        self.router = lab.out.mac("out0")
        self.p = lab.out.popen("tcpdump", "-i", "out0", "-nn", "-l", "-e", "-s", "100", f"not ether src {self.router} and {PRIVATE}",
                               stdout=-1, stderr=-1, text=True)
        ensure("listening" in self.p.stderr.readline() + self.p.stderr.readline(), "tcpdump does not listen")
        threading.Thread(target=self.read, daemon=True).start()
        # The watch that will see nothing sees this.
        tx = lab.host.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        with lab.host:
            tx.bind(("wan", 0))
        tx.send(eth(self.router, lab.host.mac("wan"), 0x800, udp4("10.9.9.9", SERVER_IP, 9, 9, b"watch")))
        tx.close()
        wait_for(lambda: self.seen, 5, "the watch on the uplink")
        self.seen.clear()

    def read(self):
        for line in self.p.stdout:
            self.seen.append(line.strip())


class Site:
    def __init__(self):
        resource.setrlimit(resource.RLIMIT_NOFILE, (8192, 8192))
        self.lab = lab = gl.Lab()
        gw = "10.0.0.1"
        self.a = lab.guest("a", "10.0.0.11/24", gw, "52:54:00:00:00:01")
        self.b = lab.guest("b", "10.0.0.12/24", gw, "52:54:00:00:00:02")
        self.r = lab.guest("r", "192.168.50.15/24", "192.168.50.1", "52:54:00:00:00:05")
        self.c = lab.guest("c", "10.0.0.11/24", gw, "52:54:00:00:00:01")
        self.p = lab.guest("p", "10.0.0.11/24", gw, "52:54:00:00:00:01")
        self.far, self.masq, self.home = (lab.space(n) for n in ("far", "masq", "home"))
        out = lab.out
        out.ip(f"route add 192.168.50.0/24 via {HOST_IP}",
               "link add far0 mtu 1400 type veth peer name eth0 mtu 1400 netns " + self.far.name, "addr add 192.0.2.129/30 dev far0",
               "link set far0 up", "link add masq0 type veth peer name eth0 netns " + self.masq.name, "addr add 192.0.2.1/30 dev masq0",
               "link set masq0 up")
        # advmss: it promises more than its link holds, so that only the path's MTU helps
        self.far.ip(f"addr add {FAR}/30 dev eth0", "link set eth0 up", "route add default via 192.0.2.129 advmss 1460")
        self.masq.ip(f"addr add {MASQ}/30 dev eth0", "link set eth0 up", "route add default via 192.0.2.1",
                     "link add home0 type veth peer name eth0 netns " + self.home.name, "addr add 192.168.1.1/24 dev home0",
                     "link set home0 up")
        self.home.ip("addr add 192.168.1.2/24 dev eth0", "link set eth0 up", "route add default via 192.168.1.1")
        self.masq.sysctl("ipv4/ip_forward", 1)
        self.masq.sysctl("ipv6/conf/all/forwarding", 1)
        self.masq.sh("nft", "-f", "-", text="""
            table inet t {
                counter bad { }
                chain nat { type nat hook postrouting priority 100; oifname "eth0" masquerade; }
                # An unasked datagram that it took for its own would hold the port against its home's flow.
                chain own { type filter hook input priority 0; iifname "eth0" ct state new drop; }
                chain through {
                    type filter hook forward priority 0; policy drop;
                    ct state invalid counter name "bad" drop
                    ct state established,related accept
                    iifname "home0" accept
                }
            }""")
        self.watch = Watch(lab)
        self.server = Echo(out, tcp=[80], udp=[53, 3478])
        self.inside = [Echo(self.a, tcp=[80], udp=[53]), Echo(self.r, tcp=[80], udp=[53])]
        lab.apply(DEFINITION)


sited = gl.shared(Site)


def watched(fn):
    def run(s):
        fn(s)
        ensure(s.watch.p.poll() is None, "the watch on the uplink has ended")
        ensure(not s.watch.seen, lambda: f"private on the uplink: {s.watch.seen[:3]}")

    return sited(gl.like(run, fn))


@watched
def thousand(s):
    """1,000 flows from two guests to one destination leave by as many ports of the range, parity kept, none below 1024"""
    socks = []
    for n in range(500):
        for g, who in ((s.a, "a"), (s.b, "b")):
            u = g.udp(timeout=0.5)
            u.sendto(f"{who}{n}".encode(), (SERVER_IP, 53))
            socks.append((u, f"{who}{n}".encode()))
        if n % 50 == 49:
            time.sleep(0.02)
    ports = {}
    for u, text in socks:
        try:
            answer = u.recv(100)
        except TimeoutError:
            answer, _ = ask_again(u, text, (SERVER_IP, 53))
        ensure(answer.endswith(b" " + text), f"{text} got another's answer: {answer}")
        addr, port = seen_as(answer)
        ensure(addr == MANY and 20000 <= port <= 21999, f"{addr}:{port} is not in the range")
        ensure(port not in ports, f"{text} and {ports.get(port)} share port {port}")
        ensure(port & 1 == u.getsockname()[1] & 1, f"port {u.getsockname()[1]} became {port}: another parity")
        ports[port] = text
    ensure(len(ports) == 1000, f"{len(ports)} ports")
    steps = [b - a for a, b in zip(list(ports), list(ports)[1:])]
    ensure(max(steps.count(x) for x in set(steps)) < 100, "the ports follow a pattern")
    for u, _ in socks:
        u.close()
    s.lab.gl("flows", "delete", "--tenant", "many")


def exhausted(s):
    return [r for r in s.lab.show("nat") if r.get("kind") == "refused" and r["tenant"] == "few"]


@watched
def sixty_four(s):
    """with 64 ports 64 flows live; the 65th is refused and counted with moment and address; a freed port serves again"""
    socks = []
    for n in range(64):
        u = s.c.udp(timeout=0.5)
        answer, _ = ask_again(u, b"flow%d" % n, (SERVER_IP, 53))
        socks.append((u, seen_as(answer)))
    ensure({port for _, (_, port) in socks} == set(range(30016, 30080)), "not every port is used, once")
    before = s.lab.drops()
    with s.c.udp(timeout=0.3) as late:
        ensure(refused(ask_again, late, b"65th", (SERVER_IP, 53), 3), "a 65th flow passed")
        s.lab.expect_drops(before, {"NAT_EXHAUSTED": 3})
        rows = exhausted(s)
        ensure(len(rows) == 1 and rows[0]["count"] >= 3 and rows[0]["reason"] == "NAT_EXHAUSTED", f"show nat: {rows}")
        ensure(rows[0]["ago_ms"] < 20000 and rows[0]["address"] == FEW, f"show nat: {rows}")
        # To another destination the same ports serve once more.
        answer, _ = ask_again(late, b"elsewhere", (SERVER_IP, 3478))
        ensure(seen_as(answer)[0] == FEW, f"{answer}")
        for u, mapped in socks:  # none was evicted
            answer, _ = ask_again(u, b"still", (SERVER_IP, 53))
            ensure(seen_as(answer) == mapped, f"{mapped} became {seen_as(answer)}")
        # One flow goes, and its port is the next one's.
        gone, mapped = socks.pop(13)
        s.lab.gl("flows", "delete", "--tenant", "few", "--sport", str(gone.getsockname()[1]), "--dport", "53")
        gone.close()
        answer, _ = ask_again(late, b"in its place", (SERVER_IP, 53))
        ensure(seen_as(answer) == mapped, f"{mapped} is free, {seen_as(answer)} was taken")
    before = s.lab.drops()
    ensure(udp_ask(s.a, SERVER_IP, 53) == MANY and udp_ask(s.p, SERVER_IP, 53) == FREE, "another tenant suffers")
    ensure(not s.lab.new_drops(before), "another tenant's drops")
    for u, _ in socks:
        u.close()
    s.lab.gl("flows", "delete", "--tenant", "few")


@watched
def independent(s):
    """endpoint-independent mapping: one port for all destinations, while only who was written to may answer"""
    with s.p.udp(timeout=0.5) as u, s.lab.out.udp(ROUTER_IP, 9000) as other, s.lab.out.udp(SERVER_IP, 9001) as same_host:
        seen = {seen_as(ask_again(u, b"x", to)[0]) for to in ((SERVER_IP, 53), (SERVER_IP, 3478), (ROUTER_IP, 53))}
        ensure(len(seen) == 1, f"seen as {seen}")
        mapped = seen.pop()
        before = s.lab.drops()
        other.sendto(b"unasked", mapped)
        same_host.sendto(b"unasked", mapped)
        s.lab.expect_drops(before, {"NO_FLOW": 2})
        u.settimeout(0.2)
        ensure(refused(u.recv, 100), "an unasked datagram came in")
        u.sendto(b"now asked", (ROUTER_IP, 9000))
        other.settimeout(3)
        ensure(other.recvfrom(100)[1] == mapped, "the third destination sees another port")
        other.sendto(b"welcome", mapped)
        u.settimeout(3)
        ensure(u.recv(100) == b"welcome", "who was written to may not answer")


def punch(one, other):
    """Two ends learn their public addresses from a third, then write to each other until both have heard."""
    with one.udp(timeout=0.2) as u, other.udp(timeout=0.2) as v:
        at = [seen_as(ask_again(x, b"who am I", (SERVER_IP, 3478))[0]) for x in (u, v)]
        heard = {u: False, v: False}
        for _ in range(20):
            u.sendto(b"punch", at[1])
            v.sendto(b"punch", at[0])
            for x, peer in ((u, at[1]), (v, at[0])):
                with contextlib.suppress(TimeoutError):
                    data, came = x.recvfrom(100)
                    ensure(came == peer, f"from {came}, not {peer}")
                    heard[x] |= data == b"punch"
            if all(heard.values()):
                return at
    raise gl.Failed(f"{one.name} {at[0]} and {other.name} {at[1]} do not find each other: {list(heard.values())}")


@watched
def hole_punching(s):
    """guests behind two hosts of ours, and one behind Linux' masquerade, find each other through a third party"""
    if not hasattr(s, "q"):
        s.beside = gl.Lab(beside=s.lab)
        s.q = s.beside.guest("q", "10.0.0.11/24", "10.0.0.1", "52:54:00:00:00:01")
        s.beside.apply(BESIDE)
    at = punch(s.p, s.q)
    ensure((at[0][0], at[1][0]) == (FREE, OTHER), f"{at}")
    at = punch(s.p, s.home)
    ensure((at[0][0], at[1][0]) == (FREE, MASQ), f"{at}")


def invalid(s):
    doc = json.loads(s.masq.sh("nft", "-j", "list", "counter", "inet", "t", "bad").stdout)
    return [x["counter"]["packets"] for x in doc["nftables"] if "counter" in x][0]


@watched
def behind_conntrack(s):
    """a client behind Linux' NAT uses our forwards, ours its server: what its connection tracking sees is never invalid"""
    ensure(tcp_ask(s.home, MANY, 8080) == MASQ and udp_ask(s.home, MANY, 5300, tries=5, timeout=5) == MASQ, "through the forwards")
    for n in range(20):
        ensure(tcp_ask(s.home, MANY, 8080, b"again%d" % n) == MASQ, "one connection after the other")
    transfer(s.home, s.a, MANY, port=5555, size=16 << 20)
    # The other way: the Linux router forwards to its home.
    s.masq.sh("nft", "add chain inet t pre { type nat hook prerouting priority -100; }")
    s.masq.sh("nft", "add rule inet t pre iifname eth0 meta nfproto " + family.of("ipv4", "ipv6") +
              f" tcp dport 7000 dnat {family.of('ip', 'ip6')} to {ip('192.168.1.2')}")
    s.masq.sh("nft", "add rule inet t through ct status dnat accept")
    transfer(s.b, s.home, MASQ, port=7000, size=16 << 20)
    ensure(invalid(s) == 0, f"{invalid(s)} packets are invalid to Linux")


@watched
def iperf(s):
    """iperf3 through NAT: four streams out, one back, datagrams"""
    s.lab.out.popen("iperf3", "-s", "-B", ip(SERVER_IP), stdout=-3, stderr=-3)
    wait_for(lambda: s.lab.out.listens(SERVER_IP, 5201), 5, "iperf3's server")
    for args in (("-P", "4"), ("-R",), ("-u", "-b", "20M", "-l", "1200")):
        for _ in range(20):
            r = s.a.sh("iperf3", "-c", ip(SERVER_IP), "-t", "1", "-J", *args, check=False)
            doc = json.loads(r.stdout)
            # Of the test before: its server takes a moment to know that it is over.
            if "busy" not in doc.get("error", ""):
                break
            time.sleep(0.2)
        ensure("error" not in doc and r.returncode == 0, f"{args}: {doc.get('error')}")
        end = doc["end"].get("sum_received") or doc["end"]["sum"]
        ensure(end["bytes"] > 100000, f"{args}: {end}")


@watched
def names(s):
    """DNS of a real server by UDP and TCP, from both mappings"""
    s.lab.out.popen("dnsmasq", "--keep-in-foreground", "--no-resolv", "--no-hosts", "--conf-file=/dev/null", "--port=5353",
                    f"--listen-address={ip(SERVER_IP)}", "--bind-interfaces", "--address=/example.test/192.0.2.99", "--user=root",
                    "--pid-file=", stdout=-3, stderr=-3)
    wait_for(lambda: s.lab.out.listens(SERVER_IP, 5353), 5, "dnsmasq")
    query = struct.pack("!HHHHHH", 4711, 0x100, 1, 0, 0, 0) + b"\7example\4test\0\0\1\0\1"
    for g in (s.a, s.p, s.r):
        with g.udp(timeout=1) as u:
            for _ in range(5):
                u.sendto(query, (SERVER_IP, 5353))
                with contextlib.suppress(TimeoutError):
                    answer = u.recv(1000)
                    break
        ensure(answer[:2] == query[:2] and answer.endswith(socket.inet_aton("192.0.2.99")), f"UDP: {answer!r}")
        with g.connect(SERVER_IP, 5353) as t:
            t.sendall(struct.pack("!H", len(query)) + query)
            answer = t.recv(1000)
        ensure(answer[2:4] == query[:2] and answer.endswith(socket.inet_aton("192.0.2.99")), f"TCP: {answer!r}")


@watched
def calls(s):
    """a call: 50 packets a second each way between fixed ports for three seconds, in order, none lost, never another port"""
    with s.a.udp("", 4000, timeout=1) as u, s.lab.out.udp(SERVER_IP, 5004, timeout=1) as v:
        u.sendto(b"invite", (SERVER_IP, 5004))
        _, peer = v.recvfrom(100)
        got = {u: [], v: []}
        stop = threading.Event()

        def listen(x, want):
            while not stop.is_set():
                with contextlib.suppress(TimeoutError):
                    data, came = x.recvfrom(400)
                    ensure(came == want, f"from {came}, not {want}")
                    got[x].append(struct.unpack("!I", data[:4])[0])

        threads = [threading.Thread(target=listen, args=args) for args in ((u, (SERVER_IP, 5004)), (v, peer))]
        for t in threads:
            t.start()
        began = time.monotonic()
        for n in range(150):
            frame = struct.pack("!I", n) + bytes(160)
            u.sendto(frame, (SERVER_IP, 5004))
            v.sendto(frame, peer)
            time.sleep(max(0.0, began + n * 0.02 - time.monotonic()))
        time.sleep(0.3)
        stop.set()
        for t in threads:
            t.join()
        for x, who in ((u, "guest"), (v, "server")):
            ensure(got[x] == list(range(150)), f"the {who} heard {len(got[x])} of 150")


FTP_SERVER = """
import sys, logging
logging.basicConfig(level=logging.CRITICAL)
from pyftpdlib.authorizers import DummyAuthorizer
from pyftpdlib.handlers import FTPHandler
from pyftpdlib.servers import FTPServer
FTPHandler.authorizer = DummyAuthorizer()
FTPHandler.authorizer.add_anonymous(sys.argv[1], perm="elradfmw")
FTPHandler.permit_foreign_addresses = True
FTPServer((sys.argv[2], 21), FTPHandler).serve_forever()
"""


@watched
def ftp(s):
    """FTP passive works without a helper; active mode and forged replies make nobody open a way in"""
    store = os.path.join(s.lab.tmp, f"ftp{family.now()}")
    os.mkdir(store)
    data = os.urandom(300000)
    s.lab.out.popen("/usr/bin/python3", "-c", FTP_SERVER, store, ip(SERVER_IP), stdout=-3, stderr=-3)
    wait_for(lambda: s.lab.out.listens(SERVER_IP, 21), 10, "the FTP server")
    for g in (s.a, s.r):
        with g:
            with ftplib.FTP(ip(SERVER_IP), timeout=10) as f:
                f.login()
                f.storbinary("STOR blob", __import__("io").BytesIO(data))
                got = []
                f.retrbinary("RETR blob", got.append)
                ensure(b"".join(got) == data, "the file differs")
    flows = len(s.lab.show("flows", "--tenant", "many"))
    with s.a, ftplib.FTP(ip(SERVER_IP), timeout=3) as f:
        f.login()
        f.set_pasv(False)
        # Active mode: the guest names an address that only a helper would translate.
        with contextlib.suppress(ftplib.Error, OSError):
            f.retrbinary("RETR blob", lambda _: None)
            raise gl.Failed("active mode works: somebody reads the payload")
    # What looks like such a command opens nothing either.
    with s.a.connect(SERVER_IP, 80) as t:
        t.sendall(b"PORT 10,0,0,12,31,145\r\n227 Entering Passive Mode (10,0,0,12,31,145)\r\n")
        t.recv(100)
        ensure(refused(tcp_ask, s.lab.out, MANY, 31 * 256 + 145, timeout=0.5), "a way in was opened")
    ensure(len(s.lab.show("flows", "--tenant", "many")) <= flows + 2, "flows that nobody opened")


@watched
def traced(s):
    """traceroute by UDP, ICMP and TCP shows gateway, router and target, translated and routed"""
    listener = s.far.tcp_listen(FAR, 80)
    for g, gw in ((s.a, "10.0.0.1"), (s.r, "192.168.50.1")):
        for args in ((), ("-I",), ("-T", "-p", "80")):
            r = g.sh("traceroute", "-n", "-q", "3", "-w", "2", "-m", "4", *args, ip(FAR))
            hops = [line.split()[1:] for line in r.stdout.splitlines()[1:]]
            for hop, want in zip(hops, (gw, ROUTER_IP, FAR)):
                ensure(ip(want) in hop, f"{g.name} {args}: {r.stdout}")
            ensure(len(hops) == 3, f"{g.name} {args}: {r.stdout}")
    listener.close()


@watched
def narrow(s):
    """behind a link of 1,400 bytes transfers with DF complete, and the guest learns the path's MTU, translated and routed"""
    for g in (s.a, s.r):
        transfer(g, s.far, FAR, size=4 << 20)
        route = g.route(FAR)
        ensure("mtu 1400" in route, f"{g.name} did not learn the path's MTU: {route}")
        most = 1400 - 8 - l3_len()
        ensure(not g.ping(FAR, 1, 1, "-s", str(most + 8), "-M", "do") and g.ping(FAR, 2, 2, "-s", str(most), "-M", "do"), "echo with DF")
        ensure(g.ping(FAR, 2, 2, "-s", "4000", "-M", "dont"), "echo in fragments")


@watched
def smaller_segments(s):
    """with `mss: 1200` both ends' SYNs announce at most that, and a transfer goes through; elsewhere they are kept"""
    for g, most in ((s.p, 1200), (s.a, 1500 - 20 - l3_len())):
        with s.lab.out.tcp_listen(SERVER_IP, 7777) as listener, g.connect(SERVER_IP, 7777) as c:
            accepted, _ = listener.accept()
            with accepted:
                sizes = [x.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG) for x in (c, accepted)]
        # The kernel's own figure is without the 12 bytes of timestamps.
        ensure(all(most - 12 <= size <= most for size in sizes), f"{g.name}: segments of {sizes}, not {most}")
    transfer(s.p, s.lab.out, SERVER_IP, size=4 << 20)


@watched
def large_datagrams(s):
    """datagrams of 8 and 60 KB go both ways in fragments, translated, forwarded and routed"""
    for g in (s.a, s.p, s.r):
        with g.udp(timeout=1) as u:
            u.setsockopt(socket.SOL_SOCKET, gl.SO_RCVBUFFORCE, 8 << 20)
            for n in (8000, 60000):
                data = os.urandom(n)
                answer, _ = ask_again(u, data, (SERVER_IP, 53))
                ensure(len(answer) - n < 30, f"{g.name}: {n} bytes")
    for addr, port in ((MANY, 5300), ("192.168.50.15", 53)):
        with s.lab.out.udp(ROUTER_IP, timeout=1) as u:
            for n in (8000, 60000):
                ask_again(u, os.urandom(n), (addr, port))


@watched
def same_echo(s):
    """echo identifiers of two guests that are the same do not meet; a reply that nobody asked for reaches nobody"""
    with contextlib.ExitStack() as stack:
        pings = []
        for g in (s.a, s.b, s.c):
            pings.append((g, stack.enter_context(g.raw_icmp())))
        for g, x in pings:
            x.sendto(echo("0.0.0.0", SERVER_IP, ident=77, data=g.name.encode())[l3_len():], (SERVER_IP, 0))
        for g, x in pings:
            answer = b"\xff"
            while answer[0] >= 130:  # neighbours are asked for by ICMP as well
                answer = x.recv(200)[family.of(20, 0):]
            ensure(answer[0] == family.of(0, 129) and answer[4:6] == b"\0\x4d" and answer[8:] == g.name.encode(), f"{g.name} hears {answer}")
        before = s.lab.drops()
        with s.lab.out.raw_icmp(ROUTER_IP) as tx:
            for ident in (77, 20000, 20001):
                tx.sendto(echo(ROUTER_IP, MANY, reply=True, ident=ident)[l3_len():], (MANY, 0))
        s.lab.expect_drops(before, {"NO_FLOW": 3})


gl.main()
