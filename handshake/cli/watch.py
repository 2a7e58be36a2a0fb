"""`handshake watch`: handshakes on this machine as they happen."""

from __future__ import annotations

import os
import sys
from collections import deque
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from handshake.cli.parameters import HiddenAscii, HiddenLang, HiddenPlain, language, octets
from handshake.cli.selection import Selection
from handshake.errors import UsageError
from handshake.export.json_line import json_line

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console

    from handshake.capture.pcapng_writer import PcapngWriter
    from handshake.packet.frame import Frame
    from handshake.record import Record
    from handshake.view.glyphs import Glyphs
    from handshake.view.record_lines import RecordLines
    from handshake.watcher import FrameSource, LiveWatch, News, PipeSource

EXIT_CODES = """
Exit codes:
  0    the pipe has ended, or --count handshakes were seen
  2    wrong usage, or the pipe holds no capture
  3    could not run: no privilege
  130  interrupted (SIGINT): the usual end
"""

_OFTEN = 0.1
"""Seconds to wait for packets at a time."""

_LEAST_BUFFER = 2 << 20

_REMEMBERED = 500
"""Rows on a terminal that the columns of the next ones suit, too."""

_WHAT = "What to watch"
_WHICH = "Which connections"
_OUTPUT = "Output"


def watch(
    filter_text: Annotated[
        str | None,
        typer.Argument(
            metavar="FILTER",
            help="host ADDRESS, net ADDRESS/BITS, port N, joined by and; or as tcpdump has it.",
        ),
    ] = None,
    interface: Annotated[
        str | None,
        typer.Option(
            "-i", "--interface", metavar="NAME", rich_help_panel=_WHAT, help="Default: all."
        ),
    ] = None,
    read: Annotated[
        str | None,
        typer.Option(
            "-r",
            "--read",
            metavar="-|FILE",
            rich_help_panel=_WHAT,
            help="Follow a capture that arrives: tcpdump -w -.",
        ),
    ] = None,
    promiscuous: Annotated[
        bool,
        typer.Option(
            "--promiscuous",
            rich_help_panel=_WHAT,
            hidden=True,
            help="Receive what is for other machines, too; needs -i.",
        ),
    ] = False,
    buffer: Annotated[
        str,
        typer.Option(
            metavar="SIZE",
            rich_help_panel=_WHAT,
            hidden=True,
            help="The kernel's room for packets that wait.",
        ),
    ] = "32M",
    wanted: Annotated[
        str | None,
        typer.Option(
            "--filter",
            metavar="EXPR",
            rich_help_panel=_WHICH,
            help="By the keys of list: 'rtt > 200ms', refused.",
        ),
    ] = None,
    problems: Annotated[
        bool,
        typer.Option("--problems", rich_help_panel=_WHICH, help="Those with problems."),
    ] = False,
    count: Annotated[
        int | None,
        typer.Option(
            "-c",
            "--count",
            metavar="N",
            min=1,
            rich_help_panel=_WHICH,
            help="End after N of them.",
        ),
    ] = None,
    max_connections: Annotated[
        int,
        typer.Option(
            metavar="N",
            min=1,
            rich_help_panel=_WHICH,
            hidden=True,
            help="Follow at most N at a time; the others are counted.",
        ),
    ] = 100_000,
    write: Annotated[
        str | None,
        typer.Option(
            "-w",
            "--write",
            metavar="FILE",
            rich_help_panel=_OUTPUT,
            help="Write all packets, too (pcapng).",
        ),
    ] = None,
    as_json: Annotated[
        bool,
        typer.Option("--json", rich_help_panel=_OUTPUT, help="Print one JSON object per line."),
    ] = False,
    lines: Annotated[
        bool,
        typer.Option(
            "--lines", rich_help_panel=_OUTPUT, help="A line a handshake instead of the table."
        ),
    ] = False,
    plain: HiddenPlain = False,
    ascii_only: HiddenAscii = False,
    lang: HiddenLang = None,
) -> None:
    """Show handshakes on this machine as they complete or fail.

    On a terminal a live table, open connections on top: Enter follows one. Else a line a handshake,
    or with --json the record of each connection once it is over. Needs CAP_NET_RAW, except with -r.
    """
    from handshake.cli import privileges
    from handshake.cli.console import glyphs
    from handshake.linux.capture_filter import compiled
    from handshake.linux.capture_socket import HEADERS, WHOLE, CaptureSocket, check_interface
    from handshake.view.columns import file_name
    from handshake.watcher import LiveWatch

    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    selection = Selection(wanted, None, problems=problems)
    spoken = language(lang)
    _check(interface, read, filter_text, promiscuous=promiscuous)
    if as_json and write == "-":
        raise UsageError("exclusive", options=["--json", "-w -"])
    room = octets(buffer, "--buffer") or 0
    wanted_lines = as_json or lines or count is not None or write == "-"
    in_table = not wanted_lines and _has_keys(read, plain=plain)
    with ExitStack() as stack:
        writer = None
        if write is not None:
            from handshake.capture.pcapng_writer import opened

            writer = stack.enter_context(opened(write, link_layers=True))
            stack.callback(writer.end_frames)
        source: FrameSource
        if read is not None:
            source = _pipe(read)
        else:
            if interface is not None:
                check_interface(interface)
            program = compiled(filter_text, HEADERS if write is None else WHOLE)
            source = stack.enter_context(
                closing(
                    CaptureSocket(
                        interface,
                        program,
                        promiscuous=promiscuous,
                        ring=max(room, _LEAST_BUFFER),
                    )
                )
            )
            # It loads what takes long, before packets wait.
            needed = (*privileges.WATCH, *privileges.TABLE) if in_table else privileges.WATCH
            privileges.drop(spoken, needed)
        keep = None if writer is None else _keep(source, writer)
        # Only lines are printed when a handshake is decided.
        told = not (as_json or in_table)
        watcher = LiveWatch(source, most=max_connections, keep=keep, handshakes=told)
        style = _WatchStyle(as_json, plain, ascii_only, spoken, quiet=write == "-")
        place = file_name(read) if read else interface
        if in_table:
            _show_table(watcher, selection, style, place, filter_text)
        else:
            signs = glyphs(ascii_only=ascii_only, language=spoken)
            place = place or signs.say("watch.everything")
            _run(watcher, selection, style, count, place)


