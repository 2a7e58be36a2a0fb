"""The addresses of many targets: names are looked up ahead, several at once."""

from __future__ import annotations

import threading
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Final, TypeAlias

from handshake.endpoint.verdict import Verdict
from handshake.prober.result import Result, failed
from handshake.prober.target import Target, unusable
from handshake.tcp import Endpoint

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Iterable

_AT_ONCE: Final = 16
"""Names looked up at once."""

Entry: TypeAlias = tuple[Target, Endpoint] | Result


class Addresses:
    """Whom to call next; targets are taken as they are needed."""

    def __init__(self, targets: Iterable[Target], loop: asyncio.AbstractEventLoop) -> None:
        self.arrived: Callable[[], None] = lambda: None
        """Called when there is somebody to call, and there was not."""

        self._targets = iter(targets)
        self._loop = loop
        self._ready: deque[Entry] = deque()
        self._asked = 0
        self._exhausted = False
        self._error: Exception | None = None

    @property
    def over(self) -> bool:
        """Whether everybody has been called."""
        return self._exhausted and not (self._asked or self._ready or self._error)

    def next(self) -> Entry | None:
        """Return whom to call, or why nobody can be; None while there is nobody to be had."""
        if self._error is not None:
            raise self._error
        while not self._ready and not self._exhausted and self._asked < _AT_ONCE:
            target = next(self._targets, None)
            if target is None:
                self._exhausted = True
            elif target.is_address:
                self._ready.extend(_entries(target))
            else:
                self._asked += 1
                # Nobody waits for it at the end, however long a name server takes.
                threading.Thread(target=self._look_up, args=(target,), daemon=True).start()
        return self._ready.popleft() if self._ready else None

    def _look_up(self, target: Target) -> None:
        found: list[Entry] | Exception
        try:
            found = _entries(target)
        except Exception as error:  # a thread has nobody to raise to
            found = error
        with suppress(RuntimeError):  # the loop is closed: nobody is interested any more
            self._loop.call_soon_threadsafe(self._answered, found)

    def _answered(self, found: list[Entry] | Exception) -> None:
        self._asked -= 1
        if isinstance(found, Exception):
            self._error = found
        else:
            self._ready.extend(found)
        self.arrived()


def _entries(target: Target) -> list[Entry]:
    try:
        found = target.endpoints()
    except LookupError as error:
        return [failed(target, Verdict.NAME_ERROR, str(error))]
    return [entry(target, remote) for remote in found]


def entry(target: Target, remote: Endpoint) -> Entry:
    """Return whom to call at an address of a target, or why nobody can be there."""
    why = unusable(remote.address)
    if why is None:
        return target, remote
    # The kernel would take an unspecified address for this very machine.
    blocked = " (DNS filters answer so for blocked names)" if remote.address.is_unspecified else ""
    reason = f"{target.host}: {why}{blocked}"
    return failed(target, Verdict.NAME_ERROR, reason, remote)
