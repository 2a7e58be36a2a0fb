"""What each socket knows: both control blocks, before and after a segment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from rich.cells import cell_len

from handshake.events import Role
from handshake.tcp.control_block import state_text
from handshake.view.glyphs import UNICODE, Glyphs
from handshake.view.layout import fit, line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console, ConsoleOptions, RenderResult
    from rich.text import Text

    from handshake.events import Change, Step
    from handshake.tcp import ControlBlock
    from handshake.view.notation import Numbers

_GAP: Final = "  "

_ALWAYS: Final = ("SND.NXT", "RCV.NXT")
"""Shown even if unchanged."""


class _Entry(NamedTuple):
    """One variable of a socket; an empty value means unknown."""

    name: str
    before: str
    after: str


@dataclass(frozen=True)
class Sockets:
    """Both control blocks: what this segment changed, and the next sequence numbers."""

    step: Step
    numbers: Numbers
    full: bool = False
    """Whether to show unchanged variables, too."""

    glyphs: Glyphs = UNICODE

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield from self.lines(options.max_width)

    def lines(self, width: int) -> list[Text]:
        """Return a few lines for each end, the client first."""
        ends = ((Role.CLIENT, self.step.client), (Role.SERVER, self.step.server))
        return [each for role, change in ends for each in self._end(role, change, width)]

    def _end(self, role: Role, change: Change, width: int) -> Iterator[Text]:
        ends = [self.glyphs.say(str(each)) for each in Role]
        indent = 2 + max(map(cell_len, ends))
        row = line(" ", (fit(self.glyphs.say(str(role)), indent - 1), str(role)))
        row.append_text(self._state(change))
        if change.after is None:
            row.append(f"{_GAP}{self.glyphs.say('unknown')}", "dim")
        for entry in self._entries(role, change):
            text = self._entry(entry)
            if row.cell_len + len(_GAP) + text.cell_len > width and row.cell_len > indent:
                yield row
                row = line(" " * indent)
            else:
                row.append(_GAP)
            row.append_text(text)
        yield row

    def _state(self, change: Change) -> Text:
        after = state_text(change.after)
        if "state" not in change.changed or change.after is None:
            return line((after, "state"))
        before = state_text(change.before)
        return line((f"{before} {self.glyphs.becomes} ", "dim"), (after, "changed"))

    def _entry(self, entry: _Entry) -> Text:
        if entry.before == entry.after:
            return line((f"{entry.name} ", "dim"), entry.after)
        if not entry.before:
            return line((f"{entry.name} ", "dim"), (f"*{entry.after}", "changed"))
        after = entry.after or self.glyphs.dash
        return line(
            (f"{entry.name} {entry.before} {self.glyphs.becomes} ", "dim"), (after, "changed")
        )

    def _entries(self, role: Role, change: Change) -> Iterator[_Entry]:
        before = dict(self._known(change.before, role))
        after = dict(self._known(change.after, role))
        for name, value in after.items():
            was = before.get(name, "")
            if value != was or (value and (self.full or name in _ALWAYS)):
                yield _Entry(name, was, value)

    def _known(self, block: ControlBlock | None, role: Role) -> Iterator[tuple[str, str]]:
        """Yield the variables of a block, in the order in which they are set."""
        if block is None:
            return
        snd, rcv, numbers, say = block.snd, block.rcv, self.numbers, self.glyphs.say
        yield "peer", "" if block.remote is None else str(block.remote)
        # The initial numbers are shown as absolute numbers, too.
        yield "ISS", "" if snd.iss is None else numbers.both(snd.iss, role)
        for name, number in (("SND.UNA", snd.una), ("SND.NXT", snd.nxt)):
            yield name, "" if number is None else numbers.show(number, role)
        yield "SND.WND", _count(snd.wnd)
        yield "IRS", "" if rcv.irs is None else numbers.both(rcv.irs, role.other)
        yield "RCV.NXT", "" if rcv.nxt is None else numbers.show(rcv.nxt, role.other)
        yield "RCV.WND", _count(rcv.wnd)
        yield "held", say("field.held", count=len(rcv.held)) if rcv.held else ""
        yield "MSS", self._agreed(block.mss) if block.agreed else ""
        shifts = None if block.snd_shift is None else f"{block.snd_shift}/{block.rcv_shift}"
        yield "shift", self._agreed(shifts) if block.agreed else ""
        for name, agreed in (("SACK", block.sack), ("ECN", block.ecn)):
            unknown = block.agreed and agreed is None
            yield name, self._agreed(None) if unknown else say("field.on") if agreed else ""
        yield "TS.Recent", _count(block.ts_recent)

    def _agreed(self, value: object) -> str:
        """Return what both SYNs agree on; the snap length may have cut it off."""
        return self.glyphs.say("field.cut") if value is None else str(value)


def _count(value: int | None) -> str:
    return "" if value is None else str(value)
