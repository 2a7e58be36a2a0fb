"""Whose RST it was that answered our SYN: the target's, or a firewall's that spoke in its name.

A firewall that rejects a call sends the RST from the target's address, but from its own place: the
RST's TTL was counted down by fewer routers than the target's own would have been.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from handshake.endpoint.timeouts import Timeouts
from handshake.endpoint.verdict import Note, Verdict
from handshake.prober.driver import Driver
from handshake.prober.findings import REFUSED
from handshake.prober.result import Result, hops
from handshake.tcp import Observed
from handshake.units import NS_PER_SECOND

if TYPE_CHECKING:
    from handshake.prober.userspace.connection import UserspaceConnection
    from handshake.prober.userspace.connections import UserspaceConnections

_LEAST: Final = NS_PER_SECOND // 5
_MOST: Final = NS_PER_SECOND
"""How long a router is given to say that our SYN went no further."""


def locate_rst_sender(
    result: Result, connection: UserspaceConnection, connections: UserspaceConnections
) -> Result:
    """Return the result, with who sent the RST where that can be told.

    Where the TTL alone does not tell, one more SYN leaves, which may go just as far as the RST
    came: an end of the connection that is there answers it, and a router there does not let
    it pass (RFC 1122 section 3.2.1.7).
    """
    ttl = result.ttl
    # A RST that passed no router is told of without another packet.
    if result.verdict is not Verdict.CLOSED or ttl is None or not hops(ttl):
        return result
    if connection.gateway() is None:
        return result
    waits = min(max(4 * round((result.rtt or 0) * NS_PER_SECOND), _LEAST), _MOST)
    again = connections.begin(
        connection.target,
        connection.session.remote,
        Timeouts(retries=0, handshake=waits),
        replace(connections.options, ttl=hops(ttl) + 1),
    )
    if isinstance(again, Result):
        return result
    for _ in Driver(connections).drive(lambda: again.ended):
        pass
    told = replace(
        result,
        segments=(*result.segments, *(again.segments or ())),
        errors=(*result.errors, *again.errors),
    )
    note = _note(again, ttl)
    return told if note is None else replace(told, findings=(*told.findings, note))


def _note(again: UserspaceConnection, ttl: int) -> Note | None:
    """Return what became of the second SYN, where that tells who sent the first RST."""
    found, answer = again.conclusion, again.session.answer()
    assert found is not None
    passed = _routers(hops(ttl))
    if found.error is not None and found.error.expired:
        return Note(
            REFUSED,
            f"The RST's TTL ({ttl}) is not the target's: it passed {passed}, and a SYN that may "
            f"pass no more was ended by {found.error.sender}. The target lies beyond, and a "
            f"firewall there answered in its name, unless the host has a shorter way back.",
        )
    # From elsewhere it would not tell where the first one came from.
    if found.verdict is Verdict.CLOSED and isinstance(answer, Observed) and answer.ttl == ttl:
        return Note(
            "refused-by-host",
            f"A second SYN, which may pass {passed} and no more, as the RST did, was refused as "
            f"well: the RST comes from the target itself, or from a box right before it that does "
            f"not count the TTL down, unless the way back is longer than the way there.",
        )
    return None


def _routers(count: int) -> str:
    return "one router" if count == 1 else f"{count} routers"
