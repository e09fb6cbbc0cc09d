#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
"""Runs one command in a guest: agent.py SOCKET SECONDS COMMAND. Prints its output, exits with its status; 124 when the
guest does not answer in time, 125 when it is gone. The other end is the loop in `init`; the caller holds the lock (lib.sh, guest_run)."""

import base64
import os
import socket
import sys
import time


def main():
    path, seconds, command = sys.argv[1], float(sys.argv[2]), sys.argv[3]
    end = time.monotonic() + seconds
    ident = f"{os.getpid()}-{time.monotonic_ns()}"
    request = f"{ident} {base64.b64encode(command.encode()).decode()}\n".encode()
    guest = socket.socket(socket.AF_UNIX)
    while True:
        try:
            guest.connect(path)
            break
        except (FileNotFoundError, ConnectionRefusedError, BlockingIOError):
            if time.monotonic() > end:
                return 124
            time.sleep(0.05)
    guest.sendall(request)
    received = b""
    while True:
        guest.settimeout(max(0.01, end - time.monotonic()))
        try:
            chunk = guest.recv(65536)
        except TimeoutError:
            return 124
        if not chunk:
            return 125
        received += chunk
        # Late answers of commands that ran into their limit, and echoes of the console at boot, carry other words.
        while b"\n" in received:
            line, received = received.split(b"\n", 1)
            words = line.split(b" ")
            if words[0] == b"=" + ident.encode() and len(words) >= 2:
                sys.stdout.buffer.write(base64.b64decode(words[2] if len(words) > 2 else b""))
                return int(words[1])


try:
    sys.exit(main())
except ConnectionError:
    sys.exit(125)
