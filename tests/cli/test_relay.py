"""Standard input and output joined to a socket: every kind of either, and every end."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import pty
import secrets
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import pytest

from handshake.cli.relay import relay
from handshake.errors import ConnectionLostError, HandshakeError, LocalError
from tests.cli.terminal import Terminal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PATIENCE: Final = 20.0
MUCH: Final = 4 << 20


class Pipe:
    """A pipe of which each end is closed once."""

    def __init__(self) -> None:
        self.reads, self.writes = os.pipe()

    def __enter__(self) -> Pipe:
        return self

    def __exit__(self, *_: object) -> None:
        self.close_reads()
        self.close_writes()

    def close_reads(self) -> None:
        if self.reads >= 0:
            os.close(self.reads)
        self.reads = -1

    def close_writes(self) -> None:
        if self.writes >= 0:
            os.close(self.writes)
        self.writes = -1

    def write(self, octets: bytes) -> None:
        while octets:
            octets = octets[os.write(self.writes, octets) :]

    def overfill(self) -> None:
        """Write without end, until the reader is gone."""
        with pytest.raises(BrokenPipeError):
            self.write(bytes(64 << 20))

    def read(self) -> bytes:
        """Return everything up to the end."""
        parts = []
        while part := os.read(self.reads, 1 << 16):
            parts.append(part)
        return b"".join(parts)


class Joined:
    """`relay` in a thread of its own, and what became of it."""

    def __init__(self, sock: socket.socket, stdin: int, stdout: int) -> None:
        self._ended: list[BaseException | None] = []
        self.thread = threading.Thread(target=self._run, args=(sock, stdin, stdout), daemon=True)
        self.thread.start()

    def _run(self, sock: socket.socket, stdin: int, stdout: int) -> None:
        try:
            relay(sock, stdin, stdout)
        except BaseException as error:
            self._ended.append(error)
        else:
            self._ended.append(None)

    def end(self) -> BaseException | None:
        """Wait until it has ended; return what it raised."""
        self.thread.join(PATIENCE)
        assert not self.thread.is_alive(), "it goes on"
        return self._ended[0]

    @property
    def seconds(self) -> float:
        """How long it has kept a processor busy."""
        assert self.thread.ident is not None
        return time.clock_gettime(time.pthread_getcpuclockid(self.thread.ident))


class Ends(NamedTuple):
    """A connection, and the pipes that it is joined to."""

    ours: socket.socket
    peer: socket.socket
    stdin: Pipe
    stdout: Pipe


@pytest.fixture
def ends() -> Iterator[Ends]:
    """Both ends of a TCP connection within this host, and two pipes."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        ours = socket.create_connection(listener.getsockname())
        peer, _ = listener.accept()
    peer.settimeout(PATIENCE)
    with ours, peer, Pipe() as stdin, Pipe() as stdout:
        yield Ends(ours, peer, stdin, stdout)


@contextmanager
def opened(path: Path | str, flags: int) -> Iterator[int]:
    descriptor = os.open(path, flags, 0o600)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def receive(peer: socket.socket, count: int | None = None) -> bytes:
    """Return so many octets, or everything up to the FIN."""
    parts, left = [], count
    while left != 0:
        part = peer.recv(1 << 16 if left is None else min(left, 1 << 16))
        if not part:
            break
        parts.append(part)
        left = None if left is None else left - len(part)
    return b"".join(parts)


def take(descriptor: int, count: int) -> bytes:
    """Return some octets, so many at most."""
    assert select.select([descriptor], [], [], PATIENCE)[0], "nothing comes"
    return os.read(descriptor, count)


def reset(peer: socket.socket) -> None:
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.close()


def meanwhile(do: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=do, daemon=True)
    thread.start()
    return thread


# Both directions.


def test_both_directions_at_once(ends: Ends) -> None:
    ours, peer, stdin, stdout = ends
    up, down = secrets.token_bytes(MUCH), secrets.token_bytes(MUCH)
    joined = Joined(ours, stdin.reads, stdout.writes)
    received: list[bytes] = []

    def give() -> None:
        stdin.write(up)
        stdin.close_writes()

    def send_data() -> None:
        peer.sendall(down)

    saying = meanwhile(send_data)

    def listen() -> None:
        received.append(receive(peer))
        saying.join()
        peer.shutdown(socket.SHUT_WR)

    def see() -> None:
        joined.end()
        stdout.close_writes()

    threads = [meanwhile(each) for each in (give, listen, see)]
    shown = stdout.read()
    for thread in threads:
        thread.join(PATIENCE)
    assert joined.end() is None
    assert hashlib.sha256(shown).digest() == hashlib.sha256(down).digest()
    assert hashlib.sha256(received[0]).digest() == hashlib.sha256(up).digest()


