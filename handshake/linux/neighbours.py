"""The neighbours on a link: who of them is asked for in vain (ARP, RFC 4861)."""

from __future__ import annotations

import socket
import struct
from typing import TYPE_CHECKING, Final

from handshake.linux.netlink import ask, attribute
from handshake.linux.next_hop import next_hop
from handshake.linux.rst_guard import family

if TYPE_CHECKING:
    from handshake.packet.checksum import Address

_NEIGHBOUR: Final = struct.Struct("=BxxxiHBB")
_GET_NEIGHBOUR: Final = 30
_DESTINATION: Final = 1
_IN_VAIN: Final = 0x01 | 0x20  # NUD_INCOMPLETE, NUD_FAILED


def silent(
    address: Address, source: Address | None = None, interface: str | None = None
) -> Address | None:
    """Return who on our link does not answer, so that nothing leaves for this address.

    It is the address itself, or the router on the way. None where somebody has answered, where
    nobody was asked, and where the kernel does not tell.
    """
    try:
        hop = next_hop(address, source, interface)
        asked = hop.gateway or address
        index = socket.if_nametoindex(hop.interface)
        question = _NEIGHBOUR.pack(family(asked), index, 0, 0, 0)
        (answer,) = ask(_GET_NEIGHBOUR, question + attribute(_DESTINATION, asked.packed))
    except OSError:
        return None
    return asked if _NEIGHBOUR.unpack_from(answer)[2] & _IN_VAIN else None
