"""The two engines, side by side: what each makes of a capture."""

from __future__ import annotations

from typing import TYPE_CHECKING

from handshake.capture.open import read
from handshake.packet.decode import Decoder
from handshake.replayer import replay
from handshake.survey.group.flow_table import MOST_KEPT, FlowTable
from handshake.tracker import summarize, zeek_records

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path
    from typing import TypeAlias

    from handshake.record import Record
    from handshake.tracker import Connection
    from handshake.tracker.zeek import ZeekRecord

    Shown: TypeAlias = tuple[list[Record], list[ZeekRecord]]


def by_survey(path: Path, most_kept: int = MOST_KEPT) -> list[Record]:
    flows = FlowTable(Decoder(), most_kept=most_kept, columns_from=0)
    found = [record for record, _ in flows.records(read(path, flows))]
    return sorted(found, key=lambda record: record.stream)


def by_tracker(path: Path) -> list[Record]:
    steps = replay(path)
    for _ in steps:
        pass
    return [summarize(each) for each in steps.tracker.connections]


def shown_in_runs(path: Path, most_kept: int = MOST_KEPT) -> Shown:
    """Return what `list` shows where a tracker follows every connection, runs taken at once."""
    flows = FlowTable(Decoder(), most_kept=most_kept, every=True, columns_from=0)
    found = (connection for _, connection in flows.records(read(path, flows)))
    return _shown(each for each in found if each is not None)


def shown_step_by_step(path: Path) -> Shown:
    """Return the same, each segment by itself."""
    steps = replay(path)
    for _ in steps:
        pass
    return _shown(steps.tracker.connections)


def _shown(connections: Iterable[Connection]) -> Shown:
    ordered = sorted(connections, key=lambda each: each.number)
    rows = [row for each in ordered for row in zeek_records(each)]
    return [summarize(each) for each in ordered], rows
