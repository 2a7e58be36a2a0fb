"""Reads in a thread while the screen is drawn and keys are taken."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    from collections.abc import Callable

_PATIENCE: Final = 1.0
"""Seconds that the thread has to end: it may wait for a pipe in which nothing comes."""


class _StoppedError(Exception):
    """Ends the work."""


class Background:
    """Work in a thread of its own, which ends at the latest where the `with` block does."""

    def __init__(self, work: Callable[[], None]) -> None:
        self._work = work
        self._stopped = False
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Begin the work."""
        self._thread.start()

    def stop(self) -> None:
        """Let it end soon, and wait for that a while."""
        self._stopped = True
        self._thread.join(_PATIENCE)

    def go_on(self, *_: object) -> None:
        """Let the work go on, unless it shall end: it calls this now and then."""
        if self._stopped:
            raise _StoppedError

    def wait(self, seconds: float) -> bool:
        """Return whether the work is done, at the latest after so many seconds.

        Raises what it raised.
        """
        self._thread.join(seconds)
        if self._error is not None:
            raise self._error
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            self._work()
        except _StoppedError:
            pass
        except BaseException as error:
            self._error = error
