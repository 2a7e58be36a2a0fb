"""The events of a segment: of a SYN and SYN-ACK; of data, acknowledgment, window and FIN.

The marks alone decide what data and acknowledgments count as, so that their events and the counters
of the record always agree. The details come from both control blocks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from handshake import events as ev
from handshake.events import Role
from handshake.events.handshake import SOONEST
from handshake.tcp import Agreement, State
from handshake.tcp.agreement import accepted_data
from handshake.tracker.timing import answers_again
from handshake.tracker.wireshark import (
    DUPLICATE_ACK,
    KEEP_ALIVE,
    KEEP_ALIVE_ACK,
    OUT_OF_ORDER,
    SENT_AGAIN,
    WINDOW_UPDATE,
    ZERO_WINDOW,
)
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
        if not asked and waited < SOONEST and known.again:
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


_NOTHING_NEW = DUPLICATE_ACK | KEEP_ALIVE_ACK | WINDOW_UPDATE


def flow(seen: SegmentContext, found: list[ev.Event]) -> None:
    """Add what a segment without SYN or RST did."""
    seg, marks, before = seen.seg, seen.marks, seen.sent.before
    if seg.length or marks or seen.sender.numbers.octets.gap:
        _numbers(seen, found)
    if seg.fin and (before is None or before.fin is None):
        peer = seen.received.before
        found.append(ev.FinSent(seen.by, first=peer is None or peer.fin is None))
    if marks & ZERO_WINDOW:
        found.append(ev.WindowClosed(seen.by, before is not None and before.rcv.fin is not None))
    if seg.ack is None or marks & KEEP_ALIVE:
        # A keep-alive or window probe repeats its sender's last ACK: that acknowledges nothing.
        return
    if seen.connection.itself:
        found += _acknowledged_itself(seen)
        return
    if marks & _NOTHING_NEW or not _acknowledged(seen, found):
        _repeated(seen, found)


def _numbers(seen: SegmentContext, found: list[ev.Event]) -> None:
    """Add what follows from its sequence numbers: new data, old data, a gap."""
    seg, octets, marks = seen.seg, seen.sender.numbers.octets, seen.marks
    if marks & KEEP_ALIVE:
        full = seen.received.before is not None and seen.received.before.rcv.wnd == 0
        pending = seg.payload_length > 0 and _is_pending(seen)
        found.append(ev.WindowProbe(seen.by) if full else ev.KeepAlive(seen.by, pending))
        return
    if octets.gap:
        found.append(ev.GapSeen(seen.by, octets.gap))
    again = seg.payload_length - octets.ahead - octets.filled
    if marks & OUT_OF_ORDER:
        if seg.length > octets.ahead:
            found.append(ev.FilledGap(seen.by, seg.length - octets.ahead, again))
    elif marks & SENT_AGAIN:
        before = seen.sent.before
        repeated = before is not None and before.fin is not None
        fin = seg.fin and (repeated or not (again or octets.filled))
        found.append(ev.Retransmitted(seen.by, again + fin, fin, octets.filled))
    if octets.ahead:
        found.append(ev.DataSent(seen.by, octets.ahead))


def _acknowledged_itself(seen: SegmentContext) -> Iterator[ev.Event]:
    """Yield what a socket that is connected to itself newly acknowledges: its own octets."""
    before, ack = seen.sent.before, seen.seg.ack
    if before is None or ack is None or before.last_ack_sent is None:
        return
    count, last = ack - before.last_ack_sent, before.last_ack_sent
    if count > 0:
        yield ev.Acknowledged(seen.by, count, before.fin is not None and last <= before.fin < ack)


def _acknowledged(seen: SegmentContext, found: list[ev.Event]) -> bool:
    """Add what it newly acknowledges; return whether that is anything."""
    before, after = seen.received.before, seen.received.after
    if before is None or after is None or before.snd.una is None or after.snd.una is None:
        return False
    una, known = before.snd.una, len(found)
    count = 0 if una is after.snd.una else after.snd.una - una
    if una == before.snd.iss:
        count -= 1  # the SYN's number: the handshake's events cover it
    unseen = seen.unseen
    if unseen:
        found.append(ev.UnseenAcknowledged(seen.by, unseen))
        count -= unseen
    if count > 0:
        fin = before.fin is not None and una <= before.fin < after.snd.una
        found.append(ev.Acknowledged(seen.by, count, fin))
    return len(found) > known


def _repeated(seen: SegmentContext, found: list[ev.Event]) -> None:
    """Add why an ACK was sent that acknowledges nothing new."""
    before, marks, by = seen.sent.before, seen.marks, seen.sender.role
    if not marks & _NOTHING_NEW:
        repeats_ack = before is not None and seen.seg.ack == before.last_ack_sent
        if seen.seg.length or not repeats_ack:
            return
    after, peer = seen.sent.after, seen.received.before
    if seen.sender.expects_challenge_ack:
        found.append(ev.ChallengeAck(by))
    elif marks & KEEP_ALIVE_ACK and not _opens(seen):
        found.append(ev.KeepAliveAck(by))
    elif marks & WINDOW_UPDATE or _opens(seen):
        scaled = None if after is None else after.rcv.wnd
        found.append(ev.WindowUpdated(by, seen.seg.window if scaled is None else scaled))
    elif peer is not None and peer.state is State.SYN_RECEIVED:
        found.append(ev.AckedAgain(by, handshake=True))
    elif marks & DUPLICATE_ACK and _outstanding(seen):
        found.append(ev.DuplicateAck(by))
    else:
        found.append(ev.AckedAgain(by, handshake=False))


def _is_pending(seen: SegmentContext) -> bool:
    """Whether the peer has not acknowledged the octet before the next one."""
    block = seen.sent.before
    return block is not None and block.snd.una is not None and block.snd.una == seen.seg.seq


def _opens(seen: SegmentContext) -> bool:
    """Whether it reopens a window that was zero."""
    before = seen.sent.before
    return before is not None and before.rcv.wnd == 0 and seen.seg.window > 0


def _outstanding(seen: SegmentContext) -> bool:
    """Whether the peer has unacknowledged data: else no ACK is a duplicate (RFC 5681 section 2)."""
    peer = seen.received.before
    if peer is None or peer.snd.una is None or peer.snd.nxt is None:
        return False
    return peer.snd.una < peer.snd.nxt
