"""Whether the server accepted our ACK: only a SYN-ACK that is not retransmitted tells (3.8.1)."""

from __future__ import annotations

import pytest

from handshake.endpoint.ack_monitor import SynAckMonitor
from handshake.prober import ClientOptions, Close, CloseMode, Timeouts, Verdict
from tests.endpoint.figure import MS, DrawnAttempt, opened
from tests.reasons import codes, explained

AGAIN = "<SEQ=300><ACK=101><CTL=SYN,ACK>"
OBSERVE = Timeouts.of(observe=1.25)
NO_ACK = ClientOptions(answer=False)


def why(drawn: DrawnAttempt) -> list[str]:
    return codes(explained(drawn.attempt))


def test_the_close_waits_for_the_observation() -> None:
    drawn = opened(OBSERVE)
    drawn.on_timer()
    assert drawn.sent_lines == ["1260 <SEQ=101><ACK=301><CTL=FIN,ACK>"]
    drawn.receive("<SEQ=301><ACK=102><CTL=FIN,ACK>", 1270)
    assert drawn.end == (Verdict.OPEN, Close.CLEAN)


def test_silence_suggests_that_the_ack_was_accepted() -> None:
    drawn = opened(OBSERVE, ClientOptions(closing=CloseMode.NONE))
    drawn.run_to_end()
    assert (drawn.end, drawn.sent_lines) == ((Verdict.OPEN, None), [])
    assert why(drawn) == ["open", "ack.silent"]
    assert drawn.attempt.ack_status.watched == 1.25


@pytest.mark.parametrize("withheld", [False, True])
def test_what_arrived_before_our_ack_left_proves_nothing_of_it(withheld: bool) -> None:
    # A starved program reads the SYN-ACK after 4 s, and then those that followed it.
    monitor = SynAckMonitor(withheld=withheld)
    monitor.begin(4000 * MS, 1250 * MS, arrived=10 * MS)
    for at, arrived in ((4600, 1010), (5200, 3010), (5800, 4100)):
        monitor.repeated(at * MS, arrived * MS)
    assert monitor.in_vain == withheld
    assert monitor.again == ([1000 * MS, 3000 * MS, 4090 * MS] if withheld else [])


def test_what_arrives_after_our_ack_counts_however_late_it_is_read() -> None:
    monitor = SynAckMonitor()
    monitor.begin(20 * MS, 1250 * MS, arrived=10 * MS)
    for at, arrived in ((1500, 1010), (6000, 3010)):
        monitor.repeated(at * MS, arrived * MS)
    assert monitor.in_vain
    assert monitor.again == [1000 * MS, 3000 * MS]


def test_a_short_silence_proves_nothing() -> None:
    drawn = opened(Timeouts.of(observe=0.5), ClientOptions(closing=CloseMode.NONE))
    drawn.run_to_end()
    assert why(drawn) == ["open", "ack.too-soon"]
    drawn = opened(Timeouts.of(observe=0.5), NO_ACK)
    drawn.run_to_end()
    reason = explained(drawn.attempt)
    assert (reason.code, reason.values["watched"]) == ("half-open.withheld-silent", 0.5)
    assert not reason.values["stateless"]


@pytest.mark.parametrize(
    "text", ["<SEQ=301><ACK=101><DATA=5><CTL=PSH,ACK>", "<SEQ=301><ACK=101><CTL=ACK>"]
)
def test_any_other_segment_is_proof_and_ends_the_observation(text: str) -> None:
    drawn = opened(OBSERVE)
    drawn.receive(text, 20)
    assert drawn.sent_lines[-1].startswith("  20 <SEQ=101><ACK=3")
    assert drawn.sent_lines[-1].endswith("<CTL=FIN,ACK>")
    drawn.receive("<SEQ=306><ACK=102><CTL=FIN,ACK>", 30)
    assert why(drawn) == ["open", "ack.accepted"]


@pytest.mark.parametrize(
    "text",
    [
        "<SEQ=301><ACK=104><DATA=5><CTL=PSH,ACK>",
        "<SEQ=301><ACK=104><CTL=FIN,ACK>",
        "<SEQ=301><ACK=104><CTL=RST,ACK>",
    ],
)
def test_with_fast_open_data_before_our_ack_is_no_proof(text: str) -> None:
    drawn = DrawnAttempt(timeouts=OBSERVE, options=ClientOptions(fast_open=bytes(8), data=b"GET"))
    drawn.receive("<SEQ=300><ACK=104><CTL=SYN,ACK>", 10)
    drawn.receive(text, 20)
    assert not drawn.attempt.ack_status.confirmed
    drawn.run_to_end()
    assert drawn.end[0] is (Verdict.RESET if "RST" in text else Verdict.HALF_OPEN)


def test_with_fast_open_an_ack_of_later_octets_is_proof() -> None:
    drawn = DrawnAttempt(timeouts=OBSERVE, options=ClientOptions(fast_open=bytes(8), data=b"GET"))
    drawn.receive("<SEQ=300><ACK=104><CTL=SYN,ACK>", 10)
    drawn.receive("<SEQ=301><ACK=104><DATA=5><CTL=PSH,ACK>", 20)
    drawn.on_timer()
    assert drawn.sent_lines[-1] == "1260 <SEQ=104><ACK=306><CTL=FIN,ACK>"
    drawn.receive("<SEQ=306><ACK=105><CTL=FIN,ACK>", 1270)
    assert drawn.end == (Verdict.OPEN, Close.CLEAN)
    assert why(drawn) == ["open", "ack.accepted"]


