"""Compares a key's values: numbers with units, words, times, addresses in any notation."""

from __future__ import annotations

import math
import operator
import re
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import TYPE_CHECKING, Any, Final

from handshake.tcp.address import ip_address

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from handshake.errors import UsageError
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

_UNITS: Final = {"ns": "e-9", "us": "e-6", "µs": "e-6", "ms": "e-3", "s": ""}
"""Each as a power of ten of seconds: as text, so that 28.4ms is exactly 0.0284."""

_DURATION: Final = re.compile(r"([-+]?[0-9.]+)(ns|us|µs|ms|s)", re.IGNORECASE)

_TIME: Final = re.compile(r"[0-9]{4}(-[0-9]{2}(-[0-9]{2}(T([0-9]{2}(:[0-9]{2}){0,2})?.*)?)?)?")
"""The beginning of a date and time as RFC 3339 has it: `2026-11-22T12:00`."""

_FEW: Final = 12
"""So many possible values are listed; of more, the similar ones."""

_CLOSE: Final = 0.6
"""How similar a value must be to be suggested."""


@dataclass(frozen=True, slots=True)
class Literal:
    """A value written in the expression."""

    value: Any


def literal(key: Key, token: Token) -> Literal:
    """Return the value of a token compared with this key. Raises UsageError if it has none."""
    if token.text == "null" and not token.quoted:
        return Literal(None)
    if key.is_endpoint:
        wanted = place(token.text)
        if wanted is None:
            raise token.error("network-without-in" if "/" in token.text else "not-an-endpoint")
        return Literal(wanted)
    if key.is_address:
        try:
            return Literal(_address(str(ip_address(token.text))))
        except ValueError:
            code = "network-without-in" if "/" in token.text else "not-an-address"
            raise token.error(code) from None
    if key.kind is float:
        return Literal(_number(key, token))
    if key.kind is bool:
        if token.text not in _BOOLEANS:
            raise token.error("not-a-boolean", key=key.name)
        return Literal(_BOOLEANS[token.text])
    if key.is_time and not _TIME.fullmatch(token.text):
        raise token.error("not-a-time", key=key.name)
    if key.words and token.text not in key.words:
        raise _unknown_word(key, token)
    return Literal(token.text)


def _number(key: Key, token: Token) -> float:
    """Return a number; of a key in seconds it may have a unit."""
    text = token.text
    if key.in_seconds and (found := _DURATION.fullmatch(text)):
        text = found[1] + _UNITS[found[2].casefold()]
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if math.isnan(number):
        raise token.error("not-seconds" if key.in_seconds else "not-a-number", key=key.name)
    return number


def _unknown_word(key: Key, token: Token) -> UsageError:
    """Return the error that says what values the key has."""
    if len(key.words) <= _FEW:
        return token.error("no-such-value", key=key.name, words=key.words)
    word = token.text.casefold()
    alike = [each for each in key.words if word and word in each]
    alike += get_close_matches(word, key.words, n=4, cutoff=_CLOSE)
    similar = list(dict.fromkeys(alike))[:_FEW]
    return token.error("no-such-code", key=key.name, similar=similar, count=len(key.words))


def comparison(key: Key, sign: Token, other: Key | Literal) -> Callable[[Record], bool]:
    """Return the comparison of a key with a value or another key."""
    compare = ORDER[sign.text]
    equality = sign.text in ("==", "!=")
    if isinstance(other, Literal):
        if not equality and (other.value is None or key.kind is bool):
            raise sign.error("only-equality")
        theirs: Callable[[Record], list[Any]] = lambda _: [other.value]  # noqa: E731
        if key.is_endpoint and other.value is not None:
            compare = _as_long_as_theirs(compare)
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


def _as_long_as_theirs(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    """Return a comparison of endpoints in which an address alone stands for each of its ports."""
    return lambda mine, theirs: compare(mine[: len(theirs)], theirs)


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
        if (key.is_address or key.is_endpoint) and "/" in token.text:
            try:
                networks.append(ip_network(token.text, strict=False))
            except ValueError:
                raise token.error("not-a-network") from None
        else:
            others.append(literal(key, token).value)
    ours = values(key)

    def test(record: Record) -> bool:
        return any(
            mine in others
            or inside(mine, networks)
            # An address alone stands for each of its ports.
            or (key.is_endpoint and mine[:2] in others)
            for mine in ours(record)
        )

    return test


def values(key: Key) -> Callable[[Record], list[Any]]:
    """Return the getter of a key's values, in a form that can be compared."""
    if key.many:
        get = key.get
        return lambda record: list(get(record) or ())
    one = value(key)
    return lambda record: [one(record)]


def value(key: Key) -> Callable[[Record], Any]:
    """Return the getter of the value of a key that has one, in a form that can be compared."""
    get = key.get
    if key.is_address:
        return lambda record: _address(get(record))
    if key.is_endpoint:
        return lambda record: place(get(record))
    return get


@lru_cache(maxsize=1 << 16)
def place(text: str) -> tuple[int, ...] | None:
    """Return an endpoint in sortable form: version, address, and the port if there is one.

    None if it is neither `10.0.0.1`, `10.0.0.1:80`, `2001:db8::1` nor `[2001:db8::1]:80`.
    """
    host, port = text, ""
    if found := _ENDPOINT.fullmatch(text):
        host, port = found[1] or found[2], found[3]
    try:
        address = ip_address(host)
    except ValueError:
        return None
    whole = (address.version, int(address))
    return (*whole, int(port)) if port else whole


_ENDPOINT: Final = re.compile(r"(?:\[([^\]]*)\]|([^:\[\]]*)):([0-9]{1,5})", re.ASCII)


@lru_cache(maxsize=1 << 16)
def _address(text: str | None) -> tuple[int, int] | None:
    """Return an address in sortable form: version, number."""
    if text is None:
        return None
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return address.version, int(address)


def inside(mine: Any, networks: Sequence[IPv4Network | IPv6Network]) -> bool:
    """Whether an address, or an endpoint, in sortable form is in one of the networks."""
    for each in networks:
        first, last = int(each.network_address), int(each.broadcast_address)
        if mine is not None and mine[0] == each.version and first <= mine[1] <= last:
            return True
    return False


def _end(name: str) -> Callable[[Record], tuple[int, ...]]:
    def get(record: Record) -> tuple[int, ...]:
        end = getattr(record, name)
        address = _address(end.address)
        return (0, 0, end.port) if address is None else (*address, end.port)

    return get


ENDS: Final = (_end("client"), _end("server"))
"""Both ends of a record in sortable form."""
