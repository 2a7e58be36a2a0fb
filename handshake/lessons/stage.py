"""Two programs, two hosts and a wire: everything that happens on them, as scenes.

The scenes are not written down: the hosts of `endpoint` play them, under the conditions of a
lesson, or of a question "what if".
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from handshake.endpoint.listening_socket import ListeningSocket
from handshake.endpoint.options import ClientOptions, Timeouts
from handshake.endpoint.syn_cookies import SynCookies
from handshake.endpoint.tcp_host import TcpHost
from handshake.endpoint.tcp_socket import TcpSocket
from handshake.events import Change, Role
from handshake.lessons.scene import Moment, Scene
from handshake.lessons.simulation import Simulation
from handshake.packet.checksum import checksummed
from handshake.tcp import ControlBlock, Endpoint, Flags, Observed, Offer, Seq, State
from handshake.tcp.segment import differing_fields
from handshake.units import NS_PER_SECOND

if TYPE_CHECKING:
    from collections.abc import Callable

    from handshake.endpoint.sender import Segments
    from handshake.tcp import Segment

CLIENT: Final = Endpoint.of("192.0.2.10", 49152)
SERVER: Final = Endpoint.of("198.51.100.7", 80)
TICKS: Final = {Role.CLIENT: 1000, Role.SERVER: 9000}
_LINUX: Final = Offer(mss=1460, window_scale=7, sack_permitted=True, timestamps=True)


@dataclass(frozen=True)
class Conditions:
    """What the world of a lesson is like."""

    rtt: int = 28_400_000
    """The round trip in nanoseconds."""

    drops: frozenset[tuple[str, int]] = frozenset()
    """Segments that are lost: one of `KINDS`, and which of its kind, from 1; 0 for all of them."""

    closed: bool = False
    """Whether no program listens on the server's port."""

    backlog: int = 128
    cookies: bool = False
    """Whether the server answers SYNs with cookies where its queue is full."""

    offers: tuple[Offer, Offer] = (_LINUX, _LINUX)
    """What the client's host and the server's host offer in their SYNs."""

    numbers: tuple[Seq, Seq] = (Seq(1000), Seq(5000))
    """The initial sequence numbers of client and server."""

    data: bytes = b""
    """What the client's program sends with connect(), by Fast Open, if it has a cookie."""

    fast_open: bytes = b""
    """The server's secret of Fast Open cookies; empty where it has no Fast Open."""

    crossing: bool = False
    """Whether the server's program connects, too, instead of listening (simultaneous open)."""

    retries: int = 6
    """tcp_syn_retries of the client: how often its SYN is sent again, and `linear` times more."""

    linear: int = 4
    """tcp_syn_linear_timeouts of the client, as Linux has it since 6.5; 0 before that."""


KINDS: Final = ("syn", "syn-ack", "ack", "data", "fin", "rst")
"""The kinds of segments."""


