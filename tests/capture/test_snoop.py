from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import pytest

from handshake.capture.open import read
from handshake.errors import CaptureError

if TYPE_CHECKING:
    from pathlib import Path

    from handshake.capture.open import Capture


def header(version: int = 2, link: int = 4) -> bytes:
    return b"snoop\0\0\0" + struct.pack(">II", version, link)


def record(
    data: bytes, length: int | None = None, claims: int | None = None, pad: int = 2
) -> bytes:
    captured = len(data) if claims is None else claims
    length = len(data) if length is None else length
    size = 24 + len(data) + pad
    return struct.pack(">IIIIII", length, captured, size, 0, 7, 9) + data + bytes(pad)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "a.snoop"


def opened(file: Path, octets: bytes) -> Capture:
    file.write_bytes(octets)
    return read(file)


def test_what_a_record_says(file: Path) -> None:
    capture = opened(file, header() + record(b"first", length=500) + record(b"second", pad=0))
    frames = list(capture)
    assert [bytes(frame.data) for frame in frames] == [b"first", b"second"]
    assert [(frame.number, frame.length, frame.offset) for frame in frames] == [
        (1, 500, 40),
        (2, 6, 71),
    ]
    assert (frames[0].time, frames[0].link_type) == (7_000_009_000, 1)
    assert capture.warnings == []


@pytest.mark.parametrize(("octets", "says"), [
    (header()[:10], "cut off inside the file header"),
    (header(version=1), "snoop file of version 1"),
    (header(link=77), "link type 77"),
])  # fmt: skip
def test_what_is_refused(file: Path, octets: bytes, says: str) -> None:
    with pytest.raises(CaptureError, match=says):
        opened(file, octets)


@pytest.mark.parametrize(("octets", "says"), [
    (record(b"second")[:10], "cut off at offset 46: packet 2 is not whole"),
    (record(b"second")[:27], "cut off at offset 46: packet 2 is not whole"),
    (record(b"second", claims=2**32 - 1), "corrupt at offset 46: packet 2 claims 4294967295"),
    (record(b"second", claims=20), "corrupt at offset 46: packet 2 claims 20 octets"),
])  # fmt: skip
def test_all_that_is_whole_is_used(file: Path, octets: bytes, says: str) -> None:
    capture = opened(file, header() + record(b"whole", pad=1) + octets)
    assert [bytes(frame.data) for frame in capture] == [b"whole"]
    assert capture.warnings[0].startswith(says)


def test_padding_that_is_cut_costs_no_packet(file: Path) -> None:
    capture = opened(file, header() + record(b"whole", pad=3)[:-1])
    assert [bytes(frame.data) for frame in capture] == [b"whole"]
    assert capture.warnings == ["cut off at offset 16: the record of packet 1 is not whole"]
