"""Parses IPv4 and IPv6 headers, with fragments, extension headers and truncated packets."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from handshake.packet.checksum import checksum, internet_checksum
from handshake.units import TCP

if TYPE_CHECKING:
    from handshake.packet.layer import Octets

ICMPV6: Final = 58

_HOP_BY_HOP, _ROUTING, _FRAGMENT, _AUTHENTICATION, _DESTINATION = 0, 43, 44, 51, 60
_HOST_IDENTITY, _SHIM6 = 139, 140

_EXTENSIONS: Final = frozenset(
    (_HOP_BY_HOP, _ROUTING, _FRAGMENT, _AUTHENTICATION, _DESTINATION, _HOST_IDENTITY, _SHIM6)
)
_SOURCE_ROUTE, _MOBILE, _COMPRESSED, _SEGMENT_ROUTING = 0, 2, 3, 4
"""Types of routing headers: RFC 8200's predecessor, RFC 6275, RFC 6554, RFC 8754."""

_LOOSE, _STRICT = 131, 137
"""IPv4 options with a source route (RFC 791)."""

_LEAST: Final = 20

_V4: Final = struct.Struct("!BxHHHBBxx4s4s").unpack_from
_V6: Final = struct.Struct("!4xHBB16s16s").unpack_from
_V6_FRAGMENT: Final = struct.Struct("!2xHI").unpack_from


class CutError(ValueError):
    """The packet is truncated inside a header."""


class Fragment(NamedTuple):
    """The fragmentation fields of an IP header."""

    identification: int
    """The same in all fragments of a packet."""

    offset: int
    """The offset of this fragment in the payload of the whole packet."""

    more: bool
    """Whether this is not the last fragment."""

    following: int
    """The protocol of the whole payload."""

    named: int
    """The offset of the octet that becomes `following` in the whole packet."""

    begin: int
    """The end of the headers that the whole packet keeps."""


class Header(NamedTuple):
    """An IP header with its extension headers, parsed in place."""

    source: bytes
    """The address: 4 or 16 octets."""

    destination: bytes
    """The final destination, which may be in a routing header or in a source route.

    The TCP checksum covers it (RFC 9293 section 3.1, RFC 8200 section 8.1).
    """

    ttl: int
    """Time to live, or hop limit."""

    protocol: int
    """The protocol of the payload."""

    at: int
    """The offset of the payload."""

    end: int
    """The end of the packet on the wire, which may be beyond the captured octets."""

    fragment: Fragment | None
    """The fragment; None for a whole packet."""


def header(octets: Octets, at: int, limit: int, *, cut: bool = False) -> Header:
    """Parse the IP header at an offset; its packet ends at `limit` at the latest.

    With `cut` the frame may have been longer than `limit`: some writers of captures lose the
    original length. Then a sound header tells it. Raises ValueError if it is malformed.
    """
    if cut:
        limit = max(limit, _told(octets, at))
    if at + _LEAST > len(octets):
        raise CutError("the packet is truncated in its header")
    version = octets[at] >> 4
    if version == 4:
        return _v4(octets, at, limit)
    if version != 6:
        raise ValueError("no IP header")
    if at + 40 > len(octets):
        raise CutError("the packet is truncated in its header")
    return _v6(octets, at, limit)


def _v4(octets: Octets, at: int, limit: int) -> Header:
    first, total, identification, fragmentation, ttl, protocol, source, destination = _V4(
        octets, at
    )
    payload = at + (first & 0xF) * 4
    if payload < at + 20 or 0 < total < payload - at:
        raise ValueError("inconsistent lengths in the IP header")
    end = _end(at, total, limit)
    if payload > at + 20:
        destination = _route_end(bytes(octets[at + 20 : payload])) or destination
    fragment = None
    if fragmentation & 0x3FFF:
        offset, more = (fragmentation & 0x1FFF) * 8, bool(fragmentation & 0x2000)
        fragment = Fragment(identification, offset, more, protocol, at + 9, payload)
    elif protocol in _EXTENSIONS:
        protocol, payload, _, _ = _walk(octets, protocol, payload, at + 9)
    if payload > end:
        raise ValueError("the IP headers are longer than the packet")
    return Header(source, destination, ttl, protocol, payload, end, fragment)


def _v6(octets: Octets, at: int, limit: int) -> Header:
    total, protocol, ttl, source, destination = _V6(octets, at)
    payload, fragment = at + 40, None
    if protocol in _EXTENSIONS:
        protocol, payload, final, fragment = _walk(octets, protocol, payload, at + 6, destination)
        destination = final or destination
    end = _end(at, total and total + 40, limit)
    if payload > end:
        raise ValueError("the IP headers are longer than the packet")
    return Header(source, destination, ttl, protocol, payload, end, fragment)


def _told(octets: Octets, at: int) -> int:
    """Return where a packet ends by its own header; 0 if that is not sound."""
    if at + 40 > len(octets):
        return 0
    first = octets[at]
    if first >> 4 == 6:
        # This header has no checksum. If TCP's is right, the packet is complete.
        source, target = bytes(octets[at + 8 : at + 24]), bytes(octets[at + 24 : at + 40])
        whole = octets[at + 6] != TCP or not checksum(source, target, bytes(octets[at + 40 :]))
        return 0 if whole else at + 40 + int.from_bytes(octets[at + 4 : at + 6], "big")
    size = (first & 0xF) * 4
    if first >> 4 != 4 or size < 20 or internet_checksum(bytes(octets[at : at + size])):
        return 0
    return at + int.from_bytes(octets[at + 2 : at + 4], "big")


