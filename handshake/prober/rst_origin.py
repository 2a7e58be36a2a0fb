"""Which host sent the RST that answered our SYN: the target, or a firewall on the path.

A firewall that rejects a connection sends a RST from the target's address, but from its own place
on the path: so fewer routers have decremented its TTL than that of the target's own packets.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from handshake.endpoint.options import Timeouts
from handshake.endpoint.outcome import Verdict, note
from handshake.linux.signals import signals_blocked
from handshake.prober.driver import Driver
from handshake.prober.findings import REFUSED, contradictions
from handshake.prober.result import Result
from handshake.tcp import Observed
from handshake.tcp.address import hops
from handshake.units import NS_PER_SECOND

if TYPE_CHECKING:
    from handshake.prober.userspace.connection import UserspaceConnection
    from handshake.prober.userspace.connections import UserspaceConnections
    from handshake.record import Finding

_SHORTEST: Final = NS_PER_SECOND // 5
_LONGEST: Final = NS_PER_SECOND
"""How long a router has to report that our SYN was stopped, in nanoseconds."""


def locate_rst_sender(
    result: Result, connection: UserspaceConnection, connections: UserspaceConnections
) -> Result:
    """Return the result of a refused SYN, with a finding of which host sent the RST, if it shows.

    If the TTL alone does not tell, one more SYN is sent, with a TTL that takes it as far as the RST
    came: a host there answers it, and a router does not forward it (RFC 1122 section 3.2.1.7).
    """
    ttl = result.ttl
    # Where answers contradict each other, one more proves nothing.
    if any(True for _ in contradictions(result.segments)):
        return result
    # For a RST that passed no router no other packet is needed.
    if ttl is None or not hops(ttl) or connection.departure.gateway() is None:
        return result
    wait = min(max(4 * round((result.rtt or 0) * NS_PER_SECOND), _SHORTEST), _LONGEST)
    with signals_blocked():
        second = connections.begin(
            connection.target,
            connection.session.remote,
            Timeouts(retries=0, handshake=wait),
            replace(connections.options, ttl=hops(ttl) + 1),
        )
    if isinstance(second, Result):
        return result
    for _ in Driver(connections).drive(lambda: second.ended):
        pass
    found = replace(
        result,
        segments=(*result.segments, *(second.segments or ())),
        errors=(*result.errors, *second.errors),
    )
    against = next(contradictions(found.segments), None)
    finding = _finding(second, ttl) if against is None else against
    return found if finding is None else replace(found, findings=(*found.findings, finding))


def _finding(second: UserspaceConnection, ttl: int) -> Finding | None:
    """Return the outcome of the second SYN as a finding, if it tells which host sent the RST."""
    outcome, answer = second.outcome, second.session.answer()
    assert outcome is not None
    if outcome.icmp is not None and outcome.icmp.expired:
        values = {"ttl": ttl, "routers": hops(ttl), "sender": outcome.icmp.sender}
        return note(REFUSED, "beyond", **values)
    # With another TTL it would not tell where the first one came from.
    if outcome.verdict is Verdict.CLOSED and isinstance(answer, Observed) and answer.ttl == ttl:
        return note("refused-by-host", routers=hops(ttl))
    return None
