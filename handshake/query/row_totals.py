"""Counts many connections of known shapes at once, in columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from handshake.query.totals import Counted
from handshake.survey.flow import text_of
from handshake.survey.tally import tally
from handshake.tracker.findings.capture import COUNTED, FAILED, NAMES, TRACKED

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from handshake.capture.columns import Column
    from handshake.query.totals import Totals
    from handshake.survey.rows import RecordRows
    from handshake.tracker.findings import CaptureFindings
    from handshake.tracker.findings.capture import AddressGroups

_REFUSED: Final = "refused"
_FAILED: Final = [COUNTED.index(each) for each in COUNTED if each in FAILED]
_MOST: Final = TRACKED // 8
"""Groups that are taken of some rows if there are more than a table holds: those with the most
failures."""


class _Ends(NamedTuple):
    """The addresses of one end."""

    numbers: Column
    """Of each row a number for its address."""

    names: list[str]

    @classmethod
    def of(cls, octets: Column) -> _Ends:
        rows = np.ascontiguousarray(octets).view(f"V{octets.shape[1]}")[:, 0].tolist()
        known: dict[bytes, int] = {}
        numbers = [known.setdefault(each, len(known)) for each in rows]
        return cls(np.array(numbers, np.int64), [text_of(each) for each in known])

    def text(self, row: int) -> str:
        """Return the address of a row."""
        return self.names[int(self.numbers[row])]


class _View:
    """The rows, and what is counted of them."""

    def __init__(self, rows: RecordRows, outcomes: Sequence[str]) -> None:
        half = rows.keys.shape[1] // 2 - 2
        self.client, self.server = _Ends.of(rows.keys[:, :half]), _Ends.of(rows.keys[:, half:-4])
        self.port = np.ascontiguousarray(rows.keys[:, -2:]).view(">u2")[:, 0].astype(np.int64)
        self.frames = rows.frames
        known = (*COUNTED, *dict.fromkeys(each for each in outcomes if each not in COUNTED))
        self.outcomes = np.array([known.index(each) for each in outcomes])[rows.of]
        self.names = known

    def having(self, outcome: str) -> Column:
        """Return the rows with an outcome."""
        found: Column = np.flatnonzero(self.outcomes == COUNTED.index(outcome))
        return found


def add_rows(totals: Totals, rows: RecordRows) -> None:
    """Add connections to totals."""
    models = [Counted.of(each) for each in rows.models]
    counts = np.bincount(rows.of, minlength=len(models)).tolist()
    for model, count in zip(models, counts, strict=True):
        if count:
            totals.add_alike(model, count)
    totals.segments += int(rows.segments.sum())
    totals.octets += int(rows.octets.sum())
    totals.add_rtts(rows.rtts[~np.isnan(rows.rtts)].tolist())
    totals.diagnoses.update(each for each in rows.diagnoses if each is not None)
    view = _View(rows, [each.outcome for each in models])
    for outcome, found in ((_REFUSED, totals.refusing), ("no-answer", totals.silent)):
        which = view.having(outcome)
        if not len(which):
            continue
        services = tally(view.server.numbers[which] << 16 | view.port[which])
        first = which[services.firsts]
        servers = [view.server.names[each] for each in view.server.numbers[first].tolist()]
        keys = zip(servers, view.port[first].tolist(), strict=True)
        for key, count in zip(keys, services.counts.tolist(), strict=True):
            found[key] = found.get(key, 0) + count
    capture = totals.of_capture(rows.capture)
    _add_groups(capture, view)
    _add_answers(capture, view, rows)


def _add_groups(capture: CaptureFindings, view: _View) -> None:
    which = np.flatnonzero(view.outcomes < len(COUNTED))
    if not len(which):
        return
    ends = view.client.numbers[which], view.server.numbers[which]
    port = view.port[which]
    client, server = view.client.names.__getitem__, view.server.names.__getitem__
    outcomes, frames = view.outcomes[which], view.frames[which]
    for groups, columns, said in (
        (capture.pairs, (*ends, port), (client, server, int)),
        (capture.clients, (ends[0], port, ends[1]), (client, int, server)),
        (capture.services, (ends[1], port, ends[0]), (server, int, client)),
    ):
        _count(groups, columns, said, outcomes, frames)


def _count(
    groups: AddressGroups[Any],
    columns: tuple[Column, Column, Column],
    said: tuple[Callable[[int], Any], ...],
    outcomes: Column,
    frames: Column,
) -> None:
    """Count rows in a table: two columns are its key, the third has the names told apart."""
    one, two, names = columns
    found = tally(one << 32 | two)
    of, size = found.of_rows, len(found.firsts)
    counts = np.bincount(of * len(COUNTED) + outcomes, minlength=size * len(COUNTED))
    counts = counts.reshape(size, -1)
    failures = counts[:, _FAILED].sum(axis=1)
    chosen = np.arange(size)
    if size > TRACKED:
        chosen = np.sort(np.argsort(-failures, kind="stable")[:_MOST])
    failed = np.flatnonzero(np.isin(outcomes, _FAILED))
    failed = failed[np.argsort(frames[failed], kind="stable")]
    different = failed[tally(of[failed] << 32 | names[failed]).firsts]
    different = different[np.argsort(of[different], kind="stable")]
    begins = np.searchsorted(of[different], chosen, side="left").tolist()
    ends = np.searchsorted(of[different], chosen, side="right").tolist()
    keys = zip(*(each[found.firsts[chosen]].tolist() for each in (one, two)), strict=True)
    own = zip(keys, counts[chosen].tolist(), begins, ends, strict=True)
    for (left, right), each, begin, end in own:
        group = groups[said[0](left), said[1](right)]
        its = different[begin : min(end, begin + NAMES)]
        texts = [said[2](name) for name in names[its].tolist()]
        frame = int(frames[its[0]]) if len(its) else None
        group.add({COUNTED[at]: count for at, count in enumerate(each) if count}, frame, texts)


def _add_answers(capture: CaptureFindings, view: _View, rows: RecordRows) -> None:
    which = np.flatnonzero((rows.ttls >= 0) & (view.outcomes < len(COUNTED)))
    if not len(which):
        return
    refused = view.outcomes[which] == COUNTED.index(_REFUSED)
    found = tally(view.server.numbers[which] << 9 | rows.ttls[which] << 1 | refused)
    for at, count in zip(which[found.firsts].tolist(), found.counts.tolist(), strict=True):
        outcome, frame = view.names[view.outcomes[at]], int(rows.refusals[at])
        capture.answered(
            outcome,
            view.server.text(at),
            int(rows.ttls[at]),
            None if frame < 0 else frame,
            count,
        )
