"""The interactive loop: one screen at a time, redrawn for each key and each size."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from rich.control import Control

from handshake.cli.keyboard import ENDED, RESIZED, Keys

if TYPE_CHECKING:
    from rich.console import Console, RenderableType


class Screen(Protocol):
    """What can be stepped through: it knows where it is, and draws that."""

    @property
    def pause(self) -> float | None:
        """Seconds after which to go on without a key; None while only a key moves it."""
        ...

    def draw(self, width: int, height: int) -> RenderableType:
        """Return what to show on a screen of this size."""
        ...

    def press(self, key: str) -> bool:
        """Act on a key; return whether to go on."""
        ...

    def advance(self) -> None:
        """Go one step on, since the pause is over."""
        ...


def run(show: Screen, console: Console) -> None:
    """Draw `show` on an alternate screen and let keys move it, until it ends."""
    with Keys() as keys, console.screen(hide_cursor=True) as screen:
        while True:
            width, height = console.size
            with console:
                console.control(Control.home())
                screen.update(show.draw(width, height))
            key = keys.read(show.pause)
            if key is None:
                show.advance()
            elif key == ENDED or (key != RESIZED and not show.press(key)):
                return
