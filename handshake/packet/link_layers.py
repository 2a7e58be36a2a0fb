"""Link layers: from the first octet of a frame to the IP packet or tunnel in it."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

from handshake.packet.layer import (
    COOKED,
    COOKED_2,
    DOT11,
    ETHERNET,
    FAMILY,
    HDLC,
    IP,
    IPV4,
    IPV6,
    LLC,
    MPLS,
    NFLOG,
    PKTAP,
    PPP,
    RADIOTAP,
    Next,
    UnknownLinkError,
    u16,
    u32,
)

if TYPE_CHECKING:
    from handshake.packet.layer import Layer, Octets

_PPPOE: Final = 0x8864

LINKS: Final = {
    0: FAMILY,
    1: ETHERNET,
    9: PPP,
    12: IP,
    14: IP,
    50: PPP,
    51: _PPPOE,
    101: IP,
    104: HDLC,
    105: DOT11,
    108: FAMILY,
    113: COOKED,
    127: RADIOTAP,
    228: IPV4,
    229: IPV6,
    239: NFLOG,
    258: PKTAP,
    276: COOKED_2,
}
"""The first layer of a frame, by link type."""

_FAMILIES: Final = {2: IPV4, 10: IPV6, 24: IPV6, 28: IPV6, 30: IPV6}
"""AF_INET is 2 everywhere; AF_INET6 differs between systems."""

_PPP_PROTOCOLS: Final = {0x21: IPV4, 0x57: IPV6, 0x281: MPLS}
_NLPIDS: Final = {0xCC: IPV4, 0x8E: IPV6}

_LEAST_TYPE: Final = 0x600
"""A smaller number in place of an EtherType is a length (IEEE 802.3)."""

_MOST_LABELS: Final = 16
_NETLINK: Final = 824
_802_2: Final = 4
_PAYLOAD: Final = 9
_PACKET: Final = 1


def _typed(kind: int, at: int, limit: int, via: str = "") -> Next:
    if kind < _LEAST_TYPE:
        return Next(LLC, at, min(limit, at + kind), via)
    return Next(kind, at, limit, via)


def _ethernet(octets: Octets, at: int, limit: int) -> Next:
    return _typed(u16(octets, at + 12)[0], at + 14, limit)


def _vlan(octets: Octets, at: int, limit: int) -> Next:
    tag, kind = struct.unpack_from("!HH", octets, at)
    # VLAN 0 is only a priority tag (IEEE 802.1Q).
    number = tag & 0xFFF
    return _typed(kind, at + 4, limit, f"vlan {number}" if number else "")


def _fabric_path(_: Octets, at: int, limit: int) -> Next:
    return Next(ETHERNET, at + 2, limit, "fabricpath")


def _provider_backbone(octets: Octets, at: int, limit: int) -> Next:
    return Next(ETHERNET, at + 4, limit, f"pbb {u32(octets, at)[0] & 0xFFFFFF}")


def _llc(octets: Octets, at: int, limit: int) -> Next | None:
    saps = bytes(octets[at : at + 3])
    if saps == b"\xaa\xaa\x03" and bytes(octets[at + 3 : at + 6]) in (b"\0\0\0", b"\0\0\xf8"):
        return Next(u16(octets, at + 6)[0], at + 8, limit)
    if saps == b"\x06\x06\x03":
        return Next(IPV4, at + 3, limit)
    if saps == b"\xfe\xfe\x03":
        return Next(_NLPIDS.get(octets[at + 3], 0), at + 4, limit)
    return None


def _mpls(octets: Octets, at: int, limit: int) -> Next | None:
    labels = []
    for begin in range(at, at + 4 * _MOST_LABELS, 4):
        entry = u32(octets, begin)[0]
        labels.append(str(entry >> 12))
        if entry & 0x100:
            return _below_mpls(octets, begin + 4, limit, f"mpls {'/'.join(labels)}")
    return None


def _below_mpls(octets: Octets, at: int, limit: int, via: str) -> Next | None:
    # A label does not tell its payload. IP is recognised by its version (RFC 4928); a pseudowire's
    # control word begins with 0 (RFC 4385), and Ethernet is recognised by a known type.
    version = octets[at] >> 4
    if version in (4, 6):
        return Next(IP, at, limit, via)
    for begin in (at + 4, at) if version == 0 else (at,):
        if begin + 14 <= limit and u16(octets, begin + 12)[0] in _IN_ETHERNET:
            return Next(ETHERNET, begin, limit, via)
    return None


def _pppoe(octets: Octets, at: int, limit: int) -> Next | None:
    version, code, session, length = struct.unpack_from("!BBHH", octets, at)
    if version != 0x11 or code:
        return None
    return Next(PPP, at + 6, min(limit, at + 6 + length), f"pppoe {session}")


def _ppp(octets: Octets, at: int, limit: int) -> Next:
    if octets[at] in (0x0F, 0x8F):
        return Next(HDLC, at, limit)
    if octets[at] == 0xFF and octets[at + 1] == 0x03:
        at += 2
    # An odd first octet is a compressed protocol field (RFC 1661 section 6.5).
    size = 1 if octets[at] & 1 else 2
    protocol = int.from_bytes(octets[at : at + size], "big")
    return Next(_PPP_PROTOCOLS.get(protocol, 0), at + size, limit)


def _hdlc(octets: Octets, at: int, limit: int) -> Next:
    return _typed(u16(octets, at + 2)[0], at + 4, limit)


def _family(octets: Octets, at: int, limit: int) -> Next:
    # LOOP is in network byte order, NULL in that of the capturing host, which is unknown.
    field = bytes(octets[at : at + 4])
    family = min(int.from_bytes(field, "big"), int.from_bytes(field, "little"))
    return Next(_FAMILIES.get(family, 0), at + 4, limit)


def _ip(octets: Octets, at: int, limit: int) -> Next:
    return Next({4: IPV4, 6: IPV6}.get(octets[at] >> 4, 0), at, limit)


def _cooked(octets: Octets, at: int, limit: int) -> Next | None:
    return _cooked_as(u16(octets, at + 2)[0], u16(octets, at + 14)[0], at + 16, limit)


def _cooked_2(octets: Octets, at: int, limit: int) -> Next | None:
    return _cooked_as(u16(octets, at + 8)[0], u16(octets, at)[0], at + 20, limit)


def _cooked_as(hardware: int, protocol: int, at: int, limit: int) -> Next | None:
    if hardware == _NETLINK:
        return None
    if protocol < _LEAST_TYPE:
        return Next(LLC, at, limit) if protocol == _802_2 else None
    return Next(protocol, at, limit)


def _nflog(octets: Octets, at: int, limit: int) -> Next | None:
    kind = {2: IPV4, 10: IPV6}.get(octets[at], 0)
    at += 4
    while at + 4 <= limit:
        # In the byte order of the logging host. Lengths are short: the smaller value is right.
        field = bytes(octets[at : at + 4])
        length = min(int.from_bytes(field[:2], "big"), int.from_bytes(field[:2], "little"))
        tag = min(int.from_bytes(field[2:], "big"), int.from_bytes(field[2:], "little"))
        if tag == _PAYLOAD:
            return Next(kind or IP, at + 4, limit)
        if length < 4:
            return None
        at += length + -length % 4
    return None


def _pktap(octets: Octets, at: int, limit: int) -> Next | None:
    length, record, link_type = struct.unpack_from("<III", octets, at)
    if record != _PACKET or length < 12:
        return None
    if link_type not in LINKS:
        raise UnknownLinkError(link_type)
    return Next(LINKS[link_type], at + length, limit)


LAYERS: Final[dict[int, tuple[int, Layer]]] = {
    ETHERNET: (14, _ethernet),
    0x8100: (4, _vlan),
    0x88A8: (4, _vlan),
    # QinQ before 802.1ad assigned a tag.
    0x9100: (4, _vlan),
    0x9200: (4, _vlan),
    0x8903: (2, _fabric_path),
    0x88E7: (4, _provider_backbone),
    MPLS: (5, _mpls),
    0x8848: (5, _mpls),
    _PPPOE: (6, _pppoe),
    PPP: (2, _ppp),
    IP: (1, _ip),
    LLC: (4, _llc),
    HDLC: (4, _hdlc),
    FAMILY: (4, _family),
    COOKED: (16, _cooked),
    COOKED_2: (20, _cooked_2),
    NFLOG: (4, _nflog),
    PKTAP: (12, _pktap),
}
"""The reader of each kind, and the fewest octets of its header."""

_IN_ETHERNET: Final = frozenset((IPV4, IPV6, *(kind for kind in LAYERS if kind >= _LEAST_TYPE)))
