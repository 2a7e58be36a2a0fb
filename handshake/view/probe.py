"""The result of a probe, the answer first: verdict, evidence, next step, ladder, facts, notes."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from handshake import messages
from handshake.escape import printable
from handshake.linux.privileges import Shell
from handshake.prober import Verdict
from handshake.prober.answer import cause, evidence, next_steps, probe_message
from handshake.tcp import Flags
from handshake.view.glyphs import UNICODE, Glyphs
from handshake.view.ladder import Ladder
from handshake.view.layout import fit, folded, line
from handshake.view.notation import Numbers
from handshake.view.probe_facts import ProbeFacts, acknowledges, incoming, labelled

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console, ConsoleOptions, RenderResult
    from rich.text import Text

    from handshake.events import Step
    from handshake.prober import Result
    from handshake.tcp import Segment

_SAID: Final = frozenset(
    (
        *("host-down", "icmp-error", "no-route", "rejected-by-firewall"),
        *("wrong-acknowledgment", "stale-connection"),
    )
)
"""Diagnoses whose text says what the reason of the verdict, or a note, has said."""

_TOLD: Final = {Verdict.BAD_PEER: "wrong-ack", Verdict.HALF_OPEN: "syn-ack-again"}
"""The remark that says no more than the evidence for a verdict."""

_MOST: Final = 30
"""Lines of a result: what is left out, -v shows."""

_LADDER: Final = 8
"""The fewest lines of a ladder that leaves something out."""

_STEP_AT: Final = 11
"""The column where a command begins, and its purpose in a line of its own."""


@dataclass(frozen=True)
class ProbeView:
    """The result of one probe: its segments are those that were seen of it."""

    result: Result
    steps: Sequence[Step]
    glyphs: Glyphs = UNICODE
    language: str = messages.ENGLISH
    verbose: bool = False
    """Whether to show all there is, in any number of lines."""

    shell: Shell = field(default_factory=Shell)
    """How the commands begin that are proposed."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield from self.lines(options.max_width)

    def lines(self, width: int) -> list[Text]:
        """Return the lines, no wider than `width`; at most 30 of 80 columns, unless verbose."""
        head, notes = self._head(width), self._notes(width)
        facts = [part for row in self._facts() for part in folded(row, width, _STEP_AT)]
        if facts:
            facts.insert(0, line())
        if not self.steps:
            return [*head, *facts, *(row for note in notes for row in note)]
        numbers = Numbers.of(self.steps)
        ladder = Ladder(self.steps, numbers, errors=self.result.errors, glyphs=self._words)
        if self.verbose:
            facts = facts or [line()] * bool(notes)
            rest = [row for note in notes for row in note]
            return [*head, line(), *ladder.lines(width), *facts, *rest]
        if notes and not facts:
            facts = [line()]
        room = _MOST - len(head) - 1 - len(facts)
        first, last, left = ladder.shortened(width, max(_LADDER, room - sum(map(len, notes))))
        drawn = [*first, *self._left(left, width), *last]
        return [*head, line(), *drawn, *facts, *self._fitting(notes, room - len(drawn))]

    def sentences(self) -> list[Text]:
        """Return the same in the same order, a sentence a line: for pipes and screen readers."""
        head, facts, notes = self._head(None), self._facts(), self._notes(None)
        ladder = []
        if self.steps:
            numbers = Numbers.of(self.steps)
            found = Ladder(self.steps, numbers, errors=self.result.errors, glyphs=self._words)
            ladder = [line(f"  {each}") for each in found.sentences()]
        facts = [line(f"  {_as_sentence(each.plain)}") for each in facts]
        return [*head, *ladder, *facts, *(row for note in notes for row in note)]

    @property
    def _words(self) -> Glyphs:
        """The signs, with words in the language of the result."""
        return replace(self.glyphs, language=self.language)

    def _say(self, code: str, /, **values: object) -> str:
        return probe_message(code, **values).said(self.language)

    def _labelled(
        self, label: str, text: str, width: int | None, style: str = "warn"
    ) -> list[Text]:
        name = self._say(f"label.{label}") if label else ""
        if width is None:
            return [line(f"  {name}{': ' if name else ''}{text}")]
        return labelled(name, text, width, style)

    def _head(self, width: int | None) -> list[Text]:
        """Return what happened, how that is known, what to do next, and what it follows from."""
        title = self._title()
        out = [title] if width is None else folded(title, width, 2)
        reason = self._labelled("", self._reason(), width)
        found = evidence(self.result)
        if found is None:
            out += reason
        else:
            out += self._labelled("evidence", found.said(self.language), width, "title")
        for number, step in enumerate(next_steps(self.result, self.shell)):
            purpose = step.purpose.said(self.language)
            if width is None:
                out += self._labelled("next", f"{step.command} ({purpose})", None)
                continue
            label = fit("" if number else self._say("label.next"), _STEP_AT - 2)
            row = line("  ", (label, "title"), (step.command, "key"), (f"  {purpose}", "dim"))
            out += folded(row, width, _STEP_AT)
        if found is not None:
            out += reason
        return [*out, *self._diagnosis(width)]

    def _facts(self) -> list[Text]:
        facts = ProbeFacts(self.result, self.language, self.verbose)
        if self.steps:
            return facts.of_segments(self.steps, Numbers.of(self.steps))
        return facts.of_kernel()

    def _notes(self, width: int | None) -> list[list[Text]]:
        """Return the lines of each remark."""
        told = _TOLD.get(self.result.verdict) if evidence(self.result) is not None else None
        texts = [each.said(self.language) for each in self.result.findings if each.code != told]
        if self.steps and not _is_connection_request(self.steps[0].segment):
            texts.insert(0, self._say("note.no-connection"))
        return [self._labelled("note", text, width) for text in texts]

    def _left(self, count: int, width: int) -> list[Text]:
        if not count:
            return []
        rest = f"{'':10}{self.glyphs.ellipsis} {self._say('rest.segments', count=count)}"
        return folded(line((rest, "dim")), width, 10)

    def _fitting(self, notes: Sequence[Sequence[Text]], room: int) -> list[Text]:
        """Return as many remarks as there is room for, and how many are left out."""
        out: list[Text] = []
        for number, note in enumerate(notes):
            last = number == len(notes) - 1
            if len(out) + len(note) > room - (not last):
                rest = self._say("rest.notes", count=len(notes) - number)
                return [*out, line((f"  {self.glyphs.ellipsis} {rest}", "dim"))]
            out += note
        return out

    def _title(self) -> Text:
        result = self.result
        row = line(
            (self._say(f"title.{result.verdict}"), "ok" if result.succeeded else "bad"),
            "  ",
            (target_text(result.target, result.address), "title"),
        )
        why = cause(result)
        if result.verdict is Verdict.UNREACHABLE and why.code != "cause.other":
            row.append(f"  {why.said(self.language)}")
        elif (waited := time_to_answer(result, self.language)) is not None:
            values = {"waited": waited, "ambiguous": result.rtt_ambiguous}
            if (answer := answered_by(result, self.steps)) is None:
                row.append(f"  {self._say('title.round-trip', **values)}")
            else:
                row.append(f"  {self._say('title.after', answer=answer, **values)}")
        return row

    def _reason(self) -> str:
        reason, code = self.result.reason.said(self.language), self.result.exit_code
        return f"{reason} {self._say('title.exit', code=code)}" if code else reason

    def _diagnosis(self, width: int | None) -> list[Text]:
        """Return the cause as far as the reason does not tell it; verbose also what tells more."""
        found = self.result.diagnosis
        if found is None:
            return []
        out: list[Text] = []
        # What is only possible, the reason has named, too.
        if found.certainty != "possible" and found.code not in _SAID:
            text = f"{found.code} ({found.certainty}): {found.said(self.language)}"
            out += self._labelled("cause", text, width)
        elif self.verbose:
            out += self._labelled("cause", f"{found.code} ({found.certainty})", width)
        if self.verbose:
            out += self._labelled("next", found.said(self.language, "next"), width)
        return out


