"""`handshake replay`: steps through the handshakes of a saved capture."""

from __future__ import annotations

import gc
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from handshake.cli.parameters import Ascii, Dedup, Json, MaxUnpacked, Plain, Reorder, octets
from handshake.errors import CaptureError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from handshake.events import Step
    from handshake.replayer import Replay
    from handshake.survey import Records
    from handshake.view.glyphs import Glyphs


def replay(
    capture: Annotated[
        str, typer.Argument(metavar="CAPTURE", help="A pcap or pcapng file; - is standard input.")
    ],
    connection: Annotated[
        int | None,
        typer.Option(
            metavar="N", min=1, help="Show only connection #N, as numbered on the screen."
        ),
    ] = None,
    speed: Annotated[
        float | None,
        typer.Option(metavar="X", help="Play in real time, X times faster."),
    ] = None,
    dedup: Dedup = False,
    reorder: Reorder = False,
    max_unpacked: MaxUnpacked = None,
    as_json: Json = False,
    plain: Plain = False,
    ascii_only: Ascii = False,
) -> None:
    """Step through the connections of a saved capture.

    Shows each segment with its header, what both sockets know before and after it, what it
    changed and why. In a pipe, prints all of it as text.
    """
    if speed is not None and not 0 < speed < float("inf"):
        raise UsageError("replay.speed", speed=f"{speed:g}")

    from handshake.cli.console import glyphs, is_interactive, warn
    from handshake.cli.open_list import is_spooled
    from handshake.diagnosis import Facts
    from handshake.replayer import replay as read
    from handshake.survey import records
    from handshake.tracker import Tracker

    most = octets(max_unpacked, "--max-unpacked")
    if connection is not None and Path(capture).is_file():
        style = _Manner(speed, as_json=as_json, plain=plain, ascii_only=ascii_only)
        found = records(capture, dedup=dedup, reorder=reorder, max_unpacked=most)
        _replay_one(found, capture, connection, style)
        return
    spooled = is_spooled([capture], plain=plain)
    on_screen = (spooled or is_interactive(plain=plain)) and not as_json
    if on_screen and speed is None and connection is None and not Path(capture).is_dir():
        read_all = partial(records, dedup=dedup, reorder=reorder, max_unpacked=most)
        _browse(read_all, capture, glyphs(ascii_only=ascii_only), spooled=spooled)
        return
    observers = () if as_json else (Facts,)
    source = read(
        capture,
        Tracker(observers=observers),
        dedup=dedup,
        reorder=reorder,
        hindsight=True,
        max_unpacked=most,
    )
    try:
        if as_json:
            _print_json(source, connection)
        elif is_interactive(plain=plain):
            _play(source, connection, speed, ascii_only=ascii_only)
        else:
            _print_text(source, connection, plain=plain, ascii_only=ascii_only)
    finally:
        warn(each.at(source.name) for each in source.warnings)


def _browse(read: Callable[[str], Records], name: str, signs: Glyphs, *, spooled: bool) -> None:
    """Step through the only connection of a capture, or list all of them."""
    from handshake.cli.console import console, warn
    from handshake.cli.listing import Listing
    from handshake.cli.open_list import open_growing, open_list
    from handshake.cli.reading import followed

    # As in `list`: there are no cycles to look for.
    gc.set_threshold(100_000, 50, 50)
    if spooled:
        last = open_growing(read, Listing, console(), signs)
        warn([] if last is None else last.warnings)
        return
    source = read(name)
    try:
        with followed(source, held=True):
            open_list(source, [name], Listing, console(), signs, alone=True)
    finally:
        warn(source.warnings)


class _Manner(NamedTuple):
    """How a connection is shown."""

    speed: float | None
    as_json: bool
    plain: bool
    ascii_only: bool


def _replay_one(source: Records, name: str, number: int, style: _Manner) -> None:
    """Show one connection of a file; the others are taken in bulk, as `list` does.

    The survey finds it, and reads no further than its record needs; then its own segments are read.
    """
    from handshake.cli.console import console, glyphs, is_interactive, show, warn

    record, count = None, 0
    try:
        for each in source:
            count += 1
            if each.stream == number - 1:
                record = each
                break
        if record is None:
            raise UsageError("replay.connection", number=number, capture=name, count=count)
        steps = source.steps(record)
        signs = glyphs(ascii_only=style.ascii_only)
        if style.as_json:
            _write_json(steps)
        elif is_interactive(plain=style.plain):
            from handshake.cli.player import Player
            from handshake.cli.tui import run
            from handshake.cli.with_help import WithHelp

            player = Player(name, [(record, steps)], style.speed, signs)
            run(WithHelp(player), console(), mouse=True)
        else:
            from handshake.view.notation import Numbers
            from handshake.view.replay import Transcript

            out = console(plain=style.plain)
            show(out, Transcript(record, steps, Numbers.of(steps), signs).lines(out.width))
    finally:
        warn(source.warnings)


def _chosen(source: Replay, connection: int | None) -> Iterator[Step]:
    """Yield the steps of one connection, or of all; raise UsageError if there is no such one."""
    for step in source:
        if connection is None or step.stream == connection - 1:
            yield step
    count = len(source.tracker.connections)
    if connection is not None and connection > count:
        raise UsageError("replay.connection", number=connection, capture=source.name, count=count)


def _connections(source: Replay, connection: int | None) -> list[list[Step]]:
    """Return the steps of each connection, in the order of their first segments."""
    found: dict[int, list[Step]] = {}
    for step in _chosen(source, connection):
        found.setdefault(step.stream, []).append(step)
    if not found:
        from handshake.cli.console import warn

        warn([CaptureError("list.no-tcp").at(source.name)])
    return list(found.values())


def _print_json(source: Replay, connection: int | None) -> None:
    _write_json(_chosen(source, connection))


def _write_json(steps: Iterable[Step]) -> None:
    import json
    import sys

    from handshake.step_record import step_record

    for step in steps:
        sys.stdout.write(json.dumps(step_record(step)) + "\n")
        sys.stdout.flush()


def _print_text(source: Replay, connection: int | None, *, plain: bool, ascii_only: bool) -> None:
    from handshake.cli.console import console, glyphs, show
    from handshake.tracker import summarize_all
    from handshake.view.layout import line
    from handshake.view.notation import Numbers
    from handshake.view.replay import Transcript

    out, signs = console(plain=plain), glyphs(ascii_only=ascii_only)
    found = _connections(source, connection)
    records = summarize_all(source.tracker.connections)
    for number, steps in enumerate(found):
        if number:
            show(out, [line()])
        record = records[steps[0].stream]
        show(out, Transcript(record, steps, Numbers.of(steps), signs).lines(out.width))


def _play(source: Replay, connection: int | None, speed: float | None, *, ascii_only: bool) -> None:
    from rich.text import Text

    from handshake.cli.console import console, glyphs
    from handshake.cli.player import Player
    from handshake.cli.tui import run
    from handshake.cli.with_help import WithHelp
    from handshake.escape import printable
    from handshake.tracker import summarize_all

    # Thousands of packets take seconds: show that it is at work.
    with console().status(Text(printable(f"reading {source.name}"))):
        connections = _connections(source, connection)
    if connections:
        records = summarize_all(source.tracker.connections)
        found = [(records[each[0].stream], each) for each in connections]
        player = Player(source.name, found, speed, glyphs(ascii_only=ascii_only))
        run(WithHelp(player), console(), mouse=True)
