"""The position in a replayed capture on a terminal, and what the keys do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from handshake.units import NS_PER_SECOND

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import RenderableType

    from handshake.events import Step
    from handshake.record import Record
    from handshake.survey.step_log import StepLog
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
    ) -> None:
        """Show these connections, or one that is still being read: `growing`, with its steps."""
        self._name = name
        self._connections = connections
        self._leaving = leaving
        """The label of q: quit, or back to the list."""

        self._speed = speed
        self._glyphs = signs
        self._connection = 0
        self._growing = growing
        """The connection that may get more steps; None once they are all known."""

        self._look()
        self._at = [0] * len(self._connections)
        """The current step of each connection."""

        self._relative = True
        self._octets = False
        self._pause = self._next_pause()

    @property
    def pause(self) -> float | None:
        """Seconds until `advance`; None to wait for a key."""
        return _OFTEN if self._pause is None and self._growing is not None else self._pause

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
        return plays or len(self._steps) > known or self._growing is not grows

    def press(self, key: str) -> bool:
        """Act on a key; return False to leave."""
        self._speed = self._pause = None  # any key stops playing
        match key:
            case "q" | "escape":
                return False
            case "right" | "space" | "enter":
                self._go(self._step + 1)
            case "left" | "backspace":
                self._go(self._step - 1)
            case "page-down":
                self._go(self._step + 10)
            case "page-up":
                self._go(self._step - 10)
            case "home":
                self._go(0)
            case "end":
                self._go(len(self._steps) - 1)
            case "down":
                self._connection = min(self._connection + 1, len(self._connections) - 1)
            case "up":
                self._connection = max(self._connection - 1, 0)
            case "x":
                self._octets = not self._octets
            case "r":
                self._relative = not self._relative
        return True

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
        )
        return screen.draw(width, height)

    def _look(self) -> None:
        """Take what has been read so far."""
        log = self._growing
        if log is not None:
            # Asked first: what follows then is the last.
            ended = log.ended
            self._connections = [log.now()]
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

    def _keys(self) -> str:
        signs = self._glyphs
        keys = [f"{signs.left}/{signs.becomes} step"]
        if len(self._connections) > 1:
            keys.append(f"{signs.up}/{signs.down} connection")
        keys += [
            "x explain" if self._octets else "x hex",
            f"r {'absolute' if self._relative else 'relative'} seq",
            f"q {self._leaving}",
        ]
        if self._growing is not None:
            keys.append(f"reading{signs.ellipsis}")
        return "  ".join(keys)
