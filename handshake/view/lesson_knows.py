"""Who knows what in a scene: both control blocks side by side, and what commands show of them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING, Final

from rich.cells import cell_len

from handshake.events import Role
from handshake.view.glyphs import UNICODE, Glyphs
from handshake.view.layout import fit, folded, line, wrap
from handshake.view.lesson import Place, key_line, more
from handshake.view.lesson_box import agreed_options, offered

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console, ConsoleOptions, RenderResult
    from rich.text import Text

    from handshake.events import Change
    from handshake.lessons import Scene, ScreenText, StepText
    from handshake.lessons.ss import SsRow
    from handshake.tcp import ControlBlock

_NETSTAT: Final = {
    "ESTAB": "ESTABLISHED",
    "FIN-WAIT-1": "FIN_WAIT1",
    "FIN-WAIT-2": "FIN_WAIT2",
}
"""Where `netstat` has another name than `ss` with `_` for `-`."""

_LABEL: Final = 16
_FIELDS: Final = {
    "state": ("state",),
    "local": ("local",),
    "peer": ("remote",),
    "own_number": ("snd.iss",),
    "sent": ("snd.una", "snd.nxt"),
    "peer_numbers": ("rcv.irs", "rcv.nxt"),
    "peer_window": ("snd.wnd",),
    "options": ("offered", "peer_offered"),
}
"""The rows of the table, and the fields of the control block that each shows."""


def knows_lines(place: Place, words: ScreenText, width: int, glyphs: Glyphs) -> list[Text]:
    """Return the table of what each end has recorded; `*` marks what this step has changed."""
    room = (width - _LABEL) // 2
    title = f" {words['who_knows']} "
    rule = f"{glyphs.rule(2)}{title}{glyphs.rule(width - cell_len(title) - 2)}"
    ends = tuple(zip(Role, place.lesson.changes(place.index), strict=True))
    heads = [(fit(words[str(role)], room), str(role)) for role, _ in ends]
    rows = [line((rule, "rule")), line(" " * _LABEL, *heads)]
    for label, fields in _FIELDS.items():
        cells = [_cell(label, fields, change, words, glyphs, room) for _, change in ends]
        name = words[label]
        for parts in zip_longest(*cells, fillvalue=(" " * room, "none")):
            rows.append(line((f" {fit(name, _LABEL - 1)}", "dim"), *parts))
            name = ""
    return rows


def command_lines(scene: Scene, words: ScreenText, width: int, glyphs: Glyphs) -> list[Text]:
    """Return what `ss -tin` and `netstat -tan` show of the sockets on each host."""
    rows: list[Text] = []
    for command, shown in (("ss -tin", _told), ("netstat -tan", _netstat)):
        head = f" {command} "
        rule = f"{glyphs.rule(2)}{head}{glyphs.rule(width - cell_len(head) - 2)}"
        found = [
            (role, text)
            for role, sockets in zip(Role, scene.sockets, strict=True)
            for each in sockets
            for text in shown(each)
        ]
        if not found:
            continue
        rows.append(line((rule, "rule")))
        for role, text in found:
            name = f" {fit(words[str(role)], 10)} "
            rows += folded(line((name, str(role)), text), width)
    return rows


def _told(row: SsRow) -> Iterator[str]:
    if row.info:
        yield row.info


def _netstat(row: SsRow) -> Iterator[str]:
    state = _NETSTAT.get(row.state, row.state.replace("-", "_"))
    # It does not show the backlog.
    send_q = 0 if row.state == "LISTEN" else row.send_q
    yield f"tcp {row.recv_q:>5} {send_q:>5} {row.local:<19}{row.peer:<19}{state}"


def _cell(
    label: str,
    fields: tuple[str, ...],
    change: Change,
    words: ScreenText,
    glyphs: Glyphs,
    room: int,
) -> list[tuple[str, str]]:
    block = change.after
    shown = "" if block is None else _shown(label, block, words)
    if not shown:
        return [(fit(glyphs.dash, room), "dim")]
    new = change.before is None or bool(set(fields) & set(change.changed))
    mark, style = ("*", "changed") if new else ("", "field.value")
    return [(fit(each, room), style) for each in wrap(f"{mark}{shown}", room - 1)]


def _shown(label: str, block: ControlBlock, words: ScreenText) -> str:
    snd, rcv = block.snd, block.rcv
    match label:
        case "state":
            return str(block.state)
        case "local":
            return str(block.local) if block.local.port else ""
        case "peer":
            return "" if block.remote is None else str(block.remote)
        case "own_number":
            return "" if snd.iss is None else f"ISS {snd.iss}"
        case "sent":
            return "" if snd.iss is None else f"UNA {snd.una} NXT {snd.nxt}"
        case "peer_numbers":
            return "" if rcv.irs is None else f"IRS {rcv.irs} NXT {rcv.nxt}"
        case "peer_window":
            return "" if snd.wnd is None or rcv.irs is None else f"WND {snd.wnd}"
    if block.peer_offered is not None:
        return agreed_options(block)
    return "" if block.offered is None else f"{words['offers']} {offered(block.offered)}"


@dataclass(frozen=True)
class KnowsScreen:
    """The table on a screen of its own, with what commands show, and more on the step."""

    place: Place
    step: StepText
    words: ScreenText
    height: int
    glyphs: Glyphs = UNICODE

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield from self.lines(options.max_width)

    def lines(self, width: int) -> list[Text]:
        """Return as much as fits, the most important first."""
        scene, words, glyphs = self.place.scene, self.words, self.glyphs
        title = glyphs.spell(f" {self.place.index + 1}. {self.step.title}")
        rows = [line((fit(title, width, glyphs.ellipsis), "title"))]
        rows += knows_lines(self.place, words, width, glyphs)
        rows += command_lines(scene, words, width, glyphs)
        told = more(self.step, width, glyphs)
        if told:
            rows += [line((glyphs.rule(width), "rule")), *told]
        rows = rows[: self.height - 1]
        rows += [line()] * (self.height - 1 - len(rows))
        return [*rows, key_line(self.place, width, glyphs)]
