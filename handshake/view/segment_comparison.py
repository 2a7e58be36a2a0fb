"""Two segments of a connection field by field."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING, Final, NamedTuple

from handshake.messages import time
from handshake.units import NS_PER_SECOND
from handshake.view.glyphs import UNICODE, Glyphs
from handshake.view.header import option_texts
from handshake.view.layout import fit, line, wrap

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.text import Text

    from handshake.events import Step
    from handshake.view.notation import Numbers

_LABEL: Final = 13


class _Pair(NamedTuple):
    name: str
    one: str
    other: str


@dataclass(frozen=True)
class SegmentComparison:
    """A marked segment and the chosen one."""

    one: Step
    other: Step
    numbers: Numbers
    glyphs: Glyphs = UNICODE

    def lines(self, width: int) -> list[Text]:
        """Return a line for each field; `*` marks those that differ."""
        room = max(6, (width - _LABEL - 4) // 2)
        pairs = list(self._pairs())
        say = self.glyphs.say
        differing = sum(each.one != each.other for each in pairs)
        first = say("segments.marked", number=self.one.index)
        second = say("segments.chosen", number=self.other.index)
        same = say("segments.differ", count=differing) if differing else say("segments.alike")
        head = (f"  {fit(same, _LABEL)}", "dim"), (fit(first, room), "title"), (second, "title")
        lines = [line(*head)]
        for name, one, other in pairs:
            differs = one != other
            mark, label = " * " if differs else " = ", say(f"label.{name}")
            # Long options take several lines: what differs may be at their end.
            for left, right in zip_longest(wrap(one, room - 1), wrap(other, room), fillvalue=""):
                lines.append(
                    line(
                        (mark, "changed" if differs else "dim"),
                        (fit(label, _LABEL - 1), "field.note"),
                        fit(left, room),
                        (fit(right, room), "changed" if differs else ""),
                    )
                )
                mark, label = "   ", ""
        return lines

    def _pairs(self) -> Iterator[_Pair]:
        for (name, one), (_, other) in zip(
            self._values(self.one), self._values(self.other), strict=True
        ):
            yield _Pair(name, one, other)

    def _values(self, step: Step) -> Iterator[tuple[str, str]]:
        seg, seen, say = step.segment, step.observed, self.glyphs.say
        yield "from", say(str(step.by))
        yield "time", f"+{time(step.since_start / NS_PER_SECOND)}" if step.since_start else "0"
        yield "flags", str(seg.flags)
        yield "seq", self.numbers.both(seg.seq, step.by)
        yield (
            "ack",
            say("segments.unused")
            if seg.ack is None
            else self.numbers.both(seg.ack, step.by.other),
        )
        yield "window", str(seg.window)
        yield "length", say("segments.octets", count=seg.payload_length)
        yield "options", ", ".join(option_texts(seg, self.glyphs)) or say("none")
        yield "offset", f"{seg.data_offset}"
        yield "checksum", f"0x{seg.checksum:04x}"
        yield "urgent", str(seg.urgent)
        yield "ports", f"{seg.source.port} {self.glyphs.becomes} {seg.destination.port}"
        yield "ttl", "" if seen.ttl is None else str(seen.ttl)
        yield "fate", "" if step.fate is None else str(step.fate)
