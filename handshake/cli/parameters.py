"""The options that commands have in common."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import typer

Json: TypeAlias = Annotated[bool, typer.Option("--json", help="Print one JSON object a line.")]
Plain: TypeAlias = Annotated[
    bool, typer.Option("--plain", help="Print text alone: no colour, no keys, as into a pipe.")
]
Ascii: TypeAlias = Annotated[
    bool, typer.Option("--ascii", help="Draw with ASCII alone, for a terminal without Unicode.")
]
