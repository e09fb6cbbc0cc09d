# SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
"""What do the scenario tests stand on?

A Lab is one host in a network namespace of its own, with guestlane on it, an uplink `wan` to an outside namespace, and
guests: kernel stacks behind a tap with virtio offloads (tapcable), behind a veth, or raw taps on which a test plays
the guest itself. Below it: traffic whose bytes are compared, and the loop that runs a suite's tests.
Neighbours: world.py (namespaces), frames.py (bytes), test_*.py, tests/tools/tapcable.c, tests/bench/run.
"""
import contextlib
import hashlib
import json
import os
import random
import socket
import subprocess
import sys
import tempfile
import threading
import time
import traceback

import family
import world
from family import ip, name  # noqa: F401
from frames import *  # noqa: F403  the suites take all from here
from world import Failed, Netns, Skip, ensure, enter_world, libc, mount, sh, wait_for  # noqa: F401

IP_PKTINFO, IPV6_RECVPKTINFO, IPV6_PKTINFO = 8, 49, 50
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SEED = int(os.environ.get("GL_SEED", "0")) or random.SystemRandom().randrange(1, 1 << 31)
BUILD = os.path.join(ROOT, "build")
# A directory with a bpf file system on `bpf` in it: labs, one at a time, share the programs that are loaded there.
# Under emulation the verifier alone takes a quarter of a minute.
INSTANCE = os.environ.get("GL_INSTANCE")

# ---- the lab --------------------------------------------------------------------------------------------------------

HOST_IP, ROUTER_IP, SERVER_IP = "198.51.100.2", "198.51.100.1", "192.0.2.80"


