"""Connections opened by hand, to be carried on by the kernel, and what may be held against them."""

import hashlib
import secrets
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from handshake.linux.inet_diag import InetDiag
from handshake.linux.tcp_info import TcpInfo
from handshake.linux.tcp_repair import acknowledged, adopt
from handshake.prober import Probe, Target, Timeouts, Verdict
from handshake.prober.userspace.connections import UserspaceConnections
from handshake.tcp import ControlBlock, Observed, Seq
from handshake.tracker import Tracker, summarize
from tests.live.lab.namespaces import TIMEOUT, Host
from tests.live.lab.sockets import see_fin, send
from tests.live.test_probe import PORT, seen

if TYPE_CHECKING:
    from handshake.events import Step

TARGETS = ("10.77.0.2:8080", "[fd77::2]:8080", "[fe80::ff:fe00:2%eth0]:8080")
SEVERAL_MEGABYTES = 5 << 20
OURS = "10.77.0.1"


class Here:
    """The network namespace that we are in already."""

    @staticmethod
    @contextmanager
    def entered() -> Iterator[None]:
        yield


class Opened:
    """A connection that was opened by hand; nothing but our own engine knows of it."""

    def __init__(self, host: "Host | Here", target: str) -> None:
        self.host = host
        timeouts = Timeouts.of(hold=TIMEOUT)
        found = Target.parse(target)
        self.steps: list[Step] = []
        with host.entered():
            self.connections = UserspaceConnections(timeouts, attentive=True)
            self.probe = Probe(found, found.endpoints()[0], timeouts, connections=self.connections)
        self._steps = iter(self.probe)
        self.receive(lambda: self.verdict is Verdict.OPEN)

    def close(self) -> None:
        self.probe.close()
        self.connections.close()

    @property
    def verdict(self) -> Verdict | None:
        return None if self.probe.endpoint is None else self.probe.endpoint.verdict

    @property
    def block(self) -> ControlBlock:
        assert self.probe.endpoint is not None
        return self.probe.endpoint.block

    @property
    def clock(self) -> int:
        assert self.probe.endpoint is not None
        return self.probe.endpoint.ticks + self.connections.clock.now() // 1_000_000

    def receive(self, enough: Callable[[], bool]) -> None:
        """Let the engine run until the condition holds; take over all that it received."""
        with self.host.entered():
            while not enough() or len(self.steps) < self.probe.tracker.connections[-1].segments:
                self.steps.append(next(self._steps))

    def receive_until(self, nxt: Seq) -> None:
        """Let the engine take all octets before this number."""
        self.receive(lambda: self.block.rcv.nxt == nxt)

    def adopt(
        self, meanwhile: Callable[[], object] = lambda: None, *, give_up_guard: bool = True
    ) -> socket.socket:
        """Hand the connection to the kernel; segments may arrive while it cannot receive."""

        def release() -> bool:
            heard = map(
                self.connections.packet_socket.decode, self.connections.packet_socket.read()
            )
            missed = any(isinstance(each, Observed) and not each.outgoing for each in heard)
            self.connections._silent = True
            if give_up_guard:
                # The link stays until later: to close it takes a hundred times as long.
                self.connections._dialer.close()
            meanwhile()
            return missed

        with self.host.entered():
            taken = adopt(
                self.block,
                clock=self.clock,
                release=release,
                received=acknowledged(self.block, (each.observed for each in self.steps)),
            )
        assert taken.getblocking()
        taken.settimeout(TIMEOUT)
        return taken


@contextmanager
def opened(
    client: Host, server: Host, target: str = TARGETS[0]
) -> Iterator[tuple[Opened, socket.socket]]:
    """Yield a connection opened by hand, and the server's end of it."""
    with server.listen(PORT) as listener:
        connection = Opened(client, target)
        peer, _ = listener.accept()
        peer.settimeout(TIMEOUT)
        try:
            with peer:
                yield connection, peer
        finally:
            connection.close()