def answered_by(result: Result, steps: Sequence[Step]) -> str | None:
    """Return what the round trip ended with: `SYN-ACK`, `RST`; None where that was not seen."""
    if not steps:
        unseen = None if result.guard == "none" or result.crossed else "SYN-ACK"
        return "RST" if result.verdict is Verdict.CLOSED else unseen
    ours = next((step.segment for step in steps if not incoming(step)), None)
    if ours is None:
        return None
    requests = ours.syn and ours.ack is None
    for seg in (step.segment for step in steps if incoming(step)):
        if acknowledges(seg, ours) or (seg.rst and not requests):
            return "RST" if seg.rst else "SYN-ACK" if seg.syn else str(seg.flags)
    return None


def time_to_answer(result: Result, language: str = messages.ENGLISH) -> str | None:
    """Return how long the answer took; if the SYN was retransmitted, also since the first SYN."""
    if result.rtt is None:
        return None
    # From the last SYN it may be too short, from the first too long.
    took = messages.time(result.rtt) + ("?" if result.rtt_ambiguous else "")
    if result.syn_sent < 2 or result.waited is None:
        return took
    values = {"waited": result.waited, "rtt": took, "count": result.syn_sent}
    return probe_message("title.late", **values).said(language)


def target_text(target: str, address: str | None) -> str:
    """Return the target as the user wrote it, and its address."""
    shown = target if address is None or address in target else f"{target} ({address})"
    return printable(shown)


def heading(target: str, address: str, language: str = messages.ENGLISH) -> Text:
    """Return the heading of a probe."""
    name = probe_message("title.probe").said(language)
    return line(f"{name}  ", (target_text(target, address), "title"))


def _as_sentence(row: str) -> str:
    """Return the columns of a fact as part of a sentence: `mss: 1460, MTU 1500`."""
    label, *rest = re.split(" {2,}", row.strip())
    return f"{label}: {', '.join(rest)}" if rest else label


def _is_connection_request(seg: Segment) -> bool:
    """Whether it is a SYN that requests a connection."""
    return seg.flags & (Flags.SYN | Flags.ACK | Flags.FIN | Flags.RST) == Flags.SYN
