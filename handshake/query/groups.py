"""Connections in groups by server and port: attempts, failures, round-trip times."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from handshake.query.totals import OUTCOMES, Spread

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from handshake.record import Record

FAILED: Final = ("refused", "no-answer", "reset", "unreachable", "half-open")
"""Outcomes of connections that did not open, or were reset at once."""


@dataclass
class ServerGroup:
    """The connections to one port of one server."""

    address: str
    port: int
    attempts: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    first: Record | None = None
    last: Record | None = None
    spans: dict[str, tuple[Record, Record]] = field(default_factory=dict)
    """The first and the last failure of each kind."""

    clients: set[str] = field(default_factory=set)
    rtts: list[float] = field(default_factory=list)

    @classmethod
    def of(cls, address: str, port: int, records: Sequence[Record]) -> ServerGroup:
        """Return the group of these connections."""
        failed: dict[str, list[Record]] = {}
        for each in records:
            if each.outcome in FAILED:
                failed.setdefault(each.outcome, []).append(each)
        times = (each.handshake.rtt for each in records)
        return cls(
            address,
            port,
            len(records),
            Counter(each.outcome for each in records),
            min(records, key=_start),
            max(records, key=_start),
            {
                kind: (min(found, key=_start), max(found, key=_start))
                for kind, found in failed.items()
            },
            {each.client.address for each in records},
            [each for each in times if each is not None],
        )

    @property
    def failed(self) -> int:
        """How many connections did not open."""
        return sum(self.outcomes[each] for each in FAILED)

    @property
    def failures(self) -> list[tuple[str, int]]:
        """The failures by kind, the most frequent first."""
        found = [(each, self.outcomes[each]) for each in OUTCOMES if each in FAILED]
        return sorted((each for each in found if each[1]), key=lambda each: -each[1])

    @property
    def rtt(self) -> Spread | None:
        """The spread of the handshakes' round-trip times, in seconds."""
        return Spread.of(self.rtts)

    @property
    def first_failure(self) -> Record | None:
        """The failure that began first."""
        return min((each[0] for each in self.spans.values()), key=_start, default=None)

    @property
    def last_failure(self) -> Record | None:
        """The failure that began last."""
        return max((each[1] for each in self.spans.values()), key=_start, default=None)


def _start(record: Record) -> str:
    return record.start


def _slowest(group: ServerGroup) -> float:
    return 0.0 if group.rtt is None else group.rtt.p95


ORDERS: Final[dict[str, Callable[[ServerGroup], object]]] = {
    "failed": lambda group: (-group.failed, -group.attempts),
    "refused": lambda group: -group.outcomes["refused"],
    "no-answer": lambda group: -group.outcomes["no-answer"],
    "attempts": lambda group: -group.attempts,
    "p95": lambda group: -_slowest(group),
    "server": lambda group: (group.address, group.port),
}
"""How groups can be sorted: by the words of their headings."""


def server_groups(records: Iterable[Record]) -> list[ServerGroup]:
    """Return the groups of connections, those with the most failures first."""
    found: dict[tuple[str, int], list[Record]] = {}
    for record in records:
        found.setdefault((record.server.address, record.server.port), []).append(record)
    groups = [ServerGroup.of(*place, each) for place, each in found.items()]
    return sorted(groups, key=ORDERS["failed"])  # type: ignore[arg-type]
