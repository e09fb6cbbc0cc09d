# SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
"""Which family of addresses does a test speak?

The tests write every address as one of IPv4. It is a name as well: in IPv6's turn it stands for its twin, 10.0.0.11/24 for
fd00:db8:a00::b/64 and 192.0.2.80 for 2001:db8:c000:2::50. What goes out to the kernel, into a definition or a frame is
translated here, and so is what comes back, so that one text serves both. Neighbours: world.py, frames.py, gl.py.
"""
import contextlib
import ipaddress
import os
import re
import socket
import struct

# The families that labs have, and those whose turn it is to be tested; one test runs with one at a time.
FAMILIES = tuple(int(f) for f in os.environ.get("GL_FAMILIES", "4,6").split(","))
TESTED = FAMILIES
_turn = [4]

IPV4 = re.compile(r"(?<![\d.])(\d+\.\d+\.\d+\.\d+)(?:/(\d+))?(?![\d.])")
BARE = r"\s*[\d.]+(?:/\d+)?(?:-[\d.]+)?\s*"
LIST = re.compile(rf"\[({BARE}(?:,{BARE})*)\]")
MAP = re.compile(r"(?m)(^ *- )?(\{[^{}]*\b(?:address|remote_ip): [\d.]+[^{}]*\}|\{[^{}]*\bproto: icmp\b[^{}]*\})")
SPECIAL = {"0.0.0.0": "::", "127.0.0.1": "::1", "255.255.255.255": "ff02::1", "224.0.0.1": "ff02::1", "224.0.0.251": "ff02::fb",
           "240.0.0.1": "::ffff:f000:1", "239.1.2.3": "ff15::1:2:3"}
NAMES = {v: k for k, v in reversed(SPECIAL.items())}
PRIVATE, PUBLIC = b"\xfd\0\x0d\xb8", b"\x20\x01\x0d\xb8"


def now():
    return _turn[0]


@contextlib.contextmanager
def turn(family):
    was, _turn[0] = _turn[0], family
    try:
        yield
    finally:
        _turn[0] = was


def of(four, six):
    """What differs by family and follows from nothing else."""
    return six if now() == 6 else four


def _twin(text):
    if text in SPECIAL:
        return SPECIAL[text]
    a, b, c, d = (int(x) for x in text.split("."))
    head = PRIVATE if a == 10 or (a, b) == (192, 168) else PUBLIC
    return str(ipaddress.IPv6Address(head + struct.pack("!BBH7xB", a, b, c, d)))


def ip(text, family=None):
    """The address, or prefix, that a name stands for."""
    if (family or now()) == 4:
        return text
    found = IPV4.fullmatch(text)
    if not found:
        return text
    addr, bits = found.groups()
    if bits is None:
        return _twin(addr)
    n = int(bits)
    return f"{_twin(addr)}/{128 if n == 32 else n + 32 if n <= 16 else n + 40 if n <= 24 else n + 96}"


def name(addr):
    """The name of an address."""
    if ":" not in addr:
        return addr
    addr = addr.partition("%")[0]
    if addr in NAMES:
        return NAMES[addr]
    raw = socket.inet_pton(socket.AF_INET6, addr)
    a, b, c, d = struct.unpack("!4xBBH7xB", raw)
    text = f"{a}.{b}.{c & 255}.{d}"
    return text if _twin(text) == str(ipaddress.IPv6Address(raw)) else addr


def named(value):
    """A document with the names of the addresses in it."""
    if isinstance(value, dict):
        return {k: named(v) for k, v in value.items()}
    if isinstance(value, list):
        return [named(v) for v in value]
    with contextlib.suppress(OSError, TypeError, AttributeError):
        return name(value)
    return value


def packed(text):
    """An address as it stands in a header."""
    text = ip(text)
    return socket.inet_pton(socket.AF_INET6 if ":" in text else socket.AF_INET, text)


def translate(text, family=6):
    """A text whose addresses are those of a family."""
    return IPV4.sub(lambda m: ip(m.group(0), family), text)


def _icmp(text):
    return re.sub(r"icmp_type: 8\b", "icmp_type: 128", re.sub(r"proto: icmp\b", "proto: icmpv6", text))


def definition(text, families):
    """A definition for some families: lists of addresses gain their twins, and so do rules and forwards that name one.

    What stands on a line that ends in `# IPv4` stays as it is."""
    if families == (4,):
        return text
    lines = text.split("\n")
    kept = {n: line for n, line in enumerate(lines) if line.endswith("# IPv4")}
    if kept:
        rest = definition("\n".join(f"# {n}" if n in kept else line for n, line in enumerate(lines)), families)
        return re.sub(r"(?m)^# (\d+)$", lambda m: kept[int(m.group(1))], rest)
    if families == (6,):
        return _icmp(translate(text))

    def both(m):
        mark = m.group(1)
        return m.group(0) + ("\n" + " " * (len(mark) - 2) + "- " if mark else ", ") + _icmp(translate(m.group(2)))

    text = MAP.sub(both, text)
    return LIST.sub(lambda m: f"[{m.group(1)}, {translate(m.group(1))}]" if "." in m.group(1) else m.group(0), text)


class Sock(socket.socket):
    """A socket whose addresses are names."""

    def _out(self, addr):
        return (ip(addr[0], 6) or "::", *addr[1:]) if self.family == socket.AF_INET6 else addr

    def _in(self, addr):
        return (name(addr[0]), addr[1]) if self.family == socket.AF_INET6 and addr else addr

    def accept(self):
        conn, addr = super().accept()
        return Sock(self.family, self.type, self.proto, conn.detach()), self._in(addr)

    def bind(self, addr):
        return super().bind(self._out(addr))

    def connect(self, addr):
        return super().connect(self._out(addr))

    def sendto(self, data, *rest):
        return super().sendto(data, *rest[:-1], self._out(rest[-1]))

    def sendmsg(self, data, anc=(), flags=0, addr=None):
        return super().sendmsg(data, anc, flags, *([self._out(addr)] if addr else []))

    def recvfrom(self, *args):
        data, addr = super().recvfrom(*args)
        return data, self._in(addr)

    def recvmsg(self, *args):
        data, anc, flags, addr = super().recvmsg(*args)
        return data, anc, flags, self._in(addr)

    def getsockname(self):
        return self._in(super().getsockname())

    def getpeername(self):
        return self._in(super().getpeername())


def sock(kind, family=None):
    six = (family or now()) == 6
    s = Sock(socket.AF_INET6 if six else socket.AF_INET, kind)
    if six:
        s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    return s
