"""Finds the runs of a flow's packed frames: segments in which nothing happens.

What such a segment is, `handshake.events.run` tells; of each it takes a few comparisons, where the
tracker would ask every rule. All others go to the tracker one by one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from handshake.events import Role
from handshake.events.run import PAUSE, Brief, Run, Sum
from handshake.packet import packed_frames
from handshake.packet.packed_frames import HEAD, V4, WRONG
from handshake.survey.flow import key_of
from handshake.tcp import Seq
from handshake.tcp.checksum import Checksum, is_partial
from handshake.units import ACK_BIT, MASK, PSH_BIT, TCP

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from handshake.events.run import Key, RunStart
    from handshake.packet.decode import Decoder
    from handshake.packet.packed_frames import FrameLayout, Framing
    from handshake.survey.flow import Flow
    from handshake.tcp import Observed
    from handshake.tracker import PairTracker

_SIGN: Final = 0x8000_0000
_ONES: Final = 0xFFFF

_TIMESTAMPS: Final = 0x0101080A
"""The first four octets of options that are timestamps alone, as nearly all senders pad them."""

_MOST_UNACKNOWLEDGED: Final = 8 << 20
"""Unacknowledged octets beyond which Zeek may give up on the stream."""

_LEAST: Final = 4
"""Segments from which a run costs less than they do one by one."""

_MOST: Final = 256
"""Segments of one run: its frames are kept while one of them may still be looked at."""

_FAR: Final = 1 << 24
"""Octets acknowledged at once that may be another numbering (`findings.data.FAR`)."""

_FLAGS: Final = 0x1FF
_AGAIN_AT: Final = frozenset(10**power for power in range(12))
_ROLES: Final = (Role.CLIENT, Role.SERVER)
_PLAIN: Final = {
    header << 10 | bits: header for header in (20, 32) for bits in (ACK_BIT, ACK_BIT | PSH_BIT)
}
"""Header length by data offset and control bits: without options, or with timestamps alone."""


def feed(
    tracker: PairTracker,
    one: Callable[[Observed], None],
    flow: Flow,
    records: bytes,
    decoder: Decoder,
) -> None:
    """Give packed frames to a tracker: runs at once, other segments to `one`, which feeds it."""
    layout, framing = flow.layout, flow.framing
    size, base, alone = layout.record.size, 0, 0
    while base < len(records):
        if not alone and len(records) - base >= _LEAST * size:
            start = tracker.start()
            run = None
            if start is not None:
                source = _Source(layout, framing, decoder)
                run = _find(source, records, base, start, _keys(tracker))
            if run is not None and run.count >= _LEAST:
                tracker.skip(run)
                base += run.count * size
                alone = 0 if run.count == _MOST else 1
                continue
            alone = 1 if run is None else run.count + 1
        alone = max(0, alone - 1)
        for each in packed_frames.observed(layout, records[base : base + size], decoder, framing):
            one(each)
        base += size


def _find(
    source: _Source, records: bytes, base: int, start: RunStart, keys: tuple[bytes, bytes]
) -> Run | None:
    """Return the run that begins with this record; None if there is none.

    `keys` are addresses and ports as the client's and the server's frames have them.
    """
    # One long loop for speed: a function call for each segment would double its cost.
    layout = source.layout
    size, tcp, counted, kept = layout.record.size, layout.tcp, layout.counted, layout.octets
    into, four, ends = HEAD + layout.addresses, layout is V4, start.ends
    begin, last, timed = base, start.at, start.timed
    client = keys[0]
    nxt, acked = [each.nxt for each in ends], [each.ack for each in ends]
    clocks, ttls = [each.clock for each in ends], [each.ttl for each in ends]
    free = [each.acknowledged for each in ends]
    numbers = [each.number for each in ends]
    sums: list[Sum] | None = [] if start.sums else None
    letters: list[Role] = []
    pseudo = [(int.from_bytes(key[:-4], "big") + TCP) % _ONES for key in keys]
    count = 0
    # fmt: off
    for (at, _, wire, packed, total, number, ttl, pair, seq, ack, bits, window, field, urgent,
         option, clock, _) in layout.segment.iter_unpack(
            memoryview(records)[base : base + _MOST * size]):
        # fmt: on
        if not four:
            total, number = number, 0
        me = 0 if pair == client else 1
        you = 1 - me
        mine, other = ends[me], ends[you]
        header = _PLAIN.get(bits)
        length = total - counted
        end, captured = tcp + length, packed >> 2
        if (
            header is None
            or seq != nxt[me]
            or ttl != ttls[me]
            or not window
            or not 0 <= at - last < PAUSE
            or urgent
            or end > wire
            or captured < tcp + header
        ):
            break
        known = clocks[me]
        if header == 32:
            if option != _TIMESTAMPS or (known is not None and (clock - known) & _SIGN):
                break
        elif timed:
            break
        payload = length - header
        gain = (ack - acked[me]) & MASK
        if payload < 0 or not ack or gain > (nxt[you] - acked[me]) & MASK or gain >= _FAR:
            break
        if gain and not (other.whole or other.cut):
            break
        whole = captured >= end
        if payload:
            if not mine.data or not free[me] or not (mine.whole if whole else mine.cut):
                break
            after = (seq + payload) & MASK
            if not after or (after - acked[you]) & MASK > _MOST_UNACKNOWLEDGED:
                break
        elif not gain or not mine.acks:
            break
        # The checksum: a partial one is no damage, and a wrong one none if it was acknowledged.
        kind = Checksum.RIGHT
        if not whole:
            mine.unknown += 1
            kind = Checksum.UNKNOWN
        else:
            if captured > kept:
                right = not packed & WRONG
            else:
                summed = records[base + into : base + HEAD + end]
                if length & 1:
                    summed += b"\0"
                right = not (int.from_bytes(summed, "big") + length + TCP) % _ONES
            if not right:
                if (
                    field
                    and (pseudo[me] + length - field) % _ONES
                    and (pseudo[me] - field) % _ONES
                ):
                    if not mine.damaged:
                        break
                    kind = Checksum.WRONG
                    mine.wrong += 1
                    if mine.first_wrong is None:
                        mine.first_wrong = count
                else:
                    if not field:
                        if sums is None and not mine.zeros:
                            break
                        mine.zero += 1
                    kind = Checksum.PARTIAL
                    mine.partial += 1
                    if mine.first_partial is None:
                        mine.first_partial = count
        if sums is not None:
            zero = kind is Checksum.PARTIAL and not field
            sums.append(Sum(_ROLES[me], kind, zero, Seq(seq), Seq(seq + payload), Seq(ack)))
        # It is part of the run.
        if header == 32 and known is not None and not (acked[you] - seq) & _SIGN:
            clocks[me] = clock
        if payload:
            if whole:
                mine.cut = False
            else:
                mine.whole = False
            nxt[me] = after
            mine.carrying += 1
            mine.payload += payload
            mine.sent_at = at
        if gain:
            acked[me] = ack
            mine.gained += gain
            free[you] = True
            if not other.whole:
                other.gaps += 1
                if other.clean and other.gaps_before + other.gaps in _AGAIN_AT:
                    letters.append(_ROLES[you])
        if not mine.segments:
            mine.first_ack = ack
        mine.segments += 1
        mine.octets += total if four else total + 40
        mine.seq, mine.window, mine.place, mine.at, mine.ahead = seq, window, count, at, payload
        if window > mine.most:
            mine.most = window
        if number and number == numbers[me]:
            mine.repeats = True
        numbers[me] = number
        last = at
        base += size
        count += 1
    if not count:
        return None
    for index, each in enumerate(ends):
        each.nxt, each.ack, each.clock = nxt[index], acked[index], clocks[index]
    packed_run = _Packed(source, records[begin:base], client)
    ports = int.from_bytes(client[-4:-2], "big"), int.from_bytes(client[-2:], "big")
    return Run(count, *ends, last, packed_run, ports, letters, sums)


def _keys(tracker: PairTracker) -> tuple[bytes, bytes]:
    assert tracker.connection is not None
    client, server = tracker.connection.client.endpoint, tracker.connection.server.endpoint
    return key_of(client, server), key_of(server, client)


class _Source(NamedTuple):
    """How the frames of a flow are decoded."""

    layout: FrameLayout
    framing: Framing
    decoder: Decoder


class _Packed:
    """The packed frames of a run, decoded one by one where one is looked at."""

    __slots__ = ("_client", "_decoded", "_records", "_source")

    def __init__(self, source: _Source, records: bytes, client: bytes) -> None:
        self._source, self._records, self._client = source, records, client
        self._decoded: dict[int, Observed] = {}

    def observed(self, place: int) -> Observed:
        """Return one segment."""
        found = self._decoded.get(place)
        if found is None:
            layout, framing, decoder = self._source
            size = layout.record.size
            record = self._records[place * size : (place + 1) * size]
            (found,) = packed_frames.observed(layout, record, decoder, framing)
            self._decoded[place] = found
        return found

    def brief(self, first: int, last: int) -> Iterator[Brief]:
        """Yield the segments from the first to before the last of these places."""
        layout, records, place = self._source.layout, self._records, first
        size, four, tcp = layout.record.size, layout is V4, layout.tcp
        chosen = memoryview(records)[first * size : last * size]
        for found in layout.segment.iter_unpack(chosen):
            at, frame, _, packed, one, two, ttl, pair, seq, ack, bits, window, checksum, *_ = found
            base, length = place * size, (one if four else two) - layout.counted
            header = bits >> 10 & 60
            kind = Checksum.RIGHT
            if packed >> 2 < tcp + length:
                kind = Checksum.UNKNOWN
            elif (
                packed & WRONG
                if packed >> 2 > layout.octets
                else not packed_frames.sound(layout, records, base, length)
            ):
                partial = is_partial(pair[:-4], TCP, length, checksum)
                kind = Checksum.PARTIAL if partial else Checksum.WRONG
            yield Brief(
                place=place,
                frame=frame,
                at=at,
                by=Role.CLIENT if pair == self._client else Role.SERVER,
                seq=seq,
                ack=ack,
                flags=bits & _FLAGS,
                window=window,
                length=length - header,
                ttl=ttl,
                number=two if four else None,
                checksum=kind,
                options=records[base + HEAD + tcp + 20 : base + HEAD + tcp + header],
            )
            place += 1

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
