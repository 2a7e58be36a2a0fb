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
    from collections.abc import Iterator

    from handshake.events import Copy
    from handshake.tcp import ControlBlock, Segment
    from handshake.tracker.connection import Connection
    from handshake.tracker.context import SegmentContext

_OVER = (State.CLOSED, State.TIME_WAIT)


def classify(seen: SegmentContext) -> list[ev.Event]:
    """Return the events of one segment: this changes nothing, `Connection.apply` does."""
    seg, connection, aborted = seen.seg, seen.connection, False
    found = [] if connection.segments else _begun(seen)
    if seg.bogus:
        found += _unreadable(seen)
        return found
    if seen.copy is not None:
        found.append(_copied(seen, seen.copy))
        return found
    if seen.sender.reset is not None and seen.sender.disproves_reset(seen.observed):
        found.append(ev.ResetDisproved(seen.by, seen.sender.reset.observed.frame))
    if seg.rst:
        aborted, events = _reset(seen)
        found += events
    elif not seg.syn:
        flow(seen, found)
    elif not connection.is_stray(seen.sender, seg):
        found += opening(seen)
    if seen.received.after is seen.received.before:
        _dropped(seen, found)
    if seen.judgment is not None:
        found += _fate(seen)
    _reach(seen, found, aborted=aborted)
    if seg.problems or seen.observed.checksum_ok is False:
        found += _unreadable(seen)
    return found


def _begun(seen: SegmentContext) -> list[ev.Event]:
    """Return what the first segment of a connection tells of its begin."""
    seg, connection = seen.seg, seen.connection
    found: list[ev.Event] = []
    if connection.reused is not None:
        found.append(ev.PortReused(connection.reused))
    if seg.syn_cleared and not seg.bogus:
        found.append(ev.SynCleared(seen.by))
    elif not (seg.syn or seg.bogus):
        found.append(ev.MidStream(connection.roles == "guess"))
    return found


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


def _reset(seen: SegmentContext) -> tuple[bool, list[ev.Event]]:
    """Return whether a RST ended the connection, and what it did."""
    block, syn, judgment = seen.received.before, seen.receiver.syn, seen.judgment
    if seen.damaged:
        return False, []
    if judgment is not None and judgment.forged:
        frame = None if judgment.proof is None else judgment.proof.frame
        return is_end(seen.received), [ev.ResetForged(seen.by, frame, seen.received.any)]
    if (
        not seen.rejected_reset
        and seen.sent.before == seen.sent.after
        and seen.sent.before is not None
    ):
        asks = block is not None and block.state is State.SYN_SENT
        return False, [ev.StrayReset(seen.by, seen.seg.ack is not None and not asks)]
    waits = block is not None and block.state is State.SYN_SENT
    if waits and syn is not None and seen.sender.syn_ack is None and seen.received.any:
        return False, [ev.Refused(seen.by, seen.since(syn))]
    if seen.rejected_reset:
        return False, [ev.ResetRefused(seen.by, bool(seen.observed.outgoing))]
    return is_end(seen.received), [ev.Aborted(seen.by)]


def _answered(connection: Connection, at: int) -> float | None:
    """Return the seconds from the SYN to the SYN-ACK, if it passed between the SYN and `at`."""
    syn, syn_ack = connection.client.syn, connection.server.syn_ack
    if syn is None or syn_ack is None or not syn.last.at <= syn_ack.last.at <= at:
        return None
    return (syn_ack.last.at - syn.last.at) / NS_PER_SECOND


def _dropped(seen: SegmentContext, found: list[ev.Event]) -> None:
    """Add why the receiver must not act on the segment, where its rules forbid it."""
    block, seg = seen.received.before, seen.seg
    # Only what is acceptable changes the receiver.
    if block is None or block.acceptable(seg):
        return
    if seg.syn and seg.ack is None and not seg.rst and block.state is State.CLOSED:
        # Whether a program listens there, only an answer tells.
        return
    if _is_old(block, seg) or (seg.rst and block.state is State.CLOSED):
        # A duplicate is no attack: an ACK answers it or nothing, and other events already tell so.
        return
    found.append(ev.Dropped(seen.by, why_not(block, seg)))


def _reach(seen: SegmentContext, found: list[ev.Event], *, aborted: bool) -> None:
    """Add the state that both ends together have reached with this segment."""
    connection, client, server = seen.connection, seen.sent.after, seen.received.after
    if client is None or server is None:
        return
    if seen.sender.role is Role.SERVER:
        client, server = server, client
    if connection.final_ack is None and client.state.synchronized and server.state.synchronized:
        syn = connection.client.syn
        if syn is not None and seen.observed.at >= syn.last.at:
            answered = _answered(connection, seen.observed.at)
            found.append(ev.Established(seen.since(syn), answered))
        elif syn or connection.client.syn_ack or connection.server.syn_ack:
            found.append(ev.Established(None))
    if client.fin is None and server.fin is None:
        return
    before, states = seen.sent.before, (client.state, server.state)
    first = before is None or before.fin is None
    if State.CLOSING in states and seen.seg.fin and first:
        found.append(ev.SimultaneousClose())
    if aborted or connection.closed or connection.reset_by is not None:
        return
    fins = client.fin is not None and server.fin is not None
    if fins and all(state in _OVER for state in states):
        waiting = zip((Role.CLIENT, Role.SERVER), states, strict=True)
        found.append(ev.Closed(tuple(role for role, state in waiting if state is State.TIME_WAIT)))


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
