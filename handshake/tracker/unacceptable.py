"""Why an end must drop a segment, as a reason by code (section 3.10.7)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from handshake.messages import Message
from handshake.tcp import State

if TYPE_CHECKING:
    from handshake.tcp import ControlBlock, Segment


def old(block: ControlBlock, seg: Segment) -> bool:
    """Whether all of `seg` came before: a duplicate, answered by an ACK and nothing more."""
    if block.state in (State.CLOSED, State.LISTEN, State.SYN_SENT) or seg.rst:
        return False
    if seg.syn:
        return seg.seq == block.rcv.irs
    return block.rcv.nxt is not None and seg.end <= block.rcv.nxt and seg.ack is not None


def impossible_header() -> Message:
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
