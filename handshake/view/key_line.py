"""The line of keys at the foot of a screen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.cells import cell_len

from handshake.view.layout import fit, line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.text import Text

    from handshake.view.glyphs import Glyphs

_ALWAYS: Final = 2
"""How many of the last keys are always shown: help, and how to leave."""


def key_line(keys: Sequence[str], width: int, glyphs: Glyphs) -> Text:
    """Return keys in one line; where there is no room the least important are left out."""
    first, last = list(keys[:-_ALWAYS]), keys[-_ALWAYS:]
    while first and cell_len("  ".join([*first, *last])) > width - 1:
        first.pop()
    return line((fit(f" {'  '.join([*first, *last])}", width, glyphs.ellipsis), "key"))
