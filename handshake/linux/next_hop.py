"""What the kernel's tables say about an address: next hop, neighbour, whether it is local."""

from __future__ import annotations

import os
import socket
import struct
import sys
from contextlib import suppress
from ipaddress import IPv4Address
from typing import TYPE_CHECKING, Final, NamedTuple

from handshake.linux.sockaddr import family, sockaddr
from handshake.tcp.address import ip_address

if TYPE_CHECKING:
    from collections.abc import Iterator

    from handshake.packet.checksum import Address

# rtnetlink (RFC 3549), which needs no privilege: <linux/netlink.h>.
_MESSAGE: Final = struct.Struct("=IHHII")
_ATTRIBUTE: Final = struct.Struct("=HH")
_NUMBER: Final = struct.Struct("=I")

_REQUEST: Final = 0x1
_DUMP: Final = 0x300
_MESSAGE_ERROR, _MESSAGE_DONE = 2, 3

# <linux/rtnetlink.h>, <linux/if_addr.h>, <linux/neighbour.h>, <linux/if.h>
_GET_LINK, _GET_ADDRESS, _GET_ROUTE, _GET_NEIGHBOUR = 18, 22, 26, 30

_ROUTE: Final = struct.Struct("=BBBBBBBBI")
_ROUTE_KIND: Final = 7
_LOCAL, _BROADCAST = 2, 3  # RTN_LOCAL, RTN_BROADCAST
_DESTINATION, _SOURCE, _OUT, _GATEWAY, _VIA = 1, 2, 4, 5, 18

_ADDRESS: Final = struct.Struct("=BBBBI")
_PEER_ADDRESS, _LOCAL_ADDRESS = 1, 2
"""On a point-to-point link IPv4 has both; elsewhere there may be only the first."""

_NEIGHBOUR: Final = struct.Struct("=BxxxiHBB")
_UNRESOLVED: Final = 0x01 | 0x20  # NUD_INCOMPLETE, NUD_FAILED

_LINK: Final = struct.Struct("=BxHiII")
_LINK_NAME: Final = 3
_UP, _NO_ARP, _LOWER_UP = 0x1, 0x80, 0x10000

_LIMITED_BROADCAST: Final = IPv4Address(0xFFFFFFFF)


class Hop(NamedTuple):
    """How packets to an address leave this machine."""

    gateway: Address | None
    """The router they are sent to; None if the address is on a local link."""

    interface: str
    """The outgoing interface."""

    local: bool
    """Whether the address is one of this machine's, so that they do not leave it."""

    broadcast: bool
    """Whether the address is a broadcast address of a link."""


def next_hop(address: Address, source: Address | None = None, interface: str | None = None) -> Hop:
    """Return the next hop of packets to this address.

    Raises OSError if there is no route, or the kernel does not answer.
    """
    wanted = _attribute(_DESTINATION, address.packed)
    if source is not None:
        wanted += _attribute(_SOURCE, source.packed)
    scope = sockaddr(address)[-1] if address.version == 6 else 0
    out = socket.if_nametoindex(interface) if interface is not None else int(scope)
    if out:
        wanted += _attribute(_OUT, _number(out))
    bits = 8 * len(address.packed)
    of_source = 0 if source is None else bits
    route = _ROUTE.pack(family(address), bits, of_source, 0, 0, 0, 0, 0, 0)
    (answer,) = _ask(_GET_ROUTE, route + wanted)
    found = _attributes(answer, _ROUTE.size)
    router = None
    if _GATEWAY in found:
        router = ip_address(found[_GATEWAY])
    elif _VIA in found:  # a gateway of the other IP version: two octets name its family
        router = ip_address(found[_VIA][2:])
    index = int.from_bytes(found.get(_OUT, b""), sys.byteorder)
    kind = _ROUTE.unpack_from(answer)[_ROUTE_KIND]
    name = socket.if_indextoname(index) if index else ""
    return Hop(router, name, kind == _LOCAL, kind == _BROADCAST)


def gateway(address: Address, source: Address, interface: str | None = None) -> Address | None:
    """Return the router that packets to this address are sent to; None if none is known."""
    try:
        return next_hop(address, source, interface).gateway
    except OSError:  # the route is gone, or the kernel does not answer
        return None


