"""What a client sends and concludes, drawn as the RFC draws; times in milliseconds."""

from __future__ import annotations

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handshake.packet.icmp import IcmpError
from handshake.prober import Attempt, ClientOptions, Close, Timeouts, Verdict
from handshake.tcp import Endpoint, Options, Seq, State, Timestamps
from handshake.tcp import options as opt
from tests.endpoint.figure import MS, DrawnAttempt, opened
from tests.reasons import because, codes, explained
from tests.segments import A, B


def test_open_and_close() -> None:
    drawn = DrawnAttempt()
    drawn.receive("<SEQ=300><ACK=101><CTL=SYN,ACK>", 10)
    drawn.receive("<SEQ=301><ACK=102><CTL=ACK>", 20)
    drawn.receive("<SEQ=301><ACK=102><CTL=FIN,ACK>", 30)
    assert drawn.lines == [
        "   0 SYN-SENT     --> <SEQ=100><CTL=SYN>",
        "  10 FIN-WAIT-1   <-- <SEQ=300><ACK=101><CTL=SYN,ACK>",
        "  10 FIN-WAIT-1   --> <SEQ=101><ACK=301><CTL=ACK>",
        "  10 FIN-WAIT-1   --> <SEQ=101><ACK=301><CTL=FIN,ACK>",
        "  20 FIN-WAIT-2   <-- <SEQ=301><ACK=102><CTL=ACK>",
        "  30 TIME-WAIT    <-- <SEQ=301><ACK=102><CTL=FIN,ACK>",
        "  30 TIME-WAIT    --> <SEQ=102><ACK=302><CTL=ACK>",
    ]
    assert drawn.end == (Verdict.OPEN, Close.CLEAN)
    assert drawn.codes == []


def test_both_close_at_once() -> None:
    drawn = opened()
    drawn.receive("<SEQ=301><ACK=101><CTL=FIN,ACK>", 20)
    drawn.receive("<SEQ=302><ACK=102><CTL=ACK>", 30)
    assert drawn.lines == [
        "  20 CLOSING      <-- <SEQ=301><ACK=101><CTL=FIN,ACK>",
        "  20 CLOSING      --> <SEQ=102><ACK=302><CTL=ACK>",
        "  30 TIME-WAIT    <-- <SEQ=302><ACK=102><CTL=ACK>",
    ]
    assert drawn.end == (Verdict.OPEN, Close.CLEAN)


def test_the_peer_closes_first() -> None:
    drawn = opened(Timeouts.of(hold=5))
    drawn.receive("<SEQ=301><ACK=101><CTL=FIN,ACK>", 20)
    drawn.receive("<SEQ=302><ACK=102><CTL=ACK>", 30)
    assert drawn.lines == [
        "  20 LAST-ACK     <-- <SEQ=301><ACK=101><CTL=FIN,ACK>",
        "  20 LAST-ACK     --> <SEQ=101><ACK=302><CTL=ACK>",
        "  20 LAST-ACK     --> <SEQ=101><ACK=302><CTL=FIN,ACK>",
        "  30 CLOSED       <-- <SEQ=302><ACK=102><CTL=ACK>",
    ]
    assert drawn.end == (Verdict.OPEN, Close.CLEAN)


def test_data_is_acknowledged() -> None:
    drawn = opened()
    drawn.receive("<SEQ=301><ACK=101><DATA=7><CTL=PSH,ACK>", 20)
    drawn.receive("<SEQ=308><ACK=102><DATA=2><CTL=FIN,PSH,ACK>", 30)
    assert drawn.lines[1::2] == [
        "  20 FIN-WAIT-1   --> <SEQ=102><ACK=308><CTL=ACK>",
        "  30 TIME-WAIT    --> <SEQ=102><ACK=311><CTL=ACK>",
    ]
    assert drawn.end == (Verdict.OPEN, Close.CLEAN)


def test_data_in_the_syn_ack_is_not_accepted() -> None:
    drawn = DrawnAttempt()
    drawn.receive("<SEQ=300><ACK=101><DATA=5><CTL=SYN,ACK>", 10)
    assert drawn.lines[2] == "  10 FIN-WAIT-1   --> <SEQ=101><ACK=301><CTL=ACK>"


