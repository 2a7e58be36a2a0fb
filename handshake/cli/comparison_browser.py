"""Browses two connections side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING

from handshake.view.connection_comparison import ConnectionComparison
from handshake.view.help_page import HelpPage

if TYPE_CHECKING:
    from rich.console import RenderableType

    from handshake.record import Record
    from handshake.view.connection_comparison import Compared
    from handshake.view.glyphs import Glyphs


class ComparisonBrowser:
    """Two connections, and what the keys do."""

    pause = None
    typing = False

    def __init__(self, one: Compared, other: Compared, signs: Glyphs) -> None:
        self._one, self._other, self._glyphs = one, other, signs
        self._first = 0
        self._size = 80, 24

    def advance(self) -> bool:
        """Do nothing: there is no pause."""
        return False

    def press(self, key: str) -> bool:
        """Act on a key; return False to go back to the list."""
        if key in ("escape", "q", "D"):
            return False
        every, page = len(self._screen().lines(self._size[0])), max(1, self._size[1] - 3)
        by = {"down": 1, "j": 1, "wheel-down": 3, "page-down": page, "space": page, "end": every}
        by |= {"up": -1, "k": -1, "wheel-up": -3, "page-up": -page, "home": -every}
        by |= {"g": -every, "G": every}
        self._first = max(0, min(self._first + by.get(key, 0), every - page))
        return True

    @property
    def shown(self) -> tuple[str, list[Record], str]:
        """Both connections, with a name for their file and a title."""
        found = [self._one[0], self._other[0]]
        numbers = [str(each.stream + 1) for each in found]
        values = dict(zip(("one", "other"), numbers, strict=True))
        title = self._glyphs.say("comparison.title", **values)
        return f"connections-{'-'.join(numbers)}", found, title

    def draw(self, width: int, height: int) -> RenderableType:
        """Return the screen, of this size."""
        self._size = width, height
        return self._screen().draw(width, height)

    def _screen(self) -> ConnectionComparison:
        signs = self._glyphs
        scroll = signs.say("keys.scroll", up=signs.up, down=signs.down)
        keys = scroll, *(signs.say(f"keys.{each}") for each in ("export", "help", "leave"))
        return ConnectionComparison(self._one, self._other, self._first, keys, self._glyphs)

    def help_page(self) -> HelpPage:
        """Return the help on what is shown."""
        return HelpPage("comparison", "ladder-marks", self._glyphs)
