"""Classifies a segment: the events that follow from both control blocks before and after it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from handshake import events as ev
from handshake.events import Role
from handshake.messages import Message
from handshake.tcp import State
from handshake.tcp.checksum import Checksum, kind
from handshake.tcp.segment import OPTIONS_CUT
from handshake.tracker.connection import is_end
from handshake.tracker.copies import hops
from handshake.tracker.segment_events import flow, opening
from handshake.units import NS_PER_SECOND

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from handshake.events import Copy
    from handshake.tcp import ControlBlock, Segment
    from handshake.tracker.connection import Connection
    from handshake.tracker.context import SegmentContext

_OVER = (State.CLOSED, State.TIME_WAIT)


def classify(seen: SegmentContext) -> Iterator[ev.Event]:
    """Yield the events of one segment: this changes nothing, `Connection.apply` does."""
    seg, connection, aborted = seen.seg, seen.connection, False
    if not connection.segments:
        if connection.reused is not None:
            yield ev.PortReused(connection.reused)
        if seg.syn_cleared and not seg.bogus:
            yield ev.SynCleared(seen.by)
        elif not (seg.syn or seg.bogus):
            yield ev.MidStream(connection.roles == "guess")
    if seg.bogus:
        yield from _unreadable(seen)
        return
    if seen.copy is not None:
        yield _copied(seen, seen.copy)
        return
    if seen.sender.reset is not None and seen.sender.disproves_reset(seen.observed):
        yield ev.ResetDisproved(seen.by, seen.sender.reset.observed.frame)
    if seg.rst:
        aborted = yield from _reset(seen)
    elif seg.syn:
        if not connection.is_stray(seen.sender, seg):
            yield from opening(seen)
    else:
        yield from flow(seen)
    yield from _dropped(seen)
    yield from _fate(seen)
    yield from _milestones(seen, aborted=aborted)
    yield from _unreadable(seen)


def _copied(seen: SegmentContext, copy: Copy) -> ev.Copied:
    original, observed = copy.original, seen.observed
    after = (observed.at - original.at) / NS_PER_SECOND
    return ev.Copied(seen.by, original.frame, after, hops(original, observed), copy.replayed)


def _fate(seen: SegmentContext) -> Iterator[ev.Event]:
    """Yield that a segment changed nothing at its receiver, as later ones prove."""
    judgment = seen.judgment
    if judgment is None or judgment.taken or judgment.proof is None:
        return
    frame = judgment.proof.frame
    if judgment.fate is ev.Fate.LOST:
        yield ev.Lost(seen.by, frame, seen.seg.syn)
    elif seen.seg.syn:
        yield ev.NotYetArrived(seen.by, frame)
    else:
        yield ev.NotAccepted(seen.by, frame)


def _unreadable(seen: SegmentContext) -> Iterator[ev.Event]:
    """Yield what is wrong with the octets of a segment."""
    if seen.seg.bogus:
        yield ev.Dropped(seen.by, _impossible_header())
    if seen.seg.problems:
        wrong = tuple(each for each in seen.seg.problems if each != OPTIONS_CUT)
        if wrong:
            yield ev.Malformed(wrong)
        if len(wrong) < len(seen.seg.problems):
            yield ev.OptionsCut()
    if seen.observed.checksum_ok is False:
        yield ev.BadChecksum(kind(seen.observed) is Checksum.PARTIAL)


def _reset(seen: SegmentContext) -> Generator[ev.Event, None, bool]:
    """Yield what a RST did; return whether it ended the connection."""
    block, syn, judgment = seen.received.before, seen.receiver.syn, seen.judgment
    if seen.damaged:
        return False
    if judgment is not None and judgment.forged:
        frame = None if judgment.proof is None else judgment.proof.frame
        yield ev.ResetForged(seen.by, frame, seen.received.any)
        return is_end(seen.received)
    if (
        not seen.rejected_reset
        and seen.sent.before == seen.sent.after
        and seen.sent.before is not None
    ):
        asks = block is not None and block.state is State.SYN_SENT
        yield ev.StrayReset(seen.by, seen.seg.ack is not None and not asks)
        return False
    waits = block is not None and block.state is State.SYN_SENT
    if waits and syn is not None and seen.sender.syn_ack is None and seen.received.any:
        yield ev.Refused(seen.by, seen.since(syn))
        return False
    if seen.rejected_reset:
        yield ev.ResetRefused(seen.by, bool(seen.observed.outgoing))
        return False
    yield ev.Aborted(seen.by)
    return is_end(seen.received)


def _answered(connection: Connection, at: int) -> float | None:
    """Return the seconds from the SYN to the SYN-ACK, if it passed between the SYN and `at`."""
    syn, syn_ack = connection.client.syn, connection.server.syn_ack
    if syn is None or syn_ack is None or not syn.last.at <= syn_ack.last.at <= at:
        return None
    return (syn_ack.last.at - syn.last.at) / NS_PER_SECOND


def _dropped(seen: SegmentContext) -> Iterator[ev.Event]:
    """Yield why the receiver must not act on the segment, where its rules forbid it."""
    block, seg = seen.received.before, seen.seg
    # Only what is acceptable changes the receiver.
    if block is None or seen.received.after is not block or block.acceptable(seg):
        return
    if seg.syn and seg.ack is None and not seg.rst and block.state is State.CLOSED:
        # Whether a program listens there, only an answer tells.
        return
    if _is_old(block, seg) or (seg.rst and block.state is State.CLOSED):
        # A duplicate is no attack: an ACK answers it or nothing, and other events already tell so.
        return
    yield ev.Dropped(seen.by, why_not(block, seg))


def _milestones(seen: SegmentContext, *, aborted: bool) -> Iterator[ev.Event]:
    """Yield the state that both ends together have reached with this segment."""
    connection, client, server = seen.connection, seen.after(Role.CLIENT), seen.after(Role.SERVER)
    if client is None or server is None:
        return
    states = (client.state, server.state)
    syn = connection.client.syn
    opened = syn or connection.client.syn_ack or connection.server.syn_ack
    if (
        connection.final_ack is None
        and opened is not None
        and all(state.synchronized for state in states)
    ):
        timed = syn is not None and seen.observed.at >= syn.last.at
        if syn is None or not timed:
            yield ev.Established(None)
        else:
            yield ev.Established(seen.since(syn), _answered(connection, seen.observed.at))
    before = seen.sent.before
    first = before is None or before.fin is None
    if State.CLOSING in states and seen.seg.fin and first:
        yield ev.SimultaneousClose()
    if aborted or connection.closed or connection.reset_by is not None:
        return
    fins = client.fin is not None and server.fin is not None
    if fins and all(state in _OVER for state in states):
        waiting = zip((Role.CLIENT, Role.SERVER), states, strict=True)
        yield ev.Closed(tuple(role for role, state in waiting if state is State.TIME_WAIT))


def _is_old(block: ControlBlock, seg: Segment) -> bool:
    """Whether all of `seg` came before: a duplicate, answered by an ACK and nothing more."""
    if block.state in (State.CLOSED, State.LISTEN, State.SYN_SENT) or seg.rst:
        return False
    if seg.syn:
        return seg.seq == block.rcv.irs
    return block.rcv.nxt is not None and seg.end <= block.rcv.nxt and seg.ack is not None


def _impossible_header() -> Message:
    """Return why no end accepts a segment whose data offset is impossible."""
    return _because("impossible-header")


def why_not(block: ControlBlock, seg: Segment) -> Message:
    """Return why `seg` is not acceptable to `block`."""
    if seg.rst:
        return _why_not_rst(block, seg)
    match block.state:
        case State.CLOSED:
            return _because("closed")
        case State.LISTEN:
            return _because("listen")
        case State.SYN_SENT if seg.ack is None or block.acknowledges_new(seg):
            return _because("no-answer-to-syn")
        case State.SYN_SENT:
            return _because("wrong-ack-of-syn", ack=seg.ack, expected=block.snd.nxt)
    if seg.syn:
        return _because("syn-in-synchronized-state" if block.state.synchronized else "second-syn")
    if seg.ack is None:
        return _because("no-ack")
    if not block.in_window(seg):
        return _because("outside-window", seq=seg.seq, nxt=block.rcv.nxt, wnd=block.rcv.wnd)
    if block.too_old(seg):
        return _because("old-timestamp")
    if block.state is State.SYN_RECEIVED:
        return _because("wrong-ack-in-syn-received", ack=seg.ack, expected=block.snd.nxt)
    if block.acks_old(seg):
        return _because("ack-of-old", ack=seg.ack, una=block.snd.una, wnd=block.snd.max_wnd)
    return _because("ack-of-unsent", ack=seg.ack, nxt=block.snd.nxt)


def _why_not_rst(block: ControlBlock, seg: Segment) -> Message:
    if block.state is State.SYN_SENT:
        if seg.ack is None:
            return _because("reset-without-ack")
        return _because("reset-wrong-ack", ack=seg.ack, expected=block.snd.nxt)
    if block.state in (State.CLOSED, State.LISTEN):
        return _because("reset-without-connection")
    code = "reset-inexact" if block.in_window(seg) else "reset-outside-window"
    return _because(code, seq=seg.seq, nxt=block.rcv.nxt)


def _because(code: str, **values: object) -> Message:
    return Message("reasons", f"unacceptable.{code}", values)
