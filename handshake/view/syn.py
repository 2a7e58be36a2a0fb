"""A SYN that is not sent (--dry-run): its header, its options and its octets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from handshake.tcp import Kind
from handshake.tcp.option_text import option_text
from handshake.view.glyphs import UNICODE, Glyphs
from handshake.view.header import WIDTH, HeaderGrid
from handshake.view.hexdump import HexDump
from handshake.view.layout import cropped, fit, line, wrap
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
        say = self.glyphs.say
        name = target_text(self.target, str(seg.destination.address))
        out = [
            line(f"{say('dry-run.title')}  ", (name, "title"), f"  {say('dry-run.nothing')}"),
            line(),
        ]
        if width >= WIDTH:
            grid = HeaderGrid(seg, ruler=True, hexadecimal=True, glyphs=self.glyphs).lines()
            out += [*cropped(grid, WIDTH), line()]
        for label, value in self._fields():
            first, *rest = wrap(value, max(_LABEL, width - _LABEL - 2))
            out.append(line("  ", (fit(label, _LABEL), "field.note"), (first, "field.value")))
            out += [line(" " * (_LABEL + 2), (each, "field.value")) for each in rest]
        return [*out, line(), *HexDump(self.observed).lines()]

    def _fields(self) -> Iterator[tuple[str, str]]:
        observed, seg, say = self.observed, self.observed.segment, self.glyphs.say
        octets = observed.packet
        yield say("label.from"), str(seg.source)
        yield say("label.to"), str(seg.destination)
        if seg.source.version == 4:
            yield say("label.ttl"), str(observed.ttl)
            yield say("label.tos"), f"0x{octets[1]:02x}"
        else:
            yield say("label.hop-limit"), str(observed.ttl)
            yield say("label.class"), f"0x{int.from_bytes(octets[:2], 'big') >> 4 & 0xFF:02x}"
        length = say("dry-run.length", count=len(octets), data=seg.payload_length)
        yield say("label.length"), length
        yield say("label.flags"), str(seg.flags)
        yield say("label.sequence"), f"{seg.seq}"
        yield say("label.window"), say("field.length", count=seg.window)
        yield say("label.checksum"), f"0x{seg.checksum:04x}"
        for option in seg.options:
            padding = option.kind in (Kind.END, Kind.NOP)
            text = say("dry-run.padding") if padding else option_text(option)
            yield say("label.option", number=int(option.kind)), f"{text}: {option.raw.hex(' ')}"
