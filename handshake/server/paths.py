"""The paths to clients: how our segments leave, and what we offer on each."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from handshake.endpoint.listening_socket import Path
from handshake.endpoint.segment_builder import offer_for, path_mss
from handshake.errors import LocalError
from handshake.linux.next_hop import Selector, is_own_address, is_valid_source, rules
from handshake.linux.policy_route import PolicyRoute, policy_route
from handshake.linux.route import route
from handshake.linux.sockaddr import sockaddr
from handshake.tcp import Endpoint
from handshake.units import NS_PER_SECOND

if TYPE_CHECKING:
    from handshake.endpoint.options import ClientOptions
    from handshake.linux.clock import IsnGenerator
    from handshake.packet.checksum import Address

_LIFETIME: Final = NS_PER_SECOND
"""How long what the kernel says is remembered, in nanoseconds."""

_KNOWN: Final = 4096
"""Paths remembered: many clients must not exhaust memory."""

_LEAST_MTU: Final = {4: 576, 6: 1280}
"""What is assumed where there is no route back, in octets."""


class Way(NamedTuple):
    """How segments to a client leave, and what a connection with it begins with."""

    to: tuple[Any, ...] | PolicyRoute
    path: Path


class Paths:
    """What the kernel knows of the ways back; asked once a second for each client."""

    def __init__(self, options: ClientOptions, isns: IsnGenerator) -> None:
        self._options = options
        self._isns = isns
        self._user = os.geteuid()  # of the sockets, whatever becomes of our privileges
        self._ways: dict[tuple[Address, Endpoint], Way] = {}
        self._own: dict[Address, bool] = {}
        self._until = 0

    def is_ours(self, address: Address, now: int) -> bool:
        """Whether it is a unicast address of this machine: a router's packets are not for us."""
        self._expire(now)
        found = self._own.get(address)
        if found is None:
            found = False
            with suppress(OSError):
                found = is_valid_source(address) and is_own_address(address)
            self._own[address] = found
        return found

    def way(self, local: Endpoint, remote: Endpoint, now: int) -> Way:
        """Return how segments from one end to the other leave."""
        self._expire(now)
        # A policy rule may ask for the client's port; without one the address is enough.
        told = rules(remote.version).transport if not self._ways else self._told
        self._told = told
        known = local.address, remote if told else Endpoint(remote.address, 0)
        found = self._ways.get(known)
        if found is None:
            found = self._ways[known] = self._new(local, remote)
        return found

    _told = False

    def _new(self, local: Endpoint, remote: Endpoint) -> Way:
        options, version, address = self._options, remote.version, remote.address
        flow = Selector(
            local.address, options.interface, local.port, remote.port, options.tos, self._user
        )
        to: tuple[Any, ...] | PolicyRoute = sockaddr(address)
        try:
            mtu = route(address, flow).mtu
            if not rules(version).plain:
                to = policy_route(address, flow)
        except (LocalError, OSError):
            # The route back may come: until then, what every path carries.
            mtu = _LEAST_MTU[version]
        ticks = self._isns.ticks(local.address.packed + address.packed)
        offer, room = offer_for(mtu, version, options), path_mss(mtu, version)
        return Way(to, Path(offer, room, ticks))

    def _expire(self, now: int) -> None:
        if now >= self._until or len(self._ways) > _KNOWN or len(self._own) > _KNOWN:
            self._ways.clear()
            self._own.clear()
            self._until = now + _LIFETIME
