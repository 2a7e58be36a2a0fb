"""Draws a TCP header as figure 1 of RFC 9293: 32 bits a row, two columns a bit."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from rich.cells import cell_len
from rich.measure import Measurement

from handshake.tcp import Flags, Kind
from handshake.tcp.option_text import option_text
from handshake.view.glyphs import UNICODE, Glyphs
from handshake.view.layout import fit, line
from handshake.view.theme import FIELD_STYLES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from rich.console import Console, ConsoleOptions, RenderResult
    from rich.text import Text

    from handshake.tcp import Segment

WIDTH: Final = 65
"""Columns of the grid: 32 bits of two columns each, and the right edge."""

_INSIDE: Final = WIDTH - 2
_HALF: Final = 31

_FLAGS: Final = (
    ("c", Flags.CWR),
    ("e", Flags.ECE),
    ("u", Flags.URG),
    ("a", Flags.ACK),
    ("p", Flags.PSH),
    ("r", Flags.RST),
    ("s", Flags.SYN),
    ("f", Flags.FIN),
)

_ROWS: Final = (
    ("source", "destination"),
    ("seq",),
    ("ack",),
    ("data_offset", "reserved", "flags", "window"),
    ("checksum", "urgent"),
    ("options",),
)

_OCTETS_OF: Final = {
    1: (range(4),),
    2: (range(2), range(2, 4)),
    3: (range(1), range(1, 2), range(2, 4)),
}
"""Which octets of a row belong to each of its fields, by how many fields there are."""


def option_texts(segment: Segment, glyphs: Glyphs = UNICODE) -> tuple[str, ...]:
    """Return each option as a short text; padding is omitted."""
    whole = [each for each in segment.options if not (segment.cut and each.problem)]
    found = tuple(
        option_text(each)
        for each in whole
        if each.kind not in (Kind.NOP, Kind.END) or each.problem is not None
    )
    if not segment.cut:
        return found
    return (*found, glyphs.say("field.rest-cut" if found else "field.cut"))


@dataclass(frozen=True)
class HeaderGrid:
    """The header of a segment, each field at its position on the wire."""

    segment: Segment
    changed: frozenset[str] = frozenset()
    """Fields to mark with `*`, by the names of `_ROWS`."""

    notes: Mapping[str, str] = field(default_factory=dict)
    """Notes on fields, to the right of their rows."""

    inside: Mapping[str, str] = field(default_factory=dict)
    """Notes after a number, in its cell: of `seq` and `ack`, and short ones of `window`."""

    ruler: bool = False
    """Whether to number the bits and draw lines between rows: 15 lines instead of 8."""

    hexadecimal: bool = False
    """Whether to show sequence numbers in hexadecimal too."""

    chosen: str | None = None
    """The field to highlight."""

    octets: bool = False
    """Whether to colour the fields, and to show the octets of each row to its right alike."""

    glyphs: Glyphs = UNICODE

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        return Measurement(WIDTH, options.max_width if self.notes else WIDTH)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield from self.lines(options.max_width)

    def lines(self, width: int = WIDTH) -> list[Text]:
        """Return the lines, with notes as far as they fit into `width`."""
        rows = [self._row(fields, width) for fields in _ROWS]
        if not self.ruler:
            return [self._edge(0), *rows, self._edge(len(_ROWS))]
        tens = "".join(f"{bit // 10 if bit % 10 == 0 else ' '} " for bit in range(32))
        ones = "".join(f"{bit % 10} " for bit in range(32))
        out = [line((f" {tens}", "dim")), line((f" {ones}", "dim"))]
        for number, row in enumerate(rows):
            out += [self._edge(number), row]
        return [*out, self._edge(len(_ROWS))]

    def _edge(self, number: int) -> Text:
        """Draw the line above row `number`, joined to the cells of both neighbouring rows."""
        glyphs = self.glyphs
        above = _stops(_ROWS[number - 1]) if number and self.ruler else set()
        # Without lines between the rows only the first row's cells meet an edge, and the
        # last row has only one cell.
        below = _stops(_ROWS[number]) if number < len(_ROWS) else set()
        middle = ""
        for column in range(1, WIDTH - 1):
            up, down = column in above, column in below
            middle += (
                glyphs.crossing
                if up and down
                else glyphs.tee_up
                if up
                else glyphs.tee_down
                if down
                else glyphs.horizontal
            )
        if number == 0:
            ends = glyphs.top_left, glyphs.top_right
        elif number == len(_ROWS):
            ends = glyphs.bottom_left, glyphs.bottom_right
        else:
            ends = glyphs.tee_right, glyphs.tee_left
        return line((ends[0] + middle + ends[1], "rule"))

    def _row(self, fields: tuple[str, ...], width: int) -> Text:
        bar = (self.glyphs.vertical, "rule")
        row = line(bar)
        for name in fields:
            for part in self._cell(name):
                row.append(*part)
            row.append(*bar)
        if self.octets:
            row.append_text(self._row_octets(fields))
        # In a row of several cells the first note is shown.
        note = next((self.notes[name] for name in fields if name in self.notes), "")
        room = width - WIDTH - 1
        if note and room > 0:
            row.append(" " + fit(note, room, self.glyphs.ellipsis), "field.note")
        return row

    def _row_octets(self, fields: tuple[str, ...]) -> Text:
        """Return the four octets of a row of the fixed header, each in the colour of its field."""
        number = _ROWS.index(fields)
        row = line()
        if number == len(_ROWS) - 1:
            return row  # options have rows of any number
        begin = number * 4
        styles = [name for name in fields if name != "reserved"]
        parts = _OCTETS_OF[len(styles)]
        header = self.segment.pack()[begin : begin + 4]
        for name, part in zip(styles, parts, strict=True):
            for at in part:
                row.append(" " if at else "  ")
                row.append(f"{header[at]:02x}", FIELD_STYLES[name])
        return row

    def _cell(self, name: str) -> Iterator[tuple[str, str]]:
        match name:
            case "flags":
                yield from self._flags()
            case "data_offset":
                yield from self._narrow(name, str(self.segment.data_offset))
            case "reserved":
                yield self._reserved()
            case "seq" | "ack" | "options":
                yield from self._field(name, _INSIDE)
            case _:
                yield from self._field(name, _HALF)

    def _field(self, name: str, width: int) -> Iterator[tuple[str, str]]:
        label, gap = self._label(name), self._gap(name)
        yield f" {fit(label, max(gap, cell_len(label) + 1))}", self._style(name, "field.name")
        room = width - 1 - max(gap, cell_len(label) + 1)
        mark = "*" if name in self.changed else ""
        value = mark + self._value(name)
        style = self._style(name, "changed" if mark else "field.value")
        if self.hexadecimal and name in ("seq", "ack"):
            number = int(self.segment.seq) if name == "seq" else self.segment.ack_field
            yield fit(value, 24, self.glyphs.ellipsis), style
            yield fit(f"0x{number:08x}", room - 24), "dim"
            return
        if name in self.inside and name in ("seq", "ack", "window"):
            gap = 1 if name == "window" else 4
            yield f"{value}{' ' * gap}", style
            room -= cell_len(value) + gap
            value, style = self.inside[name], self._style(name, "field.note")
        yield fit(value, room - 1, self.glyphs.ellipsis) + " ", style

    def _label(self, name: str) -> str:
        # Only there is room for all of it.
        in_full = self.ruler and name == "ack"
        return self.glyphs.say(f"header.{name}.{'in-full' if in_full else 'label'}")

    def _gap(self, name: str) -> int:
        if name == "options":
            return 9
        if not self.ruler:
            return 17
        return 24 if name in ("seq", "ack") else 18

    def _value(self, name: str) -> str:
        segment = self.segment
        match name:
            case "source":
                return str(segment.source.port)
            case "destination":
                return str(segment.destination.port)
            case "seq":
                return str(segment.seq)
            case "ack":
                return str(segment.ack_field)
            case "window":
                return str(segment.window)
            case "checksum":
                return f"0x{segment.checksum:04x}"
            case "urgent":
                return str(segment.urgent)
        texts = option_texts(segment, self.glyphs)
        return f" {self.glyphs.dot} ".join(texts) or self.glyphs.say("none")

    def _narrow(self, name: str, value: str) -> Iterator[tuple[str, str]]:
        """Draw one of the two cells of four bits."""
        label = self._label(name)
        changed = name in self.changed
        room = 6 - cell_len(label)
        mark = "*" if changed and room > len(value) else ""
        style = self._style(name, "changed" if changed else "field.value")
        yield f" {label}", self._style(name, "field.name")
        yield f"{(mark + value):>{room}}", style

    def _reserved(self) -> tuple[str, str]:
        # AE is the last of the four bits: its name ends at its bit.
        reserved = str(self.segment.reserved) if self.segment.reserved else " "
        accurate = "AE" if Flags.AE in self.segment.flags else "  "
        text = fit(f" {self._label('reserved')}", 4) + reserved + accurate
        return text, self._style("reserved", "warn" if self.segment.reserved else "field.name")

    def _flags(self) -> Iterator[tuple[str, str]]:
        for number, (letter, flag) in enumerate(_FLAGS):
            if number:
                yield " ", self._style("flags", "none")
            if flag in self.segment.flags:
                style = "changed" if "flags" in self.changed else "field.value"
                yield letter.upper(), self._style("flags", style)
            else:
                yield letter, self._style("flags", "dim")

    def _style(self, name: str, style: str) -> str:
        if self.octets and style in ("field.value", "warn"):
            return FIELD_STYLES[name]
        return "field.chosen" if name == self.chosen else style


def _stops(fields: tuple[str, ...]) -> set[int]:
    """Return the columns at which a row's cells end, except the last."""
    widths = {"data_offset": 8, "reserved": 8, "flags": 16}
    stops, at = set(), 0
    for name in fields[:-1]:
        at += widths.get(name, 32)
        stops.add(at)
    return stops
