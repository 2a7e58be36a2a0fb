"""Clocks: the time as packets are stamped with, and the numbers that a connection begins with."""

from __future__ import annotations

import hashlib
import secrets
import time
from typing import Final

from handshake.units import MODULUS

_ISN_TICK: Final = 4_000
"""Nanoseconds in which our ISS moves on by one (section 3.4.1)."""


class Clock:
    """The time as the kernel stamps packets, but never set back."""

    def __init__(self) -> None:
        self._since = time.time_ns() - time.monotonic_ns()

    def now(self) -> int:
        """Return nanoseconds since 1970."""
        return self._since + time.monotonic_ns()


class IsnGenerator:
    """Chooses what a connection begins with: nobody else can guess it, and it always moves on.

    So a peer that still remembers the last connection between two ports knows the next one for
    newer (section 3.4.1; RFC 7323 section 5.4).
    """

    def __init__(self) -> None:
        self._secret = secrets.token_bytes(16)

    def iss(self, ends: bytes, now: int) -> int:
        """Return the ISS between these addresses and ports at this time."""
        return (self._digest(ends) + now // _ISN_TICK) % MODULUS

    def ticks(self, addresses: bytes) -> int:
        """Return what our clock shows these two hosts at time 0."""
        return self._digest(addresses)

    def _digest(self, octets: bytes) -> int:
        found = hashlib.blake2b(octets, digest_size=4, key=self._secret).digest()
        return int.from_bytes(found, "big")
