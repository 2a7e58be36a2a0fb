"""What a lesson shows is what a real kernel sends: bits, numbers, options, order, waits, states."""

from __future__ import annotations

import itertools
import socket
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import pytest

from handshake.capture.open import read
from handshake.lessons import Moment, find_lesson
from handshake.packet.decode import Decoder
from handshake.tcp import Flags, Observed
from tests.live.lab.delayed_link import delayed
from tests.live.lab.firewall import drop_first
from tests.live.lab.inet_diag import Table
from tests.live.lab.namespaces import eventually
from tests.live.lab.sockets import reset
from tests.live.lab.tcpdump import capture

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from handshake.lessons import Scene
    from handshake.tcp import Segment
    from tests.live.lab.namespaces import Host

PORT: Final = 8080
CLIENT_PORT: Final = 49152
ONE_WAY: Final = 0.0142
LONGEST: Final = 3_500_000_000
"""Nanoseconds of a lesson that are compared: the waits after that double, too."""

TOLERANCE: Final = 0.35
"""Seconds by which a busy machine may send late."""

SYN: Final = "tcp flags & (syn|ack) == syn"
SYN_ACK: Final = "tcp flags & (syn|ack) == (syn|ack)"
ACK: Final = "tcp flags & (syn|ack) == ack"


@dataclass
class Ends:
    """The two programs of a part of a lesson."""

    client: socket.socket
    listener: socket.socket
    hosts: tuple[Host, Host]
    accepted: list[socket.socket] = field(default_factory=list)

    def connect(self) -> None:
        self.client.settimeout(20)
        self.client.connect(("10.77.0.2", PORT))

    def accept(self) -> socket.socket:
        self.accepted.append(self.listener.accept()[0])
        return self.accepted[0]

    def states(self) -> tuple[str, str]:
        """Return the state of either end as the kernel has it; empty where there is none."""
        found = []
        for host, own in zip(self.hosts, (False, True), strict=True):
            table = Table(host, 4)
            try:
                rows = [
                    str(each.state)
                    for each in table.read()
                    if each.remote.port and (each.local.port == PORT) == own
                ]
            finally:
                table.close()
            found.append(rows[0] if rows else "")
        return found[0], found[1]


def syn_lost(ends: Ends) -> None:
    ends.connect()


def ack_lost(ends: Ends) -> None:
    ends.connect()
    assert ends.states() == ("ESTABLISHED", "SYN-RECEIVED")
    time.sleep(1.5)
    assert ends.states() == ("ESTABLISHED", "ESTABLISHED")


def data_mends(ends: Ends) -> None:
    ends.connect()
    time.sleep(0.2)
    ends.client.send(b"GET")
    time.sleep(0.2)
    assert ends.states() == ("ESTABLISHED", "ESTABLISHED")


def refused(ends: Ends) -> None:
    ends.listener.close()
    with pytest.raises(ConnectionRefusedError):
        ends.connect()


def reset_after_accept(ends: Ends) -> None:
    ends.connect()
    accepted = ends.accept()
    time.sleep(0.1)
    reset(accepted)
    with pytest.raises(ConnectionResetError):
        ends.client.recv(1)


def closed(ends: Ends) -> None:
    ends.connect()
    accepted = ends.accept()
    time.sleep(0.2)
    ends.client.close()
    time.sleep(0.3)
    assert ends.states() == ("FIN-WAIT-2", "CLOSE-WAIT")
    assert accepted.recv(1) == b""
    accepted.close()
    time.sleep(0.2)
    assert ends.states() == ("TIME-WAIT", "")


def half_closed(ends: Ends) -> None:
    ends.connect()
    accepted = ends.accept()
    time.sleep(0.2)
    ends.client.shutdown(socket.SHUT_WR)
    time.sleep(0.3)
    accepted.send(b"the answer")
    time.sleep(0.3)
    assert ends.states() == ("FIN-WAIT-2", "CLOSE-WAIT")
    assert ends.client.recv(20) == b"the answer"
    accepted.close()
    time.sleep(0.2)
    assert ends.states() == ("TIME-WAIT", "")


