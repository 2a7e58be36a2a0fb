"""How a connection was opened: looked at by the tracker once for each manner of opening."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

from handshake.survey import kept
from handshake.tcp import Flags
from handshake.tracker import Tracker, summarize

if TYPE_CHECKING:
    from handshake.record import Record
    from handshake.survey.kept import Kind
    from handshake.wire.decode import Decoder

_M: Final = 0xFFFF_FFFF
_SYN, _ACK, _PSH = int(Flags.SYN), int(Flags.ACK), int(Flags.PSH)
_ECN: Final = int(Flags.ECE | Flags.CWR)
_FLAGS: Final = 0xFFF
_FIXED: Final = 20
_LONG: Final = 1_000_000_000
"""Nanoseconds: a handshake that takes longer may have more to tell."""

_MANNERS: Final = 4096
"""Manners of opening that are remembered: a flood of odd ones cannot fill the memory."""

Fields: TypeAlias = tuple[Any, ...]


class Start(NamedTuple):
    """A clean opening; pairs are the caller's and the called end's."""

    model: Record
    """The record of a connection that opened in the same manner: options and what they agreed."""

    caller: bytes
    """Addresses and ports, as the caller's segments have them."""

    frame: int
    """The number of the SYN's frame."""

    called: int
    """When the SYN was seen."""

    answered: int
    """When the SYN,ACK was seen."""

    iss: tuple[int, int]
    ttls: tuple[int, int]
    clocks: tuple[int, int]
    timed: bool
    """Whether timestamps are in force."""


class Starts:
    """Knows the manners of opening that have been seen."""

    def __init__(self, decoder: Decoder) -> None:
        self._decoder = decoder
        self._models: dict[bytes, Record | None] = {}

    def of(self, kind: Kind, records: bytes | bytearray) -> Start | None:
        """Return how the connection was opened; None where that was out of the ordinary."""
        size = kind.record.size
        if len(records) < 3 * size:
            return None
        unpack = kind.fields.unpack_from
        syn, syn_ack, final = unpack(records), unpack(records, size), unpack(records, 2 * size)
        if not _clean(kind, syn, syn_ack, final):
            return None
        asked = _options(kind, records, 0, syn[9])
        answered = _options(kind, records, size, syn_ack[9])
        if asked is None or answered is None or (answered[1] and answered[2] != asked[1]):
            return None
        manner = b"%d %d %d %s|%s" % (kind.tcp, syn[9], syn_ack[9], asked[0], answered[0])
        if manner not in self._models:
            if len(self._models) >= _MANNERS:
                self._models.clear()
            self._models[manner] = self._model(kind, records[: 3 * size])
        model = self._models[manner]
        if model is None or model.negotiated is None:
            return None
        return Start(
            model=model,
            caller=syn[6],
            frame=syn[1],
            called=syn[0],
            answered=syn_ack[0],
            iss=(syn[7], syn_ack[7]),
            ttls=(syn[5], syn_ack[5]),
            clocks=(asked[1] or 0, answered[1] or 0),
            timed=model.negotiated.timestamps,
        )

    def _model(self, kind: Kind, records: bytes | bytearray) -> Record | None:
        tracker = Tracker()
        for observed in kept.observed(kind, records, self._decoder):
            tracker.feed(observed)
        record = summarize(tracker.connections[0])
        # What an expert would say of it may depend on times and numbers: that is for the tracker.
        plain = len(tracker.connections) == 1 and record.outcome == "established"
        return record if plain and not record.findings else None


def _clean(kind: Kind, syn: Fields, syn_ack: Fields, final: Fields) -> bool:
    iss, irs = syn[7], syn_ack[7]
    return (
        syn[9] & _FLAGS & ~_ECN == _SYN
        and syn_ack[9] & _FLAGS & ~_ECN == _SYN | _ACK
        and final[9] & _FLAGS & ~_PSH == _ACK
        and not syn[8]
        and syn_ack[8] == final[7] == (iss + 1) & _M
        and final[8] == (irs + 1) & _M
        and syn[6] == final[6] != syn_ack[6]
        and 0 <= syn_ack[0] - syn[0] < _LONG
        and 0 <= final[0] - syn_ack[0] < _LONG
        and bool(syn[10] and syn_ack[10])
        and all(each[4] - kind.counted == each[9] >> 10 & 60 for each in (syn, syn_ack))
    )


def _options(
    kind: Kind, records: bytes | bytearray, base: int, bits: int
) -> tuple[bytes, int | None, int] | None:
    """Return the options without the two clocks, and the clocks; None if cut off or damaged."""
    tcp, header = base + kept.HEAD + kind.tcp, bits >> 10 & 60
    if not kept.sound(kind, records, base, header):
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
