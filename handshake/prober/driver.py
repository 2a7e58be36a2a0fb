"""The driver: waits for connections, starts new ones at a rate, and yields the results."""

from __future__ import annotations

import select
from typing import TYPE_CHECKING, Final, Protocol

from handshake.endpoint.options import MAX_WAIT
from handshake.linux.signals import signals_blocked
from handshake.prober.result import Result
from handshake.units import NS_PER_MS, NS_PER_SECOND

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from handshake.linux.clock import Clock
    from handshake.prober.resolver import Resolver
    from handshake.prober.target import Target
    from handshake.tcp import Endpoint

CONCURRENCY: Final = 32
"""Connections in progress at once, by default."""

_STARTING: Final = 5 * NS_PER_MS
"""How long connections are started in a row, in nanoseconds: then answers come first again."""

_BURST: Final = NS_PER_SECOND // 50
"""How far starts that fell behind the rate may catch up, in nanoseconds."""


class Connections(Protocol):
    """Connections in progress, in user space or of the kernel; they wait for nothing themselves.

    Signals are blocked while their methods run.
    """

    clock: Clock

    @property
    def active(self) -> int:
        """Connections in progress, plus results not yet taken."""

    @property
    def deadline(self) -> int | None:
        """When `on_timer` is due, in nanoseconds of `clock`; None if no timer runs."""

    def fileno(self) -> int:
        """Return the descriptor that is readable when there is something to receive."""

    def begin(self, target: Target, remote: Endpoint) -> object:
        """Start another connection; return its result if it cannot even be tried."""

    def receive(self) -> int:
        """Process what has arrived; return the time up to which all of it is processed."""

    def on_timer(self, now: int) -> None:
        """Do what is due by a time."""

    def results(self) -> Iterator[Result]:
        """Yield results of connections that have ended, some of them at least if there are any."""


class Driver:
    """Drives connections over one poll loop. A signal is handled between two rounds."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._poll = select.poll()
        self._registered = False

    def wait(self, until: int | None = None) -> None:
        """Wait until something arrives or is due, at most until a time and for `MAX_WAIT`."""
        connections = self._connections
        now = connections.clock.now()
        soonest = now + MAX_WAIT
        if until is not None:
            soonest = min(soonest, until)
        deadline = connections.deadline
        if deadline is not None:
            soonest = min(soonest, deadline)
        # Rounded up: to wake before it is due would be to wake twice.
        self._poll.poll(-(-max(0, soonest - now) // NS_PER_MS))

    def drive(self, ended: Callable[[], bool]) -> Iterator[None]:
        """Run the connections until `ended`; yield after each round."""
        self._register()
        while not ended():
            self.wait()
            with signals_blocked():
                self._connections.on_timer(self._connections.receive())
            yield

    def results(
        self, resolver: Resolver, concurrency: int = CONCURRENCY, rate: float | None = None
    ) -> Iterator[Result]:
        """Start a connection to each address and yield the results, in the order of their ends.

        At most `concurrency` are in progress at once; `rate` is how many start each second, None
        for no limit.
        """
        connections = self._connections
        interval = 0 if rate is None else round(NS_PER_SECOND / rate)
        self._poll.register(resolver.fileno(), select.POLLIN)
        next_at = 0
        while True:
            with signals_blocked():
                if self._registered:
                    connections.on_timer(connections.receive())
                found = list(connections.results())
                until = None
                began = now = connections.clock.now()
                # Results count until they are taken: that may take longer than a round trip, which
                # would then be measured wrong.
                while connections.active + len(found) < concurrency:
                    now = connections.clock.now()
                    if now < next_at:
                        until = next_at
                        break
                    if now - began > _STARTING:
                        until = now
                        break
                    entry = resolver.next()
                    if entry is None:
                        break
                    begun: object = entry
                    if not isinstance(entry, Result):
                        if interval:
                            next_at = max(next_at, now - _BURST) + interval
                        begun = connections.begin(*entry)
                    if isinstance(begun, Result):
                        found.append(begun)
                        continue
                    self._register()
                # A connection whose SYN cannot be sent ends as it begins.
                found += connections.results()
            yield from found
            if found:
                continue
            if resolver.exhausted and not connections.active:
                return
            self.wait(until)

    def _register(self) -> None:
        if not self._registered:
            self._registered = True
            self._poll.register(self._connections.fileno(), select.POLLIN)
