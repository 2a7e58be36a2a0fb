"""The list of connections that are watched: the states of both ends, and how old they are."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final, NamedTuple

from handshake.record import nanoseconds
from handshake.units import NS_PER_SECOND
from handshake.view import columns
from handshake.view.record_lines import OUTCOME, Column
from handshake.view.table import Table, fitting

if TYPE_CHECKING:
    from collections.abc import Callable, Set

    from handshake.record import Record

_SHORT: Final = {"ESTABLISHED": "ESTAB", "SYN-RECEIVED": "SYN-RECV"}
"""States as `ss` prints them, where the two ends are in different ones."""

_LEAST: Final = len("SYN-SENT/SYN-RECV")
"""Room for the states of a handshake, so that columns keep their place when one comes."""

_KEYS: Final = {"state": "outcome", "age": "start"}
"""The keys that sort by a heading that is none."""

_AGES: Final = ((60, 1, "s"), (3600, 60, "m"), (86_400, 3600, "h"), (1 << 40, 86_400, "d"))
_PATIENCE: Final = 3 * NS_PER_SECOND
"""Nanoseconds after which a handshake that nothing answers counts as failed."""

_EXACT: Final = 10
"""Seconds below which an age has a decimal."""


class Live(NamedTuple):
    """What a record does not tell of a connection that is watched."""

    now: int
    """The time, in nanoseconds since 1970."""

    open: Set[int]
    """The numbers of the connections that are not over."""


_NONE: Final = Live(0, frozenset())


@dataclass(frozen=True)
class LiveTable(Table):
    """The rows of connections some of which go on."""

    live: Live = _NONE

    @cached_property
    def _outcome(self) -> Column:
        longest = max((len(self._state(each)) for each in self.records), default=0)
        width = min(max(_LEAST, longest), max(OUTCOME, self.width // 4))
        return Column("state", width, self._state, right=False)

    def _usual(self) -> list[Column]:
        found = {each.title: each for each in super()._usual()}
        oldest = max(self.records, key=lambda each: len(self._age(each)), default=None)
        return [fitting("age", self._age, oldest), found["rtt"], found["packets"]]

    def _least(
        self, outcome: int, why: Callable[[Record], str] = columns.why
    ) -> list[Column] | None:
        # No mark tells the states: they stay.
        return super()._least(outcome, why) if outcome else None

    def _seldom(self) -> list[Column]:
        return super()._seldom()[1:]  # how it was closed is its state

    def _always(self) -> list[Column]:
        most = max(self.records, key=lambda each: len(columns.retries(each)), default=None)
        return [fitting("retry", columns.retries, most)]

    def _mark(self, record: Record) -> tuple[str, str]:
        if self._is_on_its_way(record):
            return self.glyphs.dot, "dim"
        return super()._mark(record)

    def heading_at(self, x: int) -> str | None:
        """Return the key of a heading, by a column of the screen from 0; None if there is none."""
        found = super().heading_at(x)
        return None if found is None else _KEYS.get(found, found)

    def _is_on_its_way(self, record: Record) -> bool:
        """Whether a handshake has begun, and nothing says yet that it will fail."""
        return (
            record.stream in self.live.open
            and record.outcome in ("no-answer", "half-open")
            and self.live.now - nanoseconds(record.start) < _PATIENCE
            and not columns.retries(record)
            and record.icmp is None
        )

    def _state(self, record: Record) -> str:
        """Return the states of both ends, or what became of the connection."""
        if record.stream not in self.live.open:
            opened = record.outcome == "established" and record.closed is not None
            return f"closed: {record.closed}" if opened else record.outcome
        client, server = record.client.state, record.server.state
        if client == server and client is not None:
            return client
        dash = self.glyphs.dash
        return "/".join(_SHORT.get(each, each) if each else dash for each in (client, server))

    def _age(self, record: Record) -> str:
        """Return how long ago it began; of one that is over how long it took."""
        if record.stream in self.live.open:
            return age((self.live.now - nanoseconds(record.start)) / NS_PER_SECOND)
        return "" if record.duration is None else age(record.duration)


def age(seconds: float) -> str:
    """Return an age in its largest unit: `0.3s`, `12s`, `5m`, `3h`, `2d`."""
    if seconds < _EXACT:
        return f"{max(0.0, seconds):.1f}s"
    unit, name = next((unit, name) for below, unit, name in _AGES if seconds < below)
    return f"{int(seconds // unit)}{name}"
