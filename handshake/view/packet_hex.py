"""The octets of one packet, each in the colour of its field."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from handshake.view.header_octets import FIELDS, octets_of
from handshake.view.layout import line
from handshake.view.theme import FIELD_STYLES

if TYPE_CHECKING:
    from rich.text import Text

    from handshake.tcp import Segment

_LEAST: Final = ((76, 16), (44, 8))
"""Columns for so many octets a line, and the same as text; on a narrower screen half as many."""

_NARROWEST: Final = 4


@dataclass(frozen=True)
class PacketHex:
    """All octets of a packet; those of its TCP header are coloured as in `HeaderGrid`."""

    octets: bytes
    segment: Segment
    at: int
    """The offset of the TCP header."""

    def lines(self, width: int) -> list[Text]:
        """Return a line for every sixteen octets, or eight or four on a narrow screen."""
        columns = next((octets for least, octets in _LEAST if width >= least), _NARROWEST)
        styles = self._styles()
        return [self._line(at, columns, styles) for at in range(0, len(self.octets), columns)]

    def _styles(self) -> list[str]:
        """Return the style of each octet."""
        found = ["dim"] * len(self.octets)
        for field in FIELDS:
            if field.key == "reserved":
                continue  # it shares its octet with the data offset
            for at in octets_of(field, self.segment):
                if self.at + at < len(found):
                    found[self.at + at] = FIELD_STYLES[field.key]
        size = max(20, len(self.segment.pack()))
        begin, end = self.at + size, self.at + size + len(self.segment.payload)
        found[begin:end] = ["none"] * len(found[begin:end])
        return found

    def _line(self, start: int, columns: int, styles: list[str]) -> Text:
        row, text = line((f"   {start:04x} ", "dim")), line("  ")
        for at in range(start, start + columns):
            row.append(" " if (at - start) % 8 else "  ")
            if at >= len(self.octets):
                row.append("  ")
                continue
            octet = self.octets[at]
            row.append(f"{octet:02x}", styles[at])
            # Control characters from the wire must not reach the terminal.
            text.append(chr(octet) if 0x20 <= octet < 0x7F else ".", styles[at])
        row.append_text(text)
        return row
