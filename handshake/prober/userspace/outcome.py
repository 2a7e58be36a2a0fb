"""What became of a call: its result, from what was concluded and what was seen of it."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from handshake.endpoint.timeouts import SECOND
from handshake.endpoint.verdict import Note, Verdict
from handshake.linux.neighbours import silent
from handshake.prober.explanation import nobody_answers, reason
from handshake.prober.findings import hints, too_near
from handshake.prober.result import Negotiated, Result, failed, hops, round_trip
from handshake.tcp import Flags, Observed
from handshake.tracker import summarize_end

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from handshake.linux.packet_socket import Captured, Heard
    from handshake.prober.userspace.conclusion import Conclusion
    from handshake.prober.userspace.connection import Call
    from handshake.record import EndRecord
    from handshake.tracker import Connection, Tracker

_ON_ITS_WAY: Final = 0.05
"""Seconds that a packet may take from the wire to TCP: a program may have a say in between."""

_UNTOUCHED: Final = 255
"""A TTL that no router has counted down."""


def outcome(
    call: Call, decode: Callable[[Captured], Heard | None], tracker: Tracker | None = None
) -> Result:
    """Return what became of it; `tracker` has heard its segments, if anybody has."""
    course, remote = call.course, call.course.remote
    found, over = call.conclusion, call.over
    assert found is not None
    assert found.verdict is not None
    assert over is not None
    if found.verdict is Verdict.FILTERED and not call.syns:
        return _unseen(call)
    answer = course.answer()
    rtt, ambiguous, ttl = _measured(call, answer, decode)
    seen = None if tracker is None else _tracked(call, tracker)
    notes = found.notes
    if seen is not None:
        told = seen.findings.found()
        notes += tuple(hints(call.segments or (), call.path_mss, told))
    notes += tuple(_nearness(call, found, ttl))
    return Result(
        target=call.target.text,
        address=str(remote.address),
        port=remote.port,
        verdict=found.verdict,
        reason=reason(found, (over - call.begun) / SECOND, found.said, signed=course.signed),
        icmp=found.error,
        rtt=rtt,
        rtt_ambiguous=ambiguous,
        waited=_waited(call, answer),
        syn_sent=len(call.syns),
        ttl=ttl,
        negotiated=_in_force(call, found.negotiated),
        client=None if seen is None else _our_end(call, seen),
        server=None if seen is None else summarize_end(seen.server),
        close=found.close,
        guard=call.guard.name,
        findings=notes,
        segments=tuple(call.segments or ()),
        duration=(over - call.begun) / SECOND,
        syn_ack_again=found.taken.again,
        said=found.said,
        errors=tuple(call.errors),
    )


def _unseen(call: Call) -> Result:
    """Return what became of it, where none of our SYNs was seen leaving."""
    local, remote, interface = call.course.local, call.course.remote, call.course.interface
    # An ICMP error of our own kernel's would say so, but it sends few of them in a second.
    if (who := silent(remote.address, local.address, interface)) is not None:
        why = nobody_answers(who, remote.address)
        return failed(call.target, Verdict.UNREACHABLE, why, remote)
    why = (
        "none of our SYNs was seen leaving: the link takes nothing, or this machine hides them "
        "(IPsec) or gives them another address (source NAT); --connect would tell"
    )
    return failed(call.target, Verdict.LOCAL_ERROR, why, remote)


def _nearness(call: Call, found: Conclusion, ttl: int | None) -> Iterator[Note]:
    """Yield a note where the answer came from nearer by than the target is."""
    # What crossed our SYN answers nothing, and a RST to what is no SYN says nothing of a port.
    if ttl is None or hops(ttl) or found.crossed or Flags.SYN not in found.asked:
        return
    if (router := call.gateway()) is not None:
        answer = "RST" if found.verdict is Verdict.CLOSED else "SYN+ACK"
        yield too_near(answer, ttl, call.course.remote.address, router)


def is_kept_out(call: Call, ttl: int) -> bool:
    """Whether the answer, which was seen on the wire, never came as far as our guard.

    What others are told at the same port may hide that, but nothing makes it up. If it is on
    its way there yet, it is waited for: this is for who makes one call, and no other beside.
    """
    if call.dropped is None:
        return False
    if call.guard.name == "minttl" and ttl == _UNTOUCHED:  # it lets this one through
        return False
    give_up = time.monotonic() + _ON_ITS_WAY
    while call.guard.dropped == call.dropped:
        if time.monotonic() > give_up:
            return True
        time.sleep(_ON_ITS_WAY / 50)
    return False


def _in_force(call: Call, agreed: Negotiated | None) -> Negotiated | None:
    """Return what both SYNs brought into force: a peer may take more than our path carries."""
    if agreed is None or agreed.mss is None or agreed.mss <= call.path_mss:
        return agreed
    return replace(agreed, mss=call.path_mss)


def _tracked(call: Call, tracker: Tracker) -> Connection | None:
    """Return the connection that we called: to a tracker, a stray SYN begins another."""
    ours = call.course.local
    return next((e for e in reversed(tracker.connections) if e.client.endpoint == ours), None)


def _our_end(call: Call, seen: Connection) -> EndRecord:
    """Return our end: what it is and did we know better than who saw the wire alone."""
    sent = [each.segment for each in call.segments or () if each.outgoing]
    return replace(
        summarize_end(seen.client),
        state=str(call.course.attempt.block.state),
        segments=len(sent),
        fin=sum(each.fin for each in sent),
        rst=sum(each.rst for each in sent),
    )


def _waited(call: Call, answer: Captured | Observed | None) -> float | None:
    """Return the seconds from our first SYN to the answer; None if it was not seen leaving."""
    if answer is None or not call.syns or call.syns[0].at > answer.at:
        return None
    return (answer.at - call.syns[0].at) / SECOND


def _measured(
    call: Call, answer: Captured | Observed | None, decode: Callable[[Captured], Heard | None]
) -> tuple[float | None, bool, int | None]:
    """Return the round trip, whether it is a guess, and the answer's time to live."""
    if answer is None:
        return None, False, None
    if not isinstance(answer, Observed) and len(call.syns) == 1:
        octets = answer.octets
        ttl = octets[8] if octets[0] >> 4 == 4 else octets[7]
        return _waited(call, answer), False, ttl

    def whole(seen: Captured | Observed) -> Observed:
        found = seen if isinstance(seen, Observed) else decode(seen)
        assert isinstance(found, Observed)
        return found

    heard = whole(answer)
    return *round_trip([whole(each) for each in call.syns], heard), heard.ttl
