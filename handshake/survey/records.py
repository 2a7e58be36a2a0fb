"""The record of each connection of captures, as soon as it has certainly ended."""

from __future__ import annotations

import os
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from handshake.capture.sink import MUCH as COLUMNS_FROM
from handshake.diagnosis import Others
from handshake.errors import CaptureError, UsageError
from handshake.record import nanoseconds, rfc3339
from handshake.survey.across.nat_sides import NatSides
from handshake.survey.alike.rows import RecordRows, Rows, together
from handshake.survey.follow.step_log import StepLog
from handshake.survey.group.flow_table import FlowTable
from handshake.survey.read.again import Again, what_to_read
from handshake.survey.read.paths import capture_files
from handshake.survey.read.reading import Reading
from handshake.survey.read.source import File, Parts, ReadReport, Source
from handshake.survey.spread.parallel import may_fork
from handshake.tcp.copy import put
from handshake.tracker import zeek_records
from handshake.units import NS_PER_SECOND

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from handshake.capture.open import Watch
    from handshake.events import Step
    from handshake.packet.frame import Frame
    from handshake.record import Record
    from handshake.tracker import Connection
    from handshake.tracker.zeek import ZeekRecord

_Made = TypeVar("_Made")
_Map: TypeAlias = "Callable[[Watch], Iterator[_Made | ReadReport]]"
"""Reads one capture."""


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
        jobs: int | None = None,
        scheduler: str | None = None,
        max_unpacked: int | None = None,
        max_connections: int | None = None,
    ) -> None:
        self._scheduler = scheduler
        self._not_found: list[CaptureError] = []
        self.paths = capture_files(paths, self._not_found)
        """The files, each of a folder or pattern by itself."""

        self._merge = merge
        self._dedup = dedup
        self._reorder = reorder
        self._jobs = jobs
        self._most_open = max_connections
        self._sources: list[Source] = []
        folder = ""
        if scheduler is not None:
            from handshake.survey.spread.cluster import check

            check(scheduler)
            # A worker may have another current directory.
            folder = os.getcwd()  # noqa: PTH109
            if "-" in map(str, self.paths):
                raise UsageError("cluster.stdin")
        if not merge:
            self._sources += [
                File(path, reorder=reorder, max_unpacked=max_unpacked, folder=folder)
                for path in self.paths
            ]
        elif self.paths:
            self._sources.append(
                Parts(self.paths, reorder=reorder, max_unpacked=max_unpacked, folder=folder)
            )
        self._report = ReadReport()
        self.stopped = False
        """Whether `stop` was called."""

        self.reading = Reading()
        """How far they were read; `watch` sets it."""

    @property
    def warnings(self) -> list[CaptureError]:
        """What is wrong with files and packets; complete after the last record."""
        return self._report.warnings

    @property
    def errors(self) -> list[CaptureError]:
        """Why some files could not be read at all; complete after the last record."""
        return self._report.errors

    @property
    def read(self) -> list[str]:
        """The names of the captures whose records have all been returned, whole or damaged."""
        return self._report.read

    @property
    def left_out(self) -> int:
        """How many connections were left out, as `max_connections` others were open."""
        return self._report.left_out

    @property
    def in_processes(self) -> bool:
        """Whether files are read in other processes, so that `stop` has an effect."""
        several = self._jobs is not None and len(self._sources) > 1 and may_fork()
        return several or self._scheduler is not None

    def watch(self, tell: Callable[[Reading], None]) -> None:
        """Let `tell` know how far reading has come."""
        self.reading = Reading(tell)

    def stop(self) -> None:
        """Let no more records follow, except those of files that other processes have read."""
        self.stopped = True

    def __iter__(self) -> Iterator[Record]:
        return self.mapped(lambda record: record)

    def mapped(self, make: Callable[[Record], _Made | None]) -> Iterator[_Made]:
        """Yield what `make` makes of each record that is not None, where the record is made."""
        return self._read(lambda record, _: make(record), every=False)

    def counted(self, make: Callable[[Record], _Made]) -> Iterator[_Made | RecordRows]:
        """Yield what `make` makes of each record, in any order; of many alike, rows instead.

        That is faster where records are only counted.
        """
        return self._read(lambda record, _: make(record), every=False, counted=True)

    def with_zeek(self) -> Iterator[tuple[Record, list[ZeekRecord]]]:
        """Yield each record with the connection's rows of Zeek's conn.log."""

        def make(record: Record, connection: Connection | None) -> tuple[Record, list[ZeekRecord]]:
            assert connection is not None
            return record, zeek_records(connection)

        return self._read(make, every=True)

    def _read(
        self,
        make: Callable[[Record, Connection | None], _Made | None],
        *,
        every: bool,
        log: StepLog | None = None,
        counted: bool = False,
    ) -> Iterator[Any]:
        from handshake.packet import decode  # noqa: F401 - once, before there are processes

        self._report = report = ReadReport(errors=list(self._not_found))
        parallel = self.in_processes
        table = partial(
            FlowTable,
            every=every,
            dedup=self._dedup,
            share=not parallel,
            log=log,
            most_open=self._most_open,
            counted=counted and not self._merge,
        )
        work = [partial(_made, each, make, table) for each in self._sources]
        if self._scheduler is not None:
            found = self._on_cluster(self._scheduler, work)
        elif parallel:
            found = self._in_processes(work)
        else:
            found = self._in_this_process(work)
        try:
            for each in found:
                if isinstance(each, ReadReport):
                    report.add(each)
                else:
                    yield each
        finally:
            self.reading.end()
        if not report.read and report.errors:
            raise report.errors.pop()

    def _in_this_process(self, work: Sequence[_Map[_Made]]) -> Iterator[_Made | ReadReport]:
        for at, each in enumerate(work):
            yield from each(self.reading.of(at))
            self.reading.ended()

    def _on_cluster(
        self, scheduler: str, work: Sequence[_Map[_Made]]
    ) -> Iterator[_Made | ReadReport]:
        from handshake.survey.spread.cluster import on_workers

        def go_on() -> bool:
            self.reading.told()
            return not self.stopped

        whole = [partial(_whole, each) for each in work]
        for at, result in on_workers(scheduler, whole, go_on):
            if result is None:
                error = CaptureError("cluster.killed").at(self._sources[at].name)
                yield ReadReport(errors=[error])
                continue
            found, octets, packets = result
            self.reading.of(at)(octets, packets)
            self.reading.ended()
            yield from found

    def _in_processes(self, work: Sequence[_Map[_Made]]) -> Iterator[_Made | ReadReport]:
        from handshake.survey.spread.workers import Died, Workers

        paths = self.paths
        if any(_is_large(each) for each in paths):
            # Once, before there are processes.
            import sortedcontainers  # noqa: F401

            from handshake.survey.alike import models  # noqa: F401
            from handshake.survey.decode import chunk_items  # noqa: F401
            from handshake.survey.follow import run_columns  # noqa: F401
            from handshake.survey.group import waiting  # noqa: F401
        workers = Workers(
            lambda at, watch: work[at](watch),
            len(paths),
            self._jobs or 1,
            may_repeat=lambda at: not _is_read_once(paths[at]),
        )

        def go_on() -> bool:
            self.reading.files = workers.ended
            self.reading.told()
            return not self.stopped

        for at, found in workers.results(self.reading.of, go_on):
            if not isinstance(found, Died):
                yield found
                continue
            code = "list.process-again" if found.again else "list.process-died"
            error = CaptureError(code, signal=found.signal).at(str(paths[at]))
            if found.again:
                yield ReadReport(warnings=[error])
            else:
                yield ReadReport(errors=[error])
        self.reading.files = workers.ended

    def follow(self, log: StepLog) -> None:
        """Read the only capture until the record of the log's connection is known.

        Its steps go to the log as they are read; where there is no such connection, there are none.
        """
        try:
            for record in self._read(lambda record, _: record, every=False, log=log):
                self.reading.told()
                log.connections += 1
                if record.stream == log.stream:
                    log.end(record)
                    return
        finally:
            log.ended = True

    def steps(self, record: Record, most: int | None = None) -> list[Step]:
        """Return the steps of one connection, at most `most`.

        They are read from their places in the file, if all of it was read before. Raises
        CaptureError if the file cannot be read again, or has changed.
        """
        log = StepLog(record.stream)
        self.read_again(record, log, most)
        return log.judged()

    def read_again(
        self,
        record: Record,
        log: StepLog,
        most: int | None = None,
        watch: Watch = lambda *_: None,
    ) -> None:
        """Give a log the steps of a connection whose record is known, as `steps` returns them."""
        paths = [self.paths] if self._merge else [[path] for path in self.paths]
        for files, source in zip(paths, self._sources, strict=True):
            if not self._merge and source.name != record.capture:
                continue
            if any(_is_read_once(each) for each in files):
                raise CaptureError("list.read-once").at(record.capture or "")
            report = ReadReport()
            again, frames = self._again(source, record, report, watch)
            found = again.steps(frames, dedup=self._dedup, ordered=not self._reorder)
            for step, earlier in islice(found, most):
                log.take(step, earlier, again.reused)
            if log.steps and rfc3339(log.steps[0].observed.at) == record.start:
                return
            if report.errors:
                raise report.errors[-1]
        raise CaptureError("list.changed").at(record.capture or "")

    def _again(
        self, source: Source, record: Record, report: ReadReport, watch: Watch
    ) -> tuple[Again, Iterator[Frame]]:
        """Return what to read for the steps of a connection, and frames with it."""
        known = self._report
        places = [each for each in known.places if self._merge or each.name == source.name]
        if self._reorder or not places:
            return Again(record, 1), source.frames(report, watch=watch)
        again = what_to_read(source, record, known)
        return again, source.some(again.frames, places, watch)


