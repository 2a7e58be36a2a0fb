"""Opens the list of connections on a terminal, once captures are read or while they are."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING

from handshake.cli.stderr import tell

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from rich.console import Console

    from handshake.cli.listing import Listing
    from handshake.cli.live_list import LiveList
    from handshake.record import Record
    from handshake.survey import Records
    from handshake.view.glyphs import Glyphs

    Listed = Callable[[Sequence[Record]], Listing]


@contextmanager
def terminal_for_keys() -> Iterator[int | None]:
    """Yield a descriptor of the terminal, where standard input is none; None if there is none."""
    try:
        terminal = os.open("/dev/tty", os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        yield None
        return
    try:
        yield terminal
    finally:
        os.close(terminal)


def is_spooled(captures: Sequence[str], *, plain: bool) -> bool:
    """Whether the only capture is standard input, and the screen is a terminal that has keys."""
    capable = os.environ.get("TERM", "dumb") not in ("dumb", "unknown")
    if plain or not capable or list(captures) != ["-"] or sys.stdin.isatty():
        return False
    if not sys.stdout.isatty():
        return False
    with terminal_for_keys() as terminal:
        return terminal is not None


def open_list(
    source: Records,
    captures: Sequence[str],
    listed: Listed,
    console: Console,
    signs: Glyphs,
    *,
    alone: bool = False,
) -> None:
    """Read captures and list their connections; `alone`: if there is only one, step through it."""
    from handshake.cli.background import Background
    from handshake.cli.browse import ListBrowser
    from handshake.cli.keyboard import unechoed
    from handshake.cli.listing import title
    from handshake.cli.player import Player
    from handshake.cli.step_reader import StepReader
    from handshake.cli.tui import run
    from handshake.cli.with_export import WithExport
    from handshake.cli.with_help import WithHelp

    with unechoed():
        found = list(source)
    if not found:
        return
    if alone and len(found) == 1:
        reader = StepReader(source, signs.language)
        log = reader.open(found[0])
        while not (log.steps or log.ended):
            reader.wait()
        reader.wait()
        if log.steps:
            log.record = log.record or found[0]
            player = Player(captures[0], [], None, signs, growing=log)
            run(WithExport(WithHelp(player), signs), console, mouse=True)
        elif known := reader.preview(found[0]):
            tell("error", known.problem, signs.language)
        return
    listing = listed(found)
    browser = ListBrowser(source, listing, title(found, captures, signs), signs)
    sorting = Background(lambda: listing.sort_ahead(sorting.go_on))
    with sorting:
        run(WithExport(WithHelp(browser), signs), console, mouse=True)


def open_growing(
    read: Callable[[str], Records], listed: Listed, console: Console, signs: Glyphs
) -> Records | None:
    """List the connections of standard input while it arrives; return what was read last."""
    from handshake.cli.browse import ListBrowser
    from handshake.cli.spool import Spool
    from handshake.cli.tui import run
    from handshake.cli.with_export import WithExport
    from handshake.cli.with_help import WithHelp

    with terminal_for_keys() as terminal, Spool(read) as spool:
        browser = ListBrowser(spool, listed([]), spool.title([], signs), signs, growing=spool)
        run(WithExport(WithHelp(browser), signs), console, keys_from=terminal, mouse=True)
        return spool.source


def open_live(
    live: LiveList, listing: Listing, console: Console, signs: Glyphs, *, piped: bool
) -> None:
    """List connections while they are watched; `piped`: standard input has packets, and no keys."""
    from handshake.cli.browse import ListBrowser
    from handshake.cli.tui import run
    from handshake.cli.with_export import WithExport
    from handshake.cli.with_help import WithHelp

    with terminal_for_keys() if piped else nullcontext() as terminal, live:
        browser = ListBrowser(live, listing, live.title([], signs), signs, growing=live)
        run(WithExport(WithHelp(browser), signs), console, keys_from=terminal, mouse=True)
