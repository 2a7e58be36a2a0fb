"""Errors and warnings as tests compare them: by code and values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from handshake import messages

if TYPE_CHECKING:
    from collections.abc import Iterable

    from handshake.errors import HandshakeError


def coded(errors: Iterable[HandshakeError]) -> list[tuple[str, dict[str, Any]]]:
    """Return code and values of each error."""
    return [(error.code, error.values) for error in errors]


def says(code: str, **values: object) -> str:
    """Return the sentence of an error, for tests of what the command line prints."""
    return messages.text("errors", code, values)