def test_an_ack_may_answer_the_retransmitted_syn() -> None:
    drawn = DrawnAttempt(timeouts=OBSERVE)
    drawn.on_timer()
    drawn.receive("<SEQ=300><ACK=101><CTL=SYN,ACK>", 1010)
    drawn.receive("<SEQ=301><ACK=101><CTL=ACK>", 1500)
    assert not drawn.attempt.ack_status.confirmed
    drawn.receive("<SEQ=301><ACK=101><DATA=5><CTL=ACK>", 1600)
    assert drawn.attempt.ack_status.confirmed


def test_a_syn_ack_that_is_retransmitted_twice_is_half_open() -> None:
    # As Linux does if it receives none of our ACKs: after 1, 3, 7 s.
    drawn = opened(OBSERVE)
    drawn.receive(AGAIN, 1010)
    drawn.receive(AGAIN, 3010)
    assert drawn.sent_lines == [
        "1010 <SEQ=101><ACK=301><CTL=ACK>",
        "3010 <SEQ=101><CTL=RST>",
    ]
    assert drawn.end == (Verdict.HALF_OPEN, None)
    assert drawn.attempt.ack_status.again == (1.0, 3.0)
    reason = explained(drawn.attempt)
    assert (reason.code, reason.values["after"]) == ("half-open.retransmitted", ["1.0", "3.0"])


def test_one_ack_may_be_lost() -> None:
    drawn = opened(OBSERVE)
    drawn.receive(AGAIN, 1010)
    drawn.on_timer()
    drawn.on_timer()
    # The server doubles its timeout: we wait for that, and a little more.
    assert drawn.sent_lines[1:] == ["3510 <SEQ=101><ACK=301><CTL=FIN,ACK>"]
    drawn.receive("<SEQ=301><ACK=102><CTL=FIN,ACK>", 3520)
    assert drawn.end == (Verdict.OPEN, Close.CLEAN)


def test_copies_made_by_the_network_are_no_retransmissions() -> None:
    drawn = opened(OBSERVE)
    for at in range(11, 1000, 50):
        drawn.receive(AGAIN, at)
    assert drawn.attempt.ack_status.again == ()
    drawn.on_timer()
    assert drawn.sent_lines[-1] == "1260 <SEQ=101><ACK=301><CTL=FIN,ACK>"


def test_a_longer_observation() -> None:
    drawn = opened(Timeouts.of(observe=8))
    for at in (1010, 3010, 7110):
        drawn.receive(AGAIN, at)
        assert drawn.sent_lines[-1] == f"{at} <SEQ=101><ACK=301><CTL=ACK>"
    drawn.run_to_end()
    assert drawn.sent_lines[-1] == "8010 <SEQ=101><CTL=RST>"
    assert drawn.end == (Verdict.HALF_OPEN, None)


def test_without_an_observation_the_fin_finds_out() -> None:
    drawn = opened()
    drawn.receive(AGAIN, 1010)
    drawn.run_to_end()
    assert drawn.end == (Verdict.HALF_OPEN, None)
    assert [each.partition(" ")[2] for each in drawn.sent_lines[-2:]] == [
        "<SEQ=101><CTL=RST>",
        "<SEQ=102><CTL=RST>",
    ]


def test_without_our_ack_the_syn_ack_is_retransmitted() -> None:
    drawn = opened(Timeouts.of(observe=8), NO_ACK)
    for at in (1010, 3010, 7110):
        drawn.receive(AGAIN, at)
    assert drawn.sent_lines == []
    drawn.run_to_end()
    assert drawn.sent_lines == ["8010 <SEQ=101><CTL=RST>"]
    assert drawn.end == (Verdict.HALF_OPEN, None)
    reason = explained(drawn.attempt)
    assert (reason.code, reason.values["after"]) == ("half-open.withheld", ["1.0", "3.0", "7.1"])


def test_a_server_with_syn_cookies_does_not_retransmit() -> None:
    drawn = opened(Timeouts.of(observe=8), NO_ACK)
    drawn.run_to_end()
    assert drawn.end == (Verdict.HALF_OPEN, None)
    reason = explained(drawn.attempt)
    assert (reason.code, reason.values["watched"]) == ("half-open.withheld-silent", 8)
    assert reason.values["stateless"]


@pytest.mark.parametrize(
    "text",
    [
        "<SEQ=301><ACK=101><DATA=5><CTL=PSH,ACK>",
        "<SEQ=900><CTL=RST>",
        "<SEQ=99999><ACK=101><CTL=ACK>",
    ],
)
def test_nothing_makes_a_half_open_probe_answer(text: str) -> None:
    drawn = opened(Timeouts.of(observe=8), NO_ACK)
    drawn.receive(text, 20)
    assert drawn.sent_lines == []


@pytest.mark.parametrize(
    ("closing", "said"),
    [(CloseMode.RST, ["  10 <SEQ=101><CTL=RST>"]), (CloseMode.NONE, [])],
)
def test_close_modes(closing: CloseMode, said: list[str]) -> None:
    drawn = opened(options=ClientOptions(closing=closing))
    assert drawn.end == (Verdict.OPEN, None)
    assert drawn.attempt.done
    assert why(drawn) == ["open", "ack.unobserved"]
    del drawn.sent[:2]
    assert [str(each) for each in drawn.sent] == [each[5:] for each in said]
