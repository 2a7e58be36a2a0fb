"""How the layers of a frame name each other: what each one hands on to the next."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Final, NamedTuple, TypeAlias

Octets: TypeAlias = bytes | memoryview

IPV4: Final = 0x0800
IPV6: Final = 0x86DD
ETHERNET: Final = 0x6558
PPP: Final = 0x880B
MPLS: Final = 0x8847
ERSPAN: Final = 0x88BE
ERSPAN_3: Final = 0x22EB
"""Kinds that are EtherTypes."""

IP, LLC, GRE, HDLC, FAMILY, COOKED, COOKED_2, DOT11, RADIOTAP, NFLOG, PKTAP, ETHERIP = range(1, 13)
"""Kinds that no EtherType stands for: those begin at 0x600."""

u16: Final = struct.Struct("!H").unpack_from
u32: Final = struct.Struct("!I").unpack_from


class Next(NamedTuple):
    """What a layer carries, and where."""

    kind: int
    """An EtherType, or one of the kinds below 0x600."""

    at: int
    """Where it begins in the octets."""

    limit: int
    """Where it ends at the latest: on the wire, so it may lie behind what was captured."""

    via: str = ""
    """The layer that was left, if it is one to be named, such as "vlan 5"."""


Layer: TypeAlias = Callable[[Octets, int, int], Next | None]
"""Reads one header at a place. None: nothing that could hold a segment follows.

It may raise IndexError or struct.error where the octets end before.
"""


class UnknownLinkError(Exception):
    """Frames of this link type cannot be read."""

    def __init__(self, link_type: int) -> None:
        super().__init__(link_type)
        self.link_type = link_type
