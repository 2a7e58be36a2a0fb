"""Addresses as socket calls expect them."""

from __future__ import annotations

import ctypes
import os
import socket
import struct
from ipaddress import IPv6Address
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from handshake.packet.checksum import Address

_ETH_P_ALL: Final = 0x0003
_SOCKADDR_LL: Final = struct.Struct("=HHi12x")

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


def bind_everywhere(packets: socket.socket) -> None:
    """Bind a packet socket to every protocol and interface: Python's bind() needs a name of one."""
    libc = ctypes.CDLL(None, use_errno=True)
    address = _SOCKADDR_LL.pack(socket.AF_PACKET, socket.htons(_ETH_P_ALL), 0)
    if libc.bind(packets.fileno(), address, len(address)) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
