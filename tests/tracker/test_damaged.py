"""A segment with a wrong checksum changes nothing at its receiver, until that acknowledges it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from handshake.events import Fate
from handshake.tracker import Tracker, summarize
from tests.diagnosis.made import down, found, only, up
from tests.tracker.conversation import observed
from tests.tracker.test_fate import judged
from tests.tracker.test_tracker import state

if TYPE_CHECKING:
    from handshake.events import Step

SYN = "A <SEQ=100><CTL=SYN>"
SYN_ACK = "B <SEQ=300><ACK=101><CTL=SYN,ACK>"
ACK = "A <SEQ=101><ACK=301><CTL=ACK>"
DATA = "A <SEQ=101><ACK=301><DATA=10><CTL=ACK>"
ACKED = "B <SEQ=301><ACK=111><CTL=ACK>"
FIN = "A <SEQ=101><ACK=301><CTL=FIN,ACK>"
RST = "B <SEQ=301><ACK=101><CTL=RST,ACK>"
OPEN = (f"{SYN} good", f"{SYN_ACK} good", f"{ACK} good")


def fed(*lines: str) -> tuple[list[Step], Tracker]:
    """Return the steps as they look at once."""
    tracker = Tracker()
    steps = [
        tracker.feed(observed(f"{line} id={number}", number * 10_000_000, number))
        for number, line in enumerate(lines, start=1)
    ]
    return steps, tracker


def states(step: Step) -> tuple[str, str]:
    return state(step.client.after), state(step.server.after)


def expected(steps: list[Step]) -> list[int]:
    """Return the server's RCV.NXT after each step."""
    return [int(each.server.after.rcv.nxt or 0) for each in steps if each.server.after is not None]


def test_a_damaged_rst_resets_nothing() -> None:
    steps, tracker = fed(*OPEN, f"{RST} wrong")
    assert states(steps[-1]) == ("ESTABLISHED", "ESTABLISHED")
    assert [each.code for each in steps[-1].events] == ["bad-checksum"]
    record = summarize(tracker.connections[0])
    assert (record.outcome, record.closed, record.diagnosis) == ("established", None, None)
    assert [each.code for each in record.findings] == ["bad-checksum"]


@pytest.mark.parametrize("sums", ["good", "bad", ""])
def test_a_rst_whose_checksum_is_right_partial_or_unknown_does(sums: str) -> None:
    steps, tracker = fed(*OPEN, f"{RST} {sums}")
    assert states(steps[-1]) == ("CLOSED", "CLOSED")
    assert summarize(tracker.connections[0]).closed == "rst-by-server"


def test_a_rst_counts_in_a_capture_whose_checksums_are_all_changed() -> None:
    steps, _ = fed(*(f"{each} wrong" for each in (SYN, SYN_ACK, ACK, RST)))
    assert states(steps[-1]) == ("CLOSED", "CLOSED")
    steps, tracker = fed(f"{SYN} wrong", "B <SEQ=0><ACK=101><CTL=RST,ACK> wrong")
    assert states(steps[-1]) == ("CLOSED", "CLOSED?")
    assert summarize(tracker.connections[0]).outcome == "refused"


def test_damaged_data_does_not_advance_the_receiver() -> None:
    steps, _ = fed(*OPEN, f"{DATA} wrong", f"0.4 {DATA} good", f"{ACKED} good")
    assert expected(steps[3:]) == [101, 111, 111]
    late = judged(*OPEN, f"{DATA} wrong", f"0.4 {DATA} good", f"{ACKED} good")
    assert expected(late[3:]) == [101, 111, 111]


def test_data_that_is_acknowledged_was_right_on_the_wire() -> None:
    steps, _ = fed(*OPEN, f"{DATA} wrong", f"{ACKED} good")
    assert expected(steps[3:]) == [101, 111]
    late = judged(*OPEN, f"{DATA} wrong", f"{ACKED} good")
    assert late[3].fate is Fate.ARRIVED
    assert not late[3].damaged
    assert expected(late[3:]) == [111, 111]
    # From then on the end's wrong checksums tell nothing.
    rest = (f"{FIN} wrong".replace("101", "111"),)
    steps, _ = fed(*OPEN, f"{DATA} wrong", f"{ACKED} good", *rest)
    assert states(steps[-1]) == ("FIN-WAIT-1", "CLOSE-WAIT")


def test_a_damaged_fin_closes_no_half() -> None:
    steps, _ = fed(*OPEN, f"{FIN} wrong", "1 A <SEQ=101><ACK=301><CTL=FIN,ACK> good")
    assert states(steps[3]) == ("FIN-WAIT-1", "ESTABLISHED")
    assert states(steps[4]) == ("FIN-WAIT-1", "CLOSE-WAIT")
    steps, _ = fed(*OPEN, f"{FIN} wrong", "B <SEQ=301><ACK=102><CTL=ACK> good")
    assert states(steps[4]) == ("FIN-WAIT-2", "CLOSE-WAIT?")


def test_a_damaged_last_ack_of_the_handshake_completes_nothing() -> None:
    steps, _ = fed(f"{SYN} good", f"{SYN_ACK} good", f"{ACK} wrong", f"{DATA} good")
    assert [states(each)[1] for each in steps[1:]] == ["SYN-RECEIVED"] * 2 + ["ESTABLISHED"]


def test_a_damaged_syn_ack_that_the_client_took() -> None:
    late = judged(f"{SYN} good", f"{SYN_ACK} wrong", f"{ACK} good")
    assert [state(each.client.after) for each in late] == ["SYN-SENT", *["ESTABLISHED"] * 2]


def test_a_damaged_refusal_is_no_refusal() -> None:
    syn, rst = up(0, "S", 100), down(0.02, "RA", 0, 101, wrong=7)
    (record,) = found([syn, rst, up(1, "S", 100), down(1.02, "RA", 0, 101, wrong=7)])
    assert record.diagnosis is not None
    assert (record.outcome, record.client.state) == ("no-answer", "SYN-SENT")
    assert (record.diagnosis.code, record.diagnosis.certainty) == ("wrong-checksum", "likely")
    assert record.diagnosis.evidence == (1, 2, 3, 4)
    once = only([syn, rst])
    assert once is not None
    assert (once.code, once.certainty) == ("wrong-checksum", "possible")
    whole = only([syn, down(0.02, "RA", 0, 101)])
    assert whole is not None
    assert whole.code == "refused"
    again = only([syn, rst, up(1, "S", 100), down(1.02, "RA", 0, 101)])
    assert again is not None
    assert (again.code, again.evidence) == ("refused", (3, 4))
