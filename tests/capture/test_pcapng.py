from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handshake.capture import pcapng
from handshake.capture.reader import Reader
from handshake.errors import CaptureError
from handshake.packet.frame import MAX_CAPTURED, Frame
from tests.capture.files import (
    PCAPNG_MAGIC,
    block,
    enhanced,
    interface,
    obsolete,
    option,
    section,
    simple,
)
from tests.errors import coded

ORDERS = ["<", ">"]
PACKETS = [b"one", b"", b"four", bytes(70)]


def read(octets: bytes, piece: int = 1 << 20) -> tuple[list[Frame], list[CaptureError]]:
    warnings: list[CaptureError] = []
    pieces = [octets[at : at + piece] for at in range(0, len(octets), piece)]
    return list(pcapng.frames(Reader(pieces), warnings)), warnings


def truncated(offset: int) -> tuple[str, dict[str, object]]:
    return "capture.truncated", {"offset": offset, "packet": 0, "why": ""}


def data(octets: bytes) -> list[bytes]:
    frames, warnings = read(octets)
    assert warnings == []
    return [bytes(frame.data) for frame in frames]


@pytest.mark.parametrize("order", ORDERS)
def test_the_three_kinds_of_packet_blocks(order: str) -> None:
    octets = section(order) + interface(order, link_type=101, snap_length=2)
    octets += enhanced(b"one", order, ticks=1_700_000_000_000_001, length=60)
    octets += simple(b"tw", order, length=40)
    octets += obsolete(b"three", order, ticks=2)
    frames, warnings = read(octets)
    assert [frame._replace(offset=0) for frame in frames] == [
        Frame(1, 1_700_000_000_000_001_000, 0, 101, 60, b"one", 0),
        Frame(2, 0, 0, 101, 40, b"tw", 0),
        Frame(3, 2000, 0, 101, 5, b"three", 0),
    ]
    assert all(octets[f.offset : f.offset + f.captured] == f.data for f in frames)
    assert warnings == []


@pytest.mark.parametrize(("resolution", "ticks", "nanoseconds"), [
    (0, 7, 7_000_000_000),
    (3, 7, 7_000_000),
    (6, 7, 7_000),
    (9, 7, 7),
    (12, 7_999, 7),
    (0x80, 7, 7_000_000_000),
    (0x8A, 1024 + 512, 1_500_000_000),
    (0xFF, 2**63, 0),
    (0, 2**63, 0),  # in the year 292,277,026,596
])  # fmt: skip
def test_every_resolution(resolution: int, ticks: int, nanoseconds: int) -> None:
    options = option(9, bytes((resolution,))) + option(0, b"")
    frames, _ = read(section() + interface(options=options) + enhanced(b"", ticks=ticks))
    assert frames[0].time == nanoseconds


@pytest.mark.parametrize("order", ORDERS)
def test_an_offset_in_seconds(order: str) -> None:
    options = option(2, b"eth0", order) + option(14, struct.pack(order + "q", -3600), order)
    octets = section(order) + interface(order, options=options)
    frames, _ = read(octets + enhanced(b"", order, ticks=3601 * 10**6))
    assert frames[0].time == 10**9


@pytest.mark.parametrize("options", [b"\x09", option(9, b"\x09\x09"), b"\x09\0\xff\0\x01\0\0\0"])
def test_options_that_make_no_sense_change_nothing(options: bytes) -> None:
    frames, _ = read(section() + interface(options=options) + enhanced(b"", ticks=7))
    assert frames[0].time == 7000


def test_each_interface_of_each_section_has_its_own_link_type() -> None:
    octets = section() + interface(link_type=1) + interface(link_type=113)
    octets += enhanced(b"a", which=1) + enhanced(b"b", which=0)
    octets += section(">") + interface(">", link_type=276) + enhanced(b"c", ">")
    frames, warnings = read(octets)
    assert [(f.number, f.interface, f.link_type) for f in frames] == [
        (1, 1, 113),
        (2, 0, 1),
        (3, 0, 276),
    ]
    assert warnings == []


def test_unknown_blocks_are_skipped() -> None:
    unknown = block(0x77, bytes(3000))
    octets = unknown.join([section(), interface(), enhanced(b"a"), enhanced(b"b"), b""])
    assert data(octets) == [b"a", b"b"]


