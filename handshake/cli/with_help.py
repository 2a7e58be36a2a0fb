"""Help on every screen: `?` shows its keys and marks, any other key goes back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from handshake.cli.tui import Interactive
from handshake.cli.with_export import Exportable

if TYPE_CHECKING:
    from rich.console import RenderableType

    from handshake.cli.with_export import Exported
    from handshake.view.help_page import HelpPage


class Helpful(Interactive, Protocol):
    """A view that has help."""

    @property
    def typing(self) -> bool:
        """Whether a text is typed, so that `?` is a part of it."""
        ...

    def help_page(self) -> HelpPage:
        """Return the help on what is shown."""
        ...


class HelpfulView(Helpful, Exportable, Protocol):
    """A view that has help and can be written to a file."""


class WithHelp:
    """A view with its help."""

    def __init__(self, view: HelpfulView) -> None:
        self._view = view
        self._page: HelpPage | None = None
        self._first = 0
        self._size = (80, 24)

    @property
    def pause(self) -> float | None:
        """Seconds until `advance`."""
        return self._view.pause

    @property
    def typing(self) -> bool:
        """Whether a text is typed."""
        return self._view.typing

    @property
    def exported(self) -> Exported | None:
        """What the key `e` writes; nothing while help is shown."""
        return self._view.exported if self._page is None else None

    def advance(self) -> bool:
        """Go on after the pause; return whether the screen must be drawn again."""
        return self._view.advance() and self._page is None

    def draw(self, width: int, height: int) -> RenderableType:
        """Return the screen, of this size."""
        self._size = width, height
        if self._page is None:
            return self._view.draw(width, height)
        return self._page.draw(width, height, self._first)

    def press(self, key: str) -> bool:
        """Act on a key; return False to leave."""
        if self._page is not None:
            self._turn(self._page, key)
            return True
        if key == "?" and not self._view.typing:
            self._page, self._first = self._view.help_page(), 0
            return True
        return self._view.press(key)

    def _turn(self, page: HelpPage, key: str) -> None:
        """Scroll the page, or close it."""
        room = max(1, self._size[1] - 3)
        by = {
            "down": 1,
            "j": 1,
            "wheel-down": 3,
            "page-down": room,
            "space": room,
            "up": -1,
            "k": -1,
            "wheel-up": -3,
            "page-up": -room,
        }
        if key in by:
            self._first = max(0, min(self._first + by[key], page.last(*self._size)))
        elif key != "unknown":
            self._page = None
