"""The two engines, side by side: what each makes of a capture."""

from __future__ import annotations

from typing import TYPE_CHECKING

from handshake.capture.open import read
from handshake.packet.decode import Decoder
from handshake.replayer import replay
from handshake.survey.flow_table import MOST_KEPT, FlowTable
from handshake.tracker import summarize

if TYPE_CHECKING:
    from pathlib import Path

    from handshake.record import Record


def by_survey(path: Path, most_kept: int = MOST_KEPT) -> list[Record]:
    flows = FlowTable(Decoder(), most_kept=most_kept)
    found = [record for record, _ in flows.records(read(path, flows))]
    return sorted(found, key=lambda record: record.stream)


def by_tracker(path: Path) -> list[Record]:
    steps = replay(path)
    for _ in steps:
        pass
    return [summarize(each) for each in steps.tracker.connections]
