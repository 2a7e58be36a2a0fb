"""Sums up attempts: connections of one SYN and at most one answer, as in scans and floods.

The tracker takes one of each kind. The record of another differs from that one's in addresses,
numbers and times; its diagnosis depends on other connections, and is made anew.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

from handshake.diagnosis import Facts, diagnose
from handshake.packet import packed_frames
from handshake.packet.packed_frames import V4
from handshake.record import rfc3339
from handshake.survey.flow import endpoint_of, text_of
from handshake.tcp.copy import changed
from handshake.tracker import PairTracker, summarize
from handshake.units import ACK_BIT, MASK, NS_PER_SECOND, RST_BIT, SYN_BIT

if TYPE_CHECKING:
    from handshake.diagnosis import Others
    from handshake.diagnosis.seen import Seen
    from handshake.packet.decode import Decoder
    from handshake.packet.packed_frames import FrameLayout
    from handshake.record import EndRecord, Finding, HandshakeRecord, Record
    from handshake.survey.flow import Flow
    from handshake.tcp import Endpoint

_FLAGS: Final = 0xFFF
_FIXED: Final = 20
_ANSWERS: Final = frozenset((SYN_BIT | ACK_BIT, RST_BIT | ACK_BIT))
_LONG: Final = NS_PER_SECOND
"""Nanoseconds from which the time to the answer may mean more than itself."""

_PLACED: Final = frozenset({"no-answer", "timestamps-refused", "ecn-refused", "syn-cookies"})
"""Findings whose values are the same for all connections of a kind."""

_PORT: Final = "refused"
"""The finding that names the server's port besides."""

_TIMES: Final = ("rtt", "initial_rtt", "syn_to_syn_ack", "syn_ack_to_ack")
_MOST_MODELS: Final = 1024
"""Kinds that are remembered, so that a flood of odd ones cannot fill the memory."""

_Fields: TypeAlias = tuple[Any, ...]


class _Model(NamedTuple):
    """What the tracker made of one attempt of a kind."""

    record: Record
    segments: tuple[Seen, ...]


class Attempts:
    """The kinds of attempts seen so far, by flags and options."""

    def __init__(self, decoder: Decoder) -> None:
        self._decoder = decoder
        self._models: dict[bytes, _Model | None] = {}

    def of(self, flow: Flow, others: Others | None) -> Record | None:
        """Return the record of a flow that is an attempt; None if a tracker must follow it."""
        layout, records = flow.layout, flow.records
        count = len(records) // layout.record.size
        if not 0 < count <= 2:
            return None
        frames = [
            layout.segment.unpack_from(records, at * layout.record.size) for at in range(count)
        ]
        kind = _kind(layout, records, frames)
        if kind is None:
            return None
        if kind not in self._models:
            if len(self._models) >= _MOST_MODELS:
                self._models.clear()
            self._models[kind] = self._model(layout, bytes(records), frames)
        model = self._models[kind]
        return None if model is None else _record(flow, model, frames, others)

    def _model(self, layout: FrameLayout, records: bytes, frames: list[_Fields]) -> _Model | None:
        tracker = PairTracker()
        for observed in packed_frames.observed(layout, records, self._decoder):
            tracker.feed(observed)
        connection = tracker.connection
        if connection is None or connection.segments != len(frames) or connection.number:
            return None
        facts, record = connection.observer(Facts), summarize(connection)
        if facts is None or any(each.code not in {*_PLACED, _PORT} for each in record.findings):
            return None
        took = (frames[-1][0] - frames[0][0]) / NS_PER_SECOND
        times = [getattr(record.handshake, name) for name in _TIMES]
        numbers = record.server.iss in (None, frames[-1][8])
        if (
            not numbers
            or record.duration != took
            or any(each not in (None, took) for each in times)
        ):
            return None
        return _Model(changed(record, diagnosis=None), tuple(facts.segments))


def _kind(layout: FrameLayout, records: bytearray, frames: list[_Fields]) -> bytes | None:
    """Return what attempts must have in common; None for what is no attempt."""
    asked = _plain(layout, records, 0, frames[0])
    at, _, _, _, _, _, _, pair, seq, ack, bits, window, *_ = frames[0]
    if asked is None or bits & _FLAGS != SYN_BIT or ack or not window or not 0 < seq < MASK:
        return None
    kind = b"%d %s" % (layout.tcp, asked[0])
    if len(frames) == 1:
        return kind
    answered = _plain(layout, records, layout.record.size, frames[1])
    later, _, _, _, _, _, _, back, number, ack, bits, window, *_ = frames[1]
    flags, reset = bits & _FLAGS, bits & RST_BIT
    if (
        answered is None
        or back == pair
        or flags not in _ANSWERS
        or ack != seq + 1
        or not 0 < later - at < _LONG
        or (number if reset else not (window and 0 < number < MASK))
        or (answered[1] is not None and answered[2] != asked[1])
    ):
        return None
    return b"%s|%d %s" % (kind, flags, answered[0])


