"""The record of one connection of each shape, made by the tracker, and from it those of the others.

They differ from it in addresses, ports, times, frame numbers and counts, which are put in. A model
is used only if what is put in would give its own record again.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from handshake.events import Role
from handshake.packet.packed_frames import V4, V6
from handshake.record import EndRecord, HandshakeRecord, Record, rfc3339
from handshake.survey.alike.attempts import MOST_SYNS, Attempts
from handshake.survey.alike.rows import RecordRows, Row
from handshake.survey.alike.shapes import shapes
from handshake.survey.decode.segment_columns import segments
from handshake.survey.follow import runs
from handshake.survey.group.flow import text_of
from handshake.tcp.copy import changed, copier
from handshake.tracker import PairTracker, is_known_port, summarize
from handshake.tracker.findings.capture import refusal
from handshake.tracker.findings.offers import unscaled
from handshake.tracker.zeek import Zeek
from handshake.tracker.zeek.timeouts import sent_by_server
from handshake.units import ACK_BIT, NS_PER_SECOND, SYN_BIT

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from handshake.diagnosis import Others
    from handshake.packet.decode import Decoder
    from handshake.record import Finding
    from handshake.survey.alike.shapes import Shapes
    from handshake.survey.decode.segment_columns import Segments
    from handshake.survey.group.flow import Flow

_SUMS: Final = frozenset({"checksum-offload", "checksum-accepted", "bad-checksum"})
"""Findings that count checksums."""

_SAME: Final = (bool, str, Role)
"""Types of values in findings that are the same for all connections of a shape."""

_OFFERED: Final = frozenset({"mss-low", "no-mss", "shift-above-14", "mptcp-refused"})
"""Findings whose values are those of the SYNs' options, which are part of a shape."""

_TIMED: Final = "no-window-scaling"
"""The finding that names the round-trip time."""

MOST_MODELS: Final = 8192
"""Shapes that are remembered, so that a flood of odd ones cannot fill the memory."""

_AT_ONCE: Final = 1 << 15
"""Segments that are looked at together."""

_MOST: Final = 1 << 17
"""Segments of one flow that are looked at: in columns they take some hundred octets each."""

_FEWEST: Final = 3
_FLAGS: Final = 0xFFF


class RecordParts(NamedTuple):
    """What the records of connections of one shape differ in; pairs are the client's and server's.

    Times are in nanoseconds.
    """

    stream: int
    addresses: tuple[str, str]
    ports: tuple[int, int]
    isns: tuple[int, int]
    segments: tuple[int, int]
    payload: tuple[int, int]
    checked: tuple[int, int]
    """Segments whose checksum can be verified."""

    ttls: tuple[int, int]
    times: tuple[int, int, int]
    """Of the first three segments."""

    end: int
    """When the last segment was captured."""

    frames: tuple[int, int]
    firsts: tuple[int, int]
    """The frames with which each end began."""


class _PlacedFinding(NamedTuple):
    """A finding of a model."""

    finding: Finding
    end: int
    """Which end's first frame proves it."""

    counted: tuple[int, ...]
    """The ends whose checksums it counts."""


class _ShapeModel(NamedTuple):
    record: Record
    findings: tuple[_PlacedFinding, ...]


