"""The server end of a port: what it does with clients, and each way in which it goes wrong."""

from __future__ import annotations

import pytest

from handshake.endpoint.listening_socket import ListeningSocket
from handshake.endpoint.misbehaviour import MISBEHAVIOURS, IgnoreSyns, LateSynAck, misbehaviour
from handshake.endpoint.options import ClientOptions, Timeouts
from handshake.endpoint.segment_builder import offer_for
from handshake.endpoint.server import Echo, FixedAnswer, Program, Server, Silent
from handshake.endpoint.tcp_host import TcpHost
from handshake.endpoint.tcp_socket import TIME_WAIT, TcpSocket
from handshake.errors import UsageError
from handshake.events import Role
from handshake.lessons.simulation import Simulation
from handshake.messages import table
from handshake.tcp import Endpoint, Seq, State
from tests.endpoint.test_tcp_socket import A, B, client, line

SECOND = 10**9
DELAY = 10 * 10**6


class Stage:
    """A client whose program connects, sends and closes, and a server."""

    def __init__(
        self,
        name: str = "",
        program: Program | None = None,
        *,
        data: bytes = b"hello",
        most: int = 4096,
        backlog: int = 128,
    ) -> None:
        self.behaviour = misbehaviour(name) if name else None
        options = self.behaviour.options(ClientOptions()) if self.behaviour else ClientOptions()

        def listen(local: Endpoint) -> ListeningSocket:
            return ListeningSocket(
                local=local,
                isn=lambda *_: Seq(5000),
                ticks=9000,
                options=options,
                backlog=backlog,
                offer=offer_for(1500, 4, options),
            )

        self.server = Server(listen, program or Echo(), self.behaviour, most)
        self.end = client()
        self.data = data
        self.here = TcpHost()
        self.here.add(self.end)
        self.wire = Simulation(self.here, self.server, DELAY)  # type: ignore[arg-type]
        self.wire.at(0, Role.CLIENT, self.end.connect)

    def run(self, seconds: float) -> list[str]:
        begin = len(self.wire.passages)
        self.wire.run(round(seconds * SECOND))
        return [line(*each[:3]) for each in self.wire.passages[begin:]]

    def call(self, seconds: float, name: str, *arguments: object) -> None:
        """Let the client's program make a call."""
        call = getattr(self.end, name)
        self.wire.at(round(seconds * SECOND), Role.CLIENT, lambda at: call(*arguments, at))


def test_an_echo() -> None:
    stage = Stage()
    stage.call(1, "send", b"hello")
    stage.call(2, "close")
    assert stage.run(3) == [
        "0 > SYN 0",
        "10 < SYN-ACK 0 ack=1",
        "20 > ACK 1 ack=1",
        "1000 > PSH-ACK 1 ack=1 data=5",
        "1010 < ACK 1 ack=6",
        "1010 < PSH-ACK 1 ack=6 data=5",
        "1020 > ACK 6 ack=6",
        "2000 > FIN-ACK 6 ack=6",
        "2010 < ACK 6 ack=7",
        "2010 < FIN-ACK 6 ack=7",
        "2020 > ACK 7 ack=7",
    ]
    assert stage.server.ended == {"closed": 1}
    assert not stage.server.connections


def test_a_large_echo_forgets_what_is_acknowledged() -> None:
    stage = Stage()
    octets = bytes(range(256)) * 2000  # 512,000 octets: more than any buffer keeps
    found = b""
    stage.call(1, "send", octets)
    for tick in range(20, 60):
        stage.run(tick / 20)
        found += stage.end.read()
    assert found == octets
    (served,) = stage.server.connections.values()
    assert served.sock.unacknowledged == 0


def test_an_answer_closes_first_and_rests() -> None:
    stage = Stage(program=FixedAnswer(b"HTTP/1.0 200 OK\r\n\r\n"))
    stage.call(1, "send", b"GET / HTTP/1.0\r\n\r\n")
    stage.call(2, "close")
    stage.run(3)
    assert stage.end.received == b"HTTP/1.0 200 OK\r\n\r\n"
    (served,) = stage.server.connections.values()
    assert served.sock.state is State.TIME_WAIT
    assert stage.server.ended == {"closed": 1}  # it is over for the program
    stage.run(4 + TIME_WAIT / SECOND)
    assert not stage.server.connections
    assert stage.server.ended == {"closed": 1}


