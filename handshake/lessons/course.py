"""The lessons after the first: what is played in each part, and which of it is told."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from handshake.endpoint.listening_socket import fast_open_cookie
from handshake.events import Role
from handshake.lessons.scene import Lesson
from handshake.lessons.script import (
    CLIENT,
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
from handshake.lessons.stage import played
from handshake.tcp import Offer, Seq

SECRET: Final = bytes(16)
ASKS: Final = replace(LINUX, fast_open=b"")
KNOWN: Final = replace(LINUX, fast_open=fast_open_cookie(CLIENT, SECRET))


def _lost(*drops: tuple[str, int]) -> Conditions:
    return Conditions(drops=frozenset(drops))


def _serves(offer: Offer) -> Conditions:
    """Return a server's host with other options."""
    return Conditions(offers=(LINUX, offer))


def _forged(name: str, at: float, seq: int) -> Call:
    return Call(name, at, Role.CLIENT, Action.FORGE, number=seq)


_FLOOD: Final = Call("flood", 0, Role.SERVER, Action.FLOOD, number=2)
_OPENED: Final = (connects(), accepts(0.1))
_CLOSES: Final = client(Action.CLOSE, 1)

PARTS: Final[dict[str, tuple[Part, ...]]] = {
    "control": (
        Part(
            "usual",
            (
                *_OPENED,
                client(Action.SEND, 0.5, b"GET"),
                server("server-sends", Action.SEND, 1, b"hello"),
            ),
            2,
        ),
    ),
    "loss": (
        Part("syn", (connects(),), 4, _lost(("syn", 1), ("syn", 2))),
        Part("answer", (connects(),), 4, _lost(("syn-ack", 1))),
        Part("ack", (connects(), accepts(3)), 2, _lost(("ack", 1))),
        Part("data", (connects(), client(Action.SEND, 0.2, b"GET")), 0.5, _lost(("ack", 1))),
        Part("never", (connects(),), 200, _lost(("syn", 0))),
    ),
    "refused": (
        Part("closed", (connects(),), 1, Conditions(closed=True)),
        Part("silent", (connects(),), 200, _lost(("syn", 0))),
        Part("prohibited", (connects(),), 1, Conditions(closed=True, icmp=13)),
        Part("late", (*_OPENED, server("server-aborts", Action.ABORT, 0.2)), 1),
    ),
    "close": (
        Part("usual", (*_OPENED, _CLOSES, server("server-closes", Action.CLOSE, 2)), 120),
        Part(
            "half",
            (
                *_OPENED,
                client(Action.SHUTDOWN, 1),
                server("server-sends", Action.SEND, 1.5, b"the answer"),
                server("server-closes", Action.CLOSE, 2),
            ),
            3,
        ),
        Part("both", (*_OPENED, _CLOSES, server("server-closes", Action.CLOSE, 1)), 2),
        Part("rst", (*_OPENED, _CLOSES, server("server-sends", Action.SEND, 2, b"too late")), 3),
    ),
    "half-open": (
        Part("usual", _OPENED, 1),
        Part("never", (connects(),), 70, _lost(("ack", 0))),
        Part("queue", (_FLOOD, connects(0.1)), 0.5, Conditions(backlog=1)),
        Part(
            "cookies",
            (_FLOOD, connects(0.1), accepts(0.3)),
            0.9,
            Conditions(backlog=1, cookies=True),
        ),
    ),
    "options": (
        Part("all", _OPENED, 0.3),
        Part(
            "small",
            (
                *_OPENED,
                client(Action.SEND, 0.5, b"x" * 1200),
                server("server-sends", Action.SEND, 1, b"x" * 1200),
            ),
            2,
            _serves(replace(LINUX, mss=536)),
        ),
        Part("unscaled", (connects(),), 0.3, _serves(replace(LINUX, window_scale=None))),
        Part("bare", (connects(),), 0.3, _serves(Offer(mss=1460))),
    ),
    "numbers": (
        Part(
            "wrap",
            (*_OPENED, client(Action.SEND, 0.5, b"0123456789")),
            1,
            Conditions(numbers=(Seq(4294967290), Seq(2718281828))),
        ),
        Part(
            "attack",
            (
                *_OPENED,
                _forged("forged-far", 1, 1000),
                _forged("forged-near", 2, 2718290000),
                _forged("forged-exact", 3, 2718281829),
            ),
            4,
            Conditions(numbers=(Seq(3141592653), Seq(2718281828))),
        ),
    ),
    "simultaneous": (
        Part(
            "both",
            (connects(), Call("server-connects", 0, Role.SERVER, Action.CONNECT)),
            0.5,
            Conditions(crossing=True),
        ),
    ),
    "fast-open": (
        Part(
            "first",
            _OPENED,
            0.5,
            Conditions(offers=(ASKS, LINUX), data=b"GET", fast_open=SECRET),
        ),
        Part(
            "again",
            (connects(), accepts(0), server("server-sends", Action.SEND, 0.02, b"hello")),
            0.5,
            Conditions(offers=(KNOWN, LINUX), data=b"GET", fast_open=SECRET),
        ),
        Part(
            "without",
            (connects(),),
            0.5,
            Conditions(offers=(KNOWN, LINUX), data=b"GET"),
        ),
    ),
}
"""What is played, by lesson; in the recommended order."""

