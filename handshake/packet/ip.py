"""What an IP packet carries, by its own header: cut, fragmented and routed ones as well."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from handshake.packet.checksum import checksum, internet_checksum

if TYPE_CHECKING:
    from handshake.packet.layer import Octets

TCP: Final = 6
ICMPV6: Final = 58

_HOP_BY_HOP, _ROUTING, _FRAGMENT, _AUTHENTICATION, _DESTINATION = 0, 43, 44, 51, 60
_HOST_IDENTITY, _SHIM6 = 139, 140

_EXTENSIONS: Final = frozenset(
    (_HOP_BY_HOP, _ROUTING, _FRAGMENT, _AUTHENTICATION, _DESTINATION, _HOST_IDENTITY, _SHIM6)
)
_SEGMENT_ROUTING: Final = 4

_LEAST: Final = 20

_V4: Final = struct.Struct("!BxHHHBBxx4s4s").unpack_from
_V6: Final = struct.Struct("!4xHBB16s16s").unpack_from
_V6_FRAGMENT: Final = struct.Struct("!2xHI").unpack_from


class CutError(ValueError):
    """The octets end inside a header."""


class Fragment(NamedTuple):
    """What an IP header says of a packet that travels in parts."""

    identification: int
    """The same in all parts of one packet."""

    offset: int
    """Where this part belongs, in octets of the payload that was cut up."""

    more: bool
    """Whether this is not the last part."""

    following: int
    """What the payload is, once it is whole."""

    named: int
    """Where the octet stands that gives way to `following` in the whole packet."""

    begin: int
    """Where the headers end that the whole packet keeps."""


class Header(NamedTuple):
    """An IP header with its extension headers, read in place."""

    source: bytes
    """The address in octets: 4 or 16 of them."""

    destination: bytes
    """Where it goes in the end, which a routing header may keep."""

    ttl: int
    """Time to live, or hop limit."""

    protocol: int
    """What the payload is."""

    at: int
    """Where the payload begins."""

    end: int
    """Where the packet ends: on the wire, so it may lie behind what was captured."""

    fragment: Fragment | None
    """What part the payload is; None where it is whole."""


def header(octets: Octets, at: int, limit: int) -> Header:
    """Return the IP header at a place in these octets, whose packet ends at `limit` at the latest.

    Raises ValueError where no receiver could read it.
    """
    if at + _LEAST > len(octets):
        raise CutError("the packet ends inside its header")
    version = octets[at] >> 4
    if version == 4:
        return _v4(octets, at, limit)
    if version != 6:
        raise ValueError("no IP header")
    if at + 40 > len(octets):
        raise CutError("the packet ends inside its header")
    return _v6(octets, at, limit)


def _v4(octets: Octets, at: int, limit: int) -> Header:
    first, total, identification, fragmentation, ttl, protocol, source, destination = _V4(
        octets, at
    )
    payload = at + (first & 0xF) * 4
    if payload < at + 20 or 0 < total < payload - at:
        raise ValueError("inconsistent lengths in the IP header")
    end = _end(at, total, limit)
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
        protocol, payload, stop, fragment = _walk(octets, protocol, payload, at + 6)
        destination = stop or destination
    end = _end(at, total and total + 40, limit)
    if payload > end:
        raise ValueError("the IP headers are longer than the packet")
    return Header(source, destination, ttl, protocol, payload, end, fragment)


def _end(at: int, total: int, limit: int) -> int:
    # A total of 0 is a packet that the network card was to cut into segments, or a jumbogram
    # (RFC 2675). And what the frame never had cannot have reached anybody.
    return min(at + total, limit) if total else limit


def _walk(
    octets: Octets, protocol: int, at: int, named: int
) -> tuple[int, int, bytes, Fragment | None]:
    """Return what follows the extension headers, where, the last stop, and which part it is.

    Raises ValueError where the octets end before.
    """
    stop = b""
    while protocol in _EXTENSIONS:
        if at + 8 > len(octets):
            raise CutError("the packet ends inside an extension header")
        following = octets[at]
        if protocol == _FRAGMENT:
            offset, identification = _V6_FRAGMENT(octets, at)
            # Offset 0 and no more to come: an atomic fragment is whole (RFC 6946).
            if offset & 0xFFF9:
                more = bool(offset & 1)
                fragment = Fragment(identification, offset & 0xFFF8, more, following, named, at)
                return following, at + 8, stop, fragment
            begin, at = at, at + 8
        elif protocol == _AUTHENTICATION:
            begin, at = at, at + (octets[at + 1] + 2) * 4
        else:
            begin, at = at, at + (octets[at + 1] + 1) * 8
            if protocol == _ROUTING and octets[begin + 3]:
                stop = _last_stop(bytes(octets[begin:at]))
        protocol, named = following, begin
    return protocol, at, stop, None


@dataclass(frozen=True, slots=True)
class Datagram:
    """An IP header, what stands between it and the payload, and the payload."""

    packet: bytes
    """Its octets as captured, without the padding of a short frame."""

    source: bytes
    """The address in octets: 4 or 16 of them."""

    destination: bytes
    """Where it goes in the end, which a routing header may keep."""

    ttl: int
    """Time to live, or hop limit."""

    protocol: int
    """What the payload is."""

    fragment: bool
    """Whether the payload is only a part: the first one or a later one."""

    payload: bytes
    """What was captured of the payload."""

    length: int
    """How many octets of payload there were, by the header."""

    @classmethod
    def parse(cls, octets: bytes, missing: int = 0) -> Datagram:
        """Return what these octets are; the capture left out as many after them as `missing`.

        Raises ValueError where no receiver could read the header.
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
        """Whether the IP header's own checksum is right, where it has one (RFC 791)."""
        if self.packet[0] >> 4 != 4:
            return True
        return internet_checksum(self.packet[: (self.packet[0] & 0xF) * 4]) == 0

    @property
    def icmp_ok(self) -> bool:
        """Whether the checksum of the ICMP message in it is right (RFC 792, RFC 4443)."""
        pseudo = b""
        if self.protocol == ICMPV6:
            ends = self.source + self.destination
            pseudo = ends + self.length.to_bytes(4, "big") + ICMPV6.to_bytes(4, "big")
        return internet_checksum(pseudo + self.payload) == 0

    @property
    def checksum_ok(self) -> bool | None:
        """Whether the TCP checksum is right; None where the capture cut the packet."""
        if len(self.payload) < self.length:
            return None
        return checksum(self.source, self.destination, self.payload) == 0


def _last_stop(routing: bytes) -> bytes:
    """Return the address that a routing header with stops left leads to; empty if it has none."""
    if len(routing) < 24:
        return b""
    # Segment routing lists the stops from the last to the first (RFC 8754 section 2).
    return routing[8:24] if routing[2] == _SEGMENT_ROUTING else routing[-16:]
