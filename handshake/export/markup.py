"""Pieces of HTML: text, a table, a list. What they are given is text, and stays text."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from handshake.escape import printable

if TYPE_CHECKING:
    from collections.abc import Iterable


def as_text(text: str) -> str:
    """Return text as markup: nothing in it is taken for more, or hides what it says."""
    return escape(printable(text))


def as_table(headings: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Return a table of texts."""
    head = "".join(f'<th scope="col">{as_text(each)}</th>' for each in headings)
    body = "".join(
        f"<tr>{''.join(f'<td>{as_text(each)}</td>' for each in row)}</tr>" for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def as_items(parts: Iterable[str]) -> str:
    """Return a list of pieces of markup; nothing if there are none."""
    found = "".join(f"<li>{each}</li>" for each in parts)
    return f"<ul>{found}</ul>" if found else ""
