"""The first hop on the way to an address, as the kernel would choose it."""

from __future__ import annotations

import socket
import struct
import sys
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final, NamedTuple

from handshake.linux.netlink import ask, attribute, attributes, number
from handshake.linux.rst_guard import family, sockaddr

if TYPE_CHECKING:
    from handshake.packet.checksum import Address

_ROUTE: Final = struct.Struct("=BBBBBBBBI")
_GET_ROUTE: Final = 26
_KIND: Final = 7
_LOCAL, _BROADCAST = 2, 3  # RTN_LOCAL, RTN_BROADCAST
_DESTINATION, _SOURCE, _OUT, _GATEWAY, _VIA = 1, 2, 4, 5, 18


class Hop(NamedTuple):
    """How packets leave this machine."""

    gateway: Address | None
    """The router that they are handed to; None if the address is on a link of ours."""

    interface: str
    """By which interface."""

    local: bool
    """Whether they do not: the address is one of this machine's."""

    broadcast: bool
    """Whether they go to everybody on a link."""


def gateway(address: Address, source: Address, interface: str | None = None) -> Address | None:
    """Return the router by which packets to this address leave; None where it is not known of."""
    try:
        return next_hop(address, source, interface).gateway
    except OSError:  # there is no way by now, or the kernel does not say
        return None


def next_hop(address: Address, source: Address | None = None, interface: str | None = None) -> Hop:
    """Return the first hop of packets to this address.

    Raises OSError where there is no way, and where the kernel cannot be asked.
    """
    wanted = attribute(_DESTINATION, address.packed)
    if source is not None:
        wanted += attribute(_SOURCE, source.packed)
    scope = sockaddr(address)[-1] if address.version == 6 else 0
    out = socket.if_nametoindex(interface) if interface is not None else int(scope)
    if out:
        wanted += attribute(_OUT, number(out))
    bits = 8 * len(address.packed)
    of_source = 0 if source is None else bits
    route = _ROUTE.pack(family(address), bits, of_source, 0, 0, 0, 0, 0, 0)
    (answer,) = ask(_GET_ROUTE, route + wanted)
    found = attributes(answer, _ROUTE.size)
    gateway = None
    if _GATEWAY in found:
        gateway = ip_address(found[_GATEWAY])
    elif _VIA in found:  # of the other version of IP: two octets name its family
        gateway = ip_address(found[_VIA][2:])
    index = int.from_bytes(found.get(_OUT, b""), sys.byteorder)
    kind = _ROUTE.unpack_from(answer)[_KIND]
    name = socket.if_indextoname(index) if index else ""
    return Hop(gateway, name, kind == _LOCAL, kind == _BROADCAST)
