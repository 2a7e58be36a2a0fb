"""Finds where the records of a capture begin, in many stretches of it at once.

Each record tells where the next one begins, so that they must be read one after another. Faster:
guess where a record begins in each of many stretches, follow the records from all of these places
in lock step, and take those of a stretch only if the records before it lead to where it begins.
"""

from __future__ import annotations

from math import isqrt
from operator import sub
from typing import TYPE_CHECKING, Final, Protocol

import numpy as np

from handshake.capture.columns import gathered

if TYPE_CHECKING:
    from collections.abc import Iterator

    from handshake.capture.columns import Column

_SAMPLE: Final = 5
"""Which part of the octets, as a power of two, is read first: it tells how long records are."""

_FEW: Final = 512
"""Records that are read one after another as fast."""

_DEAR: Final = 8
"""How many times as long a step in all stretches takes as a guess in one."""

_WINDOW: Final = 4096
"""Octets in which a record is searched for at most."""

_TRIES: Final = 4
"""Places in each stretch that may be guessed."""

_UNEVEN: Final = 6
"""How many times as many records as others a stretch may have."""

_STEPS: Final = 4
"""Steps before it is asked again whether all stretches have been read."""


class RecordFormat(Protocol):
    """Octets that begin with a record, of one format."""

    octets: memoryview
    least: int
    """Octets of the shortest record."""

    marked: int
    """Where the mark is in a record."""

    def mark(self, at: int) -> bytes:
        """Return octets that the record at this place contains, and probably those after it."""
        ...

    def singly(self, at: int, stop: int) -> tuple[list[int], int]:
        """Return the records from one on that begin before `stop`, and where the next one begins.

        That is before `stop` if it is damaged or not complete.
        """
        ...

    def lengths(self, places: Column) -> Column:
        """Return the lengths of what is taken for records at these places, sound or not."""
        ...

    def sound(self, places: Column) -> Column:
        """Return which of these records are complete, and not damaged."""
        ...

    def plausible(self, places: Column, mark: bytes) -> Column:
        """Return which of these places, where the mark was found, look like a record."""
        ...


def record_places(records: RecordFormat) -> tuple[Column, int]:
    """Return where the sound records begin with which the octets begin, and where they end."""
    size = len(records.octets)
    sample, at = records.singly(0, size >> _SAMPLE)
    count = len(sample) << _SAMPLE
    if at < size >> _SAMPLE or count < _FEW:
        more, at = records.singly(at, size)
        return np.array(sample + more, np.int64), at
    found = [np.array(sample, np.int64)]
    stretches = isqrt(_DEAR * count)
    # Somewhere in so many octets the next record begins, if this sample has the longest one.
    longest = max(map(sub, sample[1:], sample), default=_WINDOW)
    window = min(longest + records.least, _WINDOW)
    starts = _guesses(records, at, stretches, window)
    for places, end in _followed(records, starts, count // stretches):
        found.append(places)
        at = end
    # What is left are records that the octets end with, or nothing sound.
    more, at = records.singly(at, size)
    found.append(np.array(more, np.int64))
    return np.concatenate(found), at


def _guesses(records: RecordFormat, begin: int, stretches: int, window: int) -> Column:
    """Return where records seem to begin: at `begin`, and in each stretch behind it."""
    marked, size = records.marked, len(records.octets)
    found, most = [np.array([begin])], size - max(window, 2 * records.least)
    at = np.arange(1, stretches) * (size - begin) // stretches + begin
    mark = records.mark(begin) if begin <= most else b""
    octets = np.frombuffer(records.octets, np.uint8)
    for _ in range(_TRIES):
        at = at[at < most]
        if not len(at):
            break
        rows = gathered(octets, at, window)
        seen = rows[:, : 1 - len(mark)] == mark[0]
        for ahead, octet in enumerate(mark[1:], 1):
            seen &= rows[:, ahead : window + 1 + ahead - len(mark)] == octet
        first = seen.argmax(axis=1)
        at = (at + first - marked)[seen[np.arange(len(at)), first]]
        at = at[(at > begin) & (at < size - 2 * records.least)]
        good = records.plausible(at, mark)
        found.append(at[good])
        at = at[~good] + marked + 1
    places = np.sort(np.concatenate(found))
    return places[np.diff(places, prepend=-1) > 0]


def _followed(records: RecordFormat, starts: Column, each: int) -> Iterator[tuple[Column, int]]:
    """Yield the records from the first of these places on, and where each part of them ends.

    A stretch has about `each` records. Of what does not follow the records before it, nothing is
    taken: they are read one after another.
    """
    top = len(records.octets) - records.least
    ahead, begin = int(starts[0]), 0
    if ahead >= top:
        return
    stops = np.append(starts[1:], top)
    at, rows = starts, [starts]
    for step in range(_UNEVEN * each + _STEPS):
        if step % _STEPS == 0 and (at >= stops).all():
            break
        at = np.minimum(at + records.lengths(at), top)
        rows.append(at)
    table = np.stack(rows, axis=1)
    inside = table < stops[:, None]
    counts = inside.sum(axis=1)
    ends = table[np.arange(len(starts)), np.minimum(counts, len(rows) - 1)]
    places = table[inside]
    sound = records.sound(places)
    if (ends[:-1] == starts[1:]).all():
        yield _sound_part(records, places, sound)
        return
    for stop, count in zip(stops.tolist(), counts.tolist(), strict=True):
        mine, whole = places[begin : begin + count], sound[begin : begin + count]
        begin += count
        if ahead >= stop:
            continue
        joins = int(np.searchsorted(mine, ahead))
        if joins < count and mine[joins] == ahead:
            found, ahead = _sound_part(records, mine[joins:], whole[joins:])
            yield found, ahead
        if ahead < stop:
            one_by_one, ahead = records.singly(ahead, stop)
            yield np.array(one_by_one, np.int64), ahead
        if ahead < stop:
            return


def _sound_part(records: RecordFormat, places: Column, sound: Column) -> tuple[Column, int]:
    """Return the records before the first that is not sound, and where they end."""
    if not sound.all():
        good = int(np.argmin(sound))
        return places[:good], int(places[good])
    last = places[-1:]
    return places, int(last[0] + records.lengths(last)[0])