class Lab:
    """A host with guestlane, `wan` to an outside with a router (198.51.100.1) and a server behind it (192.0.2.80)."""

    made = 0

    def __init__(self, mtu=1500, uplink="veth", beside=None, families=None):
        """beside: another lab, whose outside is this one's as well; the host is then 203.0.113.2 behind 203.0.113.1.
        families: those of the definitions, if not all that are there."""
        Lab.made += 1
        self.families = families or family.FAMILIES
        port, host_ip, router_ip = ("out0", HOST_IP, ROUTER_IP) if not beside else ("out9", "203.0.113.2", "203.0.113.1")
        prefix = f"{Lab.made}-"
        self.tmp = INSTANCE or tempfile.mkdtemp(dir=world.SCRATCH)
        if not INSTANCE:
            os.mkdir(self.tmp + "/bpf")
            mount("bpf", self.tmp + "/bpf", "bpf")
        self.bpffs, self.state_dir = self.tmp + "/bpf/gl", self.tmp + "/state"
        self.prefix = prefix
        self.host, self.out = Netns(prefix + "host", six=False), beside.out if beside else Netns(prefix + "out")
        self.guests, self.taps, self.spaces = {}, {}, [self.host] if beside else [self.host, self.out]
        self.uplink = uplink
        self.wire = "wan"
        if uplink == "bridge":
            self.wire = "wan0"
            self.host.ip("link add wan type bridge", "link set wan address 02:00:00:00:00:02")
        self.host.ip(f"link add {self.wire} mtu {mtu} type veth peer name {port} mtu {mtu} netns {self.out.name}")
        if uplink == "bridge":
            self.host.ip("link set wan0 master wan up", f"link set wan mtu {mtu} up")
        # A real card needs nothing from its peer; a veth takes redirected frames only where its peer polls.
        self.out.sh(f"ethtool -K {port} gro on")
        # A card that takes tags out of frames would hide them from XDP, and guestlane then leaves XDP off.
        self.host.sh(f"ethtool -K {self.wire} rxvlan off")
        self.host.six = 6 in family.FAMILIES
        for key, value in (("disable_ipv6", 0), *Netns.IPV6.items()) if self.host.six else ():
            for dev in ("lo", "wan"):  # as a host does that has IPv6 where it needs it
                self.host.sysctl(f"ipv6/conf/{dev}/{key}", value)
        self.host.ip(f"addr add {host_ip}/24 dev wan", "link set wan up", f"route add default via {router_ip}")
        self.out.ip(f"addr add {router_ip}/24 dev {port}", f"link set {port} up")
        if not beside:
            self.out.ip(f"addr add {SERVER_IP}/32 dev lo")
        self.out.sysctl("ipv4/ip_forward", 1)
        self.out.sysctl("ipv6/conf/all/forwarding", 1)
        if INSTANCE:
            self.wipe()

    # -- guests

    def space(self, name):
        ns = Netns(self.prefix + name)
        self.spaces.append(ns)
        return ns

    def guest(self, name, addr, gw=None, mac="52:54:00:00:00:01", tap=None, kind="cable", mtu=None, more=()):
        """A guest with a real stack, behind a tap or a veth; addr with its prefix length."""
        tap = tap or "tap-" + name
        ns = self.guests.get(name) or self.space(name)
        self.guests[name] = ns
        dev = f"eth{len([1 for t in getattr(ns, 'taps', [])])}"
        ns.taps = getattr(ns, "taps", []) + [tap]
        if kind == "cable":
            self.cable(ns, tap, dev, mac, mtu, more)
        else:
            self.veth(ns, tap, dev, mac, mtu)
        ns.ip(f"addr add {addr} dev {dev}", f"link set {dev} up")
        if gw:
            ns.ip(f"route add default via {gw}")
        ns.addr = addr.split("/")[0]
        return ns

    def live(self, name, mac, tap=None, accept_ra=1, kind="cable"):
        """A guest that has nothing but what routers tell it: a kernel as it comes, with duplicate address detection."""
        ns = self.guests[name] = self.space(name)
        for conf in ("all", "default"):
            for key, value in (("disable_ipv6", 0), ("accept_ra", accept_ra), ("autoconf", 1), ("accept_dad", 1), ("dad_transmits", 1),
                               ("router_solicitations", 3), ("router_solicitation_interval", 1), ("use_tempaddr", 0)):
                ns.sysctl(f"ipv6/conf/{conf}/{key}", value)
        if kind == "cable":
            self.cable(ns, tap or "tap-" + name, "eth0", mac)
        else:
            self.veth(ns, tap or "tap-" + name, "eth0", mac)
            ns.ip("link set eth0 up")
        return ns

    def veth(self, ns, tap, dev, mac, mtu=None):
        size = f"mtu {mtu}" if mtu else ""
        self.host.ip(f"link add {tap} {size} type veth peer name {dev} {size} address {mac} netns {ns.name}", f"link set {tap} up")
        ns.sh(f"ethtool -K {dev} gro on")

    def cable(self, ns, tap, dev, mac, mtu=None, more=()):
        p = subprocess.Popen([BUILD + "/tools/tapcable", "--host-ns", self.host.path, "--host-tap", tap, "--guest-ns",
                              ns.path, "--guest-tap", dev, "--guest-mac", mac, "--host-mac", "fe" + mac[2:],
                              *(["--mtu", str(mtu)] if mtu else []), *more], stdout=subprocess.PIPE, text=True)
        ns.procs.append(p)
        ready = p.stdout.readline()
        ensure(ready.startswith("ready"), f"tapcable for {tap} did not start")
        ns.uso = "uso" in ready
        return p

    def raw(self, tap, **kw):
        self.taps[tap] = RawTap(self.host, tap, **kw)
        return self.taps[tap]

    # -- guestlane

    def gl(self, *args, check=True, text=None, timeout=60):
        return self.host.sh(BUILD + "/guestlane", "--bpffs", self.bpffs, "--state", self.state_dir, *args, check=check,
                            text=text, timeout=timeout)

    def apply(self, yaml, check=True):
        r = self.gl("apply", "-", text=family.definition(yaml, tuple(self.families)), check=check)
        self.definition = yaml
        return r

    def wipe(self):
        """Nothing of the last definition is left in force."""
        if INSTANCE or os.path.isdir(self.bpffs):
            self.gl("apply", "-", text="version: 1\n")  # the programs stay loaded

    def show(self, *what):
        """The rows of a `show`, with addresses by their names."""
        return family.named(rows(json.loads(self.gl("-j", "show", *(ip(w) for w in what)).stdout)))

    def status(self):
        return json.loads(self.gl("-j", "status").stdout)

    def attachments(self):
        """tap -> its row of `status`."""
        found = {}

        def walk(v):
            if isinstance(v, dict):
                if "xdp" in v and ("tap" in v or "interface" in v):
                    found[v.get("tap") or v.get("interface")] = v
                for x in v.values():
                    walk(x)
            elif isinstance(v, list):
                for x in v:
                    walk(x)

        walk(self.status())
        return found

    def drops(self, tap=None, **match):
        """reason -> packets."""
        total = {}
        for row in self.show("drops"):
            if tap and row.get("tap") != tap:
                continue
            name = row["reason"].upper()
            total[name] = total.get(name, 0) + row["packets"]
        return {k: v for k, v in total.items() if v}

    def new_drops(self, before, tap=None):
        return {k: v - before.get(k, 0) for k, v in self.drops(tap).items() if v != before.get(k, 0)}

    def expect_drops(self, before, want, tap=None, seconds=5.0):
        """That exactly the wanted drops were counted since `before`."""
        last = {}

        def same():
            last.clear()
            last.update(self.new_drops(before, tap))
            return last == want

        with contextlib.suppress(Failed):
            wait_for(same, seconds)
        ensure(last == want, lambda: f"drops: wanted {want}, counted {last}")

    def reset(self):
        """Detaches everything and takes guests and taps away, so that the next scenario starts afresh."""
        self.wipe()
        for t in self.taps.values():
            t.close()
        for ns in self.guests.values():
            self.spaces.remove(ns)
            ns.close()
        self.taps.clear()
        self.guests.clear()

    def close(self):
        self.reset()
        for ns in self.spaces:
            ns.close()
        if not INSTANCE:
            libc.umount2((self.tmp + "/bpf").encode(), 2)


