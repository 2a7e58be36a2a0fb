"""Whether the peer took our ACK: only that its SYN+ACK comes no more tells (section 3.8.1)."""

from __future__ import annotations

import pytest

from handshake.prober import Close, Closing, Manner, Patience, Verdict
from handshake.prober.explanation import reason
from tests.endpoint.exchange import Talk, opened

AGAIN = "<SEQ=300><ACK=101><CTL=SYN,ACK>"
WATCHFUL = Patience.of(observe=1.25)
WITHHELD = Manner(answer=False)


def why(talk: Talk) -> str:
    return reason(talk.attempt, 0)


def test_it_is_watched_in_silence_before_we_close() -> None:
    talk = opened(WATCHFUL)
    talk.waits()
    assert talk.said == ["1260 <SEQ=101><ACK=301><CTL=FIN,ACK>"]
    talk.hears("<SEQ=301><ACK=102><CTL=FIN,ACK>", 1270)
    assert talk.end == (Verdict.OPEN, Close.CLEAN)


def test_silence_is_a_sign_where_nothing_else_is() -> None:
    talk = opened(WATCHFUL, Manner(closing=Closing.NONE))
    talk.waits_to_the_end()
    assert (talk.end, talk.said) == ((Verdict.OPEN, None), [])
    assert why(talk).endswith(
        "and did not come again in 1.25 s: it seems to have taken our ACK, unless it keeps nothing "
        "before that, as with SYN cookies"
    )


def test_a_silence_that_is_short_is_no_sign() -> None:
    talk = opened(Patience.of(observe=0.5), Manner(closing=Closing.NONE))
    talk.waits_to_the_end()
    assert why(talk).endswith("again in 0.5 s: too soon to tell whether it took our ACK")
    talk = opened(Patience.of(observe=0.5), WITHHELD)
    talk.waits_to_the_end()
    assert why(talk).endswith("our ACK was withheld: its SYN+ACK did not come again in 0.5 s")


@pytest.mark.parametrize(
    "text", ["<SEQ=301><ACK=101><DATA=5><CTL=PSH,ACK>", "<SEQ=301><ACK=101><CTL=ACK>"]
)
def test_whatever_else_the_peer_says_is_proof_and_ends_the_watch(text: str) -> None:
    talk = opened(WATCHFUL)
    talk.hears(text, 20)
    assert talk.said[-1].startswith("  20 <SEQ=101><ACK=3")
    assert talk.said[-1].endswith("<CTL=FIN,ACK>")
    talk.hears("<SEQ=306><ACK=102><CTL=FIN,ACK>", 30)
    assert why(talk).endswith("and it has taken our ACK")


@pytest.mark.parametrize(
    "text",
    [
        "<SEQ=301><ACK=104><DATA=5><CTL=PSH,ACK>",
        "<SEQ=301><ACK=104><CTL=FIN,ACK>",
        "<SEQ=301><ACK=104><CTL=RST,ACK>",
    ],
)
def test_with_fast_open_it_may_say_so_before(text: str) -> None:
    talk = Talk(patience=WATCHFUL, manner=Manner(fast_open=bytes(8), data=b"GET"))
    talk.hears("<SEQ=300><ACK=104><CTL=SYN,ACK>", 10)
    talk.hears(text, 20)
    assert not talk.attempt.taken.confirmed
    talk.waits_to_the_end()
    assert talk.end[0] is (Verdict.RESET if "RST" in text else Verdict.HALF_OPEN)


def test_with_fast_open_it_is_proof_to_acknowledge_what_came_later() -> None:
    talk = Talk(patience=WATCHFUL, manner=Manner(fast_open=bytes(8), data=b"GET"))
    talk.hears("<SEQ=300><ACK=104><CTL=SYN,ACK>", 10)
    talk.hears("<SEQ=301><ACK=104><DATA=5><CTL=PSH,ACK>", 20)
    talk.waits()
    assert talk.said[-1] == "1260 <SEQ=104><ACK=306><CTL=FIN,ACK>"
    talk.hears("<SEQ=306><ACK=105><CTL=FIN,ACK>", 1270)
    assert talk.end == (Verdict.OPEN, Close.CLEAN)
    assert why(talk).endswith("and it has taken our ACK")