def test_hold_delays_the_close() -> None:
    drawn = opened(Timeouts.of(hold=5))
    drawn.on_timer()
    assert drawn.lines == ["5010 FIN-WAIT-1   --> <SEQ=101><ACK=301><CTL=FIN,ACK>"]


def test_a_peer_that_stays_in_close_wait_gets_no_rst() -> None:
    drawn = opened()
    drawn.receive("<SEQ=301><ACK=102><CTL=ACK>", 20)
    drawn.run_to_end()
    assert drawn.lines == ["  20 FIN-WAIT-2   <-- <SEQ=301><ACK=102><CTL=ACK>"]
    assert drawn.end == (Verdict.OPEN, Close.PEER_KEPT_OPEN)


def test_the_fin_is_retransmitted() -> None:
    drawn = opened()
    drawn.on_timer()
    assert drawn.lines == ["1010 FIN-WAIT-1   --> <SEQ=101><ACK=301><CTL=FIN,ACK>"]
    drawn.run_to_end()
    # It is unknown whether the server accepted our ACK, so the connection is aborted.
    # If it received our FIN, too, only the second RST has the sequence number it expects.
    assert drawn.lines[1:] == [
        "2010 CLOSED       --> <SEQ=101><CTL=RST>",
        "2010 CLOSED       --> <SEQ=102><CTL=RST>",
    ]
    assert drawn.end == (Verdict.HALF_OPEN, None)
    assert drawn.codes == ["no-answer-to-fin"]


def test_closed() -> None:
    drawn = DrawnAttempt()
    drawn.receive("<SEQ=0><ACK=101><CTL=RST,ACK>", 10)
    assert drawn.end == (Verdict.CLOSED, None)
    assert drawn.attempt.answer is not None


def test_filtered() -> None:
    drawn = DrawnAttempt()
    drawn.run_to_end()
    assert drawn.lines == [
        "   0 SYN-SENT     --> <SEQ=100><CTL=SYN>",
        "1000 SYN-SENT     --> <SEQ=100><CTL=SYN>",
        "3000 SYN-SENT     --> <SEQ=100><CTL=SYN>",
    ]
    assert drawn.attempt.deadline == 5000 * MS
    assert drawn.end == (Verdict.FILTERED, None)
    clocks = [each.options.timestamps for each in drawn.sent]
    assert clocks == [Timestamps(0, 0), Timestamps(1000, 0), Timestamps(3000, 0)]


def test_reset_before_any_other_segment() -> None:
    drawn = opened()
    drawn.receive("<SEQ=301><CTL=RST>", 20)
    assert drawn.end == (Verdict.RESET, Close.RESET)


@pytest.mark.parametrize(
    ("text", "late", "verdict"),
    [
        ("<SEQ=301><CTL=RST>", 70_000, Verdict.OPEN),
        ("<SEQ=301><CTL=RST>", 900, Verdict.RESET),
        ("<SEQ=301><ACK=101><CTL=RST,ACK>", 70_000, Verdict.RESET),
    ],
)
def test_reset_of_an_ack_that_left_late(text: str, late: int, verdict: Verdict) -> None:
    # A server that has given up answers as any host without a connection: a RST without ACK.
    drawn = opened()
    drawn.attempt.postpone(late * MS)
    drawn.receive(text, late + 20)
    assert drawn.end == (verdict, Close.RESET)
    given_up = verdict is Verdict.OPEN
    assert drawn.attempt.ack_status.late == (late / 1000 if given_up else None)
    assert ("ack.late" in codes(explained(drawn.attempt))) == given_up


@pytest.mark.parametrize(
    ("text", "accepted"),
    [
        ("<SEQ=301><CTL=RST>", False),
        ("<SEQ=301><ACK=101><CTL=RST,ACK>", False),
        ("<SEQ=301><ACK=102><CTL=RST,ACK>", True),
        ("<SEQ=301><ACK=102><DATA=5><CTL=RST,ACK>", True),
    ],
)
def test_reset_behind_our_fin(text: str, accepted: bool) -> None:
    # Our FIN follows the ACK at once: the peer's TCP acknowledges it without its application.
    drawn = opened()
    drawn.receive(text, 20)
    assert drawn.end == (Verdict.RESET, Close.RESET)
    reason = explained(drawn.attempt)
    assert (reason.code, reason.values["accepted"]) == ("reset", accepted)


