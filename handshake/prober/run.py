"""The probe: one call, driven to its end, with each step as it passes."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING

from handshake.endpoint.timeouts import Timeouts
from handshake.prober.findings import kept_out
from handshake.prober.result import Result
from handshake.prober.signals import signals_blocked
from handshake.prober.userspace.drive import driven
from handshake.tracker import Tracker

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from handshake.endpoint.attempt import Attempt
    from handshake.endpoint.options import ClientOptions
    from handshake.endpoint.single_segment import SingleSegmentProbe
    from handshake.events import Step
    from handshake.prober.target import Target
    from handshake.prober.userspace.connection import UserspaceConnection
    from handshake.prober.userspace.connections import UserspaceConnections
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
        timeouts: Timeouts | None = None,
        options: ClientOptions | None = None,
    ) -> None:
        self.target = target
        self.remote = remote
        self.tracker = Tracker()
        self.attempt: Attempt | SingleSegmentProbe | None = None
        """What our own end knows; None until its first SYN is about to leave."""

        self._timeouts = timeouts or Timeouts()
        self._options = options
        self.connections: UserspaceConnections | None = None
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
        from handshake.prober.userspace.connections import UserspaceConnections
        from handshake.prober.userspace.outcome import is_kept_out, outcome

        shared = self.connections
        with (
            UserspaceConnections(self._timeouts, self._options, attentive=True)
            if shared is None
            else nullcontext(shared) as connections
        ):
            with signals_blocked():
                connection = connections.begin(self.target, self.remote)
            if isinstance(connection, Result):
                self._result = connection
                return
            self.attempt = connection.session.attempt
            self.tracker = Tracker(client=connection.session.local)
            for _ in driven(connection, connections):
                yield from self._steps_of(connection)
            result = outcome(connection, connections.packet_socket.decode, self.tracker)
            if result.ttl is not None and is_kept_out(connection, result.ttl):
                result = replace(result, findings=(*result.findings, kept_out()))
            if self._timeouts.retries:
                # Whoever allows one SYN alone gets no second one for this either.
                from handshake.prober.rst_origin import locate_rst_sender

                result = locate_rst_sender(result, connection, connections)
            self._result = result

    def _steps_of(self, connection: UserspaceConnection) -> Iterator[Step]:
        """Yield what the segments changed that came by since the last time."""
        assert connection.segments is not None
        heard = connection.segments[self.explained :]
        yield from [self.tracker.feed(each) for each in heard]
