"""Failures along the time of the captures: one line of bars."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.cells import cell_len

from handshake.units import NS_PER_SECOND
from handshake.view.columns import seconds
from handshake.view.glyphs import UNICODE, Glyphs
from handshake.view.layout import line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.text import Text


@dataclass(frozen=True)
class Strip:
    """When connections with a problem began: a bar for each part of the time."""

    failures: Sequence[int]
    """When each of them began, in nanoseconds since 1970."""

    begin: int
    """When the first connection began."""

    end: int
    """When the last one began."""

    def draw(self, width: int, here: int | None = None, glyphs: Glyphs = UNICODE) -> Text:
        """Return the line; the part with the moment `here` is marked."""
        label = f" {glyphs.say('list.failures', count=len(self.failures))} "
        last = f" {seconds((self.end - self.begin) / NS_PER_SECOND)}"
        room = width - cell_len(label) - len(last) - 1
        if room < 10:
            return line((label, "dim"))
        counts = [0] * room
        for each in self.failures:
            counts[self._place(each, room)] += 1
        most, signs = max(1, *counts), glyphs.bars
        # One failure among thousands has a bar, too.
        bars = "".join(signs[-(-each * (len(signs) - 1) // most)] for each in counts)
        if here is None:
            return line((label, "dim"), (bars, "bad"), (last, "dim"))
        # A sign of its own: in reverse a full bar would be a hole.
        at = self._place(here, room)
        mark = (glyphs.here, "bad" if counts[at] else "title")
        return line(
            (label, "dim"), (bars[:at], "bad"), mark, (bars[at + 1 :], "bad"), (last, "dim")
        )

    def _place(self, at: int, room: int) -> int:
        span = self.end - self.begin
        return min(room - 1, max(0, (at - self.begin) * room // (span + 1)))
