"""What an expert would point at in a whole capture: scans, floods, refusals by another's TTL."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from handshake.record import Finding

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Iterator

    from handshake.record import Record

SCAN: Final = 20
"""Different ports, or hosts, that were tried in vain before it is called a scan: browsers and
programs that look for a service try fewer."""

FLOOD: Final = 100
"""Connections to one port that were asked for and not completed before it is called a flood:
the backlog of a listener is 128 by an old default, and 100 are most of it."""

TRACKED: Final = 4096
"""Addresses followed at once. More than that, and those with the fewest failures are let go."""

NAMES: Final = 1024
"""Different names remembered of one group."""

_WORDS: Final = {
    "no-answer": "unanswered",
    "refused": "refused",
    "half-open": "half-open",
    "unreachable": "unreachable",
    "reset": "reset before it opened",
    "established": "opened",
}
"""Outcomes, in the order in which they are told; mid-stream connections opened before."""

_FAILED: Final = frozenset({"no-answer", "refused", "half-open", "unreachable", "reset"})
_HANGING: Final = frozenset({"no-answer", "half-open"})

Key = TypeVar("Key", bound="Hashable")


@dataclass(slots=True)
class _Group:
    """Connections that have an address in common."""

    outcomes: Counter[str] = field(default_factory=Counter)
    ports: int = 0
    """A bit for each port that was tried in vain: 8 KiB at most."""

    names: set[str] = field(default_factory=set)
    """Other ends."""

    frame: int | None = None
    """The first frame of its first failure."""

    def count(self, record: Record, name: str) -> None:
        """Take one connection into account; `name` is the end that they have not in common."""
        self.outcomes[record.outcome] += 1
        if record.outcome in _FAILED:
            self.ports |= 1 << record.server.port
            if len(self.names) < NAMES:
                self.names.add(name)
            if self.frame is None:
                self.frame = record.frames[0]

    @property
    def total(self) -> int:
        """How many connections there were."""
        return self.outcomes.total()

    def failed(self, kinds: frozenset[str] = _FAILED) -> int:
        """Return how many ended in one of these ways."""
        return sum(self.outcomes[kind] for kind in kinds)

    def __str__(self) -> str:
        told = (f"{self.outcomes[kind]} {_WORDS[kind]}" for kind in _WORDS if self.outcomes[kind])
        return ", ".join(told)


class _Groups(Generic[Key]):
    """As many groups as fit; those with the fewest failures make room for others."""

    def __init__(self) -> None:
        self._groups: dict[Key, _Group] = {}

    def __getitem__(self, key: Key) -> _Group:
        group = self._groups.get(key)
        if group is None:
            if len(self._groups) >= TRACKED:
                self._make_room()
            group = self._groups[key] = _Group()
        return group

    def _make_room(self) -> None:
        ranked = sorted(self._groups.items(), key=lambda item: item[1].failed(), reverse=True)
        self._groups = dict(ranked[: TRACKED // 2])

    def items(self) -> Iterator[tuple[Key, _Group]]:
        """Yield each key and its group."""
        yield from self._groups.items()


@dataclass(slots=True)
class _Host:
    """The TTLs with which a host's packets came."""

    answered: Counter[int] = field(default_factory=Counter)
    refused: dict[int, int | None] = field(default_factory=dict)
    """The frame of the first RST that answered a SYN with each TTL."""


class CaptureFindings:
    """Collects what many connections together say, a record at a time, in bounded memory."""

    def __init__(self) -> None:
        self._pairs: _Groups[tuple[str, str]] = _Groups()
        """By caller and called address."""

        self._callers: _Groups[tuple[str, int]] = _Groups()
        """By caller and called port."""

        self._services: _Groups[tuple[str, int]] = _Groups()
        """By called address and port."""

        self._hosts: dict[str, _Host] = {}

    def add(self, record: Record) -> None:
        """Take one connection into account."""
        if record.outcome not in _WORDS:
            return
        client, server = record.client, record.server
        self._pairs[client.address, server.address].count(record, str(server.port))
        self._callers[client.address, server.port].count(record, server.address)
        self._services[server.address, server.port].count(record, client.address)
        self._ttl(record)

    def _ttl(self, record: Record) -> None:
        server = record.server
        if server.ttl is None:
            return
        host = self._hosts.get(server.address)
        if host is None:
            if len(self._hosts) >= TRACKED:
                return
            host = self._hosts[server.address] = _Host()
        if record.outcome == "refused":
            frame = next((each.frame for each in record.findings if each.code == "refused"), None)
            if len(host.refused) < NAMES:
                host.refused.setdefault(server.ttl, frame)
        else:
            host.answered[server.ttl] += 1

    def found(self) -> list[Finding]:
        """Return what there is to say so far, in the order of the frames that prove it."""
        found = [*self._scans(), *self._floods(), *self._other_ttls()]
        return sorted(found, key=lambda each: each.frame or 0)

    def _scans(self) -> Iterator[Finding]:
        for (caller, called), group in self._pairs.items():
            if group.ports.bit_count() >= SCAN and 2 * group.failed() > group.total:
                yield Finding(
                    "port-scan",
                    group.frame,
                    f"{group.total} connections from {caller} to {called}: a port scan ({group}).",
                )
        for (caller, port), group in self._callers.items():
            if len(group.names) >= SCAN and 2 * group.failed() > group.total:
                hosts = _at_least(group)
                yield Finding(
                    "host-scan",
                    group.frame,
                    f"{group.total} connections from {caller} to port {port} of {hosts} hosts: a "
                    f"scan for hosts ({group}).",
                )

    def _floods(self) -> Iterator[Finding]:
        for (address, port), group in self._services.items():
            hanging = group.failed(_HANGING)
            if hanging < FLOOD or 2 * hanging < group.total:
                continue
            count = _at_least(group)
            who = f"from {count} addresses" if len(group.names) > 1 else f"from {min(group.names)}"
            yield Finding(
                "syn-flood",
                group.frame,
                f"{group.total} connections to port {port} of {address} {who}, and {hanging} were "
                f"not completed ({group}): a SYN flood, or a server that is gone or overrun.",
            )

    def _other_ttls(self) -> Iterator[Finding]:
        for address, host in self._hosts.items():
            if not host.answered:
                continue
            known = ", ".join(str(ttl) for ttl in sorted(host.answered))
            for ttl, frame in host.refused.items():
                if ttl not in host.answered:
                    yield Finding(
                        "refused-by-other-ttl",
                        frame,
                        f"The RST that refused a connection to {address} came with TTL {ttl}, and "
                        f"that host's other answers with {known}: a firewall may refuse in its "
                        f"name, or its RSTs start from another TTL.",
                    )


def _at_least(group: _Group) -> str:
    return f"{len(group.names)}{' or more' if len(group.names) >= NAMES else ''}"


def capture_findings(records: Iterable[Record]) -> list[Finding]:
    """Return what these connections together say."""
    collected = CaptureFindings()
    for record in records:
        collected.add(record)
    return collected.found()
