"""Explains one field of a header: its octets lit in the hex dump, its value, its RFC section."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from handshake.view.glyphs import UNICODE, Glyphs
from handshake.view.header import WIDTH, HeaderGrid
from handshake.view.header_octets import FIELDS, octets_of, value_of
from handshake.view.hexdump import HexDump
from handshake.view.layout import cropped, line, wrap

if TYPE_CHECKING:
    from rich.text import Text

    from handshake.events import Step

_BESIDE: Final = 8
"""Octets on a line beside the grid."""

_NARROWEST: Final = 12


@dataclass(frozen=True)
class FieldPage:
    """One field of the header of a step's segment."""

    step: Step
    chosen: int
    """Which field, from 0."""

    glyphs: Glyphs = UNICODE

    def lines(self, width: int, *, beside: bool) -> list[Text]:
        """Return the lines; `beside`: the header as a grid, and the octets to its right."""
        field, segment = FIELDS[self.chosen], self.step.segment
        lit = octets_of(field, segment)
        if beside:
            grid = HeaderGrid(
                segment, ruler=True, hexadecimal=True, chosen=field.key, glyphs=self.glyphs
            )
            dump = HexDump(
                self.step.observed, lit=lit, columns=_BESIDE, header_only=True, glyphs=self.glyphs
            )
            right = [*dump.lines(), line(), *self._text(width - WIDTH - 2)]
            left = cropped([*grid.lines(), *[line()] * len(right)], WIDTH + 2)
            rows = max(len(grid.lines()), len(right))
            return [line(a, b) for a, b in zip(left, [*right, *[line()] * rows], strict=False)][
                :rows
            ]
        dump = HexDump(
            self.step.observed, lit=lit, width=width, header_only=True, glyphs=self.glyphs
        )
        return [*dump.lines(), *self._text(width)]

    def _text(self, width: int) -> list[Text]:
        field, say = FIELDS[self.chosen], self.glyphs.say
        lit = octets_of(field, self.step.segment)
        value = value_of(field, self.step.segment, self.glyphs)
        room = max(_NARROWEST, width - 3)
        head = f"{self.chosen + 1}/{len(FIELDS)} {field.title(self.glyphs)}"
        lines = [line(" ", (each, "title")) for each in wrap(f"{head}: {value}", room)]
        text = say(
            "field.place",
            meaning=field.meaning(self.glyphs),
            section=field.section,
            many=len(lit) > 1,
            first=lit[0],
            last=lit[-1],
        )
        return [*lines, *(line(f"   {each}") for each in wrap(text, room))]
