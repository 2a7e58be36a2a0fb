"""What an attempt sends and concludes, drawn as the RFC draws it; times in milliseconds."""

from __future__ import annotations

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handshake.packet.icmp import IcmpError
from handshake.prober import Attempt, ClientOptions, Close, Timeouts, Verdict
from handshake.prober.explanation import reason
from handshake.tcp import Endpoint, Options, Seq, State, Timestamps
from handshake.tcp import options as opt
from tests.endpoint.exchange import MS, Talk, opened
from tests.segments import A, B


def test_open_and_close() -> None:
    exchange = Talk()
    exchange.hears("<SEQ=300><ACK=101><CTL=SYN,ACK>", 10)
    exchange.hears("<SEQ=301><ACK=102><CTL=ACK>", 20)
    exchange.hears("<SEQ=301><ACK=102><CTL=FIN,ACK>", 30)
    assert exchange.lines == [
        "   0 SYN-SENT     --> <SEQ=100><CTL=SYN>",
        "  10 FIN-WAIT-1   <-- <SEQ=300><ACK=101><CTL=SYN,ACK>",
        "  10 FIN-WAIT-1   --> <SEQ=101><ACK=301><CTL=ACK>",
        "  10 FIN-WAIT-1   --> <SEQ=101><ACK=301><CTL=FIN,ACK>",
        "  20 FIN-WAIT-2   <-- <SEQ=301><ACK=102><CTL=ACK>",
        "  30 TIME-WAIT    <-- <SEQ=301><ACK=102><CTL=FIN,ACK>",
        "  30 TIME-WAIT    --> <SEQ=102><ACK=302><CTL=ACK>",
    ]
    assert exchange.end == (Verdict.OPEN, Close.CLEAN)
    assert exchange.codes == []


def test_both_close_at_once() -> None:
    exchange = opened()
    exchange.hears("<SEQ=301><ACK=101><CTL=FIN,ACK>", 20)
    exchange.hears("<SEQ=302><ACK=102><CTL=ACK>", 30)
    assert exchange.lines == [
        "  20 CLOSING      <-- <SEQ=301><ACK=101><CTL=FIN,ACK>",
        "  20 CLOSING      --> <SEQ=102><ACK=302><CTL=ACK>",
        "  30 TIME-WAIT    <-- <SEQ=302><ACK=102><CTL=ACK>",
    ]
    assert exchange.end == (Verdict.OPEN, Close.CLEAN)


def test_the_peer_closes_first() -> None:
    exchange = opened(Timeouts.of(hold=5))
    exchange.hears("<SEQ=301><ACK=101><CTL=FIN,ACK>", 20)
    exchange.hears("<SEQ=302><ACK=102><CTL=ACK>", 30)
    assert exchange.lines == [
        "  20 LAST-ACK     <-- <SEQ=301><ACK=101><CTL=FIN,ACK>",
        "  20 LAST-ACK     --> <SEQ=101><ACK=302><CTL=ACK>",
        "  20 LAST-ACK     --> <SEQ=101><ACK=302><CTL=FIN,ACK>",
        "  30 CLOSED       <-- <SEQ=302><ACK=102><CTL=ACK>",
    ]
    assert exchange.end == (Verdict.OPEN, Close.CLEAN)


def test_data_is_acknowledged() -> None:
    exchange = opened()
    exchange.hears("<SEQ=301><ACK=101><DATA=7><CTL=PSH,ACK>", 20)
    exchange.hears("<SEQ=308><ACK=102><DATA=2><CTL=FIN,PSH,ACK>", 30)
    assert exchange.lines[1::2] == [
        "  20 FIN-WAIT-1   --> <SEQ=102><ACK=308><CTL=ACK>",
        "  30 TIME-WAIT    --> <SEQ=102><ACK=311><CTL=ACK>",
    ]
    assert exchange.end == (Verdict.OPEN, Close.CLEAN)


