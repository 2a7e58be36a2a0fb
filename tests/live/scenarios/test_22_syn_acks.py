"""Scenario 22, SYN-ACK segments that arrive twice, or bring more than they should."""

from pathlib import Path

import pytest

from handshake.prober import Close, Timeouts, Verdict
from handshake.tcp import Flags, Observed
from tests.live.lab.exchanges import CLEAN, CLOSED, OPENED, SYN
from tests.live.lab.figures import ours, seconds, segments
from tests.live.lab.packets import packet
from tests.live.lab.probing import PORT, Played, Way, codes, every_way, play
from tests.live.lab.scripted_server import ACK, FIN_ACK, Listener, Packets, reply, syn_ack

AGAIN = "--> <SEQ=101><ACK=301><CTL=ACK>"


def opens(found: Played) -> None:
    assert (found.result.verdict, found.result.close) == (Verdict.OPEN, Close.CLEAN)
    assert found.result.syn_sent == 1


@pytest.mark.live
@every_way
def test_22_a_syn_ack_comes_twice(way: Way, tmp_path: Path) -> None:
    # Not acceptable any more: "send an acknowledgment in reply" (RFC 9293 section 3.10.7.4,
    # first step). The peer needs it, if the first one was lost.
    def ack(listener: Listener, received: Observed) -> Packets:
        return [packet(syn_ack(received))] if listener.times("ack") == 1 else []

    found = play(way, tmp_path, Listener(ack=ack), Timeouts.of(hold=0.3))
    opens(found)
    assert found.wire == [
        SYN,
        *OPENED,
        # Figure 6 once more: the peer's ACK answers all that it received, and that is no SYN.
        "<-- <SEQ=300><ACK=101><CTL=SYN,ACK>",
        AGAIN,
        *CLOSED,
    ]
    assert codes(found.result) == {"syn-ack-again"}


@pytest.mark.live
@every_way
def test_22_a_syn_ack_comes_twice_at_once(way: Way, tmp_path: Path) -> None:
    # A network that doubles packets: both are there before anything of ours is.
    def syn(listener: Listener, received: Observed) -> Packets:
        return [*listener.syn(received), *listener.syn(received)]

    found = play(way, tmp_path, Listener(syn=syn), Timeouts.of(hold=0.3))
    opens(found)
    assert ours(found.wire) == [SYN, AGAIN, AGAIN, *ours(CLOSED)]


@pytest.mark.live
@every_way
def test_22_a_storm_of_syn_acks(way: Way, tmp_path: Path) -> None:
    # Each of two eager programs would answer the other for ever: twice a second is enough.
    def ack(listener: Listener, received: Observed) -> Packets:
        if listener.times("ack") > 1:
            return []
        return [packet(syn_ack(received)).later(0.004 * number) for number in range(300)]

    found = play(way, tmp_path, Listener(ack=ack), Timeouts.of(hold=1.5))
    opens(found)
    assert found.wire.count("<-- <SEQ=300><ACK=101><CTL=SYN,ACK>") == 301
    answers = [each for each in segments(found.path) if each.segment.flags == ACK][1:-1]
    assert 2 <= len(answers) <= 4
    gaps = zip(seconds(answers), seconds(answers)[1:], strict=False)
    assert all(later - earlier > 0.4 for earlier, later in gaps)


@pytest.mark.live
@every_way
def test_22_the_syn_ack_comes_again_after_our_fin(way: Way, tmp_path: Path) -> None:
    # The peer has received neither our ACK nor our FIN. The ACK that it gets names both numbers.
    def fin(_: Listener, received: Observed) -> Packets:
        return [packet(syn_ack(received, ack=received.segment.seq))]

    def ack(listener: Listener, received: Observed) -> Packets:
        return [packet(reply(received, FIN_ACK))] if listener.times("ack") == 2 else []

    found = play(way, tmp_path, Listener(fin=fin, ack=ack))
    opens(found)
    assert found.wire == [
        *CLEAN[:4],
        "<-- <SEQ=300><ACK=101><CTL=SYN,ACK>",
        "--> <SEQ=102><ACK=301><CTL=ACK>",
        *CLOSED[1:],
    ]
    assert codes(found.result) == {"syn-ack-again"}