def kind(segment: Segment) -> str:
    """Return the kind of a segment, by which a lesson's text and `--drop` name it."""
    if segment.rst:
        return "rst"
    if segment.syn:
        return "syn" if segment.ack is None else "syn-ack"
    if segment.fin:
        return "fin"
    return "data" if segment.payload_length else "ack"


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
    _kinds: Counter[str] = field(init=False, default_factory=Counter)
    _names: dict[tuple[object, ...], str] = field(init=False, default_factory=dict)
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
            timeouts=Timeouts(retries=given.retries + given.linear, linear=given.linear),
            options=ClientOptions(data=given.data),
        )
        self.listener = ListeningSocket(
            local=SERVER,
            isn=lambda *_: given.numbers[1],
            offer=given.offers[1],
            ticks=TICKS[Role.SERVER],
            backlog=given.backlog,
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
            )
            self.hosts[Role.SERVER].add(self.server)
        hosts = self.hosts[Role.CLIENT], self.hosts[Role.SERVER]
        self.wire = Simulation(*hosts, given.rtt // 2, self._loses, self)
        self._known = {role: self.block(role) for role in Role}

    def call(
        self, name: str, seconds: float, by: Role, what: Callable[[int], Segments] | None = None
    ) -> None:
        """Let a program make a call at a time; the scene has this name."""

        def called(at: int) -> Segments:
            out = () if what is None else what(at)
            self._add(name, Moment.CALL, by, None)
            return out

        self.wire.at(round(seconds * NS_PER_SECOND), by, called)

    def connect(self, seconds: float = 0.0) -> None:
        """Let the client's program call `connect`."""
        self.call("connect", seconds, Role.CLIENT, self.client.connect)

    def flood(self, name: str, seconds: float, count: int) -> None:
        """Let SYNs arrive at the server whose senders never answer."""

        def flooded(at: int) -> Segments:
            for number in range(count):
                sender = Endpoint.of(f"203.0.113.{10 + number}", 40000 + number)
                other = TcpSocket(local=sender, remote=SERVER, iss=Seq(7000))
                for each in other.connect(at):
                    self.hosts[Role.SERVER].receive(Observed(each, at, checksum_ok=True), at)
            return ()

        self.call(name, seconds, Role.SERVER, flooded)

    def forge(self, name: str, seconds: float, segment: Segment) -> None:
        """Let a segment arrive at the client that its sender address did not send."""

        def forged(at: int) -> Segments:
            observed = Observed(checksummed(segment), at, checksum_ok=True)
            return self.hosts[Role.CLIENT].receive(observed, at)

        self.call(name, seconds, Role.CLIENT, forged)

    def accept(self, seconds: float) -> None:
        """Let the server's program call `accept`."""

        def accepted(_: int) -> Segments:
            self.server = self.hosts[Role.SERVER].accept(self.listener)
            return ()

        self.call("accept", seconds, Role.SERVER, accepted)

    def serve(self, name: str, seconds: float, what: Callable[[TcpSocket, int], Segments]) -> None:
        """Let the server's program do something with the connection that it accepted."""

        def called(at: int) -> Segments:
            return () if self.server is None else what(self.server, at)

        self.call(name, seconds, Role.SERVER, called)

    def play(self, seconds: float) -> tuple[Scene, ...]:
        """Let the time pass; return all scenes so far."""
        self.wire.run(round(seconds * NS_PER_SECOND))
        return tuple(self.scenes)

    def block(self, role: Role) -> ControlBlock | None:
        """Return what an end has written down: None where there is no socket."""
        if role is Role.CLIENT:
            return self.client.block
        entry = (
            self.server or self.listener.half_open.get(CLIENT) or self.listener.waiting.get(CLIENT)
        )
        if entry is not None:
            return entry.block
        if self.conditions.closed:
            return None
        return ControlBlock(local=SERVER, state=State.LISTEN, passive=True)

    # What the wire tells.

    def left(self, segment: Segment, by: Role, *, lost: bool) -> None:
        """Take note of a segment that leaves."""
        self._add(self._name(segment, by), Moment.LOST if lost else Moment.LEAVES, by, segment)

    def arrived(self, segment: Segment, by: Role) -> None:
        """Take note of a segment of this host that has arrived."""
        self._add(f"{self._name(segment, by)}-arrives", Moment.ARRIVES, by, segment)

    def expired(self, by: Role) -> None:
        """Take note of a timer that ran out on a host, if it ended something."""
        if self.block(by) != self._known[by]:
            self._add(f"{by}-gives-up", Moment.ENDS, by, None)

    def _add(self, name: str, moment: Moment, by: Role, segment: Segment | None) -> None:
        changes = {role: Change(self._known[role], self.block(role)) for role in Role}
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
            )
        )

    def _name(self, segment: Segment, by: Role) -> str:
        """Return the name of a segment: its kind, and which of its kind in the lesson it is."""
        known = (id(segment),)
        if known in self._names:
            return self._names[known]
        # What takes no number is the same as before only if it acknowledges the same.
        what = segment.length or (None if segment.ack is None else -int(segment.ack))
        same = (by, int(segment.seq), int(segment.flags & ~Flags.PSH), what)
        first = self._names.get(same)
        base = first or kind(segment)
        name = base if first is None else f"{base}-again"
        self._kinds[name] += 1
        name = name if self._kinds[name] == 1 else f"{name}-{self._kinds[name]}"
        if first is None:
            self._names[same] = name
        self._names[known] = name
        return name

    def _loses(self, segment: Segment, _: Role) -> bool:
        what = kind(segment)
        self._kinds[f"sent {what}"] += 1
        drops = self.conditions.drops
        return (what, self._kinds[f"sent {what}"]) in drops or (what, 0) in drops
