"""The header: flags, endpoints, and a segment exactly as the wire had it (section 3.1)."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from enum import Enum, IntFlag
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, Final

from handshake.library import scapy_codec
from handshake.tcp.address import ip_address
from handshake.tcp.copy import value
from handshake.tcp.options import Options
from handshake.tcp.seq import Seq
from handshake.units import ACK_BIT, FIN_BIT, RST_BIT, SYN_BIT

if TYPE_CHECKING:
    from ipaddress import IPv4Address, IPv6Address

HEADER: Final = struct.Struct("!HHIIHHHH")
"""The fixed 20 octets of figure 1."""

RESERVED_BITS_SET: Final = "reserved bits are set"
"""The problem of a header whose reserved bits are not zero."""

OPTIONS_CUT: Final = "the options are cut off by the capture"
"""The problem of a header whose end was not captured: its sender made no mistake."""

WRONG_UDP: Final = "wrong UDP checksum"
"""What `Observed.via` has of a segment in a UDP tunnel whose outer checksum is wrong."""

_LEAST_OFFSET: Final = 5
_IDENTIFIED: Final = 6
"""Octets of an IPv4 header up to its identification."""

_OFFSET: Final = "data offset"
_FLAG_BITS: Final = 0x1FF
_OTHER_BITS: Final = 0x3F & ~ACK_BIT
_RESERVED_BITS: Final = 0xE00
_NO_OPTIONS: Final = Options()
_options: Final = lru_cache(1024)(Options)
"""Options by their octets: many SYNs have the same, and many ACKs the same clocks."""


class Flags(IntFlag):
    """The control bits: eight of RFC 9293 section 3.1, and AE of RFC 9768."""

    FIN = 0x001
    SYN = 0x002
    RST = 0x004
    PSH = 0x008
    ACK = 0x010
    URG = 0x020
    ECE = 0x040
    CWR = 0x080
    AE = 0x100

    @property
    def names(self) -> tuple[str, ...]:
        """The bits that are set: SYN, FIN and RST first, since they name the segment."""
        return tuple(flag.name or "" for flag in _IN_ORDER if flag in self)

    def __str__(self) -> str:
        return "-".join(self.names) or "none"


_FLAGS: Final[dict[int, Flags]] = {}
"""Combinations that were seen: to make one costs a microsecond."""


def _flags(bits: int) -> Flags:
    return _FLAGS.setdefault(bits, Flags(bits))


_IN_ORDER: Final = (
    Flags.SYN,
    Flags.FIN,
    Flags.RST,
    Flags.PSH,
    Flags.ACK,
    Flags.URG,
    Flags.ECE,
    Flags.CWR,
    Flags.AE,
)


@dataclass(frozen=True, eq=False)
class Endpoint:
    """An address and a port: one end of a connection. An IPv6 address may carry its scope."""

    address: IPv4Address | IPv6Address
    """The host; `fe80::1%eth0` keeps the interface that makes a link-local address unique."""

    port: int
    """The port, 0 to 65535."""

    @classmethod
    def of(cls, address: str, port: int) -> Endpoint:
        """Return the endpoint with this address in text. Raises ValueError for no address."""
        return cls(ip_address(address), port)

    @property
    def version(self) -> int:
        """4 or 6."""
        return self.address.version

    def __eq__(self, other: object) -> bool:
        # Of two ends the ports differ nearly always, and addresses compare slowly.
        if self is other:
            return True
        if not isinstance(other, Endpoint):
            return NotImplemented
        return self.port == other.port and self.address == other.address

    def __hash__(self) -> int:
        return self._hash

    @cached_property
    def host(self) -> str:
        """The address as text."""
        return str(self.address)

    @cached_property
    def _hash(self) -> int:
        # A tracker looks endpoints up for every segment, and an address hashes slowly.
        return hash((self.address, self.port))

    def __str__(self) -> str:
        return (
            f"[{self.address}]:{self.port}" if self.version == 6 else f"{self.address}:{self.port}"
        )


@value(frozen=True, slots=True)
class Segment:
    """One TCP header and how much came with it, never repaired: `problems` lists what is wrong."""

    source: Endpoint
    destination: Endpoint
    seq: Seq
    """SEG.SEQ: the number of the first octet, or of the SYN."""

    ack: Seq | None
    """SEG.ACK: the number the sender expects next; None where the ACK bit is clear."""

    flags: Flags
    window: int = 0
    """The window field as the header had it, not scaled, in octets."""

    options: Options = field(default_factory=Options)
    payload: bytes = b""
    """What was captured of the payload: no more than `payload_length`, and often less."""

    payload_length: int = -1
    """Octets of payload, by the length in the IP header."""

    checksum: int = 0
    urgent: int = 0
    """The urgent pointer: valid only with URG."""

    data_offset: int = -1
    """The length of the header in 32-bit words, as the header claims."""

    reserved: int = 0
    """The three reserved bits that stand between the data offset and AE: must be zero."""

    ack_field: int = -1
    """The 32 bits of the acknowledgment field, which are there even if ACK is clear."""

    problems: tuple[str, ...] = ()
    """What is malformed in the header, in English."""

    # What follows from the rest. The rules ask for it dozens of times a segment.

    syn: bool = field(init=False, repr=False, compare=False)
    """Whether it synchronizes sequence numbers: the sender starts here."""

    fin: bool = field(init=False, repr=False, compare=False)
    """Whether its sender has no more data to send."""

    rst: bool = field(init=False, repr=False, compare=False)
    """Whether it resets the connection."""

    length: int = field(init=False, repr=False, compare=False)
    """SEG.LEN: the octets of sequence space it takes, SYN and FIN counted (section 3.4)."""

    end: Seq = field(init=False, repr=False, compare=False)
    """The number after its last: what an ACK of all of it acknowledges."""

    bogus: bool = field(init=False, repr=False, compare=False)
    """Whether the data offset is impossible: every receiver drops it, whatever it says.

    Below 5 the header would end in its fixed part, and beyond the segment it was cut before it
    was sent: the fields are not those of its sender.
    """

    def __post_init__(self) -> None:
        # A hand-made segment leaves out what follows from the rest.
        if self.payload_length < 0:
            object.__setattr__(self, "payload_length", len(self.payload))
        if self.data_offset < 0:
            object.__setattr__(self, "data_offset", 5 + (len(self.options.raw) + 3) // 4)
        if self.ack_field < 0:
            object.__setattr__(self, "ack_field", 0 if self.ack is None else int(self.ack))
        bits = int(self.flags)
        length = self.payload_length + (bits >> 1 & 1) + (bits & 1)
        short, problems = self.data_offset < _LEAST_OFFSET, self.problems
        # They are frozen for mypy alone (`tcp.copy.value`).
        self.syn = bits & SYN_BIT != 0  # type: ignore[misc]
        self.fin = bits & FIN_BIT != 0  # type: ignore[misc]
        self.rst = bits & RST_BIT != 0  # type: ignore[misc]
        self.length = length  # type: ignore[misc]
        self.end = Seq(self.seq.value + length) if length else self.seq  # type: ignore[misc]
        self.bogus = short or (bool(problems) and any(map(_is_impossible, problems)))  # type: ignore[misc]

    @classmethod
    def parse(
        cls,
        source: IPv4Address | IPv6Address,
        destination: IPv4Address | IPv6Address,
        octets: bytes,
        length: int,
        ends: tuple[Endpoint, Endpoint] | None = None,
    ) -> Segment:
        """Return the segment that these octets are; `length` is what the IP header gives TCP.

        `ends` are its endpoints, if they are shared. `octets` may be cut short by the capture.
        Raises ValueError below the 20 octets of the fixed header: ports and numbers would be
        guesses.
        """
        if len(octets) < HEADER.size or length < HEADER.size:
            had = min(len(octets), length)
            raise ValueError(f"a TCP header has at least 20 octets, not {had}")
        octets = octets[:length]
        sport, dport, seq, ack, bits, window, checksum, urgent = HEADER.unpack_from(octets)
        flags = _FLAGS.get(bits & _FLAG_BITS) or _flags(bits & _FLAG_BITS)
        data_offset = bits >> 12
        problems: tuple[str, ...] = ()
        header_length = data_offset * 4
        if header_length < HEADER.size:
            problems = (f"{_OFFSET} {data_offset} is below {_LEAST_OFFSET}",)
            header_length = HEADER.size
        elif header_length > length:
            problems = (f"{_OFFSET} {data_offset} points beyond the end of the segment",)
            header_length = length
        elif header_length > len(octets):
            problems = (OPTIONS_CUT,)
        options = _NO_OPTIONS
        if header_length > HEADER.size:
            options = _options(octets[HEADER.size : header_length])
            # An option that the capture cut off is not malformed.
            if header_length <= len(octets) and (malformed := options.malformed):
                problems += tuple(f"option {each.name}: {each.problem}" for each in malformed)
        if bits & _RESERVED_BITS:
            problems += (RESERVED_BITS_SET,)
        # By place: each segment of a capture is made here.
        return cls(
            Endpoint(source, sport) if ends is None else ends[0],
            Endpoint(destination, dport) if ends is None else ends[1],
            Seq(seq),
            Seq(ack) if bits & ACK_BIT else None,
            flags,
            window,
            options,
            octets[header_length:],
            length - header_length,
            checksum,
            urgent,
            data_offset,
            (bits & _RESERVED_BITS) >> 9,
            ack,
            problems,
        )

    def pack(self) -> bytes:
        """Return the header's octets, bit for bit: fixed part and options, no payload."""
        bits = (self.data_offset << 12) | (self.reserved << 9) | self.flags
        fixed = HEADER.pack(
            self.source.port,
            self.destination.port,
            int(self.seq),
            self.ack_field,
            bits,
            self.window,
            self.checksum,
            self.urgent,
        )
        return fixed + self.options.raw

    def to_scapy(self, ttl: int = 64, tos: int = 0) -> Any:
        """Return Scapy's packet of it, IP header on top, with its own checksum, right or wrong.

        `del packet[TCP].chksum` lets Scapy calculate it when it builds the packet.
        """
        return scapy_codec().exact_packet(self, ttl, tos)

    @classmethod
    def from_scapy(cls, packet: Any) -> Segment:
        """Return the innermost segment of a Scapy packet, exactly as it has it.

        Raises ValueError if it has none.
        """
        found: Segment = scapy_codec().segment(packet)
        return found

    @property
    def unreadable(self) -> bool:
        """Whether its data offset contradicts its length, in a segment that was not cut."""
        return self.data_offset * 4 != HEADER.size + len(self.options.raw)

    @property
    def cut(self) -> bool:
        """Whether the capture cut off options: what is not here may have been sent."""
        return OPTIONS_CUT in self.problems

    @property
    def syn_cleared(self) -> bool:
        """Whether it looks like a SYN whose flag was changed on the way.

        It has options that only a SYN may carry, acknowledges 0 and carries nothing.
        """
        if self.ack_field or self.payload_length or int(self.flags) & _OTHER_BITS:
            return False
        options = self.options
        return bool(options.raw) and (
            options.mss is not None or options.window_scale is not None or options.sack_permitted
        )

    def __str__(self) -> str:
        """Return it as the RFC writes segments: <SEQ=100><ACK=301><DATA=7><CTL=ACK>."""
        parts = [f"<SEQ={self.seq}>"]
        if self.ack is not None:
            parts.append(f"<ACK={self.ack}>")
        if self.payload_length:
            parts.append(f"<DATA={self.payload_length}>")
        if self.flags:
            parts.append(f"<CTL={','.join(self.flags.names)}>")
        return "".join(parts)


