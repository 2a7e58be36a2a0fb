"""Scenario 22, RST segments: which are believed (RFC 9293 section 3.10.7, RFC 5961 section 3.2)."""

from pathlib import Path

import pytest

from handshake.prober import Close, Timeouts, Verdict
from handshake.tcp import Flags, Observed
from tests.live.lab.exchanges import CLEAN, CLOSED, OPENED, SYN
from tests.live.lab.namespaces import pair
from tests.live.lab.packets import packet
from tests.live.lab.probing import Way, alone, codes, every_way, play
from tests.live.lab.scripted_server import FIN_ACK, RST, RST_ACK, Listener, Packets, reply, syn_ack
from tests.live.lab.sockets import reset
from tests.live.test_probe import serving

WINDOW = {4: 64240, 6: 64800}
"""What we advertise where windows are not scaled, by the version of IP."""

HOLD = Timeouts.of(hold=0.3)
"""So that the connection is ESTABLISHED while something happens to it."""


@pytest.mark.live
@every_way
@pytest.mark.parametrize("ahead", [0, 2, 1000, 2**31])
def test_22_a_rst_that_does_not_acknowledge_our_syn(way: Way, ahead: int, tmp_path: Path) -> None:
    # In SYN-SENT a RST counts if its ACK is acceptable (3.10.7.3, first and second step): any
    # number but ISS + 1 is not, and "if so drop the segment".
    def syn(listener: Listener, received: Observed) -> Packets:
        bad = reply(received, RST_ACK, seq=0, ack=received.segment.seq + ahead)
        return [packet(bad), *listener.syn(received)]

    found = play(way, tmp_path, Listener(syn=syn))
    assert (found.result.verdict, found.result.close) == (Verdict.OPEN, Close.CLEAN)
    assert found.wire == [
        SYN,
        f"<-- <SEQ=0><ACK={(100 + ahead) % 2**32}><CTL=RST,ACK>",
        *CLEAN[1:],
    ]
    assert codes(found.result) == {"rst-ignored"}


@pytest.mark.live
@every_way
@pytest.mark.parametrize("seq", [0, 301])
def test_22_a_rst_without_ack_to_a_syn(way: Way, seq: int, tmp_path: Path) -> None:
    # "Otherwise (no ACK), drop the segment and return" (3.10.7.3, second step).
    def syn(listener: Listener, received: Observed) -> Packets:
        return [packet(reply(received, RST, seq=seq)), *listener.syn(received)]

    found = play(way, tmp_path, Listener(syn=syn))
    assert (found.result.verdict, found.result.close) == (Verdict.OPEN, Close.CLEAN)
    assert found.wire == [SYN, f"<-- <SEQ={seq}><CTL=RST>", *CLEAN[1:]]
    assert codes(found.result) == {"rst-ignored"}


@pytest.mark.live
@every_way
@pytest.mark.parametrize(
    ("flags", "payload", "shown"),
    [
        (RST_ACK, b"", "<SEQ=77><ACK=101><CTL=RST,ACK>"),
        (RST_ACK, b"go away", "<SEQ=77><ACK=101><DATA=7><CTL=RST,ACK>"),
        (RST_ACK | Flags.FIN, b"", "<SEQ=77><ACK=101><CTL=FIN,RST,ACK>"),
        (RST_ACK | Flags.SYN, b"", "<SEQ=300><ACK=101><CTL=SYN,RST,ACK>"),
    ],
)
def test_22_a_rst_that_acknowledges_our_syn(
    way: Way, flags: Flags, payload: bytes, shown: str, tmp_path: Path
) -> None:
    # Its own number says nothing in SYN-SENT; RST is looked at before SYN and FIN; and it may
    # carry data (section 3.5.2).
    def syn(_: Listener, received: Observed) -> Packets:
        return [packet(reply(received, flags, seq=77, payload=payload))]

    found = play(way, tmp_path, Listener(syn=syn))
    assert (found.result.verdict, found.result.close) == (Verdict.CLOSED, None)
    assert found.wire == [SYN, f"<-- {shown}"]
    assert codes(found.result) == set()


