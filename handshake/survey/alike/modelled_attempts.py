"""Attempts of known shapes: the record of each, made from that of one that the tracker followed.

It differs from that one in addresses, numbers and times; its diagnosis depends on what the rest of
the capture shows, and is made anew.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

import numpy as np

from handshake.diagnosis import Facts, diagnose, diagnose_alike
from handshake.diagnosis.seen import Seen
from handshake.record import EndRecord, Finding, Record, rfc3339
from handshake.survey.alike.rows import RecordRows
from handshake.survey.alike.shapes import syn_options
from handshake.survey.alike.told_columns import ToldColumns
from handshake.survey.group.flow import endpoint_of, text_of
from handshake.survey.group.tally import tally
from handshake.tcp.copy import changed, copier, put
from handshake.tracker.findings.capture import refusal
from handshake.units import NS_PER_SECOND

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from handshake.capture.columns import Column
    from handshake.diagnosis import Others, Rule
    from handshake.diagnosis.watched import Told
    from handshake.record import HandshakeRecord
    from handshake.survey.decode.segment_columns import Segments
    from handshake.survey.group.waiting import AttemptRows
    from handshake.tcp import Endpoint

_UNANSWERED: Final = "no-answer"
"""The finding that names the time from the first SYN to the last."""

PORT: Final = "refused"
"""The finding that names the server's port besides."""

_MOST_TOLD: Final = 512
"""Diagnoses that are told apart at a time; beyond that each attempt has its own."""

Fields: TypeAlias = tuple[int, ...]
"""Time, frame, numbers, window, TTL, identification and timestamps of a segment."""


class AttemptModel(NamedTuple):
    """What the tracker made of one attempt of a shape."""

    record: Record
    segments: tuple[Seen, ...]
    rules: tuple[Rule, ...]
    """Those of a diagnosis that may tell something of attempts of this shape."""

    times: tuple[str, ...]
    """The times of the handshake that are known."""


class ModelledAttempts:
    """Attempts of which each has a model."""

    def __init__(
        self,
        attempts: AttemptRows,
        models: Sequence[AttemptModel | None],
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
    def _fields(self) -> list[Fields]:
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
        found = record_of(self.number(at), self.attempts.key(at), model, frames, self._others)
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


def _own_columns(seen: Segments) -> tuple[Column, ...]:
    """Return the same in columns."""
    options = syn_options(seen, np.arange(len(seen.flow)))
    own = (seen.at, seen.frame, seen.seq, seen.ack, seen.window, seen.ttl, seen.ident)
    return (*own, options.clock, options.echo)


def fields_of(seen: Segments) -> list[Fields]:
    """Return what each segment has of its own."""
    return list(zip(*(each.tolist() for each in _own_columns(seen)), strict=True))


def record_of(
    number: int,
    key: bytes,
    model: AttemptModel,
    frames: list[Fields],
    others: Others | None,
) -> Record | None:
    """Return the record of an attempt with this key; None if it goes from a socket to itself."""
    ends = endpoint_of(key), endpoint_of(key, second=True)
    if ends[0] == ends[1]:
        return None
    record = _undiagnosed(number, key, model, frames)
    facts = Facts.of(_segments(model, frames, ends))
    diagnosis = diagnose(record, ends[0], facts, others, model.rules)
    if diagnosis is not None:
        put(record, diagnosis=diagnosis)
    return record


def _undiagnosed(number: int, key: bytes, model: AttemptModel, frames: list[Fields]) -> Record:
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
    model: AttemptModel, frames: list[Fields], ends: tuple[Endpoint, Endpoint]
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


def _end(end: EndRecord, address: str, port: int, sent: Fields) -> EndRecord:
    iss = None if end.iss is None else sent[2]
    found: EndRecord = _heard(end, address, port, iss, sent[5])
    return found


def _timed(handshake: HandshakeRecord, known: tuple[str, ...], took: float) -> HandshakeRecord:
    return changed(handshake, **dict.fromkeys(known, took)) if known else handshake


def _placed(finding: Finding, known: Record, frames: list[Fields], port: int) -> Finding:
    """Return a finding of the model as one of this connection."""
    frame = frames[-1 if finding.frame != known.frames[0] else 0][1]
    if finding.code == _UNANSWERED and len(frames) > 1:
        span = (frames[-1][0] - frames[0][0]) / NS_PER_SECOND
        return changed(finding, frame=frame, values={**finding.values, "span": span})
    if finding.code == PORT:
        return changed(finding, frame=frame, values={**finding.values, "port": port})
    found: Finding = _found_at(finding, frame)
    return found


def _seen(seen: Seen, fields: Fields, ends: tuple[Endpoint, Endpoint]) -> Seen:
    """Return a segment of the model as that of this connection."""
    at, frame, seq, ack, window, ttl, ident, stamp, echo = fields
    own = (seq, None if seen.ack is None else ack, seen.flags, window, 0, ttl)
    number = None if seen.ident is None else ident
    stamps = None if seen.stamp is None else stamp, None if seen.echo is None else echo
    return Seen.made((frame, at, *ends, *own, number, *seen[11:17], *stamps, *seen[19:]))
