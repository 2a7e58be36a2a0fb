"""Two programs, two hosts and a wire: everything that happens on them, as scenes.

The scenes are not written down: the hosts of `endpoint` play them, under the conditions of a
lesson, or of a question "what if".
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Final

from handshake.endpoint.listening_socket import SYNACK_RETRIES, ListeningSocket
from handshake.endpoint.options import ClientOptions, Timeouts
from handshake.endpoint.syn_cookies import SynCookies
from handshake.endpoint.tcp_host import TcpHost
from handshake.endpoint.tcp_socket import TcpSocket
from handshake.events import Change, Role
from handshake.lessons.scene import Moment, Scene
from handshake.lessons.script import CLIENT, PROGRAM, ROUTER, SERVER, Action, Conditions
from handshake.lessons.segment_names import Losses, SegmentNames
from handshake.lessons.simulation import Simulation
from handshake.lessons.ss import ANY, listening_row, socket_row
from handshake.packet.checksum import checksummed
from handshake.tcp import ControlBlock, Endpoint, Flags, Observed, Segment, Seq, State
from handshake.tcp.icmp import IcmpError
from handshake.tcp.segment import differing_fields
from handshake.units import NS_PER_SECOND

if TYPE_CHECKING:
    from collections.abc import Iterable

    from handshake.endpoint.sender import Segments
    from handshake.lessons.script import Call, Part
    from handshake.lessons.ss import SsRow

_WAITS: Final = NS_PER_SECOND // 10
_LONGEST: Final = 200 * NS_PER_SECOND
"""After what time a program has no connection any more, in nanoseconds."""

_PATIENCE: Final = Timeouts(data_retries=15, orphan_retries=8)
"""How often Linux sends again what is not acknowledged; SYNs and SYN-ACKs have their own number."""

TICKS: Final = {Role.CLIENT: 1000, Role.SERVER: 9000}


@dataclass
class Stage:
    """The hosts of one lesson. Calls are planned first; `play` then returns what happened."""

    conditions: Conditions = field(default_factory=Conditions)
    client: TcpSocket = field(init=False)
    listener: ListeningSocket = field(init=False)
    server: TcpSocket | None = field(init=False, default=None)
    """The socket that accept() returned."""

    hosts: dict[Role, TcpHost] = field(init=False)
    wire: Simulation = field(init=False)
    scenes: list[Scene] = field(init=False, default_factory=list)
    _names: SegmentNames = field(init=False, default_factory=SegmentNames)
    _accepts: Call | None = field(init=False, default=None)
    """The call of accept() that waits for a connection."""

    _known: dict[Role, ControlBlock | None] = field(init=False)
    _before: Segment | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        given = self.conditions
        self.client = TcpSocket(
            local=CLIENT,
            remote=SERVER,
            iss=given.numbers[0],
            offer=given.offers[0],
            ticks=TICKS[Role.CLIENT],
            timeouts=replace(_PATIENCE, retries=given.retries + given.linear, linear=given.linear),
            options=ClientOptions(data=given.data),
        )
        self.listener = ListeningSocket(
            local=SERVER,
            isn=lambda *_: given.numbers[1],
            offer=given.offers[1],
            ticks=TICKS[Role.SERVER],
            backlog=given.backlog,
            timeouts=replace(_PATIENCE, retries=SYNACK_RETRIES.retries),
            fast_open=given.fast_open,
            cookies=SynCookies(bytes(16)) if given.cookies else None,
        )
        listeners = {} if given.closed or given.crossing else {SERVER: self.listener}
        self.hosts = {Role.CLIENT: TcpHost(), Role.SERVER: TcpHost(listeners)}
        self.hosts[Role.CLIENT].add(self.client)
        if given.crossing:
            self.server = TcpSocket(
                local=SERVER,
                remote=CLIENT,
                iss=given.numbers[1],
                offer=given.offers[1],
                ticks=TICKS[Role.SERVER],
                timeouts=self.client.timeouts,
            )
            self.hosts[Role.SERVER].add(self.server)
        hosts = self.hosts[Role.CLIENT], self.hosts[Role.SERVER]
        losses = Losses(given.drops)
        self.wire = Simulation(
            *hosts,
            given.rtt // 2,
            lambda segment, _: losses.loses(segment),
            lambda segment, by: _unreachable(segment, by, given.icmp),
            lambda segment: segment.destination in (CLIENT, SERVER),
            self,
        )
        self._known = {role: self.block(role) for role in Role}

    def perform(self, calls: Iterable[Call]) -> None:
        """Plan these calls."""
        for each in calls:
            self.wire.at(round(each.at * NS_PER_SECOND), each.by, partial(self._perform, each))

    def _perform(self, call: Call, at: int) -> Segments:
        if call.action is Action.ACCEPT and not self.listener.waiting:
            self._accepts = call  # it blocks
            return ()
        if call.action in PROGRAM and not self._ready(call.by):
            if self.wire.now < _LONGEST:
                self.wire.at(at + _WAITS, call.by, partial(self._perform, call))
            return ()
        out = self._done(call, at)
        self._add(call.name, Moment.CALL, call.by, sends=out, number=call.number)
        return out

    def _ready(self, by: Role) -> bool:
        """Whether a program has its connection: connect() or accept() has returned."""
        if by is Role.SERVER:
            return self.server is not None
        return self.client.state not in (State.SYN_SENT, State.CLOSED)

    def _done(self, call: Call, at: int) -> Segments:
        """Let a program do something now; return what is sent."""
        match call.action:
            case Action.ACCEPT:
                self.server = self.hosts[Role.SERVER].accept(self.listener)
                return ()
            case Action.FLOOD:
                return self._flooded(call.number, at)
            case Action.FORGE:
                forged = Segment(SERVER, CLIENT, Seq(call.number), None, Flags.RST, window=0)
                observed = Observed(checksummed(forged), at, checksum_ok=True)
                return self.hosts[Role.CLIENT].receive(observed, at)
        end = self.client if call.by is Role.CLIENT else self.server
        if end is None:
            return ()
        match call.action:
            case Action.CONNECT:
                return end.connect(at)
            case Action.SEND:
                return end.send(call.data, at)
            case Action.SHUTDOWN:
                return end.shutdown(at)
            case Action.CLOSE:
                return end.close(at)
        return end.abort(at)

    def _flooded(self, count: int, at: int) -> Segments:
        for number in range(count):
            other = TcpSocket(local=flooder(number), remote=SERVER, iss=Seq(7000))
            for each in other.connect(at):
                self.hosts[Role.SERVER].receive(Observed(each, at, checksum_ok=True), at)
        return ()

    def play(self, seconds: float) -> tuple[Scene, ...]:
        """Let the time pass; return all scenes so far."""
        self.wire.run(round(seconds * NS_PER_SECOND))
        return tuple(self.scenes)

    def block(self, role: Role) -> ControlBlock | None:
        """Return what an end has written down: None where there is no socket."""
        if role is Role.CLIENT:
            return self.client.block
        entry = self._server_end()
        if entry is not None:
            return entry.block
        if self.conditions.closed:
            return None
        return ControlBlock(local=Endpoint.of(ANY, SERVER.port), state=State.LISTEN, passive=True)

    def _server_end(self) -> TcpSocket | None:
        """Return the server's socket of this connection, or its half-open entry."""
        listener = self.listener
        return self.server or listener.half_open.get(CLIENT) or listener.waiting.get(CLIENT)

    def _gives_up(self, role: Role) -> bool:
        end = self.client if role is Role.CLIENT else self._server_end()
        return end is not None and end.gives_up

    def sockets(self, role: Role) -> tuple[SsRow, ...]:
        """Return what `ss -tan` prints of the sockets of a host."""
        if role is Role.CLIENT:
            return tuple(socket_row(self.client.block))
        server = () if self.server is None else tuple(socket_row(self.server.block))
        if self.conditions.closed or self.conditions.crossing:
            return server
        listener = self.listener
        entries = [*listener.half_open.values(), *listener.waiting.values()]
        rows = [row for each in entries for row in socket_row(each.block, read=False)]
        listening = listening_row(SERVER.port, len(listener.waiting), listener.backlog)
        return (listening, *sorted([*rows, *server], key=lambda row: row.peer))

    # What the wire tells.

    def left(self, segment: Segment, by: Role, *, lost: bool, rejected: bool) -> None:
        """Take note of a segment that leaves."""
        moment = Moment.LOST if lost else Moment.REJECTED if rejected else Moment.LEAVES
        self._add(self._names.of(segment, by), moment, by, segment, last_try=self._gives_up(by))

    def arrived(self, segment: Segment, by: Role, answers: Segments) -> None:
        """Take note of a segment of this host that has arrived."""
        name = f"{self._names.of(segment, by)}-arrives"
        self._add(name, Moment.ARRIVES, by, segment, sends=answers)
        if self._accepts is not None and self.listener.waiting:
            call, self._accepts = self._accepts, None
            self._perform(call, self.wire.now)

    def reported(self, error: IcmpError, to: Role, answers: Segments) -> None:
        """Take note of a router's ICMP error that has arrived at a host."""
        self._add("icmp-arrives", Moment.REPORTED, to, sends=answers, error=error)

    def expired(self, by: Role) -> None:
        """Take note of a timer that ran out on a host, if it ended something."""
        if self.block(by) != self._known[by]:
            self._add(f"{by}-gives-up", Moment.ENDS, by)

    def _change(self, role: Role) -> Change:
        before, after = self._known[role], self.block(role)
        if before is not None and before.state is State.LISTEN and after != before:
            before = None  # the listening socket stays: this is a new one
        return Change(before, after)

    def _add(
        self,
        name: str,
        moment: Moment,
        by: Role,
        segment: Segment | None = None,
        *,
        sends: Segments = (),
        last_try: bool = False,
        number: int = 0,
        error: IcmpError | None = None,
    ) -> None:
        changes = {role: self._change(role) for role in Role}
        self._known = {role: change.after for role, change in changes.items()}
        before, changed = self._before, frozenset[str]()
        if segment is not None:
            changed = frozenset() if before is None else differing_fields(before, segment)
            self._before = segment
        self.scenes.append(
            Scene(
                name,
                self.wire.now,
                moment,
                changes[Role.CLIENT],
                changes[Role.SERVER],
                0,
                0,
                segment,
                by,
                changed,
                sockets=(self.sockets(Role.CLIENT), self.sockets(Role.SERVER)),
                last_try=last_try,
                number=number,
                error=error,
                sends=tuple(each for each in sends if each.destination in (CLIENT, SERVER)),
            )
        )


def _unreachable(segment: Segment, by: Role, code: int | None) -> IcmpError | None:
    """Return the error of a router before the server, which lets nothing pass to it."""
    if code is None or by is Role.SERVER:
        return None
    return IcmpError(4, 3, code, ROUTER, segment.source, segment.destination, segment.seq)


def flooder(number: int) -> Endpoint:
    """Return the forged sender of a SYN, from 0."""
    return Endpoint.of(f"203.0.113.{10 + number}", 40000 + number)


def played(part: Part) -> tuple[Scene, ...]:
    """Return the scenes of a part; their names begin with its own."""
    stage = Stage(part.conditions)
    stage.perform(part.calls)
    return tuple(
        replace(each, part=part.name, name=f"{part.name}.{each.name}" if part.name else each.name)
        for each in stage.play(part.seconds)
    )
