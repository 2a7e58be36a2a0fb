"""The guard: a socket that holds our port, so that the kernel does not reset what we open by hand.

The kernel has no socket for a SYN that we built ourselves, and answers the SYN+ACK with a RST
before we can answer it with an ACK. A listening socket on our port that drops all it is sent
prevents that. It is a socket, or a firewall's table that belongs to one: however we end, it
goes with us.
"""

from __future__ import annotations

import errno
import os
import secrets
import socket
import struct
import time
from typing import TYPE_CHECKING, Final, Self

from handshake.errors import LocalError
from handshake.linux import bpf
from handshake.linux.nftables import drop_segments_to
from handshake.linux.sockaddr import family, sockaddr
from handshake.packet.checksum import checksummed
from handshake.tcp import Endpoint, Flags, Segment, Seq
from handshake.tcp.segment import HEADER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import TracebackType

    from handshake.packet.checksum import Address

_TCP_MD5SIG_EXT: Final = 32
_TCP_MD5SIG_FLAG_PREFIX: Final = 1
_MD5SIG: Final = struct.Struct("=H126xBBHi80s")
_IP_MINTTL: Final = 21
_IPV6_MINHOPCOUNT: Final = 73

_SO_MEMINFO: Final = 55
_MEMINFO: Final = struct.Struct("=9I")
_DROPS: Final = 8  # SK_MEMINFO_DROPS

_TIMEOUT: Final = 0.05
"""Seconds for the self-check; a RST over loopback takes less than one thousandth of one."""


def _filter(sock: socket.socket, _: Address) -> None:
    """Drop every packet before TCP sees it."""
    bpf.attach(sock, bpf.NOTHING)


def _md5(sock: socket.socket, address: Address) -> None:
    """Drop every segment not signed with a key that nobody knows (RFC 2385)."""
    key = secrets.token_bytes(16)
    # Prefix length 0: from whatever address it comes.
    found = _MD5SIG.pack(family(address), _TCP_MD5SIG_FLAG_PREFIX, 0, len(key), 0, key)
    sock.setsockopt(socket.IPPROTO_TCP, _TCP_MD5SIG_EXT, found)


def _minttl(sock: socket.socket, address: Address) -> None:
    """Drop every packet that has passed a router, or did not begin at 255 (RFC 5082)."""
    if address.version == 6:
        sock.setsockopt(socket.IPPROTO_IPV6, _IPV6_MINHOPCOUNT, 255)
    else:
        sock.setsockopt(socket.IPPROTO_IP, _IP_MINTTL, 255)


def _owner(sock: socket.socket, address: Address) -> socket.socket:
    """Let the firewall drop every segment; return the socket that its table belongs to."""
    return drop_segments_to(address.packed, sock.getsockname()[1], family(address))


METHODS: Final[dict[str, Callable[[socket.socket, Address], socket.socket | None]]] = {
    "filter": _filter,
    "md5": _md5,
    "minttl": _minttl,
    "owner": _owner,
}
"""Each way to make a socket deaf, the best first. Kernels take some of them only from root."""


class RstGuard:
    """A port of ours on which the kernel stays silent, until `close` or the end of the process."""

    def __init__(self, name: str, sock: socket.socket, *others: socket.socket) -> None:
        self._socks = (sock, *others)
        self.name = name
        """Which of the `METHODS` it is."""

        self.port: int = sock.getsockname()[1]

    @property
    def dropped(self) -> int | None:
        """How many segments it has kept from the kernel; None where nobody counts them.

        Each that gets as far as TCP is counted, before our own end has read it or soon after.
        """
        if self.name == "owner":  # there the firewall drops them
            return None
        try:
            found = self._socks[0].getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, _MEMINFO.size)
            return int(_MEMINFO.unpack(found)[_DROPS])
        except (OSError, struct.error):  # it is closed, or the kernel is older than Linux 4.12
            return None

    def close(self) -> None:
        """Give the port back: from here on the kernel resets what arrives for it."""
        for sock in self._socks:
            sock.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.close()


