"""Tells where a run may begin in which nothing happens, and what it does to a connection."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from handshake.events import Role
from handshake.events.run import Gain, RunEnd, RunStart, Stretch
from handshake.tcp import Seq, State
from handshake.tcp.checksum import Checksum
from handshake.tcp.copy import changed
from handshake.tracker.wireshark import KEEP_ALIVE, WITH_DATA, WITHOUT
from handshake.units import MASK

if TYPE_CHECKING:
    from handshake.events.run import Copies, Run, Sum
    from handshake.tcp import ControlBlock
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


def skip_run(connection: Connection, run: Run) -> None:
    """Change the connection and its ends as the segments of a run do."""
    client, server = connection.client, connection.server
    assert client.block is not None
    assert server.block is not None
    client.block = _after(client.block, run, Role.CLIENT)
    server.block = _after(server.block, run, Role.SERVER)
    for end, sent in ((client, run.client), (server, run.server)):
        end.segments += sent.segments
        end.duplicate_acks += sent.repeated
        end.repeated_acks += sent.repeated
        end.window_updates += sent.updates
        end.numbers.skip(sent, None if run.pieces is None else run.stretches(end.role))
        bad = sent.unknown + sent.partial + sent.wrong
        end.undamaged = end.undamaged or sent.segments > bad
    for each in run.sums or ():
        _sum_of(connection, each)
    connection.analysis.skip(run.pieces or ())
    connection.segments += run.count
    connection.last = connection.last_sent = run.packed.observed(run.count - 1)
    if run.copies is not None:
        _skip_copies(connection, run.copies)
    connection.copies.skip(run)
    if client.syn is not None and client.syn.again:
        connection.round_trips.skip(run)
    for observer in connection.observers:
        observer.skip(run)
    # What is kept of the run are its packets, and few of them.
    run.copies = run.sums = run.pieces = None


def _skip_copies(connection: Connection, copies: Copies) -> None:
    """Take the copies in a run into account, of which Wireshark's analysis knows nothing."""
    client, server = connection.client, connection.server
    for end, count in ((client, copies.client.count), (server, copies.server.count)):
        end.segments += count
        end.copies += count
        connection.segments += count
    take = connection.wire.take
    for by, at, seq, ack, flags, window, length, *_ in copies.packets:
        end, peer = (client, server) if by is Role.CLIENT else (server, client)
        marks = take(end.wire, peer.wire, seq, ack, length, flags, window, at)
        if marks:
            end.marked(marks)
    connection.last = copies.last or connection.last


def _sum_of(connection: Connection, found: Sum) -> None:
    """Note the checksum of a segment of a run, as `End.sum_of` does."""
    mine, other = connection.end(found.by), connection.end(found.by.other)
    if other.damaged is not None and other.damaged.pending:
        other.damaged.acknowledged(found.ack)
    if mine.damaged is not None and found.kind is not Checksum.PARTIAL:
        wrong = found.kind is Checksum.WRONG
        mine.damaged.took(found.seq, found.end, wrong=wrong)


def _after(block: ControlBlock, run: Run, role: Role) -> ControlBlock:
    """Return the control block of an end after a run."""
    snd, rcv, mine, theirs = block.snd, block.rcv, run.of(role), run.of(role.other)
    fields: dict[str, object] = {}
    if mine.segments:
        shift = block.rcv_shift
        rcv = changed(rcv, wnd=None if shift is None else mine.window << shift)
        fields["last_ack_sent"] = Seq(mine.ack)
    if int(snd.nxt or 0) != mine.sent:
        snd = changed(snd, nxt=Seq(mine.sent))
    if theirs.segments:
        shift = block.snd_shift
        most = None if shift is None else max(theirs.most << shift, snd.max_wnd or 0)
        snd = changed(
            snd,
            una=Seq(theirs.ack) if theirs.gained else snd.una,
            wnd=None if shift is None else theirs.window << shift,
            wl1=Seq(theirs.seq),
            wl2=Seq(theirs.ack),
            max_wnd=most,
        )
        if run.pieces is None:
            rcv = changed(rcv, nxt=Seq(theirs.nxt), held=())
        if theirs.clock is not None:
            fields["ts_recent"] = theirs.clock
    if run.pieces is not None and theirs.unopened:
        rcv = changed(rcv, wnd=theirs.room)
        fields["inferred"] = True
    for piece in run.pieces or ():
        if isinstance(piece, Gain):
            if piece.by is role:
                rcv = rcv.passed(Seq(piece.ack))
            elif piece.unseen:
                fields["inferred"] = True
        elif isinstance(piece, Stretch) and piece.by is not role and piece.length:
            rcv = rcv.with_data(Seq(piece.seq), piece.length)
    return changed(block, snd=snd, rcv=rcv, **fields)
