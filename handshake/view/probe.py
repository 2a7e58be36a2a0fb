"""What a probe found: the verdict, the ladder, and what the answer's header says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from handshake.events import Role
from handshake.events.base import seconds
from handshake.prober import Close, Verdict
from handshake.prober.result import hops
from handshake.tcp import Flags
from handshake.view.glyphs import UNICODE, Glyphs
from handshake.view.ladder import Ladder
from handshake.view.layout import line, wrap
from handshake.view.notation import printable
from handshake.view.numbers import Numbers

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import Console, ConsoleOptions, RenderResult
    from rich.text import Text

    from handshake.events import Step
    from handshake.prober import Negotiated, Result
    from handshake.tcp import Segment

_NAMES: Final = {Verdict.FILTERED: "NO ANSWER (filtered)"}
"""What a verdict is called on the screen, where its own name says less."""

_CLOSES: Final = {
    Close.CLEAN: ("clean", "each end sent FIN, and each FIN was acknowledged"),
    Close.PEER_KEPT_OPEN: ("half", "the peer acknowledged our FIN and sent none of its own"),
    Close.RESET: ("reset", "the peer sent RST before both FINs were acknowledged"),
}
"""How the connection was closed: in a word, and what that is."""

_AGREED: Final = {
    "sack": "selective acknowledgments (RFC 2018)",
    "clocks": "timestamps in each segment (RFC 7323)",
    "ecn": "routers may mark instead of drop (RFC 3168)",
}

_KNOCKED: Final = (
    "This asked for no connection, and neither end has one: the states are those that somebody who "
    "sees the wire alone would conclude."
)
"""What to say of a first segment that is no SYN."""

_QUOTED: Final = 44
"""Characters of what the peer said that have room on a line."""

_LABEL: Final = 9
_VALUE: Final = 8


@dataclass(frozen=True)
class Findings:
    """The result of one probe, with all segments of it."""

    result: Result
    steps: Sequence[Step]
    glyphs: Glyphs = UNICODE

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield from self.lines(options.max_width)

    def lines(self, width: int) -> list[Text]:
        """Return the lines, no wider than `width`."""
        out = [self._title(), *_indented(self._reason(), width)]
        if self.steps:
            numbers = Numbers.of(self.steps)
            ladder = Ladder(self.steps, numbers, errors=self.result.errors, glyphs=self.glyphs)
            out += [line(), *ladder.lines(width)]
            answer = list(self._answer(numbers))
            out += [line(), *answer, *self._said(), *self._end()] if answer else []
            if not _calls(self.steps[0].segment):
                out += _indented(_KNOCKED, width, "note")
        elif self.result.negotiated is not None:
            # A call of the kernel's: what it tells is all there is.
            out += [line(), *self._in_force(self.result.negotiated), *self._said(), *self._end()]
        for note in self.result.findings:
            out += _indented(note.text, width, "note")
        return out

    def _title(self) -> Text:
        result = self.result
        name = _NAMES.get(result.verdict, str(result.verdict).replace("-", " ").upper())
        good = result.verdict is Verdict.OPEN
        row = line(
            (name, "ok" if good else "bad"), "  ", (called(result.target, result.address), "title")
        )
        if (waited := after(result)) is not None:
            row.append(f"  {self._answered_by()} after {waited}")
            row.append(": to which SYN is not known" if result.rtt_ambiguous else "")
        return row

    def _answered_by(self) -> str:
        """Return what the round trip ended with: the first acceptable answer."""
        heard = [step.segment for step in self.steps if _theirs(step)]
        if not self.steps:
            return "RST" if self.result.verdict is Verdict.CLOSED else "SYN+ACK"
        return "SYN+ACK" if any(seg.syn and seg.ack is not None for seg in heard) else "RST"

    def _reason(self) -> str:
        code = self.result.exit_code
        return printable(self.result.reason) + (f"  (exit {code})" if code else "")

    def _answer(self, numbers: Numbers) -> Iterator[Text]:
        """Yield what the header of the SYN,ACK says, a field a line."""
        answers = [step for step in self.steps if _answers(step)]
        syn = next((step.segment for step in self.steps if not _theirs(step)), None)
        if not answers or syn is None:
            return
        # Where several came, the one that is a correct answer opened the connection.
        answer = next((step for step in answers if _correct(step.segment, syn)), answers[0])
        seg, version = answer.segment, answer.segment.source.version
        assert seg.ack is not None
        shift = None if self.result.negotiated is None else self.result.negotiated.snd_shift
        yield _row("ack", numbers.show(seg.ack, Role.CLIENT), _ack(seg, syn))
        yield _row("window", str(seg.window), _window(shift))
        mss = "none" if seg.options.mss is None else str(seg.options.mss)
        yield _row("mss", mss, _mss(seg.options.mss, version))
        if answer.observed.ttl is not None:
            yield _row("ttl", str(answer.observed.ttl), _hops(answer.observed.ttl))
        agreed = self.result.negotiated
        if agreed is not None and _correct(seg, syn):
            yield _row("in force", "", _agreed(agreed))
        cookie = agreed and agreed.fast_open
        if cookie:
            yield _row("cookie", cookie, f"for the next call: --fast-open={cookie}")

    def _in_force(self, agreed: Negotiated) -> Iterator[Text]:
        """Yield what both SYNs brought into force."""
        if agreed.mss is not None:
            yield _row("mss", str(agreed.mss), "octets of data in a segment to it, at most")
        shift = agreed.snd_shift or 0
        yield _row("shift", str(shift), "of its window: " + _window(shift))
        names = {"sack": agreed.sack, "clocks": agreed.timestamps, "ecn": agreed.ecn}
        for name, agreed_on in names.items():
            yield _row(name, "yes" if agreed_on else "no", _AGREED[name])

    def _said(self) -> Iterator[Text]:
        """Yield what was said on the open connection, if anything was."""
        said = self.result.data
        if said is None:
            return
        if said.sent:
            rest = said.sent - said.acknowledged
            took = f"not acknowledged: {rest}" if rest else "all of them acknowledged"
            yield _row("said", str(said.sent), f"{_octets_word(said.sent)}, {took}")
        if said.received:
            count = len(said.received)
            text = printable(said.received[:_QUOTED].decode("utf-8", "replace"))
            if count > _QUOTED or len(text) > _QUOTED:
                text = f"{text[:_QUOTED]} ..."
            yield _row("heard", str(count), f"{_octets_word(count)}: {text}")
        if said.expected is not None:
            words = "came" if said.expected else "did not come, so this exits with 1"
            yield _row("expected", "yes" if said.expected else "no", f"what was expected {words}")

    def _end(self) -> Iterator[Text]:
        """Yield how the connection was closed, and what kept our kernel out of it."""
        if self.result.close is not None:
            yield _row("close", *_CLOSES[self.result.close])
        if self.result.guard is not None:
            made = "none was needed: the kernel made the call"
            kept = "kept our own kernel from resetting it"
            name = self.result.guard
            yield _row("guard", name, made if name == "none" else kept)


def after(result: Result) -> str | None:
    """Return how long the answer took; where SYNs were sent again, also since the first one."""
    if result.rtt is None:
        return None
    # Counted from the last SYN it may be too short, and from the first too long.
    took = seconds(result.rtt) + ("?" if result.rtt_ambiguous else "")
    if result.syn_sent < 2 or result.waited is None:
        return took
    return f"{seconds(result.waited)}, {took} after SYN {result.syn_sent}"


def called(target: str, address: str | None) -> str:
    """Return who was called, in the caller's words, and the address behind them."""
    text = printable(target)
    return text if address is None or address in text else f"{text} ({address})"


