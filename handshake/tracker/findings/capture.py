"""Findings over a whole capture: scans, SYN floods, refusals with another TTL."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from handshake.messages import Message
from handshake.record import Finding

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Iterator, Mapping

    from handshake.record import Record

SCAN: Final = 20
"""Different ports, or hosts, that must fail before it counts as a scan: browsers and programs that
look for a service try fewer."""

FLOOD: Final = 100
"""Connections to one port that were not completed before it counts as a SYN flood: the backlog of a
listener is 128 by an old default, and 100 are most of it."""

TRACKED: Final = 4096
"""Addresses followed at once. Beyond that, those with the fewest failures are dropped."""

NAMES: Final = 1024
"""Different names remembered of one group."""

COUNTED: Final = ("no-answer", "refused", "half-open", "unreachable", "reset", "established")
"""Outcomes, in the order in which they are listed; mid-stream connections opened before."""

FAILED: Final = frozenset(COUNTED) - {"established"}
HANGING: Final = frozenset({"no-answer", "half-open"})

Key = TypeVar("Key", bound="Hashable")


@dataclass(slots=True)
class AddressGroup:
    """Connections that have an address in common."""

    outcomes: dict[str, int] = field(default_factory=dict)
    failures: int = 0
    """How many failed, in any way."""

    names: set[str | int] = field(default_factory=set)
    """The other ends of those that failed."""

    frame: int | None = None
    """The first frame of one that failed."""

    def count(self, outcome: str, frame: int | None, name: str | int) -> None:
        """Take one connection into account; `name` is the end in which the group differs."""
        self.outcomes[outcome] = self.outcomes.get(outcome, 0) + 1
        if outcome in FAILED:
            self._failed(1, frame, (name,))

    def add(
        self, outcomes: Mapping[str, int], frame: int | None, names: Iterable[str | int]
    ) -> None:
        """Take several into account; the names are those of failed ones, the frame is the first."""
        for outcome, count in outcomes.items():
            self.outcomes[outcome] = self.outcomes.get(outcome, 0) + count
        failures = sum(count for outcome, count in outcomes.items() if outcome in FAILED)
        if failures:
            self._failed(failures, frame, names)

    def _failed(self, count: int, frame: int | None, names: Iterable[str | int]) -> None:
        self.failures += count
        if self.frame is None or (frame is not None and frame < self.frame):
            self.frame = frame
        for name in names:
            if len(self.names) >= NAMES:
                break
            self.names.add(name)

    @property
    def total(self) -> int:
        """How many connections there were."""
        return sum(self.outcomes.values())

    @property
    def hanging(self) -> int:
        """How many were not completed, nor refused."""
        return sum(self.outcomes.get(kind, 0) for kind in HANGING)

    def values(self) -> dict[str, object]:
        """Return the values of the group for a sentence."""
        counts = {kind: self.outcomes[kind] for kind in COUNTED if kind in self.outcomes}
        return {
            "total": self.total,
            "names": len(self.names),
            "more": len(self.names) >= NAMES,
            "outcomes": tuple(
                Message("reasons", f"outcome.{kind}", {"count": count})
                for kind, count in counts.items()
            ),
        }


class AddressGroups(Generic[Key]):
    """As many groups as fit; those with the fewest failures make room for others."""

    def __init__(self) -> None:
        self._groups: dict[Key, AddressGroup] = {}

    def __getitem__(self, key: Key) -> AddressGroup:
        group = self._groups.get(key)
        if group is None:
            if len(self._groups) >= TRACKED:
                self._make_room()
            group = self._groups[key] = AddressGroup()
        return group

    def __len__(self) -> int:
        return len(self._groups)

    def _make_room(self) -> None:
        ranked = sorted(self._groups.items(), key=lambda item: item[1].failures, reverse=True)
        self._groups = dict(ranked[: TRACKED // 2])

    def items(self) -> Iterator[tuple[Key, AddressGroup]]:
        """Yield each key and its group."""
        yield from self._groups.items()


@dataclass(slots=True)
class _Host:
    """The TTLs with which a host's packets came."""

    answered: Counter[int] = field(default_factory=Counter)
    refused: dict[int, int | None] = field(default_factory=dict)
    """The frame of the first RST that answered a SYN with each TTL."""


