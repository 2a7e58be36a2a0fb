"""What an attempt sends and concludes, drawn as the RFC draws it; times in milliseconds."""

from __future__ import annotations

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handshake.packet.icmp import IcmpError
from handshake.prober import Attempt, Close, Manner, Patience, Verdict
from handshake.prober.explanation import reason
from handshake.tcp import Endpoint, Options, Seq, State, Timestamps
from handshake.tcp import options as opt
from tests.endpoint.exchange import MS, Talk, opened
from tests.segments import A, B


def test_open_and_close() -> None:
    talk = Talk()
    talk.hears("<SEQ=300><ACK=101><CTL=SYN,ACK>", 10)
    talk.hears("<SEQ=301><ACK=102><CTL=ACK>", 20)
    talk.hears("<SEQ=301><ACK=102><CTL=FIN,ACK>", 30)
    assert talk.lines == [
        "   0 SYN-SENT     --> <SEQ=100><CTL=SYN>",
        "  10 FIN-WAIT-1   <-- <SEQ=300><ACK=101><CTL=SYN,ACK>",
        "  10 FIN-WAIT-1   --> <SEQ=101><ACK=301><CTL=ACK>",
        "  10 FIN-WAIT-1   --> <SEQ=101><ACK=301><CTL=FIN,ACK>",
        "  20 FIN-WAIT-2   <-- <SEQ=301><ACK=102><CTL=ACK>",
        "  30 TIME-WAIT    <-- <SEQ=301><ACK=102><CTL=FIN,ACK>",
        "  30 TIME-WAIT    --> <SEQ=102><ACK=302><CTL=ACK>",
    ]
    assert talk.end == (Verdict.OPEN, Close.CLEAN)
    assert talk.codes == []


def test_both_close_at_once() -> None:
    talk = opened()
    talk.hears("<SEQ=301><ACK=101><CTL=FIN,ACK>", 20)
    talk.hears("<SEQ=302><ACK=102><CTL=ACK>", 30)
    assert talk.lines == [
        "  20 CLOSING      <-- <SEQ=301><ACK=101><CTL=FIN,ACK>",
        "  20 CLOSING      --> <SEQ=102><ACK=302><CTL=ACK>",
        "  30 TIME-WAIT    <-- <SEQ=302><ACK=102><CTL=ACK>",
    ]
    assert talk.end == (Verdict.OPEN, Close.CLEAN)


def test_the_peer_closes_first() -> None:
    talk = opened(Patience.of(hold=5))
    talk.hears("<SEQ=301><ACK=101><CTL=FIN,ACK>", 20)
    talk.hears("<SEQ=302><ACK=102><CTL=ACK>", 30)
    assert talk.lines == [
        "  20 LAST-ACK     <-- <SEQ=301><ACK=101><CTL=FIN,ACK>",
        "  20 LAST-ACK     --> <SEQ=101><ACK=302><CTL=ACK>",
        "  20 LAST-ACK     --> <SEQ=101><ACK=302><CTL=FIN,ACK>",
        "  30 CLOSED       <-- <SEQ=302><ACK=102><CTL=ACK>",
    ]
    assert talk.end == (Verdict.OPEN, Close.CLEAN)


def test_data_is_acknowledged() -> None:
    talk = opened()
    talk.hears("<SEQ=301><ACK=101><DATA=7><CTL=PSH,ACK>", 20)
    talk.hears("<SEQ=308><ACK=102><DATA=2><CTL=FIN,PSH,ACK>", 30)
    assert talk.lines[1::2] == [
        "  20 FIN-WAIT-1   --> <SEQ=102><ACK=308><CTL=ACK>",
        "  30 TIME-WAIT    --> <SEQ=102><ACK=311><CTL=ACK>",
    ]
    assert talk.end == (Verdict.OPEN, Close.CLEAN)


def test_data_with_the_syn_ack_is_left_to_come_again() -> None:
    talk = Talk()
    talk.hears("<SEQ=300><ACK=101><DATA=5><CTL=SYN,ACK>", 10)
    assert talk.lines[2] == "  10 FIN-WAIT-1   --> <SEQ=101><ACK=301><CTL=ACK>"


