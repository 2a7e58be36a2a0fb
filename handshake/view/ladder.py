"""The ladder diagram: a segment a row, between the states of both ends after it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from rich.cells import cell_len, set_cell_size

from handshake.events import Fate, Role
from handshake.messages import text, time
from handshake.tcp.control_block import state_text
from handshake.units import NS_PER_MS, NS_PER_SECOND
from handshake.view.glyphs import UNICODE, Glyphs
from handshake.view.layout import centre, fit, line, wrap
from handshake.view.notation import TimeColumn, headline, is_again, is_trouble
from handshake.view.theme import style_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console, ConsoleOptions, RenderResult
    from rich.text import Text

    from handshake.events import Change, Step
    from handshake.tcp.icmp import IcmpError
    from handshake.view.notation import Numbers

_TIME: Final = 9
_STATE: Final = 13
"""The longest state name, and the mark of an inferred one."""

_LEAST: Final = 12
"""A shorter arrow has no label."""

_NARROW: Final = 56
"""On narrower screens the states give way to what the segments are."""

_PAUSE: Final = 200 * NS_PER_MS
"""Nanoseconds from which a gap between two segments is drawn: Linux's shortest timer."""


class Gap(NamedTuple):
    """A row between two segments: time in which none passed, or segments that are not shown."""

    nanoseconds: int
    segments: int = 0

    def __str__(self) -> str:
        return self.said(UNICODE)

    def said(self, glyphs: Glyphs) -> str:
        """Return how many segments were left out, and how long it took."""
        parts = [glyphs.say("ladder.left-out", count=self.segments)] if self.segments else []
        if self.nanoseconds >= _PAUSE:
            parts.append(time(self.nanoseconds / NS_PER_SECOND))
        return ", ".join(parts)


