"""The figures of RFC 9293 sections 3.5 and 3.6, from both ends, drawn as the RFC draws them."""

from __future__ import annotations

from handshake.tcp import ControlBlock, Input, ReceiveSpace, SendSpace, Seq, State
from tests.segments import A, B, segment


class Figure:
    """Two control blocks and the segments between them; each call draws one line."""

    def __init__(self, a: ControlBlock, b: ControlBlock) -> None:
        self.a, self.b = a, b
        self.lines = [self._line(str(a.state), "", "", "", str(b.state))]

    def a_sends(self, text: str) -> None:
        """Peer A sends, and it arrives at once."""
        seg = segment(text, by=A)
        self.a, self.b = self.a.sent(seg), self.b.received(seg)
        self._draw(str(self.a.state), "-->", text, "-->", str(self.b.state))

    def b_sends(self, text: str) -> None:
        """Peer B sends, and it arrives at once."""
        seg = segment(text, by=B)
        self.b, self.a = self.b.sent(seg), self.a.received(seg)
        self._draw(str(self.a.state), "<--", text, "<--", str(self.b.state))

    def a_sends_into_the_network(self, text: str) -> None:
        """Peer A sends; it is still on its way."""
        self.a = self.a.sent(segment(text, by=A))
        self._draw(str(self.a.state), "-->", text, "...", "")

    def arrives_at_b(self, text: str, *, note: str = "") -> None:
        """What was on its way comes out at peer B."""
        self.b = self.b.received(segment(text, by=A))
        self._draw(note, "...", text, "-->", str(self.b.state))

    def states(self) -> None:
        """Draw a line without a segment."""
        self._draw(str(self.a.state), "", "", "", str(self.b.state))

    def _draw(self, *parts: str) -> None:
        self.lines.append(self._line(*parts))

    @staticmethod
    def _line(left: str, first: str, text: str, second: str, right: str) -> str:
        return f"{left:12} {first:3} {text:33} {second:3} {right}".rstrip()


def closed(local: object) -> ControlBlock:
    return ControlBlock(A if local is A else B)


def listening(local: object) -> ControlBlock:
    return ControlBlock(A if local is A else B, state=State.LISTEN, passive=True)


def established(local: object, *, snd: int, rcv: int) -> ControlBlock:
    return ControlBlock(
        A if local is A else B,
        B if local is A else A,
        state=State.ESTABLISHED,
        snd=SendSpace(iss=Seq(snd - 1), una=Seq(snd), nxt=Seq(snd)),
        rcv=ReceiveSpace(irs=Seq(rcv - 1), nxt=Seq(rcv), wnd=65535),
    )


def test_figure_6_basic_three_way_handshake() -> None:
    figure = Figure(closed(A), listening(B))
    figure.a_sends("<SEQ=100><CTL=SYN>")
    figure.b_sends("<SEQ=300><ACK=101><CTL=SYN,ACK>")
    figure.a_sends("<SEQ=101><ACK=301><CTL=ACK>")
    figure.a_sends("<SEQ=101><ACK=301><DATA=5><CTL=ACK>")
    assert figure.lines == [
        "CLOSED                                                 LISTEN",
        "SYN-SENT     --> <SEQ=100><CTL=SYN>                --> SYN-RECEIVED",
        "ESTABLISHED  <-- <SEQ=300><ACK=101><CTL=SYN,ACK>   <-- SYN-RECEIVED",
        "ESTABLISHED  --> <SEQ=101><ACK=301><CTL=ACK>       --> ESTABLISHED",
        "ESTABLISHED  --> <SEQ=101><ACK=301><DATA=5><CTL=ACK> --> ESTABLISHED",
    ]


def test_figure_7_simultaneous_connection_synchronization() -> None:
    figure = Figure(closed(A), closed(B))
    figure.a_sends_into_the_network("<SEQ=100><CTL=SYN>")
    figure.b_sends("<SEQ=300><CTL=SYN>")
    figure.arrives_at_b("<SEQ=100><CTL=SYN>")
    figure.a_sends_into_the_network("<SEQ=100><ACK=301><CTL=SYN,ACK>")
    figure.b_sends("<SEQ=300><ACK=101><CTL=SYN,ACK>")
    figure.arrives_at_b("<SEQ=100><ACK=301><CTL=SYN,ACK>")
    assert figure.lines == [
        "CLOSED                                                 CLOSED",
        "SYN-SENT     --> <SEQ=100><CTL=SYN>                ...",
        "SYN-RECEIVED <-- <SEQ=300><CTL=SYN>                <-- SYN-SENT",
        "             ... <SEQ=100><CTL=SYN>                --> SYN-RECEIVED",
        "SYN-RECEIVED --> <SEQ=100><ACK=301><CTL=SYN,ACK>   ...",
        "ESTABLISHED  <-- <SEQ=300><ACK=101><CTL=SYN,ACK>   <-- SYN-RECEIVED",
        "             ... <SEQ=100><ACK=301><CTL=SYN,ACK>   --> ESTABLISHED",
    ]


