"""Standard output: a console that interprets no markup, and whether it is a terminal.

rich is loaded where something is drawn: a list in a pipe does not need it.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from handshake.cli.stderr import tell
from handshake.messages import ENGLISH
from handshake.view.glyphs import ASCII, UNICODE, Glyphs

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.console import Console
    from rich.text import Text

    from handshake.errors import CaptureError

_SIGNS: Final = "─│╭▶→…"


def is_interactive(*, plain: bool = False) -> bool:
    """Whether standard input and output are a terminal that can show a screen."""
    # Not console.is_interactive: FORCE_COLOR makes that true in a pipe.
    capable = os.environ.get("TERM", "dumb") not in ("dumb", "unknown")
    return not plain and capable and sys.stdin.isatty() and sys.stdout.isatty()


def console(*, plain: bool = False) -> Console:
    """Return the console for standard output. It interprets no markup."""
    from rich.console import Console

    from handshake.view.theme import THEME

    terminal = sys.stdout.isatty() and not plain
    return Console(
        theme=THEME,
        markup=False,
        emoji=False,
        highlight=False,
        force_terminal=None if terminal else False,
        color_system="auto" if terminal else None,
    )


def show(out: Console, lines: Iterable[Text]) -> None:
    """Print lines as they come; into a pipe as plain text, which is faster.

    On a terminal a line that is too long goes on in the next, instead of being cut.
    """
    from handshake.view.layout import folded

    for each in lines:
        if out.is_terminal:
            for part in folded(each, out.width):
                out.print(part)
        else:
            out.file.write(f"{each.plain.rstrip()}\n")
    out.file.flush()


def show_whole(out: Console, lines: Iterable[Text]) -> None:
    """Print lines to be copied: a terminal breaks what is too long, and copies it as one line."""
    for each in lines:
        if out.is_terminal:
            out.print(each, soft_wrap=True)
        else:
            out.file.write(f"{each.plain}\n")
    out.file.flush()


def glyphs(language: str = ENGLISH, *, ascii_only: bool = False) -> Glyphs:
    """Return what to draw with: ASCII signs if requested, or if the encoding has no others."""
    signs = ASCII
    if not ascii_only:
        with suppress(UnicodeEncodeError, LookupError):
            _SIGNS.encode(sys.stdout.encoding or "ascii")
            signs = UNICODE
    return replace(signs, language=language)


def warn(warnings: Iterable[CaptureError], language: str = ENGLISH) -> None:
    """Print warnings on standard error, a line each."""
    for each in warnings:
        tell("warning", each.said(language), language)
