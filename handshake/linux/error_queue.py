"""The error queue of a socket: each ICMP error about its segments, with type, code and sender."""

from __future__ import annotations

import errno
import socket
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from handshake.tcp import Endpoint, Seq
from handshake.tcp.address import ip_address
from handshake.tcp.icmp import IcmpError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from handshake.packet.checksum import Address

# <linux/in.h>, <linux/in6.h>: the socket module does not name them before Python 3.14.
IP_RECVERR: Final = 11
IPV6_RECVERR: Final = 25

_LEVELS: Final = {
    (socket.IPPROTO_IP, IP_RECVERR): 4,
    (socket.IPPROTO_IPV6, IPV6_RECVERR): 6,
}

_ERROR: Final = struct.Struct("=IBBBxI4x")
"""struct sock_extended_err: errno, origin, type, code, info."""

_ORIGINS: Final = {2: 4, 3: 6}
"""The version of IP, by the number of SO_EE_ORIGIN_ICMP and SO_EE_ORIGIN_ICMP6."""

# The sender's address follows in a sockaddr: family, port, (flow label,) address.
_OFFENDERS: Final = {4: (_ERROR.size + 4, 4), 6: (_ERROR.size + 8, 16)}

_PORTS_AND_SEQ: Final = struct.Struct("!HHI")

_DATA: Final = 512
_ANCILLARY: Final = 512
_MOST: Final = 64
"""Errors read per call: a flood of them must not block us."""


@dataclass(frozen=True, slots=True)
class QueuedError:
    """An entry of the error queue."""

    number: int
    """The errno that the kernel makes of it."""

    icmp: IcmpError | None
    """The ICMP error received; None for an error of the local kernel (SO_EE_ORIGIN_LOCAL)."""

    mtu: int | None
    """The largest packet that would have passed, if one was too big."""


def report_errors(sock: socket.socket) -> None:
    """Make the kernel queue the errors of this socket. Needs no privilege."""
    if sock.family == socket.AF_INET:
        sock.setsockopt(socket.IPPROTO_IP, IP_RECVERR, 1)
    else:
        sock.setsockopt(socket.IPPROTO_IPV6, IPV6_RECVERR, 1)


def queued(
    sock: socket.socket, local: Address, remote: Address, at: int = 0
) -> Iterator[QueuedError]:
    """Yield the queued errors and remove them from the queue; `at` is the current time.

    Read SO_ERROR first: removing an entry may clear it.
    """
    for _ in range(_MOST):
        try:
            quoted, ancillary, _, _ = sock.recvmsg(_DATA, _ANCILLARY, socket.MSG_ERRQUEUE)
        except OSError:  # EAGAIN: it is empty
            return
        for level, kind, octets in ancillary:
            version = _LEVELS.get((level, kind))
            if version is not None:
                yield parse(octets, quoted, local, remote, at)


def parse(
    octets: bytes, quoted: bytes, local: Address, remote: Address, at: int = 0
) -> QueuedError:
    """Return the error in a control message; `quoted` is the part of our TCP segment it quotes."""
    number, origin, kind, code, info = _ERROR.unpack_from(octets)
    version = _ORIGINS.get(origin)
    found = None
    if version is not None and len(quoted) >= _PORTS_AND_SEQ.size:
        begin, length = _OFFENDERS[version]
        source, destination, seq = _PORTS_AND_SEQ.unpack_from(quoted)
        found = IcmpError(
            version=version,
            type=kind,
            code=code,
            sender=ip_address(octets[begin : begin + length]),
            source=Endpoint(local, source),
            destination=Endpoint(remote, destination),
            seq=Seq(seq),
            at=at,
        )
    return QueuedError(number, found, info if number == errno.EMSGSIZE else None)
