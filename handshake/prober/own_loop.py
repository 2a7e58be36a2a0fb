"""An event loop for those who have none, which a signal leaves in order."""

from __future__ import annotations

import asyncio
import signal
import threading
import time
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar

from handshake.prober.signals import ENDING

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Coroutine, Generator
    from types import FrameType

    from handshake.prober.result import Result

_T = TypeVar("_T")

_IN_ORDER: Final = 3.0
"""Seconds to leave in; a signal that comes later is handled wherever it finds us."""


def in_a_loop_of_its_own(
    batches: AsyncGenerator[list[Result], None],
) -> Generator[Result, None, None]:
    """Yield the results in these batches, for those who have no event loop."""
    with asyncio.Runner() as runner, _Signals(runner) as signals:
        try:
            while several := signals.run(_next(batches)):
                yield from several
        finally:
            signals.finish(_close(batches))


async def _next(batches: AsyncGenerator[list[Result], None]) -> list[Result]:
    return await anext(batches, [])


async def _close(batches: AsyncGenerator[list[Result], None]) -> None:
    await batches.aclose()


class _Signals:
    """Keeps signals from an event loop while it runs: what is raised in the middle breaks it.

    Who waits is cancelled instead, and the handler runs after that; but at once, where the loop
    does not run. `asyncio.Runner` does so for SIGINT, and only where nobody else handles it.
    """

    def __init__(self, runner: asyncio.Runner) -> None:
        self._runner = runner
        self._handlers: dict[int, Any] = {}
        self._running = False
        self._task: asyncio.Task[Any] | None = None
        self._came: tuple[int, FrameType | None] | None = None
        self._since = 0.0

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in ENDING:
                # What is ignored, or ends the process, has no handler that could run later.
                if callable(handler := signal.getsignal(number)):
                    self._handlers[number] = handler
                    signal.signal(number, self._take)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)

    def run(self, coroutine: Coroutine[Any, Any, _T]) -> _T:
        """Return what it does; a signal cancels it, and then is handled."""

        async def cancelled() -> _T:
            self._task = asyncio.current_task()
            try:
                if self._came is not None:
                    coroutine.close()
                    raise asyncio.CancelledError
                return await coroutine
            finally:
                self._task = None

        try:
            return self.finish(cancelled())
        except asyncio.CancelledError:
            self._handle()
            raise

    def finish(self, coroutine: Coroutine[Any, Any, _T]) -> _T:
        """Return what it does; a signal is handled after it."""
        self._running = True
        try:
            found = self._runner.run(coroutine)
        finally:
            self._running = False
        self._handle()
        return found

    def _take(self, number: int, frame: FrameType | None) -> None:
        if not self._running:
            self._handlers[number](number, frame)
            return
        now = time.monotonic()
        if self._came is None:
            self._since = now
        elif now - self._since > _IN_ORDER:
            self._handlers[number](number, frame)
        self._came = number, frame
        if self._task is not None:
            self._task.cancel()
            # The loop waits on: Python begins an interrupted wait again.
            self._runner.get_loop().call_soon_threadsafe(lambda: None)

    def _handle(self) -> None:
        if self._came is not None:
            came, self._came = self._came, None
            self._handlers[came[0]](*came)
