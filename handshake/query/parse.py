"""Parses filters: `outcome != established and handshake.rtt > 0.2` becomes a test."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

from handshake.query.compare import ORDER, comparison, contains, literal, membership
from handshake.query.keys import COLUMNS, Key, find_key, similar_keys
from handshake.query.search import UnknownWordError, search
from handshake.query.tokens import Token, tokens

if TYPE_CHECKING:
    from collections.abc import Callable

    from handshake.record import Record

Test: TypeAlias = "Callable[[Record], bool]"
"""Whether a record matches a filter."""

_DEEPEST: Final = 50
"""Nested parentheses and `not`s: more would exhaust Python's stack."""

_AND: Final = ("and", "&&")
_OR: Final = ("or", "||")
_NOT: Final = ("not", "!")
_COMPARING: Final = (*ORDER, "=", "~", "contains", "in", "not")
_RESERVED: Final = (*_AND, *_OR, "not", "in", "contains")


def parse(text: str) -> Test:
    """Return the test of an expression. Raises UsageError that points at the mistake.

    A key alone is true if its value is known and neither false, 0 nor empty. A comparison
    with a list is true if it is true for any item. Any other word alone is searched for.
    """
    return _Parser(text).all()


class _Parser:
    def __init__(self, text: str) -> None:
        self._tokens = list(tokens(text))
        self._at = 0
        self._depth = 0

    @property
    def _next(self) -> Token:
        return self._tokens[self._at]

    def _take(self) -> Token:
        token = self._next
        self._at = min(self._at + 1, len(self._tokens) - 1)
        return token

    def _take_if(self, *texts: str) -> Token | None:
        is_one = not self._next.quoted and self._next.text in texts
        return self._take() if is_one else None

    def all(self) -> Test:
        test = self._any_of()
        rest = self._next
        if rest.text or rest.quoted:
            raise rest.error("unopened" if rest.text in ")}" and rest.text else "expected.end")
        return test

    def _any_of(self) -> Test:
        tests = [self._all_of()]
        while self._take_if(*_OR):
            tests.append(self._all_of())
        return tests[0] if len(tests) == 1 else lambda record: any(each(record) for each in tests)

    def _all_of(self) -> Test:
        tests = [self._one()]
        while self._take_if(*_AND):
            tests.append(self._one())
        return tests[0] if len(tests) == 1 else lambda record: all(each(record) for each in tests)

    def _one(self) -> Test:
        opening = self._take_if("(", *_NOT)
        if opening is None:
            return self._comparison()
        self._depth += 1
        if self._depth > _DEEPEST:
            raise opening.error("depth", most=_DEEPEST)
        if opening.text == "(":
            test = self._any_of()
            if not self._take_if(")"):
                raise self._next.error("unclosed", bracket="(", column=opening.column)
        else:
            denied = self._one()

            def test(record: Record) -> bool:
                return not denied(record)

        self._depth -= 1
        return test

    def _comparison(self) -> Test:
        token = self._value("key")
        if not self._is_compared() and not _is_key(token):
            try:
                return search(token.text)
            except UnknownWordError as error:
                raise token.error("no-such-word", similar=error.similar) from error
        key = _key(token)
        if sign := self._take_if(*ORDER, "="):
            if sign.text == "=":
                raise sign.error("equals")
            return self._compared(key, sign)
        if self._take_if("~", "contains"):
            return contains(key, self._value("text").text)
        if self._take_if("in"):
            return self._within(key)
        if self._next.text == "not" and not self._next.quoted:
            self._take()
            if not self._take_if("in"):
                raise self._next.error("expected.in")
            inside = self._within(key)
            return lambda record: not inside(record)
        return lambda record: bool(key.get(record))

    def _is_compared(self) -> bool:
        """Whether a comparison follows, so that the word before it must be a key."""
        token = self._next
        return not token.quoted and token.text in _COMPARING

    def _compared(self, key: Key, sign: Token) -> Test:
        token = self._value("operand")
        other = None if token.quoted or token.text in key.words else find_key(token.text)
        if other is None:
            return comparison(key, sign, literal(key, token))
        same = (other.kind, other.is_address, other.is_endpoint)
        if same != (key.kind, key.is_address, key.is_endpoint):
            raise token.error("types", key=key.name)
        return comparison(key, sign, other)

    def _within(self, key: Key) -> Test:
        opening = self._take_if("{")
        if opening is None:
            return membership(key, [self._value("set")])
        found = [self._value("value")]
        while self._take_if(","):
            found.append(self._value("value"))
        if not self._take_if("}"):
            raise self._next.error("unclosed", bracket="{", column=opening.column)
        return membership(key, found)

    def _value(self, expected: str) -> Token:
        token = self._next
        signs = not token.text or token.text[0] in "(){},=!<>~&|" or token.text in _RESERVED
        if signs and not token.quoted:
            raise token.error(f"expected.{expected}")
        return self._take()


def _is_key(token: Token) -> bool:
    """Whether a word alone is a key, or looks like one: `server.prt`."""
    if token.quoted:
        return False
    first, dot, _ = token.text.partition(".")
    return find_key(token.text) is not None or bool(dot and first in _PARENTS)


def _key(token: Token) -> Key:
    if token.quoted:
        raise token.error("quoted-key")
    known = find_key(token.text)
    if known is None:
        raise token.error("unknown-key", similar=similar_keys(token.text), keys=COLUMNS)
    return known


_PARENTS: Final = ("client", "server", "handshake", "negotiated", "icmp", "diagnosis", "findings")
"""Keys that have keys of their own."""
