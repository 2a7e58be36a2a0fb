"""The route to an address: our source address and the path MTU, as the kernel's tables have it."""

from __future__ import annotations

import errno
import socket
from contextlib import suppress
from ipaddress import IPv6Address
from typing import TYPE_CHECKING, Final, NamedTuple

from handshake.errors import ConnectError, system_error
from handshake.linux.next_hop import (
    interfaces_down,
    interfaces_without_carrier,
    is_local,
    is_own_address,
    is_valid_source,
    next_hop,
)
from handshake.linux.sockaddr import family, sockaddr
from handshake.tcp.address import ip_address

if TYPE_CHECKING:
    from handshake.packet.checksum import Address

_IP_MTU: Final = 14
_IPV6_MTU: Final = 24
_DISCARD: Final = 9

_SEND_ERRORS: Final = {
    errno.EPERM: "send.firewall",
    errno.ENETUNREACH: "send.no-route",
    errno.EHOSTUNREACH: "send.unreachable",
    errno.EACCES: "send.prohibited",
    errno.EINVAL: "send.blackhole",
    errno.ENETDOWN: "send.interface-down",
    errno.ENODEV: "send.no-interface",
    errno.ENXIO: "send.no-interface",
    errno.EADDRNOTAVAIL: "send.no-source",
    errno.EAFNOSUPPORT: "send.no-ip-version",
}
"""What the kernel means when it does not send."""

_BIND_ERRORS: Final = {
    errno.EADDRINUSE: "bind.in-use",
    errno.EADDRNOTAVAIL: "bind.not-local",
    errno.EACCES: "bind.privileged-port",
    errno.ENODEV: "bind.no-interface",
    errno.EPERM: "bind.interface",
}
"""What the kernel means when it does not bind."""


class Route(NamedTuple):
    """How packets to an address leave."""

    source: Address
    """Our address on the interface that the kernel chose, with its scope if it needs one."""

    mtu: int
    """The largest packet on this path, in octets."""


def route(address: Address, source: Address | None = None, interface: str | None = None) -> Route:
    """Return the route to this address, from our `source` or through our `interface` if given.

    Sends nothing. Raises ConnectError if there is no route.
    """
    _check_carrier(address, source, interface)
    # Connecting a UDP socket looks the route up and sends nothing.
    with socket.socket(family(address), socket.SOCK_DGRAM) as probe:
        try:
            if interface is not None:
                bind_to_interface(probe, interface)
            if source is not None:
                _bind(probe, source, address)
            probe.connect(sockaddr(address, _DISCARD))
        except OSError as error:
            raise _no_route(error, address, source, interface) from error
        host, *rest = probe.getsockname()
        if address.version == 4:
            return Route(ip_address(host), probe.getsockopt(socket.IPPROTO_IP, _IP_MTU))
        scope = f"%{socket.if_indextoname(rest[2])}" if rest[2] and "%" not in host else ""
        mtu = probe.getsockopt(socket.IPPROTO_IPV6, _IPV6_MTU)
        return Route(ip_address(host + scope), mtu)


def _check_carrier(address: Address, source: Address | None, interface: str | None) -> None:
    """Raise ConnectError where packets would only queue: the interface has no carrier."""
    if not (dead := interfaces_without_carrier()):
        return
    try:
        out = next_hop(address, source, interface).interface
    except OSError:  # no route: `route` finds out, and says so
        return
    if out in dead:
        raise ConnectError("send.no-carrier", interface=out)


def _no_route(
    error: OSError, address: Address, source: Address | None, interface: str | None
) -> ConnectError:
    """Return why there is no route; some errors mean something else here than in general."""
    scope = address.scope_id if isinstance(address, IPv6Address) else None
    if error.errno == errno.EINVAL and interface and scope and scope != interface:
        return ConnectError("send.other-link", address=address, interface=interface)
    if error.errno == errno.EACCES:
        with suppress(OSError):  # a prohibited route has no next hop
            if next_hop(address, source, interface).broadcast:
                return ConnectError("send.broadcast", address=address)
    return send_error(error)


def bind_to_interface(sock: socket.socket, interface: str) -> None:
    """Send through this interface only. Raises OSError if the kernel refuses."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode() + b"\0")


def _bind(sock: socket.socket, source: Address, address: Address) -> None:
    if source.version != address.version:
        raise ConnectError("send.ip-versions", source=source, address=address)
    if not is_valid_source(source):
        raise ConnectError("send.source-not-unicast", source=source)
    plain, *rest = sockaddr(source)
    if rest[1:] and not rest[-1]:
        # A link-local source address without a scope is on the link of the destination.
        rest[-1] = sockaddr(address)[-1]
    try:
        sock.bind((plain, *rest))
    except OSError as error:
        if error.errno != errno.EADDRNOTAVAIL:
            raise
        raise ConnectError("send.source-not-local", source=source) from error
    # With net.ipv4.ip_nonlocal_bind the kernel binds to any address, and UDP to a broadcast one.
    if not is_own_address(source):
        raise ConnectError("send.source-not-local", source=source)
    if source.is_loopback and not is_local(address):
        raise ConnectError("send.loopback-source", source=source, address=address)


def send_error(error: OSError) -> ConnectError:
    """Return why the kernel did not send."""
    code = _SEND_ERRORS.get(error.errno or 0)
    if code is None:
        return ConnectError("send.failed", why=system_error(error))
    name = errno.errorcode[error.errno or 0]
    # An interface that is down took its routes with it.
    return ConnectError(code, errno=name, down=interfaces_down() if name == "ENETUNREACH" else ())


def bind_error(error: OSError, source: str, port: int = 0) -> ConnectError:
    """Return why the kernel does not let us send from a source: an address, a port, an interface.

    `port` is the port that was asked for, if any.
    """
    if (code := _BIND_ERRORS.get(error.errno or 0)) is None:
        return ConnectError("bind.failed", source=source, why=system_error(error))
    return ConnectError(code, source=source, port=port, errno=errno.errorcode[error.errno or 0])
