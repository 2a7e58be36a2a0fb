"""The facts of a probe: the header of the SYN-ACK, what was agreed on, data and close."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from rich.cells import cell_len

from handshake.escape import printable
from handshake.events import Role
from handshake.prober.answer import probe_message
from handshake.prober.findings import LEAST_MSS
from handshake.tcp.address import hops
from handshake.view.layout import fit, line, wrap

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.text import Text

    from handshake.events import Step
    from handshake.prober import Negotiated, Result
    from handshake.tcp import Segment
    from handshake.view.notation import Numbers

_QUOTED: Final = 44
"""Columns for received data on a line."""

_LABEL: Final = 9
_VALUE: Final = 8


@dataclass(frozen=True)
class ProbeFacts:
    """What is worth knowing of a connection, a fact a line."""

    result: Result
    language: str
    verbose: bool = False
    """Whether to tell also what is as expected: the acknowledgment number, and the RST guard."""

    def of_segments(self, steps: Sequence[Step], numbers: Numbers) -> list[Text]:
        """Return the facts of a connection whose segments were seen; none without its SYN."""
        answer = list(self._answer(steps, numbers))
        return [*answer, *self._data(), *self._close()] if answer else []

    def of_kernel(self) -> list[Text]:
        """Return the facts of a connection of the kernel's: TCP_INFO is all there is."""
        agreed = self.result.negotiated
        if agreed is None:
            return []
        return [*self._negotiated(agreed), *self._data(), *self._close()]

    def _say(self, code: str, /, **values: object) -> str:
        return probe_message(code, **values).said(self.language)

    def _row(self, label: str, value: str, meaning: str) -> Text:
        return line(
            "  ",
            (fit(self._say(f"label.{label}"), _LABEL), "field.note"),
            (value if cell_len(value) > _VALUE else fit(value, _VALUE), "field.value"),
            f" {meaning}",
        )

    def _answer(self, steps: Sequence[Step], numbers: Numbers) -> Iterator[Text]:
        """Yield the header of the SYN-ACK, a field a line."""
        syns = [step for step in steps if incoming(step) and step.segment.syn]
        answers = [step for step in syns if step.segment.ack is not None]
        agreed = self.result.negotiated
        if not answers and agreed is not None:
            answers = syns  # a SYN of the peer's own and an ACK stand for a SYN-ACK
        syn = next((step.segment for step in steps if not incoming(step)), None)
        if not answers or syn is None:
            return
        # Of several, the one that acknowledges our SYN opened the connection.
        answer = next((step for step in answers if acknowledges(step.segment, syn)), answers[0])
        seg, version = answer.segment, answer.segment.source.version
        if seg.ack is not None and (self.verbose or not _expected(seg, syn)):
            yield self._row("ack", numbers.show(seg.ack, Role.CLIENT), self._ack(seg, syn))
        # Windows are scaled if both SYNs say so, whatever the answer acknowledges.
        both = syn.options.window_scale is not None
        shift = (seg.options.window_scale if both else None) if agreed is None else agreed.snd_shift
        yield self._row("window", str(seg.window), self._window(seg, shift))
        mss = self._say("fact.none") if seg.options.mss is None else str(seg.options.mss)
        yield self._row("mss", mss, self._mss(seg.options.mss, version))
        if (ttl := answer.observed.ttl) is not None:
            passed = hops(ttl)
            meaning = self._say("fact.ttl", hops=passed, began=ttl + passed)
            yield self._row("ttl", str(ttl), meaning)
        if agreed is not None and (seg.ack is None or acknowledges(seg, syn)):
            yield self._row("in-use", "", self._in_use(agreed))
        cookie = agreed and agreed.fast_open
        if cookie:
            yield self._row("cookie", cookie, self._say("fact.cookie", cookie=cookie))

    def _negotiated(self, agreed: Negotiated) -> Iterator[Text]:
        """Yield the negotiated options, one a line."""
        if agreed.mss is not None:
            yield self._row("mss", str(agreed.mss), self._say("fact.mss-to-peer"))
        shift = agreed.snd_shift or 0
        yield self._row("shift", str(shift), self._say("fact.shift", most=self._largest(shift)))
        if not self.verbose:
            yield self._row("in-use", "", self._in_use(agreed))
            return
        names = {"sack": agreed.sack, "timestamps": agreed.timestamps, "ecn": agreed.ecn}
        for name, agreed_on in names.items():
            yes = self._say("fact.yes" if agreed_on else "fact.no")
            yield self._row(name, yes, self._say(f"fact.{name}"))

    def _data(self) -> Iterator[Text]:
        """Yield the data sent and received, if any."""
        data = self.result.data
        if data is None:
            return
        if data.sent:
            rest = data.sent - data.acknowledged
            yield self._row(
                "sent", str(data.sent), self._say("fact.sent", many=data.sent != 1, rest=rest)
            )
        if data.received:
            length = len(data.received)
            meaning = self._say("fact.received", many=length != 1, text=_quoted(data.received))
            yield self._row("received", str(length), meaning)
        if data.expected is not None:
            yes, meaning = ("yes", "expected") if data.expected else ("no", "unexpected")
            yield self._row("expected", self._say(f"fact.{yes}"), self._say(f"fact.{meaning}"))

    def _close(self) -> Iterator[Text]:
        """Yield how the connection was closed, and the RST guard."""
        close, guard = self.result.close, self.result.guard
        if close is not None:
            yield self._row("close", self._say(f"fact.{close}"), self._say(f"fact.{close}-meaning"))
        if self.verbose and guard is not None:
            code = "fact.guard-none" if guard == "none" else "fact.guard"
            yield self._row("guard", guard, self._say(code))

    def _ack(self, seg: Segment, syn: Segment) -> str:
        assert seg.ack is not None
        if not acknowledges(seg, syn):
            return self._say("fact.ack-wrong")
        if not syn.payload_length:
            return self._say("fact.ack")
        accepted = seg.ack - syn.seq - 1
        return self._say("fact.ack-data", accepted=accepted, count=syn.payload_length)

    def _window(self, seg: Segment, shift: int | None) -> str:
        if not seg.window:
            return self._say("fact.window-closed")
        code = "fact.window-scaled" if shift else "fact.window-unscaled"
        return self._say(code, shift=shift, most=self._largest(shift))

    def _largest(self, shift: int | None) -> str:
        if not shift:
            return self._say("fact.most")
        return self._say("fact.most-scaled", size=_octets(0xFFFF << shift))

    def _mss(self, mss: int | None, version: int) -> str:
        if mss is None:
            return self._say("fact.mss-none", default=536 if version == 4 else 1220)
        if mss < LEAST_MSS[version]:
            return self._say("fact.mss-tiny")
        mtu = mss + (40 if version == 4 else 60)
        return self._say("fact.mss", mtu=mtu, usual=mtu == 1500)

    def _in_use(self, agreed: Negotiated) -> str:
        """Return the options that both SYNs carried, by their names in the RFCs."""
        found = {
            "window scaling": bool(agreed.snd_shift or agreed.rcv_shift),
            "SACK": agreed.sack,
            "timestamps": agreed.timestamps,
            "ECN": agreed.ecn,
            "MD5 signatures": agreed.md5,
            "Multipath TCP": agreed.mptcp,
        }
        names = ", ".join(name for name, both in found.items() if both)
        return names or self._say("fact.no-options")


