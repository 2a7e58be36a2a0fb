"""Tunnels over IP and UDP."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

from handshake.packet.layer import (
    DOT11,
    ERSPAN,
    ERSPAN_3,
    ETHERIP,
    ETHERNET,
    GRE,
    IP,
    IPV4,
    IPV6,
    LEAST_TYPE,
    MPLS,
    PPP,
    Next,
    u16,
    u32,
)
from handshake.packet.link_layers import IN_ETHERNET
from handshake.packet.tags import NSH_PAYLOADS

if TYPE_CHECKING:
    from handshake.packet.layer import Layer, Octets

PROTOCOLS: Final = {4: IPV4, 41: IPV6, 47: GRE, 97: ETHERIP, 137: MPLS, 143: ETHERNET}
"""Payloads of IP that may contain a packet, by protocol number."""

_CHECKSUM, _ROUTING, _KEY, _SEQUENCE, _ACKNOWLEDGMENT = 0x8000, 0x4000, 0x2000, 0x1000, 0x0080
_WCCP: Final = 0x883E
_EOIP: Final = 0x6400
_ARUBA: Final = range(0x8200, 0x8400, 0x10)
"""GRE protocol types of Aruba's access points: the payload is an 802.11 frame."""

_L2TP_CONTROL, _L2TP_LENGTH, _L2TP_SEQUENCE, _L2TP_OFFSET = 0x8000, 0x4000, 0x0800, 0x0200

_G_PDU: Final = 255


def _gre(octets: Octets, at: int, limit: int) -> Next | None:
    flags, kind = struct.unpack_from("!HH", octets, at)
    at += 4
    if flags & (_CHECKSUM | _ROUTING):
        at += 4
    key = u32(octets, at)[0] if flags & _KEY else None
    at += 4 * (bool(flags & _KEY) + bool(flags & _SEQUENCE))
    if flags & 7 == 1 and kind == _EOIP:  # MikroTik: the key is a length and a tunnel id
        return Next(ETHERNET, at, limit, f"eoip {int.from_bytes(octets[at - 2 : at], 'little')}")
    if flags & 7 == 1:  # PPTP (RFC 2637): the key is a length and a call id
        if key is None or not key >> 16:
            return None
        at += 4 if flags & _ACKNOWLEDGMENT else 0
        return Next(PPP, at, min(limit, at + (key >> 16)), f"pptp {key & 0xFFFF}")
    if flags & 7:
        return None
    if flags & _ROUTING:
        # An empty source route ends the list (RFC 1701).
        while (size := octets[at + 3]) or u16(octets, at)[0]:
            at += 4 + size
        at += 4
    if kind == ERSPAN and not flags & _SEQUENCE:
        return Next(ETHERNET, at, limit, "erspan")  # type I has no header of its own
    if kind == _WCCP:
        # Version 2 puts a header of four octets before the redirected packet.
        return Next(IPV4, at if octets[at] >> 4 == 4 else at + 4, limit, "wccp")
    if kind in _ARUBA:
        kind = DOT11
    elif kind < LEAST_TYPE:
        kind = 0
    return Next(kind, at, limit, "gre" if key is None else f"gre {key}")


def _erspan(octets: Octets, at: int, limit: int) -> Next:
    return Next(ETHERNET, at + 8, limit, f"erspan {u16(octets, at + 2)[0] & 0x3FF}")


def _erspan_3(octets: Octets, at: int, limit: int) -> Next | None:
    _, session, _, _, frame = struct.unpack_from("!HHIHH", octets, at)
    kind = {0: ETHERNET, 2: IP}.get(frame >> 10 & 0x1F)
    if kind is None:
        return None
    size = 20 if frame & 1 else 12  # the platform's own header
    return Next(kind, at + size, limit, f"erspan {session & 0x3FF}")


def _etherip(_: Octets, at: int, limit: int) -> Next:
    return Next(ETHERNET, at + 2, limit, "etherip")


def _vxlan(octets: Octets, at: int, limit: int) -> Next | None:
    if not octets[at] & 0x08:
        return None
    return Next(ETHERNET, at + 8, limit, f"vxlan {u32(octets, at + 4)[0] >> 8}")


