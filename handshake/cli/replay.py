"""`handshake replay`: steps through the handshakes of a saved capture."""

from __future__ import annotations

import gc
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, NamedTuple

import typer

from handshake.cli.exporting import Export, check_export, export_records, kept, say
from handshake.cli.parameters import (
    Ascii,
    Dedup,
    Json,
    Lang,
    MaxUnpacked,
    Plain,
    Reorder,
    language,
    octets,
)
from handshake.errors import CaptureError, UsageError
from handshake.escape import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from handshake.events import Step
    from handshake.replayer import Replay
    from handshake.survey import Records
    from handshake.survey.follow.step_log import StepLog
    from handshake.view.glyphs import Glyphs

_OFTEN: Final = 0.1
"""Seconds between two looks at how far reading has come."""


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
    export: Export = None,
    as_json: Json = False,
    plain: Plain = False,
    ascii_only: Ascii = False,
    lang: Lang = None,
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

    most, spoken = octets(max_unpacked, "--max-unpacked"), language(lang)
    signs = glyphs(spoken, ascii_only=ascii_only)
    if export is not None:
        given = {"--export": True, "--json": as_json, "--speed": speed is not None}
        if sum(given.values()) > 1:
            raise UsageError(
                "exclusive", options=[name for name, is_given in given.items() if is_given]
            )
        check_export(export)
        with kept([capture]) as (paths, named):
            found = records(*paths, dedup=dedup, reorder=reorder, max_unpacked=most)
            _export(found, capture, connection, export, named, spoken)
        return
    if connection is not None and _is_one(capture):
        style = _Manner(speed, signs, as_json=as_json, plain=plain)
        found = records(capture, dedup=dedup, reorder=reorder, max_unpacked=most)
        _replay_one(found, capture, connection, style)
        return
    spooled = is_spooled([capture], plain=plain)
    on_screen = spooled or is_interactive(plain=plain)
    if on_screen and not as_json and speed is None and _is_one(capture):
        read_all = partial(records, dedup=dedup, reorder=reorder, max_unpacked=most)
        _browse(read_all, capture, signs, spooled=spooled)
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
            _write_json(source)
        elif is_interactive(plain=plain):
            _play(source, speed, signs)
        else:
            _print_text(source, signs, plain=plain)
    finally:
        warn((each.at(source.name) for each in source.warnings), spoken)


def _export(
    source: Records,
    capture: str,
    connection: int | None,
    out: str,
    named: str | None,
    language: str,
) -> None:
    """Write all connections of a capture to a file, or one."""
    from handshake.cli.console import warn
    from handshake.cli.reading import followed
    from handshake.export.excerpt import steps_from

    try:
        with followed(source, language, held=True):
            found = list(source)
        if connection is not None:
            count = len(found)
            found = [each for each in found if each.stream + 1 == connection]
            if not found:
                name = named or capture
                raise UsageError("replay.connection", number=connection, capture=name, count=count)
        title = ""
        if len(found) != 1:
            name = printable(named or capture)
            title = f"Connections of {name}"
        read = steps_from(source)
        say(export_records(found, read, out, title=title, capture=named, language=language), out)
    finally:
        warn(source.warnings, language)


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
        warn([] if last is None else last.warnings, signs.language)
        return
    source = read(name)
    try:
        with followed(source, signs.language, held=True):
            open_list(source, [name], Listing, console(), signs, alone=True)
    finally:
        warn(source.warnings, signs.language)


class _Manner(NamedTuple):
    """How a connection is shown."""

    speed: float | None
    glyphs: Glyphs
    as_json: bool
    plain: bool


def _is_one(capture: str) -> bool:
    """Whether this can be read as one capture: a file, a pipe, standard input or a URL."""
    from handshake.capture.open import is_url

    path = Path(capture)
    return capture == "-" or is_url(capture) or (path.exists() and not path.is_dir())


