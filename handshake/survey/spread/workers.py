"""Does work on many things in processes, and yields the results in the order of the things.

Workers are forked, so that the work need not be sent to them; a worker takes one thing after
another. Results come through a pipe for each worker, in batches. A worker that dies takes none of
the other things with it.
"""

from __future__ import annotations

import os
import pickle
import select
import signal
import struct
from collections import deque
from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from handshake.capture.open import Watch

    Work: TypeAlias = Callable[[int, Watch], Iterable[object]]

_TASK: Final = struct.Struct("<qq")
"""The number of a thing, and how many of its results are known already."""

_MESSAGE: Final = struct.Struct("<BQQ")
"""The kind of a message, a number, and the octets that follow."""

_RESULTS, _READ, _DONE, _FAILED = range(4)

_AT_A_TIME: Final = 256
"""Results in one message."""

_MOST_HELD: Final = 64 << 20
"""Octets of results that wait for those of an earlier thing; beyond it later ones must wait."""

_PIECE: Final = 1 << 18
_PATIENCE: Final = 100
"""Milliseconds to wait for results before `go_on` is asked again."""


class Died(NamedTuple):
    """Takes the place of results: the process that did the work was killed."""

    signal: str
    """`SIGKILL`, or what is known of its end."""

    again: bool
    """Whether the work is done again: only the results that are missing follow."""


class Workers:
    """A number of processes, and what they have yet to do."""

    def __init__(
        self, work: Work, count: int, jobs: int, *, may_repeat: Callable[[int], bool]
    ) -> None:
        """Do `work` on the things from 0 to `count` - 1, with at most `jobs` processes.

        If a process dies, its work is done again once if `may_repeat` allows that. Raises OSError
        if no process can be made.
        """
        self.ended = 0
        """How many things are done."""

        self._work = work
        self._count = count
        self._may_repeat = may_repeat
        self._todo = deque(range(count))
        self._workers: list[_Worker] = []
        self._waiting: dict[int, deque[bytes | Died | Exception]] = {}
        """Results by the number of the thing, as they came."""

        self._held = 0
        self._known: dict[int, int] = {}
        """How many results of a thing have come."""

        self._repeated: set[int] = set()
        self._done: set[int] = set()
        self._read: dict[int, Watch] = {}
        for _ in range(min(jobs, count)):
            if not self._hire() and not self._workers:
                raise OSError("no process can be made")

    def results(
        self, watch: Callable[[int], Watch], go_on: Callable[[], bool]
    ) -> Iterator[tuple[int, Any]]:
        """Yield the number of a thing and a result; `Died` in between, if a process died.

        `watch` returns what is told how far a thing is. `go_on` is asked ten times a second: where
        it says no, only what is complete is still returned.
        """
        head = 0
        try:
            while head < self._count and go_on():
                self._give(head)
                for each in self._taken(head):
                    yield head, each
                if head in self._done and not self._waiting.get(head):
                    head += 1
                    continue
                self._receive(head, watch)
            # Interrupted: the others are not complete.
            for at in range(head, self._count):
                if at == head or at in self._done:
                    for each in self._taken(at):
                        yield at, each
        finally:
            for worker in self._workers:
                worker.kill()

    def _hire(self) -> bool:
        """Make another process; return whether that was possible."""
        worker = _fork(self._work, [end for each in self._workers for end in each.ends])
        if worker is not None:
            self._workers.append(worker)
        return worker is not None

    def _give(self, head: int) -> None:
        """Give each process that has nothing to do its next thing."""
        for worker in [each for each in self._workers if each.thing is None]:
            if not self._todo or (self._todo[0] != head and self._held > _MOST_HELD):
                return
            thing = self._todo.popleft()
            if worker.give(thing, self._known.get(thing, 0)):
                continue
            self._todo.appendleft(thing)
            self._bury(worker)

    def _taken(self, thing: int) -> Iterator[Any]:
        waiting = self._waiting.get(thing)
        while waiting:
            batch = waiting.popleft()
            if isinstance(batch, Exception):
                raise batch
            if isinstance(batch, Died):
                yield batch
                continue
            self._held -= len(batch)
            yield from pickle.loads(batch)  # noqa: S301 - our own process wrote it

    def _receive(self, head: int, watch: Callable[[int], Watch]) -> None:
        """Wait until a process has something to say, but not long."""
        much = self._held > _MOST_HELD and any(each.thing == head for each in self._workers)
        heard = {each.results: each for each in self._workers if each.thing == head or not much}
        poll = select.poll()
        for each in heard:
            poll.register(each, select.POLLIN)
        for ready, _ in poll.poll(_PATIENCE):
            worker = heard[ready]
            for kind, number, body in worker.messages():
                self._take(worker, kind, number, body, watch)
            if worker.dead:
                self._bury(worker)

    def _take(
        self, worker: _Worker, kind: int, number: int, body: bytes, watch: Callable[[int], Watch]
    ) -> None:
        thing = worker.thing
        assert thing is not None
        if kind == _RESULTS:
            self._waiting.setdefault(thing, deque()).append(body)
            self._held += len(body)
            self._known[thing] = self._known.get(thing, 0) + number
        elif kind == _READ:
            watch(thing)(number, int.from_bytes(body, "little"))
        else:
            if kind == _FAILED:
                error = pickle.loads(body)  # noqa: S301 - our own process wrote it
                self._waiting.setdefault(thing, deque()).append(error)
            worker.thing = None
            self._end(thing)

    def _end(self, thing: int) -> None:
        self._done.add(thing)
        self.ended += 1

    def _bury(self, worker: _Worker) -> None:
        """Find out how a process died, and let another one do its work."""
        self._workers.remove(worker)
        cause, thing = worker.buried(), worker.thing
        if thing is not None:
            again = self._may_repeat(thing) and thing not in self._repeated
            self._repeated.add(thing)
            self._waiting.setdefault(thing, deque()).append(Died(cause, again))
            if again:
                self._todo.appendleft(thing)
            else:
                self._end(thing)
        if self._todo and not self._hire() and not self._workers:
            raise OSError("no process can be made")