def test_data_with_the_syn_ack_is_left_to_come_again() -> None:
    exchange = Talk()
    exchange.hears("<SEQ=300><ACK=101><DATA=5><CTL=SYN,ACK>", 10)
    assert exchange.lines[2] == "  10 FIN-WAIT-1   --> <SEQ=101><ACK=301><CTL=ACK>"


def test_it_holds_the_connection_before_it_closes() -> None:
    exchange = opened(Timeouts.of(hold=5))
    exchange.waits()
    assert exchange.lines == ["5010 FIN-WAIT-1   --> <SEQ=101><ACK=301><CTL=FIN,ACK>"]


def test_the_peer_keeps_it_open_and_gets_no_reset() -> None:
    exchange = opened()
    exchange.hears("<SEQ=301><ACK=102><CTL=ACK>", 20)
    exchange.waits_to_the_end()
    assert exchange.lines == ["  20 FIN-WAIT-2   <-- <SEQ=301><ACK=102><CTL=ACK>"]
    assert exchange.end == (Verdict.OPEN, Close.PEER_KEPT_OPEN)


def test_the_fin_is_retransmitted() -> None:
    exchange = opened()
    exchange.waits()
    assert exchange.lines == ["1010 FIN-WAIT-1   --> <SEQ=101><ACK=301><CTL=FIN,ACK>"]
    exchange.waits_to_the_end()
    # Whether the peer ever took our ACK nobody knows: it need not keep what nobody will use.
    # If it did, and our FIN too, the first RST has not the number that it expects.
    assert exchange.lines[1:] == [
        "2010 CLOSED       --> <SEQ=101><CTL=RST>",
        "2010 CLOSED       --> <SEQ=102><CTL=RST>",
    ]
    assert exchange.end == (Verdict.HALF_OPEN, None)
    assert exchange.codes == ["no-answer-to-fin"]


def test_closed() -> None:
    exchange = Talk()
    exchange.hears("<SEQ=0><ACK=101><CTL=RST,ACK>", 10)
    assert exchange.end == (Verdict.CLOSED, None)
    assert exchange.attempt.answer is not None


def test_filtered() -> None:
    exchange = Talk()
    exchange.waits_to_the_end()
    assert exchange.lines == [
        "   0 SYN-SENT     --> <SEQ=100><CTL=SYN>",
        "1000 SYN-SENT     --> <SEQ=100><CTL=SYN>",
        "3000 SYN-SENT     --> <SEQ=100><CTL=SYN>",
    ]
    assert exchange.attempt.deadline == 5000 * MS
    assert exchange.end == (Verdict.FILTERED, None)
    clocks = [each.options.timestamps for each in exchange.sent]
    assert clocks == [Timestamps(0, 0), Timestamps(1000, 0), Timestamps(3000, 0)]


def test_reset_before_anything_else() -> None:
    exchange = opened()
    exchange.hears("<SEQ=301><CTL=RST>", 20)
    assert exchange.end == (Verdict.RESET, Close.RESET)


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
    exchange = opened()
    exchange.hears(text, 20)
    assert exchange.end == (Verdict.RESET, Close.RESET)
    assert words in reason(exchange.attempt, 0)


def test_reset_when_our_fin_was_acknowledged() -> None:
    # A kernel acknowledges it before the program that hangs up has been woken.
    exchange = opened()
    exchange.hears("<SEQ=301><ACK=102><CTL=ACK>", 20)
    exchange.hears("<SEQ=301><ACK=102><CTL=RST,ACK>", 30)
    assert exchange.end == (Verdict.RESET, Close.RESET)


@pytest.mark.parametrize(
    "text",
    [
        "<SEQ=301><ACK=101><DATA=5><CTL=PSH,ACK>",
        "<SEQ=301><ACK=102><DATA=5><CTL=PSH,ACK>",
        "<SEQ=301><ACK=101><CTL=FIN,ACK>",
    ],
)
def test_reset_after_the_peer_had_spoken(text: str) -> None:
    exchange = opened()
    exchange.hears(text, 20)
    seq = 306 if "DATA" in text else 302
    exchange.hears(f"<SEQ={seq}><ACK=102><CTL=RST,ACK>", 30)
    assert exchange.end == (Verdict.OPEN, Close.RESET)


