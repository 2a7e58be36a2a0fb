"""What is kept of one connection for its diagnosis: few of its segments, in brief."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

from handshake.diagnosis.seen import Seen
from handshake.units import FIN_BIT, RST_BIT, SYN_BIT

if TYPE_CHECKING:
    from handshake.events import Role, Step
    from handshake.tcp import Endpoint
    from handshake.tcp.icmp import IcmpError

FIRST: Final = 40
"""Segments kept from the beginning."""

LAST: Final = 40
"""Segments kept from the end."""

_CONTROL: Final = 40
"""SYNs, FINs and RSTs kept in between."""

_ERRORS: Final = 8

_BITS: Final = SYN_BIT | FIN_BIT | RST_BIT


class Facts:
    """Follows one connection, and keeps its first and last segments in brief."""

    __slots__ = ("_by", "_control", "_ends", "_first", "_last", "count", "icmp")

    def __init__(self) -> None:
        self.count = 0
        """How many segments there were."""

        self.icmp: list[IcmpError] = []
        """The first ICMP errors that quote a segment of it."""

        self._by: Role | None = None
        self._ends: tuple[tuple[Endpoint, Endpoint], tuple[Endpoint, Endpoint]] | None = None
        """The endpoints as the sender of the first segment has them, and as the other end has."""

        self._first: list[Seen] = []
        self._control: list[Seen] = []
        self._last: deque[Seen] = deque(maxlen=LAST)

    def observe(self, step: Step) -> None:
        """Take one step into account."""
        seg = step.segment
        if seg.bogus or step.copy is not None:
            return  # no receiver believes it, or it was sent once
        if self._ends is None:
            ends = seg.source, seg.destination
            self._by, self._ends = step.by, (ends, ends[::-1])
        self.count += 1
        seen = Seen.of(step.observed, self._ends[step.by is not self._by])
        if step.damaged and seg.rst:
            seen = seen._replace(believed=False)
        if len(self._first) < FIRST:
            self._first.append(seen)
            return
        if len(self._last) == LAST and len(self._control) < _CONTROL:
            oldest = self._last[0]
            if oldest.flags & _BITS:
                self._control.append(oldest)
        self._last.append(seen)

    def quoted(self, error: IcmpError, *, of_syn: bool) -> None:  # noqa: ARG002 - an observer's
        """Take an ICMP error into account that quotes a segment."""
        if len(self.icmp) < _ERRORS:
            self.icmp.append(error)

    @property
    def segments(self) -> list[Seen]:
        """What was kept, in the order of the capture."""
        return [*self._first, *self._control, *self._last]

    @property
    def complete(self) -> bool:
        """Whether every segment was kept."""
        return self.count <= FIRST + LAST
