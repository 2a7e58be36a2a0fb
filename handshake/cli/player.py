"""The position in a replayed capture on a terminal, and what the keys do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from handshake.cli.line_editor import LineEditor
from handshake.cli.with_export import Exported, exported_records
from handshake.messages import text
from handshake.units import NS_PER_SECOND
from handshake.view.header_octets import FIELDS
from handshake.view.help_page import HelpPage
from handshake.view.notation import headline, is_trouble
from handshake.view.prompt import Prompt

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rich.console import RenderableType

    from handshake.events import Step
    from handshake.record import Record
    from handshake.survey.follow.step_log import StepLog
    from handshake.view.glyphs import Glyphs
    from handshake.view.notation import Numbers

_LONGEST_PAUSE: Final = 2.0
"""The longest pause while playing, in seconds."""

_OFTEN: Final = 0.1
"""Seconds between two looks at how far reading has come."""


class Player:
    """The position in a capture on a terminal, and what the keys do."""

    def __init__(
        self,
        name: str,
        connections: Sequence[tuple[Record, Sequence[Step]]],
        speed: float | None,
        signs: Glyphs,
        leaving: str = "quit",
        growing: StepLog | None = None,
        *,
        follow: bool = False,
    ) -> None:
        """Show these connections, or one that is still being read: `growing`, with its steps.

        With `follow` its last step is shown, and the next ones as they come.
        """
        self._name = name
        self._connections = connections
        self._leaving = leaving
        """The label of q: quit, or back to the list."""

        self._speed = speed
        self._glyphs = signs
        self._connection = 0
        self._growing = growing
        """The connection that may get more steps; None once they are all known."""

        self._followed = growing if follow else None
        """The connection whose last step is shown."""

        self._at = [0]
        """The current step of each connection."""

        self._look()
        self._at = [self._at[0], *[0] * (len(self._connections) - 1)]
        self._relative = True
        self._octets = False
        self._field: int | None = None
        self._marked: int | None = None
        self._problem = ""
        self._editor: LineEditor | None = None
        self._searches: list[str] = []
        self._pause = self._next_pause()

    @property
    def pause(self) -> float | None:
        """Seconds until `advance`; None to wait for a key."""
        waits = self._growing is not None
        return _OFTEN if self._pause is None and waits else self._pause

    @property
    def _steps(self) -> Sequence[Step]:
        return self._connections[self._connection][1]

    @property
    def _step(self) -> int:
        return self._at[self._connection]

    def advance(self) -> bool:
        """Go to the next step while playing; take what has been read meanwhile."""
        plays, known = self._pause is not None, len(self._steps)
        if plays:
            self._go(self._step + 1)
        grows = self._growing
        self._look()
        self._pause = self._next_pause()
        grown = len(self._steps) > known or self._growing is not grows
        return plays or grown

    def press(self, key: str) -> bool:
        """Act on a key; return False to leave."""
        self._speed = self._pause = None  # any key stops playing
        self._problem = ""
        if self._editor is not None:
            self._type(self._editor, key)
            return True
        match key:
            case "q":
                return False
            case "escape":
                return self._undo()
            case "x":
                self._octets = not self._octets
            case "r":
                self._relative = not self._relative
            case "f" | "F":
                self._next_field(1 if key == "f" else -1)
            case "d":
                self._marked = None if self._marked is not None else self._step
            case "n" | "N":
                self._find(is_trouble, 1 if key == "n" else -1)
            case ":":
                self._editor = LineEditor("segment")
            case "/":
                self._editor = LineEditor("search", history=self._searches)
            case "[" | "]":
                last = len(self._connections) - 1
                at = self._connection + (1 if key == "]" else -1)
                self._connection, self._marked = max(0, min(at, last)), None
            case _:
                self._move(key)
        return True

    def _move(self, key: str) -> None:
        last = len(self._steps)
        by = dict.fromkeys(("right", "down", "space", "enter", "j", "l", "wheel-down"), 1)
        by |= dict.fromkeys(("left", "up", "backspace", "k", "h", "wheel-up"), -1)
        by |= {"page-down": 10, "page-up": -10, "home": -last, "g": -last, "end": last, "G": last}
        self._go(self._step + by.get(key, 0))

    def _undo(self) -> bool:
        """Undo one thing; return False to go back where there is a list, if nothing is left."""
        if self._field is not None:
            self._field = None
        elif self._marked is not None:
            self._marked = None
        elif self._octets:
            self._octets = False
        elif self._leaving == "back":
            return False
        else:
            self._problem = text("errors", "list.nothing-to-undo", {}, self._glyphs.language)
        return True

    def _next_field(self, by: int) -> None:
        known = self._field
        self._field = (known + by) % len(FIELDS) if known is not None else min(by, 0) % len(FIELDS)

    def _find(self, wanted: Callable[[Step], bool], by: int, problem: str = "") -> None:
        """Go to the next step in a direction that is wanted."""
        at = self._step + by
        while 0 <= at < len(self._steps):
            if wanted(self._steps[at]):
                self._go(at)
                return
            at += by
        say = self._glyphs.say
        self._problem = problem or say("problem.later" if by > 0 else "problem.earlier")

    def _type(self, editor: LineEditor, key: str) -> None:
        if key not in ("enter", "escape"):
            editor.press(key)
            return
        self._editor, typed = None, editor.text.strip()
        if key == "escape" or not typed:
            return
        if editor.label == "search":
            self._searches.append(typed)
            word = typed.casefold()
            missing = self._glyphs.say("problem.not-found", text=typed)
            self._find(lambda step: word in _said(step, self._glyphs), 1, missing)
        elif typed.isdecimal() and 0 < int(typed) <= len(self._steps):
            self._go(int(typed) - 1)
        else:
            count = len(self._steps)
            self._problem = self._glyphs.say("problem.segment", text=typed, count=count)

    @property
    def exported(self) -> Exported | None:
        """The connection, as a file."""
        record, steps = self._connections[self._connection]
        return exported_records(
            f"connection-{record.stream + 1}",
            [record],
            lambda _, most: steps[:most],
            language=self._glyphs.language,
        )

    @property
    def typing(self) -> bool:
        """Whether a text is typed."""
        return self._editor is not None

    def help_page(self) -> HelpPage:
        """Return the help on what is shown."""
        return HelpPage("connection", "ladder-marks", self._glyphs)

    def draw(self, width: int, height: int) -> RenderableType:
        """Return the screen, of this size."""
        from handshake.view.replay import Screen

        screen = Screen(
            record=self._connections[self._connection][0],
            steps=self._steps,
            at=self._step,
            numbers=self._numbers(),
            name=self._name,
            keys=self._keys(),
            octets=self._octets,
            glyphs=self._glyphs,
            field=self._field,
            marked=self._marked,
            problem=self._problem,
            notice=self._limit,
            prompt=None
            if self._editor is None
            else Prompt(self._editor.label, self._editor.text, self._editor.cursor),
        )
        return screen.draw(width, height)

    @property
    def _limit(self) -> str:
        """What is said where the steps of a connection that is followed have become too many."""
        log = self._followed
        return self._glyphs.say("watch.many", count=len(self._steps)) if log and log.more else ""

    def _look(self) -> None:
        """Take what has been read so far."""
        log = self._growing
        if log is not None:
            # Asked first: what follows then is the last.
            ended = log.ended
            at_end = not self._connections or self._step + 1 == len(self._steps)
            self._connections = [log.now()]
            if self._followed is not None and at_end:
                self._go(len(self._steps) - 1)
            self._growing = None if ended else log

    def _next_pause(self) -> float | None:
        """Return the seconds to the next step while playing; None otherwise."""
        if self._speed is None or self._step + 1 == len(self._steps):
            return None
        here, there = self._steps[self._step], self._steps[self._step + 1]
        took = (there.observed.at - here.observed.at) / NS_PER_SECOND / self._speed
        return min(max(0.0, took), _LONGEST_PAUSE)

    def _go(self, step: int) -> None:
        self._at[self._connection] = max(0, min(step, len(self._steps) - 1))

    def _numbers(self) -> Numbers:
        from handshake.view.notation import Numbers

        return Numbers.of(self._steps, relative=self._relative)

    def _keys(self) -> list[str]:
        signs, say = self._glyphs, self._glyphs.say
        keys = [say("keys.step", left=signs.left, right=signs.becomes)]
        if self._growing is not None:
            word = "reading" if self._followed is None else "watching"
            keys.append(say(f"keys.{word}", ellipsis=signs.ellipsis))
        if self._field is not None:
            keys += [say("keys.next-field"), say("keys.previous-field")]
        keys.append(say("keys.no-segments" if self._marked is not None else "keys.segments"))
        if self._field is None:
            keys.append(say("keys.field"))
        keys += [
            say("keys.explain" if self._octets else "keys.hex"),
            say("keys.problem"),
            say("keys.absolute" if self._relative else "keys.relative"),
        ]
        if len(self._connections) > 1 or self._leaving == "back":
            keys.append(say("keys.connection"))
        return [*keys, say("keys.export"), say("keys.help"), say(f"keys.{self._leaving}")]


def _said(step: Step, glyphs: Glyphs) -> str:
    """Return what is said of a step, to be searched."""
    codes = " ".join(event.code for event in step.events)
    fate = "" if step.fate is None else str(step.fate)
    return f"{headline(step, glyphs)} {codes} {fate} {step.said(glyphs.language)}".casefold()
