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


class Variable(NamedTuple):
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
        for entry in variables(role, change, self.numbers, self.glyphs):
            if entry.before == entry.after and not self.full and entry.name not in _ALWAYS:
                continue
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

    def _entry(self, entry: Variable) -> Text:
        if entry.before == entry.after:
            return line((f"{entry.name} ", "dim"), entry.after)
        if not entry.before:
            return line((f"{entry.name} ", "dim"), (f"*{entry.after}", "changed"))
        after = entry.after or self.glyphs.dash
        return line(
            (f"{entry.name} {entry.before} {self.glyphs.becomes} ", "dim"), (after, "changed")
        )


def variables(
    role: Role, change: Change, numbers: Numbers, glyphs: Glyphs = UNICODE
) -> Iterator[Variable]:
    """Yield what a socket knows, before and after a segment, in the order in which it is set."""
    before = dict(_known(change.before, role, numbers, glyphs))
    after = dict(_known(change.after, role, numbers, glyphs))
    for name, value in after.items():
        was = before.get(name, "")
        if value or was:
            yield Variable(name, was, value)


def _known(
    block: ControlBlock | None, role: Role, numbers: Numbers, glyphs: Glyphs
) -> Iterator[tuple[str, str]]:
    """Yield the variables of a block, in the order in which they are set."""
    if block is None:
        return
    snd, rcv, say = block.snd, block.rcv, glyphs.say
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
    yield "MSS", _agreed(block.mss, glyphs) if block.agreed else ""
    shifts = None if block.snd_shift is None else f"{block.snd_shift}/{block.rcv_shift}"
    yield "shift", _agreed(shifts, glyphs) if block.agreed else ""
    for name, agreed in (("SACK", block.sack), ("ECN", block.ecn)):
        unknown = block.agreed and agreed is None
        yield name, _agreed(None, glyphs) if unknown else say("field.on") if agreed else ""
    yield "TS.Recent", _count(block.ts_recent)


def _agreed(value: object, glyphs: Glyphs) -> str:
    """Return what both SYNs agree on; the snap length may have cut it off."""
    return glyphs.say("field.cut") if value is None else str(value)


def _count(value: int | None) -> str:
    return "" if value is None else str(value)