def heading(target: str, address: str) -> Text:
    """Return the line above the steps of a probe that begins."""
    return line("PROBE  ", (called(target, address), "title"))


def _agreed(agreed: Negotiated) -> str:
    """Return what both SYNs carried, and so is in force from now on."""
    found = {
        "window scaling": bool(agreed.snd_shift or agreed.rcv_shift),
        "SACK": agreed.sack,
        "timestamps": agreed.timestamps,
        "ECN": agreed.ecn,
        "signatures (MD5)": agreed.md5,
        "Multipath TCP": agreed.mptcp,
    }
    return ", ".join(name for name, both in found.items() if both) or "none of the options"


def _calls(seg: Segment) -> bool:
    """Whether it is a SYN that asks for a connection."""
    return seg.flags & (Flags.SYN | Flags.ACK | Flags.FIN | Flags.RST) == Flags.SYN


def _theirs(step: Step) -> bool:
    """Whether the peer sent it, and not we: who calls himself sends and hears all of it."""
    outgoing = step.observed.outgoing
    return step.by is Role.SERVER if outgoing is None else not outgoing


def _answers(step: Step) -> bool:
    return _theirs(step) and step.segment.syn and step.segment.ack is not None


def _correct(seg: Segment, syn: Segment) -> bool:
    """Whether it acknowledges our SYN, and no more than came with it."""
    return seg.ack is not None and syn.seq < seg.ack <= syn.end


def _ack(seg: Segment, syn: Segment) -> str:
    assert seg.ack is not None
    if not _correct(seg, syn):
        return "not what we sent"
    taken = seg.ack - syn.seq - 1
    if not syn.payload_length:
        return "= our seq + 1: a correct answer to our SYN"
    return f"our SYN, and {taken} of the {syn.payload_length} octets that came with it"


def _octets_word(count: int) -> str:
    return "octet" if count == 1 else "octets"


def _row(name: str, value: str, words: str) -> Text:
    return line(
        "  ",
        (f"{name:<{_LABEL}}", "field.note"),
        (f"{value:<{_VALUE}}", "field.value"),
        f" {words}",
    )


def _indented(text: str, width: int, name: str = "") -> list[Text]:
    indent = 2 + (_LABEL if name else 0)
    first, *rest = wrap(text, max(indent, width - indent))
    head = line("  ", (f"{name:<{indent - 2}}", "warn"), first)
    return [head, *(line(" " * indent, each) for each in rest)]


def _window(shift: int | None) -> str:
    if not shift:
        return "not scaled: 64 KiB at most"
    return f"shift {shift}, so up to {_octets(0xFFFF << shift)} when scaled"


def _octets(count: int) -> str:
    for unit, size in (("GiB", 2**30), ("MiB", 2**20)):
        # The largest window is one octet short of the power of two that it is called by.
        if count + (count >> 16) + 1 >= size:
            return f"{round(count / size)} {unit}"
    return f"{round(count / 2**10)} KiB"


def _mss(mss: int | None, version: int) -> str:
    if mss is None:
        return f"not said: {536 if version == 4 else 1220} it is then"
    mtu = mss + (40 if version == 4 else 60)
    usual = " (Ethernet)" if mtu == 1500 else ""
    return f"packets of {mtu} octets{usual}, or lowered on the way"


def _hops(ttl: int) -> str:
    count = hops(ttl)
    return f"{count} hop{'' if count == 1 else 's'} if it started at {ttl + count}"