_TOLD: Final = {
    "control": """
        usual.connect usual.syn usual.syn-arrives usual.syn-ack-arrives usual.ack-arrives
        usual.data usual.data-arrives usual.data-2-arrives
    """,
    "loss": """
        syn.syn syn.syn-again syn.syn-again-2-arrives syn.ack-arrives
        answer.syn-ack answer.syn-again-arrives answer.ack-arrives
        ack.ack ack.syn-ack-again-arrives ack.ack-again-arrives
        data.data-arrives
        never.client-gives-up
    """,
    "refused": """
        closed.connect closed.syn-arrives closed.rst closed.rst-arrives
        silent.syn silent.syn-again silent.client-gives-up
        prohibited.syn prohibited.icmp-arrives
        late.ack-arrives late.rst-arrives
    """,
    "close": """
        usual.fin usual.fin-arrives usual.ack-2-arrives usual.fin-2-arrives usual.ack-3-arrives
        usual.client-gives-up
        half.shutdown half.data-arrives
        both.fin-2 both.ack-3-arrives
        rst.rst-arrives
    """,
    "half-open": """
        usual.syn-arrives usual.ack-arrives usual.accept
        never.ack never.syn-ack-again-5 never.server-gives-up
        queue.flood queue.syn-arrives
        cookies.syn-ack cookies.ack-arrives
    """,
    "options": """
        all.syn all.syn-ack all.ack-arrives
        small.syn-ack-arrives small.data-3 small.data-4
        unscaled.syn-ack-arrives
        bare.syn-ack-arrives
    """,
    "numbers": """
        wrap.syn wrap.syn-ack wrap.data wrap.ack-2-arrives
        attack.ack-arrives attack.forged-far attack.ack-again-arrives attack.forged-exact
    """,
    "simultaneous": """
        both.connect both.syn-2 both.syn-arrives both.syn-ack-2 both.syn-ack-arrives
        both.syn-ack-2-arrives
    """,
    "fast-open": """
        first.syn first.syn-ack-arrives first.data-arrives
        again.syn again.accept again.syn-ack-arrives again.data-arrives
        without.syn-ack without.data-arrives
    """,
}
"""Which scenes are told, by lesson."""


def _lesson(name: str) -> Lesson:
    parts = PARTS[name]
    scenes = tuple(scene for part in parts for scene in played(part))
    known = {scene.name: scene for scene in scenes}
    told = tuple(known[each] for each in _TOLD[name].split())
    return Lesson(
        name, told, played=scenes, options=name == "options", tables=name == "control", parts=parts
    )


COURSE: Final = tuple(_lesson(name) for name in PARTS)
"""In the recommended order."""
