"""The states of Zeek's TCP analyzer: how a segment changes that of its sender."""

from __future__ import annotations

from typing import TYPE_CHECKING

from handshake.tcp import Flags
from handshake.tracker.zeek.endpoint import (
    CLOSED,
    ESTABLISHED,
    INACTIVE,
    PARTIAL,
    RESET,
    SYN_ACK_SENT,
    SYN_SENT,
)
from handshake.tracker.zeek.timeouts import patience

if TYPE_CHECKING:
    from handshake.tracker.zeek.endpoint import Side
    from handshake.tracker.zeek.flow import Flow

_SYN, _FIN, _RST, _ACK = (int(flag) for flag in (Flags.SYN, Flags.FIN, Flags.RST, Flags.ACK))


def advance(flow: Flow, side: Side, peer: Side, flags: int, length: int) -> bool:
    """Change the state of the sender, `side`; return whether this segment is its end."""
    state = side.state
    if state is RESET:
        return False
    if state is CLOSED:
        # After both FINs a RST changes nothing any more.
        if not flags & _RST or peer.state is CLOSED:
            return False
        side.become(RESET)
        return not side.closed
    if state is INACTIVE:
        _appear(flow, side, peer, flags, length)
    elif state is PARTIAL and flags & (_SYN | _ACK) == _SYN and peer.state is INACTIVE:
        side.become(SYN_SENT)
    running = state in (ESTABLISHED, PARTIAL)
    if flags & _FIN and not (running and flags & _RST):
        side.become(CLOSED)
        if running and peer.state is RESET and peer.before is CLOSED:
            # A FIN, a RST after it, and then the other FIN: it ended as it should.
            peer.become(CLOSED)
    if flags & _RST:
        side.become(RESET)
    return bool(flags & (_FIN | _RST))


def _appear(flow: Flow, side: Side, peer: Side, flags: int, length: int) -> None:
    """Give a side that was not heard of before its first state."""
    if flags & _SYN:
        if side.originator:
            side.become(SYN_ACK_SENT if flags & _ACK else SYN_SENT)
        else:
            _answer(flow, side, peer, flags)
    elif not flags & (_FIN | _RST):
        if not (side.originator or length) and peer.state is SYN_SENT:
            # Some answer a SYN with an ACK before the SYN,ACK: that proves nothing yet.
            return
        established = flags & _ACK and peer.state is ESTABLISHED
        if established:
            flow.from_the_middle = False
        side.become(ESTABLISHED if established else PARTIAL)


def _answer(flow: Flow, side: Side, peer: Side, flags: int) -> None:
    """Take the SYN or SYN,ACK of the side that is called."""
    if not flags & _ACK and peer.state is SYN_ACK_SENT:
        # The SYN,ACK came first, from two capture points read in turn: now the caller is known.
        flow.from_the_middle = False
        flow.flip()
        peer.become(ESTABLISHED)
    elif peer.state is SYN_SENT:
        peer.become(ESTABLISHED)
    side.become(ESTABLISHED)
    if peer.state is not PARTIAL:
        seen = flow.orig.state is not INACTIVE
        flow.patience = patience(flow.orig.port, flow.resp.port, caller_seen=seen)