def test_reset_when_our_fin_was_acknowledged() -> None:
    # The kernel acknowledges it before the application that closes the connection has run.
    drawn = opened()
    drawn.receive("<SEQ=301><ACK=102><CTL=ACK>", 20)
    drawn.receive("<SEQ=301><ACK=102><CTL=RST,ACK>", 30)
    assert drawn.end == (Verdict.RESET, Close.RESET)


@pytest.mark.parametrize(
    "text",
    [
        "<SEQ=301><ACK=101><DATA=5><CTL=PSH,ACK>",
        "<SEQ=301><ACK=102><DATA=5><CTL=PSH,ACK>",
        "<SEQ=301><ACK=101><CTL=FIN,ACK>",
    ],
)
def test_reset_after_data_from_the_peer(text: str) -> None:
    drawn = opened()
    drawn.receive(text, 20)
    seq = 306 if "DATA" in text else 302
    drawn.receive(f"<SEQ={seq}><ACK=102><CTL=RST,ACK>", 30)
    assert drawn.end == (Verdict.OPEN, Close.RESET)


@pytest.mark.parametrize("window", [0, 65535])
def test_a_rst_does_not_acknowledge_data_that_was_not_sent(window: int) -> None:
    # Without retries there is no zero-window probe.
    drawn = DrawnAttempt(timeouts=Timeouts.of(retries=0), options=ClientOptions(data=b"HELLO"))
    drawn.receive("<SEQ=300><ACK=101><CTL=SYN,ACK>", 10, window=window)
    while drawn.sent[-1].fin is False:
        drawn.on_timer()
    fin = drawn.sent[-1]
    assert int(fin.seq) == (101 if window == 0 else 106)
    drawn.receive(f"<SEQ=301><ACK={fin.end}><CTL=RST,ACK>", 9000)
    assert drawn.end == (Verdict.RESET if window == 0 else Verdict.OPEN, Close.RESET)


@pytest.mark.parametrize(
    "text",
    [
        "<SEQ=0><ACK=100><CTL=RST,ACK>",
        "<SEQ=0><ACK=102><CTL=RST,ACK>",
        "<SEQ=0><CTL=RST>",
        "<SEQ=101><CTL=RST>",
    ],
)
def test_a_reset_that_does_not_answer_our_syn_is_ignored(text: str) -> None:
    drawn = DrawnAttempt()
    drawn.receive(text, 10)
    assert drawn.lines[1:] == [f"  10 SYN-SENT     <-- {text}"]
    drawn.receive("<SEQ=300><ACK=101><CTL=SYN,ACK>", 20)
    assert drawn.attempt.block.state is State.FIN_WAIT_1
    assert drawn.codes == ["rst-ignored"]


def test_a_rst_inside_the_window_gets_a_challenge_ack() -> None:
    drawn = opened()
    drawn.receive("<SEQ=305><CTL=RST>", 20)
    drawn.receive("<SEQ=99999><CTL=RST>", 30)
    assert drawn.lines == [
        "  20 FIN-WAIT-1   <-- <SEQ=305><CTL=RST>",
        "  20 FIN-WAIT-1   --> <SEQ=102><ACK=301><CTL=ACK>",
        "  30 FIN-WAIT-1   <-- <SEQ=99999><CTL=RST>",
    ]


@pytest.mark.parametrize("text", ["<SEQ=300><ACK=101><CTL=SYN,ACK>", "<SEQ=0><ACK=101><CTL=RST>"])
def test_a_bad_checksum_is_dropped(text: str) -> None:
    drawn = DrawnAttempt()
    drawn.receive(text, 10, checksum_ok=False)
    drawn.run_to_end()
    assert drawn.end == (Verdict.FILTERED, None)
    assert drawn.codes == ["bad-checksum"]


