"""Sums up attempts: one SYN and at most one answer, as in scans and floods, or SYNs unanswered.

The tracker takes one of each shape. The record of another differs from that one's in addresses,
numbers and times; its diagnosis depends on other connections, and is made anew.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

import numpy as np

from handshake.diagnosis import Facts, diagnose, telling
from handshake.diagnosis.seen import Seen
from handshake.events.run import PAUSE
from handshake.packet import packed_frames
from handshake.record import rfc3339
from handshake.survey.flow import endpoint_of, text_of
from handshake.survey.segment_columns import RIGHT
from handshake.survey.shapes import syn_options
from handshake.tcp.copy import changed, put
from handshake.tracker import PairTracker, summarize
from handshake.tracker.zeek.conn import ATTEMPT
from handshake.units import ACK_BIT, MASK, NS_PER_SECOND, RST_BIT, SYN_BIT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from handshake.capture.columns import Column
    from handshake.diagnosis import Others, Rule
    from handshake.packet.decode import Decoder
    from handshake.record import EndRecord, Finding, HandshakeRecord, Record
    from handshake.survey.flow import Flow
    from handshake.survey.segment_columns import Segments
    from handshake.tcp import Endpoint

_FLAGS: Final = 0xFFF
_LONG: Final = NS_PER_SECOND
"""Nanoseconds from which the time to the answer may mean more than itself."""

_PLACED: Final = frozenset({"no-answer", "timestamps-refused", "ecn-refused", "syn-cookies"})
"""Findings whose values are the same for all connections of a shape."""

_UNANSWERED: Final = "no-answer"
"""The finding that names the time from the first SYN to the last."""

_PORT: Final = "refused"
"""The finding that names the server's port besides."""

_TIMES: Final = ("rtt", "initial_rtt", "syn_to_syn_ack", "syn_ack_to_ack")
MOST_SYNS: Final = 8
"""SYNs without an answer that may be one attempt."""

MOST_MODELS: Final = 1024
"""Shapes that are remembered, so that a flood of odd ones cannot fill the memory."""

_Fields: TypeAlias = tuple[int, ...]
"""Time, frame, numbers, window, TTL, identification and timestamps of a segment."""


class _AttemptModel(NamedTuple):
    """What the tracker made of one attempt of a shape."""

    record: Record
    segments: tuple[Seen, ...]
    rules: tuple[Rule, ...]
    """Those of a diagnosis that may tell something of attempts of this shape."""

    times: tuple[str, ...]
    """The times of the handshake that are known."""


class Attempts:
    """The shapes of attempts seen so far."""

    def __init__(self, decoder: Decoder, others: Others | None) -> None:
        self._decoder = decoder
        self._others = others
        self._models: dict[bytes, _AttemptModel | None] = {}

    def records(self, flows: Sequence[Flow], seen: Segments) -> list[Record | None]:
        """Return the record of each flow that is an attempt; None where a tracker must follow it.

        They have one or two segments each, or SYNs of one end, which `seen` has in columns.
        """
        keys, fields = _shapes(seen)
        found: list[Record | None] = []
        for flow, key, start, count in zip(
            flows, keys, seen.starts.tolist(), seen.counts.tolist(), strict=True
        ):
            frames = fields[start : start + count]
            model = None if key is None else self._model_of(key, flow, frames)
            found.append(None if model is None else _record(flow, model, frames, self._others))
        return found

    def _model_of(self, key: bytes, flow: Flow, frames: list[_Fields]) -> _AttemptModel | None:
        key = b"%d|%b" % (flow.layout.tcp, key)
        if key not in self._models:
            if len(self._models) >= MOST_MODELS:
                self._models.clear()
            self._models[key] = self._model(flow, frames)
        return self._models[key]

    def _model(self, flow: Flow, frames: list[_Fields]) -> _AttemptModel | None:
        tracker = PairTracker()
        for observed in packed_frames.observed(flow.layout, bytes(flow.records), self._decoder):
            tracker.feed(observed)
        connection = tracker.connection
        if connection is None or connection.segments != len(frames) or connection.number:
            return None
        facts, record = connection.observer(Facts), summarize(connection)
        if facts is None or any(each.code not in {*_PLACED, _PORT} for each in record.findings):
            return None
        if any(each.frame not in record.frames for each in record.findings):
            return None
        took = (frames[-1][0] - frames[0][0]) / NS_PER_SECOND
        times = {name: getattr(record.handshake, name) for name in _TIMES}
        numbers = record.server.iss in (None, frames[-1][2])
        if not numbers or record.duration != took or not {*times.values()} <= {None, took}:
            return None
        known = tuple(name for name, each in times.items() if each is not None)
        record = changed(record, diagnosis=None)
        rules = telling(record, connection.client.endpoint, facts)
        return _AttemptModel(record, tuple(facts.segments), rules, known)


