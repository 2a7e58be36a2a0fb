"""Non-blocking connect(): a socket whose connection the kernel opens."""

from __future__ import annotations

import errno
import os
import socket
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from handshake.errors import ConnectError, LocalError
from handshake.linux.error_queue import report_errors
from handshake.linux.next_hop import Selector
from handshake.linux.route import bind_error, bind_to_interface, route, send_error
from handshake.linux.sockaddr import family, sockaddr
from handshake.tcp import Endpoint

if TYPE_CHECKING:
    from handshake.packet.checksum import Address

# <linux/in.h>: the socket module does not name it before Python 3.12.
_IP_BIND_ADDRESS_NO_PORT: Final = 24

_RETRIES: Final = (1, 127)
"""SYN retransmissions that TCP_SYNCNT allows: there is always one."""

_MARGIN: Final = 1_000
"""Milliseconds by which the kernel's timeout exceeds ours: ours must come first."""

_RESET: Final = b"\1\0\0\0\0\0\0\0"
"""A struct linger with a timeout of 0: close() sends a RST."""

_IN_PROGRESS: Final = (0, errno.EINPROGRESS)
_TOO_MANY: Final = (errno.EMFILE, errno.ENFILE)


@dataclass(frozen=True, slots=True)
class SocketOptions:
    """The source of a connection, and fields of its IP header. The kernel chooses the rest."""

    source: Address | None = None
    """Our source address."""

    source_port: int = 0
    interface: str | None = None
    """The outgoing interface."""

    ttl: int | None = None
    """Time to live, or hop limit."""

    tos: int | None = None
    """Type of service, or traffic class: the octet with the DSCP. The kernel sets the ECN bits."""


def connect(
    remote: Endpoint, options: SocketOptions, retries: int, timeout_ms: int
) -> socket.socket:
    """Return a socket that is connecting, and keeps trying for at least `timeout_ms` milliseconds.

    The kernel decides when to retransmit the SYN: Linux since 6.5 sends the first five a second
    apart, whatever `retries` says. Needs no privilege. Raises ConnectError if the kernel refuses,
    and LocalError if there are too many open sockets.
    """
    version = remote.address.version
    if options.source is not None and options.source.version != version:
        raise ConnectError("send.ip-versions", source=options.source, address=remote.address)
    try:
        sock = socket.socket(family(remote.address), socket.SOCK_STREAM)
    except OSError as error:
        if error.errno in _TOO_MANY:
            raise LocalError("too-many-sockets") from error
        raise send_error(error) from error
    try:
        sock.setblocking(False)
        least, most = _RETRIES
        count = min(max(retries, least), most)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_SYNCNT, count)
        # Otherwise few retries would end it before ARP or neighbour discovery has failed.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, timeout_ms + _MARGIN)
        report_errors(sock)
        set_ip_options(sock, options)
        _bind(sock, options)
        _connect(sock, remote, options)
    except BaseException:
        close_socket(sock, reset=True)  # the peer may have answered at once
        raise
    return sock


def local_end(sock: socket.socket) -> Endpoint:
    """Return our end of the connection, with its scope if it needs one."""
    return _endpoint(sock.getsockname())


def remote_end(sock: socket.socket) -> Endpoint | None:
    """Return the peer's end of the connection; None if it is not connected."""
    try:
        return _endpoint(sock.getpeername())
    except OSError:
        return None


def close_socket(sock: socket.socket, *, reset: bool = False) -> None:
    """Close the connection by FIN, or by RST, which leaves nothing of it in the kernel."""
    if reset:
        with suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    sock.close()


def set_ip_options(sock: socket.socket, options: SocketOptions) -> None:
    """Set the IP header fields of what the socket sends."""
    v4 = sock.family == socket.AF_INET
    level = socket.IPPROTO_IP if v4 else socket.IPPROTO_IPV6
    if options.ttl is not None:
        kind = socket.IP_TTL if v4 else socket.IPV6_UNICAST_HOPS
        sock.setsockopt(level, kind, options.ttl)
    if options.tos is not None:
        sock.setsockopt(level, socket.IP_TOS if v4 else socket.IPV6_TCLASS, options.tos)


def _bind(sock: socket.socket, options: SocketOptions) -> None:
    name = options.interface
    if name is not None:
        try:
            bind_to_interface(sock, name)
        except OSError as error:
            raise bind_error(error, name) from error
    if options.source is None and not options.source_port:
        return
    place = ("", 0) if options.source is None else sockaddr(options.source)
    try:
        # One source port can reach many peers, and one peer again in its TIME-WAIT.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if not options.source_port:
            # The port is then chosen per peer: otherwise 28,000 connections would use them all up.
            sock.setsockopt(socket.IPPROTO_IP, _IP_BIND_ADDRESS_NO_PORT, 1)
        sock.bind((place[0], options.source_port, *place[2:]))
    except OSError as error:
        port = f"port {options.source_port}" if options.source_port else ""
        source = "" if options.source is None else str(options.source)
        where = " of ".join(filter(None, (port, source)))
        raise bind_error(error, where, options.source_port) from error


def _connect(sock: socket.socket, remote: Endpoint, options: SocketOptions) -> None:
    try:
        number = sock.connect_ex(sockaddr(remote.address, remote.port))
    except OSError as error:  # the scope of the address is unknown
        number = error.errno or 0
    if number in _IN_PROGRESS:
        return
    # Without a port the kernel says more precisely why there is no route.
    tos = options.tos or 0
    flow = Selector(options.source, options.interface, options.source_port, remote.port, tos)
    route(remote.address, flow)
    if number == errno.EADDRNOTAVAIL:
        if options.source_port:
            raise ConnectError(
                "bind.recently-used", port=options.source_port, errno="EADDRNOTAVAIL"
            )
        raise ConnectError("bind.no-free-port", source="this machine")
    raise send_error(OSError(number, os.strerror(number)))


def _endpoint(name: tuple[str, int] | tuple[str, int, int, int]) -> Endpoint:
    host, port, *rest = name
    if len(rest) == 2 and rest[1] and "%" not in host:
        host = f"{host}%{socket.if_indextoname(rest[1])}"
    return Endpoint.of(host, port)
