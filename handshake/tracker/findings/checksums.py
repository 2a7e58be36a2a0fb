"""Findings in the checksums: left to the network card, damaged, or changed after they were sent."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from handshake.events import Role
from handshake.record import Finding
from handshake.tcp.checksum import Checksum, Damaged, kind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from handshake.events import Step
    from handshake.events.run import Run, RunStart
    from handshake.tcp import Observed


@dataclass(slots=True)
class _Sums:
    """The checksums of one end."""

    segments: int = 0
    """All that were captured; one that the snap length cut cannot be checked."""

    checked: int = 0
    partial: int = 0
    zero: int = 0
    """Those of the partial ones that are 0, as a damaged one may be."""

    wrong: int = 0
    first_partial: Observed | None = None
    first_wrong: Observed | None = None
    damaged: Damaged = field(default_factory=Damaged)

    @property
    def bad(self) -> int:
        """How many are not right."""
        return self.partial + self.wrong

    @property
    def mostly(self) -> bool:
        """Whether most of them are not right."""
        return 2 * self.bad > self.checked

    @property
    def unfilled(self) -> bool:
        """Whether so many are partial sums that damage cannot explain it.

        A host whose card completes checksums may still compute that of a RST or an ACK itself.
        """
        if self.partial and self.partial == self.bad and (self.damaged.accepted or not self.zero):
            return True
        return self.bad > 1 and self.partial >= self.wrong and self.mostly


class ChecksumFindings:
    """Counts the checksums of one connection by their kind."""

    __slots__ = ("_ends",)

    def __init__(self) -> None:
        self._ends = {Role.CLIENT: _Sums(), Role.SERVER: _Sums()}

    def feed(self, step: Step) -> None:
        """Take one step into account."""
        observed, mine, other = step.observed, self._ends[step.by], self._ends[step.by.other]
        mine.segments += 1
        if observed.checksum_ok is not None:
            mine.checked += 1
        if other.damaged.pending and step.segment.ack is not None and not step.segment.rst:
            other.damaged.acknowledged(step.segment.ack)
        if observed.checksum_ok is not False:
            if mine.damaged.pending:
                mine.damaged.sent(observed, wrong=False)
            return
        found = kind(observed)
        if found is Checksum.PARTIAL:
            mine.partial += 1
            mine.zero += not step.segment.checksum
            mine.first_partial = mine.first_partial or observed
        else:
            mine.wrong += 1
            mine.first_wrong = mine.first_wrong or observed
        mine.damaged.sent(observed, wrong=found is Checksum.WRONG or not step.segment.checksum)

    def settled(self, start: RunStart) -> bool:
        """Whether a run may begin: `start` learns whether it matters what is acknowledged."""
        for role, sent in ((Role.CLIENT, start.client), (Role.SERVER, start.server)):
            mine = self._ends[role]
            sent.zeros = mine.damaged.accepted
            start.sums |= bool(mine.damaged.pending or (mine.zero and not sent.zeros))
        return True

    def skip(self, run: Run) -> None:
        """Take a run into account."""
        for role, mine in self._ends.items():
            sent = run.of(role)
            mine.segments += sent.segments
            mine.checked += sent.segments - sent.unknown
            mine.partial += sent.partial
            mine.wrong += sent.wrong
            mine.zero += sent.zero
            if sent.first_partial is not None and mine.first_partial is None:
                mine.first_partial = run.packed.observed(sent.first_partial)
            if sent.first_wrong is not None and mine.first_wrong is None:
                mine.first_wrong = run.packed.observed(sent.first_wrong)
        for each in run.sums or ():
            mine, other = self._ends[each.by], self._ends[each.by.other]
            if other.damaged.pending:
                other.damaged.acknowledged(each.ack)
            if not each.right or mine.damaged.pending:
                wrong = each.kind is Checksum.WRONG or each.zero
                mine.damaged.took(each.seq, each.end, wrong=wrong)

    def found(self) -> Iterator[Finding]:
        """Yield what was found so far."""
        bad = [(role, mine) for role, mine in self._ends.items() if mine.bad]
        unfilled = [each for each in bad if each[1].unfilled]
        if unfilled:
            # A host that captures before its card sums up may also join what it receives: such
            # packets are few, and tell nothing of their sender.
            most = [each for each in unfilled if each[1].mostly]
            yield _offloaded(most or unfilled)
        for role, mine in bad:
            if mine.unfilled:
                continue
            first = mine.first_wrong or mine.first_partial
            values = {"by": role, **_counts([mine])}
            code = "checksum-accepted" if mine.damaged.accepted else "bad-checksum"
            yield Finding(code, None if first is None else first.frame, values)


def _offloaded(ends: list[tuple[Role, _Sums]]) -> Finding:
    first = ends[0][1].first_partial
    values = {"by": ends[0][0], **_counts([mine for _, mine in ends])}
    variant = "one-end" if len(ends) == 1 else "both-ends"
    return Finding("checksum-offload", None if first is None else first.frame, values, variant)


def _counts(ends: list[_Sums]) -> dict[str, object]:
    bad, checked = sum(mine.bad for mine in ends), sum(mine.checked for mine in ends)
    cut = checked < sum(mine.segments for mine in ends)
    return {"bad": bad, "checked": checked, "all": bad == checked, "cut": cut}
