"""Finds the runs of a flow's packed frames: segments in which nothing happens.

What such a segment is, `handshake.events.run` tells; of each it takes a few comparisons, where the
tracker would ask every rule. All others go to the tracker one by one.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from handshake.events import Role
from handshake.events.run import ALIKE, PAUSE, Copies, Passing, Run, Sum
from handshake.packet import packed_frames
from handshake.packet.packed_frames import HEAD, TIMESTAMPS, V4, WRONG
from handshake.survey.follow.run_frames import RunFrames, Source
from handshake.survey.follow.run_pieces import FAR, Pieces
from handshake.survey.group.flow import key_of
from handshake.tcp import Seq
from handshake.tcp.checksum import Checksum
from handshake.tcp.copy import changed
from handshake.units import ACK_BIT, MASK, PSH_BIT, SOONEST_TIMER, TCP

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from handshake.events.run import RunStart
    from handshake.packet.decode import Decoder
    from handshake.packet.packed_frames import FrameLayout
    from handshake.survey.group.flow import Flow
    from handshake.tcp import Observed
    from handshake.tracker import PairTracker

_SIGN: Final = 0x8000_0000
_ONES: Final = 0xFFFF

_MOST_UNACKNOWLEDGED: Final = 8 << 20
"""Unacknowledged octets beyond which Zeek may give up on the stream."""

_LEAST: Final = 4
"""Segments from which a run costs less than they do one by one."""

_PATIENCE: Final = 8
"""Segments in a row at which no run begins, from which on fewer are looked at."""

_MOST: Final = 256
"""Segments of one run: its frames are kept while one of them may still be looked at."""

_AHEAD: Final = (24, 96, 2 * _MOST)
"""How many packets ahead copies are looked for, as long as all before are part of the run."""

LONG: Final = 1024
"""Segments from which it may pay to look at them in columns."""

_Packet: TypeAlias = tuple[int, tuple[Any, ...], int, bool]
"""Where a packed frame is, its fields, its octets of payload, and whether it is a copy."""

_FLAGS: Final = 0x1FF
_AGAIN_AT: Final = frozenset(10**power for power in range(12))
_ROLES: Final = (Role.CLIENT, Role.SERVER)
_SACKS: Final = {4 + 8 * blocks: 0x01010502 + 8 * blocks for blocks in range(1, 5)}
"""The first four octets of a SACK option with its padding, by its length."""

_PLAIN: Final = {
    header << 10 | bits: header
    for header in (20, *(begin + octets for begin in (20, 32) for octets in (0, *_SACKS)))
    for bits in (ACK_BIT, ACK_BIT | PSH_BIT)
    if header <= 60
}
"""Header length by data offset and control bits: no options, timestamps, SACK, or both."""


def feed(
    tracker: PairTracker,
    one: Callable[[Observed], object],
    flow: Flow,
    records: bytes,
    decoder: Decoder,
    *,
    in_columns: bool,
) -> None:
    """Give packed frames to a tracker: runs at once, other segments to `one`, which feeds it.

    Long runs are found in columns where numpy is loaded anyway.
    """
    layout, framing = flow.layout, flow.framing
    size, base, alone, columns_at, failed = layout.record.size, 0, 0, 0, 0
    while base < len(records):
        if not alone and len(records) - base >= _LEAST * size:
            start = tracker.start()
            run = None
            if start is not None:
                source = Source(layout, framing, decoder)
                find = _find_doubled if start.doubled else _find
                if in_columns and base >= columns_at and len(records) - base >= LONG * size:
                    columns_at = base + LONG * size
                    find = find if start.doubled else _find_long
                run = find(source, records, base, start, _keys(tracker))
                if run is not None and run.count > _MOST:
                    columns_at = 0
            if run is not None and run.count >= _LEAST:
                tracker.skip(run)
                base += run.packets * size
                alone, failed = 0 if run.count >= _MOST else 1, 0
                continue
            # Where run after run is none, the next one is looked for later and later.
            failed = 0 if run is not None else failed + 1
            alone = 1 + min(failed // _PATIENCE, _PATIENCE) if run is None else run.packets + 1
        alone = max(0, alone - 1)
        for each in packed_frames.observed(layout, records[base : base + size], decoder, framing):
            one(each)
        base += size


def _find_long(
    source: Source, records: bytes, base: int, start: RunStart, keys: tuple[bytes, bytes]
) -> Run | None:
    """Return the same, in columns if the run is a simple one."""
    from handshake.survey.follow.run_columns import find_long

    run = find_long(source, records, base, start, keys)
    return _find(source, records, base, start, keys) if run is None else run


def _find(
    source: Source, records: bytes, base: int, start: RunStart, keys: tuple[bytes, bytes]
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
    numbers, alike = [each.number for each in ends], [list(each.alike) for each in ends]
    pieces = Pieces(start) if start.missing else None
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
            or ttl != ttls[me] >= 0
            or not window
            or not 0 <= at - last < PAUSE
            or urgent
            or end > wire
            or captured < tcp + header
        ):
            break
        known = clocks[me]
        if option == TIMESTAMPS and header > 20:
            if header > 32:
                begins = base + HEAD + tcp + 32
                sack = int.from_bytes(records[begins : begins + 4], "big")
                if sack != _SACKS.get(header - 32):
                    break
            if known is not None and clock != known:
                if (clock - known) & _SIGN:
                    break
                if not (acked[you] - seq) & _SIGN:
                    known = clock
        elif timed or (header > 20 and option != _SACKS.get(header - 20)):
            break
        payload = length - header
        gain = (ack - acked[me]) & MASK
        if payload < 0 or not ack or gain >= FAR:
            break
        whole, ahead = captured >= end, seq != nxt[me]
        after = (seq + payload) & MASK
        if pieces is None and (
            ahead
            or not (mine.data if payload else mine.acks)
            or (gain and (gain > (nxt[you] - acked[me]) & MASK or not (other.whole or other.cut)))
            or (payload and not (free[me] and (mine.whole if whole else mine.cut)))
            or (payload and (after - acked[you]) & MASK > _MOST_UNACKNOWLEDGED)
        ):
            # From here on the order matters: that is another run.
            if count:
                break
            pieces = Pieces(start)
        if pieces is not None and not pieces.may_have(me, seq, payload, gain):
            break
        new = payload or ahead
        if new and not after:
            break
        if not (new or gain):
            # It repeats an ACK, unless it is a copy, or the answer to a keep-alive.
            known_number = number and number in alike[me] and not mine.constant
            answers = other.probes and not other.segments
            if known_number or answers or start.doubled or bits & PSH_BIT:
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
        clocks[me], ttls[me] = known, ttl
        if pieces is not None:
            pieces.add(me, seq, payload, ack, window, count, whole=whole)
        if payload:
            if whole:
                mine.cut = False
            else:
                mine.whole = False
            mine.carrying += 1
            mine.payload += payload
        if new:
            nxt[me] = after
            mine.sent_at = at
        if gain:
            acked[me] = ack
            mine.gained += gain
            mine.in_a_row = 0
            free[you] = True
            if pieces is None and not other.whole:
                other.gaps += 1
                if other.clean and other.gaps_before + other.gaps in _AGAIN_AT:
                    letters.append(_ROLES[you])
        elif not new:
            if window != mine.window:
                mine.updates += 1
            else:
                mine.repeated += 1
                mine.in_a_row = max(mine.in_a_row, 0) + 1
        if new or gain:
            alike[me].clear()
        if not payload and not bits & PSH_BIT:
            alike[me].append(number)
        if not mine.segments:
            mine.first_seq, mine.first_ack = seq, ack
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
        each.alike, each.ttl = tuple(alike[index][-ALIKE:]), ttls[index]
        each.sent = each.reached = nxt[index]
    if pieces is not None:
        pieces.write()
    right = not any(each.partial or each.wrong for each in ends)
    frames = RunFrames(source, records[begin:base], client, right=right)
    ports = int.from_bytes(client[-4:-2], "big"), int.from_bytes(client[-2:], "big")
    found = None if pieces is None else pieces.found
    return Run(count, *ends, last, frames, ports, count, letters, sums=sums, pieces=found)


def _find_doubled(
    source: Source, records: bytes, base: int, start: RunStart, keys: tuple[bytes, bytes]
) -> Run | None:
    """Return the same of packets that are captured more than once."""
    size, run = source.layout.record.size, None
    originals = bytearray()
    passing: list[_Packet] = []
    packets = _told_apart(source, records, base, start, keys[0])
    for most in _AHEAD:
        for each in islice(packets, most - len(passing)):
            passing.append(each)
            if not each[3]:
                originals += records[each[0] : each[0] + size]
        begin = changed(start, client=changed(start.client), server=changed(start.server))
        run = _find(source, bytes(originals), 0, begin, keys)
        if run is None or run.count * size < len(originals) or len(passing) < most:
            break
    if run is not None:
        _add_copies(run, source, keys[0], records[base:], passing)
    return run


def _told_apart(
    source: Source, records: bytes, base: int, start: RunStart, client: bytes
) -> Iterator[_Packet]:
    """Yield the packets of two ends, and whether each is a copy, as far as that is sure."""
    layout, hops = source.layout, start.hops
    size, four = layout.record.size, layout is V4
    total, counted, constants = 4 if four else 5, layout.counted, [e.constant for e in start.ends]
    # The last packet of each end that is no copy, and its identification.
    last: list[_Packet | None] = [None, None]
    numbers = [each.number for each in start.ends]
    at = base
    for fields in layout.segment.iter_unpack(memoryview(records)[base:]):
        me = 0 if fields[7] == client else 1
        before, constant = last[me], constants[me]
        packet = at, fields, fields[total] - counted - (fields[10] >> 10 & 60), False
        if (
            before is not None
            # endpoints, SEQ, ACK and control bits
            and before[1][7:11] == fields[7:11]
            and _is_copy(layout, records, before, packet, hops, constant=constant)
        ):
            if packet[2]:
                hops = before[1][6] - fields[6]
            yield at, fields, packet[2], True
        else:
            number = fields[5] if four else 0
            if number and number == numbers[me] and not constant:
                return  # from here on identifications tell nothing
            last[me], numbers[me] = packet, number
            yield packet
        at += size


def _is_copy(
    layout: FrameLayout,
    records: bytes,
    before: _Packet,
    after: _Packet,
    hops: int | None,
    *,
    constant: bool,
) -> bool:
    """Whether a packet is one with the same numbers again, as `tracker.copies` tells.

    `hops` is how many hops the points of the capture are apart.
    """
    (first, one, length, _), (second, two, same, _) = before, after
    if (
        length != same
        or not 0 <= two[0] - one[0] < SOONEST_TIMER
        or two[3] >> 2 < layout.tcp + (two[10] >> 10 & 60)
    ):
        return False
    if layout is V4 and (one[5] or two[5]) and not constant:
        return bool(one[5] == two[5])
    apart = one[6] - two[6]
    # window and urgent pointer
    if not apart or (one[11], one[13]) != (two[11], two[13]):
        return False
    begin, end = HEAD + layout.tcp + 20, HEAD + min(one[3] >> 2, two[3] >> 2, layout.octets)
    if records[first + begin : first + end] != records[second + begin : second + end]:
        return False
    return bool(length) or apart == hops


def _add_copies(
    run: Run,
    source: Source,
    client: bytes,
    records: bytes,
    passing: list[_Packet],
) -> None:
    """Note which packets of a run were captured again: those before its next original."""
    layout = source.layout
    copies = Copies()
    originals = 0
    last: dict[bool, tuple[int, int, int, int]] = {}
    tcp, ip, packets, new = layout.tcp, layout.ip, copies.packets, tuple.__new__
    for place, (_, fields, length, copy) in enumerate(passing):
        if not copy and originals == run.count:
            break
        at, _, _, packed, _, _, ttl, pair, seq, ack, bits, window, *_ = fields
        index = pair != client
        by, begin = _ROLES[index], tcp + (bits >> 10 & 60)
        captured = (packed >> 2) - begin
        captured = length if captured > length else max(0, captured)
        octets = begin - ip + length
        own = by, at, seq, ack, bits & _FLAGS, window, length, captured, octets, copy
        # As `Passing(*own)` has it, which takes three times as long.
        packets.append(new(Passing, own))
        run.packets = place + 1
        if not copy:
            last[index] = originals, at, ttl, captured
            originals += 1
            continue
        original, sent_at, sent_ttl, known = last[index]
        found = copies.server if index else copies.client
        found.count += 1
        found.octets += octets
        found.alike &= captured == known
        if copies.first is None:
            copies.first = original, source.observed(records, place)
        if length:
            found.carrying += 1
            copies.hops = sent_ttl - ttl
            copies.gap = max(copies.gap, at - sent_at)
    if passing[run.packets - 1][3]:
        copies.last = source.observed(records, run.packets - 1)
    run.copies = copies


def _keys(tracker: PairTracker) -> tuple[bytes, bytes]:
    assert tracker.connection is not None
    client, server = tracker.connection.client.endpoint, tracker.connection.server.endpoint
    return key_of(client, server), key_of(server, client)
