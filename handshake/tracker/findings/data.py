"""Findings in the flow of data: zero windows, retransmissions, gaps in the capture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from handshake import events as ev
from handshake.events import Role
from handshake.events.run import Gain
from handshake.record import Finding
from handshake.tcp import Seq
from handshake.units import NS_PER_SECOND

if TYPE_CHECKING:
    from collections.abc import Iterator

    from handshake.events import Step
    from handshake.events.run import Run, RunStart
    from handshake.tcp import Observed, Segment

LEAST_RETRANSMISSIONS: Final = 3
"""Retransmissions below which a share of losses means little."""

HEAVY: Final = 0.02
"""The share of retransmitted segments from which a path counts as lossy: a sender that halves its
window for each loss gets about 1.2 / sqrt(0.02), which is 9 segments, through in a round trip."""

SILENT: Final = 3
"""Retransmissions without any answer after which the peer counts as silent: one or two may have
been answered just after the capture ended."""

REWRITTEN: Final = 2
"""Packets with the same identification and other numbers that no accident explains: one in 65,536
has the identification of the one before."""

FAR: Final = 1 << 24
"""Numbers that no sender goes on by in `AT_ONCE`: another numbering."""

AT_ONCE: Final = NS_PER_SECOND // 100
"""Nanoseconds within which a device passes a packet on."""

GAPS: Final = 16
"""Gaps of the capture remembered, in which a packet out of order may still fall."""

REUSED: Final = 1 << 30
"""Numbers after which those of a gap are far behind, and later come again for other octets."""

_TOLD: Final = frozenset({ev.Retransmitted, ev.KeepAlive, ev.UnseenAcknowledged})
"""The events that tell of octets sent again, or missing in the capture."""

ONE_SIDED: Final = 3
"""Segments of one end, with none of the other, that make a capture one-sided."""


@dataclass(slots=True)
class _Direction:
    segments: int = 0
    last: Observed | None = None
    """Its last packet."""

    rewritten: int = 0
    """Packets that came again with other numbers."""

    first_rewritten: Observed | None = None
    acks: int = 0
    acknowledged: Seq | None = None
    """The number that its first ACK acknowledged."""

    answered: bool = False
    """Whether its ACKs prove that the other end sent something while this end was captured."""

    carrying: int = 0
    """Segments with data or FIN."""

    next: Seq | None = None
    """The number after the last that it sent, from its last SYN on."""

    passed: int = 0
    """By how many numbers that went on."""

    again: int = 0
    first_again: Observed | None = None
    unanswered: int = 0
    """Retransmissions since the peer last sent anything."""

    last_again: Observed | None = None
    closed_at: Observed | None = None
    """The segment that closed the window, while it is closed."""

    first_closed: Observed | None = None
    closed_for: int = 0
    times_closed: int = 0

    def advance(self, end: Seq) -> None:
        """Note the number after a segment, if it is the highest."""
        more = 0 if self.next is None else end - self.next
        if self.next is None or more > 0:
            self.passed += more
            self.next = end


class _Gap(NamedTuple):
    """Octets that were acknowledged before they were captured."""

    by: Role
    """Who sent them."""

    start: Seq
    end: Seq
    passed: int
    """By how many numbers its sender had gone on."""


class DataFindings:
    """Follows windows, retransmissions, and what the capture has missed."""

    __slots__ = ("_ends", "_gaps", "_itself", "_last", "_unseen", "_unseen_at")

    def __init__(self) -> None:
        self._ends = {Role.CLIENT: _Direction(), Role.SERVER: _Direction()}
        self._itself = False
        """Whether a socket is connected to itself."""

        self._unseen = 0
        """Octets that were acknowledged and never captured."""

        self._unseen_at: Observed | None = None
        self._gaps: list[_Gap] = []
        """Where they are: a packet out of order may still come."""

        self._last: Observed | None = None

    def feed(self, step: Step) -> None:
        """Take one step into account."""
        seg, observed = step.segment, step.observed
        if self._last is None:
            self._itself = seg.source == seg.destination
        mine = self._ends[step.by]
        mine.segments += 1
        last, number = mine.last, observed.identification
        if last is not None and number == last.identification and _is_rewritten(last, observed):
            mine.rewritten += 1
            mine.first_rewritten = mine.first_rewritten or observed
        self._last = mine.last = observed
        self._ends[step.by.other].unanswered = 0
        if seg.syn or seg.rst:
            # A SYN may start from another number, behind those of an earlier one.
            mine.next = seg.end if seg.syn else mine.next
            mine.answered |= seg.syn
            return
        if self._gaps and seg.length:
            self._found_late(step.by, seg)
        for event in step.events:
            if type(event) in _TOLD:
                self._event(step, event, mine)
        mine.advance(seg.end)
        if seg.ack is not None:
            mine.acks += 1
            if not mine.answered:
                mine.acknowledged = seg.ack if mine.acknowledged is None else mine.acknowledged
                # An ACK that stays the same may be older than the capture: the other end is silent.
                mine.answered = seg.ack != mine.acknowledged
        if seg.length:
            mine.carrying += 1
        if (seg.window == 0) is not (mine.closed_at is not None):
            self._window(step, mine)

    def _event(self, step: Step, event: ev.Event, mine: _Direction) -> None:
        """Note octets that were sent again, or that the capture lacks."""
        seg, observed = step.segment, step.observed
        match event:
            case ev.Retransmitted() | ev.KeepAlive(pending=True):
                if mine.next is not None and seg.seq < mine.next:
                    mine.again += 1
                    mine.unanswered += 1
                    mine.first_again = mine.first_again or observed
                    mine.last_again = observed
            case ev.UnseenAcknowledged() if seg.ack is not None:
                self._miss(step.by.other, seg.ack, event.count)
                self._unseen_at = self._unseen_at or observed

    def _miss(self, by: Role, ack: Seq, count: int) -> None:
        """Note that the last octets that were acknowledged of an end were not captured."""
        self._unseen += count
        if len(self._gaps) < GAPS:
            self._gaps.append(_Gap(by, ack - count, ack, self._ends[by].passed))

    def settled(self, start: RunStart) -> bool:
        """Whether no window is closed, and no next segment has another numbering than the last."""
        return all(
            mine.closed_at is None
            and mine.last is not None
            and abs(mine.last.segment.seq - Seq(sent.nxt)) < FAR // 2
            for mine, sent in zip(self._ends.values(), start.ends, strict=True)
        )

    def skip(self, run: Run) -> None:
        """Take a run into account."""
        for piece in run.pieces or ():
            if isinstance(piece, Gain) and piece.unseen:
                self._ends[piece.by.other].advance(Seq(piece.nxt))
                self._miss(piece.by.other, Seq(piece.ack), piece.unseen)
                self._unseen_at = self._unseen_at or run.packed.observed(piece.place)
        for role, mine in self._ends.items():
            sent = run.of(role)
            if not sent.segments:
                continue
            mine.segments += sent.segments
            mine.last = run.packed.observed(sent.place)
            self._ends[role.other].unanswered = 0
            mine.advance(Seq(sent.nxt))
            mine.acks += sent.segments
            if mine.acknowledged is None:
                mine.acknowledged = Seq(sent.first_ack)
            mine.answered |= int(mine.acknowledged) != sent.ack
            mine.carrying += sent.carrying
        self._last = self._ends[run.last].last

    def _found_late(self, by: Role, seg: Segment) -> None:
        """Take octets off that were captured only after their ACK."""
        left = []
        seq, end, passed = seg.seq, seg.end, self._ends[by].passed
        for gap in self._gaps:
            if gap.by is not by or passed - gap.passed >= REUSED:
                left.append(gap)
                continue
            first, last = max(gap.start, seq), min(gap.end, end)
            if not first < last:
                left.append(gap)
                continue
            self._unseen -= last - first
            parts = ((gap.start, first), (last, gap.end))
            left += [gap._replace(start=one, end=two) for one, two in parts if one < two]
        self._gaps = left

    def _window(self, step: Step, mine: _Direction) -> None:
        """Note that a window closed, or opened again."""
        if mine.closed_at is not None:
            mine.closed_for += step.observed.at - mine.closed_at.at
            mine.closed_at = None
            return
        block = step.sender.after
        if step.segment.ack is None or (block is not None and block.rcv.fin is not None):
            # After the peer's FIN nothing more can come: the window means nothing.
            return
        mine.closed_at = step.observed
        mine.first_closed = mine.first_closed or step.observed
        mine.times_closed += 1

    def found(self) -> Iterator[Finding]:
        """Yield what was found so far."""
        rewritten = False
        for role, mine in self._ends.items():
            yield from self._closed(role, mine)
            if mine.first_rewritten is not None and mine.rewritten >= REWRITTEN:
                rewritten = True
                values = {"by": role, "count": mine.rewritten}
                yield Finding("numbers-rewritten", mine.first_rewritten.frame, values)
        if rewritten:
            return  # two numberings: what looks lost in the one passed in the other
        for role, mine in self._ends.items():
            yield from _lost(role, mine)
        yield from self._missed()

    def _closed(self, role: Role, mine: _Direction) -> Iterator[Finding]:
        if mine.first_closed is None or self._last is None:
            return
        time = mine.closed_for
        if mine.closed_at is not None:
            time += self._last.at - mine.closed_at.at
        values = {
            "by": role,
            "time": time / NS_PER_SECOND,
            "times": mine.times_closed,
            "again": mine.times_closed > 1,
            "still": mine.closed_at is not None,
        }
        yield Finding("zero-window", mine.first_closed.frame, values)

    def _missed(self) -> Iterator[Finding]:
        for role, mine in self._ends.items():
            if self._itself:
                return  # both ends are one socket
            if mine.answered and mine.acks >= ONE_SIDED and not self._ends[role.other].segments:
                frame = None if self._last is None else self._last.frame
                yield Finding("one-sided", frame, {"by": role})
                return
        if self._unseen_at is not None and self._unseen > 0:
            yield Finding("capture-gap", self._unseen_at.frame, {"count": self._unseen})


def _is_rewritten(before: Observed, after: Observed) -> bool:
    """Whether a packet is the one before, with numbers that a device has rewritten.

    The two have the same identification, which may be 0.
    """
    if not after.identification or abs(after.at - before.at) > AT_ONCE:
        return False
    one, two = before.segment, after.segment
    if (one.flags, one.payload_length, one.payload) != (two.flags, two.payload_length, two.payload):
        return False
    apart = {abs(two.seq - one.seq)}
    if one.ack is not None and two.ack is not None:
        apart.add(abs(two.ack - one.ack))
    return max(apart) > FAR


def _lost(role: Role, mine: _Direction) -> Iterator[Finding]:
    if mine.first_again is not None and mine.again >= LEAST_RETRANSMISSIONS:
        share = mine.again / max(mine.carrying, 1)
        if share >= HEAVY:
            values = {"by": role, "again": mine.again, "carrying": mine.carrying, "share": share}
            yield Finding("retransmissions", mine.first_again.frame, values)
    if mine.last_again is not None and mine.unanswered >= SILENT:
        values = {"by": role, "count": mine.unanswered}
        yield Finding("peer-silent", mine.last_again.frame, values)
