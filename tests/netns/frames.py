# SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
"""What does a guest's or a wire's frame look like, byte by byte?

Builders for frames right and wrong, their dissection with checksums and virtio headers, raw taps on which a test is the
guest, and sniffers. Neighbours: world.py, gl.py.
"""
import errno
import fcntl
import os
import select
import socket
import struct
import time

import family
from family import packed
from world import Failed

TUNSETIFF, TUNSETOFFLOAD, TUNSETVNETHDRSZ = 0x400454CA, 0x400454D0, 0x400454D8
IFF_TAP, IFF_NO_PI, IFF_VNET_HDR, IFF_MULTI_QUEUE = 0x0002, 0x1000, 0x4000, 0x0100
TUN_F_CSUM, TUN_F_TSO4, TUN_F_USO4, TUN_F_USO6 = 1, 2, 0x20, 0x40
SO_RCVBUFFORCE, SOL_PACKET, PACKET_AUXDATA = 33, 263, 8
HDR_LEN = 12
NEEDS_CSUM, GSO_NONE, GSO_TCPV4, GSO_UDP, GSO_TCPV6, GSO_UDP_L4 = 1, 0, 1, 3, 4, 5
ETH_P_ALL = 3


def mac(text):
    return bytes.fromhex(text.replace(":", ""))


def csum(data, start=0):
    if len(data) & 1:
        data += b"\0"
    s = start + sum(struct.unpack(f"!{len(data) // 2}H", data))
    s = (s & 0xFFFF) + (s >> 16)
    s = (s & 0xFFFF) + (s >> 16)
    return s


def pseudo(src, dst, proto, length):
    """The sum of the pseudo header; of the same value in both families' forms."""
    return csum(packed(src) + packed(dst) + struct.pack("!HH", proto, length))


def eth(dst, src, kind, payload=b""):
    return mac(dst) + mac(src) + struct.pack("!H", kind) + payload


def frame(dst, src, packet):
    """A packet of either family in its frame."""
    return eth(dst, src, 0x86DD if packet[0] >> 4 == 6 else 0x800, packet)


def ipv4(src, dst, proto, payload=b"", ttl=64, ihl=None, total=None, ident=1, frag=0, options=b"", tos=0, fix=True):
    hl = (20 + len(options)) // 4
    ihl = hl if ihl is None else ihl
    total = 20 + len(options) + len(payload) if total is None else total
    h = struct.pack("!BBHHHBBH", 0x40 | ihl, tos, total, ident, frag, ttl, proto, 0) + ip4(src) + ip4(dst) + options
    c = ~csum(h) & 0xFFFF if fix else 0xDEAD
    return h[:10] + struct.pack("!H", c) + h[12:] + payload


def ipv6(src, dst, proto, payload=b"", ttl=64, total=None, tos=0, frag=None):
    """total: the header's length and what it says of the rest; frag: as in IPv4 (0x4000, don't fragment, is what IPv6 does)."""
    total = 40 + len(payload) if total is None else total
    return struct.pack("!IHBB", 6 << 28 | tos << 20, total - 40, proto, ttl) + ip6(src) + ip6(dst) + payload


def ip4(text):
    return socket.inet_aton(text)


def ip6(text):
    return socket.inet_pton(socket.AF_INET6, family.ip(text, 6))


def packet(src, dst, proto, payload=b"", **kw):
    """A packet of the family whose turn it is."""
    return family.of(ipv4, ipv6)(src, dst, proto, payload, **kw)


def l3_len():
    return family.of(20, 40)


def udp(src, dst, sport, dport, data=b"", partial=False, zero=False, **kw):
    length = 8 + len(data)
    h = struct.pack("!HHHH", sport, dport, length, 0)
    c = pseudo(src, dst, 17, length)
    c = 0 if zero else c if partial else (~csum(h + data, c) & 0xFFFF) or 0xFFFF
    return packet(src, dst, 17, h[:6] + struct.pack("!H", c) + data, **kw)


def tcp(src, dst, sport, dport, flags=2, seq=1, ack=0, data=b"", partial=False, options=b"", **kw):
    off = (20 + len(options)) // 4
    h = struct.pack("!HHIIBBHHH", sport, dport, seq, ack, off << 4, flags, 65535, 0, 0) + options
    c = pseudo(src, dst, 6, len(h) + len(data))
    c = c if partial else ~csum(h + data, c) & 0xFFFF
    return packet(src, dst, 6, h[:16] + struct.pack("!H", c) + h[18:] + data, **kw)


