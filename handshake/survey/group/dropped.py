"""Connections that are not in the flow table: those that were dropped, and those left out."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Final

from handshake.survey.group.flow import other_way

if TYPE_CHECKING:
    from collections.abc import Iterable

REMEMBERED: Final = 16384
"""Dropped flows that are remembered, so that late segments are recognised."""

_SELDOM: Final = 4
"""Connections for each frame, at most, that are looked at where there is no place for more."""


class DroppedFlows:
    """The last connection number of each dropped flow, by addresses and ports either way."""

    def __init__(self) -> None:
        self._numbers: OrderedDict[bytes, int] = OrderedDict()

    def __contains__(self, key: bytes) -> bool:
        return key in self._numbers

    def add(self, flows: Iterable[tuple[tuple[bytes, bytes], int]]) -> None:
        """Remember the keys of flows, and their last numbers."""
        for keys, number in flows:
            for each in keys:
                self._numbers[each] = number
        while len(self._numbers) > REMEMBERED:
            self._numbers.popitem(last=False)

    def pop(self, keys: tuple[bytes, bytes]) -> int | None:
        """Forget a flow; return its last number, None if it was not dropped."""
        number = self._numbers.pop(keys[0], None)
        self._numbers.pop(keys[1], None)
        return number


class OpenPlaces:
    """How many connections may be open at a time; those that come in a flood of more are counted.

    A table may have twice as many flows, since it learns only later which of them have ended.
    """

    def __init__(self, most: int | None) -> None:
        """`most` is how many may be open; None: there is no limit."""
        self.most = most
        self.left_out = 0
        """How many connections found no place."""

        self._known: dict[bytes, None] = {}
        """The last socket pairs that found none."""

        self._looked = 0
        """At which frame places were last looked for."""

    def are_few(self, taken: int) -> bool:
        """Whether there are not many places left, where a table has so many keys."""
        return self.most is not None and taken >= self.most * 3 // 2

    def must_look(self, taken: int, number: int) -> bool:
        """Whether to look for places at the frame of this number: seldom."""
        if not self.are_few(taken) or number - self._looked < taken // _SELDOM:
            return False
        self._looked = number
        return True

    def leave_out(self, key: bytes, taken: int, *, opens: bool) -> bool:
        """Whether there is no place for a connection, or was none for its SYN: count it once."""
        if self.most is None:
            return False
        known, full = self._known, taken >= 2 * self.most
        name = max(key, other_way(key))
        if name in known:
            if full or not opens:
                return True
            # Its SYN is sent again.
            del known[name]
            self.left_out -= 1
        elif full:
            known[name] = None
            self.left_out += 1
            if len(known) > REMEMBERED:
                del known[next(iter(known))]
        return full
