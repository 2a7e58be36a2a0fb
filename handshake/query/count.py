"""Counts what a survey found: records, and rows that stand for many of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from handshake.query.totals import Counted, Totals
from handshake.survey.rows import RecordRows

if TYPE_CHECKING:
    from handshake.survey import Records


def totals(source: Records) -> Totals:
    """Return the totals over all records of captures."""
    found = Totals()
    # The process that reads a record sends only what is counted.
    for each in source.counted(Counted.of):
        if isinstance(each, RecordRows):
            from handshake.query.row_totals import add_rows

            add_rows(found, each)
        else:
            found.add(each)
    return found
