"""The engine: any number of calls in one event loop, at a pace that is asked for."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from handshake.endpoint.timeouts import SECOND, Patience
from handshake.prober.own_loop import in_a_loop_of_its_own
from handshake.prober.pace import CONCURRENCY, Pace, one_by_one
from handshake.prober.resolver import Addresses
from handshake.tracker import Tracker

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Generator, Iterable, Iterator

    from handshake.endpoint.options import Manner
    from handshake.prober.result import Result
    from handshake.prober.target import Target
    from handshake.prober.userspace.connection import Call, Witness


class Engine:
    """Calls many targets at once, each address of each, and tells what became of every call.

    `rate` is how many calls may begin in a second, None for as many as there can be. With
    `attentive` every segment of every call is kept and explained, which costs a millisecond
    a call. `opened` is called as soon as the sockets are open. With `attentive`, `witness` is
    called for each call, and what comes back is told of each packet of it as it passes: so
    nothing is lost of a run that is left before there is a result.
    """

    def __init__(
        self,
        *,
        concurrency: int = CONCURRENCY,
        rate: float | None = None,
        patience: Patience | None = None,
        manner: Manner | None = None,
        attentive: bool = False,
        opened: Callable[[], None] | None = None,
        witness: Callable[[], Witness] | None = None,
    ) -> None:
        self._concurrency = concurrency
        self._rate = rate
        self._patience = patience or Patience()
        self._manner = manner
        self._attentive = attentive
        self._opened = opened
        self._witness = witness

    def run(self, targets: Iterable[Target]) -> AsyncGenerator[Result, None]:
        """Return the results as calls end; of a name's addresses IPv6 is called first.

        Targets are taken as they are needed, and nothing is kept of a call that has ended.
        Raises CannotRun where this machine does not let us.
        """
        return one_by_one(self.batches(targets))

    async def batches(self, targets: Iterable[Target]) -> AsyncGenerator[list[Result], None]:
        """Yield the same results, all at once that have come in since the last time."""
        # Scapy and the sockets, only now: who imports this module may want nothing but --help.
        from handshake.prober.userspace.connections import Exchange
        from handshake.prober.userspace.outcome import outcome

        loop = asyncio.get_running_loop()
        with Exchange(
            self._patience,
            self._manner,
            attentive=self._attentive,
            opened=self._opened,
            witness=self._witness,
        ) as exchange:
            addresses = Addresses(targets, loop)

            def ended() -> Iterator[Result]:
                while exchange.ended:
                    call = exchange.ended.popleft()
                    yield outcome(call, exchange.link.decode, _tracked(call))

            run = Pace(exchange, ended, addresses, self._concurrency, self._rate)
            try:
                while (found := await run.results()) is not None:
                    yield found
                # A FIN that comes again is answered for a moment: afterwards nobody will do so.
                while (left := exchange.lingers_until - exchange.clock.now()) > 0:
                    await asyncio.sleep(left / SECOND)
            finally:
                run.close()


def probe_all(
    targets: Iterable[Target],
    *,
    concurrency: int = CONCURRENCY,
    rate: float | None = None,
    patience: Patience | None = None,
    manner: Manner | None = None,
    attentive: bool = False,
    opened: Callable[[], None] | None = None,
    witness: Callable[[], Witness] | None = None,
) -> Generator[Result, None, None]:
    """Yield what `Engine.run` does, for those who have no event loop of their own."""
    engine = Engine(
        concurrency=concurrency,
        rate=rate,
        patience=patience,
        manner=manner,
        attentive=attentive,
        opened=opened,
        witness=witness,
    )
    yield from in_a_loop_of_its_own(engine.batches(targets))


def _tracked(call: Call) -> Tracker | None:
    """Return a tracker that has heard all segments of the call; None where none were kept."""
    if call.segments is None:
        return None
    tracker = Tracker(caller=call.course.local)
    for each in call.segments:
        tracker.feed(each)
    return tracker