def test_it_holds_the_connection_before_it_closes() -> None:
    talk = opened(Patience.of(hold=5))
    talk.waits()
    assert talk.lines == ["5010 FIN-WAIT-1   --> <SEQ=101><ACK=301><CTL=FIN,ACK>"]


def test_the_peer_keeps_it_open_and_gets_no_reset() -> None:
    talk = opened()
    talk.hears("<SEQ=301><ACK=102><CTL=ACK>", 20)
    talk.waits_to_the_end()
    assert talk.lines == ["  20 FIN-WAIT-2   <-- <SEQ=301><ACK=102><CTL=ACK>"]
    assert talk.end == (Verdict.OPEN, Close.PEER_KEPT_OPEN)


def test_the_fin_is_retransmitted() -> None:
    talk = opened()
    talk.waits()
    assert talk.lines == ["1010 FIN-WAIT-1   --> <SEQ=101><ACK=301><CTL=FIN,ACK>"]
    talk.waits_to_the_end()
    # Whether the peer ever took our ACK nobody knows: it need not keep what nobody will use.
    # If it did, and our FIN too, the first RST has not the number that it expects.
    assert talk.lines[1:] == [
        "2010 CLOSED       --> <SEQ=101><CTL=RST>",
        "2010 CLOSED       --> <SEQ=102><CTL=RST>",
    ]
    assert talk.end == (Verdict.HALF_OPEN, None)
    assert talk.codes == ["no-answer-to-fin"]


def test_closed() -> None:
    talk = Talk()
    talk.hears("<SEQ=0><ACK=101><CTL=RST,ACK>", 10)
    assert talk.end == (Verdict.CLOSED, None)
    assert talk.attempt.answer is not None


def test_filtered() -> None:
    talk = Talk()
    talk.waits_to_the_end()
    assert talk.lines == [
        "   0 SYN-SENT     --> <SEQ=100><CTL=SYN>",
        "1000 SYN-SENT     --> <SEQ=100><CTL=SYN>",
        "3000 SYN-SENT     --> <SEQ=100><CTL=SYN>",
    ]
    assert talk.attempt.deadline == 5000 * MS
    assert talk.end == (Verdict.FILTERED, None)
    clocks = [each.options.timestamps for each in talk.sent]
    assert clocks == [Timestamps(0, 0), Timestamps(1000, 0), Timestamps(3000, 0)]


def test_reset_before_anything_else() -> None:
    talk = opened()
    talk.hears("<SEQ=301><CTL=RST>", 20)
    assert talk.end == (Verdict.RESET, Close.RESET)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("<SEQ=301><CTL=RST>", "before a word was said on it: a program there"),
        ("<SEQ=301><ACK=101><CTL=RST,ACK>", "before a word was said on it: a program there"),
        ("<SEQ=301><ACK=102><CTL=RST,ACK>", "said on it, although it had taken our ACK: a"),
        ("<SEQ=301><ACK=102><DATA=5><CTL=RST,ACK>", "although it had taken our ACK: a"),
    ],
)
def test_reset_behind_our_fin(text: str, words: str) -> None:
    # Our FIN left right behind the ACK: that it was acknowledged is no program's doing.
    talk = opened()
    talk.hears(text, 20)
    assert talk.end == (Verdict.RESET, Close.RESET)
    assert words in reason(talk.attempt, 0)


def test_reset_when_our_fin_was_acknowledged() -> None:
    # A kernel acknowledges it before the program that hangs up has been woken.
    talk = opened()
    talk.hears("<SEQ=301><ACK=102><CTL=ACK>", 20)
    talk.hears("<SEQ=301><ACK=102><CTL=RST,ACK>", 30)
    assert talk.end == (Verdict.RESET, Close.RESET)


@pytest.mark.parametrize(
    "text",
    [
        "<SEQ=301><ACK=101><DATA=5><CTL=PSH,ACK>",
        "<SEQ=301><ACK=102><DATA=5><CTL=PSH,ACK>",
        "<SEQ=301><ACK=101><CTL=FIN,ACK>",
    ],
)
def test_reset_after_the_peer_had_spoken(text: str) -> None:
    talk = opened()
    talk.hears(text, 20)
    seq = 306 if "DATA" in text else 302
    talk.hears(f"<SEQ={seq}><ACK=102><CTL=RST,ACK>", 30)
    assert talk.end == (Verdict.OPEN, Close.RESET)


