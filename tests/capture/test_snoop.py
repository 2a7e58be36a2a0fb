from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import pytest

from handshake.capture.open import read
from handshake.errors import CaptureError
from tests.errors import coded

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


def test_the_fields_of_a_record(file: Path) -> None:
    capture = opened(file, header() + record(b"first", length=500) + record(b"second", pad=0))
    frames = list(capture)
    assert [bytes(frame.data) for frame in frames] == [b"first", b"second"]
    assert [(frame.number, frame.length, frame.offset) for frame in frames] == [
        (1, 500, 40),
        (2, 6, 71),
    ]
    assert (frames[0].time, frames[0].link_type) == (7_000_009_000, 1)
    assert capture.warnings == []


@pytest.mark.parametrize(("octets", "code", "values"), [
    (header()[:10], "header-truncated", {}),
    (header(version=1), "version", {"format": "snoop", "version": 1}),
    (header(link=77), "snoop-link", {"link_type": 77}),
])  # fmt: skip
def test_what_is_refused(file: Path, octets: bytes, code: str, values: dict[str, object]) -> None:
    with pytest.raises(CaptureError) as error:
        opened(file, octets)
    assert coded([error.value]) == [(f"capture.{code}", values)]


@pytest.mark.parametrize(("octets", "code", "captured"), [
    (record(b"second")[:10], "truncated", None),
    (record(b"second")[:27], "truncated", None),
    (record(b"second", claims=2**32 - 1), "corrupt.record-length", 4294967295),
    (record(b"second", claims=20), "corrupt.record-length", 20),
])  # fmt: skip
def test_all_that_is_whole_is_used(
    file: Path, octets: bytes, code: str, captured: int | None
) -> None:
    capture = opened(file, header() + record(b"whole", pad=1) + octets)
    assert [bytes(frame.data) for frame in capture] == [b"whole"]
    warning = capture.warnings[0]
    assert (warning.code, warning.values.get("captured")) == (f"capture.{code}", captured)
    assert (warning.values["offset"], warning.values["packet"]) == (46, 2)


def test_padding_that_is_cut_costs_no_packet(file: Path) -> None:
    capture = opened(file, header() + record(b"whole", pad=3)[:-1])
    assert [bytes(frame.data) for frame in capture] == [b"whole"]
    values = {"offset": 16, "packet": 1, "why": ""}
    assert coded(capture.warnings) == [("capture.truncated", values)]
