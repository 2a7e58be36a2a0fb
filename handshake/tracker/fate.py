"""Judges what became of each segment of a connection by the segments after it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from handshake import events as ev
from handshake.events import Fate, Judgment, Role
from handshake.tracker.wireshark import DUPLICATE_ACK

if TYPE_CHECKING:
    from handshake.events import Step
    from handshake.tcp import Observed, Segment, Seq

UNKNOWN: Final = Judgment(Fate.UNKNOWN)
ARRIVED: Final = Judgment(Fate.ARRIVED)
COPY: Final = Judgment(Fate.COPY)

_SLACK: Final = 100_000_000
"""Nanoseconds that an answer may take beyond the round trip."""

_ASKED: Final = 3
"""Duplicate ACKs that show a loss where there is no SACK (RFC 5681 section 3.2)."""

_OPENING: Final = 32
"""Segments remembered until the server shows that it is ESTABLISHED."""

PENDING: Final = 1024
"""Segments of one end that wait for an acknowledgment; the fate of older ones stays unknown."""

_CLOCKS: Final = 64
"""Timestamps remembered of one end."""


_RESETS: Final = 64
"""RSTs remembered of one end."""


@dataclass(eq=False, slots=True)
class _Sent:
    """A segment that takes sequence space, until it is acknowledged."""

    number: int
    observed: Observed
    again: Observed | None = None
    """The first segment after it that has some of its octets again, or asks for it again."""

    asks: Observed | None = None
    """Of a SYN-ACK: the first SYN after it."""

    missing: bool = False
    """Whether the receiver has later data, and still asks for this."""

    asked: int = 0
    """How many duplicate ACKs ask for it."""

    refused: bool = False
    """Whether its receiver must drop it: that it was sent again proves no loss."""

    damaged: bool = False
    """Whether it must do so for the checksum, unless that was right on the wire."""


@dataclass(eq=False, slots=True)
class _End:
    pending: list[_Sent] = field(default_factory=list)
    nxt: Seq | None = None
    """The highest number after its segments."""

    resets: list[tuple[int, Observed]] = field(default_factory=list)
    """Its RSTs, until something tells whether it sent them."""

    clocks: dict[int, int | None] = field(default_factory=dict)
    """The number of the only segment with a timestamp; None if there are several."""


class FateJudge:
    """Judges the segments of one connection, in the order of the capture.

    What is known at the end stands in `judgments`, which the connections of a capture share: by the
    number of a segment in the capture, counted from 0.
    """

    def __init__(self, judgments: list[Judgment]) -> None:
        self._judgments = judgments
        self._ends = {Role.CLIENT: _End(), Role.SERVER: _End()}
        self._syn: Observed | None = None
        """The last SYN."""

        self._syn_ack: Observed | None = None
        """The last SYN-ACK."""

        self._took: int | None = None
        """Nanoseconds from the last SYN to the first SYN-ACK."""

        self._opening: list[tuple[int, Observed]] = []
        """What acknowledges the SYN-ACK, until the server acts on it."""

        self._over = False
        """Whether the server has acted on it."""

    @property
    def pending(self) -> int:
        """How many segments wait for an acknowledgment."""
        return sum(len(each.pending) for each in self._ends.values())

    def observe(self, step: Step) -> None:
        """Take a segment into account, and judge those before that it tells of."""
        number, seg = len(self._judgments), step.segment
        self._judgments.append(UNKNOWN if step.copy is None else COPY)
        if step.copy is not None or seg.bogus:
            return
        mine, other = self._ends[step.by], self._ends[step.by.other]
        if seg.ack is not None and not seg.rst:
            self._acknowledged(step, other)
        if seg.syn and not seg.rst:
            self._opens(step, other)
        elif not self._over:
            self._completes(number, step)
        if seg.rst:
            if len(mine.resets) < _RESETS:
                mine.resets.append((number, step.observed))
            return
        if mine.resets:
            self._disproved(step, mine)
        if seg.length:
            if mine.nxt is None or seg.seq >= mine.nxt:
                mine.nxt = seg.end
            else:
                mine.nxt = max(mine.nxt, seg.end)
                for each in mine.pending:
                    if each.again is None and _overlap(each.observed.segment, seg):
                        each.again = step.observed
            refused = any(isinstance(event, ev.Dropped) for event in step.events)
            sent = _Sent(number, step.observed, refused=refused, damaged=step.damaged)
            mine.pending.append(sent)
            del mine.pending[:-PENDING]
        self._clocked(number, step, mine)

    def finish(self) -> None:
        """Judge what was never acknowledged."""
        for end in self._ends.values():
            for each in end.pending:
                if each.again is None or each.refused or each.damaged:
                    continue
                if each.observed.segment.ack is not None and each.asks is not None:
                    late = each.asks.at - each.observed.at > _SLACK
                    fate = Fate.LOST if late else Fate.UNKNOWN
                    self._judgments[each.number] = Judgment(fate, each.asks, taken=False)
                elif each.missing:
                    self._judgments[each.number] = Judgment(Fate.LOST, each.again, taken=False)

    def _disproved(self, step: Step, mine: _End) -> None:
        """Judge the RSTs of an end that goes on: those with another TTL are not its own."""
        if any(isinstance(event, ev.ResetDisproved) for event in step.events):
            forged = Judgment(Fate.UNKNOWN, step.observed, forged=True)
            for number, observed in mine.resets:
                if observed.ttl != step.observed.ttl:
                    self._judgments[number] = forged
            mine.resets.clear()

    def _acknowledged(self, step: Step, other: _End) -> None:
        """Judge what a segment acknowledges, and what it shows to be missing."""
        seg, observed = step.segment, step.observed
        ack, left = seg.ack, []
        assert ack is not None
        asks = bool(step.own_marks & DUPLICATE_ACK)
        for each in other.pending:
            sent = each.observed.segment
            if sent.end <= ack:
                self._judgments[each.number] = self._judged(each, observed)
                continue
            left.append(each)
            if each.again is None and sent.seq == ack and not sent.syn:
                beyond = any(sent.end <= first for first, _ in seg.options.sack)
                each.asked += asks and len(other.pending) > 1
                each.missing = each.missing or beyond or each.asked >= _ASKED
        other.pending = left
        stamps = seg.options.timestamps
        named = None if stamps is None else other.clocks.get(stamps.echo)
        if named is not None and self._judgments[named] is UNKNOWN:
            self._judgments[named] = ARRIVED

    def _judged(self, sent: _Sent, by: Observed) -> Judgment:
        """Return the fate of a segment that is acknowledged."""
        seg, again = sent.observed.segment, sent.again
        if sent.refused:
            return UNKNOWN
        mine, echoed = seg.options.timestamps, by.segment.options.timestamps
        asks = None if seg.ack is None else sent.asks
        if seg.syn and mine is not None and echoed is not None:
            if mine.value == echoed.echo:
                # Where the client asked again meanwhile, it came after that.
                return Judgment(Fate.ARRIVED, asks or by, taken=asks is None)
            if seg.ack is None or again is None:
                return UNKNOWN
        if again is None:
            return Judgment(Fate.ARRIVED, by)
        if sent.damaged:
            return UNKNOWN
        if seg.syn and seg.ack is not None:
            last = self._syn_ack
            if asks is None or last is None:
                return UNKNOWN
            # Whether the client asked again later than its answer took.
            late = asks.at - sent.observed.at > by.at - last.at
            return Judgment(Fate.LOST if late else Fate.UNKNOWN, asks, taken=False)
        return Judgment(Fate.LOST, again, taken=False) if sent.missing else UNKNOWN

    def _opens(self, step: Step, other: _End) -> None:
        """Note a SYN or SYN-ACK, and what it tells of those before."""
        seg, observed = step.segment, step.observed
        if seg.ack is None:
            first, self._syn = self._syn is None, observed
            for each in other.pending:
                # The first SYN asks for nothing again: it was captured out of order.
                if each.observed.segment.syn and not first and each.observed.at <= observed.at:
                    each.again = each.again or observed
                    each.asks = each.asks or observed
            return
        if self._took is None and self._syn is not None:
            self._took = observed.at - self._syn.at
        for event in step.events:
            if isinstance(event, ev.SynAckRetransmitted) and not event.asked:
                self._repeated(observed)
        self._syn_ack = observed

    def _repeated(self, syn_ack: Observed) -> None:
        """Judge what should have completed the handshake before a SYN-ACK came again."""
        for number, observed in self._opening:
            if syn_ack.at - observed.at > (self._took or 0) + _SLACK:
                self._judgments[number] = Judgment(Fate.UNKNOWN, syn_ack, taken=False)
        self._opening.clear()

    def _completes(self, number: int, step: Step) -> None:
        """Note what completes the handshake, or that the server has acted on it."""
        if self._syn_ack is None or step.segment.rst:
            return
        if step.segment.source == self._syn_ack.segment.source:
            self._over = True
            if self._opening and self._judgments[self._opening[-1][0]] is UNKNOWN:
                self._judgments[self._opening[-1][0]] = Judgment(Fate.ARRIVED, step.observed)
            self._opening.clear()
        elif len(self._opening) < _OPENING:
            self._opening.append((number, step.observed))

    def _clocked(self, number: int, step: Step, mine: _End) -> None:
        """Note the timestamp of a segment: its echo proves that it arrived."""
        stamps = step.segment.options.timestamps
        if stamps is None:
            return
        mine.clocks[stamps.value] = None if stamps.value in mine.clocks else number
        if len(mine.clocks) > _CLOCKS:
            del mine.clocks[next(iter(mine.clocks))]


def _overlap(one: Segment, two: Segment) -> bool:
    """Whether two segments of one end have numbers in common."""
    return one.seq < two.end and two.seq < one.end
