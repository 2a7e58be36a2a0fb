"""`handshake watch` on a terminal; live traffic is in tests/live/test_watch.py."""

from __future__ import annotations

import re
import shlex
import signal
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.cli.preloaded import run
from tests.cli.terminal import Terminal
from tests.cli.test_spool import LEFT, MIXED, handshake, shell

if TYPE_CHECKING:
    from pathlib import Path

CAPTURE = str(MIXED)
WATCH = ["-m", "handshake", "watch", "-r", CAPTURE, "--lang", "en"]


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_rows_fit_the_terminal_below_their_headings(columns: int) -> None:
    with Terminal([*WATCH, "--lines"], columns) as terminal:
        assert terminal.end() == 0
        shown = re.sub(r"\x1b\[[0-9;]*m", "", terminal.output)
    lines = [each.rstrip() for each in shown.splitlines() if each.strip()]
    assert lines[-1] == "178 packets seen, 0 lost"
    assert max(map(len, lines)) <= columns
    heading = next(each for each in lines if "outcome" in each)
    row = next(each for each in lines if each.startswith("   9 "))
    cells = {"outcome": "established", "server": "10.77.0.2:", "rtt": "10.7ms"}
    if columns > 60:  # where there is less room, the reason is worth more than the client
        cells["client"] = "10.77.0.1:"
    for title, cell in cells.items():
        at = heading.index(title)
        assert cell in row[at - 3 : at + 12], title


def test_the_table_has_the_keys_of_the_list(tmp_path: Path) -> None:
    out = tmp_path / "some.json"
    with Terminal(WATCH) as terminal:
        terminal.see("178 packets, 0 lost")
        terminal.see("sort live   shown 25")
        terminal.press("/outcome == refused\r")
        terminal.see("shown 2 of 25")
        terminal.press("\x1b")
        terminal.see("filter none")
        terminal.press("s")
        terminal.see("sort outcome")
        terminal.press("?")
        terminal.see("The list of connections")
        terminal.press(" ")
        terminal.see("state: of the client, of the server")
        terminal.press("x")
        terminal.see("sort outcome")
        terminal.press(":2\r\r")
        terminal.see("step 1/10")
        terminal.press("q")
        terminal.see("sort outcome")
        terminal.press(f"e\x15{out}\r")
        terminal.see("connections, ")
        terminal.press("q")
        assert terminal.end() == 0
        assert "178 packets seen, 0 lost" in terminal.output
        assert terminal.mode == terminal.before
    assert out.read_text().startswith("{")


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129), (None, 130)]
)
def test_a_signal_restores_the_terminal(number: signal.Signals | None, code: int) -> None:
    with Terminal(WATCH) as terminal:
        terminal.see("shown 25")
        if number is None:
            terminal.press("\x03")
        else:
            terminal.process.send_signal(number)
        assert terminal.end() == code
        assert LEFT in terminal.output
        assert terminal.mode == terminal.before


def test_control_z_suspends_it() -> None:
    watch = handshake("watch", "-r", CAPTURE)
    with shell(f"set -m; {watch}; echo stopped; read line; fg; echo ended") as terminal:
        terminal.see("shown 25")
        terminal.press("\x1a")
        terminal.see("stopped")
        terminal.press("\r")
        terminal.see("shown 25")
        terminal.press("q")
        terminal.see("ended")
        assert terminal.end() == 0
        assert terminal.mode == terminal.before


def test_packets_by_a_pipe_and_keys_from_the_terminal(tmp_path: Path) -> None:
    fifo = tmp_path / "more"
    half = shlex.quote(CAPTURE)
    feed = f"head -c 3000 {half}; mkfifo {fifo}; cat {fifo}; tail -c +3001 {half}"
    with shell(f"({feed}) | {handshake('watch', '-r', '-')}") as terminal:
        terminal.see("shown 9   watching")
        terminal.press("j")
        terminal.see("── #")
        with fifo.open("wb"):
            pass
        terminal.see("178 packets")
        terminal.see("shown 25")
        terminal.press("q")
        assert terminal.end() == 0
        assert terminal.mode == terminal.before


def test_what_is_no_capture_is_said() -> None:
    with shell(f"echo hello | {handshake('watch', '-r', '-')}") as terminal:
        terminal.see("a text file, not a capture")
        terminal.press("q")
        terminal.end()
        assert terminal.mode == terminal.before


@pytest.mark.parametrize(("columns", "lines"), [(20, 5), (40, 10), (80, 24), (200, 60)])
def test_any_size_will_do(columns: int, lines: int) -> None:
    with Terminal(WATCH, columns, lines) as terminal:
        terminal.see("established 18")
        terminal.press("jG\r")
        terminal.see("step")
        terminal.press("qq")
        assert terminal.end() == 0


def test_a_count_or_json_prints_lines() -> None:
    for words in (["-c", "3"], ["--json"], ["--plain"]):
        with Terminal([*WATCH, *words]) as terminal:
            assert terminal.end() == 0
            assert LEFT not in terminal.output


def test_what_is_written_is_read_by_tcpdump(tmp_path: Path) -> None:
    out = tmp_path / "all.pcapng"
    done = run(("watch", "-r", CAPTURE, "-w", str(out)), {})
    assert (done.returncode, done.stderr.count("178 packets seen, 0 lost")) == (0, 1)
    shown = subprocess.run(
        ["tcpdump", "-nr", str(out)], capture_output=True, text=True, check=True
    ).stdout
    assert len(shown.splitlines()) == 178
    empty = tmp_path / "none.pcap"
    empty.write_bytes(MIXED.read_bytes()[:24])
    assert run(("watch", "-r", str(empty), "-w", str(out)), {}).returncode == 0
    subprocess.run(["tcpdump", "-nr", str(out)], capture_output=True, check=True)


def test_a_capture_that_is_cut_is_said(tmp_path: Path) -> None:
    cut = tmp_path / "cut.pcap"
    cut.write_bytes(MIXED.read_bytes()[:3000])
    done = run(("watch", "-r", str(cut)), {})
    seen, warning = done.stderr.splitlines()[-2:]
    assert seen == "31 packets seen, 0 lost"
    assert warning == f"warning: {cut}: truncated at offset 2974: packet 32 is incomplete"


@pytest.mark.parametrize("words", [(), ("--json",), ("--problems",)])
def test_a_count_is_never_exceeded(words: tuple[str, ...]) -> None:
    done = run(("watch", "-r", CAPTURE, "-c", "3", *words), {})
    assert done.returncode == 0
    assert len([each for each in done.stdout.splitlines() if not each.startswith("start")]) == 3
