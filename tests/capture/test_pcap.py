from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handshake.capture import pcap
from handshake.capture.reader import Reader
from handshake.errors import CaptureError
from handshake.packet.frame import MAX_CAPTURED, Frame
from tests.capture.files import pcap_header, pcap_record
from tests.errors import coded

if TYPE_CHECKING:
    from collections.abc import Sequence

ORDERS = ["<", ">"]
PACKETS = [b"one", b"", b"the third", bytes(300)]


def read(octets: bytes, piece: int = 1 << 20) -> tuple[list[Frame], list[CaptureError]]:
    warnings: list[CaptureError] = []
    pieces = [octets[at : at + piece] for at in range(0, len(octets), piece)]
    return list(pcap.frames(Reader(pieces), warnings)), warnings


def data(frames: Sequence[Frame]) -> list[bytes]:
    return [bytes(frame.data) for frame in frames]


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize(("magic", "fraction", "nanoseconds"), [
    (0xA1B2C3D4, 123_456, 123_456_000),
    (0xA1B23C4D, 123_456_789, 123_456_789),
])  # fmt: skip
def test_both_byte_orders_and_both_resolutions(
    order: str, magic: int, fraction: int, nanoseconds: int
) -> None:
    octets = pcap_header(order, magic, link_type=113)
    octets += pcap_record(b"one", order, 1_700_000_000, fraction, length=60)
    frames, warnings = read(octets)
    at = 1_700_000_000 * 10**9 + nanoseconds
    assert frames == [Frame(1, at, 0, 113, 60, b"one", 40)]
    assert frames[0].captured == 3
    assert warnings == []


def test_seconds_after_2038_are_not_negative() -> None:
    frames, _ = read(pcap_header() + pcap_record(b"", seconds=0xFFFFFFFF))
    assert frames[0].time == 0xFFFFFFFF * 10**9


def test_the_old_patch_with_longer_records() -> None:
    octets = pcap_header(magic=0xA1B2CD34)
    for packet in PACKETS:
        record = pcap_record(packet)
        octets += record[:16] + b"\x02\0\0\0\x08\0\0\0" + record[16:]
    frames, warnings = read(octets)
    assert (data(frames), warnings) == (PACKETS, [])


@pytest.mark.parametrize(("version", "swapped"), [
    ((2, 2), True),
    ((543, 0), True),
    ((2, 3), True),
    ((2, 3), False),
    ((2, 4), False),
])  # fmt: skip
def test_versions_that_had_the_lengths_the_other_way_round(
    version: tuple[int, int], swapped: bool
) -> None:
    record = pcap_record(b"cut", length=99)
    if swapped:
        record = record[:8] + record[12:16] + record[8:12] + record[16:]
    frames, _ = read(pcap_header(version=version) + record + record)
    assert [(frame.captured, frame.length) for frame in frames] == [(3, 99)] * 2


def test_an_unknown_version_is_no_guess() -> None:
    with pytest.raises(CaptureError, match=r"version 7\.1") as error:
        read(pcap_header(version=(7, 1)))
    assert error.value.code == "capture.version"


def test_a_frame_check_sequence_is_no_part_of_the_link_type() -> None:
    frames, _ = read(pcap_header(link_type=0x24000001) + pcap_record(b"one"))
    assert frames[0].link_type == 1


@pytest.mark.parametrize("order", ORDERS)
def test_cut_at_every_octet_all_whole_packets_are_there(order: str) -> None:
    octets = pcap_header(order)
    ends = [len(octets)]
    for packet in PACKETS:
        octets += pcap_record(packet, order)
        ends.append(len(octets))
    for cut in range(24, len(octets) + 1):
        frames, warnings = read(octets[:cut])
        whole = sum(end <= cut for end in ends) - 1
        assert data(frames) == PACKETS[:whole]
        if cut in ends:
            assert warnings == []
        else:
            values = {"offset": ends[whole], "packet": whole + 1, "why": ""}
            assert coded(warnings) == [("capture.truncated", values)]


@pytest.mark.parametrize("cut", range(4, 24))
def test_cut_inside_the_file_header_nothing_is_there(cut: int) -> None:
    with pytest.raises(CaptureError) as error:
        read(pcap_header()[:cut])
    assert error.value.code == "capture.header-truncated"


def test_a_length_that_no_packet_has_ends_the_reading() -> None:
    octets = pcap_header() + pcap_record(b"one") + pcap_record(bytes(MAX_CAPTURED + 1))
    frames, warnings = read(octets + pcap_record(b"three"))
    assert data(frames) == [b"one"]
    values = {"offset": 43, "packet": 2, "captured": 262145}
    assert coded(warnings) == [("capture.corrupt.packet-length", values)]


@given(
    packets=st.lists(st.binary(max_size=80), max_size=8),
    order=st.sampled_from(ORDERS),
    piece=st.integers(1, 200),
)
def test_however_small_the_pieces_that_come(packets: list[bytes], order: str, piece: int) -> None:
    octets = pcap_header(order) + b"".join(pcap_record(packet, order) for packet in packets)
    frames, warnings = read(octets, piece)
    assert (data(frames), warnings) == (packets, [])
    assert [frame.number for frame in frames] == list(range(1, len(packets) + 1))
    assert all(octets[f.offset : f.offset + f.captured] == f.data for f in frames)


@given(st.binary(max_size=200), st.sampled_from(ORDERS))
def test_no_octets_after_the_header_raise(octets: bytes, order: str) -> None:
    read(pcap_header(order) + octets)
