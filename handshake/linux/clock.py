"""The clock of packet time stamps, and initial sequence numbers."""

from __future__ import annotations

import hashlib
import secrets
import time
from typing import Final

from handshake.units import MODULUS

_STEP: Final = 20_000_000
"""Nanoseconds by which a time stamp must be impossible to show that the clock was set."""

_READINGS: Final = 3
"""Readings of both clocks, of which that counts between which least time passed."""

_ISN_TICK: Final = 4_000
"""Nanoseconds in which the initial sequence number advances by one (section 3.4.1)."""


class Clock:
    """The clock that the kernel stamps packets with, but monotonic: it is never set."""

    def __init__(self) -> None:
        self._since = _wall_minus_monotonic()
        self._last = 0
        """The last time stamp, by this clock."""

    def now(self) -> int:
        """Return nanoseconds since 1970."""
        return self._since + time.monotonic_ns()

    def stamped(self, at: int, now: int) -> int:
        """Return the time of a packet's time stamp; `now` is when it was read, by this clock.

        They are the same until the system clock is set. After that a time stamp may lie in the
        future, or before that of the packet before it: it was made by the clock as it is now.
        """
        if at > now + _STEP or at < self._last - _STEP:
            at -= _wall_minus_monotonic() - self._since
        self._last = max(self._last, at)
        return at


def _wall_minus_monotonic() -> int:
    """Return how far the system clock is ahead of the monotonic one, in nanoseconds."""
    found = []
    for _ in range(_READINGS):
        before, wall, after = time.monotonic_ns(), time.time_ns(), time.monotonic_ns()
        found.append((after - before, wall - before))
    return min(found)[1]


class IsnGenerator:
    """Generates initial sequence numbers that cannot be guessed and always advance (RFC 6528).

    So a peer that still remembers the previous connection between two sockets recognizes the next
    one as newer (section 3.4.1); likewise its timestamps clock (RFC 7323 section 5.4).
    """

    def __init__(self) -> None:
        self._keyed = hashlib.blake2b(digest_size=4, key=secrets.token_bytes(16))

    def iss(self, ends: bytes, now: int) -> int:
        """Return the ISS of a connection between these addresses and ports, at a time."""
        return (self._digest(ends) + now // _ISN_TICK) % MODULUS

    def ticks(self, addresses: bytes) -> int:
        """Return the offset of the timestamps clock between two hosts, in milliseconds."""
        return self._digest(addresses)

    def _digest(self, octets: bytes) -> int:
        digest = self._keyed.copy()
        digest.update(octets)
        return int.from_bytes(digest.digest(), "big")
