"""What the tracker concludes from the wire is what two sockets know of themselves."""

from __future__ import annotations

from hypothesis import example, given, settings
from hypothesis import strategies as st

from handshake.tcp import ControlBlock, Observed, Segment, Seq, State
from handshake.tracker import Tracker
from tests.segments import A, B
from tests.tracker.conversation import tracked
from tests.tracker.sockets import M, Socket

isns = st.one_of(st.integers(0, M - 1), st.integers(M - 5000, M - 1), st.integers(0, 3))
actions = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(("a sends", "b sends")), st.integers(1, 3000)),
        st.tuples(
            st.sampled_from(("a closes", "b closes", "deliver", "lose", "time out")), st.just(0)
        ),
    ),
    max_size=25,
)


class Network:
    """Two sockets, the tracker that watches between them, and what is on its way."""

    def __init__(self, a: Socket, b: Socket) -> None:
        self.a, self.b = a, b
        self.tracker = Tracker()
        self.clock = 0
        self.way: list[Segment] = []

    def collect(self) -> None:
        """Put on the wire what the sockets have sent: the tracker sees it pass."""
        for socket in (self.a, self.b):
            for seg in socket.out:
                self.clock += 1_000_000
                step = self.tracker.feed(Observed(seg, self.clock))
                assert step.why or not step.events
                self.way.append(seg)
            socket.out.clear()

    def deliver(self) -> None:
        """Let the oldest segment arrive."""
        if self.way:
            seg = self.way.pop(0)
            (self.b if seg.source == A else self.a).arrives(seg)
            self.collect()

    def settle(self) -> None:
        """Deliver everything, and send again what was lost, until both ends are at rest."""
        for _ in range(500):
            while self.way:
                self.deliver()
            if not self.a.unacked and not self.b.unacked:
                return
            self.a.time_out()
            self.b.time_out()
            self.collect()
        raise AssertionError("the two sockets did not come to rest")


def knows(socket: Socket) -> dict[str, object]:
    return {
        "state": socket.state,
        "iss": socket.iss,
        "una": socket.una,
        "nxt": socket.nxt,
        "irs": socket.irs,
        "rcv": socket.rcv,
    }


def concluded(block: ControlBlock | None) -> dict[str, object]:
    assert block is not None
    numbers = {
        "iss": block.snd.iss,
        "una": block.snd.una,
        "nxt": block.snd.nxt,
        "irs": block.rcv.irs,
        "rcv": block.rcv.nxt,
    }
    return {"state": str(block.state)} | {
        name: None if seq is None else int(seq) for name, seq in numbers.items()
    }


def act(network: Network, what: str, octets: int) -> None:
    match what.split():
        case ["a", "sends"]:
            network.a.send(octets)
        case ["b", "sends"]:
            network.b.send(octets)
        case ["a", "closes"]:
            network.a.close()
        case ["b", "closes"]:
            network.b.close()
        case ["deliver"]:
            network.deliver()
        case ["lose"] if network.way:
            network.way.pop(0)
        case ["time", "out"]:
            network.a.time_out()
            network.b.time_out()
    network.collect()


@settings(max_examples=300, deadline=None)
@given(isns, isns, actions, st.booleans())
# The first of two crossing SYNs is lost, and a SYN-ACK passes before the other SYN is repeated.
@example(
    iss_a=0,
    iss_b=0,
    plan=[
        ("lose", 0),
        ("time out", 0),
        ("deliver", 0),
        ("time out", 0),
        ("deliver", 0),
        ("deliver", 0),
        ("lose", 0),
    ],
    crossing=True,
)
def test_both_blocks_are_what_the_sockets_know(
    iss_a: int, iss_b: int, plan: list[tuple[str, int]], crossing: bool
) -> None:
    network = Network(Socket(A, B, iss_a), Socket(B, A, iss_b))
    if not crossing:
        network.b.listen()
    network.a.connect()
    network.collect()
    if crossing:
        network.b.connect()
        network.collect()
    for what, octets in plan:
        act(network, what, octets)
    network.settle()
    (connection,) = network.tracker.connections
    assert concluded(connection.client.block) == knows(network.a)
    assert concluded(connection.server.block) == knows(network.b)


def test_a_syn_ack_that_comes_again_takes_back_a_fin_that_was_taken_for_arrived() -> None:
    tracker = tracked(
        "0 A <SEQ=100><CTL=SYN>",
        "B <SEQ=300><ACK=101><CTL=SYN,ACK>",
        "A <SEQ=101><ACK=301><CTL=ACK>",
        "A <SEQ=101><ACK=301><CTL=FIN,ACK>",
    )
    server = tracker.connections[0].server
    assert server.block is not None
    assert server.block.state is State.CLOSE_WAIT
    tracked("1.0 B <SEQ=300><ACK=101><CTL=SYN,ACK>", tracker=tracker)
    after = server.block
    assert (after.state, after.rcv.nxt, after.rcv.fin) == (State.SYN_RECEIVED, Seq(101), None)
    # So the RST that ends it has the number that the server expects.
    tracked("2.0 A <SEQ=101><CTL=RST>", tracker=tracker)
    client = tracker.connections[0].client.block
    assert client is not None
    assert (str(client.state), str(server.block.state)) == ("CLOSED", "LISTEN")
