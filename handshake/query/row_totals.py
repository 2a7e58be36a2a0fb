"""Counts many connections of known shapes at once, in columns."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from handshake.query.totals import Counted
from handshake.survey.group.flow import text_of
from handshake.survey.group.tally import tally
from handshake.tracker.findings.capture import COUNTED, FAILED, FLOOD, HANGING, SCAN, TRACKED

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable

    from handshake.capture.columns import Column
    from handshake.query.totals import Totals
    from handshake.survey.alike.rows import RecordRows
    from handshake.tracker.findings import CaptureFindings
    from handshake.tracker.findings.capture import AddressGroups

_REFUSED: Final = "refused"
_FAILED: Final = [COUNTED.index(each) for each in COUNTED if each in FAILED]
_HANGING: Final = [COUNTED.index(each) for each in COUNTED if each in HANGING]
_OTHER: Final = len(COUNTED)
"""An outcome that no finding about a capture counts."""

_AT_ONCE: Final = 1 << 17
"""Rows that are looked at together."""

_MOST: Final = TRACKED // 8
"""Groups that are taken of some rows if there are more than a table holds: those with the most
failures."""


class _Observed(NamedTuple):
    """What findings about a capture need of rows."""

    keys: Column
    outcomes: Column
    frames: Column
    ttls: Column
    refusals: Column


class _Addresses(NamedTuple):
    """The addresses of one end."""

    numbers: Column
    """Of each row a number for its address."""

    octets: list[bytes]

    @classmethod
    def of(cls, octets: Column) -> _Addresses:
        rows = np.ascontiguousarray(octets).view(f"V{octets.shape[1]}")[:, 0].tolist()
        known: dict[bytes, int] = {}
        numbers = [known.setdefault(each, len(known)) for each in rows]
        return cls(np.array(numbers, np.int64), list(known))

    def text(self, number: int) -> str:
        """Return the address of a number."""
        return text_of(self.octets[number])


class RowTotals:
    """Adds rows to totals; what they show of each capture as a whole is added in the end."""

    def __init__(self, totals: Totals) -> None:
        self._totals = totals
        self._parts: defaultdict[tuple[str | None, int], list[_Observed]] = defaultdict(list)
        """Of each capture, by the octets of a key: those of IPv4 and of IPv6 apart."""

    def add(self, rows: RecordRows) -> None:
        """Add connections."""
        models = [Counted.of(each) for each in rows.models]
        counts = np.bincount(rows.of, minlength=len(models)).tolist()
        totals = self._totals
        for model, count in zip(models, counts, strict=True):
            if count:
                totals.add_alike(model, count)
        totals.segments += int(rows.segments.sum())
        totals.octets += int(rows.octets.sum())
        totals.add_rtts(rows.rtts[~np.isnan(rows.rtts)].tolist())
        totals.diagnoses.update(each for each in rows.diagnoses if each is not None)
        totals.of_capture(rows.capture)
        kinds = [
            COUNTED.index(each.outcome) if each.outcome in COUNTED else _OTHER for each in models
        ]
        outcomes = np.array(kinds)[rows.of]
        for outcome, found in ((_REFUSED, totals.refusing), ("no-answer", totals.silent)):
            _add_services(found, rows.keys[outcomes == COUNTED.index(outcome)])
        parts = self._parts[rows.capture, rows.keys.shape[1]]
        parts.append(_Observed(rows.keys, outcomes, rows.frames, rows.ttls, rows.refusals))
        if sum(len(each.keys) for each in parts) >= _AT_ONCE:
            self._look(rows.capture, parts, last=False)

    def end(self) -> None:
        """Add what they show of each capture as a whole."""
        for (capture, _), parts in self._parts.items():
            if parts:
                self._look(capture, parts, last=True)

    def _look(self, name: str | None, parts: list[_Observed], *, last: bool) -> None:
        whole = _Observed(*(np.concatenate(each) for each in zip(*parts, strict=True)))
        parts.clear()
        which = np.flatnonzero(whole.outcomes != _OTHER)
        if len(which):
            _look_at(
                self._totals.of_capture(name),
                _Observed(*(each[which] for each in whole)),
                last=last,
            )


def _add_services(found: Counter[tuple[str, int]], keys: Column) -> None:
    """Count connections by the server's address and port."""
    if not len(keys):
        return
    half = keys.shape[1] // 2 - 2
    server, port = _Addresses.of(keys[:, half:-4]), _port(keys)
    services = tally(server.numbers << 16 | port)
    servers = [server.text(each) for each in server.numbers[services.firsts].tolist()]
    names = zip(servers, port[services.firsts].tolist(), strict=True)
    for key, count in zip(names, services.counts.tolist(), strict=True):
        found[key] = found.get(key, 0) + count


