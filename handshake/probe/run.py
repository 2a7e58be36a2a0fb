"""The probe: one call, driven to its end, with each step as it passes."""

from __future__ import annotations

import select
from contextlib import nullcontext
from typing import TYPE_CHECKING, Final

from handshake.probe.patience import Patience
from handshake.probe.result import Result
from handshake.tracker import Tracker

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from handshake.events import Step
    from handshake.probe.attempt import Attempt
    from handshake.probe.call import Call
    from handshake.probe.exchange import Exchange
    from handshake.probe.knock import Knock
    from handshake.probe.manner import Manner
    from handshake.probe.target import Target
    from handshake.tcp import Endpoint

_MILLISECOND: Final = 1_000_000


class Probe:
    """A call to one address. Iterating yields each step as it passes; then `result` stands.

    What is due is sent before a step is yielded, and nothing while the caller looks at it: who
    takes a second for a step makes the peer wait for it. All sockets are closed when the
    iteration ends, is closed or is interrupted.
    """

    def __init__(
        self,
        target: Target,
        remote: Endpoint,
        patience: Patience | None = None,
        manner: Manner | None = None,
    ) -> None:
        self.target = target
        self.remote = remote
        self.tracker = Tracker()
        self.attempt: Attempt | Knock | None = None
        """What our own end knows; None until its first SYN is about to leave."""

        self._patience = patience or Patience()
        self._manner = manner
        self.exchange: Exchange | None = None
        """What to make the call over, for those who make several; by itself it opens its own."""

        self._result: Result | None = None
        self._steps = self._run()

    def __iter__(self) -> Iterator[Step]:
        return self._steps

    @property
    def result(self) -> Result:
        """What became of it: where it has not ended, it is brought to its end first."""
        for _ in self._steps:
            pass
        assert self._result is not None, "the probe was broken off"
        return self._result

    def close(self) -> None:
        """Break it off."""
        self._steps.close()

    def _run(self) -> Generator[Step, None, None]:
        # Scapy and the sockets, only now: who imports this module may want nothing but --help.
        from handshake.probe.exchange import Exchange

        shared = self.exchange
        with (
            Exchange(self._patience, self._manner, attentive=True)
            if shared is None
            else nullcontext(shared) as exchange
        ):
            call = exchange.begin(self.target, self.remote)
            if isinstance(call, Result):
                self._result = call
                return
            self.attempt = call.course.attempt
            arrivals = select.poll()
            arrivals.register(exchange, select.POLLIN)
            while call.conclusion is None:
                assert exchange.deadline is not None
                left = max(0, exchange.deadline - exchange.clock.now())
                # Rounded up: to wake before it is due would be to wake twice.
                arrivals.poll(-(-left // _MILLISECOND))
                exchange.hear()
                exchange.wake()
                yield from self._steps_of(call)
            self._result = call.result(exchange.link.decode, self.tracker)

    def _steps_of(self, call: Call) -> Iterator[Step]:
        """Yield what the segments changed that came by since the last time."""
        assert call.segments is not None
        heard = call.segments[sum(each.segments for each in self.tracker.connections) :]
        yield from [self.tracker.feed(each) for each in heard]