def _is_impossible(problem: str) -> bool:
    return problem.startswith(_OFFSET)


def differing_fields(one: Segment, other: Segment) -> frozenset[str]:
    """Return the header fields in which two segments differ, by the names of `Segment`.

    `source` and `destination` are the ports alone. AE belongs to `reserved`, whose fourth bit it
    was before RFC 9768.
    """
    theirs = _header_fields(other)
    return frozenset(name for name, value in _header_fields(one).items() if value != theirs[name])


def _header_fields(seg: Segment) -> dict[str, object]:
    return {
        "source": seg.source.port,
        "destination": seg.destination.port,
        "seq": seg.seq,
        "ack": seg.ack_field,
        "data_offset": seg.data_offset,
        "reserved": (seg.reserved, seg.flags & Flags.AE),
        "flags": seg.flags & ~Flags.AE,
        "window": seg.window,
        "checksum": seg.checksum,
        "urgent": seg.urgent,
        "options": seg.options,
    }


@value(frozen=True, slots=True)
class Observed:
    """A segment and the circumstances in which it was seen: the input of `Tracker.feed`."""

    segment: Segment
    at: int
    """When, in nanoseconds since 1970 (or since a lesson began)."""

    frame: int | None = None
    """Its number in the capture, counted from 1 as Wireshark does; None on a live wire."""

    length: int | None = None
    """Octets of the whole frame on the wire."""

    ttl: int | None = None
    """Time to live, or hop limit, of the IP header that carried it."""

    checksum_ok: bool | None = None
    """Whether the TCP checksum is right; None where it could not be checked (a cut packet)."""

    outgoing: bool | None = None
    """Whether this machine sent it; None where unknown, as in a saved capture."""

    packet: bytes = b""
    """The octets of the IP packet as captured, to be shown."""

    via: tuple[str, ...] = ()
    """The tunnels and tags it came through, the outermost first: ("vlan 5", "gre", "vxlan 100").

    `WRONG_UDP` stands last where the checksum of the UDP datagram around it is wrong.
    """

    origin: Any = field(default=None, kw_only=True, repr=False, compare=False)
    """The Scapy packet that it was read from; None where there was none."""

    identification: int = field(init=False, repr=False, compare=False)
    """The identification of the IPv4 header; 0 if it has none."""

    sum_kind: Enum | None = field(default=None, init=False, repr=False, compare=False)
    """What `checksum.kind` says of its checksum, once that was asked for."""

    def __post_init__(self) -> None:
        octets = self.packet
        four = len(octets) >= _IDENTIFIED and octets[0] >> 4 == 4
        # It is frozen for mypy alone (`tcp.copy.value`).
        self.identification = octets[4] << 8 | octets[5] if four else 0  # type: ignore[misc]
