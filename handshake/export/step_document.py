"""A segment as every export tells it: its arrow, its header, both sockets, what it means."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from handshake.escape import printable
from handshake.events import Fate, Role
from handshake.tcp.checksum import Checksum, kind
from handshake.tcp.control_block import state_text
from handshake.view.glyphs import UNICODE, Glyphs
from handshake.view.header_octets import FIELDS, octets_of, value_of
from handshake.view.ladder import arrow_label
from handshake.view.notation import cited, headline, is_again, is_trouble, milliseconds
from handshake.view.sockets import variables

if TYPE_CHECKING:
    from collections.abc import Iterator

    from handshake.events import Change, Step
    from handshake.view.notation import Numbers, TimeColumn
    from handshake.view.sockets import Variable

_LABEL: Final = 60
"""Characters on an arrow."""

_SUMS: Final = {
    Checksum.RIGHT: "right",
    Checksum.PARTIAL: "partial: the network card completes it",
    Checksum.WRONG: "wrong",
    Checksum.UNKNOWN: "cannot be verified",
}


MARKS: Final = ("lost", "retransmitted", "copy", "problem", "inferred")
"""What may be unusual of a segment."""


class HeaderValue(NamedTuple):
    """A field of a header: its name, its value, and where it stands."""

    title: str
    value: str
    octets: range
    """Its octets, counted from the beginning of the header."""

    section: str
    meaning: str


@dataclass(frozen=True)
class StepDocument:
    """One segment and what it changed, in words."""

    step: Step
    numbers: Numbers
    clock: TimeColumn
    before: Step | None
    """The previous segment; None for the first."""

    glyphs: Glyphs = UNICODE
    """The language that it is told in."""

    @property
    def time(self) -> str:
        """When it passed, since the first segment, without unit."""
        return self.clock.show(self.step.since_start)

    @property
    def label(self) -> str:
        """What stands on its arrow."""
        return arrow_label(self.step, self.numbers, _LABEL, self.glyphs)

    @property
    def headline(self) -> str:
        """What it is in a word or two."""
        return headline(self.step, self.glyphs)

    @property
    def lost(self) -> bool:
        """Whether it did not arrive."""
        return self.step.fate is Fate.LOST

    @property
    def kind(self) -> str:
        """What it is for, in a word: `syn`, `rst`, `fin`, `data` or `ack`."""
        seg = self.step.segment
        bits = (("rst", seg.rst), ("syn", seg.syn), ("fin", seg.fin), ("data", seg.payload_length))
        return next((name for name, is_set in bits if is_set), "ack")

    @property
    def marks(self) -> tuple[str, ...]:
        """What is unusual of it, in words."""
        step = self.step
        found = (
            *(self.lost, is_again(step), step.copy is not None),
            *(is_trouble(step), step.inferred),
        )
        return tuple(name for name, is_so in zip(MARKS, found, strict=True) if is_so)

    def state(self, role: Role) -> str:
        """Return the state of an end after it."""
        return state_text(self.change(role).after)

    def change(self, role: Role) -> Change:
        """Return what it changed at an end."""
        return self.step.client if role is Role.CLIENT else self.step.server

    def variables(self, role: Role) -> list[Variable]:
        """Return what the socket of an end knows, before and after."""
        return list(variables(role, self.change(role), self.numbers, self.glyphs))

    @property
    def place(self) -> str:
        """Number, time and length of the packet."""
        observed, say = self.step.observed, self.glyphs.say
        parts = [say("step.segment", number=self.step.index)]
        if observed.frame is not None:
            parts.append(say("step.packet", number=observed.frame))
        if self.before is not None:
            parts.append(f"{milliseconds(observed.at - self.before.observed.at)}")
        if observed.ttl is not None:
            parts.append(f"TTL {observed.ttl}")
        if observed.via:
            through = f"through {', '.join(map(printable, observed.via))}"
            parts.append(self.glyphs.translated(through))
        return ", ".join(parts)

    @property
    def header(self) -> Iterator[HeaderValue]:
        """Each field of the header."""
        seg, by = self.step.segment, self.step.by
        notes = {
            "seq": self._relative(self.numbers.show(seg.seq, by)),
            "ack": "" if seg.ack is None else self._relative(self.numbers.show(seg.ack, by.other)),
            "window": self._scaled(),
            "checksum": f", {self.glyphs.translated(_SUMS[kind(self.step.observed)])}",
        }
        for each in FIELDS:
            value = value_of(each, seg, self.glyphs) + notes.get(each.key, "")
            yield HeaderValue(
                each.title(self.glyphs),
                value,
                octets_of(each, seg),
                each.section,
                each.meaning(self.glyphs),
            )

    def _relative(self, shown: str) -> str:
        return f", {self.glyphs.translated(f'relative {shown}')}"

    def _scaled(self) -> str:
        seg, block = self.step.segment, self.step.sender.after
        shift = 0 if seg.syn or block is None else block.rcv_shift
        return f", {self.glyphs.translated(f'scaled {seg.window << shift}')}" if shift else ""

    @property
    def octets(self) -> tuple[bytes, int]:
        """The packet as captured, and where its TCP header begins; only that if it was not kept."""
        packet, header = self.step.observed.packet, self.step.segment.pack()
        at = packet.find(header) if packet else -1
        return (packet, at) if at >= 0 else (header, 0)

    @property
    def why(self) -> str:
        """What happened and why, with the section that says so."""
        where, why = cited(self.step.section), self.step.said(self.glyphs.language)
        return f"{why} ({where})" if where and why else why

    @property
    def sentence(self) -> str:
        """All of its row in the ladder as a sentence, for who cannot see it."""
        said = f"{self.time} {self.clock.unit}: "
        said += self.glyphs.translated(f"{self.label} from the {self.step.by}")
        states = f"client {self.state(Role.CLIENT)}, server {self.state(Role.SERVER)}"
        return f"{', '.join((said, *self.fates))}; {self.glyphs.translated(states)}"

    @property
    def fates(self) -> list[str]:
        """Whether it was lost, or is a copy, in words."""
        return [self.glyphs.translated(each) for each in self.marks if each in ("lost", "copy")]
