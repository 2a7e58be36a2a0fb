"""What an expert would point at in the flow of data: closed windows, losses, gaps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from handshake import events as ev
from handshake.events import Role
from handshake.events.base import octets, seconds
from handshake.record import Finding
from handshake.units import NS_PER_SECOND

if TYPE_CHECKING:
    from collections.abc import Iterator

    from handshake.events import Step
    from handshake.tcp import Observed, Seq

LEAST_RETRANSMISSIONS: Final = 3
"""Below this many a share of losses says little."""

HEAVY: Final = 0.02
"""The share of segments sent again from which a path is called lossy: a sender that halves its
window for each loss gets about 1.2 / sqrt(0.02), which is 9 segments, through in a round trip."""

SILENT: Final = 3
"""Repetitions without any answer after which the peer is called silent: one or two may have been
answered just after the capture ended."""

ONE_SIDED: Final = 3
"""Segments of one end, with none of the other, that make a capture one-sided."""


@dataclass(slots=True)
class _Direction:
    segments: int = 0
    acks: int = 0
    carrying: int = 0
    """Segments with data or FIN."""

    next: Seq | None = None
    """The number after the last that it sent, from its last SYN on."""

    again: int = 0
    first_again: Observed | None = None
    unanswered: int = 0
    """Repetitions since the peer was last heard."""

    last_again: Observed | None = None
    closed_at: Observed | None = None
    """The segment that closed the window that is closed now."""

    first_closed: Observed | None = None
    closed_for: int = 0
    times_closed: int = 0


class DataFindings:
    """Follows windows, retransmissions, and what the capture has missed."""

    __slots__ = ("_ends", "_last", "_unseen", "_unseen_at")

    def __init__(self) -> None:
        self._ends = {Role.CLIENT: _Direction(), Role.SERVER: _Direction()}
        self._unseen = 0
        self._unseen_at: Observed | None = None
        self._last: Observed | None = None

    def feed(self, step: Step) -> None:
        """Take one step into account."""
        seg, observed = step.segment, step.observed
        mine = self._ends[step.by]
        mine.segments += 1
        self._last = observed
        self._ends[step.by.other].unanswered = 0
        if seg.syn or seg.rst:
            # A SYN may start from another number, behind those of an earlier one.
            mine.next = seg.end if seg.syn else mine.next
            return
        old = mine.next is not None and seg.seq < mine.next
        if mine.next is None or mine.next < seg.end:
            mine.next = seg.end
        mine.acks += seg.ack is not None
        mine.carrying += bool(seg.payload_length or seg.fin)
        if (seg.window == 0) is not (mine.closed_at is not None):
            self._window(step, mine)
        for event in step.events:
            if isinstance(event, ev.Retransmitted) and old:
                mine.again += 1
                mine.unanswered += 1
                mine.first_again = mine.first_again or observed
                mine.last_again = observed
            elif isinstance(event, ev.UnseenAcknowledged):
                self._unseen += event.count
                self._unseen_at = self._unseen_at or observed

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
        """Yield what there is to say so far."""
        for role, mine in self._ends.items():
            yield from self._closed(role, mine)
            yield from _lost(role, mine)
        yield from self._missed()

    def _closed(self, role: Role, mine: _Direction) -> Iterator[Finding]:
        if mine.first_closed is None or self._last is None:
            return
        still = mine.closed_at is not None
        time = mine.closed_for
        if mine.closed_at is not None:
            time += self._last.at - mine.closed_at.at
        often = f" ({mine.times_closed} times)" if mine.times_closed > 1 else ""
        end = ", and still is at the end" if still else ""
        yield Finding(
            "zero-window",
            mine.first_closed.frame,
            f"The {role}'s window was 0 for {seconds(time / NS_PER_SECOND)}{often}{end}: its "
            f"program does not read as fast as data comes, and the {role.other} must wait.",
        )

    def _missed(self) -> Iterator[Finding]:
        for role, mine in self._ends.items():
            if mine.acks >= ONE_SIDED and not self._ends[role.other].segments:
                frame = None if self._last is None else self._last.frame
                yield Finding(
                    "one-sided",
                    frame,
                    f"Only the {role}'s segments are in this capture, and they acknowledge what is "
                    f"not: the other direction took another way, or was filtered out.",
                )
                return
        if self._unseen_at is not None:
            yield Finding(
                "capture-gap",
                self._unseen_at.frame,
                f"At least {octets(self._unseen)} were acknowledged that are not in this capture: "
                f"it lost packets. What else looks lost may have been there.",
            )


def _lost(role: Role, mine: _Direction) -> Iterator[Finding]:
    if mine.first_again is not None and mine.again >= LEAST_RETRANSMISSIONS:
        share = mine.again / max(mine.carrying, 1)
        if share >= HEAVY:
            yield Finding(
                "retransmissions",
                mine.first_again.frame,
                f"The {role} sent {mine.again} of its {mine.carrying} segments with data again "
                f"({share:.0%}): the path loses segments or their ACKs.",
            )
    if mine.last_again is not None and mine.unanswered >= SILENT:
        yield Finding(
            "peer-silent",
            mine.last_again.frame,
            f"The {role} repeated itself {mine.unanswered} times, and the {role.other} was not "
            f"heard again: it is gone, or the path is broken.",
        )
