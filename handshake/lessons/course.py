"""The lessons after the first: what is played in each, and which of it is told."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from handshake.events import Role
from handshake.lessons.scene import Lesson
from handshake.lessons.stage import CLIENT, SERVER, Conditions, Stage
from handshake.tcp import Flags, Offer, Segment, Seq

if TYPE_CHECKING:
    from handshake.lessons.scene import Scene


def _lost(*drops: tuple[str, int]) -> Stage:
    return Stage(Conditions(drops=frozenset(drops)))


def _part(name: str, scenes: tuple[Scene, ...]) -> tuple[Scene, ...]:
    return tuple(replace(each, part=name, name=f"{name}.{each.name}") for each in scenes)


def _lesson(name: str, told: tuple[str, ...], *parts: tuple[Scene, ...]) -> Lesson:
    """Return a lesson that tells the scenes with these names, of all that its parts play."""
    played = tuple(scene for part in parts for scene in part)
    known = {scene.name: scene for scene in played}
    return Lesson(name, tuple(known[each] for each in told), played=played)


def _loss() -> Lesson:
    syn = _lost(("syn", 1), ("syn", 2))
    syn.connect()
    answer = _lost(("syn-ack", 1))
    answer.connect()
    last = _lost(("ack", 1))
    last.connect()
    last.accept(3)
    mended = _lost(("ack", 1))
    mended.connect()
    mended.call("send", 0.2, Role.CLIENT, lambda at: mended.client.send(b"GET", at))
    never = Stage(Conditions(drops=frozenset({("syn", 0)})))
    never.connect()
    return _lesson(
        "loss",
        (
            "syn.syn",
            "syn.syn-again",
            "syn.syn-again-2-arrives",
            "syn.ack-arrives",
            "answer.syn-ack",
            "answer.syn-again-arrives",
            "answer.ack-arrives",
            "ack.ack",
            "ack.syn-ack-again-arrives",
            "ack.ack-again-arrives",
            "data.data-arrives",
            "never.client-gives-up",
        ),
        _part("syn", syn.play(4)),
        _part("answer", answer.play(4)),
        _part("ack", last.play(2)),
        _part("data", mended.play(0.5)),
        _part("never", never.play(200)),
    )


def _refused() -> Lesson:
    closed = Stage(Conditions(closed=True))
    closed.connect()
    silent = Stage(Conditions(drops=frozenset({("syn", 0)})))
    silent.connect()
    late = Stage()
    late.connect()
    late.accept(0.1)
    late.serve("server-aborts", 0.2, lambda end, at: end.abort(at))
    return _lesson(
        "refused",
        (
            "closed.connect",
            "closed.syn-arrives",
            "closed.rst",
            "closed.rst-arrives",
            "silent.syn",
            "silent.syn-again",
            "silent.client-gives-up",
            "late.ack-arrives",
            "late.rst-arrives",
        ),
        _part("closed", closed.play(1)),
        _part("silent", silent.play(200)),
        _part("late", late.play(1)),
    )


def _close() -> Lesson:
    usual = Stage()
    usual.connect()
    usual.accept(0.1)
    usual.call("close", 1, Role.CLIENT, usual.client.close)
    usual.serve("server-closes", 2, lambda end, at: end.close(at))
    half = Stage()
    half.connect()
    half.accept(0.1)
    half.call("shutdown", 1, Role.CLIENT, half.client.shutdown)
    half.serve("server-sends", 1.5, lambda end, at: end.send(b"the answer", at))
    half.serve("server-closes", 2, lambda end, at: end.close(at))
    both = Stage()
    both.connect()
    both.accept(0.1)
    both.call("close", 1, Role.CLIENT, both.client.close)
    both.serve("server-closes", 1, lambda end, at: end.close(at))
    rst = Stage()
    rst.connect()
    rst.accept(0.1)
    rst.call("close", 1, Role.CLIENT, rst.client.close)
    rst.serve("server-sends", 2, lambda end, at: end.send(b"too late", at))
    return _lesson(
        "close",
        (
            "usual.fin",
            "usual.fin-arrives",
            "usual.ack-2-arrives",
            "usual.fin-2-arrives",
            "usual.ack-3-arrives",
            "usual.client-gives-up",
            "half.shutdown",
            "half.data-arrives",
            "both.fin-2",
            "both.ack-3-arrives",
            "rst.rst-arrives",
        ),
        _part("usual", usual.play(120)),
        _part("half", half.play(3)),
        _part("both", both.play(2)),
        _part("rst", rst.play(3)),
    )


def _half_open() -> Lesson:
    usual = Stage()
    usual.connect()
    usual.accept(0.1)
    never = Stage(Conditions(drops=frozenset({("ack", 0)})))
    never.connect()
    queue = Stage(Conditions(backlog=1))
    queue.flood("flood", 0, 2)
    queue.connect(0.1)
    cookies = Stage(Conditions(backlog=1, cookies=True))
    cookies.flood("flood", 0, 2)
    cookies.connect(0.1)
    cookies.accept(0.3)
    return _lesson(
        "half-open",
        (
            "usual.syn-arrives",
            "usual.ack-arrives",
            "usual.accept",
            "never.ack",
            "never.syn-ack-again-5",
            "never.server-gives-up",
            "queue.flood",
            "queue.syn-arrives",
            "cookies.syn-ack",
            "cookies.ack-arrives",
        ),
        _part("usual", usual.play(1)),
        _part("never", never.play(70)),
        _part("queue", queue.play(0.5)),
        _part("cookies", cookies.play(0.9)),
    )


def _simultaneous() -> Lesson:
    crossing = Stage(Conditions(crossing=True))
    server = crossing.server
    assert server is not None
    crossing.connect()
    crossing.call("server-connects", 0, Role.SERVER, server.connect)
    return _lesson(
        "simultaneous",
        (
            "both.connect",
            "both.syn-2",
            "both.syn-arrives",
            "both.syn-ack-2",
            "both.syn-ack-arrives",
            "both.syn-ack-2-arrives",
        ),
        _part("both", crossing.play(0.5)),
    )


def _control() -> Lesson:
    usual = Stage()
    usual.connect()
    usual.accept(0.1)
    usual.call("send", 0.5, Role.CLIENT, lambda at: usual.client.send(b"GET", at))
    usual.serve("server-sends", 1, lambda end, at: end.send(b"hello", at))
    return _lesson(
        "control",
        (
            "usual.connect",
            "usual.syn",
            "usual.syn-arrives",
            "usual.syn-ack-arrives",
            "usual.ack-arrives",
            "usual.data",
            "usual.data-arrives",
            "usual.data-2-arrives",
        ),
        _part("usual", usual.play(2)),
    )


def _options() -> Lesson:
    all_of_them = Stage()
    all_of_them.connect()
    all_of_them.accept(0.1)
    linux = Conditions().offers[0]
    small = Stage(Conditions(offers=(linux, replace(linux, mss=536))))
    small.connect()
    small.accept(0.1)
    small.call("send", 0.5, Role.CLIENT, lambda at: small.client.send(b"x" * 1200, at))
    small.serve("server-sends", 1, lambda end, at: end.send(b"x" * 1200, at))
    unscaled = Stage(Conditions(offers=(linux, replace(linux, window_scale=None))))
    unscaled.connect()
    bare = Stage(Conditions(offers=(linux, Offer(mss=1460))))
    bare.connect()
    lesson = _lesson(
        "options",
        (
            "all.syn",
            "all.syn-ack",
            "all.ack-arrives",
            "small.syn-ack-arrives",
            "small.data-3",
            "small.data-4",
            "unscaled.syn-ack-arrives",
            "bare.syn-ack-arrives",
        ),
        _part("all", all_of_them.play(0.3)),
        _part("small", small.play(2)),
        _part("unscaled", unscaled.play(0.3)),
        _part("bare", bare.play(0.3)),
    )
    return replace(lesson, options=True)


def _numbers() -> Lesson:
    wrap = Stage(Conditions(numbers=(Seq(4294967290), Seq(2718281828))))
    wrap.connect()
    wrap.accept(0.1)
    wrap.call("send", 0.5, Role.CLIENT, lambda at: wrap.client.send(b"0123456789", at))
    attack = Stage(Conditions(numbers=(Seq(3141592653), Seq(2718281828))))
    attack.connect()
    attack.accept(0.1)

    def rst(seq: int) -> Segment:
        return Segment(SERVER, CLIENT, Seq(seq), None, Flags.RST, window=0)

    attack.forge("forged-far", 1, rst(1000))
    attack.forge("forged-near", 2, rst(2718290000))
    attack.forge("forged-exact", 3, rst(2718281829))
    return _lesson(
        "numbers",
        (
            "wrap.syn",
            "wrap.syn-ack",
            "wrap.data",
            "wrap.ack-2-arrives",
            "attack.ack-arrives",
            "attack.forged-far",
            "attack.ack-again-arrives",
            "attack.forged-exact",
        ),
        _part("wrap", wrap.play(1)),
        _part("attack", attack.play(4)),
    )


def _fast_open() -> Lesson:
    secret = bytes(16)
    linux = Conditions().offers[0]
    asks = replace(linux, fast_open=b"")
    first = Stage(Conditions(offers=(asks, linux), data=b"GET", fast_open=secret))
    first.connect()
    first.accept(0.1)
    known = replace(linux, fast_open=first.listener.cookie(CLIENT))
    again = Stage(Conditions(offers=(known, linux), data=b"GET", fast_open=secret))
    again.connect()
    again.accept(0.0143)
    again.serve("server-sends", 0.02, lambda end, at: end.send(b"hello", at))
    without = Stage(Conditions(offers=(known, linux), data=b"GET"))
    without.connect()
    return _lesson(
        "fast-open",
        (
            "first.syn",
            "first.syn-ack-arrives",
            "first.data-arrives",
            "again.syn",
            "again.accept",
            "again.syn-ack-arrives",
            "again.data-arrives",
            "without.syn-ack",
            "without.data-arrives",
        ),
        _part("first", first.play(0.5)),
        _part("again", again.play(0.5)),
        _part("without", without.play(0.5)),
    )


COURSE: Final = (
    _control(),
    _loss(),
    _refused(),
    _close(),
    _half_open(),
    _options(),
    _numbers(),
    _simultaneous(),
    _fast_open(),
)
"""In the recommended order."""
