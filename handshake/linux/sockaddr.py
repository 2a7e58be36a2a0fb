"""Addresses as socket calls expect them."""

from __future__ import annotations

import socket
from ipaddress import IPv6Address
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from handshake.packet.checksum import Address

LINK: Final = 0
"""The key of the socket that hands packets to an interface, beside the versions of IP."""


def sockaddr(address: Address, port: int = 0) -> tuple[str, int] | tuple[str, int, int, int]:
    """Return the address as the socket module expects it. Raises OSError for an unknown scope."""
    if not isinstance(address, IPv6Address):
        return str(address), port
    plain, _, scope = str(address).partition("%")
    index = 0
    if scope:
        index = int(scope) if scope.isdecimal() else socket.if_nametoindex(scope)
    return plain, port, 0, index


def family(address: Address) -> socket.AddressFamily:
    """Return the socket address family of this address."""
    return socket.AF_INET if address.version == 4 else socket.AF_INET6
