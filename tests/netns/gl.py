# SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
"""What do the scenario tests stand on?

A Lab is one host in a network namespace of its own, with guestlane on it, an uplink `wan` to an outside namespace, and
guests: kernel stacks behind a tap with virtio offloads (tapcable), behind a veth, or raw taps on which a test plays
the guest itself, virtio headers included.

Everything lives in a private mount and PID namespace: the mounts, the pins, the network namespaces and every process
are gone when the suite ends, in whatever way it ends. Neighbours: test_*.py, tests/tools/tapcable.c, tests/bench/run.
"""
import contextlib
import ctypes
import errno
import fcntl
import hashlib
import json
import os
import random
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import traceback

CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWNET = 0x00020000, 0x20000000, 0x40000000
MS_REC, MS_PRIVATE = 0x4000, 1 << 18
TUNSETIFF, TUNSETOFFLOAD, TUNSETVNETHDRSZ = 0x400454CA, 0x400454D0, 0x400454D8
IFF_TAP, IFF_NO_PI, IFF_VNET_HDR, IFF_MULTI_QUEUE = 0x0002, 0x1000, 0x4000, 0x0100
TUN_F_CSUM, TUN_F_TSO4, TUN_F_USO4, TUN_F_USO6 = 1, 2, 0x20, 0x40
SO_RCVBUFFORCE, SOL_PACKET, PACKET_AUXDATA, IP_PKTINFO = 33, 263, 8, 8
HDR_LEN = 12
NEEDS_CSUM, GSO_NONE, GSO_TCPV4, GSO_UDP, GSO_TCPV6, GSO_UDP_L4 = 1, 0, 1, 3, 4, 5
ETH_P_ALL = 3

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SEED = int(os.environ.get("GL_SEED", "0")) or random.SystemRandom().randrange(1, 1 << 31)
libc = ctypes.CDLL(None, use_errno=True)
BUILD = os.path.join(ROOT, "build")
SCRATCH = None


class Skip(Exception):
    pass


class Failed(AssertionError):
    pass


def ensure(cond, message):
    if not cond:
        raise Failed(message() if callable(message) else message)


def wait_for(cond, seconds=3.0, what="condition", step=0.02):
    """The first true value of cond() within some seconds."""
    end = time.monotonic() + seconds
    while True:
        value = cond()
        if value:
            return value
        if time.monotonic() > end:
            raise Failed(f"not within {seconds} s: {what() if callable(what) else what}")
        time.sleep(step)


def sh(*cmd, check=True, text=None, timeout=60):
    """Runs one command; its result with stdout and stderr."""
    cmd = cmd[0].split() if len(cmd) == 1 and isinstance(cmd[0], str) else list(cmd)
    r = subprocess.run(cmd, input=text, capture_output=True, text=True, timeout=timeout)
    if check and r.returncode:
        raise Failed(f"{' '.join(cmd)}: exit {r.returncode}: {(r.stderr or r.stdout).strip()}")
    return r


# ---- the private world of one suite -------------------------------------------------------------------------------


def _mount(source, target, fstype, flags=0):
    if libc.mount(source.encode(), target.encode(), fstype.encode(), flags, None):
        raise OSError(ctypes.get_errno(), f"mount {fstype} on {target}")


def enter_world():
    """Forks the suite into private mount and PID namespaces; returns in the child alone."""
    if os.geteuid() != 0:
        print("needs root", file=sys.stderr)
        sys.exit(1)
    global SCRATCH
    SCRATCH = tempfile.mkdtemp(prefix="glt-")
    if libc.unshare(CLONE_NEWPID):
        raise OSError(ctypes.get_errno(), "unshare")
    sys.stdout.flush()
    child = os.fork()
    if child:
        for sig in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(sig, lambda *_: os.kill(child, signal.SIGKILL))
        _, status = os.waitpid(child, 0)
        os.rmdir(SCRATCH)  # the tmpfs on it went with the child
        sys.exit(os.waitstatus_to_exitcode(status) if os.WIFEXITED(status) else 1)
    libc.prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
    if libc.unshare(CLONE_NEWNS) or libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None):
        raise OSError(ctypes.get_errno(), "private mounts")
    _mount("proc", "/proc", "proc")
    os.makedirs("/run/netns", exist_ok=True)
    _mount("tmpfs", "/run/netns", "tmpfs")
    _mount("tmpfs", SCRATCH, "tmpfs")


