"""What if: the connection of a lesson under other conditions, told by what happens then."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from handshake.errors import UsageError
from handshake.events import Role
from handshake.lessons.scene import Lesson, Moment
from handshake.lessons.script import Action, Part, accepts, client, connects, server
from handshake.lessons.segment_names import KINDS
from handshake.lessons.stage import played
from handshake.lessons.text import LessonText, shared_steps
from handshake.tcp import State
from handshake.units import NS_PER_SECOND

if TYPE_CHECKING:
    from collections.abc import Iterable

    from handshake.lessons.scene import Scene
    from handshake.lessons.script import Conditions
    from handshake.tcp import ControlBlock

NAME: Final = "what-if"

_UNTIL: Final = 200
"""Seconds after which every attempt has ended."""

_NUMBER: Final = re.compile(r"-\d+(?=-|$)")
_MOST_TOLD: Final = 15


_CALLS: Final = {
    "connect": (),
    "control": (
        client(Action.SEND, 0.5, b"GET"),
        server("server-sends", Action.SEND, 1, b"hello"),
    ),
    "close": (client(Action.CLOSE, 1), server("server-closes", Action.CLOSE, 2)),
}
"""What the programs do in the lessons of which one can ask what if, after the opening."""

WHAT_IF: Final = tuple(_CALLS)
"""The lessons of which one can ask what if. The openings of the others are that of the first."""


def what_if(conditions: Conditions, name: str = "connect") -> Lesson:
    """Return the connection of a lesson under these conditions: a step for all that happens."""
    part = Part("", (accepts(0), connects(), *_CALLS[name]), _UNTIL, conditions)
    scenes = played(part)
    told = [each for each in scenes if each.moment is not Moment.LEAVES]
    if len(told) > _MOST_TOLD:
        # How it begins and how it ends: between them the same happens again and again.
        told = [*told[: _MOST_TOLD - 3], *told[-3:]]
    return Lesson(NAME, tuple(told), played=scenes, parts=(part,))


def what_if_text(lesson: Lesson, language: str) -> LessonText:
    """Return the text of such a lesson."""
    read = shared_steps(language)
    steps = {}
    for scene in lesson.scenes:
        text = read.steps[_shared(scene)]
        values = _values(scene)
        steps[scene.name] = replace(
            text, title=text.title.format(**values), why=text.why.format(**values)
        )
    return LessonText(read.title, steps, ())


def drops(words: Iterable[str]) -> frozenset[tuple[str, int]]:
    """Return the segments that `--drop` names: `syn` (the first), `syn:1,2`, `ack:all`.

    Raises UsageError for other words.
    """
    found: set[tuple[str, int]] = set()
    for word in words:
        name, _, which = word.partition(":")
        numbers = (which or "1").split(",")
        if name not in KINDS or not all(each == "all" or each.isdecimal() for each in numbers):
            raise UsageError("demo.drop", value=word, kinds=list(KINDS))
        found |= {(name, 0 if each == "all" else int(each)) for each in numbers}
    return frozenset(found)


def _shared(scene: Scene) -> str:
    """Return the name of the text that all scenes of this kind share."""
    if scene.moment is Moment.ENDS:
        return _end(scene)
    name = _NUMBER.sub("", scene.name)
    if name in ("ack", "ack-arrives") and name != scene.name:
        name = f"later-{name}"  # the first one completes the handshake
    return f"{name}-lost" if scene.moment is Moment.LOST else name


def _end(scene: Scene) -> str:
    """Return the name of the text about a timer that ended something."""
    change = scene.client if scene.by is Role.CLIENT else scene.server
    before = None if change.before is None else change.before.state
    if before is State.TIME_WAIT:
        return "time-wait-ends"
    if before in (State.SYN_SENT, State.SYN_RECEIVED):
        return scene.name
    return "retransmission-ends"


def _values(scene: Scene) -> dict[str, str]:
    segment = scene.segment
    client, server = scene.client.after, scene.server.after
    return {
        "at": f"{scene.at / NS_PER_SECOND:.4g}",
        "seq": "" if segment is None else str(segment.seq),
        "ack": "" if segment is None else str(segment.ack),
        "client": "" if client is None else str(client.state),
        "server": "" if server is None else str(server.state),
        "agreed": "" if client is None else _agreed(client),
    }


def _agreed(block: ControlBlock) -> str:
    if not block.agreed:
        return ""
    found = [f"MSS {block.mss}"]
    found += [f"window scale {block.snd_shift}/{block.rcv_shift}"] if block.snd_shift else []
    found += ["SACK"] if block.sack else []
    found += ["timestamps"] if block.timestamps else []
    return ", ".join(found)
