"""Serves one port over a packet socket: guards it, answers, and tells each step as it passes."""

from __future__ import annotations

import errno
import secrets
import select
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Self

from handshake.endpoint.listening_socket import SYNACK_RETRIES, ListeningSocket
from handshake.endpoint.misbehaviour import Behaviour
from handshake.endpoint.options import MAX_WAIT, ClientOptions, Timeouts
from handshake.endpoint.segment_builder import check
from handshake.endpoint.server import Echo, Server
from handshake.endpoint.syn_cookies import SynCookies
from handshake.errors import ConnectError, LocalError
from handshake.linux.clock import Clock, IsnGenerator
from handshake.linux.packet_socket import PacketSocket
from handshake.linux.rst_guard import RstGuard, guard
from handshake.linux.signals import signals_blocked
from handshake.packet.quick_parse import ends
from handshake.packet.template import Templates
from handshake.server.paths import Paths
from handshake.tcp import Endpoint, Observed, Seq
from handshake.tcp.address import ip_address
from handshake.tracker.live import LiveTracker
from handshake.units import NS_PER_MS, NS_PER_SECOND

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from handshake.endpoint.sender import Segments
    from handshake.endpoint.server import Program
    from handshake.events import Step
    from handshake.linux.packet_socket import Captured
    from handshake.packet.checksum import Address

_ANY: Final = {4: "0.0.0.0", 6: "::"}  # noqa: S104 - the port is guarded on all addresses
_LINGER: Final = NS_PER_SECOND // 2
"""How long the tracker keeps a connection that is over: its last segments may follow."""

_LAST_LOOK: Final = NS_PER_SECOND // 20
"""How long to wait for our own last segments to appear on the interface, in nanoseconds."""

_FULL: Final = (errno.ENOBUFS, errno.EAGAIN)


@dataclass(frozen=True, kw_only=True)
class Service:
    """What to serve, and how."""

    port: int
    address: Address | None = None
    """The local address; None for all."""

    versions: tuple[int, ...] = (4, 6)
    """The versions of IP, if no address is given."""

    backlog: int = 128
    cookies: bool = False
    """Whether every SYN is answered with a cookie."""

    fast_open: bool = False
    options: ClientOptions = field(default_factory=ClientOptions)
    """Of these, what a SYN-ACK and its packet can have."""

    timeouts: Timeouts = SYNACK_RETRIES
    program: Program = field(default_factory=Echo)
    behaviour: Behaviour = field(default_factory=Behaviour)