def _end(at: int, total: int, limit: int) -> int:
    # A total of 0 is a packet before segmentation offload, or a jumbogram (RFC 2675). Octets that
    # the frame did not have were not on the wire.
    return min(at + total, limit) if total else limit


def _walk(
    octets: Octets, protocol: int, at: int, named: int, reached: bytes = b""
) -> tuple[int, int, bytes, Fragment | None]:
    """Return protocol and offset after the extension headers, final destination and fragment.

    Raises ValueError if they are truncated.
    """
    final = b""
    while protocol in _EXTENSIONS:
        if at + 8 > len(octets):
            raise CutError("the packet is truncated in an extension header")
        following = octets[at]
        if protocol == _FRAGMENT:
            offset, identification = _V6_FRAGMENT(octets, at)
            # Offset 0 and no more fragments: an atomic fragment is a whole packet (RFC 6946).
            if offset & 0xFFF9:
                more = bool(offset & 1)
                fragment = Fragment(identification, offset & 0xFFF8, more, following, named, at)
                return following, at + 8, final, fragment
            begin, at = at, at + 8
        elif protocol == _AUTHENTICATION:
            begin, at = at, at + (octets[at + 1] + 2) * 4
        else:
            begin, at = at, at + (octets[at + 1] + 1) * 8
            if protocol == _ROUTING and octets[begin + 3]:
                final = _final_destination(bytes(octets[begin:at]), reached)
        protocol, named = following, begin
    return protocol, at, final, None


@dataclass(frozen=True, slots=True)
class Datagram:
    """An IP packet: its header fields and its payload."""

    packet: bytes
    """Its octets as captured, without Ethernet padding."""

    source: bytes
    """The address: 4 or 16 octets."""

    destination: bytes
    """The final destination, which may be in a routing header."""

    ttl: int
    """Time to live, or hop limit."""

    protocol: int
    """The protocol of the payload."""

    fragment: bool
    """Whether it is a fragment."""

    payload: bytes
    """The captured part of the payload."""

    length: int
    """The length of the payload according to the header."""

    @classmethod
    def parse(cls, octets: bytes, missing: int = 0) -> Datagram:
        """Parse a packet; `missing` octets after these were not captured.

        Raises ValueError if the header is malformed.
        """
        found = header(octets, 0, len(octets) + missing)
        return cls(
            packet=octets[: found.end],
            source=found.source,
            destination=found.destination,
            ttl=found.ttl,
            protocol=found.protocol,
            fragment=found.fragment is not None,
            payload=octets[found.at : found.end],
            length=found.end - found.at,
        )

    @property
    def header_ok(self) -> bool:
        """Whether the checksum of an IPv4 header is right (RFC 791); True for IPv6."""
        if self.packet[0] >> 4 != 4:
            return True
        return internet_checksum(self.packet[: (self.packet[0] & 0xF) * 4]) == 0

    @property
    def icmp_ok(self) -> bool:
        """Whether the checksum of its ICMP message is right (RFC 792, RFC 4443)."""
        pseudo = b""
        if self.protocol == ICMPV6:
            ends = self.source + self.destination
            pseudo = ends + self.length.to_bytes(4, "big") + ICMPV6.to_bytes(4, "big")
        return internet_checksum(pseudo + self.payload) == 0

    @property
    def checksum_ok(self) -> bool | None:
        """Whether the TCP checksum is right; None if the packet is truncated."""
        if len(self.payload) < self.length:
            return None
        return checksum(self.source, self.destination, self.payload) == 0


def _final_destination(routing: bytes, reached: bytes) -> bytes:
    """Return the final destination in a routing header; empty if it has none.

    `reached` is the destination in the IP header: that of the next node on the route.
    """
    kind, at = routing[2], 8
    if kind in (_SOURCE_ROUTE, _MOBILE):
        at = len(routing) - 16
    elif kind == _COMPRESSED and reached:
        # The last address lacks the octets that it has in common with the others.
        common, padding = routing[4] & 0xF, routing[5] >> 4
        last = routing[8 : len(routing) - padding][common - 16 :]
        return reached[:common] + last if len(last) == 16 - common else b""
    elif kind != _SEGMENT_ROUTING:
        return b""
    # Segment routing lists the segments in reverse order (RFC 8754 section 2).
    return routing[at : at + 16] if 8 <= at <= len(routing) - 16 else b""


def _route_end(options: bytes) -> bytes:
    """Return the last address of an IPv4 source route; empty without one, or at its end."""
    at = 0
    while at < len(options) and (kind := options[at]):
        if kind == 1:  # no operation
            at += 1
            continue
        length = options[at + 1] if at + 1 < len(options) else 0
        if length < 2 or at + length > len(options):
            break
        if kind in (_LOOSE, _STRICT):
            # The pointer is behind the last address when the route is at its end.
            on_its_way = length >= 7 and 4 <= options[at + 2] <= length - 3
            return options[at + length - 4 : at + length] if on_its_way else b""
        at += length
    return b""