def _check(
    interface: str | None, read: str | None, filter_text: str | None, *, promiscuous: bool
) -> None:
    """Raise UsageError for options that exclude each other."""
    if read is not None:
        if interface is not None:
            raise UsageError("exclusive", options=["-i", "-r"])
        if filter_text is not None:
            raise UsageError("watch.read-filter")
    if promiscuous and interface is None:
        raise UsageError("watch.promiscuous")


def _pipe(name: str) -> PipeSource:
    from handshake.capture.open import read
    from handshake.watcher import PipeSource

    return PipeSource(read(name))


def _keep(source: FrameSource, writer: PcapngWriter) -> Callable[[list[Frame]], None]:
    """Return what writes frames to a file."""
    return lambda frames: writer.frames(source.interfaces(), frames)


@dataclass(frozen=True)
class _WatchStyle:
    """How it is printed."""

    as_json: bool
    plain: bool
    ascii_only: bool
    language: str
    quiet: bool = False
    """Whether standard output takes the packets."""


def _run(
    watcher: LiveWatch, selection: Selection, style: _WatchStyle, most: int | None, place: str
) -> None:
    """Watch until the source ends, `most` were printed and no more, or a signal ends it."""
    from handshake.linux.signals import signals_blocked

    report = _Report(watcher, style)
    shows = _shows(selection, style)
    left = most
    try:
        report.begin(place)
        while not watcher.source.ended and left != 0:
            # A signal waits until what was read is printed.
            with signals_blocked():
                shown = shows(watcher.round(_OFTEN), left)
                left = None if left is None else left - shown
                report.told()
    finally:
        with signals_blocked():
            shows(watcher.end(), left)
            report.end()


def _has_keys(read: str | None, *, plain: bool) -> bool:
    """Whether there is a terminal for a table and its keys."""
    from handshake.cli.console import is_interactive
    from handshake.cli.open_list import is_spooled

    return is_spooled(["-"], plain=plain) if read == "-" else is_interactive(plain=plain)


