"""All header fields of a segment in a few lines, where the grid does not fit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from rich.cells import cell_len

from handshake.tcp.checksum import kind
from handshake.view.glyphs import UNICODE, Glyphs
from handshake.view.header import option_texts
from handshake.view.layout import fit, line, wrap

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console, ConsoleOptions, RenderResult
    from rich.text import Text

    from handshake.events import Step
    from handshake.view.notation import Numbers

_STARTS: Final = (1, 26, 54)
"""Where the three columns begin."""

_LABELS: Final = (9, 7, 7)
"""The width of each column's labels."""


@dataclass(frozen=True)
class Fields:
    """The header of a step's segment, each field by its name."""

    step: Step
    numbers: Numbers
    glyphs: Glyphs = UNICODE

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield from self.lines(options.max_width)

    def lines(self, width: int) -> list[Text]:
        """Return four lines, or more if the options need them, or the width is small."""
        seg, say = self.step.segment, self.glyphs.say
        offset, dot = seg.data_offset, self.glyphs.dot
        ports = f"{seg.source.port} {self.glyphs.becomes} {seg.destination.port}"
        rows = (
            (("ports", ports), ("seq", self._seq()), ("ack", self._ack())),
            (("flags", str(seg.flags)), ("window", self._window()), ("urgent", str(seg.urgent))),
            (
                ("checksum", self._checksum()),
                ("offset", say("field.octets", words=offset, count=offset * 4)),
                ("length", say("field.length", count=seg.payload_length)),
            ),
        )
        named = [[(say(f"label.{name}"), value) for name, value in cells] for cells in rows]
        out = [row for cells in named for row in _columns(cells, width)]
        options = f" {dot} ".join(option_texts(seg, self.glyphs)) or say("none")
        out.extend(_folded(say("label.options"), options, width))
        if seg.reserved:
            zero = say("field.zero", value=seg.reserved)
            out.extend(_folded(say("label.reserved"), zero, width))
        return out

    def _seq(self) -> str:
        return self.numbers.both(self.step.segment.seq, self.step.by)

    def _ack(self) -> str:
        seg = self.step.segment
        if seg.ack is not None:
            return self.numbers.both(seg.ack, self.step.by.other)
        # The 32 bits are there, but have no meaning.
        return self.glyphs.say("field.unused", number=seg.ack_field)

    def _window(self) -> str:
        seg, block = self.step.segment, self.step.sender.after
        shift = 0 if seg.syn or block is None else block.rcv_shift
        scaled = f" = {seg.window << shift}" if shift and seg.window else ""
        return f"{seg.window}{scaled}"

    def _checksum(self) -> str:
        verdict = self.glyphs.say(f"checksum.{kind(self.step.observed).name.lower()}")
        return f"0x{self.step.segment.checksum:04x} {verdict}"


def _columns(cells: Sequence[tuple[str, str]], width: int) -> list[Text]:
    rows = [line()]
    for start, room, (name, value) in zip(_STARTS, _LABELS, cells, strict=True):
        # A long value moves the next column, or a line down, instead of being cut: it is shown
        # nowhere else.
        space = max(1, start - rows[-1].cell_len)
        if rows[-1] and rows[-1].cell_len + space + room + cell_len(value) > width:
            rows.append(line())
            space, room = _STARTS[0], _LABELS[0]
        rows[-1].append(" " * space)
        rows[-1].append(fit(name, room), "field.note")
        rows[-1].append(value, "field.value")
    return rows


def _folded(name: str, value: str, width: int) -> list[Text]:
    indent = _STARTS[0] + _LABELS[0]
    first, *rest = wrap(value, max(indent, width - indent))
    head = line(" ", (fit(name, _LABELS[0]), "field.note"), (first, "field.value"))
    return [head, *(line(" " * indent, (each, "field.value")) for each in rest)]
