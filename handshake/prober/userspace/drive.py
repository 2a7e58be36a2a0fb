"""Drives one call over an exchange, for those who have no event loop."""

from __future__ import annotations

import select
from typing import TYPE_CHECKING

from handshake.endpoint.timeouts import MAX_WAIT
from handshake.prober.signals import signals_blocked
from handshake.units import NS_PER_MS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from handshake.prober.userspace.connection import UserspaceConnection
    from handshake.prober.userspace.connections import UserspaceConnections


def driven(connection: UserspaceConnection, connections: UserspaceConnections) -> Iterator[None]:
    """Bring a call to its end; yield each time that something may have passed."""
    arrivals = select.poll()
    arrivals.register(connections, select.POLLIN)
    while connection.conclusion is None:
        assert connections.deadline is not None
        left = min(max(0, connections.deadline - connections.clock.now()), MAX_WAIT)
        # Rounded up: to wake before it is due would be to wake twice.
        arrivals.poll(-(-left // NS_PER_MS))
        with signals_blocked():
            connections.receive()
            connections.on_timer()
        yield