class Netns:
    """One network namespace, named glt-NAME."""

    def __init__(self, name):
        self.name = "glt-" + name
        self.path = "/run/netns/" + self.name
        sh("ip", "netns", "add", self.name)
        self.fd = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        self.procs = []
        with self:
            for key, value in (("ipv6/conf/all/disable_ipv6", 1), ("ipv6/conf/default/disable_ipv6", 1),
                               ("ipv4/conf/all/rp_filter", 0), ("ipv4/conf/default/rp_filter", 0),
                               ("ipv4/icmp_ratelimit", 0)):
                self.sysctl(key, value)
        self.ip("link set lo up")

    def __enter__(self):
        """Calls of this thread happen in the namespace until the block ends."""
        if not hasattr(Netns, "home"):
            Netns.home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
            Netns.depth = threading.local()
        stack = getattr(Netns.depth, "stack", None)
        if stack is None:
            stack = Netns.depth.stack = [Netns.home]
        if libc.setns(self.fd, CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "setns")
        stack.append(self.fd)
        return self

    def __exit__(self, *_):
        Netns.depth.stack.pop()
        if libc.setns(Netns.depth.stack[-1], CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "setns")

    def sysctl(self, key, value):
        with self, contextlib.suppress(FileNotFoundError), open("/proc/sys/net/" + key, "w") as f:
            f.write(str(value))

    def cmd(self, *cmd):
        cmd = cmd[0].split() if len(cmd) == 1 else list(cmd)
        return ["nsenter", "--net=" + self.path, *cmd]

    def sh(self, *cmd, **kw):
        return sh(*self.cmd(*cmd), **kw)

    def ip(self, *args):
        for line in args:
            self.sh("ip " + line)

    def popen(self, *cmd, **kw):
        p = subprocess.Popen(self.cmd(*cmd), **kw)
        self.procs.append(p)
        return p

    def socket(self, *args):
        with self:
            return socket.socket(*args)

    def tcp_listen(self, addr, port, mtu_probe=None):
        s = self.socket(socket.AF_INET, socket.SOCK_STREAM)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind((addr, port))
        s.listen(64)
        s.settimeout(5)
        return s

    def udp(self, addr="0.0.0.0", port=0, timeout=2.0):
        s = self.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.bind((addr, port))
        s.settimeout(timeout)
        return s

    def connect(self, addr, port, timeout=3.0, source=None):
        s = self.socket(socket.AF_INET, socket.SOCK_STREAM)
        s.settimeout(timeout)
        if source:
            s.bind(source)
        try:
            s.connect((addr, port))
        except OSError as e:
            s.close()
            raise Failed(f"{self.name}: TCP to {addr}:{port}: {e}") from None
        return s

    def ping(self, addr, count=1, wait=2, *more):
        """Whether echo requests to addr are answered."""
        r = self.sh("ping", "-n", "-q", "-i", "0.05", "-c", str(count), "-W", str(wait), *more, addr, check=False)
        return r.returncode == 0

    def mac(self, dev):
        return json.loads(self.sh("ip", "-j", "link", "show", dev).stdout)[0]["address"]

    def ifindex(self, dev):
        with self:
            return socket.if_nametoindex(dev)

    def stat(self, dev, name):
        with self:
            for line in open("/proc/thread-self/net/dev"):
                head, _, rest = line.partition(":")
                if head.strip() == dev:
                    v = [int(x) for x in rest.split()]
                    return dict(rx_packets=v[1], rx_dropped=v[3], tx_packets=v[9], tx_dropped=v[11])[name]
        raise Failed(f"no device {dev}")

    def stop(self):
        for p in self.procs:
            if p.poll() is None:
                p.kill()
                p.wait()
        self.procs.clear()

    def close(self):
        self.stop()
        os.close(self.fd)
        sh("ip", "netns", "del", self.name, check=False)


# ---- frames ---------------------------------------------------------------------------------------------------------


def mac(text):
    return bytes.fromhex(text.replace(":", ""))


def ip4(text):
    return socket.inet_aton(text)


