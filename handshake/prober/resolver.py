"""The resolver: names to addresses, several at once, while connections are in progress."""

from __future__ import annotations

import os
import threading
from collections import deque
from contextlib import suppress
from functools import lru_cache
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Final, Self, TypeAlias

from handshake.endpoint.options import MAX_WAIT
from handshake.endpoint.outcome import Verdict
from handshake.errors import ResolveError
from handshake.linux.signals import start_thread
from handshake.prober.explanation import verdict_message
from handshake.prober.result import Result, failed
from handshake.prober.target import Target, unusable
from handshake.tcp import Endpoint
from handshake.units import NS_PER_SECOND

if TYPE_CHECKING:
    from collections.abc import Iterable

    from handshake.packet.checksum import Address

_AT_ONCE: Final = 16
"""Names looked up at once."""

Entry: TypeAlias = tuple[Target, Endpoint] | Result
"""An address of a target; or the result, if it has none or one that cannot be used."""

_Found: TypeAlias = tuple[Endpoint, ...] | Exception


class Resolver:
    """Resolves targets as they are needed. Close it after use."""

    def __init__(self, targets: Iterable[Target]) -> None:
        self._targets = iter(targets)
        self._answers: list[tuple[Target, _Found]] = []
        self._ready: deque[Entry] = deque()
        self._pending = 0
        self._taken_all = False
        self._lock = threading.Lock()
        self._event: int | None = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give up; lookups in progress end by themselves."""
        with self._lock:
            if self._event is not None:
                os.close(self._event)
            self._event = None

    def fileno(self) -> int:
        """Return the descriptor that is readable when a lookup has ended."""
        assert self._event is not None, "the resolver is closed"
        return self._event

    @property
    def exhausted(self) -> bool:
        """Whether `next` has returned every address of every target."""
        return self._taken_all and not (self._pending or self._ready)

    def next(self) -> Entry | None:
        """Return the next address or failed result; None if only pending lookups are left.

        Raises what went wrong in a lookup, unless it is a ResolveError: that is a result.
        """
        if self._pending:
            self._take_answers()
        while not self._ready and not self._taken_all and self._pending < _AT_ONCE:
            target = next(self._targets, None)
            if target is None:
                self._taken_all = True
            elif (remote := target.endpoint) is not None:
                return _entry(target, remote)
            else:
                self._pending += 1
                # A daemon: a name server that does not answer must not delay the end.
                start_thread(self._look_up, target)
        return self._ready.popleft() if self._ready else None

    def _look_up(self, target: Target) -> None:
        found = _lookup(target)
        with self._lock:
            if self._event is not None:
                self._answers.append((target, found))
                os.eventfd_write(self._event, 1)

    def _take_answers(self) -> None:
        with self._lock:
            answers = tuple(self._answers)
            if answers:
                self._answers.clear()
                os.eventfd_read(self.fileno())
        for target, found in answers:
            self._pending -= 1
            self._ready.extend(_entries(target, found))


def resolve(target: Target) -> list[Entry]:
    """Return the addresses of one target, IPv6 first, or why it has none."""
    try:
        return _entries(target, lookup(target))
    except ResolveError as error:
        return _entries(target, error)


def lookup(target: Target) -> tuple[Endpoint, ...]:
    """Return `target.endpoints()`, or raise what it raises.

    A thread asks: while a name server does not answer, signals are still handled.
    """
    if target.endpoint is not None:
        return (target.endpoint,)
    answers: SimpleQueue[_Found] = SimpleQueue()
    start_thread(lambda: answers.put(_lookup(target)))
    while True:
        with suppress(Empty):
            found = answers.get(timeout=MAX_WAIT / NS_PER_SECOND)
            break
    if isinstance(found, Exception):
        raise found
    return found


def _lookup(target: Target) -> _Found:
    try:
        return target.endpoints()
    except Exception as error:  # raised, or made a result, in the main thread
        return error


def _entries(target: Target, found: _Found) -> list[Entry]:
    if isinstance(found, ResolveError):
        return [failed(target, Verdict.NAME_ERROR, found.message)]
    if isinstance(found, Exception):
        raise found
    return [_entry(target, remote) for remote in found]


@lru_cache(1024)  # thousands of ports may have one address
def _global(address: Address) -> bool:
    """Whether a connection to the address is possible, through whatever interface."""
    return not address.is_link_local and unusable(address) is None


def _entry(target: Target, remote: Endpoint) -> Entry:
    """Return an address of a target, or the result if no connection to it is possible."""
    if _global(remote.address):
        return target, remote
    why = unusable(remote.address)
    if why is None:
        return target, remote
    # The kernel would take an unspecified address for this very machine.
    unspecified = remote.address.is_unspecified
    reason = verdict_message("unusable", host=target.host, why=why, unspecified=unspecified)
    return failed(target, Verdict.NAME_ERROR, reason, remote)
