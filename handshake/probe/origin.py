"""Whose RST it was that answered our SYN: the target's, or a firewall's that spoke in its name.

A firewall that rejects a call sends the RST from the target's address, but from its own place: the
RST's TTL was counted down by fewer routers than the target's own would have been.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from handshake.probe.by_hand.drive import driven
from handshake.probe.patience import SECOND, Patience
from handshake.probe.result import Result, hops
from handshake.probe.verdict import Note, Verdict
from handshake.wire.next_hop import next_hop

if TYPE_CHECKING:
    from handshake.probe.by_hand.call import Call
    from handshake.probe.by_hand.exchange import Exchange
    from handshake.wire.ip import Address

CODE: Final = "refused-by-firewall"

_LEAST: Final = SECOND // 5
_MOST: Final = SECOND
"""How long a router is given to say that our SYN went no further."""


def traced(result: Result, call: Call, exchange: Exchange) -> Result:
    """Return the result, with who sent the RST where that can be told.

    Where the TTL alone does not tell, one more SYN leaves, which may go just as far as the RST
    came: an end of the connection that is there answers it, and a router there does not let
    it pass (RFC 1122 section 3.2.1.7).
    """
    ttl = result.ttl
    if result.verdict is not Verdict.CLOSED or ttl is None:
        return result
    course = call.course
    gateway = _gateway(course.remote.address, course.local.address, exchange.manner.interface)
    if gateway is None:
        return result
    if not hops(ttl):
        return _noted(
            result,
            f"The RST's TTL ({ttl}) is not the target's: it passed no router, and "
            f"{result.address} lies behind {gateway}, from where {ttl - 1} at most arrives. A "
            f"firewall on the way answered in its name, unless the host has a shorter way back.",
        )
    waits = min(max(4 * round((result.rtt or 0) * SECOND), _LEAST), _MOST)
    again = exchange.begin(
        call.target,
        course.remote,
        Patience(retries=0, opening=waits),
        replace(exchange.manner, ttl=hops(ttl) + 1),
    )
    if isinstance(again, Result):
        return result
    for _ in driven(again, exchange):
        pass
    assert again.conclusion is not None
    error = again.conclusion.error
    told = replace(
        result,
        segments=(*result.segments, *(again.segments or ())),
        errors=(*result.errors, *again.errors),
    )
    if error is None or not error.expired:
        return told
    return _noted(
        told,
        f"The RST's TTL ({ttl}) is not the target's: it passed {_routers(hops(ttl))}, and a SYN "
        f"that may pass no more was ended by {error.sender}. The target lies beyond, and a "
        f"firewall there answered in its name, unless the host has a shorter way back.",
    )


def _gateway(remote: Address, local: Address, interface: str | None) -> Address | None:
    try:
        return next_hop(remote, local, interface).gateway
    except OSError:  # the way is another one by now, or the kernel does not say
        return None


def _noted(result: Result, text: str) -> Result:
    return replace(result, findings=(*result.findings, Note(CODE, text)))


def _routers(count: int) -> str:
    return "one router" if count == 1 else f"{count} routers"
