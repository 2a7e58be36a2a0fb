"""Tracks all connections of a capture: ordinary ones in bulk, the others step by step."""

from __future__ import annotations

from heapq import merge, nlargest
from itertools import chain, islice
from operator import itemgetter
from typing import TYPE_CHECKING, Final, TypeAlias

from handshake.packet import packed_frames
from handshake.packet.decode import observed
from handshake.packet.packed_frames import UNTAGGED
from handshake.survey.across.learn import learn
from handshake.survey.alike.results import MUCH, Results
from handshake.survey.alike.rows import Rows, only_records
from handshake.survey.follow.followed import Followed
from handshake.survey.group.dropped import REMEMBERED, DroppedFlows, OpenPlaces
from handshake.survey.group.flow import Flow, key_of, other_way, was_given_up
from handshake.survey.read import whereabouts
from handshake.survey.read.source import Reused
from handshake.survey.read.whereabouts import MOST, Whereabouts
from handshake.units import ACK_BIT, NS_PER_SECOND, SYN_BIT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Set

    from handshake.capture.columns import Chunk, Column
    from handshake.diagnosis import Others
    from handshake.packet.decode import Decoder
    from handshake.packet.frame import Frame
    from handshake.packet.layer_parser import Fields
    from handshake.packet.packed_frames import FrameLayout, Framing
    from handshake.record import Record
    from handshake.survey.alike.rows import Row
    from handshake.survey.decode.chunk_items import ChunkItems
    from handshake.survey.follow.followed import Ended
    from handshake.survey.follow.step_log import StepLog
    from handshake.survey.group.group_columns import Groups
    from handshake.survey.group.waiting import AttemptRows, WaitingAttempts
    from handshake.tcp import Observed
    from handshake.tcp.icmp import IcmpError
    from handshake.tracker import Connection

    _Work: TypeAlias = Callable[[Flow, Record | Row | None], list[Ended] | None]

QUIET: Final = 120 * NS_PER_SECOND
"""Nanoseconds in which more segments of an ended connection may follow its last one.

Linux never waits longer than this before it retransmits (TCP_RTO_MAX).
"""

MOST_KEPT: Final = 48 << 20
"""Octets of packed frames kept; beyond that the largest flows are tracked step by step."""

_OVER: Final = frozenset({"fin", "rst-by-client", "rst-by-server"})
"""How a connection that has ended was closed."""

_IN_VAIN: Final = frozenset({"no-answer", "half-open", "refused"})
"""Outcomes of attempts: no host waits that long for an answer."""

_LOOK: Final = 30 * NS_PER_SECOND
"""How often, by the capture's clock, the table is searched for ended connections."""

_PACE: Final = 64
"""Flows that are looked at for each frame at most, so that a large table is searched seldom."""

_BRIEF: Final = 8 * packed_frames.V4.record.size
"""Octets of packed frames of a flow that are rather tracked again than kept as a tracker."""

_MUCH_OF_ONE: Final = 16 << 10
"""Octets of packed frames of a flow from which a tracker takes less."""

_NO_SEGMENT: Final = (b"", 0)
"""The key and the control bits of a frame without one."""

_V4_KEY: Final = 12
_SOON: Final = NS_PER_SECOND
"""Nanoseconds of inactivity after which an ended connection is dropped if memory is short."""


class _ConnectionNumbers:
    """The numbers of connections, in order."""

    def __init__(self) -> None:
        self._next = 0

    def __iter__(self) -> _ConnectionNumbers:
        return self

    def __next__(self) -> int:
        return self.several(1)

    def several(self, count: int) -> int:
        """Return the first of so many numbers."""
        self._next += count
        return self._next - count


