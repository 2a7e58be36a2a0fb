"""The exchange: all calls that are under way, over one link; it waits for nothing itself.

Whoever drives it waits until `fileno` can be read or `deadline` has come, and then lets it
`hear` and `wake`: an event loop for thousands of calls, or a plain poll for one.
"""

from __future__ import annotations

import errno
import select
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Final, Self

from handshake.endpoint.options import Manner
from handshake.endpoint.timeouts import SECOND
from handshake.endpoint.verdict import Verdict
from handshake.linux.packet_socket import Link
from handshake.linux.route import words
from handshake.linux.rst_guard import sockaddr
from handshake.packet.quick_parse import checksum_ok, ends, peek
from handshake.prober.clock import Clock
from handshake.prober.result import Result, failed
from handshake.prober.signals import undisturbed
from handshake.prober.timer_queue import Timers
from handshake.prober.userspace.conclusion import Conclusion
from handshake.prober.userspace.connection import FLAGS
from handshake.prober.userspace.dialer import Dialer
from handshake.prober.userspace.parting import part
from handshake.prober.userspace.time_wait import TimeWait
from handshake.tcp import Flags, Observed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import TracebackType

    from handshake.endpoint.timeouts import Patience
    from handshake.linux.packet_socket import Captured, Heard
    from handshake.prober.target import Target
    from handshake.prober.userspace.connection import Call, Witness
    from handshake.tcp import Endpoint
    from handshake.tcp.icmp import IcmpError

_LAST_LOOK: Final = SECOND // 20
"""How long to wait for our own last segments to be seen on the wire."""

_FULL: Final = (errno.ENOBUFS, errno.EAGAIN)
_MILLISECOND: Final = 1_000_000
_FIN: Final = int(Flags.FIN)
_SYN: Final = int(Flags.SYN)
_SYN_ACK: Final = int(Flags.SYN | Flags.ACK)


