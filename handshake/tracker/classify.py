"""Classifies a segment: the events that follow from both control blocks before and after it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from handshake import events as ev
from handshake.tcp import State
from handshake.tracker import unacceptable
from handshake.tracker.data_events import flow
from handshake.tracker.handshake_events import opening

if TYPE_CHECKING:
    from collections.abc import Iterator

    from handshake.tracker.connection import Connection
    from handshake.tracker.context import SegmentContext

_OVER = (State.CLOSED, State.TIME_WAIT)


def classify(connection: Connection, seen: SegmentContext) -> Iterator[ev.Event]:
    """Yield the events of one segment; note in `connection` what they mean for its record."""
    seg = seen.seg
    if connection.segments == 1:
        if connection.reused is not None:
            yield ev.PortReused(connection.reused)
        if not seg.syn:
            yield ev.MidStream(connection.roles == "guess")
    if seg.rst:
        yield from _reset(connection, seen)
    elif seg.syn:
        yield from opening(connection, seen)
    else:
        yield from flow(seen)
    yield from _dropped(seen)
    yield from _milestones(connection, seen)
    if seg.problems:
        yield ev.Malformed(seg.problems)
    if seen.observed.checksum_ok is False:
        yield ev.BadChecksum()


def _reset(connection: Connection, seen: SegmentContext) -> Iterator[ev.Event]:
    block, syn = seen.received.before, seen.receiver.syn
    if (
        not seen.rejected_reset
        and seen.sent.before == seen.sent.after
        and seen.sent.before is not None
    ):
        yield ev.StrayReset(seen.by)
        return
    waits = block is not None and block.state is State.SYN_SENT
    if waits and syn is not None and seen.sender.syn_ack is None and seen.received.changed:
        connection.refused = seen.observed
        yield ev.Refused(seen.by, seen.since(syn))
        return
    if seen.rejected_reset:
        yield ev.ResetRefused(seen.by)
        return
    if block is None or seen.received.changed or block.state is State.CLOSED:
        connection.reset_by = connection.reset_by or seen.by
    yield ev.Aborted(seen.by)


def _dropped(seen: SegmentContext) -> Iterator[ev.Event]:
    """Yield why the receiver must not act on the segment, where its rules forbid it."""
    block, seg = seen.received.before, seen.seg
    if block is None or block.acceptable(seg):
        return
    if unacceptable.old(block, seg) or (seg.rst and block.state is State.CLOSED):
        # A duplicate is no attack: an ACK answers it or nothing, and other events already tell so.
        return
    seen.receiver.expects_challenge_ack = block.state.synchronized and (seg.syn or seg.rst)
    yield ev.Dropped(seen.by, unacceptable.why_not(block, seg))


def _milestones(connection: Connection, seen: SegmentContext) -> Iterator[ev.Event]:
    """Yield the state that both ends together have reached with this segment."""
    client, server = connection.client, connection.server
    if client.block is None or server.block is None:
        return
    states = (client.block.state, server.block.state)
    opened = client.syn or client.syn_ack or server.syn_ack
    if (
        connection.final_ack is None
        and opened is not None
        and all(state.synchronized for state in states)
    ):
        connection.final_ack = seen.observed
        yield ev.Established(None if client.syn is None else seen.since(client.syn))
    before = seen.sent.before
    first = before is None or before.fin is None
    if State.CLOSING in states and seen.seg.fin and first:
        yield ev.SimultaneousClose()
    if connection.closed or connection.reset_by is not None:
        return
    fins = client.block.fin is not None and server.block.fin is not None
    if fins and all(state in _OVER for state in states):
        connection.closed = True
        yield ev.Closed(
            tuple(
                end.role
                for end, state in zip((client, server), states, strict=True)
                if state is State.TIME_WAIT
            )
        )