def _vxlan_linux(octets: Octets, at: int, limit: int) -> Next | None:
    # The port is not reserved for VXLAN: the reserved bits and the EtherType must agree.
    first, network, kind = struct.unpack_from("!II12xH", octets, at)
    group = first & 0x8000_0000  # the group policy extension uses more of the bits
    if first & (0x77B7_0000 if group else 0xF7FF_FFFF) or network & 0xFF:
        return None
    return _vxlan(octets, at, limit) if kind in IN_ETHERNET else None


def _vxlan_gpe(octets: Octets, at: int, limit: int) -> Next | None:
    if octets[at] & 0x0C != 0x0C:
        return None
    kind = NSH_PAYLOADS.get(octets[at + 3], 0)
    return Next(kind, at + 8, limit, f"vxlan {u32(octets, at + 4)[0] >> 8}")


def _geneve(octets: Octets, at: int, limit: int) -> Next | None:
    first, kind, network = struct.unpack_from("!BxHI", octets, at)
    if first >> 6:
        return None
    return Next(kind, at + 8 + (first & 0x3F) * 4, limit, f"geneve {network >> 8}")


def _gtp_u(octets: Octets, at: int, limit: int) -> Next | None:
    flags, kind, length, tunnel = struct.unpack_from("!BBHI", octets, at)
    if flags >> 4 != 3 or kind != _G_PDU:
        return None
    limit = min(limit, at + 8 + length)
    at += 8
    if flags & 7:
        following = octets[at + 3] if flags & 4 else 0
        at += 4
        while following and at < limit and octets[at]:
            at += octets[at] * 4
            following = octets[at - 1]
    return Next(IP, at, limit, f"gtp-u {tunnel}")


def _l2tp(octets: Octets, at: int, limit: int) -> Next | None:
    flags = u16(octets, at)[0]
    if flags & _L2TP_CONTROL or flags & 0xF != 2:
        return None
    begin, at = at, at + 2
    if flags & _L2TP_LENGTH:
        limit = min(limit, begin + u16(octets, at)[0])
        at += 2
    tunnel, session = struct.unpack_from("!HH", octets, at)
    at += 4 + (4 if flags & _L2TP_SEQUENCE else 0)
    if flags & _L2TP_OFFSET:
        at += 2 + u16(octets, at)[0]
    return Next(PPP, at, limit, f"l2tp {tunnel}/{session}")


def _teredo(octets: Octets, at: int, limit: int) -> Next | None:
    if u16(octets, at)[0] == 1:  # authentication (RFC 4380 section 5.1.1)
        at += 13 + octets[at + 2] + octets[at + 3]
    if u16(octets, at)[0] == 0:  # origin indication
        at += 8
    # The IPv6 packet fills the rest, unlike a DNS reply to this port.
    if octets[at] >> 4 != 6 or at + 40 + u16(octets, at + 4)[0] > limit:
        return None
    return Next(IPV6, at, limit, "teredo")


_IN_UDP: Final[dict[int, tuple[int, Layer]]] = {
    1701: (8, _l2tp),
    2152: (8, _gtp_u),
    3544: (40, _teredo),
    4754: (4, _gre),
    4789: (8, _vxlan),
    4790: (8, _vxlan_gpe),
    6081: (8, _geneve),
    8472: (22, _vxlan_linux),
}
_MPLS_IN_UDP: Final = 6635
_EPHEMERAL: Final = 1024
"""A lower port on either side means the protocol of that port, not a tunnel."""


def udp(octets: Octets, at: int, limit: int) -> Next | None:
    """Return the payload of a UDP datagram if one of its ports is a tunnel's."""
    source, destination, length = struct.unpack_from("!HHH", octets, at)
    if min(source, destination) < _EPHEMERAL:
        return None  # a DNS reply may go to any port
    limit = min(limit, at + length) if length else limit
    for port in (destination, source):
        if port in _IN_UDP:
            least, layer = _IN_UDP[port]
            return layer(octets, at + 8, limit) if at + 8 + least <= limit else None
    if destination == _MPLS_IN_UDP:
        return Next(MPLS, at + 8, limit)
    return None


LAYERS: Final[dict[int, tuple[int, Layer]]] = {
    GRE: (4, _gre),
    ERSPAN: (8, _erspan),
    ERSPAN_3: (12, _erspan_3),
    ETHERIP: (2, _etherip),
}
"""The reader of each kind, and the fewest octets of its header."""
