"""Builds the result of a connection from its outcome and from the packets seen of it."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from handshake.endpoint.outcome import Verdict
from handshake.linux.next_hop import unresolved_neighbour
from handshake.prober.explanation import explain, no_neighbour, verdict_message
from handshake.prober.findings import answered_on_path, contradictions, findings_of
from handshake.prober.result import Result, failed, round_trip
from handshake.tcp import Flags, Observed
from handshake.tcp.address import hops
from handshake.tracker import Tracker, summarize_end
from handshake.tracker.findings import ConnectionFindings
from handshake.units import NS_PER_SECOND

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from handshake.endpoint.outcome import Negotiated, Outcome
    from handshake.linux.packet_socket import Captured, Received
    from handshake.packet.checksum import Address
    from handshake.prober.userspace.connection import UserspaceConnection
    from handshake.record import EndRecord, Finding
    from handshake.tracker import Connection

_DELIVERY: Final = 0.05
"""Seconds that a packet may take from the interface to TCP: a program may filter it between."""

_UNTOUCHED: Final = 255
"""A TTL that no router has decremented."""


def build_result(
    connection: UserspaceConnection,
    decode: Callable[[Captured], Received | None],
    tracker: Tracker | None = None,
) -> Result:
    """Return the result of a connection; `tracker` has seen its segments, if they were kept."""
    session, remote = connection.session, connection.session.remote
    outcome, over, departure = connection.outcome, connection.over, connection.departure
    assert outcome is not None
    assert over is not None
    if outcome.verdict is Verdict.FILTERED and not (connection.syns or connection.missed):
        return _not_seen(connection)
    answer = session.answer()
    waited = _waited(connection, answer)
    rtt, ambiguous, ttl = _measured(connection, answer, waited, decode)
    seen = None if tracker is None else _own_connection(connection, tracker)
    findings = outcome.findings
    if seen is not None:
        observer = seen.observer(ConnectionFindings)
        observed = () if observer is None else observer.found()
        findings += tuple(findings_of(connection.segments or (), departure.path_mss, observed))
    if ttl is not None and not hops(ttl) and (gateway := departure.gateway()) is not None:
        findings += tuple(_distance(connection, outcome, ttl, gateway))
    against = tuple(_against(connection, outcome))
    findings += against
    duration = (over - connection.begun) / NS_PER_SECOND
    asked, signed = session.asked, session.signed
    return Result.of(
        outcome,
        {
            "target": connection.target.text,
            "address": departure.text,
            "port": remote.port,
            "reason": explain(
                outcome,
                session.source,
                remote,
                duration,
                asked=asked,
                signed=signed,
                against=against[0].code if against else _doubt(outcome, findings),
            ),
            "rtt": rtt,
            "rtt_ambiguous": ambiguous,
            "waited": waited,
            "syn_sent": outcome.syn_sent if connection.missed else len(connection.syns),
            "ttl": ttl,
            "negotiated": _in_force(connection, outcome.negotiated),
            "client": None if seen is None else _our_end(connection, seen),
            "server": None if seen is None else _their_end(connection, seen),
            "guard": connection.guard.name,
            "findings": findings,
            "segments": tuple(connection.segments or ()),
            "duration": duration,
            "errors": connection.errors,
        },
    )


def _doubt(outcome: Outcome, findings: Sequence[Finding]) -> str:
    """Return what speaks against a program that listens on an open port; empty for nothing."""
    proxied = any((each.code, each.variant) == ("syn-proxy", "never-opened") for each in findings)
    return "syn-proxy" if outcome.verdict is Verdict.OPEN and proxied else ""


def _against(connection: UserspaceConnection, outcome: Outcome) -> Iterator[Finding]:
    """Yield what contradicts the RST that refused the connection."""
    if outcome.verdict is Verdict.CLOSED and connection.segments is not None:
        yield from contradictions(connection.segments)


def new_tracker(connection: UserspaceConnection) -> Tracker:
    """Return a tracker for the segments of the connection, which collects its findings."""
    return Tracker(client=connection.session.local, observers=(ConnectionFindings,))


def tracked(connection: UserspaceConnection) -> Tracker | None:
    """Return a tracker of all segments of the connection; None if none were kept."""
    if connection.segments is None:
        return None
    tracker = new_tracker(connection)
    for each in connection.segments:
        tracker.feed(each)
    return tracker


def _not_seen(connection: UserspaceConnection) -> Result:
    """Return the result if none of our SYNs appeared on the interface."""
    remote = connection.session.remote
    # The kernel would report it by an ICMP error, too, but it sends few of them each second.
    neighbour = unresolved_neighbour(remote.address, connection.departure.selector)
    if neighbour is not None:
        why = no_neighbour(neighbour, remote.address)
        return failed(connection.target, Verdict.UNREACHABLE, why, remote)
    why = verdict_message("unsent.not-seen")
    return failed(connection.target, Verdict.LOCAL_ERROR, why, remote)


def _distance(
    connection: UserspaceConnection, outcome: Outcome, ttl: int, gateway: Address
) -> Iterator[Finding]:
    """Yield a finding of an answer that passed no router, although the target is behind one."""
    # A SYN that crossed ours is no answer, and a RST to another segment does not concern the port.
    if not outcome.crossed and Flags.SYN in connection.session.asked:
        answer = "RST" if outcome.verdict is Verdict.CLOSED else "SYN-ACK"
        yield answered_on_path(answer, ttl, connection.session.remote.address, gateway)


def is_locally_dropped(connection: UserspaceConnection, ttl: int) -> bool:
    """Whether the answer that was seen on the interface never reached our guard.

    Packets of other connections to the port may hide that, but not feign it. A packet that is still
    on its way is waited for, so this is only for a single connection.
    """
    if connection.dropped is None:
        return False
    if connection.guard.name == "minttl" and ttl == _UNTOUCHED:  # this guard lets it pass
        return False
    give_up = time.monotonic() + _DELIVERY
    while connection.guard.dropped == connection.dropped:
        if time.monotonic() > give_up:
            return True
        time.sleep(_DELIVERY / 50)
    return False


def _in_force(connection: UserspaceConnection, negotiated: Negotiated | None) -> Negotiated | None:
    """Return what was negotiated, with the MSS that our side of the path can carry."""
    room = connection.departure.path_mss
    if negotiated is None or negotiated.mss is None or negotiated.mss <= room:
        return negotiated
    return replace(negotiated, mss=room)


def _own_connection(connection: UserspaceConnection, tracker: Tracker) -> Connection | None:
    """Return the tracker's view of the connection: to it, a stray SYN begins another one."""
    ours = connection.session.local
    return next((e for e in reversed(tracker.connections) if e.client.endpoint == ours), None)


