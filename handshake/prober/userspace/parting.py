"""The parting: what is done for the calls under way where all is left at once."""

from __future__ import annotations

import select
from typing import TYPE_CHECKING, Final

from handshake.units import NS_PER_MS, NS_PER_SECOND

if TYPE_CHECKING:
    from collections.abc import Mapping

    from handshake.prober.userspace.connection import UserspaceConnection
    from handshake.prober.userspace.connections import UserspaceConnections

_LOOK: Final = NS_PER_SECOND // 20
"""How long to hear what has come already, and how long to wait for our last segments to pass."""

_PARTING: Final = NS_PER_SECOND
"""How long to reset connections, and to see it; our kernel resets what peers speak on later."""


def part(connections: UserspaceConnections, under_way: Mapping[bytes, UserspaceConnection]) -> None:
    """Reset the connections of these calls, as many as there is time for: nobody else will."""
    clock = connections.clock
    arrivals = select.poll()
    arrivals.register(connections, select.POLLIN)
    # An answer that has come already has opened a connection as well.
    until = clock.now() + _LOOK
    while under_way and clock.now() < until and arrivals.poll(0):
        connections.receive()
    parted = []
    until = clock.now() + _PARTING
    for connection in tuple(under_way.values()):
        if clock.now() >= until:
            break
        if connections.abort(connection) and connection.segments is not None:
            parted.append(connection)
    # Whoever writes all of it down takes longer to hear it than it takes to leave.
    until = clock.now() + _PARTING
    while any(connection.unseen > 0 for connection in parted) and clock.now() < until:
        if not arrivals.poll(_LOOK // NS_PER_MS):
            break
        connections.receive()