@pytest.mark.parametrize("window", [0, 65535])
def test_reset_is_no_sign_of_data_that_never_left(window: int) -> None:
    # Without retries no octet goes where there is no room for it.
    exchange = Talk(timeouts=Timeouts.of(retries=0), options=ClientOptions(data=b"HELLO"))
    exchange.hears("<SEQ=300><ACK=101><CTL=SYN,ACK>", 10, window=window)
    while exchange.sent[-1].fin is False:
        exchange.waits()
    fin = exchange.sent[-1]
    assert int(fin.seq) == (101 if window == 0 else 106)
    exchange.hears(f"<SEQ=301><ACK={fin.end}><CTL=RST,ACK>", 9000)
    assert exchange.end == (Verdict.RESET if window == 0 else Verdict.OPEN, Close.RESET)


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
    exchange = Talk()
    exchange.hears(text, 10)
    assert exchange.lines[1:] == [f"  10 SYN-SENT     <-- {text}"]
    exchange.hears("<SEQ=300><ACK=101><CTL=SYN,ACK>", 20)
    assert exchange.attempt.block.state is State.FIN_WAIT_1
    assert exchange.codes == ["rst-ignored"]


def test_a_reset_inside_the_window_is_asked_back() -> None:
    exchange = opened()
    exchange.hears("<SEQ=305><CTL=RST>", 20)
    exchange.hears("<SEQ=99999><CTL=RST>", 30)
    assert exchange.lines == [
        "  20 FIN-WAIT-1   <-- <SEQ=305><CTL=RST>",
        "  20 FIN-WAIT-1   --> <SEQ=102><ACK=301><CTL=ACK>",
        "  30 FIN-WAIT-1   <-- <SEQ=99999><CTL=RST>",
    ]


@pytest.mark.parametrize("text", ["<SEQ=300><ACK=101><CTL=SYN,ACK>", "<SEQ=0><ACK=101><CTL=RST>"])
def test_a_bad_checksum_is_dropped(text: str) -> None:
    exchange = Talk()
    exchange.hears(text, 10, checksum_ok=False)
    exchange.waits_to_the_end()
    assert exchange.end == (Verdict.FILTERED, None)
    assert exchange.codes == ["bad-checksum"]


def test_a_checksum_that_nobody_filled_in_yet_is_no_fault() -> None:
    exchange = Talk()
    exchange.hears("<SEQ=300><ACK=101><CTL=SYN,ACK>", 10, checksum_ok=None)
    assert exchange.attempt.verdict is Verdict.OPEN


def test_a_wrong_ack_is_reset_and_the_syn_comes_again() -> None:
    exchange = Talk()
    exchange.hears("<SEQ=300><ACK=5000><CTL=SYN,ACK>", 10)
    exchange.waits()
    exchange.hears("<SEQ=700><ACK=101><CTL=SYN,ACK>", 1010)
    assert exchange.lines[:6] == [
        "   0 SYN-SENT     --> <SEQ=100><CTL=SYN>",
        "  10 SYN-SENT     <-- <SEQ=300><ACK=5000><CTL=SYN,ACK>",
        "  10 SYN-SENT     --> <SEQ=5000><CTL=RST>",
        "1000 SYN-SENT     --> <SEQ=100><CTL=SYN>",
        "1010 FIN-WAIT-1   <-- <SEQ=700><ACK=101><CTL=SYN,ACK>",
        "1010 FIN-WAIT-1   --> <SEQ=101><ACK=701><CTL=ACK>",
    ]
    assert exchange.attempt.verdict is Verdict.OPEN
    assert exchange.codes == ["wrong-ack", "syn-retransmitted"]