class Hostile:
    """What a site has where `evil`, a raw tap, sends what is forbidden, and others listen for it."""

    def watch(self, others):
        self.others = others
        self.stack = StackWatch(self.lab.host)
        self.wire = Sniffer(self.lab.out, "out0")
        self.wan, self.router = self.lab.host.mac("wan"), self.lab.out.mac("out0")

    def quiet(self):
        for t in (*self.others, self.evil):
            t.drain(0.005)
        self.wire.drain(0.005)

    def drop(self, what, frame, reason, hdr=b"", tap=None, times=2, reply=False):
        """One forged frame, sent a few times; reply: the sender may be answered (ICMP)."""
        tap = tap or self.evil
        before = self.lab.drops()
        for _ in range(times):
            ensure(tap.send(frame, hdr), f"{what}: the kernel refused the frame, the case proves nothing")
        try:
            self.lab.expect_drops(before, {reason: times})
        except Failed as e:
            raise Failed(f"{what}: {e}") from None
        self.unheard(what, tap, reply)

    def hosts_own(self, f):
        """The host looks after its own neighbours meanwhile."""
        return f.src == self.wan and f.icmp in (135, 136) and f.ip_src in (HOST_IP, link_local(self.wan))

    def unheard(self, what, tap, reply=False):
        for t in (*self.others, self.evil):
            if t is tap and reply:
                continue
            heard = t.drain(0)
            ensure(not heard, lambda: f"{what}: heard at {t.name}: {heard[0]}")
        out = [f for f in self.wire.frames(0.005) if f.src != self.router and not self.hosts_own(f)]
        ensure(not out, lambda: f"{what}: on the uplink: {out[0]}")
        leaked = self.stack.leaked()
        ensure(not leaked, lambda: f"{what}: in the host's stack: {leaked[0]}")


def rows(doc):
    """The rows of a `show` document: a list, or the one list inside an object."""
    if isinstance(doc, list):
        return doc
    lists = [v for v in doc.values() if isinstance(v, list)]
    ensure(len(lists) == 1, f"one list expected in {list(doc)}")
    return lists[0]


# ---- traffic --------------------------------------------------------------------------------------------------------


