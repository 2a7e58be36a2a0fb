"""The parting: what is done for the calls under way where all is left at once."""

from __future__ import annotations

import select
from typing import TYPE_CHECKING, Final

from handshake.endpoint.timeouts import SECOND

if TYPE_CHECKING:
    from collections.abc import Mapping

    from handshake.prober.userspace.connection import Call
    from handshake.prober.userspace.connections import Exchange

_LOOK: Final = SECOND // 20
"""How long to hear what has come already, and how long to wait for our last segments to pass."""

_PARTING: Final = SECOND
"""How long to reset connections, and to see it; our kernel resets what peers speak on later."""

_MILLISECOND: Final = 1_000_000


def part(exchange: Exchange, calls: Mapping[bytes, Call]) -> None:
    """Reset the connections of these calls, as many as there is time for: nobody else will."""
    clock = exchange.clock
    arrivals = select.poll()
    arrivals.register(exchange, select.POLLIN)
    # An answer that has come already has opened a connection as well.
    until = clock.now() + _LOOK
    while calls and clock.now() < until and arrivals.poll(0):
        exchange.hear()
    parted = []
    until = clock.now() + _PARTING
    for call in tuple(calls.values()):
        if clock.now() >= until:
            break
        if exchange.leave(call) and call.segments is not None:
            parted.append(call)
    # Whoever writes all of it down takes longer to hear it than it takes to leave.
    until = clock.now() + _PARTING
    while any(call.unseen > 0 for call in parted) and clock.now() < until:
        if not arrivals.poll(_LOOK // _MILLISECOND):
            break
        exchange.hear()
