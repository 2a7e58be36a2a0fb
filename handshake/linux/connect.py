"""A call that the kernel makes: a socket that connects, and waits for nothing itself."""

from __future__ import annotations

import errno
import os
import socket
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from handshake.errors import LocalError
from handshake.linux.error_queue import report_errors
from handshake.linux.route import explain, route
from handshake.linux.sockaddr import family, sockaddr
from handshake.tcp import Endpoint

if TYPE_CHECKING:
    from handshake.packet.checksum import Address

# <linux/in.h>: the socket module does not name it before Python 3.12.
_IP_BIND_ADDRESS_NO_PORT: Final = 24

_RETRIES: Final = (1, 127)
"""How often TCP_SYNCNT lets a SYN be sent again: not at all is not to be had."""

_LONGER: Final = 1_000
"""Milliseconds: who closes the socket in time must find it as it is."""

_RESET: Final = b"\1\0\0\0\0\0\0\0"
"""A struct linger: do not wait at all."""

_UNDER_WAY: Final = (0, errno.EINPROGRESS)
_TOO_MANY: Final = (errno.EMFILE, errno.ENFILE)
_BINDING: Final = {
    errno.EADDRINUSE: "it is in use",
    errno.EADDRNOTAVAIL: "the address is not ours",
    errno.EACCES: "ports below 1024 are for those with the right to them",
    errno.ENODEV: "there is no such interface",
    errno.EPERM: "this kernel lets nobody but root choose the interface",
}


@dataclass(frozen=True, slots=True)
class SocketOptions:
    """From where to call, and with which marks in the IP header. The rest is the kernel's."""

    source: Address | None = None
    """The address of ours to call from."""

    source_port: int = 0
    interface: str | None = None
    """The interface to leave by."""

    ttl: int | None = None
    """Time to live, or hop limit."""

    tos: int | None = None
    """Type of service, or traffic class: the octet with DSCP in it. ECN is left to the kernel."""


class ConnectError(Exception):
    """The machine refuses to call; says why, in words."""


def connect(
    remote: Endpoint, options: SocketOptions, retries: int, timeout_ms: int
) -> socket.socket:
    """Return a socket that is connecting, and goes on for at least `timeout_ms` milliseconds.

    When the SYN is sent again is for the kernel to say: Linux since 6.5 sends the first five a
    second apart, whatever `retries` says. Needs no privilege. Raises DialError where the kernel
    refuses, and LocalError where there are too many sockets.
    """
    version = remote.address.version
    if options.source is not None and options.source.version != version:
        raise ConnectError(f"an IPv{version} address cannot be called from {options.source}")
    try:
        sock = socket.socket(family(remote.address), socket.SOCK_STREAM)
    except OSError as error:
        if error.errno in _TOO_MANY:
            raise LocalError(
                "too many open sockets: call fewer at once (--concurrency), or raise ulimit -n"
            ) from error
        raise ConnectError(explain(error)) from error
    try:
        sock.setblocking(False)
        least, most = _RETRIES
        count = min(max(retries, least), most)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_SYNCNT, count)
        # Else few retries end it early, before it shows that nobody on the link answers.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, timeout_ms + _LONGER)
        report_errors(sock)
        set_ip_options(sock, options)
        _bind(sock, options)
        _connect(sock, remote, options)
    except BaseException:
        close_socket(sock, reset=True)  # the peer may have answered at once
        raise
    return sock


def local_end(sock: socket.socket) -> Endpoint:
    """Return our own end of it, with its scope if it needs one."""
    return _endpoint(sock.getsockname())


def remote_end(sock: socket.socket) -> Endpoint | None:
    """Return the peer's end of it; None where it is not connected."""
    try:
        return _endpoint(sock.getpeername())
    except OSError:
        return None


def close_socket(sock: socket.socket, *, reset: bool = False) -> None:
    """Close it: by FIN, if none was sent; or by RST, so that the kernel keeps nothing of it."""
    if reset:
        with suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    sock.close()


def set_ip_options(sock: socket.socket, options: SocketOptions) -> None:
    """Let what the socket sends carry these marks in its IP header."""
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
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, name.encode() + b"\0")
        except OSError as error:
            raise ConnectError(f"cannot call from {name}: {_why(error)}") from error
    if options.source is None and not options.source_port:
        return
    place = ("", 0) if options.source is None else sockaddr(options.source)
    try:
        # One port may call many peers, and one peer again while the kernel still remembers.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if not options.source_port:
            # So the port is chosen for this peer: else 28,000 calls would be the end of it.
            sock.setsockopt(socket.IPPROTO_IP, _IP_BIND_ADDRESS_NO_PORT, 1)
        sock.bind((place[0], options.source_port, *place[2:]))
    except OSError as error:
        port = f"port {options.source_port}" if options.source_port else ""
        where = "" if options.source is None else str(options.source)
        what = " of ".join(each for each in (port, where) if each)
        raise ConnectError(f"cannot call from {what}: {_why(error)}") from error


def _why(error: OSError) -> str:
    number = error.errno or 0
    said = _BINDING.get(number, os.strerror(number).lower())
    return f"{said} ({errno.errorcode.get(number, str(number))})"


def _connect(sock: socket.socket, remote: Endpoint, options: SocketOptions) -> None:
    try:
        number = sock.connect_ex(sockaddr(remote.address, remote.port))
    except OSError as error:  # the scope of the address is unknown
        number = error.errno or 0
    if number in _UNDER_WAY:
        return
    try:
        # Why there is no way shows without a port, too, and is better said there.
        route(remote.address, options.source, options.interface)
    except OSError as error:
        raise ConnectError(explain(error)) from error
    if number == errno.EADDRNOTAVAIL:
        taken = f"port {options.source_port} is" if options.source_port else "every port is"
        raise ConnectError(f"{taken} taken by another call to it, or just was (EADDRNOTAVAIL)")
    raise ConnectError(explain(OSError(number, os.strerror(number))))


def _endpoint(name: tuple[str, int] | tuple[str, int, int, int]) -> Endpoint:
    host, port, *rest = name
    if len(rest) == 2 and rest[1] and "%" not in host:
        host = f"{host}%{socket.if_indextoname(rest[1])}"
    return Endpoint.of(host, port)
