"""Every header field of a segment in a few lines, for where the grid has no room."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from handshake.tcp import Flags
from handshake.view.glyphs import UNICODE, Glyphs
from handshake.view.header import option_words
from handshake.view.layout import line, wrap

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console, ConsoleOptions, RenderResult
    from rich.text import Text

    from handshake.events import Step
    from handshake.tcp import Segment
    from handshake.view.numbers import Numbers

_STARTS: Final = (1, 26, 54)
"""Where the three columns begin."""

_LABELS: Final = (9, 7, 7)
"""How wide each column's labels are."""

FIELDS: Final = (
    "source",
    "destination",
    "seq",
    "ack",
    "data_offset",
    "reserved",
    "flags",
    "window",
    "checksum",
    "urgent",
    "options",
)
"""The header's fields, by the names that the grid knows them by."""


@dataclass(frozen=True)
class Fields:
    """The header of one step's segment, each field by its name."""

    step: Step
    numbers: Numbers
    glyphs: Glyphs = UNICODE

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield from self.lines(options.max_width)

    def lines(self, width: int) -> list[Text]:
        """Return four lines, and more where the options need them."""
        seg = self.step.segment
        ports = f"{seg.source.port} {self.glyphs.becomes} {seg.destination.port}"
        rows = (
            (("ports", ports), ("seq", self._seq()), ("ack", self._ack())),
            (("flags", str(seg.flags)), ("window", self._window()), ("urgent", str(seg.urgent))),
            (
                ("checksum", self._checksum()),
                ("offset", f"{seg.data_offset} = {seg.data_offset * 4} octets"),
                ("length", f"{seg.payload_length} octets"),
            ),
        )
        out = [_columns(row) for row in rows]
        out.extend(_folded("options", f" {self.glyphs.dot} ".join(option_words(seg)), width))
        if seg.reserved:
            out.extend(_folded("reserved", f"{seg.reserved}, and must be 0", width))
        return out

    def _seq(self) -> str:
        return self.numbers.both(self.step.segment.seq, self.step.by)

    def _ack(self) -> str:
        seg = self.step.segment
        if seg.ack is not None:
            return self.numbers.both(seg.ack, self.step.by.other)
        # The 32 bits are there all the same, and mean nothing.
        return f"{seg.ack_field}, unused"

    def _window(self) -> str:
        seg, block = self.step.segment, self.step.sender.after
        shift = 0 if seg.syn or block is None else block.rcv_shift
        scaled = f" = {seg.window << shift}" if shift and seg.window else ""
        return f"{seg.window}{scaled}"

    def _checksum(self) -> str:
        verdict = {True: " ok", False: " wrong", None: " ?"}[self.step.observed.checksum_ok]
        return f"0x{self.step.segment.checksum:04x}{verdict}"


def _columns(cells: Sequence[tuple[str, str]]) -> Text:
    row = line()
    for start, room, (name, value) in zip(_STARTS, _LABELS, cells, strict=True):
        # What is too long pushes the next column on rather than being cut: it is all there is.
        row.append(" " * max(1, start - row.cell_len))
        row.append(f"{name:<{room}}", "field.note")
        row.append(value, "field.value")
    return row


def _folded(name: str, value: str, width: int) -> list[Text]:
    indent = _STARTS[0] + _LABELS[0]
    first, *rest = wrap(value or "none", max(indent, width - indent))
    head = line(" ", (f"{name:<{_LABELS[0]}}", "field.note"), (first, "field.value"))
    return [head, *(line(" " * indent, (each, "field.value")) for each in rest)]


def differing(one: Segment, other: Segment) -> frozenset[str]:
    """Return the fields in which two headers differ, by the grid's names."""
    return frozenset(name for name in FIELDS if _field(one, name) != _field(other, name))


def _field(seg: Segment, name: str) -> object:
    if name == "ack":
        return seg.ack_field
    if name == "reserved":
        return seg.reserved, seg.flags & Flags.AE
    return getattr(seg, name)
