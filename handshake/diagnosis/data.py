"""Diagnoses of data that does not get through an open connection."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from handshake.diagnosis.case import Claim, name_of, ordered, seconds
from handshake.diagnosis.seen import IDLE
from handshake.record import RuledOut
from handshake.tcp.seq import distance
from handshake.units import MASK, NS_PER_SECOND, SOONEST_TIMER

if TYPE_CHECKING:
    from collections.abc import Sequence

    from handshake.diagnosis.case import Case
    from handshake.diagnosis.seen import Seen
    from handshake.tcp import Endpoint
    from handshake.tcp.icmp import IcmpError

_AGAIN: Final = 3
"""Retransmissions of one segment that make it a stall: fewer may be a lossy path."""

_FIRST: Final = 32
"""Segments from the beginning between which none was left out."""

_LARGE: Final = 1000
"""Octets from which a segment may be too large for a tunnel; the least MTU of IPv6 is 1280."""

_FAR: Final = 1 << 24
"""Octets beyond a window that no sender has under way: the numbers are another connection's."""

_HOLE: Final = 500
"""Octets of a hole that a small MTU may have made: the least that a host must take is 536."""

_STALL: Final = 1_000_000_000
"""Nanoseconds for which a hole stays open before it counts as never filled."""

_SLACK: Final = 1
"""Octets beyond a window that a window probe may have."""


def stalled(case: Case) -> list[Seen]:
    """Return the transmissions of a segment that was sent again to the end, and never answered."""
    for data in case.data:
        if len(data) <= _AGAIN:
            continue
        last = data[-1]
        again = [each for each in data if each.seq == last.seq and each.length == last.length]
        if len(again) <= _AGAIN or again[-1].at - again[0].at < SOONEST_TIMER:
            continue
        if any(_acknowledges(each, last) for each in case.segments):
            continue
        return again
    return []


def _acknowledges(seen: Seen, data: Seen) -> bool:
    return seen.answers(data) and seen.ack is not None and distance(data.seq, seen.ack) > 0


def path_mtu(case: Case) -> Claim | None:
    """A large segment that is lost each time, while smaller ones arrive in the same direction."""
    again = stalled(case)
    if not again or again[0].length < _LARGE:
        return None
    large = again[0]
    sent = [each for each in case.segments if each.same_way(large) and each.length]
    if any(each.length >= large.length and _delivered(case, each) for each in sent):
        return None
    small = next((each for each in case.segments if _shows_delivery(case, large, each)), None)
    earlier = next(
        (each for each in sent if each.length < large.length and _delivered(case, each)), None
    )
    proof = small or earlier
    if proof is None:
        return None
    values = {
        "by": name_of(case, large),
        "octets": large.length,
        "times": len(again),
        "span": seconds(again[0], again[-1]),
        "while": small is not None,
        "told": any(_needs_fragments(each) for each in case.icmp),
    }
    later = (each for each in case.after(large) if each.answers(large) and not each.rst)
    answer = next(later, None)
    gone = [] if answer is None else [RuledOut("path-down", answer.frame)]
    certainty = "likely" if small is not None else "possible"
    return Claim("path-mtu", certainty, ordered([*again[:8], proof]), values, gone)


def _needs_fragments(error: IcmpError) -> bool:
    return (error.version, error.type, error.code) in ((4, 3, 4), (6, 2, 0))


def missing_large(case: Case) -> Claim | None:
    """A hole in the data that never closes, though what follows it arrived."""
    if not case.complete:
        return None
    ends = (case.answers, case.sent)
    for end, other, data in zip(ends, ends[::-1], case.data, strict=True):
        top, hole = None, None
        for each in data:
            if top is not None and top != each.seq and distance(top, each.seq) >= _HOLE:
                hole = hole or (top, each)
            if top is None or top == each.seq or distance(top, each.end) > 0:
                top = each.end
        # The first data may be what is missing: then the SYN tells where it began.
        syn = next((each for each in end if each.syn or each.syn_ack), None)
        if hole is None and syn is not None and data and distance(syn.end, data[0].seq) >= _HOLE:
            hole = syn.end, data[0]
        if hole is None:
            continue
        begin, after = hole
        if any(distance(each.seq, begin) >= 0 > distance(each.end, begin) for each in data):
            continue
        asks = [
            each for each in other if each.at >= after.at and each.ack == begin and not each.rst
        ]
        if not asks or any(each.ack and distance(begin, each.ack) > 0 for each in other):
            continue
        if case.segments[-1].at - after.at < _STALL:
            continue
        by, name = name_of(case, after), name_of(case, asks[0])
        values = {"by": by, "other": name, "octets": distance(begin, after.seq)}
        return Claim("missing-large", "possible", [after, asks[0]], values)
    return None


def is_missing(evidence: Sequence[Seen]) -> bool:
    """Whether data, and an ACK after it that still asks for what lies before it."""
    after, ask = evidence
    return ask.answers(after) and ask.ack is not None and distance(ask.ack, after.seq) >= _HOLE