def test_records_that_are_no_packets_have_numbers_all_the_same() -> None:
    octets = section() + interface() + enhanced(b"a") + block(9, b"__CURSOR=1\n") + enhanced(b"b")
    frames, _ = read(octets)
    assert [frame.number for frame in frames] == [1, 3]


def test_a_length_that_leaves_the_padding_out() -> None:
    whole = enhanced(b"odd")
    short = struct.pack("<I", len(whole) - 1)
    assert data(section() + interface() + whole[:4] + short + whole[8:-4] + short) == [b"odd"]


@pytest.mark.parametrize("order", ORDERS)
def test_cut_at_every_octet_all_whole_packets_are_there(order: str) -> None:
    octets = section(order) + interface(order) + block(0x77, b"unknown", order)
    ends = [len(section(order)), len(section(order) + interface(order)), len(octets)]
    before = len(ends)
    for packet in PACKETS:
        octets += enhanced(packet, order)
        ends.append(len(octets))
    for cut in range(12, len(octets) + 1):
        frames, warnings = read(octets[:cut])
        last = max((end for end in ends if end <= cut), default=0)
        whole = max(0, sum(end <= cut for end in ends) - before)
        assert [bytes(frame.data) for frame in frames] == PACKETS[:whole]
        if cut == last:
            assert warnings == []
        else:
            assert coded(warnings) == [truncated(last)]


@pytest.mark.parametrize("cut", range(4, 12))
def test_cut_before_the_byte_order_nothing_is_there(cut: int) -> None:
    with pytest.raises(CaptureError) as error:
        read(section()[:cut])
    assert error.value.code == "capture.block-truncated"


def test_a_first_block_without_a_byte_order() -> None:
    with pytest.raises(CaptureError) as error:
        read(block(PCAPNG_MAGIC, bytes(16)))
    assert error.value.code == "capture.no-section"


@pytest.mark.parametrize(("broken", "code", "values"), [
    (block(6, bytes(8)), "packet-block", {"packet": 2}),
    (block(1, bytes(4)), "interface-block", {}),
    (block(PCAPNG_MAGIC, bytes(16)), "byte-order", {}),
    (enhanced(b"x", which=1), "interface", {"packet": 2, "interface": 1}),
    (simple(b"x", length=9), "packet-length", {"packet": 2, "captured": 9}),
    (enhanced(bytes(MAX_CAPTURED + 1)), "packet-length", {"packet": 2, "captured": 262145}),
    (struct.pack("<III", 6, 8, 0), "block-length", {"length": 8}),
    (struct.pack("<III", 6, 0xFFFFFFF0, 0), "block-length", {"length": 4294967280}),
    (enhanced(b"x")[:-4] + b"\xff\0\0\0", "lengths", {}),
])  # fmt: skip
def test_damage_ends_the_reading_with_an_offset(
    broken: bytes, code: str, values: dict[str, int]
) -> None:
    good = section() + interface() + enhanced(b"one")
    frames, warnings = read(good + broken + enhanced(b"three"))
    assert [bytes(frame.data) for frame in frames] == [b"one"]
    assert coded(warnings) == [(f"capture.corrupt.{code}", {**values, "offset": len(good)})]


def test_the_length_of_an_unknown_block_is_not_held_in_memory() -> None:
    octets = section() + struct.pack("<II", 0x77, 0xFFFFFFF0) + bytes(100)
    frames, warnings = read(octets)
    assert (frames, coded(warnings)) == ([], [truncated(28)])


@given(
    packets=st.lists(
        st.tuples(st.binary(max_size=60), st.integers(0, 2**63 // 1000 - 1)), max_size=6
    ),
    order=st.sampled_from(ORDERS),
    piece=st.integers(1, 200),
)
def test_however_small_the_pieces_that_come(
    packets: list[tuple[bytes, int]], order: str, piece: int
) -> None:
    octets = section(order) + interface(order)
    octets += b"".join(enhanced(packet, order, ticks=ticks) for packet, ticks in packets)
    frames, warnings = read(octets, piece)
    assert [(bytes(frame.data), frame.time // 1000) for frame in frames] == packets
    assert warnings == []


@given(
    st.lists(
        st.one_of(
            st.binary(max_size=40),
            st.sampled_from([section(), section(">"), interface(), enhanced(b"x"), simple(b"y")]),
            st.builds(block, st.integers(0, 12), st.binary(max_size=40)),
        )
    )
)
def test_no_blocks_after_the_first_raise(blocks: list[bytes]) -> None:
    read(section() + b"".join(blocks))
