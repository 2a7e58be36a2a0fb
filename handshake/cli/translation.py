"""Help and usage errors in other languages: typer writes them in English, sentence by sentence.

The English stands beside its option in the code. A translation is looked up by it, in
`messages/ko/help.toml`, when a help or an error is written; nothing is loaded for English.
"""

from __future__ import annotations

import re
from functools import cache, partial
from typing import Any, Final
from unicodedata import east_asian_width

from handshake.messages import translated

_SECOND_CELL: Final = "\ue000"
"""Follows each wide character while typer, which counts characters, breaks lines."""

_RECORD: Final = re.compile(r"(?P<help>.*?)(?:  \[(?P<extra>.*)\])?", re.DOTALL)
"""The help of an option as typer writes it, with its default, its range, or that it is required."""

_EXTRA: Final = re.compile(r"; (?=x[<>]|[0-9.]+<=x|required)")
"""What stands between those."""


@cache
def formatter(plain: type[Any], language: str) -> type[Any]:
    """Return a formatter of help in a language, made from typer's own."""
    spoken = partial(_said, language=language)

    class Formatter(plain):  # type: ignore[misc] # a class of typer that has no public name
        """Translates what it writes, and counts the cells of wide characters."""

        said = staticmethod(spoken)

        def write_usage(self, prog: str, args: str = "", prefix: str | None = None) -> None:
            """Write how the command is used."""
            super().write_usage(prog, args, prefix or f"{spoken('Usage:')} ")

        def write_heading(self, heading: str) -> None:
            """Write the name of a group of options."""
            super().write_heading(spoken(heading))

        def write_text(self, text: str) -> None:
            """Write what a command does, paragraph by paragraph."""
            super().write_text("\n\n".join(map(spoken, text.split("\n\n"))))

        def write_dl(self, rows: Any, col_max: int = 30, col_spacing: int = 2) -> None:
            """Write names, and what each means."""
            said = [(name, _record(meaning, language)) for name, meaning in rows]
            super().write_dl(said, col_max, col_spacing)

        def getvalue(self) -> str:
            """Return the help."""
            written: str = super().getvalue()
            return written.replace(_SECOND_CELL, "")

    return Formatter


def _record(meaning: str, language: str) -> str:
    found = _RECORD.fullmatch(meaning)
    assert found is not None
    said = _said(found["help"], language)
    if found["extra"] is None:
        return said
    extra = "; ".join(_said(each, language) for each in _EXTRA.split(found["extra"]))
    return f"{said}  [{extra}]"


def _said(text: str, language: str) -> str:
    """Return the translation, with a second character for each that takes two cells."""
    return "".join(
        each + _SECOND_CELL if east_asian_width(each) in "WF" else each
        for each in translated(text, language)
    )
