"""Tells which rules need to be asked for connections alike: those that look at what differs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from handshake.diagnosis.case import Case
from handshake.diagnosis.others import Others
from handshake.diagnosis.seen import Seen

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from handshake.diagnosis.case import Claim
    from handshake.record import Record
    from handshake.tcp import Endpoint

_OWN: Final = frozenset({"frame", "at", "window", "ttl", "ident", "stamp", "echo"})
"""What segments have of their own; the numbers of those alike differ by a constant."""


class _Watch:
    """Notes whether anything was looked at in which connections alike differ."""

    looked = False


class _WatchedSeen(Seen):
    """A segment that notes it where one looks at what is its own."""

    watch: _Watch

    def __getattribute__(self, name: str) -> object:
        if name in _OWN:
            self.watch.looked = True
        return super().__getattribute__(name)


class _WatchedOthers(Others):
    """Other connections that note it where one looks at them."""

    watch: _Watch

    def __getattribute__(self, name: str) -> object:
        if name != "watch" and not name.startswith("_"):
            self.watch.looked = True
        return super().__getattribute__(name)


def looking(
    rules: Iterable[Callable[[Case], Claim | None]],
    record: Record,
    client: Endpoint,
    segments: Iterable[Seen],
) -> list[Callable[[Case], Claim | None]]:
    """Return the rules that may claim something of connections like this one.

    Alike are those of a client and another host whose few segments differ in frame, time, window,
    TTL, identification, the values of timestamps, and by a constant in their numbers. A rule that
    claims nothing, and has looked at nothing else, claims nothing of any of them.
    """
    found = []
    for rule in rules:
        watch, others = _Watch(), _WatchedOthers()
        others.watch = watch
        seen = [_WatchedSeen(*each) for each in segments]
        for each in seen:
            each.watch = watch
        claim = rule(Case(record, client, seen, [], complete=True, icmp=(), others=others))
        if claim is not None or watch.looked:
            found.append(rule)
    return found
