"""Groups the rows of columns by a key."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from handshake.survey.group.flow import text_of

if TYPE_CHECKING:
    from handshake.capture.columns import Column


class RowGroups(NamedTuple):
    """Rows by the value of a column; groups are in the order of their first rows."""

    firsts: Column
    """The first row of each group."""

    counts: Column
    starts: Column
    """Where the rows of each group begin in `order`."""

    order: Column

    @property
    def of_rows(self) -> Column:
        """The group of each row."""
        turn = np.argsort(self.starts)
        found: Column = np.empty(len(self.order), np.int64)
        found[self.order] = np.repeat(turn, self.counts[turn])
        return found

    def rows(self, at: int) -> Column:
        """Return the rows of a group, in order."""
        start = self.starts[at]
        found: Column = self.order[start : start + self.counts[at]]
        return found

    def different(self, at: int, values: Column, most: int) -> list[int]:
        """Return the different values of a column in a group, in order, so many at most."""
        return list(dict.fromkeys(values[self.rows(at)].tolist()))[:most]


def tally(keys: Column) -> RowGroups:
    """Return the rows of each key."""
    order = np.argsort(keys, kind="stable")
    known = keys[order]
    begins = np.flatnonzero(np.concatenate(([True], known[1:] != known[:-1]))[: len(keys)])
    counts = np.diff(np.append(begins, len(keys)))
    firsts = order[begins]
    turn = np.argsort(firsts)
    return RowGroups(firsts[turn], counts[turn], begins[turn], order)


def text(address: int) -> str:
    """Return the text of an IPv4 address."""
    return text_of(int(address).to_bytes(4, "big"))
