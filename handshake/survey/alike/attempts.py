"""Attempts: one SYN and at most one answer, as in scans and floods, or SYNs that got none.

The tracker takes one of each shape. What it made of that gives the records of the others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from handshake.diagnosis import Facts, telling
from handshake.events.run import PAUSE
from handshake.packet import packed_frames
from handshake.packet.packed_frames import V4
from handshake.survey.alike.modelled_attempts import (
    PORT,
    AttemptModel,
    ModelledAttempts,
    fields_of,
    record_of,
)
from handshake.survey.alike.shapes import syn_options
from handshake.survey.decode.segment_columns import UNKNOWN, segments
from handshake.tcp.copy import changed
from handshake.tracker import PairTracker, summarize
from handshake.tracker.zeek.conn import ATTEMPT
from handshake.units import ACK_BIT, MASK, NS_PER_SECOND, RST_BIT, SYN_BIT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from handshake.capture.columns import Column
    from handshake.diagnosis import Others
    from handshake.packet.decode import Decoder
    from handshake.packet.packed_frames import FrameLayout
    from handshake.record import Record
    from handshake.survey.alike.modelled_attempts import Fields
    from handshake.survey.decode.segment_columns import Segments
    from handshake.survey.group.flow import Flow
    from handshake.survey.group.waiting import AttemptRows

_FLAGS: Final = 0xFFF
_LONG: Final = NS_PER_SECOND
"""Nanoseconds from which the time to the answer may mean more than itself."""

_PLACED: Final = frozenset(
    {
        *("no-answer", "timestamps-refused", "ecn-refused", "syn-cookies"),
        *("checksum-offload", "checksum-accepted", "bad-checksum"),
    }
)
"""Findings whose values are the same for all connections of a shape."""

_TIMES: Final = ("rtt", "initial_rtt", "syn_to_syn_ack", "syn_ack_to_ack")
MOST_SYNS: Final = 8
"""SYNs without an answer that may be one attempt."""

MOST_MODELS: Final = 1024
"""Shapes that are remembered, so that a flood of odd ones cannot fill the memory."""

_PAIR: Final = 2
_WIDTH: Final = 48
"""Octets for what the segments of one shape have alike, and some that fill a word."""

_ODD: Final = 0x9E3779B97F4A7C15


class Attempts:
    """The shapes of attempts seen so far."""

    def __init__(self, decoder: Decoder, others: Others | None) -> None:
        self._decoder = decoder
        self._others = others
        self._models: dict[bytes, AttemptModel | None] = {}

    def records(self, flows: Sequence[Flow], seen: Segments) -> list[Record | None]:
        """Return the record of each flow that is an attempt; None where a tracker must follow it.

        They have one or two segments each, or SYNs of one end, which `seen` has in columns.
        """
        usual, shape = _shapes(seen)
        width, octets, fields = shape.shape[1], shape.tobytes(), fields_of(seen)
        found: list[Record | None] = []
        for flow, good, start, count in zip(
            flows, usual.tolist(), seen.starts.tolist(), seen.counts.tolist(), strict=True
        ):
            frames, model = fields[start : start + count], None
            if good:
                key = octets[start * width : (start + count) * width]
                model = self._model_of(key, flow.layout, bytes(flow.records), frames)
            known = None
            if model is not None:
                known = record_of(flow.number, flow.keys[0], model, frames, self._others)
            found.append(known)
        return found

    def alike(self, rows: AttemptRows) -> tuple[ModelledAttempts, AttemptRows]:
        """Return those attempts that have a model, and those that a tracker must follow."""
        seen, one = rows.seen, rows.starts
        usual, shape = _shapes(seen)
        both = np.full((len(rows), 2, _WIDTH), 0xFF, np.uint8)
        both[:, 0, : shape.shape[1]] = shape[one]
        pairs = rows.counts > 1
        both[pairs, 1, : shape.shape[1]] = shape[one[pairs] + 1]
        whole = both.reshape(len(rows), -1)
        first, of = _kinds(whole)
        usual &= (whole == whole[first][of]).all(axis=1)
        # Both ends of a connection of a socket to itself look alike.
        usual &= ~rows.of_one_socket
        models: list[AttemptModel | None] = []
        for at in first.tolist():
            begin, records = int(one[at]), rows.records(at)
            key = shape[begin : begin + int(rows.counts[at])].tobytes()
            made = self._model_of(key, V4, records, fields_of(segments(V4, [records])))
            models.append(made if usual[at] else None)
        usual &= np.array([each is not None for each in models])[of]
        return ModelledAttempts(rows.only(usual), models, of[usual], self._others), rows.only(
            ~usual
        )

    def _model_of(
        self, key: bytes, layout: FrameLayout, records: bytes, frames: list[Fields]
    ) -> AttemptModel | None:
        key = b"%d|%b" % (layout.tcp, key)
        if key not in self._models:
            if len(self._models) >= MOST_MODELS:
                self._models.clear()
            self._models[key] = self._model(layout, records, frames)
        return self._models[key]

    def _model(
        self, layout: FrameLayout, records: bytes, frames: list[Fields]
    ) -> AttemptModel | None:
        tracker = PairTracker()
        for observed in packed_frames.observed(layout, records, self._decoder):
            tracker.feed(observed)
        connection = tracker.connection
        if connection is None or connection.segments != len(frames) or connection.number:
            return None
        facts, record = connection.observer(Facts), summarize(connection)
        if facts is None or any(each.code not in {*_PLACED, PORT} for each in record.findings):
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
        return AttemptModel(record, tuple(facts.segments), rules, known)


def _kinds(rows: Column) -> tuple[Column, Column]:
    """Return the first row of each kind, and of which kind each is: nearly always right."""
    words = rows.view("<u4").astype(np.uint64)
    weights = np.arange(1, words.shape[1] + 1, dtype=np.uint64) * np.uint64(_ODD)
    mixed = (words * (weights | np.uint64(1))).sum(axis=1, dtype=np.uint64)
    _, first, of = np.unique(mixed, return_index=True, return_inverse=True)
    return first, of.reshape(-1)


def _shapes(seen: Segments) -> tuple[Column, Column]:
    """Return which flows may be attempts, and what segments of those of one shape have alike."""
    one = seen.starts
    last = one + seen.counts - 1
    options = syn_options(seen, np.arange(len(seen.flow)))
    alike = (seen.payload == 0) & (seen.urgent == 0) & (seen.sums != UNKNOWN)
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
    told = np.stack((options.timed, seen.header, flags >> 8, flags & 0xFF, seen.sums), axis=1)
    turns = np.frombuffer(_zeek_turns(seen), np.uint8)[:, None]
    shape = np.concatenate((told, options.raw, turns), axis=1).astype(np.uint8)
    return ok, shape


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
    waited = seen.at - seen.at[np.maximum(np.arange(len(seen.flow)) - 1, 0)]
    second = np.arange(len(seen.flow)) == seen.starts[seen.flow] + 1
    turns = bytearray((second & (waited >= ATTEMPT)).astype(np.uint8).tobytes())
    for flow in np.flatnonzero(seen.counts > _PAIR).tolist():
        start, count = int(seen.starts[flow]), int(seen.counts[flow])
        begin, *later = seen.at[start : start + count].tolist()
        for place, at in enumerate(later, start + 1):
            turns[place] = at >= begin + ATTEMPT
            if turns[place]:
                begin = at
    return bytes(turns)
