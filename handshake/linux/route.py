"""The way to an address: which address of ours, and how large a packet, asked of the kernel."""

from __future__ import annotations

import errno
import os
import socket
from contextlib import suppress
from ipaddress import IPv6Address, ip_address
from typing import TYPE_CHECKING, Final, NamedTuple

from handshake.linux.next_hop import (
    interfaces_down,
    interfaces_without_carrier,
    is_local,
    is_own_address,
    is_valid_source,
    next_hop,
)
from handshake.linux.sockaddr import family, sockaddr

if TYPE_CHECKING:
    from handshake.packet.checksum import Address

_IP_MTU: Final = 14
_IPV6_MTU: Final = 24
_DISCARD: Final = 9

_WORDS: Final = {
    errno.EPERM: "a firewall on this machine dropped it",
    errno.ENETUNREACH: "this machine has no route to it",
    errno.EHOSTUNREACH: "a route of this machine says: unreachable",
    errno.EACCES: "a route of this machine says: prohibited",
    errno.EINVAL: "a route of this machine says: blackhole",
    errno.ENETDOWN: "the interface is down",
    errno.ENODEV: "there is no such interface",
    errno.ENXIO: "there is no such interface",
    errno.EADDRNOTAVAIL: "this machine has no address to call it from",
    errno.EAFNOSUPPORT: "this machine does not speak this version of IP",
}


class Route(NamedTuple):
    """How packets to an address leave."""

    source: Address
    """Our address on the interface that the kernel chose, with its scope if it needs one."""

    mtu: int
    """The largest packet on this path, in octets."""


def route(address: Address, source: Address | None = None, interface: str | None = None) -> Route:
    """Return the way to this address, from our `source` or by our `interface` if they are given.

    Sends nothing; raises OSError where there is none.
    """
    _see_carrier(address, source, interface)
    # A UDP socket that is connected has been routed, and no packet has left.
    with socket.socket(family(address), socket.SOCK_DGRAM) as probe:
        if interface is not None:
            bind_to(probe, interface)
        if source is not None:
            _bind(probe, source, address)
        try:
            probe.connect(sockaddr(address, _DISCARD))
        except OSError as error:
            raise _explained(error, address, source, interface) from error
        host, *rest = probe.getsockname()
        if address.version == 4:
            return Route(ip_address(host), probe.getsockopt(socket.IPPROTO_IP, _IP_MTU))
        scope = f"%{socket.if_indextoname(rest[2])}" if rest[2] and "%" not in host else ""
        mtu = probe.getsockopt(socket.IPPROTO_IPV6, _IPV6_MTU)
        return Route(ip_address(host + scope), mtu)


def _see_carrier(address: Address, source: Address | None, interface: str | None) -> None:
    """Raise OSError where packets would only queue up: nobody is at the other end of the cable."""
    if not (dead := interfaces_without_carrier()):
        return
    try:
        out = next_hop(address, source, interface).interface
    except OSError:  # there is no way: that is said where it is found out
        return
    if out in dead:
        raise OSError(errno.ENETDOWN, f"{out} has no carrier: its cable or its other end is down")


def _explained(
    error: OSError, address: Address, source: Address | None, interface: str | None
) -> OSError:
    """Return the same error, in words of its own where it is not what it means elsewhere."""
    scope = address.scope_id if isinstance(address, IPv6Address) else None
    if error.errno == errno.EINVAL and interface and scope and scope != interface:
        return OSError(error.errno, f"{address} is on another link than {interface}")
    if error.errno == errno.EACCES:
        with suppress(OSError):  # a prohibited route has no next hop
            if next_hop(address, source, interface).broadcast:
                whom = f"{address} is everybody on a link, and a connection has one peer"
                return OSError(error.errno, whom)
    return error


def bind_to(sock: socket.socket, interface: str) -> None:
    """Let what the socket sends leave by this interface alone; raise OSError if it cannot."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode() + b"\0")


def _bind(sock: socket.socket, source: Address, address: Address) -> None:
    if source.version != address.version:
        raise OSError(errno.EAFNOSUPPORT, f"{source} and {address} speak different versions of IP")
    if not is_valid_source(source):
        raise OSError(errno.EADDRNOTAVAIL, f"{source} is no single host, which a call comes from")
    plain, *rest = sockaddr(source)
    if rest[1:] and not rest[-1]:
        # A link-local address of ours is on the link that the other one is on.
        rest[-1] = sockaddr(address)[-1]
    try:
        sock.bind((plain, *rest))
    except OSError as error:
        if error.errno != errno.EADDRNOTAVAIL:
            raise
        raise OSError(error.errno, f"{source} is no address of this machine") from error
    # Where net.ipv4.ip_nonlocal_bind is set, the kernel binds to any; and UDP to a broadcast.
    if not is_own_address(source):
        raise OSError(errno.EADDRNOTAVAIL, f"{source} is no address of this machine")
    if source.is_loopback and not is_local(address):
        whom = f"from {source} this machine alone can be called, and {address} is another"
        raise OSError(errno.EADDRNOTAVAIL, whom)


def explain(error: OSError) -> str:
    """Return why the kernel did not send, in words."""
    number = error.errno or 0
    if error.strerror not in (None, os.strerror(number)):
        return f"{error.strerror} ({errno.errorcode.get(number, number)})"
    name = errno.errorcode.get(number, str(number))
    text = _WORDS.get(number, os.strerror(number).lower())
    if number == errno.ENETUNREACH and (off := interfaces_down()):
        # A link that is down took its routes with it.
        text += f", and {' and '.join(off)} {'is' if len(off) == 1 else 'are'} down"
    return f"{text} ({name})"
