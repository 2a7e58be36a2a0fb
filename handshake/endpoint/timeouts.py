"""Patience: how long a probe waits for what, and how often it tries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from handshake.errors import UsageError
from handshake.units import NS_PER_SECOND

ACK_OBSERVATION: Final = 1.25
"""Seconds in which a SYN,ACK that nobody acknowledged comes again (RFC 6298 section 2)."""

MAX_WAIT: Final = NS_PER_SECOND // 5
"""The longest wait for anything at once. Python runs the handler of a signal between its own steps
alone: one that comes just before a wait begins is heeded when that ends."""

_LONGEST: Final = 86_400
"""Seconds: who waits for more than a day has mistyped."""


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long to wait for what, in nanoseconds; `Timeouts.of` takes seconds."""

    rto: int = NS_PER_SECOND
    """Until the first retransmission; each one after it waits twice as long (RFC 6298)."""

    retries: int = 2
    """SYNs after the first, so that they leave at 0, 1 and 3 s; and FINs after the first."""

    handshake: int = 5 * NS_PER_SECOND
    """For the handshake, all retransmissions included."""

    observe: int = 0
    """For a sign that our ACK was not taken, before we close; 0 to let our FIN find out. Linux
    repeats a SYN,ACK after a second: `ACK_OBSERVATION` is long enough to see it."""

    hold: int = 0
    """Between the handshake and our FIN; the peer's FIN ends it."""

    close: int = 2 * NS_PER_SECOND
    """For both FINs to be acknowledged, from ours on."""

    @classmethod
    def of(
        cls,
        *,
        timeout: float = 5.0,
        retries: int = 2,
        rto: float = 1.0,
        observe: float = 0.0,
        hold: float = 0.0,
        close_timeout: float = 2.0,
    ) -> Timeouts:
        """Return it from times in seconds; `timeout` is for the handshake.

        Raises UsageError for a time that is negative, longer than a day, or not a number.
        """
        times = (timeout, rto, observe, hold, close_timeout)
        if not all(0 <= seconds <= _LONGEST for seconds in times):
            raise UsageError("time-range", most=_LONGEST)
        opening, first, watched, held, closing = (
            round(seconds * NS_PER_SECOND) for seconds in times
        )
        return cls(first, retries, opening, watched, held, closing)
