"""What became of each segment, by the segments after it; and the states that the ends had."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from handshake import events as ev
from handshake.replayer import replay
from handshake.survey import records
from handshake.tracker import Tracker
from handshake.tracker.fate import PENDING, FateJudge
from tests.survey.made import CAPTURES
from tests.tracker.conversation import observed
from tests.tracker.test_tracker import state

if TYPE_CHECKING:
    from handshake.events import Judgment, Step

SYN = "A <SEQ=100><CTL=SYN>"
SYN_ACK = "B <SEQ=300><ACK=101><CTL=SYN,ACK>"
ACK = "A <SEQ=101><ACK=301><CTL=ACK>"
OPEN = (SYN, SYN_ACK, ACK)
DATA = "A <SEQ=101><ACK=301><DATA=10><CTL=ACK>"
MORE = "A <SEQ=111><ACK=301><DATA=10><CTL=ACK>"


def judged(*lines: str) -> list[Step]:
    """Return the steps of a connection by all that is known at its end."""
    segments, at = [], -10_000_000
    for number, line in enumerate(lines, start=1):
        segments.append(observed(f"{line} id={number}", at + 10_000_000, number))
        at = segments[-1].at
    judgments: list[Judgment] = []
    judge, first = FateJudge(judgments), Tracker()
    for each in segments:
        judge.observe(first.feed(each))
    judge.finish()
    again = Tracker()
    return [again.feed(each, judgment) for each, judgment in zip(segments, judgments, strict=True)]


def fates(*lines: str) -> str:
    """Return the first letter of each fate."""
    return "".join(str(step.fate)[0] for step in judged(*lines))


def drawn(steps: list[Step]) -> list[str]:
    return [f"{state(step.client.after)} {state(step.server.after)} {step.fate}" for step in steps]


def test_a_lost_syn_ack_changes_nothing_at_the_client() -> None:
    assert drawn(judged(SYN, SYN_ACK, f"1 {SYN}", SYN_ACK, ACK, DATA)) == [
        "SYN-SENT ? arrived",
        "SYN-SENT SYN-RECEIVED lost",
        "SYN-SENT SYN-RECEIVED arrived",
        "ESTABLISHED SYN-RECEIVED arrived",
        "ESTABLISHED ESTABLISHED unknown",
        "ESTABLISHED ESTABLISHED unknown",
    ]


def test_all_is_acknowledged() -> None:
    assert fates(*OPEN, DATA, "B <SEQ=301><ACK=111><CTL=ACK>") == "aauau"


CASES = {
    "never acknowledged": ((*OPEN, DATA), "aauu"),
    "the client asks again and never goes on": ((SYN, SYN_ACK, f"1 {SYN}"), "alu"),
    "the SYN-ACK comes again by its own timer": ((SYN, SYN_ACK, f"1 {SYN_ACK}"), "auu"),
    "the client asked again while the first answer was on its way": (
        (
            f"0 {SYN} opts=mss1460,ts1/0",
            f"0.001 {SYN_ACK} opts=mss1460,ts50/1",
            f"1 {SYN} opts=mss1460,ts1001/0",
            f"1.001 {SYN_ACK} opts=mss1460,ts1050/1",
            f"1.6 {ACK} opts=ts1601/50",
        ),
        "aauuu",
    ),
    "it may have been on its way, and no timestamp tells": (
        (f"0 {SYN}", f"0.001 {SYN_ACK}", f"1 {SYN}", f"1.001 {SYN_ACK}", f"2.6 {ACK}"),
        "auaau",
    ),
    "the receiver asks for what was lost": (
        (
            *OPEN,
            DATA,
            MORE,
            *(3 * ("B <SEQ=301><ACK=101><CTL=ACK>",)),
            DATA,
            "B <SEQ=301><ACK=121><CTL=ACK>",
        ),
        "aaulauuuau",
    ),
    "one duplicate ACK may have another cause": (
        (
            *OPEN,
            DATA,
            MORE,
            "B <SEQ=301><ACK=101><CTL=ACK>",
            DATA,
            "B <SEQ=301><ACK=121><CTL=ACK>",
        ),
        "aauuauau",
    ),
    "sent again by a timer, and nothing tells why": (
        (*OPEN, DATA, f"1 {DATA}", "B <SEQ=301><ACK=111><CTL=ACK>"),
        "aauuau",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_what_later_segments_prove(name: str) -> None:
    lines, expected = CASES[name]
    assert fates(*lines) == expected


def test_an_ack_that_the_server_does_not_act_on() -> None:
    found = judged(
        *OPEN, f"1 {SYN_ACK}", ACK, f"3 {SYN_ACK}", ACK, DATA, "B <SEQ=301><ACK=111><CTL=ACK>"
    )
    assert [state(step.server.after) for step in found[1:6]] == ["SYN-RECEIVED"] * 5
    assert [event.code for event in found[2].events] == ["ack-not-accepted"]
    assert state(found[-1].server.after) == "ESTABLISHED"
    assert state(found[-1].client.after) == "ESTABLISHED"


def test_replay_and_the_steps_of_a_record_tell_the_same() -> None:
    path = CAPTURES / "lost-syn-ack.pcap"
    by_replay = [(step.fate, step.client.after) for step in replay(path, hindsight=True)]
    listed = records(path)
    (record,) = listed
    assert [(step.fate, step.client.after) for step in listed.steps(record)] == by_replay
    assert str(by_replay[1][0]) == "lost"
    assert state(by_replay[1][1]) == "SYN-SENT"


@pytest.mark.parametrize("path", sorted(CAPTURES.glob("*.pcap")), ids=lambda path: path.stem)
def test_hindsight_ends_in_the_same_states(path: object) -> None:
    first, then = replay(path), replay(path, hindsight=True)  # type: ignore[arg-type]
    ends = [
        {step.stream: (step.client.after, step.server.after) for step in each}
        for each in (first, then)
    ]
    assert [
        {stream: [state(block) for block in blocks] for stream, blocks in each.items()}
        for each in ends[:1]
    ] == [
        {stream: [state(block) for block in blocks] for stream, blocks in each.items()}
        for each in ends[1:]
    ]


def test_what_nobody_acknowledges_costs_no_more_and_more() -> None:
    """Of an end whose peer was not captured, a bounded number of segments waits for its fate."""
    judge, tracker = FateJudge([]), Tracker(observers=())
    for number in range(2 * PENDING):
        line = f"A <SEQ={101 + number}><ACK=301><DATA=1><CTL=ACK> id={number + 1}"
        judge.observe(tracker.feed(observed(line, number, number + 1)))
    assert judge.pending == PENDING


def test_a_syn_ack_that_comes_after_the_next_syn_is_late() -> None:
    # The server's side of a path of 4 s: both SYN-ACKs are under way when the client asks again.
    late = judged(SYN, SYN_ACK, f"2.3 {SYN_ACK}", f"3 {SYN}", f"7.1 {ACK}", DATA)
    assert [state(each.client.after) for each in late] == [*["SYN-SENT"] * 4, *["ESTABLISHED"] * 2]
    told = [each for step in late for each in step.events if isinstance(each, ev.NotYetArrived)]
    assert [each.frame for each in told] == [4, 4]
    # The same, and an echo names the first SYN-ACK.
    named = judged(
        f"{SYN} opts=mss1460,ts1/0",
        f"{SYN_ACK} opts=mss1460,ts5/1",
        f"1 {SYN} opts=mss1460,ts2/0",
        f"1.6 {ACK} opts=ts3/5",
    )
    assert [state(each.client.after) for each in named] == [*["SYN-SENT"] * 3, "ESTABLISHED"]
    assert [str(each.fate) for each in named[1:2]] == ["arrived"]


def test_a_syn_that_was_captured_after_its_answer_asks_for_nothing_again() -> None:
    for syn in (f"0.02 {SYN}", f"0.0099 {SYN}"):
        found = judged(f"0.01 {SYN_ACK}", syn, f"0.03 {ACK}", DATA)
        assert not any(isinstance(each, ev.NotYetArrived) for step in found for each in step.events)


def test_a_rst_of_another_device_ends_only_the_end_that_believes_it() -> None:
    forged = "B <SEQ=301><ACK=111><CTL=RST,ACK> ttl=57"
    again = "B <SEQ=9000><ACK=111><CTL=RST,ACK> ttl=58"
    on = "B <SEQ=301><ACK=111><DATA=5><CTL=ACK>"
    rest = "A <SEQ=111><CTL=RST>"
    found = judged(*OPEN, DATA, forged, again, on, rest)
    assert [state(each.client.after) for each in found[4:]] == ["CLOSED"] * 4
    assert [state(each.server.after) for each in found[4:]] == ["ESTABLISHED"] * 3 + ["CLOSED"]
    forgeries = [each for step in found for each in step.events if isinstance(each, ev.ResetForged)]
    assert [(each.frame, each.closed) for each in forgeries] == [(7, True), (7, False)]
    live = Tracker()
    lines = (*OPEN, DATA, forged, again, on, rest)
    steps = [
        live.feed(observed(f"{line} id={number}", number * 10_000_000, number))
        for number, line in enumerate(lines, start=1)
    ]
    assert [state(each.server.after) for each in steps[4:]] == [
        "CLOSED",
        "CLOSED",
        "ESTABLISHED",
        "CLOSED",
    ]
    assert any(isinstance(each, ev.ResetDisproved) for each in steps[6].events)


def test_a_rst_with_the_ttl_of_its_sender_is_its_own() -> None:
    own = "B <SEQ=301><ACK=111><CTL=RST,ACK>"
    on = "B <SEQ=301><ACK=111><DATA=5><CTL=ACK>"
    found = judged(*OPEN, DATA, own, on)
    assert not any(isinstance(each, ev.ResetForged) for step in found for each in step.events)
    assert state(found[4].server.after) == "CLOSED"
