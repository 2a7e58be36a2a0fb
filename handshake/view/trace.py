"""The path of a SYN: the verdict, then a row for each hop, with what was changed on the way."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from rich.cells import cell_len

from handshake import messages
from handshake.linux.privileges import Shell
from handshake.prober.answer import icmp_name, probe_message
from handshake.view.glyphs import UNICODE, Glyphs
from handshake.view.layout import fit, folded, line
from handshake.view.probe import target_text
from handshake.view.probe_facts import labelled
from handshake.view.probe_lines import three_digits

if TYPE_CHECKING:
    from rich.text import Text

    from handshake.prober.trace import Difference, Trace, TracedHop

_HOP: Final = 6
_RTT: Final = 8
_ANSWER: Final = 17
_STEP_AT: Final = 11


@dataclass(frozen=True)
class TraceView:
    """A trace, whole or as far as it is."""

    trace: Trace
    glyphs: Glyphs = UNICODE
    language: str = messages.ENGLISH
    shell: Shell = field(default_factory=Shell)

    def lines(self, width: int) -> list[Text]:
        """Return verdict, evidence, next step and the table, in lines of `width` columns."""
        head = [self._title(), *self._evidence(width)]
        if (step := self._next()) is not None:
            label = fit(self._say("label.next"), _STEP_AT - 2)
            row = line("  ", (label, "title"), (step[0], "key"), (f"  {step[1]}", "dim"))
            head += folded(row, width, _STEP_AT)
        return [part for row in head for part in folded(row, width, 2)] + [
            line(),
            *self.table(width),
        ]

    def sentences(self) -> list[Text]:
        """Return the same in the same order, a sentence a line."""
        head = [self._title(), line(f"  {self._say('label.evidence')}: {self._shown()}")]
        if (step := self._next()) is not None:
            head.append(line(f"  {self._say('label.next')}: {step[0]} ({step[1]})"))
        told: set[Difference] = set()
        return [*head, *(line(f"  {self._sentence(each, told)}") for each in self._hops())]

    def table(self, width: int) -> list[Text]:
        """Return the rows of the hops so far, in lines of `width` columns."""
        return [part for row in self._rows() for part in folded(row, width, _HOP + 2)]

    def interrupted(self, width: int | None) -> list[Text]:
        """Return the hops that were known when it was interrupted; without a width, sentences."""
        title = line(
            (self._say("title.interrupted"), "bad"),
            "  ",
            (target_text(self.trace.target, self.trace.address), "title"),
        )
        if width is not None:
            return [title, *self.table(width)]
        told: set[Difference] = set()
        return [title, *(line(f"  {self._sentence(each, told)}") for each in self._hops())]

    def waiting(self) -> str:
        """Return what it waits for now."""
        return self._say("traced.waiting", ttl=len(self.trace.hops) + 1)

    def _say(self, code: str, /, **values: object) -> str:
        return probe_message(code, **values).said(self.language)

    def _title(self) -> Text:
        verdict = self.trace.verdict
        return line(
            (self._say(f"traced.{verdict.code.removeprefix('trace.')}"), self._style()),
            "  ",
            (target_text(self.trace.target, self.trace.address), "title"),
            f"  {verdict.said(self.language)}",
        )

    def _style(self) -> str:
        return "ok" if self.trace.succeeded else "bad"

    def _evidence(self, width: int) -> list[Text]:
        return labelled(self._say("label.evidence"), self._shown(), width, "title")

    def _shown(self) -> str:
        """Return what the verdict rests on."""
        trace, last = self.trace, self.trace.last
        silent = [each for each in trace.hops if each.error is None and each.answer is None]
        behind = [each for each in silent if last is None or each.ttl > last.ttl]
        sent = sum(each.sent for each in (*trace.hops, *((trace.final,) if trace.final else ())))
        values = {
            "sent": sent,
            "routers": sum(each.passed_on for each in trace.hops),
            "silent": len(silent),
            "behind": sum(each.sent for each in behind) + (trace.final.sent if trace.final else 0),
        }
        if trace.ended is None and last is not None:
            return self._say("traced.evidence-dropped", **values)
        return self._say("traced.evidence", **values)

    def _next(self) -> tuple[str, str] | None:
        """Return the command that would tell more, and its purpose."""
        trace = self.trace
        end, last = trace.ended, trace.last
        if end is not None and end.error is not None:
            purpose = self._say("next.rule", address=end.error.sender, port=trace.port)
            return f"{self.shell.sudo}nft list ruleset", purpose
        if end is None and last is not None and last.error is not None:
            icmp = "icmp6" if ":" in trace.address else "icmp"
            command = f"{self.shell.sudo}tcpdump -ni any 'tcp port {trace.port} or {icmp}'"
            return command, self._say("next.behind")
        return None

    def _rows(self) -> list[Text]:
        hops = self._hops()
        names = [_sender(each, self.trace) for each in hops]
        width = max(len(each) for each in (*names, self._say("traced.from")))
        columns = (
            f"{self._say('traced.hop'):>{_HOP}}",
            fit(self._say("traced.from"), width),
            f"{'rtt ms':>{_RTT}}",
            fit(self._say("traced.back"), _ANSWER),
            self._say("traced.changed"),
        )
        heading = line(("  ".join(columns), "dim"))
        told: set[Difference] = set()
        return [
            heading,
            *(self._row(each, name, width, told) for each, name in zip(hops, names, strict=True)),
        ]

    def _hops(self) -> list[TracedHop]:
        return [*self.trace.hops, *([] if self.trace.final is None else [self.trace.final])]

    def _sentence(self, hop: TracedHop, told: set[Difference]) -> str:
        """Return a hop as a sentence: what came back from where, how soon, and what was changed."""
        back, _ = self._back(hop)
        changed = self._changed(hop, told)
        values = {
            "place": self._place(hop, "hop "),
            "back": back,
            "sender": _sender(hop, self.trace),
            "rtt": hop.rtt,
        }
        code = "traced.sentence" if hop.rtt is not None else "traced.sentence-silent"
        return self._say(code, **values) + (f"; {changed}" if changed else "")

    def _row(self, hop: TracedHop, name: str, width: int, told: set[Difference]) -> Text:
        changed = self._changed(hop, told)
        rtt = "" if hop.rtt is None else three_digits(hop.rtt * 1e3)
        back, style = self._back(hop)
        return line(
            (f"{self._place(hop):>{_HOP}}", "dim"),
            f"  {fit(name, width)}  {rtt:>{_RTT}}  ",
            (back if cell_len(back) > _ANSWER else fit(back, _ANSWER), style),
            (f"  {changed}" if changed else "", "changed" if hop.differences else "dim"),
        )

    def _place(self, hop: TracedHop, word: str = "") -> str:
        """Return which hop it is; of SYNs with a full TTL, that."""
        return f"TTL {hop.ttl}" if hop is self.trace.final else f"{word}{hop.ttl}"

    def _back(self, hop: TracedHop) -> tuple[str, str]:
        """Return what came back, and its style."""
        if hop.error is not None:
            return icmp_name(hop.error), "" if hop.error.expired else "bad"
        if hop.answer is not None:
            return hop.answer, "ok" if hop.answer == "SYN-ACK" else "bad"
        return self._say("traced.silence", count=hop.sent), "dim"

    def _changed(self, hop: TracedHop, told: set[Difference]) -> str:
        """Return what was changed before this hop and was not told of an earlier one."""
        new = [each for each in hop.differences if each not in told]
        told.update(new)
        if hop.cut and not new:
            return self._say("traced.cut")
        return ", ".join(map(self._difference, new))

    def _difference(self, found: Difference) -> str:
        if not found.before:
            return self._say("traced.added", option=found.after)
        if not found.after:
            return self._say("traced.removed", option=found.before)
        if found.before.split()[0] == found.after.split()[0]:
            # An option, which names itself.
            return f"{found.before} {self.glyphs.becomes} {found.after.partition(' ')[2]}"
        return f"{found.field} {found.before} {self.glyphs.becomes} {found.after}"


def _sender(hop: TracedHop, trace: Trace) -> str:
    """Return where something came back from; `*` if nothing did, as traceroute writes it."""
    if hop.error is not None:
        return str(hop.error.sender)
    return trace.address if hop.answer is not None else "*"