def test_a_half_open_connection_is_discovered() -> None:
    # Figure 9: the peer still has an older connection and answers the SYN by a bare ACK.
    exchange = Talk(iss=400)
    exchange.hears("<SEQ=300><ACK=100><CTL=ACK>", 10)
    assert exchange.lines[2] == "  10 SYN-SENT     --> <SEQ=100><CTL=RST>"


def test_a_peer_that_is_always_wrong_is_a_bad_peer() -> None:
    exchange = Talk()
    for number, at in enumerate((10, 1010, 3010)):
        exchange.hears(f"<SEQ={300 + number}><ACK=5000><CTL=SYN,ACK>", at)
        exchange.waits()
    exchange.waits_to_the_end()
    assert exchange.end == (Verdict.BAD_PEER, None)


def test_a_repeated_syn_ack_is_answered_but_not_every_time() -> None:
    exchange = opened()
    for at in (20, 30, 600):
        exchange.hears("<SEQ=300><ACK=101><CTL=SYN,ACK>", at)
    assert [line for line in exchange.lines if "-->" in line] == [
        "  20 FIN-WAIT-1   --> <SEQ=102><ACK=301><CTL=ACK>",
        " 600 FIN-WAIT-1   --> <SEQ=102><ACK=301><CTL=ACK>",
    ]
    exchange.waits_to_the_end()
    assert exchange.end == (Verdict.HALF_OPEN, None)


def test_a_storm_is_not_joined() -> None:
    exchange = opened()
    for at in range(1000):
        exchange.hears("<SEQ=90000><ACK=101><CTL=ACK>", at)
    assert sum("-->" in line for line in exchange.lines) == 2
    assert len(exchange.attempt.notes) <= 1


def test_simultaneous_open() -> None:
    # Figure 7, seen from peer A.
    exchange = Talk()
    exchange.hears("<SEQ=300><CTL=SYN>", 10)
    exchange.hears("<SEQ=300><ACK=101><CTL=SYN,ACK>", 20)
    assert exchange.lines == [
        "   0 SYN-SENT     --> <SEQ=100><CTL=SYN>",
        "  10 SYN-RECEIVED <-- <SEQ=300><CTL=SYN>",
        "  10 SYN-RECEIVED --> <SEQ=100><ACK=301><CTL=SYN,ACK>",
        "  20 FIN-WAIT-1   <-- <SEQ=300><ACK=101><CTL=SYN,ACK>",
        "  20 FIN-WAIT-1   --> <SEQ=101><ACK=301><CTL=FIN,ACK>",
    ]
    assert exchange.codes == ["simultaneous-open"]
    assert exchange.attempt.answer is not None
    assert exchange.attempt.answer.at == 20 * MS
    exchange.hears("<SEQ=301><ACK=102><CTL=FIN,ACK>", 30)
    assert reason(exchange.attempt, 0) == (
        "the peer called us from port 80 while we called it, and acknowledged our SYN: nobody "
        "listens there"
    )


def test_a_simultaneous_open_that_goes_no_further() -> None:
    exchange = Talk()
    exchange.hears("<SEQ=300><CTL=SYN>", 10)
    exchange.waits()
    assert exchange.lines[-1] == "1010 SYN-RECEIVED --> <SEQ=100><ACK=301><CTL=SYN,ACK>"
    exchange.waits_to_the_end()
    assert exchange.end == (Verdict.HALF_OPEN, None)
    assert exchange.attempt.answer is None
    assert reason(exchange.attempt, 0).endswith("we called it, and acknowledged nothing of ours")


def test_a_simultaneous_open_that_is_reset() -> None:
    exchange = Talk()
    exchange.hears("<SEQ=300><CTL=SYN>", 10)
    exchange.hears("<SEQ=301><CTL=RST>", 20)
    assert exchange.end == (Verdict.CLOSED, None)
    assert reason(exchange.attempt, 0).endswith("we called it, and then reset the connection")


