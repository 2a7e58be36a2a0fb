"""Makes broken captures from whole ones: flipped bits, cuts, splices, lying lengths."""

from __future__ import annotations

import gzip
import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Sequence

_OCTETS = (0, 1, 4, 6, 0x29, 0x2F, 0x45, 0x4F, 0x60, 0xFF)
_LIES = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)


def mutated(dice: random.Random, seeds: Sequence[bytes]) -> bytes:
    """Return one of `seeds`, broken in one to four ways."""
    raw = bytearray(dice.choice(seeds))
    for _ in range(dice.randrange(1, 5)):
        dice.choice(_WAYS)(raw, dice, seeds)
    return gzip.compress(raw, 1) if dice.random() < 0.02 else bytes(raw)


def _flip(raw: bytearray, dice: random.Random, _seeds: Sequence[bytes]) -> None:
    for _ in range(dice.randrange(1, 9)):
        if raw:
            raw[dice.randrange(len(raw))] ^= 1 << dice.randrange(8)


def _cut(raw: bytearray, dice: random.Random, _seeds: Sequence[bytes]) -> None:
    del raw[dice.randrange(len(raw) + 1) :]


def _remove(raw: bytearray, dice: random.Random, _seeds: Sequence[bytes]) -> None:
    at = dice.randrange(len(raw) + 1)
    del raw[at : at + dice.randrange(1, 80)]


def _splice(raw: bytearray, dice: random.Random, seeds: Sequence[bytes]) -> None:
    other = dice.choice(seeds)
    begin = dice.randrange(len(other) + 1)
    at = dice.randrange(len(raw) + 1)
    raw[at : at + dice.randrange(200)] = other[begin : begin + dice.randrange(400)]


def _repeat(raw: bytearray, dice: random.Random, _seeds: Sequence[bytes]) -> None:
    at = dice.randrange(len(raw) + 1)
    raw[at:at] = raw[at : at + dice.randrange(1, 200)] * dice.randrange(1, 4)


def _lie(raw: bytearray, dice: random.Random, _seeds: Sequence[bytes]) -> None:
    """Write a number that no length should have over two or four octets."""
    size, form = dice.choice(((2, "H"), (4, "I")))
    if len(raw) < size:
        return
    at = dice.randrange(len(raw) - size + 1)
    value = dice.choice(_LIES) & (256**size - 1)
    raw[at : at + size] = struct.pack(dice.choice("<>") + form, value)


def _set(raw: bytearray, dice: random.Random, _seeds: Sequence[bytes]) -> None:
    """Write one interesting octet: a header length, a protocol, a flag."""
    if raw:
        raw[dice.randrange(len(raw))] = dice.choice(
            (0, 1, 4, 6, 0x29, 0x2F, 0x45, 0x4F, 0x60, 0xFF)
        )


_WAYS: tuple[Callable[[bytearray, random.Random, Sequence[bytes]], None], ...] = (
    _flip,
    _flip,
    _cut,
    _remove,
    _splice,
    _repeat,
    _lie,
    _set,
)
