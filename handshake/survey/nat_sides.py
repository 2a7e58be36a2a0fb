"""Finds connections that a capture has twice: on both sides of a NAT or load balancer."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

from handshake.record import Finding, nanoseconds
from handshake.survey.rows import RecordRows, Row
from handshake.tcp.copy import changed
from handshake.units import NS_PER_SECOND, SOONEST_TIMER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from handshake.record import EndRecord, Record

REMEMBERED: Final = 4096
"""Connections remembered; the oldest are dropped first."""


HELD: Final = 1024
"""Records held back at the end of a capture, for a later one that may be their other side."""

_Item = TypeVar("_Item", "Record", "Record | Row | RecordRows")
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
        self._sides: OrderedDict[tuple[int, int], _Side | Row] = OrderedDict()

    def paired(
        self, ended: Iterable[tuple[_Item, _Rest]], at_end: Callable[[], bool]
    ) -> Iterator[tuple[_Item, _Rest]]:
        """Yield records; one that is a connection before, seen elsewhere, with a finding.

        Where `at_end` tells that the capture is read, records are held back for a while, so that
        the connection before has the finding, too. Of a `Row` that has it, its record is yielded.
        """
        held: OrderedDict[int, tuple[_Item, _Rest]] = OrderedDict()
        for item, rest in ended:
            if isinstance(item, RecordRows):
                # None of them has two numbers to be remembered by.
                yield item, rest
                continue
            stream, other = item.stream, self._other(item)
            if other is None:
                held[stream] = item, rest
            else:
                record, mine = _record(item), _side(item)
                held[stream] = _with(record, _finding(mine, other)), rest
                if other.stream in held:
                    first, its = held[other.stream]
                    held[other.stream] = _with(_record(first), _finding(other, mine)), its
            if not at_end():
                yield from held.values()
                held.clear()
            elif len(held) > HELD:
                yield held.popitem(last=False)[1]
        yield from held.values()

    def _other(self, item: Record | Row) -> _Side | None:
        """Return the other side of a connection, if it was seen before; else remember this one."""
        isns = _isns(item)
        if isns is None:
            return None
        known = self._sides.get(isns)
        if known is not None:
            other = _side(known)
            if _same(_side(item), other):
                return other
        self._sides[isns] = item if isinstance(item, Row) else _side(item)
        if len(self._sides) > REMEMBERED:
            self._sides.popitem(last=False)
        return None


def _record(item: Record | Row | RecordRows) -> Record:
    assert not isinstance(item, RecordRows)
    return item.record if isinstance(item, Row) else item


def _isns(item: Record | Row) -> tuple[int, int] | None:
    if isinstance(item, Row):
        return item.batch.isns(item.at)
    client, server = item.client.iss, item.server.iss
    return None if client is None or server is None else (client, server)


def _side(item: Record | Row | _Side) -> _Side:
    if isinstance(item, _Side):
        return item
    record = _record(item)
    client, server, isns = record.client, record.server, _isns(item)
    assert isns is not None
    return _Side(
        record.stream,
        record.frames[0],
        record.start,
        isns,
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
