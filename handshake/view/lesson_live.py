"""What a real kernel did in a scene of a lesson: its segment, its `ss`, and each difference."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from rich.cells import cell_len

from handshake.events import Role
from handshake.lessons import Moment
from handshake.tcp import Flags
from handshake.units import NS_PER_MS, NS_PER_SECOND
from handshake.view.layout import fit, line, wrap
from handshake.view.lesson_box import options_of
from handshake.view.theme import style_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.text import Text

    from handshake.lessons import Scene, ScreenText
    from handshake.lessons.live_event import LiveEvent, LiveScene
    from handshake.lessons.ss import SsRow
    from handshake.view.glyphs import Glyphs

_HEAD: Final = 12
_TIME: Final = 10
_STATE: Final = 10
_MOST_ROWS: Final = 5
"""Lines of `ss` for one host: a flood fills more."""


def ss_lines(
    scene: Scene, words: ScreenText, width: int, glyphs: Glyphs, live: LiveScene | None = None
) -> list[Text]:
    """Return what `ss -tan` shows of the sockets on each host, below a rule.

    With what real hosts did, each line is marked: the kernel's is the same, or stands below it.
    """
    title = " ss -tan "
    rule = f"{glyphs.rule(2)}{title}{glyphs.rule(width - cell_len(title) - 2)}"
    rows = [line((rule, "rule"))]
    real = None if live is None or live.event is None else live.event.sockets
    for number, role in enumerate(Role):
        said = scene.sockets[number]
        head = words[str(role)]
        seen = said if real is None else real[number]
        mark = "" if real is None else glyphs.check if seen == said else glyphs.cross
        for each in _printed(said, words):
            rows.append(_ss_line((head, str(role)), each, width, glyphs, mark))
            head = ""
        if seen != said:
            head = words["live_kernel"]
            for each in _printed(seen, words):
                rows.append(_ss_line((head, "bad"), each, width, glyphs, ""))
                head = ""
    return rows


def live_lines(
    scene: Scene, live: LiveScene, words: ScreenText, width: int, glyphs: Glyphs
) -> list[Text]:
    """Return what the kernel sent in a scene, and in what that differs from the lesson."""
    head = f" {fit(words['live_kernel'], _HEAD - 2)} "
    if live.event is None:
        rows = wrap(glyphs.spell(_nothing(scene, live, words)), width - _HEAD - 1)
        return [line((head if not n else " " * _HEAD, "warn"), row) for n, row in enumerate(rows)]
    lines = _happened(head, scene, live, words, width, glyphs)
    for each in live.returned:
        what = _called(each, words)
        lines.append(line(" " * _HEAD, fit(glyphs.spell(what), width - _HEAD, glyphs.ellipsis)))
    for name, said, sent in live.differences:
        if not name.startswith("ss "):
            item = words.labels.get(name) or words[f"live_{name}"]
            values = {"lesson": said or glyphs.dash, "kernel": sent or glyphs.dash}
            what = f"{glyphs.cross} {words['live_differs'].format(item=item, **values)}"
            rows = wrap(glyphs.spell(what), width - _HEAD - 1)
            lines += [line(" " * _HEAD, (row, "bad")) for row in rows]
    for each in live.unexpected:
        if each.segment is not None:
            what = f"{words['live_besides']} {_segment(each)}"
            lines.append(line(" " * _HEAD, (f"{glyphs.cross} {glyphs.spell(what)}", "bad")))
    return lines


def _nothing(scene: Scene, live: LiveScene, words: ScreenText) -> str:
    """Return why there is nothing to show."""
    if live.problem is not None:
        return words["live_off"].format(why=live.problem.said(words.language))
    if live.waits:
        times = {"of": f"{scene.at / NS_PER_SECOND:.3g}", "seconds": f"{live.seconds:.0f}"}
        return words["live_waits"].format(**times)
    return words["live_missing"]


def _happened(
    head: str, scene: Scene, live: LiveScene, words: ScreenText, width: int, glyphs: Glyphs
) -> list[Text]:
    event = live.event
    assert event is not None
    same = not live.differences and not live.unexpected
    mark, good = (glyphs.check, "ok") if same else (glyphs.cross, "bad")
    what, style = words.called(replace(scene, error=event.error or scene.error)), "none"
    if event.segment is not None:
        what, style = _segment(event), style_of(event.segment)
        if event.moment in (Moment.LOST, Moment.REJECTED):
            what = f"{what} {glyphs.lost}"
    room = width - _HEAD - 2
    first, *rest = wrap(glyphs.spell(f"{event.at / NS_PER_MS:.1f} ms  {what}"), room)
    shown = line((head, good), (fit(first, room), style), f" {mark}")
    return [shown, *(line(" " * _HEAD, (each, style)) for each in rest)]


def _segment(event: LiveEvent) -> str:
    seg = event.segment
    if seg is None:
        return ""
    shown = f"{seg.flags & ~Flags.PSH} seq={seg.seq}"
    shown += "" if seg.ack is None else f" ack={seg.ack}"
    shown += f" win={seg.window}"
    shown += f" data={seg.payload_length}" if seg.payload_length else ""
    return f"{shown} {options_of(seg)}" if seg.syn else shown


def _printed(rows: Sequence[SsRow], words: ScreenText) -> list[str]:
    shown = [str(each) for each in rows[:_MOST_ROWS]] or [words["no_line"]]
    left = len(rows) - len(shown)
    return [*shown, words["more_rows"].format(count=left)] if left > 0 else shown


def _ss_line(head: tuple[str, str], text: str, width: int, glyphs: Glyphs, mark: str) -> Text:
    name, style = head
    shown = fit(glyphs.spell(text), width - _HEAD - 2)
    return line((f" {fit(name, _HEAD - 2)} ", style), shown, f" {mark}" if mark else "")


def aside_lines(
    events: Sequence[LiveEvent], words: ScreenText, width: int, glyphs: Glyphs
) -> list[Text]:
    """Return a ladder of what two real hosts did: what was sent, and which calls returned."""
    gap = width - _TIME - 2 * _STATE - 2
    client, server = words["client"], words["server"]
    rows = [line(" " * _TIME, (fit(client, _STATE), "client"), " " * (gap + 2), (server, "server"))]
    for each in sorted(events, key=lambda event: event.at):
        if each.segment is not None and each.moment is Moment.LEAVES:
            between = _arrow(each, gap, glyphs)
        elif each.result or each.name == "connect":
            text = _called(each, words)
            between = line((fit(glyphs.spell(text), gap, glyphs.ellipsis), "key"))
        else:
            continue
        states = [rows[-1].state if rows else "" for rows in each.sockets]
        rows.append(
            line(
                f"{each.at / NS_PER_MS:>{_TIME - 2}.2f}  ",
                fit(states[0], _STATE),
                between,
                "  ",
                fit(states[1], _STATE),
            )
        )
    return rows


def _called(event: LiveEvent, words: ScreenText) -> str:
    if not event.result:
        return words.calls["connect"]
    return words["live_returned"].format(
        call=event.name.removesuffix("-returns").removeprefix("server-"),
        result=event.result,
        ms=f"{event.at / NS_PER_MS:.2f}",
    )


def _arrow(event: LiveEvent, width: int, glyphs: Glyphs) -> Text:
    seg = event.segment
    assert seg is not None
    label = f" {seg.flags & ~Flags.PSH} seq={seg.seq}"
    label += "" if seg.ack is None else f" ack={seg.ack}"
    label += f" data={seg.payload_length} " if seg.payload_length else " "
    rest = width - cell_len(label) - 2
    two = glyphs.rule(2)
    arrow = f"{two}{label}{glyphs.right_arrow(rest)}"
    if event.by is Role.SERVER:
        arrow = f"{glyphs.left_arrow(rest)}{label}{two}"
    return line((fit(arrow, width), style_of(seg)))
