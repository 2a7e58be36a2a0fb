"""The examples of the README are true."""

from __future__ import annotations

import doctest
import re
import runpy
from itertools import takewhile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def test_the_session_in_the_readme(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    found = doctest.testfile(str(ROOT / "README.md"), module_relative=False)
    assert found.attempted >= 5
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
