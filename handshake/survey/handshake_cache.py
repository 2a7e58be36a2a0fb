"""Caches handshakes: the tracker takes one of each kind, the rest are compared with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

from handshake.packet import packed_frames
from handshake.tcp import Flags
from handshake.tracker import PairTracker, summarize
from handshake.tracker.zeek import Zeek
from handshake.units import ACK_BIT, MASK, NS_PER_SECOND, PSH_BIT, SYN_BIT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from handshake.packet.decode import Decoder
    from handshake.packet.packed_frames import FrameLayout
    from handshake.record import Record

_ECN: Final = int(Flags.ECE | Flags.CWR)
_FLAGS: Final = 0xFFF
_FIXED: Final = 20
_LONG: Final = NS_PER_SECOND
"""Nanoseconds from which the time of a handshake may lead to a finding."""

_SOON: Final = 5_000_000_000
"""Nanoseconds from which Zeek takes a handshake for more than one connection."""

_MOST_SYNS: Final = 12
_FEW: Final = 4

_MOST_MODELS: Final = 4096
"""Handshakes that are cached, so that a flood of odd ones cannot fill the memory."""

Fields: TypeAlias = tuple[Any, ...]


class Model(NamedTuple):
    """The result of a kind of handshake."""

    record: Record
    """The record of a connection that is just established."""

    history: str
    """Zeek's history before the last segment of the handshake."""


class Start(NamedTuple):
    """The handshake of one connection; pairs hold the client's and the server's value."""

    model: Model
    own: bool
    """Whether the model is of this connection: its times and findings hold."""

    syns: int
    """How many segments came before the ACK that completed the handshake."""

    segments: tuple[int, int]
    """How many of these each end sent."""

    client_key: bytes
    """Addresses and ports, as in the client's frames."""

    frame: int
    """The number of the first frame."""

    syn_at: int
    """When the first segment was seen."""

    answered: int
    """When the last segment before that ACK was seen."""

    iss: tuple[int, int]
    ttls: tuple[int, int]
    clocks: tuple[int, int]
    timed: bool
    """Whether timestamps were negotiated."""

    unscaled: bool
    """Whether window scaling is not in force."""

    window: int
    """The window of the SYN-ACK."""


class HandshakeCache:
    """The handshakes seen so far, by flags and options."""

    def __init__(self, decoder: Decoder) -> None:
        self._decoder = decoder
        self._models: dict[bytes, Model | None] = {}

    def of(self, layout: FrameLayout, records: bytes | bytearray) -> Start | None:
        """Return the handshake of a connection; None if a tracker must follow it."""
        size = layout.record.size
        if len(records) < 3 * size:
            return None
        unpack = layout.fields.unpack_from
        first = [unpack(records, at * size) for at in range(3)]
        if first[2][9] & SYN_BIT:
            return self._slow(layout, records)
        asked = options_of(layout, records, 0, first[0][9])
        answered = options_of(layout, records, size, first[1][9])
        if asked is None or answered is None or not _clean(layout, first):
            return None
        if answered[1] and answered[2] != asked[1]:
            return None
        shape = b"%d %d %d %s|%s" % (layout.tcp, first[0][9], first[1][9], asked[0], answered[0])
        if shape not in self._models:
            if len(self._models) >= _MOST_MODELS:
                self._models.clear()
            model = self._model(layout, records, 2)
            # Its findings and its diagnosis may depend on its times and numbers.
            told = model is None or model.record.findings or model.record.diagnosis
            self._models[shape] = None if told else model
        known = self._models[shape]
        if known is None or first[2][0] - first[0][0] >= _LONG:
            return self._slow(layout, records)
        return _start(known, first, (asked[1] or 0, answered[1] or 0), own=False)

    def _slow(self, layout: FrameLayout, records: bytes | bytearray) -> Start | None:
        """Return a handshake with findings or retransmissions, tracked on its own."""
        size, opening = layout.record.size, []
        for at in range(min(len(records) // size, _MOST_SYNS)):
            opening.append(layout.fields.unpack_from(records, at * size))
            if not opening[-1][9] & SYN_BIT:
                break
        # Few segments more: tracking them all is cheaper.
        if len(records) < (len(opening) + _FEW) * size or not _clean(layout, opening):
            return None
        clocks = [0, 0]
        for at, fields in enumerate(opening[:-1]):
            found = options_of(layout, records, at * size, fields[9])
            if found is None:
                return None
            clocks[fields[6] != opening[0][6]] = found[1] or 0
        model = self._model(layout, records, len(opening) - 1)
        if model is not None and model.record.handshake.syn_retransmissions and any(clocks):
            # Which SYN was answered may depend on later round trips.
            return None
        return None if model is None else _start(model, opening, (clocks[0], clocks[1]), own=True)

    def _model(self, layout: FrameLayout, records: bytes | bytearray, count: int) -> Model | None:
        tracker, history, zeek = PairTracker(), "", None
        for observed in packed_frames.observed(
            layout, records[: (count + 1) * layout.record.size], self._decoder
        ):
            conn = None if zeek is None else zeek.main
            history = "" if conn is None else conn.history.text
            tracker.feed(observed)
            zeek = tracker.connection.observer(Zeek) if tracker.connection else None
        connection = tracker.connection
        assert connection is not None
        assert zeek is not None
        record = summarize(connection)
        single = not connection.number and len(zeek.conns) == 1
        if not single or record.outcome != "established" or record.negotiated is None:
            return None
        if connection.final_ack is not connection.last or record.client.copies:
            return None
        if record.server.copies:
            return None
        return Model(record, history)


def _start(model: Model, opening: Sequence[Fields], clocks: tuple[int, int], *, own: bool) -> Start:
    assert model.record.negotiated is not None
    syn, answers = opening[0], [each for each in opening[:-1] if each[6] != opening[0][6]]
    count = len(opening) - 1
    return Start(
        model=model,
        own=own,
        syns=count,
        segments=(count - len(answers), len(answers)),
        client_key=syn[6],
        frame=syn[1],
        syn_at=syn[0],
        answered=opening[-2][0],
        iss=(syn[7], answers[0][7]),
        ttls=(syn[5], answers[0][5]),
        clocks=clocks,
        timed=model.record.negotiated.timestamps,
        unscaled=None in (model.record.client.window_scale, model.record.server.window_scale),
        window=answers[-1][10],
    )


def _clean(layout: FrameLayout, opening: Sequence[Fields]) -> bool:
    """Whether this is a SYN and a SYN-ACK, each perhaps retransmitted, and the ACK."""
    *syns, final = opening
    if not syns:
        return False
    syn = syns[0]
    answer = next((each for each in syns if each[6] != syn[6]), None)
    if answer is None or final[6] != syn[6] or final[9] & _FLAGS & ~PSH_BIT != ACK_BIT:
        return False
    if final[7] != (syn[7] + 1) & MASK or final[8] != (answer[7] + 1) & MASK:
        return False
    for each in syns:
        by_client = each[6] == syn[6]
        first, flags, ack = (
            (syn, SYN_BIT, 0) if by_client else (answer, SYN_BIT | ACK_BIT, final[7])
        )
        if (
            each[9] & _FLAGS & ~_ECN != flags
            or each[8] != ack
            or each[7] != first[7]
            or each[5] != first[5]
            or not each[10]
            or each[4] - layout.counted != each[9] >> 10 & 60
        ):
            return False
    times = [each[0] for each in opening]
    return times == sorted(times) and times[-1] - times[0] < _SOON


def options_of(
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
