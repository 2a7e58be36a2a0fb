"""Drives one call over an exchange, for those who have no event loop."""

from __future__ import annotations

import select
from typing import TYPE_CHECKING, Final

from handshake.endpoint.timeouts import HEED
from handshake.prober.signals import undisturbed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from handshake.prober.userspace.connection import Call
    from handshake.prober.userspace.connections import Exchange

_MILLISECOND: Final = 1_000_000


def driven(call: Call, exchange: Exchange) -> Iterator[None]:
    """Bring a call to its end; yield each time that something may have passed."""
    arrivals = select.poll()
    arrivals.register(exchange, select.POLLIN)
    while call.conclusion is None:
        assert exchange.deadline is not None
        left = min(max(0, exchange.deadline - exchange.clock.now()), HEED)
        # Rounded up: to wake before it is due would be to wake twice.
        arrivals.poll(-(-left // _MILLISECOND))
        with undisturbed():
            exchange.hear()
            exchange.wake()
        yield