def closed_at_once(ends: Ends) -> None:
    ends.connect()
    accepted = ends.accept()
    time.sleep(0.2)
    ends.client.close()
    accepted.close()
    time.sleep(0.3)
    assert ends.states() == ("TIME-WAIT", "TIME-WAIT")


def data_for_nobody(ends: Ends) -> None:
    ends.connect()
    accepted = ends.accept()
    time.sleep(0.2)
    ends.client.close()
    time.sleep(0.3)
    accepted.send(b"too late")
    time.sleep(0.2)
    assert ends.states() == ("", "")
    with pytest.raises(BrokenPipeError):
        accepted.send(b"too late")


def never_acknowledged(ends: Ends) -> None:
    ends.connect()
    time.sleep(3.5)
    assert ends.states() == ("ESTABLISHED", "SYN-RECEIVED")


def accepted(ends: Ends) -> None:
    ends.connect()
    time.sleep(0.1)
    ends.accept()
    assert ends.states() == ("ESTABLISHED", "ESTABLISHED")


def crossed(ends: Ends) -> None:
    ends.listener.close()
    with ends.hosts[1].entered():
        server = socket.socket()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind(("10.77.0.2", PORT))
    ends.client.bind(("10.77.0.1", CLIENT_PORT))
    for each in (server, ends.client):
        each.setblocking(False)
    ends.accepted.append(server)
    ends.client.connect_ex(("10.77.0.2", PORT))
    server.connect_ex(("10.77.0.1", CLIENT_PORT))
    time.sleep(0.3)
    assert ends.states() == ("ESTABLISHED", "ESTABLISHED")


def talked(ends: Ends) -> None:
    ends.connect()
    accepted = ends.accept()
    time.sleep(0.2)
    ends.client.send(b"GET")
    time.sleep(0.3)
    accepted.send(b"hello")
    time.sleep(0.2)


def in_small_pieces(ends: Ends) -> None:
    server = ends.hosts[1]
    server.ip(f"route change 10.77.0.0/24 dev {server.interfaces[0].name} advmss 536")
    ends.connect()
    accepted = ends.accept()
    time.sleep(0.2)
    ends.client.send(b"x" * 1200)
    time.sleep(0.3)
    accepted.send(b"x" * 1200)
    time.sleep(0.2)


def unscaled(ends: Ends) -> None:
    ends.hosts[1].sysctl("net.ipv4.tcp_window_scaling", 0)
    ends.connect()


def bare(ends: Ends) -> None:
    for name in ("window_scaling", "sack", "timestamps"):
        ends.hosts[1].sysctl(f"net.ipv4.tcp_{name}", 0)
    ends.connect()


MSG_FASTOPEN: Final = 0x20000000


def fast_open(ends: Ends) -> None:
    for host in ends.hosts:
        host.sysctl("net.ipv4.tcp_fastopen", 3)
    ends.listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_FASTOPEN, 5)
    ends.client.sendto(b"GET", MSG_FASTOPEN, ("10.77.0.2", PORT))
    time.sleep(0.2)


PARTS: Final[dict[tuple[str, str], tuple[Callable[[Ends], None], str, int]]] = {
    ("loss", "syn"): (syn_lost, SYN, 2),
    ("loss", "answer"): (syn_lost, SYN_ACK, 1),
    ("loss", "ack"): (ack_lost, ACK, 1),
    ("loss", "data"): (data_mends, ACK, 1),
    ("refused", "closed"): (refused, "", 0),
    ("refused", "late"): (reset_after_accept, "", 0),
    ("close", "usual"): (closed, "", 0),
    ("close", "half"): (half_closed, "", 0),
    ("close", "both"): (closed_at_once, "", 0),
    ("close", "rst"): (data_for_nobody, "", 0),
    ("half-open", "usual"): (accepted, "", 0),
    ("half-open", "never"): (never_acknowledged, ACK, 99),
    ("simultaneous", "both"): (crossed, "", 0),
    ("control", "usual"): (talked, "", 0),
    ("options", "all"): (syn_lost, "", 0),
    ("options", "small"): (in_small_pieces, "", 0),
    ("options", "unscaled"): (unscaled, "", 0),
    ("options", "bare"): (bare, "", 0),
    ("fast-open", "first"): (fast_open, "", 0),
}