def icmp(src, dst, kind, code=0, body=bytes(4), **kw):
    """An ICMP message of the family whose turn it is, by its number there."""
    h = struct.pack("!BBH", kind, code, 0) + body
    c = family.of(lambda: 0, lambda: pseudo(src, dst, 58, len(h)))()
    return packet(src, dst, icmp_proto(), h[:2] + struct.pack("!H", ~csum(h, c) & 0xFFFF) + h[4:], **kw)


def icmp_proto():
    return family.of(1, 58)


def echo(src, dst, reply=False, ident=1, seq=1, data=b"guestlane", **kw):
    kind = family.of(0, 129) if reply else family.of(8, 128)
    return icmp(src, dst, kind, 0, struct.pack("!HH", ident, seq) + data, **kw)


def icmp4(src, dst, kind=8, code=0, ident=1, seq=1, data=b"guestlane", **kw):
    h = struct.pack("!BBHHH", kind, code, 0, ident, seq) + data
    return ipv4(src, dst, 1, h[:2] + struct.pack("!H", ~csum(h) & 0xFFFF) + h[4:], **kw)


def icmp6(src, dst, kind, code=0, body=bytes(4), **kw):
    with family.turn(6):
        return icmp(src, dst, kind, code, body, **kw)


def in_family(number, build):
    """The builder for one family, whoever's turn it is."""
    def built(*args, **kw):
        with family.turn(number):
            return build(*args, **kw)

    return built


udp4, tcp4 = in_family(4, udp), in_family(4, tcp)
udp6, tcp6 = in_family(6, udp), in_family(6, tcp)
ICMP_KINDS = {4: {8: "echo", 0: "reply", 3: "unreachable", 11: "exceeded"},
              6: {128: "echo", 129: "reply", 1: "unreachable", 2: "too_big", 3: "exceeded"}}


def solicited_node(addr):
    """Group and MAC that a solicitation for an address goes to."""
    low = ip6(addr)[13:]
    return "ff02::1:ff%02x:%02x%02x" % tuple(low), "33:33:ff:%02x:%02x:%02x" % tuple(low)


def link_local(text):
    """The link-local address that follows from a MAC."""
    raw = mac(text)
    return socket.inet_ntop(socket.AF_INET6, b"\xfe\x80" + bytes(6) + bytes((raw[0] ^ 2,)) + raw[1:3] + b"\xff\xfe" + raw[3:])


