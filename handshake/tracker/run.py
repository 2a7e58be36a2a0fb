"""Tells where a run may begin in which nothing happens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from handshake.events.run import RunEnd, RunStart
from handshake.tcp import State
from handshake.tracker.wireshark import KEEP_ALIVE, WITH_DATA, WITHOUT
from handshake.units import MASK

if TYPE_CHECKING:
    from handshake.tracker.connection import Connection, End
    from handshake.tracker.wireshark import Direction

_SIGN: Final = 0x8000_0000


def start_of(connection: Connection) -> RunStart | None:
    """Return where a run may begin; None while a segment may still change anything."""
    client, server = connection.client, connection.server
    analysis, last = connection.analysis, connection.last_sent
    doubled = connection.wire is not analysis
    if (
        connection.closed
        or connection.reset_by is not None
        or last is None
        or (connection.last is not last and not doubled)
        or client.endpoint == server.endpoint
        or not analysis.settled
        or not (_in_order(client.numbers) and _in_order(server.numbers))
    ):
        return None
    opening = client.syn or client.syn_ack or server.syn or server.syn_ack
    if connection.final_ack is None and opening:
        return None
    one, two = _sender(client, server), _sender(server, client)
    if one is None or two is None:
        return None
    for each in (one, two):
        each.data, each.acks = (
            bool(analysis.completeness & WITH_DATA),
            bool(analysis.completeness & WITHOUT),
        )
    waits = any(end.damaged and not end.damaged.accepted for end in (client, server))
    start = RunStart(one, two, last.at, timed=False, doubled=doubled, sums=waits)
    start.missing = any(
        end.block.rcv.waits for end in (client, server) if end.block is not None
    ) or not all(each.sent == each.expected == each.reached == each.nxt for each in (one, two))
    if not connection.copies.settled(start):
        return None
    return start if all(each.settled(start) for each in connection.observers) else None


def _sender(end: End, peer: End) -> RunEnd | None:
    """Return what an end has sent; None if it, or its peer, still waits for something."""
    mine, theirs, numbers = end.block, peer.block, end.numbers
    if mine is None or theirs is None or end.expects_challenge_ack or end.ttl is None:
        return None
    if end.reset is not None:
        return None
    nxt, ack, snd = numbers.nxt, numbers.ack, theirs.snd
    if (
        mine.state is not State.ESTABLISHED
        or mine.fin is not None
        or mine.rcv.fin is not None
        or mine.last_ack_sent is None
        or int(mine.last_ack_sent) != ack
        or mine.snd.nxt is None
        or theirs.rcv.nxt is None
        or snd.una is None
        or int(snd.una) != ack
    ):
        return None
    sent, expected = int(mine.snd.nxt), int(theirs.rcv.nxt)
    # What the peer acknowledged was sent, though it was not captured.
    most = peer.numbers.ack if (nxt - peer.numbers.ack) & _SIGN else nxt
    if sent != most or (most - expected) & _SIGN or (nxt - numbers.whole) & _SIGN:
        return None
    # An older window is not taken, should the numbers have gone back.
    if snd.wl1 is not None:
        behind = (nxt - int(snd.wl1)) & MASK
        if behind & _SIGN or (not behind and snd.wl2 is not None and snd.wl2 > mine.last_ack_sent):
            return None
    clock = theirs.ts_recent if theirs.timestamps else None
    if theirs.timestamps and clock is None:
        return None
    damaged = end.damaged is not None and end.damaged.accepted
    return RunEnd(
        nxt,
        ack,
        clock,
        -1,
        sent=sent,
        reached=numbers.whole,
        expected=expected,
        room=theirs.rcv.wnd,
        shift=mine.rcv_shift,
        in_a_row=numbers.repeats,
        window=numbers.window,
        probes=bool(numbers.marks & KEEP_ALIVE),
        data=True,
        acks=True,
        acknowledged=True,
        whole=True,
        cut=True,
        number=0,
        damaged=damaged,
    )


def _in_order(numbers: Direction) -> bool:
    """Whether it is known what an end has sent, and its last numbers were captured."""
    nxt = numbers.nxt
    return (
        numbers.base is not None
        and nxt != 0
        and numbers.octets.top == nxt
        and numbers.ack != 0
        and numbers.window > 0
        and numbers.signals == 0
    )
