"""What the README says is true today."""

from __future__ import annotations

import doctest
import re
import runpy
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
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


def test_the_replay_in_the_readme(capsys: pytest.CaptureFixture[str]) -> None:
    from handshake.cli import main

    assert main(["replay", str(ROOT / "captures" / "refused.pcap")]) == 0
    said = capsys.readouterr().out.splitlines()
    quoted = (ROOT / "README.md").read_text(encoding="utf-8").split("refused.pcap\n")[1]
    block = quoted.split("\n\n")[0].splitlines()
    for line in block:
        if line.strip() != "...":
            assert line[4:] in said
