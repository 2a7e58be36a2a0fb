"""The TCP sockets of a network namespace, as `ss` reads them (NETLINK_SOCK_DIAG)."""

from __future__ import annotations

import socket
import struct
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

from handshake.linux.tcp_info import STATES, TcpInfo
from handshake.tcp import Endpoint, State
from handshake.tcp.address import ip_address

if TYPE_CHECKING:
    from collections.abc import Iterator

    from handshake.linux.network_namespace import NetworkNamespace

_NETLINK_SOCK_DIAG: Final = 4
_SOCK_DIAG_BY_FAMILY: Final = 20
_REQUEST_DUMP: Final = 0x301
_ERROR, _DONE = 2, 3
_INFO: Final = 2  # INET_DIAG_INFO: a struct tcp_info
_EVERY_STATE: Final = (1 << 13) - 1  # as `ss -a`: bound sockets without a connection come after
_WAIT: Final = 10.0

_MESSAGE: Final = struct.Struct("=IHHII")
_QUERY: Final = struct.Struct("=BBBxI48x")
_ANSWER: Final = struct.Struct("=BBxx2s2s16s16s12xIIIII")
_ATTRIBUTE: Final = struct.Struct("=HH")


@dataclass(frozen=True, slots=True)
class KernelSocket:
    """One row of the kernel's table."""

    local: Endpoint
    remote: Endpoint
    state: State
    recv_q: int
    """Octets not read; of a listening socket the connections in its accept queue."""

    send_q: int
    """Octets not acknowledged; of a listening socket the backlog."""

    info: TcpInfo | None
    """None for a listener's entry, and for what is left of a socket in TIME-WAIT."""


class InetDiag:
    """Reads the table of one namespace: the one in which this is made."""

    def __init__(self, namespace: NetworkNamespace, version: int = 4) -> None:
        self._family = socket.AF_INET if version == 4 else socket.AF_INET6
        with namespace.entered():
            self._netlink = socket.socket(
                socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _NETLINK_SOCK_DIAG
            )
        self._netlink.settimeout(_WAIT)

    def read(self) -> list[KernelSocket]:
        """Return every row as it is now: what listens first."""
        query = _QUERY.pack(self._family, socket.IPPROTO_TCP, 1 << (_INFO - 1), _EVERY_STATE)
        length = _MESSAGE.size + len(query)
        self._netlink.send(_MESSAGE.pack(length, _SOCK_DIAG_BY_FAMILY, _REQUEST_DUMP, 1, 0) + query)
        rows = list(self._answers())
        return sorted(rows, key=lambda row: (row.state is not State.LISTEN, str(row.remote)))

    def _answers(self) -> Iterator[KernelSocket]:
        while True:
            data = self._netlink.recv(1 << 16)
            while data:
                length, kind, *_ = _MESSAGE.unpack_from(data)
                if kind == _DONE:
                    return
                if kind == _ERROR:
                    raise OSError(f"the kernel does not tell of its sockets: {data.hex(' ')}")
                yield from _row(data[_MESSAGE.size : length])
                data = data[_aligned(length) :]

    def close(self) -> None:
        """Close the netlink socket."""
        self._netlink.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _row(message: bytes) -> Iterator[KernelSocket]:
    family, number, sport, dport, source, destination, _, recv_q, send_q, *_ = _ANSWER.unpack_from(
        message
    )
    state = STATES.get(number)
    if state is None:
        return
    octets = 4 if family == socket.AF_INET else 16
    local, remote = (
        Endpoint(ip_address(address[:octets]), int.from_bytes(port, "big"))
        for address, port in ((source, sport), (destination, dport))
    )
    attributes = dict(_attributes(message[_ANSWER.size :]))
    info = None
    if state is not State.LISTEN:
        with suppress(KeyError, ValueError):
            info = TcpInfo.parse(attributes[_INFO])
    yield KernelSocket(local, remote, state, recv_q, send_q, info)


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    while data:
        length, kind = _ATTRIBUTE.unpack_from(data)
        yield kind, data[_ATTRIBUTE.size : length]
        data = data[_aligned(length) :]


def _aligned(length: int) -> int:
    return (length + 3) & ~3
