"""What is said and heard on a socket of the kernel's that is open."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from handshake.endpoint.receive_buffer import KEPT

if TYPE_CHECKING:
    import socket

    from handshake.endpoint.options import ClientOptions

_PIECE: Final = 1 << 16
_MOST: Final = 64
"""Pieces read at a time: whoever sends without end must not hold up the other calls."""


class KernelStream:
    """Says what is to be said, as the socket takes it, and reads what the peer says."""

    def __init__(self, options: ClientOptions) -> None:
        self._left = memoryview(options.data)
        self._expected = options.expect
        self.size = len(options.data)
        """How many octets are to be said."""

        self.sent = 0
        """How many of them the kernel has taken."""

        self.octets = b""
        """The first octets that the peer said."""

        self.finished = False
        """Whether the peer's FIN was read: it sends nothing more."""

        self.more = False
        """Whether there is more to read at once."""

    @property
    def found_expected(self) -> bool | None:
        """Whether what was expected has come; None where nothing was."""
        return self._expected in self.octets if self._expected else None

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
            self.octets += piece[: KEPT - len(self.octets)]
        self.more = not self.finished