class Models:
    """The shapes seen so far."""

    def __init__(self, decoder: Decoder, others: Others | None, *, counted: bool = False) -> None:
        """Where records are only `counted`, there are rows in their places."""
        self._decoder = decoder
        self._counted = counted
        self.attempts = Attempts(decoder, others)
        self._models: dict[bytes, _ShapeModel | None] = {}

    def records(self, flows: Sequence[Flow]) -> list[Record | Row | None]:
        """Return the record of each flow; None where a tracker must follow it."""
        found: list[Record | Row | None] = [None] * len(flows)
        waiting = [(at, flow) for at, flow in enumerate(flows) if flow.tracker is None]
        for layout in (V4, V6):
            mine = [(at, flow) for at, flow in waiting if flow.layout is layout]
            for fewest, most, add in (
                (1, _FEWEST - 1, self._add_attempts),
                (_FEWEST, _MOST, self._add),
            ):
                for chosen in _batches(mine, fewest, most):
                    seen = segments(layout, [flows[each].records for each in chosen])
                    add(found, chosen, flows, seen)
        return found

    def _add_attempts(
        self,
        found: list[Record | Row | None],
        chosen: list[int],
        flows: Sequence[Flow],
        seen: Segments,
    ) -> None:
        made = self.attempts.records([flows[each] for each in chosen], seen)
        for index, record in zip(chosen, made, strict=True):
            found[index] = record

    def _add(
        self,
        found: list[Record | Row | None],
        chosen: list[int],
        flows: Sequence[Flow],
        seen: Segments,
    ) -> None:
        asks = np.logical_and.reduceat(seen.bits & _FLAGS == SYN_BIT, seen.starts)
        asking = [chosen[at] for at in np.flatnonzero(asks & (seen.counts <= MOST_SYNS)).tolist()]
        if asking:
            self._add_attempts(
                found,
                asking,
                flows,
                segments(seen.layout, [flows[each].records for each in asking]),
            )
        layout, shape = seen.layout, shapes(seen)
        batch = ShapedFlows(seen, shape)
        for at, (index, key) in enumerate(zip(chosen, shape.keys, strict=True)):
            if key is None:
                continue
            flow, swapped = flows[index], False
            if batch.opened[at]:
                key = b"%d|%b" % (layout.tcp, key)
            else:
                ports, swapped = _ports(flow.keys[0])
                key = b"%d%b|%b" % (layout.tcp, ports, key)
            if flow.keys[0] == flow.keys[1]:
                continue  # of a socket to itself
            if key not in self._models:
                if len(self._models) >= MOST_MODELS:
                    self._models.clear()
                parts = batch.parts(at, flow.number, flow.keys[swapped], swapped=swapped)
                self._models[key] = self._model(flow, parts)
            model = self._models[key]
            if model is not None:
                batch.add(at, flow, model, swapped=swapped)
                found[index] = Row(batch, at) if self._counted else batch.record(at)

    def _model(self, flow: Flow, parts: RecordParts) -> _ShapeModel | None:
        """Return the model that a flow is for its shape; None if there is more to its record."""
        tracker = PairTracker()
        records = bytes(flow.records)
        runs.feed(tracker, tracker.feed, flow, records, self._decoder, in_columns=True)
        connection = tracker.connection
        if connection is None or connection.number or connection.segments != sum(parts.segments):
            return None
        zeek = connection.observer(Zeek)
        if zeek is None or len(zeek.conns) != 1:
            return None
        record = changed(summarize(connection), stream=parts.stream)
        if record.diagnosis is not None or record.icmp is not None:
            return None
        # `ShapedFlows.rows` has neither.
        if refusal(record) is not None or (record.roles == "guess" and record.handshake.rtt):
            return None
        findings = [_placed(each, parts) for each in record.findings]
        if None in findings:
            return None
        model = _ShapeModel(record, tuple(each for each in findings if each is not None))
        return model if _record(model, parts) == record else None


def _batches(flows: list[tuple[int, Flow]], fewest: int, most: int) -> Iterator[list[int]]:
    """Yield the indexes of flows of so many segments, about `_AT_ONCE` segments at a time."""
    chosen: list[int] = []
    total = 0
    for index, flow in flows:
        count = len(flow.records) // flow.layout.record.size
        if not fewest <= count <= most:
            continue
        chosen.append(index)
        total += count
        if total >= _AT_ONCE:
            yield chosen
            chosen, total = [], 0
    if chosen:
        yield chosen


class _KnownFlow(NamedTuple):
    number: int
    key: bytes
    """Addresses and ports, as the client's segments have them."""

    model: _ShapeModel
    swapped: bool
    """Whether the server sent the first segment."""


