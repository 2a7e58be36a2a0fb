"""What `ss -tan` prints of a socket: the part of its control information that a command shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from handshake.tcp import State

if TYPE_CHECKING:
    from handshake.tcp import ControlBlock

_NAMES: Final = {
    State.SYN_RECEIVED: "SYN-RECV",
    State.ESTABLISHED: "ESTAB",
}
"""Where `ss` has another name than the RFC."""

_WITHOUT_QUEUE: Final = (State.LISTEN, State.SYN_RECEIVED, State.TIME_WAIT)


def ss_line(block: ControlBlock | None, backlog: int = 128) -> str:
    """Return the line of `ss -tan` for a socket; empty where there is no line.

    Its columns are state, Recv-Q, Send-Q, local and peer. Send-Q counts what is not acknowledged, a
    SYN or FIN as one octet; of a listening socket it is the backlog.
    """
    if block is None or block.state is State.CLOSED:
        return ""  # the kernel has no place in its tables for a socket without a port
    unacknowledged = 0
    snd = block.snd
    if block.state not in _WITHOUT_QUEUE and snd.una is not None and snd.nxt is not None:
        unacknowledged = snd.nxt - snd.una
    queue = backlog if block.state is State.LISTEN else unacknowledged
    name = _NAMES.get(block.state, str(block.state))
    peer = "0.0.0.0:*" if block.remote is None else str(block.remote)
    return f"{name:<11} 0 {queue:>6}  {block.local!s:<20} {peer}"
