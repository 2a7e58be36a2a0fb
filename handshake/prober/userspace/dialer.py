"""The dialer: prepares a connection. A route, a guarded port, an ISS and a clock."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import replace
from functools import cache, partial
from typing import TYPE_CHECKING, Final, NamedTuple

from handshake.endpoint.segment_builder import SegmentBuilder, offer_for, path_mss
from handshake.errors import ConnectError, LocalError
from handshake.linux.clock import Clock, IsnGenerator
from handshake.linux.next_hop import Rules, Selector, gateway, rules
from handshake.linux.route import route, send_error
from handshake.linux.rst_guard import RstGuardPool
from handshake.linux.sockaddr import sockaddr
from handshake.packet.template import Templates
from handshake.prober.userspace.connection import Departure, UserspaceConnection
from handshake.prober.userspace.response_cache import ResponseCache
from handshake.prober.userspace.session import Session
from handshake.tcp import Endpoint, Seq
from handshake.units import NS_PER_SECOND

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable

    from handshake.endpoint.options import ClientOptions, Timeouts
    from handshake.linux.packet_socket import Captured, Received
    from handshake.packet.checksum import Address
    from handshake.prober.target import Target
    from handshake.prober.userspace.time_wait import TimeWait
    from handshake.tcp import Offer

_ROUTE_LIFETIME: Final = NS_PER_SECOND
"""How long a route to an address is cached, in nanoseconds."""


class _Path(NamedTuple):
    """What is known of the path to an address."""

    departure: Departure
    flow: Selector
    """What the route was found by, other than the address."""

    told: bool
    """Whether a socket must be told more than the address to use this route."""

    source: Address
    """Our address on it."""

    ours: bytes
    """Our address, as it stands in a packet."""

    theirs: bytes
    responses: ResponseCache
    """The cached responses of connections on such a path."""

    ticks: int
    """The offset of our timestamps clock towards the address."""


class Dialer:
    """Prepares connections; their source ports are guarded until it is closed."""

    def __init__(
        self,
        timeouts: Timeouts,
        options: ClientOptions,
        clock: Clock,
        in_progress: Container[bytes],
        time_wait: TimeWait,
        *,
        attentive: bool,
    ) -> None:
        """Prepare it; what is `in_progress` is known by the ends of the packets that arrive."""
        self.guards = RstGuardPool()
        self._timeouts = timeouts
        self._options = options
        self._clock = clock
        self._in_progress = in_progress
        self._time_wait = time_wait
        self._attentive = attentive
        self._templates = Templates()
        self._isns = IsnGenerator()
        self._responses: dict[tuple[int, Offer, int], ResponseCache] = {}
        self._user = os.geteuid()  # of the sockets, whatever becomes of our privileges
        self._rules: dict[int, Rules] = {}
        self._paths: dict[tuple[Address, int], _Path] = {}
        self._paths_until = 0

    def connection(
        self,
        target: Target,
        remote: Endpoint,
        decode: Callable[[Captured], Received | None],
        timeouts: Timeouts | None = None,
        options: ClientOptions | None = None,
    ) -> UserspaceConnection:
        """Return a connection in CLOSED, from a port that the peer knows no connection of.

        Timeouts or options of its own disable the shared response cache. Raises ConnectError if
        there is no route to the remote end or the requested port cannot be bound, and LocalError
        if no port of ours can be guarded.
        """
        now = self._clock.now()
        path = self._path(remote, now)
        source, responses = path.source, path.responses
        room = responses.path_mss
        if timeouts is not None or options is not None:
            how = timeouts or self._timeouts, self._templates, options or self._options
            responses = ResponseCache(remote.version, responses.offer, *how, room)
        port = remote.port.to_bytes(2, "big")
        itself = remote.port if path.theirs == path.ours else None
        if itself is not None and itself == self._options.source_port:
            raise ConnectError("bind.itself", port=itself, errno="EADDRINUSE")
        known = path.theirs + path.ours + port
        in_progress, time_wait = self._in_progress, self._time_wait

        def in_use(ours: int) -> bool:
            incoming = known + ours.to_bytes(2, "big")
            return ours == itself or incoming in in_progress or incoming in time_wait

        guard = self.guards.take(
            source,
            in_use,
            self._options.source_port,
            recently_used=time_wait.recently_used(known, now),
        )
        ours = guard.port.to_bytes(2, "big")
        incoming, outgoing = known + ours, path.ours + path.theirs + ours + port
        iss = self._options.iss
        session = Session(
            responses,
            source,
            guard.port,
            remote,
            outgoing,
            self._isns.iss(outgoing, now) if iss is None else iss,
            path.ticks,
            decode,
        )
        departure, attentive = self._departure(path, remote.address, guard.port), self._attentive
        return UserspaceConnection(
            target, session, guard, outgoing, incoming, departure, now, attentive=attentive
        )

    def prepare(self, remotes: Iterable[Endpoint]) -> None:
        """Guard a port on each address of ours that connects to one of these remote endpoints.

        An error is reported when the connection is made.
        """
        port = self._options.source_port
        for remote in remotes:
            with suppress(OSError, LocalError):
                source = self._path(remote, self._clock.now()).source
                self.guards.take(source, lambda _: False, port)

    def close(self) -> None:
        """Close all guards."""
        self.guards.close()

    def _departure(self, path: _Path, address: Address, port: int) -> Departure:
        """Return how packets from our port leave."""
        if not path.told:
            return path.departure
        from handshake.linux.policy_route import policy_route

        try:
            found = policy_route(address, path.flow, port)
        except OSError as error:
            raise send_error(error) from error
        if self._options.exact:
            found = replace(found, exact=True)
        return path.departure._replace(
            to=found,
            selector=path.flow._replace(source=path.source, source_port=port),
            gateway=lambda: found.hop.gateway,
        )

    def _path(self, remote: Endpoint, now: int) -> _Path:
        """Return the path to a remote end, cached for a second."""
        address = remote.address
        if now >= self._paths_until:
            self._paths.clear()
            self._rules.clear()
            self._paths_until = now + _ROUTE_LIFETIME
        version = address.version
        told = self._rules.get(version)
        if told is None:
            told = self._rules[version] = rules(version)
        # A rule may tell ports apart.
        port = remote.port if told.transport else 0
        known = self._paths.get((address, port))
        if known is None:
            known = self._paths[address, port] = self._new_path(address, port, told)
        return known

    def _new_path(self, address: Address, port: int, told: Rules) -> _Path:
        options, version = self._options, address.version
        flow = Selector(
            options.source, options.interface, options.source_port, port, options.tos, self._user
        )
        path = route(address, flow)
        offer, room = offer_for(path.mtu, version, options), path_mss(path.mtu, version)
        responses = self._responses.get((version, offer, room))
        if responses is None:
            how = self._timeouts, self._templates, options, room
            responses = self._responses[version, offer, room] = ResponseCache(version, offer, *how)
            # Scapy is slow with the first packet of a kind: not while the timer of a SYN runs.
            ends = Endpoint(path.source, 1), Endpoint(address, 1)
            responses.packet(SegmentBuilder(offer, options, room).opening(*ends, Seq(0), clock=0))
        # Of a source that was asked for, a raw socket must be told: the header does not count.
        more = not told.plain or options.source is not None or options.exact
        ours, theirs = path.source.packed, address.packed
        whole = flow._replace(source=path.source)
        router = cache(partial(gateway, address, whole))
        departure = Departure(sockaddr(address), whole, router, room, str(address))
        ticks = self._isns.ticks(ours + theirs)
        return _Path(departure, flow, more, path.source, ours, theirs, responses, ticks)
