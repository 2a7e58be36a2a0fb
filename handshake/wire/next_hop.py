"""The next hop on the way to an address, asked of the kernel over rtnetlink (RFC 3549)."""

from __future__ import annotations

import os
import socket
import struct
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final

from handshake.wire.guard import family, sockaddr

if TYPE_CHECKING:
    from handshake.wire.ip import Address

_HEADER: Final = struct.Struct("=IHHII")
_ROUTE: Final = struct.Struct("=BBBBBBBBI")
_ATTRIBUTE: Final = struct.Struct("=HH")
_NUMBER: Final = struct.Struct("=I")

_GET_ROUTE: Final = 26  # RTM_GETROUTE
_NEW_ROUTE: Final = 24  # RTM_NEWROUTE
_REQUEST: Final = 0x1
_ERROR: Final = 2
_DESTINATION, _SOURCE, _OUT, _GATEWAY, _VIA = 1, 2, 4, 5, 18


def next_hop(
    address: Address, source: Address | None = None, interface: str | None = None
) -> Address | None:
    """Return the router that packets to this address are handed to; None if it is on our link.

    Raises OSError where there is no way, and where the kernel cannot be asked.
    """
    attributes = _attribute(_DESTINATION, address.packed)
    if source is not None:
        attributes += _attribute(_SOURCE, source.packed)
    scope = sockaddr(address)[-1] if address.version == 6 else 0
    out = socket.if_nametoindex(interface) if interface is not None else int(scope)
    if out:
        attributes += _attribute(_OUT, _NUMBER.pack(out))
    bits = 8 * len(address.packed)
    of_source = 0 if source is None else bits
    body = _ROUTE.pack(family(address), bits, of_source, 0, 0, 0, 0, 0, 0) + attributes
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as kernel:
        kernel.sendto(
            _HEADER.pack(_HEADER.size + len(body), _GET_ROUTE, _REQUEST, 0, 0) + body, (0, 0)
        )
        answer = kernel.recv(0xFFFF)
    return _gateway(answer)


def _attribute(kind: int, value: bytes) -> bytes:
    length = _ATTRIBUTE.size + len(value)
    return _ATTRIBUTE.pack(length, kind) + value + bytes(-length % 4)


def _gateway(answer: bytes) -> Address | None:
    length, kind, *_ = _HEADER.unpack_from(answer)
    if kind == _ERROR:
        (number,) = struct.unpack_from("=i", answer, _HEADER.size)
        raise OSError(-number, os.strerror(-number))
    at = _HEADER.size + _ROUTE.size
    while kind == _NEW_ROUTE and at + _ATTRIBUTE.size <= length:
        size, name = _ATTRIBUTE.unpack_from(answer, at)
        value = answer[at + _ATTRIBUTE.size : at + size]
        if name == _GATEWAY:
            return ip_address(value)
        if name == _VIA:  # of the other version of IP: two octets name its family
            return ip_address(value[2:])
        at += max(_ATTRIBUTE.size, size + -size % 4)
    return None