def test_an_offloaded_checksum_is_no_error() -> None:
    drawn = DrawnAttempt()
    drawn.receive("<SEQ=300><ACK=101><CTL=SYN,ACK>", 10, checksum_ok=None)
    assert drawn.attempt.verdict is Verdict.OPEN


def test_a_wrong_ack_is_reset_and_the_syn_retransmitted() -> None:
    drawn = DrawnAttempt()
    drawn.receive("<SEQ=300><ACK=5000><CTL=SYN,ACK>", 10)
    drawn.on_timer()
    drawn.receive("<SEQ=700><ACK=101><CTL=SYN,ACK>", 28)
    assert drawn.lines[:6] == [
        "   0 SYN-SENT     --> <SEQ=100><CTL=SYN>",
        "  10 SYN-SENT     <-- <SEQ=300><ACK=5000><CTL=SYN,ACK>",
        "  10 SYN-SENT     --> <SEQ=5000><CTL=RST>",
        # Two ticks later, as Linux (tcp_rcv_synsent_state_process).
        "  18 SYN-SENT     --> <SEQ=100><CTL=SYN>",
        "  28 FIN-WAIT-1   <-- <SEQ=700><ACK=101><CTL=SYN,ACK>",
        "  28 FIN-WAIT-1   --> <SEQ=101><ACK=701><CTL=ACK>",
    ]
    assert drawn.attempt.verdict is Verdict.OPEN
    assert drawn.codes == ["wrong-ack", "syn-retransmitted"]


def test_a_wrong_ack_hastens_the_first_retransmission_only() -> None:
    drawn = DrawnAttempt(timeouts=Timeouts.of(retries=2))
    drawn.receive("<SEQ=300><ACK=5000><CTL=SYN,ACK>", 10)
    drawn.on_timer()
    drawn.receive("<SEQ=300><ACK=5000><CTL=SYN,ACK>", 20)
    drawn.run_to_end()
    syns = [each for each in drawn.sent_lines if "SYN" in each]
    assert [each[:4] for each in syns] == ["   0", "  18", "2018"]


def test_who_allows_a_single_syn_gets_no_second_one_after_a_wrong_ack() -> None:
    drawn = DrawnAttempt(timeouts=Timeouts.of(retries=0))
    drawn.receive("<SEQ=300><ACK=5000><CTL=SYN,ACK>", 10)
    drawn.run_to_end()
    assert len([each for each in drawn.sent_lines if "SYN" in each]) == 1


def test_a_half_open_connection_is_discovered() -> None:
    # Figure 9: the peer still has an older connection and answers the SYN by a bare ACK.
    drawn = DrawnAttempt(iss=400)
    drawn.receive("<SEQ=300><ACK=100><CTL=ACK>", 10)
    assert drawn.lines[2] == "  10 SYN-SENT     --> <SEQ=100><CTL=RST>"


def test_a_peer_with_only_wrong_acks_is_a_bad_peer() -> None:
    drawn = DrawnAttempt()
    for number, at in enumerate((10, 1010, 3010)):
        drawn.receive(f"<SEQ={300 + number}><ACK=5000><CTL=SYN,ACK>", at)
        drawn.on_timer()
    drawn.run_to_end()
    assert drawn.end == (Verdict.BAD_PEER, None)


def test_answers_to_a_retransmitted_syn_ack_are_rate_limited() -> None:
    drawn = opened()
    for at in (20, 30, 600):
        drawn.receive("<SEQ=300><ACK=101><CTL=SYN,ACK>", at)
    assert [line for line in drawn.lines if "-->" in line] == [
        "  20 FIN-WAIT-1   --> <SEQ=102><ACK=301><CTL=ACK>",
        " 600 FIN-WAIT-1   --> <SEQ=102><ACK=301><CTL=ACK>",
    ]
    drawn.run_to_end()
    assert drawn.end == (Verdict.HALF_OPEN, None)


def test_answers_to_an_ack_storm_are_rate_limited() -> None:
    drawn = opened()
    for at in range(1000):
        drawn.receive("<SEQ=90000><ACK=101><CTL=ACK>", at)
    assert sum("-->" in line for line in drawn.lines) == 2
    assert len(drawn.attempt.notes) <= 1


