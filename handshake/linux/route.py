"""The route to an address: our source address and the path MTU, as the kernel's tables have it."""

from __future__ import annotations

import errno
import os
import socket
from contextlib import suppress
from ipaddress import IPv6Address
from typing import TYPE_CHECKING, Final, NamedTuple

from handshake.errors import ConnectError, system_error
from handshake.linux.next_hop import (
    Selector,
    interfaces_down,
    interfaces_without_carrier,
    is_local,
    is_own_address,
    is_valid_source,
    next_hop,
    rules,
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


def by_policy(version: int, flow: Selector) -> bool:
    """Whether the route depends on more than addresses and interface."""
    told = rules(version)
    return told.transport or told.user or bool(flow.tos and not told.plain)


class Route(NamedTuple):
    """How packets to an address leave."""

    source: Address
    """Our address on the interface that the kernel chose, with its scope if it needs one."""

    mtu: int
    """The largest packet on this path, in octets."""


def route(address: Address, flow: Selector = Selector()) -> Route:  # noqa: B008 - it is immutable
    """Return the route of a flow to this address, as connect() would find it.

    Sends nothing. Raises ConnectError if there is no route.
    """
    source, interface = flow.source, flow.interface
    _check_carrier(address, flow)
    # Connecting a UDP socket looks the route up and sends nothing.
    with socket.socket(family(address), socket.SOCK_DGRAM) as probe:
        try:
            if interface is not None:
                bind_to_interface(probe, interface)
            if source is not None:
                _bind(probe, source, address)
            if by_policy(address.version, flow):
                from handshake.linux.policy_route import policy_route

                _check_destination(address, flow)
                found = policy_route(address, flow)
                return Route(found.source, found.mtu)
            probe.connect(sockaddr(address, _DISCARD))
        except OSError as error:
            raise _no_route(error, address, flow) from error
        host, *rest = probe.getsockname()
        if address.version == 4:
            return Route(ip_address(host), probe.getsockopt(socket.IPPROTO_IP, _IP_MTU))
        scope = f"%{socket.if_indextoname(rest[2])}" if rest[2] and "%" not in host else ""
        mtu = probe.getsockopt(socket.IPPROTO_IPV6, _IPV6_MTU)
        return Route(ip_address(host + scope), mtu)


def _check_carrier(address: Address, flow: Selector) -> None:
    """Raise ConnectError where packets would only queue: the interface has no carrier."""
    if not (dead := interfaces_without_carrier()):
        return
    try:
        out = next_hop(address, flow).interface
    except OSError:  # no route: `route` finds out, and says so
        return
    if out in dead:
        raise ConnectError("send.no-carrier", interface=out)


def _check_destination(address: Address, flow: Selector) -> None:
    """Raise the OSError that connecting a socket would, and that a lookup alone does not."""
    scope = address.scope_id if isinstance(address, IPv6Address) else None
    if flow.interface and scope and scope != flow.interface:
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
    if address.version == 4 and next_hop(address, flow).broadcast:
        raise OSError(errno.EACCES, os.strerror(errno.EACCES))


def _no_route(error: OSError, address: Address, flow: Selector) -> ConnectError:
    """Return why there is no route; some errors mean something else here than in general."""
    scope = address.scope_id if isinstance(address, IPv6Address) else None
    interface = flow.interface
    if error.errno == errno.EINVAL and interface and scope and scope != interface:
        return ConnectError("send.other-link", address=address, interface=interface)
    if error.errno == errno.EACCES:
        with suppress(OSError):  # a prohibited route has no next hop
            if next_hop(address, flow).broadcast:
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
