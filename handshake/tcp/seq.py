"""Sequence numbers: a type of their own, with circular order (section 3.4)."""

from __future__ import annotations

from typing import Final, overload

from handshake.units import MASK, MODULUS

HALF: Final = 2**31


def distance(begin: int, end: int) -> int:
    """Return how far `end` is ahead of `begin` on the circle; negative where it is behind."""
    return ((end - begin + HALF) & MASK) - HALF


class Seq:
    """A sequence number: names one octet of a stream, or its SYN or FIN.

    `a < b` holds when `b` lies in the half of the circle that follows `a`, so it is no
    order over the whole circle: compare only numbers of one window, as the RFC does.
    Two numbers exactly half the circle apart are in no order: neither is less.
    """

    __slots__ = ("value",)

    value: int
    """The number itself, 0 to 2**32 - 1: `int(seq)` takes three times as long."""

    def __init__(self, value: int) -> None:
        self.value = value & MASK

    def __int__(self) -> int:
        return self.value

    __index__ = __int__

    def __add__(self, octets: int) -> Seq:
        return Seq(self.value + octets)

    @overload
    def __sub__(self, other: Seq) -> int: ...
    @overload
    def __sub__(self, other: int) -> Seq: ...
    def __sub__(self, other: Seq | int) -> Seq | int:
        """Return how far `other` is behind (negative: ahead), or the number so many back."""
        if isinstance(other, Seq):
            return (self.value - other.value + HALF) % MODULUS - HALF
        return Seq(self.value - other)

    def __lt__(self, other: Seq) -> bool:
        return 0 < (other.value - self.value) % MODULUS < HALF

    def __le__(self, other: Seq) -> bool:
        return (other.value - self.value) % MODULUS < HALF

    def __gt__(self, other: Seq) -> bool:
        return other < self

    def __ge__(self, other: Seq) -> bool:
        return other <= self

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Seq) and self.value == other.value

    def __hash__(self) -> int:
        return hash(self.value)

    def __repr__(self) -> str:
        return f"Seq({self.value})"

    def __str__(self) -> str:
        return str(self.value)

    def __format__(self, spec: str) -> str:
        return format(self.value, spec)