class Echo:
    """Servers in a namespace: TCP and UDP answer what they get, with the peer's address as the server saw it in front.
    `peers` holds every peer seen."""

    def __init__(self, ns, addr="0.0.0.0", tcp=(), udp=()):
        self.peers, self.socks, self.stop = [], [], False
        for of in (4, 6) if ns.six else (4,):
            for port in tcp:
                self._start(self._tcp, ns.tcp_listen(addr, port, of))
            for port in udp:
                self._start(self._udp, ns.udp(addr, port, of=of))

    def _start(self, fn, sock):
        sock.settimeout(0.3)
        self.socks.append(sock)
        threading.Thread(target=fn, args=(sock,), daemon=True).start()

    def _tcp(self, s):
        while not self.stop:
            try:
                c, peer = s.accept()
            except TimeoutError:
                continue
            except OSError:
                return
            self.peers.append(peer)
            threading.Thread(target=self._serve, args=(c, peer), daemon=True).start()

    def _serve(self, c, peer):
        c.settimeout(20)
        with contextlib.suppress(OSError), c:
            while True:
                data = c.recv(65536)
                if not data:
                    return
                c.sendall(f"{peer[0]}:{peer[1]} ".encode() + data)

    def _udp(self, s):
        level, info = socket.IPPROTO_IP, IP_PKTINFO
        if s.family == socket.AF_INET6:
            level, info = socket.IPPROTO_IPV6, IPV6_PKTINFO
        s.setsockopt(level, IP_PKTINFO if info == IP_PKTINFO else IPV6_RECVPKTINFO, 1)
        while not self.stop:
            try:
                data, aux, _, peer = s.recvmsg(65536, 64)
                self.peers.append(peer)
                held = aux[0][2]  # answer from the address that was asked
                ours = bytes(4) + held[4:8] + bytes(4) if info == IP_PKTINFO else held[:16] + bytes(4)
                s.sendmsg([f"{peer[0]}:{peer[1]} ".encode(), data], [(level, info, ours)], 0, peer)
            except TimeoutError:
                continue
            except OSError:
                if self.stop:
                    return

    def close(self):
        self.stop = True
        for s in self.socks:
            s.close()


def tcp_ask(ns, addr, port, text=b"hello", source=None, timeout=8.0):
    """Sends text to an Echo server; the address by which the server knows us."""
    with ns.connect(addr, port, timeout, source) as s:
        try:
            s.sendall(text)
            answer = s.recv(65536)
        except OSError as e:
            raise Failed(f"{ns.name}: TCP to {addr}:{port}: {e}") from None
    ensure(answer.endswith(text), f"TCP {addr}:{port} answered {answer!r}")
    return seen_as(answer)[0]


def seen_as(answer):
    """The address and port by which an Echo server knows us."""
    addr, _, port = answer.split(b" ")[0].decode().rpartition(":")
    return addr, int(port)


def udp_ask(ns, addr, port, text=b"hello", timeout=4.0, tries=4):
    with ns.udp(timeout=timeout / tries) as s:
        for _ in range(tries):
            try:
                s.sendto(text, (addr, port))
                answer, peer = s.recvfrom(65536)
            except OSError:
                continue
            ensure(peer == (addr, port), f"answer from {peer}, asked {addr}:{port}")
            ensure(answer.endswith(text), f"UDP {addr}:{port} answered {answer!r}")
            return seen_as(answer)[0]
    raise Failed(f"{ns.name}: UDP to {addr}:{port} is not answered")


def ask_again(u, text, to, tries=8):
    """Sends text and waits for an answer that ends with it: (answer, peer). Put again, as one datagram may get lost where a
    machine is busy, and a receiver's socket full."""
    for _ in range(tries):
        u.sendto(text, to)
        with contextlib.suppress(TimeoutError):
            while True:
                answer, peer = u.recvfrom(65536)
                if answer.endswith(text):
                    return answer, peer
    raise Failed(f"{text[:20]!r} to {to} is not answered")


def refused(fn, *args, **kw):
    """Whether fn fails, as it should."""
    try:
        fn(*args, **kw)
    except (Failed, OSError):
        return True
    return False


# Under emulation a byte costs a hundred times as much.
LARGEST = int(os.environ.get("GL_LARGEST", "0")) or 1 << 40


