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

    __slots__ = ("_value",)

    _value: int

    def __init__(self, value: int) -> None:
        self._value = value % MODULUS

    def __int__(self) -> int:
        return self._value

    __index__ = __int__

    def __add__(self, octets: int) -> Seq:
        return Seq(self._value + octets)

    @overload
    def __sub__(self, other: Seq) -> int: ...
    @overload
    def __sub__(self, other: int) -> Seq: ...
    def __sub__(self, other: Seq | int) -> Seq | int:
        """Return how far `other` is behind (negative: ahead), or the number so many back."""
        if isinstance(other, Seq):
            return (self._value - other._value + HALF) % MODULUS - HALF
        return Seq(self._value - other)

    def __lt__(self, other: Seq) -> bool:
        return 0 < (other._value - self._value) % MODULUS < HALF

    def __le__(self, other: Seq) -> bool:
        return (other._value - self._value) % MODULUS < HALF

    def __gt__(self, other: Seq) -> bool:
        return other < self

    def __ge__(self, other: Seq) -> bool:
        return other <= self

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Seq) and self._value == other._value

    def __hash__(self) -> int:
        return hash(self._value)

    def __repr__(self) -> str:
        return f"Seq({self._value})"

    def __str__(self) -> str:
        return str(self._value)

    def __format__(self, spec: str) -> str:
        return format(self._value, spec)
