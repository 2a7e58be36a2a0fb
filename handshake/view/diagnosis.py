"""A diagnosis as text: the cause, what shows it, what was ruled out, what to do next."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from handshake.view.glyphs import UNICODE, Glyphs
from handshake.view.layout import line, wrap

if TYPE_CHECKING:
    from rich.text import Text

    from handshake.record import Diagnosis

_NARROWEST: Final = 12
"""The fewest columns for text: on a narrower screen it is cut off."""

_FEW: Final = 8
"""Frames that are named."""


def diagnosis_lines(
    found: Diagnosis, width: int, glyphs: Glyphs = UNICODE, *, brief: bool = False
) -> list[Text]:
    """Return a diagnosis in lines of at most `width` columns; in brief only its text."""
    say, language = glyphs.say, glyphs.language
    values = {"code": found.code, "certainty": found.certainty, "text": found.said(language)}
    lines = _wrapped(say("diagnosis.text", **values), width, "! ", "warn")
    if brief:
        return lines
    for each in found.ruled_out:
        lines += _wrapped(say("diagnosis.ruled-out", text=each.said(language)), width)
    if evidence := found.evidence:
        frames = ", ".join(map(str, evidence[:_FEW]))
        more = max(0, len(evidence) - _FEW)
        said = say("diagnosis.evidence", many=len(evidence) > 1, frames=frames, more=more)
        lines += _wrapped(said, width)
    return [*lines, *_wrapped(say("diagnosis.next", text=found.said(language, "next")), width)]


def _wrapped(text: str, width: int, sign: str = "  ", style: str = "") -> list[Text]:
    first, *rest = wrap(text, max(_NARROWEST, width - 4))
    return [line(" ", (sign, style), first), *(line(f"   {each}") for each in rest)]
