"""When a client closes an open connection, and what it concludes from how the peer takes that.

The same rules for a client in user space and for a connection of the kernel.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from handshake.endpoint.outcome import Close, Verdict

if TYPE_CHECKING:
    from handshake.endpoint.options import Timeouts


def close_at(
    opened_at: int,
    timeouts: Timeouts,
    *,
    unsent: bool,
    awaiting: bool,
    peer_closed: bool,
    observe_until: int,
) -> int:
    """Return when to close the connection, in nanoseconds; 0 for at once.

    `unsent`: data of ours is not acknowledged (of the kernel: not taken); `awaiting`: expected data
    has not arrived; `observe_until`: until when to watch for retransmitted SYN-ACKs.
    """
    limit = opened_at + timeouts.handshake
    if peer_closed:  # nothing more will arrive
        return limit if unsent else 0
    waiting = unsent or awaiting
    return max(opened_at + timeouts.hold, limit if waiting else 0, observe_until)


def verdict_of_reset(*, used: bool) -> Verdict:
    """Return the verdict when the peer resets the open connection.

    It was `used` if an application had sent or received data: an ACK of our FIN is its TCP's doing.
    """
    return Verdict.OPEN if used else Verdict.RESET


def verdict_of_silence(*, fin_acknowledged: bool, confirmed: bool) -> tuple[Verdict, Close | None]:
    """Return the verdict when the peer sends no FIN in time after ours.

    It may stay in CLOSE-WAIT as long as its application likes (section 3.6, case 1).
    """
    if fin_acknowledged:
        return Verdict.OPEN, Close.PEER_KEPT_OPEN
    return Verdict.OPEN if confirmed else Verdict.HALF_OPEN, None