def _replay_one(source: Records, name: str, number: int, style: _Manner) -> None:
    """Show one connection; the others are taken in bulk, as `list` does.

    The capture is read once, and no further than the connection's record needs.
    """
    from handshake.cli.console import console, is_interactive, show, warn
    from handshake.survey.follow.step_log import StepLog

    # As in `list`: there are no cycles to look for.
    gc.set_threshold(100_000, 50, 50)
    log, signs = StepLog(number - 1), style.glyphs
    screen = not style.as_json and is_interactive(plain=style.plain)
    try:
        if screen:
            _play_one(source, log, name, style.speed, signs)
        else:
            source.follow(log)
        if not log.steps:
            count = log.connections
            raise UsageError("replay.connection", number=number, capture=name, count=count)
        if style.as_json:
            _write_json(log.steps)
        elif not screen:
            from handshake.view.notation import Numbers
            from handshake.view.replay import Transcript

            out, (record, steps) = console(plain=style.plain), log.now()
            show(out, Transcript(record, steps, Numbers.of(steps), signs).lines(out.width))
    finally:
        warn(source.warnings, signs.language)


def _play_one(source: Records, log: StepLog, name: str, speed: float | None, signs: Glyphs) -> None:
    """Show a connection as soon as its first segments are read, and the others as they come."""
    from rich.text import Text

    from handshake.cli.background import Background
    from handshake.cli.console import console
    from handshake.cli.player import Player
    from handshake.cli.tui import run
    from handshake.cli.with_export import WithExport
    from handshake.cli.with_help import WithHelp

    # Loaded before it is needed in a hurry.
    import_module("handshake.view.replay")
    reading = Background(partial(source.follow, log))
    source.watch(reading.go_on)
    with reading:
        with console().status(Text(signs.say("list.reading", name=name))):
            while not (log.steps or reading.wait(_OFTEN)):
                pass
            # Of a small capture, the states that the ends had are known at once.
            reading.wait(_OFTEN)
        if log.steps:
            player = Player(name, [], speed, signs, growing=log)
            run(WithExport(WithHelp(player), signs), console(), mouse=True)
        reading.wait(0)


def _connections(source: Replay, language: str) -> list[list[Step]]:
    """Return the steps of each connection, in the order of their first segments."""
    found: dict[int, list[Step]] = {}
    for step in source:
        found.setdefault(step.stream, []).append(step)
    if not found:
        from handshake.cli.console import warn

        warn([CaptureError("list.no-tcp").at(source.name)], language)
    return list(found.values())


def _write_json(steps: Iterable[Step]) -> None:
    import json
    import sys

    from handshake.step_record import step_record

    for step in steps:
        sys.stdout.write(json.dumps(step_record(step)) + "\n")
        sys.stdout.flush()


def _print_text(source: Replay, signs: Glyphs, *, plain: bool) -> None:
    from handshake.cli.console import console, show
    from handshake.tracker import summarize_all
    from handshake.view.layout import line
    from handshake.view.notation import Numbers
    from handshake.view.replay import Transcript

    out = console(plain=plain)
    found = _connections(source, signs.language)
    records = summarize_all(source.tracker.connections)
    for number, steps in enumerate(found):
        if number:
            show(out, [line()])
        record = records[steps[0].stream]
        show(out, Transcript(record, steps, Numbers.of(steps), signs).lines(out.width))


def _play(source: Replay, speed: float | None, signs: Glyphs) -> None:
    from rich.text import Text

    from handshake.cli.console import console
    from handshake.cli.player import Player
    from handshake.cli.tui import run
    from handshake.cli.with_export import WithExport
    from handshake.cli.with_help import WithHelp
    from handshake.tracker import summarize_all

    # Thousands of packets take seconds: show that it is at work.
    with console().status(Text(signs.say("list.reading", name=source.name))):
        connections = _connections(source, signs.language)
    if connections:
        records = summarize_all(source.tracker.connections)
        found = [(records[each[0].stream], each) for each in connections]
        player = Player(source.name, found, speed, signs)
        run(WithExport(WithHelp(player), signs), console(), mouse=True)
