"""Help and errors: short, light, and never a traceback."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from handshake import replayer
from handshake.cli import app, main
from tests.cli import preloaded
from tests.errors import says
from tests.schema import OUTPUTS, valid

ROOT = Path(__file__).parents[2]
COMMANDS = ("probe", "replay", "list", "demo")


def run(*args: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the program as a user would, in pipes; its JSON must match the schema."""
    done = preloaded.run(args, os.environ | environment)
    if "--json" in args:
        special = {"--summary": "summary", "--dry-run": "dry_run"}
        name = next((special[each] for each in args if each in special), OUTPUTS[args[0]])
        for line in done.stdout.splitlines():
            valid(json.loads(line), name)
    return done


@pytest.mark.parametrize(
    ("args", "unneeded"),
    [
        ("--help", ("rich", "handshake.survey")),
        ("list MIXED", ("rich", "handshake.query.keys", "handshake.cli.probe")),
        ("list MIXED --json", ("rich", "handshake.view.columns", "handshake.query.keys")),
        ("replay REFUSED", ("rich.syntax", "rich.table", "handshake.cli.probe")),
        ("replay REFUSED --json", ("rich", "handshake.view.ladder", "handshake.cli.probe")),
    ],
)
def test_a_command_loads_only_what_it_needs(args: str, unneeded: tuple[str, ...]) -> None:
    heavy = {"scapy", "numpy", "asyncio", "pydantic", "multiprocessing", "handshake.prober.run"}
    files = {"MIXED": "captures/mixed.pcap", "REFUSED": "captures/refused.pcap"}
    code = (
        "import sys; from handshake.cli import main; code = main(sys.argv[1:]);"
        "print(*sys.modules, file=sys.stderr); sys.exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *(files.get(each, each) for each in args.split())],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=True,
    )
    loaded = set(done.stderr.split())
    assert "handshake.cli" in loaded
    assert loaded & heavy.union(unneeded) == set()


def test_help_names_the_commands_with_a_line_each() -> None:
    shown = CliRunner().invoke(app, ["--help"]).output
    listed = shown[shown.index("Commands:") :].splitlines()[1:]
    assert [line.split()[0] for line in listed] == list(COMMANDS)
    assert all(len(line) <= 80 and line.endswith(".") for line in listed)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself_in_eighty_columns(command: str) -> None:
    done = run(command, "-h", COLUMNS="80")
    assert done.returncode == 0
    assert all(len(line) <= 80 for line in done.stdout.splitlines())
    assert {"--json", "--plain", "--ascii"} <= set(done.stdout.split())


@pytest.mark.parametrize("columns", ["80", "120"])
@pytest.mark.parametrize(
    ("command", "usage"),
    [
        ("probe", "probe [OPTIONS] [TARGET]..."),
        ("replay", "replay [OPTIONS] CAPTURE"),
        ("list", "list [OPTIONS] CAPTURE..."),
        ("demo", "demo [OPTIONS] [LESSON]"),
    ],
)
def test_an_argument_is_shown_as_it_is_typed(command: str, usage: str, columns: str) -> None:
    lines = run(command, "--help", COLUMNS=columns).stdout.splitlines()
    assert lines[0].endswith(usage)
    argument = lines[lines.index("Arguments:") + 1].split()[0]
    assert argument == usage.split()[-1]


def test_the_many_options_of_probe_stand_in_groups() -> None:
    shown = run("probe", "--help", COLUMNS="80").stdout
    groups = dict(re.findall(r"^(\w[^\n]*):\n((?:  [^\n]*\n)+)", f"{shown}\n", re.MULTILINE))
    assert list(groups) == [
        "Arguments",
        "Targets and rate",
        "Timeouts and retries",
        "SYN header and options",
        "Source and IP header",
        "After the handshake",
        "Raw packets or kernel",
        "Output",
        "General options",
        "Exit codes",
    ]
    named = {name: re.findall(r"^  (-\S+)", rows, re.MULTILINE) for name, rows in groups.items()}
    assert named["Raw packets or kernel"] == ["--connect", "--raw", "--adopt"]
    assert named["General options"] == ["--json", "--plain", "--ascii", "-h,"]
    codes = re.findall(r"^  ([0-9]+) ", groups["Exit codes"], re.MULTILINE)
    assert codes == ["0", "1", "2", "3", "130"]


@pytest.mark.parametrize(
    ("args", "error"),
    [
        (["nope"], "error: No such command 'nope'"),
        (["replay"], "error: Missing argument"),
        (["replay", "x", "--nope"], "error: No such option"),
        (["replay", "x", "--connection", "0"], "error: Invalid value for '--connection'"),
        (["replay", "x", "--speed", "0"], "error: --speed 0: must be greater than 0"),
        (["replay", "x", "--speed", "nan"], "error: --speed nan: must be greater than 0"),
        (["probe", "host"], "error: host: no port: write host:443"),
        (["probe", "host:1", "--rate", "0"], "error: --rate 0: must be greater than 0"),
        (["probe", "host:1", "--interval", "nan"], "error: --interval nan: must be greater than 0"),
        (
            ["probe", "--file", "/nowhere"],
            "error: /nowhere: cannot be opened: no such file or directory (ENOENT)",
        ),
        (["probe", "--file", "-"], "error: -: contains no target"),
        (["probe", "host:0"], "error: host:0: a port is a number from 1 to 65535"),
    ],
)
def test_wrong_usage_is_one_line(args: list[str], error: str) -> None:
    done = run(*args)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith(error)
    assert done.stderr.count("\n") == 1


def test_without_a_command_it_lists_the_commands() -> None:
    done = run()
    assert (done.returncode, done.stdout) == (2, "")
    assert "Commands:" in done.stderr


def test_the_version_is_a_line() -> None:
    done = run("--version")
    assert done.returncode == 0
    assert done.stdout.startswith("handshake ")


def test_even_a_mistake_of_ours_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object, **_options: object) -> None:
        raise ZeroDivisionError("no\nreason \x1b[2J")

    monkeypatch.setattr(replayer, "replay", fail)
    assert main(["replay", "x"]) == 3
    why = "ZeroDivisionError: no reason \\x1b[2J"
    assert capsys.readouterr().err == f"error: {says('internal', why=why)}\n"


def test_an_interrupt_ends_quietly(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(*_: object, **_options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(replayer, "replay", interrupt)
    assert main(["replay", "x"]) == 130
    assert capsys.readouterr().err == ""
