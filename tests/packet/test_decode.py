from __future__ import annotations

import struct
from dataclasses import replace
from typing import Any

import pytest
from scapy.config import conf
from scapy.layers.dot11 import Dot11, Dot11QoS
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import (
    ICMPv6DestUnreach,
    IPv6,
    IPv6ExtHdrFragment,
    IPv6ExtHdrHopByHop,
)
from scapy.layers.l2 import LLC, SNAP, Ether

from handshake.packet import scapy_codec
from handshake.packet.decode import Decoder
from handshake.packet.frame import Frame
from handshake.tcp import Observed, Segment
from handshake.tcp.icmp import IcmpError
from tests.errors import coded
from tests.packet import wrapped
from tests.packet.frames import DATA, SYN, found, seen
from tests.packet.wrapped import ETHER, OUTER, OUTER6, V4, V6
from tests.segments import A, B, segment


def is_same(observed: Observed | None, expected: Segment) -> bool:
    """Whether all but the checksum is as expected."""
    return observed is not None and replace(observed.segment, checksum=0) == expected


def skipped(
    code: str, why: str = "", *, count: int = 1, first: int = 7
) -> tuple[str, dict[str, object]]:
    return f"skipped.{code}", {"count": count, "why": why, "first": first}


def test_what_is_observed() -> None:
    packet = Ether() / scapy_codec.packet(SYN, ttl=55)
    observed, warnings = seen(packet)
    octets = bytes(packet)
    assert is_same(observed, SYN)
    assert observed == Observed(
        segment=observed.segment if observed else SYN,
        at=1_000,
        frame=7,
        length=len(octets),
        ttl=55,
        checksum_ok=True,
        packet=octets[14:],
    )
    assert warnings == []


@pytest.mark.parametrize(("link_type", "packet", "via"), wrapped.ALL)
def test_whatever_a_segment_is_wrapped_in(
    link_type: int, packet: Any, via: tuple[str, ...]
) -> None:
    observed, warnings = seen(packet, link_type)
    assert observed is not None
    assert replace(observed.segment, source=A, destination=B, checksum=0) == replace(
        SYN, source=A, destination=B
    )
    assert (observed.via, observed.checksum_ok, warnings) == (via, True, [])


@pytest.mark.parametrize(("link_type", "packet", "via"), wrapped.ALL)
def test_cut_anywhere_it_is_no_other_segment(
    link_type: int, packet: Any, via: tuple[str, ...]
) -> None:
    for captured in range(len(bytes(packet))):
        observed, warnings = seen(packet, link_type, captured=captured)
        assert observed is None or observed.via == via
        assert len(warnings) <= 1


@pytest.mark.parametrize("packet", [
    OUTER / ICMP(type=3) / bytes(OUTER / UDP()),
    OUTER / UDP() / b"no TCP",
    OUTER / ICMP(),
])  # fmt: skip
def test_what_is_no_segment(packet: Any) -> None:
    assert found(Ether() / packet) == (None, [])


def test_the_padding_of_ethernet_is_no_payload() -> None:
    observed, _ = seen(bytes(Ether() / scapy_codec.packet(segment("<SEQ=1><CTL=ACK>"))) + bytes(6))
    assert observed is not None
    assert (observed.segment.payload_length, observed.length) == (0, 60)
    assert observed.checksum_ok is True


def test_a_wrong_checksum_is_reported() -> None:
    octets = bytearray(bytes(Ether() / V4))
    octets[-1] ^= 1
    observed, _ = seen(bytes(octets))
    assert observed is not None
    assert observed.checksum_ok is False


@pytest.mark.parametrize("captured", [14 + 20 + 20, 14 + 20 + 23])
def test_a_cut_packet_has_its_length_but_no_verdict_on_its_checksum(captured: int) -> None:
    observed, warnings = seen(Ether() / scapy_codec.packet(DATA), captured=captured)
    assert observed is not None
    assert observed.segment.payload_length == 7
    assert observed.segment.payload == b"xxxxxxx"[: captured - 54]
    assert observed.checksum_ok is None
    assert warnings == []


@pytest.mark.parametrize("captured", [14 + 20, 14 + 20 + 19])
def test_less_than_a_header_is_counted(captured: int) -> None:
    observed, warnings = seen(Ether() / V4, captured=captured)
    assert observed is None
    assert warnings == [skipped("short")]


