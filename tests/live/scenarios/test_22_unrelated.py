"""Scenario 22, who answers, and how IP carries it: other addresses, options, fragments."""

from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

import pytest

from handshake.packet.checksum import Address
from handshake.prober import Close, Timeouts, Verdict
from handshake.tcp import Endpoint, Observed
from tests.live.lab.exchanges import CLEAN, SYN
from tests.live.lab.figures import segments
from tests.live.lab.packets import Packet, extension, fragments, packet
from tests.live.lab.probing import Way, codes, every_way, play
from tests.live.lab.scripted_server import RST_ACK, Listener, Packets, reply, syn_ack

OTHER: dict[int, Address] = {4: IPv4Address("10.77.0.9"), 6: IPv6Address("fd77::9")}
V4 = pytest.mark.parametrize("way", [Way(4), Way(4, many=True)], ids=str)
V6 = pytest.mark.parametrize("way", [Way(6), Way(6, many=True)], ids=str)


def by_a_stranger(way: Way, received: Observed, what: str, stranger: str) -> Packet:
    seg = syn_ack(received) if what == "syn-ack" else reply(received, RST_ACK, seq=0)
    here = seg.source
    if stranger == "port":
        return packet(replace(seg, source=Endpoint(here.address, here.port + 1)))
    if stranger == "address":
        return packet(replace(seg, source=Endpoint(OTHER[way.version], here.port)))
    return packet(replace(seg, destination=Endpoint(seg.destination.address, 4)))


@pytest.mark.live
@every_way
@pytest.mark.parametrize("what", ["syn-ack", "rst"])
@pytest.mark.parametrize("stranger", ["port", "address", "our-port"])
def test_22_an_answer_from_elsewhere(way: Way, what: str, stranger: str, tmp_path: Path) -> None:
    # A connection is known by both ends (RFC 9293 section 3.3.1): to ours it says nothing.
    def syn(listener: Listener, received: Observed) -> Packets:
        return [by_a_stranger(way, received, what, stranger), *listener.syn(received)]

    found = play(way, tmp_path, Listener(syn=syn))
    assert (found.result.verdict, found.result.close) == (Verdict.OPEN, Close.CLEAN)
    assert codes(found.result) == set()
    ports = {each.segment.destination.port for each in segments(found.path)}
    if stranger != "our-port":  # there the kernel answers with RST, as it should
        assert found.wire == [SYN, found.wire[1], *CLEAN[1:]]
        assert len(ports) == 2


@pytest.mark.live
@every_way
@pytest.mark.parametrize("stranger", ["port", "address"])
def test_22_an_answer_from_elsewhere_alone(way: Way, stranger: str, tmp_path: Path) -> None:
    def syn(_: Listener, received: Observed) -> Packets:
        return [by_a_stranger(way, received, "syn-ack", stranger)]

    found = play(way, tmp_path, Listener(syn=syn), Timeouts.of(timeout=0.5, rto=0.2, retries=1))
    assert (found.result.verdict, found.result.syn_sent) == (Verdict.FILTERED, 2)
    assert [each for each in found.wire if each.startswith("-->")] == [SYN, SYN]


@pytest.mark.live
@every_way
@pytest.mark.parametrize("traffic_class", [0x01, 0x03, 0xB8, 0xFF])
@pytest.mark.parametrize("ttl", [1, 255])
def test_22_any_type_of_service_and_hop_limit(
    way: Way, traffic_class: int, ttl: int, tmp_path: Path
) -> None:
    # The mark of congestion among it: we have not agreed on ECN.
    def syn(_: Listener, received: Observed) -> Packets:
        return [packet(syn_ack(received), traffic_class=traffic_class, ttl=ttl)]

    found = play(way, tmp_path, Listener(syn=syn))
    assert (found.result.verdict, found.result.close) == (Verdict.OPEN, Close.CLEAN)
    assert found.result.ttl == ttl
    assert found.wire == CLEAN


@pytest.mark.live
@every_way
def test_22_padding_behind_the_packet(way: Way, tmp_path: Path) -> None:
    # Ethernet fills short frames up, with whatever lay in the buffer: it is no data.
    def padded(correct: Packets) -> Packets:
        return [each.with_octets(each.octets + b"leaked") for each in correct]

    listener = Listener(
        syn=lambda listener, received: padded(listener.syn(received)),
        fin=lambda listener, received: padded(listener.fin(received)),
    )
    found = play(way, tmp_path, listener)
    assert (found.result.verdict, found.result.close) == (Verdict.OPEN, Close.CLEAN)
    assert found.wire == CLEAN


@pytest.mark.live
@V4
@pytest.mark.parametrize("above", [b"\x01" * 4, b"\x94\x04\0\0", b"\x01" * 40])
def test_22_options_of_ipv4(way: Way, above: bytes, tmp_path: Path) -> None:
    def syn(_: Listener, received: Observed) -> Packets:
        return [packet(syn_ack(received), above=above)]

    found = play(way, tmp_path, Listener(syn=syn))
    assert (found.result.verdict, found.result.close) == (Verdict.OPEN, Close.CLEAN)
    assert found.wire == CLEAN


@pytest.mark.live
@V6
@pytest.mark.parametrize("kind", [0, 44, 60])
def test_22_extension_headers_of_ipv6(way: Way, kind: int, tmp_path: Path) -> None:
    # Hop-by-hop options, a fragment that is all of its packet (RFC 6946), destination options.
    def syn(_: Listener, received: Observed) -> Packets:
        return [packet(syn_ack(received), above=extension(kind))]

    found = play(way, tmp_path, Listener(syn=syn))
    assert (found.result.verdict, found.result.close) == (Verdict.OPEN, Close.CLEAN)
    assert found.wire == CLEAN


@pytest.mark.live
@every_way
@pytest.mark.parametrize("turned", [False, True])
def test_22_a_syn_ack_in_fragments(way: Way, turned: bool, tmp_path: Path) -> None:
    # Every host puts fragments together (RFC 1122 section 3.3.2, RFC 8200 section 4.5).
    def syn(_: Listener, received: Observed) -> Packets:
        parts = fragments(packet(syn_ack(received)))
        return parts[::-1] if turned else parts

    found = play(way, tmp_path, Listener(syn=syn), Timeouts.of(timeout=0.5, retries=0))
    assert found.wire[:2] == CLEAN[:2]
    assert (found.result.verdict, found.result.close) == (Verdict.OPEN, Close.CLEAN)


@pytest.mark.live
@every_way
def test_22_a_first_fragment_alone_is_no_answer(way: Way, tmp_path: Path) -> None:
    # It has the whole header, and yet its packet has not arrived.
    def syn(listener: Listener, received: Observed) -> Packets:
        if listener.times("syn") == 1:
            return fragments(packet(syn_ack(received, payload=bytes(40))), 40)[:1]
        return listener.syn(received)

    found = play(way, tmp_path, Listener(syn=syn), Timeouts.of(rto=0.2))
    assert (found.result.verdict, found.result.close) == (Verdict.OPEN, Close.CLEAN)
    assert found.result.syn_sent == 2