def test_the_end_of_input_is_our_fin_and_receiving_goes_on(ends: Ends) -> None:
    joined = Joined(ends.ours, ends.stdin.reads, ends.stdout.writes)
    ends.stdin.write(b"question\n")
    ends.stdin.close_writes()
    assert receive(ends.peer) == b"question\n"
    ends.peer.sendall(b"answer\n")
    assert take(ends.stdout.reads, 100) == b"answer\n"
    assert joined.thread.is_alive()
    ends.peer.close()
    assert joined.end() is None


def test_the_fin_of_the_peer_ends_it_and_the_rest_of_input_stays(ends: Ends) -> None:
    ends.peer.sendall(b"goodbye\n")
    ends.peer.shutdown(socket.SHUT_WR)
    joined = Joined(ends.ours, ends.stdin.reads, ends.stdout.writes)
    assert joined.end() is None
    ends.stdout.close_writes()
    assert ends.stdout.read() == b"goodbye\n"
    ends.stdin.write(b"for the next")
    ends.stdin.close_writes()
    assert ends.stdin.read() == b"for the next"
    # Our side is not closed by that.
    ends.ours.sendall(b"more")
    assert receive(ends.peer, 4) == b"more"


def test_it_ends_though_the_peer_reads_nothing(ends: Ends) -> None:
    joined = Joined(ends.ours, ends.stdin.reads, ends.stdout.writes)
    giving = meanwhile(ends.stdin.overfill)
    stuck(joined)
    ends.peer.shutdown(socket.SHUT_WR)
    assert joined.end() is None
    ends.stdin.close_reads()
    giving.join(PATIENCE)
    assert not giving.is_alive()


