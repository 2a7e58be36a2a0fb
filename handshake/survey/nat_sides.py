"""Finds connections that a capture has twice: on both sides of a NAT or load balancer."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

from handshake.record import Finding, nanoseconds
from handshake.tcp.copy import changed
from handshake.units import NS_PER_SECOND, SOONEST_TIMER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from handshake.record import EndRecord, Record

REMEMBERED: Final = 4096
"""Connections remembered; the oldest are dropped first."""


HELD: Final = 1024
"""Records held back at the end of a capture, for a later one that may be their other side."""

_Rest = TypeVar("_Rest")


class _Side(NamedTuple):
    stream: int
    frame: int | None
    start: str
    isns: tuple[int, int]
    client: tuple[str, int]
    server: tuple[str, int]
    octets: tuple[int, int]


class NatSides:
    """Remembers connections by their initial sequence numbers, which most NATs leave alone."""

    def __init__(self) -> None:
        self._sides: OrderedDict[tuple[int, int], _Side] = OrderedDict()

    def paired(
        self, ended: Iterable[tuple[Record, _Rest]], at_end: Callable[[], bool]
    ) -> Iterator[tuple[Record, _Rest]]:
        """Yield records; one that is a connection before, seen elsewhere, with a finding.

        Where `at_end` tells that the capture is read, records are held back for a while, so that
        the connection before has the finding, too.
        """
        held: OrderedDict[int, tuple[Record, _Rest]] = OrderedDict()
        for record, rest in ended:
            mine = _side(record)
            other = None if mine is None else self._other(mine)
            if mine is None or other is None:
                held[record.stream] = record, rest
            else:
                held[record.stream] = _with(record, _finding(mine, other)), rest
                if other.stream in held:
                    first, its = held[other.stream]
                    held[other.stream] = _with(first, _finding(other, mine)), its
            if not at_end():
                yield from held.values()
                held.clear()
            elif len(held) > HELD:
                yield held.popitem(last=False)[1]
        yield from held.values()

    def _other(self, mine: _Side) -> _Side | None:
        """Return the other side of a connection, if it was seen before; else remember this one."""
        other = self._sides.get(mine.isns)
        if other is not None and _same(mine, other):
            return other
        self._sides[mine.isns] = mine
        if len(self._sides) > REMEMBERED:
            self._sides.popitem(last=False)
        return None


def _side(record: Record) -> _Side | None:
    client, server = record.client, record.server
    if client.iss is None or server.iss is None:
        return None
    return _Side(
        record.stream,
        record.frames[0],
        record.start,
        (client.iss, server.iss),
        _end(client),
        _end(server),
        (client.bytes, server.bytes),
    )


def _with(record: Record, found: Finding) -> Record:
    findings = sorted((*record.findings, found), key=lambda each: each.frame or 0)
    return changed(record, findings=tuple(findings))


def _finding(mine: _Side, other: _Side) -> Finding:
    at_client = mine.client != other.client
    was, now = (other.client, mine.client) if at_client else (other.server, mine.server)
    values = {
        "stream": other.stream + 1,
        "end": "client" if at_client else "server",
        "was": _text(was),
        "now": _text(now),
        "gap": _apart(mine, other) / NS_PER_SECOND,
    }
    return Finding("both-sides-of-nat", mine.frame, values)


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
