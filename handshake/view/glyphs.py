"""What screens are drawn with: their signs, Unicode or ASCII, and the language of their words."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Final

from handshake.messages import ENGLISH, entries, text, translated


@dataclass(frozen=True, slots=True)
class Glyphs:
    """A set of signs, and a language. Each sign is one column wide unless noted."""

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

    bars: str = " ▁▂▃▄▅▆▇█"
    """Nothing, little, ... much."""

    language: str = ENGLISH

    def say(self, code: str, /, **values: object) -> str:
        """Return the words of a screen."""
        return text("screens", code, values, self.language)

    def translated(self, english: str) -> str:
        """Return the words of an export, whose English stands in the code."""
        return translated(english, self.language, "export")

    def entries(self, code: str) -> list[tuple[str, str]]:
        """Return what a page of help explains: a key or a mark, and its meaning."""
        return [(self.spell(a), self.spell(b)) for a, b in entries("screens", code, self.language)]

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
        for each in fields(self):
            sign, own = getattr(UNICODE, each.name), getattr(self, each.name)
            if each.name == "bars":
                text = text.translate(str.maketrans(sign, own))
            elif each.name != "language" and sign != own:
                text = text.replace(sign, own)
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
    bars=" .:-=+*%#",
)
