"""What other connections show of the hosts of attempts: which attempts they tell the same of."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from handshake.survey.group.tally import tally, text
from handshake.units import MASK

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable

    from handshake.capture.columns import Column
    from handshake.diagnosis import Others
    from handshake.survey.group.waiting import AttemptRows


class ToldColumns:
    """For each question that a diagnosis asks of other connections: a number for each answer."""

    def __init__(self, others: Others, rows: AttemptRows) -> None:
        self._others = others
        self._rows = rows
        self._known: dict[str, Column | None] = {}

    def alike(self, questions: Iterable[str], at: int, rows: Column) -> Column:
        """Return which of these rows have the answers to these questions that one of them has."""
        same = np.ones(len(rows), bool)
        for question in questions:
            if question not in self._known:
                self._known[question] = self._answers(question)
            answers = self._known[question]
            if answers is not None:
                same &= answers[rows] == answers[at]
        return same

    def _answers(self, question: str) -> Column | None:
        """Return a number for each answer; None if all rows have the same."""
        client, server, port = self._rows.ends
        nothing, others = np.zeros_like(client), self._others
        if others.knows_nothing(question):
            return None
        if question in ("client", "server"):
            address = client if question == "client" else server
            return _each(address, nothing, lambda one, _: id(others.host(text(one))))
        if question in ("tried", "stamps", "reached"):
            return _each(
                client, server, lambda one, two: others.told(question, text(one), text(two))
            )
        if question in ("swept", "hanging"):
            address = client if question == "swept" else server
            return _each(address, port, lambda one, two: others.told(question, text(one), two))
        return self._by_number(question)

    def _by_number(self, question: str) -> Column:
        """Return the answers to questions about what acknowledges a SYN: another one for each SYN.

        What is told of such a number may concern one of its SYNs alone.
        """
        seen, starts = self._rows.seen, self._rows.starts
        found = np.zeros(len(self._rows), np.int64)
        own = self._rows.ends[0], self._rows.client_ports, seen.seq[starts] + 1 & MASK
        columns = zip(*(each.tolist() for each in own), strict=True)
        for at, (client, port, ack) in enumerate(columns):
            if self._others.told(question, text(client), port, ack) is not None:
                found[at] = at + 1
        return found


def _each(one: Column, two: Column, ask: Callable[[int, int], Hashable]) -> Column:
    """Return a number for each answer to a question about two columns."""
    known: dict[Hashable, int] = {}
    found = tally(one << 32 | two)
    pairs = zip(one[found.firsts].tolist(), two[found.firsts].tolist(), strict=True)
    answers = [known.setdefault(ask(*each), len(known)) for each in pairs]
    numbers: Column = np.array(answers, np.int64)[found.of_rows]
    return numbers
