"""Scenario 21: a SYN-ACK, or an ACK, of what we did not send (RFC 9293 section 3.10.7.3)."""

from pathlib import Path

import pytest

from handshake.prober import Close, Timeouts, Verdict
from handshake.tcp import Observed
from tests.live.lab.exchanges import CLEAN, SYN
from tests.live.lab.figures import ours
from tests.live.lab.packets import packet
from tests.live.lab.probing import Way, alone, codes, every_way, play
from tests.live.lab.scripted_server import ACK, ISS, Listener, Packets, reply, syn_ack

QUICK = Timeouts.of(timeout=1.5, rto=0.2)


def listener_that_is_wrong(ahead: int, *, always: bool) -> Listener:
    def syn(listener: Listener, received: Observed) -> Packets:
        if listener.times("syn") == 1 or always:
            return [packet(syn_ack(received, ack=received.segment.seq + ahead))]
        return listener.syn(received)

    return Listener(syn=syn)


@pytest.mark.live
@every_way
@pytest.mark.parametrize("ahead", [0, 2, 5000, -1])
def test_21_wrong_ack_once(way: Way, ahead: int, tmp_path: Path) -> None:
    # "If SEG.ACK =< ISS or SEG.ACK > SND.NXT, send a reset": <SEQ=SEG.ACK><CTL=RST>, and no ACK.
    # The connection stays in SYN-SENT, and our SYN is sent again at once, as Linux does.
    listener = listener_that_is_wrong(ahead, always=False)
    found = play(way, tmp_path, listener, QUICK, resets=True)
    assert (found.result.verdict, found.result.close) == (Verdict.OPEN, Close.CLEAN)
    assert found.wire == [
        SYN,
        f"<-- <SEQ=300><ACK={100 + ahead}><CTL=SYN,ACK>",
        f"--> <SEQ={100 + ahead}><CTL=RST>",
        *CLEAN,
    ]
    assert found.result.syn_sent == 2
    assert codes(found.result) == {"wrong-ack", "syn-retransmitted"}


@pytest.mark.live
@every_way
@pytest.mark.parametrize("ahead", [0, 5000])
def test_21_wrong_ack_always(way: Way, ahead: int, tmp_path: Path) -> None:
    listener = listener_that_is_wrong(ahead, always=True)
    found = play(way, tmp_path, listener, QUICK, resets=True)
    assert (found.result.verdict, found.result.close) == (Verdict.BAD_PEER, None)
    assert found.result.verdict.exit_code == 1
    assert found.result.reason.code == "bad-peer"
    assert codes(found.result) == {"wrong-ack"}
    assert found.result.syn_sent == 3
    assert found.wire.count(SYN) == 3
    # The second SYN leaves at once, as Linux's, and the third after 0.4 s: a reset is sent twice a
    # second at most.
    resets = [each for each in ours(found.wire) if each != SYN]
    assert set(resets) == {f"--> <SEQ={100 + ahead}><CTL=RST>"}
    assert 1 <= len(resets) <= 2


@pytest.mark.live
@every_way
def test_21_a_bare_ack_of_what_we_did_not_send(way: Way, tmp_path: Path) -> None:
    # Figure 9: the peer still has an older connection on these ports. Our reset frees it.
    def syn(listener: Listener, received: Observed) -> Packets:
        if listener.times("syn") == 1:
            return [packet(reply(received, ACK, seq=ISS, ack=received.segment.seq - 40))]
        return listener.syn(received)

    found = play(way, tmp_path, Listener(syn=syn), QUICK, resets=True)
    assert (found.result.verdict, found.result.close) == (Verdict.OPEN, Close.CLEAN)
    assert found.wire == [
        SYN,
        "<-- <SEQ=300><ACK=60><CTL=ACK>",
        "--> <SEQ=60><CTL=RST>",
        *CLEAN,
    ]
    assert codes(found.result) == {"wrong-ack", "syn-retransmitted"}


@pytest.mark.live
@every_way
def test_21_a_bare_ack_of_our_syn(way: Way, tmp_path: Path) -> None:
    # "If neither of the SYN or RST bits is set, then drop the segment" (fifth step).
    def syn(listener: Listener, received: Observed) -> Packets:
        return [packet(reply(received, ACK, seq=ISS)), *listener.syn(received)]

    found = play(way, tmp_path, Listener(syn=syn), may_differ=True)
    assert (found.result.verdict, found.result.close) == (Verdict.OPEN, Close.CLEAN)
    assert found.wire == [SYN, "<-- <SEQ=300><ACK=101><CTL=ACK>", *CLEAN[1:]]


def acknowledging(_: Listener, received: Observed) -> Packets:
    return [packet(reply(received, ACK, seq=ISS))]


@pytest.mark.live
@every_way
def test_21_a_bare_ack_of_our_syn_every_time(way: Way, tmp_path: Path) -> None:
    # It is dropped, and so nothing opens; but the host is there, and says so.
    found = play(way, tmp_path, Listener(syn=acknowledging), QUICK, may_differ=True)
    assert found.wire == [SYN, "<-- <SEQ=300><ACK=101><CTL=ACK>"] * 3
    assert found.result.verdict is not Verdict.OPEN
    assert found.result.reason.code != "filtered.silent"


@pytest.mark.live
@alone
def test_21_the_result_has_us_in_syn_sent(way: Way, tmp_path: Path) -> None:
    found = play(way, tmp_path, Listener(syn=acknowledging), QUICK, may_differ=True)
    assert found.result.client is not None
    assert found.result.client.state == "SYN-SENT"
