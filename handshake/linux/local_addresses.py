"""The addresses of this machine: no call leaves from any other."""

from __future__ import annotations

import struct
from contextlib import suppress
from ipaddress import IPv4Address
from typing import TYPE_CHECKING, Final

from handshake.linux.netlink import ask, attributes
from handshake.linux.next_hop import next_hop
from handshake.linux.rst_guard import family

if TYPE_CHECKING:
    from handshake.packet.checksum import Address

_ADDRESS: Final = struct.Struct("=BBBBI")
_GET_ADDRESS: Final = 22
_THEIRS, _OURS = 1, 2
"""Of a point-to-point link IPv4 names both ends; elsewhere there may be the first alone."""

_EVERYBODY: Final = IPv4Address(0xFFFFFFFF)


def may_call_from(source: Address) -> bool:
    """Whether a call may have this source at all, whosever address it is."""
    return not (source.is_multicast or source.is_unspecified or source == _EVERYBODY)


def is_ours(address: Address) -> bool:
    """Whether an interface of this machine has the address, or its routes say that it is local.

    A kernel that lets sockets bind to any address does not tell. Raises OSError where it cannot
    be asked.
    """
    packed = address.packed
    for answer in ask(_GET_ADDRESS, _ADDRESS.pack(family(address), 0, 0, 0, 0), all_of_them=True):
        found = attributes(answer, _ADDRESS.size)
        if found.get(_OURS, found.get(_THEIRS)) == packed:
            return True
    return is_local(address)


def is_local(address: Address) -> bool:
    """Whether packets to the address stay on this machine: all of 127.0.0.0/8 does, too."""
    with suppress(OSError):
        return next_hop(address).local
    return False
