"""The steps of a probe once it is over: later segments tell what became of earlier ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from handshake.tracker import Tracker
from handshake.tracker.fate import FateJudge

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from handshake.events import Judgment, Step
    from handshake.prober.result import Result


def steps_of(result: Result) -> list[Step]:
    """Return the steps of its segments, with their fates and the states that the ends had."""
    judgments: list[Judgment] = []
    judges: dict[int, FateJudge] = {}
    # A stray SYN begins another connection.
    for step in _steps(result):
        judges.setdefault(step.stream, FateJudge(judgments)).observe(step)
    for judge in judges.values():
        judge.finish()
    return list(_steps(result, judgments))


def _steps(result: Result, judgments: Sequence[Judgment] = ()) -> Iterator[Step]:
    # We are the client, whatever the first segment is.
    first = next(iter(result.segments), None)
    ours = first.segment.source if first is not None and first.outgoing else None
    tracker = Tracker(client=ours, observers=())
    errors = sorted(result.errors, key=lambda each: each.at, reverse=True)
    known = iter(judgments)
    for each in result.segments:
        while errors and errors[-1].at < each.at:
            tracker.quoted(errors.pop())
        yield tracker.feed(each, next(known, None))
