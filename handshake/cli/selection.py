"""Which connections are printed, and in what order: the options --filter, --problems, --sort."""

from __future__ import annotations

from itertools import chain, islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from handshake.cli.listing import Listing
    from handshake.query.parse import Test
    from handshake.record import Record
    from handshake.survey import Records


class Selection:
    """Which connections to print, and in what order."""

    def __init__(self, wanted: str | None, sort: str | None, *, problems: bool) -> None:
        self.filter_text, self.sort, self.problems = wanted or "", sort or "", problems
        self._test: Test | None = None
        self._order: Callable[[Iterable[Record]], list[Record]] | None = None
        if wanted is not None:
            from handshake.query.parse import parse

            self._test = parse(wanted)
        if sort is not None:
            from handshake.query.order import order

            self._order = order(sort)

    @property
    def all(self) -> bool:
        """Whether all connections match."""
        return self._test is None and not self.problems

    @property
    def said(self) -> list[str]:
        """The conditions, as a filter would have them."""
        return [self.filter_text, "not ok" if self.problems else ""]

    def listed(self, found: Sequence[Record], *, live: bool = False) -> Listing:
        """Return the list of records on a terminal, or one that is watched."""
        from handshake.cli.listing import Listing, LiveListing

        kind = LiveListing if live else Listing
        return kind(found, wanted=self.filter_text, by=self.sort, problems=self.problems)

    def has(self, record: Record) -> bool:
        """Whether a record matches."""
        if self._test is not None and not self._test(record):
            return False
        if not self.problems:
            return True
        from handshake.query.problems import is_problem

        return is_problem(record)

    def matching(self, source: Records) -> Iterator[Record]:
        """Return the matching records as they come.

        The first is read at once, so that nothing is printed if nothing can be read.
        """
        found = source.mapped(lambda record: record if self.has(record) else None)
        return chain(list(islice(found, 1)), found)

    def sorted(self, source: Records) -> Iterator[Record]:
        """Return the matching records in order; as they come if no order was given."""
        return self.in_order(self.matching(source))

    def in_order(self, found: Iterator[Record]) -> Iterator[Record]:
        """Return records in order; as they come if no order was given."""
        return found if self._order is None else iter(self._order(found))
