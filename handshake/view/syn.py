"""A SYN that is not sent (--dry-run): its header, its options and its octets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from handshake.tcp import Kind
from handshake.tcp.option_text import option_text
from handshake.view.glyphs import UNICODE, Glyphs
from handshake.view.header import WIDTH, HeaderGrid
from handshake.view.hexdump import HexDump
from handshake.view.layout import cropped, line, wrap
from handshake.view.probe import target_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console, ConsoleOptions, RenderResult
    from rich.text import Text

    from handshake.tcp import Observed

_LABEL: Final = 13


@dataclass(frozen=True)
class SynView:
    """The first segment of a probe, which is not sent."""

    target: str
    """The target as the user wrote it."""

    observed: Observed
    glyphs: Glyphs = UNICODE

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield from self.lines(options.max_width)

    def lines(self, width: int) -> list[Text]:
        """Return the lines, no wider than `width` if possible."""
        seg = self.observed.segment
        name = target_text(self.target, str(seg.destination.address))
        out = [
            line("DRY RUN  ", (name, "title"), f"  {self.glyphs.translated('nothing is sent')}"),
            line(),
        ]
        if width >= WIDTH:
            grid = HeaderGrid(seg, ruler=True, hexadecimal=True, glyphs=self.glyphs).lines()
            out += [*cropped(grid, WIDTH), line()]
        for label, value in self._fields():
            first, *rest = wrap(value, max(_LABEL, width - _LABEL - 2))
            out.append(line("  ", (f"{label:<{_LABEL}}", "field.note"), (first, "field.value")))
            out += [line(" " * (_LABEL + 2), (each, "field.value")) for each in rest]
        return [*out, line(), *HexDump(self.observed).lines()]

    def _fields(self) -> Iterator[tuple[str, str]]:
        observed, seg, said = self.observed, self.observed.segment, self.glyphs.translated
        version, octets = seg.source.version, observed.packet
        service = octets[1] if version == 4 else int.from_bytes(octets[:2], "big") >> 4 & 0xFF
        yield "from", str(seg.source)
        yield "to", str(seg.destination)
        yield ("ttl" if version == 4 else "hop limit"), str(observed.ttl)
        yield ("tos" if version == 4 else "class"), f"0x{service:02x}"
        yield "length", said(f"{len(octets)} octets, {seg.payload_length} of data")
        yield "flags", str(seg.flags)
        yield "sequence", f"{seg.seq}"
        yield "window", said(f"{seg.window} octets")
        yield "checksum", f"0x{seg.checksum:04x}"
        for option in seg.options:
            padding = option.kind in (Kind.END, Kind.NOP)
            text = said("padding") if padding else option_text(option)
            yield f"option {option.kind}", f"{text}: {option.raw.hex(' ')}"
