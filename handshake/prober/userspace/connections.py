"""The exchange: all calls that are under way, over one link; it waits for nothing itself.

Whoever drives it waits until `fileno` can be read or `deadline` has come, and then lets it
`receive` and `on_timer`: an event loop for thousands of calls, or a plain poll for one.
"""

from __future__ import annotations

import errno
import select
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Final, Self

from handshake.endpoint.options import ClientOptions
from handshake.endpoint.verdict import Verdict
from handshake.errors import ConnectError
from handshake.linux.packet_socket import PacketSocket
from handshake.linux.route import explain
from handshake.linux.sockaddr import sockaddr
from handshake.packet.quick_parse import checksum_ok, ends, peek
from handshake.prober.clock import Clock
from handshake.prober.result import Result, failed
from handshake.prober.signals import signals_blocked
from handshake.prober.timer_queue import TimerQueue
from handshake.prober.userspace.conclusion import Conclusion
from handshake.prober.userspace.connection import FLAGS
from handshake.prober.userspace.dialer import Dialer
from handshake.prober.userspace.parting import part
from handshake.prober.userspace.time_wait import TimeWait
from handshake.tcp import Flags, Observed
from handshake.units import FIN_BIT, NS_PER_MS, NS_PER_SECOND, SYN_BIT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import TracebackType

    from handshake.endpoint.timeouts import Timeouts
    from handshake.linux.packet_socket import Captured, Received
    from handshake.prober.target import Target
    from handshake.prober.userspace.connection import PacketObserver, UserspaceConnection
    from handshake.tcp import Endpoint
    from handshake.tcp.icmp import IcmpError

_LAST_LOOK: Final = NS_PER_SECOND // 20
"""How long to wait for our own last segments to be seen on the wire."""

_FULL: Final = (errno.ENOBUFS, errno.EAGAIN)
_SYN_ACK: Final = int(Flags.SYN | Flags.ACK)


