"""All connections in progress over one packet socket: demultiplexing, timers, and the end.

The driver waits until `fileno` is readable or `deadline` has come, and then calls `receive` and
`on_timer`.
"""

from __future__ import annotations

import errno
import select
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Final, Self

from handshake.endpoint.options import ClientOptions
from handshake.endpoint.outcome import Verdict
from handshake.endpoint.timer_queue import TimerQueue
from handshake.errors import ConnectError
from handshake.linux.clock import Clock
from handshake.linux.packet_socket import PacketSocket
from handshake.linux.route import send_error
from handshake.linux.rst_guard import FURTHER_PORTS
from handshake.linux.signals import signals_blocked
from handshake.packet.quick_parse import ends, peek
from handshake.prober.result import Result, failed
from handshake.prober.userspace.build_result import build_result, tracked
from handshake.prober.userspace.dialer import Dialer
from handshake.prober.userspace.time_wait import TimeWait
from handshake.tcp import Flags, Observed
from handshake.units import FIN_BIT, NS_PER_MS, NS_PER_SECOND, SYN_BIT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from types import TracebackType

    from handshake.endpoint.options import Timeouts
    from handshake.linux.packet_socket import Captured, Received
    from handshake.prober.target import Target
    from handshake.prober.userspace.connection import PacketObserver, UserspaceConnection
    from handshake.tcp import Endpoint
    from handshake.tcp.icmp import IcmpError

_LAST_LOOK: Final = NS_PER_SECOND // 20
"""How long to wait for our own last segments to appear on the interface, in nanoseconds."""

_SECOND_ANSWER: Final = NS_PER_SECOND // 4
"""How long after a RST a SYN-ACK is waited for that contradicts it, in nanoseconds.

A device that injects RSTs is nearer than the target, whose own answer comes a little later.
"""

_ABORT_TIME: Final = NS_PER_SECOND
"""How long aborting all connections may take, and then waiting for their RSTs to appear."""

_LATE: Final = NS_PER_SECOND // 10
"""A delay between a decision to send and the departure that no timer need notice."""

_TOGETHER: Final = 32
"""Connections whose answers leave, or whose results are taken, at once.

A busy machine may stop us at any time: what waits for the others should not wait for long.
"""

_PORTS_AHEAD: Final = 64
"""Ports that the packet filter lets through before they are used."""

_FULL: Final = (errno.ENOBUFS, errno.EAGAIN)
_SYN_ACK: Final = int(Flags.SYN | Flags.ACK)