class ShapedFlows:
    """Flows of known shapes; what their records differ in is taken from columns."""

    def __init__(self, seen: Segments, shape: Shapes) -> None:
        starts, last = seen.starts, seen.starts + seen.counts - 1
        self.opened: list[bool] = (seen.bits[starts] & SYN_BIT != 0).tolist()
        self._times = np.stack([seen.at[starts + place] for place in range(3)], axis=1)
        self._ends = seen.at[last]
        self._frames = np.stack((seen.frame[starts], seen.frame[last]), axis=1)
        self._segments, self._payload, self._checked = shape.segments, shape.payload, shape.checked
        firsts = shape.firsts
        self._firsts, self._ttls = seen.frame[firsts], seen.ttl[firsts]
        self._isns: list[list[int]] = seen.seq[firsts].tolist()
        self._flows: dict[int, _KnownFlow] = {}

    def add(self, at: int, flow: Flow, model: _ShapeModel, *, swapped: bool) -> None:
        """Note the shape of a flow; its first sender is the server if `swapped`."""
        self._flows[at] = _KnownFlow(flow.number, flow.keys[swapped], model, swapped)

    def number(self, at: int) -> int:
        """Return the number of a connection."""
        return self._flows[at].number

    def isns(self, which: Sequence[int]) -> list[tuple[int, int] | None]:
        """Return the ISNs of connections; None where the begin was not captured."""
        found: list[tuple[int, int] | None] = []
        for at in which:
            record, (one, two) = self.model(at), self._isns[at]
            if record.client.iss is None or record.server.iss is None:
                found.append(None)
            else:
                found.append((two, one) if self._flows[at].swapped else (one, two))
        return found

    def model(self, at: int) -> Record:
        """Return the record of its shape."""
        return self._flows[at].model.record

    def record(self, at: int) -> Record:
        """Return its own record."""
        flow = self._flows[at]
        return _record(flow.model, self.parts(at, flow.number, flow.key, swapped=flow.swapped))

    @cached_property
    def _lists(self) -> list[list[Any]]:
        return [
            each.tolist()
            for each in (
                self._firsts,
                self._segments,
                self._payload,
                self._checked,
                self._ttls,
                self._times,
                self._ends,
                self._frames,
            )
        ]

    def parts(self, at: int, number: int, key: bytes, *, swapped: bool) -> RecordParts:
        """Return the parts of the record of one flow."""
        half = len(key) // 2 - 2
        one, two = (1, 0) if swapped else (0, 1)
        firsts, segments, payload, checked, ttls, times, end, frames = (
            each[at] for each in self._lists
        )
        isns = self._isns[at]
        return RecordParts(
            stream=number,
            addresses=(text_of(key[:half]), text_of(key[half:-4])),
            ports=(int.from_bytes(key[-4:-2], "big"), int.from_bytes(key[-2:], "big")),
            isns=(isns[one], isns[two]),
            segments=(segments[one], segments[two]),
            payload=(payload[one], payload[two]),
            checked=(checked[one], checked[two]),
            ttls=(ttls[one], ttls[two]),
            times=tuple(times),
            end=end,
            frames=tuple(frames),
            firsts=(firsts[one], firsts[two]),
        )

    def rows(self, which: Sequence[int]) -> RecordRows:
        """Return what is counted of some connections."""
        at, flows = np.array(which), [self._flows[each] for each in which]
        models = list({id(each.model): each.model.record for each in flows}.values())
        places = {id(each): place for place, each in enumerate(models)}
        of = np.array([places[id(each.model.record)] for each in flows])
        server = np.array([0 if each.swapped else 1 for each in flows])
        keys = np.frombuffer(b"".join([each.key for each in flows]), np.uint8)
        guessed = np.array([each.roles == "guess" for each in models])[of]
        rtts = (self._times[at, 2] - self._times[at, 0]) / NS_PER_SECOND
        return RecordRows(
            capture=None,
            models=models,
            of=of,
            keys=keys.reshape(len(flows), -1),
            frames=self._frames[at, 0],
            segments=self._segments[at].sum(axis=1),
            octets=self._payload[at].sum(axis=1),
            rtts=np.where(guessed, np.nan, rtts),
            ttls=self._ttls[at, server],
            refusals=np.full(len(at), -1),
            diagnoses=[None] * len(flows),
        )


