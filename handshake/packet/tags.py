"""Tags and headers that have an EtherType, between Ethernet and the packet."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

from handshake.packet.layer import (
    DOT11,
    ETHERNET,
    IPV4,
    IPV6,
    LEAST_TYPE,
    LLC,
    MPLS,
    Next,
    UnknownTypeError,
    u16,
    u32,
)

if TYPE_CHECKING:
    from handshake.packet.layer import Layer, Octets

NSH: Final = 0x894F
_MACSEC: Final = 0x88E5

_EXPLICIT_ID, _ENCRYPTED, _CHANGED = 0x20, 0x08, 0x04

NSH_PAYLOADS: Final = {1: IPV4, 2: IPV6, 3: ETHERNET, 4: NSH, 5: MPLS}
"""Payloads of NSH (RFC 8300 section 2.2), and of VXLAN-GPE."""


def typed(kind: int, at: int, limit: int, via: str = "") -> Next:
    """Return what follows an EtherType, or the length in its place."""
    if kind < LEAST_TYPE:
        return Next(LLC, at, min(limit, at + kind), via)
    return Next(kind, at, limit, via)


def _vlan(octets: Octets, at: int, limit: int) -> Next:
    tag, kind = struct.unpack_from("!HH", octets, at)
    # VLAN 0 is only a priority tag (IEEE 802.1Q).
    number = tag & 0xFFF
    return typed(kind, at + 4, limit, f"vlan {number}" if number else "")


def _e_tag(octets: Octets, at: int, limit: int) -> Next:
    # IEEE 802.1BR: the upper eight bits of the E-CID are in the last octet.
    _, low, _, high, kind = struct.unpack_from("!HHBBH", octets, at)
    return typed(kind, at + 8, limit, f"e-tag {high << 14 | low & 0x3FFF}")


def _vn_tag(octets: Octets, at: int, limit: int) -> Next:
    return typed(u16(octets, at + 4)[0], at + 6, limit, "vn-tag")


def _metadata(octets: Octets, at: int, limit: int) -> Next:
    # Cisco MetaData: version, length in words, then the security group tag.
    (group,) = u16(octets, at + 4)
    after = at + 2 + octets[at + 1] * 4
    return typed(u16(octets, after)[0], after + 2, limit, f"sgt {group}")


def _redundancy(octets: Octets, at: int, limit: int) -> Next:
    # HSR (IEC 62439-3) and R-TAG (IEEE 802.1CB): four octets with a sequence number.
    return typed(u16(octets, at + 4)[0], at + 6, limit)


def _congestion(octets: Octets, at: int, limit: int) -> Next:
    return typed(u16(octets, at + 2)[0], at + 4, limit)


def _macsec(octets: Octets, at: int, limit: int) -> Next:
    if octets[at] & (_ENCRYPTED | _CHANGED):
        raise UnknownTypeError(_MACSEC)
    at += 14 if octets[at] & _EXPLICIT_ID else 6
    return typed(u16(octets, at)[0], at + 2, limit, "macsec")


def _fabric_path(_: Octets, at: int, limit: int) -> Next:
    return Next(ETHERNET, at + 2, limit, "fabricpath")


def _trill(octets: Octets, at: int, limit: int) -> Next:
    options = u16(octets, at)[0] >> 6 & 0x1F
    return Next(ETHERNET, at + 6 + options * 4, limit, "trill")


def _provider_backbone(octets: Octets, at: int, limit: int) -> Next:
    return Next(ETHERNET, at + 4, limit, f"pbb {u32(octets, at)[0] & 0xFFFFFF}")


def _service_header(octets: Octets, at: int, limit: int) -> Next:
    size = (u16(octets, at)[0] & 0x3F) * 4
    path = u32(octets, at + 4)[0] >> 8
    return Next(NSH_PAYLOADS.get(octets[at + 3], 0), at + max(size, 8), limit, f"nsh {path}")


def _centrino(_: Octets, at: int, limit: int) -> Next:
    # Drivers of Intel's first wireless cards put the 802.11 frame into an Ethernet frame.
    return Next(DOT11, at, limit)


def _jumbo(_: Octets, at: int, limit: int) -> Next:
    return Next(LLC, at, limit)


LAYERS: Final[dict[int, tuple[int, Layer]]] = {
    0x8100: (4, _vlan),
    0x88A8: (4, _vlan),
    # QinQ before 802.1ad assigned a tag.
    0x9100: (4, _vlan),
    0x9200: (4, _vlan),
    0x893F: (8, _e_tag),
    0x8926: (6, _vn_tag),
    0x8909: (8, _metadata),
    0x892F: (6, _redundancy),
    0xF1C1: (6, _redundancy),
    0x22E9: (4, _congestion),
    _MACSEC: (8, _macsec),
    0x8903: (2, _fabric_path),
    0x22F3: (6, _trill),
    0x88E7: (4, _provider_backbone),
    NSH: (8, _service_header),
    0x2452: (24, _centrino),
    0x8870: (4, _jumbo),
}
"""The reader of each kind, and the fewest octets of its header."""

_DECNET: Final = range(0x6001, 0x6008)
WITHOUT_IP: Final = frozenset(
    (
        *(0x0806, 0x8035, 0x80F3, 0x2001),  # ARP, RARP, AppleTalk's, NHRP
        *(0x8137, 0x8138, 0x809B, 0x0BAD, 0x80C4, *_DECNET),  # IPX, AppleTalk, VINES, DECnet
        *(0x88CC, 0x893A, 0x8899, 0x88BB, 0x2000),  # LLDP, IEEE 1905, Realtek, LWAPP, CDP
        *(0x888E, 0x88C7, 0x890D, 0x8863),  # EAPOL, pre-authentication, TDLS, PPPoE discovery
        *(0x8808, 0x8809, 0x8902, 0x9000, 0x9003),  # pause, LACP, CFM, loopback
        *(0x22EA, 0x22F0, 0x22F4, 0x88F5, 0x88F6, 0x88F7),  # SRP, AVTP, IS-IS, MVRP, MMRP, PTP
        *(0x8892, 0x88A4, 0x88AB, 0x88CD, 0x88E3, 0x88FB),  # PROFINET, EtherCAT and the like
        *(0x88B8, 0x88B9, 0x88BA, 0x88E1, 0x8912, 0x887B),  # IEC 61850, HomePlug
        *(0x88A2, 0x8906, 0x8914, 0x8915, 0x88CA, 0x0842),  # AoE, FCoE, RoCE, TIPC, Wake-on-LAN
        *(0x00FE, 0x876B),  # OSI and compressed headers, in GRE
    )
)
"""EtherTypes whose frames carry no IP packet: they are passed over in silence."""

NAMES: Final = {
    0x2005: "MikroTik",
    0x4305: "B.A.T.M.A.N.",
    0x6559: "Frame Relay",
    0x8847: "MPLS",
    _MACSEC: "MACsec, encrypted",
    0x88B5: "local experiment",
    0x88B6: "local experiment",
    0x88B7: "vendor's own",
    0x88DC: "WSMP",
    0xA0ED: "6LoWPAN",
    0xD28B: "Arista",
}
"""Names of EtherTypes that are not supported."""
