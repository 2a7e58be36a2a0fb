"""Finds connections that a capture has twice: on both sides of a NAT or load balancer."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

from handshake.record import Finding, nanoseconds
from handshake.survey.alike.rows import Row, Rows
from handshake.tcp.copy import changed
from handshake.units import NS_PER_SECOND, SOONEST_TIMER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from handshake.record import EndRecord, Record

REMEMBERED: Final = 4096
"""Connections remembered; the oldest are dropped first."""


HELD: Final = 1024
"""Records held back at the end of a capture, for a later one that may be their other side."""

_Item = TypeVar("_Item", "Record", "Record | Rows")
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
        the connection before has the finding, too. It has a record then: it leaves its rows.
        """
        held: OrderedDict[int, tuple[_Item, _Rest]] = OrderedDict()
        size = 0
        for item, rest in ended:
            if isinstance(item, Rows):
                odd = self._odd(item)
                held[-id(item)] = item, rest
                for at in odd:
                    self._hold(held, item.batch.record(at), rest)
                size += len(item.which) + len(odd)
            else:
                self._hold(held, item, rest)
                size += 1
            if not at_end():
                yield from held.values()
                held.clear()
                size = 0
            while held and size - (first := _size(next(iter(held.values()))[0])) >= HELD:
                size -= first
                yield held.popitem(last=False)[1]
        yield from held.values()

    def _hold(
        self, held: OrderedDict[int, tuple[_Item, _Rest]], record: Record, rest: _Rest
    ) -> None:
        """Hold back a record; it has a finding, and its other side too, if that is still held."""
        mine = _side(record)
        known = None if mine is None else self._sides.get(mine.isns)
        other = _side(known.batch.record(known.at)) if isinstance(known, Row) else known
        if mine is None:
            held[record.stream] = record, rest
        elif other is None or not _same(mine, other):
            self._remember(mine.isns, mine)
            held[record.stream] = record, rest
        else:
            held[record.stream] = _with(record, _finding(mine, other)), rest
            first = _taken(held, other.stream, known)
            if first is not None:
                held[other.stream] = _with(first, _finding(other, mine)), rest

    def _odd(self, rows: Rows) -> list[int]:
        """Remember rows; take those out, and return them, whose numbers another one has, too."""
        isns = rows.batch.isns(rows.which)
        numbers = [each for each in isns if each is not None]
        odd: list[int] = []
        if len(set(numbers)) < len(numbers) or not self._sides.keys().isdisjoint(numbers):
            seen = set(self._sides)
            for at, each in zip(rows.which, isns, strict=True):
                if each in seen:
                    odd.append(at)
                elif each is not None:
                    seen.add(each)
            gone = set(odd)
            rows.which[:] = [at for at in rows.which if at not in gone]
            isns = rows.batch.isns(rows.which)
        for at, each in zip(rows.which[-REMEMBERED:], isns[-REMEMBERED:], strict=True):
            if each is not None:
                self._remember(each, Row(rows.batch, at))
        return odd

    def _remember(self, isns: tuple[int, int], side: _Side | Row) -> None:
        self._sides[isns] = side
        if len(self._sides) > REMEMBERED:
            self._sides.popitem(last=False)


def _size(item: Record | Rows) -> int:
    return len(item.which) if isinstance(item, Rows) else 1


def _taken(
    held: OrderedDict[int, tuple[_Item, _Rest]], stream: int, known: _Side | Row | None
) -> Record | None:
    """Return the record of a connection that is held back; it is taken out of its rows."""
    if stream in held:
        record = held[stream][0]
        assert not isinstance(record, Rows)
        return record
    if isinstance(known, Row):
        for item, _ in held.values():
            if isinstance(item, Rows) and item.batch is known.batch and known.at in item.which:
                item.which.remove(known.at)
                return known.batch.record(known.at)
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
