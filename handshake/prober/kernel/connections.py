"""All connections of the kernel in progress: they wait for nothing themselves.

The driver waits until `fileno` is readable or `deadline` has come, and then calls `receive` and
`on_timer`.
"""

from __future__ import annotations

import select
from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING, Final, Self

from handshake.endpoint.outcome import Verdict
from handshake.endpoint.timer_queue import TimerQueue
from handshake.errors import ConnectError
from handshake.linux.clock import Clock
from handshake.linux.connect import SocketOptions, close_socket, connect
from handshake.linux.netstat import SynChallengeCounter
from handshake.prober.kernel.ack_monitor import TICK
from handshake.prober.kernel.connection import KernelConnection
from handshake.prober.result import Result, failed
from handshake.units import NS_PER_MS

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator
    from types import TracebackType

    from handshake.endpoint.options import ClientOptions, Timeouts
    from handshake.prober.target import Target
    from handshake.tcp import Endpoint


# Edge-triggered: an ACK of our FIN is an event, but leaves the socket as ready as before.
_EVENTS: Final = select.EPOLLIN | select.EPOLLOUT | select.EPOLLRDHUP | select.EPOLLET


class KernelConnections:
    """The connections in progress, and their sockets."""

    def __init__(self, timeouts: Timeouts, options: ClientOptions) -> None:
        self.clock = Clock()
        self.ended: deque[KernelConnection | Result] = deque()
        """Connections that have ended, and whose results have not been taken."""

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
        """How many SYN-ACKs had been retransmitted to this machine at the last tick."""

        self._tick_at: int | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        # Left early by its user, connections are closed; interrupted, they are reset.
        self.close(reset=not isinstance(error, GeneratorExit | None))

    def close(self, *, reset: bool = False) -> None:
        """Close every socket; with `reset`, abort the connections in progress."""
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
        """Connections in progress, plus results not yet taken.

        Counting the latter keeps targets that fail at once from starving the others.
        """
        return len(self._connections) + len(self.ended)

    @property
    def deadline(self) -> int | None:
        """When `on_timer` is due."""
        times = [time for time in (self._timers.next, self._tick_at) if time is not None]
        return min(times, default=None)

    def fileno(self) -> int:
        """Return the descriptor that is readable when a socket is ready."""
        return self._epoll.fileno()

    def results(self) -> Iterator[Result]:
        """Yield the result of each connection that has ended since the last time."""
        while self.ended:
            over = self.ended.popleft()
            yield over if isinstance(over, Result) else over.result()

    # A connection begins.

    def begin(self, target: Target, remote: Endpoint) -> KernelConnection | Result:
        """Let the kernel connect; return the result if it cannot even be tried."""
        # A refusal is timed when its socket is examined: do so while many are started, too.
        self.receive()
        return self._begin(target, remote, again=self._options.source_port == 0)

    def _begin(self, target: Target, remote: Endpoint, *, again: bool) -> KernelConnection | Result:
        """Let the kernel connect, and `again` if it chooses the destination port as the source."""
        try:
            timeouts = self._timeouts
            most = timeouts.handshake // NS_PER_MS
            sock = connect(remote, self._socket_options, timeouts.retries, most)
        except ConnectError as error:
            return replace(failed(target, Verdict.LOCAL_ERROR, error.message, remote), guard="none")
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

    # Events and timers.

    def receive(self) -> int:
        """Process the sockets that are ready; return the time."""
        now = self.clock.now()
        for number, _ in self._epoll.poll(0):
            connection = self._connections[number]
            connection.poll(now)
            self._after(connection, now)
        return now

    def on_timer(self, now: int) -> None:
        """Do what is due by a time."""
        for connection in self._timers.due(now):
            if connection.deadline <= now:
                connection.poll(now)
            self._after(connection, now)
        if self._tick_at is not None and self._tick_at <= now:
            self._tick(now)

    def _tick(self, now: int) -> None:
        """Look for retransmitted SYN-ACKs, and check their number against the kernel's counter."""
        watched = [connection for connection in self._connections.values() if connection.watched]
        # Counted before the sockets are examined and after: what arrives in between counts twice
        # rather than not at all.
        before, last = self._challenges.count(), self._counted
        found = [(connection, connection.unexplained()) for connection in watched]
        suspects = [(connection, came) for connection, came in found if came]
        if suspects and last is not None:
            counted = self._challenges.count()
            # A keep-alive is no SYN: if the kernel counted fewer, it is unknown whose they were.
            if counted is not None and sum(came for _, came in suspects) <= counted - last:
                for connection, _ in suspects:
                    connection.answered_again(now)
        self._counted, self._tick_at = before, None
        for connection in watched:
            self._after(connection, now)
        if self._tick_at is None:
            self._counted = None

    def _after(self, connection: KernelConnection, now: int) -> None:
        """End the connection if it is over; else set its timer."""
        if connection.done:
            self._end(connection)
            return
        if connection.watched and self._tick_at is None:
            self._tick_at = now + TICK
            if self._counted is None:
                self._counted = self._challenges.count()
        self._timers.set(connection, connection.deadline)

    def _end(self, connection: KernelConnection) -> None:
        self._timers.cancel(connection)
        del self._connections[connection.sock.fileno()]
        # Before it is closed: its descriptor may be reused by another connection.
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