@pytest.mark.live
@every_way
@pytest.mark.parametrize("last", [False, True])
def test_22_a_rst_in_the_window_but_not_exact(way: Way, last: bool, tmp_path: Path) -> None:
    # It may be a guess: asked back by an ACK, which changes nothing (RFC 5961 section 3.2).
    seq = 300 + WINDOW[way.version] if last else 302

    def ack(listener: Listener, received: Observed) -> Packets:
        if listener.times("ack") == 1:
            return [packet(reply(received, RST, seq=seq))]
        return []

    found = play(way, tmp_path, Listener(ack=ack), HOLD)
    assert (found.result.verdict, found.result.close) == (Verdict.OPEN, Close.CLEAN)
    assert found.wire == [
        SYN,
        *OPENED,
        f"<-- <SEQ={seq}><CTL=RST>",
        "--> <SEQ=101><ACK=301><CTL=ACK>",
        *CLOSED,
    ]
    assert codes(found.result) == {"rst-ignored"}


@pytest.mark.live
@every_way
def test_22_the_peer_meant_its_rst(way: Way, tmp_path: Path) -> None:
    # Who has no connection answers our challenge by a RST with the number that it asked for.
    def ack(listener: Listener, received: Observed) -> Packets:
        seq = 305 if listener.times("ack") == 1 else received.segment.ack
        assert seq is not None
        return [packet(reply(received, RST, seq=seq))]

    found = play(way, tmp_path, Listener(ack=ack), HOLD)
    assert (found.result.verdict, found.result.close) == (Verdict.RESET, Close.RESET)
    assert found.wire == [
        SYN,
        *OPENED,
        "<-- <SEQ=305><CTL=RST>",
        "--> <SEQ=101><ACK=301><CTL=ACK>",
        "<-- <SEQ=301><CTL=RST>",
    ]
    assert found.result.reason.code == "reset"


@pytest.mark.live
@every_way
@pytest.mark.parametrize("ahead", [-301, -1, None, 2**31])
def test_22_a_rst_outside_the_window(way: Way, ahead: int | None, tmp_path: Path) -> None:
    # "Silently drop the segment" (RFC 5961 section 3.2, case 1; RFC 9293 section 3.10.7.4).
    seq = 301 + (WINDOW[way.version] if ahead is None else ahead)

    def ack(_: Listener, received: Observed) -> Packets:
        return [packet(reply(received, RST, seq=seq))]

    found = play(way, tmp_path, Listener(ack=ack), HOLD)
    assert (found.result.verdict, found.result.close) == (Verdict.OPEN, Close.CLEAN)
    assert found.wire[:4] == [SYN, *OPENED, f"<-- <SEQ={seq}><CTL=RST>"]
    assert found.wire[4:7] == CLOSED
    assert codes(found.result) == {"rst-ignored"}


@pytest.mark.live
@every_way
def test_22_the_exact_rst(way: Way, tmp_path: Path) -> None:
    def ack(_: Listener, received: Observed) -> Packets:
        return [packet(reply(received, RST))]

    found = play(way, tmp_path, Listener(ack=ack), HOLD)
    assert (found.result.verdict, found.result.close) == (Verdict.RESET, Close.RESET)
    assert found.wire == [SYN, *OPENED, "<-- <SEQ=301><CTL=RST>"]


@pytest.mark.live
@every_way
def test_22_many_rsts_in_the_window_are_asked_back_once(way: Way, tmp_path: Path) -> None:
    # Challenges are limited (RFC 5961 section 7): here to two in a second.
    def ack(listener: Listener, received: Observed) -> Packets:
        if listener.times("ack") > 1:
            return []
        return [packet(reply(received, RST, seq=310 + number)) for number in range(50)]

    found = play(way, tmp_path, Listener(ack=ack), HOLD)
    assert (found.result.verdict, found.result.close) == (Verdict.OPEN, Close.CLEAN)
    assert len([each for each in found.wire if each.endswith("<CTL=RST>")]) == 50
    assert found.wire.count("--> <SEQ=101><ACK=301><CTL=ACK>") == 2


