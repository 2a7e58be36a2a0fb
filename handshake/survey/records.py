"""The record of each connection of captures, as soon as it has certainly ended."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from handshake.diagnosis import Others
from handshake.errors import CaptureError
from handshake.survey.flow_table import FlowTable
from handshake.survey.nat_sides import NatSides
from handshake.survey.source import File, Parts, ReadReport, Source
from handshake.tcp import Endpoint, Observed
from handshake.tcp.address import ip_address
from handshake.tcp.copy import changed
from handshake.tracker import PairTracker, zeek_records
from handshake.units import NS_PER_SECOND

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from handshake.events import Judgment, Step
    from handshake.record import Record
    from handshake.tracker import Connection
    from handshake.tracker.zeek import ZeekRecord


class Records:
    """The records of captures, built lazily.

    They come in the order of `stream`, except those of connections that ended long before the
    capture does: they come as soon as that is certain, also while the file still grows.
    """

    def __init__(
        self,
        paths: Iterable[str | Path],
        *,
        merge: bool = False,
        dedup: bool = False,
        reorder: bool = False,
    ) -> None:
        self._paths = list(paths)
        self._merge = merge
        self._dedup = dedup
        self._reorder = reorder
        self._sources: list[Source] = (
            [Parts(self._paths, reorder=reorder)]
            if merge
            else [File(path, reorder=reorder) for path in self._paths]
        )
        self._report = ReadReport()

    @property
    def warnings(self) -> list[CaptureError]:
        """What is wrong with files and packets; complete after the last record."""
        return self._report.warnings

    @property
    def errors(self) -> list[CaptureError]:
        """Why some files could not be read at all; complete after the last record."""
        return self._report.errors

    def __iter__(self) -> Iterator[Record]:
        for record, _ in self._read(every=False):
            yield record

    def with_zeek(self) -> Iterator[tuple[Record, list[ZeekRecord]]]:
        """Yield each record with the connection's rows of Zeek's conn.log."""
        for record, connection in self._read(every=True):
            assert connection is not None
            yield record, zeek_records(connection)

    def _read(self, *, every: bool) -> Iterator[tuple[Record, Connection | None]]:
        self._report = ReadReport()
        for source in self._sources:
            yield from _records(source, self._report, every=every, dedup=self._dedup)
        if not self._report.readable and self._report.errors:
            raise self._report.errors.pop()

    def steps(self, record: Record, most: int | None = None) -> list[Step]:
        """Return the steps of one connection, at most `most`; this reads its file again.

        Raises CaptureError if the file cannot be read again, or has changed.
        """
        paths = [self._paths] if self._merge else [[path] for path in self._paths]
        for files, source in zip(paths, self._sources, strict=True):
            if not self._merge and source.name != record.capture:
                continue
            if any(_is_read_once(each) for each in files):
                raise CaptureError("list.read-once").at(record.capture or "")
            report = ReadReport()
            seen: list[Observed] = []
            found = _steps(source, record, report, seen, dedup=self._dedup, stop=not self._reorder)
            if steps := _judged(list(islice(found, most)), seen):
                return steps
            if report.errors:
                raise report.errors[-1]
        raise CaptureError("list.changed").at(record.capture or "")


def records(
    *paths: str | Path, merge: bool = False, dedup: bool = False, reorder: bool = False
) -> Records:
    """Return the records of the captures at `paths`; `-` is standard input.

    With `merge` the files are the parts of one capture, in which connections may go on from one
    file to the next. With `dedup` packets that were captured before are dropped; with `reorder`
    the packets are sorted by time, for which all must be read first. Iterating raises CaptureError
    where no file could be read.
    """
    return Records(paths, merge=merge, dedup=dedup, reorder=reorder)


def _records(
    source: Source, report: ReadReport, *, every: bool, dedup: bool
) -> Iterator[tuple[Record, Connection | None]]:
    from handshake.packet.decode import Decoder

    decoder, readable, found = Decoder(), report.readable, False
    copies = back = 0
    sides = NatSides()
    flows = FlowTable(decoder, every=every, dedup=dedup, others=Others())
    ended = flows.records(source.frames(report, flows))
    for each, connection in sides.paired(ended, lambda: flows.whole):
        record = changed(each, capture=source.file_of(each.frames[0]))
        yield record, connection
        found = True
        copies += record.client.copies + record.server.copies
        back += any(one.code == "clock-step" for one in record.findings)
    warnings = decoder.warnings
    if copies:
        warnings.append(CaptureError("copies", count=copies, dropped=dedup))
    if back:
        warnings.append(CaptureError("list.clock-steps", count=back))
    if report.readable > readable and not found:
        warnings.append(CaptureError("list.no-tcp"))
    if flows.late:
        seconds = flows.waited // NS_PER_SECOND
        warnings.append(
            CaptureError("list.late", count=flows.late, seconds=seconds, one=flows.late == 1)
        )
    report.warnings += [each.at(source.name) for each in warnings]


def _is_read_once(path: str | Path) -> bool:
    """Whether `path` can be read only once: a pipe, standard input."""
    return str(path) == "-" or (Path(path).exists() and not Path(path).is_file())


def _judged(first: list[Step], seen: Iterable[Observed]) -> list[Step]:
    """Return the steps of a connection as they were, by what the segments after them tell.

    `first` is how they looked, and `seen` are all segments of the socket pair until its last.
    """
    from handshake.tracker.fate import FateJudge

    if not first:
        return []
    judgments: list[Judgment] = []
    judge = FateJudge(judgments)
    for step in first:
        judge.observe(step)
    judge.finish()
    frames = {step.observed.frame: each for step, each in zip(first, judgments, strict=True)}
    tracker = PairTracker(observers=())
    steps = [tracker.feed(each, frames.get(each.frame)) for each in seen]
    return [step for step in steps if step.observed.frame in frames]


def _steps(
    source: Source,
    record: Record,
    report: ReadReport,
    seen: list[Observed],
    *,
    dedup: bool,
    stop: bool,
) -> Iterator[Step]:
    """Yield the steps of a connection; `stop`: the frames come in the order of their numbers.

    All segments of its socket pair so far are added to `seen`.
    """
    from handshake.packet.decode import Decoder

    client, server = (
        Endpoint(ip_address(end.address), end.port) for end in (record.client, record.server)
    )
    # A search for the addresses' octets is far cheaper than decoding every frame.
    wanted = client.address.packed, server.address.packed
    decoder, tracker = Decoder(), PairTracker(observers=())
    begin, end = record.frames
    for frame in source.frames(report):
        if stop and end is not None and frame.number > end:
            return
        octets = bytes(frame.data)
        if not all(each in octets for each in wanted):
            continue
        observed = decoder.observed(frame)
        if not isinstance(observed, Observed):
            continue
        if {observed.segment.source, observed.segment.destination} != {client, server}:
            continue
        if dedup and tracker.drop_copy(observed):
            continue
        # Earlier connections of the socket pair count too: their state is inherited.
        seen.append(observed)
        step = tracker.feed(observed)
        assert tracker.connection is not None
        first = tracker.connection.first
        if first is None or first.frame != begin:
            continue
        yield step
