from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.config import conf
from scapy.contrib.mpls import MPLS
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import (
    ICMPv6DestUnreach,
    IPv6,
    IPv6ExtHdrDestOpt,
    IPv6ExtHdrFragment,
    IPv6ExtHdrHopByHop,
)
from scapy.layers.l2 import GRE, LLC, SNAP, CookedLinux, CookedLinuxV2, Dot1AD, Dot1Q, Dot3, Ether
from scapy.layers.ppp import PPP, PPPoE
from scapy.layers.vxlan import VXLAN
from scapy.packet import Raw

from handshake.tcp import Observed, Segment
from handshake.wire import codec
from handshake.wire.decode import Decoder
from handshake.wire.frame import Frame
from tests.segments import A, B, segment
from tests.wire.frames import A6, B6, DATA, SYN, seen

if TYPE_CHECKING:
    from collections.abc import Sequence


def is_same(observed: Observed | None, expected: Segment) -> bool:
    """Whether all but the checksum is as expected."""
    return observed is not None and replace(observed.segment, checksum=0) == expected


def test_what_is_observed() -> None:
    packet = Ether() / codec.packet(SYN, ttl=55)
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


V4, V6 = codec.packet(SYN), codec.packet(replace(SYN, source=A6, destination=B6))
NULL_BE, NULL_LE = Raw(b"\0\0\0\x02"), Raw(b"\x02\0\0\0")


@pytest.mark.parametrize(("link_type", "packet"), [
    (1, Ether() / V4),
    (1, Ether() / V6),
    (1, Ether() / Dot1Q(vlan=5) / V4),
    (1, Ether() / Dot1AD(vlan=5) / Dot1Q(vlan=6) / V6),
    (1, Ether() / Dot1Q(vlan=5) / Dot1Q(vlan=6) / V4),
    (1, Ether(type=0x9100) / Dot1Q(vlan=5, type=0x8100) / Dot1Q(vlan=6) / V4),
    (1, Dot3() / LLC() / SNAP() / V4),
    (1, Ether() / MPLS(s=1) / V4),
    (1, Ether() / PPPoE() / PPP() / V6),
    (113, CookedLinux() / V4),
    (113, CookedLinux() / Dot1Q(vlan=5) / V6),
    (276, CookedLinuxV2(proto=0x0800) / V4),
    (276, CookedLinuxV2(proto=0x86DD) / V6),
    (0, NULL_LE / V4),
    (0, NULL_BE / V4),
    (0, Raw(b"\x1e\0\0\0") / V6),
    (0, Raw(b"\0\0\0\x18") / V6),
    (108, NULL_BE / V4),
    (108, Raw(b"\0\0\0\x1c") / V6),
    *((raw, packet) for raw in (12, 14, 101) for packet in (V4, V6)),
    (228, V4),
    (229, V6),
])  # fmt: skip
def test_links(link_type: int, packet: Any) -> None:
    observed, warnings = seen(packet, link_type)
    assert observed is not None
    assert replace(observed.segment, source=A, destination=B, checksum=0) == replace(
        SYN, source=A, destination=B
    )
    assert observed.checksum_ok is True
    assert warnings == []


OUTER, OUTER6 = IP(src="203.0.113.1", dst="203.0.113.2"), IPv6(src="2001:db8::1", dst="2001:db8::2")


@pytest.mark.parametrize("tunnel", [
    OUTER,
    OUTER6,
    OUTER / GRE(),
    OUTER6 / GRE(key_present=1, key=5),
    OUTER / UDP(dport=4789) / VXLAN(vni=5) / Ether(),
    OUTER / GRE(proto=0x6558) / Ether() / Dot1Q(vlan=5),
    OUTER / OUTER6 / OUTER,
], ids=lambda tunnel: tunnel.summary())  # fmt: skip
@pytest.mark.parametrize("inner", [V4, V6], ids=["4", "6"])
def test_the_innermost_segment_of_a_tunnel(tunnel: Any, inner: Any) -> None:
    observed, warnings = seen(Ether() / tunnel / inner)
    assert observed is not None
    assert observed.packet == bytes(inner)
    assert observed.segment == codec.segment(inner)
    assert warnings == []


@pytest.mark.parametrize("packet", [
    OUTER / ICMP(type=3, code=1) / V4,
    OUTER / ICMP(type=11) / V4,
    OUTER6 / ICMPv6DestUnreach() / V6,
    OUTER6 / ICMPv6DestUnreach() / IPv6(nh=0) / IPv6ExtHdrHopByHop() / TCP(),
    OUTER / UDP() / b"no TCP",
    OUTER / ICMP(),
    IP(frag=5, proto=6) / Raw(bytes(40)),
])  # fmt: skip
def test_what_is_no_segment(packet: Any) -> None:
    assert seen(Ether() / packet)[0] is None