def test_simultaneous_open() -> None:
    # Figure 7, seen from peer A.
    drawn = DrawnAttempt()
    drawn.receive("<SEQ=300><CTL=SYN>", 10)
    drawn.receive("<SEQ=300><ACK=101><CTL=SYN,ACK>", 20)
    assert drawn.lines == [
        "   0 SYN-SENT     --> <SEQ=100><CTL=SYN>",
        "  10 SYN-RECEIVED <-- <SEQ=300><CTL=SYN>",
        "  10 SYN-RECEIVED --> <SEQ=100><ACK=301><CTL=SYN,ACK>",
        "  20 FIN-WAIT-1   <-- <SEQ=300><ACK=101><CTL=SYN,ACK>",
        "  20 FIN-WAIT-1   --> <SEQ=101><ACK=301><CTL=FIN,ACK>",
    ]
    assert drawn.codes == ["simultaneous-open"]
    assert drawn.attempt.answer is not None
    assert drawn.attempt.answer.at == 20 * MS
    drawn.receive("<SEQ=301><ACK=102><CTL=FIN,ACK>", 30)
    reason = explained(drawn.attempt)
    assert (reason.code, reason.values) == ("crossed.open", {"port": 80})


def test_a_split_handshake_is_measured_by_its_first_ack() -> None:
    drawn = DrawnAttempt()
    drawn.receive("<SEQ=301><ACK=101><CTL=ACK>", 10)
    drawn.receive("<SEQ=300><CTL=SYN>", 12)
    drawn.receive("<SEQ=301><ACK=101><CTL=ACK>", 20)
    assert drawn.lines[3:5] == [
        "  12 SYN-RECEIVED --> <SEQ=100><ACK=301><CTL=SYN,ACK>",
        "  20 FIN-WAIT-1   <-- <SEQ=301><ACK=101><CTL=ACK>",
    ]
    assert drawn.codes == ["bare-ack", "split-handshake"]
    assert drawn.attempt.answer is not None
    assert drawn.attempt.answer.at == 10 * MS
    drawn.receive("<SEQ=301><ACK=102><CTL=FIN,ACK>", 30)
    assert explained(drawn.attempt).code == "crossed.split"


def test_a_syn_and_then_an_ack_are_a_split_handshake_or_look_like_one() -> None:
    drawn = DrawnAttempt()
    drawn.receive("<SEQ=300><CTL=SYN>", 10)
    drawn.receive("<SEQ=301><ACK=101><CTL=ACK>", 20)
    assert drawn.codes == ["split-handshake"]
    drawn.receive("<SEQ=301><ACK=102><CTL=FIN,ACK>", 30)
    assert explained(drawn.attempt).code == "crossed.split-syn-first"


def test_a_simultaneous_open_that_is_not_completed() -> None:
    drawn = DrawnAttempt()
    drawn.receive("<SEQ=300><CTL=SYN>", 10)
    drawn.on_timer()
    assert drawn.lines[-1] == "1010 SYN-RECEIVED --> <SEQ=100><ACK=301><CTL=SYN,ACK>"
    drawn.run_to_end()
    assert drawn.end == (Verdict.HALF_OPEN, None)
    assert drawn.attempt.answer is None
    assert explained(drawn.attempt).code == "crossed.half-open"


def test_a_simultaneous_open_that_is_reset() -> None:
    drawn = DrawnAttempt()
    drawn.receive("<SEQ=300><CTL=SYN>", 10)
    drawn.receive("<SEQ=301><CTL=RST>", 20)
    assert drawn.end == (Verdict.CLOSED, None)
    assert explained(drawn.attempt).code == "crossed.reset"


def test_an_unsent_rst_does_not_end_the_attempt() -> None:
    # As with a firewall rule against the RSTs of our own kernel.
    drawn = DrawnAttempt()
    drawn.receive("<SEQ=300><ACK=5000><CTL=SYN,ACK>", 10)
    drawn.attempt.unsent(because("a firewall on this machine dropped it (EPERM)"))
    assert not drawn.attempt.done
    drawn.receive("<SEQ=300><ACK=101><CTL=SYN,ACK>", 20)
    assert drawn.attempt.verdict is Verdict.OPEN
    assert drawn.codes == ["wrong-ack", "unsent"]


