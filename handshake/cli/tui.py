"""The interactive loop: redraws the screen after each key and each resize."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, Protocol

from rich.control import Control

from handshake.cli.keyboard import ENDED, RESIZED, SUSPEND, Keys

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console, RenderableType


_MOUSE_ON: Final = "\x1b[?1000h\x1b[?1006h"
_MOUSE_OFF: Final = "\x1b[?1006l\x1b[?1000l"
"""Report buttons, with numbers of any size (SGR); and no longer."""


class Interactive(Protocol):
    """A full-screen view: it draws its current state and acts on keys."""

    @property
    def pause(self) -> float | None:
        """Seconds until `advance`; None to wait for a key."""
        ...

    def draw(self, width: int, height: int) -> RenderableType:
        """Return the screen, of this size."""
        ...

    def press(self, key: str) -> bool:
        """Act on a key; return False to leave."""
        ...

    def advance(self) -> bool:
        """Go on after the pause; return whether the screen must be drawn again."""
        ...


def run(
    view: Interactive, console: Console, *, keys_from: int | None = None, mouse: bool = False
) -> None:
    """Show `view` on the alternate screen and pass keys to it until it ends.

    Keys come from standard input, or from the terminal with the descriptor `keys_from`; with
    `mouse` clicks and the wheel are keys, too.
    """
    with (
        Keys(keys_from) as keys,
        console.screen(hide_cursor=True) as screen,
        _mouse(console, wanted=mouse),
    ):
        stale = True
        while True:
            if stale:
                width, height = console.size
                with console:
                    console.control(Control.home())
                    screen.update(view.draw(width, height))
            key = keys.read(view.pause)
            if key is None:
                stale = view.advance()
            elif key == SUSPEND:
                _suspend(keys, console, mouse=mouse)
                stale = True
            elif key == ENDED or (key != RESIZED and not view.press(key)):
                return
            else:
                stale = True


def _suspend(keys: Keys, console: Console, *, mouse: bool) -> None:
    """Give the terminal back to the shell until it lets the program go on."""
    if mouse:
        _write(console, _MOUSE_OFF)
    console.show_cursor(True)
    console.set_alt_screen(False)
    keys.suspend()
    console.set_alt_screen(True)
    console.show_cursor(False)
    if mouse:
        _write(console, _MOUSE_ON)


@contextmanager
def _mouse(console: Console, *, wanted: bool) -> Iterator[None]:
    """Let the terminal report clicks and the wheel inside the `with` block."""
    if not wanted:
        yield
        return
    _write(console, _MOUSE_ON)
    try:
        yield
    finally:
        _write(console, _MOUSE_OFF)


def _write(console: Console, sequence: str) -> None:
    console.file.write(sequence)
    console.file.flush()
