"""Many probes: a line for each, and statistics."""

from __future__ import annotations

import statistics
from array import array
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from rich.cells import cell_len, set_cell_size

from handshake import messages
from handshake.escape import printable
from handshake.prober import Verdict
from handshake.prober.answer import cause, icmp_name, probe_message
from handshake.prober.explanation import verdict_message
from handshake.view.layout import folded, line
from handshake.view.probe import target_text

if TYPE_CHECKING:
    from rich.text import Text

    from handshake.prober import Result

_VERDICT: int = max(len(str(verdict)) for verdict in Verdict)

_RTT: Final = 7
"""Columns of a round trip in milliseconds with three digits: `0.00123`; `12300` has more."""

_LEAST: Final = 12
"""The fewest columns of a target that is shortened: its port is among them."""

_NOT_LOST: Final = {
    Verdict.UNREACHABLE: "unreachable",
    Verdict.LOCAL_ERROR: "unsent",
    Verdict.NAME_ERROR: "unsent",
}
"""Probes without an answer that are not counted as lost."""


@dataclass(frozen=True)
class ResultRow:
    """A result in a row: verdict, target, round trip, TTL, and the cause in a few words."""

    result: Result
    name_width: int = 0
    """The columns of the longest target: they align the rows."""

    language: str = messages.ENGLISH
    ellipsis: str = "…"

    def line(self) -> Text:
        """Return it in a line of any width."""
        return self._row(self._target(), rtt=True, ttl=True)

    def lines(self, width: int) -> list[Text]:
        """Return it in `width` columns: the cause is never cut.

        Where it does not fit, first the TTL is left out, then the round trip, and the address of a
        name. What is still too long goes on in the next line; of a target that is wider than that
        the middle is left out, and its port remains.
        """
        target, short = self._target(), printable(self.result.target)
        for text, rtt, ttl in (
            (target, True, True),
            (target, True, False),
            (target, False, False),
            (short, False, False),
        ):
            row = self._row(text, rtt=rtt, ttl=ttl)
            if row.cell_len <= width:
                return [row]
        # The cause goes on in the next line, and the target is whole where a line has room for it.
        room = max(_LEAST, width - _VERDICT - 2)
        return folded(
            self._row(shortened(short, room, self.ellipsis), rtt=False, ttl=False), width, 2
        )

    def _target(self) -> str:
        text = target_text(self.result.target, self.result.address)
        return text + " " * (self.name_width - cell_len(text))

    def _row(self, target: str, *, rtt: bool, ttl: bool) -> Text:
        result = self.result
        row = line(
            (f"{str(result.verdict).upper():<{_VERDICT}}", "ok" if result.succeeded else "bad"),
            "  ",
            (target, "title"),
        )
        if rtt:
            row.append(f"  {_milliseconds(result)}")
        if ttl:
            row.append("         " if result.ttl is None else f"  ttl {result.ttl:<3}")
        row.append(f"  {self._cause()}", "bad" if result.unmet is not None else "")
        return row

    def _cause(self) -> str:
        result, found = self.result, cause(self.result).said(self.language)
        if result.syn_sent < 2 or result.waited is None:
            return found
        values = {"cause": found, "count": result.syn_sent, "waited": result.waited}
        return probe_message("cause.late", **values).said(self.language)


def _milliseconds(result: Result) -> str:
    """Return the round trip in milliseconds, with three significant digits and one unit for all."""
    if result.rtt is None:
        return " " * (_RTT + 4)
    # From the last SYN it may be too short, from the first too long.
    doubt = "?" if result.rtt_ambiguous else " "
    return f"{three_digits(result.rtt * 1e3):>{_RTT}} ms{doubt}"


def three_digits(number: float) -> str:
    """Return a number with three significant digits and no exponent: `0.00123`, `28.0`, `1020`."""
    if number >= 999.5:
        return f"{number:.0f}"
    return f"{number:#.3g}".rstrip(".") if number >= 1e-4 else f"{number:.6f}"


def shortened(text: str, width: int, ellipsis: str) -> str:
    """Return text without its middle, so that it takes `width` columns; its end tells the port."""
    if cell_len(text) <= width:
        return text
    kept = max(0, width - cell_len(ellipsis))
    tail = ""
    for char in reversed(text):
        if cell_len(char + tail) > (kept + 1) // 2:
            break
        tail = char + tail
    head = set_cell_size(text, max(0, kept - cell_len(tail))).rstrip()
    return f"{head}{ellipsis}{tail}"


