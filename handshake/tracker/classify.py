"""Classifies a segment: the events that follow from both control blocks before and after it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from handshake import events as ev
from handshake.events import Role
from handshake.tcp import State
from handshake.tcp.checksum import Checksum, kind
from handshake.tcp.segment import OPTIONS_CUT
from handshake.tracker import unacceptable
from handshake.tracker.connection import is_end
from handshake.tracker.copies import hops
from handshake.tracker.segment_events import flow, opening
from handshake.units import NS_PER_SECOND

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from handshake.events import Copy
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
        yield ev.Dropped(seen.by, unacceptable.impossible_header())
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
    if unacceptable.old(block, seg) or (seg.rst and block.state is State.CLOSED):
        # A duplicate is no attack: an ACK answers it or nothing, and other events already tell so.
        return
    yield ev.Dropped(seen.by, unacceptable.why_not(block, seg))


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
