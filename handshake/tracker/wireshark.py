"""Marks each segment as Wireshark's TCP analysis does: retransmission, out of order and so on.

Wireshark's User's Guide (section "TCP Analysis") defines each mark; where it is vague, these rules
follow tshark 4.0. Sequence numbers are plain integers as in the header, so that whole captures
can be marked quickly. 0 means "not known yet", as it does in Wireshark.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntFlag
from typing import TYPE_CHECKING, Final

from handshake.events.run import First
from handshake.tcp.copy import changed
from handshake.tcp.seq import distance
from handshake.tcp.space import Ranges
from handshake.units import ACK_BIT, FIN_BIT, MASK, RST_BIT, SYN_BIT

if TYPE_CHECKING:
    from collections.abc import Iterable

    from handshake.events.run import Piece, RunEnd, Stretch

_SIGN: Final = 0x8000_0000
"""`(a - b) & _SIGN` is set where `a` comes before `b` on the circle (section 3.4)."""

WITH_DATA: Final = 8
WITHOUT: Final = 4
"""The parts of `tcp.completeness` that are data, and an ACK without data."""

_CONTROL: Final = SYN_BIT | FIN_BIT | RST_BIT

FAST: Final = 20_000_000
"""Nanoseconds after the last duplicate ACK within which a retransmission is a fast one."""

HOLES: Final = 1 << 18
"""Gaps in a stream that are remembered at least; of more than twice as many, the largest."""

OVERTAKEN: Final = 3_000_000
"""Nanoseconds within which old numbers are out of order, if no RTT is known."""


class Mark(IntFlag):
    """A mark of Wireshark's TCP analysis."""

    RETRANSMISSION = 1
    FAST_RETRANSMISSION = 2
    SPURIOUS_RETRANSMISSION = 4
    OUT_OF_ORDER = 8
    DUPLICATE_ACK = 16
    ZERO_WINDOW = 32
    ZERO_WINDOW_PROBE = 64
    ZERO_WINDOW_PROBE_ACK = 128
    WINDOW_UPDATE = 256
    KEEP_ALIVE = 512
    KEEP_ALIVE_ACK = 1024
    GAP = 2048
    """Wireshark's "previous segment not captured"."""

    ACK_OF_UNSEEN = 4096
    SENT_AGAIN = RETRANSMISSION | FAST_RETRANSMISSION | SPURIOUS_RETRANSMISSION


# A capture of millions needs plain numbers: to combine two members of an enum costs a microsecond.
_RETRANSMISSION: Final = int(Mark.RETRANSMISSION)
_FAST: Final = int(Mark.FAST_RETRANSMISSION)
_SPURIOUS: Final = int(Mark.SPURIOUS_RETRANSMISSION)
OUT_OF_ORDER: Final = int(Mark.OUT_OF_ORDER)
SENT_AGAIN: Final = int(Mark.SENT_AGAIN)
DUPLICATE_ACK: Final = int(Mark.DUPLICATE_ACK)
ZERO_WINDOW: Final = int(Mark.ZERO_WINDOW)
_PROBE: Final = int(Mark.ZERO_WINDOW_PROBE)
_PROBE_ACK: Final = int(Mark.ZERO_WINDOW_PROBE_ACK)
WINDOW_UPDATE: Final = int(Mark.WINDOW_UPDATE)
KEEP_ALIVE: Final = int(Mark.KEEP_ALIVE)
KEEP_ALIVE_ACK: Final = int(Mark.KEEP_ALIVE_ACK)
_GAP: Final = int(Mark.GAP)
_ACK_OF_UNSEEN: Final = int(Mark.ACK_OF_UNSEEN)


@dataclass(eq=False, slots=True)
class Coverage:
    """The octets that one end sent, captured or missing, and what its last segment added."""

    count: int = 0
    """Unique octets of payload."""

    ahead: int = 0
    """Of the last segment: octets beyond the highest captured so far."""

    filled: int = 0
    """Of the last segment: octets that fill gaps."""

    gap: int = 0
    """Between the highest octet captured and the last segment: missing octets."""

    _top: int | None = None
    """The highest number, not reduced modulo 2**32."""

    _holes: Ranges | None = None
    """The gaps, in the same numbers."""

    @property
    def top(self) -> int | None:
        """The number after the highest octet captured; None before the first segment."""
        return None if self._top is None else self._top & MASK

    def copy(self) -> Coverage:
        """Return the same, which changes by itself."""
        return changed(self, _holes=None if self._holes is None else self._holes.copy())

    def skip(self, length: int, ahead: int) -> None:
        """Add octets that follow the highest one, of the last segment `ahead`."""
        self.ahead, self.filled, self.gap = ahead, 0, 0
        self.count += length
        if self._top is not None:
            self._top += length

    def take(self, seq: int, length: int, flags: int) -> None:
        """Add a segment. The payload of a RST is no part of the stream (section 3.5.3)."""
        top = self._top
        if top is not None and seq == top & MASK and not flags & _CONTROL:
            # Nearly every segment begins where the last one ended.
            self.ahead, self.filled, self.gap = length, 0, 0
            self._top = top + length
            self.count += length
            return
        self.ahead = self.filled = self.gap = 0
        if flags & RST_BIT:
            return
        if flags & SYN_BIT:
            seq = (seq + 1) & MASK
        if top is None:
            top = seq
        seq = top + distance(top, seq)
        if seq > top:
            self.gap = seq - top
            if self._holes is None:
                self._holes = Ranges()
            self._holes.add(top, seq)
            top = seq
        end = seq + length
        if end > top:
            self.ahead = end - top
            top = end
        if self._holes and length > self.ahead:
            self.filled = self._holes.remove(seq, end - self.ahead)
        if self._holes and len(self._holes) > 2 * HOLES:
            self._holes.keep_largest(HOLES)
        # A FIN takes a sequence number, but is no octet.
        if flags & FIN_BIT and end == top:
            top += 1
        self._top = top
        self.count += self.ahead + self.filled