def _delivered(case: Case, data: Seen) -> bool:
    return any(_acknowledges(each, data) and each.at >= data.at for each in case.segments)


def _shows_delivery(case: Case, large: Seen, seen: Seen) -> bool:
    """Whether it shows that a smaller segment after the large one arrived: a duplicate ACK."""
    if not seen.answers(large) or not seen.bare_ack or seen.at <= large.at:
        return False
    later = any(
        each.same_way(large)
        and 0 < each.length < large.length
        and distance(large.seq, each.seq) > 0
        and each.at < seen.at
        for each in case.segments
    )
    return later and seen.ack is not None and distance(large.seq, seen.ack) <= 0


def is_path_mtu(evidence: Sequence[Seen]) -> bool:
    """Whether a large segment, sent again more than once and never acknowledged."""
    large = [each for each in evidence if each.length >= _LARGE]
    return (
        len(large) > _AGAIN
        and all(each.repeats(large[0]) or each.seq == large[0].seq for each in large)
        and not any(_acknowledges(each, large[0]) for each in evidence)
    )


def silent_peer(case: Case) -> Claim | None:
    """Data that was sent again to the end, and the other end sends nothing more at all."""
    again = stalled(case)
    if not again:
        return None
    first = again[0]
    later = [each for each in case.after(first) if each.answers(first)]
    if later:
        return None
    before = [each for each in case.segments if each.at < first.at]
    idle = first.at - before[-1].at if before else 0
    heard = [each for each in before if each.answers(first) and not each.syn_ack and not each.syn]
    values = {
        "by": name_of(case, first),
        "times": len(again),
        "span": seconds(first, again[-1]),
        "idle": idle / NS_PER_SECOND,
    }
    evidence = again[:8]
    if idle >= IDLE and heard:
        return Claim("idle-timeout", "possible", [before[-1], *evidence], values)
    return Claim("peer-silent", "possible", evidence, values)


def is_stalled(evidence: Sequence[Seen]) -> bool:
    """Whether the same data, sent again more than once."""
    last = evidence[-1]
    same = [each for each in evidence if each.length and each.seq == last.seq]
    return len(same) > _AGAIN and all(each.same_way(last) for each in same)


def is_idle(evidence: Sequence[Seen]) -> bool:
    """Whether a long silence between the first segment and the second, and data or a RST then."""
    before, first, *rest = evidence
    return first.at - before.at >= IDLE and (first.rst or is_stalled([first, *rest]))


def window_overrun(case: Case) -> Claim | None:
    """Data beyond every window that its receiver offered, where no window is scaled."""
    syns = [each for each in case.segments if each.syn or each.syn_ack]
    ends = {each.source: each for each in syns}
    if len(ends) < 2 or any(each.cut for each in syns):
        return None
    if all(each.scale is not None for each in ends.values()):
        return None
    if any(each.seq != ends[each.source].seq for each in syns):
        return None
    opened: dict[object, tuple[int, Seen]] = {}
    for seen in case.segments if case.complete else case.segments[:_FIRST]:
        if seen.rst or seen.ack is None:
            continue
        offered = opened.get(seen.destination)
        if offered is not None and seen.length and not seen.syn_ack:
            beyond = distance(offered[0], (seen.seq + seen.length) & MASK)
            if _SLACK < beyond < _FAR and distance(offered[1].ack or 0, seen.seq) >= 0:
                return _overrun(case, ends, offered, seen)
        edge = (seen.ack + seen.window) & MASK
        known = opened.get(seen.source)
        if known is None or distance(known[0], edge) >= 0:
            opened[seen.source] = edge, seen
    return None


def _overrun(
    case: Case, ends: dict[Endpoint, Seen], offered: tuple[int, Seen], first: Seen
) -> Claim:
    edge, window = offered
    beyond = [
        each
        for each in case.after(first)
        if each.same_way(first) and distance(edge, each.end) > 0 and each.length
    ]
    most = max((distance(edge, each.end) for each in [first, *beyond[:32]]), default=0)
    values = {
        "by": name_of(case, first),
        "other": name_of(case, window),
        "window": window.window,
        "flight": window.window + most,
        "shift": ends[window.source].scale,
        "unscaled": ends[window.source].scale is None,
    }
    told = next((each for each in case.after(first) if each.answers(first) and each.ack), None)
    kept = told is not None and distance(edge, ((told.ack or 0) + told.window) & MASK) <= 0
    # An ACK that opened the window may not have been captured, unless the next one shows it shut.
    evidence = [window, first, told] if kept and told is not None else [window, first]
    return Claim("window-overrun", "proven" if kept else "likely", evidence, values)


def is_window_overrun(evidence: Sequence[Seen]) -> bool:
    """Whether data beyond the window, not scaled, of the segment before it."""
    window, data, *_ = evidence
    if window.ack is None or not data.answers(window) or not data.length:
        return False
    edge = (window.ack + window.window) & MASK
    return _SLACK < distance(edge, (data.seq + data.length) & MASK) < _FAR
