"""Errors, warnings and notes on standard error, a line each."""

from __future__ import annotations

import sys

from handshake.messages import translated


def tell(kind: str, sentence: str, language: str) -> None:
    """Print a sentence behind what it is: `error`, `warning` or `note`."""
    print(f"{translated(f'{kind}:', language)} {sentence}", file=sys.stderr)  # noqa: T201
