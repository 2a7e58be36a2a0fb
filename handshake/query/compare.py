"""Compares a key's values: numbers, texts, and addresses in any notation."""

from __future__ import annotations

import math
import operator
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import TYPE_CHECKING, Any, Final

from handshake.tcp.address import ip_address

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from handshake.query.keys import Key
    from handshake.query.tokens import Token
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
    """A value written in the expression."""

    value: Any


def literal(key: Key, token: Token) -> Literal:
    """Return the value of a token compared with this key. Raises UsageError if it has none."""
    if token.text == "null" and not token.quoted:
        return Literal(None)
    if key.is_address:
        try:
            return Literal(_address(str(ip_address(token.text))))
        except ValueError:
            code = "network-without-in" if "/" in token.text else "not-an-address"
            raise token.error(code) from None
    if key.kind is float:
        try:
            number = float(token.text)
        except ValueError:
            number = math.nan
        if math.isnan(number):
            raise token.error("not-a-number", key=key.name)
        return Literal(number)
    if key.kind is bool:
        if token.text not in _BOOLEANS:
            raise token.error("not-a-boolean", key=key.name)
        return Literal(_BOOLEANS[token.text])
    return Literal(token.text)


def comparison(key: Key, sign: Token, other: Key | Literal) -> Callable[[Record], bool]:
    """Return the comparison of a key with a value or another key."""
    compare = ORDER[sign.text]
    equality = sign.text in ("==", "!=")
    if isinstance(other, Literal):
        if not equality and (other.value is None or key.kind is bool):
            raise sign.error("only-equality")
        theirs: Callable[[Record], list[Any]] = lambda _: [other.value]  # noqa: E731
    else:
        theirs = values(other)
    ours = values(key)

    def test(record: Record) -> bool:
        return any(
            compare(mine, yours)
            for mine in ours(record)
            for yours in theirs(record)
            # An unknown value is neither greater nor less than any other.
            if equality or (mine is not None and yours is not None)
        )

    return test


def contains(key: Key, text: str) -> Callable[[Record], bool]:
    """Return the test whether a key's text contains another, ignoring case."""
    wanted = text.casefold()

    def test(record: Record) -> bool:
        found = key.get(record)
        every = found if key.many else [found]
        return any(wanted in str(each).casefold() for each in every or () if each is not None)

    return test


def membership(key: Key, found: Sequence[Token]) -> Callable[[Record], bool]:
    """Return the test whether a key's value is one of several, or is in a network."""
    networks: list[IPv4Network | IPv6Network] = []
    others: list[Any] = []
    for token in found:
        if key.is_address and "/" in token.text:
            try:
                networks.append(ip_network(token.text, strict=False))
            except ValueError:
                raise token.error("not-a-network") from None
        else:
            others.append(literal(key, token).value)
    ours = values(key)

    def test(record: Record) -> bool:
        return any(mine in others or _inside(mine, networks) for mine in ours(record))

    return test


def values(key: Key) -> Callable[[Record], list[Any]]:
    """Return the getter of a key's values, in a form that can be compared."""
    get = key.get
    if key.many:
        return lambda record: list(get(record) or ())
    if key.is_address:
        return lambda record: [_address(get(record))]
    return lambda record: [get(record)]


def _address(text: str | None) -> tuple[int, int] | None:
    """Return an address in sortable form: version, number."""
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