def _show_table(
    watcher: LiveWatch,
    selection: Selection,
    style: _WatchStyle,
    place: str | None,
    words: str | None,
) -> None:
    """Show the connections in a table until it is left."""
    from handshake.cli.console import console, glyphs
    from handshake.cli.live_list import LiveList
    from handshake.cli.open_list import open_live

    signs = glyphs(ascii_only=style.ascii_only, language=style.language)
    watched = f"{place or signs.say('watch.everything')}{f'  {words}' if words else ''}"
    try:
        listing = selection.listed([], live=True)
        open_live(LiveList(watcher, watched), listing, console(), signs, piped=place == "-")
    finally:
        watcher.rest()
        _Report(watcher, style).end()


def _shows(selection: Selection, style: _WatchStyle) -> Callable[[News, int | None], int]:
    """Return what prints of news as many as are left, and returns how many."""
    if style.quiet:
        return lambda news, left: len(news.handshakes[:left])
    if style.as_json:
        return partial(_print_json, selection)
    from handshake.cli.console import console, glyphs
    from handshake.view.record_lines import RecordLines

    signs = glyphs(ascii_only=style.ascii_only, language=style.language)
    if sys.stdout.isatty() and not style.plain:
        return partial(_print_rows, selection, _Rows(console(), signs))
    lines = RecordLines(glyphs=signs)
    sys.stdout.write(f"{lines.heading()}\n")
    sys.stdout.flush()
    return partial(_print_lines, selection, lines)


def _print_json(selection: Selection, news: News, left: int | None) -> int:
    """Print the record of each connection that is over."""
    found = [json_line(each) for each in news.over if selection.has(each)][:left]
    _print(found)
    return len(found)


def _print_lines(selection: Selection, lines: RecordLines, news: News, left: int | None) -> int:
    """Print a line for each handshake."""
    found = [lines.row(each) for each in news.handshakes if selection.has(each)][:left]
    _print(found)
    return len(found)


class _Rows:
    """Rows that fit the terminal, with headings wherever their columns have become others."""

    def __init__(self, console: Console, signs: Glyphs) -> None:
        self._console, self._signs = console, signs
        self._last: deque[Record] = deque(maxlen=_REMEMBERED)
        """The columns suit all of these."""

        self._heading = ""

    def show(self, records: list[Record]) -> None:
        """Print a row for each record."""
        from handshake.cli.console import show
        from handshake.view.table import Table

        self._last.extend(records)
        table = Table(self._last, self._console.width, self._signs)
        heading = table.heading()
        changed, self._heading = heading.plain != self._heading, heading.plain
        show(self._console, [*([heading] if changed else []), *map(table.row, records)])


def _print_rows(selection: Selection, rows: _Rows, news: News, left: int | None) -> int:
    """Print a row for each handshake, as `list` has them on a terminal."""
    found = [each for each in news.handshakes if selection.has(each)][:left]
    if found:
        rows.show(found)
    return len(found)


def _print(lines: list[str]) -> None:
    if lines:
        sys.stdout.write("".join(f"{each}\n" for each in lines))
        sys.stdout.flush()


class _Report:
    """Says on standard error what was lost or left out, and at the end how much was seen."""

    def __init__(self, watcher: LiveWatch, style: _WatchStyle) -> None:
        self._watcher, self._style = watcher, style
        self._lost = self._left_out = 0

    def begin(self, place: str) -> None:
        """Say that it has begun."""
        self._tell("watching", place=place)

    def told(self) -> None:
        """Say what was lost since the last time."""
        watcher = self._watcher
        if watcher.source.lost > self._lost:
            self._lost = watcher.source.lost
            self._tell("lost", count=self._lost)
        if watcher.left_out > self._left_out:
            self._left_out = watcher.left_out
            self._tell("left-out", count=self._left_out)

    def end(self) -> None:
        """Say how much was seen, and what is wrong with it."""
        from handshake.cli.console import warn

        watcher = self._watcher
        self._tell("summary", packets=watcher.packets, lost=watcher.source.lost)
        warn(watcher.source.warnings, self._style.language)

    def _tell(self, code: str, **values: object) -> None:
        from handshake.messages import text

        print(text("watch", code, values, self._style.language), file=sys.stderr)  # noqa: T201
