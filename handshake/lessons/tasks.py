"""Tasks for a student, and what proves that each is done: segments, and the kernel's sockets."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from handshake.lessons.text import joined, read_text
from handshake.tcp import State
from handshake.units import NS_PER_SECOND

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from handshake.tcp import Endpoint, Observed

TASKS: Final = ("listen", "rst", "syn-three-times", "half-open", "time-wait")
"""In the order in which they are asked."""

_THREE: Final = 3
_LONG: Final = NS_PER_SECOND
"""How long a half-open entry must last: for one that is completed it is a moment."""


@dataclass(frozen=True, slots=True)
class TaskText:
    """The text of a task in one language."""

    ask: str
    hints: tuple[str, ...]
    """Commands, or what to know."""

    confirmed: str
    """What proves it, with the values of the proof."""


@dataclass(frozen=True, slots=True)
class TasksText:
    """The texts of all tasks in one language."""

    title: str
    intro: str
    help: str
    done: str
    all: str
    left: str
    pipe: str
    tasks: dict[str, TaskText]


def tasks_text(language: str) -> TasksText:
    """Return the texts in one of `LANGUAGES`."""
    read = read_text("your-turn", language)
    tasks = {
        name: TaskText(each["ask"], tuple(each["hints"]), each["confirmed"])
        for name, each in read.pop("tasks").items()
    }
    return TasksText(**{name: joined(each) for name, each in read.items()}, tasks=tasks)


@dataclass
class TaskWatch:
    """Which tasks are done, by what was seen. Times are nanoseconds of one clock."""

    done: dict[str, dict[str, str]] = field(default_factory=dict)
    """The proof of each task that is done: the values that its text names."""

    _syns: dict[tuple[object, ...], list[int]] = field(
        init=False, default_factory=lambda: defaultdict(list)
    )
    _half_open: dict[tuple[Endpoint, Endpoint], int] = field(init=False, default_factory=dict)
    """When each half-open entry was seen first."""

    def passed(self, observed: Observed) -> None:
        """Take note of a segment that was sent."""
        seg = observed.segment
        if seg.rst:
            self._prove("rst", source=seg.source, destination=seg.destination)
        if seg.syn and seg.ack is None:
            sent = self._syns[seg.source, seg.destination, int(seg.seq)]
            sent.append(observed.at)
            if len(sent) >= _THREE:
                later = [f"{(at - sent[0]) / NS_PER_SECOND:.1f}" for at in sent[1:_THREE]]
                self._prove(
                    "syn-three-times",
                    seq=seg.seq,
                    destination=seg.destination,
                    times=", ".join(later),
                )

    def look(self, sockets: Iterable[tuple[State, Endpoint, Endpoint]], at: int) -> None:
        """Take note of the sockets that there are: state, local and remote end."""
        entries = set()
        for state, local, remote in sockets:
            if state is State.LISTEN:
                self._prove("listen", local=local)
            elif state is State.TIME_WAIT:
                self._prove("time-wait", local=local)
            elif state is State.SYN_RECEIVED:
                entries.add((local, remote))
        self._half_open = {each: self._half_open.get(each, at) for each in entries}
        for (local, remote), since in self._half_open.items():
            if at - since > _LONG:
                self._prove("half-open", local=local, remote=remote)

    def _prove(self, task: str, **values: object) -> None:
        self.done.setdefault(task, {name: str(value) for name, value in values.items()})


def listed(text: TasksText, done: Mapping[str, object], *, check: str, coming: str) -> list[str]:
    """Return the tasks as lines: which are done, and hints for the others."""
    lines = []
    for number, name in enumerate(TASKS, 1):
        each = text.tasks[name]
        lines.append(f" {check if name in done else coming} {number}. {each.ask}")
        if name not in done:
            lines += [f"       {hint}" for hint in each.hints]
    return lines
