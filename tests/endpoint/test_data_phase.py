"""Data on an open connection: sent, acknowledged, received and expected."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handshake.endpoint.buffers import KEPT, ReceiveBuffer
from handshake.prober import ClientOptions, Close, DataExchange, Timeouts, Verdict
from handshake.tcp import Options, Seq
from handshake.tcp import options as opt
from tests.endpoint.figure import DrawnAttempt, opened
from tests.reasons import codes, explained
from tests.segments import B, segment

HELLO = ClientOptions(data=b"hello")
PING = ClientOptions(data=b"ping", expect=b"pong")


def exchanged(drawn: DrawnAttempt) -> DataExchange | None:
    return drawn.attempt.data


def test_data_follows_the_ack_and_the_fin_waits_for_its_acknowledgment() -> None:
    drawn = DrawnAttempt(options=HELLO)
    drawn.receive("<SEQ=300><ACK=101><CTL=SYN,ACK>", 10)
    drawn.receive("<SEQ=301><ACK=106><CTL=ACK>", 20)
    drawn.receive("<SEQ=301><ACK=107><CTL=FIN,ACK>", 30)
    assert drawn.sent_lines == [
        "   0 <SEQ=100><CTL=SYN>",
        "  10 <SEQ=101><ACK=301><CTL=ACK>",
        "  10 <SEQ=101><ACK=301><DATA=5><CTL=PSH,ACK>",
        "  20 <SEQ=106><ACK=301><CTL=FIN,ACK>",
        "  30 <SEQ=107><ACK=302><CTL=ACK>",
    ]
    assert drawn.end == (Verdict.OPEN, Close.CLEAN)
    assert exchanged(drawn) == DataExchange(5, 5, b"", None)


def test_data_proves_what_a_lost_ack_leaves_open() -> None:
    # The bare ACK is lost, and the data brings another one.
    drawn = opened(Timeouts.of(observe=1.25), HELLO)
    drawn.receive("<SEQ=301><ACK=106><CTL=ACK>", 20)
    assert drawn.sent_lines[-1] == "  20 <SEQ=106><ACK=301><CTL=FIN,ACK>"


def test_unacknowledged_data_is_retransmitted() -> None:
    drawn = opened(Timeouts.of(timeout=4), HELLO)
    drawn.on_timer()
    drawn.on_timer()
    assert drawn.sent_lines == [
        "1010 <SEQ=101><ACK=301><DATA=5><CTL=PSH,ACK>",
        "3010 <SEQ=101><ACK=301><DATA=5><CTL=PSH,ACK>",
    ]
    drawn.run_to_end()
    # The FIN asks again: a peer that has the connection, but not the data, answers it.
    assert drawn.sent_lines[2] == "4010 <SEQ=106><ACK=301><CTL=FIN,ACK>"
    assert drawn.codes == ["data-lost", "no-answer-to-fin"]
    assert drawn.end == (Verdict.HALF_OPEN, None)
    assert exchanged(drawn) == DataExchange(5, 0, b"", None)


def test_a_peer_that_acknowledges_no_data_but_answers_the_fin_is_open() -> None:
    drawn = opened(Timeouts.of(timeout=0.5), HELLO)
    drawn.on_timer()
    drawn.receive("<SEQ=301><ACK=101><CTL=ACK>", 520)
    drawn.run_to_end()
    assert drawn.end == (Verdict.OPEN, None)
    assert drawn.codes == ["data-lost", "no-answer-to-fin"]


def test_a_full_segment_at_a_time_and_ten_at_once() -> None:
    drawn = opened(options=ClientOptions(data=bytes(20_000)))
    segments = drawn.sent[2:]
    assert [len(each.payload) for each in segments] == [536] * 10  # no MSS option from the peer
    assert not any("PSH" in str(each) for each in segments)
    drawn.receive("<SEQ=301><ACK=1173><CTL=ACK>", 20)
    assert [int(each.seq) for each in drawn.sent[12:]] == [5461, 5997]


def test_options_reduce_the_payload() -> None:
    drawn = DrawnAttempt(options=ClientOptions(data=bytes(2000)))
    offer = Options.of(opt.mss(1000), opt.timestamps(7, 0))
    drawn.receive("<SEQ=300><ACK=101><CTL=SYN,ACK>", 10, options=offer)
    # RFC 6691: the MSS counts no options, and the sender subtracts them.
    assert [len(each.payload) for each in drawn.sent[2:]] == [988, 988, 24]
    assert drawn.sent_lines[-1].endswith("<DATA=24><CTL=PSH,ACK>")


def test_data_is_limited_by_the_window() -> None:
    drawn = DrawnAttempt(options=HELLO)
    drawn.receive("<SEQ=300><ACK=101><CTL=SYN,ACK>", 10, window=3)
    assert drawn.sent_lines[-1] == "  10 <SEQ=101><ACK=301><DATA=3><CTL=ACK>"
    drawn.receive("<SEQ=301><ACK=104><CTL=ACK>", 20, window=100)
    assert drawn.sent_lines[-1] == "  20 <SEQ=104><ACK=301><DATA=2><CTL=PSH,ACK>"


def test_a_zero_window_is_probed() -> None:
    # Section 3.8.6.1: one octet, each time the timer expires.
    drawn = DrawnAttempt(options=HELLO)
    drawn.receive("<SEQ=300><ACK=101><CTL=SYN,ACK>", 10, window=0)
    drawn.on_timer()
    assert drawn.sent_lines[-1] == "1010 <SEQ=101><ACK=301><DATA=1><CTL=PSH,ACK>"
    drawn.receive("<SEQ=301><ACK=102><CTL=ACK>", 1020, window=100)
    assert drawn.sent_lines[-1] == "1020 <SEQ=102><ACK=301><DATA=4><CTL=PSH,ACK>"


def test_no_data_is_sent_after_our_fin() -> None:
    drawn = DrawnAttempt(timeouts=Timeouts.of(timeout=3), options=HELLO)
    drawn.receive("<SEQ=300><ACK=101><CTL=SYN,ACK>", 10, window=3)
    drawn.receive("<SEQ=301><ACK=104><CTL=ACK>", 20, window=0)
    drawn.on_timer()
    drawn.on_timer()
    assert drawn.sent_lines[-2:] == [
        "1020 <SEQ=104><ACK=301><DATA=1><CTL=PSH,ACK>",
        "3010 <SEQ=105><ACK=301><CTL=FIN,ACK>",
    ]
    # The window opens too late.
    drawn.receive("<SEQ=301><ACK=104><CTL=ACK>", 3020, window=100)
    drawn.on_timer()
    assert drawn.sent_lines[-1] == "4010 <SEQ=104><ACK=301><DATA=1><CTL=PSH,ACK>"
    drawn.receive("<SEQ=301><ACK=106><CTL=FIN,ACK>", 4020)
    assert drawn.end == (Verdict.OPEN, Close.CLEAN)
    assert exchanged(drawn) == DataExchange(5, 4, b"", None)


def test_the_expected_octets_end_the_wait() -> None:
    drawn = opened(options=PING)
    drawn.receive("<SEQ=301><ACK=105><CTL=ACK>", 20)
    drawn.receive("<SEQ=301><ACK=105><CTL=PSH,ACK>", 30, data=b"po")
    assert drawn.sent_lines[-1] == "  30 <SEQ=105><ACK=303><CTL=ACK>"
    drawn.receive("<SEQ=303><ACK=105><CTL=PSH,ACK>", 40, data=b"ng")
    assert drawn.sent_lines[-1] == "  40 <SEQ=105><ACK=305><CTL=FIN,ACK>"
    assert exchanged(drawn) == DataExchange(4, 4, b"pong", expected=True)


def test_the_expected_octets_are_awaited_for_the_handshake_timeout() -> None:
    drawn = opened(Timeouts.of(timeout=3), PING)
    drawn.receive("<SEQ=301><ACK=105><CTL=PSH,ACK>", 20, data=b"something else")
    drawn.on_timer()
    assert drawn.sent_lines[-1] == "3010 <SEQ=105><ACK=315><CTL=FIN,ACK>"
    assert exchanged(drawn) == DataExchange(4, 4, b"something else", expected=False)


def test_the_fin_of_the_peer_ends_the_wait() -> None:
    drawn = opened(options=PING)
    drawn.receive("<SEQ=301><ACK=105><CTL=FIN,ACK>", 20)
    assert drawn.sent_lines[-1] == "  20 <SEQ=105><ACK=302><CTL=FIN,ACK>"


def test_a_peer_that_closes_at_once_is_still_sent_all_data() -> None:
    drawn = opened(options=HELLO)
    drawn.receive("<SEQ=301><ACK=101><CTL=FIN,ACK>", 20)
    assert drawn.sent_lines == ["  20 <SEQ=106><ACK=302><CTL=ACK>"]
    drawn.receive("<SEQ=302><ACK=106><CTL=ACK>", 30)
    assert drawn.sent_lines[-1] == "  30 <SEQ=106><ACK=302><CTL=FIN,ACK>"
    drawn.receive("<SEQ=302><ACK=107><CTL=ACK>", 40)
    assert drawn.end == (Verdict.OPEN, Close.CLEAN)


def test_out_of_order_data_is_reassembled() -> None:
    receive_buffer = ReceiveBuffer(b"bcd")
    receive_buffer.begin(Seq(2**32 - 3))
    for seq, data in ((2**32 - 1, b"bc"), (1, b"de"), (2**32 - 2, b"ab"), (2**32 - 2, b"ab")):
        ack_status = segment(f"<SEQ={seq % 2**32}><ACK=1><DATA={len(data)}><CTL=ACK>", by=B)
        object.__setattr__(ack_status, "payload", data)
        receive_buffer.take(ack_status)
    assert (receive_buffer.octets, receive_buffer.found_expected) == (b"abcde", True)


@given(st.data())
def test_whatever_the_order_the_stream_is_the_same(data: st.DataObject) -> None:
    stream = bytes(range(60))
    receive_buffer = ReceiveBuffer(b"")
    first = data.draw(st.integers(0, 2**32 - 1))
    receive_buffer.begin(Seq(first - 1))
    pieces = [(at, at + 5) for at in range(0, 60, 5)]
    pieces += data.draw(
        st.lists(st.tuples(st.integers(0, 59), st.integers(1, 20)), max_size=8).map(
            lambda found: [(at, min(60, at + length)) for at, length in found]
        )
    )
    for begin, end in data.draw(st.permutations(pieces)):
        ack_status = segment(
            f"<SEQ={(first + begin) % 2**32}><ACK=1><DATA={end - begin}><CTL=ACK>", by=B
        )
        object.__setattr__(ack_status, "payload", stream[begin:end])
        receive_buffer.take(ack_status)
    assert receive_buffer.octets == stream


def test_copies_of_out_of_order_data_use_no_memory() -> None:
    receive_buffer = ReceiveBuffer(b"ab")
    receive_buffer.begin(Seq(0))
    later = replace(segment("<SEQ=2><ACK=1><DATA=1><CTL=ACK>", by=B), payload=b"b")
    for _ in range(1000):
        receive_buffer.take(later)
    assert (receive_buffer.octets, receive_buffer.found_expected) == (b"", False)
    receive_buffer.take(replace(segment("<SEQ=1><ACK=1><DATA=1><CTL=ACK>", by=B), payload=b"a"))
    assert (receive_buffer.octets, receive_buffer.found_expected) == (b"ab", True)


def test_a_peer_that_sends_without_end_does_not_fill_our_memory() -> None:
    receive_buffer = ReceiveBuffer(b"")
    receive_buffer.begin(Seq(0))
    for number in range(200):
        receive_buffer.take(segment(f"<SEQ={1 + 1000 * number}><ACK=1><DATA=1000><CTL=ACK>", by=B))
        receive_buffer.take(segment(f"<SEQ={10**6 + number}><ACK=1><DATA=1><CTL=ACK>", by=B))
    assert len(receive_buffer.octets) <= KEPT


@pytest.mark.parametrize("text", ["<SEQ=301><ACK=106><CTL=RST,ACK>", "<SEQ=301><CTL=RST>"])
def test_the_ack_of_a_rst_tells_whether_the_data_arrived(text: str) -> None:
    drawn = opened(options=HELLO)
    drawn.receive(text, 20)
    expected = Verdict.OPEN if "ACK=" in text else Verdict.RESET
    assert drawn.end == (expected, Close.RESET)


@pytest.mark.parametrize(
    ("received", "missing"),
    [(b"", ["missing.no-data"]), (b"pang", ["missing.other-data"]), (b"pong", [])],
)
def test_the_reason_mentions_unmet_expectations(received: bytes, missing: list[str]) -> None:
    drawn = opened(options=PING)
    drawn.receive("<SEQ=301><ACK=105><CTL=ACK>", 20)
    if received:
        drawn.receive("<SEQ=301><ACK=105><CTL=PSH,ACK>", 30, data=received)
    drawn.run_to_end()
    assert drawn.end[0] is Verdict.OPEN
    assert codes(explained(drawn.attempt)) == ["open", "ack.accepted", *missing]


def test_no_answer_to_a_signed_syn_may_be_due_to_the_key() -> None:
    drawn = DrawnAttempt(options=ClientOptions(md5=b"secret"))
    drawn.run_to_end()
    assert explained(drawn.attempt, signed=True).code == "filtered.signed"
    assert explained(drawn.attempt).code == "filtered.silent"
