"""Chooses the segments of a connection that say most of it: its opening, what went wrong."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from handshake.events import Fate
from handshake.view.notation import is_trouble

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from handshake.events import Step
    from handshake.record import Record


def salient(steps: Sequence[Step], record: Record, lines: int) -> list[int]:
    """Return the indexes of the steps to show in so many lines, in order.

    Segments that are left out take a line, too, wherever that is.
    """
    if len(steps) <= lines:
        return list(range(len(steps)))
    chosen: set[int] = set()
    for at in _by_importance(steps, record):
        more = sorted({*chosen, at})
        if _lines(more, len(steps)) <= lines:
            chosen.add(at)
        elif len(chosen) >= lines:
            break
    return sorted(chosen) or [0]


def _by_importance(steps: Sequence[Step], record: Record) -> Iterator[int]:
    """Yield each index at least once, the most important first."""
    evidence = set(() if record.diagnosis is None else record.diagnosis.evidence)
    evidence |= {each.frame for each in record.findings if each.frame is not None}
    yield 0
    # Where it goes wrong for the first time.
    wrong = [at for at, each in enumerate(steps) if _is_wrong(each, evidence)]
    yield from wrong[:1]
    opening = [at for at, each in enumerate(steps[:20]) if each.segment.syn or each.segment.rst]
    yield from opening
    yield from (at + 1 for at in opening[-1:] if at + 1 < len(steps))
    yield from wrong
    yield from (at - 1 for at in wrong if at)
    yield len(steps) - 1
    yield from range(len(steps))


def _is_wrong(step: Step, evidence: set[int]) -> bool:
    lost = step.fate is Fate.LOST
    return lost or step.segment.rst or step.observed.frame in evidence or is_trouble(step)


def _lines(chosen: Sequence[int], count: int) -> int:
    """Return the lines that steps take, with one wherever others are left out."""
    edges = [-1, *chosen, count]
    gaps = sum(after - before > 1 for before, after in pairwise(edges))
    return len(chosen) + gaps