def stuck(joined: Joined) -> None:
    """Wait until it waits; see that it then costs nothing."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        before = joined.seconds
        time.sleep(0.2)
        if joined.seconds - before < 0.002:
            return
    raise AssertionError("it does not wait, but keeps a processor busy")


# Back-pressure.


def test_who_sends_waits_for_who_reads(ends: Ends) -> None:
    ours, peer, stdin, stdout = ends
    # Less than is read from the peer at once.
    fcntl.fcntl(stdout.writes, fcntl.F_SETPIPE_SZ, 1 << 14)
    joined = Joined(ours, stdin.reads, stdout.writes)
    peer.setblocking(False)
    sent = 0
    stuck(joined)
    while True:
        try:
            sent += peer.send(bytes(1 << 16))
        except BlockingIOError:
            stuck(joined)
            # The kernel may have found room for more by now.
            try:
                sent += peer.send(bytes(1 << 16))
            except BlockingIOError:
                break
    # What the two kernels' buffers hold, and no more.
    assert sent < 64 << 20
    # The other direction is as open as ever: the pipe is full, and yet we do not wait for it.
    giving = meanwhile(lambda: stdin.write(bytes(MUCH)))
    peer.settimeout(PATIENCE)
    assert len(receive(peer, MUCH)) == MUCH
    giving.join(PATIENCE)
    peer.shutdown(socket.SHUT_WR)
    shown = 0
    while shown < sent:
        shown += len(take(stdout.reads, 1 << 16))
    assert joined.end() is None


@pytest.mark.parametrize("hung_up", ["input", "peer"])
def test_a_closed_end_does_not_keep_it_busy(ends: Ends, hung_up: str) -> None:
    ours, peer, stdin, stdout = ends
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    if hung_up == "input":
        # It has been read, cannot be sent, and its other end is closed.
        fcntl.fcntl(stdin.writes, fcntl.F_SETPIPE_SZ, 1 << 20)
        stdin.write(bytes(1 << 20))
        stdin.close_writes()
        joined = Joined(ours, stdin.reads, stdout.writes)
        stuck(joined)
        assert len(receive(peer)) == 1 << 20
        peer.close()
    else:
        # It has sent more than is read, and is gone.
        peer.sendall(bytes(1 << 18))
        joined = Joined(ours, stdin.reads, stdout.writes)
        stuck(joined)
        stdin.close_writes()
        assert receive(peer) == b""
        peer.close()
        stuck(joined)
        for _ in range(1 << 18 >> 12):
            take(stdout.reads, 1 << 12)
    assert joined.end() is None


# Ends that are none.


def test_a_reset_is_an_error_after_all_that_came_before(ends: Ends) -> None:
    ends.peer.sendall(b"half a")
    joined = Joined(ends.ours, ends.stdin.reads, ends.stdout.writes)
    assert take(ends.stdout.reads, 6) == b"half a"
    reset(ends.peer)
    error = joined.end()
    assert isinstance(error, ConnectionLostError)
    assert isinstance(error, HandshakeError)
    assert (error.code, error.exit_code) == ("connection.reset", 1)


def test_a_reset_that_is_met_while_sending(ends: Ends) -> None:
    ours, peer, stdin, stdout = ends
    # More than the pipe takes: while it waits for that, it only sends.
    peer.sendall(bytes(1 << 17))
    joined = Joined(ours, stdin.reads, stdout.writes)
    stuck(joined)
    reset(peer)
    stdin.write(b"hello?")
    shown = 0
    while shown < 1 << 17:
        shown += len(take(stdout.reads, 1 << 16))
    error = joined.end()
    assert isinstance(error, ConnectionLostError)


def test_a_reset_after_the_fin_is_none(ends: Ends) -> None:
    ours, peer, stdin, stdout = ends
    peer.sendall(bytes(1 << 17))
    peer.shutdown(socket.SHUT_WR)
    joined = Joined(ours, stdin.reads, stdout.writes)
    stuck(joined)
    # The kernel sends a RST for unread data.
    peer.close()
    stdin.write(b"one")
    stuck(joined)
    stdin.write(b"two")
    shown = 0
    while shown < 1 << 17:
        shown += len(take(stdout.reads, 1 << 16))
    assert joined.end() is None


def test_a_lost_peer_is_named(ends: Ends) -> None:
    # Milliseconds after which the kernel gives up; a full window is never acknowledged.
    ends.ours.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 300)
    joined = Joined(ends.ours, ends.stdin.reads, ends.stdout.writes)
    giving = meanwhile(ends.stdin.overfill)
    error = joined.end()
    assert isinstance(error, ConnectionLostError)
    assert error.code == "connection.timeout"
    ends.stdin.close_reads()
    giving.join(PATIENCE)


def test_a_closed_output(ends: Ends) -> None:
    ends.stdout.close_reads()
    joined = Joined(ends.ours, ends.stdin.reads, ends.stdout.writes)
    ends.peer.sendall(b"hello")
    assert joined.end() is None


def test_an_output_that_is_closed(ends: Ends) -> None:
    closed = ends.stdout.writes
    ends.stdout.close_writes()
    ends.peer.sendall(b"hello")
    assert Joined(ends.ours, ends.stdin.reads, closed).end() is None


def test_an_output_that_is_full(ends: Ends) -> None:
    with opened("/dev/full", os.O_WRONLY) as full:
        joined = Joined(ends.ours, ends.stdin.reads, full)
        ends.peer.sendall(b"hello")
        error = joined.end()
    assert isinstance(error, OSError)
    assert error.errno == errno.ENOSPC


# What standard input may be.


def test_a_file_and_into_a_file(ends: Ends, tmp_path: Path) -> None:
    octets = secrets.token_bytes(MUCH)
    (tmp_path / "in").write_bytes(octets)
    with (
        opened(tmp_path / "in", os.O_RDONLY) as stdin,
        opened(tmp_path / "out", os.O_WRONLY | os.O_CREAT) as stdout,
    ):
        joined = Joined(ends.ours, stdin, stdout)
        received = receive(ends.peer)
        ends.peer.sendall(received)
        ends.peer.close()
        assert joined.end() is None
    assert (tmp_path / "out").read_bytes() == octets


def test_nothing_to_read(ends: Ends) -> None:
    with opened(os.devnull, os.O_RDONLY) as stdin:
        joined = Joined(ends.ours, stdin, ends.stdout.writes)
        assert receive(ends.peer) == b""
        ends.peer.close()
        assert joined.end() is None


def test_an_input_that_is_closed(ends: Ends) -> None:
    closed = ends.stdin.reads
    ends.stdin.close_reads()
    joined = Joined(ends.ours, closed, ends.stdout.writes)
    assert receive(ends.peer) == b""
    ends.peer.close()
    assert joined.end() is None


def test_an_input_that_cannot_be_read(ends: Ends, tmp_path: Path) -> None:
    with opened(tmp_path, os.O_RDONLY | os.O_DIRECTORY) as folder:
        error = Joined(ends.ours, folder, ends.stdout.writes).end()
    assert isinstance(error, LocalError)
    assert str(error) == "cannot read standard input: is a directory (EISDIR)"


def test_a_terminal(ends: Ends) -> None:
    ours, theirs = pty.openpty()
    joined = Joined(ends.ours, theirs, theirs)
    os.write(ours, b"a line\n")
    assert receive(ends.peer, 7) == b"a line\n"
    assert take(ours, 100) == b"a line\r\n"
    ends.peer.sendall(b"another\n")
    assert take(ours, 100) == b"another\r\n"
    # Control-D.
    os.write(ours, b"\x04")
    assert receive(ends.peer) == b""
    ends.peer.close()
    assert joined.end() is None
    os.close(theirs)
    os.close(ours)


def test_a_closed_terminal(ends: Ends) -> None:
    ours, theirs = pty.openpty()
    joined = Joined(ends.ours, theirs, ends.stdout.writes)
    os.write(ours, b"a line\n")
    assert receive(ends.peer, 7) == b"a line\n"
    os.close(ours)
    assert receive(ends.peer) == b""
    ends.peer.close()
    assert joined.end() is None
    os.close(theirs)


def test_one_socket_for_both(ends: Ends) -> None:
    left, right = socket.socketpair()
    right.settimeout(PATIENCE)
    with left, right:
        joined = Joined(ends.ours, left.fileno(), left.fileno())
        right.sendall(b"up")
        assert receive(ends.peer, 2) == b"up"
        ends.peer.sendall(b"down")
        assert receive(right, 4) == b"down"
        ends.peer.close()
        assert joined.end() is None


# What it leaves behind.


@pytest.mark.parametrize("timeout", [None, 0.0, 0.05])
def test_all_is_as_it_was(ends: Ends, timeout: float | None) -> None:
    ours, peer, stdin, stdout = ends
    descriptors = (stdin.reads, stdout.writes, ours.fileno())
    ours.settimeout(timeout)
    before = [fcntl.fcntl(each, fcntl.F_GETFL) for each in descriptors]
    joined = Joined(ours, stdin.reads, stdout.writes)
    stuck(joined)
    assert [fcntl.fcntl(each, fcntl.F_GETFL) for each in descriptors][:2] == before[:2]
    peer.sendall(b"hello")
    peer.close()
    assert joined.end() is None
    assert ours.gettimeout() == timeout
    assert [fcntl.fcntl(each, fcntl.F_GETFL) for each in descriptors] == before


def test_descriptors_that_do_not_wait(ends: Ends) -> None:
    # As inherited from a parent process that set them so.
    ours, peer, stdin, stdout = ends
    os.set_blocking(stdin.reads, False)
    os.set_blocking(stdout.writes, False)
    joined = Joined(ours, stdin.reads, stdout.writes)
    stuck(joined)
    stdin.write(b"hello")
    assert receive(peer, 5) == b"hello"
    peer.sendall(bytes(1 << 18))
    stuck(joined)
    shown = 0
    while shown < 1 << 18:
        shown += len(take(stdout.reads, 1 << 16))
    peer.close()
    assert joined.end() is None


ALONE: Final = """
import fcntl, signal, socket, sys, termios
from handshake.cli.relay import relay
if sys.argv[1] == "terminal":
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
ours, peer = socket.socketpair()
before = signal.set_wakeup_fd(-1)
signal.signal(signal.SIGUSR1, lambda *_: peer.close())
signal.signal(signal.SIGUSR2, lambda *_: peer.sendall(b"heard\\n"))
try:
    peer.sendall(b"begun\\n")
    relay(ours)
    print("ended")
