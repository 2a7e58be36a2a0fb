"""The examples of the README are true."""

from __future__ import annotations

import doctest
import re
import runpy
from itertools import takewhile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


WEEK = "mixed refused open-close-v4 unreachable no-answer lost-syn-ack mixed"
"""Captures, one for each day."""


@pytest.fixture
def week(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the folders in which the examples run, and the table that one of them queries."""
    from handshake.cli import main

    (tmp_path / "captures").symlink_to(ROOT / "captures")
    (tmp_path / "week").mkdir()
    for day, name in enumerate(WEEK.split(), 16):
        (tmp_path / "week" / f"2026-11-{day}.pcap").symlink_to(ROOT / "captures" / f"{name}.pcap")
    monkeypatch.chdir(tmp_path)
    command = "list week/ --parquet connections/"
    assert f"    $ handshake {command}\n" in (ROOT / "README.md").read_text(encoding="utf-8")
    assert main(command.split()) == 0


@pytest.mark.usefixtures("week")
def test_the_session_in_the_readme() -> None:
    found = doctest.testfile(str(ROOT / "README.md"), module_relative=False)
    assert found.attempted >= 7
    assert found.failed == 0


def words(svg: str) -> list[str]:
    """Return the texts of a picture: how they are laid out differs between versions of rich."""
    texts = re.findall(r"<text[^>]*>([^<]*)</text>", svg)
    return "".join(texts).replace("&#160;", " ").split()


def test_the_picture_is_what_the_code_draws() -> None:
    picture = runpy.run_path(str(ROOT / "docs" / "picture.py"))["picture"]()
    assert words(picture) == words((ROOT / "docs" / "replay.svg").read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    "command", [["replay", "captures/refused.pcap"], ["list", "captures/mixed.pcap", "--summary"]]
)
def test_the_output_in_the_readme(
    command: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from handshake.cli import main

    monkeypatch.chdir(ROOT)
    assert main(command) == 0
    output = capsys.readouterr().out.splitlines()
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    block = readme.split(f"    $ handshake {' '.join(command)}\n")[1].splitlines()
    quoted = list(takewhile(lambda line: not line.startswith("    $"), block))
    quoted = list(takewhile(lambda line: line.startswith("    ") or not line, quoted))
    assert len(quoted) > 5
    assert all(line[4:] in output for line in quoted if line.strip() not in ("", "..."))
