"""The errand: what to do with a connection that is open, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

if TYPE_CHECKING:
    import socket

HowToClose: TypeAlias = Literal["fin", "rst", "none"]

_PIECE: Final = 1 << 16
_MOST: Final = 64
"""Pieces read at a time: whoever sends without end must not hold up the other calls."""


@dataclass(frozen=True, slots=True)
class Errand:
    """What to do with a connection that is open."""

    data: bytes = b""
    """To be sent."""

    expect: bytes | None = None
    """To be waited for: as long as `Patience.hold` says, or `Patience.opening` where it is 0."""

    close: HowToClose = "fin"
    """By FIN, and see what the peer does; by RST; or not at all as long as the engine runs."""


@dataclass(frozen=True, slots=True)
class Exchanged:
    """What passed over a connection, in octets of payload."""

    sent: int
    """Handed to the kernel, which sends it as the peer takes it."""

    acknowledged: int | None
    """What the peer's TCP has acknowledged; None where the kernel does not tell."""

    received: int
    found: bool | None
    """Whether what was expected came; None where nothing was."""


class Talk:
    """An errand that is being run on one socket."""

    def __init__(self, errand: Errand) -> None:
        self._left = memoryview(errand.data)
        self._expect = errand.expect
        self._last = b""
        self.sent = 0
        self.received = 0
        self.found: bool | None = None if errand.expect is None else not errand.expect
        self.finished = False
        """Whether the peer's FIN was read: it sends nothing more."""

        self.more = False
        """Whether there is more to read at once."""

    def go_on(self, sock: socket.socket) -> int:
        """Send and read what can be; return the errno where the kernel refuses, or else 0."""
        try:
            self._read(sock)
            self._send(sock)
        except BlockingIOError:
            return 0
        except OSError as error:
            return error.errno or 0
        return 0

    def stop(self) -> None:
        """Send nothing more: our FIN stands behind what the kernel has taken."""
        self._left = memoryview(b"")

    def _send(self, sock: socket.socket) -> None:
        while self._left:
            count = sock.send(self._left)
            self.sent += count
            self._left = self._left[count:]

    def _read(self, sock: socket.socket) -> None:
        self.more = False
        for _ in range(0 if self.finished else _MOST):
            try:
                piece = sock.recv(_PIECE)
            except BlockingIOError:
                return
            self.finished = not piece
            if self.finished:
                return
            self.received += len(piece)
            self._look_for_it(piece)
        self.more = not self.finished

    def _look_for_it(self, piece: bytes) -> None:
        if self._expect is None or self.found:
            return
        # It may lie across two pieces.
        seen = self._last + piece
        self.found = self._expect in seen
        self._last = seen[max(0, len(seen) - len(self._expect) + 1) :]