@pytest.mark.live
@pytest.mark.parametrize(("lesson", "part"), PARTS)
def test_the_kernel_does_what_the_lesson_shows(lesson: str, part: str, tmp_path: Path) -> None:
    play, lost, count = PARTS[lesson, part]
    path = tmp_path / "lesson.pcap"
    with delayed(ONE_WAY) as (client, server), ExitStack() as stack:
        interface = client.interfaces[0].name
        written = stack.enter_context(capture(client, interface, path, only="tcp"))
        if lost:
            at = (client, "input") if lost == SYN_ACK else (server, "input")
            stack.enter_context(drop_first(*at, lost, count))
        listener = stack.enter_context(server.listen(PORT, "0.0.0.0"))
        with client.entered():
            sock = stack.enter_context(socket.socket())
        ends = Ends(sock, listener, (client, server))
        play(ends)
        shown = [each for each in find_lesson(lesson).played if each.part == part]
        sent = [each for each in shown if each.moment in (Moment.LEAVES, Moment.LOST)]
        sent = sorted((each for each in sent if each.at < LONGEST), key=at_the_client)
        eventually(lambda: written.packets >= len(sent), "all packets", 5)
        for each in ends.accepted:
            each.close()
    seen = [
        found for frame in read(path) if isinstance(found := Decoder().observed(frame), Observed)
    ][: len(sent)]
    assert wire(seen) == [said(each) for each in sent if each.segment is not None]
    # The waits for a timer, as the client sees them: what the server sends comes a little later.
    waits = [at_the_client(b) - at_the_client(a) for a, b in itertools.pairwise(sent)]
    real = [b.at - a.at for a, b in itertools.pairwise(seen)]
    for shown_wait, real_wait, scene in zip(waits, real, sent[1:], strict=True):
        if "again" in scene.name:
            assert abs(shown_wait - real_wait) < TOLERANCE * 1e9, scene.name


def at_the_client(scene: Scene) -> float:
    """Return when a segment passes the client's interface."""
    return scene.at + (ONE_WAY * 1e9 if str(scene.by) == "server" else 0)


def said(scene: Scene) -> tuple[Any, ...]:
    assert scene.segment is not None
    return form(scene.segment, 1000, 5000, by_client=str(scene.by) == "client")


def wire(seen: list[Observed]) -> list[tuple[Any, ...]]:
    """Return the segments of a capture, with numbers from the two SYNs on."""
    iss: dict[bool, int] = {}
    for each in seen:
        if each.segment.syn:
            iss.setdefault(each.segment.destination.port == PORT, int(each.segment.seq))
    ours, theirs = iss[True], iss.get(False, 0)
    return [
        form(each.segment, ours, theirs, by_client=each.segment.destination.port == PORT)
        for each in seen
    ]


def form(segment: Segment, ours: int, theirs: int, *, by_client: bool) -> tuple[Any, ...]:
    """Return bits, relative numbers, length, window and option kinds of a segment."""
    mine, other = (ours, theirs) if by_client else (theirs, ours)
    # The RST of a host without a socket has no number of its own.
    seq = int(segment.seq) - mine if int(segment.seq) else 0
    ack = None if segment.ack is None else int(segment.ack) - other
    # How windows are scaled is each machine's own affair.
    window = segment.window if segment.syn else segment.window > 0
    flags = segment.flags & ~Flags.PSH
    kinds = tuple(part.kind for part in segment.options)
    return (
        ("client" if by_client else "server"),
        str(flags),
        seq,
        ack,
        segment.payload_length,
        window,
        kinds,
    )