@pytest.mark.parametrize("window", [0, 65535])
def test_reset_is_no_sign_of_data_that_never_left(window: int) -> None:
    # Without retries no octet goes where there is no room for it.
    talk = Talk(patience=Patience.of(retries=0), manner=Manner(data=b"HELLO"))
    talk.hears("<SEQ=300><ACK=101><CTL=SYN,ACK>", 10, window=window)
    while talk.sent[-1].fin is False:
        talk.waits()
    fin = talk.sent[-1]
    assert int(fin.seq) == (101 if window == 0 else 106)
    talk.hears(f"<SEQ=301><ACK={fin.end}><CTL=RST,ACK>", 9000)
    assert talk.end == (Verdict.RESET if window == 0 else Verdict.OPEN, Close.RESET)


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
    talk = Talk()
    talk.hears(text, 10)
    assert talk.lines[1:] == [f"  10 SYN-SENT     <-- {text}"]
    talk.hears("<SEQ=300><ACK=101><CTL=SYN,ACK>", 20)
    assert talk.attempt.block.state is State.FIN_WAIT_1
    assert talk.codes == ["rst-ignored"]


def test_a_reset_inside_the_window_is_asked_back() -> None:
    talk = opened()
    talk.hears("<SEQ=305><CTL=RST>", 20)
    talk.hears("<SEQ=99999><CTL=RST>", 30)
    assert talk.lines == [
        "  20 FIN-WAIT-1   <-- <SEQ=305><CTL=RST>",
        "  20 FIN-WAIT-1   --> <SEQ=102><ACK=301><CTL=ACK>",
        "  30 FIN-WAIT-1   <-- <SEQ=99999><CTL=RST>",
    ]


@pytest.mark.parametrize("text", ["<SEQ=300><ACK=101><CTL=SYN,ACK>", "<SEQ=0><ACK=101><CTL=RST>"])
def test_a_bad_checksum_is_dropped(text: str) -> None:
    talk = Talk()
    talk.hears(text, 10, checksum_ok=False)
    talk.waits_to_the_end()
    assert talk.end == (Verdict.FILTERED, None)
    assert talk.codes == ["bad-checksum"]


def test_a_checksum_that_nobody_filled_in_yet_is_no_fault() -> None:
    talk = Talk()
    talk.hears("<SEQ=300><ACK=101><CTL=SYN,ACK>", 10, checksum_ok=None)
    assert talk.attempt.verdict is Verdict.OPEN


def test_a_wrong_ack_is_reset_and_the_syn_comes_again() -> None:
    talk = Talk()
    talk.hears("<SEQ=300><ACK=5000><CTL=SYN,ACK>", 10)
    talk.waits()
    talk.hears("<SEQ=700><ACK=101><CTL=SYN,ACK>", 1010)
    assert talk.lines[:6] == [
        "   0 SYN-SENT     --> <SEQ=100><CTL=SYN>",
        "  10 SYN-SENT     <-- <SEQ=300><ACK=5000><CTL=SYN,ACK>",
        "  10 SYN-SENT     --> <SEQ=5000><CTL=RST>",
        "1000 SYN-SENT     --> <SEQ=100><CTL=SYN>",
        "1010 FIN-WAIT-1   <-- <SEQ=700><ACK=101><CTL=SYN,ACK>",
        "1010 FIN-WAIT-1   --> <SEQ=101><ACK=701><CTL=ACK>",
    ]
    assert talk.attempt.verdict is Verdict.OPEN
    assert talk.codes == ["wrong-ack", "syn-retransmitted"]


def test_a_half_open_connection_is_discovered() -> None:
    # Figure 9: the peer still has an older connection and answers the SYN by a bare ACK.
    talk = Talk(iss=400)
    talk.hears("<SEQ=300><ACK=100><CTL=ACK>", 10)
    assert talk.lines[2] == "  10 SYN-SENT     --> <SEQ=100><CTL=RST>"


