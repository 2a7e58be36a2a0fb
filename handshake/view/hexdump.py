"""The octets of a packet, the TCP header among them marked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from handshake.view.layout import line

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult
    from rich.text import Text

    from handshake.tcp import Observed

_OCTETS: Final = 16
"""How many stand on a line."""


@dataclass(frozen=True)
class HexDump:
    """The IP packet that carried a segment, as captured."""

    observed: Observed
    height: int | None = None
    """Lines to take at most; None for all."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield from self.lines()

    def lines(self) -> list[Text]:
        """Return a line for each sixteen octets."""
        packet = self.observed.packet
        if not packet:
            return [line(("   the octets of this segment were not kept", "dim"))]
        header = self.observed.segment.pack()
        begin = packet.find(header)
        marked = range(begin, begin + len(header)) if begin >= 0 else range(0)
        starts = range(0, len(packet), _OCTETS)
        if self.height is None or len(starts) <= self.height:
            return [self._line(packet, start, marked) for start in starts]
        shown = starts[: max(0, self.height - 1)]
        left = len(packet) - len(shown) * _OCTETS
        out = [self._line(packet, start, marked) for start in shown]
        return [*out, line((f"   and {left} octets more", "dim"))]

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
            # Nothing that is sent may move the cursor of the one who looks at it.
            text.append(chr(packet[at]) if 0x20 <= packet[at] < 0x7F else ".", style)
        row.append_text(text)
        return row
