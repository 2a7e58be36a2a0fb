"""The interactive loop: redraws the screen after each key and each resize."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from rich.control import Control

from handshake.cli.keyboard import ENDED, RESIZED, Keys

if TYPE_CHECKING:
    from rich.console import Console, RenderableType


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


def run(view: Interactive, console: Console) -> None:
    """Show `view` on the alternate screen and pass keys to it until it ends."""
    with Keys() as keys, console.screen(hide_cursor=True) as screen:
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
            elif key == ENDED or (key != RESIZED and not view.press(key)):
                return
            else:
                stale = True
