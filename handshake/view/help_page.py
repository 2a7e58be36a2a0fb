"""The page of help: the keys of a screen, and what each mark on it means."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from rich.cells import cell_len
from rich.console import Group

from handshake.view.glyphs import UNICODE, Glyphs
from handshake.view.layout import fit, line, wrap

if TYPE_CHECKING:
    from rich.text import Text

_INDENT: Final = 20


@dataclass(frozen=True)
class HelpPage:
    """Keys and marks, on as many lines as they need."""

    topic: str
    """What it explains: `help.TOPIC` is its title, `TOPIC-keys` are its keys."""

    marks: str
    """Which marks: `list-marks` or `ladder-marks`."""

    glyphs: Glyphs = UNICODE

    def lines(self, width: int) -> list[Text]:
        """Return all lines, in two columns where both fit."""
        keys, marks, half = f"{self.topic}-keys", self.marks, width // 2
        if width < 100:
            return [
                *self._section("keys", keys, width),
                line(),
                *self._section("marks", marks, width),
            ]
        left = self._section("keys", keys, half - 2)
        right = self._section("marks", marks, half)
        rows = []
        for at in range(max(len(left), len(right))):
            first = left[at] if at < len(left) else line()
            padding = " " * (half - first.cell_len)
            rows.append(line(first, padding, *right[at : at + 1]))
        return rows

    def draw(self, width: int, height: int, first: int = 0) -> Group:
        """Return the screen from line `first` on: exactly `height` lines, none wider."""
        every, room = self.lines(width), max(0, height - 3)
        first = max(0, min(first, len(every) - room))
        say, signs = self.glyphs.say, self.glyphs
        foot = say("help.back")
        if len(every) > room:
            foot = f"{say('help.more', up=signs.up, down=signs.down)}  {foot}"
        shown = every[first : first + room]
        lines = [
            line((fit(f" {say(f'help.{self.topic}')}", width, self.glyphs.ellipsis), "title")),
            *shown,
            *[line()] * (room - len(shown)),
            line((self.glyphs.rule(width), "rule")),
            line((fit(f" {foot}", width, self.glyphs.ellipsis), "key")),
        ]
        for each in lines:
            each.truncate(width)
        return Group(*lines[-height:] if height < 3 else lines[:height])

    def last(self, width: int, height: int) -> int:
        """Return the highest number of the first line that still fills the screen."""
        return max(0, len(self.lines(width)) - max(0, height - 3))

    def _section(self, title: str, entries: str, width: int) -> list[Text]:
        indent = min(_INDENT, width // 3)
        lines = [line((f" {self.glyphs.say(f'help.{title}')}", "title"))]
        for name, meaning in self.glyphs.entries(entries):
            texts = wrap(meaning, max(1, width - indent))
            if cell_len(name) > indent - 3:
                lines.append(line((f"  {name}", "key")))
            else:
                lines.append(line((f"  {fit(name, indent - 2)}", "key"), texts.pop(0)))
            lines += [line(" " * indent, each) for each in texts]
        return lines