def test_a_peer_that_is_always_wrong_is_a_bad_peer() -> None:
    talk = Talk()
    for number, at in enumerate((10, 1010, 3010)):
        talk.hears(f"<SEQ={300 + number}><ACK=5000><CTL=SYN,ACK>", at)
        talk.waits()
    talk.waits_to_the_end()
    assert talk.end == (Verdict.BAD_PEER, None)


def test_a_repeated_syn_ack_is_answered_but_not_every_time() -> None:
    talk = opened()
    for at in (20, 30, 600):
        talk.hears("<SEQ=300><ACK=101><CTL=SYN,ACK>", at)
    assert [line for line in talk.lines if "-->" in line] == [
        "  20 FIN-WAIT-1   --> <SEQ=102><ACK=301><CTL=ACK>",
        " 600 FIN-WAIT-1   --> <SEQ=102><ACK=301><CTL=ACK>",
    ]
    talk.waits_to_the_end()
    assert talk.end == (Verdict.HALF_OPEN, None)


def test_a_storm_is_not_joined() -> None:
    talk = opened()
    for at in range(1000):
        talk.hears("<SEQ=90000><ACK=101><CTL=ACK>", at)
    assert sum("-->" in line for line in talk.lines) == 2
    assert len(talk.attempt.notes) <= 1


def test_simultaneous_open() -> None:
    # Figure 7, seen from peer A.
    talk = Talk()
    talk.hears("<SEQ=300><CTL=SYN>", 10)
    talk.hears("<SEQ=300><ACK=101><CTL=SYN,ACK>", 20)
    assert talk.lines == [
        "   0 SYN-SENT     --> <SEQ=100><CTL=SYN>",
        "  10 SYN-RECEIVED <-- <SEQ=300><CTL=SYN>",
        "  10 SYN-RECEIVED --> <SEQ=100><ACK=301><CTL=SYN,ACK>",
        "  20 FIN-WAIT-1   <-- <SEQ=300><ACK=101><CTL=SYN,ACK>",
        "  20 FIN-WAIT-1   --> <SEQ=101><ACK=301><CTL=FIN,ACK>",
    ]
    assert talk.codes == ["simultaneous-open"]
    assert talk.attempt.answer is not None
    assert talk.attempt.answer.at == 20 * MS
    talk.hears("<SEQ=301><ACK=102><CTL=FIN,ACK>", 30)
    assert reason(talk.attempt, 0) == (
        "the peer called us from port 80 while we called it, and acknowledged our SYN: nobody "
        "listens there"
    )


def test_a_simultaneous_open_that_goes_no_further() -> None:
    talk = Talk()
    talk.hears("<SEQ=300><CTL=SYN>", 10)
    talk.waits()
    assert talk.lines[-1] == "1010 SYN-RECEIVED --> <SEQ=100><ACK=301><CTL=SYN,ACK>"
    talk.waits_to_the_end()
    assert talk.end == (Verdict.HALF_OPEN, None)
    assert talk.attempt.answer is None
    assert reason(talk.attempt, 0).endswith("we called it, and acknowledged nothing of ours")


def test_a_simultaneous_open_that_is_reset() -> None:
    talk = Talk()
    talk.hears("<SEQ=300><CTL=SYN>", 10)
    talk.hears("<SEQ=301><CTL=RST>", 20)
    assert talk.end == (Verdict.CLOSED, None)
    assert reason(talk.attempt, 0).endswith("we called it, and then reset the connection")


def test_a_rst_that_this_machine_refuses_is_not_our_syn() -> None:
    # As where a rule bars the RSTs that our own kernel would send.
    talk = Talk()
    talk.hears("<SEQ=300><ACK=5000><CTL=SYN,ACK>", 10)
    talk.attempt.unsent("a firewall on this machine dropped it (EPERM)")
    assert not talk.attempt.done
    talk.hears("<SEQ=300><ACK=101><CTL=SYN,ACK>", 20)
    assert talk.attempt.verdict is Verdict.OPEN
    assert talk.codes == ["wrong-ack", "unsent"]


