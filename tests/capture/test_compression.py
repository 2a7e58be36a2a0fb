from __future__ import annotations

import gzip
import random
import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handshake.capture.compression import Restarts, decompressor
from handshake.capture.open import read
from handshake.capture.reader import Reader
from handshake.errors import CaptureError
from tests.capture.files import pcap_header, pcap_record
from tests.errors import coded, says

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

zstandard = pytest.importorskip("zstandard")
lz4 = pytest.importorskip("lz4.frame")

PACKETS = [random.Random(number).randbytes(200) for number in range(2000)]
PCAP = pcap_header() + b"".join(map(pcap_record, PACKETS))


def zstd(octets: bytes) -> bytes:
    packed: bytes = zstandard.ZstdCompressor(write_checksum=True).compress(octets)
    return packed


def lz4_frame(octets: bytes) -> bytes:
    packed: bytes = lz4.compress(octets, content_checksum=True, block_size=lz4.BLOCKSIZE_MAX64KB)
    return packed


PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "zstd": zstd,
    "lz4": lz4_frame,
}
by_every_packer = pytest.mark.parametrize("name", PACKERS)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "a.pcap"


def unpack(pieces: Iterable[bytes], name: str) -> Iterator[bytes]:
    found = decompressor(PACKERS[name](b""), Restarts())
    assert found is not None
    return found(pieces)


@by_every_packer
def test_what_is_packed_is_read(file: Path, name: str) -> None:
    file.write_bytes(PACKERS[name](PCAP))
    capture = read(file)
    assert [bytes(frame.data) for frame in capture] == PACKETS
    assert capture.warnings == []


@by_every_packer
def test_in_several_parts(file: Path, name: str) -> None:
    file.write_bytes(PACKERS[name](PCAP[:100]) + PACKERS[name](PCAP[100:]))
    assert [bytes(frame.data) for frame in read(file)] == PACKETS


@by_every_packer
@pytest.mark.parametrize("pieces", [1, 4])
def test_it_ends_where_it_unpacks_to_more_than_it_may(file: Path, name: str, pieces: int) -> None:
    size = -(-len(PCAP) // pieces)
    packed = [PACKERS[name](PCAP[at : at + size]) for at in range(0, len(PCAP), size)]
    file.write_bytes(b"".join(packed))
    for packets in (0, 1, 777, 1999):
        most = 24 + packets * 216 + 7
        capture = read(file, max_unpacked=most)
        assert [bytes(frame.data) for frame in capture] == PACKETS[:packets]
        (warning,) = capture.warnings
        assert says("capture.unpacked", most=most) in str(warning)
    capture = read(file, max_unpacked=len(PCAP))
    assert [bytes(frame.data) for frame in capture] == PACKETS
    assert capture.warnings == []


@by_every_packer
def test_by_default_that_is_a_multiple_of_the_file(file: Path, name: str) -> None:
    record = pcap_record(bytes(64_000))
    many = pcap_header() + record * 2000
    file.write_bytes(PACKERS[name](many))
    most = max(64 << 20, 100 * file.stat().st_size)
    capture = read(file)
    assert len(list(capture)) == (most - 24) // len(record) < 2000
    assert says("capture.unpacked", most=most) in str(capture.warnings[0])
    assert len(list(read(file, max_unpacked=1 << 30))) == 2000


def test_ten_gibibytes_of_zeros_in_a_megabyte_end_at_once(file: Path) -> None:
    zeros = zstd(bytes(1 << 26))
    file.write_bytes(zstd(pcap_header()) + zeros * 160)
    assert file.stat().st_size < 2 << 20
    capture = read(file)
    assert list(capture) == []
    assert coded(capture.warnings) == [("capture.corrupt.zeros", {"offset": 24, "packet": 1})]


def test_gzip_may_have_zeros_between_and_after(file: Path) -> None:
    members = [gzip.compress(PCAP[:100]), bytes(20), gzip.compress(PCAP[100:]), bytes(512)]
    file.write_bytes(b"".join(members))
    assert [bytes(frame.data) for frame in read(file)] == PACKETS


@by_every_packer
@pytest.mark.parametrize("damage", ["cut", "flipped"])
def test_of_damaged_files_all_that_can_be_unpacked_is_used(
    file: Path, name: str, damage: str
) -> None:
    packed = bytearray(PACKERS[name](PCAP))
    if damage == "cut":
        del packed[-200:]
    else:
        packed[-1] ^= 1
    file.write_bytes(packed)
    capture = read(file)
    frames = [bytes(frame.data) for frame in capture]
    assert frames == PACKETS[: len(frames)]
    assert len(frames) >= 1000
    (warning,) = capture.warnings
    assert warning.code in ("capture.truncated", "capture.broken")
    assert f"{name} data" in str(warning)


@by_every_packer
@given(st.lists(st.binary(max_size=300), min_size=1, max_size=4), st.integers(1, 50))
def test_what_was_packed_comes_back(name: str, members: list[bytes], piece: int) -> None:
    packed = b"".join(map(PACKERS[name], members))
    pieces = [packed[at : at + piece] for at in range(0, len(packed), piece)]
    assert b"".join(unpack(pieces, name)) == b"".join(members)


@by_every_packer
@given(st.data())
def test_damage_ends_it(name: str, data: st.DataObject) -> None:
    packed = bytearray(PACKERS[name](PCAP[:5000]))
    for _ in range(data.draw(st.integers(1, 4))):
        packed[data.draw(st.integers(0, len(packed) - 1))] = data.draw(st.integers(0, 255))
    stream = Reader(unpack([bytes(packed)], name))
    while stream.peek(1) and stream.skip(100):
        pass


@by_every_packer
def test_a_bomb_is_unpacked_piece_by_piece(name: str) -> None:
    bomb = PACKERS[name](bytes(256 << 20))
    assert max(len(piece) for piece in unpack([bomb], name)) <= 40 << 20
    stream = Reader(unpack([bomb], name))
    assert stream.skip(256 << 20)
    assert not stream.skip(1)


@pytest.mark.parametrize(("name", "module"), [("zstd", "zstandard"), ("lz4", "lz4.frame")])
def test_a_library_that_is_missing_is_named(
    file: Path, monkeypatch: pytest.MonkeyPatch, name: str, module: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    file.write_bytes(PACKERS[name](PCAP))
    with pytest.raises(CaptureError) as caught:
        read(file)
    assert coded([caught.value]) == [("capture.no-library", {"format": name})]
