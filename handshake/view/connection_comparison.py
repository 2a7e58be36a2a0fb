"""Two connections side by side: what each offered, and segment by segment."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING, Final

from rich.console import Group

from handshake.events import Fate, Role
from handshake.view import columns
from handshake.view.glyphs import UNICODE, Glyphs
from handshake.view.key_line import key_line
from handshake.view.layout import fit, line
from handshake.view.notation import Numbers, endpoint, headline
from handshake.view.step import rule
from handshake.view.theme import style_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.text import Text

    from handshake.events import Step
    from handshake.record import EndRecord, Record

_LABEL: Final = 12

Compared = tuple["Record", "Sequence[Step]"]
"""A connection and its first steps."""


@dataclass(frozen=True)
class ConnectionComparison:
    """Two connections on a screen of a given size."""

    one: Compared
    other: Compared
    first: int
    """The first line below the heading that is shown."""

    keys: Sequence[str]
    glyphs: Glyphs = UNICODE

    def draw(self, width: int, height: int) -> Group:
        """Return the screen: exactly `height` lines, none wider than `width`."""
        numbers = {"one": self.one[0].stream + 1, "other": self.other[0].stream + 1}
        head = line((f" {self.glyphs.say('comparison.title', **numbers)}", "title"))
        body = self.lines(width)
        room = max(0, height - 3)
        first = max(0, min(self.first, len(body) - room))
        shown = body[first : first + room]
        lines = [
            head,
            *shown,
            *[line()] * (room - len(shown)),
            line((self.glyphs.rule(width), "rule")),
            key_line(self.keys, width, self.glyphs),
        ]
        for each in lines:
            each.truncate(width)
        return Group(*lines[-height:] if height < 3 else lines[:height])

    def lines(self, width: int) -> list[Text]:
        """Return all lines below the title."""
        rows = [self._facts(*pair, width) for pair in self._pairs()]
        difference = self._first_difference()
        if difference is None:
            where = self.glyphs.say("comparison.alike")
        else:
            where = self.glyphs.say("comparison.differ", number=difference + 1)
        rows.append(rule(where, width, self.glyphs))
        steps = zip_longest(self.one[1], self.other[1])
        for at, (one, other) in enumerate(steps):
            mark = "*" if at == difference else ">" if difference and at > difference else " "
            room = max(6, (width - 5) // 2)
            row = line((f"{at + 1:>3}{mark}", "changed" if mark == "*" else "dim"))
            for step, (_, every) in zip((one, other), (self.one, self.other), strict=True):
                text = "" if step is None else self._text(step, Numbers.of(every))
                row.append(
                    fit(text, room, self.glyphs.ellipsis), style_of(step.segment) if step else ""
                )
            rows.append(row)
        return rows

    def _first_difference(self) -> int | None:
        """Return the first segment in which the connections differ in kind."""
        for at, (one, other) in enumerate(zip_longest(self.one[1], self.other[1])):
            if one is None or other is None or _kind(one) != _kind(other):
                return at
        return None

    def _text(self, step: Step, numbers: Numbers) -> str:
        arrow = self.glyphs.becomes if step.by is Role.CLIENT else self.glyphs.left
        lost = self.glyphs.say("ladder.lost") if step.fate is Fate.LOST else ""
        ack = step.segment.ack
        acked = "" if ack is None else f" ack={numbers.show(ack, step.by.other)}"
        name = headline(step, self.glyphs)
        return f"{step.since_start / 10**6:>9.1f} ms {arrow} {name}{lost}{acked}"

    def _facts(self, name: str, one: str, other: str, width: int) -> Text:
        differs, room = one != other, max(6, (width - _LABEL - 3) // 2)
        return line(
            (" * " if differs else "   ", "changed"),
            (f"{name:<{_LABEL}}", "field.note"),
            fit(one or self.glyphs.dash, room - 1, self.glyphs.ellipsis) + " ",
            (fit(other or self.glyphs.dash, room, self.glyphs.ellipsis), "why" if differs else ""),
        )

    def _pairs(self) -> Iterator[tuple[str, str, str]]:
        ours, theirs = _described(self.one[0]), _described(self.other[0])
        for name, text in ours.items():
            yield name, text, theirs[name]


def _kind(step: Step) -> tuple[object, ...]:
    return step.by, headline(step), step.fate is Fate.LOST


def _described(record: Record) -> dict[str, str]:
    return {
        "client": endpoint(record.client),
        "server": endpoint(record.server),
        "outcome": record.outcome,
        "why": columns.why(record),
        "rtt": columns.rtt(record),
        "time": columns.time(record),
        "closed": record.closed or "",
        "SYN": _offer(record.client),
        "SYN-ACK": _offer(record.server),
        "ttl": " / ".join(str(each.ttl) for each in (record.client, record.server) if each.ttl),
        "packets": columns.packets(record),
    }


def _offer(end: EndRecord) -> str:
    """Return what an end offered in its SYN."""
    parts = [] if end.mss is None else [f"mss {end.mss}"]
    parts += [] if end.window_scale is None else [f"ws {end.window_scale}"]
    parts += ["sack"] if end.sack_permitted else []
    parts += ["ts"] if end.timestamps else []
    return ", ".join(parts)