def _ports(key: bytes) -> tuple[bytes, bool]:
    """Return what two ports tell of the roles of a connection whose begin was not captured.

    And whether the first sender is taken for the server.
    """
    source, destination = int.from_bytes(key[-4:-2], "big"), int.from_bytes(key[-2:], "big")
    ranks = (not is_known_port(source), source), (not is_known_port(destination), destination)
    swapped = ranks[1] > ranks[0]
    told = swapped, ranks[0] == ranks[1], sent_by_server(source, destination, ACK_BIT)
    known = ranks[0][0], ranks[1][0], sent_by_server(destination, source, ACK_BIT)
    return bytes((*told, *known)), swapped


def _placed(finding: Finding, parts: RecordParts) -> _PlacedFinding | None:
    """Return how a finding of a model is put into other records; None if that is not known."""
    if finding.frame not in parts.firsts:
        return None
    end = parts.firsts.index(finding.frame)
    if finding.code in _OFFERED or finding.code == _TIMED:
        return _PlacedFinding(finding, end, ())
    if finding.code not in _SUMS:
        same = all(isinstance(each, _SAME) for each in finding.values.values())
        return _PlacedFinding(finding, end, ()) if same else None
    counted = next(
        (
            each
            for each in ((0, 1), (end,))
            if sum(parts.checked[one] for one in each) == finding.values["bad"]
        ),
        None,
    )
    return None if counted is None else _PlacedFinding(finding, end, counted)


def _record(model: _ShapeModel, parts: RecordParts) -> Record:
    """Return the record of a connection of the same shape."""
    record, start = model.record, parts.times[0]
    client, server = record.client, record.server
    made: Record = _copy(
        record,
        parts.stream,
        _end(client, parts, 0),
        _end(server, parts, 1),
        rfc3339(start),
        (parts.end - start) / NS_PER_SECOND,
        record.handshake if record.roles == "guess" else _times(record.handshake, parts),
        parts.frames,
        tuple([_found(each, parts) for each in model.findings]),
    )
    return made


_copy: Final = copier(
    Record, "stream", "client", "server", "start", "duration", "handshake", "frames", "findings"
)
_copy_end: Final = copier(EndRecord, "address", "port", "iss", "segments", "bytes", "ttl")
_copy_times: Final = copier(
    HandshakeRecord, "rtt", "initial_rtt", "syn_to_syn_ack", "syn_ack_to_ack"
)


def _end(end: EndRecord, parts: RecordParts, index: int) -> EndRecord:
    made: EndRecord = _copy_end(
        end,
        parts.addresses[index],
        parts.ports[index],
        None if end.iss is None else parts.isns[index],
        parts.segments[index],
        parts.payload[index],
        parts.ttls[index],
    )
    return made


def _times(handshake: HandshakeRecord, parts: RecordParts) -> HandshakeRecord:
    syn, syn_ack, ack = parts.times
    rtt = (ack - syn) / NS_PER_SECOND
    one, two = (syn_ack - syn) / NS_PER_SECOND, (ack - syn_ack) / NS_PER_SECOND
    made: HandshakeRecord = _copy_times(handshake, rtt, rtt, one, two)
    return made


def _found(placed: _PlacedFinding, parts: RecordParts) -> Finding:
    finding, frame = placed.finding, parts.firsts[placed.end]
    if finding.code == _TIMED:
        values = unscaled((parts.times[2] - parts.times[0]) / NS_PER_SECOND)
        return changed(finding, frame=frame, values=values)
    if not placed.counted:
        return changed(finding, frame=frame)
    count = sum(parts.checked[each] for each in placed.counted)
    return changed(finding, frame=frame, values={**finding.values, "bad": count, "checked": count})
