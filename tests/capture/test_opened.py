"""Which output files may be opened, and the errors for those that may not."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any, BinaryIO, cast

import pytest

from handshake.capture.open import read
from handshake.capture.pcapng_writer import PcapngWriter, opened
from handshake.errors import HandshakeError, LocalError, UsageError
from tests.capture.blocks import INBOUND, OUTBOUND, Packet, packets
from tests.capture.packets import AT, V4

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def run(code: str, *args: str, **more: Any) -> subprocess.CompletedProcess[bytes]:
    begin = "import os, sys, signal\nfrom handshake.capture.pcapng_writer import opened\n"
    program = [sys.executable, "-c", begin + code, *args]
    return subprocess.run(program, timeout=60, check=False, **more)


def test_a_run_that_is_killed_leaves_a_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "a.pcapng"
    code = """
with opened(sys.argv[1]) as writer:
    for at in range(3):
        writer.packet(b"E" * 40, at, True, ["x"])
    os.kill(os.getpid(), signal.SIGKILL)
"""
    assert run(code, str(path)).returncode == -signal.SIGKILL
    assert len(packets(path.read_bytes())) == 3


def test_what_stood_in_the_file_is_gone(tmp_path: Path) -> None:
    path = tmp_path / "a.pcapng"
    path.write_bytes(bytes(100_000))
    with opened(str(path)) as writer:
        writer.packet(V4, AT, False)
    assert packets(path.read_bytes()) == [Packet(AT, V4, 40, INBOUND, [])]


def test_standard_output() -> None:
    found = run('with opened("-") as writer: writer.packet(b"E" * 40, 7, True)', stdout=-1)
    assert packets(found.stdout) == [Packet(7, b"E" * 40, 40, OUTBOUND, [])]


@pytest.fixture
def terminal() -> Iterator[tuple[int, int]]:
    ours, theirs = pty.openpty()
    yield ours, theirs
    os.close(ours)
    os.close(theirs)


def test_nothing_binary_goes_to_a_terminal(terminal: tuple[int, int]) -> None:
    ours, theirs = terminal
    name = os.ttyname(theirs)
    with pytest.raises(UsageError, match=f"^{name}: is a terminal: name a file, or pipe"):
        enter(name)
    found = run('with opened("-"): pass', stdout=theirs, stderr=-1)
    assert found.returncode == 1
    assert b"UsageError: standard output: is a terminal: name a file" in found.stderr
    os.set_blocking(ours, False)
    with pytest.raises(BlockingIOError):
        os.read(ours, 1)


def enter(name: str) -> None:
    with opened(name):
        pytest.fail("it was opened")


def test_names_that_are_no_good(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    long = "x\n" * 200
    for name, error, code in (
        (f"{tmp_path}", UsageError, "directory"),
        (f"{tmp_path}/no/a", UsageError, "no-parent"),
        (f"{tmp_path}/file/a", UsageError, "parent-no-directory"),
        ("", UsageError, "no-parent"),
        ("a\0b", UsageError, "unopened"),
        (long, LocalError, "unopened"),
        ("/dev/full", LocalError, "unwritten"),
    ):
        with pytest.raises(HandshakeError) as caught:
            enter(name)
        assert (type(caught.value), caught.value.code) == (error, f"file.{code}")
        assert caught.value.place == (name if name and name.isprintable() else ascii(name))
        assert "\n" not in str(caught.value)


def test_a_file_that_may_not_be_written(tmp_path: Path) -> None:
    # Root may write everywhere: the program gives that up, but only once it is loaded.
    code = """
import handshake.errors, handshake.messages
handshake.messages.load()
os.getuid() or os.setuid(65534)
try:
    with opened(sys.argv[1]): pass
except handshake.errors.LocalError as error:
    print(error)
"""
    tmp_path.chmod(0o500)
    path = tmp_path / "a.pcapng"
    found = run(code, str(path), stdout=-1)
    assert found.stdout.decode() == f"{path}: permission denied\n"


def test_a_disk_that_is_full_later_leaves_what_was_whole(tmp_path: Path) -> None:
    # A limit on the size of files: the kernel takes what still fits, and no more.
    code = """
import resource
from handshake.errors import LocalError
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
written = 0
try:
    with opened(sys.argv[1]) as writer:
        while True:
            writer.packet(b"E" * 40, written, True)
            written += 1
except LocalError as error:
    print(written, error)
"""
    path = tmp_path / "a.pcapng"
    found = run(code, str(path), stdout=-1)
    count, _, words = found.stdout.decode().partition(" ")
    assert words == f"{path}: cannot be written: file too large (EFBIG)\n"
    with read(path) as capture:
        assert [frame.time for frame in capture] == list(range(int(count)))
        assert int(count) > 5


def test_who_reads_and_has_enough_is_no_error_of_ours() -> None:
    reader, out = os.pipe()
    os.close(reader)
    with os.fdopen(out, "wb", buffering=0) as file, pytest.raises(BrokenPipeError):
        PcapngWriter(cast("BinaryIO", file))
