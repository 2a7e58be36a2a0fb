"""Findings in the packets themselves: TTL, checksum, copies, malformed headers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from handshake import events as ev
from handshake.events import Role
from handshake.record import Finding
from handshake.tcp import Offer
from handshake.tcp.segment import OPTIONS_CUT, RESERVED_BITS_SET
from handshake.tracker.findings.checksums import ChecksumFindings
from handshake.units import NS_PER_SECOND

if TYPE_CHECKING:
    from collections.abc import Iterator

    from handshake.events import Copy, Step
    from handshake.events.run import Run, RunStart
    from handshake.tcp import Observed

TTLS: Final = 8
"""Different TTLs remembered of one end: more of them prove nothing more."""

_RST_TTL: Final = "reset-by-other-ttl"

STEP: Final = 1_000_000
"""Nanoseconds that a time stamp must lie before the one before it to matter after the opening."""

ENOUGH: Final = 3
"""Segments with the same TTL from which it counts as the end's own."""


@dataclass(slots=True)
class _Ttls:
    ttls: dict[int, int] = field(default_factory=dict)
    """How many segments had each TTL, without RSTs and the SYN."""

    syn_ttl: int | None = None
    syn_ttls: set[int] = field(default_factory=set)
    """Those of its SYNs and SYN-ACKs."""

    changed: Observed | None = None
    """The first segment after the SYN that had another TTL than one before it."""

    last: Observed | None = None
    early_rst: Observed | None = None
    """Its first RST, if it came before all else of this end."""


