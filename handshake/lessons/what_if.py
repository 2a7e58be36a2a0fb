"""What if: the connection of a lesson under other conditions, played anew."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Final

from handshake.errors import UsageError
from handshake.events import Role
from handshake.lessons.course import ASKS, KNOWN, SECRET
from handshake.lessons.scene import Lesson, Moment
from handshake.lessons.script import (
    LINUX,
    Action,
    Call,
    Conditions,
    Part,
    accepts,
    client,
    connects,
    server,
)
from handshake.lessons.segment_names import KINDS, NUMBER
from handshake.lessons.stage import played
from handshake.tcp import Seq
from handshake.units import MODULUS, NS_PER_MS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from handshake.lessons.scene import Scene

NAME: Final = "what-if"

ENDS: Final = ("client", "server")

ICMP: Final = {
    "admin-prohibited": 13,
    "host-unreachable": 1,
    "net-unreachable": 0,
    "port-unreachable": 3,
}
"""By what a router may answer a SYN: the names of `--icmp`, and the codes (RFC 792, RFC 1812)."""

_UNTIL: Final = 200
"""Seconds after which every attempt has ended."""

_MOST_TOLD: Final = 15
_OFTEN: Final = 2
"""How often the same is told, where there is too much to tell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What is otherwise than in a lesson: by the names of the options that ask for it."""

    drop: tuple[str, ...] = ()
    """Segments that are lost, as `drops` reads them."""

    closed: bool = False
    """Whether no program listens."""

    icmp: str | None = None
    """By which error of `ICMP` a router answers; None if it lets everything pass."""

    rtt: float | None = None
    """The round trip, in milliseconds."""

    mss: tuple[str, ...] = ()
    """What an end states in its SYN: `536` (the client), `server:536`."""

    no_wscale: tuple[str, ...] = ()
    """The ends that do not offer it: of `ENDS`, as for the next two."""

    no_sack: tuple[str, ...] = ()
    no_timestamps: tuple[str, ...] = ()
    iss: tuple[str, ...] = ()
    """The initial sequence number of an end: `1000` (the client), `server:1000`."""

    forge: int | None = None
    """The sequence number of a RST that arrives at the client in the server's name."""

    syns: int | None = None
    """How many SYNs arrive before ours whose senders never answer."""

    backlog: int | None = None
    """The number that the server's program gives to listen()."""

    cookies: bool = False
    """Whether the server has SYN cookies."""

    no_cookie: bool = False
    """Whether the client has no Fast Open cookie yet, and asks for one."""

    no_fast_open: bool = False
    """Whether the server has no Fast Open."""

    @property
    def asked(self) -> tuple[str, ...]:
        """The names of what is changed."""
        return tuple(each.name for each in fields(self) if getattr(self, each.name) != each.default)


@dataclass(frozen=True, slots=True)
class WhatIf:
    """What can be changed in a lesson, and what is played then."""

    changes: tuple[str, ...]
    """Of the names of `Changes`."""

    calls: tuple[Call, ...]
    usual: Conditions = Conditions()  # noqa: RUF009 - it is frozen
    """What is not changed."""


_OPENING: Final = ("drop", "closed", "rtt", "mss", "no_wscale", "no_sack", "no_timestamps")
_OPENS: Final = (accepts(0), connects())
_AFTER: Final = {
    "control": (
        client(Action.SEND, 0.5, b"GET"),
        server("server-sends", Action.SEND, 1, b"hello"),
    ),
    "options": (
        client(Action.SEND, 0.5, b"x" * 1200),
        server("server-sends", Action.SEND, 1, b"x" * 1200),
    ),
    "close": (client(Action.CLOSE, 1), server("server-closes", Action.CLOSE, 2)),
}

WHAT_IF: Final[dict[str, WhatIf]] = {
    "connect": WhatIf(_OPENING, _OPENS),
    "control": WhatIf(_OPENING, (*_OPENS, *_AFTER["control"])),
    "loss": WhatIf(
        ("drop", "rtt"),
        (*_OPENS, client(Action.SEND, 0.2, b"GET")),
        Conditions(drops=frozenset({("syn", 1), ("syn", 2)})),
    ),
    "refused": WhatIf(("closed", "drop", "icmp", "rtt"), (connects(),), Conditions(closed=True)),
    "close": WhatIf(("drop", "rtt"), (*_OPENS, *_AFTER["close"])),
    "half-open": WhatIf(
        ("syns", "backlog", "cookies", "drop", "rtt"),
        (Call("flood", 0, Role.SERVER, Action.FLOOD, number=2), connects(0.1), accepts(0.3)),
        Conditions(backlog=1),
    ),
    "options": WhatIf(
        ("mss", "no_wscale", "no_sack", "no_timestamps", "rtt"), (*_OPENS, *_AFTER["options"])
    ),
    "numbers": WhatIf(
        ("iss", "forge"),
        (*_OPENS, client(Action.SEND, 0.5, b"0123456789")),
        Conditions(numbers=(Seq(3141592653), Seq(2718281828))),
    ),
    "simultaneous": WhatIf(
        ("drop", "rtt"),
        (connects(), Call("server-connects", 0, Role.SERVER, Action.CONNECT)),
        Conditions(crossing=True),
    ),
    "fast-open": WhatIf(
        ("no_cookie", "no_fast_open", "drop", "rtt"),
        (*_OPENS, server("server-sends", Action.SEND, 0.02, b"hello")),
        Conditions(offers=(KNOWN, LINUX), data=b"GET", fast_open=SECRET),
    ),
}
"""By lesson: what one can ask, and what its programs do."""


