"""The options that commands have in common."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import typer

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
Ascii: TypeAlias = Annotated[
    bool, typer.Option("--ascii", help="Draw with ASCII only, for terminals without Unicode.")
]