def records(
    *paths: str | Path,
    merge: bool = False,
    dedup: bool = False,
    reorder: bool = False,
    jobs: int | None = None,
    scheduler: str | None = None,
    max_unpacked: int | None = None,
    max_connections: int | None = None,
) -> Records:
    """Return the records of the captures at `paths`; `-` is standard input.

    A path may be a folder, which is searched, or a pattern such as `day/**/*.pcap`. With `jobs` so
    many files are read at a time, each in a process forked from this one, with the same result;
    with `scheduler`, the address of a Dask scheduler (`tcp://HOST:PORT`), by the workers of that
    cluster, which must be able to read the paths. A path may also be a URL, which fsspec opens. A
    compressed capture ends where it unpacks to more than `max_unpacked` octets, by default 100
    times its size, and 64 MiB at least.

    At most `max_connections` of a capture are open at a time; what comes in a flood of more is only
    counted (`Records.left_out`, and a warning). Without it there is no limit.

    With `merge` the files are the parts of one capture, in which connections may go on from one
    file to the next. With `dedup` packets that were captured before are dropped; with `reorder`
    the packets are sorted by time, for which all must be read first. Iterating raises CaptureError
    where no file could be read, and LocalError where the cluster is not to be reached.
    """
    return Records(
        paths,
        merge=merge,
        dedup=dedup,
        reorder=reorder,
        jobs=jobs,
        scheduler=scheduler,
        max_unpacked=max_unpacked,
        max_connections=max_connections,
    )