def test_an_ack_may_answer_the_syn_that_was_sent_again() -> None:
    talk = Talk(patience=WATCHFUL)
    talk.waits()
    talk.hears("<SEQ=300><ACK=101><CTL=SYN,ACK>", 1010)
    talk.hears("<SEQ=301><ACK=101><CTL=ACK>", 1500)
    assert not talk.attempt.taken.confirmed
    talk.hears("<SEQ=301><ACK=101><DATA=5><CTL=ACK>", 1600)
    assert talk.attempt.taken.confirmed


def test_a_syn_ack_that_comes_again_and_again_is_half_open() -> None:
    # What Linux does whose ACKs are all lost: after 1, 3, 7 s.
    talk = opened(WATCHFUL)
    talk.hears(AGAIN, 1010)
    talk.hears(AGAIN, 3010)
    assert talk.said == [
        "1010 <SEQ=101><ACK=301><CTL=ACK>",
        "3010 <SEQ=101><CTL=RST>",
    ]
    assert talk.end == (Verdict.HALF_OPEN, None)
    assert talk.attempt.taken.again == (1.0, 3.0)
    assert "came again after 1.0 and 3.0 s" in why(talk)


def test_one_ack_may_be_lost() -> None:
    talk = opened(WATCHFUL)
    talk.hears(AGAIN, 1010)
    talk.waits()
    talk.waits()
    # The peer waits twice as long before it repeats itself again: so do we, and a little more.
    assert talk.said[1:] == ["3510 <SEQ=101><ACK=301><CTL=FIN,ACK>"]
    talk.hears("<SEQ=301><ACK=102><CTL=FIN,ACK>", 3520)
    assert talk.end == (Verdict.OPEN, Close.CLEAN)


def test_copies_that_the_network_made_are_no_repetition() -> None:
    talk = opened(WATCHFUL)
    for at in range(11, 1000, 50):
        talk.hears(AGAIN, at)
    assert talk.attempt.taken.again == ()
    talk.waits()
    assert talk.said[-1] == "1260 <SEQ=101><ACK=301><CTL=FIN,ACK>"


def test_it_may_be_watched_for_longer() -> None:
    talk = opened(Patience.of(observe=8))
    for at in (1010, 3010, 7110):
        talk.hears(AGAIN, at)
        assert talk.said[-1] == f"{at} <SEQ=101><ACK=301><CTL=ACK>"
    talk.waits_to_the_end()
    assert talk.said[-1] == "8010 <SEQ=101><CTL=RST>"
    assert talk.end == (Verdict.HALF_OPEN, None)


def test_our_fin_finds_out_where_nobody_watches() -> None:
    talk = opened()
    talk.hears(AGAIN, 1010)
    talk.waits_to_the_end()
    assert talk.end == (Verdict.HALF_OPEN, None)
    assert [each.partition(" ")[2] for each in talk.said[-2:]] == [
        "<SEQ=101><CTL=RST>",
        "<SEQ=102><CTL=RST>",
    ]


def test_the_ack_is_withheld() -> None:
    talk = opened(Patience.of(observe=8), WITHHELD)
    for at in (1010, 3010, 7110):
        talk.hears(AGAIN, at)
    assert talk.said == []
    talk.waits_to_the_end()
    assert talk.said == ["8010 <SEQ=101><CTL=RST>"]
    assert talk.end == (Verdict.HALF_OPEN, None)
    assert why(talk) == (
        "the peer answered our SYN, and our ACK was withheld: its SYN+ACK came again after "
        "1.0, 3.0 and 7.1 s"
    )


def test_who_keeps_nothing_does_not_repeat_itself() -> None:
    talk = opened(Patience.of(observe=8), WITHHELD)
    talk.waits_to_the_end()
    assert talk.end == (Verdict.HALF_OPEN, None)
    assert why(talk).endswith(
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
    talk = opened(Patience.of(observe=8), WITHHELD)
    talk.hears(text, 20)
    assert talk.said == []


@pytest.mark.parametrize(
    ("closing", "said"),
    [(Closing.RST, ["  10 <SEQ=101><CTL=RST>"]), (Closing.NONE, [])],
)
def test_other_ways_to_end_it(closing: Closing, said: list[str]) -> None:
    talk = opened(manner=Manner(closing=closing))
    assert talk.end == (Verdict.OPEN, None)
    assert talk.attempt.done
    assert why(talk).endswith("and whether it took our ACK was not watched")
    del talk.sent[:2]
    assert [str(each) for each in talk.sent] == [each[5:] for each in said]
