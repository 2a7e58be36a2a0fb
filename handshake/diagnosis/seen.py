"""A segment in brief: what a diagnosis may look at of it, in a few numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from handshake.tcp.checksum import Checksum, kind
from handshake.tcp.segment import WRONG_UDP
from handshake.units import ACK_BIT, FIN_BIT, MASK, RST_BIT, SYN_BIT

if TYPE_CHECKING:
    from handshake.tcp import Endpoint, Observed, Segment

IDLE: Final = 60_000_000_000
"""Nanoseconds without traffic after which a middlebox may have forgotten a connection."""

_ECN: Final = 0xC0
_MSS: Final = b"\x02\x04"
"""How an MSS option begins: outside of a SYN it should not stand."""


NO_OPTIONS: Final = (None, None, False, None, None, None, ())
"""What `Seen` has of the options of a segment that has none, from `mss` to `sack`."""


def _of_options(seg: Segment) -> tuple[object, ...]:
    """Return what `Seen` has of the options of a segment, from `mss` to `sack`."""
    options = seg.options
    clocks = options.timestamps
    value, echo = (None, None) if clocks is None else clocks
    if seg.syn:
        few = options.mss, options.window_scale, options.sack_permitted, options.fast_open
        return (*few, value, echo, ())
    mss = options.mss if options.raw[:2] == _MSS else None
    sack = tuple((one.value, other.value) for one, other in options.sack)
    return mss, None, False, None, value, echo, sack


class Seen(NamedTuple):
    """A segment as it was captured; of its options, what an opening or a diagnosis depends on."""

    frame: int | None
    at: int
    """When, in nanoseconds since 1970."""

    source: Endpoint
    destination: Endpoint
    seq: int
    ack: int | None
    """None where the ACK bit is clear."""

    flags: int
    window: int
    """As the header has it, not scaled."""

    length: int
    """Octets of payload."""

    ttl: int | None
    ident: int | None
    """The identification of the IPv4 header; None in IPv6."""

    checksum: Checksum
    cut: bool
    """Whether the snap length cut off options: what is not here may have been sent."""

    mss: int | None
    scale: int | None
    sack_permitted: bool
    cookie: bytes | None
    """The Fast Open cookie; empty where one is requested."""

    stamp: int | None
    """TSval."""

    echo: int | None
    """TSecr."""

    sack: tuple[tuple[int, int], ...]

    wrong_udp: bool
    """Whether the checksum of the UDP datagram around it is wrong."""

    believed: bool = True
    """Not a RST with a wrong checksum, which its receiver drops."""

    @classmethod
    def made(cls, values: tuple[object, ...]) -> Seen:
        """Return a segment with all these values, in a third of the time that `Seen` takes."""
        return tuple.__new__(cls, values)

    @classmethod
    def of(cls, observed: Observed, ends: tuple[Endpoint, Endpoint] | None = None) -> Seen:
        """Return an observed segment in brief; `ends` are its endpoints, if they are shared."""
        seg, octets = observed.segment, observed.packet
        source, destination = ends or (seg.source, seg.destination)
        return cls.made(
            (
                observed.frame,
                observed.at,
                source,
                destination,
                seg.seq.value,
                None if seg.ack is None else seg.ack.value,
                int(seg.flags),
                seg.window,
                seg.payload_length,
                observed.ttl,
                observed.identification if octets and octets[0] >> 4 == 4 else None,
                Checksum.RIGHT if observed.checksum_ok else kind(observed),
                bool(seg.problems) and seg.cut,
                *(_of_options(seg) if seg.options.raw else NO_OPTIONS),
                bool(observed.via) and observed.via[-1] == WRONG_UDP,
                True,
            )
        )

    @property
    def syn(self) -> bool:
        """Whether it is a SYN without ACK: it asks for a connection."""
        return self.flags & (SYN_BIT | ACK_BIT | RST_BIT) == SYN_BIT

    @property
    def syn_ack(self) -> bool:
        """Whether it is a SYN-ACK."""
        return self.flags & (SYN_BIT | ACK_BIT | RST_BIT) == SYN_BIT | ACK_BIT

    @property
    def rst(self) -> bool:
        """Whether it is a RST."""
        return bool(self.flags & RST_BIT)

    @property
    def fin(self) -> bool:
        """Whether it has a FIN."""
        return bool(self.flags & FIN_BIT)

    @property
    def bare_ack(self) -> bool:
        """Whether it is an ACK without SYN, FIN, RST and data."""
        return self.flags & (SYN_BIT | FIN_BIT | RST_BIT | ACK_BIT) == ACK_BIT and not self.length

    @property
    def ecn(self) -> bool:
        """Whether ECE and CWR are set, as in a SYN that requests ECN."""
        return self.flags & _ECN == _ECN

    @property
    def end(self) -> int:
        """The number after its last."""
        return (self.seq + self.length + bool(self.flags & (SYN_BIT | FIN_BIT))) & MASK

    def answers(self, other: Seen) -> bool:
        """Whether it goes from the receiver of another segment to its sender."""
        return self.source == other.destination and self.destination == other.source

    def same_way(self, other: Seen) -> bool:
        """Whether it has the source and the destination of another segment."""
        return self.source == other.source and self.destination == other.destination

    def acknowledges_syn(self, syn: Seen) -> bool:
        """Whether it acknowledges a SYN, and no more than was sent with it."""
        if self.ack is None:
            return False
        return 0 < ((self.ack - syn.seq) & MASK) <= syn.length + 1

    def repeats(self, other: Seen) -> bool:
        """Whether it has the numbers, flags and length of another segment of its sender."""
        return self.same_way(other) and (self.seq, self.ack, self.flags, self.length) == (
            other.seq,
            other.ack,
            other.flags,
            other.length,
        )
