"""Folders and patterns: which files are captures, and in what order."""

from __future__ import annotations

import gzip
import os
from typing import TYPE_CHECKING

import pytest

from handshake.survey.read.paths import capture_files
from tests.survey.made import packets, written

if TYPE_CHECKING:
    from pathlib import Path

    from handshake.errors import CaptureError

CAPTURE = written(packets("refused"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, octets in {
        "b": CAPTURE,
        "a.log": CAPTURE,
        "notes.txt": b"no capture",
        "empty": b"",
        "photo": bytes(range(256)),
        "day/10": gzip.compress(CAPTURE),
        "day/9": CAPTURE,
        "day/notes.gz": gzip.compress(b"no capture"),
        "day/old.pcap.xz": b"\xfd7zXZ\0 and more",
        "day/text.xz": b"\xfd7zXZ\0 and more",
        "day.pcap": CAPTURE,
        "cut.pcap": CAPTURE[:10],
    }.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(octets)
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("b")
    (tmp_path / "day" / "loop").symlink_to("..")
    (tmp_path / "nowhere").symlink_to("gone")
    return tmp_path


def names(folder: Path, *paths: str | Path) -> tuple[list[str], list[tuple[str, str]]]:
    errors: list[CaptureError] = []
    found = capture_files(paths, errors)
    return (
        [str(each).removeprefix(f"{folder}/") for each in found],
        [(each.place.removeprefix(f"{folder}/"), each.code) for each in errors],
    )


def test_a_folder_is_searched_for_what_begins_like_a_capture(folder: Path) -> None:
    found = ["a.log", "b", "cut.pcap", "day/10", "day/9", "day/old.pcap.xz", "day.pcap", "link"]
    assert names(folder, folder) == (found, [])
    assert names(folder, str(folder / "day"), folder / "b") == ([*found[3:6], "b"], [])


def test_what_is_named_is_taken_whatever_it_holds(folder: Path) -> None:
    given = ["-", "notes.txt", str(folder / "notes.txt"), str(folder / "pipe"), "none"]
    assert names(folder, *given) == (["-", "notes.txt", "notes.txt", "pipe", "none"], [])


def test_a_pattern_is_what_no_file_is_called(folder: Path) -> None:
    assert names(folder, f"{folder}/*.pcap") == (["cut.pcap", "day.pcap"], [])
    assert names(folder, f"{folder}/**/9") == (["day/9"], [])
    assert names(folder, f"{folder}/d?y") == (["day/10", "day/9", "day/old.pcap.xz"], [])
    assert names(folder, f"{folder}/z*") == ([], [("z*", "list.no-match")])
    (folder / "z*").write_bytes(b"")
    assert names(folder, f"{folder}/z*") == (["z*"], [])


def test_what_cannot_be_searched_is_reported(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(path: str) -> None:
        raise PermissionError(13, "", path)

    (folder / "none").mkdir()
    assert names(folder, folder / "none") == ([], [("none", "list.no-captures")])
    monkeypatch.setattr(os, "scandir", refused)
    errors = [("none", "file.permission"), ("none", "list.no-captures")]
    assert names(folder, folder / "none") == ([], errors)
