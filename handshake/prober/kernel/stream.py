"""Sends and receives data on an open socket of the kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from handshake.endpoint.buffers import KEPT

if TYPE_CHECKING:
    import socket

    from handshake.endpoint.options import ClientOptions

_PIECE: Final = 1 << 16
_MOST: Final = 64
"""Reads in a row: a peer that sends without end must not hold up the other connections."""


class KernelStream:
    """Sends the data as the socket accepts it, and reads what the peer sends."""

    def __init__(self, options: ClientOptions) -> None:
        self._left = memoryview(options.data)
        self._expected = options.expect
        self.size = len(options.data)
        """Octets to send."""

        self.sent = 0
        """How many of them the kernel has accepted."""

        self.octets = b""
        """The first octets that the peer sent."""

        self.finished = False
        """Whether the peer's FIN was read: it sends no more."""

        self.more = False
        """Whether there is more to read at once."""

    @property
    def found_expected(self) -> bool | None:
        """Whether the expected data was received; None if none is expected."""
        return self._expected in self.octets if self._expected else None

    def transfer(self, sock: socket.socket) -> int:
        """Read and send without blocking; return the errno of an error, or 0."""
        try:
            self._read(sock)
            self._send(sock)
        except BlockingIOError:
            return 0
        except OSError as error:
            return error.errno or 0
        return 0

    def stop(self) -> None:
        """Send no more: our FIN follows what the kernel has accepted."""
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
