"""The kernel's counter of SYNs on established connections (TCPSYNChallenge)."""

from __future__ import annotations

import os
from typing import Final, Self

_PLACE: Final = "/proc/thread-self/net/netstat"
_NAME: Final = b"TCPSYNChallenge"
_ROOM: Final = 1 << 16


class SynChallengeCounter:
    """The counter TCPSYNChallenge of this network namespace. Needs no privilege.

    A retransmitted SYN-ACK counts there and a keep-alive does not: the socket itself cannot tell
    them apart.
    """

    def __init__(self) -> None:
        try:
            # Kept open: it stays that of this namespace, and is quick to read.
            self._file = os.open(_PLACE, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            self._file = -1

    def count(self) -> int | None:
        """Return its current value; None if it cannot be read."""
        if self._file < 0:
            return None
        rows = os.pread(self._file, _ROOM, 0).split(b"\n")
        # A row of names, followed by a row of their values.
        for names, numbers in zip(rows[::2], rows[1::2], strict=False):
            if _NAME in names:
                return int(numbers.split()[names.split().index(_NAME)])
        return None

    def close(self) -> None:
        """Close the file."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