def test_a_rst_that_this_machine_refuses_is_not_our_syn() -> None:
    # As where a rule bars the RSTs that our own kernel would send.
    exchange = Talk()
    exchange.hears("<SEQ=300><ACK=5000><CTL=SYN,ACK>", 10)
    exchange.attempt.unsent("a firewall on this machine dropped it (EPERM)")
    assert not exchange.attempt.done
    exchange.hears("<SEQ=300><ACK=101><CTL=SYN,ACK>", 20)
    assert exchange.attempt.verdict is Verdict.OPEN
    assert exchange.codes == ["wrong-ack", "unsent"]


def test_another_syn_after_a_crossed_one_is_asked_back() -> None:
    # Even where it acknowledges our SYN: its number is not that of the SYN that crossed ours.
    exchange = Talk()
    exchange.hears("<SEQ=300><CTL=SYN>", 10)
    exchange.hears("<SEQ=399><ACK=101><CTL=SYN,ACK>", 20)
    assert exchange.lines[-1] == "  20 SYN-RECEIVED --> <SEQ=101><ACK=301><CTL=ACK>"


def test_a_wrong_ack_after_a_crossed_syn_is_reset() -> None:
    exchange = Talk()
    exchange.hears("<SEQ=300><CTL=SYN>", 10)
    exchange.hears("<SEQ=301><ACK=5000><CTL=ACK>", 20)
    assert exchange.lines[-1] == "  20 SYN-RECEIVED --> <SEQ=5000><CTL=RST>"


def icmp(seq: int, kind: int = 3, code: int = 13) -> IcmpError:
    return IcmpError(4, kind, code, ip_address("203.0.113.1"), A, B, Seq(seq))


def test_an_icmp_error_that_quotes_our_syn_ends_it() -> None:
    exchange = Talk()
    exchange.attempt.icmp(icmp(100))
    assert exchange.end == (Verdict.UNREACHABLE, None)
    assert exchange.attempt.error == icmp(100)


HOST_UNREACHABLE = icmp(100, 3, 1)


def test_a_soft_error_ends_nothing_while_another_syn_may_fare_better() -> None:
    # Section 3.9.2.2, MUST-56: the way may be there again in a moment.
    exchange = Talk()
    exchange.attempt.icmp(HOST_UNREACHABLE)
    exchange.waits()
    assert exchange.said == ["   0 <SEQ=100><CTL=SYN>", "1000 <SEQ=100><CTL=SYN>"]
    exchange.hears("<SEQ=300><ACK=101><CTL=SYN,ACK>", 1010)
    assert (exchange.attempt.verdict, exchange.attempt.error) == (Verdict.OPEN, None)
    assert exchange.codes == ["icmp", "syn-retransmitted"]


def test_a_soft_error_stands_where_nothing_better_comes() -> None:
    exchange = Talk()
    exchange.attempt.icmp(HOST_UNREACHABLE)
    exchange.waits_to_the_end()
    assert [line[:4] for line in exchange.said] == ["   0", "1000", "3000"]
    assert exchange.end == (Verdict.UNREACHABLE, None)
    assert exchange.attempt.error == HOST_UNREACHABLE


def test_a_soft_error_about_the_last_syn_ends_it() -> None:
    exchange = Talk()
    for _ in range(3):
        assert not exchange.attempt.done
        exchange.attempt.icmp(HOST_UNREACHABLE)
        if not exchange.attempt.done:
            exchange.waits()
    assert exchange.end == (Verdict.UNREACHABLE, None)
    assert exchange.attempt.deadline == 5000 * MS


def test_an_icmp_error_may_quote_whatever_is_under_way() -> None:
    exchange = opened()
    exchange.attempt.icmp(icmp(101))
    assert exchange.codes == ["icmp"]


@pytest.mark.parametrize(
    ("error", "code"),
    [(icmp(99), "foreign-icmp"), (icmp(100, 3, 4), "icmp")],
)
def test_other_icmp_errors_do_not(error: IcmpError, code: str) -> None:
    exchange = Talk()
    exchange.attempt.icmp(error)
    assert not exchange.attempt.done
    assert exchange.codes == [code]


