"""The dialer: what a call needs before its SYN can leave. A way, a port, and numbers."""

from __future__ import annotations

import errno
import struct
from contextlib import suppress
from functools import cache, partial
from typing import TYPE_CHECKING, Final, NamedTuple

from handshake.endpoint.segment_builder import Headers, offer_for, path_mss
from handshake.endpoint.timeouts import SECOND, Patience
from handshake.errors import CannotRun
from handshake.linux.next_hop import gateway
from handshake.linux.route import route
from handshake.linux.rst_guard import sockaddr
from handshake.linux.rst_guard_pool import Guards
from handshake.packet.template import Templates
from handshake.prober.clock import Beginnings, Clock
from handshake.prober.userspace.connection import Call
from handshake.prober.userspace.response_cache import Precedents
from handshake.prober.userspace.session import Course
from handshake.tcp import Endpoint, Seq

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from handshake.endpoint.options import Manner
    from handshake.linux.packet_socket import Captured, Heard
    from handshake.linux.rst_guard import Guard
    from handshake.packet.checksum import Address
    from handshake.prober.target import Target
    from handshake.tcp import Offer

_PORTS: Final = struct.Struct("!HH")

_LASTS: Final = SECOND
"""How long the kernel is not asked again for the way to an address."""


class _Way(NamedTuple):
    """What is known of the way to an address."""

    source: Address
    """Our address on it."""

    precedents: Precedents
    """How calls on such a way went before."""

    gateway: Callable[[], Address | None]
    """Asks for the router that it begins with."""


class Dialer:
    """Prepares calls; the ports that they are made from are guarded until it is closed."""

    def __init__(
        self, patience: Patience, manner: Manner, clock: Clock, *, attentive: bool
    ) -> None:
        self.guards = Guards()
        self._patience = patience
        self._manner = manner
        self._clock = clock
        self._attentive = attentive
        self._templates = Templates()
        self._beginnings = Beginnings()
        self._precedents: dict[tuple[int, Offer, int], Precedents] = {}
        self._ways: dict[Address, _Way] = {}
        self._ways_until = 0

    def call(
        self,
        target: Target,
        remote: Endpoint,
        taken: Callable[[bytes], bool],
        rests: Callable[[bytes], bool],
        decode: Callable[[Captured], Heard | None],
        patience: Patience | None = None,
        manner: Manner | None = None,
    ) -> Call:
        """Return a call that has not begun, between ends that are not `taken`, nor `rests` one.

        With a patience or a manner of its own it has no precedents but its own either. Raises
        OSError where there is no way to the remote end, or the port to call from is not to be
        had; and CannotRun where no port of ours can be guarded.
        """
        way = self._way(remote.address)
        source, precedents = way.source, way.precedents
        room = precedents.path_mss
        if patience is not None or manner is not None:
            how = patience or self._patience, self._templates, manner or self._manner
            precedents = Precedents(remote.version, precedents.offer, *how, room)
        here, there, port = source.packed, remote.address.packed, remote.port
        incoming = there + here
        guard = self._guard(
            source,
            lambda ours: taken(incoming + _PORTS.pack(port, ours)),
            lambda ours: rests(incoming + _PORTS.pack(port, ours)),
        )
        incoming += _PORTS.pack(port, guard.port)
        outgoing = here + there + _PORTS.pack(guard.port, port)
        now = self._clock.now()
        iss = self._manner.iss
        course = Course(
            precedents,
            Endpoint(source, guard.port),
            remote,
            outgoing,
            self._beginnings.iss(outgoing, now) if iss is None else iss,
            self._beginnings.ticks(here + there),
            decode,
        )
        to = sockaddr(remote.address)
        ends = outgoing, incoming, to
        attentive = self._attentive
        return Call(target, course, guard, *ends, room, now, way.gateway, attentive=attentive)

    def prepare(self, remotes: Iterable[Endpoint]) -> None:
        """Guard a port on each address of ours that these remote ends will be called from.

        What cannot be guarded, or has no way, is told of when it is called.
        """
        port = self._manner.source_port
        for remote in remotes:
            with suppress(OSError, CannotRun):
                self.guards.take(self._way(remote.address).source, lambda _: False, port)

    def close(self) -> None:
        """Give all ports back."""
        self.guards.close()

    def _guard(
        self, source: Address, taken: Callable[[int], bool], rests: Callable[[int], bool]
    ) -> Guard:
        """Return a guard on a port of ours that is not `taken`, and does not rest if it may."""
        port = self._manner.source_port
        try:
            return self.guards.take(source, taken, port, rests=rests)
        except CannotRun as error:
            # Another port may do, where one was asked for: that concerns this call alone.
            why = error.__cause__
            if not port or not isinstance(why, OSError):
                raise
            text = str(error)
            if why.errno == errno.EADDRINUSE:
                text += f", and `ss -tanp sport = :{port}` shows by whom: call from another one"
            raise OSError(why.errno, text) from error

    def _way(self, address: Address) -> _Way:
        """Return what is known of the way there: for a second the kernel is not asked again."""
        now = self._clock.now()
        if now >= self._ways_until:
            self._ways.clear()
            self._ways_until = now + _LASTS
        known = self._ways.get(address)
        if known is None:
            manner, version = self._manner, address.version
            way = route(address, manner.source, manner.interface)
            offer, room = offer_for(way.mtu, version, manner), path_mss(way.mtu, version)
            precedents = self._precedents.get((version, offer, room))
            if precedents is None:
                how = self._patience, self._templates, manner, room
                precedents = self._precedents[version, offer, room] = Precedents(
                    version, offer, *how
                )
                # Scapy takes its time for the first of a kind: not when a SYN's timer runs.
                ends = Endpoint(way.source, 1), Endpoint(address, 1)
                precedents.packet(Headers(offer, manner, room).opening(*ends, Seq(0), clock=0))
            router = cache(partial(gateway, address, way.source, manner.interface))
            known = self._ways[address] = _Way(way.source, precedents, router)
        return known
