"""Finds connections that a capture has twice: on both sides of a NAT or load balancer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from handshake.record import Finding, nanoseconds
from handshake.tcp.copy import changed
from handshake.units import NS_PER_SECOND, SOONEST_TIMER

if TYPE_CHECKING:
    from handshake.record import EndRecord, Record

REMEMBERED: Final = 4096
"""Connections remembered; the oldest are dropped first."""


class _Side(NamedTuple):
    stream: int
    start: str
    client: tuple[str, int]
    server: tuple[str, int]
    octets: tuple[int, int]


class NatSides:
    """Remembers connections by their initial sequence numbers, which most NATs leave alone."""

    def __init__(self) -> None:
        self._sides: dict[tuple[int, int], _Side] = {}

    def seen(self, record: Record) -> Record:
        """Return a record; one that is a connection before, seen elsewhere, with a finding."""
        client, server = record.client, record.server
        if client.iss is None or server.iss is None:
            return record
        key, octets = (client.iss, server.iss), (client.bytes, server.bytes)
        mine = _Side(record.stream, record.start, _end(client), _end(server), octets)
        other = self._sides.get(key)
        if other is None or not _same(mine, other):
            self._sides[key] = mine
            if len(self._sides) > REMEMBERED:
                del self._sides[next(iter(self._sides))]
            return record
        at_client = mine.client != other.client
        was, now = (other.client, mine.client) if at_client else (other.server, mine.server)
        values = {
            "stream": other.stream + 1,
            "end": "client" if at_client else "server",
            "was": _text(was),
            "now": _text(now),
            "gap": _apart(mine, other) / NS_PER_SECOND,
        }
        found = Finding("both-sides-of-nat", record.frames[0], values)
        findings = sorted((*record.findings, found), key=lambda each: each.frame or 0)
        return changed(record, findings=tuple(findings))


def _same(one: _Side, other: _Side) -> bool:
    """Whether one end alone has another address or port, and all else is the same."""
    if one.octets != other.octets or _apart(one, other) >= SOONEST_TIMER:
        return False
    return (one.client == other.client) is not (one.server == other.server)


def _apart(one: _Side, other: _Side) -> int:
    """Return how many nanoseconds lie between their first segments."""
    return abs(nanoseconds(one.start) - nanoseconds(other.start))


def _end(end: EndRecord) -> tuple[str, int]:
    return end.address, end.port


def _text(end: tuple[str, int]) -> str:
    address, port = end
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
