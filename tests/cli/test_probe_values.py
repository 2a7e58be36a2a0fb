"""Every option of `handshake probe` with values that nobody means: a line, and no traceback."""

from __future__ import annotations

import os
import socket
from functools import cache, partial
from typing import TYPE_CHECKING, Any

import pytest
import typer

from handshake.cli import app, main
from handshake.prober import Result, Verdict
from tests.cli import fake_prober
from tests.reasons import because

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

OPEN = Result(
    target="127.0.0.1:9",
    address="127.0.0.1",
    port=9,
    verdict=Verdict.OPEN,
    reason=because("it is open"),
)

ODD = (
    "",
    " ",
    "-1",
    "0",
    "00",
    "1.5",
    str(10**30),
    str(-(10**30)),
    "1e308",
    "-1e308",
    "1e999",
    "5e-324",
    "nan",
    "inf",
    "-inf",
    "0x10",
    "deadbeef" * 40,
    "zz:zz",
    "253:zz",
    "253:",
    ":",
    ",",
    "-",
    "--",
    "\\",
    "\\x",
    "\\xZZ",
    "٨٠",
    "é한\U0001f600",
    "\udcff",
    "a\nb\r\x1b[2J",
    "[::1",
    "a" * 5000,
)


@pytest.fixture(scope="module", autouse=True)
def one_command() -> Iterator[None]:
    """Build the command once, not for each of thousands of values."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(typer.main, "get_command", cache(typer.main.get_command))
        yield


def _options() -> list[str]:
    """The options that take a value, as the command itself lists them."""
    group: Any = typer.main.get_command(app)
    command = group.get_command(typer.Context(group), "probe")
    return [
        max(each.opts, key=len)
        for each in command.params
        if each.param_type_name == "option" and not each.is_flag
    ]


def _said(argv: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    """Fail where the command does not end as it should: quietly, or with one line on why not."""
    code = main(["probe", *argv])
    said = capfd.readouterr()
    assert code in (0, 2, 3), said.err
    assert "Traceback" not in said.err
    assert "internal error" not in said.err
    if code:
        assert said.err.startswith("error: "), said.err
        assert said.err.count("\n") == 1
        assert len(said.err) > len("error: \n")
    else:
        assert said.err == ""


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let nothing leave this machine, and files be written, if any are, where nobody minds."""
    numbers = partial(socket.getaddrinfo, flags=socket.AI_NUMERICHOST)
    monkeypatch.setattr(socket, "getaddrinfo", numbers)
    fake_prober.install(monkeypatch, OPEN)
    monkeypatch.chdir(tmp_path)
    with open(os.devnull, encoding="utf-8") as nothing:  # noqa: PTH123
        monkeypatch.setattr("sys.stdin", nothing)
        yield


@pytest.mark.parametrize("option", _options())
def test_whatever_the_value_it_is_no_mistake_of_ours(
    option: str, capfd: pytest.CaptureFixture[str]
) -> None:
    for value in ODD:
        words = [f"{option}={value}", "127.0.0.1:9"]
        if option == "--interval":
            words.append("--count=1")
        _said([*words, "--dry-run"], capfd)
        # Many calls would be made, and not by what is put in their place here.
        if option not in ("--count", "--interval", "--file"):
            _said([*words, "--raw"], capfd)


@pytest.mark.parametrize("value", [each for each in ODD if each != "--"])
def test_whatever_the_target_it_is_no_mistake_of_ours(
    value: str, capfd: pytest.CaptureFixture[str]
) -> None:
    for argv in (
        [value],
        ["127.0.0.1", value],
        [f"127.0.0.1:{value}"],
        [f"127.0.0.1:1,{value}"],
        [f"[{value}]:1"],
        [f"http://{value}/"],
        [f"http://127.0.0.1:{value}/"],
        [f"[fe80::1%{value}]:1"],
    ):
        _said(["--dry-run", "--", *argv], capfd)


def test_all_of_them_are_tried() -> None:
    found = _options()
    assert len(found) > 25
    assert {"--file", "--timeout", "--count", "--mss", "--md5", "--option", "--write"} <= set(found)
