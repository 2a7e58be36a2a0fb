from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.l2 import Ether

from handshake.packet import scapy_codec
from handshake.tcp import Flags, Options, Segment, Seq
from handshake.tcp.segment import HEADER
from tests.packet.frames import A6, B6, SYN, seen
from tests.segments import A, B


@st.composite
def segments(draw: st.DrawFn) -> Segment:
    """Whatever can stand in a TCP header, however malformed: made of its octets."""
    options = draw(st.binary(max_size=40).filter(lambda octets: len(octets) % 4 == 0))
    data_offset = draw(st.one_of(st.just(5 + len(options) // 4), st.integers(0, 15)))
    fixed = HEADER.pack(
        *draw(st.tuples(*[st.integers(0, 2**16 - 1)] * 2, *[st.integers(0, 2**32 - 1)] * 2)),
        data_offset << 12 | draw(st.integers(0, 0xFFF)),
        *draw(st.tuples(*[st.integers(0, 2**16 - 1)] * 3)),
    )
    octets = fixed + options + draw(st.binary(max_size=50))
    source, destination = draw(
        st.one_of(
            st.tuples(*[st.integers(0, 2**32 - 1).map(IPv4Address)] * 2),
            st.tuples(*[st.integers(0, 2**128 - 1).map(IPv6Address)] * 2),
        )
    )
    return Segment.parse(source, destination, octets, len(octets))


@given(segments())
@example(replace(SYN, flags=Flags.SYN | Flags.AE | Flags.CWR | Flags.ECE))
@example(replace(SYN, reserved=7, problems=("reserved bits are set",)))
@example(replace(SYN, options=Options(b"\x1d\x03\x01\x00"), data_offset=6))
@example(replace(SYN, options=Options(bytes((254, 40)) + bytes(38)), data_offset=15))
def test_to_scapy_and_back_nothing_is_repaired(seg: Segment) -> None:
    packet = scapy_codec.packet(seg)
    back = scapy_codec.segment(packet)
    assert replace(back, checksum=seg.checksum) == replace(seg, problems=back.problems)
    assert scapy_codec.segment(type(packet)(bytes(packet))) == back
    # Scapy leaves 0xFFFF and 0 apart, which are the same number in one's complement.
    observed, warnings = seen(packet, 101)
    assert observed is not None
    assert observed.checksum_ok is True
    assert warnings == []


def test_ordinary_options_are_layered_as_scapy_users_know_them() -> None:
    packet = scapy_codec.packet(SYN, ttl=3)
    assert packet.ttl == 3
    assert packet[TCP].options[0] == ("MSS", 1460)
    assert packet[TCP].flags == "S"
    assert scapy_codec.packet(replace(SYN, source=A6, destination=B6), ttl=3).hlim == 3


def test_no_header_has_room_for_more_than_40_octets_of_options() -> None:
    with pytest.raises(ValueError, match="44 octets"):
        scapy_codec.packet(replace(SYN, options=Options(b"\x01" * 44), data_offset=15))


def test_payload_begins_where_the_data_offset_points() -> None:
    seg = Segment(A, B, Seq(1), None, Flags.SYN, options=Options(b"\x03\x03\x07"), payload=b"x")
    back = scapy_codec.segment(scapy_codec.packet(seg))
    assert (back.options.raw, back.payload) == (b"\x03\x03\x07\0", b"x")


def test_a_scope_is_no_part_of_a_packet() -> None:
    link_local = replace(A6, address=IPv6Address("fe80::1%eth0"))
    back = scapy_codec.segment(scapy_codec.packet(replace(SYN, source=link_local, destination=B6)))
    assert str(back.source.address) == "fe80::1"


def test_a_packet_without_a_segment() -> None:
    with pytest.raises(ValueError, match="no TCP segment"):
        scapy_codec.segment(Ether() / IP() / UDP())