def what_if(changes: Changes, name: str = "connect") -> Lesson:
    """Return the connection of a lesson with these changes: a step for all that happens.

    Raises UsageError for what means nothing in this lesson, and for values that cannot be read.
    """
    known = WHAT_IF[name]
    wrong = [each for each in changes.asked if each not in known.changes]
    if wrong:
        options = {"options": [*map(option, wrong)], "allowed": [*map(option, known.changes)]}
        raise UsageError("demo.what-if", lesson=name, **options)
    part = Part("", _calls(changes, known), _UNTIL, _conditions(changes, known.usual))
    scenes = played(part)
    told = [each for each in scenes if each.moment is not Moment.LEAVES]
    told = _shorter(told)
    return Lesson(
        NAME,
        tuple(told),
        played=scenes,
        parts=(part,),
        options=name == "options",
        variant_of=name,
    )


def _shorter(told: list[Scene]) -> list[Scene]:
    """Return at most so many scenes as a lesson has: what happens again and again is left out."""
    seen: Counter[str] = Counter()
    repeated = []
    for each in told[:-_OFTEN]:
        kind = NUMBER.sub("", each.name)
        seen[kind] += 1
        if seen[kind] > _OFTEN and not each.moves:
            repeated.append(each)
    left_out = repeated[max(0, len(repeated) - (len(told) - _MOST_TOLD)) :] if repeated else []
    told = [each for each in told if len(told) <= _MOST_TOLD or each not in left_out]
    if len(told) > _MOST_TOLD:
        told = [*told[: _MOST_TOLD - 3], *told[-3:]]
    return told


def option(name: str) -> str:
    """Return the option of the command line by which one asks for a change."""
    return f"--{name.replace('_', '-')}"


def _calls(changes: Changes, known: WhatIf) -> tuple[Call, ...]:
    # Who asks what is lost wants to see that, and no flood besides.
    flood = 0 if changes.drop and changes.syns is None else changes.syns
    calls = tuple(
        replace(each, number=flood) if each.action is Action.FLOOD and flood is not None else each
        for each in known.calls
    )
    calls = tuple(each for each in calls if each.action is not Action.FLOOD or each.number)
    if changes.forge is not None:
        calls += (Call("forged", 1, Role.CLIENT, Action.FORGE, number=changes.forge),)
    return calls


def _conditions(changes: Changes, usual: Conditions) -> Conditions:
    mine, other = usual.offers
    mss, iss = _by_end("mss", changes.mss), _by_end("iss", changes.iss)
    no_wscale, no_sack, no_timestamps = (
        _ends(name, getattr(changes, name)) for name in ("no_wscale", "no_sack", "no_timestamps")
    )
    offers = [
        replace(
            offer,
            mss=mss.get(end, offer.mss),
            window_scale=None if end in no_wscale else offer.window_scale,
            sack_permitted=offer.sack_permitted and end not in no_sack,
            timestamps=offer.timestamps and end not in no_timestamps,
        )
        for end, offer in zip(ENDS, (mine, other), strict=True)
    ]
    if changes.no_cookie:
        offers[0] = replace(offers[0], fast_open=ASKS.fast_open)
    numbers = [Seq(iss.get(end, int(each))) for end, each in zip(ENDS, usual.numbers, strict=True)]
    return replace(
        usual,
        rtt=usual.rtt if changes.rtt is None else round(changes.rtt * NS_PER_MS),
        drops=drops(changes.drop) if changes.drop else usual.drops,
        closed=usual.closed or changes.closed,
        icmp=None if changes.icmp is None else _code(changes.icmp),
        backlog=usual.backlog if changes.backlog is None else changes.backlog,
        cookies=changes.cookies,
        offers=(offers[0], offers[1]),
        numbers=(numbers[0], numbers[1]),
        fast_open=b"" if changes.no_fast_open else usual.fast_open,
    )


_MOST: Final = {"mss": (1, 0xFFFF), "iss": (0, MODULUS - 1)}


def _by_end(name: str, words: Iterable[str]) -> dict[str, int]:
    """Return the numbers of the ends: `N` and `client:N` for the client, `server:N`."""
    least, most = _MOST[name]
    found = {}
    for word in words:
        end, _, number = word.rpartition(":")
        right = number.isascii() and number.isdecimal() and least <= int(number) <= most
        if end not in ("", *ENDS) or not right:
            raise UsageError("demo.by-end", option=option(name), value=word, least=least, most=most)
        found[end or ENDS[0]] = int(number)
    return found


def _ends(name: str, words: Iterable[str]) -> set[str]:
    """Return the ends that are named; `both` names both."""
    found: set[str] = set()
    for word in words:
        if word not in (*ENDS, "both"):
            raise UsageError("choice", option=option(name), value=word, choices=(*ENDS, "both"))
        found |= {*ENDS} if word == "both" else {word}
    return found


def _code(name: str) -> int:
    if name not in ICMP:
        raise UsageError("choice", option="--icmp", value=name, choices=tuple(ICMP))
    return ICMP[name]


def drops(words: Iterable[str]) -> frozenset[tuple[str, int]]:
    """Return the segments that `--drop` names: `syn` (the first), `syn:1,2`, `ack:all`.

    Raises UsageError for other words.
    """
    found: set[tuple[str, int]] = set()
    for word in words:
        name, _, which = word.partition(":")
        numbers = (which or "1").split(",")
        if name not in KINDS or not all(map(_is_which, numbers)):
            raise UsageError("demo.drop", value=word, kinds=list(KINDS))
        found |= {(name, 0 if each == "all" else int(each)) for each in numbers}
    return frozenset(found)


def _is_which(word: str) -> bool:
    return word == "all" or (word.isascii() and word.isdecimal() and int(word) > 0)
