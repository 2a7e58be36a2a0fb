"""Which connections of a list are shown, in what order, and which of them is chosen."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Final, NamedTuple

from handshake.query.groups import server_groups
from handshake.query.order import order
from handshake.query.parse import parse
from handshake.query.problems import is_problem
from handshake.query.totals import QuickTotals
from handshake.record import nanoseconds
from handshake.units import NS_PER_SECOND
from handshake.view.columns import file_name
from handshake.view.layout import title_name
from handshake.view.strip import Strip

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from handshake.query.groups import ServerGroup
    from handshake.record import Record
    from handshake.view.glyphs import Glyphs

ORDERS: Final = ("#", "outcome", "-rtt", "client", "server", "-retry", "-packets")
"""The orders that a key goes through."""


_COMPUTED: Final = (
    *("failed", "captures", "_starts", "_sorted", "_of_all", "_groups_of_all", "_by_server"),
)
"""What is computed from all records when it is asked for."""


class _Counts(NamedTuple):
    """What is told of the listed connections as a whole."""

    totals: QuickTotals
    strip: Strip


class Listing:
    """The records of a list: a filter, an order and a selection over them."""

    first = ORDERS[0]
    """The order in which they come."""

    def __init__(
        self, records: Sequence[Record], *, wanted: str = "", by: str = "", problems: bool = False
    ) -> None:
        self.all = self._in_order(records)
        self.filter = wanted
        self.order = by or self.first
        self.problems_only = problems
        self.selected = 0
        """The index of the chosen row."""

        self.rows: list[Record] = []
        self._counted: tuple[str, bool] | None = None
        """The filter that the counts are of."""

        self._apply()

    @property
    def current(self) -> Record | None:
        """The chosen record; None if none is listed."""
        return self.rows[self.selected] if self.rows else None

    @cached_property
    def failed(self) -> set[int]:
        """The identities of all records that have a problem."""
        return {id(each) for each in self.all if is_problem(each)}

    @cached_property
    def captures(self) -> int:
        """How many captures they are from."""
        return len({each.capture for each in self.all})

    @cached_property
    def _starts(self) -> dict[int, int]:
        """When each connection began, by its identity."""
        return {id(each): nanoseconds(each.start) for each in self.all}

    @cached_property
    def _sorted(self) -> dict[str, list[Record]]:
        """All records in each order that was asked for."""
        return {self.first: self.all}

    @property
    def totals(self) -> QuickTotals:
        """The totals of what is listed."""
        return self._counts.totals

    @property
    def strip(self) -> Strip:
        """When the listed connections failed."""
        return self._counts.strip

    @cached_property
    def _of_all(self) -> _Counts:
        """The counts of all records: a filter that is taken away asks for them again."""
        return self._count()

    def _count(self) -> _Counts:
        starts = [self._starts[id(each)] for each in self.rows] or [0]
        failed = [self._starts[id(each)] for each in self.rows if id(each) in self.failed]
        return _Counts(QuickTotals(self.rows), Strip(failed, min(starts), max(starts)))

    @property
    def groups(self) -> list[ServerGroup]:
        """What is listed, by server."""
        return server_groups(self.rows) if any(self._counted or ()) else self._groups_of_all[:]

    @cached_property
    def _groups_of_all(self) -> list[ServerGroup]:
        return server_groups(self.all)

    @property
    def in_force(self) -> str:
        """The filter in force, as it could be typed."""
        if not self.problems_only:
            return self.filter
        return f"({self.filter}) and not ok" if self.filter else "not ok"

    def rtts_of(self, record: Record) -> Sequence[float]:
        """Return the round trips of all connections to the server of one."""
        return self._by_server[record.server.address, record.server.port].rtts

    @cached_property
    def _by_server(self) -> dict[tuple[str, int], ServerGroup]:
        return {(each.address, each.port): each for each in self._groups_of_all}

    def grow(self, records: Sequence[Record]) -> None:
        """Take a later reading of the same captures; the chosen connection stays chosen."""
        chosen = self.current
        self.all, self._counted = self._in_order(records), None
        for name in _COMPUTED:
            self.__dict__.pop(name, None)
        self._apply()
        if chosen is not None:
            place = chosen.capture, chosen.stream
            same = (at for at, each in enumerate(self.rows) if (each.capture, each.stream) == place)
            self.selected = next(same, min(self.selected, max(0, len(self.rows) - 1)))

    def select(self, wanted: str) -> None:
        """Filter; the chosen connection stays chosen if it is still listed. Raises UsageError."""
        parse(wanted) if wanted else None
        self.filter = wanted
        self._keep()

    def show_problems(self, only: bool) -> None:
        """List only connections with problems, or no longer so."""
        self.problems_only = only
        self._keep()

    def sort(self, by: str) -> None:
        """Sort, and go to the top. Raises UsageError."""
        if by not in self._sorted:
            order(by)
        self.order = by
        self._apply()
        self.selected = 0

    def sort_next(self) -> None:
        """Take the next order."""
        orders = (self.first, *ORDERS[1:])
        at = orders.index(self.order) if self.order in orders else -1
        self.sort(orders[(at + 1) % len(orders)])

    def sort_ahead(self, go_on: Callable[[], None]) -> None:
        """Sort by each of the usual orders, so that the keys need not; another thread may do it."""
        every, known = self.all, self._sorted
        for by in (each for one in ORDERS for each in (one, _turned(one))):
            go_on()
            if by not in known:
                known[by] = order(by)(every)
        go_on()
        _ = self._groups_of_all

    def reverse(self) -> None:
        """Turn the order round."""
        self.sort(_turned(self.order))

    def undo(self) -> bool:
        """Undo one thing: the filter, then the order, then the selection; False if all are."""
        if self.filter or self.problems_only:
            self.filter, self.problems_only = "", False
            self._keep()
        elif self.order != self.first:
            self.sort(self.first)
        elif self.selected:
            self.selected = 0
        else:
            return False
        return True

    def move(self, to: int) -> None:
        """Choose a row; the first or the last if there is none of this index."""
        self.selected = max(0, min(to, len(self.rows) - 1))

    def go_to(self, number: int) -> bool:
        """Choose a connection by its number on the screen; return whether it is listed."""
        found = (at for at, each in enumerate(self.rows) if each.stream + 1 == number)
        at = next(found, None)
        if at is not None:
            self.selected = at
        return at is not None

    def next_problem(self, step: int) -> bool:
        """Choose the next connection with a problem in a direction; return whether there is one."""
        at = self.selected + step
        while 0 <= at < len(self.rows):
            if id(self.rows[at]) in self.failed:
                self.selected = at
                return True
            at += step
        return False

    def counterpart(self) -> Record | None:
        """Return the nearest connection to the same server that is well if the chosen is not.

        If the chosen one is well, the nearest that is not. Where all have a problem, the nearest
        of which one opened and the other did not; None if there is none.
        """
        chosen = self.current
        if chosen is None:
            return None
        place = chosen.server.address, chosen.server.port
        there = [each for each in self.all if (each.server.address, each.server.port) == place]
        well = id(chosen) not in self.failed
        others = [each for each in there if (id(each) not in self.failed) != well]
        # Where each has some problem, one that opened is compared with one that did not.
        opened = chosen.outcome == "established"
        others = others or [each for each in there if (each.outcome == "established") != opened]
        at = nanoseconds(chosen.start)
        return min(others, key=lambda each: abs(nanoseconds(each.start) - at), default=None)

    @staticmethod
    def _in_order(records: Sequence[Record]) -> list[Record]:
        """Return records by their captures and numbers: some come before others."""
        names = dict.fromkeys(each.capture for each in records)
        captures = {name: at for at, name in enumerate(names)}
        return sorted(records, key=lambda each: (captures[each.capture], each.stream))

    def _keep(self) -> None:
        chosen = self.current
        self._apply()
        same = (at for at, each in enumerate(self.rows) if each is chosen)
        self.selected = next(same, 0)

    def _apply(self) -> None:
        test = parse(self.filter) if self.filter else None
        if self.order not in self._sorted:
            self._sorted[self.order] = order(self.order)(self.all)
        found = self._sorted[self.order]
        if test is not None:
            found = [each for each in found if test(each)]
        if self.problems_only:
            found = [each for each in found if id(each) in self.failed]
        self.rows = found
        if (self.filter, self.problems_only) != self._counted:
            # An order changes neither.
            self._counted = self.filter, self.problems_only
            self._counts = self._count() if any(self._counted) else self._of_all
        self.selected = min(self.selected, max(0, len(self.rows) - 1))


class LiveListing(Listing):
    """A list that grows at its top, in the order of the records: what is at the top stays there."""

    first = "live"

    @cached_property
    def _sorted(self) -> dict[str, list[Record]]:
        return {self.first: self.all, f"-{self.first}": self.all[::-1]}

    def grow(self, records: Sequence[Record]) -> None:
        """Take a later reading; the chosen connection stays chosen, except at the top."""
        at_top = not self.selected
        super().grow(records)
        if at_top:
            self.selected = 0

    @staticmethod
    def _in_order(records: Sequence[Record]) -> list[Record]:
        return list(records)


def title(records: Sequence[Record], captures: Sequence[str], glyphs: Glyphs) -> str:
    """Return the title: the capture and what is in it."""
    say = glyphs.say
    if captures == ["-"]:
        name = say("list.stdin")
    elif len(captures) == 1:
        name = title_name(file_name(captures[0]), glyphs.ellipsis)
    else:
        name = say("list.captures", count=len(captures))
    heading = say("list.title", name=name)
    if not records:
        return heading
    packets = sum(each.client.segments + each.server.segments for each in records)
    begin = min(nanoseconds(each.start) for each in records)
    end = max(nanoseconds(each.start) / NS_PER_SECOND + (each.duration or 0) for each in records)
    values = {"packets": packets, "connections": len(records)}
    contents = say("list.contents", **values, seconds=end - begin / NS_PER_SECOND)
    return f"{heading}  {contents}"


def _turned(by: str) -> str:
    """Return an order backwards."""
    return ",".join(each[1:] if each[:1] == "-" else f"-{each}" for each in by.split(","))
