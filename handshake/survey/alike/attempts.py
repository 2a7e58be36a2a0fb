"""Sums up attempts: one SYN and at most one answer, as in scans and floods, or SYNs unanswered.

The tracker takes one of each shape. The record of another differs from that one's in addresses,
numbers and times; its diagnosis depends on other connections, and is made anew.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

import numpy as np

from handshake.diagnosis import Facts, diagnose, diagnose_alike, telling
from handshake.diagnosis.seen import Seen
from handshake.events.run import PAUSE
from handshake.packet import packed_frames
from handshake.packet.packed_frames import V4
from handshake.record import EndRecord, Finding, Record, rfc3339
from handshake.survey.alike.rows import RecordRows
from handshake.survey.alike.shapes import syn_options
from handshake.survey.alike.told_columns import ToldColumns
from handshake.survey.decode.segment_columns import UNKNOWN, segments
from handshake.survey.group.flow import endpoint_of, text_of
from handshake.survey.group.tally import tally
from handshake.tcp.copy import changed, copier, put
from handshake.tracker import PairTracker, summarize
from handshake.tracker.findings.capture import refusal
from handshake.tracker.zeek.conn import ATTEMPT
from handshake.units import ACK_BIT, MASK, NS_PER_SECOND, RST_BIT, SYN_BIT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from handshake.capture.columns import Column
    from handshake.diagnosis import Others, Rule
    from handshake.diagnosis.watched import Told
    from handshake.packet.decode import Decoder
    from handshake.packet.packed_frames import FrameLayout
    from handshake.record import HandshakeRecord
    from handshake.survey.decode.segment_columns import Segments
    from handshake.survey.group.flow import Flow
    from handshake.survey.group.waiting import AttemptRows
    from handshake.tcp import Endpoint

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

_UNANSWERED: Final = "no-answer"
"""The finding that names the time from the first SYN to the last."""

_PORT: Final = "refused"
"""The finding that names the server's port besides."""

_TIMES: Final = ("rtt", "initial_rtt", "syn_to_syn_ack", "syn_ack_to_ack")
MOST_SYNS: Final = 8
"""SYNs without an answer that may be one attempt."""

MOST_MODELS: Final = 1024
"""Shapes that are remembered, so that a flood of odd ones cannot fill the memory."""

_PAIR: Final = 2
_MOST_TOLD: Final = 512
"""Diagnoses that are told apart at a time; beyond that each attempt has its own."""

_WIDTH: Final = 48
"""Octets for what the segments of one shape have alike, and some that fill a word."""

_ODD: Final = 0x9E3779B97F4A7C15

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
        usual, shape = _shapes(seen)
        width, octets, fields = shape.shape[1], shape.tobytes(), _fields(seen)
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
                known = _record(flow.number, flow.keys[0], model, frames, self._others)
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
        models: list[_AttemptModel | None] = []
        for at in first.tolist():
            begin, records = int(one[at]), rows.records(at)
            key = shape[begin : begin + int(rows.counts[at])].tobytes()
            made = self._model_of(key, V4, records, _fields(segments(V4, [records])))
            models.append(made if usual[at] else None)
        usual &= np.array([each is not None for each in models])[of]
        return ModelledAttempts(rows.only(usual), models, of[usual], self._others), rows.only(
            ~usual
        )

    def _model_of(
        self, key: bytes, layout: FrameLayout, records: bytes, frames: list[_Fields]
    ) -> _AttemptModel | None:
        key = b"%d|%b" % (layout.tcp, key)
        if key not in self._models:
            if len(self._models) >= MOST_MODELS:
                self._models.clear()
            self._models[key] = self._model(layout, records, frames)
        return self._models[key]

    def _model(
        self, layout: FrameLayout, records: bytes, frames: list[_Fields]
    ) -> _AttemptModel | None:
        tracker = PairTracker()
        for observed in packed_frames.observed(layout, records, self._decoder):
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


