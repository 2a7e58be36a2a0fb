"""Follows all connections of a capture, the ordinary ones in bulk and the others step by step."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Final, TypeAlias, TypeVar

from handshake.packet import packed_frames
from handshake.survey import build_record, fast_path
from handshake.survey.flow import Flow, is_over, key_of, other_way, was_given_up
from handshake.survey.handshake_cache import HandshakeCache
from handshake.survey.parallel import in_halves
from handshake.tcp import Observed
from handshake.tracker import Tracker, summarize
from handshake.units import ACK_BIT, NS_PER_SECOND, SYN_BIT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from handshake.packet.decode import Decoder
    from handshake.packet.frame import Frame
    from handshake.packet.packed_frames import FrameLayout, Taken
    from handshake.record import Record
    from handshake.survey.fast_path import Gist
    from handshake.survey.handshake_cache import Start
    from handshake.tcp.icmp import IcmpError
    from handshake.tracker import Connection

    _Ended: TypeAlias = tuple[Record, Connection | None]

_Result = TypeVar("_Result")

QUIET: Final = 120 * NS_PER_SECOND
"""Nanoseconds after its last segment in which more may come of a connection that is over.

Linux never waits longer than this before it retransmits (TCP_RTO_MAX).
"""

MOST_KEPT: Final = 64 << 20
"""Octets of frames that are kept; beyond that the largest flows are followed step by step."""

_MUCH: Final = 50_000 * packed_frames.V4.record.size
"""Octets of kept frames from which a second process pays."""

_LOOK: Final = 30 * NS_PER_SECOND
"""So often, by the capture's clock, connections are looked for that are over."""

_REMEMBERED: Final = 16384
"""Flows whose end is remembered after they were dropped: so what comes late is known as such."""

_V4_KEY: Final = 12
_SOON: Final = NS_PER_SECOND
"""Nanoseconds of quiet after which a connection that is over is forgotten if room is short."""


