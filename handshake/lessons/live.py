"""Lets a real kernel play a lesson: starts the process of the stage, and hears what happens there.

with LiveRun(lesson.parts) as live:
    live.wait(...)
python -m handshake.lessons.live      # the process itself: parts on stdin, events on stdout
"""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from typing import IO, TYPE_CHECKING, Final, Self

from handshake.errors import HandshakeError, LocalError, system_error
from handshake.lessons.live_event import LiveEvent, LivePart, LiveScene

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from handshake.lessons.scene import Lesson
    from handshake.lessons.script import Part

_ENDS: Final = 5.0
"""Seconds in which the process ends by itself once it is told to."""


class LiveRun:
    """What a kernel does with the parts of a lesson, all at the same time, from now on."""

    def __init__(self, parts: Iterable[Part]) -> None:
        wanted = tuple(parts)
        self.parts: Final = {each.name: LivePart() for each in wanted}
        self.began: Final = time.monotonic()
        self.problem: HandshakeError | None = None
        """Why this machine does not allow it; None as long as it does."""

        self._news = threading.Condition(threading.RLock())
        self._process: subprocess.Popen[bytes] | None = None
        self._listener = threading.Thread(target=self._listen, daemon=True)
        try:
            self._process = subprocess.Popen(  # noqa: S603 - this program, once more
                [sys.executable, "-m", __name__],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
        except OSError as error:
            self.problem = LocalError("live.denied", why=system_error(error))
            return
        # A process that could not even begin is told of by the end of what it says.
        with suppress(BrokenPipeError):
            assert self._process.stdin is not None
            pickle.dump(wanted, self._process.stdin)
            self._process.stdin.flush()
        self._listener.start()

    @classmethod
    def of(cls, lesson: Lesson) -> Self:
        """Let real hosts play all of a lesson."""
        return cls((*lesson.parts, *lesson.asides))

    @property
    def seconds(self) -> float:
        """How long it has been going on."""
        return time.monotonic() - self.began

    def view(self, lesson: Lesson, index: int) -> LiveScene:
        """Return what is known of a scene of a lesson by now."""
        scene = lesson.scenes[index]
        if self.problem is not None:
            return LiveScene(problem=self.problem)
        part = self.parts[scene.part]
        with self._news:
            played = [each for each in lesson.played or lesson.scenes if each.part == scene.part]
            event = part.find(scene)
            after = next(
                (each for each in lesson.scenes[index + 1 :] if each.part == scene.part), None
            )
            until = None if after is None else part.find(after)
            extra = part.unexpected(played) if after is None and part.ended else []
            return LiveScene(
                event,
                part.differences(scene, played),
                part.returned(event, until),
                tuple(extra),
                waits=event is None and not part.ended,
                seconds=self.seconds,
            )

    def part(self, name: str) -> LivePart:
        """Return all that happens in a part, once it has ended."""
        found = self.parts[name]
        self.wait(lambda: found.ended)
        return found

    def wait_for(self, lesson: Lesson, index: int) -> LiveScene:
        """Return what is known of a scene once it has happened, or never will."""
        self.wait(lambda: not self.view(lesson, index).waits)
        return self.view(lesson, index)

    def wait(self, until: Callable[[], bool]) -> None:
        """Wait until something holds, or until nothing more can happen."""
        with self._news:
            self._news.wait_for(lambda: until() or self.ended)

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen."""
        return self.problem is not None or all(each.ended for each in self.parts.values())

    def _listen(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        said = self._process.stdout
        with suppress(EOFError, OSError, ValueError, pickle.UnpicklingError):
            while True:
                self._take(pickle.load(said))  # noqa: S301 - our own process says it
        with self._news:
            if not all(each.ended for each in self.parts.values()):
                self.problem = self.problem or LocalError("live.ended")
            self._news.notify_all()

    def _take(self, told: LiveEvent | str | tuple[str, dict[str, object]]) -> None:
        with self._news:
            if isinstance(told, LiveEvent):
                self.parts[told.part].events.append(told)
            elif isinstance(told, str):
                self.parts[told].ended = True
            else:
                code, values = told
                self.problem = LocalError(code, **values)
            self._news.notify_all()

    def close(self) -> None:
        """End it: nothing is left of the hosts."""
        if self._process is None:
            return
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        try:
            self._process.wait(_ENDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._listener.join()
        assert self._process.stdout is not None
        self._process.stdout.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _serve(asked: IO[bytes], out: IO[bytes]) -> None:
    """Play the parts that are asked for, until it is done or the other end closes."""

    def report(told: object) -> None:
        pickle.dump(told, out)
        out.flush()

    try:
        from handshake.lessons.live_parts import perform
        from handshake.linux.network_namespace import isolate

        parts = pickle.load(asked)  # noqa: S301 - our own process asks
        isolate()
        perform(parts, report, asked.fileno())
    except HandshakeError as error:
        report((error.code, error.values))
    except OSError as error:
        report(("live.denied", {"why": system_error(error)}))


def _main() -> None:
    # Control-C reaches every process of the terminal: the one that shows the lesson decides.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with suppress(BrokenPipeError):
        _serve(os.fdopen(0, "rb", buffering=0), os.fdopen(os.dup(1), "wb"))
    # A program of the lesson may still wait in a call: its thread does not hold us.
    os._exit(0)


if __name__ == "__main__":
    _main()
