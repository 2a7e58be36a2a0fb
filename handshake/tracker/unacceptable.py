"""Why an end must not act on a segment, in words (section 3.10.7)."""

from __future__ import annotations

from typing import TYPE_CHECKING

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


def why_not(block: ControlBlock, seg: Segment) -> str:
    """Return why `block` does not find `seg` acceptable."""
    if seg.rst:
        return _why_not_rst(block, seg)
    nxt, wnd = block.rcv.nxt, block.rcv.wnd
    match block.state:
        case State.CLOSED:
            return "there is no connection any more, so a RST will answer it"
        case State.LISTEN:
            return "a listening socket takes only a SYN"
        case State.SYN_SENT if not block.acknowledges_new(seg):
            return (
                f"it acknowledges {seg.ack}, and only {block.snd.nxt} answers the SYN: a RST will "
                f"say so"
            )
        case State.SYN_SENT:
            return "it is no answer to a SYN"
    if seg.syn:
        return "a SYN means nothing to a connection that is synchronized: an ACK asks back"
    if seg.ack is None:
        return "every segment of a connection must acknowledge something"
    if not block.in_window(seg):
        size = f" with room for {wnd} octets" if wnd is not None else ""
        return f"its number {seg.seq} is outside the window, which begins at {nxt}{size}"
    if block.too_old(seg):
        return "its timestamp is older than what has come already (PAWS, RFC 7323)"
    if block.state is State.SYN_RECEIVED:
        return f"it acknowledges {seg.ack}, and {block.snd.nxt} is awaited: a RST will say so"
    return f"it acknowledges {seg.ack}, and nothing beyond {block.snd.nxt} was sent: an ACK says so"


def _why_not_rst(block: ControlBlock, seg: Segment) -> str:
    nxt = block.rcv.nxt
    if block.state is State.SYN_SENT:
        if seg.ack is None:
            return "a RST that acknowledges nothing may come from anyone"
        return f"it acknowledges {seg.ack}, and only {block.snd.nxt} answers the SYN"
    if block.state in (State.CLOSED, State.LISTEN):
        return "there is no connection to break off"
    if block.in_window(seg):
        return f"its number is {seg.seq} and not exactly {nxt}: an ACK asks back (RFC 5961)"
    return f"its number {seg.seq} is outside the window, which begins at {nxt}: forged or stale"
