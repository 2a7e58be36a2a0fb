"""Parses filters: `outcome != established and handshake.rtt > 0.2` becomes a test."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

from handshake.query.compare import ORDER, comparison, contains, literal, membership
from handshake.query.keys import KEYS, SHORT, Key, similar_keys
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
_RESERVED: Final = (*_AND, *_OR, "not", "in", "contains")


def parse(text: str) -> Test:
    """Return the test of an expression. Raises UsageError that points at the mistake.

    A key alone is true if its value is known and neither false, 0 nor empty. A comparison
    with a list is true if it is true for any item.
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
        key = self._key()
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

    def _key(self) -> Key:
        token = self._value("key")
        if token.quoted:
            raise token.error("quoted-key")
        known = KEYS.get(token.text) or SHORT.get(token.text)
        if known is None:
            raise token.error("unknown-key", similar=similar_keys(token.text))
        return known

    def _compared(self, key: Key, sign: Token) -> Test:
        token = self._value("operand")
        other = None if token.quoted else KEYS.get(token.text)
        if other is None:
            return comparison(key, sign, literal(key, token))
        if (other.kind, other.is_address) != (key.kind, key.is_address):
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
