"""Scenario 22, checksums: what arrives damaged has not arrived (RFC 9293 section 3.1)."""

from pathlib import Path

import pytest

from handshake.prober import Close, Timeouts, Verdict
from handshake.tcp import Observed
from tests.live.lab.exchanges import CLEAN, CLOSED, OPENED, SYN
from tests.live.lab.packets import packet
from tests.live.lab.probing import Way, codes, every_way, play
from tests.live.lab.scripted_server import RST, RST_ACK, Listener, Packets, reply, syn_ack

QUICK = Timeouts.of(timeout=0.9, rto=0.2)


@pytest.mark.live
@every_way
def test_22_a_damaged_syn_ack(way: Way, tmp_path: Path) -> None:
    def syn(listener: Listener, received: Observed) -> Packets:
        return [packet(syn_ack(received), spoiled=listener.times("syn") == 1)]

    found = play(way, tmp_path, Listener(syn=syn), QUICK)
    assert (found.result.verdict, found.result.close) == (Verdict.OPEN, Close.CLEAN)
    assert found.wire == [SYN, OPENED[0], *CLEAN]
    assert codes(found.result) == {"bad-checksum", "syn-retransmitted"}
    assert found.result.syn_sent == 2
    # Without time stamps it is unknown which SYN was answered; the damaged answer is not counted.
    assert found.result.rtt_ambiguous
    assert found.result.rtt is not None
    assert found.result.rtt < 0.1


@pytest.mark.live
@every_way
@pytest.mark.parametrize("name", ["syn-ack", "rst"])
def test_22_a_damaged_answer_every_time(way: Way, name: str, tmp_path: Path) -> None:
    def syn(_: Listener, received: Observed) -> Packets:
        answer = syn_ack(received) if name == "syn-ack" else reply(received, RST_ACK, seq=0)
        return [packet(answer, spoiled=True)]

    found = play(way, tmp_path, Listener(syn=syn), QUICK)
    assert (found.result.verdict, found.result.rtt) == (Verdict.FILTERED, None)
    assert codes(found.result) == {"bad-checksum"}
    assert [each for each in found.wire if each.startswith("-->")] == [SYN] * 3


@pytest.mark.live
@every_way
def test_22_a_damaged_rst_once_it_is_open(way: Way, tmp_path: Path) -> None:
    def ack(_: Listener, received: Observed) -> Packets:
        return [packet(reply(received, RST), spoiled=True)]

    found = play(way, tmp_path, Listener(ack=ack), Timeouts.of(hold=0.2))
    assert (found.result.verdict, found.result.close) == (Verdict.OPEN, Close.CLEAN)
    assert found.wire[:7] == [SYN, *OPENED, "<-- <SEQ=301><CTL=RST>", *CLOSED]
    assert codes(found.result) == {"bad-checksum"}


@pytest.mark.live
@pytest.mark.parametrize("way", [Way(4), Way(4, many=True)], ids=str)
@pytest.mark.parametrize("name", ["syn-ack", "rst"])
def test_22_a_damaged_ip_header(way: Way, name: str, tmp_path: Path) -> None:
    # "MUST verify the IP header checksum on every received datagram and silently discard" those
    # that have a bad one (RFC 1122 section 3.2.1.2). IPv6 has none.
    def syn(listener: Listener, received: Observed) -> Packets:
        answer = syn_ack(received) if name == "syn-ack" else reply(received, RST_ACK, seq=0)
        if listener.times("syn") == 1:
            octets = packet(answer).octets
            # Of the type of service the TCP checksum knows nothing.
            return [packet(answer).with_octets(octets[:1] + b"\x20" + octets[2:])]
        return listener.syn(received)

    found = play(way, tmp_path, Listener(syn=syn), QUICK)
    assert (found.result.verdict, found.result.close) == (Verdict.OPEN, Close.CLEAN)
    assert found.result.syn_sent == 2
