"""Two real hosts and the programs of a part on them: the kernel's TCP plays the lesson.

Runs in a process of its own, in network namespaces that vanish with it. Each segment passes a wire
that this process carries, so it sees, delays and loses what the lesson says.
"""

from __future__ import annotations

import errno
import os
import select
import socket
import threading
import time
from collections import deque
from dataclasses import dataclass, field, replace
from functools import partial
from heapq import heappop, heappush
from itertools import count
from operator import itemgetter
from typing import TYPE_CHECKING, Final

from handshake.events import Role
from handshake.lessons.live_event import LiveEvent, bare_name
from handshake.lessons.live_hosts import ABORT, MSG_FASTOPEN, PORT_UNREACHABLE, LiveHosts
from handshake.lessons.scene import Moment
from handshake.lessons.script import CLIENT, PROGRAM, ROUTER, SERVER, Action, Call
from handshake.lessons.segment_names import Losses, SegmentNames
from handshake.lessons.ss import ANY, SsRow
from handshake.lessons.stage import flooder, played
from handshake.linux.wire import Wire, framed, unreachable
from handshake.packet.checksum import checksummed
from handshake.packet.decode import Decoder
from handshake.packet.frame import Frame
from handshake.tcp import Flags, Segment, Seq, State
from handshake.tcp.icmp import IcmpError
from handshake.units import MODULUS, NS_PER_MS, NS_PER_SECOND

if TYPE_CHECKING:
    from collections.abc import Callable

    from handshake.lessons.script import Part
    from handshake.tcp import Observed

_ETHERNET: Final = 1
_LOOK: Final = 200 * NS_PER_MS
"""How often `ss` is looked at while nothing passes, in nanoseconds."""

_WAITS: Final = 100 * NS_PER_MS
"""How long a call that is not possible yet is put off, in nanoseconds."""

_LOOKS, _MOMENT = 50, 0.001
"""How often a host is looked at after something has arrived, until it is as in the lesson, and the
seconds between two looks: a program that is just in a call delays what arrives."""

_THINKS: Final = 0.01
"""Seconds that a program takes after connect() before it sends."""

_PATIENCE: Final = 2 * NS_PER_SECOND
"""How much later than in the lesson the last thing may happen, besides a part of 7 of its time."""


