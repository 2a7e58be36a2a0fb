"""Compares a key's values: numbers, words, and addresses however they are spelled."""

from __future__ import annotations

import math
import operator
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from handshake.query.keys import Key
    from handshake.query.tokens import Word
    from handshake.record import Record

ORDER: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}

_BOOLEANS: Final = {"true": True, "false": False}


@dataclass(frozen=True, slots=True)
class Literal:
    """A value that stands in the expression itself."""

    value: Any


def literal(key: Key, word: Word) -> Literal:
    """Return what a word means beside this key. Raises UsageError where it can mean nothing."""
    if word.text == "null" and not word.quoted:
        return Literal(None)
    if key.is_address:
        try:
            return Literal(_address(str(ip_address(word.text))))
        except ValueError:
            why = "write the network after in" if "/" in word.text else "it is no IP address"
            raise word.wrong(why) from None
    if key.kind is float:
        try:
            number = float(word.text)
        except ValueError:
            number = math.nan
        if math.isnan(number):
            raise word.wrong(f"{key.name} is a number, and this is none")
        return Literal(number)
    if key.kind is bool:
        if word.text not in _BOOLEANS:
            raise word.wrong(f"{key.name} is true, false or null")
        return Literal(_BOOLEANS[word.text])
    return Literal(word.text)


def comparison(key: Key, sign: Word, other: Key | Literal) -> Callable[[Record], bool]:
    """Return the test of a key against a value or another key."""
    compare = ORDER[sign.text]
    equality = sign.text in ("==", "!=")
    if isinstance(other, Literal):
        if not equality and (other.value is None or key.kind is bool):
            raise sign.wrong("only == and != can stand here")
        theirs: Callable[[Record], list[Any]] = lambda _: [other.value]  # noqa: E731
    else:
        theirs = values(other)
    ours = values(key)

    def test(record: Record) -> bool:
        return any(
            compare(mine, yours)
            for mine in ours(record)
            for yours in theirs(record)
            # What is not known is neither more nor less than anything.
            if equality or (mine is not None and yours is not None)
        )

    return test


def contains(key: Key, text: str) -> Callable[[Record], bool]:
    """Return the test whether a key's text has another in it, in capitals or not."""
    wanted = text.casefold()

    def test(record: Record) -> bool:
        found = key.get(record)
        every = found if key.many else [found]
        return any(wanted in str(each).casefold() for each in every or () if each is not None)

    return test


def membership(key: Key, found: Sequence[Word]) -> Callable[[Record], bool]:
    """Return the test whether a key's value is one of several, or lies in a network."""
    networks: list[IPv4Network | IPv6Network] = []
    others: list[Any] = []
    for word in found:
        if key.is_address and "/" in word.text:
            try:
                networks.append(ip_network(word.text, strict=False))
            except ValueError:
                raise word.wrong("it is no IP network") from None
        else:
            others.append(literal(key, word).value)
    ours = values(key)

    def test(record: Record) -> bool:
        return any(mine in others or _inside(mine, networks) for mine in ours(record))

    return test


def values(key: Key) -> Callable[[Record], list[Any]]:
    """Return what gives a key's values, fit to be compared with each other."""
    get = key.get
    if key.many:
        return lambda record: list(get(record) or ())
    if key.is_address:
        return lambda record: [_address(get(record))]
    return lambda record: [get(record)]


def _address(text: str | None) -> tuple[int, int] | None:
    """Return an address as what sorts: version, number."""
    if text is None:
        return None
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return address.version, int(address)


def _inside(mine: Any, networks: Sequence[IPv4Network | IPv6Network]) -> bool:
    for each in networks:
        first, last = int(each.network_address), int(each.broadcast_address)
        if mine is not None and mine[0] == each.version and first <= mine[1] <= last:
            return True
    return False
