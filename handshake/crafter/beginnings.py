"""What octets without a capture around them may begin with, and which of it is probable."""

from __future__ import annotations

from typing import Final

from handshake.packet.checksum import checksum, internet_checksum
from handshake.packet.frame import Frame
from handshake.packet.ip import header
from handshake.packet.layer_parser import LayerParser
from handshake.tcp import Flags, Options
from handshake.tcp.segment import HEADER
from handshake.units import TCP

TCP_ALONE: Final = "tcp"

BEGINNINGS: Final = {
    "ethernet": 1,
    "cooked": 113,
    "cooked2": 276,
    "loopback": 0,
    "ip": 101,
    TCP_ALONE: -1,
}
"""The link type of each, where it has one: `cooked` is `tcpdump -i any`, `loopback` BSD's."""

TITLES: Final = {
    "ethernet": "Ethernet",
    "cooked": "Linux cooked capture",
    "cooked2": "Linux cooked capture v2",
    "loopback": "BSD loopback",
    "frame": "link layer",
}
"""What a link layer is called on the screen."""

_TAGS: Final = (0x8100, 0x88A8)
_TYPES: Final = {0x0800: 4, 0x86DD: 6}
_LEAST_TYPE: Final = 0x600  # what is less is a length (IEEE 802.3)
_FAMILIES: Final = {2: 4, 10: 6, 24: 6, 28: 6, 30: 6}
_EXTENSIONS: Final = (0, 43, 44, 51, 60)
_PLAIN_IP: Final = (12, 14, 101, 228, 229)

_LEAST: Final = 3
"""Points below which nothing is probable."""

_IMPOSSIBLE: Final = (Flags.SYN | Flags.FIN, Flags.SYN | Flags.RST, Flags.FIN | Flags.RST)


def probable(octets: bytes) -> str | None:
    """Return which of `BEGINNINGS` the octets begin with; None where nothing is probable."""
    points = {name: _points(octets, kind) for name, kind in BEGINNINGS.items()}
    points[TCP_ALONE] = _tcp_points(octets)
    # Of equals the first: more layers agree by chance less often.
    best = max(points, key=lambda name: points[name])
    return best if points[best] >= _LEAST else None


def ip_offset(octets: bytes, link_type: int) -> int | None:
    """Return where the IP header of a frame begins, if its link layer says that there is one."""
    at, version = _below(octets, link_type)
    if at is None or at >= len(octets):
        return None
    found = octets[at] >> 4
    return at if found in (4, 6) and version in (0, found) else None


def _below(octets: bytes, link_type: int) -> tuple[int | None, int]:
    """Return where the link layer ends, and the version of IP that it names; 0 for any."""
    if link_type in _PLAIN_IP:
        return 0, 0
    if link_type == 1:
        at = 12
        while int.from_bytes(octets[at : at + 2], "big") in _TAGS:
            at += 4
        return at + 2, _type_at(octets, at)
    if link_type == 113:
        return 16, _type_at(octets, 14)
    if link_type == 276:
        return 20, _type_at(octets, 0)
    if link_type in (0, 108):
        field = octets[:4]
        family = min(int.from_bytes(field, "big"), int.from_bytes(field, "little"))
        return 4, _FAMILIES.get(family, -1)
    return None, -1


def other_type(octets: bytes, link_type: int) -> tuple[int, int] | None:
    """Return where a frame has its EtherType, and that; None where it has none, or that of IP."""
    at = {1: 12, 113: 14, 276: 0}.get(link_type)
    if at is None:
        return None
    while link_type == 1 and int.from_bytes(octets[at : at + 2], "big") in _TAGS:
        at += 4
    found = int.from_bytes(octets[at : at + 2], "big")
    return None if found in _TYPES or found < _LEAST_TYPE else (at, found)


def _type_at(octets: bytes, at: int) -> int:
    return _TYPES.get(int.from_bytes(octets[at : at + 2], "big"), -1)


def _points(octets: bytes, link_type: int) -> int:
    at = ip_offset(octets, link_type)
    if at is None and link_type >= 0:
        at = _tunnelled(octets, link_type)
    if at is None:
        return 0
    # A type or family that fits is two octets or four of evidence.
    return _ip_points(octets[at:]) + (3 if at else 0)


def _tunnelled(octets: bytes, link_type: int) -> int | None:
    """Return where the innermost IP header is behind tags and tunnels; None without a segment."""
    try:
        found = LayerParser().parse(Frame(1, 0, 0, link_type, len(octets), octets, 0))
    except Exception:  # layers that are not there raise errors of many kinds
        return None
    return found[11] if isinstance(found, tuple) and found[14] is None else None


def _ip_points(packet: bytes) -> int:
    version, points = packet[0] >> 4, 1
    if version == 4:
        size, protocol = (packet[0] & 0xF) * 4, packet[9:10]
        told = int.from_bytes(packet[2:4], "big")
        if size < 20:
            points -= 1
        elif len(packet) >= size and internet_checksum(packet[:size]) == 0:
            points += 4
    else:
        protocol, told = packet[6:7], 40 + int.from_bytes(packet[4:6], "big")
        points += bool(protocol) and protocol[0] in _EXTENSIONS
    points += 3 * (protocol == bytes((TCP,)))
    points += (told <= len(packet)) + (told == len(packet))
    try:
        found = header(packet, 0, len(packet))
    except (ValueError, IndexError):
        return points
    segment = packet[found.at : found.end]
    if found.protocol == TCP and len(segment) >= HEADER.size:
        points += 4 * (checksum(found.source, found.destination, segment) == 0)
    return points


def _tcp_points(octets: bytes) -> int:
    if len(octets) < HEADER.size:
        return 0
    *_, bits, _, _, urgent = HEADER.unpack_from(octets)
    size = bits >> 10 & 0x3C
    if not HEADER.size <= size <= len(octets):
        return 0
    flags = Flags(bits & 0x1FF)
    possible = bool(flags) and not any(each in flags for each in _IMPOSSIBLE)
    sound = not Options(octets[HEADER.size : size]).malformed
    unused = not urgent or Flags.URG in flags
    return 1 + (not bits & 0xE00) + possible + (sound and unused)