class Serving:
    """The open port, as a context: iterating `rounds` answers what arrives.

    `take` then returns the steps of all that has passed: a signal between the two loses none.
    """

    def __init__(self, service: Service, opened: Callable[[], None] | None = None) -> None:
        """Prepare it. `opened` is called once the sockets are open and confined to the port."""
        self.service = service
        self.options = service.behaviour.options(service.options)
        check(self.options)
        self.server = Server(self._listen, service.program, service.behaviour)
        self.tracker = LiveTracker()
        self.clock = Clock()
        self.guards: list[RstGuard] = []
        self.unsent = 0
        """Segments that the kernel did not send."""

        self._opened = opened
        self._isns = IsnGenerator()
        self._paths = Paths(self.options, self._isns)
        self._cookies = SynCookies(secrets.token_bytes(16))
        self._fast_open = secrets.token_bytes(16) if service.fast_open else b""
        self._templates = Templates()
        self._stack = ExitStack()
        self._steps: list[Step] = []
        self._over: list[tuple[int, tuple[Endpoint, Endpoint]]] = []

    def __enter__(self) -> Self:
        with signals_blocked():
            try:
                self._open()
            except BaseException:
                self._stack.close()
                raise
        return self

    def __exit__(self, *_: object) -> None:
        with signals_blocked():
            self._stack.close()

    def _open(self) -> None:
        service, interface = self.service, self.options.interface
        given = service.address
        addresses = [given] if given else [ip_address(_ANY[each]) for each in service.versions]
        for each in addresses:
            try:
                held = guard(
                    each, service.port, check=interface is None, serving=True, interface=interface
                )
            except ConnectError as error:
                # A machine without IPv6 serves IPv4.
                if error.code == "bind.not-local" and self.guards and given is None:
                    continue
                if error.code != "bind.in-use":
                    raise
                raise LocalError("serve.in-use", port=service.port) from error
            self.guards.append(held)
            self._stack.callback(held.close)
        # Afterwards: what tests the guards is no traffic to show.
        self._packets = PacketSocket([service.port], interface=interface, ring=True)
        self._stack.callback(self._packets.close)
        self._packets.confine([service.port])
        if self._opened is not None:
            self._opened()

    def _listen(self, local: Endpoint) -> ListeningSocket:
        service, known = self.service, self.options.iss

        def isn(remote: Endpoint, at: int) -> Seq:
            return Seq(self._isns.iss(ends(local, remote), at) if known is None else known)

        return ListeningSocket(
            local=local,
            isn=isn,
            backlog=service.backlog,
            cookies=self._cookies,
            always_cookies=service.cookies,
            fast_open=self._fast_open,
            timeouts=service.timeouts,
            options=self.options,
            path=lambda remote: self._paths.way(local, remote, self.clock.now()).path,
        )

    def take(self) -> list[Step]:
        """Return the steps of what has passed since the last time."""
        steps, self._steps = self._steps, []
        return steps

    def rounds(self) -> Iterator[None]:
        """Answer what has arrived, after each wait, of 0.2 s at most."""
        poll = select.poll()
        poll.register(self._packets.fileno(), select.POLLIN)
        while True:
            now = self.clock.now()
            soonest = min(now + MAX_WAIT, self.server.deadline or now + MAX_WAIT)
            poll.poll(-(-max(0, soonest - now) // NS_PER_MS))
            with signals_blocked():
                self._round()
            yield

    def abort(self) -> None:
        """Reset what is open, and see that leave."""
        poll = select.poll()
        poll.register(self._packets.fileno(), select.POLLIN)
        with signals_blocked():
            self._round()
            self._send(self.server.abort(self.clock.now()))
            until = self.clock.now() + _LAST_LOOK
            while self.clock.now() < until and poll.poll(_LAST_LOOK // NS_PER_MS):
                self._seen()

    def _round(self) -> None:
        self._seen()
        now = self.clock.now()
        self._send(self.server.on_timer(now))
        self._forget(now)

    def _seen(self) -> None:
        """Answer what has arrived; keep the steps of all that has passed."""
        now = self.clock.now()
        for each in self._packets.read():
            captured = each._replace(at=self.clock.stamped(each.at, now))
            found = self._packets.decode(captured)
            if not isinstance(found, Observed):
                if found is not None:
                    self.tracker.quoted(found)
                continue
            if self._concerns(captured, found, now):
                self._steps.append(self.tracker.feed(found))
                if not found.outgoing:
                    self._send(self.server.receive(found, self.clock.now()))

    def _concerns(self, captured: Captured, observed: Observed, now: int) -> bool:
        """Whether a segment is from or to our end of the port."""
        seg, service = observed.segment, self.service
        ours = seg.source if observed.outgoing else seg.destination
        if ours.port != service.port or ours.version not in self._versions:
            return False
        interface = self.options.interface
        if interface is not None and captured.interface != interface:
            return False
        if service.address is not None:
            return ours.address == service.address
        return self._paths.is_ours(ours.address, now)

    @property
    def _versions(self) -> tuple[int, ...]:
        given = self.service.address
        return self.service.versions if given is None else (given.version,)

    def _send(self, segments: Segments) -> None:
        options, packets = self.options, self._packets
        for seg in segments:
            packets.know(seg.source.address, seg.destination.address)
            packet = self._templates.packet(seg, options.ttl, options.tos)
            try:
                way = self._paths.way(seg.source, seg.destination, self.clock.now())
                packets.pass_on(packet, seg.source.version, way.to)
            except OSError as error:
                # What is not sent is lost, as on the path: it is retransmitted.
                self.unsent += error.errno not in _FULL

    def _forget(self, now: int) -> None:
        """Let the tracker forget what is over, a little later."""
        if self.server.over:
            self._over += [(now + _LINGER, key) for key in self.server.over]
            self.server.over.clear()
        while self._over and self._over[0][0] <= now:
            _, key = self._over.pop(0)
            if key not in self.server.connections:
                with suppress(KeyError):
                    self.tracker.forget(*key)