class ModelledAttempts:
    """Attempts of which each has a model."""

    def __init__(
        self,
        attempts: AttemptRows,
        models: Sequence[_AttemptModel | None],
        of: Column,
        others: Others | None,
    ) -> None:
        """`of` tells which model each has."""
        self.attempts, self._of, self._others = attempts, of, others
        # Of those without a model no attempt is left.
        self._models = [each for each in models if each is not None]
        places = np.cumsum([each is not None for each in models]) - 1
        self._of = places[of] if len(of) else of
        self._which: list[int] = self._of.tolist()

    def __len__(self) -> int:
        return len(self.attempts)

    @cached_property
    def _columns(self) -> tuple[Column, ...]:
        return _own_columns(self.attempts.seen)

    @cached_property
    def _fields(self) -> list[_Fields]:
        return list(zip(*(each.tolist() for each in self._columns), strict=True))

    @cached_property
    def _spans(self) -> list[tuple[int, int]]:
        starts = self.attempts.starts
        return list(zip(starts.tolist(), (starts + self.attempts.counts).tolist(), strict=True))

    def number(self, at: int) -> int:
        """Return the number of a connection."""
        return int(self.attempts.numbers[at])

    def isns(self, which: Sequence[int]) -> list[tuple[int, int] | None]:
        """Return the ISNs of connections; None where there was no SYN-ACK."""
        seqs, starts = self.attempts.seen.seq, self.attempts.starts[which]
        last = starts + self.attempts.counts[which] - 1
        numbers = zip(which, seqs[starts].tolist(), seqs[last].tolist(), strict=True)
        numbered = [each.record.server.iss is not None for each in self._models]
        return [(one, two) if numbered[self._which[at]] else None for at, one, two in numbers]

    def model(self, at: int) -> Record:
        """Return the record of its shape."""
        return self._models[self._which[at]].record

    def record(self, at: int) -> Record:
        """Return its own record."""
        begin, end = self._spans[at]
        model, frames = self._models[self._which[at]], self._fields[begin:end]
        found = _record(self.number(at), self.attempts.key(at), model, frames, self._others)
        assert found is not None
        return found

    def records(self) -> Iterator[Record]:
        """Yield the record of each."""
        return map(self.record, range(len(self)))

    def rows(self, which: Sequence[int]) -> RecordRows:
        """Return what is counted of some connections."""
        at, seen = np.array(which), self.attempts.seen
        records, of = [each.record for each in self._models], self._of[at]
        first = self.attempts.starts[at]
        last = first + self.attempts.counts[at] - 1

        def told(tell: Callable[[Record], int]) -> Column:
            """Return a number that the model of each has."""
            found: Column = np.array([tell(each) for each in records])[of]
            return found

        timed = np.array(["rtt" in each.times for each in self._models])[of]
        answered = told(lambda each: each.server.ttl is not None).astype(bool)
        refused = told(lambda each: refusal(each) is not None).astype(bool)
        return RecordRows(
            capture=None,
            models=records,
            of=of,
            keys=self.attempts.keys[at],
            frames=seen.frame[first],
            segments=told(lambda each: each.client.segments + each.server.segments),
            octets=told(lambda each: each.client.bytes + each.server.bytes),
            rtts=np.where(timed, (seen.at[last] - seen.at[first]) / NS_PER_SECOND, np.nan),
            ttls=np.where(answered, seen.ttl[last], -1),
            refusals=np.where(refused, seen.frame[last], -1),
            diagnoses=self._codes(at),
        )

    def _codes(self, which: Column) -> list[str | None]:
        """Return the code of the diagnosis of each: most have that of another one alike."""
        others, seen, attempts = self._others, self.attempts.seen, self.attempts
        codes: list[str | None] = [None] * len(self)
        if others is None:
            return codes
        last = attempts.starts + attempts.counts - 1
        ttls = seen.ttl[attempts.starts] << 8 | seen.ttl[last]
        (client, server, _), most = attempts.ends, _MOST_TOLD
        kind_of = self._of << 17 | (client == server) << 16 | ttls
        told, kinds = ToldColumns(others, attempts), tally(kind_of[which])
        for kind, first in enumerate(kinds.firsts.tolist()):
            if not self._models[self._which[which[first]]].rules:
                continue
            left = which[kinds.rows(kind)]
            while len(left) and most:
                most -= 1
                claim, known, questions = self._told(int(left[0]), others)
                code = None if claim is None else claim.code
                same = told.alike(questions, left[0], left)
                for at in left[same].tolist():
                    codes[at] = code if known else self._own_code(at)
                left = left[~same]
            for at in left.tolist():
                codes[at] = self._own_code(at)
        return [codes[at] for at in which.tolist()]

    def _told(self, at: int, others: Others) -> Told:
        """Return what is claimed of one, and of which others, too."""
        model, (begin, end) = self._models[self._which[at]], self._spans[at]
        frames = list(zip(*(each[begin:end].tolist() for each in self._columns), strict=True))
        key = self.attempts.key(at)
        ends = endpoint_of(key), endpoint_of(key, second=True)
        record = _undiagnosed(self.number(at), key, model, frames)
        segments = _segments(model, frames, ends)
        return diagnose_alike(record, ends[0], segments, others, model.rules)

    def _own_code(self, at: int) -> str | None:
        diagnosis = self.record(at).diagnosis
        return None if diagnosis is None else diagnosis.code


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