class FlowTable:
    """The connections of one capture."""

    dedup: bool
    """Whether packets that were captured before are dropped."""

    whole: bool
    """Whether all frames were read."""

    late: int
    """How many segments followed after the record of their connection was given."""

    waited: int
    """The shortest inactivity, in nanoseconds, after which a connection was taken for ended."""

    def __init__(
        self,
        decoder: Decoder,
        *,
        most_kept: int = MOST_KEPT,
        every: bool = False,
        dedup: bool = False,
        others: Others | None = None,
        share: bool = True,
        columns_from: int = MUCH,
        log: StepLog | None = None,
        most_open: int | None = None,
        counted: bool = False,
    ) -> None:
        """With `every` a tracker follows every flow, and `records` yields its connections.

        With `dedup` packets that were captured before are dropped; with `others` a diagnosis takes
        into account what other connections show of a host. With `share` a second process may help.
        Flows are compared in columns from so many octets of packed frames on, or if they are many.
        `log` takes the steps of one connection. Connections beyond `most_open` at a time are only
        counted. Where records are only `counted`, there are rows in the places of many.
        """
        self._buffers: dict[bytes, bytearray] = {}
        """The records of flows that have only plain IPv4 frames, by both directions' keys."""

        self.buffer = self._buffers.get
        """As `capture.sink.FrameSink` has it: the table is one, at the speed of a dictionary."""

        self._decoder = decoder
        self._chunks: ChunkItems | None = None
        self._every = every
        self.dedup = dedup
        self._others = others
        self._results = Results(
            decoder,
            others,
            every=every,
            share=share,
            least=columns_from,
            counted=counted,
        )
        self._log = log
        self._places = OpenPlaces(most_open)
        self._flows: dict[bytes, Flow] = {}
        """By addresses and ports, as either direction has them."""

        self.where: dict[int, Whereabouts] = {}
        """Where the frames of a flow are, if they are scattered, by the flow's number."""

        self._stretches = 0
        self._numbers = _ConnectionNumbers()
        self._waiting: WaitingAttempts | None = None
        """Attempts that wait in columns, without flows."""

        self._followed = Followed(
            decoder,
            self._numbers,
            self._buffers,
            others=others,
            log=log,
            every=every,
            dedup=dedup,
        )
        self._dropped = DroppedFlows()
        self._most_kept = self._room = most_kept
        """How many octets may be kept, and the same if that is not enough for the open flows."""

        self._kept = self._counted = 0
        """How many octets were kept at the last count, and at which frame that was."""

        self.begin: int | None = None
        """When the first packet of the capture was seen; None before it was read."""

        self.whole = False
        self._time = 0
        """A time that two frames in turn show has come."""

        self.late = 0
        self.waited = QUIET

    @property
    def most_open(self) -> int | None:
        """How many connections may be open at a time."""
        return self._places.most

    @property
    def left_out(self) -> int:
        """How many connections found no place, as others were open."""
        return self._places.left_out

    @property
    def reused(self) -> dict[int, Reused] | None:
        """What came before a connection on the same sockets, by its number; None: too many."""
        return self._followed.reused

    def records(self, frames: Iterable[Frame]) -> Iterator[tuple[Record, Connection | None]]:
        """Yield the record of each connection, and the connection itself with `every`.

        They come in the order of their numbers, except those that ended long before.
        """
        return only_records(self.items(frames))

    def items(self, frames: Iterable[Frame]) -> Iterator[Ended]:
        """Yield the same; rows, in any order, where records are only counted."""
        look_at = before = looked = 0
        frames = iter(frames)
        first = list(islice(frames, 1))
        if self.begin is None and first:
            self.begin = first[0].time
        for frame in chain(first, frames):
            self._take(frame)
            now, before = min(before, frame.time), frame.time
            self._time = now
            if now >= look_at and frame.number - looked >= len(self._flows) // _PACE:
                look_at, looked = now + _LOOK, frame.number
                yield from self._release(QUIET)
            if self._may_keep(frame.number) > self._room:
                yield from self._make_room(frame)
            yield from self._make_places(frame.number)
            if self._followed.ready:
                yield from self._followed.ready
                self._followed.ready.clear()
        self.whole = True
        flows = sorted(self._all(), key=lambda flow: flow.last_number)
        self._learn(flows, None)
        for flow in flows:
            self._note_where(flow)
        for each, ended in self._in_order(self._last, flows, None):
            yield from ended or ()
            if each is not None:
                self._forget(each)

    def _in_order(
        self, work: _Work, flows: list[Flow], until: int | None
    ) -> Iterator[tuple[Flow | None, list[Ended] | None]]:
        """Yield flows and what `work` returns for them, and what ended of what waits, in order.

        That is what was captured before a time; all if it is None.
        """
        found = self._results.of(work, flows, self._octets())
        if self._waiting is None:
            yield from found
            return
        numbered = ((flow.last_number, flow, ended) for flow, ended in found)
        waited = self._ended_attempts(work, self._waiting, until)
        for _, flow, ended in merge(numbered, waited, key=itemgetter(0)):
            yield flow, ended

    def _ended_attempts(
        self, work: _Work, waiting: WaitingAttempts, until: int | None
    ) -> Iterator[tuple[int, Flow | None, list[Ended] | None]]:
        """Yield the records of attempts that waited, with their numbers."""
        for rows in waiting.take(until):
            known, left = self._results.alike(rows)
            flows = [self._flow_of(*left.one(at)) for at in range(len(left))]
            for flow in flows:
                flow.learned = flow.number
            self._note_dropped(known.attempts)
            counted = self._results.counted
            if counted and len(known):
                # What is only counted may come in any order.
                yield 0, None, [(Rows(known, list(range(len(known)))), None)]
            records: Iterable[tuple[int, Flow | None, list[Ended] | None]] = (
                (each.stream, None, [(each, None)]) for each in (() if counted else known.records())
            )
            others = (
                (flow.number, flow, ended) for flow, ended in self._results.of(work, flows, 0)
            )
            yield from merge(records, others, key=itemgetter(0))

    def _note_dropped(self, rows: AttemptRows) -> None:
        """Remember attempts of which the records are given."""
        for at in rows.scattered:
            number, key, records = rows.one(at)
            keys = key, other_way(key)
            self._note_where(
                Flow(number, keys, packed_frames.V4, UNTAGGED, None, bytearray(records))
            )
        if self.whole:
            return
        last = range(max(0, len(rows) - REMEMBERED), len(rows))
        found = ((rows.key(at), int(rows.numbers[at])) for at in last)
        self._dropped.add(((key, other_way(key)), number) for key, number in found)

    @staticmethod
    def _octets_of(flows: list[Flow]) -> int:
        return sum(len(flow.records) for flow in flows)

    def _last(self, flow: Flow, known: Record | Row | None) -> list[Ended]:
        """Return the record of a flow at the end of the capture."""
        return (
            [(known, None)] if known is not None else self._followed.with_earlier(self._ended(flow))
        )

    def _forget(self, flow: Flow) -> None:
        """Forget the segments of a flow."""
        flow.tracker, flow.records = None, bytearray()
        for key in flow.keys:
            self._buffers.pop(key, None)

    def take(self, chunk: Chunk) -> None:
        """Take the packets of a chunk: those of each socket pair at once, where it may be."""
        from handshake.survey.decode.chunk_items import ChunkItems
        from handshake.survey.group.group_columns import AttemptGroups, FlowGroup

        if self.begin is None:
            self.begin = int(chunk.times[0])
        chunks = self._chunks = self._chunks or ChunkItems(self._decoder)
        self._results.in_columns = True

        def singly(group: FlowGroup) -> int:
            """Return how many frames of a group must be taken one by one."""
            flow, framing = self._flows.get(group.key), chunks.framing(group)
            if flow is None and group.key not in self._dropped and framing is not None:
                # Of a new flow, a SYN may be the first frame.
                return group.opening if self._every or group.opening > group.opens else 0
            if flow is None or flow.mixed or flow.framing != framing:
                return len(group.places)
            return group.opening

        for item in chunks.of(chunk, singly, self._waits):
            if isinstance(item, AttemptGroups):
                assert self._waiting is not None
                self._waiting.add(self._numbers.several(len(item.which)), item)
                continue
            if self._is_crowded:
                place = item.place if isinstance(item, FlowGroup) else item[0].number - chunk.number
                self._time = int(chunk.times[max(0, place - 1) : place + 1].min())
                found = list(self._make_places(chunk.number + place))
                self._followed.ready += found
            if isinstance(item, FlowGroup):
                key, layout, framing = item.key, item.layout, chunks.framing(item)
                assert framing is not None
                flow = self._flows.get(key) or self._new(key, layout, framing, opens=item.opens)
                if flow is not None and self._followed.is_logged(flow.number):
                    for place in item.places.tolist():
                        self._take(chunk.frame(place))
                elif flow is not None:
                    flow.records += item.records
            else:
                self._take(*item)
        if self._waiting is not None:
            self._waiting.seal()

    def _waits(self, groups: Groups, special: Set[bytes]) -> Column:
        """Return which groups of a chunk wait as attempts, and let the flows of others be known."""
        from handshake.survey.group.waiting import WaitingAttempts

        waiting = self._waiting = self._waiting or WaitingAttempts()
        found, again = groups.attempts(), waiting.known(groups.hashes)
        if groups.layout is packed_frames.V4:
            for at in again.nonzero()[0].tolist():
                self._known(groups.key(at))
        # Few are not worth it; and where places are few, or steps are wanted, flows are needed.
        if self._every or self._log or self._places.most or 2 * found.sum() < len(found):
            return found & False
        found &= ~again
        for at in found.nonzero()[0].tolist():
            key = groups.key(at)
            if key in self._flows or key in self._dropped or key in special:
                found[at] = False
        return found

    def _known(self, key: bytes) -> Flow | None:
        """Return the flow of a key; that of an attempt, if it waits in columns."""
        flow = self._flows.get(key)
        if flow is None and self._waiting and len(key) == _V4_KEY:
            attempt = self._waiting.recall(key)
            flow = None if attempt is None else self._flow_of(*attempt)
        return flow

    def _flow_of(self, number: int, key: bytes, records: bytes) -> Flow:
        """Return a new flow for an attempt that does not wait any more."""
        keys = key, other_way(key)
        flow = Flow(number, keys, packed_frames.V4, UNTAGGED, None, bytearray(records))
        for each in keys:
            self._flows[each], self._buffers[each] = flow, flow.records
        return flow

    def _take(self, frame: Frame, fields: Fields | IcmpError | None = None) -> tuple[bytes, int]:
        """Pack a plain frame, or give it to the tracker; return its key and control bits."""
        found, framing, as_if = packed_frames.plain(frame), UNTAGGED, frame
        if found is None:
            fields = fields or self._decoder.fields(frame)
            if not isinstance(fields, tuple):
                if fields is not None:
                    self._quoted(fields)
                return _NO_SEGMENT
            unwrapped = packed_frames.unwrapped(frame, fields)
            if unwrapped is not None:
                as_if, framing = unwrapped
                found = packed_frames.plain(as_if)
            if found is None:
                seen = observed(frame, fields)
                self._track(seen, mixed=True)
                seg = seen.segment
                return key_of(seg.source, seg.destination), int(seg.flags)
        layout, key, end, bits = found
        opens = bits & (SYN_BIT | ACK_BIT) == SYN_BIT
        flow = self._known(key) or self._new(key, layout, framing, opens=opens)
        if flow is None:
            return key, bits
        mixed = flow.mixed or flow.framing != framing or self._followed.is_logged(flow.number)
        if mixed or (opens and (flow.tracker is not None or flow.is_other(as_if))):
            fields = fields or self._decoder.fields(frame)
            assert isinstance(fields, tuple)
            self._track(observed(frame, fields), mixed=mixed)
        else:
            flow.records += packed_frames.pack(layout, as_if, end)
        return key, bits

    def _may_keep(self, number: int) -> int:
        """Return the most octets that can be kept after the frame of this number."""
        return self._kept + (number - self._counted) * packed_frames.V6.record.size

    def _new(
        self, key: bytes, layout: FrameLayout, framing: Framing, *, opens: bool
    ) -> Flow | None:
        """Return a new flow for a key that is not in the table.

        None if its flow was dropped, and this is no SYN that `opens` another connection, or if
        there is no place for it.
        """
        if key in self._dropped and not opens:
            self.late += 1
            return None
        if self._places.leave_out(key, len(self._flows), opens=opens):
            return None
        keys = key, other_way(key)
        reused = self._dropped.pop(keys)
        flow = Flow(next(self._numbers), keys, layout, framing, reused)
        if reused is not None:
            self._followed.note_reuse(flow.number, Reused(reused, None))
        if self._every or reused is not None:
            flow.tracker = self._followed.begin(flow)
        for each in flow.keys:
            self._flows[each] = flow
            if layout is packed_frames.V4 and framing == UNTAGGED:
                self._buffers[each] = flow.records
        return flow

    @property
    def _is_crowded(self) -> bool:
        """Whether there are not many places left."""
        return self._places.are_few(len(self._flows))

    def _make_places(self, number: int) -> Iterator[Ended]:
        """Drop what has surely ended, however short ago; seldom, by the number of the frame."""
        if not self._places.must_look(len(self._flows), number):
            return
        # Without models, what has just ended is not told from what has just begun.
        self._results.in_columns = True
        for quiet in (QUIET, _LOOK, _SOON):
            if not self._is_crowded:
                return
            yield from self._release(quiet)

    def _track(self, seen: Observed, *, mixed: bool) -> None:
        """Give a segment to the tracker; `mixed` if it came otherwise than others of its flow."""
        seg = seen.segment
        key = key_of(seg.source, seg.destination)
        layout = packed_frames.V4 if len(key) == _V4_KEY else packed_frames.V6
        opens = seg.syn and seg.ack is None
        flow = self._known(key) or self._new(key, layout, UNTAGGED, opens=opens)
        if flow is None:
            return
        self._follow(flow)
        if mixed:
            self._followed.pack_no_more(flow)
        self._followed.feed(flow, seen)

    def _follow(self, flow: Flow) -> None:
        self._followed.follow(flow, in_columns=self._results.in_columns)

    def _quoted(self, error: IcmpError) -> None:
        flow = self._known(key_of(error.source, error.destination))
        if flow is None:
            return
        self._follow(flow)
        assert flow.tracker is not None
        flow.tracker.quoted(error)

    def _all(self) -> Iterator[Flow]:
        return (flow for key, flow in list(self._flows.items()) if key is flow.keys[0])

    def _ended(self, flow: Flow) -> tuple[Record, Connection | None]:
        """Return the record of a flow as far as it was captured."""
        self._follow(flow)
        assert flow.connection is not None
        return self._followed.record_of(flow.connection)

    def _learn(self, flows: list[Flow], until: int | None = 0) -> None:
        """Learn what these flows show of the servers, before the first of them is judged.

        And what waiting attempts show that were captured before a time; all if it is None.
        """
        for flow in flows:
            if flow.tracker is not None:
                self._follow(flow)
        if self._others is not None:
            attempts = () if self._waiting is None else self._waiting.until(until)
            learn(self._others, flows, self._decoder, attempts)

    def _release(self, quiet: int) -> Iterator[Ended]:
        """Drop flows that ended more than `quiet` nanoseconds ago; yield their records."""
        seen = [(flow.last_at, flow) for flow in self._all()]
        # A time that two flows show has come: one time stamp alone may be wrong.
        waited = self._waiting.latest() if self._waiting is not None else ()
        latest = nlargest(2, chain((at for at, _ in seen), waited))
        now = latest[1] if len(latest) == 2 else 0
        # Where there is no place for flows, two frames must do.
        until = (max(now, self._time) if self._is_crowded else now) - quiet
        flows = [
            flow for at, flow in seen if at < until and flow.looked_at != len(flow.records) + 1
        ]
        # So soon, what has not ended may still be answered.
        if quiet >= QUIET:
            self._learn(flows, until)
        else:
            self._learn([flow for flow in flows if flow.ended])
        follow = self._over if quiet >= QUIET else self._surely_over

        def work(flow: Flow, known: Record | Row | None) -> list[Ended] | None:
            if known is not None:
                over = known.closed in _OVER or (quiet >= QUIET and known.outcome in _IN_VAIN)
                return [(known, None)] if over else None
            ended = follow(flow)
            return None if ended is None else self._followed.with_earlier(ended)

        attempts_until = until if quiet >= QUIET else 0
        for flow, ended in self._in_order(work, flows, attempts_until):
            if ended is None:
                # Until more segments follow, there is no need to look again.
                if quiet >= QUIET and flow is not None:
                    flow.looked_at = len(flow.records) + (flow.tracker is None)
                continue
            if flow is not None:
                self._drop(flow)
            self.waited = min(self.waited, quiet)
            yield from ended

    def _over(self, flow: Flow) -> Ended | None:
        """Return the record of a flow that has ended, after a long inactivity."""
        brief = b""
        if flow.tracker is not None:
            self._follow(flow)
        else:
            brief = bytes(flow.records[: _BRIEF + 1])
            self._follow(flow)
        if flow.connection is not None and was_given_up(flow.connection):
            return self._followed.record_of(flow.connection)
        over = self._surely_over(flow)
        if over is None and 0 < len(brief) <= _BRIEF and not self._followed.ready:
            # It waits: what was packed takes less memory than what a tracker knows.
            flow.tracker = None
            flow.records += brief
        return over

    def _surely_over(self, flow: Flow) -> Ended | None:
        """Return the same, but None for a flow that no tracker follows: it may only have begun."""
        if flow.tracker is None:
            return None
        self._follow(flow)
        assert flow.connection is not None
        return self._followed.record_of(flow.connection) if flow.ended else None

    def _note_where(self, flow: Flow) -> None:
        where = whereabouts.all_of(flow.where, flow.layout, flow.records)
        if where is not None and self._stretches < MOST:
            self._stretches += len(where)
            self.where[flow.number] = where

    def _drop(self, flow: Flow) -> None:
        self._note_where(flow)
        for key in flow.keys:
            del self._flows[key]
            self._buffers.pop(key, None)
        self._dropped.add([(flow.keys, flow.last_number)])

    def _make_room(self, frame: Frame) -> Iterator[Ended]:
        """Keep less: drop what has surely ended, then track the largest flows step by step.

        What is left is kept: to track a flow of few frames takes more memory than they do.
        """
        enough, self._counted, self._room = self._most_kept * 3 // 4, frame.number, self._most_kept
        for quiet in (QUIET, _LOOK, _SOON):
            self._kept = self._octets()
            if self._kept <= enough:
                return
            yield from self._release(quiet)
        self._kept = self._octets()
        for flow in sorted(self._all(), key=lambda flow: len(flow.records), reverse=True):
            if self._kept <= enough or len(flow.records) < min(_MUCH_OF_ONE, self._most_kept):
                break
            self._kept -= len(flow.records)
            self._follow(flow)
        self._room = max(self._most_kept, 2 * self._kept)

    def _octets(self) -> int:
        waiting = 0 if self._waiting is None else self._waiting.octets
        return self._octets_of(list(self._all())) + waiting
