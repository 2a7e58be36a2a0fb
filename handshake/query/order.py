"""Puts records in order by keys: `-handshake.rtt,client.address`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from handshake.errors import UsageError
from handshake.query.compare import values
from handshake.query.keys import KEYS, Key, near

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from handshake.record import Record


def order(text: str) -> Callable[[Iterable[Record]], list[Record]]:
    """Return what sorts records by keys, `-` before one for the greatest first.

    What is not known comes last either way; equals stay in the order they came in.
    """
    keys = [_key(word.strip()) for word in text.split(",")]

    def arrange(records: Iterable[Record]) -> list[Record]:
        found = list(records)
        # Sorting keeps the order of equals: the key that counts most comes last.
        for key, falling in reversed(keys):
            _sort(found, key, falling=falling)
        return found

    return arrange


def _key(word: str) -> tuple[Key, bool]:
    name = word.removeprefix("-")
    if name in KEYS:
        return KEYS[name], word.startswith("-")
    meant = " or ".join(near(name))
    hint = f"perhaps {meant}" if meant else "handshake list FILE --json shows them all"
    raise UsageError(f"--sort '{name[:40]}': there is no such key: {hint}")


def _sort(records: list[Record], key: Key, *, falling: bool) -> None:
    get = values(key)

    def place(record: Record) -> tuple[bool, list[Any]]:
        known = [each for each in get(record) if each is not None]
        # Sorted backwards, what comes first is what is greatest.
        return bool(known) == falling, known

    records.sort(key=place, reverse=falling)
