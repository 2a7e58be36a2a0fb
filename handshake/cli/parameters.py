"""The options that commands have in common."""

from __future__ import annotations

import re
import sys
from typing import Annotated, Final, TypeAlias

import typer

from handshake.errors import UsageError
from handshake.messages import ENGLISH, LANGUAGES
from handshake.spoken import of_locale

"""The variables that name the language of messages, the strongest first (POSIX)."""

_HANGUL: Final = "한글"

_SIZE: Final = re.compile(r"([0-9]{1,9})([KMGT]?)(?:i?B)?", re.IGNORECASE)

Json: TypeAlias = Annotated[bool, typer.Option("--json", help="Print one JSON object per line.")]
Plain: TypeAlias = Annotated[
    bool, typer.Option("--plain", help="Print plain text as in a pipe: no colour, no keys.")
]
Dedup: TypeAlias = Annotated[
    bool,
    typer.Option("--dedup", help="Leave out copies: packets that were captured more than once."),
]
Reorder: TypeAlias = Annotated[
    bool,
    typer.Option("--reorder", help="Sort the packets by time; all are read before the first."),
]
MaxUnpacked: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--max-unpacked",
        metavar="SIZE",
        hidden=True,
        help="Stop where a compressed capture unpacks to more than this, such as 20G; by default "
        "to 100 times its size, and 64M at least.",
    ),
]
Ascii: TypeAlias = Annotated[
    bool, typer.Option("--ascii", help="Draw with ASCII only, for terminals without Unicode.")
]

Lang: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--lang",
        metavar="|".join(LANGUAGES),
        autocompletion=lambda: LANGUAGES,
        help="Language of the text; what programs read (--json ...) is always English.",
        show_default="that of the locale",
    ),
]

HiddenPlain: TypeAlias = Annotated[
    bool,
    typer.Option("--plain", hidden=True, help="Print plain text as in a pipe: no colour, no keys."),
]
HiddenAscii: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--ascii", hidden=True, help="Draw with ASCII only, for terminals without Unicode."
    ),
]
HiddenLang: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--lang",
        metavar="|".join(LANGUAGES),
        autocompletion=lambda: LANGUAGES,
        hidden=True,
        help="Language of the text; JSON is always English.",
        show_default="that of the locale",
    ),
]
"""The same for commands whose short help fits on one screen."""


def language(given: str | None) -> str:
    """Return the language that is given, or that of the locale (LC_ALL, LC_MESSAGES, LANG).

    It is English where the terminal cannot show the letters of another. Raises UsageError for one
    that there is no text in.
    """
    if given is not None:
        if given not in LANGUAGES:
            raise UsageError("choice", option="--lang", value=given, choices=LANGUAGES)
        return given
    try:
        _HANGUL.encode(getattr(sys.stdout, "encoding", None) or "ascii")
    except (UnicodeEncodeError, LookupError):
        return ENGLISH
    return of_locale()


def octets(text: str | None, option: str) -> int | None:
    """Return the number that a size stands for: `20G` is 20 times 2 to the power of 30.

    Raises UsageError if it is none.
    """
    if text is None:
        return None
    found = _SIZE.fullmatch(text)
    if found is None or not int(found[1]):
        raise UsageError("size", option=option, value=text)
    return int(found[1]) << 10 * " KMGT".index(found[2].upper() or " ")
