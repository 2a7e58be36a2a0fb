"""The filter language: `outcome != established and handshake.rtt > 0.2` becomes a test."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

from handshake.query.compare import ORDER, comparison, contains, literal, membership
from handshake.query.keys import KEYS, SHORT, Key, near
from handshake.query.tokens import Word, words

if TYPE_CHECKING:
    from collections.abc import Callable

    from handshake.errors import UsageError
    from handshake.record import Record

Test: TypeAlias = "Callable[[Record], bool]"
"""Tells whether a record is one of those that were asked for."""

_DEEPEST: Final = 50
"""Parentheses and `not`s inside each other: no person writes more, and Python's stack ends."""

_AND: Final = ("and", "&&")
_OR: Final = ("or", "||")
_NOT: Final = ("not", "!")
_RESERVED: Final = (*_AND, *_OR, "not", "in", "contains")


def parse(text: str) -> Test:
    """Return the test that an expression asks for. Raises UsageError that points at what is wrong.

    A key alone is true where it is known and neither false, 0 nor empty. A comparison
    with a key that holds a list is true if it is for any of the list.
    """
    return _Parser(text).all()


class _Parser:
    def __init__(self, text: str) -> None:
        self._words = list(words(text))
        self._at = 0
        self._depth = 0

    @property
    def _next(self) -> Word:
        return self._words[self._at]

    def _take(self) -> Word:
        word = self._next
        self._at = min(self._at + 1, len(self._words) - 1)
        return word

    def _take_if(self, *texts: str) -> Word | None:
        is_one = not self._next.quoted and self._next.text in texts
        return self._take() if is_one else None

    def all(self) -> Test:
        test = self._any_of()
        rest = self._next
        if rest.text or rest.quoted:
            why = "nothing opens this" if rest.text in ")}" and rest.text else ""
            raise rest.wrong(why or "and, or or the end should stand here")
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
            raise opening.wrong(f"more than {_DEEPEST} parentheses and nots inside each other")
        if opening.text == "(":
            test = self._any_of()
            if not self._take_if(")"):
                raise self._next.wrong(f"the ( at column {opening.column} is not closed")
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
                raise sign.wrong("to compare, write ==")
            return self._compared(key, sign)
        if self._take_if("~", "contains"):
            word = self._value("a text to look for")
            return contains(key, word.text)
        if self._take_if("in"):
            return self._within(key)
        if self._next.text == "not" and not self._next.quoted:
            self._take()
            if not self._take_if("in"):
                raise self._next.wrong("after a key and not, in should stand here")
            inside = self._within(key)
            return lambda record: not inside(record)
        return lambda record: bool(key.get(record))

    def _key(self) -> Key:
        word = self._value("a key of the record, such as outcome or server.port")
        known = None if word.quoted else KEYS.get(word.text) or SHORT.get(word.text)
        if known is None:
            raise _no_such_key(word)
        return known

    def _compared(self, key: Key, sign: Word) -> Test:
        word = self._value("a key or a value")
        other = None if word.quoted else KEYS.get(word.text)
        if other is None:
            return comparison(key, sign, literal(key, word))
        if (other.kind, other.is_address) != (key.kind, key.is_address):
            raise word.wrong(f"it cannot be compared with {key.name}: they hold different things")
        return comparison(key, sign, other)

    def _within(self, key: Key) -> Test:
        opening = self._take_if("{")
        if opening is None:
            return membership(key, [self._value("a {set} or a network such as 10.0.0.0/8")])
        found = [self._value("a value")]
        while self._take_if(","):
            found.append(self._value("a value"))
        if not self._take_if("}"):
            raise self._next.wrong(f"the {{ at column {opening.column} is not closed")
        return membership(key, found)

    def _value(self, what: str) -> Word:
        word = self._next
        signs = not word.text or word.text[0] in "(){},=!<>~&|" or word.text in _RESERVED
        if signs and not word.quoted:
            raise word.wrong(f"{what} should stand here")
        return self._take()


def _no_such_key(word: Word) -> UsageError:
    if word.quoted:
        return word.wrong("a comparison begins with a key of the record, not with a text")
    meant = near(word.text)
    if not meant:
        return word.wrong("there is no such key: handshake list FILE --json shows them all")
    return word.wrong(f"there is no such key: perhaps {' or '.join(meant)}")