def _own_columns(seen: Segments) -> tuple[Column, ...]:
    """Return what each segment has of its own."""
    options = syn_options(seen, np.arange(len(seen.flow)))
    own = (seen.at, seen.frame, seen.seq, seen.ack, seen.window, seen.ttl, seen.ident)
    return (*own, options.clock, options.echo)


def _fields(seen: Segments) -> list[_Fields]:
    return list(zip(*(each.tolist() for each in _own_columns(seen)), strict=True))


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


def _record(
    number: int,
    key: bytes,
    model: _AttemptModel,
    frames: list[_Fields],
    others: Others | None,
) -> Record | None:
    ends = endpoint_of(key), endpoint_of(key, second=True)
    if ends[0] == ends[1]:
        return None
    record = _undiagnosed(number, key, model, frames)
    facts = Facts.of(_segments(model, frames, ends))
    diagnosis = diagnose(record, ends[0], facts, others, model.rules)
    if diagnosis is not None:
        put(record, diagnosis=diagnosis)
    return record


def _undiagnosed(number: int, key: bytes, model: _AttemptModel, frames: list[_Fields]) -> Record:
    known, first, last = model.record, frames[0], frames[-1]
    half, port = len(key) // 2 - 2, int.from_bytes(key[-2:], "big")
    took = (last[0] - first[0]) / NS_PER_SECOND
    client, server = known.client, known.server
    client = _end(client, text_of(key[:half]), int.from_bytes(key[-4:-2], "big"), first)
    to = text_of(key[half:-4]), port
    answered = server.segments and len(frames) > 1
    server = _end(server, *to, frames[1]) if answered else _unheard(server, *to)
    record: Record = _copy(
        known,
        number,
        client,
        server,
        rfc3339(first[0]),
        took,
        _timed(known.handshake, model.times, took),
        (first[1], last[1]),
        tuple([_placed(each, known, frames, port) for each in known.findings]),
    )
    return record


def _segments(
    model: _AttemptModel, frames: list[_Fields], ends: tuple[Endpoint, Endpoint]
) -> list[Seen]:
    back = ends[::-1]
    return [
        _seen(seen, fields, ends if seen.syn else back)
        for seen, fields in zip(model.segments, frames, strict=True)
    ]


_unheard: Final = copier(EndRecord, "address", "port")
_heard: Final = copier(EndRecord, "address", "port", "iss", "ttl")
_copy: Final = copier(
    Record, "stream", "client", "server", "start", "duration", "handshake", "frames", "findings"
)
_found_at: Final = copier(Finding, "frame")


def _end(end: EndRecord, address: str, port: int, sent: _Fields) -> EndRecord:
    iss = None if end.iss is None else sent[2]
    found: EndRecord = _heard(end, address, port, iss, sent[5])
    return found


def _timed(handshake: HandshakeRecord, known: tuple[str, ...], took: float) -> HandshakeRecord:
    return changed(handshake, **dict.fromkeys(known, took)) if known else handshake


def _placed(finding: Finding, known: Record, frames: list[_Fields], port: int) -> Finding:
    """Return a finding of the model as one of this connection."""
    frame = frames[-1 if finding.frame != known.frames[0] else 0][1]
    if finding.code == _UNANSWERED and len(frames) > 1:
        span = (frames[-1][0] - frames[0][0]) / NS_PER_SECOND
        return changed(finding, frame=frame, values={**finding.values, "span": span})
    if finding.code == _PORT:
        return changed(finding, frame=frame, values={**finding.values, "port": port})
    found: Finding = _found_at(finding, frame)
    return found


def _seen(seen: Seen, fields: _Fields, ends: tuple[Endpoint, Endpoint]) -> Seen:
    """Return a segment of the model as that of this connection."""
    at, frame, seq, ack, window, ttl, ident, stamp, echo = fields
    own = (seq, None if seen.ack is None else ack, seen.flags, window, 0, ttl)
    number = None if seen.ident is None else ident
    stamps = None if seen.stamp is None else stamp, None if seen.echo is None else echo
    return Seen.made((frame, at, *ends, *own, number, *seen[11:17], *stamps, *seen[19:]))
