"""The probe: one call, driven to its end, with each step as it passes."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING

from handshake.endpoint.timeouts import Patience
from handshake.prober.findings import kept_out
from handshake.prober.result import Result
from handshake.prober.signals import undisturbed
from handshake.prober.userspace.drive import driven
from handshake.tracker import Tracker

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from handshake.endpoint.attempt import Attempt
    from handshake.endpoint.options import Manner
    from handshake.endpoint.single_segment import Knock
    from handshake.events import Step
    from handshake.prober.target import Target
    from handshake.prober.userspace.connection import Call
    from handshake.prober.userspace.connections import Exchange
    from handshake.tcp import Endpoint


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

    @property
    def explained(self) -> int:
        """How many segments have a step so far: those of one wake are all made at once."""
        # To a tracker, a stray SYN begins another connection.
        return sum(each.segments for each in self.tracker.connections)

    def close(self) -> None:
        """Break it off."""
        self._steps.close()

    def _run(self) -> Generator[Step, None, None]:
        # Scapy and the sockets, only now: who imports this module may want nothing but --help.
        from handshake.prober.userspace.connections import Exchange
        from handshake.prober.userspace.outcome import is_kept_out, outcome

        shared = self.exchange
        with (
            Exchange(self._patience, self._manner, attentive=True)
            if shared is None
            else nullcontext(shared) as exchange
        ):
            with undisturbed():
                call = exchange.begin(self.target, self.remote)
            if isinstance(call, Result):
                self._result = call
                return
            self.attempt = call.course.attempt
            self.tracker = Tracker(caller=call.course.local)
            for _ in driven(call, exchange):
                yield from self._steps_of(call)
            result = outcome(call, exchange.link.decode, self.tracker)
            if result.ttl is not None and is_kept_out(call, result.ttl):
                result = replace(result, findings=(*result.findings, kept_out()))
            if self._patience.retries:
                # Whoever allows one SYN alone gets no second one for this either.
                from handshake.prober.rst_origin import traced

                result = traced(result, call, exchange)
            self._result = result

    def _steps_of(self, call: Call) -> Iterator[Step]:
        """Yield what the segments changed that came by since the last time."""
        assert call.segments is not None
        heard = call.segments[self.explained :]
        yield from [self.tracker.feed(each) for each in heard]
