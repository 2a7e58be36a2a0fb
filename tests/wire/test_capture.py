from __future__ import annotations

import contextlib
import gzip
import io
import os
import sys
import threading
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handshake.errors import CaptureError
from handshake.wire.capture import read
from handshake.wire.stream import Stream, gunzip
from tests.wire.files import block, enhanced, interface, pcap_header, pcap_record, section

if TYPE_CHECKING:
    from pathlib import Path

PACKETS = [bytes((number,)) * 40 for number in range(50)]
PCAP = pcap_header() + b"".join(map(pcap_record, PACKETS))
PCAPNG = section() + interface() + b"".join(map(enhanced, PACKETS))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "a.pcap"


def packets(path: Path | str) -> list[bytes]:
    capture = read(path)
    frames = [bytes(frame.data) for frame in capture]
    assert capture.warnings == []
    return frames


def refusal(path: Path | str) -> str:
    with pytest.raises(CaptureError) as caught:
        read(path)
    text = str(caught.value)
    assert "\n" not in text
    return text


@pytest.mark.parametrize("octets", [PCAP, PCAPNG])
def test_what_a_file_is_shows_in_its_first_octets(file: Path, octets: bytes) -> None:
    file.write_bytes(octets)
    assert packets(file) == packets(str(file)) == PACKETS


@pytest.mark.parametrize("octets", [PCAP, PCAPNG])
def test_gzip(file: Path, octets: bytes) -> None:
    file.write_bytes(gzip.compress(octets))
    assert packets(file) == PACKETS


def test_gzip_in_several_members_and_with_zeros_between_and_after(file: Path) -> None:
    members = [gzip.compress(PCAP[:100]), bytes(20), gzip.compress(PCAP[100:]), bytes(512)]
    file.write_bytes(b"".join(members))
    assert packets(file) == PACKETS


@pytest.mark.parametrize("damage", ["cut", "flipped"])
def test_of_damaged_gzip_all_that_can_be_unpacked_is_used(file: Path, damage: str) -> None:
    # Stored, not deflated: so that it is known which packets come before the damage.
    packed = bytearray(gzip.compress(PCAP, compresslevel=0))
    if damage == "cut":
        del packed[-200:]
    else:
        packed[-1] ^= 1
    file.write_bytes(packed)
    capture = read(file)
    frames = [bytes(frame.data) for frame in capture]
    assert frames == PACKETS[: len(frames)]
    assert len(frames) >= 46
    (warning,) = capture.warnings
    assert "gzip data is cut off" in warning or "incorrect length check" in warning


@given(st.lists(st.binary(max_size=300), max_size=4), st.integers(1, 50))
def test_gunzip_gives_what_gzip_took(members: list[bytes], piece: int) -> None:
    packed = b"".join(map(gzip.compress, members))
    pieces = [packed[at : at + piece] for at in range(0, len(packed), piece)]
    assert b"".join(gunzip(pieces)) == b"".join(members) if members else True


def test_a_gzip_bomb_is_unpacked_piece_by_piece() -> None:
    stream = Stream(gunzip([gzip.compress(bytes(64 << 20))]))
    assert stream.skip(64 << 20)
    assert not stream.skip(1)


def test_a_pipe(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(PCAP,))
    writer.start()
    assert packets(pipe) == PACKETS
    writer.join()


class Stdin(io.TextIOWrapper):
    terminal = False

    def isatty(self) -> bool:
        return self.terminal


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", Stdin(io.BytesIO(gzip.compress(PCAPNG))))
    capture = read("-")
    assert [bytes(frame.data) for frame in capture] == PACKETS
    assert capture.name == "standard input"


def test_a_terminal_is_no_capture(monkeypatch: pytest.MonkeyPatch) -> None:
    stdin = Stdin(io.BytesIO())
    stdin.terminal = True
    monkeypatch.setattr(sys, "stdin", stdin)
    assert "is a terminal" in refusal("-")


def test_frames_come_before_the_writer_is_done() -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb", buffering=0) as source, os.fdopen(writing, "wb", 0) as sink:
        sink.write(pcap_header() + pcap_record(b"one"))
        frames = iter(read(f"/dev/fd/{source.fileno()}"))
        assert next(frames).data == b"one"
        sink.write(pcap_record(b"two"))
        assert next(frames).data == b"two"


@pytest.mark.parametrize(("octets", "says"), [
    (b"", "it is empty"),
    (b"\x00\x01", "too short to be a capture"),
    (b"hello, world\n" * 30, "it is text"),
    (b"\x7fELF" + bytes(100), "neither pcap nor pcapng"),
    (bytes(100), "neither pcap nor pcapng"),
    (b"\x28\xb5\x2f\xfd" + bytes(20), "zstd"),
    (b"\x04\x22\x4d\x18" + bytes(20), "lz4"),
    (b"\xfd7zXZ\0" + bytes(20), "xz"),
    (b"BZh91AY", "bzip2"),
    (b"PK\x03\x04" + bytes(20), "zip archive"),
    (b"snoop\0\0\0" + bytes(20), "snoop"),
    (gzip.compress(b"", mtime=0), "it is empty"),
    (gzip.compress(b"hello, world\n", mtime=0), "it is text"),
    (b"\x1f\x8b\x08", "nothing could be read: its gzip data is cut off"),
    (b"\x1f\x8bnonsense" * 9, "nothing could be read: Error -3"),
])  # fmt: skip
def test_a_file_that_is_no_capture_is_told_what_it_is(file: Path, octets: bytes, says: str) -> None:
    file.write_bytes(octets)
    text = refusal(file)
    assert text.startswith(f"{file}: ")
    assert says in text


def test_names_that_lead_nowhere(tmp_path: Path) -> None:
    assert "there is no such file" in refusal(tmp_path / "missing.pcap")
    assert "it is a directory" in refusal(tmp_path)
    assert "cannot be opened" in refusal("a\0b")
    assert "cannot be opened" in refusal("x" * 5000)
    assert "\\n" in refusal("two\nlines")


def test_a_file_that_may_not_be_read(file: Path) -> None:
    file.write_bytes(PCAP)
    file.chmod(0)
    if os.access(file, os.R_OK):
        pytest.skip("root may read everything")
    assert "may not be read" in refusal(file)


def test_a_capture_can_be_left_before_its_end(file: Path) -> None:
    file.write_bytes(PCAP)
    with read(file) as capture:
        assert next(iter(capture)).number == 1


def test_empty_captures_are_captures(file: Path) -> None:
    for octets in (pcap_header(), section(), section() + interface()):
        file.write_bytes(octets)
        assert packets(file) == []


BEGINNINGS = [
    b"",
    pcap_header(),
    pcap_header(">"),
    section(),
    section(">") + interface(">"),
    section() + interface() + block(0x77, b""),
    b"\x1f\x8b",
    gzip.compress(PCAP),
]


@given(st.sampled_from(BEGINNINGS), st.binary(max_size=300))
def test_garbage_is_refused_or_warned_of(
    tmp_path_factory: pytest.TempPathFactory, beginning: bytes, garbage: bytes
) -> None:
    path = tmp_path_factory.mktemp("garbage") / "file"
    path.write_bytes(beginning + garbage)
    with contextlib.suppress(CaptureError):
        list(read(path))