def test_another_syn_after_a_crossed_one_is_asked_back() -> None:
    # Even where it acknowledges our SYN: its number is not that of the SYN that crossed ours.
    talk = Talk()
    talk.hears("<SEQ=300><CTL=SYN>", 10)
    talk.hears("<SEQ=399><ACK=101><CTL=SYN,ACK>", 20)
    assert talk.lines[-1] == "  20 SYN-RECEIVED --> <SEQ=101><ACK=301><CTL=ACK>"


def test_a_wrong_ack_after_a_crossed_syn_is_reset() -> None:
    talk = Talk()
    talk.hears("<SEQ=300><CTL=SYN>", 10)
    talk.hears("<SEQ=301><ACK=5000><CTL=ACK>", 20)
    assert talk.lines[-1] == "  20 SYN-RECEIVED --> <SEQ=5000><CTL=RST>"


def icmp(seq: int, kind: int = 3, code: int = 13) -> IcmpError:
    return IcmpError(4, kind, code, ip_address("203.0.113.1"), A, B, Seq(seq))


def test_an_icmp_error_that_quotes_our_syn_ends_it() -> None:
    talk = Talk()
    talk.attempt.icmp(icmp(100))
    assert talk.end == (Verdict.UNREACHABLE, None)
    assert talk.attempt.error == icmp(100)


HOST_UNREACHABLE = icmp(100, 3, 1)


def test_a_soft_error_ends_nothing_while_another_syn_may_fare_better() -> None:
    # Section 3.9.2.2, MUST-56: the way may be there again in a moment.
    talk = Talk()
    talk.attempt.icmp(HOST_UNREACHABLE)
    talk.waits()
    assert talk.said == ["   0 <SEQ=100><CTL=SYN>", "1000 <SEQ=100><CTL=SYN>"]
    talk.hears("<SEQ=300><ACK=101><CTL=SYN,ACK>", 1010)
    assert (talk.attempt.verdict, talk.attempt.error) == (Verdict.OPEN, None)
    assert talk.codes == ["icmp", "syn-retransmitted"]


def test_a_soft_error_stands_where_nothing_better_comes() -> None:
    talk = Talk()
    talk.attempt.icmp(HOST_UNREACHABLE)
    talk.waits_to_the_end()
    assert [line[:4] for line in talk.said] == ["   0", "1000", "3000"]
    assert talk.end == (Verdict.UNREACHABLE, None)
    assert talk.attempt.error == HOST_UNREACHABLE


def test_a_soft_error_about_the_last_syn_ends_it() -> None:
    talk = Talk()
    for _ in range(3):
        assert not talk.attempt.done
        talk.attempt.icmp(HOST_UNREACHABLE)
        if not talk.attempt.done:
            talk.waits()
    assert talk.end == (Verdict.UNREACHABLE, None)
    assert talk.attempt.deadline == 5000 * MS


def test_an_icmp_error_may_quote_whatever_is_under_way() -> None:
    talk = opened()
    talk.attempt.icmp(icmp(101))
    assert talk.codes == ["icmp"]


@pytest.mark.parametrize(
    ("error", "code"),
    [(icmp(99), "foreign-icmp"), (icmp(100, 3, 4), "icmp")],
)
def test_other_icmp_errors_do_not(error: IcmpError, code: str) -> None:
    talk = Talk()
    talk.attempt.icmp(error)
    assert not talk.attempt.done
    assert talk.codes == [code]


def test_an_icmp_error_does_not_end_what_is_open() -> None:
    talk = opened()
    talk.attempt.icmp(icmp(100))
    assert not talk.attempt.done


def test_what_this_machine_refuses_to_send_was_not_sent() -> None:
    talk = Talk()
    talk.attempt.unsent("no route")
    assert talk.end == (Verdict.LOCAL_ERROR, None)
    assert (talk.attempt.syn_sent, talk.attempt.failure) == (0, "no route")