class UserspaceConnections:
    """The connections in progress, and the sockets and ports that they share."""

    def __init__(
        self,
        timeouts: Timeouts,
        options: ClientOptions | None = None,
        *,
        attentive: bool = False,
        opened: Callable[[], None] | None = None,
        observer: Callable[[], PacketObserver] | None = None,
    ) -> None:
        """Prepare it. With `attentive` every segment is kept.

        `opened` is called once, as soon as the sockets are open and receive segments to guarded and
        further ports only, for good; `observer` for each connection,
        and what it returns for each packet that is kept, as it passes.
        """
        self.options = options or ClientOptions()
        """The options of each connection, unless it has its own."""

        self.clock = Clock()
        self.ended: deque[UserspaceConnection] = deque()
        """Connections that have ended, and whose results have not been taken."""

        # The filter lets only SYNs of ours through: other first segments need all of them.
        self._attentive = attentive or not self.options.opens
        self._cached = not self._attentive and self.options.ordinary
        self._opened = opened
        self._observer = observer
        self._packet_socket: PacketSocket | None = None
        self._to_us: dict[bytes, UserspaceConnection] = {}
        self._from_us: dict[bytes, UserspaceConnection] = {}
        self._timers: TimerQueue[UserspaceConnection] = TimerQueue()
        self._time_wait = TimeWait()
        what = timeouts, self.options, self.clock, self._to_us, self._time_wait
        self._dialer = Dialer(*what, attentive=self._attentive)
        self._waiting: list[tuple[UserspaceConnection, list[bytes], int]] = []
        """Packets that wait to be sent together, and when they were due: not if all are kept."""

        self._lost_at = 0
        """When it was last found that packets had been lost."""

        self._silent = False
        """Whether to send nothing more, not even RSTs at the end."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        if error is None:
            self.linger()
        self.close()

    def close(self) -> None:
        """Abort the connections in progress, and close every socket."""
        try:
            if self._to_us and not self._silent:
                self._silent = True
                # A link that is down carries no RST.
                with signals_blocked(), suppress(OSError):
                    self._abort_all()
        finally:
            if self._packet_socket is not None:
                self._packet_socket.close()
            self._dialer.close()

    @property
    def active(self) -> int:
        """Connections in progress, plus results not yet taken, which take memory, too."""
        return len(self._to_us) + len(self.ended)

    @property
    def deadline(self) -> int | None:
        """When `on_timer` is due."""
        return self._timers.next

    def fileno(self) -> int:
        """Return the descriptor that is readable when packets have arrived."""
        number: int = self.packet_socket.fileno()
        return number

    @property
    def packet_socket(self) -> PacketSocket:
        """The socket of all connections; it is opened with the first of them."""
        assert self._packet_socket is not None, "no connection was begun"
        return self._packet_socket

    def results(self) -> Iterator[Result]:
        """Yield some of the results that there are; first, send the SYNs of what has begun."""
        self._send_waiting()
        for _ in range(min(_TOGETHER, len(self.ended))):
            connection = self.ended.popleft()
            yield build_result(connection, self._decode, tracked(connection))

    # A connection begins.

    def begin(
        self,
        target: Target,
        remote: Endpoint,
        timeouts: Timeouts | None = None,
        options: ClientOptions | None = None,
    ) -> UserspaceConnection | Result:
        """Send the SYN of another connection; return the result if it cannot even be tried.

        It may have timeouts and options of its own.
        """
        try:
            connection = self._dialer.connection(target, remote, self._decode, timeouts, options)
        except ConnectError as error:
            return failed(target, Verdict.LOCAL_ERROR, error.message, remote)
        except OSError as error:
            return failed(target, Verdict.LOCAL_ERROR, send_error(error).message, remote)
        if self._observer is not None:
            connection.observer = self._observer()
        self._time_wait.begin(connection.incoming)
        self._listen(connection.guard.port)
        if remote.address.version == 6:
            self.packet_socket.know(connection.session.source, remote.address)
        self._from_us[connection.outgoing] = self._to_us[connection.incoming] = connection
        # Sockets and filters take their time: the timer runs from when our SYN leaves.
        connection.begun = now = self.clock.now()
        packets = connection.session.start(now, cached=self._cached)
        if connection.segments is None:
            self._waiting.append((connection, packets, now))
            return connection
        self._send(connection, packets, now)
        self._after(connection, now)
        return connection

    def prepare(self, remotes: Iterable[Endpoint]) -> None:
        """Guard ports for connections to these remote ends, while we have the privileges."""
        self._dialer.prepare(remotes)

    def _decode(self, captured: Captured) -> Received | None:
        return self.packet_socket.decode(captured)

    def _listen(self, port: int) -> None:
        if self._packet_socket is None:
            interface = self.options.interface
            self._packet_socket = PacketSocket(
                [port],
                all_of_ours=self._attentive,
                interface=interface,
                ring=not self._attentive,
            )
            if self._opened is not None:
                guards = self._dialer.guards
                self._packet_socket.confine(guards.ports | set(FURTHER_PORTS))
                guards.confined = True
                self._opened()
        elif port not in self._packet_socket.ports:
            # Ports are taken one after another: the filter is written once for many of them.
            ahead = range(port, min(port + _PORTS_AHEAD, 0x10000))
            self._packet_socket.listen_to(self._dialer.guards.ports | set(ahead))

    # Packets are received and sent.

    def receive(self) -> int:
        """Process the packets that have arrived; return the time up to which all are processed.

        What is due by then is due in spite of all that arrived before: a program that was stopped
        for longer than a timeout finds the answers in the queue.
        """
        now, packet_socket = self.clock.now(), self.packet_socket
        read, at = packet_socket.read(), now
        for each in read:
            at = self.clock.stamped(each.at, now)
            captured = each if at == each.at else each._replace(at=at)
            peeked = peek(captured.octets)
            if peeked is None:
                self._send_waiting()  # it may be for the same connection
                self._receive_other(captured, now)
                continue
            both, outgoing = peeked[0], captured.outgoing
            connection = (self._from_us if outgoing else self._to_us).get(both)
            if connection is None:
                if peeked[3] & FIN_BIT and not outgoing:
                    self._receive_late_fin(captured, both, now)
            elif connection.segments is not None:
                found = packet_socket.decode(captured)
                if isinstance(found, Observed):
                    self._observe(connection, found, now)
            elif not outgoing:
                packets = connection.session.received(captured, peeked, now)
                self._waiting.append((connection, packets, now))
                if len(self._waiting) >= _TOGETHER:
                    self._send_waiting()
            elif peeked[3] & _SYN_ACK == SYN_BIT:
                connection.syns.append(captured)
        self._send_waiting()
        return now if packet_socket.drained else min(now, at)

    def _receive_late_fin(self, captured: Captured, incoming: bytes, now: int) -> None:
        """Acknowledge a FIN that is retransmitted after the connection has ended for us."""
        answer = self._time_wait.answer(incoming, now)
        if answer is None:
            return
        packet, to = answer
        found = self.packet_socket.decode(captured)
        if isinstance(found, Observed):
            with suppress(OSError):  # the route to the peer may be gone
                self.packet_socket.pass_on(packet, found.segment.source.version, to)

    def release(self) -> bool:
        """Close the guards and send nothing more: the kernel takes the connections over.

        Return whether a segment of a peer arrived in the meantime.
        """
        received = map(self._decode, self.packet_socket.read())
        arrived = any(isinstance(each, Observed) and not each.outgoing for each in received)
        # The packet socket stays open for now: closing it takes a hundred times as long.
        self._dialer.close()
        self._silent = True
        return arrived

    def linger(self) -> None:
        """Acknowledge for a moment the FINs that are retransmitted: the kernel would reset them."""
        if self._packet_socket is None:
            return
        poll = select.poll()
        poll.register(self, select.POLLIN)
        while (left := self._time_wait.until - self.clock.now()) > 0:
            poll.poll(-(-left // NS_PER_MS))
            self.receive()

    def _receive_other(self, captured: Captured, now: int) -> None:
        """Process an ICMP error, or a segment in an uncommon packet."""
        found = self.packet_socket.decode(captured)
        if isinstance(found, Observed):
            segment = found.segment
            key = ends(segment.source, segment.destination)
            connection = (self._from_us if found.outgoing else self._to_us).get(key)
            if connection is not None:
                self._observe(connection, found, now)
        elif found is not None:
            self._receive_icmp(found, now)

    def _receive_icmp(self, error: IcmpError, now: int) -> None:
        connection = self._from_us.get(ends(error.source, error.destination))
        if connection is not None:
            connection.quoted(error)
            self._send(connection, connection.session.icmp(error, now), now)
            self._after(connection, now)

    def _observe(self, connection: UserspaceConnection, observed: Observed, now: int) -> None:
        if observed.outgoing:
            connection.passed(observed)
        else:
            packets = connection.session.observed(observed, now)
            self._send(connection, packets, now)
            if packets and connection.over is not None:
                connection.over = now  # it is over when that has been seen, too
        connection.keep(observed)
        self._after(connection, now)

    def _send(self, connection: UserspaceConnection, packets: list[bytes], now: int) -> None:
        """Send packets that were due at a time."""
        if not packets:
            return
        version, to = packets[0][0] >> 4, connection.departure.to
        assert self._packet_socket is not None
        pass_on = self._packet_socket.pass_on
        for packet in packets:
            try:
                pass_on(packet, version, to)
            except OSError as error:
                # A full queue loses a packet as the path may: it is retransmitted.
                if error.errno not in _FULL:
                    connection.session.unsent(send_error(error).message)
            else:
                connection.last = packet
                if connection.segments is not None:
                    connection.sent(packet)
        self._check_late(connection, self.clock.now() - now)

    def _check_late(self, connection: UserspaceConnection, late: int) -> None:
        """Postpone the timers of a connection whose packets left so many nanoseconds late."""
        # A program that was stopped sends late: its timers must not run from before that.
        if late > _LATE:
            connection.session.postpone(late)

    def _send_waiting(self) -> None:
        """Send the packets of many connections at once, and see which of these have ended."""
        waiting, self._waiting = self._waiting, []
        batch = [(each, call.departure.to) for call, packets, _ in waiting for each in packets]
        sent = self._packet_socket.pass_on_all(batch) if self._packet_socket and batch else 0
        now = self.clock.now()
        for connection, packets, due in waiting:
            if sent < len(packets):
                self._send(connection, packets[sent:], due)
                sent = 0
            elif packets:
                sent -= len(packets)
                connection.last = packets[-1]
                self._check_late(connection, now - due)
        # Only now: what a connection ends with may stand behind an earlier entry of it.
        for connection, _, due in waiting:
            self._after(connection, due)

    def _abort_all(self) -> None:
        """Reset the connections in progress, as many as there is time for."""
        now = self.clock.now
        poll = select.poll()
        poll.register(self, select.POLLIN)
        # A SYN-ACK that has arrived already has opened a connection, too.
        until = now() + _LAST_LOOK
        while self._to_us and now() < until and poll.poll(0):
            self.receive()
        aborted = []
        until = now() + _ABORT_TIME
        for connection in tuple(self._to_us.values()):
            if now() >= until:
                break
            at = now()
            packets = connection.session.abort(at)
            self._send(connection, packets, at)
            if packets and connection.segments is not None:
                aborted.append(connection)
        # To see and write down a segment takes longer than to send it.
        until = now() + _ABORT_TIME
        while any(connection.unseen > 0 for connection in aborted) and now() < until:
            if not poll.poll(_LAST_LOOK // NS_PER_MS):
                break
            self.receive()

    # Time passes.

    def on_timer(self, now: int) -> None:
        """Do what is due by a time up to which all packets are processed."""
        for connection in self._timers.due(now):
            if not connection.session.done and connection.session.deadline <= now:
                self._send(connection, connection.session.on_timer(now), now)
            self._after(connection, now)

    def _after(self, connection: UserspaceConnection, now: int) -> None:
        """End the connection if it is over; else set its timer."""
        session = connection.session
        due = session.deadline
        if session.done:
            if connection.over is None:
                connection.over = now
            if connection.segments is None:
                self._end(connection)
                return
            due = connection.over + (_SECOND_ANSWER if connection.refused else _LAST_LOOK)
            if due <= now or (connection.unseen <= 0 and not connection.refused):
                self._end(connection)
                return
        if connection.due is None or due < connection.due:
            self._timers.set(connection, due)

    def _end(self, connection: UserspaceConnection) -> None:
        if connection.ended:
            return
        self._timers.cancel(connection)
        del self._to_us[connection.incoming], self._from_us[connection.outgoing]
        connection.outcome = connection.session.outcome()
        if not connection.syns:
            connection.missed = self._lost_since(connection.begun)
        self._time_wait.end(connection, connection.over or 0)
        self.ended.append(connection)

    def _lost_since(self, at: int) -> bool:
        """Whether packets may have been lost since a time: the queue of the socket was full."""
        if self.packet_socket.lost():
            self._lost_at = self.clock.now()
        return self._lost_at >= at
