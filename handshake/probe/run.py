"""The probe: an attempt joined to a link, a guard and a clock."""

from __future__ import annotations

import secrets
import select
import time
from typing import TYPE_CHECKING, Final

from handshake.probe.attempt import Attempt
from handshake.probe.header import offer_for
from handshake.probe.patience import SECOND, Patience
from handshake.probe.result import Negotiated, Result, failed, reason, round_trip
from handshake.probe.verdict import Verdict
from handshake.tcp import Endpoint, Observed, Seq
from handshake.tracker import Tracker, summarize_end

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from handshake.events import Step
    from handshake.probe.attempt import Segments
    from handshake.probe.target import Target
    from handshake.wire.icmp import IcmpError
    from handshake.wire.link import Link

_MILLISECOND: Final = 1_000_000
_LAST_LOOK: Final = SECOND // 20
"""How long to wait for our own last segments to be seen on the wire."""


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
        *,
        source_port: int = 0,
    ) -> None:
        self.target = target
        self.remote = remote
        self.tracker = Tracker()
        self.attempt: Attempt | None = None
        """What our own end knows; None until its first SYN is about to leave."""

        self._patience = patience or Patience()
        self._source_port = source_port
        self._segments: list[Observed] = []
        self._unseen = 0
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
        from handshake.wire.guard import guard
        from handshake.wire.link import Link
        from handshake.wire.route import route, words

        try:
            way = route(self.remote.address)
        except OSError as error:
            self._result = failed(self.target, Verdict.LOCAL_ERROR, words(error), self.remote)
            return
        with guard(way.source, self._source_port) as held, Link([held.port]) as link:
            attempt = self.attempt = Attempt(
                Endpoint(way.source, held.port),
                self.remote,
                Seq(secrets.randbits(32)),
                offer_for(way.mtu, self.remote.version),
                secrets.randbits(32),
                self._patience,
            )
            clock = Clock()
            begin = clock.now()
            self._transmit(link, attempt.start(begin))
            while not attempt.done:
                yield from self._hear(link, attempt, clock, attempt.deadline)
                self._transmit(link, attempt.wake(clock.now()))
            took = (clock.now() - begin) / SECOND
            until = clock.now() + _LAST_LOOK
            while self._unseen > 0 and clock.now() < until:
                yield from self._hear(link, attempt, clock, until)
        self._result = self._conclude(attempt, held.name, took)

    def _transmit(self, link: Link, segments: Segments) -> None:
        from handshake.wire.route import words

        assert self.attempt is not None
        for segment in segments:
            try:
                link.transmit(segment)
            except OSError as error:
                self.attempt.unsent(words(error))
            else:
                self._unseen += 1

    def _hear(self, link: Link, attempt: Attempt, clock: Clock, until: int) -> Iterator[Step]:
        """Answer what arrives next, if anything does in time; yield what it changed."""
        arrivals = select.poll()
        arrivals.register(link, select.POLLIN)
        # Rounded up: to wake before it is due would be to wake twice.
        arrivals.poll(-(-max(0, until - clock.now()) // _MILLISECOND))
        steps = []
        for heard in link.receive():
            if not isinstance(heard, Observed):
                if _quotes(heard, attempt):
                    attempt.icmp(heard)
                continue
            ends = (heard.segment.source, heard.segment.destination)
            if ends == (attempt.local, attempt.remote):
                self._unseen -= 1
            elif ends == (attempt.remote, attempt.local):
                self._transmit(link, attempt.received(heard, clock.now()))
            else:
                continue  # a stranger who calls our port
            self._segments.append(heard)
            steps.append(self.tracker.feed(heard))
        yield from steps

    def _conclude(self, attempt: Attempt, guard: str, took: float) -> Result:
        assert attempt.verdict is not None
        left = sum(
            bool(each.outgoing) and each.segment.syn and each.segment.ack is None
            for each in self._segments
        )
        if attempt.verdict is Verdict.FILTERED and not left:
            why = "our SYNs were queued, and none of them left this machine: is the link up?"
            return failed(self.target, Verdict.LOCAL_ERROR, why, self.remote)
        rtt, ambiguous = round_trip(self._segments, attempt.answer)
        seen = self.tracker.connections[-1] if self.tracker.connections else None
        return Result(
            target=self.target.text,
            address=str(self.remote.address),
            port=self.remote.port,
            verdict=attempt.verdict,
            reason=reason(attempt, took),
            icmp=attempt.error,
            rtt=rtt,
            rtt_ambiguous=ambiguous,
            syn_sent=left,
            ttl=None if attempt.answer is None else attempt.answer.ttl,
            negotiated=Negotiated.of(attempt.block),
            client=None if seen is None else summarize_end(seen.client),
            server=None if seen is None else summarize_end(seen.server),
            close=attempt.close,
            guard=guard,
            findings=tuple(attempt.notes),
            segments=tuple(self._segments),
        )


class Clock:
    """The time as the kernel stamps packets, but never set back."""

    def __init__(self) -> None:
        self._since = time.time_ns() - time.monotonic_ns()

    def now(self) -> int:
        """Return nanoseconds since 1970."""
        return self._since + time.monotonic_ns()


def _quotes(error: IcmpError, attempt: Attempt) -> bool:
    """Whether it quotes a segment from us to the peer; the wire has no scopes to compare."""
    return all(
        (quoted.address.packed, quoted.port) == (end.address.packed, end.port)
        for quoted, end in ((error.source, attempt.local), (error.destination, attempt.remote))
    )
