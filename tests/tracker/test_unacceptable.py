"""Why an end must drop a segment: a reason by code, with the numbers that prove it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from handshake import events as ev
from handshake.tcp import ControlBlock, Options, Segment, State
from handshake.tcp import options as opt
from handshake.tracker.classify import why_not
from tests.segments import A, B, segment
from tests.tracker.conversation import observed, tracked

if TYPE_CHECKING:
    from handshake.messages import Message

SYN: Final = segment("<SEQ=100><CTL=SYN>")
SYN_ACK: Final = segment("<SEQ=300><ACK=101><CTL=SYN,ACK>", by=B)
SENT: Final = ControlBlock(A).sent(SYN)

BLOCKS: Final = {
    State.CLOSED: ControlBlock(A),
    State.LISTEN: ControlBlock(A, state=State.LISTEN, passive=True),
    State.SYN_SENT: SENT,
    State.SYN_RECEIVED: ControlBlock(A, state=State.LISTEN, passive=True)
    .received(segment("<SEQ=300><CTL=SYN>", by=B))
    .sent(segment("<SEQ=100><ACK=301><CTL=SYN,ACK>")),
    State.ESTABLISHED: SENT.received(SYN_ACK).sent(segment("<SEQ=101><ACK=301><CTL=ACK>")),
}


@pytest.mark.parametrize(
    ("state", "text", "code", "numbers"),
    [
        (State.CLOSED, "<SEQ=301><ACK=101><CTL=ACK>", "closed", {}),
        (State.CLOSED, "<SEQ=301><CTL=RST>", "reset-without-connection", {}),
        (State.LISTEN, "<SEQ=301><ACK=101><CTL=ACK>", "listen", {}),
        (State.LISTEN, "<SEQ=301><CTL=RST>", "reset-without-connection", {}),
        (
            State.SYN_SENT,
            "<SEQ=300><ACK=91><CTL=SYN,ACK>",
            "wrong-ack-of-syn",
            {"ack": 91, "expected": 101},
        ),
        (State.SYN_SENT, "<SEQ=300><ACK=101><CTL=ACK>", "no-answer-to-syn", {}),
        (State.SYN_SENT, "<SEQ=300><CTL=FIN>", "no-answer-to-syn", {}),
        (State.SYN_SENT, "<SEQ=0><CTL=RST>", "reset-without-ack", {}),
        (
            State.SYN_SENT,
            "<SEQ=0><ACK=7><CTL=RST,ACK>",
            "reset-wrong-ack",
            {"ack": 7, "expected": 101},
        ),
        (State.SYN_RECEIVED, "<SEQ=900><CTL=SYN>", "second-syn", {}),
        (
            State.SYN_RECEIVED,
            "<SEQ=301><ACK=7><CTL=ACK>",
            "wrong-ack-in-syn-received",
            {"ack": 7, "expected": 101},
        ),
        (State.ESTABLISHED, "<SEQ=900><CTL=SYN>", "syn-in-synchronized-state", {}),
        (State.ESTABLISHED, "<SEQ=301><CTL=FIN>", "no-ack", {}),
        (
            State.ESTABLISHED,
            "<SEQ=99999><ACK=101><DATA=5><CTL=ACK>",
            "outside-window",
            {"seq": 99999, "nxt": 301, "wnd": 65535},
        ),
        (
            State.ESTABLISHED,
            "<SEQ=301><ACK=900><CTL=ACK>",
            "ack-of-unsent",
            {"ack": 900, "nxt": 101},
        ),
        (State.ESTABLISHED, "<SEQ=320><CTL=RST>", "reset-inexact", {"seq": 320, "nxt": 301}),
        (
            State.ESTABLISHED,
            "<SEQ=99999><CTL=RST>",
            "reset-outside-window",
            {"seq": 99999, "nxt": 301},
        ),
    ],
)
def test_why_a_segment_is_dropped(
    state: State, text: str, code: str, numbers: dict[str, int]
) -> None:
    reason = why(BLOCKS[state], segment(text, by=B))
    assert BLOCKS[state].state is state
    assert reason.code == f"unacceptable.{code}"
    assert {name: int(str(value)) for name, value in reason.values.items()} == numbers


def test_a_timestamp_that_is_older_than_one_received() -> None:
    def clock(value: int) -> Options:
        return Options.of(opt.timestamps(value))

    block = ControlBlock(A).sent(segment("<SEQ=100><CTL=SYN>", options=clock(1)))
    block = block.received(
        segment("<SEQ=300><ACK=101><CTL=SYN,ACK>", by=B, options=clock(1000))
    ).sent(segment("<SEQ=101><ACK=301><CTL=ACK>", options=clock(2)))
    late = segment("<SEQ=301><ACK=101><DATA=5><CTL=ACK>", by=B, options=clock(999))
    assert why(block, late).code == "unacceptable.old-timestamp"


def why(block: ControlBlock, seg: Segment) -> Message:
    assert not block.acceptable(seg)
    return why_not(block, seg)


@pytest.mark.parametrize("shift", [0, 2**32 - 2000])
@pytest.mark.parametrize(("behind", "dropped"), [(1000, False), (1001, True), (3000, True)])
def test_data_with_a_guessed_acknowledgment(shift: int, behind: int, dropped: bool) -> None:
    """RFC 5961 section 5: no more than the largest window behind SND.UNA."""

    def number(value: int) -> int:
        return (value + shift) % 2**32

    def ack(at: int) -> str:
        return f"B <SEQ=301><ACK={number(at)}><CTL=ACK> win=1000"

    lines = [
        f"A <SEQ={number(100)}><CTL=SYN> opts=mss1460",
        f"B <SEQ=300><ACK={number(101)}><CTL=SYN,ACK> opts=mss1460 win=1000",
        f"A <SEQ={number(101)}><ACK=301><CTL=ACK>",
    ]
    for at in (101, 1101, 2101):
        lines += [f"A <SEQ={number(at)}><ACK=301><DATA=1000><CTL=ACK>", ack(at + 1000)]
    tracker = tracked(*lines)
    guess = f"9 B <SEQ=301><ACK={number(3101 - behind)}><DATA=5><CTL=ACK> win=1000"
    step = tracker.feed(observed(guess, 0, 99))
    reasons = [event.reason.code for event in step.events if isinstance(event, ev.Dropped)]
    assert reasons == (["unacceptable.ack-of-old"] if dropped else [])
    assert ("rcv.nxt" in step.receiver.changed) is not dropped
