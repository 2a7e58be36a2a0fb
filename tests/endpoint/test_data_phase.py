"""What is said on an open connection: data, its acknowledgment, and what is expected back."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handshake.endpoint.receive_buffer import KEPT, Inbox
from handshake.prober import Close, Manner, Patience, Verdict
from handshake.prober.explanation import reason
from handshake.prober.result import Said
from handshake.tcp import Options, Seq
from handshake.tcp import options as opt
from tests.endpoint.exchange import Talk, opened
from tests.segments import B, segment

HELLO = Manner(data=b"hello")
PING = Manner(data=b"ping", expect=b"pong")


def said(talk: Talk) -> Said | None:
    return Said.of(talk.attempt.talk, talk.attempt.block)


def test_data_follows_the_ack_and_the_fin_waits_for_its_acknowledgment() -> None:
    talk = Talk(manner=HELLO)
    talk.hears("<SEQ=300><ACK=101><CTL=SYN,ACK>", 10)
    talk.hears("<SEQ=301><ACK=106><CTL=ACK>", 20)
    talk.hears("<SEQ=301><ACK=107><CTL=FIN,ACK>", 30)
    assert talk.said == [
        "   0 <SEQ=100><CTL=SYN>",
        "  10 <SEQ=101><ACK=301><CTL=ACK>",
        "  10 <SEQ=101><ACK=301><DATA=5><CTL=PSH,ACK>",
        "  20 <SEQ=106><ACK=301><CTL=FIN,ACK>",
        "  30 <SEQ=107><ACK=302><CTL=ACK>",
    ]
    assert talk.end == (Verdict.OPEN, Close.CLEAN)
    assert said(talk) == Said(5, 5, b"", None)


def test_data_proves_what_a_lost_ack_leaves_open() -> None:
    # The bare ACK is lost, and the data brings another one.
    talk = opened(Patience.of(observe=1.25), HELLO)
    talk.hears("<SEQ=301><ACK=106><CTL=ACK>", 20)
    assert talk.said[-1] == "  20 <SEQ=106><ACK=301><CTL=FIN,ACK>"


def test_data_that_nobody_acknowledges_is_sent_again() -> None:
    talk = opened(Patience.of(timeout=4), HELLO)
    talk.waits()
    talk.waits()
    assert talk.said == [
        "1010 <SEQ=101><ACK=301><DATA=5><CTL=PSH,ACK>",
        "3010 <SEQ=101><ACK=301><DATA=5><CTL=PSH,ACK>",
    ]
    talk.waits_to_the_end()
    # The FIN asks once more: whoever has the connection, but not the data, says so.
    assert talk.said[2] == "4010 <SEQ=106><ACK=301><CTL=FIN,ACK>"
    assert talk.codes == ["data-lost", "no-answer-to-fin"]
    assert talk.end == (Verdict.HALF_OPEN, None)
    assert said(talk) == Said(5, 0, b"", None)


def test_a_peer_that_never_takes_the_data_but_the_fin_is_open() -> None:
    talk = opened(Patience.of(timeout=0.5), HELLO)
    talk.waits()
    talk.hears("<SEQ=301><ACK=101><CTL=ACK>", 520)
    talk.waits_to_the_end()
    assert talk.end == (Verdict.OPEN, None)
    assert talk.codes == ["data-lost", "no-answer-to-fin"]


def test_a_full_segment_at_a_time_and_ten_at_once() -> None:
    talk = opened(manner=Manner(data=bytes(20_000)))
    offered = talk.sent[2:]
    assert [len(each.payload) for each in offered] == [536] * 10  # the peer has named no MSS
    assert not any("PSH" in str(each) for each in offered)
    talk.hears("<SEQ=301><ACK=1173><CTL=ACK>", 20)
    assert [int(each.seq) for each in talk.sent[12:]] == [5461, 5997]


def test_the_options_take_their_place_from_the_payload() -> None:
    talk = Talk(manner=Manner(data=bytes(2000)))
    offer = Options.of(opt.mss(1000), opt.timestamps(7, 0))
    talk.hears("<SEQ=300><ACK=101><CTL=SYN,ACK>", 10, options=offer)
    # RFC 6691: the MSS counts no options, and the sender subtracts them.
    assert [len(each.payload) for each in talk.sent[2:]] == [988, 988, 24]
    assert talk.said[-1].endswith("<DATA=24><CTL=PSH,ACK>")


def test_no_more_than_the_window_has_room_for() -> None:
    talk = Talk(manner=HELLO)
    talk.hears("<SEQ=300><ACK=101><CTL=SYN,ACK>", 10, window=3)
    assert talk.said[-1] == "  10 <SEQ=101><ACK=301><DATA=3><CTL=ACK>"
    talk.hears("<SEQ=301><ACK=104><CTL=ACK>", 20, window=100)
    assert talk.said[-1] == "  20 <SEQ=104><ACK=301><DATA=2><CTL=PSH,ACK>"


def test_a_closed_window_is_asked_whether_it_has_opened() -> None:
    # Section 3.8.6.1: one octet, each time the timer expires.
    talk = Talk(manner=HELLO)
    talk.hears("<SEQ=300><ACK=101><CTL=SYN,ACK>", 10, window=0)
    talk.waits()
    assert talk.said[-1] == "1010 <SEQ=101><ACK=301><DATA=1><CTL=PSH,ACK>"
    talk.hears("<SEQ=301><ACK=102><CTL=ACK>", 1020, window=100)
    assert talk.said[-1] == "1020 <SEQ=102><ACK=301><DATA=4><CTL=PSH,ACK>"


def test_nothing_stands_behind_our_fin() -> None:
    talk = Talk(patience=Patience.of(timeout=3), manner=HELLO)
    talk.hears("<SEQ=300><ACK=101><CTL=SYN,ACK>", 10, window=3)
    talk.hears("<SEQ=301><ACK=104><CTL=ACK>", 20, window=0)
    talk.waits()
    talk.waits()
    assert talk.said[-2:] == [
        "1020 <SEQ=104><ACK=301><DATA=1><CTL=PSH,ACK>",
        "3010 <SEQ=105><ACK=301><CTL=FIN,ACK>",
    ]
    # Only now there is room for all of it: too late.
    talk.hears("<SEQ=301><ACK=104><CTL=ACK>", 3020, window=100)
    talk.waits()
    assert talk.said[-1] == "4010 <SEQ=104><ACK=301><DATA=1><CTL=PSH,ACK>"
    talk.hears("<SEQ=301><ACK=106><CTL=FIN,ACK>", 4020)
    assert talk.end == (Verdict.OPEN, Close.CLEAN)
    assert said(talk) == Said(5, 4, b"", None)


def test_what_was_expected_ends_the_wait() -> None:
    talk = opened(manner=PING)
    talk.hears("<SEQ=301><ACK=105><CTL=ACK>", 20)
    talk.hears("<SEQ=301><ACK=105><CTL=PSH,ACK>", 30, data=b"po")
    assert talk.said[-1] == "  30 <SEQ=105><ACK=303><CTL=ACK>"
    talk.hears("<SEQ=303><ACK=105><CTL=PSH,ACK>", 40, data=b"ng")
    assert talk.said[-1] == "  40 <SEQ=105><ACK=305><CTL=FIN,ACK>"
    assert said(talk) == Said(4, 4, b"pong", expected=True)


def test_it_is_awaited_as_long_as_an_answer_to_our_syn() -> None:
    talk = opened(Patience.of(timeout=3), PING)
    talk.hears("<SEQ=301><ACK=105><CTL=PSH,ACK>", 20, data=b"something else")
    talk.waits()
    assert talk.said[-1] == "3010 <SEQ=105><ACK=315><CTL=FIN,ACK>"
    assert said(talk) == Said(4, 4, b"something else", expected=False)


def test_a_peer_that_closes_will_not_say_it_any_more() -> None:
    talk = opened(manner=PING)
    talk.hears("<SEQ=301><ACK=105><CTL=FIN,ACK>", 20)
    assert talk.said[-1] == "  20 <SEQ=105><ACK=302><CTL=FIN,ACK>"


def test_a_peer_that_closes_at_once_still_is_told_all() -> None:
    talk = opened(manner=HELLO)
    talk.hears("<SEQ=301><ACK=101><CTL=FIN,ACK>", 20)
    assert talk.said == ["  20 <SEQ=106><ACK=302><CTL=ACK>"]
    talk.hears("<SEQ=302><ACK=106><CTL=ACK>", 30)
    assert talk.said[-1] == "  30 <SEQ=106><ACK=302><CTL=FIN,ACK>"
    talk.hears("<SEQ=302><ACK=107><CTL=ACK>", 40)
    assert talk.end == (Verdict.OPEN, Close.CLEAN)


def test_what_comes_out_of_order_is_read_in_order() -> None:
    inbox = Inbox(b"bcd")
    inbox.begin(Seq(2**32 - 3))
    for seq, data in ((2**32 - 1, b"bc"), (1, b"de"), (2**32 - 2, b"ab"), (2**32 - 2, b"ab")):
        taken = segment(f"<SEQ={seq % 2**32}><ACK=1><DATA={len(data)}><CTL=ACK>", by=B)
        object.__setattr__(taken, "payload", data)
        inbox.take(taken)
    assert (inbox.octets, inbox.met) == (b"abcde", True)


@given(st.data())
def test_whatever_the_order_the_stream_is_the_same(data: st.DataObject) -> None:
    stream = bytes(range(60))
    inbox = Inbox(b"")
    first = data.draw(st.integers(0, 2**32 - 1))
    inbox.begin(Seq(first - 1))
    pieces = [(at, at + 5) for at in range(0, 60, 5)]
    pieces += data.draw(
        st.lists(st.tuples(st.integers(0, 59), st.integers(1, 20)), max_size=8).map(
            lambda found: [(at, min(60, at + length)) for at, length in found]
        )
    )
    for begin, end in data.draw(st.permutations(pieces)):
        taken = segment(
            f"<SEQ={(first + begin) % 2**32}><ACK=1><DATA={end - begin}><CTL=ACK>", by=B
        )
        object.__setattr__(taken, "payload", stream[begin:end])
        inbox.take(taken)
    assert inbox.octets == stream


def test_copies_of_what_came_too_soon_take_no_room() -> None:
    inbox = Inbox(b"ab")
    inbox.begin(Seq(0))
    later = replace(segment("<SEQ=2><ACK=1><DATA=1><CTL=ACK>", by=B), payload=b"b")
    for _ in range(1000):
        inbox.take(later)
    assert (inbox.octets, inbox.met) == (b"", False)
    inbox.take(replace(segment("<SEQ=1><ACK=1><DATA=1><CTL=ACK>", by=B), payload=b"a"))
    assert (inbox.octets, inbox.met) == (b"ab", True)


def test_a_peer_that_talks_without_end_does_not_fill_our_memory() -> None:
    inbox = Inbox(b"")
    inbox.begin(Seq(0))
    for number in range(200):
        inbox.take(segment(f"<SEQ={1 + 1000 * number}><ACK=1><DATA=1000><CTL=ACK>", by=B))
        inbox.take(segment(f"<SEQ={10**6 + number}><ACK=1><DATA=1><CTL=ACK>", by=B))
    assert len(inbox.octets) <= KEPT


@pytest.mark.parametrize("text", ["<SEQ=301><ACK=106><CTL=RST,ACK>", "<SEQ=301><CTL=RST>"])
def test_a_reset_tells_by_its_ack_whether_the_data_had_come(text: str) -> None:
    talk = opened(manner=HELLO)
    talk.hears(text, 20)
    expected = Verdict.OPEN if "ACK=" in text else Verdict.RESET
    assert talk.end == (expected, Close.RESET)


@pytest.mark.parametrize(
    ("heard", "words"),
    [
        (b"", "it has taken our ACK. It said nothing, where something was expected"),
        (b"pang", "taken our ACK. What was expected is not in the 4 octets that it said"),
        (b"pong", "and it has taken our ACK"),
    ],
)
def test_the_reason_says_what_became_of_what_was_expected(heard: bytes, words: str) -> None:
    talk = opened(manner=PING)
    talk.hears("<SEQ=301><ACK=105><CTL=ACK>", 20)
    if heard:
        talk.hears("<SEQ=301><ACK=105><CTL=PSH,ACK>", 30, data=heard)
    talk.waits_to_the_end()
    assert talk.end[0] is Verdict.OPEN
    assert reason(talk.attempt, 0, said(talk)).endswith(words)


def test_of_a_signed_call_the_key_may_be_why_nothing_answers() -> None:
    talk = Talk(manner=Manner(md5=b"secret"))
    talk.waits_to_the_end()
    assert "(RFC 2385)" in reason(talk.attempt, 5, signed=True)
    assert "(RFC 2385)" not in reason(talk.attempt, 5)
