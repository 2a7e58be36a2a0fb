"""How often the kernel was sent a SYN on a connection that it holds for open: a counter of it."""

from __future__ import annotations

import os
from typing import Final, Self

_PLACE: Final = "/proc/thread-self/net/netstat"
_NAME: Final = b"TCPSYNChallenge"
_ROOM: Final = 1 << 16


class SynChallengeCounter:
    """The counter TCPSYNChallenge of this network namespace; anybody may read it.

    A SYN,ACK that comes again counts there, and a keep-alive does not: to the socket itself
    they look the same.
    """

    def __init__(self) -> None:
        try:
            # Held open, so that it stays that of this namespace, and is quick to read.
            self._file = os.open(_PLACE, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            self._file = -1

    def count(self) -> int | None:
        """Return it as it is now; None where it cannot be known."""
        if self._file < 0:
            return None
        rows = os.pread(self._file, _ROOM, 0).split(b"\n")
        # A row of names, and under it one of numbers.
        for names, numbers in zip(rows[::2], rows[1::2], strict=False):
            if _NAME in names:
                return int(numbers.split()[names.split().index(_NAME)])
        return None

    def close(self) -> None:
        """Let go of it."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
