"""The two engines, side by side: what each makes of a capture."""

from __future__ import annotations

from typing import TYPE_CHECKING

from handshake.replay import replay
from handshake.survey.flows import MOST_KEPT, Flows
from handshake.tracker import summarize
from handshake.wire.capture import read
from handshake.wire.decode import Decoder

if TYPE_CHECKING:
    from pathlib import Path

    from handshake.record import Record


def by_survey(path: Path, most_kept: int = MOST_KEPT) -> list[Record]:
    flows = Flows(Decoder(), most_kept=most_kept)
    found = [record for record, _ in flows.records(read(path, flows.taken))]
    return sorted(found, key=lambda record: record.stream)


def by_tracker(path: Path) -> list[Record]:
    steps = replay(path)
    for _ in steps:
        pass
    return [summarize(each) for each in steps.tracker.connections]