def transfer(sender, receiver, addr, port=5555, size=32 << 20, bind="0.0.0.0"):
    """A bulk TCP transfer whose hash must agree; seconds taken."""
    size = min(size, LARGEST)
    listener = receiver.tcp_listen(bind, port)
    got = {}

    def serve():
        try:
            c, _ = listener.accept()
            c.settimeout(30)
            h, n, buf = hashlib.sha256(), 0, bytearray(1 << 20)
            with c:
                while True:
                    k = c.recv_into(buf)
                    if not k:
                        break
                    h.update(memoryview(buf)[:k])
                    n += k
                got.update(hash=h.hexdigest(), size=n)
                c.sendall(b"done")
        except OSError as e:
            got["error"] = str(e)

    t = threading.Thread(target=serve, daemon=True)
    t.start()
    block = random.Random(size).randbytes(1 << 20)
    h, left = hashlib.sha256(), size
    started = time.monotonic()
    try:
        with sender.connect(addr, port, 5) as s:
            s.settimeout(30)
            while left:
                part = memoryview(block)[:min(left, len(block))]
                s.sendall(part)
                h.update(part)
                left -= len(part)
            s.shutdown(socket.SHUT_WR)
            ensure(s.recv(4) == b"done", "receiver did not finish")
    except OSError as e:
        raise Failed(f"transfer {sender.name} -> {addr}: {e}; {size - left} of {size} sent; receiver {got}") from None
    finally:
        t.join(5)
        listener.close()
    ensure(got.get("size") == size and got.get("hash") == h.hexdigest(), lambda: f"transfer differs: {got}")
    return time.monotonic() - started


# ---- running --------------------------------------------------------------------------------------------------------

TESTS = []
BOTH = (4, 6)


def test(fn, families=BOTH):
    """A test runs once for each family, but where it is about one of them; what it means is the same."""
    fn.families = getattr(fn, "families", families)
    TESTS.append(fn)
    return fn


def only(number):
    """A decorator for tests that are about one family; innermost."""
    def decorate(fn):
        fn.families = (number,)
        return fn

    return decorate


def once(fn):
    """A decorator for tests that mix the families; innermost."""
    return only(family.TESTED[0])(fn)


def like(run, fn):
    """run stands for fn, of which it makes more."""
    run.__name__, run.__doc__ = fn.__name__, fn.__doc__
    run.families = getattr(fn, "families", BOTH)
    return run


def shared(site):
    """A decorator for tests of one Site, made once: fn(site)."""
    made = []

    def decorate(fn):
        def run():
            if not made:
                made.append(None)
                made[0] = site()
            ensure(made[0], "the shared site could not be made, see above")
            fn(made[0])

        return test(like(run, fn))

    return decorate


IDLE = {}


@contextlib.contextmanager
def lab(**kw):
    """A Lab for one test; the next that wants such a one gets it with nothing in it but the programs that are loaded."""
    idle = IDLE.setdefault(tuple(sorted(kw.items())), [])
    made = idle.pop() if idle else Lab(**kw)
    try:
        yield made
    finally:
        made.reset()
    idle.append(made)


def main():
    """Runs the tests of a suite: [BUILD] [NAME...]. The last line adds them up."""
    global BUILD
    args = sys.argv[1:]
    if args and os.path.isdir(args[0]):
        BUILD = os.path.abspath(args.pop(0))
    random.seed(SEED)
    enter_world()
    passed = failed = skipped = 0
    chosen = [(t, f) for t in TESTS if not args or any(a in t.__name__ for a in args)
              for f in family.TESTED if f in t.families]
    for t, number in chosen:
        proves = " ".join((t.__doc__ or t.__name__).split()) + (", by IPv6" if number == 6 else "")
        started = time.monotonic()
        try:
            with family.turn(number):
                t()
            passed += 1
            print(f"ok    {proves} ({time.monotonic() - started:.1f} s)", flush=True)
        except Skip as e:
            skipped += 1
            print(f"skip  {proves}: {e}", flush=True)
        except Exception as e:  # a test that breaks has failed, whatever broke
            failed += 1
            print(f"FAIL  {t.__name__}: {proves}\n      {e if isinstance(e, Failed) else traceback.format_exc()}", flush=True)
    if failed:
        print(f"seed {SEED}: repeat with GL_SEED={SEED}")
    print(f"{passed} passed, {failed} failed, {skipped} skipped", flush=True)
    os._exit(1 if failed or not passed else 0)