def test_another_syn_in_syn_received_gets_a_challenge_ack() -> None:
    # Even if it acknowledges our SYN: its sequence number differs from that of the first SYN.
    drawn = DrawnAttempt()
    drawn.receive("<SEQ=300><CTL=SYN>", 10)
    drawn.receive("<SEQ=399><ACK=101><CTL=SYN,ACK>", 20)
    assert drawn.lines[-1] == "  20 SYN-RECEIVED --> <SEQ=101><ACK=301><CTL=ACK>"


def test_a_wrong_ack_in_syn_received_is_reset() -> None:
    drawn = DrawnAttempt()
    drawn.receive("<SEQ=300><CTL=SYN>", 10)
    drawn.receive("<SEQ=301><ACK=5000><CTL=ACK>", 20)
    assert drawn.lines[-1] == "  20 SYN-RECEIVED --> <SEQ=5000><CTL=RST>"


def icmp(seq: int, kind: int = 3, code: int = 13) -> IcmpError:
    return IcmpError(4, kind, code, ip_address("203.0.113.1"), A, B, Seq(seq))


def test_an_icmp_error_that_quotes_our_syn_ends_it() -> None:
    drawn = DrawnAttempt()
    drawn.attempt.icmp(icmp(100))
    assert drawn.end == (Verdict.UNREACHABLE, None)
    assert drawn.attempt.error == icmp(100)


HOST_UNREACHABLE = icmp(100, 3, 1)


@pytest.mark.parametrize(("kind", "code"), [(3, 16), (3, 255), (11, 1), (11, 7)])
def test_what_linux_ignores_ends_nothing(kind: int, code: int) -> None:
    drawn = DrawnAttempt(timeouts=Timeouts.of(retries=0))
    drawn.attempt.icmp(icmp(100, kind, code))
    assert not drawn.attempt.done
    drawn.run_to_end()
    assert drawn.end == (Verdict.FILTERED, None)
    assert drawn.codes == ["icmp"]


def with_data(count: int, mss: int = 1000) -> DrawnAttempt:
    """Return an attempt whose data has just left, in segments of this size."""
    drawn = DrawnAttempt(options=ClientOptions(data=bytes(count), timestamps=False))
    drawn.receive("<SEQ=300><ACK=101><CTL=SYN,ACK>", 10, options=Options.of(opt.mss(mss)))
    return drawn


def sizes(drawn: DrawnAttempt) -> list[tuple[int, int]]:
    return [(int(each.seq), each.payload_length) for each in drawn.sent if each.payload_length]


@pytest.mark.parametrize(("mtu", "size"), [(640, 600), (0, 536), (60, 48), (20, 48)])
def test_data_that_is_too_big_is_sent_again_in_smaller_segments(mtu: int, size: int) -> None:
    drawn = with_data(2000)
    assert sizes(drawn) == [(101, 1000), (1101, 1000)]
    error = IcmpError(4, 3, 4, ip_address("203.0.113.1"), A, B, Seq(101), mtu)
    drawn.icmp(error, 20)
    again = sizes(drawn)[2:]
    assert [each for each, _ in again[:3]] == [101, 101 + size, 101 + 2 * size]
    assert {length for _, length in again[:-1]} == {size}
    assert "smaller-segments" in drawn.codes


@pytest.mark.parametrize("seq", [100, 2101, 5000])
def test_too_big_is_heeded_of_what_is_in_flight_only(seq: int) -> None:
    drawn = with_data(2000)
    error = IcmpError(4, 3, 4, ip_address("203.0.113.1"), A, B, Seq(seq), 600)
    assert drawn.attempt.icmp(error, 20 * MS) == ()
    assert len(sizes(drawn)) == 2


