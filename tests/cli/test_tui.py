"""The interactive loop: what it does with keys and sizes, and that the terminal comes back."""

from __future__ import annotations

import os
import signal
from typing import Any

import pytest

from handshake.cli import keyboard
from tests.cli.terminal import Terminal

SHOW = """
import sys
from rich.console import Console
from rich.text import Text
from handshake.cli.tui import run

class Show:
    pause = None
    said = "ready"
    def draw(self, width, height):
        if self.said == "x":
            raise RuntimeError("cannot draw")
        return Text(f"[{self.said}] {width}x{height}.")
    def press(self, key):
        self.said = key
        self.pause = 0.01 if key == "p" else None
        return key != "q"
    def advance(self):
        self.said, self.pause = "advanced", None
        return True

run(Show(), Console())
"""

LEFT = "\x1b[?1049l"
"""What leaves the alternate screen."""

CURSOR = "\x1b[?25h"
"""What shows the cursor again."""


def on_stage() -> Terminal:
    terminal = Terminal(["-c", SHOW])
    terminal.see("[ready] 80x24.")
    return terminal


def restored(terminal: Terminal) -> bool:
    return (
        terminal.mode == terminal.before and LEFT in terminal.output and CURSOR in terminal.output
    )


@pytest.mark.parametrize(
    ("octets", "key"),
    [
        ("a", "a"),
        (" ", "space"),
        ("\r", "enter"),
        ("\x7f", "backspace"),
        ("\x1b", "escape"),
        ("\x1b[C", "right"),
        ("\x1bOD", "left"),
        ("\x1b[H", "home"),
        ("\x1b[4~", "end"),
        ("\x1b[5~", "page-up"),
        ("\x1b[1;5C", "unknown"),
        ("\x1b[200~", "unknown"),
        ("한", "한"),
    ],
)
def test_a_key_by_its_name(octets: str, key: str) -> None:
    with on_stage() as terminal:
        terminal.press(octets)
        terminal.see(f"[{key}]")
        terminal.press("q")
        assert terminal.end() == 0


def test_keys_that_come_together_are_taken_one_by_one() -> None:
    with on_stage() as terminal:
        terminal.press("\x1b[C\x1b[Dab")
        for key in ("right", "left", "a", "b"):
            terminal.see(f"[{key}]")
        terminal.press("q")
        assert terminal.end() == 0


@pytest.mark.parametrize(
    ("pieces", "keys"),
    [
        (["\x1b", "[", "C"], ["right"]),
        (["\x1b", "[6~"], ["page-down"]),
        (["\x1bO", "D"], ["left"]),
        (["\x1b[<64;1", "0;5M"], ["wheel-up"]),
        (["\x1b", "[<0;3;4Mj"], ["click 2 3", "j"]),
        (["\x1b[1;", "5C"], ["unknown"]),
        (["\x1b", "", "[", "C"], ["escape", "[", "C"]),
    ],
)
def test_a_sequence_in_pieces_is_one_key(
    pieces: list[str], keys: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next piece comes just before the wait for it ends; an empty one, just after."""
    ours, theirs = os.pipe()
    rest = iter([piece.encode() for piece in pieces])
    waits = []

    def wait(*args: Any) -> tuple[list[int], list[int], list[int]]:
        waits.append(args[3])
        octets = next(rest, b"")
        os.write(theirs, octets)
        return [ours] if octets else [], [], []

    monkeypatch.setattr("handshake.cli.keyboard.select.select", wait)
    try:
        reader = keyboard.Keys(ours)
        assert [reader.read() for _ in keys] == keys
    finally:
        os.close(ours)
        os.close(theirs)
    assert waits[:2] == [None, 0.025] or pieces[0] != "\x1b"  # Esc alone is answered soon


def test_a_new_size_is_drawn_at_once() -> None:
    with on_stage() as terminal:
        terminal.resize(120, 40)
        terminal.see("[ready] 120x40.")
        terminal.press("q")
        assert terminal.end() == 0


def test_it_goes_on_by_itself_when_the_pause_is_over() -> None:
    with on_stage() as terminal:
        terminal.press("p")
        terminal.see("[advanced]")
        terminal.press("q")
        assert terminal.end() == 0


def test_the_terminal_comes_back_after_q() -> None:
    with on_stage() as terminal:
        assert terminal.mode != terminal.before
        terminal.press("q")
        assert terminal.end() == 0
        assert restored(terminal)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_the_terminal_comes_back_after_a_signal(number: signal.Signals) -> None:
    with on_stage() as terminal:
        terminal.process.send_signal(number)
        assert terminal.end() == 128 + number
        assert restored(terminal)


def test_the_terminal_comes_back_after_control_c() -> None:
    with on_stage() as terminal:
        terminal.press("\x03")
        assert terminal.end() != 0
        assert restored(terminal)
        assert "KeyboardInterrupt" in terminal.output


def test_the_terminal_comes_back_when_drawing_fails() -> None:
    with on_stage() as terminal:
        terminal.press("x")
        assert terminal.end() == 1
        assert restored(terminal)
        assert "cannot draw" in terminal.output.partition(LEFT)[2]


def test_it_ends_when_the_terminal_is_gone() -> None:
    with on_stage() as terminal:
        terminal.hang_up()
        assert terminal.process.wait(timeout=30) is not None