class Kinds:
    """The kinds of results, with the whole reason of the first of each; it keeps nothing else."""

    def __init__(self, language: str = messages.ENGLISH) -> None:
        self._language = language
        self._first: dict[tuple[str, ...], Result] = {}
        self._counts: Counter[tuple[str, ...]] = Counter()

    def add(self, result: Result) -> None:
        """Count a result, unless its row has said all."""
        found = cause(result)
        if result.verdict is Verdict.OPEN or found.code == "cause.other":
            return
        kind = _kind(result)
        self._counts[kind] += 1
        self._first.setdefault(kind, replace(result, segments=(), errors=()))

    def lines(self, width: int | None) -> list[Text]:
        """Return the reason of each kind; in a pipe (no width) one a line."""
        out: list[Text] = []
        for kind, result in self._first.items():
            values = {
                "target": target_text(result.target, result.address),
                "more": self._counts[kind] - 1,
                "reason": result.reason,
            }
            row = line(
                (f"{str(result.verdict).upper():<{_VERDICT}}", "bad"),
                f"  {probe_message('rest.kind', **values).said(self._language)}",
            )
            out += [row] if width is None else folded(row, width, _VERDICT + 2)
        return [line(), *out] if out else []


def _kind(result: Result) -> tuple[str, ...]:
    """Return what results have in common that one reason explains: also who reported what."""
    kind = str(result.verdict), result.reason.code
    if result.icmp is None:
        return kind
    sender = str(result.icmp.sender)
    return *kind, icmp_name(result.icmp), "" if sender == result.address else sender


class Tally:
    """Statistics over the results of many probes; of each it keeps only numbers."""

    def __init__(self, language: str = messages.ENGLISH) -> None:
        self._language = language
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
        found = found or _said(self._language, "many.none")
        values = {
            "count": total,
            "many": total != 1,
            "took": took,
            "rate": f"{total / took:.0f}" if took >= 1 else "",
            "found": found + _without(self._unmet, self._language),
        }
        out = [line(_said(self._language, "many.total", **values))]
        if self._rtts:
            figures = round_trips(self._rtts)
            out.append(line(_said(self._language, "many.times", figures=figures, count=0)))
        return out


class Series:
    """Statistics over repeated probes of one target."""

    def __init__(self, name: str, language: str = messages.ENGLISH) -> None:
        self._name = name
        self._language = language
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
        answered = self._say(
            "many.answered",
            count=self._count,
            many=self._count != 1,
            answered=self._answered,
            lost=self._lost(),
            resent=self._retransmitted,
            unmet=_without(self._unmet, self._language),
        )
        out = [line(), line(f"--- {self._name} ---"), line(answered)]
        if self._rtts:
            measured = len(self._rtts) if self._unclear else 0
            figures = round_trips(self._rtts)
            out.append(line(self._say("many.times", figures=figures, count=measured)))
        if self._unclear:
            out.append(line(self._say("many.unclear", count=self._unclear)))
        if self._timers:
            out.append(line(self._late()))
        if self._unanswered and self._rtts:
            values = {"lost": self._unanswered, "sent": self._syns}
            share = self._unanswered / self._syns
            reason = verdict_message("lossy", **values, share=share).said(self._language)
            out.append(line((self._say("many.lossy"), "bad"), f"  {reason}"))
        return out

    def _say(self, code: str, /, **values: object) -> str:
        return probe_message(code, **values).said(self._language)

    def _late(self) -> str:
        """Return how much later than its round trip an answer came, if its SYN was sent again."""
        least, most = min(self._timers), max(self._timers)
        return self._say(
            "many.timers",
            count=len(self._timers),
            least=least,
            most=most,
            differ=messages.time(least) != messages.time(most),
        )

    def _lost(self) -> str:
        """Return the probes without an answer; ICMP errors and unsent probes are not losses."""
        sent = self._count - self._not_lost["unsent"]
        lost = sent - self._answered - self._not_lost["unreachable"]
        others = [
            self._say(f"many.{each}", count=self._not_lost[each])
            for each in ("unsent", "unreachable")
            if self._not_lost[each]
        ]
        if lost or not others:
            others.append(self._say("many.loss", share=100 * lost / sent))
        return "".join(f", {each}" for each in others)


def _said(language: str, code: str, /, **values: object) -> str:
    return probe_message(code, **values).said(language)


def _without(unmet: int, language: str) -> str:
    """Return how many probes did not receive what they expected."""
    return _said(language, "many.unmet", count=unmet) if unmet else ""


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