@dataclass(frozen=True)
class Ladder:
    """Segments as arrows between two ends, in the order of capture."""

    steps: Sequence[Step]
    numbers: Numbers
    current: int | None = None
    """The row to highlight and keep on screen, from 0."""

    height: int | None = None
    """The most lines, heading included; None for all."""

    glyphs: Glyphs = UNICODE
    errors: Sequence[IcmpError] = ()
    """ICMP errors about the client's segments, each in a row of its own."""

    gaps: bool = False
    """Whether a long time between two segments is drawn."""

    only: Sequence[int] | None = None
    """The indexes of the segments to show; None for all."""

    marked: int | None = None
    """The row of the segment that others are compared with."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield from self.lines(options.max_width)

    def lines(self, width: int) -> list[Text]:
        """Return the heading and the rows, no wider than `width`."""
        clock = TimeColumn(self.steps)
        rows = self.rows()
        room = len(rows) if self.height is None else max(1, self.height - 1)
        # The rows before the current one explain more than those after it.
        above = room - 1 - room // 3
        current = 0 if self.current is None else rows.index(self.current)
        first = max(0, min(current - above, len(rows) - room))
        shown = rows[first : first + room]
        lines = [self._heading(width, clock)]
        for each in shown:
            lines += self._drawn(each, width, clock)
        return lines

    def shortened(self, width: int, room: int) -> tuple[list[Text], list[Text], int]:
        """Return the first rows with the heading, the last ones, and how many are left out between.

        Together they take at most `room` lines, but for the heading, the first row and the last.
        """
        clock, rows = TimeColumn(self.steps), self.rows()
        drawn = [self._drawn(each, width, clock) for each in rows]
        heading = [self._heading(width, clock)]
        first, last = 0, len(drawn)
        # A row in the middle is left out at a time: how it began and ended says most.
        while sum(map(len, drawn[:first] + drawn[last:])) < room - 2 and first < last:
            if first <= len(drawn) - last:
                first += 1
            else:
                last -= 1
        above, below = drawn[: max(1, first)], drawn[min(last, len(drawn) - 1) :]
        if sum(map(len, drawn)) < room or len(drawn) <= len(above) + len(below):
            return [*heading, *(row for each in drawn for row in each)], [], 0
        left = len(drawn) - len(above) - len(below)
        return (
            [*heading, *(row for each in above for row in each)],
            [row for each in below for row in each],
            left,
        )

    def sentences(self) -> list[str]:
        """Return each row as a sentence: time, what was sent by which end, and both states."""
        clock = TimeColumn(self.steps)
        start = self.steps[0].observed.at if self.steps else 0
        out = []
        for each in self.rows():
            if isinstance(each, int):
                out.append(self._sentence(self.steps[each], clock))
            elif not isinstance(each, Gap):
                when = f"{clock.show(each.at - start)} {clock.unit}"
                values = {"when": when, "what": icmp_numbers(each), "error": each}
                out.append(text("probe", "ladder.icmp", values, self.glyphs.language))
        return out

    def _sentence(self, step: Step, clock: TimeColumn) -> str:
        values = {
            "when": f"{clock.show(step.since_start)} {clock.unit}",
            "what": headline(step, self.glyphs),
            "client": step.by is Role.CLIENT,
            "lost": step.fate is Fate.LOST,
            "fields": "".join(label_fields(step, self.numbers).values()).strip(),
            "ours": state_text(step.client.after),
            "theirs": state_text(step.server.after),
        }
        return text("probe", "ladder.segment", values, self.glyphs.language)

    def _drawn(self, row: Row, width: int, clock: TimeColumn) -> list[Text]:
        if isinstance(row, int):
            return [self._row(row, width, clock)]
        return [self._gap(row, width)] if isinstance(row, Gap) else self._error(row, width, clock)

    def rows(self) -> list[Row]:
        """Return the rows in the order of time: indexes of steps, gaps and errors."""
        rows: list[Row] = []
        errors = sorted(self.errors, key=lambda error: error.at, reverse=True)
        before: int | None = None
        for at in self._near():
            step = self.steps[at]
            while errors and errors[-1].at < step.observed.at:
                rows.append(errors.pop())
            gap = self._gap_before(at, before)
            if gap is not None:
                rows.append(gap)
            rows.append(at)
            before = at
        if self.only and self.only[-1] + 1 < len(self.steps):
            rows.append(Gap(0, len(self.steps) - self.only[-1] - 1))
        return [*rows, *reversed(errors)]

    def _near(self) -> Sequence[int]:
        """Return the indexes of the steps that can be shown: of a long connection a part."""
        if self.only is not None:
            return self.only
        if self.height is None or self.current is None or self.errors:
            return range(len(self.steps))
        begin = max(0, min(self.current, len(self.steps) - self.height) - self.height)
        return range(begin, min(len(self.steps), begin + 3 * self.height))

    def _gap_before(self, at: int, before: int | None) -> Gap | None:
        if before is None:
            return Gap(0, at) if self.only is not None and at else None
        took = self.steps[at].observed.at - self.steps[before].observed.at
        left_out = at - before - 1
        if left_out or (self.gaps and took >= _PAUSE):
            return Gap(took, left_out)
        return None

    def _gap(self, gap: Gap, width: int) -> Text:
        """Return the row of a gap: what was left out, and how long it took."""
        dots = " ".join(self.glyphs.dot * 3)
        said = centre(
            f"{dots}  {gap.said(self.glyphs)}  {dots}",
            max(0, width - _arrow_at(width) - _state(width)),
        )
        return line(" " * _arrow_at(width), (said, "dim"))

    def _error(self, error: IcmpError, width: int, clock: TimeColumn) -> list[Text]:
        """Return the rows of an ICMP error, whose sender is somewhere on the path.

        It stands in one row if it fits, else its text goes on below the arrow: none is cut.
        """
        start = self.steps[0].observed.at if self.steps else error.at
        row = line((f"{clock.show(error.at - start):>{_TIME}}", "dim"), ("!", "warn"))
        row.append(" " * _state(width))
        room = max(0, width - _arrow_at(width) - 1 - _state(width))
        number = icmp_numbers(error)
        said = {
            "number": number,
            "sender": error.sender,
            "meaning": self.glyphs.translated(error.meaning),
        }
        label = self.glyphs.say("ladder.error", **said)
        below: list[Text] = []
        if cell_len(label) > room - 6:
            indent = min(_arrow_at(width) + 1, width // 4)
            rest = wrap(self.glyphs.say("ladder.error-below", **said), max(1, width - indent))
            below = [line(" " * indent, (each, "bad")) for each in rest]
            label = number
        length = max(1, room - 4 - cell_len(label))
        row.append(f"{self.glyphs.left_arrow(length)} {label} {self.glyphs.horizontal * 2}", "bad")
        return [row, *below]

    def _heading(self, width: int, clock: TimeColumn) -> Text:
        signs = self.glyphs
        numbers = self.numbers.label(signs)
        if not _state(width):
            client, server = signs.say("ladder.client"), signs.say("ladder.server")
            room = max(0, width - _arrow_at(width) - cell_len(server) - 1)
            return line(
                (f"{clock.unit:>{_TIME}} ", "dim"),
                (fit(client, room, signs.ellipsis), "client"),
                (server, "server"),
            )
        return line(
            (f"{clock.unit:>{_TIME}} ", "dim"),
            (fit(signs.say("ladder.client"), _STATE), "client"),
            (fit(numbers, max(0, width - _arrow_at(width) - _STATE), signs.ellipsis), "dim"),
            (signs.say("ladder.server"), "server"),
        )

    def _row(self, at: int, width: int, clock: TimeColumn) -> Text:
        step = self.steps[at]
        selected, trouble = at == self.current, is_trouble(step)
        row = line((f"{clock.show(step.since_start):>{_TIME}}", "title" if selected else "dim"))
        mark = ">" if selected else "d" if at == self.marked else "!" if trouble else " "
        row.append(mark, "why" if selected else "warn")
        if not _state(width):
            room = width - _arrow_at(width) - 1
            return line(row, (self._arrow(step, room), style_of(step.segment)))
        row.append(fit(state_text(step.client.after), _STATE), _state_style(step.client))
        room = width - _arrow_at(width) - 1 - _STATE
        row.append(self._arrow(step, room), style_of(step.segment))
        row.append(" ")
        row.append(state_text(step.server.after), _state_style(step.server))
        return row

    def _arrow(self, step: Step, room: int) -> str:
        glyphs, lost = self.glyphs, step.fate is Fate.LOST
        if room < _LEAST:
            arrow = glyphs.right_arrow if step.by is Role.CLIENT else glyphs.left_arrow
            return arrow(max(1, room), lost=lost)
        label = arrow_label(step, self.numbers, room - 6, glyphs)
        rest = room - 4 - cell_len(label)
        if step.by is Role.CLIENT:
            return f"{glyphs.horizontal * 2} {label} {glyphs.right_arrow(rest, lost=lost)}"
        return f"{glyphs.left_arrow(rest, lost=lost)} {label} {glyphs.horizontal * 2}"


def _state(width: int) -> int:
    """Return the columns for each state."""
    return _STATE if width >= _NARROW else 0


def _arrow_at(width: int) -> int:
    """Return the column in which the arrows begin."""
    return _TIME + 1 + _state(width)


def _state_style(change: Change) -> str:
    """Highlight a state that this segment caused."""
    if change.after is None or change.after.inferred:
        return "inferred"
    before = None if change.before is None else change.before.state
    return "state" if change.after.state is not before else "dim"


def icmp_numbers(error: IcmpError) -> str:
    """Return an ICMP error by its numbers: `ICMP 3/13`."""
    return f"ICMP{'' if error.version == 4 else 'v6'} {error.type}/{error.code}"


def label_fields(step: Step, numbers: Numbers) -> dict[str, str]:
    """Return the header fields that say most, each as ` name=value`."""
    seg, options = step.segment, step.segment.options
    found = {
        "seq": numbers.show(seg.seq, step.by),
        "ack": None if seg.ack is None else numbers.show(seg.ack, step.by.other),
        "len": seg.payload_length or None,
        "win": seg.window,
        "mss": options.mss,
        "ws": options.window_scale,
    }
    return {name: f" {name}={value}" for name, value in found.items() if value is not None}


def arrow_label(step: Step, numbers: Numbers, room: int, glyphs: Glyphs = UNICODE) -> str:
    """Return the control bits and as many header fields as fit."""
    seg, shown = step.segment, label_fields(step, numbers)
    bits = str(seg.flags)
    if is_again(step):
        bits += glyphs.say("ladder.again")
    if step.copy is not None:
        bits += glyphs.say("ladder.copy")
    if step.fate is Fate.LOST:
        bits += glyphs.say("ladder.lost")
    # The length says more than the acknowledgment: it is dropped last.
    for name in ("ws", "mss", "win", "ack", "len"):
        if cell_len(bits + "".join(shown.values())) <= room:
            break
        shown.pop(name, None)
    label = bits + "".join(shown.values())
    return label if cell_len(label) <= room else set_cell_size(label, room)


Row: TypeAlias = "int | IcmpError | Gap"
"""A row: the index of a step, an ICMP error, or a gap."""
