"""The retransmission timer of one end (section 3.8.1, RFC 6298)."""

from __future__ import annotations


class RetransmissionTimer:
    """When to send again what nobody has acknowledged; each wait is twice as long as the last."""

    def __init__(self, rto: int, retries: int) -> None:
        self._first = rto
        self._allowed = retries
        self._rto = rto
        self._left = 0
        self.at: int | None = None
        """When it expires; None while nothing is to be sent again."""

    def start(self, now: int) -> None:
        """Wait for the answer to something new."""
        self._rto, self._left = self._first, self._allowed
        self._wait(now)

    def back_off(self, now: int) -> None:
        """Wait for the answer to what is sent again now."""
        self._rto *= 2
        self._left -= 1
        self._wait(now)

    def stop(self) -> None:
        """Wait for nothing."""
        self.at = None

    def _wait(self, now: int) -> None:
        self.at = now + self._rto if self._left else None
