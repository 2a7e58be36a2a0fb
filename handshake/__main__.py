"""The program, `handshake` or `python -m handshake`: its start, and its end on signals."""

from __future__ import annotations

import gc
import os
import signal
import sys
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

_ENDING: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

_GRACE: Final = 3.0
"""Seconds for a clean exit: a closing terminal may send SIGHUP twice, so a second signal ends the
program at once only after this time."""

_SOON: Final = 0.001


def main() -> int:
    """Run the command line; return the exit code: 128 and its number after a signal.

    While modules are loaded there is nothing to clean up, and a signal ends the program at once: an
    exception might get lost there, or end in a traceback. Later a signal raises KeyboardInterrupt
    or SystemExit, so that all resources are released.
    """
    _handle_signals(_exit_at_once)
    # What modules hold is kept to the end: to look for garbage among it costs 10 ms.
    gc.set_threshold(50_000)
    from handshake.cli import main as run

    try:
        _handle_signals(_CleanExit())
        return run()
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else 1
    finally:
        _handle_signals(_exit_at_once)


def _handle_signals(handler: Callable[[int, FrameType | None], None]) -> None:
    """Install the handler for each signal that ends a program, unless the signal is ignored."""
    for number in _ENDING:
        # nohup ignores SIGHUP, and a shell ignores SIGINT for background jobs.
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, handler)


def _exit_at_once(number: int, _: FrameType | None) -> None:
    os._exit(128 + number)


class _Interrupted(KeyboardInterrupt):
    """SIGINT. With KeyboardInterrupt itself, Python would kill itself by SIGINT at the end."""


class _CleanExit:
    """Exits cleanly at the first signal, and at once at a later one after the grace period."""

    def __init__(self) -> None:
        self._number = 0
        self._since = 0.0
        signal.signal(signal.SIGALRM, lambda *_: self._exit())
        self._unraisable = sys.unraisablehook
        sys.unraisablehook = self._lost

    def __call__(self, number: int, _: FrameType | None) -> None:
        now = time.monotonic()
        if not self._number:
            self._number, self._since = number, now
            self._exit()
        if now - self._since > _GRACE:
            os._exit(128 + number)

    def _exit(self) -> None:
        if self._number == signal.SIGINT:
            raise _Interrupted
        raise SystemExit(128 + self._number)

    def _lost(self, about: sys.UnraisableHookArgs) -> None:
        """Exit a moment later if the exception was lost, as in a finalizer."""
        if isinstance(about.exc_value, KeyboardInterrupt | SystemExit):
            signal.setitimer(signal.ITIMER_REAL, _SOON)
        else:
            self._unraisable(about)


if __name__ == "__main__":
    raise SystemExit(main())
