"""The ladder of a probe on a terminal while it runs, drawn again as each segment passes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from rich.console import Group
from rich.live import Live

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console

    from handshake.view.probe_live import LiveView


class LiveLadder:
    """What the screen shows until the probe ends; then it is erased."""

    def __init__(self, console: Console, view: Callable[[], LiveView]) -> None:
        self._console = console
        self._view = view
        # No thread draws: it would take the signals that end the program.
        self._live = Live(console=console, auto_refresh=False, transient=True)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def update(self) -> None:
        """Draw what is known now."""
        width, height = self._console.size
        self._live.update(Group(*self._view().lines(width, height)), refresh=True)
