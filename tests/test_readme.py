"""The examples of the README are true."""

from __future__ import annotations

import doctest
import os
import re
import runpy
import shlex
import subprocess
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterable

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


STABLE = (
    *("replay", "list"),
    *(f"{name}-{size}" for name in ("watch", "craft", "decode") for size in ("80x24", "120x40")),
)


@pytest.mark.parametrize("name", STABLE)
def test_the_pictures_are_what_the_code_draws(name: str) -> None:
    picture = runpy.run_path(str(ROOT / "docs" / "pictures.py"))["PICTURES"][name]()
    assert words(picture) == words((ROOT / "docs" / f"{name}.svg").read_text(encoding="utf-8"))


def test_all_colours_of_the_pictures_are_legible() -> None:
    colours = runpy.run_path(str(ROOT / "docs" / "pictures.py"))["COLOURS"]
    paper = _luminance(colours.background_color)
    styles = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "docs").glob("*.svg"))
    inks = {_luminance(bytes.fromhex(each)) for each in re.findall(r"{ fill: #(\w{6})", styles)}
    # The chosen row is dark on light.
    assert len(inks) > 8
    assert all((ink + 0.05) / (paper + 0.05) > 4.5 for ink in inks - {paper})


def _luminance(colour: Iterable[int]) -> float:
    """Return the relative luminance of a colour (WCAG 2)."""
    linear = [
        each / 12.92 if each <= 0.03928 else ((each + 0.055) / 1.055) ** 2.4
        for each in (number / 255 for number in colour)
    ]
    return sum(part * each for part, each in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


@pytest.mark.parametrize(
    "command",
    [
        ["replay", "captures/refused.pcap"],
        ["list", "captures/mixed.pcap", "--summary"],
        ["decode", "captures/checksum-offload.pcap", "--frame", "1"],
        ["serve", "--list"],
    ],
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


def examples() -> list[str]:
    """Return the commands of the README, as they are typed; of a pipeline the first."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    found = re.findall(r"^    \$ ((?:sudo )?handshake .*?)(?: {2,}#.*)?$", text, re.MULTILINE)
    return [each.partition(" | ")[0] for each in found]


def test_the_commands_of_the_readme_are_valid() -> None:
    from typer.main import get_command

    from handshake.cli import app

    program = get_command(app)
    assert len(examples()) > 15
    for line in examples():
        words = shlex.split(line.removeprefix("sudo ").partition(" > ")[0])[1:]
        words = [f"{each}=" if each == "--fast-open" else each for each in words]
        command = program.get_command(None, words[0])  # type: ignore[attr-defined]
        command.make_context(words[0], words[1:])


def test_they_work_as_typed_after_make_run(tmp_path: Path) -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    (alias,) = re.findall(r"^    (alias .*)$", text, re.MULTILINE)
    # As `make run` prints it, whose directory is then known.
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert "alias handshake=" in makefile
    for path in (tmp_path / ".venv" / "bin" / "handshake", tmp_path / "bin" / "sudo"):
        path.parent.mkdir(parents=True)
        path.write_text('#!/bin/sh\nprintf "%s " "$0" "$@"\necho\n', encoding="utf-8")
        path.chmod(0o755)
    lines = ["shopt -s expand_aliases", "cd '" + str(tmp_path) + "'", alias, *examples()]
    done = subprocess.run(
        ["bash"],
        input="\n".join(each.partition(" > ")[0] for each in lines),
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}"},
    )
    called = done.stdout.splitlines()
    assert done.stderr == ""
    assert len(called) == len(examples())
    program = str(tmp_path / ".venv" / "bin" / "handshake")
    for line, example in zip(called, examples(), strict=True):
        first, second = line.split()[:2]
        assert program in ((second,) if example.startswith("sudo ") else (first,))