@pytest.mark.parametrize("above", [
    IPv6ExtHdrHopByHop(),
    IPv6ExtHdrDestOpt(),
    IPv6ExtHdrFragment(),
], ids=lambda above: above.name)  # fmt: skip
def test_extension_headers(above: Any) -> None:
    packet = IPv6(src="2001:db8::a", dst="2001:db8::b") / above / TCP(sport=1, dport=2) / b"1234567"
    observed, _ = seen(Ether() / packet)
    assert observed is not None
    assert observed.segment.payload == b"1234567"
    assert observed.checksum_ok is True


def test_the_padding_of_ethernet_is_no_payload() -> None:
    observed, _ = seen(bytes(Ether() / codec.packet(segment("<SEQ=1><CTL=ACK>"))) + bytes(6))
    assert observed is not None
    assert (observed.segment.payload_length, observed.length) == (0, 60)
    assert observed.checksum_ok is True


def test_a_wrong_checksum_is_told() -> None:
    octets = bytearray(bytes(Ether() / V4))
    octets[-1] ^= 1
    observed, _ = seen(bytes(octets))
    assert observed is not None
    assert observed.checksum_ok is False


@pytest.mark.parametrize("captured", [14 + 20 + 20, 14 + 20 + 23])
def test_a_cut_packet_has_its_length_but_no_verdict_on_its_checksum(captured: int) -> None:
    observed, warnings = seen(Ether() / codec.packet(DATA), captured=captured)
    assert observed is not None
    assert observed.segment.payload_length == 7
    assert observed.segment.payload == b"xxxxxxx"[: captured - 54]
    assert observed.checksum_ok is None
    assert warnings == []


@pytest.mark.parametrize("captured", [14 + 20, 14 + 20 + 19])
def test_less_than_a_header_is_counted(captured: int) -> None:
    observed, warnings = seen(Ether() / V4, captured=captured)
    assert observed is None
    assert warnings == ["1 packet was too short to hold a TCP header (first: frame 7)"]


def test_less_than_an_ip_header_is_counted() -> None:
    observed, warnings = seen(V4, 101, captured=19)
    assert observed is None
    assert warnings == ["1 packet was cut off inside a header (first: frame 7)"]


def test_what_scapy_stumbles_over_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    def stumble(octets: bytes) -> None:
        raise RecursionError(octets)

    seen(V4, 192)  # loads the layer that is replaced
    monkeypatch.setitem(conf.l2types.num2layer, 192, stumble)
    observed, warnings = seen(V4, 192)
    assert observed is None
    assert warnings == ["1 packet was malformed: not understood (RecursionError) (first: frame 7)"]


def test_an_offloaded_packet_without_a_length() -> None:
    packet = codec.packet(replace(DATA, payload=b"x" * 70_000, payload_length=70_000))
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
    assert warnings == [
        "1 packet was part of a packet whose other parts are not there (first: frame 7)"
    ]


def test_warnings_count() -> None:
    decoder = Decoder()
    for number, link_type in enumerate((6, 1, 6, 9999, 6), start=1):
        assert decoder.observed(Frame(number, 0, 0, link_type, 0, b"", 0)) is None
    assert decoder.warnings == [
        "3 packets were of link type 6 (Token Ring), which is not read (first: frame 1)",
        "1 packet was cut off inside a header (first: frame 2)",
        "1 packet was of link type 9999, which is not read (first: frame 4)",
    ]


def test_a_malformed_ip_header_is_told() -> None:
    observed, warnings = seen(Ether() / IP(ihl=4, proto=6) / TCP())
    assert observed is None
    (warning,) = warnings
    assert warning.startswith("1 packet was malformed: the lengths in the IP header contradict")


LINK_TYPES = [0, 1, 12, 101, 108, 113, 228, 229, 276]


@given(st.sampled_from(LINK_TYPES), st.binary(max_size=120))
def test_nothing_on_a_wire_raises(link_type: int, octets: bytes) -> None:
    seen(octets, link_type)


MODELS: Sequence[bytes] = [
    bytes(Ether() / tunnel / inner)
    for tunnel in (OUTER / GRE(), OUTER / UDP(dport=4789) / VXLAN() / Ether(), OUTER6)
    for inner in (V4, V6)
]


@given(
    st.sampled_from(MODELS),
    st.lists(st.tuples(st.integers(0, 200), st.integers(0, 255)), max_size=4),
    st.integers(0, 200),
)
def test_nothing_that_was_a_packet_raises(
    model: bytes, changes: list[tuple[int, int]], captured: int
) -> None:
    octets = bytearray(model)
    for at, octet in changes:
        octets[at % len(octets)] = octet
    seen(bytes(octets), captured=captured)
