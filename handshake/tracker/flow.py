"""The events of ordinary segments: data, acknowledgment, window, FIN."""

from __future__ import annotations

from typing import TYPE_CHECKING

from handshake import events as ev
from handshake.tcp import State
from handshake.tracker.reasons import keep_alive

if TYPE_CHECKING:
    from collections.abc import Iterator

    from handshake.tracker.seen import Seen


def flow(seen: Seen) -> Iterator[ev.Event]:
    """Yield what a segment without SYN or RST did."""
    yield from _numbers(seen)
    before = seen.sent.before
    if seen.seg.fin and (before is None or before.fin is None):
        peer = seen.heard.before
        yield ev.FinSent(seen.by, first=peer is None or peer.fin is None)
    if seen.seg.ack is None:
        return
    if seen.seg.window == 0:
        seen.sender.zero_windows += 1
        yield ev.WindowClosed(seen.by)
    answers = list(_acknowledged(seen)) or list(_repeated(seen))
    seen.sender.asked = seen.sender.provoked = False
    yield from answers


def _numbers(seen: Seen) -> Iterator[ev.Event]:
    """Yield what its sequence numbers say: new data, old data, a gap."""
    seg, sender = seen.seg, seen.sender
    known = seen.sent.before.snd.nxt if seen.sent.before is not None else None
    if known is None:
        known = seg.seq
    elif keep_alive(seg, known):
        seen.receiver.asked = True
        yield ev.KeepAlive(seen.by)
        return
    if known < seg.seq:
        yield ev.GapSeen(seen.by, seg.seq - known)
        known = seg.seq
    old = min(known, seg.end) - seg.seq
    if old and _fills_gap(seen):
        sender.out_of_order += 1
        sender.octets += seg.payload_length
        yield ev.FilledGap(seen.by, seg.length)
        return
    if old:
        sender.retransmissions += 1
        yield ev.Retransmitted(seen.by, old, seg.fin and known == seg.end)
    new = seg.payload_length - old
    if new > 0:
        sender.octets += new
        yield ev.DataSent(seen.by, new)


def _fills_gap(seen: Seen) -> bool:
    """Whether later numbers came before these, and these had not come yet."""
    block = seen.heard.before
    if block is None or block.rcv.nxt is None or not block.rcv.held:
        return False
    seq = seen.seg.seq
    held = any(first <= seq < end for first, end in block.rcv.held)
    return block.rcv.nxt <= seq < block.rcv.held[-1][1] and not held


def _acknowledged(seen: Seen) -> Iterator[ev.Event]:
    """Yield what its ACK newly acknowledges."""
    before, after = seen.heard.before, seen.heard.after
    if before is None or after is None or before.snd.una is None or after.snd.una is None:
        return
    count = after.snd.una - before.snd.una
    if before.snd.una == before.snd.iss:
        count -= 1  # the SYN's number: the handshake's events speak of it
    if seen.unseen:
        yield ev.UnseenAcknowledged(seen.by, seen.unseen)
        count -= seen.unseen
    if count > 0:
        fin = before.fin is not None and before.snd.una <= before.fin < after.snd.una
        yield ev.Acknowledged(seen.by, count, fin)


def _repeated(seen: Seen) -> Iterator[ev.Event]:
    """Yield why an ACK came that acknowledges nothing new."""
    before, after, peer = seen.sent.before, seen.sent.after, seen.heard.before
    if seen.seg.length or before is None or after is None or peer is None:
        return
    if before.last_ack_sent is None or seen.seg.ack != before.last_ack_sent:
        return
    outstanding = (
        peer.snd.una is not None and peer.snd.nxt is not None and peer.snd.una < peer.snd.nxt
    )
    if seen.sender.provoked:
        yield ev.ChallengeAck(seen.by)
    elif seen.sender.asked:
        yield ev.KeepAliveAck(seen.by)
    elif after.rcv.wnd is not None and after.rcv.wnd != before.rcv.wnd and seen.seg.window:
        yield ev.WindowUpdated(seen.by, after.rcv.wnd)
    elif peer.state is State.SYN_RECEIVED:
        yield ev.AckedAgain(seen.by, handshake=True)
    elif outstanding:
        seen.sender.duplicate_acks += 1
        yield ev.DuplicateAck(seen.by)
    else:
        yield ev.AckedAgain(seen.by, handshake=False)
