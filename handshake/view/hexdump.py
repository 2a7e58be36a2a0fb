"""A hex dump of a packet with its TCP header highlighted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from handshake.view.layout import line

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult
    from rich.text import Text

    from handshake.tcp import Observed

_OCTETS: Final = 16
"""Octets on a line."""


@dataclass(frozen=True)
class HexDump:
    """The IP packet of a segment, as captured."""

    observed: Observed
    height: int | None = None
    """The most lines; None for all."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield from self.lines()

    def lines(self) -> list[Text]:
        """Return a line for every sixteen octets."""
        packet = self.observed.packet
        if not packet:
            return [line(("   the octets of this packet were not stored", "dim"))]
        header = self.observed.segment.pack()
        begin = packet.find(header)
        marked = range(begin, begin + len(header)) if begin >= 0 else range(0)
        starts = range(0, len(packet), _OCTETS)
        if self.height is None or len(starts) <= self.height:
            return [self._line(packet, start, marked) for start in starts]
        shown = starts[: max(0, self.height - 1)]
        left = len(packet) - len(shown) * _OCTETS
        out = [self._line(packet, start, marked) for start in shown]
        return [*out, line((f"   {left} more octets", "dim"))]

    def _line(self, packet: bytes, start: int, marked: range) -> Text:
        row = line((f"   {start:04x} ", "dim"))
        text = line("  ")
        for at in range(start, start + _OCTETS):
            row.append(" " if at % 8 else "  ")
            if at >= len(packet):
                row.append("  ")
                continue
            style = "field.value" if at in marked else "dim"
            row.append(f"{packet[at]:02x}", style)
            # Control characters from the wire must not reach the terminal.
            text.append(chr(packet[at]) if 0x20 <= packet[at] < 0x7F else ".", style)
        row.append_text(text)
        return row
