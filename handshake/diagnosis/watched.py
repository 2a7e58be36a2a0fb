"""Tells what a diagnosis looks at in which connections alike differ.

Alike are connections of a socket and another one whose few segments have the same options, control
bits and kinds of checksums, come in the same order, and echo each other's timestamps likewise. They
differ in frame, time, window, TTL, identification, the values of timestamps, and by a constant in
their numbers; and in what the rest of the capture shows of their hosts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from handshake.diagnosis.case import Case
from handshake.diagnosis.others import Others
from handshake.diagnosis.seen import Seen

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from handshake.diagnosis.case import Claim
    from handshake.diagnosis.others import Host
    from handshake.record import Record
    from handshake.tcp import Endpoint

_OWN: Final = frozenset({"frame", "at", "window", "ttl", "ident", "stamp", "echo"})
"""What segments have of their own."""

_ORDERED: Final = ("__lt__", "__le__", "__gt__", "__ge__")
_EQUAL: Final = ("__eq__", "__ne__")
_USES: Final = (
    *("__bool__", "__hash__", "__index__", "__int__", "__float__", "__str__", "__format__"),
    *("__add__", "__radd__", "__sub__", "__rsub__", "__neg__", "__and__", "__rand__"),
    *("__mul__", "__rmul__", "__floordiv__", "__rfloordiv__", "__truediv__", "__rtruediv__"),
    *("__mod__", "__rmod__", "__divmod__", "__or__", "__ror__", "__xor__", "__rxor__", "__abs__"),
    *("__lshift__", "__rlshift__", "__rshift__", "__rrshift__", "__invert__", "__repr__"),
)


class _Watch:
    """Notes whether anything was looked at in which connections alike differ."""

    looked = False


class _Own(int):
    """A number that a segment has of its own: it notes it where one looks at its value."""

    name: str
    watch: _Watch

    def is_told(self, other: object) -> bool:
        """Whether connections alike compare like this one: their times, and echoed timestamps."""
        if not isinstance(other, _Own):
            return False
        return {self.name, other.name} in ({"at"}, {"stamp", "echo"})


def _noting(name: str) -> Callable[..., Any]:
    of_int = getattr(int, name)

    def use(self: _Own, *others: Any) -> Any:
        same = name == "__sub__" and others[0] is self
        if not same and not (name in _ORDERED + _EQUAL and self.is_told(others[0])):
            self.watch.looked = True
        return of_int(self, *others)

    return use


for _name in (*_ORDERED, *_EQUAL, *_USES):
    setattr(_Own, _name, _noting(_name))


class _WatchedSeen(Seen):
    """A segment whose own numbers note it where one looks at them."""

    watch: _Watch
    known: frozenset[str]
    """What is known of all alike: it may be looked at."""

    def __getattribute__(self, name: str) -> object:
        value = super().__getattribute__(name)
        if name not in _OWN or value is None or name in self.known:
            return value
        own = self.__dict__.get(name)
        if own is None:
            own = self.__dict__[name] = _Own(value)
            own.name, own.watch = name, self.watch
        return own


class _WatchedOthers(Others):
    """Other connections that note it where one looks at them."""

    watch: _Watch

    def __getattribute__(self, name: str) -> object:
        if name != "watch" and not name.startswith("_"):
            self.watch.looked = True
        return super().__getattribute__(name)


def _watched(
    segments: Iterable[Seen], watch: _Watch, known: frozenset[str] = frozenset()
) -> list[Seen]:
    found: list[Seen] = []
    for each in segments:
        seen = _WatchedSeen(*each)
        seen.watch, seen.known = watch, known
        found.append(seen)
    return found


def looking(
    rules: Iterable[Callable[[Case], Claim | None]],
    record: Record,
    client: Endpoint,
    segments: Sequence[Seen],
) -> list[Callable[[Case], Claim | None]]:
    """Return the rules that may claim something of connections like this one.

    A rule that claims nothing, and has looked at nothing in which they differ, claims nothing of
    any of them.
    """
    found = []
    for rule in rules:
        watch, others = _Watch(), _WatchedOthers()
        others.watch = watch
        seen = _watched(segments, watch)
        claim = rule(Case.of(record, client, seen, others))
        if claim is not None or watch.looked:
            found.append(rule)
    return found


class _AskedOthers(Others):
    """Other connections that note which questions are asked of them."""

    def __init__(self, others: Others, record: Record) -> None:
        self._others, self._record = others, record
        self.questions_put: list[str] = []

    def __getattribute__(self, name: str) -> Any:
        if name.startswith("_") or name in ("questions_put", "host"):
            return super().__getattribute__(name)
        self.questions_put.append(name)
        return getattr(self._others, name)

    def host(self, address: str) -> Host | None:
        """Return what is known of a host."""
        end = "client" if address == self._record.client.address else "server"
        self.questions_put.append(end)
        return self._others.host(address)


class Told(NamedTuple):
    """What is claimed of a connection, and of which others, too."""

    claim: Claim | None
    alike: bool
    """Whether the same is claimed of those alike with the same TTLs, of which others tell the same
    in answer to these questions; if it goes from a host to itself, of those that do."""

    questions: frozenset[str]


def claimed(
    claim: Callable[[Case], Claim | None],
    record: Record,
    client: Endpoint,
    segments: Sequence[Seen],
    others: Others,
) -> Told:
    """Return what is claimed of a connection, and what that depends on."""
    watch, asked = _Watch(), _AskedOthers(others, record)
    seen = _watched(segments, watch, frozenset({"ttl"}))
    found = claim(Case.of(record, client, seen, asked))
    questions = frozenset(asked.questions_put)
    return Told(found, not watch.looked and others.questions >= questions, questions)
