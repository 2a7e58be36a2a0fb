"""Blocks the signals that end a program while a step must not be interrupted."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ENDING: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""The signals that end a program, and that it can handle."""


@contextmanager
def signals_blocked() -> Iterator[None]:
    """Block SIGINT, SIGTERM and SIGHUP inside the `with` block; deliver them afterwards."""
    # Read first: a handler that raises while the mask changes would leave it changed.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    try:
        signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def start_thread(run: Callable[..., object], *arguments: object) -> threading.Thread:
    """Start a daemon thread that takes no signals, so that the main thread gets them all."""
    thread = threading.Thread(target=run, args=arguments, daemon=True)
    with signals_blocked():
        thread.start()
    return thread
