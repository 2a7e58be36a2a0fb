"""Scenario 22, ICMP errors: whose are believed, and when (RFC 5927, RFC 9293 section 3.9.2.2)."""

from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

import pytest

from handshake.packet.checksum import Address
from handshake.prober import Close, Timeouts, Verdict
from handshake.tcp import Observed
from tests.live.lab.exchanges import CLEAN, CLOSED, OPENED, SYN
from tests.live.lab.packets import icmp
from tests.live.lab.probing import Way, codes, every_way, play
from tests.live.lab.scripted_server import Listener, Packets

HARD = {4: (3, 3), 6: (1, 4)}
"""Port unreachable, by the version of IP."""

TOO_BIG = {4: (3, 4), 6: (2, 0)}
"""Fragmentation needed, packet too big."""

ROUTER: dict[int, Address] = {4: IPv4Address("192.0.2.1"), 6: IPv6Address("2001:db8::1")}
"""A router on the path."""

WORDS = {
    HARD[4]: "port unreachable (ICMP 3/3)",
    HARD[6]: "port unreachable (ICMPv6 1/4)",
    TOO_BIG[4]: "fragmentation needed (ICMP 3/4)",
    TOO_BIG[6]: "packet too big (ICMPv6 2/0)",
}


@pytest.mark.live
@every_way
@pytest.mark.parametrize("ahead", [-1, 1, 100_000])
@pytest.mark.parametrize("by", ["peer", "router"])
def test_22_an_icmp_error_that_quotes_another_number(
    way: Way, ahead: int, by: str, tmp_path: Path
) -> None:
    # Who did not see our SYN cannot know its number (RFC 5927 section 4.1).
    def syn(listener: Listener, received: Observed) -> Packets:
        seg = received.segment
        sender = seg.destination.address if by == "peer" else ROUTER[way.version]
        error = icmp(received, *HARD[way.version], sender=sender, seq=seg.seq + ahead)
        return [error, *listener.syn(received)]

    found = play(way, tmp_path, Listener(syn=syn))
    assert (found.result.verdict, found.result.close) == (Verdict.OPEN, Close.CLEAN)
    assert found.result.icmp is None
    assert found.wire[0] == SYN
    assert found.wire[1].endswith(f"{WORDS[HARD[way.version]]} of <SEQ={100 + ahead}>")
    assert found.wire[2:] == CLEAN[1:]
    assert codes(found.result) == {"foreign-icmp"}


@pytest.mark.live
@every_way
def test_22_an_icmp_error_about_another_connection(way: Way, tmp_path: Path) -> None:
    def syn(listener: Listener, received: Observed) -> Packets:
        error = icmp(received, *HARD[way.version], sender=ROUTER[way.version])
        at = error.octets.index(received.segment.pack()[:8])
        octets = error.octets[:at] + b"\x04\x01" + error.octets[at + 2 :]
        return [error.with_octets(octets), *listener.syn(received)]

    found = play(way, tmp_path, Listener(syn=syn))
    assert (found.result.verdict, found.result.close) == (Verdict.OPEN, Close.CLEAN)
    assert codes(found.result) == set()


@pytest.mark.live
@every_way
@pytest.mark.parametrize("by", ["peer", "router"])
@pytest.mark.parametrize("quoted", [None, 8])
def test_22_an_icmp_error_that_quotes_our_syn(
    way: Way, by: str, quoted: int | None, tmp_path: Path
) -> None:
    # Eight octets of the segment are enough to know it by (RFC 792).
    def syn(_: Listener, received: Observed) -> Packets:
        address = received.segment.destination.address
        sender = address if by == "peer" else ROUTER[way.version]
        return [icmp(received, *HARD[way.version], sender=sender, quoted=quoted)]

    found = play(way, tmp_path, Listener(syn=syn))
    assert (found.result.verdict, found.result.syn_sent) == (Verdict.UNREACHABLE, 1)
    assert found.result.icmp is not None
    assert (found.result.icmp.type, found.result.icmp.code) == HARD[way.version]
    output = WORDS[HARD[way.version]]
    who = "the host itself" if by == "peer" else str(ROUTER[way.version])
    assert str(found.result.reason) == f"{who} reports: {output}"
    assert len(found.wire) == 2
    assert found.wire[1].endswith(f"says {output} of <SEQ=100>")