@dataclass(eq=False, slots=True)
class Direction:
    """What one end of a connection has sent so far."""

    base: int | None = None
    """Its initial sequence number, known or assumed."""

    nxt: int = 0
    """The highest sequence number expected next."""

    nxt_at: int = 0
    """When a segment reached it, in nanoseconds."""

    whole: int = 0
    """The number up to which nothing is missing: the highest that an ACK can have."""

    ack: int = 0
    ack_at: int = 0
    """The acknowledgment field of its last segment, and when that was sent."""

    window: int = -1
    """The window field of its last segment, not scaled."""

    signals: int = 0
    """The Multipath TCP operations of its last segment, as `Options.mptcp_signals` has them."""

    repeats: int = 0
    """Its duplicate ACKs in a row; -1 counts as many: an ACK of unseen data was marked."""

    marks: int = 0
    """The marks of its last segment."""

    octets: Coverage = field(default_factory=Coverage)
    """Which octets of payload were captured."""

    def copy(self) -> Direction:
        """Return the same, which changes by itself."""
        return changed(self, octets=self.octets.copy())

    def skip(self, sent: RunEnd, stretches: Iterable[Stretch] | None) -> None:
        """Take a run into account; `stretches` are its data if octets are missing."""
        # What the other end acknowledges changes these.
        self.whole, self.repeats = sent.reached, sent.in_a_row
        if not sent.segments:
            return
        if sent.nxt != self.nxt:
            self.nxt, self.nxt_at = sent.nxt, sent.sent_at
        self.window, self.ack, self.ack_at, self.marks = sent.window, sent.ack, sent.at, 0
        if stretches is None:
            self.octets.skip(sent.payload, sent.ahead)
            return
        for each in stretches:
            self.octets.take(each.seq, each.length, ACK_BIT)