def test_an_icmp_error_does_not_end_what_is_open() -> None:
    exchange = opened()
    exchange.attempt.icmp(icmp(100))
    assert not exchange.attempt.done


def test_what_this_machine_refuses_to_send_was_not_sent() -> None:
    exchange = Talk()
    exchange.attempt.unsent("no route")
    assert exchange.end == (Verdict.LOCAL_ERROR, None)
    assert (exchange.attempt.syn_sent, exchange.attempt.failure) == (0, "no route")


def test_options_are_used_where_both_offered_them() -> None:
    offer = Options.of(
        opt.mss(1400), opt.sack_permitted(), opt.timestamps(70, 5), opt.nop(), opt.window_scale(9)
    )
    exchange = Talk()
    exchange.hears("<SEQ=300><ACK=101><CTL=SYN,ACK>", 10, options=offer)
    syn, ack, fin = exchange.sent
    assert (syn.window, ack.window, fin.window) == (64240, 502, 502)
    assert ack.options.timestamps == Timestamps(10, 70)
    assert syn.options.mss == 1460
    kinds = [option.name for option in syn.options]
    assert kinds == ["mss", "sack-permitted", "timestamps", "nop", "wscale"]
    assert ack.options == Options.of(opt.nop(), opt.nop(), opt.timestamps(10, 70))


def test_options_are_not_used_where_the_peer_did_not_offer_them() -> None:
    exchange = Talk()
    exchange.hears("<SEQ=300><ACK=101><CTL=SYN,ACK>", 10)
    assert exchange.sent[1].window == 64240
    assert not exchange.sent[1].options


def test_the_answer_to_a_crossed_syn_offers_what_it_offered() -> None:
    exchange = Talk()
    exchange.hears("<SEQ=300><CTL=SYN>", 10, options=Options.of(opt.mss(900), opt.sack_permitted()))
    kinds = [option.name for option in exchange.sent[1].options]
    assert kinds == ["mss", "nop", "nop", "sack-permitted"]


@given(iss=st.integers(0, 2**32 - 1), irs=st.integers(0, 2**32 - 1), data=st.integers(0, 2000))
def test_any_numbers_will_do(iss: int, irs: int, data: int) -> None:
    def number(value: int) -> int:
        return value % 2**32

    exchange = Talk(iss)
    exchange.hears(f"<SEQ={irs}><ACK={number(iss + 1)}><CTL=SYN,ACK>", 10)
    end = number(iss + 2)
    exchange.hears(f"<SEQ={number(irs + 1)}><ACK={end}><DATA={data}><CTL=FIN,ACK>", 20)
    assert exchange.end == (Verdict.OPEN, Close.CLEAN)
    last = exchange.sent[-1]
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
    exchange = Talk()
    at = 0
    for seq, ack, control, data, wait in heard:
        acks = f"<ACK={ack}>" if "ACK" in control else ""
        if exchange.attempt.done:
            break
        if wait:
            at = exchange.attempt.deadline // MS
            exchange.waits()
        exchange.hears(f"<SEQ={seq}>{acks}<DATA={data}><CTL={control}>", at)
    wakes = 0
    while not exchange.attempt.done:
        exchange.waits()
        wakes += 1
    assert wakes < 10
    assert exchange.attempt.verdict is not None
    assert exchange.attempt.deadline <= 20_000 * MS
    # A RST of ours answers only what cannot be right before the connection is open, or ends
    # what the peer would keep half-open.
    resets = [each for each in exchange.sent if each.rst]
    state = exchange.attempt.block.state
    if exchange.attempt.verdict is Verdict.HALF_OPEN and state is not State.SYN_RECEIVED:
        # One for what the peer expects if our FIN was lost, one for if it was not.
        last = [int(each.seq) for each in exchange.sent[-2:] if each.rst]
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