def unresolved_neighbour(
    address: Address, source: Address | None = None, interface: str | None = None
) -> Address | None:
    """Return the neighbour that does not answer ARP or neighbour discovery (RFC 826, RFC 4861).

    It is the address itself, or the gateway to it. None if it is resolved, if the kernel has not
    tried to resolve it, or does not answer.
    """
    try:
        hop = next_hop(address, source, interface)
        neighbour = hop.gateway or address
        index = socket.if_nametoindex(hop.interface)
        request = _NEIGHBOUR.pack(family(neighbour), index, 0, 0, 0)
        (answer,) = _ask(_GET_NEIGHBOUR, request + _attribute(_DESTINATION, neighbour.packed))
    except OSError:
        return None
    return neighbour if _NEIGHBOUR.unpack_from(answer)[2] & _UNRESOLVED else None


def is_local(address: Address) -> bool:
    """Whether packets to the address stay on this machine, as for all of 127.0.0.0/8."""
    with suppress(OSError):
        return next_hop(address).local
    return False


def is_own_address(address: Address) -> bool:
    """Whether an interface of this machine has the address, or a local route covers it.

    Binding a socket does not tell, with net.ipv4.ip_nonlocal_bind. Raises OSError if the kernel
    does not answer.
    """
    packed = address.packed
    for answer in _ask(_GET_ADDRESS, _ADDRESS.pack(family(address), 0, 0, 0, 0), dump=True):
        found = _attributes(answer, _ADDRESS.size)
        if found.get(_LOCAL_ADDRESS, found.get(_PEER_ADDRESS)) == packed:
            return True
    return is_local(address)


def is_valid_source(address: Address) -> bool:
    """Whether a packet may have this source address at all: whether it is unicast."""
    return not (address.is_multicast or address.is_unspecified or address == _LIMITED_BROADCAST)


def interfaces_down() -> list[str]:
    """Return the names of the interfaces that are down, those without ARP left out.

    Raises OSError if the kernel does not answer.
    """
    return [name for name, flags in _interface_flags().items() if not flags & (_UP | _NO_ARP)]


def interfaces_without_carrier() -> list[str]:
    """Return the names of the interfaces that are up and have no carrier."""
    return [
        name for name, flags in _interface_flags().items() if flags & _UP and not flags & _LOWER_UP
    ]


def _interface_flags() -> dict[str, int]:
    found = {}
    for link in _ask(_GET_LINK, _LINK.pack(0, 0, 0, 0, 0), dump=True):
        name = _attributes(link, _LINK.size)[_LINK_NAME].rstrip(b"\0").decode("utf-8", "replace")
        found[name] = _LINK.unpack_from(link)[3]
    return found


def _ask(kind: int, body: bytes, *, dump: bool = False) -> Iterator[bytes]:
    """Yield the body of each reply to one request. Raises OSError if the kernel refuses."""
    flags = _REQUEST | (_DUMP if dump else 0)
    request = _MESSAGE.pack(_MESSAGE.size + len(body), kind, flags, 0, 0) + body
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as kernel:
        kernel.sendto(request, (0, 0))
        while True:
            octets, at = kernel.recv(0xFFFF), 0
            while at + _MESSAGE.size <= len(octets):
                length, answer, *_ = _MESSAGE.unpack_from(octets, at)
                found = octets[at + _MESSAGE.size : at + length]
                if answer == _MESSAGE_DONE:
                    return
                if answer == _MESSAGE_ERROR:
                    _raise(found)
                yield found
                at += max(_MESSAGE.size, length + -length % 4)
            if not dump:
                return


def _attribute(kind: int, value: bytes) -> bytes:
    """Return an attribute for the body of a request."""
    length = _ATTRIBUTE.size + len(value)
    return _ATTRIBUTE.pack(length, kind) + value + bytes(-length % 4)


def _number(value: int) -> bytes:
    """Return a number as an attribute holds it."""
    return _NUMBER.pack(value)


def _attributes(body: bytes, at: int) -> dict[int, bytes]:
    """Return the attributes in a body, from the offset `at` on, by kind."""
    found = {}
    while at + _ATTRIBUTE.size <= len(body):
        length, kind = _ATTRIBUTE.unpack_from(body, at)
        found[kind] = body[at + _ATTRIBUTE.size : at + length]
        at += max(_ATTRIBUTE.size, length + -length % 4)
    return found


def _raise(body: bytes) -> None:
    (code,) = struct.unpack_from("=i", body)
    if code:
        raise OSError(-code, os.strerror(-code))