class Analysis:
    """Wireshark's analysis of one connection."""

    __slots__ = ("_delayed", "_reused", "completeness", "round_trip", "syn_at")

    def __init__(self, *, reused: bool = False) -> None:
        self.completeness = 0
        """`tcp.completeness`: 1 SYN, 2 SYN-ACK, 4 ACK, 8 data, 16 FIN, 32 RST."""

        self.round_trip = 0
        """The initial RTT in nanoseconds: from the last SYN to the first ACK; 0 while unknown."""

        self.syn_at: int | None = None
        """When the last SYN was seen."""

        self._reused = reused
        self._delayed = 0

    @property
    def settled(self) -> bool:
        """Whether only what the ends send still changes it."""
        return not self._delayed and bool(self.round_trip or self.syn_at is None)

    def take(
        self,
        fwd: Direction,
        rev: Direction,
        seq: int,
        ack: int,
        length: int,
        flags: int,
        window: int,
        at: int,
        signals: int = 0,
    ) -> int:
        """Return the marks of a segment that `fwd` sent to `rev`: a sum of `Mark`."""
        first = fwd.base is None and rev.base is None
        known = not flags & _CONTROL and self.completeness & (WITH_DATA if length else WITHOUT)
        if first or self._delayed or not known:
            self._complete(first, length, flags)
        if fwd.base is None or flags & (SYN_BIT | ACK_BIT) == SYN_BIT | ACK_BIT:
            fwd.base = seq if flags & SYN_BIT else (seq - 1) & MASK
        elif flags & (SYN_BIT | ACK_BIT) == SYN_BIT and (fwd.whole - fwd.nxt) & _SIGN:
            # Another SYN: data ahead of a gap belongs to an earlier attempt.
            fwd.nxt = fwd.whole
        if rev.base is None and flags & ACK_BIT:
            rev.base = (ack - 1) & MASK
        marks = _alone(fwd, rev, seq, ack, length, flags, window)
        if signals != fwd.signals:
            fwd.signals = signals
            if marks & DUPLICATE_ACK:
                # It repeats an ACK to tell something else (RFC 8684 section 3).
                marks &= ~DUPLICATE_ACK
                fwd.repeats -= 1
        if ack != fwd.ack:
            fwd.repeats = 0
        if flags & ACK_BIT and rev.whole and (rev.whole - ack) & _SIGN:
            marks |= _beyond(rev)
        if (length or flags & (SYN_BIT | FIN_BIT)) and not marks & KEEP_ALIVE:
            marks |= self._old(fwd, rev, seq, length, flags, at)
        fwd.octets.take(seq, length, flags)
        end = (seq + length + 1 if flags & (SYN_BIT | FIN_BIT) else seq + length) & MASK
        if not marks & _PROBE:
            if not fwd.nxt or (fwd.nxt - end) & _SIGN:
                fwd.nxt, fwd.nxt_at = end, at
            if not fwd.whole or seq == fwd.whole:
                fwd.whole = fwd.nxt
        fwd.window, fwd.ack, fwd.ack_at, fwd.marks = window, ack, at, marks
        if flags & ACK_BIT:
            if not flags & SYN_BIT and not self.round_trip and self.syn_at is not None:
                self.round_trip = at - self.syn_at
        elif flags & SYN_BIT:
            self.syn_at = at
        return marks

    def skip(self, pieces: Iterable[Piece]) -> None:
        """Take a run into account: what is the first of its kind in it."""
        for each in pieces:
            if isinstance(each, First):
                self.completeness |= WITH_DATA if each.data else WITHOUT

    def _complete(self, first: bool, length: int, flags: int) -> None:
        """Add what this segment contributes to the completeness."""
        found = flags & RST_BIT and 32
        if flags & ACK_BIT:
            if flags & SYN_BIT:
                found |= 2
            else:
                found |= WITH_DATA if length else WITHOUT
            if flags & FIN_BIT:
                found |= 16
        if not first:
            self.completeness |= found | self._delayed
            self._delayed = 0
            return
        # Wireshark counts a SYN only where it begins a conversation. Whatever else the first
        # segment between two endpoints has is counted with the second segment.
        opens = flags & (SYN_BIT | ACK_BIT) == SYN_BIT
        if self._reused:
            self.completeness = found | opens
            return
        self._delayed = found
        if opens:
            self.completeness = 9 if length else 1

    def _old(
        self, fwd: Direction, rev: Direction, seq: int, length: int, flags: int, at: int
    ) -> int:
        """Return the mark of old sequence numbers."""
        end = (seq + length) & MASK
        if length and rev.ack and (end == rev.ack or (end - rev.ack) & _SIGN):
            return _SPURIOUS
        if not fwd.nxt or not (seq - fwd.nxt) & _SIGN:
            return 0
        # New data that begins with one old octet follows a zero window probe.
        if length > 1 and seq == (fwd.nxt - 1) & MASK:
            return 0
        if rev.repeats not in (0, 1) and rev.ack == seq and 0 <= at - rev.ack_at < FAST:
            return _FAST
        # Within a round trip no sender can detect a loss, but the last segment may have been
        # retransmitted.
        if flags & (SYN_BIT | FIN_BIT):
            end = (end + 1) & MASK
        if end != fwd.nxt and 0 <= at - fwd.nxt_at < (self.round_trip or OVERTAKEN):
            return OUT_OF_ORDER
        return _RETRANSMISSION


def _alone(
    fwd: Direction, rev: Direction, seq: int, ack: int, length: int, flags: int, window: int
) -> int:
    """Return the marks that follow from a segment's numbers alone."""
    if length == 1 and seq == fwd.nxt and rev.window == 0:
        return _PROBE
    marks = 0
    control = flags & _CONTROL
    if not window and not control:
        marks = ZERO_WINDOW
    if seq == fwd.nxt:
        if not length and not control and ack == fwd.ack:
            marks |= _repeated(fwd, rev, window)
        return marks
    if fwd.nxt and (fwd.nxt - seq) & _SIGN and not flags & RST_BIT:
        marks |= _GAP
    if length <= 1 and not control and seq == (fwd.nxt - 1) & MASK:
        marks |= KEEP_ALIVE
    return marks


def _repeated(fwd: Direction, rev: Direction, window: int) -> int:
    """Return the mark of an ACK that acknowledges nothing new and has no data."""
    if window != fwd.window:
        return WINDOW_UPDATE if window else 0
    if not window:
        return _PROBE_ACK if rev.marks & _PROBE else 0
    if rev.marks & KEEP_ALIVE:
        return KEEP_ALIVE_ACK
    fwd.repeats = max(fwd.repeats, 0) + 1
    return DUPLICATE_ACK


def _beyond(rev: Direction) -> int:
    """Return the mark of an ACK beyond what was captured without a gap; once for each gap."""
    if (rev.whole - rev.nxt) & _SIGN:
        rev.whole = rev.nxt
        return _ACK_OF_UNSEEN
    first = rev.repeats == 0
    rev.repeats = -1
    return _ACK_OF_UNSEEN if first else 0
