"""Time stamps: the kernel begins to stamp packets a moment after the first socket asks for it."""

from __future__ import annotations

import select
import socket
import struct
import time
from contextlib import suppress
from typing import Final

from handshake.units import NS_PER_SECOND

SO_TIMESTAMPNS: Final = 35
_TIMESPEC: Final = struct.Struct("@ll")
ROOM: Final = socket.CMSG_SPACE(_TIMESPEC.size)
"""Octets of ancillary data that a stamp takes."""

_LOOPBACK: Final = "127.0.0.1"
_TRIALS: Final = 100
_REST: Final = 0.0002
_ARRIVES: Final = 5
"""Milliseconds in which a packet has come over loopback, if it may come at all."""


def ask(sock: socket.socket) -> None:
    """Let what the socket hears be stamped."""
    sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)


def stamp(data: bytes) -> int:
    """Return the nanoseconds since 1970 that stand in a stamp."""
    seconds: int
    nanoseconds: int
    seconds, nanoseconds = _TIMESPEC.unpack(data)
    return seconds * NS_PER_SECOND + nanoseconds


def wait_for_stamps() -> None:
    """Wait until packets are stamped as they pass, which a socket has asked for.

    Until then they get their stamp when they are read, so that a SYN can seem to be younger
    than its answer. A datagram over loopback shows it; where that is closed to us, all that
    can be done is to wait for as long as it usually takes.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        ask(sock)
        arrivals = select.poll()
        arrivals.register(sock, select.POLLIN)
        with suppress(OSError):
            sock.bind((_LOOPBACK, 0))
            for _ in range(_TRIALS):
                sock.sendto(b"", sock.getsockname())
                if not arrivals.poll(_ARRIVES):
                    return
                read = time.time_ns()
                _, ancillary, *_ = sock.recvmsg(0, ROOM)
                if any(stamp(data) < read for _, name, data in ancillary if name == SO_TIMESTAMPNS):
                    return
                time.sleep(_REST)
            return
    time.sleep(_ARRIVES / 1000)
