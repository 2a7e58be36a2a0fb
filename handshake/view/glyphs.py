"""The signs that screens are drawn with: Unicode or ASCII."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Final


@dataclass(frozen=True, slots=True)
class Glyphs:
    """A set of signs. Each is one column wide unless noted."""

    horizontal: str = "─"
    vertical: str = "│"
    top_left: str = "╭"
    top_right: str = "╮"
    bottom_left: str = "╰"
    bottom_right: str = "╯"
    tee_down: str = "┬"
    tee_up: str = "┴"
    tee_right: str = "├"
    tee_left: str = "┤"
    crossing: str = "┼"

    right_head: str = "▶"
    left_head: str = "◀"
    lost: str = "╳"
    """A segment was lost."""

    becomes: str = "→"
    """From one value to the next; two columns in ASCII."""

    left: str = "←"
    """The key; two columns in ASCII."""

    up: str = "↑"
    down: str = "↓"

    done: str = "●"
    here: str = "◉"
    coming: str = "○"

    check: str = "✓"
    cross: str = "✗"
    dash: str = "—"
    """Unknown."""

    dot: str = "·"
    """Between items of a list."""

    ellipsis: str = "…"
    """Something was cut off; two columns in ASCII."""

    def right_arrow(self, width: int, *, lost: bool = False) -> str:
        """Return an arrow to the right, `width` columns long; `lost`: it does not arrive."""
        return self.horizontal * (width - 1) + (self.lost if lost else self.right_head)

    def left_arrow(self, width: int, *, lost: bool = False) -> str:
        """Return an arrow to the left, `width` columns long; `lost`: it does not arrive."""
        return (self.lost if lost else self.left_head) + self.horizontal * (width - 1)

    def rule(self, width: int) -> str:
        """Return a line, `width` columns long."""
        return self.horizontal * width

    def spell(self, text: str) -> str:
        """Return text with each Unicode sign replaced by this set's."""
        if self == UNICODE:
            return text
        for each in fields(self):
            text = text.replace(getattr(UNICODE, each.name), getattr(self, each.name))
        return text


UNICODE: Final = Glyphs()

ASCII: Final = Glyphs(
    horizontal="-",
    vertical="|",
    top_left="+",
    top_right="+",
    bottom_left="+",
    bottom_right="+",
    tee_down="+",
    tee_up="+",
    tee_right="+",
    tee_left="+",
    crossing="+",
    right_head=">",
    left_head="<",
    lost="X",
    becomes="->",
    left="<-",
    up="^",
    down="v",
    done="#",
    here="@",
    coming=".",
    check="+",
    cross="x",
    dash="-",
    dot=".",
    ellipsis="..",
)
