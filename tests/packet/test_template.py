"""What is patched into a template is what Scapy would have built for the segment."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handshake.packet import scapy_codec
from handshake.packet.checksum import checksum, words_sum
from handshake.packet.template import Templates, bits, stamp_at
from handshake.tcp import Endpoint, Flags, Options, Segment, Seq
from handshake.tcp import options as opt

NUMBER = st.integers(0, 2**32 - 1)
SHORT = st.integers(0, 2**16 - 1)
ENDS = st.sampled_from(
    [
        (Endpoint.of("192.0.2.10", 1), Endpoint.of("198.51.100.7", 80)),
        (Endpoint.of("fe80::1%eth0", 65535), Endpoint.of("fe80::2%eth0", 443)),
        (Endpoint.of("255.255.255.254", 65535), Endpoint.of("255.255.255.253", 65535)),
    ]
)
STAMP = b"here a clock is put in"
LAYOUTS: st.SearchStrategy[list[bytes]] = st.sampled_from(
    [
        [],
        [STAMP],
        [opt.nop(), opt.nop(), STAMP],
        [opt.mss(1460), opt.sack_permitted(), STAMP, opt.nop(), opt.window_scale(7)],
        [opt.nop(), STAMP, opt.mss(1400)],
        [opt.mss(1400)],
        [bytes((254, 4, 1, 2)), STAMP],
    ]
)


@st.composite
def segments(draw: st.DrawFn) -> Segment:
    source, destination = draw(ENDS)
    clocks = opt.timestamps(draw(NUMBER), draw(NUMBER))
    options = [clocks if each is STAMP else each for each in draw(LAYOUTS)]
    flags = Flags(draw(st.integers(0, 0x1FF)))
    return Segment(
        source=source,
        destination=destination,
        seq=Seq(draw(NUMBER)),
        ack=Seq(draw(NUMBER)) if Flags.ACK in flags else None,
        flags=flags,
        window=draw(SHORT),
        options=Options.of(*options),
        payload=draw(st.sampled_from([b"", b"x", b"hello"])),
        reserved=draw(st.integers(0, 7)),
    )


@given(
    first=segments(),
    others=st.lists(segments(), max_size=3),
    ttl=st.sampled_from([64, 255]),
    tos=st.sampled_from([0, 0xB8, 255]),
)
def test_a_patched_packet_is_what_scapy_builds(
    first: Segment, others: list[Segment], ttl: int, tos: int
) -> None:
    templates = Templates()
    for seg in (first, *others, replace(first, seq=first.seq + 1)):
        packet = scapy_codec.packet(seg, ttl, tos)
        found = templates.packet(seg, ttl, tos)
        if seg.source.version == 4:
            packet.flags, packet.id = "DF", int.from_bytes(found[4:6], "big")
            assert packet.id
            # The kernel fills in the checksum of this header, whatever it holds.
            assert (found[:10], found[12:]) == (bytes(packet)[:10], bytes(packet)[12:])
        else:
            packet.fl = int.from_bytes(found[:4], "big") & 0xFFFFF
            assert found == bytes(packet)
        source, destination = seg.source.address.packed, seg.destination.address.packed
        assert checksum(source, destination, found[-seg.data_offset * 4 - len(seg.payload) :]) == 0


def test_one_template_serves_all_that_differ_in_numbers_alone() -> None:
    ours, theirs = Endpoint.of("192.0.2.10", 50000), Endpoint.of("198.51.100.7", 80)
    options = [Options.of(opt.nop(), opt.nop(), opt.timestamps(each, 7)) for each in (1, 2)]
    ack = Segment(ours, theirs, Seq(1), Seq(2), Flags.ACK, 500, options[0])
    fin = Segment(theirs, ours, Seq(3), Seq(9), Flags.FIN | Flags.ACK, 7, options[1])
    templates = Templates()
    assert templates.of(ack) is templates.of(fin)
    assert templates.of(ack) is not templates.of(replace(ack, options=Options()))
    assert templates.of(ack) is not templates.of(ack, ttl=255)


def test_all_packets_of_a_connection_have_one_flow_label() -> None:
    # RFC 6437 section 3: its label must not change, and others should have others.
    ours, theirs = Endpoint.of("2001:db8::1", 50000), Endpoint.of("2001:db8::7", 80)
    syn = Segment(ours, theirs, Seq(1), None, Flags.SYN, options=Options.of(opt.mss(1440)))
    ack = Segment(ours, theirs, Seq(2), Seq(9), Flags.ACK)
    templates = Templates()
    labels = [templates.packet(each)[1:4] for each in (syn, ack)]
    assert labels[0] == labels[1] != bytes(3)
    others = {
        templates.packet(replace(syn, source=replace(ours, port=port)))[1:4]
        for port in range(50000, 50100)
    }
    assert len(others) == 100


@pytest.mark.parametrize(
    ("options", "at"),
    [
        (b"", -1),
        (opt.nop() + opt.nop() + opt.timestamps(1), 4),
        (opt.timestamps(1), 2),
        (opt.mss(1) + opt.timestamps(1), 6),
        (opt.timestamps(1) + opt.timestamps(2), -1),
        (opt.timestamps(1)[:-1], -1),
        (b"\0" + opt.timestamps(1), -1),
        (b"\x03\x01" + opt.timestamps(1), -1),
        (b"\x08\x09" + bytes(7), -1),
        (opt.timestamps(1) + b"\x02", -1),
    ],
)
def test_where_the_clocks_stand(options: bytes, at: int) -> None:
    assert stamp_at(options) == at


def test_words_and_bits() -> None:
    assert words_sum(b"\x01\x02\x03") == 0x0102 + 0x0300
    seg = Segment(Endpoint.of("::1", 1), Endpoint.of("::1", 2), Seq(0), None, Flags.SYN, reserved=1)
    assert bits(seg) == 0x5202
