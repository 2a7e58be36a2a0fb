"""One packet taken apart: where its headers begin, the header as the RFC draws it, its octets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from handshake.crafter.beginnings import TITLES
from handshake.messages import ENGLISH, text
from handshake.tcp import Kind
from handshake.tcp.option_text import option_text
from handshake.view.glyphs import UNICODE, Glyphs
from handshake.view.header import WIDTH, HeaderGrid
from handshake.view.layout import cropped, folded, line, wrap
from handshake.view.packet_hex import PacketHex
from handshake.view.theme import style_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.text import Text

    from handshake.crafter.decoded import Decoded
    from handshake.crafter.problem import Problem

_BESIDE: Final = 14
"""Columns to the right of the grid for the octets of a row."""

_HEXADECIMAL: Final = 100
"""Columns of a screen on which sequence numbers are shown in hexadecimal, too."""

_IP_FLAGS: Final = ((4, "reserved"), (2, "DF"), (1, "MF"))


@dataclass(frozen=True)
class PacketPage:
    """A packet that was crafted or decoded."""

    found: Decoded
    language: str = ENGLISH
    ruled: bool = True
    """Whether the screen has room: the bits are numbered, rows apart, and options listed."""

    glyphs: Glyphs = UNICODE

    def lines(self, width: int) -> list[Text]:
        """Return the lines, no wider than `width` if possible."""
        found = self.found
        out = [*folded(self._head(), width), *folded(self._where(), width)]
        out += [part for each in self._ip() for part in folded(each, width)]
        if width >= WIDTH:
            grid = self._grid(width)
            # The octets to the right are left out where there is no room for them.
            out += cropped(grid, min(width, WIDTH + _BESIDE))
        out += PacketHex(found.octets, found.segment, found.at).lines(width)
        for each in self._options() if self.ruled else ():
            out += folded(each, width)
        for problem in found.problems:
            out += self._problem(problem, width)
        return out

    def _grid(self, width: int) -> list[Text]:
        wrong = frozenset(each.field for each in self.found.problems if each.wrong)
        return HeaderGrid(
            self.found.segment,
            wrong,
            ruler=self.ruled,
            hexadecimal=self.ruled and width >= _HEXADECIMAL,
            octets=True,
            glyphs=self.glyphs,
        ).lines()

    def _head(self) -> Text:
        """Return the segment in one line: both ends, control bits, numbers."""
        seg = self.found.segment
        row = line((str(seg.flags), style_of(seg)), "  ")
        if self.found.ip is None:
            row.append(f"{seg.source.port} {self.glyphs.becomes} {seg.destination.port}", "title")
        else:
            row.append(f"{seg.source} {self.glyphs.becomes} {seg.destination}", "title")
        row.append(f"  seq={seg.seq}")
        if seg.ack is not None:
            row.append(f" ack={seg.ack}")
        row.append(f" win={seg.window} len={seg.payload_length}")
        return row

    def _where(self) -> Text:
        """Return which header begins at which octet."""
        found = self.found
        parts = []
        if found.beginning in TITLES:
            parts.append(self._word("at", name=TITLES[found.beginning], at=0))
        parts += [each.upper() if each == "icmp" else each for each in found.via]
        if found.ip is not None:
            parts.append(self._word("at", name=f"IPv{found.ip.version}", at=found.ip_at))
        parts.append(self._word("at", name="TCP", at=found.at))
        if found.whole and found.segment.payload:
            begin = found.end - len(found.segment.payload)
            parts.append(self._word("at", name=self._word("data"), at=begin))
        total = self._word("octets", count=len(found.octets))
        return line((f"{', '.join(parts)} {self.glyphs.dot} {total}", "field.note"))

    def _ip(self) -> Iterator[Text]:
        above = self.found.ip
        if above is None:
            return
        flags = " ".join(name for bit, name in _IP_FLAGS if above.flags & bit)
        words = [f"IPv{above.version}"]
        if above.version == 4:
            words += [f"ttl {above.ttl}", f"tos 0x{above.tos:02x}"]
            words += [f"id 0x{above.identification:04x}", *([flags] if flags else [])]
            if above.fragment:
                words.append(f"offset {above.fragment * 8}")
            words += [f"length {above.length}", f"checksum 0x{above.checksum:04x}"]
        else:
            words += [f"hop limit {above.ttl}", f"class 0x{above.tos:02x}"]
            words += [f"label 0x{above.label:05x}", f"length {above.length}"]
        yield line((f" {self.glyphs.dot} ".join(words), "field.note"))
        if above.options:
            yield line("  ", (f"IP options {above.options.hex(' ')}", "field.note"))
        if above.extensions:
            yield line("  ", (f"extension headers {above.extensions.hex(' ')}", "field.note"))

    def _options(self) -> Iterator[Text]:
        """Return each option in a line: where it is, its octets, what it says."""
        at = self.found.at + 20
        for option in self.found.segment.options:
            padding = option.kind in (Kind.NOP, Kind.END) and option.problem is None
            if not padding:
                name = option_text(option)
                yield line(
                    (f"   {at:04x}  ", "dim"),
                    (option.raw.hex(" "), "header.options"),
                    f"  {name}",
                )
            at += len(option.raw)

    def _problem(self, problem: Problem, width: int) -> list[Text]:
        code = "wrong" if problem.wrong else "note"
        style = "bad" if problem.wrong else "warn"
        head = self._word(code, at=problem.at)
        first, *rest = wrap(problem.said(self.language), max(20, width - 2), len(head))
        out = [line((head, style), " ", first)]
        return [*out, *(line(f"  {each}") for each in rest)]

    def _word(self, code: str, **values: object) -> str:
        return text("problems", f"page.{code}", values, self.language)
