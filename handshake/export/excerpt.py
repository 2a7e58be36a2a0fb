"""How much of captures an export tells: all of it, or so much as a person can read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from handshake.export.document import of_record
from handshake.survey.follow.step_log import StepLog
from handshake.view.glyphs import UNICODE, Glyphs
from handshake.view.salient import salient

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from handshake.events import Step
    from handshake.export.document import ConnectionDocument
    from handshake.record import Record

    Read = Callable[[Record, int | None], Sequence[Step]]

_READ: Final = 10_000
"""Segments of a connection that are read at most, where it is not told whole."""


class Limits(NamedTuple):
    """How much is told at most; None for no limit."""

    rows: int
    """Connections that are listed."""

    connections: int
    """Connections whose segments are told."""

    segments: int
    """Segments of one connection: its first ones, and its last."""

    in_all: int
    """Segments of all connections together."""

    salient: bool = False
    """Whether the segments are told that say most, instead of the first and the last."""


class StepSource(Protocol):
    """What a connection's steps can be read from."""

    def read_again(self, record: Record, log: StepLog, most: int | None = None) -> None:
        """Give a log the steps of a connection, at most `most`. Raises CaptureError."""
        ...


def steps_from(source: StepSource) -> Read:
    """Return what reads the steps of a connection."""

    def read(record: Record, most: int | None) -> Sequence[Step]:
        log = StepLog(record.stream)
        source.read_again(record, log, most)
        return log.judged()

    return read


def told(
    records: Iterable[Record],
    read: Read,
    limits: Limits | None,
    notes: list[str],
    name: str | None = None,
    glyphs: Glyphs = UNICODE,
) -> Iterator[ConnectionDocument]:
    """Yield connections, told as far as the limits let; the notes say what is left out.

    `read` returns the steps of one, at most so many.

    `name` is the name of the capture, if not that of the records.
    """
    if limits is None:
        for record in records:
            yield of_record(record, read(record, None), name=name, glyphs=glyphs)
        return
    room, listed, silent, cut = limits.in_all, 0, 0, 0
    connections = 0
    for record in records:
        listed += 1
        if listed > limits.rows:
            continue
        steps: Sequence[Step] = ()
        shown: tuple[int, ...] = ()
        if connections < limits.connections and room > 0:
            steps = read(record, _READ)
            most = min(limits.segments, room)
            choose = salient if limits.salient else _ends
            shown = tuple(choose(steps, record, most))
            room -= len(shown)
            connections += 1
        found = of_record(record, steps, shown, name, glyphs)
        silent += not steps
        cut += found.left_out if steps else 0
        yield found

    def note(english: str) -> None:
        notes.append(glyphs.translated(english))

    if cut:
        note(f"{cut:,} segments of long connections are left out.")
    if silent:
        note(f"The segments of {silent:,} connections are left out: choose fewer with --filter.")
    if listed > limits.rows:
        more = listed - limits.rows
        note(f"{more:,} more connections are left out: choose fewer with --filter.")


def _ends(steps: Sequence[Step], record: Record, most: int) -> Iterable[int]:
    """Return the indexes of the first steps and the last; only the first if not all were read."""
    count = len(steps)
    if count <= most:
        return range(count)
    whole = count >= record.client.segments + record.server.segments
    last = most // 5 if whole else 0
    return (*range(most - last), *range(count - last, count))