def csum(data, start=0):
    if len(data) & 1:
        data += b"\0"
    s = start + sum(struct.unpack(f"!{len(data) // 2}H", data))
    s = (s & 0xFFFF) + (s >> 16)
    s = (s & 0xFFFF) + (s >> 16)
    return s


def pseudo(src, dst, proto, length):
    return csum(ip4(src) + ip4(dst) + struct.pack("!HH", proto, length))


def eth(dst, src, kind, payload=b""):
    return mac(dst) + mac(src) + struct.pack("!H", kind) + payload


def ipv4(src, dst, proto, payload=b"", ttl=64, ihl=None, total=None, ident=1, frag=0, options=b"", tos=0, fix=True):
    hl = (20 + len(options)) // 4
    ihl = hl if ihl is None else ihl
    total = 20 + len(options) + len(payload) if total is None else total
    h = struct.pack("!BBHHHBBH", 0x40 | ihl, tos, total, ident, frag, ttl, proto, 0) + ip4(src) + ip4(dst) + options
    c = ~csum(h) & 0xFFFF if fix else 0xDEAD
    return h[:10] + struct.pack("!H", c) + h[12:] + payload


def udp4(src, dst, sport, dport, data=b"", partial=False, **kw):
    length = 8 + len(data)
    h = struct.pack("!HHHH", sport, dport, length, 0)
    c = pseudo(src, dst, 17, length)
    c = c if partial else (~csum(h + data, c) & 0xFFFF) or 0xFFFF
    return ipv4(src, dst, 17, h[:6] + struct.pack("!H", c) + data, **kw)


def tcp4(src, dst, sport, dport, flags=2, seq=1, ack=0, data=b"", partial=False, options=b"", **kw):
    off = (20 + len(options)) // 4
    h = struct.pack("!HHIIBBHHH", sport, dport, seq, ack, off << 4, flags, 65535, 0, 0) + options
    c = pseudo(src, dst, 6, len(h) + len(data))
    c = c if partial else ~csum(h + data, c) & 0xFFFF
    return ipv4(src, dst, 6, h[:16] + struct.pack("!H", c) + h[18:] + data, **kw)


def icmp4(src, dst, kind=8, code=0, ident=1, seq=1, data=b"guestlane", **kw):
    h = struct.pack("!BBHHH", kind, code, 0, ident, seq) + data
    return ipv4(src, dst, 1, h[:2] + struct.pack("!H", ~csum(h) & 0xFFFF) + h[4:], **kw)


def arp(op, smac, sip, tmac, tip, hw=1, proto=0x800, hlen=6, plen=4):
    return struct.pack("!HHBBH", hw, proto, hlen, plen, op) + mac(smac) + ip4(sip) + mac(tmac) + ip4(tip)


def vnet(flags=0, gso=0, hdr_len=0, size=0, start=0, offset=0, buffers=0):
    return struct.pack("=BBHHHHH", flags, gso, hdr_len, size, start, offset, buffers)


BROADCAST, ZERO = "ff:ff:ff:ff:ff:ff", "00:00:00:00:00:00"


