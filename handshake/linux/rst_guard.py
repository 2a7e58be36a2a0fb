"""Keeps the kernel from resetting the connections that we open in user space.

The kernel has no socket for a SYN that we built ourselves, and answers the SYN-ACK with a RST
before we can acknowledge it. A listening socket on our port that drops every segment prevents
that. The guard is that socket, or a firewall table that a socket owns: it ends with our process.
"""

from __future__ import annotations

import errno
import secrets
import socket
import struct
import time
from collections import deque
from typing import TYPE_CHECKING, Final, Self

from handshake.errors import ConnectError, LocalError, system_error
from handshake.linux import bpf
from handshake.linux.nftables import drop_segments_to
from handshake.linux.route import bind_error, bind_to_interface
from handshake.linux.sockaddr import family, sockaddr
from handshake.packet.checksum import checksummed
from handshake.tcp import Endpoint, Flags, Segment, Seq
from handshake.tcp.address import ip_address
from handshake.tcp.segment import HEADER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from handshake.packet.checksum import Address

_TCP_MD5SIG_EXT: Final = 32
_TCP_MD5SIG_FLAG_PREFIX: Final = 1
_MD5SIG: Final = struct.Struct("=H126xBBHi80s")
_IP_MINTTL: Final = 21
_IPV6_MINHOPCOUNT: Final = 73

_SO_MEMINFO: Final = 55
_MEMINFO: Final = struct.Struct("=9I")
_DROPS: Final = 8  # SK_MEMINFO_DROPS

_LOOPBACK: Final = {4: "127.0.0.1", 6: "::1"}

_TIMEOUT: Final = 0.05
"""Seconds for the self-check; a RST over loopback takes less than a millisecond."""

_EXAMINED: Final = 8
"""Open guards that are examined before another is opened. They take turns: the first is the
likeliest to be free, and examining all of them for each connection costs more than a port."""

_ATTEMPTS: Final = 1000
_FIRST_PORT: Final = 61000
"""Where further ports are looked for: above Linux's own ephemeral ports."""

_LAST_PORT: Final = 0xFFFF

FURTHER_PORTS: Final = range(_FIRST_PORT, _LAST_PORT + 1)
"""All further ports."""


def _filter(sock: socket.socket, _: Address) -> None:
    """Drop every packet before TCP sees it."""
    bpf.attach(sock, bpf.NOTHING)


def _md5(sock: socket.socket, address: Address) -> None:
    """Drop every segment that is not signed with a random key (RFC 2385)."""
    key = secrets.token_bytes(16)
    # Prefix length 0: the key holds for every source address.
    found = _MD5SIG.pack(family(address), _TCP_MD5SIG_FLAG_PREFIX, 0, len(key), 0, key)
    sock.setsockopt(socket.IPPROTO_TCP, _TCP_MD5SIG_EXT, found)


def _minttl(sock: socket.socket, address: Address) -> None:
    """Drop every packet that passed a router or did not start with TTL 255 (RFC 5082)."""
    if address.version == 6:
        sock.setsockopt(socket.IPPROTO_IPV6, _IPV6_MINHOPCOUNT, 255)
    else:
        sock.setsockopt(socket.IPPROTO_IP, _IP_MINTTL, 255)


def _owner(sock: socket.socket, address: Address) -> socket.socket:
    """Let nftables drop every segment; return the socket that owns the table."""
    return drop_segments_to(address.packed, sock.getsockname()[1], family(address))


METHODS: Final[dict[str, Callable[[socket.socket, Address], socket.socket | None]]] = {
    "filter": _filter,
    "md5": _md5,
    "minttl": _minttl,
    "owner": _owner,
}
"""Each way to make a socket drop all segments, the best first. Some need root on some kernels."""


class RstGuard:
    """A local port on which the kernel sends no RST, until `close` or the end of the process."""

    def __init__(self, name: str, sock: socket.socket, *others: socket.socket) -> None:
        self._socks = (sock, *others)
        self.name = name
        """Which of the `METHODS` it uses."""

        self.port: int = sock.getsockname()[1]

    @property
    def dropped(self) -> int | None:
        """How many segments it has kept from the kernel; None if they are not counted.

        A segment is counted when it reaches TCP, just before or after our own end reads it.
        """
        if self.name == "owner":  # the firewall drops them before they reach the socket
            return None
        try:
            found = self._socks[0].getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, _MEMINFO.size)
            return int(_MEMINFO.unpack(found)[_DROPS])
        except (OSError, struct.error):  # it is closed, or the kernel is older than Linux 4.12
            return None

    def close(self) -> None:
        """Release the port: from here on the kernel answers segments for it with a RST."""
        for sock in self._socks:
            sock.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def guard(
    address: Address,
    port: int = 0,
    names: Iterable[str] = tuple(METHODS),
    *,
    check: bool = True,
    serving: bool = False,
    interface: str | None = None,
) -> RstGuard:
    """Return a guard on this local address, on a free port if none is given.

    The unspecified address stands for all. Takes the first of `names` that the kernel allows and
    that works when tested; `check` false skips the test. A port for `serving` may be one of which
    connections of another program are still in TIME-WAIT. With an `interface` only what arrives
    there is kept from the kernel.

    Raises LocalError if none works, and ConnectError if the address or `port` cannot be bound.
    """
    failures = []
    for name in names:
        held = _try(name, address, port, serving=serving, interface=interface)
        if isinstance(held, OSError):
            failures.append(f"{name}: {system_error(held)}")
        elif check and _answers(address, held.port):
            held.close()
            failures.append(f"{name}: the kernel still sends a RST")
        else:
            return held
    raise LocalError("no-rst-guard", failures="; ".join(failures))