class _Worker:
    """One process, as the one that forked it sees it."""

    def __init__(self, process: int, tasks: int, results: int) -> None:
        self.thing: int | None = None
        """What it works on."""

        self.results = results
        self.dead = False
        self._process = process
        self._tasks = tasks
        self._buffer = bytearray()

    @property
    def ends(self) -> tuple[int, int]:
        """The ends of its pipes that this process holds."""
        return self._tasks, self.results

    def give(self, thing: int, known: int) -> bool:
        """Let it work on a thing; return whether it takes it."""
        try:
            os.write(self._tasks, _TASK.pack(thing, known))
        except BrokenPipeError:
            return False
        self.thing = thing
        return True

    def messages(self) -> Iterator[tuple[int, int, bytes]]:
        """Yield what it has sent: kind, number and body."""
        piece = os.read(self.results, _PIECE)
        self.dead = not piece
        buffer = self._buffer
        buffer += piece
        at, head = 0, _MESSAGE.size
        while len(buffer) >= at + head:
            kind, number, size = _MESSAGE.unpack_from(buffer, at)
            if len(buffer) < at + head + size:
                break
            at += head + size
            yield kind, number, bytes(memoryview(buffer)[at - size : at])
        del buffer[:at]

    def buried(self) -> str:
        """Return how it ended, after it has."""
        for each in self.ends:
            os.close(each)
        _, status = os.waitpid(self._process, 0)
        code = os.waitstatus_to_exitcode(status)
        with suppress(ValueError):
            return signal.Signals(-code).name
        return f"exit code {code}"

    def kill(self) -> None:
        """End it at once."""
        os.kill(self._process, signal.SIGKILL)
        self.buried()


def _fork(work: Work, others: list[int]) -> _Worker | None:
    """Return a new process; None if there can be no more. `others` are the ends of its siblings."""
    tasks, give = os.pipe()
    results, send = os.pipe()
    try:
        process = os.fork()
    except OSError:
        for each in (tasks, give, results, send):
            os.close(each)
        return None
    if process:
        os.close(tasks)
        os.close(send)
        return _Worker(process, give, results)
    # The child must never return into its parent's code, whatever happens.
    try:
        # The parent decides when work ends; if the parent is gone, the pipes are closed.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE):
            signal.signal(number, signal.SIG_DFL)
        for each in (give, results, *others):
            os.close(each)
        while len(task := os.read(tasks, _TASK.size)) == _TASK.size:
            _Results(send).do(work, *_TASK.unpack(task))
    finally:
        os._exit(0)


class _Results:
    """Sends the results of one thing, from the process that works on it."""

    def __init__(self, pipe: int) -> None:
        self._pipe = pipe
        self._batch: list[object] = []
        self._told = 0

    def do(self, work: Work, thing: int, known: int) -> None:
        """Work, and send what is not `known`."""
        try:
            for each in islice(work(thing, self._watch), known, None):
                self._batch.append(each)
                if len(self._batch) == _AT_A_TIME:
                    self._flush()
        except Exception as error:
            self._flush()
            self._send(_FAILED, 0, pickle.dumps(error))
        else:
            self._flush()
            self._send(_DONE, 0, b"")

    def _watch(self, octets: int, packets: int) -> None:
        # Before more is read, which may take long where the file is a pipe.
        self._flush()
        if octets > self._told:
            self._told = octets
            self._send(_READ, octets, packets.to_bytes(8, "little"))

    def _flush(self) -> None:
        if self._batch:
            body = pickle.dumps(self._batch, pickle.HIGHEST_PROTOCOL)
            self._send(_RESULTS, len(self._batch), body)
            self._batch.clear()

    def _send(self, kind: int, number: int, body: bytes) -> None:
        rest = memoryview(_MESSAGE.pack(kind, number, len(body)) + body)
        while rest:
            rest = rest[os.write(self._pipe, rest) :]
