"""A SYN before it is sent: its header as it will stand on the wire, and its octets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from handshake.tcp import Kind
from handshake.tcp.option_words import words
from handshake.view.glyphs import UNICODE, Glyphs
from handshake.view.header import WIDTH, HeaderGrid
from handshake.view.hexdump import HexDump
from handshake.view.layout import cropped, line, wrap
from handshake.view.probe import called

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console, ConsoleOptions, RenderResult
    from rich.text import Text

    from handshake.tcp import Observed

_LABEL: Final = 13


@dataclass(frozen=True)
class Syn:
    """The first segment of a call that is not made."""

    target: str
    """Whom it would call, in the caller's words."""

    observed: Observed
    glyphs: Glyphs = UNICODE

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield from self.lines(options.max_width)

    def lines(self, width: int) -> list[Text]:
        """Return the lines, no wider than `width` where that can be."""
        seg = self.observed.segment
        name = called(self.target, str(seg.destination.address))
        out = [line("DRY RUN  ", (name, "title"), "  nothing is sent"), line()]
        if width >= WIDTH:
            grid = HeaderGrid(seg, ruler=True, hexadecimal=True, glyphs=self.glyphs).lines()
            out += [*cropped(grid, WIDTH), line()]
        for label, value in self._fields():
            first, *rest = wrap(value, max(_LABEL, width - _LABEL - 2))
            out.append(line("  ", (f"{label:<{_LABEL}}", "field.note"), (first, "field.value")))
            out += [line(" " * (_LABEL + 2), (each, "field.value")) for each in rest]
        return [*out, line(), *HexDump(self.observed).lines()]

    def _fields(self) -> Iterator[tuple[str, str]]:
        observed, seg = self.observed, self.observed.segment
        version, octets = seg.source.version, observed.packet
        service = octets[1] if version == 4 else int.from_bytes(octets[:2], "big") >> 4 & 0xFF
        yield "from", str(seg.source)
        yield "to", str(seg.destination)
        yield ("ttl" if version == 4 else "hop limit"), str(observed.ttl)
        yield ("tos" if version == 4 else "class"), f"0x{service:02x}"
        yield "length", f"{len(octets)} octets, {seg.payload_length} of them data"
        yield "flags", str(seg.flags)
        yield "sequence", f"{seg.seq}"
        yield "window", f"{seg.window} octets"
        yield "checksum", f"0x{seg.checksum:04x}"
        for option in seg.options:
            fills = option.kind in (Kind.END, Kind.NOP)
            said = "fills a place" if fills else words(option)
            yield f"option {option.kind}", f"{said}: {option.raw.hex(' ')}"