def info(host: Host, block: ControlBlock) -> TcpInfo:
    """Return what the kernel has of our end."""
    with InetDiag(host, block.local.version) as table:
        (found,) = (each.info for each in table.read() if each.local.port == block.local.port)
    assert found is not None
    return found


def agrees(found: TcpInfo, block: ControlBlock, stamps: int = 12) -> None:
    """Hold what the kernel has in force to the control block.

    For the size of segments it takes off so much for timestamps as it would use by itself, and
    sees with each segment what is really in it.
    """
    assert block.mss is not None
    assert (found.timestamps, found.sack, found.ecn) == (block.timestamps, block.sack, block.ecn)
    assert (found.snd_shift, found.rcv_shift) == (block.snd_shift, block.rcv_shift)
    assert found.snd_mss == block.mss - stamps
    assert found.snd_wnd == block.snd.wnd


def echo(ours: socket.socket, peer: socket.socket) -> None:
    send(b"ping", ours, peer)
    send(b"pong", peer, ours)


def quietly(ours: socket.socket, peer: socket.socket) -> None:
    """Exchange data each way, and close."""
    echo(ours, peer)
    finish(ours, peer)


def finish(first: socket.socket, second: socket.socket) -> None:
    """Close in order, and wait until both FINs are acknowledged."""
    first.shutdown(socket.SHUT_WR)
    see_fin(second)
    second.shutdown(socket.SHUT_WR)
    see_fin(first)
    first.close()
    second.close()


def exchange_much(ours: socket.socket, peer: socket.socket) -> None:
    """Send several megabytes each way at once, close, and compare what came."""
    both = (ours, peer)
    output = [secrets.token_bytes(SEVERAL_MEGABYTES) for _ in both]
    heard: dict[socket.socket, str] = {}

    def send_all(end: socket.socket, data: bytes) -> None:
        end.sendall(data)
        end.shutdown(socket.SHUT_WR)

    def listen(end: socket.socket) -> None:
        digest = hashlib.sha256()
        while data := end.recv(1 << 16):
            digest.update(data)
        heard[end] = digest.hexdigest()

    threads = [
        *(threading.Thread(target=send_all, args=each) for each in zip(both, output, strict=True)),
        *(threading.Thread(target=listen, args=(end,)) for end in both),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(TIMEOUT)
    wanted = [hashlib.sha256(data).hexdigest() for data in output]
    assert [heard.get(peer), heard.get(ours)] == wanted


def without_a_fault(path: Path, *, busy: bool = False) -> list[Observed]:
    """Return what passed, after it is certain that neither end saw anything amiss in the other.

    Where both ends are `busy` in both directions on two processors, segments overtake each other
    and some are lost for want of room, adopted or not.
    """
    found = seen(path)
    tracker = Tracker()
    for each in found:
        tracker.feed(each)
    (connection,) = tracker.connections
    record = summarize(connection)
    assert record.outcome == "established"
    for end in (record.client, record.server):
        assert end.rst == 0
        assert busy or (end.retransmissions, end.duplicate_acks, end.keep_alives) == (0, 0, 0)
    sent = [each.segment for each in found if each.segment.source == connection.client.endpoint]
    shift = connection.client.block.rcv_shift if connection.client.block else None
    assert shift is not None
    # No window shrinks, our clock never runs backwards, and the peer's is always echoed.
    edges = [seg.ack + (seg.window << shift) for seg in sent if seg.ack is not None]
    assert busy or all(earlier <= later for earlier, later in pairwise(edges))
    stamps = [stamp for seg in sent if (stamp := seg.options.timestamps)]
    assert busy or all((b.value - a.value) % 2**32 < 2**31 for a, b in pairwise(stamps))
    if all(seg.options.timestamps for seg in sent):
        assert all(stamp.echo for stamp in stamps[1:])
    return found


def program(host: Host, text: str, *arguments: str) -> subprocess.Popen[str]:
    pipe = subprocess.PIPE
    argv = [sys.executable, "-c", text, *arguments]
    root = Path(__file__).parents[2]
    return host.popen(argv, stdin=pipe, stdout=pipe, stderr=pipe, cwd=root)
