"""Detect whether the server accepted our ACK, by whether it retransmits its SYN-ACK.

A server whose SYN-ACK is not acknowledged retransmits it (section 3.8.1): Linux after 1, 3, 7 s
and so on. Silence is evidence, not proof: with SYN cookies there is no retransmission.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from handshake.units import NS_PER_SECOND

_MIN_RTO: Final = NS_PER_SECOND // 5
"""No retransmission timer is shorter (RFC 6298): what arrives sooner is a copy from the network."""

_LATE: Final = NS_PER_SECOND
"""A SYN-ACK that is not answered for longer than the first timer of a server (RFC 6298) may be one
that the server has given up on: Linux, by default, 63 s after the first one."""

_MAX_RETRANSMISSIONS: Final = 2
"""Retransmissions of the SYN-ACK, each acknowledged, that show that our ACKs are not accepted."""


class AckStatus(NamedTuple):
    """What is known about whether the server accepted our ACK."""

    confirmed: bool
    """Whether it showed that it did, by any segment other than its SYN-ACK."""

    watched: float
    """Seconds for which we watched for a retransmission of the SYN-ACK."""

    again: tuple[float, ...] = ()
    """When the SYN-ACK was retransmitted, in seconds after the first one."""

    withheld: bool = False
    """Whether we sent no ACK on purpose."""

    late: float | None = None
    """How many seconds after the SYN-ACK our ACK left, if the server had given up by then."""


UNKNOWN: Final = AckStatus(confirmed=False, watched=0)
"""Of a connection that did not open."""


class SynAckMonitor:
    """Measure when one server retransmits its SYN-ACK; all times in nanoseconds."""

    def __init__(self, *, withheld: bool = False) -> None:
        """Prepare it; `withheld` tells that no SYN-ACK is acknowledged, on purpose."""
        self._withheld = withheld
        self._first_arrived: int | None = None
        self._last_at = 0
        """When we answered its last SYN-ACK, or when that arrived if we answer none."""

        self._delay = 0
        """How long its last SYN-ACK waited for our ACK."""

        self._until = 0
        self._earliest = 0
        self.again: list[int] = []
        """When the SYN-ACK was retransmitted, counted from the first one."""

    def begin(self, at: int, observe: int, arrived: int) -> None:
        """Start at the SYN-ACK, captured at `arrived`, processed `at`; watch for `observe`."""
        self._first_arrived = arrived
        self._last_at = arrived if self._withheld else at
        self._delay = at - arrived
        self._until = self._earliest = at + observe

    def postpone(self, late: int) -> None:
        """Begin so many nanoseconds later: a SYN-ACK from before our ACK left proves nothing."""
        self._last_at += late
        self._delay += late
        self._until += late
        self._earliest += late

    def repeated(self, at: int, arrived: int) -> bool:
        """Record a retransmission, captured when it `arrived` and processed `at` a time.

        Return whether a timer of the server can have run out after our ACK of the one before.

        A busy program processes it later than it arrived. One that arrived before our last ACK had
        left, or reached the server, shows nothing of what became of that ACK.
        """
        if self._first_arrived is None:
            return True
        waited = arrived - self._last_at
        self._last_at = arrived if self._withheld else at
        self._delay = at - arrived
        if waited < _MIN_RTO:
            return False
        # Its timer doubles each time, and so does the time in which silence proves nothing.
        self._until = max(self._until, at + waited * 5 // 2)
        self.again.append(arrived - self._first_arrived)
        return True

    @property
    def until(self) -> int:
        """When the observation ends: silence until then suggests that our ACK was accepted."""
        return self._earliest if len(self.again) >= _MAX_RETRANSMISSIONS else self._until

    @property
    def late(self) -> float | None:
        """How many seconds our last ACK was late, if the server may have given up by then.

        It then answers with a RST that says nothing of the port: it knows no connection.
        """
        if self._withheld or self._delay <= _LATE:
            return None
        return self._delay / NS_PER_SECOND

    @property
    def in_vain(self) -> bool:
        """Whether the SYN-ACK was retransmitted repeatedly, although acknowledged each time."""
        return len(self.again) >= _MAX_RETRANSMISSIONS
