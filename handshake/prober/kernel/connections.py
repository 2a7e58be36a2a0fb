"""The calls that the kernel makes for us, all that are under way; waits for nothing itself.

Whoever drives it waits until `fileno` can be read or `deadline` has come, and then lets it
`receive` and `on_timer`, as an exchange of hand-built segments is driven.
"""

from __future__ import annotations

import select
from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING, Final, Self

from handshake.endpoint.verdict import Verdict
from handshake.errors import ConnectError
from handshake.linux.connect import SocketOptions, close_socket, connect
from handshake.linux.netstat import SynChallengeCounter
from handshake.prober.clock import Clock
from handshake.prober.kernel.ack_monitor import TICK
from handshake.prober.kernel.connection import KernelConnection
from handshake.prober.result import Result, failed
from handshake.prober.timer_queue import TimerQueue
from handshake.units import NS_PER_MS

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator
    from types import TracebackType

    from handshake.endpoint.options import ClientOptions
    from handshake.endpoint.timeouts import Timeouts
    from handshake.prober.target import Target
    from handshake.tcp import Endpoint


# At each edge: that our FIN was acknowledged moves the socket, and leaves it as ready as before.
_EVENTS: Final = select.EPOLLIN | select.EPOLLOUT | select.EPOLLRDHUP | select.EPOLLET


class KernelConnections:
    """The calls under way, and the sockets that they have."""

    def __init__(self, timeouts: Timeouts, options: ClientOptions) -> None:
        self.clock = Clock()
        self.ended: deque[KernelConnection | Result] = deque()
        """Calls that are over, for whoever drives it to take away."""

        self._timeouts = timeouts
        self._options = options
        where = options.source, options.source_port, options.interface
        self._socket_options = SocketOptions(*where, options.ttl, options.tos)
        self._epoll = select.epoll()
        self._connections: dict[int, KernelConnection] = {}
        self._timers: TimerQueue[KernelConnection] = TimerQueue()
        self._kept: list[socket.socket] = []
        self._challenges = SynChallengeCounter()
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
        for connection in self._connections.values():
            close_socket(connection.sock, reset=reset)
        for sock in self._kept:
            close_socket(sock)
        self._connections.clear()
        self._kept.clear()
        self._challenges.close()
        self._epoll.close()

    @property
    def active(self) -> int:
        """How many calls are under way, or have ended and wait to be taken away.

        Else who begins one whenever one has ended would never come to do anything else.
        """
        return len(self._connections) + len(self.ended)

    @property
    def deadline(self) -> int | None:
        """When `on_timer` is due."""
        times = [time for time in (self._timers.next, self._tick_at) if time is not None]
        return min(times, default=None)

    def fileno(self) -> int:
        """Return what can be read when there is something to hear."""
        return self._epoll.fileno()

    def results(self) -> Iterator[Result]:
        """Yield the result of each connection that has ended since the last time."""
        while self.ended:
            over = self.ended.popleft()
            yield over if isinstance(over, Result) else over.result()

    # A connection begins.

    def begin(self, target: Target, remote: Endpoint) -> KernelConnection | Result:
        """Let the kernel call; return the result where it cannot even be tried."""
        # The time of a refusal is that of this look: who begins many must not let them wait.
        self.receive()
        return self._begin(target, remote, again=self._options.source_port == 0)

    def _begin(self, target: Target, remote: Endpoint, *, again: bool) -> KernelConnection | Result:
        """Let the kernel call, `again` where the port that it chooses should be the one called."""
        try:
            timeouts = self._timeouts
            most = timeouts.handshake // NS_PER_MS
            sock = connect(remote, self._socket_options, timeouts.retries, most)
        except ConnectError as error:
            return replace(failed(target, Verdict.LOCAL_ERROR, str(error), remote), guard="none")
        try:
            now = self.clock.now()
            connection = KernelConnection(target, remote, sock, self._timeouts, self._options, now)
            connection.again = again
            self._connections[sock.fileno()] = connection
        except BaseException:
            close_socket(sock, reset=True)
            raise
        self._epoll.register(sock, _EVENTS)
        self._after(connection, now)
        return connection

    # Something happens, or time passes.

    def receive(self) -> None:
        """Look at the calls to which something has happened."""
        now = self.clock.now()
        for number, _ in self._epoll.poll(0):
            connection = self._connections[number]
            connection.poll(now)
            self._after(connection, now)

    def on_timer(self) -> None:
        """Do what is due."""
        now = self.clock.now()
        for connection in self._timers.due(now):
            if connection.deadline <= now:
                connection.poll(now)
            self._after(connection, now)
        if self._tick_at is not None and self._tick_at <= now:
            self._tick(now)

    def _tick(self, now: int) -> None:
        """Look for SYN,ACKs that came again, and see whether there are as many as it seems."""
        watched = [connection for connection in self._connections.values() if connection.watched]
        # Counted before the calls are looked at and after: what comes in between counts twice
        # rather than not at all.
        before, last = self._challenges.count(), self._counted
        found = [(connection, connection.unexplained()) for connection in watched]
        suspects = [(connection, came) for connection, came in found if came]
        if suspects and last is not None:
            counted = self._challenges.count()
            # A keep-alive is no SYN: if the kernel counted fewer, nobody knows whose they were.
            if counted is not None and sum(came for _, came in suspects) <= counted - last:
                for connection, _ in suspects:
                    connection.answered_again(now)
        self._counted, self._tick_at = before, None
        for connection in watched:
            self._after(connection, now)
        if self._tick_at is None:
            self._counted = None

    def _after(self, connection: KernelConnection, now: int) -> None:
        """See whether the call is over, and when it is to be woken."""
        if connection.done:
            self._end(connection)
            return
        if connection.watched and self._tick_at is None:
            self._tick_at = now + TICK
            if self._counted is None:
                self._counted = self._challenges.count()
        self._timers.set(connection, connection.deadline)

    def _end(self, connection: KernelConnection) -> None:
        connection.slot[0] = None
        del self._connections[connection.sock.fileno()]
        # By the number that it had, so that nothing is heard of it in the name of another.
        self._epoll.unregister(connection.sock)
        if connection.reached_itself and connection.again:
            # While the port is taken, another is chosen.
            redialled = self._begin(connection.target, connection.remote, again=False)
            if isinstance(redialled, Result):
                self.ended.append(redialled)
        else:
            self.ended.append(connection)
        if connection.stays:
            self._kept.append(connection.sock)
        else:
            connection.close_socket()
