"""Probes without any privilege: the kernel makes the calls, and is asked what became of them."""

from __future__ import annotations

import asyncio
import select
from functools import partial
from typing import TYPE_CHECKING

from handshake.endpoint.options import ClientOptions
from handshake.endpoint.timeouts import MAX_WAIT, Timeouts
from handshake.prober.own_loop import in_a_loop_of_its_own
from handshake.prober.pace import CONCURRENCY, Pace, one_by_one
from handshake.prober.resolver import Addresses
from handshake.prober.result import Result
from handshake.prober.signals import signals_blocked
from handshake.units import NS_PER_MS

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator, Iterable, Iterator

    from handshake.prober.kernel.connections import KernelConnections
    from handshake.prober.target import Target
    from handshake.tcp import Endpoint


class ConnectEngine:
    """Calls many targets at once by connect(), each address of each: `Engine` without privilege.

    What the kernel does not tell is None: the answer's time to live, and every segment. When it
    sends a SYN again is its own choice; `Timeouts.rto` is not asked for, and `Timeouts.retries`
    is what it aims at. `Result.rtt` is the kernel's own, but of a refusal it is measured here.
    """

    def __init__(
        self,
        *,
        concurrency: int = CONCURRENCY,
        rate: float | None = None,
        timeouts: Timeouts | None = None,
        options: ClientOptions | None = None,
    ) -> None:
        self._concurrency = concurrency
        self._rate = rate
        self._timeouts = timeouts or Timeouts()
        self._options = options

    def run(self, targets: Iterable[Target]) -> AsyncGenerator[Result, None]:
        """Return the results as calls end; of a name's addresses IPv6 is called first.

        Targets are taken as they are needed, and nothing is kept of a call that has ended.
        Raises LocalError where there are too many sockets.
        """
        return one_by_one(self.batches(targets))

    async def batches(self, targets: Iterable[Target]) -> AsyncGenerator[list[Result], None]:
        """Yield the same results, all at once that have come in since the last time."""
        loop = asyncio.get_running_loop()
        with _calls(self._timeouts, self._options) as calls:
            ended = partial(_results, calls)
            run = Pace(calls, ended, Addresses(targets, loop), self._concurrency, self._rate)
            try:
                while (found := await run.results()) is not None:
                    yield found
            finally:
                run.close()


def connect_all(
    targets: Iterable[Target],
    *,
    concurrency: int = CONCURRENCY,
    rate: float | None = None,
    timeouts: Timeouts | None = None,
    options: ClientOptions | None = None,
) -> Generator[Result, None, None]:
    """Yield what `ConnectEngine.run` does, for those who have no event loop of their own."""
    engine = ConnectEngine(concurrency=concurrency, rate=rate, timeouts=timeouts, options=options)
    yield from in_a_loop_of_its_own(engine.batches(targets))


def connect(
    target: Target,
    remote: Endpoint,
    *,
    timeouts: Timeouts | None = None,
    options: ClientOptions | None = None,
) -> Result:
    """Return what became of one call, to one address of the target."""
    with _calls(timeouts or Timeouts(), options) as calls:
        with signals_blocked():
            found = calls.begin(target, remote)
        arrivals = select.poll()
        arrivals.register(calls, select.POLLIN)
        while not isinstance(found, Result) and not calls.ended:
            assert calls.deadline is not None
            left = min(max(0, calls.deadline - calls.clock.now()), MAX_WAIT)
            # Rounded up: to wake before it is due would be to wake twice.
            arrivals.poll(-(-left // NS_PER_MS))
            with signals_blocked():
                calls.receive()
                calls.on_timer()
        over = calls.ended.popleft() if calls.ended else found
        return over if isinstance(over, Result) else over.result()


def _calls(timeouts: Timeouts, options: ClientOptions | None) -> KernelConnections:
    # The sockets, only now: who imports this module may want nothing but --help.
    from handshake.prober.kernel.connections import KernelConnections

    return KernelConnections(timeouts, options or ClientOptions())


def _results(calls: KernelConnections) -> Iterator[Result]:
    """Yield the results of the calls that are over."""
    while calls.ended:
        over = calls.ended.popleft()
        yield over if isinstance(over, Result) else over.result()
