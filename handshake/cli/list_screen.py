"""The screen of the list: what a listing shows, with what the keys have made of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from handshake.view.browser import Browser, Preview
from handshake.view.prompt import Prompt
from handshake.view.round_trip import round_trip

if TYPE_CHECKING:
    from handshake.cli.line_editor import LineEditor
    from handshake.cli.listing import Listing
    from handshake.record import Record
    from handshake.view.glyphs import Glyphs
    from handshake.view.table import Table

_USUAL = ("open", "filter", "go", "sort", "next", "servers", "compare")
"""The keys that are named first."""


def list_screen(
    listing: Listing,
    table: Table,
    title: str,
    preview: Preview | None,
    *,
    marked: Record | None = None,
    doing: str = "",
    opening: bool = False,
    problem: str = "",
    editor: LineEditor | None = None,
) -> Browser:
    """Return the screen of a listing. `doing` is the name of what goes on, `reading`."""
    glyphs = table.glyphs
    return Browser(
        table=table,
        rows=listing.rows,
        selected=listing.selected,
        totals=listing.totals,
        title=title,
        state=_state(listing, marked, doing, glyphs),
        keys=_keys(listing, glyphs, opening=opening),
        preview=preview or Preview(),
        aside=_aside(listing, glyphs),
        captures=listing.captures,
        problem=problem,
        strip=listing.strip,
        prompt=None
        if editor is None
        else Prompt(editor.label, editor.text, editor.cursor, editor.choices),
    )


def _state(listing: Listing, marked: Record | None, doing: str, glyphs: Glyphs) -> str:
    say, count, every = glyphs.say, len(listing.rows), len(listing.all)
    parts = [
        say("list.filter", filter=listing.in_force or say("none")),
        say("list.sort", order=listing.order),
        say("list.shown", count=count, every=every if every != count else 0),
    ]
    if marked is not None:
        parts.append(say("list.marked", number=marked.stream + 1))
    if doing:
        parts.append(say(f"keys.{doing}", ellipsis=glyphs.ellipsis))
    return "   ".join(parts)


def _keys(listing: Listing, glyphs: Glyphs, *, opening: bool) -> list[str]:
    say = glyphs.say
    first = [say(f"keys.{each}") for each in _USUAL]
    if opening:
        first = [say("keys.reading", ellipsis=glyphs.ellipsis)]
    only = "all" if listing.problems_only else "only"
    return [*first, *(say(f"keys.{each}") for each in (only, "export", "mark", "help", "quit"))]


def _aside(listing: Listing, glyphs: Glyphs) -> str:
    """Return what the order asks about the chosen connection: why its round trip took so long."""
    current = listing.current
    if current is None or listing.order.lstrip("-") != "rtt":
        return ""
    return round_trip(current, listing.rtts_of(current), glyphs)
