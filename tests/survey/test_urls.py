"""Captures at URLs: files, patterns and folders, through fsspec."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import fsspec
import pytest

from handshake.errors import CaptureError
from handshake.survey import records
from tests.survey.made import CAPTURES

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def memory() -> Iterator[str]:
    files = fsspec.filesystem("memory")
    for name in ("mixed", "refused"):
        files.pipe(f"/day/{name}.pcap", (CAPTURES / f"{name}.pcap").read_bytes())
    files.pipe("/day/notes.txt", b"no capture")
    files.mkdir("/empty")
    yield "memory://"
    files.rm("/day", recursive=True)
    files.rm("/empty", recursive=True)


def test_files_patterns_and_folders(memory: str) -> None:
    mixed, refused = f"{memory}/day/mixed.pcap", f"{memory}/day/refused.pcap"
    for paths in ([mixed, refused], [f"{memory}/day/*.pcap"], [f"{memory}/day"]):
        found = [(each.capture, each.stream) for each in records(*paths)]
        assert found == [*((mixed, at) for at in range(25)), (refused, 0)]
    local = records(CAPTURES / "mixed.pcap", CAPTURES / "refused.pcap", merge=True)
    assert [each.frames for each in records(mixed, refused, merge=True)] == [
        each.frames for each in local
    ]


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("memory://day/none.pcap", "file.not-found"),
        ("memory://day/n*.pcap", "list.no-match"),
        ("memory://empty", "list.no-captures"),
        ("memory://day/notes.txt", "capture.text"),
        ("no-such-protocol://host/x", "file.unopened"),
    ],
)
def test_errors(memory: str, url: str, code: str) -> None:
    assert memory
    with pytest.raises(CaptureError) as error:
        list(records(url))
    assert error.value.code == code
    assert str(error.value).startswith(f"{url}: ")


def test_without_fsspec_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fsspec", None)
    monkeypatch.setitem(sys.modules, "fsspec.core", None)
    with pytest.raises(CaptureError) as error:
        list(records("s3://bucket/x.pcap"))
    assert str(error.value) == (
        "s3://bucket/x.pcap: reading a URL needs fsspec: pip install 'tcp-handshake[cluster]'"
    )
