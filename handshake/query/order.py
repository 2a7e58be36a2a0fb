"""Sorts records by keys: `-handshake.rtt,client.address`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from handshake.errors import UsageError
from handshake.query.compare import value, values
from handshake.query.keys import COLUMNS, Key, find_key, similar_keys

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from handshake.record import Record


def order(text: str) -> Callable[[Iterable[Record]], list[Record]]:
    """Return the function that sorts records by keys; `-` before a key reverses its order.

    Unknown values come last in either order; equal records keep their order.
    """
    keys = [_key(word.strip()) for word in text.split(",")]

    def arrange(records: Iterable[Record]) -> list[Record]:
        found = list(records)
        # Sorting is stable: the most significant key comes last.
        for key, descending in reversed(keys):
            _sort(found, key, descending=descending)
        return found

    return arrange


def _key(word: str) -> tuple[Key, bool]:
    name = word.removeprefix("-")
    if (key := find_key(name)) is not None:
        return key, word.startswith("-")
    error = UsageError("unknown-key", similar=similar_keys(name), keys=COLUMNS)
    raise error.at(f"--sort '{name[:40]}'")


def _sort(records: list[Record], key: Key, *, descending: bool) -> None:
    get: Callable[[Record], Any]
    if key.many:
        every = values(key)

        def get(record: Record) -> list[Any] | None:
            return [each for each in every(record) if each is not None] or None
    else:
        get = value(key)
    # Plain values are compared far more quickly than pairs of whether and what.
    found: list[Any] = [get(record) for record in records]
    known = [at for at, each in enumerate(found) if each is not None]
    unknown = [record for each, record in zip(found, records, strict=True) if each is None]
    known.sort(key=found.__getitem__, reverse=descending)
    records[:] = [*(records[at] for at in known), *unknown]