def _shapes(seen: Segments) -> tuple[list[bytes | None], list[_Fields]]:
    """Return what attempts of one shape have in common, and what each segment has of its own.

    None stands for a flow that is no attempt.
    """
    one = seen.starts
    last = one + seen.counts - 1
    options = syn_options(seen, np.arange(len(seen.flow)))
    alike = (seen.payload == 0) & (seen.urgent == 0) & (seen.sums == RIGHT)
    numbered = (seen.seq > 0) & (seen.seq < MASK) & (seen.window > 0)
    flags = seen.bits & _FLAGS
    reset = flags == RST_BIT | ACK_BIT
    took = seen.at[last] - seen.at[one]
    ok = alike[one] & numbered[one] & (flags[one] == SYN_BIT) & (seen.ack[one] == 0)
    answer = alike[last] & (seen.me[last] == 1) & (seen.ack[last] == seen.seq[one] + 1)
    answer &= (took > 0) & (took < _LONG)
    answer &= np.where(
        reset[last], seen.seq[last] == 0, numbered[last] & (flags[last] == SYN_BIT | ACK_BIT)
    )
    answer &= ~options.timed[last] | (options.echo[last] == options.clock[one])
    ok &= (seen.counts == 1) | ((seen.counts == 2) & answer) | _asks_again(seen, alike)
    told = np.stack((options.timed, seen.header, flags >> 8, flags & 0xFF), axis=1)
    shape = np.concatenate((told, options.raw), axis=1).astype(np.uint8)
    width, octets = shape.shape[1], shape.tobytes()
    turns = _zeek_turns(seen)
    keys = [
        octets[start * width : (start + count) * width] + turns[start : start + count]
        if good
        else None
        for good, start, count in zip(ok.tolist(), one.tolist(), seen.counts.tolist(), strict=True)
    ]
    own = (seen.at, seen.frame, seen.seq, seen.ack, seen.window, seen.ttl, seen.ident)
    stamps = options.clock, options.echo
    return keys, list(zip(*(each.tolist() for each in (*own, *stamps)), strict=True))


def _asks_again(seen: Segments, alike: Column) -> Column:
    """Return which flows are a SYN that was sent again, by a timer, and not answered."""
    first = seen.starts[seen.flow]
    again = alike & (seen.me == 0) & (seen.bits & _FLAGS == SYN_BIT) & (seen.ack == 0)
    for own in (seen.seq, seen.window, seen.ttl):
        again &= own == own[first]
    waited = seen.at - seen.at[np.maximum(np.arange(len(first)) - 1, 0)]
    again &= (np.arange(len(first)) == first) | ((waited >= _LONG) & (waited < PAUSE))
    found: Column = np.logical_and.reduceat(again, seen.starts)
    return found & (seen.counts <= MOST_SYNS)


def _zeek_turns(seen: Segments) -> bytes:
    """Return an octet for each segment: whether Zeek takes a SYN for that of another connection."""
    if (seen.counts < 2).all():
        return bytes(len(seen.flow))
    turns = bytearray(len(seen.flow))
    for start, count in zip(seen.starts.tolist(), seen.counts.tolist(), strict=True):
        if count > 1:
            begin, *later = seen.at[start : start + count].tolist()
            for place, at in enumerate(later, start + 1):
                if at >= begin + ATTEMPT:
                    turns[place], begin = 1, at
    return bytes(turns)


def _record(
    flow: Flow, model: _AttemptModel, frames: list[_Fields], others: Others | None
) -> Record | None:
    key, known = flow.keys[0], model.record
    ends = endpoint_of(key), endpoint_of(key, second=True)
    if ends[0] == ends[1]:
        return None
    half = len(key) // 2 - 2
    took = (frames[-1][0] - frames[0][0]) / NS_PER_SECOND
    client = _end(known.client, text_of(key[:half]), ends[0].port, frames[0])
    answer = frames[1:] if known.server.segments else ()
    server = _end(known.server, text_of(key[half:-4]), ends[1].port, *answer)
    record = changed(
        known,
        stream=flow.number,
        client=client,
        server=server,
        start=rfc3339(frames[0][0]),
        duration=took,
        handshake=_timed(known.handshake, model.times, took),
        frames=(frames[0][1], frames[-1][1]),
        findings=tuple(_placed(each, known, frames, ends[1]) for each in known.findings),
    )
    segments = [
        _seen(seen, fields, ends if seen.syn else ends[::-1])
        for seen, fields in zip(model.segments, frames, strict=True)
    ]
    diagnosis = diagnose(record, ends[0], Facts.of(segments), others, model.rules)
    put(record, diagnosis=diagnosis)
    return record


def _end(end: EndRecord, address: str, port: int, sent: _Fields | None = None) -> EndRecord:
    if sent is None:
        return changed(end, address=address, port=port)
    iss = None if end.iss is None else sent[2]
    return changed(end, address=address, port=port, iss=iss, ttl=sent[5])


def _timed(handshake: HandshakeRecord, known: tuple[str, ...], took: float) -> HandshakeRecord:
    return changed(handshake, **dict.fromkeys(known, took)) if known else handshake


def _placed(finding: Finding, known: Record, frames: list[_Fields], server: Endpoint) -> Finding:
    """Return a finding of the model as one of this connection."""
    frame = frames[-1 if finding.frame != known.frames[0] else 0][1]
    if finding.code == _UNANSWERED and len(frames) > 1:
        span = (frames[-1][0] - frames[0][0]) / NS_PER_SECOND
        return changed(finding, frame=frame, values={**finding.values, "span": span})
    if finding.code == _PORT:
        return changed(finding, frame=frame, values={**finding.values, "port": server.port})
    return changed(finding, frame=frame)


def _seen(seen: Seen, fields: _Fields, ends: tuple[Endpoint, Endpoint]) -> Seen:
    """Return a segment of the model as that of this connection."""
    at, frame, seq, ack, window, ttl, ident, stamp, echo = fields
    # By place, as `_replace` takes several times as long.
    own = (seq, None if seen.ack is None else ack, seen.flags, window, 0, ttl)
    number = None if seen.ident is None else ident
    stamps = None if seen.stamp is None else stamp, None if seen.echo is None else echo
    return Seen._make((frame, at, *ends, *own, number, *seen[11:17], *stamps, *seen[19:]))
