"""Finds the shape of connections in which nothing unusual happens: what tells two of them apart.

Of such a connection each segment follows those before it: no number is missing, nothing comes in
another order, no window closes, and no rule asks for the time between two segments. What is left
of it is the order in which each kind of segment comes first, and how it begins and ends: its shape.
The records of connections of one shape differ in addresses, numbers, times and counts alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from handshake.events.run import PAUSE
from handshake.packet.packed_frames import HEAD, TIMESTAMPS, V4
from handshake.survey.decode.segment_columns import (
    DAMAGED,
    KINDS,
    PARTIAL,
    RIGHT,
    UNKNOWN,
    ZERO,
    powers_of_ten,
)
from handshake.units import ACK_BIT, FIN_BIT, NS_PER_SECOND, PSH_BIT, RST_BIT, SYN_BIT

if TYPE_CHECKING:
    from handshake.capture.columns import Column
    from handshake.survey.decode.segment_columns import Segments

_EXACT: Final = 0xFFF
"""Control bits and reserved bits."""

_ECN: Final = 0xC0
_QUICK: Final = NS_PER_SECOND
"""Nanoseconds from which the time of a handshake may lead to a finding."""

_LONG: Final = 5 * NS_PER_SECOND
"""Nanoseconds of inactivity from which a rule depends on time while a connection opens or closes
(the shortest: Zeek's timeouts)."""

_SOONEST: Final = NS_PER_SECOND // 5
"""Nanoseconds before which no retransmission timer expires (Linux TCP_RTO_MIN)."""

_MOST_UNACKNOWLEDGED: Final = 8 << 20
"""Unacknowledged octets beyond which Zeek gives up on the stream."""

_TIMED: Final = 32
_PLAIN: Final = 20
"""Octets of a header with timestamps alone, and without options."""

_SACK: Final = 0x0101050A
"""The first four octets of options that are one SACK block alone."""

_OPTIONS: Final = 40
_MOST_MARKS: Final = 40
_FEW_TIMES: Final = 2
_MODULUS: Final = 1 << 32
_SIGN: Final = 1 << 31
_FAR: Final = 1 << 62
_FEWEST: Final = 3

(
    _MARK,
    _ME,
    _PAYLOAD,
    _GAIN,
    _DUE,
    _WHOLE,
    _GAP,
    _AGAIN,
    _FIN,
    _RST,
    _ENDING,
    _CROSSING,
    _BARE,
    _ALIVE,
    _REPEATS,
    _MOVED,
) = (1 << bit for bit in range(16))
"""What a mark says of its segment."""


class Shapes(NamedTuple):
    """The shapes of flows; each column has an item for each flow."""

    keys: list[bytes | None]
    """What flows of one shape have in common; None for one that has no shape."""

    segments: Column
    """How many segments each end sent: the first sender, and the other."""

    payload: Column
    """Octets of payload of each end, without those sent again."""

    checked: Column
    """How many segments of each end have a checksum that can be verified."""

    firsts: Column
    """The place of the first segment of each end."""


class SynOptions(NamedTuple):
    """The options of SYNs or SYN-ACKs, a row for each."""

    raw: Column
    """Without the values of timestamps."""

    timed: Column
    clock: Column
    echo: Column
    scaled: Column


def shapes(seen: Segments) -> Shapes:
    """Return the shapes of flows of `_FEWEST` segments at least."""
    count = len(seen.starts)
    places = np.arange(len(seen.flow))
    firsts = np.stack([_first(seen, places, seen.me == end) for end in (0, 1)])
    known = np.where(firsts == _FAR, seen.starts, firsts)
    opened = seen.bits[seen.starts] & SYN_BIT != 0
    bad = np.zeros(count, bool) | (seen.counts < _FEWEST) | (firsts[1] == _FAR)
    heads, timed, limited, clock = _openings(seen, opened, bad)
    view = _SegmentView(seen, places, firsts, opened, timed, clock)
    bad |= np.logical_or.reduceat(view.unusual(), seen.starts)
    if (limited & ~bad).any():
        bad |= limited & np.logical_or.reduceat(view.beyond_window(), seen.starts)
    kinds = np.bincount((seen.flow * 2 + seen.me) * KINDS + seen.sums, minlength=count * 2 * KINDS)
    kinds = kinds.reshape(count, 2, KINDS)
    segments, checked = kinds.sum(axis=2), kinds.sum(axis=2) - kinds[:, :, UNKNOWN]
    classes, mixed = _classes(kinds, checked)
    # Which segments are believed depends on what acknowledges them, and when.
    bad |= mixed | (~opened & (kinds[:, :, ZERO] + kinds[:, :, DAMAGED]).any(axis=1))
    marks, wholes = view.marks()
    bad |= wholes
    marked = np.flatnonzero(marks)
    counts = np.bincount(seen.flow[marked], minlength=count)
    bad |= counts > _MOST_MARKS
    lasting = np.where(seen.seq != view.due, 0, seen.payload)
    payload = np.bincount(seen.flow * 2 + seen.me, lasting, count * 2).astype(np.int64)
    begins = np.concatenate((heads, classes), axis=1).tobytes()
    width = len(begins) // count
    ends = np.cumsum(counts) * 2
    symbols = marks[marked].astype(np.uint16).tobytes()
    return Shapes(
        keys=[
            None if unusual else begins[at * width : (at + 1) * width] + symbols[begin:end]
            for at, (unusual, begin, end) in enumerate(
                zip(bad.tolist(), (ends - 2 * counts).tolist(), ends.tolist(), strict=True)
            )
        ],
        segments=segments,
        payload=payload.reshape(count, 2),
        checked=checked,
        firsts=known.T,
    )


def _first(seen: Segments, places: Column, which: Column) -> Column:
    """Return the place of the first of these segments in each flow; `_FAR` if there is none."""
    found: Column = np.minimum.reduceat(np.where(which, places, _FAR), seen.starts)
    return found


def _classes(kinds: Column, checked: Column) -> tuple[Column, Column]:
    """Return what the checksums of each end are alike, as octets, and whether they are mixed."""
    found = np.full(checked.shape, 255)
    for kind in (ZERO, PARTIAL, DAMAGED, RIGHT):
        found[kinds[:, :, kind] == checked] = kind
    cut = (kinds[:, :, UNKNOWN] > 0).astype(np.int64)
    few = np.minimum(checked, 2)
    classes = np.concatenate((found, cut, few), axis=1).astype(np.uint8)
    return classes, (found == 255).any(axis=1)


def _openings(seen: Segments, opened: Column, bad: Column) -> tuple[Column, Column, Column, Column]:
    """Return how flows begin.

    As octets; whether their segments have timestamps; whether their windows are not scaled; and the
    clock of each segment. Flows that begin otherwise are added to `bad`.
    """
    count = len(seen.starts)
    heads = np.zeros((count, 5 + 2 * _OPTIONS), np.uint8)
    clock = seen.clock.copy()
    limited = np.zeros(count, bool)
    timed = seen.header[seen.starts] == _TIMED
    heads[:, 4] = timed
    chosen = np.flatnonzero(opened & ~bad)
    if not len(chosen):
        return heads, timed, limited, clock
    one, two, three = (seen.starts[chosen] + place for place in range(3))
    asked, answered = syn_options(seen, one), syn_options(seen, two)
    at = seen.at
    ok = (seen.bits[one] & _EXACT & ~_ECN == SYN_BIT) & (seen.ack[one] == 0)
    ok &= (seen.bits[two] & _EXACT & ~_ECN == SYN_BIT | ACK_BIT) & (seen.me[two] == 1)
    ok &= (seen.bits[three] & _EXACT & ~PSH_BIT == ACK_BIT) & (seen.me[three] == 0)
    ok &= (seen.ack[two] == seen.seq[one] + 1) & (seen.seq[three] == seen.seq[one] + 1)
    ok &= seen.ack[three] == seen.seq[two] + 1
    ok &= (at[one] <= at[two]) & (at[two] <= at[three])
    ok &= (at[one] < at[three]) & (at[three] - at[one] < _QUICK)
    ok &= ~answered.timed | (asked.timed & (answered.echo == asked.clock))
    for each in (one, two):
        ok &= (seen.payload[each] == 0) & seen.whole[each] & (seen.window[each] > 0)
    bad[chosen[~ok]] = True
    timed[chosen] = answered.timed
    limited[chosen] = ~(asked.scaled & answered.scaled)
    clock[one], clock[two] = asked.clock, answered.clock
    bits = np.stack((seen.bits[one], seen.bits[two]), axis=1).astype(np.uint16)
    heads[chosen, :4] = bits.view(np.uint8).reshape(-1, 4)
    heads[chosen, 4] = 2
    heads[chosen, 5 : 5 + _OPTIONS] = asked.raw
    heads[chosen, 5 + _OPTIONS :] = answered.raw
    return heads, timed, limited, clock


def syn_options(seen: Segments, places: Column) -> SynOptions:
    """Return the options of segments that have no data."""
    begin = HEAD + seen.layout.tcp + _PLAIN
    raw = seen.rows[places, begin : begin + _OPTIONS]
    size = seen.header[places] - _PLAIN
    raw[np.arange(_OPTIONS) >= size[:, None]] = 0
    rows = np.arange(len(places))
    at, stamped = np.zeros(len(places), np.int64), np.full(len(places), -1)
    scaled = np.zeros(len(places), bool)
    going = at + 1 < size
    while going.any():
        kind = raw[rows, np.minimum(at, _OPTIONS - 1)]
        length = raw[rows, np.minimum(at + 1, _OPTIONS - 1)].astype(np.int64)
        going &= kind != 0
        stamp = going & (kind == 8) & (length == 10) & (at + 10 <= size) & (stamped < 0)
        stamped[stamp] = at[stamp] + 2
        scaled |= going & (kind == 3) & (length == 3)
        at = at + np.where(kind == 1, 1, np.maximum(length, 2))
        going &= at + 1 < size
    timed = stamped >= 0
    clock, echo = np.zeros(len(places), np.int64), np.zeros(len(places), np.int64)
    for into, ahead in ((clock, 0), (echo, 4)):
        for octet in range(4):
            place = stamped[timed] + ahead + octet
            into[timed] = into[timed] << 8 | raw[rows[timed], place]
            raw[rows[timed], place] = 0
    return SynOptions(raw, timed, clock, echo, scaled)


class _SegmentView:
    """The segments of flows in the light of those before them."""

    def __init__(
        self,
        seen: Segments,
        places: Column,
        firsts: Column,
        opened: Column,
        timed: Column,
        clock: Column,
    ) -> None:
        self._seen, self._places, self._clock = seen, places, clock
        flow, me, bits = seen.flow, seen.me, seen.bits
        self._since = places - seen.starts[flow]
        self._opened, self._timed = opened[flow], timed[flow]
        mine, other = np.where(me, seen.before[::-1], seen.before)
        self._mine, self._other, self._any = mine, other, mine >= 0
        self._fin, self._rst = bits & FIN_BIT != 0, bits & RST_BIT != 0
        self._first = np.where(me, firsts[1][flow], firsts[0][flow])
        end = seen.seq + seen.payload + (bits & SYN_BIT != 0) + self._fin
        self.due = np.where(mine >= 0, end[mine], np.where(other >= 0, seen.ack[other], seen.seq))
        """The number that each segment should have."""

        self._end = end
        self._acked = np.where(other >= 0, seen.ack[other], 0)
        """What the other end has acknowledged, by its last segment."""

        self._sent = np.where(other >= 0, end[other], 0)
        """What the other end has sent."""

        third = self._opened & (self._since == 2)
        gain = np.where(mine >= 0, seen.ack - seen.ack[mine], 0)
        # In the middle of a connection the first ACK of an end may acknowledge what it sees.
        fresh = ~self._opened & (mine < 0) & (other >= 0)
        gain = np.where(fresh, seen.ack - seen.seq[other], gain)
        self._gain = np.where(third, 1, gain)
        self._all = seen.ack == self._sent
        self._crossing = self._fin & (seen.ack == self._sent - 1) & (gain == 0)
        self._ending = _first(seen, places, self._fin | self._rst)[flow]
        self._fins = [_first(seen, places, self._fin & (me == end_))[flow] for end_ in (0, 1)]
        self._again = (seen.seq != self.due) & (mine >= 0)
        self._alive = self._keeping_alive()
        """The keep-alives, and what answers them."""

        self._acks_again = self._acknowledging_again() & ~self._alive
        """The ACKs that repeat the one before, perhaps with another window."""

    def _keeping_alive(self) -> Column:
        """Return which segments are a keep-alive of an idle end that has an answer, or that answer.

        Neither tells anything new, also not of the window.
        """
        seen, places = self._seen, self._places
        same = self._any & (self._gain == 0) & (seen.window == seen.window[self._mine])
        same &= self._opened & (self._since > 2) & (places < self._ending)
        asks = same & (seen.payload == 1) & (seen.seq == self.due - 1) & (self._acked == self.due)
        asks &= seen.at - seen.at[places - 1] >= _SOONEST
        answers = same & (seen.payload == 0) & (seen.seq == self.due) & self._all
        answers &= asks[places - 1] & (seen.me != seen.me[places - 1])
        found: Column = answers | (asks & np.append(answers[1:], False))
        return found

    def _acknowledging_again(self) -> Column:
        """Return which pure ACKs repeat the last one of their end, and are no copy of it."""
        seen, mine = self._seen, self._mine
        found = self._any & (self._gain == 0) & (seen.payload == 0) & (seen.seq == self.due)
        found &= self._opened & (self._since > 2) & (self._places < self._ending)
        # The one before is the only one that it repeats.
        found &= (self._gain[mine] > 0) | (seen.payload[mine] > 0)
        if seen.layout is V4:
            found &= (seen.ident == 0) | (seen.ident != seen.ident[mine])
        again: Column = found
        return again

    def unusual(self) -> Column:
        """Return which segments have something unusual."""
        seen, fin, rst = self._seen, self._fin, self._rst
        me, payload, gain, flags = seen.me, seen.payload, self._gain, seen.bits & _EXACT
        data = payload > 0
        places, at, since = self._places, seen.at, self._since
        opening = self._opened & (since < 2)
        follows = since > 0
        silence = np.where(follows, at - at[places - 1], 0)
        # While both ends are open, only a longer silence means something.
        calm = (since > 2) & (places <= self._ending)
        usual = (silence >= 0) & (silence < np.where(calm, PAUSE, _LONG))
        usual &= (seen.urgent == 0) & (payload >= 0)
        usual &= seen.captured >= seen.layout.tcp + seen.header
        usual &= seen.wire >= seen.layout.tcp + seen.header + payload
        usual &= seen.ttl == seen.ttl[np.where(self._first == _FAR, 0, self._first)]
        usual &= (seen.seq > 0) & (self._end < _MODULUS - 1)
        # Control bits, and options.
        plain = (flags & ~(PSH_BIT | FIN_BIT) == ACK_BIT) & (seen.window > 0)
        sure = (self._clock - np.where(self._any, self._clock[self._mine], self._clock)) & _SIGN
        stamped = (seen.header == _TIMED) & (seen.option == TIMESTAMPS) & (sure == 0)
        plain &= np.where(self._timed, stamped, (seen.header == _PLAIN) | self._reports_octet())
        bare = flags == RST_BIT
        plain |= rst & (bare | (flags == RST_BIT | ACK_BIT)) & (seen.header == _PLAIN) & ~data
        usual &= plain | opening
        # Numbers.
        ordered = (seen.seq == self.due) | (self._again & self._repeats(silence)) | self._alive
        known = (seen.ack > 0) & (gain >= 0) & ((seen.ack <= self._sent) | (self._other < 0))
        ordered &= known | bare
        ahead = self._end - self._acked
        ordered &= ahead <= np.where(self._other >= 0, _MOST_UNACKNOWLEDGED, _FAR)
        usual &= ordered | opening
        told = self._alive | self._acks_again
        usual &= data | (gain > 0) | fin | rst | opening | ~follows | told
        fresh = ~self._opened & ~self._any & (self._other >= 0)
        usual &= ~fresh | self._all | ((gain == 0) & (since == 1))
        # The end.
        mine, others = (np.where(me == each, *self._fins) for each in (0, 1))
        usual &= ~((places > mine) & (data | fin))
        # Of two FINs that cross, the second acknowledges all but the first.
        usual &= ~(fin & (places > others) & ~self._all) | self._crossing
        ended = places >= self._ending
        last = np.where(ended, at[np.minimum(self._ending, len(at) - 1)], at)
        usual &= at - last < _LONG
        usual &= ~(ended & self._again)
        spoken = self._has_sent()
        silent = ~spoken & (self._opened & (me == 1) | ~self._opened)
        usual &= ~rst | ((places == self._ending) & self._is_last() & ~silent)
        found: Column = ~usual
        return found

    def _reports_octet(self) -> Column:
        """Return which answers to a keep-alive report its octet, by a SACK block (RFC 2883)."""
        seen = self._seen
        found = self._alive & (seen.header == _TIMED) & (seen.option == _SACK)
        found &= (seen.clock == self._sent - 1) & (seen.echo == self._sent)
        reports: Column = found & (seen.payload == 0)
        return reports

    def _repeats(self, silence: Column) -> Column:
        """Return which segments are the last data of their sender again, after a timeout.

        The data must be unacknowledged, else the retransmission is spurious; sooner than any timer
        it may be a copy. A single octet is a keep-alive.
        """
        seen = self._seen
        found = (seen.payload > 1) & (seen.seq + seen.payload == self.due) & ~self._fin & ~self._rst
        found &= (silence >= _SOONEST) & (self._gain == 0) & (seen.seq >= self._acked)
        which = np.flatnonzero(self._again)
        if len(which):
            # More may be a finding.
            times = np.bincount(seen.flow[which] * 2 + seen.me[which], minlength=1)
            found[which] &= times[seen.flow[which] * 2 + seen.me[which]] <= _FEW_TIMES
        again: Column = found & self._opened
        return again

    def _has_sent(self) -> Column:
        """Return whether the sender of each segment has sent data before it."""
        seen = self._seen
        data = [
            _first(seen, self._places, (seen.payload > 0) & (seen.me == end))[seen.flow]
            for end in (0, 1)
        ]
        found: Column = self._places > np.where(seen.me, data[1], data[0])
        return found

    def _is_last(self) -> Column:
        seen = self._seen
        found: Column = self._since == seen.counts[seen.flow] - 1
        return found

    def beyond_window(self) -> Column:
        """Return which segments have data beyond a window that is not scaled."""
        seen = self._seen
        base = seen.flow << 34
        edge = np.where(seen.bits & ACK_BIT != 0, seen.ack + seen.window, 0) + base
        edges = []
        for end in (0, 1):
            most = np.maximum.accumulate(np.where(seen.me == end, edge, base))
            edges.append(np.concatenate((base[:1], most[:-1])))
        edge = np.where(seen.me, edges[0], edges[1]) - base
        over: Column = edge - seen.seq - seen.payload + 1 < 0
        return over & (seen.payload > 0) & (self._since > 1)

    def marks(self) -> tuple[Column, Column]:
        """Return what matters of each segment, 0 where nothing does.

        And which flows have payloads of one end of which some are whole and some are cut.
        """
        seen = self._seen
        me, payload, gain, places = seen.me, seen.payload, self._gain, self._places
        data, pure = payload > 0, (payload == 0) & ~self._fin & ~self._rst
        pure &= seen.bits & SYN_BIT == 0
        first = np.zeros(len(me), bool)
        gaps = np.zeros(len(me), bool)
        mixed = np.zeros(len(seen.starts), bool)
        fins = np.where(me, *self._fins)  # of the other end
        acknowledged = gain - (self._all & (fins < places)) > 0
        for end in (0, 1):
            mine = me == end
            for kind in (data & mine, pure & mine):
                first |= places == _first(seen, places, kind)[seen.flow]
            cut = _first(seen, places, data & mine & ~seen.whole)
            mixed |= (cut != _FAR) & (_first(seen, places, data & mine & seen.whole) != _FAR)
            if (cut != _FAR).any():
                holes = ~mine & acknowledged & (places > cut[seen.flow]) & ~self._rst
                counts = np.cumsum(holes)
                counts -= (counts[seen.starts] - holes[seen.starts])[seen.flow]
                gaps |= holes & powers_of_ten(counts)
        free = (self._other >= 0) & (self._acked > seen.seq[np.minimum(self._first, len(me) - 1)])
        ending = places >= self._ending
        mark = (
            first
            | gaps
            | self._again
            | self._alive
            | self._acks_again
            | ending
            | (data & ~free)
            | (self._opened & (self._since < 3))
        )
        said = _MARK | me * _ME | data * _PAYLOAD | (gain > 0) * _GAIN | self._all * _DUE
        said = said | seen.whole * _WHOLE | gaps * _GAP | self._again * _AGAIN
        said = said | self._fin * _FIN | self._rst * _RST | ending * _ENDING
        said = said | self._crossing * _CROSSING
        said = said | (seen.bits & (RST_BIT | ACK_BIT) == RST_BIT) * _BARE | self._alive * _ALIVE
        moved = seen.window != seen.window[self._mine]
        said = said | self._acks_again * _REPEATS | (self._acks_again & moved) * _MOVED
        return np.where(mark, said, 0), mixed