def _port(keys: Column) -> Column:
    found: Column = np.ascontiguousarray(keys[:, -2:]).view(">u2")[:, 0].astype(np.int64)
    return found


def _look_at(capture: CaptureFindings, part: _Observed, *, last: bool) -> None:
    """Add to what was found about a capture; if it is the `last`, only what a finding needs."""
    half = part.keys.shape[1] // 2 - 2
    client, server = _Addresses.of(part.keys[:, :half]), _Addresses.of(part.keys[:, half:-4])
    port, ends = _port(part.keys), (client.numbers, server.numbers)
    for groups, columns, said, most in (
        (capture.pairs, (*ends, port), (client.text, server.text, int), SCAN),
        (capture.clients, (ends[0], port, ends[1]), (client.text, int, server.text), SCAN),
        (capture.services, (ends[1], port, ends[0]), (server.text, int, client.text), None),
    ):
        counts = _GroupedRows(columns, part.outcomes)
        chosen = counts.chosen(most) if last and not len(groups) else counts.most_failing()
        for at in chosen.tolist():
            counts.add(groups, at, said, part.frames)
    _add_answers(capture, server, part, last=last)


class _GroupedRows:
    """Rows grouped by two columns; a third has the names that are told apart."""

    def __init__(self, columns: tuple[Column, Column, Column], outcomes: Column) -> None:
        self._columns = columns
        self._groups = tally(columns[0] << 32 | columns[1])
        self._of, self._size = self._groups.of_rows, len(self._groups.firsts)
        counts = np.bincount(self._of * _OTHER + outcomes, minlength=self._size * _OTHER)
        self._counts = counts.reshape(self._size, _OTHER)
        self._failures = self._counts[:, _FAILED].sum(axis=1)
        self._failed = np.isin(outcomes, _FAILED)

    def chosen(self, names: int | None) -> Column:
        """Return the groups of which so many may have failed; if None, of which so many hang."""
        if names is None:
            return np.flatnonzero(self._counts[:, _HANGING].sum(axis=1) >= FLOOD)
        return np.flatnonzero(self._failures >= names)

    def most_failing(self) -> Column:
        """Return all groups; if they are too many, those with the most failures."""
        if self._size <= TRACKED:
            return np.arange(self._size)
        found: Column = np.sort(np.argsort(-self._failures, kind="stable")[:_MOST])
        return found

    def add(
        self,
        groups: AddressGroups[Any],
        at: int,
        said: tuple[Callable[[int], Any], ...],
        frames: Column,
    ) -> None:
        """Add one of the groups to a table."""
        rows = self._groups.rows(at)
        failed = rows[self._failed[rows]]
        one, two, names = (each[failed if len(failed) else rows] for each in self._columns)
        counts = enumerate(self._counts[at].tolist())
        different = dict.fromkeys(names[np.argsort(frames[failed], kind="stable")].tolist())
        groups[said[0](int(one[0])), said[1](int(two[0]))].add(
            {COUNTED[outcome]: count for outcome, count in counts if count},
            int(frames[failed].min()) if len(failed) else None,
            (said[2](name) for name in different),
        )


def _add_answers(
    capture: CaptureFindings, server: _Addresses, part: _Observed, *, last: bool
) -> None:
    """Add the TTLs with which servers answered."""
    refused = part.refusals >= 0
    if last and not capture.hosts and not refused.any():
        return
    which = np.flatnonzero(part.ttls >= 0)
    if not len(which):
        return
    found = tally(server.numbers[which] << 9 | part.ttls[which] << 1 | refused[which])
    for at, count in zip(which[found.firsts].tolist(), found.counts.tolist(), strict=True):
        outcome, frame = COUNTED[part.outcomes[at]], int(part.refusals[at])
        host, ttl = server.text(int(server.numbers[at])), int(part.ttls[at])
        capture.answered(outcome, host, ttl, None if frame < 0 else frame, count)