class UserspaceConnections:
    """The calls under way, and the sockets and ports that they share."""

    def __init__(
        self,
        timeouts: Timeouts,
        options: ClientOptions | None = None,
        *,
        attentive: bool = False,
        opened: Callable[[], None] | None = None,
        witness: Callable[[], PacketObserver] | None = None,
    ) -> None:
        """Make it. An `attentive` one keeps and explains every segment.

        `opened` is called once, as soon as the sockets are open; `witness` for each call, and
        what comes back is told of each packet that is kept, as it passes.
        """
        self.options = options or ClientOptions()
        """How calls are made, unless one is to be made otherwise."""

        self.clock = Clock()
        self.ended: deque[UserspaceConnection] = deque()
        """Calls that are over, for whoever drives it to take away."""

        # What is no SYN is measured, too, and the filter lets only SYNs of ours through.
        self._attentive = attentive or not self.options.opens
        self._opened = opened
        self._witness = witness
        self._packet_socket: PacketSocket | None = None
        self._dialer = Dialer(timeouts, self.options, self.clock, attentive=self._attentive)
        self._to_us: dict[bytes, UserspaceConnection] = {}
        self._from_us: dict[bytes, UserspaceConnection] = {}
        self._timers: TimerQueue[UserspaceConnection] = TimerQueue()
        self._time_wait = TimeWait()
        self._silent = False
        """Whether nothing more is to be said for the calls under way."""

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
        """Close every socket; of calls that are under way, nothing is left at the peers."""
        try:
            if self._to_us and not self._silent:
                self._silent = True
                with (
                    signals_blocked(),
                    suppress(OSError),
                ):  # a link that is down carries no good-bye
                    part(self, self._to_us)
        finally:
            if self._packet_socket is not None:
                self._packet_socket.close()
            self._dialer.close()

    @property
    def active(self) -> int:
        """How many calls are under way."""
        return len(self._to_us)

    @property
    def deadline(self) -> int | None:
        """When `on_timer` is due."""
        return self._timers.next

    @property
    def lingers_until(self) -> int:
        """Until when a peer may still send its FIN again."""
        return self._time_wait.until

    def fileno(self) -> int:
        """Return what can be read when there is something to hear."""
        number: int = self.packet_socket.fileno()
        return number

    @property
    def packet_socket(self) -> PacketSocket:
        """What all calls are heard on; it is opened with the first call."""
        assert self._packet_socket is not None, "no call has begun"
        return self._packet_socket

    # A call begins.

    def begin(
        self,
        target: Target,
        remote: Endpoint,
        timeouts: Timeouts | None = None,
        options: ClientOptions | None = None,
    ) -> UserspaceConnection | Result:
        """Send the SYN of another call; return its result where it cannot even be tried.

        This one may be made with a patience and in a manner of its own.
        """
        try:
            ports = self._taken, self._recently_used
            connection = self._dialer.connection(
                target, remote, *ports, self._decode, timeouts, options
            )
        except ConnectError as error:
            return failed(target, Verdict.LOCAL_ERROR, str(error), remote)
        except OSError as error:
            return failed(target, Verdict.LOCAL_ERROR, explain(error), remote)
        if self._witness is not None:
            connection.witness = self._witness()
        self._time_wait.begin(connection.incoming)
        self._listen(connection.guard.port)
        self.packet_socket.know(connection.session.local.address, remote.address)
        self._from_us[connection.outgoing] = self._to_us[connection.incoming] = connection
        by_rules = self._attentive or not self.options.ordinary
        # Sockets and filters take their time: the timer runs from when our SYN leaves.
        connection.begun = self.clock.now()
        self._send(connection, connection.session.start(connection.begun, by_rules=by_rules))
        self._after(connection, connection.begun)
        return connection

    def prepare(self, remotes: Iterable[Endpoint]) -> None:
        """Guard what calls to these remote ends will need, while there is a right to do so."""
        self._dialer.prepare(remotes)

    def _taken(self, incoming: bytes) -> bool:
        return incoming in self._to_us or incoming in self._time_wait

    def _recently_used(self, incoming: bytes) -> bool:
        return self._time_wait.recently_used(incoming, self.clock.now())

    def _decode(self, captured: Captured) -> Received | None:
        return self.packet_socket.decode(captured)

    def _listen(self, port: int) -> None:
        if self._packet_socket is None:
            interface = self.options.interface
            self._packet_socket = PacketSocket(
                [port], all_of_ours=self._attentive, interface=interface
            )
            if self._opened is not None:
                self._opened()
        elif port not in self._packet_socket.ports:
            self._packet_socket.listen_to(self._dialer.guards.ports)

    # Packets come in, and go out.

    def receive(self) -> None:
        """Answer what has arrived since the last time."""
        now = self.clock.now()
        for captured in self.packet_socket.read():
            octets = captured.octets
            found = peek(octets)
            if found is None:
                self._receive_other(captured, now)
                continue
            connection = (self._from_us if captured.outgoing else self._to_us).get(found.ends)
            if connection is None:
                if found.bits & FIN_BIT and not captured.outgoing:
                    self._receive_late_fin(captured, found.ends, now)
                continue
            _, seq, ack, bits, window, tcp, end = found
            data = tcp + (bits >> 10 & 0x3C)
            if captured.outgoing or connection.segments is not None:
                self._receive_parsed(connection, captured, now)
            elif (
                # Whatever is odd about it is for the rules to judge.
                tcp + 20 <= data <= end <= len(octets)
                and (captured.unfinished or checksum_ok(octets, found))
            ):
                options = octets[tcp + 20 : data]
                packets = connection.session.received(
                    captured, seq, ack, bits, window, options, end - data, now
                )
                self._send(connection, packets)
                self._after(connection, now)
            else:
                self._receive_parsed(connection, captured, now)

    def _receive_late_fin(self, captured: Captured, incoming: bytes, now: int) -> None:
        """Answer a FIN that comes again after the connection has ended for us."""
        packet = self._time_wait.answer(incoming, now)
        if packet is None:
            return
        found = self.packet_socket.decode(captured)
        if isinstance(found, Observed):
            with suppress(OSError):  # who no longer has a way to the peer has done what he could
                to = sockaddr(found.segment.source.address)
                self.packet_socket.pass_on(packet, found.segment.source.version, to)

    def hand_over(self) -> None:
        """Say nothing more for the calls under way, not even at the end: others carry them on."""
        self._silent = True

    def release(self) -> bool:
        """Give all ports up without another word; return whether a peer has spoken meanwhile."""
        received = map(self.packet_socket.decode, self.packet_socket.read())
        spoke = any(isinstance(each, Observed) and not each.outgoing for each in received)
        # The link stays for now: to close it takes a hundred times as long.
        self._dialer.close()
        self.hand_over()
        return spoke

    def linger(self) -> None:
        """Answer for a moment the FINs that come again, since nobody will do so afterwards."""
        arrivals = select.poll()
        if self._packet_socket is not None:
            arrivals.register(self._packet_socket, select.POLLIN)
        while (left := self.lingers_until - self.clock.now()) > 0:
            arrivals.poll(-(-left // NS_PER_MS))
            self.receive()

    def _receive_other(self, captured: Captured, now: int) -> None:
        """Hear an ICMP error, or a segment in an uncommon packet."""
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
            connection.session.icmp(error)
            self._after(connection, now)

    def _receive_parsed(
        self, connection: UserspaceConnection, captured: Captured, now: int
    ) -> None:
        if captured.outgoing and connection.segments is None:
            if _is_syn(captured.octets):
                connection.syns.append(captured)
            return
        found = self.packet_socket.decode(captured)
        if isinstance(found, Observed):
            self._observe(connection, found, now)

    def _observe(self, connection: UserspaceConnection, observed: Observed, now: int) -> None:
        if observed.outgoing:
            connection.passed(observed)
        else:
            self._send(connection, connection.session.observed(observed, now))
        connection.keep(observed)
        self._after(connection, now)

    def _send(self, connection: UserspaceConnection, packets: Iterable[bytes]) -> None:
        version = connection.session.remote.version
        for packet in packets:
            try:
                self.packet_socket.pass_on(packet, version, connection.to)
            except OSError as error:
                # A full queue loses a packet like any other on the way: it is sent again.
                if error.errno not in _FULL:
                    connection.session.unsent(explain(error))
            else:
                connection.sent(packet)

    def abort(self, connection: UserspaceConnection) -> bool:
        """End a call at once; return whether there was anything to say to the peer."""
        packets = connection.session.abort(self.clock.now())
        self._send(connection, packets)
        return bool(packets)

    # Time passes.

    def on_timer(self) -> None:
        """Do what is due."""
        now = self.clock.now()
        for connection in self._timers.due(now):
            if not connection.session.done and connection.session.deadline <= now:
                self._send(connection, connection.session.on_timer(now))
            self._after(connection, now)

    def _after(self, connection: UserspaceConnection, now: int) -> None:
        """See whether the call is over, and when it is to be woken."""
        due = connection.session.deadline
        if connection.session.done:
            if connection.over is None:
                connection.over = now
            due = connection.over + _LAST_LOOK
            if connection.segments is None or connection.unseen <= 0 or due <= now:
                self._end(connection)
                return
        self._timers.set(connection, due)

    def _end(self, connection: UserspaceConnection) -> None:
        if connection.conclusion is not None:
            return
        connection.slot[0] = None
        del self._to_us[connection.incoming], self._from_us[connection.outgoing]
        connection.conclusion = Conclusion(connection.session)
        self._time_wait.end(connection, connection.over or 0)
        self.ended.append(connection)


def _is_syn(octets: bytes) -> bool:
    return octets[FLAGS[octets[0] >> 4]] & _SYN_ACK == SYN_BIT
