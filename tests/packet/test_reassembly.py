from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import IP, UDP, fragment
from scapy.layers.inet6 import IPv6, IPv6ExtHdrFragment, IPv6ExtHdrHopByHop, fragment6
from scapy.layers.vxlan import VXLAN

from handshake.packet import scapy_codec
from handshake.packet.decode import Decoder
from handshake.packet.frame import Frame
from handshake.tcp import Observed
from tests.errors import coded
from tests.packet.frames import A6, B6
from tests.packet.wrapped import ETHER, OUTER
from tests.segments import segment

if TYPE_CHECKING:
    from collections.abc import Iterable

DATA = segment("<SEQ=101><ACK=301><DATA=4000><CTL=PSH,ACK>")
V4 = scapy_codec.packet(DATA)
V6 = IPv6(src="2001:db8::a", dst="2001:db8::b") / IPv6ExtHdrFragment(id=5) / V4.payload
PARTS4 = [bytes(part) for part in fragment(V4, 800)]
PARTS6 = [bytes(part) for part in fragment6(V6, 800)]


def seen(
    packets: Iterable[Any], captured: int | None = None, decoder: Decoder | None = None
) -> tuple[list[Observed], list[tuple[str, dict[str, object]]]]:
    decoder = decoder or Decoder()
    found = []
    for number, packet in enumerate(packets, start=1):
        octets = bytes(packet)
        frame = Frame(number, number, 0, 101, len(octets), octets[:captured], 0)
        if isinstance(observed := decoder.observed(frame), Observed):
            found.append(observed)
    return found, coded(decoder.warnings)


@pytest.mark.parametrize("parts", [PARTS4, PARTS6], ids=["4", "6"])
@pytest.mark.parametrize("seed", range(5))
def test_a_segment_in_parts_counts_once_at_the_part_that_completes_it(
    parts: list[bytes], seed: int
) -> None:
    shuffled = random.Random(seed).sample(parts, len(parts))
    (observed,), warnings = seen(shuffled)
    assert observed.segment.payload == DATA.payload
    assert (observed.frame, observed.at) == (len(parts), len(parts))
    assert observed.checksum_ok is True
    assert warnings == []


def test_the_packet_is_as_it_was_before_it_was_cut() -> None:
    (observed,), _ = seen(PARTS4)
    assert IP(observed.packet).len == len(observed.packet) == len(bytes(V4))
    assert observed.packet == bytes(V4)
    (observed,), _ = seen(PARTS6)
    assert observed.packet == bytes(IPv6(src="2001:db8::a", dst="2001:db8::b") / V4.payload)


def test_headers_before_the_fragment_header_are_kept() -> None:
    packet = IPv6(src="2001:db8::a", dst="2001:db8::b") / IPv6ExtHdrHopByHop() / V6.payload
    (observed,), _ = seen(fragment6(packet, 800))
    assert IPv6ExtHdrHopByHop in IPv6(observed.packet)
    assert (observed.segment.source.address, observed.checksum_ok) == (A6.address, True)
    assert observed.segment.destination.address == B6.address


def test_a_copy_of_a_part_changes_nothing() -> None:
    (observed,), warnings = seen([PARTS4[0], *PARTS4[:-1], PARTS4[-1]])
    assert (observed.segment.payload, warnings) == (DATA.payload, [])


def test_packets_in_parts_may_cross() -> None:
    other = fragment(IP(bytes(V4), id=77), 800)
    mixed = [part for pair in zip(PARTS4, other, strict=True) for part in pair]
    observed, warnings = seen(mixed)
    assert [each.frame for each in observed] == [len(mixed) - 1, len(mixed)]
    assert warnings == []


def test_truncated_fragments_have_their_full_length() -> None:
    (observed,), warnings = seen(PARTS4, captured=100)
    assert observed.segment.payload_length == 4000
    assert observed.segment.payload == DATA.payload[:60]
    assert (observed.checksum_ok, warnings) == (None, [])


@pytest.mark.parametrize("parts", [PARTS4, PARTS6], ids=["4", "6"])
def test_parts_that_stay_alone_are_counted(parts: list[bytes]) -> None:
    observed, warnings = seen(parts[1:])
    assert observed == []
    count = len(parts) - 1
    assert warnings == [("skipped.fragments", {"count": count, "first": 1})]


def part(offset: int, octets: int, *, more: bool) -> Any:
    return IP(id=9, proto=6, flags="MF" if more else 0, frag=offset // 8) / bytes(octets)


@pytest.mark.parametrize("parts", [
    [part(0, 48, more=True), part(24, 8, more=False)],  # teardrop: the last within the first
    [part(0, 48, more=True), part(40, 48, more=False)],
    [part(40, 48, more=False), part(0, 48, more=True)],
    [part(0, 48, more=True), part(0, 40, more=True), part(48, 8, more=False)],
    [part(8, 48, more=False), part(56, 8, more=True)],
    [part(8, 40, more=False), part(8, 48, more=False)],
    [part(0, 44, more=True), part(48, 8, more=False)],  # not in octets of eight
    [part(0, 0, more=True), part(0, 8, more=False)],
    [part(65528, 48, more=False), part(0, 65000, more=True)],  # a ping of death
    [part(0, 32760, more=True), part(32760, 32768, more=True), part(65528, 7, more=False)],
])  # fmt: skip
def test_parts_that_contradict_each_other_are_not_used(parts: list[Any]) -> None:
    # More of them does not help either.
    observed, _ = seen([*parts, *PARTS4])
    assert [each.segment.payload_length for each in observed] == [4000]


def test_a_flood_of_first_parts_takes_bounded_memory() -> None:
    decoder = Decoder()
    big = bytes(part(0, 60_000, more=True))
    flood = (big[:4] + number.to_bytes(2, "big") + big[6:] for number in range(5_000))
    assert seen(flood, decoder=decoder)[0] == []
    waiting = decoder._parser.fragments._waiting
    assert sum(each.held for each in waiting.values()) <= 8 << 20
    assert decoder._parser.fragments._held == sum(each.held for each in waiting.values())
    small = bytes(part(0, 8, more=True))
    flood = (small[:12] + number.to_bytes(4, "big") + small[16:] for number in range(5_000))
    seen(flood, decoder=decoder)
    assert len(waiting) <= 4096
    assert coded(decoder.warnings) == [("skipped.fragments", {"count": 10_000, "first": 1})]


def test_a_tunnel_may_be_cut_too() -> None:
    whole = OUTER / UDP(sport=49999, dport=4789) / VXLAN(vni=5) / ETHER / V4
    (observed,), warnings = seen(fragment(whole, 1480))
    assert (observed.via, observed.segment.payload) == (("vxlan 5",), DATA.payload)
    assert (observed.checksum_ok, warnings) == (True, [])


def test_parts_within_parts() -> None:
    inner = [OUTER / IP(octets) for octets in PARTS4]
    (observed,), _ = seen(each for outer in inner for each in fragment(outer, 400))
    assert (observed.via, observed.segment.payload) == (("ipip",), DATA.payload)


@given(
    st.lists(
        st.tuples(st.integers(0, 64), st.integers(0, 600), st.booleans(), st.integers(0, 2)),
        max_size=20,
    )
)
def test_no_parts_raise(parts: list[tuple[int, int, bool, int]]) -> None:
    packets = [
        IP(id=number, proto=proto, flags="MF" if more else 0, frag=offset) / bytes(octets)
        for offset, octets, more, number in parts
        for proto in (6, 4)
    ]
    seen(packets)
