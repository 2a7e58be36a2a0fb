"""The dialer: prepares a connection. A route, a guarded port, an ISS and a clock."""

from __future__ import annotations

import struct
from contextlib import suppress
from functools import cache, partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from handshake.endpoint.segment_builder import SegmentBuilder, offer_for, path_mss
from handshake.errors import LocalError
from handshake.linux.next_hop import gateway
from handshake.linux.route import route
from handshake.linux.rst_guard import RstGuardPool
from handshake.linux.sockaddr import sockaddr
from handshake.packet.template import Templates
from handshake.prober.clock import Clock, IsnGenerator
from handshake.prober.userspace.connection import UserspaceConnection
from handshake.prober.userspace.response_cache import ResponseCache
from handshake.prober.userspace.session import Session
from handshake.tcp import Endpoint, Seq
from handshake.units import NS_PER_SECOND

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable

    from handshake.endpoint.options import ClientOptions
    from handshake.endpoint.timeouts import Timeouts
    from handshake.linux.packet_socket import Captured, Received
    from handshake.packet.checksum import Address
    from handshake.prober.target import Target
    from handshake.prober.userspace.time_wait import TimeWait
    from handshake.tcp import Offer

_PORTS: Final = struct.Struct("!HH")

_ROUTE_LIFETIME: Final = NS_PER_SECOND
"""How long a route to an address is cached, in nanoseconds."""


class _Path(NamedTuple):
    """What is known of the path to an address."""

    to: tuple[Any, ...]
    """The address, as socket calls expect it."""

    source: Address
    """Our address on it."""

    responses: ResponseCache
    """The cached responses of connections on such a path."""

    gateway: Callable[[], Address | None]
    """Returns its first gateway."""


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
        self._paths: dict[Address, _Path] = {}
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
        path = self._path(remote.address)
        source, responses = path.source, path.responses
        room = responses.path_mss
        if timeouts is not None or options is not None:
            how = timeouts or self._timeouts, self._templates, options or self._options
            responses = ResponseCache(remote.version, responses.offer, *how, room)
        here, there, port = source.packed, remote.address.packed, remote.port
        hosts, now = there + here, self._clock.now()
        in_progress, time_wait = self._in_progress, self._time_wait

        def in_use(ours: int) -> bool:
            incoming = hosts + _PORTS.pack(port, ours)
            return incoming in in_progress or incoming in time_wait

        def recently_used(ours: int) -> bool:
            return time_wait.recently_used(hosts + _PORTS.pack(port, ours), now)

        wanted = self._options.source_port
        guard = self.guards.take(source, in_use, wanted, recently_used=recently_used)
        incoming = hosts + _PORTS.pack(port, guard.port)
        outgoing = here + there + _PORTS.pack(guard.port, port)
        iss = self._options.iss
        session = Session(
            responses,
            Endpoint(source, guard.port),
            remote,
            outgoing,
            self._isns.iss(outgoing, now) if iss is None else iss,
            self._isns.ticks(here + there),
            decode,
        )
        ends = outgoing, incoming, path.to
        attentive = self._attentive
        return UserspaceConnection(
            target, session, guard, *ends, room, now, path.gateway, attentive=attentive
        )

    def prepare(self, remotes: Iterable[Endpoint]) -> None:
        """Guard a port on each address of ours that connects to one of these remote endpoints.

        An error is reported when the connection is made.
        """
        port = self._options.source_port
        for remote in remotes:
            with suppress(OSError, LocalError):
                self.guards.take(self._path(remote.address).source, lambda _: False, port)

    def close(self) -> None:
        """Close all guards."""
        self.guards.close()

    def _path(self, address: Address) -> _Path:
        """Return the path to an address, cached for a second."""
        now = self._clock.now()
        if now >= self._paths_until:
            self._paths.clear()
            self._paths_until = now + _ROUTE_LIFETIME
        known = self._paths.get(address)
        if known is None:
            options, version = self._options, address.version
            path = route(address, options.source, options.interface)
            offer, room = offer_for(path.mtu, version, options), path_mss(path.mtu, version)
            responses = self._responses.get((version, offer, room))
            if responses is None:
                how = self._timeouts, self._templates, options, room
                responses = self._responses[version, offer, room] = ResponseCache(
                    version, offer, *how
                )
                # Scapy is slow with the first packet of a kind: not while the timer of a SYN runs.
                ends = Endpoint(path.source, 1), Endpoint(address, 1)
                responses.packet(
                    SegmentBuilder(offer, options, room).opening(*ends, Seq(0), clock=0)
                )
            router = cache(partial(gateway, address, path.source, options.interface))
            known = self._paths[address] = _Path(sockaddr(address), path.source, responses, router)
        return known
