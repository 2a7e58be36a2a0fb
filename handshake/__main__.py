"""The program, `handshake` or `python -m handshake`: how it begins, and how a signal ends it."""

from __future__ import annotations

import os
import signal
import sys
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

_ENDING: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

_IN_ORDER: Final = 3.0
"""Seconds to leave in: a terminal that is closed may hang up twice, and the second time means
nothing more. Who asks again after so long sees that it hangs."""

_SOON: Final = 0.001


def main() -> int:
    """Run the command line; return what to exit with: 128 and its number where a signal ended it.

    While its modules are loaded there is nothing to tidy up, and a signal ends it at once; an
    exception might get lost there, or come out as a traceback. Later it is left in order: by
    KeyboardInterrupt or SystemExit, through all that holds something.
    """
    _heed(_at_once)
    from handshake.cli import main as run

    try:
        _heed(_Leaving())
        return run()
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else 1
    finally:
        _heed(_at_once)


def _heed(handler: Callable[[int, FrameType | None], None]) -> None:
    """Let the handler take each signal that ends a program, but what was to be ignored."""
    for number in _ENDING:
        # nohup ignores one, and a shell that starts something in the background another.
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, handler)


def _at_once(number: int, _: FrameType | None) -> None:
    os._exit(128 + number)


class _Interrupted(KeyboardInterrupt):
    """SIGINT came. Of its own exception Python kills itself at the end, if it passed exec()."""


class _Leaving:
    """Leaves in order at the first signal, and at once at one that comes when that has failed."""

    def __init__(self) -> None:
        self._number = 0
        self._since = 0.0
        signal.signal(signal.SIGALRM, lambda *_: self._leave())
        self._unraisable = sys.unraisablehook
        sys.unraisablehook = self._lost

    def __call__(self, number: int, _: FrameType | None) -> None:
        now = time.monotonic()
        if not self._number:
            self._number, self._since = number, now
            self._leave()
        if now - self._since > _IN_ORDER:
            os._exit(128 + number)

    def _leave(self) -> None:
        if self._number == signal.SIGINT:
            raise _Interrupted
        raise SystemExit(128 + self._number)

    def _lost(self, about: sys.UnraisableHookArgs) -> None:
        """Leave a moment later where nobody could be told, as in a finalizer."""
        if isinstance(about.exc_value, KeyboardInterrupt | SystemExit):
            signal.setitimer(signal.ITIMER_REAL, _SOON)
        else:
            self._unraisable(about)


if __name__ == "__main__":
    raise SystemExit(main())
