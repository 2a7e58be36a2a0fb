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
from scapy.layers.l2 import GRE, LLC, SNAP, Dot1Q, Dot3, Ether
from scapy.layers.vxlan import VXLAN
from scapy.packet import Raw

from handshake.packet import scapy_codec
from handshake.packet.checksum import words_sum
from handshake.packet.decode import Decoder
from handshake.packet.frame import Frame
from handshake.tcp import Observed, Segment
from handshake.tcp.checksum import Checksum, kind
from handshake.tcp.icmp import IcmpError
from handshake.tcp.segment import WRONG_UDP
from tests.errors import coded
from tests.packet import wrapped
from tests.packet.frames import DATA, SYN, found, seen
from tests.packet.wrapped import ETHER, OUTER, OUTER6, V4, V6
from tests.segments import A, B, segment


def is_same(observed: Observed | None, expected: Segment) -> bool:
    """Whether all but the checksum is as expected."""
    return observed is not None and replace(observed.segment, checksum=0) == expected


def partial_sum(addresses: bytes, protocol: int, length: int) -> int:
    """The sum of the pseudo-header alone."""
    return words_sum(addresses) + protocol + length


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


@pytest.mark.parametrize("packet", [V4, V6], ids=["IPv4", "IPv6"])
def test_the_kinds_of_a_checksum(packet: Any) -> None:
    observed, _ = seen(packet, 101)
    assert observed is not None
    tcp = len(packet) - len(packet[TCP])
    seg = observed.segment
    ends = seg.source.address.packed + seg.destination.address.packed
    partial = partial_sum(ends, 6, len(packet[TCP]))
    for field, expected in {
        seg.checksum: Checksum.RIGHT,
        partial % 0xFFFF: Checksum.PARTIAL,
        (partial - len(packet[TCP])) % 0xFFFF: Checksum.PARTIAL,
        0: Checksum.PARTIAL,
        (partial + 1) % 0xFFFF: Checksum.WRONG,
    }.items():
        octets = bytearray(bytes(packet))
        octets[tcp + 16 : tcp + 18] = field.to_bytes(2, "big")
        changed, _ = seen(bytes(octets), 101)
        assert changed is not None
        assert kind(changed) is expected
    cut, _ = seen(packet, 101, captured=len(packet) - 1)
    assert cut is not None
    assert kind(cut) is Checksum.UNKNOWN


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
    for number, link_type in enumerate((189, 1, 189, 9999, 189), start=1):
        assert decoder.observed(Frame(number, 0, 0, link_type, 0, b"", 0)) is None
    assert coded(decoder.warnings) == [
        skipped("link-type", "189 (USB)", count=3, first=1),
        skipped("truncated", first=2),
        skipped("link-type", "9999", first=4),
    ]


@pytest.mark.parametrize(("packet", "warning"), [
    (Raw(bytes(12) + b"\xd2\x8b") / Raw(bytes(40)), skipped("ether-type", "0xd28b (Arista)")),
    (Ether() / Dot1Q(type=0x8888) / Raw(bytes(40)), skipped("ether-type", "0x8888")),
    (Raw(bytes(12) + b"\x88\xe5\x0c") / Raw(bytes(40)),
     skipped("ether-type", "0x88e5 (MACsec, encrypted)")),
    (Dot3() / LLC() / SNAP(code=0x8888) / Raw(bytes(40)), skipped("ether-type", "0x8888")),
    (Ether() / OUTER / GRE(proto=0x6559) / Raw(bytes(40)),
     skipped("gre-type", "0x6559 (Frame Relay)")),
    (Ether() / OUTER / GRE(proto=0x6558) / Ether(type=0x8888) / Raw(bytes(40)),
     skipped("ether-type", "0x8888")),
    (Ether() / OUTER6 / GRE(proto=0x8888) / Raw(bytes(40)), skipped("gre-type", "0x8888")),
])  # fmt: skip
def test_an_encapsulation_that_is_passed_over_is_named(packet: Any, warning: object) -> None:
    assert seen(packet) == (None, [warning])


@pytest.mark.parametrize("packet", [
    Ether(type=0x0806) / Raw(bytes(40)),
    Ether(type=0x88CC) / Raw(bytes(40)),
    Ether() / Dot1Q(vlan=5, type=0x888E) / Raw(bytes(40)),
    Dot3() / LLC(dsap=0x42, ssap=0x42, ctrl=3) / Raw(bytes(40)),
    Dot3() / LLC() / SNAP(code=7) / Raw(bytes(40)),
    Ether() / OUTER / GRE(proto=0),
    Ether() / OUTER / GRE(proto=7) / Raw(bytes(40)),
])  # fmt: skip
def test_what_never_carries_a_segment_is_not_named(packet: Any) -> None:
    assert seen(packet) == (None, [])


IN_VXLAN = VXLAN(flags=8, vni=5) / Ether(src="00:00:5e:00:53:01", dst="00:00:5e:00:53:02") / V4


@pytest.mark.parametrize("port", [4789, 8472])
def test_a_tunnel_with_a_wrong_checksum_is_read_and_reported(port: int) -> None:
    packet = OUTER / UDP(sport=49999, dport=port, chksum=0x1234) / IN_VXLAN
    observed, warnings = seen(Ether() / packet)
    assert observed is not None
    assert (observed.via, observed.checksum_ok) == (("vxlan 5", WRONG_UDP), True)
    assert warnings == [("tunnel.udp-checksum", {"count": 1, "first": 7})]


@pytest.mark.parametrize(("outer", "inner"), [
    (0, None),  # none
    (None, 0x1234),  # right
    ("partial", None),  # both are left to the network card
    (0x1234, "partial"),
])  # fmt: skip
def test_no_checksum_of_a_tunnel_is_called_wrong_that_may_be_right(
    outer: int | str | None, inner: int | str | None
) -> None:
    packet = OUTER / UDP(sport=49999, dport=8472) / IN_VXLAN
    tcp = packet[TCP]
    if inner == "partial":
        octets = bytes(tcp)
        inner = partial_sum(bytes(V4)[12:20], 6, len(octets))
    tcp.chksum = inner
    if outer == "partial":
        outer = partial_sum(bytes(OUTER)[12:20], 17, len(bytes(packet)) - 20)
    packet[UDP].chksum = outer
    observed, warnings = seen(Ether() / packet)
    assert observed is not None
    assert warnings == []


def test_a_cut_tunnel_has_no_verdict_on_its_checksum() -> None:
    packet = Ether() / OUTER / UDP(sport=49999, dport=4789, chksum=0x1234) / IN_VXLAN
    assert seen(packet, captured=len(bytes(packet)) - 1)[1] == []


@pytest.mark.parametrize(("flags", "number"), [(0x0C, 0x0800), (0, 0x0800), (8, 0x0806), (8, 1)])
def test_another_protocol_on_the_port_of_linux_is_no_tunnel(flags: int, number: int) -> None:
    payload = VXLAN(flags=flags, vni=5) / Ether(type=number) / V4
    assert seen(Ether() / OUTER / UDP(sport=49999, dport=8472) / payload) == (None, [])


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
    observed, warnings = seen(Dot11(type=2, FCfield="protected") / Raw(bytes(60)), 105)
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