def test_a_larger_mtu_makes_nothing_larger() -> None:
    drawn = with_data(2000)
    error = IcmpError(4, 3, 4, ip_address("203.0.113.1"), A, B, Seq(101), 9000)
    assert drawn.attempt.icmp(error, 20 * MS) == ()


@pytest.mark.parametrize("mss", [1, 12, 47, 48])
def test_segments_are_never_tiny(mss: int) -> None:
    drawn = with_data(100, mss)
    assert sizes(drawn)[0] == (101, 48)


def test_a_signature_that_nobody_asked_for_is_dropped() -> None:
    # As Linux, which has no key either (TCPMD5UNEXPECTED).
    drawn = DrawnAttempt(timeouts=Timeouts.of(retries=0))
    signed = Options.of(opt.nop(), opt.nop(), opt.md5(bytes(16)))
    drawn.receive("<SEQ=300><ACK=101><CTL=SYN,ACK>", 10, options=signed)
    assert drawn.attempt.verdict is None
    drawn.run_to_end()
    assert drawn.end == (Verdict.FILTERED, None)
    assert drawn.codes == ["uninvited-signature"]


def test_a_soft_error_ends_nothing_before_the_last_syn() -> None:
    # Section 3.9.2.2, MUST-56: the error may be transient.
    drawn = DrawnAttempt()
    drawn.attempt.icmp(HOST_UNREACHABLE)
    drawn.on_timer()
    assert drawn.sent_lines == ["   0 <SEQ=100><CTL=SYN>", "1000 <SEQ=100><CTL=SYN>"]
    drawn.receive("<SEQ=300><ACK=101><CTL=SYN,ACK>", 1010)
    assert (drawn.attempt.verdict, drawn.attempt.error) == (Verdict.OPEN, None)
    assert drawn.codes == ["icmp", "syn-retransmitted"]


def test_a_soft_error_counts_if_no_answer_arrives() -> None:
    drawn = DrawnAttempt()
    drawn.attempt.icmp(HOST_UNREACHABLE)
    drawn.run_to_end()
    assert [line[:4] for line in drawn.sent_lines] == ["   0", "1000", "3000"]
    assert drawn.end == (Verdict.UNREACHABLE, None)
    assert drawn.attempt.error == HOST_UNREACHABLE


def test_a_soft_error_about_the_last_syn_ends_it() -> None:
    drawn = DrawnAttempt()
    for _ in range(3):
        assert not drawn.attempt.done
        drawn.attempt.icmp(HOST_UNREACHABLE)
        if not drawn.attempt.done:
            drawn.on_timer()
    assert drawn.end == (Verdict.UNREACHABLE, None)
    assert drawn.attempt.deadline == 5000 * MS


def test_an_icmp_error_may_quote_any_segment_in_flight() -> None:
    drawn = opened()
    drawn.attempt.icmp(icmp(101))
    assert drawn.codes == ["icmp"]


@pytest.mark.parametrize(
    ("error", "code"),
    [(icmp(99), "foreign-icmp"), (icmp(100, 3, 4), "icmp")],
)
def test_other_icmp_errors_do_not_end_it(error: IcmpError, code: str) -> None:
    drawn = DrawnAttempt()
    drawn.attempt.icmp(error)
    assert not drawn.attempt.done
    assert drawn.codes == [code]


def test_an_icmp_error_does_not_end_an_open_connection() -> None:
    drawn = opened()
    drawn.attempt.icmp(icmp(100))
    assert not drawn.attempt.done


def test_an_unsent_syn_is_a_local_error() -> None:
    drawn = DrawnAttempt()
    why = because("no route")
    drawn.attempt.unsent(why)
    assert drawn.end == (Verdict.LOCAL_ERROR, None)
    assert (drawn.attempt.syn_sent, drawn.attempt.failure) == (0, why)


