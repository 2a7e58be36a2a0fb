"""Many probes: a line for each, and statistics."""

from __future__ import annotations

import statistics
from array import array
from collections import Counter
from typing import TYPE_CHECKING, Final

from handshake import messages
from handshake.escape import printable
from handshake.prober import Verdict
from handshake.prober.explanation import verdict_message
from handshake.view.layout import folded, line
from handshake.view.notation import count
from handshake.view.probe import target_text, time_to_answer

if TYPE_CHECKING:
    from rich.text import Text

    from handshake.prober import Result

_VERDICT: int = max(len(str(verdict)) for verdict in Verdict)

_ROOM: Final = 60
"""Columns from which on the lines below the first begin below its target."""

_NOT_LOST: Final = {
    Verdict.UNREACHABLE: "unreachable",
    Verdict.LOCAL_ERROR: "not sent",
    Verdict.NAME_ERROR: "not sent",
}
"""Probes without an answer that are not counted as lost."""


def result_lines(result: Result, width: int) -> list[Text]:
    """Return a probe in lines of at most `width` columns: nothing of the reason is cut."""
    # Below the target, where there is room: the verdicts then stand alone.
    return folded(result_line(result), width, _VERDICT + 2 if width >= _ROOM else 2)


def result_line(result: Result) -> Text:
    """Return a probe in a line: verdict, target, time and reason."""
    row = line(
        (f"{str(result.verdict).upper():<{_VERDICT}}", "ok" if result.succeeded else "bad"),
        "  ",
        (target_text(result.target, result.address), "title"),
    )
    if (waited := time_to_answer(result)) is not None:
        row.append(f"  {waited}")
    if result.ttl is not None:
        row.append(f"  ttl {result.ttl}")
    if result.verdict is not Verdict.OPEN:
        row.append(f"  {printable(str(result.reason))}")
        return row
    row.append(f"  close: {result.close or 'no answer'}")
    if result.unmet is not None:
        row.append(f"  {result.unmet}", "bad")
    return row


class Tally:
    """Statistics over the results of many probes; of each it keeps only numbers."""

    def __init__(self) -> None:
        self._verdicts: Counter[Verdict] = Counter()
        self._unmet = 0
        self._rtts = array("d")

    def add(self, result: Result) -> None:
        """Count one result."""
        self._verdicts[result.verdict] += 1
        self._unmet += result.unmet is not None
        # A round trip that may belong to another SYN is no measurement (RFC 6298 section 3).
        if result.rtt is not None and not result.rtt_ambiguous:
            self._rtts.append(result.rtt)

    def lines(self, took: float) -> list[Text]:
        """Return the counts by verdict, and the round-trip times."""
        total = self._verdicts.total()
        found = ", ".join(f"{n} {verdict}" for verdict, n in self._verdicts.most_common())
        found += _without(self._unmet)
        rate = f", {total / took:.0f} per second" if took >= 1 else ""
        out = [line(f"{count(total, 'probe')} in {messages.time(took)}{rate}: {found or 'none'}")]
        if self._rtts:
            out.append(line(f"rtt {round_trips(self._rtts)}"))
        return out


class Series:
    """Statistics over repeated probes of one target."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._count = 0
        self._answered = 0
        self._retransmitted = 0
        self._unmet = 0
        self._rtts = array("d")
        self._unclear = 0
        """Answers of which it is unclear which SYN they answer."""

        self._timers = array("d")
        """Seconds that an answer came later than its round trip, since SYNs were retransmitted."""

        self._syns = 0
        self._unanswered = 0
        """SYNs sent, and those without an answer, where it is clear which were answered."""

        self._not_lost: Counter[str] = Counter()

    def add(self, result: Result) -> None:
        """Count one result."""
        self._count += 1
        self._answered += result.rtt is not None
        self._retransmitted += max(0, result.syn_sent - 1)
        self._unmet += result.unmet is not None
        if result.rtt is None and result.verdict in _NOT_LOST:
            self._not_lost[_NOT_LOST[result.verdict]] += 1
            return
        if result.rtt_ambiguous:
            self._unclear += 1
            return
        self._syns += result.syn_sent
        self._unanswered += max(0, result.syn_sent - (result.rtt is not None))
        if result.rtt is None:
            return
        self._rtts.append(result.rtt)
        if result.syn_sent > 1 and result.waited is not None:
            self._timers.append(result.waited - result.rtt)

    def lines(self) -> list[Text]:
        """Return loss and round trips, as ping does."""
        # A probe whose second SYN was answered counts as answered, a second late.
        resent = (
            f", {count(self._retransmitted, 'SYN')} retransmitted" if self._retransmitted else ""
        )
        answered = f"{self._answered} answered{self._lost()}{resent}{_without(self._unmet)}"
        out = [
            line(),
            line(f"--- {self._name} ---"),
            line(f"{count(self._count, 'probe')}, {answered}"),
        ]
        if self._rtts:
            of = f", of {count(len(self._rtts), 'probe')}" if self._unclear else ""
            out.append(line(f"rtt {round_trips(self._rtts)}{of}"))
        if self._unclear:
            out.append(line(f"{count(self._unclear, 'answer')}: unclear which SYN was answered"))
        if self._timers:
            out.append(line(f"retransmission timers: {self._late()}"))
        if self._unanswered and self._rtts:
            values = {"lost": self._unanswered, "sent": self._syns}
            share = self._unanswered / self._syns
            out.append(
                line(("LOSSY", "bad"), f"  {verdict_message('lossy', **values, share=share)}")
            )
        return out

    def _late(self) -> str:
        """Return how much later than its round trip an answer came, if its SYN was sent again."""
        least, most = (messages.time(each) for each in (min(self._timers), max(self._timers)))
        span = least if least == most else f"{least} to {most}"
        return f"{count(len(self._timers), 'answer')} came {span} later than a round trip"

    def _lost(self) -> str:
        """Return the probes without an answer; ICMP errors and unsent probes are not losses."""
        sent = self._count - self._not_lost["not sent"]
        lost = sent - self._answered - self._not_lost["unreachable"]
        others = "".join(
            f", {many} {each}" for each, many in sorted(self._not_lost.items()) if many
        )
        return others if others and not lost else f"{others}, {100 * lost / sent:.3g}% loss"


def _without(unmet: int) -> str:
    """Return how many probes did not receive what they expected."""
    return f", {unmet} without the --expect text" if unmet else ""


def round_trips(rtts: array[float]) -> str:
    """Return minimum, median, p95, maximum and standard deviation, in milliseconds."""
    ordered = sorted(rtts)
    # The smallest measured value that 95 of 100 do not exceed.
    p95 = ordered[-(-95 * len(ordered) // 100) - 1]
    figures = (
        ordered[0],
        statistics.median(ordered),
        p95,
        ordered[-1],
        statistics.pstdev(ordered),
    )
    shown = "/".join(f"{figure * 1e3:.3f}" for figure in figures)
    return f"min/median/p95/max/stddev = {shown} ms"