except KeyboardInterrupt:
    print("interrupted")
finally:
    assert signal.set_wakeup_fd(-1) == before
"""


@contextmanager
def alone() -> Iterator[subprocess.Popen[str]]:
    """Yield a program that is joined to a peer of its own, and has begun to wait."""
    # A test run in the background is started with SIGINT ignored.
    argv = ["env", "--default-signal=INT,HUP,TERM", sys.executable, "-c", ALONE, ""]
    pipe = subprocess.PIPE
    with subprocess.Popen(argv, stdin=pipe, stdout=pipe, text=True) as running:
        too_late = threading.Timer(PATIENCE, running.kill)
        too_late.start()
        try:
            see(running, "begun")
            yield running
        finally:
            too_late.cancel()
            running.kill()


def see(running: subprocess.Popen[str], line: str) -> None:
    # Not communicate(), which would close its input.
    assert running.stdout is not None
    assert running.stdout.readline() == f"{line}\n"


@pytest.mark.parametrize(
    ("number", "output"), [(signal.SIGINT, "interrupted"), (signal.SIGUSR1, "ended")]
)
def test_a_signal(number: int, output: str) -> None:
    with alone() as running:
        running.send_signal(number)
        see(running, output)
        assert running.wait(PATIENCE) == 0


def test_after_a_signal_it_waits_again() -> None:
    def ticks() -> int:
        """Return how long it has kept a processor busy, in hundredths of a second."""
        fields = Path(f"/proc/{running.pid}/stat").read_text().rpartition(")")[2].split()
        return int(fields[11]) + int(fields[12])

    with alone() as running:
        running.send_signal(signal.SIGUSR2)
        see(running, "heard")
        before = ticks()
        time.sleep(0.3)
        assert ticks() - before < 5
        running.send_signal(signal.SIGINT)
        see(running, "interrupted")


def test_control_c_on_a_terminal() -> None:
    with Terminal(["-c", ALONE, "terminal"]) as terminal:
        terminal.see("begun")
        terminal.press("typed\x03")
        terminal.see("interrupted")
        assert terminal.end() == 0
