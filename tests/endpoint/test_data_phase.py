"""What is said on an open connection: data, its acknowledgment, and what is expected back."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handshake.endpoint.receive_buffer import KEPT, ReceiveBuffer
from handshake.prober import ClientOptions, Close, Timeouts, Verdict
from handshake.prober.explanation import reason
from handshake.prober.result import DataExchange
from handshake.tcp import Options, Seq
from handshake.tcp import options as opt
from tests.endpoint.exchange import Talk, opened
from tests.segments import B, segment

HELLO = ClientOptions(data=b"hello")
PING = ClientOptions(data=b"ping", expect=b"pong")


def said(exchange: Talk) -> DataExchange | None:
    return DataExchange.of(exchange.attempt.transfer, exchange.attempt.block)


def test_data_follows_the_ack_and_the_fin_waits_for_its_acknowledgment() -> None:
    exchange = Talk(options=HELLO)
    exchange.hears("<SEQ=300><ACK=101><CTL=SYN,ACK>", 10)
    exchange.hears("<SEQ=301><ACK=106><CTL=ACK>", 20)
    exchange.hears("<SEQ=301><ACK=107><CTL=FIN,ACK>", 30)
    assert exchange.said == [
        "   0 <SEQ=100><CTL=SYN>",
        "  10 <SEQ=101><ACK=301><CTL=ACK>",
        "  10 <SEQ=101><ACK=301><DATA=5><CTL=PSH,ACK>",
        "  20 <SEQ=106><ACK=301><CTL=FIN,ACK>",
        "  30 <SEQ=107><ACK=302><CTL=ACK>",
    ]
    assert exchange.end == (Verdict.OPEN, Close.CLEAN)
    assert said(exchange) == DataExchange(5, 5, b"", None)


def test_data_proves_what_a_lost_ack_leaves_open() -> None:
    # The bare ACK is lost, and the data brings another one.
    exchange = opened(Timeouts.of(observe=1.25), HELLO)
    exchange.hears("<SEQ=301><ACK=106><CTL=ACK>", 20)
    assert exchange.said[-1] == "  20 <SEQ=106><ACK=301><CTL=FIN,ACK>"


def test_data_that_nobody_acknowledges_is_sent_again() -> None:
    exchange = opened(Timeouts.of(timeout=4), HELLO)
    exchange.waits()
    exchange.waits()
    assert exchange.said == [
        "1010 <SEQ=101><ACK=301><DATA=5><CTL=PSH,ACK>",
        "3010 <SEQ=101><ACK=301><DATA=5><CTL=PSH,ACK>",
    ]
    exchange.waits_to_the_end()
    # The FIN asks once more: whoever has the connection, but not the data, says so.
    assert exchange.said[2] == "4010 <SEQ=106><ACK=301><CTL=FIN,ACK>"
    assert exchange.codes == ["data-lost", "no-answer-to-fin"]
    assert exchange.end == (Verdict.HALF_OPEN, None)
    assert said(exchange) == DataExchange(5, 0, b"", None)


def test_a_peer_that_never_takes_the_data_but_the_fin_is_open() -> None:
    exchange = opened(Timeouts.of(timeout=0.5), HELLO)
    exchange.waits()
    exchange.hears("<SEQ=301><ACK=101><CTL=ACK>", 520)
    exchange.waits_to_the_end()
    assert exchange.end == (Verdict.OPEN, None)
    assert exchange.codes == ["data-lost", "no-answer-to-fin"]


def test_a_full_segment_at_a_time_and_ten_at_once() -> None:
    exchange = opened(options=ClientOptions(data=bytes(20_000)))
    offered = exchange.sent[2:]
    assert [len(each.payload) for each in offered] == [536] * 10  # the peer has named no MSS
    assert not any("PSH" in str(each) for each in offered)
    exchange.hears("<SEQ=301><ACK=1173><CTL=ACK>", 20)
    assert [int(each.seq) for each in exchange.sent[12:]] == [5461, 5997]


def test_the_options_take_their_place_from_the_payload() -> None:
    exchange = Talk(options=ClientOptions(data=bytes(2000)))
    offer = Options.of(opt.mss(1000), opt.timestamps(7, 0))
    exchange.hears("<SEQ=300><ACK=101><CTL=SYN,ACK>", 10, options=offer)
    # RFC 6691: the MSS counts no options, and the sender subtracts them.
    assert [len(each.payload) for each in exchange.sent[2:]] == [988, 988, 24]
    assert exchange.said[-1].endswith("<DATA=24><CTL=PSH,ACK>")


def test_no_more_than_the_window_has_room_for() -> None:
    exchange = Talk(options=HELLO)
    exchange.hears("<SEQ=300><ACK=101><CTL=SYN,ACK>", 10, window=3)
    assert exchange.said[-1] == "  10 <SEQ=101><ACK=301><DATA=3><CTL=ACK>"
    exchange.hears("<SEQ=301><ACK=104><CTL=ACK>", 20, window=100)
    assert exchange.said[-1] == "  20 <SEQ=104><ACK=301><DATA=2><CTL=PSH,ACK>"


def test_a_closed_window_is_asked_whether_it_has_opened() -> None:
    # Section 3.8.6.1: one octet, each time the timer expires.
    exchange = Talk(options=HELLO)
    exchange.hears("<SEQ=300><ACK=101><CTL=SYN,ACK>", 10, window=0)
    exchange.waits()
    assert exchange.said[-1] == "1010 <SEQ=101><ACK=301><DATA=1><CTL=PSH,ACK>"
    exchange.hears("<SEQ=301><ACK=102><CTL=ACK>", 1020, window=100)
    assert exchange.said[-1] == "1020 <SEQ=102><ACK=301><DATA=4><CTL=PSH,ACK>"


def test_nothing_stands_behind_our_fin() -> None:
    exchange = Talk(timeouts=Timeouts.of(timeout=3), options=HELLO)
    exchange.hears("<SEQ=300><ACK=101><CTL=SYN,ACK>", 10, window=3)
    exchange.hears("<SEQ=301><ACK=104><CTL=ACK>", 20, window=0)
    exchange.waits()
    exchange.waits()
    assert exchange.said[-2:] == [
        "1020 <SEQ=104><ACK=301><DATA=1><CTL=PSH,ACK>",
        "3010 <SEQ=105><ACK=301><CTL=FIN,ACK>",
    ]
    # Only now there is room for all of it: too late.
    exchange.hears("<SEQ=301><ACK=104><CTL=ACK>", 3020, window=100)
    exchange.waits()
    assert exchange.said[-1] == "4010 <SEQ=104><ACK=301><DATA=1><CTL=PSH,ACK>"
    exchange.hears("<SEQ=301><ACK=106><CTL=FIN,ACK>", 4020)
    assert exchange.end == (Verdict.OPEN, Close.CLEAN)
    assert said(exchange) == DataExchange(5, 4, b"", None)


def test_what_was_expected_ends_the_wait() -> None:
    exchange = opened(options=PING)
    exchange.hears("<SEQ=301><ACK=105><CTL=ACK>", 20)
    exchange.hears("<SEQ=301><ACK=105><CTL=PSH,ACK>", 30, data=b"po")
    assert exchange.said[-1] == "  30 <SEQ=105><ACK=303><CTL=ACK>"
    exchange.hears("<SEQ=303><ACK=105><CTL=PSH,ACK>", 40, data=b"ng")
    assert exchange.said[-1] == "  40 <SEQ=105><ACK=305><CTL=FIN,ACK>"
    assert said(exchange) == DataExchange(4, 4, b"pong", expected=True)


def test_it_is_awaited_as_long_as_an_answer_to_our_syn() -> None:
    exchange = opened(Timeouts.of(timeout=3), PING)
    exchange.hears("<SEQ=301><ACK=105><CTL=PSH,ACK>", 20, data=b"something else")
    exchange.waits()
    assert exchange.said[-1] == "3010 <SEQ=105><ACK=315><CTL=FIN,ACK>"
    assert said(exchange) == DataExchange(4, 4, b"something else", expected=False)


def test_a_peer_that_closes_will_not_say_it_any_more() -> None:
    exchange = opened(options=PING)
    exchange.hears("<SEQ=301><ACK=105><CTL=FIN,ACK>", 20)
    assert exchange.said[-1] == "  20 <SEQ=105><ACK=302><CTL=FIN,ACK>"


def test_a_peer_that_closes_at_once_still_is_told_all() -> None:
    exchange = opened(options=HELLO)
    exchange.hears("<SEQ=301><ACK=101><CTL=FIN,ACK>", 20)
    assert exchange.said == ["  20 <SEQ=106><ACK=302><CTL=ACK>"]
    exchange.hears("<SEQ=302><ACK=106><CTL=ACK>", 30)
    assert exchange.said[-1] == "  30 <SEQ=106><ACK=302><CTL=FIN,ACK>"
    exchange.hears("<SEQ=302><ACK=107><CTL=ACK>", 40)
    assert exchange.end == (Verdict.OPEN, Close.CLEAN)


def test_what_comes_out_of_order_is_read_in_order() -> None:
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


def test_copies_of_what_came_too_soon_take_no_room() -> None:
    receive_buffer = ReceiveBuffer(b"ab")
    receive_buffer.begin(Seq(0))
    later = replace(segment("<SEQ=2><ACK=1><DATA=1><CTL=ACK>", by=B), payload=b"b")
    for _ in range(1000):
        receive_buffer.take(later)
    assert (receive_buffer.octets, receive_buffer.found_expected) == (b"", False)
    receive_buffer.take(replace(segment("<SEQ=1><ACK=1><DATA=1><CTL=ACK>", by=B), payload=b"a"))
    assert (receive_buffer.octets, receive_buffer.found_expected) == (b"ab", True)


def test_a_peer_that_talks_without_end_does_not_fill_our_memory() -> None:
    receive_buffer = ReceiveBuffer(b"")
    receive_buffer.begin(Seq(0))
    for number in range(200):
        receive_buffer.take(segment(f"<SEQ={1 + 1000 * number}><ACK=1><DATA=1000><CTL=ACK>", by=B))
        receive_buffer.take(segment(f"<SEQ={10**6 + number}><ACK=1><DATA=1><CTL=ACK>", by=B))
    assert len(receive_buffer.octets) <= KEPT


@pytest.mark.parametrize("text", ["<SEQ=301><ACK=106><CTL=RST,ACK>", "<SEQ=301><CTL=RST>"])
def test_a_reset_tells_by_its_ack_whether_the_data_had_come(text: str) -> None:
    exchange = opened(options=HELLO)
    exchange.hears(text, 20)
    expected = Verdict.OPEN if "ACK=" in text else Verdict.RESET
    assert exchange.end == (expected, Close.RESET)


@pytest.mark.parametrize(
    ("heard", "words"),
    [
        (b"", "it has taken our ACK. It said nothing, where something was expected"),
        (b"pang", "taken our ACK. What was expected is not in the 4 octets that it said"),
        (b"pong", "and it has taken our ACK"),
    ],
)
def test_the_reason_says_what_became_of_what_was_expected(heard: bytes, words: str) -> None:
    exchange = opened(options=PING)
    exchange.hears("<SEQ=301><ACK=105><CTL=ACK>", 20)
    if heard:
        exchange.hears("<SEQ=301><ACK=105><CTL=PSH,ACK>", 30, data=heard)
    exchange.waits_to_the_end()
    assert exchange.end[0] is Verdict.OPEN
    assert reason(exchange.attempt, 0, said(exchange)).endswith(words)


def test_of_a_signed_call_the_key_may_be_why_nothing_answers() -> None:
    exchange = Talk(options=ClientOptions(md5=b"secret"))
    exchange.waits_to_the_end()
    assert "(RFC 2385)" in reason(exchange.attempt, 5, signed=True)
    assert "(RFC 2385)" not in reason(exchange.attempt, 5)