def _our_end(connection: UserspaceConnection, seen: Connection) -> EndRecord:
    """Return our end, from our own state where that is exact and the tracker only infers it."""
    sent = [each.segment for each in connection.segments or () if each.outgoing]
    return replace(
        summarize_end(seen.client),
        state=str(connection.session.take_over().block.state),
        segments=len(sent),
        fin=sum(each.fin for each in sent),
        rst=sum(each.rst for each in sent),
    )


def _their_end(connection: UserspaceConnection, seen: Connection) -> EndRecord:
    """Return the peer's end, with what that SYN of its offered that we accepted."""
    block, found = connection.session.take_over().block, summarize_end(seen.server)
    theirs, irs = block.peer_offered, block.rcv.irs
    if theirs is None or irs is None or found.iss == int(irs):
        return found
    return replace(
        found,
        iss=int(irs),
        mss=theirs.mss,
        window_scale=theirs.window_scale,
        sack_permitted=theirs.sack_permitted,
        timestamps=theirs.timestamps,
    )


def _waited(connection: UserspaceConnection, answer: Captured | Observed | None) -> float | None:
    """Return the seconds from our first SYN to the answer; None if it was not seen leaving."""
    if answer is None or not connection.syns or connection.syns[0].at > answer.at:
        return None
    return (answer.at - connection.syns[0].at) / NS_PER_SECOND


def _measured(
    connection: UserspaceConnection,
    answer: Captured | Observed | None,
    waited: float | None,
    decode: Callable[[Captured], Received | None],
) -> tuple[float | None, bool, int | None]:
    """Return the round trip, whether it is ambiguous, and the answer's TTL."""
    if answer is None:
        return None, False, None
    if not isinstance(answer, Observed) and len(connection.syns) == 1:
        octets = answer.octets
        ttl = octets[8] if octets[0] >> 4 == 4 else octets[7]
        return waited, False, ttl

    def whole(seen: Captured | Observed) -> Observed:
        found = seen if isinstance(seen, Observed) else decode(seen)
        assert isinstance(found, Observed)
        return found

    received = whole(answer)
    return *round_trip([whole(each) for each in connection.syns], received), received.ttl
