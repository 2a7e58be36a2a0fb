"""Timeouts and retries of a probe."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from handshake.errors import UsageError
from handshake.units import NS_PER_SECOND

ACK_OBSERVATION: Final = 1.25
"""Seconds within which an unacknowledged SYN-ACK is retransmitted (RFC 6298 section 2)."""

MAX_WAIT: Final = NS_PER_SECOND // 5
"""The longest single blocking wait. Python runs signal handlers only between bytecodes: a signal
that arrives just before a wait begins is handled when the wait ends."""

_LONGEST: Final = 86_400
"""Seconds: a longer time is a typing error."""


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Times to wait, in nanoseconds; `Timeouts.of` takes seconds."""

    rto: int = NS_PER_SECOND
    """Until the first retransmission; each one after it waits twice as long (RFC 6298)."""

    retries: int = 2
    """SYNs after the first, so that they leave at 0, 1 and 3 s; and FINs after the first."""

    handshake: int = 5 * NS_PER_SECOND
    """For the handshake, all retransmissions included."""

    observe: int = 0
    """Watch for a retransmitted SYN-ACK before we close; 0 to rely on the answer to our FIN. Linux
    retransmits it after a second: `ACK_OBSERVATION` is long enough to see that."""

    hold: int = 0
    """Between the handshake and our FIN; the peer's FIN ends it."""

    close: int = 2 * NS_PER_SECOND
    """From our FIN until both FINs are acknowledged."""

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
        handshake_ns, rto_ns, observe_ns, hold_ns, close_ns = (
            round(seconds * NS_PER_SECOND) for seconds in times
        )
        return cls(rto_ns, retries, handshake_ns, observe_ns, hold_ns, close_ns)
