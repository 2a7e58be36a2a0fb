"""A capture from standard input on a terminal: it grows while keys are taken, and is suspended."""

from __future__ import annotations

import shlex
import sys
from typing import TYPE_CHECKING

from tests.cli.terminal import Terminal
from tests.cli.test_help import ROOT

if TYPE_CHECKING:
    from pathlib import Path

MIXED = ROOT / "captures" / "mixed.pcap"
LEFT = "\x1b[?1049l"

SHELL = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execvp("bash", ["bash", "--norc", "-c", sys.argv[1]])
"""
"""A shell whose terminal this is, so that /dev/tty is it and Ctrl-Z suspends."""


def shell(command: str) -> Terminal:
    return Terminal(["-c", SHELL, command])


def handshake(*args: str) -> str:
    return shlex.join([sys.executable, "-m", "handshake", *args])


def test_standard_input_is_listed_while_it_arrives(tmp_path: Path) -> None:
    fifo = tmp_path / "more"
    half = shlex.quote(str(MIXED))
    feed = f"head -c 3000 {half}; mkfifo {fifo}; cat {fifo}; tail -c +3001 {half}"
    with shell(f"({feed}) | {handshake('list', '-')}") as terminal:
        terminal.see("29 packets, 9 connections")
        terminal.see("reading")
        terminal.press("j")
        terminal.see("── #2  10.77.0.1:41002")
        terminal.press("\r")
        terminal.see("step 1/10")
        terminal.press("q")
        terminal.see("shown 9")
        with fifo.open("wb"):
            pass
        terminal.see("176 packets, 25 connections")
        terminal.see("shown 25")
        terminal.press("?")
        terminal.see("Keys")
        terminal.press("qq")
        assert terminal.end() == 0
        assert terminal.mode == terminal.before


def test_what_is_no_capture_is_said() -> None:
    with shell(f"echo hello | {handshake('list', '-')}") as terminal:
        terminal.see("a text file, not a capture")
        terminal.press("q")
        assert terminal.end() == 0
        assert terminal.mode == terminal.before


def test_replay_takes_standard_input_too() -> None:
    command = f"cat {shlex.quote(str(MIXED))} | {handshake('replay', '-')}"
    with shell(command) as terminal:
        terminal.see("shown 25")
        terminal.press("\x03")
        assert terminal.end() == 130
        assert terminal.mode == terminal.before


def test_control_z_suspends_and_fg_draws_again() -> None:
    script = f"set -m; {handshake('list', str(MIXED))}; echo stopped; read line; fg; echo ended"
    with shell(script) as terminal:
        terminal.see("q quit")
        terminal.press("\x1a")
        terminal.see("stopped")
        assert LEFT in terminal.output
        terminal.press("\r")
        terminal.see("shown 25")
        terminal.press("j")
        terminal.see("── #2")
        terminal.press("q")
        terminal.see("ended")
        assert terminal.end() == 0
        assert terminal.mode == terminal.before