@dataclass
class LiveStage:
    """The hosts of one part. `report` is told of everything that happens."""

    part: Part
    report: Callable[[LiveEvent], None]
    woken: int
    """A descriptor to write to when a program's call has returned."""

    wire: Wire = field(init=False)
    _began: int = field(init=False, default=0)
    _late: int = field(init=False, default=0)
    """How long the time of the part has waited for this process."""

    _due: list[tuple[int, int, Callable[[int], None]]] = field(init=False, default_factory=list)
    _numbers: count[int] = field(init=False, default_factory=count)
    _names: SegmentNames = field(init=False, default_factory=SegmentNames)
    _segments: list[Segment] = field(init=False, default_factory=list)
    """Kept: they are told apart by what they are, not by what they say."""

    _sockets: dict[Role, socket.socket] = field(init=False, default_factory=dict)
    _reached: int = field(init=False, default=0)
    """The time in the part of what was done last."""

    _returned: deque[tuple[int, LiveEvent]] = field(init=False, default_factory=deque)
    _known: dict[Role, tuple[SsRow, ...]] = field(init=False, default_factory=dict)
    _shown: dict[str, tuple[tuple[SsRow, ...], tuple[SsRow, ...]]] = field(init=False)
    """What `ss` shows in the lesson, by the name of what happens."""

    _waits_for: set[str] = field(init=False)
    _opens: bool = field(init=False)
    """Whether connect() returns within the part."""

    _until: int = field(init=False)
    _connecting: set[Role] = field(init=False, default_factory=set)
    """Whose program waits in connect()."""

    _accepts: Call | None = field(init=False, default=None)
    """The call of accept() that waits for a connection."""

    _listener: socket.socket | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        given = self.part.conditions
        self._hosts = LiveHosts(given)
        self.wire = self._hosts.wire
        self._losses = Losses(given.drops)
        self._decoder = Decoder()
        scenes = played(self.part)
        # What is said of the hosts after the last call and segment is not waited for.
        self._waits_for = {bare_name(each) for each in scenes}
        self._shown = {bare_name(each): each.sockets for each in scenes}
        if any(each.action is Action.CONNECT and each.data for each in self.part.calls):
            # The endpoint of a lesson acknowledges at once: this shows that a kernel need not.
            self._waits_for = {"data-arrives"}
        last = scenes[-1].client.after
        self._opens = last is not None and last.state is not State.SYN_SENT
        self._until = max((each.at for each in scenes), default=0)
        self._until += _PATIENCE + self._until // 7
        self._open()

    def _open(self) -> None:
        """Make the sockets of both programs."""
        given = self.part.conditions
        client = self._hosts.hosts[Role.CLIENT].socket()
        client.bind((str(CLIENT.address), CLIENT.port))
        self._sockets[Role.CLIENT] = client
        self._see("socket", Moment.CALL, Role.CLIENT)
        if given.closed:
            return
        server = self._hosts.hosts[Role.SERVER].socket()
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind((ANY if not given.crossing else str(SERVER.address), SERVER.port))
        if given.crossing:
            self._sockets[Role.SERVER] = server
            return
        if given.fast_open:
            server.setsockopt(socket.IPPROTO_TCP, socket.TCP_FASTOPEN, 5)
        server.listen(given.backlog)
        server.setblocking(False)
        self._listener = server

    # The time.

    def begin(self) -> None:
        """Plan the calls: the time of the part begins now."""
        self._see("listen", Moment.CALL, Role.SERVER)
        self._began = 0
        for each in self.part.calls:
            self._plan(round(each.at * NS_PER_SECOND), partial(self._call, each))
        self._plan(_LOOK, self._look)

    @property
    def ended(self) -> bool:
        """Whether nothing more is waited for."""
        returns = self._opens and (self._connecting or self._returned)
        return not (self._waits_for or returns) or self._now > self._until

    @property
    def due(self) -> int:
        """When something is to be done, in nanoseconds from now."""
        return max(0, self._due[0][0] - self._now) if self._began and self._due else 0

    @property
    def _elapsed(self) -> int:
        return time.time_ns() - self._began

    @property
    def _now(self) -> int:
        return self._elapsed - self._late

    def _plan(self, at: int, what: Callable[[int], None]) -> None:
        heappush(self._due, (at, next(self._numbers), what))

    def go_on(self) -> None:
        """Do what is due, and carry what both hosts have sent."""
        self._began = self._began or time.time_ns()
        self._take()
        while self._due and self._due[0][0] <= self._now:
            self._reached, _, what = heappop(self._due)
            what(self._reached)
            self._take()

    def _take(self) -> None:
        """Take in what has happened meanwhile, in its order.

        Where this process is late, the time of the part waits for it.
        """
        if self._due:
            self._late += max(0, self._now - self._due[0][0])
        happened: list[tuple[int, Callable[[int], None]]] = []
        while self._returned:
            stamp, event = self._returned.popleft()
            happened.append((stamp, partial(self._tell_of, event)))
        for number, by in enumerate(Role):
            while (found := self.wire.read(number)) is not None:
                frame, stamp = found
                happened.append((stamp, partial(self._left, frame, by)))
        for stamp, what in sorted(happened, key=itemgetter(0)):
            what(stamp - self._began)

    # The wire.

    def _left(self, frame: bytes, by: Role, at: int) -> None:
        to = 1 if by is Role.CLIENT else 0
        now = max(at - self._late, self._reached)
        observed = self._decoded(frame, at)
        arrives = now + self.part.conditions.rtt // 2
        if isinstance(observed, IcmpError):
            self._plan(arrives, lambda _: self._report(to, frame, observed))
            return
        if observed is None:
            self._plan(arrives, lambda _: self.wire.write(to, frame))
            return
        segment = observed.segment
        if segment.destination not in (CLIENT, SERVER):
            return  # an answer to a forged sender
        self._segments.append(segment)
        lost = self._losses.loses(segment)
        name = self._names.of(segment, by)
        rejected = self.part.conditions.icmp is not None and by is Role.CLIENT
        moment = Moment.LOST if lost else Moment.REJECTED if rejected else Moment.LEAVES
        self._see(name, moment, by, segment, at)
        if rejected and not lost and self.part.conditions.icmp == PORT_UNREACHABLE:
            answer = unreachable(frame, PORT_UNREACHABLE, ROUTER.packed)
            error = self._decoded(answer, at)
            assert isinstance(error, IcmpError)
            arrives += self.part.conditions.rtt // 2
            self._plan(arrives, lambda _: self._report(0, answer, error))
        elif not lost:
            self._plan(arrives, lambda _: self._arrive(to, frame, segment, by))

    def _decoded(self, frame: bytes, at: int) -> Observed | IcmpError | None:
        return self._decoder.observed(Frame(0, at, 0, _ETHERNET, len(frame), frame, 0))

    def _arrive(self, to: int, frame: bytes, segment: Segment, by: Role) -> None:
        if segment.syn and segment.ack is None:
            # The kernel answers a SYN as it arrives: what was there before is seen now, or never.
            self._see("syn-reaches", Moment.ARRIVES, by, segment)
        at = self._elapsed
        self.wire.write(to, frame)
        name = f"{self._names.of(segment, by)}-arrives"
        self._settle(name)
        self._see(name, Moment.ARRIVES, by, segment, at)
        waits = self._accepts
        if waits is not None and self._accept():
            self._read()
            self._see(waits.name, Moment.CALL, waits.by)

    def _settle(self, name: str) -> None:
        """Let both programs read what has come, and wait for a socket that one of them holds."""
        shown = self._shown.get(name)
        for _ in range(_LOOKS):
            self._read()
            if shown is None or self._rows() == shown:
                return
            time.sleep(_MOMENT)

    def _report(self, to: int, frame: bytes, error: IcmpError) -> None:
        """Let a router's ICMP error arrive."""
        at = self._elapsed
        self.wire.write(to, frame)
        self._settle("icmp-arrives")
        role = (Role.CLIENT, Role.SERVER)[to]
        self._see("icmp-arrives", Moment.REPORTED, role, None, at, error)

    # What is seen.

    def _rows(self) -> tuple[tuple[SsRow, ...], tuple[SsRow, ...]]:
        client, server = self._hosts.rows()
        self._known = {Role.CLIENT: client, Role.SERVER: server}
        return client, server

    def _see(
        self,
        name: str,
        moment: Moment,
        by: Role,
        segment: Segment | None = None,
        at: int | None = None,
        error: IcmpError | None = None,
    ) -> None:
        if at is None:
            at = self._elapsed if self._began else 0
        event = LiveEvent(self.part.name, name, at, moment, by, segment, self._rows(), error)
        self._tell(replace(event, late=self._late))

    def _tell_of(self, event: LiveEvent, at: int) -> None:
        self._tell(replace(event, at=at))

    def _tell(self, event: LiveEvent) -> None:
        self._waits_for.discard(event.name)
        self.report(event)

    def _look(self, at: int) -> None:
        """See whether a socket has ended by a timer, without a segment."""
        known = self._known
        client, server = self._rows()
        for role, rows in ((Role.CLIENT, client), (Role.SERVER, server)):
            if len(rows) < len(known.get(role, ())):
                self._see(f"{role}-gives-up", Moment.ENDS, role)
        self._plan(at + _LOOK, self._look)

    # The programs.

    def _call(self, call: Call, at: int) -> None:
        blocked = call.by in self._connecting or call.by not in self._sockets
        if call.action in PROGRAM and blocked:
            self._plan(at + _WAITS, partial(self._call, call))
            return
        began = self._elapsed
        self._do(call)
        self._read()
        if call is self._accepts:
            return  # it blocks
        self._see(call.name, Moment.CALL, call.by, None, began)

    def _do(self, call: Call) -> None:
        match call.action:
            case Action.CONNECT:
                self._see(f"{call.name}-begins", Moment.CALL, call.by)
                self._connect(call)
            case Action.ACCEPT:
                self._accepts = call
                self._accept()
            case Action.FLOOD:
                for number in range(call.number):
                    self._inject(
                        Segment(flooder(number), SERVER, Seq(7000), None, Flags.SYN, 64240)
                    )
            case Action.FORGE:
                self._forge(call.number)
            case _:
                own = self._sockets.get(call.by)
                if own is not None:
                    _act(own, call)
                    if call.action in (Action.CLOSE, Action.ABORT):
                        del self._sockets[call.by]

    def _connect(self, call: Call) -> None:
        own = self._sockets[call.by]
        remote = SERVER if call.by is Role.CLIENT else CLIENT
        place = str(remote.address), remote.port
        given = self.part.conditions
        asks = given.data and given.offers[0].fast_open is not None

        self._connecting.add(call.by)

        def blocked() -> None:
            result = "0"
            if not given.quickack:
                own.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 0)
            try:
                own.sendto(given.data, MSG_FASTOPEN, place) if asks else own.connect(place)
            except OSError as error:
                result = errno.errorcode.get(error.errno or 0, str(error))
            self._return(f"{call.name}-returns", call.by, result)
            self._connecting.discard(call.by)
            if call.data and result == "0":
                time.sleep(_THINKS)
                own.send(call.data)

        threading.Thread(target=blocked, daemon=True).start()
        # The call is made once its SYN is there; the thread may take a moment.
        ready = self.wire.sockets[0 if call.by is Role.CLIENT else 1]
        select.select([ready], [], [], 1.0)

    def _return(self, name: str, by: Role, result: str) -> None:
        """Tell that a program's call has returned: from any thread."""
        event = LiveEvent(self.part.name, name, 0, Moment.CALL, by, result=result)
        self._returned.append((time.time_ns(), event))
        os.write(self.woken, b".")

    def _accept(self) -> bool:
        """Let the server's program take a connection, if it waits for one and there is one."""
        if self._accepts is None or self._listener is None:
            return False
        try:
            self._sockets[Role.SERVER], _ = self._listener.accept()
        except BlockingIOError:
            return False
        self._accepts = None
        return True

    def _read(self) -> None:
        """Let both programs read what has come."""
        for role, own in self._sockets.items():
            if role in self._connecting:
                continue  # a read would take the error that connect() is about to return
            try:
                while own.recv(1 << 16, socket.MSG_DONTWAIT):
                    pass
            except BlockingIOError:
                continue
            except OSError as error:
                if error.errno in (errno.ECONNRESET, errno.EPIPE):
                    self._return("recv-returns", role, errno.errorcode[error.errno])

    def _forge(self, number: int) -> None:
        """Let a RST arrive: its number is as far from the server's ISN as in the lesson."""
        syn_ack = next(each for each in self._segments if each.syn and each.ack is not None)
        far = number - int(self.part.conditions.numbers[1])
        seq = Seq((int(syn_ack.seq) + far) % MODULUS)
        self._inject(Segment(SERVER, CLIENT, seq, None, Flags.RST, window=0))
        self._read()

    def _inject(self, segment: Segment) -> None:
        to = 0 if segment.destination == CLIENT else 1
        self.wire.write(to, framed(checksummed(segment), to))

    def close(self) -> None:
        """Let go of everything."""
        self._hosts.close()
        for own in self._sockets.values():
            own.close()
        if self._listener is not None:
            self._listener.close()


def _act(own: socket.socket, call: Call) -> None:
    match call.action:
        case Action.SEND:
            own.send(call.data)
        case Action.SHUTDOWN:
            own.shutdown(socket.SHUT_WR)
        case Action.CLOSE:
            own.close()
        case Action.ABORT:
            own.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, ABORT)
            own.close()