@pytest.mark.live
@every_way
def test_22_a_packet_too_big_does_not_end_a_probe(way: Way, tmp_path: Path) -> None:
    # A SYN is as small as can be: that it is too big says nothing about the host.
    def syn(listener: Listener, received: Observed) -> Packets:
        error = icmp(received, *TOO_BIG[way.version], sender=ROUTER[way.version])
        return [error, *listener.syn(received)]

    found = play(way, tmp_path, Listener(syn=syn))
    assert (found.result.verdict, found.result.close) == (Verdict.OPEN, Close.CLEAN)
    assert codes(found.result) == {"icmp"}


@pytest.mark.live
@pytest.mark.parametrize("way", [Way(4), Way(4, many=True)], ids=str)
def test_22_a_source_quench(way: Way, tmp_path: Path) -> None:
    # "MUST silently discard any received ICMP Source Quench messages" (RFC 9293 section 3.9.2.2).
    def syn(listener: Listener, received: Observed) -> Packets:
        return [icmp(received, 4, 0, sender=ROUTER[4]), *listener.syn(received)]

    found = play(way, tmp_path, Listener(syn=syn))
    assert (found.result.verdict, found.result.close) == (Verdict.OPEN, Close.CLEAN)
    assert codes(found.result) == set()


@pytest.mark.live
@every_way
def test_22_an_icmp_error_once_it_is_open(way: Way, tmp_path: Path) -> None:
    # In a synchronized state even a hard error is only taken note of (RFC 5927 section 5.2).
    syns = []

    def syn(listener: Listener, received: Observed) -> Packets:
        syns.append(received)
        return listener.syn(received)

    def ack(listener: Listener, received: Observed) -> Packets:
        if listener.times("ack") > 1:
            return []
        return [icmp(syns[0], *HARD[way.version], sender=received.segment.destination.address)]

    found = play(way, tmp_path, Listener(syn=syn, ack=ack), Timeouts.of(hold=0.2))
    assert (found.result.verdict, found.result.close) == (Verdict.OPEN, Close.CLEAN)
    assert found.result.icmp is None
    assert found.wire[:3] == [SYN, *OPENED]
    assert found.wire[3].endswith("of <SEQ=100>")
    assert found.wire[4:] == CLOSED
    assert codes(found.result) == {"icmp"}


@pytest.mark.live
@every_way
def test_22_an_icmp_error_that_quotes_our_fin(way: Way, tmp_path: Path) -> None:
    # Ours is what lies in SND.UNA =< SEG.SEQ < SND.NXT (RFC 5927 section 4.1).
    def fin(listener: Listener, received: Observed) -> Packets:
        error = icmp(received, *HARD[way.version], sender=received.segment.destination.address)
        return [error, *listener.fin(received)]

    found = play(way, tmp_path, Listener(fin=fin))
    assert (found.result.verdict, found.result.close) == (Verdict.OPEN, Close.CLEAN)
    assert found.wire[4].endswith("of <SEQ=101>")
    assert codes(found.result) == {"icmp"}


@pytest.mark.live
@every_way
def test_22_a_damaged_icmp_error(way: Way, tmp_path: Path) -> None:
    # A receiver checks the checksum of ICMP, too (RFC 1122 section 3.2.2, RFC 4443 section 2.3).
    def syn(listener: Listener, received: Observed) -> Packets:
        sender = received.segment.destination.address
        error = icmp(received, *HARD[way.version], sender=sender)
        at = 22 if way.version == 4 else 42
        octets = bytearray(error.octets)
        octets[at] ^= 0xFF
        return [error.with_octets(bytes(octets)), *listener.syn(received)]

    found = play(way, tmp_path, Listener(syn=syn))
    assert (found.result.verdict, found.result.close) == (Verdict.OPEN, Close.CLEAN)