def test_figure_8_recovery_from_old_duplicate_syn() -> None:
    figure = Figure(closed(A), listening(B))
    figure.a_sends_into_the_network("<SEQ=100><CTL=SYN>")
    figure.arrives_at_b("<SEQ=90><CTL=SYN>", note="(duplicate)")
    figure.b_sends("<SEQ=300><ACK=91><CTL=SYN,ACK>")
    figure.a_sends("<SEQ=91><CTL=RST>")
    figure.arrives_at_b("<SEQ=100><CTL=SYN>")
    figure.b_sends("<SEQ=400><ACK=101><CTL=SYN,ACK>")
    figure.a_sends("<SEQ=101><ACK=401><CTL=ACK>")
    assert figure.lines == [
        "CLOSED                                                 LISTEN",
        "SYN-SENT     --> <SEQ=100><CTL=SYN>                ...",
        "(duplicate)  ... <SEQ=90><CTL=SYN>                 --> SYN-RECEIVED",
        "SYN-SENT     <-- <SEQ=300><ACK=91><CTL=SYN,ACK>    <-- SYN-RECEIVED",
        "SYN-SENT     --> <SEQ=91><CTL=RST>                 --> LISTEN",
        "             ... <SEQ=100><CTL=SYN>                --> SYN-RECEIVED",
        "ESTABLISHED  <-- <SEQ=400><ACK=101><CTL=SYN,ACK>   <-- SYN-RECEIVED",
        "ESTABLISHED  --> <SEQ=101><ACK=401><CTL=ACK>       --> ESTABLISHED",
    ]


def test_figure_9_half_open_connection_discovery() -> None:
    figure = Figure(closed(A), established(B, snd=300, rcv=100))
    figure.a_sends("<SEQ=400><CTL=SYN>")
    figure.b_sends("<SEQ=300><ACK=100><CTL=ACK>")
    figure.a_sends("<SEQ=100><CTL=RST>")
    assert figure.lines == [
        "CLOSED                                                 ESTABLISHED",
        "SYN-SENT     --> <SEQ=400><CTL=SYN>                --> ESTABLISHED",
        "SYN-SENT     <-- <SEQ=300><ACK=100><CTL=ACK>       <-- ESTABLISHED",
        "SYN-SENT     --> <SEQ=100><CTL=RST>                --> CLOSED",
    ]


def test_figure_10_active_side_causes_half_open_connection_discovery() -> None:
    figure = Figure(closed(A), established(B, snd=300, rcv=100))
    figure.b_sends("<SEQ=300><ACK=100><DATA=10><CTL=ACK>")
    figure.a_sends("<SEQ=100><CTL=RST>")
    assert figure.lines == [
        "CLOSED                                                 ESTABLISHED",
        "CLOSED       <-- <SEQ=300><ACK=100><DATA=10><CTL=ACK> <-- ESTABLISHED",
        "CLOSED       --> <SEQ=100><CTL=RST>                --> CLOSED",
    ]


def test_figure_11_old_duplicate_syn_on_two_passive_sockets() -> None:
    figure = Figure(listening(A), listening(B))
    figure.arrives_at_b("<SEQ=77><CTL=SYN>")
    figure.b_sends("<SEQ=500><ACK=78><CTL=SYN,ACK>")
    figure.a_sends("<SEQ=78><CTL=RST>")
    assert figure.lines == [
        "LISTEN                                                 LISTEN",
        "             ... <SEQ=77><CTL=SYN>                 --> SYN-RECEIVED",
        "LISTEN       <-- <SEQ=500><ACK=78><CTL=SYN,ACK>    <-- SYN-RECEIVED",
        "LISTEN       --> <SEQ=78><CTL=RST>                 --> LISTEN",
    ]


def test_figure_12_normal_close_sequence() -> None:
    figure = Figure(established(A, snd=100, rcv=300), established(B, snd=300, rcv=100))
    figure.a_sends("<SEQ=100><ACK=300><CTL=FIN,ACK>")
    figure.b_sends("<SEQ=300><ACK=101><CTL=ACK>")
    figure.b_sends("<SEQ=300><ACK=101><CTL=FIN,ACK>")
    figure.a_sends("<SEQ=101><ACK=301><CTL=ACK>")
    figure.a = figure.a.after(Input.TIMEOUT_2MSL)
    figure.states()
    assert figure.lines == [
        "ESTABLISHED                                            ESTABLISHED",
        "FIN-WAIT-1   --> <SEQ=100><ACK=300><CTL=FIN,ACK>   --> CLOSE-WAIT",
        "FIN-WAIT-2   <-- <SEQ=300><ACK=101><CTL=ACK>       <-- CLOSE-WAIT",
        "TIME-WAIT    <-- <SEQ=300><ACK=101><CTL=FIN,ACK>   <-- LAST-ACK",
        "TIME-WAIT    --> <SEQ=101><ACK=301><CTL=ACK>       --> CLOSED",
        "CLOSED                                                 CLOSED",
    ]


def test_figure_13_simultaneous_close_sequence() -> None:
    figure = Figure(established(A, snd=100, rcv=300), established(B, snd=300, rcv=100))
    figure.a_sends_into_the_network("<SEQ=100><ACK=300><CTL=FIN,ACK>")
    figure.b_sends("<SEQ=300><ACK=100><CTL=FIN,ACK>")
    figure.arrives_at_b("<SEQ=100><ACK=300><CTL=FIN,ACK>")
    figure.a_sends_into_the_network("<SEQ=101><ACK=301><CTL=ACK>")
    figure.b_sends("<SEQ=301><ACK=101><CTL=ACK>")
    figure.arrives_at_b("<SEQ=101><ACK=301><CTL=ACK>")
    assert figure.lines == [
        "ESTABLISHED                                            ESTABLISHED",
        "FIN-WAIT-1   --> <SEQ=100><ACK=300><CTL=FIN,ACK>   ...",
        "CLOSING      <-- <SEQ=300><ACK=100><CTL=FIN,ACK>   <-- FIN-WAIT-1",
        "             ... <SEQ=100><ACK=300><CTL=FIN,ACK>   --> CLOSING",
        "CLOSING      --> <SEQ=101><ACK=301><CTL=ACK>       ...",
        "TIME-WAIT    <-- <SEQ=301><ACK=101><CTL=ACK>       <-- CLOSING",
        "             ... <SEQ=101><ACK=301><CTL=ACK>       --> TIME-WAIT",
    ]
