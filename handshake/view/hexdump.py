"""A hex dump of a packet with its TCP header highlighted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from handshake.view.glyphs import UNICODE, Glyphs
from handshake.view.layout import line

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult
    from rich.text import Text

    from handshake.tcp import Observed

_OCTETS: Final = 16
"""Octets on a line."""


_WIDE: Final = 77
"""The width of a line of sixteen octets."""

_FEW: Final = 8
"""Octets on a line of a narrower screen."""


@dataclass(frozen=True)
class HexDump:
    """The IP packet of a segment, as captured."""

    observed: Observed
    height: int | None = None
    """The most lines; None for all."""

    lit: range = range(0)
    """Octets to mark, counted from the beginning of the TCP header."""

    columns: int = _OCTETS
    """Octets on a line, where there is room for them."""

    width: int | None = None
    """The width of the screen: on a narrow one there are fewer octets on a line."""

    header_only: bool = False
    """Whether to show only the TCP header."""

    glyphs: Glyphs = UNICODE

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield from self.lines()

    def lines(self) -> list[Text]:
        """Return a line for every sixteen octets, or as many as `columns` says."""
        packet, header = self.observed.packet, self.observed.segment.pack()
        begin = packet.find(header) if packet else -1
        if self.header_only:
            # It is the same on the wire, also if the packet was not stored.
            packet, begin = header, 0
        if not packet:
            return [line((f"   {self.glyphs.say('octets.none')}", "dim"))]
        marked = range(begin, begin + len(header)) if begin >= 0 else range(0)
        lit = range(begin + self.lit.start, begin + self.lit.stop) if begin >= 0 else range(0)
        starts = range(0, len(packet), self._columns)
        if self.height is None or len(starts) <= self.height:
            return [self._line(packet, start, marked, lit) for start in starts]
        shown = starts[: max(0, self.height - 1)]
        left = len(packet) - len(shown) * self._columns
        out = [self._line(packet, start, marked, lit) for start in shown]
        return [*out, line((f"   {self.glyphs.say('octets.more', count=left)}", "dim"))]

    @property
    def _columns(self) -> int:
        narrow = self.width is not None and self.width < _WIDE
        return min(self.columns, _FEW) if narrow else self.columns

    def _line(self, packet: bytes, start: int, marked: range, lit: range) -> Text:
        row = line((f"   {start:04x} ", "dim"))
        text = line("  ")
        for at in range(start, start + self._columns):
            row.append(" " if at % 8 else "  ")
            if at in lit and (at - 1 not in lit or at == start):
                # Brackets, since colour alone says nothing to some.
                row.right_crop(1)
                row.append("[")
            elif at - 1 in lit and at != start and at not in lit:
                row.right_crop(1)
                row.append("]")
            if at >= len(packet):
                row.append("  ")
                continue
            style = "field.chosen" if at in lit else "field.value" if at in marked else "dim"
            row.append(f"{packet[at]:02x}", style)
            # Control characters from the wire must not reach the terminal.
            text.append(chr(packet[at]) if 0x20 <= packet[at] < 0x7F else ".", style)
        row.append("]" if start + self._columns - 1 in lit else "")
        if self.width is None or row.cell_len + text.cell_len <= self.width:
            row.append_text(text)
        return row
