"""Does work on the workers of a Dask cluster, and returns the results in the order of the work.

The scheduler gives the work of a worker that dies to another one. Results that wait for those
before them wait on the workers.
"""

from __future__ import annotations

import re
import threading
import time
from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, TypeVar

from handshake.errors import LocalError, UsageError
from handshake.library import required

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

_Result = TypeVar("_Result")

_ADDRESS: Final = re.compile(r"[a-z]+://[^/\s]+:\d+/?")

CONNECT: Final = 10.0
"""Seconds to wait for the scheduler."""

NO_WORKERS: Final = 30.0
"""Seconds to wait while the scheduler has no worker."""

_OFTEN: Final = 0.2
"""Seconds after which `go_on` is asked again."""

_AHEAD: Final = 4
"""Pieces of work that are given out, for each thread of the workers."""


def check(address: str) -> None:
    """Raise UsageError if an address is not that of a scheduler, or if Dask is not installed."""
    if _ADDRESS.fullmatch(address) is None:
        raise UsageError("cluster.address", address=address)
    required("distributed", "--scheduler", "cluster")


def on_workers(
    address: str, work: Sequence[Callable[[], _Result]], go_on: Callable[[], bool]
) -> Iterator[tuple[int, _Result | None]]:
    """Yield the number of each piece of work and its result, in order.

    The result is None where every worker that had it died. `go_on` is asked while waiting: where
    it says no, only results that are there are still returned. Raises LocalError if the scheduler
    cannot be reached, or has no workers for long.
    """
    with _quiet(), _client(address) as client:
        waiting: deque[tuple[int, Any]] = deque()
        begun = 0
        while waiting or begun < len(work):
            most = max(1, _AHEAD * _threads(client, address))
            while go_on() and begun < len(work) and len(waiting) < most:
                waiting.append((begun, client.submit(work[begun], pure=False)))
                begun += 1
            if not waiting:
                return
            at, future = waiting.popleft()
            if _is_done(client, address, future, go_on):
                yield at, _result(address, future)


def _is_done(client: Any, address: str, future: Any, go_on: Callable[[], bool]) -> bool:
    """Wait for a result; return whether it is there."""
    done = threading.Event()
    future.add_done_callback(lambda _: done.set())
    alone = None
    while not future.done():
        if client.status != "running":
            raise LocalError("cluster.lost", address=address)
        if not go_on():
            return False
        done.wait(_OFTEN)
        now = time.monotonic()
        alone = None if _threads(client, address) else alone or now
        if alone is not None and now - alone > NO_WORKERS:
            raise LocalError("cluster.no-workers", address=address, seconds=int(NO_WORKERS))
    return True


def _threads(client: Any, address: str) -> int:
    """Return how many threads the workers have together."""
    try:
        return sum(client.nthreads().values())
    except OSError:
        raise LocalError("cluster.lost", address=address) from None


def _result(address: str, future: Any) -> Any:
    from distributed import KilledWorker

    if future.status not in ("finished", "error"):
        raise LocalError("cluster.lost", address=address)
    try:
        return future.result()
    except KilledWorker:
        return None
    except (ImportError, AttributeError) as error:
        raise LocalError("cluster.other-version", why=error) from error
    except RuntimeError as error:
        # The scheduler could not read the work: it has no handshake, or another one.
        if "deserialization" not in str(error):
            raise
        raise LocalError("cluster.other-version", why=error.__cause__ or error) from error


@contextmanager
def _client(address: str) -> Iterator[Any]:
    from distributed import Client

    try:
        client = Client(address, timeout=CONNECT, set_as_default=False)
    except (OSError, TimeoutError, ValueError) as error:
        raise LocalError("cluster.unreachable", address=address, seconds=CONNECT) from error
    try:
        yield client
    finally:
        client.close(timeout=1)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep Dask from logging what is an error of ours."""
    import logging

    import distributed  # noqa: F401 - it sets the levels of its logs

    names = [each for each in logging.root.manager.loggerDict if each.startswith("distributed")]
    levels = {name: logging.getLogger(name).level for name in names}
    for name in names:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)