class Frame:
    """A received frame, taken apart as far as it goes."""

    def __init__(self, hdr, data):
        self.hdr, self.data = hdr, data
        self.dst, self.src = (":".join(f"{b:02x}" for b in data[i:i + 6]) for i in (0, 6))
        self.kind, off = struct.unpack("!H", data[12:14])[0], 14
        self.tags = []
        while self.kind in (0x8100, 0x88A8) and len(data) >= off + 4:
            tci, self.kind = struct.unpack("!HH", data[off:off + 4])
            self.tags.append(tci & 0xFFF)
            off += 4
        self.l3 = data[off:]
        self.ip_src = self.ip_dst = self.proto = self.sport = self.dport = None
        self.l4 = b""
        if self.kind == 0x0800 and len(self.l3) >= 20:
            self.proto, self.ttl = self.l3[9], self.l3[8]
            self.ip_src, self.ip_dst = socket.inet_ntoa(self.l3[12:16]), socket.inet_ntoa(self.l3[16:20])
            self.total = struct.unpack("!H", self.l3[2:4])[0]
            self.l4 = self.l3[4 * (self.l3[0] & 15):self.total]
            if self.proto in (6, 17) and len(self.l4) >= 4:
                self.sport, self.dport = struct.unpack("!HH", self.l4[:4])
        elif self.kind == 0x0806 and len(self.l3) >= 28:
            self.op = struct.unpack("!H", self.l3[6:8])[0]
            self.arp_smac = ":".join(f"{b:02x}" for b in self.l3[8:14])
            self.ip_src, self.ip_dst = socket.inet_ntoa(self.l3[14:18]), socket.inet_ntoa(self.l3[24:28])

    def checksums_right(self):
        """Whether the IP header's sum holds and the transport's is right, or partial and said to be."""
        hl = 4 * (self.l3[0] & 15)
        if csum(self.l3[:hl]) != 0xFFFF:
            return False
        where = {6: 16, 17: 6, 1: 2}.get(self.proto)
        if where is None or struct.unpack("!H", self.l3[6:8])[0] & 0x3FFF:
            return True
        start = pseudo(self.ip_src, self.ip_dst, self.proto, len(self.l4)) if self.proto != 1 else 0
        held = struct.unpack("!H", self.l4[where:where + 2])[0]
        if self.proto == 17 and held == 0:
            return True
        flags, _, _, _, cstart, coff = struct.unpack("=BBHHHH", self.hdr[:10])
        if flags & NEEDS_CSUM:
            l3 = len(self.data) - len(self.l3)
            return (cstart, coff) == (l3 + hl, where) and held == start
        return csum(self.l4, start) == 0xFFFF

    def __str__(self):
        return (f"{self.src} > {self.dst} type {self.kind:#06x} tags {self.tags} {self.ip_src}:{self.sport} > "
                f"{self.ip_dst}:{self.dport} proto {self.proto} len {len(self.data)} "
                f"virtio {self.hdr[:10].hex()} {self.data[:96].hex()}")


class RawTap:
    """A tap on which the test is the guest: writes and reads frames with any virtio header."""

    def __init__(self, ns, name, offload=True, mtu=None, up=True, ours="fe:00:00:00:00:01"):
        self.name, self.ns = name, ns
        with ns:
            self.fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
            fcntl.ioctl(self.fd, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TAP | IFF_NO_PI | IFF_VNET_HDR))
            fcntl.ioctl(self.fd, TUNSETVNETHDRSZ, struct.pack("i", HDR_LEN))
            if offload:
                try:
                    fcntl.ioctl(self.fd, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4 | 4 | TUN_F_USO4 | TUN_F_USO6)
                except OSError:
                    fcntl.ioctl(self.fd, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4 | 4)
        ns.ip(f"link set {name} address {ours}", *([f"link set {name} mtu {mtu}"] if mtu else []))
        if up:
            ns.ip(f"link set {name} up")

    def send(self, frame, hdr=b""):
        """False when the kernel itself refuses the frame."""
        try:
            os.write(self.fd, hdr.ljust(HDR_LEN, b"\0") + frame)
            return True
        except OSError:
            return False

    def recv(self, timeout=0.0):
        if not select.select([self.fd], [], [], timeout)[0]:
            return None
        try:
            data = os.read(self.fd, 70000)
        except BlockingIOError:
            return None
        except OSError as e:  # EINVAL: the kernel finds no words for the frame's offload state in a virtio header
            raise Failed(f"{self.name}: a frame in an impossible state reached it: {e}") from None
        return Frame(data[:HDR_LEN], data[HDR_LEN:])

    def drain(self, settle=0.05):
        """Everything that has arrived, until nothing more does for a moment."""
        frames = []
        while True:
            f = self.recv(settle)
            if f is None:
                return frames
            frames.append(f)

    def expect(self, want, timeout=1.0, what="frame"):
        """The first frame for which want(frame) holds; the others are thrown away."""
        end, seen = time.monotonic() + timeout, []
        while time.monotonic() < end:
            f = self.recv(max(0.0, end - time.monotonic()))
            if f and want(f):
                return f
            if f:
                seen.append(str(f))
        raise Failed(f"{self.name}: no {what}" + (f"; saw {seen[:3]}" if seen else ""))

    def close(self):
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


