"""How steps, times, endpoints and counts are written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from handshake import events as ev
from handshake.messages import number
from handshake.units import NS_PER_MS, NS_PER_SECOND

if TYPE_CHECKING:
    from collections.abc import Sequence

    from handshake.events import Step
    from handshake.record import EndRecord

_TROUBLE: Final = (
    ev.AckedAgain,
    ev.BadChecksum,
    ev.ChallengeAck,
    ev.Dropped,
    ev.DuplicateAck,
    ev.FilledGap,
    ev.GapSeen,
    ev.Lost,
    ev.Malformed,
    ev.NotAccepted,
    ev.Aborted,
    ev.Refused,
    ev.Retransmitted,
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
    return any(isinstance(event, _TROUBLE) for event in step.events)


def headline(step: Step) -> str:
    """Return a step in a word or two: `SYN retransmitted`, `data, 517 octets`."""
    seg = step.segment
    name = str(seg.flags)
    if seg.payload_length and not (seg.syn or seg.fin or seg.rst):
        name = f"data, {number(seg.payload_length, 'octet')}"
    if any(isinstance(event, ev.KeepAlive) for event in step.events):
        name = "keep-alive"
    again = any(isinstance(event, _RETRANSMISSIONS) for event in step.events)
    return f"{name} retransmitted" if again else name


def cited(section: str | None) -> str:
    """Return a section with the number of its RFC; nothing if there is none."""
    if section is None:
        return ""
    return section if section.startswith("RFC") else f"RFC 9293 {section}"


def endpoint(end: EndRecord) -> str:
    """Return address and port: `[::1]:80`."""
    return f"[{end.address}]:{end.port}" if ":" in end.address else f"{end.address}:{end.port}"


def count(number: int, what: str) -> str:
    """Return a count with its noun: `1 packet`, `2,000 packets`."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


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
