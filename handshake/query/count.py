"""Counts what a survey found: records, and rows that stand for many of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from handshake.query.totals import Counted, Totals
from handshake.survey.alike.rows import RecordRows

if TYPE_CHECKING:
    from handshake.query.row_totals import RowTotals
    from handshake.survey import Records


def totals(source: Records) -> Totals:
    """Return the totals over all records of captures."""
    found = Totals()
    rows: RowTotals | None = None
    # The process that reads a record sends only what is counted.
    for each in source.counted(Counted.of):
        if not isinstance(each, RecordRows):
            found.add(each)
            continue
        if rows is None:
            from handshake.query.row_totals import RowTotals

            rows = RowTotals(found)
        rows.add(each)
    if rows is not None:
        rows.end()
    return found
