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

from handshake.capture.open import read
from handshake.errors import CaptureError
from tests.capture.files import block, enhanced, interface, pcap_header, pcap_record, section

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


def refusal(path: Path | str) -> CaptureError:
    with pytest.raises(CaptureError) as caught:
        read(path)
    assert "\n" not in str(caught.value)
    return caught.value


@pytest.mark.parametrize("octets", [PCAP, PCAPNG])
def test_what_a_file_is_shows_in_its_first_octets(file: Path, octets: bytes) -> None:
    file.write_bytes(octets)
    assert packets(file) == packets(str(file)) == PACKETS


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
    assert refusal("-").code == "capture.terminal"


def test_frames_come_before_the_writer_is_done() -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb", buffering=0) as source, os.fdopen(writing, "wb", 0) as sink:
        sink.write(pcap_header() + pcap_record(b"one"))
        frames = iter(read(f"/dev/fd/{source.fileno()}"))
        assert next(frames).data == b"one"
        sink.write(pcap_record(b"two"))
        assert next(frames).data == b"two"


@pytest.mark.parametrize(("octets", "code"), [
    (b"", "empty"),
    (b"\x00\x01", "short"),
    (b"hello, world\n" * 30, "text"),
    (b"\x7fELF" + bytes(100), "unknown"),
    (bytes(100), "unknown"),
    (b"\xfd7zXZ\0" + bytes(20), "xz"),
    (b"BZh91AY", "bzip2"),
    (b"PK\x03\x04" + bytes(20), "zip"),
    (gzip.compress(b"", mtime=0), "empty"),
    (gzip.compress(b"hello, world\n", mtime=0), "text"),
    (b"\x1f\x8b\x08", "unreadable"),
    (b"\x1f\x8bnonsense" * 9, "unreadable"),
])  # fmt: skip
def test_a_file_that_is_no_capture_is_named_by_its_kind(
    file: Path, octets: bytes, code: str
) -> None:
    file.write_bytes(octets)
    error = refusal(file)
    assert (error.place, error.code) == (str(file), f"capture.{code}")


def test_names_that_lead_nowhere(tmp_path: Path) -> None:
    assert refusal(tmp_path / "missing.pcap").code == "file.not-found"
    assert refusal(tmp_path).code == "file.directory"
    assert refusal("a\0b").code == "file.unopened"
    assert refusal("x" * 5000).code == "file.unopened"
    assert "\\n" in refusal("two\nlines").place


def test_a_file_that_may_not_be_read(file: Path) -> None:
    file.write_bytes(PCAP)
    file.chmod(0)
    if os.access(file, os.R_OK):
        pytest.skip("root may read everything")
    assert refusal(file).code == "file.permission"


def test_what_is_broken_from_the_first_packet_on_is_not_readable(file: Path) -> None:
    for octets, count, readable in (
        (PCAP, 50, True),
        (pcap_header(), 0, True),
        (pcap_header() + b"\xff" * 100, 0, False),
        (PCAP[:-1], 49, True),
        (section() + interface() + b"\xff" * 100, 0, False),
    ):
        file.write_bytes(octets)
        capture = read(file)
        assert len(list(capture)) == count
        assert (capture.count, capture.readable) == (count, readable)


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
