"""A line that is typed at the foot of a screen, with its cursor and what Tab found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from rich.cells import cell_len
from rich.console import Group

from handshake.view.layout import fit, line, paragraph

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import RenderableType
    from rich.text import Text

    from handshake.view.glyphs import Glyphs


_GAP: Final = 2
"""The least room between what is typed and the keys."""


@dataclass(frozen=True)
class Prompt:
    """A line while it is typed."""

    kind: str
    """What is asked for: `filter`, by the name of its label."""

    text: str
    cursor: int
    """Where the next character goes, from 0."""

    choices: Sequence[str] = ()
    """Words that complete the one before the cursor."""

    endings: Sequence[str] = ()
    """How the name of a file may end."""

    def lines(self, width: int, glyphs: Glyphs) -> list[Text]:
        """Return the choices, if there are any, and the line with its cursor and its keys."""
        label = f" {glyphs.say(f'prompt.{self.kind}')}: "
        room = max(1, width - cell_len(label) - 1)
        # The part of a long line that has the cursor.
        begin = max(0, self.cursor - room + 1)
        shown = f"{self.text[begin:]} "[: room + 1]
        row = line((label, "key"), shown)
        at = len(label) + self.cursor - begin
        row.stylize("chosen", at, at + 1)
        hint = glyphs.say(f"prompt-keys.{self.kind}", endings=" ".join(self.endings))
        if (gap := width - 1 - row.cell_len - cell_len(hint)) >= _GAP:
            row.append(f"{'':{gap}}")
            row.append(hint, "dim")
        if not self.choices:
            return [row]
        return [line((fit(f" {'  '.join(self.choices)}", width, glyphs.ellipsis), "dim")), row]


def overlaid(
    screen: RenderableType,
    width: int,
    glyphs: Glyphs,
    *,
    problem: str,
    notice: str,
    prompt: Prompt | None,
) -> Group:
    """Return a screen whose last lines give way to what is typed and told; the keys stay."""
    # A screen is a group of lines, or has them by itself.
    whole: Any = screen
    rows: list[Text] = [*(whole.renderables if isinstance(screen, Group) else whole.lines(width))]
    told = paragraph(problem, width, "bad") if problem else []
    told += paragraph(notice, width, "ok") if notice else []
    told += rows[-1:] if prompt is None else prompt.lines(width, glyphs)
    for each in told:
        each.truncate(width)
    return Group(*rows[: max(0, len(rows) - len(told))], *told[-len(rows) :])
