"""What is kept of one connection for its diagnosis: few of its segments, in brief."""

from __future__ import annotations

import struct
from collections import deque
from itertools import groupby, islice
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from handshake.diagnosis.seen import NO_OPTIONS, Seen
from handshake.tcp import Options
from handshake.units import FIN_BIT, RST_BIT, SYN_BIT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from handshake.events import Role, Step
    from handshake.events.run import Brief, Packed, Run
    from handshake.tcp import Endpoint, Observed
    from handshake.tcp.icmp import IcmpError

    _Kept: TypeAlias = "Seen | _InRun | _Late"

FIRST: Final = 40
"""Segments kept from the beginning."""

LAST: Final = 40
"""Segments kept from the end."""

_CONTROL: Final = 40
"""SYNs, FINs and RSTs kept in between."""

_ERRORS: Final = 8

_BITS: Final = SYN_BIT | FIN_BIT | RST_BIT


_ALIGNED: Final = b"\x01\x01\x08\x0a"
_STAMPED: Final = 12
_STAMPS: Final = struct.Struct("!II").unpack_from
"""How options begin that have timestamps first; how many octets these are; TSval and TSecr."""


class _InRun(NamedTuple):
    """A segment of a run, unpacked only if it is looked at."""

    packed: Packed
    place: int


class _Late(NamedTuple):
    """A segment that is taken in brief only if it is among the last ones.

    Until then it takes no memory: what finds copies has it, too.
    """

    observed: Observed
    ends: tuple[Endpoint, Endpoint]
    believed: bool

    @property
    def seen(self) -> Seen:
        """The segment in brief."""
        found = Seen.of(self.observed, self.ends)
        return found if self.believed else found._replace(believed=False)


def _run_of(kept: _Kept) -> Packed | None:
    return kept.packed if isinstance(kept, _InRun) else None


class Facts:
    """Follows one connection, and keeps its first and last segments in brief."""

    __slots__ = ("_by", "_control", "_ends", "_first", "_last", "_packed", "count", "icmp")

    def __init__(self) -> None:
        self.count = 0
        """How many segments there were."""

        self.icmp: list[IcmpError] = []
        """The first ICMP errors that quote a segment of it."""

        self._by: Role | None = None
        self._ends: tuple[tuple[Endpoint, Endpoint], tuple[Endpoint, Endpoint]] | None = None
        """The endpoints as the sender of the first segment has them, and as the other end has."""

        self._first: list[_Kept] = []
        self._control: list[Seen] = []
        self._last: deque[_Kept] | None = None
        """None while all stand in `_first`, as those of most connections that fail do."""

        self._packed = False
        """Whether any of them is still packed in a run, or was not taken in brief."""

    @classmethod
    def of(cls, segments: list[Seen]) -> Facts:
        """Return what is kept of a connection of these few segments."""
        facts = cls()
        facts._first = [*segments]
        facts.count = len(segments)
        return facts

    def observe(self, step: Step) -> None:
        """Take one step into account."""
        seg = step.segment
        if seg.bogus or step.copy is not None:
            return  # no receiver believes it, or it was sent once
        if self._ends is None:
            ends = seg.source, seg.destination
            self._by, self._ends = step.by, (ends, ends[::-1])
        self.count += 1
        believed = not (step.damaged and seg.rst)
        late = _Late(step.observed, self._ends[step.by is not self._by], believed)
        if len(self._first) < FIRST:
            self._first.append(late.seen)
            return
        last = self._tail()
        if len(last) == LAST:
            self._evict(last[0])
        last.append(late)
        self._packed = True

    def _evict(self, oldest: _Kept) -> None:
        """Keep a segment that is not among the last ones any more if it is a SYN, FIN or RST."""
        if len(self._control) >= _CONTROL or isinstance(oldest, _InRun):
            return
        flags = int(oldest.observed.segment.flags) if isinstance(oldest, _Late) else oldest.flags
        if flags & _BITS:
            self._control.append(oldest.seen if isinstance(oldest, _Late) else oldest)

    def _tail(self) -> deque[_Kept]:
        if self._last is None:
            self._last = deque(maxlen=LAST)
        return self._last

    def settled(self, start: object) -> bool:  # noqa: ARG002 - an observer's
        """Whether a run may begin: always, as its segments are kept, too."""
        return self._ends is not None

    def skip(self, run: Run) -> None:
        """Take a run into account: its segments are looked at only for a diagnosis."""
        self.count, self._packed, last = self.count + run.count, True, self._tail()
        first = min(run.count, FIRST - len(self._first))
        self._first += (_InRun(run.packed, place) for place in range(first))
        left = range(max(first, run.count - LAST), run.count)
        evicted = len(last) + (run.count - first) - LAST
        for oldest in islice(last, max(0, evicted)):
            self._evict(oldest)
        last.extend(_InRun(run.packed, place) for place in left)

    def quoted(self, error: IcmpError, *, of_syn: bool) -> None:  # noqa: ARG002 - an observer's
        """Take an ICMP error into account that quotes a segment."""
        if len(self.icmp) < _ERRORS:
            self.icmp.append(error)

    @property
    def segments(self) -> list[Seen]:
        """What was kept, in the order of the capture."""
        if self._packed:
            self._first = [*self._seen(self._first)]
            self._last = deque(self._seen(self._tail()), LAST)
            self._packed = False
        kept = (*self._first, *self._control, *(self._last or ()))
        return [each for each in kept if isinstance(each, Seen)]

    def _seen(self, kept: Iterable[_Kept]) -> Iterator[Seen]:
        for packed, group in groupby(kept, _run_of):
            if packed is None:
                for each in group:
                    if not isinstance(each, _InRun):
                        yield each.seen if isinstance(each, _Late) else each
                continue
            places = [each.place for each in group if isinstance(each, _InRun)]
            # Those of one run follow each other.
            yield from map(self._unpacked, packed.brief(places[0], places[-1] + 1))

    def _unpacked(self, brief: Brief) -> Seen:
        """Return a segment of a run, which has no options but timestamps and SACK."""
        assert self._ends is not None
        _, frame, at, by, seq, ack, flags, window, length, ttl, number, checksum, options = brief
        stamp: int | None = None
        echo: int | None = None
        sack: tuple[tuple[int, int], ...] = ()
        if options.startswith(_ALIGNED):
            stamp, echo = _STAMPS(options, len(_ALIGNED))
        if options and (stamp is None or len(options) > _STAMPED):
            sack = tuple((int(a), int(b)) for a, b in Options(options).sack)
        source, destination = self._ends[by is not self._by]
        sent = (frame, at, source, destination, seq, ack, flags, window, length, ttl, number)
        of_syn = NO_OPTIONS[:4]
        return Seen.made((*sent, checksum, False, *of_syn, stamp, echo, sack, False, True))

    @property
    def complete(self) -> bool:
        """Whether every segment was kept."""
        return self.count <= FIRST + LAST
