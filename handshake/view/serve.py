"""What `serve` shows: a line for each segment, the table of its connections, a summary."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Final, NamedTuple

from handshake.events import Role
from handshake.messages import ENGLISH, text
from handshake.tcp.control_block import state_text
from handshake.units import NS_PER_SECOND
from handshake.view.ladder import label_fields
from handshake.view.layout import fit, line
from handshake.view.notation import Numbers, headline, is_trouble
from handshake.view.theme import style_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.text import Text

    from handshake.endpoint.server import Server
    from handshake.events import Step
    from handshake.tcp import ControlBlock
    from handshake.view.glyphs import Glyphs

_STATE: Final = 12
_COLUMNS: Final = ("client", "state", "queue", "age", "iss", "snd", "wnd", "rcv")
_RIGHT: Final = ("age", "iss", "snd", "wnd", "rcv")
"""Columns of numbers."""


def said(code: str, language: str = ENGLISH, **values: object) -> str:
    """Return a sentence of `serve`."""
    return text("serve", code, values, language)


def clock(at: int) -> str:
    """Return a time of day, local, as tcpdump writes it."""
    moment = datetime.fromtimestamp(at // NS_PER_SECOND).astimezone()
    return f"{moment:%H:%M:%S}.{at % NS_PER_SECOND // 1000:06}"


def step_line(step: Step, numbers: Numbers, glyphs: Glyphs) -> Text:
    """Return a segment in a line: when, with which client, what, and both states after it."""
    client = step.client.after or step.client.before
    there = step.segment.source if step.by is Role.CLIENT else step.segment.destination
    sign = ">" if step.by is Role.CLIENT else "<"
    fields = "".join(label_fields(step, numbers).values())
    states = f"{state_text(client)} {state_text(step.server.after)}"
    return line(
        (clock(step.observed.at), "dim"),
        ("!" if is_trouble(step) else " ", "warn"),
        (str(there), "client"),
        f" {sign} ",
        (headline(step, glyphs), style_of(step.segment)),
        (fields, "dim"),
        "  ",
        (states, "state"),
    )


class Entry(NamedTuple):
    """A row of the table."""

    client: str
    state: str
    queue: str
    age: str
    iss: str
    snd: str
    wnd: str
    rcv: str


def entries(server: Server, now: int, language: str = ENGLISH) -> list[Entry]:
    """Return the half-open entries and the connections, each with its control block."""
    found = []
    for sock, queue, begun in server.entries():
        age = max(0, now - begun) / NS_PER_SECOND
        name = said(f"queue.{queue}", language)
        found.append(
            Entry(str(sock.remote), str(sock.state), name, f"{age:.1f} s", *_own(sock.block))
        )
    return found


def _own(block: ControlBlock) -> tuple[str, str, str, str]:
    snd, rcv = block.snd, block.rcv
    relative = ("-", "-", "-")
    if snd.iss is not None and snd.una is not None and snd.nxt is not None:
        ours = f"{snd.una - snd.iss}/{snd.nxt - snd.iss}"
        theirs = "-" if rcv.irs is None or rcv.nxt is None else str(rcv.nxt - rcv.irs)
        relative = (ours, "-" if snd.wnd is None else str(snd.wnd), theirs)
    return ("-" if snd.iss is None else str(snd.iss), *relative)


def table(
    rows: Sequence[Entry], width: int, room: int, signs: Glyphs, language: str = ENGLISH
) -> list[Text]:
    """Return the table in at most `room` lines, no wider than `width`; the newest rows stay."""
    heads = Entry(*(said(f"column.{each}", language) for each in _COLUMNS))
    shown = list(rows[-max(0, room - 1) :]) if len(rows) >= room else list(rows)
    widths = [max(len(each[at]) for each in (heads, *shown)) for at in range(len(_COLUMNS))]
    names = list(_COLUMNS)
    # On a narrow screen the columns on the right go first.
    while sum(widths[: len(names)]) + 2 * len(names) > width and len(names) > 2:
        names.pop()
    lines = []
    for row in (heads, *shown):
        cells = [
            each.rjust(size) if name in _RIGHT else fit(each, size, signs.ellipsis)
            for name, each, size in zip(names, row, widths, strict=False)
        ]
        style = "dim" if row is heads else "none"
        lines.append(line((fit(" " + "  ".join(cells), width, signs.ellipsis), style)))
    return lines


def summary(server: Server, language: str = ENGLISH) -> str:
    """Return what became of all connections, in a sentence."""
    kinds = [
        f"{count} {said(f'ended.{name}', language)}" for name, count in sorted(server.ended.items())
    ]
    queues = server.queues()
    half_open = queues["half-open"]
    return said(
        "summary",
        language,
        total=server.total,
        kinds=kinds,
        half_open=half_open,
        open=queues.total() - half_open,
    )
