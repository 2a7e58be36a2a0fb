"""The flow table of a capture without an end: records of some flows while more frames come."""

from __future__ import annotations

from typing import TYPE_CHECKING

from handshake.survey.alike.rows import Row, only_records
from handshake.survey.group.flow_table import QUIET, FlowTable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from handshake.packet.frame import Frame
    from handshake.record import Record
    from handshake.survey.group.flow import Flow


class LiveFlows(FlowTable):
    """The connections that are being watched."""

    def add(self, frame: Frame) -> tuple[bytes, int]:
        """Take the next frame.

        Return key and control bits of its segment: no octets and 0 where it has none.
        """
        if self.begin is None:
            self.begin = frame.time
        found = self._take(frame)
        self._time = max(self._time, frame.time)
        if self._may_keep(frame.number) > self._room:
            self._followed.ready += list(self._make_room(frame))
        if self._is_crowded:
            self._followed.ready += list(self._make_places(frame.number))
        return found

    def flows(self, keys: Iterable[bytes]) -> list[Flow]:
        """Return the flows of these keys, each once, as far as they are known."""
        found = {id(flow): flow for key in keys if (flow := self._known(key)) is not None}
        return list(found.values())

    def so_far(self, flows: list[Flow]) -> Iterator[tuple[Flow, Record]]:
        """Yield flows with the records of what was captured of them so far."""
        self._learn(flows)

        def work(flow: Flow, known: Record | Row | None) -> Record:
            assert not isinstance(known, Row)
            return self._ended(flow)[0] if known is None else known

        yield from self._results.of(work, flows, self._octets_of(flows))

    def drop(self, flow: Flow) -> None:
        """Forget a flow, unless that has happened."""
        if self._flows.get(flow.keys[0]) is flow:
            self._drop(flow)

    def ready(self) -> list[Record]:
        """Return the records of what gave its place or its ports to others, once."""
        found, self._followed.ready = self._followed.ready, []
        return [record for record, _ in only_records(found)]

    def quiet(self) -> list[Record]:
        """Return the records of what has ended long ago, and forget it."""
        return [record for record, _ in only_records(self._release(QUIET))]

    def all(self) -> list[Flow]:
        """Return all flows."""
        return sorted(self._all(), key=lambda flow: flow.last_number)