class Exchange:
    """The calls under way, and the sockets and ports that they share."""

    def __init__(
        self,
        patience: Patience,
        manner: Manner | None = None,
        *,
        attentive: bool = False,
        opened: Callable[[], None] | None = None,
        witness: Callable[[], Witness] | None = None,
    ) -> None:
        """Make it. An `attentive` one keeps and explains every segment.

        `opened` is called once, as soon as the sockets are open; `witness` for each call, and
        what comes back is told of each packet that is kept, as it passes.
        """
        self.manner = manner or Manner()
        """How calls are made, unless one is to be made otherwise."""

        self.clock = Clock()
        self.ended: deque[Call] = deque()
        """Calls that are over, for whoever drives it to take away."""

        # What is no SYN is measured, too, and the filter lets only SYNs of ours through.
        self._attentive = attentive or not self.manner.opens
        self._opened = opened
        self._witness = witness
        self._link: Link | None = None
        self._dialer = Dialer(patience, self.manner, self.clock, attentive=self._attentive)
        self._to_us: dict[bytes, Call] = {}
        self._from_us: dict[bytes, Call] = {}
        self._timers: Timers[Call] = Timers()
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
                with undisturbed(), suppress(OSError):  # a link that is down carries no good-bye
                    part(self, self._to_us)
        finally:
            if self._link is not None:
                self._link.close()
            self._dialer.close()

    @property
    def active(self) -> int:
        """How many calls are under way."""
        return len(self._to_us)

    @property
    def deadline(self) -> int | None:
        """When `wake` is due."""
        return self._timers.next

    @property
    def lingers_until(self) -> int:
        """Until when a peer may still send its FIN again."""
        return self._time_wait.until

    def fileno(self) -> int:
        """Return what can be read when there is something to hear."""
        number: int = self.link.fileno()
        return number

    @property
    def link(self) -> Link:
        """What all calls are heard on; it is opened with the first call."""
        assert self._link is not None, "no call has begun"
        return self._link

    # A call begins.

    def begin(
        self,
        target: Target,
        remote: Endpoint,
        patience: Patience | None = None,
        manner: Manner | None = None,
    ) -> Call | Result:
        """Send the SYN of another call; return its result where it cannot even be tried.

        This one may be made with a patience and in a manner of its own.
        """
        try:
            ports = self._taken, self._rests
            call = self._dialer.call(target, remote, *ports, self._decode, patience, manner)
        except OSError as error:
            return failed(target, Verdict.LOCAL_ERROR, words(error), remote)
        if self._witness is not None:
            call.witness = self._witness()
        self._time_wait.begin(call.incoming)
        self._listen(call.guard.port)
        self.link.know(call.course.local.address, remote.address)
        self._from_us[call.outgoing] = self._to_us[call.incoming] = call
        by_rules = self._attentive or not self.manner.ordinary
        # Sockets and filters take their time: the timer runs from when our SYN leaves.
        call.begun = self.clock.now()
        self._send(call, call.course.start(call.begun, by_rules=by_rules))
        self._after(call, call.begun)
        return call

    def prepare(self, remotes: Iterable[Endpoint]) -> None:
        """Guard what calls to these remote ends will need, while there is a right to do so."""
        self._dialer.prepare(remotes)

    def _taken(self, incoming: bytes) -> bool:
        return incoming in self._to_us or incoming in self._time_wait

    def _rests(self, incoming: bytes) -> bool:
        return self._time_wait.rests(incoming, self.clock.now())

    def _decode(self, captured: Captured) -> Heard | None:
        return self.link.decode(captured)

    def _listen(self, port: int) -> None:
        if self._link is None:
            interface = self.manner.interface
            self._link = Link([port], all_of_ours=self._attentive, interface=interface)
            if self._opened is not None:
                self._opened()
        elif port not in self._link.ports:
            self._link.listen_to(self._dialer.guards.ports)

    # Packets come in, and go out.

    def hear(self) -> None:
        """Answer what has arrived since the last time."""
        now = self.clock.now()
        for captured in self.link.read():
            octets = captured.octets
            found = peek(octets)
            if found is None:
                self._hear_other(captured, now)
                continue
            call = (self._from_us if captured.outgoing else self._to_us).get(found.ends)
            if call is None:
                if found.bits & _FIN and not captured.outgoing:
                    self._hear_again(captured, found.ends, now)
                continue
            _, seq, ack, bits, window, tcp, end = found
            data = tcp + (bits >> 10 & 0x3C)
            if captured.outgoing or call.segments is not None:
                self._hear_whole(call, captured, now)
            elif (
                # Whatever is odd about it is for the rules to judge.
                tcp + 20 <= data <= end <= len(octets)
                and (captured.unfinished or checksum_ok(octets, found))
            ):
                options = octets[tcp + 20 : data]
                packets = call.course.heard(
                    captured, seq, ack, bits, window, options, end - data, now
                )
                self._send(call, packets)
                self._after(call, now)
            else:
                self._hear_whole(call, captured, now)

    def _hear_again(self, captured: Captured, incoming: bytes, now: int) -> None:
        """Answer a FIN that comes again after the connection has ended for us."""
        packet = self._time_wait.answer(incoming, now)
        if packet is None:
            return
        found = self.link.decode(captured)
        if isinstance(found, Observed):
            with suppress(OSError):  # who no longer has a way to the peer has done what he could
                to = sockaddr(found.segment.source.address)
                self.link.pass_on(packet, found.segment.source.version, to)

    def hand_over(self) -> None:
        """Say nothing more for the calls under way, not even at the end: others carry them on."""
        self._silent = True

    def release(self) -> bool:
        """Give all ports up without another word; return whether a peer has spoken meanwhile."""
        heard = map(self.link.decode, self.link.read())
        spoke = any(isinstance(each, Observed) and not each.outgoing for each in heard)
        # The link stays for now: to close it takes a hundred times as long.
        self._dialer.close()
        self.hand_over()
        return spoke

    def linger(self) -> None:
        """Answer for a moment the FINs that come again, since nobody will do so afterwards."""
        arrivals = select.poll()
        if self._link is not None:
            arrivals.register(self._link, select.POLLIN)
        while (left := self.lingers_until - self.clock.now()) > 0:
            arrivals.poll(-(-left // _MILLISECOND))
            self.hear()

    def _hear_other(self, captured: Captured, now: int) -> None:
        """Hear an ICMP error, or a segment in an uncommon packet."""
        found = self.link.decode(captured)
        if isinstance(found, Observed):
            segment = found.segment
            key = ends(segment.source, segment.destination)
            call = (self._from_us if found.outgoing else self._to_us).get(key)
            if call is not None:
                self._observe(call, found, now)
        elif found is not None:
            self._hear_icmp(found, now)

    def _hear_icmp(self, error: IcmpError, now: int) -> None:
        call = self._from_us.get(ends(error.source, error.destination))
        if call is not None:
            call.quoted(error)
            call.course.icmp(error)
            self._after(call, now)

    def _hear_whole(self, call: Call, captured: Captured, now: int) -> None:
        if captured.outgoing and call.segments is None:
            if _is_syn(captured.octets):
                call.syns.append(captured)
            return
        found = self.link.decode(captured)
        if isinstance(found, Observed):
            self._observe(call, found, now)

    def _observe(self, call: Call, observed: Observed, now: int) -> None:
        if observed.outgoing:
            call.passed(observed)
        else:
            self._send(call, call.course.observed(observed, now))
        call.keep(observed)
        self._after(call, now)

    def _send(self, call: Call, packets: Iterable[bytes]) -> None:
        version = call.course.remote.version
        for packet in packets:
            try:
                self.link.pass_on(packet, version, call.to)
            except OSError as error:
                # A full queue loses a packet like any other on the way: it is sent again.
                if error.errno not in _FULL:
                    call.course.unsent(words(error))
            else:
                call.sent(packet)

    def leave(self, call: Call) -> bool:
        """End a call at once; return whether there was anything to say to the peer."""
        packets = call.course.leave(self.clock.now())
        self._send(call, packets)
        return bool(packets)

    # Time passes.

    def wake(self) -> None:
        """Do what is due."""
        now = self.clock.now()
        for call in self._timers.due(now):
            if not call.course.done and call.course.deadline <= now:
                self._send(call, call.course.wake(now))
            self._after(call, now)

    def _after(self, call: Call, now: int) -> None:
        """See whether the call is over, and when it is to be woken."""
        due = call.course.deadline
        if call.course.done:
            if call.over is None:
                call.over = now
            due = call.over + _LAST_LOOK
            if call.segments is None or call.unseen <= 0 or due <= now:
                self._end(call)
                return
        self._timers.set(call, due)

    def _end(self, call: Call) -> None:
        if call.conclusion is not None:
            return
        call.slot[0] = None
        del self._to_us[call.incoming], self._from_us[call.outgoing]
        call.conclusion = Conclusion(call.course)
        self._time_wait.end(call, call.over or 0)
        self.ended.append(call)


def _is_syn(octets: bytes) -> bool:
    return octets[FLAGS[octets[0] >> 4]] & _SYN_ACK == _SYN
