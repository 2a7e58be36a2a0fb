"""The result of a probe: verdict, ladder, and the header of the answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from rich.cells import cell_len

from handshake import messages
from handshake.escape import printable
from handshake.events import Role
from handshake.prober import Close, Verdict
from handshake.tcp import Flags
from handshake.tcp.address import hops
from handshake.view.glyphs import UNICODE, Glyphs
from handshake.view.ladder import Ladder
from handshake.view.layout import line, wrap
from handshake.view.notation import Numbers, count

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import Console, ConsoleOptions, RenderResult
    from rich.text import Text

    from handshake.events import Step
    from handshake.prober import Negotiated, Result
    from handshake.tcp import Segment

_NAMES: Final = {Verdict.FILTERED: "NO ANSWER (filtered)"}
"""Names of verdicts on the screen that say more than their codes."""

_CLOSES: Final = {
    Close.CLEAN: ("clean", "both ends sent a FIN, and both were acknowledged"),
    Close.PEER_KEPT_OPEN: ("half", "the peer acknowledged our FIN but sent none of its own"),
    Close.RESET: ("reset", "the peer sent a RST before both FINs were acknowledged"),
}
"""How the connection was closed: in a word, and in a sentence."""

_NEGOTIATED: Final = {
    "sack": "selective acknowledgments (RFC 2018)",
    "tstamps": "timestamps in every segment (RFC 7323)",
    "ecn": "explicit congestion notification (RFC 3168)",
}

_NO_CONNECTION: Final = (
    "The first segment was not a SYN, so neither end has a connection: the states are inferred "
    "from the packets."
)
"""The note on a first segment that is not a SYN."""

_SAID: Final = frozenset(
    (
        *("host-down", "icmp-error", "no-route", "rejected-by-firewall"),
        *("wrong-acknowledgment", "stale-connection"),
    )
)
"""Diagnoses whose text says what the reason of the verdict, or a note, has said."""

_QUOTED: Final = 44
"""Columns for received data on a line."""

_LABEL: Final = 9
_VALUE: Final = 8


@dataclass(frozen=True)
class ProbeView:
    """The result of one probe, with all its segments."""

    result: Result
    steps: Sequence[Step]
    glyphs: Glyphs = UNICODE

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield from self.lines(options.max_width)

    def lines(self, width: int) -> list[Text]:
        """Return the lines, no wider than `width`."""
        out = [self._title(), *_indented(self._reason(), width), *self._diagnosis(width)]
        if self.steps:
            numbers = Numbers.of(self.steps)
            ladder = Ladder(self.steps, numbers, errors=self.result.errors, glyphs=self.glyphs)
            out += [line(), *ladder.lines(width)]
            answer = list(self._answer(numbers))
            out += [line(), *answer, *self._data(), *self._close()] if answer else []
            if not _is_connection_request(self.steps[0].segment):
                out += _indented(_NO_CONNECTION, width, "note")
        elif self.result.negotiated is not None:
            # A connection of the kernel's: TCP_INFO is all there is.
            negotiated = self._negotiated(self.result.negotiated)
            out += [line(), *negotiated, *self._data(), *self._close()]
        for note in self.result.findings:
            out += _indented(note.text, width, "note")
        return out

    def _title(self) -> Text:
        result = self.result
        name = _NAMES.get(result.verdict, str(result.verdict).replace("-", " ").upper())
        good = result.succeeded
        row = line(
            (name, "ok" if good else "bad"),
            "  ",
            (target_text(result.target, result.address), "title"),
        )
        if (waited := time_to_answer(result)) is not None:
            row.append(f"  {self._answered_by()} after {waited}")
            row.append(" (unclear which SYN was answered)" if result.rtt_ambiguous else "")
        return row

    def _answered_by(self) -> str:
        """Return what the round trip ended with: the first acceptable answer."""
        received = [step.segment for step in self.steps if _incoming(step)]
        if not self.steps:
            return "RST" if self.result.verdict is Verdict.CLOSED else "SYN-ACK"
        return "SYN-ACK" if any(seg.syn and seg.ack is not None for seg in received) else "RST"

    def _reason(self) -> str:
        code = self.result.exit_code
        return str(self.result.reason) + (f"  (exit {code})" if code else "")

    def _diagnosis(self, width: int) -> list[Text]:
        """Return the cause as far as the reason does not tell it, and what would tell more."""
        found = self.result.diagnosis
        if found is None:
            return []
        cause = f"{found.code} ({found.certainty})"
        # What is only possible, the reason has named, too.
        if found.certainty != "possible" and found.code not in _SAID:
            cause += f": {found.text}"
        return [*_indented(cause, width, "cause"), *_indented(found.next, width, "next")]

    def _answer(self, numbers: Numbers) -> Iterator[Text]:
        """Yield the header of the SYN-ACK, a field a line."""
        answers = [step for step in self.steps if _is_syn_ack(step)]
        syn = next((step.segment for step in self.steps if not _incoming(step)), None)
        if not answers or syn is None:
            return
        # Of several, the one that acknowledges our SYN opened the connection.
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
            yield _row("in use", "", _options_in_use(agreed))
        cookie = agreed and agreed.fast_open
        if cookie:
            yield _row("cookie", cookie, f"for the next connection: --fast-open={cookie}")

    def _negotiated(self, agreed: Negotiated) -> Iterator[Text]:
        """Yield the negotiated options, one a line."""
        if agreed.mss is not None:
            yield _row("mss", str(agreed.mss), "octets of data at most in a segment to the peer")
        shift = agreed.snd_shift or 0
        yield _row("shift", str(shift), f"of the peer's window: {_largest_window(shift)}")
        names = {"sack": agreed.sack, "tstamps": agreed.timestamps, "ecn": agreed.ecn}
        for name, agreed_on in names.items():
            yield _row(name, "yes" if agreed_on else "no", _NEGOTIATED[name])

    def _data(self) -> Iterator[Text]:
        """Yield the data sent and received, if any."""
        data = self.result.data
        if data is None:
            return
        if data.sent:
            rest = data.sent - data.acknowledged
            took = f"{rest} not acknowledged" if rest else "all acknowledged"
            yield _row("sent", str(data.sent), f"{_octets_word(data.sent)}, {took}")
        if data.received:
            length = len(data.received)
            text = _quoted(data.received)
            yield _row("received", str(length), f"{_octets_word(length)}: {text}")
        if data.expected is not None:
            found = "received" if data.expected else "not received (exit 1)"
            yield _row(
                "expected", "yes" if data.expected else "no", f"the --expect text was {found}"
            )

    def _close(self) -> Iterator[Text]:
        """Yield how the connection was closed, and the RST guard."""
        if self.result.close is not None:
            yield _row("close", *_CLOSES[self.result.close])
        if self.result.guard is not None:
            kernel = "not needed: the kernel opened the connection"
            guarded = "kept the local kernel from resetting the connection"
            name = self.result.guard
            yield _row("guard", name, kernel if name == "none" else guarded)


def time_to_answer(result: Result) -> str | None:
    """Return how long the answer took; if the SYN was retransmitted, also since the first SYN."""
    if result.rtt is None:
        return None
    # From the last SYN it may be too short, from the first too long.
    took = messages.time(result.rtt) + ("?" if result.rtt_ambiguous else "")
    if result.syn_sent < 2 or result.waited is None:
        return took
    return f"{messages.time(result.waited)}, {took} after SYN {result.syn_sent}"


def target_text(target: str, address: str | None) -> str:
    """Return the target as the user wrote it, and its address."""
    shown = target if address is None or address in target else f"{target} ({address})"
    return printable(shown)


def heading(target: str, address: str) -> Text:
    """Return the heading of a probe."""
    return line("PROBE  ", (target_text(target, address), "title"))


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


def _options_in_use(agreed: Negotiated) -> str:
    """Return the options that both SYNs carried."""
    found = {
        "window scaling": bool(agreed.snd_shift or agreed.rcv_shift),
        "SACK": agreed.sack,
        "timestamps": agreed.timestamps,
        "ECN": agreed.ecn,
        "MD5 signatures": agreed.md5,
        "Multipath TCP": agreed.mptcp,
    }
    return ", ".join(name for name, both in found.items() if both) or "no options"


def _is_connection_request(seg: Segment) -> bool:
    """Whether it is a SYN that requests a connection."""
    return seg.flags & (Flags.SYN | Flags.ACK | Flags.FIN | Flags.RST) == Flags.SYN


def _incoming(step: Step) -> bool:
    """Whether the peer sent it; on a connection to ourselves each segment is both."""
    outgoing = step.observed.outgoing
    return step.by is Role.SERVER if outgoing is None else not outgoing


def _is_syn_ack(step: Step) -> bool:
    return _incoming(step) and step.segment.syn and step.segment.ack is not None


def _correct(seg: Segment, syn: Segment) -> bool:
    """Whether it acknowledges our SYN, and no more than we sent."""
    return seg.ack is not None and syn.seq < seg.ack <= syn.end


def _ack(seg: Segment, syn: Segment) -> str:
    assert seg.ack is not None
    if not _correct(seg, syn):
        return "does not acknowledge our SYN"
    accepted = seg.ack - syn.seq - 1
    if not syn.payload_length:
        return "= our seq + 1: acknowledges our SYN"
    return f"our SYN and {accepted} of the {syn.payload_length} octets in it"


def _octets_word(count: int) -> str:
    return "octet" if count == 1 else "octets"


def _row(name: str, value: str, meaning: str) -> Text:
    return line(
        "  ",
        (f"{name:<{_LABEL}}", "field.note"),
        (f"{value:<{_VALUE}}", "field.value"),
        f" {meaning}",
    )


def _indented(text: str, width: int, name: str = "") -> list[Text]:
    indent = 2 + (_LABEL if name else 0)
    first, *rest = wrap(text, max(indent, width - indent))
    head = line("  ", (f"{name:<{indent - 2}}", "warn"), first)
    return [head, *(line(" " * indent, each) for each in rest)]


def _window(shift: int | None) -> str:
    return f"{f'shift {shift}' if shift else 'not scaled'}: {_largest_window(shift)}"


def _largest_window(shift: int | None) -> str:
    return f"up to {_octets(0xFFFF << shift)} when scaled" if shift else "at most 64 KiB"


def _octets(count: int) -> str:
    for unit, size in (("GiB", 2**30), ("MiB", 2**20)):
        # The largest window is a little less than the power of two that it is named after.
        if count + (count >> 16) + 1 >= size:
            return f"{round(count / size)} {unit}"
    return f"{round(count / 2**10)} KiB"


def _mss(mss: int | None, version: int) -> str:
    if mss is None:
        return f"not sent: default {536 if version == 4 else 1220}"
    mtu = mss + (40 if version == 4 else 60)
    usual = " (Ethernet)" if mtu == 1500 else ""
    return f"MTU {mtu}{usual}, or clamped on the path"


def _hops(ttl: int) -> str:
    passed = hops(ttl)
    return f"{count(passed, 'hop')} if it started at {ttl + passed}"
