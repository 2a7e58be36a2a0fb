"""Relays standard input and output over a connection, as netcat does."""

from __future__ import annotations

import errno
import os
import select
import signal
import socket
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

from handshake.errors import ConnectionLostError, LocalError, system_error

if TYPE_CHECKING:
    from collections.abc import Iterator

_AT_ONCE: Final = 1 << 16
"""The most octets buffered in each direction: a fast sender waits for a slow reader."""

_GONE: Final = (errno.EIO, errno.EBADF)
"""Errors of reading a closed terminal, and a descriptor that was never open."""

_LOST: Final = {errno.ECONNRESET: "connection.reset", errno.ETIMEDOUT: "connection.timeout"}


def relay(sock: socket.socket, stdin: int = 0, stdout: int = 1) -> None:
    """Send what `stdin` gives, and write to `stdout` what the peer sends, until the peer closes.

    At the end of `stdin` our side is closed (half-close), and the peer may send on. The relay ends
    at the peer's FIN, once all data before it is written, without waiting for `stdin`: data not yet
    read stays there; data read but not sent, at most 64 KiB, is dropped.

    It ends at once when the reader of `stdout` is gone. Raises ConnectionLostError if the peer
    resets the connection or is lost, after writing all data before that; KeyboardInterrupt on
    SIGINT; LocalError if `stdin` cannot be read, and OSError if `stdout` cannot be written.

    The modes of the descriptors do not change, since other processes may share them: a stopped
    terminal stops both directions. `sock` stays open, with its timeout restored. The caller must
    flush `sys.stdout` first.
    """
    timeout = sock.gettimeout()
    with _signal_pipe() as signals:
        sock.setblocking(False)
        try:
            _Relay(sock, stdin, stdout, signals).run()
        finally:
            sock.settimeout(timeout)


@contextmanager
def _signal_pipe() -> Iterator[int | None]:
    """Yield a descriptor that is readable after a signal; None outside the main thread.

    Python runs a handler only between bytecodes: otherwise a signal just before a wait would not
    end it.
    """
    if threading.current_thread() is not threading.main_thread():
        yield None
        return
    reading, writing = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    before = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    try:
        yield reading
    finally:
        signal.set_wakeup_fd(before)
        os.close(reading)
        os.close(writing)


class _Relay:
    """Both directions, and the data in transit in each."""

    def __init__(self, sock: socket.socket, stdin: int, stdout: int, signals: int | None) -> None:
        self._sock = sock
        self._stdin: int | None = stdin
        self._stdout = stdout
        self._signals = signals
        self._to_peer = memoryview(b"")
        self._from_peer = memoryview(b"")
        self._received_all = False
        self._error: OSError | None = None
        """Why the connection was lost."""

    def run(self) -> None:
        """Relay until the peer's data has ended and all of it is written."""
        while self._from_peer or not self._received_all:
            readable, writable = self._wait()
            if self._signals in readable:
                self._clear_signals()
            if self._stdin in readable:
                self._read()
            if self._sock.fileno() in writable:
                self._send()
            if self._sock.fileno() in readable:
                self._receive()
            if self._stdout in writable and not self._write():
                return
        if self._error is not None:
            code = _LOST.get(self._error.errno or 0, "connection.lost")
            raise ConnectionLostError(code, why=system_error(self._error)) from self._error

    def _wait(self) -> tuple[set[int], set[int]]:
        """Wait for an event; return the readable and the writable descriptors."""
        reads, writes = self._wanted()
        # Not epoll, which refuses plain files. POLLHUP is reported for every registered descriptor:
        # one that is not in use must not be registered, or the loop would spin.
        waiting = select.poll()
        for descriptor in reads | writes:
            wanted = select.POLLIN if descriptor in reads else 0
            waiting.register(descriptor, wanted | (select.POLLOUT if descriptor in writes else 0))
        ready = waiting.poll()
        # POLLHUP and POLLERR show in the call that reads or writes.
        return (
            {descriptor for descriptor, found in ready if found & ~select.POLLOUT} & reads,
            {descriptor for descriptor, found in ready if found & ~select.POLLIN} & writes,
        )

    def _wanted(self) -> tuple[set[int], set[int]]:
        """Return the descriptors to read and to write: nothing is read while its buffer is full."""
        reads: set[int] = set()
        writes: set[int] = set()
        if self._signals is not None:
            reads.add(self._signals)
        if self._to_peer:
            writes.add(self._sock.fileno())
        elif self._stdin is not None:
            reads.add(self._stdin)
        if self._from_peer:
            writes.add(self._stdout)
        elif not self._received_all:
            reads.add(self._sock.fileno())
        return reads, writes

    def _clear_signals(self) -> None:
        """Drain the signal pipe: the handlers have run, and none has raised."""
        assert self._signals is not None
        with suppress(BlockingIOError):
            os.read(self._signals, _AT_ONCE)

    def _read(self) -> None:
        """Read from stdin; at its end, close our side."""
        assert self._stdin is not None
        try:
            octets = os.read(self._stdin, _AT_ONCE)
        except BlockingIOError:
            return
        except OSError as error:
            if error.errno not in _GONE:
                raise LocalError("stdin", why=system_error(error)) from error
            octets = b""
        self._to_peer = memoryview(octets)
        if not octets:
            self._stdin = None
            # If the connection is lost, reading from it will tell.
            with suppress(OSError):
                self._sock.shutdown(socket.SHUT_WR)

    def _send(self) -> None:
        try:
            sent = self._sock.send(self._to_peer)
        except BlockingIOError:
            return
        except OSError as error:
            # Data received before can still be read. A RST after the peer's FIN is not an error: it
            # only says that our later data was not read.
            self._error = None if error.errno == errno.EPIPE else error
            self._stdin = None
            sent = len(self._to_peer)
        self._to_peer = self._to_peer[sent:]

    def _receive(self) -> None:
        try:
            octets = self._sock.recv(_AT_ONCE)
        except BlockingIOError:
            return
        except OSError as error:
            self._error = error
            octets = b""
        self._from_peer = memoryview(octets)
        self._received_all = not octets

    def _write(self) -> bool:
        """Write received data; return False if the reader is gone."""
        try:
            # A writable pipe takes PIPE_BUF octets without blocking.
            written = os.write(self._stdout, self._from_peer[: select.PIPE_BUF])
        except BlockingIOError:
            return True
        except OSError as error:
            if error.errno not in (errno.EPIPE, errno.EBADF):
                raise
            return False
        self._from_peer = self._from_peer[written:]
        return True
