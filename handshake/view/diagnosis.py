"""A diagnosis as text: the cause, what shows it, what was ruled out, what to do next."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from handshake.view.layout import line, wrap

if TYPE_CHECKING:
    from rich.text import Text

    from handshake.record import Diagnosis

_NARROWEST: Final = 12
"""The fewest columns for text: on a narrower screen it is cut off."""

_FEW: Final = 8
"""Frames that are named."""


def diagnosis_lines(found: Diagnosis, width: int, *, brief: bool = False) -> list[Text]:
    """Return a diagnosis in lines of at most `width` columns; in brief only its text."""
    lines = _wrapped(f"{found.code} ({found.certainty}): {found.text}", width, "! ", "warn")
    if brief:
        return lines
    for each in found.ruled_out:
        lines += _wrapped(f"ruled out: {each.text}", width)
    if found.evidence:
        lines += _wrapped(f"evidence: {_frames(found.evidence)}", width)
    return [*lines, *_wrapped(f"next: {found.next}", width)]


def _frames(evidence: tuple[int, ...]) -> str:
    shown = [str(each) for each in evidence[:_FEW]]
    more = [f"{len(evidence) - _FEW} more"] if len(evidence) > _FEW else []
    return f"frame {shown[0]}" if len(evidence) == 1 else f"frames {', '.join(shown + more)}"


def _wrapped(text: str, width: int, sign: str = "  ", style: str = "") -> list[Text]:
    first, *rest = wrap(text, max(_NARROWEST, width - 4))
    return [line(" ", (sign, style), first), *(line(f"   {each}") for each in rest)]
