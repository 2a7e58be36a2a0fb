"""Searches connections for a word: an address, a port, an outcome, the code of a finding."""

from __future__ import annotations

import re
from difflib import get_close_matches
from ipaddress import ip_network
from typing import TYPE_CHECKING, Final

from handshake.query.compare import ENDS, inside, place

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from handshake.record import Record


_CODES: Final = ("outcome", "closed", "diagnosis.code", "findings.code")
"""Keys whose values are searched."""

_IN_ADDRESS: Final = re.compile(r"[0-9a-f.:]+(%.*)?", re.IGNORECASE)
"""What may be a part of an address."""


class UnknownWordError(LookupError):
    """No connection can have this word."""

    def __init__(self, similar: Sequence[str]) -> None:
        super().__init__(*similar)
        self.similar = similar
        """The words that it may stand for."""


def search(word: str) -> Callable[[Record], bool]:
    """Return the test whether a word is found in a connection.

    An address, an address with a port, a network and a port are compared as such. Any other word
    is a whole outcome or code, or else a part of one, or of an address; if it cannot be one,
    UnknownWordError is raised.
    """
    if word.isdecimal():
        return lambda record: int(word) in (record.client.port, record.server.port)
    if "/" in word:
        try:
            networks = [ip_network(word, strict=False)]
        except ValueError:
            pass
        else:
            return lambda record: any(inside(each(record), networks) for each in ENDS)
    wanted = place(word)
    if wanted is not None:
        return _at(wanted[:2], wanted[2] if len(wanted) > 2 else None)
    return _text(word.casefold())


def _at(address: tuple[int, ...], port: int | None) -> Callable[[Record], bool]:
    """Return the test whether an end has an address, and a port if there is one."""
    same: dict[str, bool] = {}
    """Whether a text is this address: each is read once."""

    def test(record: Record) -> bool:
        for get, end in zip(ENDS, (record.client, record.server), strict=True):
            known = same.get(end.address)
            if known is None:
                known = same[end.address] = get(record)[:2] == address
            if known and port in (None, end.port):
                return True
        return False

    return test


def _text(word: str) -> Callable[[Record], bool]:
    from handshake.query.keys import KEYS

    words = [each for code in _CODES for each in KEYS[code].words]
    known = word in words
    if not known and not any(word in each for each in words) and not _IN_ADDRESS.fullmatch(word):
        raise UnknownWordError(get_close_matches(word, dict.fromkeys(words)))

    def test(record: Record) -> bool:
        found = _codes(record)
        if known:
            return word in found
        ends = (record.client.address, record.server.address)
        return any(word in each for each in (*found, *ends))

    return test


def _codes(record: Record) -> list[str]:
    found = [record.outcome, *(each.code for each in record.findings)]
    if record.closed is not None:
        found.append(record.closed)
    if record.diagnosis is not None:
        found.append(record.diagnosis.code)
    return found
