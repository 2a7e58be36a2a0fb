"""Whether the peer took our ACK: only that its SYN+ACK comes no more tells (section 3.8.1)."""

from __future__ import annotations

import pytest

from handshake.prober import ClientOptions, Close, CloseMode, Timeouts, Verdict
from handshake.prober.explanation import reason
from tests.endpoint.exchange import Talk, opened

AGAIN = "<SEQ=300><ACK=101><CTL=SYN,ACK>"
WATCHFUL = Timeouts.of(observe=1.25)
WITHHELD = ClientOptions(answer=False)


def why(exchange: Talk) -> str:
    return reason(exchange.attempt, 0)


def test_it_is_watched_in_silence_before_we_close() -> None:
    exchange = opened(WATCHFUL)
    exchange.waits()
    assert exchange.said == ["1260 <SEQ=101><ACK=301><CTL=FIN,ACK>"]
    exchange.hears("<SEQ=301><ACK=102><CTL=FIN,ACK>", 1270)
    assert exchange.end == (Verdict.OPEN, Close.CLEAN)


def test_silence_is_a_sign_where_nothing_else_is() -> None:
    exchange = opened(WATCHFUL, ClientOptions(closing=CloseMode.NONE))
    exchange.waits_to_the_end()
    assert (exchange.end, exchange.said) == ((Verdict.OPEN, None), [])
    assert why(exchange).endswith(
        "and did not come again in 1.25 s: it seems to have taken our ACK, unless it keeps nothing "
        "before that, as with SYN cookies"
    )


def test_a_silence_that_is_short_is_no_sign() -> None:
    exchange = opened(Timeouts.of(observe=0.5), ClientOptions(closing=CloseMode.NONE))
    exchange.waits_to_the_end()
    assert why(exchange).endswith("again in 0.5 s: too soon to tell whether it took our ACK")
    exchange = opened(Timeouts.of(observe=0.5), WITHHELD)
    exchange.waits_to_the_end()
    assert why(exchange).endswith("our ACK was withheld: its SYN+ACK did not come again in 0.5 s")


@pytest.mark.parametrize(
    "text", ["<SEQ=301><ACK=101><DATA=5><CTL=PSH,ACK>", "<SEQ=301><ACK=101><CTL=ACK>"]
)
def test_whatever_else_the_peer_says_is_proof_and_ends_the_watch(text: str) -> None:
    exchange = opened(WATCHFUL)
    exchange.hears(text, 20)
    assert exchange.said[-1].startswith("  20 <SEQ=101><ACK=3")
    assert exchange.said[-1].endswith("<CTL=FIN,ACK>")
    exchange.hears("<SEQ=306><ACK=102><CTL=FIN,ACK>", 30)
    assert why(exchange).endswith("and it has taken our ACK")


@pytest.mark.parametrize(
    "text",
    [
        "<SEQ=301><ACK=104><DATA=5><CTL=PSH,ACK>",
        "<SEQ=301><ACK=104><CTL=FIN,ACK>",
        "<SEQ=301><ACK=104><CTL=RST,ACK>",
    ],
)
def test_with_fast_open_it_may_say_so_before(text: str) -> None:
    exchange = Talk(timeouts=WATCHFUL, options=ClientOptions(fast_open=bytes(8), data=b"GET"))
    exchange.hears("<SEQ=300><ACK=104><CTL=SYN,ACK>", 10)
    exchange.hears(text, 20)
    assert not exchange.attempt.ack_status.confirmed
    exchange.waits_to_the_end()
    assert exchange.end[0] is (Verdict.RESET if "RST" in text else Verdict.HALF_OPEN)


def test_with_fast_open_it_is_proof_to_acknowledge_what_came_later() -> None:
    exchange = Talk(timeouts=WATCHFUL, options=ClientOptions(fast_open=bytes(8), data=b"GET"))
    exchange.hears("<SEQ=300><ACK=104><CTL=SYN,ACK>", 10)
    exchange.hears("<SEQ=301><ACK=104><DATA=5><CTL=PSH,ACK>", 20)
    exchange.waits()
    assert exchange.said[-1] == "1260 <SEQ=104><ACK=306><CTL=FIN,ACK>"
    exchange.hears("<SEQ=306><ACK=105><CTL=FIN,ACK>", 1270)
    assert exchange.end == (Verdict.OPEN, Close.CLEAN)
    assert why(exchange).endswith("and it has taken our ACK")


def test_an_ack_may_answer_the_syn_that_was_sent_again() -> None:
    exchange = Talk(timeouts=WATCHFUL)
    exchange.waits()
    exchange.hears("<SEQ=300><ACK=101><CTL=SYN,ACK>", 1010)
    exchange.hears("<SEQ=301><ACK=101><CTL=ACK>", 1500)
    assert not exchange.attempt.ack_status.confirmed
    exchange.hears("<SEQ=301><ACK=101><DATA=5><CTL=ACK>", 1600)
    assert exchange.attempt.ack_status.confirmed


