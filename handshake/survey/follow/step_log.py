"""The steps of one connection, collected while its capture is read."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

from handshake.tcp.copy import changed
from handshake.tracker import PairTracker, summarize
from handshake.tracker.fate import FateJudge

if TYPE_CHECKING:
    from collections.abc import Sequence

    from handshake.events import Judgment, Step
    from handshake.record import Record
    from handshake.tracker import Connection


class StepLog:
    """The steps of one connection, collected while its capture is read.

    They can be looked at meanwhile, also by another thread. Until the capture has shown what became
    of each segment, a step is as it looked when its segment was captured.
    """

    def __init__(self, stream: int) -> None:
        self.stream = stream
        """The connection's number."""

        self.steps: list[Step] = []
        """Its steps so far."""

        self.record: Record | None = None
        """Its record, once that is known."""

        self.ended = False
        """Whether no more steps follow, and these will not change."""

        self.more = False
        """Whether segments after these are left out, as there are many."""

        self.connections = 0
        """How many connections of the capture are known to be over."""

        self._sketch: Record | None = None
        self._earlier: Connection | None = None
        self._reused: int | None = None

    def take(self, step: Step, earlier: Connection | None, reused: int | None) -> None:
        """Add a step. With the first: the connection of this socket pair before this one.

        `reused` is its number, where nothing else is known.
        """
        if not self.steps:
            self._earlier, self._reused = earlier, reused
            tracker = self._tracker()
            tracker.feed(step.observed)
            assert tracker.connection is not None
            self._sketch = summarize(tracker.connection)
        self.steps.append(step)

    def end(self, record: Record | None) -> None:
        """Let all segments be known; take their fates into account, and the record."""
        self.steps = self.judged()
        self.record = record
        self.ended = True

    def now(self) -> tuple[Record, Sequence[Step]]:
        """Return the steps so far, with what is known of the record: the ends and the frames."""
        steps = self.steps[:]
        if self.record is not None:
            return self.record, steps
        assert self._sketch is not None
        frames = self._sketch.frames[0], steps[-1].observed.frame
        return changed(self._sketch, frames=frames), steps

    def judged(self) -> list[Step]:
        """Return the steps as they were, by what the segments after them tell."""
        if not self.steps:
            return []
        judgments: list[Judgment] = []
        judge = FateJudge(judgments)
        for step in self.steps:
            judge.observe(step)
        judge.finish()
        tracker = self._tracker()
        return [
            tracker.feed(step.observed, judgment)
            for step, judgment in zip(self.steps, judgments, strict=True)
        ]

    def _tracker(self) -> PairTracker:
        """Return a tracker that knows what came before the connection."""
        tracker = PairTracker(observers=(), numbers=count(self.stream), reused=self._reused)
        tracker.connection = self._earlier
        return tracker
