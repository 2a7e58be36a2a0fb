"""Times the client's data: where a SYN was retransmitted, that shows how long a round trip is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from handshake.events import Role
from handshake.tcp import Seq

if TYPE_CHECKING:
    from handshake.events.run import Run
    from handshake.tcp import Observed


@dataclass(slots=True)
class RoundTrips:
    """The shortest round trip of the client's data, where the opening alone does not tell it."""

    least: int | None = None
    """In nanoseconds; None while there was none."""

    _end: Seq | None = None
    """The number after the data that is timed."""

    _at: int = 0

    def sent(self, observed: Observed, *, again: bool) -> None:
        """Take a segment of the client into account; `again`: it has old data."""
        if again:
            self._end = None
        elif observed.segment.payload_length and self._end is None:
            self._end, self._at = observed.segment.end, observed.at

    def skip(self, run: Run) -> None:
        """Take a run into account, in which nothing is sent again."""
        for each in run.packed.brief(0, run.count):
            if each.by is Role.CLIENT:
                if each.length and self._end is None:
                    self._end, self._at = Seq(each.seq + each.length), each.at
            elif self._end is not None and self._end <= Seq(each.ack):
                self._took(each.at)

    def _took(self, at: int) -> None:
        took, self._end = at - self._at, None
        if took >= 0 and (self.least is None or took < self.least):
            self.least = took

    def received(self, observed: Observed) -> None:
        """Take a segment of the server into account."""
        ack = observed.segment.ack
        if self._end is None or ack is None or ack < self._end:
            return
        self._took(observed.at)