def test_a_syn_ack_that_comes_again_and_again_is_half_open() -> None:
    # What Linux does whose ACKs are all lost: after 1, 3, 7 s.
    exchange = opened(WATCHFUL)
    exchange.hears(AGAIN, 1010)
    exchange.hears(AGAIN, 3010)
    assert exchange.said == [
        "1010 <SEQ=101><ACK=301><CTL=ACK>",
        "3010 <SEQ=101><CTL=RST>",
    ]
    assert exchange.end == (Verdict.HALF_OPEN, None)
    assert exchange.attempt.ack_status.again == (1.0, 3.0)
    assert "came again after 1.0 and 3.0 s" in why(exchange)


def test_one_ack_may_be_lost() -> None:
    exchange = opened(WATCHFUL)
    exchange.hears(AGAIN, 1010)
    exchange.waits()
    exchange.waits()
    # The peer waits twice as long before it repeats itself again: so do we, and a little more.
    assert exchange.said[1:] == ["3510 <SEQ=101><ACK=301><CTL=FIN,ACK>"]
    exchange.hears("<SEQ=301><ACK=102><CTL=FIN,ACK>", 3520)
    assert exchange.end == (Verdict.OPEN, Close.CLEAN)


def test_copies_that_the_network_made_are_no_repetition() -> None:
    exchange = opened(WATCHFUL)
    for at in range(11, 1000, 50):
        exchange.hears(AGAIN, at)
    assert exchange.attempt.ack_status.again == ()
    exchange.waits()
    assert exchange.said[-1] == "1260 <SEQ=101><ACK=301><CTL=FIN,ACK>"


def test_it_may_be_watched_for_longer() -> None:
    exchange = opened(Timeouts.of(observe=8))
    for at in (1010, 3010, 7110):
        exchange.hears(AGAIN, at)
        assert exchange.said[-1] == f"{at} <SEQ=101><ACK=301><CTL=ACK>"
    exchange.waits_to_the_end()
    assert exchange.said[-1] == "8010 <SEQ=101><CTL=RST>"
    assert exchange.end == (Verdict.HALF_OPEN, None)


def test_our_fin_finds_out_where_nobody_watches() -> None:
    exchange = opened()
    exchange.hears(AGAIN, 1010)
    exchange.waits_to_the_end()
    assert exchange.end == (Verdict.HALF_OPEN, None)
    assert [each.partition(" ")[2] for each in exchange.said[-2:]] == [
        "<SEQ=101><CTL=RST>",
        "<SEQ=102><CTL=RST>",
    ]


def test_the_ack_is_withheld() -> None:
    exchange = opened(Timeouts.of(observe=8), WITHHELD)
    for at in (1010, 3010, 7110):
        exchange.hears(AGAIN, at)
    assert exchange.said == []
    exchange.waits_to_the_end()
    assert exchange.said == ["8010 <SEQ=101><CTL=RST>"]
    assert exchange.end == (Verdict.HALF_OPEN, None)
    assert why(exchange) == (
        "the peer answered our SYN, and our ACK was withheld: its SYN+ACK came again after "
        "1.0, 3.0 and 7.1 s"
    )


def test_who_keeps_nothing_does_not_repeat_itself() -> None:
    exchange = opened(Timeouts.of(observe=8), WITHHELD)
    exchange.waits_to_the_end()
    assert exchange.end == (Verdict.HALF_OPEN, None)
    assert why(exchange).endswith(
        "did not come again in 8 s: it seems to keep nothing of it, as with SYN cookies or a SYN "
        "proxy"
    )


@pytest.mark.parametrize(
    "text",
    [
        "<SEQ=301><ACK=101><DATA=5><CTL=PSH,ACK>",
        "<SEQ=900><CTL=RST>",
        "<SEQ=99999><ACK=101><CTL=ACK>",
    ],
)
def test_nothing_makes_us_answer_what_was_to_stay_half_open(text: str) -> None:
    exchange = opened(Timeouts.of(observe=8), WITHHELD)
    exchange.hears(text, 20)
    assert exchange.said == []


@pytest.mark.parametrize(
    ("closing", "said"),
    [(CloseMode.RST, ["  10 <SEQ=101><CTL=RST>"]), (CloseMode.NONE, [])],
)
def test_other_ways_to_end_it(closing: CloseMode, said: list[str]) -> None:
    exchange = opened(options=ClientOptions(closing=closing))
    assert exchange.end == (Verdict.OPEN, None)
    assert exchange.attempt.done
    assert why(exchange).endswith("and whether it took our ACK was not watched")
    del exchange.sent[:2]
    assert [str(each) for each in exchange.sent] == [each[5:] for each in said]
