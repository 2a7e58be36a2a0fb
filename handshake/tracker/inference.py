"""What an observer infers of an end from a segment, beyond the rules of the RFC.

A tracker sees a wire, not a socket. It assumes that a captured segment arrived until a later one
disproves that; and where the capture has a gap, what an end sends proves what it must have
received. A block that holds anything inferred is marked as inferred.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from handshake.tcp import ControlBlock, Input, Offer, ReceiveSpace, SendSpace, State
from handshake.tcp.copy import changed

if TYPE_CHECKING:
    from handshake.tcp import Segment, Seq

_ASSUMED = (State.SYN_RECEIVED, State.ESTABLISHED)

_OPENED = (State.ESTABLISHED, State.CLOSE_WAIT)

_UNACKNOWLEDGED = {
    State.FIN_WAIT_2: State.FIN_WAIT_1,
    State.TIME_WAIT: State.CLOSING,
}
"""Where an end stood before its FIN was acknowledged. CLOSED has several ways in."""


def sent(
    block: ControlBlock | None,
    seg: Segment,
    syn: Segment | None,
    syn_ack: Segment | None,
    fin: Seq | None,
) -> ControlBlock:
    """Return the sender's block after `seg`.

    `syn` and `syn_ack` are the peer's, and `fin` its number, where they were seen: what the
    sender may have received.
    """
    if seg.syn and not seg.rst:
        return _sent_syn(block, seg, syn, syn_ack)
    if block is None:
        block = _mid_stream(seg)
    elif seg.rst or seg.ack is None:
        pass
    elif _repeats(block, seg):
        block = _not_over(block, seg)
    elif block.state is State.SYN_SENT:
        block = _answered(block, seg, syn_ack)
    elif block.state is State.SYN_RECEIVED:
        block = _completed(block, seg, syn_ack)
    if seg.fin and block.fin is None and _fins_crossed(block, seg):
        # It sent its FIN before it received the peer's, which had been assumed to have arrived.
        early = changed(block, state=State.ESTABLISHED).sent(seg)
        return early.after(Input.RECV_FIN)
    if fin is not None:
        block = _caught_up(block, seg, fin)
    return block.sent(seg)


def _sent_syn(
    block: ControlBlock | None, seg: Segment, syn: Segment | None, syn_ack: Segment | None
) -> ControlBlock:
    if block is not None and block.state is State.SYN_SENT and seg.ack is not None:
        # In SYN-SENT only a SYN is answered by a SYN-ACK: a simultaneous open.
        answered = _received_syn(block, seg, syn).sent(seg)
        # A SYN-ACK that the peer sent after that SYN follows it on the path.
        return answered if syn_ack is None else answered.received(syn_ack)
    gone = block is None or block.state in (State.CLOSED, State.LISTEN)
    if block is not None and block.snd.iss == seg.seq and not gone:
        if block.offered is None:
            # Its answer was captured before it: that proves no loss.
            return changed(block, offered=Offer.of(seg)).sent(seg)
        return _answer_lost(block, seg).sent(seg)
    if seg.ack is None:
        if block is None or block.state is State.CLOSED:
            block = ControlBlock(seg.source)
        return block.sent(seg)
    listening = ControlBlock(seg.source, state=State.LISTEN, passive=True)
    return _received_syn(listening, seg, syn).sent(seg)


def _received_syn(block: ControlBlock, answer: Segment, syn: Segment | None) -> ControlBlock:
    """Return the block of an end that must have received the SYN that it now acknowledges."""
    assert answer.ack is not None
    if syn is not None and syn.seq < answer.ack <= syn.end:
        return block.received(syn)
    block = changed(
        block,
        remote=answer.destination,
        rcv=ReceiveSpace(irs=answer.ack - 1, nxt=answer.ack),
        inferred=True,
    )
    return block.after(Input.RECV_SYN)


def _answer_lost(block: ControlBlock, seg: Segment) -> ControlBlock:
    """Undo what a retransmitted SYN or SYN-ACK disproves: the answer had not arrived."""
    if seg.ack is None and block.state in _ASSUMED and not block.passive:
        return changed(
            block,
            state=State.SYN_SENT,
            snd=changed(block.snd, una=block.snd.iss),
            rcv=ReceiveSpace(),
            peer_offered=None,
            ts_recent=None,
        )
    if seg.ack is not None and block.state in _OPENED and block.passive:
        return changed(
            block,
            state=State.SYN_RECEIVED,
            snd=changed(block.snd, una=block.snd.iss),
            rcv=changed(block.rcv, nxt=seg.ack, held=(), fin=None),
        )
    return block


def _mid_stream(seg: Segment) -> ControlBlock:
    """Return what is known of an end in mid-stream from the segment that it sends."""
    if seg.rst:
        return ControlBlock(seg.source, seg.destination, inferred=True)
    return ControlBlock(
        seg.source,
        seg.destination,
        state=State.ESTABLISHED,
        snd=SendSpace(una=seg.seq, nxt=seg.seq),
        rcv=ReceiveSpace(nxt=seg.ack),
        inferred=True,
    )


def _answered(block: ControlBlock, seg: Segment, syn_ack: Segment | None) -> ControlBlock:
    """Return the block of an end that must have received a SYN-ACK, since it goes on."""
    if syn_ack is not None:
        answered = block.received(syn_ack)
        if answered.state is State.ESTABLISHED:
            return answered
    if seg.seq != block.snd.nxt:
        return block
    assert seg.ack is not None
    return changed(
        block,
        state=State.ESTABLISHED,
        snd=changed(block.snd, una=block.snd.nxt),
        rcv=ReceiveSpace(nxt=seg.ack),
        inferred=True,
    )


def _completed(block: ControlBlock, seg: Segment, syn_ack: Segment | None) -> ControlBlock:
    """Return the block of an end that must have received the last ACK of the handshake."""
    took_data = (
        block.last_ack_sent is not None
        and block.rcv.irs is not None
        and block.last_ack_sent > block.rcv.irs + 1
    )
    # With Fast Open a listener may send data before that ACK (RFC 7413 section 4.2.2).
    # A pure ACK may answer anything, but in a simultaneous open it answers the SYN-ACK.
    alone = seg.length == 0 and (block.passive or syn_ack is None)
    if took_data or alone or block.snd.iss is None:
        return block
    block = changed(block, snd=changed(block.snd, una=block.snd.iss + 1), inferred=True)
    return block.after(Input.RECV_ACK_OF_SYN)


def _repeats(block: ControlBlock, seg: Segment) -> bool:
    return bool(seg.length) and block.snd.nxt is not None and seg.end <= block.snd.nxt


def _not_over(block: ControlBlock, seg: Segment) -> ControlBlock:
    """Undo what a retransmission disproves: that a FIN was acknowledged, or a RST received.

    New data proves nothing: it may have crossed the RST on the path.
    """
    assert seg.ack is not None
    state = block.state
    if seg.fin and block.fin is not None:
        state = _UNACKNOWLEDGED.get(state, state)
    if state is State.CLOSED:
        fin = block.rcv.fin
        got_fin = fin is not None and fin < seg.ack
        if block.fin is None:
            state = State.CLOSE_WAIT if got_fin else State.ESTABLISHED
        else:
            state = State.LAST_ACK if got_fin else State.FIN_WAIT_1
    if state is block.state:
        return block
    return changed(block, state=state, snd=changed(block.snd, una=seg.seq), inferred=True)


def _fins_crossed(block: ControlBlock, seg: Segment) -> bool:
    return (
        block.state is State.CLOSE_WAIT
        and block.rcv.fin is not None
        and seg.ack is not None
        and seg.ack <= block.rcv.fin
    )


def _caught_up(block: ControlBlock, seg: Segment, fin: Seq) -> ControlBlock:
    """Return the block of an end that must have received the FIN that `seg` acknowledges.

    The FIN followed a gap in the capture, or it was sent beyond a full window.
    """
    if seg.ack is None or block.rcv.nxt is None:
        return block
    if block.rcv.nxt <= fin < seg.ack:
        rcv = changed(block.rcv, nxt=fin + 1, held=(), fin=fin)
        return changed(block, rcv=rcv, inferred=True).after(Input.RECV_FIN)
    return block


def received(block: ControlBlock | None, seg: Segment) -> ControlBlock | None:
    """Return the receiver's block before `seg`, with what `seg` proves; None where unknown.

    `block.received(seg)` then applies the rules of the RFC.
    """
    if block is None:
        return _unseen(seg)
    if block.state is State.CLOSED and seg.syn and seg.ack is None:
        # That a SYN was refused once does not tell whether a program listens now.
        return None
    if seg.syn and seg.ack is None and block.peer_offered is None and block.rcv.irs == seg.seq:
        return changed(block, peer_offered=Offer.of(seg))
    if seg.rst or seg.syn or seg.ack is None:
        return block
    if block.state is State.SYN_SENT and seg.length and block.acknowledges_new(seg):
        # The peer sends data, so it is connected: its SYN-ACK was not captured. An ACK alone may
        # be of an older connection, and opens nothing (section 3.10.7.3).
        return changed(
            block,
            state=State.ESTABLISHED,
            snd=changed(block.snd, una=seg.ack),
            rcv=ReceiveSpace(nxt=seg.seq),
            inferred=True,
        )
    if not block.state.synchronized:
        return block
    nxt, wnd = block.rcv.nxt, block.rcv.wnd
    if block.snd.nxt is not None and block.snd.nxt < seg.ack:
        block = changed(block, snd=changed(block.snd, nxt=seg.ack), inferred=True)
    if seg.length and nxt is not None and wnd is not None and nxt + wnd < seg.seq:
        # A sender stays within the window: the ACK that opened it was not captured.
        block = changed(block, rcv=changed(block.rcv, wnd=None), inferred=True)
    return block


def _unseen(seg: Segment) -> ControlBlock | None:
    """Return what `seg` tells of its receiver, which has sent nothing yet."""
    if seg.syn and seg.ack is None:
        # Only an answer can tell whether a program listens there.
        return None
    local, remote = seg.destination, seg.source
    if seg.rst:
        return ControlBlock(local, remote, inferred=True)
    ack = seg.ack
    if seg.syn and ack is not None:
        return ControlBlock(
            local,
            remote,
            state=State.SYN_SENT,
            snd=SendSpace(iss=ack - 1, una=ack - 1, nxt=ack),
            inferred=True,
        )
    return ControlBlock(
        local,
        remote,
        state=State.ESTABLISHED,
        snd=SendSpace(una=ack, nxt=ack),
        rcv=ReceiveSpace(nxt=seg.seq),
        inferred=True,
    )
