"""Help and errors: short, light, and never a traceback."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from rich.cells import cell_len
from typer.testing import CliRunner

from handshake import replayer
from handshake.cli import app, main
from handshake.cli.examples import EXAMPLES
from tests.cli import preloaded
from tests.errors import says
from tests.schema import OUTPUTS, valid

ROOT = Path(__file__).parents[2]
COMMANDS = ("probe", "replay", "list", "watch", "craft", "decode", "serve", "demo")
SHORT = ("watch", "craft", "decode", "serve")
"""Those whose help fits on a screen."""
PROGRAM = (
    sys.executable,
    "-c",
    "import sys; sys.argv[0] = 'handshake'\nfrom handshake.cli import main\nsys.exit(main())",
)
"""The program under its own name, by which a shell asks for completions."""


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
        ("--help", ("rich", "handshake.survey", "handshake.cli.translation", "tomllib")),
        ("list MIXED", ("rich", "handshake.query.keys", "handshake.cli.probe")),
        ("list MIXED --json --jobs 1", ("rich", "handshake.view.columns", "handshake.query.keys")),
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
    listed = shown[shown.index("Commands:") :].partition("\n\n")[0].splitlines()[1:]
    assert [line.split()[0] for line in listed] == [*COMMANDS, "help"]
    assert all(len(line) <= 80 and line.endswith(".") for line in listed)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself_in_eighty_columns(command: str) -> None:
    done = run(command, "--help-all" if command in SHORT else "-h", COLUMNS="80")
    assert done.returncode == 0
    assert all(len(line) <= 80 for line in done.stdout.splitlines())
    assert {"--json", "--plain", "--ascii"} <= set(done.stdout.split())


@pytest.mark.parametrize("language", ["en", "ko"])
@pytest.mark.parametrize("command", SHORT)
def test_the_short_help_fits_on_a_screen_of_24_lines(command: str, language: str) -> None:
    # The line of the shell below it, too.
    lines = run("--lang", language, command, "--help", COLUMNS="80").stdout.splitlines()
    assert len(lines) < 24
    assert max(map(cell_len, lines)) <= 80
    groups = [each for each in lines if each.endswith(":") and not each.startswith(" ")]
    assert len(groups) >= 3


@pytest.mark.parametrize("columns", ["80", "120"])
@pytest.mark.parametrize(
    ("command", "usage"),
    [
        ("probe", "probe [OPTIONS] [TARGET]..."),
        ("replay", "replay [OPTIONS] CAPTURE"),
        ("list", "list [OPTIONS] CAPTURE..."),
        ("watch", "watch [OPTIONS] [FILTER]"),
        ("serve", "serve [OPTIONS] [PORT]"),
        ("demo", "demo [OPTIONS] [LESSON]"),
    ],
)
def test_an_argument_is_shown_as_it_is_typed(command: str, usage: str, columns: str) -> None:
    lines = run(command, "--help-all", COLUMNS=columns).stdout.splitlines()
    assert lines[0].endswith(usage)
    argument = lines[lines.index("Arguments:") + 1].split()[0]
    assert argument == usage.split()[-1]


def grouped(shown: str) -> dict[str, str]:
    """Return the rows of each group of a help."""
    return dict(re.findall(r"^(\w[^\n]*):\n((?:  [^\n]*\n)+)", f"{shown}\n", re.MULTILINE))


def test_what_few_users_need_stands_behind_help_all() -> None:
    short, whole = (
        re.findall(
            r"^  (?:-\w, )?(--?\w\S*)", run("probe", form, COLUMNS="80").stdout, re.MULTILINE
        )
        for form in ("--help", "--help-all")
    )
    assert set(short) < set(whole)
    assert {"--rto", "--md5", "--option", "--monitor", "--raw"} <= set(whole) - set(short)
    assert {"--timeout", "-4", "-6", "--data", "--connect", "--brief"} <= set(short)
    asked = run("help", "probe", COLUMNS="80")
    assert asked.stdout == run("probe", "--help", COLUMNS="80").stdout
    every = run("help", "probe", "--all", COLUMNS="80")
    assert every.stdout == run("probe", "--help-all", COLUMNS="80").stdout


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_help_has_examples_and_they_are_valid(
    name: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    words = [] if name == "handshake" else [name]
    shown = run(*words, "--help-all" if name in SHORT else "--help", COLUMNS="80").stdout
    monkeypatch.chdir(ROOT)
    for example, purpose in EXAMPLES[name]:
        assert f"  {example}\n      {purpose}\n" in shown or f"  {example}  # {purpose}\n" in shown
        first = example.removeprefix("sudo ").partition(" > ")[0].partition(" | ")[0]
        command, *args = shlex.split(first)
        assert command == "handshake"
        if "--export" in args:
            at = args.index("--export") + 1
            args[at] = str(tmp_path / args[at])
            # Of a probe that sends nothing there is nothing to write.
            args = args[: at - 1] if args[0] == "probe" else args
        if args[0] == "probe" and "--dry-run" not in args:
            # Nothing is sent: what is wrong with the options would be said before that.
            args = [
                each
                for each in args
                if each not in ("-w", "probe.pcapng", "--connect", "-v", "--trace")
            ]
            args = [*args[:1], "127.0.0.1:9", *args[2:], "--dry-run"]
        elif args[0] == "watch":
            # A file is read instead of the machine's own traffic.
            kept = [each for each in args if each in ("--json", "--problems")]
            args = ["watch", "-r", "captures/refused.pcap", *kept]
        elif args[0] == "serve":
            args = [*args, "--list"]  # the options are parsed, and no port is opened
        elif args[0] == "probe":
            args[1] = "127.0.0.1:9"
        assert main(args) == 0, example
    capsys.readouterr()


def test_help_without_a_command_is_that_of_the_program() -> None:
    assert run("help").stdout == run("--help").stdout
    wrong = run("help", "nope")
    assert (wrong.returncode, wrong.stdout) == (2, "")
    names = "probe, replay, list, watch, craft, decode, serve, demo or help"
    assert wrong.stderr == f"error: help nope: must be {names}\n"


def test_the_manual_page_has_every_option_of_every_command() -> None:
    page = run("help", "--man").stdout
    assert page.startswith('.TH HANDSHAKE 1 "" "handshake ')
    plain = page.replace(r"\-", "-").replace(r"\e", "\\")
    for command in COMMANDS:
        shown = run(command, "--help-all" if command in ("probe", *SHORT) else "--help").stdout
        for option in re.findall(r"^  (--?\w[\w-]*)", shown, re.MULTILINE):
            assert f".B {option}" in plain, option
    macros = {line.split()[0] for line in page.splitlines() if line.startswith(".")}
    assert macros <= {".TH", ".SH", ".SS", ".TP", ".PP", ".B", ".br", ".nf", ".fi"}
    for rows in EXAMPLES.values():
        assert all(f".B {example}" in plain for example, _ in rows)


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("handshake pro", ["probe"]),
        ("handshake probe --conn", ["--connect"]),
        ("handshake craft --chec", ["--checksum"]),
        ("handshake deco", ["decode"]),
        ("handshake list --fil", ["--filter"]),
        # Only --help-all shows it.
        ("handshake probe --clos", ["--close"]),
        ("handshake probe --close ", ["fin", "rst", "none"]),
        ("handshake list --lang k", ["ko"]),
        ("handshake demo ha", ["half-open"]),
        ("handshake help pr", ["probe"]),
    ],
)
def test_a_shell_completes_commands_and_options(typed: str, found: list[str]) -> None:
    words = {"COMP_WORDS": typed, "COMP_CWORD": str(typed.count(" "))}
    done = subprocess.run(
        [*PROGRAM],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **words, "_HANDSHAKE_COMPLETE": "complete_bash"},
    )
    assert done.stdout.split() == found
    for shell in ("zsh", "fish"):
        env = {**os.environ, "_HANDSHAKE_COMPLETE": f"complete_{shell}"}
        env |= {"_TYPER_COMPLETE_ARGS": typed, "_TYPER_COMPLETE_FISH_ACTION": "get-args"}
        other = subprocess.run([*PROGRAM], capture_output=True, text=True, check=False, env=env)
        assert all(each in other.stdout for each in found), shell


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_installed_or_shown(shell: str, tmp_path: Path) -> None:
    env = {**os.environ, "HOME": str(tmp_path)}
    shown, done = (
        subprocess.run(
            [*PROGRAM, f"--{verb}-completion", shell],
            capture_output=True,
            text=True,
            check=True,
            env=env,
        )
        for verb in ("show", "install")
    )
    assert "_HANDSHAKE_COMPLETE" in shown.stdout
    assert done.stdout.startswith(f"completion for {shell} is in {tmp_path}/")
    written = [path.read_text() for path in tmp_path.rglob("*") if path.is_file()]
    assert any("_HANDSHAKE_COMPLETE" in text for text in written)


def test_an_unknown_shell_is_refused() -> None:
    done = run("--install-completion", "tcsh")
    assert done.returncode == 2
    assert done.stderr == "error: --install-completion tcsh: must be bash, zsh or fish\n"


def test_the_many_options_of_probe_stand_in_groups() -> None:
    groups = grouped(run("probe", "--help-all", COLUMNS="80").stdout)
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
        "Examples",
        "Exit codes",
    ]
    named = {name: re.findall(r"^  (-\S+)", rows, re.MULTILINE) for name, rows in groups.items()}
    assert named["Raw packets or kernel"] == ["--trace", "--connect", "--raw", "--adopt"]
    assert named["General options"] == [
        "--json",
        "--plain",
        "--ascii",
        "--lang",
        "-h,",
        "--help-all",
    ]
    codes = re.findall(r"^  ([0-9]+) ", groups["Exit codes"], re.MULTILINE)
    assert codes == ["0", "1", "2", "3", "130"]


@pytest.mark.parametrize(
    ("args", "error"),
    [
        (["nope"], "error: No such command 'nope'"),
        (["replay"], "error: Missing argument"),
        (["replay", "x", "--nope"], "error: No such option"),
        (["replay", "x", "--connection", "0"], "error: Invalid value for '--connection'"),
        (["list", "x", "--jobs", "0"], "error: Invalid value for '--jobs': it must be at least 1 "),
        (["list", "x", "--jobs", "two"], "error: Invalid value for '--jobs': it must be a whole "),
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


@pytest.mark.parametrize("args", ["list captures/refused.pcap", "list captures --json", "--help"])
def test_a_closed_standard_output_is_an_error(args: str) -> None:
    """As `ls >&-` says so."""
    done = subprocess.run(
        ["sh", "-c", f"exec '{sys.executable}' -m handshake {args} >&-"],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert done.returncode == 3
    assert done.stderr == "error: cannot write the output: bad file descriptor (EBADF)\n"


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
