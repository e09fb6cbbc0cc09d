# SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
"""Where do the scenario tests live?

In private mount and PID namespaces: the mounts, the pins, the network namespaces and every process are gone when a
suite ends, in whatever way it ends. Neighbours: frames.py, gl.py.
"""
import contextlib
import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

import family

CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWNET = 0x00020000, 0x20000000, 0x40000000
MS_REC, MS_PRIVATE = 0x4000, 1 << 18

libc = ctypes.CDLL(None, use_errno=True)
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


def mount(source, target, fstype, flags=0):
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
    mount("proc", "/proc", "proc")
    os.makedirs("/run/netns", exist_ok=True)
    mount("tmpfs", "/run/netns", "tmpfs")
    mount("tmpfs", SCRATCH, "tmpfs")


class Netns:
    """One network namespace, named glt-NAME.

    six: whether its interfaces speak IPv6. They do so at once, without duplicate address detection, and take nothing
    from routers: what a test does not want to see is not there."""

    IPV6 = {"accept_ra": 0, "accept_dad": 0, "dad_transmits": 0, "router_solicitations": 0, "keep_addr_on_down": 1}

    def __init__(self, name, six=None):
        self.name = "glt-" + name
        self.path = "/run/netns/" + self.name
        self.six = 6 in family.FAMILIES if six is None else six
        sh("ip", "netns", "add", self.name)
        self.fd = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        self.procs = []
        with self:
            for conf in ("all", "default"):
                self.sysctl(f"ipv6/conf/{conf}/disable_ipv6", 0 if self.six else 1)
                self.sysctl(f"ipv4/conf/{conf}/rp_filter", 0)
                for key, value in self.IPV6.items() if self.six else ():
                    self.sysctl(f"ipv6/conf/{conf}/{key}", value)
            self.sysctl("ipv4/icmp_ratelimit", 0)
            self.sysctl("ipv6/icmp/ratelimit", 0)
        sh("ip", "-n", self.name, "link", "set", "lo", "up")

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
        """Runs lines of ip(8), all in one process: under emulation each process takes a good part of a second.

        A line with addresses is run for their twins as well."""
        if self.six:
            args = [line for arg in args for line in dict.fromkeys((arg, family.translate(arg)))]
            args = [line + " nodad" if line.startswith("addr add") and ":" in line else line for line in args]
        r = sh("ip", "-n", self.name, "-batch", "-", text="\n".join(args) + "\n", check=False)
        if r.returncode:
            raise Failed(f"{self.name}: ip: {'; '.join(args)}: {r.stderr.strip()}")

    def popen(self, *cmd, **kw):
        p = subprocess.Popen(self.cmd(*cmd), **kw)
        self.procs.append(p)
        return p

    def socket(self, *args):
        with self:
            return socket.socket(*args)

    def tcp_listen(self, addr, port, of=None):
        """of: the family, if not the one whose turn it is."""
        with self:
            s = family.sock(socket.SOCK_STREAM, of)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind((addr, port))
        s.listen(64)
        s.settimeout(5)
        return s

    def udp(self, addr="0.0.0.0", port=0, timeout=2.0, of=None):
        with self:
            s = family.sock(socket.SOCK_DGRAM, of)
        s.bind((addr, port))
        s.settimeout(timeout)
        return s

    def connect(self, addr, port, timeout=8.0, source=None):
        with self:
            s = family.sock(socket.SOCK_STREAM)
        s.settimeout(timeout)
        if source:
            s.bind(source)
        try:
            s.connect((addr, port))
        except OSError as e:
            s.close()
            raise Failed(f"{self.name}: TCP to {family.ip(addr)}:{port}: {e}") from None
        return s

    def raw_icmp(self, source=None):
        """A raw socket that sends and receives ICMP of the family whose turn it is; received: with an IPv4 header."""
        with self:
            s = family.Sock(*family.of((socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP),
                                       (socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)))
        if source:
            s.bind((source, 0))
        s.settimeout(2)
        return s

    def listens(self, addr, port):
        """Whether somebody serves TCP there."""
        text = family.ip(addr)
        return (f"[{text}]:{port} " if ":" in text else f"{text}:{port} ") in self.sh("ss -Hltn").stdout

    def ping(self, addr, count=1, wait=2, *more):
        """Whether echo requests to addr are answered."""
        r = self.sh("ping", "-n", "-q", "-i", "0.05", "-c", str(count), "-W", str(wait), *more, family.ip(addr), check=False)
        return r.returncode == 0

    def neigh(self, addr):
        """What the kernel knows of a neighbour."""
        return self.sh("ip", "neigh", "show", family.ip(addr)).stdout

    def route(self, addr):
        return self.sh("ip", "route", "get", family.ip(addr)).stdout

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
