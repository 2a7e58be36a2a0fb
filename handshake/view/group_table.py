"""The screen of connections in groups by server and port."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final, NamedTuple

from rich.console import Group

from handshake.view.columns import milliseconds, shorten, time
from handshake.view.glyphs import UNICODE, Glyphs
from handshake.view.key_line import key_line
from handshake.view.layout import fit, line, wrap
from handshake.view.step import rule

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rich.text import Text

    from handshake.query.groups import ServerGroup
    from handshake.record import Record

_AROUND: Final = 5
"""Lines around the rows: title, filter, heading, rule, keys."""

_DETAIL: Final = 6
"""Lines for the chosen group."""

_COMFORT: Final = 21


@dataclass(frozen=True)
class GroupTable:
    """A row for each group, and details of the chosen one."""

    groups: Sequence[ServerGroup]
    selected: int
    title: str
    state: str
    """The filter in force."""

    keys: Sequence[str]
    glyphs: Glyphs = UNICODE

    @cached_property
    def _server(self) -> int:
        return max([len(group_name(each)) for each in self.groups] or [6])

    def page(self, height: int) -> int:
        """Return how many rows there are on a screen of this height."""
        room = max(1, height - _AROUND)
        return room - _DETAIL - 1 if room >= _DETAIL + 6 else room

    def row_at(self, y: int, height: int) -> int | None:
        """Return which group stands in a line of the screen, from 0; None if none does."""
        at = y - 3
        shown = self._shown(height)
        return shown[at] if 0 <= at < len(shown) else None

    def _shown(self, height: int) -> range:
        rows = min(len(self.groups), self.page(height))
        first = max(0, min(self.selected - rows // 2, len(self.groups) - rows))
        return range(first, first + rows)

    def draw(self, width: int, height: int) -> Group:
        """Return the screen: exactly `height` lines, none wider than `width`."""
        glyphs, shown = self.glyphs, self._shown(height)
        lines = [
            line((fit(f" {self.title}", width, glyphs.ellipsis), "title")),
            line(fit(f" {self.state}", width, glyphs.ellipsis)),
            line((self._heading(width), "dim")),
            *(self._row(at, width) for at in shown),
        ]
        if len(shown) < len(self.groups) or height - len(lines) > _DETAIL:
            lines += self._detail(width)
        room = max(0, height - 2)
        lines = lines[:room] + [line()] * (room - len(lines))
        lines += [line((glyphs.rule(width), "rule"))]
        lines.append(key_line(self.keys, width, glyphs))
        for each in lines:
            each.truncate(width)
        return Group(*lines[-height:] if height < 3 else lines[:height])

    def _room(self, width: int) -> int:
        """Return the columns for the server: in full, if the usual columns have room, too."""
        usual = sum(each.width for each in _COLUMNS[:-_RARE])
        return max(8, min(self._server, max(_COMFORT, width - usual - 1 - _KINDS)))

    def _columns(self, width: int) -> list[_Column]:
        """Return the columns to the right of the server that fit."""
        found = list(_COLUMNS)
        room = width - 1 - self._room(width) - _KINDS
        while found and sum(each.width for each in found) > room:
            found.remove(max(found, key=_COLUMNS.index))
        return sorted(found, key=_ORDER.index)

    def _heading(self, width: int) -> str:
        text = f" {'server':<{self._room(width)}}"
        text += "".join(f"{each.title:>{each.width}}" for each in self._columns(width))
        return fit(f"{text}  failures", width, self.glyphs.ellipsis)

    def _row(self, at: int, width: int) -> Text:
        group, server = self.groups[at], self._room(width)
        name = shorten(group_name(group), server, self.glyphs.ellipsis)
        row = line((">" if at == self.selected else " ", "why"), f"{name:<{server}}")
        for each in self._columns(width):
            text = each.text(group) or self.glyphs.dash
            failed = each.title == "failed" and group.failed
            row.append(f"{text:>{each.width}}", "bad" if failed else "")
        kinds = ", ".join(f"{times:,} {kind}" for kind, times in group.failures)
        row.append(f"  {fit(kinds, max(0, width - row.cell_len - 2), self.glyphs.ellipsis)}")
        if at == self.selected:
            return line((row.plain + " " * (width - row.cell_len), "chosen"))
        return row

    def _detail(self, width: int) -> list[Text]:
        """Return the chosen group in sentences: nothing of it is cut off."""
        if not self.groups:
            return []
        group, glyphs = self.groups[self.selected], self.glyphs
        assert group.first is not None
        assert group.last is not None
        texts = [
            glyphs.say(
                "servers.attempts",
                count=group.attempts,
                sources=len(group.clients),
                first=_when(group.first),
                last=_when(group.last),
            )
        ]
        for kind, times in group.failures:
            first, last = group.spans[kind]
            texts.append(
                glyphs.say(
                    "servers.failed",
                    count=times,
                    kind=kind,
                    first=_when(first),
                    first_number=first.stream + 1,
                    last=_when(last),
                    last_number=last.stream + 1,
                )
            )
        if (rtt := group.rtt) is not None:
            named = {"min": rtt.least, "p50": rtt.median, "p95": rtt.p95, "max": rtt.most}
            texts.append("rtt  " + "  ".join(f"{name} {_ms(each)}" for name, each in named.items()))
        lines = [rule(group_name(group), width, glyphs)]
        for text in texts:
            lines += [line(f" {each}") for each in wrap(text, max(12, width - 2))]
        return lines


def group_name(group: ServerGroup) -> str:
    """Return address and port of a server, as a filter takes them."""
    address = f"[{group.address}]" if ":" in group.address else group.address
    return f"{address}:{group.port}"


def _ms(value: float) -> str:
    return f"{milliseconds(value)}ms"


def _when(record: Record) -> str:
    return f"{time(record)} ({record.start[11:19]})" if record.time is not None else record.start


class _Column(NamedTuple):
    title: str
    width: int
    """Including the space before it."""

    text: Callable[[ServerGroup], str]
    """Its text; empty if it is not known."""


_COLUMNS: Final = (
    _Column("attempts", 9, lambda group: f"{group.attempts:,}"),
    _Column("failed", 7, lambda group: f"{group.failed:,}"),
    _Column("first", 10, lambda group: (group.first_failure and time(group.first_failure)) or ""),
    _Column("p95", 10, lambda group: _ms(group.rtt.p95) if group.rtt else ""),
    _Column("p50", 10, lambda group: _ms(group.rtt.median) if group.rtt else ""),
    _Column("last", 10, lambda group: (group.last_failure and time(group.last_failure)) or ""),
)
"""The columns, the most important first."""

_RARE: Final = 2
"""So many of the last columns give way to a full address."""

_ORDER: Final = [_COLUMNS[at] for at in (0, 4, 3, 1, 2, 5)]
"""The columns as they stand on the screen."""

_KINDS: Final = 22
"""Columns for the failures by kind."""