def _plain(
    layout: FrameLayout, records: bytearray, base: int, fields: _Fields
) -> tuple[bytes, int | None, int] | None:
    """Return the options of a segment as `options_of` does; None if it has data, or is damaged."""
    bits, urgent = fields[10], fields[13]
    total = fields[4] if layout is V4 else fields[5]
    if urgent or total - layout.counted != bits >> 10 & 60:
        return None
    return _options_of(layout, records, base, bits)


def _record(
    flow: Flow, model: _Model, frames: list[_Fields], others: Others | None
) -> Record | None:
    key = frames[0][7]
    ends = endpoint_of(key), endpoint_of(key, second=True)
    if ends[0] == ends[1]:
        return None
    took = (frames[-1][0] - frames[0][0]) / NS_PER_SECOND
    half = len(key) // 2 - 2
    names = text_of(key[:half]), text_of(key[half:-4])
    record = changed(
        model.record,
        stream=flow.number,
        client=_end(model.record.client, names[0], ends[0], frames[:1]),
        server=_end(model.record.server, names[1], ends[1], frames[1:]),
        start=rfc3339(frames[0][0]),
        duration=took,
        handshake=_timed(model.record.handshake, took),
        frames=(frames[0][1], frames[-1][1]),
        findings=tuple(_placed(each, model, frames, ends[1]) for each in model.record.findings),
    )
    segments = [
        _seen(seen, flow, place, fields, ends if not place else ends[::-1])
        for place, (seen, fields) in enumerate(zip(model.segments, frames, strict=True))
    ]
    diagnosis = diagnose(record, ends[0], Facts.of(segments), others)
    return record if diagnosis is None else changed(record, diagnosis=diagnosis)


def _end(end: EndRecord, name: str, endpoint: Endpoint, sent: list[_Fields]) -> EndRecord:
    port = endpoint.port
    if not sent:
        return changed(end, address=name, port=port)
    fields = sent[0]
    iss = end.iss if end.iss is None else fields[8]
    return changed(end, address=name, port=port, iss=iss, ttl=fields[6])


def _timed(handshake: HandshakeRecord, took: float) -> HandshakeRecord:
    known = [name for name in _TIMES if getattr(handshake, name) is not None]
    return changed(handshake, **dict.fromkeys(known, took)) if known else handshake


def _placed(finding: Finding, model: _Model, frames: list[_Fields], server: Endpoint) -> Finding:
    """Return a finding of the model as one of this connection."""
    frame = frames[finding.frame != model.record.frames[0]][1]
    if finding.code == _PORT:
        return changed(finding, frame=frame, values={**finding.values, "port": server.port})
    return changed(finding, frame=frame)


def _seen(
    seen: Seen, flow: Flow, place: int, fields: _Fields, ends: tuple[Endpoint, Endpoint]
) -> Seen:
    """Return a segment of the model as that of this connection."""
    at, frame, _, _, _, number, ttl, _, seq, ack, _, window, *_ = fields
    found = _options_of(flow.layout, flow.records, place * flow.layout.record.size, fields[10])
    assert found is not None
    _, stamp, echo = found
    return seen._replace(
        frame=frame,
        at=at,
        source=ends[0],
        destination=ends[1],
        seq=seq,
        ack=None if seen.ack is None else ack,
        window=window,
        ttl=ttl,
        ident=None if seen.ident is None else number,
        stamp=None if seen.stamp is None else stamp,
        echo=None if seen.echo is None else echo,
    )


def _options_of(
    layout: FrameLayout, records: bytes | bytearray, base: int, bits: int
) -> tuple[bytes, int | None, int] | None:
    """Return the options without the timestamps, and these; None if truncated or damaged.

    Only for a segment without data.
    """
    tcp, header = base + packed_frames.HEAD + layout.tcp, bits >> 10 & 60
    if not packed_frames.sound(layout, records, base, header):
        return None
    raw = bytes(records[tcp + _FIXED : tcp + header])
    at, end = 0, len(raw)
    while at + 1 < end:
        option = raw[at]
        if option == 0:
            break
        if option == 8 and raw[at + 1] == 10 and at + 10 <= end:
            clocks = raw[at + 2 : at + 10]
            return (
                raw[: at + 2] + raw[at + 10 :],
                int.from_bytes(clocks[:4], "big"),
                int.from_bytes(clocks[4:], "big"),
            )
        at += 1 if option == 1 else max(raw[at + 1], 2)
    return raw, None, 0
