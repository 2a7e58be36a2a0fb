"""Kernel time stamps: packets are stamped from a moment after the first socket asks for it."""

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
"""Octets of ancillary data for one time stamp."""

_LOOPBACK: Final = "127.0.0.1"
_TRIALS: Final = 100
_REST: Final = 0.0002
_ARRIVES: Final = 5
"""Milliseconds in which a packet arrives over loopback, unless it is filtered."""


def enable(sock: socket.socket) -> None:
    """Ask for time stamps on what the socket receives."""
    sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)


def stamp(data: bytes) -> int:
    """Return a time stamp as nanoseconds since 1970."""
    seconds: int
    nanoseconds: int
    seconds, nanoseconds = _TIMESPEC.unpack(data)
    return seconds * NS_PER_SECOND + nanoseconds


def wait_for_stamps() -> None:
    """Wait until the kernel stamps packets on arrival, after a socket has asked for it.

    Until then they are stamped when read, so that a SYN can seem later than its answer. A
    datagram over loopback shows when it works; if loopback is filtered, wait as long as it
    usually takes.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        enable(sock)
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