def _made(
    source: Source,
    make: Callable[[Record, Connection | None], _Made | None],
    table: Callable[..., FlowTable],
    watch: Watch,
) -> Iterator[_Made | RecordRows | ReadReport]:
    """Yield what `make` makes of each record of a capture, then what is to be said of it.

    Of rows, in which many connections are counted, it makes nothing: they are yielded.
    """
    found = ReadReport()
    try:
        for record, connection in _records(source, table, found, watch):
            if isinstance(record, RecordRows):
                yield record
                continue
            made = make(record, connection)
            if made is not None:
                yield made
    except MemoryError:
        found.errors.append(CaptureError("list.memory").at(source.name))
    yield found


def _whole(work: _Map[_Made]) -> tuple[list[_Made | ReadReport], int, int]:
    """Return all that `work` yields, and how many octets and packets were read."""
    reading = Reading()
    return list(work(reading.of(0))), reading.octets, reading.packets


def _records(
    source: Source, table: Callable[..., FlowTable], report: ReadReport, watch: Watch
) -> Iterator[tuple[Record | RecordRows, Connection | None]]:
    from handshake.packet.decode import Decoder

    decoder, before, found = Decoder(), len(report.read), False
    copies = back = 0
    sides = NatSides()
    flows = table(decoder, others=Others())
    ended = together(flows.items(source.frames(report, flows, watch)))
    for each, connection in sides.paired(ended, lambda: flows.whole):
        found = True
        if isinstance(each, Rows):
            if not each.which:
                continue  # all have records of their own
            rows = each.batch.rows(each.which)
            rows.capture = source.name
            yield rows, None
            continue
        at = nanoseconds(each.start) - (flows.begin or 0)
        place = source.file_of(each.frames[0])
        put(each, capture=place, time=at / NS_PER_SECOND)
        yield each, connection
        copies += each.client.copies + each.server.copies
        back += any(one.code == "clock-step" for one in each.findings)
    warnings = decoder.warnings
    if copies:
        warnings.append(CaptureError("copies", count=copies, dropped=flows.dedup))
    if back:
        warnings.append(CaptureError("list.clock-steps", count=back))
    if len(report.read) > before and not found:
        warnings.append(CaptureError("list.no-tcp"))
    if flows.late:
        seconds = flows.waited // NS_PER_SECOND
        warnings.append(
            CaptureError("list.late", count=flows.late, seconds=seconds, one=flows.late == 1)
        )
    if flows.left_out:
        count = flows.left_out
        report.left_out += count
        warnings.append(
            CaptureError("list.left-out", count=count, most=flows.most_open, one=count == 1)
        )
    if flows.reused is None:
        # Too many to know what each depends on.
        report.places.clear()
    else:
        name = source.name
        report.reused.update(((name, each), flows.reused[each]) for each in flows.reused)
        report.where.update(((name, each), flows.where[each]) for each in flows.where)
    report.warnings += [each.at(source.name) for each in warnings]


def _is_read_once(path: str | Path) -> bool:
    """Whether `path` can be read only once: a pipe, standard input."""
    return str(path) == "-" or (Path(path).exists() and not Path(path).is_file())


def _is_large(path: str | Path) -> bool:
    """Whether `path` is a file that is read in columns."""
    return Path(path).is_file() and Path(path).stat().st_size >= COLUMNS_FROM