class FlowTable:
    """The connections of one capture."""

    late: int
    """How many segments came after the record of their connection had been given."""

    waited: int
    """Nanoseconds of quiet after which a connection was taken for over, at the least."""

    def __init__(
        self, decoder: Decoder, *, most_kept: int = MOST_KEPT, every: bool = False
    ) -> None:
        """With `every` the tracker follows every flow, and gives its connections to who asks."""
        self.taken: Taken = {}
        """Where plain frames of known flows may be put without asking."""

        self._decoder = decoder
        self._every = every
        self._starts = HandshakeCache(decoder)
        self._flows: dict[bytes, Flow] = {}
        """By addresses and ports, as either direction has them."""

        self._numbers = count()
        self._ready: list[_Ended] = []
        self._gone: dict[bytes, int] = {}
        """The last number of flows that were forgotten."""

        self._most_kept = most_kept
        self._kept = self._counted = 0
        """How many octets were kept when they were last counted, and at which frame."""

        self.late = 0
        self.waited = QUIET

    def records(self, frames: Iterable[Frame]) -> Iterator[_Ended]:
        """Yield a record for each connection, and the connection where the tracker followed it.

        That is in the order of their numbers, but for those that were over and quiet for long.
        """
        look_at = 0
        for frame in frames:
            self._take(frame)
            if frame.time >= look_at:
                look_at = frame.time + _LOOK
                yield from self._release(frame.time, QUIET)
            if self._may_keep(frame.number) > self._most_kept:
                yield from self._make_room(frame)
            if self._ready:
                yield from self._ready
                self._ready.clear()
        flows = sorted(self._all(), key=lambda flow: flow.last_number)
        for ended in self._shared(lambda flow: self._with_earlier(self._ended(flow)), flows):
            yield from ended

    def _take(self, frame: Frame) -> None:
        """Keep a frame of the plain kind, or let the tracker have it."""
        found = packed_frames.plain(frame)
        if found is None:
            self._decode(frame)
            return
        layout, key, end, bits = found
        opens = bits & (SYN_BIT | ACK_BIT) == SYN_BIT
        flow = self._flows.get(key) or self._new(key, layout, opens=opens)
        if flow is None:
            self.late += 1
            return
        if flow.tracker is None and flow.reused is None and not (opens and flow.is_other(frame)):
            flow.records += packed_frames.pack(layout, frame, end)
        else:
            self._decode(frame)

    def _may_keep(self, number: int) -> int:
        """Return how many octets are kept at most after the frame of this number."""
        return self._kept + (number - self._counted) * packed_frames.V6.record.size

    def _new(self, key: bytes, layout: FrameLayout, *, opens: bool) -> Flow | None:
        """Return the flow of a key that is not known, or no longer.

        None where it is over, and this is no SYN that `opens` another connection.
        """
        if key in self._gone and not opens:
            return None
        flow = Flow(next(self._numbers), (key, other_way(key)), layout)
        flow.reused = self._gone.pop(key, None)
        self._gone.pop(flow.keys[1], None)
        if self._every:
            flow.tracker = Tracker()
        for each in flow.keys:
            self._flows[each] = flow
            if flow.tracker is None and flow.reused is None and layout is packed_frames.V4:
                self.taken[each] = flow.records
        return flow

    def _decode(self, frame: Frame) -> None:
        """Take a frame of any kind, step by step."""
        found = self._decoder.observed(frame)
        if found is None:
            return
        if isinstance(found, Observed):
            seg = found.segment
            key = key_of(seg.source, seg.destination)
            layout = packed_frames.V4 if len(key) == _V4_KEY else packed_frames.V6
            opens = seg.syn and seg.ack is None
            flow = self._flows.get(key) or self._new(key, layout, opens=opens)
            if flow is None:
                self.late += 1
                return
            self._follow(flow)
            self._feed(flow, found)
            return
        flow = self._flows.get(key_of(found.source, found.destination))
        if flow is not None:
            self._quoted(flow, found)

    def _follow(self, flow: Flow) -> None:
        """Have the tracker follow a flow from its first segment on."""
        if flow.tracker is not None:
            return
        flow.tracker = Tracker()
        records, flow.records = flow.records, bytearray()
        for key in flow.keys:
            self.taken.pop(key, None)
        for observed in packed_frames.observed(flow.layout, records, self._decoder):
            self._feed(flow, observed)

    def _feed(self, flow: Flow, observed: Observed) -> None:
        assert flow.tracker is not None
        seg = observed.segment
        if flow.reused is not None and flow.connection is None:
            for pair in ((seg.source, seg.destination), (seg.destination, seg.source)):
                flow.tracker.forgotten[pair] = flow.reused
        connection = flow.tracker.connection_of(seg)
        if connection is not flow.connection:
            if flow.connection is None:
                connection.number = flow.number
            else:
                # The ports are used again: nothing more can come of what was there before.
                connection.number = next(self._numbers)
                self._ready.append(self._told(flow.connection))
            flow.tracker.connections.clear()
            flow.connection = connection
        connection.feed(observed)

    def _quoted(self, flow: Flow, error: IcmpError) -> None:
        self._follow(flow)
        assert flow.tracker is not None
        flow.tracker.quoted(error)

    def _all(self) -> Iterator[Flow]:
        return (flow for key, flow in list(self._flows.items()) if key is flow.keys[0])

    def _ended(self, flow: Flow) -> _Ended:
        """Return the record of a flow as far as it has been seen."""
        if flow.tracker is None:
            summary = self._gist(flow)
            if summary is not None:
                return build_record.record(flow.number, *summary), None
            self._follow(flow)
        assert flow.connection is not None
        return self._told(flow.connection)

    def _with_earlier(self, ended: _Ended) -> list[_Ended]:
        """Return also what ended when a flow was followed: a port used twice, seen only then.

        It must go with the flow's own record, which may come from another process.
        """
        earlier, self._ready = self._ready, []
        return [*earlier, ended]

    def _told(self, connection: Connection) -> _Ended:
        return summarize(connection), connection if self._every else None

    def _gist(self, flow: Flow) -> tuple[Start, Gist] | None:
        """Return what an ordinary flow comes to; None where the tracker must look at it."""
        start = self._starts.of(flow.layout, flow.records)
        found = None if start is None else fast_path.summarize(flow.layout, flow.records, start)
        return None if start is None or found is None else (start, found)

    def _release(self, now: int, quiet: int) -> Iterator[_Ended]:
        """Give the records of flows that are over and have been quiet, and forget the flows."""
        flows = [
            flow
            for flow in self._all()
            if now - flow.last_at > quiet and flow.looked_at != len(flow.records) + 1
        ]
        over = self._over if quiet >= QUIET else self._surely_over

        def work(flow: Flow) -> list[_Ended] | None:
            ended = over(flow)
            return None if ended is None else self._with_earlier(ended)

        for flow, ended in zip(flows, self._shared(work, flows), strict=True):
            if ended is None:
                # Before more has come of it, there is no need to look again.
                if quiet >= QUIET:
                    flow.looked_at = len(flow.records) + (flow.tracker is None)
                continue
            self._forget(flow)
            self.waited = min(self.waited, quiet)
            yield from ended

    def _shared(self, work: Callable[[Flow], _Result], flows: list[Flow]) -> Iterator[_Result]:
        """Yield what `work` makes of each flow, with two processes where there is much to do."""
        much = sum(len(flow.records) for flow in flows) >= _MUCH
        return in_halves(work, flows, share=much and not self._every)

    def _over(self, flow: Flow) -> _Ended | None:
        """Return the record of a flow that is over, now that it was quiet for long."""
        if flow.tracker is None and self._gist(flow) is None:
            self._follow(flow)
        if flow.connection is not None and was_given_up(flow.connection):
            return self._told(flow.connection)
        return self._surely_over(flow)

    def _surely_over(self, flow: Flow) -> _Ended | None:
        """Return the same, but leave alone what is not ordinary: it may only have begun."""
        if flow.connection is not None:
            return self._told(flow.connection) if is_over(flow.connection) else None
        summary = self._gist(flow)
        return (
            (build_record.record(flow.number, *summary), None)
            if summary and summary[1].over
            else None
        )

    def _forget(self, flow: Flow) -> None:
        for key in flow.keys:
            del self._flows[key]
            self.taken.pop(key, None)
            self._gone[key] = flow.last_number
        while len(self._gone) > _REMEMBERED:
            del self._gone[next(iter(self._gone))]

    def _make_room(self, frame: Frame) -> Iterator[_Ended]:
        """Keep less: forget what is surely over, then follow the largest flows step by step."""
        for quiet in (QUIET, _LOOK, _SOON):
            self._kept, self._counted = self._octets(), frame.number
            if self._kept <= self._most_kept * 3 // 4:
                return
            yield from self._release(frame.time, quiet)
        for flow in sorted(self._all(), key=lambda flow: len(flow.records), reverse=True):
            self._kept = self._octets()
            if self._kept <= self._most_kept * 3 // 4:
                return
            self._follow(flow)

    def _octets(self) -> int:
        return sum(len(flow.records) for flow in self._all())
