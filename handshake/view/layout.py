"""Fits text into columns: a Hangul syllable takes two, so `len` is not the width."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.cells import cell_len, set_cell_size
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterable


def fit(text: str, width: int, ellipsis: str = "…") -> str:
    """Return text exactly `width` columns wide: padded with spaces, or cut with an ellipsis."""
    if cell_len(text) <= width:
        return text + " " * (width - cell_len(text))
    if width <= cell_len(ellipsis):
        return set_cell_size(text, width)
    return set_cell_size(text, width - cell_len(ellipsis)) + ellipsis


def centre(text: str, width: int, ellipsis: str = "…") -> str:
    """Return text centred in `width` columns."""
    spare = max(0, width - cell_len(text))
    return fit(" " * (spare // 2) + text, width, ellipsis)


def wrap(text: str, width: int, first: int = 0) -> list[str]:
    """Return text in lines of at most `width` columns; the first line has `first` fewer.

    Breaks at spaces. A word wider than a line is broken at the end of the line.
    """
    lines: list[str] = []
    line, room = "", width - first
    for word in text.split():
        while True:
            joined = f"{line} {word}" if line else word
            if cell_len(joined) <= room:
                line = joined
                break
            if line or room < width:
                lines.append(line)
                line, room = "", width
                continue
            head = set_cell_size(word, room).rstrip() or word[0]
            lines.append(head)
            word = word[len(head) :]
    lines.append(line)
    return lines


def line(*parts: str | tuple[str, str] | Text) -> Text:
    """Return one line of pieces, each plain or with a style; it never wraps."""
    return Text.assemble(*parts, no_wrap=True, overflow="crop")


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
