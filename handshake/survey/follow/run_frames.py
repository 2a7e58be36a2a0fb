"""The packed frames of a run, decoded one by one where one is looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from handshake.events import Role
from handshake.events.run import Brief
from handshake.packet import packed_frames
from handshake.packet.packed_frames import HEAD, V4, WRONG
from handshake.tcp.checksum import Checksum, is_partial
from handshake.units import TCP

if TYPE_CHECKING:
    from collections.abc import Iterator

    from handshake.events.run import Key
    from handshake.packet.decode import Decoder
    from handshake.packet.packed_frames import FrameLayout, Framing
    from handshake.tcp import Observed

_FLAGS: Final = 0x1FF
_ROLES: Final = (Role.CLIENT, Role.SERVER)


class Source(NamedTuple):
    """How the frames of a flow are decoded."""

    layout: FrameLayout
    framing: Framing
    decoder: Decoder

    def observed(self, records: bytes, place: int) -> Observed:
        """Return one of these packed frames as observed."""
        size = self.layout.record.size
        record = records[place * size : (place + 1) * size]
        (found,) = packed_frames.observed(self.layout, record, self.decoder, self.framing)
        return found


class RunFrames:
    """The packed frames of a run, decoded one by one where one is looked at."""

    __slots__ = ("_client", "_decoded", "_records", "_right", "_source")

    def __init__(self, source: Source, records: bytes, client: bytes, *, right: bool) -> None:
        """With `right` all checksums that can be verified are known to be right."""
        self._source, self._records, self._client = source, records, client
        self._right = right
        self._decoded: dict[int, Observed] = {}

    def observed(self, place: int) -> Observed:
        """Return one segment."""
        found = self._decoded.get(place)
        if found is None:
            found = self._decoded[place] = self._source.observed(self._records, place)
        return found

    def brief(self, first: int, last: int) -> Iterator[Brief]:
        """Yield the segments from the first to before the last of these places."""
        layout, records, place = self._source.layout, self._records, first
        size, four, tcp, new = layout.record.size, layout is V4, layout.tcp, tuple.__new__
        chosen = memoryview(records)[first * size : last * size]
        for found in layout.segment.iter_unpack(chosen):
            at, frame, _, packed, one, two, ttl, pair, seq, ack, bits, window, checksum, *_ = found
            base, length = place * size, (one if four else two) - layout.counted
            header = bits >> 10 & 60
            kind = Checksum.RIGHT
            if packed >> 2 < tcp + length:
                kind = Checksum.UNKNOWN
            elif not self._right and (
                packed & WRONG
                if packed >> 2 > layout.octets
                else not packed_frames.sound(layout, records, base, length)
            ):
                partial = is_partial(pair[:-4], TCP, length, checksum)
                kind = Checksum.PARTIAL if partial else Checksum.WRONG
            # As `Brief(*own)` has it, which takes three times as long.
            own = (
                place,
                frame,
                at,
                Role.CLIENT if pair == self._client else Role.SERVER,
                seq,
                ack,
                bits & _FLAGS,
                window,
                length - header,
                ttl,
                two if four else None,
                kind,
                records[base + HEAD + tcp + 20 : base + HEAD + tcp + header],
            )
            yield new(Brief, own)
            place += 1

    def has(self, seq: int, ack: int) -> bool:
        """Whether any segment may have these two numbers."""
        return (seq << 32 | ack).to_bytes(8, "big") in self._records

    def keys(self, first: int, last: int) -> list[tuple[Role, Key, int]]:
        """Return the sender, the key and the identification (0 if it has none) of each."""
        layout, client = self._source.layout, self._client
        size, four, counted = layout.record.size, layout is V4, layout.counted
        records = memoryview(self._records)[first * size : last * size]
        return [
            (
                _ROLES[pair != client],
                (seq, ack, bits & 0x3F, (one if four else two) - counted - (bits >> 10 & 60)),
                two if four else 0,
            )
            for _, _, _, _, one, two, _, pair, seq, ack, bits, *_ in layout.segment.iter_unpack(
                records
            )
        ]