def nd_option(kind, data):
    return struct.pack("!BB", kind, (len(data) + 2) // 8) + data


def neighbour_solicitation(src, target, smac=None, dst=None, options=None, **kw):
    options = nd_option(1, mac(smac)) if options is None and smac else options or b""
    return icmp6(src, dst or solicited_node(target)[0], 135, 0, bytes(4) + ip6(target) + options, **{"ttl": 255, **kw})


def neighbour_advertisement(src, target, tmac=None, dst="ff02::1", flags=0x20, options=None, **kw):
    """flags: 0x80 router, 0x40 solicited, 0x20 override."""
    options = nd_option(2, mac(tmac)) if options is None and tmac else options or b""
    return icmp6(src, dst, 136, 0, bytes((flags, 0, 0, 0)) + ip6(target) + options, **{"ttl": 255, **kw})


def who_has(smac, src, target):
    """The question for a neighbour's MAC: ARP, or a solicitation."""
    if family.now() == 4:
        return eth(BROADCAST, smac, 0x806, arp(1, smac, src, ZERO, target))
    return eth(solicited_node(target)[1], smac, 0x86DD, neighbour_solicitation(src, target, smac))


def arp(op, smac, sip, tmac, tip, hw=1, proto=0x800, hlen=6, plen=4):
    return struct.pack("!HHBBH", hw, proto, hlen, plen, op) + mac(smac) + ip4(sip) + mac(tmac) + ip4(tip)


def is_at(smac, src, tmac, dst):
    """The answer to that."""
    if family.now() == 4:
        return eth(tmac, smac, 0x806, arp(2, smac, src, tmac, dst))
    return eth(tmac, smac, 0x86DD, neighbour_advertisement(src, src, smac, dst, flags=0x60))


def tag(whole, vid, kind=0x8100):
    return whole[:12] + struct.pack("!HH", kind, vid) + whole[12:]


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
        self.ip_src = self.ip_dst = self.proto = self.sport = self.dport = self.icmp = None
        self.family = self.tells = self.asks = None
        self.l4, self.l3_len, self.fragment = b"", 0, False
        if self.kind == 0x0800 and len(self.l3) >= 20:
            self.family, self.proto, self.ttl = 4, self.l3[9], self.l3[8]
            self.ip_src, self.ip_dst = socket.inet_ntoa(self.l3[12:16]), socket.inet_ntoa(self.l3[16:20])
            self.total = struct.unpack("!H", self.l3[2:4])[0]
            self.l3_len = 4 * (self.l3[0] & 15)
            self.fragment = bool(struct.unpack("!H", self.l3[6:8])[0] & 0x3FFF)
        elif self.kind == 0x86DD and len(self.l3) >= 40:
            self.family, self.proto, self.ttl = 6, self.l3[6], self.l3[7]
            self.ip_src, self.ip_dst = (family.name(socket.inet_ntop(socket.AF_INET6, self.l3[i:i + 16])) for i in (8, 24))
            self.total = 40 + struct.unpack("!H", self.l3[4:6])[0]
            self.l3_len = 40
            while self.proto in (0, 43, 44, 60) and len(self.l3) >= self.l3_len + 8:  # extension headers
                head = self.l3[self.l3_len:]
                if self.proto == 44:
                    self.fragment |= bool(struct.unpack("!H", head[2:4])[0] & 0xFFF9)
                self.l3_len += 8 if self.proto == 44 else 8 + 8 * head[1]
                self.proto = head[0]
        elif self.kind == 0x0806 and len(self.l3) >= 28:
            self.op = struct.unpack("!H", self.l3[6:8])[0]
            self.arp_smac = ":".join(f"{b:02x}" for b in self.l3[8:14])
            self.ip_src, self.ip_dst = socket.inet_ntoa(self.l3[14:18]), socket.inet_ntoa(self.l3[24:28])
            if self.op == 2:
                self.tells = self.ip_src, self.arp_smac
            elif self.op == 1:
                self.asks = self.ip_dst
        if self.family:
            self._transport()

    def _transport(self):
        self.l4 = self.l3[self.l3_len:self.total]
        if self.proto in (6, 17) and len(self.l4) >= 4:
            self.sport, self.dport = struct.unpack("!HH", self.l4[:4])
        if self.proto == {4: 1, 6: 58}[self.family] and len(self.l4) >= 8:
            self.icmp = ICMP_KINDS[self.family].get(self.l4[0], self.l4[0])
            if (self.icmp, self.l4[1]) == ("unreachable", 4) and self.family == 4:
                self.icmp = "too_big"
            if self.icmp in (135, 136) and len(self.l4) >= 24:
                target = family.name(socket.inet_ntop(socket.AF_INET6, self.l4[8:24]))
                if self.icmp == 135:
                    self.asks = target
                elif len(self.l4) >= 32 and self.l4[24] == 2:
                    self.tells = target, ":".join(f"{b:02x}" for b in self.l4[26:32])

    @property
    def mtu(self):
        """What a message that a packet was too big says."""
        return struct.unpack("!I", self.l4[4:8])[0] & (0xFFFF if self.family == 4 else 0xFFFFFFFF)

    def checksums_right(self):
        """Whether the IP header's sum holds and the transport's is right, or partial and said to be."""
        if self.family == 4 and csum(self.l3[:self.l3_len]) != 0xFFFF:
            return False
        where = {6: 16, 17: 6, 1: 2, 58: 2}.get(self.proto)
        if where is None or self.fragment:
            return True
        start = 0
        if self.proto != 1:
            ends = self.l3[12:20] if self.family == 4 else self.l3[8:40]
            start = csum(ends + struct.pack("!HH", self.proto, len(self.l4)))
        held = struct.unpack("!H", self.l4[where:where + 2])[0]
        if self.proto == 17 and held == 0:
            return self.family == 4
        flags, _, _, _, cstart, coff = struct.unpack("=BBHHHH", self.hdr[:10])
        if flags & NEEDS_CSUM:
            l3 = len(self.data) - len(self.l3)
            return (cstart, coff) == (l3 + self.l3_len, where) and held == start
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

    def expect(self, want, timeout=3.0, what="frame"):
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