def labelled(label: str, text: str, width: int, style: str = "warn") -> list[Text]:
    """Return text behind a label, in lines of at most `width` columns."""
    indent = 2 + (_LABEL if label else 0)
    first, *rest = wrap(text, max(indent, width - indent))
    head = line("  ", (fit(label, indent - 2), style), first)
    return [head, *(line(" " * indent, each) for each in rest)]


def incoming(step: Step) -> bool:
    """Whether the peer sent it; on a connection to ourselves each segment is both."""
    outgoing = step.observed.outgoing
    return step.by is Role.SERVER if outgoing is None else not outgoing


def _quoted(received: bytes) -> str:
    """Return the beginning of received data that fits on a line; no escape is cut."""
    text = received[:_QUOTED].decode("utf-8", "replace")
    shown, room = "", _QUOTED
    for char in text:
        escaped = printable(char)
        room -= cell_len(escaped)
        if room < 0:
            return f"{shown} ..."
        shown += escaped
    return f"{shown} ..." if len(received) > _QUOTED else shown


def acknowledges(seg: Segment, syn: Segment) -> bool:
    """Whether it acknowledges our SYN, and no more than we sent."""
    return seg.ack is not None and syn.seq < seg.ack <= syn.end


def _expected(seg: Segment, syn: Segment) -> bool:
    """Whether it acknowledges all of our SYN, as an ordinary SYN-ACK does."""
    return seg.ack == syn.end and not syn.payload_length


def _octets(count: int) -> str:
    for unit, size in (("GiB", 2**30), ("MiB", 2**20)):
        # The largest window is a little less than the power of two that it is named after.
        if count + (count >> 16) + 1 >= size:
            return f"{round(count / size)} {unit}"
    return f"{round(count / 2**10)} KiB"
