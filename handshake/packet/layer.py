"""What a layer reader returns: the next layer and its place."""

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
FDDI, TOKEN_RING, FRAME_RELAY, IPOIB, PFLOG, ENC = range(13, 19)
"""Kinds without an EtherType: EtherTypes begin at 0x600."""

LEAST_TYPE: Final = 0x600
"""A smaller number in place of an EtherType is a length (IEEE 802.3)."""

u16: Final = struct.Struct("!H").unpack_from
u32: Final = struct.Struct("!I").unpack_from


class Next(NamedTuple):
    """The next layer."""

    kind: int
    """An EtherType, or one of the kinds below 0x600."""

    at: int
    """Its offset."""

    limit: int
    """Its latest possible end on the wire, which may be beyond the captured octets."""

    via: str = ""
    """The name of the layer before it, if it is a tunnel or tag, such as "vlan 5"."""


Layer: TypeAlias = Callable[[Octets, int, int], Next | None]
"""Reads the header at an offset. Returns None if no layer that can carry TCP follows.

May raise IndexError or struct.error if the header is truncated.
"""


def ether_type(octets: Octets, at: int) -> int:
    """Return the EtherType at an offset; 0 if the number there is too small to be one."""
    (kind,) = u16(octets, at)
    return int(kind) if kind >= LEAST_TYPE else 0


class UnknownTypeError(Exception):
    """The EtherType, or the protocol type of GRE, is not supported."""

    def __init__(self, kind: int, *, in_gre: bool = False) -> None:
        super().__init__(kind)
        self.kind = kind
        self.in_gre = in_gre


class UnknownLinkError(Exception):
    """The link type is not supported."""

    def __init__(self, link_type: int) -> None:
        super().__init__(link_type)
        self.link_type = link_type
