"""A record for each connection of captures, as soon as it is sure that it is over."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Final

from handshake.errors import CaptureError
from handshake.survey.source import File, Parts, Report, Source
from handshake.tcp import Endpoint, Observed
from handshake.tracker import Tracker, summarize, zeek_records

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from handshake.events import Step
    from handshake.record import Record
    from handshake.tracker import Connection
    from handshake.tracker.zeek import ZeekRecord
    from handshake.wire.decode import Decoder

QUIET: Final = 120 * 10**9
"""Nanoseconds after its last segment in which more may come of a connection that is over.

Linux never waits longer than this before it retransmits (TCP_RTO_MAX).
"""


class Records:
    """The records of captures, made as they are asked for.

    In the order of `stream`, but for those that were over long before their capture ends:
    they come as soon as that is sure, so that a capture still being written shows them.
    """

    def __init__(self, paths: Iterable[str | Path], *, merge: bool = False) -> None:
        self._paths = list(paths)
        self._merge = merge
        self._sources: list[Source] = (
            [Parts(self._paths)] if merge else [File(path) for path in self._paths]
        )
        self._report = Report()

    @property
    def warnings(self) -> list[str]:
        """What was wrong with files and packets, a line each; whole after the last record."""
        return self._report.warnings

    @property
    def errors(self) -> list[CaptureError]:
        """Why some files could not be read at all; whole after the last record."""
        return self._report.errors

    def __iter__(self) -> Iterator[Record]:
        for record, _ in self._read():
            yield record

    def with_zeek(self) -> Iterator[tuple[Record, list[ZeekRecord]]]:
        """Yield each record with what Zeek's conn.log says of the connection: rows of it."""
        for record, connection in self._read():
            yield record, zeek_records(connection)

    def _read(self) -> Iterator[tuple[Record, Connection]]:
        self._report = Report()
        for source in self._sources:
            yield from _records(source, self._report)
        if not self._report.readable and self._report.errors:
            raise self._report.errors.pop()

    def steps(self, record: Record, most: int | None = None) -> list[Step]:
        """Return the steps of one connection, or the first of them: its file is read again.

        Raises CaptureError where the file is none that can be read twice.
        """
        for path, source in zip(self._paths, self._sources, strict=False):
            if not self._merge and source.name != record.capture:
                continue
            if not all(Path(each).is_file() for each in (self._paths if self._merge else [path])):
                raise CaptureError(f"{record.capture}: it cannot be read twice: save it in a file")
            found = list(_steps(source, record, most))
            if found:
                return found
        raise CaptureError(f"{record.capture}: it has changed: read it again")


def records(*paths: str | Path, merge: bool = False) -> Records:
    """Return the records of the captures at `paths`; `-` is standard input.

    With `merge` the files are the parts of one capture, in which connections may go on from
    one file to the next. Iterating raises CaptureError where no file could be read.
    """
    return Records(paths, merge=merge)


def _records(source: Source, report: Report) -> Iterator[tuple[Record, Connection]]:
    from handshake.wire.decode import Decoder

    decoder, readable, found = Decoder(), report.readable, False
    for connection in _ended(source, report, decoder):
        record = summarize(connection)
        yield replace(record, capture=source.file_of(record.frames[0])), connection
        found = True
    report.warnings += [f"{source.name}: {each}" for each in decoder.warnings]
    if report.readable > readable and not found:
        report.warnings.append(f"{source.name} has no TCP segment")


def _ended(source: Source, report: Report, decoder: Decoder) -> Iterator[Connection]:
    """Yield connections that are over and have been quiet; at the end, all the others."""
    tracker = Tracker()
    over: dict[int, Connection] = {}
    """By stream, in the order of their last segments."""

    yielded: set[int] = set()
    late = 0
    for frame in source.frames(report):
        seen = decoder.observed(frame)
        if not isinstance(seen, Observed):
            if seen is not None:
                tracker.quoted(seen)
            continue
        step = tracker.feed(seen)
        connection = tracker.connections[step.stream]
        late += step.stream in yielded
        if _is_over(connection) and step.stream not in yielded:
            over.pop(step.stream, None)
            over[step.stream] = connection
        for stream in _quiet(over, frame.time):
            yielded.add(stream)
            yield over.pop(stream)
    yield from (each for each in tracker.connections if each.number not in yielded)
    if late:
        what = "1 segment" if late == 1 else f"{late} segments"
        whose = ("its connection", "it is") if late == 1 else ("their connections", "they are")
        report.warnings.append(
            f"{source.name}: {what} came more than {QUIET // 10**9} s after the end of "
            f"{whose[0]}: {whose[1]} in no record"
        )


def _is_over(connection: Connection) -> bool:
    return connection.closed or connection.reset_by is not None or connection.refused is not None


def _quiet(over: dict[int, Connection], now: int) -> list[int]:
    found = []
    for stream, connection in over.items():
        if connection.last is None or now - connection.last.at <= QUIET:
            break
        found.append(stream)
    return found


def _steps(source: Source, record: Record, most: int | None) -> Iterator[Step]:
    from handshake.wire.decode import Decoder

    client, server = (
        Endpoint(ip_address(end.address), end.port) for end in (record.client, record.server)
    )
    # Looking for the addresses' octets is far cheaper than decoding every frame.
    wanted = client.address.packed, server.address.packed
    decoder, tracker, left = Decoder(), Tracker(), most
    begin, end = record.frames
    for frame in source.frames(Report()):
        if end is not None and frame.number > end:
            return
        octets = bytes(frame.data)
        if not all(each in octets for each in wanted):
            continue
        observed = decoder.observed(frame)
        if not isinstance(observed, Observed):
            continue
        if {observed.segment.source, observed.segment.destination} != {client, server}:
            continue
        # Earlier connections of the same ends count too: what they left behind is inherited.
        step = tracker.feed(observed)
        first = tracker.connections[step.stream].first
        if first is None or first.frame != begin:
            continue
        yield step
        left = None if left is None else left - 1
        if left == 0:
            return
