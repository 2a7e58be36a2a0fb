"""The options that commands have in common."""

from __future__ import annotations

import re
from typing import Annotated, Final, TypeAlias

import typer

from handshake.errors import UsageError

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
        help="Stop where a compressed capture unpacks to more than this, such as 20G; by default "
        "to 100 times its size, and 64M at least.",
    ),
]
Ascii: TypeAlias = Annotated[
    bool, typer.Option("--ascii", help="Draw with ASCII only, for terminals without Unicode.")
]


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