@pytest.mark.live
@every_way
@pytest.mark.parametrize("what", ["syn", "syn-ack", "ack-of-nothing"])
def test_22_what_else_is_asked_back_once_it_is_open(way: Way, what: str, tmp_path: Path) -> None:
    # A SYN in any place, and an ACK of what was never sent: "send an ACK, drop the segment"
    # (RFC 9293 section 3.10.7.4, fourth and fifth step; RFC 5961 section 4.2).
    def ack(listener: Listener, received: Observed) -> Packets:
        if listener.times("ack") > 1:
            return []
        odd = {
            "syn": reply(received, Flags.SYN, seq=320),
            "syn-ack": syn_ack(received, seq=700),
            "ack-of-nothing": reply(received, Flags.ACK, ack=received.segment.seq + 9),
        }
        return [packet(odd[what])]

    found = play(way, tmp_path, Listener(ack=ack), HOLD, may_differ=True)
    assert (found.result.verdict, found.result.close) == (Verdict.OPEN, Close.CLEAN)
    assert found.wire[:3] == [SYN, *OPENED]
    assert found.wire[4:] == ["--> <SEQ=101><ACK=301><CTL=ACK>", *CLOSED]


@pytest.mark.live
@alone
@pytest.mark.parametrize(
    "what",
    [
        "syn",
        "ack-of-nothing",
    ],
)
def test_22_the_result_has_the_state_of_our_own_end(way: Way, what: str, tmp_path: Path) -> None:
    def ack(listener: Listener, received: Observed) -> Packets:
        if listener.times("ack") > 1:
            return []
        beyond = received.segment.seq + 9
        odd = {"syn": (Flags.SYN, 320, None), "ack-of-nothing": (Flags.ACK, 301, beyond)}
        flags, seq, number = odd[what]
        return [packet(reply(received, flags, seq=seq, ack=number))]

    result = play(way, tmp_path, Listener(ack=ack), HOLD, may_differ=True).result
    assert (result.verdict, result.close) == (Verdict.OPEN, Close.CLEAN)
    assert result.client is not None
    assert result.server is not None
    assert result.server.address == result.address
    assert (result.client.state, result.client.fin) == ("TIME-WAIT", 1)


@pytest.mark.live
@every_way
def test_22_a_rst_after_both_fins(way: Way, tmp_path: Path) -> None:
    # The peer closes, and forgets before it has our last ACK: the connection was open anyway.
    def fin(_: Listener, received: Observed) -> Packets:
        return [packet(reply(received, FIN_ACK)), packet(reply(received, RST_ACK, seq=302))]

    # The tracker still looks on when the attempt is over.
    found = play(way, tmp_path, Listener(fin=fin), may_differ=True)
    assert (found.result.verdict, found.result.close) == (Verdict.OPEN, Close.CLEAN)


@pytest.mark.live
@every_way
@pytest.mark.parametrize("acknowledged", [False, True])
def test_22_a_rst_to_our_fin(way: Way, acknowledged: bool, tmp_path: Path) -> None:
    # Our FIN leaves right behind the ACK: that a RST, or an ACK before it, acknowledges it shows
    # that the peer's TCP is there, and no program that wants us.
    def fin(_: Listener, received: Observed) -> Packets:
        early = [packet(reply(received, Flags.ACK))] if acknowledged else []
        return [*early, packet(reply(received, RST_ACK))]

    found = play(way, tmp_path, Listener(fin=fin), Timeouts.of(observe=0))
    assert (found.result.verdict, found.result.close) == (Verdict.RESET, Close.RESET)
    ack = ["<-- <SEQ=301><ACK=102><CTL=ACK>"] if acknowledged else []
    assert found.wire == [SYN, *OPENED, CLOSED[0], *ack, "<-- <SEQ=301><ACK=102><CTL=RST,ACK>"]
    assert (found.result.reason.code, found.result.reason.values) == ("reset", {"accepted": True})
    assert found.result.exit_code == 1


@pytest.mark.live
@every_way
def test_22_a_rst_after_a_word_of_the_peers(way: Way, tmp_path: Path) -> None:
    def fin(_: Listener, received: Observed) -> Packets:
        word = reply(received, Flags.PSH | Flags.ACK, payload=b"no")
        return [packet(word), packet(reply(received, RST_ACK, seq=303))]

    found = play(way, tmp_path, Listener(fin=fin), Timeouts.of(observe=0))
    assert (found.result.verdict, found.result.close) == (Verdict.OPEN, Close.RESET)


@pytest.mark.live
@every_way
@pytest.mark.parametrize("observe", [0, 1.25])
def test_22_a_program_that_closes_at_once(way: Way, observe: float) -> None:
    with pair() as (client, server), serving(server, reset):
        result = way.call(client, server, Timeouts.of(observe=observe))
    assert (result.verdict, result.close) == (Verdict.RESET, Close.RESET)
    assert result.negotiated is not None