class Sniffer:
    """Frames of one ethertype (all: also outgoing ones) on a device, or on every device of a namespace.

    A single ethertype is seen only behind XDP and TC: what such a socket receives has entered the host's stack."""

    def __init__(self, ns, dev=None, kind=ETH_P_ALL):
        self.s = ns.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(kind))
        self.s.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 32 << 20)
        self.s.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)  # a received tag is no longer in the bytes
        if dev:
            with ns:
                self.s.bind((dev, kind))
        self.s.setblocking(False)
        self.drain(0)

    def drain(self, settle=0.05):
        """All that came in or went out, as (device, incoming, frame)."""
        out = []
        while True:
            if settle and not select.select([self.s], [], [], settle)[0]:
                return out
            try:
                data, aux, _, addr = self.s.recvmsg(70000, 128)
            except BlockingIOError:
                return out
            except OSError as e:  # the device was down for a moment
                if e.errno == errno.ENETDOWN:
                    continue
                raise
            for level, kind, value in aux:
                if (level, kind) == (SOL_PACKET, PACKET_AUXDATA):
                    status, _, _, _, _, tci, tpid = struct.unpack("=IIIHHHH", value[:20])
                    if status & 0x10:  # TP_STATUS_VLAN_VALID
                        data = data[:12] + struct.pack("!HH", tpid if status & 0x40 else 0x8100, tci) + data[12:]
            if len(data) >= 14:
                out.append((addr[0], addr[2] != 4, Frame(bytes(HDR_LEN), data)))

    def frames(self, settle=0.05):
        return [f for _, _, f in self.drain(settle)]

    def close(self):
        self.s.close()


class StackWatch:
    """What of the guests' frames gets past the programs and into the host's own stack."""

    KINDS = (0x0800, 0x0806, 0x86DD, 0x8100, 0x88A8, 0x8847, 0x88CC, 0x888E, 0x8809, 0x8808, 0x0004, 0x8863, 0x1234)

    def __init__(self, ns, ignore=("wan", "lo")):
        self.sniffers = [Sniffer(ns, kind=k) for k in self.KINDS]
        self.ignore = ignore

    def leaked(self):
        return [(d, str(f)) for s in self.sniffers for d, came, f in s.drain(0) if came and d not in self.ignore]

    def close(self):
        for s in self.sniffers:
            s.close()


# ---- the lab --------------------------------------------------------------------------------------------------------

HOST_IP, ROUTER_IP, SERVER_IP = "198.51.100.2", "198.51.100.1", "192.0.2.80"