class PathFindings:
    """Follows what the path did to the packets, as far as their headers show it."""

    __slots__ = (
        "_backwards",
        "_copies",
        "_copy",
        "_ends",
        "_first_back",
        "_kept",
        "_last",
        "_late_syn",
        "_open",
        "_replayed",
        "_sums",
    )

    def __init__(self) -> None:
        self._kept: dict[str, Finding] = {}
        self._ends = {Role.CLIENT: _Ttls(), Role.SERVER: _Ttls()}
        self._copies = 0
        self._copy: tuple[Observed, Observed] | None = None
        """The first packet that was captured twice, and its copy."""

        self._replayed = False
        self._sums = ChecksumFindings()

        self._last: Observed | None = None
        self._open = False
        self._late_syn: Observed | None = None
        """The SYN, if its answer was captured before it."""

        self._backwards = 0
        self._first_back: tuple[Observed, Observed] | None = None
        """The first packet with an earlier time stamp than the one before it, after that one."""

    def feed(self, step: Step) -> None:
        """Take one step into account."""
        observed, mine = step.observed, self._ends[step.by]
        if step.copy is not None:
            self._copied(step, step.copy)
            return
        self._sums.feed(step)
        if step.segment.problems:
            self._malformed(observed)
        before, self._last = self._last, observed
        if before is not None and observed.at < before.at:
            self._back(before, observed)
        if not self._open:
            self._late_syn = self._late_syn or _answered_before(step)
            self._open = any(type(event) is ev.Established for event in step.events)
        if step.segment.bogus:
            return
        mine.last = observed
        ttl, seg = observed.ttl, step.segment
        if ttl in mine.ttls and not (seg.syn or seg.rst):
            mine.ttls[ttl] += 1
        elif ttl is not None:
            self._ttl(step, mine, ttl)

    def settled(self, start: RunStart) -> bool:
        """Whether a run may begin: in it the TTL of each end stays the same, or becomes known."""
        for role, sent in ((Role.CLIENT, start.client), (Role.SERVER, start.server)):
            mine = self._ends[role]
            if not mine.ttls:
                continue
            ttl = None if mine.last is None else mine.last.ttl
            if ttl is None or ttl not in mine.ttls:
                return False
            sent.ttl = ttl
        return self._sums.settled(start)

    def skip(self, run: Run) -> None:
        """Take a run into account."""
        for role, mine in self._ends.items():
            sent = run.of(role)
            if sent.segments:
                mine.last = run.packed.observed(sent.place)
                mine.ttls[sent.ttl] = mine.ttls.get(sent.ttl, 0) + sent.segments
        self._last = self._ends[run.last].last
        self._sums.skip(run)
        if run.copies is not None and run.copies.first is not None:
            place, copy = run.copies.first
            self._copies += run.copies.client.count + run.copies.server.count
            self._copy = self._copy or (run.packed.observed(place), copy)

    def _copied(self, step: Step, copy: Copy) -> None:
        """Note a packet that was captured twice: no path changed what a replay changed."""
        self._copies += 1
        self._copy = self._copy or (copy.original, step.observed)
        self._replayed = self._replayed or copy.replayed
        if step.segment.syn and not copy.replayed:
            self._rewritten(step.by, copy.original, step.observed)

    def _keep(self, code: str, observed: Observed, **values: object) -> None:
        self._kept.setdefault(code, Finding(code, observed.frame, values))

    def _back(self, before: Observed, observed: Observed) -> None:
        """Note a time stamp before that of the packet before."""
        # Several queues of a network card are read in turn, and disorder a little.
        if not self._open or before.at - observed.at >= STEP:
            self._backwards += 1
            self._first_back = self._first_back or (before, observed)

    def _malformed(self, observed: Observed) -> None:
        noted = (RESERVED_BITS_SET, OPTIONS_CUT)
        problems = [each for each in observed.segment.problems if each not in noted]
        if problems:
            self._keep("malformed", observed, problems=tuple(problems))
        if RESERVED_BITS_SET in observed.segment.problems:
            self._keep("reserved-bits", observed)

    def _ttl(self, step: Step, mine: _Ttls, ttl: int) -> None:
        seg, observed = step.segment, step.observed
        if seg.rst:
            known = mine.syn_ttls | mine.ttls.keys()
            # One that was seen leaving is of the machine that captured it, whatever its TTL.
            if known and ttl not in known and not observed.outgoing:
                values = {"by": step.by, "ttl": ttl, "others": sorted(known)}
                alone = step.by is Role.CLIENT and not mine.ttls
                found = Finding(_RST_TTL, observed.frame, values, "syn" if alone else "other")
                self._kept.setdefault(_RST_TTL, found)
            elif not known:
                mine.early_rst = mine.early_rst or observed
            return
        if seg.syn:
            mine.syn_ttl = ttl if mine.syn_ttl is None else mine.syn_ttl
            if len(mine.syn_ttls) < TTLS:
                mine.syn_ttls.add(ttl)
            return
        if mine.ttls:
            mine.changed = mine.changed or observed
        if len(mine.ttls) < TTLS:
            mine.ttls[ttl] = 1

    def _rewritten(self, by: Role, before: Observed, after: Observed) -> None:
        """Note what the path changed in a SYN that was captured at two points of it."""
        was, now = Offer.of(before.segment), Offer.of(after.segment)
        syn = "SYN" if after.segment.ack is None else "SYN-ACK"
        if was == now:
            return
        if was.mss is not None and now.mss is not None and now.mss < was.mss:
            self._keep("mss-clamped", after, by=by, syn=syn, was=was.mss, now=now.mss)
        gone = [
            word
            for word, had, has in (
                ("timestamps", was.timestamps, now.timestamps),
                ("SACK permitted", was.sack_permitted, now.sack_permitted),
                ("window scale", was.window_scale is not None, now.window_scale is not None),
                ("MPTCP", was.mptcp is not None, now.mptcp is not None),
                ("Fast Open", was.fast_open is not None, now.fast_open is not None),
                ("ECN", was.ecn or was.accecn, now.ecn or now.accecn),
            )
            if had and not has
        ]
        if gone:
            code = "timestamps-stripped" if "timestamps" in gone else "options-stripped"
            self._keep(code, after, by=by, syn=syn, gone=gone)

    def found(self) -> Iterator[Finding]:
        """Yield what was found so far."""
        yield from self._kept.values()
        for role, mine in self._ends.items():
            if mine.ttls:
                yield from _ways(role, mine)
            if mine.early_rst is not None and _RST_TTL not in self._kept:
                yield from _early(role, mine, mine.early_rst)
        yield from self._sums.found()
        if self._first_back is not None:
            before, after = self._first_back
            values = {"count": self._backwards, "back": (before.at - after.at) / NS_PER_SECOND}
            yield Finding("clock-step", after.frame, values)
        late = self._late_syn
        if late is not None and not (self._first_back and self._first_back[1] is late):
            yield Finding("answer-first", late.frame)
        if self._copy is not None:
            yield self._twice(*self._copy)

    def _twice(self, before: Observed, after: Observed) -> Finding:
        hops = 0 if before.ttl is None or after.ttl is None else abs(before.ttl - after.ttl)
        gap = abs(after.at - before.at) / NS_PER_SECOND
        values = {"count": self._copies, "gap": gap, "hops": hops}
        variant = "replayed" if self._replayed else "points"
        return Finding("seen-twice", after.frame, values, variant)


def _answered_before(step: Step) -> Observed | None:
    """Return a SYN that is captured after its answer."""
    seg, block = step.segment, step.sender.before
    late = seg.syn and seg.ack is None and block is not None and block.snd.iss == seg.seq
    return step.observed if late and block is not None and block.offered is None else None


def _frame(observed: Observed | None) -> int | None:
    return None if observed is None else observed.frame


def _early(role: Role, mine: _Ttls, rst: Observed) -> Iterator[Finding]:
    """Yield that a RST had another TTL than all that its sender sent after it."""
    others = set(mine.ttls)
    others |= set() if mine.syn_ttl is None else {mine.syn_ttl}
    if others and rst.ttl not in others:
        values = {"by": role, "ttl": rst.ttl, "others": sorted(others)}
        yield Finding(_RST_TTL, rst.frame, values, "other")


def _ways(role: Role, mine: _Ttls) -> Iterator[Finding]:
    if len(mine.ttls) == 1 and mine.syn_ttl is not None:
        ((ttl, count),) = mine.ttls.items()
        if ttl != mine.syn_ttl and count >= ENOUGH:
            values = {"by": role, "syn_ttl": mine.syn_ttl, "count": count, "ttl": ttl}
            yield Finding("middlebox", _frame(mine.last), values)
    elif mine.changed is not None:
        yield Finding("ttl-varies", mine.changed.frame, {"by": role, "ttls": sorted(mine.ttls)})
