"""What became of a call: its result, from what was concluded and what was seen of it."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from handshake.endpoint.verdict import Note, Verdict
from handshake.linux.next_hop import unresolved_neighbour
from handshake.prober.explanation import nobody_answers, reason
from handshake.prober.findings import hints, too_near
from handshake.prober.result import Negotiated, Result, failed, hops, round_trip
from handshake.tcp import Flags, Observed
from handshake.tracker import summarize_end
from handshake.tracker.findings import ConnectionFindings
from handshake.units import NS_PER_SECOND

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from handshake.linux.packet_socket import Captured, Received
    from handshake.prober.userspace.conclusion import Conclusion
    from handshake.prober.userspace.connection import UserspaceConnection
    from handshake.record import EndRecord
    from handshake.tracker import Connection, Tracker

_ON_ITS_WAY: Final = 0.05
"""Seconds that a packet may take from the wire to TCP: a program may have a say in between."""

_UNTOUCHED: Final = 255
"""A TTL that no router has counted down."""


def outcome(
    connection: UserspaceConnection,
    decode: Callable[[Captured], Received | None],
    tracker: Tracker | None = None,
) -> Result:
    """Return what became of it; `tracker` has heard its segments, if anybody has."""
    session, remote = connection.session, connection.session.remote
    found, over = connection.conclusion, connection.over
    assert found is not None
    assert found.verdict is not None
    assert over is not None
    if found.verdict is Verdict.FILTERED and not connection.syns:
        return _unseen(connection)
    answer = session.answer()
    rtt, ambiguous, ttl = _measured(connection, answer, decode)
    seen = None if tracker is None else _tracked(connection, tracker)
    notes = found.notes
    if seen is not None:
        found_by = seen.observer(ConnectionFindings)
        told = () if found_by is None else found_by.found()
        notes += tuple(hints(connection.segments or (), connection.path_mss, told))
    notes += tuple(_nearness(connection, found, ttl))
    return Result(
        target=connection.target.text,
        address=str(remote.address),
        port=remote.port,
        verdict=found.verdict,
        reason=reason(
            found, (over - connection.begun) / NS_PER_SECOND, found.data, signed=session.signed
        ),
        icmp=found.error,
        rtt=rtt,
        rtt_ambiguous=ambiguous,
        waited=_waited(connection, answer),
        syn_sent=len(connection.syns),
        ttl=ttl,
        negotiated=_in_force(connection, found.negotiated),
        client=None if seen is None else _our_end(connection, seen),
        server=None if seen is None else summarize_end(seen.server),
        close=found.close,
        guard=connection.guard.name,
        findings=notes,
        segments=tuple(connection.segments or ()),
        duration=(over - connection.begun) / NS_PER_SECOND,
        syn_ack_again=found.ack_status.again,
        data=found.data,
        errors=tuple(connection.errors),
    )


def _unseen(connection: UserspaceConnection) -> Result:
    """Return what became of it, where none of our SYNs was seen leaving."""
    local, remote, interface = (
        connection.session.local,
        connection.session.remote,
        connection.session.interface,
    )
    # An ICMP error of our own kernel's would say so, but it sends few of them in a second.
    if (who := unresolved_neighbour(remote.address, local.address, interface)) is not None:
        why = nobody_answers(who, remote.address)
        return failed(connection.target, Verdict.UNREACHABLE, why, remote)
    why = (
        "none of our SYNs was seen leaving: the link takes nothing, or this machine hides them "
        "(IPsec) or gives them another address (source NAT); --connect would tell"
    )
    return failed(connection.target, Verdict.LOCAL_ERROR, why, remote)


def _nearness(
    connection: UserspaceConnection, found: Conclusion, ttl: int | None
) -> Iterator[Note]:
    """Yield a note where the answer came from nearer by than the target is."""
    # What crossed our SYN answers nothing, and a RST to what is no SYN says nothing of a port.
    if ttl is None or hops(ttl) or found.crossed or Flags.SYN not in found.asked:
        return
    if (router := connection.gateway()) is not None:
        answer = "RST" if found.verdict is Verdict.CLOSED else "SYN+ACK"
        yield too_near(answer, ttl, connection.session.remote.address, router)


def is_kept_out(connection: UserspaceConnection, ttl: int) -> bool:
    """Whether the answer, which was seen on the wire, never came as far as our guard.

    What others are told at the same port may hide that, but nothing makes it up. If it is on
    its way there yet, it is waited for: this is for who makes one call, and no other beside.
    """
    if connection.dropped is None:
        return False
    if connection.guard.name == "minttl" and ttl == _UNTOUCHED:  # it lets this one through
        return False
    give_up = time.monotonic() + _ON_ITS_WAY
    while connection.guard.dropped == connection.dropped:
        if time.monotonic() > give_up:
            return True
        time.sleep(_ON_ITS_WAY / 50)
    return False


def _in_force(connection: UserspaceConnection, agreed: Negotiated | None) -> Negotiated | None:
    """Return what both SYNs brought into force: a peer may take more than our path carries."""
    if agreed is None or agreed.mss is None or agreed.mss <= connection.path_mss:
        return agreed
    return replace(agreed, mss=connection.path_mss)


def _tracked(connection: UserspaceConnection, tracker: Tracker) -> Connection | None:
    """Return the connection that we called: to a tracker, a stray SYN begins another."""
    ours = connection.session.local
    return next((e for e in reversed(tracker.connections) if e.client.endpoint == ours), None)


def _our_end(connection: UserspaceConnection, seen: Connection) -> EndRecord:
    """Return our end: what it is and did we know better than who saw the wire alone."""
    sent = [each.segment for each in connection.segments or () if each.outgoing]
    return replace(
        summarize_end(seen.client),
        state=str(connection.session.attempt.block.state),
        segments=len(sent),
        fin=sum(each.fin for each in sent),
        rst=sum(each.rst for each in sent),
    )


def _waited(connection: UserspaceConnection, answer: Captured | Observed | None) -> float | None:
    """Return the seconds from our first SYN to the answer; None if it was not seen leaving."""
    if answer is None or not connection.syns or connection.syns[0].at > answer.at:
        return None
    return (answer.at - connection.syns[0].at) / NS_PER_SECOND


def _measured(
    connection: UserspaceConnection,
    answer: Captured | Observed | None,
    decode: Callable[[Captured], Received | None],
) -> tuple[float | None, bool, int | None]:
    """Return the round trip, whether it is a guess, and the answer's time to live."""
    if answer is None:
        return None, False, None
    if not isinstance(answer, Observed) and len(connection.syns) == 1:
        octets = answer.octets
        ttl = octets[8] if octets[0] >> 4 == 4 else octets[7]
        return _waited(connection, answer), False, ttl

    def whole(seen: Captured | Observed) -> Observed:
        found = seen if isinstance(seen, Observed) else decode(seen)
        assert isinstance(found, Observed)
        return found

    received = whole(answer)
    return *round_trip([whole(each) for each in connection.syns], received), received.ttl