def _try(
    name: str, address: Address, port: int, *, serving: bool, interface: str | None
) -> RstGuard | OSError:
    """Return a listening socket that drops all segments, or why the kernel refuses."""
    sock = _bound(address, port, serving=serving, interface=interface)
    try:
        # Before listen(): from then on the kernel would answer a SYN from another host.
        owner = METHODS[name](sock, address)
        sock.listen(0)
    except OSError as error:
        sock.close()
        return error
    return RstGuard(name, sock, *() if owner is None else (owner,))


def _bound(
    address: Address, port: int = 0, *, serving: bool = False, interface: str | None = None
) -> socket.socket:
    sock = socket.socket(family(address), socket.SOCK_STREAM)
    try:
        if serving:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if interface is not None:
            bind_to_interface(sock, interface)
        if address.version == 6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind(sockaddr(address, port))
    except OSError as error:
        sock.close()
        if error.errno == errno.EADDRINUSE and not port:
            raise LocalError("bind.no-free-port", source=address) from error
        where = f"port {port} of {address}" if port else str(address)
        raise bind_error(error, where, port) from error
    return sock


def _answers(address: Address, port: int) -> bool:
    """Whether the kernel answers a SYN-ACK to this local port with a RST: then it is no guard.

    Sends two SYN-ACKs over loopback: one to the port, then one to a port that is only bound.
    The second must provoke a RST, which shows that the first has had its time.
    """
    if address.is_unspecified:
        address = ip_address(_LOOPBACK[address.version])
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
        # No raw socket, no loopback, or a firewall drops the RST: it cannot be tested here, and
        # what the kernel has accepted is believed.
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
    """Return which of the two ends sends a RST first; None if neither does in time."""
    by_ports = {(ends[0].port, ends[1].port): ends[0], (ends[1].port, ends[0].port): ends[1]}
    deadline = time.monotonic() + _TIMEOUT
    while (left := deadline - time.monotonic()) > 0:
        wire.settimeout(left)
        octets = wire.recv(0xFFFF)
        if wire.family == socket.AF_INET:
            octets = octets[(octets[0] & 0xF) * 4 :]
        # A raw socket receives every TCP packet to this address, malformed ones too.
        if len(octets) < HEADER.size:
            continue
        ports = struct.unpack("!HH", octets[:4])
        if ports in by_ports and octets[13] & Flags.RST:
            return by_ports[ports]
    return None


class RstGuardPool:
    """The guards of one prober, on all local addresses that it connects from."""

    def __init__(self) -> None:
        self._by_address: dict[Address, deque[RstGuard]] = {}
        self._names: dict[Address, str] = {}
        self._next = secrets.choice(range(_FIRST_PORT, _LAST_PORT - _ATTEMPTS))
        self.ports: set[int] = set()
        """Every port that is guarded."""

        self.confined = False
        """Whether to take further ports only, unless one is requested."""

    def take(
        self,
        address: Address,
        in_use: Callable[[int], bool],
        port: int = 0,
        *,
        recently_used: Callable[[int], bool] = lambda _: False,
    ) -> RstGuard:
        """Return a guard on this address whose port is not `in_use`: an open one, or a new one.

        A `recently_used` port serves only if it is requested, or if no other can be opened. Raises
        LocalError if the kernel cannot be kept from sending RSTs or there is no free port, and
        ConnectError if the address or the requested port cannot be bound, or the port is `in_use`.
        """
        known = self._by_address.get(address)
        if known is None:
            known = self._by_address[address] = deque()
        for _ in range(min(len(known), len(known) if port else _EXAMINED)):
            known.rotate(-1)
            held = known[-1]
            fits = held.port == port if port else not recently_used(held.port)
            if fits and not in_use(held.port):
                return held
        if port and any(held.port == port for held in known):
            raise ConnectError("bind.recently-used", port=port, errno="EADDRINUSE")
        try:
            held = self._open(address, port)
        except (LocalError, OSError):
            reused = next((each for each in known if not (port or in_use(each.port))), None)
            if reused is None:
                raise
            return reused
        self.ports.add(held.port)
        known.append(held)
        return held

    def _open(self, address: Address, port: int) -> RstGuard:
        name = self._names.get(address)
        # Only the first one is tested: the kernel treats the others the same.
        check = name is None
        if port or (check and not self.confined):
            held = guard(address, port, self._methods(name), check=check)
            self._names[address] = held.name
            return held
        for _ in range(_ATTEMPTS):
            try:
                held = guard(address, self._next, self._methods(name), check=check)
                self._names[address] = held.name
                return held
            except ConnectError as error:
                if error.code != "bind.in-use":
                    raise
            finally:
                self._next = _FIRST_PORT if self._next >= _LAST_PORT else self._next + 1
        raise LocalError("bind.no-free-port", source=address)

    @staticmethod
    def _methods(first: str | None) -> tuple[str, ...]:
        """Return the names of all methods, with one first that is known to work."""
        return tuple(sorted(METHODS, key=lambda each: each != first))

    def close(self) -> None:
        """Release all ports."""
        for known in self._by_address.values():
            for each in known:
                each.close()
        self._by_address.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