def test_options_are_used_if_both_ends_offered_them() -> None:
    offer = Options.of(
        opt.mss(1400), opt.sack_permitted(), opt.timestamps(70, 5), opt.nop(), opt.window_scale(9)
    )
    drawn = DrawnAttempt()
    drawn.receive("<SEQ=300><ACK=101><CTL=SYN,ACK>", 10, options=offer)
    syn, ack, fin = drawn.sent
    assert (syn.window, ack.window, fin.window) == (64240, 502, 502)
    assert ack.options.timestamps == Timestamps(10, 70)
    assert syn.options.mss == 1460
    kinds = [option.name for option in syn.options]
    assert kinds == ["mss", "sack-permitted", "timestamps", "nop", "wscale"]
    assert ack.options == Options.of(opt.nop(), opt.nop(), opt.timestamps(10, 70))


def test_options_are_not_used_if_the_peer_did_not_offer_them() -> None:
    drawn = DrawnAttempt()
    drawn.receive("<SEQ=300><ACK=101><CTL=SYN,ACK>", 10)
    assert drawn.sent[1].window == 64240
    assert not drawn.sent[1].options


def test_the_syn_ack_of_a_simultaneous_open_offers_what_the_peer_did() -> None:
    drawn = DrawnAttempt()
    drawn.receive("<SEQ=300><CTL=SYN>", 10, options=Options.of(opt.mss(900), opt.sack_permitted()))
    kinds = [option.name for option in drawn.sent[1].options]
    assert kinds == ["mss", "nop", "nop", "sack-permitted"]


@given(iss=st.integers(0, 2**32 - 1), irs=st.integers(0, 2**32 - 1), data=st.integers(0, 2000))
def test_any_sequence_numbers(iss: int, irs: int, data: int) -> None:
    def number(value: int) -> int:
        return value % 2**32

    drawn = DrawnAttempt(iss)
    drawn.receive(f"<SEQ={irs}><ACK={number(iss + 1)}><CTL=SYN,ACK>", 10)
    end = number(iss + 2)
    drawn.receive(f"<SEQ={number(irs + 1)}><ACK={end}><DATA={data}><CTL=FIN,ACK>", 20)
    assert drawn.end == (Verdict.OPEN, Close.CLEAN)
    last = drawn.sent[-1]
    assert (last.seq, last.ack) == (Seq(iss + 2), Seq(irs + data + 2))


FLAGS = ["SYN", "ACK", "RST", "FIN", "SYN,ACK", "RST,ACK", "FIN,ACK", "PSH,ACK", "FIN"]
NEAR = st.sampled_from([0, 99, 100, 101, 102, 299, 300, 301, 302, 310, 70000, 2**31])


@given(
    st.lists(
        st.tuples(NEAR, NEAR, st.sampled_from(FLAGS), st.sampled_from([0, 3]), st.booleans()),
        max_size=12,
    )
)
def test_it_ends_whatever_is_received(received: list[tuple[int, int, str, int, bool]]) -> None:
    drawn = DrawnAttempt()
    at = 0
    for seq, ack, control, data, wait in received:
        acks = f"<ACK={ack}>" if "ACK" in control else ""
        if drawn.attempt.done:
            break
        if wait:
            at = drawn.attempt.deadline // MS
            drawn.on_timer()
        drawn.receive(f"<SEQ={seq}>{acks}<DATA={data}><CTL={control}>", at)
    expirations = 0
    while not drawn.attempt.done:
        drawn.on_timer()
        expirations += 1
    assert expirations < 10
    assert drawn.attempt.verdict is not None
    assert drawn.attempt.deadline <= 20_000 * MS
    # We send a RST only for a wrong ACK before the connection is open, or to abort a half-open
    # connection.
    resets = [each for each in drawn.sent if each.rst]
    state = drawn.attempt.block.state
    if drawn.attempt.verdict is Verdict.HALF_OPEN and state is not State.SYN_RECEIVED:
        # One RST if our FIN was lost, one if it was not.
        last = [int(each.seq) for each in drawn.sent[-2:] if each.rst]
        if last == [101, 102]:
            del resets[-2:]
        elif last[-1:] == [101]:
            del resets[-1:]
    assert all(each.seq != Seq(101) for each in resets)


def test_ipv6() -> None:
    there = Endpoint.of("2001:db8::7", 443)
    attempt = Attempt(Endpoint.of("2001:db8::1", 50000), there, Seq(1))
    (syn,) = attempt.start(0)
    assert syn.destination == there
