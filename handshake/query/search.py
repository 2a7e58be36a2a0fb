"""Searches connections for a word: an address, a port, an outcome, the code of a finding."""

from __future__ import annotations

from ipaddress import ip_network
from typing import TYPE_CHECKING

from handshake.query.compare import ENDS, inside, place

if TYPE_CHECKING:
    from collections.abc import Callable

    from handshake.record import Record


def search(word: str) -> Callable[[Record], bool]:
    """Return the test whether a word is found in a connection.

    An address, an address with a port, a network and a port are compared as such. Any other word
    is a whole outcome or code, or else a part of one, or of an address.
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

    codes = ("outcome", "closed", "diagnosis.code", "findings.code")
    known = any(word in KEYS[each].words for each in codes)

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
