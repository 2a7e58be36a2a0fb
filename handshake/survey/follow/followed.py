"""Flows that a tracker follows: it is fed with what was packed and what was not, and tells all."""

from __future__ import annotations

from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Final, TypeAlias

from handshake.survey.follow import runs
from handshake.survey.read.source import Reused
from handshake.survey.read.whereabouts import Whereabouts
from handshake.tracker import PairTracker, learn_connection, summarize

if TYPE_CHECKING:
    from collections.abc import Iterator

    from handshake.diagnosis import Others
    from handshake.packet.decode import Decoder
    from handshake.record import Record
    from handshake.survey.alike.rows import Row, Rows
    from handshake.survey.follow.step_log import StepLog
    from handshake.survey.group.flow import Flow
    from handshake.tcp import Observed
    from handshake.tracker import Connection

    Ended: TypeAlias = tuple[Record | Row | Rows, Connection | None]
    """The record of a connection, and the connection itself where every one is wanted.

    Where records are only counted, rows may stand for it.
    """

_MOST_REUSED: Final = 65536
"""Connections on the sockets of earlier ones that are remembered, so that steps are found soon."""


class Followed:
    """Feeds the trackers of flows, and makes the records of their connections."""

    reused: dict[int, Reused] | None
    """What came before a connection on the same sockets, by its number; None: too many."""

    ready: list[Ended]
    """The records of connections that gave their ports to others."""

    def __init__(
        self,
        decoder: Decoder,
        numbers: Iterator[int],
        buffers: dict[bytes, bytearray],
        *,
        others: Others | None,
        log: StepLog | None,
        every: bool,
        dedup: bool,
    ) -> None:
        """`numbers` are those of new connections; plain frames of `buffers` are packed unseen."""
        self._decoder = decoder
        self._numbers = numbers
        self._buffers = buffers
        self._others = others
        self._log = log
        self._every = every
        self._dedup = dedup
        self.reused = {}
        self.ready = []

    def is_logged(self, number: int) -> bool:
        """Whether the steps of a connection are wanted."""
        return self._log is not None and self._log.stream == number

    def begin(self, flow: Flow) -> PairTracker:
        """Return a tracker for a flow."""
        return PairTracker(numbers=chain((flow.number,), self._numbers), reused=flow.reused)

    def follow(self, flow: Flow, *, in_columns: bool) -> None:
        """Let a tracker follow a flow, from its first segment on: it takes all that is packed."""
        if flow.tracker is None:
            flow.tracker = self.begin(flow)
        if not flow.records:
            return
        # The reader goes on to append to the same buffer.
        records = bytes(flow.records)
        flow.records.clear()
        flow.where = flow.where or Whereabouts()
        flow.where.add_packed(flow.layout, records)
        one = partial(self.feed, flow)
        runs.feed(flow.tracker, one, flow, records, self._decoder, in_columns=in_columns)

    def feed(self, flow: Flow, observed: Observed) -> None:
        """Give the tracker of a flow its next segment."""
        assert flow.tracker is not None
        earlier = flow.tracker.connection
        if self._dedup and flow.tracker.drop_copy(observed):
            return
        step = flow.tracker.feed(observed)
        flow.where = flow.where or Whereabouts()
        flow.where.add(observed.frame or 0)
        if self._log is not None and self._log.stream == step.stream:
            self._log.take(step, earlier, flow.reused)
            self.pack_no_more(flow)
        if earlier is not None and flow.tracker.connection is not earlier:
            # The ports were reused: the earlier connection gets no more segments.
            if self._others is not None:
                learn_connection(self._others, earlier)
            self.ready.append(self.record_of(earlier))
            first = None if earlier.first is None else earlier.first.frame
            self.note_reuse(step.stream, Reused(earlier.number, first))

    def pack_no_more(self, flow: Flow) -> None:
        """Let the tracker have the whole frames: a packed one lacks most of the payload."""
        if not flow.mixed:
            flow.mixed = True
            for each in flow.keys:
                self._buffers.pop(each, None)

    def note_reuse(self, stream: int, before: Reused) -> None:
        """Remember what came before a connection on the same sockets."""
        if self.reused is not None:
            self.reused[stream] = before
            if len(self.reused) > _MOST_REUSED:
                self.reused = None

    def record_of(self, connection: Connection) -> tuple[Record, Connection | None]:
        """Return the record of a connection."""
        return summarize(connection, self._others), connection if self._every else None

    def with_earlier(self, ended: Ended) -> list[Ended]:
        """Return also the earlier connections of a flow, found only once a tracker followed it.

        They must go with the flow's own record, which may come from another process.
        """
        earlier, self.ready = self.ready, []
        return [*earlier, ended]
