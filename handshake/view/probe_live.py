"""A probe while it runs: the ladder so far and what it waits for; and what an interrupt leaves."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from handshake import messages
from handshake.prober.answer import icmp_name, probe_message
from handshake.view.glyphs import UNICODE, Glyphs
from handshake.view.ladder import Ladder
from handshake.view.layout import fit, line
from handshake.view.notation import Numbers
from handshake.view.probe import heading, target_text
from handshake.view.probe_facts import incoming

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.text import Text

    from handshake.events import Step
    from handshake.prober import Waiting
    from handshake.tcp.icmp import IcmpError


@dataclass(frozen=True)
class LiveView:
    """A probe that has not ended."""

    target: str
    address: str
    steps: Sequence[Step]
    errors: Sequence[IcmpError]
    waiting: Waiting | None = None
    """What it waits for; None where that is not known."""

    glyphs: Glyphs = UNICODE
    language: str = messages.ENGLISH
    seconds: float | None = None
    """How long the kernel has been connecting; None where it does not."""

    def lines(self, width: int, height: int) -> list[Text]:
        """Return heading, the latest segments, and what it waits for, in a size."""
        status = fit(f"  {self._status()}", width, self.glyphs.ellipsis).rstrip()
        rows = self._ladder(width)
        room = max(0, height - 3)
        shown = [*rows[:1], *rows[1:][-max(1, room - 1) :]] if len(rows) > room else rows
        top = heading(self.target, self.address, self.language)
        return [top, *shown, line((status, "why"))][-max(1, height - 1) :]

    def interrupted(self, width: int | None) -> list[Text]:
        """Return what was known when it was interrupted; without a width, in sentences."""
        title = line(
            (probe_message("title.interrupted").said(self.language), "bad"),
            "  ",
            (target_text(self.target, self.address), "title"),
        )
        known = line(f"  {self._known()}")
        if width is None:
            numbers = Numbers.of(self.steps)
            found = Ladder(self.steps, numbers, errors=self.errors, glyphs=self._words)
            return [title, known, *(line(f"  {each}") for each in found.sentences())]
        return [title, known, *([line()] if self.steps else []), *self._ladder(width)]

    def _ladder(self, width: int) -> list[Text]:
        if not self.steps:
            return []
        numbers = Numbers.of(self.steps)
        return Ladder(self.steps, numbers, glyphs=self._words, errors=self.errors).lines(width)

    @property
    def _words(self) -> Glyphs:
        """The signs, with words in the language of the probe."""
        return replace(self.glyphs, language=self.language)

    def _status(self) -> str:
        waiting = self.waiting
        if self.seconds is not None:
            seconds = f"{self.seconds:.1f}"
            return probe_message("live.connect", seconds=seconds).said(self.language)
        if waiting is None:
            return probe_message("live.ending").said(self.language)
        values = {"sent": waiting.sent, "most": waiting.most, "left": f"{waiting.left:.1f}"}
        if not waiting.opened:
            return probe_message("live.answer", **values).said(self.language)
        closing = any(not incoming(each) and each.segment.fin for each in self.steps)
        code = "live.closing" if closing else "live.watching"
        return probe_message(code, **values).said(self.language)

    def _known(self) -> str:
        """Return the most that the packets show."""
        if self.seconds is not None:
            seconds = f"{self.seconds:.1f}"
            return probe_message("known.connect", seconds=seconds).said(self.language)
        received = [each.segment for each in self.steps if incoming(each)]
        syns = [seg for each in self.steps if (seg := each.segment).syn and not incoming(each)]
        sent = sum(seg.ack is None for seg in syns)
        if self.waiting is not None:
            sent = max(sent, self.waiting.sent)  # the last may not have been explained yet
        # An answer that acknowledges something else is none.
        known = {seg.end for seg in syns}
        answers = [seg for seg in received if seg.ack in known]
        if any(seg.rst for seg in received):
            opened = any(seg.syn for seg in answers)
            return probe_message("known.rst", opened=opened).said(self.language)
        if any(seg.syn for seg in answers):
            return probe_message("known.syn-ack").said(self.language)
        if any(seg.syn and seg.ack is None for seg in received):
            return probe_message("known.syn").said(self.language)
        if self.errors:
            error = self.errors[-1]
            values = {"name": icmp_name(error), "sender": error.sender, "count": sent}
            return probe_message("known.icmp", **values).said(self.language)
        return probe_message("known.nothing", count=sent, other=bool(received)).said(self.language)
