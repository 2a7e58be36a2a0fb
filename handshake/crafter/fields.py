"""The fields of one packet, right or deliberately wrong, and the octets that they make."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from handshake.errors import UsageError
from handshake.packet.checksum import checksum, words_sum
from handshake.packet.ip import header
from handshake.packet.ip_header import IpHeader
from handshake.tcp import Endpoint, Flags, Options, Segment, Seq
from handshake.tcp.checksum import Checksum
from handshake.tcp.options import MAX_OCTETS
from handshake.tcp.segment import HEADER
from handshake.tcp.signature import signed
from handshake.units import TCP

SOURCE: Final = {4: Endpoint.of("192.0.2.1", 40000), 6: Endpoint.of("2001:db8::1", 40000)}
DESTINATION: Final = {4: Endpoint.of("192.0.2.2", 80), 6: Endpoint.of("2001:db8::2", 80)}
"""Addresses for documentation (RFC 5737, RFC 3849), where none is given."""

WINDOW: Final = 64240
"""What Linux announces in a SYN over Ethernet."""

DONT_FRAGMENT: Final = 2
IDENTIFICATION: Final = 1
"""Not 0: the kernel replaces that in what a raw socket sends."""

_ONES: Final = 0xFFFF
CHECKSUM_AT: Final = 16
"""The offset of the checksum in the TCP header."""

LIMITS: Final = {
    "seq": 0xFFFFFFFF,
    "ack": 0xFFFFFFFF,
    "window": 0xFFFF,
    "urgent": 0xFFFF,
    "reserved": 7,
    "offset": 15,
    "checksum": 0xFFFF,
    "ttl": 255,
    "tos": 255,
    "protocol": 255,
    "length": 0xFFFF,
    "words": 15,
    "identification": 0xFFFF,
    "ip_flags": 7,
    "fragment": 0x1FFF,
    "ip_checksum": 0xFFFF,
    "label": 0xFFFFF,
}
"""The largest number that each field holds."""

_TITLES: Final = {
    "seq": "sequence number",
    "ack": "acknowledgment number",
    "urgent": "urgent pointer",
    "reserved": "reserved bits",
    "offset": "data offset",
    "ttl": "TTL",
    "tos": "type of service",
    "words": "length of the IP header",
    "length": "length in the IP header",
    "ip_flags": "flags of the IP header",
    "fragment": "fragment offset",
    "ip_checksum": "checksum of the IP header",
    "label": "flow label",
}


@dataclass(frozen=True, slots=True)
class PacketFields:
    """What stands in one packet. None stands for the right number, which follows from the rest.

    Raises UsageError for a number that its field cannot hold.
    """

    source: Endpoint
    destination: Endpoint
    """What stands in the headers: of a source route, the address of the next host."""

    flags: Flags = Flags.SYN
    seq: int = 0
    ack: int = 0
    """The acknowledgment field, which is there even without ACK."""

    window: int = WINDOW
    urgent: int = 0
    reserved: int = 0
    offset: int | None = None
    """The data offset, in words of 32 bits."""

    options: bytes = b""
    payload: bytes = b""
    checksum: int | Checksum = Checksum.RIGHT
    key: bytes = b""
    """The key that fills in the MD5 option; empty to leave it as it is."""

    ttl: int = 64
    tos: int = 0
    protocol: int = TCP
    length: int | None = None
    extensions: bytes = b""
    words: int | None = None
    identification: int = IDENTIFICATION
    ip_flags: int = DONT_FRAGMENT
    fragment: int = 0
    ip_checksum: int | Checksum = Checksum.RIGHT
    ip_options: bytes = b""
    label: int = 0

    bare: bool = False
    """Whether there is no IP header."""

    cut: int | None = None
    """How many octets are left of it; None for all."""

    trailer: bytes = b""
    """What follows it, such as the padding of Ethernet."""

    def __post_init__(self) -> None:
        for name, most in LIMITS.items():
            value = getattr(self, name)
            if isinstance(value, int) and not 0 <= value <= most:
                title = _TITLES.get(name, name)
                raise UsageError("options.range", field=title, value=value, least=0, most=most)
        if self.source.version != self.destination.version:
            ends = {"source": self.source.address, "address": self.destination.address}
            raise UsageError("craft.versions", **ends)

    @property
    def version(self) -> int:
        """The version of IP."""
        return self.source.version


def segment_of(fields: PacketFields) -> Segment:
    """Return the segment, with the checksum that it should have for these two ends.

    Raises UsageError if its options do not fit, and the data offset does not lie about that.
    """
    options = fields.options
    offset = fields.offset
    if offset is None:
        if len(options) > MAX_OCTETS:
            raise UsageError("craft.options-length", length=len(options), most=MAX_OCTETS)
        offset = HEADER.size // 4 + -(-len(options) // 4)
    found = Segment(
        source=fields.source,
        destination=fields.destination,
        seq=Seq(fields.seq),
        ack=Seq(fields.ack) if Flags.ACK in fields.flags else None,
        flags=fields.flags,
        window=fields.window,
        options=Options(options),
        payload=fields.payload,
        urgent=fields.urgent,
        data_offset=offset,
        reserved=fields.reserved,
        ack_field=fields.ack,
    )
    return signed(found, fields.key) if fields.key else found


def checksummed_segment(fields: PacketFields) -> Segment:
    """Return the segment alone, as the fields say: its checksum may be wrong on purpose."""
    octets = build(replace(fields, bare=True, cut=None, trailer=b""))
    ends = fields.source, fields.destination
    return Segment.parse(ends[0].address, ends[1].address, octets, len(octets), ends)


def build(fields: PacketFields) -> bytes:
    """Return the octets of the packet, from its IP header on. Raises UsageError as above."""
    found = segment_of(fields)
    segment = bytearray(found.pack() + found.payload)
    if fields.bare:
        ends = fields.source.address.packed, fields.destination.address.packed
        before = b""
    else:
        above = _ip_header(fields, len(segment))
        before = above.pack()
        ends = covered_ends(before + segment, above)
    value = _checksum(fields.checksum, *ends, bytes(segment))
    segment[CHECKSUM_AT : CHECKSUM_AT + 2] = value.to_bytes(2, "big")
    return (before + segment)[: fields.cut] + fields.trailer


def _ip_header(fields: PacketFields, octets: int) -> IpHeader:
    """Return the IP header of a segment of so many octets."""
    options = fields.ip_options
    if fields.words is None and fields.version == 4:
        options += bytes(-len(options) % 4)
    found = IpHeader(
        source=fields.source.address,
        destination=fields.destination.address,
        ttl=fields.ttl,
        tos=fields.tos,
        protocol=fields.protocol,
        extensions=fields.extensions,
        identification=fields.identification,
        flags=fields.ip_flags,
        fragment=fields.fragment,
        options=options if fields.version == 4 else b"",
        label=fields.label,
    )
    if found.version == 6:
        length = len(fields.extensions) + octets
        return replace(found, length=_length(fields, length))
    words = 5 + len(options) // 4 if fields.words is None else fields.words
    if words > LIMITS["words"]:
        raise UsageError("craft.ip-options-length", length=len(options), most=MAX_OCTETS)
    found = replace(found, words=words, length=_length(fields, found.size + octets))
    kind = fields.ip_checksum
    if isinstance(kind, int):
        return replace(found, checksum=kind)
    right = found.right_checksum
    return replace(found, checksum=right if kind is Checksum.RIGHT else right ^ 1)


def _length(fields: PacketFields, right: int) -> int:
    if fields.length is not None:
        return fields.length
    if right > LIMITS["length"]:
        raise UsageError("craft.too-long", length=right, most=LIMITS["length"])
    return right


def covered_ends(packet: bytes, above: IpHeader) -> tuple[bytes, bytes]:
    """Return the addresses that the checksum covers: of a route, that of its last host."""
    if above.options or above.extensions:
        try:
            found = header(packet, 0, len(packet))
        except ValueError:
            pass
        else:
            return found.source, found.destination
    return above.source.packed, above.destination.packed


def _checksum(kind: int | Checksum, source: bytes, destination: bytes, segment: bytes) -> int:
    if isinstance(kind, int):
        return kind
    if kind is Checksum.PARTIAL:
        return (words_sum(source + destination) + TCP + len(segment)) % _ONES
    right = checksum(source, destination, segment)
    return right if kind is Checksum.RIGHT else right ^ 1
