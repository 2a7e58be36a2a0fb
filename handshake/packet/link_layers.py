"""Link layers: from the first octet of a frame to the IP packet or tunnel in it."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

from handshake.packet import tags
from handshake.packet.layer import (
    COOKED,
    COOKED_2,
    DOT11,
    ENC,
    ETHERNET,
    FAMILY,
    FDDI,
    FRAME_RELAY,
    HDLC,
    IP,
    IPOIB,
    IPV4,
    IPV6,
    LEAST_TYPE,
    LLC,
    MPLS,
    NFLOG,
    PFLOG,
    PKTAP,
    PPP,
    RADIOTAP,
    TOKEN_RING,
    Next,
    UnknownLinkError,
    ether_type,
    u16,
    u32,
)
from handshake.packet.tags import typed

if TYPE_CHECKING:
    from handshake.packet.layer import Layer, Octets

_PPPOE: Final = 0x8864

LINKS: Final = {
    0: FAMILY,
    1: ETHERNET,
    6: TOKEN_RING,
    9: PPP,
    10: FDDI,
    12: IP,
    14: IP,
    50: PPP,
    51: _PPPOE,
    100: LLC,
    101: IP,
    104: HDLC,
    105: DOT11,
    107: FRAME_RELAY,
    108: FAMILY,
    109: ENC,
    113: COOKED,
    117: PFLOG,
    127: RADIOTAP,
    228: IPV4,
    229: IPV6,
    239: NFLOG,
    242: IPOIB,
    258: PKTAP,
    276: COOKED_2,
}
"""The first layer of a frame, by link type."""

_FAMILIES: Final = {2: IPV4, 10: IPV6, 24: IPV6, 28: IPV6, 30: IPV6}
"""AF_INET is 2 everywhere; AF_INET6 differs between systems."""

_PPP_PROTOCOLS: Final = {0x21: IPV4, 0x57: IPV6, 0x281: MPLS}
_NLPIDS: Final = {0xCC: IPV4, 0x8E: IPV6}
_NLPID_SNAP: Final = 0x80
_UNNUMBERED: Final = 0x03
"""The control field of frames without a sequence number."""

_MOST_LABELS: Final = 16
_NETLINK: Final = 824
_802_2: Final = 4
_PAYLOAD: Final = 9
_PACKET: Final = 1


def _ethernet(octets: Octets, at: int, limit: int) -> Next:
    return typed(u16(octets, at + 12)[0], at + 14, limit)


def _llc(octets: Octets, at: int, limit: int) -> Next | None:
    saps = bytes(octets[at : at + 3])
    if saps == b"\xaa\xaa\x03" and bytes(octets[at + 3 : at + 6]) in (b"\0\0\0", b"\0\0\xf8"):
        return Next(ether_type(octets, at + 6), at + 8, limit)
    if saps == b"\x06\x06\x03":
        return Next(IPV4, at + 3, limit)
    if saps == b"\xfe\xfe\x03":
        return _nlpid(octets, at + 3, limit)
    return None


def _nlpid(octets: Octets, at: int, limit: int) -> Next:
    # RFC 2427: 0x80 is the SNAP header, with an EtherType or a bridged frame.
    if octets[at] != _NLPID_SNAP:
        return Next(_NLPIDS.get(octets[at], 0), at + 1, limit)
    kind = {b"\0\0\0": ether_type(octets, at + 4), b"\0\x80\xc2": ETHERNET}
    return Next(kind.get(bytes(octets[at + 1 : at + 4]), 0), at + 6, limit)


def _fddi(octets: Octets, at: int, limit: int) -> Next | None:
    return Next(LLC, at + 13, limit) if octets[at] & 0x30 == 0x10 else None


def _token_ring(octets: Octets, at: int, limit: int) -> Next | None:
    if octets[at + 1] & 0xC0 != 0x40:
        return None
    routing = octets[at + 14] & 0x1F if octets[at + 8] & 0x80 else 0
    return Next(LLC, at + 14 + routing, limit)


def _frame_relay(octets: Octets, at: int, limit: int) -> Next:
    # The lowest bit ends the address. Cisco's own encapsulation puts an EtherType after it.
    while not octets[at] & 1:
        at += 1
    at += 1
    if octets[at] != _UNNUMBERED:
        return Next(ether_type(octets, at), at + 2, limit)
    return _nlpid(octets, at + 1 if octets[at + 1] else at + 2, limit)


def _infiniband(octets: Octets, at: int, limit: int) -> Next:
    return Next(ether_type(octets, at + 40), at + 44, limit)


def _pflog(octets: Octets, at: int, limit: int) -> Next:
    size = octets[at]
    return Next(_FAMILIES.get(octets[at + 1], 0), at + size + -size % 4, limit)


def _enc(_: Octets, at: int, limit: int) -> Next:
    return Next(IP, at + 12, limit)


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
        if begin + 14 <= limit and u16(octets, begin + 12)[0] in IN_ETHERNET:
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
    return typed(u16(octets, at + 2)[0], at + 4, limit)


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
    if protocol < LEAST_TYPE:
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
    **tags.LAYERS,
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
    FDDI: (13, _fddi),
    TOKEN_RING: (15, _token_ring),
    FRAME_RELAY: (4, _frame_relay),
    IPOIB: (44, _infiniband),
    PFLOG: (4, _pflog),
    ENC: (12, _enc),
}
"""The reader of each kind, and the fewest octets of its header."""

IN_ETHERNET: Final = frozenset((IPV4, IPV6, *(kind for kind in LAYERS if kind >= LEAST_TYPE)))
"""EtherTypes of frames that may carry an IP packet."""
