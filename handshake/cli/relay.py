"""Joins standard input and output to a connection, as netcat does."""

from __future__ import annotations

import errno
import os
import select
import signal
import socket
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

from handshake.errors import ConnectionLostError, LocalError

if TYPE_CHECKING:
    from collections.abc import Iterator

_AT_ONCE: Final = 1 << 16
"""Octets held in each direction, at most: who sends more waits for who reads."""

_GONE: Final = (errno.EIO, errno.EBADF)
"""What reading a terminal that is gone ends in, and a descriptor that was never open."""

_WORDS: Final = {
    errno.ECONNRESET: "the peer reset it",
    errno.ETIMEDOUT: "the peer does not answer any more",
}


def join(sock: socket.socket, stdin: int = 0, stdout: int = 1) -> None:
    """Send what `stdin` gives, and write to `stdout` what the peer sends, until the peer closes.

    At the end of `stdin` our side is closed, and the peer is heard to its end. The peer's FIN
    ends it, once all that came before is written: nobody waits for `stdin` then. What was not
    read of it stays there; what was read and not sent, 64 KiB at most, is dropped.

    When the reader of `stdout` is gone it ends at once. Raises ConnectionLostError where the peer
    resets the connection or is lost, after all that came before is written; KeyboardInterrupt at
    SIGINT; LocalError where `stdin` cannot be read, and OSError where `stdout` takes no more.

    The descriptors stay as they are, since others may share them: a terminal that is stopped
    stops both directions. `sock` is left open, and as it was. Whoever wrote to `sys.stdout`
    flushes it before.
    """
    timeout = sock.gettimeout()
    with _woken() as awake:
        sock.setblocking(False)
        try:
            _Joint(sock, stdin, stdout, awake).run()
        finally:
            sock.settimeout(timeout)


@contextmanager
def _woken() -> Iterator[int | None]:
    """Yield what can be read once a signal has come; None in a thread that hears of none.

    Python runs a handler only between its own steps: a signal that comes just before a wait
    begins would else not end it.
    """
    if threading.current_thread() is not threading.main_thread():
        yield None
        return
    awake, wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    before = signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    try:
        yield awake
    finally:
        signal.set_wakeup_fd(before)
        os.close(awake)
        os.close(wake)


class _Joint:
    """Both directions, and what is on its way in each."""

    def __init__(self, sock: socket.socket, stdin: int, stdout: int, awake: int | None) -> None:
        self._sock = sock
        self._stdin: int | None = stdin
        self._stdout = stdout
        self._awake = awake
        self._to_peer = memoryview(b"")
        self._from_peer = memoryview(b"")
        self._heard_all = False
        self._error: OSError | None = None
        """What broke the connection off."""

    def run(self) -> None:
        """Pass octets on until the peer's side is over, and all of it is written."""
        while self._from_peer or not self._heard_all:
            readable, writable = self._wait()
            if self._awake in readable:
                self._be_awake()
            if self._stdin in readable:
                self._read()
            if self._sock.fileno() in writable:
                self._send()
            if self._sock.fileno() in readable:
                self._receive()
            if self._stdout in writable and not self._write():
                return
        if self._error is not None:
            why = _WORDS.get(self._error.errno or 0, str(self._error.strerror).lower())
            raise ConnectionLostError(f"the connection broke off: {why}") from self._error

    def _wait(self) -> tuple[set[int], set[int]]:
        """Wait until something can be done; return what can be read, and what written."""
        reads, writes = self._wanted()
        # Not epoll, which takes no plain files. A hang-up is reported to everybody who is
        # registered: whoever has nothing to do must not be, or it would never wait again.
        waiting = select.poll()
        for descriptor in reads | writes:
            wanted = select.POLLIN if descriptor in reads else 0
            waiting.register(descriptor, wanted | (select.POLLOUT if descriptor in writes else 0))
        ready = waiting.poll()
        # A hang-up and an error are told by the call that meets them.
        return (
            {descriptor for descriptor, found in ready if found & ~select.POLLOUT} & reads,
            {descriptor for descriptor, found in ready if found & ~select.POLLIN} & writes,
        )

    def _wanted(self) -> tuple[set[int], set[int]]:
        """Return what is to be read, and what written: nothing is read before there is room."""
        reads: set[int] = set()
        writes: set[int] = set()
        if self._awake is not None:
            reads.add(self._awake)
        if self._to_peer:
            writes.add(self._sock.fileno())
        elif self._stdin is not None:
            reads.add(self._stdin)
        if self._from_peer:
            writes.add(self._stdout)
        elif not self._heard_all:
            reads.add(self._sock.fileno())
        return reads, writes

    def _be_awake(self) -> None:
        """Take note of signals: their handlers have run, and none of them has raised."""
        assert self._awake is not None
        with suppress(BlockingIOError):
            os.read(self._awake, _AT_ONCE)

    def _read(self) -> None:
        """Read what is to be sent; at its end, close our side."""
        assert self._stdin is not None
        try:
            octets = os.read(self._stdin, _AT_ONCE)
        except BlockingIOError:
            return
        except OSError as error:
            if error.errno not in _GONE:
                raise LocalError(f"cannot read standard input: {error.strerror}") from error
            octets = b""
        self._to_peer = memoryview(octets)
        if not octets:
            self._stdin = None
            # Where the connection is broken off, reading from it will tell.
            with suppress(OSError):
                self._sock.shutdown(socket.SHUT_WR)

    def _send(self) -> None:
        try:
            sent = self._sock.send(self._to_peer)
        except BlockingIOError:
            return
        except OSError as error:
            # What came before can still be read, and then the end. A RST that follows the peer's
            # FIN is none: it only says that what we still sent is not read.
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
        self._heard_all = not octets

    def _write(self) -> bool:
        """Write what came; return whether anybody is there to read it."""
        try:
            # A pipe that can be written takes so much without making us wait.
            written = os.write(self._stdout, self._from_peer[: select.PIPE_BUF])
        except BlockingIOError:
            return True
        except OSError as error:
            if error.errno not in (errno.EPIPE, errno.EBADF):
                raise
            return False
        self._from_peer = self._from_peer[written:]
        return True