def test_options_are_used_where_both_offered_them() -> None:
    offer = Options.of(
        opt.mss(1400), opt.sack_permitted(), opt.timestamps(70, 5), opt.nop(), opt.window_scale(9)
    )
    talk = Talk()
    talk.hears("<SEQ=300><ACK=101><CTL=SYN,ACK>", 10, options=offer)
    syn, ack, fin = talk.sent
    assert (syn.window, ack.window, fin.window) == (64240, 502, 502)
    assert ack.options.timestamps == Timestamps(10, 70)
    assert syn.options.mss == 1460
    kinds = [option.name for option in syn.options]
    assert kinds == ["mss", "sack-permitted", "timestamps", "nop", "wscale"]
    assert ack.options == Options.of(opt.nop(), opt.nop(), opt.timestamps(10, 70))


def test_options_are_not_used_where_the_peer_did_not_offer_them() -> None:
    talk = Talk()
    talk.hears("<SEQ=300><ACK=101><CTL=SYN,ACK>", 10)
    assert talk.sent[1].window == 64240
    assert not talk.sent[1].options


def test_the_answer_to_a_crossed_syn_offers_what_it_offered() -> None:
    talk = Talk()
    talk.hears("<SEQ=300><CTL=SYN>", 10, options=Options.of(opt.mss(900), opt.sack_permitted()))
    kinds = [option.name for option in talk.sent[1].options]
    assert kinds == ["mss", "nop", "nop", "sack-permitted"]


@given(iss=st.integers(0, 2**32 - 1), irs=st.integers(0, 2**32 - 1), data=st.integers(0, 2000))
def test_any_numbers_will_do(iss: int, irs: int, data: int) -> None:
    def number(value: int) -> int:
        return value % 2**32

    talk = Talk(iss)
    talk.hears(f"<SEQ={irs}><ACK={number(iss + 1)}><CTL=SYN,ACK>", 10)
    end = number(iss + 2)
    talk.hears(f"<SEQ={number(irs + 1)}><ACK={end}><DATA={data}><CTL=FIN,ACK>", 20)
    assert talk.end == (Verdict.OPEN, Close.CLEAN)
    last = talk.sent[-1]
    assert (last.seq, last.ack) == (Seq(iss + 2), Seq(irs + data + 2))


FLAGS = ["SYN", "ACK", "RST", "FIN", "SYN,ACK", "RST,ACK", "FIN,ACK", "PSH,ACK", "FIN"]
NEAR = st.sampled_from([0, 99, 100, 101, 102, 299, 300, 301, 302, 310, 70000, 2**31])


@given(
    st.lists(
        st.tuples(NEAR, NEAR, st.sampled_from(FLAGS), st.sampled_from([0, 3]), st.booleans()),
        max_size=12,
    )
)
def test_whatever_comes_it_ends(heard: list[tuple[int, int, str, int, bool]]) -> None:
    talk = Talk()
    at = 0
    for seq, ack, control, data, wait in heard:
        acks = f"<ACK={ack}>" if "ACK" in control else ""
        if talk.attempt.done:
            break
        if wait:
            at = talk.attempt.deadline // MS
            talk.waits()
        talk.hears(f"<SEQ={seq}>{acks}<DATA={data}><CTL={control}>", at)
    wakes = 0
    while not talk.attempt.done:
        talk.waits()
        wakes += 1
    assert wakes < 10
    assert talk.attempt.verdict is not None
    assert talk.attempt.deadline <= 20_000 * MS
    # A RST of ours answers only what cannot be right before the connection is open, or ends
    # what the peer would keep half-open.
    resets = [each for each in talk.sent if each.rst]
    state = talk.attempt.block.state
    if talk.attempt.verdict is Verdict.HALF_OPEN and state is not State.SYN_RECEIVED:
        # One for what the peer expects if our FIN was lost, one for if it was not.
        last = [int(each.seq) for each in talk.sent[-2:] if each.rst]
        if last == [101, 102]:
            del resets[-2:]
        elif last[-1:] == [101]:
            del resets[-1:]
    assert all(each.seq != Seq(101) for each in resets)


def test_the_other_end_may_speak_ipv6() -> None:
    there = Endpoint.of("2001:db8::7", 443)
    attempt = Attempt(Endpoint.of("2001:db8::1", 50000), there, Seq(1))
    (syn,) = attempt.start(0)
    assert syn.destination == there
