"""Divides work between this process and a forked one."""

from __future__ import annotations

import gc
import os
import signal
import sys
import threading
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Sequence
    from io import BufferedReader

_Thing = TypeVar("_Thing")
_Result = TypeVar("_Result")

_AT_A_TIME = 256
"""Results in one message."""


def in_halves(
    work: Callable[[_Thing], _Result], things: Sequence[_Thing], *, share: bool
) -> Generator[_Result, None, None]:
    """Yield the result of `work` for each thing, in order; with `share`, half in a forked process.

    What `work` changes in that process is lost. Without fork, or a second processor, this
    process does all.
    """
    middle = (len(things) + 1) // 2
    child = _fork(work, things[middle:]) if share and may_fork() and processors() > 1 else None
    if child is None:
        yield from map(work, things)
        return
    process, results = child
    done = middle
    try:
        with os.fdopen(results, "rb") as pipe:
            yield from map(work, things[:middle])
            for batch in _batches(pipe):
                done += len(batch)
                yield from batch
    finally:
        # The consumer may stop early.
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)
    # If the child died, most likely of lack of memory, do the rest here.
    yield from map(work, things[done:])


def may_fork() -> bool:
    """Whether this process can be forked; other threads would be missing in the child."""
    return sys.platform == "linux" and threading.active_count() == 1


def processors() -> int:
    """Return how many processors this process may use."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _fork(work: Callable[[_Thing], _Result], things: Sequence[_Thing]) -> tuple[int, int] | None:
    results, out = os.pipe()
    try:
        process = os.fork()
    except OSError:
        os.close(results)
        os.close(out)
        return None
    if process:
        os.close(out)
        return process, results
    # The child must never return into its parent's code, whatever happens.
    try:
        import pickle

        gc.disable()
        os.close(results)
        made = map(work, things)
        packed = []
        while batch := list(islice(made, _AT_A_TIME)):
            packed.append(pickle.dumps(batch, pickle.HIGHEST_PROTOCOL))
        # Only now: the parent does not read before it has done its own half.
        with os.fdopen(out, "wb") as pipe:
            pipe.writelines(packed)
    finally:
        os._exit(0)


def _batches(pipe: BufferedReader) -> Iterator[list[Any]]:
    import pickle

    while True:
        try:
            yield pickle.load(pipe)  # noqa: S301 - our own child wrote it
        except (EOFError, pickle.UnpicklingError):
            return
