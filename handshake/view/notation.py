"""How steps, times, endpoints and sequence numbers are written."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from handshake import events as ev
from handshake.events import Role
from handshake.units import NS_PER_MS, NS_PER_SECOND
from handshake.view.glyphs import UNICODE, Glyphs

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from handshake.events import Step
    from handshake.record import EndRecord
    from handshake.tcp import Seq


_TROUBLE: Final = (
    ev.AckedAgain,
    ev.ChallengeAck,
    ev.Dropped,
    ev.DuplicateAck,
    ev.FilledGap,
    ev.GapSeen,
    ev.Lost,
    ev.Malformed,
    ev.NotAccepted,
    ev.NotYetArrived,
    ev.Aborted,
    ev.Refused,
    ev.Retransmitted,
    ev.ResetDisproved,
    ev.ResetForged,
    ev.StrayReset,
    ev.SynAckRetransmitted,
    ev.SynRetransmitted,
    ev.UnseenAcknowledged,
    ev.WindowClosed,
)
"""Events that a reader should look at."""

_RETRANSMISSIONS: Final = (ev.SynRetransmitted, ev.SynAckRetransmitted, ev.Retransmitted)


def is_trouble(step: Step) -> bool:
    """Whether an event of this step is a sign of trouble."""
    return any(
        # What a host leaves to its network card is no fault.
        not event.partial if isinstance(event, ev.BadChecksum) else isinstance(event, _TROUBLE)
        for event in step.events
    )


def is_again(step: Step) -> bool:
    """Whether the segment was sent before: a retransmission."""
    return any(isinstance(event, _RETRANSMISSIONS) for event in step.events)


def headline(step: Step, glyphs: Glyphs = UNICODE) -> str:
    """Return a step in a word or two: `SYN retransmitted`, `data, 517 octets`."""
    seg = step.segment
    name = str(seg.flags)
    if seg.payload_length and not (seg.syn or seg.fin or seg.rst):
        name = glyphs.say("headline.data", count=seg.payload_length)
    if any(isinstance(event, ev.KeepAlive) for event in step.events):
        name = glyphs.say("headline.keep-alive")
    return glyphs.say("headline.again", name=name) if is_again(step) else name


def cited(section: str | None) -> str:
    """Return a section with the number of its RFC; nothing if there is none."""
    if section is None:
        return ""
    return section if section.startswith("RFC") else f"RFC 9293 {section}"


def endpoint(end: EndRecord) -> str:
    """Return address and port: `[::1]:80`."""
    return f"[{end.address}]:{end.port}" if ":" in end.address else f"{end.address}:{end.port}"


class TimeColumn:
    """Times since a connection's first segment, in a unit that suits its duration."""

    def __init__(self, steps: Sequence[Step]) -> None:
        longest = abs(steps[-1].since_start) if steps else 0
        # Nine columns fit 99999.999.
        self.unit, self._nano = (
            ("ms", NS_PER_MS) if longest < 100 * NS_PER_SECOND else ("s", NS_PER_SECOND)
        )
        self._decimals = 3 if longest < 10**14 else 0

    def show(self, nanoseconds: int) -> str:
        """Return a time without unit."""
        return f"{nanoseconds / self._nano:.{self._decimals}f}"


def milliseconds(nanoseconds: int) -> str:
    """Return the time between two segments: `+1020.000 ms`."""
    return f"{nanoseconds / 10**6:+.3f} ms"


UNKNOWN: Final = "—"
"""The sign for an unknown number."""


@dataclass(frozen=True, slots=True)
class Numbers:
    """How the sequence numbers of one connection are shown.

    Relative, the SYN of an end is 0; if no SYN was captured, the first number is 1, as in
    Wireshark.
    """

    client: Seq | None = None
    """The client's number that is shown as 0; None if unknown."""

    server: Seq | None = None
    relative: bool = True

    @classmethod
    def of(cls, steps: Iterable[Step], *, relative: bool = True) -> Numbers:
        """Return the numbers of the connection that begins with these steps."""
        zero: dict[Role, Seq] = {}
        for step in steps:
            seg = step.segment
            if seg.rst:
                continue  # the number of a RST comes from the segment that provoked it
            if seg.syn:
                zero.setdefault(step.by, seg.seq)
            zero.setdefault(step.by, seg.seq - 1)
            if seg.ack is not None:
                zero.setdefault(step.by.other, seg.ack - 1)
            if len(zero) == len(Role):
                break
        return cls(zero.get(Role.CLIENT), zero.get(Role.SERVER), relative)

    def absolute(self) -> Numbers:
        """Return the same with absolute numbers."""
        return replace(self, relative=False)

    def show(self, number: Seq | None, end: Role) -> str:
        """Return a number of an end as text."""
        if number is None:
            return UNKNOWN
        zero = self.client if end is Role.CLIENT else self.server
        if not self.relative or zero is None:
            return str(number)
        # A number before the SYN stays large: it is not part of this stream.
        return str(int(number - int(zero)))

    def both(self, number: Seq, end: Role) -> str:
        """Return a number as shown, followed by the absolute number if that differs."""
        shown = self.show(number, end)
        return shown if shown == str(number) else f"{shown} ({number})"

    def label(self, glyphs: Glyphs = UNICODE) -> str:
        """Whether the numbers are relative, as a screen says it."""
        return glyphs.say(f"ladder.{'relative' if self.relative else 'absolute'}")