def test_less_than_an_ip_header_is_counted() -> None:
    observed, warnings = seen(V4, 101, captured=19)
    assert observed is None
    assert warnings == [skipped("truncated")]


def test_what_scapy_stumbles_over_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    def stumble(octets: bytes) -> None:
        raise RecursionError(octets)

    seen(V4, 192)  # loads the layer that is replaced
    monkeypatch.setitem(conf.l2types.num2layer, 192, stumble)
    observed, warnings = seen(V4, 192)
    assert observed is None
    assert warnings == [skipped("malformed", "Scapy failed: RecursionError")]


def test_an_offloaded_packet_without_a_length() -> None:
    packet = scapy_codec.packet(replace(DATA, payload=b"x" * 70_000, payload_length=70_000))
    packet.len, packet[TCP].chksum = 0, 0
    observed, _ = seen(Ether() / packet)
    assert observed is not None
    assert observed.segment.payload_length == 70_000


@pytest.mark.parametrize("packet", [
    IP(flags="MF") / TCP(),
    IPv6() / IPv6ExtHdrFragment(m=1) / TCP(),
])  # fmt: skip
def test_fragments_are_counted(packet: Any) -> None:
    observed, warnings = seen(Ether() / packet)
    assert observed is None
    assert warnings == [("skipped.fragments", {"count": 1, "first": 7})]


def test_warnings_count() -> None:
    decoder = Decoder()
    for number, link_type in enumerate((6, 1, 6, 9999, 6), start=1):
        assert decoder.observed(Frame(number, 0, 0, link_type, 0, b"", 0)) is None
    assert coded(decoder.warnings) == [
        skipped("link-type", "6 (Token Ring)", count=3, first=1),
        skipped("truncated", first=2),
        skipped("link-type", "9999", first=4),
    ]


def test_a_malformed_ip_header_is_reported() -> None:
    observed, warnings = seen(Ether() / IP(ihl=4, proto=6) / TCP())
    assert observed is None
    assert warnings == [skipped("malformed", "inconsistent lengths in the IP header")]


@pytest.mark.parametrize("error", [
    OUTER / ICMP(type=3, code=1) / V4,
    OUTER / ICMP(type=11) / V4,
    OUTER6 / ICMPv6DestUnreach() / V6,
    OUTER6 / ICMPv6DestUnreach() / IPv6(nh=0) / IPv6ExtHdrHopByHop() / TCP(seq=100),
], ids=lambda error: error.summary())  # fmt: skip
def test_a_segment_quoted_in_an_icmp_error_is_named(error: Any) -> None:
    what, warnings = found(ETHER / error)
    assert isinstance(what, IcmpError)
    assert (what.seq, what.at, what.frame) == (SYN.seq, 1_000, 7)
    assert str(what.sender) == error.src
    assert warnings == []


def test_unreadable_frames_are_counted() -> None:
    observed, warnings = seen(Dot11(type=2, FCfield="protected") / LLC() / SNAP() / V4, 105)
    assert observed is None
    assert warnings == [skipped("encrypted")]


def test_scapy_finds_the_packet_where_a_link_is_rare() -> None:
    header = struct.pack("<BBHI", 0, 0, 8, 1)
    observed, warnings = seen(header + bytes(ETHER / V4), 192)
    assert observed is not None
    assert (observed.packet, warnings) == (bytes(V4), [])


def test_the_depth_of_tunnels_is_limited() -> None:
    tags = b"\x81\0\0\x05" * 40
    observed, warnings = seen(bytes(12) + tags + bytes.fromhex("0800") + bytes(V4))
    assert observed is None
    assert warnings == [skipped("malformed", "more than 32 nested layers")]


def test_in_an_aggregate_of_frames_the_first_is_read() -> None:
    inner = bytes(LLC() / SNAP() / V4)
    aggregate = bytes(12) + len(inner).to_bytes(2, "big") + inner
    frame = Dot11(type=2, subtype=8, FCfield=1) / Dot11QoS(A_MSDU_Present=1) / aggregate
    observed, _ = seen(frame, 105)
    assert is_same(observed, SYN)
