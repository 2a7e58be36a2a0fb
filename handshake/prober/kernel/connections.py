"""The calls that the kernel makes for us, all that are under way; waits for nothing itself.

Whoever drives it waits until `fileno` can be read or `deadline` has come, and then lets it
`hear` and `wake`, as an exchange of hand-built segments is driven.
"""

from __future__ import annotations

import select
from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING, Final, Self

from handshake.endpoint.verdict import Verdict
from handshake.linux.connect import Bearings, DialError, dial, hang_up
from handshake.linux.netstat import SynChallenges
from handshake.prober.clock import Clock
from handshake.prober.kernel.ack_monitor import TICK
from handshake.prober.kernel.connection import KernelCall
from handshake.prober.result import Result, failed
from handshake.prober.timer_queue import Timers

if TYPE_CHECKING:
    import socket
    from types import TracebackType

    from handshake.endpoint.options import Manner
    from handshake.endpoint.timeouts import Patience
    from handshake.prober.target import Target
    from handshake.tcp import Endpoint

_MILLISECOND: Final = 1_000_000

# At each edge: that our FIN was acknowledged moves the socket, and leaves it as ready as before.
_EVENTS: Final = select.EPOLLIN | select.EPOLLOUT | select.EPOLLRDHUP | select.EPOLLET


class KernelCalls:
    """The calls under way, and the sockets that they have."""

    def __init__(self, patience: Patience, manner: Manner) -> None:
        self.clock = Clock()
        self.ended: deque[KernelCall | Result] = deque()
        """Calls that are over, for whoever drives it to take away."""

        self._patience = patience
        self._manner = manner
        where = manner.source, manner.source_port, manner.interface
        self._bearings = Bearings(*where, manner.ttl, manner.tos)
        self._epoll = select.epoll()
        self._calls: dict[int, KernelCall] = {}
        self._timers: Timers[KernelCall] = Timers()
        self._kept: list[socket.socket] = []
        self._challenges = SynChallenges()
        self._counted: int | None = None
        """How many SYN,ACKs had come again when the watched calls were looked at last."""

        self._tick_at: int | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        # Left early by its caller, it says good-bye; interrupted, it leaves nothing to wait for.
        self.close(reset=not isinstance(error, GeneratorExit | None))

    def close(self, *, reset: bool = False) -> None:
        """Close every socket; `reset` what is still under way."""
        for call in self._calls.values():
            hang_up(call.sock, reset=reset)
        for sock in self._kept:
            hang_up(sock)
        self._calls.clear()
        self._kept.clear()
        self._challenges.close()
        self._epoll.close()

    @property
    def active(self) -> int:
        """How many calls are under way, or have ended and wait to be taken away.

        Else who begins one whenever one has ended would never come to do anything else.
        """
        return len(self._calls) + len(self.ended)

    @property
    def deadline(self) -> int | None:
        """When `wake` is due."""
        times = [time for time in (self._timers.next, self._tick_at) if time is not None]
        return min(times, default=None)

    def fileno(self) -> int:
        """Return what can be read when there is something to hear."""
        return self._epoll.fileno()

    # A call begins.

    def begin(self, target: Target, remote: Endpoint) -> KernelCall | Result:
        """Let the kernel call; return the result where it cannot even be tried."""
        # The time of a refusal is that of this look: who begins many must not let them wait.
        self.hear()
        return self._begin(target, remote, again=self._manner.source_port == 0)

    def _begin(self, target: Target, remote: Endpoint, *, again: bool) -> KernelCall | Result:
        """Let the kernel call, `again` where the port that it chooses should be the one called."""
        try:
            patience = self._patience
            most = patience.opening // _MILLISECOND
            sock = dial(remote, self._bearings, patience.retries, most)
        except DialError as error:
            return replace(failed(target, Verdict.LOCAL_ERROR, str(error), remote), guard="none")
        try:
            now = self.clock.now()
            call = KernelCall(target, remote, sock, self._patience, self._manner, now)
            call.again = again
            self._calls[sock.fileno()] = call
        except BaseException:
            hang_up(sock, reset=True)
            raise
        self._epoll.register(sock, _EVENTS)
        self._after(call, now)
        return call

    # Something happens, or time passes.

    def hear(self) -> None:
        """Look at the calls to which something has happened."""
        now = self.clock.now()
        for number, _ in self._epoll.poll(0):
            call = self._calls[number]
            call.move(now)
            self._after(call, now)

    def wake(self) -> None:
        """Do what is due."""
        now = self.clock.now()
        for call in self._timers.due(now):
            if call.deadline <= now:
                call.move(now)
            self._after(call, now)
        if self._tick_at is not None and self._tick_at <= now:
            self._tick(now)

    def _tick(self, now: int) -> None:
        """Look for SYN,ACKs that came again, and see whether there are as many as it seems."""
        watched = [call for call in self._calls.values() if call.watched]
        # Counted before the calls are looked at and after: what comes in between counts twice
        # rather than not at all.
        before, last = self._challenges.count(), self._counted
        found = [(call, call.unexplained()) for call in watched]
        suspects = [(call, came) for call, came in found if came]
        if suspects and last is not None:
            counted = self._challenges.count()
            # A keep-alive is no SYN: if the kernel counted fewer, nobody knows whose they were.
            if counted is not None and sum(came for _, came in suspects) <= counted - last:
                for call, _ in suspects:
                    call.answered_again(now)
        self._counted, self._tick_at = before, None
        for call in watched:
            self._after(call, now)
        if self._tick_at is None:
            self._counted = None

    def _after(self, call: KernelCall, now: int) -> None:
        """See whether the call is over, and when it is to be woken."""
        if call.done:
            self._end(call)
            return
        if call.watched and self._tick_at is None:
            self._tick_at = now + TICK
            if self._counted is None:
                self._counted = self._challenges.count()
        self._timers.set(call, call.deadline)

    def _end(self, call: KernelCall) -> None:
        call.slot[0] = None
        del self._calls[call.sock.fileno()]
        # By the number that it had, so that nothing is heard of it in the name of another.
        self._epoll.unregister(call.sock)
        if call.reached_itself and call.again:
            # While the port is taken, another is chosen.
            redialled = self._begin(call.target, call.remote, again=False)
            if isinstance(redialled, Result):
                self.ended.append(redialled)
        else:
            self.ended.append(call)
        if call.stays:
            self._kept.append(call.sock)
        else:
            call.hang_up()