class Lab:
    """A host with guestlane, `wan` to an outside with a router (198.51.100.1) and a server behind it (192.0.2.80)."""

    made = 0

    def __init__(self, mtu=1500, uplink="veth"):
        Lab.made += 1
        prefix = f"{Lab.made}-"
        self.tmp = tempfile.mkdtemp(dir=SCRATCH)
        _mount("bpf", self.tmp, "bpf")
        self.bpffs = self.tmp + "/gl"
        self.state_dir = tempfile.mkdtemp(dir=SCRATCH) + "/gl"
        self.prefix = prefix
        self.host, self.out = Netns(prefix + "host"), Netns(prefix + "out")
        self.guests, self.taps, self.spaces = {}, {}, [self.host, self.out]
        self.uplink = uplink
        self.wire = "wan"
        if uplink == "bridge":
            self.wire = "wan0"
            self.host.ip("link add wan type bridge", "link set wan address 02:00:00:00:00:02")
        self.host.ip(f"link add {self.wire} mtu {mtu} type veth peer name out0 mtu {mtu} netns {self.out.name}")
        if uplink == "bridge":
            self.host.ip(f"link set wan0 master wan up", f"link set wan mtu {mtu} up")
        # A real card needs nothing from its peer; a veth takes redirected frames only where its peer polls.
        self.out.sh("ethtool -K out0 gro on")
        # A card that takes tags out of frames would hide them from XDP, and guestlane then leaves XDP off.
        self.host.sh(f"ethtool -K {self.wire} rxvlan off")
        self.host.ip(f"addr add {HOST_IP}/24 dev wan", "link set wan up", f"route add default via {ROUTER_IP}")
        self.out.ip(f"addr add {ROUTER_IP}/24 dev out0", "link set out0 up", f"addr add {SERVER_IP}/32 dev lo")
        self.out.sysctl("ipv4/ip_forward", 1)

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
            size = f"mtu {mtu}" if mtu else ""
            self.host.ip(f"link add {tap} {size} type veth peer name {dev} {size} address {mac} netns {ns.name}",
                         f"link set {tap} up")
            ns.sh(f"ethtool -K {dev} gro on")
        ns.ip(f"addr add {addr} dev {dev}", f"link set {dev} up")
        if gw:
            ns.ip(f"route add default via {gw}")
        ns.addr = addr.split("/")[0]
        return ns

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
        r = self.gl("apply", "-", text=yaml, check=check)
        self.definition = yaml
        return r

    def show(self, *what):
        return rows(json.loads(self.gl("-j", "show", *what).stdout))

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

    def expect_drops(self, before, want, tap=None, seconds=2.0):
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
        if os.path.isdir(self.bpffs):
            self.gl("delete", "--all", check=False)
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
        libc.umount2(self.tmp.encode(), 2)


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
        for port in tcp:
            self._start(self._tcp, ns.tcp_listen(addr, port))
        for port in udp:
            self._start(self._udp, ns.udp(addr, port))

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
        s.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)
        while not self.stop:
            try:
                data, aux, _, peer = s.recvmsg(65536, 64)
                self.peers.append(peer)
                ours = aux[0][2][4:8]  # answer from the address that was asked
                s.sendmsg([f"{peer[0]}:{peer[1]} ".encode(), data], [(0, IP_PKTINFO, bytes(4) + ours + bytes(4))], 0, peer)
            except TimeoutError:
                continue
            except OSError:
                if self.stop:
                    return

    def close(self):
        self.stop = True
        for s in self.socks:
            s.close()


def tcp_ask(ns, addr, port, text=b"hello", source=None, timeout=3.0):
    """Sends text to an Echo server; the address by which the server knows us."""
    with ns.connect(addr, port, timeout, source) as s:
        try:
            s.sendall(text)
            answer = s.recv(65536)
        except OSError as e:
            raise Failed(f"{ns.name}: TCP to {addr}:{port}: {e}") from None
    ensure(answer.endswith(text), f"TCP {addr}:{port} answered {answer!r}")
    return answer.split(b" ")[0].decode().split(":")[0]


def udp_ask(ns, addr, port, text=b"hello", timeout=2.0, tries=2):
    with ns.udp(timeout=timeout / tries) as s:
        for _ in range(tries):
            try:
                s.sendto(text, (addr, port))
                answer, peer = s.recvfrom(65536)
            except OSError:
                continue
            ensure(peer == (addr, port), f"answer from {peer}, asked {addr}:{port}")
            ensure(answer.endswith(text), f"UDP {addr}:{port} answered {answer!r}")
            return answer.split(b" ")[0].decode().split(":")[0]
    raise Failed(f"{ns.name}: UDP to {addr}:{port} is not answered")


def refused(fn, *args, **kw):
    """Whether fn fails, as it should."""
    try:
        fn(*args, **kw)
    except (Failed, OSError):
        return True
    return False


def transfer(sender, receiver, addr, port=5555, size=32 << 20, bind="0.0.0.0"):
    """A bulk TCP transfer whose hash must agree; seconds taken."""
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


def test(fn):
    TESTS.append(fn)
    return fn


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

        run.__name__, run.__doc__ = fn.__name__, fn.__doc__
        return test(run)

    return decorate


@contextlib.contextmanager
def lab(**kw):
    """A Lab for one test, or for several."""
    made = Lab(**kw)
    try:
        yield made
    finally:
        made.close()


def main():
    """Runs the tests of a suite: [BUILD] [NAME...]. The last line adds them up."""
    global BUILD
    args = sys.argv[1:]
    if args and os.path.isdir(args[0]):
        BUILD = os.path.abspath(args.pop(0))
    random.seed(SEED)
    enter_world()
    passed = failed = skipped = 0
    chosen = [t for t in TESTS if not args or any(a in t.__name__ for a in args)]
    for t in chosen:
        proves = " ".join((t.__doc__ or t.__name__).split())
        started = time.monotonic()
        try:
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
