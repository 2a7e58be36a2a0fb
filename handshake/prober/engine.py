"""The engine: any number of calls in one event loop, at a pace that is asked for."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from handshake.endpoint.timeouts import Timeouts
from handshake.prober.own_loop import in_a_loop_of_its_own
from handshake.prober.pace import CONCURRENCY, Pace, one_by_one
from handshake.prober.resolver import Addresses
from handshake.tracker import Tracker
from handshake.units import NS_PER_SECOND

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Generator, Iterable, Iterator

    from handshake.endpoint.options import ClientOptions
    from handshake.prober.result import Result
    from handshake.prober.target import Target
    from handshake.prober.userspace.connection import PacketObserver, UserspaceConnection


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
        timeouts: Timeouts | None = None,
        options: ClientOptions | None = None,
        attentive: bool = False,
        opened: Callable[[], None] | None = None,
        witness: Callable[[], PacketObserver] | None = None,
    ) -> None:
        self._concurrency = concurrency
        self._rate = rate
        self._timeouts = timeouts or Timeouts()
        self._options = options
        self._attentive = attentive
        self._opened = opened
        self._witness = witness

    def run(self, targets: Iterable[Target]) -> AsyncGenerator[Result, None]:
        """Return the results as calls end; of a name's addresses IPv6 is called first.

        Targets are taken as they are needed, and nothing is kept of a call that has ended.
        Raises LocalError where this machine does not let us.
        """
        return one_by_one(self.batches(targets))

    async def batches(self, targets: Iterable[Target]) -> AsyncGenerator[list[Result], None]:
        """Yield the same results, all at once that have come in since the last time."""
        # Scapy and the sockets, only now: who imports this module may want nothing but --help.
        from handshake.prober.userspace.connections import UserspaceConnections
        from handshake.prober.userspace.outcome import outcome

        loop = asyncio.get_running_loop()
        with UserspaceConnections(
            self._timeouts,
            self._options,
            attentive=self._attentive,
            opened=self._opened,
            witness=self._witness,
        ) as connections:
            addresses = Addresses(targets, loop)

            def ended() -> Iterator[Result]:
                while connections.ended:
                    connection = connections.ended.popleft()
                    yield outcome(
                        connection, connections.packet_socket.decode, _tracked(connection)
                    )

            run = Pace(connections, ended, addresses, self._concurrency, self._rate)
            try:
                while (found := await run.results()) is not None:
                    yield found
                # A FIN that comes again is answered for a moment: afterwards nobody will do so.
                while (left := connections.lingers_until - connections.clock.now()) > 0:
                    await asyncio.sleep(left / NS_PER_SECOND)
            finally:
                run.close()


def probe_all(
    targets: Iterable[Target],
    *,
    concurrency: int = CONCURRENCY,
    rate: float | None = None,
    timeouts: Timeouts | None = None,
    options: ClientOptions | None = None,
    attentive: bool = False,
    opened: Callable[[], None] | None = None,
    witness: Callable[[], PacketObserver] | None = None,
) -> Generator[Result, None, None]:
    """Yield what `Engine.run` does, for those who have no event loop of their own."""
    engine = Engine(
        concurrency=concurrency,
        rate=rate,
        timeouts=timeouts,
        options=options,
        attentive=attentive,
        opened=opened,
        witness=witness,
    )
    yield from in_a_loop_of_its_own(engine.batches(targets))


def _tracked(connection: UserspaceConnection) -> Tracker | None:
    """Return a tracker that has heard all segments of the call; None where none were kept."""
    if connection.segments is None:
        return None
    tracker = Tracker(client=connection.session.local)
    for each in connection.segments:
        tracker.feed(each)
    return tracker
