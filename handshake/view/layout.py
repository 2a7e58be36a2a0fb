"""Fits text into columns: a Hangul syllable takes two, so `len` is not the width.

What cannot be printed is escaped before it is measured: screens show text from outside.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.cells import cell_len, set_cell_size
from rich.text import Span, Text

from handshake.escape import printable

if TYPE_CHECKING:
    from collections.abc import Iterable

_NARROWEST: Final = 12
"""The fewest columns for text: on a narrower screen it is cut off."""

_TITLE: Final = 30
"""The most columns of a file name in a title."""


def fit(text: str, width: int, ellipsis: str = "…") -> str:
    """Return text exactly `width` columns wide: padded with spaces, or cut with an ellipsis."""
    text = printable(text)
    if cell_len(text) <= width:
        return text + " " * (width - cell_len(text))
    if width <= cell_len(ellipsis):
        return set_cell_size(text, width)
    return set_cell_size(text, width - cell_len(ellipsis)) + ellipsis


def title_name(name: str, ellipsis: str = "…") -> str:
    """Return a file name for a title: a long one leaves room for what else the title tells."""
    return name if cell_len(name) <= _TITLE else fit(name, _TITLE, ellipsis)


def centre(text: str, width: int, ellipsis: str = "…") -> str:
    """Return text centred in `width` columns."""
    text = printable(text)
    spare = max(0, width - cell_len(text))
    return fit(" " * (spare // 2) + text, width, ellipsis)


def wrap(text: str, width: int, first: int = 0) -> list[str]:
    """Return text in lines of at most `width` columns; the first line has `first` fewer.

    Breaks at spaces. A word wider than a line is broken at the end of the line.
    """
    width = max(1, width)
    lines: list[str] = []
    line, room = "", width - first
    for word in printable(text.replace("\n", " ")).split():
        while True:
            joined = f"{line} {word}" if line else word
            if cell_len(joined) <= room:
                line = joined
                break
            if line or room < width:
                lines.append(line)
                line, room = "", width
                continue
            *whole, line = _pieces(word, width)
            lines += whole
            break
    lines.append(line)
    return lines


def _pieces(word: str, width: int) -> list[str]:
    """Return a word in pieces of at most `width` columns, or one character."""
    pieces, begin, taken = [], 0, 0
    for at, char in enumerate(word):
        cells = cell_len(char)
        if taken + cells > width and at > begin:
            pieces.append(word[begin:at])
            begin, taken = at, 0
        taken += cells
    return [*pieces, word[begin:]]


def line(*parts: str | tuple[str, str] | Text) -> Text:
    """Return one line of pieces, each plain or with a style; it never wraps."""
    # For speed not Text.assemble, which searches each piece for control codes once more.
    plain: list[str] = []
    spans: list[Span] = []
    at = 0
    for part in parts:
        if isinstance(part, Text):
            text = part.plain
            if part.style:
                spans.append(Span(at, at + len(text), part.style))
            spans += [each.move(at) for each in part.spans]
        elif isinstance(part, str):
            text = printable(part)
        else:
            text = printable(part[0])
            spans.append(Span(at, at + len(text), part[1]))
        plain.append(text)
        at += len(text)
    return Text("".join(plain), spans=spans, no_wrap=True, overflow="crop")


def paragraph(text: str, width: int, style: str) -> list[Text]:
    """Return text in lines of a style that begin with a space, however narrow the screen is."""
    return [line((f" {each}", style)) for each in wrap(text, max(_NARROWEST, width - 2))]


def folded(row: Text, width: int, indent: int = 4) -> list[Text]:
    """Return a line in lines of at most `width` columns, all but the first indented.

    Breaks at spaces, and a word wider than a line at the end of the line, as `wrap` does.
    """
    if row.cell_len <= width:
        return [row]
    indent = max(0, min(indent, width // 2))
    lines: list[Text] = []
    rest, begin = row, 0
    while rest.cell_len > width - begin:
        at = _break(rest.plain, max(1, width - begin))
        lines.append(line(" " * begin, rest[:at]))
        rest = rest[at + len(rest.plain[at:]) - len(rest.plain[at:].lstrip(" ")) :]
        begin = indent
    if rest.plain:
        lines.append(line(" " * begin, rest))
    for each in lines:
        each.rstrip()
    return lines


def _break(text: str, width: int) -> int:
    """Return where to break a text that is wider than `width` columns."""
    fits = taken = 0
    for char in text:
        taken += cell_len(char)
        if taken > width:
            break
        fits += 1
    at = text.rfind(" ", 0, fits + 1)
    return at if text[: max(0, at)].strip() else max(1, fits)


def cropped(lines: Iterable[Text], width: int) -> list[Text]:
    """Return lines exactly `width` columns wide, so that text can be put beside them."""
    out = []
    for each in lines:
        each = each.copy()
        if each.cell_len > width:
            each.truncate(width)
        each.append(" " * (width - each.cell_len))
        out.append(each)
    return out