def test_a_silent_program_takes_and_closes() -> None:
    stage = Stage(program=Silent())
    stage.call(1, "send", b"hello")
    stage.call(2, "close")
    left = stage.run(3)
    assert not [each for each in left if "<" in each and "data" in each]
    assert stage.server.ended == {"closed": 1}


def test_a_client_that_does_not_read_is_bounded() -> None:
    # The echo waits in the send buffer: what has no room there is not taken.
    stage = Stage(data=b"")
    sock = stage.end
    stage.run(1)
    (served,) = stage.server.connections.values()
    served.sock.send(bytes(1 << 21), stage.wire.now)
    before = served.sock.block.rcv.nxt
    stage.call(1.001, "send", b"more")
    stage.run(1.015)
    assert served.sock.block.rcv.nxt == before
    assert sock.unacknowledged == 4


def test_a_program_without_room_leaves_connections_in_the_accept_queue() -> None:
    stage = Stage(most=0)
    stage.run(1)
    ((sock, queue, begun),) = stage.server.entries()
    assert (queue, sock.state, begun) == ("queued", State.ESTABLISHED, DELAY)


@pytest.mark.parametrize("backlog", [0, 2])
def test_the_accept_queue_overflows_as_on_linux(backlog: int) -> None:
    stage = Stage("no-accept", backlog=backlog)
    for number in range(5):
        other = TcpSocket(local=Endpoint(A.address, 50000 + number), remote=B, iss=Seq(9000))
        stage.here.add(other)
        stage.wire.at(number * SECOND // 10, Role.CLIENT, other.connect)
    stage.run(0.9)
    (listener,) = stage.server.listeners.values()
    assert stage.server.queues() == {"queued": backlog + 1}
    assert listener.dropped_syns == 5 - backlog


def test_a_half_open_entry_that_is_given_up_is_counted() -> None:
    stage = Stage()
    stage.wire.loses = lambda _, by: by is Role.SERVER
    stage.end.timeouts = Timeouts(retries=0)
    stage.run(100)
    assert stage.server.ended == {"timed-out": 1}


def test_all_is_reset_at_the_end() -> None:
    stage = Stage()
    stage.run(1)
    assert [str(each.flags) for each in stage.server.abort(stage.wire.now)] == ["RST-ACK"]
    assert stage.server.queues() == {"accepted": 1}


# Misbehaviours: what leaves until the client's program knows, or 4 s have passed.

OPENS = ["0 > SYN 0", "10 < SYN-ACK 0 ack=1", "20 > ACK 1 ack=1"]
PICTURES = {
    "no-syn-ack": ["0 > SYN 0", "1000 > SYN 0", "3000 > SYN 0"],
    "late-syn-ack": [
        "0 > SYN 0",
        "1000 > SYN 0",
        "1510 < SYN-ACK 0 ack=1",
        "1520 > ACK 1 ack=1",
        "2510 < SYN-ACK 0 ack=1",
        "2520 > ACK 1 ack=1",
    ],
    "syn-ack-twice": [
        "0 > SYN 0",
        "10 < SYN-ACK 0 ack=1",
        "10 < SYN-ACK 0 ack=1",
        "20 > ACK 1 ack=1",
        "20 > ACK 1 ack=1",
    ],
    "wrong-ack": [
        "0 > SYN 0",
        "10 < SYN-ACK 0 ack=1001",
        "20 > RST 1001",
    ],
    "rst-after-syn": ["0 > SYN 0", "10 < RST-ACK -5000 ack=1"],
    "rst-after-accept": [*OPENS, "30 < RST-ACK 1 ack=1"],
    "no-data-ack": OPENS,
    "zero-window": OPENS,
    "no-window-scaling": OPENS,
    "mss-1": OPENS,
    "options-stripped": OPENS,
    "split-handshake": [
        "0 > SYN 0",
        "10 < ACK 1 ack=1",
        "10 < SYN 0",
        "20 > SYN-ACK 0 ack=1",
        "30 < ACK 1 ack=1",
    ],
    "simultaneous-open": [
        "0 > SYN 0",
        "10 < SYN 0",
        "10 < SYN-ACK 0 ack=1",
        "20 > SYN-ACK 0 ack=1",
    ],
    "half-close": [*OPENS, "30 < FIN-ACK 1 ack=1", "40 > ACK 1 ack=2"],
    "ignore-syns": [
        "0 > SYN 0",
        "1000 > SYN 0",
        "3000 > SYN 0",
        "3010 < SYN-ACK 0 ack=1",
        "3020 > ACK 1 ack=1",
    ],
    "no-accept": OPENS,
}


@pytest.mark.parametrize("name", MISBEHAVIOURS)
def test_a_misbehaviour_begins_so(name: str) -> None:
    stage = Stage(name)
    picture = PICTURES[name]
    assert stage.run(4)[: len(picture)] == picture


@pytest.mark.parametrize("name", MISBEHAVIOURS)
def test_each_misbehaviour_has_a_sentence_in_every_language(name: str) -> None:
    english, korean = (table("serve", each)[f"misbehave.{name}"] for each in ("en", "ko"))
    assert english.endswith(".")
    assert english != korean


def test_data_is_never_acknowledged() -> None:
    stage = Stage("no-data-ack")
    stage.call(1, "send", b"hello")
    left = stage.run(10)
    assert [each for each in left if "data" in each][:3] == [
        "1000 > PSH-ACK 1 ack=1 data=5",
        "1220 > PSH-ACK 1 ack=1 data=5",
        "1660 > PSH-ACK 1 ack=1 data=5",
    ]
    assert not [each for each in left if each.endswith("ack=6")]


def test_a_zero_window_stops_the_client() -> None:
    stage = Stage("zero-window")
    stage.call(1, "send", b"hello")
    left = stage.run(5)
    assert next(each for each in left if "data" in each).endswith("data=1")  # window probes
    assert stage.end.unacknowledged == 5


@pytest.mark.parametrize(
    ("name", "attribute", "value"),
    [
        ("no-window-scaling", "window_scale", None),
        ("mss-1", "mss", 1),
        ("options-stripped", "sack_permitted", False),
        ("options-stripped", "timestamps", False),
    ],
)
def test_what_a_syn_ack_offers(name: str, attribute: str, value: object) -> None:
    stage = Stage(name)
    stage.run(1)
    offered = stage.end.block.peer_offered
    assert getattr(offered, attribute) == value


def test_a_half_closed_server_takes_on() -> None:
    stage = Stage("half-close")
    stage.call(1, "send", b"hello")
    assert "1010 < ACK 2 ack=6" in stage.run(2)
    assert stage.end.state is State.CLOSE_WAIT


@pytest.mark.parametrize("name", ["split-handshake", "simultaneous-open"])
def test_an_opening_without_a_listener_serves_as_well(name: str) -> None:
    stage = Stage(name)
    stage.call(1, "send", b"hello")
    stage.call(2, "close")
    stage.run(3)
    assert stage.end.received == b"hello"
    assert stage.server.ended == {"closed": 1}


def test_a_number_may_follow_the_name() -> None:
    assert misbehaviour("late-syn-ack=3") == LateSynAck(3.0)
    assert misbehaviour("ignore-syns=1") == IgnoreSyns(1)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "serve.misbehave"),
        ("mss", "serve.misbehave"),
        ("mss-1=2", "serve.misbehave-value"),
        ("late-syn-ack=x", "serve.misbehave-value"),
        ("late-syn-ack=nan", "serve.misbehave-value"),
        ("late-syn-ack=61", "serve.misbehave-value"),
        ("ignore-syns=-1", "serve.misbehave-value"),
        ("ignore-syns=", "serve.misbehave-value"),
    ],
)
def test_wrong_names(text: str, code: str) -> None:
    with pytest.raises(UsageError) as caught:
        misbehaviour(text)
    assert caught.value.code == code
