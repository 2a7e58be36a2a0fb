"""Finds long runs in columns: the same segments as `runs.py`, or fewer, many at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from handshake.events import Role
from handshake.events.run import PAUSE, Run
from handshake.packet.packed_frames import TIMESTAMPS, V4
from handshake.survey.decode.segment_columns import (
    DAMAGED,
    PARTIAL,
    UNKNOWN,
    ZERO,
    powers_of_ten,
    segments,
)
from handshake.survey.follow.run_frames import RunFrames
from handshake.units import ACK_BIT, MASK, PSH_BIT

if TYPE_CHECKING:
    from handshake.capture.columns import Column
    from handshake.events.run import RunEnd, RunStart
    from handshake.survey.decode.segment_columns import Segments
    from handshake.survey.follow.run_frames import Source

MOST: Final = 2048
"""Segments of one run."""

_SIGN: Final = 0x8000_0000
_EXACT: Final = 0xFFF
_MOST_UNACKNOWLEDGED: Final = 8 << 20
_FAR: Final = 1 << 24
_NEVER: Final = 1 << 62
_ROLES: Final = (Role.CLIENT, Role.SERVER)


def find_long(
    source: Source, records: bytes, base: int, start: RunStart, keys: tuple[bytes, bytes]
) -> Run | None:
    """Return a run that begins with this record; None if there is none, or it is no simple one."""
    clocks = [each.clock for each in start.ends]
    if (
        start.sums
        or start.missing
        or (None in clocks) is not (not start.timed)
        or clocks.count(None) == 1
    ):
        return None
    size = source.layout.record.size
    seen = segments(source.layout, [records[base : base + MOST * size]])
    found = _Block(seen, start, first=_sender(source, records, base, keys))
    count = found.count()
    if not count:
        return None
    letters = found.write(count)
    right = not any(each.partial or each.wrong for each in start.ends)
    frames = RunFrames(source, records[base : base + count * size], keys[0], right=right)
    ports = int.from_bytes(keys[0][-4:-2], "big"), int.from_bytes(keys[0][-2:], "big")
    return Run(count, *start.ends, int(seen.at[count - 1]), frames, ports, count, letters)


def _sender(source: Source, records: bytes, base: int, keys: tuple[bytes, bytes]) -> int:
    return int(source.layout.segment.unpack_from(records, base)[7] != keys[0])


class _Block:
    """Segments that may be a run: what each of them is in the light of those before it."""

    def __init__(self, seen: Segments, start: RunStart, *, first: int) -> None:
        self._seen, self._start, self._ends = seen, start, start.ends
        self._me = me = seen.me ^ first
        before = seen.before
        mine = np.where(seen.me, before[1], before[0])
        other = np.where(seen.me, before[0], before[1])
        self._places = np.arange(len(me))
        self._end = (seen.seq + seen.payload) & MASK
        self._mine = mine
        self._due = np.where(mine >= 0, self._end[mine], self._of("nxt"))
        acked = np.where(mine >= 0, seen.ack[mine], self._of("ack"))
        self._gain = (seen.ack - acked) & MASK
        sent = np.where(other >= 0, self._end[other], self._of("nxt", other=True))
        self._room = (sent - acked) & MASK
        self._acked = np.where(other >= 0, seen.ack[other], self._of("ack", other=True))
        self._carries = seen.payload > 0

    def _of(self, name: str, *, other: bool = False) -> Column:
        """Return what the sender of each segment, or the `other` end, had before the run."""
        values = np.array([getattr(each, name) for each in self._ends])
        found: Column = values[1 - self._me if other else self._me]
        return found

    def _first(self, which: Column) -> int:
        return int(np.argmax(which)) if which.any() else _NEVER

    def count(self) -> int:
        """Return how many segments there are before the first one that is not part of a run."""
        seen, me, gain, carries = self._seen, self._me, self._gain, self._carries
        pause = np.diff(seen.at, prepend=self._start.at)
        good = (seen.bits & _EXACT & ~PSH_BIT == ACK_BIT) & (seen.seq == self._due)
        good &= (seen.ttl == self._of("ttl")) & (seen.window > 0) & (seen.urgent == 0)
        good &= (pause >= 0) & (pause < PAUSE)
        good &= seen.wire >= seen.layout.tcp + seen.header + seen.payload
        good &= (seen.captured >= seen.layout.tcp + seen.header) & (seen.payload >= 0)
        stamped = (seen.header == 32) & (seen.option == TIMESTAMPS)
        if self._start.timed:
            known = self._of("clock")
            last = np.where(self._mine >= 0, seen.clock[self._mine], known)
            good &= stamped & ((seen.clock - last) & _SIGN == 0)
            good &= (seen.clock - known) & _SIGN == 0
        else:
            good &= stamped | (seen.header == 20)
        good &= (seen.ack != 0) & (gain <= self._room) & (gain < _FAR)
        good &= (gain == 0) | self._of("whole", other=True) | self._of("cut", other=True)
        # Payloads of one end are all whole, or all cut.
        good &= ~carries | np.where(seen.whole, self._of("whole"), self._of("cut"))
        free = np.zeros(len(me), bool)
        for end in (0, 1):
            data = carries & (me == end)
            first = self._first(data)
            if first != _NEVER:
                good &= ~data | (seen.whole == seen.whole[first])
            free |= (me == end) & (self._places > self._first((me != end) & (gain > 0)))
        good &= ~carries | (self._of("data") & (free | self._of("acknowledged")))
        ahead = (self._end - self._acked) & MASK
        good &= ~carries | ((self._end != 0) & (ahead <= _MOST_UNACKNOWLEDGED))
        good &= carries | ((gain > 0) & self._of("acks"))
        good &= (seen.sums != DAMAGED) | self._of("damaged")
        good &= (seen.sums != ZERO) | self._of("zeros")
        return len(me) if good.all() else int(np.argmin(good))

    def write(self, count: int) -> list[Role]:
        """Note in both ends what so many segments say; return the gaps that Zeek mentions."""
        gaps = np.zeros(count, np.int64)
        me, gain = self._me[:count], self._gain[:count]
        for index, end in enumerate(self._ends):
            holes = (me != index) & (gain > 0)
            cut = self._carries[:count] & (me == index) & ~self._seen.whole[:count]
            if end.whole:
                holes &= self._places[:count] > self._first(cut)
            counts = np.cumsum(holes)
            if end.clean:
                gaps[holes & powers_of_ten(end.gaps_before + counts)] = index + 1
            end.gaps += int(counts[-1])
        for index, end in enumerate(self._ends):
            chosen = np.flatnonzero(me == index)
            if len(chosen):
                self._write(end, chosen)
        return [_ROLES[each - 1] for each in gaps[gaps > 0].tolist()]

    def _write(self, end: RunEnd, chosen: Column) -> None:
        seen, last, first = self._seen, int(chosen[-1]), int(chosen[0])
        payload, sums = seen.payload[chosen], seen.sums[chosen]
        four = seen.layout is V4
        numbers = seen.ident[chosen] if four else np.zeros(len(chosen), np.int64)
        earlier = np.concatenate(([end.number], numbers[:-1]))
        end.repeats = bool(((numbers != 0) & (numbers == earlier)).any())
        carrying = chosen[payload > 0]
        end.segments, end.carrying = len(chosen), len(carrying)
        end.payload = int(payload.sum())
        end.octets = int((payload + seen.header[chosen]).sum()) + len(chosen) * (20 if four else 40)
        end.gained = int(self._gain[chosen].sum())
        end.unknown = int((sums == UNKNOWN).sum())
        end.zero = int((sums == ZERO).sum())
        end.partial = end.zero + int((sums == PARTIAL).sum())
        end.wrong = int((sums == DAMAGED).sum())
        partial, wrong = chosen[(sums == ZERO) | (sums == PARTIAL)], chosen[sums == DAMAGED]
        end.first_partial = int(partial[0]) if len(partial) else None
        end.first_wrong = int(wrong[0]) if len(wrong) else None
        if len(carrying):
            end.sent_at = int(seen.at[carrying[-1]])
            if seen.whole[carrying[0]]:
                end.cut = False
            else:
                end.whole = False
        if end.clock is not None:
            # Only what continues at the last acknowledgment sets the timestamp to be echoed.
            taken = chosen[(self._acked[chosen] - seen.seq[chosen]) & _SIGN == 0]
            if len(taken):
                end.clock = int(seen.clock[taken[-1]])
        end.first_seq, end.first_ack = int(seen.seq[first]), int(seen.ack[first])
        end.nxt = end.sent = end.reached = int(self._end[last])
        end.in_a_row = 0 if end.gained else end.in_a_row
        end.ack, end.seq, end.at = int(seen.ack[last]), int(seen.seq[last]), int(seen.at[last])
        end.window, end.most = int(seen.window[last]), int(seen.window[chosen].max())
        end.place, end.ahead = last, int(seen.payload[last])
        pure = not end.ahead and not int(seen.bits[last]) & PSH_BIT
        end.alike = (int(numbers[-1]),) if pure else ()