@pytest.mark.live
@every_way
def test_22_a_syn_ack_with_data(way: Way, tmp_path: Path) -> None:
    # Its data is either taken and acknowledged at once, or left for the peer to send again, as
    # Linux does: section 3.10.7.3 lets both be, and the connection opens.
    def syn(_: Listener, received: Observed) -> Packets:
        return [packet(syn_ack(received, payload=b"hello"))]

    def ack(_: Listener, received: Observed) -> Packets:
        taken = received.segment.ack is not None and int(received.segment.ack) >= 306
        return [] if taken else [packet(reply(received, ACK | Flags.PSH, payload=b"hello"))]

    def fin(_: Listener, received: Observed) -> Packets:
        return [packet(reply(received, FIN_ACK, seq=306))]

    found = play(way, tmp_path, Listener(syn=syn, ack=ack, fin=fin))
    opens(found)
    assert found.wire[:2] == [SYN, "<-- <SEQ=300><ACK=101><DATA=5><CTL=SYN,ACK>"]
    assert ours(found.wire)[1] in (AGAIN, "--> <SEQ=101><ACK=306><CTL=ACK>")
    assert ours(found.wire)[-1] == "--> <SEQ=102><ACK=307><CTL=ACK>"
    if not way.many:
        assert found.result.server is not None
        assert found.result.server.bytes == 5


@pytest.mark.live
@every_way
def test_22_a_fin_in_a_syn_ack(way: Way, tmp_path: Path) -> None:
    # Either it is taken (3.10.7.3 goes on at the sixth step), or the peer sends it again.
    def syn(_: Listener, received: Observed) -> Packets:
        return [packet(syn_ack(received, Flags.FIN))]

    def ack(_: Listener, received: Observed) -> Packets:
        again = received.segment.ack is not None and int(received.segment.ack) == 301
        return [packet(reply(received, FIN_ACK))] if again else []

    def fin(_: Listener, received: Observed) -> Packets:
        return [packet(reply(received, ACK, seq=302))]

    found = play(way, tmp_path, Listener(syn=syn, ack=ack, fin=fin))
    opens(found)
    assert found.wire[:2] == [SYN, "<-- <SEQ=300><ACK=101><CTL=SYN,FIN,ACK>"]
    assert [each for each in ours(found.wire) if "<ACK=302>" in each]


@pytest.mark.live
@every_way
@pytest.mark.parametrize(
    "more",
    [
        Flags.URG,
        Flags.PSH,
        Flags.ECE,
        Flags.CWR,
        Flags.ECE | Flags.CWR,
        Flags.AE,
        Flags.AE | Flags.CWR | Flags.ECE,
    ],
    ids=str,
)
def test_22_a_syn_ack_with_other_bits(way: Way, more: Flags, tmp_path: Path) -> None:
    # Without a request there is no ECN, whatever the answer (RFC 3168 section 6.1.1).
    def syn(_: Listener, received: Observed) -> Packets:
        return [packet(syn_ack(received, more, urgent=9))]

    found = play(way, tmp_path, Listener(syn=syn))
    opens(found)
    assert ours(found.wire) == ours(CLEAN)
    assert found.result.negotiated is not None
    assert found.result.negotiated.ecn is False


@pytest.mark.live
@every_way
@pytest.mark.parametrize("reserved", [1, 7])
def test_22_a_syn_ack_with_reserved_bits(way: Way, reserved: int, tmp_path: Path) -> None:
    # "Must be ignored in received segments" (section 3.1).
    def syn(_: Listener, received: Observed) -> Packets:
        return [packet(syn_ack(received, reserved=reserved))]

    found = play(way, tmp_path, Listener(syn=syn))
    opens(found)
    assert found.wire == CLEAN
    mine = [each.segment for each in segments(found.path) if each.segment.destination.port == PORT]
    assert [each.reserved for each in mine] == [0] * 4


@pytest.mark.live
@every_way
def test_22_a_syn_ack_with_a_closed_window(way: Way, tmp_path: Path) -> None:
    # It opens all the same. Our FIN takes a number, for which there is no room: the peer answers
    # what it cannot take (section 3.10.7.4, first step), and takes it when it comes again.
    def syn(_: Listener, received: Observed) -> Packets:
        return [packet(syn_ack(received, window=0))]

    def fin(listener: Listener, received: Observed) -> Packets:
        if listener.times("fin") == 1:
            return [packet(reply(received, ACK, ack=received.segment.seq, window=0))]
        return listener.fin(received)

    found = play(way, tmp_path, Listener(syn=syn, fin=fin), Timeouts.of(rto=0.2))
    opens(found)
    assert found.wire == [
        *CLEAN[:4],
        "<-- <SEQ=301><ACK=101><CTL=ACK>",
        *CLOSED,
    ]
