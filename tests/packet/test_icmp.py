from __future__ import annotations

from dataclasses import replace

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import ICMPv6DestUnreach, ICMPv6PacketTooBig, IPv6

from handshake.packet.icmp import quoted
from handshake.packet.ip import Datagram
from handshake.tcp import Endpoint, Seq
from handshake.tcp.icmp import IcmpError

SYN = TCP(sport=40000, dport=80, seq=1234, flags="S")
QUOTED = IP(src="192.0.2.1", dst="198.51.100.1") / SYN
QUOTED6 = IPv6(src="2001:db8::1", dst="2001:db8::2") / SYN
ROUTER = IP(src="203.0.113.1", dst="192.0.2.1")
ROUTER6 = IPv6(src="2001:db8::9", dst="2001:db8::1")


def parse(packet: IP | IPv6, cut: int | None = None) -> IcmpError | None:
    return quoted(Datagram.parse(bytes(packet)[:cut]), 5)


def test_an_error_has_sender_meaning_and_segment() -> None:
    error = parse(ROUTER / ICMP(type=3, code=13) / bytes(QUOTED))
    assert error is not None
    assert (error.version, error.type, error.code, str(error.sender)) == (4, 3, 13, "203.0.113.1")
    assert error.source == Endpoint.of("192.0.2.1", 40000)
    assert error.destination == Endpoint.of("198.51.100.1", 80)
    assert (error.seq, error.at) == (Seq(1234), 5)
    assert str(error) == "communication administratively prohibited (ICMP 3/13)"


def test_an_error_keeps_its_octets_and_is_the_same_without_them() -> None:
    packet = bytes(ROUTER / ICMP(type=3, code=1) / bytes(QUOTED))
    error = quoted(Datagram.parse(packet + b"padding"))
    assert error is not None
    assert error.packet == packet
    bare = replace(error, packet=b"")
    assert (error, hash(error)) == (bare, hash(bare))
    assert repr(error) == repr(bare)


def test_eight_octets_of_the_segment_are_enough() -> None:
    error = parse(ROUTER / ICMP(type=3, code=1) / bytes(QUOTED)[:28])
    assert error is not None
    assert error.seq == Seq(1234)
    assert parse(ROUTER / ICMP(type=3, code=1) / bytes(QUOTED)[:27]) is None


def test_icmpv6_has_numbers_of_its_own() -> None:
    error = parse(ROUTER6 / ICMPv6DestUnreach(code=3) / bytes(QUOTED6))
    assert error is not None
    assert str(error) == "address unreachable (ICMPv6 1/3)"
    assert error.unreachable


@pytest.mark.parametrize(
    "packet",
    [
        ROUTER / ICMP(type=8) / bytes(QUOTED),
        ROUTER / ICMP(type=3) / bytes(IP() / UDP()),
        ROUTER / ICMP(type=3) / b"",
        ROUTER / ICMP(type=3) / (b"\x40" + bytes(40)),
        ROUTER / SYN,
    ],
)
def test_what_is_no_error_about_a_segment_is_none(packet: IP) -> None:
    assert parse(packet) is None


def test_an_error_that_is_cut_anywhere_does_no_harm() -> None:
    whole = ROUTER / ICMP(type=3, code=1) / bytes(QUOTED)
    for length in range(20, len(bytes(whole))):
        parse(whole, length)


def test_a_packet_that_is_too_big_is_not_unreachable() -> None:
    small = parse(ROUTER / ICMP(type=3, code=4) / bytes(QUOTED))
    big = parse(ROUTER6 / ICMPv6PacketTooBig() / bytes(QUOTED6))
    assert small is not None
    assert big is not None
    assert not small.unreachable
    assert not big.unreachable


@pytest.mark.parametrize(
    ("version", "kind", "code", "words"),
    [
        (4, 3, 99, "type 3, code 99"),
        (4, 11, 0, "time to live exceeded in transit"),
        (4, 11, 1, "fragment reassembly time exceeded"),
        (4, 11, 9, "time exceeded"),
        (4, 12, 0, "parameter problem"),
        (6, 1, 0, "no route to destination"),
        (6, 2, 0, "packet too big"),
        (6, 3, 0, "time to live exceeded in transit"),
        (6, 4, 1, "parameter problem"),
    ],
)
def test_words(version: int, kind: int, code: int, words: str) -> None:
    ends = (Endpoint.of("192.0.2.1", 1), Endpoint.of("192.0.2.2", 2))
    error = IcmpError(version, kind, code, ends[0].address, *ends, Seq(1))
    assert error.meaning == words