class CaptureFindings:
    """Collects what many connections together show, a record at a time, in bounded memory."""

    def __init__(self) -> None:
        self.pairs: AddressGroups[tuple[str, str]] = AddressGroups()
        """By client and server address."""

        self.clients: AddressGroups[tuple[str, int]] = AddressGroups()
        """By client address and server port."""

        self.services: AddressGroups[tuple[str, int]] = AddressGroups()
        """By server address and port."""

        self.hosts: dict[str, _Host] = {}

    def add(self, record: Record) -> None:
        """Take one connection into account."""
        client, server = record.client.address, record.server.address
        self.take(record.outcome, client, server, record.server.port, record.frames[0])
        if record.server.ttl is not None:
            self.answered(record.outcome, server, record.server.ttl, refusal(record))

    def take(self, outcome: str, client: str, server: str, port: int, frame: int | None) -> None:
        """Count one connection, which begins with a frame, by its addresses."""
        if outcome not in COUNTED:
            return
        self.pairs[client, server].count(outcome, frame, port)
        self.clients[client, port].count(outcome, frame, server)
        self.services[server, port].count(outcome, frame, client)

    def answered(
        self, outcome: str, server: str, ttl: int, refused: int | None, count: int = 1
    ) -> None:
        """Take the TTL of a server into account; `refused` is the frame of its first RST."""
        if outcome not in COUNTED:
            return
        host = self.hosts.get(server)
        if host is None:
            if len(self.hosts) >= TRACKED:
                return
            host = self.hosts[server] = _Host()
        if outcome == "refused":
            first = host.refused.get(ttl)
            if first is None or (refused is not None and refused < first):
                host.refused[ttl] = refused
        else:
            host.answered[ttl] += count

    def found(self) -> list[Finding]:
        """Return what was found so far, in the order of the frames that prove it."""
        found = [*self._scans(), *self._floods(), *self._other_ttls()]
        return sorted(found, key=lambda each: each.frame or 0)

    def _scans(self) -> Iterator[Finding]:
        for (client, server), group in self.pairs.items():
            if len(group.names) >= SCAN and 2 * group.failures > group.total:
                values = {"client": client, "server": server, **group.values()}
                yield Finding("port-scan", group.frame, values)
        for (client, port), group in self.clients.items():
            if len(group.names) >= SCAN and 2 * group.failures > group.total:
                values = {"client": client, "port": port, **group.values()}
                yield Finding("host-scan", group.frame, values)

    def _floods(self) -> Iterator[Finding]:
        for (server, port), group in self.services.items():
            hanging = group.hanging
            if hanging < FLOOD or 2 * hanging < group.total:
                continue
            variant = "many" if len(group.names) > 1 else "one"
            values = {"server": server, "port": port, "hanging": hanging, **group.values()}
            values["client"] = min(map(str, group.names))
            yield Finding("syn-flood", group.frame, values, variant)

    def _other_ttls(self) -> Iterator[Finding]:
        for address, host in self.hosts.items():
            if not host.answered:
                continue
            for ttl, frame in host.refused.items():
                if ttl not in host.answered:
                    values = {"server": address, "ttl": ttl, "others": sorted(host.answered)}
                    yield Finding("refused-by-other-ttl", frame, values)


def refusal(record: Record) -> int | None:
    """Return the frame of the RST that refused a connection."""
    return next((each.frame for each in record.findings if each.code == "refused"), None)


def capture_findings(records: Iterable[Record]) -> list[Finding]:
    """Return what these connections together show."""
    collected = CaptureFindings()
    for record in records:
        collected.add(record)
    return collected.found()