def guard(
    address: Address, port: int = 0, names: Iterable[str] = tuple(METHODS), *, check: bool = True
) -> RstGuard:
    """Return a guard on this address of ours, on a free port if none is given.

    Takes the first of `names` that the kernel allows and that holds when it is tried, which
    is left out without `check`. Raises LocalError where none does, or where the port is not to
    be had.
    """
    said = []
    for name in names:
        held = _try(name, address, port)
        if isinstance(held, OSError):
            said.append(f"{name}: {held.strerror}")
        elif check and _answers(address, held.port):
            held.close()
            said.append(f"{name}: the kernel answers all the same")
        else:
            return held
    raise LocalError(f"the kernel would reset the connection: no guard holds ({'; '.join(said)})")


def _try(name: str, address: Address, port: int) -> RstGuard | OSError:
    """Return a deaf listening socket, or why it cannot be made deaf."""
    sock = _bound(address, port)
    try:
        # Deaf first: from listen() on, a stranger's SYN would be answered.
        owner = METHODS[name](sock, address)
        sock.listen(0)
    except OSError as error:
        sock.close()
        return error
    return RstGuard(name, sock, *() if owner is None else (owner,))


def _bound(address: Address, port: int = 0) -> socket.socket:
    sock = socket.socket(family(address), socket.SOCK_STREAM)
    try:
        if address.version == 6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind(sockaddr(address, port))
    except OSError as error:
        sock.close()
        what = f"port {port} of {address}" if port else f"a port of {address}"
        why = {errno.EADDRINUSE: "it is in use", errno.EADDRNOTAVAIL: "the address is not ours"}
        reason = why.get(error.errno or 0, os.strerror(error.errno or 0))
        raise LocalError(f"cannot call from {what}: {reason}") from error
    return sock


def _answers(address: Address, port: int) -> bool:
    """Whether the kernel answers a SYN+ACK at this port of ours by a RST: then it is no guard.

    It sends itself two over loopback: the first to the port, the second to one that is only
    bound, which must bring a RST and so says when the first has had its time.
    """
    try:
        with (
            _bound(address) as unguarded,
            socket.socket(family(address), socket.SOCK_RAW, socket.IPPROTO_TCP) as wire,
        ):
            wire.bind(sockaddr(address))
            ours = Endpoint(address, port)
            other = Endpoint(address, unguarded.getsockname()[1])
            for source, destination in ((other, ours), (ours, other)):
                octets = checksummed(_syn_ack(source, destination)).pack()
                wire.sendto(octets, sockaddr(address))
            return _first_reset(wire, (ours, other)) == ours
    except (OSError, LocalError):
        # No raw socket, no loopback, or a firewall in the way, so that no RST comes in time: it
        # cannot be tried here, and what the kernel has accepted is believed.
        return False


def _syn_ack(source: Endpoint, destination: Endpoint) -> Segment:
    return Segment(
        source=source,
        destination=destination,
        seq=Seq(secrets.randbits(32)),
        ack=Seq(secrets.randbits(32)),
        flags=Flags.SYN | Flags.ACK,
    )


def _first_reset(wire: socket.socket, ends: tuple[Endpoint, Endpoint]) -> Endpoint | None:
    """Return who of the two sends a RST first; None where neither does in time."""
    by_ports = {(ends[0].port, ends[1].port): ends[0], (ends[1].port, ends[0].port): ends[1]}
    give_up = time.monotonic() + _TIMEOUT
    while (left := give_up - time.monotonic()) > 0:
        wire.settimeout(left)
        octets = wire.recv(0xFFFF)
        if wire.family == socket.AF_INET:
            octets = octets[(octets[0] & 0xF) * 4 :]
        # A raw socket hears all that is said to this address, whether it is a segment or not.
        if len(octets) < HEADER.size:
            continue
        ports = struct.unpack("!HH", octets[:4])
        if ports in by_ports and octets[13] & Flags.RST:
            return by_ports[ports]
    return None
