"""The events of a SYN and a SYN-ACK."""

from __future__ import annotations

from typing import TYPE_CHECKING

from handshake import events as ev
from handshake.events import Role
from handshake.events.handshake import SOONEST_TIMER
from handshake.tcp import Agreement
from handshake.tcp.agreement import accepted_data
from handshake.tracker.timing import answers_again
from handshake.units import NS_PER_SECOND

if TYPE_CHECKING:
    from collections.abc import Iterator

    from handshake.tcp import Segment
    from handshake.tracker.connection import Transmission
    from handshake.tracker.context import SegmentContext


def opening(seen: SegmentContext) -> Iterator[ev.Event]:
    """Yield what a SYN or SYN-ACK did."""
    yield from _syn(seen) if seen.seg.ack is None else _syn_ack(seen)


def _syn(seen: SegmentContext) -> Iterator[ev.Event]:
    seg, known = seen.seg, seen.sender.syn
    if known is not None and known.repeated_by(seg):
        rst = seen.connection.refused
        refused = rst is not None and rst.at >= known.last.at
        yield ev.SynRetransmitted(seen.by, known.again + 1, seen.since(known), refused)
    elif seen.receiver.syn is not None and not seen.connection.simultaneous:
        yield ev.SimultaneousOpen(seen.by, seg.seq)
    else:
        yield ev.SynSent(seen.by, seg.seq)
    cookie = seg.options.fast_open
    if cookie == b"":
        yield ev.CookieRequested(seen.by)
    elif cookie or seg.payload_length:
        yield ev.FastOpenTried(seen.by, seg.payload_length, cookie is not None)


def _syn_ack(seen: SegmentContext) -> Iterator[ev.Event]:
    seg, known, syn = seen.seg, seen.sender.syn_ack, seen.receiver.syn
    assert seg.ack is not None
    if known is not None and known.repeated_by(seg):
        asked = syn is not None and (
            syn.last.at > known.last.at
            or (bool(syn.again) and answers_again(syn, known, seen.observed))
        )
        waited = seen.since(known)
        if not asked and waited < SOONEST_TIMER and known.again:
            # Its last one may have answered a SYN: a timer then runs from the one before.
            waited = max(0, seen.observed.at - known.recent[-2].at) / NS_PER_SECOND
        yield ev.SynAckRetransmitted(seen.by, known.again + 1, waited, asked)
        before = seen.received.before
        if seen.judgment is not None and before is not None and not before.agreed:
            # The SYN-ACKs before were lost.
            yield from _negotiated(seen)
        return
    if seen.connection.simultaneous:
        yield ev.SynAckCrossed(seen.by, seg.ack)
    else:
        yield ev.SynAckSent(seen.by, seg.seq, seg.ack)
    if seg.options.fast_open:
        yield ev.CookieGiven(seen.by, seg.options.fast_open)
    if syn is not None and (carried := _carried(syn, seg)):
        yield ev.FastOpenAnswered(seen.by, accepted_data(syn.first.segment, seg), carried)
    yield from _negotiated(seen)


def _negotiated(seen: SegmentContext) -> Iterator[ev.Event]:
    """Yield what is in force once both ends know both offers."""
    seg, syn = seen.seg, seen.receiver.syn
    client, server = seen.after(Role.CLIENT), seen.after(Role.SERVER)
    if syn is None or client is None or server is None or seen.receiver.syn_ack is not None:
        return
    if client.agreed and server.agreed and not (seg.cut or syn.first.segment.cut):
        own = seg if seen.sender.syn is None else seen.sender.syn.first.segment
        theirs = syn.first.segment
        offers = (own, theirs) if seen.by is Role.CLIENT else (theirs, own)
        scaled = all(each.options.window_scale is not None for each in offers)
        yield ev.OptionsNegotiated(Agreement.of(*offers), scaled)


def _carried(syn: Transmission, answer: Segment) -> int:
    """Return the octets of data in the SYN that was answered, as far as that is known.

    A client that gets no answer sends the SYN again without them (RFC 7413 section 4.1.3).
    """
    first, last = syn.first.segment, syn.last.segment
    if first.payload_length and not last.payload_length and not accepted_data(first, answer):
        return 0
    return first.payload_length
