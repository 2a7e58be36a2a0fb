"""The page of help: the keys of a screen, and what each mark on it means."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from rich.console import Group

from handshake.view.glyphs import UNICODE, Glyphs
from handshake.view.layout import fit, line, wrap

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.text import Text

_INDENT: Final = 20

Entry = tuple[str, str]
"""A key or a mark, and what it means."""

LIST_MARKS: Final[tuple[Entry, ...]] = (
    ("✓", "it opened, and nothing is wrong (ok)"),
    ("!", "it opened and something is wrong, or it was reset or is half-open"),
    ("✗", "it did not open: refused, no-answer, unreachable"),
    ("·", "mid-stream: its opening was not captured"),
    ("S2", "retry: the SYN was retransmitted twice"),
    ("SA1", "retry: the SYN-ACK was retransmitted once"),
    ("—", "not known"),
    ("2 resent", "why: two retransmissions after the handshake"),
    ("▁▃█", "failures: how many connections with a problem began then"),
)
"""The marks of the list."""

LADDER_MARKS: Final[tuple[Entry, ...]] = (
    (">", "the chosen segment"),
    ("!", "look here: loss, retransmission, reset, gap"),
    ("?", "after a state: inferred, not proven by the packets"),
    ("──╳ lost", "it was lost between the capture and its receiver"),
    ("again", "a retransmission"),
    ("copy", "the same packet, captured once more"),
    ("· · · 1.02 s", "time without a segment, or segments that are not shown"),
    ("*", "this segment changed it; in a header: it differs from the one before"),
    ("0 (7000)", "a relative number, and the number in the header"),
    ("shift 10/7", "window scaling: of the windows that it is sent, and of its own"),
    ("held", "segments that it keeps until a gap is filled"),
)
"""The marks of the ladder and of what stands below it."""


@dataclass(frozen=True)
class HelpPage:
    """Keys and marks, on as many lines as they need."""

    title: str
    keys: Sequence[Entry]
    marks: Sequence[Entry]
    glyphs: Glyphs = UNICODE

    def lines(self, width: int) -> list[Text]:
        """Return all lines, in two columns where both fit."""
        keys = self._section("Keys", self.keys, width)
        marks = self._section("Marks", self.marks, width)
        half = width // 2
        if width < 100:
            return [*keys, line(), *marks]
        left = self._section("Keys", self.keys, half - 2)
        right = self._section("Marks", self.marks, half)
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
        foot = "any other key goes back"
        if len(every) > room:
            foot = f"{self.glyphs.up}/{self.glyphs.down} more  {foot}"
        shown = every[first : first + room]
        lines = [
            line((fit(f" {self.title}", width, self.glyphs.ellipsis), "title")),
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

    def _section(self, title: str, entries: Sequence[Entry], width: int) -> list[Text]:
        indent = min(_INDENT, width // 3)
        lines = [line((f" {title}", "title"))]
        for name, meaning in entries:
            name = self.glyphs.spell(name)
            texts = wrap(self.glyphs.spell(meaning), max(1, width - indent))
            if len(name) > indent - 3:
                lines.append(line((f"  {name}", "key")))
            else:
                lines.append(line((f"  {fit(name, indent - 2)}", "key"), texts.pop(0)))
            lines += [line(" " * indent, each) for each in texts]
        return lines
